"""The examples in the docstrings run."""

import doctest

import pytest

from symgraph import datasets
from symgraph.datasets import idx, images, mnist


@pytest.mark.parametrize("module", [datasets, idx, images, mnist], ids=lambda module: module.__name__)
def test_examples(module: object) -> None:
    found = doctest.testmod(module)  # type: ignore[arg-type]
    assert found.attempted > 0
    assert found.failed == 0
