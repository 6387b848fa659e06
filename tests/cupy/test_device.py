"""The emulated device as a device: memory, transfers, launches, graphs, and arrays that behave as CuPy's."""

from __future__ import annotations

import ctypes
import gc
from typing import Any

import numpy as np
import pytest

from backends.cupy.devices.device import Device, GpuOutOfMemory, KernelError
from backends.cupy.devices.emulated import EmulatedDevice

SCALE = """
extern "C" __global__ void scale(float *y, const float *x, float a, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i];
}
"""


@pytest.fixture
def device() -> EmulatedDevice:
    return EmulatedDevice(checked=True)


def launch_scale(device: Device, y: Any, x: Any, factor: float = 2.0) -> None:
    kernel, = device.load(SCALE, ["scale"])
    device.launch(kernel, (-(-x.size // 32), 1, 1), (32, 1, 1), 0, [y, x, np.float32(factor), np.int32(x.size)])


# ---- Memory


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "float16"])
def test_fresh_arrays_hold_nan(device: EmulatedDevice, dtype: str) -> None:
    array = device.empty((3, 5), dtype)
    assert (array.shape, array.dtype) == ((3, 5), np.dtype(dtype))
    assert device.address(array) % 256 == 0
    assert np.isnan(device.to_host(array)).all()


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "int64", "uint64", "float16", "float64",
                                   "complex128"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)], ids=str)
def test_there_and_back(device: EmulatedDevice, dtype: Any, shape: tuple[int, ...]) -> None:
    host = (np.arange(np.prod(shape, dtype=int)).reshape(shape) % 2).astype(dtype)
    back = device.to_host(device.to_device(host))
    assert (back.shape, back.dtype) == (host.shape, host.dtype)
    np.testing.assert_array_equal(back, host)


def test_transfers_are_counted_and_copies_are_copies(device: EmulatedDevice) -> None:
    host = np.arange(6.0)
    array = device.to_device(host)
    host[:] = 0.0
    back = device.to_host(array)
    back[:] = 1.0
    np.testing.assert_array_equal(device.to_host(array), np.arange(6.0))
    assert (device.counts.to_device, device.counts.bytes_to_device) == (1, 48)
    assert (device.counts.to_host, device.counts.bytes_to_host) == (2, 96)


def test_into_an_array_that_is_there(device: EmulatedDevice) -> None:
    array = device.to_device(np.zeros((2, 3), np.float32))
    address = device.address(array)
    assert device.to_device(np.ones((2, 3), np.float32), array) is array
    assert device.address(array) == address
    np.testing.assert_array_equal(device.to_host(array), np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"float64 and shape \(2, 3\) does not fit into one of float32"):
        device.to_device(np.ones((2, 3)), array)
    with pytest.raises(ValueError, match=r"shape \(3, 2\) does not fit"):
        device.to_device(np.ones((3, 2), np.float32), array)


def test_copies_within_the_device_take_any_strides(device: EmulatedDevice) -> None:
    source = device.to_device(np.arange(12.0).reshape(3, 4))
    target = device.to_device(np.zeros((8, 3)))
    device.copy(target[::2].T, source)
    np.testing.assert_array_equal(device.to_host(target)[::2].T, np.arange(12.0).reshape(3, 4))
    assert device.counts.to_host == 1
    with pytest.raises(ValueError, match="does not fit"):
        device.copy(target, source)


def test_out_of_memory_names_the_largest_arrays() -> None:
    device = EmulatedDevice(total=1 << 20)
    sizes = {"b": 1000, "weights W": 200_000, "": 9}
    arrays = [device.empty((size,), np.float32, label) for label, size in sizes.items()]
    free, total = device.memory()
    assert total == 1 << 20
    says = r"no room for 781\.2 KiB .*1\.0 MiB.*largest arrays are weights W \(781\.2 KiB\), b \(3\.9 KiB\), unnamed"
    with pytest.raises(GpuOutOfMemory, match=says) as caught:
        device.empty((200_000,), np.float32)
    assert isinstance(caught.value, MemoryError)
    assert free < total - 800_000
    del arrays
    gc.collect()
    assert device.memory() == (total, total)
    device.empty((200_000,), np.float32)


def test_freed_memory_is_not_given_out_again_at_once(device: EmulatedDevice) -> None:
    places = {device.address(device.to_device(np.ones(100))) for _ in range(5)}
    assert len(places) == 5


def test_writes_beside_an_array_are_found_later() -> None:
    device = EmulatedDevice(checked=False)
    y, x = device.empty((30,), np.float32, "y"), device.to_device(np.ones(40, np.float32))
    launch_scale(device, y, x)
    with pytest.raises(KernelError, match=r"wrote beside an array of 120 bytes \(y\)"):
        device.to_host(y)


# ---- Launches


