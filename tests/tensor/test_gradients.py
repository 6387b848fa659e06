"""Derivatives where they are delicate: kinks, ties, zeros, branches not taken, integers, dtypes, repeated use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import TensorType
from symgraph.testing import verify_grad
from tests.tensor.common import MODES, compute


def gradient(f: Any, at: Any, mode: str = "FAST_RUN") -> Any:
    """The gradient of the sum of f at an array."""
    at = np.asarray(at, "float64")
    x = TensorType("float64", (None,) * at.ndim)("x")
    return compute([x], sg.grad(T.sum(f(x)), x), [at], mode)


BRANCHES: dict[str, Any] = {
    "linear": (lambda x: T.switch(x > 0, 3 * x + 1, -x), [0.0, 4.0], [-1, 3]),
    "sum": (lambda x: T.switch(x > 0, x + 1, 0), [0.0, 4.0, -1.0], [0, 1, 0]),
    "nested": (lambda x: T.switch(x > 0, T.switch(x > 2, T.sqrt(x - 2), x), 0), [0.0, 1.0, 6.0], [0, 1, 0.25]),
    "broadcast": (lambda x: T.switch(x > 0, T.sqrt(x) * np.ones((2, 1)), 0), [0.0, 4.0], [0, 0.5]),
    "sqrt": (lambda x: T.switch(x > 0, T.sqrt(x), 0), [0.0, 4.0, -1.0], [0, 0.25, 0]),
    "log": (lambda x: T.switch(x > 0, T.log(x), 0), [0.0, 4.0, -1.0], [0, 0.25, 0]),
    "other branch": (lambda x: T.switch(x <= 0, 0, T.log(x)), [0.0, 4.0, -1.0], [0, 0.25, 0]),
    "x log x": (lambda x: T.switch(x > 0, x * T.log(x), 0), [0.0, 1.0], [0, 1]),
    "division": (lambda x: T.switch(T.neq(x, 0), 1 / x, 0), [0.0, 2.0], [0, -0.25]),
    "overflow": (lambda x: T.switch(x < 100, T.exp(x), x), [0.0, 1000.0], [1, 1]),
    "chain": (lambda x: T.switch(x > 0, T.exp(T.sqrt(x)), 1.0), [0.0, 4.0], [0, np.exp(2) / 4]),
    "used twice": (lambda x: T.switch(x > 0, T.sqrt(x) + 1 / T.sqrt(x), 0), [0.0, 4.0], [0, 0.25 - 1 / 16]),
    "power": (lambda x: T.switch(x > 0, x ** 0.5, 0), [0.0, 4.0], [0, 0.25]),
    "arcsin": (lambda x: T.switch(T.abs(x) < 1, T.arcsin(x), 0), [1.0, 0.0, 2.0], [0, 1, 0]),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", BRANCHES)
def test_no_nan_from_the_branch_not_taken(name: str, mode: str) -> None:
    f, at, expected = BRANCHES[name]
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(gradient(f, at, mode), expected, rtol=1e-12)


KINKS: dict[str, Any] = {
    "abs": (T.abs, [0.0, -2.0, 3.0], [0, -1, 1]),
    "relu": (T.nnet.relu, [0.0, -2.0, 3.0], [0, 0, 1]),
    "sgn": (T.sgn, [0.0, 2.0], [0, 0]),
    "maximum": (lambda x: T.maximum(x, 1.0), [1.0, 0.0, 2.0], [0, 0, 1]),
    "maximum, left": (lambda x: T.maximum(1.0, x), [1.0, 0.0, 2.0], [1, 0, 1]),
    "minimum": (lambda x: T.minimum(x, 1.0), [1.0, 0.0, 2.0], [0, 1, 0]),
    "clip": (lambda x: T.clip(x, -1, 1), [-1.0, -2.0, 0.5, 1.0, 3.0], [1, 0, 1, 1, 0]),
    "sqrt": (T.sqrt, [0.0, 4.0], [np.inf, 0.25]),
    "max, tied": (T.max, [2.0, 1.0, 2.0], [1, 0, 1]),
    "min, tied": (T.min, [2.0, 1.0, 1.0], [0, 1, 1]),
    "maximum, both": (lambda x: T.maximum(x[:2], x[2:]), [1.0, 2.0, 1.0, 0.0], [0, 1, 1, 0]),
    "clip, the bounds": (lambda x: T.clip(np.array([0.0, 1.0, 3.0]), x[0], x[1]), [0.0, 1.0], [0, 1]),
    "sgn, of a sum": (lambda x: T.sgn(x) * x, [0.0, -2.0], [0, -1]),
    "rounding": (lambda x: T.floor(x) + T.ceil(x) + T.round(x) + T.trunc(x), [0.0, 0.5, 1.0], [0, 0, 0]),
    "norm": (lambda x: T.norm(x, 2), [0.0, 0.0], [0, 0]),
    "norm, of order 1": (lambda x: T.norm(x, 1), [0.0, -2.0], [0, -1]),
    "norm, of order 3": (lambda x: T.norm(x, 3), [0.0, 0.0], [0, 0]),
    "norm, largest": (lambda x: T.norm(x, np.inf), [-2.0, 2.0, 0.0], [-1, 1, 0]),
    "norm, linalg": (lambda x: T.nlinalg.norm(x), [0.0, 0.0], [0, 0]),
    "std": (T.std, [3.0, 3.0], [0, 0]),
    "hypot": (lambda x: T.hypot(x[0], x[1]), [0.0, 0.0], [0, 0]),
    "prod": (T.prod, [0.0, 2.0, 3.0], [6, 0, 0]),
    "cumprod": (T.cumprod, [2.0, 0.0, 3.0], [1, 8, 0]),
    "sinc": (T.sinc, [0.0, 1.0], [0, -1]),
    "sort, tied": (lambda x: T.sort(x) * np.array([1.0, 2.0]), [1.0, 1.0], [1, 2]),
    "square at zero": (lambda x: x ** 2, [0.0, 3.0], [0, 6]),
    "power zero": (lambda x: x ** 0, [0.0, 3.0], [0, 0]),
    "base zero": (lambda x: T.pow(0.0, x), [1.0, 2.0], [0, 0]),
    "softplus, far": (T.nnet.softplus, [-1e4, 0.0, 1e4], [0, 0.5, 1]),
    "sigmoid, far": (T.nnet.sigmoid, [-1e4, 0.0, 1e4], [0, 0.25, 0]),
    "tanh, far": (T.tanh, [-1e4, 0.0, 1e4], [0, 1, 0]),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", KINKS)
def test_what_is_chosen_at_kinks(name: str, mode: str) -> None:
    """At a kink: 0 for abs, the right operand's side for a tie of two, all of the tied elements for a reduction."""
    f, at, expected = KINKS[name]
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(gradient(f, at, mode), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("row", [[2.0, 3.0, 4.0], [2.0, 0.0, 4.0], [0.0, 0.0, 4.0], [0.0, 0.0, 0.0]], ids=str)
def test_product_of_zeros(row: list[float]) -> None:
    """The product of the other factors, exactly, however many are zero."""
    expected = [np.prod(np.delete(row, i)) for i in range(3)]
    np.testing.assert_allclose(gradient(lambda x: T.prod(x), row), expected)
    np.testing.assert_allclose(gradient(lambda x: T.prod(x, axis=1), [row, [1.0, 2.0, 3.0]])[0], expected)
    verify_grad(lambda x: T.prod(x, axis=0), [np.array(row)], 1)


def test_nothing_flows_through_integers() -> None:
    x = T.dvector("x")
    cost = T.sum(T.cast(T.cast(x, "int32"), "float64") * x)
    np.testing.assert_array_equal(compute([x], sg.grad(cost, x), [np.array([1.5, 2.5])]), [1, 2])


def test_gradients_have_the_dtype_of_what_they_are_taken_by() -> None:
    x, w = T.fvector("x"), T.dvector("w")
    gx, gw = sg.grad(T.sum(T.exp(x) * w), [x, w])
    assert (gx.type.dtype, gw.type.dtype) == ("float32", "float64")
    assert sg.grad(T.sum(T.cast(x, "float64") ** 2), x).type.dtype == "float32"
    half = T.hvector("half")
    assert sg.grad(T.mean(T.tanh(half) * 2), half).type.dtype == "float16"


@pytest.mark.parametrize(
    "name", ["exp", "log", "sqrt", "sqr", "tanh", "sigmoid", "softplus", "abs", "neg", "sin", "reciprocal"]
)
def test_single_precision_stays_single(name: str) -> None:
    """No Python number in a derivative widens float32, nor float16."""
    for dtype in ("float32", "float16"):
        x = TensorType(dtype, (None,))("x")
        out = sg.grad(T.sum(sg.grad(T.sum(getattr(T, name)(x)), x) * x), x)
        kinds: list[Any] = [v.type for node in sg.graph.toposort([out]) for v in node.outputs]
        assert {kind.dtype for kind in kinds if not kind.is_discrete} == {dtype}


def test_a_variable_used_in_many_ways() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 3)), rng.normal(size=3)
    verify_grad(lambda x, v: T.dot(x, v) * v + x[0] * T.sum(x, axis=1) + T.dot(x, x.T)[1], [a, b], order=2)


