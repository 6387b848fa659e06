"""Functions of elements that NumPy has not, or has slower."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["above_zero", "clip", "expm1", "log1p", "negative", "select", "sigmoid", "softplus"]


def _find_clip() -> Any:
    """The ufunc behind `numpy.clip`, which NumPy has no public name for; None in a NumPy that has it elsewhere."""
    try:
        from numpy._core import umath
    except ImportError:
        return None
    return getattr(umath, "clip", None)


clip = _find_clip()

_FEW, _FEW_TO_CLIP, _FEW_TO_SELECT, _FEW_FOR_LOGARITHMS = 256, 4096, 2048, 2048  # elements
#: Of an exponent; the logistic function is 1 from there on.
_CAP: dict[str, Any] = {"f": np.asarray(80, np.float32), "d": np.asarray(700, np.float64)}
_ZERO, _ONE, _INFINITY, _MINUS_INFINITY = (
    {char: np.asarray(value, char) for char in "fd"} for value in (0, 1, np.inf, -np.inf))


def above_zero(x: Any, out: Any = None) -> Any:
    """``maximum(x, 0)`` of float32 or float64, which is 0 for -0, where `clip` leaves -0; large arrays of float32 take
    half the time `numpy.maximum` does, in spite of the second pass."""
    char = x.dtype.char
    if clip is None or x.size < _FEW_TO_CLIP or char != "f":
        return np.maximum(x, _ZERO[char], out=out)
    out = clip(x, _ZERO[char], _INFINITY[char], out)
    return np.add(out, _ZERO[char], out)


def sigmoid(x: Any, out: Any = None) -> Any:
    """The logistic function of float32 or float64, several times as fast as SciPy's on large arrays.

    With e = exp(min(x, cap)) nothing overflows, and e / (1 + e) is exact to a few units in the last place everywhere.
    """
    if x.size < _FEW:
        from scipy.special import expit

        return expit(x, out=out)
    char = x.dtype.char
    e = np.minimum(x, _CAP[char], out=out) if clip is None else clip(x, _MINUS_INFINITY[char], _CAP[char], out)
    np.exp(e, e)
    return np.divide(e, np.add(e, _ONE[char]), e)


@np.errstate(invalid="ignore")  # of which it speaks when it meets NaN
def _softplus_of_few(x: Any, out: Any) -> Any:
    return np.logaddexp(x, _ZERO[x.dtype.char], out)


def softplus(x: Any, out: Any = None) -> Any:
    """``log(1 + exp(x))`` of float32 or float64, which is max(x, 0) + log(1 + u) with u = exp(-|x|) at most 1.

    NumPy's logarithm is several times as fast as its `log1p`. Let w be 1 + u as rounded: then u - (w - 1) is the error
    of that, exactly (Dekker, 1971), and log(1 + u) = log(w) + (u - (w - 1)) / w but for its square.
    """
    if x.size < _FEW:
        return _softplus_of_few(x, out)
    char = x.dtype.char
    u = np.absolute(x)
    np.exp(np.negative(u, u), u)
    w = np.add(u, _ONE[char])
    np.subtract(u, np.subtract(w, _ONE[char]), u)
    np.divide(u, w, u)
    np.add(np.log(w, w), u, w)
    positive = np.maximum(x, _ZERO[char], out=out) if clip is None else clip(x, _ZERO[char], _INFINITY[char], out)
    return np.add(positive, w, positive)


@np.errstate(invalid="ignore")  # -1 and infinity give NaN here
def _lost_by_rounding(x: Any, w: Any) -> Any:
    """``(x - (w - 1)) / w``, w being 1 + x as rounded."""
    lost = np.subtract(w, _ONE[w.dtype.char])
    np.subtract(x, lost, lost)
    return np.divide(lost, w, lost)


def log1p(x: Any, out: Any = None) -> Any:
    """``np.log1p(x, out)`` of float32 or float64; of large float32 arrays four times as fast, as `softplus` is."""
    if x.size < _FEW_FOR_LOGARITHMS or x.dtype.char != "f":
        return np.log1p(x, out)
    w = np.add(x, _ONE["f"])
    lost = _lost_by_rounding(x, w)
    known = np.isfinite(lost)
    if not known.all():
        lost[~known] = 0
    return np.add(np.log(w, w), lost, lost if out is None else out)


_LOWEST = np.asarray(-20, np.float32)  # from there on down exp(x) - 1 is -1
_TINY = np.asarray(1e-38, np.float32)


def expm1(x: Any, out: Any = None) -> Any:
    """``np.expm1(x, out)`` of float32 or float64; of large float32 arrays more than twice as fast.

    With u = exp(x) as rounded, (u - 1) * x / log(u) is exact to four units in the last place: the error of u is in both
    factors (W. Kahan). Where u is 1, x is what is left of that when a tiny number is added to both.
    """
    if clip is None or x.size < _FEW_FOR_LOGARITHMS or x.dtype.char != "f":
        return np.expm1(x, out)
    u = clip(x, _LOWEST, _INFINITY["f"])
    np.exp(u, u)
    result = np.subtract(u, _ONE["f"])
    np.add(result, _TINY, result)
    _times_ratio(result, clip(x, _LOWEST, _INFINITY["f"]), np.log(u, u))
    known = np.isfinite(result)
    if not known.all():
        result[~known] = np.expm1(x[~known])
    if out is None:
        return result
    np.copyto(out, result)
    return out


@np.errstate(invalid="ignore")  # of infinities
def _times_ratio(result: Any, x: Any, logarithm: Any) -> None:
    np.add(logarithm, _TINY, logarithm)
    np.multiply(result, np.divide(x, logarithm, logarithm), result)


def negative(x: Any, out: Any) -> Any:
    """``np.negative(x, out)``, which NumPy 2.4 gets wrong: of every fourth element of 4 bytes, or eighth of 8 bytes, it
    writes the negatives of neighbours into what is not contiguous.
    """
    if out.flags.forc:
        return np.negative(x, out)
    np.copyto(out, np.negative(x))
    return out


def select(condition: Any, a: Any, b: Any, out: Any = None) -> Any:
    """``np.where(condition, a, b)`` for a mask and operands of one dtype of 4 or 8 bytes, without branches.

    The bits of `a` and `b` are mixed by those of the mask: where the mask is irregular, that is ten times as fast.
    """
    if condition.size < _FEW_TO_SELECT:
        result = np.where(condition, a, b)
        if out is None:
            return result
        np.copyto(out, result)
        return out
    if out is None:
        out = np.empty(np.broadcast_shapes(condition.shape, a.shape, b.shape), a.dtype)
    bits = np.int32 if a.dtype.itemsize == 4 else np.int64
    if np.may_share_memory(out, b):  # the first step overwrites `out`, the last reads `b`
        a, b, condition = b, a, np.logical_not(condition)
    mask = condition.astype(bits)
    np.negative(mask, out=mask)
    result, ground = out.view(bits), b.view(bits)
    if b.ndim == 0 and ground == 0:
        np.bitwise_and(a.view(bits), mask, out=result)
        return out
    np.bitwise_xor(a.view(bits), ground, out=result)
    np.bitwise_and(result, mask, out=result)
    np.bitwise_xor(result, ground, out=result)
    return out
