"""The table of scalar functions: what each means on numbers, its result type, its partial derivatives, its laws.

A function is one row. ``impl`` is its meaning on NumPy arrays (it folds constants and is what tests compare with);
the result type is NumPy's own, asked of a ufunc; ``partials`` are d out / d input, one for each input, from which the
tensor operation's `L_op` and `R_op` both follow. Where multiplying by a partial is not the right way to pull a
gradient back (``switch`` must not turn inf * 0 into nan), a row gives ``pullback`` instead.

Partials are written with these same functions: applied to numbers they compute, applied to symbolic values they
build. The arguments are z, the function's value, then the inputs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from typing import Any

import numpy as np

__all__ = ["TABLE", "ScalarFunction", "cast_to", "upcast"]

DType = Any  # a numpy.dtype, or one of the Python types int, float, complex for a weak scalar

TABLE: dict[str, ScalarFunction] = {}


class ScalarFunction:
    """One scalar function, applied element by element.

    Parameters
    ----------
    name : str
        Its name in the library; the row's key.
    impl : callable or str
        The function on NumPy arrays: a ufunc, a function of arrays, or ``"module:name"``, a ufunc of SciPy on float32
        and float64, imported on first use.
    partials : tuple of callables, optional
        For each input, d out / d input as a function of (out, *inputs). A plain number stands for a constant.
        None: the derivative is zero wherever it exists.
    pullback : callable, optional
        ``(g, out, *inputs)`` to the gradients, where that is not g times the partials.
    complex_pullback : callable, optional
        The same where the output or an input is complex, for functions that are not holomorphic; those that are take
        g times the conjugated partials (see `symgraph.grad` for what the gradient by a complex number is).
    like : numpy.ufunc, optional
        The ufunc whose result type this function shares; `impl` itself when that is a ufunc.
    types : callable, optional
        Operand dtypes to the resolved ones, output last, for functions no ufunc is like.
    unknown : tuple of int
        The inputs by which no formula for the derivative is known; their partials are not read.
    commutative, associative : bool
    symbol : str, optional
        The infix or prefix sign it prints with.
    """

    def __init__(
        self, name: str, impl: Any, partials: Sequence[Any] | None = (), *, nin: int = 1, pullback: Any = None,
        complex_pullback: Any = None, like: Any = None, types: Callable[..., tuple[DType, ...]] | None = None,
        unknown: tuple[int, ...] = (), commutative: bool = False, associative: bool = False, symbol: str | None = None,
    ) -> None:
        self.name = name
        self._impl = impl
        self.partials = tuple(partials or ())
        self.pullback = pullback
        self.complex_pullback = complex_pullback
        self.nin = len(self.partials) or nin
        self._like = like
        self._types = types
        self.unknown = unknown
        self.commutative = commutative
        self.associative = associative
        self.symbol = symbol

    @cached_property
    def impl(self) -> Callable[..., Any]:
        """The function on NumPy arrays."""
        if isinstance(self._impl, str):
            module, _, name = self._impl.partition(":")
            return _floating(getattr(importlib.import_module(module), name))
        return self._impl

    @property
    def spelling(self) -> str:
        """Where the ufunc lives that computes it, as ``module:name``; empty when no one ufunc does.

        Those of SciPy take and give float32 and float64 only; `impl` takes the other dtypes too.
        """
        if isinstance(self._impl, str):
            return self._impl
        return f"numpy:{self._impl.__name__}" if isinstance(self._impl, np.ufunc) else ""

    def resolve(self, dtypes: tuple[DType, ...]) -> tuple[DType, ...]:
        """The dtypes the operands are brought to and, last, that of the result: NumPy's own rule (NEP 50).

        Raises
        ------
        TypeError
            When the function is not defined on such dtypes.
        """
        ufunc = self._like or self.impl
        try:
            if self._types is not None:
                return self._types(*dtypes)
            return ufunc.resolve_dtypes((*dtypes, None))  # type: ignore[union-attr]
        except TypeError:
            kinds = ", ".join(getattr(d, "name", getattr(d, "__name__", str(d))) for d in dtypes)
            raise TypeError(f"{self.name} is not defined on {kinds}") from None

    def __call__(self, *args: Any) -> Any:
        """Apply to symbolic values, where an argument is one, or compute on numbers and arrays."""
        for value in args:
            lift = getattr(value, "lift_scalar", None)
            if lift is not None:
                return lift(self, args)
        return self.impl(*args)

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> Any:
        return _by_name, (self.name,)


def _by_name(name: str) -> ScalarFunction:
    return cast_to(name[5:-1]) if name.startswith("cast{") else TABLE[name]


Row = ScalarFunction


def _row(name: str, impl: Any, partials: Any = (), **more: Any) -> ScalarFunction:
    function = TABLE[name] = ScalarFunction(name, impl, partials, **more)
    return function


@cache
def cast_to(dtype: str) -> ScalarFunction:
    """The conversion to a dtype, as C and NumPy convert."""
    target = np.dtype(dtype)

    def convert(x: Any) -> Any:
        return np.asarray(x).astype(target)

    return ScalarFunction(f"cast{{{target.name}}}", convert, (1,), types=lambda d: (d, target))


def upcast(*dtypes: str) -> str:
    """The name of the dtype that values of some dtypes are brought to: NumPy's own rule.

    Examples
    --------
    >>> upcast("int32", "float32")
    'float64'
    """
    return np.result_type(*map(np.dtype, dtypes)).name


# ---- functions no single ufunc computes -------------------------------------------------------------------------


def _switch_types(condition: DType, a: DType, b: DType) -> tuple[DType, ...]:
    joined = np.add.resolve_dtypes((a, b, None))[-1] if _is_weak(a) or _is_weak(b) else np.result_type(a, b)
    return np.dtype(bool), joined, joined, joined


def _is_weak(dtype: DType) -> bool:
    return isinstance(dtype, type)


def _clip_types(x: DType, low: DType, high: DType) -> tuple[DType, ...]:
    joined = np.maximum.resolve_dtypes((np.maximum.resolve_dtypes((x, low, None))[-1], high, None))[-1]
    return joined, joined, joined, joined


def _clip(x: Any, low: Any, high: Any) -> Any:
    return np.minimum(np.maximum(x, low), high)


def _floating(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of single and double floats, on all dtypes that have a float: half precision is computed in single."""

    def compute(*xs: Any) -> Any:
        arrays = [np.asarray(x) for x in xs]
        result = _float_types(*(a.dtype for a in arrays))[-1]
        wide = np.promote_types(result, np.float32)
        return np.asarray(function(*(a.astype(wide, copy=False) for a in arrays)), result)

    return compute


