"""Functions of NumPy that have no name of their own in `symgraph.tensor`, or other arguments there.

They stand behind NumPy's protocols only: ``np.round(x, 2)`` with decimals beside ``T.round(x, mode)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from symgraph.graph.basic import Variable
from symgraph.tensor import math
from symgraph.tensor.basic import as_tensor_variable, full, number_constant
from symgraph.tensor.choosing import where as where
from symgraph.tensor.counting import unique
from symgraph.tensor.cumulative import cumprod, cumsum
from symgraph.tensor.dimshuffle import atleast_1d as _atleast_1d
from symgraph.tensor.dimshuffle import atleast_2d as _atleast_2d
from symgraph.tensor.dimshuffle import atleast_3d as _atleast_3d
from symgraph.tensor.dimshuffle import expand_dims, moveaxis, normalize_axis, swapaxes
from symgraph.tensor.elemwise import cast
from symgraph.tensor.join import concatenate
from symgraph.tensor.shape import shape_i
from symgraph.tensor.shape import size as _size

__all__: list[str] = []


def ndim(a: Any) -> int:
    """The number of axes, which is known."""
    return int(as_tensor_variable(a).type.ndim)


def size(a: Any, axis: Any = None) -> Any:
    """The number of elements, or the length of an axis."""
    return _size(a) if axis is None else shape_i(as_tensor_variable(a), axis)


def matrix_transpose(x: Any) -> Any:
    """The last two axes exchanged."""
    return swapaxes(x, -1, -2)


def _for_each(function: Callable[..., Any], arrays: tuple[Any, ...], **options: Any) -> Any:
    found = [function(a, **options) for a in arrays]
    return found[0] if len(found) == 1 else tuple(found)


def atleast_1d(*arys: Any) -> Any:
    """Each with one axis or more."""
    return _for_each(_atleast_1d, arys)


def atleast_2d(*arys: Any) -> Any:
    """Each with two axes or more."""
    return _for_each(_atleast_2d, arys)


def atleast_3d(*arys: Any) -> Any:
    """Each with three axes or more; NumPy puts a vector in the middle and a matrix in front."""
    found = []
    for a in map(as_tensor_variable, arys):
        patterns: dict[int, list[Any]] = {1: ["x", 0, "x"], 2: [0, 1, "x"]}
        found.append(a.dimshuffle(patterns[a.type.ndim]) if a.type.ndim in patterns else _atleast_3d(a))
    return found[0] if len(found) == 1 else tuple(found)


def unstack(x: Any, axis: int = 0) -> tuple[Any, ...]:
    """The slices along an axis of known length."""

    return tuple(moveaxis(as_tensor_variable(x), axis, 0))


def extract(condition: Any, arr: Any) -> Any:
    """The elements, in order, where a mask of the same shape holds."""
    mask, array = as_tensor_variable(condition), as_tensor_variable(arr)
    return array.flatten()[math.neq(mask, 0).flatten()]


def clip(a: Any, a_min: Any = None, a_max: Any = None) -> Any:
    """Each element limited; a bound of None is none."""
    missing = (None, np._NoValue)
    low, high = (not any(bound is m for m in missing) for bound in (a_min, a_max))
    if low and high:
        return math.clip(a, a_min, a_max)
    return math.maximum(a, a_min) if low else math.minimum(a, a_max) if high else as_tensor_variable(a)


def round(a: Any, decimals: int = 0) -> Any:
    """The nearest multiple of a power of ten, by NumPy's way: multiply, round, divide."""
    x = as_tensor_variable(a)
    if x.type.is_discrete and decimals >= 0:
        return x
    if decimals == 0:
        return math.round_half_to_even(x)
    if x.type.is_discrete:
        raise TypeError(f"np.round of an integer tensor to {decimals} decimals: cast it to a float first")
    power = number_constant(np.asarray(10.0 ** abs(decimals), x.type.numpy_dtype))
    return math.round_half_to_even(x * power) / power if decimals > 0 else math.round_half_to_even(x / power) * power


def real(val: Any) -> Any:
    """The real part: a real tensor itself."""
    x = as_tensor_variable(val)
    return x.real if x.type.numpy_dtype.kind == "c" else x


