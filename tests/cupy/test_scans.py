"""Loops on the device: values and gradients as on the CPU, recorded where the number of steps says everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from tests.cupy.common_programs import counted

RNG = np.random.default_rng(0)
X, H = RNG.normal(size=(5, 3)).astype("float32"), RNG.normal(size=3).astype("float32")


def recurrent() -> Any:
    x, h, w = T.matrix("x"), T.vector("h"), sg.shared(np.eye(3, dtype="float32") * 0.5, name="w")
    states, _ = sg.scan(lambda x, h, w: T.tanh(x + h @ w), sequences=x, outputs_info=h, non_sequences=w)
    cost = (states[-1] ** 2).sum()
    return sg.function([x, h], [states, cost], updates=[(w, w - 0.1 * sg.grad(cost, w))])


def backwards_with_numbers() -> Any:
    x, h, k = T.matrix("x"), T.vector("h"), T.scalar("k")
    totals, _ = sg.scan(lambda x, total, k: total * k + x.sum(), sequences=x, outputs_info=T.zeros(()),
                        non_sequences=k, go_backwards=True)
    return sg.function([x, h, sg.In(k, value=0.5)], [totals, totals[-1] + h])




def number_of_steps_passed() -> Any:
    x, h, n = T.matrix("x"), T.vector("h"), T.lscalar("n")
    values, _ = sg.scan(lambda v: v * 1.5, outputs_info=h, n_steps=n)
    f = sg.function([x, h, n], [values.sum(axis=0), x.sum()])
    return lambda x, h: [value for n in (3, 1, 4, 3) for value in f(x, h, n)]


@pytest.mark.parametrize("build", [recurrent, *(pytest.param(build, marks=pytest.mark.slow) for build in (
    backwards_with_numbers, number_of_steps_passed))])
def test_loops_agree_with_those_of_the_cpu(build: Callable[[], Any]) -> None:
    with sg.config.change_flags(device="emulated", floatX="float32"):
        ours = build()
    with sg.config.change_flags(floatX="float32"):
        theirs = build()
    for k in range(3):
        for found, wanted in zip(ours(X + k, H), theirs(X + k, H), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_loop_is_recorded() -> None:
    with sg.config.change_flags(device="emulated"):
        f = recurrent()
        f(X, H), f(X, H)
        with counted() as done:
            f(X, H)
    report = f.report()
    assert report.rung == "graph", report.why
    assert done["allocations"] <= 2, "the arguments"
    assert done["launches"] == report.launches
    assert (done["graph_launches"], done["changes"]) == (1, 0)
