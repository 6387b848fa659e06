"""The emulated device: right kernels give right results under every schedule, and planted mistakes are found."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from backends.cupy.devices.device import KernelError
from backends.cupy.devices.emulated import EmulatedDevice
from tests.cupy.gate import check_compiles


@dataclass
class Program:
    """A kernel, how it is launched, and what it computes."""

    source: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    inputs: Callable[[np.random.Generator], list[Any]]
    expected: Callable[..., np.ndarray]
    shared_bytes: int = 0
    cooperative: bool = False
    zeroed: int = 0  # words of scratch memory that have to hold zero
    out: tuple[int, ...] = field(default=(1,))

    def run(self, device: EmulatedDevice, kernel: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """What it computed, and what it should have; or what another kernel in its place did."""
        rng = np.random.default_rng(3)
        inputs = self.inputs(rng)
        arrays = [device.to_device(v) if isinstance(v, np.ndarray) else v for v in inputs]
        out = device.empty(self.out, np.float32)
        scratch = [device.to_device(np.zeros(self.zeroed, np.uint32))] if self.zeroed else []
        kernel = kernel or device.load(self.source, ["k"])[0]
        device.launch(kernel, self.grid, self.block, self.shared_bytes, [out, *arrays, *scratch], self.cooperative)
        return device.to_host(out), self.expected(*inputs)


TILES = Program("""
extern "C" __global__ void k(float *c, const float *a, const float *b, int n) {
  __shared__ float x[16][16], y[16][17];
  const int row = blockIdx.y * 16 + threadIdx.y, column = blockIdx.x * 16 + threadIdx.x;
  float sum = 0.0f;
  for (int start = 0; start < n; start += 16) {
    const int i = start + threadIdx.x, j = start + threadIdx.y;
    x[threadIdx.y][threadIdx.x] = row < n && i < n ? a[row * n + i] : 0.0f;
    y[threadIdx.y][threadIdx.x] = column < n && j < n ? b[j * n + column] : 0.0f;
    __syncthreads();  // filled
    for (int q = 0; q < 16; q++) sum += x[threadIdx.y][q] * y[q][threadIdx.x];
    __syncthreads();  // used
  }
  if (row < n && column < n) c[row * n + column] = sum;
}
""", (3, 3, 1), (16, 16, 1), lambda rng: [*rng.standard_normal((2, 37, 37), dtype=np.float32), np.int32(37)],
    lambda a, b, n: a @ b, out=(37, 37))

TREE = Program("""
extern "C" __global__ void k(float *y, const float *x, int n) {
  extern __shared__ float part[];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  part[threadIdx.x] = i < n ? x[i] : 0.0f;
  __syncthreads();  // filled
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    __syncthreads();  // halved
  }
  if (threadIdx.x == 0) y[blockIdx.x] = part[0];
}
""", (3, 1, 1), (128, 1, 1), lambda rng: [rng.standard_normal(300, dtype=np.float32), np.int32(300)],
    lambda x, n: np.array([x[:128].sum(), x[128:256].sum(), x[256:].sum()]), shared_bytes=512, out=(3,))

WARPS = Program("""
extern "C" __global__ void k(float *y, const float *x, int n) {
  __shared__ float part[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float sum = 0.0f;
  for (int i = threadIdx.x; i < n; i += blockDim.x) sum += x[i];
  for (int o = 16; o > 0; o /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, o);
  if (lane == 0) part[warp] = sum;
  __syncthreads();  // written
  if (warp == 0) {
    sum = lane < blockDim.x / 32 ? part[lane] : 0.0f;
    for (int o = 16; o > 0; o /= 2) sum += __shfl_down_sync(0xffffffffu, sum, o);
    if (lane == 0) y[0] = sum;
  }
}
""", (1, 1, 1), (160, 1, 1), lambda rng: [rng.standard_normal(1000, dtype=np.float32), np.int32(1000)],
    lambda x, n: x.sum(keepdims=True))

TICKET = Program("""
extern "C" __global__ void k(float *y, const float *x, int n, float *parts, unsigned *ticket) {
  __shared__ unsigned turn;
  const int i = blockIdx.x * 32 + threadIdx.x;
  parts[i] = i < n ? x[i] * x[i] : 0.0f;
  __threadfence();
  __syncthreads();  // written
  if (threadIdx.x == 0) turn = atomicInc(ticket, gridDim.x - 1);
  __syncthreads();  // drawn
  if (turn == gridDim.x - 1) {
    float sum = 0.0f;
    for (int j = threadIdx.x; j < gridDim.x * 32; j += 32) sum += parts[j];
    for (int o = 16; o > 0; o /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, o);
    if (threadIdx.x == 0) y[0] = sum;
  }
}
""", (5, 1, 1), (32, 1, 1),
    lambda rng: [rng.standard_normal(150, dtype=np.float32), np.int32(150), np.zeros(160, np.float32)],
    lambda x, n, parts: (x * x).sum(keepdims=True), zeroed=1)

GRID = Program("""
#ifdef SYMGRAPH_EMULATED
#define grid_barrier(count) symgraph_grid_barrier(__LINE__)
#else
__device__ void grid_barrier(unsigned *count) {
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();
    const unsigned mine = blockIdx.x == 0 ? 0x80000000u - (gridDim.x - 1) : 1u, old = atomicAdd(count, mine);
    while (((old ^ *(volatile unsigned *)count) & 0x80000000u) == 0) {}
    __threadfence();
  }
  __syncthreads();
}
#endif
extern "C" __global__ void k(float *y, const float *x, int n, float *a, unsigned *count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  __shared__ float own[64];
  own[threadIdx.x] = x[i];
  a[i] = x[i];
  grid_barrier(count);  // first
  y[i] = a[n - 1 - i] + own[threadIdx.x];
  grid_barrier(count);  // second
  a[i] = y[(i + 64) % n];
  grid_barrier(count);  // third
  y[i] = a[n - 1 - i];
}
""", (4, 1, 1), (64, 1, 1),
    lambda rng: [rng.standard_normal(256, dtype=np.float32), np.int32(256), np.zeros(256, np.float32)],
    lambda x, n, a: np.roll(x + x[::-1], -64)[::-1], cooperative=True, zeroed=1, out=(256,))

PAIRS = Program("""
extern "C" __global__ void k(float *y, const float *x, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const float4 v = i < n / 4 ? ((const float4 *)x)[i] : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  if (i < n / 4) y[i] = (v.x + v.y) * (v.z - v.w);
}
""", (2, 1, 1), (64, 1, 1), lambda rng: [rng.standard_normal(400, dtype=np.float32), np.int32(400)],
    lambda x, n: (x[::4] + x[1::4]) * (x[2::4] - x[3::4]), out=(100,))

PROGRAMS = {"tiles": TILES, "tree": TREE, "warps": WARPS, "ticket": TICKET, "grid": GRID, "pairs": PAIRS}


@pytest.mark.parametrize("name", PROGRAMS)
def test_right_programs_compute_what_they_should_under_every_schedule(name: str, emulated: EmulatedDevice) -> None:
    computed, expected = PROGRAMS[name].run(emulated)
    np.testing.assert_allclose(computed, expected, rtol=2e-5, atol=2e-5)


def test_the_same_text_compiles_for_gpus() -> None:
    usage = check_compiles(*(program.source for program in PROGRAMS.values()))
    assert usage["75"]["1.k"].shared == 0
    assert usage["90"]["0.k"].shared == 4 * (16 * 16 + 16 * 17)


@dataclass
class Mistake:
    """One change to a right program, and what the checked device says about it."""

    program: str
    before: str
    after: str
    says: str
    shows: bool = True  # whether results go wrong, or the launch fails, also where accesses are not looked at


MISTAKES = {
    "tile used before it is filled": Mistake("tiles", "__syncthreads();  // filled", "", "nothing orders"),
    "tile filled while in use": Mistake("tiles", "__syncthreads();  // used", "", "nothing orders"),
    "row of a tile out of shared memory": Mistake("tiles", "y[threadIdx.y][threadIdx.x] =",
                                                  "y[threadIdx.y][threadIdx.x + 64] =", "nothing orders|outside"),
    "tail not masked": Mistake("tiles", "if (row < n && column < n) c", "c", "writes 4 bytes outside|nothing orders"),
    "reads past the end": Mistake("tree", "i < n ? x[i] : 0.0f", "x[i]", "reads 4 bytes outside all arrays, "
                                  r"\d+ bytes after the end of one of 1200 bytes \(line 5\)"),
    "reads before the start": Mistake("tree", "x[i] :", "x[i - 1] :", "outside all arrays", shows=False),
    "tree before all is written": Mistake("tree", "__syncthreads();  // filled", "", "nothing orders"),
    "tree without barriers": Mistake("tree", "__syncthreads();  // halved", "", "nothing orders"),
    "barrier for some threads": Mistake("tree", "    __syncthreads();  // halved",
                                        "    if (threadIdx.x < 64) __syncthreads();", "barrier that not all|for ever"),
    "some threads leave before a barrier": Mistake("tree", "  part[threadIdx.x] =", "  if (i >= n) return;\n"
                                                   "  part[threadIdx.x] =", r"has ended"),
    "two barriers instead of one": Mistake("tree", "__syncthreads();  // filled", "if (threadIdx.x % 2) __syncthreads()"
                                           ";\n else __syncthreads();", "waits at __syncthreads, line ., but"),
    "more shared memory than asked for": Mistake("tree", "part[threadIdx.x] = i", "part[threadIdx.x + 64] = i",
                                                 "outside all arrays"),
    "partial sums read too early": Mistake("warps", "__syncthreads();  // written", "", "nothing orders"),
    "sums that nobody wrote": Mistake("warps", "lane < blockDim.x / 32 ? part[lane] : 0.0f", "part[lane]", ""),
    "shuffle by half a warp": Mistake("warps", "for (int o = 16; o > 0; o /= 2) sum += __shfl_xor",
                                      "if (lane < 16) for (int o = 8; o > 0; o /= 2) sum += __shfl_xor", "for ever"),
    "shuffle without some lanes": Mistake("warps", "float sum = 0.0f;", "float sum = 0.0f;\n  if (lane > 20) return;",
                                          "a lane of the mask never comes"),
    "shuffle with a wrong mask": Mistake("warps", "0xffffffffu, sum, o);\n  if", "0x0000ffffu, sum, o);\n  if",
                                         "is not in its mask|not in the mask"),
    "last block counted wrong": Mistake("ticket", "turn == gridDim.x - 1", "turn == gridDim.x - 2", "nothing orders"),
    "every block believes it is the last": Mistake("ticket", "turn == gridDim.x - 1", "turn < gridDim.x",
                                                   "nothing orders", shows=False),
    "ticket drawn before all is written": Mistake("ticket", "__syncthreads();  // written", "", "nothing orders",
                                                  shows=False),
    "ticket read before it is drawn": Mistake("ticket", "__syncthreads();  // drawn", "", "nothing orders"),
    "no fence before the ticket": Mistake("ticket", "__threadfence();\n", "\n", "nothing orders", shows=False),
    "first grid barrier missing": Mistake("grid", "grid_barrier(count);  // first", "", "nothing orders"),
    "second grid barrier missing": Mistake("grid", "grid_barrier(count);  // second", "", "nothing orders"),
    "third grid barrier missing": Mistake("grid", "grid_barrier(count);  // third", "", "nothing orders"),
    "grid barrier for some blocks": Mistake("grid", "grid_barrier(count);  // first",
                                            "if (blockIdx.x) grid_barrier(count);", "only some blocks|nothing orders"),
    "half a vector past the end": Mistake("pairs", "i < n / 4 ? ((const float4 *)x)[i]",
                                          "i < n / 4 ? *(const float4 *)(x + 4 * i + 2)", "reads .* outside",
                                          shows=False),
    "a block waits in a loop for the others": Mistake("ticket", "turn = atomicInc", "turn = 7u;\n"
                                                      "  while (threadIdx.x == 0 && atomicAdd(ticket, 0u) < 99u) {}\n"
                                                      "  if (threadIdx.x == 0) turn = atomicInc", "waits in a loop",
                                                      shows=False),
    "two blocks write one place": Mistake("pairs", "y[i] =", "y[i % 64] =", "writes global memory that thread .* of "
                                          "block . writes, and nothing orders"),
}


def planted(device: EmulatedDevice, name: str) -> Any:
    """The kernel with a mistake. All are built together, which is much faster."""
    texts = []
    for i, mistake in enumerate(MISTAKES.values()):
        source = PROGRAMS[mistake.program].source
        assert source.count(mistake.before) == 1
        wrong = source.replace(mistake.before, mistake.after).replace("void k(", f"void k{i}(")
        texts.append(f'#line 1 "kernels.cu"\n{wrong}')
    kernels = device.load("\n".join(texts), [f"k{i}" for i in range(len(texts))])
    return kernels[list(MISTAKES).index(name)]


def goes_wrong(name: str, device: EmulatedDevice) -> str:
    """What is wrong with a run: the error, or that its result is."""
    try:
        computed, expected = PROGRAMS[MISTAKES[name].program].run(device, planted(device, name))
    except KernelError as error:
        return str(error)
    return "" if np.allclose(computed, expected, rtol=2e-5, atol=2e-5) else "wrong result"


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_found_by_looking_at_accesses(name: str) -> None:
    for seed in range(3):
        found = goes_wrong(name, EmulatedDevice(seed, checked=True))
        assert found, seed
        says = MISTAKES[name].says
        assert re.search(says, found) or not says, found


@pytest.mark.parametrize("name", [name for name, mistake in MISTAKES.items() if mistake.shows])
def test_mistakes_show_in_results_under_some_schedule(name: str) -> None:
    assert any(goes_wrong(name, EmulatedDevice(seed)) for seed in range(1, 13))