def imag(val: Any) -> Any:
    """The imaginary part: zeros for a real tensor."""
    x = as_tensor_variable(val)
    return x.imag if x.type.numpy_dtype.kind == "c" else x.zeros_like()


def angle(z: Any, deg: bool = False) -> Any:
    """The argument of a complex number, in radians unless `deg`."""
    found = math.angle(z)
    return math.rad2deg(found) if deg else found


def isreal(x: Any) -> Any:
    """Where the imaginary part is zero."""
    return math.eq(imag(x), 0)


def iscomplex(x: Any) -> Any:
    """Where the imaginary part is not zero."""
    return math.neq(imag(x), 0)


def iscomplexobj(x: Any) -> bool:
    """Whether the dtype is complex, which is known."""
    return bool(as_tensor_variable(x).type.numpy_dtype.kind == "c")


def isrealobj(x: Any) -> bool:
    """Whether the dtype is not complex, which is known."""
    return not iscomplexobj(x)


def result_type(*arrays_and_dtypes: Any) -> Any:
    """NumPy's promotion, of the dtypes of symbolic tensors too."""
    return np.result_type(*(v.type.numpy_dtype if isinstance(v, Variable) else v for v in arrays_and_dtypes))


# ---- reductions ------------------------------------------------------------------------------------------------


def _cumulative(running: Callable[..., Any], start: int, x: Any, axis: int | None, dtype: Any, initial: bool) -> Any:
    a = _atleast_1d(as_tensor_variable(x))
    if axis is None:
        if a.type.ndim > 1:
            raise ValueError("of a tensor of several axes, give the axis")
        axis = 0
    found = running(a if dtype is None else cast(a, dtype), axis)
    if not initial:
        return found
    shape = [1 if i == axis % a.type.ndim else shape_i(a, i) for i in range(a.type.ndim)]
    return concatenate([full(shape, np.asarray(start, found.type.dtype)), found], axis)


def cumulative_sum(x: Any, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Any:
    """Running sums, maybe with the empty one in front."""
    return _cumulative(cumsum, 0, x, axis, dtype, include_initial)


def cumulative_prod(x: Any, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Any:
    """Running products, maybe with the empty one in front."""
    return _cumulative(cumprod, 1, x, axis, dtype, include_initial)


def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    """A function that reduces, applied along one axis after the other, which stay with length 1."""
    x = as_tensor_variable(a)
    for axis in [axes] if isinstance(axes, (int, np.integer)) else axes:
        place = normalize_axis(axis, x.type.ndim)
        found = as_tensor_variable(func(x, place))
        x = found if found.type.ndim == x.type.ndim else expand_dims(found, place)
    return x


class UniqueCounts(NamedTuple):
    """What `numpy.unique_counts` gives."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """What `numpy.unique_inverse` gives."""

    values: Any
    inverse_indices: Any


class UniqueAll(NamedTuple):
    """What `numpy.unique_all` gives."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


def unique_values(x: Any) -> Any:
    """The distinct elements, in ascending order; every NaN is one of its own."""
    return unique(x, equal_nan=False)


def unique_counts(x: Any) -> UniqueCounts:
    """The distinct elements, and how often each occurs."""
    return UniqueCounts(*unique(x, return_counts=True, equal_nan=False))


def unique_inverse(x: Any) -> UniqueInverse:
    """The distinct elements, and which of them each element is."""
    return UniqueInverse(*unique(x, return_inverse=True, equal_nan=False))


def unique_all(x: Any) -> UniqueAll:
    """The distinct elements, the place of the first of each, which of them each element is, and the counts."""
    return UniqueAll(*unique(x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False))


# ---- dtypes, which are known -----------------------------------------------------------------------------------


def can_cast(from_: Any, to: Any, casting: str = "safe") -> bool:
    """Whether a dtype, or that of a tensor, can become another."""
    dtype = from_.type.numpy_dtype if isinstance(from_, Variable) else from_
    return bool(np.can_cast(dtype, to, casting))  # type: ignore[arg-type]


def common_type(*arrays: Any) -> Any:
    """The inexact type that holds all tensors."""
    return np.common_type(*(np.empty(0, as_tensor_variable(a).type.numpy_dtype) for a in arrays))


def min_scalar_type(a: Any) -> Any:
    """The dtype of a tensor; which smaller one would hold its elements is not known."""
    return as_tensor_variable(a).type.numpy_dtype
