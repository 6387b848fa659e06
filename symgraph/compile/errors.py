"""What is said when a function cannot be built, or fails while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.config import config
from symgraph.errors import MissingInputError
from symgraph.graph.basic import Constant, Variable
from symgraph.graph.rewrite import brief
from symgraph.graph.traversal import variable_path
from symgraph.plan import Step

__all__ = ["clip", "describe_value", "explain", "line_of", "missing_input_error", "place_of"]

_LONGEST_PATH = 4
_MOST_INPUTS = 5


def line_of(variable: Variable) -> str:
    """The user's line that a variable comes from."""
    origin = variable.owner.origin if variable.owner is not None else variable.origin
    return str(origin) if origin is not None else "an unknown line"


def clip(text: str, width: int = 100) -> str:
    """A text on one line and of bounded length."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 3] + "..."


def missing_input_error(variable: Variable, outputs: Sequence[Variable],
                        inputs: Sequence[Variable] = ()) -> MissingInputError:
    """The error for a variable that a function needs and nobody provides: the way from it to an output, and the fix."""
    name = variable.name or "the variable"
    lines = [
        f"{variable} ({variable.type}), declared at {line_of(variable)}, is needed but is not an input of the function."
    ]
    path = variable_path(variable, outputs)[1:]
    shown = path if len(path) <= _LONGEST_PATH else [*path[:2], None, path[-1]]
    if shown:
        lines.append("It is used in:")
    for step in shown:
        lines.append("  ..." if step is None else f"  {clip(brief(step, 2))}, at {line_of(step)}")
    twin = next((v for v in inputs if v.name and v.name == variable.name), None)
    if twin is not None:
        lines.append(f"The input {twin} ({twin.type}), declared at {line_of(twin)}, is another variable of that name: "
                     "declare it once and use that one.")
    lines.append(
        f"Add {name} to the inputs, give it a value with givens={{{name}: ...}}, or make it a shared variable."
    )
    return MissingInputError("\n".join(lines))


def place_of(step: Step) -> str:
    """What a step computes and the line of the user's program it stands for."""
    return f"{clip(brief(step.node.outputs[0], 2))}, built at {step.node.origin}"


def explain(error: BaseException, step: Step, values: Sequence[Any], title: str) -> None:
    """Add to a run-time error what it happened in, in the user's terms."""
    node = step.node
    lines = [f"in {place_of(step)}, of {title}"]
    # A single number stands in the expression already; lengths are checked before all values are there.
    told = [(v, value) for v, value in zip(node.inputs, values, strict=True)
            if value is not None and not (isinstance(v, Constant) and np.ndim(v.data) == 0)]
    for variable, value in told[:_MOST_INPUTS]:
        lines.append(f"  {clip(brief(variable, 1), 48)}: {describe_value(value)}")
    if len(told) > _MOST_INPUTS:
        lines.append(f"  and {len(told) - _MOST_INPUTS} more")
    if config.exception_verbosity == "high":
        lines.append(f"  whole expression: {brief(node.outputs[0], 12)}")
    else:
        lines.append("  (exception_verbosity=high shows the whole expression; f.source the generated program)")
    error.add_note("\n".join(lines))


def describe_value(value: Any) -> str:
    """A run-time value in a few words: dtype, shape, and the numbers where they are few."""
    if isinstance(value, np.ndarray):
        small = f" = {clip(str(value.tolist()), 40)}" if value.size <= 4 else ""
        return f"{value.dtype} of shape {value.shape}{small}"
    if isinstance(value, np.generic):
        return f"{value.dtype} = {value}"
    return type(value).__name__