def _float_types(*xs: DType) -> tuple[DType, ...]:
    """The float that holds dtypes, as `numpy.exp` or `numpy.hypot` chooses it; complex numbers are refused."""
    resolved = (np.exp if len(xs) == 1 else np.hypot).resolve_dtypes((*xs, None))
    if resolved[-1].kind == "c":
        raise TypeError("complex")
    return resolved


def _second_types(_: DType, b: DType) -> tuple[DType, ...]:
    return _, b, np.add.resolve_dtypes((b, b, None))[-1] if _is_weak(b) else b


def _second(a: Any, b: Any) -> Any:
    return np.array(np.broadcast_arrays(a, b)[1])


@_floating
def _softplus(x: Any) -> Any:
    with np.errstate(invalid="ignore"):  # of which it speaks when it meets NaN
        return np.logaddexp(x, x.dtype.type(0))


@_floating
def _xlogx(x: Any) -> Any:
    from scipy.special import xlogy

    return xlogy(x, x)


@_floating
def _chi2sf(x: Any, k: Any) -> Any:
    from scipy.special import chdtrc

    return chdtrc(k, x)


@_floating
def _log1mexp(x: Any) -> Any:
    near = x > -0.6931471805599453  # on either side of -log(2), the form that loses nothing
    return np.where(near, np.log(-np.expm1(np.where(near, x, -1))), np.log1p(-np.exp(np.where(near, -1, x))))


