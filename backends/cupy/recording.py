"""What a program launches, noted for arguments of certain lengths, as it is run once.

A `Recorder` notes launches and the memory that a program asks for; `arrange` gives all memory that lives within a call
a place in one *arena*, by the times at which it is in use. `backends.cupy.replay` does it again at other addresses.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from backends.cupy.devices.device import Device
from backends.cupy.jobs.launches import Binding

__all__ = ["WORD", "Entry", "Memory", "Number", "Passed", "Recorder", "Reference", "Result", "Unrecordable", "arrange"]

ALIGNMENT = 256
WORD = 256  # bytes in front of the results, of which the error word takes the first


class Unrecordable(Exception):
    """A program did what depends on more than the lengths of its arguments."""


@dataclass(eq=False)
class Memory:
    """An array that a program asked for.

    Attributes
    ----------
    array : device array
        That it was given while being recorded.
    address : int
        Of that.
    born, dies : int
        The first and the last entry that uses it.
    place : int or None
        Of the value passed to the program whose memory it takes: a shared variable's.
    result : int or None
        Where it lies among the bytes of the results.
    offset : int
        Where it lies in the arena.
    over : SharedVariable or None
        Whose present value it may be written over.
    guarded : bool
        Whether that is left alone once the error word is set.
    """

    array: Any
    address: int
    born: int
    dies: int
    place: int | None = None
    result: int | None = None
    offset: int = 0
    over: Any = None
    guarded: bool = True


@dataclass(frozen=True)
class Reference:
    """An array that an entry takes.

    Attributes
    ----------
    array : device array
        That it was while being recorded.
    memory : Memory or None
        Of the program's own that it lies in.
    place : int or None
        Of the value passed to the program that it is.
    offset : int
        Bytes behind the start of `memory`, or of that value.
    """

    array: Any
    memory: Memory | None = None
    place: int | None = None
    offset: int = 0


@dataclass(frozen=True)
class Number:
    """A number passed to the program, as an argument of a kernel."""

    place: int
    value: Any


@dataclass(eq=False)
class Entry:
    """Something done on the device.

    Attributes
    ----------
    make : callable
        From arguments to what can be called to do it again.
    arguments : list
        `Reference` for arrays, `Number` for numbers passed, other values as they are.
    is_launch : bool
        Whether what `make` gives has parameters that can be changed.
    """

    make: Callable[[Sequence[Any]], Any]
    arguments: list[Any]
    is_launch: bool


@dataclass(frozen=True)
class _How:
    """All of a launch but its arguments."""

    kernel: Any
    grid: Any
    block: Any
    shared_bytes: int
    cooperative: bool = False

    def bound(self, device: Device, arguments: Sequence[Any]) -> Any:
        """The launch with its arguments."""
        return device.bind(self.kernel, self.grid, self.block, self.shared_bytes, arguments, self.cooperative)


class Recorder:
    """Runs what a program says, and notes it.

    Parameters
    ----------
    device : Device
    values : sequence
        That are passed to the program. Its arrays must be distinct objects.
    word : device array
        The error word: kernels that are recorded get one beside the results.
    """

    def __init__(self, device: Device, values: Sequence[Any], word: Any) -> None:
        self.device = device
        self.word = word
        self.values = list(values)
        self.entries: list[Entry] = []
        self.memories: list[Memory] = []
        self.results = 0  # bytes
        self._starts: list[int] = []  # the addresses of memories, sorted: all of them are alive, and lie apart
        self._by_start: dict[int, Memory] = {}
        self._places = {id(value): i for i, value in enumerate(self.values) if device.is_array(value)}
        self._ranges = {i: _extent(device, value) for i, value in enumerate(self.values) if device.is_array(value)}

    # ---- what a program calls -------------------------------------------------------------------------------

    def empty(self, shape: Sequence[int], dtype: Any, label: str = "") -> Any:
        """Memory of the program's own."""
        array = self.device.empty(shape, dtype, label)
        now, address = len(self.entries), self.device.address(array)
        self.memories.append(Memory(array, address, now, now))
        if address not in self._by_start:
            insort(self._starts, address)
        self._by_start[address] = self.memories[-1]
        return array

    def start(self, kernel: Any, binding: Binding, arguments: Sequence[Any], sources: dict[int, int]) -> None:
        """Launch a kernel; `sources` says which arguments are values passed."""
        self._launch(_How(kernel, binding.grid, binding.block, binding.shared_bytes), arguments, sources)

    def may_lie_over(self, array: Any, target: Any, guarded: bool = True) -> None:
        """Note that what was made last may be written over the present value of a shared variable."""
        self.memories[-1].over, self.memories[-1].guarded = target, guarded

    def launch(self, kernel: Any, grid: Any, block: Any, shared_bytes: int, args: Sequence[Any],
               cooperative: bool = False) -> None:
        """Launch a kernel. Numbers among its arguments are what they are: a record holds for these."""
        self._launch(_How(kernel, grid, block, shared_bytes, cooperative), args, {})

    def _launch(self, how: _How, arguments: Sequence[Any], sources: dict[int, int]) -> None:
        how.bound(self.device, arguments)()
        noted: list[Any] = []
        for i, argument in enumerate(arguments):
            if self.device.is_array(argument):
                noted.append(self._reference(argument, sources.get(i)))
            else:
                noted.append(Number(sources[i], argument) if i in sources else argument)
        device = self.device  # rather than this recorder, which holds all arrays of the call
        self._note(lambda args: how.bound(device, args), noted, is_launch=True)

    def copy(self, target: Any, source: Any) -> None:
        """Copy within the device."""
        self.device.copy(target, source)
        copy = self.device.copy
        self._note(lambda args: partial(copy, *args), [self._reference(v) for v in (target, source)])

    def product(self, out: Any, a: Any, b: Any, alpha: float = 1.0, beta: float = 0.0, tf32: bool = False) -> None:
        """A product by the vendor's library."""
        multiply = partial(self.device.product, alpha=alpha, beta=beta, tf32=tf32)
        multiply(out, a, b)
        self._note(lambda args: partial(multiply, *args), [self._reference(v) for v in (out, a, b)])

    def result(self, value: Any) -> Any:
        """A result for the host; what is on the device gets a place among the bytes that are moved together."""
        if not self.device.is_array(value):
            return value
        found = self._reference(value)
        memory = found.memory
        if memory is None or memory.result is not None or value.nbytes != memory.array.nbytes or (
            not value.flags.c_contiguous
        ):
            copy = self.empty(value.shape, value.dtype)
            self.copy(copy, value)
            memory = self.memories[-1]
        memory.result = self.results
        self.results += _rounded(value.nbytes)
        return Result(memory.result, tuple(value.shape), value.dtype)

    def held(self, value: Any) -> Reference:
        """A result that stays on the device: it is copied out of the memory of the program in every call."""
        found = self._reference(value)
        if found.memory is None:  # a value passed, which may be written over before
            copy = self.empty(value.shape, value.dtype)
            self.copy(copy, value)
            found = self._reference(copy)
        found.memory.dies = len(self.entries) + 1  # type: ignore[union-attr]
        return found

    def freed_of(self, value: Any, changed: Collection[int]) -> Any:
        """A new value of a shared variable, copied if it lies in the present value of one that changes."""
        low, high = _extent(self.device, value)
        if not any(low < self._ranges[i][1] and self._ranges[i][0] < high for i in changed):
            return value
        copy = self.empty(value.shape, value.dtype)
        self.copy(copy, value)
        return copy

    def reference(self, array: Any) -> Reference:
        """Whose memory an array lies in."""
        return self._reference(array)

    def __getattr__(self, name: str) -> Any:
        raise Unrecordable(f"{name} is not recorded")

    # ---- notes ----------------------------------------------------------------------------------------------

    def _note(self, make: Callable[[Sequence[Any]], Any], arguments: list[Any], is_launch: bool = False) -> None:
        now = len(self.entries)
        for argument in arguments:
            if isinstance(argument, Reference) and argument.memory is not None:
                argument.memory.dies = now
            elif isinstance(argument, Reference) and argument.place is not None and not is_launch:
                whole = self.values[argument.place]
                if argument.offset or (whole.shape, whole.strides) != (argument.array.shape, argument.array.strides):
                    raise Unrecordable("a part of an argument is copied or multiplied in the middle of the program")
        self.entries.append(Entry(make, arguments, is_launch))

    def _reference(self, array: Any, place: int | None = None) -> Reference:
        place = self._places.get(id(array)) if place is None else place
        if place is not None:
            return Reference(array, place=place)
        address = self.device.address(array)
        before = bisect_right(self._starts, address)
        if before:
            memory = self._by_start[self._starts[before - 1]]
            if address < memory.address + max(memory.array.nbytes, 1):
                return Reference(array, memory, offset=address - memory.address)
        inside = [i for i, (low, high) in self._ranges.items() if low <= address < high]
        if len(inside) > 1:
            raise Unrecordable("a part of an argument is taken in the middle of the program, of which there are views")
        if inside:
            return Reference(array, place=inside[0], offset=address - self.device.address(self.values[inside[0]]))
        return Reference(array)  # of the kernels' own, always there


