"""Memory: what a call of a compiled function holds, reckoned from its plan without running it.

The lengths of all results follow from those of the arguments; where they depend on values, these must be given. A
second call is reckoned, which finds the scratch memory of the first. Counted are arrays; what an operation of NumPy or
SciPy needs inside itself is not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from symgraph.backend import Program, Tiling
from symgraph.compile.build import acceptors, build
from symgraph.compile.errors import clip, line_of
from symgraph.compile.io import In, Out
from symgraph.compile.mode import FAST_RUN
from symgraph.compile.recipe import Recipe
from symgraph.graph.basic import Variable
from symgraph.graph.rewrite import brief
from symgraph.plan import Buffer, Kernel, Length, Plan, Step, Use
from symgraph.shared import SharedVariable
from symgraph.tensor.shape import Reshape, Shape, ShapeI
from symgraph.tensor.subtensor import Subtensor
from symgraph.tensor.type import TensorType

if TYPE_CHECKING:
    from symgraph.compile.looking import Looking

__all__ = ["Held", "Memory", "memory_of"]

_LARGEST = 3
_NEARLY = 0.999  # of the peak: a few numbers more do not move it to another step


@dataclass(frozen=True)
class Held:
    """An array that a call holds.

    Attributes
    ----------
    bytes : int
    kind : str
        ``"argument"``, ``"shared"``, ``"constant"``, ``"scratch"``, ``"spare"``, ``"fresh"`` or ``"tiles"``.
    variable : Variable
        What is computed into it first.
    shape : tuple of int
    step : Step or None
        The step that first needs it; None for what is there from the start.
    """

    bytes: int
    kind: str
    variable: Variable
    shape: tuple[int, ...]
    step: Step | None = None

    def __str__(self) -> str:
        where = line_of(self.variable)
        dtype = getattr(self.variable.type, "dtype", "")
        return f"{_size(self.bytes)}  {self.kind} {clip(brief(self.variable, 1), 40)}, {dtype} {self.shape}, {where}"


@dataclass(frozen=True)
class Memory:
    """What a call of a function holds, in bytes; printed, a short table.

    Attributes
    ----------
    label : str
        Which function.
    arguments, shared, constants : int
        What is there before the call.
    scratch : int
        Arrays the function keeps from call to call, for what passes between its steps; ``f.free()`` lets go of them.
    spare : int
        Arrays for the next values of shared variables: those of the values before the present ones.
    fresh : int
        Arrays made anew in each call: results, copies of them, and what could not be computed into scratch.
    tiles : int
        The most that loops over tiles hold at once, in all their threads.
    peak : int
        The most there is at once, all of the above included.
    step : Step or None
        When that is first reached, nearly; None when that is before the first step or after the last.
    held : list of Held
        All arrays, the largest first.
    """

    label: str
    arguments: int
    shared: int
    constants: int
    scratch: int
    spare: int
    fresh: int
    tiles: int
    peak: int
    step: Step | None
    held: Sequence[Held]

    @property
    def own(self) -> int:
        """The most the call itself adds to arguments, shared values and constants."""
        return self.peak - self.arguments - self.shared - self.constants

    def __str__(self) -> str:
        lines = [f"Memory of {self.label}: {_size(self.peak)} at most, {_size(self.own)} of its own"]
        told = {"arguments": "", "shared": "present values of shared variables", "constants": "",
                "scratch": "kept from call to call", "spare": "next values of shared variables",
                "fresh": "results, and what is made anew in each call", "tiles": "of loops over rows, in all threads"}
        for name, meaning in told.items():
            if getattr(self, name):
                lines.append(f"  {name:10} {_size(getattr(self, name)):>9}  {meaning}".rstrip())
        if self.step is not None:
            output = self.step.node.outputs[0]
            lines.append(f"  peak at step {self.step.index}, {clip(brief(output, 1), 48)}, {self.step.node.origin}")
        lines += [f"  {held}" for held in self.held[:_LARGEST] if held.bytes]
        return "\n".join(lines)


def _size(count: int) -> str:
    """A number of bytes with its unit."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}" if count < 999.5 * size else f"{count / size:.0f} {unit}"
    return f"{count} B"


