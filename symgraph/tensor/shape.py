"""Shapes: asking for them, and operations that change only them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.type import DisconnectedType, Type
from symgraph.tensor.basic import as_lengths, as_tensor_variable, number_constant, static_length
from symgraph.tensor.elemwise import TensorOp, cast
from symgraph.tensor.type import TensorType, tensor_type

__all__ = [
    "DimShuffle", "MakeVector", "Reshape", "Shape", "ShapeI", "SpecifyShape", "addbroadcast", "atleast_1d",
    "atleast_2d",
    "atleast_3d", "broadcast_to", "dimshuffle", "expand_dims", "flatten", "moveaxis", "patternbroadcast", "reshape",
    "shape",
    "shape_i", "shape_padaxis", "shape_padleft", "shape_padright", "size", "specify_shape", "squeeze", "swapaxes",
    "transpose",
    "unbroadcast_axes", "vector_entries",
]


# ---- asking ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
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


@dataclass(frozen=True, repr=False)
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


@dataclass(frozen=True, repr=False)
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
    name = dtype or np.result_type(*(v.type.numpy_dtype for v in variables)).name
    return MakeVector(name)(*[cast(v, name) for v in variables])


def shape(x: Any) -> Any:
    """The shape of `x` at run time: a vector of int64. It has no gradient."""
    return Shape()(as_tensor_variable(x))


def shape_i(x: Any, axis: int) -> Any:
    """The length of one axis at run time; a constant where the type knows it."""
    variable = as_tensor_variable(x)
    known = variable.type.shape[axis]
    return ShapeI(axis % variable.type.ndim)(variable) if known is None else number_constant(np.asarray(known, "int64"))


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


# ---- axes ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class DimShuffle(TensorOp):
    """Axes permuted, dropped (where of length 1) and inserted: a view.

    Parameters
    ----------
    order : tuple of int or 'x'
        For each axis of the result, the input's axis or ``'x'`` for a new one of length 1.
    """

    order: tuple[int | str, ...]

    view_map = {0: [0]}  # noqa: RUF012

    def infer_type(self, *types: Type) -> Sequence[Type]:
        (x,) = types
        if not isinstance(x, TensorType):
            raise TypeError(f"dimshuffle takes a tensor, not {x}")
        kept = [axis for axis in self.order if axis != "x"]
        for axis in kept:
            if not isinstance(axis, int) or not 0 <= axis < x.ndim:
                raise ValueError(f"dimshuffle{self.order}: there is no axis {axis!r} in {x.ndim} dimensions")
        if len(set(kept)) != len(kept):
            raise ValueError(f"dimshuffle{self.order} names an axis twice")
        for axis, length in enumerate(x.shape):
            if axis not in kept and length != 1:
                raise ValueError(
                    f"dimshuffle{self.order} drops axis {axis} of {x}, which is not known to have length 1; index it "
                    "or use T.addbroadcast first"
                )
        return (tensor_type(x.dtype, self._shuffled(x.shape, 1)),)

    def _shuffled(self, lengths: Sequence[Any], new: Any) -> tuple[Any, ...]:
        return tuple(new if axis == "x" else lengths[axis] for axis in self.order)  # type: ignore[index]

    @property
    def kept(self) -> tuple[int, ...]:
        """The input's axes that stay, in their new order."""
        return tuple(axis for axis in self.order if isinstance(axis, int))

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x = np.asarray(inputs[0])
        if any(length != 1 for axis, length in enumerate(x.shape) if axis not in self.kept):
            raise ValueError(f"{self} drops an axis whose length is not 1: the shape is {x.shape}")
        dropped = [axis for axis in range(x.ndim) if axis not in self.kept]
        index: Any = (*(0,) * len(dropped), ...)  # the ellipsis keeps a 0-d result an array
        x = x.transpose([*dropped, *self.kept])[index]
        output_storage[0][0] = x[(..., *(None if axis == "x" else slice(None) for axis in self.order))]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [self._shuffled(input_shapes[0], 1)]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        back: list[int | str] = ["x"] * inputs[0].type.ndim
        for place, axis in enumerate(self.order):
            if isinstance(axis, int):
                back[axis] = place
        return [dimshuffle(output_gradients[0], back)]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self(eval_points[0])]

    def __repr__(self) -> str:
        if len(self.order) > 1 and self.order == tuple(range(len(self.order)))[::-1]:
            return "transpose"
        return f"dimshuffle{{{','.join(map(str, self.order))}}}"


def dimshuffle(x: Any, pattern: Sequence[Any]) -> Any:
    """Permute, drop and insert axes.

    Parameters
    ----------
    x : tensor-like
    pattern : sequence of int or 'x'
        For each axis of the result, the axis of `x` (from the end when negative), or ``'x'`` for a new axis of length
        1. Axes not named are dropped, which only an axis known to have length 1 may be.

    Raises
    ------
    ValueError
        When an axis does not exist, is named twice, or cannot be dropped.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> dimshuffle(T.matrix("m"), (1, "x", 0)).type.shape
    (None, 1, None)
    """
    variable = as_tensor_variable(x)
    ndim = variable.type.ndim
    order = tuple("x" if isinstance(a, str) and a == "x" else _axis(a, ndim) for a in pattern)
    if order == tuple(range(ndim)):
        return variable
    return DimShuffle(order)(variable)


def _axis(axis: Any, ndim: int) -> int:
    if not isinstance(axis, (int, np.integer)):
        raise TypeError(f"an axis is an integer or 'x', not {axis!r}")
    if not -ndim <= axis < ndim:
        raise ValueError(f"there is no axis {axis} in {ndim} dimensions")
    return int(axis) % ndim


