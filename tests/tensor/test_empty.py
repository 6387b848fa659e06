"""Statistics of no elements, whose lengths are known only when run: what NumPy gives."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import TensorType
from tests.tensor.common import compute


def numpys(function: Any, *arguments: Any, **options: Any) -> Any:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return function(*arguments, **options)


@pytest.mark.parametrize(("name", "more"), [("median", ()), ("nanmedian", ()), ("nanquantile", (0.3,)),
                                        ("nanpercentile", (30,))])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize(("shape", "axis"), [
    ((0,), 0), ((0,), None), ((0, 3), 0), ((0, 3), 1), ((2, 0), -1), ((0, 0), None), ((3, 0, 2), (1, 2)), ((2, 3), 0)])
def test_order_statistics(name: str, more: Any, dtype: str, shape: Any, axis: Any) -> None:
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    wanted = numpys(getattr(np, name), values, *more, axis=axis)
    for lengths in (shape, [None] * len(shape)):
        x = TensorType(dtype, lengths)()
        found = compute([x], getattr(T, name)(x, *more, axis=axis), [values], "FAST_RUN")
        assert found.shape == np.shape(wanted)
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_the_gradient_of_a_median_of_unknown_length() -> None:
    x = T.dvector()
    np.testing.assert_array_equal(compute([x], sg.grad(T.median(x), x), [np.array([3.0, 1, 2])]), [0, 0, 1])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
@pytest.mark.parametrize("options", [{}, {"bins": 3}, {"range": (2, 3)}, {"bins": [0, 1, 3]}], ids=str)
@pytest.mark.parametrize("shape", [(0,), (2, 0), (3,)])
def test_histogram(dtype: str, options: Any, shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    wanted = np.histogram(values, **options)
    for lengths in (shape, [None] * len(shape)):
        x = TensorType(dtype, lengths)()
        counts, edges = compute([x], T.histogram(x, **options), [values], "FAST_RUN")
        np.testing.assert_array_equal(counts, wanted[0])
        np.testing.assert_allclose(edges, wanted[1], rtol=1e-6)


def test_histogram_of_points() -> None:
    x, y = T.dvectors("x", "y")
    counts, first, second = compute([x, y], list(T.histogram2d(x, y, bins=2)), [np.zeros(0), np.zeros(0)])
    np.testing.assert_array_equal(counts, np.zeros((2, 2)))
    np.testing.assert_array_equal([first, second], [[0, 0.5, 1], [0, 0.5, 1]])


def test_least_squares_of_what_is_not_finite() -> None:
    """LAPACK's own iteration would not end on the infinite matrix."""
    a, b = T.dmatrix(), T.dvector()
    f = sg.function([a, b], T.nlinalg.lstsq(a, b)[0])
    for bad in (np.inf, -np.inf, np.nan):
        with pytest.raises(np.linalg.LinAlgError, match="infinite or NaN"):
            f(np.array([[1.0, 2], [bad, 1], [0, 1]]), np.ones(3))
    with np.errstate(invalid="ignore"):
        assert np.isnan(f(np.eye(3, 2), np.array([np.inf, 1, 1]))).all()
