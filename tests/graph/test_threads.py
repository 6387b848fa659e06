"""Building, differentiating and compiling from many threads at once."""

import sys
import threading

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from tests.graph.common import Scaled, line_of


@pytest.fixture
def eager_switching():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def in_threads(count, work):
    """Run ``work(i)`` in threads that start together; what they return, or the first exception."""
    barrier, results, errors = threading.Barrier(count), [None] * count, []

    def body(i):
        barrier.wait()
        try:
            results[i] = work(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=body, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def test_types_of_equal_dtype_and_shape_are_one_object(eager_switching):
    for length in range(10_000, 10_040):
        kinds = in_threads(8, lambda i, n=length: T.TensorType("float64", (n, None)))
        assert len({id(kind) for kind in kinds}) == 1


def test_the_cache_of_an_operation_is_safe(eager_switching):
    for factor in range(30):
        op = Scaled(float(factor))
        made = in_threads(8, lambda i, op=op: [op(T.TensorType("float64", (n,))("x")).type.shape for n in range(1, 30)])
        assert all(shapes == [(n,) for n in range(1, 30)] for shapes in made)


def test_build_differentiate_and_compile_at_once(eager_switching):
    def work(i):
        x = T.dmatrix("x")
        w = sg.shared(np.full((3, 2), float(i + 1)), name=f"w{i}")
        p = T.nnet.softmax(T.dot(x, w) + i)
        cost = -T.log(p)[:, 0].mean() + T.log(1 + T.exp(x)).sum()
        f = sg.function([x], [cost, *sg.grad(cost, [x, w])])
        results = f(np.arange(6.0).reshape(2, 3) / 10)
        return f.source, [np.asarray(r) for r in results], len(f.fired)

    together = in_threads(8, work)
    for i, (_, results, fired) in enumerate(together):
        source, alone, fired_alone = work(i)
        assert fired == fired_alone
        for one, other in zip(results, alone, strict=True):
            np.testing.assert_array_equal(one, other)
        assert source.count("\n") == together[i][0].count("\n")


def test_origins_of_one_thread_do_not_reach_another(eager_switching):
    def work(i):
        x = T.dscalar("x")
        places = set()
        for _ in range(200):
            y = T.exp(x) if i % 2 else sg.grad(T.exp(x) * x, x)  # here
            if i % 2:
                places.add(str(y.owner.origin))
        return places

    line = line_of(test_origins_of_one_thread_do_not_reach_another, "# here")
    assert set().union(*in_threads(8, work)) == {f"test_threads.py:{line}"}


def test_one_expression_used_by_many_threads(eager_switching):
    x = T.dvector("x")
    y = x
    for _ in range(30):
        y = T.tanh(y) * 1.1
    cost = y.sum()
    value = np.linspace(-1, 1, 5)

    def work(i):
        return sg.function([x], sg.grad(cost, x))(value)

    first, *others = in_threads(8, work)
    for other in others:
        np.testing.assert_array_equal(first, other)
