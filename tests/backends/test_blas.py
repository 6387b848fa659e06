"""Gemm: BLAS called through ctypes against the formula, and updates computed over the shared value itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import symgraph as sg
import symgraph.tensor as T
from backends.numpy import blas, commits
from backends.numpy.commits import commit_late
from symgraph.shared import Storage
from symgraph.tensor.blas import Gemm
from tests.plan.test_fuzz import RELAXED

LAYOUTS: list[Callable[[Any], Any]] = [
    np.array, np.asfortranarray, lambda a: np.repeat(a, 2, axis=1)[:, ::2], lambda a: np.array(a[::-1])[::-1],
    lambda a: np.pad(a, 2)[2:-2, 2:-2], lambda a: np.pad(a.T, 1)[1:-1, 1:-1].T, lambda a: np.array(a[:, ::-1])[:, ::-1],
]


def matrices(rng: np.random.Generator, m: int, k: int, n: int, dtype: str) -> tuple[Any, Any, Any]:
    return tuple(rng.normal(size=shape).astype(dtype) for shape in ((m, n), (m, k), (k, n)))  # type: ignore[return-value]


@pytest.fixture(autouse=True)
def also_small_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products of any size are computed over the value."""
    monkeypatch.setattr(blas, "_FEW", 0)


def test_a_small_product_is_a_new_array(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_FEW", 48)
    a, b = np.ones((2, 4)), np.ones((4, 3))
    np.testing.assert_array_equal(blas.product(np.ones((2, 3)), -1.0, a, b, 1.0), np.full((2, 3), -3.0))
    assert isinstance(blas.product(np.ones((2, 4)), -1.0, a, np.ones((4, 4)), 1.0), blas.Product)
    np.testing.assert_array_equal(blas.product(np.ones((2, 3)), -1.0, a, b, 2.0), np.full((2, 3), -2.0))



@RELAXED
@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.sampled_from(["float32", "float64"]),
       st.integers(0, 6), st.integers(0, 6), st.floats(-2, 2, width=32), st.sampled_from([0.0, 1.0, -0.5]),
       st.sampled_from(["none", "c", "other", "fortran"]))
def test_gemm_is_its_formula(m: int, k: int, n: int, dtype: str, left: int, right: int, alpha: float, beta: float,
                             where: str) -> None:
    c, a, b = matrices(np.random.default_rng(m + 10 * k + 100 * n), m, k, n, dtype)
    wanted = beta * c + alpha * (a @ b)
    out = {"none": None, "c": c, "other": np.empty_like(c), "fortran": np.empty_like(c, order="F")}[where]
    got = blas.gemm(c, np.asarray(alpha, dtype), LAYOUTS[left](a), LAYOUTS[right](b), np.asarray(beta, dtype), out=out)
    assert out is None or got is out
    assert got.dtype == dtype
    np.testing.assert_allclose(got, wanted, rtol=1e-5 if dtype == "float32" else 1e-13, atol=1e-6)


def test_what_is_not_finite_stays_so() -> None:
    c, a, b = np.array([[np.inf, np.nan]]), np.ones((1, 1)), np.ones((1, 2))
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(blas.gemm(c, 1.0, a, b, 0.0), [[np.nan, np.nan]])
    np.testing.assert_array_equal(blas.gemm(c, 1.0, a, b, 1.0), [[np.inf, np.nan]])


def test_another_blas_means_the_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_routine", lambda name: None)
    c, a, b = matrices(np.random.default_rng(0), 3, 4, 5, "float64")
    np.testing.assert_allclose(blas.gemm(c, -0.5, a, b, 2.0), 2 * c - 0.5 * (a @ b))
    w = sg.shared(c.copy())
    train_step(w)(a.T, b)
    np.testing.assert_allclose(w.get_value(), c - 0.5 * (a @ b))


def test_a_library_without_the_routine_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_libraries", lambda: [blas.Path("nowhere.so")])
    assert blas._routine.__wrapped__("sgemm") is None


# ---- updates ----------------------------------------------------------------------------------------------------


def train_step(w: Any, **options: Any) -> Any:
    x, d = T.dmatrices("xd")
    return sg.function([x, d], [], updates=[(w, w - 0.5 * T.dot(x.T, d))], **options)


def address(w: Any) -> int:
    return w.get_value(borrow=True).ctypes.data  # type: ignore[no-any-return]


def test_the_update_is_computed_over_the_value() -> None:
    w = sg.shared(np.ones((4, 5)))
    f = train_step(w)
    assert [step.commits for step in f.plan.steps if isinstance(step.node.op, Gemm)] == [True]
    before = address(w)
    x, d = np.random.default_rng(0).normal(size=(3, 4)), np.ones((3, 5))
    f(x, d)
    f(x, d)
    assert address(w) == before
    np.testing.assert_allclose(w.get_value(), 1 - x.T @ d)


def test_a_value_somebody_holds_is_not_touched() -> None:
    w = sg.shared(np.ones((4, 5)))
    f = train_step(w)
    for held in (w.get_value(borrow=True), w.get_value(borrow=True)[1:]):
        copy = held.copy()
        f(np.ones((3, 4)), np.ones((3, 5)))
        np.testing.assert_array_equal(held, copy)
    np.testing.assert_array_equal(w.get_value(), np.full((4, 5), 1 - 3.0))


