"""Counting: how often numbers occur, which numbers occur, where they belong in an order, and repeating by counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import DisconnectedType, Type
from symgraph.tensor.basic import as_lengths, as_tensor_variable, static_length, zeros_like
from symgraph.tensor.dimshuffle import normalize_axis
from symgraph.tensor.elemwise import TensorOp
from symgraph.tensor.shape import ShapeI, flatten, reshape, shape
from symgraph.tensor.subtensor import inc_subtensor
from symgraph.tensor.type import TensorType, tensor_type

__all__ = ["RepeatPlaces", "bincount", "searchsorted", "unique"]


@frozen(repr=False)
class RepeatPlaces(TensorOp):
    """The places of an axis, each as often as a vector says. Inputs are the counts and the axis's length."""

    def make_node(self, counts: Any, length: Any) -> Apply:
        counts, (length,) = as_tensor_variable(counts), as_lengths([length])
        if counts.type.ndim != 1 or not counts.type.is_discrete:
            raise TypeError(f"repeat: the numbers of repeats are an integer or a vector of integers, not {counts.type}")
        known, given = static_length(length), counts.type.shape[0]
        if known is not None and given not in (None, 1, known):
            raise ValueError(f"repeat: {given} numbers of repeats for an axis of length {known}")
        total = None
        if isinstance(counts, Constant) and known is not None:
            total = int(np.broadcast_to(counts.data, known).sum())
        return Apply(self, [counts, length], [tensor_type("int64", (total,))])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        counts, length = inputs
        if len(counts) not in (1, int(length)):
            raise ValueError(f"repeat: {len(counts)} numbers of repeats for an axis of length {int(length)}")
        output_storage[0][0] = np.repeat(np.arange(int(length), dtype="int64"), counts)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [(ShapeI(0)(node.outputs[0]),)]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[False], [False]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [DisconnectedType()() for _ in inputs]

    def __repr__(self) -> str:
        return "repeat_places"


