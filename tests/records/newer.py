"""Records of what has only NumPy 2's name."""

from __future__ import annotations

from typing import Any

import numpy as np

import symgraph.tensor as T
from tests.records.base import Record, arrays, each

SOME = ("bool", "int64", "float32", "float64")
DISCRETE = "the places of elements are discrete"
VALUES = arrays((3, 4), low=0, high=3)
RUNNING = each(arrays((4,), include_initial=True), arrays((3, 4), axis=0), arrays((3, 4), axis=1, include_initial=True))
SUMMED = {"float16": 2e-2, "float32": 1e-5, "complex64": 1e-5}


def _one_of(function: Any, which: int) -> Any:
    return lambda x, **options: function(x, **options)[which]


NEWER: tuple[Record, ...] = (
    Record("matrix_transpose", T.matrix_transpose, np.matrix_transpose, each(arrays((3, 4)), arrays((2, 3, 4)))),
    Record("unstack", lambda x, axis: T.unstack(T.stack([x, x], axis), axis)[1],
           lambda x, axis: np.unstack(np.stack([x, x], axis), axis=axis)[1],
           each(arrays((2, 3), axis=0), arrays((2, 3), axis=-1))),
    Record("extract", T.extract, np.extract, arrays((3, 2), (3, 2)), SOME, wrt=(1,), weakly_typed=True),
    Record("cumulative_sum", T.cumulative_sum, np.cumulative_sum, RUNNING, tolerance=SUMMED),
    Record("cumulative_prod", T.cumulative_prod, np.cumulative_prod, RUNNING, tolerance=SUMMED),
    Record("unique_values", T.unique_values, lambda x: np.unique(x, equal_nan=False), VALUES, SOME,
           gradient="tied elements have none", weakly_typed=True),
    Record("unique_counts", _one_of(T.unique_counts, 1), _one_of(np.unique_counts, 1), VALUES, SOME,
           gradient=DISCRETE, weakly_typed=True),
    Record("unique_inverse", _one_of(T.unique_inverse, 1), _one_of(np.unique_inverse, 1), VALUES, SOME,
           gradient=DISCRETE, weakly_typed=True),
    Record("unique_all", _one_of(T.unique_all, 1), _one_of(np.unique_all, 1), VALUES, SOME,
           gradient=DISCRETE, weakly_typed=True),
)
