"""Conditions that must hold when a function is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import DisconnectedType, Type
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.elemwise import TensorOp

__all__ = ["Assert", "assert_op", "require"]


@frozen(repr=False)
class Assert(TensorOp):
    """The first input, once every condition among the others has been found true throughout.

    Parameters
    ----------
    msg : str
        What the exception says.
    exception : type
        What is raised.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> x = T.dscalar("x")
    >>> y = Assert("x must be positive")(x, x > 0)
    >>> y.eval({x: -1.0})
    Traceback (most recent call last):
    ...
    AssertionError: x must be positive
    ...
    """

    msg: str = "a condition does not hold"
    exception: type[Exception] = AssertionError

    view_map = {0: [0]}  # noqa: RUF012

    def infer_type(self, *types: Type) -> Sequence[Type]:
        return types[:1]

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        value, *conditions = inputs
        if not all(np.all(c) for c in conditions):
            raise self.exception(self.msg)
        output_storage[0][0] = value

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[i == 0] for i in range(len(node.inputs))]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [output_gradients[0], *(DisconnectedType()() for _ in inputs[1:])]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [eval_points[0]]

    def __repr__(self) -> str:
        return "assert"


assert_op = Assert()


def require(value: Any, condition: Any, message: str, exception: type[Exception] = ValueError) -> Any:
    """`value`, checked: at once where the condition is a constant, else when the function runs."""
    condition = as_tensor_variable(condition)
    if not isinstance(condition, Constant):
        return Assert(message, exception)(value, condition)
    if not np.all(condition.data):
        raise exception(message)
    return value
