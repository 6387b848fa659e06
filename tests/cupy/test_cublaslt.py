"""Products: how matrices are described to cuBLASLt, what the emulated device makes of that, and the real library."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.cupy.devices import cublaslt
from backends.cupy.devices.compiler import host_compiler
from backends.cupy.devices.cublaslt import CublasLt, Descriptors, Operand, operand, problem
from backends.cupy.devices.device import KernelError
from backends.cupy.devices.emulated import EmulatedDevice
from backends.cupy.devices.emulated_array import EmulatedArray
from backends.cupy.devices.libraries import load_library

LAYOUTS = ["as it is", "transposed", "columns of a wider one", "transposed rows of a wider one"]


def laid_out(device: EmulatedDevice, values: np.ndarray, layout: str) -> EmulatedArray:
    """An array of the device with these values in this layout."""
    if layout == "as it is":
        return device.to_device(values)
    if layout == "transposed":
        return device.to_device(np.ascontiguousarray(values.swapaxes(-1, -2))).swapaxes(-1, -2)
    turned = layout.startswith("transposed")
    side = 2 * max(values.shape[-2:])
    wide = device.to_device(np.full((*values.shape[:-2], side, side), np.nan, values.dtype))
    part = wide[..., 1:values.shape[-1] + 1, :values.shape[-2]].swapaxes(-1, -2) if turned else \
        wide[..., 1:values.shape[-2] + 1, :values.shape[-1]]
    part[...] = device.to_device(values)
    return part


@pytest.mark.parametrize("shape", [(4, 3, 5), (1, 3, 5), (4, 1, 5), (4, 3, 1), (1, 1, 1), (64, 33, 17)], ids=str)
@pytest.mark.parametrize("first", LAYOUTS)
@pytest.mark.parametrize("second", LAYOUTS)
def test_products_of_every_layout(shape: tuple[int, int, int], first: str, second: str) -> None:
    m, k, n = shape
    rng = np.random.default_rng(1)
    device = EmulatedDevice()
    a, b = rng.standard_normal((m, k), dtype=np.float32), rng.standard_normal((k, n), dtype=np.float32)
    out = device.empty((m, n), np.float32)
    device.product(out, laid_out(device, a, first), laid_out(device, b, second))
    np.testing.assert_allclose(device.to_host(out), a @ b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_step_of_descent_in_one_product(dtype: Any) -> None:
    rng = np.random.default_rng(2)
    device = EmulatedDevice()
    x, d, w = (rng.standard_normal(s).astype(dtype) for s in ((20, 7), (20, 3), (7, 3)))
    weights = device.to_device(w)
    device.product(weights, device.to_device(x).T, device.to_device(d), alpha=-0.125, beta=0.75)
    np.testing.assert_allclose(device.to_host(weights), 0.75 * w - 0.125 * (x.T @ d), rtol=2e-3, atol=2e-3)


def test_stacks_of_matrices_and_one_factor_for_all() -> None:
    rng = np.random.default_rng(3)
    device = EmulatedDevice()
    a, b = rng.standard_normal((4, 2, 3)), rng.standard_normal((1, 3, 5))
    out = device.empty((4, 2, 5), np.float64)
    device.product(out, device.to_device(a), device.to_device(b))
    np.testing.assert_allclose(device.to_host(out), a @ b)


@pytest.mark.parametrize("asked", ["float32", "tf32"])
def test_factors_are_rounded_only_when_asked(asked: str) -> None:
    rng = np.random.default_rng(6)
    x, w = rng.standard_normal((64, 2048), dtype=np.float32), rng.standard_normal((2048, 1024), dtype=np.float32)
    with sg.config.change_flags(device="emulated", matmul_precision=asked):
        a = T.tensor("float32", shape=x.shape)
        f = sg.function([a], a @ sg.shared(w, shape=w.shape))
        found = f(x)
        assert any(entry.precision == asked and entry.kernel == "cublasLt" for entry in f.report().entries)
    exact = x.astype(np.float64) @ w
    error = np.abs(found - exact).max() / np.abs(exact).max()
    assert (error < 1e-6) if asked == "float32" else (1e-5 < error < 1e-3)


def test_rounding_to_ten_bits() -> None:
    device = EmulatedDevice()
    numbers = np.array([1 + 2.0**-11, 1 + 3 * 2.0**-11, -(2 - 2.0**-12), np.inf, -np.inf, np.nan, 0.0, 2.0**-149],
                       np.float32)
    out = device.empty((8, 1), np.float32)
    device.product(out, device.to_device(numbers[:, None]), device.to_device(np.ones((1, 1), np.float32)), tf32=True)
    expected = [1, 1 + 2.0**-9, -2, np.inf, -np.inf, np.nan, 0, 0]
    np.testing.assert_array_equal(device.to_host(out)[:, 0], expected)


def test_what_out_holds_is_not_read_without_beta() -> None:
    device = EmulatedDevice()
    out = device.to_device(np.full((2, 2), np.nan, np.float32))
    device.product(out, device.to_device(np.eye(2, dtype=np.float32)), device.to_device(np.ones((2, 2), np.float32)))
    np.testing.assert_array_equal(device.to_host(out), np.ones((2, 2)))


@pytest.mark.parametrize(("m", "k", "n"), [(0, 3, 2), (3, 0, 2), (3, 2, 0)])
def test_empty_factors(m: int, k: int, n: int) -> None:
    device = EmulatedDevice()
    out = device.to_device(np.full((m, n), 2.0, np.float32))
    device.product(out, device.empty((m, k), np.float32), device.empty((k, n), np.float32), beta=0.5)
    np.testing.assert_array_equal(device.to_host(out), np.ones((m, n)))


def test_products_are_recorded_in_a_graph() -> None:
    device = EmulatedDevice()
    a, b = (device.to_device(np.full((2, 2), v, np.float32)) for v in (1.0, 2.0))
    out = device.empty((2, 2), np.float32)
    with device.capture() as graph:
        device.product(out, a, b)
    assert np.isnan(device.to_host(out)).all()
    graph.launch()
    np.testing.assert_array_equal(device.to_host(out), np.full((2, 2), 4.0))


@pytest.mark.parametrize(("shapes", "error", "says"), [
    (((2, 3), (2, 3), (2, 3)), ValueError, r"shapes \(2, 3\) and \(2, 3\) do not multiply to \(2, 3\)"),
    (((2, 3), (3, 4), (2, 5)), ValueError, "do not multiply"),
    (((2, 2, 3), (5, 3, 4), (2, 2, 4)), ValueError, "do not multiply"),
    (((3,), (3, 4), (4,)), ValueError, "matrices"),
])
def test_shapes_that_do_not_fit(shapes: Any, error: Any, says: str) -> None:
    device = EmulatedDevice()
    a, b, out = (device.empty(shape, np.float32) for shape in shapes)
    with pytest.raises(error, match=says):
        device.product(out, a, b)


def test_layouts_and_types_that_the_library_has_not() -> None:
    device = EmulatedDevice()
    a = device.empty((4, 4), np.float32)
    with pytest.raises(ValueError, match="neither contiguous rows nor contiguous columns"):
        device.product(device.empty((2, 4), np.float32), a[::2, ::2], a[:2])
    with pytest.raises(ValueError, match="result of a product has contiguous rows"):
        device.product(device.empty((4, 3), np.float32).T, a[:3], a)
    with pytest.raises(TypeError, match="float32, float64 or float16, all three alike, not float64, float32"):
        device.product(a, device.empty((4, 4), np.float64), a)
    with pytest.raises(TypeError, match="int32"):
        device.product(*(device.empty((4, 4), np.int32) for _ in range(3)))


def test_rows_backwards_are_refused() -> None:
    with pytest.raises(ValueError, match="strides"):
        operand((3, 5), (-5, 1))
    with pytest.raises(ValueError, match="strides"):
        operand((2, 3, 5), (-15, 5, 1))


def test_lengths_of_one_have_any_stride() -> None:
    assert operand((1, 5), (77, 1)) == Operand(5, 1, 5, False, 0)
    assert operand((5, 1), (3, 77)) == Operand(1, 5, 3, False, 0)
    assert operand((1, 5), (1, 3)) == Operand(1, 5, 3, True, 0)


def test_precision_and_alignment_are_part_of_the_problem() -> None:
    a, out = np.empty((3, 4), np.float32), np.empty((3, 3), np.float32)
    strict = problem(out, a, a.T, (256, 512, 516), 0.0, False)
    assert (strict.compute, strict.alignments, strict.accumulates) == ("float32", (4, 256, 256), False)
    assert problem(out, a, a.T, (256, 512, 516), 1.0, True).compute == "tf32"
    a, out = a.astype("f8"), out.astype("f8")
    assert problem(out, a, a.T, (256, 512, 520), 1.0, True).compute == "float64"


@pytest.fixture(scope="module")
def library() -> CublasLt:
    found = load_library("cublasLt")
    if found is None:
        pytest.skip("cublasLt is not installed here")
    return CublasLt(found)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_library_takes_the_descriptions(library: CublasLt, dtype: str) -> None:
    a, b, out = (np.empty(s, dtype) for s in ((4, 6, 5), (4, 5, 3), (4, 6, 3)))
    described = problem(out, a, b, (256, 256, 256), 1.0, False)
    parts = Descriptors(library, described)
    assert parts.attribute("MatmulDesc", parts.operation, 0, ctypes.c_int32()) == {"float64": 70}.get(dtype, 68)
    assert [parts.attribute("MatrixLayout", parts.first, i, ctypes.c_uint64()) for i in (2, 3)] == [3, 5]
    assert parts.attribute("MatrixLayout", parts.second, 4, ctypes.c_int64()) == 5
    assert parts.attribute("MatrixLayout", parts.out, 5, ctypes.c_int32()) == 4
    assert parts.attribute("MatrixLayout", parts.out, 6, ctypes.c_int64()) == 18
    assert parts.attribute("MatmulPreference", parts.preference, 1, ctypes.c_uint64()) == cublaslt.WORKSPACE


def test_the_library_transposes_and_rounds_when_asked(library: CublasLt) -> None:
    a, b, out = (np.empty(s, np.float32) for s in ((5, 6), (5, 3), (6, 3)))
    parts = Descriptors(library, problem(out, a.T, b, (256, 256, 256), 1.0, True))
    read = [parts.attribute("MatmulDesc", parts.operation, i, ctypes.c_int32()) for i in (0, 1, 3, 4)]
    assert read == [77, 0, 0, 1]  # TF32, float32 factors alpha and beta, and the second factor transposed


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> CublasLt:
    """The library's functions over host memory, behind the same calls."""
    made = tmp_path_factory.mktemp("library") / "cublaslt.so"
    source = Path(__file__).with_name("cublaslt_stand_in.cpp")
    subprocess.run([host_compiler(), "-std=c++17", "-O1", "-fPIC", "-shared", str(source), "-o", str(made)], check=True)
    return CublasLt(ctypes.CDLL(str(made)))


