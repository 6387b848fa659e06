"""Joining tensors and splitting them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import DisconnectedType, Type
from symgraph.tensor.basic import as_lengths, as_tensor_variable, static_length
from symgraph.tensor.elemwise import TensorOp, cast, float_policy
from symgraph.tensor.type import TensorType, dtype_name, tensor_type

__all__ = ["Join", "Split", "concatenate", "join", "split", "stack"]


@frozen(repr=False)
class Join(TensorOp):
    """Tensors of one dtype and rank, put end to end along an axis.

    Parameters
    ----------
    axis : int
    """

    axis: int

    def infer_type(self, *types: Type) -> Sequence[Type]:
        first = types[0]
        assert isinstance(first, TensorType)
        lengths: list[int | None] = list(first.shape)
        for other in types[1:]:
            assert isinstance(other, TensorType)
            if other.ndim != first.ndim:
                raise ValueError(f"join: tensors of {first.ndim} and {other.ndim} dimensions do not fit together")
            for axis, (mine, theirs) in enumerate(zip(lengths, other.shape, strict=True)):
                if axis == self.axis:
                    lengths[axis] = None if mine is None or theirs is None else mine + theirs
                elif mine is None:
                    lengths[axis] = theirs
                elif theirs is not None and theirs != mine:
                    raise ValueError(
                        f"join along axis {self.axis}: lengths {mine} and {theirs} along axis {axis} differ"
                    )
        return (tensor_type(first.dtype, tuple(lengths)),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.concatenate(inputs, axis=self.axis)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        lengths = list(input_shapes[0])
        for shape in input_shapes[1:]:
            lengths[self.axis] = lengths[self.axis] + shape[self.axis]
        return [tuple(lengths)]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        from symgraph.tensor.shape import shape_i

        if outputs[0].type.is_discrete:
            return [x.type.zeros_like(x) for x in inputs]
        return split(output_gradients[0], [shape_i(x, self.axis) for x in inputs], len(inputs), self.axis)

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [self(*[x.type.zeros_like(x) if t is None else t for x, t in zip(inputs, eval_points, strict=True)])]


@frozen(repr=False)
class Split(TensorOp):
    """A tensor cut along an axis into pieces of given lengths; the inverse of `Join`.

    Parameters
    ----------
    axis : int
    pieces : int
    """

    axis: int
    pieces: int

    def make_node(self, x: Any, *lengths: Any) -> Apply:
        x = as_tensor_variable(x)
        sizes = as_lengths(lengths)
        if len(sizes) != self.pieces:
            raise ValueError(f"split: {len(sizes)} lengths for {self.pieces} pieces")
        known = [static_length(n) for n in sizes]
        total = x.type.shape[self.axis]
        if total is not None and None not in known and sum(known) != total:  # type: ignore[arg-type]
            raise ValueError(f"split: lengths {known} do not add up to {total}")
        pieces = [
            tensor_type(x.type.dtype, (*x.type.shape[: self.axis], n, *x.type.shape[self.axis + 1 :])) for n in known
        ]
        return Apply(self, [x, *sizes], pieces)

    @property
    def view_map(self) -> dict[int, list[int]]:  # type: ignore[override]
        return {i: [0] for i in range(self.pieces)}

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x, *lengths = inputs
        ends = np.cumsum([int(n) for n in lengths])
        if len(ends) and ends[-1] != x.shape[self.axis]:
            raise ValueError(
                f"split: lengths {[int(n) for n in lengths]} do not add up to {x.shape[self.axis]}, the length "
                f"of axis {self.axis}"
            )
        for storage, piece in zip(output_storage, np.split(x, ends[:-1], axis=self.axis), strict=True):
            storage[0] = piece

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[i == 0] * len(node.outputs) for i in range(len(node.inputs))]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        x = input_shapes[0]
        return [(*x[: self.axis], n, *x[self.axis + 1:]) for n in node.inputs[1:]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        whole = [z.type.zeros_like(z) if isinstance(g.type, DisconnectedType) else g
                 for z, g in zip(outputs, output_gradients, strict=True)]
        return [concatenate(whole, axis=self.axis), *(DisconnectedType()() for _ in inputs[1:])]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        if eval_points[0] is None:
            return [None] * (len(inputs) - 1)
        return self(eval_points[0], *inputs[1:], return_list=True)


def _common(tensors: Sequence[Any], who: str) -> list[Any]:
    variables = [as_tensor_variable(t) for t in tensors]
    if not variables:
        raise ValueError(f"{who} needs at least one tensor")
    dtype = dtype_name(np.result_type(*(v.type.numpy_dtype for v in variables)))
    capped = float_policy(who, variables, tensor_type(dtype, ()))
    if capped is not None:
        variables = [cast(v, capped) if v.type.is_discrete else v for v in variables]
        dtype = dtype_name(np.result_type(*(v.type.numpy_dtype for v in variables)))
    return [cast(v, dtype) for v in variables]


def _check_axis(axis: Any, ndim: int, who: str) -> int:
    axis = static_length(axis) if isinstance(axis, Variable) else axis
    if not isinstance(axis, (int, np.integer)):
        raise TypeError(f"{who}: the axis must be an integer known when the expression is built, not {axis!r}")
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(int(axis), ndim, who)
    return int(axis) % ndim


def join(axis: Any, *tensors_list: Any) -> Any:
    """Tensors put end to end along an axis.

    Parameters
    ----------
    axis : int
    *tensors_list : tensor-like
        Of one rank, and of equal lengths along the other axes.

    Raises
    ------
    ValueError
        When ranks or known lengths differ.
    """
    tensors = _common(tensors_list, "join")
    if tensors[0].type.ndim == 0:
        raise ValueError("join: scalars cannot be joined; use stack")
    axis = _check_axis(axis, tensors[0].type.ndim, "join")
    return tensors[0] if len(tensors) == 1 else Join(axis)(*tensors)


def concatenate(tensor_list: Any, axis: int = 0) -> Any:
    """Tensors put end to end along an axis, as `numpy.concatenate`."""
    if isinstance(tensor_list, Variable):
        raise TypeError("concatenate takes a list of tensors, not one tensor")
    return join(axis, *tensor_list)


def stack(tensors: Any, axis: Any = None, *more: Any) -> Any:
    """Tensors of one shape put side by side along a new axis, the first unless given, as `numpy.stack`."""
    if isinstance(tensors, Variable) or np.isscalar(tensors):
        if getattr(tensors, "ndim", 0) and not (isinstance(axis, Variable) or more):
            return tensors
        tensors, axis = [tensors, *([] if axis is None else [axis]), *more], None  # stack(a, b, c), the oldest form
    axis = 0 if axis is None else axis
    variables = _common(tensors, "stack")
    ndim = variables[0].type.ndim
    if any(v.type.ndim != ndim for v in variables):
        raise ValueError(f"stack: tensors of {sorted({v.type.ndim for v in variables})} dimensions do not fit together")
    from symgraph.tensor.dimshuffle import expand_dims
    from symgraph.tensor.shape import make_vector

    axis = _check_axis(axis, ndim + 1, "stack")
    if ndim == 0:
        return make_vector(*variables)
    return join(axis, *[expand_dims(v, axis) for v in variables])


def split(x: Any, splits_size: Any, n_splits: int | None = None, axis: int = 0) -> list[Any]:
    """A tensor cut along an axis.

    Parameters
    ----------
    x : tensor-like
    splits_size : sequence of int or scalar variable, or integer vector
        The lengths of the pieces, which add up to that of the axis.
    n_splits : int, optional
        How many pieces; needed when `splits_size` is a vector of unknown length.
    axis : int

    Returns
    -------
    list of TensorVariable
    """
    variable = as_tensor_variable(x)
    axis = _check_axis(axis, variable.type.ndim, "split")
    if isinstance(splits_size, Variable) and n_splits is not None and splits_size.type.shape == (None,):
        lengths = [splits_size[i] for i in range(n_splits)]  # type: ignore[index]
    else:
        lengths = as_lengths(splits_size)
    if n_splits is not None and len(lengths) != n_splits:
        raise ValueError(f"split: n_splits={n_splits}, but {len(lengths)} lengths are given")
    return Split(axis, len(lengths))(variable, *lengths, return_list=True)
