"""What a rule for stacked values is, and the walk over a graph that asks them.

A rule takes a `Batch` (the node, what its inputs became, and which of them are stacked) and returns the outputs, each
with whether it is stacked, or None where it does not cover the case; the rule of a base class is asked next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.op import Op
from symgraph.graph.origin import deriving
from symgraph.graph.traversal import toposort
from symgraph.tensor.basic import alloc
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.shape import shape_i
from symgraph.tensor.specify import specify_shape

__all__ = [
    "BATCHING", "Batch", "Outputs", "all_of", "as_known", "batching", "repeated", "size_of", "stacked_outputs",
    "vectorize_all",
]


@dataclass(frozen=True)
class Batch:
    """A node to be applied to stacked inputs.

    Attributes
    ----------
    node : Apply
        As it was, for one value.
    inputs : list of Variable
        What its inputs became; where they are stacked, with a leading axis more.
    stacked : list of bool
    size : int or scalar integer variable
        How many values are stacked.
    """

    node: Apply
    inputs: list[Any]
    stacked: list[bool]
    size: Any

    @property
    def op(self) -> Any:
        return self.node.op

    def rank(self, place: int) -> int:
        """How many axes one value of an input has."""
        return int(self.node.inputs[place].type.ndim)

    def only_first(self) -> bool:
        """Whether the first input is stacked and no other is."""
        return self.stacked[0] and not any(self.stacked[1:])

    def padded(self, place: int, rank: int) -> Any:
        """An input with axes of length 1 before those of a value, so that these are `rank`; after the stacking axis."""
        x, missing = self.inputs[place], rank - self.rank(place)
        if missing <= 0 or not self.stacked[place]:
            return x
        return dimshuffle(x, [0, *["x"] * missing, *range(1, x.type.ndim)])

    def all_stacked(self, place: int) -> Any:
        """An input, repeated where it is one for all."""
        x = self.inputs[place]
        return x if self.stacked[place] else repeated(x, self.size)


Outputs = list[tuple[Any, bool]] | None
Rule = Callable[[Batch], Outputs]

BATCHING: dict[type[Op], Rule] = {}


def batching(*classes: type[Op]) -> Callable[[Rule], Rule]:
    """Enter a rule for some classes of operations."""

    def enter(rule: Rule) -> Rule:
        for cls in classes:
            BATCHING[cls] = rule
        return rule

    return enter


def repeated(x: Any, size: Any) -> Any:
    """`x` many times, along a new leading axis."""
    return alloc(x, size, *[shape_i(x, i) if n is None else n for i, n in enumerate(x.type.shape)])


def stacked_outputs(batch: Batch) -> list[tuple[Any, bool]]:
    """The outputs of a node applied to stacked inputs, each with whether it is stacked."""
    rules = (BATCHING[cls] for cls in type(batch.op).__mro__ if cls in BATCHING)
    found = next((outputs for rule in rules if (outputs := rule(batch)) is not None), None)
    if found is None:
        raise NotImplementedError(f"{batch.op} cannot be vectorized: it has no rule for stacked inputs")
    known = []
    for (new, stacked), old in zip(found, batch.node.outputs, strict=True):
        known.append((as_known(new, old.type.shape) if stacked else new, stacked))
    return known


def as_known(x: Any, shape: Sequence[int | None]) -> Any:
    """`x`, of whose values the type says what is known of the shape of one."""
    known = x.type.shape[1:]
    if all(n is None or n == m for n, m in zip(shape, known, strict=True)):
        return x
    return specify_shape(x, [None, *shape])


def all_of(outputs: Any) -> list[tuple[Any, bool]]:
    """Outputs every one of which is stacked."""
    return [(v, True) for v in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


def vectorize_all(outputs: Sequence[Variable], replace: Mapping[Any, tuple[Any, bool]]) -> list[tuple[Any, bool]]:
    """Each output for many values at once, with whether it is stacked: it is not when it depends on nothing stacked.

    Parameters
    ----------
    outputs : sequence of Variable
    replace : dict of Variable to (Variable, bool)
        What stands for a variable, and whether that has a leading axis more.
    """
    memo: dict[Any, tuple[Any, bool]] = dict(replace)
    size = size_of([x for x, stacked in memo.values() if stacked])
    for node in toposort(outputs, memo):
        found = [memo.get(v, (v, False)) for v in node.inputs]
        inputs, stacked = [x for x, _ in found], [s for _, s in found]
        with deriving(node.origin, f"{node.op} of stacked values"):
            if any(stacked):
                results = stacked_outputs(Batch(node, inputs, stacked, size))
            elif tuple(inputs) == node.inputs:
                results = [(v, False) for v in node.outputs]
            else:
                results = [(v, False) for v in node.clone_with_new_inputs(inputs).outputs]
        for old, result in zip(node.outputs, results, strict=True):
            memo.setdefault(old, result)
    return [memo.get(v, (v, False)) for v in outputs]


def size_of(stacks: Sequence[Any]) -> Any:
    """How many values are stacked: a number where the types say it."""
    known = {x.type.shape[0] for x in stacks} - {None}
    if len(known) > 1:
        raise ValueError(f"the stacks have different lengths along their leading axes: {sorted(known)}")
    return known.pop() if known else shape_i(stacks[0], 0) if stacks else 1
