"""Random updates of shared values that read each other, on the emulated device against the CPU, call after call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.random import RandomStreams
from tests.cupy.common_programs import on_device

SHAPES: list[tuple[int, ...]] = [(), (), (2,), (5, 4), (5, 4), (4,), (4, 4)]


class Program:
    """Shared values, and next values made of them and of an argument."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        streams = RandomStreams(seed)
        self.shared = [sg.shared(self.rng.uniform(-1, 1, shape).astype("float32"), name=f"s{k}", shape=shape)
                       for k, shape in enumerate(SHAPES)]
        self.x, self.i = T.fmatrix("x"), T.ivector("i")
        self.values: list[Any] = [*self.shared, self.x, streams.uniform((5, 4)), streams.uniform((4,))]
        for _ in range(int(self.rng.integers(3, 14))):
            made = self.grown()
            if made is not None:
                self.values.append(made)
        updates = []
        for s in self.shared:
            fitting = [v for v in self.values if v.type.ndim == s.type.ndim and v is not s]
            if self.rng.random() < 0.8:
                new = self.fit(s, fitting[int(self.rng.integers(len(fitting)))])
                updates.append((s, 0.5 * s + 0.25 * T.tanh(new) if self.rng.random() < 0.7 else T.tanh(new)))
        if self.rng.random() < 0.5:
            table = self.shared[3]
            change = T.inc_subtensor(table[self.i], 0.1 * T.tanh(self.x[:3]))
            updates = [(s, change if s is table else new) for s, new in updates]
        outputs = [v.sum() for v in self.values[-2:]] + [self.shared[3][self.i].sum()] * int(self.rng.integers(2))
        self.function = sg.function([self.x, self.i], outputs, updates=updates, on_unused_input="ignore")

    def fit(self, s: Any, v: Any) -> Any:
        """A value of the shape of a shared variable."""
        whole = v.type.ndim == 2 and s.type.shape == (5, 4)
        return s * 0 + (v.mean() if whole else v.sum() if v.type.ndim else v)

    def pick(self) -> Any:
        return self.values[int(self.rng.integers(len(self.values)))]

    def grown(self) -> Any:
        a, kind = self.pick(), int(self.rng.integers(7))
        if kind == 0:
            return T.tanh(a) + 0.1
        if kind == 1:
            return a * self.shared[int(self.rng.integers(2))] + self.shared[2][0]
        if kind == 2:
            return a.mean()
        if kind == 3 and a.type.ndim == 2:
            return T.nnet.softmax(a)
        if kind == 4 and a.type.ndim == 2:
            return a.sum(axis=int(self.rng.integers(2)))
        if kind == 5:
            return T.dot(self.x, self.shared[6]) * 0.3
        return a - 0.5 * self.shared[3].sum()


def compare(seed: int) -> None:
    rng, found = np.random.default_rng(seed), []
    calls = [(rng.uniform(-1, 1, (5, 4)).astype("float32"), rng.integers(-5, 5, 3).astype("int32")) for _ in range(5)]
    for device in ("cpu", "emulated"):
        with on_device(device=device, floatX="float32"):
            program = Program(seed)
            results = [np.asarray(part) for call in calls for part in program.function(*call)]
            results += [np.asarray(part) for part in program.function.map(*zip(*calls, strict=True))]
            found.append([*results, *(u.target.get_value() for u in program.function.plan.updates)])
    for theirs, mine in zip(*found, strict=True):
        np.testing.assert_allclose(mine.astype(float), theirs.astype(float), rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("seed", range(4))
def test_updates_that_read_each_other(seed: int) -> None:
    compare(seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(8))
def test_many_updates_that_read_each_other(block: int) -> None:
    for seed in range(100 + 20 * block, 120 + 20 * block):
        compare(seed)
