"""Softmax and what is made of it, as operations of their own so that the stabilising laws can see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import Type
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.elemwise import TensorOp, elemwise
from symgraph.tensor.reduce import Reduce, normalize_axes
from symgraph.tensor.reduce import sum as tensor_sum
from symgraph.tensor.type import TensorType

__all__ = ["LogSoftmax", "LogSumExp", "Softmax", "SoftmaxGrad", "log_softmax", "logsoftmax",
           "logsoftmax_op", "logsumexp", "softmax", "softmax_op"]


@frozen(repr=False)
class _OverAxes(TensorOp):
    """What the operations here share: floats in, the same type out, along some axes.

    Parameters
    ----------
    axes : tuple of int
        By default rows of a matrix, as in Theano.
    """

    axes: tuple[int, ...] = (1,)

    def infer_type(self, *types: Type) -> Sequence[Type]:
        for kind in types:
            if not isinstance(kind, TensorType) or kind.numpy_dtype.kind != "f":
                raise TypeError(f"{self} takes a tensor of real floats, not {kind}")
        first = types[0]
        assert isinstance(first, TensorType)
        if self.axes and self.axes[-1] >= first.ndim:
            raise np.exceptions.AxisError(self.axes[-1], first.ndim, str(self))
        return (first,)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    def reach(self, x: Any, z: Any, mask: Any) -> Any:
        return Reduce("any", self.axes, keepdims=True)(mask)

    def over(self, x: Any) -> Any:
        """The sum along the axes, kept with length 1."""
        return tensor_sum(x, self.axes, keepdims=True)

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{''.join('_' + c.lower() if c.isupper() else c for c in name).lstrip('_')}{{axis={list(self.axes)}}}"


def _shifted(x: Any, axes: tuple[int, ...]) -> Any:
    """x minus its largest element, which leaves softmax as it is and keeps exp from overflowing."""
    return x - np.max(x, axis=axes, keepdims=True, initial=-np.inf)


@frozen(repr=False)
class Softmax(_OverAxes):
    """exp(x) / sum(exp(x)) along axes."""

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        e = np.exp(_shifted(inputs[0], self.axes))
        output_storage[0][0] = e / e.sum(axis=self.axes, keepdims=True)

    def expand(self, x: Any) -> Any:
        """The same in terms of simpler operations."""
        e = elemwise(scalar.exp)(x - Reduce("top", self.axes, keepdims=True)(x))
        return e / self.over(e)

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [SoftmaxGrad(self.axes)(output_gradients[0], outputs[0])]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        if eval_points[0] is None:
            return [None]
        return [SoftmaxGrad(self.axes)(eval_points[0], self(inputs[0]))]  # the Jacobian is symmetric


@frozen(repr=False)
class SoftmaxGrad(_OverAxes):
    """The gradient of softmax, (g - sum(g * s)) * s, from that of its output and its output."""

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        g, s = inputs
        output_storage[0][0] = (g - (g * s).sum(axis=self.axes, keepdims=True)) * s

    def expand(self, g: Any, s: Any) -> Any:
        """The same in terms of simpler operations."""
        return (g - self.over(g * s)) * s

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (g, s), (v,) = inputs, output_gradients
        inner = self.over(g * s)
        return [SoftmaxGrad(self.axes)(v, s), v * (g - inner) - g * self.over(v * s)]


@frozen(repr=False)
class LogSoftmax(_OverAxes):
    """x - log(sum(exp(x))) along axes."""

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        shifted = _shifted(inputs[0], self.axes)
        output_storage[0][0] = shifted - np.log(np.exp(shifted).sum(axis=self.axes, keepdims=True))

    def parts(self, x: Any) -> tuple[Any, Any]:
        """x less its largest element, and the logarithm to subtract from that."""
        shifted = x - Reduce("top", self.axes, keepdims=True)(x)
        return shifted, elemwise(scalar.log)(self.over(elemwise(scalar.exp)(shifted)))

    def expand(self, x: Any) -> Any:
        """The same in terms of simpler operations."""
        shifted, norm = self.parts(x)
        return shifted - norm

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (x,), (g,) = inputs, output_gradients
        return [g - self.over(g) * Softmax(self.axes)(x)]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        t = eval_points[0]
        return [None if t is None else t - self.over(t * Softmax(self.axes)(inputs[0]))]


@frozen(repr=False)
class LogSumExp(_OverAxes):
    """log(sum(exp(x))) along axes, which stay with length 1."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        (x,) = super().infer_type(*types)
        assert isinstance(x, TensorType)
        return (x.clone(shape=tuple(1 if i in self.axes else n for i, n in enumerate(x.shape))),)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [tuple(1 if i in self.axes else n for i, n in enumerate(input_shapes[0]))]

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        (x,) = inputs
        top = np.max(x, axis=self.axes, keepdims=True, initial=-np.inf)
        top = np.where(np.isfinite(top), top, np.zeros((), x.dtype))  # all -inf gives -inf, not nan
        output_storage[0][0] = np.asarray(np.log(np.exp(x - top).sum(axis=self.axes, keepdims=True)) + top)

    def expand(self, x: Any) -> Any:
        """The same in terms of simpler operations."""
        top = Reduce("top", self.axes, keepdims=True)(x)
        top = elemwise(scalar.switch)(elemwise(scalar.isfinite)(top), top, 0)
        return elemwise(scalar.log)(self.over(elemwise(scalar.exp)(x - top))) + top

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [output_gradients[0] * Softmax(self.axes)(inputs[0])]


