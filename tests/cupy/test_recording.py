"""What a program launches, recorded and replayed: the memory of a record, what it holds for, what bars it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.cupy.devices.device import KernelError
from backends.cupy.recording import Memory, arrange
from tests.cupy.common_programs import counted, device, on_device

RNG = np.random.default_rng(0)


def records_of(f: Any) -> Any:
    return f._built.program.many.__self__.current.records


# ---- the arena ---------------------------------------------------------------------------------------------------


def test_memory_in_use_at_one_time_never_overlaps() -> None:
    for seed in range(200):
        rng = np.random.default_rng(seed)
        memories = []
        for _ in range(rng.integers(1, 25)):
            born = int(rng.integers(0, 20))
            size = int(rng.integers(0, 3000))
            memories.append(Memory(np.zeros(size, "int8"), 0, born, born + int(rng.integers(0, 6))))
        total = arrange(memories)
        live = 0
        for i, a in enumerate(memories):
            assert a.offset % 256 == 0
            assert a.offset + a.array.nbytes <= total
            for b in memories[:i]:
                together = a.born <= b.dies and b.born <= a.dies
                apart = a.offset + a.array.nbytes <= b.offset or b.offset + b.array.nbytes <= a.offset
                assert apart or not together or 0 in (a.array.nbytes, b.array.nbytes)
        for t in range(30):
            live = max(live, sum(m.array.nbytes for m in memories if m.born <= t <= m.dies))
        assert total >= live


@pytest.mark.slow
def test_what_is_done_with_gives_its_place_to_others() -> None:
    with on_device():
        x = T.matrix("x")
        y = x
        for _ in range(6):
            y = T.nnet.softmax(y @ y)  # each needs the one before only
        f = sg.function([x], y)
    value = RNG.normal(size=(30, 30)).astype("float32")
    f(value)
    (record,) = records_of(f)._found.values()
    assert record.launches >= 6
    assert record.bytes <= 3 * 30 * 30 * 4 + 4096


# ---- what a record holds for ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_record_for_each_shape_and_the_oldest_is_dropped() -> None:
    with on_device():
        x = T.vector("x")
        f = sg.function([x], [x * 2, x.sum()])
    for n in [*range(1, 13), 3, 1, 12]:
        value = np.arange(n, dtype="float32")
        doubled, total = f(value)
        np.testing.assert_array_equal(doubled, value * 2)
        assert total == value.sum()
    assert len(records_of(f)._found) == 8
    f.free()
    assert not records_of(f)._found
    np.testing.assert_array_equal(f(np.ones(2, "float32"))[0], 2)


def test_numbers_that_kernels_take_by_value_need_no_new_record() -> None:
    with on_device():
        x, rate, n = T.vector("x"), T.scalar("rate"), T.lscalar("n")
        f = sg.function([x, rate, n], [x * rate + n, rate * 2, n + 1])
    value = np.arange(4, dtype="float32")
    for k in range(5):
        scaled, doubled, following = f(value, k / 4, k)
        np.testing.assert_allclose(scaled, value * (k / 4) + k)
        assert (doubled, following) == (k / 2, k + 1)
    assert len(records_of(f)._found) == 1


@pytest.mark.slow
def test_numbers_that_lengths_depend_on_need_one() -> None:
    with on_device():
        n, x = T.lscalar("n"), T.vector("x")
        f = sg.function([n, x], [T.arange(n) * 2, T.zeros((n, 2)), x[:n].sum(), (x * 2)[n]])
    value = np.arange(6, dtype="float32")
    for k in (3, 1, 5, 3, 0, 1):
        counted_up, zeros, total, element = f(k, value)
        np.testing.assert_array_equal(counted_up, np.arange(k) * 2)
        assert zeros.shape == (k, 2)
        assert total == value[:k].sum()
        assert element == 2 * value[k]


def test_one_array_in_two_places() -> None:
    with on_device():
        x, y = T.vector("x"), T.vector("y")
        f = sg.function([x, y], x - 2 * y)
    a, b = (device().to_device(RNG.normal(size=4).astype("float32")) for _ in range(2))
    for one, other in ((a, a), (a, b), (b, a), (b, b)):
        np.testing.assert_allclose(f(one, other), one.get() - 2 * other.get(), rtol=1e-6)


@pytest.mark.slow
def test_strided_arguments() -> None:
    with on_device():
        x = T.matrix("x")
        f = sg.function([x], [x * 2, x.sum(axis=0)])
    whole = device().to_device(RNG.normal(size=(6, 8)).astype("float32"))
    for view in (whole, whole[::2], whole[:, 1:], whole.T, whole[::-1, ::3], whole[1:3, 2:5]):
        for _ in range(2):
            doubled, sums = f(view)
            np.testing.assert_allclose(doubled, view.get() * 2)
            np.testing.assert_allclose(sums, view.get().sum(0), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_shared_values_of_another_shape() -> None:
    with on_device():
        w = sg.shared(np.ones(3, "float32"))
        f = sg.function([], w.sum(), updates=[(w, w * 2)])
    for value in (np.ones(3), np.ones(5), np.ones(3), np.ones(700)):
        w.set_value(value.astype("float32"))
        assert [float(f()) for _ in range(3)] == [len(value) * k for k in (1, 2, 4)]


# ---- errors and rungs ----------------------------------------------------------------------------------------------


def test_an_index_out_of_range_updates_nothing_and_is_forgotten() -> None:
    with on_device():
        _x, i = T.matrix("x"), T.ivector("i")
        total, table = sg.shared(np.zeros(3, "float32")), sg.shared(np.arange(12, dtype="float32").reshape(4, 3))
        f = sg.function([i], table[i].sum(), updates=[(total, total + table[i].sum(axis=0)), (table, table * 1)])
    good, bad = np.array([0, 3, -4], "int32"), np.array([0, 4, 1], "int32")
    rows = table.get_value()
    for k in range(1, 4):
        assert f(good) == rows[[0, 3, 0]].sum()
        with pytest.raises(IndexError, match=r"index 4 is out of bounds.* 4"):
            f(bad)
        np.testing.assert_allclose(total.get_value(), k * rows[[0, 3, 0]].sum(0))


def test_nothing_is_updated_before_an_operation_with_a_kernel_of_its_own_that_fails() -> None:
    """The update has a launch before it, and could be written over the present value there."""
    with on_device():
        w, table = (sg.shared(np.ones((5, 4), "float32"), name=name) for name in ("w", "table"))
        z, i = T.fmatrix("z"), T.ivector("i")
        f = sg.function([z, i], T.inc_subtensor(table[i], T.tanh(z)), updates=[(w, w * 2)])
        good, bad = np.array([0, 1], "int32"), np.array([0, 5], "int32")
        for _ in range(2):
            f(np.ones((2, 4), "float32"), good)
        with pytest.raises(IndexError, match="index 5"):
            f(np.ones((2, 4), "float32"), bad)
        np.testing.assert_array_equal(w.get_value(), 4)


def test_library_functions_keep_a_program_off_the_record() -> None:
    with on_device():
        x = T.vector("x")
        f = sg.function([x], T.unique(x) * 2)
    for _ in range(3):
        np.testing.assert_array_equal(f(np.array([3, 1, 2], "float32")), [2, 4, 6])
    report = f.report()
    assert report.rung == "step by step"
    assert any("unique" in why and "test_recording.py" in why for why in report.why)


@pytest.mark.slow
def test_many_calls_of_what_cannot_be_recorded() -> None:
    with on_device():
        x, total = T.vector("x"), sg.shared(np.float32(0))
        f = sg.function([x], [T.unique(x), total], updates=[(total, total + x.sum())])
    stacked, totals = f.map([np.array([k, 1, 2], "float32") for k in range(5, 9)])
    np.testing.assert_array_equal(stacked, [[1, 2, k] for k in range(5, 9)])
    np.testing.assert_array_equal(totals, [0, 8, 17, 27])


def test_many_calls_with_arrays_and_forms() -> None:
    with on_device():
        x, a = T.vector("x"), T.scalar("a")
        f = sg.function([x, a], {"scaled": x * a, "rest": [x.sum(), a]})
    xs, scales = RNG.normal(size=(5, 3)).astype("float32"), [0.5, 1, 2, 3, 4]
    for _ in range(2):
        found = f.map(xs, scales)
        np.testing.assert_allclose(found["scaled"], xs * np.array(scales, "float32")[:, None], rtol=1e-6)
        np.testing.assert_allclose(found["rest"][0], xs.sum(1), rtol=1e-5)
        np.testing.assert_allclose(found["rest"][1], scales)
    with pytest.raises(ValueError, match="one length"):
        f.map(xs, scales[:2])
    with pytest.raises(TypeError):
        f.map(xs)


def test_many_calls_stop_at_the_first_that_fails() -> None:
    with on_device():
        i, done = T.lscalar("i"), sg.shared(np.zeros(4, "float32"))
        table = sg.shared(np.arange(8, dtype="int32"))
        picked = done[table[i:i + 2]]
        f = sg.function([i], picked.sum(), updates=[(done, done + 1)])
    for _ in range(2):
        done.set_value(np.zeros(4, "float32"))
        with pytest.raises(IndexError, match="index 4"):
            f.map([0, 1, 2, 3, 0])
        assert done.get_value()[0] == 3, "the calls before are done, those behind are not"
    done.set_value(np.zeros(4, "float32"))
    np.testing.assert_array_equal(f.map([0, 1, 2]), [0, 2, 4])


def test_a_graph_follows_shared_values_that_move() -> None:
    with on_device():
        w, i = sg.shared(np.ones(3, "float32")), T.lscalar("i")
        f = sg.function([i], w.sum() + i, updates=[(w, w + 1)])
    for _ in range(3):
        w.set_value(np.ones(3, "float32"))
        np.testing.assert_array_equal(f.map(range(3)), [3, 7, 11])
    w.set_value(np.ones(4, "float32"))
    np.testing.assert_array_equal(f.map(range(3)), [4, 9, 14])
    w.set_value(np.ones(3, "float32"))
    for _ in range(2):
        w.set_value(np.ones(3, "float32"))
        np.testing.assert_array_equal(f.map(range(3)), [3, 7, 11])


def test_map_on_the_cpu_is_a_loop() -> None:
    x, total = T.dvector("x"), sg.shared(0.0)
    f = sg.function([x], [x * 2, total], updates=[(total, total + x.sum())])
    doubled, totals = f.map(np.arange(6.0).reshape(3, 2))
    np.testing.assert_array_equal(doubled, np.arange(6).reshape(3, 2) * 2)
    np.testing.assert_array_equal(totals, [0, 1, 6])
    assert [a.shape for a in f.map([])] == [(0, 0), (0,)]
    with pytest.raises(TypeError, match="sequence"):
        f.map()


MAKERS = (
    lambda a, b, i: T.tanh(a @ b), lambda a, b, i: a + b.T, lambda a, b, i: T.nnet.softmax(a),
    lambda a, b, i: a * b.sum(axis=1, keepdims=True), lambda a, b, i: (a - b.max()) / (1 + i),
)


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 8))])
def test_random_programs_replay_to_the_same_values(seed: int) -> None:
    """Expressions of a few operations, with updates: each call, first or replayed, gives what the CPU gives."""
    def build(where: str) -> tuple[Any, Any]:
        rng = np.random.default_rng(seed)
        with sg.config.change_flags(device=where, floatX="float32"):
            x, i = T.matrix("x"), T.lscalar("i")
            shared = [sg.shared(rng.normal(size=(4, 4)).astype("float32") * 0.3) for _ in range(3)]
            pool: list[Any] = [x, *shared]
            for _ in range(8):
                a, b = (pool[int(k)] for k in rng.integers(0, len(pool), 2))
                pool.append(MAKERS[int(rng.integers(0, len(MAKERS)))](a, b, i))
            new = [pool[int(k)] for k in rng.integers(0, len(pool), 3)]
            f = sg.function([x, i], [pool[-1], pool[-2].sum()], on_unused_input="ignore",
                            updates=[(s, T.tanh(v)) for s, v in zip(shared, new, strict=True)])
        return f, shared

    (ours, mine), (theirs, wanted) = build("emulated"), build("cpu")
    for k in range(4):
        x = np.random.default_rng(k).normal(size=(4, 4)).astype("float32")
        for found, right in zip(ours(x, k), theirs(x, k), strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-5)
        for s, t in zip(mine, wanted, strict=True):
            np.testing.assert_allclose(s.get_value(), t.get_value(), rtol=1e-4, atol=1e-5)


def test_replays_allocate_nothing_and_call_no_library() -> None:
    with on_device():
        x = T.matrix("x")
        f = sg.function([x], [T.nnet.softmax(x @ x.T), x.sum(axis=0)])
    value = device().to_device(RNG.normal(size=(7, 5)).astype("float32"))
    f(value), f(value)
    with counted() as done:
        f(value)
    assert done["allocations"] == done["library_calls"] == done["to_device"] == 0
    assert done["to_host"] == 1


@pytest.mark.slow
def test_a_record_keeps_no_array_of_the_call_it_was_made_in() -> None:
    with on_device():
        w, x = sg.shared(np.ones((40, 50), "float32")), T.matrix("x")
        f = sg.function([x], [x @ w, sg.Out(x * 2, device=True)], updates=[(w, w.dimshuffle(0, 1) * 2 + (x @ w).sum())])
    value = device().to_device(np.ones((40, 40), "float32"))
    f(value)
    free = device().memory()[0]
    (record,) = records_of(f)._found.values()
    held = record.arena.nbytes + record.board.nbytes
    f.free()
    del record
    assert device().memory()[0] - free <= held + 4096


def test_programs_for_other_lengths_keep_their_records() -> None:
    with on_device():
        x = T.matrix("x")
        f = sg.function([x], (x @ x).sum(axis=1))
    values = [RNG.normal(size=(n, n)).astype("float32") for n in (4, 200)]
    for k in range(3):
        for value in values:
            np.testing.assert_allclose(f(value), (value @ value).sum(axis=1), rtol=1e-3, atol=1e-3)
            assert f.report().rung == ("launches" if k else "step by step")
    assert len(f._built.program.many.__self__.made) == 2


def test_a_record_does_not_keep_arguments() -> None:
    with on_device():
        v, w = (sg.shared(np.eye(3, dtype="float32")) for _ in range(2))
        x = T.vector("x")
        f = sg.function([x], x.sum(), updates=[(v, w), (w, v)])  # swapped by copies at the end
    value = device().to_device(np.ones(1000, "float32"))
    f(value)
    assert records_of(f)._found
    free = device().memory()[0]
    del value
    assert device().memory()[0] - free == 4000


def test_where_no_graph_can_be_captured_calls_are_launched_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def refuse() -> Iterator[None]:
        raise KernelError("the capture is void")
        yield

    with on_device():
        w, i = sg.shared(np.ones(3, "float32")), T.lscalar("i")
        f = sg.function([i], w.sum() + i, updates=[(w, w + 1)])
    f(0)
    monkeypatch.setattr(device(), "capture", refuse)
    with pytest.warns(UserWarning, match="one by one.*the capture is void"):
        np.testing.assert_array_equal(f.map(range(3)), [6, 10, 14])
    np.testing.assert_array_equal(f.map(range(3)), [15, 19, 23])


def test_many_calls_without_results_each_update_once() -> None:
    with on_device():
        w, i = sg.shared(np.zeros(3, "float32")), T.lscalar("i")
        grow = sg.function([i], [], updates=[(w, w + i)])
        pick = sg.function([i], [], updates=[(w, w[T.stack([i, i, i])] + 1)])
    for k in range(3):
        assert grow.map(range(4)) == []
        np.testing.assert_array_equal(w.get_value(), 6 * (k + 1))
    w.set_value(np.arange(3, dtype="float32"))
    for k in range(3):
        assert pick.map([2, 1]) == []
        np.testing.assert_array_equal(w.get_value(), 2 * (k + 1) + 2)
