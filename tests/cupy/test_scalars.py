"""Scalar functions in CUDA C against NumPy and SciPy: on corners of every dtype and on random numbers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from backends.cupy.devices.emulated import EmulatedDevice
from backends.cupy.language.prelude import prelude
from backends.cupy.language.scalars import MISSING, ROWS, ctype, expression, is_supported, literal
from symgraph.scalar import TABLE, ScalarFunction, cast_to
from tests.cupy.gate import check_compiles

DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
          "float64", "complex64", "complex128")
FEW = ("bool", "int8", "int32", "uint64", "float16", "float32", "float64", "complex64")

Case = tuple[ScalarFunction, tuple[str, ...]]

#: Functions whose values are those of NumPy, bit for bit (but for the sign and payload of NaN).
EXACT = frozenset((
    "add", "sub", "mul", "int_div", "mod", "fmod", "neg", "reciprocal", "abs", "sqr", "maximum", "minimum", "clip",
    "second", "identity", "sqrt", "copysign", "nextafter", "heaviside", "spacing", "ldexp", "floor", "ceil", "trunc",
    "round_half_to_even", "round_half_away_from_zero", "switch", "conj", "real", "imag", "complex", "true_div",
    "deg2rad", "rad2deg",
))
#: How many units in the last place functions may be off, in the dtype of the result; others 4.
ULPS = {"gamma": 8, "gammaln": 8, "erfcx": 8, "logit": 6, "sinc": 6, "j0": 8, "j1": 8}
#: Functions of which SciPy's value, or ours, has an error that is absolute: near a zero, or in a tail.
RELATIVE = {"psi": 1e-11, "polygamma": 1e-13, "spherical_jn": 1e-11, "gammainc": 1e-11, "gammaincc": 1e-11,
            "chi2sf": 1e-11, "betaln": 1e-10, "beta": 1e-10, "jv": 1e-10, "iv": 1e-12, "i0": 1e-14, "i1": 1e-14,
            "erfc": 1e-11, "erfinv": 1e-14, "erfcinv": 1e-13, "gammaln": 1e-12, "j0": 1e-12, "j1": 1e-12}
#: Whose comparison asks for more digits than the dtype has.
WIDER = frozenset(("pow", "exp", "exp2", "log1p", "sigmoid", "softplus", "log1mexp", "logit"))
_WIDE: dict[str, Any] = {"float16": np.float32, "float32": np.float64, "complex64": np.complex128,
                         "complex128": np.clongdouble}
#: What the operands of special functions are drawn from.
RANGES: dict[str, tuple[tuple[float, float], ...]] = {
    "psi": ((-5, 30),), "erfcinv": ((0.001, 1.999),), "erfinv": ((-0.999, 0.999),), "gammainc": ((0.1, 60), (0, 90)),
    "gammaincc": ((0.1, 60), (0, 90)), "chi2sf": ((0, 90), (0.5, 60)), "betaln": ((0.1, 50), (0.1, 300)),
    "beta": ((0.1, 20), (0.1, 20)), "jv": ((-8, 40), (0, 60)), "iv": ((-3, 20), (0, 60)), "i0": ((-50, 50),),
    "i1": ((-50, 50),), "j0": ((-40, 40),), "j1": ((-40, 40),), "gammaln": ((-4, 60),), "gamma": ((-4, 30),),
    "erfc": ((-5, 9),), "logit": ((0, 1),), "polygamma": ((1, 6), (0.1, 40)), "spherical_jn": ((0, 6), (-20, 20)),
}


def in_dtypes(function: ScalarFunction, dtype: str) -> tuple[str, ...] | None:
    """The operands' dtypes when a function is taken at one; None where it is not defined."""
    kinds = {"ldexp": (dtype, "int32"), "polygamma": ("int32", dtype), "spherical_jn": ("int32", dtype),
             "switch": ("bool", dtype, dtype)}.get(function.name, (dtype,) * function.nin)
    try:
        function.resolve(tuple(map(np.dtype, kinds)))
    except TypeError:
        return None
    return kinds


def cases(names: Any, dtypes: tuple[str, ...]) -> Iterator[Case]:
    for name in names:
        for dtype in dtypes:
            function = TABLE[name]
            kinds = in_dtypes(function, dtype)
            if kinds is None:
                continue
            converts = np.dtype(dtype).kind in "biu" and function.resolve(tuple(map(np.dtype, kinds)))[-2].kind in "fc"
            if not converts or dtype in ("int32", "bool"):  # the others differ in a cast, which has its own test
                yield function, kinds


