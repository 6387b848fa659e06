"""The GPU benchmarks' programs run on the emulated device, give the right answers, and their tables tell it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import worker
from benchmarks.gpu.measure import Rival, measure
from benchmarks.gpu.report import tables
from benchmarks.gpu.workloads import FAMILIES, workloads
from symgraph.config import config

#: Launches of one step or call of ours.
LAUNCHES = {"logistic 30": 2, "perceptron 4": 2, "deep 8": 2, "chain": 1, "cross-entropy": 1,
            "cross-entropy and gradient": 1, "Adam": 1, "dropout": 1}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Ours, all workloads at sizes that take no time."""
    out = tmp_path_factory.mktemp("gpu") / "rows"
    with config.change_flags(device="emulated"):
        worker.main(["--library", "symgraph", "--out", str(out), "--only", ",".join(FAMILIES), "--seconds", "600",
                     "--device", "emulated", "--tiny"])
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("workload", [w.name for w in workloads(tiny=True)])
def test_ours_runs_and_is_right(workload: str, rows: list[dict[str, Any]]) -> None:
    mine = [row for row in rows if row["workload"] == workload]
    assert mine
    for row in mine:
        assert "missing" not in row, row["missing"]
        assert row["error"] < (0.2 if workload == "dropout" else 1e-5)
        assert 0 < row["min"] <= row["median"] <= row["p90"]
        assert row["launches"] == LAUNCHES[workload]


def test_many_steps_in_one_call_are_measured(rows: list[dict[str, Any]]) -> None:
    assert {row["workload"]: row["steps"] for row in rows if row["variant"] == "many steps a call"} == {
        "logistic 30": 3, "perceptron 4": 3}


def test_a_wrong_rival_has_no_figure() -> None:
    (chain,) = workloads(["chain"], tiny=True)
    rival = Rival(lambda: None, lambda: None, lambda: [np.asarray(chain.answer()[0]) * 1.01])
    found = worker._measured(chain, lambda: rival, 1.0, True, "float32")
    assert found == {"missing": "wrong: off by 1.0e-02"}


def test_a_rival_that_fails_says_why() -> None:
    (chain,) = workloads(["chain"], tiny=True)

    def broken() -> Rival:
        raise RuntimeError("no such kernel\nand more")

    assert worker._measured(chain, broken, 1.0, True, "float32") == {"missing": "RuntimeError: no such kernel"}
    assert worker._measured(chain, broken, 0.0, True, "float32") == {"missing": "no time left"}


def test_a_step_of_many_is_timed_by_step() -> None:
    calls = []
    rival = Rival(lambda: calls.append(1), lambda: None, list, steps=1000)
    assert measure(rival, 0.01, rounds=3, warm_up=1)["median"] < 1
    assert calls


def test_the_tables_show_what_is_missing(rows: list[dict[str, Any]]) -> None:
    text = tables([*rows, {"library": "torch", "missing": "not installed"}], {"device": "emulated"})
    assert "not measured: torch: not installed" in text
    assert "device: emulated" in text
    assert all(f"{w.name}, float32" in text for w in workloads(tiny=True))


def test_without_a_gpu_nothing_is_claimed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "_device", lambda options: None)
    assert command.main(["--json", str(tmp_path / "rows")]) == 1
    assert "nothing is measured" in capsys.readouterr().err
    assert not (tmp_path / "rows").exists()


@pytest.mark.parametrize("flags", [["--only", "W1"], ["--libraries", "matlab"], ["--device", "cpu"]])
def test_a_flag_that_cannot_be_followed(flags: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(flags)
    assert caught.value.code == 2
