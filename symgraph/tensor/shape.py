"""Shapes: asking for them, and the same elements in another shape."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import DisconnectedType, Type
from symgraph.tensor.basic import as_lengths, as_tensor_variable, number_constant, static_length
from symgraph.tensor.dimshuffle import DimShuffle, dimshuffle
from symgraph.tensor.elemwise import TensorOp, cast
from symgraph.tensor.specify import SpecifyShape, specify_shape
from symgraph.tensor.type import TensorType, dtype_name, tensor_type

__all__ = [
    "DimShuffle", "MakeVector", "Reshape", "Shape", "ShapeI", "SpecifyShape", "dimshuffle", "flatten", "length_of",
    "lengths_of", "make_vector", "reshape", "shape", "shape_i", "size", "specify_shape", "vector_entries",
]


# ---- asking ----------------------------------------------------------------------------------------------------


@frozen(repr=False)
class Shape(TensorOp):
    """The shape of a tensor, as a vector of int64."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        (x,) = types
        assert isinstance(x, TensorType)
        return (tensor_type("int64", (x.ndim,)),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.array(np.shape(inputs[0]), "int64")

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[False]]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [(number_constant(np.asarray(len(input_shapes[0]), "int64")),)]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [DisconnectedType()()]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None]


@frozen(repr=False)
class ShapeI(Shape):
    """The length of one axis, a 0-d int64.

    Parameters
    ----------
    axis : int
    """

    axis: int

    def infer_type(self, *types: Type) -> Sequence[Type]:
        (x,) = types
        assert isinstance(x, TensorType)
        if self.axis >= x.ndim:
            raise np.exceptions.AxisError(self.axis, x.ndim, "shape")
        return (tensor_type("int64", ()),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.asarray(np.shape(inputs[0])[self.axis], "int64")

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [()]

    def __repr__(self) -> str:
        return f"shape[{self.axis}]"


@frozen(repr=False)
class MakeVector(TensorOp):
    """A vector of given scalars.

    Parameters
    ----------
    dtype : str
    """

    dtype: str

    def infer_type(self, *types: Type) -> Sequence[Type]:
        for kind in types:
            if not isinstance(kind, TensorType) or kind.ndim != 0:
                raise TypeError(f"a vector is made of scalars, not of {kind}")
        return (tensor_type(self.dtype, (len(types),)),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.array(inputs, self.dtype)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [(number_constant(np.asarray(len(node.inputs), "int64")),)]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        if outputs[0].type.is_discrete:
            return [x.type.zeros_like(x) for x in inputs]
        return [output_gradients[0][i] for i in range(len(inputs))]


def make_vector(*elements: Any, dtype: str | None = None) -> Any:
    """A vector of the given scalars, of their common dtype unless one is given."""
    variables = [as_tensor_variable(e) for e in elements]
    name = dtype or dtype_name(np.result_type(*(v.type.numpy_dtype for v in variables)))
    return MakeVector(name)(*[cast(v, name) for v in variables])


def shape(x: Any) -> Any:
    """The shape of `x` at run time: a vector of int64. It has no gradient."""
    return Shape()(as_tensor_variable(x))


def shape_i(x: Any, axis: int) -> Any:
    """The length of one axis at run time; a constant where the type knows it."""
    variable = as_tensor_variable(x)
    known = variable.type.shape[axis]
    return ShapeI(axis % variable.type.ndim)(variable) if known is None else number_constant(np.asarray(known, "int64"))


def length_of(x: Any, axis: int) -> Any:
    """The length of one axis of a tensor: a Python integer where the type knows it, else as `shape_i`."""
    known = x.type.shape[axis]
    return shape_i(x, axis) if known is None else known


def lengths_of(x: Any) -> list[Any]:
    """The lengths of all axes, each as `length_of`."""
    return [length_of(x, axis) for axis in range(x.type.ndim)]


def size(x: Any) -> Any:
    """The number of elements of `x` at run time: a 0-d int64."""
    variable = as_tensor_variable(x)
    result: Any = number_constant(np.asarray(1, "int64"))
    for axis in range(variable.type.ndim):
        result = shape_i(variable, axis) if axis == 0 else result * shape_i(variable, axis)
    return result


def vector_entries(vector: Any) -> list[Any]:
    """The elements of a vector of known length, as scalars.

    Raises
    ------
    TypeError
        When the length is not known.
    """
    entries = _entries(vector)
    if entries is not None:
        return entries
    known = vector.type.shape[0]
    if known is None:
        raise TypeError(
            f"{vector} gives a shape, but its length, and with it the number of dimensions, is not known. Pass "
            "ndim=, or "
            "stack the lengths"
        )
    return [vector[i] for i in range(known)]


def _entries(vector: Any) -> list[Any] | None:
    """The elements a vector was made of, seen through joining and slicing; None where that cannot be told."""
    from symgraph.tensor.join import Join
    from symgraph.tensor.subtensor import SCALAR, SliceSpec, Subtensor

    if isinstance(vector, Constant):
        return [number_constant(np.asarray(n)) for n in vector.data]
    if vector.owner is None:
        return None
    op, inputs = vector.owner.op, vector.owner.inputs
    if isinstance(op, MakeVector):
        return list(inputs)
    if type(op) is Shape:
        return [shape_i(inputs[0], axis) for axis in range(inputs[0].type.ndim)]
    if isinstance(op, Join):
        pieces = [_entries(v) for v in inputs]
        return None if None in pieces else [e for piece in pieces for e in piece]  # type: ignore[union-attr]
    if (
        isinstance(op, Subtensor)
        and len(op.spec) == 1
        and isinstance(op.spec[0], SliceSpec)
        and SCALAR not in op.spec[0].parts
    ):
        whole = _entries(inputs[0])
        return None if whole is None else whole[slice(*op.spec[0].parts)]  # type: ignore[arg-type]
    return None


# ---- reshaping -------------------------------------------------------------------------------------------------


@frozen(repr=False)
class Reshape(TensorOp):
    """The same elements, in the same order, in another shape: a view where memory allows.

    Inputs are the tensor and one length for each new axis; at most one length is -1 and is worked out.
    """

    view_map = {0: [0]}  # noqa: RUF012

    def make_node(self, x: Any, *lengths: Any) -> Apply:
        x = as_tensor_variable(x)
        sizes = [cast(as_tensor_variable(n), "int64") for n in lengths]
        known = [static_length(n) for n in sizes]
        if any(n is not None and n < -1 for n in known) or known.count(-1) > 1:
            raise ValueError(f"reshape to {tuple(known)}: lengths are not negative, but for at most one -1")
        total = None if None in x.type.shape else prod(x.type.shape)
        shape = self._static(known, total)
        if total is not None and None not in shape and prod(shape) != total:  # type: ignore[arg-type]
            raise ValueError(f"cannot reshape {x.type.shape}, of {total} elements, to {tuple(known)}")
        return Apply(self, [x, *sizes], [tensor_type(x.type.dtype, shape)])

    @staticmethod
    def _static(known: list[int | None], total: int | None) -> tuple[int | None, ...]:
        if -1 not in known:
            return tuple(known)
        rest = [n for n in known if n != -1]
        missing = None
        if total is not None and None not in rest:
            product = prod(rest)  # type: ignore[arg-type]
            if product == 0 or total % product:
                raise ValueError(f"cannot reshape {total} elements to {tuple(known)}")
            missing = total // product
        return tuple(missing if n == -1 else n for n in known)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.asarray(inputs[0]).reshape([int(n) for n in inputs[1:]])

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[i == 0] for i in range(len(node.inputs))]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        known = node.outputs[0].type.shape
        lengths: list[Any] = [n if k is None else k for n, k in zip(node.inputs[1:], known, strict=True)]
        for place, length in enumerate(lengths):
            # A length that is not constant might be -1 at run time; only then is the rest worked out.
            if isinstance(length, Constant) and static_length(length) == -1:
                others: Any = number_constant(np.asarray(1, "int64"))
                for other in lengths[:place] + lengths[place + 1:]:
                    others = others * other
                total: Any = number_constant(np.asarray(1, "int64"))
                for n in input_shapes[0]:
                    total = total * n
                lengths[place] = total // others
            elif isinstance(length, Variable) and not isinstance(length, Constant) and not _never_negative(length):
                lengths[place] = ShapeI(place)(node.outputs[0])
        return [tuple(lengths)]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [reshape(output_gradients[0], shape(inputs[0]), ndim=inputs[0].type.ndim),
                *(DisconnectedType()() for _ in inputs[1:])]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self(eval_points[0], *inputs[1:])]

    def __repr__(self) -> str:
        return "reshape"