def test_broadcast_gradients_are_summed_back() -> None:
    rng = np.random.default_rng(1)
    shapes = [(3, 1), (1, 4), (4,), (), (1, 1)]
    verify_grad(lambda a, b, c, d, e: (a + b) * c * d + T.exp(e), [rng.normal(size=s) for s in shapes], order=2)


def test_alloc_is_not_stretched_at_run_time() -> None:
    x, n = T.dvector("x"), T.lscalar("n")
    f = sg.function([x, n], T.alloc(x, 2, n))
    np.testing.assert_array_equal(f(np.arange(3.0), 3), [[0, 1, 2]] * 2)
    with pytest.raises(ValueError, match="length 3"):
        f(np.ones(1), 3)
    np.testing.assert_array_equal(
        compute([x], sg.grad(T.sum(T.alloc(T.addbroadcast(x, 0), 2, 3)), x), [np.ones(1)]), [6])


def test_batches_are_not_stretched_at_run_time() -> None:
    a, b = T.dtensor3("a"), T.dtensor3("b")
    for mode in MODES:
        with pytest.raises(ValueError, match="do not fit together"):
            compute([a, b], T.matmul(a, b), [np.ones((1, 2, 3)), np.ones((4, 3, 2))], mode)


def test_arange_has_gradients_by_start_and_step() -> None:
    start, step = T.dscalar("start"), T.dscalar("step")
    out = T.arange(start, start + 3 * step, step)
    cost = T.sum(out * np.array([1.0, 10.0, 100.0]))
    gradients = compute([start, step], sg.grad(cost, [start, step]), [np.asarray(0.5), np.asarray(2.0)])
    np.testing.assert_allclose(gradients, [111, 210])


