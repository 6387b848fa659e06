"""Calls of every function of the array API standard, with arrays of NumPy; both namespaces take them."""

from __future__ import annotations

from typing import Any

import numpy as np

rng = np.random.default_rng(3)


def f(*shape: int, dtype: str = "float64", low: float = -2.0, high: float = 2.0) -> Any:
    """Random floats."""
    return rng.uniform(low, high, shape).astype(dtype)


def z(*shape: int, dtype: str = "complex128") -> Any:
    """Random complex numbers."""
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)


def i(*shape: int, dtype: str = "int64", low: int = -5, high: int = 6) -> Any:
    """Random integers."""
    return rng.integers(0 if dtype[0] == "u" else low, high, shape).astype(dtype)


def b(*shape: int) -> Any:
    """Random booleans."""
    return rng.random(shape) < 0.5


def positive(*shape: int) -> Any:
    """A positive definite matrix, or several."""
    a = rng.normal(size=shape)
    return a @ np.swapaxes(a, -1, -2) + 3 * np.eye(shape[-1])


def hermitian(*shape: int) -> Any:
    """A Hermitian matrix."""
    a = z(*shape)
    return a + np.conj(np.swapaxes(a, -1, -2))


Call = tuple[tuple[Any, ...], dict[str, Any]]


def call(*args: Any, **options: Any) -> Call:
    """The arguments of one call."""
    return args, options


def _unary(*names: str, calls: tuple[Call, ...]) -> dict[str, tuple[Call, ...]]:
    return dict.fromkeys(names, calls)


_floats = (call(f(2, 3)), call(f(4, dtype="float32")), call(np.asarray([0.0, -0.0, np.inf, -np.inf, np.nan])))
_numbers = (*_floats, call(i(3, dtype="int8")), call(i(3, dtype="uint16")))
_complex = (call(z(3)), call(z(2, dtype="complex64")))
_unit = (call(f(2, 3, low=-0.9, high=0.9)), call(f(2, dtype="float32", low=-0.9, high=0.9)))
_pairs = (call(f(2, 3), f(2, 3)), call(f(2, 3), f(3)), call(f(2, dtype="float32"), f(2)), call(f(2), 2),
          call(2.5, f(2)),
          call(f(2, dtype="float32"), 1.5))
_real_pairs = (*_pairs, call(np.asarray([0.0, -0.0, np.inf, np.nan]), np.asarray([-0.0, 1.0, 2.0, 3.0])))
_integer_pairs = (call(i(4), i(4)), call(i(4, dtype="int8"), i(4, dtype="uint8")), call(i(4, dtype="int32"), 3))
_nonzero_pairs = (call(f(3), f(3, low=0.5)), call(i(4), i(4, low=1)), call(i(4, dtype="uint8"), 3))
_bool_pairs = (call(b(2, 3), b(2, 3)), call(b(4), True))
_reductions = (call(f(2, 3)), call(f(2, 3), axis=0), call(f(2, 3, 4), axis=(0, -1), keepdims=True),
               call(f(3, dtype="float32")), call(i(2, 3, dtype="int8"), axis=1))
_sums = (*_reductions, call(i(4, dtype="uint8")), call(f(2, 3), dtype=np.dtype("float32")), call(z(3)),
         call(i(3, dtype="int32"), dtype=np.dtype("int64")), call(f(0)))
_pick = (call(f(2, 3)), call(f(2, 3), axis=0), call(i(4, 3), axis=-1, keepdims=True))
_matrices = (call(f(3, 3)), call(f(2, 3, 3)), call(f(3, 3, dtype="float32")))
_model = (call(f(2, 3)), call(i(2, dtype="int16")), call(f(2, 3), dtype=np.dtype("float32")), call(z(2)))
_unique = (call(i(2, 6)), call(f(3)), call(np.asarray([np.nan, 1.0, np.nan, 1.0])), call(b(5)), call(i(0)))
_shapes = (call((2, 3)), call(3), call((2,), dtype=np.dtype("int32")),
           call((0, 2), dtype=np.dtype("complex64")), call(()))

