"""Records of batch normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph.tensor import nnet
from tests.records.base import FLOATS, Array, Record, arrays, each

ROUNDINGS = {"float16": 3e-2, "float32": 3e-5, "float64": 1e-12}


def over(axes: Any, ndim: int) -> tuple[int, ...]:
    """Axes by number."""
    named = {"per-activation": (0,), "spatial": (0, *range(2, ndim))}
    return named[axes] if isinstance(axes, str) else tuple(axes)


def train(x: Array, gamma: Array, beta: Array, running_mean: Array | None = None, running_var: Array | None = None,
          axes: Any = "per-activation", epsilon: float = 1e-4, running_average_factor: float = 0.1) -> list[Array]:
    """All results, in float64 and with all axes."""
    numbers, wide = over(axes, x.ndim), x.astype("float64")
    shape = [1 if i in numbers else n for i, n in enumerate(x.shape)]
    scale, shift = (v.astype("float64").reshape(shape) for v in (gamma, beta))
    mean, var = wide.mean(numbers, keepdims=True), wide.var(numbers, keepdims=True)
    invstd = 1 / np.sqrt(var + epsilon)
    results = [(wide - mean) * invstd * scale + shift, mean, invstd]
    if running_mean is not None and running_var is not None:
        n, r = np.prod([x.shape[i] for i in numbers]), running_average_factor
        results.append(running_mean.reshape(shape) * (1 - r) + mean * r)
        results.append(running_var.reshape(shape) * (1 - r) + var * (n / max(n - 1, 1)) * r)
    return [results[0], *(v.reshape(gamma.shape) for v in results[1:])]


def _train(place: int) -> dict[str, Any]:
    def call(x: Any, gamma: Any, beta: Any, *running: Any, **options: Any) -> Any:
        names = dict(zip(("running_mean", "running_var"), running, strict=False))
        return nnet.batch_normalization_train(x, gamma, beta, **names, **options)[place]

    return {"call": call, "reference": lambda x, *rest, **options: train(x, *rest, **options)[place].astype(x.dtype)}


def _test(x: Array, gamma: Array, beta: Array, mean: Array, var: Array, axes: Any = "per-activation",
          epsilon: float = 1e-4) -> Array:
    numbers = over(axes, x.ndim)
    shape = [1 if i in numbers else n for i, n in enumerate(x.shape)]
    g, b, m, v = (p.astype("float64").reshape(shape) for p in (gamma, beta, mean, var))
    return np.asarray((x - m) / np.sqrt(v + epsilon) * g + b).astype(x.dtype)


def _plain(x: Array, gamma: Array, beta: Array, mean: Array, std: Array) -> Array:
    return np.asarray((x.astype("float64") - mean) * gamma / std + beta).astype(x.dtype)


def _layouts(count: int) -> Any:
    """Inputs with so many parameters, in both layouts and over several axes."""
    def one(shape: Any, parameter: Any, **options: Any) -> Any:
        return arrays(shape, *[parameter] * count, low=0.5, high=2.0, **options)

    return each(one((4, 3), (3,)), one((4, 3), (1, 3), epsilon=0.01), one((2, 3, 2, 2), (3,), axes="spatial"),
                one((2, 3, 2, 2), (1, 3, 1, 1), axes="spatial"), one((2, 3, 4), (2,), axes=(1, 2)))


NORMALIZATION: tuple[Record, ...] = (
    Record("nnet.batch_normalization_train", **_train(0), samples=_layouts(2), dtypes=FLOATS, tolerance=ROUNDINGS),
    *(Record(f"{what} of nnet.batch_normalization_train", **_train(place), samples=_layouts(2), dtypes=FLOATS,
             wrt=(0,), tolerance=ROUNDINGS) for place, what in ((1, "mean"), (2, "invstd"))),
    *(Record(f"running {what} of nnet.batch_normalization_train", **_train(place), samples=_layouts(4), dtypes=FLOATS,
             wrt=(0, place), tolerance=ROUNDINGS) for place, what in ((3, "mean"), (4, "var"))),
    Record("nnet.batch_normalization_test", nnet.batch_normalization_test, _test, _layouts(4), FLOATS,
           tolerance=ROUNDINGS),
    Record("nnet.batch_normalization", nnet.batch_normalization, _plain,
           arrays((3, 4), (1, 4), (1, 4), (1, 4), (1, 4), low=0.5, high=2.0), FLOATS, tolerance=ROUNDINGS),
)
