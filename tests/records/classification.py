"""Records of softmax with its losses, of two-level softmax and of counting what was taken for what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.special as special

from symgraph.tensor import nnet
from tests.records.base import FLOATS, INTEGERS, Array, Record, Sample, arrays, random_array

ROUNDINGS = {"float16": 2e-2, "float32": 1e-5, "float64": 1e-12}
Y = np.array([2, 0, 0], "int32")


def _softmax(x: Array) -> Array:
    return np.asarray(special.softmax(x.astype("float64"), -1))


def _loss(x: Array, y: Array) -> Array:
    return np.asarray(-special.log_softmax(x.astype("float64"), -1)[np.arange(len(y)), y])


def _rows(*shapes: tuple[int, ...], low: float = -2.0) -> Any:
    """Random arrays, then the classes of three rows."""
    def sample(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
        yield (*(random_array(rng, dtype, s, low, 2.0 if low < 0 else 1.0) for s in shapes), Y), {}

    return sample


def _hierarchy(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    values = tuple(random_array(rng, dtype, s) for s in ((3, 4), (4, 2), (2,), (2, 4, 3), (2, 3)))
    yield values, {"n_outputs": 5}
    yield (*values, np.array([4, 0, 3], "int64")), {"n_outputs": 6}


def _call_h_softmax(x: Any, W1: Any, b1: Any, W2: Any, b2: Any, target: Any = None, n_outputs: int = 6) -> Any:
    return nnet.h_softmax(x, 3, n_outputs, 2, 3, W1, b1, W2, b2, target)


def _h_softmax(x: Array, W1: Array, b1: Array, W2: Array, b2: Array, target: Array | None = None,
               n_outputs: int = 6) -> Array:
    wide = [v.astype("float64") for v in (x, W1, b1, W2, b2)]
    rows = []
    for row in wide[0]:
        of_class = _softmax(row @ wide[1] + wide[2])
        rows.append(np.concatenate([p * _softmax(row @ w + b)
                                    for p, w, b in zip(of_class, wide[3], wide[4], strict=True)]))
    whole = np.array(rows)[:, :n_outputs]
    return (whole if target is None else whole[np.arange(len(whole)), target]).astype(x.dtype)


def _confusion(place: int) -> dict[str, Any]:
    def reference(actual: Array, pred: Array) -> Array:
        order = np.unique(np.concatenate([actual, pred]))
        counts = np.array([[((actual == a) & (pred == p)).sum() for p in order] for a in order], "int64")
        return (counts.reshape(len(order), len(order)), order)[place]

    def sample(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
        yield (random_array(rng, dtype, (9,), 0, 4), random_array(rng, dtype, (9,), 1, 5)), {}
        yield (random_array(rng, dtype, (0,)), random_array(rng, dtype, (0,))), {}

    return {"call": lambda a, p: nnet.confusion_matrix(a, p)[place], "reference": reference, "samples": sample,
            "dtypes": INTEGERS, "gradient": "its arguments are discrete", "weakly_typed": True}


CLASSIFICATION: tuple[Record, ...] = (
    Record("nnet.softmax_with_bias", nnet.softmax_with_bias, lambda x, b: _softmax(x + b).astype(x.dtype),
           arrays((3, 4), (4,)), FLOATS, tolerance=ROUNDINGS),
    Record("nnet.crossentropy_categorical_1hot", nnet.crossentropy_categorical_1hot,
           lambda p, y: -np.log(p[np.arange(len(y)), y].astype("float64")).astype(p.dtype), _rows((3, 4), low=0.1),
           FLOATS, tolerance=ROUNDINGS),
    Record("nnet.crossentropy_softmax_1hot", lambda x, y: nnet.crossentropy_softmax_1hot(x, y)[0],
           lambda x, y: _loss(x, y).astype(x.dtype), _rows((3, 4)), FLOATS, tolerance=ROUNDINGS),
    Record("nnet.crossentropy_softmax_1hot_with_bias",
           lambda x, b, y: nnet.crossentropy_softmax_1hot_with_bias(x, b, y)[0],
           lambda x, b, y: _loss(x + b, y).astype(x.dtype), _rows((3, 4), (4,)), FLOATS, tolerance=ROUNDINGS),
    Record("nnet.crossentropy_softmax_argmax_1hot_with_bias",
           lambda x, b, y: nnet.crossentropy_softmax_argmax_1hot_with_bias(x, b, y)[2],
           lambda x, b, y: np.argmax(x + b, 1), _rows((3, 4), (4,)), FLOATS, gradient="its result is discrete"),
    Record("nnet.h_softmax", _call_h_softmax, _h_softmax, _hierarchy, FLOATS, tolerance=ROUNDINGS),
    Record("nnet.confusion_matrix", **_confusion(0)),
    Record("order of nnet.confusion_matrix", **_confusion(1)),
)
