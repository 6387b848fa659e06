"""Tensors as sets of their elements, as NumPy's functions of the same names."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.tensor.basic import as_tensor_variable, zeros_like
from symgraph.tensor.counting import searchsorted, unique
from symgraph.tensor.elemwise import cast, elemwise
from symgraph.tensor.join import concatenate
from symgraph.tensor.shape import flatten, reshape, shape_i
from symgraph.tensor.sort import sort
from symgraph.tensor.subtensor import nonzero

__all__ = ["intersect1d", "isin", "setdiff1d", "setxor1d", "union1d"]


def isin(element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """Which elements are among others, as `numpy.isin`; the result has no gradient.

    Parameters
    ----------
    element : tensor-like
    test_elements : tensor-like
        The others. A NaN is not equal to any.
    assume_unique : bool
        Accepted for programs that pass it.
    invert : bool
        Which are not.

    Returns
    -------
    TensorVariable
        Booleans, in the shape of `element`.

    Examples
    --------
    >>> isin([1, 2, 3], [3, 1]).eval()
    array([ True, False,  True])
    """
    x, others = as_tensor_variable(element), flatten(as_tensor_variable(test_elements))
    if others.type.shape[0] == 0:
        found = zeros_like(x, "bool")
    else:
        lines, ordered = flatten(x), sort(others)
        place = searchsorted(ordered, lines, "left")
        # One more element to look at, for those that belong after the last.
        dtype = np.result_type(ordered.type.numpy_dtype, lines.type.numpy_dtype)
        longer = concatenate([cast(ordered, dtype), cast(lines[:1], dtype)])
        among = elemwise(scalar.eq)(longer[place], lines) & elemwise(scalar.lt)(place, shape_i(others, 0))
        found = reshape(among, x.shape, ndim=x.type.ndim) if x.type.ndim != 1 else among
    return elemwise(scalar.invert)(found) if invert else found


def _elements(a: Any, distinct: bool) -> Any:
    x = flatten(as_tensor_variable(a))
    return x if distinct else unique(x)


def union1d(ar1: Any, ar2: Any) -> Any:
    """The distinct elements of both, in ascending order, as `numpy.union1d`.

    Examples
    --------
    >>> union1d([1, 3], [2, 1]).eval()
    array([1, 2, 3])
    """
    return unique(concatenate([flatten(as_tensor_variable(ar1)), flatten(as_tensor_variable(ar2))]))


def intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """The distinct elements that are in both, in ascending order, as `numpy.intersect1d`.

    Parameters
    ----------
    ar1, ar2 : tensor-like
    assume_unique : bool
        Accepted for programs that pass it.
    return_indices : bool
        Return the places of the first of each in `ar1` and in `ar2`, both flattened, too.

    Returns
    -------
    TensorVariable, or a list of three with `return_indices`

    Examples
    --------
    >>> intersect1d([1, 3, 4, 3], [3, 1]).eval()
    array([1, 3])
    """
    first, second = unique(ar1, return_index=True), unique(ar2, return_index=True)
    (mine,), (theirs,) = nonzero(isin(first[0], second[0])), nonzero(isin(second[0], first[0]))
    common = cast(first[0][mine], np.result_type(first[0].type.numpy_dtype, second[0].type.numpy_dtype))
    return [common, first[1][mine], second[1][theirs]] if return_indices else common


def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """The distinct elements of the first that are not in the second, in ascending order, as `numpy.setdiff1d`.

    Parameters
    ----------
    ar1, ar2 : tensor-like
    assume_unique : bool
        The elements of `ar1` are taken as they come, neither made distinct nor sorted.

    Examples
    --------
    >>> setdiff1d([1, 2, 3, 2], [3]).eval()
    array([1, 2])
    """
    first = _elements(ar1, assume_unique)
    return first[nonzero(isin(first, ar2, invert=True))[0]]


def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """The distinct elements that are in one of both, in ascending order, as `numpy.setxor1d`.

    Examples
    --------
    >>> setxor1d([1, 2, 3], [3, 4]).eval()
    array([1, 2, 4])
    """
    return sort(concatenate([setdiff1d(ar1, ar2), setdiff1d(ar2, ar1)]))
