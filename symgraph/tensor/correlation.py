"""Convolution and correlation of vectors, as `numpy.convolve` and `numpy.correlate`, and the windows put on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.config import config
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import Type
from symgraph.tensor.basic import arange, as_tensor_variable, static_length
from symgraph.tensor.elemwise import TensorOp, cast, elemwise
from symgraph.tensor.shape import shape_i
from symgraph.tensor.type import TensorType, tensor_type

__all__ = ["Convolve", "bartlett", "blackman", "convolve", "correlate", "hamming", "hanning", "kaiser"]

_largest, _smallest = elemwise(scalar.maximum), elemwise(scalar.minimum)


@frozen(repr=False)
class Convolve(TensorOp):
    """The convolution of two vectors of one dtype.

    Parameters
    ----------
    mode : {'full', 'valid'}
        At all places where they overlap, or where the second, which is not the longer one, lies within the first.
    """

    mode: str

    def infer_type(self, *types: Type) -> Sequence[Type]:
        a, v = types
        assert isinstance(a, TensorType)
        assert isinstance(v, TensorType)
        n, m = a.shape[0], v.shape[0]
        if n == 0 or m == 0:
            raise ValueError(f"convolve: a vector without elements cannot be convolved, of {a} and {v}")
        length = None if n is None or m is None else n + m - 1 if self.mode == "full" else n - m + 1
        return (tensor_type(a.dtype, (length,)),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.convolve(*inputs, self.mode)  # type: ignore[call-overload]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        (n,), (m,) = input_shapes
        return [(n + m - 1,)] if self.mode == "full" else [(n - m + 1,)]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (a, v), (g,) = inputs, output_gradients
        if a.type.is_discrete:
            return [a.type.zeros_like(a), v.type.zeros_like(v)]
        if self.mode == "full":
            return [Convolve("valid")(g, v[::-1]), Convolve("valid")(g, a[::-1])]
        return [Convolve("full")(g, v[::-1]), Convolve("valid")(a, g[::-1])[::-1]]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        (a, v), (ta, tv) = inputs, eval_points
        parts = ([] if ta is None else [self(ta, v)]) + ([] if tv is None else [self(a, tv)])
        return [None if not parts else parts[0] if len(parts) == 1 else parts[0] + parts[1]]

    def __repr__(self) -> str:
        return f"convolve{{{self.mode}}}"


def _vectors(a: Any, v: Any, mode: str, who: str) -> tuple[Any, Any]:
    """Both as vectors of one dtype."""
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"{who}: mode must be 'full', 'same' or 'valid', not {mode!r}")
    first, second = as_tensor_variable(a), as_tensor_variable(v)
    if first.type.ndim != 1 or second.type.ndim != 1:
        raise ValueError(f"{who} takes vectors, not {first.type} and {second.type}")
    dtype = np.result_type(first.type.numpy_dtype, second.type.numpy_dtype)
    return cast(first, dtype), cast(second, dtype)


def _cut(a: Any, v: Any, mode: str, swapped: bool) -> Any:
    """The part of the full convolution that a mode asks for."""
    n, m = a.type.shape[0], v.type.shape[0]
    if mode == "valid" and n is not None and m is not None:
        return Convolve("valid")(a, v) if n >= m else Convolve("valid")(v, a)
    full = Convolve("full")(a, v)
    if mode == "full":
        return full
    known = n is not None and m is not None
    n, m = (shape_i(a, 0), shape_i(v, 0)) if not known else (n, m)
    short, long = (min(n, m), max(n, m)) if known else (_smallest(n, m), _largest(n, m))
    if mode == "valid":
        return full[short - 1:long]
    start = (short - 1) // 2
    if swapped:  # a correlation with a longer vector is that of the longer one, turned round
        start = start if known and n >= m else short // 2 if known else elemwise(scalar.switch)(
            elemwise(scalar.ge)(n, m), start, short // 2)
    return full[start:start + long]


def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """The convolution of two vectors, as `numpy.convolve`.

    Parameters
    ----------
    a, v : vector
        Of at least one element; of integers or floats of any kind.
    mode : {'full', 'same', 'valid'}
        At all places where they overlap, at as many as the longer one has elements, or where they overlap wholly.

    Raises
    ------
    ValueError
        For another mode, other ranks, or a vector without elements; at run time where that is only known then.

    Examples
    --------
    >>> convolve([1, 2, 3], [0, 1, 2]).eval()
    array([0, 1, 4, 7, 6])
    """
    return _cut(*_vectors(a, v, mode, "convolve"), mode, False)


def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """The correlation of two vectors, as `numpy.correlate`: sums of products with `v`, conjugated, moved along `a`.

    Parameters, modes and errors are those of `convolve`.

    Examples
    --------
    >>> correlate([1, 2, 3], [0, 1, 2], "same").eval()
    array([5, 8, 3])
    """
    first, second = _vectors(a, v, mode, "correlate")
    second = elemwise(scalar.conj)(second) if second.type.numpy_dtype.kind == "c" else second
    return _cut(first, second[::-1], mode, True)


# ---- windows ---------------------------------------------------------------------------------------------------


def _points(M: Any, who: str) -> tuple[Any, Any]:
    """The numbers 0, 1, ..., M - 1 as floats, and M - 1; at least 1, for one point is the middle of a window."""
    count = as_tensor_variable(M)
    if count.type.ndim or not count.type.is_discrete:
        raise TypeError(f"{who}: the number of points is a scalar integer, not {count.type}")
    known = static_length(count)
    count = cast(count, "int64") if known is None else known
    last = _largest(count - 1, 1) if known is None else max(known - 1, 1)
    return cast(arange(count), config.floatX), cast(as_tensor_variable(last), config.floatX)


def _around(M: Any, who: str) -> Any:
    """M numbers from -1 to 1; 0 when there is one."""
    points, last = _points(M, who)
    known = points.type.shape[0]
    if known is not None:
        return 2 * points / last - 1 if known > 1 else points
    one = elemwise(scalar.eq)(shape_i(points, 0), 1)
    return elemwise(scalar.switch)(one, points, 2 * points / last - 1)


def bartlett(M: Any) -> Any:
    """The triangular window of M points, floatX, as `numpy.bartlett`.

    Parameters
    ----------
    M : int or scalar integer variable
        No points, when it is not positive.

    Raises
    ------
    TypeError
        When it is no integer.

    Examples
    --------
    >>> bartlett(5).eval()
    array([0. , 0.5, 1. , 0.5, 0. ])
    """
    return 1 - elemwise(scalar.abs)(_around(M, "bartlett"))


def _cosines(M: Any, who: str, *weights: float) -> Any:
    angle = float(np.pi) * _around(M, who)
    total: Any = weights[0]
    for k, weight in enumerate(weights[1:], 1):
        total = total + weight * elemwise(scalar.cos)(k * angle)
    return total


def hanning(M: Any) -> Any:
    """Hann's window of M points, a raised cosine, as `numpy.hanning`; argument as for `bartlett`."""
    return _cosines(M, "hanning", 0.5, 0.5)


