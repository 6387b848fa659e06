"""The elementwise functions users call: rows of the scalar table as operations, under Theano's and NumPy's names.

Each is an operation, so ``x.owner.op == T.exp`` asks what made x.
"""

from __future__ import annotations

from functools import reduce as _fold
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Variable
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.elemwise import Elemwise, cast, elemwise

__all__ = [
    "abs", "abs_", "absolute", "acos", "acosh", "add", "allclose", "and_", "angle", "arccos", "arccosh", "arcsin",
    "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh", "atan", "atan2", "atanh", "beta", "betaln",
    "bitwise_and", "bitwise_count", "bitwise_not", "bitwise_or", "bitwise_xor", "cbrt", "ceil", "chi2sf", "clip",
    "complex", "complex_from_polar", "conj", "conjugate", "copysign", "cos", "cosh", "deg2rad", "digamma", "divide",
    "eq", "equal", "erf", "erfc", "erfcinv", "erfcx", "erfinv", "exp", "exp2", "expit", "expm1", "fill", "floor",
    "floor_divide", "fmod", "gamma", "gammainc", "gammaincc", "gammaln", "gcd", "ge", "greater", "greater_equal",
    "gt", "heaviside", "hypot", "i0", "i1", "imag", "int_div", "inv", "invert", "iround", "isclose", "isfinite",
    "isinf", "isnan", "iv", "j0", "j1", "jv", "lcm", "ldexp", "le", "left_shift", "less", "less_equal", "log",
    "log1mexp", "log1p", "log2", "log10", "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor",
    "logit", "lt", "maximum", "minimum", "mod", "mul", "multiply", "neg", "negative", "neq", "nextafter", "not_",
    "not_equal", "or_", "polygamma", "pow", "power", "psi", "rad2deg", "real", "reciprocal", "remainder",
    "right_shift", "round", "round_half_away_from_zero", "round_half_to_even", "second", "sgn", "sigmoid", "sign",
    "signbit", "sin", "sinc", "sinh", "softplus", "spacing", "spherical_jn", "sqr", "sqrt", "square", "sub",
    "subtract", "switch", "tan", "tanh", "tensor_copy", "trigamma", "true_div", "true_divide", "trunc",
    "xlogx", "xlogy0", "xor",
]

# ---- arithmetic ------------------------------------------------------------------------------------------

sub = elemwise(scalar.sub)
true_div = elemwise(scalar.true_div)
int_div = elemwise(scalar.int_div)
mod = elemwise(scalar.mod)
fmod = elemwise(scalar.fmod)
pow = elemwise(scalar.pow)
neg = elemwise(scalar.neg)
reciprocal = elemwise(scalar.reciprocal)
abs = elemwise(scalar.abs)
sgn = elemwise(scalar.sgn)
sqr = elemwise(scalar.sqr)
sqrt = elemwise(scalar.sqrt)
cbrt = elemwise(scalar.cbrt)
maximum = elemwise(scalar.maximum)
minimum = elemwise(scalar.minimum)
clip = elemwise(scalar.clip)

# ---- exponentials and logarithms -------------------------------------------------------------------------

exp = elemwise(scalar.exp)
exp2 = elemwise(scalar.exp2)
expm1 = elemwise(scalar.expm1)
log = elemwise(scalar.log)
log2 = elemwise(scalar.log2)
log10 = elemwise(scalar.log10)
log1p = elemwise(scalar.log1p)
logaddexp = elemwise(scalar.logaddexp)
sigmoid = elemwise(scalar.sigmoid)
softplus = elemwise(scalar.softplus)

# ---- trigonometry ----------------------------------------------------------------------------------------

sin = elemwise(scalar.sin)
cos = elemwise(scalar.cos)
tan = elemwise(scalar.tan)
arcsin = elemwise(scalar.arcsin)
arccos = elemwise(scalar.arccos)
arctan = elemwise(scalar.arctan)
arctan2 = elemwise(scalar.arctan2)
sinh = elemwise(scalar.sinh)
cosh = elemwise(scalar.cosh)
tanh = elemwise(scalar.tanh)
arcsinh = elemwise(scalar.arcsinh)
arccosh = elemwise(scalar.arccosh)
arctanh = elemwise(scalar.arctanh)
hypot = elemwise(scalar.hypot)
copysign = elemwise(scalar.copysign)
nextafter = elemwise(scalar.nextafter)
heaviside = elemwise(scalar.heaviside)
spacing = elemwise(scalar.spacing)
ldexp = elemwise(scalar.ldexp)
deg2rad = elemwise(scalar.deg2rad)
rad2deg = elemwise(scalar.rad2deg)

# ---- rounding --------------------------------------------------------------------------------------------

floor = elemwise(scalar.floor)
ceil = elemwise(scalar.ceil)
trunc = elemwise(scalar.trunc)
round_half_to_even = elemwise(scalar.round_half_to_even)
round_half_away_from_zero = elemwise(scalar.round_half_away_from_zero)

# ---- comparisons and logic -------------------------------------------------------------------------------

lt = elemwise(scalar.lt)
gt = elemwise(scalar.gt)
le = elemwise(scalar.le)
ge = elemwise(scalar.ge)
eq = elemwise(scalar.eq)
neq = elemwise(scalar.neq)
isnan = elemwise(scalar.isnan)
isinf = elemwise(scalar.isinf)
isfinite = elemwise(scalar.isfinite)
signbit = elemwise(scalar.signbit)
logical_and = elemwise(scalar.logical_and)
logical_or = elemwise(scalar.logical_or)
logical_xor = elemwise(scalar.logical_xor)
logical_not = elemwise(scalar.logical_not)
and_ = elemwise(scalar.and_)
or_ = elemwise(scalar.or_)
xor = elemwise(scalar.xor)
invert = elemwise(scalar.invert)
left_shift = elemwise(scalar.left_shift)
right_shift = elemwise(scalar.right_shift)
gcd = elemwise(scalar.gcd)
lcm = elemwise(scalar.lcm)
bitwise_count = elemwise(scalar.bitwise_count)
switch = elemwise(scalar.switch)

