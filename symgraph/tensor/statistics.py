"""Order statistics and covariances, as NumPy's functions of the same names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.config import config
from symgraph.graph.basic import Constant
from symgraph.tensor import reduce as reductions
from symgraph.tensor.basic import alloc, as_tensor_variable, number_constant
from symgraph.tensor.checks import require
from symgraph.tensor.dimshuffle import atleast_2d, dimshuffle, moveaxis, squeeze
from symgraph.tensor.elemwise import cast, elemwise
from symgraph.tensor.extra_ops import diagonal
from symgraph.tensor.join import concatenate
from symgraph.tensor.products import dot
from symgraph.tensor.shape import length_of, reshape, shape_i
from symgraph.tensor.sort import sort, take_along_axis

__all__ = ["corrcoef", "cov", "median", "nanmedian", "nanpercentile", "nanquantile", "percentile", "quantile"]

_switch, _isnan, _clip = elemwise(scalar.switch), elemwise(scalar.isnan), elemwise(scalar.clip)
_floor, _ceil, _eq = elemwise(scalar.floor), elemwise(scalar.ceil), elemwise(scalar.eq)

# ---- order statistics ------------------------------------------------------------------------------------------


def _sorted_lines(a: Any, axis: Any, who: str) -> tuple[Any, tuple[int, ...], int]:
    """The elements over axes, sorted, in one last axis; the axes; and the rank before.

    As in NumPy, lines of no elements hold a NaN, but for `quantile` and `percentile`, which refuse them.
    """
    x = as_tensor_variable(a)
    x = cast(x, config.floatX) if x.type.is_discrete else x
    if x.type.numpy_dtype.kind == "c":
        raise TypeError(f"{who} takes real numbers, which have an order, not {x.type}")
    ndim = x.type.ndim
    axes = reductions.normalize_axes(axis, ndim, who)
    refused = who in ("quantile", "percentile")
    if refused and any(x.type.shape[i] == 0 for i in axes) and 0 not in (x.type.shape[i] for i in range(ndim)
                                                                          if i not in axes):
        raise IndexError(f"{who} of an empty axis has no value: the shape is {x.type.shape}")
    kept = [i for i in range(ndim) if i not in axes]
    lines = dimshuffle(x, [*kept, *axes])
    if len(axes) != 1:
        last: Any = 1
        for i in axes:
            last = last * length_of(x, i)
        lines = reshape(lines, [*(shape_i(x, i) for i in kept), last])
    return sort(lines if refused else _not_empty(lines), -1), axes, ndim


def _not_empty(lines: Any) -> Any:
    """The lines, a NaN in each where they have no elements."""
    count = length_of(lines, -1)
    if isinstance(count, int) and count:
        return lines
    kept = [shape_i(lines, i) for i in range(lines.type.ndim - 1)]
    missing = 1 if isinstance(count, int) else cast(_eq(count, 0), "int64")
    nan = alloc(number_constant(np.asarray(np.nan, lines.type.dtype)), *kept, missing)
    return nan if isinstance(count, int) else concatenate([lines, nan], -1)


def _kept(result: Any, axes: tuple[int, ...], ndim: int, keepdims: bool, before: int = 0) -> Any:
    """The result of a reduction, the reduced axes put back where they are to be kept, behind `before` others."""
    if not keepdims:
        return result
    rest = iter(range(before, result.type.ndim))
    return dimshuffle(result, [*range(before), *("x" if i in axes else next(rest) for i in range(ndim))])


def _count(lines: Any) -> Any:
    """How many elements of each line are a number; the last axis stays, with length 1."""
    return reductions.sum(elemwise(scalar.logical_not)(_isnan(lines)), -1, keepdims=True)


def _or_nan(lines: Any, result: Any) -> Any:
    """NaN where a line holds one, which sorting puts last; else the result."""
    last = lines[..., -1]
    return _switch(_isnan(last), last, result)


def _mean_of_two(low: Any, high: Any) -> Any:
    if low.type.dtype == "float16":  # the sum of two might be too large
        return cast((cast(low, "float32") + cast(high, "float32")) / 2, "float16")
    return (low + high) / 2


def median(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The middle element over axes, or the mean of the two in the middle, as `numpy.median`.

    Parameters
    ----------
    a : tensor-like
        Real; integers become floatX. Where there is a NaN, the result is NaN.
    axis : int, sequence of int, or None
        None takes all elements.
    keepdims : bool
        Keep the reduced axes, with length 1.

    Raises
    ------
    TypeError
        For complex numbers.
    ValueError
        For an axis out of range. Of an empty one, the median is NaN.

    Examples
    --------
    >>> float(median([1, 4, 2, 8]).eval())
    3.0
    """
    lines, axes, ndim = _sorted_lines(a, axis, "median")
    count = length_of(lines, -1)
    middle = _mean_of_two(lines[..., (count - 1) // 2], lines[..., count // 2])
    return _kept(_or_nan(lines, middle), axes, ndim, keepdims)


def nanmedian(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The median over axes of the elements that are a number, as `numpy.nanmedian`; arguments as for `median`.

    Examples
    --------
    >>> float(nanmedian([1.0, float("nan"), 2.0]).eval())
    1.5
    """
    lines, axes, ndim = _sorted_lines(a, axis, "nanmedian")
    count = _count(lines)
    # Of a line without numbers, both places hold NaN: the last and the first.
    low, high = (take_along_axis(lines, place, -1)[..., 0] for place in ((count - 1) // 2, count // 2))
    return _kept(_mean_of_two(low, high), axes, ndim, keepdims)


def _plotting(alpha: float, beta: float) -> Callable[[Any, Any], Any]:
    """The place in the order that belongs to a share, in the family of Hyndman and Fan."""
    return lambda n, q: n * q + (alpha + q * (1 - alpha - beta)) - 1


#: Methods that interpolate: from the count and the share to a place between two elements.
#: R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", The American Statistician 50 (1996).
_BETWEEN: dict[str, Callable[[Any, Any], Any]] = {
    "linear": lambda n, q: (n - 1) * q, "averaged_inverted_cdf": lambda n, q: n * q - 1,
    "interpolated_inverted_cdf": _plotting(0, 1), "hazen": _plotting(0.5, 0.5), "weibull": _plotting(0, 0),
    "median_unbiased": _plotting(1 / 3, 1 / 3), "normal_unbiased": _plotting(3 / 8, 3 / 8),
    "midpoint": lambda n, q: 0.5 * (_floor((n - 1) * q) + _ceil((n - 1) * q)),
}
#: Methods that choose one element: from the count and the share to its place.
_AT: dict[str, Callable[[Any, Any], Any]] = {
    "inverted_cdf": lambda n, q: _ceil(n * q - 1), "closest_observation": lambda n, q: _odd_place(n * q - 1.5),
    "lower": lambda n, q: _floor((n - 1) * q), "higher": lambda n, q: _ceil((n - 1) * q),
    "nearest": lambda n, q: elemwise(scalar.round_half_to_even)((n - 1) * q),
}


def _odd_place(place: Any) -> Any:
    """The next place, but a whole number that is odd itself: the even order statistics, counted from 1."""
    before = _floor(place)
    stays = _eq(place, before) & _eq(elemwise(scalar.mod)(before, 2), 1)
    return _switch(stays, before, before + 1)


def _quantile(a: Any, q: Any, axis: Any, method: str, keepdims: bool, scale: float, skip_nan: bool, who: str) -> Any:
    if method not in _BETWEEN and method not in _AT:
        raise ValueError(f"{who}: method must be one of {', '.join([*_BETWEEN, *_AT])}, not {method!r}")
    share = as_tensor_variable(q)
    if share.type.ndim > 1:
        raise ValueError(f"{who}: q must be a scalar or a vector, not {share.type}")
    if share.type.numpy_dtype.kind == "c":
        raise TypeError(f"{who}: q must be real, not {share.type}")
    lines, axes, ndim = _sorted_lines(a, axis, who)
    weak = isinstance(q, (bool, int, float)) or share.type.is_discrete
    dtype = lines.type.dtype if weak else np.result_type(lines.type.numpy_dtype, share.type.numpy_dtype).name
    inside = elemwise(scalar.ge)(share, 0) & elemwise(scalar.le)(share, scale)
    share = require(share, inside if not isinstance(share, Constant) else (share.data >= 0) & (share.data <= scale),
                    f"{who}: q must lie between 0 and {scale:g}")
    one, share = share.type.ndim == 0, cast(share, "float64") / scale
    share = dimshuffle(share, ["x"]) if one else share
    found = _between(lines, share, method, _count(lines) if skip_nan else length_of(lines, -1), dtype)
    if not skip_nan:
        last = lines[..., -1]
        last = dimshuffle(last, [*range(last.type.ndim), "x"])
        found = _switch(_isnan(last), last, found)
    found = found[..., 0] if one else moveaxis(found, -1, 0)
    return _kept(found, axes, ndim, keepdims, 0 if one else 1)


def _between(lines: Any, share: Any, method: str, count: Any, dtype: str) -> Any:
    """What stands, or would stand, at shares of sorted lines: one last axis for the shares.

    The count is a number, or one for each line with a last axis of length 1.
    """
    per_line = getattr(getattr(count, "type", None), "ndim", 0) > 0
    n = count if isinstance(count, int) else cast(count, "float64")
    place = (_AT.get(method) or _BETWEEN[method])(n, share)

    def read(where: Any) -> Any:
        # Of a line without numbers, the count is 0, and the place the last: NaN.
        where = cast(_clip(where, 0, n - 1) if not per_line else _switch(_eq(n, 0), 0, _clip(where, 0, n - 1)), "int64")
        return cast(take_along_axis(lines, where, -1) if per_line else lines[..., where], dtype)

    if method in _AT:
        return read(place)
    before = _floor(place)
    weight = cast(place - before, dtype)
    if method == "averaged_inverted_cdf":
        half = number_constant(np.asarray(0.5, dtype))
        weight = _switch(_eq(weight, 0), half, number_constant(np.asarray(1, dtype)))
    low, high = read(before), read(before + 1)
    # Infinities: between equal ones there is no way to go, and towards one no way of length 0 times it.
    still = _eq(low, high) | (elemwise(scalar.isinf)(high) & _eq(weight, 0))
    way = _switch(still, number_constant(np.zeros((), dtype)), high - low)
    return _switch(elemwise(scalar.ge)(weight, 0.5) & elemwise(scalar.invert)(still), high - way * (1 - weight),
                   low + way * weight)


def quantile(a: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """What a share of the elements over axes does not exceed, as `numpy.quantile`.

    Parameters
    ----------
    a : tensor-like
        Real; integers become floatX. Where there is a NaN, the result is NaN.
    q : float, or scalar or vector
        The share, between 0 and 1. For a vector, its axis is the first of the result.
    axis : int, sequence of int, or None
        None takes all elements.
    method : str
        Which element, or what between two: any of NumPy's names, such as 'linear', 'lower', 'higher', 'nearest',
        'midpoint', 'hazen' or 'weibull'.
    keepdims : bool
        Keep the reduced axes, with length 1.

    Raises
    ------
    TypeError
        For complex numbers.
    IndexError
        For an empty axis; at run time where that is only known then.
    ValueError
        For another method, an axis out of range, or a share that is not between 0 and 1; at run time where that is
        only known then.

    Examples
    --------
    >>> quantile([4, 1, 3, 2], [0.0, 0.5]).eval()
    array([1. , 2.5])
    """
    return _quantile(a, q, axis, method, keepdims, 1.0, False, "quantile")


def percentile(a: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """`quantile`, the share in percent: between 0 and 100.

    Examples
    --------
    >>> float(percentile([4, 1, 3, 2], 50).eval())
    2.5
    """
    return _quantile(a, q, axis, method, keepdims, 100.0, False, "percentile")


def nanquantile(a: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """`quantile` of the elements that are a number, as `numpy.nanquantile`; NaN where there is none."""
    return _quantile(a, q, axis, method, keepdims, 1.0, True, "nanquantile")


def nanpercentile(a: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """`percentile` of the elements that are a number, as `numpy.nanpercentile`; NaN where there is none."""
    return _quantile(a, q, axis, method, keepdims, 100.0, True, "nanpercentile")


# ---- covariances -----------------------------------------------------------------------------------------------


def _observations(m: Any, rowvar: bool, who: str) -> Any:
    """One row for each variable, one column for each observation."""
    x = as_tensor_variable(m)
    if x.type.ndim > 2:
        raise ValueError(f"{who} takes at most 2 dimensions, not {x.type}")
    x = cast(x, config.floatX) if x.type.is_discrete else x
    return x.T if x.type.ndim == 2 and not rowvar else atleast_2d(x)


def _weights(weights: Any, who: str, integers: bool) -> Any:
    w = as_tensor_variable(weights)
    if w.type.ndim != 1:
        raise RuntimeError(f"cov: {who} is a vector with a weight for each observation, not {w.type}")
    if integers and not w.type.is_discrete:
        raise TypeError(f"cov: {who} counts observations with integers, not {w.type}")
    return w


def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
        fweights: Any = None, aweights: Any = None) -> Any:
    """The covariances of variables, from observations of them, as `numpy.cov`.

    Parameters
    ----------
    m : vector or matrix
        One variable, or one in each row and one observation in each column. Floats keep their dtype, where NumPy
        computes in float64.
    y : vector or matrix, optional
        More variables.
    rowvar : bool
        False where the variables are the columns.
    bias : bool
        Divide by the number of observations instead of one less.
    ddof : int, optional
        What is subtracted from the number of observations, in place of `bias`.
    fweights : vector of integers, optional
        How often each observation was made.
    aweights : vector, optional
        How much each observation counts for.

    Returns
    -------
    matrix, or a scalar where there is one variable and that is known

    Raises
    ------
    ValueError
        For more than two dimensions, or a `ddof` that is no integer.
    TypeError, RuntimeError
        For `fweights` that are no integers; for weights that are no vector, as NumPy.

    Examples
    --------
    >>> cov([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]).eval()
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    if ddof is not None and ddof != int(ddof):
        raise ValueError(f"cov: ddof must be an integer, not {ddof}")
    x = _observations(m, rowvar, "cov")
    if y is not None:
        x = concatenate([x, _observations(y, rowvar, "cov")], 0)
    dtype = np.empty(0, x.type.dtype).real.dtype.name
    lost = (0 if bias else 1) if ddof is None else int(ddof)
    often = None if fweights is None else cast(_weights(fweights, "fweights", True), dtype)
    counts = None if aweights is None else cast(_weights(aweights, "aweights", False), dtype)
    w = often if counts is None else counts if often is None else often * counts
    if w is None:
        known = x.type.shape[1]
        total: Any = cast(shape_i(x, 1), dtype) if known is None else number_constant(np.asarray(known, dtype))
        centred = x - reductions.mean(x, 1, keepdims=True)
        left, freedom = centred, total - lost
    else:
        total = reductions.sum(w)
        centred = x - dimshuffle(reductions.sum(x * w, 1) / total, (0, "x"))
        left = centred * w
        freedom = total - lost if counts is None else total - lost * reductions.sum(w * counts) / total
    freedom = elemwise(scalar.maximum)(freedom, 0)
    right = elemwise(scalar.conj)(centred) if x.type.numpy_dtype.kind == "c" else centred
    return squeeze(dot(left, right.T) / freedom)


def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Any:
    """The correlation coefficients of variables, as `numpy.corrcoef`; arguments as for `cov`.

    Examples
    --------
    >>> corrcoef([0.0, 1.0, 2.0], [2.0, 1.0, 0.0]).eval()
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    c = cov(x, y, rowvar)
    if c.type.ndim == 0:
        return c / c
    spread = elemwise(scalar.sqrt)(elemwise(scalar.real)(diagonal(c)) if c.type.numpy_dtype.kind == "c"
                                   else diagonal(c))
    r = c / dimshuffle(spread, (0, "x")) / dimshuffle(spread, ("x", 0))
    return r if r.type.numpy_dtype.kind == "c" else _clip(r, -1, 1)
