"""Stabilising laws: forms that lose accuracy, overflow or give NaN, and the forms that do not.

They come in pairs. An expression is differentiated as it was written, so next to the law for a value stands the one for
the gradient that grew from its unstable form: with only ``log(1 + exp(x)) -> softplus(x)``, the gradient
``exp(x) / (1 + exp(x))`` would still be nan at x = 800.

Products get a rule of their own. The factors of a gradient come in any order and grouping, so a product or quotient is
taken apart into factors, the laws of `FACTOR_LAWS` are tried on pairs of them, and it is put together again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.rewrite import Rule, made_of, rewrite_rule
from symgraph.rewrites.patterns import Hole, applied, is_elemwise, is_real, is_zeros, made_by, stretch
from symgraph.tensor.basic import number_constant
from symgraph.tensor.elemwise import elemwise
from symgraph.tensor.nnet.softmax import LogSoftmax, LogSumExp, Softmax, SoftmaxGrad
from symgraph.tensor.reduce import Reduce
from symgraph.tensor.shape import DimShuffle, dimshuffle
from symgraph.tensor.subtensor import IncSubtensor, Subtensor

__all__ = ["STABILIZE"]

exp, log, log1p, expm1 = (elemwise(f) for f in (scalar.exp, scalar.log, scalar.log1p, scalar.expm1))
sigmoid, softplus = elemwise(scalar.sigmoid), elemwise(scalar.softplus)
mul, true_div = elemwise(scalar.mul), elemwise(scalar.true_div)

x, g = Hole("x", where=is_real), Hole("g")

LAWS = (
    # value                                                            its gradient
    Rule("log1p", log(1 + x), log1p(x)),
    Rule("log1p_of_negative", log(1 - x), log1p(-x)),
    Rule("expm1", exp(x) - 1, expm1(x)),
    Rule("negative_expm1", 1 - exp(x), -expm1(x)),
    Rule("softplus", log1p(exp(x)), softplus(x)),
    Rule("quotient_by_one_plus_exp", g / (1 + exp(x)), g * sigmoid(-x)),
    Rule("one_minus_sigmoid", 1 - sigmoid(x), sigmoid(-x)),
    Rule("log_sigmoid", log(sigmoid(x)), -softplus(-x)),
    Rule("log1p_of_negative_sigmoid", log1p(-sigmoid(x)), -softplus(x)),
)


# ---- softmax and log-sum-exp ------------------------------------------------------------------------------------


@rewrite_rule(log, when=made_of(Softmax, Subtensor, DimShuffle))
def log_of_softmax(node: Apply) -> Variable | None:
    """log(softmax(x)) -> log_softmax(x), also where parts are taken before the logarithm."""
    (p,) = node.inputs
    whole = made_by(p, Softmax)
    if whole is not None:
        return LogSoftmax(whole.op.axes)(whole.inputs[0])
    part = made_by(p, (Subtensor, DimShuffle))
    if part is not None and made_by(part.inputs[0], Softmax) is not None:
        return part.op(log(part.inputs[0]), *part.inputs[1:])
    return None


@rewrite_rule(SoftmaxGrad)
def gradient_of_log_of_softmax(node: Apply) -> Variable | None:
    """softmax_grad(g / s, s) -> g - sum(g) * s: where s is 0, the quotient was infinite and the truth is finite."""
    upstream, s = node.inputs
    free = _without_factor(upstream, s)
    if free is None:
        return None
    whole = free if free.type.broadcastable == s.type.broadcastable else stretch(free, node)
    return free - node.op.over(whole) * s


def _without_factor(quotient: Variable, s: Variable) -> Any:
    """q where `quotient` is q / s, also behind signs, factors and parts; None when it is not."""
    node = quotient.owner
    if node is None:
        return None
    if is_elemwise(quotient, scalar.true_div):
        top, bottom = node.inputs
        if bottom is s:
            return top
        inner = _without_factor(top, s)
        return None if inner is None else inner / bottom
    if is_elemwise(quotient, scalar.neg):
        inner = _without_factor(node.inputs[0], s)
        return None if inner is None else -inner
    if is_elemwise(quotient, scalar.mul):
        for i in (0, 1):
            inner = _without_factor(node.inputs[i], s)
            if inner is not None:
                return inner * node.inputs[1 - i]
    if isinstance(node.op, IncSubtensor) and is_zeros(node.inputs[0]) and not node.op.set_instead:
        return _without_part(node, s)
    return None


def _without_part(node: Apply, s: Variable) -> Any:
    """The gradient of log(s[i]) puts g / s[i] at i of zeros: the same with g alone is s times that."""
    zeros, value, *index = node.inputs
    for candidate in _quotients(value):
        part = made_by(candidate, Subtensor)
        if part is not None and part.op.spec == node.op.spec and list(part.inputs) == [s, *index]:
            inner = _without_factor(value, candidate)
            return None if inner is None else node.op(zeros, inner, *index)
    return None


def _quotients(variable: Variable) -> list[Variable]:
    """The denominators of a product."""
    return [f.variable for f in _factors(variable)[0] if f.power < 0]


@rewrite_rule(log, when=made_of(Reduce))
def log_of_sum_of_exp(node: Apply) -> Variable | None:
    """log(sum(exp(x))) -> logsumexp(x)."""
    total = made_by(node.inputs[0], Reduce)
    if total is None or not _is_plain_sum(total.op):
        return None
    power = applied(total.inputs[0], scalar.exp)
    if power is None or power.inputs[0].type.numpy_dtype.kind != "f":
        return None
    kept = LogSumExp(total.op.axes)(power.inputs[0])
    rest = [i for i in range(kept.type.ndim) if i not in total.op.axes]
    return kept if total.op.keepdims else dimshuffle(kept, rest)


def _is_plain_sum(op: Reduce) -> bool:
    """Whether a reduction is a sum over some axes, in its input's dtype."""
    return op.kind == "sum" and bool(op.axes) and not op.dtype and not op.acc_dtype


