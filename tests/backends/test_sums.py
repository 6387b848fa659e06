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


def test_sums_in_functions() -> None:
    x = T.dmatrix("x")
    f = sg.function([x], [x.sum(), x.sum(axis=1), x.mean(axis=1, keepdims=True), T.exp(x).sum(axis=1)])
    for shape in ((3, 4), (40, 300), (2000, 700)):
        value = np.random.default_rng(0).normal(size=shape)
        a, b, c, d = f(value)
        np.testing.assert_allclose(a, value.sum(), rtol=1e-10)
        np.testing.assert_allclose(b, value.sum(axis=1), rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(c, value.mean(axis=1, keepdims=True), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(d, np.exp(value).sum(axis=1), rtol=1e-12)
