"""ifelse: the right value, the right gradient, and nothing of the branch that is not taken."""

from __future__ import annotations

import pickle
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symgraph as sg
import symgraph.tensor as T
from symgraph.ifelse import ifelse
from symgraph.plan import LazyIfElse

MODES = ["FAST_RUN", "FAST_COMPILE", "None", "DebugMode"]

calls: Counter[str] = Counter()


class Counted(sg.Op):
    """The sine, counting its calls."""

    __props__ = ("label",)

    def __init__(self, label: str) -> None:
        self.label = label

    def make_node(self, x: Any) -> Any:
        x = T.as_tensor_variable(x)
        return sg.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        calls[self.label] += 1
        output_storage[0][0] = np.sin(inputs[0])

    def L_op(self, inputs: Any, outputs: Any, output_gradients: Any) -> Any:
        return [output_gradients[0] * Counted(self.label + "'")(inputs[0] + np.pi / 2)]


class Forbidden(sg.Op):
    """It must not be computed."""

    __props__ = ()
    itypes, otypes = [T.dvector], [T.dvector]

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        raise AssertionError("computed")


def called() -> set[str]:
    found = set(calls)
    calls.clear()
    return found


VALUE = np.array([0.1, 0.2, 0.3])


@pytest.mark.parametrize("mode", MODES)
def test_only_the_branch_taken_is_computed(mode: str) -> None:
    c, x = T.dscalar("c"), T.dvector("x")
    y = ifelse(c, Counted("A")(T.exp(x)) * 2, Counted("B")(x + 1))
    f = sg.function([c, x], y, mode=mode)
    called()
    np.testing.assert_allclose(f(1.0, VALUE), 2 * np.sin(np.exp(VALUE)))
    assert called() == {"A"}
    np.testing.assert_allclose(f(0.0, VALUE), np.sin(VALUE + 1))
    assert called() == {"B"}


@pytest.mark.parametrize("mode", MODES)
def test_gradients_are_as_lazy(mode: str) -> None:
    c, x = T.dscalar("c"), T.dvector("x")
    A, B = Counted("A"), Counted("B")
    y = ifelse(c > 0, A(T.exp(A(x))) * x, B(x + 1))
    f = sg.function([c, x], [y, sg.grad(y.sum(), x)], mode=mode)
    called()
    inner = np.exp(np.sin(VALUE))
    value, gradient = f(1.0, VALUE)
    np.testing.assert_allclose(value, np.sin(inner) * VALUE)
    np.testing.assert_allclose(gradient, np.cos(inner) * inner * np.cos(VALUE) * VALUE + np.sin(inner))
    assert called() == {"A", "A'"}
    value, gradient = f(-1.0, VALUE)
    np.testing.assert_allclose(gradient, np.cos(VALUE + 1))
    assert called() == {"B", "B'"}


def test_the_backward_pass_reuses_what_the_branch_has_computed() -> None:
    c, x = T.dscalar("c"), T.dvector("x")
    h = Counted("A")(x)
    y = ifelse(c, h * h, x)
    f = sg.function([c, x], [y, sg.grad(y.sum(), x)])
    called()
    f(1.0, VALUE)
    assert calls["A"] == 1
    calls.clear()


@pytest.mark.parametrize("mode", MODES)
def test_nested(mode: str) -> None:
    c, d, x = T.dscalar("c"), T.dscalar("d"), T.dvector("x")
    inner = ifelse(d > 0, Counted("A")(x), Counted("B")(x))
    y = ifelse(c > 0, inner, Counted("C")(x))
    f = sg.function([c, d, x], [y, sg.grad((y ** 2).sum(), x)], mode=mode)
    called()
    for signs, wanted in (((1, 1), "A"), ((1, -1), "B"), ((-1, 1), "C"), ((-1, -1), "C")):
        value, gradient = f(*signs, VALUE)
        assert called() == {wanted, wanted + "'"}
        np.testing.assert_allclose(value, np.sin(VALUE))
        np.testing.assert_allclose(gradient, 2 * np.sin(VALUE) * np.cos(VALUE))


@pytest.mark.parametrize("mode", MODES)
def test_second_derivatives(mode: str) -> None:
    c, x = T.dscalar("c"), T.dvector("x")
    y = ifelse(c > 0, Counted("A")(x), Counted("B")(x) ** 2)
    H = sg.grad(sg.grad(y.sum(), x).sum(), x)
    f = sg.function([c, x], H, mode=mode)
    called()
    np.testing.assert_allclose(f(1.0, VALUE), -np.sin(VALUE))
    assert {name[0] for name in called()} == {"A"}
    np.testing.assert_allclose(f(-1.0, VALUE), 2 * np.cos(2 * VALUE))
    assert {name[0] for name in called()} == {"B"}


