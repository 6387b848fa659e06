"""The order of work on several streams: who reads a value waits for its last writer, who writes it for all.

Work goes to the caller's current stream, and there it is in order anyway. As long as all of it goes to one stream,
nothing is noted. When another one is met, everything given to the device so far is waited for, and that is the one; but
who goes to and fro is not held up for long: from the third time on there is an event behind each call, and whoever uses
the same values on another stream lets that stream wait for it.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from backends.cupy.devices.device import Device

__all__ = ["Order", "Turn", "Uses"]


@dataclass(eq=False)
class Uses:
    """The last uses of a value, or of a program's own memory.

    Attributes
    ----------
    writer : tuple of (stream, event) or None
    readers : dict of stream to event
        Since it was written.
    """

    writer: tuple[Any, Any] | None = None
    readers: dict[Any, Any] = field(default_factory=dict)

    def before(self, stream: Any, writes: bool) -> list[Any]:
        """The events that a use on a stream comes behind."""
        events = [] if self.writer is None or self.writer[0] == stream else [self.writer[1]]
        if writes:
            events += [event for other, event in self.readers.items() if other != stream]
        return events

    def after(self, stream: Any, event: Any, writes: bool) -> None:
        """Note a use."""
        if writes:
            self.writer = stream, event
            self.readers.clear()
        else:
            self.readers[stream] = event


class Order:
    """Which streams have used what, on one device.

    Parameters
    ----------
    device : Device
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self.only: Any = self  # the stream that all work went to; itself before there was any, and nothing after
        self.several = False
        self._changes = 0  # of the one stream
        self._uses: dict[int, tuple[weakref.ref[Any], Uses]] = {}  # of arrays, by identity: they have no hash
        self._lock = threading.Lock()

    def before(self, read: Iterable[Any], written: Iterable[Any], own: Uses | None = None) -> None:
        """Let the current stream wait for what others do with arrays that it is about to read or write.

        Parameters
        ----------
        read, written : iterable of device arrays
        own : Uses, optional
            Of memory that is written too.
        """
        stream = self.device.which_stream()
        if stream == self.only or not self._meet(stream):
            return
        events = [] if own is None else own.before(stream, True)
        for arrays, writes in ((read, False), (written, True)):
            for array in arrays:
                events += self._of(array).before(stream, writes)
        for event in dict.fromkeys(events):
            self.device.wait(event)

    def after(self, read: Iterable[Any], written: Iterable[Any], own: Uses | None = None) -> None:
        """Note that the current stream was given what reads and writes these. Parameters as for `before`."""
        stream = self.device.which_stream()
        if stream == self.only:
            return
        if not self.several:  # while it was used here, another thread has met another stream
            with self._lock:
                self._part()
            return
        event = self.device.record()
        if own is not None:
            own.after(stream, event, True)
        for arrays, writes in ((read, False), (written, True)):
            for array in arrays:
                self._of(array).after(stream, event, writes)

    def before_freeing(self) -> None:
        """Wait for all streams, if there are several: memory goes back to that on which it was taken."""
        if self.several:
            self.device.finish()

    def _meet(self, stream: Any) -> bool:
        """Whether there are several streams, this being one."""
        with self._lock:
            if self.several or stream == self.only:
                return self.several
            if self.only is self:
                self.only = stream
            elif self._changes < _CHANGES:
                self.device.finish()
                self.only, self._changes = stream, self._changes + 1
            else:
                self._part()
            return self.several

    def _part(self) -> None:
        """From now on there are several streams; what was not noted so far is waited for."""
        self.device.finish()
        self.only, self.several = _NONE, True

    def _of(self, array: Any) -> Uses:
        key = id(array)
        with self._lock:
            found = self._uses.get(key)
            if found is None or found[0]() is not array:
                forget = weakref.ref(array, lambda gone: self._forget(key, gone))
                found = self._uses[key] = forget, Uses()
            return found[1]

    def _forget(self, key: int, gone: Any) -> None:
        found = self._uses.get(key)
        if found is not None and found[0] is gone:
            self._uses.pop(key, None)


_NONE = object()
_CHANGES = 2  # values are made on the first stream, say, and then everything is done on another


class Turn:
    """A block in which a program uses shared values, and memory of its own.

    Parameters
    ----------
    order : Order
    read, written : sequence of Storage
        Of shared variables on the device.
    """

    def __init__(self, order: Order, read: Sequence[Any], written: Sequence[Any]) -> None:
        self.order, self.read, self.written, self.own = order, read, written, Uses()
        self._stream: Any = None

    def __enter__(self) -> None:
        order = self.order
        self._stream = order.device.which_stream()
        if self._stream != order.only:
            order.before([s.value for s in self.read], [s.value for s in self.written], self.own)

    def __exit__(self, *error: object) -> None:
        order = self.order
        if self._stream != order.only:
            order.after([s.value for s in self.read], [s.value for s in self.written], self.own)
