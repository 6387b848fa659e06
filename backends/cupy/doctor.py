"""What a GPU program needs, what of it is here, and whether it works."""

from __future__ import annotations

import ctypes
import importlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from backends.cupy.devices import cache, compiler
from backends.cupy.devices.device import Device, KernelError
from backends.cupy.devices.libraries import find_header, find_library, load_library
from symgraph.backend import Finding

__all__ = ["examine", "try_out"]

_EXTRA = "pip install 'symgraph[cuda13]' (or 'symgraph[cuda12]' for a driver of CUDA 12)"

#: A kernel with what the others are made of: an index, a loop, shared memory, a barrier, a shuffle.
KERNEL = """
extern "C" __global__ void sum_of_squares(float *y, const float *x, int n) {
  __shared__ float part[4];
  float sum = 0.0f;
  for (int i = threadIdx.x; i < n; i += blockDim.x) sum += x[i] * x[i];
  for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, lanes);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) y[0] = part[0] + part[1] + part[2] + part[3];
}
"""


def examine() -> Iterator[Finding]:
    """All that a GPU program needs, in the order in which it is needed."""
    for name, look in (("NVIDIA's driver", _driver), ("CuPy", _cupy),
                       ("headers, for CuPy's functions", _headers), ("compiler for GPUs", _gpu_compiler),
                       ("cuBLASLt", _cublaslt), ("compiling a kernel", _compiling), ("GPU", _gpu),
                       ("C++ compiler, for the emulated device", _host_compiler),
                       ("emulated device", _emulated), ("compiled kernels are kept in", _cache)):
        try:
            yield look(name)
        except Exception as error:  # a doctor does not fall ill
            yield Finding(name, "fails", f"{type(error).__name__}: {error}")


def _driver(name: str) -> Finding:
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return Finding(name, "missing", "libcuda.so.1 cannot be loaded",
                       "install the driver of the GPU, if this machine has one; nvidia-smi shows it then")
    version = ctypes.c_int()
    library.cuDriverGetVersion(ctypes.byref(version))
    return Finding(name, "here", f"for CUDA {version.value // 1000}.{version.value % 1000 // 10}")


def _cupy(name: str) -> Finding:
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        return Finding(name, "missing", str(error), _EXTRA)
    return Finding(name, "here", f"{cupy.__version__}")


def _headers(name: str) -> Finding:
    path = find_header("vector_types.h")
    if path is None:
        return Finding(name, "missing", "kernels of symgraph include none, but CuPy's own do", _EXTRA)
    return Finding(name, "here", path)


def _gpu_compiler(name: str) -> Finding:
    if load_library("nvrtc") is not None:
        return Finding(name, "here", f"{compiler.cuda_compiler('nvrtc').version}, {find_library('nvrtc')}")
    path = shutil.which("nvcc")
    if path is not None:
        return Finding(name, "here", f"nvcc, {path}; NVRTC would be faster", _EXTRA)
    return Finding(name, "missing", "neither NVRTC nor nvcc", _EXTRA)


def _cublaslt(name: str) -> Finding:
    library = load_library("cublasLt")
    if library is None:
        return Finding(name, "missing", "large products need it", _EXTRA)
    from backends.cupy.devices.cublaslt import CublasLt

    return Finding(name, "here", f"{CublasLt(library).version}, {find_library('cublasLt')}")


def _compiling(name: str) -> Finding:
    if load_library("nvrtc") is None and shutil.which("nvcc") is None:
        return Finding(name, "missing", "nothing to compile with")
    usage = compiler.compile_cuda(KERNEL, "90").usage()["sum_of_squares"]
    return Finding(name, "works", f"for compute capability 9.0, with {usage.registers} registers")


def _gpu(name: str) -> Finding:
    from backends.cupy.devices.cuda import CupyDevice

    try:
        device = CupyDevice()
    except (ImportError, RuntimeError) as error:
        return Finding(name, "missing", str(error))
    free, total = device.memory()
    about = (f"{device.name}, compute capability {device.arch[:-1]}.{device.arch[-1]}, {device.multiprocessors} "
             f"multiprocessors, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free")
    return Finding(name, "works", f"{about}; {try_out(device)}")


def _host_compiler(name: str) -> Finding:
    try:
        return Finding(name, "here", compiler.host_compiler())
    except KernelError:
        return Finding(name, "missing", "needed for tests only", "install g++")


def _emulated(name: str) -> Finding:
    if _host_compiler(name).state == "missing":
        return Finding(name, "missing", "nothing to build kernels with")
    from backends.cupy.devices.emulated import EmulatedDevice

    return Finding(name, "works", try_out(EmulatedDevice(seed=1, checked=True)))


def _cache(name: str) -> Finding:
    sizes = [file.size for file in cache.kept()]
    return Finding(name, "here", f"{cache.cache_folder()}: {len(sizes)} files, {sum(sizes) / 2**20:.1f} of at most "
                                 f"{cache.limit() / 2**20:.0f} MiB (SYMGRAPH_CACHE_DIR, SYMGRAPH_CACHE_SIZE)")


def try_out(device: Device) -> str:
    """Let a device copy, run a kernel, multiply, and repeat both as a graph, then with another argument.

    Raises
    ------
    RuntimeError
        When a result is wrong.
    """
    host = np.linspace(-1.0, 2.0, 1000, dtype=np.float32)
    x, y = device.to_device(host), device.empty((1,), np.float32)
    kernel, = device.load(KERNEL, ["sum_of_squares"])
    square, product = device.to_device(host[:900].reshape(30, 30)), device.empty((30, 30), np.float32)

    bound = device.bind(kernel, (1, 1, 1), (128, 1, 1), 0, [y, x, np.int32(host.size)])

    def work() -> None:
        bound()
        device.product(product, square, square)

    def check(what: str, count: int = 1000) -> None:
        device.synchronize()
        exact = host[:count].astype(np.float64)
        _agree(f"a kernel {what}", device.to_host(y), (exact * exact).sum(keepdims=True))
        _agree(f"a product {what}", device.to_host(product), exact[:900].reshape(30, 30) @ exact[:900].reshape(30, 30))

    _run(work, check, "launched")
    with device.capture([bound]) as graph:
        work()
    for array in (y, product):
        device.copy(array, device.to_device(np.full(array.shape, np.nan, np.float32)))
    _run(graph.launch, check, "in a graph")
    bound.arguments[2].value = 950
    graph.change(bound)
    graph.launch()
    check("in a graph, changed", 950)
    return "a kernel, a product and a graph computed what they should"


def _run(work: Callable[[], None], check: Callable[[str], None], what: str) -> None:
    work()
    check(what)


def _agree(what: str, computed: Any, expected: np.ndarray) -> None:
    if not np.allclose(computed, expected, rtol=1e-4, atol=1e-4):
        raise RuntimeError(f"{what} gave {np.ravel(computed)[:3]}, not {np.ravel(expected)[:3]}")
