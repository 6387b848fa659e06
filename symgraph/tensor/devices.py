"""Moving a tensor between the memory of the processor and that of a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.config import GPUS, config
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import Type
from symgraph.tensor.elemwise import TensorOp

__all__ = ["Transfer", "moved"]


@frozen
class Transfer(TensorOp):
    """The same tensor in the memory of another device.

    What is computed from it alone is computed there.

    Parameters
    ----------
    target : {'cpu', 'cuda'}
    """

    target: str

    def infer_type(self, *types: Type) -> Sequence[Type]:
        return types[:1]

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.array(inputs[0])

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return list(input_shapes)

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [Transfer("cuda" if self.target == "cpu" else "cpu")(output_gradients[0])]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self(eval_points[0])]

    def __repr__(self) -> str:
        return f"transfer[{self.target}]"


def moved(x: Any, target: str) -> Any:
    """A tensor in the memory of a device; itself, where functions run on the CPU and it lives there.

    Parameters
    ----------
    x : TensorVariable
    target : {'cpu', 'cuda'}
        ``cuda`` is the GPU of the configured device, which may be emulated.

    Raises
    ------
    RuntimeError
        When functions do not run on such a device.
    """
    on_gpu = config.device in GPUS
    if target == "cpu":
        return Transfer("cpu")(x) if on_gpu or getattr(x, "device", "cpu") != "cpu" else x
    if target in ("gpu", *GPUS) and on_gpu:
        return Transfer("cuda")(x)
    reason = ("functions run on the CPU; set config.device to 'cuda' to run them on a GPU" if target in ("gpu", *GPUS)
              else "this version has no backend for it")
    raise RuntimeError(f"{x} cannot be moved to {target!r}: {reason}. Use 'cpu'")
