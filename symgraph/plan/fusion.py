"""Fusion: which applications share a loop, and the order that puts them side by side.

Every application gets a *stage*. One that reads the result of another row by row may stand in the same stage; one
that needs it whole (a product, an index, whatever is no loop over rows), or reads what a loop reduced over its rows,
stands in a later one. So between two applications of one stage there is no path but one from row to row, and whatever
is gathered into a loop within a stage leaves the program without circles, with no question about reachability asked.

Stages are counted from the front; then applications move back to the stage of those who read them by rows. What is
cheap to make from what is kept anyway (``1 - h**2`` of a hidden layer) thus joins the loop that needs it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from symgraph.graph.basic import Apply, Variable
from symgraph.plan.kernel import Role, role_of

__all__ = ["Unit", "fuse"]

_LARGEST = 256  # applications in a unit


class Unit:
    """Applications that run side by side.

    Attributes
    ----------
    nodes : list of Apply
        Each after what it reads.
    roles : list of Role
        What they do with rows, when they are a loop; else empty.
    """

    __slots__ = ("nodes", "roles")

    def __init__(self, nodes: list[Apply], roles: list[Role]) -> None:
        self.nodes, self.roles = nodes, roles


def fuse(nodes: Sequence[Apply], results: Iterable[Variable] = ()) -> list[Unit]:
    """Gather applications into units and order these.

    Parameters
    ----------
    nodes : sequence of Apply
        In an order in which each comes after what it reads.
    results : iterable of Variable
        What leaves the function.

    Returns
    -------
    list of Unit
        In an order in which each comes after what it reads.
    """
    roles = [role_of(node) for node in nodes]
    makers = {output: place for place, node in enumerate(nodes) for output in node.outputs}
    stages = _stages(nodes, roles, makers)
    _move_back(nodes, roles, makers, stages, results)
    groups = _groups(nodes, roles, makers, stages)
    return _ordered(nodes, roles, makers, groups)


def _by_rows(variable: Variable, place: int, role: Role | None, roles: Sequence[Role | None], maker: int) -> bool:
    """Whether an input is passed on row by row: read so, and made so."""
    made = roles[maker]
    return role is not None and place in role.by_rows and made is not None and not made.over_rows


def _stages(nodes: Sequence[Apply], roles: Sequence[Role | None], makers: dict[Variable, int]) -> list[int]:
    """The first stage in which each application can stand."""
    stages: list[int] = []
    for node, role in zip(nodes, roles, strict=True):
        stage = 0
        for place, variable in enumerate(node.inputs):
            maker = makers.get(variable)
            if maker is not None:
                after = stages[maker] + (not _by_rows(variable, place, role, roles, maker))
                if after > stage:
                    stage = after
        stages.append(stage)
    return stages


def _move_back(nodes: Sequence[Apply], roles: Sequence[Role | None], makers: dict[Variable, int], stages: list[int],
               results: Iterable[Variable]) -> None:
    """Put loops off to the stage of their first reader."""
    first: list[int | None] = [None] * len(nodes)
    for variable in results:
        if variable in makers:
            first[makers[variable]] = stages[makers[variable]]
    for at in range(len(nodes) - 1, -1, -1):
        role, reader = roles[at], first[at]
        if role is not None and not role.over_rows and reader is not None:
            stages[at] = max(stages[at], reader)
        for place, variable in enumerate(nodes[at].inputs):
            maker = makers.get(variable)
            if maker is not None:
                latest = stages[at] - (not _by_rows(variable, place, role, roles, maker))
                known = first[maker]
                first[maker] = latest if known is None else min(known, latest)


def _groups(nodes: Sequence[Apply], roles: Sequence[Role | None], makers: dict[Variable, int],
            stages: Sequence[int]) -> list[int]:
    """For each application the number of its group: those of a stage that pass rows on, or read the same by rows."""
    parent = list(range(len(nodes)))

    def find(at: int) -> int:
        while parent[at] != at:
            parent[at] = at = parent[parent[at]]
        return at

    readers: dict[tuple[Variable, int], int] = {}
    for at, (node, role) in enumerate(zip(nodes, roles, strict=True)):
        for place in role.by_rows if role is not None else ():
            variable = node.inputs[place]
            maker = makers.get(variable)
            if maker is not None and stages[maker] == stages[at] and _by_rows(variable, place, role, roles, maker):
                parent[find(at)] = find(maker)
            other = readers.setdefault((variable, stages[at]), at)
            parent[find(at)] = find(other)
    return [find(at) for at in range(len(nodes))]


def _ordered(nodes: Sequence[Apply], roles: Sequence[Role | None], makers: dict[Variable, int],
             groups: Sequence[int]) -> list[Unit]:
    """Units after what they need; among those that are ready, the one that comes first in the original order.

    A group that is too large is cut where it is: a piece needs earlier pieces only.
    """
    pieces: dict[int, int] = {}  # from a group to the unit that still takes members
    members: list[list[int]] = []
    unit_of: list[int] = []
    for at, group in enumerate(groups):
        unit = pieces.get(group)
        if unit is None or len(members[unit]) >= _LARGEST:
            unit = pieces[group] = len(members)
            members.append([])
        members[unit].append(at)
        unit_of.append(unit)
    after: list[set[int]] = [set() for _ in members]
    missing = [0] * len(members)
    for at, node in enumerate(nodes):
        unit = unit_of[at]
        for variable in node.inputs:
            maker = makers.get(variable)
            if maker is not None and unit_of[maker] != unit and unit not in after[unit_of[maker]]:
                after[unit_of[maker]].add(unit)
                missing[unit] += 1
    ready = [unit for unit, count in enumerate(missing) if not count]
    heapq.heapify(ready)
    ordered = []
    while ready:
        unit = heapq.heappop(ready)
        found = [role for at in members[unit] if (role := roles[at]) is not None]
        ordered.append(Unit([nodes[at] for at in members[unit]], found))
        for other in after[unit]:
            missing[other] -= 1
            if not missing[other]:
                heapq.heappush(ready, other)
    assert len(ordered) == len(members), "units depend on each other in a circle"
    return ordered