def hamming(M: Any) -> Any:
    """Hamming's window of M points, as `numpy.hamming`; argument as for `bartlett`."""
    return _cosines(M, "hamming", 0.54, 0.46)


def blackman(M: Any) -> Any:
    """Blackman's window of M points, as `numpy.blackman`; argument as for `bartlett`."""
    return _cosines(M, "blackman", 0.42, 0.5, 0.08)


def kaiser(M: Any, beta: Any) -> Any:
    """Kaiser's window of M points, as `numpy.kaiser`.

    Parameters
    ----------
    M : int or scalar integer variable
    beta : float or scalar
        Its shape: 0 for a rectangle, the larger the narrower.

    Examples
    --------
    >>> kaiser(3, 0.0).eval()
    array([1., 1., 1.])
    """
    place, steep = _around(M, "kaiser"), beta if isinstance(beta, Variable) else float(beta)
    inside = _largest(1 - elemwise(scalar.sqr)(place), 0)
    edge = elemwise(scalar.eq)(inside, 0)  # where the root has no derivative, and the function is constant
    root = elemwise(scalar.sqrt)(elemwise(scalar.switch)(edge, 1, inside))
    i0 = elemwise(scalar.i0)
    return i0(steep * elemwise(scalar.switch)(edge, 0, root)) / i0(cast(as_tensor_variable(steep), config.floatX)
                                                                   if not isinstance(beta, Variable) else beta)
