"""Reductions as CUDA kernels, on the emulated device, against the NumPy backend."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from tests.cupy.common_jobs import assert_close, run_both

RNG = np.random.default_rng(4)


def drawn(*shape: int, dtype: str = "float32") -> np.ndarray:
    return (RNG.standard_normal(shape) * 3).astype(dtype)


x = T.fmatrix("x")
v = T.fvector("v")
big = T.TensorType("float32", (None,) * 4)("big")


def test_all_choices_of_axes() -> None:
    axes = [a for k in range(1, 5) for a in combinations(range(4), k)]
    outputs = [T.sum(big * 2, axis=a, keepdims=len(a) == 2) + 1 for a in axes]
    for shape in ((3, 4, 5, 6), (1, 33, 2, 40)):
        got, expected, runner = run_both([big], outputs, [drawn(*shape)], 3)
        assert_close(got, expected)
        assert len(runner.launches) == 1


@pytest.mark.parametrize("shape", [(1, 5000), (3000, 3), (700, 70), (0, 4), *(
    pytest.param(shape, marks=pytest.mark.slow) for shape in ((5000, 1), (3, 3000), (4, 0)))])
def test_shapes(shape: tuple[int, int]) -> None:
    """Few and many results, of few and many elements, one block for several results and several for one."""
    outputs = [T.sum(x, axis=0), T.sum(x, axis=1), T.sum(x), T.any(x > 8, axis=0), T.prod(T.exp(x / 1000), axis=1)]
    got, expected, _ = run_both([x], outputs, [drawn(*shape)], 5)
    assert_close(got, expected)


@pytest.mark.parametrize("dtype", ["int8", "float16", *(
    pytest.param(dtype, marks=pytest.mark.slow) for dtype in ("bool", "uint16", "int64", "float64", "complex64"))])
def test_kinds_and_dtypes(dtype: str) -> None:
    a = T.TensorType(dtype, (None, None))("a")
    values = (RNG.integers(-3, 4, (20, 50)) + (1j if dtype == "complex64" else 0)).astype(dtype)
    outputs = [T.sum(a, axis=0), T.sum(a, axis=1), T.max(a, axis=0), T.min(a, axis=1), T.all(a, axis=1),
               T.any(a, axis=0), T.sum(a), T.prod(a[:, :5], axis=1), T.max(a)]
    if dtype not in ("complex64", "bool"):
        outputs += [T.argmax(a, axis=0), T.argmin(a, axis=1), T.mean(a, axis=0)]
    got, expected, _ = run_both([a], outputs, [values], 2)
    assert_close(got, expected, rtol=2e-3 if dtype == "float16" else 2e-5)


def test_not_a_number() -> None:
    values = drawn(6, 300)
    values[1, 250] = values[2, 7] = values[2, 200] = np.nan
    values[3] = -np.inf
    outputs = [f(x, axis=axis) for f in (T.max, T.min, T.argmax, T.argmin, T.sum) for axis in (0, 1)]
    got, expected, _ = run_both([x], outputs, [values], 7)
    assert_close(got, expected)


def test_first_of_equals() -> None:
    values = RNG.integers(0, 2, (5, 700)).astype("float32")
    got, expected, _ = run_both([x], [T.argmax(x, axis=1), T.argmin(x, axis=0), T.argmax(x)], [values], 7)
    assert_close(got, expected)


def test_before_and_after() -> None:
    """What goes before and after a reduction is computed with it."""
    outputs = [T.sqrt(T.sum(T.sqr(x - v), axis=1)) * 2, -T.mean(T.abs(x)), v - 0.5 * T.sum(T.tanh(x), axis=0)]
    got, expected, runner = run_both([x, v], outputs, [drawn(50, 20), drawn(20)], 4)
    assert_close(got, expected)
    assert [[job.kind for job in launch.jobs] for launch in runner.launches] == [["reduction"] * 3]


def test_precision() -> None:
    """The sum of many is a tree: much closer than adding up one after the other."""
    values = RNG.random(300_000).astype("float32")
    got, _, _ = run_both([v], [T.sum(v), T.mean(v, dtype="float64")], [values], multiprocessors=16)
    exact = values.astype("float64").sum()
    assert abs(float(got[0]) - exact) < 1e-6 * exact
    assert abs(float(got[1]) * len(values) - exact) < 1e-12 * exact


def test_same_bits_whatever_the_schedule() -> None:
    values = drawn(400, 90)
    results = [run_both([x], [T.sum(x), T.sum(x, axis=0)], [values], seed)[0] for seed in range(4)]
    for result in results[1:]:
        for a, b in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(a, b)


def test_products_with_vectors() -> None:
    a, b = drawn(30, 40), drawn(40)
    y = T.fvector("y")
    got, expected, runner = run_both([x, v, y], [T.dot(x, v), T.dot(y, x), T.dot(v, v), T.sum(v * v)],
                                     [a, b, drawn(30)], 3)
    assert_close(got, expected)
    assert len(runner.launches) == 1


def test_empty_extremes_are_refused_by_the_host() -> None:
    with pytest.raises(ValueError, match="zero-size"):
        sg.function([x], T.max(x, axis=0))(drawn(0, 3))


def test_a_number_made_of_a_shared_one_goes_into_a_sum_over_all_axes() -> None:
    """It is computed before the loop, whose axes are taken as one."""
    x, s = T.fmatrix("x"), sg.shared(np.float32(0.5))
    got, expected, _ = run_both([x], [(x * T.tanh(s)).sum()], [RNG.random((7, 5)).astype("float32")])
    assert_close(got, expected)
