"""verify_grad, numeric_grad and assert_same_graph find what they are there to find, and say it clearly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.testing import GradientError, assert_same_graph, numeric_grad, verify_grad


class Cube(sg.Op):
    """x ** 3, with a gradient that may be wrong."""

    __props__ = ("factor",)

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def make_node(self, x: Any) -> sg.Apply:
        x = T.as_tensor_variable(x)
        return sg.Apply(self, [x], [x.type()])

    def perform(self, node: sg.Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = inputs[0] ** 3

    def L_op(self, inputs: Any, outputs: Any, output_gradients: Any) -> Any:
        return [self.factor * inputs[0] ** 2 * output_gradients[0]]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_right_gradient_passes(dtype: str) -> None:
    verify_grad(Cube(3.0), [np.array([0.5, -1.0, 2.0], dtype)])


def test_a_wrong_gradient_is_named() -> None:
    with pytest.raises(GradientError, match=r"argument 1 \(shape \(2,\)\) is wrong at index \(1,\)") as caught:
        verify_grad(lambda a, b: a + Cube(3.1)(b), [np.zeros(2), np.array([0.0, 2.0])])
    error = caught.value
    assert (error.argument, error.index) == (1, (1,))
    np.testing.assert_allclose(abs(error.analytic / error.numeric), 3.1 / 3, rtol=1e-6)
    assert "symbolic" in str(error)
    assert "finite differences" in str(error)


def test_an_error_of_one_in_a_thousand_is_seen_in_double_precision_only() -> None:
    with pytest.raises(GradientError):
        verify_grad(Cube(3.003), [np.array([1.0])])
    verify_grad(Cube(3.003), [np.array([1.0], "float32")])
    verify_grad(Cube(3.003), [np.array([1.0])], rel_tol=1e-2)


def test_nan_in_a_gradient_fails() -> None:
    with np.errstate(all="ignore"), pytest.raises(GradientError):
        verify_grad(lambda x: Cube(float("nan"))(x), [np.array([1.0])])


def test_second_order_looks_at_the_gradient_s_gradient() -> None:
    class FirstOnly(Cube):
        def L_op(self, inputs: Any, outputs: Any, output_gradients: Any) -> Any:
            return [sg.disconnected_grad(3.0 * inputs[0] ** 2) * output_gradients[0]]

    verify_grad(FirstOnly(3.0), [np.array([1.0])])
    with pytest.raises(GradientError):
        verify_grad(FirstOnly(3.0), [np.array([1.0])], order=2)


def test_every_mode_and_out_type() -> None:
    for mode in ("FAST_RUN", "FAST_COMPILE", "None"):
        verify_grad(T.tanh, [np.array([0.1, 2.0])], mode=mode, rng=np.random.default_rng(0))
    verify_grad(T.tanh, [np.array([0.1, 0.7])], out_type="float32")
    verify_grad(lambda x: [T.exp(x)], [np.array(0.5)], rng=np.random.RandomState(3))


def test_what_cannot_be_checked_is_refused() -> None:
    with pytest.raises(TypeError, match="argument 0 must be of floats, not int64"):
        verify_grad(T.exp, [np.array([1, 2])])
    with pytest.raises(TypeError, match="one output at a time"):
        verify_grad(lambda x: [x, x], [np.array(1.0)])
    with pytest.raises(TypeError, match="only floats"):
        verify_grad(lambda x: x > 0, [np.array(1.0)])
    with pytest.raises(ValueError, match="order must be 1 or 2"):
        verify_grad(T.exp, [np.array(1.0)], order=3)


def test_numeric_grad() -> None:
    a, b = np.array([[1.0, 2.0]]), np.array(3.0)
    before = a.copy()
    ga, gb = numeric_grad(lambda x, y: (x ** 2).sum() * y, [a, b])
    np.testing.assert_allclose(ga, [[6, 12]], rtol=1e-6)
    np.testing.assert_allclose(gb, 5, rtol=1e-6)
    np.testing.assert_array_equal(a, before)
    with pytest.raises(TypeError, match="of floats"):
        numeric_grad(lambda x: x, [np.array(1)])


def test_same_graphs_are_the_same() -> None:
    x, y = T.dmatrices("x", "y")
    assert_same_graph(T.log(1 + x[0, 1:]) @ np.eye(3), T.log(1 + x[0, 1:]) @ np.eye(3))
    assert_same_graph([x, y], [x, y])
    assert_same_graph(T.exp(x) + 2, T.exp(y) + 2, {x: y})
    deep_a = deep_b = x
    for _ in range(5000):
        deep_a, deep_b = T.exp(deep_a), T.exp(deep_b)
    assert_same_graph(deep_a, deep_b)


@pytest.mark.parametrize(("a", "b", "why"), [
    (lambda x, y: T.exp(x), lambda x, y: T.log(x), "the operations exp .* and log"),
    (lambda x, y: x + 1, lambda x, y: x + 2, "constants 1.0 and 2.0 differ"),
    (lambda x, y: x - y, lambda x, y: y - x, "not the same variable"),
    (lambda x, y: T.sum(x, axis=0), lambda x, y: T.sum(x, axis=1), "operations sum"),
    (lambda x, y: T.exp(x), lambda x, y: x, "not the same variable"),
    (lambda x, y: x + 1, lambda x, y: x + T.constant(np.ones(1)), "types of"),
    (lambda x, y: [x], lambda x, y: [x, y], "1 outputs against 2"),
])
def test_different_graphs_are_shown(a: Any, b: Any, why: str) -> None:
    x, y = T.dmatrices("x", "y")
    with pytest.raises(AssertionError, match=why) as caught:
        assert_same_graph(a(x, y), b(x, y))
    if "against" not in why:
        assert "--- first:" in str(caught.value)
        assert "--- second:" in str(caught.value)
