"""Which results are just numbers: positions and lengths, reckoned by whoever runs the steps.

``X[i * n:(i + 1) * n]`` needs i * n as a number, not as a tensor. Where every reader of an integer scalar takes it as a
position or a length, a backend may hold it as an integer of the host, on which arithmetic costs next to nothing and
needs no transfer. Such integers are exact: where 64 bits would overflow, no position could be meant.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from symgraph.graph.basic import Apply, Variable
from symgraph.plan.plan import Step
from symgraph.tensor.basic import Alloc, ARange
from symgraph.tensor.elemwise import Elemwise
from symgraph.tensor.shape import Reshape, ShapeI
from symgraph.tensor.subtensor import IncSubtensor, Subtensor
from symgraph.tensor.type import TensorType

__all__ = ["ARITHMETIC", "find_numbers", "takes_number"]

ARITHMETIC = frozenset(("add", "sub", "mul", "maximum", "minimum"))

_FIRST_LENGTH: dict[type, int] = {Subtensor: 1, IncSubtensor: 2, Reshape: 1, Alloc: 1, ARange: 0}


def find_numbers(steps: Sequence[Step], results: Collection[Variable]) -> set[Variable]:
    """The integer scalars that are read as positions and lengths only.

    Parameters
    ----------
    steps : sequence of Step
    results : collection of Variable
        What leaves the function: always tensors.
    """
    unfit = set(results)
    numbers: set[Variable] = set()
    for step in reversed(steps):
        node = step.node
        output = node.outputs[0]
        if _makes_number(node) and output not in unfit:
            numbers.add(output)
        unfit.update(v for i, v in enumerate(node.inputs) if not takes_number(node, i, numbers))
    return numbers


def takes_number(node: Apply, place: int, numbers: Collection[Variable]) -> bool:
    """Whether an application takes an input as a number of the host."""
    kind = node.inputs[place].type
    if not isinstance(kind, TensorType) or kind.ndim or not kind.dtype.startswith(("int", "uint")):
        return False
    first = _FIRST_LENGTH.get(type(node.op))
    if first is not None:
        return place >= first and (type(node.op) is not ARange or node.outputs[0].type.dtype == "int64")
    if type(node.op) is not Elemwise or kind.dtype != "int64":
        return False
    if node.op.scalar.name in ("cast{float32}", "cast{float64}"):
        return True
    return node.op.scalar.name in ARITHMETIC and node.outputs[0] in numbers


def _makes_number(node: Apply) -> bool:
    if type(node.op) is ShapeI:
        return True
    return type(node.op) is Elemwise and node.op.scalar.name in ARITHMETIC and all(
        isinstance(v.type, TensorType) and v.type.ndim == 0 and v.type.dtype == "int64"
        for v in (*node.inputs, *node.outputs))
