"""A GPU, through CuPy: its arrays and memory pool, streams, graphs and modules.

Kernels are launched from addresses packed once, not through CuPy's own argument handling; products go to cuBLASLt.
CuPy is imported when a device is made, so that this module can be imported anywhere.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from backends.cupy.devices import compiler, cublaslt
from backends.cupy.devices.cuda_graphs import CupyGraph, NodeParameters
from backends.cupy.devices.device import Dim3, GpuOutOfMemory, Kernel, KernelError, out_of_memory, pack, value_of
from backends.cupy.devices.libraries import load_library

__all__ = ["CupyDevice", "CupyKernel"]

_SHARED_WITHOUT_ASKING = 48 << 10  # bytes of dynamic shared memory that every kernel may use
_OF_EACH_THREAD = 2  # the handle of the default stream that each thread may have for itself


class _Reference(weakref.ref[Any]):
    """A reference that is equal to itself only."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


class CupyKernel:
    """A function of a loaded module."""

    def __init__(self, function: Any, name: str) -> None:
        self.name = name
        self.function = function  # keeps the module loaded
        self.handle: int = function.ptr
        self.shared_allowed = _SHARED_WITHOUT_ASKING


class _Bound:
    """A launch of a kernel, its arguments packed."""

    def __init__(self, device: CupyDevice, kernel: CupyKernel, geometry: tuple[int, ...], arguments: list[Any],
                 cooperative: bool) -> None:
        self.arguments = arguments
        self._packed = pack(arguments)
        self._address = ctypes.addressof(self._packed)
        self._device = device
        self._kernel = kernel
        self._geometry = geometry
        self._launch = device.driver.launchCooperativeKernel if cooperative else device.driver.launchKernel
        self._rest = () if cooperative else (0,)

    def __call__(self) -> None:
        device = self._device
        device.enter()
        self.on(device.stream())
        if device.waits_for_each:
            try:
                device.synchronize()
            except RuntimeError as error:
                raise KernelError(f"kernel {self._kernel.name} failed: {error}") from error
        graph = device.graph
        if graph is not None:
            graph.launched(self)

    def on(self, stream: int) -> None:
        """Launch on a stream of the thread's current device."""
        try:
            self._launch(self._kernel.handle, *self._geometry, stream, self._address, *self._rest)
        except RuntimeError as error:
            raise KernelError(f"kernel {self._kernel.name} failed: {error}") from error

    def node_parameters(self) -> NodeParameters:
        """The launch as a node of a graph knows it: with the arguments that are there whenever they are read."""
        *_, shared_bytes = self._geometry
        return NodeParameters(self._kernel.handle, self._geometry[:3], self._geometry[3:6], shared_bytes, self._address)


class _Current(threading.local):
    """What a thread does: the graph it captures; and an object of its own."""

    def __init__(self) -> None:
        self.graph: CupyGraph | None = None
        self.token = object()