ELEMENTWISE: dict[str, tuple[Call, ...]] = {
    **_unary("abs", "negative", "square", "positive", "sign", calls=(*_numbers, *_complex)),
    **_unary("ceil", "floor", "trunc", "round", calls=(*_numbers, call(np.asarray([0.5, 1.5, -2.5, 2.4])))),
    **_unary("cos", "sin", "tan", "sinh", "cosh", "tanh", "exp", "expm1", calls=(call(f(2, 3)), call(
        f(3, dtype="float32")), *_complex)),
    **_unary("acos", "asin", "atanh", calls=_unit),
    **_unary("atan", "asinh", calls=(call(f(2, 3)), *_complex)),
    "acosh": (call(f(4, low=1.0)), call(f(3, dtype="float32", low=1.0))),
    **_unary("log", "log2", "log10", "sqrt", "log1p", calls=(call(f(2, 3, low=0.1)),
                                                             call(f(3, dtype="float32", low=0.1)))),
    "reciprocal": (call(f(3, low=0.5)), call(f(3, dtype="float32", low=0.5)), call(z(2))),
    **_unary("isfinite", "isinf", "isnan", calls=(*_numbers, *_complex)),
    "signbit": _floats,
    **_unary("conj", "imag", "real", calls=(*_complex, call(f(3)))),
    "logical_not": (call(b(2, 3)),),
    "bitwise_invert": (call(i(4)), call(b(3)), call(i(3, dtype="uint8"))),
    **_unary("add", "subtract", "multiply", calls=(*_real_pairs, *_integer_pairs, call(z(2), f(2)), call(z(2), 1j))),
    **_unary("maximum", "minimum", calls=(*_real_pairs, *_integer_pairs)),
    **_unary("atan2", "copysign", "hypot", "logaddexp", "nextafter", calls=(call(f(2, 3), f(2, 3)), call(
        f(2, 3), f(3)), call(f(2, dtype="float32"), f(2, dtype="float32")))),
    "divide": (*_pairs, *_nonzero_pairs, call(z(3), z(3))),
    **_unary("floor_divide", "remainder", calls=_nonzero_pairs),
    "pow": (call(f(3, low=0.1), f(3)), call(f(3), 2), call(i(3), 2), call(2.0, f(3)), call(z(2), 2)),
    **_unary("equal", "not_equal", calls=(*_real_pairs, *_integer_pairs, *_bool_pairs, call(z(2), z(2)))),
    **_unary("less", "less_equal", "greater", "greater_equal", calls=(*_real_pairs, *_integer_pairs)),
    **_unary("logical_and", "logical_or", "logical_xor", calls=_bool_pairs),
    **_unary("bitwise_and", "bitwise_or", "bitwise_xor", calls=(*_integer_pairs, *_bool_pairs)),
    **_unary("bitwise_left_shift", "bitwise_right_shift", calls=(call(i(4, low=0), i(4, low=0)), call(
        i(4, dtype="int32", low=0), 2))),
    "clip": (call(f(5), -0.5, 0.5), call(f(5), min=0.0), call(f(5), max=0.0), call(f(2, 3), f(3, low=-2, high=-1), 1.0),
             call(i(5, dtype="int8"), -2, 3), call(f(4, dtype="float32"), 0.25, 0.5), call(f(3), 2.0, 1.0), call(f(3))),
}

REDUCTIONS: dict[str, tuple[Call, ...]] = {
    **_unary("max", "min", calls=_reductions),
    **_unary("all", "any", calls=(call(b(2, 3)), call(f(2, 3), axis=0), call(b(2, 3, 2), axis=(0, 2), keepdims=True),
                                  call(b(0)))),
    "mean": _reductions[:-1],
    **_unary("sum", "prod", calls=_sums),
    **_unary("std", "var", calls=(call(f(2, 3)), call(f(2, 3), axis=0), call(f(4, 3), axis=0, correction=1),
                                  call(f(4, 3), axis=1, correction=0.5, keepdims=True), call(f(3, dtype="float32")))),
    **_unary("cumulative_sum", "cumulative_prod", calls=(
        call(f(4)), call(f(2, 3), axis=0), call(f(2, 3), axis=-1, include_initial=True), call(i(3, dtype="int8")),
        call(i(3), dtype=np.dtype("float32")), call(f(0), include_initial=True))),
    "diff": (call(f(5)), call(f(2, 5), n=2), call(f(3, 2), axis=0, prepend=f(1, 2), append=f(2, 2))),
    "count_nonzero": (call(i(2, 3)), call(i(2, 3), axis=0), call(b(2, 3), axis=(0, 1), keepdims=True)),
    **_unary("argmax", "argmin", calls=_pick),
}

