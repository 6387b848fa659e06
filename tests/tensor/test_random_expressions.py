"""Random expressions and their gradients: rewritten or not, compiled or performed step by step, the values agree."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from tests.tensor.common import compute, perform, symbol

#: Functions whose values stay moderate, so that what differs between two ways to compute is rounding.
UNARY: list[Callable[[Any], Any]] = [
    T.tanh,
    T.nnet.sigmoid,
    T.nnet.softplus,
    T.abs,
    T.neg,
    T.sin,
    lambda x: T.exp(T.tanh(x)),
    lambda x: T.log1p(T.exp(x)),
    lambda x: T.log(1 + T.sqr(x)),
    lambda x: T.sqrt(1 + x * x),
    lambda x: 1 / (1 + T.exp(-x)),
    lambda x: x / 3 + 0.5,
    lambda x: T.switch(x > 0, T.log(1 + x), x * 0.5),
    lambda x: T.clip(x, -0.7, 0.7),
    lambda x: 2 - x,
    lambda x: x**2 / (1 + x**2),
    lambda x: T.log(T.nnet.sigmoid(x)),
    lambda x: T.nnet.relu(x - 0.1),
    lambda x: T.cast(T.cast(x, "float32"), "float64"),
]
BINARY: list[Callable[[Any, Any], Any]] = [
    T.add,
    T.sub,
    T.mul,
    T.maximum,
    T.minimum,
    lambda a, b: a / (1 + b * b),
    lambda a, b: T.switch(a > b, a, b * 0.5),
    T.hypot,
    lambda a, b: T.logaddexp(a, b),
    lambda a, b: a - (a + b),
    lambda a, b: a * 2 + b * 2 - a,
]
MATRIX: list[Callable[[Any], Any]] = [
    lambda x: x.T.T,
    lambda x: T.sum(x, axis=1, keepdims=True) / 4 + x,
    lambda x: x - T.max(x, axis=1, keepdims=True),
    T.nnet.softmax,
    lambda x: T.log(T.nnet.softmax(x)),
    lambda x: x[::-1],
    lambda x: T.concatenate([x[1:], x[:1]], axis=0),
    lambda x: T.dot(x, x.T) @ x / 12,
    lambda x: x.reshape((4, 3)).reshape((3, 4)),
    lambda x: x.flatten().reshape(x.shape, ndim=2),
    lambda x: x - T.mean(x, axis=0),
    lambda x: T.set_subtensor(x[0], x[1] * 2),
    lambda x: T.inc_subtensor(x[[0, 0, 2]], 0.5),
    lambda x: x.dimshuffle("x", 0, 1).sum(axis=0),
    lambda x: x * T.prod(x[:, :1] / 2, axis=1, keepdims=True),
    lambda x: x + T.logsumexp(x, axis=1, keepdims=True),
    lambda x: T.stack([x, -x])[0],
    lambda x: x[[2, 0, 1]],
]


def expression(chance: random.Random, inputs: list[Any]) -> Any:
    """A random matrix-valued expression of matrices, rows, columns and scalars."""
    pool = list(inputs)
    for _ in range(chance.randint(3, 14)):
        kind = chance.random()
        a = chance.choice(pool[-5:] + inputs)
        if kind < 0.4:
            pool.append(chance.choice(UNARY)(a))
        elif kind < 0.8 or a.type.broadcastable != (False, False):
            pool.append(chance.choice(BINARY)(a, chance.choice(pool)))
        else:
            pool.append(chance.choice(MATRIX)(a))
    return pool[-1]


@pytest.mark.parametrize("seed", range(60))
def test_values_and_gradients_do_not_depend_on_how_they_are_computed(seed: int) -> None:
    chance, rng = random.Random(seed), np.random.default_rng(seed)
    values = [rng.normal(size=shape) for shape in ((3, 4), (3, 4), (1, 4), (3, 1), ())]
    inputs = [symbol(v, name=n) for v, n in zip(values, "xyrcs", strict=True)]
    out = expression(chance, inputs)
    gradients = sg.grad(
        T.sum(out * rng.normal(size=(3, 4)) if out.type.ndim == 2 else out), inputs, disconnected_inputs="ignore"
    )
    outputs = [out, *gradients]
    by_perform = perform(outputs, dict(zip(inputs, values, strict=True)))
    for mode in ("None", "FAST_COMPILE", "FAST_RUN"):
        found = compute(inputs, outputs, values, mode)
        for name, a, b in zip(["value", *"xyrcs"], found, by_perform, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9, err_msg=f"{mode}, {name}")
            assert a.shape == b.shape
