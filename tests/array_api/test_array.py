"""Array: operators, attributes, assignment, values, and what is refused; and the namespace as a whole."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.array_api as xp
import symgraph.tensor as T

NAMES = [
    "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "linspace", "meshgrid",
    "ones", "ones_like", "tril", "triu", "zeros", "zeros_like", "astype", "can_cast", "finfo", "iinfo", "isdtype",
    "result_type", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32",
    "float64", "complex64", "complex128", "e", "inf", "nan", "newaxis", "pi", "abs", "acos", "acosh", "add", "asin",
    "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_left_shift", "bitwise_invert", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "ceil", "clip", "conj", "copysign", "cos", "cosh", "divide", "equal", "exp",
    "expm1", "floor", "floor_divide", "greater", "greater_equal", "hypot", "imag", "isfinite", "isinf", "isnan", "less",
    "less_equal", "log", "log1p", "log2", "log10", "logaddexp", "logical_and", "logical_not", "logical_or",
    "logical_xor", "maximum", "minimum", "multiply", "negative", "nextafter", "not_equal", "positive", "pow", "real",
    "reciprocal", "remainder", "round", "sign", "signbit", "sin", "sinh", "square", "sqrt", "subtract", "tan", "tanh",
    "trunc", "take", "take_along_axis", "__array_namespace_info__", "__array_api_version__", "matmul",
    "matrix_transpose", "tensordot", "vecdot", "broadcast_arrays", "broadcast_to", "concat", "expand_dims", "flip",
    "moveaxis", "permute_dims", "repeat", "reshape", "roll", "squeeze", "stack", "tile", "unstack", "argmax", "argmin",
    "count_nonzero", "nonzero", "searchsorted", "where", "unique_all", "unique_counts", "unique_inverse",
    "unique_values", "argsort", "sort", "cumulative_prod", "cumulative_sum", "max", "mean", "min", "prod", "std", "sum",
    "var", "all", "any", "diff", "linalg", "fft",
]
LINALG = [
    "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm", "matrix_power",
    "matrix_rank", "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot",
    "trace", "vecdot", "vector_norm",
]
FFT = [
    "fft", "ifft", "fftn", "ifftn", "rfft", "irfft", "rfftn", "irfftn", "hfft", "ihfft", "fftfreq", "rfftfreq",
    "fftshift", "ifftshift",
]


def test_every_name_of_the_standard_is_there() -> None:
    assert [name for name in NAMES if not hasattr(xp, name)] == []
    assert [name for name in LINALG if not hasattr(xp.linalg, name)] == []
    assert [name for name in FFT if not hasattr(xp.fft, name)] == []
    assert set(NAMES) == set(xp.__all__) - {"Array"}
    assert xp.__array_api_version__ == "2024.12"


# ---- operators -----------------------------------------------------------------------------------------------------

BINARY: list[tuple[Any, str]] = [
    *((op, "float64") for op in (operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv,
                                 operator.mod, operator.pow, operator.lt, operator.le, operator.gt, operator.ge,
                                 operator.eq, operator.ne)),
    *((op, "int64") for op in (operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift)),
]


@pytest.mark.parametrize(("op", "dtype"), BINARY, ids=lambda v: getattr(v, "__name__", v))
def test_binary_operators(op: Any, dtype: str) -> None:
    a, b = np.asarray([1, 2, 3], dtype), np.asarray([3, 2, 1], dtype)
    u, v = T.tensor(dtype, shape=(None,)), T.tensor(dtype, shape=(None,))
    x, y = xp.asarray(u), xp.asarray(v)
    made = [op(x, y), op(x, 2), op(2, x), op(x, b), op(b, x), op(x, v), op(v, x)]
    assert all(isinstance(z, xp.Array) for z in made)
    found = sg.function([u, v], [z.variable for z in made])(a, b)
    expected = [op(a, b), op(a, 2), op(2, a), op(a, b), op(b, a), op(a, b), op(b, a)]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


def test_unary_operators_and_products() -> None:
    a = np.asarray([[1.0, -2.0], [3.0, 4.0]])
    x = xp.asarray(a)
    np.testing.assert_array_equal(-x, -a)
    np.testing.assert_array_equal(+x, a)
    np.testing.assert_array_equal(abs(x), abs(a))
    np.testing.assert_array_equal(~xp.asarray([1, 2]), ~np.asarray([1, 2]))
    np.testing.assert_array_equal(x @ x, a @ a)
    np.testing.assert_array_equal(a @ x, a @ a)
    np.testing.assert_array_equal(x.T, a.T)
    np.testing.assert_array_equal(xp.asarray(np.ones((2, 3, 4))).mT, np.ones((2, 4, 3)))


@pytest.mark.parametrize("name", ["iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "imatmul"])
def test_in_place_operators_keep_the_array(name: str) -> None:
    op = getattr(operator, name)
    a = np.asarray([[1.0, 2.0], [3.0, 4.0]])
    x = y = xp.asarray(a)
    x = op(x, a if name == "imatmul" else 3)
    assert x is y
    np.testing.assert_array_equal(x, op(a.copy(), a if name == "imatmul" else 3))


def test_in_place_operators_keep_dtype_and_rank() -> None:
    x = xp.asarray([1, 2], dtype=xp.int32)
    with pytest.raises(TypeError, match=r"x \+= y would turn int32\[2\] into float64\[2\]"):
        x += 1.5
    with pytest.raises(TypeError, match=r"x \*= y"):
        x *= xp.ones((2, 2), dtype=xp.int32)
    with pytest.raises(TypeError, match="unsupported operand"):
        x + "one"
    np.testing.assert_array_equal(x, [1, 2])


def test_equality_is_of_elements_and_arrays_are_no_keys() -> None:
    v = T.vector("v")
    assert (v == v) is True
    equal = xp.asarray(v) == xp.asarray(v)
    assert isinstance(equal, xp.Array)
    assert equal.dtype == xp.bool
    with pytest.raises(TypeError, match="unhashable"):
        hash(xp.asarray(v))


# ---- attributes ----------------------------------------------------------------------------------------------------


def test_attributes() -> None:
    x = xp.asarray(T.ftensor3("x", shape=(None, 3, 2)))
    assert (x.dtype, x.shape, x.ndim, x.size, x.device) == (xp.float32, (None, 3, 2), 3, None, "cpu")
    assert x.to_device("cpu") is x
    y = xp.ones((2, 3))
    assert (y.dtype, y.shape, y.size) == (xp.float64, (2, 3), 6)
    assert y[y > 2].shape == (0,)  # a length that no static shape tells is computed
    assert "x" in repr(x)
    assert x.__array_namespace__() is xp
    assert T.vector().__array_namespace__(api_version="2023.12") is xp
    with pytest.raises(ValueError, match="not '2030"):
        x.__array_namespace__(api_version="2030.12")
    with pytest.raises(ValueError, match="'cuda'"):
        x.to_device("cuda")
    with pytest.raises(ValueError, match=r"use x\.mT"):
        x.T  # noqa: B018
    with pytest.raises(ValueError, match="two dimensions or more"):
        xp.asarray(1.0).mT  # noqa: B018
    with pytest.raises(TypeError, match="use asarray"):
        xp.Array(3.0)  # type: ignore[arg-type]


def test_default_dtypes_follow_floatX() -> None:
    with sg.config.change_flags(floatX="float32"):
        assert xp.ones(2).dtype == xp.asarray(1.5).dtype == xp.linspace(0, 1, 3).dtype == xp.float32
        assert xp.arange(0.0, 1.0, 0.5).dtype == xp.eye(2).dtype == xp.fft.fftfreq(4).dtype == xp.float32
        info = xp.__array_namespace_info__()
        assert info.default_dtypes()["complex floating"] == xp.complex64
    assert xp.asarray(1).dtype == xp.int64
    assert xp.asarray(True).dtype == xp.bool


# ---- values --------------------------------------------------------------------------------------------------------


def test_values_of_expressions_without_inputs() -> None:
    x = xp.asarray(2.5)
    assert bool(x > 2) is True
    assert int(xp.asarray(3)) == 3
    assert float(x * 2) == 5.0
    assert complex(x * 2j) == 5j
    assert [10, 20, 30][xp.asarray(1)] == 20
    assert len(xp.ones((4, 2))) == 4
    assert [float(v) for v in xp.arange(3)] == [0.0, 1.0, 2.0]
    np.testing.assert_array_equal(np.asarray(xp.arange(3), dtype="float32"), np.arange(3, dtype="float32"))
    np.testing.assert_array_equal(np.from_dlpack(xp.arange(3) + 1), [1, 2, 3])  # type: ignore[arg-type]
    assert xp.ones(2).__dlpack_device__() == (1, 0)


def test_values_follow_shared_variables() -> None:
    state = sg.shared(np.asarray([1.0, 2.0]))
    total = xp.sum(xp.asarray(state))
    assert float(total) == 3.0
    state.set_value([5.0, 5.0, 5.0])
    assert float(total) == 15.0


@pytest.mark.parametrize(("convert", "advice"), [
    (bool, r"bool\(\).*symbolic input v\. Choose elements with where"),
    (int, r"int\(\).*astype"), (float, r"float\(\).*symgraph\.function"), (complex, r"complex\(\).*astype"),
    (np.asarray, r"numpy\.asarray\(\) asks for the value of neg"), (np.from_dlpack, r"from_dlpack\(\)"),
])
def test_values_that_depend_on_inputs_are_refused(convert: Any, advice: str) -> None:
    with pytest.raises(TypeError, match=advice):
        convert(-xp.asarray(T.dscalar("v")))


def test_conversions_refuse_what_has_no_such_value() -> None:
    with pytest.raises(TypeError, match=r"bool\(\) takes an array of 0 dimensions"):
        bool(xp.ones(2))
    with pytest.raises(TypeError, match="real"):
        float(xp.asarray(1j))
    with pytest.raises(TypeError, match="of integers is an index"):
        operator.index(xp.asarray(1.0))
    with pytest.raises(TypeError, match="symbolic input"):
        operator.index(xp.asarray(T.lscalar("i")))
    with pytest.raises(TypeError, match="no length"):
        len(xp.asarray(1.0))
    with pytest.raises(TypeError, match=r"x\.variable\.shape\[0\]"):
        len(xp.asarray(T.vector("v")))
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(xp.ones(2), copy=False)
    with pytest.raises(BufferError, match="stream"):
        xp.ones(2).__dlpack__(stream=1)


# ---- parts ---------------------------------------------------------------------------------------------------------

KEYS = [0, -1, slice(1, None), (slice(None), 1), (..., 0), (None, 1), np.asarray([True, False, True]),
        np.asarray([2, 0]), (np.asarray([0, 2]), np.asarray([1, 1])), slice(None, None, -1)]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing(key: Any) -> None:
    a = np.arange(6.0).reshape(3, 2)
    wrapped = tuple(xp.asarray(k) if isinstance(k, np.ndarray) else k for k in key) if isinstance(key, tuple) else (
        xp.asarray(key) if isinstance(key, np.ndarray) else key)
    x = xp.asarray(a)
    np.testing.assert_array_equal(x[wrapped], a[key])
    x[wrapped] = 9
    a[key] = 9
    np.testing.assert_array_equal(x, a)
    assert x.dtype == xp.float64


def test_assignment_builds_an_expression() -> None:
    u = T.dvector("u")
    x = xp.asarray(u)
    first = x[0]
    x[1:] = x[:-1] * 2
    x[x > 10] = xp.asarray(0.0)
    f = sg.function([u], [x.variable, first.variable])
    found, before = f([1.0, 6.0, 3.0])
    np.testing.assert_array_equal(found, [1.0, 2.0, 0.0])
    assert before == 1.0


def test_assignment_keeps_the_dtype() -> None:
    x = xp.asarray([1, 2, 3], dtype=xp.int8)
    with pytest.raises(TypeError, match=r"1\.5 does not fit among elements of int8"):
        x[0] = 1.5
    with pytest.raises(TypeError, match="float64 do not fit"):
        x[0] = xp.asarray(1.5)
    x[0] = True
    x[1] = xp.asarray(7)
    np.testing.assert_array_equal(x, np.asarray([1, 7, 3], "int8"))


# ---- the other functions -------------------------------------------------------------------------------------------


def test_asarray() -> None:
    u = T.ivector("u")
    x = xp.asarray(u)
    assert x.variable is u
    assert xp.asarray(x).variable is u
    assert xp.asarray(u, dtype=xp.float32).dtype == xp.float32
    assert xp.asarray(x, copy=True).variable is not u
    stacked = xp.asarray([[x[0], 1], [2, x[1]]])
    np.testing.assert_array_equal(sg.function([u], stacked.variable)([5, 6]), [[5, 1], [2, 6]])
    values = np.ones(2)
    constant = xp.asarray(values)
    values[:] = 7
    np.testing.assert_array_equal(constant, [1.0, 1.0])
    with pytest.raises(ValueError, match="copy=False"):
        xp.asarray(values, copy=False)
    with pytest.raises(ValueError, match="without a copy"):
        xp.asarray(u, dtype=xp.float64, copy=False)
    with pytest.raises(TypeError, match="not an array of numbers"):
        xp.asarray("text")
    with pytest.raises(ValueError, match="'gpu'"):
        xp.asarray(1, device="gpu")


def test_from_dlpack() -> None:
    np.testing.assert_array_equal(xp.from_dlpack(np.arange(3)), [0, 1, 2])
    x = xp.ones(3)
    assert xp.from_dlpack(x).variable is x.variable
    with pytest.raises(TypeError, match="use asarray"):
        xp.from_dlpack([1, 2])


def test_dtype_functions() -> None:
    x = xp.ones(2, dtype=xp.float32)
    assert xp.result_type(x, xp.int8, 1.5) == xp.float32
    assert xp.result_type(xp.int64, xp.asarray(1, dtype=xp.uint8)) == xp.int64
    assert xp.can_cast(x, xp.float64)
    assert not xp.can_cast(xp.float64, xp.int8)
    assert xp.isdtype(x.dtype, "real floating")
    assert xp.isdtype(xp.int8, ("signed integer", xp.bool))
    assert not xp.isdtype(xp.int8, "unsigned integer")
    info = xp.finfo(xp.complex64)
    assert (info.bits, info.eps, info.dtype) == (32, float(np.finfo("float32").eps), xp.float32)
    assert type(info.max) is float
    assert (xp.iinfo(xp.ones(1, dtype=xp.int16)).max, xp.iinfo(xp.uint8).bits) == (32767, 8)
    with pytest.raises(ValueError, match="at least one"):
        xp.result_type()
    with pytest.raises(TypeError, match="real"):
        xp.astype(xp.ones(2) * 1j, xp.float64)


def test_inspection() -> None:
    info = xp.__array_namespace_info__()
    assert info.capabilities()["boolean indexing"] is True
    assert (info.default_device(), info.devices()) == ("cpu", ["cpu"])
    assert info.default_dtypes()["indexing"] == xp.int64
    assert set(info.dtypes()) == {"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
                                  "float32", "float64", "complex64", "complex128"}
    assert set(info.dtypes(kind=("bool", "complex floating"))) == {"bool", "complex64", "complex128"}
    assert info.dtypes(kind=()) == {}


@pytest.mark.parametrize(("build", "error", "words"), [
    (lambda x: xp.add(1, 2), TypeError, "add takes arrays"),
    (lambda x: xp.exp(1.0), TypeError, "exp takes arrays"),
    (lambda x: xp.add(x, xp.ones(3)), ValueError, "shapes"),
    (lambda x: xp.clip(xp.asarray([1, 2]), 0.5), TypeError, "does not fit among elements of int64"),
    (lambda x: xp.clip(xp.asarray([1, 2]), max=x[0]), TypeError, "float64 do not fit"),
    (lambda x: xp.cumulative_sum(x), ValueError, "needs an axis"),
    (lambda x: xp.take(x, xp.asarray([0])), ValueError, "needs an axis"),
    (lambda x: xp.nonzero(x[0, 0]), ValueError, "at least one dimension"),
    (lambda x: xp.concat([]), ValueError, "at least one array"),
    (lambda x: xp.stack([]), ValueError, "at least one array"),
    (lambda x: xp.roll(x, (1, 2)), ValueError, "as many axes"),
    (lambda x: xp.roll(x, (1, 2), axis=(0, 1, 1)), ValueError, "2 shifts for 3 axes"),
    (lambda x: xp.vecdot(x, x, axis=2), ValueError, "axis 2 is out of bounds"),
    (lambda x: xp.vecdot(xp.ones(2), xp.ones(3)), ValueError, "2 and 3 elements"),
    (lambda x: xp.linalg.outer(x, x), ValueError, "two vectors"),
    (lambda x: xp.linalg.cross(x, x), ValueError, "3 components"),
    (lambda x: xp.linalg.qr(x, mode="r"), ValueError, "mode must be"),
    (lambda x: xp.linalg.matrix_norm(x[0]), ValueError, "axis -2"),
    (lambda x: xp.linalg.matrix_rank(x[0]), ValueError, "takes matrices"),
    (lambda x: xp.linalg.matrix_norm(x, ord=7), ValueError, "ord"),
    (lambda x: xp.sum(x, axis=2), ValueError, "axis 2"),
    (lambda x: xp.fft.rfft(x * 1j), TypeError, "real numbers"),
])
def test_bad_input(build: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        build(xp.ones((2, 2)))


def test_gradients_pass_through() -> None:
    v = T.dvector("v")
    x = xp.asarray(v)
    cost = xp.sum(xp.where(x > 0, x**3, xp.zeros_like(x))) + xp.linalg.vector_norm(x) ** 2
    f = sg.function([v], sg.grad(cost.variable, v))
    np.testing.assert_allclose(f([1.0, -2.0]), [3.0 + 2.0, -4.0])


def test_code_for_the_standard_compiles() -> None:
    """A function written for any namespace: of NumPy's arrays, of values, and of symbolic inputs."""

    def standardize(x: Any) -> Any:
        ns = x.__array_namespace__()
        spread = ns.std(x, axis=0, keepdims=True)
        x = (x - ns.mean(x, axis=0, keepdims=True)) / ns.where(spread == 0, 1.0, spread)
        x[0, ...] = 0.0
        return x

    a = np.asarray([[1.0, 5.0], [3.0, 5.0], [8.0, 5.0]])
    expected = standardize(a.copy())
    np.testing.assert_allclose(standardize(xp.asarray(a)), expected)
    v = T.dmatrix("v")
    np.testing.assert_allclose(sg.function([v], standardize(xp.asarray(v)).variable)(a), expected)
