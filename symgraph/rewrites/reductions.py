"""Reductions: what is the same for all elements is taken out, and what was permuted or reduced already need not be."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.rewrite import made_of, rewrite_rule
from symgraph.graph.rule import Uses
from symgraph.rewrites.patterns import applied, fitted, is_real, made_by, uniform
from symgraph.tensor.basic import Alloc, number_constant
from symgraph.tensor.elemwise import cast
from symgraph.tensor.reduce import Reduce
from symgraph.tensor.shape import DimShuffle, dimshuffle

__all__ = ["REDUCTIONS"]


def _is_plain(op: Reduce) -> bool:
    return op.dtype is None and op.acc_dtype is None


def _keeps_dtype(node: Apply) -> bool:
    """Whether a sum is in the dtype of what it sums, so that arithmetic before and after it is the same."""
    source, out = node.inputs[0].type, node.outputs[0].type
    return bool(source.dtype == out.dtype and source.numpy_dtype.kind in "iuf")


@rewrite_rule(Reduce, when=made_of(scalar.neg))
def sum_of_negative(node: Apply) -> Variable | None:
    """sum(-x) -> -sum(x)."""
    op, inner = node.op, applied(node.inputs[0], scalar.neg)
    if op.kind != "sum" or not _is_plain(op) or not _keeps_dtype(node) or not is_real(node.inputs[0]):
        return None
    return fitted(-op(inner.inputs[0]), node)


@rewrite_rule(Reduce, when=made_of(scalar.mul))
def sum_of_scaled(node: Apply) -> Variable | None:
    """sum(a * x) -> a * sum(x), for a scalar a.

    Not in half precision: a few numbers that a small factor keeps in its range can have a sum beyond it.
    """
    op, source = node.op, node.inputs[0]
    product = applied(source, scalar.mul)
    if op.kind != "sum" or not op.axes or not _is_plain(op) or not _keeps_dtype(node):
        return None
    if node.outputs[0].type.dtype == "float16":
        return None
    for factor, rest in (product.inputs, product.inputs[::-1]):
        full = rest.type.broadcastable == source.type.broadcastable and rest.type.dtype == source.type.dtype
        if all(factor.type.broadcastable) and full and not all(rest.type.broadcastable):
            number = factor if factor.type.ndim == 0 else dimshuffle(factor, ())
            return fitted(number * op(rest), node)
    return None


@rewrite_rule(Reduce, when=made_of(Reduce))
def reduce_of_reduced(node: Apply) -> Variable | None:
    """sum(sum(x, axis=1), axis=0) -> sum(x, axis=(0, 1)), and so for products, extremes, all and any."""
    op, first = node.op, made_by(node.inputs[0], Reduce)
    if first.op.kind != op.kind or not _is_plain(op) or not _is_plain(first.op) or not op.axes:
        return None
    ndim, done = first.inputs[0].type.ndim, first.op.axes
    left = list(range(ndim)) if first.op.keepdims else [axis for axis in range(ndim) if axis not in done]
    axes = tuple(sorted({*done, *(left[axis] for axis in op.axes)}))
    if op.keepdims == first.op.keepdims:
        return fitted(Reduce(op.kind, axes, keepdims=op.keepdims)(first.inputs[0]), node)
    if op.keepdims:
        return None
    kept = Reduce(op.kind, axes, keepdims=True)(first.inputs[0])
    return fitted(dimshuffle(kept, [axis for axis in range(ndim) if axis not in {left[a] for a in op.axes}]), node)


@rewrite_rule(Reduce, when=made_of(DimShuffle))
def reduce_of_shuffled(node: Apply) -> Variable | None:
    """sum(x.T) -> sum(x), where all axes are reduced and their order does not matter."""
    op, shuffled = node.op, made_by(node.inputs[0], DimShuffle)
    if op.keepdims or len(op.axes) != node.inputs[0].type.ndim:
        return None
    source = shuffled.inputs[0]
    return fitted(Reduce(op.kind, tuple(range(source.type.ndim)), op.dtype, op.acc_dtype)(source), node)


@rewrite_rule(Reduce)
def reduce_of_one(node: Apply) -> Variable | None:
    """sum(x, axis) -> x without the axis, where its length is known to be 1."""
    op, source, out = node.op, node.inputs[0], node.outputs[0]
    if not op.axes or op.kind in ("all", "any") or source.type.dtype != out.type.dtype or op.acc_dtype:
        return None
    if any(source.type.shape[axis] != 1 for axis in op.axes):
        return None
    if op.keepdims:
        return fitted(source, node)
    return fitted(dimshuffle(source, [i for i in range(source.type.ndim) if i not in op.axes]), node)


@rewrite_rule(Reduce, when=made_of(Alloc))
def reduce_of_stretched(node: Apply) -> Variable | None:
    """sum(alloc(v, n)) -> v * n, and max(alloc(v, n)) -> v, for a number v; and so where all axes are reduced."""
    op, stretched = node.op, made_by(node.inputs[0], Alloc)
    value, *lengths = stretched.inputs
    number, dtype = uniform(value), node.outputs[0].type.dtype
    if number is None or not np.isfinite(number) or op.keepdims or op.acc_dtype or len(op.axes) != len(lengths):
        return None
    number = np.asarray(number, dtype)
    if op.kind == "sum":
        if number.dtype.kind == "f" and number.dtype.itemsize < 4:
            return None  # where lengths are not exact
        count: Any = lengths[0]
        for length in lengths[1:]:
            count = count * length
        return fitted(cast(count, dtype) * number, node)
    known = all(isinstance(n, Constant) and int(n.data) > 0 for n in lengths)
    return fitted(number_constant(number), node) if op.kind in ("max", "min") and known else None



_INCREASING = (scalar.exp, scalar.exp2, scalar.expm1, scalar.tanh, scalar.sigmoid, scalar.arctan, scalar.sinh,
               scalar.cbrt, scalar.floor, scalar.ceil, scalar.trunc)


@rewrite_rule(Reduce, when=made_of(*_INCREASING), counts=True)
def extreme_of_increasing(node: Apply, uses: Uses) -> Variable | None:
    """max(exp(x)) -> exp(max(x)), where only the maximum of exp(x) is asked for: it is taken of fewer elements."""
    op, source = node.op, node.inputs[0]
    if op.kind not in ("max", "min") or not op.axes or uses(source) > 1 or not is_real(source):
        return None
    inner = applied(source, *_INCREASING)
    return fitted(inner.op(op(inner.inputs[0])), node) if inner.inputs[0].type.dtype == source.type.dtype else None


@rewrite_rule(Reduce, when=made_of(scalar.neg))
def extreme_of_negative(node: Apply) -> Variable | None:
    """max(-x) -> -min(x), for floats (the least integer has no negative)."""
    op, source = node.op, node.inputs[0]
    if op.kind not in ("max", "min") or not is_real(source):
        return None
    opposite = Reduce("min" if op.kind == "max" else "max", op.axes, keepdims=op.keepdims)
    return fitted(-opposite(applied(source, scalar.neg).inputs[0]), node)


REDUCTIONS = (
    sum_of_negative, sum_of_scaled, reduce_of_reduced, reduce_of_shuffled, reduce_of_one, reduce_of_stretched,
    extreme_of_increasing, extreme_of_negative,
)
