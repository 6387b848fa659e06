"""Sums as products with ones are those of NumPy, as exact, and the same on any number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.numpy import shared_sums
from backends.numpy.shared_sums import shared_column_sums, shared_row_sums, shared_total
from backends.numpy.sums import row_sums, total

SHAPES = [(0, 100), (3, 0), (5, 63), (5, 64), (7, 4096), (3, 8192), (3, 8193), (2, 20_000), (600, 10), (100, 1000)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("layout", ["C", "F", "strided", "slice"])
def test_sums_are_numpys(shape: tuple[int, int], layout: str, dtype: str) -> None:
    rows, columns = shape
    whole = np.random.default_rng(1).normal(1, 1, (rows + 1, 2 * columns)).astype(dtype)
    x = {"C": whole[:rows, :columns].copy(), "F": np.asfortranarray(whole[:rows, :columns]),
         "strided": whole[:rows, ::2], "slice": whole[1:, 1:columns + 1]}[layout]
    exact = x.astype("float64")
    tolerance = 16 * np.finfo(dtype).eps
    scale = np.abs(exact)
    np.testing.assert_array_less(abs(row_sums(x) - exact.sum(axis=1)), tolerance * scale.sum(axis=1) + 1e-300)
    out, kept = np.empty(rows, dtype), np.empty((rows, 1), dtype)
    assert row_sums(x, out=out) is out
    np.testing.assert_array_equal(row_sums(x, out=kept, keepdims=True), out[:, None])
    np.testing.assert_array_equal(kept[:, 0], out)
    np.testing.assert_array_equal(row_sums(x, keepdims=True), out[:, None])
    assert abs(total(x) - exact.sum()) <= tolerance * scale.sum()
    assert (total(x).dtype, row_sums(x).dtype) == (dtype, dtype)


@pytest.mark.parametrize("threads", [0, 1, 2, 3], ids=lambda n: f"blas{n}")
@pytest.mark.parametrize("shape", [(1030, 1031), (40_000, 30), (300, 4001), (20, 60_001), (1_100_000, 1)], ids=str)
def test_shared_sums_are_numpys(shape: tuple[int, int], threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever BLAS has threads for, and in any order of elements; no element is left out or taken twice."""
    monkeypatch.setattr(shared_sums, "thread_count", lambda: threads)
    rows, columns = shape
    whole = np.random.default_rng(1).integers(-8, 9, (rows + 1, columns + 1)).astype("float32")  # sums are exact
    for x in (whole[:-1, :-1].copy(), np.asfortranarray(whole[:-1, :-1]), whole[1:, 1:], whole[:-1, :-1][::-1]):
        np.testing.assert_array_equal(shared_total(x), x.sum())
        np.testing.assert_array_equal(shared_row_sums(x), x.sum(axis=1))
        np.testing.assert_array_equal(shared_column_sums(x), x.sum(axis=0))
        kept = np.empty((rows, 1), "float32"), np.empty((1, columns), "float32")
        assert shared_row_sums(x, kept[0], keepdims=True) is kept[0]
        assert shared_column_sums(x, kept[1], keepdims=True) is kept[1]
        np.testing.assert_array_equal(kept[0], x.sum(axis=1, keepdims=True))
        np.testing.assert_array_equal(kept[1], x.sum(axis=0, keepdims=True))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1500, 1003), (3, 1 << 19), (700_001, 2)], ids=str)
def test_shared_sums_are_exact(shape: tuple[int, int], dtype: str) -> None:
    for mean in (0, 1000):
        x = np.random.default_rng(3).normal(mean, 1, shape).astype(dtype)
        exact, eps = x.astype(np.longdouble), np.finfo(dtype).eps
        scale = abs(exact)
        assert abs(shared_total(x) - exact.sum()) <= 8 * eps * scale.sum()
        assert (abs(shared_row_sums(x) - exact.sum(axis=1)) <= 8 * eps * scale.sum(axis=1)).all()
        assert (abs(shared_column_sums(x) - exact.sum(axis=0)) <= 8 * eps * scale.sum(axis=0)).all()


