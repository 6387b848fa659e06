"""Several axes as one, and one as several: reshaping that leaves the other axes as they are."""

from __future__ import annotations

from typing import Any

from symgraph.tensor.basic import as_lengths, as_tensor_variable
from symgraph.tensor.dimshuffle import normalize_axis
from symgraph.tensor.shape import length_of, lengths_of, reshape

__all__ = ["join_dims", "split_dims"]


def join_dims(x: Any, start_axis: int = 0, n_axes: int | None = None) -> Any:
    """Several axes that follow each other as one, the elements in their order.

    Parameters
    ----------
    x : tensor-like
    start_axis : int
        The first of them.
    n_axes : int, optional
        How many; all from the first on by default. None of them, 0, makes a new axis of length 1.

    Raises
    ------
    ValueError
        When there are not so many.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> join_dims(T.tensor3("x", shape=(None, 3, 4)), 1).type
    TensorType(float64, (None, 12))
    """
    variable = as_tensor_variable(x)
    ndim = variable.type.ndim
    first = ndim if n_axes == 0 and start_axis == ndim else normalize_axis(start_axis, ndim) if ndim else 0
    count = ndim - first if n_axes is None else n_axes
    if not 0 <= count <= ndim - first:
        raise ValueError(f"join_dims: {count} axes from axis {first} on, of {ndim} ({variable.type})")
    joined: Any = 1
    for axis in range(first, first + count):
        joined = joined * length_of(variable, axis)
    lengths = lengths_of(variable)
    return reshape(variable, [*lengths[:first], joined, *lengths[first + count:]])


def split_dims(x: Any, shape: Any, axis: int = 0) -> Any:
    """One axis as several of given lengths, one of which may be -1: the inverse of `join_dims`.

    Parameters
    ----------
    x : tensor-like
    shape : int or scalar integer variable, or sequence of them
        Without lengths, an axis of length 1 is dropped.
    axis : int

    Raises
    ------
    ValueError
        When the lengths do not fit: at once where they are known, else at run time.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> split_dims(T.matrix("x", shape=(None, 12)), (3, -1), axis=1).type
    TensorType(float64, (None, 3, 4))
    """
    variable = as_tensor_variable(x)
    place = normalize_axis(axis, variable.type.ndim)
    parts = list(shape) if isinstance(shape, (list, tuple)) else as_lengths(shape)
    whole = length_of(variable, place)
    unknown = [i for i, n in enumerate(parts) if isinstance(n, int) and n == -1]
    if len(unknown) > 1:
        raise ValueError(f"split_dims: only one length may be -1, not {len(unknown)}")
    rest: Any = 1
    for i, n in enumerate(parts):
        rest = rest if i in unknown else rest * n
    if isinstance(whole, int) and isinstance(rest, int):
        fits = rest != 0 and whole % rest == 0 if unknown else whole == rest
        if not fits:
            raise ValueError(f"split_dims: axis {place} of {variable} ({variable.type}) has length {whole}, which is "
                             f"not {' x '.join(map(str, parts))}")
    if unknown:
        parts[unknown[0]] = whole // rest
    lengths = [length_of(variable, i) for i in range(variable.type.ndim)]
    return reshape(variable, [*lengths[:place], *parts, *lengths[place + 1:]])
