"""Records of the elementwise functions: one for each row of the scalar table that has a public name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special as special

import symgraph.tensor as T
from tests.records.base import Array, random_array

STEPS = "it is constant but for jumps"
DISCRETE = "its result is discrete"

Interval = tuple[float, float]


@dataclass(frozen=True)
class Elementwise:
    """One elementwise function.

    Attributes
    ----------
    name : str
    call, reference : callable
        On tensors, and on arrays.
    domain : tuple of intervals
        Where it is smooth, one for each argument; values and derivatives are tried there.
    integers : tuple of intervals
        The same for integer arguments.
    gradient : str
        Empty where derivatives are tested; else the reason why not.
    order : int
        2 where the second derivative is tested as well.
    dtype_of : callable or None
        From the arguments' dtypes to the result's, where the reference does not show it.
    special : bool
        Whether infinities and NaN are tried too.
    wrt : tuple of int or None
        The arguments to differentiate by.
    integral : tuple of int
        The arguments that are integers, whatever the others are.
    """

    name: str
    call: Callable[..., Any]
    reference: Callable[..., Any]
    domain: tuple[Interval, ...]
    integers: tuple[Interval, ...]
    gradient: str = ""
    order: int = 2
    dtype_of: Any = None
    special: bool = True
    wrt: tuple[int, ...] | None = None
    integral: tuple[int, ...] = ()

    @property
    def nin(self) -> int:
        """How many arguments."""
        return len(self.domain)

    def sample(self, rng: np.random.Generator, dtypes: Iterable[str], shapes: Iterable[tuple[int, ...]]) -> list[Array]:
        """Random arguments of the given dtypes and shapes, inside the domain."""
        dtypes = ["int64" if place in self.integral else dtype for place, dtype in enumerate(dtypes)]
        return [
            random_array(rng, dtype, shape, *(real if np.dtype(dtype).kind in "fc" else whole))
            for dtype, shape, real, whole in zip(dtypes, shapes, self.domain, self.integers, strict=True)
        ]

    def expected(self, *values: Array) -> Array:
        """The reference's value; TypeError where NumPy does not define one."""
        if self.name in REFUSED and any(v.dtype.kind in REFUSED[self.name] for v in values):
            raise TypeError("not defined here")
        result = np.asarray(self.reference(*values))
        if result.dtype == object:
            raise TypeError("not defined by NumPy")
        if self.dtype_of is not None:
            result = result.astype(self.dtype_of(*(v.dtype for v in values)))
        return result

    def __str__(self) -> str:
        return self.name


#: Kinds of dtype an operation refuses although its reference has some meaning for them.
REFUSED: dict[str, str] = dict.fromkeys(
    ("gamma", "psi", "erf", "erfc", "sigmoid", "softplus", "round_half_away_from_zero", "gammaln", "polygamma",
     "erfinv", "erfcinv", "erfcx", "logit", "gammainc", "gammaincc", "beta", "betaln", "spherical_jn", "j0", "j1",
     "jv", "i0", "i1", "iv", "xlogx", "xlogy0", "log1mexp", "sinc", "trigamma", "chi2sf", "complex",
     "complex_from_polar"), "c")


def like_exp(*dtypes: Any) -> Any:
    """What `numpy.exp` makes of a dtype: the rule for functions that come from SciPy, which has no half precision."""
    return (np.exp if len(dtypes) == 1 else np.hypot).resolve_dtypes((*dtypes, None))[-1]


def _pairs(a: Array, b: Array) -> Any:
    """The numbers a + ib, infinities kept in their parts."""
    a, b = np.broadcast_arrays(a, b)
    result = np.empty(a.shape, np.result_type(like_exp(a.dtype, b.dtype), "complex64"))
    result.real, result.imag = a, b
    return result


def _half_away(x: Array) -> Any:
    x = x.astype(like_exp(x.dtype))
    rounded = np.rint(x)
    return np.where(np.abs(x - np.trunc(x)) == 0.5, np.trunc(x) + np.sign(x), rounded).astype(rounded.dtype)


def _divide_one(x: Array) -> Any:
    return np.true_divide(np.ones((), x.dtype), x)


