"""Running sums, products and extremes along an axis, and differences of neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import Type
from symgraph.tensor.basic import arange, as_tensor_variable, zeros_like
from symgraph.tensor.dimshuffle import dimshuffle, is_axis_of_scalar, normalize_axis
from symgraph.tensor.elemwise import TensorOp, conjugated, elemwise
from symgraph.tensor.factors import ProductShares
from symgraph.tensor.reduce import REDUCTIONS
from symgraph.tensor.shape import flatten, shape_i
from symgraph.tensor.subtensor import inc_subtensor
from symgraph.tensor.type import TensorType, tensor_type

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "diff"]


@frozen(repr=False)
class Accumulate(TensorOp):
    """The sum, the product, the largest or the smallest of each element and those before it, along one axis.

    Parameters
    ----------
    kind : {'sum', 'prod', 'max', 'min'}
        A row of the table of reductions.
    axis : int
    """

    kind: str
    axis: int

    def infer_type(self, *types: Type) -> Sequence[Type]:
        (x,) = types
        assert isinstance(x, TensorType)
        if self.kind in ("max", "min") and x.numpy_dtype.kind == "c":
            raise TypeError(f"cum{self.kind} is not defined on complex numbers here")
        return (tensor_type(REDUCTIONS[self.kind].dtype(x.numpy_dtype).name, x.shape),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        out = node.outputs[0].type.numpy_dtype
        output_storage[0][0] = REDUCTIONS[self.kind].ufunc.accumulate(inputs[0], axis=self.axis, dtype=out)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (x,), (z,), (g,) = inputs, outputs, output_gradients
        if z.type.is_discrete:
            return [x.type.zeros_like(x)]
        if self.kind == "sum":
            return [self._backward_sum(g)]
        if self.kind in ("max", "min"):
            return [inc_subtensor(self._attaining(x, z, zeros_like(x, g.type.dtype)), g)]
        return [ProductShares(self.axis)(conjugated(x), g)]

    def _backward_sum(self, g: Any) -> Any:
        """The sums of each element and those after it."""
        turn = (slice(None),) * self.axis + (slice(None, None, -1),)
        return Accumulate("sum", self.axis)(g[turn])[turn]

    def _attaining(self, x: Any, z: Any, values: Any) -> Any:
        """The values at the elements that are the extremes, the last of equal ones."""
        from symgraph.tensor.sort import take_along_axis

        pattern = [0 if i == self.axis else "x" for i in range(x.type.ndim)]
        number = dimshuffle(arange(shape_i(x, self.axis)), pattern)
        found = elemwise(scalar.switch)(elemwise(scalar.eq)(x, z), number, 0)
        return take_along_axis(values, Accumulate("max", self.axis)(found), self.axis)

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        if eval_points[0] is None:
            return [None]
        if self.kind in ("max", "min") and not inputs[0].type.is_discrete:
            return [self._attaining(inputs[0], self(inputs[0]), eval_points[0])]
        if self.kind == "sum" and not inputs[0].type.is_discrete:
            return [self(eval_points[0])]
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"cum{self.kind}{{axis={self.axis}}}"


def _accumulate(kind: str, x: Any, axis: int | None) -> Any:
    variable = as_tensor_variable(x)
    if axis is None or (kind in ("sum", "prod") and is_axis_of_scalar(axis, variable.type.ndim)):
        variable, axis = flatten(variable), 0
    return Accumulate(kind, normalize_axis(axis, variable.type.ndim, f"cum{kind}"))(variable)


def cumsum(x: Any, axis: int | None = None) -> Any:
    """The sums of each element and those before it along an axis, as `numpy.cumsum`.

    Parameters
    ----------
    x : tensor-like
        Integers smaller than 64 bits are summed as int64 or uint64.
    axis : int or None
        None runs over all elements, flattened.

    Raises
    ------
    ValueError
        For an axis out of range.

    Examples
    --------
    >>> cumsum([1, 2, 3]).eval()
    array([1, 3, 6])
    """
    return _accumulate("sum", x, axis)


def cumprod(x: Any, axis: int | None = None) -> Any:
    """The products of each element and those before it along an axis, as `numpy.cumprod`; arguments as for `cumsum`.

    Its derivatives of every order are right where elements are zero.

    Examples
    --------
    >>> cumprod([1, 2, 3]).eval()
    array([1, 2, 6])
    """
    return _accumulate("prod", x, axis)


def cummax(x: Any, axis: int | None = None) -> Any:
    """The largest of each element and those before it along an axis, as ``numpy.maximum.accumulate``.

    Parameters
    ----------
    x : tensor-like
        Real. In the gradient, the last of equal elements takes it all.
    axis : int or None
        None runs over all elements, flattened.

    Raises
    ------
    TypeError
        For complex numbers.
    ValueError
        For an axis out of range.

    Examples
    --------
    >>> cummax([1, 3, 2]).eval()
    array([1, 3, 3])
    """
    return _accumulate("max", x, axis)


def cummin(x: Any, axis: int | None = None) -> Any:
    """The smallest of each element and those before it along an axis; arguments and gradient as for `cummax`."""
    return _accumulate("min", x, axis)


def diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """The differences of neighbours along an axis, taken `n` times, as `numpy.diff`.

    Parameters
    ----------
    x : tensor-like
        Of booleans, whether neighbours differ.
    n : int
    axis : int
    prepend, append : tensor-like, optional
        What is put before and after `x` along the axis first; a scalar stands for one slice.

    Raises
    ------
    ValueError
        For a scalar, a negative `n`, or an axis out of range.

    Examples
    --------
    >>> diff([1, 2, 4, 7]).eval()
    array([1, 2, 3])
    """
    variable = as_tensor_variable(x)
    if not isinstance(n, (int, np.integer)) or n < 0:
        raise ValueError(f"diff: how often to take differences is an integer and not negative, not {n!r}")
    if variable.type.ndim == 0:
        raise ValueError("diff takes at least one dimension, not a scalar")
    axis = normalize_axis(axis, variable.type.ndim, "diff")
    if n and (prepend is not None or append is not None):
        variable = _extended(variable, prepend, append, axis)
    before = (slice(None),) * axis
    minus = elemwise(scalar.neq if variable.type.dtype == "bool" else scalar.sub)
    for _ in range(n):
        variable = minus(variable[(*before, slice(1, None))], variable[(*before, slice(None, -1))])
    return variable


def _extended(x: Any, prepend: Any, append: Any, axis: int) -> Any:
    """The tensor with more before and after it along an axis."""
    from symgraph.tensor.basic import alloc
    from symgraph.tensor.join import concatenate

    parts = [x]
    for place, more in ((0, prepend), (2, append)):
        if more is None:
            continue
        extra = as_tensor_variable(more)
        if extra.type.ndim == 0:
            extra = alloc(extra, *(1 if i == axis else shape_i(x, i) for i in range(x.type.ndim)))
        parts.insert(place, extra)
    return concatenate(parts, axis)
