"""NumPy's ufuncs that are composed of rows of the scalar table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.tensor import math
from symgraph.tensor.basic import as_tensor_variable, number_constant
from symgraph.tensor.elemwise import cast, elemwise
from symgraph.tensor.products import matmul
from symgraph.tensor.reduce import sum as tensor_sum

__all__ = [
    "divmod", "fabs", "float_power", "fmax", "fmin", "frexp", "logaddexp2", "matvec", "modf", "positive", "vecdot",
    "vecmat",
]


def positive(x: Any) -> Any:
    """`x` itself, as `numpy.positive`."""
    return as_tensor_variable(x)


def fabs(x: Any) -> Any:
    """The absolute value, as a float, as `numpy.fabs`.

    Examples
    --------
    >>> fabs([-1, 2]).eval()
    array([1., 2.])
    """
    a = as_tensor_variable(x)
    return math.abs(cast(a, np.fabs.resolve_dtypes((a.type.numpy_dtype, None))[-1]))


def float_power(x1: Any, x2: Any) -> Any:
    """A power computed in float64 or complex128, as `numpy.float_power`.

    Examples
    --------
    >>> float_power([1, 2], -1).eval()
    array([1. , 0.5])
    """
    a, b = (as_tensor_variable(x) for x in (x1, x2))
    wide = np.result_type(a.type.numpy_dtype, b.type.numpy_dtype, "float64")
    return math.pow(cast(a, wide), cast(b, wide))


def _skip_nan(extreme: Any, x1: Any, x2: Any) -> Any:
    found = elemwise(extreme)(x1, x2)
    a, b = (cast(as_tensor_variable(x), found.type.dtype) for x in (x1, x2))
    return found if found.type.is_discrete else math.switch(math.isnan(a), b, math.switch(math.isnan(b), a, found))


def fmax(x1: Any, x2: Any) -> Any:
    """The larger of two, or the one that is a number, as `numpy.fmax`.

    Examples
    --------
    >>> fmax([1.0, float("nan")], 0.0).eval()
    array([1., 0.])
    """
    return _skip_nan(scalar.maximum, x1, x2)


def fmin(x1: Any, x2: Any) -> Any:
    """The smaller of two, or the one that is a number, as `numpy.fmin`."""
    return _skip_nan(scalar.minimum, x1, x2)


def logaddexp2(x1: Any, x2: Any) -> Any:
    """The binary logarithm of the sum of two powers of 2, as `numpy.logaddexp2`.

    Examples
    --------
    >>> float(logaddexp2(3.0, 3.0).eval())
    4.0
    """
    kinds = [type(x) if type(x) in (int, float, complex) else as_tensor_variable(x).type.numpy_dtype for x in (x1, x2)]
    dtype = np.logaddexp2.resolve_dtypes((*kinds, None))[-1]
    scale = number_constant(np.asarray(np.log(2), dtype))
    a, b = (cast(as_tensor_variable(x), dtype) for x in (x1, x2))
    return math.logaddexp(a * scale, b * scale) / scale


def modf(x: Any) -> tuple[Any, Any]:
    """The fractional and the whole part, both with the sign of `x`, as `numpy.modf`.

    Examples
    --------
    >>> [float(part.eval()) for part in modf(-2.5)]
    [-0.5, -2.0]
    """
    a = as_tensor_variable(x)
    a = cast(a, np.modf.resolve_dtypes((a.type.numpy_dtype, None, None))[-1])
    whole = math.trunc(a)
    zero, minus_zero = (number_constant(np.asarray(value, a.type.dtype)) for value in (0.0, -0.0))
    finite = math.switch(math.isinf(a), zero, a)
    part = finite - math.trunc(finite)
    part = math.switch(math.eq(part, 0) & math.signbit(a), minus_zero, part)
    return math.switch(math.lt(math.abs(a), 1), a, part), whole


def frexp(x: Any) -> tuple[Any, Any]:
    """The mantissa, of size 0.5 to 1, and the exponent of 2 (int32), as `numpy.frexp`.

    Examples
    --------
    >>> mantissa, exponent = frexp([1.0, 6.0])
    >>> mantissa.eval(), exponent.eval()
    (array([0.5 , 0.75]), array([1, 3], dtype=int32))
    """
    a = as_tensor_variable(x)
    a = cast(a, np.frexp.resolve_dtypes((a.type.numpy_dtype, None, None))[1])
    plain = math.isfinite(a) & math.neq(a, 0)
    size = math.switch(plain, math.abs(a), number_constant(np.ones((), a.type.dtype)))
    guess = cast(math.floor(math.log2(size)), "int32") + 1
    # The logarithm may be rounded to the next whole number: the mantissa tells.
    first = math.ldexp(size, -guess)
    guess = guess + cast(math.ge(first, 1), "int32") - cast(math.lt(first, 0.5), "int32")
    exponent = math.switch(plain, guess, number_constant(np.zeros((), "int32")))
    return math.ldexp(a, -exponent), exponent


def divmod(x1: Any, x2: Any) -> tuple[Any, Any]:
    """The quotient, rounded down, and the remainder, as `numpy.divmod`.

    Examples
    --------
    >>> [int(part.eval()) for part in divmod(7, -2)]
    [-4, -1]
    """
    return math.int_div(x1, x2), math.mod(x1, x2)


def vecdot(x1: Any, x2: Any) -> Any:
    """The sums of products along the last axis, the first factors conjugated, as `numpy.vecdot`."""
    a, b = as_tensor_variable(x1), as_tensor_variable(x2)
    products = (math.conj(a) if a.type.numpy_dtype.kind == "c" else a) * b
    return cast(tensor_sum(products, axis=-1), products.type.dtype)


def matvec(x1: Any, x2: Any) -> Any:
    """Matrices, in the last two axes, times vectors, in the last one, as `numpy.matvec`."""
    return matmul(x1, as_tensor_variable(x2)[..., None])[..., 0]


def vecmat(x1: Any, x2: Any) -> Any:
    """Vectors, conjugated, in the last axis, times matrices, in the last two, as `numpy.vecmat`."""
    a = as_tensor_variable(x1)
    return matmul((math.conj(a) if a.type.numpy_dtype.kind == "c" else a)[..., None, :], x2)[..., 0, :]


def _reciprocal(x: Any) -> Any:
    """1 / x in the dtype of `x`, as `numpy.reciprocal`, also for integers."""
    a = as_tensor_variable(x)
    return math.int_div(number_constant(np.ones((), a.type.dtype)), a) if a.type.is_discrete else math.reciprocal(a)


#: By NumPy's ufunc, what is composed.
UFUNCS: dict[Any, Callable[..., Any]] = {
    np.matmul: matmul, np.vecdot: vecdot, np.positive: positive, np.fabs: fabs, np.divmod: divmod,
    np.float_power: float_power, np.fmax: fmax, np.fmin: fmin, np.logaddexp2: logaddexp2, np.modf: modf,
    np.frexp: frexp, np.reciprocal: _reciprocal,
}
UFUNCS |= {getattr(np, name): function for name, function in (("matvec", matvec), ("vecmat", vecmat))
           if hasattr(np, name)}
