"""W1: a step of logistic regression, 784 pixels to 10 classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.cpu.blas import Product
from benchmarks.cpu.head import Head
from benchmarks.cpu.training import Network, Plain, with_peers
from benchmarks.cpu.workload import Build, Case, Settings

__all__ = ["Folded", "InPlace", "cases"]


class InPlace:
    """The plain step with ``out=`` everywhere: no new array of any size."""

    def __init__(self, network: Network) -> None:
        self.images, self.labels = network.data
        self.W, self.b = network.parameters()
        size, classes = network.batch_size, network.widths[-1]
        self.size = size
        self.rows = np.arange(size)
        self.rate = np.float32(network.rate / size)
        self.scores = np.empty((size, classes), dtype=np.float32)
        self.slope = np.empty_like(self.scores)
        self.per_example = np.empty((size, 1), dtype=np.float32)
        self.log_sums = np.empty_like(self.per_example)
        self.change_W = np.empty_like(self.W)
        self.change_b = np.empty_like(self.b)

    def __call__(self, index: int) -> Any:
        x = self.images[index * self.size : (index + 1) * self.size]
        y = self.labels[index * self.size : (index + 1) * self.size]
        scores, slope, per_example = self.scores, self.slope, self.per_example
        np.dot(x, self.W, out=scores)
        np.add(scores, self.b, out=scores)
        np.max(scores, axis=1, keepdims=True, out=per_example)
        np.subtract(scores, per_example, out=scores)
        np.exp(scores, out=slope)
        np.sum(slope, axis=1, keepdims=True, out=per_example)
        np.log(per_example, out=self.log_sums)
        cost = np.mean(self.log_sums[:, 0] - scores[self.rows, y])

        np.divide(slope, per_example, out=slope)
        slope[self.rows, y] -= 1
        np.multiply(slope, self.rate, out=slope)
        np.dot(x.T, slope, out=self.change_W)
        np.sum(slope, axis=0, out=self.change_b)
        np.subtract(self.W, self.change_W, out=self.W)
        np.subtract(self.b, self.change_b, out=self.b)
        return cost

    def state(self) -> list[Any]:
        return [self.W, self.b]


class Folded:
    """Classes along the rows between the products, and the descent folded into the second product."""

    def __init__(self, network: Network) -> None:
        self.images, self.labels = network.data
        self.W, self.b = network.parameters()
        self.size = network.batch_size
        self.rate = np.float32(network.rate / self.size)
        self.product = np.empty((self.size, network.widths[-1]), dtype=np.float32)
        self.head = Head(self.size, network.widths[-1])
        self.change_b = np.empty_like(self.b)
        self.descend = Product(self.images[: self.size].T, self.head.slope.T, self.W, -float(self.rate), 1.0)

    def __call__(self, index: int) -> Any:
        x = self.images[index * self.size : (index + 1) * self.size]
        y = self.labels[index * self.size : (index + 1) * self.size]
        cost = self.head(np.dot(x, self.W, out=self.product), self.b, y)
        self.descend(x)
        change = np.add.reduce(self.head.slope, axis=1, out=self.change_b)
        np.multiply(change, self.rate, out=change)
        np.subtract(self.b, change, out=self.b)
        return cost

    def state(self) -> list[Any]:
        return [self.W, self.b]


def cases(settings: Settings) -> Iterator[Case]:
    """The step on minibatches of 600."""
    network = Network((20, 10), 30, 90, rate=0.13) if settings.tiny else Network((784, 10), 600, 30_000, rate=0.13)

    def twin(kind: Any) -> Build:
        def build() -> Any:
            step = kind(network)
            return network.rival(step, step.state)

        return build

    twins = {
        "NumPy, plain": twin(Plain),
        "NumPy, out=": twin(InPlace),
        "NumPy, tuned": twin(Folded),
    }
    ours, peers = with_peers(network)
    title = f"logistic-regression step, batch {network.batch_size}"
    yield Case("W1", title, ours, twins, peers, checks=10, rtol=1e-3)
