"""Whose memory is whose: states that are swapped, passed on, viewed, overwritten, and read by others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.scan import until
from tests.scan.reference import Stop, python_scan

MATRIX = np.array([[0.5, -0.2, 0.1], [0.3, 0.4, -0.1], [0.2, 0.1, 0.6]])


def set_first(xp: Any, a: Any, b: Any) -> Any:
    if xp is T:
        return T.set_subtensor(a[0], b[1])
    new = np.array(a)
    new[0] = b[1]
    return new


#: From a module, two states and an element to a next value.
NEXT: list[Any] = [
    lambda xp, a, b, x: a,
    lambda xp, a, b, x: b,
    lambda xp, a, b, x: x,
    lambda xp, a, b, x: a[::-1],
    lambda xp, a, b, x: a * 0.5 + x,
    lambda xp, a, b, x: xp.tanh(a + b),
    lambda xp, a, b, x: xp.dot(a, MATRIX) + b,
    lambda xp, a, b, x: set_first(xp, a, b),
    lambda xp, a, b, x: set_first(xp, a * 0.9, x)[::-1],
    lambda xp, a, b, x: x * 2.0,
]


@pytest.mark.parametrize("seed", [*range(12), 40, 74, 154, 227, 236])
@pytest.mark.parametrize("mode", ["FAST_RUN", "None"])
def test_nothing_is_overwritten_that_is_still_read(seed: int, mode: str) -> None:
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 5))
    choices = [(int(random.integers(len(NEXT))), int(random.integers(count)), int(random.integers(count)))
               for _ in range(count)]
    collected = [(int(random.integers(len(NEXT))), int(random.integers(count)), int(random.integers(count)))
                 for _ in range(int(random.integers(0, 3)))]
    alike = bool(random.integers(2))
    stops = seed % 4 == 0

    def step(xp: Any, stop: Any) -> Any:
        def run(x: Any, *states: Any) -> Any:
            found = [NEXT[kind](xp, states[i], states[j], x) for kind, i, j in choices]
            found += [NEXT[kind](xp, found[i] if alike else states[i], states[j], x) for kind, i, j in collected]
            return [*found, stop(found[0].sum() > 4.0)] if stops else found

        return run

    values = [random.normal(size=(5, 3)), *(random.normal(size=3) for _ in range(count))]
    inputs = [T.dmatrix("x"), *T.dvectors(*[f"s{i}" for i in range(count)])] if count > 1 else [
        T.dmatrix("x"), T.dvector("s0")]
    outputs, _ = sg.scan(step(T, until), inputs[0], [*inputs[1:], *[None] * len(collected)], return_list=True)
    wanted = python_scan(step(np, Stop), [(values[0], (0,))],
                         [*((v, (-1,)) for v in values[1:]), *[None] * len(collected)])
    last = [bool(random.integers(2)) for _ in outputs]
    f = sg.function(inputs, [v[-1] if only else v for v, only in zip(outputs, last, strict=True)], mode=mode,
                    on_unused_input="ignore")
    before = [v.copy() for v in values]
    for _ in range(2):  # scratch of the first call is used again
        for found, rows, only in zip(f(*values), wanted, last, strict=True):
            np.testing.assert_allclose(found, rows[-1] if only else rows)
    for now, then in zip(values, before, strict=True):
        np.testing.assert_array_equal(now, then)
