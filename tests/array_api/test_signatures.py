"""The functions' parameters are those of the standard, as `array_api_strict` has them."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import pytest

import symgraph.array_api as xp

strict = pytest.importorskip("array_api_strict", reason="array-api-strict, the reference, is not installed")

FUNCTIONS = [(None, name) for name in strict.__all__ if inspect.isfunction(getattr(strict, name))]
FUNCTIONS += [(part, name) for part in ("linalg", "fft") for name in getattr(strict, part).__all__]
#: Switches of the reference itself; what versions of the standard after 2024.12 brought or changed.
APART = {"get_array_api_strict_flags", "reset_array_api_strict_flags", "set_array_api_strict_flags",
         "broadcast_shapes", "isin", "expand_dims"}


def parameters(function: Any) -> dict[str, tuple[Any, bool]]:
    """The kind of each parameter, and whether it has a default."""
    return {name: (p.kind, p.default is p.empty) for name, p in inspect.signature(function).parameters.items()}


@pytest.mark.parametrize(("part", "name"), [f for f in FUNCTIONS if f[1] not in APART])
def test_parameters(part: str | None, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = parameters(getattr(getattr(strict, part) if part else strict, name))
    ours = parameters(getattr(getattr(xp, part) if part else xp, name))
    positional = [n for n, (kind, _) in theirs.items() if kind is inspect.Parameter.POSITIONAL_ONLY]
    assert [n for n, (kind, _) in ours.items() if kind is inspect.Parameter.POSITIONAL_ONLY] == positional
    assert ours == theirs
