"""Functions of square matrices, not of their elements: the exponential, the logarithm, the square root."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import Type
from symgraph.tensor.basic import zeros_like
from symgraph.tensor.decompositions import MatrixOp, adjoint, check_matrix
from symgraph.tensor.join import concatenate
from symgraph.tensor.shape import shape_i
from symgraph.tensor.systems import one_by_one, scipy_linalg

__all__ = ["Expm", "Logm", "MatrixFunction", "Sqrtm", "expm", "logm", "sqrtm"]

Array = np.ndarray[Any, Any]


@frozen
class MatrixFunction(MatrixOp):
    """The base of functions that power series define; their derivatives follow from the functions themselves."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        return (check_matrix(types[0], type(self).__name__.lower(), square=True),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        (a,) = inputs
        if not a.size:
            output_storage[0][0] = a.copy()
            return
        wide = a.astype(np.promote_types(a.dtype, np.float64), copy=False)
        output_storage[0][0] = one_by_one(lambda matrix: self._in_kind(self._of_one(matrix), a.dtype), a.shape, wide
                                          ).astype(a.dtype, copy=False)

    def _of_one(self, matrix: Array) -> Array:
        raise NotImplementedError

    @staticmethod
    def _in_kind(result: Array, dtype: np.dtype[Any]) -> Array:
        """A complex value where a real one is wanted: nan, as of the logarithm of a negative number."""
        if result.dtype.kind != "c" or dtype.kind == "c":
            return result
        real = np.abs(result.imag).max(initial=0) <= 100 * np.finfo(dtype).eps * np.abs(result).max(initial=0)
        return result.real if real else np.full(result.shape, np.nan)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    def _directional(self, a: Any, direction: Any) -> Any:
        """The derivative at `a`: Mathias (1996), "A chain rule for matrix functions and applications"."""
        side = shape_i(a, -1)
        block = concatenate([concatenate([a, direction], -1), concatenate([zeros_like(a), a], -1)], -2)
        return self(block)[(..., slice(None, side), slice(side, None))]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [self._directional(adjoint(inputs[0]), output_gradients[0])]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self._directional(inputs[0], eval_points[0])]


@frozen
class Expm(MatrixFunction):
    """The matrix exponential; see `expm`."""

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        (a,) = inputs
        output_storage[0][0] = np.asarray(scipy_linalg().expm(a) if a.size else a.copy(), a.dtype)


@frozen
class Logm(MatrixFunction):
    """The matrix logarithm; see `logm`."""

    def _of_one(self, matrix: Array) -> Array:
        return np.asarray(scipy_linalg().logm(matrix))


@frozen
class Sqrtm(MatrixFunction):
    """The square root of matrices; see `sqrtm`."""

    def _of_one(self, matrix: Array) -> Array:
        return np.asarray(scipy_linalg().sqrtm(matrix))


def expm(a: Any) -> Any:
    """The exponential of a square matrix (not of its elements), or of each in the last two axes.

    Examples
    --------
    >>> expm([[0.0, 1.0], [0.0, 0.0]]).eval()
    array([[1., 1.],
           [0., 1.]])
    """
    return Expm()(a)


def logm(A: Any) -> Any:
    """The logarithm of a square matrix, or of each in the last two axes: what `expm` undoes.

    Parameters
    ----------
    A : tensor-like
        Of shape (..., n, n). A real matrix whose logarithm is complex gives nan, as negative numbers do: cast it to a
        complex dtype first.

    Raises
    ------
    numpy.linalg.LinAlgError
        When `A` is not square.

    Examples
    --------
    >>> logm([[1.0, 1.0], [0.0, 1.0]]).eval().round(9)
    array([[0., 1.],
           [0., 0.]])
    """
    return Logm()(A)


def sqrtm(A: Any) -> Any:
    """The matrix whose product with itself is a square matrix, or each in the last two axes.

    Parameters
    ----------
    A : tensor-like
        Of shape (..., n, n). A real matrix whose root is complex gives nan, as negative numbers do: cast it to a
        complex dtype first. The gradient needs a regular matrix.

    Raises
    ------
    numpy.linalg.LinAlgError
        When `A` is not square.

    Examples
    --------
    >>> sqrtm([[4.0, 0.0], [0.0, 9.0]]).eval()
    array([[2., 0.],
           [0., 3.]])
    """
    return Sqrtm()(A)
