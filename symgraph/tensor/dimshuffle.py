"""Axes permuted, dropped and inserted: views, which change no element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import Type
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.elemwise import TensorOp
from symgraph.tensor.type import TensorType, tensor_type

__all__ = [
    "DimShuffle", "atleast_1d", "atleast_2d", "atleast_3d", "dimshuffle", "expand_dims", "is_axis_of_scalar",
    "moveaxis", "normalize_axis", "shape_padaxis", "shape_padleft", "shape_padright", "squeeze", "swapaxes",
    "transpose",
]


@frozen(repr=False)
class DimShuffle(TensorOp):
    """Axes permuted, dropped (where of length 1) and inserted: a view.

    Parameters
    ----------
    order : tuple of int or 'x'
        For each axis of the result, the input's axis or ``'x'`` for a new one of length 1.
    """

    order: tuple[int | str, ...]

    view_map = {0: [0]}  # noqa: RUF012

    def infer_type(self, *types: Type) -> Sequence[Type]:
        (x,) = types
        if not isinstance(x, TensorType):
            raise TypeError(f"dimshuffle takes a tensor, not {x}")
        kept = [axis for axis in self.order if axis != "x"]
        for axis in kept:
            if not isinstance(axis, int) or not 0 <= axis < x.ndim:
                raise ValueError(f"dimshuffle{self.order}: there is no axis {axis!r} in {x.ndim} dimensions")
        if len(set(kept)) != len(kept):
            raise ValueError(f"dimshuffle{self.order} names an axis twice")
        for axis, length in enumerate(x.shape):
            if axis not in kept and length != 1:
                raise ValueError(
                    f"dimshuffle{self.order} drops axis {axis} of {x}, which is not known to have length 1; index it "
                    "or use T.addbroadcast first"
                )
        return (tensor_type(x.dtype, self._shuffled(x.shape, 1)),)

    def _shuffled(self, lengths: Sequence[Any], new: Any) -> tuple[Any, ...]:
        return tuple(new if axis == "x" else lengths[axis] for axis in self.order)  # type: ignore[index]

    @property
    def kept(self) -> tuple[int, ...]:
        """The input's axes that stay, in their new order."""
        return tuple(axis for axis in self.order if isinstance(axis, int))

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x = np.asarray(inputs[0])
        if any(length != 1 for axis, length in enumerate(x.shape) if axis not in self.kept):
            raise ValueError(f"{self} drops an axis whose length is not 1: the shape is {x.shape}")
        dropped = [axis for axis in range(x.ndim) if axis not in self.kept]
        index: Any = (*(0,) * len(dropped), ...)  # the ellipsis keeps a 0-d result an array
        x = x.transpose([*dropped, *self.kept])[index]
        output_storage[0][0] = x[(..., *(None if axis == "x" else slice(None) for axis in self.order))]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [self._shuffled(input_shapes[0], 1)]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        back: list[int | str] = ["x"] * inputs[0].type.ndim
        for place, axis in enumerate(self.order):
            if isinstance(axis, int):
                back[axis] = place
        return [dimshuffle(output_gradients[0], back)]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self(eval_points[0])]

    def __repr__(self) -> str:
        if len(self.order) > 1 and self.order == tuple(range(len(self.order)))[::-1]:
            return "transpose"
        return f"dimshuffle{{{','.join(map(str, self.order))}}}"


def dimshuffle(x: Any, pattern: Sequence[Any]) -> Any:
    """Permute, drop and insert axes.

    Parameters
    ----------
    x : tensor-like
    pattern : sequence of int or 'x'
        For each axis of the result, the axis of `x` (from the end when negative), or ``'x'`` for a new axis of length
        1. Axes not named are dropped, which only an axis known to have length 1 may be.

    Raises
    ------
    ValueError
        When an axis does not exist, is named twice, or cannot be dropped.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> dimshuffle(T.matrix("m"), (1, "x", 0)).type.shape
    (None, 1, None)
    """
    variable = as_tensor_variable(x)
    ndim = variable.type.ndim
    order = tuple("x" if isinstance(a, str) and a == "x" else normalize_axis(a, ndim, "dimshuffle") for a in pattern)
    if order == tuple(range(ndim)):
        return variable
    return DimShuffle(order)(variable)


