"""Stabilising laws: forms that lose accuracy, overflow or give NaN, and the forms that do not.

They come in pairs. An expression is differentiated as it was written, so next to the law for a value stands the one for
the gradient that grew from its unstable form: with only ``log(1 + exp(x)) -> softplus(x)``, the gradient
``exp(x) / (1 + exp(x))`` would still be nan at x = 800.

Products get a rule of their own. The factors of a gradient come in any order and grouping, so a product or quotient is
taken apart into factors, the laws of `FACTOR_LAWS` are tried on pairs of them, and it is put together again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.rewrite import Rule, rewrite_rule
from symgraph.rewrites.patterns import Hole, applied, is_elemwise, is_zeros, stretched
from symgraph.tensor.basic import number_constant
from symgraph.tensor.elemwise import elemwise
from symgraph.tensor.nnet.softmax import LogSoftmax, LogSumExp, Softmax, SoftmaxGrad
from symgraph.tensor.reduce import Reduce
from symgraph.tensor.shape import DimShuffle, dimshuffle
from symgraph.tensor.subtensor import IncSubtensor, Subtensor

__all__ = ["STABILIZE"]

exp, log, log1p, expm1, sigmoid, softplus, mul, true_div, neg = (elemwise(f) for f in (
    scalar.exp, scalar.log, scalar.log1p, scalar.expm1, scalar.sigmoid, scalar.softplus, scalar.mul, scalar.true_div, scalar.neg))

x, g = Hole("x"), Hole("g")

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


@rewrite_rule(log)
def log_of_softmax(node: Apply) -> Variable | None:
    """log(softmax(x)) -> log_softmax(x), also where parts are taken before the logarithm."""
    (p,) = node.inputs
    if applied(p, Softmax):
        assert p.owner is not None and isinstance(p.owner.op, Softmax)
        return LogSoftmax(p.owner.op.axes)(p.owner.inputs[0])  # type: ignore[no-any-return]
    if applied(p, (Subtensor, DimShuffle)):
        assert p.owner is not None
        source, *rest = p.owner.inputs
        if applied(source, Softmax):
            return p.owner.op(log(source), *rest)  # type: ignore[no-any-return]
    return None


@rewrite_rule(SoftmaxGrad)
def gradient_of_log_of_softmax(node: Apply) -> Variable | None:
    """softmax_grad(g / s, s) -> g - sum(g) * s: where s is 0, the quotient was infinite and the truth is finite."""
    upstream, s = node.inputs
    assert isinstance(node.op, SoftmaxGrad)
    free = _without_factor(upstream, s)
    if free is None:
        return None
    whole = free if free.type.broadcastable == s.type.broadcastable else stretched(free, node)  # type: ignore[attr-defined]
    return free - node.op.over(whole) * s  # type: ignore[no-any-return]


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
    if applied(quotient, IncSubtensor) and is_zeros(node.inputs[0]) and not node.op.set_instead:  # type: ignore[attr-defined]
        return _without_part(node, s)
    return None


def _without_part(node: Apply, s: Variable) -> Any:
    """The gradient of log(s[i]) puts g / s[i] at i of zeros: the same with g alone is s times that."""
    zeros, value, *index = node.inputs
    assert isinstance(node.op, IncSubtensor)
    for candidate in _quotients(value):
        part = candidate.owner
        if part is not None and isinstance(part.op, Subtensor) and part.op.spec == node.op.spec and (
            part.inputs[0] is s and list(part.inputs[1:]) == index
        ):
            inner = _without_factor(value, candidate)
            return None if inner is None else node.op(zeros, inner, *index)
    return None


def _quotients(variable: Variable) -> list[Variable]:
    """The denominators of a product."""
    return [f.variable for f in _factors(variable)[0] if f.power < 0]


@rewrite_rule(log)
def log_of_sum_of_exp(node: Apply) -> Variable | None:
    """log(sum(exp(x))) -> logsumexp(x)."""
    (total,) = node.inputs
    if not applied(total, Reduce):
        return None
    assert total.owner is not None and isinstance(total.owner.op, Reduce)
    op, (source,) = total.owner.op, total.owner.inputs
    if op.kind != "sum" or not op.axes or not is_elemwise(source, scalar.exp) or op.acc_dtype or op.dtype:
        return None
    assert source.owner is not None
    inner = source.owner.inputs[0]
    if inner.type.numpy_dtype.kind != "f":  # type: ignore[attr-defined]
        return None
    kept = LogSumExp(op.axes)(inner)
    return kept if op.keepdims else dimshuffle(kept, [i for i in range(kept.type.ndim) if i not in op.axes])  # type: ignore[no-any-return]


@rewrite_rule(Reduce)
def sum_of_quotient(node: Apply) -> Variable | None:
    """sum(a / b) -> sum(a) / b where b is the same along the axes summed."""
    op, (source,) = node.op, node.inputs
    assert isinstance(op, Reduce)
    if op.kind != "sum" or not op.axes or op.dtype or op.acc_dtype or not is_elemwise(source, scalar.true_div, scalar.neg):
        return None
    assert source.owner is not None
    top, *rest = source.owner.inputs
    if not rest:
        return -op(top) if applied_quotient(top, op.axes) else None  # type: ignore[no-any-return]
    (bottom,) = rest
    if not _constant_along(bottom, op.axes, source) or top.type.broadcastable != source.type.broadcastable:  # type: ignore[attr-defined]
        return None
    if bottom.type.ndim == 0 or op.keepdims:  # type: ignore[attr-defined]
        return op(top) / bottom  # type: ignore[no-any-return]
    return op(top) / dimshuffle(bottom, [i for i in range(bottom.type.ndim) if i not in op.axes])  # type: ignore[no-any-return, attr-defined]


def _constant_along(variable: Variable, axes: Sequence[int], whole: Variable) -> bool:
    kind: Any = variable.type
    return kind.ndim == 0 or (kind.ndim == whole.type.ndim and all(kind.shape[a] == 1 for a in axes))  # type: ignore[attr-defined]


def applied_quotient(variable: Variable, axes: Sequence[int]) -> bool:
    """Whether a variable is a quotient whose denominator is the same along axes."""
    return is_elemwise(variable, scalar.true_div) and variable.owner is not None and _constant_along(
        variable.owner.inputs[1], axes, variable)


# ---- products ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
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
            range(node.inputs[0].type.ndim)  # type: ignore[attr-defined]
        ):
            pending.append(Factor(node.inputs[0], factor.power, node.op.order))
        else:
            found.append(factor)
    return found + pending, negative


def _same_rank(node: Apply, factor: Factor) -> bool:
    """Behind a dimshuffle, only operands of full rank can be told apart."""
    return factor.order is None or all(
        v.type.ndim == node.outputs[0].type.ndim for v in node.inputs)  # type: ignore[attr-defined]


def _opposite(a: Variable, b: Variable) -> bool:
    """Whether a is -b."""
    return (is_elemwise(a, scalar.neg) and a.owner is not None and a.owner.inputs[0] is b) or (
        is_elemwise(b, scalar.neg) and b.owner is not None and b.owner.inputs[0] is a)


def _exp_times_sigmoid(a: Factor, b: Factor) -> Any:
    """exp(x) * sigmoid(-x) -> sigmoid(x)."""
    if a.power == b.power == 1 and is_elemwise(a.variable, scalar.exp) and is_elemwise(b.variable, scalar.sigmoid):
        assert a.variable.owner is not None and b.variable.owner is not None
        inner, other = a.variable.owner.inputs[0], b.variable.owner.inputs[0]
        if _opposite(inner, other):
            return sigmoid(inner)
    return None


def _exp_over_sum(a: Factor, b: Factor) -> Any:
    """exp(x) / sum(exp(x)) -> softmax(x)."""
    if a.power != 1 or b.power != -1 or not is_elemwise(a.variable, scalar.exp) or not applied(b.variable, Reduce):
        return None
    assert a.variable.owner is not None and b.variable.owner is not None and isinstance(b.variable.owner.op, Reduce)
    op, (source,) = b.variable.owner.op, b.variable.owner.inputs
    if op.kind != "sum" or source is not a.variable or not op.axes or op.dtype or op.acc_dtype:
        return None
    inner = a.variable.owner.inputs[0]
    ndim = source.type.ndim  # type: ignore[attr-defined]
    kept = [i for i in range(ndim) if i not in op.axes]
    stretched = tuple("x" if i in op.axes else kept.index(i) for i in range(ndim))
    fits = op.keepdims or len(kept) == 0 or b.order == stretched
    return Softmax(op.axes)(inner) if fits and inner.type.numpy_dtype.kind == "f" else None  # type: ignore[attr-defined]


def _cancel(a: Factor, b: Factor) -> Any:
    """f / f -> 1 for a function that is positive wherever it is finite: only rounding and overflow are lost."""
    same = a.variable is b.variable and a.power == -b.power and a.order == b.order
    return True if same and _positive(a.variable) else None


def _positive(variable: Variable) -> bool:
    """Whether a variable is a function that is positive wherever it is finite."""
    return is_elemwise(variable, scalar.exp, scalar.sigmoid, scalar.cosh) or applied(variable, Softmax)


#: Laws on two factors, of which the first is positive: what they give together (True for 1), or None.
FACTOR_LAWS: tuple[Callable[[Factor, Factor], Any], ...] = (_exp_times_sigmoid, _exp_over_sum, _cancel)


@rewrite_rule(mul, true_div)
def factors(node: Apply) -> Variable | None:
    """Two factors of a product, wherever they stand in it, that are something simpler together."""
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
                    return -product if negative and product is not None else product  # type: ignore[no-any-return]
    return None


@rewrite_rule(mul)
def distribute_to_cancel(node: Apply) -> Variable | None:
    """(a / f + b) * f -> a / f * f + b * f, where f cancels: the gradient of a sum of logarithms of f."""
    parts, negative = _factors(node.outputs[0])
    if not any(_positive(f.variable) for f in parts):
        return None
    for i, part in enumerate(parts):
        if part.power != 1 or part.order is not None or not is_elemwise(part.variable, scalar.add, scalar.sub):
            continue
        assert part.variable.owner is not None
        rest = parts[:i] + parts[i + 1:]
        sides = part.variable.owner.inputs
        if not any(_cancel(a, b) for side in sides for a in _factors(side)[0] for b in rest):
            continue
        left, right = (_product(rest, side, node) for side in sides)
        if left is None or right is None:
            continue
        total = part.variable.owner.op(left, right)
        return -total if negative else total  # type: ignore[no-any-return]
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
        result = number_constant(np.ones((), whole.type.dtype))  # type: ignore[attr-defined]
    if result.type.dtype != whole.type.dtype:  # type: ignore[attr-defined]
        return None
    return result if result.type.broadcastable == whole.type.broadcastable else stretched(result, node)  # type: ignore[attr-defined]


STABILIZE = (
    *LAWS, log_of_softmax, gradient_of_log_of_softmax, log_of_sum_of_exp, sum_of_quotient, factors,
    distribute_to_cancel,
)

