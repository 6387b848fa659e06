"""W3: a step of a perceptron with one hidden layer of rectified units, trained by RMSProp."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.cpu.head import Head
from benchmarks.cpu.team import Team, tiles
from benchmarks.cpu.training import EPSILON, Network, Plain, with_peers
from benchmarks.cpu.workload import Build, Case, Settings

__all__ = ["Tuned", "cases"]

TILE = 65_536  # parameters at a time: their slopes, memories and scratch stay in the cache from one ufunc to the next


class Tuned:
    """RMSProp in cache-sized tiles by threads, with its factors folded into what is small.

    Slopes are scaled by ``sqrt(1 - decay)`` where they are a batch of ten scores, so that their squares need no factor.

    Parameters
    ----------
    network : Network
        With one hidden layer of rectified units, and a decay.
    threads : int
    tile : int
        Parameters at a time.
    """

    def __init__(self, network: Network, threads: int, tile: int = TILE) -> None:
        assert network.decay is not None
        self.network, self.tile = network, tile
        self.images, self.labels = network.data
        self.parameters = network.parameters()
        self.memories = [np.zeros_like(p) for p in self.parameters]
        self.slopes = [np.empty_like(p) for p in self.parameters]
        size = network.batch_size
        self.hidden = np.empty((size, network.widths[1]), dtype=np.float32)
        self.slope_hidden = np.empty_like(self.hidden)
        self.active = np.empty(self.hidden.shape, dtype=np.bool)
        self.scores = np.empty((size, network.widths[2]), dtype=np.float32)
        self.head = Head(size, network.widths[2])
        self.ones = np.ones(size, dtype=np.float32)
        self.scale = np.float32(math.sqrt(1 - network.decay) / size)
        self.rate = np.float32(network.rate / math.sqrt(1 - network.decay))
        self.decay, self.epsilon, self.zero = np.float32(network.decay), np.float32(EPSILON), np.float32(0)
        self.scratch = np.empty((threads, tile), dtype=np.float32)
        self.team = Team(threads)

    def __call__(self, index: int) -> Any:
        size, (W1, b1, W2, b2) = self.network.batch_size, self.parameters
        x, y = self.images[index * size : (index + 1) * size], self.labels[index * size : (index + 1) * size]
        hidden, slope_hidden = self.hidden, self.slope_hidden
        np.dot(x, W1, out=hidden)
        np.add(hidden, b1, out=hidden)
        np.maximum(hidden, self.zero, out=hidden)
        cost = self.head(np.dot(hidden, W2, out=self.scores), b2, y)

        slope = np.multiply(self.head.slope, self.scale, out=self.head.slope)
        np.dot(slope.T, W2.T, out=slope_hidden)
        np.greater(hidden, self.zero, out=self.active)
        np.multiply(slope_hidden, self.active, out=slope_hidden)
        slope_W1, slope_b1, slope_W2, slope_b2 = self.slopes
        np.dot(x.T, slope_hidden, out=slope_W1)
        np.dot(self.ones, slope_hidden, out=slope_b1)
        np.dot(hidden.T, slope.T, out=slope_W2)
        np.add.reduce(slope, axis=1, out=slope_b2)
        self.team.run(self._descend_large)
        for place in (1, 2, 3):
            self._descend(place, slice(None), 0)
        return cost

    def _descend_large(self, part: int) -> None:
        for chosen in tiles(self.parameters[0].size, self.tile, part, self.team.threads):
            self._descend(0, chosen, part)

    def _descend(self, place: int, chosen: slice, part: int) -> None:
        parameter, memory, slope = (
            arrays[place].reshape(-1)[chosen] for arrays in (self.parameters, self.memories, self.slopes)
        )
        scratch = self.scratch[part, : slope.size]
        np.multiply(slope, slope, out=scratch)
        np.multiply(memory, self.decay, out=memory)
        np.add(memory, scratch, out=memory)
        np.add(memory, self.epsilon, out=scratch)
        np.sqrt(scratch, out=scratch)
        np.divide(slope, scratch, out=scratch)
        np.multiply(scratch, self.rate, out=scratch)
        np.subtract(parameter, scratch, out=parameter)

    def state(self) -> list[Any]:
        return [*self.parameters, *self.memories]


def cases(settings: Settings) -> Iterator[Case]:
    """The step on minibatches of 128."""
    widths = (20, 12, 10) if settings.tiny else (784, 512, 10)
    batch_size = 6 if settings.tiny else 128
    network = Network(widths, batch_size, 78 * batch_size, activation="relu", rate=1e-3, decay=0.9)
    whole = widths[0] * widths[1]

    def twin(make: Any) -> Build:
        def build() -> Any:
            step = make()
            return network.rival(step, step.state)

        return build

    twins = {
        "NumPy, plain": twin(lambda: Plain(network)),
        "NumPy, out=": twin(lambda: Tuned(network, threads=1, tile=whole)),
        "NumPy, tuned": twin(lambda: Tuned(network, settings.threads)),
    }
    ours, peers = with_peers(network)
    yield Case("W3", f"RMSProp step, batch {batch_size}", ours, twins, peers, checks=10, rtol=1e-2, atol=1e-4)
