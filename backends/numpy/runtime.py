"""What generated functions call: scratch arrays, the arrays of shared values, and errors about lengths."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np

from backends.lengths import mismatch, misnamed
from symgraph.shared import Storage, committing

__all__ = [
    "Locks", "Scratch", "add_to_head", "commit", "empty_columns", "fetched", "float32_of", "head", "mismatch",
    "misnamed", "numpy_by_name", "own", "set_head", "spare_array", "zeros_but_head",
]

_SHORT = 32  # elements of a row
_acquire, _release = type(committing).acquire, type(committing).release


def _numpy_by_name() -> ModuleType:
    """What generated functions know as ``np``: a module of NumPy's names.

    NumPy's own has a function ``__getattr__``, for the sake of which Python looks up each name anew each time.
    """
    names = ModuleType("numpy", np.__doc__)
    vars(names).update((name, value) for name, value in vars(np).items() if name != "__getattr__")
    return names


numpy_by_name = _numpy_by_name()


class Locks:
    """Many locks taken together, always in the same order.

    The loops run inside C, so that an interrupt from the keyboard leaves all of them taken or none.
    """

    def __init__(self, locks: list[Any]) -> None:
        self.locks = locks

    def __enter__(self) -> None:
        taken: deque[Any] = deque()
        try:
            taken.extend(filter(_acquire, self.locks))
        except BaseException:
            deque(map(_release, taken), maxlen=0)
            raise

    def __exit__(self, *error: object) -> None:
        deque(map(_release, reversed(self.locks)), maxlen=0)


class Scratch(list[Any]):
    """Arrays a function keeps from call to call, one set for each call that is under way at the same time.

    A call takes a set with `pop`, or `more` where there is none, and gives it back with `append`.

    Attributes
    ----------
    blank : list of tuple
        A set in which nothing is yet.
    """

    def __init__(self) -> None:
        super().__init__()
        self.blank: list[Any] = []

    def more(self) -> list[Any]:
        """A set in which nothing is yet."""
        return list(self.blank)


def empty_columns(shape: tuple[int, int], dtype: Any) -> Any:
    """A matrix in which columns are contiguous if its rows are short.

    NumPy's loops run along what is contiguous; over a dozen classes at a time they hardly start before they end.
    """
    short = shape[1] < _SHORT and shape[0] > 2 * shape[1]
    return np.empty(shape, dtype, order="F" if short else "C")


def _first(array: Any, count: int) -> Any:
    """A view of the first so many rows."""
    if count > len(array):
        raise IndexError(f"index {len(array)} is out of bounds for axis 0 with size {len(array)}")
    return array[:count]


def head(array: Any, count: int) -> Any:
    """``array[np.arange(count)]``: the first so many rows, copied."""
    return _first(array, count).copy()


def add_to_head(array: Any, count: int, value: Any) -> None:
    """``array[np.arange(count)] += value``, in place."""
    part = _first(array, count)
    np.add(part, value, out=part)


def set_head(array: Any, count: int, value: Any) -> None:
    """``array[np.arange(count)] = value``, in place."""
    _first(array, count)[...] = value


def zeros_but_head(length: int, count: int, value: Any) -> Any:
    """Zeros but for the first so many elements, which are a number: ``np.zeros(length)[np.arange(count)] += value``."""
    if count > length:
        raise IndexError(f"index {length} is out of bounds for axis 0 with size {length}")
    array = np.empty(length, value.dtype)
    array.fill(0 + value)
    if count < length:
        array[count:] = 0
    return array


float32_of = lru_cache(maxsize=1024)(np.float32)
float32_of.__doc__ = "``np.float32(n)`` of a length, several times as fast when the length was met before."


def _references(array: Any) -> int:
    return sys.getrefcount(array)


def _count_alone() -> int:
    """What `_references` says of an array only one place and one local name hold."""

    held = [np.empty(1)]
    array = held[0]
    return _references(array)


_ALONE = _count_alone()


def spare_array(storage: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """An array to compute a shared variable's next value into, in C order.

    It is that of the value before the present one where that fits and nobody else holds it: not a caller who borrowed
    it, nor a call in another thread that is still reading. Otherwise it is a new one.
    """
    array = storage.spare
    if type(array) is np.ndarray and array.shape == shape and array.dtype == dtype and array.flags.owndata and (
        array.flags.carray and _references(array) <= _ALONE
    ):
        return array
    return np.empty(shape, dtype)


def fetched(array: Any) -> Any:
    """A host array with the elements of an array, which may live on a GPU."""
    return np.array(array) if isinstance(array, (np.ndarray, np.generic)) else array.get()


def own(array: Any, *others: Any) -> Any:
    """An argument as a function may write on it: a copy of what is read-only, shared with another argument, or whose
    elements share memory with each other."""
    if not isinstance(array, np.ndarray):
        return array
    repeated = any(n > 1 and step == 0 for n, step in zip(array.shape, array.strides, strict=True))
    if array.flags.writeable and not repeated and not any(
        isinstance(other, np.ndarray) and np.may_share_memory(array, other) for other in others
    ):
        return array
    return np.array(array)


set_value = vars(Storage)["value"].__set__


def commit(storages: Sequence[Storage], values: Sequence[Any]) -> None:
    """Replace the values of several shared variables.

    No Python runs between the first and the last, so neither an interrupt from the keyboard nor another thread can come
    in between.
    """
    deque(map(set_value, storages, values), maxlen=0)
