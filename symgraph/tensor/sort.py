"""Sorting, the order that sorts, and the largest elements; reading elements along an axis by their places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import DisconnectedType, Type
from symgraph.tensor.basic import arange, as_tensor_variable, number_constant, static_length, zeros_like
from symgraph.tensor.dimshuffle import dimshuffle, is_axis_of_scalar, normalize_axis
from symgraph.tensor.elemwise import TensorOp, cast
from symgraph.tensor.shape import flatten, shape_i
from symgraph.tensor.subtensor import IncSubtensor
from symgraph.tensor.type import TensorType, tensor_type

__all__ = [
    "argpartition", "argsort", "argtopk", "lexsort", "partition", "sort", "sort_complex", "take_along_axis", "topk",
    "topk_and_argtopk",
]

_KINDS = ("quicksort", "mergesort", "heapsort", "stable")


@frozen(repr=False)
class Sort(TensorOp):
    """The elements along one axis in ascending order.

    Parameters
    ----------
    axis : int
    kind : str
        The algorithm, one of NumPy's.
    """

    axis: int
    kind: str

    def infer_type(self, *types: Type) -> Sequence[Type]:
        return types

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.sort(inputs[0], axis=self.axis, kind=self.kind)  # type: ignore[call-overload]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (x,), (g,) = inputs, output_gradients
        if x.type.is_discrete:
            return [x.type.zeros_like(x)]
        blank = zeros_like(x, g.type.dtype)
        part = take_along_axis(blank, ArgSort(self.axis, self.kind)(x), self.axis)
        # An order names every element once, so what comes back is put down, not accumulated.
        return [IncSubtensor(part.owner.op.spec, True, True)(blank, g, *part.owner.inputs[1:])]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        order = ArgSort(self.axis, self.kind)(inputs[0])
        return [None if eval_points[0] is None else take_along_axis(eval_points[0], order, self.axis)]

    def __repr__(self) -> str:
        return f"sort{{axis={self.axis}}}"


@frozen(repr=False)
class ArgSort(TensorOp):
    """The places of the elements along one axis, in the order that sorts them.

    Parameters
    ----------
    axis : int
    kind : str
    """

    axis: int
    kind: str

    def infer_type(self, *types: Type) -> Sequence[Type]:
        (x,) = types
        assert isinstance(x, TensorType)
        return (tensor_type("int64", x.shape),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        order = np.argsort(inputs[0], axis=self.axis, kind=self.kind)  # type: ignore[arg-type]
        output_storage[0][0] = np.asarray(order, "int64")

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [inputs[0].type.zeros_like(inputs[0])]

    def __repr__(self) -> str:
        return f"argsort{{axis={self.axis}}}"


@frozen(repr=False)
class ArgTopK(TensorOp):
    """The places, along one axis, of the k largest elements, or of the -k smallest. Inputs are the tensor and k.

    Parameters
    ----------
    axis : int
    sorted : bool
        Whether the elements named are in descending order.
    idx_dtype : str
    """

    axis: int
    sorted: bool
    idx_dtype: str

    def make_node(self, x: Any, k: Any) -> Apply:
        x, k = as_tensor_variable(x), as_tensor_variable(k)
        if k.type.ndim or not k.type.is_discrete:
            raise TypeError(f"topk: the number of elements is an integer, not {k.type}")
        known, length = static_length(k), x.type.shape[self.axis]
        if known is not None:
            _check_count(known, length)
        shape = list(x.type.shape)
        shape[self.axis] = None if known is None else abs(known)
        return Apply(self, [x, k], [tensor_type(self.idx_dtype, tuple(shape))])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x, k, axis = inputs[0], int(inputs[1]), self.axis
        length = x.shape[axis]
        _check_count(k, length)
        places = np.argpartition(x, length - k if k > 0 else -k - 1, axis=axis)
        places = np.take(places, range(length - k, length) if k > 0 else range(-k), axis=axis)
        if self.sorted:
            order = np.argsort(np.take_along_axis(x, places, axis), axis=axis)
            places = np.take_along_axis(places, np.flip(order, axis), axis)
        output_storage[0][0] = np.asarray(places, self.idx_dtype)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True], [False]]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [tuple(abs(node.inputs[1]) if axis == self.axis else n  # type: ignore[arg-type]
                      for axis, n in enumerate(input_shapes[0]))]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [inputs[0].type.zeros_like(inputs[0]), DisconnectedType()()]

    def __repr__(self) -> str:
        return f"argtopk{{axis={self.axis}}}"


def _check_count(k: int, length: int | None) -> None:
    if k == 0:
        raise ValueError("topk: k says how many, positive for the largest, negative for the smallest; it is 0")
    if length is not None and abs(k) > length:
        raise ValueError(f"topk: {abs(k)} elements of an axis of length {length}")


@frozen(repr=False)
class ArgPartition(TensorOp):
    """The places of the elements along one axis, in an order in which some elements stand where sorting puts them.

    Parameters
    ----------
    axis : int
    kth : tuple of int
        Which ones stand there; smaller ones come before each, larger ones after it.
    """

    axis: int
    kth: tuple[int, ...]

    def infer_type(self, *types: Type) -> Sequence[Type]:
        (x,) = types
        assert isinstance(x, TensorType)
        length = x.shape[self.axis]
        if length is not None and any(not -length <= k < length for k in self.kth):
            raise ValueError(f"partition: kth={self.kth} is out of bounds for axis {self.axis}, of length {length}")
        return (tensor_type("int64", x.shape),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.asarray(np.argpartition(inputs[0], self.kth, axis=self.axis), "int64")

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [inputs[0].type.zeros_like(inputs[0])]

    def __repr__(self) -> str:
        return f"argpartition{{axis={self.axis}}}"


# ---- public functions ------------------------------------------------------------------------------------------


def _arranged(a: Any, axis: Any, kind: Any, order: Any, who: str) -> tuple[Any, int]:
    """The tensor and the axis to sort along; a tensor flattened when that is None."""
    variable, axis = _along_axis(a, axis, who)
    if kind is not None and kind not in _KINDS:
        raise ValueError(f"{who}: kind must be one of {', '.join(_KINDS)}, not {kind!r}")
    if order is not None:
        raise ValueError(f"{who}: order names the fields of structured arrays, which tensors do not have")
    return variable, axis


def _along_axis(a: Any, axis: Any, who: str = "sort") -> tuple[Any, int]:
    variable = as_tensor_variable(a)
    if axis is None or (who.startswith("arg") and is_axis_of_scalar(axis, variable.type.ndim)):
        return flatten(variable), 0
    if isinstance(axis, Variable):
        axis = static_length(axis)
        if axis is None:
            raise TypeError("an axis is an integer known while the expression is built")
    return variable, normalize_axis(axis, variable.type.ndim, who)


def sort(a: Any, axis: int | None = -1, kind: str | None = None, order: Any = None) -> Any:
    """The elements along an axis in ascending order, as `numpy.sort`.

    Parameters
    ----------
    a : tensor-like
    axis : int or None
        None sorts all elements, flattened.
    kind : {'quicksort', 'mergesort', 'heapsort', 'stable'}, optional
    order : None
        Accepted for programs that pass it; tensors have no fields to order by.

    Raises
    ------
    ValueError
        For an axis out of range, another kind, or an order.

    Examples
    --------
    >>> sort([3, 1, 2]).eval()
    array([1, 2, 3])
    """
    variable, axis = _arranged(a, axis, kind, order, "sort")
    return Sort(axis, kind or "quicksort")(variable)


def argsort(a: Any, axis: int | None = -1, kind: str | None = None, order: Any = None) -> Any:
    """The places of the elements along an axis, int64, in the order that sorts them; arguments as for `sort`.

    Examples
    --------
    >>> argsort([3, 1, 2]).eval()
    array([1, 2, 0])
    """
    variable, axis = _arranged(a, axis, kind, order, "argsort")
    return ArgSort(axis, kind or "quicksort")(variable)


def argtopk(x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64") -> Any:
    """The places of the largest elements along an axis; arguments as for `topk`."""
    variable, axis = _along_axis(x, axis)
    if np.dtype(idx_dtype).kind not in "iu":
        raise TypeError(f"argtopk: places are integers, not {np.dtype(idx_dtype).name}")
    return ArgTopK(axis, bool(sorted), np.dtype(idx_dtype).name)(variable, kth)


def topk(x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64") -> Any:
    """The largest elements along an axis.

    Parameters
    ----------
    x : tensor-like
    kth : int or scalar integer variable
        How many: the `kth` largest when positive, the ``-kth`` smallest when negative.
    axis : int or None
        None takes them of all elements.
    sorted : bool
        In descending order; else in no particular one.
    idx_dtype : str
        Of the places, for `argtopk`.

    Raises
    ------
    ValueError
        For ``kth=0``, or more elements than there are; at run time where that is only known then.

    Examples
    --------
    >>> topk([3, 1, 2], 2).eval()
    array([3, 2])
    """
    return topk_and_argtopk(x, kth, axis, sorted, idx_dtype)[0]


def topk_and_argtopk(x: Any, kth: Any, axis: int | None = -1, sorted: bool = True,
                     idx_dtype: str = "int64") -> list[Any]:
    """The largest elements along an axis, and their places; arguments as for `topk`."""
    variable, axis = _along_axis(x, axis)
    places = argtopk(variable, kth, axis, sorted, idx_dtype)
    return [take_along_axis(variable, places, axis), places]


def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """The elements of `arr` at `indices` along an axis, line by line, as `numpy.take_along_axis`.

    Parameters
    ----------
    arr : tensor-like
    indices : integer tensor-like
        Of the rank of `arr`; for each line of it along the axis, the places to read.
    axis : int or None
        None reads from all elements.

    Raises
    ------
    TypeError
        When the indices are not integers.
    ValueError
        When the ranks differ.

    Examples
    --------
    >>> take_along_axis([[3, 1], [5, 4]], [[1], [0]], axis=1).eval()
    array([[1],
           [5]])
    """
    variable, axis = _along_axis(arr, axis)
    places = as_tensor_variable(indices)
    ndim = variable.type.ndim
    if places.type.numpy_dtype.kind not in "iu":
        raise IndexError(f"take_along_axis: indices are integers, not {places.type}")
    if places.type.ndim != ndim:
        raise ValueError(f"take_along_axis: indices of {places.type.ndim} dimensions for a tensor of {ndim}")
    key = [dimshuffle(arange(shape_i(variable, i)), [0 if j == i else "x" for j in range(ndim)]) for i in range(ndim)]
    key[axis] = places
    return variable[tuple(key)]


def argpartition(a: Any, kth: Any, axis: int | None = -1) -> Any:
    """The places of the elements along an axis, int64, in the order of `partition`; arguments as for it."""
    variable, axis = _along_axis(a, axis, "argpartition")
    places = tuple(kth) if isinstance(kth, (list, tuple, np.ndarray)) else (kth,)
    if not all(isinstance(k, (int, np.integer)) for k in places):
        raise TypeError(f"partition: kth is an integer, or a sequence of integers, not {kth!r}")
    return ArgPartition(axis, tuple(int(k) for k in places))(variable)


def partition(a: Any, kth: Any, axis: int | None = -1) -> Any:
    """The elements along an axis, those smaller than the `kth` before it, the others after it, as `numpy.partition`.

    Parameters
    ----------
    a : tensor-like
    kth : int or sequence of int
        Which elements stand where sorting puts them. In what order the others are is not said.
    axis : int or None
        None runs over all elements, flattened.

    Raises
    ------
    TypeError
        When `kth` is no integer.
    ValueError
        For an axis or a `kth` out of range; at run time where that is only known then.

    Examples
    --------
    >>> int(partition([7, 1, 5, 3], 1).eval()[1])
    3
    """
    variable, axis = _along_axis(a, axis)
    return take_along_axis(variable, argpartition(variable, kth, axis), axis)


def lexsort(keys: Any, axis: int = -1) -> Any:
    """The places, int64, in the order that sorts by several keys, the last one first, as `numpy.lexsort`.

    Parameters
    ----------
    keys : sequence of tensor-like, or tensor, whose first axis counts the keys
        Of one shape. The number of keys must be known.
    axis : int

    Raises
    ------
    TypeError, ValueError
        When there is no key, their number is not known, or the axis is out of range.

    Examples
    --------
    >>> lexsort([[1, 0, 0], [5, 5, 4]]).eval()
    array([2, 1, 0])
    """
    if not isinstance(keys, (list, tuple)):
        table = as_tensor_variable(keys)
        if table.type.ndim == 0 or table.type.shape[0] is None:
            raise TypeError(f"lexsort takes a known number of keys, not {table.type}")
        keys = list(table)
    variables = [as_tensor_variable(key) for key in keys]
    if not variables:
        raise TypeError("lexsort needs at least one key")
    if is_axis_of_scalar(axis, variables[0].type.ndim):
        return number_constant(np.zeros((), "int64"))
    order = argsort(variables[0], axis, kind="stable")
    for key in variables[1:]:
        order = take_along_axis(order, argsort(take_along_axis(key, order, axis), axis, kind="stable"), axis)
    return order


def sort_complex(a: Any) -> Any:
    """The elements along the last axis in ascending order, as complex numbers, as `numpy.sort_complex`.

    Examples
    --------
    >>> sort_complex([2, 1]).eval()
    array([1.+0.j, 2.+0.j])
    """
    ordered = sort(a)
    dtype = ordered.type.numpy_dtype
    if dtype.kind == "c":
        return ordered
    small = dtype.name in ("int8", "uint8", "int16", "uint16")
    return cast(ordered, "complex64" if small else "complex128")