@pytest.mark.parametrize("mode", MODES)
def test_forward_derivatives(mode: str) -> None:
    c, x, v = T.dscalar("c"), T.dvector("x"), T.dvector("v")
    y = ifelse(c > 0, T.exp(x), 2 * x[::-1])
    f = sg.function([c, x, v], sg.Rop(y, x, v), mode=mode)
    point = np.array([1.0, 10.0, 100.0])
    np.testing.assert_allclose(f(1.0, VALUE, point), np.exp(VALUE) * point)
    np.testing.assert_allclose(f(-1.0, VALUE, point), 2 * point[::-1])
    one_sided = sg.Rop(ifelse(c > 0, x, T.zeros_like(x)), x, v)
    np.testing.assert_allclose(one_sided.eval({c: -1.0, x: VALUE, v: point}), np.zeros(3))


@pytest.mark.parametrize("mode", MODES)
def test_what_both_branches_or_others_need_is_computed_once(mode: str) -> None:
    c, x = T.dscalar("c"), T.dvector("x")
    shared, outside = Counted("S")(x), Counted("O")(x + 1)
    y = ifelse(c, shared * 2, shared * 3)
    z = ifelse(c, outside, x)
    f = sg.function([c, x], [y, z, outside], mode=mode)
    called()
    f(1.0, VALUE)
    f(0.0, VALUE)
    once = 3 if mode == "DebugMode" else 1
    assert calls["S"] <= 2 * once
    assert calls["O"] <= 2 * once
    calls.clear()


@pytest.mark.parametrize("mode", MODES)
def test_several_outputs_and_updates(mode: str) -> None:
    c, x = T.iscalar("c"), T.dvector("x")
    state = sg.shared(np.zeros(3), name="state")
    a, b = ifelse(c, (x + 1, Counted("A")(x)), (x * 2, Counted("B")(state)), name="pair")
    f = sg.function([c, x], [a, b], updates=[(state, ifelse(c, state + x, state))], mode=mode)
    called()
    first, second = f(1, VALUE)
    np.testing.assert_allclose(first, VALUE + 1)
    np.testing.assert_allclose(second, np.sin(VALUE))
    np.testing.assert_allclose(state.get_value(), VALUE)
    assert called() == {"A"}
    first, second = f(0, VALUE)
    np.testing.assert_allclose(first, VALUE * 2)
    np.testing.assert_allclose(second, np.sin(VALUE))
    np.testing.assert_allclose(state.get_value(), VALUE)
    assert called() == {"B"}


def test_the_form_is_that_of_the_branches() -> None:
    c, x = T.bscalar("c"), T.dvector("x")
    assert isinstance(ifelse(c, x, x), sg.Variable)
    assert isinstance(ifelse(c, [x], [x]), list)
    assert isinstance(ifelse(c, (x, x), (x, x)), tuple)


@pytest.mark.parametrize("mode", MODES)
def test_gradients_by_what_a_branch_reads(mode: str) -> None:
    """An intermediate variable, whether or not something else reads it."""
    c, x = T.dscalar("c"), T.dvector("x")
    h = T.tanh(x)
    y = ifelse(c > 0, h ** 2, x)
    f = sg.function([c, x], sg.grad(y.sum(), h), mode=mode)
    np.testing.assert_allclose(f(1.0, VALUE), 2 * np.tanh(VALUE))
    np.testing.assert_allclose(f(-1.0, VALUE), np.zeros(3))


@pytest.mark.parametrize("mode", MODES)
def test_branches_of_different_lengths(mode: str) -> None:
    c, x, y = T.dscalar("c"), T.dvector("x"), T.dvector("y")
    z = ifelse(c > 0, T.exp(x), y * 2)
    f = sg.function([c, x, y], [z.sum(), z.shape[0], *sg.grad(z.sum(), [x, y])], mode=mode)
    a, b = np.arange(2.0), np.arange(5.0)
    total, length, gx, gy = f(1.0, a, b)
    assert (float(total), int(length)) == (float(np.exp(a).sum()), 2)
    np.testing.assert_allclose(gx, np.exp(a))
    np.testing.assert_allclose(gy, np.zeros(5))
    total, length, gx, gy = f(-1.0, a, b)
    assert (float(total), int(length)) == (20.0, 5)
    np.testing.assert_allclose(gx, np.zeros(2))
    np.testing.assert_allclose(gy, 2 * np.ones(5))


