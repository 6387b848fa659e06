"""Programs on the emulated device: what they compute, what they refuse, and how they show themselves."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.ifelse import ifelse
from tests.cupy.common_programs import counted, device, on_device

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 3)).astype("float32")


def test_floats_are_single_on_a_gpu() -> None:
    with on_device():
        assert sg.config.floatX == "float32"
        assert T.matrix("x").type.dtype == "float32"


def test_a_function_takes_and_gives_numpy_arrays() -> None:
    with on_device():
        x, a = T.matrix("x"), T.scalar("a")
        f = sg.function([x, a], [T.tanh(x) * a + 1, {"sum": x.sum(axis=0), "scaled": a * 2}])
    y, rest = f(X, 3)
    assert type(y) is np.ndarray
    assert type(rest["scaled"]) is np.ndarray
    np.testing.assert_allclose(y, np.tanh(X) * 3 + 1, rtol=1e-6)
    np.testing.assert_allclose(rest["sum"], X.sum(0), rtol=1e-5)
    assert rest["scaled"] == 6
    assert (y.dtype, rest["scaled"].dtype) == ("float32", "float32")


def test_elementwise_chains_are_one_launch_and_a_transfer_each_way() -> None:
    with on_device():
        x = T.matrix("x")
        f = sg.function([x], T.exp(-(x ** 2)) * T.cos(x) + x.T.sum())
        g = sg.function([x], T.exp(-(x ** 2)) * T.cos(x))
    f(X), g(X)
    with counted() as done:
        np.testing.assert_allclose(g(X), np.exp(-(X ** 2)) * np.cos(X), rtol=1e-5)
    assert (done["launches"], done["to_device"], done["to_host"]) == (1, 1, 1)
    np.testing.assert_allclose(f(X), np.exp(-(X ** 2)) * np.cos(X) + X.sum(), rtol=1e-5)


def test_results_stay_on_the_device_when_asked() -> None:
    with on_device():
        x = T.matrix("x")
        f = sg.function([x], [sg.Out(x * 2, device=True), x + 1])
        g = sg.function([x], sg.Out(x * 3, device=True))
    for _ in range(2):
        kept, moved = f(X)
        assert device().is_array(kept)
        assert type(moved) is np.ndarray
    with counted() as done:
        tripled = g(kept)
    assert done["to_host"] == 0
    np.testing.assert_allclose(device().to_host(tripled), X * 6, rtol=1e-6)
    with counted() as done:
        again = g(kept)
    assert (done["to_device"], done["to_host"]) == (0, 0)
    assert device().address(again) != device().address(tripled), "a result is the caller's to keep"
    np.testing.assert_allclose(kept.get(), X * 2, rtol=1e-6)


def test_arguments_returned_as_they_are_are_copies() -> None:
    with on_device():
        x = T.matrix("x")
        f = sg.function([x], [sg.Out(x, device=True), x[1:], x.T])
    given = device().to_device(X)
    for _ in range(2):
        kept, part, turned = f(given)
        assert device().address(kept) != device().address(given)
        np.testing.assert_array_equal(part, X[1:])
        np.testing.assert_array_equal(turned, X.T)


def test_wrong_arguments_are_refused_as_on_the_cpu() -> None:
    with on_device():
        x, y = T.matrix("x"), T.matrix("y")
        f = sg.function([x, y], x + y)
    with pytest.raises(TypeError, match="argument 0"):
        f(X.astype("float64"), X)
    with pytest.raises(TypeError, match="argument 1"):
        f(X, device().to_device(X.astype("float64")))
    with pytest.raises(TypeError, match="argument 1"):
        f(X, X[0])
    with pytest.raises(ValueError, match="do not fit together"):
        f(X, X[:4])
    np.testing.assert_array_equal(f(X, X), X + X)


def test_errors_name_the_users_line() -> None:
    with on_device():
        x = T.matrix("x")
        f = sg.function([x], (x @ x).sum())
    with pytest.raises(ValueError, match=r"lengths|fit|shapes") as caught:
        f(X)
    assert "test_program.py" in "\n".join(caught.value.__notes__)


def test_slices_are_views_with_positions_of_the_host() -> None:
    with on_device():
        data, i = sg.shared(RNG.normal(size=(40, 3)).astype("float32")), T.lscalar("i")
        f = sg.function([i], (data[i * 10:(i + 1) * 10] * 2).sum(axis=0))
    table = data.get_value()
    for k in (0, 2, 3, 1):
        np.testing.assert_allclose(f(k), 2 * table[10 * k:10 * k + 10].sum(0), rtol=1e-5)
    with counted() as done:
        f(2)
    assert done["to_device"] == 0
    assert "[n0:n2]" in f.source


def test_the_last_minibatch_may_be_shorter() -> None:
    with on_device():
        data, i = sg.shared(np.arange(25, dtype="float32")), T.lscalar("i")
        f = sg.function([i], data[i * 10:(i + 1) * 10] + i)
    for k in (0, 2, 1, 2, 0, 3):
        np.testing.assert_array_equal(f(k), np.arange(25, dtype="float32")[10 * k:10 * k + 10] + k)


def test_no_arrays_at_all() -> None:
    with on_device():
        i = T.lscalar("i")
        assert sg.function([i], [i * 2, i + 1])(4) == [8, 5]
        assert sg.function([], T.constant(3.0))() == 3
        assert sg.function([], [])() == []


@pytest.mark.slow
def test_empty_arrays() -> None:
    with on_device():
        x = T.matrix("x")
        f = sg.function([x], [x * 2, x.sum(), x.sum(axis=1)])
    for shape in ((0, 3), (4, 0), (2, 3)):
        doubled, total, rows = f(np.ones(shape, "float32"))
        assert doubled.shape == shape
        assert total == shape[0] * shape[1]
        np.testing.assert_array_equal(rows, np.full(shape[0], shape[1], "float32"))


def test_what_no_gpu_computes_is_said_when_compiling() -> None:
    @sg.as_op([T.fvector], [T.fvector])
    def backwards(x: Any) -> Any:
        return x[::-1].copy()

    with on_device():
        x = T.fvector("x")
        with pytest.raises(NotImplementedError, match=r"backwards.*test_program.*cuda_fallback='cpu'"):
            sg.function([x], backwards(x) * 2)
    with on_device(cuda_fallback="cpu"), pytest.warns(UserWarning, match="backwards.* is computed on the host"):
        f = sg.function([x], backwards(x) * 2)
    np.testing.assert_array_equal(f(X[:, 0]), X[::-1, 0] * 2)
    assert any("to the device" in text for text in f.report().transfers)
    assert any("backwards is computed on the host" in text for text in f.report().why)


def test_indices_out_of_range() -> None:
    with on_device():
        x, i = T.matrix("x"), T.ivector("i")
        total = sg.shared(np.float32(0))
        f = sg.function([x, i], x[T.arange(i.shape[0]), i], updates=[(total, total + 1)])
    for _ in range(2):
        np.testing.assert_array_equal(f(X, np.array([0, 2, -1, 1, 0], "int32")), X[np.arange(5), [0, 2, 2, 1, 0]])
        with pytest.raises(IndexError, match="index 3 is out of bounds") as caught:
            f(X, np.array([0, 3, 1, 1, 0], "int32"))
        assert "test_program.py" in "".join(caught.value.__notes__)
    assert total.get_value() == 2, "a call that fails updates nothing"


def test_choices_and_inner_graphs() -> None:
    with on_device():
        x, c = T.matrix("x"), T.bscalar("c")
        f = sg.function([x, c], ifelse(c, T.exp(x).sum(), x.min()))
        square = sg.OpFromGraph([x], [x ** 2 + x])
        g = sg.function([x], square(x) * 2)
    np.testing.assert_allclose(g(X), (X ** 2 + X) * 2, rtol=1e-5)
    np.testing.assert_allclose(f(X, 0), X.min(), rtol=1e-5)
    np.testing.assert_allclose(f(X, 1), np.exp(X).sum(), rtol=1e-5)


def test_threads_call_one_function() -> None:
    with on_device():
        x, total = T.vector("x"), sg.shared(np.zeros(4, "float32"))
        f = sg.function([x], [x * 2, total], updates=[(total, total + x)])
    wrong: list[Any] = []

    def work(k: int) -> None:
        for _ in range(5):
            doubled, _ = f(np.full(4, k, "float32"))
            if not (doubled == 2 * k).all():
                wrong.append(doubled)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
    np.testing.assert_array_equal(total.get_value(), np.full(4, 5 * (0 + 1 + 2 + 3), "float32"))


def test_the_source_shows_host_launches_and_kernels() -> None:
    with on_device():
        x = T.matrix("x")
        f = sg.function([x], T.tanh(x) + 1, name="squash")
    f(X)
    for part in ("def arguments(x0)", "def launches(d, d0)", "test_program.py", "squash", "__global__", "tanhf"):
        assert part in f.source


def test_functions_are_copied_and_pickled() -> None:
    import pickle

    with on_device():
        x, n = T.vector("x"), T.scalar("n")
        f = sg.function([x, sg.In(n, value=0.0, update=n + x.sum())], n)
        ones = np.ones(3, "float32")
        assert [float(f(ones)) for _ in range(3)] == [0, 3, 6]
        g, h = f.copy(), pickle.loads(pickle.dumps(f))
        assert [float(g(ones)), float(h(ones)), float(f(ones))] == [9, 9, 9]
        assert float(f[n]) == 12


def test_kernels_that_do_not_fit_are_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is for arrays that need more shared memory than a block has."""
    from backends.cupy import execution

    whole = execution.bind

    def bind(launch: Any, *arguments: Any) -> Any:
        if len(set(launch.steps)) > 1:
            raise execution.DoesNotFit("more shared memory than there is")
        return whole(launch, *arguments)

    with on_device():
        x, total = T.matrix("x"), sg.shared(np.zeros(3, "float32"))
        f = sg.function([x], T.tanh(x) * x + 1, updates=[(total, total + x.sum(axis=0))])
    monkeypatch.setattr(execution, "bind", bind)
    for _ in range(3):
        np.testing.assert_allclose(f(X), np.tanh(X) * X + 1, rtol=1e-5)
    np.testing.assert_allclose(total.get_value(), 3 * X.sum(0), rtol=1e-5)
    assert f.report().rung == "graph"
