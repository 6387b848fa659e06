"""The benchmark of convolutions runs, at sizes that take no time, and its rivals do the same work."""

from __future__ import annotations

import json

import pytest

from benchmarks import convolution


def test_every_rival_gives_the_same(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each measurement compares its rivals' values before it times them."""
    monkeypatch.setattr(convolution, "WORKLOADS", {"small": ((2, 3, 7, 6), (2, 3, 3, 2)),
                                                   "sequence": ((2, 2, 9), (3, 2, 4))})
    monkeypatch.setattr(convolution, "POOLINGS", {"max": ((2, 2, 6, 6), 3, 2, 1)})
    convolution.main(["--rounds", "1", "--json"])
    report = json.loads(capsys.readouterr().out)["workloads"]
    assert set(report) == {"small", "sequence", "max"}
    assert set(report["small"]) == {"forward", "by inputs", "by weights"}
    assert all(set(rivals) == {"symgraph", "windows", "fftconvolve"} for rivals in report["small"].values())
    assert all(f["ms"]["median"] > 0 for rivals in report["max"].values() for f in rivals.values())


def test_only_some(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(convolution, "WORKLOADS", {"small": ((1, 1, 3, 3), (1, 1, 2, 2))})
    convolution.main(["--rounds", "1", "--json", "--only", "small"])
    assert list(json.loads(capsys.readouterr().out)["workloads"]) == ["small"]
