"""The LU decomposition of matrices, in the last two axes, and systems of equations solved by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import DisconnectedType, Type
from symgraph.tensor.basic import arange, eye, zeros_like
from symgraph.tensor.decompositions import MatrixOp, adjoint, as_floating, check_matrix, column_of
from symgraph.tensor.elemwise import TensorOp, cast, elemwise
from symgraph.tensor.extra_ops import tril, triu
from symgraph.tensor.products import matmul
from symgraph.tensor.shape import length_of, shape_i
from symgraph.tensor.sort import argsort, take_along_axis
from symgraph.tensor.subtensor import set_subtensor
from symgraph.tensor.systems import SolveTriangular, scipy_linalg
from symgraph.tensor.type import TensorType, tensor_type

__all__ = ["LUFactor", "PivotsToRows", "lu", "lu_factor", "lu_solve"]


def _lesser(m: Any, n: Any) -> Any:
    return min(m, n) if isinstance(m, int) and isinstance(n, int) else elemwise(scalar.minimum)(m, n)


def _lengths(a: Any) -> tuple[Any, Any]:
    """Rows and columns, as integers where they are known."""
    return length_of(a, -2), length_of(a, -1)


@frozen
class LUFactor(MatrixOp):
    """Both triangles in one matrix, without the ones on the diagonal of L, and LAPACK's pivots; see `lu_factor`."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        kind = check_matrix(types[0], "lu")
        rows, columns = kind.shape[-2:]
        least = None if rows is None or columns is None else min(rows, columns)
        return kind, tensor_type("int32", (*kind.shape[:-2], least))

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        (a,) = inputs
        packed = np.empty_like(a)
        pivots = np.empty((*a.shape[:-2], min(a.shape[-2:])), "int32")
        if a.size:
            (getrf,) = scipy_linalg().get_lapack_funcs(("getrf",), (a,))
            for place in np.ndindex(*a.shape[:-2]):
                packed[place], pivots[place], _ = getrf(a[place])  # singular matrices have factors too
        output_storage[0][0], output_storage[1][0] = packed, pivots

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        *batch, rows, columns = input_shapes[0]
        pivots: Any = node.outputs[1]
        known = pivots.type.shape[-1]
        return [input_shapes[0], (*batch, _lesser(rows, columns) if known is None else known)]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True, False]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        """Differentials of ``L @ U``: in ``inv(L) @ dA @ inv(U)``, the parts below and above the diagonal are apart.

        Of a wide or tall matrix, the part beyond the square one is a product by the inverse of the one factor.
        """
        (a,), (packed, pivots), g = inputs, outputs, output_gradients[0]
        least = _lesser(*_lengths(packed))
        head, tail = slice(None, least), slice(least, None)
        low, up = packed[..., head, head], packed[..., head, head]
        right, below = packed[..., head, tail], packed[..., tail, head]
        g_square, g_right, g_below = g[..., head, head], g[..., head, tail], g[..., tail, head]
        unit = tril(low, -1) + eye(least, dtype=low.type.dtype)
        lower = tril(matmul(adjoint(unit), tril(g_square, -1)) - matmul(g_right, adjoint(right)), -1)
        upper = triu(matmul(triu(g_square), adjoint(triu(up))) - matmul(adjoint(below), g_below))
        found = set_subtensor(zeros_like(g)[..., head, head], _divided(unit, lower + upper, up))
        found = set_subtensor(found[..., head, tail], SolveTriangular(True, 2, True)(unit, g_right))
        found = set_subtensor(found[..., tail, head], _right_divided(g_below, up))
        back = argsort(PivotsToRows()(pivots, shape_i(a, -2)), -1)
        return [take_along_axis(found, column_of(back), -2)]


def _right_divided(x: Any, up: Any) -> Any:
    """``x @ inv(triu(up)).H``."""
    return adjoint(SolveTriangular(False)(up, adjoint(x)))


def _divided(unit: Any, x: Any, up: Any) -> Any:
    """``inv(unit).H @ x @ inv(triu(up)).H``."""
    return SolveTriangular(True, 2, True)(unit, _right_divided(x, up))