def result_of(function: ScalarFunction, kinds: tuple[str, ...]) -> np.dtype[Any]:
    return np.dtype(function.resolve(tuple(map(np.dtype, kinds)))[-1])


def source_of(batch: Sequence[Case]) -> str:
    kernels = []
    for number, (function, kinds) in enumerate(batch):
        text = expression(function, [f"x{i}[i]" for i in range(len(kinds))], kinds)
        operands = ", ".join(f"const {ctype(kind)}* x{i}" for i, kind in enumerate(kinds))
        out = ctype(result_of(function, kinds))
        kernels.append(f'extern "C" __global__ void f{number}(int n, {operands}, {out}* y)'
                       f" {{\n  int i = blockIdx.x * blockDim.x + threadIdx.x;\n  if (i < n) y[i] = {text};\n}}\n")
    text = "".join(kernels)
    return prelude(text) + text


def corners(dtype: Any) -> np.ndarray:
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return np.array([False, True])
    if kind.kind in "iu":
        info, bits = np.iinfo(kind), 8 * kind.itemsize
        wanted = (0, 1, 2, 3, 7, info.max, info.max - 1, info.min, info.min + 1, -1, -2, -3, bits, bits - 1)
        return np.array([n for n in wanted if info.min <= n <= info.max], kind)
    if kind.kind == "f":
        limits = np.finfo(kind)
        return np.array([0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, np.nan, np.inf, -np.inf, limits.max, -limits.max,
                         limits.tiny, -limits.tiny, limits.smallest_subnormal, limits.eps, 10, -10, 0.3, 3], kind)
    return np.array([0, 1, 1j, -1, 2 - 3j, -0.5 + 0.25j], kind)


def draws(dtype: Any, rng: np.random.Generator, count: int) -> np.ndarray:
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return rng.integers(0, 2, count).astype(bool)
    if kind.kind in "iu":
        info = np.iinfo(kind)
        small = rng.integers(max(info.min, -20), 20, count)
        large = rng.integers(info.min, info.max, count, kind, True)
        return np.where(rng.integers(0, 2, count), large, small).astype(kind)
    size = 10.0 ** rng.uniform(-4, 2, count)
    if kind.kind == "f":
        return (rng.normal(size=count) * size).astype(kind)
    return ((rng.normal(size=count) + 1j * rng.normal(size=count)) * np.minimum(size, 10)).astype(kind)


def operands(function: ScalarFunction, kinds: tuple[str, ...], rng: np.random.Generator) -> list[np.ndarray]:
    """Corners against corners, and random numbers."""
    count = 1200
    if function.name in RANGES:
        bounds = RANGES[function.name]
        drawn = [rng.uniform(*bounds[i], count) for i in range(len(kinds))]
        return [np.abs(x).astype(kind) if np.dtype(kind).kind in "bu" else x.astype(kind)
                for x, kind in zip(drawn, kinds, strict=True)]
    ends = np.meshgrid(*map(corners, kinds), indexing="ij")
    found = [np.concatenate([end.reshape(-1), draws(kind, rng, count)]) for end, kind in zip(ends, kinds, strict=True)]
    if function.name == "pow" and np.dtype(kinds[1]).kind in "iu":
        found[1] = (np.abs(found[1].astype(float)) % 9).astype(kinds[1])  # NumPy refuses negative ones
    return found


def expected(function: ScalarFunction, xs: list[np.ndarray], out: np.dtype[Any]) -> np.ndarray:
    if function.name in WIDER:
        xs = [x.astype(_WIDE.get(x.dtype.name, x.dtype)) for x in xs]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(function.impl(*xs)).astype(out)