def multiply(library: CublasLt, out: np.ndarray, a: np.ndarray, b: np.ndarray, alpha: float = 1.0, beta: float = 0.0,
             stream: int = 0) -> None:
    places = tuple(x.__array_interface__["data"][0] for x in (out, a, b))
    described = problem(out, a, b, places, beta, False)
    library.multiply(described, places, alpha, beta, 0x1000, stream)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("second", [False, True])
def test_calls_of_the_library_mean_what_they_should(stand_in: CublasLt, dtype: str, first: bool, second: bool) -> None:
    rng = np.random.default_rng(4)
    a, b, c = (rng.standard_normal(s).astype(dtype) for s in ((6, 5), (5, 3), (6, 3)))
    a = np.asfortranarray(a) if first else a
    b = np.asfortranarray(b) if second else b
    wanted = 2.5 * (a @ b) - 0.5 * c
    multiply(stand_in, c, a, b, 2.5, -0.5)
    np.testing.assert_allclose(c, wanted, rtol=1e-5)


def test_stacks_and_large_addresses_pass_the_calls(stand_in: CublasLt) -> None:
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((4, 2, 3)), rng.standard_normal((1, 3, 5))
    out = np.full((4, 2, 5), np.nan)
    stream = (1 << 47) + 5
    multiply(stand_in, out, a, b, stream=stream)
    np.testing.assert_allclose(out, a @ b)
    last = stand_in.library.stand_in_stream
    last.restype = ctypes.c_void_p
    assert last() == stream


