"""A function that asks for shapes alone computes lengths, and nothing of the values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T

BUILD: dict[str, Callable[[Any, Any, Any], Any]] = {
    "elementwise": lambda x, y, v: T.exp(x) * y + T.sqrt(T.abs(x)), "product": lambda x, y, v: T.dot(T.tanh(x), y.T),
    "matmul": lambda x, y, v: T.exp(x) @ y.T, "sum": lambda x, y, v: T.exp(x).sum(axis=1),
    "mean": lambda x, y, v: T.log(x).mean(axis=0, keepdims=True), "argmax": lambda x, y, v: T.argmax(x * y, axis=0),
    "softmax": lambda x, y, v: T.nnet.softmax(x * 2), "join": lambda x, y, v: T.concatenate([T.exp(x), y], axis=0),
    "stack": lambda x, y, v: T.stack([T.exp(x), y], axis=1), "transpose": lambda x, y, v: T.sin(x).T,
    "reshape": lambda x, y, v: T.reshape(T.exp(x), (-1, 1)), "flatten": lambda x, y, v: T.exp(x).flatten(),
    "slice": lambda x, y, v: T.exp(x)[1:, ::2], "reversed": lambda x, y, v: T.exp(x)[::-1, 1],
    "pick": lambda x, y, v: T.exp(x)[[0, 0, 1]], "set": lambda x, y, v: T.set_subtensor(T.exp(x)[0], v),
    "cumsum": lambda x, y, v: T.cumsum(T.exp(x), axis=1), "sort": lambda x, y, v: T.sort(T.exp(x), axis=0),
    "where": lambda x, y, v: T.where(x > 0, T.exp(x), y), "outer": lambda x, y, v: T.outer(T.exp(v), v),
    "tile": lambda x, y, v: T.tile(T.exp(x), (2, 3)), "repeat": lambda x, y, v: T.repeat(T.exp(x), 2, axis=1),
    "pad": lambda x, y, v: T.pad(T.exp(x), 1), "roll": lambda x, y, v: T.roll(T.exp(x), 1),
    "diagonal": lambda x, y, v: T.diag(T.exp(v)), "zeros_like": lambda x, y, v: T.zeros_like(T.exp(x)),
    "gradient": lambda x, y, v: sg.grad(T.sum(T.tanh(T.dot(x, v))), x),
    "cast": lambda x, y, v: T.cast(T.exp(x), "int8"),
    "take_along_axis": lambda x, y, v: T.take_along_axis(T.exp(x), T.argsort(y, axis=1), 1),
    "fourier": lambda x, y, v: T.fourier.rfft(T.exp(x)), "join_dims": lambda x, y, v: T.join_dims(T.exp(x)),
}


@pytest.mark.parametrize("name", BUILD)
def test_no_values_are_computed(name: str) -> None:
    x, y, v = T.matrix("x"), T.matrix("y"), T.vector("v")
    made = BUILD[name](x, y, v)
    values = np.full((4, 3), 2.0), np.full((4, 3), 3.0), np.ones(3)
    f = sg.function([x, y, v], made.shape, on_unused_input="ignore")
    assert [str(step.node.op) for step in f.plan.steps if not step.node.op.view_map  # a view computes nothing
            and any(out.type.dtype != "int64" or out.type.ndim > 1 for out in step.node.outputs)] == []
    expected = sg.function([x, y, v], made, on_unused_input="ignore", mode="None")(*values).shape
    assert tuple(f(*values)) == expected


def test_not_even_what_would_fail() -> None:
    x = T.matrix("x")
    f = sg.function([x], T.nlinalg.matrix_inverse(x).shape)
    assert tuple(f(np.zeros((3, 3)))) == (3, 3)
