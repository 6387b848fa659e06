"""Convolutions of plain images, without channels."""

from __future__ import annotations

from typing import Any

from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.nnet.conv import conv2d as conv2d_of_channels

__all__ = ["conv2d"]


def conv2d(input: Any, filters: Any, image_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
           subsample: Any = (1, 1)) -> Any:
    """Every image convolved with every filter.

    Parameters
    ----------
    input : matrix or 3-d tensor
        An image, or several along the first axis.
    filters : matrix or 3-d tensor
        A filter, or several along the first axis.
    image_shape, filter_shape : sequence of int or None, optional
        What is known of the shapes; checked at run time.
    border_mode, subsample
        As for `symgraph.tensor.nnet.conv2d`.

    Returns
    -------
    TensorVariable
        (images, filters, rows, columns), without the axes that were not given.

    Raises
    ------
    ValueError
        For other ranks.

    Examples
    --------
    >>> import numpy as np
    >>> conv2d(np.array([[1.0, 2.0, 4.0]]), np.array([[1.0, -1.0]])).eval()
    array([[1., 2.]])
    """
    x, w = as_tensor_variable(input), as_tensor_variable(filters)
    for v, name in ((x, "images"), (w, "filters")):
        if v.type.ndim not in (2, 3):
            raise ValueError(f"signal.conv2d takes {name} of 2 or 3 dimensions, not {v.type}; for channels use "
                             "nnet.conv2d")
    images = dimshuffle(x, (0, "x", 1, 2) if x.type.ndim == 3 else ("x", "x", 0, 1))
    kernels = dimshuffle(w, (0, "x", 1, 2) if w.type.ndim == 3 else ("x", "x", 0, 1))
    made = conv2d_of_channels(images, kernels, _with_channels(image_shape), _with_channels(filter_shape), border_mode,
                              subsample)
    kept = [0] * (x.type.ndim == 3) + [1] * (w.type.ndim == 3) + [2, 3]
    return made if len(kept) == 4 else made[tuple(slice(None) if axis in kept else 0 for axis in range(4))]


def _with_channels(shape: Any) -> Any:
    """A shape of plain images as one of images with a channel."""
    if shape is None:
        return None
    *several, rows, columns = shape
    return (*(several or [1]), 1, rows, columns)
