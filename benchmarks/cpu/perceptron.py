"""W2: a step of a perceptron with one hidden layer of tanh units and a penalty on the weights; and its memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.cpu.blas import Product
from benchmarks.cpu.head import ONE, Head
from benchmarks.cpu.team import Team, tiles
from benchmarks.cpu.training import Network, Plain, with_peers
from benchmarks.cpu.workload import Build, Case, Settings

__all__ = ["Folded", "InPlace", "cases", "network_of"]

ROWS = 64  # of the hidden layer at a time: a block then stays in the cache from one ufunc to the next


class InPlace:
    """The plain step with ``out=`` everywhere; gradients are made whole, then subtracted."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.images, self.labels = network.data
        self.parameters = network.parameters()
        self.slopes = [np.empty_like(p) for p in self.parameters]
        size = network.batch_size
        self.rows = np.arange(size)
        self.hidden = np.empty((size, network.widths[1]), dtype=np.float32)
        self.hidden_squared = np.empty_like(self.hidden)
        self.slope_hidden = np.empty_like(self.hidden)
        self.scores = np.empty((size, network.widths[2]), dtype=np.float32)
        self.slope = np.empty_like(self.scores)
        self.sums = np.empty((size, 1), dtype=np.float32)

    def __call__(self, index: int) -> Any:
        net, size = self.network, self.network.batch_size
        x, y = self.images[index * size : (index + 1) * size], self.labels[index * size : (index + 1) * size]
        W1, b1, W2, b2 = self.parameters
        hidden, scores, slope = self.hidden, self.scores, self.slope
        np.dot(x, W1, out=hidden)
        np.add(hidden, b1, out=hidden)
        np.tanh(hidden, out=hidden)
        np.dot(hidden, W2, out=scores)
        np.add(scores, b2, out=scores)
        np.subtract(scores, np.max(scores, axis=1, keepdims=True), out=scores)
        np.exp(scores, out=slope)
        np.sum(slope, axis=1, keepdims=True, out=self.sums)
        cost = np.mean(np.log(self.sums)[:, 0] - scores[self.rows, y])
        cost = cost + net.l2 * (np.vdot(W1, W1) + np.vdot(W2, W2))

        np.divide(slope, self.sums, out=slope)
        slope[self.rows, y] -= 1
        np.divide(slope, np.float32(size), out=slope)
        self._backward(x, slope)
        return cost

    def _backward(self, x: Any, slope: Any) -> None:
        net, hidden, slope_hidden = self.network, self.hidden, self.slope_hidden
        W1, _, W2, _ = self.parameters
        slope_W1, slope_b1, slope_W2, slope_b2 = self.slopes
        np.dot(slope, W2.T, out=slope_hidden)
        np.multiply(hidden, hidden, out=self.hidden_squared)
        np.subtract(1, self.hidden_squared, out=self.hidden_squared)
        np.multiply(slope_hidden, self.hidden_squared, out=slope_hidden)
        np.dot(x.T, slope_hidden, out=slope_W1)
        np.dot(hidden.T, slope, out=slope_W2)
        np.sum(slope_hidden, axis=0, out=slope_b1)
        np.sum(slope, axis=0, out=slope_b2)
        for W, g in ((W1, slope_W1), (W2, slope_W2)):
            np.multiply(g, np.float32(net.rate), out=g)
            np.multiply(W, np.float32(1 - 2 * net.rate * net.l2), out=W)
            np.subtract(W, g, out=W)
        for b, g in zip(self.parameters[1::2], self.slopes[1::2], strict=True):
            np.multiply(g, np.float32(net.rate), out=g)
            np.subtract(b, g, out=b)

    def state(self) -> list[Any]:
        return self.parameters


