"""`CupyDevice`: on a GPU where there is one; without, over a stand-in for CuPy that notes what is asked of it."""

from __future__ import annotations

import ast
import ctypes
import sys
import threading
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.cupy.devices import cuda, cuda_graphs
from backends.cupy.devices.device import GpuOutOfMemory, KernelError
from backends.cupy.devices.emulated import EmulatedDevice
from backends.cupy.doctor import try_out
from tests.cupy.test_device import SCALE


def paths_used() -> set[str]:
    """The attributes of CuPy that the module uses, as dotted paths."""
    roots = {"self.xp": "cupy", "cupy": "cupy", "self.driver": "cupy.cuda.driver", "device.driver": "cupy.cuda.driver",
             "runtime": "cupy.cuda.runtime", "self._runtime": "cupy.cuda.runtime"}
    found = set()
    for node in (node for module in (cuda, cuda_graphs) for node in ast.walk(
        ast.parse(Path(module.__file__).read_text()))
    ):
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            found |= {f"{path}.{text.removeprefix(root + '.')}" for root, path in roots.items()
                      if text.startswith(root + ".")}
    return {path for path in found if "(" not in path}


def test_all_that_is_used_of_cupy_exists() -> None:
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed here")
    paths = paths_used()
    assert {"cupy.cuda.driver.launchCooperativeKernel", "cupy.cuda.runtime.memcpyAsync", "cupy.cuda.Event",
            "cupy.cuda.runtime.graphInstantiate"} <= paths
    missing = []
    for path in paths:
        value = cupy
        for name in path.split(".")[1:]:
            value = getattr(value, name, None)
        if value is None:
            missing.append(path)
    assert not missing
    assert cupy.cuda.Stream.wait_event
    assert cupy.cuda.Event.record
    runtime = cupy.cuda.runtime
    for name, takes in (("streamBeginCapture", "stream, int mode"), ("streamEndCapture", "stream) ->"),
                        ("graphInstantiate", "graph) ->"), ("graphLaunch", "graphExec, intptr_t stream"),
                        ("graphDestroy", "graph)"), ("graphExecDestroy", "graphExec)")):
        assert takes in getattr(runtime, name).__doc__
    assert cupy.cuda.driver.launchKernel.__doc__.split("(")[1].count(",") == 10
    assert cupy.cuda.driver.launchCooperativeKernel.__doc__.split("(")[1].count(",") == 9


def test_without_a_gpu_the_error_says_so() -> None:
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed here")
    if cupy.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(RuntimeError, match="no CUDA device that it can use"):
        cuda.CupyDevice()


class Array(np.ndarray):
    """An array of the stand-in."""

    @property
    def data(self) -> Any:  # type: ignore[override]
        return types.SimpleNamespace(ptr=self.__array_interface__["data"][0])

    def get(self) -> np.ndarray:
        return np.array(self)

    def set(self, host: np.ndarray) -> None:
        if (self.dtype, self.shape) != (host.dtype, host.shape):
            raise ValueError("Shape mismatch")
        self[...] = host


