"""The emulated device: kernels built by the host's C++ compiler, run over NumPy arrays, and watched.

It is there for tests. It runs the unchanged text of kernels, thread by thread, under schedules that a seed chooses
against the program; fills fresh and freed memory with NaN; and refuses what a GPU would refuse or punish.
"""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from backends.cupy.devices import compiler, cublaslt
from backends.cupy.devices.device import Dim3, Kernel, KernelError, pack, value_of
from backends.cupy.devices.emulated_array import EmulatedArray, Namespace
from backends.cupy.devices.emulated_memory import Pool
from backends.cupy.devices.emulated_products import multiply
from backends.cupy.devices.emulated_streams import EmulatedEvent, EmulatedStream

__all__ = ["Counts", "EmulatedDevice", "EmulatedGraph", "EmulatedKernel"]

_MOST_SHARED = 227 << 10
_LARGEST_GRID = (2**31 - 1, 65535, 65535)
_LARGEST_BLOCK = (1024, 1024, 64)


@dataclass
class Counts:
    """What a device has done.

    Attributes
    ----------
    launches : int
        Of kernels, those of graphs included.
    graph_launches : int
    library_calls : int
        Functions of `xp`, products and strided copies.
    to_device, to_host : int
        Transfers.
    bytes_to_device, bytes_to_host : int
    allocations : int
    changes : int
        Of launches in graphs.
    """

    launches: int = 0
    graph_launches: int = 0
    library_calls: int = 0
    to_device: int = 0
    to_host: int = 0
    bytes_to_device: int = 0
    bytes_to_host: int = 0
    allocations: int = 0
    changes: int = 0


class _Launch(ctypes.Structure):
    _fields_ = (
        ("grid", ctypes.c_uint * 3), ("block", ctypes.c_uint * 3), ("shared_bytes", ctypes.c_size_t),
        ("cooperative", ctypes.c_int), ("seed", ctypes.c_uint64), ("regions", ctypes.c_void_p),
        ("region_count", ctypes.c_size_t),
    )


@functools.cache
def _scheduler() -> ctypes.CDLL:
    """Its symbols are for the kernels, so they are global."""
    library = ctypes.CDLL(str(compiler.emulation_scheduler()), mode=ctypes.RTLD_GLOBAL)
    library.symgraph_failed_at.restype = ctypes.c_size_t
    return library


#: The state of the scheduler is one for the process.
_running = threading.Lock()


class EmulatedKernel:
    """A function of a library of kernels."""

    def __init__(self, path: Path, library: ctypes.CDLL, name: str) -> None:
        self.name = name
        self.path = path
        self.function = getattr(library, f"symgraph_launch_{name}")
        self.function.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Launch)]
        self.function.restype = ctypes.c_char_p
        sizes = (ctypes.c_size_t * 4096)()
        count = getattr(library, f"symgraph_parameters_{name}")(sizes, len(sizes))
        #: The bytes of each parameter.
        self.sizes = list(sizes[:count])


class _Bound:
    """A launch of an emulated kernel."""

    def __init__(self, device: EmulatedDevice, kernel: EmulatedKernel, how: _Launch, arguments: list[Any],
                 foreign: list[tuple[int, int]]) -> None:
        self.arguments = arguments
        self._foreign = foreign
        self._packed = pack(arguments)
        self._device = device
        self._kernel = kernel
        self._how = how

    def __call__(self) -> None:
        device = self._device
        if device.graph is not None:
            device.graph.add_launch(self)
        elif device.stream is not None:
            device.do(self.as_it_is().run)
        else:
            self.run()

    def as_it_is(self) -> _Bound:
        """The launch with the arguments that it has now, whatever becomes of them."""
        arguments = [type(argument).from_buffer_copy(argument) for argument in self.arguments]
        return _Bound(self._device, self._kernel, self._how, arguments, self._foreign)

    def run(self) -> None:
        """Run the kernel to its end."""
        device, kernel, how = self._device, self._kernel, self._how
        self._look_for_freed_memory()
        device.counts.launches += 1
        with _running:
            how.seed = device.next_seed()
            if device.checked:
                regions = device.regions(self._foreign)
                how.regions, how.region_count = regions.ctypes.data, len(regions)
            error = kernel.function(self._packed, how)
            message = error and error.decode() + _lines(kernel)
        if message:
            raise KernelError(f"kernel {kernel.name}: {message} (schedule {how.seed})")

    def _look_for_freed_memory(self) -> None:
        for i, argument in enumerate(self.arguments):
            if isinstance(argument, ctypes.c_void_p) and argument.value:
                place = argument.value
                if not self._device.holds(place) and not any(a <= place <= b for a, b in self._foreign):
                    raise KernelError(f"kernel {self._kernel.name}: argument {i} points into memory that was freed")


