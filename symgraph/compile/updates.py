"""The updates and givens of a function: read from what users write, checked, completed by default updates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from symgraph.graph.basic import Constant, Variable
from symgraph.graph.origin import Origin
from symgraph.graph.traversal import graph_inputs, toposort
from symgraph.shared import SharedVariable
from symgraph.tensor.type import TensorType

__all__ = ["add_default_updates", "as_pairs", "parse_givens", "parse_updates"]


def as_pairs(pairs: Any, what: str) -> list[tuple[Any, Any]]:
    """A dict, a list of pairs or None as a list of pairs."""
    if pairs is None:
        return []
    if isinstance(pairs, Mapping):
        return list(pairs.items())
    found = []
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(f"{what} must be a dict, or a list of (variable, expression) pairs; it holds {pair!r}")
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
    for target, expression in as_pairs(updates, "updates"):
        if not isinstance(target, SharedVariable):
            raise TypeError(f"updates: only shared variables can be updated, not {target}"
                            + (f" of type {target.type}" if isinstance(target, Variable) else f", a {type(target).__name__}"))
        if target in parsed:
            raise ValueError(f"updates: shared variable {_where(target)} is updated twice; combine the two expressions into one")
        parsed[target] = _fit(target, expression)
    return list(parsed.items())


def _where(variable: Variable) -> str:
    origin = variable.owner.origin if variable.owner is not None else variable.origin
    return f"{variable} ({origin})" if origin is not None else str(variable)


def _fit(target: SharedVariable, expression: Any) -> Variable:
    """The expression as a value of the shared variable's type; what is only less known of its shape is accepted."""
    wanted = target.type
    if not isinstance(expression, Variable):
        try:
            return wanted.filter_variable(expression)
        except (TypeError, ValueError) as error:
            raise TypeError(f"updates: the new value of shared variable {_where(target)} does not fit: {error}") from None
    found = expression.type
    if isinstance(wanted, TensorType) and isinstance(found, TensorType) and found.dtype != wanted.dtype:
        raise TypeError(_dtype_message(target, expression))
    if isinstance(wanted, TensorType) and isinstance(found, TensorType) and found.ndim != wanted.ndim:
        raise TypeError(
            f"updates: shared variable {_where(target)} has {wanted.ndim} dimensions ({wanted}), but its update has {found.ndim} "
            f"({found}), built at {_origin(expression)}"
        )
    try:
        return wanted.filter_variable(expression)
    except (TypeError, ValueError) as error:
        raise TypeError(f"updates: the new value of shared variable {_where(target)}, built at {_origin(expression)}, does not fit: "
                        f"{error}") from None


def _origin(expression: Variable) -> Origin | str:
    return (expression.owner.origin if expression.owner is not None else expression.origin) or "an unknown line"


def _dtype_message(target: SharedVariable, expression: Variable) -> str:
    wanted, found = target.type.dtype, expression.type.dtype  # type: ignore[attr-defined]
    message = (
        f"updates: shared variable {_where(target)} is {wanted}, but its update is {found} (built at {_origin(expression)}).\n"
    )
    culprit = _widening(expression, wanted, found)
    if culprit is not None:
        message += f"  {found} comes in at {culprit}\n"
    name = target.name or "variable"
    return message + (
        f"  Cast it there, or cast the whole: updates=[({name}, T.cast(new_value, {wanted!r}))]"
        + (", or set floatX=float32" if (wanted, found) == ("float32", "float64") else "")
    )


def _widening(expression: Variable, wanted: str, found: str) -> str | None:
    """The first place, in order of computation, where the wider dtype appears."""
    for node in toposort([expression]):
        for variable in node.inputs:
            if variable.owner is None and getattr(variable.type, "dtype", None) == found and (
                not isinstance(variable, Constant) or variable.type.ndim > 0 or True  # type: ignore[attr-defined]
            ) and any(getattr(v.type, "dtype", None) == wanted for v in node.inputs):
                kind = "the constant" if isinstance(variable, Constant) else "the variable"
                return f"{node.origin}: {node.op} of {' and '.join(f'{v} ({v.type})' for v in node.inputs)}, through {kind} {variable}"
        outputs = {getattr(v.type, "dtype", None) for v in node.outputs}
        inputs = {getattr(v.type, "dtype", None) for v in node.inputs}
        if found in outputs and found not in inputs:
            return f"{node.origin}: {node.op} of {' and '.join(f'{v} ({v.type})' for v in node.inputs)}"
    return None


def parse_givens(givens: Any) -> dict[Variable, Variable]:
    """The givens argument as a dict from variable to what stands in its place.

    Raises
    ------
    TypeError
        When a key is not a variable, or a value is not of its type.
    """
    parsed: dict[Variable, Variable] = {}
    for variable, value in as_pairs(givens, "givens"):
        if not isinstance(variable, Variable):
            raise TypeError(f"givens: only symbolic variables can be replaced, not {variable!r}")
        if variable in parsed:
            raise ValueError(f"givens: {variable} is given twice")
        try:
            parsed[variable] = variable.type.filter_variable(value)
        except (TypeError, ValueError) as error:
            raise TypeError(f"givens: what is given for {_where(variable)} does not fit its type {variable.type}: {error}. Cast it, "
                            "or change the variable's declaration") from None
    return parsed


def add_default_updates(
    updates: list[tuple[SharedVariable, Variable]], roots: Sequence[Variable], givens: Mapping[Variable, Variable],
    excluded: bool | Iterable[Variable],
) -> list[tuple[SharedVariable, Variable]]:
    """The updates, with the default updates of every shared variable the function reads.

    Parameters
    ----------
    excluded : bool or iterable of Variable
        True leaves all default updates out; an iterable leaves out those of some variables.
    """
    if excluded is True:
        return updates
    left_out = set() if excluded is False else set(excluded)  # type: ignore[arg-type]
    result = dict(updates)
    seen: set[Variable] = set()
    pending = [*roots, *(e for _, e in updates), *givens.values()]
    while pending:
        found = [v for v in graph_inputs(pending) if isinstance(v, SharedVariable) and v not in seen]
        seen.update(found)
        pending = []
        for variable in found:
            if variable.default_update is not None and variable not in result and variable not in left_out:
                result[variable] = _fit(variable, variable.default_update)
                pending.append(result[variable])
    return list(result.items())
