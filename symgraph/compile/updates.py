"""The updates and givens of a function: read from what users write, checked, completed by default updates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from symgraph.compile.errors import clip, line_of
from symgraph.config import config
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.rewrite import brief
from symgraph.graph.traversal import graph_inputs, toposort
from symgraph.shared import SharedVariable
from symgraph.tensor.type import TensorType

__all__ = ["add_default_updates", "as_pairs", "fit", "parse_givens", "parse_updates"]


def as_pairs(pairs: Any, what: str) -> list[tuple[Any, Any]]:
    """A dict, a list of pairs or None as a list of pairs."""
    if pairs is None:
        return []
    if isinstance(pairs, Mapping):
        return list(pairs.items())
    if isinstance(pairs, (str, Variable)) or not isinstance(pairs, Iterable):
        raise TypeError(f"{what} must be a dict or a list of (variable, expression) pairs, not {type(pairs).__name__}")
    found = []
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(f"{what} must be a dict or a list of (variable, expression) pairs; it holds "
                            f"{clip(repr(pair))}")
        found.append((pair[0], pair[1]))
    return found


def parse_updates(updates: Any) -> list[tuple[SharedVariable, Variable]]:
    """The updates argument as pairs of a shared variable and an expression of its type.

    Raises
    ------
    TypeError
        When a target is not a shared variable, or an expression is not of its type.
    ValueError
        When a variable is updated twice.
    """
    parsed: dict[SharedVariable, Variable] = {}
    containers: dict[int, SharedVariable] = {}
    for target, expression in as_pairs(updates, "updates"):
        if not isinstance(target, SharedVariable):
            kind = f"of type {target.type}" if isinstance(target, Variable) else f"a {type(target).__name__}"
            raise TypeError(f"updates: only shared variables can be updated, not {clip(str(target))}, {kind}")
        first = containers.setdefault(id(target.container), target)
        if target in parsed:
            raise ValueError(
                f"updates: shared variable {_where(target)} is updated twice:\n  with {_built(parsed[target])}\n"
                f"  with {_built(expression)}\n  Combine the two expressions into one."
            )
        if first is not target:
            raise ValueError(f"updates: {_where(target)} and {_where(first)} are clones that share one value, and both "
                             "are updated. Update one of them")
        parsed[target] = fit(target, expression)
    return list(parsed.items())


def _where(variable: Variable) -> str:
    return f"{variable} ({line_of(variable)})"


def _built(expression: Any) -> str:
    if not isinstance(expression, Variable):
        return clip(repr(expression), 40)
    return f"{clip(brief(expression, 2), 60)}, built at {line_of(expression)}"


def fit(target: Variable, expression: Any, kind: str = "shared variable") -> Variable:
    """The expression as a new value of the target; what is only less known of its shape is accepted.

    Raises
    ------
    TypeError
        When dtype, rank or a known length differ; the message names the line that made them differ.
    """
    wanted = target.type
    who = f"{kind} {_where(target)}"
    if isinstance(expression, Variable):
        found = expression.type
        if isinstance(wanted, TensorType) and isinstance(found, TensorType):
            if found.dtype != wanted.dtype:
                raise TypeError(_dtype_message(who, target, expression))
            if found.ndim != wanted.ndim:
                raise TypeError(
                    f"updates: {who} has {wanted.ndim} dimensions ({wanted}), but its update has {found.ndim} "
                    f"({found}), built at {line_of(expression)}"
                )
    try:
        return wanted.filter_variable(expression)
    except (TypeError, ValueError) as error:
        built = f", built at {line_of(expression)}," if isinstance(expression, Variable) else ""
        raise TypeError(f"updates: the new value of {who}{built} does not fit:\n  {error}") from None


def _dtype_message(who: str, target: Variable, expression: Variable) -> str:
    wanted, found = target.type.dtype, expression.type.dtype
    lines = [f"updates: {who} is {wanted}, but its update is {found}, built at {line_of(expression)}."]
    place = _widening(expression, wanted, found)
    if place is not None:
        node, leaf = place
        operands = " and ".join(f"{clip(str(v), 40)} ({v.type})" for v in node.inputs[:4])
        lines.append(f"  {found} comes in at {node.origin}: {node.op} of {operands}")
        if isinstance(leaf, Constant):
            advice = f", which NumPy made {found}; make it {wanted}"
            if getattr(leaf.type, "ndim", 0) == 0:
                same = np.dtype(wanted).kind == np.dtype(found).kind
                advice = f", which NumPy made {found}; a plain Python number would not widen it" if same else ""
            lines.append(f"  through the constant {clip(str(leaf), 40)}{advice}.")
        elif leaf is not None:
            advice, dtypes = ".", (wanted, found, config.floatX)
            if dtypes == ("float32", "float64", "float64") and not isinstance(leaf, SharedVariable):
                advice = " (with floatX=float32, T.scalar, T.matrix and so on are float32)."
            lines.append(f"  through {clip(str(leaf), 40)}, declared at {line_of(leaf)}{advice}")
    name = target.name or "variable"
    lines.append(f"  Cast it there, or cast the whole: updates=[({name}, T.cast(new_value, {wanted!r}))]")
    return "\n".join(lines)


def _widening(expression: Variable, wanted: str, found: str) -> tuple[Apply, Variable | None] | None:
    """Where, on the way to an expression, its dtype first appears: the node, and the leaf that brought it if one did.

    Only values of that dtype are followed back: what was cast away in between is not to blame. A place where the dtype
    meets the wanted one says most, so the first such place is preferred.
    """
    if expression.owner is None:
        return None
    carriers = {expression}
    places: list[tuple[Apply, Variable | None]] = []
    for node in reversed(toposort([expression])):
        if carriers.isdisjoint(node.outputs):
            continue
        wide = [v for v in node.inputs if _dtype(v) == found]
        carriers.update(wide)
        leaves = [v for v in wide if v.owner is None and not isinstance(v, Constant)]
        if not leaves and all(isinstance(v, Constant) for v in wide):
            leaves = wide  # beside a wide operand that is no constant, a number takes that one's dtype
        if leaves or not wide:
            places.append((node, leaves[0] if leaves else None))
    places.reverse()
    mixing = [p for p in places if any(_dtype(v) == wanted for v in p[0].inputs)]
    return next(iter(mixing or places), None)


def _dtype(variable: Variable) -> str | None:
    return getattr(variable.type, "dtype", None)


def parse_givens(givens: Any, inputs: Iterable[Variable] = ()) -> dict[Variable, Variable]:
    """The givens argument as a dict from variable to what stands in its place.

    Raises
    ------
    TypeError
        When a key is not a variable, or a value is not of its type.
    ValueError
        When a variable is given twice, is an input too, or givens replace each other in a circle.
    """
    parsed: dict[Variable, Variable] = {}
    passed = set(inputs)
    for variable, value in as_pairs(givens, "givens"):
        if not isinstance(variable, Variable):
            raise TypeError(f"givens: only symbolic variables can be replaced, not {clip(repr(variable))}")
        if variable in parsed:
            raise ValueError(f"givens: {_where(variable)} is given twice")
        if variable in passed:
            raise ValueError(f"givens: {_where(variable)} is an input too. Leave it out of one of the two")
        try:
            parsed[variable] = variable.type.filter_variable(value)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"givens: what is given for {_where(variable)} does not fit its type {variable.type}:\n  {error}\n"
                "  Cast it, or change the variable's declaration."
            ) from None
    _refuse_circles(parsed)
    return parsed


def _refuse_circles(givens: Mapping[Variable, Variable]) -> None:
    """Givens may build on each other, but not in a circle. One that holds the variable it replaces is none."""
    reads = {key: [v for v in graph_inputs([value], givens) if v in givens and v is not key]
             for key, value in givens.items()} if len(givens) > 1 else {}
    done: set[Variable] = set()
    for start in reads:
        path = [start]
        while path:
            below = [v for v in reads[path[-1]] if v not in done]
            if not below:
                done.add(path.pop())
                continue
            if below[0] in path:
                circle = " -> ".join(str(v) for v in [*path[path.index(below[0]):], below[0]])
                raise ValueError(f"givens: variables replace each other in a circle: {circle}")
            path.append(below[0])


def add_default_updates(
    updates: list[tuple[SharedVariable, Variable]], roots: Sequence[Variable], givens: Mapping[Variable, Variable],
    excluded: bool | Iterable[Variable], inputs: Iterable[Variable] = (),
) -> list[tuple[SharedVariable, Variable]]:
    """The updates, with the default updates of every shared variable the function reads.

    Parameters
    ----------
    inputs : iterable of Variable
        What the caller passes, computed variables among them: what those are computed from is not read.
    excluded : bool or iterable of Variable
        True leaves all default updates out; an iterable leaves out those of some variables.
    """
    if not isinstance(excluded, bool) and (isinstance(excluded, Variable) or not isinstance(excluded, Iterable)):
        raise TypeError("no_default_updates must be True, False or a list of shared variables, not "
                        f"{clip(repr(excluded))}")
    if excluded is True:
        return updates
    left_out = set() if excluded is False else set(excluded)
    result = dict(updates)
    passed = dict.fromkeys(inputs)
    seen: set[Variable] = set(passed)
    pending = [*roots, *(e for _, e in updates)]
    while pending:
        leaves = graph_inputs(pending, {**passed, **givens})
        found = [v for v in leaves if v not in seen]
        seen.update(found)
        pending = [givens[v] for v in found if v in givens]
        for variable in found:
            if not isinstance(variable, SharedVariable) or variable in givens or variable in result:
                continue
            if variable.default_update is not None and variable not in left_out:
                result[variable] = fit(variable, variable.default_update)
                pending.append(result[variable])
    return list(result.items())