def _lines(kernel: EmulatedKernel) -> str:
    """Where in the source the kernel that was run last failed, as far as that is known."""
    places = [place for place in map(_scheduler().symgraph_failed_at, (0, 1)) if place]
    tool = shutil.which("addr2line")
    if not places or tool is None:
        return ""
    command = [tool, "-e", str(kernel.path), *(hex(place - 1) for place in places)]  # a call returns behind itself
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")
    lines = [line.split()[0].rpartition(":")[2] for line in found if "kernels.c" in line]
    return f" (line {' after line '.join(lines)})" if lines else ""


class EmulatedGraph:
    """What was captured on an emulated device.

    Parameters
    ----------
    device : EmulatedDevice
    changing : collection of _Bound
        Launches that may be changed.
    """

    def __init__(self, device: EmulatedDevice, changing: Collection[_Bound] = ()) -> None:
        self._device = device
        self._work: list[Callable[[], None]] = []
        self._places: dict[_Bound, int | None] = dict.fromkeys(changing)
        self.complete = False

    def add(self, work: Callable[[], None]) -> None:
        """Record something."""
        self._work.append(work)

    def add_launch(self, bound: _Bound) -> None:
        """Record a launch, with the arguments that it has now."""
        if bound in self._places:
            if self._places[bound] is not None:
                raise KernelError("a launch that is to be changed is captured twice")
            self._places[bound] = len(self._work)
        self.add(bound.as_it_is().run)

    def change(self, bound: Any) -> None:
        """Let a launch have the arguments that it has now."""
        place = self._places.get(bound)
        if place is None or not self.complete:
            raise KernelError("a launch is changed that was not captured to be changed")
        self._device.counts.changes += 1
        self._work[place] = bound.as_it_is().run

    def launch(self) -> None:
        """Do it all again."""
        if not self.complete:
            raise KernelError("a graph is launched after its capture has ended")
        self._device.refuse_in_capture("launching a graph")
        self._device.counts.graph_launches += 1
        for work in list(self._work):
            self._device.do(work)

    def __len__(self) -> int:
        return len(self._work)


class _Current(threading.local):
    """What a thread does: the graph it captures, and the streams it has entered."""

    def __init__(self) -> None:
        self.graph: EmulatedGraph | None = None
        self.streams: list[EmulatedStream] = []


