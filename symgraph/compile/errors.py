"""What is said when a function cannot be built, or fails while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.config import config
from symgraph.errors import MissingInputError
from symgraph.graph.basic import Variable
from symgraph.graph.rewrite import brief
from symgraph.graph.traversal import variable_path
from symgraph.plan import Step

__all__ = ["explain", "missing_input_error"]

_LONGEST_PATH = 4


def _line(variable: Variable) -> str:
    origin = variable.owner.origin if variable.owner is not None else variable.origin
    return str(origin) if origin is not None else "an unknown line"


def missing_input_error(variable: Variable, outputs: Sequence[Variable]) -> MissingInputError:
    """The error for a variable that a function needs and nobody provides: the way from it to an output, and the fix."""
    name = variable.name or "the variable"
    lines = [f"{variable} ({variable.type}), declared at {_line(variable)}, is needed but is not an input of the function."]
    path = variable_path(variable, outputs)[1:]
    shown = path if len(path) <= _LONGEST_PATH else [*path[:2], None, path[-1]]
    if shown:
        lines.append("It is used in:")
    for step in shown:
        lines.append("  ..." if step is None else f"  {brief(step, 2)}, at {_line(step)}")
    lines.append(
        f"Add {name} to the inputs, give it a value with givens={{{name}: ...}}, or make it a shared variable."
    )
    return MissingInputError("\n".join(lines))


def explain(error: BaseException, step: Step, values: Sequence[Any], title: str) -> None:
    """Add to a run-time error what it happened in, in the user's terms."""
    node = step.node
    lines = [f"in {_clip(brief(node.outputs[0], 2))}, built at {node.origin}, of function {title!r}"]
    for variable, value in list(zip(node.inputs, values, strict=True))[:5]:
        lines.append(f"  {_clip(brief(variable, 1), 48)}: {_describe(value)}")
    if len(node.inputs) > 5:
        lines.append(f"  and {len(node.inputs) - 5} more")
    if config.exception_verbosity == "high":
        lines.append(f"  whole expression: {brief(node.outputs[0], 12)}")
    else:
        lines.append("  (exception_verbosity=high shows the whole expression; f.source the generated program)")
    error.add_note("\n".join(lines))


def _clip(text: str, width: int = 100) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        small = f" = {_clip(str(value.tolist()), 40)}" if value.size <= 4 else ""
        return f"{value.dtype} of shape {value.shape}{small}"
    if isinstance(value, np.generic):
        return f"{value.dtype} = {value}"
    return type(value).__name__
