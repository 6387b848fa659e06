"""How far a right answer may be off: stated here once, for operations alone and for whole programs.

An operation alone, on the same operands as NumPy's:

- discrete results, and functions that round correctly or not at all (`EXACT`): not at all, signs of zeros included;
- other elementwise functions: 4 units in the last place in double precision, 8 in single, 2 in half;
- sums, products of matrices: n units in the last place of the sum of the n terms' magnitudes, which is below 1e-12
  (single: 1e-5) of it for the arrays tried here; where such a partial sum may overflow, nothing is said.

Whole programs are judged by `tests.fuzz.compare`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

ULPS = {"float16": 2, "float32": 8, "float64": 4}


def eps_of(dtype: Any) -> float:
    """The unit in the last place of 1; 0 for exact dtypes."""
    return float(np.finfo(dtype).eps) if np.dtype(dtype).kind in "fc" else 0.0


def real_dtype(dtype: Any) -> np.dtype[Any]:
    """The dtype of the parts of numbers."""
    return np.empty(0, dtype).real.dtype


def wide(x: Any) -> Array:
    """Magnitudes in extended precision: they do not overflow."""
    array = np.asarray(x)
    if array.dtype.kind == "c":
        return np.hypot(array.real.astype(np.longdouble), array.imag.astype(np.longdouble))
    return np.abs(array.astype(np.longdouble))


def finite(x: Array) -> Array:
    """The magnitudes of what is finite, zero elsewhere."""
    size = wide(x)
    return np.where(np.isfinite(size), size, 0)


def ulps(result: Array, *_: Any, factor: float = 1.0, **__: Any) -> Array:
    """A few units in the last place of the result (of its modulus, where it is complex)."""
    if result.dtype.kind not in "fc":
        return np.zeros(result.shape)
    limits = np.finfo(result.dtype)
    count = ULPS[real_dtype(result.dtype).name] * factor
    return count * (float(limits.eps) * finite(result) + float(limits.smallest_subnormal))


def of_terms(result: Array, terms: int, scale: Array) -> Array:
    """n units in the last place of the sum of n magnitudes; infinite where that may overflow."""
    if result.dtype.kind not in "fc":
        return np.zeros(result.shape)
    limits = np.finfo(result.dtype)
    count = max(4, terms)
    tolerance = count * (float(limits.eps) * scale + float(limits.smallest_subnormal))
    return np.where(scale > float(limits.max) / 2, np.inf, tolerance)


def wrong(got: Array, wanted: Array, tolerance: Any, zero_signs: bool = False) -> Array:
    """Where two arrays of one dtype and shape differ by more than a tolerance; equal infinities and NaN agree."""
    if wanted.dtype.kind not in "fc":
        return np.asarray((got != wanted) & ~(np.asarray(tolerance) > 0))
    with np.errstate(all="ignore"):
        parts = [(got.real, wanted.real), (got.imag, wanted.imag)] if wanted.dtype.kind == "c" else [(got, wanted)]
        bad = np.zeros(wanted.shape, bool)
        for a, b in parts:
            equal = (a == b) | (np.isnan(a) & np.isnan(b))
            if zero_signs:
                equal &= (a != 0) | (b != 0) | (np.signbit(a) == np.signbit(b))
            gap = np.abs(a.astype(np.longdouble) - b.astype(np.longdouble))
            unsaid = np.asarray(tolerance) == np.inf
            bad |= ~(equal | (gap <= tolerance) & (gap > 0) | unsaid)
    return bad
