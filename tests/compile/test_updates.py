"""Updates: everything sees the old values; a call commits all of them or none; nothing is shared that should not be."""

from __future__ import annotations

import gc
import sys
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.shared import committing


def value_of(*variables: Any) -> Any:
    return [v.get_value().tolist() for v in variables]


def test_swap() -> None:
    a, b = sg.shared(1.0, "a"), sg.shared(2.0, "b")
    f = sg.function([], [a, b], updates=[(a, b), (b, a)])
    assert [float(v) for v in f()] == [1, 2]
    assert value_of(a, b) == [2, 1]
    f()
    assert value_of(a, b) == [1, 2]


def test_rotation_of_arrays_leaves_them_apart() -> None:
    s = [sg.shared(np.full(3, float(i)), f"s{i}") for i in range(5)]
    f = sg.function([], updates=[(s[i], s[(i + 1) % 5]) for i in range(5)])
    for _ in range(7):
        f()
    assert value_of(*s) == [[(i + 7) % 5] * 3 for i in range(5)]
    arrays = [v.get_value(borrow=True) for v in s]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


def test_outputs_see_old_values_in_every_order() -> None:
    s = sg.shared(np.arange(3.0), "s")
    f = sg.function([], [s, s * 2, s.sum(), s[1:], s[::-1]], updates=[(s, s + 10)])
    for step in range(4):
        old = np.arange(3.0) + 10 * step
        for got, want in zip(f(), [old, old * 2, old.sum(), old[1:], old[::-1]], strict=True):
            np.testing.assert_array_equal(got, want)


def test_two_variables_updated_to_one_value_stay_apart() -> None:
    x, a, b = T.dvector("x"), sg.shared(np.zeros(2), "a"), sg.shared(np.zeros(2), "b")
    f = sg.function([x], x + 1, updates=[(a, x + 1), (b, x + 1)])
    result = f(np.ones(2))
    a.get_value(borrow=True)[:] = 5
    assert value_of(a, b) == [[5, 5], [2, 2]]
    np.testing.assert_array_equal(result, [2, 2])


def test_an_update_to_a_view_of_an_input_or_constant_copies() -> None:
    x, s = T.dvector("x"), sg.shared(np.zeros(2), "s")
    for expression in (x, x[:], x[::-1], x.reshape((2,)), T.constant([3.0, 4.0])):
        f = sg.function([x], updates=[(s, expression)], on_unused_input="ignore")
        data = np.array([1.0, 2.0])
        f(data)
        before = s.get_value()
        data[:] = 99
        np.testing.assert_array_equal(s.get_value(), before)
        s.get_value(borrow=True)[:] = -5
        f(np.array([1.0, 2.0]))
        np.testing.assert_array_equal(s.get_value(), before)


# ---- results belong to the caller -------------------------------------------------------------------------------


def many_outputs() -> Any:
    x, s = T.dmatrix("x"), sg.shared(np.arange(4.0).reshape(2, 2), "s")
    y = T.tanh(x @ s)
    outputs = [x, s, y, y.T, y[0], y[:, ::-1], x.T, s.T, s[1], y.reshape((4,)), y + 1, T.constant(np.ones((2, 2))),
               y.sum(), y.max(axis=0), x.dimshuffle(0, "x", 1), T.concatenate([y, y]), y * 1, T.zeros((2, 2))]
    return x, s, outputs


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "None", "DebugMode"])
def test_results_share_memory_with_nothing(mode: Any) -> None:
    x, s, outputs = many_outputs()
    f = sg.function([x], outputs, updates=[(s, s + 1)], mode=mode)
    data = np.arange(4.0).reshape(2, 2)
    first = f(data)
    kept = [r.copy() for r in first]
    second = f(data)
    everything = [*first, *second, data, s.get_value(borrow=True), s.container.spare]
    for i, a in enumerate(everything):
        for b in everything[:i]:
            assert a is b is None or not np.shares_memory(a, b)
    for result, copy in zip(first, kept, strict=True):
        np.testing.assert_array_equal(result, copy)


