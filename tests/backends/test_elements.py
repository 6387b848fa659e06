"""Functions of elements: as exact as NumPy's and SciPy's, with their special values and warnings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special

from backends.numpy.elements import expm1, log1p, select, sigmoid, softplus


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_logistic_function_of_large_arrays_is_scipys(dtype: str) -> None:
    rng = np.random.default_rng(0)
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 88.7, -88.7, -100, 709, -709, -740, 1e-30, 1e30, -1e30])
    x = np.concatenate([special, rng.normal(size=3000), 50 * rng.normal(size=3000)]).astype(dtype)
    wanted = scipy.special.expit(x.astype(np.longdouble))
    with np.errstate(all="raise", under="ignore"):
        for found in (sigmoid(x), sigmoid(x, out=np.empty_like(x)), sigmoid(x[:100])):
            tiny = np.finfo(dtype).smallest_normal  # below it SciPy's and NumPy's own functions lose digits, or all
            np.testing.assert_allclose(found, wanted[: len(found)], rtol=4 * np.finfo(dtype).eps, atol=tiny)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 200, 7000])
def test_the_softplus_of_few_and_many(dtype: str, size: int) -> None:
    """To four units in the last place, for large and small, without a word of what it meets."""
    rng = np.random.default_rng(0)
    special = np.array([np.nan, 0.0, -0.0, np.inf, -np.inf, 88.7, -88.7, -100, 709, -709, -740, 1e-30, 1e30, -1e30])
    x = np.concatenate([special, rng.normal(size=3500), np.geomspace(1e-9, 99, 1743), -np.geomspace(1e-9, 99, 1743)])
    x = x[:size].astype(dtype)
    wanted = np.logaddexp(x[1:].astype(np.longdouble), 0)
    with np.errstate(all="raise", under="ignore"):
        for found in (softplus(x), softplus(x, np.empty_like(x)), softplus(x[:, None]), softplus(y := x.copy(), y)):
            assert found.dtype == dtype
            assert np.isnan(found[0])
            np.testing.assert_allclose(found.ravel()[1:], wanted, rtol=4 * np.finfo(dtype).eps,
                                       atol=np.finfo(dtype).smallest_normal)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [20, 7000])
def test_log1p_of_few_and_many(dtype: str, size: int) -> None:
    rng = np.random.default_rng(0)
    special = np.array([0.0, -0.0, np.inf, np.nan, 1e30, 1e-30, -1e-30, 1e-45, 3.4e38, -0.5, -1 + 1e-7])
    small = np.geomspace(1e-9, 0.999, 1500)
    x = np.concatenate([special, small, -small, np.geomspace(1, 1e9, 1500), rng.uniform(-1, 5, 2489)])[:size]
    x = x.astype(dtype)
    wanted = np.log1p(x.astype(np.longdouble))
    with np.errstate(all="raise", under="ignore"):
        for found in (log1p(x), log1p(x, np.empty_like(x)), log1p(x[:, None]).ravel(), log1p(y := x.copy(), y)):
            assert found.dtype == dtype
            np.testing.assert_allclose(found, wanted, rtol=5 * np.finfo(dtype).eps, atol=np.finfo(dtype).tiny)
    for bad, result in ((-1, -np.inf), (-2, np.nan)):
        y = x.copy()
        y[7] = bad
        with np.errstate(all="ignore"):
            assert np.array_equal(log1p(y)[7], result, equal_nan=True)
        with np.errstate(all="raise", under="ignore"), pytest.raises(FloatingPointError):
            log1p(y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [20, 7000])
def test_expm1_of_few_and_many(dtype: str, size: int) -> None:
    rng = np.random.default_rng(0)
    special = np.array([0.0, -0.0, -np.inf, np.nan, 1e-30, -1e-30, 1e-45, -1e-40, -1e30, -104, -20, -19.9, 88.7, 6e-8])
    small = np.geomspace(1e-9, 20, 2000)
    x = np.concatenate([special, small, -small, rng.normal(size=2986) * 3])[:size].astype(dtype)
    wanted = np.expm1(x.astype(np.longdouble))
    with np.errstate(all="raise", under="ignore"):
        for found in (expm1(x), expm1(x, np.empty_like(x)), expm1(x[:, None]).ravel(), expm1(y := x.copy(), y)):
            assert found.dtype == dtype
            np.testing.assert_allclose(found, wanted, rtol=5 * np.finfo(dtype).eps, atol=np.finfo(dtype).tiny)
    x[5:7] = 1000, np.inf
    with np.errstate(over="ignore"):
        assert np.isposinf(expm1(x)[5:7]).all()
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        expm1(x)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("size", [3, 1000])
@pytest.mark.parametrize("where", ["none", "new", "a", "b", "view of b"])
def test_select_is_where(dtype: str, size: int, where: str) -> None:
    rng = np.random.default_rng(0)
    mask, a, b = rng.random((size, 4)) < 0.5, rng.normal(size=(size, 4)) * 9, rng.normal(size=(size, 4)) * 9
    a[0, 0], b[0, 1] = (np.nan, np.inf) if dtype[0] == "f" else (0, 0)
    a, b = a.astype(dtype), b.astype(dtype)
    wanted = np.where(mask, a, b)
    held: Any = {"none": None, "new": np.empty_like(a), "a": a, "b": b, "view of b": b[:]}[where]
    found = select(mask, a, b, out=held)
    assert held is None or found is held
    np.testing.assert_array_equal(found, wanted)


def test_select_broadcasts_and_takes_zeros_and_signs() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(2500, 4))
    for condition in (rng.random((2500, 1)) < 0.5, rng.random((2500, 4)) < 0.5):
        for b in (np.asarray(0.0), np.float64(0.0), np.asarray(-0.0), np.asarray(2.5), rng.normal(size=4)):
            found = select(condition, a, b)
            np.testing.assert_array_equal(found, np.where(condition, a, b))
            np.testing.assert_array_equal(np.signbit(found), np.signbit(np.where(condition, a, b)))
            np.testing.assert_array_equal(select(condition, b, a), np.where(condition, b, a))