REARRANGING: dict[str, tuple[Call, ...]] = {
    "broadcast_arrays": (call(f(2, 1), f(1, 3)), call(f(3), f(2, 3))),
    "broadcast_to": (call(f(3), (2, 3)), call(f(2, 1), (2, 4))),
    "concat": (call([f(2, 3), f(1, 3)]), call([f(2, 1), f(2, 2)], axis=1), call((f(2, 2), f(3)), axis=None),
               call([i(2, dtype="int8"), f(2, dtype="float32")])),
    "expand_dims": (call(f(2, 3), axis=1), call(f(2, 3), axis=-1), call(f(2, 3))),
    "flip": (call(f(2, 3)), call(f(2, 3), axis=1), call(f(2, 3, 2), axis=(0, -1))),
    "moveaxis": (call(f(2, 3, 4), 0, -1), call(f(2, 3, 4), (0, 1), (2, 0))),
    "permute_dims": (call(f(2, 3, 4), (2, 0, 1)),),
    "repeat": (call(f(3), 2), call(f(2, 3), 2, axis=1), call(f(3), np.asarray([0, 2, 1]))),
    "reshape": (call(f(2, 3), (3, 2)), call(f(2, 6), (4, -1)), call(f(1), (), copy=True)),
    "roll": (call(f(5), 2), call(f(2, 3), 1, axis=1), call(f(2, 3), (1, -1), axis=(0, 1)), call(f(2, 3), 4)),
    "squeeze": (call(f(2, 1), 1), call(f(1, 2, 1), (0, 2))),
    "stack": (call([f(2), f(2)]), call([f(2, 3), f(2, 3)], axis=-1)),
    "tile": (call(f(2), (3,)), call(f(2, 3), (2, 1)), call(f(2), (2, 2))),
    "unstack": (call(f(2, 3)), call(f(2, 3), axis=1)),
    "tril": (call(f(3, 4)), call(f(2, 3, 3), k=-1)),
    "triu": (call(f(3, 4)), call(f(2, 3, 3), k=1)),
    "take": (call(f(4), np.asarray([0, 3, 3])), call(f(2, 4), np.asarray([1, 0]), axis=1),
             call(f(2, 4), np.asarray([-1]), axis=0)),
    "take_along_axis": (call(f(2, 4), i(2, 3, low=0, high=4)), call(f(3, 2), i(1, 2, low=0, high=3), axis=0)),
    "nonzero": (call(i(2, 3)), call(b(4))),
    "searchsorted": (call(np.sort(f(6)), f(4)), call(np.sort(f(6)), f(2, 2), side="right"),
                     call(np.asarray([3.0, 1.0, 2.0]), f(2), sorter=np.asarray([1, 2, 0]))),
    "where": (call(b(2, 3), f(2, 3), f(3)), call(b(3), f(3, dtype="float32"), 0.0), call(b(3), 1, i(3, dtype="int8"))),
    **_unary("sort", "argsort", calls=(call(f(5)), call(f(2, 5), axis=0), call(i(9, dtype="uint8"), descending=True),
                                       call(i(3, 9), axis=1, descending=True, stable=True))),
    **_unary("unique_all", "unique_counts", "unique_inverse", "unique_values", calls=_unique),
    "astype": (call(f(3), np.dtype("int32")), call(i(3), np.dtype("float32"), copy=False),
               call(f(2), np.dtype("complex64"))),
}

CREATION: dict[str, tuple[Call, ...]] = {
    "arange": (call(5), call(1, 7, 2), call(1.0, 2.0, 0.25), call(4, dtype=np.dtype("float32")), call(5, 0, -2)),
    "eye": (call(3), call(2, 4), call(3, 3, k=-1, dtype=np.dtype("int8"))),
    "full": (call((2, 3), 1.5), call((2,), 3), call(2, True), call((2,), 1, dtype=np.dtype("float32"))),
    "linspace": (call(0.0, 1.0, 5), call(-1, 1, 4, endpoint=False), call(0, 1, 3, dtype=np.dtype("float32"))),
    **_unary("ones", "zeros", calls=_shapes),
    **_unary("ones_like", "zeros_like", calls=_model),
    "full_like": tuple(((*args, 2), options) for args, options in _model),
    "meshgrid": (call(f(2), f(3)), call(f(2), f(3), indexing="ij"), call(f(2))),
}

PRODUCTS: dict[str, tuple[Call, ...]] = {
    "matmul": (call(f(2, 3), f(3, 4)), call(f(3), f(3)), call(f(2, 2, 3), f(3, 2)), call(i(2, 3), i(3, 2)),
               call(z(2, 2), f(2))),
    "matrix_transpose": (call(f(2, 3)), call(f(4, 2, 3))),
    "tensordot": (call(f(2, 3, 4), f(3, 4, 2)), call(f(2, 3), f(3, 2), axes=1),
                  call(f(2, 3), f(4, 2), axes=((0,), (1,)))),
    "vecdot": (call(f(2, 3), f(2, 3)), call(z(3), z(3)), call(f(3, 2), f(3, 2), axis=-2),
               call(i(3, dtype="int8"), i(3, dtype="int8"))),
}