def memory_of(function: Looking, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Memory:
    """What a call with these arguments, or arguments of these shapes, holds; see `Function.memory`."""
    recipe, plan = function.recipe, function.plan
    entries = {entry.name: entry.variable for entry in recipe.inputs if entry.name}
    open_places = [entry.variable for entry in recipe.inputs if not entry.implicit]
    stand_ins = [_stand_in(v, a) for v, a in zip(open_places, args, strict=False)] + list(args[len(open_places):])
    named = {name: _stand_in(entries[name], a) if name in entries else a for name, a in kwargs.items()}
    values = [value if isinstance(value, _Shaped) else accept(value) for accept, value in zip(
        acceptors(recipe), function._bind(tuple(stand_ins), named), strict=True)]
    lengths = _find_lengths(recipe, plan, values, function._lengths)
    return _Count(recipe.label, plan, function._built.program, values, lengths, function.profile is not None).memory()


class _Shaped:
    """An array of which only the shape is given."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.array = np.broadcast_to(np.zeros((), dtype), shape)


def _stand_in(variable: Variable, given: Any) -> Any:
    """A tuple of lengths as an array of that shape that takes no memory; any other argument as it is."""
    kind = variable.type
    if not isinstance(given, tuple) or not isinstance(kind, TensorType):
        return given
    if not all(isinstance(n, (int, np.integer)) and n >= 0 for n in given):
        raise TypeError(f"memory: a tuple is the shape of an argument, and its lengths are integers from 0 on; for "
                        f"{variable} ({kind}) it is {given}")
    if len(given) != kind.ndim or any(n not in (None, m) for n, m in zip(kind.shape, given, strict=True)):
        raise ValueError(f"memory: {variable} is of type {kind}; its shape cannot be {given}")
    return _Shaped(tuple(map(int, given)), kind.dtype)


# ---- lengths ----------------------------------------------------------------------------------------------------


class LengthsProgram:
    """Computes the unknown lengths of a plan that are not those of arguments or shared values."""

    def __init__(self, recipe: Recipe, plan: Plan, wanted: list[tuple[Variable, int]]) -> None:
        outputs = [Out(_length_of(variable, axis)) for variable, axis in wanted]
        bare = Recipe([In(v) for v in plan.inputs], outputs, list(range(len(outputs))), (), {}, FAST_RUN,
                      name=f"lengths of {recipe.label}", on_unused_input="ignore")
        built = build(bare)
        self.run = built.program.run
        #: The inputs whose values it needs, each with the line where one is needed.
        self.needs: dict[int, str] = {}
        places = {variable: i for i, variable in enumerate(built.fgraph.inputs)}
        by_value: set[Variable] = set(built.fgraph.outputs)
        self.needs.update((places[v], line_of(v)) for v in by_value if v in places)
        for node in reversed(built.fgraph.toposort()):
            read = node.inputs
            if isinstance(node.op, Shape):
                continue
            if by_value.isdisjoint(node.outputs) and (
                    isinstance(node.op, Subtensor) or node.op.view_map == {0: [0]}):
                read = read[1:]  # of what is only looked at in parts the shape will do
            by_value.update(read)
            self.needs.update((places[v], str(node.origin)) for v in read if v in places)


def _length_of(variable: Variable, axis: int) -> Variable:
    """The length of an axis, as an expression; -1 where reshaping is to find it from the others."""
    node = variable.owner
    if node is not None and type(node.op) is Reshape:
        return node.inputs[1 + axis]
    length: Variable = ShapeI(axis)(variable)
    return length


def _find_lengths(recipe: Recipe, plan: Plan, values: Sequence[Any],
                  cache: dict[str, LengthsProgram]) -> dict[Length, int]:
    """All unknown lengths of a plan."""
    known: dict[Length, int] = {}
    unknown: dict[Length, tuple[Variable, int]] = {}
    given = dict(zip(plan.inputs, values, strict=True))
    given.update((s, s.container.present()) for s in plan.shared)
    for variable in plan.blocks:
        for axis, length in enumerate(plan.lengths.of(variable)):
            if isinstance(length, Length) and variable in given:
                value = given[variable]
                known[length] = np.shape(value.array if isinstance(value, _Shaped) else value)[axis]
            elif isinstance(length, Length):
                unknown.setdefault(length, (variable, axis))
    wanted = {length: place for length, place in unknown.items() if length not in known}
    if wanted:
        program = cache.get("lengths")
        if program is None:
            program = cache["lengths"] = LengthsProgram(recipe, plan, list(wanted.values()))
        for place, line in program.needs.items():
            if isinstance(values[place], _Shaped):
                raise ValueError(f"memory: lengths depend on the value of {plan.inputs[place]}, used at {line}: pass "
                                 "an array or a number for it, not a shape")
        found = program.run(*[v.array if isinstance(v, _Shaped) else v for v in values])
        known.update(zip(wanted, map(int, found), strict=True))
        for length, (variable, _) in wanted.items():
            if known[length] < 0 and variable.owner is not None:  # of a reshaped array: what the other lengths leave
                known[length] = 1
                before, after = ([n if isinstance(n, int) else known[n] for n in plan.lengths.of(v)]
                                 for v in (variable.owner.inputs[0], variable))
                known[length] = math.prod(before) // max(math.prod(after), 1)
    return known


# ---- counting ---------------------------------------------------------------------------------------------------


class _Count:
    """One call, step by step."""

    def __init__(self, label: str, plan: Plan, program: Program, values: Sequence[Any],
                 lengths: Mapping[Length, int], profiled: bool) -> None:
        self.label, self.plan, self.program, self.lengths, self.profiled = label, plan, program, lengths, profiled
        self.held: list[Held] = []
        self.buffers: set[Buffer] = set()
        for variable, value in zip(plan.inputs, values, strict=True):
            self._there("argument", variable, value.array if isinstance(value, _Shaped) else value)
        for shared in dict.fromkeys([*plan.shared, *(u.target for u in plan.updates)]):
            assert isinstance(shared, SharedVariable)
            self._there("shared", shared, shared.container.present())
        for constant in plan.constants:
            self._there("constant", constant, constant.data)
        self.fresh = 0
        self.course: list[tuple[int, Step | None]] = []  # of what comes and goes: fresh arrays so far, and tiles

    def memory(self) -> Memory:
        steps = iter(self.plan.steps)
        for step in steps:
            tiling = None if step.kernel is None else self._tiling(step.kernel)
            if step.kernel is None or tiling is None:
                self._whole(step)
            else:
                self._tiled(step.kernel, tiling)
                for _ in step.kernel.steps[1:]:
                    next(steps)
        self._hand_out()
        sums = {kind: sum(h.bytes for h in self.held if h.kind == kind) for kind in
                ("argument", "shared", "constant", "scratch", "spare", "fresh")}
        kept = sum(sums.values()) - sums["fresh"]
        most = max((count for count, _ in self.course), default=0)
        peak = next((step for count, step in self.course if kept + count >= _NEARLY * (kept + most)), None)
        return Memory(self.label, sums["argument"], sums["shared"], sums["constant"], sums["scratch"], sums["spare"],
                      sums["fresh"], max((h.bytes for h in self.held if h.kind == "tiles"), default=0),
                      kept + most, peak, sorted(self.held, key=lambda h: -h.bytes))

    def _hand_out(self) -> None:
        """Copies for updates are made, the updates committed, and then copies for outputs are made.

        They are made before the commit where that computes over shared values, or the clock is read.
        """
        plan = self.plan
        for update in plan.updates:
            if update.copy:
                self._add("fresh", update.variable, None)
        late = any(step.commits for step in plan.steps) or any(kernel.over for kernel in plan.kernels)
        if not late and not self.profiled:
            for update in plan.updates:
                buffer = plan.blocks[update.variable].buffer
                if update.target not in plan.shared and (update.copy or buffer is None or buffer.use is not Use.UPDATE):
                    # The old value, which nobody holds any more.
                    self.fresh -= getattr(update.target.container.present(), "nbytes", 0)
        for output in plan.outputs:
            if output.copy:
                self._add("fresh", output.variable, None)

    def _there(self, kind: str, variable: Variable, value: Any) -> None:
        shape = np.shape(value) if isinstance(variable.type, TensorType) else ()
        self.held.append(Held(int(getattr(value, "size", 0) * getattr(value, "itemsize", 0)), kind, variable, shape))

    def _shape(self, variable: Variable) -> tuple[int, ...]:
        if not isinstance(variable.type, TensorType):
            return ()
        return tuple(n if isinstance(n, int) else self.lengths[n] for n in self.plan.lengths.of(variable))

    def _bytes(self, variable: Variable, shape: Sequence[int]) -> int:
        kind = variable.type
        return math.prod(shape) * kind.numpy_dtype.itemsize if isinstance(kind, TensorType) else 0

    def _add(self, kind: str, variable: Variable, step: Step | None) -> None:
        shape = self._shape(variable)
        count = self._bytes(variable, shape)
        self.held.append(Held(count, kind, variable, shape, step))
        if kind == "fresh":
            self.fresh += count
            self._reach(self.fresh, step)

    def _reach(self, count: int, step: Step | None) -> None:
        self.course.append((count, step))

    def _into(self, buffer: Buffer, variable: Variable, step: Step) -> None:
        """A result goes into a buffer: it takes memory when it is the first."""
        if buffer not in self.buffers:
            self.buffers.add(buffer)
            kind = "spare" if buffer.use is Use.UPDATE else "scratch"
            self._add(kind if buffer.use is not Use.FRESH and buffer.shape is not None else "fresh", variable, step)

    def _whole(self, step: Step) -> None:
        """A step on whole arrays."""
        for place in step.copies:
            shape = self._shape(step.node.inputs[place])
            self._reach(self.fresh + self._bytes(step.node.inputs[place], shape), step)
        if step in self.program.anew:
            self._add("fresh", step.node.outputs[0], step)
            if isinstance(step.into, Buffer):
                self.buffers.add(step.into)  # which from here on is the new array
        elif isinstance(step.into, Buffer):
            self._into(step.into, step.node.outputs[0], step)
        elif step.into is None:
            for output in step.node.outputs:
                if self.plan.blocks[output].root is output:
                    self._add("fresh", output, step)

    def _tiling(self, kernel: Kernel) -> Tiling | None:
        shape = self._shape(kernel.widest)
        return self.program.tiling(kernel, shape[0], math.prod(shape))

    def _tiled(self, kernel: Kernel, tiling: Tiling) -> None:
        """A loop over tiles: what outlasts it is whole, the rest as large as a tile, for each thread.

        What it computes over shared values, when the call commits, takes no memory.
        """
        cells: set[Buffer | Variable] = set()
        own = [(v, step) for v, step in kernel.made.items()
               if self.plan.blocks[v].root is v and v not in kernel.over]
        for variable, step in own:
            if variable in kernel.over_rows:
                shape = (tiling.parts, *self._shape(variable))
                count = self._bytes(variable, shape)
                self.held.append(Held(count, "fresh", variable, shape, step))
                self.fresh += count
            if self.plan.blocks[variable].dies > kernel.last or variable in kernel.over_rows:
                cell = self._cell(kernel, step)
                cells.add(cell)
                if isinstance(cell, Buffer):
                    self._into(cell, variable, step)
                elif cell is variable:
                    self._add("fresh", variable, step)
        inside = 0
        for variable, step in own:
            cell = self._cell(kernel, step)
            outside = isinstance(cell, Variable) and cell not in kernel.made
            if cell not in cells and not outside and variable not in kernel.over_rows:
                cells.add(cell)
                inside += self._bytes(variable, (tiling.rows, *self._shape(variable)[1:])) * tiling.threads
        if inside:
            self.held.append(Held(inside, "tiles", kernel.widest, (tiling.rows, *self._shape(kernel.widest)[1:]),
                                  kernel.steps[0]))
        self._reach(self.fresh + inside, kernel.steps[-1])

    def _cell(self, kernel: Kernel, step: Step) -> Buffer | Variable:
        """The memory a kernel's step computes into: a buffer, an array from outside, or one of its own."""
        variable, into = step.node.outputs[0], step.into
        while isinstance(into, Variable):
            block = self.plan.blocks[into]
            if block.buffer is not None:
                return block.buffer
            if into not in kernel.made:
                return into
            variable, into = into, kernel.made[into].into
        return into if into is not None else variable
