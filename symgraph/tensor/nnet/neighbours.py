"""The neighbourhoods of images as the rows of a matrix, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph.graph.basic import Constant
from symgraph.tensor.basic import as_tensor_variable, zeros
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.join import concatenate
from symgraph.tensor.nnet.windows import Windows
from symgraph.tensor.shape import length_of, reshape, shape_i, vector_entries
from symgraph.tensor.specify import require_lengths
from symgraph.tensor.subtensor import set_subtensor

__all__ = ["images2neibs", "neibs2images"]

MODES = ("valid", "ignore_borders", "wrap_centered", "half", "full")


def _pair(value: Any, name: str, who: str) -> tuple[int, int]:
    """Two positive integers, known when the expression is built."""
    if isinstance(value, Constant):
        value = np.asarray(value.data)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    values = tuple(value) if isinstance(value, (list, tuple)) else ()
    values = tuple(v.data.item() if isinstance(v, Constant) else v for v in values)
    if len(values) != 2 or not all(isinstance(v, (int, np.integer)) and int(v) >= 1 for v in values):
        raise ValueError(f"{who}: {name} must be 2 positive integers, known when the expression is built, not "
                         f"{value!r}")
    return int(values[0]), int(values[1])


def images2neibs(ten4: Any, neib_shape: Any, neib_step: Any = None, mode: str = "valid") -> Any:
    """The neighbourhoods of images as the rows of a matrix.

    Parameters
    ----------
    ten4 : 4-d tensor
        (batch, channels, rows, columns).
    neib_shape : pair of int
        Rows and columns of a neighbourhood.
    neib_step : pair of int, optional
        From one neighbourhood to the next; by default `neib_shape`, so that they do not overlap.
    mode : str
        ``'valid'``: neighbourhoods within the image, which they must cover to its end. ``'ignore_borders'``: what they
        do not cover is left out. ``'wrap_centered'``: one around every place, of odd lengths, going on at the other
        side of the image. ``'half'`` and ``'full'``: as ``'valid'``, of the image with zeros on each side: half a
        neighbourhood, or one less than a neighbourhood.

    Returns
    -------
    matrix
        (batch * channels * neighbourhoods of an image, elements of a neighbourhood), images slowest, rows in the
        order of the neighbourhoods' places.

    Raises
    ------
    ValueError
        For other ranks and modes, for lengths that are not known or do not fit, and at run time where the image's
        do not.

    Examples
    --------
    >>> image = np.arange(16).reshape(1, 1, 4, 4)
    >>> images2neibs(image, (2, 2)).eval()
    array([[ 0,  1,  4,  5],
           [ 2,  3,  6,  7],
           [ 8,  9, 12, 13],
           [10, 11, 14, 15]])
    """
    x, window = as_tensor_variable(ten4), _pair(neib_shape, "neib_shape", "images2neibs")
    step = window if neib_step is None else _pair(neib_step, "neib_step", "images2neibs")
    if mode not in MODES:
        raise ValueError(f"images2neibs: mode must be one of {', '.join(MODES)}, not {mode!r}")
    if x.type.ndim != 4:
        raise ValueError(f"images2neibs takes (batch, channels, rows, columns), not {x.type}")
    sides = (0, 0)
    if mode == "wrap_centered":
        x = _wrapped(x, window)
    elif mode in ("half", "full"):
        sides = (window[0] // 2, window[1] // 2) if mode == "half" else (window[0] - 1, window[1] - 1)
    exact = mode not in ("ignore_borders", "wrap_centered")
    made = Windows(window, tuple((n, n) for n in sides), step, (1, 1), exact)(x)
    return reshape(made, (_count(made, 4), window[0] * window[1]))


def _count(x: Any, axes: int) -> Any:
    """How many elements the first axes hold."""
    count: Any = 1
    for axis in range(axes):
        count = count * length_of(x, axis)
    return count


def _wrapped(x: Any, window: tuple[int, int]) -> Any:
    """The images with half a window around them that comes from the other side."""
    for axis, length in enumerate(window, 2):
        if length % 2 == 0:
            raise ValueError(f"images2neibs: mode 'wrap_centered' takes neighbourhoods of odd lengths, not {window}")
        known = x.type.shape[axis]
        if known is not None and known < length // 2:
            raise ValueError(f"images2neibs: neighbourhoods of {window} go around images of {x.type.shape[2:]} twice")
        half, before, lengths = length // 2, (slice(None),) * axis, [None] * 4
        if half:
            lengths[axis] = shape_i(x, axis) + 2 * half  # of a shorter image the slices would be too short
            sides = x[(*before, slice(-half, None))], x[(*before, slice(None, half))]
            x = require_lengths(concatenate([sides[0], x, sides[1]], axis), lengths)
    return x


def neibs2images(neibs: Any, neib_shape: Any, original_shape: Any, mode: str = "valid") -> Any:
    """Images from their neighbourhoods: the inverse of `images2neibs` where these do not overlap.

    Parameters
    ----------
    neibs : matrix
        As `images2neibs` gives it for the default step.
    neib_shape : pair of int
        Rows and columns of a neighbourhood.
    original_shape : sequence of 4 int or scalar variables, or vector
        The images' shape.
    mode : {'valid', 'ignore_borders'}
        With the latter, what the neighbourhoods left out of the images is zero.

    Returns
    -------
    4-d tensor

    Raises
    ------
    ValueError
        For other ranks and modes, and where lengths do not fit.

    Examples
    --------
    >>> neibs2images(np.array([[0, 1, 4, 5], [2, 3, 6, 7]]), (2, 2), (1, 1, 2, 4)).eval()
    array([[[[0, 1, 2, 3],
             [4, 5, 6, 7]]]])
    """
    rows, window = as_tensor_variable(neibs), _pair(neib_shape, "neib_shape", "neibs2images")
    if mode not in ("valid", "ignore_borders"):
        raise ValueError(f"neibs2images: mode must be 'valid' or 'ignore_borders', not {mode!r}")
    if rows.type.ndim != 2:
        raise ValueError(f"neibs2images takes a matrix with a row for each neighbourhood, not {rows.type}")
    lengths = vector_entries(original_shape) if hasattr(original_shape, "type") else list(original_shape)
    if len(lengths) != 4:
        raise ValueError(f"neibs2images: original_shape must have 4 lengths, not {original_shape!r}")
    lengths = [int(n.data) if isinstance(n, Constant) else n for n in lengths]
    for n, k in zip(lengths[2:], window, strict=True):
        if mode == "valid" and isinstance(n, (int, np.integer)) and n % k:
            raise ValueError(f"neibs2images: images of {tuple(lengths[2:])} do not consist of neighbourhoods of "
                             f"{window}; mode='ignore_borders' fills what they leave out with zeros")
    places = [n // k for n, k in zip(lengths[2:], window, strict=True)]
    whole = reshape(rows, (*lengths[:2], *places, *window))
    covered = [n * k for n, k in zip(places, window, strict=True)] if mode == "ignore_borders" else lengths[2:]
    images = reshape(dimshuffle(whole, (0, 1, 2, 4, 3, 5)), (*lengths[:2], *covered))
    if mode == "valid" or covered == lengths[2:]:
        return images
    return set_subtensor(zeros(lengths, images.type.dtype)[:, :, : covered[0], : covered[1]], images)
