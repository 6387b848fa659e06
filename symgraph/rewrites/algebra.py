"""Algebra: laws of numbers, kept to what is true of numbers in a computer.

What a law may change, for floats: the last few bits of a finite result, and the sign of a zero. An overflow may become
the finite truth, and an underflow what is lost in it: ``sqrt(x ** 2)`` is 0 for x = 1e-200, ``abs(x)`` is not, and
``nonzero`` then finds one element more. A finite result never becomes NaN or infinite, and NaN or infinity stays one of
the two: ``x - x`` and ``0 * x`` are not zero where x may be infinite, ``x * y / y`` is not x where y may be zero. Such
laws are true of integers, where arithmetic is exact modulo a power of two, and are applied to them; for floats they are
in the group ``unsafe``, which a mode has only when it says so (``mode.including("unsafe")``).

A term that is zero times something is dropped from a sum of floats where another term is not finite whenever that
something is not: in ``W - 0.1 * (2 * W + 0 * sgn(W))`` the last is nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.rewrite import Rule, made_of, rewrite_rule
from symgraph.rewrites.patterns import Hole, applied, filled, fitted, is_elemwise, is_real, made_by, uniform
from symgraph.tensor.basic import Alloc, number_constant
from symgraph.tensor.elemwise import elemwise
from symgraph.tensor.products import Dot
from symgraph.tensor.reduce import Reduce
from symgraph.tensor.shape import DimShuffle, dimshuffle

__all__ = ["ALGEBRA", "POWERS", "UNSAFE"]

exp, log, neg, sqrt, sqr, abs_ = (elemwise(f) for f in (
    scalar.exp, scalar.log, scalar.neg, scalar.sqrt, scalar.sqr, scalar.abs))
add, sub, mul, true_div, power = (elemwise(f) for f in (
    scalar.add, scalar.sub, scalar.mul, scalar.true_div, scalar.pow))
maximum, minimum, switch, clip, invert = (elemwise(f) for f in (
    scalar.maximum, scalar.minimum, scalar.switch, scalar.clip, scalar.invert))


def _kind(variable: Any) -> str:
    kind: str = variable.type.numpy_dtype.kind
    return kind


def is_integer(variable: Any) -> bool:
    """Whether a variable holds integers, whose arithmetic is exact."""
    return _kind(variable) in "iu"


def is_discrete(variable: Any) -> bool:
    """Whether a variable holds integers or truth values."""
    return _kind(variable) in "biu"


def is_boolean(variable: Any) -> bool:
    """Whether a variable holds truth values."""
    return _kind(variable) == "b"


def is_wide(variable: Any) -> bool:
    """Whether a variable holds floats of at least 32 bits."""
    return is_real(variable) and variable.type.numpy_dtype.itemsize >= 4


x, y, z, c = Hole("x"), Hole("y"), Hole("z"), Hole("c")
real, other_real, wide = Hole("x", where=is_real), Hole("y", where=is_real), Hole("x", where=is_wide)
whole, other_whole = Hole("x", where=is_integer), Hole("y", where=is_integer)
bits, truth = Hole("x", where=is_discrete), Hole("x", where=is_boolean)


def _or_nan(x: Any) -> Any:
    """x, where it is not negative."""
    return switch(elemwise(scalar.ge)(x, 0), x, number_constant(np.asarray(np.nan, x.type.dtype)))


LAWS = (
    # signs
    Rule("negate_difference", neg(real - other_real), other_real - real),
    Rule("subtract_from_negative", (-real) - other_real, -(real + other_real)),
    Rule("square_of_negative", sqr(neg(real)), sqr(real)),
    Rule("square_of_abs", sqr(abs_(real)), sqr(real)),
    # inverses
    Rule("exp_of_log", exp(log(wide)), _or_nan),
    Rule("root_of_square", sqrt(sqr(wide)), abs_(wide)),  # also where the square over- or underflows
    Rule("divide_by_quotient", real / (1 / other_real), real * other_real),
    # integers: exact modulo a power of two
    Rule("add_then_subtract", (whole + other_whole) - other_whole, whole),
    Rule("subtract_then_add", (whole - other_whole) + other_whole, whole),
    Rule("subtract_difference", whole - (whole - other_whole), other_whole),
    Rule("divide_whole_by_one", whole // 1, whole),
    # sets and order
    Rule("and_itself", bits & bits, bits),
    Rule("or_itself", bits | bits, bits),
    Rule("and_true", truth & True, truth),
    Rule("or_false", truth | False, truth),
    Rule("xor_false", truth ^ False, truth),
    Rule("and_absorbs", bits & (bits | y), bits),
    Rule("or_absorbs", bits | (bits & y), bits),
    Rule("maximum_itself", maximum(x, x), x),
    Rule("minimum_itself", minimum(x, x), x),
    Rule("maximum_twice", maximum(maximum(real, other_real), other_real), maximum(real, other_real)),
    Rule("minimum_twice", minimum(minimum(real, other_real), other_real), minimum(real, other_real)),
    Rule("clip_twice", clip(clip(x, y, z), y, z), clip(x, y, z)),
    # choices
    Rule("chosen_again_where_true", switch(c, switch(c, x, y), z), switch(c, x, z)),
    Rule("chosen_again_where_false", switch(c, x, switch(c, y, z)), switch(c, x, z)),
    Rule("chosen_by_opposite", switch(invert(Hole("c", where=is_boolean)), x, y), switch(c, y, x)),
)

#: Untrue of floats that are not finite, or where rounding loses what is then missed. Only on demand.
UNSAFE_LAWS = (
    Rule("unsafe_subtract_itself", real - real, lambda x: _zeros(x), tags=["unsafe"]),
    Rule("unsafe_divide_by_itself", real / real, lambda x: _zeros(x) + 1, tags=["unsafe"]),
    Rule("unsafe_multiply_by_zero", real * 0, lambda x: _zeros(x), tags=["unsafe"]),
    Rule("unsafe_multiply_then_divide", (real * other_real) / other_real, real, tags=["unsafe"]),
    Rule("unsafe_divide_then_multiply", (real / other_real) * other_real, real, tags=["unsafe"]),
    Rule("unsafe_add_then_subtract", (real + other_real) - other_real, real, tags=["unsafe"]),
    Rule("unsafe_subtract_then_add", (real - other_real) + other_real, real, tags=["unsafe"]),
)


def _zeros(x: Any) -> Any:
    from symgraph.tensor.basic import zeros_like

    return zeros_like(x)


@rewrite_rule(mul)
def multiply_whole_by_zero(node: Apply) -> Variable | None:
    """x * 0 -> 0, for integers."""
    if is_discrete(node.outputs[0]) and any(uniform(v) == 0 for v in node.inputs):
        return fitted(filled(0, node), node)
    return None


@rewrite_rule(sub, elemwise(scalar.xor))
def without_itself(node: Apply) -> Variable | None:
    """x - x -> 0 and x ^ x -> 0, for integers."""
    a, b = node.inputs
    return fitted(filled(0, node), node) if a is b and is_discrete(a) else None


@rewrite_rule(elemwise(scalar.mod))
def remainder_by_one(node: Apply) -> Variable | None:
    """x % 1 -> 0, for integers."""
    a, b = node.inputs
    return fitted(filled(0, node), node) if is_integer(a) and uniform(b) == 1 else None


@rewrite_rule(*(elemwise(f) for f in (scalar.eq, scalar.neq, scalar.lt, scalar.le, scalar.gt, scalar.ge)))
def compare_with_itself(node: Apply) -> Variable | None:
    """x == x -> true, x < x -> false, and so on, for integers (NaN differs from itself)."""
    a, b = node.inputs
    if a is not b or not is_discrete(a):
        return None
    return fitted(filled(node.op.head in (scalar.eq, scalar.le, scalar.ge), node), node)


@rewrite_rule(elemwise(scalar.and_), elemwise(scalar.or_))
def decided_by_constant(node: Apply) -> Variable | None:
    """x & false -> false, x | true -> true."""
    deciding = node.op.head is scalar.or_
    if is_boolean(node.outputs[0]) and any(uniform(v) == deciding for v in node.inputs):
        return fitted(filled(deciding, node), node)
    return None


@rewrite_rule(power)
def power_zero(node: Apply) -> Variable | None:
    """x ** 0 -> 1; that is so of NaN too."""
    return fitted(filled(1, node), node) if uniform(node.inputs[1]) == 0 else None


@rewrite_rule(power)
def power_minus_one(node: Apply) -> Variable | None:
    """x ** -1 -> 1 / x, for floats."""
    base, exponent = node.inputs
    return fitted(1 / base, node) if uniform(exponent) == -1 and is_real(base) else None  # type: ignore[operator]


_IDEMPOTENT = (scalar.floor, scalar.ceil, scalar.trunc, scalar.round_half_to_even, scalar.sgn)


@rewrite_rule(*(elemwise(f) for f in _IDEMPOTENT), when=made_of(*_IDEMPOTENT))
def done_already(node: Apply) -> Variable | None:
    """floor(floor(x)) -> floor(x), floor(ceil(x)) -> ceil(x), sgn(sgn(x)) -> sgn(x)."""
    (inner,) = node.inputs
    function, before = node.op.head, applied(inner, *_IDEMPOTENT)
    rounded = function is not scalar.sgn and before is not None and _kind(inner) != "c"  # also sgn(x) is whole
    return fitted(inner, node) if rounded or is_elemwise(inner, function) else None


_NOT_NEGATIVE = (scalar.exp, scalar.exp2, scalar.sigmoid, scalar.softplus, scalar.sqr, scalar.sqrt, scalar.cosh)


@rewrite_rule(abs_, when=made_of(*_NOT_NEGATIVE))
def abs_of_not_negative(node: Apply) -> Variable | None:
    """abs(exp(x)) -> exp(x), and so for all that is never negative."""
    (inner,) = node.inputs
    return inner if is_real(inner) and is_elemwise(inner, *_NOT_NEGATIVE) else None


_EVEN = (scalar.abs, scalar.cos, scalar.cosh)


@rewrite_rule(*(elemwise(f) for f in _EVEN), when=made_of(scalar.neg, scalar.abs))
def even_function(node: Apply) -> Variable | None:
    """cos(-x) -> cos(x), cosh(abs(x)) -> cosh(x), abs(-x) -> abs(x)."""
    inner = applied(node.inputs[0], scalar.neg, scalar.abs)
    if inner is None or not is_real(inner.inputs[0]) or (node.op.head is scalar.abs and inner.op.head is scalar.abs):
        return None
    return node.op(inner.inputs[0])


# ---- constants --------------------------------------------------------------------------------------------------


def _constant_and_rest(node: Any) -> tuple[Any, Any] | None:
    """The number and the other factor of a product with a number, which stretches nothing; else None."""
    for factor, rest in (node.inputs, node.inputs[::-1]):
        value = uniform(factor)
        if value is not None and isinstance(factor, Constant) and rest.type.broadcastable == (
            node.outputs[0].type.broadcastable
        ) and rest.type.dtype == node.outputs[0].type.dtype:
            return np.asarray(value, rest.type.numpy_dtype), rest  # a narrower one would wrap around
    return None


def _in_range(first: Any, second: Any, together: Any) -> bool:
    """Whether one multiplication may stand for two, first by `first`: nothing that was kept is lost."""
    if together.dtype.kind in "biu":
        return True
    limits, (a, b, ab) = np.finfo(together.dtype), (abs(float(v)) for v in (first, second, together))
    return bool(limits.tiny <= ab <= limits.max) and not (a < 1 and b > 4)


@rewrite_rule(mul, when=made_of(scalar.mul))
def constants_multiplied(node: Apply) -> Variable | None:
    """a * (b * x) -> (a * b) * x, for numbers a and b."""
    outer = _constant_and_rest(node)
    product = applied(outer[1], scalar.mul) if outer is not None else None
    inner = _constant_and_rest(product) if product is not None else None
    if outer is None or inner is None or _kind(node.outputs[0]) == "c":
        return None
    with np.errstate(all="ignore"):
        together = np.asarray(outer[0] * inner[0], node.outputs[0].type.dtype)
    return fitted(together * inner[1], node) if _in_range(inner[0], outer[0], together) else None


@rewrite_rule(add, when=made_of(scalar.add))
def constants_added(node: Apply) -> Variable | None:
    """a + (b + x) -> (a + b) + x, for whole numbers a and b: exact, as it would not be of floats."""
    outer = _constant_and_rest(node) if is_integer(node.outputs[0]) else None
    total = applied(outer[1], scalar.add) if outer is not None else None
    inner = _constant_and_rest(total) if total is not None else None
    if outer is None or inner is None:
        return None
    with np.errstate(all="ignore"):
        together = np.asarray(outer[0] + inner[0], node.outputs[0].type.dtype)
    return fitted(together + inner[1], node)


@rewrite_rule(neg, when=made_of(scalar.mul))
def sign_of_constant(node: Apply) -> Variable | None:
    """-(a * x) -> (-a) * x, for a number a."""
    product = applied(node.inputs[0], scalar.mul)
    found = _constant_and_rest(product) if product is not None and is_real(node.inputs[0]) else None
    if found is None:
        return None
    return fitted(np.negative(found[0]) * found[1], node)


# ---- terms that are nothing -------------------------------------------------------------------------------------

#: Functions that are finite wherever their argument is a number.
_BOUNDED = (scalar.sgn, scalar.tanh, scalar.sigmoid, scalar.arctan, scalar.erf, scalar.erfc)
_MOST_TERMS = 16


def _linear_parts(variable: Variable, whole_tensor: bool) -> list[Variable]:
    """What a variable is not finite with, and finite with: through sums, signs, squares and known factors.

    For a scalar also through sums over axes, since one element that is not finite makes the sum so; else element by
    element.
    """
    found: list[Variable] = []
    pending = [variable]
    while pending and len(found) + len(pending) <= _MOST_TERMS:
        v: Any = pending.pop()
        node = v.owner
        same = node is not None and all(
            w.type.broadcastable == v.type.broadcastable or w.type.ndim == 0 or uniform(w) is not None
            for w in node.inputs)
        known = [w for w in node.inputs if uniform(w) is None] if node is not None else []
        if is_elemwise(v, scalar.abs, scalar.neg, scalar.sqr) or (
            same and is_elemwise(v, scalar.add, scalar.sub)
        ) or (same and len(known) == 1 and is_elemwise(v, scalar.mul) and not _is_zero_times(v)):
            pending.extend(known)
        elif whole_tensor and isinstance(getattr(node, "op", None), Reduce) and node.op.kind == "sum":
            pending.extend(node.inputs)
        else:
            found.append(v)
    return found + pending


def _is_zero_times(variable: Variable) -> bool:
    node = applied(variable, scalar.mul)
    return node is not None and any(uniform(v) == 0 for v in node.inputs)


def _terms(variable: Any) -> list[tuple[Any, bool]]:
    """A sum as its terms, each with whether it is subtracted."""
    found: list[tuple[Any, bool]] = []
    pending = [(variable, False)]
    while pending and len(found) + len(pending) < _MOST_TERMS:
        v, negative = pending.pop()
        node = applied(v, scalar.add, scalar.sub)
        if node is None or any(w.type.broadcastable != v.type.broadcastable or w.type.dtype != v.type.dtype
                               for w in node.inputs):
            found.append((v, negative))
        else:
            a, b = node.inputs
            pending.extend([(b, negative != (node.op.head is scalar.sub)), (a, negative)])
    return found + pending


def _holds_zero_term(variable: Variable, depth: int = _MOST_TERMS) -> bool:
    """Whether a sum has a term that is zero times something. Asked from the bottom up, it remembers."""
    known: bool | None = variable.__dict__.get("_holds_zero_term")
    if known is None:
        known = _is_zero_times(variable) or (
            depth > 0 and is_elemwise(variable, scalar.add, scalar.sub)
            and any(_holds_zero_term(v, depth - 1) for v in variable.owner.inputs))  # type: ignore[union-attr]
        variable.__dict__["_holds_zero_term"] = known
    return known


@rewrite_rule(add, sub, when=made_of(scalar.mul, scalar.add, scalar.sub))
def zero_term(node: Apply) -> Variable | None:
    """a * x + 0 * f(x) -> a * x, where f is bounded or not finite only with x: the sum is not finite where x is not."""
    out: Any = node.outputs[0]
    if not is_real(out) or not _holds_zero_term(out):
        return None
    terms = _terms(out)
    scalar_sum = out.type.ndim == 0
    for place, (term, _) in enumerate(terms):
        if not _is_zero_times(term):
            continue
        rest = terms[:place] + terms[place + 1:]
        sources = {v for t, _ in rest for v in _linear_parts(t, scalar_sum)}
        if rest and _nothing_else(term, sources, scalar_sum):
            return fitted(_sum_of(rest), node)
    return None


def _nothing_else(term: Any, sources: set[Variable], scalar_sum: bool) -> bool:
    """Whether zero times something is not finite only where one of the sources is not."""
    for v in [w for w in term.owner.inputs if uniform(w) != 0]:
        for part in _linear_parts(v, scalar_sum):
            inner = applied(part, *_BOUNDED)
            bounded = inner is not None and inner.inputs[0] in sources
            if part not in sources and not bounded and not _is_finite_constant(part):
                return False
    return True


def _is_finite_constant(variable: Variable) -> bool:
    value = uniform(variable)
    return value is not None and bool(np.isfinite(value))


def _sum_of(terms: list[tuple[Any, bool]]) -> Any:
    (total, negative), *rest = terms
    total = -total if negative else total
    for term, minus in rest:
        total = total - term if minus else total + term
    return total


# ---- products with zeros, powers and quotients ------------------------------------------------------------------


@rewrite_rule(Dot, when=made_of(DimShuffle))
def product_of_transposes(node: Apply) -> Variable | None:
    """dot(A.T, B.T) -> dot(B, A).T."""
    a, b = (made_by(v, DimShuffle) for v in node.inputs)
    if a is None or b is None or not a.op.order == b.op.order == (1, 0):
        return None
    return fitted(dimshuffle(node.op(b.inputs[0], a.inputs[0]), (1, 0)), node)


def _with_zeros(node: Apply) -> bool:
    return any(uniform(v) == 0 for v in node.inputs)


@rewrite_rule(Dot, when=made_of(Alloc, Constant))
def product_with_whole_zeros(node: Apply) -> Variable | None:
    """dot(x, zeros) -> zeros, for integers."""
    return fitted(filled(0, node), node) if is_discrete(node.outputs[0]) and _with_zeros(node) else None


@rewrite_rule(Dot, when=made_of(Alloc, Constant), tags=["unsafe"])
def unsafe_product_with_zeros(node: Apply) -> Variable | None:
    """dot(x, zeros) -> zeros, also where x is not finite."""
    return fitted(filled(0, node), node) if is_real(node.outputs[0]) and _with_zeros(node) else None


@rewrite_rule(power)
def power_by_squaring(node: Apply) -> Variable | None:
    """x ** n -> squares and products, for n from 3 to 8: NumPy's power takes a logarithm."""
    base, exponent = node.inputs
    value = uniform(exponent)
    if value is None or value.dtype.kind == "c" or value not in range(3, 9) or _kind(base) not in "iuf":
        return None
    square, result, n = base, None, int(value)
    while n:
        if n & 1:
            result = square if result is None else result * square  # type: ignore[operator]
        n >>= 1
        square = sqr(square) if n else square
    return fitted(result, node)


