"""Sums of floats over axes, as products with ones where these are quicker than `numpy.add.reduce`.

BLAS adds with all of a vector register. What it is given are pieces of a few thousand elements, whose sums are added
afterwards: a long sum is no less exact for it, and as BLAS does not share such pieces among its threads, the result is
the same for any number of them. (Products of whole matrices with ones are not: how BLAS cuts those shows in the last
bits. For large sums that stand alone `backends.numpy.shared_sums` has a way; within loops, sums over the rows are left
to NumPy.)
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

__all__ = ["ones_of", "row_sums", "total"]

_PIECE = 4096  # elements: too few for BLAS to share a sum of them among threads, many enough to be fast
_LEAST = 64    # elements in a row: fewer are not worth a call of BLAS
_FEW = 4096    # elements of a matrix, whose rows NumPy has added before BLAS is called
_LEAST_IN_ALL = 32768

_reduce: Any = np.add.reduce


@cache
def ones_of(dtype: Any) -> Any:
    """As many ones as any product here takes."""
    ones = np.ones(2 * _PIECE, dtype)
    ones.flags.writeable = False
    return ones


def row_sums(x: Any, out: Any = None, keepdims: bool = False) -> Any:
    """``np.add.reduce(x, axis=1, out=out, keepdims=keepdims)`` of a float matrix.

    Several threads may call it at once: BLAS uses none of its own for this.
    """
    if x.size < _FEW:
        return _reduce(x, 1, None, out, keepdims)
    rows, columns = x.shape
    if columns < _LEAST or x.strides[1] != x.itemsize:
        return _reduce(x, 1, None, out, keepdims)
    ones, into = ones_of(x.dtype), out[:, 0] if keepdims and out is not None else out
    if columns <= 2 * _PIECE:
        into = np.vecdot(x, ones[:columns], into)
    else:
        whole = columns // _PIECE
        cut = whole * _PIECE
        pieces = np.vecdot(x[:, :cut].reshape(rows, whole, _PIECE), ones[:_PIECE])
        into = np.add(np.add.reduce(pieces, axis=1), np.vecdot(x[:, cut:], ones[:columns - cut]), into)
    return into[:, None] if keepdims else into


def total(x: Any) -> Any:
    """``np.add.reduce(x, axis=None)`` of floats. Several threads may call it at once."""
    if x.size < _LEAST_IN_ALL:
        return _reduce(x, None)
    if x.flags.c_contiguous:
        flat = x.reshape(-1)
    elif x.flags.f_contiguous:
        flat = x.T.reshape(-1)
    else:
        return np.add.reduce(x, axis=None)
    cut = len(flat) // _PIECE * _PIECE
    pieces = np.vecdot(flat[:cut].reshape(-1, _PIECE), ones_of(x.dtype)[:_PIECE])
    return np.add.reduce(pieces) + np.add.reduce(flat[cut:])