@rewrite_rule(Reduce, when=made_of(scalar.true_div, scalar.neg))
def sum_of_quotient(node: Apply) -> Variable | None:
    """sum(a / b) -> sum(a) / b where b is the same along the axes summed."""
    op, (source,) = node.op, node.inputs
    if not _is_plain_sum(op):
        return None
    negated = applied(source, scalar.neg)
    if negated is not None and _divisor_along(negated.inputs[0], op.axes) is not None:
        return -op(negated.inputs[0])
    quotient, bottom = applied(source, scalar.true_div), _divisor_along(source, op.axes)
    if bottom is None:
        return None
    total = op(quotient.inputs[0])
    if bottom.type.ndim == 0 or op.keepdims:
        return total / bottom
    return total / dimshuffle(bottom, [i for i in range(bottom.type.ndim) if i not in op.axes])


def _divisor_along(variable: Variable, axes: Sequence[int]) -> Any:
    """The divisor of a quotient whose dividend has the full shape, when it is the same along the axes; else None."""
    quotient = applied(variable, scalar.true_div)
    if quotient is None:
        return None
    top, bottom = quotient.inputs
    if top.type.broadcastable != variable.type.broadcastable or top.type.dtype != variable.type.dtype:
        return None
    same = bottom.type.ndim == variable.type.ndim and all(bottom.type.shape[a] == 1 for a in axes)
    return bottom if bottom.type.ndim == 0 or same else None


# ---- products ---------------------------------------------------------------------------------------------------


@frozen
class Factor:
    """A variable in a product, to the power 1 or -1, with the axes moved as by `order` (None: as it is)."""

    variable: Variable
    power: int
    order: tuple[int | str, ...] | None = None

    def build(self) -> Any:
        """The variable as it stands in the product."""
        return self.variable if self.order is None else DimShuffle(self.order)(self.variable)


_MOST_FACTORS = 16


def _factors(product: Variable) -> tuple[list[Factor], bool]:
    """The factors of a tree of products, quotients and signs, and whether their product is to be negated."""
    found: list[Factor] = []
    negative = False
    pending: list[Factor] = [Factor(product, 1)]
    while pending and len(found) + len(pending) < _MOST_FACTORS:
        factor = pending.pop()
        node = factor.variable.owner
        if node is None:
            found.append(factor)
        elif is_elemwise(factor.variable, scalar.mul) and _same_rank(node, factor):
            pending.extend(Factor(v, factor.power, factor.order) for v in reversed(node.inputs))
        elif is_elemwise(factor.variable, scalar.true_div) and _same_rank(node, factor):
            top, bottom = node.inputs
            pending.extend([Factor(bottom, -factor.power, factor.order), Factor(top, factor.power, factor.order)])
        elif is_elemwise(factor.variable, scalar.neg):
            pending.append(Factor(node.inputs[0], factor.power, factor.order))
            negative = not negative
        elif isinstance(node.op, DimShuffle) and factor.order is None and node.op.kept == tuple(
            range(node.inputs[0].type.ndim)
        ):
            pending.append(Factor(node.inputs[0], factor.power, node.op.order))
        else:
            found.append(factor)
    return found + pending, negative


def _same_rank(node: Apply, factor: Factor) -> bool:
    """Behind a dimshuffle, only operands of full rank can be told apart."""
    return factor.order is None or all(
        v.type.ndim == node.outputs[0].type.ndim for v in node.inputs)


def _opposite(a: Variable, b: Variable) -> bool:
    """Whether a is -b."""
    minus_a, minus_b = applied(a, scalar.neg), applied(b, scalar.neg)
    return (minus_a is not None and minus_a.inputs[0] is b) or (minus_b is not None and minus_b.inputs[0] is a)


def _exp_times_sigmoid(a: Factor, b: Factor) -> Any:
    """exp(x) * sigmoid(-x) -> sigmoid(x)."""
    power, curve = applied(a.variable, scalar.exp), applied(b.variable, scalar.sigmoid)
    if power is None or curve is None or not a.power == b.power == 1 or not is_real(power.inputs[0]):
        return None
    return sigmoid(power.inputs[0]) if _opposite(power.inputs[0], curve.inputs[0]) else None


