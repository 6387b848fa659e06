"""Functions of NumPy that have no name of their own in `symgraph.tensor`, or other arguments there.

They stand behind NumPy's protocols only: ``np.round(x, 2)`` with decimals beside ``T.round(x, mode)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Variable
from symgraph.tensor import math
from symgraph.tensor.basic import as_tensor_variable, number_constant
from symgraph.tensor.dimshuffle import atleast_1d as _atleast_1d
from symgraph.tensor.dimshuffle import atleast_2d as _atleast_2d
from symgraph.tensor.dimshuffle import atleast_3d as _atleast_3d
from symgraph.tensor.dimshuffle import swapaxes
from symgraph.tensor.elemwise import elemwise
from symgraph.tensor.extra_ops import diagonal
from symgraph.tensor.products import dot, matmul
from symgraph.tensor.reduce import norm
from symgraph.tensor.reduce import sum as tensor_sum
from symgraph.tensor.shape import shape_i
from symgraph.tensor.shape import size as _size
from symgraph.tensor.subtensor import nonzero

__all__ = ["UFUNCS"]


def ndim(a: Any) -> int:
    """The number of axes, which is known."""
    return int(as_tensor_variable(a).type.ndim)


def size(a: Any, axis: Any = None) -> Any:
    """The number of elements, or the length of an axis."""
    return _size(a) if axis is None else shape_i(as_tensor_variable(a), axis)


def matrix_transpose(x: Any) -> Any:
    """The last two axes exchanged."""
    return swapaxes(x, -1, -2)


def _for_each(function: Callable[..., Any], arrays: tuple[Any, ...], **options: Any) -> Any:
    found = [function(a, **options) for a in arrays]
    return found[0] if len(found) == 1 else tuple(found)


def atleast_1d(*arys: Any) -> Any:
    """Each with one axis or more."""
    return _for_each(_atleast_1d, arys)


def atleast_2d(*arys: Any) -> Any:
    """Each with two axes or more."""
    return _for_each(_atleast_2d, arys)


def atleast_3d(*arys: Any) -> Any:
    """Each with three axes or more; NumPy puts a vector in the middle and a matrix in front."""
    found = []
    for a in map(as_tensor_variable, arys):
        patterns: dict[int, list[Any]] = {1: ["x", 0, "x"], 2: [0, 1, "x"]}
        found.append(a.dimshuffle(patterns[a.type.ndim]) if a.type.ndim in patterns else _atleast_3d(a))
    return found[0] if len(found) == 1 else tuple(found)


def unstack(x: Any, axis: int = 0) -> tuple[Any, ...]:
    """The slices along an axis of known length."""
    from symgraph.tensor.dimshuffle import moveaxis

    return tuple(moveaxis(as_tensor_variable(x), axis, 0))


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """The choice by element; with a condition alone, the indices where it holds."""
    if x is None and y is None:
        return nonzero(condition)
    if x is None or y is None:
        raise ValueError("where takes both x and y, or neither")
    return math.switch(condition, x, y)


def extract(condition: Any, arr: Any) -> Any:
    """The elements, in order, where a mask of the same shape holds."""
    mask, array = as_tensor_variable(condition), as_tensor_variable(arr)
    return array.flatten()[math.neq(mask, 0).flatten()]


def clip(a: Any, a_min: Any = None, a_max: Any = None) -> Any:
    """Each element limited; a bound of None is none."""
    missing = (None, np._NoValue)
    low, high = (not any(bound is m for m in missing) for bound in (a_min, a_max))
    if low and high:
        return math.clip(a, a_min, a_max)
    return math.maximum(a, a_min) if low else math.minimum(a, a_max) if high else as_tensor_variable(a)


def round(a: Any, decimals: int = 0) -> Any:
    """The nearest multiple of a power of ten, by NumPy's way: multiply, round, divide."""
    x = as_tensor_variable(a)
    if x.type.is_discrete and decimals >= 0:
        return x
    if decimals == 0:
        return math.round_half_to_even(x)
    if x.type.is_discrete:
        raise TypeError(f"np.round of an integer tensor to {decimals} decimals: cast it to a float first")
    power = number_constant(np.asarray(10.0 ** abs(decimals), x.type.numpy_dtype))
    return math.round_half_to_even(x * power) / power if decimals > 0 else math.round_half_to_even(x / power) * power


def real(val: Any) -> Any:
    """The real part: a real tensor itself."""
    x = as_tensor_variable(val)
    return x.real if x.type.numpy_dtype.kind == "c" else x


