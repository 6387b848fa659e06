"""Records of reductions without NaN, of order statistics, covariances and histograms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

import symgraph.tensor as T
from tests.records.base import Record, Sample, arrays, distinct_array, each, random_array

DISCRETE = "its result is discrete"
SOME = ("int64", "float32")
LOOSE = {"float16": 2e-2, "float32": 1e-5, "complex64": 1e-5, "float64": 1e-12}


def _holes(rng: np.random.Generator, dtype: str, shape: tuple[int, ...] = (3, 4)) -> Any:
    """Distinct elements, some of them NaN where there is such a thing."""
    x = distinct_array(rng, dtype, shape)
    if np.dtype(dtype).kind in "fc":
        x[0, 1] = x[2, 0] = np.nan
    return x


def _with_holes(*cases: dict[str, Any]) -> Any:
    return lambda rng, dtype: [((_holes(rng, dtype),), options) for options in cases]


def _whole(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    """All of a line NaN, and all of the tensor."""
    x = _holes(rng, dtype)
    if np.dtype(dtype).kind in "fc":
        x[1] = np.nan
    yield (x,), {"axis": 1}
    yield (np.full_like(x, np.nan) if np.dtype(dtype).kind in "fc" else x,), {}


_AXES = _with_holes({}, {"axis": 0}, {"axis": (0, 1), "keepdims": True}, {"axis": -1, "keepdims": True})
_RUNNING = _with_holes({}, {"axis": 0})
_LINES = each(arrays((3, 4), distinct=True), arrays((3, 4), distinct=True, axis=1),
              arrays((2, 3, 2), distinct=True, axis=(0, 2), keepdims=True), arrays((), distinct=True))
HOLES = "differences of NaN are NaN; see test_statistics"


def _shares(scale: float) -> Any:
    return each(arrays((3, 4), distinct=True, q=0.3 * scale, axis=0),
                arrays((5,), distinct=True, q=[0.0, 0.25 * scale, scale]),
                arrays((3, 4), distinct=True, q=[0.5 * scale, 0.1 * scale], axis=1, keepdims=True, method="lower"),
                arrays((4,), distinct=True, q=0.6 * scale, method="median_unbiased"))


def _quantile(function: Any) -> Any:
    def reference(x: Any, **options: Any) -> Any:
        found = function(x.astype("float64"), **options)
        return np.asarray(found, x.dtype if x.dtype.kind == "f" and not isinstance(options["q"], list) else "float64")

    return reference


def kept(function: Any) -> Any:
    """A function of NumPy that computes in float64, in the dtype of its first floating argument."""
    def reference(*xs: Any, **options: Any) -> Any:
        floats = [x.dtype for x in xs if x.dtype.kind in "fc"]
        found = function(*xs, **options)
        return np.asarray(found, np.result_type(*floats) if floats else None)

    return reference


def _counts(x: Any, **options: Any) -> Any:
    return np.histogram(x, **options)[0]


def _weighed(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    yield (rng.normal(size=(3, 4)), random_array(rng, dtype, (3, 4))), {"bins": 3}
    yield (rng.normal(size=8), random_array(rng, dtype, (8,))), {"bins": [-1.0, 0.0, 2.0]}


STATISTICS: tuple[Record, ...] = (
    *(Record(name, getattr(T, name), getattr(np, name), _AXES, (*SOME, "complex64"), gradient=HOLES, tolerance=LOOSE)
      for name in ("nansum", "nanprod", "nanmean", "nanvar")),
    *(Record(name, getattr(T, name), getattr(np, name), _AXES, SOME, gradient=HOLES, tolerance=LOOSE)
      for name in ("nanmin", "nanmax", "nanstd")),
    *(Record(f"{name}_of_nothing", getattr(T, name), getattr(np, name), _whole, ("float32",), gradient=HOLES)
      for name in ("nansum", "nanmean", "nanmax", "nanmedian")),
    *(Record(name, getattr(T, name), getattr(np, name), _RUNNING, SOME, gradient=HOLES, tolerance=LOOSE)
      for name in ("nancumsum", "nancumprod")),
    *(Record(name, getattr(T, name), getattr(np, name), _with_holes({}, {"axis": 0}, {"axis": 1, "keepdims": True}),
             SOME, gradient=DISCRETE) for name in ("nanargmin", "nanargmax")),
    Record("median", T.median, kept(np.median), _LINES, SOME),
    Record("median_of_nan", T.median, np.median, _AXES, ("float32",), gradient=HOLES),
    Record("nanmedian", T.nanmedian, kept(np.nanmedian), _AXES, SOME, gradient=HOLES),
    Record("quantile", T.quantile, _quantile(np.quantile), _shares(1), SOME, tolerance=LOOSE, order=1),
    Record("percentile", T.percentile, _quantile(np.percentile), arrays((5,), distinct=True, q=[0.0, 30.0, 100.0]),
           SOME, tolerance=LOOSE, order=1),
    Record("nanquantile", T.nanquantile, _quantile(np.nanquantile), arrays((3, 4), distinct=True, q=[0.3, 1.0], axis=0),
           SOME, tolerance=LOOSE, order=1),
    Record("nanpercentile", T.nanpercentile, _quantile(np.nanpercentile), arrays((5,), distinct=True, q=30.0), SOME,
           tolerance=LOOSE, order=1),
    Record("quantile_by_share", T.quantile, np.quantile, lambda rng, dtype: [
        ((distinct_array(rng, dtype, (5,)), np.asarray([0.3, 0.8], dtype)), {})], ("float64",), order=1,
        tolerance=LOOSE),
    Record("cov", T.cov, kept(np.cov), each(
        arrays((5, 3), rowvar=False), arrays((5,), ddof=0), arrays((2, 4), (4,)),
        arrays((2, 3), fweights=[1, 2, 1], aweights=[0.5, 1.0, 2.0])), (*SOME, "complex64"), tolerance=LOOSE),
    Record("corrcoef", T.corrcoef, kept(np.corrcoef), arrays((3, 5)), SOME, tolerance=LOOSE),
    Record("histogram", lambda x, **how: T.histogram(x, **how)[0], _counts, each(
        arrays((3, 4)), arrays((5,), bins=3, range=(-1, 1)), arrays((6,), bins=[-2, 0, 0.5, 2]), arrays((3,), bins=1)),
        SOME, gradient=DISCRETE),
    Record("histogram_of_weights", lambda x, w, **how: T.histogram(x, weights=w, **how)[0],
           lambda x, w, **how: np.histogram(x, weights=w, **how)[0], _weighed, ("int64", "float32"), wrt=(1,),
           tolerance=LOOSE),
    Record("histogram_density", lambda x, **how: T.histogram(x, density=True, **how)[0],
           lambda x, **how: _counts(x, density=True, **how), arrays((9,), bins=3, range=(-2, 2)), SOME,
           gradient=DISCRETE, tolerance=LOOSE),
    Record("histogram_bin_edges", T.histogram_bin_edges, np.histogram_bin_edges, arrays((5,), bins=3, distinct=True),
           SOME, tolerance=LOOSE),
    Record("histogram_bin_edges_of_range", T.histogram_bin_edges, np.histogram_bin_edges, arrays((5,), range=(0, 2)),
           SOME, gradient="its result is constant", tolerance=LOOSE),
    Record("histogram2d", lambda x, y, **how: T.histogram2d(x, y, **how)[0], lambda x, y, **how: np.histogram2d(
        x, y, **how)[0], each(arrays((7,), (7,), bins=3), arrays((7,), (7,), bins=[2, [-2.0, 0.0, 2.0]], density=True)),
        ("float64",), gradient=DISCRETE),
    Record("histogramdd", lambda x, **how: T.histogramdd([x[:, i] for i in range(3)], **how)[0],
           lambda x, **how: np.histogramdd(x, **how)[0], arrays((7, 3), bins=2), ("float64",), gradient=DISCRETE),
    Record("digitize", T.digitize, np.digitize, each(
        arrays((3, 4), bins=[-1.0, 0.0, 1.5]), arrays((3,), bins=[1.0, 0.0, -1.5], right=True),
        lambda rng, dtype: [((random_array(rng, dtype, (4,)), np.array([2.0, 0.0, -1.0])), {})]), SOME,
        gradient=DISCRETE),
)
