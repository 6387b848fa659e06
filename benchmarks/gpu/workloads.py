"""What is measured: data, sizes, the bytes and operations a step cannot do without, and the right answer.

All numbers are float32, labels int32. The answers are computed here by NumPy in float64, by the formulas as they stand
in a textbook, and every rival is compared with them before it is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

__all__ = ["FAMILIES", "Adam", "Chain", "CrossEntropy", "Dropout", "Training", "Workload", "workloads"]

Array = np.ndarray[Any, Any]
FLOAT = 4  # bytes


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    Attributes
    ----------
    name : str
    steps : int
        Of a call that runs many; 1 where there is no such call.
    moved : float
        Bytes to and from memory that one step cannot do without.
    operations : float
        Floating point operations of the products of one step.
    """

    name: str
    steps: int = 1
    moved: float = 0.0
    operations: float = 0.0

    def answer(self) -> Sequence[Array]:
        """What the first call gives, in float64: the arrays a rival's `result` is compared with."""
        raise NotImplementedError

    tolerance = 1e-4

    def error_of(self, found: Sequence[Any]) -> float:
        """The largest difference from the answer, in units of the answer's largest element, array by array."""
        worst = 0.0
        for ours, right in zip(found, self.answer(), strict=True):
            ours = np.asarray(ours, "float64")
            if ours.shape != right.shape:
                raise ValueError(f"{self.name}: a result of shape {ours.shape}, not {right.shape}")
            worst = max(worst, float(np.max(abs(ours - right)) / max(np.max(abs(right)), 1e-30)))
        return worst


@dataclass(frozen=True)
class Training(Workload):
    """Descent on the cross-entropy of a perceptron; with one layer, logistic regression.

    The labels' images are noise: what is learned does not matter to the time a step takes.

    Attributes
    ----------
    widths : tuple of int
        Pixels, hidden units (tanh), classes.
    batch, examples : int
    rate, decay : float
        The learning rate, and the factor of the sum of squared weights in the cost.
    """

    widths: tuple[int, ...] = (784, 10)
    batch: int = 600
    examples: int = 49_800
    rate: float = 0.01
    decay: float = 0.0

    @property
    def batches(self) -> int:
        """Whole minibatches."""
        return self.examples // self.batch

    @cached_property
    def images(self) -> Array:
        """A row for each example."""
        return np.random.default_rng(1).random((self.examples, self.widths[0]), "float32")

    @cached_property
    def labels(self) -> Array:
        """The class of each example."""
        return np.random.default_rng(2).integers(0, self.widths[-1], self.examples, "int32")

    @cached_property
    def weights(self) -> list[Array]:
        """The first weights, layer by layer."""
        rng = np.random.default_rng(3)
        return [(rng.standard_normal((m, n)) / np.sqrt(m)).astype("float32")
                for m, n in pairwise(self.widths)]

    @property
    def biases(self) -> list[Array]:
        """The first biases: zeros."""
        return [np.zeros(n, "float32") for n in self.widths[1:]]

    @cached_property
    def _answer(self) -> list[Array]:
        weights = [w.astype("float64") for w in self.weights]
        biases = [b.astype("float64") for b in self.biases]
        x, y = self.images[: self.batch].astype("float64"), self.labels[: self.batch]
        layers = [x]
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            layers.append(np.tanh(layers[-1] @ w + b))
        z = layers[-1] @ weights[-1] + biases[-1]
        z -= z.max(axis=1, keepdims=True)
        logs = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        rows = np.arange(len(y))
        cost = -logs[rows, y].mean() + self.decay * sum((w * w).sum() for w in weights)
        slope = np.exp(logs)
        slope[rows, y] -= 1
        slope /= len(y)
        for place in reversed(range(len(weights))):
            below = (slope @ weights[place].T) * (1 - layers[place] ** 2) if place else slope
            weights[place] -= self.rate * (layers[place].T @ slope + 2 * self.decay * weights[place])
            biases[place] -= self.rate * slope.sum(axis=0)
            slope = below
        return [np.asarray(cost), *weights, *biases]

    def answer(self) -> Sequence[Array]:
        """The cost of the first minibatch, and the parameters after one step."""
        return self._answer


def _training(name: str, widths: tuple[int, ...], batch: int, examples: int, steps: int, **options: Any) -> Training:
    pairs = list(pairwise(widths))
    products = 2.0 * batch * (3 * sum(m * n for m, n in pairs) - pairs[0][0] * pairs[0][1])  # none down to the images
    parameters = sum(m * n + n for m, n in pairs)
    return Training(name, steps, FLOAT * (batch * widths[0] + 2.0 * parameters), products, widths, batch, examples,
                    **options)


@dataclass(frozen=True)
class Chain(Workload):
    """``tanh(a*b + c) * sigmoid(a) - exp(-b*b) / (1 + c*c)``: three arrays in, one out."""

    size: int = 100_000_000

    @cached_property
    def arrays(self) -> list[Array]:
        """The operands a, b and c."""
        rng = np.random.default_rng(4)
        return [rng.random(self.size, "float32") for _ in range(3)]

    def answer(self) -> Sequence[Array]:
        """The formula of the first elements, which are compared."""
        a, b, c = (v[:100_000].astype("float64") for v in self.arrays)
        return [np.tanh(a * b + c) / (1 + np.exp(-a)) - np.exp(-b * b) / (1 + c * c)]


