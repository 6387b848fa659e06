"""Functions of the array API standard that search, sort, and treat arrays as sets."""

from __future__ import annotations

from typing import Any, NamedTuple

from symgraph.array_api.array import Array, unwrap, variable_of
from symgraph.tensor import compose, counting, numpy_names, reduce
from symgraph.tensor.dimshuffle import normalize_axis
from symgraph.tensor.extra_ops import flip
from symgraph.tensor.shape import length_of
from symgraph.tensor.sort import argsort as _argsort
from symgraph.tensor.sort import sort as _sort
from symgraph.tensor.subtensor import nonzero as _nonzero

__all__ = [
    "argmax", "argmin", "argsort", "count_nonzero", "nonzero", "searchsorted", "sort", "unique_all", "unique_counts",
    "unique_inverse", "unique_values", "where",
]


def argmax(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """The place of the first largest element."""
    return Array(reduce.argmax(x.variable, axis, keepdims))


def argmin(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """The place of the first smallest element."""
    return Array(reduce.argmin(x.variable, axis, keepdims))


def count_nonzero(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """How many elements over axes are not zero."""
    return Array(compose.count_nonzero(x.variable, axis, keepdims))


def nonzero(x: Array, /) -> tuple[Array, ...]:
    """The indices of the elements that are not zero, one vector for each axis."""
    if x.ndim == 0:
        raise ValueError("nonzero takes at least one dimension")
    return tuple(map(Array, _nonzero(x.variable)))


def searchsorted(x1: Array, x2: Any, /, *, side: str = "left", sorter: Array | None = None) -> Array:
    """The places where elements of `x2` belong in the ascending vector `x1`."""
    return Array(counting.searchsorted(x1.variable, unwrap(x2), side, unwrap(sorter)))


def where(condition: Array, x1: Any, x2: Any, /) -> Array:
    """The element of `x1` where the condition holds, else that of `x2`."""
    return Array(numpy_names.where(variable_of(condition), unwrap(x1), unwrap(x2)))


def sort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """The elements along an axis in order."""
    found = _sort(x.variable, axis)
    return Array(flip(found, axis) if descending else found)


def argsort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """The places of the elements along an axis, in the order that sorts them; of equal ones the first first."""
    if not descending:
        return Array(_argsort(x.variable, axis, "stable"))
    # Sorted from behind and turned round, equal elements are in their order again.
    place = normalize_axis(axis, x.ndim)
    length = length_of(x.variable, place)
    behind = _argsort(flip(x.variable, place), place, "stable")
    return Array(flip(length - 1 - behind, place))


class UniqueAll(NamedTuple):
    """What `unique_all` returns."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCounts(NamedTuple):
    """What `unique_counts` returns."""

    values: Array
    counts: Array


class UniqueInverse(NamedTuple):
    """What `unique_inverse` returns."""

    values: Array
    inverse_indices: Array


def unique_all(x: Array, /) -> UniqueAll:
    """The distinct elements, ascending; the first place of each; which of them each element is; how often each is."""
    return UniqueAll(*map(Array, counting.unique(x.variable, True, True, True, equal_nan=False)))


def unique_counts(x: Array, /) -> UniqueCounts:
    """The distinct elements, ascending, and how often each occurs."""
    return UniqueCounts(*map(Array, counting.unique(x.variable, return_counts=True, equal_nan=False)))


def unique_inverse(x: Array, /) -> UniqueInverse:
    """The distinct elements, ascending, and which of them each element is."""
    return UniqueInverse(*map(Array, counting.unique(x.variable, return_inverse=True, equal_nan=False)))


def unique_values(x: Array, /) -> Array:
    """The distinct elements, ascending."""
    return Array(counting.unique(x.variable, equal_nan=False))