@frozen(repr=False)
class BinCount(TensorOp):
    """How often each number from 0 occurs in a vector. Inputs are it, the least number of bins, and maybe weights."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        x, least, *weights = types
        assert isinstance(x, TensorType)
        assert isinstance(least, TensorType)
        if x.ndim != 1:
            raise ValueError(f"bincount takes a vector, not {x}")
        if not np.can_cast(x.numpy_dtype, np.int64) or not least.is_discrete:
            raise TypeError(f"bincount counts integers that int64 holds, not {x}")
        if not weights:
            return (tensor_type("int64", (None,)),)
        (w,) = weights
        assert isinstance(w, TensorType)
        if w.numpy_dtype.kind == "c":
            raise TypeError(f"bincount: weights are real numbers, not {w}")
        if w.ndim != 1 or (None not in (w.shape[0], x.shape[0]) and w.shape != x.shape):
            raise ValueError(f"bincount: weights of type {w} for elements of type {x}")
        return (tensor_type("float64" if w.is_discrete else w.dtype, (None,)),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x, least, *weights = inputs
        if int(least) < 0:
            raise ValueError(f"bincount: minlength must not be negative, but is {int(least)}")
        counts = np.bincount(x, weights[0] if weights else None, int(least))
        output_storage[0][0] = counts.astype(node.outputs[0].type.numpy_dtype, copy=False)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [(ShapeI(0)(node.outputs[0]),)]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[False], [False], [True]][: len(node.inputs)]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        back: list[Any] = [DisconnectedType()(), DisconnectedType()()]
        for w in inputs[2:]:
            back.append(w.type.zeros_like(w) if w.type.is_discrete else output_gradients[0][inputs[0]])
        return back

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        moving = eval_points[2] if len(inputs) == 3 and not inputs[2].type.is_discrete else None
        return [None if moving is None else self(inputs[0], inputs[1], moving)]

    def __repr__(self) -> str:
        return "bincount"


def bincount(x: Any, weights: Any = None, minlength: Any = None, assert_nonneg: bool = False) -> Any:
    """How often each of the numbers 0, 1, 2, ... occurs in a vector, as `numpy.bincount`.

    Parameters
    ----------
    x : vector of integers
        None of them negative.
    weights : vector, optional
        What each element counts for.
    minlength : int or scalar integer variable, optional
        The least number of bins.
    assert_nonneg : bool
        Accepted for programs that pass it; negative elements always raise.

    Returns
    -------
    vector
        int64; with weights, of their dtype, and float64 when they are integers.

    Raises
    ------
    TypeError, ValueError
        When `x` holds no integers or is no vector; at run time for negative elements.

    Examples
    --------
    >>> bincount([1, 1, 3]).eval()
    array([0, 2, 0, 1])
    """
    variable = as_tensor_variable(x)
    least = as_tensor_variable(0 if minlength is None else minlength)
    if isinstance(least, Constant) and int(least.data) < 0:
        raise ValueError(f"bincount: minlength must not be negative, but is {int(least.data)}")
    return BinCount()(variable, least) if weights is None else BinCount()(variable, least, as_tensor_variable(weights))


@frozen(repr=False)
class Unique(TensorOp):
    """The distinct elements in ascending order, or the distinct slices along an axis.

    Parameters
    ----------
    return_index, return_inverse, return_counts : bool
        Which further results there are, in this order.
    axis : int or None
    equal_nan : bool
        Whether all NaN are one element.
    """

    return_index: bool = False
    return_inverse: bool = False
    return_counts: bool = False
    axis: int | None = None
    equal_nan: bool = True

    def infer_type(self, *types: Type) -> Sequence[Type]:
        (x,) = types
        assert isinstance(x, TensorType)
        along = self.axis
        values = (None,) if along is None else (*x.shape[:along], None, *x.shape[along + 1:])
        inverse = x.shape if along is None else (x.shape[along],)
        shapes: list[tuple[int | None, ...]] = [(None,)] * self.return_index
        shapes += [inverse] * self.return_inverse + [(None,)] * self.return_counts
        return [tensor_type(x.dtype, values), *(tensor_type("int64", shape) for shape in shapes)]

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        (x,) = inputs
        flags = {name: True for name in ("return_index", "return_inverse", "return_counts") if getattr(self, name)}
        find: Any = np.unique
        found = find(x, axis=self.axis, equal_nan=self.equal_nan, **flags)
        results = list(found) if len(output_storage) > 1 else [found]
        if self.return_inverse:  # its shape differs between versions of NumPy
            place = 1 + self.return_index
            results[place] = results[place].reshape(x.shape if self.axis is None else -1)
        for storage, result, out in zip(output_storage, results, node.outputs, strict=True):
            storage[0] = np.asarray(result, out.type.numpy_dtype)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        values, *others = node.outputs
        along = self.axis or 0
        count = ShapeI(along)(values)
        (x,) = input_shapes
        first = (count,) if self.axis is None else (*x[:along], count, *x[along + 1:])
        inverse = tuple(x) if self.axis is None else (x[along],)
        shapes = [(count,)] * self.return_index + [inverse] * self.return_inverse + [(count,)] * self.return_counts
        assert len(shapes) == len(others)
        return [first, *shapes]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True, *([False] * (len(node.outputs) - 1))]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (x,), g = inputs, output_gradients[0]
        if x.type.is_discrete or isinstance(g.type, DisconnectedType):
            return [x.type.zeros_like(x)]
        first = Unique(True, axis=self.axis, equal_nan=self.equal_nan)(x)[1]
        blank = zeros_like(x, g.type.dtype)
        if self.axis is not None:
            return [inc_subtensor(blank[(slice(None),) * self.axis + (first,)], g)]
        return [reshape(inc_subtensor(flatten(blank)[first], g), shape(x), ndim=x.type.ndim)]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        others = [None] * (self.return_index + self.return_inverse + self.return_counts)
        (x,), (t,) = inputs, eval_points
        if t is None:
            return [None, *others]
        first = Unique(True, axis=self.axis, equal_nan=self.equal_nan)(x)[1]
        pushed = flatten(t)[first] if self.axis is None else t[(slice(None),) * self.axis + (first,)]
        return [pushed, *others]

    def __repr__(self) -> str:
        return "unique"


def unique(ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
           axis: int | None = None, equal_nan: bool = True) -> Any:
    """The distinct elements in ascending order, as `numpy.unique`.

    Parameters
    ----------
    ar : tensor-like
    return_index : bool
        Return the place of the first of each in `ar`, flattened, too.
    return_inverse : bool
        Return which of them each element of `ar` is, in its shape, too.
    return_counts : bool
        Return how often each occurs, too.
    axis : int or None
        Compare slices along this axis instead of elements.
    equal_nan : bool
        Whether all NaN are one element; each is one of its own otherwise.

    Returns
    -------
    TensorVariable, or a list of them when more than the values is asked for
        In the gradient, the first of equal elements takes it all.

    Raises
    ------
    ValueError
        For an axis out of range.

    Examples
    --------
    >>> unique([3, 1, 3]).eval()
    array([1, 3])
    """
    variable = as_tensor_variable(ar)
    if axis is not None:
        axis = normalize_axis(axis, variable.type.ndim)
    return Unique(bool(return_index), bool(return_inverse), bool(return_counts), axis, bool(equal_nan))(variable)


@frozen(repr=False)
class SearchSorted(TensorOp):
    """Where elements belong in an ascending vector. Inputs are the vector, the elements, and maybe what sorts it.

    Parameters
    ----------
    side : {'left', 'right'}
        Before or after elements equal to it.
    """

    side: str

    def infer_type(self, *types: Type) -> Sequence[Type]:
        x, v, *sorter = types
        assert isinstance(x, TensorType)
        assert isinstance(v, TensorType)
        if x.ndim != 1:
            raise ValueError(f"searchsorted takes a vector to search in, not {x}")
        for kind in sorter:
            assert isinstance(kind, TensorType)
            if kind.numpy_dtype.kind not in "iu" or not np.can_cast(kind.numpy_dtype, np.int64) or kind.ndim != 1:
                raise TypeError(f"searchsorted: the sorter is a vector of integers, not {kind}")
        return (tensor_type("int64", v.shape),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x, v, *sorter = inputs
        found = np.searchsorted(x, v, self.side, *sorter)  # type: ignore[call-overload]
        output_storage[0][0] = np.asarray(found, "int64")

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[1]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [x.type.zeros_like(x) for x in inputs]

    def __repr__(self) -> str:
        return f"searchsorted{{{self.side}}}"


def searchsorted(x: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """The places where elements of `v` belong in the ascending vector `x`, as `numpy.searchsorted`.

    Parameters
    ----------
    x : vector
    v : tensor-like
    side : {'left', 'right'}
        The first place, or the last.
    sorter : vector of integers, optional
        The order that sorts `x`, where it is not ascending.

    Returns
    -------
    TensorVariable
        int64, in the shape of `v`.

    Raises
    ------
    ValueError
        For another side, or when `x` is no vector.

    Examples
    --------
    >>> searchsorted([1, 3, 5], [0, 3, 9]).eval()
    array([0, 1, 3])
    """
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: side must be 'left' or 'right', not {side!r}")
    inputs = [x, v] if sorter is None else [x, v, sorter]
    return SearchSorted(side)(*map(as_tensor_variable, inputs))
