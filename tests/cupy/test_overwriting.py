"""Parts of shared values, and of what nobody needs any more, are changed where they lie, on the emulated device."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from tests.cupy.common_programs import counted, on_device

RNG = np.random.default_rng(6)
ROWS = RNG.normal(size=(40, 6)).astype("float32")
WEIGHTS = RNG.normal(size=(6, 3)).astype("float32")
INDEX = np.array([1, 3, 3, -33, 1], "int32")
Made = tuple[Any, list[Any]]


def embedding() -> Made:
    """Only the rows that were looked up are changed, some of them twice."""
    w, v, i = sg.shared(ROWS, name="w"), sg.shared(WEIGHTS, name="v"), T.ivector("i")
    rows = w[i]
    cost = (T.tanh(rows @ v) ** 2).sum()
    change = -np.float32(0.1) * sg.grad(cost, rows)
    updates = [(w, T.inc_subtensor(rows, change)), (v, v - np.float32(0.1) * sg.grad(cost, v))]
    return sg.function([i], cost, updates=updates), [w, v]


def two_tables() -> Made:
    """Both are changed after both were read; the second sum finds the index checked."""
    a, b, i = sg.shared(ROWS, name="a"), sg.shared(ROWS[::-1].copy(), name="b"), T.ivector("i")
    return sg.function([i], (a[i] * b[i]).sum(), updates=[
        (a, T.inc_subtensor(a[i], T.tanh(b[i]))), (b, T.set_subtensor(b[i], T.tanh(a[i]) * 2))]), [a, b]


PROGRAMS: dict[str, tuple[Callable[[], Made], int]] = {"embedding": (embedding, 1), "two tables": (two_tables, 2)}


def in_place(f: Any) -> int:
    """How many operations write in place."""
    return sum(entry.kernel.endswith("in place") for entry in f.report().entries)


@pytest.mark.parametrize("which", PROGRAMS)
def test_shared_values_are_changed_where_they_lie(which: str) -> None:
    make, count = PROGRAMS[which]
    found = []
    for device in ("cpu", "emulated"):
        with on_device(device=device, floatX="float32"):
            f, shared = make()
            costs = [f(INDEX) for _ in range(4)]
            found.append([np.array(costs), *(v.get_value() for v in shared)])
    for theirs, mine in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=1e-6)
    assert in_place(f) == count
    places = [v.get_value(borrow=True, return_internal_type=True).values.ctypes.data for v in shared]
    with counted() as done:
        f(INDEX)
    assert done["to_host"] == 1, "all is done when the host looks"
    assert places == [v.get_value(borrow=True, return_internal_type=True).values.ctypes.data for v in shared]
    before = [v.get_value() for v in shared]
    with pytest.raises(IndexError, match="index 40"):
        f(np.array([2, 40, 5], "int32"))
    for v, value in zip(shared, before, strict=True):
        np.testing.assert_array_equal(v.get_value(), value)
    f(INDEX)


@pytest.mark.parametrize("other", ["emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_many_calls_change_it_one_after_the_other(other: str) -> None:
    found = []
    for device in ("cpu", other):
        with on_device(device=device, floatX="float32"):
            f, shared = embedding()
            for _ in range(2):
                f(INDEX)
            found.append([f.map([INDEX, INDEX + 1, INDEX[::-1].copy()]), *(v.get_value() for v in shared)])
    for theirs, mine in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=1e-6)


def test_slices_of_a_shared_value() -> None:
    found = []
    for device in ("cpu", "emulated"):
        with on_device(device=device, floatX="float32"):
            w, i, z = sg.shared(ROWS, name="w"), T.lscalar("i"), T.fmatrix("z")
            f = sg.function([i, z], [], updates=[(w, T.set_subtensor(w[i:i + 2], T.nnet.softmax(z)))])
            for k in (0, 5, 5, 38, 2):
                f(k, ROWS[:2] + k)
            found.append(w.get_value())
    np.testing.assert_allclose(*found, rtol=1e-5)
    assert in_place(f) == 1


def test_what_is_read_later_is_not_written_on() -> None:
    """The table is part of the cost, which is summed after the change is known."""
    found = []
    for device in ("cpu", "emulated"):
        with on_device(device=device, floatX="float32"):
            w, i = sg.shared(ROWS, name="w"), T.ivector("i")
            rows = T.nnet.softmax(w[i])
            after = T.inc_subtensor(w[i], rows)
            late = (w * T.dot(after.T, rows.sum() * after).sum()).sum(0)
            f = sg.function([i], late, updates=[(w, after)])
            found.append([*(f(INDEX) for _ in range(3)), w.get_value()])
    for theirs, mine in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4)


def test_a_gradient_is_summed_up_where_its_zeros_lie() -> None:
    w, i, x = sg.shared(ROWS), T.ivector("i"), T.fmatrix("x")
    found = []
    for device in ("cpu", "emulated"):
        with on_device(device=device, floatX="float32"):
            w = sg.shared(ROWS)
            f = sg.function([i], sg.grad((w[i] ** 2).sum(), w))
            g = sg.function([x, i], [T.inc_subtensor(x[i], 1.0), x])
            found.append([f(INDEX), f(INDEX), w.get_value(), *g(ROWS, INDEX)])
    for theirs, mine in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)
    assert (in_place(f), in_place(g)) == (1, 0)


def test_what_a_transfer_gives_is_the_same_array() -> None:
    with on_device(floatX="float32"):
        w, i = sg.shared(ROWS), T.ivector("i")
        f = sg.function([i], T.inc_subtensor(w.transfer("emulated")[i], 1.0).sum())
        for _ in range(2):
            f(INDEX)
    np.testing.assert_array_equal(w.get_value(), ROWS)


def test_a_monitor_sees_values_as_they_were() -> None:
    with on_device(floatX="float32"):
        w, i = sg.shared(ROWS), T.ivector("i")
        f = sg.function([i], sg.grad((w[i] ** 2).sum(), w), mode="DebugMode")
        f(INDEX)
    assert in_place(f) == 0


def noisy_adam(fails: bool) -> Made:
    """A step that draws numbers all over its only launch, and counts; an index may be out of range there."""
    w, i = sg.shared(WEIGHTS, name="w"), T.ivector("i")
    m, v, t = (sg.shared(np.zeros(shape, "float32"), name=n) for n, shape in (("m", (6, 3)), ("v", (6, 3)), ("t", ())))
    streams = sg.random.RandomStreams(2)
    g = w * streams.uniform((6, 3)) + (T.constant(ROWS[:6, :3])[i[:6]] if fails else i.sum())
    after = t + 1
    m_new, v_new = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
    step = 0.1 * (m_new / (1 - 0.9**after)) / (T.sqrt(v_new / (1 - 0.99**after)) + 1e-3)
    f = sg.function([i], w.sum() + t, updates=[(m, m_new), (v, v_new), (t, after), (w, w - step)])
    return f, [w, m, v, t]


@pytest.mark.parametrize("fails", [True, False])
def test_counters_and_states_are_changed_at_the_end_of_a_launch(fails: bool) -> None:
    found, good = [], np.array([5, 0, 1, 1, 2, -3], "int32")
    for device in ("cpu", "emulated"):
        with on_device(device=device, floatX="float32"):
            f, shared = noisy_adam(fails)
            costs = [f(good) for _ in range(4)]
            with pytest.raises(IndexError) if fails else nullcontext():
                f(good + 3)
            costs += [*f.map([good, good[::-1].copy(), good]), f(good)]
            found.append([np.array(costs), *(v.get_value() for v in shared)])
    for theirs, mine in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
    with counted() as done:
        f(good)
    assert done["to_host"] == 1 + fails, "an index is looked at before anything is changed"
