"""Canonical forms: of several ways to write the same, one is chosen, so that later laws need to know only it."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.gradient import GradientGate
from symgraph.graph.rewrite import Rule, made_of, rewrite_rule
from symgraph.rewrites.patterns import Hole, is_elemwise, is_real, made_by
from symgraph.tensor.basic import Alloc, alloc
from symgraph.tensor.elemwise import Elemwise, elemwise
from symgraph.tensor.reduce import Reduce
from symgraph.tensor.shape import DimShuffle
from symgraph.tensor.subtensor import Subtensor

__all__ = ["CANONICALIZE"]

exp, log, neg, sqrt, sqr, abs_, reciprocal = (elemwise(f) for f in (
    scalar.exp, scalar.log, scalar.neg, scalar.sqrt, scalar.sqr, scalar.abs, scalar.reciprocal))

x, y = Hole("x"), Hole("y")
real, other_real, third_real = (Hole(name, where=is_real) for name in "xyz")


def _quotient(x: Any, y: Any) -> Any:
    """x / y, where its inverse is rounded no more coarsely: other uses of a coarse inverse would not cancel it."""
    quotient = x / y
    return quotient if quotient.type.dtype == reciprocal(y).type.dtype else None


def _negative_quotient(x: Any, y: Any) -> Any:
    quotient = _quotient(x, y)
    return None if quotient is None else -quotient


#: Laws of one line. One whose sides differ in type where it is tried (a lost broadcast, a wider dtype) does not fire.
LAWS = (
    Rule("add_zero", x + 0, x),
    Rule("subtract_zero", x - 0, x),
    Rule("subtract_from_zero", 0 - x, -x),
    Rule("multiply_by_one", x * 1, x),
    Rule("multiply_by_minus_one", x * -1, -x),
    Rule("divide_by_one", x / 1, x),
    Rule("divide_by_minus_one", x / -1, -x),
    Rule("negate_twice", neg(neg(x)), x),
    Rule("subtract_negative", x - (-other_real), x + other_real),
    Rule("add_negative", x + (-other_real), x - other_real),
    Rule("negative_times_negative", (-real) * (-other_real), real * other_real),
    Rule("negative_by_negative", (-real) / (-other_real), real / other_real),
    Rule("negative_times_itself", (-real) * real, -(real * real)),
    Rule("add_negative_product", real + (-other_real) * third_real, real - other_real * third_real),
    Rule("subtract_negative_product", real - (-other_real) * third_real, real + other_real * third_real),
    Rule("add_negative_quotient", real + (-other_real) / third_real, real - other_real / third_real),
    Rule("subtract_negative_quotient", real - (-other_real) / third_real, real + other_real / third_real),
    Rule("power_one", x ** 1, x),
    Rule("power_two", x ** 2, sqr(x)),
    Rule("power_half", real ** 0.5, sqrt(real)),
    Rule("divide_into_one", reciprocal(x), 1 / x),
    Rule("multiply_by_inverse", x * (1 / y), _quotient),
    Rule("multiply_by_negative_inverse", real * (-1 / other_real), _negative_quotient),
    Rule("log_of_exp", log(exp(real)), real),
    Rule("abs_of_square", abs_(sqr(real)), sqr(real)),
    Rule("abs_twice", abs_(abs_(x)), abs_(x)),
    Rule("invert_twice", ~(~x), x),
)


@rewrite_rule(GradientGate, name="gate_is_identity")
def gate_is_identity(node: Apply) -> Variable:
    """What only changes gradients has done its work."""
    return node.inputs[0]


@rewrite_rule(elemwise(scalar.identity))
def copy_is_identity(node: Apply) -> Variable:
    """A symbolic copy is the thing itself: memory is the plan's affair."""
    return node.inputs[0]


def _is_cast(op: Any) -> bool:
    return isinstance(op, Elemwise) and op.scalar.name.startswith("cast{")


@rewrite_rule(_is_cast)
def cast_of_cast(node: Apply) -> Variable | None:
    """cast(cast(x, a), b) -> cast(x, b), where a held every value of x."""
    (source,) = node.inputs
    kind = node.outputs[0].type
    if source.type == kind:
        return source
    inner = source.owner
    if inner is None or not _is_cast(inner.op):
        return None
    first = inner.inputs[0]
    if not np.can_cast(first.type.numpy_dtype, source.type.numpy_dtype, "safe"):
        return None
    return first if first.type == kind else node.op(first)


