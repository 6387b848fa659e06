"""Enlarging images."""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np

from symgraph.config import config
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.join import concatenate
from symgraph.tensor.shape import lengths_of, reshape

__all__ = ["bilinear_kernel_1D", "bilinear_kernel_2D", "bilinear_upsampling", "frac_bilinear_upsampling"]


def _positive(value: Any, name: str, who: str) -> int:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{who}: {name} must be a positive integer, not {value!r}")
    return int(value)


def bilinear_kernel_1D(ratio: int, normalize: bool = True) -> Any:
    """The filter that fills in straight lines between elements `ratio` apart: 1, 2, ..., ratio, ..., 2, 1.

    Parameters
    ----------
    ratio : int
    normalize : bool
        Divide by `ratio`, so that elements keep their values.

    Returns
    -------
    vector
        Of length ``2 * ratio - 1`` and dtype floatX.

    Examples
    --------
    >>> bilinear_kernel_1D(2).eval()
    array([0.5, 1. , 0.5])
    """
    r = _positive(ratio, "ratio", "bilinear_kernel_1D")
    return as_tensor_variable(_tent(r, config.floatX) if normalize else _tent(r, config.floatX) * r)


def _tent(ratio: int, dtype: str) -> np.ndarray[Any, Any]:
    return ((ratio - np.abs(np.arange(1 - ratio, ratio))) / ratio).astype(dtype)


def bilinear_kernel_2D(ratio: Any, normalize: bool = True) -> Any:
    """The product of two of `bilinear_kernel_1D`, one along rows and one along columns.

    Parameters
    ----------
    ratio : int or pair of int
    normalize : bool

    Returns
    -------
    matrix
    """
    rows, columns = ratio if isinstance(ratio, (list, tuple)) else (ratio, ratio)
    return dimshuffle(bilinear_kernel_1D(rows, normalize), (0, "x")) * dimshuffle(
        bilinear_kernel_1D(columns, normalize), ("x", 0))


def _images(input: Any, who: str) -> Any:
    x = as_tensor_variable(input)
    if x.type.ndim != 4:
        raise ValueError(f"{who} takes (batch, channels, rows, columns), not {x.type}")
    if x.type.is_discrete:
        raise TypeError(f"{who} takes floats, not {x.type}: cast it")
    return x


def bilinear_upsampling(input: Any, ratio: int | None = None, frac_ratio: Any = None, batch_size: Any = None,
                        num_input_channels: Any = None, use_1D_kernel: bool = True) -> Any:
    """Images enlarged by straight lines between neighbouring elements along rows and columns.

    Element i of an axis comes to stand at ``ratio * i + (ratio - 1) // 2``; the first and the last are repeated
    outwards.

    Parameters
    ----------
    input : 4-d tensor
        (batch, channels, rows, columns), of floats.
    ratio : int
        How many times longer the last two axes become.
    frac_ratio : pair of int or pair of pairs, in place of `ratio`
        As for `frac_bilinear_upsampling`.
    batch_size, num_input_channels, use_1D_kernel
        Accepted for Theano's programs; the result does not depend on them.

    Returns
    -------
    4-d tensor

    Raises
    ------
    ValueError
        When not exactly one of `ratio` and `frac_ratio` is given, when it is not of positive integers, or the input
        not of 4 dimensions.
    TypeError
        When it is not of floats.

    Examples
    --------
    >>> bilinear_upsampling(np.array([[[[0.0, 1.0]]]]), 2).eval()[0, 0]
    array([[0. , 0.5, 1. , 1. ],
           [0. , 0.5, 1. , 1. ]])
    """
    if (ratio is None) == (frac_ratio is None):
        raise ValueError(f"bilinear_upsampling: one of ratio and frac_ratio must be given, not {ratio!r} and "
                         f"{frac_ratio!r}")
    if frac_ratio is not None:
        return frac_bilinear_upsampling(input, frac_ratio)
    r = _positive(ratio, "ratio", "bilinear_upsampling")
    x = _images(input, "bilinear_upsampling")
    return _lengthened(_lengthened(x, 2, r, 1), 3, r, 1)


def frac_bilinear_upsampling(input: Any, frac_ratio: Any) -> Any:
    """Images made longer by a fraction: every q-th element of `bilinear_upsampling` by p.

    Parameters
    ----------
    input : 4-d tensor
        (batch, channels, rows, columns), of floats.
    frac_ratio : pair of int, or pair of pairs of int
        (p, q), for rows and columns or for each.

    Returns
    -------
    4-d tensor
        Of ``ceil(length * p / q)`` rows and columns, for p and q without a common factor.

    Raises
    ------
    ValueError, TypeError
        As `bilinear_upsampling` does.

    Examples
    --------
    >>> frac_bilinear_upsampling(np.array([[[[0.0, 2.0]]]]), ((1, 1), (3, 2))).eval()[0, 0]
    array([[0.        , 0.66666667, 2.        ]])
    """
    who = "frac_bilinear_upsampling"
    fractions = frac_ratio if isinstance(frac_ratio, (list, tuple)) and len(frac_ratio) == 2 else ()
    if fractions and not isinstance(fractions[0], (list, tuple)):
        fractions = (fractions, fractions)
    if not fractions or not all(isinstance(f, (list, tuple)) and len(f) == 2 for f in fractions):
        raise ValueError(f"{who}: frac_ratio must be a pair (p, q) of integers, or two such, not {frac_ratio!r}")
    x = _images(input, who)
    for axis, pair in enumerate(fractions, 2):
        p, q = (_positive(n, "a part of frac_ratio", who) for n in pair)
        x = _lengthened(x, axis, p // gcd(p, q), q // gcd(p, q))
    return x


def _lengthened(x: Any, axis: int, ratio: int, step: int) -> Any:
    """Every `step`-th element of the axis with `ratio` - 1 elements on the straight line to the next one put in."""
    every: tuple[Any, ...] = (slice(None),) * axis
    if ratio > 1:
        before = concatenate([x[(*every, slice(None, 1))], x[(*every, slice(None, -1))]], axis)
        after = concatenate([x[(*every, slice(1, None))], x[(*every, slice(-1, None))]], axis)
        order: list[int | str] = [*range(axis + 1), "x", *range(axis + 1, x.type.ndim)]
        way = (np.arange(ratio) - (ratio - 1) // 2).reshape(-1, *(1,) * (x.type.ndim - 1 - axis)) / ratio
        back, on = (np.maximum(w, 0).astype(x.type.numpy_dtype) for w in (-way, way))
        between = dimshuffle(before, order) * back + dimshuffle(x, order) * (1 - back - on) \
            + dimshuffle(after, order) * on
        lengths = lengths_of(x)
        lengths[axis] = lengths[axis] * ratio
        x = reshape(between, lengths)
    return x if step == 1 else x[(*every, slice(None, None, step))]