def test_what_is_not_finite_stays_so_in_shared_sums() -> None:
    x = np.ones((1100, 1000))
    x[0, 7], x[1, 999], x[2, 500], x[1099, 3] = np.inf, np.nan, -np.inf, np.inf
    rows, columns = shared_row_sums(x), shared_column_sums(x)
    np.testing.assert_array_equal(rows, x.sum(axis=1))
    np.testing.assert_array_equal(columns, x.sum(axis=0))
    with np.errstate(invalid="ignore"):
        assert np.isnan(shared_total(x))
    x[1, 999] = x[2, 500] = 1
    assert shared_total(x) == np.inf


def test_a_long_sum_is_exact() -> None:
    """Ten million numbers one after the other would lose four digits in float32."""
    x = np.full(10_000_000, 0.1, np.float32)
    assert abs(total(x) - 1_000_000) < 2
    np.testing.assert_allclose(row_sums(x.reshape(5, -1)), 200_000, rtol=3e-6)


def test_what_is_not_finite_stays_so() -> None:
    x = np.ones((3, 50_000))
    x[0, 7], x[1, 49_999], x[2, 20_000] = np.inf, np.nan, -np.inf
    np.testing.assert_array_equal(row_sums(x), [np.inf, np.nan, -np.inf])
    assert np.isnan(total(x))


PROGRAM = """
import sys, numpy as np, symgraph as sg, symgraph.tensor as T
x = T.fmatrix("x")
f = sg.function([x], [x.sum(), x.sum(axis=0), x.sum(axis=1), T.exp(x).sum(), T.nnet.softmax(x).sum(axis=0)])
value = np.random.default_rng(0).normal(size=(1501, 1003)).astype("float32")
print("".join(v.tobytes().hex() for v in f(value)))
"""


def test_sums_do_not_depend_on_threads() -> None:
    """Neither on ours nor on those of BLAS, which are settled when a process starts."""
    root, printed = Path(__file__).parents[2], []
    for ours, theirs in (("1", "1"), ("2", "2"), ("3", "4")):
        set_to = {"SYMGRAPH_FLAGS": f"threads={ours}", "OPENBLAS_NUM_THREADS": theirs, "PYTHONPATH": str(root)}
        command = [sys.executable, "-c", PROGRAM]
        run = subprocess.run(command, cwd=root, env={**os.environ, **set_to}, capture_output=True, check=True)
        printed.append(run.stdout)
    assert len(printed[0]) > 1000
    assert printed[0] == printed[1] == printed[2]


def test_large_sums_of_any_shape() -> None:
    """Those for which there is no way of their own too."""
    x, y = T.fmatrix("x"), T.ftensor3("y")
    f = sg.function([x, y], [x.sum(keepdims=True), x.sum(axis=0, keepdims=True), y.sum(), y.sum(axis=0),
                             y.sum(axis=(0, 2)), x.T.sum(axis=0), x[::2].sum(axis=1), x.sum(axis=1).sum()])
    a = np.random.default_rng(0).integers(-8, 9, (2600, 1030)).astype("float32")
    b = a[:2500, :1000].reshape(50, 50, 1000).copy()
    wanted = [a.sum(keepdims=True), a.sum(axis=0, keepdims=True), b.sum(), b.sum(axis=0), b.sum(axis=(0, 2)),
              a.sum(axis=1), a[::2].sum(axis=1), a.sum()]
    for found, exact in zip(f(a, b), wanted, strict=True):
        np.testing.assert_array_equal(found, exact)


def test_sums_in_functions() -> None:
    x = T.dmatrix("x")
    f = sg.function([x], [x.sum(), x.sum(axis=1), x.mean(axis=1, keepdims=True), T.exp(x).sum(axis=1)])
    for shape in ((3, 4), (40, 300), (2000, 700), (1 << 16, 20)):
        value = np.random.default_rng(0).normal(size=shape)
        a, b, c, d = f(value)
        np.testing.assert_allclose(a, value.sum(), rtol=1e-10)
        np.testing.assert_allclose(b, value.sum(axis=1), rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(c, value.mean(axis=1, keepdims=True), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(d, np.exp(value).sum(axis=1), rtol=1e-12)
