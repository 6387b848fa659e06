"""Batch normalisation beside its records: layouts, running averages as updates, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given as given_to
from hypothesis import settings
from hypothesis import strategies as st

import symgraph as sg
import symgraph.tensor as T
from tests.records.normalization import over
from tests.records.normalization import train as by_hand
from tests.tensor.common import compute, symbol

train: Any = T.nnet.batch_normalization_train
given: Any = T.nnet.batch_normalization_test
RNG = np.random.default_rng(3)
X = RNG.normal(3, 2, (5, 3, 2, 2))


def test_both_layouts_of_parameters_give_the_same() -> None:
    x = T.dtensor4("x")
    short = [T.dvector(n) for n in "gbmv"]
    whole = [p.dimshuffle("x", 0, "x", "x") for p in short]
    a = [*train(x, *short[:2], "spatial", 0.01, 0.3, *short[2:]), given(x, *short, "spatial", 0.01)]
    b = [*train(x, *whole[:2], "spatial", 0.01, 0.3, *whole[2:]), given(x, *whole, "spatial", 0.01)]
    assert [v.type.ndim for v in a] == [4, 1, 1, 1, 1, 4]
    assert [v.type.shape for v in b[1:5]] == [(1, None, 1, 1)] * 4
    values = [X, *RNG.uniform(0.5, 2, (4, 3))]
    found = compute([x, *short], [*a, *b], values)
    for one, other in zip(found[:6], found[6:], strict=True):
        np.testing.assert_allclose(one.ravel(), other.ravel(), rtol=1e-13)


def test_the_result_has_mean_0_and_variance_1() -> None:
    out = train(X, np.ones(3), np.zeros(3), "spatial", 0)[0].eval()
    np.testing.assert_allclose(out.mean((0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(out.var((0, 2, 3)), 1, rtol=1e-12)


def test_running_averages_come_near_those_of_the_data() -> None:
    """As updates of shared variables, whose types they keep."""
    x = T.fmatrix("x")
    mean, var = sg.shared(np.zeros(4, "float32")), sg.shared(np.ones(4, "float32"))
    out, _, _, new_mean, new_var = train(x, np.ones(4, "float32"), np.zeros(4, "float32"), epsilon=1e-5,
                                         running_mean=mean, running_var=var)
    step = sg.function([x], out, updates=[(mean, new_mean), (var, new_var)])
    for _ in range(60):
        step(RNG.normal([1, 2, 3, 4], [1, 2, 1, 2], (100, 4)).astype("float32"))
    np.testing.assert_allclose(mean.get_value(), [1, 2, 3, 4], atol=0.3)
    np.testing.assert_allclose(var.get_value(), [1, 4, 1, 4], rtol=0.3)
    assert mean.get_value().dtype == "float32"


def test_a_batch_of_one_has_finite_averages() -> None:
    results = train(np.ones((1, 2)), np.ones(2), np.zeros(2), running_mean=np.zeros(2), running_var=np.ones(2))
    np.testing.assert_allclose(results[4].eval(), [0.9, 0.9])


@st.composite
def normalizations(draw: Any) -> tuple[tuple[int, ...], Any, bool]:
    """A shape, axes to normalise over, and whether parameters keep these with length 1."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=2, max_size=4)))
    axes = draw(st.one_of(st.sampled_from(["per-activation", "spatial"]), st.sets(
        st.integers(0, len(shape) - 1), min_size=1, max_size=len(shape) - 1).map(tuple)))
    return shape, axes, draw(st.booleans())


@given_to(normalizations())
@settings(max_examples=25, deadline=None)
def test_any_axes(case: Any) -> None:
    """All five results as by hand, and the gradients' products with directions as finite differences have them."""
    shape, axes, keep = case
    numbers = over(axes, len(shape))
    laid_out = [1 if i in numbers else n for i, n in enumerate(shape) if keep or i not in numbers]
    values = [RNG.normal(size=shape), *RNG.uniform(0.5, 2, (4, *laid_out))]
    inputs = [symbol(v) for v in values]

    def results(x: Any, gamma: Any, beta: Any, mean: Any, var: Any) -> list[Any]:
        return by_hand(x, gamma, beta, mean, var, axes, 0.1, 0.3)

    made = train(*inputs[:3], axes, 0.1, 0.3, *inputs[3:])
    weights = [RNG.normal(size=v.shape) for v in results(*values)]
    cost = sum(T.sum(v * w) for v, w in zip(made, weights, strict=True))
    found = compute(inputs, [*made, *sg.grad(cost, inputs)], values)
    for one, wanted in zip(found, results(*values), strict=False):
        np.testing.assert_allclose(one, wanted, rtol=1e-9, atol=1e-11)
    directions = [RNG.normal(size=v.shape) for v in values]
    up, down = (sum((r * w).sum() for r, w in zip(
        results(*(v + h * d for v, d in zip(values, directions, strict=True))), weights, strict=True))
        for h in (1e-6, -1e-6))
    slope = sum((g * d).sum() for g, d in zip(found[5:], directions, strict=True))
    np.testing.assert_allclose(slope, (up - down) / 2e-6, rtol=1e-5, atol=1e-6)


V, M = T.dvector(), T.dmatrix()
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "integers": (lambda: train(T.lmatrix(), V, V), TypeError, "real floats"),
    "axes": (lambda: train(M, V, V, "all"), ValueError, "axes must be 'per-activation', 'spatial'"),
    "axis out of range": (lambda: train(M, V, V, (2,)), ValueError, "axis 2"),
    "no axis": (lambda: train(M, M, M, ()), ValueError, "an axis to normalise over"),
    "ranks": (lambda: train(T.dtensor4(), V, V), ValueError, "gamma has 1 dimensions; all parameters must have 4"),
    "mixed ranks": (lambda: train(M, M, V), ValueError, "beta has 1 dimensions"),
    "one average": (lambda: train(M, V, V, running_mean=V), ValueError, "both be given, or neither"),
    "epsilon": (lambda: given(M, V, V, V, V, epsilon=-1), ValueError, "epsilon must not be negative"),
    "mode": (lambda: T.nnet.batch_normalization(M, M, M, M, M, "fast"), ValueError, "'low_mem' or 'high_mem'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_when_built(case: str) -> None:
    build, kind, text = REFUSED[case]
    with pytest.raises(kind, match=text):
        build()