class Folded:
    """Descent and penalty folded into the products, sums as products with ones, the hidden layer in blocks by threads.

    With the penalty, ``W - rate (x.T @ slope + 2 l2 W)`` is one general product on W itself, whose beta is
    ``1 - 2 rate l2``.
    """

    def __init__(self, network: Network, threads: int) -> None:
        self.network = network
        self.images, self.labels = network.data
        self.parameters = W1, b1, W2, b2 = network.parameters()
        size = network.batch_size
        self.rate = np.float32(network.rate / size)
        self.hidden = np.empty((size, network.widths[1]), dtype=np.float32)
        self.slope_hidden = np.empty_like(self.hidden)
        self.team = Team(threads if self.hidden.size >= 50_000 else 1)
        rows = ROWS if self.team.threads > 1 else size
        self.squares = np.empty((self.team.threads, rows, network.widths[1]), dtype=np.float32)
        self.scores = np.empty((size, network.widths[2]), dtype=np.float32)
        self.head = Head(size, network.widths[2])
        self.ones = np.ones(size, dtype=np.float32)
        self.change_b1, self.change_b2 = np.empty_like(b1), np.empty_like(b2)
        self.flat = W1.reshape(-1), W2.reshape(-1)
        beta = 1 - 2 * network.rate * network.l2
        self.descend_1 = Product(self.images[:size].T, self.slope_hidden, W1, -float(self.rate), beta)
        self.beta, self.change_W2 = np.float32(beta), np.empty_like(W2)

    def __call__(self, index: int) -> Any:
        size, (W1, b1, W2, b2) = self.network.batch_size, self.parameters
        x, y = self.images[index * size : (index + 1) * size], self.labels[index * size : (index + 1) * size]
        flat_1, flat_2 = self.flat
        penalty = self.network.l2 * float(np.dot(flat_1, flat_1) + np.dot(flat_2, flat_2))
        np.dot(x, W1, out=self.hidden)
        if self.team.threads > 1:
            self.team.run(self._squash)
        else:
            np.tanh(np.add(self.hidden, b1, out=self.hidden), out=self.hidden)
        cost = self.head(np.dot(self.hidden, W2, out=self.scores), b2, y)

        slope = self.head.slope.T
        np.dot(slope, W2.T, out=self.slope_hidden)
        if self.team.threads > 1:
            self.team.run(self._unsquash)
        else:
            self._unsquash_rows(self.hidden, self.slope_hidden, self.squares[0])
        self.descend_1(x)
        change = np.dot(self.hidden.T, slope, out=self.change_W2)  # a few thousand elements: ufuncs are sooner done
        np.multiply(change, self.rate, out=change)
        np.multiply(W2, self.beta, out=W2)
        np.subtract(W2, change, out=W2)
        for b, g in (
            (b1, np.dot(self.ones, self.slope_hidden, out=self.change_b1)),
            (b2, np.add.reduce(self.head.slope, axis=1, out=self.change_b2)),
        ):
            np.multiply(g, self.rate, out=g)
            np.subtract(b, g, out=b)
        return cost + penalty

    def _squash(self, part: int) -> None:
        for rows in tiles(len(self.hidden), ROWS, part, self.team.threads):
            block = self.hidden[rows]
            np.add(block, self.parameters[1], out=block)
            np.tanh(block, out=block)

    def _unsquash(self, part: int) -> None:
        for rows in tiles(len(self.hidden), ROWS, part, self.team.threads):
            block, slope = self.hidden[rows], self.slope_hidden[rows]
            self._unsquash_rows(block, slope, self.squares[part, : len(block)])

    @staticmethod
    def _unsquash_rows(block: Any, slope: Any, factor: Any) -> None:
        np.multiply(block, block, out=factor)
        np.subtract(ONE, factor, out=factor)
        np.multiply(slope, factor, out=slope)

    def state(self) -> list[Any]:
        return self.parameters


def network_of(batch_size: int, tiny: bool) -> Network:
    """The network of the classic tutorial, or a tiny one, on minibatches of `batch_size`."""
    widths = (20, 12, 10) if tiny else (784, 500, 10)
    return Network(widths, batch_size, batch_size * 3 if tiny else 10_000, l2=1e-4)


def cases(settings: Settings) -> Iterator[Case]:
    """The step on minibatches of 20 and of 500."""
    for batch_size in (4, 6) if settings.tiny else (20, 500):
        network = network_of(batch_size, settings.tiny)

        def twin(make: Any, network: Network = network) -> Build:
            def build() -> Any:
                step = make(network)
                return network.rival(step, step.state)

            return build

        twins = {
            "NumPy, plain": twin(Plain),
            "NumPy, out=": twin(InPlace),
            "NumPy, tuned": twin(lambda network: Folded(network, settings.threads)),
        }
        ours, peers = with_peers(network)
        yield Case("W2", f"perceptron step, batch {batch_size}", ours, twins, peers, checks=10, rtol=1e-3, atol=1e-4)
