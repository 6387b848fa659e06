"""What a program launches, recorded for arguments of certain lengths, and done again at other addresses.

A program is run once while a `Recorder` notes its launches and the memory it asks for. From that a `Recording` is made:
all memory that lives within a call gets a place in one *arena*, by the times at which it is in use; each launch becomes
a list of parameters, ready to be passed. To replay is then to write the addresses and numbers that differ from call to
call into their places, and to launch.

Next values of shared variables are written over the present ones where no launch reads those any more, else into the
arena and copied at the end. Results for the host lie side by side, so that one transfer brings all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from backends.cupy.devices.device import Device
from backends.cupy.jobs.launches import Binding

__all__ = ["WORD", "Memory", "Passed", "Recorder", "Recording", "Reference", "Result", "Unrecordable", "arrange"]

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
        self._places = {id(value): i for i, value in enumerate(self.values) if device.is_array(value)}
        self._ranges = {i: _extent(device, value) for i, value in enumerate(self.values) if device.is_array(value)}

    # ---- what a program calls -------------------------------------------------------------------------------

    def empty(self, shape: Sequence[int], dtype: Any, label: str = "") -> Any:
        """Memory of the program's own."""
        array = self.device.empty(shape, dtype, label)
        now = len(self.entries)
        self.memories.append(Memory(array, self.device.address(array), now, now))
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
        self._note(lambda args: how.bound(self.device, args), noted, is_launch=True)

    def copy(self, target: Any, source: Any) -> None:
        """Copy within the device."""
        self.device.copy(target, source)
        self._note(lambda args: partial(self.device.copy, *args), [self._reference(v) for v in (target, source)])

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
        for memory in reversed(self.memories):
            if memory.address <= address < memory.address + max(memory.array.nbytes, 1):
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
        size = math.prod(self.shape) * np.dtype(self.dtype).itemsize
        first = start + self.offset
        return raw[first:first + size].view(self.dtype).reshape(self.shape).copy()


@dataclass(eq=False)
class Patch:
    """A parameter of a launch that differs from call to call: the number, or address, of a value passed, and bytes
    behind that."""

    slot: Any
    place: int
    is_number: bool
    offset: int


