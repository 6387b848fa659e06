"""Programs that are looked on: every step on its own, and its values shown to a monitor on the host."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from symgraph.graph.basic import Constant, Variable
from symgraph.plan import Plan, Step, make_plan
from symgraph.plan.jobs import Abilities, Launch, launches_of

__all__ = ["Look", "one_by_one"]


@dataclass(frozen=True)
class Look:
    """Where a monitor is shown a step: before it is done, or when it has been."""

    step: Step
    before: bool = False


def one_by_one(plan: Plan, monitor: Any, abilities: Abilities,
               on_host: Collection[Variable]) -> Sequence[Launch | Step | Look]:
    """What a device does for a plan when nothing is fused: the steps in order, each with its launches; and where a
    monitor, if there is one, is shown them."""
    line: list[Launch | Step | Look] = []
    count = 0
    for step in plan.steps:
        if hasattr(monitor, "before"):
            line.append(Look(step, before=True))
        node = step.node
        if all(v in on_host for v in node.outputs):
            line.append(step)
        else:
            given = [v for v in dict.fromkeys(node.inputs) if not isinstance(v, Constant)]
            for part in launches_of(make_plan([node], given, [], node.outputs, []), None, abilities, on_host):
                if isinstance(part, Launch):
                    part.index, part.over = count, {}
                    count += 1
                line.append(part)
        if monitor is not None:
            line.append(Look(step))
    return line