@_floating
def _round_half_away(x: Any) -> Any:
    fraction, whole = np.modf(x)  # x + 0.5 would round 0.49999997 up
    return whole + np.copysign(np.abs(fraction) >= 0.5, x)


def _reciprocal(x: Any) -> Any:
    return np.true_divide(1, x)


def _reciprocal_types(x: DType) -> tuple[DType, ...]:
    return np.true_divide.resolve_dtypes((x, x, None))[1:]


def _real_types(x: DType) -> tuple[DType, ...]:
    return x, np.empty(0, x).real.dtype


def _complex_types(a: DType, b: DType) -> tuple[DType, ...]:
    part = _float_types(a, b)[-1]
    part = np.promote_types(part, np.float32)
    return part, part, np.result_type(part, np.complex64)


def _complex(a: Any, b: Any) -> Any:
    a, b = np.broadcast_arrays(a, b)
    result = np.empty(a.shape, _complex_types(a.dtype, b.dtype)[-1])
    result.real, result.imag = a, b  # a + 1j * b would make nan of infinities
    return result


def _angle_types(x: DType) -> tuple[DType, ...]:
    return x, np.arctan2.resolve_dtypes((int, np.empty(0, x).real.dtype, None))[-1]


# ---- arithmetic ------------------------------------------------------------------------------------------------
# A partial is a function of (z, *inputs), z being the value of the function.

add: Row = _row("add", np.add, (1, 1), commutative=True, associative=True, symbol="+")
sub: Row = _row("sub", np.subtract, (1, -1), symbol="-")
mul: Row = _row(
    "mul", np.multiply, (lambda z, x, y: y, lambda z, x, y: x), commutative=True, associative=True, symbol="*"
)
true_div: Row = _row("true_div", np.true_divide, (lambda z, x, y: 1 / y, lambda z, x, y: -z / y), symbol="/",
                pullback=lambda g, z, x, y: (g / y, -(g * z) / y))
int_div: Row = _row("int_div", np.floor_divide, (0, 0), symbol="//")
mod: Row = _row("mod", np.remainder, (1, lambda z, x, y: -floor(x / y)), symbol="%")
fmod: Row = _row("fmod", np.fmod, (1, lambda z, x, y: -trunc(x / y)))
pow: Row = _row("pow", np.power, (
    lambda z, x, y: _power_by_base(x, y),
    lambda z, x, y: z * log(switch(eq(x, 0), 1, x)),           # 0 at x = 0, the limit for y > 0
), symbol="**", complex_pullback=lambda g, z, x, y: (
    g * conj(_power_by_base(x, y)),
    g * conj(z * log(switch(eq(x, 0), 1, x) + 0j)),            # x may be real and negative
))


def _power_by_base(x: Any, y: Any) -> Any:
    """The derivative of x ** y by x: at y = 0 it is 0, also at x = 0, and its own derivative by y is 1 / x."""
    return switch(eq(y, 0), y / switch(eq(x, 0), 1, x), y * pow(x, y - 1))


