"""Integers of Python as arguments that are only positions or lengths: they are taken as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T

DATA = np.arange(10.0)


def batch(entry: Any) -> Any:
    i = getattr(entry, "variable", entry)
    return sg.function([entry], sg.shared(DATA)[i * 2:(i + 1) * 2])


@pytest.mark.parametrize("value", [1, np.int64(1), np.int32(1), np.asarray(1), True])
def test_any_integer_is_a_position(value: Any) -> None:
    i = T.lscalar("i")
    f = batch(i)
    assert list(f._built.program.positions) == [0]
    np.testing.assert_array_equal(f(value), [2, 3])
    np.testing.assert_array_equal(f(i=value), [2, 3])


def test_what_is_no_int64_is_an_error_as_ever() -> None:
    f = batch(T.lscalar("i"))
    for value in (2**63, -2**63 - 1, 2**70, 1.5, "1", [1]):
        with pytest.raises(TypeError, match="argument 0"):
            f(value)
    assert len(f(2**62)) == 0
    with pytest.raises(IndexError):
        sg.function([i := T.lscalar("i")], sg.shared(DATA)[i])(-11)


def test_a_strict_input_takes_arrays_only() -> None:
    f = batch(sg.In(T.lscalar("i"), strict=True))
    np.testing.assert_array_equal(f(np.asarray(1)), [2, 3])
    with pytest.raises(TypeError):
        f(1)


@pytest.mark.parametrize("result", [
    lambda x, i: [x[i], i], lambda x, i: x[i] * i, lambda x, i: x[i + 1] + (i + 1), lambda x, i: x[T.stack([i, i])],
    lambda x, i: T.ones((i,)).sum() + x[i:].sum(), lambda x, i: x[i] * T.cast(i, "float64"),
])
def test_results_are_the_same_for_numbers_and_arrays(result: Any) -> None:
    i = T.lscalar("i")
    f = sg.function([i], result(sg.shared(DATA), i))
    for value in (0, 3, 8):
        found, wanted = f(value), f(np.asarray(value))
        for a, b in zip(found if isinstance(found, list) else [found], wanted if isinstance(wanted, list) else [wanted],
                        strict=True):
            assert type(a) is type(b)
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
