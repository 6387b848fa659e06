"""Linear algebra as in `scipy.linalg`, with gradients: Cholesky, LU, systems of equations, functions of matrices.

Matrices are in the last two axes, and the axes before them are broadcast as NumPy does it. SciPy is imported when an
operation that needs it is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import Type
from symgraph.tensor.basic import as_tensor_variable, zeros
from symgraph.tensor.decompositions import (
    MatrixOp,
    adjoint,
    as_floating,
    check_matrix,
    fold_triangle,
    transposed,
)
from symgraph.tensor.dimshuffle import dimshuffle, shape_padleft
from symgraph.tensor.eigen import Eigvalsh
from symgraph.tensor.elemwise import is_complex
from symgraph.tensor.extra_ops import tril, triu
from symgraph.tensor.inverses import Lstsq
from symgraph.tensor.join import concatenate
from symgraph.tensor.linalg_classes import Kron
from symgraph.tensor.lu import lu, lu_factor, lu_solve
from symgraph.tensor.matrix_functions import Expm, Logm, Sqrtm, expm, logm, sqrtm
from symgraph.tensor.nlinalg import lstsq
from symgraph.tensor.products import matmul
from symgraph.tensor.shape import reshape, shape_i
from symgraph.tensor.systems import Solve, SolveTriangular, System, or_nan

__all__ = [
    "Cholesky", "Expm", "Kron", "Logm", "Lstsq", "Solve", "SolveTriangular", "Sqrtm", "block_diag", "cho_solve",
    "cholesky", "eigvalsh", "expm", "kron", "logm", "lstsq", "lu", "lu_factor", "lu_solve", "solve",
    "solve_lower_triangular", "solve_symmetric", "solve_triangular", "solve_upper_triangular", "sqrtm",
]

Array = np.ndarray[Any, Any]


# ---- Cholesky ------------------------------------------------------------------------------------------------------


@frozen
class Cholesky(MatrixOp):
    """The triangular root of symmetric positive definite matrices; see `cholesky`.

    Parameters
    ----------
    lower : bool
    on_error : {'raise', 'nan'}
    """

    lower: bool = True
    on_error: str = "raise"

    def __post_init__(self) -> None:
        object.__setattr__(self, "lower", bool(self.lower))
        if self.on_error not in ("raise", "nan"):
            raise ValueError(f"cholesky: on_error must be 'raise' or 'nan', not {self.on_error!r}")

    def infer_type(self, *types: Type) -> Sequence[Type]:
        return (check_matrix(types[0], "cholesky", square=True),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        def factor(matrix: Array) -> Array:
            return np.linalg.cholesky(matrix, upper=not self.lower)

        output_storage[0][0] = or_nan(factor, inputs[0], self.on_error)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        """Murray (2016), "Differentiation of the Cholesky decomposition", equation 10."""
        (root,), (g,) = outputs, output_gradients
        low, g = (root, g) if self.lower else (adjoint(root), adjoint(g))
        product = matmul(adjoint(low), g)
        halved = (tril(product) + tril(product, -1)) / 2
        back = SolveTriangular(lower=True, trans=2 if is_complex(low) else 1)
        result = fold_triangle(adjoint(back(low, adjoint(back(low, halved)))), True)
        return [result if self.lower else adjoint(result)]


def cholesky(a: Any, lower: bool = True, on_error: str = "raise") -> Any:
    """The triangle L with ``a = L @ L.T`` (``L.T @ L`` for the upper one) of a positive definite matrix.

    Parameters
    ----------
    a : tensor-like
        Of shape (..., n, n), symmetric or Hermitian. Only one triangle is read (the lower one when `lower`), and only
        there is the gradient other than 0.
    lower : bool
    on_error : {'raise', 'nan'}
        What a matrix that is not positive definite gives.

    Raises
    ------
    numpy.linalg.LinAlgError
        When `a` is not square or, at run time, not positive definite.

    Examples
    --------
    >>> cholesky([[4.0, 2.0], [2.0, 2.0]]).eval()
    array([[2., 0.],
           [1., 1.]])
    """
    return Cholesky(lower, on_error)(a)


# ---- systems of equations ------------------------------------------------------------------------------------------


def _columns(b: Any, b_ndim: int | None) -> tuple[Any, bool]:
    """The right side, and whether an axis was added: a batch of vectors becomes a batch of columns."""
    b = as_floating(b)
    if b_ndim not in (None, 1, 2):
        raise ValueError(f"b_ndim must be 1 or 2, not {b_ndim!r}")
    if b_ndim == 1 and b.type.ndim > 1:
        return dimshuffle(b, [*range(b.type.ndim), "x"]), True
    return b, False


def _apply(op: System, a: Any, b: Any, b_ndim: int | None) -> Any:
    columns, added = _columns(b, b_ndim)
    found = op(a, columns)
    return dimshuffle(found, list(range(found.type.ndim - 1))) if added else found


def solve(a: Any, b: Any, assume_a: str = "gen", lower: bool = False, check_finite: bool = True,
          b_ndim: int | None = None) -> Any:
    """The solution x of ``a @ x = b``.

    Parameters
    ----------
    a : tensor-like
        Of shape (..., n, n).
    b : tensor-like
        Of shape (n,), or (..., n, k): k right sides.
    assume_a : {'gen', 'sym', 'her', 'pos', 'lower triangular', 'upper triangular'}
        What is known of `a`: nothing; that it is symmetric, Hermitian, or also positive definite (then one triangle
        is read, and only there is the gradient other than 0); that it is a triangle (the rest is not read).
    lower : bool
        Which triangle of a symmetric matrix is read.
    check_finite : bool
        Accepted for SciPy's programs; what is not finite is never let into LAPACK's symmetric solvers.
    b_ndim : {1, 2}, optional
        1 when the last axis of `b` is a vector, whatever the axes before it.

    Raises
    ------
    numpy.linalg.LinAlgError
        When `a` is not square or, at run time, singular (or not positive definite, for 'pos').
    ValueError
        When lengths do not fit.

    Examples
    --------
    >>> solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0]).eval()
    array([1. , 0.5])
    """
    return _apply(Solve(assume_a, lower), a, b, b_ndim)


def solve_symmetric(a: Any, b: Any, lower: bool = False) -> Any:
    """`solve` with ``assume_a='sym'``."""
    return solve(a, b, "sym", lower)


def solve_triangular(a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False,
                     check_finite: bool = True, b_ndim: int | None = None) -> Any:
    """The solution x of ``a @ x = b`` for a triangular `a`; the other triangle is not read.

    Parameters
    ----------
    a, b : tensor-like
        As for `solve`.
    trans : {0, 1, 2, 'N', 'T', 'C'}
        1 or 'T' solves ``a.T @ x = b``, 2 or 'C' with the conjugate transpose.
    lower : bool
        Which triangle `a` is.
    unit_diagonal : bool
        Take the diagonal for ones, without reading it.
    check_finite : bool
        Accepted for SciPy's programs: nan and inf go through to the result.
    b_ndim : {1, 2}, optional
        As for `solve`.

    Raises
    ------
    numpy.linalg.LinAlgError
        When `a` is not square or, at run time, has a zero on its diagonal.

    Examples
    --------
    >>> solve_triangular([[2.0, 0.0], [1.0, 1.0]], [2.0, 2.0], lower=True).eval()
    array([1., 1.])
    """
    return _apply(SolveTriangular(lower, trans, unit_diagonal), a, b, b_ndim)


def solve_lower_triangular(a: Any, b: Any) -> Any:
    """The solution of ``tril(a) @ x = b``; see `solve_triangular`."""
    return solve_triangular(a, b, lower=True)


def solve_upper_triangular(a: Any, b: Any) -> Any:
    """The solution of ``triu(a) @ x = b``; see `solve_triangular`."""
    return solve_triangular(a, b)


def cho_solve(c_and_lower: tuple[Any, bool], b: Any) -> Any:
    """The solution of ``a @ x = b`` from the triangle that `cholesky` gives for `a`, and whether it is the lower."""
    root, lower = c_and_lower
    first = solve_triangular(root, b, trans=0 if lower else 2, lower=lower)
    return solve_triangular(root, first, trans=2 if lower else 0, lower=lower)


# ---- products and blocks ---------------------------------------------------------------------------


def kron(a: Any, b: Any) -> Any:
    """The Kronecker product: `b` times each element of `a`, as blocks; as `numpy.kron`.

    Examples
    --------
    >>> kron([[1, 2]], [[1], [10]]).eval()
    array([[ 1,  2],
           [10, 20]])
    """
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    rank = max(a.type.ndim, b.type.ndim)
    a, b = (shape_padleft(v, rank - v.type.ndim) for v in (a, b))
    outer = [entry for axis in range(rank) for entry in (axis, "x")]
    within = [entry for axis in range(rank) for entry in ("x", axis)]
    product = dimshuffle(a, outer) * dimshuffle(b, within)
    return reshape(product, [_times(shape_i(a, i), shape_i(b, i)) for i in range(rank)]) if rank else product


def _times(m: Any, n: Any) -> Any:
    known = [getattr(v, "data", None) for v in (m, n)]
    return m * n if None in known else int(known[0]) * int(known[1])  # type: ignore[arg-type]


def block_diag(*arrs: Any) -> Any:
    """The matrix with given ones as blocks along its diagonal, and zeros elsewhere, as `scipy.linalg.block_diag`.

    Parameters
    ----------
    *arrs : tensor-like
        Matrices; vectors stand for rows, and numbers for matrices of one element.

    Raises
    ------
    ValueError
        For more than two dimensions, or when nothing is given.

    Examples
    --------
    >>> block_diag([[1, 2]], 3).eval()
    array([[1, 2, 0],
           [0, 0, 3]])
    """
    blocks = [shape_padleft(v, 2 - v.type.ndim) if v.type.ndim < 2 else v for v in map(as_tensor_variable, arrs)]
    if not blocks:
        raise ValueError("block_diag takes at least one matrix")
    for v in blocks:
        if v.type.ndim > 2:
            raise ValueError(f"block_diag takes matrices, not {v} ({v.type})")
    rows = []
    for place, block in enumerate(blocks):
        height = shape_i(block, 0)
        rows.append(concatenate([block if other == place else zeros([height, shape_i(v, 1)], block.type.dtype)
                                 for other, v in enumerate(blocks)], 1))
    return concatenate(rows, 0)


def eigvalsh(a: Any, b: Any = None, lower: bool = True) -> Any:
    """The eigenvalues w of ``a @ v = w * b @ v``, ascending: `a` symmetric or Hermitian, `b` also positive definite.

    Parameters
    ----------
    a : tensor-like
        Of shape (..., n, n).
    b : tensor-like, optional
        The identity when left out.
    lower : bool
        Which triangle of both is read.
    """
    if b is None:
        return Eigvalsh("L" if lower else "U")(a)
    a, root = as_floating(a), cholesky(b, lower)
    if not lower:
        root = transposed(root.conj())
    half = tril(a) if lower else triu(a)
    whole = half + transposed((tril(a, -1) if lower else triu(a, 1)).conj())
    turned = solve_triangular(root, whole, lower=True)
    return Eigvalsh("L")(transposed(solve_triangular(root, transposed(turned.conj()), lower=True).conj()))