def _floating(x: Any) -> Any:
    variable = as_tensor_variable(x)
    return elemwise(scalar.true_div)(variable, 1) if variable.type.is_discrete else variable


def _rows(c: Any, axis: Any, who: str) -> tuple[Any, tuple[int, ...]]:
    """What is normalised, and along which axes: a vector, with no axis given, becomes the row of a matrix."""
    x = _floating(c)
    if x.type.ndim == 0:
        raise ValueError(f"{who} of a scalar is not defined: it needs an axis")
    if axis == "last":
        axis = -1
        if x.type.ndim == 1:
            x = x.dimshuffle("x", 0)
    return x, normalize_axes(axis, x.type.ndim, who)


def softmax(c: Any, axis: Any = "last") -> Any:
    """exp(c) / sum(exp(c)) along an axis: positive numbers that add up to 1.

    Parameters
    ----------
    c : tensor-like
    axis : int, sequence of int, or None, optional
        The last by default; None for all elements.

    Returns
    -------
    TensorVariable
        Of the shape of `c`; but without an `axis` that of a vector is a matrix of one row, as in Theano, whose programs
        write ``softmax(v)[0]``. With ``axis=-1`` it is a vector.

    Examples
    --------
    >>> softmax([1000.0, 1000.0], axis=-1).eval()
    array([0.5, 0.5])
    >>> softmax([1000.0, 1000.0]).eval()
    array([[0.5, 0.5]])
    """
    x, axes = _rows(c, axis, "softmax")
    return Softmax(axes)(x)


def logsoftmax(c: Any, axis: Any = "last") -> Any:
    """log(softmax(c)), computed without leaving the range of floats; see `softmax`."""
    x, axes = _rows(c, axis, "log_softmax")
    return LogSoftmax(axes)(x)


log_softmax = logsoftmax

softmax_op, logsoftmax_op = Softmax(), LogSoftmax()


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) over axes, computed without leaving the range of floats."""
    variable = _floating(x)
    axes = normalize_axes(axis, variable.type.ndim, "logsumexp", scalars=True)
    kept = LogSumExp(axes)(variable)
    return kept if keepdims else kept.dimshuffle([i for i in range(kept.type.ndim) if i not in axes])