@dataclass(frozen=True)
class _Like:
    """How an array lay, without its memory."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: Any
    nbytes: int

    @staticmethod
    def of(array: Any) -> _Like:
        """That of an array."""
        return _Like(tuple(array.shape), tuple(array.strides), array.dtype, array.nbytes)


class Recording:
    """The launches of a program for arguments of certain lengths, ready to be repeated.

    Parameters
    ----------
    recorder : Recorder
    outputs : list
        As the program gave them, those for the host as `Recorder.result` gave them.
    commit : int
        From which entry on new values are copied to shared variables.

    Attributes
    ----------
    bytes : int
        Of the arena.
    launches : int
        Of kernels, in a call.
    """

    def __init__(self, recorder: Recorder, outputs: Sequence[Any], commit: int) -> None:
        self.device, self.outputs, self._word = recorder.device, list(outputs), recorder.word
        self.bytes = arrange([m for m in recorder.memories if m.place is None and m.result is None])
        self.arena = self.device.empty((max(self.bytes, 1),), np.uint8, "the arena of a function")
        self.result_bytes = recorder.results
        self.board = self.new_board(1)
        self.patches: list[Patch] = []
        self.by_word: list[Any] = []
        self.by_result: list[tuple[Any, int]] = []
        self.for_host = any(isinstance(output, Result) for output in outputs)
        self.steps = [self._step(entry) for entry in recorder.entries[:commit] if not _is_idle(entry)]
        self.commits = [self._step(entry) for entry in recorder.entries[commit:]]
        self.launches = sum(entry.is_launch for entry in recorder.entries)
        for memory in recorder.memories:  # what was recorded is not kept alive
            memory.array = _Like.of(memory.array)
        self.outputs = [_without_memory(output) for output in self.outputs]
        for step in [*self.steps, *self.commits]:
            if isinstance(step, Entry):
                step.arguments = [_without_memory(argument) for argument in step.arguments]

    def new_board(self, count: int) -> Any:
        """Bytes on the device for the error word, which is clear, and the results of so many calls."""
        board = self.device.empty((WORD + count * self.result_bytes,), np.uint8, "the results of a function")
        self.device.to_device(np.zeros(WORD, np.uint8), board[:WORD])
        return board

    def _step(self, entry: Entry) -> Any:
        """What does an entry again: something to call, or the entry itself if it takes other arrays in every call."""
        if not entry.is_launch:
            moving = any(isinstance(a, Reference) and _moves(a) for a in entry.arguments)
            return entry if moving else entry.make([self.array(a, (), self.board, WORD) for a in entry.arguments])
        bound = entry.make([self._stand_in(argument) for argument in entry.arguments])
        for slot, argument in zip(bound.arguments, entry.arguments, strict=True):
            self._patch(slot, argument)
        return bound

    def _stand_in(self, argument: Any) -> Any:
        """A parameter's value: the right one if it is always the same, else one of its kind."""
        if isinstance(argument, Number):
            return argument.value
        if not isinstance(argument, Reference) or argument.memory is None:
            return argument.array if isinstance(argument, Reference) else argument
        return self.arena if _moves(argument) else self.arena[argument.memory.offset + argument.offset:]

    def _patch(self, slot: Any, argument: Any) -> None:
        if isinstance(argument, Number):
            self.patches.append(Patch(slot, argument.place, True, 0))
        elif isinstance(argument, Reference):
            memory = argument.memory
            place = argument.place if memory is None else memory.place
            if place is not None:
                self.patches.append(Patch(slot, place, False, argument.offset))
            elif memory is not None and memory.result is not None:
                self.by_result.append((slot, memory.result + argument.offset))
            elif argument.array is self._word:
                self.by_word.append(slot)

    # ---- replaying ------------------------------------------------------------------------------------------

    def launch(self, values: Sequence[Any], board: Any = None, start: int = 0) -> None:
        """Do everything but copy new values to shared variables.

        Parameters
        ----------
        values : sequence
            Passed to the program.
        board : device array, optional
            Where the error word and the results go; the recording's own by default.
        start : int
            The first byte of the results there; behind the error word by default.
        """
        address = self.device.address
        for patch in self.patches:
            value = values[patch.place]
            if patch.is_number:
                write_number(patch.slot, value)
            else:
                patch.slot.value = address(value) + patch.offset
        board, start = self.board if board is None else board, start or WORD
        base = address(board)
        for slot in self.by_word:
            slot.value = base
        for slot, offset in self.by_result:
            slot.value = base + start + offset
        self._do(self.steps, values, board, start)

    def commit(self, values: Sequence[Any], board: Any = None, start: int = 0) -> None:
        """Copy new values to shared variables, those that were not written over the present ones."""
        self._do(self.commits, values, self.board if board is None else board, start or WORD)

    def _do(self, steps: Sequence[Any], values: Sequence[Any], board: Any, start: int) -> None:
        for step in steps:
            if isinstance(step, Entry):
                step.make([self.array(argument, values, board, start) for argument in step.arguments])()
            else:
                step()

    def array(self, reference: Any, values: Sequence[Any], board: Any, start: int) -> Any:
        """The array that a reference means in a call."""
        if not isinstance(reference, Reference):
            return reference
        memory, like = reference.memory, reference.array
        if memory is None:
            return like if reference.place is None else values[reference.place]
        if memory.place is not None:
            whole = values[memory.place]
        elif memory.result is not None:
            whole = _typed(board, start + memory.result, memory.array)
        else:
            whole = _typed(self.arena, memory.offset, memory.array)
        if whole.shape == like.shape and whole.strides == like.strides and reference.offset == 0:
            return whole
        flat = whole.reshape(-1)[reference.offset // like.dtype.itemsize:]
        return self.device.xp.lib.stride_tricks.as_strided(flat, like.shape, like.strides)


def _without_memory(value: Any) -> Any:
    """A reference that knows how its array lay, but for arrays that are always the same."""
    if isinstance(value, Reference) and (value.memory is not None or value.place is not None):
        return replace(value, array=_Like.of(value.array))
    return value


def _is_idle(entry: Entry) -> bool:
    """Whether an entry copies the value of a shared variable over itself."""
    if entry.is_launch or len(entry.arguments) != 2:
        return False
    places = {a.place if a.memory is None else a.memory.place for a in entry.arguments if isinstance(a, Reference)}
    return len(places) == 1 and None not in places


def _moves(reference: Reference) -> bool:
    """Whether an array lies elsewhere in another call."""
    memory = reference.memory
    if memory is None:
        return reference.place is not None
    return memory.place is not None or memory.result is not None


def write_number(slot: Any, value: Any) -> None:
    """Write a number of NumPy into a parameter."""
    if hasattr(slot, "raw"):
        slot.raw = np.asarray(value).tobytes()
    else:
        slot.value = value.item() if isinstance(value, (np.generic, np.ndarray)) else value


def _typed(raw: Any, offset: int, like: Any) -> Any:
    """The array of the kind of `like` that lies in some bytes."""
    return raw[offset:offset + like.nbytes].view(like.dtype).reshape(like.shape)