neg: Row = _row("neg", np.negative, (-1,), symbol="-")
reciprocal: Row = _row("reciprocal", _reciprocal, (lambda z, x: -z * z,), types=_reciprocal_types)
abs: Row = _row("abs", np.absolute, (lambda z, x: sgn(x),), complex_pullback=lambda g, z, x: (g * sgn(x),))
sgn: Row = _row("sgn", np.sign, (0,), complex_pullback=lambda g, z, x: (1j * z * (imag(g * conj(z)) / _size(x)),))
sqr: Row = _row("sqr", np.square, (lambda z, x: 2 * x,))
sqrt: Row = _row("sqrt", np.sqrt, (lambda z, x: 0.5 / z,))
cbrt: Row = _row("cbrt", np.cbrt, (lambda z, x: 1 / (3 * z * z),))
maximum: Row = _row(
    "maximum", np.maximum, (lambda z, x, y: x > y, lambda z, x, y: x <= y), commutative=True, associative=True,
    pullback=lambda g, z, x, y: (switch(x > y, g, 0), switch(x <= y, g, 0)),  # chosen, so that inf is not times 0
)
minimum: Row = _row(
    "minimum", np.minimum, (lambda z, x, y: x < y, lambda z, x, y: x >= y), commutative=True, associative=True,
    pullback=lambda g, z, x, y: (switch(x < y, g, 0), switch(x >= y, g, 0)),
)
clip: Row = _row(
    "clip",
    _clip,
    (lambda z, x, a, b: (x >= a) & (x <= b), lambda z, x, a, b: x < a, lambda z, x, a, b: x > b),
    pullback=lambda g, z, x, a, b: (switch((x >= a) & (x <= b), g, 0), switch(x < a, g, 0), switch(x > b, g, 0)),
    types=_clip_types,
)
second: Row = _row("second", _second, (0, 1), types=_second_types)
identity: Row = _row("identity", np.array, (1,), types=lambda x: (x, x))

# ---- exponentials and logarithms -------------------------------------------------------------------------------

exp: Row = _row("exp", np.exp, (lambda z, x: z,))
exp2: Row = _row("exp2", np.exp2, (lambda z, x: z * float(np.log(2)),))
expm1: Row = _row("expm1", np.expm1, (lambda z, x: exp(x),))
log: Row = _row("log", np.log, (lambda z, x: 1 / x,), pullback=lambda g, z, x: (g / x,))
log2: Row = _row("log2", np.log2, (lambda z, x: 1 / (x * float(np.log(2))),))
log10: Row = _row("log10", np.log10, (lambda z, x: 1 / (x * float(np.log(10))),))
log1p: Row = _row("log1p", np.log1p, (lambda z, x: 1 / (1 + x),), pullback=lambda g, z, x: (g / (1 + x),))
logaddexp: Row = _row(
    "logaddexp", np.logaddexp, (lambda z, x, y: exp(x - z), lambda z, x, y: exp(y - z)), commutative=True
)
sigmoid: Row = _row("sigmoid", "scipy.special:expit", (lambda z, x: z * sigmoid(-x),), types=_float_types)
softplus: Row = _row("softplus", _softplus, (lambda z, x: sigmoid(x),), types=_float_types)

# ---- trigonometry ----------------------------------------------------------------------------------------------

