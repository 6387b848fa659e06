"""The CuPy backend: from a plan to a program that runs on a GPU, or on a device emulated for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backends.cupy import runtime
from backends.cupy.device import Device
from backends.cupy.execution import Direct, Errors, Kernels
from backends.cupy.records import Records
from backends.cupy.render import Renderer
from backends.cupy.report import Report
from backends.cupy.scalars import is_supported
from backends.cupy.storage import DeviceMemory
from backends.cupy.watched import one_by_one
from symgraph.backend import Pack, Program
from symgraph.graph.basic import Variable
from symgraph.plan import Plan, Step
from symgraph.plan.items import Item
from symgraph.plan.jobs import Abilities, launches_of
from symgraph.scalar import ScalarFunction
from symgraph.tensor.type import TensorType

__all__ = ["CupyBackend", "CupyProgram"]


def _computes(item: Item) -> bool:
    """Whether there is CUDA C for an item's elements."""
    if not isinstance(item.meaning, ScalarFunction):
        return True
    return is_supported(item.meaning, [v.type.dtype for v in item.inputs])


def abilities() -> Abilities:
    """What kernels can compute here."""
    return Abilities(computes=_computes)


class CupyBackend:
    """Renders plans to kernels and their launches.

    Parameters
    ----------
    target : str
        What `config.device` calls the device.
    device : Device
    """

    name = "cupy"

    def __init__(self, target: str, device: Device) -> None:
        self.target, self.device = target, device
        self.memory = DeviceMemory(target, device)

    def compile(self, plan: Plan, name: str, pack: Pack, accept: Sequence[Callable[[Any], Any]],
                monitor: Any = None, clock: Any = None) -> Program:
        """Make a plan executable; see `symgraph.backend.Backend`."""
        renderer = Renderer(plan, name, self.device, self.target, monitor, clock)
        sizes = {v: v.container.value.shape for v in plan.shared if isinstance(v.type, TensorType)}
        on_host = renderer.host_values()
        line: Sequence[Any] = launches_of(plan, sizes, abilities(), on_host) if monitor is None else one_by_one(
            plan, monitor, abilities(), set(on_host))
        kernels, errors = Kernels(self.device), Errors(self.device)
        renderer.render(line, kernels, errors)
        program = CupyProgram(self, renderer, kernels, errors, pack, accept)
        made = Program(program.run, program.call, program.source, program.step_at, program.free,
                       inside=program.inside, many=program.records.many, report=program.report)

        def show_kernels() -> None:
            made.source = program.source

        kernels.listener = show_kernels
        return made


