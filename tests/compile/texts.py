"""What an error says, in full. Each program is compiled as ``model.py``, whose lines the errors name."""

from __future__ import annotations

import re
import textwrap
import traceback
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T

__all__ = ["check", "failure", "text_of"]


def failure(program: Any, **names: Any) -> Any:
    """The error a program ends in."""
    code = compile(textwrap.dedent(program).strip() + "\n", "model.py", "exec")
    with pytest.raises(Exception) as caught:  # noqa: PT011
        exec(code, {"sg": sg, "T": T, "np": np, **names})
    return caught.value


def text_of(error: Any) -> Any:
    """What Python prints last: type, message and notes."""
    lines = "".join(traceback.format_exception_only(error)).rstrip().splitlines()
    assert len(lines) <= 12
    assert max(map(len, lines)) <= 300
    return re.sub(r"^symgraph\.(\w+\.)+", "", "\n".join(lines))


def check(program: Any, wanted: Any, **names: Any) -> None:
    assert text_of(failure(program, **names)) == textwrap.dedent(wanted).strip()
