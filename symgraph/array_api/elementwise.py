"""Functions of the array API standard that work element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symgraph.array_api.array import Array, fitting, unwrap
from symgraph.tensor import math, numpy_names

__all__ = [
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_invert",
    "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "clip", "conj", "copysign",
    "cos", "cosh", "divide", "equal", "exp", "expm1", "floor", "floor_divide", "greater", "greater_equal", "hypot",
    "imag", "isfinite", "isinf", "isnan", "less", "less_equal", "log", "log1p", "log2", "log10", "logaddexp",
    "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "multiply", "negative",
    "nextafter", "not_equal", "positive", "pow", "real", "reciprocal", "remainder", "round", "sign", "signbit", "sin",
    "sinh", "sqrt", "square", "subtract", "tan", "tanh", "trunc",
]


def _check(name: str, *values: Any) -> None:
    if not any(isinstance(v, Array) for v in values):
        found = ", ".join(type(v).__name__ for v in values)
        raise TypeError(f"{name} takes arrays of this namespace, not {found}: use asarray")


def _unary(name: str, operation: Callable[..., Any]) -> Callable[[Array], Array]:
    def function(x: Array, /) -> Array:
        _check(name, x)
        return Array(operation(x.variable))

    return _named(function, name)


def _binary(name: str, operation: Callable[..., Any]) -> Callable[[Any, Any], Array]:
    def function(x1: Any, x2: Any, /) -> Array:
        _check(name, x1, x2)
        return Array(operation(unwrap(x1), unwrap(x2)))

    return _named(function, name)


def _named(function: Any, name: str) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"``{name}`` of the array API standard, element by element."
    return function


def _same(x: Any) -> Any:
    return x


def _whole(operation: Callable[..., Any]) -> Callable[..., Any]:
    """A rounding, which leaves integers what they are."""
    return lambda x: x if x.type.is_discrete else operation(x)


def _round(x: Any) -> Any:
    if x.type.numpy_dtype.kind == "c":
        return math.complex(math.round_half_to_even(x.real), math.round_half_to_even(x.imag))
    return _whole(math.round_half_to_even)(x)


abs = _unary("abs", math.abs)
acos = _unary("acos", math.arccos)
acosh = _unary("acosh", math.arccosh)
add = _binary("add", math.add)
asin = _unary("asin", math.arcsin)
asinh = _unary("asinh", math.arcsinh)
atan = _unary("atan", math.arctan)
atan2 = _binary("atan2", math.arctan2)
atanh = _unary("atanh", math.arctanh)
bitwise_and = _binary("bitwise_and", math.and_)
bitwise_invert = _unary("bitwise_invert", math.invert)
bitwise_left_shift = _binary("bitwise_left_shift", math.left_shift)
bitwise_or = _binary("bitwise_or", math.or_)
bitwise_right_shift = _binary("bitwise_right_shift", math.right_shift)
bitwise_xor = _binary("bitwise_xor", math.xor)
ceil = _unary("ceil", _whole(math.ceil))
conj = _unary("conj", math.conj)
copysign = _binary("copysign", math.copysign)
cos = _unary("cos", math.cos)
cosh = _unary("cosh", math.cosh)
divide = _binary("divide", math.true_div)
equal = _binary("equal", math.eq)
exp = _unary("exp", math.exp)
expm1 = _unary("expm1", math.expm1)
floor = _unary("floor", _whole(math.floor))
floor_divide = _binary("floor_divide", math.int_div)
greater = _binary("greater", math.gt)
greater_equal = _binary("greater_equal", math.ge)
hypot = _binary("hypot", math.hypot)
imag = _unary("imag", numpy_names.imag)
isfinite = _unary("isfinite", math.isfinite)
isinf = _unary("isinf", math.isinf)
isnan = _unary("isnan", math.isnan)
less = _binary("less", math.lt)
less_equal = _binary("less_equal", math.le)
log = _unary("log", math.log)
log1p = _unary("log1p", math.log1p)
log2 = _unary("log2", math.log2)
log10 = _unary("log10", math.log10)
logaddexp = _binary("logaddexp", math.logaddexp)
logical_and = _binary("logical_and", math.logical_and)
logical_not = _unary("logical_not", math.logical_not)
logical_or = _binary("logical_or", math.logical_or)
logical_xor = _binary("logical_xor", math.logical_xor)
maximum = _binary("maximum", math.maximum)
minimum = _binary("minimum", math.minimum)
multiply = _binary("multiply", math.mul)
negative = _unary("negative", math.neg)
nextafter = _binary("nextafter", math.nextafter)
not_equal = _binary("not_equal", math.neq)
positive = _unary("positive", _same)
pow = _binary("pow", math.pow)
real = _unary("real", numpy_names.real)
reciprocal = _unary("reciprocal", math.reciprocal)
remainder = _binary("remainder", math.mod)
round = _unary("round", _round)
sign = _unary("sign", math.sgn)
signbit = _unary("signbit", math.signbit)
sin = _unary("sin", math.sin)
sinh = _unary("sinh", math.sinh)
sqrt = _unary("sqrt", math.sqrt)
square = _unary("square", math.sqr)
subtract = _binary("subtract", math.sub)
tan = _unary("tan", math.tan)
tanh = _unary("tanh", math.tanh)
trunc = _unary("trunc", _whole(math.trunc))


def clip(x: Array, /, min: Any = None, max: Any = None) -> Array:
    """Each element limited; a bound of None is none, and the dtype stays that of `x`.

    Where the lower bound is above the upper, the result is the upper.

    Raises
    ------
    TypeError
        When a bound is of another kind than the elements, such as a float among integers.
    """
    _check("clip", x)
    result = x.variable
    if min is not None:
        result = math.maximum(result, fitting(min, x.variable))
    if max is not None:
        result = math.minimum(result, fitting(max, x.variable))
    return Array(result)