LINALG: dict[str, tuple[Call, ...]] = {
    **PRODUCTS,
    "cholesky": (call(positive(3, 3)), call(positive(2, 3, 3), upper=True)),
    "cross": (call(f(3), f(3)), call(f(2, 3), f(2, 3)), call(f(3, 2), f(3, 2), axis=0)),
    **_unary("det", "inv", "slogdet", calls=(*_matrices, call(z(2, 2)))),
    "diagonal": (call(f(3, 4)), call(f(2, 3, 3), offset=1)),
    **_unary("eigh", "eigvalsh", calls=(call(positive(3, 3)), call(positive(2, 3, 3)), call(hermitian(3, 3)))),
    "matrix_norm": (*(call(f(3, 4), ord=order) for order in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)),
                    call(f(2, 3, 4), keepdims=True), call(z(2, 3))),
    "matrix_power": (call(f(3, 3), 3), call(f(3, 3), 0), call(f(2, 3, 3), -2)),
    "matrix_rank": (call(f(3, 4)), call(np.ones((3, 3))), call(np.diag([1.0, 0.1, 0.001]), rtol=0.01), call(f(2, 3, 3)),
                    call(np.stack([np.diag([1.0, 0.1])] * 2), rtol=np.asarray([0.01, 0.5]))),
    "outer": (call(f(2), f(3)),),
    "pinv": (call(f(3, 2)), call(np.diag([1.0, 0.001]), rtol=0.01),
             call(np.stack([np.diag([1.0, 0.1])] * 2), rtol=np.asarray([0.01, 0.5]))),
    "qr": (call(f(4, 3)), call(f(4, 3), mode="complete"), call(f(2, 3, 3))),
    "solve": (call(f(3, 3), f(3)), call(f(3, 3), f(3, 2)), call(f(2, 3, 3), f(2, 3, 1)), call(f(2, 3, 3), f(3))),
    "svd": (call(f(4, 3)), call(f(4, 3), full_matrices=False)),
    "svdvals": (call(f(4, 3)), call(z(3, 2))),
    "trace": (call(f(3, 3)), call(f(2, 3, 4), offset=1), call(i(3, 3, dtype="int8"), dtype=np.dtype("int16"))),
    "vector_norm": (call(f(2, 3)), call(f(2, 3), axis=0), call(f(2, 3, 4), axis=(0, 2), keepdims=True), call(z(3)),
                    *(call(f(5), ord=order) for order in (0, 1, 3, -1, 0.5, np.inf, -np.inf)),
                    call(f(2, 3, 4), axis=(0, 1), ord=1), call(f(2, 2, 2)), call(f(3, dtype="float32"), ord=0)),
}

FFT: dict[str, tuple[Call, ...]] = {
    **_unary("fft", "ifft", calls=(call(z(2, 5)), call(f(6), n=4), call(z(4, 3), axis=0, norm="ortho"),
                                   call(f(4, dtype="float32")))),
    **_unary("fftn", "ifftn", calls=(call(z(2, 5)), call(z(3, 4), s=(2, 6), axes=(0, 1)),
                                     call(z(2, 3, 4), axes=(0, 2), norm="forward"))),
    "rfft": (call(f(2, 5)), call(f(6), n=4, norm="ortho"), call(f(4, dtype="float32"))),
    "irfft": (call(z(2, 4)), call(z(4), n=7), call(z(4, 3), axis=0, norm="forward")),
    "rfftn": (call(f(2, 5)), call(f(3, 4), s=(2, 6), axes=(0, 1))),
    "irfftn": (call(z(2, 4)), call(z(3, 4), s=(2, 5), axes=(0, 1))),
    "hfft": (call(z(5)), call(z(2, 4), n=5, axis=1, norm="ortho")),
    "ihfft": (call(f(6)), call(f(2, 5), norm="forward")),
    "fftfreq": (call(5), call(6, d=0.5)),
    "rfftfreq": (call(5), call(6, d=0.5)),
    **_unary("fftshift", "ifftshift", calls=(call(f(5)), call(f(3, 4), axes=1), call(f(3, 4)))),
}

#: Values are not determined but for what they multiply to.
FACTORIZATIONS = {"eigh": lambda w, v: v * w[..., None, :] @ np.conj(np.swapaxes(v, -1, -2)), "qr": lambda q, r: q @ r,
                  "svd": lambda u, s, vh: u[..., :s.shape[-1]] * s[..., None, :] @ vh[..., :s.shape[-1], :]}