def imag(val: Any) -> Any:
    """The imaginary part: zeros for a real tensor."""
    x = as_tensor_variable(val)
    return x.imag if x.type.numpy_dtype.kind == "c" else x.zeros_like()


def angle(z: Any, deg: bool = False) -> Any:
    """The argument of a complex number, in radians unless `deg`."""
    found = math.angle(z)
    return math.rad2deg(found) if deg else found


def isreal(x: Any) -> Any:
    """Where the imaginary part is zero."""
    return math.eq(imag(x), 0)


def iscomplex(x: Any) -> Any:
    """Where the imaginary part is not zero."""
    return math.neq(imag(x), 0)


def iscomplexobj(x: Any) -> bool:
    """Whether the dtype is complex, which is known."""
    return bool(as_tensor_variable(x).type.numpy_dtype.kind == "c")


def isrealobj(x: Any) -> bool:
    """Whether the dtype is not complex, which is known."""
    return not iscomplexobj(x)


def result_type(*arrays_and_dtypes: Any) -> Any:
    """NumPy's promotion, of the dtypes of symbolic tensors too."""
    return np.result_type(*(v.type.numpy_dtype if isinstance(v, Variable) else v for v in arrays_and_dtypes))


def vector_norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """`numpy.linalg.norm` for vectors, and the Frobenius norm of matrices and of whole tensors."""
    a = as_tensor_variable(x)
    over_matrices = (axis is None and a.type.ndim == 2) or (isinstance(axis, (tuple, list)) and len(axis) == 2)
    if ord is None or (ord == "fro" and over_matrices):
        ord = 2
    elif over_matrices or (axis is None and a.type.ndim != 1):
        raise TypeError("np.linalg.norm of a symbolic matrix is the Frobenius norm (ord=None or 'fro'), not "
                        f"ord={ord}; for vectors along an axis give that axis")
    return norm(a, ord, axis, keepdims)


def multi_dot(arrays: Any) -> Any:
    """The product of several matrices, from the left."""
    tensors = list(arrays)
    if len(tensors) < 2:
        raise ValueError("multi_dot takes two tensors or more")
    product = tensors[0]
    for tensor in tensors[1:]:
        product = dot(product, tensor)
    return product


def matrix_diagonal(x: Any, offset: int = 0) -> Any:
    """The diagonals of the matrices in the last two axes."""
    return diagonal(x, offset, -2, -1)


def matrix_trace(x: Any, offset: int = 0) -> Any:
    """The sums of the diagonals of the matrices in the last two axes."""
    return tensor_sum(matrix_diagonal(x, offset), axis=-1)


def _vecdot(a: Any, b: Any) -> Any:
    return tensor_sum(math.conj(a) * b, axis=-1)


def _matvec(a: Any, b: Any) -> Any:
    return matmul(a, as_tensor_variable(b)[..., None])[..., 0]


def _vecmat(a: Any, b: Any) -> Any:
    return matmul(math.conj(as_tensor_variable(a))[..., None, :], b)[..., 0, :]


def _skip_nan(extreme: Any) -> Callable[[Any, Any], Any]:
    def choose(a: Any, b: Any) -> Any:
        x, y = as_tensor_variable(a), as_tensor_variable(b)
        return math.switch(math.isnan(x), y, math.switch(math.isnan(y), x, elemwise(extreme)(x, y)))

    return choose


def _fabs(a: Any) -> Any:
    x = as_tensor_variable(a)
    return math.abs(x.astype(np.fabs.resolve_dtypes((x.type.numpy_dtype, None))[-1]))


#: Ufuncs that are composed of several operations.
UFUNCS: dict[Any, Callable[..., Any]] = {
    np.matmul: matmul, np.vecdot: _vecdot, np.positive: as_tensor_variable, np.fabs: _fabs,
    np.divmod: lambda a, b: (math.int_div(a, b), math.mod(a, b)),
    np.float_power: lambda a, b: math.pow(*(
        v.astype(np.result_type(v.type.numpy_dtype, "float64")) for v in map(as_tensor_variable, (a, b)))),
    np.fmax: _skip_nan(scalar.maximum), np.fmin: _skip_nan(scalar.minimum),
    np.logaddexp2: lambda a, b: _two_to_the_power(a, b),
}
UFUNCS |= {getattr(np, name): function for name, function in (("matvec", _matvec), ("vecmat", _vecmat))
           if hasattr(np, name)}


def _two_to_the_power(a: Any, b: Any) -> Any:
    larger, smaller = math.maximum(a, b), math.minimum(a, b)
    same = math.eq(larger, smaller)  # also two infinities, whose difference is nan
    return larger + math.log2(1 + math.exp2(math.switch(same, 0, smaller - larger)))