def normalize_axis(axis: Any, ndim: int, who: str | None = None) -> int:
    """An axis counted from the front.

    Raises
    ------
    TypeError
        When it is no integer.
    numpy.exceptions.AxisError
        When it is out of range; a ValueError and an IndexError.
    """
    if not isinstance(axis, (int, np.integer)):
        raise TypeError(f"{who + ': ' if who else ''}an axis is an integer, not {axis!r}")
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(int(axis), ndim, who)
    return int(axis) % ndim


def is_axis_of_scalar(axis: Any, ndim: int) -> bool:
    """Whether a tensor has 0 dimensions, and the axis is the first or last: many of NumPy's functions take it."""
    return ndim == 0 and isinstance(axis, (int, np.integer)) and not isinstance(axis, bool) and axis in (0, -1)


def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """Permute the axes of `x`; reverse them when `axes` is None."""
    variable = as_tensor_variable(x)
    if axes is None:
        axes = range(variable.type.ndim)[::-1]
    if len(axes) != variable.type.ndim:
        raise ValueError(f"transpose: {len(axes)} axes given for {variable.type.ndim} dimensions")
    return dimshuffle(variable, list(axes))


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Exchange two axes."""
    variable = as_tensor_variable(x)
    order = list(range(variable.type.ndim))
    a, b = (normalize_axis(axis, len(order), "swapaxes") for axis in (axis1, axis2))
    order[a], order[b] = order[b], order[a]
    return dimshuffle(variable, order)


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """Move axes to new places; the others keep their order."""
    variable = as_tensor_variable(x)
    ndim = variable.type.ndim
    sources = [normalize_axis(a, ndim, "moveaxis") for a in np.atleast_1d(source).tolist()]
    places = [normalize_axis(a, ndim, "moveaxis") for a in np.atleast_1d(destination).tolist()]
    if len(sources) != len(places):
        raise ValueError("moveaxis: source and destination must name as many axes")
    order = [axis for axis in range(ndim) if axis not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        order.insert(place, axis)
    return dimshuffle(variable, order)


def shape_padleft(t: Any, n_ones: int = 1) -> Any:
    """New axes of length 1 in front."""
    variable = as_tensor_variable(t)
    return dimshuffle(variable, ["x"] * n_ones + list(range(variable.type.ndim)))


def shape_padright(t: Any, n_ones: int = 1) -> Any:
    """New axes of length 1 behind."""
    variable = as_tensor_variable(t)
    return dimshuffle(variable, list(range(variable.type.ndim)) + ["x"] * n_ones)


def expand_dims(x: Any, axis: Any) -> Any:
    """New axes of length 1 at the given places of the result."""
    variable = as_tensor_variable(x)
    axes = [axis] if isinstance(axis, (int, np.integer)) else list(axis)
    ndim = variable.type.ndim + len(axes)
    places = {normalize_axis(a, ndim, "expand_dims") for a in axes}
    if len(places) != len(axes):
        raise ValueError(f"expand_dims: an axis is given twice in {axes}")
    old = iter(range(variable.type.ndim))
    return dimshuffle(variable, ["x" if place in places else next(old) for place in range(ndim)])


def shape_padaxis(t: Any, axis: int) -> Any:
    """A new axis of length 1 at one place of the result."""
    return expand_dims(t, axis)


def squeeze(x: Any, axis: Any = None) -> Any:
    """Drop axes of length 1: those named, or all that are known to be.

    Raises
    ------
    ValueError
        When a named axis is not known to have length 1.
    """
    variable = as_tensor_variable(x)
    from symgraph.tensor.reduce import normalize_axes

    if axis is None:
        axes: tuple[int, ...] = tuple(i for i, n in enumerate(variable.type.shape) if n == 1)
    else:
        axes = normalize_axes(axis, variable.type.ndim, "squeeze", scalars=True)
    return dimshuffle(variable, [i for i in range(variable.type.ndim) if i not in axes])


def _atleast(x: Any, ndim: int) -> Any:
    variable = as_tensor_variable(x)
    return variable if variable.type.ndim >= ndim else shape_padleft(variable, ndim - variable.type.ndim)


def atleast_1d(x: Any) -> Any:
    """`x` with at least one axis."""
    return _atleast(x, 1)


def atleast_2d(x: Any) -> Any:
    """`x` with at least two axes, new ones in front."""
    return _atleast(x, 2)


def atleast_3d(x: Any, left: bool = True) -> Any:
    """`x` with at least three axes, new ones in front."""
    return _atleast(x, 3)