def test_no_nan_comes_from_the_other_branch() -> None:
    x = T.dscalar("x")
    y = ifelse(x > 0, T.log(x), x ** 3)
    f = sg.function([x], [y, sg.grad(y, x), sg.grad(sg.grad(y, x), x)])
    np.testing.assert_allclose(f(-2.0), [-8.0, 12.0, -12.0])  # a warning would be an error here
    np.testing.assert_allclose(f(2.0), [np.log(2.0), 0.5, -0.25])


def test_a_constant_condition_leaves_one_branch() -> None:
    x = T.dvector("x")
    f = sg.function([x], ifelse(np.int8(1), x * 2, Forbidden()(x)))
    np.testing.assert_allclose(f(VALUE), VALUE * 2)
    assert not any("ifelse" in str(step.node.op) for step in f.plan.steps)
    np.testing.assert_allclose(sg.function([x], ifelse(False, Forbidden()(x), x), mode="None")(VALUE), VALUE)


def test_one_choice_within_the_same() -> None:
    c, x = T.dscalar("c"), T.dvector("x")
    y = ifelse(c, ifelse(c, x, Forbidden()(x)) * 2, ifelse(c, Forbidden()(x), x) * 3)
    for mode in MODES:
        f = sg.function([c, x], y, mode=mode)
        np.testing.assert_allclose(f(1.0, VALUE), VALUE * 2)
        np.testing.assert_allclose(f(0.0, VALUE), VALUE * 3)


def test_results_are_the_caller_s() -> None:
    c, x, y = T.dscalar("c"), T.dvector("x"), T.dvector("y")
    f = sg.function([c, x, y], ifelse(c, x, y))
    result = f(1.0, VALUE, VALUE + 1)
    assert not np.shares_memory(result, VALUE)


def test_numbers_take_the_dtype_of_the_other_branch() -> None:
    c, x = T.bscalar("c"), T.fscalar("x")
    assert ifelse(c, x, 0).type.dtype == "float32"
    assert ifelse(c, 1.5, x).type.dtype == "float32"
    with pytest.raises(TypeError, match="then branch"):
        ifelse(c, T.iscalar("i"), 1.5)


def test_bad_input() -> None:
    c, x, m, i = T.dscalar("c"), T.dvector("x"), T.dmatrix("m"), T.lvector("i")
    with pytest.raises(TypeError, match=r"the condition must be a scalar, not float64\[\?\].*T.switch"):
        ifelse(x, x, x)
    with pytest.raises(TypeError, match=r"output 0: .* float64\[\?\] if the condition holds and int64\[\?\] else. Cast "
                                        r"the else branch, with T.cast\(..., 'float64'\)"):
        ifelse(c, x, i)
    with pytest.raises(TypeError, match="output 1: the branches have different ranks"):
        ifelse(c, [x, x], [x, m])
    with pytest.raises(ValueError, match="hold 2 and 1 variables"):
        ifelse(c, [x, x], [x])
    with pytest.raises(ValueError, match="one branch is a sequence"):
        ifelse(c, [x], x)
    with pytest.raises(ValueError, match="empty"):
        ifelse(c, [], [])


def test_an_error_in_a_branch_names_its_line() -> None:
    c, x, y = T.dscalar("c"), T.dvector("x"), T.dvector("y")
    f = sg.function([c, x, y], ifelse(c, T.dot(x, y), T.dot(x, x)))
    with pytest.raises(ValueError, match="shapes") as caught:
        f(1.0, np.ones(2), np.ones(3))
    assert "test_ifelse.py" in "".join(caught.value.__notes__)
    assert f(0.0, np.ones(2), np.ones(3)) == 2.0


def test_functions_with_choices_are_pickled_and_copied() -> None:
    c, x = T.dscalar("c"), T.dvector("x")
    f = sg.function([c, x], ifelse(c, x + 1, x * 2))
    for g in (pickle.loads(pickle.dumps(f)), f.copy()):
        np.testing.assert_allclose(g(1.0, VALUE), VALUE + 1)
        np.testing.assert_allclose(g(0.0, VALUE), VALUE * 2)


def test_vectorised_as_a_choice_for_each_value() -> None:
    c, x = T.dscalar("c"), T.dvector("x")
    cs, xs = T.dvector("cs"), T.dmatrix("xs")
    y = sg.vectorize_graph(ifelse(c > 0, x * 2, x + 1), {c: cs, x: xs})
    np.testing.assert_allclose(y.eval({cs: [1.0, -1.0], xs: [[1.0, 2.0]] * 2}), [[2, 4], [2, 3]])


