"""Plan: what a compiled function does, in order, and in which memory.

A plan is a line of steps. Each variable lives in a *block*: the variables that may share memory (a tensor and its
views) share a block. Blocks that the function makes itself are put into *buffers*; a buffer serves several blocks one
after the other. All questions of reuse, aliasing and writing in place are questions about blocks and buffers, counted
over the line of steps, and `Plan.check` proves the answers legal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from symgraph.errors import InconsistentPlanError
from symgraph.graph.basic import Apply, Variable
from symgraph.plan.dims import Named
from symgraph.plan.kernel import Kernel, role_of
from symgraph.plan.lengths import Length, Lengths

__all__ = ["Block", "Buffer", "Guard", "Home", "Output", "Plan", "Step", "Update"]


class Home(Enum):
    """Whose memory a block is."""

    INPUT = "input"        # the caller's array
    CONSTANT = "constant"
    SHARED = "shared"      # the present value of a shared variable
    OWN = "own"            # made by a step


class Use(Enum):
    """What becomes of a buffer."""

    SCRATCH = "scratch"    # kept by the function and used again in the next call
    FRESH = "fresh"        # new in every call: the caller gets it
    UPDATE = "update"      # becomes the value of a shared variable


@dataclass(eq=False)
class Buffer:
    """Memory that the function provides for some of its results.

    Attributes
    ----------
    shape : tuple or None
        For each axis a known length, or the (variable, axis) to ask when the buffer is first needed; None when that
        cannot be told before the result is there.
    """

    index: int
    dtype: str
    lengths: tuple[int | Length, ...]
    shape: tuple[int | tuple[Variable, int], ...] | None = None
    use: Use = Use.SCRATCH
    update: int | None = None  # which update it becomes
    by_columns: bool = False   # best laid out column by column where its rows are short: they are reduced


@dataclass(eq=False)
class Block:
    """The memory of one result and of all views of it.

    Attributes
    ----------
    born : int
        The step that makes it; -1 when it is there from the start.
    dies : int
        The last step that reads any of its variables; the number of steps when it is still needed at the end.
    """

    root: Variable
    home: Home
    born: int
    dies: int = -1
    buffer: Buffer | None = None
    members: list[Variable] = field(default_factory=list)
    writable: bool = False   # an input the caller gave away
    passed_on: bool = False  # the block born at its last reading took its memory over


@dataclass(frozen=True)
class Guard:
    """Two axes that must have one length.

    Attributes
    ----------
    node : Apply
        The application that requires it.
    left, right : (Variable, int)
        Its operands' axes.
    tested : tuple of two (Variable, int) or int
        Axes of the same lengths, of variables that are there when the guard is tested; or the length itself.
    """

    node: Apply
    left: tuple[Variable, int]
    right: tuple[Variable, int]
    tested: tuple[tuple[Variable, int] | int, tuple[Variable, int] | int]


@dataclass(eq=False)
class Step:
    """One application, and where its output goes.

    Attributes
    ----------
    into : Variable or Buffer or None
        An existing variable whose memory the output takes over, or a buffer to compute into, or None: the
        computation makes its own array.
    copies : tuple of int
        Inputs to copy first, because the operation overwrites them and they are still needed.
    guards : list of Guard
        What must hold of the inputs' lengths. Those of a kernel's steps are all with its first step.
    kernel : Kernel or None
        The loop it is part of.
    commits : bool
        Whether it computes the next value of a shared variable over the present one. Such steps come last, when nothing
        can fail any more, and nobody reads their results.
    """

    index: int
    node: Apply
    into: Variable | Buffer | None = None
    copies: tuple[int, ...] = ()
    guards: list[Guard] = field(default_factory=list)
    kernel: Kernel | None = None
    commits: bool = False


@dataclass(frozen=True)
class Output:
    """A result handed to the caller; a copy where its memory is not the caller's to keep, unless it is lent."""

    variable: Variable
    copy: bool
    lent: bool = False   # memory of an input, handed out because the caller asked to borrow
    stays: bool = False  # in the memory of the device that makes it


@dataclass(frozen=True)
class Update:
    """A new value for a shared variable."""

    target: Any
    variable: Variable
    copy: bool


