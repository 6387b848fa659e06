"""Records of the reductions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.special as special

import symgraph.tensor as T
from tests.records.base import FLOATS, INTEGERS, REAL, Record, Sample, distinct_array, random_array

DISCRETE = "its result is discrete"

#: (shape, options): all axes, one, several, none; kept and not; 0-d; an empty axis that stays.
CASES: tuple[tuple[tuple[int, ...], dict[str, Any]], ...] = (
    ((3, 4), {}), ((3, 4), {"axis": 0}), ((3, 4), {"axis": -1, "keepdims": True}), ((2, 3, 4), {"axis": (0, 2)}),
    ((2, 3, 4), {"axis": [-1, 0], "keepdims": True}), ((5,), {"axis": 0}), ((2, 3), {"axis": ()}), ((), {}),
    ((3, 0), {"axis": 0}),
)
EMPTY_AXIS = ((0, 3), {"axis": 0})


def samples(rng: np.random.Generator, dtype: str, *, low: float = -2.0, high: float = 2.0, distinct: bool = False,
            empty: bool = True, axes: bool = True, keepdims: bool = True) -> Iterable[Sample]:
    cases = [*CASES, EMPTY_AXIS] if empty else [case for case in CASES if 0 not in case[0]]
    for shape, options in cases:
        if not axes and not isinstance(options.get("axis", 0), int):
            continue
        if not keepdims and "keepdims" in options:
            continue
        yield (distinct_array(rng, dtype, shape) if distinct else random_array(rng, dtype, shape, low, high),), options


def _sampler(**how: Any) -> Any:
    return lambda rng, dtype: samples(rng, dtype, **how)


def _axis(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def numpy_reduction(function: Any) -> Any:
    return lambda x, axis=None, **more: function(x, axis=_axis(axis), **more)


def _mean(x: Any, axis: Any = None, **more: Any) -> Any:
    return np.mean(x, axis=_axis(axis), **more)


def _ptp(x: Any, axis: Any = None) -> Any:
    return np.max(x, _axis(axis)) - np.min(x, _axis(axis))


def _norm(x: Any, ord: Any, axis: Any = None, keepdims: bool = False) -> Any:
    flat = x.reshape(-1) if axis is None else x
    value = np.linalg.norm(flat, ord=ord, axis=axis if axis is not None else 0)
    return value if not keepdims else np.expand_dims(value, axis if axis is not None else tuple(range(x.ndim)))


def _norm_samples(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    for order in (0, 1, 2, 3, np.inf, -np.inf):
        for axis in (0, 1, None):
            yield (distinct_array(rng, dtype, (3, 4)),), {"ord": order, "axis": axis, "keepdims": axis == 1}


def _logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.asarray(special.logsumexp(x.astype("float64"), axis=_axis(axis), keepdims=keepdims)).astype(
        np.exp.resolve_dtypes((x.dtype, None))[-1])


def _max_and_argmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.max(x, axis, keepdims=keepdims) + np.argmax(x, axis, keepdims=keepdims)


def _second_moment_dtype(dtype: str) -> str:
    return "float64" if dtype in (*INTEGERS, "bool") else np.empty(0, dtype).real.dtype.name


ROUNDINGS = {"float16": 1e-2, "float32": 2e-5, "complex64": 2e-5}

REDUCTIONS: tuple[Record, ...] = (
    Record("sum", T.sum, numpy_reduction(np.sum), _sampler(), tolerance=ROUNDINGS),
    Record("prod", T.prod, numpy_reduction(np.prod), _sampler(low=0.4), tolerance=ROUNDINGS),
    Record("max", T.max, numpy_reduction(np.max), _sampler(distinct=True, empty=False)),
    Record("min", T.min, numpy_reduction(np.min), _sampler(distinct=True, empty=False)),
    Record("all", T.all, numpy_reduction(np.all), _sampler(), gradient=DISCRETE),
    Record("any", T.any, numpy_reduction(np.any), _sampler(), gradient=DISCRETE),
    Record("argmax", T.argmax, numpy_reduction(np.argmax), _sampler(empty=False, axes=False), gradient=DISCRETE),
    Record("argmin", T.argmin, numpy_reduction(np.argmin), _sampler(empty=False, axes=False), gradient=DISCRETE),
    Record(
        "max_and_argmax",
        lambda x, **how: T.add(*T.max_and_argmax(x, **how)),
        _max_and_argmax,
        _sampler(distinct=True, empty=False, axes=False),
        REAL,
    ),
    Record("mean", T.mean, _mean, _sampler(empty=False), tolerance=ROUNDINGS),
    Record("var", T.var, numpy_reduction(np.var), _sampler(empty=False), tolerance=ROUNDINGS),
    Record(
        "std",
        T.std,
        numpy_reduction(np.std),
        _sampler(empty=False, distinct=True, axes=False),
        REAL,
        tolerance={**ROUNDINGS, "float16": 3e-2},
    ),
    Record("ptp", T.ptp, _ptp, _sampler(distinct=True, empty=False, keepdims=False), ("int64", *FLOATS)),
    Record("norm", T.norm, _norm, _norm_samples, ("bool", "int8", "uint64", *FLOATS, "complex64"), tolerance=ROUNDINGS),
    Record("logsumexp", T.logsumexp, _logsumexp, _sampler(empty=False), ("int32", *FLOATS), tolerance=ROUNDINGS),
)
