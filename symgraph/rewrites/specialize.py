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
from symgraph.tensor.shape import DimShuffle, dimshuffle
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


@rewrite_rule(elemwise(scalar.neg), when=made_of(IncSubtensor, DimShuffle))
def negative_of_scattered(node: Apply) -> Variable | None:
    """-(zeros with v added at i) -> zeros with -v added at i, for a scalar v; also where axes were moved in between."""
    (whole,) = node.inputs
    shuffled = made_by(whole, DimShuffle)
    scattered = made_by(whole if shuffled is None else shuffled.inputs[0], IncSubtensor)
    if scattered is None or scattered.op.set_instead or not is_real(whole):
        return None
    blank, value, *index = scattered.inputs
    if value.type.ndim != 0 or not is_zeros(blank):
        return None
    result = scattered.op(blank, -value, *index)
    return result if shuffled is None else shuffled.op(result)


@rewrite_rule(elemwise(scalar.mul), when=made_of(scalar.true_div))
def scale_of_softmax(node: Apply) -> Variable | None:
    """v * (e / sum(e)) -> e * (v / sum(e)), where v is stretched as the sum is: one pass over the whole less.

    It is for e = exp(x - max(x)), whose sums are at least 1, so that nothing overflows.
    """
    for scale, softmax in (node.inputs, node.inputs[::-1]):
        quotient = applied(softmax, scalar.true_div)
        total = made_by(quotient.inputs[1], Reduce) if quotient is not None else None
        if quotient is None or total is None or total.op.kind != "sum" or total.inputs[0] is not quotient.inputs[0]:
            continue
        e, norm = quotient.inputs
        power = applied(e, scalar.exp)
        shifted = applied(power.inputs[0], scalar.sub) if power is not None else None
        largest = made_by(shifted.inputs[1], Reduce) if shifted is not None else None
        if largest is None or largest.op.kind not in ("max", "top") or largest.op.axes != total.op.axes:
            continue
        if scale.type.broadcastable == norm.type.broadcastable and scale.type.dtype == norm.type.dtype:
            return fitted(e * (scale / norm), node)
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
EXPAND = (
    expand_softmax, sigmoid_by_exponential, scale_of_softmax, negative_of_scattered, add_to_scattered,
    sign_to_small_factor,
)