@rewrite_rule(Subtensor)
def part_of_cast(node: Apply) -> Variable | None:
    """cast(x)[a:b] -> cast(x[a:b]): a minibatch of labels does not convert them all."""
    source, *index = node.inputs
    conversion = made_by(source, Elemwise)
    if conversion is None or node.op.is_advanced or not conversion.op.scalar.name.startswith("cast{"):
        return None
    return conversion.op(node.op(conversion.inputs[0], *index))


@rewrite_rule(elemwise(scalar.second))
def second_is_stretching(node: Apply) -> Variable | None:
    """second(a, b) -> b where b needs no stretching, else b stretched to the shape of a."""
    a, b = node.inputs
    out = node.outputs[0].type
    if b.type == out and all(n is not None for n in out.shape):
        return b
    if a.type.ndim != out.ndim or b.type.ndim > out.ndim:
        return None
    from symgraph.tensor.shape import shape_i

    lengths = [shape_i(a, i) if a.type.shape[i] != 1 else out.shape[i] for i in range(out.ndim)]
    if None in lengths or out.ndim == 0:
        return b if out.ndim == 0 else None
    return alloc(b, *lengths)


@rewrite_rule(Elemwise, when=made_of(Alloc))
def operand_needs_no_stretching(node: Apply) -> Variable | None:
    """f(alloc(v), y) -> f(v, y) where y has the full shape anyway: f stretches v itself."""
    out = node.outputs[0].type
    inputs = list(node.inputs)
    if len(inputs) < 2:
        return None
    changed = False
    for i, variable in enumerate(inputs):
        stretched = made_by(variable, Alloc)
        if stretched is None:
            continue
        others = [v for j, v in enumerate(inputs) if j != i and made_by(v, Alloc) is None]
        if any(v.type.broadcastable == out.broadcastable for v in others):
            inputs[i] = stretched.inputs[0]
            changed = True
    if not changed:
        return None
    result: Variable = node.op.make_node(*inputs).outputs[0]
    same = result.type.broadcastable == out.broadcastable
    return result if same else None  # a length of 1 may be known from the stretching alone


@rewrite_rule(elemwise(scalar.switch))
def constant_condition(node: Apply) -> Variable | None:
    """switch(true, a, b) -> a, and switch(false, a, b) -> b, where the shape stays."""
    condition, a, b = node.inputs
    if a is b and a.type == node.outputs[0].type:
        return a
    value = getattr(condition, "uniform_value", None) if isinstance(condition, Constant) else None
    if value is None:
        return None
    chosen = a if value else b
    return chosen if chosen.type == node.outputs[0].type else None


@rewrite_rule(Reduce)
def reduce_nothing(node: Apply) -> Variable | None:
    """A reduction over no axis leaves a tensor of the same type as it is."""
    op, (source,) = node.op, node.inputs
    if op.axes or source.type != node.outputs[0].type or op.kind in ("all", "any"):
        return None
    return source


@rewrite_rule(DimShuffle, when=made_of(Alloc))
def shuffle_of_alloc(node: Apply) -> Variable | None:
    """dimshuffle(alloc(v, a, b)) -> alloc(v, b, a) for a scalar v."""
    stretched = made_by(node.inputs[0], Alloc)
    if stretched is None:
        return None
    value, *lengths = stretched.inputs
    if value.type.ndim != 0:
        return None
    return Alloc()(value, *(1 if axis == "x" else lengths[axis] for axis in node.op.order))


_FLIPS = {scalar.lt: scalar.ge, scalar.ge: scalar.lt, scalar.gt: scalar.le, scalar.le: scalar.gt, scalar.eq: scalar.neq,
          scalar.neq: scalar.eq}


@rewrite_rule(elemwise(scalar.invert), elemwise(scalar.logical_not), when=made_of(*_FLIPS))
def negated_comparison(node: Apply) -> Variable | None:
    """~(a == b) -> a != b, and so on, for numbers that are ordered (integers; NaN is not)."""
    (condition,) = node.inputs
    if not is_elemwise(condition, *_FLIPS) or condition.owner is None:
        return None
    function, operands = condition.owner.op.scalar, condition.owner.inputs
    ordered = all(v.type.numpy_dtype.kind in "biu" for v in operands)
    if not ordered and function not in (scalar.eq, scalar.neq):
        return None
    return elemwise(_FLIPS[function])(*operands)


CANONICALIZE = (
    gate_is_identity, copy_is_identity, cast_of_cast, part_of_cast, second_is_stretching,
    operand_needs_no_stretching, constant_condition, reduce_nothing, shuffle_of_alloc, negated_comparison, *LAWS,
)
