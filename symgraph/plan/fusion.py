"""Fusion: which applications share a loop, and the order that puts them side by side.

Applications are taken in order and gathered into units. One joins the units that make what it reads by rows, or that
read the same by rows, wherever no value would have to leave a unit and come back into it: seen as a graph whose nodes
are the units, the program must stay without circles. Joining is greedy and each question about reachability has a work
budget, so that fusing takes about linear time; refusing to join is always right.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from symgraph.graph.basic import Apply, Variable
from symgraph.plan.kernel import Role, role_of

__all__ = ["fuse"]

_LARGEST = 256  # applications in a unit
_VISITS = 128   # units looked at to answer one question about reachability


class _Unit:
    """Applications that run side by side.

    Attributes
    ----------
    before : set of _Unit
        Those that must have run, directly.
    whole : set of _Unit
        Those of them from which something is needed whole before the first row: never to be joined.
    first, last : int
        The positions of its applications in the original order span this.
    """

    __slots__ = ("before", "first", "last", "members", "whole")

    def __init__(self, position: int) -> None:
        self.members: list[tuple[int, Apply]] = []
        self.before: set[_Unit] = set()
        self.whole: set[_Unit] = set()
        self.first = self.last = position


def fuse(nodes: Sequence[Apply]) -> list[tuple[list[Apply], bool]]:
    """Gather applications into units and order these.

    Parameters
    ----------
    nodes : sequence of Apply
        In an order in which each comes after what it reads.

    Returns
    -------
    list of (list of Apply, bool)
        Units in an order in which each comes after what it reads; whether the unit is a loop over rows.
    """
    return _Fusion().run(nodes)


class _Fusion:
    def __init__(self, apart: frozenset[Apply] = frozenset()) -> None:
        self.apart = apart  # applications that join no other
        self.joined: dict[_Unit, _Unit] = {}
        self.makers: dict[Variable, _Unit] = {}
        self.over_rows: set[Variable] = set()
        self.readers: dict[Variable, _Unit] = {}  # the last unit that reads a variable by rows
        self.loops: set[_Unit] = set()

    def run(self, nodes: Sequence[Apply]) -> list[tuple[list[Apply], bool]]:
        units: list[_Unit] = []
        for position, node in enumerate(nodes):
            role = role_of(node)
            unit = _Unit(position)
            unit.members.append((position, node))
            self._depend(unit, node, role)
            if role is not None:
                self.loops.add(unit)
                if node not in self.apart:
                    unit = self._join_neighbours(unit, node, role)
            units.append(unit)
            for output in node.outputs:
                self.makers[output] = unit
            if role is not None:
                self.readers.update((node.inputs[i], unit) for i in role.by_rows)
                if role.over_rows:
                    self.over_rows.update(node.outputs)
        alive = list(dict.fromkeys(map(self._find, units)))
        ordered = self._ordered(alive)
        if len(ordered) < len(alive):
            # Units that end before another begins may still wait for it, through a unit that spans both, which
            # `_reaches` does not look for: what is in such a circle stays apart.
            stuck = {node for unit in set(alive) - set(ordered) for _, node in unit.members}
            return _Fusion(self.apart | stuck).run(nodes)
        return [([node for _, node in sorted(unit.members, key=lambda m: m[0])], unit in self.loops)
                for unit in ordered]

    def _find(self, unit: _Unit) -> _Unit:
        """The unit a unit has become part of."""
        root = unit
        while root in self.joined:
            root = self.joined[root]
        while unit in self.joined:
            self.joined[unit], unit = root, self.joined[unit]
        return root

    def _depend(self, unit: _Unit, node: Apply, role: Role | None) -> None:
        by_rows = set() if role is None else {node.inputs[i] for i in role.by_rows}
        whole = set(node.inputs) if role is None else {
            v for i, v in enumerate(node.inputs) if i not in role.by_rows or v in self.over_rows}
        for variable in by_rows | whole:
            maker = self.makers.get(variable)
            if maker is not None:
                maker = self._find(maker)
                unit.before.add(maker)
                if variable in whole:
                    unit.whole.add(maker)

    def _join_neighbours(self, unit: _Unit, node: Apply, role: Role) -> _Unit:
        rows = [node.inputs[i] for i in role.by_rows]
        near = [u for v in rows for u in (self.makers.get(v), self.readers.get(v)) if u is not None]
        for other in dict.fromkeys(map(self._find, near)):
            other = self._find(other)
            if other is not unit and other in self.loops and other.members[0][1] not in self.apart and self._may_join(
                    unit, other):
                unit = self._join(unit, other)
        return unit

    def _may_join(self, a: _Unit, b: _Unit) -> bool:
        if len(a.members) + len(b.members) > _LARGEST or a in self._roots(b.whole) or b in self._roots(a.whole):
            return False
        return not self._reaches(a, b) and not self._reaches(b, a)

    def _roots(self, units: set[_Unit]) -> set[_Unit]:
        return {self._find(u) for u in units}

    def _reaches(self, start: _Unit, end: _Unit) -> bool:
        """Whether `end` depends on `start` through another unit; True also when that takes too long to tell."""
        seen = {u for u in self._roots(end.before) if u is not start}
        waiting = [u for u in seen if u.last > start.first]
        visits = 0
        while waiting:
            visits += 1
            if visits > _VISITS:
                return True
            for unit in self._roots(waiting.pop().before):
                if unit is start:
                    return True
                if unit not in seen and unit.last > start.first:  # what ends before `start` begins is not behind it
                    seen.add(unit)
                    waiting.append(unit)
        return False

    def _join(self, a: _Unit, b: _Unit) -> _Unit:
        """One unit of two; the larger takes the smaller in."""
        if len(a.members) > len(b.members):
            a, b = b, a
        b.members += a.members
        b.first, b.last = min(a.first, b.first), max(a.last, b.last)
        self.joined[a] = b
        self.loops.discard(a)
        b.before = (self._roots(b.before) | self._roots(a.before)) - {b}
        b.whole = (self._roots(b.whole) | self._roots(a.whole)) - {b}
        return b

    def _ordered(self, units: Sequence[_Unit]) -> list[_Unit]:
        """Units after what they need; among those that are ready, the one that comes first in the original order.

        Those that wait for each other in a circle are left out.
        """
        after: dict[_Unit, list[_Unit]] = {}
        missing: dict[_Unit, int] = {}
        for unit in units:
            before = self._roots(unit.before)
            missing[unit] = len(before)
            for other in before:
                after.setdefault(other, []).append(unit)
        starting = {unit.first: unit for unit in units}
        ready = [unit.first for unit in units if not missing[unit]]
        heapq.heapify(ready)
        ordered = []
        while ready:
            unit = starting[heapq.heappop(ready)]
            ordered.append(unit)
            for other in after.get(unit, ()):
                missing[other] -= 1
                if not missing[other]:
                    heapq.heappush(ready, other.first)
        return ordered
