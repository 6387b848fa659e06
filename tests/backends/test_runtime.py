"""What generated functions call: scratch sets, spare arrays, commits, messages about lengths."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import scipy.special

import symgraph as sg
import symgraph.tensor as T
from backends.numpy.runtime import Scratch, commit, empty_columns, mismatch, spare_array
from symgraph.shared import Storage

# ---- zeros ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [
    lambda z, c: T.inc_subtensor(z[T.arange(3)], c), lambda z, c: T.inc_subtensor(z[T.arange(3)], c) * z.sum(),
    lambda z, c: [T.inc_subtensor(z[T.arange(3)], c), z], lambda z, c: T.inc_subtensor(z[T.arange(3)], z[0] + c),
    lambda z, c: T.set_subtensor(z[T.arange(3)], c), lambda z, c: T.inc_subtensor(z[T.arange(3)], T.stack([c, c, -c])),
], ids=["alone", "read again", "a result", "its own element", "set", "a vector"])
@pytest.mark.parametrize("length", [3, 5])
def test_numbers_added_to_the_first_zeros(build: Any, length: int) -> None:
    x, c = T.fvector("x"), T.fscalar("c")
    results = build(T.zeros_like(x), c)
    results = results if isinstance(results, list) else [results]
    f, plain = sg.function([x, c], results), sg.function([x, c], results, mode="None")
    for value in (2.5, -0.0, np.nan):
        given = np.ones(length, "float32"), np.float32(value)
        for found, wanted in zip(f(*given), plain(*given), strict=True):
            assert found.dtype == wanted.dtype
            np.testing.assert_array_equal(found, wanted)
            np.testing.assert_array_equal(np.signbit(found), np.signbit(wanted))
    with pytest.raises(IndexError):
        f(np.ones(2, "float32"), 1.0)


# ---- scratch ----------------------------------------------------------------------------------------------------


def test_a_set_of_arrays_is_lent_to_one_call_at_a_time() -> None:
    scratch = Scratch()
    scratch.blank.append((None, None))
    first, second = scratch.more(), scratch.more()
    assert first == second == [(None, None)]
    assert first is not second
    scratch.append(first)
    assert scratch.pop() is first


def kept_by(f: Any) -> list[Any]:
    """The workspaces of a function, between calls."""
    (kept,) = f._run.__globals__["scratch"]
    return kept  # type: ignore[no-any-return]


def test_scratch_is_kept_while_the_lengths_are_the_same() -> None:
    x, y = T.dmatrices("xy")
    f = sg.function([x, y], T.exp(T.dot(T.exp(x), T.exp(y))).sum())
    for shapes in (((2, 3), (3, 4)), ((2, 3), (3, 4)), ((2, 3), (3, 5)), ((1, 0), (0, 1)), ((4, 3), (3, 4))):
        a, b = (np.arange(np.prod(s)).reshape(s) / 10 for s in shapes)
        before = kept_by(f) if f._run.__globals__["scratch"] else []
        arrays = [v for workspace in before for v in workspace if isinstance(v, np.ndarray)]
        np.testing.assert_allclose(f(a, b), np.exp(np.exp(a) @ np.exp(b)).sum(), rtol=1e-12)
        after = [v for workspace in kept_by(f) for v in workspace if isinstance(v, np.ndarray)]
        if arrays and [v.shape for v in arrays] == [v.shape for v in after]:
            assert all(v is w for v, w in zip(arrays, after, strict=True))
        assert {v.shape for v in after} <= {a.shape, b.shape, (len(a), b.shape[1])}


def test_large_arrays_make_no_scratch_for_the_lines_of_small_ones() -> None:
    x = T.fvector("x")
    f = sg.function([x], T.exp(x) * T.exp(-x) + T.sqr(x))
    f(np.ones(1 << 21, np.float32))
    assert not f._run.__globals__["scratch"]
    f(np.ones(1 << 10, np.float32))
    assert any(isinstance(v, np.ndarray) for workspace in kept_by(f) for v in workspace)


def test_a_failed_call_keeps_no_set() -> None:
    x, i = T.dvector("x"), T.lscalar("i")
    f = sg.function([x, i], T.sum(T.exp(x)) + T.exp(x)[i])
    for _ in range(3):
        with pytest.raises(IndexError):
            f(np.zeros(3), 7)
        assert f(np.zeros(3), 0) == 4
    f.free()
    assert f(np.zeros(3), 0) == 4


def test_calls_at_the_same_time_have_scratch_of_their_own() -> None:
    """In one thread too: a function that is called while it runs."""
    x = T.dvector("x")

    class CallsBack(sg.Op):
        __props__ = ()

        def make_node(self, v: Any) -> Any:
            return sg.Apply(self, [v], [v.type()])

        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            inner = f(inputs[0] * 0) if inputs[0][0] else 0
            output_storage[0][0] = inputs[0] + inner

    e = T.exp(x)
    f = sg.function([x], T.sum(CallsBack()(x) * 0 + e) + T.sum(T.tanh(e)))
    value = np.ones(3)
    np.testing.assert_allclose(f(value), 3 * np.e + 3 * np.tanh(np.e))


def test_threads_get_the_serial_result() -> None:
    x = T.dmatrix("x")
    f = sg.function([x], T.sum(T.dot(T.exp(x), T.tanh(x).T), axis=0))
    values = [np.random.default_rng(k).normal(size=(5 + k % 3, 4)) for k in range(12)]
    wanted = [f(v) for v in values]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            for got, right in zip(pool.map(f, values), wanted, strict=True):
                np.testing.assert_array_equal(got, right)


# ---- spare arrays -----------------------------------------------------------------------------------------------


def storage(spare: Any) -> Storage:
    result = Storage(np.zeros(3))
    result.spare = spare
    return result


def test_a_spare_array_that_nobody_holds_is_used() -> None:
    place = storage(np.zeros(3))
    assert spare_array(place, (3,), np.float64) is place.spare


def test_a_spare_array_that_somebody_holds_is_not() -> None:
    place = storage(np.zeros(3))
    held = place.spare
    assert spare_array(place, (3,), np.float64) is not held
    place = storage(np.zeros(3))
    view = place.spare[1:]
    fresh = spare_array(place, (3,), np.float64)
    assert fresh is None or not np.shares_memory(fresh, view)
    place = storage(np.zeros(3))
    place.value = place.spare
    fresh = spare_array(place, (3,), np.float64)
    assert fresh is None or fresh is not place.value


@pytest.mark.parametrize("spare", [
    None, np.zeros(4), np.zeros(3, "float32"), np.zeros((3, 1)), np.zeros(6)[::2], np.zeros(6)[:3],
    np.ma.masked_array(np.zeros(3)),
], ids=["none", "length", "dtype", "rank", "strided", "view", "subclass"])
def test_a_spare_array_that_does_not_fit_is_not_used(spare: Any) -> None:
    place = storage(spare)
    fresh = spare_array(place, (3,), np.float64)
    assert fresh is None or (fresh is not place.spare and fresh.shape == (3,) and fresh.dtype == np.float64)


def test_a_read_only_spare_array_is_not_used() -> None:
    place = storage(np.zeros(3))
    place.spare.flags.writeable = False
    fresh = spare_array(place, (3,), np.float64)
    assert fresh is None or fresh.flags.writeable


def test_values_are_committed_together() -> None:
    places = [Storage(k) for k in range(4)]
    commit(places, [10, 11, 12, 13])
    assert [p.value for p in places] == [10, 11, 12, 13]


def test_readers_never_see_half_of_an_update() -> None:
    """Two shared variables that are always equal are equal to everybody, at any time."""
    a, b = sg.shared(np.zeros(3), name="a"), sg.shared(np.zeros(3), name="b")
    both = sg.function([], [a, b])
    step = sg.function([], updates=[(a, a + 1), (b, b + 1)])
    stop = threading.Event()
    torn: list[Any] = []

    def watch() -> None:
        while not stop.is_set():
            x, y = both()
            if not (x == y).all() or len(set(x)) != 1:
                torn.append((x, y))

    watchers = [threading.Thread(target=watch) for _ in range(2)]
    for thread in watchers:
        thread.start()
    for _ in range(1500):
        step()
    stop.set()
    for thread in watchers:
        thread.join()
    assert not torn
    np.testing.assert_array_equal(a.get_value(), np.full(3, 1500.0))


# ---- messages ---------------------------------------------------------------------------------------------------


def test_the_message_names_the_axes() -> None:
    message = r"add: shapes \(2, 3\) and \(2, 4\).*axis 1 of the first has length 3"
    with pytest.raises(ValueError, match=message) as caught:
        mismatch("add", (2, 3), (2, 4), [(0, 0), (1, 1)])
    assert "addbroadcast" not in str(caught.value)


def test_the_message_advises_where_a_one_would_have_to_be_stretched() -> None:
    with pytest.raises(ValueError, match="addbroadcast"):
        mismatch("add", (2, 1), (2, 4), [(0, 0), (1, 1)])


# ---- layouts and functions --------------------------------------------------------------------------------------


def test_short_rows_are_laid_out_by_columns() -> None:
    assert empty_columns((600, 10), np.float32).flags.f_contiguous
    assert empty_columns((10, 10), np.float32).flags.c_contiguous
    assert empty_columns((600, 1000), np.float32).flags.c_contiguous


def test_softmax_of_short_and_of_long_rows() -> None:
    x, b = T.dmatrix("x"), T.dvector("b")
    f = sg.function([x, b], [T.nnet.softmax(x + b).sum(axis=0), T.nnet.softmax(x + b)])
    for shape in ((600, 10), (5000, 10), (3, 4), (20, 1000), (100, 1000)):
        value = np.random.default_rng(0).normal(size=shape)
        wanted = scipy.special.softmax(value + np.arange(shape[1]) / 10, axis=1)
        sums, found = f(value, np.arange(shape[1]) / 10)
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
        np.testing.assert_allclose(sums, wanted.sum(axis=0), rtol=1e-12)


def test_the_head_of_an_array() -> None:
    x, n = T.dvector("x"), T.lscalar("n")
    index = T.arange(n)
    f = sg.function([x, n], [x[index], T.inc_subtensor(x[index], 1.0), sg.grad(x[index].sum(), x)])
    part, added, gradient = f(np.arange(5.0), 3)
    np.testing.assert_array_equal(part, [0, 1, 2])
    np.testing.assert_array_equal(added, [1, 2, 3, 3, 4])
    np.testing.assert_array_equal(gradient, [1, 1, 1, 0, 0])
    assert f(np.arange(5.0), 0)[0].shape == (0,)
    with pytest.raises(IndexError, match="out of bounds"):
        f(np.arange(5.0), 6)
