"""Standard variates as functions of random words: one row for each.

A word of 64 bits gives one float64, or the two halves of it (the lower first) two float32 or float16. Of a word w of
n bits, with p the digits of the dtype's significand (53, 24, 11),

    unit(w) = (w >> (n - p)) * 2**-p                     in [0, 1), exact
    open(w) = ((w >> (n - p + 1)) + 1/2) * 2**(1 - p)    in (0, 1), exact, as dense near 0 as near 1

and from u = open(w), element by element, with the functions of the dtype itself (those of float32 for float16, the
result rounded):

    exponential   -log(u)
    logistic      log(u) - log(1 - u)
    gumbel        -log(-log(u))
    laplace       sign(v) * -log(1 - 2 |v|)              with v = u - 1/2
    cauchy        tan(pi * v)
    truncated     the normal quantile of F(-2) + u * (F(2) - F(-2)): normal, kept within two deviations
    normal        of two words a and b, element 2 j and 2 j + 1 (Box and Muller, 1958):
                  sqrt(-2 log(open(a))) * cos(2 pi unit(b)) and the same with sin

No normal number is further from 0 than 5.8 (float32) or 8.6 (float64): what is rarer than one in 2**24 or 2**53 is
left out.

So integers and uniform numbers are the same bits on every device; the others differ by the rounding of its functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgraph.random.philox import Array

__all__ = ["STANDARD", "open_unit", "per_word", "unit"]

_DIGITS = {"float64": 53, "float32": 24, "float16": 11}


def per_word(dtype: str) -> int:
    """How many elements of a dtype one word of 64 bits gives."""
    return 1 if dtype in ("float64", "uint64", "int64") else 2


def _bits(word: Array, dtype: str) -> Array:
    """Words of the size a dtype takes."""
    return word if per_word(dtype) == 1 else word.astype("<u8", copy=False).view("<u4")


class _Scale:
    """How words become floats of a dtype: by their leading digits, as whole numbers, times a power of two."""

    def __init__(self, dtype: str, digits: int) -> None:
        size = 64 if dtype == "float64" else 32
        self.shift = np.dtype(f"uint{size}").type(size - digits)
        self.signed = np.dtype(f"int{size}")  # integers with a sign become floats faster
        self.dtype = np.dtype("float64" if dtype == "float64" else "float32")
        self.unit = self.dtype.type(2.0 ** -digits)
        self.half = self.dtype.type(0.5)

    def floats(self, bits: Array) -> Array:
        return (bits >> self.shift).view(self.signed).astype(self.dtype)


_UNIT = {dtype: _Scale(dtype, digits) for dtype, digits in _DIGITS.items()}
_OPEN = {dtype: _Scale(dtype, digits - 1) for dtype, digits in _DIGITS.items()}


def unit(bits: Array, dtype: str = "float64") -> Array:
    """Uniform in [0, 1), from words of the size the dtype takes; for float16, in float32."""
    scale = _UNIT[dtype]
    values = scale.floats(bits)
    values *= scale.unit
    return values


def open_unit(bits: Array, dtype: str = "float64") -> Array:
    """Uniform in (0, 1), from words of the size the dtype takes; for float16, in float32."""
    scale = _OPEN[dtype]
    values = scale.floats(bits)
    values += scale.half
    values *= scale.unit
    return values


def _computed(dtype: str) -> str:
    return "float32" if dtype == "float16" else dtype


def _through(function: Callable[[Array], Array]) -> Callable[[Array, str], Array]:
    """A variate that is a function of one open uniform."""
    return lambda word, dtype: function(open_unit(_bits(word, dtype), _computed(dtype)))


def _exponential(u: Array) -> Array:
    np.log(u, out=u)
    return np.negative(u, out=u)


def _laplace(u: Array) -> Array:
    v = u - u.dtype.type(0.5)
    return np.copysign(-np.log(1 - 2 * np.abs(v)), v)


def _truncated(u: Array) -> Array:
    from scipy.special import ndtr, ndtri

    tail = ndtr(-2.0)
    # Rounding must not lead out of the interval, nor tell the tails apart.
    return np.clip(ndtri(u.dtype.type(tail) + u * u.dtype.type(1 - 2 * tail)), -2, 2)


def _normal(word: Array, dtype: str) -> Array:
    bits, dtype = _bits(word, dtype), _computed(dtype)
    radius = open_unit(np.ascontiguousarray(bits[0::2]), dtype)
    np.log(radius, out=radius)
    radius *= -2
    np.sqrt(radius, out=radius)
    angle = unit(np.ascontiguousarray(bits[1::2]), dtype)
    angle *= angle.dtype.type(2 * np.pi)
    values = np.empty(bits.size, dtype)
    np.multiply(radius, np.cos(angle), out=values[0::2])
    np.multiply(radius, np.sin(angle), out=values[1::2])
    return values


#: From an array of words, whose length is a multiple of four, and a dtype to the variates they give.
STANDARD: dict[str, Callable[[Array, str], Any]] = {
    "bits": _bits,
    "uniform": lambda word, dtype: unit(_bits(word, dtype), dtype),
    "normal": _normal,
    "truncated_normal": _through(_truncated),
    "exponential": _through(_exponential),
    "logistic": _through(lambda u: np.log(u) - np.log(1 - u)),
    "gumbel": _through(lambda u: -np.log(-np.log(u))),
    "laplace": _through(_laplace),
    "cauchy": _through(lambda u: np.tan(u.dtype.type(np.pi) * (u - u.dtype.type(0.5)))),
}
