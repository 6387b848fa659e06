"""Stretching by what lengths turn out to be: asked for by name, since arithmetic stretches only an axis known to be 1.

Its gradient is a sum over the axes that were stretched, which are known at run time only, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import DisconnectedType
from symgraph.tensor.basic import alloc, as_lengths, as_tensor_variable, static_length
from symgraph.tensor.elemwise import TensorOp, elemwise
from symgraph.tensor.shape import lengths_of, shape_i
from symgraph.tensor.type import tensor_type

__all__ = ["Stretch", "SumTo", "broadcast_arrays", "broadcast_to"]


@frozen(repr=False)
class _ToShape(TensorOp):
    """What `Stretch` and `SumTo` share: inputs are a tensor and the lengths of the result."""

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[i == 0] for i in range(len(node.inputs))]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [tuple(node.inputs[1:])]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        x, *lengths = inputs
        back = SumTo() if isinstance(self, Stretch) else Stretch()
        return [back(output_gradients[0], *lengths_of(x)), *(DisconnectedType()() for _ in lengths)]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self(eval_points[0], *inputs[1:])]


@frozen(repr=False)
class Stretch(_ToShape):
    """A tensor stretched along axes whose length is 1 at run time. Inputs are it and the lengths wanted."""

    def make_node(self, x: Any, *lengths: Any) -> Apply:
        x, sizes = as_tensor_variable(x), as_lengths(lengths)
        missing = len(sizes) - x.type.ndim
        if missing < 0:
            raise ValueError(f"cannot stretch {x.type.ndim} dimensions ({x.type}) to {len(sizes)}")
        shape = [static_length(n) for n in sizes]
        for axis, known in enumerate(x.type.shape, missing):
            if known in (None, 1):
                continue
            if shape[axis] not in (None, known):
                raise ValueError(f"cannot stretch {x.type} to {shape[axis]} along axis {axis}: its length is {known}")
            shape[axis] = known
        return Apply(self, [x, *sizes], [tensor_type(x.type.dtype, tuple(shape))])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x, shape = inputs[0], tuple(int(n) for n in inputs[1:])
        try:
            output_storage[0][0] = np.array(np.broadcast_to(x, shape))
        except ValueError:
            raise ValueError(f"an array of shape {x.shape} cannot be stretched to {shape}: only axes of length 1 "
                             "can") from None

    def __repr__(self) -> str:
        return "stretch"


@frozen(repr=False)
class SumTo(_ToShape):
    """A tensor summed over the axes along which one of the lengths given would be stretched to its shape."""

    def make_node(self, x: Any, *lengths: Any) -> Apply:
        x, sizes = as_tensor_variable(x), as_lengths(lengths)
        return Apply(self, [x, *sizes], [tensor_type(x.type.dtype, tuple(static_length(n) for n in sizes))])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x, shape = inputs[0], tuple(int(n) for n in inputs[1:])
        extra = x.ndim - len(shape)
        axes = tuple(range(extra)) + tuple(i + extra for i, n in enumerate(shape) if n == 1 != x.shape[i + extra])
        output_storage[0][0] = np.array(np.sum(x, axes, dtype=x.dtype)).reshape(shape)

    def __repr__(self) -> str:
        return "sum_to"


def broadcast_to(x: Any, shape: Any) -> Any:
    """`x` stretched to a shape, as `numpy.broadcast_to`: a new tensor.

    Axes whose length is unknown are stretched when it turns out to be 1 at run time, which arithmetic never does.

    Parameters
    ----------
    x : tensor-like
    shape : int or scalar integer variable, or sequence of them

    Raises
    ------
    ValueError
        When a length is neither 1 nor the one wanted: at once where both are known, else at run time.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> x = T.matrix("x")
    >>> broadcast_to(x, (2, 3)).eval({x: [[1.0], [2.0]]})
    array([[1., 1., 1.],
           [2., 2., 2.]])
    """
    variable = as_tensor_variable(x)
    lengths = as_lengths(shape)
    missing = len(lengths) - variable.type.ndim
    if None in variable.type.shape and missing >= 0:
        return Stretch()(variable, *lengths)
    return alloc(variable, *lengths)


def broadcast_arrays(*args: Any) -> list[Any]:
    """Each tensor stretched to the shape they have together, as `numpy.broadcast_arrays`.

    Axes whose length is unknown are stretched when it turns out to be 1 at run time, which arithmetic never does: for
    tensors of which either may have one row, ``x, y = T.broadcast_arrays(x, y)`` comes before ``x + y``.

    Raises
    ------
    ValueError
        When lengths differ and none is 1: at once where they are known, else at run time.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> x, y = T.vectors("x", "y")
    >>> a, b = broadcast_arrays(x, y)
    >>> (a + b).eval({x: [1.0], y: [1.0, 2.0]})
    array([2., 3.])
    """
    tensors = [as_tensor_variable(a) for a in args]
    ndim = max((v.type.ndim for v in tensors), default=0)
    together = [_common(tensors, axis) for axis in range(-ndim, 0)]
    return [broadcast_to(v, together) for v in tensors]


def _common(tensors: Sequence[Any], axis: int) -> Any:
    """The length that tensors have together along an axis counted from behind."""
    meeting = [v for v in tensors if v.type.ndim >= -axis and v.type.shape[axis] != 1]
    known = next((v.type.shape[axis] for v in meeting if v.type.shape[axis] is not None), None)
    if known is not None or not meeting:
        return 1 if known is None else known
    length = shape_i(meeting[0], axis)
    for v in meeting[1:]:
        length = elemwise(scalar.switch)(elemwise(scalar.eq)(length, 1), shape_i(v, axis), length)
    return length