def test_a_launch_and_a_bound_one(device: EmulatedDevice) -> None:
    x, y = device.to_device(np.arange(50, dtype=np.float32)), device.empty((50,), np.float32)
    launch_scale(device, y, x)
    np.testing.assert_array_equal(device.to_host(y), 2 * np.arange(50))
    kernel, = device.load(SCALE, ["scale"])
    bound = device.bind(kernel, (2, 1, 1), (32, 1, 1), 0, [y, x, np.float32(3), np.int32(50)])
    bound()
    np.testing.assert_array_equal(device.to_host(y), 3 * np.arange(50))
    other = device.empty((50,), np.float32)
    bound.arguments[0].value = device.address(other)
    bound.arguments[2].value = 5.0
    bound()
    np.testing.assert_array_equal(device.to_host(other), 5 * np.arange(50))
    np.testing.assert_array_equal(device.to_host(y), 3 * np.arange(50))
    assert device.counts.launches == 3


@pytest.mark.parametrize(("grid", "block", "shared", "says"), [
    ((0, 1, 1), (32, 1, 1), 0, "grid of"), ((1, 65536, 1), (32, 1, 1), 0, "grid of"),
    ((1, 1, 1), (0, 1, 1), 0, "block of"), ((1, 1, 1), (32, 32, 2), 0, "1 to 1024"),
    ((1, 1, 1), (1, 1, 65), 0, "block of"), ((1, 1, 1), (32, 1, 1), 1 << 20, "shared memory"),
])
def test_impossible_sizes_are_refused(device: EmulatedDevice, grid: Any, block: Any, shared: int, says: str) -> None:
    x = device.to_device(np.ones(3, np.float32))
    kernel, = device.load(SCALE, ["scale"])
    with pytest.raises(KernelError, match=says):
        device.launch(kernel, grid, block, shared, [x, x, np.float32(1), np.int32(3)])


@pytest.mark.parametrize(("argument", "says"), [
    (3, r"not int: of a Python number the width is not known"), (3.0, "not float"), (None, "not NoneType"),
    (np.ones(3, np.float32), "a host array was passed to a kernel"),
])
def test_arguments_of_unknown_width_are_refused(device: EmulatedDevice, argument: Any, says: str) -> None:
    kernel, = device.load(SCALE, ["scale"])
    x = device.to_device(np.ones(3, np.float32))
    with pytest.raises(TypeError, match=says):
        device.launch(kernel, (1, 1, 1), (32, 1, 1), 0, [x, x, np.float32(1), argument])


def test_arguments_of_wrong_width_or_number_are_refused(device: EmulatedDevice) -> None:
    kernel, = device.load(SCALE, ["scale"])
    x = device.to_device(np.ones(3, np.float32))
    with pytest.raises(TypeError, match=r"takes parameters of \[8, 8, 4, 4\] bytes, not \[8, 8, 8, 4\]"):
        device.launch(kernel, (1, 1, 1), (32, 1, 1), 0, [x, x, np.float64(1), np.int32(3)])
    with pytest.raises(TypeError, match="bytes, not"):
        device.launch(kernel, (1, 1, 1), (32, 1, 1), 0, [x, x, np.float32(1)])


def test_numbers_of_every_type_and_structures_by_value(device: EmulatedDevice) -> None:
    source = """
    struct sizes { int n; long long stride; };
    extern "C" __global__ void k(double *y, signed char a, unsigned short b, long long c, bool d, float e, double f,
                                 sizes s, float2 z) {
      y[0] = a; y[1] = b; y[2] = c; y[3] = d; y[4] = e; y[5] = f; y[6] = s.n; y[7] = s.stride; y[8] = z.x; y[9] = z.y;
    }
    """

    class Sizes(ctypes.Structure):
        _fields_ = (("n", ctypes.c_int), ("stride", ctypes.c_longlong))

    y = device.empty((10,), np.float64)
    kernel, = device.load(source, ["k"])
    device.launch(kernel, (1, 1, 1), (1, 1, 1), 0, [
        y, np.int8(-3), np.uint16(65535), np.int64(-2**62), np.bool_(True), np.float32(0.5), np.float64(0.1),
        Sizes(7, 2**40), np.complex64(2 - 3j)])
    expected = [-3, 65535, -2.0**62, 1, 0.5, 0.1, 7, 2.0**40, 2, -3]
    np.testing.assert_array_equal(device.to_host(y), expected)


def test_a_module_of_several_kernels(device: EmulatedDevice) -> None:
    third = SCALE.replace("scale(", "third(").replace("a *", "a * 1.5f *")
    twice, thrice = device.load(SCALE + third, ["scale", "third"])
    x, y = device.to_device(np.ones(4, np.float32)), device.empty((4,), np.float32)
    for kernel, expected in ((twice, 2.0), (thrice, 3.0)):
        device.launch(kernel, (1, 1, 1), (32, 1, 1), 0, [y, x, np.float32(2), np.int32(4)])
        np.testing.assert_array_equal(device.to_host(y), np.full(4, expected))


# ---- Graphs


