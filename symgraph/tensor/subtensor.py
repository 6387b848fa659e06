"""Indexing: reading parts of tensors, and tensors with parts set or increased.

What an index is, and the shape of what it names, is said in `symgraph.tensor.index`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import DisconnectedType, Type
from symgraph.tensor.basic import ARange, _only_python_floats, as_tensor_variable, number_constant, zeros, zeros_like
from symgraph.tensor.dimshuffle import is_axis_of_scalar
from symgraph.tensor.elemwise import TensorOp, cast, elemwise, unbroadcast
from symgraph.tensor.index import (
    ARRAY,
    NEWAXIS,
    NOTHING,
    SCALAR,
    Indexing,
    SliceSpec,
    Spec,
    parse_index,
    result_lengths,
    slice_length,
)
from symgraph.tensor.type import TensorType, tensor_type

__all__ = [
    "ARRAY", "NEWAXIS", "NOTHING", "SCALAR", "IncSubtensor", "NonZero", "SliceSpec", "Subtensor", "inc_subtensor",
    "nonzero", "set_subtensor", "subtensor", "take",
]


@frozen(repr=False)
class Subtensor(Indexing):
    """``x[spec]``: a view when no index array is among the entries, else a new array.

    Parameters
    ----------
    spec : tuple
    """

    spec: Spec

    @property
    def view_map(self) -> dict[int, list[int]]:  # type: ignore[override]
        return {} if self.is_advanced else {0: [0]}

    def infer_type(self, *types: Type) -> Sequence[Type]:
        x = types[0]
        assert isinstance(x, TensorType)
        return (tensor_type(x.dtype, self.indexed_shape(x, types[1:])),)  # type: ignore[arg-type]

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.asarray(np.asarray(inputs[0])[self.index(inputs[1:])])

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[i == 0] for i in range(len(node.inputs))]

    def equal_axes(self, node: Apply) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        return self.index_axes(node, 1)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        from symgraph.tensor.shape import ShapeI

        lengths = input_shapes[0]
        arrays = [(v, shape) for v, shape in zip(node.inputs[1:], input_shapes[1:], strict=True) if v.type.ndim]
        bounds = self.slices(node.inputs[1:])
        found = result_lengths(self.spec, lengths, _broadcast_lengths(arrays),
                               lambda axis: slice_length(bounds[axis], lengths[axis]))
        return [tuple(
            known if known is not None else ShapeI(axis)(node.outputs[0]) if length is None else length
            for axis, (length, known) in enumerate(zip(found, node.outputs[0].type.shape, strict=True)))]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        x, *indices = inputs
        if x.type.is_discrete:
            return [x.type.zeros_like(x), *(DisconnectedType()() for _ in indices)]
        back = IncSubtensor(self.spec, False)(
            zeros_like(x, output_gradients[0].type.dtype), output_gradients[0], *indices
        )
        return [back, *(DisconnectedType()() for _ in indices)]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self(eval_points[0], *inputs[1:])]

    def __repr__(self) -> str:
        return f"[{self.show(repeat('?'))}]"


def _broadcast_lengths(arrays: Sequence[tuple[Any, Any]]) -> list[Any]:
    """The lengths of index arrays broadcast together, from pairs of an array and its lengths."""
    ndim = max((len(shape) for _, shape in arrays), default=0)
    return [next((shape[axis] for v, shape in arrays if len(shape) >= -axis and v.type.shape[axis] != 1), 1)
            for axis in range(-ndim, 0)]


@frozen(repr=False)
class IncSubtensor(Indexing):
    """A copy of x in which ``x[spec]`` is increased by y, or set to y; repeated indices accumulate.

    Inputs are x, y and the index's symbolic parts.

    Parameters
    ----------
    spec : tuple
    set_instead : bool
    unique : bool
        The index arrays are known to name no element twice.
    """

    spec: Spec
    set_instead: bool
    unique: bool = False

    accepts_out = True
    overwrites = True
    accumulates = True

    def infer_type(self, *types: Type) -> Sequence[Type]:
        x, y = types[:2]
        if not isinstance(x, TensorType) or not isinstance(y, TensorType):
            raise TypeError(f"{self.verb} takes tensors, not {x} and {y}")
        region = self.indexed_shape(x, types[2:])  # type: ignore[arg-type]
        if y.ndim > len(region):
            raise ValueError(
                f"{self.verb}: a value of {y.ndim} dimensions does not fit into a part of {len(region)} of {x}"
            )
        for mine, theirs in zip(region[len(region) - y.ndim:], y.shape, strict=True):
            if mine is not None and theirs not in (None, 1, mine):
                raise ValueError(f"{self.verb}: a value of shape {y.shape} does not fit into a part of shape {region}")
        if not np.can_cast(y.numpy_dtype, x.numpy_dtype, "same_kind"):
            raise TypeError(f"{self.verb}: {y.dtype} values do not fit into a {x.dtype} tensor; cast one of them")
        return (x,)

    @property
    def verb(self) -> str:
        """The public name."""
        return "set_subtensor" if self.set_instead else "inc_subtensor"

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x, y, *indices = inputs
        output_storage[0][0] = self.write(np.array(x), y, indices)

    def write(self, out: Any, y: Any, indices: Sequence[Any]) -> Any:
        """Do it in place, on an array that holds x already."""
        index = self.index(indices)
        if self.set_instead:
            out[index] = y
        elif self.is_advanced and not self.unique:
            np.add.at(out, index, np.broadcast_to(y, index[0].shape) if self.misread(out, y, index[0]) else y)
        else:
            out[index] += y
        return out

    def misread(self, x: Any, y: Any, index: Any) -> bool:
        """Whether `numpy.add.at` would read beyond the end of y: it does of vectors, at a matrix of places of a vector.

        The arguments are arrays or their types.
        """
        return self.spec == (ARRAY,) and x.ndim == 1 and 0 < y.ndim < index.ndim

    def equal_axes(self, node: Apply) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        return self.index_axes(node, 2)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[i < 2] for i in range(len(node.inputs))]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (x, y, *indices), (g,) = inputs, output_gradients
        rest = [DisconnectedType()() for _ in indices]
        if x.type.is_discrete:
            return [x.type.zeros_like(x), y.type.zeros_like(y), *rest]
        gx, gy = g, Subtensor(self.spec)(g, *indices)
        if self.set_instead:
            gx = IncSubtensor(self.spec, True)(g, number_constant(np.zeros((), g.type.dtype)), *indices)
            if (
                self.is_advanced
                and not self.unique
                and not isinstance(y, Constant)
                and not _names_no_element_twice(indices)
            ):
                gy = elemwise(scalar.switch)(self._kept(x, gy, indices), gy, 0)
        return [gx, unbroadcast(gy, y), *rest]

    def _kept(self, x: Any, part: Any, indices: Sequence[Any]) -> Any:
        """Which elements of the value stay: where an element is set several times, only the last of them does."""
        number = ARange("int64")(0, part.size, 1).reshape(part.shape, ndim=part.type.ndim)
        blank = zeros([x.shape[axis] for axis in range(x.type.ndim)], "int64")
        written = IncSubtensor(self.spec, True)(blank, number, *indices)
        return elemwise(scalar.eq)(Subtensor(self.spec)(written, *indices), number)

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        tx, ty = eval_points[:2]
        if tx is None and ty is None:
            return [None]
        x, y, *indices = inputs
        tx = x.type.zeros_like(x) if tx is None else tx  # of floats, also where x is a mask
        ty = y.type.zeros_like(y) if ty is None else ty
        return [self(tx, ty, *indices)]

    def __repr__(self) -> str:
        return f"{self.verb}[{self.show(repeat('?'))}]"


def _names_no_element_twice(indices: Sequence[Any]) -> bool:
    """Whether one of the index arrays alone makes sure of it: it counts up, so no two places of it are equal."""
    return any(v.owner is not None and isinstance(v.owner.op, ARange) for v in indices) and all(
        v.type.ndim <= 1 for v in indices)


@frozen(repr=False)
class NonZero(TensorOp):
    """The indices of the elements that are not zero: one int64 vector for each axis.

    Inputs are the tensor and, where it is a mask of something, the lengths it must have.

    Parameters
    ----------
    ndim : int
    """

    ndim: int

    def make_node(self, mask: Any, *lengths: Any) -> Apply:
        mask, *rest = map(as_tensor_variable, (mask, *lengths))
        count = int(np.count_nonzero(mask.data)) if isinstance(mask, Constant) else None
        return Apply(self, [mask, *rest], [tensor_type("int64", (count,))] * self.ndim)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        mask, *lengths = inputs
        for axis, length in enumerate(lengths):
            if mask.shape[axis] not in (0, int(length)):  # NumPy lets one of no elements stand for any length
                raise IndexError(
                    f"boolean index of shape {mask.shape} did not match indexed array: its axis {axis} stands for one "
                    f"of size {int(length)}"
                )
        for storage, found in zip(output_storage, np.nonzero(mask), strict=True):
            storage[0] = found

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[False] * self.ndim for _ in node.inputs]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [DisconnectedType()() for _ in inputs]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None] * self.ndim

    def __repr__(self) -> str:
        return "nonzero"


def nonzero(a: Any, return_matrix: bool = False) -> Any:
    """The indices of the elements of `a` that are not zero.

    Returns
    -------
    tuple of TensorVariable
        One int64 vector for each axis; stacked in a matrix when `return_matrix`.

    Raises
    ------
    ValueError
        For a scalar.
    """
    variable = as_tensor_variable(a)
    if variable.type.ndim == 0:
        raise ValueError("nonzero of a scalar is not defined")
    found = tuple(NonZero(variable.type.ndim)(variable, return_list=True))
    if return_matrix:
        from symgraph.tensor.join import stack

        return stack(found, axis=0)
    return found


def subtensor(x: Any, key: Any) -> Any:
    """``x[key]``, with NumPy's meaning.

    Parameters
    ----------
    x : tensor-like
    key : index
        Integers, slices, ``...``, None, integer arrays and boolean masks, any of them symbolic.

    Raises
    ------
    IndexError
        When an index is of the wrong kind, there are too many, or a known one is out of a known range.
    """
    variable = as_tensor_variable(x)
    if (
        isinstance(key, (int, np.integer))
        and variable.owner is not None
        and type(variable.owner.op).__name__ == "Shape"
    ):
        return _one_length(variable.owner.inputs[0], int(key))
    spec, inputs = parse_index(variable, key)
    return Subtensor(spec)(variable, *inputs)


def _one_length(x: Any, axis: int) -> Any:
    """``x.shape[axis]``: a constant where the type knows it."""
    from symgraph.tensor.shape import shape_i

    if not -x.type.ndim <= axis < x.type.ndim:
        raise IndexError(f"there is no axis {axis} in the shape of {x}, which has {x.type.ndim} dimensions ({x.type})")
    return shape_i(x, axis)


def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    """The elements of `a` (or its slices along `axis`) at `indices`.

    Parameters
    ----------
    a : tensor-like
    indices : integer tensor-like
    axis : int, optional
        None takes from all elements in order.
    mode : {'raise', 'wrap', 'clip'}
        What an index out of range does: raise, wrap around, or take the nearest.
    """
    variable, where = as_tensor_variable(a), as_tensor_variable(indices)
    if where.type.numpy_dtype.kind not in "biu":
        raise TypeError(f"take: indices are integers, not {where.type}")
    if axis is None or is_axis_of_scalar(axis, variable.type.ndim):
        variable, axis = variable.flatten(), 0
    axis = axis % variable.type.ndim if -variable.type.ndim <= axis < variable.type.ndim else _bad_axis(axis, variable)
    length = variable.shape[axis]
    if where.type.dtype == "uint64":  # which would make floats together with a length
        where = cast(where, "int64")
    if mode == "wrap":
        where = elemwise(scalar.mod)(where, length)
    elif mode == "clip":
        where = elemwise(scalar.clip)(where, 0, length - 1)
    elif mode != "raise":
        raise ValueError(f"take: mode must be 'raise', 'wrap' or 'clip', not {mode!r}")
    return variable[(slice(None),) * axis + (where,)]


def _bad_axis(axis: int, variable: Any) -> int:
    raise np.exceptions.AxisError(axis, variable.type.ndim, "take")


def _write(x: Any, y: Any, set_instead: bool, who: str) -> Any:
    if not isinstance(x, Variable) or x.owner is None or not isinstance(x.owner.op, Subtensor):
        raise TypeError(f"{who}: the first argument must be a part of a tensor, such as x[2:5], not {x}")
    source, *indices = x.owner.inputs
    value: Any = as_tensor_variable(y if isinstance(y, Variable) else _like(y, source))
    kind: Any = source.type
    if value.type.dtype != kind.dtype and np.can_cast(value.type.numpy_dtype, kind.numpy_dtype, "safe"):
        value = cast(value, kind.dtype)
    elif value.type.numpy_dtype.kind in "fc" and value.type.dtype != kind.dtype and np.can_cast(
        value.type.numpy_dtype, kind.numpy_dtype, "same_kind"
    ):
        raise TypeError(f"{who}: {value}, of type {value.type}, loses precision in {source}, of type {kind}. Write "
                        f"T.cast(value, {kind.dtype!r}), or cast the tensor to {value.type.dtype!r} first")
    return IncSubtensor(x.owner.op.spec, set_instead)(source, _fitted(value, x), *indices)


def _fitted(value: Any, part: Any) -> Any:
    """The value, checked at run time where its type leaves open whether it would have to be stretched."""
    from symgraph.tensor.shape import shape_i
    from symgraph.tensor.specify import require_lengths

    extra = part.type.ndim - value.type.ndim
    if extra < 0:
        return value  # refused by the operation
    wanted = [shape_i(part, extra + axis) if n is None and part.type.shape[extra + axis] != 1 else None
              for axis, n in enumerate(value.type.shape)]
    return require_lengths(value, wanted)


def _like(y: Any, source: Any) -> Any:
    if isinstance(y, (float, complex)) and source.type.is_discrete:
        raise TypeError(f"the number {y} does not fit into {source}, of type {source.type}; cast one of them")
    weak = isinstance(y, (bool, int, float, complex)) or (not source.type.is_discrete and _only_python_floats(y))
    return np.asarray(y, source.type.numpy_dtype) if weak else y


def set_subtensor(x: Any, y: Any, inplace: bool = False, tolerate_inplace_aliasing: bool = False) -> Any:
    """A copy of a tensor in which one part is `y`.

    Parameters
    ----------
    x : TensorVariable
        The part, as ``tensor[index]``.
    y : tensor-like
        Broadcast into the part.
    inplace, tolerate_inplace_aliasing : bool
        Accepted and ignored: the compiler decides what to do in place.

    Returns
    -------
    TensorVariable
        The whole tensor, with the part set.

    Raises
    ------
    TypeError
        When `x` is not a part of a tensor, or the dtypes do not fit.
    ValueError
        When the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> x = as_tensor_variable(np.zeros(3))
    >>> set_subtensor(x[1:], 5).eval()
    array([0., 5., 5.])
    """
    return _write(x, y, True, "set_subtensor")


def inc_subtensor(x: Any, y: Any, inplace: bool = False, tolerate_inplace_aliasing: bool = False,
                  set_instead_of_inc: bool = False) -> Any:
    """A copy of a tensor in which one part is increased by `y`; an element indexed twice is increased twice.

    Parameters, return value and errors as for `set_subtensor`.
    """
    return _write(x, y, set_instead_of_inc, "set_subtensor" if set_instead_of_inc else "inc_subtensor")
