"""What a program may write on: present values of shared variables, and its own memory that nobody needs any more.

The plan says whether anything reads a value later in the order of its steps. A device does what it can in one launch,
and in another order; so what the launches read from some place on is asked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from symgraph.graph.basic import Variable
from symgraph.plan import Home, Plan, Step
from symgraph.plan.failing import failing
from symgraph.plan.jobs import Launch
from symgraph.tensor.subtensor import IncSubtensor

__all__ = ["Overwriting"]


class Overwriting:
    """What the parts of one program may write on.

    Parameters
    ----------
    plan : Plan
    line : sequence of Launch and Step
        The program.
    """

    def __init__(self, plan: Plan, line: Sequence[Launch | Step]) -> None:
        self.plan, self.line = plan, list(line)
        self._targets: dict[Variable, Any] = {u.variable: u.target for u in plan.updates}

    def by_launch(self, launch: Launch) -> dict[Variable, Any]:
        """Next values that may be written over the present ones: nobody reads a part of these from here on."""
        return {v: target for v, target in launch.over.items() if not any(
            v is not target for v in self._read_from(launch, target))}

    def by_step(self, step: Step | None, may_fail: bool = False) -> Any:
        """The shared variable that a step's result may be written over, being its next value; or None.

        The step must read it before it writes, and nothing else reads it from there on. Nor must an index be checked
        from there on, unless the variable is left alone where any check of the program `may_fail`.
        """
        target = None if step is None else self._targets.get(step.node.outputs[0])
        if step is None or target is None or step.node.inputs[0] is not target or step.node.inputs.count(target) > 1:
            return None
        if may_fail and not self._failing.isdisjoint(self.line[self.line.index(step) + 1:]):
            return None
        return target if len(self._read_from(step, target)) == 1 else None

    def on_input(self, step: Step | None) -> bool:
        """Whether a step may write on its first input: an array of the program's own, which the plan lets it write on
        and nothing reads that comes later here."""
        if step is None:
            return False
        x = step.node.inputs[0]
        block = self.plan.blocks.get(x)
        return (block is not None and step.into is x and block.home is Home.OWN and block.root is x
                and self._is_new(x) and len(self._read_from(step, x)) == 1)

    def _is_new(self, variable: Variable) -> bool:
        """Whether a value is made in an array of its own; what a function returns may be the array it was given."""
        made = any(isinstance(part, Launch) and variable in part.outputs for part in self.line)
        return made or (variable.owner is not None and isinstance(variable.owner.op, IncSubtensor))

    @cached_property
    def _failing(self) -> set[Launch | Step]:
        return failing(self.line, self.plan)

    def _read_from(self, part: Launch | Step, variable: Any) -> list[Variable]:
        """What reads the memory of a variable from a part of the program on, or is a result that lies there."""
        blocks = self.plan.blocks
        later = [v for other in self.line[self.line.index(part):] for v in (
            other.inputs if isinstance(other, Launch) else other.node.inputs)]
        later += [o.variable for o in self.plan.outputs] + [u.variable for u in self.plan.updates]
        return [v for v in later if v in blocks and blocks[v] is blocks.get(variable)]
