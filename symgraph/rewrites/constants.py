"""Constant folding: what depends on nothing but constants is computed once, while compiling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from symgraph.config import config
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.rewrite import made_only_of, rewrite_rule
from symgraph.tensor.basic import array_constant, number_constant
from symgraph.tensor.type import TensorType

__all__ = ["CONSTANTS"]


def _bytes(output: Variable) -> float:
    """The size of a result, infinite where it is not known."""
    kind = output.type
    if not isinstance(kind, TensorType) or None in kind.shape:
        return math.inf
    return math.prod(kind.shape) * kind.numpy_dtype.itemsize  # type: ignore[arg-type]


@rewrite_rule(name="fold_constants", tags=["constants"], when=made_only_of(Constant))
def fold_constants(node: Apply) -> list[Variable] | None:
    """f(constants) -> constant, up to config.fold_limit bytes."""
    if not node.inputs or not all(isinstance(v, Constant) for v in node.inputs):
        return None
    if sum(map(_bytes, node.outputs)) > config.fold_limit:
        return None
    storage: list[list[Any]] = [[None] for _ in node.outputs]
    try:
        with np.errstate(all="ignore"):
            node.op.perform(node, [np.array(v.data) for v in node.inputs], storage)  # type: ignore[attr-defined]
    except Exception:
        return None  # it would fail at run time too, and is reported there, where the user can see it
    return [_constant(cell[0], output) for cell, output in zip(storage, node.outputs, strict=True)]


def _constant(value: Any, output: Variable) -> Variable:
    kind = output.type
    assert isinstance(kind, TensorType)
    array = np.array(value, kind.numpy_dtype)
    return number_constant(array) if array.ndim == 0 else array_constant(array)


CONSTANTS = (fold_constants,)
