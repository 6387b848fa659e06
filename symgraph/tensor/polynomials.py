"""Polynomials given by their coefficients, highest power first, as NumPy's functions of the same names."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Variable
from symgraph.tensor.basic import arange, as_tensor_variable, zeros
from symgraph.tensor.correlation import convolve
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.elemwise import cast, elemwise
from symgraph.tensor.join import concatenate
from symgraph.tensor.reduce import sum as tensor_sum
from symgraph.tensor.shape import flatten, length_of, shape_i
from symgraph.tensor.subtensor import inc_subtensor

__all__ = ["poly", "polyadd", "polyder", "polyint", "polymul", "polysub", "polyval", "vander"]


def _vector(p: Any, who: str) -> Any:
    """Coefficients: a scalar is a constant polynomial."""
    x = as_tensor_variable(p)
    if x.type.ndim > 1:
        raise ValueError(f"{who}: a polynomial is a vector of coefficients, not {x.type}")
    return flatten(x)


def polyval(p: Any, x: Any) -> Any:
    """The values of a polynomial, as `numpy.polyval`.

    Parameters
    ----------
    p : vector
        The coefficients, highest power first.
    x : tensor-like
        Where it is evaluated.

    Raises
    ------
    ValueError
        When `p` is no vector.

    Examples
    --------
    >>> polyval([1, 0, 2], [0, 3]).eval()
    array([ 2, 11])
    """
    coefficients, where = _vector(p, "polyval"), as_tensor_variable(x)
    count = coefficients.type.shape[0]
    if count is None:  # all powers at once
        powers = vander(flatten(where), shape_i(coefficients, 0))
        dtype = np.result_type(coefficients.type.numpy_dtype, where.type.numpy_dtype)
        values = cast(tensor_sum(powers * dimshuffle(coefficients, ("x", 0)), 1), dtype)
        return values.reshape(where.shape, ndim=where.type.ndim)
    dtype = np.result_type(coefficients.type.numpy_dtype, where.type.numpy_dtype)
    total = cast(elemwise(scalar.second)(where, coefficients[0] if count else 0), dtype)
    for i in range(1, count):
        total = total * where + coefficients[i]
    return total


def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    """The powers of the elements of a vector, one row for each, as `numpy.vander`.

    Parameters
    ----------
    x : vector
        Floats keep their dtype, where NumPy computes in float64.
    N : int or scalar integer variable, optional
        How many powers: 0, ..., N - 1. As many as elements by default.
    increasing : bool
        Whether the powers rise from left to right; they fall otherwise.

    Raises
    ------
    ValueError
        When `x` is no vector.

    Examples
    --------
    >>> vander([1, 2, 3], 3).eval()
    array([[1, 1, 1],
           [4, 2, 1],
           [9, 3, 1]])
    """
    points = as_tensor_variable(x)
    if points.type.ndim != 1:
        raise ValueError(f"vander takes a vector, not {points.type}")
    if points.type.is_discrete:
        points = cast(points, np.promote_types(points.type.numpy_dtype, np.int64))
    powers = arange(shape_i(points, 0) if N is None and points.type.shape[0] is None
                    else points.type.shape[0] if N is None else N)
    powers = cast(powers if increasing else powers[::-1], points.type.dtype)
    return elemwise(scalar.pow)(dimshuffle(points, (0, "x")), dimshuffle(powers, ("x", 0)))


def _aligned(a: Any, b: Any) -> tuple[Any, Any]:
    """Both with leading zeros, so that they are of one length."""
    n, m = a.type.shape[0], b.type.shape[0]
    if n is not None and m is not None:
        return tuple(concatenate([zeros(max(n, m) - k, v.type.dtype), v]) if k < max(n, m) else v
                     for v, k in ((a, n), (b, m)))
    n, m = shape_i(a, 0), shape_i(b, 0)
    whole = elemwise(scalar.maximum)(n, m)
    return tuple(inc_subtensor(zeros(whole, v.type.dtype)[whole - k:], v)
                 for v, k in ((a, n), (b, m)))


def polyadd(a1: Any, a2: Any) -> Any:
    """The sum of two polynomials, as `numpy.polyadd`.

    Examples
    --------
    >>> polyadd([1, 2], [1, 0, 3]).eval()
    array([1, 1, 5])
    """
    a, b = _aligned(_vector(a1, "polyadd"), _vector(a2, "polyadd"))
    return a + b


def polysub(a1: Any, a2: Any) -> Any:
    """The difference of two polynomials, as `numpy.polysub`."""
    a, b = _aligned(_vector(a1, "polysub"), _vector(a2, "polysub"))
    return a - b


def polymul(a1: Any, a2: Any) -> Any:
    """The product of two polynomials, as `numpy.polymul`, which leaves out leading zeros where this keeps them.

    Examples
    --------
    >>> polymul([1, 1], [1, -1]).eval()
    array([ 1,  0, -1])
    """
    return convolve(_vector(a1, "polymul"), _vector(a2, "polymul"))


def polyder(p: Any, m: int = 1) -> Any:
    """The `m`-th derivative of a polynomial, as `numpy.polyder`. Floats keep their dtype.

    Raises
    ------
    ValueError
        When `p` is no vector, or `m` negative.

    Examples
    --------
    >>> polyder([1, 1, 1]).eval()
    array([2, 1])
    """
    coefficients = _vector(p, "polyder")
    if m < 0:
        raise ValueError(f"polyder: which derivative is an integer and not negative, not {m}")
    for _ in range(int(m)):
        degree = shape_i(coefficients, 0) - 1
        powers = (arange(degree) if coefficients.type.shape[0] is None
                  else arange(max(coefficients.type.shape[0] - 1, 0)))[::-1] + 1
        coefficients = coefficients[:-1] * _weak(powers, coefficients)
    return coefficients


def _weak(numbers: Any, beside: Any) -> Any:
    """Integers that do not change the dtype of floats beside them."""
    return numbers if beside.type.is_discrete else cast(numbers, beside.type.dtype)


def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """The `m`-th integral of a polynomial, as `numpy.polyint`. Floats keep their dtype.

    Parameters
    ----------
    p : vector
    m : int
    k : scalar, or sequence of `m` scalars, optional
        The constants of integration, the first that of the first integral; zeros by default.

    Raises
    ------
    ValueError
        When `p` is no vector, `m` negative, or there are not as many constants.

    Examples
    --------
    >>> polyint([2.0, 1.0], k=3).eval()
    array([1., 1., 3.])
    """
    coefficients = _vector(p, "polyint")
    if m < 0:
        raise ValueError(f"polyint: which integral is an integer and not negative, not {m}")
    constants = [0] * m if k is None else list(k) if isinstance(k, (list, tuple, np.ndarray)) else [k]
    constants = constants * m if len(constants) == 1 else constants
    if len(constants) < m:
        raise ValueError(f"polyint: {len(constants)} constants for {m} integrals")
    for constant in constants[:m]:
        powers = arange(length_of(coefficients, 0))[::-1] + 1
        coefficients = coefficients / _weak(powers, coefficients)
        end = cast(as_tensor_variable(constant), coefficients.type.dtype)
        coefficients = concatenate([coefficients, dimshuffle(end, ["x"])])
    return coefficients


def poly(seq_of_zeros: Any) -> Any:
    """The polynomial with given zeros and leading coefficient 1, as `numpy.poly`.

    Parameters
    ----------
    seq_of_zeros : sequence of scalars, or vector of known length

    Raises
    ------
    TypeError
        When their number is not known.
    ValueError
        When they are no vector. (Of a matrix, take its eigenvalues first.)

    Examples
    --------
    >>> poly([1.0, 2.0]).eval()
    array([ 1., -3.,  2.])
    """
    found = as_tensor_variable(seq_of_zeros)
    if found.type.ndim != 1:
        raise ValueError(f"poly takes a vector of zeros, not {found.type}; of a matrix, take the eigenvalues first")
    if found.type.shape[0] is None:
        raise TypeError(f"poly: the number of zeros must be known, but the type is {found.type}")
    one = as_tensor_variable(np.ones(1, np.result_type(found.type.numpy_dtype, np.float64)
                                     if found.type.is_discrete else found.type.numpy_dtype))
    product: Variable = one
    for i in range(found.type.shape[0]):
        product = convolve(product, concatenate([one, -cast(found[i:i + 1], one.type.dtype)]))
    return product
