"""Networks that are trained, written once for every library: the programs W1, W2, W3 and W6 are made of.

A network is a chain of layers; its cost is the mean negative log-likelihood of the labels under a softmax, plus
``l2`` times the squares of the weights. A step takes the number of a minibatch and trains by plain descent, or by
RMSProp where ``decay`` is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cpu.workload import OURS, Build, Rival, training

__all__ = ["NETWORK_PEERS", "Api", "Network", "Plain", "pytensor_api", "symbolic", "symgraph_api", "with_peers"]

Floats = NDArray[np.float32]
EPSILON = 1e-6


@dataclass(frozen=True)
class Network:
    """What is trained, how, and on what.

    Parameters
    ----------
    widths : tuple of int
        Pixels, hidden units of each layer, classes.
    batch_size, examples : int
        `examples` images are generated: four pixels in five are exactly zero, as in pictures of digits.
    activation : str
        ``"tanh"`` or ``"relu"``, of the hidden layers.
    rate, l2 : float
        The learning rate and the weight of the penalty.
    decay : float or None
        How much RMSProp remembers; None for plain descent.
    """

    widths: tuple[int, ...]
    batch_size: int
    examples: int
    activation: str = "tanh"
    rate: float = 0.01
    l2: float = 0.0
    decay: float | None = None

    @property
    def batches(self) -> int:
        return self.examples // self.batch_size

    @property
    def layers(self) -> int:
        return len(self.widths) - 1

    @cached_property
    def data(self) -> tuple[Floats, NDArray[np.int32]]:
        """Images and labels."""
        random = np.random.default_rng(1234)
        images = random.random((self.examples, self.widths[0]), dtype=np.float32)
        images[random.random(images.shape, dtype=np.float32) < 0.8] = 0
        return images, random.integers(0, self.widths[-1], self.examples).astype(np.int32)

    def parameters(self) -> list[Floats]:
        """Weights and biases before training, layer after layer; new arrays at each call."""
        random = np.random.default_rng(5)
        values: list[Floats] = []
        for before, after in zip(self.widths, self.widths[1:], strict=False):
            reach = math.sqrt(6 / (before + after))
            values.append(random.uniform(-reach, reach, (before, after)).astype(np.float32))
            values.append(np.zeros(after, np.float32))
        return values

    def rival(self, step: Callable[[int], Any], state: Callable[[], Sequence[Any]]) -> Rival:
        return training(step, state, self.batches)


# ---- libraries with Theano's interface ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Api:
    """Where two libraries with Theano's interface differ in names."""

    package: Any
    tensor: Any
    softmax: Callable[[Any], Any]
    sigmoid: Callable[[Any], Any]


def symgraph_api() -> Api:
    """Ours, imported only where it is used: memory is measured of processes without it too."""
    import symgraph as sg
    import symgraph.tensor as T

    return Api(sg, T, T.nnet.softmax, T.nnet.sigmoid)


def pytensor_api() -> Api:
    """PyTensor's, in float32.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    import pytensor
    import pytensor.tensor as pt
    from pytensor.tensor.special import softmax

    pytensor.config.floatX = "float32"
    return Api(pytensor, pt, lambda z: softmax(z, axis=1), pt.sigmoid)


def symbolic(api: Api, network: Network) -> Rival:
    """The step as a user of Theano's interface writes it."""
    package, t = api.package, api.tensor
    images, labels = (package.shared(value, borrow=True) for value in network.data)
    parameters = [package.shared(value, name=f"p{i}") for i, value in enumerate(network.parameters())]
    index, x, y = t.lscalar("index"), t.fmatrix("x"), t.ivector("y")

    h = x
    for layer in range(network.layers):
        h = t.dot(h, parameters[2 * layer]) + parameters[2 * layer + 1]
        if layer < network.layers - 1:
            h = t.tanh(h) if network.activation == "tanh" else t.maximum(h, 0)
    cost = -t.mean(t.log(api.softmax(h))[t.arange(y.shape[0]), y])
    if network.l2:
        cost = cost + network.l2 * sum(t.sum(W**2) for W in parameters[::2])

    updates, memories = [], []
    for parameter, slope in zip(parameters, package.grad(cost, parameters), strict=True):
        if network.decay is not None:
            memory = package.shared(np.zeros_like(parameter.get_value()))
            remembered = network.decay * memory + (1 - network.decay) * slope**2
            updates.append((memory, remembered))
            memories.append(memory)
            slope = slope / t.sqrt(remembered + EPSILON)
        updates.append((parameter, parameter - network.rate * slope))
    chosen = slice(index * network.batch_size, (index + 1) * network.batch_size)
    givens = {x: images[chosen], y: labels[chosen]}
    step = package.function([index], cost, updates=updates, givens=givens)
    return network.rival(step, lambda: [p.get_value() for p in [*parameters, *memories]])


