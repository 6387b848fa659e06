"""CuPy by hand: array operations as a user writes them, and elementwise formulas as one kernel; and what the device can
do at best: copies and products."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cupy as cp

from benchmarks.gpu.measure import Rival
from benchmarks.gpu.workloads import FLOAT, Adam, Chain, CrossEntropy, Dropout, Training, Workload

__all__ = ["VERSION", "ceilings", "rivals"]

VERSION = f"cupy {cp.__version__}"
_SOME = 100_000


def _finish() -> None:
    cp.cuda.get_current_stream().synchronize()


def rivals(workload: Workload, precision: str) -> Iterator[tuple[str, Callable[[], Rival]]]:
    """The variants of a workload; products in float32 only."""
    if precision != "float32":
        return
    make = {Training: _training, Chain: _chain, CrossEntropy: _cross_entropy, Adam: _adam, Dropout: _dropout}
    yield "by hand", lambda: make[type(workload)](workload)


def ceilings(tiny: bool) -> Iterator[tuple[Workload, Callable[[], Rival]]]:
    """The rate of copies, and that of one large product."""
    size, order = (1 << 12, 64) if tiny else (100_000_000, 8192)

    def copy() -> Rival:
        source, target = cp.ones(size, "float32"), cp.empty(size, "float32")
        return Rival(lambda: cp.copyto(target, source), _finish, list)

    def product() -> Rival:
        a, b, out = (cp.ones((order, order), "float32") for _ in range(3))
        return Rival(lambda: cp.matmul(a, b, out=out), _finish, list)

    yield Workload("copy", 1, 2.0 * FLOAT * size), copy
    yield Workload("product", 1, 0.0, 2.0 * order**3), product


def _training(workload: Training) -> Rival:
    images, labels = cp.asarray(workload.images), cp.asarray(workload.labels)
    state: list[Any] = []
    place = [0]

    def restore() -> None:
        state[:] = [cp.asarray(v) for v in (*workload.weights, *workload.biases)]

    def step(index: int) -> Any:
        depth = len(workload.weights)
        part = slice(index * workload.batch, (index + 1) * workload.batch)
        layers, y = [images[part]], labels[part]
        for k in range(depth - 1):
            layers.append(cp.tanh(layers[-1] @ state[k] + state[depth + k]))
        cost, slope = _cost_and_slope(layers[-1] @ state[depth - 1] + state[2 * depth - 1], y)
        if workload.decay:
            cost = cost + workload.decay * sum((w * w).sum() for w in state[:depth])
        for k in reversed(range(depth)):
            below = (slope @ state[k].T) * (1 - layers[k] ** 2) if k else slope
            state[k] -= workload.rate * (layers[k].T @ slope + 2 * workload.decay * state[k])
            state[depth + k] -= workload.rate * slope.sum(axis=0)
            slope = below
        return cost

    def call() -> None:
        step(place[0] % workload.batches)
        place[0] += 1

    def result() -> Sequence[Any]:
        restore()
        cost = step(0)
        return [cp.asnumpy(v) for v in (cost, *state)]

    restore()
    return Rival(call, _finish, result)


def _cost_and_slope(scores: Any, labels: Any) -> tuple[Any, Any]:
    """The mean cross-entropy of softmax, and its gradient."""
    z = scores - scores.max(axis=1, keepdims=True)
    powers = cp.exp(z)
    total = powers.sum(axis=1, keepdims=True)
    rows = cp.arange(len(labels))
    cost = (cp.log(total[:, 0]) - z[rows, labels]).mean()
    slope = powers / total
    slope[rows, labels] -= 1
    slope /= len(labels)
    return cost, slope


def _chain(workload: Chain) -> Rival:
    a, b, c = (cp.asarray(v) for v in workload.arrays)

    @cp.fuse()  # type: ignore[untyped-decorator]
    def formula(a: Any, b: Any, c: Any) -> Any:
        return cp.tanh(a * b + c) / (1 + cp.exp(-a)) - cp.exp(-b * b) / (1 + c * c)

    return Rival(lambda: formula(a, b, c), _finish, lambda: [cp.asnumpy(formula(a, b, c)[:_SOME])])


def _cross_entropy(workload: CrossEntropy) -> Rival:
    scores, labels = cp.asarray(workload.scores), cp.asarray(workload.labels)

    def run() -> list[Any]:
        cost, slope = _cost_and_slope(scores, labels)
        return [cost, slope] if workload.gradient else [cost]

    return Rival(run, _finish, lambda: [cp.asnumpy(v) for v in run()])


def _adam(workload: Adam) -> Rival:
    w = workload
    update = cp.ElementwiseKernel(
        "float32 g, float32 correct1, float32 correct2",
        "float32 p, float32 m, float32 v",
        f"""m = {w.first}f * m + {1 - w.first}f * g;
        v = {w.second}f * v + {1 - w.second}f * g * g;
        p -= {w.rate}f * (m / correct1) / (sqrtf(v / correct2) + {w.tiny}f);""",
        "adam",
    )
    slope, state = cp.asarray(w.slope), [cp.zeros(w.size, "float32") for _ in range(3)]
    steps = [0]

    def call() -> None:
        steps[0] += 1
        update(slope, 1 - w.first ** steps[0], 1 - w.second ** steps[0], *state)

    def result() -> Sequence[Any]:
        steps[0] = 0
        for array in state:
            array.fill(0)
        call()
        return [cp.asnumpy(state[0][:_SOME])]

    return Rival(call, _finish, result)


def _dropout(workload: Dropout) -> Rival:
    values = cp.asarray(workload.values)
    drop = cp.ElementwiseKernel("float32 x, float32 u", "float32 y", "y = u < 0.5f ? 2 * x : 0", "drop")

    def run() -> Any:
        return drop(values, cp.random.random(values.shape, dtype="float32"))

    return Rival(run, _finish, lambda: workload.summary(cp.asnumpy(run()[:_SOME])))
