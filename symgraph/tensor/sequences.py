"""Functions sampled at points: differences, derivatives, integrals, interpolation, phases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.config import config
from symgraph.graph.basic import Variable
from symgraph.tensor import reduce as reductions
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.counting import searchsorted
from symgraph.tensor.cumulative import cumsum, diff
from symgraph.tensor.dimshuffle import dimshuffle, normalize_axis
from symgraph.tensor.elemwise import cast, elemwise
from symgraph.tensor.join import concatenate
from symgraph.tensor.shape import flatten, shape_i
from symgraph.tensor.sort import argsort
from symgraph.tensor.specify import require_lengths

__all__ = ["ediff1d", "gradient", "interp", "trapezoid", "trapz", "unwrap"]

_switch, _eq, _mod = elemwise(scalar.switch), elemwise(scalar.eq), elemwise(scalar.mod)


def _floating(x: Any) -> Any:
    return cast(x, config.floatX) if x.type.is_discrete else x


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """The differences of neighbours among all elements, as `numpy.ediff1d`.

    Parameters
    ----------
    ary : tensor-like
    to_end, to_begin : tensor-like, optional
        What is put after and before them; its dtype must fit that of `ary`.

    Raises
    ------
    TypeError
        When the dtype of what is added does not fit, or for booleans.

    Examples
    --------
    >>> ediff1d([1, 2, 4], to_begin=0).eval()
    array([0, 1, 2])
    """
    x = flatten(as_tensor_variable(ary))
    parts = [x[1:] - x[:-1]]
    for side, more in (("to_begin", to_begin), ("to_end", to_end)):
        if more is None:
            continue
        extra = flatten(as_tensor_variable(more))
        weak = isinstance(more, (int, float)) and not (isinstance(more, float) and x.type.is_discrete)
        if not weak and not np.can_cast(extra.type.numpy_dtype, x.type.numpy_dtype, "same_kind"):
            raise TypeError(f"ediff1d: {side}, of type {extra.type}, does not fit a tensor of type {x.type}")
        parts.insert(0 if side == "to_begin" else len(parts), cast(extra, x.type.dtype))
    return concatenate(parts) if len(parts) > 1 else parts[0]


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral by the trapezoidal rule along an axis, as `numpy.trapezoid`.

    Parameters
    ----------
    y : tensor-like
        The values of the function.
    x : tensor-like, optional
        Where they were taken: a vector for the axis, or a tensor of the rank of `y`.
    dx : float or scalar
        The distance of neighbours, where there is no `x`.
    axis : int

    Raises
    ------
    ValueError
        For a scalar, or an axis out of range.

    Examples
    --------
    >>> float(trapezoid([1, 2, 3]).eval())
    4.0
    """
    values = as_tensor_variable(y)
    axis = normalize_axis(axis, values.type.ndim)
    if x is None:
        width: Any = dx
    else:
        points = as_tensor_variable(x)
        if points.type.ndim == 1:
            width = diff(points)
            width = dimshuffle(width, [0 if i == axis else "x" for i in range(values.type.ndim)])
        else:
            width = diff(points, axis=axis)
    before = (slice(None),) * axis
    return reductions.sum(width * (values[(*before, slice(1, None))] + values[(*before, slice(None, -1))]) / 2.0, axis)


