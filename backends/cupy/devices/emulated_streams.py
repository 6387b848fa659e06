"""Streams of the emulated device: what is given to one is put off until somebody waits, which is as late as may be.

A GPU may run the work of two streams in any order that events leave open. Here each stream keeps a queue. Who waits
for a stream runs its queue, and of other queues only what an event in it asks for: a reader that forgot to wait for a
writer on another stream reads the old value, and a writer that forgot to wait for a reader is there first.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["EmulatedEvent", "EmulatedStream"]


class Streaming(Protocol):
    """The device of a stream."""

    order: threading.RLock

    def enter_stream(self, stream: EmulatedStream) -> None:
        """Make a stream the calling thread's current one."""
        ...

    def leave_stream(self) -> None:
        """Go back to the one before."""
        ...


class EmulatedEvent:
    """A place in the queue of a stream.

    Attributes
    ----------
    done : bool
        Whether what is before it has run.
    """

    def __init__(self, stream: EmulatedStream | None) -> None:
        self._stream = stream
        self.done = stream is None
        if stream is not None:
            stream.put(self._mark)

    def _mark(self) -> None:
        self.done = True

    def wait(self) -> None:
        """Run what is before it."""
        if self._stream is not None:
            self._stream.run(self)


class EmulatedStream:
    """A stream whose work is put off. Current in a ``with`` block, as CuPy's streams are.

    Parameters
    ----------
    device : EmulatedDevice
    """

    def __init__(self, device: Streaming) -> None:
        self._device = device
        self._queue: deque[Callable[[], None]] = deque()

    def __enter__(self) -> EmulatedStream:
        self._device.enter_stream(self)
        return self

    def __exit__(self, *error: Any) -> None:
        self._device.leave_stream()

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, work: Callable[[], None]) -> None:
        """Add to the end of the queue."""
        self._queue.append(work)

    def run(self, until: EmulatedEvent | None = None) -> None:
        """Run the queue, to its end or until an event has happened."""
        with self._device.order:
            while self._queue and not (until is not None and until.done):
                self._queue.popleft()()
