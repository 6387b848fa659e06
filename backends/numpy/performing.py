"""Operations that are computed by their own `perform`, as functions from arrays to results."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from backends.conform import conform
from symgraph.graph.basic import Apply
from symgraph.tensor.type import TensorType

__all__ = ["performer"]


def performer(node: Apply, copies: Collection[int] = ()) -> Callable[..., Any]:
    """A node's `perform`, as a function from its inputs to its result, or to the list of its results.

    What it gives is of the types the node says, and shares memory with nothing, but where the operation says so.

    Parameters
    ----------
    node : Apply
    copies : collection of int
        Inputs that the operation writes on and others still need.
    """
    operation, copies = node.op.perform, tuple(copies)
    tensors = [place for place, v in enumerate(node.inputs) if isinstance(v.type, TensorType)]
    kinds = [(v, getattr(v.type, "numpy_dtype", None), getattr(v.type, "ndim", None), i not in node.op.view_map)
             for i, v in enumerate(node.outputs)]

    def perform(*values: Any) -> Any:
        inputs = list(values)
        for place in tensors:
            if type(inputs[place]) is not np.ndarray:
                inputs[place] = np.asarray(inputs[place])
        seen = inputs.copy()
        for place in copies:
            inputs[place] = np.array(inputs[place])
        storage: list[list[Any]] = [[None] for _ in kinds]
        operation(node, inputs, storage)
        for place, (output, dtype, ndim, own) in enumerate(kinds):
            result = storage[place][0]
            if type(result) is not np.ndarray or result.dtype is not dtype or result.ndim != ndim:
                result = conform(result, output, node)
            if own and _shares_memory(result, seen):  # it returned what is not its own, and did not say so
                result = np.array(result)
            seen.append(result)
        results = seen[len(values):]
        return results[0] if len(results) == 1 else results

    return perform


def _shares_memory(a: Any, others: list[Any]) -> bool:
    """Whether an array may share memory with one of some values. Different arrays that are no views do not."""
    if not isinstance(a, np.ndarray):
        return False
    view = a.base is not None
    for b in others:
        if b is a:
            return True
        if isinstance(b, np.ndarray) and (view or b.base is not None) and np.may_share_memory(a, b):
            return True
    return False
