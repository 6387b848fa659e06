"""Choosing elements by conditions and numbers, setting diagonals, and numbering the elements of a shape."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import DisconnectedType
from symgraph.tensor.basic import arange, as_lengths, as_tensor_variable, static_length
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.elemwise import TensorOp, elemwise, meeting_axes
from symgraph.tensor.join import stack
from symgraph.tensor.shape import shape_i
from symgraph.tensor.specify import require_lengths
from symgraph.tensor.subtensor import nonzero, set_subtensor, take
from symgraph.tensor.type import broadcast_static_shapes, tensor_type

__all__ = [
    "choose", "compress", "fill_diagonal", "fill_diagonal_offset", "ravel_multi_index", "unravel_index", "where",
]


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """Elements of `x` where a condition holds, and of `y` elsewhere; of neither, the places where it holds.

    Parameters
    ----------
    condition : tensor-like
        Of booleans, or numbers that are true when not zero.
    x, y : tensor-like, optional
        Stretched to each other's shape and the condition's. The gradient of an element goes to the one it came from.

    Returns
    -------
    tensor, or tuple of vectors
        With a condition alone the index vectors, one for each axis: `nonzero`.

    Raises
    ------
    ValueError
        When one of `x` and `y` is given without the other.

    Examples
    --------
    >>> where([True, False], [1, 2], [30, 40]).eval()
    array([ 1, 40])
    >>> [places.eval() for places in where([True, False])]
    [array([0])]
    """
    if x is None and y is None:
        return nonzero(condition)
    if x is None or y is None:
        raise ValueError("where takes both x and y, or neither")
    return elemwise(scalar.switch)(condition, x, y)


def compress(condition: Any, x: Any, axis: int | None = None) -> Any:
    """The elements of `x` (or its slices along `axis`) where a condition holds, as `numpy.compress`.

    Parameters
    ----------
    condition : vector
        Of booleans, or numbers that are true when not zero; no longer than the axis.
    x : tensor-like
    axis : int or None
        None takes from all elements.

    Raises
    ------
    ValueError
        When the condition is no vector. At run time, IndexError for a true one beyond the end.

    Examples
    --------
    >>> compress([True, False, True], [5, 6, 7]).eval()
    array([5, 7])
    """
    mask = as_tensor_variable(condition)
    if mask.type.ndim != 1:
        raise ValueError(f"compress: the condition is a vector, not {mask.type}")
    return take(x, nonzero(mask)[0], axis)


def choose(a: Any, choices: Any, mode: str = "raise") -> Any:
    """At each place, the element of that one of several tensors which `a` says, as `numpy.choose`.

    Parameters
    ----------
    a : integer tensor-like
    choices : sequence of tensor-like, or a tensor, whose first axis counts the choices
        Broadcast against each other and against `a`.
    mode : {'raise', 'wrap', 'clip'}
        What a number out of range does: IndexError at run time, wrap around, or take the nearest.

    Raises
    ------
    TypeError
        When `a` does not hold integers.
    ValueError
        For another mode, or no choices.

    Examples
    --------
    >>> choose([1, 0], [[1, 2], [30, 40]]).eval()
    array([30,  2])
    """
    which = as_tensor_variable(a)
    if not which.type.is_discrete:
        raise TypeError(f"choose: which one is an integer, not {which.type}")
    table = _table(choices)
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError(f"choose: mode must be 'raise', 'wrap' or 'clip', not {mode!r}")
    which, count = elemwise(scalar.cast_to("int64"))(which), shape_i(table, 0)
    if mode == "wrap":
        which = which % count
    elif mode == "clip":
        which = elemwise(scalar.clip)(which, 0, count - 1)
    else:
        which = elemwise(scalar.switch)(which < 0, count, which)  # as an index, it would count from the end
    ndim = table.type.ndim
    steps = [dimshuffle(arange(shape_i(table, i)), [0] + ["x"] * (ndim - 1 - i)) for i in range(1, ndim)]
    return table[(which, *steps)]


def _table(choices: Any) -> Any:
    if not isinstance(choices, (list, tuple)):
        table = as_tensor_variable(choices)
        if table.type.ndim == 0:
            raise ValueError("choose: the choices are a sequence of tensors, or a tensor of at least one dimension")
        return table
    variables = [as_tensor_variable(c) for c in choices]
    if not variables:
        raise ValueError("choose needs at least one choice")
    whole = reduce(elemwise(scalar.second), variables)
    return stack([elemwise(scalar.second)(whole, v) for v in variables])


def fill_diagonal(a: Any, val: Any) -> Any:
    """`a` with a number on its main diagonal.

    Parameters
    ----------
    a : tensor-like
        Of at least 2 dimensions; when of more, all of one length.
    val : scalar

    Raises
    ------
    ValueError
        For fewer dimensions, or lengths that differ; at run time where they are only known then.
    TypeError
        When the value's dtype does not fit.

    Examples
    --------
    >>> fill_diagonal([[1, 2], [3, 4]], 0).eval()
    array([[0, 2],
           [3, 0]])
    """
    variable = as_tensor_variable(a)
    ndim = variable.type.ndim
    if ndim < 2:
        raise ValueError(f"fill_diagonal takes at least 2 dimensions, not {variable.type}")
    if ndim == 2:
        return fill_diagonal_offset(variable, val, 0)
    if len({n for n in variable.type.shape if n is not None}) > 1:
        raise ValueError(f"fill_diagonal: the lengths of {variable.type} are not all the same")
    variable = require_lengths(variable, [None] + [shape_i(variable, 0)] * (ndim - 1))
    steps = arange(shape_i(variable, 0))
    return set_subtensor(variable[(steps,) * ndim], _scalar(val))


def fill_diagonal_offset(a: Any, val: Any, offset: Any) -> Any:
    """The matrix `a` with a number on a diagonal.

    Parameters
    ----------
    a : matrix
    val : scalar
    offset : int or scalar integer variable
        Which diagonal: positive to the right of the main one, negative below it.

    Raises
    ------
    ValueError
        When `a` is no matrix or the value no scalar.
    TypeError
        When the value's dtype does not fit, or the offset is no integer.
    """
    variable = as_tensor_variable(a)
    if variable.type.ndim != 2:
        raise ValueError(f"fill_diagonal_offset takes a matrix, not {variable.type}")
    if not isinstance(offset, (int, np.integer)):
        offset = as_tensor_variable(offset)
        if offset.type.ndim or not offset.type.is_discrete:
            raise TypeError(f"fill_diagonal_offset: the offset is an integer, not {offset.type}")
    largest, smallest = elemwise(scalar.maximum), elemwise(scalar.minimum)
    known = isinstance(offset, (int, np.integer))
    down = max(-int(offset), 0) if known else largest(-offset, 0)
    right = max(int(offset), 0) if known else largest(offset, 0)
    steps = arange(largest(smallest(shape_i(variable, 0) - down, shape_i(variable, 1) - right), 0))
    return set_subtensor(variable[steps + down, steps + right], _scalar(val))


def _scalar(val: Any) -> Any:
    if not isinstance(val, (bool, int, float, complex)) and as_tensor_variable(val).type.ndim:
        raise ValueError(f"a diagonal is filled with a scalar, not {as_tensor_variable(val).type}")
    return val


@frozen(repr=False)
class UnravelIndex(TensorOp):
    """The places along each axis of elements numbered in order. Inputs are the numbers and the lengths.

    Parameters
    ----------
    order : {'C', 'F'}
    """

    order: str

    def make_node(self, indices: Any, *lengths: Any) -> Apply:
        indices = as_tensor_variable(indices)
        if indices.type.numpy_dtype.kind not in "iu":
            raise TypeError(f"unravel_index: numbers of elements are integers, not {indices.type}")
        out = tensor_type("int64", indices.type.shape)
        return Apply(self, [indices, *as_lengths(lengths)], [out] * len(lengths))

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        indices, *lengths = inputs
        found = np.unravel_index(indices, [int(n) for n in lengths], self.order)  # type: ignore[call-overload]
        for storage, places in zip(output_storage, found, strict=True):
            storage[0] = np.array(places, "int64")  # NumPy gives views of one array

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]] * len(node.outputs)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[False] * len(node.outputs) for _ in node.inputs]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [DisconnectedType()() for _ in inputs]


@frozen(repr=False)
class RavelMultiIndex(TensorOp):
    """The numbers of elements, from their places along each axis. Inputs are the places, then the lengths.

    Parameters
    ----------
    mode : {'raise', 'wrap', 'clip'}
    order : {'C', 'F'}
    """

    mode: str
    order: str

    def make_node(self, *inputs: Any) -> Apply:
        ndim = len(inputs) // 2
        places = [as_tensor_variable(v) for v in inputs[:ndim]]
        for v in places:
            if v.type.numpy_dtype.kind not in "iu":
                raise TypeError(f"ravel_multi_index: places are integers, not {v.type}")
        shape = broadcast_static_shapes([v.type.shape for v in places], "ravel_multi_index")
        return Apply(self, [*places, *as_lengths(inputs[ndim:])], [tensor_type("int64", shape)])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        ndim = len(inputs) // 2
        lengths = tuple(int(n) for n in inputs[ndim:])
        found = np.ravel_multi_index(tuple(inputs[:ndim]), lengths, self.mode, self.order)  # type: ignore[call-overload]
        output_storage[0][0] = np.asarray(found, "int64")

    def equal_axes(self, node: Apply) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        ndim = len(node.inputs) // 2
        return meeting_axes(node.inputs[:ndim], range(ndim))

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        places, out = node.inputs[: len(node.inputs) // 2], node.outputs[0].type
        return [tuple(
            next((shape[axis] for v, shape in zip(places, input_shapes, strict=False)
                  if v.type.ndim >= -axis and v.type.shape[axis] != 1), 1)
            for axis in range(-out.ndim, 0))]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[False] for _ in node.inputs]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [DisconnectedType()() for _ in inputs]


def unravel_index(indices: Any, dims: Any, order: str = "C") -> tuple[Any, ...]:
    """The places along each axis of elements numbered in order, as `numpy.unravel_index`.

    Parameters
    ----------
    indices : integer tensor-like
    dims : sequence of int or scalar variable, or vector of known length
        The shape whose elements are numbered.
    order : {'C', 'F'}
        Whether the last or the first axis runs fastest.

    Returns
    -------
    tuple of TensorVariable
        One for each axis, int64, in the shape of `indices`. A number out of range raises ValueError at run time.

    Examples
    --------
    >>> [int(i.eval()) for i in unravel_index(5, (2, 3))]
    [1, 2]
    """
    _check_order(order, "unravel_index")
    return tuple(UnravelIndex(order)(indices, *as_lengths(dims), return_list=True))


def ravel_multi_index(multi_index: Any, dims: Any, mode: str = "raise", order: str = "C") -> Any:
    """The numbers of elements, from their places along each axis, as `numpy.ravel_multi_index`.

    Parameters
    ----------
    multi_index : sequence of integer tensor-like
        One for each axis, broadcast against each other.
    dims : sequence of int or scalar variable, or vector of known length
    mode : {'raise', 'wrap', 'clip'}
        What a place out of range does: ValueError at run time, wrap around, or take the nearest.
    order : {'C', 'F'}
        Whether the last or the first axis runs fastest.

    Raises
    ------
    ValueError
        When there is not one of `multi_index` for each length.

    Examples
    --------
    >>> int(ravel_multi_index((1, 2), (2, 3)).eval())
    5
    """
    _check_order(order, "ravel_multi_index")
    lengths = as_lengths(dims)
    places = list(multi_index) if not isinstance(multi_index, Variable) else [
        multi_index[i] for i in range(static_length(shape_i(multi_index, 0)) or 0)]  # type: ignore[index]
    if len(places) != len(lengths):
        raise ValueError(f"ravel_multi_index: places along {len(places)} axes, in a shape of {len(lengths)}")
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError(f"ravel_multi_index: mode must be 'raise', 'wrap' or 'clip', not {mode!r}")
    return RavelMultiIndex(mode, order)(*places, *lengths)


def _check_order(order: str, who: str) -> None:
    if order not in ("C", "F"):
        raise ValueError(f"{who}: order must be 'C' or 'F', not {order!r}")
