"""Large graphs at the default recursion limit: nothing recurses along the graph, nothing grows faster than it."""

import gc
import pickle
import sys

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.graph import FunctionGraph, ancestors, clone_replace, graph_inputs, to_networkx, toposort
from symgraph.graph.rewrite import Rule, RuleSet, Wild
from symgraph.graph.traversal import variable_path
from symgraph.printing import debugprint, min_informative_str, pprint


@pytest.fixture(autouse=True)
def default_recursion_limit():
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(before)


def chain(n):
    x = T.dvector("x")
    y = x
    for _ in range(n // 2):
        y = T.tanh(y) * 0.5
    return x, y


MODES = ["None", "FAST_COMPILE", "FAST_RUN"]
#: The sizes promised are tried with -m slow; these show the same faults.
SIZES = [10_000, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n", [1500, *SIZES[1:]])
def test_a_deep_chain_and_its_gradient_compile_and_run(n, mode):
    x, y = chain(n)
    f = sg.function([x], [y, sg.grad(y.sum(), x)], mode=mode)
    value, gradient = f([0.5, -0.5])
    assert value.shape == gradient.shape == (2,)
    assert np.all(np.abs(value) <= 0.5 ** (n // 2) + 1e-300)
    assert len(f.plan.steps) >= n
    assert debugprint(f, file="str").count("\n") >= n


@pytest.mark.parametrize(("n", "mode"), [(1200, "NanGuardMode"), (200, "DebugMode")])
def test_a_deep_chain_is_watched(n, mode):
    x, y = chain(n)
    f = sg.function([x], [y, sg.grad(y.sum(), x)], mode=mode)
    assert np.all(np.abs(f([0.5, -0.5])[1]) < 1e-20)


@pytest.mark.parametrize("n", SIZES)
def test_walks_copies_and_prints(n):
    x, y = chain(n)
    assert len(toposort([y])) == n
    assert len(ancestors([y])) == n + 2
    assert graph_inputs([y])[0] is x
    assert len(variable_path(x, [y])) == n + 1
    copy = clone_replace(y, {x: T.dvector("z")})
    graph = FunctionGraph([x], [y, copy], {graph_inputs([copy])[0]: x})
    assert graph.outputs[0] is graph.outputs[1]
    assert len(graph.toposort()) == n
    assert len(pprint(y)) < 20 * n
    assert len(debugprint(y, file="str")) < 150 * n
    assert len(min_informative_str(y)) < 150 * n
    assert len(repr(y)) < 100
    assert len(to_networkx(y)) == n + 2


@pytest.mark.parametrize("n", SIZES)
def test_the_gradient_and_letting_go_of_it(n):
    x, y = chain(n)
    g = sg.grad(y.sum(), x)
    assert len(toposort([g])) > 2 * n
    assert pickle.loads(pickle.dumps(g)).owner.op == g.owner.op
    del x, y, g
    gc.collect()  # must not overflow the C stack


@pytest.mark.parametrize("n", SIZES)
def test_rules_on_a_deep_chain(n):
    x, y = chain(n)
    graph = FunctionGraph([x], [y])
    w = Wild("w")
    rules = RuleSet("deep", [Rule("half", T.mul(T.tanh(w), 0.5), T.sin(w)), Rule("sine", T.sin(w), T.cos(w))])
    fired = rules.apply(graph)
    assert len(fired) == n
    assert {str(node.op) for node in graph.toposort()} == {"cos"}


@pytest.mark.parametrize("n", [2000, *SIZES[1:]])
def test_a_rop_through_a_deep_chain(n):
    x, y = chain(n)
    for _ in range(n // 10):
        y = T.switch(y > 0, y, -y)  # has no R_op of its own: two backward passes at each
    assert n < len(toposort([sg.Rop(y, x, T.dvector("v"))])) < 10 * n


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n", [600, *SIZES[1:]])
def test_a_wide_sum(n, mode):
    inputs = [T.dscalar(f"x{i}") for i in range(10)]
    total = inputs[0]
    for i in range(n):
        total = total + T.sqr(inputs[i % 10]) * float(i)
    f = sg.function(inputs, [total, *sg.grad(total, inputs)], mode=mode)
    values = f(*np.arange(10.0))
    assert float(values[0]) == pytest.approx(sum((i % 10) ** 2 * i for i in range(n)))
    assert float(values[3]) == pytest.approx(2 * 2 * sum(range(2, n, 10)))


@pytest.mark.parametrize("n", SIZES)
def test_a_variable_with_many_uses(n):
    x = T.dvector("x")
    total = x
    for i in range(n // 2):
        total = total + x * float(i)
    g = sg.grad(total.sum(), x)
    graph = FunctionGraph([x], [total, g])
    assert len(graph.clients()[x]) >= n // 2
    assert len(pprint(total)) < 50 * n


def test_a_node_with_very_many_inputs():
    parts = [T.dscalar(f"x{i}") for i in range(2000)]
    stacked = T.stack(parts)
    gradients = sg.grad((stacked * 2).sum(), parts)
    graph = FunctionGraph(parts, [stacked, *gradients[:10]])
    RuleSet("none", [Rule("rule", T.exp(Wild("x")), Wild("x"))]).apply(graph)
    assert len(repr(stacked.owner)) < 1000
    assert len(gradients) == 2000


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n", [1000, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_a_random_graph(n, mode):
    generator = np.random.default_rng(3)
    x = T.dvector("x")
    pool = [x]
    for _ in range(n // 3):
        i, j = generator.integers(max(0, len(pool) - 50), len(pool), 2)
        pool.append(T.tanh(pool[i] + pool[j] * 0.5))
    cost = pool[-1].sum()
    f = sg.function([x], [cost, sg.grad(cost, x)], mode=mode)
    point, step = np.array([0.1, 0.2]), 1e-6
    _, gradient = f(point)
    for k in range(2):
        moved = [point + sign * step * np.eye(2)[k] for sign in (1, -1)]
        difference = (f(moved[0])[0] - f(moved[1])[0]) / (2 * step)
        assert gradient[k] == pytest.approx(float(difference), rel=1e-4, abs=1e-8)


def test_shared_subexpressions_do_not_explode():
    x = T.dvector("x")
    y = x
    for _ in range(200):
        y = y * y + y  # a tree of 3**200 terms
    assert len(FunctionGraph([x], [y]).toposort()) == 400
    assert len(pprint(y)) < 10_000
    assert debugprint(y, file="str").count("\n") < 1500
    assert len(toposort([sg.grad(y.sum(), x)])) < 5000
    assert sg.function([x], sg.grad(y.sum(), x))(np.zeros(2)).tolist() == [1.0, 1.0]