def test_writing_on_results_changes_nothing() -> None:
    x, s, outputs = many_outputs()
    f = sg.function([x], outputs, updates=[(s, s * 1.5)])
    twin = sg.shared(s.get_value(), "twin")
    g = sg.function([x], [sg.clone_replace(o, {s: twin}) for o in outputs], updates=[(twin, twin * 1.5)])
    data = np.arange(4.0).reshape(2, 2)
    for _ in range(4):
        spoilt, clean = f(data), g(data)
        for a, b in zip(spoilt, clean, strict=True):
            np.testing.assert_array_equal(a, b)
        for a in spoilt:
            a[...] = np.nan


def test_what_was_borrowed_is_never_overwritten() -> None:
    s = sg.shared(np.zeros(3), "s")
    f = sg.function([], updates=[(s, s + 1)])
    seen = []
    for i in range(6):
        seen.append((i, s.get_value(borrow=True)))
        seen.append((i, s.get_value(borrow=True)[1:]))
        f()
    for i, array in seen:
        assert set(array.tolist()) == {float(i)}


# ---- all or nothing ---------------------------------------------------------------------------------------------


class Trap(sg.Op):
    """Passes its input on, until it is told to fail."""

    __props__ = ()
    armed = False

    def make_node(self, x: Any) -> Any:
        return sg.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        if Trap.armed:
            raise RuntimeError("the trap was armed")
        output_storage[0][0] = inputs[0].copy()


@pytest.fixture
def trap() -> Any:
    Trap.armed = False
    yield Trap()
    Trap.armed = False


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("mode", ["FAST_RUN", "DebugMode"])
def test_an_exception_at_any_node_leaves_everything_as_it_was(trap: Any, place: Any, mode: Any) -> None:
    x, n = T.dvector("x"), T.dscalar("n")
    a, b, c = (sg.shared(np.full(2, float(i)), f"s{i}") for i in range(3))
    wrap = [trap if i == place else (lambda v: v) for i in range(6)]
    shared = wrap[0](a * 2)
    new = [wrap[1](shared + x), wrap[2](b * shared), wrap[3](c - x)]
    f = sg.function([x, sg.In(n, value=0.0, update=wrap[4](n + 1))], wrap[5](x.sum()),
                    updates=list(zip((a, b, c), new, strict=True)), mode=mode)
    data = np.ones(2)
    f(data)
    before = value_of(a, b, c), float(f[n])
    Trap.armed = True
    with pytest.raises(RuntimeError, match="the trap was armed") as caught:
        f(data)
    assert (value_of(a, b, c), float(f[n])) == before
    assert "Trap" in caught.value.__notes__[0]
    Trap.armed = False
    f(data)
    assert float(f[n]) == before[1] + 1


@pytest.mark.parametrize("bad", [
    lambda s, x: s + x,                       # shapes that do not fit
    lambda s, x: T.set_subtensor(s[x[5].astype("int64")], 0.0),
    lambda s, x: s + x.reshape((7,)).sum(),
])
def test_ordinary_errors_commit_nothing(bad: Any) -> None:
    x, first, s = T.dvector("x"), sg.shared(0.0, "first"), sg.shared(np.zeros(2), "s")
    f = sg.function([x], updates=[(first, first + 1), (s, bad(s, x))])
    for _ in range(3):
        with pytest.raises((ValueError, IndexError)):
            f(np.ones(3))
    assert value_of(first, s) == [0, [0, 0]]


def test_a_failed_call_does_not_spoil_the_next() -> None:
    x, s = T.dvector("x"), sg.shared(np.zeros(2), "s")
    f = sg.function([x], T.exp(x) * 2 + 1, updates=[(s, T.tanh(s + 1) + x)])
    want = f(np.zeros(2)), s.get_value()
    for _ in range(4):
        s.set_value(np.zeros(2))
        with pytest.raises(ValueError, match="do not fit"):
            f(np.zeros(3))
        np.testing.assert_array_equal(f(np.zeros(2)), want[0])
        np.testing.assert_array_equal(s.get_value(), want[1])