def compare(function: ScalarFunction, xs: list[np.ndarray], ours: np.ndarray, theirs: np.ndarray,
            slack: float = 1) -> list[str]:
    """What is wrong, in words."""
    name, kind = function.name, ours.dtype
    with np.errstate(all="ignore"):
        same = (ours == theirs) | ((ours != ours) & (theirs != theirs))
        if kind.kind in "biu" or (name in EXACT and kind.kind == xs[-1].dtype.kind == "f"):
            wrong = ~same
            if kind.kind == "f":
                wrong |= (ours == 0) & (np.signbit(ours) != np.signbit(theirs))
        else:
            part = np.empty(0, kind).real.dtype
            limits = np.finfo(part)
            error = np.abs(ours.astype(np.clongdouble) - theirs.astype(np.clongdouble))
            unit = np.maximum(np.abs(theirs).astype(np.longdouble) * limits.eps, limits.smallest_subnormal)
            allowed = slack * ULPS.get(name, 4) * unit
            if kind.kind == "c" and name in ("exp2", "pow", "log1p"):  # an argument is rounded first
                allowed *= 60
            if name in RELATIVE:
                allowed = np.maximum(allowed, RELATIVE[name] * np.maximum(np.abs(theirs), 1e-3))
            wrong = ~same & ~(error <= allowed)
    at = np.flatnonzero(wrong)
    return [f"{name}{tuple(x[i] for x in xs)} is {ours[i]!r}, should be {theirs[i]!r} ({at.size})" for i in at[:3]]


