"""Claims about shapes: checked at run time, and known to the types of whatever is built on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import DisconnectedType, Type
from symgraph.tensor.basic import as_lengths, as_tensor_variable, static_length
from symgraph.tensor.dimshuffle import normalize_axis
from symgraph.tensor.elemwise import TensorOp
from symgraph.tensor.type import TensorType, tensor_type

__all__ = [
    "RequireLengths", "SpecifyShape", "addbroadcast", "patternbroadcast", "require_lengths", "specify_shape",
    "unbroadcast_axes",
]


@frozen(repr=False)
class SpecifyShape(TensorOp):
    """The input, checked at run time to have a shape; afterwards its type knows it.

    Parameters
    ----------
    lengths : tuple of int or None
        None where nothing is claimed.
    """

    lengths: tuple[int | None, ...]

    view_map = {0: [0]}  # noqa: RUF012

    def infer_type(self, *types: Type) -> Sequence[Type]:
        (x,) = types
        assert isinstance(x, TensorType)
        if len(self.lengths) != x.ndim:
            raise ValueError(f"specify_shape: {len(self.lengths)} lengths for {x.ndim} dimensions")
        for axis, (claimed, known) in enumerate(zip(self.lengths, x.shape, strict=True)):
            if claimed is not None and known is not None and claimed != known:
                raise ValueError(f"specify_shape: axis {axis} has length {known}, not {claimed}")
        return (tensor_type(x.dtype, tuple(k if c is None else c for c, k in zip(self.lengths, x.shape, strict=True))),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        (x,) = inputs
        for axis, (claimed, actual) in enumerate(zip(self.lengths, np.shape(x), strict=True)):
            if claimed is not None and claimed != actual:
                raise ValueError(f"the shape is {np.shape(x)}, but length {claimed} was specified for axis {axis}")
        output_storage[0][0] = x

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [tuple(n if c is None else c for c, n in zip(self.lengths, input_shapes[0], strict=True))]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [self(output_gradients[0])]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self(eval_points[0])]

    def __repr__(self) -> str:
        return f"specify_shape{{{','.join('?' if n is None else str(n) for n in self.lengths)}}}"


@frozen(repr=False)
class RequireLengths(TensorOp):
    """The input, checked at run time to have lengths that the other inputs say.

    Parameters
    ----------
    axes : tuple of int
        The axis each of the other inputs is the length of.
    """

    axes: tuple[int, ...]

    view_map = {0: [0]}  # noqa: RUF012

    def make_node(self, x: Any, *lengths: Any) -> Apply:
        x = as_tensor_variable(x)
        sizes = as_lengths(lengths)
        shape = list(x.type.shape)
        for axis, size in zip(self.axes, sizes, strict=True):
            known = static_length(size)
            if known is not None and shape[axis] not in (None, known):
                raise ValueError(f"axis {axis} of {x} has length {shape[axis]}, not {known}")
            shape[axis] = known if known is not None else shape[axis]
        return Apply(self, [x, *sizes], [tensor_type(x.type.dtype, tuple(shape))])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x, *lengths = inputs
        for axis, length in zip(self.axes, lengths, strict=True):
            if x.shape[axis] != length:
                stretch = ""
                if x.shape[axis] == 1:
                    stretch = ". Only an axis known to be 1 is stretched: use T.addbroadcast"
                raise ValueError(
                    f"an array of shape {x.shape} does not fit: its axis {axis} must have length {int(length)}{stretch}"
                )
        output_storage[0][0] = x

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[i == 0] for i in range(len(node.inputs))]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        lengths = list(input_shapes[0])
        for axis, length in zip(self.axes, node.inputs[1:], strict=True):
            lengths[axis] = length
        return [tuple(lengths)]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [output_gradients[0], *(DisconnectedType()() for _ in inputs[1:])]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [eval_points[0]]

    def __repr__(self) -> str:
        return f"require_lengths{{{','.join(map(str, self.axes))}}}"


def require_lengths(x: Any, lengths: Sequence[Any]) -> Any:
    """`x`, checked at run time to have the given lengths; None where nothing is required."""
    wanted = {axis: n for axis, n in enumerate(lengths) if n is not None}
    return RequireLengths(tuple(wanted))(x, *wanted.values()) if wanted else x


def specify_shape(x: Any, shape: Any) -> Any:
    """Claim (part of) the shape of `x`: checked at run time, and known to everything built on the result.

    Parameters
    ----------
    x : tensor-like
    shape : sequence of int or None

    Raises
    ------
    ValueError
        When the type of `x` already contradicts the claim; at run time, when the value does.
    """
    variable = as_tensor_variable(x)
    claimed = [
        static_length(n) if isinstance(n, Variable) else n for n in ([shape] if isinstance(shape, int) else shape)
    ]
    lengths = tuple(None if n is None else int(n) for n in claimed)
    if lengths == variable.type.shape:
        return variable
    return SpecifyShape(lengths)(variable)


def addbroadcast(x: Any, *axes: int) -> Any:
    """Claim that axes have length 1, so that they broadcast."""
    variable = as_tensor_variable(x)
    wanted = {normalize_axis(a, variable.type.ndim) for a in axes}
    return specify_shape(variable, [1 if i in wanted else n for i, n in enumerate(variable.type.shape)])


def patternbroadcast(x: Any, broadcastable: Sequence[bool]) -> Any:
    """Claim length 1 for the axes marked True."""
    return addbroadcast(x, *(i for i, b in enumerate(broadcastable) if b))


def unbroadcast_axes(x: Any, *axes: int) -> Any:
    """`x` itself: an axis known to be 1 stays known. Accepted for programs that say they do not want it stretched."""
    return as_tensor_variable(x)