trapz = trapezoid


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: float | None = None) -> Any:
    """A piecewise linear function through points, as `numpy.interp`.

    Parameters
    ----------
    x : tensor-like
        Where it is evaluated.
    xp : vector
        Where its values are known, in ascending order unless there is a period.
    fp : vector
        The values there. Floats keep their dtype, where NumPy computes in float64.
    left, right : scalar, optional
        The values before the first point and after the last; those at these points by default.
    period : float, optional
        The period of the function; then there is no left and right.

    Returns
    -------
    TensorVariable
        In the shape of `x`.

    Raises
    ------
    TypeError
        When `x` or `xp` is complex; `fp` may be.
    ValueError
        When `xp` and `fp` are no vectors of one length, or the period is 0; at run time where that is only known then.

    Examples
    --------
    >>> interp([0.5, 1.5, 9.0], [0.0, 1.0, 2.0], [0.0, 10.0, 0.0]).eval()
    array([5., 5., 0.])
    """
    points, values = _floating(as_tensor_variable(xp)), _floating(as_tensor_variable(fp))
    if points.type.ndim != 1 or values.type.ndim != 1:
        raise ValueError(f"interp: xp and fp are vectors, not {points.type} and {values.type}")
    known = [n for n in (points.type.shape[0], values.type.shape[0]) if n is not None]
    if 0 in known or len(set(known)) > 1:
        raise ValueError(f"interp: xp and fp are of one length and not empty, but of type {points.type} and "
                         f"{values.type}")
    values = require_lengths(values, [shape_i(points, 0)] if len(known) < 2 else [None])
    where = _floating(as_tensor_variable(x))
    if "c" in (where.type.numpy_dtype.kind, points.type.numpy_dtype.kind):
        raise TypeError(f"interp: x and xp are real numbers, which have an order, not {where.type} and {points.type}")
    if period is not None:
        if period == 0:
            raise ValueError("interp: the period must not be 0")
        left = right = None
        width = abs(float(period))
        where, points = _mod(where, width), _mod(points, width)
        order = argsort(points, kind="stable")
        points, values = points[order], values[order]
        points = concatenate([points[-1:] - width, points, points[:1] + width])
        values = concatenate([values[-1:], values, values[:1]])
    count = shape_i(points, 0)
    last = elemwise(scalar.maximum)(count - 1, 0)
    low = elemwise(scalar.clip)(searchsorted(points, where, "right") - 1, 0, elemwise(scalar.maximum)(last - 1, 0))
    high = elemwise(scalar.minimum)(low + 1, last)
    gap = points[high] - points[low]
    slope = (values[high] - values[low]) / _switch(_eq(gap, 0), 1, gap)
    found = slope * (where - points[low]) + values[low]
    found = _switch(elemwise(scalar.lt)(where, points[0]), values[0] if left is None else left, found)
    found = _switch(elemwise(scalar.ge)(where, points[-1]), values[-1], found)
    return found if right is None else _switch(elemwise(scalar.gt)(where, points[-1]), right, found)


def unwrap(p: Any, discont: float | None = None, axis: int = -1, period: float = 2 * np.pi) -> Any:
    """Angles along an axis without jumps of a period or more, as `numpy.unwrap`.

    Parameters
    ----------
    p : tensor-like
        Real. Integers stay integers when the period is one; unsigned ones become int64, for differences have signs.
    discont : float, optional
        Differences of neighbours smaller than this are left; no less than half the period, which is the default.
    axis : int
    period : float or int

    Raises
    ------
    ValueError
        For a scalar, or an axis out of range.

    Examples
    --------
    >>> unwrap([0, 1, 2, -1, 0], period=4).eval()
    array([0, 1, 2, 3, 4])
    """
    x = as_tensor_variable(p)
    axis = normalize_axis(axis, x.type.ndim)
    whole = x.type.is_discrete and isinstance(period, (int, np.integer))
    x = _floating(x) if not whole else cast(x, "int64") if x.type.numpy_dtype.kind in "bu" else x
    step = diff(x, axis=axis)
    half: Any = period // 2 if whole else period / 2
    odd = whole and period % 2
    wrapped = _mod(step + half, period) - half
    if not odd:  # a step of half a period keeps its direction
        wrapped = _switch(_eq(wrapped, -half) & elemwise(scalar.gt)(step, 0), half, wrapped)
    least = period / 2 if discont is None else discont
    change = _switch(elemwise(scalar.lt)(elemwise(scalar.abs)(step), least), 0, wrapped - step)
    before = (slice(None),) * axis
    rest = x[(*before, slice(1, None))]
    return concatenate([x[(*before, slice(0, 1))], rest + cast(cumsum(change, axis), rest.type.dtype)], axis)


# ---- derivatives -----------------------------------------------------------------------------------------------


