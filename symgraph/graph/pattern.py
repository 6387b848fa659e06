"""Patterns: expressions with holes, and every way in which one fits a node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.op import Op

__all__ = ["Bindings", "Pattern", "Wild", "build", "fits", "holes", "match_inputs"]

Bindings = dict[str, Variable]


class Pattern:
    """An expression with holes: an operation applied to patterns, numbers and `Wild` leaves."""

    def __init__(self, op: Op, args: Sequence[Any]) -> None:
        self.op = op
        self.args = tuple(args)

    def lift_op(self, op: Op, args: Sequence[Any]) -> Pattern:
        """What `op` applied to patterns is: a larger pattern of the same kind."""
        pattern: Pattern = object.__new__(_pattern_class(type(self)))
        pattern.op, pattern.args = op, tuple(args)
        return pattern

    def __repr__(self) -> str:
        return f"{self.op}({', '.join(map(str, self.args))})"


class Wild(Pattern):
    """A hole that matches any variable, the same one wherever its name stands in a pattern.

    Parameters
    ----------
    name : str
    where : callable, optional
        A further condition on the variable.
    """

    def __init__(self, name: str, where: Callable[[Variable], bool] | None = None) -> None:
        self.name = name
        self.where = where
        self.args = ()

    def __repr__(self) -> str:
        return self.name


def _pattern_class(cls: type[Pattern]) -> type[Pattern]:
    """The class of compound patterns in a family: the first base that is not a hole."""
    return next(base for base in cls.__mro__ if issubclass(base, Pattern) and not issubclass(base, Wild))


def _matches(pattern: Any, variable: Variable, bound: Bindings) -> Iterator[Bindings]:
    """Every way to bind the holes of `pattern` so that it is `variable`, beyond what is bound already."""
    if isinstance(pattern, Wild):
        known = bound.get(pattern.name)
        if known is variable:
            yield bound
        elif known is None and (pattern.where is None or pattern.where(variable)):
            yield {**bound, pattern.name: variable}
    elif isinstance(pattern, Pattern):
        node = variable.owner
        if node is not None and node.op == pattern.op and _is_meant(variable, node):
            yield from match_inputs(pattern, node, bound)
    elif isinstance(variable, Constant) and _is_number(variable, pattern):
        yield bound


def match_inputs(pattern: Pattern, node: Apply, bound: Bindings) -> Iterator[Bindings]:
    args, inputs = pattern.args, node.inputs
    if len(args) != len(inputs):
        return
    yield from _match_row(args, inputs, bound)
    if len(inputs) == 2 and inputs[0] is not inputs[1] and getattr(node.op, "commutative", False):
        yield from _match_row(args, inputs[::-1], bound)


def _match_row(args: Sequence[Any], inputs: Sequence[Variable], bound: Bindings) -> Iterator[Bindings]:
    if len(args) == 1:
        yield from _matches(args[0], inputs[0], bound)
        return
    for first in _matches(args[0], inputs[0], bound):
        yield from _match_row(args[1:], inputs[1:], first)


def fits(heads: Sequence[tuple[int, Op | None, Any]], inputs: Sequence[Variable]) -> bool:
    """Whether inputs are made by the operations a pattern wants, or are the numbers it wants."""
    for position, op, number in heads:
        variable = inputs[position]
        if op is None:
            if not isinstance(variable, Constant) or not _is_number(variable, number):
                return False
        elif variable.owner is None or (variable.owner.op is not op and variable.owner.op != op):
            return False
    return True


def _is_meant(variable: Variable, node: Apply) -> bool:
    """Whether the variable is the output that applying the operation returns."""
    return len(node.outputs) == 1 or variable.index == (node.op.default_output or 0)


def _is_number(constant: Constant, number: Any) -> bool:
    value = getattr(constant, "uniform_value", constant.data)
    try:
        return value is not None and bool(value == number)
    except ValueError:  # an array in a constant that does not say whether it is uniform
        return False


def build(pattern: Any, bound: Mapping[str, Variable]) -> Any:
    if isinstance(pattern, Wild):
        return bound[pattern.name]
    if isinstance(pattern, Pattern):
        return pattern.op(*[build(p, bound) for p in pattern.args])
    return pattern


def holes(pattern: Any) -> set[str]:
    """The names of the holes in a pattern."""
    if isinstance(pattern, Wild):
        return {pattern.name}
    return set().union(*map(holes, pattern.args)) if isinstance(pattern, Pattern) else set()
