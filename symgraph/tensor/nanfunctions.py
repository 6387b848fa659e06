"""Reductions that leave out the elements that are not a number, as NumPy's functions of the same names."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.tensor import reduce as reductions
from symgraph.tensor.basic import as_tensor_variable, number_constant
from symgraph.tensor.cumulative import cumprod, cumsum
from symgraph.tensor.elemwise import cast, elemwise
from symgraph.tensor.shape import flatten

__all__ = [
    "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum",
    "nanvar",
]

_switch, _isnan = elemwise(scalar.switch), elemwise(scalar.isnan)


def _filled(a: Any, value: float) -> Any:
    """`a` with a number where it is NaN; no gradient flows there."""
    x = as_tensor_variable(a)
    return x if x.type.is_discrete else _switch(_isnan(x), number_constant(np.asarray(value, x.type.dtype)), x)


def nansum(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """The sum over axes of the elements that are a number, as `numpy.nansum`; arguments as for `sum`.

    Examples
    --------
    >>> float(nansum([1.0, float("nan"), 2.0]).eval())
    3.0
    """
    return reductions.sum(_filled(a, 0), axis, dtype, keepdims)


def nanprod(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """The product over axes of the elements that are a number, as `numpy.nanprod`; arguments as for `prod`."""
    return reductions.prod(_filled(a, 1), axis, dtype, keepdims)


def nancumsum(a: Any, axis: int | None = None) -> Any:
    """The sums of each element and those before it, NaN counting as 0, as `numpy.nancumsum`."""
    return cumsum(_filled(a, 0), axis)


def nancumprod(a: Any, axis: int | None = None) -> Any:
    """The products of each element and those before it, NaN counting as 1, as `numpy.nancumprod`."""
    return cumprod(_filled(a, 1), axis)


def _count(x: Any, axis: Any, keepdims: bool, dtype: str) -> Any:
    """How many elements over axes are a number."""
    return cast(reductions.sum(elemwise(scalar.logical_not)(_isnan(x)), axis, keepdims=keepdims), dtype)


def nanmean(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """The mean over axes of the elements that are a number, as `numpy.nanmean`; NaN where there is none.

    Parameters
    ----------
    a : tensor-like
    axis : int, sequence of int, or None
        None takes the mean of all elements.
    dtype : str, optional
        Of the result, and in which it is computed.
    keepdims : bool
        Keep the reduced axes, with length 1.

    Raises
    ------
    ValueError
        For an axis out of range.

    Examples
    --------
    >>> float(nanmean([1.0, float("nan"), 2.0]).eval())
    1.5
    """
    x = as_tensor_variable(a)
    if x.type.is_discrete:
        return reductions.mean(x, axis, dtype, keepdims=keepdims)
    wide = dtype or ("float32" if x.type.dtype == "float16" else x.type.dtype)
    total = reductions.sum(_filled(x, 0), axis, wide, keepdims)
    return cast(total / _count(x, axis, keepdims, _real(total)), dtype or x.type.dtype)


def _real(x: Any) -> str:
    """The dtype of the real part."""
    return np.empty(0, x.type.dtype).real.dtype.name


def nanvar(a: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """The variance over axes of the elements that are a number, as `numpy.nanvar`.

    Parameters
    ----------
    a : tensor-like
    axis : int, sequence of int, or None
    ddof : int
        What is subtracted from the count before dividing by it. NaN where nothing is left.
    keepdims : bool

    Raises
    ------
    ValueError
        For an axis out of range.

    Examples
    --------
    >>> float(nanvar([1.0, float("nan"), 3.0]).eval())
    1.0
    """
    x = as_tensor_variable(a)
    if x.type.is_discrete:
        return reductions.var(x, axis, ddof, keepdims)
    wide = cast(x, "float32") if x.type.dtype == "float16" else x
    centred = _filled(wide - nanmean(wide, axis, keepdims=True), 0)
    squared = (elemwise(scalar.sqr)(centred.real) + elemwise(scalar.sqr)(centred.imag)
               if x.type.numpy_dtype.kind == "c" else elemwise(scalar.sqr)(centred))
    total = reductions.sum(squared, axis, keepdims=keepdims)
    freedom = _count(x, axis, keepdims, total.type.dtype) - number_constant(np.asarray(ddof, total.type.dtype))
    nan = number_constant(np.asarray(np.nan, total.type.dtype))
    return cast(total / _switch(elemwise(scalar.gt)(freedom, 0), freedom, nan), _real(x))


def nanstd(a: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """The standard deviation over axes of the elements that are a number: the root of `nanvar`."""
    return elemwise(scalar.sqrt)(nanvar(a, axis, ddof, keepdims))


def _extreme(kind: str, a: Any, axis: Any, keepdims: bool) -> Any:
    x = as_tensor_variable(a)
    reduce = getattr(reductions, kind)
    if x.type.is_discrete:
        return reduce(x, axis, keepdims)
    found = reduce(_filled(x, np.inf if kind == "min" else -np.inf), axis, keepdims)
    nothing = reductions.all(_isnan(x), axis, keepdims)
    return _switch(nothing, number_constant(np.asarray(np.nan, x.type.dtype)), found)


def nanmin(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The smallest over axes of the elements that are a number, as `numpy.nanmin`; NaN where there is none.

    In its gradient, every element that attains it takes the whole, as in that of `min`.

    Examples
    --------
    >>> nanmin([[3.0, float("nan")], [2.0, 4.0]], axis=1).eval()
    array([3., 2.])
    """
    return _extreme("min", a, axis, keepdims)


def nanmax(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest over axes of the elements that are a number; arguments and gradient as for `nanmin`."""
    return _extreme("max", a, axis, keepdims)


def _arg(kind: str, a: Any, axis: int | None, keepdims: bool) -> Any:
    x = as_tensor_variable(a)
    if x.type.is_discrete or x.type.ndim == 0:
        return getattr(reductions, kind.removeprefix("nan"))(x, axis, keepdims)
    (place,) = (0,) if axis is None else reductions.normalize_axes(axis, x.type.ndim, kind)
    index = reductions.ArgReduce(kind, place)(flatten(x) if axis is None else x)
    if not keepdims:
        return index
    rest = list(range(index.type.ndim))
    return index.dimshuffle(["x"] * x.type.ndim if axis is None else [*rest[:place], "x", *rest[place:]])


def nanargmin(a: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The index, along an axis, of the first smallest element that is a number, as `numpy.nanargmin`.

    Raises
    ------
    ValueError
        For an axis out of range; at run time where there is no number.

    Examples
    --------
    >>> int(nanargmin([float("nan"), 3.0, 2.0]).eval())
    2
    """
    return _arg("nanargmin", a, axis, keepdims)


def nanargmax(a: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The index, along an axis, of the first largest element that is a number; arguments as for `nanargmin`."""
    return _arg("nanargmax", a, axis, keepdims)
