"""Evenly spaced numbers, and grids made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.config import config
from symgraph.graph.basic import Variable
from symgraph.tensor.basic import arange, as_tensor_variable, full_like, static_length
from symgraph.tensor.checks import require
from symgraph.tensor.dimshuffle import dimshuffle, moveaxis
from symgraph.tensor.elemwise import cast, elemwise
from symgraph.tensor.subtensor import set_subtensor

__all__ = ["geomspace", "linspace", "logspace", "meshgrid", "mgrid", "ogrid"]


def _ends(start: Any, stop: Any, num: Any, who: str) -> tuple[Any, Any, Any]:
    """Both ends as floats, and the number of points."""
    if isinstance(num, Variable):
        if num.type.ndim or not num.type.is_discrete:
            raise TypeError(f"{who}: the number of points is a scalar integer, not {num.type}")
        num = cast(num, "int64") if static_length(num) is None else static_length(num)
    elif not isinstance(num, (int, np.integer)):
        raise TypeError(f"{who}: the number of points is an integer, not {num!r}")
    if not isinstance(num, Variable) and num < 0:
        raise ValueError(f"{who}: the number of points must not be negative, but is {num}")
    first, last = as_tensor_variable(start), as_tensor_variable(stop)
    wide = np.result_type(first.type.numpy_dtype, last.type.numpy_dtype, 1.0)
    if first.type.is_discrete and last.type.is_discrete and config.cast_policy == "floatX":
        wide = np.dtype(config.floatX)
    if isinstance(num, Variable):
        num = require(num, elemwise(scalar.ge)(num, 0), f"{who}: the number of points must not be negative")
    return cast(first, wide), cast(last, wide), num if isinstance(num, Variable) else int(num)


def linspace(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0,
             retstep: bool = False) -> Any:
    """Evenly spaced numbers between two, as `numpy.linspace`.

    Parameters
    ----------
    start, stop : tensor-like
        Broadcast against each other; the numbers run along a new axis.
    num : int or scalar integer variable
        How many.
    endpoint : bool
        Whether `stop` is the last of them.
    dtype : str, optional
        Of the result; by default the float of the ends, floatX for Python numbers. For integers, rounded down.
    axis : int
        Where the new axis stands.
    retstep : bool
        Return the distance of neighbours too.

    Returns
    -------
    TensorVariable, or a pair of them with `retstep`

    Raises
    ------
    TypeError, ValueError
        When `num` is no integer, or negative; at run time where that is only known then.

    Examples
    --------
    >>> linspace(0.0, 1.0, 5).eval()
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    first, last, num = _ends(start, stop, num, "linspace")
    points = _spread(first, last, num, endpoint, last)
    if dtype is not None:
        points = cast(elemwise(scalar.floor)(points) if np.dtype(dtype).kind in "iu" else points, dtype)
    points = moveaxis(points, 0, axis) if points.type.ndim > 1 else points
    return (points, _step(last - first, num, endpoint, float("nan"))) if retstep else points


def _step(delta: Any, num: Any, endpoint: bool, otherwise: Any) -> Any:
    """The distance of neighbours; where there are none, what is said."""
    parts = num - 1 if endpoint else num
    if isinstance(parts, Variable):
        some = elemwise(scalar.gt)(parts, 0)
        count = cast(elemwise(scalar.maximum)(parts, 1), delta.type.dtype)
        return elemwise(scalar.switch)(some, delta / count, otherwise)
    if parts > 0:
        return delta / parts
    return otherwise if isinstance(otherwise, Variable) else full_like(delta, otherwise)


def _spread(first: Any, last: Any, num: Any, endpoint: bool, final: Any) -> Any:
    delta = last - first
    steps = dimshuffle(cast(arange(num), first.type.dtype), [0] + ["x"] * delta.type.ndim)
    points = steps * _step(delta, num, endpoint, delta) + first
    return _with_last(points, final, num) if endpoint else points


def _with_last(points: Any, final: Any, num: Any) -> Any:
    """The points, the last of which is exact, where it is not the first as well."""
    if isinstance(num, int):
        return set_subtensor(points[-1], final) if num > 1 else points
    end: Any = points[elemwise(scalar.maximum)(num - 1, 1):]  # nothing, where there is one point or none
    return set_subtensor(end, dimshuffle(final, ["x", *range(final.type.ndim)]))


