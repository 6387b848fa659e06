"""Scalar functions in CUDA C: rows of `symgraph.scalar.TABLE` as expressions that have, on any dtype, NumPy's meaning.

A row below spells a function for kinds of operands: ``b`` booleans, ``i`` and ``u`` integers, ``f`` floats, ``c``
complex numbers. In a row ``{0}``, ``{1}``, ... are the operands, brought to the dtypes that the function resolves to;
``{T}`` is their C type, ``{U}`` the unsigned type in which integers of this type wrap around, and ``{f}`` is ``f`` in
single precision, as C's mathematical functions have it. Half precision is computed in single and rounded, as NumPy
does it; ``d`` spells a function of floats that is computed in double whatever the dtype.

What NumPy raises for, a kernel cannot: an integer to a negative power gives the whole part of the true value here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.scalar import ScalarFunction

__all__ = ["MISSING", "ROWS", "ctype", "expression", "is_supported", "literal"]

_CTYPES = {
    "bool": "bool", "int8": "signed char", "int16": "short", "int32": "int", "int64": "long long",
    "uint8": "unsigned char", "uint16": "unsigned short", "uint32": "unsigned int", "uint64": "unsigned long long",
    "float16": "sg_half", "float32": "float", "float64": "double",
    "complex64": "sg_complex<float>", "complex128": "sg_complex<double>",
}

_WRAPPED = "(({T})(({U}){0} %s ({U}){1}))"


def _libm(name: str, more: str = "") -> dict[str, str]:
    """A function of C of one operand, with the complex one of our own."""
    return {"f": f"{name}{{f}}({{0}}{more})", "c": f"sg_z{name}({{0}})"}


def _compared(sign: str, less: str, swapped: bool = False) -> dict[str, str]:
    a, b = ("{1}", "{0}") if swapped else ("{0}", "{1}")
    return {"biuf": f"({{0}} {sign} {{1}})", "c": f"{less}({a}, {b})"}


def _truth(text: str) -> dict[str, str]:
    return {"biufc": text}


_SAME = {"biufc": "{0}"}

#: From functions to their spellings; a spelling is for each of the kinds in its key.
ROWS: dict[str, dict[str, str]] = {
    "add": {"b": "({0} || {1})", "iu": _WRAPPED % "+", "f": "({0} + {1})", "c": "sg_zadd({0}, {1})"},
    "sub": {"iu": _WRAPPED % "-", "f": "({0} - {1})", "c": "sg_zsub({0}, {1})"},
    "mul": {"b": "({0} && {1})", "iu": _WRAPPED % "*", "f": "({0} * {1})", "c": "sg_zmul({0}, {1})"},
    "true_div": {"f": "({0} / {1})", "c": "sg_zdiv({0}, {1})"},
    "int_div": {"iu": "sg_int_div<{T}, {U}>({0}, {1})", "f": "sg_floor_div({0}, {1})"},
    "mod": {"iu": "sg_int_mod<{T}>({0}, {1})", "f": "sg_mod({0}, {1})"},
    "fmod": {"iu": "sg_int_fmod<{T}>({0}, {1})", "f": "fmod{f}({0}, {1})"},
    "pow": {"iu": "sg_int_pow<{T}, {U}>({0}, {1})", "f": "pow{f}({0}, {1})", "c": "sg_zpow({0}, {1})"},
    "neg": {"iu": "({T})(({U})0 - ({U}){0})", "f": "(-{0})", "c": "sg_zneg({0})"},
    "reciprocal": {"f": "(({T})1 / {0})", "c": "sg_zdiv(sg_pair(({P})1, ({P})0), {0})"},
    "abs": {"bu": "{0}", "i": "({T})sg_size<{T}, {U}>({0})", "f": "fabs{f}({0})", "c": "sg_zabs({0})"},
    "sgn": {"iuf": "sg_sgn<{T}>({0})", "c": "sg_zsgn({0})"},
    "sqr": {"iu": "({T})(({U}){0} * ({U}){0})", "f": "({0} * {0})", "c": "sg_zsqr({0})"},
    "sqrt": _libm("sqrt"),
    "cbrt": {"f": "cbrt{f}({0})"},
    "maximum": {"b": "({0} || {1})", "iu": "({0} > {1} ? {0} : {1})", "f": "sg_maximum({0}, {1})",
                "c": "sg_zmaximum({0}, {1})"},
    "minimum": {"b": "({0} && {1})", "iu": "({0} < {1} ? {0} : {1})", "f": "sg_minimum({0}, {1})",
                "c": "sg_zminimum({0}, {1})"},
    "clip": {"b": "(({0} || {1}) && {2})", "iuf": "sg_minimum(sg_maximum({0}, {1}), {2})",
             "c": "sg_zminimum(sg_zmaximum({0}, {1}), {2})"},
    "second": {"biufc": "{1}"},
    "identity": _SAME,
    # ---- exponentials and logarithms
    "exp": _libm("exp"), "exp2": _libm("exp2"), "expm1": _libm("expm1"), "log": _libm("log"), "log2": _libm("log2"),
    "log10": _libm("log10"), "log1p": _libm("log1p"),
    "logaddexp": {"f": "sg_logaddexp({0}, {1})"},
    "sigmoid": {"f": "sg_sigmoid({0})"},
    "softplus": {"f": "sg_softplus({0})"},
    # ---- trigonometry
    "sin": _libm("sin"), "cos": _libm("cos"), "tan": _libm("tan"), "arcsin": _libm("asin"), "arccos": _libm("acos"),
    "arctan": _libm("atan"), "sinh": _libm("sinh"), "cosh": _libm("cosh"), "tanh": _libm("tanh"),
    "arcsinh": _libm("asinh"), "arccosh": _libm("acosh"), "arctanh": _libm("atanh"),
    "arctan2": {"f": "atan2{f}({0}, {1})"},
    "hypot": {"f": "hypot{f}({0}, {1})"},
    "copysign": {"f": "copysign{f}({0}, {1})"},
    "nextafter": {"f": "nextafter{f}({0}, {1})"},
    "heaviside": {"f": "sg_heaviside({0}, {1})"},
    "spacing": {"f": "sg_spacing({0})"},
    "ldexp": {"f": "ldexp{f}({0}, sg_exponent({1}))"},
    "deg2rad": {"f": "({0} * (({T})3.14159265358979323846 / ({T})180))"},
    "rad2deg": {"f": "({0} * (({T})180 / ({T})3.14159265358979323846))"},
    # ---- rounding
    "floor": {"biu": "{0}", "f": "floor{f}({0})"},
    "ceil": {"biu": "{0}", "f": "ceil{f}({0})"},
    "trunc": {"biu": "{0}", "f": "trunc{f}({0})"},
    "round_half_to_even": {"f": "rint{f}({0})", "c": "sg_zrint({0})"},
    "round_half_away_from_zero": {"f": "sg_round_away({0})"},
    # ---- comparisons and logic
    "lt": _compared("<", "sg_zless"), "gt": _compared(">", "sg_zless", True),
    "le": _compared("<=", "sg_zat_most"), "ge": _compared(">=", "sg_zat_most", True),
    "eq": _compared("==", "sg_zequal"), "neq": _compared("!=", "!sg_zequal"),
    "isnan": {"biu": "false", "f": "sg_isnan({0})", "c": "sg_zisnan({0})"},
    "isinf": {"biu": "false", "f": "sg_isinf({0})", "c": "(sg_isinf({0}.re) || sg_isinf({0}.im))"},
    "isfinite": {"biu": "true", "f": "sg_isfinite({0})", "c": "(sg_isfinite({0}.re) && sg_isfinite({0}.im))"},
    "signbit": {"f": "sg_signbit({0})"},
    "logical_and": _truth("({?0} && {?1})"), "logical_or": _truth("({?0} || {?1})"),
    "logical_xor": _truth("({?0} != {?1})"), "logical_not": _truth("(!{?0})"),
    "and_": {"b": "({0} && {1})", "iu": "({T})({0} & {1})"},
    "or_": {"b": "({0} || {1})", "iu": "({T})({0} | {1})"},
    "xor": {"b": "({0} != {1})", "iu": "({T})({0} ^ {1})"},
    "invert": {"b": "(!{0})", "iu": "(({T})~{0})"},
    "left_shift": {"iu": "sg_left_shift<{T}, {U}>({0}, {1})"},
    "right_shift": {"iu": "sg_right_shift<{T}>({0}, {1})"},
    "gcd": {"iu": "sg_gcd<{T}, {U}>({0}, {1})"},
    "lcm": {"iu": "sg_lcm<{T}, {U}>({0}, {1})"},
    "bitwise_count": {"u": "sg_bitwise_count({0})", "i": "sg_bitwise_count(sg_size<{T}, {U}>({0}))"},
    "switch": {"biufc": "({0} ? {1} : {2})"},
    # ---- special functions
    "erf": {"f": "erf{f}({0})"},
    "erfc": {"f": "erfc{f}({0})"},
    "gammaln": {"f": "sg_gammaln({0})"},
    "gamma": {"f": "sg_gamma({0})"},
    "psi": {"d": "sg_psi({0})"},
    "polygamma": {"d": "sg_polygamma((double){0}, {1})"},
    "spherical_jn": {"d": "sg_spherical_jn((double){0}, {1})"},
    "erfinv": {"d": "sg_erfinv({0})"},
    "erfcinv": {"d": "sg_erfcinv({0})"},
    "erfcx": {"d": "sg_erfcx({0})"},
    "logit": {"f": "sg_logit({0})"},
    "gammainc": {"d": "sg_gammainc({0}, {1})"},
    "gammaincc": {"d": "sg_gammaincc({0}, {1})"},
    "chi2sf": {"d": "sg_chi2sf({0}, {1})"},
    "betaln": {"d": "sg_betaln({0}, {1})"},
    "beta": {"d": "sg_beta({0}, {1})"},
    "j0": {"f": "j0{f}({0})"},
    "j1": {"f": "j1{f}({0})"},
    "jv": {"d": "sg_jv({0}, {1})"},
    "i0": {"d": "sg_i0({0})"},
    "i1": {"d": "sg_i1({0})"},
    "iv": {"d": "sg_iv({0}, {1})"},
    "xlogy0": {"f": "sg_xlogy({0}, {1})"},
    "xlogx": {"f": "sg_xlogy({0}, {0})"},
    "log1mexp": {"f": "sg_log1mexp({0})"},
    "sinc": {"f": "sg_sinc({0})"},
    # ---- complex numbers
    "conj": {"iuf": "{0}", "c": "sg_zconj({0})"},
    "real": {"biuf": "{0}", "c": "{0}.re"},
    "imag": {"biuf": "({T})0", "c": "{0}.im"},
    "angle": {"f": "atan2{f}(({T})0, {0})", "c": "sg_atan2({0}.im, {0}.re)"},
    "complex": {"f": "sg_pair({0}, {1})"},
}

#: Functions no kernel can compute, each with the reason.
MISSING: dict[str, str] = {}

#: Those of half precision that go by its own bits.
_OF_HALVES = {
    "nextafter": "sg_hnextafter({0}, {1})", "spacing": "sg_hspacing({0})",
    "maximum": "sg_hmaximum({0}, {1})", "minimum": "sg_hminimum({0}, {1})",  # of equal zeros another than in single
    "clip": "sg_hminimum(sg_hmaximum({0}, {1}), {2})",
}
#: Complex functions without parts of their own precision.
_IN_DOUBLE = frozenset((
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "pow", "sin", "cos", "tan", "sinh", "cosh", "tanh",
    "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh",
))
_ORDERS = frozenset(("lt", "gt", "le", "ge", "eq", "neq"))
_MIXED = {  # int64 beside uint64, which no C type holds both of
    "lt": "sg_less({0}, {1})", "gt": "sg_less({1}, {0})", "le": "(!sg_less({1}, {0}))", "ge": "(!sg_less({0}, {1}))",
    "eq": "sg_equal({0}, {1})", "neq": "(!sg_equal({0}, {1}))",
}


def ctype(dtype: Any) -> str:
    """The C type of a dtype's elements, in memory and in registers.

    Raises
    ------
    TypeError
        For dtypes kernels cannot hold.

    Examples
    --------
    >>> ctype("float32"), ctype("int64"), ctype("complex64")
    ('float', 'long long', 'sg_complex<float>')
    """
    name = np.dtype(dtype).name
    if name not in _CTYPES:
        raise TypeError(f"there are no CUDA kernels for {name}")
    return _CTYPES[name]


def literal(value: Any, dtype: Any) -> str:
    """A number in CUDA C, exactly.

    Parameters
    ----------
    value : number
        Converted to the dtype.
    dtype : str or numpy.dtype

    Examples
    --------
    >>> literal(0.1, "float32"), literal(-1, "int64"), literal(float("inf"), "float64")
    ('0x1.99999a0000000p-4f', '(-1ll)', 'sg_inf<double>()')
    """
    number = np.asarray(value).astype(dtype)
    kind, size = number.dtype.kind, number.dtype.itemsize
    if kind == "b":
        return "true" if number else "false"
    if kind in "iu":
        return _integer(int(number), kind, size, ctype(number.dtype))
    if kind == "c":
        parts = [literal(part, number.real.dtype) for part in (number.real, number.imag)]
        return f"sg_pair({', '.join(parts)})"
    if size == 2:
        return f"sg_to_half({literal(number, 'float32')})"
    return _float(float(number), "float" if size == 4 else "double")


def _integer(number: int, kind: str, size: int, name: str) -> str:
    suffix = {("i", 8): "ll", ("u", 8): "ull", ("u", 4): "u"}.get((kind, size), "")
    if number == -(1 << 8 * size - 1) and size >= 4:  # its size alone is no literal of its type
        return f"({number + 1}{suffix} - 1)"
    text = f"({number}{suffix})" if number < 0 else f"{number}{suffix}"
    return text if size >= 4 else f"({name}){text}"


def _float(number: float, name: str) -> str:
    if number != number:
        return f"sg_nan<{name}>()"
    sign = "-" if np.signbit(number) else ""
    text = f"sg_inf<{name}>()" if np.isinf(number) else f"{abs(number).hex()}{'f' if name == 'float' else ''}"
    return f"({sign}{text})" if sign else text


def is_supported(function: ScalarFunction, in_dtypes: Sequence[Any]) -> bool:
    """Whether kernels can compute a function of operands of these dtypes.

    Examples
    --------
    >>> from symgraph.scalar import TABLE
    >>> is_supported(TABLE["exp"], ["float32"]), is_supported(TABLE["lt"], ["object", "object"])
    (True, False)
    """
    try:
        expression(function, ["x"] * len(in_dtypes), in_dtypes)
    except TypeError:
        return False
    return True


def expression(function: ScalarFunction, args: Sequence[str], in_dtypes: Sequence[Any], out_dtype: Any = None) -> str:
    """A scalar function as an expression of CUDA C, with the meaning it has in NumPy.

    Parameters
    ----------
    function : ScalarFunction
    args : sequence of str
        Names, literals, calls or expressions in parentheses, each of the C type of its dtype. They may be evaluated
        any number of times. What is returned can itself be an argument.
    in_dtypes : sequence of dtypes
        Of the operands; they need not be those the function resolves to.
    out_dtype : dtype, optional
        To convert the result to; that which the function resolves to if not given.

    Raises
    ------
    TypeError
        When the function is not defined on such dtypes, or no kernel can compute it.

    Examples
    --------
    >>> from symgraph.scalar import TABLE
    >>> expression(TABLE["mul"], ["x", "y"], ["float32", "float32"])
    '(x * y)'
    >>> expression(TABLE["tanh"], ["x"], ["float64"], "float32")
    '((float)tanh(x))'
    """
    dtypes = [np.dtype(d) for d in in_dtypes]
    for dtype in dtypes:
        ctype(dtype)
    if function.name.startswith("cast{"):
        return _cast(args[0], dtypes[0], np.dtype(function.name[5:-1]), out_dtype)
    *operands, result = map(np.dtype, function.resolve(tuple(dtypes)))
    if function.name == "angle" and operands[0].kind != "c":
        operands = [result]
    values = [_cast(a, d, r) for a, d, r in zip(args, dtypes, operands, strict=True)]
    return _cast(*_computed(function.name, values, operands, result), out_dtype)


def _computed(name: str, values: list[str], operands: list[np.dtype[Any]],
              result: np.dtype[Any]) -> tuple[str, np.dtype[Any], np.dtype[Any]]:
    """The text, the dtype it gives, and the dtype that is to become."""
    deciding = operands[-1] if name != "ldexp" else operands[0]
    row = ROWS.get(name)
    if row is None:
        raise TypeError(f"there is no CUDA text for {name}: {MISSING.get(name, 'it has no row')}")
    if name in _ORDERS and operands[0] != operands[1]:
        return _MIXED[name].format(*values), result, result
    if name in _OF_HALVES and deciding == np.float16:
        return _OF_HALVES[name].format(*values), result, result
    spelling, wide = _spelling(name, row, deciding), deciding
    if "d" in row:
        wide = np.dtype(np.float64)
    elif deciding.kind == "c" and name in _IN_DOUBLE:
        wide = np.dtype(np.complex128)
    elif deciding == np.float16 and name not in ("second", "identity", "switch", "conj", "real"):
        wide = np.dtype(np.float32)
    values = [_cast(v, d, wide) if d == deciding else v for v, d in zip(values, operands, strict=True)]
    given = wide if result == deciding else result
    if deciding.kind == "c" and result.kind == "f":
        given = np.dtype(result)
    elif "d" in row:
        given = wide
    return _filled(spelling, values, wide), given, result


def _spelling(name: str, row: dict[str, str], dtype: np.dtype[Any]) -> str:
    for kinds, text in row.items():
        if dtype.kind in kinds or (kinds == "d" and dtype.kind == "f"):
            return text
    raise TypeError(f"there is no CUDA text for {name} of {dtype}")


def _filled(spelling: str, values: list[str], dtype: np.dtype[Any]) -> str:
    if "{?" in spelling:
        for i, value in enumerate(values):
            spelling = spelling.replace(f"{{?{i}}}", _cast(value, dtype, np.dtype(bool)))
        return spelling
    unsigned = "unsigned long long" if dtype.itemsize == 8 else "unsigned int"
    part = "double" if dtype.itemsize == 16 else "float"
    return spelling.format(*values, T=ctype(dtype), U=unsigned, P=part, f="" if dtype.itemsize == 8 else "f")


def _cast(text: str, dtype: np.dtype[Any], *targets: Any) -> str:
    """A value converted to one dtype after the other; None stands for no conversion."""
    for target in targets:
        if target is not None:
            text, dtype = _converted(text, dtype, np.dtype(target)), np.dtype(target)
    return text


def _converted(text: str, dtype: np.dtype[Any], target: np.dtype[Any]) -> str:
    if dtype == target:
        return text
    if dtype == np.float16:
        return _converted(f"sg_float({text})", np.dtype(np.float32), target)
    if target.kind == "b":
        return f"({text}.re != 0 || {text}.im != 0)" if dtype.kind == "c" else f"({text} != 0)"
    if dtype.kind == "c":
        if target.kind == "c":
            return f"sg_convert<{'float' if target.itemsize == 8 else 'double'}>({text})"
        return _converted(f"{text}.re", np.empty(0, dtype).real.dtype, target)
    if target.kind == "c":
        part = np.empty(0, target).real.dtype
        return f"sg_pair({_converted(text, dtype, part)}, ({ctype(part)})0)"
    if target == np.float16:
        return f"sg_to_half({text})" if dtype.kind == "f" else f"sg_to_half((float){text})"
    return f"(({ctype(target)}){text})"
