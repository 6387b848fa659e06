"""Functions composed of others: repeating, tiling, turning and rolling along axes, triangles, diagonals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.tensor.basic import alloc, arange, as_lengths, as_tensor_variable, static_length
from symgraph.tensor.choosing import (
    choose,
    compress,
    fill_diagonal,
    fill_diagonal_offset,
    ravel_multi_index,
    unravel_index,
)
from symgraph.tensor.counting import RepeatPlaces, bincount, searchsorted, unique
from symgraph.tensor.counting import Unique as Unique
from symgraph.tensor.cumulative import cumprod, cumsum, diff
from symgraph.tensor.dimshuffle import (
    dimshuffle,
    expand_dims,
    is_axis_of_scalar,
    normalize_axis,
    shape_padleft,
    squeeze,
)
from symgraph.tensor.elemwise import cast, elemwise
from symgraph.tensor.grids import geomspace, linspace, logspace, meshgrid, mgrid, ogrid
from symgraph.tensor.join import concatenate
from symgraph.tensor.nnet.basic import to_one_hot
from symgraph.tensor.padding import pad
from symgraph.tensor.reduce import normalize_axes
from symgraph.tensor.shape import flatten, length_of, lengths_of, reshape, shape_i

__all__ = [
    "bincount", "choose", "compress", "cumprod", "cumsum", "diagonal", "diff", "fill_diagonal", "fill_diagonal_offset",
    "flip", "geomspace", "linspace", "logspace", "meshgrid", "mgrid", "ogrid", "pad", "ravel", "ravel_multi_index",
    "repeat", "roll", "searchsorted", "squeeze", "tile", "to_one_hot", "trace", "tri", "tril", "triu", "unique",
    "unravel_index",
]


def ravel(x: Any) -> Any:
    """All elements of `x` in one axis, in row-major order."""
    return flatten(x)


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Each element (or slice along `axis`) several times in a row, as `numpy.repeat`.

    Parameters
    ----------
    x : tensor-like
    repeats : int, or integer scalar or vector
        How often; the same for all, or one number for each.
    axis : int, optional
        None flattens first.

    Raises
    ------
    TypeError
        When `repeats` are not integers, or have more than one dimension.
    ValueError
        When their number is not that of the elements; at run time where it is only known then.

    Examples
    --------
    >>> repeat([1, 2], 2).eval()
    array([1, 1, 2, 2])
    >>> repeat([1, 2], [3, 0]).eval()
    array([1, 1, 1])
    """
    variable = as_tensor_variable(x)
    if axis is None or is_axis_of_scalar(axis, variable.type.ndim):
        variable, axis = flatten(variable), 0
    axis = normalize_axis(axis, variable.type.ndim)
    lengths = lengths_of(variable)
    counts = as_tensor_variable(repeats)
    if counts.type.ndim != 0 and counts.type.shape != (1,):
        return variable[(slice(None),) * axis + (RepeatPlaces()(counts, lengths[axis]),)]
    repeats = counts[0] if counts.type.ndim else repeats
    times = _known(as_lengths([repeats])[0])
    spread = alloc(expand_dims(variable, axis + 1), *lengths[: axis + 1], times, *lengths[axis + 1:])
    return reshape(spread, [*lengths[:axis], lengths[axis] * times, *lengths[axis + 1:]])


def tile(x: Any, reps: Any, ndim: int | None = None) -> Any:
    """The whole of `x` several times side by side, as `numpy.tile`.

    Parameters
    ----------
    x : tensor-like
    reps : int or sequence of int or scalar variable
        How often along each of the last axes.
    ndim : int, optional
        The rank wanted of the result; axes of length 1 are put in front.

    Examples
    --------
    >>> tile([1, 2], 2).eval()
    array([1, 2, 1, 2])
    """
    variable = as_tensor_variable(x)
    times = [_known(n) for n in as_lengths(reps)]
    rank = max(variable.type.ndim, len(times), ndim or 0)
    if ndim is not None and rank != ndim:
        raise ValueError(f"tile: ndim={ndim}, but {len(times)} repeats of {variable.type.ndim} dimensions give {rank}")
    variable = shape_padleft(variable, rank - variable.type.ndim)
    times = [1] * (rank - len(times)) + times
    lengths = lengths_of(variable)
    spread = dimshuffle(variable, [entry for axis in range(rank) for entry in ("x", axis)])
    shape = [n for pair in zip(times, lengths, strict=True) for n in pair]
    return reshape(alloc(spread, *shape) if rank else variable, [t * n for t, n in zip(times, lengths, strict=True)])


