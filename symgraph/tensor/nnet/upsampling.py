"""Enlarging images."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.join import concatenate
from symgraph.tensor.shape import reshape, shape_i

__all__ = ["bilinear_upsampling"]


def bilinear_upsampling(input: Any, ratio: int | None = None, frac_ratio: Any = None, batch_size: Any = None,
                        num_input_channels: Any = None, use_1D_kernel: bool = True) -> Any:
    """Images enlarged by straight lines between neighbouring elements along rows and columns.

    Element i of an axis comes to stand at ``ratio * i``; what comes after the last repeats it.

    Parameters
    ----------
    input : 4-d tensor
        (batch, channels, rows, columns), of floats.
    ratio : int
        How many times longer the last two axes become.
    frac_ratio
        Not provided.
    batch_size, num_input_channels, use_1D_kernel
        Accepted for Theano's programs; the result does not depend on them.

    Returns
    -------
    4-d tensor

    Raises
    ------
    ValueError
        When `ratio` is not a positive integer, or the input not of 4 dimensions.
    TypeError
        When it is not of floats.

    Examples
    --------
    >>> bilinear_upsampling(np.array([[[[0.0, 1.0]]]]), 2).eval()[0, 0]
    array([[0. , 0.5, 1. , 1. ],
           [0. , 0.5, 1. , 1. ]])
    """
    x = as_tensor_variable(input)
    if frac_ratio is not None:
        raise NotImplementedError("bilinear_upsampling: a fractional ratio is not provided; give an integer ratio")
    if not isinstance(ratio, (int, np.integer)) or isinstance(ratio, bool) or ratio < 1:
        raise ValueError(f"bilinear_upsampling: ratio must be a positive integer, not {ratio!r}")
    if x.type.ndim != 4:
        raise ValueError(f"bilinear_upsampling takes (batch, channels, rows, columns), not {x.type}")
    if x.type.is_discrete:
        raise TypeError(f"bilinear_upsampling takes floats, not {x.type}: cast it")
    return _lengthened(_lengthened(x, 2, int(ratio)), 3, int(ratio))


def _lengthened(x: Any, axis: int, ratio: int) -> Any:
    """Each element followed by `ratio` - 1 between it and the next."""
    before = (slice(None),) * axis
    following = concatenate([x[(*before, slice(1, None))], x[(*before, slice(-1, None))]], axis)
    order: list[int | str] = [*range(axis + 1), "x", *range(axis + 1, x.type.ndim)]
    part = np.arange(ratio, dtype="float64").reshape(-1, *(1,) * (x.type.ndim - 1 - axis)) / ratio
    weight = part.astype(x.type.numpy_dtype)
    between = dimshuffle(x, order) * (1 - weight) + dimshuffle(following, order) * weight
    lengths = [shape_i(x, i) if n is None else n for i, n in enumerate(x.type.shape)]
    lengths[axis] = lengths[axis] * ratio
    return reshape(between, lengths)