def test_long_chains_compile() -> None:
    c, x = T.dscalar("c"), T.dvector("x")
    y = x
    for k in range(60):
        y = ifelse(c > k, y + 1, y)
    f = sg.function([c, x], [y, sg.grad(y.sum(), x)])
    value, gradient = f(10.5, VALUE)
    np.testing.assert_allclose(value, VALUE + 11)
    np.testing.assert_allclose(gradient, np.ones(3))


def in_steps(x: Any, signs: Any, choose: Any) -> Any:
    """Each choice reads what the one before chose."""
    for k in range(DEPTH):
        x = choose(signs[k], lambda x=x: np.tanh(x), lambda x=x: np.cos(x) * 1.1)
    return x


def nested(x: Any, signs: Any, choose: Any) -> Any:
    """Each choice is in a branch of another, computes with what is chosen inside, and reads what is computed before."""
    before = [x]
    for k in range(DEPTH):
        before.append(np.tanh(before[-1] + k))
    y = before[-1]
    for k in reversed(range(DEPTH)):
        y = choose(signs[k], lambda y=y, k=k: y * before[k], lambda k=k: before[k] + 1)
    return y


def cases(x: Any, signs: Any, choose: Any) -> Any:
    """If this, else if that, ..."""
    y = np.sin(x)
    for k in range(DEPTH):
        y = choose(signs[k], lambda k=k: np.exp(-x * x) * k, lambda y=y: y)
    return y


DEPTH = 40


@pytest.mark.parametrize("shape", [in_steps, nested, cases])
def test_forty_choices_with_gradients(shape: Any) -> None:
    flags, x = T.bvector("flags"), T.dvector("x")
    y = shape(x, [flags[k] for k in range(DEPTH)], symbolic)
    f = sg.function([x, flags], [y, sg.grad(y.sum(), x)], on_unused_input="ignore")
    choices = [step for step in f.plan.steps if isinstance(step.node.op, LazyIfElse)]
    assert 1 <= len(choices) <= 2 * DEPTH  # none is copied into the branches of others
    rng = np.random.default_rng(0)
    for signs in (np.ones(DEPTH, np.int8), rng.integers(0, 2, DEPTH, np.int8)):
        def total(v: Any, signs: Any = signs) -> Any:
            return shape(v, list(map(bool, signs)), eager)

        value, gradient = f(VALUE, signs)
        np.testing.assert_allclose(value, total(VALUE), rtol=1e-12)
        np.testing.assert_allclose(gradient, (total(VALUE + 1e-20j * 1)).imag / 1e-20, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("mode", MODES)
def test_choices_in_loops(mode: str) -> None:
    """Small ones are blocks within the loop."""
    x, w = T.dmatrix("x"), T.dvector("w")

    def step(row: Any, h: Any) -> Any:
        total = row.sum()
        return ifelse(total > 0, T.tanh(w * h + row), ifelse(total < -1, h * row, Counted("C")(h)))

    states, _ = sg.scan(step, sequences=x, outputs_info=T.ones_like(w))
    f = sg.function([x, w], [states, *sg.grad(states.sum(), [w, x])], mode=mode)
    rng = np.random.default_rng(0)
    rows, value = rng.normal(size=(8, 3)), rng.normal(size=3)

    def plain(rows: Any, value: Any) -> Any:
        h, history = np.ones(3), []
        for row in rows:
            total = row.sum()
            h = np.tanh(value * h + row) if total > 0 else h * row if total < -1 else np.sin(h)
            history.append(h)
        return np.array(history)

    found, by_w, by_x = f(rows, value)
    np.testing.assert_allclose(found, plain(rows, value))
    e = 1e-6
    for i in range(3):
        step_ = e * np.eye(3)[i]
        up, down = (plain(rows, value + way * step_).sum() for way in (1, -1))
        np.testing.assert_allclose(by_w[i], (up - down) / (2 * e), rtol=1e-5, atol=1e-7)
    direction = rng.normal(size=rows.shape)
    up, down = (plain(rows + way * e * direction, value).sum() for way in (1, -1))
    np.testing.assert_allclose((by_x * direction).sum(), (up - down) / (2 * e), rtol=1e-5)


def test_small_branches_are_blocks() -> None:
    c, d, x = T.dscalar("c"), T.dscalar("d"), T.dvector("x")
    f = sg.function([c, d, x], ifelse(c > 0, ifelse(d > 0, T.exp(x), T.sin(x)), x - 1))
    assert f.source.count("    if t") == 2
    assert "np.sin" in f.source
    y = x
    for _ in range(200):
        y = T.tanh(y + 1)
    g = sg.function([c, x], ifelse(c > 0, y, x))
    assert "np.tanh" not in g.source  # a function of its own
    np.testing.assert_allclose(g(-1.0, VALUE), VALUE)


def test_a_loop_over_tiles_in_a_branch() -> None:
    c, x = T.dscalar("c"), T.dvector("x")
    y = ifelse(c > 0, (T.tanh(x) * 2 + x).sum() * x, x)
    f = sg.function([c, x], [y, sg.grad(y.sum(), x)])
    value = np.random.default_rng(0).normal(size=700_000)
    found, slope = f(1.0, value)
    inner = np.tanh(value) * 2 + value
    np.testing.assert_allclose(found, inner.sum() * value, rtol=1e-9)
    wanted = inner.sum() + value.sum() * (2 * (1 - np.tanh(value) ** 2) + 1)
    np.testing.assert_allclose(slope, wanted, rtol=1e-9)
    np.testing.assert_array_equal(f(-1.0, value)[0], value)


def test_branches_of_functions_in_many_threads() -> None:
    c, x = T.dscalar("c"), T.dvector("x")
    f = sg.function([c, x], ifelse(c > 0, T.exp(x * 2) + x, T.cos(x) * 3))
    values = np.random.default_rng(0).normal(size=(40, 50))
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda k: f(1.0 if k % 2 else -1.0, values[k % 40]), range(400)))
    for k, result in enumerate(results):
        v = values[k % 40]
        np.testing.assert_allclose(result, np.exp(v * 2) + v if k % 2 else np.cos(v) * 3)


