"""The generated program of logistic regression, kept as text: the same program gives the same source, every time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.backends.logistic_program import GOLDEN, step

ROOT = Path(__file__).parents[2]


def test_the_source_is_as_it_was() -> None:
    """When it changed on purpose: ``python -m tests.backends.logistic_program``, and read the difference."""
    assert step().source == GOLDEN.read_text(encoding="utf-8")


def test_the_same_program_gives_the_same_source() -> None:
    first = step()
    first(0)
    assert step().source == step().source == first.source


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_the_source_does_not_depend_on_hashes(seed: str) -> None:
    """Two processes, in which sets and dicts of strings are in different orders."""
    code = "from tests.backends.logistic_program import step; import sys; sys.stdout.write(step().source)"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert run.stdout.decode("utf-8") == GOLDEN.read_text(encoding="utf-8")


def test_it_computes_what_numpy_by_hand_does() -> None:
    f = step()
    variables = {v.name: v for v in f.get_shared()}
    x, y = variables["data"].get_value(), variables["labels"].get_value().astype(int)
    W, b = np.zeros((8, 3), "float32"), np.zeros(3, "float32")
    for k in (0, 1, 2, 0):
        rows, wanted = x[20 * k:20 * (k + 1)], y[20 * k:20 * (k + 1)]
        scores = rows @ W + b
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        cost = -np.log(p[np.arange(20), wanted]).mean()
        slope = (p - np.eye(3, dtype="float32")[wanted]) / np.float32(20)
        W, b = W - np.float32(0.13) * (rows.T @ slope), b - np.float32(0.13) * slope.sum(axis=0)
        np.testing.assert_allclose(f(k), cost, rtol=2e-6)
    np.testing.assert_allclose(variables["W"].get_value(), W, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(variables["b"].get_value(), b, rtol=1e-5, atol=1e-7)


def test_nothing_large_is_made_anew_in_a_step() -> None:
    """Every matrix of the step is computed into memory that is there, unless it is a single element: only what indexing
    gives is new."""
    for line in re.sub(r"\ndef one.*?\n\n\n", "\n", step().source, flags=re.DOTALL).splitlines():
        if "= np." in line and "float32[?,?]" in line:
            assert re.search(r"(, |out=)[tw]\d+_?\)", line), line