def _wide(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of doubles: a reference at least as exact as what is tested."""
    return lambda *xs: function(*(x if x.dtype.kind == "c" else x.astype("float64") for x in xs))


ANY: Interval = (-2.0, 2.0)
POSITIVE: Interval = (0.3, 2.5)
NATURAL: Interval = (1, 5)


def unary(name: str, reference: Callable[..., Any], domain: Interval = ANY, integers: Interval = (-5, 5), *,
          call: Any = None, **more: Any) -> Elementwise:
    return Elementwise(name, call or getattr(T, name), reference, (domain,), (integers,), **more)


def binary(name: str, reference: Callable[..., Any], a: Interval = ANY, b: Interval | None = None, *,
           integers: tuple[Interval, Interval] = ((-5, 5), (-5, 5)), **more: Any) -> Elementwise:
    return Elementwise(name, getattr(T, name), reference, (a, b or a), integers, **more)


_UNARY = (
    unary("neg", np.negative),
    unary("reciprocal", _divide_one, POSITIVE, NATURAL),
    unary("abs", np.absolute, POSITIVE),
    unary("sgn", np.sign, POSITIVE, gradient=STEPS),
    unary("sqr", np.square),
    unary("sqrt", np.sqrt, POSITIVE, (0, 9)),
    unary("cbrt", np.cbrt, POSITIVE),
    unary("exp", np.exp),
    unary("exp2", np.exp2),
    unary("expm1", np.expm1),
    unary("log", np.log, POSITIVE, NATURAL),
    unary("log2", np.log2, POSITIVE, NATURAL),
    unary("log10", np.log10, POSITIVE, NATURAL),
    unary("log1p", np.log1p, (-0.6, 2.0), (0, 5)),
    unary("sigmoid", _wide(special.expit), dtype_of=like_exp),
    unary("softplus", _wide(lambda x: np.logaddexp(x, 0)), dtype_of=like_exp),
    unary("sin", np.sin),
    unary("cos", np.cos),
    unary("tan", np.tan, (-1.2, 1.2)),
    unary("arcsin", np.arcsin, (-0.8, 0.8), (-1, 1)),
    unary("arccos", np.arccos, (-0.8, 0.8), (-1, 1)),
    unary("arctan", np.arctan),
    unary("sinh", np.sinh),
    unary("cosh", np.cosh),
    unary("tanh", np.tanh),
    unary("arcsinh", np.arcsinh),
    unary("arccosh", np.arccosh, (1.2, 3.0), NATURAL),
    unary("arctanh", np.arctanh, (-0.8, 0.8), (0, 0)),
    unary("deg2rad", np.deg2rad),
    unary("rad2deg", np.rad2deg),
    unary("floor", np.floor, (0.1, 0.9), gradient=STEPS),
    unary("ceil", np.ceil, (0.1, 0.9), gradient=STEPS),
    unary("trunc", np.trunc, (0.1, 0.9), gradient=STEPS),
    unary("round_half_to_even", np.rint, gradient=STEPS),
    unary("round_half_away_from_zero", _half_away, gradient=STEPS),
    unary("round", np.rint, gradient=STEPS),
    unary("isnan", np.isnan, gradient=DISCRETE),
    unary("isinf", np.isinf, gradient=DISCRETE),
    unary("isfinite", np.isfinite, gradient=DISCRETE),
    unary("signbit", np.signbit, gradient=DISCRETE),
    unary("logical_not", np.logical_not, gradient=DISCRETE),
    unary("invert", np.invert, gradient=DISCRETE),
    unary("erf", _wide(special.erf), dtype_of=like_exp),
    unary("erfc", _wide(special.erfc), dtype_of=like_exp),
    unary("gammaln", _wide(special.gammaln), POSITIVE, NATURAL, dtype_of=like_exp),
    unary("gamma", _wide(special.gamma), POSITIVE, NATURAL, dtype_of=like_exp),
    unary("psi", _wide(special.psi), POSITIVE, NATURAL, dtype_of=like_exp),
    unary("conj", np.conjugate),
    unary("real", np.real),
    unary("imag", np.imag, gradient=STEPS),  # of real numbers it is 0, and the angle 0 or pi
    unary("angle", np.angle, gradient=STEPS),
    unary("tensor_copy", np.array),
)

_BINARY = (
    binary("add", np.add),
    binary("sub", np.subtract),
    binary("mul", np.multiply),
    binary("true_div", np.true_divide, ANY, POSITIVE, integers=((-5, 5), NATURAL)),
    binary("int_div", np.floor_divide, (0.1, 0.9), (1.0, 2.0), integers=((-5, 5), NATURAL), gradient=STEPS),
    binary("mod", np.remainder, (0.1, 0.9), (1.0, 2.0), integers=((-5, 5), NATURAL)),
    binary("fmod", np.fmod, (-0.9, -0.1), (1.0, 2.0), integers=((-5, 5), NATURAL)),
    binary("pow", np.power, POSITIVE, ANY, integers=((-3, 3), (0, 3))),
    binary("maximum", np.maximum, (-2.0, -0.1), (0.1, 2.0)),
    binary("minimum", np.minimum, (-2.0, -0.1), (0.1, 2.0)),
    binary("logaddexp", np.logaddexp),
    binary("arctan2", np.arctan2, POSITIVE),
    binary("hypot", np.hypot, POSITIVE),
    binary("complex", _pairs),
    binary("complex_from_polar", lambda size, turn: _pairs(size * np.cos(turn), size * np.sin(turn))),
    binary("copysign", np.copysign, POSITIVE, (-3, -0.1)),
    binary("nextafter", np.nextafter),
    binary("heaviside", np.heaviside, gradient=STEPS),
    binary("lcm", np.lcm, gradient=DISCRETE),
    unary("bitwise_count", np.bitwise_count, gradient=DISCRETE),
    unary("spacing", np.spacing, POSITIVE, NATURAL, gradient=STEPS),
    Elementwise("ldexp", T.ldexp, np.ldexp, (ANY, (-3, 3)), ((-5, 5), (-3, 3)), wrt=(0,), integral=(1,)),
    *(binary(name, reference, gradient=DISCRETE) for name, reference in (
        ("lt", np.less), ("gt", np.greater), ("le", np.less_equal), ("ge", np.greater_equal), ("eq", np.equal),
        ("neq", np.not_equal), ("logical_and", np.logical_and), ("logical_or", np.logical_or),
        ("logical_xor", np.logical_xor), ("and_", np.bitwise_and), ("or_", np.bitwise_or), ("xor", np.bitwise_xor),
        ("gcd", np.gcd))),
    binary("left_shift", np.left_shift, integers=((0, 9), (0, 3)), gradient=DISCRETE),
    binary("right_shift", np.right_shift, integers=((0, 9), (0, 3)), gradient=DISCRETE),
)

_MORE = (
    Elementwise("switch", T.switch, np.where, ((0.1, 1.0), ANY, ANY), ((0, 1), (-5, 5), (-5, 5)), wrt=(1, 2)),
    Elementwise("clip", T.clip, lambda x, low, high: np.minimum(np.maximum(x, low), high),
                ((-0.9, 0.9), (-2.0, -1.0), (1.0, 2.0)), ((-5, 5), (-3, 0), (1, 4))),
    Elementwise("fill", T.fill, lambda a, b: np.array(np.broadcast_arrays(a, b)[1]), (ANY, ANY), ((-5, 5), (-5, 5)),
                wrt=(1,)),
    Elementwise("polygamma", T.polygamma, lambda n, x: special.polygamma(n, x.astype("float64")), (NATURAL, POSITIVE),
                (NATURAL, NATURAL), dtype_of=lambda n, x: like_exp(x), wrt=(1,), integral=(0,), special=False),
    Elementwise("spherical_jn", T.spherical_jn, lambda n, x: special.spherical_jn(n, x.astype("float64")),
                ((0, 3), ANY), ((0, 3), (-5, 5)), dtype_of=lambda n, x: like_exp(x), wrt=(1,), integral=(0,),
                special=False),
    Elementwise("isclose", T.isclose, np.isclose, (ANY, ANY), ((-3, 3), (-3, 3)), gradient=DISCRETE),
)

UNIT: Interval = (0.1, 0.9)
ORDERS: Interval = (0.5, 3.0)
_BY_ORDER: dict[str, Any] = {"integers": ((1, 4), NATURAL), "dtype_of": like_exp, "wrt": (1,), "special": False}


def _log1mexp(x: Array) -> Any:
    return np.where(x > -0.69, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


_SPECIAL = (
    unary("erfinv", _wide(special.erfinv), (-0.8, 0.8), (0, 0), dtype_of=like_exp),
    unary("erfcinv", _wide(special.erfcinv), (0.2, 1.8), (1, 1), dtype_of=like_exp),
    unary("erfcx", _wide(special.erfcx), dtype_of=like_exp),
    unary("logit", _wide(special.logit), UNIT, (0, 1), dtype_of=like_exp),
    unary("j0", _wide(special.j0), dtype_of=like_exp, special=False),
    unary("j1", _wide(special.j1), dtype_of=like_exp, special=False),
    unary("i0", _wide(special.i0), dtype_of=like_exp, special=False),
    unary("i1", _wide(special.i1), dtype_of=like_exp, special=False),
    unary("xlogx", _wide(lambda x: special.xlogy(x, x)), POSITIVE, (0, 5), dtype_of=like_exp),
    unary("log1mexp", _wide(_log1mexp), (-2.0, -0.1), (-5, -1), dtype_of=like_exp, special=False),
    unary("sinc", _wide(np.sinc), dtype_of=like_exp, special=False),
    unary("trigamma", _wide(lambda x: special.polygamma(1, x)), POSITIVE, NATURAL, dtype_of=like_exp, special=False),
    binary("beta", _wide(special.beta), POSITIVE, integers=(NATURAL, NATURAL), dtype_of=like_exp, special=False),
    binary("betaln", _wide(special.betaln), POSITIVE, integers=(NATURAL, NATURAL), dtype_of=like_exp, special=False),
    binary("xlogy0", _wide(special.xlogy), ANY, POSITIVE, integers=((-5, 5), NATURAL), dtype_of=like_exp),
    binary("gammainc", _wide(special.gammainc), ORDERS, POSITIVE, **_BY_ORDER),
    binary("gammaincc", _wide(special.gammaincc), ORDERS, POSITIVE, **_BY_ORDER),
    binary("jv", _wide(special.jv), ORDERS, POSITIVE, **_BY_ORDER),
    binary("iv", _wide(special.iv), ORDERS, POSITIVE, **_BY_ORDER),
    binary("chi2sf", _wide(lambda x, k: special.chdtrc(k, x)), POSITIVE, ORDERS, **{**_BY_ORDER, "wrt": (0,)}),
)

ELEMENTWISE: tuple[Elementwise, ...] = (*_UNARY, *_BINARY, *_MORE, *_SPECIAL)
