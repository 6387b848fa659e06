"""Parts of shared values, changed at the commit where they lie."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.numpy import commits
from tests.compile.test_updates import interrupted_at

ROWS, COLUMNS = 3000, 20  # more bytes than are copied at once


def table(dtype: str = "float64") -> np.ndarray[Any, Any]:
    return np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS).astype(dtype)


def updating(w: Any, part: Any, write: Any, *indices: Any) -> tuple[Any, Any]:
    """A function that changes a part, and gives the sum of what was before."""
    y = T.TensorType(w.type.dtype, [None] * part.ndim)("y")
    f = sg.function([*indices, y], w.sum(), updates=[(w, write(part, y))])
    return f, sg.function([*indices], part)


i, j = T.lscalars("ij")
v = T.ivector("v")
PARTS: dict[str, tuple[list[Any], Any, list[Any]]] = {
    "a row": ([i], lambda w: w[i], [np.int64(-3)]),
    "rows side by side": ([i], lambda w: w[i:i + 5], [np.int64(7)]),
    "a block": ([i, j], lambda w: w[i:, j:j + 2], [np.int64(2990), np.int64(4)]),
    "rows by number": ([v], lambda w: w[v], [np.array([5, -1, 5, 17, 5], "int32")]),
    "no rows": ([v], lambda w: w[v], [np.array([], "int32")]),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("write", [T.set_subtensor, T.inc_subtensor])
@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_written_where_it_lies(name: str, write: Any, dtype: str) -> None:
    symbols, taken, places = PARTS[name]
    w, mirror = sg.shared(table(dtype)), table(dtype)
    f, part_of = updating(w, taken(w), write, *symbols)
    assert [step.commits for step in f.plan.steps].count(True) == 1
    where: Any = {"a row": -3, "rows side by side": slice(7, 12), "a block": (slice(2990, None), slice(4, 6))}.get(
        name, places[0])
    for hold in (lambda array: None, lambda array: array, lambda array: array[4:]):
        held = hold(w.get_value(borrow=True))
        copy = None if held is None else held.copy()
        address = w.get_value(borrow=True).ctypes.data
        y = (3 * np.random.default_rng(0).normal(size=part_of(*places).shape)).astype(dtype)
        np.testing.assert_allclose(f(*places, y), mirror.sum())
        if write is T.set_subtensor:
            mirror[where] = y
        else:
            np.add.at(mirror, where, y)
        np.testing.assert_array_equal(w.get_value(), mirror)
        assert (w.get_value(borrow=True).ctypes.data == address) == (held is None)
        np.testing.assert_array_equal(held, copy)
        del held


def test_one_number_for_a_whole_part() -> None:
    w = sg.shared(table())
    f, _ = updating(w, w[v], lambda part, y: T.inc_subtensor(part, y.sum()), v)
    f([1, 1], np.full((1, 1), 2.0))
    np.testing.assert_array_equal(w.get_value()[1], table()[1] + 4)


def test_what_does_not_fit_changes_nothing() -> None:
    w, n = sg.shared(table()), sg.shared(0)
    y = T.dmatrix("y")
    f = sg.function([v, y], [], updates=[(w, T.inc_subtensor(w[v], y)), (n, n + 1)])
    for places, shape, error in (([1, ROWS], (2, COLUMNS), IndexError), ([-ROWS - 1], (1, COLUMNS), IndexError),
                                 ([1, 2], (2, 3), ValueError), ([1, 2], (3, COLUMNS), ValueError)):
        with pytest.raises(error, match=r"out of bounds|fit"):
            f(places, np.ones(shape))
        np.testing.assert_array_equal(w.get_value(), table())
        assert n.get_value() == 0
    f([1, -ROWS], np.ones((2, COLUMNS)))
    assert n.get_value() == 1
    np.testing.assert_array_equal(w.get_value()[:2], table()[:2] + 1)


def test_who_else_needs_the_old_value_gets_it() -> None:
    """As an output, in another update, and through a view."""
    w, first, old = sg.shared(table()), sg.shared(np.zeros(COLUMNS)), sg.shared(table() * 0)
    f = sg.function([v], [w, w[1], w[:2].sum()], updates=[
        (w, T.inc_subtensor(w[v], -2 * w[v])), (first, first + w[1]), (old, w + 0)])
    for turn in range(3):
        was = w.get_value()
        whole, row, few = f([1, 9])
        np.testing.assert_array_equal(whole, was)
        np.testing.assert_array_equal(row, was[1])
        assert few == was[:2].sum()
        np.testing.assert_array_equal(old.get_value(), was)
        np.testing.assert_array_equal(w.get_value()[1], -was[1])
        np.testing.assert_array_equal(first.get_value(), table()[1] * (turn % 2 == 0))


def test_two_tables_that_read_each_other() -> None:
    a, b = sg.shared(table()), sg.shared(table() * 10)
    f = sg.function([v], [], updates=[(a, T.set_subtensor(a[v], b[v])), (b, T.set_subtensor(b[v], a[v]))])
    f([3, 4])
    np.testing.assert_array_equal(a.get_value()[3:5], table()[3:5] * 10)
    np.testing.assert_array_equal(b.get_value()[3:5], table()[3:5])


def test_overflow_is_told_when_all_is_done() -> None:
    w, n = sg.shared(np.full((ROWS, COLUMNS), 3e38, "float32")), sg.shared(0)
    y = T.fmatrix("y")
    f = sg.function([v, y], [], updates=[(w, T.inc_subtensor(w[v], y)), (n, n + 1)])
    large = np.full((1, COLUMNS), 3e38, "float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="overflow"):
            f([1], large)
    assert n.get_value() == 1
    assert np.isinf(w.get_value()[1]).all()
    with np.errstate(all="raise"), pytest.raises(FloatingPointError, match="overflow"):
        f([2], large)
    assert n.get_value() == 1
    assert np.isfinite(w.get_value()[2]).all()


def test_an_interrupt_at_any_instruction_applies_all_updates_or_none() -> None:
    w, n = sg.shared(table()), sg.shared(0)
    f = sg.function([v], [], updates=[(w, T.inc_subtensor(w[v], 1.0)), (n, n + 1)])
    one = np.array([4], "int32")
    f(one)
    outcomes, position, count = set(), 1, 1
    while True:
        interrupted = interrupted_at(position, lambda: f(one))
        made = int(n.get_value()) - count
        count += made
        np.testing.assert_array_equal(w.get_value()[4], table()[4] + count)
        outcomes.add((interrupted, bool(made)))
        if not interrupted:
            break
        position += 1
    assert {(True, False), (False, True)} <= outcomes


def test_readers_see_the_old_or_the_new_value() -> None:
    w = sg.shared(np.zeros((ROWS, COLUMNS)))
    step = sg.function([v], [], updates=[(w, T.inc_subtensor(w[v], 1.0))])
    torn: list[Any] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            value = w.get_value()
            if value.min() != value.max():
                torn.append(value)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(50):
        step(np.arange(ROWS, dtype="int32"))
    done.set()
    watcher.join()
    assert not torn
    np.testing.assert_array_equal(w.get_value(), np.full((ROWS, COLUMNS), 50.0))


def test_what_counts_as_held_by_nobody_else() -> None:
    array = table()
    made = commits.changed(T.inc_subtensor(sg.shared(array)[v], 1.0).owner.op, array, np.float64(1), np.array([2]))
    assert type(made) is commits.Change
    assert commits._target(made) is array
    other = array
    assert commits._target(made) is not other
