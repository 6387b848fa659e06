"""W7: a step of a recurrent network: forward, back through time, plain descent."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cpu.training import Api, pytensor_api, symgraph_api
from benchmarks.cpu.workload import OURS, Case, Rival, Settings, training

__all__ = ["Plain", "Recurrent", "Tuned", "cases", "jax_jit", "symbolic"]

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Recurrent:
    """A network of tanh units that reads a sequence and says what class it is of; and sequences to train it on.

    Parameters
    ----------
    steps, batch_size, inputs, hidden, classes : int
    batches : int
    rate : float
        The learning rate.
    """

    steps: int
    batch_size: int
    inputs: int
    hidden: int
    classes: int = 10
    batches: int = 4
    rate: float = 0.01

    @cached_property
    def data(self) -> tuple[Floats, NDArray[np.int32]]:
        """Sequences, of shape (batches, steps, batch size, inputs), and labels."""
        random = np.random.default_rng(1234)
        x = random.standard_normal((self.batches, self.steps, self.batch_size, self.inputs), dtype=np.float32)
        return x, random.integers(0, self.classes, (self.batches, self.batch_size)).astype(np.int32)

    def parameters(self) -> list[Floats]:
        """From inputs to hidden units, among these, their bias, to classes, their bias; new arrays at each call."""
        random = np.random.default_rng(5)
        sizes = [(self.inputs, self.hidden), (self.hidden, self.hidden), (self.hidden, self.classes)]
        W, U, V = (random.standard_normal(s).astype(np.float32) / np.float32(math.sqrt(s[0])) for s in sizes)
        return [W, U * np.float32(0.9), np.zeros(self.hidden, np.float32), V, np.zeros(self.classes, np.float32)]

    def rival(self, step: Callable[[int], Any], state: Callable[[], Sequence[Any]]) -> Rival:
        return training(step, state, self.batches)


def symbolic(api: Api, network: Recurrent) -> Rival:
    """The step as a user of Theano's interface writes it."""
    package, t = api.package, api.tensor
    data, labels = (package.shared(value, borrow=True) for value in network.data)
    parameters = [package.shared(value, name=name) for name, value in zip("WUbVc", network.parameters(), strict=True)]
    W, U, b, V, c = parameters
    index, x, y = t.lscalar("index"), t.ftensor3("x"), t.ivector("y")
    start = t.zeros((network.batch_size, network.hidden), "float32")
    states, _ = package.scan(lambda row, h: t.tanh(t.dot(row, W) + t.dot(h, U) + b), sequences=x, outputs_info=start)
    p = api.softmax(t.dot(states[-1], V) + c)
    cost = -t.mean(t.log(p)[t.arange(y.shape[0]), y])
    rate = np.float32(network.rate)
    updates = [(q, q - rate * g) for q, g in zip(parameters, package.grad(cost, parameters), strict=True)]
    step = package.function([index], cost, updates=updates, givens={x: data[index], y: labels[index]})
    return network.rival(step, lambda: [q.get_value() for q in parameters])


class Plain:
    """One line of NumPy for one line of mathematics."""

    def __init__(self, network: Recurrent) -> None:
        self.network = network
        self.parameters = network.parameters()

    def __call__(self, index: int) -> Any:
        net = self.network
        x, y = net.data[0][index], net.data[1][index]
        W, U, b, V, c = self.parameters
        states = [np.zeros((net.batch_size, net.hidden), np.float32)]
        for row in x:
            states.append(np.tanh(row @ W + states[-1] @ U + b))
        scores = states[-1] @ V + c
        scores = scores - scores.max(axis=1, keepdims=True)
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        rows = np.arange(len(y))
        cost = -np.mean(np.log(p[rows, y]))

        slope = p
        slope[rows, y] -= 1
        slope = slope / np.float32(len(y))
        by_V, by_c, flowing = states[-1].T @ slope, slope.sum(axis=0), slope @ V.T
        by_W, by_U, by_b = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
        for row, before, h in zip(x[::-1], states[-2::-1], states[::-1], strict=False):
            inside = flowing * (1 - h * h)
            by_W += row.T @ inside
            by_U += before.T @ inside
            by_b += inside.sum(axis=0)
            flowing = inside @ U.T
        slopes = (by_W, by_U, by_b, by_V, by_c)
        self.parameters = [q - np.float32(net.rate) * g for q, g in zip(self.parameters, slopes, strict=True)]
        return cost

    def state(self) -> list[Any]:
        return self.parameters


