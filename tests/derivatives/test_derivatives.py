"""jacobian, hessian and hessian_vector_product, against formulas and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symgraph as sg
import symgraph.tensor as T
from symgraph.errors import DisconnectedInputError
from symgraph.graph.traversal import toposort
from symgraph.vectorize import Looped

MODES = ["FAST_RUN", "FAST_COMPILE", "None", "DebugMode"]


def differences(f: Any, x: Any, step: float = 1e-6) -> Any:
    """Derivatives of f by all elements of x, in the shape of f followed by that of x."""
    columns = []
    for place in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        columns.append((f(up) - f(down)) / (2 * step))
    return np.stack(columns, -1).reshape(*columns[0].shape, *x.shape)


@pytest.mark.parametrize("mode", MODES)
def test_jacobian_by_tensors_of_any_rank(mode: str) -> None:
    x, A, s = T.dvector("x"), T.dmatrix("A"), T.dscalar("s")
    y = T.tanh(A @ x) * s
    f = sg.function([x, A, s], sg.jacobian(y, [x, A, s]), mode=mode)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=3), rng.normal(size=(2, 3))
    by_x, by_A, by_s = f(a, b, 2.0)
    slope = 2.0 * (1 - np.tanh(b @ a) ** 2)
    np.testing.assert_allclose(by_x, slope[:, None] * b)
    np.testing.assert_allclose(by_A, slope[:, None, None] * np.eye(2)[:, :, None] * a)
    np.testing.assert_allclose(by_s, np.tanh(b @ a))


def test_jacobian_needs_no_loop() -> None:
    x, W = T.dvector("x"), T.dmatrix("W")
    J = sg.jacobian(T.nnet.sigmoid(T.exp(x @ W)[1:]).cumsum(), [x, W])
    assert not [node for node in toposort(J) if isinstance(node.op, Looped)]


def test_results_come_in_the_form_of_wrt() -> None:
    x, y = T.dvectors("x", "y")
    assert isinstance(sg.jacobian(x * y, x), sg.Variable)
    assert isinstance(sg.jacobian(x * y, (x, y)), tuple)
    assert isinstance(sg.hessian((x * y).sum(), [x, y]), list)
    assert isinstance(sg.hessian_vector_product((x ** 2).sum(), [x], [y]), list)
    assert isinstance(sg.hessian_vector_product((x ** 2).sum(), x, y), sg.Variable)


def test_jacobian_of_a_scalar_is_the_gradient() -> None:
    x = T.dmatrix("x")
    value = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(sg.jacobian((x ** 2).sum(), x).eval({x: value}), 2 * value)


def test_jacobian_of_what_does_not_depend() -> None:
    x, y = T.dvectors("x", "y")
    with pytest.raises(DisconnectedInputError):
        sg.jacobian(x * 2, [x, y])
    _, by_y = sg.jacobian(x * 2, [x, y], disconnected_inputs="ignore")
    values = {x: np.ones(2), y: np.ones(3)}
    np.testing.assert_array_equal(by_y.eval(values), np.zeros((2, 3)))
    constant = sg.jacobian(x * y, x, consider_constant=[y])
    np.testing.assert_array_equal(constant.eval({x: np.ones(2), y: np.array([2.0, 3.0])}), np.diag([2.0, 3.0]))


def test_float32_stays_float32() -> None:
    x = T.fvector("x")
    assert sg.jacobian(T.exp(x), x).type.dtype == "float32"
    assert sg.hessian(T.exp(x).sum(), x).type.dtype == "float32"


@pytest.mark.parametrize("mode", MODES)
def test_hessian_against_a_formula(mode: str) -> None:
    x, A = T.dvector("x"), T.dmatrix("A")
    cost = T.exp(x @ A @ x)
    rng = np.random.default_rng(0)
    v, m = rng.normal(size=3) * 0.3, rng.normal(size=(3, 3))
    found = sg.function([x, A], sg.hessian(cost, x), mode=mode)(v, m)
    s, g = m + m.T, (m + m.T) @ v
    np.testing.assert_allclose(found, np.exp(v @ m @ v) * (s + np.outer(g, g)), rtol=1e-10)


def test_hessian_of_a_linear_cost_is_zero() -> None:
    x, y = T.dvectors("x", "y")
    H = sg.hessian((x * y).sum() + (y ** 2).sum(), [x, y])
    values = {x: np.ones(3), y: np.ones(3)}
    np.testing.assert_array_equal(H[0].eval(values), np.zeros((3, 3)))
    np.testing.assert_array_equal(H[1].eval(values), 2 * np.eye(3))


@pytest.mark.parametrize("mode", MODES)
def test_hessian_vector_product_over_several_tensors(mode: str) -> None:
    """Together they are one long vector: the product holds the mixed derivatives too."""
    x, A, v, V = T.dvector("x"), T.dmatrix("A"), T.dvector("v"), T.dmatrix("V")
    cost = (T.tanh(A @ x) ** 2).sum()
    rng = np.random.default_rng(0)
    values = [rng.normal(size=s) for s in ((3,), (2, 3), (3,), (2, 3))]
    product = sg.function([x, A, v, V], sg.hessian_vector_product(cost, [x, A], [v, V]), mode=mode)(*values)
    gradient = sg.function([x, A], sg.grad(cost, [x, A]))
    e = 1e-6
    up = gradient(values[0] + e * values[2], values[1] + e * values[3])
    down = gradient(values[0] - e * values[2], values[1] - e * values[3])
    for found, a, b in zip(product, up, down, strict=True):
        np.testing.assert_allclose(found, (a - b) / (2 * e), atol=1e-7)


def test_bad_input() -> None:
    x, A, i = T.dvector("x"), T.dmatrix("A"), T.lvector("i")
    with pytest.raises(ValueError, match="must be a vector or a scalar"):
        sg.jacobian(A, A)
    with pytest.raises(TypeError, match="real floating dtype"):
        sg.jacobian(i, x)
    with pytest.raises(TypeError, match="must be a symbolic tensor"):
        sg.jacobian([1.0, 2.0], x)
    with pytest.raises(TypeError, match="must be a scalar"):
        sg.hessian(x, x)
    with pytest.raises(ValueError, match="A must be a vector"):
        sg.hessian(A.sum(), A)
    with pytest.raises(ValueError, match="2 variables, but there are 1 vectors"):
        sg.hessian_vector_product((A @ x).sum(), [A, x], [x])
    with pytest.raises((TypeError, ValueError), match="eval point"):
        sg.hessian_vector_product((x ** 2).sum(), x, A)


def test_theano_s_names() -> None:
    assert sg.gradient.jacobian is sg.jacobian
    assert sg.gradient.hessian is sg.hessian
    assert sg.gradient.hessian_vector_product is sg.hessian_vector_product


STEPS = {
    "tanh": T.tanh, "softplus": T.nnet.softplus, "square": lambda v: v ** 2, "reversed": lambda v: v[::-1],
    "cumsum": lambda v: v.cumsum(), "softmax": lambda v: T.nnet.softmax(v.dimshuffle("x", 0))[0],
    "times sum": lambda v: v * v.sum(), "normed": lambda v: v / T.sqrt(1 + (v ** 2).sum()),
    "mixed": lambda v: v @ T.as_tensor_variable(np.cos(np.arange(16.0)).reshape(4, 4)),
    "picked": lambda v: v[np.array([1, 0, 3, 3])], "sorted": lambda v: T.sort(v),
    "written": lambda v: T.set_subtensor(v[1:3], v[:2] * v[2:]), "stacked": lambda v: T.stack([v, v * v]).sum(axis=0),
    "switched": lambda v: T.switch(v > 0, v, T.exp(v)), "convolved": lambda v: T.concatenate([v[1:], v[:1]]) * v,
}


def check_random_program(names: list[str], seed: int) -> None:
    x, p = T.dvectors("x", "p")
    y = x
    for name in names:
        y = STEPS[name](y)
    rng = np.random.default_rng(seed)
    value, direction = rng.uniform(-1, 1, 4), rng.normal(size=4)
    cost = T.tanh(y).sum()
    results = [sg.jacobian(y, x), sg.hessian(cost, x), sg.hessian_vector_product(cost, x, p)]
    compiled = sg.function([x, p], results, mode="FAST_COMPILE", on_unused_input="ignore")
    J, H, product = compiled(value, direction)
    f = sg.function([x], [y, sg.grad(cost, x)], mode="FAST_COMPILE")
    np.testing.assert_allclose(J, differences(lambda v: f(v)[0], value), atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(H, differences(lambda v: f(v)[1], value), atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(product, H @ direction, atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("names", [["convolved", "convolved", "switched"]])  # a mask is written into a mask
def test_programs_that_failed(names: list[str]) -> None:
    check_random_program(names, 0)


PROGRAMS = st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=4)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(PROGRAMS, st.integers(0, 2 ** 32 - 1))
def test_random_programs_against_differences(names: list[str], seed: int) -> None:
    check_random_program(names, seed)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(PROGRAMS, st.integers(0, 2 ** 32 - 1))
def test_many_random_programs_against_differences(names: list[str], seed: int) -> None:
    check_random_program(names, seed)
