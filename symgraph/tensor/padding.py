"""Padding: more elements before and after those of each axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Variable
from symgraph.tensor.basic import arange, as_tensor_variable, full, static_length
from symgraph.tensor.elemwise import cast, elemwise
from symgraph.tensor.join import concatenate
from symgraph.tensor.shape import shape_i
from symgraph.tensor.subtensor import set_subtensor

__all__ = ["pad"]


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Any:
    """`x` with elements put before and after it along each axis, as `numpy.pad`.

    Parameters
    ----------
    x : tensor-like
    pad_width : int, (before, after), or one such pair for each axis
        How many; integers or scalar integer variables.
    mode : {'constant', 'edge', 'reflect', 'symmetric', 'wrap'}
        What the new elements are: a constant, the element at the edge, the mirror image without or with the edge, or
        those of the other end.
    constant_values : number, (before, after), or one such pair for each axis
        For mode 'constant', brought to the dtype of `x`.

    Raises
    ------
    ValueError
        For another mode, a wrong number of pairs, a negative width, or an empty axis with nothing to repeat.
    TypeError
        When a width is not an integer.

    Examples
    --------
    >>> pad([1, 2], (1, 2)).eval()
    array([0, 1, 2, 0, 0])
    >>> pad([1, 2, 3], 2, mode="reflect").eval()
    array([3, 2, 1, 2, 3, 2, 1])
    """
    variable = as_tensor_variable(x)
    widths = [tuple(map(_width, pair)) for pair in _pairs(pad_width, variable.type.ndim, "pad_width")]
    if mode == "constant":
        return _with_constants(variable, widths, constant_values)
    if mode not in _PLACES:
        raise ValueError(f"pad: mode must be constant, {', '.join(_PLACES)}, not {mode!r}")
    for axis, (before, after) in enumerate(widths):
        if before == 0 and after == 0:
            continue
        length = variable.type.shape[axis]
        if length == 0:
            raise ValueError(f"pad: axis {axis} is empty, so there is nothing to repeat; use mode='constant'")
        if length is not None and isinstance(before, int) and isinstance(after, int):
            places: Any = _PLACES[mode](np.arange(-before, length + after), length, np.where, np.clip)
        else:
            n = shape_i(variable, axis)
            places = _PLACES[mode](arange(-before, n + after), n, elemwise(scalar.switch), elemwise(scalar.clip))
        variable = variable[(slice(None),) * axis + (places,)]
    return variable


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


def _width(n: Any) -> Any:
    if isinstance(n, Variable):
        if n.type.ndim or not n.type.is_discrete:
            raise TypeError(f"pad: a width is an integer, not {n.type}")
        known = static_length(n)
        n = cast(n, "int64") if known is None else known
    elif not isinstance(n, (int, np.integer)):
        raise TypeError(f"pad: a width is an integer, not {n!r}")
    if isinstance(n, (int, np.integer)) and n < 0:
        raise ValueError(f"pad: a width must not be negative, but is {n}")
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
