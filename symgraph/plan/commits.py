"""Which next values of shared variables may be computed over the present ones.

That saves memory and half of the memory traffic of an update. It happens at the very end of a call, when nothing else
can fail and nobody needs the old value any more; so what makes such a value may be read by nobody, and none may read
what another writes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from symgraph.graph.basic import Apply, Variable
from symgraph.plan.fusion import Unit
from symgraph.tensor.blas import Gemm
from symgraph.tensor.subtensor import ARRAY, IncSubtensor
from symgraph.tensor.type import TensorType

__all__ = ["Commits"]


class Commits:
    """The applications and loops that a function keeps for its end.

    Parameters
    ----------
    nodes : sequence of Apply
    outputs : sequence of Variable
    updates : sequence of (SharedVariable, Variable)

    Attributes
    ----------
    over : dict of Apply to Variable
        Products added to a shared variable, changes of parts of one, and the variable.
    """

    def __init__(self, nodes: Sequence[Apply], outputs: Sequence[Variable],
                 updates: Sequence[tuple[Any, Variable]]) -> None:
        self.read = Counter(v for node in nodes for v in dict.fromkeys(node.inputs))
        self.read.update(outputs)
        self.read.update(variable for _, variable in updates)
        self.targets = {variable: target for target, variable in updates if self._fits(target, variable)}
        self.over = self._over_whole()

    @staticmethod
    def _fits(target: Any, variable: Variable) -> bool:
        new, old = variable.type, target.type
        return isinstance(new, TensorType) and new.ndim > 0 and (new.dtype, new.ndim) == (old.dtype, old.ndim)

    def _over_whole(self) -> dict[Apply, Variable]:
        found: dict[Apply, Variable] = {}
        for variable, target in self.targets.items():
            node = variable.owner
            if node is None or not node.inputs or node.inputs[0] is not target or self.read[variable] != 1:
                continue
            if _can_wait(node) and target not in map(root_of, node.inputs[1:]):
                found[node] = target
        operands = {root_of(v) for node in found for v in node.inputs[1:]}
        return {node: target for node, target in found.items() if target not in operands}

    def loops(self, units: Sequence[Unit]) -> dict[Unit, dict[Variable, Variable]]:
        """The loops to keep for the end, and for each result the shared variable it is computed over."""
        found = {unit: over for unit in units if unit.roles and (over := self._over(unit))}
        reads = {unit: {root_of(v) for node in unit.nodes for v in node.inputs} for unit in found}
        readers = Counter(v for roots in reads.values() for v in roots)  # among what is kept for the end
        readers.update(root for node in self.over for root in {root_of(v) for v in node.inputs[1:]})
        return {unit: over for unit, over in found.items()
                if all(readers[target] == (target in reads[unit]) for target in over.values())}

    def _over(self, unit: Unit) -> dict[Variable, Variable]:
        """What a loop makes, each with the shared variable it may be computed over; empty unless that is all of it."""
        inside = Counter(v for node in unit.nodes for v in dict.fromkeys(node.inputs))
        over: dict[Variable, Variable] = {}
        for place, (node, role) in enumerate(zip(unit.nodes, unit.roles, strict=True)):
            (made,) = node.outputs
            if self.read[made] == inside[made]:
                continue
            target = self.targets.get(made)
            if target is None or role.over_rows or node.op.view_map or self.read[made] != inside[made] + 1 or (
                not self._may_go(target, unit, place)
            ):
                return {}
            over[made] = target
        return over

    def _may_go(self, target: Variable, unit: Unit, place: int) -> bool:
        """Whether a loop reads a shared variable row by row, and no row any more once it is written on."""
        reads = False
        for at, (node, role) in enumerate(zip(unit.nodes, unit.roles, strict=True)):
            for position, variable in enumerate(node.inputs):
                if root_of(variable) is target:
                    if at > place or variable is not target or position not in role.by_rows:
                        return False
                    reads = True
        return reads


def _can_wait(node: Apply) -> bool:
    """Whether it can be told beforehand that an operation on its first input will not fail."""
    op = node.op
    if isinstance(op, Gemm):
        return node.inputs[2].type.ndim == node.inputs[3].type.ndim == 2
    if not isinstance(op, IncSubtensor):
        return False
    indices: list[Any] = [v.type for v in node.inputs[2:]]
    return not op.is_advanced or (
        op.spec == (ARRAY,) and indices[0].ndim == 1 and indices[0].dtype.startswith(("int", "uint")))


def root_of(variable: Variable) -> Variable:
    """What a view is a view of."""
    while variable.owner is not None and variable.owner.op.view_map:
        sources = variable.owner.op.view_map.get(variable.owner.outputs.index(variable))
        if not sources:
            break
        variable = variable.owner.inputs[sources[0]]
    return variable
