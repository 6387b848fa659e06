"""The linear algebra extension of the array API standard. Matrices are in the last two axes of a batch."""

from __future__ import annotations

from typing import Any

from symgraph.array_api.array import Array, unwrap, variable_of
from symgraph.array_api.dtypes import as_dtype
from symgraph.tensor import linalg
from symgraph.tensor.elemwise import cast
from symgraph.tensor.linalg import EighResult, QRResult, SlogdetResult, SVDResult

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm", "matrix_power",
    "matrix_rank", "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot",
    "trace", "vecdot", "vector_norm",
]


# ---- products ------------------------------------------------------------------------------------------------------


def matmul(x1: Array, x2: Array, /) -> Array:
    """The matrix product."""
    return Array(linalg.matmul(variable_of(x1), variable_of(x2)))


def matrix_transpose(x: Array, /) -> Array:
    """The matrices transposed."""
    return x.mT


def tensordot(x1: Array, x2: Array, /, *, axes: Any = 2) -> Array:
    """The sum of products over axes of the one and of the other."""
    return Array(linalg.tensordot(variable_of(x1), variable_of(x2), axes))


def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """The products of vectors along an axis, the first of them conjugated. The axis counts from behind."""
    return Array(linalg.vecdot(variable_of(x1), variable_of(x2), axis))


def outer(x1: Array, x2: Array, /) -> Array:
    """The products of each element of one vector with each of another."""
    return Array(linalg.outer(x1.variable, x2.variable))


def cross(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """The vector products of vectors of 3 elements along an axis."""
    return Array(linalg.cross(variable_of(x1), variable_of(x2), axis))


def matrix_power(x: Array, n: int, /) -> Array:
    """The product of `n` times the same square matrix; of its inverse when `n` is negative."""
    return Array(linalg.matrix_power(x.variable, n))


# ---- parts ---------------------------------------------------------------------------------------------------------


def diagonal(x: Array, /, *, offset: int = 0) -> Array:
    """The diagonals."""
    return Array(linalg.diagonal(x.variable, offset))


def trace(x: Array, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """The sums of the diagonals."""
    return Array(linalg.trace(x.variable if dtype is None else cast(x.variable, dtype), offset, as_dtype(dtype)))


# ---- decompositions, inverses, determinants --------------------------------------------------------------------------


def cholesky(x: Array, /, *, upper: bool = False) -> Array:
    """The triangular factor of a positive definite matrix."""
    return Array(linalg.cholesky(x.variable, upper))


def det(x: Array, /) -> Array:
    """The determinants of square matrices."""
    return Array(linalg.det(x.variable))


def eigh(x: Array, /) -> EighResult:
    """The eigenvalues, ascending, and the eigenvectors, in columns, of symmetric (Hermitian) matrices."""
    return EighResult(*map(Array, linalg.eigh(x.variable)))


def eigvalsh(x: Array, /) -> Array:
    """The eigenvalues, ascending, of symmetric (Hermitian) matrices."""
    return Array(linalg.eigvalsh(x.variable))


def inv(x: Array, /) -> Array:
    """The inverses of square matrices."""
    return Array(linalg.inv(x.variable))


def qr(x: Array, /, *, mode: str = "reduced") -> QRResult:
    """A matrix of orthonormal columns times a triangular one; all columns with ``mode="complete"``."""
    if mode not in ("reduced", "complete"):
        raise ValueError(f"qr: mode must be 'reduced' or 'complete', not {mode!r}")
    return QRResult(*map(Array, linalg.qr(x.variable, mode)))


def slogdet(x: Array, /) -> SlogdetResult:
    """The signs of the determinants, and the logarithms of their absolute values."""
    return SlogdetResult(*map(Array, linalg.slogdet(x.variable)))


def solve(x1: Array, x2: Array, /) -> Array:
    """What multiplied by a square matrix gives a vector (when `x2` is one) or matrices."""
    return Array(linalg.solve(variable_of(x1), variable_of(x2)))


def svd(x: Array, /, *, full_matrices: bool = True) -> SVDResult:
    """The singular values, and the vectors on both sides."""
    return SVDResult(*map(Array, linalg.svd(x.variable, full_matrices)))


def svdvals(x: Array, /) -> Array:
    """The singular values, descending."""
    return Array(linalg.svdvals(x.variable))


def matrix_rank(x: Array, /, *, rtol: Any = None) -> Array:
    """The number of singular values above `rtol` times the largest."""
    if x.ndim < 2:
        raise ValueError(f"matrix_rank takes matrices, not {x.ndim} dimensions")
    return Array(linalg.matrix_rank(x.variable, rtol=unwrap(rtol)))


def pinv(x: Array, /, *, rtol: Any = None) -> Array:
    """The Moore-Penrose inverses; singular values up to `rtol` times the largest count as zero."""
    return Array(linalg.pinv(x.variable, rtol=unwrap(rtol)))


# ---- norms ---------------------------------------------------------------------------------------------------------


def vector_norm(x: Array, /, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Array:
    """The vector norm of an order over axes: 0 counts, inf and -inf take extremes."""
    return Array(linalg.vector_norm(x.variable, axis, keepdims, ord))


def matrix_norm(x: Array, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """The matrix norm: ``"fro"``, ``"nuc"``, or of order 1, 2, inf and their negatives."""
    return Array(linalg.matrix_norm(x.variable, keepdims, ord))