@dataclass(eq=False)
class Plan:
    """What a compiled function does.

    Attributes
    ----------
    inputs : list of Variable
    shared : list of SharedVariable
        Those it reads, in order of first use.
    constants : list of Constant
    steps : list of Step
    outputs : list of Output
    updates : list of Update
    blocks : dict of Variable to Block
    buffers : list of Buffer
    lengths : Lengths
    named : list of Named
        Axes of inputs and shared variables that must have one length, by its name: to be compared before all steps.
    kernels : list of Kernel
        Steps that can be done together in a loop over rows; doing them one after the other gives the same.
    """

    inputs: list[Variable]
    shared: list[Any]
    constants: list[Any]
    steps: list[Step]
    outputs: list[Output]
    updates: list[Update]
    blocks: dict[Variable, Block]
    buffers: list[Buffer]
    lengths: Lengths
    named: list[Named] = field(default_factory=list)
    kernels: list[Kernel] = field(default_factory=list)

    def check(self) -> None:
        """Prove the plan legal.

        Raises
        ------
        InconsistentPlanError
            When a step reads what is not there yet, or writes where a living value is, or where the function has no
            right to write; or when a scratch buffer leaves the function.
        """
        holder: dict[Buffer, Block] = {}
        lost: set[Block] = set()  # blocks somebody has written on
        known = {*self.inputs, *self.shared, *self.constants}
        facts = _Facts(self)
        for step in self.steps:
            for variable in step.node.inputs:
                if variable not in known:
                    raise InconsistentPlanError(f"step {step.index} ({step.node}) reads {variable} before it is made")
                if not self._is_whole(self.blocks[variable], holder, lost):
                    raise InconsistentPlanError(f"step {step.index} ({step.node}) reads {variable}, overwritten before")
            self._check_writes(step, holder, facts)
            self._check_destroyed(step)
            known.update(step.node.outputs)
            if isinstance(step.into, Variable) and not step.commits:
                lost.add(self.blocks[step.into])
            for output in step.node.outputs:
                block = self.blocks[output]
                if block.born == step.index and block.buffer is not None:
                    holder[block.buffer] = block
        self._check_results(known, holder, lost)
        for kernel in self.kernels:
            self._check_kernel(kernel)
            if kernel.over:
                self._check_over(kernel, facts)

    @staticmethod
    def _is_whole(block: Block, holder: dict[Buffer, Block], lost: set[Block]) -> bool:
        """Whether what was computed into a block is still there."""
        return block not in lost and (block.buffer is None or holder.get(block.buffer) is block)

    def _check_writes(self, step: Step, holder: dict[Buffer, Block], facts: _Facts) -> None:
        target = step.into
        if step.commits:
            self._check_commit(step, facts)
        elif isinstance(target, Variable):
            victim = self.blocks[target]
            if victim.home is not Home.OWN and not victim.writable:
                whose = f"the {victim.home.value} {target}"
                raise InconsistentPlanError(f"step {step.index} ({step.node}) would write on {whose}")
            if victim.dies > step.index:
                raise InconsistentPlanError(f"step {step.index} ({step.node}) would write on {target}, still needed")
            if victim.dies == step.index and not step.node.op.overwrites:
                raise InconsistentPlanError(f"step {step.index}: {step.node.op} cannot write on its own input")
            if any(v is not target and self.blocks[v] is victim for v in (*step.node.inputs, victim.root)):
                raise InconsistentPlanError(f"step {step.index} ({step.node}) would write on {target} while it reads a "
                                            "view of the same memory, or on a view of more")
        elif isinstance(target, Buffer):
            occupant = holder.get(target)
            if occupant is not None and occupant.dies >= step.index:
                raise InconsistentPlanError(f"step {step.index} ({step.node}) would write into a buffer still in use")
        if target is not None:
            self._check_fit(step, target, facts)

    def _check_commit(self, step: Step, facts: _Facts) -> None:
        """Computing over a shared value is the last that happens to it, and its old value is needed nowhere."""
        (output,) = step.node.outputs
        target = step.into
        if (target, output) not in facts.changes:
            raise InconsistentPlanError(f"step {step.index} ({step.node}) writes on {target}, which it does not update")
        block = self.blocks[target]  # type: ignore[index]
        readings = sum(other.index >= step.index for other in facts.readers.get(block, ()))
        if readings > 1 or facts.last_plain > step.index:
            raise InconsistentPlanError(f"step {step.index} ({step.node}) writes on {target}, still needed")

    def _check_fit(self, step: Step, target: Variable | Buffer, facts: _Facts) -> None:
        """The memory a step computes into is of its output's dtype and lengths."""
        (output,) = step.node.outputs
        dtype = target.dtype if isinstance(target, Buffer) else getattr(target.type, "dtype", None)
        lengths = target.lengths if isinstance(target, Buffer) else self.lengths.of(target)
        pairs = zip([n if isinstance(n, int) else n.find() for n in lengths], self.lengths.of(output), strict=True)
        # At the commit all lengths were compared that had to be; before, a test may still be to come.
        same = all(m == n or (step.commits and frozenset((m, n)) in facts.sure) for m, n in pairs)
        if dtype != getattr(output.type, "dtype", None) or not same:
            where = "memory of another dtype or shape"
            raise InconsistentPlanError(f"step {step.index} ({step.node}) would write into {where}")

    def _check_destroyed(self, step: Step) -> None:
        destroyed = {i for places in step.node.op.destroy_map.values() for i in places}
        for i in destroyed - set(step.copies):
            block = self.blocks[step.node.inputs[i]]
            if (block.home is not Home.OWN and not block.writable) or block.dies > step.index:
                raise InconsistentPlanError(f"step {step.index} ({step.node}) destroys input {i}, still needed")

    def _check_kernel(self, kernel: Kernel) -> None:
        """Doing a kernel's steps for some rows and then for others is as good as doing them for all rows at once."""
        if [s.index for s in kernel.steps] != list(range(kernel.first, kernel.last + 1)):
            raise InconsistentPlanError(f"{kernel} is not in one piece")
        for step in kernel.steps:
            role = role_of(step.node)
            if role is None:
                raise InconsistentPlanError(f"step {step.index} ({step.node}) cannot be part of {kernel}")
            for place, variable in enumerate(step.node.inputs):
                inside, whole = variable in kernel.made, place not in role.by_rows
                if inside and (whole or variable in kernel.over_rows):
                    raise InconsistentPlanError(f"step {step.index} ({step.node}) needs all rows of {variable}, which "
                                                f"{kernel} makes row by row")
                block = self.blocks[variable]
                if not inside and (whole or block.root is not variable) and block.dies <= kernel.last:
                    raise InconsistentPlanError(f"{kernel} may overwrite {variable} while other rows still need it")

    def _check_over(self, kernel: Kernel, facts: _Facts) -> None:
        """A kernel that may wait for the commit keeps what it reads, writes each row after it was read, and nothing
        else that waits reads what it writes on."""
        for variable in kernel.inputs:
            if self.blocks[variable].dies < len(self.steps) and self.blocks[variable].home is Home.OWN:
                raise InconsistentPlanError(f"{kernel} may run at the end, but {variable} is given up before")
        for variable, target in kernel.over.items():
            made = kernel.made[variable].index
            block = self.blocks[target]
            waiting = [step for step in facts.readers.get(block, ())
                       if step.commits or (step.kernel is not None and step.kernel.over)]
            if any(step.kernel is not kernel or step.index > made for step in waiting):
                raise InconsistentPlanError(f"{kernel} computes {variable} over {target}, still needed")
            if not self.same_shape(variable, target, facts.sure):
                raise InconsistentPlanError(f"{kernel} computes {variable} over {target}, of another shape")
            if (target, variable) not in facts.changes:
                raise InconsistentPlanError(f"{kernel} writes on {target}, which {variable} does not update")

    def sure_lengths(self) -> set[frozenset[int | Length]]:
        """The pairs of lengths that the steps make sure are equal."""
        return {frozenset(self.lengths.of(v)[axis] for v, axis in (guard.left, guard.right))
                for step in self.steps for guard in step.guards}

    def same_shape(self, a: Variable, b: Variable, sure: set[frozenset[int | Length]]) -> bool:
        """Whether two variables have one shape, by what is known and by what is sure."""
        pairs = list(zip(self.lengths.of(a), self.lengths.of(b), strict=True))
        return all(m == n or frozenset((m, n)) in sure for m, n in pairs)

    def _check_results(self, known: set[Any], holder: dict[Buffer, Block], lost: set[Block]) -> None:
        owners: dict[int, str] = {}
        results: Sequence[Output | Update] = [*self.outputs, *self.updates]
        for result in results:
            if result.variable not in known:
                raise InconsistentPlanError(f"{result.variable} is returned but never made")
            block = self.blocks[result.variable]
            if not self._is_whole(block, holder, lost):
                raise InconsistentPlanError(f"{result.variable} is returned but was overwritten")
            if result.copy or (isinstance(result, Output) and result.lent and block.home is Home.INPUT):
                continue
            if block.home is not Home.OWN and not block.writable:
                raise InconsistentPlanError(f"{result.variable} would hand out the memory of the {block.home.value}")
            if block.buffer is not None and block.buffer.use is Use.SCRATCH:
                raise InconsistentPlanError(f"{result.variable} would hand out a scratch buffer")
            if id(block) in owners:
                raise InconsistentPlanError(f"{result.variable} and {owners[id(block)]} would share memory")
            owners[id(block)] = str(result.variable)

    def __str__(self) -> str:
        from symgraph.plan.text import describe

        return describe(self)


class _Facts:
    """What checking a plan asks many times, gathered once.

    Attributes
    ----------
    changes : set of tuple
        Each update's target and variable, but for those that copy.
    readers : dict of Block to list of Step
        The steps that read it, once for each reading.
    last_plain : int
        The last step that does not commit.
    sure : set of frozenset
        See `Plan.sure_lengths`.
    """

    def __init__(self, plan: Plan) -> None:
        self.changes: set[tuple[Any, Any]] = {(u.target, u.variable) for u in plan.updates if not u.copy}
        self.readers: dict[Block | None, list[Step]] = {}
        for step in plan.steps:
            for variable in step.node.inputs:
                self.readers.setdefault(plan.blocks.get(variable), []).append(step)
        self.last_plain = max((step.index for step in plan.steps if not step.commits), default=-1)
        self.sure = plan.sure_lengths()