def interrupted_at(position: Any, call: Any) -> Any:
    """Make a call that is interrupted before its n-th bytecode; whether it was."""
    count = 0

    def trace(frame: Any, event: Any, arg: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        if event == "opcode":
            count += 1
            if count == position:
                raise KeyboardInterrupt
        return trace

    gc.disable()  # an interrupt inside a finaliser would be swallowed
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
        gc.enable()
        # Before the bytecode that leaves a with statement CPython handles no signal; a trace function can raise there,
        # and the lock would stay with this thread for ever: other tests' threads would wait for it.
        while committing._is_owned():  # type: ignore[attr-defined]
            committing.release()
    return False


@pytest.mark.parametrize("variables", [2, 15])
def test_an_interrupt_at_any_instruction_applies_all_updates_or_none(variables: Any) -> None:
    n = T.dscalar("n")
    s = [sg.shared(np.full(2, float(i)), f"s{i}") for i in range(variables)]
    f = sg.function([sg.In(n, value=0.0, update=n + 1)], updates=[(v, v + n + 1) for v in s])
    f()
    outcomes = set()
    position = 1
    while True:
        before = value_of(*s), float(f[n])
        wanted = [[(v + before[1] + 1) for v in pair] for pair in before[0]], before[1] + 1
        interrupted = interrupted_at(position, f)
        after = value_of(*s), float(f[n])
        assert after in (before, wanted), f"interrupted before instruction {position}"
        outcomes.add((interrupted, after == wanted))
        if not interrupted:
            break
        position += 7 if variables > 2 else 1
    assert outcomes == {(True, False), (True, True), (False, True)}


# ---- operations that do not say whose memory they return --------------------------------------------------------


class Sloppy(sg.Op):
    """Returns its input, or a view of it, or works in place, with or without saying so."""

    __props__ = ("kind",)

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        if kind == "in place":
            self.destroy_map = {0: [0]}  # type: ignore[misc]
        if kind == "view":
            self.view_map = {0: [0]}  # type: ignore[misc]

    def make_node(self, x: Any) -> Any:
        return sg.Apply(self, [x], [x.type(), x.type()] if self.kind == "twice" else [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        x = inputs[0]
        if self.kind == "in place":
            x += 1
        for cell in output_storage:
            cell[0] = x if self.kind in ("in place", "same", "twice") else x[...]


@pytest.mark.parametrize("kind", ["same", "unsaid view", "view", "in place", "twice"])
@pytest.mark.parametrize("inner", [lambda x, s: x, lambda x, s: x * 2, lambda x, s: s, lambda x, s: T.exp(x * s)])
def test_results_of_sloppy_operations_belong_to_the_caller(kind: Any, inner: Any) -> None:
    x, s = T.dvector("x"), sg.shared(np.full(2, 3.0), "s")
    y = Sloppy(kind)(inner(x, s))
    y = y if isinstance(y, list) else [y]
    f = sg.function([x], [*y, *(v * 2 for v in y)], updates=[(s, y[0])], on_unused_input="ignore")
    data = np.ones(2)
    for _ in range(3):
        s.set_value(np.full(2, 3.0))
        results = f(data)
        np.testing.assert_array_equal(data, [1, 1])
        want = inner(1.0, 3.0) if kind != "in place" else inner(1.0, 3.0) + 1
        want = want if isinstance(want, float) else want.eval()
        for result, factor in zip(results, [1.0] * len(y) + [2.0] * len(y), strict=True):
            np.testing.assert_array_equal(result, np.full(2, want * factor))
        np.testing.assert_array_equal(s.get_value(), np.full(2, want))
        for result in results:
            result[:] = np.nan
        np.testing.assert_array_equal(s.get_value(), np.full(2, want))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
@pytest.mark.parametrize("update", [
    lambda s: T.set_subtensor(s[0], 1), lambda s: T.inc_subtensor(s[1:], 1), lambda s: s[::-1], lambda s: s * 2,
    lambda s: T.cast(T.cast(s, "float64") * 2, s.dtype), lambda s: T.concatenate([s[1:], s[:1]]),
    lambda s: T.zeros_like(s),
    lambda s: T.switch(s > 1, s, -s), lambda s: T.clip(s, 1, 2), lambda s: s,
])
def test_each_kind_of_update_from_the_first_call_on(update: Any, dtype: Any) -> None:
    """The memory of the value before last is used again from the third call on; it must not matter."""
    s, twin = (sg.shared(np.arange(4).astype(dtype), n) for n in ("s", "twin"))
    f, g = sg.function([], updates=[(s, update(s))]), sg.function([], update(twin), mode="None")
    for shape in (4, 4, 4, 6, 6, 2):
        s.set_value(np.resize(s.get_value(), shape))
        for _ in range(3):
            twin.set_value(s.get_value())
            want = g()
            f()
            np.testing.assert_array_equal(s.get_value(), want)
            assert s.get_value().dtype == dtype
