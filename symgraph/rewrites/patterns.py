"""The language rules are written in: users' own operators and functions, on holes instead of variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.rewrite import Pattern, Wild
from symgraph.scalar import ScalarFunction
from symgraph.tensor.basic import Alloc, number_constant
from symgraph.tensor.elemwise import Elemwise, elemwise
from symgraph.tensor.operators import TensorOperators
from symgraph.tensor.shape import DimShuffle, shape_i

__all__ = [
    "Expr", "Hole", "applied", "filled", "fitted", "is_elemwise", "is_real", "is_zeros", "made_by", "same_length",
    "stretch", "symbolic_lengths", "uniform",
]


class Expr(TensorOperators, Pattern):
    """A pattern with Python's operators."""


class Hole(Expr, Wild):
    """A hole with Python's operators."""

    def __init__(self, name: str, where: Callable[[Any], bool] | None = None) -> None:
        Wild.__init__(self, name, where)


def lift(function: ScalarFunction, args: tuple[Any, ...]) -> Any:
    """A scalar function applied to patterns."""
    return elemwise(function)(*args)


def is_elemwise(variable: Variable, *functions: ScalarFunction) -> bool:
    """Whether a variable is one of some scalar functions, applied element by element."""
    node = variable.owner
    return node is not None and isinstance(node.op, Elemwise) and node.op.scalar in functions


def is_real(variable: Any) -> bool:
    """Whether a variable holds real floating-point numbers: unsigned integers have no sign to move about."""
    return bool(variable.type.numpy_dtype.kind == "f")


def made_by(variable: Variable, op: type | tuple[type, ...]) -> Any:
    """The node that computes a variable, where its operation is of a class; else None."""
    node = variable.owner
    return node if node is not None and isinstance(node.op, op) else None


def applied(variable: Variable, *functions: ScalarFunction) -> Any:
    """The node that computes a variable, where it is one of some scalar functions, applied element by element."""
    return variable.owner if is_elemwise(variable, *functions) else None


def uniform(variable: Variable) -> Any:
    """The number every element of a constant, or of a constant stretched to a shape, equals; else None."""
    while (stretched := made_by(variable, (Alloc, DimShuffle))) is not None:
        variable = stretched.inputs[0]
    return getattr(variable, "uniform_value", None) if isinstance(variable, Constant) else None


def is_zeros(variable: Variable) -> bool:
    """Whether every element is known to be (positive) zero."""
    value = uniform(variable)
    return value is not None and bool(value == 0) and not (value.dtype.kind == "f" and bool(np.signbit(value)))


def symbolic_lengths(x: Variable) -> tuple[Any, ...]:
    """The length of each axis, as symbolic scalars."""
    return tuple(shape_i(x, axis) for axis in range(getattr(x.type, "ndim", 0)))


def stretch(result: Any, node: Apply) -> Any:
    """A result brought to the shape of a node's output. The lengths are had from the node's inputs: a replacement
    must not depend on what it replaces."""
    (lengths,) = node.op.infer_shape(node, [symbolic_lengths(v) for v in node.inputs])
    return Alloc()(result, *lengths) if lengths else result


def filled(number: Any, node: Apply) -> Any:
    """A number in the place of every element of a node's output."""
    kind: Any = node.outputs[0].type
    return stretch(number_constant(np.asarray(number, kind.dtype)), node)


def fitted(result: Any, node: Apply) -> Any:
    """A result, where it is of the dtype and the broadcasts of a node's output; else None."""
    kind, wanted = result.type, node.outputs[0].type
    same = (kind.dtype, kind.broadcastable) == (wanted.dtype, wanted.broadcastable)
    return result if same else None


_MOST_LEVELS = 6  # of arithmetic on lengths that are compared


def same_length(a: Any, b: Any, depth: int = _MOST_LEVELS) -> bool:
    """Whether two lengths are one number, as far as their expressions tell."""
    if a is b:
        return True
    if isinstance(a, Constant) or isinstance(b, Constant):
        return isinstance(a, Constant) and isinstance(b, Constant) and int(a.data) == int(b.data)
    one, other = a.owner, b.owner
    if depth == 0 or one is None or other is None or one.op != other.op or len(one.inputs) != len(other.inputs):
        return False
    return a.index == b.index and all(
        same_length(v, w, depth - 1) if _is_number(v) and _is_number(w) else v is w
        for v, w in zip(one.inputs, other.inputs, strict=True))


def _is_number(variable: Any) -> bool:
    return bool(variable.type.ndim == 0 and variable.type.numpy_dtype.kind in "iu")