def logspace(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None,
             axis: int = 0) -> Any:
    """Numbers evenly spaced in their logarithms, from ``base**start`` to ``base**stop``, as `numpy.logspace`.

    Parameters are those of `linspace`, and the base.

    Examples
    --------
    >>> logspace(0.0, 2.0, 3).eval()
    array([  1.,  10., 100.])
    """
    points = elemwise(scalar.pow)(base, linspace(start, stop, num, endpoint, axis=axis))
    return points if dtype is None else cast(points, dtype)


def geomspace(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """Numbers each of which is the same multiple of the one before, as `numpy.geomspace`, for real ends.

    Parameters are those of `linspace`; both ends have one sign and are not zero, else the result is NaN.

    Examples
    --------
    >>> geomspace(1.0, 8.0, 4).eval()
    array([1., 2., 4., 8.])
    """
    first, last, num = _ends(start, stop, num, "geomspace")
    ratio = elemwise(scalar.log2)(last / first)
    points = first * elemwise(scalar.exp2)(_spread(ratio - ratio, ratio, num, endpoint, ratio))
    if endpoint:
        points = _with_last(points, elemwise(scalar.second)(ratio, last), num)
    if dtype is not None:
        points = cast(points, dtype)
    return moveaxis(points, 0, axis) if points.type.ndim > 1 else points


def meshgrid(*xi: Any, indexing: str = "xy", sparse: bool = False) -> list[Any]:
    """The coordinates of the points of a grid, one tensor for each axis, as `numpy.meshgrid`.

    Parameters
    ----------
    *xi : vector or scalar
        The coordinates along each axis.
    indexing : {'xy', 'ij'}
        Whether the first coordinate runs along the second axis, as in plots, or along the first.
    sparse : bool
        Leave axes of length 1 where a coordinate does not change.

    Raises
    ------
    ValueError
        For another indexing, or more than one dimension.

    Examples
    --------
    >>> x, y = meshgrid([1, 2], [3, 4, 5])
    >>> x.eval()
    array([[1, 2],
           [1, 2],
           [1, 2]])
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing must be 'xy' or 'ij', not {indexing!r}")
    vectors = [as_tensor_variable(x) for x in xi]
    for v in vectors:
        if v.type.ndim > 1:
            raise ValueError(f"meshgrid takes vectors, not {v.type}")
    ndim = len(vectors)
    places = list(range(ndim))
    if indexing == "xy" and ndim > 1:
        places[:2] = [1, 0]
    open_grid = [dimshuffle(v, [0 if axis == place and v.type.ndim else "x" for axis in range(ndim)])
                 for v, place in zip(vectors, places, strict=True)]
    return open_grid if sparse else _dense(open_grid)


def _dense(grids: list[Any]) -> list[Any]:
    second = elemwise(scalar.second)
    if len(grids) < 2:
        return grids
    whole = grids[0]
    for g in grids[1:]:
        whole = second(whole, g)
    return [second(whole, g) for g in grids]


class _Grid:
    """Grids written as slices: ``mgrid[0:2, 0:3]``."""

    def __init__(self, sparse: bool) -> None:
        self.sparse = sparse

    def __getitem__(self, key: Any) -> Any:
        """The coordinates: a list with a tensor for each slice, or one vector for a single slice."""
        if isinstance(key, slice):
            return _range(key)
        ranges = [_range(part) for part in key]
        dtype = np.result_type(*(r.type.numpy_dtype for r in ranges))
        return meshgrid(*(cast(r, dtype) for r in ranges), indexing="ij", sparse=self.sparse)


def _range(part: Any) -> Any:
    if not isinstance(part, slice) or part.stop is None:
        raise TypeError(f"a grid is made of slices that end, such as mgrid[0:3, 1:2:0.5], not {part!r}")
    start, step = 0 if part.start is None else part.start, 1 if part.step is None else part.step
    if isinstance(step, complex) and not isinstance(step, Variable):
        return linspace(start, part.stop, int(abs(step)))
    return arange(start, part.stop, step)


#: The coordinates of all points of a grid: ``mgrid[0:2, 0:3]``; a step of ``5j`` means 5 points, both ends among them.
mgrid = _Grid(sparse=False)
#: The same, with axes of length 1 where a coordinate does not change.
ogrid = _Grid(sparse=True)
