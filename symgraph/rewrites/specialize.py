"""Specialisation: what made the laws visible is replaced by what is quick to compute."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.rewrite import made_of, rewrite_rule
from symgraph.random.draw import Draw
from symgraph.rewrites.patterns import applied, fitted, is_elemwise, is_real, is_zeros, made_by
from symgraph.tensor.basic import Alloc, ARange
from symgraph.tensor.elemwise import elemwise
from symgraph.tensor.nnet.softmax import LogSoftmax, LogSumExp, Softmax, SoftmaxGrad
from symgraph.tensor.reduce import Reduce
from symgraph.tensor.shape import dimshuffle
from symgraph.tensor.subtensor import ARRAY, IncSubtensor, Subtensor

__all__ = ["EXPAND", "SPECIALIZE"]


@rewrite_rule(Subtensor, when=made_of(LogSoftmax))
def part_of_log_softmax(node: Apply) -> Variable | None:
    """log_softmax(x)[i, j] -> (x - max(x))[i, j] - log(sum(exp(x - max(x))))[i]: the whole matrix is not needed."""
    source, *index = node.inputs
    whole = made_by(source, LogSoftmax)
    if whole is None or node.op.spec != (ARRAY, ARRAY) or any(v.type.ndim != 1 for v in index):
        return None
    if whole.op.axes != (1,) or source.type.ndim != 2:
        return None
    shifted, norm = whole.op.parts(whole.inputs[0])
    return node.op(shifted, *index) - Subtensor((ARRAY,))(dimshuffle(norm, (0,)), index[0])


@rewrite_rule(Reduce, when=made_of(IncSubtensor))
def sum_of_scattered(node: Apply) -> Variable | None:
    """sum(zeros with v added at [i, j], along the columns) -> zeros with v added at [i]."""
    op, scattered = node.op, made_by(node.inputs[0], IncSubtensor)
    if scattered is None or op.kind != "sum" or op.axes != (1,) or op.dtype or op.acc_dtype:
        return None
    blank, value, *index = scattered.inputs
    zeros = made_by(blank, Alloc)
    if zeros is None or not is_zeros(blank) or scattered.op.spec != (ARRAY, ARRAY) or scattered.op.set_instead:
        return None
    if any(v.type.ndim != 1 for v in index) or index[0].type.shape == (1,):  # one row, stretched along the columns
        return None
    zero, rows, _ = zeros.inputs
    totals = IncSubtensor((ARRAY,), False, _counts_up(index[0]))(Alloc()(zero, rows), value, index[0])
    return dimshuffle(totals, (0, "x")) if op.keepdims else totals


def _counts_up(variable: Variable) -> bool:
    """Whether an index array is a range from 0 up: one that starts below could name an element twice."""
    made = made_by(variable, ARange)
    if made is None:
        return False
    start, _, step = made.inputs
    return bool(isinstance(start, Constant) and start.data >= 0 and isinstance(step, Constant) and step.data > 0)


@rewrite_rule(IncSubtensor)
def index_is_unique(node: Apply) -> Variable | None:
    """An index array that counts up names no element twice: nothing has to accumulate."""
    op, index = node.op, node.inputs[2:]
    if op.unique or op.set_instead or not op.is_advanced:
        return None
    arrays = [v for v in index if v.type.ndim]
    if all(v.type.ndim == 1 for v in arrays) and any(_counts_up(v) and v.type.shape != (1,) for v in arrays):
        return IncSubtensor(op.spec, False, True)(*node.inputs)
    return None


@rewrite_rule(elemwise(scalar.add), elemwise(scalar.sub), when=made_of(IncSubtensor))
def add_to_scattered(node: Apply) -> Variable | None:
    """(zeros with v added at i) + a -> a with v added at i; with - it is -a."""
    adding = is_elemwise(node.outputs[0], scalar.add)
    for place in (0, 1):
        scattered = made_by(node.inputs[place], IncSubtensor)
        other: Any = node.inputs[1 - place]
        if scattered is None or scattered.op.set_instead or isinstance(other, Constant):
            continue
        blank, value, *index = scattered.inputs
        same = other.type.broadcastable == blank.type.broadcastable and other.type.dtype == blank.type.dtype
        if not same or not is_zeros(blank):
            continue
        if adding:
            return scattered.op(other, value, *index)
        return scattered.op(-other, value, *index) if place == 0 else scattered.op(other, -value, *index)
    return None


@rewrite_rule(elemwise(scalar.neg), when=made_of(scalar.mul, scalar.true_div))
def sign_to_small_factor(node: Apply) -> Variable | None:
    """-(a * b) -> (-a) * b where a is stretched over b: the sign is put on fewer elements."""
    product = applied(node.inputs[0], scalar.mul, scalar.true_div)
    if product is None:
        return None
    a, b = product.inputs
    full = product.outputs[0].type.broadcastable
    if a.type.broadcastable != full and is_real(a):
        return product.op(-a, b)
    if b.type.broadcastable != full and is_real(b):
        return product.op(a, -b)
    return None


@rewrite_rule(Softmax, SoftmaxGrad, LogSoftmax, LogSumExp)
def expand_softmax(node: Apply) -> Variable | None:
    """An operation that has done its work of being seen -> simpler ones, which share what they have in common."""
    parts = node.op.expand(*node.inputs)
    return parts if parts.type.broadcastable == node.outputs[0].type.broadcastable else None


#: Exponents from which on the logistic function is 1 to the last bit. Neither their exponential overflows, nor is that
#: of their negatives below the least normal number.
_CAPS = {"float32": 87.0, "float64": 708.0}


@rewrite_rule(elemwise(scalar.sigmoid))
def sigmoid_by_exponential(node: Apply) -> Variable | None:
    """sigmoid(x) -> e / (1 + e) and sigmoid(-x) -> 1 / (1 + e) - f, where e = exp(min(x, cap)).

    With f, the value at the cap, the second is 0 from there on. What it loses below is lost to rounding, but for values
    that are nearly as small as f, the least normal number: they underflow gradually.
    """
    (x,) = node.inputs
    kind: Any = node.outputs[0].type
    if kind.dtype not in _CAPS or x.type.dtype != kind.dtype or kind.ndim == 0:
        return None
    if x.owner is not None and any(made_by(v, Draw) is not None for v in x.owner.inputs):
        return None  # beta numbers, which are the same in every mode, to the last bit
    negative = applied(x, scalar.neg)
    cap, one = (np.asarray(value, kind.dtype) for value in (_CAPS[kind.dtype], 1))
    e: Any = elemwise(scalar.exp)(elemwise(scalar.minimum)(negative.inputs[0] if negative is not None else x, cap))
    return fitted(e / (one + e) if negative is None else one / (one + e) - one / (one + np.exp(cap)), node)


#: Rules that still need to see softmax and its kin whole.
SPECIALIZE = (part_of_log_softmax, sum_of_scattered, index_is_unique, add_to_scattered, sign_to_small_factor)

#: Rules that take it apart.
EXPAND = (expand_softmax, sigmoid_by_exponential, add_to_scattered, sign_to_small_factor)
