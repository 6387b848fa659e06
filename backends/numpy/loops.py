"""Scans as Python loops in the text of the function they are part of.

The arrays a loop gives are made before it, and a step computes into their rows where it can. A state without a history
lives in two arrays in turn, or in one that a step overwrites. What the loop needs for itself, and results that do not
leave the function, is scratch of the whole function, taken before the loop. Lengths that follow from those of what the
loop reads are compared before it, the others in each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
        self.unwrapped = outer.unwrapped
        self.workspaces.scratch = outer.workspaces.scratch
        self.args, self.targets = self.op.inputs(args), self.op.outputs(targets)
        self.results = self.op.outputs([*node.outputs])
        self.given: list[Any] = [o.variable for o in self.plan.outputs]  # by a step
        assert outer.writer.current is not None
        self.place: Step = outer.writer.current
        self.fronts: dict[Variable, tuple[str, int]] = {}  # by input of a step, its array outside and the axes in front
        self.steps = self.counter = ""
        self.states: list[str] = []
        self.spare: dict[int, str] = {}          # by state, the array its next value is computed into
        self.in_front = False                    # whether what is written stands before the loop
        self.compared: set[int] = set()          # tests that are made before the loop
        self.single: dict[int, str] = {}         # by state that no step reads, the array its values are computed into
        self.along: dict[str, str] = {}          # by what a step calls it, what is gone through
        self.goes_to: list[tuple[Any, str]] = []  # results of a step, and the rows they go to
        self.sure_rows: dict[Any, str] = {}      # by result, a row that is known to have its shape
        self.last_out: str | None = None         # into what the last step was to compute
        self.homes: dict[str, str] = {}          # by array, the row or state it is
        self.within: dict[str, str] = {}         # by array, the row or state it is a view of

    # ---- lengths ------------------------------------------------------------------------------------------------

    def axis(self, variable: Variable, axis: int) -> str:
        found = self.fronts.get(variable)
        if found is None or (variable, axis) in self.measured:
            return super().axis(variable, axis)
        return f"{found[0]}.shape[{axis + found[1]}]"

    def length(self, length: int | Length, before: int) -> str:
        part = self._part(length) if self.in_front else None
        return super().length(length, before) if part is None else self._tested(part)

    def _is_there(self, variable: Variable, before: int) -> bool:
        return variable in self.fronts if self.in_front else super()._is_there(variable, before)

    def _part(self, length: int | Length) -> int | tuple[Variable, int] | None:
        """A length, or the axis of what the loop reads that has it; None where it does not follow from those."""
        if isinstance(length, int):
            return length
        return next((s for s in length.find().sources if s[0] in self.fronts), None)

    def _parts(self, variable: Variable) -> list[int | tuple[Variable, int]] | None:
        """The same for all axes, or None."""
        found = [self._part(n) for n in self.plan.lengths.of(variable)]
        return None if None in found else found  # type: ignore[return-value]

    def _text(self, parts: Sequence[int | tuple[Variable, int]]) -> list[str]:
        return [str(part) if isinstance(part, int) else self.measure(*part) for part in parts]

    # ---- before the loop ----------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write all of it."""
        self._check()
        self._name_inputs()
        self._compare_before()
        self._make_arrays()
        self._start_states()
        counter = self.counter = self.writer.fresh("step")
        self.counters[self.place] = (*self.counters.get(self.place, ()), (counter, str(self.op)))
        for step in self.plan.steps:
            self.counters[step] = self.counters[self.place]
        if self.op.until:
            self.writer.line(f"{self.targets.steps} = {self.steps}")
        going = ", ".join([counter, *self.along])
        along = ", ".join([f"range({self.steps})", *self.along.values()])
        header = f"for {going} in zip({along}):" if self.along else f"for {counter} in range({self.steps}):"
        with self.writer.indented(header, f"{self.op}  {self.node.origin}"):
            self._step()
        self.writer.current = self.place
        self._finish()

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
        slots, read = self.op.slots, {v for step in self.plan.steps for v in step.node.inputs} | set(self.given)
        for slot, name in zip(slots.sequences, self.args.sequences, strict=True):
            self.fronts[slot] = name, 1
            self.names[slot] = self.writer.fresh("e")
            if slot in read:
                self.along[self.names[slot]] = self._in_order(name)
        for slot, name in zip(slots.states, self.args.states, strict=True):
            self.fronts[slot] = name, 0
            self.states.append(self.writer.fresh("h"))
            self.names[slot] = self.states[-1]
        for slot, name in zip(slots.fixed, self.args.fixed, strict=True):
            self.fronts[slot] = name, 0
            self.names[slot] = name
        for constant in self.plan.constants:
            self.names[constant] = self.writer.bind(constant.data, "const")

    def _compare_before(self) -> None:
        """Tests of lengths of what the loop reads are made once."""
        found = {}
        for step in self.plan.steps:
            before = [g for g in step.guards if all(isinstance(p, int) or p[0] in self.fronts for p in g.tested)
                      and self._parts(g.left[0]) is not None and self._parts(g.right[0]) is not None]
            if before:
                found[step] = before
        if not found:
            return
        rows = {slot: self.names[slot] for slot in self.fronts}
        self.names.update((slot, f"{name}[0]" if front else name) for slot, (name, front) in self.fronts.items())
        self.in_front = True
        with self.writer.indented(f"if {self.steps}:"):
            for step, before in found.items():
                super().guard(replace(step, guards=before))
        self.in_front = False
        self.compared.update(id(g) for before in found.values() for g in before)
        self.names.update(rows)
        self.writer.current = self.place

    def _in_order(self, name: str) -> str:
        """The rows of an array in the order of the steps."""
        return f"{name}[::-1]" if self.op.backwards else name

    def _make_arrays(self) -> None:
        """The histories and collected values that can be made before the loop, the arrays of states, and scratch."""
        made: dict[str, Buffer | str] = {}
        for i, target in self.targets.histories.items():
            self._same_shape(i)
            slot = self.op.slots.states[i]
            parts = [n if n is not None else (slot, axis) for axis, n in enumerate(slot.type.shape)]
            made[target] = self._array(self.results.histories[i], 1, parts)
        for m, target in enumerate(self.targets.traces):
            found = self._parts(self.given[self.op.n_states + m])
            made[target] = "None" if found is None else self._array(self.results.traces[m], 0, found)
        for i in self.op.mutable:
            self._same_shape(i)
            slot = self.op.slots.states[i]
            parts = [n if n is not None else (slot, axis) for axis, n in enumerate(slot.type.shape)]
            made[self.states[i]] = self._scratch(slot.type.dtype, parts)
            if self._is_exclusive(i):
                self.spare[i] = self.writer.fresh("spare")
                made[self.spare[i]] = self._scratch(slot.type.dtype, parts)
        for i, slot in enumerate(self.op.slots.states):
            if slot not in self.op.read and slot.type.ndim and self._is_exclusive(i):  # only its last value is wanted
                self.single[i] = self.writer.fresh("last")
                made[self.single[i]] = self._scratch(slot.type.dtype, self._parts(self.given[i]) or [])
        for buffer in self.plan.buffers:
            if buffer in self.workspaces.kernels and self.workspaces._is_known(buffer, 0):
                self.workspaces.array(buffer, 0)
        for target, array in made.items():
            text = self.workspaces.array(array, 0) if isinstance(array, Buffer) else array
            self.writer.line(f"{target} = {text}")
        for i, target in self.targets.histories.items():
            self.writer.line(f"{target}[0] = {self.args.states[i]}")
            self._row(self.given[i], f"{target}[1:]", self._parts(self.given[i]) is not None)
        for m, target in enumerate(self.targets.traces):
            if made[target] != "None":
                self._row(self.given[self.op.n_states + m], self._in_order(target), True)

    def _array(self, result: Variable, more: int, parts: Sequence[int | tuple[Variable, int]]) -> Buffer | str:
        """An array with a row for each step and `more`: scratch, where it does not leave the function."""
        kind: Any = result.type
        front = f"{self.steps} + {more}" if more else self.steps
        if self.steps.isdigit():
            front = str(int(self.steps) + more)
        if self._leaves(result):
            return f"np.empty({tuple_text([front, *self._text(parts)])}, {self.dtype(kind.dtype)})"
        if front.isdigit():
            return self._scratch(kind.dtype, [int(front), *parts])
        name = front
        if more:
            name = self.writer.fresh("n")
            self.writer.line(f"{name} = {front}")
        self.measured[result, 0] = name
        return self._scratch(kind.dtype, [(result, 0), *parts])

    def _leaves(self, result: Variable) -> bool:
        """Whether the memory of a result is handed out, or lives on in another loop."""
        plan = self.outer.plan
        block = plan.blocks[result]
        inside = isinstance(self.outer, LoopRenderer)
        results: list[Any] = [*plan.outputs, *plan.updates]
        return self.outer.monitor is not None or any(
            plan.blocks[o.variable] is block for o in results if inside or not o.copy)

    def _scratch(self, dtype: str, parts: Sequence[int | tuple[Variable, int]]) -> Buffer:
        buffer = Buffer(-1, dtype, (), tuple(parts))
        self.workspaces.kernels[buffer] = None
        self.workspaces.waiting.setdefault(None, {})[buffer] = None
        return buffer

    def _same_shape(self, i: int) -> None:
        """Compare, before the loop, the lengths of a state and of its next value that are not the same for sure."""
        slot, v = self.op.slots.states[i], self.given[i]
        found = self._parts(v)
        if slot not in self.op.read or found is None:
            return
        mine = [n if n is not None else (slot, axis) for axis, n in enumerate(slot.type.shape)]
        lengths = zip(self.plan.lengths.of(slot), self.plan.lengths.of(v), strict=True)
        apart = [axis for axis, (a, b) in enumerate(lengths) if a is not b and a != b]
        if not apart:
            return
        before, after = self._text(mine), self._text(found)
        tests = " or ".join(f"{before[axis]} != {after[axis]}" for axis in apart)
        with self.writer.indented(f"if {self.steps} and ({tests}):"):
            check = self.writer.bind(state_changes, "check")
            self.writer.line(f"{check}({str(slot)!r}, {tuple_text(before)}, {tuple_text(after)})")

    def _is_exclusive(self, i: int) -> bool:
        """Whether the next value of a state can be computed into an array of its own."""
        block = self.plan.blocks[self.given[i]]
        return isinstance(block.buffer, Buffer) and block.root is self.given[i] and block.buffer.use is Use.FRESH and (
            self._parts(self.given[i]) is not None and sum(self.plan.blocks[v] is block for v in self.given) == 1)

    def _row(self, v: Any, along: str, sure: bool) -> None:
        """A result goes into a row of an array; where possible it is computed there."""
        if v.type.ndim == 0:
            return
        name = self.writer.fresh("row")
        self.along[name] = along
        self.goes_to.append((v, name))
        self.homes[name] = name
        if sure:
            self.sure_rows.setdefault(v, name)
            self._compute_into(v, name)

    def _compute_into(self, v: Any, array: str) -> None:
        """Let a step compute a result into an array."""
        block = self.plan.blocks[v]
        self.plain.add(array)
        if block.root is v and isinstance(block.buffer, Buffer) and block.buffer not in self.arrays:
            self.arrays[block.buffer] = array

    def _start_states(self) -> None:
        for i, (name, initial) in enumerate(zip(self.states, self.args.states, strict=True)):
            if i in self.op.mutable:
                self.writer.line(f"{name}[...] = {initial}")
                self.homes[name] = name
                self.plain.add(name)
            else:
                self.writer.line(f"{name} = {initial}")
            if i in self.single:
                self._compute_into(self.given[i], self.single[i])
            if i in self.spare:
                self.homes[self.spare[i]] = self.spare[i]
                self._compute_into(self.given[i], self.spare[i])

    def guard(self, step: Step) -> None:
        rest = [g for g in step.guards if id(g) not in self.compared]
        if rest:
            super().guard(replace(step, guards=rest))
            self.writer.current = step

    # ---- a step -------------------------------------------------------------------------------------------------

    def step(self, step: Step) -> None:
        super().step(step)
        home = self.homes.get(self.last_out or "")
        if home is not None and self.taken:
            self.homes[self.names[step.node.outputs[0]]] = home
        for place, sources in step.node.op.view_map.items():
            within = self._memory(self.names[step.node.inputs[sources[0]]])
            if within is not None:
                self.within[self.names[step.node.outputs[place]]] = within

    def _memory(self, name: str) -> str | None:
        """The row or state in whose memory an array lives, as a whole or in part."""
        return self.homes.get(name) or self.within.get(name)

    def _destination(self, step: Step) -> str | None:
        found = super()._destination(step)
        if isinstance(step.into, Variable):  # what is to be in a row anyway need not go over something else first
            found = self.sure_rows.get(step.node.outputs[0], found)
        self.last_out = found
        return found

    def _step(self) -> None:
        for step in self.plan.steps:
            self.step(step)
        self.writer.current = self.place
        line, given = self.writer.line, self.given
        for i, slot in enumerate(self.op.slots.states):
            if slot in self.op.read and self._parts(given[i]) is None:
                self._compare(self.states[i], given[i], slot)
        for i, target in self.targets.histories.items():
            if given[i].type.ndim == 0:
                line(f"{target}[{self.counter} + 1] = {self.names[given[i]]}")
        for m, target in enumerate(self.targets.traces):
            v = given[self.op.n_states + m]
            place = f"{self.steps} - 1 - {self.counter}" if self.op.backwards else self.counter
            if self._parts(v) is None:
                self._collect(target, v, place)
            elif v.type.ndim == 0:
                line(f"{target}[{place}] = {self.names[v]}")
        for v, row in self.goes_to:
            if self.homes.get(self.names[v]) != row:
                line(f"{row}[...] = {self.names[v]}")
        self._move_on()
        if self.op.until:
            with self.writer.indented(f"if {self.names[given[-1]]}:"):
                line(f"{self.targets.steps} = {self.counter} + 1")
                line("break")

    def _move_on(self) -> None:
        """The next values of the states become the present ones."""
        pairs: list[tuple[str, str]] = []
        own = {self.states[i] for i in self.op.mutable}
        after = [self.names[self.given[i]] for i in range(len(self.states))]
        for i, new in enumerate(after):
            if self._memory(new) in own - {self.states[i]}:  # it was computed over another state
                after[i] = self.writer.fresh("copy")
                self.writer.line(f"{after[i]} = np.array({new})")
        for i, (name, new) in enumerate(zip(self.states, after, strict=True)):
            home = self.homes.get(new)
            if i in self.spare and home == self.spare[i]:
                pairs += [(name, new), (self.spare[i], name)]
            elif i in self.op.mutable:
                if home != name:
                    self.writer.line(f"{name}[...] = {new}")
            elif new != name:
                pairs.append((name, new))
        if pairs:
            self.writer.line(f"{', '.join(a for a, _ in pairs)} = {', '.join(b for _, b in pairs)}")

    def _compare(self, state: str, v: Variable, slot: Variable) -> None:
        name = self.names[v]
        with self.writer.indented(f"if {name}.shape != {state}.shape:"):
            self.writer.line(f"{self.writer.bind(state_changes, 'check')}({str(slot)!r}, {state}.shape, {name}.shape)")

    def _collect(self, target: str, v: Any, place: str) -> None:
        """Keep a result whose shape is not known before it is there."""
        name = self.names[v]
        with self.writer.indented(f"if {target} is None:"):
            self.writer.line(f"{target} = np.empty(({self.steps}, *{name}.shape), {self.dtype(v.type.dtype)})")
        with self.writer.indented(f"if {name}.shape != {target}.shape[1:]:"):
            check = self.writer.bind(result_changes, "check")
            self.writer.line(f"{check}({str(self.op)!r}, {self.counter}, {target}.shape[1:], {name}.shape)")
        self.writer.line(f"{target}[{place}] = {name}")

    # ---- behind the loop ----------------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Bring the results of the loop into their form."""
        line, targets, made = self.writer.line, self.targets, self.targets.steps
        for m, target in enumerate(targets.traces):
            if self._parts(self.given[self.op.n_states + m]) is None:
                arrays = ", ".join([self.steps, *self.args.sequences, *self.args.states, *self.args.fixed])
                with self.writer.indented(f"if {target} is None:"):
                    shapes, dtype = self.writer.bind(self.op.shapes_of_traces, "shapes"), self.op.traced[m].type.dtype
                    line(f"{target} = np.empty((0, *{shapes}(({arrays},))[{m}]), {self.dtype(dtype)})")
        if self.op.until:
            for target in targets.histories.values():
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
