"""Records of the short compositions."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

import symgraph.tensor as T
from tests.records.base import FLOATS, INTEGERS, REAL, Record, arrays, each

SUMMED = {"float16": 2e-2, "float32": 1e-5, "complex64": 1e-5}
LISTED = each(arrays((3, 4), (3, 4)))


def _listed(function: Any) -> Any:
    return lambda *tensors, **options: function(list(tensors), **options)


def _list_of(function: Any) -> Any:
    return lambda *tensors, **options: list(function(*tensors, **options))


def _batched_tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    pair = axes if isinstance(axes, int) else [[i - 1 for i in side] for side in axes]
    return np.stack([np.tensordot(a, b, pair) for a, b in zip(x, y, strict=True)])


COMPOSED: tuple[Record, ...] = (
    Record("vstack", _listed(T.vstack), _listed(np.vstack), each(arrays((3,), (3,)), arrays((2, 3), (1, 3)))),
    Record("hstack", _listed(T.hstack), _listed(np.hstack), each(arrays((3,), (2,)), arrays((2, 3), (2, 1)))),
    Record("dstack", _listed(T.dstack), _listed(np.dstack), each(arrays((3,), (3,)), arrays((2, 3), (2, 3)))),
    Record("column_stack", _listed(T.column_stack), _listed(np.column_stack), each(arrays((3,), (3, 2)))),
    Record("append", T.append, np.append, each(arrays((3,), (2, 2)), arrays((2, 3), (1, 3), axis=0))),
    Record("horizontal_stack", T.horizontal_stack, lambda *a: np.hstack(a), each(arrays((2, 3), (2, 2)))),
    Record("vertical_stack", T.vertical_stack, lambda *a: np.vstack(a), each(arrays((2, 3), (1, 3)))),
    Record("stacklists", lambda a, b: T.stacklists([[a, b], [b, a]]), lambda a, b: np.array([[a, b], [b, a]]), LISTED),
    Record("array_split", lambda a, **how: T.array_split(a, **how)[1], lambda a, **how: np.array_split(a, **how)[1],
           each(arrays((7,), indices_or_sections=3), arrays((3, 4), indices_or_sections=[1, 3], axis=1)),
           weakly_typed=True),
    Record("hsplit", lambda a: T.hsplit(a, 2)[1], lambda a: np.hsplit(a, 2)[1], each(arrays((3, 4)), arrays((4,))),
           weakly_typed=True),
    Record("vsplit", lambda a: T.vsplit(a, 2)[0], lambda a: np.vsplit(a, 2)[0], each(arrays((4, 3))),
           weakly_typed=True),
    Record("dsplit", lambda a: T.dsplit(a, 2)[0], lambda a: np.dsplit(a, 2)[0], each(arrays((2, 3, 4))),
           weakly_typed=True),
    Record("fliplr", T.fliplr, np.fliplr, each(arrays((3, 4)))),
    Record("flipud", T.flipud, np.flipud, each(arrays((3, 4)), arrays((3,)))),
    Record("broadcast_arrays", lambda a, b: T.broadcast_arrays(a, b)[0], lambda a, b: np.broadcast_arrays(a, b)[0],
           each(arrays((3, 1), (4,)), arrays((), (2, 3)))),
    Record("inverse_permutation", T.inverse_permutation, lambda p: np.argsort(p, axis=-1).astype(p.dtype),
           lambda rng, dtype: [((rng.permutation(5).astype(dtype),), {})], dtypes=INTEGERS,
           gradient="its argument is an integer"),
    Record("flatnonzero", T.flatnonzero, np.flatnonzero, each(arrays((3, 4))), gradient="its result is an integer",
           weakly_typed=True),
    Record("nonzero_values", T.nonzero_values, lambda a: a[np.nonzero(a)], each(arrays((3, 4))), weakly_typed=True),
    Record("argwhere", T.argwhere, np.argwhere, each(arrays((3, 4))), gradient="its result is an integer",
           weakly_typed=True),
    Record("count_nonzero", T.count_nonzero, lambda a, **how: np.asarray(np.count_nonzero(a, **how)),
           each(arrays((3, 4)), arrays((3, 4), axis=1, keepdims=True)), gradient="its result is an integer"),
    Record("select", lambda a, b: T.select([a > 1, a > 0], [a, b], 2),
           lambda a, b: np.select([a > 1, a > 0], [a, b], 2),
           LISTED, dtypes=FLOATS),
    Record("default", lambda a: T.default(None, a), lambda a: a, each(arrays((3,)))),
    Record("ceil_intdiv", T.ceil_intdiv, lambda a, b: -(-a.astype("int64") // b.astype("int64")).astype(a.dtype),
           each(arrays((3, 4), (3, 4), low=1, high=9)), dtypes=INTEGERS, gradient="its result is an integer"),
    Record("largest", T.largest, lambda *a: np.maximum(np.maximum(a[0], a[1]), a[2]), each(arrays((3,), (3,), (3,))),
           dtypes=REAL),
    Record("smallest", T.smallest, lambda *a: np.minimum(np.minimum(a[0], a[1]), a[2]), each(arrays((3,), (3,), (3,))),
           dtypes=REAL),
    Record("isposinf", T.isposinf, np.isposinf, each(arrays((3,))), dtypes=REAL, gradient="its result is a boolean"),
    Record("isneginf", T.isneginf, np.isneginf, each(arrays((3,))), dtypes=REAL, gradient="its result is a boolean"),
    Record("nan_to_num", T.nan_to_num, np.nan_to_num, each(arrays((3,)))),
    Record("tri_gamma", T.tri_gamma, lambda a: scipy.special.polygamma(1, a), each(arrays((3, 4), low=0.5)),
           dtypes=("float64",)),
    Record("average", T.average, np.average, each(arrays((3, 4)), arrays((3, 4), axis=1)),
           dtypes=("float32", "float64"), tolerance=SUMMED),
    Record("weighted_average", lambda a, w: T.average(a, 0, w), lambda a, w: np.average(a, 0, w),
           each(arrays((3, 4), (3,), low=0.5), arrays((3, 4), (3, 4), low=0.5)), dtypes=("float32", "float64"),
           tolerance=SUMMED),
    Record("vdot", T.vdot, lambda a, b: np.asarray(np.vdot(a, b)), each(arrays((2, 3), (2, 3))), tolerance=SUMMED),
    Record("batched_tensordot", T.batched_tensordot, _batched_tensordot,
           each(arrays((2, 3, 4), (2, 4, 5), axes=1), arrays((2, 3, 4), (2, 5, 3), axes=([1], [2]))),
           tolerance=SUMMED),
)
