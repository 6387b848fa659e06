"""f.memory(): what is reckoned from the plan is what NumPy reports to tracemalloc, but for what operations need inside.

Programs of elementwise operations, products and reductions must agree within 2 % and 32 kB; those that index by arrays,
for which NumPy makes copies inside, within 20 %.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import symgraph as sg
import symgraph.tensor as T
from symgraph.compile.memory import Memory
from symgraph.config import config
from tests.compile.test_random_programs import NODES, PICKS, STEPS, carried_out

#: Choosing by a mask makes arrays inside.
CHOICE = next(i for i, (step, _) in enumerate(STEPS) if str(step(T.dmatrix(), T.dmatrix())).startswith("switch"))
RNG = np.random.default_rng(5)


def measured(f: Any, *args: Any) -> int:
    """The most a repeated call holds beside its arguments and constants, as NumPy reports it."""
    f(*args)
    f.free()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for variable in f.get_shared():
            variable.set_value(variable.get_value())
            variable.container.spare = None  # made before tracing began
        for _ in range(2):
            f(*args)
        tracemalloc.reset_peak()
        f(*args)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def close(memory: Memory, found: int, share: float = 0.02) -> bool:
    return abs(memory.own + memory.shared - found) <= share * found + 32_000


def formula() -> tuple[Any, list[Any]]:
    a, b = T.vectors("a", "b")
    c = T.tanh(a * b + 1) * T.exp(-b * b)
    return [a, b], [c, T.sum(c), sg.grad(T.sum(c), a)]


@pytest.mark.parametrize("size", [10_000, 1_500_000])
@pytest.mark.parametrize("wanted", [[0], [1], [2], [0, 1, 2]])
def test_formulas_in_tiles_and_whole(size: int, wanted: list[int]) -> None:
    inputs, outputs = formula()
    f = sg.function(inputs, [outputs[i] for i in wanted])
    values = RNG.normal(size=size)
    with config.change_flags(threads=1):
        memory = f.memory(values, values)
        assert close(memory, measured(f, values, values)), memory
        assert (memory.tiles > 0) == (size > 100_000)
        assert memory.arguments == 16 * size
        assert f.memory((size,), (size,)).peak == memory.peak


def test_tiles_of_several_threads() -> None:
    inputs, outputs = formula()
    f = sg.function(inputs, outputs[1])
    peaks = []
    for threads in (1, 2, 4):
        with config.change_flags(threads=threads):
            peaks.append(f.memory((1_000_000,), (1_000_000,)).tiles)
    assert peaks[0] > 0
    assert peaks == [peaks[0], 2 * peaks[0], 4 * peaks[0]]


@pytest.mark.parametrize("rows", [40, 900])
@pytest.mark.parametrize("rule", [
    lambda w, g, s: [(w, w - 0.1 * (g + 0.01 * w))],
    lambda w, g, s: [(s, 0.9 * s + 0.1 * g**2), (w, w - 0.1 * g / T.sqrt(0.9 * s + 0.1 * g**2 + 1e-6))],
], ids=["gemm", "rmsprop"])
def test_training_steps(rows: int, rule: Callable[..., Any]) -> None:
    x, t = T.matrices("x", "t")
    layers = [sg.shared(RNG.normal(size=shape) * 0.1) for shape in ((300, 200), (200, 30))]
    means = [sg.shared(np.ones(w.get_value().shape)) for w in layers]
    cost = ((T.tanh(x @ layers[0]) @ layers[1] - t) ** 2).mean()
    gradients = sg.grad(cost, layers)
    updates = [pair for each in zip(layers, gradients, means, strict=True) for pair in rule(*each)]
    f = sg.function([x, t], cost, updates=updates)
    args = RNG.normal(size=(rows, 300)), RNG.normal(size=(rows, 30))
    with config.change_flags(threads=1):
        memory = f.memory(*args)
        assert close(memory, measured(f, *args)), memory
    assert memory.shared == sum(v.get_value().nbytes for v in f.get_shared())
    assert 0 <= memory.spare <= memory.shared


def test_softmax_regression_indexes_by_arrays() -> None:
    x, t = T.matrix("x"), T.ivector("t")
    w = sg.shared(np.zeros((50, 10)), name="w")
    p = T.nnet.softmax(x @ w)
    cost = -T.mean(T.log(p)[T.arange(t.shape[0]), t])
    f = sg.function([x, t], [cost, p], updates=[(w, w - 0.1 * sg.grad(cost, w))])
    for rows in (3_000, 30_000):
        args = RNG.normal(size=(rows, 50)), np.zeros(rows, "int32")
        with config.change_flags(threads=1):
            assert close(f.memory(*args), measured(f, *args), share=0.2)


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "None"])
def test_other_operations_and_modes(mode: str) -> None:
    x = T.matrix("x")
    y = T.concatenate([x, T.exp(x)], axis=0)
    f = sg.function([x], [T.sort(y, axis=0)[::2], y.reshape((-1,)).cumsum(), y.T, x], mode=mode)
    value = RNG.normal(size=(300, 200))
    with config.change_flags(threads=1):
        assert close(f.memory(value), measured(f, value), share=0.1), f.memory(value)


def test_the_peak_and_where_it_is() -> None:
    x = T.dmatrix("x")
    y = x @ x
    z = T.exp(y).sum()
    f = sg.function([x], z, name="f")
    memory = f.memory((1000, 1000))
    assert memory.own == pytest.approx(8_000_000, rel=0.3)
    assert memory.peak == memory.own + memory.arguments + memory.constants
    assert [(h.kind, h.bytes) for h in memory.held[:2]] == [("argument", 8_000_000), ("scratch", 8_000_000)]
    text = str(memory)
    assert len(text.splitlines()) <= 12
    assert text.startswith("Memory of function 'f': 1")
    assert "test_memory.py" in text


def test_a_large_result_behind_small_ones_is_the_peak() -> None:
    x = T.dvector("x")
    f = sg.function([x], [T.sort(x), T.sort(T.concatenate([x] * 50))])
    memory = f.memory((1000,))
    assert memory.step is not None
    assert memory.step.node.outputs[0].type.ndim == 1
    assert memory.peak >= 8_000 * 52
    assert memory.step.node in {u.owner for u in f.fgraph.outputs}


def test_lengths_that_depend_on_values() -> None:
    x, i = T.matrix("x"), T.iscalar("i")
    f = sg.function([x, i], T.exp(x[: 10 * i]))
    assert f.memory((100, 5), 3).fresh == pytest.approx(8 * 150, abs=64)
    assert f.memory((100, 5), 20).fresh == pytest.approx(8 * 500, abs=64)
    with pytest.raises(ValueError, match=r"depend on the value of i, used at test_memory.py:\d+: pass an array"):
        f.memory((100, 5), ())
    mask = T.bvector("mask")
    g = sg.function([x, mask], x[T.nonzero(mask)[0]])
    assert g.memory((4, 5), np.array([0, 1, 1, 0], "int8")).fresh >= 8 * 10
    with pytest.raises(ValueError, match="mask"):
        g.memory((4, 5), (4,))


def test_reshaped_lengths_need_no_values() -> None:
    images, n = T.dtensor4("images"), T.lscalar("n")
    flat = T.exp(images).flatten(2)
    f = sg.function([images], [flat * 2, T.exp(images).reshape((images.shape[0] * 2, -1))])
    assert f.memory((4, 3, 6, 6)).peak == f.memory(np.ones((4, 3, 6, 6))).peak
    g = sg.function([images, n], T.sort(T.exp(images).reshape((n, images.shape[1])), axis=0))
    for rows in (-1, 144):
        assert g.memory((4, 3, 6, 6), rows).peak == g.memory(np.ones((4, 3, 6, 6)), rows).peak
        assert g.memory((4, 3, 6, 6), rows).peak == pytest.approx(3 * 432 * 8, abs=64)


def test_a_minibatch_by_index_is_a_view() -> None:
    data = sg.shared(np.ones((600, 100)), name="data")
    i = T.lscalar("i")
    f = sg.function([i], data[i * 60:(i + 1) * 60].sum(axis=1))
    memory = f.memory(0)
    assert memory.shared == 480_000
    assert memory.own <= 1000


def test_defaults_states_keywords_and_numbers() -> None:
    x, n = T.dvector("x"), T.dscalar("n")
    f = sg.function([x, sg.In(n, value=1.0)], x * n)
    assert f.memory(x=(7,)).arguments == 7 * 8 + 8
    assert f.memory([1.0, 2.0], n=3).arguments == 24
    g = sg.function([x, sg.In(n, value=0.0, update=n + 1)], x * n)
    assert g.memory((5,)).shared == 8
    assert g[n] == 0.0


def test_no_call_is_made() -> None:
    total = sg.shared(0.0)
    x = T.dvector("x")
    f = sg.function([x], x + total, updates=[(total, total + 1)])
    f.memory((10**9,))  # which could not be had
    assert total.get_value() == 0.0


@pytest.mark.parametrize(("args", "kind", "text"), [
    (((3,),), ValueError, "x is of type float64\\[\\?,4\\]; its shape cannot be \\(3,\\)"),
    (((3, 5),), ValueError, "shape cannot be"),
    (((3, -4),), TypeError, "from 0 on"),
    (((3, "a"),), TypeError, "lengths are integers"),
    ((np.ones((3, 5)),), ValueError, "argument 0"),
    ((), TypeError, "missing 1"),
    (((3, 4), (3, 4)), TypeError, "takes 1 argument"),
])
def test_wrong_arguments(args: tuple[Any, ...], kind: type[Exception], text: str) -> None:
    x = T.tensor(dtype="float64", shape=(None, 4), name="x")
    f = sg.function([x], x + 1)
    with pytest.raises(kind, match=text):
        f.memory(*args)


def test_types_without_memory_and_empty_functions() -> None:
    assert sg.function([], []).memory().peak == 0
    assert sg.function([], T.constant(2.0)).memory().constants == 8
    assert "at most" in str(sg.function([], []).memory())


def test_watched_functions_run_no_tiles() -> None:
    inputs, outputs = formula()
    f = sg.function(inputs, outputs[1], mode="NanGuardMode")
    assert f.memory((1_000_000,), (1_000_000,)).tiles == 0


@given(nodes=NODES, outputs=PICKS, updates=PICKS, mutable=st.booleans())
@settings(max_examples=25, deadline=None, phases=[Phase.generate])
def test_random_programs(nodes: Any, outputs: Any, updates: Any, mutable: bool) -> None:
    """Within one array, for what operations need inside and for copies made when others are gone, and their buffers."""
    length = 200
    x, y = T.dmatrices("x", "y")
    shared = [sg.shared(RNG.uniform(-1, 1, (length, length))) for _ in range(2)]
    values = carried_out([node for node in nodes if node[0] != CHOICE], [x, y, *shared], 0)
    pick = [values[-1 - i % len(values)] for i in outputs]
    pairs = [(s, values[-1 - i % len(values)]) for s, i in zip(shared, updates, strict=False)]
    f = sg.function([sg.In(x, mutable=mutable), y], pick, updates=pairs, on_unused_input="ignore")
    args = RNG.uniform(-1, 1, (length, length)), RNG.uniform(-1, 1, (length, length))
    with config.change_flags(threads=1), np.errstate(all="ignore"):
        memory = f.memory(*args)
        assert f.memory((length, length), (length, length)).peak == memory.peak
        assert abs(memory.own + memory.shared - measured(f, *args)) <= 8 * length**2 + 100_000, memory
