"""Kernels of jobs compile for GPUs, old and new, without spilling registers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph.tensor as T
from tests.cupy.common_jobs import run_both
from tests.cupy.gate import check_compiles
from tests.cupy.test_launches import Runner, logistic_regression, perceptron
from tests.cupy.test_rows import crossentropy, x, y


def sources(function: Any, index: int = 0) -> list[str]:
    runner = Runner(function.plan, multiprocessors=132)
    runner(np.int64(index))
    return runner.sources


def test_a_training_step_compiles() -> None:
    usage = check_compiles(*sources(logistic_regression(1800, 784, 600)))
    assert all(use.registers <= 128 for kernels in usage.values() for use in kernels.values())


@pytest.mark.slow
def test_steps_of_a_network_compile() -> None:
    check_compiles(*sources(perceptron(200, 784, 500, 20, 0.001)))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "float16", "float64", "complex64"])
def test_every_kind_of_job_compiles(dtype: str) -> None:
    a, b = (T.TensorType(dtype, (None, None))(name) for name in "ab")
    values = [np.ones((20, 70), dtype), np.ones((70, 20), dtype)]
    outputs = [T.sum(a, axis=0), T.max(a, axis=1), T.any(a), a + b.T, T.dot(a, b), T.prod(a)]
    if dtype not in ("bool", "complex64"):
        outputs += [a - T.max(a, axis=1, keepdims=True), T.argmax(a, axis=1), T.argmin(a, axis=0)]
    check_compiles(*run_both([a, b], outputs, values)[2].sources)


@pytest.mark.slow
def test_programs_of_rows_compile() -> None:
    labels = np.zeros(70, "int32")
    texts = []
    for shape in ((70, 10), (5, 2000), (20_000, 8)):
        rows = np.zeros(shape, "float32")
        texts += run_both([x, y], list(crossentropy(x)), [rows, labels[:5]], multiprocessors=4)[2].sources
    check_compiles(*texts)
