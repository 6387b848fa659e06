"""Variable.eval: by variable or name, compiled once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.config import config
from symgraph.errors import MissingInputError


def evaluators(variable: Any) -> Any:
    return list(variable.__dict__.get("_evaluators", {}).values())


def test_by_variable_and_by_name() -> None:
    x, y = T.dscalars("x", "y")
    z = x - y
    assert z.eval({x: 3, y: 1}) == z.eval({"x": 3, "y": 1}) == z.eval({y: 1, "x": 3}) == 2


def test_compiled_once_whatever_the_order() -> None:
    x, y = T.dscalars("x", "y")
    z = x - y
    z.eval({x: 3, y: 1})
    (first,) = evaluators(z)
    assert z.eval({y: 1, "x": 5}) == 4
    assert evaluators(z) == [first]


def test_compiled_anew_in_another_mode() -> None:
    x = T.dscalar("x")
    z = x + 1
    z.eval({x: 1})
    with config.change_flags(mode="FAST_COMPILE"):
        z.eval({x: 1})
    assert [f.recipe.mode.name for f in evaluators(z)] == ["FAST_RUN", "FAST_COMPILE"]


def test_without_inputs_and_with_shared_variables() -> None:
    s = sg.shared(2.0)
    z = s * 3
    assert z.eval() == 6
    s.set_value(4)
    assert z.eval() == 12
    assert s.eval() == 4
    assert T.constant(1.5).eval() == 1.5


def test_at_an_intermediate_variable() -> None:
    x = T.dscalar("x")
    y = x * 2
    assert (y + 1).eval({y: 10}) == 11


def test_values_not_needed_are_ignored() -> None:
    x, y = T.dscalars("x", "y")
    assert (x * 2).eval({x: 1, y: 5}) == 2


def test_results_are_the_callers() -> None:
    s = sg.shared(np.zeros(2))
    s.eval()[:] = 5
    np.testing.assert_array_equal(s.get_value(), [0, 0])


def test_errors() -> None:
    x, y = T.dscalars("x", "y")
    z = x + y
    with pytest.raises(MissingInputError, match="y"):
        z.eval({x: 1})
    with pytest.raises(ValueError, match="no inputs are named 'q'; the names are x, y"):
        z.eval({"q": 1})
    with pytest.raises(ValueError, match="2 inputs are named 'x'"):
        (x + T.dscalar("x")).eval({"x": 1})
    with pytest.raises(TypeError, match="eval takes a dict"):
        z.eval([1, 2])
    with pytest.raises(TypeError, match=r"argument 0 \(x\)"):
        z.eval({x: "a", y: 2})
