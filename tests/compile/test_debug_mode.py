"""DebugMode finds what is wrong with operations, rules and lowerings, and is silent where nothing is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.numpy.lowering import LOWERINGS
from symgraph import scalar
from symgraph.compile.debug import (
    BadDestroyMap,
    BadOptimization,
    BadThunkOutput,
    BadViewMap,
    DebugModeError,
    InvalidValueError,
)
from symgraph.graph.rewrite import Rule, RuleSet, rewrite_rule
from symgraph.tensor.elemwise import Elemwise

DATA = np.array([1.0, 2.0, 3.0])


class UserOp(sg.Op):
    """An operation of the user's whose `perform` is given."""

    __props__ = ("function",)

    def __init__(self, function: Any, destroys: Any = False) -> None:
        self.function = function
        if destroys:
            self.destroy_map = {0: [0]}  # type: ignore[misc]

    def make_node(self, *inputs: Any) -> Any:
        return sg.Apply(self, inputs, [inputs[0].type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        output_storage[0][0] = self.function(*inputs)

    def __str__(self) -> Any:
        return "mine"


def debugged(expression: Any, inputs: Any, updates: Any = (), name: Any = "f") -> Any:
    return sg.function(inputs, expression, updates=updates, mode="DebugMode", name=name)


@pytest.fixture
def x() -> Any:
    return T.dvector("x")


# ---- operations -------------------------------------------------------------------------------------------------


def doubled_in_place(v: Any) -> Any:
    v *= 2
    return v.copy()


def test_an_operation_that_changes_its_input(x: Any) -> None:
    s = sg.shared(DATA, "s")
    with pytest.raises(BadDestroyMap, match=r"mine changed its input x.*most at \[2\]: 3 and 6") as caught:
        debugged(UserOp(doubled_in_place)(x), [x], [(s, s + x)])(DATA.copy())
    assert "step 0 of function 'f'" in str(caught.value)
    assert "test_debug_mode.py" in str(caught.value)
    np.testing.assert_array_equal(s.get_value(), DATA)


def test_an_operation_that_changes_a_shared_value_or_a_constant_or_an_intermediate_result(x: Any) -> None:
    s = sg.shared(DATA.copy(), "s")
    op = UserOp(doubled_in_place)
    with pytest.raises(BadDestroyMap, match="its input s"):
        debugged(op(s), [])()
    y = T.exp(x)
    with pytest.raises(BadDestroyMap, match="changed its input"):
        debugged([op(y), y], [x])(DATA)


def test_an_operation_that_says_it_destroys_is_given_a_copy(x: Any) -> None:
    f = debugged([UserOp(doubled_in_place, destroys=True)(x), x + 1], [x])
    data = DATA.copy()
    np.testing.assert_array_equal(f(data)[0], 2 * DATA)
    np.testing.assert_array_equal(data, DATA)


def test_an_operation_that_changes_what_it_does_not_read(x: Any) -> None:
    elsewhere = sg.shared(DATA.copy(), "elsewhere")

    def spoil(v: Any) -> Any:
        elsewhere.get_value(borrow=True)[0] = -1
        return v.copy()

    with pytest.raises(BadDestroyMap, match="does not even read, elsewhere"):
        debugged(UserOp(spoil)(x) + elsewhere, [x])(DATA)


def test_a_result_of_another_static_shape() -> None:
    m = T.TensorType("float64", (None, 3))("m")
    with pytest.raises(InvalidValueError, match=r"gave float64 of shape \(2, 2\).* instead of float64\[\?,3\]"):
        debugged(UserOp(lambda v: v[:, :2].copy())(m), [m])(np.ones((2, 3)))


def test_a_wrong_lowering(x: Any, monkeypatch: Any) -> None:
    def wrong(renderer: Any, node: Any, args: Any, target: Any, out: Any) -> Any:
        return f"({right(renderer, node, args, target, None)}) * 1.5"

    right = LOWERINGS[Elemwise]
    monkeypatch.setitem(LOWERINGS, Elemwise, wrong)
    with pytest.raises(BadThunkOutput, match=r"output 0 of exp is .* but its perform gives"):
        debugged(T.exp(x), [x])(DATA)


def test_a_lowering_that_hands_on_its_input(x: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(LOWERINGS, Elemwise, lambda r, node, args, target, out: args[0])
    with pytest.raises(BadViewMap, match="shares memory with its input x, but its view_map does not say so"):
        debugged(abs(x), [x])(DATA)


# ---- rules ------------------------------------------------------------------------------------------------------


def only_rule(monkeypatch: Any, *rules: Any) -> None:
    phase = RuleSet("broken", rules)
    monkeypatch.setattr("symgraph.compile.build.phases", lambda mode: () if mode.optimizer is None else (phase,))


@rewrite_rule(Elemwise)
def tanh_to_sinh(node: Any) -> Any:
    """Wrong on purpose."""
    return T.sinh(node.inputs[0]) if node.op.scalar.name == "tanh" else None


@rewrite_rule(Elemwise)
def cosh_to_itself(node: Any) -> Any:
    """Right, and harmless."""
    x = node.inputs[0]
    return (T.exp(x) + T.exp(-x)) / 2 if node.op.scalar.name == "cosh" else None


def test_a_wrong_rule_is_named(x: Any, monkeypatch: Any) -> None:
    only_rule(monkeypatch, tanh_to_sinh, cosh_to_itself)
    s = sg.shared(0.0, "s")
    f = debugged(T.cosh(x) + T.tanh(x) * 2, [x], [(s, s + x.sum())])
    assert {one.rule for one in f.fired} == {"tanh_to_sinh", "cosh_to_itself"}
    with pytest.raises(BadOptimization) as caught:
        f(DATA)
    text = str(caught.value)
    assert len(text.splitlines()) <= 12
    assert "output 0 of function 'f'" in text
    assert "broken/tanh_to_sinh: tanh(x) -> sinh(x)" in text
    assert "cosh_to_itself" not in text
    assert "test_debug_mode.py" in text
    assert s.get_value() == 0


def test_a_wrong_rule_in_an_update_or_a_state(x: Any, monkeypatch: Any) -> None:
    only_rule(monkeypatch, tanh_to_sinh)
    s, n = sg.shared(np.zeros(3), "s"), T.dvector("n")
    f = debugged([], [x], [(s, T.tanh(x))])
    with pytest.raises(BadOptimization, match="the update of s of function 'f'"):
        f(DATA)
    np.testing.assert_array_equal(s.get_value(), np.zeros(3))
    g = debugged([], [x, sg.In(n, value=np.zeros(3), update=T.tanh(x))])
    with pytest.raises(BadOptimization, match="the update of n"):
        g(DATA)
    np.testing.assert_array_equal(g["n"], np.zeros(3))


def test_a_rule_that_makes_a_number_out_of_a_variable(monkeypatch: Any) -> None:
    @rewrite_rule(Elemwise)
    def all_is_zero(node: Any) -> Any:
        return T.constant(0.0) if node.outputs[0].type.ndim == 0 else None

    only_rule(monkeypatch, all_is_zero)
    z = T.dscalar("z")
    f = debugged(T.exp(z), [z])
    assert not f.plan.steps
    with pytest.raises(BadOptimization, match="all_is_zero"):
        f(1.0)


def test_the_pattern_of_a_wrong_law_is_named(x: Any, monkeypatch: Any) -> None:
    from symgraph.rewrites.patterns import Hole
    from symgraph.tensor.elemwise import elemwise

    hole = Hole("x")
    log, exp = elemwise(scalar.log), elemwise(scalar.exp)
    only_rule(monkeypatch, Rule("log_of_exp", log(exp(hole)), hole + 1))
    with pytest.raises(BadOptimization, match="log_of_exp"):
        debugged(T.log(T.exp(x)), [x])(DATA)


# ---- nothing wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("expression", "data", "truth"), [
    (lambda x: T.log(1 + T.exp(x)), [800.0, 0.0], [800.0, np.log(2)]),
    (lambda x: (T.exp(x) - 1) / x, [1e-20, 1.0], [1.0, np.e - 1]),
    (lambda x: T.log(T.nnet.softmax(x)), [1000.0, 0.0], [[0.0, -1000.0]]),
    (lambda x: T.log(1 + x) / x, [1e-20, 1e-18], [1.0, 1.0]),
])
def test_stabilising_laws_may_be_better_than_what_was_written(x: Any, expression: Any, data: Any, truth: Any) -> None:
    np.testing.assert_allclose(debugged(expression(x), [x])(data), truth)


def test_nan_results_are_compared_as_equal(x: Any) -> None:
    f = debugged(T.sqrt(x) * 2, [x])
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(f([-1.0, 4.0]), [np.nan, 4])


def test_updates_are_committed_once(x: Any) -> None:
    s = sg.shared(0.0, "s")
    f = debugged(s, [x], [(s, s + x.sum())])
    assert [float(f(DATA)) for _ in range(3)] == [0, 6, 12]
    assert s.get_value() == 18


def test_ordinary_errors_stay_ordinary(x: Any) -> None:
    t = T.dvector("t")
    with pytest.raises(ValueError, match="do not fit") as caught:
        debugged(x + t, [x, t])(np.ones(2), np.ones(3))
    assert not isinstance(caught.value, DebugModeError)
    assert "built at test_debug_mode.py" in caught.value.__notes__[0]


def test_mutable_and_borrowed_inputs(x: Any) -> None:
    f = sg.function([sg.In(x, mutable=True)], [T.exp(x) + 1, sg.Out(x, borrow=True)], mode="DebugMode")
    np.testing.assert_allclose(f(DATA.copy())[0], np.exp(DATA) + 1)
