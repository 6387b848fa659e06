"""A plan as text: a line for each step, with its result's name, type and memory, and the user's line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgraph.graph.basic import Variable

if TYPE_CHECKING:
    from symgraph.plan.plan import Plan, Step

__all__ = ["describe"]

_WIDEST = 64  # characters of a column


def describe(plan: Plan) -> str:
    """A plan as text. Results are called t0, t1, ... in the order they are made."""
    names: dict[Variable, str] = {}
    rows = []
    for step in plan.steps:
        reads = ", ".join(names.get(v) or str(v) for v in step.node.inputs)
        for output in step.node.outputs:
            names[output] = f"t{len(names)}"
        made = ", ".join(names[v] for v in step.node.outputs)
        types = ", ".join(str(v.type) for v in step.node.outputs)
        kernel = "" if step.kernel is None else f"k{step.kernel.index}"
        rows.append((kernel, f"{made} = {step.node.op}({reads})", types, _memory(plan, step, names),
                     str(step.node.origin)))
    widths = [min(max((len(row[i]) for row in rows), default=0), _WIDEST) for i in range(4)]
    lines = []
    for number, (*columns, line) in enumerate(rows):
        cells = [_clip(text).ljust(width) for text, width in zip(columns, widths, strict=True) if width]
        lines.append("  ".join([f"{number:3}", *cells, line]))
    lines += [f"     {update.target} <- {names.get(update.variable) or update.variable}" for update in plan.updates]
    return "\n".join(lines)


def _memory(plan: Plan, step: Step, names: dict[Variable, str]) -> str:
    """Where a step's result goes."""
    into = step.into
    if into is None:
        views = step.node.op.view_map.get(0)
        if not views:
            return "new"
        source = step.node.inputs[views[0]]
        return f"view of {names.get(source) or source}"
    if isinstance(into, Variable):
        return f"over {names.get(into) or into}"
    return f"{into.use.value} {into.index}"


def _clip(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 3] + "..."
