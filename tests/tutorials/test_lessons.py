"""The tutorials run, reach what they promise, keep what they learned, and say what is wrong with a flag."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symgraph.datasets import load_mnist
from tutorials import first_graph, logistic_cg, logistic_regression, mlp
from tutorials.training import EarlyStopping

ROOT = Path(__file__).resolve().parents[2]
LESSONS = {"logistic_regression": logistic_regression, "mlp": mlp, "logistic_cg": logistic_cg}


def run(capsys: pytest.CaptureFixture[str], lesson: Any, *flags: str) -> tuple[int, dict[str, Any], str]:
    """Run a lesson in this process: its status, its JSON line and what it told a person."""
    status = lesson.main([*flags, "--json"])
    captured = capsys.readouterr()
    return status, json.loads(captured.out.strip()), captured.err


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_trains_on_the_digits(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str) -> None:
    status, report, told = run(capsys, LESSONS[name], "--data", "digits", "--epochs", "5", "--out", str(tmp_path))
    assert status == 0
    assert set(report) >= {"best_validation_error", "test_error", "epochs", "seconds", "dataset", "device"}
    assert (report["dataset"], report["device"], report["epochs"]) == ("digits", "cpu", 5)
    assert report["test_error"] < 20
    assert "best so far" in told
    assert (tmp_path / "weights.png").read_bytes().startswith(b"\x89PNG")
    with np.load(tmp_path / "model.npz") as saved:
        assert "W" in saved.files
        assert all(saved[k].dtype == np.float32 for k in ("W", "b"))


@pytest.mark.parametrize("name", LESSONS)
def test_what_was_learned_is_used(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str) -> None:
    flags = ["--data", "digits", "--out", str(tmp_path)]
    _, trained, _ = run(capsys, LESSONS[name], *flags, "--epochs", "5")
    status, report, told = run(capsys, LESSONS[name], "predict", *flags)
    assert status == 0
    assert len(report["predicted"]) == len(load_mnist(source="digits").test.y)
    assert abs(report["test_error"] - trained["test_error"]) < 3  # training measures whole minibatches only
    assert "predicted:" in told


def test_logistic_regression_reaches_95_percent_on_the_digits(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _, report, _ = run(capsys, logistic_regression, "--data", "digits", "--epochs", "100", "--out", str(tmp_path))
    assert report["test_error"] <= 5.0


def test_the_same_seed_gives_the_same_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    models = []
    for folder in ("a", "b"):
        run(capsys, mlp, "--data", "digits", "--epochs", "2", "--seed", "7", "--out", str(tmp_path / folder))
        with np.load(tmp_path / folder / "model.npz") as saved:
            models.append({name: saved[name] for name in saved.files})
    for name, value in models[0].items():
        np.testing.assert_array_equal(value, models[1][name])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--epochs", "-1"], "'-1' is not a whole number of at least 1"),
        (["--learning-rate", "nan"], "'nan' is not a positive number"),
        (["--batch-size", "100000", "--data", "digits"], "--batch-size 100000 is more than the"),
        (["--device", "tpu"], "invalid choice: 'tpu'"),
        (["--data", "no/such/folder"], "no/such/folder"),
        (["predict", "--weights", "no/such.npz"], "no/such.npz"),
    ],
    ids=["epochs", "rate", "batch", "device", "data", "weights"],
)
def test_a_flag_that_cannot_be_followed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, flags: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        logistic_regression.main([*flags, "--out", str(tmp_path)])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_device_that_is_not_there_is_said_to_be_missing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises((RuntimeError, SystemExit)) as caught:
        logistic_regression.main(["--data", "digits", "--device", "cuda", "--out", str(tmp_path)])
    told = str(caught.value) + capsys.readouterr().err
    assert "cuda" in told
    assert "device='cpu'" in told or "--device cpu" in told


def test_a_lesson_is_a_program(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tutorials.logistic_regression", "--data", "digits", "--epochs", "1", "--json"]
    done = subprocess.run([*command, "--out", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["epochs"] == 1


def test_first_graph_walks_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert first_graph.main() == 0
    told = capsys.readouterr().out
    for part in ("cost = log(1.0 + exp(-(x @ w)))", "simplify/softplus", "def run(x0):", "compiled:    800.0",
                 "ValueError", "built at first_graph.py"):
        assert part in told


def test_patience_is_extended_by_real_improvements_only() -> None:
    stopping = EarlyStopping(patience=100)
    assert stopping.is_best(0.5, minibatch=80)
    assert stopping.patience == 160
    assert stopping.is_best(0.4990, minibatch=120)
    assert stopping.patience == 160
    assert not stopping.is_best(0.4995, minibatch=130)
    assert stopping.is_exhausted(minibatch=160)


@pytest.mark.slow
@pytest.mark.skipif("SYMGRAPH_DATA" not in os.environ, reason="needs real MNIST: set SYMGRAPH_DATA")
def test_logistic_regression_reaches_the_published_figures(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _, report, _ = run(capsys, logistic_regression, "--out", str(tmp_path))
    assert report["dataset"] == "mnist"
    assert report["best_validation_error"] == 7.5
    assert round(report["test_error"], 4) == 7.4896