# ---- special functions -----------------------------------------------------------------------------------

erf = elemwise(scalar.erf)
erfc = elemwise(scalar.erfc)
gammaln = elemwise(scalar.gammaln)
gamma = elemwise(scalar.gamma)
psi = elemwise(scalar.psi)
polygamma = elemwise(scalar.polygamma)
spherical_jn = elemwise(scalar.spherical_jn)
erfinv = elemwise(scalar.erfinv)
erfcinv = elemwise(scalar.erfcinv)
erfcx = elemwise(scalar.erfcx)
gammainc = elemwise(scalar.gammainc)
gammaincc = elemwise(scalar.gammaincc)
beta = elemwise(scalar.beta)
betaln = elemwise(scalar.betaln)
chi2sf = elemwise(scalar.chi2sf)
logit = elemwise(scalar.logit)
j0 = elemwise(scalar.j0)
j1 = elemwise(scalar.j1)
jv = elemwise(scalar.jv)
i0 = elemwise(scalar.i0)
i1 = elemwise(scalar.i1)
iv = elemwise(scalar.iv)
xlogx = elemwise(scalar.xlogx)
xlogy0 = elemwise(scalar.xlogy0)
log1mexp = elemwise(scalar.log1mexp)
sinc = elemwise(scalar.sinc)

# ---- complex numbers -------------------------------------------------------------------------------------

conj = elemwise(scalar.conj)
real = elemwise(scalar.real)
imag = elemwise(scalar.imag)
angle = elemwise(scalar.angle)
complex = elemwise(scalar.complex)

# ---- functions of any number of arguments ------------------------------------------------------------------------


class _Chain(Elemwise):
    """An associative function of two arguments, called with any number: equal to the plain operation as an op."""

    def __call__(self, *inputs: Any, name: str | None = None, return_list: bool = False, **options: Any) -> Any:
        if len(inputs) == 2 or options:
            return super().__call__(*inputs, name=name, return_list=return_list, **options)
        if not inputs:
            raise TypeError(f"{self} needs at least one argument")
        result: Any = _fold(elemwise(self.scalar), inputs) if len(inputs) > 1 else as_tensor_variable(inputs[0])
        if name is not None and isinstance(result, Variable):
            result.name = name
        return [result] if return_list else result

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Elemwise) and other.scalar is self.scalar

    def __hash__(self) -> int:
        return hash(elemwise(self.scalar))


add, mul = _Chain(scalar.add), _Chain(scalar.mul)

# ---- other names for the same -------------------------------------------------------------------------------------

subtract, multiply, divide, true_divide, floor_divide, remainder = sub, mul, true_div, true_div, int_div, mod
power, negative, absolute, abs_, sign, square, inv = pow, neg, abs, abs, sgn, sqr, reciprocal
acos, asin, atan, atan2, acosh, asinh, atanh = arccos, arcsin, arctan, arctan2, arccosh, arcsinh, arctanh
less, greater, less_equal, greater_equal, equal, not_equal = lt, gt, le, ge, eq, neq
bitwise_and, bitwise_or, bitwise_xor, bitwise_not, not_ = and_, or_, xor, invert, invert
digamma, conjugate, expit = psi, conj, sigmoid


def trigamma(x: Any) -> Any:
    """The derivative of `psi`."""
    return polygamma(1, x)


def round(a: Any, mode: str | None = None) -> Any:
    """The nearest integer, in the same dtype.

    Parameters
    ----------
    a : tensor-like
    mode : {'half_to_even', 'half_away_from_zero'}, optional
        Where halves go; to even by default, as in NumPy.
    """
    if mode in (None, "half_to_even"):
        return round_half_to_even(a)
    if mode == "half_away_from_zero":
        return round_half_away_from_zero(a)
    raise ValueError(f"round: mode must be 'half_to_even' or 'half_away_from_zero', not {mode!r}")


def complex_from_polar(abs: Any, angle: Any) -> Any:
    """The complex numbers of given absolute values and arguments.

    Examples
    --------
    >>> complex_from_polar([2.0, 1.0], [0.0, 3.141592653589793]).eval().round(12)
    array([ 2.+0.j, -1.+0.j])
    """
    size, turn = as_tensor_variable(abs), as_tensor_variable(angle)
    return complex(size * cos(turn), size * sin(turn))


def iround(a: Any, mode: str | None = None) -> Any:
    """`round`, as int64."""
    return cast(round(a, mode), "int64")


def fill(a: Any, b: Any) -> Any:
    """The value `b` in the shape of `a`."""
    return elemwise(scalar.second)(a, b)


second = fill
tensor_copy = elemwise(scalar.identity)


def isclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Where ``|a - b| <= atol + rtol * |b|``; infinities are close to themselves."""
    x, y = as_tensor_variable(a), as_tensor_variable(b)
    y = cast(y, np.result_type(y.type.numpy_dtype, 1.0))  # as NumPy: abs of the least integer overflows
    close = abs(x - y) <= atol + rtol * abs(y)
    result = switch(isfinite(x) & isfinite(y), close, eq(x, y))
    return result | (isnan(x) & isnan(y)) if equal_nan else result


def allclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Whether `isclose` holds everywhere."""
    from symgraph.tensor.reduce import all as tensor_all

    return tensor_all(isclose(a, b, rtol, atol, equal_nan))
