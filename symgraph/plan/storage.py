"""Making a plan: the order of steps, lifetimes, which memory each result takes, what must be copied or checked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.plan.commits import Commits
from symgraph.plan.dims import named_axes
from symgraph.plan.fusion import Unit, fuse
from symgraph.plan.kernel import Kernel
from symgraph.plan.lengths import Length, Lengths
from symgraph.plan.plan import Block, Buffer, Guard, Home, Output, Plan, Step, Update, Use
from symgraph.tensor.elemwise import TensorOp
from symgraph.tensor.products import BatchedMatMul, Dot
from symgraph.tensor.type import TensorType

__all__ = ["make_plan"]

_BUFFERS_TRIED = 32  # of the free ones, the last given back first; the search must not make planning quadratic


def make_plan(nodes: Sequence[Apply], inputs: Sequence[Variable], shared: Sequence[Any],
              outputs: Sequence[Variable], updates: Sequence[tuple[Any, Variable]],
              mutable: Collection[Variable] = (), borrowed: Collection[int] = ()) -> Plan:
    """Plan the computation of an interned graph.

    Parameters
    ----------
    nodes : sequence of Apply
        In an order in which each comes after what it reads.
    inputs, shared : sequence of Variable
    outputs : sequence of Variable
    updates : sequence of (SharedVariable, Variable)
    mutable : collection of Variable
        Inputs whose arrays the function may overwrite.
    borrowed : collection of int
        Outputs (by position) that may share memory with inputs and shared variables.
    """
    planner = _Planner(nodes, inputs, shared, outputs, updates, mutable)
    return planner.plan(set(borrowed))


class _Planner:
    def __init__(self, nodes: Sequence[Apply], inputs: Sequence[Variable], shared: Sequence[Any],
                 outputs: Sequence[Variable], updates: Sequence[tuple[Any, Variable]],
                 mutable: Collection[Variable]) -> None:
        self.inputs, self.shared = list(inputs), list(shared)
        self.outputs, self.updates = list(outputs), list(updates)
        self.steps: list[Step] = []
        self.kernels: list[Kernel] = []
        self.made_at: dict[Variable, int] = {}
        self._add_all_steps(nodes)
        self.mutable = set(mutable)
        self.blocks: dict[Variable, Block] = {}
        self.buffers: list[Buffer] = []
        self.lengths = Lengths()
        self.guarded: set[frozenset[int | Length]] = set()  # an unknown length and the number it was held against
        self.constants: list[Any] = []
        self.lasting: set[Block] = set()
        self.free: dict[tuple[str, bool], list[Buffer]] = {}

    def plan(self, borrowed: set[int]) -> Plan:
        self._make_blocks()
        outputs, updates = self._hand_out(borrowed)
        self._place_all()
        self._claim(outputs, updates)
        named = [n for n in named_axes([*self.inputs, *self.shared]) if len(n.places) > 1]
        plan = Plan(self.inputs, self.shared, self.constants, self.steps, outputs, updates, self.blocks, self.buffers,
                    self.lengths, named, self.kernels)
        sure = plan.sure_lengths()
        for kernel in self.kernels:  # an update may change the shape
            if not all(plan.same_shape(variable, target, sure) for variable, target in kernel.over.items()):
                kernel.over.clear()
        return plan

    def _add_all_steps(self, nodes: Sequence[Apply]) -> None:
        """Put the applications in order: loops side by side, and what is computed over shared values at the end."""
        commits = Commits(nodes, self.outputs, self.updates)
        results = [*self.outputs, *(variable for _, variable in self.updates)]
        units = fuse([node for node in nodes if node not in commits.over], results)
        last = commits.loops(units)
        for unit in units:
            if unit not in last:
                self._add_steps(unit)
        for unit, over in last.items():
            self._add_steps(unit, over)
        for node, target in commits.over.items():
            self.made_at[node.outputs[0]] = len(self.steps)
            self.steps.append(Step(len(self.steps), node, into=target, commits=True))

    def _add_steps(self, unit: Unit, over: dict[Variable, Variable] | None = None) -> None:
        steps = [Step(len(self.steps) + i, node) for i, node in enumerate(unit.nodes)]
        self.steps += steps
        self.made_at.update((output, step.index) for step in steps for output in step.node.outputs)
        if unit.roles:
            kernel = Kernel(len(self.kernels), steps, dict(zip(steps, unit.roles, strict=True)), over or {})
            if kernel.is_worth_it:
                self.kernels.append(kernel)
                for step in steps:
                    step.kernel = kernel

    # ---- blocks and their lives -----------------------------------------------------------------------------

    def _make_blocks(self) -> None:
        for variable in self.inputs:
            self._found(variable, Home.INPUT, writable=variable in self.mutable)
        for variable in self.shared:
            self._found(variable, Home.SHARED)
        end = len(self.steps)
        for step in self.steps:
            for variable in step.node.inputs:
                if variable not in self.blocks:
                    assert isinstance(variable, Constant), f"{variable} is neither input, shared nor constant"
                    self._constant(variable)
                self.blocks[variable].dies = max(self.blocks[variable].dies, self._last_reading(step, variable))
            for position, output in enumerate(step.node.outputs):
                self._output(step, position, output)
        for variable in [*self.outputs, *(v for _, v in self.updates)]:
            if variable not in self.blocks:
                assert isinstance(variable, Constant), f"{variable} is neither input, shared nor constant"
                self._constant(variable)
            self.blocks[variable].dies = end

    def _last_reading(self, step: Step, variable: Variable) -> int:
        """How long a step needs what it reads.

        In a loop over rows that is as long as the loop runs, unless exactly the rows that are read can be given up one
        by one: those of an array in its own layout, read row by row.
        """
        kernel = step.kernel
        if kernel is None or variable in kernel.made:
            return step.index
        if kernel.over:  # it may wait for the commit
            return len(self.steps)
        own = self.blocks[variable].root is variable and all(
            i in kernel.roles[step].by_rows for i, v in enumerate(step.node.inputs) if v is variable)
        return step.index if own else kernel.last + 1

    def _found(self, variable: Variable, home: Home, writable: bool = False) -> None:
        self.blocks[variable] = Block(variable, home, -1, members=[variable], writable=writable)
        self.lengths.enter(variable)

    def _constant(self, variable: Constant) -> None:
        self.constants.append(variable)
        self._found(variable, Home.CONSTANT)

    def _output(self, step: Step, position: int, output: Variable) -> None:
        sources = step.node.op.view_map.get(position)
        if sources:
            # A view keeps the block of what it views. The rare operation that may view several inputs joins them.
            block = self.blocks[step.node.inputs[sources[0]]]
            for other in sources[1:]:
                self._join(block, self.blocks[step.node.inputs[other]])
            block.members.append(output)
        else:
            block = Block(output, Home.OWN, step.index, dies=step.index, members=[output])
        self.blocks[output] = block

    def _join(self, block: Block, other: Block) -> None:
        if block is other:
            return
        block.members.extend(other.members)
        block.dies = max(block.dies, other.dies)
        if other.home is not Home.OWN:
            block.home, block.writable = other.home, block.writable and other.writable
        for member in other.members:
            self.blocks[member] = block

    # ---- lengths and guards ---------------------------------------------------------------------------------

    def _measure(self, step: Step) -> None:
        """The lengths of a step's results, and the guards they rest on.

        This goes step by step with the choice of memory: two lengths count as equal only from the step on that makes
        sure of it, and nothing before that step may rely on it.
        """
        node = step.node
        if isinstance(node.op, TensorOp):
            for (i, a), (j, b) in node.op.equal_axes(node):
                self._require_equal(step, (node.inputs[i], a), (node.inputs[j], b))
        self.lengths.enter_node(node)

    def _inner_lengths_agree(self, node: Apply) -> None:
        """A product checks its inner lengths itself; once it has run they are known to be one."""
        a, b = node.inputs
        left, right = self.lengths.of(a)[-1], self.lengths.of(b)[max(len(self.lengths.of(b)) - 2, 0)]
        if isinstance(left, Length) and isinstance(right, Length):
            left.merge(right)

    def _require_equal(self, step: Step, left: tuple[Variable, int], right: tuple[Variable, int]) -> None:
        """Axes that meet must have one length: only an axis known to be 1 is stretched."""
        a, b = (self.lengths.of(v)[axis] for v, axis in (left, right))
        if a is b or (isinstance(a, int) and a == b) or frozenset((a, b)) in self.guarded:
            return
        first = step.kernel.steps[0] if step.kernel is not None else step
        tested = self._available(first, *left), self._available(first, *right)
        first.guards.append(Guard(step.node, left, right, tested))
        if isinstance(a, Length) and isinstance(b, Length):
            a.merge(b)
        else:
            self.guarded.add(frozenset((a, b)))

    def _available(self, step: Step, variable: Variable, axis: int) -> tuple[Variable, int] | int:
        """An axis of the same length as a given one, of a variable that is there before a step; or that length."""
        if self.made_at.get(variable, -1) < step.index:
            return variable, axis
        length = self.lengths.of(variable)[axis]
        if isinstance(length, int):
            return length
        return next(source for source in length.sources if self.made_at.get(source[0], -1) < step.index)

    # ---- memory ---------------------------------------------------------------------------------------------

    def _hand_out(self, borrowed: set[int]) -> tuple[list[Output], list[Update]]:
        """Which results can be given away as they are, and which must be copied."""
        given: set[Block] = set()
        updates = []
        self.lasting = {self.blocks[variable] for _, variable in self.updates}
        for target, variable in self.updates:
            # An array the caller let us overwrite is still the caller's: it must not become a shared value.
            mine = self.blocks[variable].home is Home.OWN
            updates.append(Update(target, variable, not mine or self._needs_copy(variable, given)))
        outputs = []
        for position, variable in enumerate(self.outputs):
            lent = position in borrowed and self.blocks[variable].home is Home.INPUT
            outputs.append(Output(variable, not lent and self._needs_copy(variable, given), lent))
        return outputs, updates

    def _needs_copy(self, variable: Variable, given: set[Block]) -> bool:
        block = self.blocks[variable]
        if block in given or (block.home is not Home.OWN and not block.writable):
            return True
        given.add(block)
        return False

    def _place_all(self) -> None:
        """Place every step's output; a buffer is free again after the last step that reads what is in it."""
        ending: dict[int, list[Block]] = {}
        for step in self.steps:
            for block in ending.pop(step.index - 1, ()):
                if block.buffer is not None and not block.passed_on:
                    key = block.buffer.dtype, block.buffer.by_columns
                    self.free.setdefault(key, []).append(block.buffer)
            self._measure(step)
            self._place(step)
            if isinstance(step.node.op, (Dot, BatchedMatMul)):
                self._inner_lengths_agree(step.node)
            for output in step.node.outputs:
                block = self.blocks[output]
                if block.root is output and block.buffer is not None:
                    if isinstance(step.into, Variable):  # the buffer has passed on; its former block frees nothing
                        self.blocks[step.into].passed_on = True
                    ending.setdefault(block.dies, []).append(block)

    def _place(self, step: Step) -> None:
        """Choose where a step's output goes: over a dying input, into a free buffer, or into a new one."""
        node = step.node
        if step.commits:
            return
        # What an operation of the user's destroys it may also return: it works on a copy, which is then its own.
        step.copies = tuple(sorted({i for places in node.op.destroy_map.values() for i in places}))
        if len(node.outputs) != 1:
            return
        output = node.outputs[0]
        block = self.blocks[output]
        kind = output.type
        if block.root is not output or not node.op.accepts_out or not isinstance(kind, TensorType) or kind.ndim == 0:
            return
        lengths = self.lengths.of(output)
        by_columns = step.kernel is not None and step.kernel.reduces_rows and kind.ndim == 2 and 1 not in kind.shape
        if node.op.overwrites:
            for variable in (node.inputs[:1] if node.op.accumulates else node.inputs):
                if node.op.accumulates and variable in node.inputs[1:]:
                    continue
                held = self.blocks[variable].buffer
                if by_columns and (held is None or not held.by_columns):
                    continue  # its rows do not lie as they should
                if block in self.lasting and self.blocks[variable].home is not Home.OWN:
                    continue  # a new shared value cannot live in an array of the caller's
                if self._fits(variable, kind.dtype, lengths) and self._may_overwrite(step, variable):
                    step.into = variable
                    block.buffer = self.blocks[variable].buffer
                    if block.buffer is None:
                        block.home, block.writable = self.blocks[variable].home, self.blocks[variable].writable
                    return
        block.buffer = step.into = self._buffer(step, kind.dtype, lengths, by_columns)

    def _buffer(self, step: Step, dtype: str, lengths: tuple[int | Length, ...], by_columns: bool) -> Buffer:
        """A buffer nobody uses any more, or a new one."""
        free = self.free.get((dtype, by_columns), [])
        for place in range(len(free) - 1, max(-1, len(free) - 1 - _BUFFERS_TRIED), -1):
            if tuple(n if isinstance(n, int) else n.find() for n in free[place].lengths) == lengths:
                return free.pop(place)
        first = step.kernel.first if step.kernel is not None else step.index
        sources = [n if isinstance(n, int) else next((s for s in n.sources if self.made_at.get(s[0], -1) < first), None)
                   for n in lengths]
        shape = None if None in sources else tuple(sources)
        buffer = Buffer(len(self.buffers), dtype, lengths, shape, by_columns=by_columns)  # type: ignore[arg-type]
        self.buffers.append(buffer)
        return buffer

    def _fits(self, variable: Variable, dtype: str, lengths: tuple[int | Length, ...]) -> bool:
        kind = variable.type
        return isinstance(kind, TensorType) and kind.dtype == dtype and self.lengths.of(variable) == lengths

    def _may_overwrite(self, step: Step, variable: Variable) -> bool:
        """Whether nobody needs the variable's memory after this step, and it is the function's to write on."""
        block = self.blocks[variable]
        if block.dies > step.index or (block.home is not Home.OWN and not block.writable):
            return False
        # The variable must cover its block: writing on a slice or a broadcast view is not writing on the whole.
        return block.root is variable and step.node.inputs.count(variable) >= 1 and all(
            v is variable or self.blocks.get(v) is not block for v in step.node.inputs)

    def _claim(self, outputs: Sequence[Output], updates: Sequence[Update]) -> None:
        """A buffer whose contents leave the function is not scratch."""
        for output in outputs:
            buffer = self.blocks[output.variable].buffer
            if buffer is not None and not output.copy:
                buffer.use = Use.FRESH
        for position, update in enumerate(updates):
            block = self.blocks[update.variable]
            buffer = block.buffer
            if buffer is None or update.copy or buffer.use is Use.FRESH:
                continue
            fits = isinstance(block.root.type, TensorType) and block.root.type.dtype == update.target.type.dtype
            whole = block.root is update.variable or len(block.members) == 1
            buffer.use = Use.UPDATE if fits and whole and buffer.update is None else Use.FRESH
            buffer.update = position if buffer.use is Use.UPDATE else None