OPS = ["exp", "mul", "choose", "nest", "sum", "pick"]


def program(recipe: list[tuple[str, int, int]], x: Any, conditions: Any, choose: Any) -> Any:
    """The same program of symbols, with choices, or of arrays, with `if`."""
    values = [x, x * 0.5]
    for name, i, j in recipe:
        a, b = values[i % len(values)], values[j % len(values)]
        condition = conditions[(i + j) % len(conditions)]
        match name:
            case "exp":
                values.append(np.exp(a * 0.3))
            case "mul":
                values.append(a * b * 0.5)
            case "sum":
                values.append(a + b.sum())
            case "pick":
                values.append(a[::-1])
            case "choose":
                values.append(choose(condition, lambda a=a, b=b: np.sin(a) * b, lambda a=a, b=b: a - b))
            case "nest":
                other = conditions[i % len(conditions)]
                values.append(choose(condition, lambda a=a, b=b, o=other: choose(o, lambda: np.cos(a), lambda: a * b),
                                     lambda b=b: np.tanh(b)))
    return values[-1]


def symbolic(condition: Any, then: Any, other: Any) -> Any:
    return ifelse(condition, then(), other())


def eager(condition: Any, then: Any, other: Any) -> Any:
    return then() if condition else other()


def check_random_program(recipe: list[tuple[str, int, int]], signs: list[bool], seed: int, mode: str) -> None:
    x, flags = T.dvector("x"), [T.bscalar("c") for _ in range(2)]
    y = program(recipe, x, flags, symbolic)
    f = sg.function([x, *flags], [y, sg.grad(T.sqr(y).sum(), x)], on_unused_input="ignore", mode=mode)
    value = np.random.default_rng(seed).uniform(-1, 1, 3)

    def plain(v: Any) -> Any:
        return program(recipe, v, signs, eager)

    found, gradient = f(value, *map(int, signs))
    np.testing.assert_allclose(found, plain(value), rtol=1e-12)
    step = 1e-6
    wanted = [((plain(value + step * e) ** 2).sum() - (plain(value - step * e) ** 2).sum()) / (2 * step)
              for e in np.eye(3)]
    np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-6)


RECIPES = st.lists(st.tuples(st.sampled_from(OPS), st.integers(0, 7), st.integers(0, 7)), min_size=2, max_size=10)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(RECIPES, st.lists(st.booleans(), min_size=2, max_size=2), st.integers(0, 1000), st.sampled_from(MODES))
def test_random_programs(recipe: list[tuple[str, int, int]], signs: list[bool], seed: int, mode: str) -> None:
    check_random_program(recipe, signs, seed, mode)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(RECIPES, st.lists(st.booleans(), min_size=2, max_size=2), st.integers(0, 1000), st.sampled_from(MODES))
def test_many_random_programs(recipe: list[tuple[str, int, int]], signs: list[bool], seed: int, mode: str) -> None:
    check_random_program(recipe, signs, seed, mode)
