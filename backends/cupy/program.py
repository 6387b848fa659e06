"""The CuPy backend: from a plan to a program that runs on a GPU, or on a device emulated for tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from backends.cupy import runtime
from backends.cupy.devices.device import Device
from backends.cupy.execution import Direct, DoesNotFit, Errors, Kernels
from backends.cupy.language.draws import is_drawn
from backends.cupy.language.scalars import is_supported
from backends.cupy.order import Turn
from backends.cupy.records import Records
from backends.cupy.render import Renderer
from backends.cupy.report import Report, float64_in
from backends.cupy.storage import DeviceMemory
from backends.cupy.watched import Look, one_by_one
from symgraph.backend import Pack, Program
from symgraph.config import config
from symgraph.graph.basic import Variable
from symgraph.plan import Plan, Step
from symgraph.plan.items import Item, Sample
from symgraph.plan.jobs import Abilities, Launch, launches_of
from symgraph.scalar import ScalarFunction
from symgraph.tensor.type import TensorType

__all__ = ["CupyBackend", "CupyProgram", "Programs"]


#: What a program is compiled by.
_FLAGS = ("cuda_fallback", "cuda_graph", "matmul_precision")


def _computes(item: Item) -> bool:
    """Whether there is CUDA C for an item's elements."""
    if isinstance(item.meaning, Sample):
        return is_drawn(item.meaning.draw)
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
        programs = Programs(self, plan, name, pack, accept, monitor, clock)
        made = Program(programs.run, programs.call, programs.source, programs.step_at, programs.free,
                       inside=programs.inside, many=programs.many, report=programs.report)

        def show_kernels() -> None:
            made.source = programs.source

        programs.kernels.listener = show_kernels
        return made


class Programs:
    """The programs of one plan: which steps share a launch depends on lengths that only arguments tell.

    A product of large matrices is the library's, that of rows by a small matrix goes with what surrounds it. Each
    program is right for arguments of any lengths; for new ones the plan is looked at again, and if other launches
    would be better, there is another program.

    Parameters
    ----------
    backend : CupyBackend
    plan : Plan
    title : str
    pack, accept, monitor, clock
        See `symgraph.backend.Backend`.
    """

    def __init__(self, backend: CupyBackend, plan: Plan, title: str, pack: Pack,
                 accept: Sequence[Callable[[Any], Any]], monitor: Any = None, clock: Any = None) -> None:
        self.backend, self.plan, self.title, self.pack, self.accept = backend, plan, title, pack, list(accept)
        self.monitor, self.clock = monitor, clock
        self.flags = {name: getattr(config, name) for name in _FLAGS}  # hold for what is compiled later, too
        self.kernels, self.errors, self.locks = Kernels(backend.device), Errors(backend.device), Locks(plan)
        self.guard = threading.RLock()  # a program's memory, and its error word, are one call's at a time
        self.turn = _turn(backend, plan)  # and one stream's
        self.made: dict[Any, CupyProgram] = {}
        sizes = {v: v.container.value.shape for v in plan.shared if isinstance(v.type, TensorType)}
        backend.memory.order.before((), (), self.turn.own)
        self.current = self._program(sizes)
        backend.memory.order.after((), (), self.turn.own)

    def _program(self, sizes: Mapping[Variable, Sequence[int]], alone: bool = False) -> CupyProgram:
        """The program for some sizes; with every step alone where kernels have no room for more."""
        with config.change_flags(**self.flags):
            return self._compiled(sizes, alone)

    def _compiled(self, sizes: Mapping[Variable, Sequence[int]], alone: bool) -> CupyProgram:
        renderer = Renderer(self.plan, self.title, self.backend.device, self.backend.target, self.monitor, self.clock)
        on_host = renderer.host_values()
        if self.monitor is not None or alone:
            line = one_by_one(self.plan, self.monitor, abilities(), set(on_host))
        else:
            line = launches_of(self.plan, sizes, abilities(), on_host)
        signature = _signature(line, self.plan)
        found = self.made.get(signature)
        if found is None:
            renderer.quiet = bool(self.made)
            renderer.render(line, self.kernels, self.errors, abilities())
            found = self.made[signature] = CupyProgram(self.backend, renderer, self)
        return found

    # ---- running --------------------------------------------------------------------------------------------

    def run(self, *values: Any) -> Any:
        """Compute the outputs and commit the updates."""
        with self.locks, self.guard, self.turn:
            program = self.current
            found = program.records.again(values)
            if found is not None:
                return program.packed(*found)
            passed = program.arguments(*values)
            found = program.records.replayed(passed, values)
            if found is not None:
                return program.packed(*found)
            program, passed = self._fitting(values, passed)
            found = program.records.replayed(passed, values)
            if found is not None:  # which was another one
                return program.packed(*found)
            try:
                found = program.records.run(passed)
            except DoesNotFit:
                alone = program.fitting[program.shapes(passed)] = self._program({}, alone=True)
                program, self.current, passed = alone, alone, alone.arguments(*values)
                program.fitting[program.shapes(passed)] = program
                found = program.records.run(passed)
            return program.packed(*found)

    def call(self, *values: Any) -> Any:
        """The same, checking and converting each value first."""
        return self.run(*map(self.current.accepted, self.plan.inputs, self.accept, values))

    def inside(self, *values: Any) -> list[Any]:
        """The same for a program of the same device: values on the device stay there, but for single numbers."""
        device = self.backend.device
        values = tuple(runtime.fetch(device, value) if getattr(v.type, "ndim", None) == 0 else value
                       for v, value in zip(self.plan.inputs, values, strict=True))
        with self.locks, self.guard, self.turn:
            program, passed = self._fitting(values, self.current.arguments(*values))
            return program.computed(passed)

    def many(self, rows: Sequence[tuple[Any, ...]]) -> Any:
        """The outputs of a call for each row of arguments, stacked."""
        with self.locks, self.guard, self.turn:
            values = tuple(map(self.current.accepted, self.plan.inputs, self.accept, rows[0]))
            if len(values) == len(rows[0]) == len(self.accept):
                self._fitting(values, self.current.arguments(*values))
            return self.current.records.many(rows)

    def _fitting(self, values: Sequence[Any], passed: Any) -> tuple[CupyProgram, Any]:
        """The program for some arguments, and what is passed to it, given what is passed to the present one."""
        program = self.current
        if self.monitor is not None:
            return program, passed
        shapes = program.shapes(passed)
        better = program.fitting.get(shapes)
        if better is None:
            sizes = dict(zip(program.renderer.roots.values(), shapes, strict=True))
            better = program.fitting[shapes] = self._program(sizes)
        if better is not program:
            program = self.current = better
            passed = program.arguments(*values)
            program.fitting[program.shapes(passed)] = program
        return program, passed

    # ---- looking --------------------------------------------------------------------------------------------

    @property
    def source(self) -> str:
        """The program run last, with all kernels launched so far."""
        return f"{self.current.renderer.writer.text()}\n\n{self.kernels.text()}"

    def step_at(self, error: BaseException) -> tuple[Step, list[Any]] | None:
        """The step an error comes from, and the values it read."""
        return next((place for program in self.made.values() if (place := program.step_at(error)) is not None), None)

    def report(self) -> Report:
        """Where each part of the program run last is computed, and how."""
        return self.current.report()

    def free(self) -> None:
        """Let go of memory kept between calls."""
        for program in self.made.values():
            program.records.free()


