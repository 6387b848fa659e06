"""Every rule that is a function: where it fires, where it must not, that the value stays. And folding, and lengths."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.graph import FunctionGraph
from symgraph.graph.rewrite import FunctionRule, RuleSet, brief
from symgraph.rewrites.pipeline import GROUPS, known_tags, phases
from symgraph.rewrites.stabilize import FACTOR_LAWS
from symgraph.tensor import TensorType
from tests.rewrites import branches, examples, loops
from tests.rewrites.examples import Array, Build, Example, Fails, floats
from tests.rewrites.reference import assert_agrees, by_perform, tolerances

FIRES = [*examples.FIRES, *branches.FIRES, *loops.FIRES]
DECLINES = [*examples.DECLINES, *branches.DECLINES, *loops.DECLINES]
RULES = {rule.name: rule for rules in GROUPS.values() for rule in rules}
FUNCTION_RULES = [name for name, rule in RULES.items() if isinstance(rule, FunctionRule)]


def only(*names: str) -> Any:
    """The mode in which no other rules are tried."""
    return sg.compile.FAST_RUN.excluding(*(RULES.keys() - set(names))).including(*names)


def symbols(values: tuple[Array, ...]) -> list[Any]:
    return [TensorType(v.dtype, [1 if n == 1 else None for n in v.shape])(f"v{i}") for i, v in enumerate(values)]


def test_every_rule_has_its_examples() -> None:
    """A new rule needs a row; the laws that are pairs of expressions are their own examples (test_laws.py)."""
    assert {e.rule for e in FIRES} == set(FUNCTION_RULES)
    assert {e.rule for e in DECLINES} <= set(FUNCTION_RULES)


@pytest.mark.parametrize("case", FIRES, ids=str)
def test_it_fires_and_the_value_stays(case: Example) -> None:
    inputs = symbols(case.values)
    graph = FunctionGraph(inputs, [case.build(*inputs)])
    before: Any = graph.outputs[0]
    given = dict(zip(inputs, case.values, strict=True))
    fired = RuleSet("alone", [RULES[case.rule]]).apply(graph)
    assert {f.rule for f in fired} == {case.rule}
    after: Any = graph.outputs[0]
    assert after is not before
    assert (after.type.dtype, after.type.broadcastable) == (before.type.dtype, before.type.broadcastable)
    (moved,) = tolerances(inputs, [before], case.values)
    assert_agrees(by_perform([after], given)[0], by_perform([before], given)[0], moved, str(case))


@pytest.mark.parametrize("case", FIRES, ids=str)
def test_a_function_tells_that_it_fired(case: Example) -> None:
    """`f.fired` names the rule, and the function gives what the expression is."""
    inputs = symbols(case.values)
    expression = case.build(*inputs)
    f = sg.function(inputs, expression, mode=only(case.rule), on_unused_input="ignore")
    assert {fired.rule for fired in f.fired} == {case.rule}
    wanted = by_perform([expression], dict(zip(inputs, case.values, strict=True)))[0]
    assert_agrees(f(*case.values), wanted, tolerances(inputs, [expression], case.values)[0], str(case))


@pytest.mark.parametrize("case", DECLINES, ids=str)
def test_it_declines(case: Example) -> None:
    inputs = symbols(case.values)
    graph = FunctionGraph(inputs, [case.build(*inputs)])
    before = list(graph.outputs)
    assert RuleSet("alone", [RULES[case.rule]]).apply(graph) == []
    assert graph.outputs == before


def test_each_law_of_factors_is_tried() -> None:
    """exp(x) sigmoid(-x), exp(x) / sum(exp(x)), f / f: each alone makes `factors` fire."""
    x = T.dmatrix("x")
    power, curve = T.exp(x), T.nnet.sigmoid(-x)
    for expression in (power * curve, power / power.sum(axis=0, keepdims=True), x * power / power):
        graph = FunctionGraph([x], [expression])
        assert RuleSet("alone", [RULES["factors"]]).apply(graph)
    assert len(FACTOR_LAWS) == 3


# ---- which rules are applied ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["log1p", "no-such-rule", "stabilize", "constants"])
def test_rules_are_left_out_by_name_phase_or_tag(name: str) -> None:
    x = T.dvector("x")
    expression = T.log(1 + x) * (T.constant(2.0) + T.constant(1.0))
    with_all = {f.rule for f in sg.function([x], expression).fired}
    left = {f.rule for f in sg.function([x], expression, mode=sg.compile.FAST_RUN.excluding(name)).fired}
    missing = {"log1p": {"log1p"}, "stabilize": {"log1p"}, "constants": {"fold_constants"}}.get(name, set())
    assert with_all >= {"log1p", "fold_constants"}
    assert missing.isdisjoint(left)
    assert left == with_all - missing


def test_what_was_left_out_comes_back_when_included() -> None:
    x = T.dvector("x")
    mode = sg.compile.FAST_RUN.excluding("log1p", "expm1").including("log1p")
    assert {f.rule for f in sg.function([x], T.log(1 + x) + (T.exp(x) - 1), mode=mode).fired} == {"log1p"}


def test_names_of_rules_and_phases_are_known() -> None:
    assert known_tags() >= {*RULES, "stabilize", "canonicalize", "specialize", "expand", "constants"}
    with pytest.raises(ValueError, match="no rule has the name or tag softminus"):
        sg.compile.FAST_RUN.requiring("softminus")


def test_there_are_many_laws() -> None:
    """Each rule has one name, and one that users can leave out by it."""
    rules = [rule for group in GROUPS.values() for rule in group]
    assert len({rule.name for rule in rules}) == len({id(rule) for rule in rules}) > 100
    assert all(repr(rule).partition(": ")[2] for rule in rules)


def test_unsafe_rules_are_applied_only_on_demand() -> None:
    """x - x is NaN where x is infinite, until a mode says that it does not matter."""
    x = T.dvector("x")
    expression = (x - x) + x * 0 + (x * x) / x
    for mode in (sg.compile.FAST_RUN, sg.compile.FAST_COMPILE, sg.compile.FAST_RUN.excluding("stabilize")):
        f = sg.function([x], expression, mode=mode)
        assert not {fired.rule for fired in f.fired} & {rule.name for rule in GROUPS["unsafe"]}
        with np.errstate(all="ignore"):
            assert np.isnan(f([np.inf, 0.0])).all()
    on_demand = sg.function([x], expression, mode=sg.compile.FAST_RUN.including("unsafe"))
    np.testing.assert_array_equal(on_demand([2.0, 0.0]), [2.0, 0.0])
    one = sg.function([x], expression, mode=sg.compile.FAST_RUN.including("unsafe_subtract_itself"))
    assert {f.rule for f in one.fired} & {rule.name for rule in GROUPS["unsafe"]} == {"unsafe_subtract_itself"}


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_penalty_of_weight_zero_costs_nothing_and_hides_nothing(mode: str, bad: float) -> None:
    """cost + 0 * L1 + l2 * L2, and its gradient, look at the weights once; what is not finite in them is seen."""
    w = T.dmatrix("w")
    cost = 0.0 * T.sum(abs(w)) + 0.5 * T.sum(w ** 2)
    f = sg.function([w], [cost, w - 0.1 * sg.grad(cost, w)], mode=mode)
    assert not {"abs", "sgn"} & {str(node.op) for node in f._built.fgraph.toposort()}
    weights = np.array([[1.0, -2.0], [0.5, 4.0]])
    value, new = f(weights)
    np.testing.assert_allclose(value, 0.5 * (weights ** 2).sum(), rtol=1e-14)
    np.testing.assert_allclose(new, 0.9 * weights, rtol=1e-14)
    weights[0, 1] = bad
    with np.errstate(all="ignore"):
        value, new = f(weights)
    assert not np.isfinite(value)
    np.testing.assert_array_equal(np.isfinite(new), np.isfinite(weights))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_phases_find_the_same_whatever_was_settled_before(dtype: str) -> None:
    """A later phase looks again only at what it may change: the result is that of looking at everything."""
    x, d, w = (TensorType(dtype, (None, None))(name) for name in "xdw")
    p = T.nnet.softmax(T.dot(x, w))
    cost = -T.mean(T.log(p)[T.arange(x.shape[0]), T.argmax(d, axis=1)]) + 0.01 * T.sum(w ** 2)
    outputs = [cost, w - 0.1 * sg.grad(cost, w), T.exp(x)[0] ** 3]
    graphs = []
    for forget in (False, True):
        graph = FunctionGraph([x, d, w], outputs)
        for phase in phases(sg.compile.FAST_RUN):
            graph.settled = frozenset() if forget else graph.settled
            phase.apply(graph)
        graphs.append([brief(v, 40) for v in graph.outputs])
    assert graphs[0] == graphs[1]


def test_no_mode_rewrites_nothing() -> None:
    x = T.dvector("x")
    f = sg.function([x], T.log(1 + x) + 0, mode="None")
    assert f.fired == []
    assert [str(s.node.op) for s in f.plan.steps] == ["add", "log", "add"]


# ---- constants --------------------------------------------------------------------------------------------------


def operations(f: Any) -> list[str]:
    return [str(step.node.op) for step in f.plan.steps]


def test_folding_has_a_bound() -> None:
    """A result of more than fold_limit bytes is computed when the function runs."""
    x = T.dvector("x")
    n = sg.config.fold_limit // 8
    small, large = (T.exp(T.constant(np.ones(k))) for k in (n, n + 1))
    assert operations(sg.function([], small)) == []
    assert operations(sg.function([], large)) == ["exp"]
    with sg.config.change_flags(fold_limit=0):
        assert operations(sg.function([x], x + T.exp(T.constant(1.0)))) == ["exp", "add"]


def test_what_fails_while_folding_is_left_to_run_time() -> None:
    f = sg.function([], Fails()(T.constant(1.0)))
    with pytest.raises(ZeroDivisionError, match="by design"):
        f()


def test_folding_gives_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f = sg.function([], [T.log(T.constant(-1.0)), T.constant(1.0) / T.constant(0.0), T.exp(T.constant(1000.0)),
                             T.constant(np.int8(127)) + T.constant(np.int8(1))])
    assert operations(f) == []
    a, b, c, d = f()
    assert np.isnan(a)
    assert b == c == np.inf
    assert d == -128


def test_folded_values_keep_their_dtype() -> None:
    one, half = T.constant(np.float32(1)), T.constant(np.float16(0.5))
    f = sg.function([], [one / 3, T.exp(half), T.constant(np.int8(3)) / T.constant(np.int8(2)), T.eq(one, 1)])
    assert operations(f) == []
    assert [v.dtype.name for v in f()] == ["float32", "float16", "float64", "bool"]


def test_a_caller_cannot_change_a_constant() -> None:
    """What a function returns of its constants are copies."""
    f = sg.function([], T.exp(T.constant(np.zeros(3))))
    f()[...] = 7
    np.testing.assert_array_equal(f(), np.ones(3))


# ---- lengths ----------------------------------------------------------------------------------------------------

LENGTHS: list[tuple[str, Build]] = [
    ("elementwise", lambda x, y: (T.exp(x) + y).shape[0]),
    ("reduced", lambda x, y: T.sum(T.tanh(x), axis=0).shape[0]),
    ("product", lambda x, y: T.dot(T.exp(x), y.T).shape[1]),
    ("softmax", lambda x, y: T.nnet.softmax(x).shape[0]),
    ("joined", lambda x, y: T.concatenate([T.exp(x), T.sin(y)]).shape[0]),
    ("part", lambda x, y: T.exp(x)[1:].shape[0]),
    ("transposed", lambda x, y: T.exp(x).T.shape[0]),
    ("shape of a part", lambda x, y: T.exp(x)[1:, ::2].shape),
    ("shape of a product", lambda x, y: T.dot(T.exp(x), y.T).shape),
    ("shape of joined", lambda x, y: T.concatenate([T.exp(x), T.sin(y)], axis=1).shape),
    ("shape of reshaped", lambda x, y: T.exp(x).reshape((2, -1)).shape),
    ("shape of softmax", lambda x, y: T.log(T.nnet.softmax(x + y)).T.shape),
    ("shape of a sum", lambda x, y: T.sum(x * y, axis=1, keepdims=True).shape),
    ("whole shape", lambda x, y: T.exp(x * y).shape),
    ("size", lambda x, y: T.exp(x).size),
    ("written", lambda x, y: T.set_subtensor(x[0], T.exp(y[0])).shape[1]),
    ("flattened", lambda x, y: T.exp(x).flatten().shape[0]),
    ("gathered", lambda x, y: T.exp(x)[T.as_tensor_variable([0, 1, 0])].shape[0]),
    ("derivative", lambda x, y: sg.grad(T.sum(T.exp(x) * y), x).shape[0]),
    ("lengths of lengths", lambda x, y: T.alloc(T.exp(x)[0, 0], x.shape[0] + 1, 2).shape[0]),
]


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE"])
@pytest.mark.parametrize(("name", "build"), LENGTHS, ids=[name for name, _ in LENGTHS])
def test_a_length_is_known_without_computing(name: str, build: Build, mode: str) -> None:
    """The shape of an expression costs no arithmetic on its elements."""
    x, y = T.dmatrix("x"), T.dmatrix("y")
    expression = build(x, y)
    f = sg.function([x, y], expression, mode=mode, on_unused_input="ignore")
    for step in f.plan.steps:
        dtypes = {getattr(v.type, "dtype", "") for v in step.node.outputs}
        assert dtypes <= {"int64", "bool"} or step.node.op.view_map, f.source
    values = floats(3, 4), floats(3, 4)
    wanted = by_perform([expression], {x: values[0], y: values[1]})[0]
    np.testing.assert_array_equal(f(*values), wanted)


def test_lengths_of_a_long_chain_are_found() -> None:
    x = T.dvector("x")
    y = x
    for _ in range(3000):
        y = T.tanh(y)
    f = sg.function([x], y.shape[0])
    assert f(np.zeros(7)) == 7
    assert len(f.plan.steps) == 1


@pytest.mark.parametrize(("grow", "wanted"), [
    (lambda y, x: T.concatenate([T.tanh(y), x]), 600 * 501), (lambda y, x: T.exp(y)[1:], 100),
    (lambda y, x: T.exp(y).dimshuffle("x", 0).flatten(), 600),
], ids=["join", "part", "reshape"])
def test_lengths_of_long_programs_of_pieces_are_found(grow: Build, wanted: int) -> None:
    """Each piece has a length of its own, computed from the one before."""
    x = T.dvector("x")
    y = x
    for _ in range(500):
        y = grow(y, x)
    assert sg.function([x], y.shape[0])(np.zeros(600)) == wanted


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "None"])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize("build", [
    T.nnet.softmax, lambda x: T.nnet.softmax(x, axis=0), lambda x: T.log(T.nnet.softmax(x)),
    lambda x: T.exp(x) / T.exp(x).sum(axis=0, keepdims=True), lambda x: T.log(T.exp(x).sum(axis=1)),
    T.nnet.logsumexp, lambda x: sg.grad(T.log(T.nnet.softmax(x)).sum(), x),
], ids=["softmax", "down", "log", "naive", "log-sum-exp", "all", "gradient"])
def test_nothing_is_lost_on_empty_arrays(build: Build, shape: tuple[int, int], mode: str) -> None:
    """What the expression gives of an empty array, its rewritten form gives too."""
    x = T.dmatrix("x")
    expression = build(x)
    (wanted,) = by_perform([expression], {x: np.zeros(shape)})
    with np.errstate(all="ignore"):
        got = sg.function([x], expression, mode=mode)(np.zeros(shape))
    assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)


def test_a_factor_keeps_a_sum_of_halves_in_range() -> None:
    x = T.TensorType("float16", (None,))("x")
    f = sg.function([x], [T.sum(x * np.float16(0)), T.sum(x * np.float16(0.25))])
    assert [float(v) for v in f(np.full(2, 65504, "float16"))] == [0.0, 32752.0]


def test_a_coarse_inverse_stays_one_number() -> None:
    """r / (n * r) is 1 / n also where r is single and n * r double."""
    n, c = T.lvector("n"), T.fscalar("c")
    r = 1 / c
    f = sg.function([n, c], r / (n * r))
    np.testing.assert_allclose(f([-9, 12, 5], np.float32(-0.7142857)), 1 / np.array([-9, 12, 5]), rtol=1e-15)
