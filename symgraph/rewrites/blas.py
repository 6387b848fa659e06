"""BLAS: scaled sums with a product in them, as one call.

``W - lr * (dot(x.T, d) + 2 * l2 * W)`` is taken apart into terms, each a scalar times a tensor: ``(1 - 2 lr l2) W`` and
``-lr dot(x.T, d)``. One product and one tensor of its shape are a `Gemm`. A product that something else reads too is
left alone: it would be computed twice.

Scalars that are known are multiplied and added as float64 and rounded once; a result differs from that of the
expression as written by rounding only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.rewrite import made_of, rewrite_rule
from symgraph.graph.rule import Uses
from symgraph.rewrites.patterns import applied, is_elemwise, made_by, uniform
from symgraph.tensor.basic import number_constant
from symgraph.tensor.blas import Gemm, Inner
from symgraph.tensor.elemwise import elemwise
from symgraph.tensor.products import Dot
from symgraph.tensor.reduce import Reduce
from symgraph.tensor.shape import DimShuffle, dimshuffle

__all__ = ["BLAS"]

add, sub = elemwise(scalar.add), elemwise(scalar.sub)

_MOST_LEVELS = 8  # of sums and factors that are looked through


@dataclass(frozen=True)
class Scale:
    """A number times symbolic scalars, over others."""

    number: float = 1.0
    factors: tuple[Variable, ...] = ()
    divisors: tuple[Variable, ...] = ()

    def times(self, other: Any) -> Scale:
        """Multiplied by a number or a variable of one element."""
        known = other if isinstance(other, float) else uniform(other)
        if known is not None:
            return replace(self, number=self.number * float(known))
        return replace(self, factors=(*self.factors, other))

    def over(self, other: Variable) -> Scale:
        """Divided by a variable of one element."""
        known = uniform(other)
        if known is not None and known != 0:
            return replace(self, number=self.number / float(known))
        return replace(self, divisors=(*self.divisors, other))

    def build(self, dtype: str) -> Any:
        """The product, as a scalar of a dtype."""
        result: Any = None
        for factor in map(_as_scalar, self.factors):
            result = factor if result is None else result * factor
        if result is None or self.number != 1:
            number = number_constant(np.asarray(self.number, dtype))
            result = number if result is None else result * number
        for divisor in map(_as_scalar, self.divisors):
            result = result / divisor
        return result


@dataclass(frozen=True)
class Term:
    """A scale times a tensor, which is the product of `pair` where that is given."""

    scale: Scale
    variable: Variable
    pair: tuple[Variable, Variable] | None = None


def _as_scalar(variable: Variable) -> Any:
    return variable if variable.type.ndim == 0 else dimshuffle(variable, ())


def _is_scalar(variable: Variable, like: Variable) -> bool:
    """Whether a variable has one element, by which a tensor is scaled."""
    kind: Any = variable.type
    return all(kind.broadcastable) and kind.ndim <= like.type.ndim and kind.dtype == like.type.dtype


def _kinds_within(variable: Variable, depth: int = _MOST_LEVELS) -> frozenset[str]:
    """The kinds of products a sum or scaled tensor may have in it. Asked from the bottom up, it remembers."""
    known: frozenset[str] | None = variable.__dict__.get("_kinds_within")
    if known is None:
        node, pair = variable.owner, None
        if node is None or depth == 0:
            return frozenset()
        if isinstance(node.op, (Dot, Gemm)):
            pair = node.inputs if isinstance(node.op, Dot) else node.inputs[2:4]
        else:
            pair = _outer_pair(variable)
        known = frozenset() if pair is None else frozenset({_kind(pair)})
        if pair is None and is_elemwise(variable, scalar.add, scalar.sub, scalar.neg, scalar.mul, scalar.true_div):
            known = known.union(*[_kinds_within(v, depth - 1) for v in node.inputs])
        elif pair is None and _transposed(variable) is not None:
            known = _kinds_within(node.inputs[0], depth - 1)
        variable.__dict__["_kinds_within"] = known
    return known


def _transposed(variable: Variable) -> Variable | None:
    """The matrix of which a variable is the transpose; else None."""
    node = made_by(variable, DimShuffle)
    return node.inputs[0] if node is not None and node.op.order == (1, 0) else None


def _outer_pair(variable: Variable) -> tuple[Variable, Variable] | None:
    """The column and the row that a variable is the product of, element by element; else None."""
    node = applied(variable, scalar.mul)
    if node is None or variable.type.broadcastable != (False, False):
        return None
    for column, row in (node.inputs, node.inputs[::-1]):
        if column.type.broadcastable == (False, True) and row.type.broadcastable == (True, False):
            return column, row
    return None


def _terms(variable: Variable, uses: Uses, whole: frozenset[Variable] = frozenset()) -> list[Term]:
    """A sum as its terms; what something else reads too, or is in `whole`, is not taken apart."""
    found: list[Term] = []
    like: Any = variable.type
    pending = [(variable, Scale(), 0)]
    while pending:
        v, scale, depth = pending.pop()
        open_up = depth == 0 or (uses(v) == 1 and depth < _MOST_LEVELS and v not in whole)
        parts = _parts(v, scale, like) if open_up and v.owner is not None else None
        if isinstance(parts, Term):
            found.append(parts)
        elif parts is None:
            found.append(Term(scale, v))
        else:
            pending.extend((w, s, depth + 1) for w, s in reversed(parts[0]))
            found.extend(parts[1])
    return found


def _parts(v: Variable, scale: Scale, like: Any) -> Term | tuple[list[tuple[Variable, Scale]], list[Term]] | None:
    """What a variable is made of: the one product, or further variables with their scales, and products."""
    node: Any = v.owner
    if isinstance(node.op, Dot):
        return Term(scale, v, tuple(node.inputs))
    flat = made_by(v, DimShuffle) and made_by(node.inputs[0], Dot)
    if flat is not None and _transposed(v) is not None:
        a, b = (dimshuffle(w, (1, 0)) if (u := _transposed(w)) is None else u for w in flat.inputs)
        return Term(scale, v, (b, a))
    if isinstance(node.op, Gemm):
        c, alpha, a, b, beta = node.inputs
        return [(c, scale.times(beta))], [Term(scale.times(alpha), v, (a, b))]
    if is_elemwise(v, scalar.neg):
        return [(node.inputs[0], scale.times(-1.0))], []
    if is_elemwise(v, scalar.add, scalar.sub):
        if any(w.type.broadcastable != like.broadcastable or w.type.dtype != like.dtype for w in node.inputs):
            return None
        a, b = node.inputs
        return [(a, scale), (b, scale if is_elemwise(v, scalar.add) else scale.times(-1.0))], []
    if is_elemwise(v, scalar.mul, scalar.true_div):
        a, b = node.inputs
        if _is_scalar(b, v) and a.type == v.type:
            return [(a, scale.times(b) if is_elemwise(v, scalar.mul) else scale.over(b))], []
        if is_elemwise(v, scalar.mul) and _is_scalar(a, v) and b.type == v.type:
            return [(b, scale.times(a))], []
        pair = _outer_pair(v)
        return None if pair is None else Term(scale, v, pair)
    return None


def _kind(pair: Sequence[Variable]) -> str:
    """What BLAS calls the addition of a product."""
    a, b = pair
    if a.type.ndim != b.type.ndim:
        return "gemv"
    return "ger" if a.type.broadcastable == (False, True) else "gemm"


def _add_product(node: Apply, uses: Uses, kind: str) -> Variable | None:
    """One product and one other tensor, or another product, as a call of BLAS."""
    out: Any = node.outputs[0]
    if out.type.dtype not in ("float32", "float64") or out.type.ndim not in (1, 2) or kind not in _kinds_within(out):
        return None
    nested = frozenset(v for v in node.inputs if made_by(v, Gemm) is not None)
    for whole in (frozenset(), nested) if nested else (frozenset(),):
        made = _one_call(_terms(out, uses, whole), out, kind)
        if made is not None:
            return made
    return None


def _one_call(terms: Sequence[Term], out: Any, kind: str) -> Variable | None:
    products = [t for t in terms if t.pair is not None]
    scales: dict[Variable, list[Scale]] = {}
    for term in terms:
        if term.pair is None:
            scales.setdefault(term.variable, []).append(term.scale)
    if len(products) == 2 and not scales and not any(made_by(t.variable, Gemm) for t in products):
        first = products.pop(0)
        scales[first.variable] = [first.scale]
    if len(products) != 1 or len(scales) != 1:
        return None
    (product,), ((base, parts),) = products, scales.items()
    assert product.pair is not None
    if base.type.broadcastable != out.type.broadcastable:
        return None
    if any(v.type.dtype != out.type.dtype for v in (base, *product.pair)):
        return None
    if _kind(product.pair) != kind or not all(_fits(s.number, out.type.dtype) for s in (product.scale, *parts)):
        return None
    beta = _total(parts, out.type.dtype)
    return None if beta is None else Gemm()(base, product.scale.build(out.type.dtype), *product.pair, beta)


def _fits(number: float, dtype: str) -> bool:
    """Whether a number neither overflows nor vanishes in a dtype, where its factors one by one might not."""
    limits = np.finfo(dtype)
    return bool(limits.tiny <= abs(number) <= limits.max)


def _total(scales: Sequence[Scale], dtype: str) -> Any:
    """The sum of scales as a scalar; None where it is known to be zero."""
    number = sum(s.number for s in scales if not s.factors and not s.divisors)
    total: Any = None
    for scale in scales:
        if scale.factors or scale.divisors:
            total = scale.build(dtype) if total is None else total + scale.build(dtype)
    if total is None:
        return number_constant(np.asarray(number, dtype)) if _fits(number, dtype) else None
    return total if number == 0 else number_constant(np.asarray(number, dtype)) + total


#: What a sum with a product in it is made of.
_MAY_HOLD_PRODUCT = made_of(Dot, Gemm, DimShuffle, scalar.add, scalar.sub, scalar.neg, scalar.mul, scalar.true_div)


@rewrite_rule(add, sub, counts=True, when=_MAY_HOLD_PRODUCT)
def gemm(node: Apply, uses: Uses) -> Variable | None:
    """beta * C + alpha * dot(A, B) -> gemm(C, alpha, A, B, beta), the scalars collected from wherever they stand."""
    return _add_product(node, uses, "gemm")


@rewrite_rule(add, sub, counts=True, when=_MAY_HOLD_PRODUCT)
def gemv(node: Apply, uses: Uses) -> Variable | None:
    """beta * y + alpha * dot(A, x) -> gemm(y, alpha, A, x, beta), for a matrix and a vector."""
    return _add_product(node, uses, "gemv")


@rewrite_rule(add, sub, counts=True, when=_MAY_HOLD_PRODUCT)
def ger(node: Apply, uses: Uses) -> Variable | None:
    """beta * C + alpha * column * row -> gemm(C, alpha, column, row, beta)."""
    return _add_product(node, uses, "ger")


@rewrite_rule(Reduce, when=made_of(scalar.mul, scalar.sqr))
def inner(node: Apply) -> Variable | None:
    """sum(x * y) and sum(x ** 2) over all axes -> inner(x, y), which makes no array of products."""
    op, (term,) = node.op, node.inputs
    kind: Any = term.type
    if op.kind != "sum" or op.keepdims or len(op.axes) != kind.ndim or kind.ndim == 0 or op.acc_dtype not in (
        None, kind.dtype) or node.outputs[0].type.dtype != kind.dtype or kind.dtype not in ("float32", "float64"):
        return None
    made = applied(term, scalar.mul) or applied(term, scalar.sqr)
    if made is None or any(v.type.dtype != kind.dtype or v.type.broadcastable != kind.broadcastable
                           for v in made.inputs):
        return None
    result: Variable = Inner()(made.inputs[0], made.inputs[-1])
    return result


BLAS = (gemm, gemv, ger, inner)
