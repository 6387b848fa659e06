"""Tensors with elements or slices put in, taken out, or turned, and the indices of parts of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Constant, Variable
from symgraph.tensor.basic import alloc, arange, as_lengths, as_tensor_variable, ones, static_length, zeros
from symgraph.tensor.dimshuffle import dimshuffle, moveaxis, normalize_axis, shape_padleft, swapaxes
from symgraph.tensor.elemwise import cast, elemwise
from symgraph.tensor.extra_ops import flip, tri
from symgraph.tensor.join import concatenate, stack
from symgraph.tensor.shape import flatten, length_of, reshape, shape_i
from symgraph.tensor.sort import argsort
from symgraph.tensor.subtensor import nonzero, set_subtensor

__all__ = [
    "block", "cross", "delete", "diag_indices", "diag_indices_from", "diagflat", "indices", "insert", "ix_",
    "resize", "rollaxis", "rot90", "tril_indices", "tril_indices_from", "trim_zeros", "triu_indices",
    "triu_indices_from",
]

_switch = elemwise(scalar.switch)

# ---- taking out and putting in ---------------------------------------------------------------------------------


def _line(arr: Any, axis: int | None) -> tuple[Any, int]:
    """The tensor, flattened where there is no axis, and the axis."""
    x = as_tensor_variable(arr)
    return (flatten(x), 0) if axis is None else (x, normalize_axis(axis, x.type.ndim))


def _known_index(obj: Any) -> Any:
    """An index that holds nothing symbolic, for NumPy; else None."""
    if isinstance(obj, Variable):
        return obj.data if isinstance(obj, Constant) else None
    if isinstance(obj, slice):
        return None if any(isinstance(v, Variable) for v in (obj.start, obj.stop, obj.step)) else obj
    if isinstance(obj, (list, tuple)) and any(isinstance(v, Variable) for v in obj):
        return None
    return np.asarray(obj, "int64") if isinstance(obj, (list, tuple)) and not obj else obj


def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """A tensor without some of its slices along an axis, as `numpy.delete`.

    Parameters
    ----------
    arr : tensor-like
    obj : int, slice, or vector of integers or booleans
        Which slices; any part of it may be symbolic.
    axis : int or None
        None takes elements out of the flattened tensor.

    Raises
    ------
    IndexError
        When there is no such slice; at run time where that is only known then.
    ValueError
        For an axis out of range, or a mask of another length.

    Examples
    --------
    >>> delete([5, 6, 7, 8], [0, 2]).eval()
    array([6, 8])
    """
    x, axis = _line(arr, axis)
    before = (slice(None),) * axis
    length, known = x.type.shape[axis], _known_index(obj)
    if length is not None and known is not None:
        return x[(*before, np.delete(np.arange(length), known))]
    keep = set_subtensor(ones(shape_i(x, axis), "bool")[obj], False)
    return x[(*before, nonzero(keep)[0])]


def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """A tensor with values put in before given places along an axis, as `numpy.insert`.

    Parameters
    ----------
    arr : tensor-like
    obj : int, scalar variable, slice, or sequence or vector of integers
        Before which slices of the given tensor.
    values : tensor-like
        Brought to the dtype of `arr`; stretched to what is inserted.
    axis : int or None
        None inserts into the flattened tensor.

    Raises
    ------
    IndexError
        When there is no such place; at run time where that is only known then.
    TypeError, ValueError
        When the places are no integers, or the values do not fit.

    Examples
    --------
    >>> insert([1, 2, 3], 1, 9).eval()
    array([1, 9, 2, 3])
    """
    x, axis = _line(arr, axis)
    length = shape_i(x, axis)
    if isinstance(obj, slice):
        obj = arange(length)[obj]
    places = as_tensor_variable(np.asarray(obj, "int64") if isinstance(obj, (list, tuple)) and not obj else obj)
    if places.type.ndim > 1 or not places.type.is_discrete:
        raise TypeError(f"insert: places are an integer or a vector of integers, not {places.type}")
    value = cast(as_tensor_variable(values), x.type.dtype)
    if places.type.dtype == "bool":
        places = nonzero(places)[0]
    known = x.type.shape[axis]
    if isinstance(places, Constant) and known is not None and places.data.size and (
            (places.data < -known) | (places.data > known)).any():
        raise IndexError(f"insert: place {places.data} is out of bounds for axis {axis}, of length {known}")
    if places.type.ndim == 0:  # all values together, their own axis first
        value = moveaxis(shape_padleft(value, x.type.ndim - value.type.ndim), 0, axis)
        count: Any = shape_i(value, axis)
        places = alloc(cast(places, "int64"), count)
    count = shape_i(places, 0)
    places = cast(places, "int64")
    places = _switch(elemwise(scalar.lt)(places, 0), places + length, places)
    order = argsort(places, kind="stable")
    steps = arange(count)
    places = set_subtensor(places[order], places[order] + steps)
    whole = [shape_i(x, i) if i != axis else length + count for i in range(x.type.ndim)]
    before = (slice(None),) * axis
    old = nonzero(set_subtensor(ones(length + count, "bool")[places], False))[0]
    result = set_subtensor(zeros(whole, x.type.dtype)[(*before, old)], x)
    return set_subtensor(result[(*before, places)], value)


def resize(a: Any, new_shape: Any) -> Any:
    """The elements in order, again and again, until a shape is full, as `numpy.resize`.

    Parameters
    ----------
    a : tensor-like
    new_shape : int, or sequence of int or scalar variable

    Raises
    ------
    ValueError
        For a negative length.

    Examples
    --------
    >>> resize([1, 2], (2, 3)).eval()
    array([[1, 2, 1],
           [2, 1, 2]])
    """
    x = flatten(as_tensor_variable(a))
    lengths = as_lengths(new_shape)
    if x.type.shape[0] == 0:
        return zeros(lengths, x.type.dtype)
    known = [static_length(n) for n in lengths]
    total: Any = None if None in known else int(np.prod(known))  # type: ignore[arg-type]
    for n in lengths if total is None else ():
        total = n if total is None else total * n
    length: Any = x.type.shape[0]
    if length is None:  # of nothing, there is a zero to repeat
        length = elemwise(scalar.maximum)(shape_i(x, 0), 1)
        x = concatenate([x, zeros(1, x.type.dtype)])
    places = elemwise(scalar.mod)(arange(total), length)
    return reshape(x[places], [n if k is None else k for n, k in zip(lengths, known, strict=True)])


def trim_zeros(filt: Any, trim: str = "fb") -> Any:
    """A vector without the zeros before its first and after its last other element, as `numpy.trim_zeros`.

    Parameters
    ----------
    filt : vector
    trim : str
        Where to trim: with 'f' in front, with 'b' at the back.

    Raises
    ------
    ValueError
        When it is no vector, or for other letters.

    Examples
    --------
    >>> trim_zeros([0, 1, 0, 2, 0]).eval()
    array([1, 0, 2])
    """
    from symgraph.tensor.cumulative import cumsum

    x = as_tensor_variable(filt)
    if x.type.ndim != 1:
        raise ValueError(f"trim_zeros takes a vector, not {x.type}")
    letters = trim.lower()
    if not letters or set(letters) - {"f", "b"}:
        raise ValueError(f"trim_zeros: trim is made of the letters f and b, not {trim!r}")
    full = cast(elemwise(scalar.neq)(x, 0), "int64")
    keep: Any = as_tensor_variable(True)
    if "f" in letters:
        keep = elemwise(scalar.gt)(cumsum(full), 0)
    if "b" in letters:
        keep = keep & elemwise(scalar.gt)(cumsum(full[::-1])[::-1], 0)
    return x[nonzero(keep)[0]]


def block(arrays: Any) -> Any:
    """Nested lists of tensors put together, the innermost lists along the last axis, as `numpy.block`.

    Raises
    ------
    ValueError
        When the lists are not nested alike, or one is empty.
    TypeError
        For tuples, as NumPy.

    Examples
    --------
    >>> a, b = as_tensor_variable([[1, 2]]), as_tensor_variable([[3]])
    >>> block([[a, b], [b, a]]).eval()
    array([[1, 2, 3],
           [3, 1, 2]])
    """
    depth = _depth(arrays)
    leaves = list(_leaves(arrays))
    ndim = max([depth, *(leaf.type.ndim for leaf in leaves)])
    return _blocks(arrays, depth, ndim)


def _depth(arrays: Any) -> int:
    if isinstance(arrays, tuple):
        raise TypeError("block takes nested lists; put a tuple's elements into a list")
    if not isinstance(arrays, list):
        return 0
    if not arrays:
        raise ValueError("block: a list is empty")
    depths = {_depth(a) for a in arrays}
    if len(depths) > 1:
        raise ValueError("block: the lists are not nested alike")
    return depths.pop() + 1


def _leaves(arrays: Any) -> Any:
    if isinstance(arrays, list):
        for a in arrays:
            yield from _leaves(a)
    else:
        yield as_tensor_variable(arrays)


def _blocks(arrays: Any, depth: int, ndim: int) -> Any:
    if depth == 0:
        x = as_tensor_variable(arrays)
        return shape_padleft(x, ndim - x.type.ndim)
    return concatenate([_blocks(a, depth - 1, ndim) for a in arrays], ndim - depth)


# ---- turning ---------------------------------------------------------------------------------------------------


def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """An axis moved to before another, as `numpy.rollaxis`; `moveaxis` says it more plainly."""
    x = as_tensor_variable(a)
    ndim = x.type.ndim
    axis = normalize_axis(axis, ndim)
    start = start + ndim if start < 0 else start
    if not 0 <= start <= ndim:
        raise np.exceptions.AxisError(f"rollaxis: start must lie between {-ndim} and {ndim}, not {start}")
    return moveaxis(x, axis, start - (axis < start))


def rot90(m: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    """A tensor turned `k` times by 90 degrees, from the first of two axes towards the second, as `numpy.rot90`.

    Raises
    ------
    ValueError
        When there are not two different axes, or one is out of range.

    Examples
    --------
    >>> rot90([[1, 2], [3, 4]]).eval()
    array([[2, 4],
           [1, 3]])
    """
    x = as_tensor_variable(m)
    if len(axes) != 2:
        raise ValueError(f"rot90 turns in the plane of two axes, not of {len(axes)}")
    first, second = (normalize_axis(axis, x.type.ndim) for axis in axes)
    if first == second:
        raise ValueError("rot90: the two axes must differ")
    turns = k % 4
    if turns == 2:
        return flip(x, (first, second))
    if turns == 1:
        return swapaxes(flip(x, second), first, second)
    return flip(swapaxes(x, first, second), second) if turns else x


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """The vector product in three dimensions, as `numpy.cross`.

    Parameters
    ----------
    a, b : tensor-like
        Vectors of three components, broadcast against each other.
    axisa, axisb, axisc : int
        The axis of the components, in either argument and in the result.
    axis : int, optional
        All three of them.

    Raises
    ------
    ValueError
        When there are not three components; at run time where that is only known then.

    Examples
    --------
    >>> cross([1, 0, 0], [0, 1, 0]).eval()
    array([0, 0, 1])
    """
    from symgraph.tensor.specify import specify_shape

    if axis is not None:
        axisa = axisb = axisc = axis
    parts = []
    for v, place in ((as_tensor_variable(a), axisa), (as_tensor_variable(b), axisb)):
        last = moveaxis(v, normalize_axis(place, v.type.ndim), -1)
        if last.type.shape[-1] not in (None, 3):
            raise ValueError(f"cross takes vectors of 3 components, not of {last.type.shape[-1]}")
        last = specify_shape(last, [*last.type.shape[:-1], 3])
        parts.append([last[..., i] for i in range(3)])
    (a0, a1, a2), (b0, b1, b2) = parts
    return stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axisc)


# ---- diagonals and triangles -----------------------------------------------------------------------------------


def diagflat(v: Any, k: int = 0) -> Any:
    """A matrix with all elements on its `k`-th diagonal, as `numpy.diagflat`.

    Examples
    --------
    >>> diagflat([1, 2], 1).eval()
    array([[0, 1, 0],
           [0, 0, 2],
           [0, 0, 0]])
    """
    x = flatten(as_tensor_variable(v))
    count = length_of(x, 0)
    size, steps = count + abs(k), arange(count)
    return set_subtensor(zeros((size, size), x.type.dtype)[steps + max(-k, 0), steps + max(k, 0)], x)


def diag_indices(n: Any, ndim: int = 2) -> tuple[Any, ...]:
    """The indices of the main diagonal of a tensor with `ndim` axes of length `n`, as `numpy.diag_indices`."""
    return (arange(n),) * ndim


def diag_indices_from(arr: Any) -> tuple[Any, ...]:
    """`diag_indices` for a tensor, whose lengths must all be the same.

    Raises
    ------
    ValueError
        For less than two dimensions, or known lengths that differ.
    """
    x = as_tensor_variable(arr)
    if x.type.ndim < 2 or len({n for n in x.type.shape if n is not None}) > 1:
        raise ValueError(f"diag_indices_from takes a tensor of two or more axes of one length, not {x.type}")
    return diag_indices(shape_i(x, 0), x.type.ndim)


def tril_indices(n: Any, k: Any = 0, m: Any = None) -> tuple[Any, Any]:
    """The indices of the elements on and below the `k`-th diagonal of an n by m matrix, as `numpy.tril_indices`.

    Examples
    --------
    >>> [i.eval().tolist() for i in tril_indices(2)]
    [[0, 1, 1], [0, 0, 1]]
    """
    rows, columns = nonzero(tri(n, m, k, "bool"))
    return rows, columns


def triu_indices(n: Any, k: Any = 0, m: Any = None) -> tuple[Any, Any]:
    """The indices of the elements on and above the `k`-th diagonal of an n by m matrix, as `numpy.triu_indices`."""
    rows, columns = nonzero(elemwise(scalar.invert)(tri(n, m, k - 1, "bool")))
    return rows, columns


def tril_indices_from(arr: Any, k: Any = 0) -> tuple[Any, Any]:
    """`tril_indices` for a matrix."""
    x = _matrix(arr, "tril_indices_from")
    return tril_indices(shape_i(x, 0), k, shape_i(x, 1))


def triu_indices_from(arr: Any, k: Any = 0) -> tuple[Any, Any]:
    """`triu_indices` for a matrix."""
    x = _matrix(arr, "triu_indices_from")
    return triu_indices(shape_i(x, 0), k, shape_i(x, 1))


def _matrix(arr: Any, who: str) -> Any:
    x = as_tensor_variable(arr)
    if x.type.ndim != 2:
        raise ValueError(f"{who} takes a matrix, not {x.type}")
    return x


def ix_(*args: Any) -> tuple[Any, ...]:
    """Vectors of indices, or masks, as indices of the grid they span, as `numpy.ix_`.

    Raises
    ------
    ValueError
        When one is no vector.

    Examples
    --------
    >>> x = as_tensor_variable([[1, 2, 3], [4, 5, 6]])
    >>> x[ix_([0, 1], [0, 2])].eval()
    array([[1, 3],
           [4, 6]])
    """
    found = []
    for place, arg in enumerate(args):
        v = as_tensor_variable(np.asarray(arg, "int64") if isinstance(arg, (list, tuple)) and not arg else arg)
        if v.type.ndim != 1:
            raise ValueError(f"ix_ takes vectors, not {v.type}")
        v = nonzero(v)[0] if v.type.dtype == "bool" else v
        found.append(dimshuffle(v, [0 if i == place else "x" for i in range(len(args))]))
    return tuple(found)


def indices(dimensions: Any, dtype: Any = "int64", sparse: bool = False) -> Any:
    """The indices of the elements of a shape, as `numpy.indices`.

    Parameters
    ----------
    dimensions : sequence of int or scalar variable
    dtype : str
    sparse : bool
        Leave axes of length 1 where an index does not change, in a tuple.

    Returns
    -------
    TensorVariable, or a tuple
        The first axis counts the indices.
    """
    lengths = as_lengths(dimensions)
    lengths = [n if static_length(n) is None else static_length(n) for n in lengths]
    ndim = len(lengths)
    each = [dimshuffle(cast(arange(n), dtype), [0 if i == place else "x" for i in range(ndim)])
            for place, n in enumerate(lengths)]
    return tuple(each) if sparse else stack([alloc(v, *lengths) for v in each])