class CupyProgram:
    """A plan, ready to run.

    Parameters
    ----------
    backend : CupyBackend
    renderer : Renderer
        That has written the program.
    kernels : Kernels
    errors : Errors
    pack : callable
        From the names of the results to the expression that is returned.
    accept : sequence of callables
        For each input, what checks and converts a host value.
    """

    def __init__(self, backend: CupyBackend, renderer: Renderer, kernels: Kernels, errors: Errors, pack: Pack,
                 accept: Sequence[Callable[[Any], Any]]) -> None:
        self.device, self.memory = backend.device, backend.memory
        self.kernels, self.errors, self.direct = kernels, errors, Direct(backend.device)
        self.plan, self.renderer, self.accept = renderer.plan, renderer, list(accept)
        writer = renderer.writer
        names = [f"r{i}" for i in range(len(self.plan.outputs))]
        expression, bound = pack(names)
        writer.line("")
        writer.line("")
        with writer.indented(f"def packed({', '.join(names)}):"):
            writer.line(f"return {expression}")
        writer.namespace.update(bound)
        namespace = writer.compile(renderer.title)
        self.arguments, self.launches, self.packed = (namespace[n] for n in ("arguments", "launches", "packed"))
        self.locks = _Locks(self.plan)
        self.records = Records(self)

    # ---- running --------------------------------------------------------------------------------------------

    def run(self, *values: Any) -> Any:
        """Compute the outputs and commit the updates."""
        with self.locks:
            found = self.records.run(self.arguments(*values))
            return self.packed(*found)

    def call(self, *values: Any) -> Any:
        """The same, checking and converting each value first."""
        return self.run(*map(self.accepted, self.plan.inputs, self.accept, values))

    def inside(self, *values: Any) -> list[Any]:
        """The same for a program of the same device: values on the device stay there, but for single numbers."""
        values = tuple(runtime.fetch(self.device, value) if getattr(v.type, "ndim", None) == 0 else value
                       for v, value in zip(self.plan.inputs, values, strict=True))
        with self.locks:
            return self.computed(self.arguments(*values))

    def computed(self, passed: Sequence[Any]) -> list[Any]:
        """The outputs where they are, the updates committed, at once and step by step."""
        outputs, updates = self.launches(self.direct, *passed)
        self.errors.check()
        kept = [self._own(o.variable, value) if o.copy else value
                for o, value in zip(self.plan.outputs, outputs, strict=True)]
        self._commit(updates)
        return kept

    def accepted(self, variable: Variable, accept: Callable[[Any], Any], value: Any) -> Any:
        """A value passed for an input: of its type, where it is."""
        if isinstance(value, (np.ndarray, np.generic, int, float, complex, bool, list, tuple)):
            return accept(value)
        array = self.memory.adopt(value)
        if array is None:
            return accept(value)
        kind = variable.type
        if not isinstance(kind, TensorType) or not kind.is_super(TensorType(array.dtype, array.shape)):
            return accept(self.device.to_host(array))  # says what is wrong with it, or converts it
        return self.device.to_host(array) if kind.ndim == 0 else array

    def _own(self, variable: Variable, value: Any) -> Any:
        """A copy of a result whose memory is not the caller's to keep."""
        if self.device.is_array(value):
            return self.memory.copy(value)
        return np.array(value) if isinstance(variable.type, TensorType) else value

    def for_caller(self, output: Any, value: Any) -> Any:
        """A result as the caller gets it."""
        if self.device.is_array(value):
            return value if output.stays else self.device.to_host(value)
        return np.asarray(value) if isinstance(output.variable.type, TensorType) else value

    def _commit(self, values: Sequence[Any]) -> None:
        """Everything is computed: put the new values in place, all of them."""
        new = [self._own(u.variable, value) if u.copy else value
               for u, value in zip(self.plan.updates, values, strict=True)]
        for update, value in zip(self.plan.updates, new, strict=True):
            storage = update.target.container
            if storage.memory is None:
                storage.value = np.asarray(value) if isinstance(update.target.type, TensorType) else value
            else:
                storage.value = self.memory.copy(value, storage.value)

    # ---- looking --------------------------------------------------------------------------------------------

    def step_at(self, error: BaseException) -> tuple[Step, list[Any]] | None:
        """The step an error comes from, and the values it read."""
        writer, traceback = self.renderer.writer, error.__traceback__
        filename = self.arguments.__code__.co_filename
        found = None
        values: dict[str, Any] = {}
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == filename:
                found = writer.steps.get(traceback.tb_lineno)
                values = {**writer.namespace, **traceback.tb_frame.f_locals}
            traceback = traceback.tb_next
        found = runtime.step_of(error) or found
        return None if found is None else (found, [self._shown(v, values) for v in found.node.inputs])

    def _shown(self, variable: Variable, values: dict[str, Any]) -> Any:
        renderer = self.renderer
        names = [renderer.host_names.get(variable), renderer.device_names.get(variable)]
        return next((values[name] for name in names if name is not None and name in values), None)

    def report(self) -> Report:
        """Where each part is computed, and how."""
        return Report(self.renderer.title, self.device.name, self.renderer.entries, self.records.rung, self.records.why)

    def free(self) -> None:
        """Let go of memory kept between calls."""
        self.records.free()

    @property
    def source(self) -> str:
        """The program, with the kernels it has launched so far."""
        return f"{self.renderer.writer.text()}\n\n{self.kernels.text()}"


class _Locks:
    """The locks of the shared values a program reads or changes, in one order everywhere.

    Values on a device are written in place: who reads several of them must see those of one moment.
    """

    def __init__(self, plan: Plan) -> None:
        changed = {u.target for u in plan.updates}
        used = {v.container.serial: v.container for v in [*plan.shared, *changed]
                if v in changed or v.container.memory is not None}
        self.locks = [used[serial].lock for serial in sorted(used)]

    def __enter__(self) -> None:
        taken = 0
        try:
            for lock in self.locks:
                lock.acquire()
                taken += 1
        except BaseException:
            for lock in reversed(self.locks[:taken]):
                lock.release()
            raise

    def __exit__(self, *error: object) -> None:
        for lock in reversed(self.locks):
            lock.release()
