"""Lengths of axes: which are known to be equal before anything runs.

Every axis of every variable of a plan has a length: an integer, or a `Length`, an unknown. Two axes share one
`Length` object when they cannot differ, which an operation's own `infer_shape` tells: it is called with lengths in the
place of symbolic ones, and whatever arithmetic it does gives a new unknown that equals itself. What is *required* to
be equal (the axes of elementwise operands) becomes a guard, and from there on is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.tensor.shape import ShapeI
from symgraph.tensor.type import TensorType

__all__ = ["Length", "Lengths"]


class Length:
    """An unknown length.

    Attributes
    ----------
    sources : list of (Variable, int)
        Axes of arrays that have this length, in the order they were met.
    """

    __slots__ = ("_same", "_table", "sources")

    def __init__(self, table: Lengths) -> None:
        self._table = table
        self._same: Length | None = None
        self.sources: list[tuple[Variable, int]] = []

    def find(self) -> Length:
        """The one object that stands for all lengths found equal to this."""
        root = self
        while root._same is not None:
            root = root._same
        while self._same is not None:
            self._same, self = root, self._same
        return root

    def merge(self, other: Length) -> None:
        """From now on the two are one."""
        a, b = self.find(), other.find()
        if a is not b:
            b._same = a
            a.sources.extend(b.sources)

    def lift_op(self, op: Any, args: Sequence[Any]) -> Any:
        """What an operation on lengths gives: an unknown, the same for the same operation on the same lengths."""
        return self._table.expression(op, args)

    def _binary(name: str) -> Any:  # type: ignore[misc]
        def operate(self: Length, other: Any) -> Any:
            return self._table.expression(name, (self, other))

        return operate

    __add__, __sub__, __mul__, __floordiv__ = _binary("add"), _binary("sub"), _binary("mul"), _binary("int_div")
    __radd__, __rmul__ = __add__, __mul__
    __rsub__ = _binary("rsub")


class Lengths:
    """The lengths of all axes in a plan."""

    def __init__(self) -> None:
        self._of: dict[Variable, tuple[int | Length, ...]] = {}
        self._expressions: dict[Any, Length] = {}
        self._named: dict[str, Length] = {}

    def of(self, variable: Variable) -> tuple[int | Length, ...]:
        """The length of each axis of a variable that was entered."""
        return tuple([n if isinstance(n, int) else n.find() if n._same is not None else n for n in self._of[variable]])

    def expression(self, op: Any, args: Sequence[Any]) -> Length:
        """The unknown that an operation gives; equal operations on equal lengths give one."""
        key = (str(op), *(id(self._resolve(a)) if not isinstance(a, int) else a for a in args))
        found = self._expressions.get(key)
        if found is None:
            found = self._expressions[key] = Length(self)
            self._expressions[id(found), "args"] = tuple(args)  # type: ignore[assignment]  # keeps ids alive
        return found

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, Length):
            return value.find()
        if isinstance(value, Variable):
            return self._of_scalar(value)
        return value

    def _of_scalar(self, variable: Variable) -> int | Length:
        """The length a 0-d integer variable says."""
        if isinstance(variable, Constant):
            return int(variable.data)
        node = variable.owner
        if node is not None and type(node.op) is ShapeI and node.inputs[0] in self._of:
            return self.of(node.inputs[0])[node.op.axis]
        return self._expressions.setdefault(("variable", variable), Length(self))

    def enter(self, variable: Variable) -> None:
        """Give a variable nothing is known of (an input) lengths of its own, but those that have names."""
        if not isinstance(variable.type, TensorType):
            self._of[variable] = ()
            return
        lengths: list[int | Length] = [Length(self) if n is None else n for n in variable.type.shape]
        for axis, name in enumerate(getattr(variable, "dims", None) or ()):
            if name is not None:
                lengths[axis] = self._named.setdefault(name, lengths[axis])  # type: ignore[arg-type]
        self._record(variable, lengths)

    def names_of(self, length: Length) -> list[str]:
        """The names of a length: several, when lengths of different names were found equal."""
        root = length.find()
        return [name for name, named in self._named.items() if named.find() is root]

    def enter_node(self, node: Apply) -> None:
        """Work out the lengths of a node's outputs from those of its inputs, by its operation's `infer_shape`."""
        try:
            inferred: Sequence[Any] = node.op.infer_shape(node, [self.of(v) for v in node.inputs])
        except (NotImplementedError, TypeError, AttributeError):
            inferred = [None] * len(node.outputs)  # the operation cannot say: its outputs' lengths are unknowns
        for output, lengths in zip(node.outputs, inferred, strict=True):
            if lengths is None or not isinstance(output.type, TensorType):
                self.enter(output)
            else:
                self._record(output, [k if k is not None else self._length(n)
                                      for n, k in zip(lengths, output.type.shape, strict=True)])

    def _length(self, value: Any) -> int | Length:
        if isinstance(value, Variable):
            if value.owner is not None and type(value.owner.op) is ShapeI and value.owner.inputs[0] not in self._of:
                return Length(self)  # the output's own length: an unknown
            return self._of_scalar(value)
        if isinstance(value, Length):
            return value.find()
        return int(value)

    def _record(self, variable: Variable, lengths: Sequence[int | Length]) -> None:
        self._of[variable] = tuple(lengths)
        for axis, length in enumerate(lengths):
            if isinstance(length, Length):
                length.find().sources.append((variable, axis))