def test_the_old_value_can_be_an_output_and_another_update() -> None:
    w, old, x, d = sg.shared(np.ones((4, 5))), sg.shared(np.zeros((4, 5))), T.dmatrix("x"), T.dmatrix("d")
    new = w - T.dot(x.T, d)
    f = sg.function([x, d], [w, w.T, w.sum()], updates=[(w, new), (old, w)])
    for k in range(3):
        outputs = f(np.ones((3, 4)), np.ones((3, 5)))
        for output in (*outputs[:2], old.get_value().T):
            np.testing.assert_array_equal(output.ravel(), np.full(20, 1 - 3.0 * k))
        assert outputs[2] == 20 * (1 - 3.0 * k)
    assert any(step.commits for step in f.plan.steps)


def test_values_that_read_each_other_are_not_computed_over() -> None:
    u, v = sg.shared(np.eye(3)), sg.shared(2 * np.eye(3))
    f = sg.function([], [], updates=[(u, u + T.dot(v, v)), (v, v - T.dot(u.T, u))])
    assert not any(step.commits for step in f.plan.steps)
    f()
    np.testing.assert_array_equal(u.get_value(), 5 * np.eye(3))
    np.testing.assert_array_equal(v.get_value(), np.eye(3))
    w = sg.shared(np.eye(3))
    g = sg.function([], [], updates=[(w, w + T.dot(w, w))])
    g()
    np.testing.assert_array_equal(w.get_value(), 2 * np.eye(3))


def test_shapes_that_do_not_fit_leave_the_value() -> None:
    w, b = sg.shared(np.ones((4, 5))), sg.shared(np.zeros(5))
    x, d = T.dmatrices("xd")
    f = sg.function([x, d], [], updates=[(b, b + d.sum(axis=0)), (w, w - T.dot(x.T, d))])
    for left, right in (((3, 4), (2, 5)), ((3, 2), (3, 5)), ((3, 4), (3, 6))):
        with pytest.raises(ValueError, match="do not fit"):
            f(np.ones(left), np.ones(right))
        np.testing.assert_array_equal(w.get_value(), np.ones((4, 5)))
        np.testing.assert_array_equal(b.get_value(), np.zeros(5))


def test_an_error_before_the_commit_gives_the_value_back() -> None:
    w, b = Storage(np.ones((2, 2))), Storage(np.zeros(2))

    made = blas.product(w.value, 1.0, np.ones((2, 1)), np.ones((1, 2)), 1.0)
    assert isinstance(made, blas.Product)
    made.run = made.run.func  # without arguments
    with pytest.raises(TypeError):
        commit_late((w, b), (made, np.ones(2)))
    np.testing.assert_array_equal(w.value, np.ones((2, 2)))
    np.testing.assert_array_equal(b.value, np.zeros(2))


def test_readers_see_the_old_or_the_new_value() -> None:
    size = 60
    w, x = sg.shared(np.zeros((size, size))), T.dmatrix("x")
    step = sg.function([x], [], updates=[(w, w + T.dot(x, x))])
    read = sg.function([], w + 0)
    torn: list[Any] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for value in (read(), w.get_value()):
                if value.min() != value.max():
                    torn.append(value)

    watchers = [threading.Thread(target=watch) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    one = np.ones((size, size))
    for _ in range(400):
        step(one)
    done.set()
    for watcher in watchers:
        watcher.join()
    assert not torn
    np.testing.assert_array_equal(w.get_value(), np.full((size, size), 400.0 * size))


# ---- sums of products -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (3, 5), (8192,), (8193,), (100, 100), (90, 7, 20), (16411,)])
def test_inner_is_the_sum_of_products(shape: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype)
    wanted = np.sum(x.astype("float64") * y)
    scale = np.abs(x * y).sum() + 1
    for a, b in ((x, y), (x.T, y.T), (np.asfortranarray(x), y), (x[::-1], y[::-1])):
        found = blas.inner(a, b)
        assert found.dtype == dtype
        assert abs(found - wanted) <= (1e-6 if dtype == "float32" else 1e-14) * scale


def test_sums_of_squares_are_inner_products() -> None:
    x, y = T.dmatrices("xy")
    f = sg.function([x, y], [(x**2).sum(), (x * y).sum()])
    assert [str(step.node.op) for step in f.plan.steps] == ["inner", "inner"]
    a, b = np.random.default_rng(0).normal(size=(2, 30, 40))
    np.testing.assert_allclose(f(a, b), [(a**2).sum(), (a * b).sum()])
    with pytest.raises(ValueError, match="do not fit"):
        f(a, b[1:])
    g = sg.function([x, y], ((x - y) ** 2).sum())
    assert [len(kernel.steps) for kernel in g.plan.kernels] == [2]  # the differences stay in the cache
    large = np.random.default_rng(0).normal(size=(2, 3000, 200))
    np.testing.assert_allclose(g(*large), ((large[0] - large[1]) ** 2).sum())


def test_what_counts_as_held_by_nobody_else() -> None:
    """One local name, what is put off, and for a loop the list of what it takes: no more, or readers would see it."""
    assert commits._ALONE[commits.Over] == commits._ALONE[blas.Product] + 1
    array = np.ones((2, 2))
    made = blas.Product(print, array, 1.0, np.ones((2, 1)), np.ones((1, 2)), 1.0)
    assert commits._target(made) is array
    other = array
    assert commits._target(made) is not other
