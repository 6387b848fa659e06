"""Named lengths: what a graph says of them before anything runs, and where they are compared when it does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from symgraph.graph.basic import Apply, Variable
from symgraph.plan.lengths import Length, Lengths
from symgraph.tensor.dims import shown_type
from symgraph.tensor.elemwise import TensorOp
from symgraph.tensor.products import BatchedMatMul, Dot

__all__ = ["Named", "check_names", "named_axes"]


@dataclass(frozen=True)
class Named:
    """A name of lengths, and the axes of inputs and shared variables that have it."""

    name: str
    places: tuple[tuple[Variable, int], ...]


def named_axes(variables: Iterable[Variable]) -> list[Named]:
    """The names that variables give to lengths, in the order they are met."""
    found: dict[str, list[tuple[Variable, int]]] = {}
    for variable in variables:
        for axis, name in enumerate(getattr(variable, "dims", None) or ()):
            if name is not None:
                found.setdefault(name, []).append((variable, axis))
    return [Named(name, tuple(places)) for name, places in found.items()]


@dataclass(frozen=True)
class _Meeting:
    """Where an unknown length met a known one."""

    length: int
    node: Apply

    def __str__(self) -> str:
        shown = " and ".join(f"{v} ({shown_type(v)})" for v in self.node.inputs)
        return f"  {self.length} by {self.node.op} of {shown}, at {self.node.origin}"


def check_names(variables: Sequence[Variable], nodes: Sequence[Apply]) -> None:
    """Follow named lengths through a graph, as far as its operations tell which lengths are equal.

    Parameters
    ----------
    variables : sequence of Variable
        The inputs and shared variables of the graph.
    nodes : sequence of Apply
        In an order in which each comes after what it reads.

    Raises
    ------
    ValueError
        When one named length would have two values.
    """
    names = named_axes(variables)
    if not names:
        return
    checker = _Checker(variables)
    for node in nodes:
        checker.visit(node)


class _Checker:
    def __init__(self, variables: Sequence[Variable]) -> None:
        self.lengths = Lengths()
        self.known: dict[Length, _Meeting] = {}
        self.entered: set[Variable] = set()
        for variable in variables:
            self._enter(variable)

    def _enter(self, variable: Variable) -> None:
        if variable not in self.entered:
            self.entered.add(variable)
            self.lengths.enter(variable)

    def visit(self, node: Apply) -> None:
        for variable in node.inputs:
            if variable.owner is None:
                self._enter(variable)
        if isinstance(node.op, TensorOp):
            for (i, a), (j, b) in node.op.equal_axes(node):
                self._equal(node, self.lengths.of(node.inputs[i])[a], self.lengths.of(node.inputs[j])[b])
        if isinstance(node.op, (Dot, BatchedMatMul)):
            left, right = (self.lengths.of(v) for v in node.inputs)
            self._equal(node, left[-1], right[max(len(right) - 2, 0)])
        self.lengths.enter_node(node)

    def _equal(self, node: Apply, a: int | Length, b: int | Length) -> None:
        if isinstance(a, Length) and isinstance(b, Length):
            first, second = self.known.pop(a, None), self.known.pop(b, None)
            a.merge(b)
            self._settle(a.find(), first, second)
        elif isinstance(a, Length) and isinstance(b, int):
            self._settle(a, self.known.get(a), _Meeting(b, node))
        elif isinstance(b, Length) and isinstance(a, int):
            self._settle(b, self.known.get(b), _Meeting(a, node))

    def _settle(self, length: Length, first: _Meeting | None, second: _Meeting | None) -> None:
        meeting = first or second
        if meeting is None:
            return
        if first is not None and second is not None and first.length != second.length:
            names = self.lengths.names_of(length)
            if names:
                shown = " = ".join(map(repr, names))
                raise ValueError(f"the length {shown} would have two values:\n{first}\n{second}\nA name stands for one "
                                 "length in a function: give different lengths different names, or none")
        self.known[length] = meeting