@pytest.mark.parametrize("axis", [0, 1, None], ids=str)
def test_standard_deviation(axis: Any) -> None:
    verify_grad(lambda x: T.std(x, axis=axis, ddof=1), [np.random.default_rng(2).normal(size=(3, 4))], order=2)


def test_statistics_keep_dtype() -> None:
    """float32 stays float32, float16 is accumulated in float32, integers become floatX."""
    for dtype, expected in (("float32", "float32"), ("float16", "float16"), ("int8", "float64"), ("bool", "float64")):
        x = TensorType(dtype, (None,))("x")
        assert [T.mean(x).type.dtype, T.var(x).type.dtype, T.std(x).type.dtype] == [expected] * 3
    many = np.full(5000, 20.0, "float16")  # their sum overflows half precision
    x = T.hvector("x")
    assert float(compute([x], T.mean(x), [many])) == 20
    with sg.config.change_flags(floatX="float32"):
        assert T.mean(T.ivector("i")).type.dtype == "float32"


def test_reductions_with_dtype_and_acc_dtype() -> None:
    x = T.bvector("x")
    for out, expected in ((T.sum(x), "int64"), (T.sum(x, dtype="int32"), "int32"),
    (T.sum(x, dtype="float32"), "float32"),
                          (T.prod(x, acc_dtype="float64"), "int64")):
        assert out.type.dtype == expected
        assert compute([x], out, [np.array([100, 100, 1], "int8")]).dtype == expected
    h = T.hvector("h")
    found = compute([h], T.sum(h, dtype="float16", acc_dtype="float32"), [np.ones(4096, "float16")])
    assert (found.dtype, float(found)) == (np.dtype("float16"), 4096.0)


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin"])
def test_extremes_of_nothing_are_refused(name: str) -> None:
    """When building, where the length is known; else when called, as NumPy does."""
    with pytest.raises(ValueError, match="empty"):
        getattr(T, name)(TensorType("float64", (0,))())
    x = T.dvector("x")
    for mode in MODES:
        with pytest.raises(ValueError, match=r"empty|zero-size"):
            compute([x], getattr(T, name)(x), [np.zeros(0)], mode)


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin", "sum", "prod"])
def test_nan_in_reductions(name: str) -> None:
    """NaN wins, as in NumPy."""
    x = T.dmatrix("x")
    values = np.array([[1.0, np.nan, -np.inf], [np.inf, -0.0, 0.0]])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(
            compute([x], getattr(T, name)(x, axis=0), [values]), getattr(np, name)(values, axis=0)
        )
        np.testing.assert_array_equal(compute([x], getattr(T, name)(x), [values]), getattr(np, name)(values))