def _never_negative(length: Variable) -> bool:
    """Whether a symbolic length is a length of something, or made of such by + and *."""
    pending = [length]
    while pending:
        v = pending.pop()
        if isinstance(v, Constant):
            if static_length(v) is None or int(v.data) < 0:
                return False
        elif v.owner is None:
            return False
        elif not isinstance(v.owner.op, ShapeI):
            if str(v.owner.op) not in ("add", "mul", "maximum", "int_div"):
                return False
            pending.extend(v.owner.inputs)
    return True


def reshape(x: Any, newshape: Any, ndim: int | None = None) -> Any:
    """The elements of `x`, in row-major order, in another shape.

    Parameters
    ----------
    x : tensor-like
    newshape : int, sequence of int or scalar variable, or integer vector
        At most one length may be -1: it is worked out.
    ndim : int, optional
        The number of new axes, needed when `newshape` is a vector of unknown length.

    Raises
    ------
    ValueError
        When the numbers of elements are known and differ.

    Examples
    --------
    >>> import numpy as np
    >>> reshape(np.arange(6), (2, -1)).eval()
    array([[0, 1, 2],
           [3, 4, 5]])
    """
    variable = as_tensor_variable(x)
    if isinstance(newshape, Variable) and newshape.type.ndim == 1 and ndim is not None and not (
        newshape.type.shape[0] is not None
    ):
        lengths = [newshape[i] for i in range(ndim)]  # type: ignore[index]
    elif isinstance(newshape, Variable):
        lengths = as_lengths(newshape)
    else:
        values = (
            np.atleast_1d(newshape).tolist() if isinstance(newshape, (int, np.integer, np.ndarray)) else list(newshape)
        )
        lengths = [v if isinstance(v, Variable) else number_constant(_integer(v)) for v in values]
    if ndim is not None and ndim != len(lengths):
        raise ValueError(f"reshape: ndim={ndim} but {len(lengths)} lengths are given")
    return Reshape()(variable, *lengths)


def _integer(length: Any) -> Any:
    if isinstance(length, bool) or not isinstance(length, (int, np.integer)):
        raise TypeError(f"reshape: a length is an integer, not {length!r}")
    return np.asarray(length, "int64")


def flatten(x: Any, ndim: int = 1, outdim: int | None = None) -> Any:
    """Join the trailing axes of `x` into one, leaving `ndim` axes."""
    variable = as_tensor_variable(x)
    ndim = ndim if outdim is None else outdim
    if not 1 <= ndim <= max(variable.type.ndim, 1):
        raise ValueError(f"flatten: ndim must lie between 1 and {variable.type.ndim}, not {ndim}")
    if variable.type.ndim == ndim:
        return variable
    last: Any = -1
    if ndim == 1 and None not in variable.type.shape:
        last = prod(variable.type.shape)
    return reshape(variable, [*(shape_i(variable, i) for i in range(ndim - 1)), last])
