"""From a plan to the text of a Python function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from backends.numpy import blas, commits, runtime
from backends.numpy.lowering import lowering_of, needs_no_counting
from backends.numpy.performing import performer
from backends.numpy.tiles import render_kernel
from backends.numpy.workspaces import Workspaces
from backends.source import SourceWriter, printable, tuple_text
from symgraph.backend import Pack
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.plan import Buffer, Guard, LazyIfElse, Length, Loop, Plan, Step, Use, find_numbers, takes_number
from symgraph.shared import committing
from symgraph.tensor.dims import shown_type
from symgraph.tensor.products import Dot
from symgraph.tensor.subtensor import IncSubtensor
from symgraph.tensor.type import TensorType, tensor_type

__all__ = ["Renderer"]

_LOCKS_IN_A_ROW = 12  # Python nests at most 20 blocks

_POSITION = tensor_type("int64", ())


class Renderer:
    """Writes the function of one plan."""

    def __init__(self, plan: Plan, title: str, monitor: Any = None, clock: Any = None) -> None:
        self.plan = plan
        self.title = title
        self.monitor = monitor
        self.clock = clock
        self.writer = SourceWriter({"np": runtime.numpy_by_name})
        self.names: dict[Variable, str] = {}
        self.arrays: dict[Buffer, str] = {}    # the variable whose array a buffer is, from its first use on
        self.plain: set[str] = set()           # variables whose arrays are known to be in C order
        self.measured: dict[tuple[Variable, int], str] = {}
        self.cells: dict[tuple[Variable, Variable], str] = {}  # indices to the objects that stand for them
        self.anew: set[Step] = set()           # steps that make an array although there is one to compute into
        self.read_by: dict[Variable, list[Apply]] = {}
        for step in plan.steps:
            for variable in dict.fromkeys(step.node.inputs):
                self.read_by.setdefault(variable, []).append(step.node)
        self.guarded = {place[0] for step in plan.steps for g in step.guards for place in (g.left, g.right, *g.tested)
                        if isinstance(place, tuple)}
        self.made_at = {v: step.index for step in plan.steps for v in step.node.outputs}
        self.read_at = {v: step.index for step in plan.steps for v in step.node.inputs}
        for variable in [o.variable for o in plan.outputs] + [u.variable for u in plan.updates]:
            self.read_at[variable] = len(plan.steps)
        results = [o.variable for o in plan.outputs] + [u.variable for u in plan.updates]
        self.numbers = find_numbers(plan.steps, results) if monitor is None else set()
        self.integers: dict[Variable, str] = {}  # integers of Python that arrays were converted to
        self.unwrapped: dict[str, str] = {}      # arrays of no dimensions from outside, as scalars
        self.counts: set[Variable] = set()     # vectors of which only the length is there, as a number
        self.late = monitor is None and any(
            step.commits or (step.kernel is not None and step.kernel.over) for step in plan.steps)
        self.storages: dict[Any, str] = {}
        self.workspaces = Workspaces(self, plan)
        self.counters: dict[Step, tuple[tuple[str, str], ...]] = {}  # of the loops a step is in, and what they are
        self.taken = False                     # whether the last expression computes into the array it was offered
        self.large = False                     # whether the lines are run on large arrays only

    # ---- what lowerings use ---------------------------------------------------------------------------------

    def line(self, code: str, node: Apply | None = None) -> None:
        """A line of the function; with a node, commented with its type and the user's line."""
        self.writer.line(code, f"{_types(node)}  {node.origin}" if node is not None else "")

    def dtype(self, name: str) -> str:
        """How a dtype is written."""
        return "np.bool" if name == "bool" else f"np.{name}"

    def scalar(self, variable: Variable) -> str:
        """How a 0-d input of scalar arithmetic is written: ufuncs take 0-d arrays faster, operators scalars."""
        name = self.names[variable]
        if isinstance(variable, Constant):
            self.writer.namespace[f"{name}n"] = variable.data[()]
            return f"{name}n"
        return self.unwrapped.get(name, name)

    def into(self, out: str | None, keyword: bool = True) -> str:
        """The end of an argument list: the array to compute into, if there is one.

        By position it is quicker than by keyword, which most of NumPy's functions of elements allow.
        """
        if out is None:
            return ""
        self.taken = True
        return f", out={out}" if keyword else f", {out}"

    def is_plain(self, out: str) -> bool:
        """Whether an array to compute into is known to be in C order. Scratch is; results are in any order."""
        return out in self.plain or out.startswith("spare_array(")

    def is_count(self, variable: Variable) -> bool:
        """Whether ``arange(n)`` need not be an array, since nobody needs more of it than n."""
        readers = self.readers(variable)
        return readers is not None and needs_no_counting(self, variable, readers)

    def readers(self, variable: Variable) -> list[Apply] | None:
        """The applications that read a variable; None where somebody else does: a caller, a monitor, or a guard."""
        if self.monitor is not None or self.read_at.get(variable) == len(self.plan.steps) or variable in self.guarded:
            return None
        return self.read_by.get(variable, [])

    def positions(self) -> list[int]:
        """The inputs, by their places, that are read as positions and lengths only, and so may be numbers of Python."""
        found = []
        for place, variable in enumerate(self.plan.inputs):
            readers = self.readers(variable) if variable.type == _POSITION else None
            if readers and all(takes_number(node, i, self.numbers) for node in readers
                               for i, v in enumerate(node.inputs) if v is variable):
                found.append(place)
        return found

    def performer(self, node: Apply) -> Callable[..., Any]:
        """A node's own `perform`, as a function from arrays to results."""
        return performer(node, self.writer.current.copies if self.writer.current is not None else ())

    # ---- the function ---------------------------------------------------------------------------------------

    def render(self, pack: Pack) -> None:
        """Write the whole function."""
        plan = self.plan
        for i, variable in enumerate(plan.inputs):
            self.names[variable] = f"x{i}"
            if isinstance(variable.type, TensorType) and variable.type.ndim == 0:
                self.unwrapped[f"x{i}"] = f"{self.dtype(variable.type.dtype)}(x{i})"  # which takes trusted numbers too
        for i, variable in enumerate(plan.constants):
            self.names[variable] = f"c{i}"
            self.writer.namespace[f"c{i}"] = variable.data
        for variable in [*plan.shared, *(u.target for u in plan.updates)]:
            if variable not in self.storages:
                self.storages[variable] = f"S{len(self.storages)}"
                self.writer.namespace[self.storages[variable]] = variable.container
        with self.writer.indented(f"def run({', '.join(self.names[v] for v in plan.inputs)}):", self.title):
            self._legend()
            if self.clock is not None:
                self.writer.namespace["clock"] = self.clock
                self.writer.line("lap = clock()")
            if plan.updates:
                with self.writer.indented(f"with {self._locks()}:"):
                    self._body(pack)
            else:
                self._body(pack)

    def render_entry(self, accept: Sequence[Callable[[Any], Any]]) -> None:
        """Write the function that checks what the caller passes: nothing is done for values that are right already."""
        names = [self.names[v] for v in self.plan.inputs]
        self.writer.line("")
        self.writer.line("")
        with self.writer.indented(f"def call({', '.join(names)}):", "checks the arguments, then runs"):
            for name, variable, filter_value in zip(names, self.plan.inputs, accept, strict=True):
                kind = variable.type
                convert = self.writer.bind(filter_value, "accept")
                if isinstance(kind, TensorType) and set(kind.shape) <= {None}:
                    dtype = f"dtype_{kind.dtype}"
                    self.writer.namespace[dtype] = kind.numpy_dtype
                    fits = f"{name}.dtype is {dtype} and {name}.ndim == {kind.ndim}"
                    with self.writer.indented(f"if not (type({name}) is np.ndarray and {fits}):"):
                        self.writer.line(f"{name} = {convert}({name})")
                else:
                    self.writer.line(f"{name} = {convert}({name})")
            self._own(names)
            self.writer.line(f"return run({', '.join(names)})")

    def _own(self, names: list[str]) -> None:
        """An argument that may be written on is copied where that would not be its own affair."""
        for name, variable in zip(names, self.plan.inputs, strict=True):
            if self.plan.blocks[variable].writable:
                self.writer.namespace["own"] = runtime.own
                self.writer.line(f"{name} = own({', '.join([name, *(other for other in names if other != name)])})")

    def _legend(self) -> None:
        for variable in self.plan.inputs:
            self.writer.line(printable(f"# {self.names[variable]}: {shown_type(variable)}  {_name(variable)}"))
        for variable in self.plan.constants:
            if getattr(variable.type, "ndim", None) == 0 or variable.name:
                self.writer.line(printable(f"# {self.names[variable]} = {_name(variable)}: {variable.type}"))

    def _locks(self) -> str:
        """The locks of the shared values that change, in one order everywhere, so that none waits in a circle."""
        targets = sorted((u.target for u in self.plan.updates), key=lambda target: target.container.serial)
        if len(targets) <= _LOCKS_IN_A_ROW:
            return ", ".join(f"{self.storages[target]}.lock" for target in targets)
        return self.writer.bind(runtime.Locks([target.container.lock for target in targets]), "locks")

    def _body(self, pack: Pack) -> None:
        self._read_shared()
        self._compare_named()
        inside = any(isinstance(step.node.op, (LazyIfElse, Loop)) for step in self.plan.steps)
        scratch = self.workspaces.is_needed(inside)
        if scratch:
            self.workspaces.take()
        self.lap(len(self.plan.steps))
        for step in self.plan.steps:
            if step.commits and self.late:
                self._put_off(step)
            elif step.kernel is None or self.monitor is not None:  # a monitor sees every step's whole results
                self.step(step)
            elif step is step.kernel.steps[0]:
                render_kernel(self, step.kernel)
        self.writer.current = None
        results = [self._handed_out(o.variable, o.copy) for o in self.plan.outputs]
        if self.late or self.clock is not None:  # what is handed out of old values is copied before
            for i, result in enumerate(results):
                if not result.isidentifier():
                    results[i] = self.writer.fresh("r")
                    self.writer.line(f"{results[i]} = {result}")
        values = [self._handed_out(u.variable, u.copy) for u in self.plan.updates]
        self._commit(values)
        if scratch:  # only now: what is computed at the commit reads it
            self.workspaces.give_back()
        self.lap(len(self.plan.steps) + 1)
        if self.clock is not None:
            self.writer.line("lap.done()")
        expression, names = pack(results)
        self.writer.namespace.update(names)
        self.writer.line(f"return {expression}")

    def _put_off(self, step: Step) -> None:
        """Prepare what the commit computes over a shared value."""
        self.writer.current = step
        self.guard(step)
        name = self.names[step.node.outputs[0]] = self.writer.fresh("t")
        op, given = step.node.op, [self.names[v] for v in step.node.inputs]
        if isinstance(op, IncSubtensor):
            self.writer.namespace["changed"] = commits.changed
            given.insert(0, self.writer.bind(op, op.verb))
            self.line(f"{name} = changed({', '.join(given)})", step.node)
        else:
            self.writer.namespace["product"] = blas.product
            self.line(f"{name} = product({', '.join(given)})", step.node)
        self.lap(step.index)

    def lap(self, place: int) -> None:
        """Charge the time since the last lap to a step; behind the steps, to what comes before or after them."""
        if self.clock is not None:
            self.writer.line(f"lap({place})")

    def _read_shared(self) -> None:
        shared = self.plan.shared
        for i, variable in enumerate(shared):
            self.names[variable] = f"s{i}"
            self.unwrapped[f"s{i}"] = f"s{i}[()]"

        def read() -> None:
            for variable in shared:
                value = f"{self.storages[variable]}.value"
                self.writer.line(f"{self.names[variable]} = {value}", f"{shown_type(variable)}  {_name(variable)}")

        if len(shared) > 1:
            self.writer.namespace["committing"] = committing
            with self.writer.indented("with committing:"):
                read()
        elif shared:
            read()
            name = self.names[shared[0]]
            with self.writer.indented(f"if {name} is None:"):
                self.writer.line(f"{name} = {self.storages[shared[0]]}.present()")

    def _compare_named(self) -> None:
        """Axes whose lengths have one name: they differ in no call that goes on."""
        for named in self.plan.named:
            (first, axis), *others = [(self.names[variable], axis) for variable, axis in named.places]
            tests = " or ".join(f"{first}.shape[{axis}] != {other}.shape[{j}]" for other, j in others)
            self.writer.namespace["misnamed"] = runtime.misnamed
            with self.writer.indented(f"if {tests}:", printable(named.name)):
                shown = (self.title, named.name, [(str(variable), j) for variable, j in named.places])
                arrays = ", ".join(self.names[variable] for variable, _ in named.places)
                self.writer.line(f"misnamed({self.writer.bind(shown, 'named')}, {arrays})")

    def alternate(self, target: Any, variable: Variable) -> None:
        """Where a shared variable's values live in two arrays in turn, keep the present one for the next but one."""
        buffer = self.plan.blocks[variable].buffer
        if buffer is not None and buffer.use is Use.UPDATE:
            self.writer.line(f"{self.storages[target]}.spare = {self.storages[target]}.value")

    def _commit(self, values: list[str]) -> None:
        """Everything is computed: put the new values in place, all of them."""
        updates = self.plan.updates
        if not updates:
            return
        final = []
        for i, value in enumerate(values):
            if value.isidentifier():
                final.append(value)
            else:
                self.writer.line(f"u{i} = {value}")
                final.append(f"u{i}")

        storages = [self.storages[u.target] for u in updates]
        late = {variable for kernel in self.plan.kernels for variable in kernel.over}
        for update in updates:
            if self.monitor is not None or update.variable not in late:
                self.alternate(update.target, update.variable)
        if len(updates) == 1 and not self.late:
            self.writer.line(f"{storages[0]}.value = {final[0]}", _name(updates[0].target))
            return
        self.writer.namespace["committing"] = committing
        for update in updates if self.late else ():  # a view of ours must not count as somebody else's
            block = self.plan.blocks.get(update.target)
            for view in block.members if block is not None else ():
                if view is not update.target and view in self.names:
                    self.writer.line(f"{self.names[view]} = None")
        with self.writer.indented("with committing:"):
            names = ", ".join(str(u.target.name or "?") for u in updates)
            together = "commit_late" if self.late else "commit"
            self.writer.namespace[together] = commits.commit_late if self.late else runtime.commit
            self.writer.line(f"{together}({tuple_text(storages)}, {tuple_text(final)})", names)
        if self.clock is not None and self.late:
            made = [(s.index, self.names[s.node.outputs[0]]) for s in self.plan.steps if s.commits]
            self.writer.line(f"lap.products({tuple_text([f'({i}, {name})' for i, name in made])})")

    def _handed_out(self, variable: Variable, copy: bool) -> str:
        name = self.names[variable]
        if copy:
            return f"np.array({name})"
        if isinstance(variable.type, TensorType) and variable.type.ndim == 0:
            return f"np.asarray({name})"
        return name

    # ---- one step -------------------------------------------------------------------------------------------

    def step(self, step: Step) -> None:
        """Write one step, on whole arrays."""
        node, writer = step.node, self.writer
        writer.current = step
        args = [self._argument(node, i) for i in range(len(node.inputs))]
        if step.kernel is None or self.monitor is not None:
            self.guard(step)
        if self.monitor is not None:
            writer.namespace["monitor"] = self.monitor
            bound, inputs = writer.bind(step, "step"), tuple_text([self.names[v] for v in node.inputs])
            if hasattr(self.monitor, "before"):
                writer.line(f"monitor.before({bound}, {inputs})")
                if self.clock is not None:
                    writer.line("lap.skip()")
        out = self._destination(step)
        if out in args and set(node.outputs[0].type.shape) == {1}:  # which ufuncs do not find to lie over itself
            out = None
            self.anew.add(step)
        targets = [writer.fresh("t") for _ in node.outputs]
        target = ", ".join(targets)
        expression = self.lowered(node, args, target, out)
        if expression is not None:
            self.line(f"{target} = {expression}", node)
        if out is not None and not self.taken:
            self.anew.add(step)
        if isinstance(node.op, Dot) or (self.taken and out in self.plain):
            self.plain.add(target)
        for output, name in zip(node.outputs, targets, strict=True):
            self.names[output] = name
            buffer = self.plan.blocks[output].buffer
            if buffer is not None and self.plan.blocks[output].root is output:
                self.arrays[buffer] = name
        self.lap(step.index)
        if self.monitor is not None:
            writer.line(f"monitor({bound}, {inputs}, ({target},))")
            if self.clock is not None:
                writer.line("lap.skip()")

    def lowered(self, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
        """The expression of a node's result, or None when its lines are written; `taken` tells what became of `out`."""
        self.taken = False
        expression = lowering_of(node.op)(self, node, args, target, out)
        if expression is None and out is not None:
            self.taken = True
        return expression

    def _argument(self, node: Apply, place: int) -> str:
        """How an input is written: a number of Python where one will do, else the array."""
        variable = node.inputs[place]
        if variable in self.numbers or not takes_number(node, place, self.numbers):
            return self.names[variable]
        if isinstance(variable, Constant):
            return str(int(variable.data))
        if variable not in self.integers:
            self.integers[variable] = self.writer.fresh("i")
            self.writer.line(f"{self.integers[variable]} = int({self.names[variable]})")
        return self.integers[variable]

    def _destination(self, step: Step) -> str | None:
        """The expression of the array a step computes into."""
        into = step.into
        if into is None or step.commits:
            return None
        if isinstance(into, Variable):
            return self.names[into]
        if into in self.arrays:
            return self.arrays[into]
        if into.use is Use.FRESH or into.shape is None:
            return None
        return self.buffer_array(into, step.index)

    def measure_destination(self, step: Step) -> None:
        """Read off the lengths of the array a step will need."""
        into = step.into
        if isinstance(into, Buffer) and into not in self.arrays and into.use is not Use.FRESH and into.shape:
            self.shape(into.shape)

    def buffer_array(self, into: Buffer, before: int) -> str:
        """The expression that gives the array of a buffer, of the right shape, before a step."""
        assert into.shape is not None
        if into.use is Use.SCRATCH:
            return self.workspaces.array(into, before)
        shape = self.shape(into.shape)
        assert into.update is not None
        self.writer.namespace["spare_array"] = runtime.spare_array
        storage = self.storages[self.plan.updates[into.update].target]
        return f"spare_array({storage}, {shape}, {self.dtype(into.dtype)})"

    def shape(self, shape: tuple[int | tuple[Variable, int], ...]) -> str:
        """A shape as a tuple expression; an unknown length is read off an array, once."""
        return tuple_text([str(part) if isinstance(part, int) else self.measure(*part) for part in shape])

    def measure(self, variable: Variable, axis: int) -> str:
        """The name of an axis's length, which is read off the array once."""
        name = self.measured.get((variable, axis))
        if name is None:
            text, name = self.axis(variable, axis), self.writer.fresh("n")
            self.measured[variable, axis] = name
            self.writer.line(f"{name} = {text}")
        return name

    def axis(self, variable: Variable, axis: int) -> str:
        """An axis's length as an expression."""
        name = self.names[variable]
        if variable in self.counts:
            return name
        return self.measured.get((variable, axis)) or (f"len({name})" if axis == 0 else f"{name}.shape[{axis}]")

    def length(self, length: int | Length, before: int) -> str:
        """A length as an expression of what is there before a step, if possible of what that step's kernel reads.

        Lengths may be found equal by a test that comes later only.
        """
        if isinstance(length, int):
            return str(length)
        kernel = self.plan.steps[before].kernel
        near = [v for v in (kernel.inputs if kernel is not None else ()) if self._is_there(v, before)]
        near.sort(key=lambda v: self.made_at.get(v, -1))
        sources = [(v, axis) for v in near for axis, n in enumerate(self.plan.lengths.of(v)) if n is length]
        known = next((self.measured[source] for source in sources if source in self.measured), None)
        if known is None:
            variable, axis = sources[0] if sources else next(s for s in length.sources if self._is_there(s[0], before))
            known = self.axis(variable, axis)
        return known

    def shape_of(self, variable: Variable, before: int, tested: dict[int, str] | None = None) -> str:
        """A shape as an expression of what is there before a step; `tested` says the lengths of some axes."""
        if self._is_there(variable, before) and variable not in self.counts:
            return f"{self.names[variable]}.shape"
        return tuple_text([(tested or {}).get(axis) or self.length(n, before)
                           for axis, n in enumerate(self.plan.lengths.of(variable))])

    def _tested(self, place: int | tuple[Variable, int]) -> str:
        return str(place) if isinstance(place, int) else self.axis(*place)

    def _is_there(self, variable: Variable, before: int) -> bool:
        return self.made_at.get(variable, -1) < before

    def is_read_after(self, variable: Variable, index: int) -> bool:
        """Whether a step behind a given one reads a variable, or it is a result."""
        return self.read_at.get(variable, -1) > index

    def guard(self, step: Step) -> None:
        """Write the tests of lengths a step needs."""
        pairs: dict[tuple[Apply, Variable, Variable], list[Guard]] = {}
        for guard in step.guards:
            pairs.setdefault((guard.node, guard.left[0], guard.right[0]), []).append(guard)
        for (node, a, b), guards in pairs.items():
            ndim = a.type.ndim
            whole = len({g.left[1] for g in guards}) == ndim == b.type.ndim and ndim > 1 and all(
                g.tested == (g.left, g.right) and g.left[1] == g.right[1] for g in guards)
            tests = [f"{self.names[a]}.shape != {self.names[b]}.shape"] if whole else [
                " != ".join(map(self._tested, g.tested)) for g in guards]
            self.writer.namespace["mismatch"] = runtime.mismatch
            with self.writer.indented(f"if {' or '.join(tests)}:"):
                axes = list(dict.fromkeys((g.left[1], g.right[1]) for g in guards))
                self.writer.current = self.plan.steps[self.made_at[node.outputs[0]]]
                left = self.shape_of(a, step.index, {g.left[1]: self._tested(g.tested[0]) for g in guards})
                right = self.shape_of(b, step.index, {g.right[1]: self._tested(g.tested[1]) for g in guards})
                kind = ", IndexError" if node.op.unfit is IndexError else ""
                self.writer.line(f"mismatch({str(node.op)!r}, {left}, {right}, {axes}{kind})")
                self.writer.current = step


def _types(node: Apply) -> str:
    return ", ".join(str(o.type) for o in node.outputs)


def _name(variable: Any) -> str:
    origin = f"  {variable.origin}" if getattr(variable, "origin", None) else ""
    return f"{variable.name or (variable.data if hasattr(variable, 'data') else '')}{origin}"
