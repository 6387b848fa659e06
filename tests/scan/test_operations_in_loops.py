"""What a loop is made of: operations of one's own, graphs as operations, choices and random numbers; loops in these."""

from __future__ import annotations

import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.ifelse import ifelse
from symgraph.tensor.shared_randomstreams import RandomStreams

MODES = ["FAST_RUN", "FAST_COMPILE", "None", "DebugMode"]
IN_EACH_MODE = pytest.mark.parametrize("mode", MODES)


class Unary(sg.Op):
    """One input, one output of its type."""

    __props__ = ()

    def make_node(self, x: Any) -> Any:
        x = T.as_tensor_variable(x)
        return sg.Apply(self, [x], [x.type()])


class Doubled(Unary):
    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        output_storage[0][0] = inputs[0] * 2

    def grad(self, inputs: Any, gradients: Any) -> Any:
        return [gradients[0] * 2]


class Reversed(Unary):
    """A view."""

    view_map = {0: [0]}  # noqa: RUF012

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        output_storage[0][0] = inputs[0][::-1]

    def grad(self, inputs: Any, gradients: Any) -> Any:
        return [Reversed()(gradients[0])]


class Raised(Unary):
    """One more, in place."""

    destroy_map = {0: [0]}  # noqa: RUF012

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        inputs[0][...] += 1
        output_storage[0][0] = inputs[0]

    def grad(self, inputs: Any, gradients: Any) -> Any:
        return [gradients[0]]


@sg.as_op(itypes=[T.dvector], otypes=[T.dvector])
def halved(x: Any) -> Any:
    return x / 2


def values() -> Any:
    return np.random.default_rng(0).normal(size=(5, 3))


@IN_EACH_MODE
def test_operations_of_ones_own(mode: str) -> None:
    x = T.dmatrix("x")
    states, _ = sg.scan(lambda row, h: T.tanh(Raised()(Reversed()(Doubled()(h))) + row), x, outputs_info=T.zeros(3))
    only_forward, _ = sg.scan(lambda row, h: halved(h) + row, x, outputs_info=T.zeros(3))
    f = sg.function([x], [states, sg.grad(states.sum(), x), only_forward], mode=mode)

    def plain(v: Any) -> Any:
        h, out = np.zeros(3), []
        for row in v:
            h = np.tanh((h * 2)[::-1] + 1 + row)
            out.append(h)
        return np.array(out)

    v = values()
    found, slope, other = f(v)
    np.testing.assert_allclose(found, plain(v))
    step = np.random.default_rng(1).normal(size=v.shape) * 1e-6
    np.testing.assert_allclose((slope * step).sum(), (plain(v + step).sum() - plain(v - step).sum()) / 2, rtol=1e-6)
    h = np.zeros(3)
    for t, row in enumerate(v):
        h = h / 2 + row
        np.testing.assert_allclose(other[t], h)


@IN_EACH_MODE
@pytest.mark.parametrize("inline", [True, False])
def test_graphs_as_operations(mode: str, inline: bool) -> None:
    """One with the derivative of its graph, one with a derivative of its own."""
    a, b = T.dvectors("a", "b")
    cell = sg.OpFromGraph([a, b], [T.tanh(a * b + a)], inline=inline)
    square = sg.OpFromGraph([a], [a ** 2], inline=inline, grad_overrides=lambda inputs, g: [T.clip(g[0], -1, 1)])
    x, w = T.dmatrix("x"), T.dvector("w")
    states, _ = sg.scan(lambda row, h: square(cell(h, w)) + row, x, outputs_info=T.ones(3))
    f = sg.function([x, w], [states, sg.grad(states[-1].sum() * 0.5, w)], mode=mode)
    v, weights = values(), np.array([0.3, -0.2, 0.5])
    history = [np.ones(3)]
    for row in v:
        history.append(np.tanh(history[-1] * weights + history[-1]) ** 2 + row)
    found, slope = f(v, weights)
    np.testing.assert_allclose(found, history[1:])
    error, wanted = np.full(3, 0.5), np.zeros(3)
    for h in reversed(history[:-1]):
        error = np.clip(error, -1, 1) * (1 - np.tanh(h * weights + h) ** 2)
        wanted += error * h
        error = error * (weights + 1)
    np.testing.assert_allclose(slope, wanted)