def _extent(device: Device, array: Any) -> tuple[int, int]:
    """Where the elements of an array lie."""
    low = high = device.address(array)
    for n, stride in zip(array.shape, array.strides, strict=True):
        if stride < 0:
            low += (n - 1) * stride
        else:
            high += max(n - 1, 0) * stride
    return low, high + array.dtype.itemsize


def arrange(memories: Sequence[Memory]) -> int:
    """Give each array its place in the arena, the largest first; returns the arena's bytes.

    Two arrays share bytes only if they are never in use at the same time.

    Examples
    --------
    >>> import numpy as np
    >>> a, b, c = (Memory(np.zeros(100, "int8"), 0, born, dies) for born, dies in ((0, 1), (1, 2), (2, 3)))
    >>> arrange([a, b, c]), a.offset, b.offset, c.offset
    (512, 0, 256, 0)
    """
    placed: list[Memory] = []
    top = 0
    for memory in sorted(memories, key=lambda m: -m.array.nbytes):
        size = _rounded(memory.array.nbytes)
        taken = sorted((other.offset, other.offset + _rounded(other.array.nbytes)) for other in placed
                       if other.born <= memory.dies and memory.born <= other.dies)
        offset = 0
        for low, high in taken:
            if offset + size <= low:
                break
            offset = max(offset, high)
        memory.offset = offset
        placed.append(memory)
        top = max(top, offset + size)
    return top


def _rounded(size: int) -> int:
    return max(-(-size // ALIGNMENT), 1) * ALIGNMENT


@dataclass(frozen=True)
class Passed:
    """A result that is a value of the host, passed to the program."""

    place: int


@dataclass(frozen=True)
class Result:
    """Where a result lies among the bytes of all results."""

    offset: int
    shape: tuple[int, ...]
    dtype: Any

    def of(self, raw: np.ndarray[Any, Any], start: int = WORD) -> np.ndarray[Any, Any]:
        """The result, copied out of a board's bytes."""
        return np.ndarray(self.shape, self.dtype, raw.data, start + self.offset).copy()