class StandIn:
    """What `CupyDevice` asks of CuPy, over host memory; kernels are those of the emulated device."""

    def __init__(self) -> None:
        self.emulated = EmulatedDevice()
        self.calls: list[tuple[Any, ...]] = []
        self.room = 1 << 30
        self.pinned: set[int] = set()
        self.recording: list[Any] | None = None
        self.graphs: dict[int, list[Any]] = {}
        self.refused = ""  # a function of the runtime that fails
        self.module = module = types.ModuleType("cupy")
        values: dict[str, Any] = {
            "ndarray": Array, "empty": self.empty, "copyto": np.copyto, "multiply": np.multiply,
            "get_default_memory_pool": lambda: types.SimpleNamespace(
                free_all_blocks=lambda: self.calls.append(("free",)), free_bytes=lambda: 10),
        }
        self.stream = self.new_stream(7)
        values["cuda"] = types.SimpleNamespace(
            is_available=lambda: True, get_current_stream=lambda: self.stream, Stream=self.capture_stream,
            Device=lambda number: types.SimpleNamespace(compute_capability="90"), Module=self.new_module,
            memory=types.SimpleNamespace(OutOfMemoryError=type("OutOfMemoryError", (MemoryError,), {})),
            Event=self.new_event,
            runtime=types.SimpleNamespace(
                streamCaptureModeRelaxed=2, streamBeginCapture=self.begin, streamEndCapture=self.end,
                graphInstantiate=self.instantiate, graphLaunch=self.launch_graph,
                graphDestroy=lambda graph: self.calls.append(("destroy", graph)),
                graphExecDestroy=lambda ready: self.calls.append(("destroy", ready)),
                deviceSynchronize=lambda: self.calls.append(("synchronize all",)),
                getDevice=lambda: 0, setDevice=lambda number: None, memGetInfo=lambda: (self.room, 1 << 30),
                cudaDevAttrMultiProcessorCount=16, cudaDevAttrCooperativeLaunch=95, memcpyDeviceToDevice=3,
                memoryTypeHost=1,
                pointerGetAttributes=lambda place: types.SimpleNamespace(type=int(place in self.pinned)),
                deviceGetAttribute=lambda attribute, number: {16: 132, 95: 1}[attribute], memcpyAsync=self.memcpy),
            driver=types.SimpleNamespace(
                launchKernel=self.launch, launchCooperativeKernel=self.launch_together,
                CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES=8, funcSetAttribute=self.set_attribute))
        for name, value in values.items():
            setattr(module, name, value)

    def empty(self, shape: Any, dtype: Any) -> Array:
        if np.prod(shape) * np.dtype(dtype).itemsize > self.room:
            raise self.module.cuda.memory.OutOfMemoryError  # type: ignore[attr-defined]
        return np.full(shape, 0, dtype).view(Array)

    def new_module(self) -> Any:
        def load(image: bytes) -> None:
            assert image.startswith(b"\x7fELF")

        def get_function(name: str) -> Any:
            return types.SimpleNamespace(ptr=hash(name))

        return types.SimpleNamespace(load=load, get_function=get_function)

    def launch(self, function: int, *rest: int) -> None:
        *geometry, stream, packed, extra = rest
        assert extra == 0
        self.work(function, geometry, stream, packed)

    def launch_together(self, function: int, *rest: int) -> None:
        *geometry, stream, packed = rest
        self.work(function, geometry, stream, packed)

    def work(self, function: int, geometry: list[int], stream: int, packed: int) -> None:
        assert len(geometry) == 7
        self.calls.append(("launch", geometry, stream, *self.scaling(packed)[2:]))
        self.do(self.scale(packed))

    def scaling(self, packed: int) -> tuple[int, int, float, int]:
        """The arguments of the one kernel."""
        places = (ctypes.c_void_p * 4).from_address(packed)
        y, x = (ctypes.cast(places[i], ctypes.POINTER(ctypes.c_void_p))[0] for i in (0, 1))
        a = ctypes.cast(places[2], ctypes.POINTER(ctypes.c_float))[0]
        n = ctypes.cast(places[3], ctypes.POINTER(ctypes.c_int))[0]
        return y, x, a, n

    def scale(self, packed: int) -> Any:
        """What it does with the arguments that are there now."""
        y, x, a, n = self.scaling(packed)

        def scale() -> None:
            source = np.ctypeslib.as_array((ctypes.c_float * n).from_address(x))
            np.ctypeslib.as_array((ctypes.c_float * n).from_address(y))[...] = a * source

        return scale

    def memcpy(self, target: int, source: int, size: int, kind: int, stream: int) -> None:
        assert (kind, stream) == (3, self.stream.ptr)
        self.do(lambda: ctypes.memmove(target, source, size))

    def do(self, work: Any) -> None:
        if self.recording is None:
            work()
        else:
            self.recording.append(work)

    def set_attribute(self, function: int, attribute: int, value: int) -> None:
        if value > 227 << 10:
            raise RuntimeError("CUDA_ERROR_INVALID_VALUE")
        self.calls.append(("attribute", attribute, value))

    def new_stream(self, ptr: int) -> Any:
        return types.SimpleNamespace(
            ptr=ptr, synchronize=lambda: self.calls.append(("synchronize",)),
            wait_event=lambda event: self.calls.append(("wait", ptr, event.place)))

    def new_event(self, disable_timing: bool) -> Any:
        assert disable_timing
        event = types.SimpleNamespace(place=None)

        def record() -> None:
            event.place = self.stream.ptr, len(self.calls)

        event.record = record
        return event

    def capture_stream(self, non_blocking: bool) -> Any:
        assert non_blocking
        stand_in, outside = self, self.stream

        class Stream:
            ptr = 9

            def __enter__(self) -> None:
                stand_in.stream = self  # type: ignore[assignment]

            def __exit__(self, *error: Any) -> None:
                stand_in.stream = outside

        return Stream()

    def allowed(self, name: str) -> None:
        if self.refused == name:
            raise RuntimeError(f"cudaErrorUnknown in {name}")

    def begin(self, stream: int, mode: int) -> None:
        assert (stream, mode) == (9, 2)
        self.allowed("begin")
        self.recording = []

    def end(self, stream: int) -> int:
        assert stream == 9
        recorded, self.recording = self.recording, None
        self.allowed("end")
        assert recorded is not None
        self.graphs[100 + len(self.graphs)] = recorded
        return 99 + len(self.graphs)

    def instantiate(self, graph: int) -> int:
        self.allowed("instantiate")
        self.graphs[graph + 1000] = list(self.graphs[graph])
        return graph + 1000

    def launch_graph(self, ready: int, stream: int) -> None:
        assert stream == self.stream.ptr
        self.allowed("launch")
        self.calls.append(("graph", ready))
        for work in self.graphs[ready]:
            work()

    # ---- the driver

    def cuStreamGetCaptureInfo_v2(self, stream: Any, status: Any, number: Any, graph: Any, nodes: Any,
                                  count: Any) -> int:
        assert (stream.value, self.recording is not None) == (9, True)
        self.node = (ctypes.c_void_p * 1)(5000 + len(self.recording or ()))
        status._obj.value, number._obj.value, count._obj.value = 1, 3, 1
        ctypes.cast(nodes, ctypes.POINTER(ctypes.c_void_p))[0] = ctypes.addressof(self.node)
        return 0

    def cuGraphExecKernelNodeSetParams_v2(self, ready: Any, node: Any, parameters: Any) -> int:
        given = parameters._obj
        assert (list(given.grid), list(given.block), given.shared_bytes) == ([2, 3, 4], [32, 2, 1], 0)
        assert (given.extra, given.kernel, given.context) == (None, None, None)
        self.calls.append(("change", ready.value, node.value))
        if self.refused == "change":
            return 1
        self.graphs[ready.value][node.value - 5001] = self.scale(given.arguments)
        return 0


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "cupy", stand_in.module)
    monkeypatch.setattr(cuda_graphs, "driver", lambda: stand_in)
    return stand_in