def _turn(backend: CupyBackend, plan: Plan) -> Turn:
    """The block in which a plan's shared values on the device are used."""
    written = {u.target.container: None for u in plan.updates if u.target.container.memory is not None}
    read = {v.container: None for v in plan.shared if v.container.memory is not None}
    return Turn(backend.memory.order, [storage for storage in read if storage not in written], list(written))


def _signature(line: Sequence[Any], plan: Plan) -> Any:
    """What tells the launches of one line from those of another."""
    def of(part: Any) -> Any:
        if isinstance(part, Launch):
            return tuple((job.kind, tuple(str(item.meaning) for item in job.items.values()),
                          tuple(v for v in job.outputs if v in plan.blocks)) for job in part.jobs)
        return id(part.step) if isinstance(part, Look) else part.node

    return tuple(map(of, line))


class CupyProgram:
    """A plan, ready to run.

    Parameters
    ----------
    backend : CupyBackend
    renderer : Renderer
        That has written the program.
    programs : Programs
        Of which it is one.
    """

    def __init__(self, backend: CupyBackend, renderer: Renderer, programs: Programs) -> None:
        self.device, self.memory = backend.device, backend.memory
        self.errors, self.locks, self.accept = programs.errors, programs.locks, programs.accept
        self.direct = Direct(backend.device)
        self.plan, self.renderer = renderer.plan, renderer
        #: By the shapes of the arrays passed, the program that is best.
        self.fitting: dict[Any, CupyProgram] = {}
        writer = renderer.writer
        names = [f"r{i}" for i in range(len(self.plan.outputs))]
        expression, bound = programs.pack(names)
        writer.line("")
        writer.line("")
        with writer.indented(f"def packed({', '.join(names)}):"):
            writer.line(f"return {expression}")
        writer.namespace.update(bound)
        namespace = writer.compile(renderer.title)
        self.arguments, self.launches, self.packed = (namespace[n] for n in ("arguments", "launches", "packed"))
        self._arrays = [renderer.passed.index(name) for name in renderer.roots]
        self.records = Records(self)

    def shapes(self, passed: Sequence[Any]) -> tuple[tuple[int, ...], ...]:
        """The shapes of the arrays passed."""
        return tuple([passed[i].shape for i in self._arrays])

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
            return self.memory.copied(value)
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
        entries = self.renderer.entries
        return Report(self.renderer.title, self.device.name, entries, self.records.rung, self.records.reasons,
                      self.records.arena, float64_in(self.plan, entries))


class Locks:
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
