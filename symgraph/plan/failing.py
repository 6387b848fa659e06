"""Which parts of a program may find an index out of range, so that nothing is to be changed before they are done.

An index that was found to be in range stays so: reading and writing through the same index array, along axes of one
length, can only fail the first time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from symgraph.graph.basic import Apply, Variable
from symgraph.plan.items import Gather, Item, Put, counts_rows, items_of, may_fail
from symgraph.plan.lengths import Length
from symgraph.plan.loop import Loop
from symgraph.plan.plan import Plan, Step
from symgraph.tensor.index import ARRAY, NEWAXIS, NOTHING, SCALAR, SliceSpec
from symgraph.tensor.subtensor import IncSubtensor, Subtensor

if TYPE_CHECKING:
    from symgraph.plan.jobs import Launch

__all__ = ["failing"]

#: An index array, and the length of the axis whose places it names.
Check = tuple[Variable, int | Length]


def failing(line: Sequence[Launch | Step], plan: Plan) -> set[Launch | Step]:
    """The parts that may be the first to meet an index that is out of range.

    Parameters
    ----------
    line : sequence of Launch and Step
        In the order in which they are done.
    plan : Plan
        Whose they are.
    """
    found: set[Launch | Step] = set()
    made: set[Check] = set()
    for part in line:
        if isinstance(part, Step):
            checks, known = _of_step(part, plan), not _runs_others(part.node)
        else:
            checks, known = _of_items([item for job in part.jobs for item in job.items.values()], plan), True
        if not known or not made.issuperset(checks):
            found.add(part)
        made.update(checks)
    return found


def _runs_others(node: Apply) -> bool:
    """Whether an operation does steps of its own that may fail."""
    if isinstance(node.op, Loop):
        return any(_may_fail(step) for step in node.op.plan.steps)
    return bool(getattr(node.op, "runs_programs", False))


def _may_fail(step: Step) -> bool:
    items = items_of(step)
    if items is not None:
        return any(map(may_fail, items))
    return _has_arrays(step.node) or _runs_others(step.node)


def _has_arrays(node: Apply) -> bool:
    return isinstance(node.op, (Subtensor, IncSubtensor)) and ARRAY in node.op.spec


def _of_items(items: Iterable[Item], plan: Plan) -> set[Check]:
    found: set[Check] = set()
    for item in items:
        if isinstance(item.meaning, Gather):
            arrays = enumerate(item.inputs[1:])
        elif isinstance(item.meaning, Put):
            arrays = enumerate(item.inputs[3:], 1)
        else:
            continue
        lengths = plan.lengths.of(item.inputs[0])
        found.update((array, lengths[axis]) for axis, array in arrays if not counts_rows(array))
    return found


def _of_step(step: Step, plan: Plan) -> set[Check]:
    node = step.node
    if not _has_arrays(node):
        return set()
    x, lengths = node.inputs[0], plan.lengths.of(node.inputs[0])
    supply = iter(node.inputs[2 if isinstance(node.op, IncSubtensor) else 1:])
    found: set[Check] = set()
    axis = 0
    for entry in node.op.spec:
        if entry in (NEWAXIS, NOTHING):
            continue
        if entry == ARRAY:
            found.add((next(supply), lengths[axis]))
        else:
            parts = entry.parts if isinstance(entry, SliceSpec) else (entry,)
            for _ in range(parts.count(SCALAR)):
                next(supply)
        axis += 1
    assert axis <= x.type.ndim
    return found
