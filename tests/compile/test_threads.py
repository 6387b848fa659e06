"""Compiled functions are re-entrant: many threads get what one would."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.config import config

THREADS, CALLS = 16, 2000


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def run_all(*jobs: Any) -> None:
    """Run jobs at once, each in a thread, starting together; raise what any of them raised."""
    errors = []
    start = threading.Barrier(len(jobs))

    def guarded(job: Any) -> None:
        try:
            start.wait(60)
            job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(job,), daemon=True) for job in jobs]
    for t in threads:
        t.start()
    for t in threads:
        t.join(240)
        assert not t.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]


def test_a_pure_function_with_scratch_memory() -> None:
    x, y = T.dvectors("x", "y")
    f = sg.function([x, y], [T.exp(x * y) + T.tanh(x - y) * 2, (x * y + 1).sum()])
    assert "scratch.pop" in f.source

    def work(seed: Any) -> None:
        a, b = np.random.default_rng(seed).normal(size=(2, 3 + seed))
        want = f(a, b)
        for _ in range(CALLS):
            got = f(a, b)
            assert np.array_equal(got[0], want[0])
            assert got[1] == want[1]

    run_all(*[lambda i=i: work(i) for i in range(THREADS)])


def test_scratch_memory_is_let_go_of_while_functions_run() -> None:
    x = T.dmatrix("x")
    f = sg.function([x], (T.exp(x) @ T.tanh(x) + 1).sum(axis=0))
    data = np.linspace(-1, 1, 64).reshape(8, 8)
    want = f(data)

    def work() -> None:
        for _ in range(CALLS):
            assert np.array_equal(f(data), want)

    def free() -> None:
        for _ in range(CALLS):
            f.free()

    run_all(*[work] * 4, free, free)


def test_increments_of_a_shared_counter() -> None:
    s = sg.shared(np.zeros(2), "s")
    f = sg.function([], s, updates=[(s, s + 1)])
    seen: list[list[float]] = [[] for _ in range(THREADS)]

    def work(i: Any) -> None:
        for _ in range(CALLS):
            value = f()
            assert value[0] == value[1]
            seen[i].append(value[0])

    run_all(*[lambda i=i: work(i) for i in range(THREADS)])
    np.testing.assert_array_equal(s.get_value(), [THREADS * CALLS] * 2)
    assert sorted(v for values in seen for v in values) == list(range(THREADS * CALLS))
    assert all(values == sorted(values) for values in seen)


def test_the_sum_of_two_variables_is_never_seen_torn() -> None:
    x = T.dscalar("x")
    a, b = sg.shared(np.full(3, 500.0), "a"), sg.shared(np.full(3, 500.0), "b")
    move = sg.function([x], [], updates=[(a, a - x), (b, b + x)])
    total, both = sg.function([], a + b), sg.function([], [a, b])

    def writer(seed: Any) -> None:
        for amount in np.random.default_rng(seed).integers(-5, 6, CALLS):
            move(float(amount))

    def reader() -> None:
        for _ in range(CALLS):
            assert set(total().tolist()) == {1000.0}
            left, right = both()
            assert set((left + right).tolist()) == {1000.0}

    run_all(*[lambda i=i: writer(i) for i in range(THREADS // 2)], *[reader] * (THREADS // 2))
    np.testing.assert_array_equal(a.get_value() + b.get_value(), [1000.0] * 3)


def test_functions_that_update_in_opposite_orders_do_not_wait_in_a_circle() -> None:
    s = [sg.shared(float(i), f"s{i}") for i in range(15)]
    forward = sg.function([], updates=[(v, v + 1) for v in s])
    backward = sg.function([], updates=[(v, v - 1) for v in reversed(s)])
    few = sg.function([], updates=[(s[9], s[9] + 2), (s[3], s[3] + 2)])
    run_all(*[lambda f=f: [f() for _ in range(300)] for f in (forward, backward, few, forward, backward)])
    values = [float(v.get_value()) for v in s]
    assert values == [i + 600 * (i in (3, 9)) for i in range(15)]


def test_set_value_while_functions_update() -> None:
    s = sg.shared(np.zeros(200), "s")
    f = sg.function([], s, updates=[(s, s + 1)])

    def update() -> None:
        for _ in range(CALLS):
            value = f()
            assert value.min() == value.max()

    def assign() -> None:
        for i in range(CALLS):
            s.set_value(np.full(200, -1000.0 * i))

    def look() -> None:
        for _ in range(CALLS):
            value = s.get_value()
            assert value.min() == value.max()

    def borrow() -> None:
        for _ in range(CALLS):
            value = s.get_value(borrow=True)
            first = value.copy()
            assert np.array_equal(first, value)
            assert first.min() == first.max()

    run_all(update, update, assign, assign, look, look, borrow, borrow)


class Again(sg.Op):
    """Calls a function from inside a function."""

    __props__ = ()
    function: Any = None

    def make_node(self, x: Any) -> Any:
        return sg.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        (x,) = inputs
        output_storage[0][0] = x.copy() if x[0] <= 0 else Again.function(x - 1) + 1


@pytest.mark.parametrize("mode", ["FAST_RUN", "DebugMode", "NanGuardMode"])
def test_a_function_may_call_itself(mode: Any) -> None:
    x = T.dvector("x")
    count = sg.shared(0, "count")
    Again.function = sg.function([x], Again()(x * 1) * 2 + T.exp(x * 0) - 1, updates=[(count, count + 1)], mode=mode)

    def serial(n: Any) -> Any:
        return 2 * (n if n <= 0 else serial(n - 1) + 1)

    deepest = 3 if mode == "DebugMode" else 6  # which runs everything twice, so within itself 2 ** depth times
    np.testing.assert_array_equal(Again.function(np.full(2, float(deepest))), [serial(deepest)] * 2)
    before = int(count.get_value())
    assert before >= 1

    def work() -> None:
        for depth in (0, deepest, 2, 1) * (2 if deepest == 3 else 20):
            np.testing.assert_array_equal(Again.function(np.full(2, float(depth))), [serial(depth)] * 2)

    run_all(work, work, work, work)
    assert int(count.get_value()) > before


def test_concurrent_compilation() -> None:
    data = np.linspace(0.1, 1, 5)
    results = {}

    def work(i: Any) -> None:
        for k in range(6):
            x = T.dvector("x")
            w = sg.shared(np.full(5, 2.0), "w")
            cost = (T.tanh(x * w) ** (k + 1)).sum()
            f = sg.function([x], [cost, sg.grad(cost, w)], updates=[(w, w + 1)])
            value, slope = f(data)
            results[i, k] = float(value), tuple(slope)

    run_all(*[lambda i=i: work(i) for i in range(8)])
    for k in range(6):
        assert len({results[i, k] for i in range(8)}) == 1


def test_one_expression_compiled_and_evaluated_by_many() -> None:
    x = T.dvector("x")
    y = sg.grad((T.exp(x) * x).sum(), x)

    def work() -> None:
        for _ in range(5):
            np.testing.assert_allclose(y.eval({x: np.ones(2)}), [2 * np.e] * 2)
            np.testing.assert_allclose(sg.function([x], y)(np.ones(2)), [2 * np.e] * 2)

    run_all(*[work] * 8)


def test_flags_of_one_thread_do_not_reach_another() -> None:
    def work(dtype: Any) -> None:
        for _ in range(30):
            with config.change_flags(floatX=dtype):
                x = T.vector("x")
                assert x.dtype == dtype
                assert sg.function([x], x + 0.1)([1.0]).dtype == dtype

    run_all(*[lambda d=d: work(d) for d in ("float32", "float64", "float16") * 2])
    assert config.floatX == "float64"
