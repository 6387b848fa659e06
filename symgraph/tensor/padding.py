"""Padding: more elements before and after those of each axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Variable
from symgraph.tensor import reduce as reductions
from symgraph.tensor.basic import alloc, arange, as_tensor_variable, full, static_length
from symgraph.tensor.dimshuffle import dimshuffle, normalize_axis
from symgraph.tensor.elemwise import cast, elemwise
from symgraph.tensor.grids import linspace
from symgraph.tensor.join import concatenate
from symgraph.tensor.shape import shape_i
from symgraph.tensor.specify import addbroadcast
from symgraph.tensor.subtensor import set_subtensor

__all__ = ["pad"]


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0, stat_length: Any = None,
        end_values: Any = 0, reflect_type: str = "even") -> Any:
    """`x` with elements put before and after it along each axis, as `numpy.pad`.

    Parameters
    ----------
    x : tensor-like
    pad_width : int, (before, after), one such pair for each axis, or a dictionary from axes to pairs
        How many; integers or scalar integer variables.
    mode : str
        What the new elements are: 'constant'; 'empty', which are zeros here; 'edge', the element at the edge;
        'linear_ramp', numbers from it to the end value; 'reflect' or 'symmetric', the mirror image without or with
        the edge; 'wrap', those of the other end; or the 'maximum', 'minimum', 'mean' or 'median' of an edge's
        neighbours.
    constant_values, end_values : number, (before, after), or one such pair for each axis
        For 'constant', brought to the dtype of `x`; for 'linear_ramp'.
    stat_length : int, (before, after), one such pair for each axis, or None
        How many elements next to the edge 'maximum' and the like are taken of; None takes all.
    reflect_type : {'even', 'odd'}
        Whether 'reflect' and 'symmetric' give the mirror image, or twice the edge less it.

    Raises
    ------
    ValueError
        For another mode, an option of another mode, a wrong number of pairs, a negative width, or an empty axis with
        nothing to repeat.
    TypeError
        When a width is not an integer, or the mode a function: write into a padded tensor with set_subtensor instead.

    Examples
    --------
    >>> pad([1, 2], (1, 2)).eval()
    array([0, 1, 2, 0, 0])
    >>> pad([1, 2, 3], 2, mode="reflect").eval()
    array([3, 2, 1, 2, 3, 2, 1])
    """
    variable = as_tensor_variable(x)
    _check_mode(mode, constant_values, stat_length, end_values, reflect_type)
    ndim = variable.type.ndim
    if isinstance(pad_width, dict):
        pairs: list[Any] = [0] * ndim
        for axis, width in pad_width.items():
            pairs[normalize_axis(axis, ndim)] = width
        pad_width = [list(p) if isinstance(p, (list, tuple)) else [p, p] for p in pairs] or 0
    widths = [tuple(map(_width, pair)) for pair in _pairs(pad_width, ndim, "pad_width")]
    if mode in ("constant", "empty"):
        return _with_constants(variable, widths, constant_values)
    lengths, ends = _pairs(stat_length, ndim, "stat_length"), _pairs(end_values, ndim, "end_values")
    for axis, (before, after) in enumerate(widths):
        if before == 0 and after == 0:
            continue
        if variable.type.shape[axis] == 0:
            raise ValueError(f"pad: axis {axis} is empty, so there is nothing to repeat; use mode='constant'")
        if mode in _STATISTICS:
            variable = _with_statistics(variable, axis, before, after, mode, lengths[axis])
        elif mode == "linear_ramp":
            variable = _with_ramps(variable, axis, before, after, ends[axis])
        else:
            variable = _with_others(variable, axis, before, after, mode, reflect_type == "odd")
    return variable


def _check_mode(mode: Any, constant_values: Any, stat_length: Any, end_values: Any, reflect_type: str) -> None:
    if callable(mode):
        raise TypeError("pad: the mode is a name; for a function, pad with zeros and write what it gives with "
                        "set_subtensor")
    if mode not in _OPTION:
        raise ValueError(f"pad: mode must be {', '.join(_OPTION)}, not {mode!r}")
    given = {"constant_values": constant_values, "stat_length": stat_length, "end_values": end_values,
             "reflect_type": reflect_type}
    for name, default in (("constant_values", 0), ("stat_length", None), ("end_values", 0), ("reflect_type", "even")):
        value = given[name]
        plain = value is None if default is None else isinstance(value, (int, float, str)) and value == default
        if not plain and _OPTION[mode] != name:
            raise ValueError(f"pad: mode {mode!r} takes no {name}")
    if reflect_type not in ("even", "odd"):
        raise ValueError(f"pad: reflect_type must be 'even' or 'odd', not {reflect_type!r}")


def _with_others(x: Any, axis: int, before: Any, after: Any, mode: str, odd: bool) -> Any:
    """Elements of the same axis before and after those of it."""
    length = x.type.shape[axis]
    lead = (slice(None),) * axis
    if length is not None and isinstance(before, int) and isinstance(after, int):
        n, steps, switch, clip = length, np.arange(-before, length + after), np.where, np.clip
    else:
        n, steps = shape_i(x, axis), arange(-before, shape_i(x, axis) + after)
        switch, clip = elemwise(scalar.switch), elemwise(scalar.clip)
    places = _PLACES[mode](steps, n, switch, clip)
    image = x[(*lead, places)]
    if not odd:
        return image
    # Each lap of the mirror adds twice the way from one edge to the other; every second half of one is turned round.
    lap = 2 * n - 2 * (mode == "reflect") + (n < 2)
    pattern = [0 if i == axis else "x" for i in range(x.type.ndim)]
    turned = dimshuffle(as_tensor_variable(steps % lap >= n), pattern)
    laps = dimshuffle(cast(as_tensor_variable(steps // lap), x.type.dtype), pattern)
    first, last = x[(*lead, slice(0, 1))], x[(*lead, slice(-1, None))]
    first, last = (addbroadcast(v, axis) for v in (first, last))
    return elemwise(scalar.switch)(turned, 2 * last - image, image) + 2 * laps * (last - first)


def _with_statistics(x: Any, axis: int, before: Any, after: Any, mode: str, lengths: tuple[Any, Any]) -> Any:
    """The extreme, mean or median of elements at either edge, as often as asked, before and after an axis."""
    lead = (slice(None),) * axis
    n = shape_i(x, axis)
    parts = []
    for side, (width, length) in enumerate(zip((before, after), lengths, strict=True)):
        if length is not None:
            length = _width(length, "stat_length")
            if isinstance(length, int) and length == 0:
                raise ValueError("pad: of a stat_length of 0 there is no value")
            start = elemwise(scalar.maximum)(n - length, 0)
            some = x[(*lead, slice(None, length) if side == 0 else slice(start, None))]
        else:
            some = x
        value = _STATISTICS[mode](some, axis)
        if x.type.is_discrete and not value.type.is_discrete:
            value = elemwise(scalar.round_half_to_even)(value)
        shape = [width if i == axis else shape_i(x, i) for i in range(x.type.ndim)]
        parts.append(alloc(cast(value, x.type.dtype), *shape))
    return concatenate([parts[0], x, parts[1]], axis)


def _with_ramps(x: Any, axis: int, before: Any, after: Any, ends: tuple[Any, Any]) -> Any:
    """Evenly spaced numbers between an end value and the edge, before and after an axis."""
    lead = (slice(None),) * axis
    left = linspace(ends[0], x[(*lead, 0)], before, False, x.type.dtype, axis)
    right = linspace(ends[1], x[(*lead, -1)], after, False, x.type.dtype, axis)
    return concatenate([left, x, right[(*lead, slice(None, None, -1))]], axis)


def _edge(i: Any, n: Any, where: Any, clip: Any) -> Any:
    return clip(i, 0, n - 1)


def _wrap(i: Any, n: Any, where: Any, clip: Any) -> Any:
    return i % n


def _symmetric(i: Any, n: Any, where: Any, clip: Any) -> Any:
    turn = i % (2 * n)
    return where(turn < n, turn, 2 * n - 1 - turn)


def _reflect(i: Any, n: Any, where: Any, clip: Any) -> Any:
    turn = i % (2 * n - 2 + (n < 2))  # a single element is its own image
    return where(turn < n, turn, 2 * n - 2 - turn)


#: From places that run out of an axis of length n, to the places of the elements that stand there.
_PLACES: dict[str, Callable[..., Any]] = {
    "edge": _edge, "reflect": _reflect, "symmetric": _symmetric, "wrap": _wrap,
}


_STATISTICS: dict[str, Callable[..., Any]] = {
    "maximum": lambda x, axis: reductions.max(x, axis, keepdims=True),
    "minimum": lambda x, axis: reductions.min(x, axis, keepdims=True),
    "mean": lambda x, axis: reductions.mean(x, axis, keepdims=True),
    "median": lambda x, axis: _median(x, axis),
}
#: Which option each mode takes.
_OPTION = {"constant": "constant_values", "empty": "", "edge": "", "linear_ramp": "end_values",
           "reflect": "reflect_type", "symmetric": "reflect_type", "wrap": "",
           **dict.fromkeys(_STATISTICS, "stat_length")}


def _median(x: Any, axis: int) -> Any:
    from symgraph.tensor.statistics import median

    return median(x, axis, keepdims=True)


def _with_constants(x: Any, widths: Sequence[tuple[Any, ...]], values: Any) -> Any:
    fills = _pairs(values, x.type.ndim, "constant_values")
    lengths = [static_length(n) if static_length(n) is not None else n
               for n in (shape_i(x, axis) for axis in range(x.type.ndim))]
    if isinstance(values, (int, float, complex)) or getattr(values, "ndim", None) == 0:
        whole = full([b + n + a for (b, a), n in zip(widths, lengths, strict=True)], _value(values, x))
        middle = tuple(slice(b, b + n) for (b, _), n in zip(widths, lengths, strict=True))
        return set_subtensor(whole[middle], x) if middle else x
    for axis, ((before, after), fill) in enumerate(zip(widths, fills, strict=True)):
        shape = [shape_i(x, i) for i in range(x.type.ndim)]
        sides = [full([*shape[:axis], n, *shape[axis + 1:]], _value(v, x))
                 for n, v in zip((before, after), fill, strict=True)]
        x = concatenate([sides[0], x, sides[1]], axis)
    return x


def _value(value: Any, x: Any) -> Any:
    return cast(value, x.type.dtype) if isinstance(value, Variable) else np.asarray(value).astype(x.type.dtype)


def _width(n: Any, what: str = "a width") -> Any:
    if isinstance(n, Variable):
        if n.type.ndim or not n.type.is_discrete:
            raise TypeError(f"pad: {what} is an integer, not {n.type}")
        known = static_length(n)
        n = cast(n, "int64") if known is None else known
    elif not isinstance(n, (int, np.integer)):
        raise TypeError(f"pad: {what} is an integer, not {n!r}")
    if isinstance(n, (int, np.integer)) and n < 0:
        raise ValueError(f"pad: {what} must not be negative, but is {n}")
    return int(n) if isinstance(n, np.integer) else n


def _pairs(given: Any, ndim: int, what: str) -> list[tuple[Any, Any]]:
    """One pair for each axis, from a number, a pair, or pairs."""
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if not isinstance(given, (list, tuple)):
        return [(given, given)] * ndim
    entries = [e if isinstance(e, (list, tuple)) else [e] for e in given]
    if all(not isinstance(e, (list, tuple)) for e in given) and len(given) in (1, 2):
        return [(given[0], given[-1])] * ndim
    if any(len(e) not in (1, 2) for e in entries) or len(entries) not in (1, ndim):
        raise ValueError(f"pad: {what} must be a number, a pair, or one pair for each of {ndim} axes, not {given}")
    return [(e[0], e[-1]) for e in (entries * ndim if len(entries) == 1 else entries)]
