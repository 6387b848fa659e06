"""Logistic regression by conjugate gradients: its functions are right, and every optimiser learns."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from symgraph.datasets import load_mnist
from tutorials import logistic_cg
from tutorials.logistic_cg import METHODS, write_functions


def test_its_functions() -> None:
    dataset = load_mnist(source="digits", normalize="levels")
    functions = write_functions(dataset)
    rng = np.random.default_rng(0)
    theta, v = rng.normal(size=(2, functions.size))
    cost, slope = functions.cost_and_slope(theta)
    images, labels = np.asarray(dataset.train.x, float), dataset.train.y
    parts = functions.parts(theta)
    scores = images @ parts["W"].astype(float) + parts["b"]
    lifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = lifted / lifted.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(cost, -np.log(p[np.arange(len(labels)), labels]).mean(), rtol=1e-5)
    step = 1e-3
    high, low = (functions.cost_and_slope(theta + way * step * v) for way in (1, -1))
    np.testing.assert_allclose((high[0] - low[0]) / (2 * step), slope @ v, rtol=1e-3)
    curvature = (high[1] - low[1]) / (2 * step)
    np.testing.assert_allclose(functions.curvature(theta, v), curvature, atol=1e-3 * abs(curvature).max())
    valid = functions.validation_error(theta)
    found = (np.asarray(dataset.valid.x) @ parts["W"] + parts["b"]).argmax(axis=1)
    np.testing.assert_allclose(valid, np.mean(found != dataset.valid.y))


@pytest.mark.parametrize("method", METHODS)
def test_every_optimiser_learns(capsys: pytest.CaptureFixture[str], tmp_path: Path, method: str) -> None:
    flags = ["--data", "digits", "--epochs", "8", "--method", method, "--json", "--out", str(tmp_path)]
    assert logistic_cg.main(flags) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert report["test_error"] < 10
    assert report["epochs"] <= 8
    assert f"; {method}; device cpu" in captured.err
    assert "which asked" in captured.err


def test_an_unknown_optimiser_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        logistic_cg.main(["--method", "Powell"])
    assert "invalid choice: 'Powell'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif("SYMGRAPH_DATA" not in os.environ, reason="needs real MNIST: set SYMGRAPH_DATA")
def test_conjugate_gradients_on_mnist(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert logistic_cg.main(["--epochs", "60", "--json", "--out", str(tmp_path)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["dataset"] == "mnist"
    assert report["best_validation_error"] < 7.4
    assert report["test_error"] < 7.9
