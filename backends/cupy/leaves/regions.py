"""What an index names in an array of known layout: where each element of ``x[spec]`` lies in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.cupy.leaves.leaf import Operand, Text
from symgraph.tensor.index import ARRAY, NEWAXIS, NOTHING, SliceSpec

__all__ = ["Cut", "Pick", "Region", "region_of"]


@dataclass(frozen=True)
class Cut:
    """A slice of an axis, or an integer: places start, start + step, ... of it."""

    axis: int
    start: int
    step: int
    length: int


@dataclass(frozen=True)
class Pick:
    """An axis whose places an index array names.

    Attributes
    ----------
    axis, length : int
        Of x.
    place : int
        Of the array among the index arrays.
    """

    axis: int
    length: int
    place: int


@dataclass(frozen=True)
class Region:
    """The part of an array that an index names.

    Attributes
    ----------
    shape : tuple of int
    cuts : tuple of Cut
        For all axes of x that no array indexes.
    picks : tuple of Pick
    axes : tuple of int or None
        For each axis of the region that is none of the arrays', the place of its cut; None for a new axis.
    first, rank : int
        Where the arrays' axes are among those of the region, and how many.
    """

    shape: tuple[int, ...]
    cuts: tuple[Cut, ...]
    picks: tuple[Pick, ...]
    axes: tuple[int | None, ...]
    first: int
    rank: int

    @property
    def of_arrays(self) -> range:
        """The region's axes that are the arrays'."""
        return range(self.first, self.first + self.rank)

    @property
    def others(self) -> list[int]:
        """The region's other axes."""
        return [axis for axis in range(len(self.shape)) if axis not in self.of_arrays]

    def offset(self, strides: Sequence[int]) -> int:
        """Where the first element lies, the arrays' indices being 0, in an array of such strides."""
        return sum(cut.start * strides[cut.axis] for cut in self.cuts)

    def strides(self, strides: Sequence[int]) -> tuple[int, ...]:
        """What a step along each axis of the region is in memory; 0 along the arrays' axes."""
        steps = [0 if i is None else self.cuts[i].step * strides[self.cuts[i].axis] for i in self.axes]
        return (*steps[:self.first], *(0,) * self.rank, *steps[self.first:])

    def picked(self, text: Text, places: Sequence[str], arrays: Sequence[Operand], first: int) -> list[str]:
        """Statements that read the index arrays, which are ``a{first}`` and on; the names of the checked indices."""
        names = []
        shape = [self.shape[axis] for axis in self.of_arrays]
        for number, pick in enumerate(self.picks):
            operand, array = arrays[pick.place], f"a{first + pick.place}"
            text.array(array, operand.dtype)
            at = text.offset(f"p{number}_", places, operand.stretched(shape))
            length = text.passed(f"l{number}", pick.length)
            text.line(f"const {text.index} j{number} = "
                      f"({text.index})sg_checked((long long){array}[{at}], {length}, {text.error()});")
            names.append(f"j{number}")
        return names


def region_of(spec: Sequence[Any], x: Operand, arrays: Sequence[Operand], numbers: Sequence[int]) -> Region:
    """What ``x[spec]`` names, by NumPy's rules.

    Parameters
    ----------
    spec : tuple
        As `symgraph.tensor.index` has it.
    x : Operand
    arrays : sequence of Operand
        For the entries that are arrays, in order.
    numbers : sequence of int
        For the entries and bounds that are scalars, in order.

    Raises
    ------
    IndexError
        For a scalar out of range, or arrays that do not go together.
    """
    supply = iter(numbers)
    cuts: list[Cut] = []
    picks: list[Pick] = []
    axes: list[int | None] = []
    first, split, before, axis = -1, False, False, 0
    for entry in spec:
        advanced = ARRAY in spec and (entry == ARRAY or _is_place(entry))
        if advanced and first < 0:
            first = len(axes)
        elif advanced and not before:
            split = True
        before = advanced
        if entry == NEWAXIS:
            axes.append(None)
        if entry in (NEWAXIS, NOTHING):
            continue
        length = x.shape[axis]
        if entry == ARRAY:
            picks.append(Pick(axis, length, len(picks)))
        elif isinstance(entry, SliceSpec):
            bounds = [next(supply) if isinstance(part, str) else part for part in entry.parts]
            axes.append(len(cuts))
            cuts.append(_sliced(axis, length, bounds))
        else:
            cuts.append(_single(axis, length, entry if isinstance(entry, int) else next(supply)))
        axis += 1
    for rest in range(axis, len(x.shape)):
        axes.append(len(cuts))
        cuts.append(Cut(rest, 0, 1, x.shape[rest]))
    block = _together(arrays)
    lengths = [1 if i is None else cuts[i].length for i in axes]
    place = 0 if split or first < 0 else first
    shape: tuple[int, ...] = (*lengths[:place], *block, *lengths[place:])
    for pick in picks:
        if not pick.length and 0 not in shape:
            raise IndexError(f"an index is out of bounds for axis {pick.axis} with size 0")
    return Region(shape, tuple(cuts), tuple(picks), tuple(axes), place, len(block))


def _is_place(entry: Any) -> bool:
    """Whether an entry is one place along an axis: an integer, known or not."""
    return isinstance(entry, int) or (isinstance(entry, str) and entry not in (ARRAY, NEWAXIS, NOTHING))


def _sliced(axis: int, length: int, bounds: Sequence[int | None]) -> Cut:
    start, stop, step = slice(*(None if b is None else int(b) for b in bounds)).indices(length)
    return Cut(axis, start, step, len(range(start, stop, step)))


def _single(axis: int, length: int, place: int) -> Cut:
    if not -length <= place < length:
        raise IndexError(f"index {place} is out of bounds for axis {axis} with size {length}")
    return Cut(axis, place % length, 1, 1)


def _together(arrays: Sequence[Operand]) -> tuple[int, ...]:
    try:
        return tuple(int(n) for n in np.broadcast_shapes(*(a.shape for a in arrays)))
    except ValueError:
        shapes = " ".join(str(a.shape) for a in arrays)
        raise IndexError(f"index arrays of shapes {shapes} do not go together") from None
