"""Scans as Python loops in the text of the function they are part of.

The arrays a loop gives are made before it, and a step computes into their rows where it can; what it needs for itself
is scratch of the whole function, taken before the loop. Lengths that follow from those of what the loop reads are
compared before it, the others in each step.
"""

from __future__ import annotations

from typing import Any

from backends.numpy.lowering import lower
from backends.numpy.render import Renderer
from backends.source import tuple_text
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.plan import Buffer, Length, Loop, Step, Use
from symgraph.plan.loop import check_length, check_steps, result_changes, state_changes

__all__ = ["LoopRenderer"]


class LoopRenderer(Renderer):
    """Writes a loop into the function of another renderer.

    Parameters
    ----------
    outer : Renderer
    node : Apply
        Of a `Loop`.
    args, targets : list of str
        The names of its inputs and outputs.
    """

    def __init__(self, outer: Renderer, node: Apply, args: list[str], targets: list[str]) -> None:
        self.op: Loop = node.op
        super().__init__(self.op.plan, outer.title)
        self.outer, self.node = outer, node
        self.writer, self.names, self.counters = outer.writer, outer.names, outer.counters
        self.workspaces.scratch = outer.workspaces.scratch
        self.args, self.targets = self.op.inputs(args), self.op.outputs(targets)
        self.results = self.op.outputs([*node.outputs])
        assert outer.writer.current is not None
        self.place: Step = outer.writer.current
        self.fronts: dict[Variable, tuple[str, int]] = {}  # by input of a step, its array outside and the axes in front
        self.steps = self.counter = ""
        self.rows: dict[str, str] = {}  # by what a step calls it, what is gone through
        self.goes_to: dict[Variable, list[str]] = {}  # by result of a step, the rows it goes to
        self.last_out: str | None = None   # into what the last step was to compute
        self.homes: dict[str, str] = {}  # by result of a step that is in a row, the row

    # ---- lengths ------------------------------------------------------------------------------------------------

    def axis(self, variable: Variable, axis: int) -> str:
        found = self.fronts.get(variable)
        if found is None or (variable, axis) in self.measured:
            return super().axis(variable, axis)
        return f"{found[0]}.shape[{axis + found[1]}]"

    def _is_before(self, lengths: Any) -> bool:
        """Whether lengths follow from those of what the loop reads."""
        return all(isinstance(n, int) or self._source(n) is not None for n in lengths)

    def _source(self, length: Length) -> tuple[Variable, int] | None:
        return next((s for s in length.find().sources if s[0] in self.fronts), None)

    def _length(self, length: int | Length) -> str:
        if isinstance(length, int):
            return str(length)
        source = self._source(length)
        assert source is not None
        return self.measure(*source)

    # ---- the loop -----------------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write all of it."""
        self._check()
        self._name_inputs()
        kept, traces = self._make_arrays()
        for buffer in dict.fromkeys(b for b in self.plan.buffers if b.use is Use.SCRATCH and b.shape is not None):
            if buffer in self.workspaces.kernels and self.workspaces._is_known(buffer, 0):
                self.workspaces.array(buffer, 0)
        counter = self.counter = self.writer.fresh("step")
        self.counters[self.place] = (*self.counters.get(self.place, ()), (counter, str(self.op)))
        for step in self.plan.steps:
            self.counters[step] = self.counters[self.place]
        if self.op.until:
            self.writer.line(f"{self.targets.steps} = {self.steps}")
        for name, initial in zip(self.states, self.args.states, strict=True):
            self.writer.line(f"{name} = {initial}")
        going = ", ".join([counter, *self.rows])
        along = ", ".join([f"range({self.steps})", *self.rows.values()])
        header = f"for {going} in zip({along}):" if self.rows else f"for {counter} in range({self.steps}):"
        with self.writer.indented(header, f"{self.op}  {self.node.origin}"):
            self._step(kept, traces)
        self.writer.current = self.place
        self._finish(kept, traces)

    def _check(self) -> None:
        """The number of steps, and the lengths of the sequences."""
        line, steps = self.writer.line, self.node.inputs[0]
        if isinstance(steps, Constant):
            self.steps = str(int(steps.data))
        else:
            self.steps = self.writer.fresh("steps")
            line(f"{self.steps} = int({self.args.steps})")
            with self.writer.indented(f"if {self.steps} < 0:"):
                line(f"{self.writer.bind(check_steps, 'check')}({str(self.op)!r}, {self.steps})")
        sequences = self.op.inputs(self.node.inputs).sequences
        for name, x, slot in zip(self.args.sequences, sequences, self.op.slots.sequences, strict=True):
            if isinstance(steps, Constant) and x.type.shape[0] == int(steps.data):
                continue
            with self.writer.indented(f"if len({name}) != {self.steps}:"):
                bound = self.writer.bind(slot, "element")
                line(f"{self.writer.bind(check_length, 'check')}({str(self.op)!r}, {bound}, len({name}), {self.steps})")

    def _name_inputs(self) -> None:
        slots, read = self.op.slots, {v for step in self.plan.steps for v in step.node.inputs}
        read |= {o.variable for o in self.plan.outputs}
        for slot, name in zip(slots.sequences, self.args.sequences, strict=True):
            self.fronts[slot] = name, 1
            self.names[slot] = self.writer.fresh("e")
            if slot in read:
                self.rows[self.names[slot]] = name
        self.states = []
        for slot, name in zip(slots.states, self.args.states, strict=True):
            self.fronts[slot] = name, 0
            self.states.append(self.writer.fresh("h"))
            self.names[slot] = self.states[-1]
        for slot, name in zip(slots.fixed, self.args.fixed, strict=True):
            self.fronts[slot] = name, 0
            self.names[slot] = name
        for constant in self.plan.constants:
            self.names[constant] = self.writer.bind(constant.data, "const")

    def _make_arrays(self) -> tuple[dict[int, str], dict[int, str]]:
        """The histories and collected values that can be made before the loop; where a step can compute into a row."""
        kept, traces = {}, {}
        outputs = [o.variable for o in self.plan.outputs]
        for i, target in self.targets.histories.items():
            slot, v = self.op.slots.states[i], outputs[i]
            self._same_shape(i, slot, v)
            initial, dtype = self.args.states[i], self.dtype(v.type.dtype)
            shape = tuple_text([f"{self.steps} + 1", *(self._axis_before(slot, a) for a in range(slot.type.ndim))])
            self.writer.line(f"{target} = np.empty({shape}, {dtype})")
            self.writer.line(f"{target}[0] = {initial}")
            kept[i] = target
            self._row(v, f"{target}[1:]", self._agrees(i))
        for m, target in enumerate(self.targets.traces):
            v = outputs[self.op.n_states + m]
            lengths = self.plan.lengths.of(v)
            if not self._is_before(lengths):
                self.writer.line(f"{target} = None")
                continue
            shape = tuple_text([self.steps, *map(self._length, lengths)])
            self.writer.line(f"{target} = np.empty({shape}, {self.dtype(v.type.dtype)})")
            traces[m] = target
            self._row(v, target, True)
        return kept, traces

    def _axis_before(self, slot: Variable, axis: int) -> str:
        known = slot.type.shape[axis]
        return str(known) if known is not None else self.measure(slot, axis)

    def _agrees(self, i: int) -> bool:
        """Whether it is known before the loop what shape the next value of a state has."""
        return self._is_before(self.plan.lengths.of(self.plan.outputs[i].variable))

    def _same_shape(self, i: int, slot: Variable, v: Variable) -> None:
        """Compare, before the loop, the lengths of a state and of its next value that are not the same for sure."""
        if slot not in self.op.read or not self._agrees(i):
            return
        pairs = [(a, b) for a, b in zip(self.plan.lengths.of(slot), self.plan.lengths.of(v), strict=True) if a is not b
                 and a != b]
        tests = [f"{self._length(a)} != {self._length(b)}" for a, b in pairs]
        if tests:
            with self.writer.indented(f"if {self.steps} and ({' or '.join(tests)}):"):
                before, after = (tuple_text(list(map(self._length, self.plan.lengths.of(u)))) for u in (slot, v))
                self.writer.line(f"{self.writer.bind(state_changes, 'check')}({str(slot)!r}, {before}, {after})")

    def _row(self, v: Any, along: str, sure: bool) -> None:
        """A result goes into a row of an array; where possible it is computed there."""
        if v.type.ndim == 0:
            return
        name = self.writer.fresh("row")
        self.rows[name] = along
        self.goes_to.setdefault(v, []).append(name)
        block = self.plan.blocks[v]
        if sure and block.root is v and isinstance(block.buffer, Buffer) and block.buffer not in self.arrays:
            self.arrays[block.buffer] = name
            self.plain.add(name)
            self.homes[name] = name

    # ---- a step -------------------------------------------------------------------------------------------------

    def _step(self, kept: dict[int, str], traces: dict[int, str]) -> None:
        for step in self.plan.steps:
            self.step(step)
        self.writer.current = self.place
        outputs = [o.variable for o in self.plan.outputs]
        for i, slot in enumerate(self.op.slots.states):
            if slot in self.op.read and not self._agrees(i) and self._may_differ(slot, outputs[i]):
                self._compare(self.states[i], outputs[i], slot)
        for i, target in kept.items():
            if outputs[i].type.ndim == 0:
                self.writer.line(f"{target}[{self.counter} + 1] = {self.names[outputs[i]]}")
        for m, target in enumerate(self.targets.traces):
            v = outputs[self.op.n_states + m]
            if m not in traces:
                self._collect(target, v)
            elif v.type.ndim == 0:
                self.writer.line(f"{target}[{self.counter}] = {self.names[v]}")
        for v, rows in self.goes_to.items():
            for row in rows:
                if self.homes.get(self.names[v]) != row:
                    self.writer.line(f"{row}[...] = {self.names[v]}")
        moved = [(name, self.names[v]) for name, v in zip(self.states, outputs, strict=False) if name != self.names[v]]
        if moved:
            self.writer.line(f"{', '.join(a for a, _ in moved)} = {', '.join(b for _, b in moved)}")
        if self.op.until:
            with self.writer.indented(f"if {self.names[outputs[-1]]}:"):
                self.writer.line(f"{self.targets.steps} = {self.counter} + 1")
                self.writer.line("break")

    def step(self, step: Step) -> None:
        super().step(step)
        row = self.homes.get(self.last_out or "")
        if row is not None and self.taken:
            self.homes[self.names[step.node.outputs[0]]] = row

    def _destination(self, step: Step) -> str | None:
        self.last_out = super()._destination(step)
        return self.last_out

    def _may_differ(self, slot: Variable, v: Variable) -> bool:
        return self.plan.lengths.of(slot) != self.plan.lengths.of(v)

    def _compare(self, state: str, v: Variable, slot: Variable) -> None:
        name = self.names[v]
        with self.writer.indented(f"if {name}.shape != {state}.shape:"):
            self.writer.line(f"{self.writer.bind(state_changes, 'check')}({str(slot)!r}, {state}.shape, {name}.shape)")

    def _collect(self, target: str, v: Any) -> None:
        """Keep a result whose shape is not known before it is there."""
        name = self.names[v]
        with self.writer.indented(f"if {target} is None:"):
            self.writer.line(f"{target} = np.empty(({self.steps}, *{name}.shape), {self.dtype(v.type.dtype)})")
        with self.writer.indented(f"if {name}.shape != {target}.shape[1:]:"):
            check = self.writer.bind(result_changes, "check")
            self.writer.line(f"{check}({str(self.op)!r}, {self.counter}, {target}.shape[1:], {name}.shape)")
        self.writer.line(f"{target}[{self.counter}] = {name}")

    # ---- behind the loop ----------------------------------------------------------------------------------------

    def _finish(self, kept: dict[int, str], traces: dict[int, str]) -> None:
        """Bring the results of the loop into their form."""
        line, targets, made = self.writer.line, self.targets, self.targets.steps
        for m, target in enumerate(targets.traces):
            if m not in traces:
                arrays = ", ".join([self.steps, *self.args.sequences, *self.args.states, *self.args.fixed])
                with self.writer.indented(f"if {target} is None:"):
                    shapes, dtype = self.writer.bind(self.op.shapes_of_traces, "shapes"), self.op.traced[m].type.dtype
                    line(f"{target} = np.empty((0, *{shapes}(({arrays},))[{m}]), {self.dtype(dtype)})")
        if self.op.until:
            for target in kept.values():
                line(f"{target} = {target}[:{made} + 1]")
            for target in targets.traces:
                line(f"{target} = {target}[:{made}]")
            line(f"{made} = np.int64({made})")
        for target, name, result in zip(targets.final, self.states, self.results.final, strict=True):
            wanted = self.outer.monitor is not None or self.outer.is_read_after(result, self.place.index)
            line(f"{target} = {f'np.array({name})' if wanted else name}")


@lower(Loop)
def _loop(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    LoopRenderer(r, node, args, target.split(", ")).write()
    return None
