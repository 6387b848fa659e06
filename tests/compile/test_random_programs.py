"""Random programs of views, copies, writes in place and updates, beside NumPy: memory is planned, and never seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symgraph as sg
import symgraph.tensor as T


def written(array: Any, index: Any, value: Any, add: bool) -> Any:
    result = array.copy()
    if add:
        np.add.at(result, index, value)
    else:
        result[index] = value
    return result


#: From two square matrices to a third: symbolically, and in NumPy.
STEPS: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
    (lambda a, b: a + b, lambda a, b: a + b),
    (lambda a, b: a * 0.5, lambda a, b: a * 0.5),
    (lambda a, b: T.tanh(a), lambda a, b: np.tanh(a)),
    (lambda a, b: a.T, lambda a, b: a.T),
    (lambda a, b: a[::-1], lambda a, b: a[::-1]),
    (lambda a, b: a[:, ::-1], lambda a, b: a[:, ::-1]),
    (lambda a, b: a.reshape(a.shape), lambda a, b: a.reshape(a.shape)),
    (lambda a, b: a @ b, lambda a, b: a @ b),
    (lambda a, b: a - b[0], lambda a, b: a - b[0]),
    (lambda a, b: a.dimshuffle(1, 0), lambda a, b: a.T),
    (lambda a, b: T.set_subtensor(a[0], b[1]), lambda a, b: written(a, 0, b[1], False)),
    (lambda a, b: T.inc_subtensor(a[:, 1], b[2]), lambda a, b: written(a, (slice(None), 1), b[2], True)),
    (lambda a, b: T.inc_subtensor(a[[0, 0, 2]], b[:3]), lambda a, b: written(a, [0, 0, 2], b[:3], True)),
    (lambda a, b: a[T.arange(a.shape[0] - 1, -1, -1)], lambda a, b: a[::-1]),
    (lambda a, b: T.switch(a > b, a, b * 0.5), lambda a, b: np.where(a > b, a, b * 0.5)),
    (lambda a, b: a - a.sum(axis=0), lambda a, b: a - a.sum(axis=0)),
    (lambda a, b: T.concatenate([a[1:], b[:1]]), lambda a, b: np.concatenate([a[1:], b[:1]])),
    (lambda a, b: T.clip(a, -1, 1), lambda a, b: np.clip(a, -1, 1)),
    (lambda a, b: T.cast(T.cast(a, "float32"), "float64"), lambda a, b: a.astype("float32").astype("float64")),
    (lambda a, b: T.zeros_like(a), lambda a, b: np.zeros_like(a)),
    (lambda a, b: T.nnet.softmax(a), lambda a, b: np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)),
]

PLACE = st.integers(0, 30)
NODES = st.lists(st.tuples(st.integers(0, len(STEPS) - 1), PLACE, PLACE), min_size=1, max_size=12)
PICKS = st.lists(PLACE, min_size=0, max_size=4)


#: Copies of an array that lie in memory in different ways.
LAYOUTS: list[Callable[[Any], Any]] = [
    lambda a: a.copy(), np.asfortranarray, lambda a: a[::-1].copy()[::-1], lambda a: np.repeat(a, 2, axis=1)[:, ::2],
]


def carried_out(nodes: Any, leaves: list[Any], which: int) -> list[Any]:
    """All values of a program, from those it starts from."""
    values = list(leaves)
    for step, i, j in nodes:
        values.append(STEPS[step][which](values[i % len(values)], values[j % len(values)]))
    return values


@pytest.mark.parametrize("mode", ["FAST_RUN", "None", "DebugMode"])
@given(nodes=NODES, outputs=PICKS, updates=PICKS, mutable=st.booleans(), seed=st.integers(0, 5),
       lengths=st.lists(st.integers(3, 5), min_size=3, max_size=5),
       layouts=st.lists(st.integers(0, 3), min_size=3, max_size=3))
@settings(max_examples=60, deadline=None)
def test_a_random_program(mode: str, nodes: Any, outputs: Any, updates: Any, mutable: bool, seed: int,
                          lengths: list[int], layouts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    x, y = T.dmatrix("x"), T.dmatrix("y")
    shared = [sg.shared(rng.uniform(-1, 1, (3, 3)), f"s{i}") for i in range(2)]
    model = [s.get_value() for s in shared]
    symbolic = carried_out(nodes, [x, y, *shared], 0)
    picked = [symbolic[i % len(symbolic)] for i in outputs] + [symbolic[-1]]
    pairs = list(zip(shared, [symbolic[i % len(symbolic)] for i in updates], strict=False))
    f = sg.function([sg.In(x, mutable=mutable), y], picked, updates=pairs, mode=mode, on_unused_input="ignore")
    held: list[Any] = []
    for n in lengths:
        data = rng.uniform(-1, 1, (2, n, n))
        if model[0].shape[0] != n:
            model = list(rng.uniform(-1, 1, (2, n, n)))
            for s, value, layout in zip(shared, model, layouts, strict=False):
                s.set_value(LAYOUTS[layout](value), borrow=True)
        values = carried_out(nodes, [*data, *model], 1)
        given_away = LAYOUTS[layouts[2]](data[0])
        results = f(given_away, data[1])
        given_away[:] = 7 if not mutable else given_away
        for got, right in zip(results, [*(values[i % len(values)] for i in outputs), values[-1]], strict=True):
            np.testing.assert_allclose(got, right, rtol=1e-10, atol=1e-12)
        model = [values[i % len(values)].copy() for _, i in zip(model, updates, strict=False)] + model[len(pairs):]
        for s, right in zip(shared, model, strict=True):
            np.testing.assert_allclose(s.get_value(), right, rtol=1e-10, atol=1e-12)
        held += [(r, r.copy()) for r in results]
        arrays = [*results, *(s.get_value(borrow=True) for s in shared), data[1]]
        assert not any(np.shares_memory(a, b) for n, a in enumerate(arrays) for b in arrays[:n])
    for array, value in held:
        np.testing.assert_array_equal(array, value)
