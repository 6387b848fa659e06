"""Linear algebra under the names, signatures and rules of `numpy.linalg`, with gradients.

Matrices are in the last two axes, and the axes before them make a batch. `symgraph.tensor.nlinalg` and
`symgraph.tensor.slinalg` have the same under Theano's names, and what SciPy has beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.linalg import LinAlgError

from symgraph import scalar
from symgraph.tensor import editing, nlinalg, products, slinalg
from symgraph.tensor import reduce as reductions
from symgraph.tensor.basic import as_tensor_variable, number_constant
from symgraph.tensor.decompositions import adjoint, as_floating, check_matrix, column_of, row_of, transposed
from symgraph.tensor.dimshuffle import moveaxis, normalize_axis
from symgraph.tensor.eigen import Eigvals
from symgraph.tensor.elemwise import cast, conjugated, elemwise
from symgraph.tensor.extra_ops import diagonal as _diagonal
from symgraph.tensor.inverses import MatrixInverse
from symgraph.tensor.nlinalg import det, eigvalsh, inv, matrix_power, norm, tensorinv, tensorsolve
from symgraph.tensor.products import matmul, tensordot
from symgraph.tensor.shape import length_of
from symgraph.tensor.sort import argsort, take_along_axis

__all__ = [
    "EigResult", "EighResult", "LinAlgError", "QRResult", "SVDResult", "SlogdetResult", "cholesky", "cond", "cross",
    "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "lstsq", "matmul", "matrix_norm", "matrix_power",
    "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "qr", "slogdet", "solve", "svd",
    "svdvals", "tensordot", "tensorinv", "tensorsolve", "trace", "vecdot", "vector_norm",
]


class EigResult(NamedTuple):
    """What `eig` returns."""

    eigenvalues: Any
    eigenvectors: Any


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: Any
    R: Any


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Any
    logabsdet: Any


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Any
    S: Any
    Vh: Any


_greater, _switch, _absolute = (elemwise(f) for f in (scalar.gt, scalar.switch, scalar.abs))


# ---- products ------------------------------------------------------------------------------------------------------


def vecdot(x1: Any, x2: Any, axis: int = -1) -> Any:
    """The products of vectors along an axis, those of `x1` conjugated, as `numpy.linalg.vecdot`.

    Raises
    ------
    ValueError
        For scalars, an axis out of range, or vectors of different length.
    """
    a, b = as_tensor_variable(x1), as_tensor_variable(x2)
    a, b = (moveaxis(v, normalize_axis(axis, v.type.ndim), -1) for v in (a, b))
    lengths = a.type.shape[-1], b.type.shape[-1]
    if None not in lengths and lengths[0] != lengths[1]:
        raise ValueError(f"vecdot: the vectors have {lengths[0]} and {lengths[1]} elements, in {a.type} and {b.type}")
    product = conjugated(a) * b
    return reductions.sum(product, -1, dtype=product.type.dtype)


def outer(x1: Any, x2: Any) -> Any:
    """The products of each element of one vector with each of another, as `numpy.linalg.outer`.

    Raises
    ------
    ValueError
        For what is not a vector.
    """
    a, b = as_tensor_variable(x1), as_tensor_variable(x2)
    if a.type.ndim != 1 or b.type.ndim != 1:
        raise ValueError(f"outer takes two vectors, not {a.type} and {b.type}")
    return products.outer(a, b)


def cross(x1: Any, x2: Any, axis: int = -1) -> Any:
    """The vector products of vectors of 3 elements along an axis, as `numpy.linalg.cross`.

    Raises
    ------
    ValueError
        When there are not three; at run time where that is only known then.

    Examples
    --------
    >>> cross([1, 0, 0], [0, 1, 0]).eval()
    array([0, 0, 1])
    """
    return editing.cross(x1, x2, axis=axis)


def multi_dot(arrays: Sequence[Any]) -> Any:
    """The product of several matrices, in the cheapest order where their shapes are known; else from the left.

    Parameters
    ----------
    arrays : sequence of tensor-like
        Matrices; the first and the last may be vectors.

    Raises
    ------
    ValueError
        For fewer than two, or when lengths do not fit.
    numpy.linalg.LinAlgError
        For other ranks.
    """
    tensors = [as_tensor_variable(x) for x in arrays]
    if len(tensors) < 2:
        raise ValueError(f"multi_dot takes at least two tensors, not {len(tensors)}")
    for place, x in enumerate(tensors):
        if x.type.ndim != 2 and not (x.type.ndim == 1 and place in (0, len(tensors) - 1)):
            raise LinAlgError(f"multi_dot takes matrices (the first and last may be vectors), not {x} ({x.type})")
    lengths = [1 if tensors[0].type.ndim == 1 else tensors[0].type.shape[0]]
    lengths += [x.type.shape[0] for x in tensors[1:]] + [1 if tensors[-1].type.ndim == 1 else tensors[-1].type.shape[1]]
    if None in lengths:
        return nlinalg.matrix_dot(*tensors)
    splits = _cheapest_splits(lengths)

    def product(first: int, last: int) -> Any:
        if first == last:
            return tensors[first]
        middle = splits[first, last]
        return products.dot(product(first, middle), product(middle + 1, last))

    return product(0, len(tensors) - 1)


def _cheapest_splits(lengths: Sequence[Any]) -> dict[tuple[int, int], int]:
    """Where to split each run of a chain of matrices (Cormen et al., "Introduction to Algorithms", section 15.2)."""
    count = len(lengths) - 1
    costs: dict[tuple[int, int], int] = {(i, i): 0 for i in range(count)}
    splits: dict[tuple[int, int], int] = {}
    for length in range(1, count):
        for first in range(count - length):
            last = first + length
            costs[first, last], splits[first, last] = min(
                (costs[first, middle] + costs[middle + 1, last]
                 + lengths[first] * lengths[middle + 1] * lengths[last + 1], middle) for middle in range(first, last))
    return splits


# ---- parts ---------------------------------------------------------------------------------------------------------


def matrix_transpose(x: Any) -> Any:
    """The matrices transposed, as `numpy.linalg.matrix_transpose`.

    Raises
    ------
    ValueError
        For fewer than two dimensions.
    """
    variable = as_tensor_variable(x)
    if variable.type.ndim < 2:
        raise ValueError(f"matrix_transpose takes at least 2 dimensions, not {variable.type}")
    return transposed(variable)


def diagonal(x: Any, offset: int = 0) -> Any:
    """The diagonals of the matrices in the last two axes, as `numpy.linalg.diagonal`."""
    return _diagonal(x, offset, -2, -1)


def trace(x: Any, offset: int = 0, dtype: Any = None) -> Any:
    """The sums of the diagonals of the matrices in the last two axes, as `numpy.linalg.trace`."""
    return reductions.sum(diagonal(x, offset), -1, dtype=dtype)


# ---- decompositions ------------------------------------------------------------------------------------------------


def cholesky(a: Any, upper: bool = False) -> Any:
    """The triangular root of positive definite matrices, as `numpy.linalg.cholesky`; see `slinalg.cholesky`."""
    return slinalg.cholesky(a, lower=not upper)


def qr(a: Any, mode: str = "reduced") -> Any:
    """The QR decomposition, as `numpy.linalg.qr`; see `nlinalg.qr`. The mode 'r' gives R alone."""
    found = nlinalg.qr(a, mode)
    return found if mode == "r" else QRResult(*found)


def eig(a: Any) -> EigResult:
    """Eigenvalues and eigenvectors of square matrices, always complex; see `nlinalg.eig`."""
    return EigResult(*nlinalg.eig(a))


def eigh(a: Any, UPLO: str = "L") -> EighResult:
    """Eigenvalues and eigenvectors of symmetric (Hermitian) matrices; see `nlinalg.eigh`."""
    return EighResult(*nlinalg.eigh(a, UPLO))


def eigvals(a: Any) -> Any:
    """The eigenvalues of square matrices, always complex; see `nlinalg.eig`."""
    return Eigvals()(a)


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """The singular value decomposition, as `numpy.linalg.svd`; see `nlinalg.svd`.

    Parameters
    ----------
    a : tensor-like
    full_matrices, compute_uv : bool
    hermitian : bool
        Take it from the eigenvalues of `a`, which is symmetric (Hermitian) then: less work.
    """
    if not hermitian:
        found = nlinalg.svd(a, full_matrices, compute_uv)
        return SVDResult(*found) if compute_uv else found
    if not compute_uv:
        sizes = _absolute(eigvalsh(a))
        return take_along_axis(sizes, argsort(-sizes, -1), -1)
    values, vectors = nlinalg.eigh(a)
    order = argsort(-_absolute(values), -1)
    values, vectors = take_along_axis(values, order, -1), take_along_axis(vectors, row_of(order), -1)
    return SVDResult(vectors, _absolute(values), adjoint(vectors * row_of(elemwise(scalar.sgn)(values))))


def svdvals(x: Any) -> Any:
    """The singular values, descending, as `numpy.linalg.svdvals`."""
    return nlinalg.svd(x, compute_uv=False)


# ---- norms, ranks, determinants ------------------------------------------------------------------------------------


def vector_norm(x: Any, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """The vector norm over any axes (all by default), as `numpy.linalg.vector_norm`; orders as for `norm`."""
    variable = as_floating(x) if as_tensor_variable(x).type.is_discrete else as_tensor_variable(x)
    return nlinalg.vector_norm(variable, ord, reductions.normalize_axes(axis, variable.type.ndim, "norm"), keepdims)


def matrix_norm(x: Any, keepdims: bool = False, ord: Any = "fro") -> Any:
    """The norms of the matrices in the last two axes, as `numpy.linalg.matrix_norm`; orders as for `norm`."""
    return norm(x, ord, (-2, -1), keepdims)


def cond(x: Any, p: Any = None) -> Any:
    """The condition number: the norm of a matrix times that of its inverse, as `numpy.linalg.cond`.

    Parameters
    ----------
    x : tensor-like
        Of shape (..., m, n); square, unless `p` is None, 2 or -2.
    p : {None, 1, -1, 2, -2, inf, -inf, 'fro'}
        The order of the norm; None stands for 2.

    Returns
    -------
    TensorVariable
        inf for singular matrices.
    """
    a = as_floating(x)
    check_matrix(a.type, "cond", square=p not in (None, 2, -2))
    if p in (None, 2, -2):
        s = svdvals(a)
        largest, least = s[..., 0], s[..., -1]
        found = least / largest if p == -2 else largest / least
    else:
        found = norm(a, p, (-2, -1)) * norm(MatrixInverse("nan")(a), p, (-2, -1))
    isnan = elemwise(scalar.isnan)
    known = elemwise(scalar.logical_not)(isnan(found)) | reductions.any(isnan(a), axis=(-2, -1))
    return _switch(known, found, number_constant(np.asarray(np.inf, found.type.dtype)))


def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """The number of singular values that are not counted as 0, as `numpy.linalg.matrix_rank`.

    Parameters
    ----------
    A : tensor-like
        Of fewer than two dimensions: 1 unless all elements are 0.
    tol : tensor-like, optional
        Singular values up to this count as 0, one for each matrix.
    hermitian : bool
        As for `svd`.
    rtol : tensor-like, optional
        The same as a fraction of the largest; by default what rounding leaves, max(m, n) times the dtype's eps.

    Raises
    ------
    ValueError
        When both are given.
    """
    if tol is not None and rtol is not None:
        raise ValueError("matrix_rank takes tol or rtol, not both")
    a = as_tensor_variable(A)
    if a.type.ndim < 2:
        return cast(reductions.any(elemwise(scalar.neq)(a, 0)), "int64")
    s = svd(a, compute_uv=False, hermitian=hermitian)
    bound = _cutoff(s, a, rtol) if tol is None else column_of(as_tensor_variable(tol))
    return reductions.sum(_greater(s, bound), -1)


def _cutoff(s: Any, a: Any, rtol: Any) -> Any:
    """Below which singular values count as 0."""
    if rtol is None:
        rows, columns = length_of(a, -2), length_of(a, -1)
        longer = max(rows, columns) if isinstance(rows, int) and isinstance(columns, int) else elemwise(
            scalar.maximum)(rows, columns)
        factor = longer * float(np.finfo(s.type.dtype).eps)
    else:
        factor = column_of(as_tensor_variable(rtol))
    return cast(reductions.max(s, -1, keepdims=True) * factor, s.type.dtype)


def slogdet(a: Any) -> SlogdetResult:
    """The sign and the logarithm of the absolute value of the determinant, as `numpy.linalg.slogdet`."""
    return SlogdetResult(*nlinalg.slogdet(a))


# ---- systems of equations and inverses -----------------------------------------------------------------------------


def solve(a: Any, b: Any) -> Any:
    """The solution x of ``a @ x = b``, as `numpy.linalg.solve`; see `slinalg.solve`.

    Examples
    --------
    >>> solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0]).eval()
    array([1. , 0.5])
    """
    return slinalg.solve(a, b)


def lstsq(a: Any, b: Any, rcond: float | None = None) -> tuple[Any, Any, Any, Any]:
    """The solution of least squared error, residuals, rank and singular values; see `nlinalg.lstsq`."""
    x, residuals, rank, values = nlinalg.lstsq(a, b, rcond)
    return x, residuals, rank, values


def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """The Moore-Penrose inverse, as `numpy.linalg.pinv`.

    Parameters
    ----------
    a : tensor-like
        Of shape (..., m, n).
    rcond, rtol : tensor-like, optional
        Singular values up to this fraction of the largest count as 0, one for each matrix; by default what rounding
        leaves, max(m, n) times the dtype's eps (NumPy's with ``rtol=None``).
    hermitian : bool
        As for `svd`.

    Raises
    ------
    ValueError
        When both are given.
    """
    if rcond is not None and rtol is not None:
        raise ValueError("pinv takes rcond or rtol, not both")
    fraction = rtol if rcond is None else rcond
    if not hermitian and (fraction is None or isinstance(fraction, (int, float))):
        return nlinalg.pinv(a, fraction)
    a = as_floating(a)
    u, s, vh = svd(a, False, hermitian=hermitian)
    kept = _greater(s, _cutoff(s, a, fraction))
    inverse = _switch(kept, 1 / _switch(kept, s, 1), 0)
    return matmul(adjoint(vh) * row_of(inverse), adjoint(u))
