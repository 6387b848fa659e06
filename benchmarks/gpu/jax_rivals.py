"""JAX: one jitted step a call, and `lax.scan` over many steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.gpu.measure import Rival
from benchmarks.gpu.workloads import Adam, Chain, CrossEntropy, Dropout, Training, Workload

__all__ = ["VERSION", "rivals"]

VERSION = f"jax {jax.__version__}"
_SOME = 100_000


def rivals(workload: Workload, precision: str) -> Iterator[tuple[str, Callable[[], Rival]]]:
    """The variants of a workload."""
    jax.config.update("jax_default_matmul_precision", "tensorfloat32" if precision == "tf32" else "float32")
    if isinstance(workload, Training):
        yield "jit", lambda: _jit(_Model(workload))
        if workload.steps > 1:
            yield "scan", lambda: _scan(_Model(workload))
        return
    make = {Chain: _chain, CrossEntropy: _cross_entropy, Adam: _adam, Dropout: _dropout}[type(workload)]
    yield "jit", lambda: make(workload)


class _Model:
    """The data and parameters of a training workload, and one step over them."""

    def __init__(self, workload: Training) -> None:
        self.w = workload
        whole = workload.batches * workload.batch
        self.images = jnp.asarray(workload.images[:whole])
        self.labels = jnp.asarray(workload.labels[:whole])
        self.parameters: Any = self.first()

    def first(self) -> list[Any]:
        """The first parameters: weights, then biases."""
        return [jnp.array(v) for v in (*self.w.weights, *self.w.biases)]

    def cost(self, parameters: list[Any], x: Any, y: Any) -> Any:
        """The cost of a minibatch."""
        weights, biases = parameters[: len(parameters) // 2], parameters[len(parameters) // 2 :]
        h = x
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            h = jnp.tanh(h @ w + b)
        logs = jax.nn.log_softmax(h @ weights[-1] + biases[-1])
        cost = -jnp.take_along_axis(logs, y[:, None], axis=1).mean()
        return cost + self.w.decay * sum((w * w).sum() for w in weights) if self.w.decay else cost

    def step(self, parameters: list[Any], images: Any, labels: Any, index: Any) -> tuple[list[Any], Any]:
        """Descend once on one minibatch."""
        batch = self.w.batch
        x = lax.dynamic_slice_in_dim(images, index * batch, batch)
        y = lax.dynamic_slice_in_dim(labels, index * batch, batch)
        cost, slopes = jax.value_and_grad(self.cost)(parameters, x, y)
        return [p - self.w.rate * s for p, s in zip(parameters, slopes, strict=True)], cost

    def finish(self) -> None:
        """Wait for the last step."""
        jax.block_until_ready(self.parameters)


def _jit(model: _Model) -> Rival:
    step = jax.jit(model.step, donate_argnums=0)
    place = [0]

    def run(index: int) -> Any:
        model.parameters, cost = step(model.parameters, model.images, model.labels, index)
        return cost

    def call() -> None:
        run(place[0] % model.w.batches)
        place[0] += 1

    def result() -> Sequence[Any]:
        model.parameters = model.first()
        cost = run(0)
        return [cost, *model.parameters]

    return Rival(call, model.finish, result)


def _scan(model: _Model) -> Rival:
    steps = model.w.steps

    def many(parameters: list[Any], images: Any, labels: Any, indices: Any) -> Any:
        return lax.scan(lambda state, index: model.step(state, images, labels, index), parameters, indices)

    run = jax.jit(many, donate_argnums=0)
    indices = jnp.arange(steps) % model.w.batches

    def call() -> None:
        model.parameters, _ = run(model.parameters, model.images, model.labels, indices)

    def result() -> Sequence[Any]:
        after, _ = jax.jit(model.step)(model.first(), model.images, model.labels, 0)
        _, costs = run(model.first(), model.images, model.labels, indices)
        return [costs[0], *after]

    return Rival(call, model.finish, result, steps)


def _function(function: Callable[..., Any], arguments: Sequence[Any], shown: Callable[[Any], Sequence[Any]]) -> Rival:
    """A rival that calls a jitted function on the same arguments; the device runs calls in order."""
    run = jax.jit(function)
    last: list[Any] = [None]

    def call() -> None:
        last[0] = run(*arguments)

    return Rival(call, lambda: jax.block_until_ready(last[0]), lambda: shown(run(*arguments)))


def _chain(workload: Chain) -> Rival:
    def formula(a: Any, b: Any, c: Any) -> Any:
        return jnp.tanh(a * b + c) * jax.nn.sigmoid(a) - jnp.exp(-b * b) / (1 + c * c)

    return _function(formula, [jnp.asarray(v) for v in workload.arrays], lambda out: [out[:_SOME]])


def _cross_entropy(workload: CrossEntropy) -> Rival:
    def cost(scores: Any, labels: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(scores), labels[:, None], axis=1).mean()

    function = jax.value_and_grad(cost) if workload.gradient else lambda *args: (cost(*args),)
    return _function(function, [jnp.asarray(workload.scores), jnp.asarray(workload.labels)], list)


def _adam(workload: Adam) -> Rival:
    w = workload
    slope = jnp.asarray(w.slope)

    def update(state: Any, slope: Any) -> Any:
        p, m, v, t = state
        t = t + 1
        m = w.first * m + (1 - w.first) * slope
        v = w.second * v + (1 - w.second) * slope * slope
        p = p - w.rate * (m / (1 - w.first**t)) / (jnp.sqrt(v / (1 - w.second**t)) + w.tiny)
        return p, m, v, t

    run = jax.jit(update, donate_argnums=0)
    state: list[Any] = [None]

    def start() -> None:
        state[0] = (*(jnp.zeros(w.size) for _ in range(3)), jnp.float32(0))

    def call() -> None:
        state[0] = run(state[0], slope)

    def result() -> Sequence[Any]:
        start()
        call()
        return [state[0][0][:_SOME]]

    start()
    return Rival(call, lambda: jax.block_until_ready(state[0]), result)


def _dropout(workload: Dropout) -> Rival:
    def drop(key: Any, values: Any) -> Any:
        return jnp.where(jax.random.bernoulli(key, 0.5, values.shape), 2 * values, 0)

    arguments = [jax.random.PRNGKey(0), jnp.asarray(workload.values)]
    return _function(drop, arguments, lambda out: workload.summary(jax.device_get(out[:_SOME])))