@frozen
class PivotsToRows(TensorOp):
    """From LAPACK's pivots, exchanges of rows one after the other, to where each row of the product comes from."""

    def make_node(self, pivots: Any, length: Any) -> Apply:
        from symgraph.tensor.basic import as_lengths, static_length

        (length,) = as_lengths([length])
        kind: TensorType = pivots.type
        return Apply(self, [pivots, length], [tensor_type("int64", (*kind.shape[:-1], static_length(length)))])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        pivots, length = inputs[0], int(inputs[1])
        rows = np.broadcast_to(np.arange(length), (*pivots.shape[:-1], length)).copy()
        for place in np.ndindex(*pivots.shape[:-1]):
            for i, j in enumerate(pivots[place]):
                rows[(*place, [i, j])] = rows[(*place, [j, i])]
        output_storage[0][0] = rows

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [(*input_shapes[0][:-1], cast(node.inputs[1], "int64"))]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[False], [False]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [DisconnectedType()() for _ in inputs]


def lu_factor(a: Any) -> tuple[Any, Any]:
    """The LU decomposition as `lu_solve` takes it, as `scipy.linalg.lu_factor`.

    Parameters
    ----------
    a : tensor-like
        Of shape (..., m, n).

    Returns
    -------
    lu : TensorVariable
        U, and below its diagonal L, whose own diagonal are ones.
    piv : TensorVariable
        int32: row i was exchanged with row ``piv[i]``.

    Raises
    ------
    numpy.linalg.LinAlgError
        For fewer than two dimensions.
    """
    packed, pivots = LUFactor()(a)
    return packed, pivots


def lu_solve(lu_and_piv: tuple[Any, Any], b: Any, trans: int = 0) -> Any:
    """The solution of ``a @ x = b`` from what `lu_factor` gives for `a`, as `scipy.linalg.lu_solve`.

    Parameters
    ----------
    lu_and_piv : tuple
    b : tensor-like
        Of shape (n,) or (..., n, k).
    trans : {0, 1, 2}
        1 solves with the transpose of `a`, 2 with the conjugate transpose.

    Raises
    ------
    ValueError
        For another `trans`, or when lengths do not fit.
    numpy.linalg.LinAlgError
        When `a` is not square, or singular.

    Examples
    --------
    >>> lu_solve(lu_factor([[0.0, 2.0], [4.0, 0.0]]), [2.0, 4.0]).eval()
    array([1., 1.])
    """
    if trans not in (0, 1, 2):
        raise ValueError(f"lu_solve: trans must be 0, 1 or 2, not {trans!r}")
    packed, pivots = lu_and_piv
    packed, b = as_floating(packed), as_floating(b)
    rows = PivotsToRows()(pivots, shape_i(packed, -2))
    lower, upper = SolveTriangular(True, trans, True), SolveTriangular(False, trans)
    if trans == 0:
        return upper(packed, lower(packed, _rows_of(b, rows)))
    return _rows_of(lower(packed, upper(packed, b)), argsort(rows, -1))


def _rows_of(b: Any, rows: Any) -> Any:
    if b.type.ndim == 1 and rows.type.ndim == 1:
        return b[rows]
    if rows.type.ndim == 1:
        return b[..., rows, slice(None)]
    return take_along_axis(b, column_of(rows), -2)


def lu(a: Any, permute_l: bool = False, p_indices: bool = False) -> tuple[Any, ...]:
    """The LU decomposition ``a = p @ l @ u``, as `scipy.linalg.lu`.

    Parameters
    ----------
    a : tensor-like
        Of shape (..., m, n).
    permute_l : bool
        Give ``p @ l`` and u.
    p_indices : bool
        Give p as indices of rows, with ``a = (l @ u)[p]``.

    Returns
    -------
    p, l, u : TensorVariable
        A permutation; a lower triangle with ones on its diagonal, of shape (..., m, min(m, n)); an upper triangle.
        The gradient needs a matrix of full rank.

    Raises
    ------
    numpy.linalg.LinAlgError
        For fewer than two dimensions.

    Examples
    --------
    >>> p, l, u = lu([[0.0, 2.0], [4.0, 4.0]])
    >>> p.eval(), u.eval()
    (array([[0., 1.],
           [1., 0.]]), array([[4., 4.],
           [0., 2.]]))
    """
    packed, pivots = LUFactor()(a)
    rows, columns = _lengths(packed)
    least = _lesser(rows, columns)
    low = tril(packed[..., :least], -1) + eye(rows, least, dtype=packed.type.dtype)
    up = triu(packed[..., :least, :])
    places = argsort(PivotsToRows()(pivots, shape_i(packed, -2)), -1)
    if permute_l:
        return take_along_axis(low, column_of(places), -2), up
    if p_indices:
        return cast(places, "int32"), low, up
    real = np.empty(0, packed.type.numpy_dtype).real.dtype
    return cast(elemwise(scalar.eq)(column_of(places), arange(rows)), real), low, up
