"""One element of each row: ``x[np.arange(n), columns]``, which picks the scores of the labels of a minibatch.

Where the elements lie is reckoned once for all matrices of one shape and layout: what is picked from one is often
written to another.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Cells", "cells", "picked"]

_MOST_KEPT = 1 << 16  # rows whose numbers are kept from call to call
_kept: dict[tuple[tuple[int, int], bool], tuple[Any, Any]] = {}


def _places(shape: tuple[int, int], along: bool) -> tuple[Any, Any]:
    """Where the rows and the columns of a matrix begin, in elements; `along` says that columns are contiguous."""
    rows, columns = shape
    steps = (1, rows) if along else (columns, 1)
    found = np.arange(rows, dtype=np.int64) * steps[0], np.arange(columns, dtype=np.int64) * steps[1]
    if rows <= _MOST_KEPT and columns <= _MOST_KEPT:
        if len(_kept) >= 64:
            _kept.clear()
        _kept[shape, along] = found
    return found


class Cells:
    """The elements ``[np.arange(count), columns]`` of matrices of one shape."""

    __slots__ = ("along", "columns", "count", "flat", "shape")

    def __init__(self, shape: tuple[int, int], along: bool, count: int, columns: Any, flat: Any) -> None:
        self.shape, self.along, self.count, self.columns, self.flat = shape, along, count, columns, flat

    def of(self, x: Any) -> Any:
        """A new array of the elements."""
        line = self._line(x)
        return x[np.arange(self.count), self.columns] if line is None else line[self.flat]

    def add(self, x: Any, value: Any) -> None:
        """``x[np.arange(count), columns] += value``, in place."""
        line = self._line(x)
        if line is None:
            x[np.arange(self.count), self.columns] += value
        else:
            found = line[self.flat]
            np.add(found, value, found)
            line[self.flat] = found

    def put(self, x: Any, value: Any) -> None:
        """``x[np.arange(count), columns] = value``, in place."""
        line = self._line(x)
        if line is None:
            x[np.arange(self.count), self.columns] = value
        else:
            line[self.flat] = value

    def _line(self, x: Any) -> Any:
        """The elements of a matrix in one row, in the order of its memory; None for one of another shape or layout."""
        flags = x.flags
        fits = flags.f_contiguous if self.along else flags.c_contiguous
        return x.ravel("K") if fits and self.flat is not None and x.shape == self.shape else None


def cells(x: Any, count: int, columns: Any) -> Cells:
    """The cells of a matrix and of those like it.

    Parameters
    ----------
    x : numpy.ndarray
        A matrix.
    count : int
        How many rows, from the first on.
    columns : numpy.ndarray
        For each of these rows a whole number. One that names no column is found out when elements are read or written.
    """
    flags, shape, flat = x.flags, x.shape, None
    along = not flags.c_contiguous
    if count <= shape[0] and (not along or flags.f_contiguous):
        rows, starts = _kept.get((shape, along)) or _places(shape, along)
        try:
            flat = starts.take(columns)
        except IndexError:  # which tells the axis of this array
            return Cells(shape, along, count, columns, None)
        np.add(flat, rows if count == shape[0] else rows[:count], flat)
    return Cells(shape, along, count, columns, flat)


def picked(x: Any, count: int, columns: Any) -> tuple[Cells, Any]:
    """The cells of a matrix and of those like it, and a new array of its elements there."""
    shape, along = x.shape, not x.flags.c_contiguous
    places = _kept.get((shape, along)) if count == shape[0] else None
    if places is None or not x.flags.forc:
        found = cells(x, count, columns)
        return found, found.of(x)
    rows, starts = places
    try:
        flat = starts.take(columns)
    except IndexError:  # which tells the axis of this array
        return cells(x, count, columns), x[np.arange(count), columns]
    np.add(flat, rows, flat)
    return Cells(shape, along, count, columns, flat), x.ravel("K")[flat]
