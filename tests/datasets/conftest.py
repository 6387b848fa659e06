"""Tests of data sets see no data of the machine they run on."""

from pathlib import Path

import pytest


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No SYMGRAPH_DATA, and an empty cache, whose folder is returned."""
    monkeypatch.delenv("SYMGRAPH_DATA", raising=False)
    cache = tmp_path / "cache"
    monkeypatch.setattr("symgraph.datasets.mnist.cache_folder", lambda: cache)
    return cache
