"""What kernels may call, on the emulated device: warp operations, votes, atomics, conversions, functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import scipy.special

from backends.cupy.devices.device import KernelError
from backends.cupy.devices.emulated import EmulatedDevice
from tests.cupy.gate import check_compiles

TYPES = {"int32": "int", "uint32": "unsigned", "int64": "long long", "uint64": "unsigned long long",
         "float32": "float", "float64": "double"}


def text_of(name: str, body: str, dtype: Any, inputs: Sequence[Any]) -> str:
    """A kernel that writes to ``y``; its inputs are ``a``, ``b`` and so on, and ``t`` is the thread."""
    parameters = [f"{TYPES[str(np.dtype(kind))]} *{name}"
                  for kind, name in zip([dtype, *inputs], "yabcd", strict=False)]
    return (f'extern "C" __global__ void {name}({", ".join(parameters)}) {{\n'
            f"  const int t = blockIdx.x * blockDim.x + threadIdx.x;\n  {body}\n}}\n")


def side_by_side(table: Sequence[tuple[str, Any]]) -> str:
    """A body that writes 64 values for each expression."""
    return " ".join(f"y[t + 64 * {i}] = {call};" for i, (call, _) in enumerate(table))


def launch(device: EmulatedDevice, kernel: Any, size: int, dtype: Any, inputs: Sequence[np.ndarray], blocks: int = 1,
           threads: int = 64) -> np.ndarray:
    out = device.to_device(np.zeros(size, dtype))
    device.launch(kernel, (blocks, 1, 1), (threads, 1, 1), 0, [out, *map(device.to_device, inputs)])
    return device.to_host(out)


def run(device: EmulatedDevice, body: str, size: int, dtype: Any, *inputs: np.ndarray, blocks: int = 1,
        threads: int = 64) -> np.ndarray:
    """What one kernel writes."""
    kernel, = device.load(text_of("k", body, dtype, [x.dtype for x in inputs]), ["k"])
    return launch(device, kernel, size, dtype, inputs, blocks, threads)


LANES = np.arange(64)
ALL = "0xffffffffu"


SHUFFLES = [
    (f"__shfl_sync({ALL}, a[t], 5)", LANES // 32 * 32 + 5),
    (f"__shfl_sync({ALL}, a[t], t + 3)", LANES // 32 * 32 + (LANES + 3) % 32),
    (f"__shfl_sync({ALL}, a[t], 1, 8)", LANES // 8 * 8 + 1),
    (f"__shfl_xor_sync({ALL}, a[t], 9)", LANES ^ 9),
    (f"__shfl_xor_sync({ALL}, a[t], 3, 4)", LANES ^ 3),
    (f"__shfl_up_sync({ALL}, a[t], 3)", np.where(LANES % 32 < 3, LANES, LANES - 3)),
    (f"__shfl_up_sync({ALL}, a[t], 1, 16)", np.where(LANES % 16 < 1, LANES, LANES - 1)),
    (f"__shfl_down_sync({ALL}, a[t], 7)", np.where(LANES % 32 > 24, LANES, LANES + 7)),
    (f"__shfl_down_sync({ALL}, a[t], 2, 8)", np.where(LANES % 8 > 5, LANES, LANES + 2)),
]


def test_shuffles_of_every_type(emulated: EmulatedDevice) -> None:
    body = side_by_side(SHUFFLES)
    names = [f"of_{dtype}" for dtype in TYPES]
    kernels = emulated.load("".join(text_of(f"of_{d}", body, d, [d]) for d in TYPES), names)
    for dtype, kernel in zip(TYPES, kernels, strict=True):
        values = (np.arange(64) * 1234567891234567 % 2**31).astype(dtype)
        found = launch(emulated, kernel, 64 * len(SHUFFLES), dtype, [values]).reshape(-1, 64)
        for (call, source), row in zip(SHUFFLES, found, strict=True):
            np.testing.assert_array_equal(row, values[source], err_msg=f"{call} of {dtype}")


def test_votes_of_warps_and_blocks(emulated: EmulatedDevice) -> None:
    flags = np.array([int(i in (3, 40, 63)) for i in range(64)], np.int32)
    body = f"""
    y[t] = __ballot_sync({ALL}, a[t]);
    y[t + 64] = __any_sync({ALL}, a[t] > 5) * 8 + __any_sync({ALL}, a[t]) * 4 + __all_sync({ALL}, a[t] < 2) * 2
                + __all_sync({ALL}, a[t]);
    y[t + 128] = __syncthreads_or(a[t]) * 100 + __syncthreads_and(a[t]) * 10 + __syncthreads_count(a[t]);
    """
    ballot, warp, block = run(emulated, body, 192, np.uint32, flags).reshape(3, 64)
    np.testing.assert_array_equal(ballot, np.repeat([1 << 3, 1 << 8 | 1 << 31], 32))
    np.testing.assert_array_equal(warp, np.full(64, 6))
    np.testing.assert_array_equal(block, np.full(64, 103))


def test_half_warps_may_go_their_own_ways(emulated: EmulatedDevice) -> None:
    body = """
    float v = a[t];
    if (t % 32 < 16) { for (int o = 8; o > 0; o /= 2) v += __shfl_xor_sync(0x0000ffffu, v, o); }
    else { v += __shfl_xor_sync(0xffff0000u, v, 1); }
    y[t] = v + __shfl_xor_sync(0xffffffffu, v, 16);
    """
    values = np.arange(64, dtype=np.float32)
    lower = np.where(LANES % 32 < 16, values.reshape(4, 16).sum(1)[LANES // 16], values + values[LANES ^ 1])
    np.testing.assert_array_equal(run(emulated, body, 64, np.float32, values), lower + lower[LANES ^ 16])


def test_lanes_of_a_warp_see_each_others_memory_after_syncwarp(emulated: EmulatedDevice) -> None:
    body = "__shared__ float s[64]; s[t] = a[t]; {} y[t] = s[t ^ 1];"
    values = np.arange(64, dtype=np.float32)
    np.testing.assert_array_equal(run(emulated, body.replace("{}", "__syncwarp();"), 64, np.float32, values),
                                  values[LANES ^ 1])
    with pytest.raises(KernelError, match="nothing orders"):
        run(emulated, body.replace("{}", ""), 64, np.float32, values)


ATOMICS: list[tuple[str, str, Any]] = [
    ("atomicAdd(&y[0], a[t])", "int32", sum), ("atomicAdd(&y[0], a[t])", "uint64", sum),
    ("atomicAdd(&y[0], a[t])", "float32", sum), ("atomicAdd(&y[0], a[t])", "float64", sum),
    ("atomicMax(&y[0], a[t])", "int32", max), ("atomicMin(&y[0], a[t])", "int32", lambda x: min(0, *x)),
    ("atomicMax(&y[0], a[t])", "uint32", max), ("atomicOr(&y[0], a[t])", "uint32", np.bitwise_or.reduce),
    ("atomicXor(&y[0], a[t])", "uint32", np.bitwise_xor.reduce), ("atomicSub(&y[0], a[t])", "int32", lambda x: -sum(x)),
    ("atomicInc(&y[0], 9u)", "uint32", lambda x: 96 % 10),
]


def test_atomics(emulated: EmulatedDevice) -> None:
    names = [f"k{i}" for i in range(len(ATOMICS))]
    texts = [text_of(n, f"{call};", d, [d]) for n, (call, d, _) in zip(names, ATOMICS, strict=True)]
    kernels = emulated.load("".join(texts), names)
    for kernel, (call, dtype, expected) in zip(kernels, ATOMICS, strict=True):
        values = np.arange(1, 97).astype(dtype)
        found = launch(emulated, kernel, 1, dtype, [values], blocks=3, threads=32)
        assert found[0] == expected(values), f"{call} of {dtype}"


def test_every_ticket_is_drawn_once(emulated: EmulatedDevice) -> None:
    drawn = run(emulated, "y[atomicAdd(&a[0], 1u)] = t;", 96, np.uint32, np.zeros(1, np.uint32), blocks=3, threads=32)
    np.testing.assert_array_equal(np.sort(drawn), np.arange(96))


def test_compare_and_swap(emulated: EmulatedDevice) -> None:
    body = """
    unsigned long long old = 0, seen;
    do { seen = old; old = atomicCAS(&y[0], seen, seen + a[t]); } while (old != seen);
    """
    values = np.arange(64, dtype=np.uint64)
    assert run(emulated, body, 1, np.uint64, values)[0] == values.sum()


def test_bits_of_numbers() -> None:
    x = np.linspace(-3, 3, 64, dtype=np.float32)
    wide = x.astype(np.float64)
    table = [("__float_as_int", x, x.view("i4")), ("__int_as_float", x.view("i4"), x),
             ("__float_as_uint", x, x.view("u4")), ("__uint_as_float", x.view("u4"), x),
             ("__double_as_longlong", wide, wide.view("i8")), ("__longlong_as_double", wide.view("i8"), wide)]
    names = [f"k{i}" for i in range(len(table))]
    texts = [text_of(n, f"y[t] = {call}(a[t]);", to.dtype, [of.dtype])
             for n, (call, of, to) in zip(names, table, strict=True)]
    device = EmulatedDevice()
    for kernel, (call, of, to) in zip(device.load("".join(texts), names), table, strict=True):
        np.testing.assert_array_equal(launch(device, kernel, 64, to.dtype, [of]), to, err_msg=call)


WHOLE: list[tuple[str, Any]] = [
    ("__umulhi(a[t], b[t])", lambda a, b: a.astype(object) * b.astype(object) >> 32),
    ("__popc(a[t])", lambda a, b: [int(x).bit_count() for x in a]),
    ("__clz(a[t])", lambda a, b: [32 - int(x).bit_length() for x in a]),
    ("__ffs(a[t])", lambda a, b: [(int(x) & -int(x)).bit_length() for x in a]),
    ("__brev(a[t])", lambda a, b: [int(f"{x:032b}"[::-1], 2) for x in a]),
    ("__funnelshift_l(a[t], b[t], 13)", lambda a, b: (b << 13) | (a >> 19)),
    ("__funnelshift_r(a[t], b[t], 13)", lambda a, b: (a >> 13) | (b << 19)),
    ("min(a[t], b[t])", np.minimum), ("max(a[t], b[t])", np.maximum),
]


def test_whole_numbers() -> None:
    a, b = np.random.default_rng(1).integers(0, 2**32, (2, 64), np.uint32)
    a[0] = 0
    found = run(EmulatedDevice(), side_by_side(WHOLE), 64 * len(WHOLE), np.uint32, a, b).reshape(-1, 64)
    for row, (call, expected) in zip(found, WHOLE, strict=True):
        np.testing.assert_array_equal(row, np.array(expected(a, b)).astype(np.uint32), err_msg=call)


FUNCTIONS: dict[str, tuple[Any, float, float]] = {
    "exp": (np.exp, -50, 50), "log1p": (np.log1p, -0.9, 9), "tanh": (np.tanh, -4, 4),
    "rsqrt": (lambda x: x**-0.5, 0.1, 9), "erf": (scipy.special.erf, -4, 4),
    "erfinv": (scipy.special.erfinv, -0.9999, 0.9999), "erfcx": (scipy.special.erfcx, -3, 60),
    "normcdf": (scipy.special.ndtr, -5, 5), "normcdfinv": (scipy.special.ndtri, 1e-5, 1 - 1e-5),
    "lgamma": (scipy.special.gammaln, 0.1, 20), "sinpi": (lambda x: np.sin(np.pi * x), -3, 3),
    "cospi": (lambda x: np.cos(np.pi * x), -3, 3), "rint": (np.rint, -3, 3), "cbrt": (np.cbrt, -8, 8),
    "rcbrt": (lambda x: 1 / np.cbrt(x), 0.5, 8),
}


@pytest.mark.parametrize(("dtype", "suffix", "tolerance"), [("float64", "", 2e-12), ("float32", "f", 2e-6)])
def test_functions(dtype: Any, suffix: str, tolerance: float) -> None:
    x = np.array([np.linspace(low, high, 64) for _, low, high in FUNCTIONS.values()]).astype(dtype)
    body = " ".join(f"y[t + 64 * {i}] = {name}{suffix}(a[t + 64 * {i}]);" for i, name in enumerate(FUNCTIONS))
    found = run(EmulatedDevice(), body, x.size, dtype, x.ravel()).reshape(x.shape)
    for row, given, (name, (reference, _, _)) in zip(found, x, FUNCTIONS.items(), strict=True):
        np.testing.assert_allclose(row, reference(given.astype(np.float64)), rtol=tolerance, atol=tolerance / 2,
                                   err_msg=name)


def test_minima_and_maxima_pass_over_nan() -> None:
    a, b = np.array([1, np.nan, 2], np.float32), np.array([np.nan, 4, 3], np.float32)
    body = "y[t] = max(a[t], b[t]); y[t + 3] = fminf(a[t], b[t]);"
    found = run(EmulatedDevice(), body, 6, np.float32, a, b, threads=3)
    np.testing.assert_array_equal(found, [1, 4, 3, 1, 4, 2])


def test_vectors_and_constants() -> None:
    body = """
    const float table[4] = {1.0f, 2.0f, 3.0f, 4.0f};
    if (t < 16) {
      const float4 v = reinterpret_cast<const float4 *>(a)[t];
      reinterpret_cast<float2 *>(y)[t] = make_float2(v.x * table[0] + v.y * table[1], v.z * table[2] + v.w * table[3]);
    }
    """
    x = np.arange(64, dtype=np.float32)
    found = run(EmulatedDevice(checked=True), body, 32, np.float32, x)
    np.testing.assert_array_equal(found, (x.reshape(-1, 2, 2) * [[1, 2], [3, 4]]).sum(2).ravel())


def test_what_is_not_set_shows(emulated: EmulatedDevice) -> None:
    body = """
    __shared__ float s[64];
    if (t % 2) s[t] = 1.0f;
    __syncthreads();
    y[t] = s[t];
    float sum;
    for (int i = 0; i < t; i++) sum += a[i];
    y[t + 64] = sum;
    """
    shared, sums = run(emulated, body, 128, np.float32, np.ones(64, np.float32)).reshape(2, 64)
    np.testing.assert_array_equal(np.isnan(shared), LANES % 2 == 0)
    assert (sums < -1e30).all()


def test_another_launch_starts_anew(emulated: EmulatedDevice) -> None:
    """What one launch wrote, the next may read and write, in other threads; failures leave nothing behind."""
    source = 'extern "C" __global__ void k(float *y, int shift) { y[(threadIdx.x + shift) % 64] += 1.0f; }'
    kernel, = emulated.load(source, ["k"])
    y = emulated.to_device(np.zeros(64, np.float32))
    for shift in range(3):
        emulated.launch(kernel, (1, 1, 1), (64, 1, 1), 0, [y, np.int32(shift)])
    with pytest.raises(KernelError):
        emulated.launch(kernel, (2, 1, 1), (64, 1, 1), 0, [y, np.int32(0)])
    emulated.launch(kernel, (1, 1, 1), (64, 1, 1), 0, [y, np.int32(0)])
    assert emulated.to_host(y).min() >= 4


def test_the_same_seed_gives_the_same_run() -> None:
    body = "y[atomicAdd(&a[0], 1u)] = t;"
    orders = [run(EmulatedDevice(seed), body, 96, np.uint32, np.zeros(1, np.uint32), blocks=3, threads=32).tolist()
              for seed in (0, 0, 1, 1, 2, 2)]
    assert orders[::2] == orders[1::2]
    assert len({tuple(order) for order in orders}) == 3
    assert orders[0] == list(range(96))


def test_all_of_these_are_known_to_compilers_for_gpus() -> None:
    functions = " ".join(f"y[t] += {name}(a[t]);" for name in FUNCTIONS)
    check_compiles(
        *(text_of("k", side_by_side(SHUFFLES), dtype, [dtype]) for dtype in TYPES),
        *(text_of("k", f"{call};", dtype, [dtype]) for call, dtype, _ in ATOMICS),
        text_of("k", side_by_side(WHOLE), "uint32", ["uint32", "uint32"]),
        text_of("k", functions, "float64", ["float64"]),
    )
