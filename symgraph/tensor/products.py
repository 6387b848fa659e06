"""Products of matrices and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import Type
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.dimshuffle import dimshuffle, swapaxes
from symgraph.tensor.elemwise import TensorOp, cast, confine, conjugated, float_policy, meeting_axes, unbroadcast
from symgraph.tensor.shape import reshape, shape_i
from symgraph.tensor.type import TensorType, broadcast_static_shapes, dtype_name, tensor_type

__all__ = ["BatchedMatMul", "Dot", "batched_dot", "dot", "inner", "matmul", "outer", "tensordot"]


def _inner_lengths(a: TensorType, b: TensorType, axis_b: int, who: str) -> None:
    mine, theirs = a.shape[-1], b.shape[axis_b]
    if mine is not None and theirs is not None and mine != theirs:
        raise ValueError(f"{who}: inner dimensions differ, {mine} and {theirs}, in {a} by {b}")


def guarding(g: Any, z: Any) -> Any | None:
    """Where the gradient of a product z can be other than zero, if the factors are to be guarded elsewhere.

    They are not where z itself was compared to decide, as a rectifier does: that would cost every network of them.
    """
    from symgraph.tensor.support import compared, support

    return None if compared(g, z) else support(g)


def _used(mask: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """Two matrices (or batches of them), with zeros in rows and columns whose products nobody uses."""
    if mask is None:
        return a, b
    from symgraph.tensor.reduce import any as some

    return confine(a, some(mask, axis=-1, keepdims=True)), confine(b, some(mask, axis=-2, keepdims=True))


@frozen(repr=False)
class Dot(TensorOp):
    """The product of vectors and matrices: ranks 1 and 2 only."""

    accepts_out = True

    def infer_type(self, *types: Type) -> Sequence[Type]:
        a, b = types
        if (
            not isinstance(a, TensorType)
            or not isinstance(b, TensorType)
            or a.ndim not in (1, 2)
            or b.ndim not in (1, 2)
        ):
            raise TypeError(f"Dot takes vectors and matrices, not {a} and {b}")
        _inner_lengths(a, b, 0, "dot")
        dtype = np.result_type(a.numpy_dtype, b.numpy_dtype)
        return (tensor_type(dtype_name(dtype), a.shape[:-1] + b.shape[1:]),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.asarray(np.dot(*inputs))

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [(*input_shapes[0][:-1], *input_shapes[1][1:])]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (a, b), (g,) = inputs, output_gradients
        if outputs[0].type.is_discrete:
            return [x.type.zeros_like(x) for x in inputs]
        mask = guarding(g, outputs[0])
        a, b = conjugated(a), conjugated(b)
        if a.type.ndim == 2 and b.type.ndim == 2:
            used_a, used_b = _used(mask, a, b)
            return [self(g, used_b.T), self(used_a.T, g)]
        if a.type.ndim == 2:
            column = None if mask is None else mask.dimshuffle(0, "x")
            return [confine(g.dimshuffle(0, "x") * b, column), self(confine(a, column).T, g)]
        if b.type.ndim == 2:
            row = None if mask is None else mask.dimshuffle("x", 0)
            return [self(confine(b, row), g), confine(a.dimshuffle(0, "x") * g, row)]
        return [confine(g * b, mask), confine(g * a, mask)]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        (a, b), (ta, tb) = inputs, eval_points
        terms = [self(*pair) for pair in ((ta, b), (a, tb)) if None not in pair]
        return [terms[0] + terms[1] if len(terms) == 2 else terms[0] if terms else None]

    def __repr__(self) -> str:
        return "dot"


@frozen(repr=False)
class BatchedMatMul(TensorOp):
    """Products of the matrices in the last two axes, with the axes before them broadcast."""

    accepts_out = True

    def infer_type(self, *types: Type) -> Sequence[Type]:
        a, b = types
        if not isinstance(a, TensorType) or not isinstance(b, TensorType) or a.ndim < 2 or b.ndim < 2:
            raise TypeError(f"batched products take tensors of at least 2 dimensions, not {a} and {b}")
        _inner_lengths(a, b, -2, "matmul")
        batch = broadcast_static_shapes([a.shape[:-2], b.shape[:-2]], "matmul") if a.ndim > 2 or b.ndim > 2 else ()
        dtype = np.result_type(a.numpy_dtype, b.numpy_dtype)
        return (tensor_type(dtype_name(dtype), (*batch, a.shape[-2], b.shape[-1])),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.matmul(*inputs)

    def equal_axes(self, node: Apply) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        return meeting_axes(node.inputs, (0, 1), trailing=2)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        (a, _), (sa, sb) = node.inputs, input_shapes
        batch: list[Any] = []
        for axis in range(-max(len(sa), len(sb)), -2):
            from_a = len(sa) >= -axis and a.type.shape[axis] != 1
            from_b = len(sb) >= -axis
            batch.append(sa[axis] if from_a or not from_b else sb[axis])
        return [(*batch, sa[-2], sb[-1])]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (a, b), (g,) = inputs, output_gradients
        if outputs[0].type.is_discrete:
            return [x.type.zeros_like(x) for x in inputs]
        used_a, used_b = _used(guarding(g, outputs[0]), conjugated(a), conjugated(b))
        return [
            _unbroadcast_batch(self(g, swapaxes(used_b, -1, -2)), a),
            _unbroadcast_batch(self(swapaxes(used_a, -1, -2), g), b),
        ]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        (a, b), (ta, tb) = inputs, eval_points
        terms = [self(*pair) for pair in ((ta, b), (a, tb)) if None not in pair]
        return [terms[0] + terms[1] if len(terms) == 2 else terms[0] if terms else None]

    def __repr__(self) -> str:
        return "matmul"


def _unbroadcast_batch(term: Any, x: Any) -> Any:
    """Sum over batch axes along which `x` was stretched; its matrix axes were not."""
    return term if term.type.ndim == 2 else unbroadcast(term, x)


def _operands(a: Any, b: Any) -> tuple[Any, Any]:
    """Both as tensors of one floating dtype policy: an integer beside a float takes the float's dtype."""
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    wide = dtype_name(np.result_type(a.type.numpy_dtype, b.type.numpy_dtype))
    dtype = float_policy("dot", (a, b), tensor_type(wide, ()))
    return (a, b) if dtype is None else tuple(cast(v, dtype) if v.type.is_discrete else v for v in (a, b))