def flip(x: Any, axis: int | Sequence[int] | None = None) -> Any:
    """`x` with the order of elements reversed along axes, all of them by default."""
    variable = as_tensor_variable(x)
    axes = normalize_axes(axis, variable.type.ndim, "flip")
    return variable[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(variable.type.ndim))]


def roll(x: Any, shift: Any, axis: int | None = None) -> Any:
    """`x` with elements shifted along an axis; what leaves at one end enters at the other, as `numpy.roll`.

    Parameters
    ----------
    x : tensor-like
    shift : int or scalar integer variable
    axis : int, optional
        None rolls all elements in order, and keeps the shape.
    """
    variable = as_tensor_variable(x)
    if axis is None:
        return reshape(roll(flatten(variable), shift, 0), lengths_of(variable))
    axis = normalize_axis(axis, variable.type.ndim)
    length = length_of(variable, axis)
    if isinstance(length, int) and isinstance(shift, int):
        place: Any = shift % max(length, 1)
    else:
        place = elemwise(scalar.mod)(shift, elemwise(scalar.maximum)(length, 1))
    before = (slice(None),) * axis
    return concatenate(
        [variable[(*before, slice(length - place, None))], variable[(*before, slice(0, length - place))]], axis
    )


def tri(N: Any, M: Any = None, k: Any = 0, dtype: Any = None) -> Any:
    """Ones on and below the `k`-th diagonal of an N by M matrix (N by N unless M is given), zeros above."""
    from symgraph.config import config

    rows, columns = arange(N), arange(N if M is None else M)
    mask = elemwise(scalar.ge)(dimshuffle(rows, (0, "x")) + k, dimshuffle(columns, ("x", 0)))
    return cast(mask, config.floatX if dtype is None else dtype)


def tril(m: Any, k: Any = 0) -> Any:
    """The matrices in the last two axes of `m`, with zeros above the `k`-th diagonal."""
    return _triangle(m, k, True, "tril")


def triu(m: Any, k: Any = 0) -> Any:
    """The matrices in the last two axes of `m`, with zeros below the `k`-th diagonal."""
    return _triangle(m, k, False, "triu")


def _triangle(m: Any, k: Any, lower: bool, who: str) -> Any:
    variable = as_tensor_variable(m)
    if variable.type.ndim < 2:
        kind: type[Exception] = ValueError if variable.type.ndim else TypeError  # as NumPy
        raise kind(f"{who} takes matrices, not {variable.type}")
    mask = tri(shape_i(variable, -2), shape_i(variable, -1), k if lower else k - 1, dtype="bool")
    zero = np.zeros((), variable.type.dtype)
    return elemwise(scalar.switch)(mask, variable, zero) if lower else elemwise(scalar.switch)(mask, zero, variable)


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal of the matrices in two axes of `a`, in a new last axis, as `numpy.diagonal`."""
    variable = as_tensor_variable(a)
    ndim = variable.type.ndim
    if ndim < 2:
        raise ValueError(f"diagonal takes at least 2 dimensions, not {variable.type}")
    i, j = normalize_axis(axis1, ndim), normalize_axis(axis2, ndim)
    if i == j:
        raise ValueError("diagonal: axis1 and axis2 must differ")
    matrices = dimshuffle(variable, [axis for axis in range(ndim) if axis not in (i, j)] + [i, j])
    down, right = max(-offset, 0), max(offset, 0)
    count = elemwise(scalar.minimum)(shape_i(variable, i) - down, shape_i(variable, j) - right)
    steps = arange(elemwise(scalar.maximum)(count, 0))
    return matrices[(..., steps + down, steps + right)]


def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of the diagonal, as `numpy.trace`."""
    return diagonal(a, offset, axis1, axis2).sum(axis=-1)


def _known(length: Any) -> Any:
    """A length as a Python integer where it is a constant, so that what is made of it is known as well."""
    known = static_length(length)
    return length if known is None else known