class CupyDevice:
    """A GPU.

    Parameters
    ----------
    number : int, optional
        Which; the current one of CuPy by default.

    Raises
    ------
    ModuleNotFoundError
        Without CuPy.
    RuntimeError
        Without a GPU that can be used.
    """

    def __init__(self, number: int | None = None) -> None:
        import cupy

        if not cupy.cuda.is_available():
            raise RuntimeError("CuPy finds no CUDA device that it can use (python -m symgraph doctor says more)")
        self.xp = cupy
        self.driver = cupy.cuda.driver
        runtime = self._runtime = cupy.cuda.runtime
        self.number = runtime.getDevice() if number is None else number
        self.name = f"cuda:{self.number}"
        self.arch = cupy.cuda.Device(self.number).compute_capability
        self.multiprocessors = runtime.deviceGetAttribute(runtime.cudaDevAttrMultiProcessorCount, self.number)
        self.cooperative = bool(runtime.deviceGetAttribute(runtime.cudaDevAttrCooperativeLaunch, self.number))
        self.waits_for_each = os.environ.get("SYMGRAPH_CUDA_SYNC", "") not in ("", "0")
        self._entered = threading.local()
        self._current = _Current()
        self._held: dict[weakref.ref[Any], tuple[int, str]] = {}  # sizes and labels of arrays that are alive
        self._lt: cublaslt.CublasLt | None = None
        self._workspaces: dict[Any, Any] = {}  # one for each stream, since products on several run at once
        self._capturing: Any = None            # one stream for all captures
        self._one_capture = threading.RLock()  # at a time

    def enter(self) -> None:
        """Make this the device of the calling thread, if it is not."""
        if getattr(self._entered, "done", False) and self._runtime.getDevice() == self.number:
            return
        self._runtime.setDevice(self.number)
        self._entered.done = True

    def stream(self) -> int:
        """The handle of the caller's current stream."""
        return int(self.xp.cuda.get_current_stream().ptr)

    def which_stream(self) -> Any:
        """The handle; but each thread has a default stream of its own, all by one handle."""
        handle = self.stream()
        return self._current.token if handle == _OF_EACH_THREAD else handle

    @property
    def graph(self) -> CupyGraph | None:
        """What this thread is capturing."""
        return self._current.graph

    # ---- Arrays

    def empty(self, shape: Sequence[int], dtype: Any, label: str = "") -> Any:
        """An array from CuPy's memory pool, which aligns to 512 bytes."""
        self.enter()
        exhausted = self.xp.cuda.memory.OutOfMemoryError
        try:
            array = self.xp.empty(tuple(shape), dtype)
        except exhausted:
            self.xp.get_default_memory_pool().free_all_blocks()  # what is free, but in pieces of other sizes
            try:
                array = self.xp.empty(tuple(shape), dtype)
            except exhausted as error:
                wanted = int(np.dtype(dtype).itemsize * np.prod(shape, dtype=np.float64))
                raise GpuOutOfMemory(out_of_memory(wanted, *self.memory(), self._held.values())) from error
        # Keyed by the reference, not the array: arrays compare element by element and have no hash.
        self._held[_Reference(array, self._forget)] = array.nbytes, label
        return array

    def _forget(self, reference: weakref.ref[Any]) -> None:
        self._held.pop(reference, None)

    def to_device(self, host: np.ndarray, into: Any = None) -> Any:
        """A copy of a host array, ordered by the current stream."""
        host = np.asarray(host)
        target = self.empty(host.shape, host.dtype) if into is None else into
        self.enter()
        if target.flags.c_contiguous:
            target.set(host)
            if self._is_pinned(host):  # else it has been read: pageable memory is copied aside first
                self.synchronize()
        elif target.shape != host.shape or target.dtype != host.dtype:
            raise ValueError(f"an array of {host.dtype} and shape {host.shape} does not fit into one of "
                             f"{target.dtype} and shape {target.shape}")
        else:
            target[...] = self.to_device(host)
        return target

    def _is_pinned(self, host: np.ndarray) -> bool:
        """Whether the device reads a host array itself, after the copy has been asked for."""
        runtime = self._runtime
        return bool(host.nbytes and runtime.pointerGetAttributes(host.ctypes.data).type == runtime.memoryTypeHost)

    def to_host(self, array: Any) -> np.ndarray:
        """A copy on the host; waits for the current stream."""
        self.enter()
        try:
            host: np.ndarray = array.get()
        except RuntimeError as error:
            raise KernelError(f"the device failed: {error}") from error
        return host

    def copy(self, target: Any, source: Any) -> None:
        """Copy within the device."""
        if target.shape != source.shape or target.dtype != source.dtype:
            raise ValueError(f"an array of {source.dtype} and shape {source.shape} does not fit into one of "
                             f"{target.dtype} and shape {target.shape}")
        self.enter()
        if target.flags.c_contiguous and source.flags.c_contiguous:
            if target.nbytes:
                self._runtime.memcpyAsync(target.data.ptr, source.data.ptr, target.nbytes,
                                          self._runtime.memcpyDeviceToDevice, self.stream())
        else:
            self.xp.copyto(target, source)

    def is_array(self, value: Any) -> bool:
        """Whether a value is an array of CuPy's."""
        return isinstance(value, self.xp.ndarray)

    def address(self, array: Any) -> int:
        """Where the first element lies."""
        return int(array.data.ptr)

    def memory(self) -> tuple[int, int]:
        """Free and total bytes; what CuPy's pool keeps but does not use is free."""
        self.enter()
        free, total = self._runtime.memGetInfo()
        return free + self.xp.get_default_memory_pool().free_bytes(), total

    # ---- Kernels

    def load(self, source: str, names: Sequence[str]) -> list[Kernel]:
        """Compile CUDA C, or find it compiled on disk, and load its functions."""
        self.enter()
        image = compiler.compile_cuda(source, self.arch).image
        module = self.xp.cuda.Module()
        try:
            module.load(image)
            return [CupyKernel(module.get_function(name), name) for name in names]
        except RuntimeError as error:
            raise KernelError(f"the driver does not load what was compiled for it: {error}") from error

    def bind(self, kernel: Any, grid: Dim3, block: Dim3, shared_bytes: int, args: Sequence[Any],
             cooperative: bool = False) -> _Bound:
        """A launch that can be repeated."""
        if shared_bytes > kernel.shared_allowed:
            self.enter()
            attribute = self.driver.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            try:
                self.driver.funcSetAttribute(kernel.handle, attribute, shared_bytes)
            except RuntimeError as error:
                raise KernelError(f"kernel {kernel.name} cannot have {shared_bytes} bytes of shared memory: "
                                  f"{error}") from error
            kernel.shared_allowed = shared_bytes
        return _Bound(self, kernel, (*grid, *block, shared_bytes), [value_of(self, arg) for arg in args], cooperative)

    def launch(self, kernel: Any, grid: Dim3, block: Dim3, shared_bytes: int, args: Sequence[Any],
               cooperative: bool = False) -> None:
        """Launch a kernel once on the current stream."""
        self.bind(kernel, grid, block, shared_bytes, args, cooperative)()

    def do_all(self, steps: Iterable[Callable[[], None]]) -> None:
        """Call all of these; what each launch would ask for again is asked for once."""
        if self.waits_for_each or self.graph is not None:
            for step in steps:
                step()
            return
        self.enter()
        stream = self.stream()
        for step in steps:
            if isinstance(step, _Bound):
                step.on(stream)
            else:
                step()

    def product(self, out: Any, a: Any, b: Any, alpha: float = 1.0, beta: float = 0.0, tf32: bool = False) -> None:
        """``out = alpha * a @ b + beta * out`` by cuBLASLt."""
        places = self.address(out), self.address(a), self.address(b)
        problem = cublaslt.problem(out, a, b, places, beta, tf32)
        if out.size == 0:
            return
        if problem.k == 0:
            self.xp.multiply(out, beta, out=out) if beta else out.fill(0)
            return
        self.enter()
        if self._lt is None:
            library = load_library("cublasLt")
            if library is None:
                raise KernelError("products need NVIDIA's library cublasLt: pip install 'symgraph[cuda13]' or "
                                  "'symgraph[cuda12]' brings it")
            self._lt = cublaslt.CublasLt(library)
        if self.graph is not None:
            needed = self._lt.needed(problem)
            self._lt.multiply(problem, places, alpha, beta, self.graph.workspace(needed), self.stream(), needed)
            return
        stream = self.which_stream()
        workspace = self._workspaces.get(stream)
        if workspace is None:
            workspace = self._workspaces[stream] = self.empty((cublaslt.WORKSPACE,), np.uint8, "workspace of products")
        self._lt.multiply(problem, places, alpha, beta, workspace.data.ptr, self.stream())

    # ---- Order

    @contextmanager
    def capture(self, changing: Collection[Any] = ()) -> Iterator[CupyGraph]:
        """Record what the block launches, on a stream of its own."""
        self.enter()
        with self._one_capture:
            if self._capturing is None:
                self._capturing = self.xp.cuda.Stream(non_blocking=True)
            graph = CupyGraph(self, changing, int(self._capturing.ptr))
            with self._capturing:
                try:
                    graph.begin()
                except RuntimeError as error:
                    raise KernelError(f"the capture of a graph cannot begin: {error}") from error
                self._current.graph = graph
                try:
                    yield graph
                except BaseException:
                    graph.abandon()
                    raise
                finally:
                    self._current.graph = None
                graph.end()

    def record(self) -> Any:
        """An event on the current stream."""
        self.enter()
        event = self.xp.cuda.Event(disable_timing=True)
        event.record()
        return event

    def wait(self, event: Any) -> None:
        """Let the current stream wait for an event."""
        self.enter()
        self.xp.cuda.get_current_stream().wait_event(event)

    def finish(self) -> None:
        """Wait for all streams."""
        self.enter()
        try:
            with self._one_capture:  # the device cannot be waited for while any thread captures
                self._runtime.deviceSynchronize()
        except RuntimeError as error:
            raise KernelError(f"the device failed: {error}") from error

    def synchronize(self) -> None:
        """Wait for the current stream."""
        self.enter()
        try:
            self.xp.cuda.get_current_stream().synchronize()
        except RuntimeError as error:
            raise KernelError(f"the device failed, and its memory is lost with this process: {error}. With "
                              "SYMGRAPH_CUDA_SYNC=1 the error names the kernel") from error
