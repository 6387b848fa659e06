"""Products of matrices as CUDA kernels, on the emulated device, against the NumPy backend."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.cupy.jobs.products import TILINGS, choose_tiling
from symgraph.plan.jobs import Abilities
from tests.cupy.common_jobs import Runner, assert_close, computes, run_both

RNG = np.random.default_rng(6)


def drawn(*shape: int, dtype: str = "float32") -> np.ndarray:
    return RNG.standard_normal(shape).astype(dtype)


x, y, z, w = T.fmatrices("xyzw")
b = T.fvector("b")


def test_all_transpositions_and_odd_sizes() -> None:
    for m, n, k in ((5, 7, 3), (33, 17, 65), (72, 20, 132)):
        a, c = drawn(m, k), drawn(k, n)
        for p, q in ((a, c), (a.T.copy().T, c), (a, c.T.copy().T), (a.T.copy().T, c.T.copy().T)):
            got, expected, runner = run_both([x, y], [T.dot(x, y)], [p, q], 3, multiprocessors=8)
            assert_close(got, expected)
            assert [[job.kind for job in launch.jobs] for launch in runner.launches] == [["product"]]


def test_more_tiles_than_run_at_once() -> None:
    """A block that is not alone takes less at a time."""
    for m, n, k in ((136, 136, 20), (136, 200, 17)):
        a, c = drawn(m, k), drawn(k, n)
        for p, q in ((a, c), (a.T.copy().T, c.T.copy().T)):
            got, expected, _ = run_both([x, y], [T.dot(x, y)], [p, q], 1, multiprocessors=1)
            assert_close(got, expected)


def test_empty() -> None:
    for m, n, k in ((0, 3, 4), (3, 0, 4), (3, 4, 0)):
        got, expected, _ = run_both([x, y], [T.dot(x, y) + 1], [drawn(m, k), drawn(k, n)])
        assert_close(got, expected)


def test_before_and_after() -> None:
    out = T.tanh(T.dot(x * 2 - 1, T.abs(y).T) + b) * z
    got, expected, runner = run_both([x, y, b, z], [out, out + 1],
                                     [drawn(20, 30), drawn(40, 30), drawn(40), drawn(20, 40)], 5)
    assert_close(got, expected)
    assert [[job.kind for job in launch.jobs] for launch in runner.launches] == [["product"]]


@pytest.mark.parametrize("dtype", ["float16", "bool", *(
    pytest.param(dtype, marks=pytest.mark.slow) for dtype in ("float64", "int32", "complex64"))])
def test_dtypes(dtype: str) -> None:
    p, q = (T.TensorType(dtype, (None, None))(name) for name in "pq")
    values = [RNG.integers(-3, 4, shape).astype(dtype) for shape in ((20, 30), (30, 10))]
    got, expected, _ = run_both([p, q], [T.dot(p, q)], values, 1)
    assert_close(got, expected, rtol=2e-3)


@pytest.mark.parametrize("place", [0, 5, len(TILINGS) - 1, *(
    pytest.param(place, marks=pytest.mark.slow) for place in range(1, len(TILINGS) - 1) if place != 5)])
def test_every_tiling(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.cupy.jobs.products.TILINGS", TILINGS[place: place + 1])
    for m, n, k in ((70, 67, 90), (72, 68, 92)):
        values = [drawn(m, k), drawn(n, k), drawn(k, m), drawn(k, n)]
        got, expected, runner = run_both([x, y, z, w], [T.dot(x * 2, y.T), T.dot(z.T, w)], values, place)
        assert_close(got, expected)
        assert ("const sg_pack<float, 4> *)(a" in runner.sources[0]) == (m == 72)


def test_choice_of_tiling() -> None:
    assert choose_tiling(8192, 4096, 4096, 132) == TILINGS[0]
    assert choose_tiling(20, 500, 784, 132).slices > 1


def test_update_is_folded_into_the_product() -> None:
    """``W - lr * (dot(x.T, d) + l2 * W)`` is computed over W by the product itself."""
    W0 = drawn(40, 30)
    W = sg.shared(W0, name="W")
    function = sg.function([x, y], [], updates=[(W, W - np.float32(0.1) * (T.dot(x.T, y) + np.float32(0.01) * W))])
    runner = Runner(function.plan, 2)
    (launch,) = runner.launches
    assert [job.kind for job in launch.jobs] == ["product"]
    assert [str(v) for v in launch.over.values()] == ["W"]
    values = drawn(25, 40), drawn(25, 30)
    (got,) = runner(*values)
    function(*values)
    assert_close([got], [W.get_value()])


def test_update_is_not_stored_once_the_error_word_is_set() -> None:
    W0 = drawn(6, 4)
    W = sg.shared(W0, name="W")
    labels = T.ivector("labels")
    cost = -T.mean(T.log(T.nnet.softmax(T.dot(x, W)))[T.arange(labels.shape[0]), labels])
    plan = sg.function([x, labels], cost, updates=[(W, W - sg.grad(cost, W))]).plan
    for last in (3, 4):
        runner = Runner(plan)
        _, new = runner(drawn(5, 6), np.array([0, 1, 2, 3, last], "int32"))
        assert np.array_equal(new, W0) == (last == 4)


def test_large_products_are_left_to_a_library() -> None:
    wide = [sg.shared(drawn(64, 64), name=name) for name in "pq"]
    function = sg.function([], T.tanh(T.dot(*wide)))
    runner = Runner(function.plan, abilities=Abilities(computes, small_matrix=10, large_product=64**3))
    assert [type(part).__name__ for part in runner.line] == ["Step", "Launch"]
    assert_close(runner(), [function()])