@pytest.mark.parametrize("mode", MODES)
def test_softmax_of_extremes(mode: str) -> None:
    x = T.dmatrix("x")
    values = np.array([[1e4, 0.0, -1e4], [-np.inf, 0.0, 0.0], [3.0, 3.0, 3.0]])
    p, logs, total = compute([x], [T.nnet.softmax(x), T.nnet.logsoftmax(x), T.logsumexp(x, axis=1)], [values], mode)
    np.testing.assert_allclose(p, np.array([[1, 0, 0], [0, 0.5, 0.5], [1 / 3] * 3]))
    np.testing.assert_allclose(logs[0], [0, -1e4, -2e4])
    np.testing.assert_allclose(total, [1e4, np.log(2), 3 + np.log(3)])
    assert np.isneginf(compute([x], T.logsumexp(x), [np.full((1, 2), -np.inf)], mode))


def hessian(f: Any, at: Any, mode: str) -> Any:
    """All second derivatives of a scalar function of a vector."""
    x = T.dvector("x")
    first = sg.grad(f(x), x)
    rows = [sg.grad(first[i], x, disconnected_inputs="ignore") for i in range(len(at))]
    return np.array(compute([x], rows, [np.array(at)], mode))


def _products(at: list[float]) -> Any:
    """The second derivatives of a product: that of all factors but two."""
    return [[0 if i == j else np.prod(np.delete(at, [i, j])) for j in range(len(at))] for i in range(len(at))]


SECOND: dict[str, Any] = {
    **{f"prod of {at}": (T.prod, at, _products(at)) for at in (
        [2.0, 3.0, 4.0], [0.0, 3.0, 4.0], [0.0, 0.0, 4.0], [0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 5.0])},
    "prod over two axes": (lambda x: T.prod(x.reshape((2, 2)), axis=(0, 1)), [0.0, 2.0, 0.0, 5.0],
                           _products([0.0, 2.0, 0.0, 5.0])),
    "cumprod": (lambda x: T.sum(T.cumprod(x)), [0.0, 0.0, 3.0], [[0, 4, 0], [4, 0, 0], [0, 0, 0]]),
    "sinc at 0": (lambda x: T.sum(T.sinc(x)), [0.0], [[-np.pi ** 2 / 3]]),
    "sinc near 0": (lambda x: T.sum(T.sinc(x)), [1e-9], [[-np.pi ** 2 / 3]]),
    "square at 0": (lambda x: T.sum(x ** 2), [0.0], [[2]]),
    "cube at 0": (lambda x: T.sum(x ** 3), [0.0], [[0]]),
    "base and exponent 0": (lambda x: x[0] ** x[1], [2.0, 0.0], [[0, 0.5], [0.5, np.log(2) ** 2]]),
    "x log y at x = 0": (lambda x: T.xlogy0(x[0], x[1]), [0.0, 2.0], [[0, 0.5], [0.5, 0]]),
    "spherical Bessel": (lambda x: T.spherical_jn(2, x[0]), [0.0], [[2 / 15]]),
    "max, tied": (lambda x: T.max(x) ** 2, [1.0, 1.0], [[2, 2], [2, 2]]),
    "relu at 0": (lambda x: T.sum(T.nnet.relu(x) ** 2), [0.0, 1.0], [[0, 0], [0, 2]]),
    "softplus": (lambda x: T.sum(T.nnet.softplus(x)), [0.0], [[0.25]]),
}


@pytest.mark.parametrize("mode", ["FAST_RUN", "None"])
@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives_where_they_are_delicate(name: str, mode: str) -> None:
    f, at, expected = SECOND[name]
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(hessian(f, at, mode), expected, rtol=1e-10, atol=1e-10)