sin: Row = _row("sin", np.sin, (lambda z, x: cos(x),))
cos: Row = _row("cos", np.cos, (lambda z, x: -sin(x),))
tan: Row = _row("tan", np.tan, (lambda z, x: 1 + z * z,))
arcsin: Row = _row("arcsin", np.arcsin, (lambda z, x: 1 / sqrt(1 - x * x),))
arccos: Row = _row("arccos", np.arccos, (lambda z, x: -1 / sqrt(1 - x * x),))
arctan: Row = _row("arctan", np.arctan, (lambda z, x: 1 / (1 + x * x),))
arctan2: Row = _row("arctan2", np.arctan2, (lambda z, y, x: x / (x * x + y * y), lambda z, y, x: -y / (x * x + y * y)))
sinh: Row = _row("sinh", np.sinh, (lambda z, x: cosh(x),))
cosh: Row = _row("cosh", np.cosh, (lambda z, x: sinh(x),))
tanh: Row = _row("tanh", np.tanh, (lambda z, x: 1 - z * z,))
arcsinh: Row = _row("arcsinh", np.arcsinh, (lambda z, x: 1 / sqrt(x * x + 1),))
arccosh: Row = _row("arccosh", np.arccosh, (lambda z, x: 1 / (sqrt(x - 1) * sqrt(x + 1)),))  # one root has a cut more
arctanh: Row = _row("arctanh", np.arctanh, (lambda z, x: 1 / (1 - x * x),))
hypot: Row = _row("hypot", np.hypot, (
    lambda z, x, y: x / switch(eq(z, 0), 1, z),                # 0 at the origin, the subgradient of least norm
    lambda z, x, y: y / switch(eq(z, 0), 1, z),
), commutative=True)
copysign: Row = _row("copysign", np.copysign, (lambda z, x, y: sgn(x) * sgn(z), 0))
nextafter: Row = _row("nextafter", np.nextafter, (1, 0))
heaviside: Row = _row("heaviside", np.heaviside, (0, lambda z, x, y: eq(x, 0)))
spacing: Row = _row("spacing", np.spacing, (0,))
ldexp: Row = _row("ldexp", np.ldexp, nin=2, pullback=lambda g, z, x, n: (ldexp(g, n), None))
deg2rad: Row = _row("deg2rad", np.deg2rad, (float(np.pi / 180),))
rad2deg: Row = _row("rad2deg", np.rad2deg, (float(180 / np.pi),))

# ---- rounding --------------------------------------------------------------------------------------------------

floor: Row = _row("floor", np.floor, (0,))
ceil: Row = _row("ceil", np.ceil, (0,))
trunc: Row = _row("trunc", np.trunc, (0,))
round_half_to_even: Row = _row("round_half_to_even", np.rint, (0,))
round_half_away_from_zero: Row = _row("round_half_away_from_zero", _round_half_away, (0,), types=_float_types)

# ---- comparisons and logic: the result is discrete, so derivatives are zero -------------------------------------

lt: Row = _row("lt", np.less, (0, 0), symbol="<")
gt: Row = _row("gt", np.greater, (0, 0), symbol=">")
le: Row = _row("le", np.less_equal, (0, 0), symbol="<=")
ge: Row = _row("ge", np.greater_equal, (0, 0), symbol=">=")
eq: Row = _row("eq", np.equal, (0, 0), commutative=True, symbol="==")
neq: Row = _row("neq", np.not_equal, (0, 0), commutative=True, symbol="!=")
isnan: Row = _row("isnan", np.isnan, (0,))
isinf: Row = _row("isinf", np.isinf, (0,))
isfinite: Row = _row("isfinite", np.isfinite, (0,))
signbit: Row = _row("signbit", np.signbit, (0,))
logical_and: Row = _row("logical_and", np.logical_and, (0, 0), commutative=True, associative=True)
logical_or: Row = _row("logical_or", np.logical_or, (0, 0), commutative=True, associative=True)
logical_xor: Row = _row("logical_xor", np.logical_xor, (0, 0), commutative=True)
logical_not: Row = _row("logical_not", np.logical_not, (0,))
and_: Row = _row("and_", np.bitwise_and, (0, 0), commutative=True, associative=True, symbol="&")
or_: Row = _row("or_", np.bitwise_or, (0, 0), commutative=True, associative=True, symbol="|")
xor: Row = _row("xor", np.bitwise_xor, (0, 0), commutative=True, associative=True, symbol="^")
invert: Row = _row("invert", np.invert, (0,), symbol="~")
left_shift: Row = _row("left_shift", np.left_shift, (0, 0), symbol="<<")
right_shift: Row = _row("right_shift", np.right_shift, (0, 0), symbol=">>")
gcd: Row = _row("gcd", np.gcd, (0, 0), commutative=True)
lcm: Row = _row("lcm", np.lcm, (0, 0), commutative=True)
bitwise_count: Row = _row("bitwise_count", np.bitwise_count, (0,))
switch: Row = _row("switch", np.where, nin=3, types=_switch_types,
              pullback=lambda g, z, c, a, b: (None, switch(c, g, 0), switch(c, 0, g)),
              complex_pullback=lambda g, z, c, a, b: (None, switch(c, g, 0), switch(c, 0, g)))