def test_an_algorithm_is_chosen_once_for_a_problem(stand_in: CublasLt) -> None:
    counts = stand_in.library.stand_in_counts
    counts.restype = ctypes.POINTER(ctypes.c_int)
    memory = np.zeros(3 * 64 + 64)
    start = -memory.__array_interface__["data"][0] // 8 % 32
    a, b, out = (memory[start + 32 * i:start + 32 * i + 16].reshape(4, 4) for i in range(3))
    asked, done = counts()[0], counts()[1]
    for _ in range(3):
        multiply(stand_in, out, a, b)
    assert (counts()[0] - asked, counts()[1] - done) == (1, 3)
    multiply(stand_in, out, a.T, b)
    multiply(stand_in, out, a, b, beta=1.0)
    assert counts()[0] - asked == 3


def test_what_the_library_refuses_is_an_error(stand_in: CublasLt) -> None:
    a = np.ones((2, 2))
    described = problem(a, a, a, (256, 256, 256), 0.0, False)
    with pytest.raises(KernelError, match="cublasLtMatmul: cuBLAS error 7"):
        stand_in.multiply(described, (256, 256, 256), 1.0, 0.0, 0, 0)  # without a workspace


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_products_on_a_gpu(gpu: Any, dtype: str) -> None:
    rng = np.random.default_rng(2)
    x, d, w = (rng.standard_normal(s).astype(dtype) for s in ((200, 70), (200, 30), (70, 30)))
    weights = gpu.to_device(w)
    gpu.product(weights, gpu.to_device(x).T, gpu.to_device(d), alpha=-0.125, beta=0.75)
    exact = 0.75 * w.astype("f8") - 0.125 * (x.T.astype("f8") @ d.astype("f8"))
    tolerance = {"float16": 1e-2, "float32": 1e-5, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(gpu.to_host(weights), exact, rtol=tolerance, atol=tolerance)
    stacked = gpu.empty((3, 70, 30), dtype)
    gpu.product(stacked, gpu.to_device(np.stack([x.T] * 3)), gpu.to_device(d[None]))
    np.testing.assert_allclose(gpu.to_host(stacked)[2], x.T.astype("f8") @ d.astype("f8"), rtol=10 * tolerance,
                               atol=10 * tolerance)
