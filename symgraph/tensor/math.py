"""The elementwise functions users call: rows of the scalar table as operations, under Theano's and NumPy's names.

Each is an operation, so ``x.owner.op == T.exp`` asks what made x.
"""

from __future__ import annotations

from functools import reduce as _fold
from typing import Any

import numpy as _np

from symgraph import scalar as _scalar
from symgraph.graph.basic import Variable
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.elemwise import Elemwise, cast, elemwise

# ---- arithmetic ------------------------------------------------------------------------------------------

sub = elemwise(_scalar.sub)
true_div = elemwise(_scalar.true_div)
int_div = elemwise(_scalar.int_div)
mod = elemwise(_scalar.mod)
fmod = elemwise(_scalar.fmod)
pow = elemwise(_scalar.pow)
neg = elemwise(_scalar.neg)
reciprocal = elemwise(_scalar.reciprocal)
abs = elemwise(_scalar.abs)
sgn = elemwise(_scalar.sgn)
sqr = elemwise(_scalar.sqr)
sqrt = elemwise(_scalar.sqrt)
cbrt = elemwise(_scalar.cbrt)
maximum = elemwise(_scalar.maximum)
minimum = elemwise(_scalar.minimum)
clip = elemwise(_scalar.clip)

# ---- exponentials and logarithms -------------------------------------------------------------------------

exp = elemwise(_scalar.exp)
exp2 = elemwise(_scalar.exp2)
expm1 = elemwise(_scalar.expm1)
log = elemwise(_scalar.log)
log2 = elemwise(_scalar.log2)
log10 = elemwise(_scalar.log10)
log1p = elemwise(_scalar.log1p)
logaddexp = elemwise(_scalar.logaddexp)
sigmoid = elemwise(_scalar.sigmoid)
softplus = elemwise(_scalar.softplus)

# ---- trigonometry ----------------------------------------------------------------------------------------

sin = elemwise(_scalar.sin)
cos = elemwise(_scalar.cos)
tan = elemwise(_scalar.tan)
arcsin = elemwise(_scalar.arcsin)
arccos = elemwise(_scalar.arccos)
arctan = elemwise(_scalar.arctan)
arctan2 = elemwise(_scalar.arctan2)
sinh = elemwise(_scalar.sinh)
cosh = elemwise(_scalar.cosh)
tanh = elemwise(_scalar.tanh)
arcsinh = elemwise(_scalar.arcsinh)
arccosh = elemwise(_scalar.arccosh)
arctanh = elemwise(_scalar.arctanh)
hypot = elemwise(_scalar.hypot)
deg2rad = elemwise(_scalar.deg2rad)
rad2deg = elemwise(_scalar.rad2deg)

# ---- rounding --------------------------------------------------------------------------------------------

floor = elemwise(_scalar.floor)
ceil = elemwise(_scalar.ceil)
trunc = elemwise(_scalar.trunc)
round_half_to_even = elemwise(_scalar.round_half_to_even)
round_half_away_from_zero = elemwise(_scalar.round_half_away_from_zero)

# ---- comparisons and logic -------------------------------------------------------------------------------

lt = elemwise(_scalar.lt)
gt = elemwise(_scalar.gt)
le = elemwise(_scalar.le)
ge = elemwise(_scalar.ge)
eq = elemwise(_scalar.eq)
neq = elemwise(_scalar.neq)
isnan = elemwise(_scalar.isnan)
isinf = elemwise(_scalar.isinf)
isfinite = elemwise(_scalar.isfinite)
signbit = elemwise(_scalar.signbit)
logical_and = elemwise(_scalar.logical_and)
logical_or = elemwise(_scalar.logical_or)
logical_xor = elemwise(_scalar.logical_xor)
logical_not = elemwise(_scalar.logical_not)
and_ = elemwise(_scalar.and_)
or_ = elemwise(_scalar.or_)
xor = elemwise(_scalar.xor)
invert = elemwise(_scalar.invert)
left_shift = elemwise(_scalar.left_shift)
right_shift = elemwise(_scalar.right_shift)
gcd = elemwise(_scalar.gcd)
switch = elemwise(_scalar.switch)

# ---- special functions -----------------------------------------------------------------------------------

erf = elemwise(_scalar.erf)
erfc = elemwise(_scalar.erfc)
gammaln = elemwise(_scalar.gammaln)
gamma = elemwise(_scalar.gamma)
psi = elemwise(_scalar.psi)
polygamma = elemwise(_scalar.polygamma)

# ---- complex numbers -------------------------------------------------------------------------------------

conj = elemwise(_scalar.conj)
real = elemwise(_scalar.real)
imag = elemwise(_scalar.imag)
angle = elemwise(_scalar.angle)
# ---- functions of any number of arguments ------------------------------------------------------------------------


class _Chain(Elemwise):
    """An associative function of two arguments, called with any number: equal to the plain operation as an op."""

    def __call__(self, *inputs: Any, name: str | None = None, return_list: bool = False) -> Any:
        if len(inputs) == 2:
            return super().__call__(*inputs, name=name, return_list=return_list)
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


add, mul = _Chain(_scalar.add), _Chain(_scalar.mul)

# ---- other names for the same -------------------------------------------------------------------------------------

subtract, multiply, divide, true_divide, floor_divide, remainder = sub, mul, true_div, true_div, int_div, mod
power, negative, absolute, abs_, sign, square, inv = pow, neg, abs, abs, sgn, sqr, reciprocal
acos, asin, atan, atan2, acosh, asinh, atanh = arccos, arcsin, arctan, arctan2, arccosh, arcsinh, arctanh
less, greater, less_equal, greater_equal, equal, not_equal = lt, gt, le, ge, eq, neq
bitwise_and, bitwise_or, bitwise_xor, bitwise_not, not_ = and_, or_, xor, invert, invert
where, digamma, conjugate = switch, psi, conj


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


def iround(a: Any, mode: str | None = None) -> Any:
    """`round`, as int64."""
    return cast(round(a, mode), "int64")


def fill(a: Any, b: Any) -> Any:
    """The value `b` in the shape of `a`."""
    return elemwise(_scalar.second)(a, b)


second = fill
tensor_copy = elemwise(_scalar.identity)


def isclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Where ``|a - b| <= atol + rtol * |b|``; infinities are close to themselves."""
    x, y = as_tensor_variable(a), as_tensor_variable(b)
    y = cast(y, _np.result_type(y.type.numpy_dtype, 1.0))  # as NumPy: abs of the least integer overflows
    close = abs(x - y) <= atol + rtol * abs(y)
    result = switch(isfinite(x) & isfinite(y), close, eq(x, y))
    return result | (isnan(x) & isnan(y)) if equal_nan else result


def allclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Whether `isclose` holds everywhere."""
    from symgraph.tensor.reduce import all as tensor_all

    return tensor_all(isclose(a, b, rtol, atol, equal_nan))
