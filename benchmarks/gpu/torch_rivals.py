"""PyTorch: as a user writes it (eager), captured by hand as CUDA graphs, and compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.nn import functional as F

from benchmarks.gpu.measure import Rival
from benchmarks.gpu.workloads import Adam, Chain, CrossEntropy, Dropout, Training, Workload

__all__ = ["VERSION", "rivals"]

VERSION = f"torch {torch.__version__}"
ON_GPU = torch.cuda.is_available()
DEVICE = "cuda" if ON_GPU else "cpu"
_SOME = 100_000  # elements of a large result that are compared


def rivals(workload: Workload, precision: str) -> Iterator[tuple[str, Callable[[], Rival]]]:
    """The variants of a workload."""
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    if isinstance(workload, Training):
        yield "eager", lambda: _eager(_Model(workload))
        if ON_GPU:
            yield "graph of a step", lambda: _graph(_Model(workload), 1)
            if workload.steps > 1:
                yield "graph of many steps", lambda: _graph(_Model(workload), workload.steps)
            yield "compiled", lambda: _compiled(_Model(workload), "reduce-overhead")
            if workload.name.startswith("deep"):
                yield "compiled, autotuned", lambda: _compiled(_Model(workload), "max-autotune-no-cudagraphs")
        return
    make = {Chain: _chain, CrossEntropy: _cross_entropy, Adam: _adam, Dropout: _dropout}[type(workload)]
    yield "eager", lambda: make(workload, False)
    if ON_GPU:
        yield "compiled", lambda: make(workload, True)


def _finish() -> None:
    if ON_GPU:
        torch.cuda.synchronize()


class _Model:
    """The data and parameters of a training workload, on the device, and one step over them."""

    def __init__(self, workload: Training) -> None:
        self.w = workload
        self.images = torch.tensor(workload.images, device=DEVICE)
        self.labels = torch.tensor(workload.labels.astype("int64"), device=DEVICE)
        values = [v for pair in zip(workload.weights, workload.biases, strict=True) for v in pair]
        self.parameters = [torch.tensor(v, device=DEVICE, requires_grad=True) for v in values]
        self.optimizer = torch.optim.SGD(self.parameters, lr=workload.rate, fused=ON_GPU)

    def cost(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The cost of a minibatch."""
        h = x
        for place in range(0, len(self.parameters) - 2, 2):
            h = torch.tanh(F.linear(h, self.parameters[place].T, self.parameters[place + 1]))
        cost = F.cross_entropy(F.linear(h, self.parameters[-2].T, self.parameters[-1]), y)
        if self.w.decay:
            cost = cost + self.w.decay * sum((w * w).sum() for w in self.parameters[::2])
        return cost

    def step(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Descend once; returns the cost before."""
        self.optimizer.zero_grad(set_to_none=True)
        cost = self.cost(x, y)
        cost.backward()
        self.optimizer.step()
        return cost.detach()

    def batch(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A minibatch, as views."""
        place = slice(index * self.w.batch, (index + 1) * self.w.batch)
        return self.images[place], self.labels[place]

    def taken(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A minibatch whose index only the device knows, as a graph needs it."""
        shape = self.w.batches, self.w.batch
        images = self.images[: self.w.batches * self.w.batch].view(*shape, -1)
        labels = self.labels[: self.w.batches * self.w.batch].view(*shape)
        return images.index_select(0, index)[0], labels.index_select(0, index)[0]

    def state(self) -> list[Any]:
        """Weights, then biases."""
        return [p.detach().cpu().numpy() for p in (*self.parameters[::2], *self.parameters[1::2])]

    def restore(self) -> None:
        """The first parameters again, in place."""
        values = [v for pair in zip(self.w.weights, self.w.biases, strict=True) for v in pair]
        with torch.no_grad():
            for parameter, value in zip(self.parameters, values, strict=True):
                parameter.copy_(torch.tensor(value))


def _walk(model: _Model, step: Callable[[int], Any]) -> Rival:
    """A rival that takes one minibatch after the other."""
    place = [0]

    def call() -> None:
        step(place[0] % model.w.batches)
        place[0] += 1

    def result() -> Sequence[Any]:
        model.restore()
        return [step(0).cpu().numpy(), *model.state()]

    return Rival(call, _finish, result)


def _eager(model: _Model) -> Rival:
    return _walk(model, lambda index: model.step(*model.batch(index)))


def _compiled(model: _Model, mode: str) -> Rival:
    step = torch.compile(model.step, mode=mode)

    def run(index: int) -> torch.Tensor:
        torch.compiler.cudagraph_mark_step_begin()
        return step(*model.batch(index))

    return _walk(model, run)


def _graph(model: _Model, steps: int) -> Rival:
    """One captured graph of a step or of many; the index counts up on the device."""
    index = torch.zeros(1, dtype=torch.int64, device=DEVICE)
    costs = torch.zeros(steps, device=DEVICE)
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            model.step(*model.taken(index))
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    model.optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        for number in range(steps):
            costs[number].copy_(model.step(*model.taken(index)))
            index.add_(1).remainder_(model.w.batches)

    def result() -> Sequence[Any]:
        model.restore()
        index.zero_()
        if steps == 1:
            graph.replay()
            return [costs[0].cpu().numpy(), *model.state()]
        model.step(*model.batch(0))  # the parameters after one step, which a graph of many does not show
        after = model.state()
        model.restore()
        graph.replay()
        return [costs[0].cpu().numpy(), *after]

    return Rival(graph.replay, _finish, result, steps)


def _maybe_compiled(function: Callable[..., Any], compiled: bool) -> Callable[..., Any]:
    return torch.compile(function, mode="max-autotune-no-cudagraphs") if compiled else function


def _chain(workload: Chain, compiled: bool) -> Rival:
    a, b, c = (torch.tensor(v, device=DEVICE) for v in workload.arrays)

    def formula(a: Any, b: Any, c: Any) -> Any:
        return torch.tanh(a * b + c) * torch.sigmoid(a) - torch.exp(-b * b) / (1 + c * c)

    run = _maybe_compiled(formula, compiled)
    return Rival(lambda: run(a, b, c), _finish, lambda: [run(a, b, c)[:_SOME].cpu().numpy()])


def _cross_entropy(workload: CrossEntropy, compiled: bool) -> Rival:
    scores = torch.tensor(workload.scores, device=DEVICE, requires_grad=workload.gradient)
    labels = torch.tensor(workload.labels.astype("int64"), device=DEVICE)
    cost_of = _maybe_compiled(F.cross_entropy, compiled)

    def run() -> list[Any]:
        cost = cost_of(scores, labels)
        return [cost.detach(), *(torch.autograd.grad(cost, scores) if workload.gradient else ())]

    return Rival(run, _finish, lambda: [v.cpu().numpy() for v in run()])


def _adam(workload: Adam, compiled: bool) -> Rival:
    parameter = torch.zeros(workload.size, device=DEVICE, requires_grad=True)
    parameter.grad = torch.tensor(workload.slope, device=DEVICE)
    optimizer = torch.optim.Adam([parameter], workload.rate, (workload.first, workload.second), workload.tiny,
                                 fused=ON_GPU and not compiled, capturable=ON_GPU and compiled)
    step = _maybe_compiled(optimizer.step, compiled)

    def result() -> Sequence[Any]:
        step()
        return [parameter[:_SOME].detach().cpu().numpy()]

    return Rival(step, _finish, result)


def _dropout(workload: Dropout, compiled: bool) -> Rival:
    values = torch.tensor(workload.values, device=DEVICE)
    run = _maybe_compiled(lambda v: F.dropout(v, 0.5), compiled)
    return Rival(lambda: run(values), _finish, lambda: workload.summary(run(values)[:_SOME].cpu().numpy()))