# ---- NumPy ----------------------------------------------------------------------------------------------------------


class Plain:
    """One line of NumPy for one line of mathematics."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.images, self.labels = network.data
        self.parameters = network.parameters()
        self.memories = [np.zeros_like(p) for p in self.parameters] if network.decay is not None else []

    def __call__(self, index: int) -> Any:
        net = self.network
        x = self.images[index * net.batch_size : (index + 1) * net.batch_size]
        y = self.labels[index * net.batch_size : (index + 1) * net.batch_size]
        rows = np.arange(len(y))
        weights, biases = self.parameters[::2], self.parameters[1::2]

        values = [x]
        for layer, (W, b) in enumerate(zip(weights, biases, strict=True)):
            z = values[-1] @ W + b
            if layer < net.layers - 1:
                z = np.tanh(z) if net.activation == "tanh" else np.maximum(z, 0)
            values.append(z)
        scores = values.pop()
        scores = scores - scores.max(axis=1, keepdims=True)
        exponentials = np.exp(scores)
        probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
        cost = -np.mean(np.log(probabilities)[rows, y])
        if net.l2:
            cost = cost + net.l2 * sum((W**2).sum() for W in weights)

        slope = probabilities
        slope[rows, y] -= 1
        slope = slope / len(y)
        slopes: list[Any] = []
        for layer in reversed(range(net.layers)):
            h = values[layer]
            slopes[:0] = [h.T @ slope + 2 * net.l2 * weights[layer] if net.l2 else h.T @ slope, slope.sum(axis=0)]
            if layer:
                slope = slope @ weights[layer].T
                slope = slope * (1 - h**2) if net.activation == "tanh" else slope * (h > 0)
        self._descend(slopes)
        return cost

    def _descend(self, slopes: list[Any]) -> None:
        net = self.network
        if net.decay is not None:
            self.memories = [
                net.decay * memory + (1 - net.decay) * slope**2
                for memory, slope in zip(self.memories, slopes, strict=True)
            ]
            slopes = [g / np.sqrt(memory + EPSILON) for g, memory in zip(slopes, self.memories, strict=True)]
        self.parameters = [p - net.rate * slope for p, slope in zip(self.parameters, slopes, strict=True)]

    def state(self) -> list[Any]:
        return [*self.parameters, *self.memories]


# ---- JAX and PyTorch ------------------------------------------------------------------------------------------------


def jax_jit(network: Network) -> Rival:
    """A jitted step that takes over the memory of the parameters, with the data on the device."""
    import jax
    import jax.numpy as jnp

    size, layers = network.batch_size, network.layers

    def cost_of(parameters: Any, x: Any, y: Any) -> Any:
        h = x
        for layer in range(layers):
            h = h @ parameters[2 * layer] + parameters[2 * layer + 1]
            if layer < layers - 1:
                h = jnp.tanh(h) if network.activation == "tanh" else jax.nn.relu(h)
        cost = -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(h), y[:, None], axis=1))
        return cost + network.l2 * sum((W**2).sum() for W in parameters[::2]) if network.l2 else cost

    def step(state: Any, images: Any, labels: Any, index: Any) -> Any:
        parameters, memories = state
        x = jax.lax.dynamic_slice_in_dim(images, index * size, size)
        y = jax.lax.dynamic_slice_in_dim(labels, index * size, size)
        cost, slopes = jax.value_and_grad(cost_of)(parameters, x, y)
        if network.decay is not None:
            memories = [network.decay * m + (1 - network.decay) * g**2 for m, g in zip(memories, slopes, strict=True)]
            slopes = [g / jnp.sqrt(m + EPSILON) for m, g in zip(memories, slopes, strict=True)]
        return cost, ([p - network.rate * g for p, g in zip(parameters, slopes, strict=True)], memories)

    compiled = jax.jit(step, donate_argnums=0)
    images, labels = map(jnp.asarray, network.data)
    parameters = [jnp.array(p) for p in network.parameters()]
    state = [(parameters, [jnp.zeros_like(p) for p in parameters] if network.decay is not None else [])]

    def train(index: int) -> Any:
        cost, state[0] = compiled(state[0], images, labels, index)
        return cost.block_until_ready()

    return network.rival(train, lambda: [*state[0][0], *state[0][1]])


def _torch(network: Network, compiled: bool) -> Rival:
    import torch
    from torch.nn.functional import cross_entropy

    images, labels = (torch.from_numpy(value) for value in network.data)
    labels = labels.long()
    parameters = [torch.from_numpy(p) for p in network.parameters()]
    memories = [torch.zeros_like(p) for p in parameters] if network.decay is not None else []

    def cost_of(parameters: Any, x: Any, y: Any) -> Any:
        h = x
        for layer in range(network.layers):
            h = torch.addmm(parameters[2 * layer + 1], h, parameters[2 * layer])
            if layer < network.layers - 1:
                h = torch.tanh(h) if network.activation == "tanh" else torch.relu(h)
        cost = cross_entropy(h, y)
        return cost + network.l2 * sum((W**2).sum() for W in parameters[::2]) if network.l2 else cost

    def descend(slopes: Any) -> None:
        if network.decay is None:
            for p, g in zip(parameters, slopes, strict=True):
                p.add_(g, alpha=-network.rate)
            return
        for p, m, g in zip(parameters, memories, slopes, strict=True):
            m.mul_(network.decay).addcmul_(g, g, value=1 - network.decay)
            p.addcdiv_(g, (m + EPSILON).sqrt_(), value=-network.rate)

    forward: Any = torch.compile(cost_of) if compiled else cost_of
    backward: Any = torch.compile(descend) if compiled else descend

    def step(x: Any, y: Any) -> Any:
        for p in parameters:
            p.requires_grad_(True)
        cost = forward(parameters, x, y)
        slopes = torch.autograd.grad(cost, parameters)
        with torch.no_grad():
            backward(slopes)
        return cost.detach()

    size = network.batch_size

    def train(index: int) -> Any:
        return step(images[index * size : (index + 1) * size], labels[index * size : (index + 1) * size])

    return network.rival(train, lambda: [p.detach().numpy() for p in [*parameters, *memories]])


NETWORK_PEERS: dict[str, Callable[[Network], Rival]] = {
    "PyTensor": lambda network: symbolic(pytensor_api(), network),
    "JAX jit": jax_jit,
    "torch eager": lambda network: _torch(network, compiled=False),
    "torch.compile": lambda network: _torch(network, compiled=True),
}


def with_peers(network: Network) -> tuple[dict[str, Build], dict[str, Build]]:
    """The builds of our rival and of the peers' for a network."""
    ours: dict[str, Build] = {OURS: lambda: symbolic(symgraph_api(), network)}
    return ours, {name: partial(make, network) for name, make in NETWORK_PEERS.items()}
