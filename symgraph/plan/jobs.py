"""Jobs and launches: which steps of a plan a device computes together.

A *job* is what one kernel computes block by block, with nothing flowing between blocks. It is built around an *anchor*,
a reduction or a product, whose results it holds in one of four ways:

``loop``
    No anchor: element by element.
``reduction``
    A block holds some elements of a reduction's result.
``product``
    A block holds a tile of a product of matrices.
``rows``
    A block holds whole rows (everything behind the leading axes) of many tensors, so that it can reduce them, pick and
    set elements in them, and multiply them by a small matrix. What it reduces over the rows leaves as *parts*, one for
    each block, which a reduction in a later launch combines; or, if that is all that would be done there, the block
    that is the last to come.

Whatever follows an anchor element by element joins its job. What goes before it element by element *floats*: it
belongs to no job and is computed wherever it is read. So a value is stored only where another job needs it and cannot
make it cheaply from what is stored anyway.

Every job has a *stage*: the length of the longest chain of jobs before it. The jobs of one stage do not depend on each
other and are one *launch*.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symgraph.graph.basic import Variable
from symgraph.plan.failing import failing
from symgraph.plan.groups import Group, Grouping
from symgraph.plan.items import Item, NextState, Sample, Shuffle
from symgraph.plan.kernel import is_cheap
from symgraph.plan.plan import Plan, Step
from symgraph.scalar import ScalarFunction

__all__ = ["Abilities", "Job", "Launch", "launches_of"]


@dataclass(frozen=True)
class Abilities:
    """What the kernels of a backend can do, and from what sizes on something else is better.

    Attributes
    ----------
    computes : callable
        Whether there is an expression for an item's elements.
    small_matrix : int
        The most elements of a matrix by which rows are multiplied within a job of rows.
    large_product : int
        The multiplications from which on a product is left to a library, whatever surrounds it.
    most_items : int
        In the expression of one element.
    most_arrays : int
        That a launch reads and stores, unless one job needs more: a kernel has room for 4096 bytes of parameters.
    """

    computes: Callable[[Item], bool] = lambda item: True
    small_matrix: int = 16384
    large_product: int = 2**27
    most_items: int = 128
    most_arrays: int = 120


@dataclass(eq=False)
class Job:
    """What one kernel, or a range of its blocks, computes.

    Attributes
    ----------
    kind : str
        ``loop``, ``rows``, ``reduction`` or ``product``.
    items : dict of Variable to Item
        All that it computes, each after what it reads.
    inputs : list of Variable
        The arrays it reads.
    scalars : list of Variable
        Numbers it takes by value: those of the host.
    outputs : list of Variable
        What it stores.
    parts : dict of Variable to Item
        Arrays of partial results, with a first axis for the blocks; and the reduction over rows each is part of.
    n_rows : int
        For a job of rows: how many leading axes count them.
    own : set of Variable
        What is computed once for each place; other items are computed wherever they are read.
    kept : set of Variable
        The parts that stay within the kernel.
    behind : Job or None
        Of a reduction: the job of rows whose last block does it, of parts that it keeps.
    """

    kind: str
    items: dict[Variable, Item]
    inputs: list[Variable]
    scalars: list[Variable]
    outputs: list[Variable]
    parts: dict[Variable, Item] = field(default_factory=dict)
    n_rows: int = 0
    own: set[Variable] = field(default_factory=set)
    kept: set[Variable] = field(default_factory=set)
    behind: Job | None = None

    @property
    def anchors(self) -> list[Item]:
        """Its reductions and products, in order."""
        return [item for item in self.items.values() if item.is_anchor]

    @property
    def stored(self) -> list[Variable]:
        """Outputs, and the parts that others read."""
        return [*self.outputs, *(part for part in self.parts if part not in self.kept)]


@dataclass(eq=False)
class Launch:
    """Jobs that run side by side, as one kernel.

    Attributes
    ----------
    index : int
    jobs : list of Job
    steps : list of Step
        The steps it does, wholly or in part.
    over : dict of Variable to Variable
        Outputs that are next values of shared variables, with the shared variable whose memory each may be written
        over: no other job of this or a later launch reads it, nor does anything else that runs later, and no index is
        checked any more.
    last : list of Job
        Those of the jobs that the last block to come does, one after the other: what they write over is read by other
        jobs of the launch.
    """

    index: int
    jobs: list[Job]
    steps: list[Step]
    over: dict[Variable, Variable] = field(default_factory=dict)
    last: list[Job] = field(default_factory=list)

    @property
    def inputs(self) -> list[Variable]:
        """The arrays it reads."""
        return list(dict.fromkeys(v for job in self.jobs for v in job.inputs))

    @property
    def scalars(self) -> list[Variable]:
        """The numbers it takes by value."""
        return list(dict.fromkeys(v for job in self.jobs for v in job.scalars))

    @property
    def outputs(self) -> list[Variable]:
        """What it stores, parts included: variables of the plan and, for parts, variables of their own."""
        return [v for job in self.jobs for v in job.stored]

    def __str__(self) -> str:
        return f"launch {self.index} ({', '.join(job.kind for job in self.jobs)})"


def launches_of(plan: Plan, sizes: Mapping[Variable, Sequence[int]] | None = None,
                abilities: Abilities | None = None, on_host: Iterable[Variable] = (),
                on_device: Iterable[Variable] = ()) -> list[Launch | Step]:
    """What a device does for a plan, in order.

    Parameters
    ----------
    plan : Plan
    sizes : mapping, optional
        Shapes of inputs and shared variables, as far as they are known: they decide how a product is computed. The
        result is right for all shapes.
    abilities : Abilities, optional
    on_host : iterable of Variable
        What the host computes, besides positions and lengths.
    on_device : iterable of Variable
        Inputs that are on the device although they are single numbers.

    Returns
    -------
    list of Launch and Step
        Steps are those no job computes: views, arithmetic on numbers of the host, and operations with no elements'
        formula. A view is listed only where something else than a job reads it.
    """
    abilities = abilities or Abilities()
    grouping = Grouping(plan, sizes or {}, abilities, on_host, on_device)
    grouping.group()
    return _Writer(plan, grouping, abilities).launches()


class _Writer:
    """From groups to jobs: what each stores, and what it computes itself."""

    def __init__(self, plan: Plan, grouping: Grouping, abilities: Abilities) -> None:
        self.plan = plan
        self.grouping = grouping
        self.abilities = abilities
        self.stored: set[Variable] = set()

    def launches(self) -> list[Launch | Step]:
        results = [*(o.variable for o in self.plan.outputs), *(u.variable for u in self.plan.updates)]
        for variable in results:
            self._provide(variable)
        for step in self.grouping.others:
            for variable in step.node.inputs:
                self._provide(variable)
        groups = self.grouping.groups()
        self._end_with_rows(groups)
        self._draw_ahead(groups)
        groups = self.grouping.groups()
        self._put_off(groups)
        groups.sort(key=lambda g: (g.stage, g.number))
        self._choose_stored(groups)
        stages: dict[int, list[Launch | Step]] = {}
        views = [step for step in self.grouping.views if step.node.outputs[0] in self.viewed(results)]
        for step in sorted([*self.grouping.others, *views], key=lambda s: s.index):
            stages.setdefault(self.grouping.available(step.node.outputs[0]), []).append(step)
        jobs: dict[int, list[tuple[Job, list[Step]]]] = {}
        for job, stage in self._jobs(groups):
            jobs.setdefault(stage, []).append((job, self._steps(job)))
        number = 0
        for stage in sorted(jobs):
            for together in self._cut(jobs[stage]):
                steps = sorted({s for _, found in together for s in found}, key=lambda s: s.index)
                stages.setdefault(stage, []).append(Launch(number, [job for job, _ in together], steps))
                number += 1
        line = [part for stage in sorted(stages) for part in stages[stage]]
        self._find_over(line)
        return line

    def _cut(self, jobs: Sequence[tuple[Job, list[Step]]]) -> list[list[tuple[Job, list[Step]]]]:
        """The jobs of a stage, as many together as a kernel has parameters for."""
        cut: list[list[tuple[Job, list[Step]]]] = []
        arrays: set[Variable] = set()
        for job, steps in jobs:
            arrays |= {*job.inputs, *job.stored}
            if not cut or (len(arrays) > self.abilities.most_arrays and job.behind is None):
                cut.append([])
                arrays = {*job.inputs, *job.stored}
            cut[-1].append((job, steps))
        return cut

    def viewed(self, results: Iterable[Variable]) -> set[Variable]:
        """Views that something else than a job reads, and those these are views of."""
        found: set[Variable] = set()
        waiting = [*results, *(v for step in self.grouping.others for v in step.node.inputs)]
        while waiting:
            variable = waiting.pop()
            item = self.grouping.floating.get(variable)
            if item is not None and variable not in found and isinstance(item.meaning, Shuffle):
                found.add(variable)
                waiting += item.inputs
        return found

    def _provide(self, variable: Variable) -> None:
        """See to it that a variable is in memory; a view of one that is will do."""
        source = self.grouping.source_of_view(variable)
        self.grouping.materialise(source)
        if self.grouping.home_of(source) is not None or source in self.grouping.floating:
            self.stored.add(source)

    def _end_with_rows(self, groups: Sequence[Group]) -> None:
        """Have parts combined by the last block of those that leave them, where that saves a launch."""
        for stage in sorted({group.stage for group in groups}):
            last = [group for group in groups if group.stage == stage]
            if all(map(self._may_end_rows, last)):
                for group in last:
                    assert group.combines is not None
                    group.behind = self.grouping.home_of(group.combines)
                    assert group.behind is not None
                    group.stage = group.behind.stage

    def _may_end_rows(self, group: Group) -> bool:
        """Whether a group combines numbers to a number, and reads nothing else that is made in the launch before."""
        part = group.combines
        rows = None if part is None else self.grouping.home_of(part)
        if part is None or rows is None or part.type.ndim != 1:
            return False
        stage, group.stage = group.stage, rows.stage
        read = self._leaves(group, self.grouping.outcomes(group))
        group.stage = stage
        return all(v is part or self.grouping.available(v) <= rows.stage for v in read)

    def _draw_ahead(self, groups: Sequence[Group]) -> None:
        """Have a loop draw and store, in an earlier launch, the random numbers that a job with an anchor would draw.

        There each takes a block of words of its own, and many have to wait for it; a loop draws all numbers of a block
        at once, beside what else is done. In the first launch there is nothing to be done before.
        """
        for group in groups:
            if group.kind == "loop":
                continue
            for variable, item in self._closure(group, self.grouping.outcomes(group))[0].items():
                if isinstance(item.meaning, Sample) and self.grouping.ready(variable) < group.stage:
                    self.grouping.materialise(variable)

    def _put_off(self, groups: Sequence[Group]) -> None:
        """Let loops that only make next values wait for the last stage where their present values are still read
        meanwhile: they are written over these then, and need not be copied there afterwards. What is small waits in any
        case; who reads it computes it anew."""
        targets: dict[Variable, Any] = {u.variable: u.target for u in self.plan.updates}
        stored = {o.variable for o in self.plan.outputs}
        stored.update(v for step in self.grouping.others for v in step.node.inputs)
        made_of = {v for item in self.grouping.items.values() for v in item.inputs}
        last = max((g.stage for g in groups), default=0)
        waiting = [g for g in groups if g.kind == "loop" and g.stage < last and all(
            v in targets and v not in stored and (_is_small(v) or v not in made_of) for v in g.made)]
        if not waiting:
            return
        read = {g: self._leaves(g, self.grouping.outcomes(g)).keys() & targets.values() for g in groups}
        for group in waiting:
            present = {targets[v] for v in group.made}
            if all(map(_is_small, group.made)) or any(
                    other is not group and other.stage >= group.stage and present & read[other] for other in groups):
                group.stage = last

    # ---- what is stored -------------------------------------------------------------------------------------

    def _choose_stored(self, groups: Sequence[Group]) -> None:
        """Store what other groups read, unless it is cheaply made of what is stored anyway."""
        crossing: list[Variable] = []
        for group in groups:
            for variable in self._leaves(group, self.grouping.outcomes(group)):
                if variable in self.grouping.floating:
                    self.stored.add(variable)
                elif self.grouping.home_of(variable) is not None:
                    if self._cheap(variable) is None:
                        self.stored.add(variable)
                    else:
                        crossing.append(variable)
        for variable in crossing:
            if not self._recomputable(variable):
                self.stored.add(variable)

    def _cheap(self, variable: Variable) -> Item | None:
        item = self.grouping.items[variable]
        if isinstance(item.meaning, Shuffle) or (
            isinstance(item.meaning, ScalarFunction) and is_cheap(item.meaning)
        ):
            return item
        return None

    def _recomputable(self, variable: Variable, depth: int = 8) -> bool:
        """Whether a value can be made of stored ones by a few cheap operations."""
        if variable in self.stored:
            return True
        item = self._cheap(variable)
        return item is not None and depth > 0 and all(
            (self.grouping.home_of(v) is None and v not in self.grouping.floating) or self._recomputable(v, depth - 1)
            for v in item.inputs)

    def _leaves(self, group: Group, roots: Iterable[Variable]) -> dict[Variable, None]:
        """What a group reads from memory in order to compute some of its variables, in the order of first use."""
        return self._closure(group, roots)[1]

    def _closure(self, group: Group, roots: Iterable[Variable]) -> tuple[dict[Variable, Item], dict[Variable, None]]:
        """The items a group needs for some variables, each after what it reads, and what these read from memory."""
        items: dict[Variable, Item] = {}
        leaves: dict[Variable, None] = {}
        waiting: list[tuple[Variable, bool]] = [(v, False) for v in reversed(list(roots))]
        while waiting:
            variable, done = waiting.pop()
            if done:
                items.setdefault(variable, self.grouping.items[variable])
                continue
            if variable in items or variable in leaves:
                continue
            if self._computed_in(group, variable):
                waiting.append((variable, True))
                waiting += [(v, False) for v in reversed(self.grouping.items[variable].inputs)]
            else:
                leaves[variable] = None
        return items, leaves

    def _computed_in(self, group: Group, variable: Variable) -> bool:
        home = self.grouping.home_of(variable)
        if variable in self.grouping.floating:
            copy = self.grouping.copy_of(variable)
            return copy is None or copy.stage >= group.stage
        return home is group or (home is not None and variable not in self.stored and self._recomputable(variable))

    # ---- jobs -----------------------------------------------------------------------------------------------

    def _jobs(self, groups: Sequence[Group]) -> list[tuple[Job, int]]:
        """The jobs and their stages; what the last block of rows does comes directly behind these."""
        found: list[tuple[Job, int]] = []
        for group in groups:
            if group.behind is not None:
                continue
            job = self._job(group)
            behind = [(other, self._job(other)) for other in groups if other.behind is group]
            for other, last in behind:
                assert other.combines is not None
                last.behind = job
                last.inputs.remove(other.combines)
                job.kept.add(other.combines)
            if job.stored or behind:
                found += [(job, group.stage), *((last, group.stage) for _, last in behind)]
        return found

    def _job(self, group: Group) -> Job:
        outputs = [v for v in group.made if v in self.stored]
        inner = [v for item in group.parts.values() for v in item.inputs]
        items, leaves = self._closure(group, [*outputs, *inner])
        kind = group.kind
        if kind == "rows" and not group.parts and self._is_one_reduction(group, items):
            kind = "reduction"
        by_value = {v for v in leaves if self.grouping.is_number(v)}
        return Job(kind, items, [v for v in leaves if v not in by_value], [v for v in leaves if v in by_value],
                   outputs, {p: i for p, i in group.parts.items() if p in self.stored},
                   len(group.rows) if kind == "rows" else 0, set(group.made) & items.keys())

    def _is_one_reduction(self, group: Group, items: Mapping[Variable, Item]) -> bool:
        """Whether a group of rows only reduces each row, so that it can be cut otherwise too."""
        anchors = [item for item in items.values() if item.is_anchor]
        k = len(group.rows)
        return len(anchors) == 1 and not self.grouping.is_product(anchors[0]) and all(
            math.prod(1 if n == 1 else 0 for n in v.type.shape[k:]) for v in items
            if self.grouping.home_of(v) is group)

    def _steps(self, job: Job) -> list[Step]:
        return [item.step for item in [*job.items.values(), *job.parts.values()]]

    def _memory(self, variable: Variable) -> Variable:
        """What stands for the memory a variable lies in: views lie where what they are views of does."""
        source = self.grouping.source_of_view(variable)
        block = self.plan.blocks.get(source)
        return source if block is None else block.root

    def _find_over(self, line: Sequence[Launch | Step]) -> None:
        """Which next values of shared variables may be written over the present ones."""
        read_later = {self._memory(o.variable) for o in self.plan.outputs}
        read_later |= {self._memory(u.variable) for u in self.plan.updates}
        targets: dict[Variable, Any] = {u.variable: u.target for u in self.plan.updates}
        fail = failing(line, self.plan)
        for part in reversed(line):
            if part in fail:
                break  # nothing may be overwritten before everything is known to be right
            inputs = part.inputs if isinstance(part, Launch) else part.node.inputs
            if isinstance(part, Launch):
                for job in part.jobs:
                    others = {self._memory(v) for other in part.jobs if other is not job for v in other.inputs}
                    for variable in job.outputs:
                        target = targets.get(variable)
                        if target is not None and target not in read_later | others and (
                            self._read_in_place(job, variable, target)
                        ):
                            part.over[variable] = target
                self._find_last(part, targets, read_later)
            read_later.update(map(self._memory, inputs))

    def _find_last(self, launch: Launch, targets: Mapping[Variable, Any], read_later: set[Variable]) -> None:
        """Which jobs of few elements can wait until all others have read what they write over."""
        for job in launch.jobs:
            made = {v: targets[v] for v in job.outputs if v in targets}
            if job.kind != "loop" or len(made) < len(job.outputs) or made.keys() <= launch.over.keys():
                continue
            read = set(map(self._memory, job.inputs))
            held = {self._memory(v) for other in launch.last for v in other.inputs}
            written = {target for v, target in launch.over.items() if v not in made}
            if read & written or set(made.values()) & (read_later | held):
                continue
            if all(_is_small(v) and self._read_in_place(job, v, target) for v, target in made.items()):
                launch.over.update(made)
                launch.last.append(job)

    def _read_in_place(self, job: Job, output: Variable, target: Variable) -> bool:
        """Whether a job reads a variable only at the element of an output that it then writes."""
        if any(v is not target and self._memory(v) is target for v in job.inputs):
            return False
        if target not in job.inputs:
            return True
        if target.type.dtype != output.type.dtype or job.kind == "rows":
            return False
        made_of_it = {target}
        for item in job.items.values():
            read = [v for v in item.inputs if v in made_of_it]
            if read and (not isinstance(item.meaning, (ScalarFunction, NextState)) or any(
                v.type.ndim != item.output.type.ndim or 1 in v.type.shape for v in read
            )):
                return False  # it is read at other elements too
            if read:
                made_of_it.add(item.output)
        return True


_FEW = 256  # elements that one block does at once


def _is_small(variable: Variable) -> bool:
    shape = variable.type.shape
    return None not in shape and math.prod(shape) <= _FEW