def scale(device: Any, y: Any, x: Any, **options: Any) -> None:
    kernel, = device.load(SCALE, ["scale"])
    device.launch(kernel, (2, 3, 4), (32, 2, 1), 0, [y, x, np.float32(2), np.int32(x.size)], **options)


def test_what_a_device_says_of_itself(cupy: StandIn) -> None:
    device = cuda.CupyDevice()
    assert (device.name, device.arch, device.multiprocessors, device.cooperative) == ("cuda:0", "90", 132, True)
    assert device.memory() == ((1 << 30) + 10, 1 << 30)
    assert device.is_array(device.empty((2,), "f4"))
    assert not device.is_array(np.ones(2))


def test_launches_pass_geometry_stream_and_arguments(cupy: StandIn) -> None:
    device = cuda.CupyDevice()
    x, y = device.to_device(np.arange(6, dtype=np.float32)), device.empty((6,), np.float32)
    scale(device, y, x)
    np.testing.assert_array_equal(device.to_host(y), 2 * np.arange(6))
    assert cupy.calls == [("launch", [2, 3, 4, 32, 2, 1, 0], 7, 2.0, 6)]
    scale(device, y, x, cooperative=True)
    assert cupy.calls[1] == cupy.calls[0]
    with pytest.raises(TypeError, match="a host array was passed to a kernel"):
        scale(device, y, np.ones(3, np.float32))


def test_several_launches_ask_for_the_stream_once(cupy: StandIn) -> None:
    device = cuda.CupyDevice()
    x, y, z = (device.to_device(np.ones(6, np.float32)) for _ in range(3))
    steps = [bound_scale(device, y, x), lambda: device.copy(x, y), bound_scale(device, z, x)]
    device.do_all(steps)
    np.testing.assert_array_equal(device.to_host(z), np.full(6, 4.0))
    assert [call[2] for call in cupy.calls] == [7, 7]
    with device.capture([steps[2]]) as graph:
        device.do_all(steps)
    graph.launch()
    np.testing.assert_array_equal(device.to_host(z), np.full(6, 8.0))
    graph.change(steps[2])


