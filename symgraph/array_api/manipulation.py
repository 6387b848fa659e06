"""Functions of the array API standard that rearrange, join and take parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symgraph.array_api.array import Array, unwrap, variable_of
from symgraph.tensor import extra_ops, stretch, subtensor
from symgraph.tensor.dimshuffle import expand_dims as _expand_dims
from symgraph.tensor.dimshuffle import moveaxis as _moveaxis
from symgraph.tensor.dimshuffle import squeeze as _squeeze
from symgraph.tensor.dimshuffle import transpose
from symgraph.tensor.elemwise import cast
from symgraph.tensor.join import concatenate
from symgraph.tensor.join import stack as _stack
from symgraph.tensor.math import tensor_copy
from symgraph.tensor.shape import flatten
from symgraph.tensor.shape import reshape as _reshape
from symgraph.tensor.sort import take_along_axis as _take_along_axis

__all__ = [
    "broadcast_arrays", "broadcast_to", "concat", "expand_dims", "flip", "moveaxis", "permute_dims", "repeat",
    "reshape", "roll", "squeeze", "stack", "take", "take_along_axis", "tile", "unstack",
]


def broadcast_arrays(*arrays: Array) -> tuple[Array, ...]:
    """Arrays stretched to one shape; axes of unknown length too, when it turns out to be 1 at run time."""
    return tuple(map(Array, stretch.broadcast_arrays(*map(variable_of, arrays))))


def broadcast_to(x: Array, /, shape: Sequence[Any]) -> Array:
    """An array stretched to a shape."""
    return Array(stretch.broadcast_to(x.variable, unwrap(tuple(shape))))


def concat(arrays: Sequence[Array], /, *, axis: int | None = 0) -> Array:
    """Arrays joined along an axis that they have; flattened before when it is None."""
    parts = [variable_of(x) for x in arrays]
    if not parts:
        raise ValueError("concat takes at least one array")
    if axis is None:
        parts, axis = [flatten(part) for part in parts], 0
    return Array(concatenate(parts, axis))


def expand_dims(x: Array, /, *, axis: Any = 0) -> Array:
    """New axes of length 1."""
    return Array(_expand_dims(x.variable, axis))


def flip(x: Array, /, *, axis: Any = None) -> Array:
    """The elements in reverse order along axes, all by default."""
    return Array(extra_ops.flip(x.variable, axis))


def moveaxis(x: Array, source: Any, destination: Any, /) -> Array:
    """Axes moved to other places."""
    return Array(_moveaxis(x.variable, source, destination))


def permute_dims(x: Array, /, axes: Sequence[int]) -> Array:
    """The axes in another order."""
    return Array(transpose(x.variable, tuple(axes)))


def repeat(x: Array, repeats: Any, /, *, axis: int | None = None) -> Array:
    """Each element (or slice along an axis) several times in a row."""
    return Array(extra_ops.repeat(x.variable, unwrap(repeats), axis))


def reshape(x: Array, /, shape: Sequence[Any], *, copy: bool | None = None) -> Array:
    """The same elements in another shape; one length may be -1.

    Whether memory is shared is the compiler's affair: ``copy=False`` asks for what cannot be seen.
    """
    found = _reshape(x.variable, unwrap(tuple(shape)))
    return Array(tensor_copy(found) if copy else found)


def roll(x: Array, /, shift: Any, *, axis: Any = None) -> Array:
    """The elements moved along axes, those that leave coming in again."""
    if not isinstance(axis, (tuple, list)) and not isinstance(shift, (tuple, list)):
        return Array(extra_ops.roll(x.variable, unwrap(shift), axis))
    if axis is None:
        raise ValueError("roll: several shifts need as many axes")
    axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    shifts = tuple(shift) if isinstance(shift, (tuple, list)) else (shift,) * len(axes)
    if len(axes) == 1:
        axes = axes * len(shifts)
    if len(shifts) != len(axes):
        raise ValueError(f"roll: {len(shifts)} shifts for {len(axes)} axes")
    found = x.variable
    for step, place in zip(shifts, axes, strict=True):
        found = extra_ops.roll(found, unwrap(step), place)
    return Array(found)


def squeeze(x: Array, /, axis: Any) -> Array:
    """Axes of length 1 dropped."""
    return Array(_squeeze(x.variable, axis))


def stack(arrays: Sequence[Array], /, *, axis: int = 0) -> Array:
    """Arrays joined along a new axis."""
    parts = [variable_of(x) for x in arrays]
    if not parts:
        raise ValueError("stack takes at least one array")
    return Array(_stack(parts, axis))


def tile(x: Array, repetitions: Sequence[Any], /) -> Array:
    """The whole array several times along axes."""
    return Array(extra_ops.tile(x.variable, unwrap(tuple(repetitions))))


def unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    """The slices along an axis of known length."""
    return tuple(Array(_moveaxis(x.variable, axis, 0)))


def take(x: Array, indices: Any, /, *, axis: int | None = None) -> Array:
    """The slices along an axis at places of a vector of integers."""
    if axis is None and x.ndim != 1:
        raise ValueError(f"take: an array of {x.ndim} dimensions needs an axis")
    return Array(subtensor.take(x.variable, unwrap(indices), axis or 0))


def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """The elements at places along an axis, that differ from line to line."""
    return Array(_take_along_axis(x.variable, cast(variable_of(indices), "int64"), axis))
