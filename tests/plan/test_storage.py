"""Which memory results take: lives, reuse, views, writing in place, what is copied, and what is never touched."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.plan import Buffer, Home, Use
from tests.plan.common import buffers_used, plan_of, step_of
from tests.rewrites.reference import by_perform

x, y, m = T.dvector("x"), T.dvector("y"), T.dmatrix("m")


def fresh(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=shape)


# ---- lives ------------------------------------------------------------------------------------------------------


def test_a_block_lives_from_its_birth_to_its_last_reading() -> None:
    a = T.exp(x)
    b = T.sin(a)
    plan = plan_of([x], [T.dot(b, a), T.cos(b)])
    life = {str(v): (block.born, block.dies) for v, block in plan.blocks.items()}
    index = {str(s.node.op): s.index for s in plan.steps}
    assert life["x"] == (-1, index["exp"])
    assert life["exp"] == (index["exp"], index["dot"])
    assert life["sin"] == (index["sin"], max(index["dot"], index["cos"]))
    assert life["cos"][1] == len(plan.steps)


def test_a_view_keeps_what_it_views_alive() -> None:
    a = T.exp(x)
    view = a[1:]
    plan = plan_of([x], [T.dot(T.sin(a)[:-1], T.cos(view))])
    whole, part = plan.blocks[step_of(plan, "exp").node.outputs[0]], plan.blocks[step_of(plan, "[1:]").node.outputs[0]]
    assert whole is part
    assert whole.dies >= step_of(plan, "cos").index
    assert {str(v) for v in whole.members} == {"exp", "[1:]"}


def test_a_view_of_a_view_is_one_block() -> None:
    plan = plan_of([m], [T.exp(m).T[1:].dimshuffle(1, "x", 0)])
    assert len({id(plan.blocks[s.node.outputs[0]]) for s in plan.steps}) == 1


# ---- reuse ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [2, 10, 200])
def test_a_chain_takes_one_buffer(depth: int) -> None:
    """All but the first step write over what they read."""
    v = x
    for _ in range(depth):
        v = T.tanh(v)
    plan = plan_of([x], [v])
    plan.check()
    assert len(buffers_used(plan)) == 1
    assert all(isinstance(s.into, Buffer) == (s.index == 0) for s in plan.steps)


def test_steps_that_cannot_write_on_their_input_take_turns() -> None:
    """A product reads all of its operands to the end: two buffers serve any number of them."""
    square = T.tensor(dtype="float64", shape=(3, 3), name="square")
    w = square
    for _ in range(12):
        w = T.dot(w, square)
    plan = plan_of([square], [w])
    plan.check()
    assert len(buffers_used(plan)) == 2


def test_a_wide_graph_takes_as_many_buffers_as_live_at_once() -> None:
    terms = [T.dot(T.exp(x + k), T.sin(x)) for k in range(5)]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    plan = plan_of([x], [total])
    plan.check()
    vectors = [b for b in buffers_used(plan) if len(b.lengths) == 1]
    assert len(vectors) <= 6


def test_buffers_of_other_lengths_or_dtypes_are_not_shared() -> None:
    plan = plan_of([x, y], [T.sum(T.exp(x)), T.sum(T.exp(y)), T.sum(T.cast(x, "float32"))])
    plan.check()
    assert len(buffers_used(plan)) == 3


def test_buffers_are_shared_once_lengths_are_known_to_be_equal() -> None:
    """x + y makes sure that the lengths are one; what comes after may use it."""
    total = T.sum(T.exp(x + y))
    plan = plan_of([x, y], [total + T.sum(T.dot(T.sin(x + y), T.cos(y)))])
    plan.check()
    assert len([b for b in buffers_used(plan) if b.lengths]) <= 3


def test_scratch_is_kept_from_call_to_call() -> None:
    f = sg.function([x], T.sum(T.exp(x)))
    assert f.plan.buffers[0].use is Use.SCRATCH
    value = fresh(5)
    assert f(value) == f(value)
    f.free()
    assert f(value) == np.exp(value).sum()
    assert f(np.zeros(9)) == 9  # another shape


def test_results_are_new_in_every_call() -> None:
    f = sg.function([x], [T.exp(x), T.exp(x).reshape((1, -1))])
    first, second = f(fresh(3)), f(fresh(3))
    arrays = [*first, *second]
    for k, a in enumerate(arrays):
        for b in arrays[k + 1:]:
            assert not np.shares_memory(a, b)
    assert f.plan.buffers[0].use is Use.FRESH


# ---- writing in place -------------------------------------------------------------------------------------------


def test_what_is_needed_later_is_not_written_on() -> None:
    a = T.exp(x)
    f = sg.function([x], T.dot(a, T.sqrt(a)))
    value = fresh(6)
    np.testing.assert_allclose(f(value), np.dot(np.exp(value), np.sqrt(np.exp(value))))
    assert not isinstance(step_of(f.plan, "sqrt").into, sg.Variable)


@pytest.mark.parametrize("build", [
    lambda e: e + e[::-1], lambda e: T.dot(e.reshape((2, 3)).T, T.tanh(e).reshape((2, 3))), lambda e: e[1:] * e[:-1],
    lambda e: T.set_subtensor(e[1:], e[:-1]), lambda e: T.inc_subtensor(e[::-1], e), lambda e: T.sqrt(e[:2]) + e[1],
    lambda e: T.set_subtensor(e[:3], 0.0) + e,
    lambda e: T.inc_subtensor(e[T.as_tensor_variable([0, 0, 5])], 1.0) * T.sum(e),
    lambda e: T.inc_subtensor(e[T.cast(e, "int64") % 6], e), lambda e: T.switch(e > 1, e[::-1], e),
], ids=["reversed", "reshaped", "shifted", "set", "inc", "part", "set-and-read", "inc-and-read", "index", "switch"])
@pytest.mark.parametrize("mode", ["FAST_RUN", "None"])
def test_results_that_share_memory_do_not_disturb_each_other(build: Any, mode: str) -> None:
    expression = build(T.exp(x))
    value = fresh(6)
    got = sg.function([x], expression, mode=mode)(value)
    np.testing.assert_allclose(got, by_perform([expression], {x: value})[0], rtol=1e-14)


def test_the_famous_alias() -> None:
    """dot(exp(x).T, tanh(exp(x))): the transpose shares memory with what tanh would like to write on."""
    e = T.exp(m)
    value = fresh(4, 4)
    for mode in ("FAST_RUN", "FAST_COMPILE", "None"):
        got = sg.function([m], T.dot(e.T, T.tanh(e)), mode=mode)(value)
        np.testing.assert_allclose(got, np.exp(value).T @ np.tanh(np.exp(value)), rtol=1e-14)


def test_inputs_and_constants_are_never_written_on() -> None:
    constant = np.arange(3.0)
    f = sg.function([x], [T.exp(x) + T.constant(constant), T.set_subtensor(x[0], 9.0), T.sqrt(abs(x)) * 2])
    value = fresh(3)
    before = value.copy()
    f(value)
    np.testing.assert_array_equal(value, before)
    np.testing.assert_array_equal(constant, np.arange(3.0))
    np.testing.assert_array_equal(f(np.zeros(3))[0], 1 + np.arange(3.0))


def test_a_mutable_input_is_written_on_when_it_is_dead() -> None:
    f = sg.function([sg.In(x, mutable=True)], T.exp(x))
    value = fresh(3)
    wanted = np.exp(value)
    np.testing.assert_array_equal(f(value), wanted)
    assert step_of(f.plan, "exp").into is x
    np.testing.assert_array_equal(value, wanted)


def test_a_mutable_input_that_is_still_needed_is_not() -> None:
    f = sg.function([sg.In(x, mutable=True)], [T.dot(T.exp(x), x), T.sin(x)])
    value = fresh(3)
    dot, sin = f(value.copy())
    np.testing.assert_allclose([dot], [np.dot(np.exp(value), value)])
    np.testing.assert_allclose(sin, np.sin(value))
    assert step_of(f.plan, "exp").into is not x


def test_a_mutable_input_is_written_on_only_where_it_is_alone() -> None:
    """What is read-only, or shares memory with another argument or with itself, is copied first."""
    f = sg.function([sg.In(x, mutable=True), y], [T.exp(x), y * 2])
    both = np.zeros(3)
    first, second = f(both, both)
    np.testing.assert_array_equal(first, np.ones(3))
    np.testing.assert_array_equal(second, np.zeros(3))
    whole = np.zeros(6)
    np.testing.assert_array_equal(f(whole[:3], whole[2:5])[1], np.zeros(3))
    locked = np.zeros(3)
    locked.flags.writeable = False
    np.testing.assert_array_equal(f(locked, both)[0], np.ones(3))
    np.testing.assert_array_equal(f(np.broadcast_to(1.0, (3,)), both)[0], np.full(3, np.e))
    repeated = np.lib.stride_tricks.as_strided(np.zeros(1), (3,), (0,))
    np.testing.assert_array_equal(f(repeated, both)[0], np.ones(3))
    assert not locked.any()
    assert not repeated.any()


def test_a_new_shared_value_never_lives_in_the_caller_s_array() -> None:
    W = sg.shared(np.zeros(3))
    f = sg.function([sg.In(x, mutable=True)], updates=[(W, T.exp(x))])
    value = fresh(3)
    f(value)
    assert not np.shares_memory(value, W.get_value(borrow=True))


def test_writing_on_part_of_a_dead_value_copies_nothing() -> None:
    f = sg.function([x], T.set_subtensor(T.exp(x)[0], 1.0))
    assert step_of(f.plan, "set").into is step_of(f.plan, "exp").node.outputs[0]
    assert "np.array(" not in f.source


# ---- what is handed out -----------------------------------------------------------------------------------------


def test_outputs_are_the_caller_s_own() -> None:
    """Inputs, shared values, constants, views of them, and one result twice: each output has memory of its own."""
    W = sg.shared(np.arange(3.0), name="W")
    e = T.exp(x)
    f = sg.function([x], [x, x[1:], W, W[::-1], T.constant(np.arange(3.0)), e, e, e[1:], e.reshape((3, 1))])
    value = np.arange(3.0)
    results = f(value)
    for k, a in enumerate(results):
        assert not np.shares_memory(a, value)
        assert not np.shares_memory(a, W.get_value(borrow=True))
        for b in results[k + 1:]:
            assert not np.shares_memory(a, b)
        a[...] = 77
    again = f(value)
    np.testing.assert_array_equal(again[4], np.arange(3.0))
    np.testing.assert_array_equal(again[2], np.arange(3.0))
    np.testing.assert_array_equal(again[5], np.exp(value))


def test_only_one_of_several_views_is_handed_out_as_it_is() -> None:
    e = T.exp(x)
    plan = plan_of([x], [e[1:], e, e[:1]])
    plan.check()
    assert [o.copy for o in plan.outputs] == [False, True, True]


def test_an_input_is_lent_when_asked() -> None:
    f = sg.function([x], sg.Out(x[::-1], borrow=True))
    value = fresh(3)
    assert np.shares_memory(f(value), value)
    assert f.plan.outputs[0].lent


@pytest.mark.parametrize("new", [lambda W, x: x, lambda W, x: x[::-1], lambda W, x: W[::-1], lambda W, x: W,
                                 lambda W, x: T.constant(np.arange(3.0)), lambda W, x: T.exp(x)[::-1],
                                 lambda W, x: T.exp(x).reshape((1, -1)).T.flatten()],
                         ids=["input", "view-of-input", "view-of-itself", "itself", "constant", "view", "reshaped"])
def test_updates_by_views_and_inputs_are_copies(new: Any) -> None:
    W = sg.shared(np.array([5.0, 6.0, 7.0]))
    expression = new(W, x)
    f = sg.function([x], [expression], updates=[(W, expression)], on_unused_input="ignore")
    value = np.array([1.0, 2.0, 3.0])
    for _ in range(3):
        (returned,) = f(value)
        kept = W.get_value(borrow=True)
        np.testing.assert_array_equal(returned, kept)
        assert not np.shares_memory(returned, kept)
        assert not np.shares_memory(kept, value)
        returned[...] = -1
        assert not np.any(W.get_value() == -1)
        value = value + 1


def test_two_shared_variables_never_share_memory() -> None:
    a, b = sg.shared(np.zeros(3)), sg.shared(np.ones(3))
    f = sg.function([x], updates=[(a, T.exp(x)), (b, T.exp(x))])
    f(fresh(3))
    assert not np.shares_memory(a.get_value(borrow=True), b.get_value(borrow=True))
    swap = sg.function([], updates=[(a, b), (b, a)])
    swap()
    assert not np.shares_memory(a.get_value(borrow=True), b.get_value(borrow=True))


# ---- the memory of updates --------------------------------------------------------------------------------------


def address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def counting(size: int = 4) -> tuple[Any, Any]:
    W = sg.shared(np.zeros(size), name="W")
    f = sg.function([], updates=[(W, W + 1)])
    assert any(b.use is Use.UPDATE for b in f.plan.buffers)
    return W, f


def test_updates_take_turns_between_two_arrays() -> None:
    """The array of the value before the present one is computed into, as nobody holds it and it is not short."""
    W, f = counting(5000)
    f()
    f()
    places = []
    for _ in range(6):
        f()
        places.append(address(W.get_value(borrow=True)))
    assert places[0::2] == [places[0]] * 3
    assert places[1::2] == [places[1]] * 3
    assert places[0] != places[1]
    np.testing.assert_array_equal(W.get_value(), np.full(5000, 8.0))


@pytest.mark.parametrize("size", [4, 5000])
def test_a_value_somebody_borrowed_is_left_alone(size: int) -> None:
    W, f = counting(size)
    f()
    held = W.get_value(borrow=True)
    for _ in range(5):
        f()
        np.testing.assert_array_equal(held, np.ones(size))
    view = W.get_value(borrow=True)[1:3]
    for _ in range(5):
        f()
        np.testing.assert_array_equal(view, [6.0, 6.0])
    lens = memoryview(W.get_value(borrow=True))
    for _ in range(5):
        f()
    assert lens[0] == 11.0


def test_an_array_the_user_gave_is_left_alone() -> None:
    W, f = counting()
    mine = np.full(4, 100.0)
    W.set_value(mine, borrow=True)
    for _ in range(4):
        f()
    np.testing.assert_array_equal(mine, np.full(4, 100.0))
    np.testing.assert_array_equal(W.get_value(), np.full(4, 104.0))


def test_a_returned_output_is_left_alone() -> None:
    W = sg.shared(np.zeros(3))
    f = sg.function([], [W + 1, W], updates=[(W, W + 1)])
    kept = [f() for _ in range(5)]
    for k, (new, old) in enumerate(kept):
        np.testing.assert_array_equal(new, np.full(3, k + 1.0))
        np.testing.assert_array_equal(old, np.full(3, float(k)))


def test_a_spare_array_of_another_shape_is_not_used() -> None:
    W = sg.shared(np.zeros(2))
    f = sg.function([], updates=[(W, W + 1)])
    for n in (2, 5, 2, 3):
        W.set_value(np.zeros(n))
        f()
        f()
        np.testing.assert_array_equal(W.get_value(), np.full(n, 2.0))


def test_a_failed_call_leaves_the_values_alone() -> None:
    """Its updates may have been computed, into the spare arrays; none is committed."""
    W, i = sg.shared(np.zeros(3)), T.lscalar("i")
    f = sg.function([i], x_at := T.exp(W)[i], updates=[(W, W + 1 + 0 * x_at)])
    for _ in range(3):
        f(0)
    for _ in range(3):
        with pytest.raises(IndexError):
            f(7)
        np.testing.assert_array_equal(W.get_value(), np.full(3, 3.0))
    f(1)
    np.testing.assert_array_equal(W.get_value(), np.full(3, 4.0))


def test_no_array_is_kept_that_is_not_needed() -> None:
    """A function keeps its scratch; the arrays it gave away are free to go."""
    f = sg.function([x], T.exp(x))
    result = f(np.zeros(3))
    assert sys.getrefcount(result) == 2


# ---- what must hold when it runs --------------------------------------------------------------------------------


def guards(f: Any) -> list[Any]:
    return [g for step in f.plan.steps for g in step.guards]


def test_lengths_that_meet_are_checked_once() -> None:
    f = sg.function([x, y], (x + y) * T.exp(x) - y)
    assert len(guards(f)) == 1
    with pytest.raises(ValueError, match=r"axis 0 of the first has length 3, axis 0 of the second 4"):
        f(np.zeros(3), np.zeros(4))


def test_lengths_known_to_be_equal_are_not_checked() -> None:
    f = sg.function([x], T.exp(x) + x * T.sin(x)[::-1])
    assert guards(f) == []
    known = T.tensor(dtype="float64", shape=(3,), name="known")
    assert guards(sg.function([known], known + T.exp(known))) == []


def test_a_length_is_held_against_a_number_once() -> None:
    known = T.tensor(dtype="float64", shape=(3,), name="known")
    f = sg.function([x, known], (x + known) * known - x / known)
    assert len(guards(f)) == 1
    with pytest.raises(ValueError, match="length"):
        f(np.zeros(4), np.zeros(3))


def test_a_one_at_run_time_is_not_stretched() -> None:
    """NumPy would; here only an axis known to be 1 is, and the message says how to make it known."""
    f = sg.function([x, y], x + y)
    with pytest.raises(ValueError, match=r"addbroadcast"):
        f(np.zeros(1), np.zeros(4))
    with pytest.raises(ValueError, match=r"T\.row, T\.col"):
        sg.function([x, y], x * y)(np.ones(4), np.ones(1))
    row = T.drow("row")
    np.testing.assert_array_equal(sg.function([m, row], m + row)(np.zeros((2, 3)), np.ones((1, 3))), np.ones((2, 3)))


def test_both_axes_are_checked_together() -> None:
    n = T.dmatrix("n")
    f = sg.function([m, n], m * n)
    assert f.source.count("if x0.shape != x1.shape") == 1
    with pytest.raises(ValueError, match="axis 1 of the first has length 3"):
        f(np.zeros((2, 3)), np.zeros((2, 4)))


def test_an_axis_that_meets_itself_twice_is_one_check() -> None:
    """A condition against two branches that are one variable, of which only one axis can differ."""
    c, col = T.bmatrix("c"), T.tensor(dtype="float64", shape=(4, 1), name="col")
    f = sg.function([c, col], T.switch(c, col, col), mode="None")
    np.testing.assert_array_equal(f(np.ones((4, 3), "int8"), np.ones((4, 1))), np.ones((4, 3)))
    with pytest.raises(ValueError, match="length"):
        f(np.ones((5, 3), "int8"), np.ones((4, 1)))


def test_a_guard_stands_before_any_writing() -> None:
    f = sg.function([sg.In(x, mutable=True), y], x + y)
    value = fresh(3)
    before = value.copy()
    with pytest.raises(ValueError, match="length"):
        f(value, np.zeros(4))
    np.testing.assert_array_equal(value, before)


def test_home_of_a_result_over_a_mutable_input() -> None:
    plan = plan_of([x], [T.exp(x)], mutable=[x])
    plan.check()
    assert plan.blocks[step_of(plan, "exp").node.outputs[0]].home is Home.INPUT
