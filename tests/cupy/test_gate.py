"""Whatever kernels programs are made into, they compile for GPUs, old and new, and keep their numbers in registers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.cupy.devices import compiler
from tests.cupy.common_programs import on_device
from tests.cupy.gate import check_compiles
from tests.cupy.test_ops_on_device import BARRED, check, tried_dtype
from tests.cupy.test_training import CASES
from tests.records import RECORDS

#: As many texts are compiled as one.
TOGETHER = 40


@pytest.fixture
def generated(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, None]]:
    """The texts of all kernels that are built for the emulated device."""
    texts: dict[str, None] = {}
    build = compiler.emulated_library

    def noting(source: str, *rest: Any) -> Any:
        texts[source] = None
        return build(source, *rest)

    monkeypatch.setattr(compiler, "emulated_library", noting)
    yield texts
    assert texts, "nothing was built"


def compile_all(texts: dict[str, None]) -> None:
    every = list(texts)
    for i in range(0, len(every), TOGETHER):
        check_compiles(*every[i:i + TOGETHER])


def dropout_and_adam() -> Any:
    """A step with random numbers, a normalisation and moments of gradients."""
    rng = np.random.default_rng(2)
    x, W = T.fmatrix("x"), sg.shared(rng.normal(size=(12, 7)).astype("float32"), name="W")
    m, v, t = (sg.shared(np.zeros(s, "float32"), name=n) for n, s in (("m", (12, 7)), ("v", (12, 7)), ("t", ())))
    streams = sg.random.RandomStreams(3)
    h = T.nnet.relu(x @ W)
    h = (h - h.mean(1, keepdims=True)) / T.sqrt(h.var(1, keepdims=True) + 1e-5)
    cost = (h * streams.binomial(h.shape, p=0.5, dtype="float32")).sum() + abs(W).sum()
    g = sg.grad(cost, W)
    m1, v1, t1 = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2, t + 1
    step = 0.01 * m1 / (1 - 0.9**t1) / (T.sqrt(v1 / (1 - 0.99**t1)) + 1e-8)
    return sg.function([x], cost, updates=[(W, W - step), (m, m1), (v, v1), (t, t1)])


def test_training_steps(generated: dict[str, None]) -> None:
    for make in CASES.values():
        step, _ = make("emulated")
        step(0)
        step(4)
    with on_device():
        step = dropout_and_adam()
        step(np.ones((5, 12), "float32"))
    compile_all(generated)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_every_operation(part: int, generated: dict[str, None]) -> None:
    for record in [r for r in RECORDS if r.name not in BARRED][part::8]:
        check(record, tried_dtype(record), 2)
    compile_all(generated)