def test_a_graph_repeats_what_was_recorded(device: EmulatedDevice) -> None:
    x, y, z = (device.to_device(np.ones(8, np.float32)) for _ in range(3))
    with device.capture() as graph:
        launch_scale(device, y, x, 2.0)
        launch_scale(device, x, y, 3.0)
        device.copy(z, x)
    assert device.counts.launches == 0
    np.testing.assert_array_equal(device.to_host(z), np.ones(8))
    for step in (6.0, 36.0):
        graph.launch()
        np.testing.assert_array_equal(device.to_host(z), np.full(8, step))
    assert (device.counts.launches, device.counts.graph_launches) == (4, 2)


def test_a_graph_over_freed_memory_is_an_error(device: EmulatedDevice) -> None:
    x = device.to_device(np.ones(8, np.float32))
    with device.capture() as graph:
        launch_scale(device, device.empty((8,), np.float32), x)
    gc.collect()
    with pytest.raises(KernelError, match="argument 0 points into memory that was freed"):
        graph.launch()


@pytest.mark.parametrize("what", ["to_device", "to_host", "synchronize", "library", "item", "capture", "launch"])
def test_what_a_capture_forbids(device: EmulatedDevice, what: str) -> None:
    x = device.to_device(np.ones(8, np.float32))
    with device.capture() as done:
        pass
    forbidden = {
        "to_device": lambda: device.to_device(np.ones(3)), "to_host": lambda: device.to_host(x),
        "synchronize": device.synchronize, "library": lambda: device.xp.tanh(x), "item": lambda: float(x[0]),
        "capture": lambda: device.capture().__enter__(), "launch": done.launch,
    }[what]
    with pytest.raises(KernelError, match="not permitted while a graph is captured"), device.capture():
        forbidden()
    launch_scale(device, x, x)  # the device is as before
    assert device.counts.launches == 1


def test_a_graph_that_is_not_complete_is_not_launched(device: EmulatedDevice) -> None:
    with pytest.raises(ZeroDivisionError), device.capture() as graph:
        raise ZeroDivisionError
    with pytest.raises(KernelError, match="after its capture has ended"):
        graph.launch()


# ---- Arrays and functions


def test_arrays_do_not_mix_with_the_hosts(device: EmulatedDevice) -> None:
    x = device.to_device(np.arange(4.0))
    for mixed in (lambda: np.asarray(x), lambda: x + np.ones(4), lambda: np.ones(4) + x, lambda: np.add(x, np.ones(4)),
                  lambda: device.xp.add(x, np.ones(4)), lambda: np.concatenate([x, np.ones(4)]),
                  lambda: x.__setitem__(0, np.ones(1))):
        with pytest.raises(TypeError, match=r"host array|unasked"):
            mixed()


def test_functions_take_and_give_arrays_of_the_device(device: EmulatedDevice) -> None:
    xp = device.xp
    x = device.to_device(np.arange(6.0).reshape(2, 3))
    for made in (xp.tanh(x), x + 1, 1 - x, x @ x.T, x.sum(), x.sum(axis=0), xp.sum(x), x[0, 0], x[:, 1], x.T, -x,
                 np.exp(x), xp.zeros((2, 2)), xp.arange(3), xp.linalg.norm(x), xp.where(x > 2, x, 0.0), x.astype("f4"),
                 *xp.split(x, 3, axis=1), *xp.linalg.svd(x), xp.array([1.0, 2.0]), x.reshape(3, 2), *x):
        assert device.is_array(made), made
    assert (x.sum().shape, x[0, 0].shape) == ((), ())
    np.testing.assert_array_equal(device.to_host(x @ x.T), [[5, 14], [14, 50]])


def test_views_share_memory(device: EmulatedDevice) -> None:
    x = device.to_device(np.zeros((3, 4)))
    x[1:, ::2][...] = 5.0
    x.T[3] = device.to_device(np.ones(3))
    expected = np.zeros((3, 4))
    expected[1:, ::2], expected[:, 3] = 5.0, 1.0
    np.testing.assert_array_equal(device.to_host(x), expected)


def test_numbers_taken_out_are_transfers(device: EmulatedDevice) -> None:
    x = device.to_device(np.arange(4.0))
    before = device.counts.to_host
    assert (float(x[1]), int(x[2]), bool(x[3]), x.tolist(), x[1].item()) == (1.0, 2, True, [0, 1, 2, 3], 1.0)
    assert device.counts.to_host == before + 5


def test_what_cupy_lacks_is_lacking(device: EmulatedDevice) -> None:
    for lacking in (lambda: device.xp.geomspace, lambda: device.xp.linalg.vector_norm):
        with pytest.raises(AttributeError, match=r"CuPy has no cupy\."):
            lacking()


def test_what_is_missing_agrees_with_cupy() -> None:
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed here")
    from backends.cupy.devices.emulated_array import _MISSING

    for name, part in (("numpy", cupy), ("numpy.linalg", cupy.linalg)):
        assert [n for n in _MISSING[name] if hasattr(part, n)] == []
