"""What was recorded of a program, done again at other addresses.

All memory that lives within a call has its place in an arena; each launch is a list of parameters, ready to be passed.
To replay is then to write the addresses and numbers that differ from the call before into their places, and to launch.

Next values of shared variables are written over the present ones where no launch reads those any more, else into the
arena and copied at the end. Results for the host lie side by side, so that one transfer brings all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from backends.cupy.recording import WORD, Entry, Number, Recorder, Reference, Result, arrange

__all__ = ["Recording", "Varying"]


@dataclass(eq=False)
class Varying:
    """A value passed to the program that launches take: a number, or an array whose address they take.

    Attributes
    ----------
    place : int
        Among the values passed.
    is_number : bool
    patches : list of (bound launch, parameter, bytes behind the address)
    now : bytes, int or None
        What the parameters hold.
    """

    place: int
    is_number: bool
    patches: list[tuple[Any, Any, int]] = field(default_factory=list)
    now: Any = None

    @property
    def launches(self) -> dict[Any, None]:
        """Those that take it, each once."""
        return dict.fromkeys(bound for bound, _, _ in self.patches)


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
    whole : collection of int
        The places of present values of shared variables.

    Attributes
    ----------
    bytes : int
        Of the arena.
    launches : int
        Of kernels, in a call.
    varying : dict of int to Varying
        By the place.
    pinned : set of int
        The places of values whose addresses cannot be changed in a graph: they are copied, or multiplied by a library.
    one : Any
        What is known of its calls as graphs; see `backends.cupy.graphs`.
    """

    def __init__(self, recorder: Recorder, outputs: Sequence[Any], commit: int, whole: Collection[int] = ()) -> None:
        self.device, self.outputs, self._word = recorder.device, list(outputs), recorder.word
        self.bytes = arrange([m for m in recorder.memories if m.place is None and m.result is None])
        self.arena = self.device.empty((max(self.bytes, 1),), np.uint8, "the arena of a function")
        self.result_bytes = recorder.results
        self.board = self.new_board(1)
        self._own = self.device.address(self.board), WORD
        self.varying: dict[int, Varying] = {}
        self.pinned: set[int] = set()
        self.one: Any = None
        self._by_word: list[Any] = []
        self._by_result: list[tuple[Any, int]] = []
        self._where: tuple[int, int] | None = None  # the board, and the first byte of the results in it
        self._stamp: int | None = None  # of the values of shared variables whose addresses are written
        self._kept: list[Any] = []  # arrays of the kernels' own, which launches know by their addresses
        self.for_host = any(isinstance(output, Result) for output in outputs)
        self.steps = [self._step(entry) for entry in recorder.entries[:commit] if not _is_idle(entry)]
        self.commits = [self._step(entry) for entry in recorder.entries[commit:]]
        #: Those steps, if none takes other arrays in every call.
        self._plain = None if any(isinstance(step, Entry) for step in self.steps) else self.steps
        self.launches = sum(entry.is_launch for entry in recorder.entries)
        self._passed = [varying for varying in self.varying.values() if varying.place not in whole]
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
            moving = [a for a in entry.arguments if isinstance(a, Reference) and _moves(a)]
            self.pinned.update(place for a in moving if (place := _place(a)) is not None)
            return entry if moving else entry.make([self.array(a, (), self.board, WORD) for a in entry.arguments])
        bound = entry.make([self._stand_in(argument) for argument in entry.arguments])
        for slot, argument in zip(bound.arguments, entry.arguments, strict=True):
            self._patch(bound, slot, argument)
        return bound

    def _stand_in(self, argument: Any) -> Any:
        """A parameter's value: the right one if it is always the same, else one of its kind."""
        if isinstance(argument, Number):
            return argument.value
        if not isinstance(argument, Reference) or argument.memory is None:
            return argument.array if isinstance(argument, Reference) else argument
        return self.arena if _moves(argument) else self.arena[argument.memory.offset + argument.offset:]

    def _patch(self, bound: Any, slot: Any, argument: Any) -> None:
        if isinstance(argument, Number):
            self._varying(argument.place, True).patches.append((bound, slot, 0))
        elif isinstance(argument, Reference):
            memory, place = argument.memory, _place(argument)
            if place is not None:
                self._varying(place, False).patches.append((bound, slot, argument.offset))
            elif memory is not None and memory.result is not None:
                self._by_result.append((slot, memory.result + argument.offset))
            elif argument.array is self._word:
                self._by_word.append(slot)
            elif memory is None:
                self._kept.append(argument.array)

    def _varying(self, place: int, is_number: bool) -> Varying:
        return self.varying.setdefault(place, Varying(place, is_number))

    # ---- replaying ------------------------------------------------------------------------------------------

    def now(self, values: Sequence[Any]) -> list[Any]:
        """The numbers, and the addresses of arrays that are not the present ones of shared variables."""
        return [self._now(varying, values) for varying in self._passed]

    def _now(self, varying: Varying, values: Sequence[Any]) -> Any:
        value = values[varying.place]
        return np.asarray(value).tobytes() if varying.is_number else self.device.address(value)

    def write(self, values: Sequence[Any], board: Any = None, start: int = 0, stamp: int | None = None,
              known: Sequence[Any] | None = None) -> None:
        """Write what differs from the call before into the parameters of launches.

        Parameters
        ----------
        values : sequence
            Passed to the program.
        board : device array, optional
            Where the error word and the results go; the recording's own by default.
        start : int
            The first byte of the results there; behind the error word by default.
        stamp : int, optional
            The same as in the call before if all shared variables have the same arrays.
        known : list, optional
            What `now` gives for the values.
        """
        if stamp is None or stamp != self._stamp:
            for varying in self.varying.values():
                self._change(varying, self._now(varying, values), values)
        else:
            for varying, now in zip(self._passed, self.now(values) if known is None else known, strict=True):
                if now != varying.now:
                    self._change(varying, now, values)
        self._stamp = stamp
        where = self._own if board is None else (self.device.address(board), start or WORD)
        if where != self._where:
            self._where = where
            for slot in self._by_word:
                slot.value = where[0]
            for slot, offset in self._by_result:
                slot.value = where[0] + where[1] + offset

    def _change(self, varying: Varying, now: Any, values: Sequence[Any]) -> None:
        if now == varying.now:
            return
        varying.now = now
        for _, slot, offset in varying.patches:
            if varying.is_number:
                write_number(slot, values[varying.place])
            else:
                slot.value = now + offset

    def launch(self, values: Sequence[Any], board: Any = None, start: int = 0, stamp: int | None = None,
               known: Sequence[Any] | None = None) -> None:
        """Do everything but copy new values to shared variables. Parameters as for `write`."""
        self.write(values, board, start, stamp, known)
        self._do(self.steps, values, board, start)

    def commit(self, values: Sequence[Any], board: Any = None, start: int = 0) -> None:
        """Copy new values to shared variables, those that were not written over the present ones."""
        self._do(self.commits, values, board, start)

    def _do(self, steps: Sequence[Any], values: Sequence[Any], board: Any, start: int) -> None:
        if steps is self._plain:
            self.device.do_all(steps)
            return
        board, start = self.board if board is None else board, start or WORD
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
    places = {_place(a) for a in entry.arguments if isinstance(a, Reference)}
    return len(places) == 1 and None not in places


def _place(reference: Reference) -> int | None:
    """Of the value passed in whose memory an array lies."""
    return reference.place if reference.memory is None else reference.memory.place


def _moves(reference: Reference) -> bool:
    """Whether an array lies elsewhere in another call."""
    return _place(reference) is not None or (reference.memory is not None and reference.memory.result is not None)


def write_number(slot: Any, value: Any) -> None:
    """Write a number of NumPy into a parameter."""
    if hasattr(slot, "raw"):
        slot.raw = np.asarray(value).tobytes()
    else:
        slot.value = value.item() if isinstance(value, (np.generic, np.ndarray)) else value


def _typed(raw: Any, offset: int, like: Any) -> Any:
    """The array of the kind of `like` that lies in some bytes."""
    return raw[offset:offset + like.nbytes].view(like.dtype).reshape(like.shape)