def test_every_launch_is_waited_for_when_asked(cupy: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMGRAPH_CUDA_SYNC", "1")
    device = cuda.CupyDevice()
    x = device.to_device(np.ones(6, np.float32))
    scale(device, x, x)
    assert [call[0] for call in cupy.calls] == ["launch", "synchronize"]
    device.do_all([bound_scale(device, x, x)])
    assert [call[0] for call in cupy.calls] == ["launch", "synchronize"] * 2

    def fails() -> None:
        raise RuntimeError("cudaErrorIllegalAddress")

    cupy.stream.synchronize = fails
    with pytest.raises(KernelError, match=r"kernel scale failed: .*cudaErrorIllegalAddress"):
        scale(device, x, x)


def test_graphs_are_captured_on_a_stream_of_their_own(cupy: StandIn) -> None:
    device = cuda.CupyDevice()
    x, y, z = (device.to_device(np.ones(6, np.float32)) for _ in range(3))
    with device.capture() as graph:
        scale(device, y, x)
        device.copy(z, y)
        with pytest.raises(KernelError, match="after its capture has ended"):
            graph.launch()
    assert cupy.calls[0][2] == 9
    np.testing.assert_array_equal(device.to_host(z), np.ones(6))
    graph.launch()
    np.testing.assert_array_equal(device.to_host(z), np.full(6, 2.0))
    assert device.stream() == 7


def test_an_error_in_a_capture_ends_it(cupy: StandIn) -> None:
    device = cuda.CupyDevice()
    with pytest.raises(ZeroDivisionError), device.capture():
        raise ZeroDivisionError
    assert cupy.recording is None
    assert device.stream() == 7
    assert device.graph is None


@pytest.mark.parametrize("refused", ["begin", "end", "instantiate", "launch", "change"])
def test_what_a_graph_is_refused_is_an_error_and_the_device_goes_on(cupy: StandIn, refused: str) -> None:
    device = cuda.CupyDevice()
    x, y = device.to_device(np.ones(6, np.float32)), device.empty((6,), np.float32)
    bound = bound_scale(device, y, x)
    cupy.refused = refused

    def use() -> None:
        with device.capture([bound]) as graph:
            bound()
        graph.change(bound)
        graph.launch()

    with pytest.raises(KernelError, match="error 1" if refused == "change" else f"cudaErrorUnknown in {refused}"):
        use()
    assert (cupy.recording, device.graph, device.stream()) == (None, None, 7)
    scale(device, y, x)
    np.testing.assert_array_equal(device.to_host(y), np.full(6, 2.0))


def bound_scale(device: Any, y: Any, x: Any) -> Any:
    kernel, = device.load(SCALE, ["scale"])
    return device.bind(kernel, (2, 3, 4), (32, 2, 1), 0, [y, x, np.float32(2), np.int32(x.size)])


@pytest.mark.parametrize("version", [2, 3])
def test_arguments_of_captured_launches_are_changed(cupy: StandIn, version: int,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    if version == 3:
        ask = StandIn.cuStreamGetCaptureInfo_v2
        monkeypatch.delattr(StandIn, "cuStreamGetCaptureInfo_v2")
        monkeypatch.setattr(StandIn, "cuStreamGetCaptureInfo_v3", lambda self, *given: ask(self, *given[:5], given[6]),
                            raising=False)
    device = cuda.CupyDevice()
    x, y, z = (device.to_device(np.full(6, k, np.float32)) for k in (1, 2, 3))
    first, second = bound_scale(device, y, x), bound_scale(device, z, y)
    with device.capture([second]) as graph:
        first()
        second()
    second.arguments[2].value = 5.0
    graph.launch()
    np.testing.assert_array_equal(device.to_host(z), np.full(6, 4.0))
    graph.change(second)
    second.arguments[2].value = 7.0
    graph.launch()
    np.testing.assert_array_equal(device.to_host(z), np.full(6, 10.0))
    assert [call for call in cupy.calls if call[0] != "launch"] == [
        ("graph", 1100), ("change", 1100, 5002), ("graph", 1100)]
    with pytest.raises(KernelError, match="not captured to be changed"):
        graph.change(first)
    del graph
    assert cupy.calls[-2:] == [("destroy", 1100), ("destroy", 100)]


def test_parameters_of_nodes_lie_as_the_driver_has_them() -> None:
    """As cuda.h has them for 64 bits."""
    kind = cuda_graphs.NodeParameters
    places = [getattr(kind, name).offset for name, *_ in kind._fields_]
    assert (ctypes.sizeof(kind), places) == (72, [0, 8, 20, 32, 40, 48, 56, 64])


def test_events_order_streams(cupy: StandIn) -> None:
    device = cuda.CupyDevice()
    event = device.record()
    cupy.stream = cupy.new_stream(8)
    device.wait(event)
    device.finish()
    assert cupy.calls == [("wait", 8, (7, 0)), ("synchronize all",)]
    assert device.which_stream() == 8
    cupy.stream = cupy.new_stream(2)
    names: list[Any] = [device.which_stream(), device.which_stream()]
    thread = threading.Thread(target=lambda: names.append(device.which_stream()))
    thread.start()
    thread.join()
    assert names[0] is names[1]
    assert names[2] is not names[0], "by one handle, each thread has a stream of its own"


def test_products_of_a_graph_have_memory_of_their_own(cupy: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    device = cuda.CupyDevice()
    asked: list[Any] = []
    monkeypatch.setattr(cuda, "load_library", lambda name: name)
    monkeypatch.setattr(cuda.cublaslt, "CublasLt", lambda library: types.SimpleNamespace(
        multiply=lambda problem, places, alpha, beta, *rest: asked.append(rest),
        needed=lambda problem: 1000 * problem.m))
    square, long = device.to_device(np.ones((3, 3), np.float32)), device.to_device(np.ones((4, 3), np.float32))
    made = []
    for _ in range(2):
        with device.capture() as graph:
            for x in (square, long, square):
                device.product(device.empty(x.shape, np.float32), x, square)
        made.append(graph)
    device.product(square, square, square)
    places, streams, rooms = zip(*(call if len(call) == 3 else (*call, None) for call in asked), strict=True)
    assert streams == (9,) * 6 + (7,)
    assert rooms == (3000, 4000, 3000) * 2 + (None,)
    assert places[1] == places[2]
    assert places[4] == places[5]
    assert len(set(places)) == 5


def test_large_shared_memory_is_asked_for_once(cupy: StandIn) -> None:
    device = cuda.CupyDevice()
    kernel, = device.load(SCALE, ["scale"])
    x = device.to_device(np.ones(6, np.float32))
    arguments = [x, x, np.float32(2), np.int32(6)]
    for size in (1000, 100_000, 100_000, 60_000):
        device.bind(kernel, (1, 1, 1), (32, 1, 1), size, arguments)
    assert cupy.calls == [("attribute", 8, 100_000)]
    with pytest.raises(KernelError, match="scale cannot have 300000 bytes of shared memory"):
        device.bind(kernel, (1, 1, 1), (32, 1, 1), 300_000, arguments)


def test_out_of_memory_frees_what_is_kept_and_names_the_largest(cupy: StandIn) -> None:
    device = cuda.CupyDevice()
    kept = device.empty((100,), np.float64, "weights")
    cupy.room = 100
    with pytest.raises(GpuOutOfMemory, match=r"no room for 7\.8 KiB .*110 bytes of .*weights \(800 bytes\)"):
        device.empty((1000,), np.float64)
    assert cupy.calls == [("free",)]
    assert kept.nbytes == 800


def test_transfers_and_copies_of_every_stride(cupy: StandIn) -> None:
    device = cuda.CupyDevice()
    host = np.arange(12.0).reshape(3, 4)
    x = device.to_device(host)
    y = device.empty((4, 3), np.float64)
    device.copy(y.T, x)
    np.testing.assert_array_equal(device.to_host(y), host.T)
    assert device.to_device(2 * host, y.T) is not None
    np.testing.assert_array_equal(device.to_host(y), 2 * host.T)
    for wrong in (np.ones(3), np.ones((3, 4), np.float32)):
        with pytest.raises(ValueError, match="does not fit"):
            device.to_device(wrong, y.T)
    with pytest.raises(ValueError, match="does not fit"):
        device.copy(y, x)
    device.copy(device.empty((0, 3), np.float64), device.empty((0, 3), np.float64))


def test_copies_from_pinned_memory_are_waited_for(cupy: StandIn) -> None:
    device = cuda.CupyDevice()
    host = np.ones(3)
    device.to_device(host)
    assert cupy.calls == []
    cupy.pinned.add(host.ctypes.data)
    device.to_device(host)
    assert cupy.calls == [("synchronize",)]


def test_products_describe_themselves_to_the_library(cupy: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    device = cuda.CupyDevice()
    asked: list[Any] = []
    monkeypatch.setattr(cuda, "load_library", lambda name: name)
    monkeypatch.setattr(cuda.cublaslt, "CublasLt", lambda library: types.SimpleNamespace(
        multiply=lambda *args: asked.append((library, *args))))
    a, b, out = (device.to_device(np.ones(s, np.float32)) for s in ((3, 4), (4, 5), (3, 5)))
    device.product(out, a, b, 2.0, 3.0)
    (library, problem, places, alpha, beta, workspace, stream), = asked
    assert (library, alpha, beta, stream) == ("cublasLt", 2.0, 3.0, 7)
    assert (problem.m, problem.n, problem.k) == (3, 5, 4)
    assert places == tuple(map(device.address, (out, a, b)))
    assert workspace
    device.product(out, device.empty((3, 0), np.float32), device.empty((0, 5), np.float32), beta=3.0)
    np.testing.assert_array_equal(device.to_host(out), np.full((3, 5), 3.0))
    device.product(out, device.empty((3, 0), np.float32), device.empty((0, 5), np.float32))
    np.testing.assert_array_equal(device.to_host(out), np.zeros((3, 5)))
    assert len(asked) == 1


def test_products_without_the_library_say_what_to_install(cupy: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "load_library", lambda name: None)
    device = cuda.CupyDevice()
    x = device.to_device(np.ones((2, 2), np.float32))
    with pytest.raises(KernelError, match=r"symgraph\[cuda13\]"):
        device.product(x, x, x)


# ---- On a GPU


@pytest.mark.gpu
def test_a_gpu_passes_the_doctors_test(gpu: Any) -> None:
    assert "computed what they should" in try_out(gpu)


@pytest.mark.gpu
def test_a_graph_repeats_a_thousand_times(gpu: Any) -> None:
    x = gpu.to_device(np.ones(1000, np.float32))
    kernel, = gpu.load('extern "C" __global__ void k(float *x) { x[blockIdx.x * 100 + threadIdx.x] += 1.0f; }', ["k"])
    with gpu.capture() as graph:
        gpu.launch(kernel, (10, 1, 1), (100, 1, 1), 0, [x])
    for _ in range(1000):
        graph.launch()
    np.testing.assert_array_equal(gpu.to_host(x), np.full(1000, 1001.0))


@pytest.mark.gpu
def test_launches_follow_the_callers_stream(gpu: Any) -> None:
    x = gpu.to_device(np.zeros(1 << 20, np.float32))
    kernel, = gpu.load('extern "C" __global__ void k(float *x, float v) '
                       '{ const int i = blockIdx.x * 1024 + threadIdx.x; x[i] = 2.0f * x[i] + v; }', ["k"])
    stream = gpu.xp.cuda.Stream(non_blocking=True)
    gpu.synchronize()
    with stream:
        for v in range(10):
            gpu.launch(kernel, (1024, 1, 1), (1024, 1, 1), 0, [x, np.float32(v)])
        found = gpu.to_host(x)
    np.testing.assert_array_equal(found, np.full(1 << 20, sum(v * 2.0 ** (9 - v) for v in range(10))))


@pytest.mark.gpu
def test_blocks_wait_for_each_other(gpu: Any) -> None:
    from tests.cupy.test_emulation import GRID

    computed, expected = GRID.run(gpu)
    np.testing.assert_allclose(computed, expected, rtol=1e-6)


@pytest.mark.gpu
def test_too_large_an_array(gpu: Any) -> None:
    _, total = gpu.memory()
    kept = gpu.empty((1000,), np.float32, "a small one")
    with pytest.raises(GpuOutOfMemory, match="a small one"):
        gpu.empty((total,), np.float32)
    assert gpu.to_host(kept).shape == (1000,)
