"""The Python of the README runs, block after block, as one program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[1] / "README.md"


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 2
    names: dict[str, Any] = {"__name__": "readme"}
    for block in blocks:
        exec(compile(block.replace("50_000", "500"), "README.md", "exec"), names)
    assert (names["predict"](names["points"][:, :2]) == (names["points"][:, :2].sum(axis=1) > 0)).mean() > 0.95
    assert names["step"].profile.summary() in capsys.readouterr().out
    assert (tmp_path / "step.html").exists()