class EmulatedDevice:
    """A CUDA device emulated on the CPU.

    Parameters
    ----------
    seed : int, optional
        Of the schedule of each launch. 0 runs threads in order; others run them in an order chosen against the program,
        another one for each launch. By default what the environment variable ``SYMGRAPH_EMULATION_SEED`` says, or 0.
    checked : bool, optional
        Whether each access of a kernel to memory is looked at: one outside all arrays, or one that nothing orders with
        another thread's, is an error even where the values come out right. Some ten times slower. By default what
        ``SYMGRAPH_EMULATION_CHECKED`` says, or not.
    total : int
        Bytes of memory.
    """

    name = "emulated:0"
    arch = "90"
    multiprocessors = 4
    cooperative = True
    waits_for_each = False

    def __init__(self, seed: int | None = None, checked: bool | None = None, total: int = 8 << 30) -> None:
        asked = os.environ.get
        self.seed = int(asked("SYMGRAPH_EMULATION_SEED", "0")) if seed is None else seed
        self.checked = asked("SYMGRAPH_EMULATION_CHECKED", "0") != "0" if checked is None else checked
        self.counts = Counts()
        self.xp = Namespace(self)
        self.order = threading.RLock()
        self._pool = Pool(total)
        self._current = _Current()
        self._streams: list[EmulatedStream] = []

    # ---- Arrays

    def empty(self, shape: Sequence[int], dtype: Any, label: str = "") -> EmulatedArray:
        """An array of NaN bytes."""
        self.counts.allocations += 1
        dtype = np.dtype(dtype)
        size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        memory = self._pool.take(max(size, 1), label, self.stream)
        return EmulatedArray(memory[:size].view(dtype).reshape(tuple(shape)), self)

    def to_device(self, host: np.ndarray, into: EmulatedArray | None = None) -> EmulatedArray:
        """A copy of a host array on the device."""
        host = np.asarray(host)
        target = self.empty(host.shape, host.dtype) if into is None else into
        _same(target.values, host)
        self.moved(to_device=host.nbytes)
        to, given = _Place(self, target), host if self.stream is None else host.copy()
        self.do(lambda: np.copyto(to.values(), given))
        return target

    def to_host(self, array: EmulatedArray) -> np.ndarray:
        """A copy of a device array on the host."""
        if not isinstance(array, EmulatedArray):
            raise TypeError(f"an array of the device was expected, not {type(array).__name__}")
        host = array.get()
        self._pool.look_at_guards()
        return host

    def copy(self, target: EmulatedArray, source: EmulatedArray) -> None:
        """Copy within the device."""
        _same(target.values, source.values)
        to, of = _Place(self, target), _Place(self, source)
        self.do(lambda: np.copyto(to.values(), of.values()))

    def is_array(self, value: Any) -> bool:
        """Whether a value is an array of an emulated device."""
        return isinstance(value, EmulatedArray)

    def address(self, array: EmulatedArray) -> int:
        """Where the first element lies."""
        return int(array.values.__array_interface__["data"][0])

    def memory(self) -> tuple[int, int]:
        """Free and total bytes."""
        return self._pool.free(), self._pool.total

    # ---- Kernels

    def load(self, source: str, names: Sequence[str]) -> list[Kernel]:
        """Build CUDA C for the host and load its functions."""
        _scheduler()
        path = compiler.emulated_library(source, names, self.checked)
        library = ctypes.CDLL(str(path))
        return [EmulatedKernel(path, library, name) for name in names]

    def bind(self, kernel: Any, grid: Dim3, block: Dim3, shared_bytes: int, args: Sequence[Any],
             cooperative: bool = False) -> _Bound:
        """A launch that can be repeated."""
        check_geometry(grid, block, shared_bytes)
        arguments = [value_of(self, argument) for argument in args]
        sizes = [ctypes.sizeof(argument) for argument in arguments]
        if sizes != kernel.sizes:
            raise TypeError(f"kernel {kernel.name} takes parameters of {kernel.sizes} bytes, not {sizes}")
        how = _Launch(tuple(grid), tuple(block), shared_bytes, cooperative)
        foreign = [byte_bounds(arg.values) for arg in args
                   if isinstance(arg, EmulatedArray) and not self.holds(self.address(arg))]
        return _Bound(self, kernel, how, arguments, foreign)

    def launch(self, kernel: Any, grid: Dim3, block: Dim3, shared_bytes: int, args: Sequence[Any],
               cooperative: bool = False) -> None:
        """Launch a kernel once."""
        self.bind(kernel, grid, block, shared_bytes, args, cooperative)()

    def do_all(self, steps: Iterable[Callable[[], None]]) -> None:
        """Call all of these."""
        for step in steps:
            step()

    def product(self, out: EmulatedArray, a: EmulatedArray, b: EmulatedArray, alpha: float = 1.0, beta: float = 0.0,
                tf32: bool = False) -> None:
        """``out = alpha * a @ b + beta * out``, from the description that cuBLASLt gets."""
        addresses = self.address(out), self.address(a), self.address(b)
        problem = cublaslt.problem(out, a, b, addresses, beta, tf32)
        if out.size:
            self.do(functools.partial(self._multiply, problem, addresses, alpha, beta))

    def _multiply(self, *given: Any) -> None:
        self.counts.library_calls += 1
        multiply(*given)


    # ---- Order

    @contextmanager
    def capture(self, changing: Collection[Any] = ()) -> Iterator[EmulatedGraph]:
        """Record instead of doing."""
        self.refuse_in_capture("beginning a capture")
        graph = self._current.graph = EmulatedGraph(self, changing)
        try:
            yield graph
        finally:
            self._current.graph = None
        graph.complete = True

    @property
    def graph(self) -> EmulatedGraph | None:
        """What this thread is capturing."""
        return self._current.graph

    def do(self, work: Callable[[], None]) -> None:
        """Do something of the device's own; record it while a graph is captured, put it off on a stream of its own."""
        if self.graph is not None:
            self.graph.add(work)
        elif self.stream is not None:
            self.stream.put(work)
        else:
            work()

    def new_stream(self) -> EmulatedStream:
        """A stream beside the first, on which everything is done at once: this one puts off what it is given."""
        self._streams.append(EmulatedStream(self))
        return self._streams[-1]

    @property
    def stream(self) -> EmulatedStream | None:
        """This thread's current stream; None for the first."""
        return self._current.streams[-1] if self._current.streams else None

    def enter_stream(self, stream: EmulatedStream) -> None:
        """Make a stream this thread's current one."""
        self.refuse_in_capture("going to another stream")
        self._current.streams.append(stream)

    def leave_stream(self) -> None:
        """Go back to the stream before."""
        self._current.streams.pop()

    def which_stream(self) -> Any:
        """The current stream; None for the first."""
        return self.stream

    def record(self) -> EmulatedEvent:
        """An event on the current stream."""
        self.refuse_in_capture("recording an event")
        return EmulatedEvent(self.stream)

    def wait(self, event: EmulatedEvent) -> None:
        """Let the current stream wait for an event."""
        self.refuse_in_capture("waiting for an event from before it")
        self.do(event.wait)

    def synchronize(self) -> None:
        """Wait for the current stream."""
        self.refuse_in_capture("waiting")
        if self.stream is not None:
            self.stream.run()

    def finish(self) -> None:
        """Wait for all streams, the last that was made first."""
        self.refuse_in_capture("waiting")
        for stream in reversed(self._streams):
            stream.run()

    def holds(self, address: int) -> bool:
        """Whether an address lies in an array that was made by `empty` and is still there."""
        return self._pool.holds(address)

    def regions(self, foreign: Sequence[tuple[int, int]]) -> np.ndarray:
        """The stretches of memory that a kernel may touch: those of all arrays, and some more."""
        return np.array(sorted([*self._pool.regions(), *foreign]), np.uint64).reshape(-1, 2)

    def next_seed(self) -> int:
        """The seed of the next launch."""
        return (self.seed * 0x9E3779B1 + self.counts.launches) % 2**63 if self.seed else 0

    # ---- What arrays tell of

    def refuse_in_capture(self, what: str) -> None:
        """Raise an error while a graph is captured."""
        if self.graph is not None:
            raise KernelError(f"{what} is not permitted while a graph is captured")

    def called(self, name: str) -> None:
        """A function of the library is about to run."""
        self.refuse_in_capture(f"the library function {name}")
        self.synchronize()  # in the order of the stream, and as early as may be
        self.counts.library_calls += 1

    def moved(self, to_host: int = 0, to_device: int = 0) -> None:
        """So many bytes are about to be copied between host and device."""
        self.refuse_in_capture("a transfer")
        if to_host:
            self.synchronize()
        self.counts.to_host += bool(to_host)
        self.counts.to_device += bool(to_device)
        self.counts.bytes_to_host += to_host
        self.counts.bytes_to_device += to_device