@rewrite_rule(power)
def power_minus_half(node: Apply) -> Variable | None:
    """x ** -0.5 -> 1 / sqrt(x), for floats."""
    base, exponent = node.inputs
    return fitted(1 / sqrt(base), node) if uniform(exponent) == -0.5 and is_real(base) else None


@rewrite_rule(true_div)
def divide_by_power_of_two(node: Apply) -> Variable | None:
    """x / 8 -> x * 0.125: the same to the last bit, which a division by another number would not be."""
    top, bottom = node.inputs
    value = uniform(bottom) if isinstance(bottom, Constant) and is_real(node.outputs[0]) else None
    if value is None or not is_real(bottom) or not np.isfinite(value) or value == 0 or uniform(top) is not None:
        return None
    fraction, exponent = np.frexp(value)
    limits = np.finfo(value.dtype)
    if abs(fraction) != 0.5 or not limits.minexp < 1 - exponent < limits.maxexp:
        return None
    return fitted(mul(top, np.asarray(1 / value, value.dtype)), node)


ALGEBRA = (
    multiply_whole_by_zero, without_itself, remainder_by_one, compare_with_itself, decided_by_constant, power_zero,
    power_minus_one, done_already, abs_of_not_negative, even_function, constants_multiplied, constants_added,
    sign_of_constant, product_of_transposes, product_with_whole_zeros, zero_term, *LAWS,
)

#: What is quicker to compute, at the end.
POWERS = (Rule("square", real * real, sqr(real)), power_by_squaring, power_minus_half, divide_by_power_of_two)

UNSAFE = (*UNSAFE_LAWS, unsafe_product_with_zeros)
