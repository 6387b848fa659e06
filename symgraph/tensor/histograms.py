"""Histograms, and which interval elements fall into, as NumPy's functions of the same names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.config import config
from symgraph.graph.basic import Constant, Variable
from symgraph.tensor import reduce as reductions
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.checks import require
from symgraph.tensor.choosing import ravel_multi_index
from symgraph.tensor.counting import bincount, searchsorted
from symgraph.tensor.cumulative import diff
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.elemwise import cast, elemwise
from symgraph.tensor.grids import linspace
from symgraph.tensor.shape import flatten, length_of, reshape, shape_i
from symgraph.tensor.specify import require_lengths, specify_shape

__all__ = ["digitize", "histogram", "histogram2d", "histogram_bin_edges", "histogramdd"]

_switch, _eq = elemwise(scalar.switch), elemwise(scalar.eq)


def _ascending(edges: Any, who: str) -> Any:
    """The edges, checked to be a vector in ascending order."""
    variable = as_tensor_variable(edges)
    if variable.type.ndim != 1:
        raise ValueError(f"{who}: bins are a number of them, or a vector of edges, not {variable.type}")
    if isinstance(variable, Constant):
        condition: Any = np.all(variable.data[:-1] <= variable.data[1:])
    else:
        condition = reductions.all(elemwise(scalar.le)(variable[:-1], variable[1:]))
    return require(variable, condition, f"{who}: the edges of bins must ascend")


def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """The edges of the bins that `histogram` counts in, as `numpy.histogram_bin_edges`.

    Parameters
    ----------
    a : tensor-like
    bins : int, scalar integer variable, or vector
        How many bins of equal width, or their edges.
    range : (low, high), optional
        The outer edges; the smallest and the largest element by default, 0 and 1 where there is none.
    weights : optional
        Not needed; accepted as NumPy accepts it.

    Raises
    ------
    TypeError
        For the name of a rule: how many bins it makes depends on the values.
    ValueError
        When there is no bin, when edges do not ascend, or a range is empty or not finite; at run time where that is
        only known then.

    Examples
    --------
    >>> histogram_bin_edges([0.0, 4.0], 2).eval()
    array([0., 2., 4.])
    """
    return _edges(as_tensor_variable(a), bins, range, "histogram_bin_edges")


def _edges(x: Any, bins: Any, range: Any, who: str) -> Any:
    if isinstance(bins, str):
        raise TypeError(f"{who}: how many bins the rule {bins!r} makes depends on the values; give a number or edges")
    if not isinstance(bins, (int, np.integer)) and as_tensor_variable(bins).type.ndim:
        return _ascending(bins, who)
    if isinstance(bins, (int, np.integer)) and bins < 1:
        raise ValueError(f"{who}: there must be at least one bin, not {bins}")
    if range is None:
        low, high = _extent(x)
    else:
        low, high = range
        if not isinstance(low, Variable) and not isinstance(high, Variable):
            if not (np.isfinite(low) and np.isfinite(high)):
                raise ValueError(f"{who}: the range [{low}, {high}] is not finite")
            if low > high:
                raise ValueError(f"{who}: the range runs downwards, from {low} to {high}")
    dtype = np.dtype(config.floatX) if x.type.is_discrete else x.type.numpy_dtype
    low, high = (cast(cast(v, dtype), "float64") for v in (low, high))  # as NumPy, lest an element change its bin
    alone = _eq(low, high)
    return linspace(_switch(alone, low - 0.5, low), _switch(alone, high + 0.5, high), _plus_one(bins), dtype=dtype)


def _extent(x: Any) -> tuple[Any, Any]:
    """The smallest and the largest element; 0 and 1 where there is none, as in NumPy."""
    if all(x.type.shape):
        return reductions.min(x), reductions.max(x)
    if 0 in x.type.shape:
        return 0.0, 1.0
    x = cast(flatten(x), config.floatX) if x.type.is_discrete else flatten(x)
    top = reductions.Reduce("top", (0,))
    empty = _eq(shape_i(x, 0), 0)
    return _switch(empty, 0, -top(-x)), _switch(empty, 1, top(x))


def _plus_one(bins: Any) -> Any:
    return int(bins) + 1 if isinstance(bins, (int, np.integer)) else as_tensor_variable(bins) + 1


def _places(x: Any, edges: Any) -> Any:
    """The bin of each element, from 0; the number of bins for those in none. The last bin contains both its edges."""
    count = length_of(edges, 0) - 1
    place = searchsorted(edges, x, "right") - 1
    place = _switch(_eq(x, edges[-1]), count - 1, place)
    return _switch(elemwise(scalar.ge)(place, 0) & elemwise(scalar.lt)(place, count), place, count)


def _counted(places: Any, count: Any, weights: Any) -> Any:
    """How often each place below a count occurs, or the weights of its elements."""
    found = bincount(places, weights, count + 1)
    return specify_shape(found[:count], [count if isinstance(count, int) else None])


def _weights(weights: Any, x: Any, who: str) -> Any:
    """The weights of all elements in one axis."""
    if weights is None:
        return None
    w = as_tensor_variable(weights)
    if w.type.ndim != x.type.ndim:
        raise ValueError(f"{who}: weights of {w.type.ndim} dimensions for elements of {x.type.ndim}")
    return flatten(require_lengths(w, [shape_i(x, i) for i in range(x.type.ndim)]))


def histogram(a: Any, bins: Any = 10, range: Any = None, density: bool = False, weights: Any = None) -> list[Any]:
    """How many elements fall into each bin, as `numpy.histogram`.

    Parameters
    ----------
    a : tensor-like
        Real.
    bins, range
        As for `histogram_bin_edges`. A bin contains its lower edge, the last one both. What is outside, or NaN, is
        not counted.
    density : bool
        Divide by the number of elements counted and the width of the bin, so that the integral is 1.
    weights : tensor-like, optional
        What each element counts for, in the shape of `a`; real.

    Returns
    -------
    list
        The counts (int64, or of the dtype of the weights) and the edges.

    Raises
    ------
    TypeError
        For complex numbers, or bins given as the name of a rule.
    ValueError
        As for `histogram_bin_edges`, or when weights are of another shape.

    Examples
    --------
    >>> counts, edges = histogram([1, 2, 1], bins=[0, 1, 2, 3])
    >>> counts.eval()
    array([0, 2, 1])
    """
    x = as_tensor_variable(a)
    if x.type.numpy_dtype.kind == "c":
        raise TypeError(f"histogram takes real numbers, which have an order, not {x.type}")
    edges = _edges(x, bins, range, "histogram")
    w = _weights(weights, x, "histogram")
    counts = _counted(_places(flatten(x), edges), length_of(edges, 0) - 1, w)
    counts = counts if w is None else cast(counts, w.type.dtype)
    if density:
        widths = diff(cast(edges, config.floatX) if edges.type.is_discrete else edges)
        counts = counts / widths / reductions.sum(counts)
    return [counts, edges]


def histogramdd(sample: Any, bins: Any = 10, range: Any = None, density: bool = False,
                weights: Any = None) -> tuple[Any, list[Any]]:
    """How many points fall into each box of a grid, as `numpy.histogramdd`.

    Parameters
    ----------
    sample : matrix, or sequence of vectors
        A point in each row; the number of columns must be known. Or the coordinates along each axis.
    bins : int, or sequence with an int or a vector of edges for each axis
    range : sequence of (low, high) or None, optional
    density : bool
    weights : vector, optional
        What each point counts for.

    Returns
    -------
    tuple
        The counts, floats as in NumPy, with an axis for each coordinate; and a list of the edges along each.

    Raises
    ------
    ValueError
        When bins or ranges are not one for each axis; else as for `histogram`.
    """
    if isinstance(sample, (list, tuple)):
        columns = [as_tensor_variable(c) for c in sample]
    else:
        points = as_tensor_variable(sample)
        if points.type.ndim != 2 or points.type.shape[1] is None:
            raise ValueError(f"histogramdd takes a matrix with a known number of columns, not {points.type}")
        columns = list(points.T)
    ndim = len(columns)
    each: Sequence[Any] = [bins] * ndim if isinstance(bins, (int, np.integer)) else bins
    ranges: Sequence[Any] = [None] * ndim if range is None else range
    if len(each) != ndim or len(ranges) != ndim:
        raise ValueError(f"histogramdd: bins and ranges are one for each of {ndim} axes, not {len(each)} and "
                         f"{len(ranges)}")
    edges = [_edges(c, b, r, "histogramdd") for c, b, r in zip(columns, each, ranges, strict=True)]
    # One more place along each axis takes what is outside.
    lengths = [length_of(e, 0) for e in edges]
    place = ravel_multi_index([_places(c, e) for c, e in zip(columns, edges, strict=True)], lengths)
    total: Any = lengths[0]
    for n in lengths[1:]:
        total = total * n
    w = None if weights is None else _weights(weights, columns[0], "histogramdd")
    counts = reshape(_counted(place, total, w), lengths)[tuple([slice(None, -1)] * ndim)]
    dtype = config.floatX if w is None or w.type.is_discrete else w.type.dtype
    counts = cast(counts, dtype)
    if density:
        whole = reductions.sum(counts)
        for i, e in enumerate(edges):
            counts = counts / dimshuffle(cast(diff(e), dtype), ["x"] * i + [0] + ["x"] * (ndim - 1 - i))
        counts = counts / whole
    return counts, edges


def histogram2d(x: Any, y: Any, bins: Any = 10, range: Any = None, density: bool = False,
                weights: Any = None) -> tuple[Any, Any, Any]:
    """How many points of a plane fall into each rectangle, as `numpy.histogram2d`.

    Parameters
    ----------
    x, y : vector
        The coordinates of the points.
    bins : int, vector of edges, or a pair of these
    range : pair of (low, high), optional
    density : bool
    weights : vector, optional

    Returns
    -------
    tuple
        The counts, and the edges along either axis.

    Examples
    --------
    >>> counts, _, _ = histogram2d([0.5, 1.5], [0.5, 0.5], bins=[[0, 1, 2], [0, 1]])
    >>> counts.eval()
    array([[1.],
           [1.]])
    """
    if not isinstance(bins, (int, np.integer)):
        alone = isinstance(bins, Variable) or len(bins) not in (1, 2)
        bins = [bins, bins] if alone else list(bins) * (3 - len(bins))
    counts, (first, second) = histogramdd([x, y], bins, range, density, weights)
    return counts, first, second


def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """Which interval between edges each element falls into, as `numpy.digitize`.

    Parameters
    ----------
    x : tensor-like
    bins : vector
        In ascending or in descending order.
    right : bool
        Whether an interval contains its right edge instead of its left one.

    Returns
    -------
    TensorVariable
        int64: 0 before the first edge, the number of edges after the last.

    Raises
    ------
    TypeError
        For complex numbers.
    ValueError
        When the edges are no vector or in no order; at run time where that is only known then.

    Examples
    --------
    >>> digitize([0.2, 6.4, 3.0], [0.0, 1.0, 2.5, 4.0]).eval()
    array([1, 4, 3])
    """
    edges: Any = as_tensor_variable(bins)
    if edges.type.ndim != 1:
        raise ValueError(f"digitize: bins are a vector of edges, not {edges.type}")
    value = as_tensor_variable(x)
    if "c" in (edges.type.numpy_dtype.kind, value.type.numpy_dtype.kind):
        raise TypeError(f"digitize takes real numbers, which have an order, not {value.type} and {edges.type}")
    if isinstance(edges, Constant):
        if np.all(edges.data[:-1] <= edges.data[1:]):
            return searchsorted(edges, value, "left" if right else "right")
        require(edges, np.all(edges.data[:-1] >= edges.data[1:]), "digitize: the edges of bins must ascend or descend")
        return len(edges.data) - searchsorted(edges.data[::-1], value, "left" if right else "right")
    up = reductions.all(elemwise(scalar.le)(edges[:-1], edges[1:]))
    down = reductions.all(elemwise(scalar.ge)(edges[:-1], edges[1:]))
    edges = require(edges, up | down, "digitize: the edges of bins must ascend or descend")
    side = "left" if right else "right"
    falling = shape_i(edges, 0) - searchsorted(edges[::-1], value, side)
    return _switch(up, searchsorted(edges, value, side), falling)