def test_loops_for_many_values_and_their_derivatives() -> None:
    x, X = T.dvector("x"), T.dmatrix("X")

    def loop(v: Any) -> Any:
        return sg.scan(lambda e, h: T.tanh(h + e), v, outputs_info=T.constant(0.0))[0]

    def plain(row: Any) -> Any:
        h, out = 0.0, []
        for e in row:
            h = np.tanh(h + e)
            out.append(h)
        return np.array(out)

    v = values()
    wanted = [plain(row) for row in v]
    np.testing.assert_allclose(sg.vmap(loop)(X).eval({X: v}), wanted)
    y = loop(x)
    np.testing.assert_allclose(sg.vectorize_graph(y, {x: X}).eval({X: v}), wanted)
    np.testing.assert_allclose(np.diag(sg.jacobian(y, x).eval({x: v[0]})), 1 - wanted[0] ** 2)


@IN_EACH_MODE
def test_random_numbers_in_a_choice_in_a_loop(mode: str) -> None:
    streams, x = RandomStreams(3), T.dvector("x")

    def step(e: Any, h: Any) -> Any:
        noise = streams.normal((2,))
        return ifelse(e > 0, h + noise, h * 2)

    states, updates = sg.scan(step, x, outputs_info=T.zeros(2))
    f = sg.function([x], states, updates=updates, mode=mode)
    first, second = f([1.0, -1.0, 1.0]), f([1.0, -1.0, 1.0])
    assert (first[0] != second[0]).all()
    np.testing.assert_allclose(first[1], 2 * first[0])


@IN_EACH_MODE
def test_a_loop_in_a_choice(mode: str) -> None:
    c, x = T.dscalar("c"), T.dvector("x")
    states, _ = sg.scan(lambda e, h: h * e + 1, x, outputs_info=T.constant(1.0))
    mapped, _ = sg.scan(T.exp, x)
    y = ifelse(c > 0, states, mapped)
    f = sg.function([c, x], [y, sg.grad(y.sum(), x)], mode=mode)
    v = np.array([0.5, 2.0, -1.0])
    one = v[0] + 1
    two = one * v[1] + 1
    found, slope = f(1.0, v)
    np.testing.assert_allclose(found, [one, two, two * v[2] + 1])
    np.testing.assert_allclose(slope, [1 + v[1] + v[1] * v[2], one + one * v[2], two])
    for part in f(-1.0, v):
        np.testing.assert_allclose(part, np.exp(v))


def test_functions_with_loops_are_pickled_copied_and_shared_by_threads() -> None:
    x, w = T.dmatrix("x"), T.dvector("w")
    states, _ = sg.scan(lambda row, h: T.tanh(row + h * w), x, outputs_info=T.zeros(3))
    f = sg.function([x, w], [states, sg.grad(states[-1].sum(), w)])
    weights = np.array([0.1, 0.2, 0.3])
    for g in (pickle.loads(pickle.dumps(f)), f.copy()):
        for a, b in zip(g(values(), weights), f(values(), weights), strict=True):
            np.testing.assert_array_equal(a, b)
    several = [values()[:n] for n in (1, 2, 3, 4, 5)]
    wanted = [f(v, weights) for v in several]
    with ThreadPoolExecutor(8) as pool:
        for k, found in enumerate(pool.map(lambda k: f(several[k % 5], weights), range(300))):
            for a, b in zip(found, wanted[k % 5], strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("taps", [[-1], [-2, -1]])
def test_memory_of_a_loop_of_which_the_end_is_wanted(taps: list[int]) -> None:
    n, size = T.lscalar("n"), 10_000
    initial = T.zeros((2, size)) if len(taps) > 1 else T.zeros(size)
    states, _ = sg.scan(lambda *h: T.tanh(sum(h) + 1), outputs_info={"initial": initial, "taps": taps}, n_steps=n)
    f = sg.function([n], states[-1])
    f(3)
    tracemalloc.start()
    try:
        f(1000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * 8 * size
