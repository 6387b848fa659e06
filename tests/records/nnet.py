"""Records of activations and losses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.special as special

from symgraph.tensor import nnet
from tests.records.base import FLOATS, INTEGERS, Array, Record, Sample, arrays, each, random_array
from tests.records.elementwise import like_exp

ROUNDINGS = {"float16": 1e-2, "float32": 1e-5, "float64": 1e-12}
SMOOTH = arrays((3, 4), low=0.2, high=2.0)
BOTH = each(arrays((3, 4), low=0.2), arrays((3, 4), low=-2.0, high=-0.2), arrays((), low=0.3, high=1.0))


def _wide(function: Any) -> Any:
    """The reference in float64, in the dtype the arguments call for."""

    def compute(*xs: Array, **options: Any) -> Array:
        dtype = np.result_type(*(like_exp(x.dtype) for x in xs if x.dtype.kind == "f" or len(xs) == 1))
        result: Array = np.asarray(function(*(x.astype("float64") for x in xs), **options)).astype(dtype)
        return result

    return compute


def _relu(x: Array, alpha: float = 0) -> Array:
    return np.where(x > 0, x, np.asarray(alpha * x, x.dtype))


def _elu(x: Array, alpha: float = 1) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _probabilities(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    yield (rng.uniform(0.1, 0.9, (3, 4)).astype(dtype), rng.uniform(0.1, 0.9, (3, 4)).astype(dtype)), {}


def _distributions(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    p = special.softmax(rng.normal(size=(3, 4)), 1).astype(dtype)
    yield (p, special.softmax(rng.normal(size=(3, 4)), 1).astype(dtype)), {}
    yield (p, np.array([3, 0, 0], "int32")), {}


def _cross_entropy(p: Array, t: Array) -> Any:
    logs = np.log(p.astype("float64"))
    value = -(t * logs).sum(-1) if t.ndim == 2 else -logs[np.arange(len(t)), t]
    return value.astype(p.dtype)


def _one_hot(y: Array, nb_class: int, dtype: str) -> Array:
    return np.eye(nb_class, dtype=dtype)[y]


_AXES = each(arrays((3, 4)), arrays((3, 4), axis=0), arrays((2, 3, 4), axis=(1, 2)), arrays((3,), axis=None),
             arrays((0, 3)), arrays((1, 3)))

NNET: tuple[Record, ...] = (
    Record("nnet.relu", nnet.relu, _relu, each(BOTH, arrays((3, 4), low=-2.0, high=-0.2, alpha=0.1)), FLOATS),
    Record(
        "nnet.elu",
        nnet.elu,
        _wide(_elu),
        each(BOTH, arrays((3,), low=-2.0, high=-0.2, alpha=0.5)),
        FLOATS,
        tolerance=ROUNDINGS,
    ),
    Record(
        "nnet.selu",
        nnet.selu,
        _wide(lambda x: 1.0507009873554804934193349852946 * _elu(x, 1.6732632423543772848170429916717)),
        BOTH,
        FLOATS,
        tolerance=ROUNDINGS,
    ),
    Record("nnet.softsign", nnet.softsign, _wide(lambda x: x / (1 + np.abs(x))), BOTH, FLOATS, tolerance=ROUNDINGS),
    Record(
        "nnet.hard_sigmoid",
        nnet.hard_sigmoid,
        _wide(lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
        BOTH,
        FLOATS,
        tolerance=ROUNDINGS,
    ),
    Record(
        "nnet.binary_crossentropy",
        nnet.binary_crossentropy,
        _wide(lambda o, t: -(t * np.log(o) + (1 - t) * np.log(1 - o))),
        _probabilities,
        FLOATS,
        tolerance=ROUNDINGS,
    ),
    Record(
        "nnet.sigmoid_binary_crossentropy",
        nnet.sigmoid_binary_crossentropy,
        _wide(lambda x, t: np.logaddexp(0, x) - t * x),
        _probabilities,
        FLOATS,
        tolerance=ROUNDINGS,
    ),
    Record(
        "nnet.categorical_crossentropy",
        nnet.categorical_crossentropy,
        _cross_entropy,
        _distributions,
        FLOATS,
        tolerance=ROUNDINGS,
    ),
    Record(
        "nnet.softmax",
        nnet.softmax,
        _wide(lambda x, axis=-1: special.softmax(x, axis) if x.size else x),
        _AXES,
        ("int32", *FLOATS),
        tolerance=ROUNDINGS,
    ),
    Record(
        "nnet.logsoftmax",
        nnet.logsoftmax,
        _wide(lambda x, axis=-1: special.log_softmax(x, axis) if x.size else x),
        _AXES,
        ("int32", *FLOATS),
        tolerance=ROUNDINGS,
    ),
    Record(
        "nnet.to_one_hot",
        nnet.to_one_hot,
        _one_hot,
        lambda rng, dtype: [((random_array(rng, dtype, (5,), 0, 3),), {"nb_class": 4, "dtype": "float32"})],
        INTEGERS,
        gradient="its argument is discrete",
    ),
)