# ---- special functions (SciPy's; imported when first computed) --------------------------------------------------

erf: Row = _row("erf", "scipy.special:erf", (lambda z, x: float(2 / np.sqrt(np.pi)) * exp(-x * x),), types=_float_types)
erfc: Row = _row(
    "erfc", "scipy.special:erfc", (lambda z, x: float(-2 / np.sqrt(np.pi)) * exp(-x * x),), types=_float_types
)
gammaln: Row = _row("gammaln", "scipy.special:gammaln", (lambda z, x: psi(x),), types=_float_types)
gamma: Row = _row("gamma", "scipy.special:gamma", (lambda z, x: z * psi(x),), types=_float_types)
psi: Row = _row("psi", "scipy.special:psi", (lambda z, x: polygamma(1, x),), types=_float_types)


def _polygamma(n: Any, x: Any) -> Any:
    from scipy.special import gamma as factorial

    result = _polygamma_types(np.asarray(n).dtype, np.asarray(x).dtype)[-1]
    order = np.asarray(n, "float64") + 1
    sums = _inverse_powers(order, np.asarray(x, "float64"))
    return np.asarray(np.where(order % 2, -1, 1) * factorial(order) * sums, result)


def _inverse_powers(order: Any, x: Any) -> Any:
    """The sum of ``(x + k) ** -order`` over k = 0, 1, ...; far below 0 the sum over all integers, less the rest.

    SciPy would take a step for each integer between x and 0.
    """
    from scipy.special import zeta

    far = x < -64
    if not np.any(far):
        return zeta(order, x)
    below = np.where(far & np.isfinite(x), x, -64.5)
    part = below - np.floor(below)
    sign = np.where(order % 2, -1, 1)
    whole = zeta(order, part) + sign * zeta(order, 1 - part)
    result = np.where(far, whole - sign * zeta(order, 1 - below), zeta(order, np.where(far, 1, x)))
    return np.where(x == -np.inf, np.inf, result)


def _polygamma_types(n: DType, x: DType) -> tuple[DType, ...]:
    if np.dtype(n).kind not in "iu":
        raise TypeError("the order is an integer")
    return n, *_float_types(x)


polygamma: Row = _row("polygamma", _polygamma, nin=2, types=_polygamma_types,  # for n >= 1; psi is that of n = 0
                 pullback=lambda g, z, n, x: (None, g * polygamma(n + 1, x)))


def _spherical_jn(n: Any, x: Any) -> Any:
    from scipy.special import spherical_jn as function

    result = _polygamma_types(np.asarray(n).dtype, np.asarray(x).dtype)[-1]
    return np.asarray(function(np.asarray(n, "int64"), np.asarray(x, "float64")), result)


def _pull_spherical(g: Any, z: Any, n: Any, x: Any) -> Any:
    # (n j[n-1] - (n + 1) j[n+1]) / (2 n + 1): no division by x (Abramowitz and Stegun, 10.1.20).
    m = n.astype(z.dtype)
    return None, g * (m * spherical_jn(maximum(n - 1, 0), x) - (m + 1) * spherical_jn(n + 1, x)) / (2 * m + 1)


spherical_jn: Row = _row("spherical_jn", _spherical_jn, nin=2, types=_polygamma_types, pullback=_pull_spherical)

_HALF_SQRT_PI = float(np.sqrt(np.pi) / 2)


def _special(name: str, partials: Any, scipy_name: str | None = None, **more: Any) -> ScalarFunction:
    """A row that is a real function of SciPy."""
    return _row(name, f"scipy.special:{scipy_name or name}", partials, types=_float_types, **more)


