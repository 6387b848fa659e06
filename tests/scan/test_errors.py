"""Bad input: the message names the sequence or the state, and what to do; at build time where types show it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.scan import until

x, m, s = T.dvector("x"), T.dmatrix("m"), T.dscalar("s")
five = T.TensorType("float64", (5,))("five")
three = T.TensorType("float64", (3,))("three")

WHILE_BUILDING: dict[str, tuple[Any, type[Exception], str]] = {
    "no length": (lambda: sg.scan(lambda h: h, outputs_info=s), ValueError, "pass n_steps, or a sequence"),
    "n_steps negative": (lambda: sg.scan(lambda: s, n_steps=-2), ValueError,
                         "n_steps must not be negative, but is -2.*go_backwards=True"),
    "n_steps float": (lambda: sg.scan(lambda: s, n_steps=2.0), TypeError, "n_steps must be an integer, not 2.0"),
    "n_steps vector": (lambda: sg.scan(lambda: s, n_steps=x), TypeError, "n_steps must be an integer scalar"),
    "n_steps of a float variable": (lambda: sg.scan(lambda: s, n_steps=s), TypeError, "must be an integer scalar"),
    "sequence too short": (lambda: sg.scan(lambda v: v, five, n_steps=7), ValueError,
                           "n_steps is 7, but the sequence five has elements for 5 steps only"),
    "sequence too short for taps": (lambda: sg.scan(lambda a, b: a, {"input": three, "taps": [-2, 2]}), ValueError,
                                    r"sequence 0 \(three\): taps \[-2, 2\] need at least 4 elements, but it has 3"),
    "scalar sequence": (lambda: sg.scan(lambda v: v, s), TypeError, r"sequence 0 \(s\).*Pass it in non_sequences"),
    "no input": (lambda: sg.scan(lambda v: v, {"taps": [0]}), ValueError, "a dict without an 'input'"),
    "unknown entry": (lambda: sg.scan(lambda v: v, {"input": x, "tap": [0]}), ValueError, "no entry 'tap'; there are"),
    "taps of floats": (lambda: sg.scan(lambda v: v, {"input": x, "taps": [0.5]}), TypeError, "taps are integers"),
    "a tap twice": (lambda: sg.scan(lambda a, b: a, {"input": x, "taps": [1, 1]}), ValueError, "given twice"),
    "taps of a state in the future": (lambda: sg.scan(lambda v, h: h, x, {"initial": s, "taps": [1]}), ValueError,
                                      r"output 0 \(s\): taps \[1\] must be negative"),
    "taps without initial": (lambda: sg.scan(lambda v, h: h, x, {"taps": [-1]}), ValueError, "no 'initial' value"),
    "initial without an axis for taps": (lambda: sg.scan(lambda a, b: a, n_steps=2, outputs_info={
        "initial": s, "taps": [-1, -2]}), ValueError, "must have an axis for them in front"),
    "initial too short for taps": (lambda: sg.scan(lambda a, b: a, n_steps=2, outputs_info={
        "initial": three, "taps": [-1, -4]}), ValueError, "read 4 values before the first step.*has 3"),
    "an argument missing": (lambda: sg.scan(lambda v, h: h + v, x), TypeError,
                            r"<lambda>\(v, h\) cannot take .*missing a required argument: 'h'.*elements of sequences: "
                            r"x\[t\]. An output .* needs an initial value in outputs_info"),
    "an argument too many": (lambda: sg.scan(lambda v: v, x, s), TypeError, r"too many .*x\[t\]; earlier values: s"),
    "missing outputs_info": (lambda: sg.scan(lambda v, h: [h, h], x, [s]), ValueError,
                             "returned 2 outputs, but outputs_info has 1 entry.*None for an output that no step"),
    "wider dtype": (lambda: sg.scan(lambda v, h: h * v, x, T.fscalar("h0")), TypeError,
                    r"output 0 \(h0\): its initial value is float32, but a step gives float64 .*test_errors.py"),
    "integer initial": (lambda: sg.scan(lambda v, h: h + v, x, 0), TypeError, "initial value is int64.*T.cast"),
    "rank": (lambda: sg.scan(lambda v, h: h * v, m, s), ValueError, "has 0 dimensions .*but a step gives 1"),
    "shape": (lambda: sg.scan(lambda h: h[:3], outputs_info=five, n_steps=2), ValueError,
              "length 5 along axis 0 .* but a step gives 3"),
    "update of no shared variable": (lambda: sg.scan(lambda v: (v, {s: s + 1}), x), TypeError,
                                     "updates s of type .*only shared variables can be updated"),
    "update of another dtype": (lambda: sg.scan(lambda v: (v, {sg.shared(0, name="k"): v}), x), TypeError,
                                "shared variable k does not fit: it is float64 instead of int64"),
    "two conditions": (lambda: sg.scan(lambda v: (v, until(v > 0), until(v > 1)), x), ValueError, "two conditions"),
    "condition of a vector": (lambda: sg.scan(lambda r: (r, until(r > 0)), m), TypeError, "must be a scalar"),
    "truncate": (lambda: sg.scan(lambda v: v, x, truncate_gradient=0), ValueError, "truncate_gradient must be a pos"),
    "no function": (lambda: sg.scan(x, x), TypeError, "fn must be a function of one step"),
    "output of another kind": (lambda: sg.scan(lambda v: "v", x), TypeError, "what the step function returns"),
}


@pytest.mark.parametrize("name", WHILE_BUILDING)
def test_while_building(name: str) -> None:
    build, kind, message = WHILE_BUILDING[name]
    with pytest.raises(kind, match=message) as found:
        build()
    assert str(found.value).count("\n") < 12


def notes(error: BaseException) -> str:
    return "\n".join(getattr(error, "__notes__", []))


@pytest.mark.parametrize("mode", ["FAST_RUN", "None"])
def test_the_number_of_steps_at_run_time(mode: str) -> None:
    """Also where nothing is left of the loop."""
    n = T.lscalar("n")
    f = sg.function([x, n], sg.scan(lambda v: T.exp(v), x, n_steps=n, name="walk")[0], mode=mode)
    np.testing.assert_allclose(f([1.0, 2.0], 1), np.exp([1.0]))
    with pytest.raises(ValueError, match=r"scan\{walk\}: n_steps must not be negative") as found:
        f([1.0, 2.0], -1)
    assert "n: int64 of shape () = -1" in notes(found.value)
    with pytest.raises(ValueError, match=r"scan\{walk\}: the sequence x has elements for fewer than n_steps steps"):
        f([1.0, 2.0], 3)


@pytest.mark.parametrize("mode", ["FAST_RUN", "None"])
def test_an_error_in_a_step_names_the_step_the_line_and_the_shapes(mode: str) -> None:
    rows, _ = sg.scan(
        lambda i, h: h + m[i],  # the line of the step
        T.arange(4), T.zeros(2, "float64"), name="walk")
    f = sg.function([m], rows, mode=mode)
    with pytest.raises(IndexError) as found:
        f(np.zeros((3, 2)))
    text = notes(found.value)
    assert "in step 3 of scan{walk}" in text
    assert "test_errors.py:" in text
    assert "float64 of shape (3, 2)" in text


@pytest.mark.parametrize("mode", ["FAST_RUN", "None"])
def test_a_state_that_changes_its_shape(mode: str) -> None:
    h0 = T.dvector("h0")
    rows, _ = sg.scan(lambda v, h: T.concatenate([h, h]) * v, x, h0)
    f = sg.function([h0, x], rows, mode=mode)
    with pytest.raises(ValueError, match=r"the state h0\[t-1\] has shape \(2,\), but its next value has shape \(4,\)"):
        f([1.0, 2.0], [1.0, 1.0])
    assert f([1.0, 2.0], []).shape == (0, 2)


@pytest.mark.parametrize("mode", ["FAST_RUN", "None"])
def test_collected_values_of_different_shapes(mode: str) -> None:
    n = T.lvector("n")
    rows, _ = sg.scan(lambda k: T.arange(k), n)
    f = sg.function([n], rows, mode=mode)
    assert f([2, 2]).tolist() == [[0, 1], [0, 1]]
    with pytest.raises(ValueError, match=r"step 1 gives has shape \(3,\), what step 0 gave has shape \(2,\)"):
        f([2, 3])