@dataclass(frozen=True)
class CrossEntropy(Workload):
    """The mean cross-entropy of softmax, and its gradient: one read and one write of the scores."""

    rows: int = 65_536
    classes: int = 1000
    gradient: bool = True

    @cached_property
    def scores(self) -> Array:
        """A row for each example."""
        return np.random.default_rng(5).standard_normal((self.rows, self.classes), "float32")

    @cached_property
    def labels(self) -> Array:
        """The class of each example."""
        return np.random.default_rng(6).integers(0, self.classes, self.rows, "int32")

    @cached_property
    def _answer(self) -> list[Array]:
        z = self.scores.astype("float64")
        z -= z.max(axis=1, keepdims=True)
        rows = np.arange(self.rows)
        total = np.exp(z).sum(axis=1, keepdims=True)
        cost = np.asarray(-(z[rows, self.labels] - np.log(total[:, 0])).mean())
        if not self.gradient:
            return [cost]
        slope = np.exp(z) / total
        slope[rows, self.labels] -= 1
        return [cost, slope / self.rows]

    def answer(self) -> Sequence[Array]:
        """The cost, and the gradient where it is wanted."""
        return self._answer


@dataclass(frozen=True)
class Adam(Workload):
    """One update of Adam (Kingma and Ba, 2015) of one large parameter."""

    size: int = 100_000_000
    rate: float = 1e-3
    first: float = 0.9
    second: float = 0.999
    tiny: float = 1e-8

    @cached_property
    def slope(self) -> Array:
        """The gradient."""
        return np.random.default_rng(7).standard_normal(self.size, "float32")

    def answer(self) -> Sequence[Array]:
        """The parameter after one step from zero; its first elements are compared."""
        g = self.slope[:100_000].astype("float64")
        return [-self.rate * g / (abs(g) + self.tiny)]


@dataclass(frozen=True)
class Dropout(Workload):
    """Each element kept with probability one half, and doubled."""

    size: int = 100_000_000

    @cached_property
    def values(self) -> Array:
        """What is dropped or kept."""
        return np.random.default_rng(8).random(self.size, "float32") + 1

    def answer(self) -> Sequence[Array]:
        """Every kept element is doubled, and half of them are kept: 1 and 1/2."""
        return [np.asarray(1.0), np.asarray(0.5)]

    tolerance = 0.2

    def summary(self, found: Array) -> list[Array]:
        """Of a result: whether what is kept is doubled, and the share that is kept."""
        values = self.values[: len(found)]
        kept = found != 0
        right = np.allclose(found[kept], 2 * values[kept], rtol=1e-6)
        return [np.asarray(float(right)), np.asarray(kept.mean())]


def _logistic(tiny: bool) -> list[Workload]:
    if tiny:
        return [_training("logistic 30", (12, 4), 30, 120, 3)]
    return [_training("logistic 600", (784, 10), 600, 49_800, 83)]


def _perceptron(tiny: bool) -> list[Workload]:
    if tiny:
        return [_training("perceptron 4", (12, 8, 4), 4, 40, 3, decay=1e-4)]
    sizes = ((20, 49_800, 100), (128, 49_920, 100), (4096, 49_152, 12))
    return [_training(f"perceptron {b}", (784, 500, 10), b, n, k, decay=1e-4) for b, n, k in sizes]


def _deep(tiny: bool) -> list[Workload]:
    if tiny:
        return [_training("deep 8", (16, 16, 16, 16), 8, 16, 1)]
    return [_training("deep 8192", (4096, 4096, 4096, 4096), 8192, 16_384, 1)]


def _chain(tiny: bool) -> list[Workload]:
    size = 1000 if tiny else 100_000_000
    return [Chain("chain", 1, 4.0 * FLOAT * size, size=size)]


def _cross_entropy(tiny: bool) -> list[Workload]:
    rows, classes = (16, 10) if tiny else (65_536, 1000)
    once = float(FLOAT * rows * classes)
    return [CrossEntropy("cross-entropy", 1, once, rows=rows, classes=classes, gradient=False),
            CrossEntropy("cross-entropy and gradient", 1, 2 * once, rows=rows, classes=classes)]


def _adam(tiny: bool) -> list[Workload]:
    size = 1000 if tiny else 100_000_000
    return [Adam("Adam", 1, 7.0 * FLOAT * size, size=size)]


def _dropout(tiny: bool) -> list[Workload]:
    size = 1000 if tiny else 100_000_000
    return [Dropout("dropout", 1, 2.0 * FLOAT * size, size=size)]


FAMILIES: dict[str, Callable[[bool], list[Workload]]] = {
    "logistic": _logistic,
    "perceptron": _perceptron,
    "deep": _deep,
    "chain": _chain,
    "crossentropy": _cross_entropy,
    "adam": _adam,
    "dropout": _dropout,
}


def workloads(families: Sequence[str] = tuple(FAMILIES), tiny: bool = False) -> list[Workload]:
    """The workloads of some families, in their full sizes or tiny.

    Examples
    --------
    >>> [w.name for w in workloads(["logistic", "chain"], tiny=True)]
    ['logistic 30', 'chain']
    """
    return [workload for family in families for workload in FAMILIES[family](tiny)]
