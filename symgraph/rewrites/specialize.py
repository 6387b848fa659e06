"""Specialisation: what made the laws visible is replaced by what is quick to compute."""

from __future__ import annotations

from typing import Any

from symgraph import scalar
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.rewrite import rewrite_rule
from symgraph.rewrites.patterns import applied, is_elemwise, is_zeros
from symgraph.tensor.basic import Alloc, ARange
from symgraph.tensor.elemwise import elemwise
from symgraph.tensor.nnet.softmax import LogSoftmax, LogSumExp, Softmax, SoftmaxGrad
from symgraph.tensor.reduce import Reduce
from symgraph.tensor.shape import dimshuffle
from symgraph.tensor.subtensor import ARRAY, IncSubtensor, Subtensor

__all__ = ["EXPAND", "SPECIALIZE"]


@rewrite_rule(Subtensor)
def part_of_log_softmax(node: Apply) -> Variable | None:
    """log_softmax(x)[i, j] -> (x - max(x))[i, j] - log(sum(exp(x - max(x))))[i]: the whole matrix is not needed."""
    (source, *index), op = node.inputs, node.op
    assert isinstance(op, Subtensor)
    if op.spec != (ARRAY, ARRAY) or not applied(source, LogSoftmax):
        return None
    assert source.owner is not None and isinstance(source.owner.op, LogSoftmax)
    (x,) = source.owner.inputs
    if source.owner.op.axes != (1,) or x.type.ndim != 2 or any(v.type.ndim != 1 for v in index):  # type: ignore[attr-defined]
        return None
    shifted, norm = source.owner.op.parts(x)
    rows = dimshuffle(norm, (0,))
    return op(shifted, *index) - Subtensor((ARRAY,))(rows, index[0])  # type: ignore[no-any-return]


@rewrite_rule(Reduce)
def sum_of_scattered(node: Apply) -> Variable | None:
    """sum(zeros with v added at [i, j], along the columns) -> zeros with v added at [i]."""
    op, (source,) = node.op, node.inputs
    assert isinstance(op, Reduce)
    if op.kind != "sum" or op.axes != (1,) or op.dtype or op.acc_dtype or not applied(source, IncSubtensor):
        return None
    assert source.owner is not None and isinstance(source.owner.op, IncSubtensor)
    inner, (blank, value, *index) = source.owner.op, source.owner.inputs
    if inner.spec != (ARRAY, ARRAY) or inner.set_instead or not is_zeros(blank) or any(
        v.type.ndim != 1 for v in index) or not applied(blank, Alloc):  # type: ignore[attr-defined]
        return None
    assert blank.owner is not None
    zero, rows, _ = blank.owner.inputs
    totals = IncSubtensor((ARRAY,), False, isinstance_arange(index[0]))(Alloc()(zero, rows), value, index[0])
    return dimshuffle(totals, (0, "x")) if op.keepdims else totals  # type: ignore[no-any-return]


def isinstance_arange(variable: Variable) -> bool:
    """Whether an index array counts up from a start, and so names nothing twice."""
    return applied(variable, ARange)


@rewrite_rule(IncSubtensor)
def index_is_unique(node: Apply) -> Variable | None:
    """An index array that counts up names no element twice: nothing has to accumulate."""
    op, index = node.op, node.inputs[2:]
    assert isinstance(op, IncSubtensor)
    if op.unique or op.set_instead or not op.is_advanced:
        return None
    arrays = [v for v in index if v.type.ndim]  # type: ignore[attr-defined]
    if all(v.type.ndim == 1 for v in arrays) and any(map(isinstance_arange, arrays)):  # type: ignore[attr-defined]
        return IncSubtensor(op.spec, False, True)(*node.inputs)  # type: ignore[no-any-return]
    return None


@rewrite_rule(elemwise(scalar.add), elemwise(scalar.sub))
def add_to_scattered(node: Apply) -> Variable | None:
    """(zeros with v added at i) + a -> a with v added at i; with - it is -a."""
    for place in (0, 1):
        scattered, other = node.inputs[place], node.inputs[1 - place]
        if not applied(scattered, IncSubtensor):
            continue
        assert scattered.owner is not None and isinstance(scattered.owner.op, IncSubtensor)
        op, (blank, value, *index) = scattered.owner.op, scattered.owner.inputs
        if op.set_instead or not is_zeros(blank) or other.type.broadcastable != blank.type.broadcastable or (  # type: ignore[attr-defined]
            other.type.dtype != blank.type.dtype or isinstance(other, Constant)  # type: ignore[attr-defined]
        ):
            continue
        if is_elemwise(node.outputs[0], scalar.add):
            return op(other, value, *index)  # type: ignore[no-any-return]
        return op(-other, value, *index) if place == 0 else op(other, -value, *index)  # type: ignore[no-any-return, operator]
    return None


@rewrite_rule(elemwise(scalar.neg))
def sign_to_small_factor(node: Apply) -> Variable | None:
    """-(a * b) -> (-a) * b where a is stretched over b: the sign is put on fewer elements."""
    (product,) = node.inputs
    if not is_elemwise(product, scalar.mul, scalar.true_div):
        return None
    assert product.owner is not None
    a, b = product.owner.inputs
    op: Any = product.owner.op
    full = product.type.broadcastable  # type: ignore[attr-defined]
    if _smaller(a, full):
        return op(-a, b)  # type: ignore[no-any-return, operator]
    if _smaller(b, full):
        return op(a, -b)  # type: ignore[no-any-return, operator]
    return None


def _smaller(variable: Variable, full: tuple[bool, ...]) -> bool:
    kind: Any = variable.type
    return bool(kind.ndim < len(full) or kind.broadcastable != full)


@rewrite_rule(Softmax, SoftmaxGrad, LogSoftmax, LogSumExp)
def expand(node: Apply) -> Variable:
    """An operation that has done its work of being seen -> simpler ones, which share what they have in common."""
    return node.op.expand(*node.inputs)  # type: ignore[no-any-return, attr-defined]


#: Rules that still need to see softmax and its kin whole.
SPECIALIZE = (part_of_log_softmax, sum_of_scattered, index_is_unique, add_to_scattered, sign_to_small_factor)

#: Rules that take it apart.
EXPAND = (expand, add_to_scattered, sign_to_small_factor)

