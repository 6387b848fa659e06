"""From a plan to the text of a program for a GPU: two Python functions, and the CUDA C of the kernels they launch.

``arguments`` does what the host does in every call: it moves arguments, reads shared values, reckons positions and
lengths, and cuts views. ``launches`` takes what it gives and says what the device does. For arguments of the same
lengths, that is the same every time, at other addresses; so it can be recorded (see `backends.cupy.recording`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from backends.cupy import runtime
from backends.cupy.array_functions import check
from backends.cupy.execution import Errors, Kernels, Launcher, lengths_of
from backends.cupy.lowering import VIEWS
from backends.cupy.overwriting import Overwriting
from backends.cupy.placement import Place, place_all
from backends.cupy.report import Entry
from backends.cupy.steps import expression_of
from backends.cupy.watched import Look
from backends.source import SourceWriter, printable, tuple_text
from symgraph.graph.basic import Constant, Variable
from symgraph.plan import Guard, Plan, Step
from symgraph.plan.jobs import Abilities, Launch, launches_of
from symgraph.tensor.dims import shown_type
from symgraph.tensor.subtensor import ARRAY, Subtensor
from symgraph.tensor.type import TensorType

__all__ = ["Renderer"]


class Renderer:
    """Writes the program of one plan.

    Attributes
    ----------
    passed : list of str
        What ``launches`` takes, in order: values that ``arguments`` returns.
    roots : dict of str to Variable
        Those of them that are arrays of the device.
    direct : list of str
        Why what the device does cannot be recorded; empty when it can.
    entries : list of Entry
        For the report.
    """

    def __init__(self, plan: Plan, title: str, device: Any, memory: str, monitor: Any = None,
                 clock: Any = None, nested: Collection[Variable] | None = None) -> None:
        self.plan, self.title, self.device, self.memory = plan, title, device, memory
        self.is_nested = nested is not None
        self.monitor, self.clock = monitor, clock
        self.quiet = False  # whether all was said before
        self.placement = place_all(plan, memory, nested)
        self.numbers = {v for v, place in self.placement.places.items() if place is Place.NUMBER}
        self.writer = SourceWriter({"np": np, "xp": device.xp, "put": runtime.put, "fetch": runtime.fetch, "D": device})
        self.device_names: dict[Variable, str] = {}
        self.host_names: dict[Variable, str] = {}
        self.integers: dict[Variable, str] = {}
        self.early: set[str] = set()       # names that `arguments` makes
        self.early_values: set[Variable] = set()
        self.in_launches = False
        self.passed: list[str] = []
        self.roots: dict[str, Variable] = {}
        self.direct: list[str] = []
        self.entries: list[Entry] = []
        self.line: list[Launch | Step] = []
        self.returned: list[int | None] = []  # for each output, where it is passed
        self.targets: dict[Any, int] = {}  # where the present values of shared variables are passed
        self.fixed: set[str] = set()       # values of the host for one of which a record holds
        self.before: list[Step] = []       # what `arguments` does
        self.storages: dict[Any, str] = {}
        self.last_reader: dict[Variable, Launch | Step] = {}

    def host_values(self) -> list[Variable]:
        """What the host computes."""
        return [v for step in self.plan.steps for v in step.node.outputs if self.placement.is_on_host(v)]

    def nested(self, plan: Plan, on_host: Collection[Variable]) -> Renderer:
        """The program of a plan inside this one, written: it takes all but some inputs on the device, and all it does
        there it does in ``launches``, so that who records this program records that one."""
        inner = Renderer(plan, f"a step in {self.title}", self.device, self.memory, nested=on_host)
        inner.quiet = self.quiet
        on_device = [v for v in plan.inputs if v not in on_host]
        line = launches_of(plan, None, self.abilities, inner.host_values(), on_device)
        inner.render(line, self.kernels, self.errors, self.abilities)
        return inner

    # ---- what rows use --------------------------------------------------------------------------------------

    def may_write_on(self, variable: Variable) -> bool:
        """Whether nobody looks on, and a value is not one that is passed to ``launches``."""
        return self.monitor is None and self.device_names.get(variable, "") not in {"", *self.early}

    @property
    def d(self) -> str:
        """What makes arrays and launches: in `launches`, whoever runs or records it."""
        return "d" if self.in_launches else "D"

    def xp(self, name: str) -> str:
        """How a function of the device's array library is written; what calls one is not recorded."""
        check(name)
        self.by_library(name)
        return f"xp.{name}"

    def by_library(self, what: str) -> None:
        """Note that a step is computed by the array library, whose memory and launches are its own."""
        step = self.writer.current
        self.direct.append(f"{what} is a function of the array library"
                           + (f", at {step.node.origin}" if step is not None else ""))
        self.entries[-1].kernel = f"library: {what}"

    def synchronises(self, what: str) -> None:
        """Note that the host waits for a value of the device within a call."""
        step = self.writer.current
        self.entries[-1].transfers.append(what)
        if self.in_launches:
            self.direct.append(f"{what}" + (f", at {step.node.origin}" if step is not None else ""))

    def dev(self, variable: Variable) -> str:
        """The name of a value's array on the device; what is on the host is moved there."""
        name = self.device_names.get(variable)
        if name is not None:
            return self._use(name, variable)
        if isinstance(variable, Constant):
            name = self.device_names[variable] = self.writer.fresh("c")
            self.writer.namespace[name] = self.device.to_device(np.asarray(variable.data))
            return name
        source = self.host(variable)
        name = self.writer.fresh("d")
        self.writer.line(f"{name} = put(D, {source})")
        if self.in_launches:
            self.direct.append(f"{variable} is moved to the device within the program")
        else:
            self.early.add(name)
        if self.entries and not (variable in self.plan.inputs and self.is_nested and not self.placement.is_on_host(
            variable)
        ):  # which is there already
            self.entries[-1].transfers.append(f"{printable(str(variable))} to the device")
        self.device_names[variable] = name
        return self._use(name, variable)

    def host(self, variable: Variable) -> str:
        """The name of a value on the host; what is on the device is fetched, for which the host waits."""
        name = self.host_names.get(variable)
        if name is not None:
            if self.in_launches:
                self.fixed.add(name)
            text = self._use(name)
            return f"np.int64({text})" if variable in self.numbers else text
        if isinstance(variable, Constant):
            name = self.host_names[variable] = self.writer.fresh("c")
            self.writer.namespace[name] = variable.data
            return name
        source = self.dev(variable)
        name = self.writer.fresh("h")
        self.writer.line(f"{name} = fetch(D, {source})")
        self.synchronises(f"{printable(str(variable))} to the host")
        if not self.in_launches:
            self.early.add(name)
        self.host_names[variable] = name
        return self._use(name)

    def value(self, variable: Variable) -> str:
        """The name of a value where it is."""
        return self.host(variable) if self.placement.is_on_host(variable) else self.dev(variable)

    def scalar(self, variable: Variable, by_value: bool = False) -> str:
        """A single number of the host, as NumPy's or Python's.

        What is recorded holds for one value of it, unless it is passed to a kernel `by_value`.
        """
        name = self.host_names[variable] if variable in self.host_names else self.host(variable)
        self._use(name)
        if not by_value:
            self.fixed.add(name)
        return name if variable in self.numbers else f"{name}[()]"

    def number(self, variable: Variable) -> str:
        """A position or length, as an integer of Python."""
        if isinstance(variable, Constant):
            return str(int(variable.data))
        if variable in self.numbers:
            name = self.host_names[variable]
        else:
            if variable not in self.integers:
                source = self.host(variable)
                self.integers[variable] = self.writer.fresh("i")
                self.writer.line(f"{self.integers[variable]} = int({source})")
                if not self.in_launches:
                    self.early.add(self.integers[variable])
            name = self.integers[variable]
        if self.in_launches:
            self.fixed.add(name)
        return self._use(name)

    def _use(self, name: str, variable: Variable | None = None) -> str:
        if self.in_launches and name in self.early:
            if name not in self.passed:
                self.passed.append(name)
            if variable is not None:
                self.roots[name] = variable
        return name

    # ---- the two functions ----------------------------------------------------------------------------------

    def render(self, line: Sequence[Launch | Step | Look], kernels: Kernels, errors: Errors,
               abilities: Abilities) -> None:
        """Write the whole program."""
        self.abilities = abilities
        self.line = [part for part in line if not isinstance(part, Look)]
        self.overwriting = Overwriting(self.plan, self.line)
        self.kernels, self.errors = kernels, errors
        self._name_leaves()
        for work in self.line:
            self.last_reader.update(dict.fromkeys(work.inputs if isinstance(work, Launch) else work.node.inputs, work))
            for guard in [g for step in (work.steps if isinstance(work, Launch) else [work]) for g in step.guards]:
                places = (guard.left, guard.right, *(p for p in guard.tested if isinstance(p, tuple)))
                self.last_reader.update((variable, work) for variable, _ in places)
        early = [part for part in line if self._is_early(part)]
        self.before = [part for part in early if isinstance(part, Step)]
        waiting = [part for part in line if part not in early]
        names = [self.host_names[v] for v in self.plan.inputs]
        with self.writer.indented(f"def arguments({', '.join(names)}):", self.title):
            self._begin_arguments()
            for part in early:
                self._part(part)
            self.writer.current = None
            end = len(self.writer.lines)
            self.writer.line("return")
        self.writer.line("")
        self.writer.line("")
        start = len(self.writer.lines)
        self.in_launches = True
        with self.writer.indented("def launches():"):
            self._write_launches(waiting)
        self.writer.lines[end] = f"    return {tuple_text(self.passed)}"
        self.writer.lines[start] = f"def launches({', '.join(['d', *self.passed])}):"

    def _write_launches(self, line: Sequence[Launch | Step | Look]) -> None:
        if self.clock is not None:
            self.writer.namespace["clock"] = self.clock
            self.writer.line("lap = clock()")
            self.direct.append("calls are timed, launch by launch")
        if self.monitor is not None:
            self.direct.append("every step is looked at")
        self._lap(len(self.plan.steps))
        for part in line:
            self._part(part)
            self._drop(part)
        self.writer.current = None
        self.targets = {u.target: self.passed.index(self.dev(u.target)) for u in self.plan.updates
                        if u.target.device != "cpu"}
        results = tuple_text([self._result(o.variable) for o in self.plan.outputs])
        new = tuple_text([self._new_value(u.target, u.variable) for u in self.plan.updates])
        self._lap(len(self.plan.steps) + 1)
        if self.clock is not None:
            self.writer.line("lap.done()")
        self.writer.line(f"return {results}, {new}")

    def _part(self, part: Launch | Step | Look) -> None:
        if isinstance(part, Look):
            self._look(part)
        elif isinstance(part, Launch):
            self.launch(part, self.kernels, self.errors)
            self._lap(part.steps[0].index)
        else:
            self._step(part)
            self._lap(part.index)

    def _lap(self, place: int) -> None:
        """Charge the time since the last lap to a step, when the device is done."""
        if self.clock is not None and self.in_launches:
            self.writer.line("D.synchronize()")
            self.writer.line(f"lap({place})")

    def _look(self, look: Look) -> None:
        """Show a step to the monitor."""
        node = look.step.node
        self.writer.current = look.step
        self.writer.namespace["monitor"] = self.monitor
        step = self.writer.bind(look.step, "step")
        inputs = tuple_text([self.host(v) for v in node.inputs])
        if look.before:
            self.writer.line(f"monitor.before({step}, {inputs})")
        else:
            self.writer.line(f"monitor({step}, {inputs}, {tuple_text([self.host(v) for v in node.outputs])})")

    def _drop(self, part: Launch | Step | Look) -> None:
        """Let go of arrays that nothing reads any more."""
        if isinstance(part, Look) or self.monitor is not None:
            return
        results = {o.variable for o in self.plan.outputs} | {u.variable for u in self.plan.updates}
        read = part.inputs if isinstance(part, Launch) else part.node.inputs
        names = [self.device_names.get(v) for v in dict.fromkeys(read)
                 if self.last_reader.get(v) is part and v not in results and not isinstance(v, Constant)]
        gone = [name for name in names if name is not None and name not in self.early]
        if gone:
            self.writer.line(f"del {', '.join(gone)}")

    def _result(self, variable: Variable) -> str:
        """What is returned for an output; numbers that are passed are returned whatever they are."""
        name = self.host_names.get(variable)
        if name not in self.early or not self.placement.is_on_host(variable):
            self.returned.append(None)
            return self.value(variable)
        assert name is not None
        self._use(name)
        self.returned.append(self.passed.index(name))
        return f"np.int64({name})" if variable in self.numbers else name

    def _new_value(self, target: Any, variable: Variable) -> str:
        return self.host(variable) if target.device == "cpu" else self.dev(variable)

    def _name_leaves(self) -> None:
        for i, variable in enumerate(self.plan.inputs):
            self.host_names[variable] = f"x{i}"
            self.early.add(f"x{i}")
            self.early_values.add(variable)
        self.early_values.update(self.plan.shared)
        self.early_values.update(self.plan.constants)
        for variable in [*self.plan.shared, *(u.target for u in self.plan.updates)]:
            if variable not in self.storages:
                self.storages[variable] = f"S{len(self.storages)}"
                self.writer.namespace[self.storages[variable]] = variable.container

    def _begin_arguments(self) -> None:
        for variable in self.plan.inputs:
            name = f"  {variable.name or ''}  {variable.origin}" if variable.origin else ""
            self.writer.line(printable(f"# {self.host_names[variable]}: {shown_type(variable)}{name}"))
        self.entries.append(Entry("arguments", [], "host"))
        for variable in self.plan.inputs:
            if self.placement[variable] is Place.DEVICE and self._is_read_on_device(variable):
                self.dev(variable)
        read = dict.fromkeys([*self.plan.shared, *(u.target for u in self.plan.updates if u.target.device != "cpu")])
        for i, variable in enumerate(read):
            name = f"s{i}"
            comment = f"{shown_type(variable)}  {variable.name or ''}  {variable.origin}"
            where = self.device_names if variable.device != "cpu" else self.host_names
            where[variable] = name
            how = "value" if where is self.device_names else "present()"
            self.writer.line(f"{name} = {self.storages[variable]}.{how}", comment)
            self.early.add(name)
        for named in self.plan.named:
            self._compare(named)

    def _is_read_on_device(self, variable: Variable) -> bool:
        """Whether anything but a step of the host reads an argument."""
        results = [o.variable for o in self.plan.outputs] + [u.variable for u in self.plan.updates]
        return variable in results or any(
            variable in step.node.inputs and not all(self.placement.is_on_host(v) for v in step.node.outputs)
            for step in self.plan.steps)

    def _compare(self, named: Any) -> None:
        """Axes whose lengths have one name: they differ in no call that goes on."""
        (first, axis), *others = [(self.value(variable), axis) for variable, axis in named.places]
        tests = " or ".join(f"{first}.shape[{axis}] != {other}.shape[{j}]" for other, j in others)
        self.writer.namespace["misnamed"] = runtime.misnamed
        with self.writer.indented(f"if {tests}:", printable(named.name)):
            shown = (self.title, named.name, [(str(variable), j) for variable, j in named.places])
            arrays = ", ".join(self.value(variable) for variable, _ in named.places)
            self.writer.line(f"misnamed({self.writer.bind(shown, 'named')}, {arrays})")

    def _is_early(self, part: Launch | Step | Look) -> bool:
        """Whether a step can be done before anything is launched; then it is, in `arguments`."""
        if not isinstance(part, Step) or self.monitor is not None or self.is_nested or not all(
            v in self.early_values for v in part.node.inputs
        ):
            return False
        node = part.node
        view = isinstance(node.op, VIEWS) and not (isinstance(node.op, Subtensor) and ARRAY in node.op.spec)
        if not view and not all(self.placement.is_on_host(v) for v in node.outputs):
            return False
        self.early_values.update(node.outputs)
        return True

    # ---- a launch -------------------------------------------------------------------------------------------

    def launch(self, launch: Launch, kernels: Kernels, errors: Errors) -> None:
        """Write one launch."""
        self.writer.current = launch.steps[0]
        name = f"k{launch.index}"
        done = ", ".join(dict.fromkeys(str(step.node.op) for step in launch.steps))
        by = f"launch {launch.index}: {name} ({', '.join(job.kind for job in launch.jobs)})"
        self.entries.append(Entry(done, launch.steps, "device", by))
        self.guard([guard for step in launch.steps for guard in step.guards])
        scalars = [v for v in launch.scalars if not isinstance(v, Constant)]
        arrays = [self.dev(v) for v in launch.inputs]
        numbers = [self.scalar(v, by_value=True) for v in scalars]
        bare = [text.removesuffix("[()]") for text in numbers]
        places = [self.passed.index(text) if text in self.passed and not self.is_nested else None
                  for text in [*arrays, *bare]]
        over = self.overwriting.by_launch(launch)
        launcher = Launcher(launch, kernels, errors, places, scalars, over, name, self.entries[-1])
        self.writer.namespace[name] = launcher
        lengths = lengths_of(launch)
        self.fixed.update(text for v, text in zip(scalars, bare, strict=True) if v in lengths)
        targets = [self.writer.fresh("t") for _ in launch.outputs]
        types = ", ".join(str(v.type) for v in launch.outputs)
        self.writer.line(f"{', '.join(targets)}, = {name}(d, {tuple_text(arrays)}, {tuple_text(numbers)})",
                         f"{types}  {launch.steps[-1].node.origin}")
        self.device_names.update(zip(launch.outputs, targets, strict=True))

    # ---- one step -------------------------------------------------------------------------------------------

    def _step(self, step: Step) -> None:
        node, writer = step.node, self.writer
        writer.current = step
        self.entries.append(Entry(str(node.op), [step], "host"))
        self.guard(step.guards)
        on_host = all(self.placement.is_on_host(v) for v in node.outputs)
        expression = expression_of(self, step, on_host)
        targets = [writer.fresh("n" if v in self.numbers else "h" if on_host else "t") for v in node.outputs]
        types = ", ".join(str(v.type) for v in node.outputs)
        writer.line(f"{', '.join(targets)} = {expression}", f"{types}  {node.origin}")
        for variable, name in zip(node.outputs, targets, strict=True):
            (self.host_names if on_host else self.device_names)[variable] = name
            if not self.in_launches:
                self.early.add(name)
        if not on_host and self.entries[-1].kernel == "":
            self.entries[-1].device, self.entries[-1].kernel = "view", "view"

    # ---- guards ---------------------------------------------------------------------------------------------

    def guard(self, guards: Sequence[Guard]) -> None:
        """Write the tests of lengths that some applications need."""
        for guard in guards:
            left, right = (self._length(place) for place in guard.tested)
            if left is None or right is None:
                continue  # of a value inside a kernel: the launch tests it
            a, b = (self._shape(v) for v, _ in (guard.left, guard.right))
            self.writer.namespace["mismatch"] = runtime.mismatch
            with self.writer.indented(f"if {left} != {right}:"):
                kind = ", IndexError" if guard.node.op.unfit is IndexError else ""
                axes = [(guard.left[1], guard.right[1])]
                if a and b:
                    self.writer.line(f"mismatch({str(guard.node.op)!r}, {a}, {b}, {axes}{kind})")
                else:
                    self.writer.line(f"mismatch({str(guard.node.op)!r}, ({left},), ({right},), [(0, 0)]{kind})")

    def _length(self, place: int | tuple[Variable, int]) -> str | None:
        if isinstance(place, int):
            return str(place)
        shape = self._shape(place[0])
        return None if shape is None else f"{shape}[{place[1]}]"

    def _shape(self, variable: Variable) -> str | None:
        """The expression of a value's shape, if it is there."""
        if isinstance(variable, Constant) and isinstance(variable.type, TensorType):
            return str(np.shape(variable.data))
        name = self.device_names.get(variable) or self.host_names.get(variable)
        if name is None:
            return None
        return f"{self._use(name, variable if variable in self.device_names else None)}.shape"