def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """Permute the axes of `x`; reverse them when `axes` is None."""
    variable = as_tensor_variable(x)
    if axes is None:
        axes = range(variable.type.ndim)[::-1]
    if len(axes) != variable.type.ndim:
        raise ValueError(f"transpose: {len(axes)} axes given for {variable.type.ndim} dimensions")
    return dimshuffle(variable, list(axes))


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Exchange two axes."""
    variable = as_tensor_variable(x)
    order = list(range(variable.type.ndim))
    a, b = _axis(axis1, len(order)), _axis(axis2, len(order))
    order[a], order[b] = order[b], order[a]
    return dimshuffle(variable, order)


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """Move axes to new places; the others keep their order."""
    variable = as_tensor_variable(x)
    ndim = variable.type.ndim
    sources = [_axis(a, ndim) for a in np.atleast_1d(source).tolist()]
    places = [_axis(a, ndim) for a in np.atleast_1d(destination).tolist()]
    if len(sources) != len(places):
        raise ValueError("moveaxis: source and destination must name as many axes")
    order = [axis for axis in range(ndim) if axis not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        order.insert(place, axis)
    return dimshuffle(variable, order)


def shape_padleft(t: Any, n_ones: int = 1) -> Any:
    """New axes of length 1 in front."""
    variable = as_tensor_variable(t)
    return dimshuffle(variable, ["x"] * n_ones + list(range(variable.type.ndim)))


def shape_padright(t: Any, n_ones: int = 1) -> Any:
    """New axes of length 1 behind."""
    variable = as_tensor_variable(t)
    return dimshuffle(variable, list(range(variable.type.ndim)) + ["x"] * n_ones)


def expand_dims(x: Any, axis: Any) -> Any:
    """New axes of length 1 at the given places of the result."""
    variable = as_tensor_variable(x)
    axes = [axis] if isinstance(axis, (int, np.integer)) else list(axis)
    ndim = variable.type.ndim + len(axes)
    places = {_axis(a, ndim) for a in axes}
    if len(places) != len(axes):
        raise ValueError(f"expand_dims: an axis is given twice in {axes}")
    old = iter(range(variable.type.ndim))
    return dimshuffle(variable, ["x" if place in places else next(old) for place in range(ndim)])


def shape_padaxis(t: Any, axis: int) -> Any:
    """A new axis of length 1 at one place of the result."""
    return expand_dims(t, axis)


def squeeze(x: Any, axis: Any = None) -> Any:
    """Drop axes of length 1: those named, or all that are known to be.

    Raises
    ------
    ValueError
        When a named axis is not known to have length 1.
    """
    variable = as_tensor_variable(x)
    from symgraph.tensor.reduce import normalize_axes

    if axis is None:
        axes: tuple[int, ...] = tuple(i for i, n in enumerate(variable.type.shape) if n == 1)
    else:
        axes = normalize_axes(axis, variable.type.ndim, "squeeze")
    return dimshuffle(variable, [i for i in range(variable.type.ndim) if i not in axes])


def _atleast(x: Any, ndim: int) -> Any:
    variable = as_tensor_variable(x)
    return variable if variable.type.ndim >= ndim else shape_padleft(variable, ndim - variable.type.ndim)


def atleast_1d(x: Any) -> Any:
    """`x` with at least one axis."""
    return _atleast(x, 1)


def atleast_2d(x: Any) -> Any:
    """`x` with at least two axes, new ones in front."""
    return _atleast(x, 2)


def atleast_3d(x: Any, left: bool = True) -> Any:
    """`x` with at least three axes, new ones in front."""
    return _atleast(x, 3)


# ---- reshaping -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
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
        output_storage[0][0] = np.reshape(inputs[0], [int(n) for n in inputs[1:]])

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[i == 0] for i in range(len(node.inputs))]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        known = node.outputs[0].type.shape  # type: ignore[attr-defined]
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
    if isinstance(newshape, Variable) and newshape.type.ndim == 1 and ndim is not None and not (  # type: ignore[attr-defined]
        newshape.type.shape[0] is not None  # type: ignore[attr-defined]
    ):
        lengths = [newshape[i] for i in range(ndim)]  # type: ignore[index]
    elif isinstance(newshape, Variable):
        lengths = as_lengths(newshape)
    else:
        values = (
            np.atleast_1d(newshape).tolist() if isinstance(newshape, (int, np.integer, np.ndarray)) else list(newshape)
        )
        lengths = [v if isinstance(v, Variable) else number_constant(np.asarray(v, "int64")) for v in values]
    if ndim is not None and ndim != len(lengths):
        raise ValueError(f"reshape: ndim={ndim} but {len(lengths)} lengths are given")
    return Reshape()(variable, *lengths)


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


# ---- claims about shapes ---------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
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


@dataclass(frozen=True, repr=False)
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
    wanted = {_axis(a, variable.type.ndim) for a in axes}
    return specify_shape(variable, [1 if i in wanted else n for i, n in enumerate(variable.type.shape)])


def patternbroadcast(x: Any, broadcastable: Sequence[bool]) -> Any:
    """Claim length 1 for the axes marked True."""
    return addbroadcast(x, *(i for i, b in enumerate(broadcastable) if b))


def unbroadcast_axes(x: Any, *axes: int) -> Any:
    """`x` itself: an axis known to be 1 stays known. Accepted for programs that say they do not want it stretched."""
    return as_tensor_variable(x)


def broadcast_to(x: Any, shape: Any) -> Any:
    """`x`, stretched to a shape: a new tensor."""
    from symgraph.tensor.basic import alloc

    return alloc(x, *as_lengths(shape))
