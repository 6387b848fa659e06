"""symgraph: the programs as a user writes them, one call a step and many steps a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import symgraph as sg
import symgraph.tensor as T
from benchmarks.gpu.measure import Rival
from benchmarks.gpu.workloads import Adam, Chain, CrossEntropy, Dropout, Training, Workload

__all__ = ["VERSION", "rivals"]

VERSION = f"symgraph {sg.__version__}"
_SOME = 100_000


def rivals(workload: Workload, precision: str) -> Iterator[tuple[str, Callable[[], Rival]]]:
    """The variants of a workload, on the configured device: a single call as it is, and forced on both rungs."""
    if isinstance(workload, Training):
        yield "a call a step", lambda: _training(workload, precision, many=False)
        for graph, name in _RUNGS.items():
            yield f"a call a step, {name}", lambda graph=graph: _training(workload, precision, many=False, graph=graph)
        if workload.steps > 1:
            yield "many steps a call", lambda: _training(workload, precision, many=True)
        return
    make = {Chain: _chain, CrossEntropy: _cross_entropy, Adam: _adam, Dropout: _dropout}[type(workload)]
    yield "a call", lambda: make(workload)


#: What `config.cuda_graph` is set to, and what that asks for.
_RUNGS = {"never": "launch by launch", "always": "as a graph"}


def _kept(variable: Any) -> Any:
    """A result that stays on the device."""
    return sg.Out(variable, device=True)


def _waiting() -> Callable[[], object]:
    """What waits until the device has done all it was given: it moves a number behind that."""
    number = sg.shared(np.float32(0))
    return lambda: number.get_value()


def _facts(function: Any) -> Callable[[], dict[str, Any]]:
    """What is known of a function's calls, once it has been called."""

    def told() -> dict[str, Any]:
        report = function.report()
        return {"launches": report.launches, "how": str(report.rung), "why": "; ".join(report.why)}

    return told


class _Model:
    """The data and parameters of a training workload as shared variables, and a step over them."""

    def __init__(self, workload: Training, precision: str) -> None:
        self.w = workload
        first = (*workload.weights, *workload.biases)
        self.parameters = [sg.shared(value, name=f"p{k}") for k, value in enumerate(first)]
        weights, biases = self.parameters[: len(first) // 2], self.parameters[len(first) // 2 :]
        index, x, y = T.lscalar("index"), T.fmatrix("x"), T.ivector("y")
        h = x
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            h = T.tanh(T.dot(h, w) + b)
        p = T.nnet.softmax(T.dot(h, weights[-1]) + biases[-1])
        cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
        if workload.decay:
            cost = cost + np.float32(workload.decay) * sum(T.sum(w**2) for w in weights)
        slopes = sg.grad(cost, self.parameters)
        rate = np.float32(workload.rate)
        part = slice(index * workload.batch, (index + 1) * workload.batch)
        images, labels = sg.shared(workload.images), sg.shared(workload.labels)
        with sg.config.change_flags(matmul_precision=precision):
            self.step = sg.function(
                [index], _kept(cost), givens={x: images[part], y: labels[part]},
                updates=[(q, q - rate * s) for q, s in zip(self.parameters, slopes, strict=True)],
            )

    def restore(self) -> None:
        """The first parameters again."""
        for variable, value in zip(self.parameters, (*self.w.weights, *self.w.biases), strict=True):
            variable.set_value(value)


def _training(workload: Training, precision: str, many: bool, graph: str = "auto") -> Rival:
    with sg.config.change_flags(cuda_graph=graph):
        model = _Model(workload, precision)
    indices = np.arange(workload.steps) % workload.batches
    place = [0]

    def call() -> None:
        model.step(place[0] % workload.batches)
        place[0] += 1

    def call_many() -> None:
        model.step.map(indices)

    def result() -> Sequence[Any]:
        model.restore()
        cost = model.step(0)
        after = [variable.get_value() for variable in model.parameters]
        if many:
            model.restore()
            cost = model.step.map(indices)[0]
        return [_host(cost), *after]

    return Rival(call_many if many else call, _waiting(), result, workload.steps if many else 1, _facts(model.step))


def _host(value: Any) -> Any:
    """An array of the device as NumPy's."""
    return value.get() if hasattr(value, "get") else np.asarray(value)


def _function(expressions: Sequence[Any], shown: Callable[[Sequence[Any]], Sequence[Any]]) -> Rival:
    run = sg.function([], [_kept(e) for e in expressions])
    return Rival(run, _waiting(), lambda: shown(run()), facts=_facts(run))


def _chain(workload: Chain) -> Rival:
    a, b, c = (sg.shared(v) for v in workload.arrays)
    formula = T.tanh(a * b + c) * T.nnet.sigmoid(a) - T.exp(-b * b) / (1 + c * c)
    return _function([formula], lambda out: [_host(out[0][:_SOME])])


def _cross_entropy(workload: CrossEntropy) -> Rival:
    scores, labels = sg.shared(workload.scores), sg.shared(workload.labels)
    p = T.nnet.softmax(scores)
    cost = -T.mean(T.log(p)[T.arange(labels.shape[0]), labels])
    wanted = [cost, sg.grad(cost, scores)] if workload.gradient else [cost]
    return _function(wanted, lambda out: [_host(v) for v in out])


def _adam(workload: Adam) -> Rival:
    w = workload
    slope = sg.shared(w.slope)
    p, m, v = (sg.shared(np.zeros(w.size, "float32")) for _ in range(3))
    t = sg.shared(np.float32(0))
    first, second, rate, tiny = (np.float32(value) for value in (w.first, w.second, w.rate, w.tiny))
    next_t = t + np.float32(1)
    next_m = first * m + (np.float32(1) - first) * slope
    next_v = second * v + (np.float32(1) - second) * slope**2
    correct1, correct2 = np.float32(1) - first**next_t, np.float32(1) - second**next_t
    next_p = p - rate * (next_m / correct1) / (T.sqrt(next_v / correct2) + tiny)
    step = sg.function([], [], updates=[(p, next_p), (m, next_m), (v, next_v), (t, next_t)])

    def result() -> Sequence[Any]:
        step()
        return [p.get_value()[:_SOME]]

    return Rival(step, _waiting(), result, facts=_facts(step))


def _dropout(workload: Dropout) -> Rival:
    values = sg.shared(workload.values)
    mask = T.shared_randomstreams.RandomStreams(seed=1).bernoulli(p=0.5, size=values.shape, dtype="float32")
    return _function([np.float32(2) * mask * values], lambda out: workload.summary(_host(out[0][:_SOME])))
