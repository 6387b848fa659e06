"""Records of running sums, of counting, and of choosing elements."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

import symgraph.tensor as T
from tests.records.base import INTEGERS, REAL, Record, Sample, arrays, distinct_array, each, random_array

DISCRETE = "its result is discrete"
#: One dtype of each kind and the odd ones, for functions that treat all alike.
SOME = ("bool", "int8", "uint32", "int64", "float16", "float32", "float64", "complex128")
ROUNDINGS = {"float16": 1e-2, "float32": 1e-5, "complex64": 1e-5}
ALONG: tuple[dict[str, Any], ...] = ({}, {"axis": 0}, {"axis": -1})


def _axes(**how: Any) -> Any:
    return each(*(arrays((3, 4), **how, **options) for options in ALONG), arrays((2, 3, 2), axis=1, **how),
                arrays((), **how), arrays((0, 3), axis=0), arrays((1, 3), axis=0, **how))


def _with_zeros(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    for zeros in ([0], [2], [3], [1, 3], [0, 1, 2, 3]):
        x = random_array(rng, dtype, (4, 2), 0.5, 2.0)
        x[zeros, 0] = 0
        yield (x,), {"axis": 0}
        yield (x,), {}


def _weights(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    places = np.array([4, 1, 1, 0, 4, 1], "int32")
    yield (places, random_array(rng, dtype, (6,))), {}
    yield (places, random_array(rng, dtype, (6,))), {"minlength": 7}
    yield (places[:0], random_array(rng, dtype, (0,))), {"minlength": 2}


def _weighed(x: Any, weights: Any, **options: Any) -> Any:
    counts = np.bincount(x, weights, **options)
    return counts.astype(weights.dtype if weights.dtype.kind == "f" else "float64")


def _counts(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    x = random_array(rng, dtype, (3, 4))
    yield (x, np.array([2, 0, 1])), {"axis": 0}
    yield (x, np.array([2, 0, 1, 1], "int32")), {"axis": -1}
    yield (x, rng.integers(0, 3, 12)), {}
    yield (x, np.array([2])), {"axis": 1}


def _ordered(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    x = np.sort(random_array(rng, dtype, (6,)))
    yield (x, random_array(rng, dtype, (3, 2))), {}
    yield (x, random_array(rng, dtype, (4,))), {"side": "right"}
    yield (x, x), {}
    yield (x[:0], random_array(rng, dtype, ())), {}


def _masks(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    x = random_array(rng, dtype, (3, 4))
    yield (np.array([True, False, True]), x), {"axis": 0}
    yield (np.array([0, 2]), x), {"axis": 1}
    yield (np.array([True, False, True, True, False]), x), {}


def _choices(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    three = random_array(rng, dtype, (3, 2, 4))
    yield (rng.integers(0, 3, (2, 4)), three), {}
    yield (rng.integers(0, 3, (2, 1)), three), {}
    yield (rng.integers(0, 3, (4,), "int32"), three), {}
    yield (rng.integers(0, 3, (3, 2, 4)), three), {"mode": "clip"}
    yield (rng.integers(-5, 9, (2, 4)), three), {"mode": "wrap"}
    yield (rng.integers(-5, 9, (2, 4)), three), {"mode": "clip"}


def _listed(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    which = rng.integers(0, 2, (2, 4))
    yield (which, random_array(rng, dtype, (2, 4)), random_array(rng, dtype, (1, 4))), {}
    yield (which, random_array(rng, dtype, ()), random_array(rng, dtype, (4,))), {}


def _filled(a: Any, val: Any) -> Any:
    result = a.copy()
    np.fill_diagonal(result, val)
    return result


def _filled_beside(a: Any, val: Any, offset: int) -> Any:
    result = a.copy()
    rows, columns = a.shape
    for i in range(rows):
        if 0 <= i + offset < columns:
            result[i, i + offset] = val
    return result


def _matrices(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    val = random_array(rng, dtype, ())
    for shape in ((3, 3), (2, 4), (4, 2), (2, 2, 2)):
        yield (random_array(rng, dtype, shape), val), {}


def _matrices_beside(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    val = random_array(rng, dtype, ())
    for offset in (0, 1, -2, 9):
        yield (random_array(rng, dtype, (4, 3)), val), {"offset": offset}


_unique: Any = np.unique


def _distinct(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    yield (distinct_array(rng, dtype, (2, 3)),), {}
    yield (distinct_array(rng, dtype, (2, 3)),), {"axis": 0}


_UNIQUE = arrays((3, 4))

COUNTING: tuple[Record, ...] = (
    Record("cumsum", T.cumsum, np.cumsum, _axes(), tolerance=ROUNDINGS),
    Record("cumprod", T.cumprod, np.cumprod, _axes(low=0.5), tolerance=ROUNDINGS),
    Record("cumprod_of_zeros", T.cumprod, np.cumprod, _with_zeros, ("float32", "float64"), order=1),
    Record("diff", T.diff, np.diff, each(arrays((3, 4)), arrays((3, 4), axis=0), arrays((5,), n=3), arrays((4,), n=0),
                                         arrays((2,), n=3), arrays((1, 3), axis=0))),
    Record("bincount", T.bincount, np.bincount, each(arrays((6,), low=0, high=5), arrays((6,), low=0, high=3,
                                                                                       minlength=6), arrays((0,))),
           tuple(d for d in INTEGERS if d != "uint64"), gradient=DISCRETE, weakly_typed=True),
    Record("bincount_of_weights", T.bincount, _weighed, _weights, REAL, weakly_typed=True, wrt=(1,)),
    Record("unique", T.unique, np.unique, _distinct, ("float32", "float64", "int64", "bool"), weakly_typed=True),
    Record("unique_of_ties", T.unique, np.unique, each(_UNIQUE, arrays((0,)), arrays((4, 1), axis=0)), SOME,
           gradient="tied elements have none", weakly_typed=True),
    *(Record(f"unique_{what}", lambda x, w=what, **how: T.unique(x, **{w: True}, **how)[1],
             lambda x, w=what, **how: _unique(x, **{w: True}, **how)[1].reshape(
                 x.shape if w == "return_inverse" and not how else -1),
             each(_UNIQUE, arrays((4, 1), axis=0)), ("int64", "float64"), gradient=DISCRETE, weakly_typed=True)
      for what in ("return_index", "return_inverse", "return_counts")),
    Record("searchsorted", T.searchsorted, np.searchsorted, _ordered, SOME, gradient=DISCRETE),
    Record("repeat_each", lambda x, n, axis=None: T.repeat(x, n, axis), lambda x, n, axis=None: np.repeat(x, n, axis),
           _counts, SOME, wrt=(0,), weakly_typed=True),
    Record("compress", T.compress, np.compress, _masks, SOME, wrt=(1,), weakly_typed=True),
    Record("where", T.where, np.where, each(arrays((3, 2), (3, 2), (3, 2)), arrays((2,), (3, 2), ())), wrt=(1, 2)),
    Record("choose", T.choose, lambda a, c, **how: np.choose(a, list(c), **how), _choices, SOME, wrt=(1,)),
    Record("choose_of_list", lambda a, *c: T.choose(a, list(c)), lambda a, *c: np.choose(a, c), _listed, SOME,
           wrt=(1, 2)),
    Record("fill_diagonal", T.fill_diagonal, _filled, _matrices, SOME),
    Record("fill_diagonal_offset", T.fill_diagonal_offset, _filled_beside, _matrices_beside, SOME),
    Record("unravel_index", lambda i, **how: T.stack(T.unravel_index(i, **how)),
           lambda i, dims, **how: np.stack(np.unravel_index(i, dims, **how)),
           each(arrays((3, 2), low=0, high=11, dims=(3, 4)), arrays((5,), low=0, high=11, dims=(2, 3, 2), order="F"),
                arrays((), low=0, high=3, dims=(4,))), INTEGERS, gradient=DISCRETE),
    Record("ravel_multi_index", lambda i, j, **how: T.ravel_multi_index((i, j), **how),
           lambda i, j, **how: np.ravel_multi_index((i, j), **how),
           each(arrays((3, 2), (3, 2), low=0, high=2, dims=(3, 4)), arrays((3,), (), low=0, high=2, dims=(3, 4),
                                                                          order="F"),
                arrays((5,), (5,), low=0, high=9, dims=(3, 4), mode="clip"),
                arrays((5,), (5,), low=0, high=9, dims=(3, 4), mode="wrap")),
           tuple(d for d in INTEGERS if d != "uint64"), gradient=DISCRETE),
    Record("to_one_hot", T.to_one_hot, lambda y, nb_class: np.eye(nb_class)[y],
           arrays((5,), low=0, high=3, nb_class=4), INTEGERS, gradient="its argument is discrete"),
)
