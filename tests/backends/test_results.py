"""Memory of large results: taken again only when nobody else can see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.numpy import results
from backends.numpy.results import forget_results, result_array
from backends.numpy.threads import chunks_of, rows_of_tile

ROWS, COLUMNS = 1000, 1000


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    forget_results()
    yield
    forget_results()


def log_softmax() -> Any:
    x = T.fmatrix("x")
    return sg.function([x], T.log(T.nnet.softmax(x)))


def where(array: Any) -> int:
    return array.ctypes.data  # type: ignore[no-any-return]


def test_memory_that_was_let_go_of_is_computed_into_again() -> None:
    f = log_softmax()
    x = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype("float32")
    first = f(x)
    wanted, address = first.copy(), where(first)
    del first
    again = f(x)
    assert where(again) == address
    np.testing.assert_array_equal(again, wanted)


def test_what_somebody_holds_is_left_alone() -> None:
    f = log_softmax()
    x = np.zeros((ROWS, COLUMNS), "float32")
    held: list[Any] = [f(x), f(x + 1)[3:], memoryview(f(x + 2)), f(f(x)).T]
    copies = [np.array(h) for h in held]
    for shift in range(5):
        x[:, 0] = shift
        f(x)
    for h, copy in zip(held, copies, strict=True):
        np.testing.assert_array_equal(h, copy)
    assert len({where(np.asarray(h)) for h in held}) == len(held)


def test_a_next_value_is_not_remembered() -> None:
    """It would look as if somebody held it, when it could be computed over."""
    w = sg.shared(np.zeros((ROWS, COLUMNS), "float32"))
    new = T.tanh(w + 1)
    f = sg.function([], new, updates=[(w, new)])
    for _ in range(3):
        kept = f()
        np.testing.assert_array_equal(w.get_value(), kept)
    assert all(array is not w.get_value(borrow=True) for array in results._given)


def test_only_arrays_that_fit_are_given_out() -> None:
    array = result_array((ROWS, COLUMNS), np.float32)
    address = where(array)
    array.flags.writeable = False
    del array
    assert where(result_array((ROWS, COLUMNS), np.float32)) != address  # it is read-only
    forget_results()
    address = where(result_array((ROWS, COLUMNS), np.float32))
    assert where(result_array((COLUMNS * ROWS,), np.float32)) != address
    assert result_array((ROWS, COLUMNS), np.int32).dtype == np.int32
    assert where(result_array((ROWS, COLUMNS), np.float32)) == address


def test_small_and_huge_arrays_are_not_remembered_and_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    result_array((10, 10), np.float64)
    assert not results._given
    monkeypatch.setattr(results, "_MOST", 5 << 21)
    result_array((6 << 21,), np.int8)
    assert not results._given
    held = [result_array((1 << 21,), np.int8) for _ in range(8)]
    assert [where(a) for a in results._given] == [where(a) for a in held[-5:]]
    f = log_softmax()
    f.free()
    assert not results._given


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 17, 1 << 21, 10_000_000])
@pytest.mark.parametrize("columns", [1, 10, 1000])
def test_tiles_are_of_about_one_length(size: int, columns: int) -> None:
    rows = -(-size // columns)
    chunks, step = chunks_of(rows, rows * columns), rows_of_tile(rows, rows * columns)
    assert 1 <= chunks <= 64
    longest = max(rows * (i + 1) // chunks - rows * i // chunks for i in range(chunks))
    tiles = -(-longest // step)
    assert chunks == 1 or tiles * step - longest < max(step / 2, longest / 8, 17)