def _spacings(varargs: Sequence[Any], axes: Sequence[int], ndim: int) -> list[Any]:
    """For each axis the distance of neighbours, or the distances: a scalar, or a vector of one less than its length."""
    if not varargs:
        return [1.0] * len(axes)
    given = list(varargs) * len(axes) if len(varargs) == 1 else list(varargs)
    if len(given) != len(axes):
        raise TypeError(f"gradient: {len(given)} distances for {len(axes)} axes")
    found = []
    for entry in given:
        if isinstance(entry, (int, float)):
            found.append(entry)
            continue
        points = as_tensor_variable(entry)
        if points.type.ndim > 1:
            raise ValueError(f"gradient: distances are scalars, or vectors of coordinates, not {points.type}")
        found.append(points if points.type.ndim == 0 else diff(_floating(points)))
    return found


def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """The derivative of a function known at the points of a grid, by central differences, as `numpy.gradient`.

    This is an operation on numbers; the symbolic derivative of an expression is `symgraph.grad`.

    Parameters
    ----------
    f : tensor-like
        With at least ``edge_order + 1`` points along each axis. Floats keep their dtype; integers become floatX.
    *varargs : scalar or vector
        Nothing for a distance of 1; one distance for all axes; or for each axis a distance, or the coordinates.
    axis : int, sequence of int, or None
        None takes the derivative along each axis.
    edge_order : {1, 2}
        The order of the differences at both ends.

    Returns
    -------
    TensorVariable, or a list of them where there is not one axis

    Raises
    ------
    TypeError
        When there is not one distance for each axis.
    ValueError
        For another order, an axis out of range, or too few points.

    Examples
    --------
    >>> gradient([1.0, 2.0, 4.0, 7.0]).eval()
    array([1. , 1.5, 2.5, 3. ])
    """
    x = _floating(as_tensor_variable(f))
    axes = reductions.normalize_axes(axis, x.type.ndim, "gradient") if not isinstance(axis, (list, tuple)) else tuple(
        normalize_axis(one, x.type.ndim) for one in axis)
    if edge_order not in (1, 2):
        raise ValueError(f"gradient: edge_order must be 1 or 2, not {edge_order!r}")
    for one in axes:
        known = x.type.shape[one]
        if known is not None and known <= edge_order:
            raise ValueError(f"gradient: axis {one}, of length {known}, needs {edge_order + 1} points or more")
    found = [_along(x, step, one, edge_order) for one, step in zip(axes, _spacings(varargs, axes, x.type.ndim),
                                                                     strict=True)]
    return found[0] if len(found) == 1 else found


def _along(x: Any, step: Any, axis: int, edge_order: int) -> Any:
    """The derivative along one axis."""
    def part(start: int | None, stop: int | None) -> Any:
        return x[(*(slice(None),) * axis, slice(start, stop))]

    def steps(start: int | None, stop: int | None) -> Any:
        vector = isinstance(step, Variable) and step.type.ndim
        if not vector:
            return step
        return dimshuffle(step[start:stop], [0 if i == axis else "x" for i in range(x.type.ndim)])

    uneven = isinstance(step, Variable) and step.type.ndim == 1
    if uneven:
        before, after = steps(None, -1), steps(1, None)
        middle = (-after / (before * (before + after)) * part(None, -2) + (after - before) / (before * after)
                  * part(1, -1) + before / (after * (before + after)) * part(2, None))
    else:
        middle = (part(2, None) - part(None, -2)) / (2.0 * step)
    if edge_order == 1:
        first = (part(1, 2) - part(0, 1)) / steps(0, 1)
        last = (part(-1, None) - part(-2, -1)) / steps(-1, None)
    else:
        first = _one_sided(part(0, 1), part(1, 2), part(2, 3), steps(0, 1), steps(1, 2))
        last = -_one_sided(part(-1, None), part(-2, -1), part(-3, -2), steps(-1, None), steps(-2, -1))
    return cast(concatenate([first, middle, last], axis), x.type.dtype)


def _one_sided(at: Any, next_: Any, far: Any, near_step: Any, far_step: Any) -> Any:
    """The derivative at the first of three points, by the parabola through them."""
    both = near_step + far_step
    return (-(both + near_step) / (near_step * both) * at + both / (near_step * far_step) * next_
            - near_step / (far_step * both) * far)