def dot(a: Any, b: Any) -> Any:
    """The product of two tensors, as `numpy.dot`.

    Vectors and matrices multiply as in linear algebra; a scalar multiplies every element; for higher ranks the sum
    runs over the last axis of `a` and the last but one of `b`.

    Parameters
    ----------
    a, b : tensor-like

    Raises
    ------
    ValueError
        When inner lengths are known and differ.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> dot([[1, 2, 3], [3, 3, 3]], [[3, 3], [2, 2], [1, 1]]).eval()
    array([[10, 10],
           [18, 18]])
    """
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    if a.type.ndim == 0 or b.type.ndim == 0:
        return a * b
    if a.type.ndim <= 2 and b.type.ndim <= 2:
        return Dot()(*_operands(a, b))
    return tensordot(a, b, [[a.type.ndim - 1], [max(b.type.ndim - 2, 0)]])


def matmul(a: Any, b: Any) -> Any:
    """The product ``a @ b``, as `numpy.matmul`: the last two axes are matrices, those before them are broadcast.

    Raises
    ------
    ValueError
        For a scalar, or when inner lengths are known and differ.
    """
    a, b = _operands(a, b)
    if a.type.ndim == 0 or b.type.ndim == 0:
        raise ValueError("matmul does not take scalars; use *")
    if a.type.ndim <= 2 and b.type.ndim <= 2:
        return Dot()(a, b)
    if a.type.ndim == 1:
        product = BatchedMatMul()(dimshuffle(a, ("x", 0)), b)
        return product.dimshuffle([i for i in range(product.type.ndim) if i != product.type.ndim - 2])
    if b.type.ndim == 1:
        product = BatchedMatMul()(a, dimshuffle(b, (0, "x")))
        return product.dimshuffle(list(range(product.type.ndim - 1)))
    return BatchedMatMul()(a, b)


