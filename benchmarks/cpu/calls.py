"""W4: what a call costs by itself: ``x + 1`` on one element, and a shared scalar that is incremented."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

import symgraph as sg
import symgraph.tensor as T
from benchmarks.cpu.training import Api, pytensor_api, symgraph_api
from benchmarks.cpu.workload import Case, Rival, Settings, function

__all__ = ["cases"]


def _ours(trust_input: bool) -> Rival:
    x = T.dvector("x")
    add = sg.function([x], x + 1)
    add.trust_input = trust_input
    return function(partial(add, np.ones(1)))


def _pytensor(trust_input: bool) -> Rival:
    api = pytensor_api()
    x = api.tensor.dvector("x")
    add = api.package.function([x], x + 1)
    add.trust_input = trust_input
    return function(partial(add, np.ones(1)))


def _jax() -> Rival:
    import jax
    import jax.numpy as jnp

    add = jax.jit(lambda x: x + 1)
    value = jnp.ones(1)
    return function(lambda: add(value).block_until_ready())


def _torch() -> Rival:
    import torch

    value = torch.ones(1, dtype=torch.float64)
    return function(lambda: value + 1)


def _counting(api: Api) -> Rival:
    count = api.package.shared(np.asarray(0.0), name="count")
    step = api.package.function([], [], updates=[(count, count + 1)])
    return Rival(step, lambda: [count.get_value()])


class _Counter:
    """A number in an array of no dimensions, made anew or changed in place."""

    def __init__(self) -> None:
        self.value: Any = np.asarray(0.0)

    def renew(self) -> None:
        self.value = self.value + 1

    def change(self) -> None:
        np.add(self.value, 1.0, out=self.value)

    def state(self) -> list[Any]:
        return [self.value]


def _numpy_counting(in_place: bool) -> Rival:
    counter = _Counter()
    return Rival(counter.change if in_place else counter.renew, counter.state)


def _torch_counting() -> Rival:
    import torch

    value = torch.zeros((), dtype=torch.float64)
    return Rival(lambda: value.add_(1), lambda: [value])


def cases(settings: Settings) -> Iterator[Case]:
    """A call without and with state."""
    value, one = np.ones(1), np.ones(1)
    yield Case(
        "W4",
        "x + 1, one element",
        {"symgraph": lambda: _ours(False), "symgraph, trust_input": lambda: _ours(True)},
        {
            "NumPy, plain": lambda: function(lambda: value + 1),
            "NumPy, tuned": lambda: function(partial(np.add, value, one)),
        },
        {
            "PyTensor": lambda: _pytensor(False),
            "PyTensor, trust_input": lambda: _pytensor(True),
            "JAX jit": _jax,
            "torch eager": _torch,
        },
    )
    yield Case(
        "W4",
        "increment a shared scalar",
        {"symgraph": lambda: _counting(symgraph_api())},
        {"NumPy, plain": lambda: _numpy_counting(False), "NumPy, tuned": lambda: _numpy_counting(True)},
        {"PyTensor": lambda: _counting(pytensor_api()), "torch eager": _torch_counting},
        checks=5,
    )
