"""Random programs of matrices: rows, reductions, products and loops in all their combinations, on the emulated device
under adversarial schedules, against the NumPy backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import symgraph as sg
import symgraph.tensor as T
from symgraph.random import RandomStreams
from tests.cupy.common_jobs import Runner, assert_close

Choose = Callable[[int], int]

SIZES = [1, 2, 5, 9, 34, 70]


class Growth:
    """A program, grown from a stream of choices over a few lengths: values of each shape, by their lengths."""

    def __init__(self, choose: Choose) -> None:
        self.choose = choose
        self.lengths = [SIZES[choose(len(SIZES))] for _ in range(3)]
        self.rng = np.random.default_rng(choose(1000))
        self.streams = RandomStreams(choose(1000))
        self.inputs: list[Any] = []
        self.arrays: list[np.ndarray] = []
        self.labels: list[tuple[Any, int, int]] = []
        self.values: list[tuple[Any, tuple[int, ...]]] = []  # with the places of their lengths; -1 for length 1
        for axes in ((0, 1), (1, 2), (0, 2), (1,), (2,)):
            self.leaf(axes)
        for rows, columns in ((0, 1), (0, 2)):
            n = self.lengths[rows]
            label = T.ivector()
            self.inputs.append(label)
            self.arrays.append(self.rng.integers(-self.lengths[columns], self.lengths[columns], n).astype("int32"))
            self.labels.append((label, rows, columns))

    def leaf(self, axes: tuple[int, ...]) -> None:
        shape = tuple(self.lengths[a] for a in axes)
        array = self.rng.uniform(-1, 1, shape).astype("float32")
        if self.choose(2):
            self.values.append((sg.shared(array), axes))
            return
        variable = T.TensorType("float32", (None,) * len(axes))()
        self.inputs.append(variable)
        self.arrays.append(array)
        self.values.append((variable, axes))

    def pick(self, ndim: int | None = None) -> tuple[Any, tuple[int, ...]]:
        fitting = [v for v in self.values if ndim is None or len(v[1]) == ndim]
        return fitting[-1 - min(self.choose(len(fitting)), self.choose(len(fitting)))]

    def step(self) -> None:
        """One more value."""
        makers = [self.unary, self.binary, self.binary, self.reduced, self.reduced, self.softmax, self.product,
                  self.transposed, self.picked, self.drawn]
        found = makers[self.choose(len(makers))]()
        if found is not None:
            self.values.append(found)

    def unary(self) -> Any:
        x, axes = self.pick()
        functions = [T.tanh, lambda v: v * v, lambda v: T.exp(T.minimum(v, 2)), lambda v: 1 - v, abs,
                     lambda v: T.log(v * v + 1), T.sigmoid]
        return functions[self.choose(len(functions))](x), axes

    def binary(self) -> Any:
        (x, a), (y, b) = self.pick(), self.pick()
        ndim = max(len(a), len(b))
        pairs = list(zip((-1,) * (ndim - len(a)) + a, (-1,) * (ndim - len(b)) + b, strict=True))
        if any(p != q and -1 not in (p, q) for p, q in pairs):
            return None
        functions = [lambda p, q: p + q, lambda p, q: p * q, lambda p, q: p - q, T.maximum,
                     lambda p, q: p / (q * q + 1), lambda p, q: T.switch(p > q, p, q * 2)]
        return functions[self.choose(len(functions))](x, y), tuple(max(p, q) for p, q in pairs)

    def reduced(self) -> Any:
        x, axes = self.pick()
        if not axes or -1 in axes:
            return None
        axis = [None, *range(len(axes))][self.choose(1 + len(axes))]
        keep = bool(self.choose(2))
        value = [T.sum, T.mean, T.max, T.min][self.choose(4)](x, axis=axis, keepdims=keep)
        gone = range(len(axes)) if axis is None else (axis,)
        return value, tuple(-1 if i in gone else a for i, a in enumerate(axes) if keep or i not in gone)

    def softmax(self) -> Any:
        x, axes = self.pick(2)
        return None if -1 in axes else (T.nnet.softmax(x), axes)

    def product(self) -> Any:
        (x, a), (y, b) = self.pick(2), self.pick()
        if not b or a[-1] != b[0] or -1 in (*a, *b):
            return None
        return T.dot(x, y) / 4, (*a[:-1], *b[1:])

    def transposed(self) -> Any:
        x, axes = self.pick(2)
        return x.T, axes[::-1]

    def drawn(self) -> Any:
        """Random numbers, the same ones whatever reads them."""
        x, axes = self.pick()
        return self.streams.uniform(x.shape, dtype="float32"), axes

    def picked(self) -> Any:
        """One element of each row, or a gradient that sets them."""
        label, rows, columns = self.labels[self.choose(2)]
        fitting = [v for v in self.values if v[1] == (rows, columns)]
        x, axes = fitting[-1 - self.choose(len(fitting))]
        index = (T.arange(label.shape[0]), label)
        if self.choose(2):
            return T.inc_subtensor(x[index], 0.5), axes
        return x[index], (rows,)


def compare(choose: Choose, seed: int = 1) -> Runner:
    """One random program."""
    growth = Growth(choose)
    for _ in range(3 + choose(20)):
        growth.step()
    outputs = [growth.values[-1 - choose(len(growth.values))][0] for _ in range(1 + choose(3))] + [growth.values[-1][0]]
    function = sg.function(growth.inputs, outputs, on_unused_input="ignore")
    runner = Runner(function.plan, seed, multiprocessors=1 + choose(9))
    with np.errstate(all="ignore"):
        found, wanted = runner(*growth.arrays), [np.asarray(v) for v in function(*growth.arrays)]
        assert_close(found, [*wanted, *(u.target.get_value() for u in function.plan.updates)], rtol=2e-3)
    return runner


def seeded(seed: int) -> Choose:
    rng = np.random.default_rng(seed)
    return lambda n: int(rng.integers(n))


@settings(deadline=None, derandomize=True, database=None, print_blob=False, max_examples=6,
          phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.binary(min_size=30, max_size=300))
def test_random_programs(numbers: bytes) -> None:
    supply = iter(numbers)
    compare(lambda n: next(supply, 0) % n)


@pytest.mark.parametrize("seed", range(3))
def test_seeded_programs(seed: int) -> None:
    """Hypothesis likes small numbers; these are spread evenly."""
    compare(seeded(seed), seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_many_seeded_programs(block: int) -> None:
    for seed in range(100 + 20 * block, 120 + 20 * block):
        compare(seeded(seed), seed % 5)
