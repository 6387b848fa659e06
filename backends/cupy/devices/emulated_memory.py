"""Memory of the emulated device: poisoned before and after its use, and around what is in use."""

from __future__ import annotations

import functools
import threading
import weakref
from bisect import bisect_right, insort
from collections import deque

import numpy as np

from backends.cupy.devices.device import GpuOutOfMemory, KernelError, out_of_memory
from backends.cupy.devices.emulated_streams import EmulatedStream

__all__ = ["Pool"]

_ALIGNMENT = 256
_POISON = 0xFF        # NaN in every float format
_GUARD = 4096        # poisoned bytes around each array: reading them shows, and so does having written them
_QUARANTINE = 64 << 20  # bytes of freed memory that are kept poisoned before the host gets them back


class _Allocation:
    """Memory of the device, as an object that NumPy arrays hold on to."""

    def __init__(self, address: int, size: int) -> None:
        self.__array_interface__ = {"data": (address, False), "shape": (size,), "typestr": "|u1", "version": 3}


class Pool:
    """The memory of a device: what is free or fresh is poisoned, and what was freed is not given out again soon.

    Parameters
    ----------
    total : int
        Bytes that there are.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.used = 0
        self.live: dict[int, tuple[int, str]] = {}  # from the address to the size and the label
        self.starts: list[int] = []                 # of live memory, sorted
        self._memory: dict[int, np.ndarray] = {}    # with what lies around it
        self._kept: deque[np.ndarray] = deque()
        self._kept_bytes = 0
        self._dropped: deque[int] = deque()         # addresses that nothing holds any more, noted at any time
        self._owners: dict[int, EmulatedStream] = {}  # the streams that memory was taken on, in whose order it is freed
        self._lock = threading.Lock()

    def take(self, size: int, label: str, stream: EmulatedStream | None = None) -> np.ndarray:
        """So many bytes, taken on a stream."""
        with self._lock:
            self._settle()
            if self.used + size > self.total:
                raise GpuOutOfMemory(out_of_memory(size, self.total - self.used, self.total, self.live.values()))
            raw = np.full(size + _ALIGNMENT + 2 * _GUARD, _POISON, np.uint8)
            address = -(-(raw.ctypes.data + _GUARD) // _ALIGNMENT) * _ALIGNMENT
            allocation = _Allocation(address, size)
            self.used += size
            self.live[address] = size, label
            self._memory[address] = raw
            insort(self.starts, address)
            if stream is not None:
                self._owners[address] = stream
            weakref.finalize(allocation, self._dropped.append, address).atexit = False
            return np.asarray(allocation)

    def _settle(self) -> None:
        """Free what was dropped; where work on it is put off, behind that."""
        while self._dropped:
            address = self._dropped.popleft()
            stream = self._owners.pop(address, None)
            if stream:
                stream.put(functools.partial(self._dropped.append, address))
            else:
                self._free(address)

    def _free(self, address: int) -> None:
        self.used -= self.live.pop(address)[0]
        self.starts.remove(address)
        raw = self._memory.pop(address)
        raw.fill(_POISON)
        self._kept.append(raw)
        self._kept_bytes += raw.size
        while self._kept_bytes > _QUARANTINE:
            self._kept_bytes -= self._kept.popleft().size

    def free(self) -> int:
        """Bytes that are not in use."""
        with self._lock:
            self._settle()
            return self.total - self.used

    def look_at_guards(self) -> None:
        """Raise an error when something was written beside an array."""
        with self._lock:
            self._settle()
            for address, (size, label) in self.live.items():
                raw = self._memory[address]
                start = address - raw.ctypes.data
                if (raw[:start] != _POISON).any() or (raw[start + size:] != _POISON).any():
                    raise KernelError(f"a kernel wrote beside an array of {size} bytes ({label or 'unnamed'})")

    def regions(self) -> list[tuple[int, int]]:
        """Start and end of all memory that is in use."""
        with self._lock:
            self._settle()
            return [(start, start + self.live[start][0]) for start in self.starts]

    def holds(self, address: int) -> bool:
        """Whether an address lies in memory that is in use."""
        with self._lock:
            self._settle()
            i = bisect_right(self.starts, address) - 1
            return i >= 0 and address <= self.starts[i] + self.live[self.starts[i]][0]
