"""Records of sorting and of the largest elements."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

import symgraph.tensor as T
from tests.records.base import ALL, REAL, Record, Sample, arrays, distinct_array, each, random_array

DISCRETE = "its result is discrete"


def _largest(x: Any, kth: int, axis: int | None = -1) -> Any:
    line = x.reshape(-1) if axis is None else x
    axis = 0 if axis is None else axis
    down = np.flip(np.sort(line, axis), axis)
    length = line.shape[axis]
    return np.take(down, range(kth) if kth > 0 else range(length + kth, length), axis)


def _largest_places(x: Any, kth: int, axis: int | None = -1, idx_dtype: str = "int64") -> Any:
    line = x.reshape(-1) if axis is None else x
    axis = 0 if axis is None else axis
    down = np.flip(np.argsort(line, axis), axis)
    length = line.shape[axis]
    return np.take(down, range(kth) if kth > 0 else range(length + kth, length), axis).astype(idx_dtype)


_SORTED = each(arrays((3, 4), distinct=True), arrays((3, 4), distinct=True, axis=0),
               arrays((2, 3, 2), distinct=True, axis=1, kind="mergesort"), arrays((3, 4), distinct=True, axis=None),
               arrays((5,), distinct=True, kind="heapsort"), arrays((0, 3)), arrays((1, 3), distinct=True, axis=0))
_STABLE = each(arrays((3, 4), kind="stable"), arrays((3, 4), kind="stable", axis=0), arrays((2, 3), kind="stable",
                                                                                         axis=None))
_TOP = each(arrays((3, 4), distinct=True, kth=2), arrays((3, 4), distinct=True, kth=-2),
            arrays((4, 3), distinct=True, kth=3, axis=0), arrays((3, 4), distinct=True, kth=5, axis=None),
            arrays((3,), distinct=True, kth=3))
_PLACES = each(_TOP, arrays((4,), distinct=True, kth=-1, idx_dtype="int32"))


def _taken(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    x = random_array(rng, dtype, (3, 4))
    yield (x, rng.integers(-4, 4, (3, 2))), {"axis": 1}
    yield (x, rng.integers(0, 3, (5, 4), dtype="int32")), {"axis": 0}
    yield (x, rng.integers(0, 3, (5, 1))), {"axis": 0}
    yield (x, rng.integers(0, 12, 7)), {"axis": None}
    yield (distinct_array(rng, dtype, (2, 2, 3)), rng.integers(0, 3, (2, 2, 3))), {"axis": -1}


SORTING: tuple[Record, ...] = (
    Record("sort", T.sort, np.sort, each(_SORTED, _STABLE), ALL, gradient="tied elements have none; see sort_distinct"),
    Record("argsort", T.argsort, np.argsort, _STABLE, ALL, gradient=DISCRETE),
    Record("sort_distinct", T.sort, np.sort, _SORTED, ("float32", "float64", "int64")),
    Record("argsort_distinct", T.argsort, np.argsort, _SORTED, ("int64", "float32", "float64"), gradient=DISCRETE),
    Record("topk", T.topk, _largest, _TOP, REAL),
    Record("argtopk", T.argtopk, _largest_places, _PLACES, ("int32", "float32", "float64"), gradient=DISCRETE),
    Record("topk_and_argtopk", lambda x, **how: T.add(*T.topk_and_argtopk(x, **how)),
           lambda x, **how: _largest(x, **how) + _largest_places(x, **how), _TOP, ("int64", "float32", "float64")),
    Record("take_along_axis", T.take_along_axis, np.take_along_axis, _taken,
           ("bool", "int8", "uint32", "float16", "float64", "complex128"), wrt=(0,)),
)
