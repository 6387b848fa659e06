"""Records of indexing: reading parts of tensors, setting and increasing them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

import symgraph.tensor as T
from tests.records.base import ALL, Array, Record, Sample, random_array

DISCRETE = "its result is discrete"

_I = np.array([0, 2, -1])
_J = np.array([[1], [0]])
_MASK = np.array([True, False, True])

#: An index into a (3, 4, 5) array, and whether it names an element twice.
KEYS: dict[str, Any] = {
    "int": 1, "negative": -1, "slice": slice(1, None), "step": slice(None, None, 2), "reverse": slice(None, None, -1),
    "bounds": (slice(-2, None), slice(3, 0, -2)), "ellipsis": (..., 1), "newaxis": (None, 0, ..., None),
    "empty": slice(2, 1),
    "beyond": slice(1, 99), "array": _I, "array last": (..., _I), "matrix": np.array([[0, 1], [2, 0]]),
    "twice": np.array([0, 0, 1]),
    "two arrays": (_I, _I), "broadcast": (_J, _I), "split": (_I, slice(None), _I), "together": (slice(None), _I, _I),
    "int splits": (0, slice(None), _I), "newaxis splits": (_I, None, _I), "mask": _MASK,
    "mask and slice": (_MASK, slice(1, 3)), "array and newaxis": (None, _I, 1), "no elements": np.zeros(0, "int64"),
    "all": (),
}


def _samples(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    for key in KEYS.values():
        yield (random_array(rng, dtype, (3, 4, 5)),), {"key": key}


def _writing(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    for number, (name, key) in enumerate(KEYS.items()):
        if dtype != "float64" and number % 4:
            continue  # the dtype and the kind of index do not know each other
        x = random_array(rng, dtype, (3, 4, 5))
        y = random_array(rng, dtype, x[key].shape)
        if name == "twice":
            y = y[:1]
        yield (x, y), {"key": key}
        if y.ndim:
            yield (x, random_array(rng, dtype, y.shape[1:])), {"key": key}
        yield (x, random_array(rng, dtype, ())), {"key": key}


def set_part(x: Array, y: Array, key: Any) -> Array:
    result = x.copy()
    result[key] = y
    return result


def increase_part(x: Array, y: Array, key: Any) -> Array:
    result = x.copy()
    np.add.at(result, key, y)
    return result


def _take(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    x = random_array(rng, dtype, (3, 4))
    yield (x, np.array([1, 0, 2])), {"axis": 0}
    yield (x, np.array([[1, -1]])), {"axis": 1}
    yield (x, np.array([11, 0])), {}
    yield (x, np.array([5, -7])), {"axis": 1, "mode": "wrap"}
    yield (x, np.array([9, 2])), {"axis": 1, "mode": "clip"}
    yield (x, np.array(2)), {"axis": -1}


INDEXING: tuple[Record, ...] = (
    Record("subtensor", lambda x, key: x[key], lambda x, key: x[key], _samples),
    Record("set_subtensor", lambda x, y, key: T.set_subtensor(x[key], y), set_part, _writing),
    Record("inc_subtensor", lambda x, y, key: T.inc_subtensor(x[key], y), increase_part, _writing),
    Record("take", T.take, np.take, _take, wrt=(0,)),
    Record("nonzero", lambda x: T.stack(list(T.nonzero(x))), lambda x: np.stack(np.nonzero(x)),
           lambda rng, dtype: [((random_array(rng, dtype, (3, 4), -1, 1),), {}), ((np.zeros((2, 0), dtype),), {})], ALL,
           gradient=DISCRETE, weakly_typed=True),
)