def run(batch: Sequence[Case], device: Any = None, slack: float = 1) -> None:
    """Compute on a device and compare; on a GPU, C's functions round a little more than on the processor."""
    device = EmulatedDevice() if device is None else device
    kernels = device.load(source_of(batch), [f"f{i}" for i in range(len(batch))])
    rng = np.random.default_rng(0)
    wrong: list[str] = []
    for kernel, (function, kinds) in zip(kernels, batch, strict=True):
        xs = operands(function, kinds, rng)
        y = device.empty(xs[0].shape, result_of(function, kinds))
        blocks = -(-xs[0].size // 64)
        device.launch(kernel, (blocks, 1, 1), (64, 1, 1), 0, [np.int32(xs[0].size), *map(device.to_device, xs), y])
        wrong += compare(function, xs, device.to_host(y), expected(function, xs, y.dtype), slack)
    assert not wrong, "\n".join(wrong)


SPECIAL = [name for name in TABLE if name in RELATIVE or name in RANGES]
PLAIN = [name for name in TABLE if name not in SPECIAL]


def test_every_function_has_a_row_or_a_reason() -> None:
    assert {*ROWS, *MISSING} == set(TABLE)
    assert not set(ROWS) & set(MISSING)
    for name, function in TABLE.items():
        for dtype in DTYPES:
            kinds = in_dtypes(function, dtype)
            if kinds is not None and name in ROWS:
                assert is_supported(function, kinds), (name, dtype)


@pytest.mark.parametrize("part", range(2))
def test_functions_are_those_of_numpy(part: int) -> None:
    run(list(cases(PLAIN[part::2], ("bool", "int8", "uint64", "float16", "float32", "complex64"))))


def test_special_functions_are_those_of_scipy() -> None:
    run(list(cases(SPECIAL, ("float32", "float64"))))


@pytest.mark.slow
def test_functions_on_all_dtypes() -> None:
    run(list(cases(TABLE, DTYPES)))


def test_casts() -> None:
    """What does not fit the target is left out: NumPy leaves it open, except among integers."""
    batch = [(cast_to(target), (source,)) for source in FEW for target in FEW
             if not (source.startswith("complex") and not target.startswith(("complex", "bool")))]
    device = EmulatedDevice()
    kernels = device.load(source_of(batch), [f"f{i}" for i in range(len(batch))])
    for kernel, (function, (source,)) in zip(kernels, batch, strict=True):
        target = result_of(function, (source,))
        x = np.concatenate([corners(source), draws(source, np.random.default_rng(1), 200)])
        if np.dtype(source).kind == "f" and target.kind in "iu":
            with np.errstate(invalid="ignore"):
                info = np.iinfo(target)
                least = -1 if info.min == 0 else -np.inf
                x = x[np.isfinite(x) & (np.abs(x.astype(float)) < info.max // 2) & (x > least)]
        y = device.empty(x.shape, target)
        device.launch(kernel, (-(-x.size // 64), 1, 1), (64, 1, 1), 0, [np.int32(x.size), device.to_device(x), y])
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(device.to_host(y), x.astype(target), f"{source} to {target}")


def test_a_cast_to_half_precision_rounds_once() -> None:
    batch = [(cast_to("float16"), ("float64",)), (cast_to("float32"), ("float16",))]
    device = EmulatedDevice()
    narrow, widen = device.load(source_of(batch), ["f0", "f1"])
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    wide = device.empty(every.shape, "float32")
    device.launch(widen, (1024, 1, 1), (64, 1, 1), 0, [np.int32(every.size), device.to_device(every), wide])
    np.testing.assert_array_equal(device.to_host(wide), every.astype(np.float32))
    with np.errstate(all="ignore"):
        between = np.nextafter(every, np.float16(np.inf)).astype(float)
        middle = (every.astype(float) + between) / 2
        near = [middle, middle * (1 + 2.0**-40), middle * (1 - 2.0**-40)]
        values = np.concatenate([*near, [1e-300, -1e-300, 65520, 1e300]])
        y = device.empty(values.shape, "float16")
        device.launch(narrow, (-(-values.size // 64), 1, 1), (64, 1, 1), 0,
                      [np.int32(values.size), device.to_device(values), y])
        np.testing.assert_array_equal(device.to_host(y), values.astype(np.float16))


def test_operands_of_several_dtypes_are_brought_to_one() -> None:
    pairs = [("int64", "uint64"), ("uint64", "int64"), ("int32", "uint32"), ("int8", "float16"), ("float32", "float64"),
             ("float32", "complex64"), ("bool", "int16"), ("int64", "float32")]
    run([(TABLE[name], pair) for name in ("lt", "le", "gt", "ge", "eq", "neq", "add", "mul", "true_div", "maximum")
         for pair in pairs])


def test_half_precision_rounds_after_every_step() -> None:
    text = expression(TABLE["mul"], [expression(TABLE["add"], ["x", "y"], ["float16"] * 2), "z"], ["float16"] * 2)
    assert text == "sg_to_half((sg_float(sg_to_half((sg_float(x) + sg_float(y)))) * sg_float(z)))"


def test_literals_are_exact() -> None:
    values = [v for dtype in DTYPES for v in (*corners(dtype), *draws(dtype, np.random.default_rng(2), 10))]
    text = "".join(f'extern "C" __global__ void f{i}({ctype(v.dtype)}* y) {{ y[0] = {literal(v, v.dtype)}; }}\n'
                   for i, v in enumerate(values))
    device = EmulatedDevice()
    kernels = device.load(prelude(text) + text, [f"f{i}" for i in range(len(values))])
    for kernel, value in zip(kernels, values, strict=True):
        y = device.empty((1,), value.dtype)
        device.launch(kernel, (1, 1, 1), (1, 1, 1), 0, [y])
        found = device.to_host(y)[0]
        assert found.tobytes() == value.tobytes() or (np.isnan(found) and np.isnan(value))


def test_integers_that_numpy_refuses_or_leaves_open() -> None:
    device = EmulatedDevice()
    kernel, = device.load(source_of([(TABLE["pow"], ("int32", "int32"))]), ["f0"])
    base, exponent = np.array([2, 1, -1, -1, 0], np.int32), np.array([-1, -5, -3, -2, -1], np.int32)
    y = device.empty((5,), "int32")
    device.launch(kernel, (1, 1, 1), (8, 1, 1), 0, [np.int32(5), device.to_device(base), device.to_device(exponent), y])
    assert device.to_host(y).tolist() == [math.trunc(v) for v in (0.5, 1, -1, 1, 0)]


def test_a_prelude_holds_what_is_needed_and_no_more() -> None:
    assert prelude("y = x + 1.0f;") == ""
    text = prelude("sg_sigmoid(x)")
    assert "sg_exp(float" in text
    assert "sg_complex" not in text
    assert "#include" not in prelude(" ".join(ROWS[name].get("c", "") for name in ROWS))


def test_kernels_compile_for_gpus() -> None:
    check_compiles(source_of(list(cases(PLAIN[::5], ("float32",)))))


@pytest.mark.slow
@pytest.mark.parametrize("dtypes", [FEW[:4], ("float16", "float32"), ("float64",), ("complex64",)])
def test_all_kernels_compile_for_gpus(dtypes: tuple[str, ...]) -> None:
    check_compiles(source_of(list(cases(TABLE, dtypes))))


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", DTYPES)
def test_functions_on_a_gpu(gpu: Any, dtype: str) -> None:
    run(list(cases(TABLE, (dtype,))), gpu, 3)