class Tuned:
    """Products with the sequence and sums over the steps as one product each, ``out=`` everywhere, rows as views."""

    def __init__(self, network: Recurrent) -> None:
        self.network = net = network
        self.parameters = network.parameters()
        rows, shape = net.steps * net.batch_size, (net.steps, net.batch_size, net.hidden)
        self.states = np.zeros((net.steps + 1, *shape[1:]), np.float32)
        self.mixed, self.inside, self.factors = (np.empty(shape, np.float32) for _ in range(3))
        self.flat_mixed, self.flat_inside = (v.reshape(rows, net.hidden) for v in (self.mixed, self.inside))
        self.flat_before = self.states[:-1].reshape(rows, net.hidden)
        self.flowing = np.empty(shape[1:], np.float32)
        self.ones = np.ones(rows, np.float32)
        self.slopes = [np.empty_like(q) for q in self.parameters]
        self.rows = np.arange(net.batch_size)
        self.forward = list(zip(self.states, self.states[1:], self.mixed, strict=False))
        self.backward = list(zip(self.inside[::-1], self.factors[::-1], strict=True))

    def __call__(self, index: int) -> Any:
        net = self.network
        x, y = net.data[0][index], net.data[1][index]
        W, U, b, V, c = self.parameters
        by_W, by_U, by_b, by_V, by_c = self.slopes
        flat = x.reshape(-1, net.inputs)
        np.add(np.dot(flat, W, out=self.flat_mixed), b, out=self.flat_mixed)
        for before, after, mixed in self.forward:
            np.dot(before, U, out=after)
            np.add(after, mixed, out=after)
            np.tanh(after, out=after)
        scores = np.dot(self.states[-1], V)
        np.add(scores, c, out=scores)
        np.subtract(scores, scores.max(axis=1, keepdims=True), out=scores)
        slope = np.exp(scores)
        sums = slope.sum(axis=1, keepdims=True)
        cost = np.mean(np.log(sums)[:, 0] - scores[self.rows, y])

        np.divide(slope, sums, out=slope)
        slope[self.rows, y] -= 1
        np.divide(slope, np.float32(net.batch_size), out=slope)
        np.dot(self.states[-1].T, slope, out=by_V)
        np.add.reduce(slope, axis=0, out=by_c)
        np.multiply(self.states[1:], self.states[1:], out=self.factors)
        np.subtract(np.float32(1), self.factors, out=self.factors)
        flowing, turned = np.dot(slope, V.T, out=self.flowing), U.T
        for inside, factor in self.backward:
            np.multiply(flowing, factor, out=inside)
            np.dot(inside, turned, out=flowing)
        np.dot(flat.T, self.flat_inside, out=by_W)
        np.dot(self.flat_before.T, self.flat_inside, out=by_U)
        np.dot(self.ones, self.flat_inside, out=by_b)
        for q, g in zip(self.parameters, self.slopes, strict=True):
            np.multiply(g, np.float32(net.rate), out=g)
            np.subtract(q, g, out=q)
        return cost

    def state(self) -> list[Any]:
        return self.parameters


def jax_jit(network: Recurrent) -> Rival:
    """A jitted step that takes over the memory of the parameters, with the data on the device."""
    import jax
    import jax.numpy as jnp

    def cost_of(parameters: Any, x: Any, y: Any) -> Any:
        W, U, b, V, c = parameters
        start = jnp.zeros((network.batch_size, network.hidden), jnp.float32)
        last, _ = jax.lax.scan(lambda h, row: (jnp.tanh(row @ W + h @ U + b), None), start, x)
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(last @ V + c), y[:, None], axis=1))

    def step(parameters: Any, data: Any, labels: Any, index: Any) -> Any:
        cost, slopes = jax.value_and_grad(cost_of)(parameters, data[index], labels[index])
        return cost, [q - network.rate * g for q, g in zip(parameters, slopes, strict=True)]

    compiled = jax.jit(step, donate_argnums=0)
    data, labels = map(jnp.asarray, network.data)
    state = [[jnp.array(q) for q in network.parameters()]]

    def train(index: int) -> Any:
        cost, state[0] = compiled(state[0], data, labels, index)
        return cost.block_until_ready()

    return network.rival(train, lambda: state[0])


def cases(settings: Settings) -> Iterator[Case]:
    """The step on sequences of 100 elements."""
    network = Recurrent(3, 2, 5, 4) if settings.tiny else Recurrent(100, 32, 64, 128)

    def twin(make: Callable[[Recurrent], Any]) -> Rival:
        step = make(network)
        return network.rival(step, step.state)

    twins = {"NumPy, plain": partial(twin, Plain), "NumPy, tuned": partial(twin, Tuned)}
    peers = {"PyTensor": lambda: symbolic(pytensor_api(), network), "JAX": partial(jax_jit, network)}
    title = f"recurrent step, {network.steps} steps of {network.batch_size} x {network.hidden}"
    ours = {OURS: lambda: symbolic(symgraph_api(), network)}
    yield Case("W7", title, ours, twins, peers, checks=6, rtol=1e-3, atol=1e-4)