class _Place:
    """Where an array lies, without keeping its memory: as a captured copy or product knows it."""

    def __init__(self, device: EmulatedDevice, array: EmulatedArray) -> None:
        self._device = device
        self.__array_interface__ = dict(array.values.__array_interface__)

    def values(self) -> np.ndarray:
        """The array that lies there."""
        return np.asarray(self)


def _same(target: np.ndarray, source: np.ndarray) -> None:
    if target.shape != source.shape or target.dtype != source.dtype:
        raise ValueError(f"an array of {source.dtype} and shape {source.shape} does not fit into one of "
                         f"{target.dtype} and shape {target.shape}")


def check_geometry(grid: Dim3, block: Dim3, shared_bytes: int) -> None:
    """Raise what a GPU raises for a launch of impossible size."""
    threads = block[0] * block[1] * block[2]
    if not all(0 < n <= most for n, most in zip(grid, _LARGEST_GRID, strict=True)):
        raise KernelError(f"a grid of {grid} blocks cannot be launched: each length is at least 1 and at most "
                          f"{_LARGEST_GRID}")
    if not all(0 < n <= most for n, most in zip(block, _LARGEST_BLOCK, strict=True)) or threads > 1024:
        raise KernelError(f"a block of {block} threads cannot be launched: it has 1 to 1024")
    if not 0 <= shared_bytes <= _MOST_SHARED:
        raise KernelError(f"a block cannot have {shared_bytes} bytes of dynamic shared memory")
