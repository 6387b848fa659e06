"""Calls of a program as CUDA graphs: one call, or many.

A graph holds launches with their arguments. For a single call, what differs from the call before is either changed in
the graph, launch by launch, or copied to a place that the graph reads; shared values are read where they are, and where
one has moved, the call is captured anew. For many calls everything is in the graph, each call at its own place.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from backends.cupy.devices.device import Device, KernelError
from backends.cupy.recording import WORD
from backends.cupy.replay import Recording

__all__ = ["FEW_LAUNCHES", "MOST_LAUNCHES", "ManyCalls", "OneCall"]

#: A call of so many launches, or of fewer, is not worth a graph. By estimate (none of it measured on a GPU), the host
#: needs 2 us for a launch, 2.5 us to launch a graph, 1 us to change a launch in it: two launches and some margin.
FEW_LAUNCHES = 3
#: In a graph. More take long to capture, and memory of the driver's.
MOST_LAUNCHES = 1 << 14
#: Bytes of an argument that is copied for a graph: at a few TB/s, what takes as long as a launch.
MOST_COPIED = 4 << 20
#: A value that more launches take is copied, since that is one launch, and each change about half of one.
MOST_CHANGED = 2
#: So many captures within so many calls are too many.
STORM, WITHIN = 3, 100


class _NoGraph(Exception):
    """There is a better way than a graph, or no way to have one."""


class _CallGraph:
    """One call, captured.

    Parameters
    ----------
    record : Recording
    passed : sequence
        What is passed to the program.
    whole : collection of int
        The places of present values of shared variables.
    commits : bool
        Whether new values are copied to shared variables too.
    always : bool
        Whether it is to be had even if it is not worthwhile.
    """

    def __init__(self, record: Recording, passed: Sequence[Any], whole: Collection[int], commits: bool,
                 always: bool) -> None:
        self.record, self.device = record, record.device
        copied, changed, self.whole = self._sorted(passed, whole)
        steps = len(record.steps) + (len(record.commits) if commits else 0)
        changing = dict.fromkeys(bound for place in changed for bound in record.varying[place].launches)
        self._judge(steps, len(changing), len(copied), always)
        address, empty = self.device.address, self.device.empty
        self.addresses = {place: address(passed[place]) for place in self.whole}
        self.copies = {place: empty(passed[place].shape, passed[place].dtype, "an argument, where a graph reads it")
                       for place in copied}
        self.stamp: int | None = None  # of the values of shared variables that are where they were
        values = self._placed(passed)
        with self.device.capture(changing) as self.graph:
            record.launch(values)
            if commits:
                record.commit(values)
        self.changed = [(record.varying[place], tuple(record.varying[place].launches)) for place in changed]
        self.held = [varying.now for varying, _ in self.changed]

    def _sorted(self, passed: Sequence[Any], whole: Collection[int]) -> tuple[list[int], list[int], list[int]]:
        """The places of values that are copied to where the graph reads them, that are changed in it, and that stay."""
        copied, changed, stay = [], [], []
        for place in sorted({*self.record.varying, *self.record.pinned}):
            varying = self.record.varying.get(place)
            if varying is not None and varying.is_number:
                changed.append(place)
            elif place in whole:
                stay.append(place)
            elif place in self.record.pinned or (varying is not None and len(varying.launches) > MOST_CHANGED):
                value = passed[place]
                if value.flags.c_contiguous and value.nbytes <= MOST_COPIED:
                    copied.append(place)
                elif place not in self.record.pinned:
                    changed.append(place)
                else:
                    raise _NoGraph(f"an argument of {value.nbytes} bytes goes to a library, whose captured calls keep "
                                   "their addresses, and is too large or too scattered to be copied in every call")
            else:
                changed.append(place)
        return copied, changed, stay

    @staticmethod
    def _judge(launches: int, changes: int, copies: int, always: bool) -> None:
        if launches > MOST_LAUNCHES:
            raise _NoGraph(f"{launches} launches a call are more than a graph should have ({MOST_LAUNCHES})")
        if not always and launches - changes / 2 - copies <= FEW_LAUNCHES:
            others = [f"{changes} with other arguments each time"] * (changes > 0)
            others += [f"{copies} arguments to be copied"] * (copies > 0)
            of = f" ({', '.join(others)})" if others else ""
            raise _NoGraph(f"{launches} launches a call{of} are too few for a graph to be faster, by estimate; "
                           "cuda_graph=always asks for one")

    def _placed(self, passed: Sequence[Any]) -> Sequence[Any]:
        """What is passed, with copies where the graph reads those."""
        return [self.copies.get(place, value) for place, value in enumerate(passed)] if self.copies else passed

    def moved(self, passed: Sequence[Any], stamp: int) -> int | None:
        """The place of a value that is not where it was, and where the graph would look for it."""
        if stamp == self.stamp:
            return None
        self.stamp, address = stamp, self.device.address
        return next((place for place in self.whole if address(passed[place]) != self.addresses[place]), None)

    def launch(self, passed: Sequence[Any], stamp: int) -> None:
        """Launch it for other arguments."""
        for place, copy in self.copies.items():
            self.device.copy(copy, passed[place])
        self.record.write(self._placed(passed), stamp=stamp)
        changes: dict[Any, None] = {}
        for i, (varying, launches) in enumerate(self.changed):
            if varying.now != self.held[i]:
                self.held[i] = varying.now
                changes.update(dict.fromkeys(launches))
        for bound in changes:
            self.graph.change(bound)
        self.graph.launch()


class OneCall:
    """How single calls of a recording are launched: as a graph, if that is worthwhile.

    Parameters
    ----------
    record : Recording
    whole : collection of int
        The places of present values of shared variables.
    commits : bool
        Whether new values may be copied to shared variables before the host has looked at the error word.
    always : bool
        Whether to have a graph even if it is not worthwhile.
    name : callable
        From a place to how the value there is called.
    title : str
        Of the program.

    Attributes
    ----------
    why : str
        Why there is no graph.
    """

    def __init__(self, record: Recording, whole: Collection[int], commits: bool, always: bool,
                 name: Callable[[int], str], title: str) -> None:
        self.record, self.whole, self.commits, self.always = record, whole, commits, always
        self.name, self.title = name, title
        self.why = ""
        self._graph: _CallGraph | None = None
        self._calls = 0
        self._captures: deque[int] = deque(maxlen=STORM)  # the calls at which it was captured anew

    def launch(self, passed: Sequence[Any], stamp: int) -> bool:
        """Launch a call as a graph; False where there is none.

        Parameters
        ----------
        passed : sequence
            To the program.
        stamp : int
            The same as in the call before if all shared variables have the same arrays.

        Raises
        ------
        KernelError
            When it cannot be captured, changed or launched; then nothing has been launched.
        """
        if self.why:
            return False
        self._calls += 1
        if self._graph is not None and (moved := self._graph.moved(passed, stamp)) is not None:
            self.drop()
            self._captures.append(self._calls)
            if len(self._captures) == STORM and self._calls - self._captures[0] < WITHIN:
                self.why = f"the value of {self.name(moved)} has moved {STORM} times within {WITHIN} calls"
                warnings.warn(f"{self.title}: {self.why}, and each time its graph had to be captured anew; calls are "
                              "launched without one from now on", stacklevel=2)
                return False
        try:
            if self._graph is None:
                self._graph = _CallGraph(self.record, passed, self.whole, self.commits, self.always)
            self._graph.launch(passed, stamp)
        except _NoGraph as reason:
            self.why = str(reason)
            return False
        except (KernelError, MemoryError):
            self._graph = None
            raise
        return True

    def drop(self) -> None:
        """Let go of the graph, once it is no longer running."""
        if self._graph is not None:
            self.record.device.finish()
            self._graph = None


class ManyCalls:
    """Many calls, captured as one graph.

    Parameters
    ----------
    device : Device
    steps : sequence of (Recording, values passed)
    shared : sequence of SharedVariable
        Whose values the program reads or writes.
    """

    def __init__(self, device: Device, steps: Sequence[tuple[Recording, Any]], shared: Sequence[Any]) -> None:
        self.device = device
        self.steps = list(steps)  # keeps what is passed alive
        self.starts: list[int] = []
        total = WORD
        for record, _ in self.steps:
            self.starts.append(total)
            total += record.result_bytes
        self.board = device.to_device(np.zeros(total, np.uint8))
        self.values = [(v.container, v.container.value) for v in shared]
        with device.capture() as self.graph:
            for (record, passed), start in zip(self.steps, self.starts, strict=True):
                record.launch(passed, self.board, start)
                record.commit(passed, self.board, start)

    def is_valid(self) -> bool:
        """Whether shared values lie where they lay."""
        return all(storage.value is value for storage, value in self.values)

    def launch(self, fetches: bool) -> Any:
        """Launch it.

        Parameters
        ----------
        fetches : bool
            Whether the host must look at the error word.

        Returns
        -------
        ndarray of uint8, or None
            The error word and all results; the word alone where there are no results for the host.
        """
        self.graph.launch()
        for_host = any(record.for_host for record, _ in self.steps)
        if not for_host and not fetches:
            return None
        return self.device.to_host(self.board if for_host else self.board[:WORD])
