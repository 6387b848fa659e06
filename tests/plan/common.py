"""What tests of plans share: a plan without a backend, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import symgraph as sg
from symgraph.graph import FunctionGraph
from symgraph.plan import Buffer, Plan, Step, make_plan


def plan_of(inputs: Sequence[Any], outputs: Sequence[Any], updates: Sequence[tuple[Any, Any]] = (),
            mutable: Sequence[Any] = (), borrowed: Sequence[int] = ()) -> Plan:
    """The plan of expressions as they are written, without rewriting."""
    graph = FunctionGraph(inputs, [*outputs, *(new for _, new in updates)])
    nodes = graph.toposort()
    shared = dict.fromkeys(v for v in [*(i for n in nodes for i in n.inputs), *graph.outputs]
                           if isinstance(v, sg.SharedVariable))
    new = graph.outputs[len(outputs):]
    return make_plan(nodes, inputs, list(shared), graph.outputs[: len(outputs)],
                     [(target, value) for (target, _), value in zip(updates, new, strict=True)], mutable, borrowed)


def step_of(plan: Plan, name: str, which: int = 0) -> Step:
    """The step of an operation, by its name."""
    return [step for step in plan.steps if str(step.node.op).startswith(name)][which]


def buffers_used(plan: Plan) -> set[Buffer]:
    return {b for step in plan.steps for o in step.node.outputs if (b := plan.blocks[o].buffer) is not None}