def batched_dot(a: Any, b: Any) -> Any:
    """The products of corresponding elements of two batches, the first axis of both.

    Raises
    ------
    ValueError
        For scalars, or when the batches' lengths are known and differ.
    """
    a, b = _operands(a, b)
    if a.type.ndim == 0 or b.type.ndim == 0:
        raise ValueError("batched_dot takes tensors with a batch axis, not scalars")
    if a.type.ndim == 1:
        return dimshuffle(a, [0] + ["x"] * (b.type.ndim - 1)) * b
    if b.type.ndim == 1:
        return a * dimshuffle(b, [0] + ["x"] * (a.type.ndim - 1))
    left = dimshuffle(a, (0, "x", 1)) if a.type.ndim == 2 else a
    right = dimshuffle(b, (0, 1, "x")) if b.type.ndim == 2 else b
    if left.type.ndim > 3 or right.type.ndim > 3:
        raise ValueError("batched_dot takes tensors of at most 3 dimensions")
    product = BatchedMatMul()(left, right)
    kept = [0] + [1] * (a.type.ndim == 3) + [2] * (b.type.ndim == 3)
    return product.dimshuffle(kept)


def outer(x: Any, y: Any) -> Any:
    """All products of an element of `x` and one of `y`, both flattened: a matrix."""
    x, y = (v if v.type.ndim == 1 else reshape(v, [-1]) for v in (as_tensor_variable(x), as_tensor_variable(y)))
    return x.dimshuffle(0, "x") * y.dimshuffle("x", 0)


def inner(a: Any, b: Any) -> Any:
    """The sum over the last axes of both, as `numpy.inner`."""
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    if a.type.ndim == 0 or b.type.ndim == 0:
        return a * b
    return tensordot(a, b, [[a.type.ndim - 1], [b.type.ndim - 1]])


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """The sum of products over given axes, as `numpy.tensordot`: one matrix product of reshaped tensors.

    Parameters
    ----------
    a, b : tensor-like
    axes : int or pair of sequences of int
        The last `axes` axes of `a` with the first of `b`, or which axes of each.

    Raises
    ------
    ValueError
        When the axes do not match in number or known length.
    """
    a, b = _operands(a, b)
    if isinstance(axes, (int, np.integer)):
        if not 0 <= axes <= min(a.type.ndim, b.type.ndim):
            raise np.exceptions.AxisError(f"tensordot: axes={axes}, but the tensors have {a.type.ndim} and "
                                          f"{b.type.ndim} dimensions")
        over_a, over_b = list(range(a.type.ndim - int(axes), a.type.ndim)), list(range(int(axes)))
    else:
        over_a, over_b = (np.atleast_1d(side).tolist() for side in axes)
    from symgraph.tensor.reduce import normalize_axes

    if len(over_a) != len(over_b):
        raise ValueError(f"tensordot: {len(over_a)} axes of the first tensor, {len(over_b)} of the second")
    for side, tensor in ((over_a, a), (over_b, b)):
        normalize_axes(side, tensor.type.ndim, "tensordot")
    over_a, over_b = [i % a.type.ndim for i in over_a], [i % b.type.ndim for i in over_b]
    for i, j in zip(over_a, over_b, strict=True):
        m, n = a.type.shape[i], b.type.shape[j]
        if m is not None and n is not None and m != n:
            raise ValueError(f"tensordot: axis {i} of the first tensor has length {m}, axis {j} of the second {n}")
    rest_a = [i for i in range(a.type.ndim) if i not in over_a]
    rest_b = [i for i in range(b.type.ndim) if i not in over_b]
    left = reshape(dimshuffle(a, rest_a + over_a), [_product(a, rest_a), _product(a, over_a)])
    right = reshape(dimshuffle(b, over_b + rest_b), [_product(b, over_b), _product(b, rest_b)])
    return reshape(Dot()(left, right), [*(shape_i(a, i) for i in rest_a), *(shape_i(b, i) for i in rest_b)])


def _product(x: Any, axes: Sequence[int]) -> Any:
    result: Any = 1
    for axis in axes:
        result = shape_i(x, axis) if isinstance(result, int) else result * shape_i(x, axis)
    return result
