"""What tests of kernels for jobs share: a function's plan, run launch by launch on the emulated device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import symgraph as sg
from backends.cupy.devices.emulated import EmulatedDevice
from backends.cupy.jobs.launches import Layout, bind
from backends.cupy.language.prelude import prelude
from backends.cupy.language.scalars import is_supported
from symgraph.graph.basic import Constant, Variable
from symgraph.plan import Plan, Step
from symgraph.plan.items import Item
from symgraph.plan.jobs import Abilities, Launch, launches_of
from symgraph.scalar import ScalarFunction
from symgraph.tensor.elemwise import Elemwise
from symgraph.tensor.shape import ShapeI

Values = dict[Variable, Any]


def computes(item: Item) -> bool:
    """Whether there is CUDA text for an item."""
    return not isinstance(item.meaning, ScalarFunction) or is_supported(
        item.meaning, [v.type.dtype for v in item.inputs])


def on_host(plan: Plan) -> set[Variable]:
    """The single integers that are made of arguments, constants and lengths."""
    known = {v for v in (*plan.inputs, *plan.constants) if v.type.ndim == 0}
    found: set[Variable] = set()
    for step in plan.steps:
        (output, *_), op = step.node.outputs, step.node.op
        if isinstance(op, ShapeI) or (isinstance(op, Elemwise) and known.issuperset(step.node.inputs)
                                      and output.type.dtype.startswith(("int", "bool"))):
            found.add(output)
            known.add(output)
    return found


class Runner:
    """Runs a plan's launches on an emulated device, and its other steps by their `perform` on the host."""

    def __init__(self, plan: Plan, seed: int = 0, abilities: Abilities | None = None, multiprocessors: int = 4,
                 most_shared: int = 48 * 1024) -> None:
        self.plan = plan
        self.device = EmulatedDevice(seed)
        self.multiprocessors, self.most_shared = multiprocessors, most_shared
        sizes = {v: v.get_value(borrow=True).shape for v in plan.shared}
        self.line = launches_of(plan, sizes, abilities or Abilities(computes), on_host(plan))
        self.error = self.device.to_device(np.zeros(3, "int64"))
        self.sources: list[str] = []
        self.bindings: list[Any] = []

    @property
    def launches(self) -> list[Launch]:
        """Those of the plan."""
        return [part for part in self.line if isinstance(part, Launch)]

    def __call__(self, *inputs: Any) -> list[np.ndarray]:
        """The outputs, then the next values of shared variables."""
        values: Values = dict(zip(self.plan.inputs, map(np.asarray, inputs), strict=True))
        values |= {v: np.array(v.get_value()) for v in self.plan.shared}
        values |= {v: np.asarray(v.data) for v in self.plan.constants}
        for part in self.line:
            if isinstance(part, Launch):
                self.launch(part, values)
            else:
                self.step(part, values)
        results = [*(o.variable for o in self.plan.outputs), *(u.variable for u in self.plan.updates)]
        return [np.asarray(values[v]) for v in results]

    def step(self, step: Step, values: Values) -> None:
        """On the host."""
        storage: list[list[Any]] = [[None] for _ in step.node.outputs]
        arguments = [v.data if isinstance(v, Constant) else values[v] for v in step.node.inputs]
        step.node.op.perform(step.node, arguments, storage)
        values.update(zip(step.node.outputs, (cell[0] for cell in storage), strict=True))

    def launch(self, launch: Launch, values: Values) -> None:
        """On the device."""
        arrays: dict[Variable, Any] = {}
        layouts: dict[Variable, Layout] = {}
        for v in launch.inputs:
            host = np.asarray(v.data if isinstance(v, Constant) else values[v])
            arrays[v], layouts[v] = self._on_device(host)
        numbers = {v: values[v] for v in launch.scalars if not isinstance(v, Constant)}
        integers = {v: int(n) for v, n in numbers.items() if np.asarray(n).dtype.kind in "iu"}
        bound = bind(launch, layouts, integers, f"launch{launch.index}", self.multiprocessors,
                     self.most_shared)
        for v in bound.outputs:
            target = launch.over.get(v)
            over = target is not None and target in arrays
            arrays[v] = arrays[target] if over else self.device.empty(bound.shapes[v], v.type.dtype)
        scratch = [self.device.to_device(np.zeros(n, "uint8")) if zeroed else self.device.empty((n,), "uint8")
                   for n, zeroed in bound.scratch]
        source = prelude(bound.source) + bound.source
        self.sources.append(source)
        self.bindings.append(bound)
        (kernel,) = self.device.load(source, [bound.name])
        self.device.launch(kernel, bound.grid, bound.block, bound.shared_bytes,
                           bound.arguments(self.error, arrays, numbers, scratch))
        for (_, zeroed), array in zip(bound.scratch, scratch, strict=True):
            assert not zeroed or not self.device.to_host(array).any()
        for v in bound.outputs:
            values[v] = self.device.to_host(arrays[v]).reshape(bound.shapes[v])

    def _on_device(self, host: np.ndarray) -> tuple[Any, Layout]:
        """An array on the device with the strides of one on the host."""
        base = host
        while isinstance(base.base, np.ndarray):
            base = base.base
        if host.size and (base.flags.c_contiguous or base.flags.f_contiguous) and base.dtype == host.dtype:
            flat = base.reshape(-1, order="A")
            start = (host.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // host.itemsize
            whole = self.device.to_device(flat)
            layout = Layout.of(host, aligned=start * host.itemsize % 16 == 0)
            return whole[start:], layout
        return self.device.to_device(np.ascontiguousarray(host)), Layout.plain(host.shape)


def run_both(inputs: Sequence[Any], outputs: Sequence[Any], values: Sequence[Any], seed: int = 0,
             **options: Any) -> tuple[list[np.ndarray], list[np.ndarray], Runner]:
    """What the emulated device and the NumPy backend compute."""
    function = sg.function(list(inputs), list(outputs), on_unused_input="ignore")
    runner = Runner(function.plan, seed, **options)
    return runner(*values), [np.asarray(v) for v in function(*values)], runner


def assert_close(got: Sequence[np.ndarray], expected: Sequence[np.ndarray], rtol: float = 2e-5) -> None:
    """The same dtypes and shapes, and nearly the same values."""
    for a, b in zip(got, expected, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        finite = np.abs(b[np.isfinite(b)]).max(initial=0) if a.dtype.kind in "fc" else 0
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol / 10 * finite)  # where terms cancel


Case = Mapping[str, Any]
