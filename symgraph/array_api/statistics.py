"""Functions of the array API standard that reduce axes or run along them."""

from __future__ import annotations

from typing import Any

from symgraph.array_api.array import Array, variable_of
from symgraph.array_api.dtypes import as_dtype
from symgraph.tensor import cumulative, math, numpy_names, reduce
from symgraph.tensor.elemwise import cast
from symgraph.tensor.join import concatenate

__all__ = [
    "all", "any", "cumulative_prod", "cumulative_sum", "diff", "max", "mean", "min", "prod", "std", "sum", "var",
]


def all(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """Whether all elements over axes are true."""
    return Array(reduce.all(math.neq(x.variable, 0), axis, keepdims))


def any(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """Whether any element over axes is true."""
    return Array(reduce.any(math.neq(x.variable, 0), axis, keepdims))


def max(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """The largest element over axes."""
    return Array(reduce.max(x.variable, axis, keepdims))


def min(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """The smallest element over axes."""
    return Array(reduce.min(x.variable, axis, keepdims))


def mean(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """The mean over axes."""
    return Array(reduce.mean(x.variable, axis, keepdims=keepdims))


def prod(x: Array, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
    """The product over axes; of small integers as int64 or uint64 unless `dtype` says otherwise."""
    return Array(reduce.prod(_in_dtype(x, dtype), axis, as_dtype(dtype), keepdims))


def sum(x: Array, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
    """The sum over axes; of small integers as int64 or uint64 unless `dtype` says otherwise."""
    return Array(reduce.sum(_in_dtype(x, dtype), axis, as_dtype(dtype), keepdims))


def _in_dtype(x: Array, dtype: Any) -> Any:
    return x.variable if dtype is None else cast(x.variable, dtype)


def var(x: Array, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    """The variance over axes, divided by the number of elements less `correction`."""
    return Array(reduce.var(x.variable, axis, correction, keepdims))  # type: ignore[arg-type]


def std(x: Array, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    """The root of `var`."""
    return Array(reduce.std(x.variable, axis, correction, keepdims))  # type: ignore[arg-type]


def _running(running: Any, x: Array, axis: int | None, dtype: Any, include_initial: bool) -> Array:
    if axis is None and x.ndim != 1:
        raise ValueError(f"{running.__name__}: an array of {x.ndim} dimensions needs an axis")
    found = running(x.variable, axis, as_dtype(dtype), include_initial)
    return Array(found if dtype is None else cast(found, dtype))


def cumulative_prod(x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array:
    """The products of each element and those before it; with a 1 in front when `include_initial`."""
    return _running(numpy_names.cumulative_prod, x, axis, dtype, include_initial)


def cumulative_sum(x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array:
    """The sums of each element and those before it; with a 0 in front when `include_initial`."""
    return _running(numpy_names.cumulative_sum, x, axis, dtype, include_initial)


def diff(x: Array, /, *, axis: int = -1, n: int = 1, prepend: Array | None = None,
         append: Array | None = None) -> Array:
    """The differences of neighbours along an axis, `n` times, after putting arrays before and behind."""
    parts = [variable_of(part) for part in (prepend, x, append) if part is not None]
    whole = parts[0] if len(parts) == 1 else concatenate(parts, axis)
    return Array(cumulative.diff(whole, n, axis))