def _exp_over_sum(a: Factor, b: Factor) -> Any:
    """exp(x) / sum(exp(x)) -> softmax(x)."""
    power, total = applied(a.variable, scalar.exp), made_by(b.variable, Reduce)
    if a.power != 1 or b.power != -1 or power is None or total is None or total.inputs[0] is not a.variable:
        return None
    axes, x = total.op.axes, power.inputs[0]
    if not _is_plain_sum(total.op) or x.type.numpy_dtype.kind != "f":
        return None
    kept = [i for i in range(x.type.ndim) if i not in axes]
    spread = tuple("x" if i in axes else kept.index(i) for i in range(x.type.ndim))
    return Softmax(axes)(x) if total.op.keepdims or not kept or b.order == spread else None


def _cancel(a: Factor, b: Factor) -> Any:
    """f / f -> 1 for a function that is positive wherever it is finite: only rounding and overflow are lost."""
    same = a.variable is b.variable and a.power == -b.power and a.order == b.order
    return True if same and _positive(a.variable) else None


_POSITIVE = (scalar.exp, scalar.sigmoid, scalar.cosh)


def _positive(variable: Variable) -> bool:
    """Whether a variable is a function that is positive wherever it is finite."""
    return is_elemwise(variable, *_POSITIVE) or made_by(variable, Softmax) is not None


def _holds_positive(variable: Variable, depth: int = 16) -> bool:
    """Whether a product may have a positive factor. Asked from the bottom up, it looks one node deep and remembers."""
    known: bool | None = variable.__dict__.get("_holds_positive")
    if known is None:
        node = variable.owner
        if node is None or depth == 0:
            return node is not None
        inside = isinstance(node.op, DimShuffle) or is_elemwise(variable, scalar.mul, scalar.true_div, scalar.neg)
        known = _positive(variable) or (inside and any(_holds_positive(v, depth - 1) for v in node.inputs))
        variable.__dict__["_holds_positive"] = known
    return known


#: Laws on two factors, of which the first is positive: what they give together (True for 1), or None.
FACTOR_LAWS: tuple[Callable[[Factor, Factor], Any], ...] = (_exp_times_sigmoid, _exp_over_sum, _cancel)


#: What a product with a positive factor has among its operands.
_FACTORS = (*_POSITIVE, Softmax, DimShuffle, scalar.mul, scalar.true_div, scalar.neg)


@rewrite_rule(mul, true_div, when=made_of(*_FACTORS))
def factors(node: Apply) -> Variable | None:
    """Two factors of a product, wherever they stand in it, that are something simpler together."""
    if not _holds_positive(node.outputs[0]):
        return None
    parts, negative = _factors(node.outputs[0])
    for i, a in enumerate(parts):
        if not _positive(a.variable):
            continue
        for j, b in enumerate(parts):
            if i == j:
                continue
            for law in FACTOR_LAWS:
                together = law(a, b)
                if together is not None:
                    rest = [f for k, f in enumerate(parts) if k not in (i, j)]
                    product = _product(rest, together, node)
                    return -product if negative and product is not None else product
    return None


@rewrite_rule(mul, when=made_of(scalar.add, scalar.sub, *_FACTORS))
def distribute_to_cancel(node: Apply) -> Variable | None:
    """(a / f + b) * f -> a / f * f + b * f, where f cancels: the gradient of a sum of logarithms of f."""
    if not _holds_positive(node.outputs[0]):
        return None
    parts, negative = _factors(node.outputs[0])
    for i, part in enumerate(parts):
        if part.power != 1 or part.order is not None or not is_elemwise(part.variable, scalar.add, scalar.sub):
            continue
        rest = parts[:i] + parts[i + 1:]
        adding: Any = part.variable.owner
        sides = adding.inputs
        if not any(_cancel(a, b) for side in sides for a in _factors(side)[0] for b in rest):
            continue
        left, right = (_product(rest, side, node) for side in sides)
        if left is None or right is None:
            continue
        total = adding.op(left, right)
        return -total if negative else total
    return None


def _product(rest: Sequence[Factor], together: Any, node: Apply) -> Any:
    """The remaining factors and what two of them gave, as one product of the type of the whole."""
    whole = node.outputs[0]
    top = [f.build() for f in rest if f.power > 0] + ([] if together is True else [together])
    bottom = [f.build() for f in rest if f.power < 0]
    result: Any = top[0] if top else None
    for factor in top[1:]:
        result = result * factor
    for factor in bottom:
        result = (1 if result is None else result) / factor
    if result is None:
        result = number_constant(np.ones((), whole.type.dtype))
    if result.type.dtype != whole.type.dtype:
        return None
    return result if result.type.broadcastable == whole.type.broadcastable else stretch(result, node)


STABILIZE = (
    *LAWS, log_of_softmax, gradient_of_log_of_softmax, log_of_sum_of_exp, sum_of_quotient, factors,
    distribute_to_cancel,
)

