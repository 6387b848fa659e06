"""What every backend asks of the results of an operation's own `perform`."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Variable
from symgraph.tensor.type import TensorType

__all__ = ["conform"]


def conform(value: Any, output: Variable, node: Apply) -> Any:
    """Hold what somebody's `perform` left to the output's type."""
    if not isinstance(output.type, TensorType):
        return value
    array = np.asarray(value)
    if array.dtype != output.type.numpy_dtype or array.ndim != output.type.ndim:
        found = f"a {array.dtype} array of {array.ndim} dimensions"
        raise TypeError(f"{node.op}.perform returned {found} instead of {output.type}")
    return array