erfinv: Row = _special("erfinv", (lambda z, x: _HALF_SQRT_PI * exp(z * z),))
erfcinv: Row = _special("erfcinv", (lambda z, x: -_HALF_SQRT_PI * exp(z * z),))
erfcx: Row = _special("erfcx", (lambda z, x: 2 * x * z - 1 / _HALF_SQRT_PI,))
logit: Row = _special("logit", (lambda z, x: 1 / (x * (1 - x)),))
gammainc: Row = _special("gammainc", (0, lambda z, k, x: _gamma_density(k, x)), unknown=(0,))
gammaincc: Row = _special("gammaincc", (0, lambda z, k, x: -_gamma_density(k, x)), unknown=(0,))
chi2sf: Row = _row("chi2sf", _chi2sf, (lambda z, x, k: -0.5 * _gamma_density(k / 2, x / 2), 0), unknown=(1,),
                   types=_float_types)  # the probability that a chi-squared variable of k degrees of freedom exceeds x
betaln: Row = _special("betaln", (lambda z, a, b: psi(a) - psi(a + b), lambda z, a, b: psi(b) - psi(a + b)),
                       commutative=True)
beta: Row = _special("beta", (lambda z, a, b: z * (psi(a) - psi(a + b)), lambda z, a, b: z * (psi(b) - psi(a + b))),
                     commutative=True)
j0: Row = _special("j0", (lambda z, x: -j1(x),))
j1: Row = _special("j1", (lambda z, x: 0.5 * (j0(x) - jv(2, x)),))
jv: Row = _special("jv", (0, lambda z, v, x: 0.5 * (jv(v - 1, x) - jv(v + 1, x))), unknown=(0,))
i0: Row = _special("i0", (lambda z, x: i1(x),))
i1: Row = _special("i1", (lambda z, x: 0.5 * (i0(x) + iv(2, x)),))
iv: Row = _special("iv", (0, lambda z, v, x: 0.5 * (iv(v - 1, x) + iv(v + 1, x))), unknown=(0,))
xlogy0: Row = _special("xlogy0", (
    lambda z, x, y: log(y),
    lambda z, x, y: x / switch(eq(x, 0) & eq(y, 0), 1, y),     # 0 at x = y = 0: the function is 0 there for any y
), "xlogy")
xlogx: Row = _row("xlogx", _xlogx, (lambda z, x: log(x) + 1,), types=_float_types)
log1mexp: Row = _row("log1mexp", _log1mexp, (lambda z, x: -1 / expm1(-x),), types=_float_types)
sinc: Row = _row("sinc", _floating(np.sinc), (
    lambda z, x: float(-np.pi) * spherical_jn(1, float(np.pi) * x),  # exact near 0, where a quotient would not be
), types=_float_types)


def _gamma_density(k: Any, x: Any) -> Any:
    return exp((k - 1) * log(x) - x - gammaln(k))


# ---- complex numbers -------------------------------------------------------------------------------------------
# Their gradients by a complex input z = a + ib are dC/da + i dC/db.

conj: Row = _row("conj", np.conjugate, (1,), complex_pullback=lambda g, z, x: (conj(g),))
real: Row = _row("real", np.real, (1,), types=_real_types, complex_pullback=lambda g, z, x: (g,))
imag: Row = _row("imag", np.imag, (0,), types=_real_types, complex_pullback=lambda g, z, x: (1j * g,))
angle: Row = _row("angle", np.angle, (0,), types=_angle_types,
                  complex_pullback=lambda g, z, x: (1j * sgn(x) * (g / _size(x)),))
complex: Row = _row("complex", _complex, nin=2, types=_complex_types, pullback=lambda g, z, a, b: (real(g), imag(g)),
                    complex_pullback=lambda g, z, a, b: (real(g), imag(g)))


def _size(x: Any) -> Any:
    """The absolute value of what is divided by it: 1 at 0, where the direction is 0."""
    return abs(switch(eq(x, 0), 1, x))
