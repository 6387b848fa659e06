"""Linear algebra as in `numpy.linalg`, with gradients: inverses, determinants, decompositions, norms.

All but `lstsq`, `tensorinv` and `tensorsolve` take batches: the matrices are in the last two axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from symgraph import scalar
from symgraph.tensor import reduce as reductions
from symgraph.tensor.basic import alloc, arange, as_tensor_variable, eye, zeros
from symgraph.tensor.checks import require
from symgraph.tensor.decompositions import QR, SVD, as_floating, check_matrix
from symgraph.tensor.dimshuffle import dimshuffle, moveaxis, normalize_axis
from symgraph.tensor.eigen import Eig, Eigh, Eigvalsh
from symgraph.tensor.elemwise import elemwise
from symgraph.tensor.extra_ops import diagonal, trace
from symgraph.tensor.inverses import Det, Lstsq, MatrixInverse, MatrixPinv, SLogDet
from symgraph.tensor.linalg_classes import AllocDiag, ExtractDiag, TensorInv, TensorSolve
from symgraph.tensor.products import dot, matmul
from symgraph.tensor.shape import reshape, shape_i
from symgraph.tensor.subtensor import set_subtensor

__all__ = [
    "QR", "SVD", "AllocDiag", "Det", "Eig", "Eigh", "Eigvalsh", "ExtractDiag", "Lstsq", "MatrixInverse", "MatrixPinv",
    "QRFull", "QRIncomplete", "SLogDet", "TensorInv", "TensorSolve", "alloc_diag", "det", "diag", "eig", "eigh",
    "eigvalsh", "extract_diag", "inv", "logabsdet", "lstsq", "matrix_dot", "matrix_inverse", "matrix_power", "norm",
    "pinv", "qr", "slogdet", "svd", "tensorinv", "tensorsolve", "trace",
]

QRFull = QRIncomplete = QR  # Theano's names: with Q, and without


# ---- inverses ------------------------------------------------------------------------------------------------------


def matrix_inverse(a: Any) -> Any:
    """The inverse of a square matrix, or of each in the last two axes.

    To multiply by an inverse, `symgraph.tensor.slinalg.solve` is faster and more exact.

    Raises
    ------
    numpy.linalg.LinAlgError
        When `a` is not square (at once where its shape is known) or, at run time, singular.

    Examples
    --------
    >>> matrix_inverse([[2.0, 0.0], [0.0, 4.0]]).eval()
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    return MatrixInverse()(a)


inv = matrix_inverse


def pinv(a: Any, rcond: float | None = None) -> Any:
    """The Moore-Penrose inverse of a matrix of any shape, as `numpy.linalg.pinv`.

    Parameters
    ----------
    a : tensor-like
        Of shape (..., m, n).
    rcond : float, optional
        Singular values below this fraction of the largest count as 0; by default, what rounding alone may leave:
        ``max(m, n)`` times the dtype's eps (`numpy.linalg.pinv` with ``rtol=None``). The gradient holds where none
        does, or the same number stay so.
    """
    return MatrixPinv(rcond)(a)


# ---- determinants --------------------------------------------------------------------------------------------------


def det(a: Any) -> Any:
    """The determinant of a square matrix, or of each in the last two axes.

    First and second derivatives are right for singular matrices too; the third needs an inverse. Determinants of
    large matrices overflow: take `slogdet`.

    Raises
    ------
    numpy.linalg.LinAlgError
        When `a` is not square.

    Examples
    --------
    >>> round(float(det([[1.0, 2.0], [3.0, 4.0]]).eval()), 12)
    -2.0
    """
    return Det()(a)


def slogdet(a: Any) -> list[Any]:
    """The sign of the determinant of a square matrix, and the logarithm of its absolute value.

    Returns
    -------
    sign, logabsdet : TensorVariable
        0 and -inf for a singular matrix. The gradient by a singular matrix raises LinAlgError.

    Examples
    --------
    >>> sign, logarithm = slogdet([[1.0, 0.0], [0.0, -2.0]])
    >>> float(sign.eval()), round(float(logarithm.eval()), 4)
    (-1.0, 0.6931)
    """
    found: list[Any] = SLogDet()(a)
    return found


def logabsdet(a: Any) -> Any:
    """The logarithm of the absolute value of the determinant: the second part of `slogdet`."""
    return slogdet(a)[1]


# ---- decompositions ------------------------------------------------------------------------------------------------


def eig(a: Any) -> list[Any]:
    """Eigenvalues and right eigenvectors (in columns) of a square matrix, always complex.

    NumPy gives real results where all eigenvalues happen to be real; a dtype cannot depend on values here. The
    gradient needs distinct eigenvalues, and by the vectors a cost that does not change with their phases.

    Raises
    ------
    numpy.linalg.LinAlgError
        When `a` is not square, or the iteration does not converge.
    """
    found: list[Any] = Eig()(a)
    return found


def eigh(a: Any, UPLO: str = "L") -> list[Any]:
    """Eigenvalues, ascending, and eigenvectors (in columns) of a symmetric or Hermitian matrix.

    Parameters
    ----------
    a : tensor-like
        Of shape (..., n, n). Only one triangle is read, and only there is the gradient other than 0. Eigenvectors of
        equal eigenvalues are not unique and have no derivative (it comes out inf or nan); the eigenvalues do. Those
        of complex matrices are unique but for their phases: the gradient is that of costs the phases do not change.
    UPLO : {'L', 'U'}
        Which: the lower or the upper.

    Examples
    --------
    >>> values, vectors = eigh([[2.0, 0.0], [0.0, 1.0]])
    >>> values.eval()
    array([1., 2.])
    """
    found: list[Any] = Eigh(UPLO)(a)
    return found


def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """The eigenvalues of a symmetric or Hermitian matrix, ascending; arguments as for `eigh`."""
    return Eigvalsh(UPLO)(a)


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """The singular value decomposition ``a = (u * s) @ vh``, as `numpy.linalg.svd`.

    Parameters
    ----------
    a : tensor-like
        Of shape (..., m, n).
    full_matrices : bool
        Make `u` and `vh` square. For m != n they are not unique then, and have no gradient.
    compute_uv : bool
        Give `u` and `vh`, not `s` alone.

    Returns
    -------
    u, s, vh : TensorVariable
        Or `s` alone: the singular values, descending. The derivatives of `u` and `vh` need distinct values and, for
        complex matrices, a cost that does not change when a column of `u` and a row of `vh` turn their phases.
    """
    return SVD(full_matrices, compute_uv)(a)


def qr(a: Any, mode: str = "reduced") -> Any:
    """The QR decomposition of a matrix: orthonormal columns times an upper triangle, as `numpy.linalg.qr`.

    Parameters
    ----------
    a : tensor-like
        Of shape (..., m, n).
    mode : {'reduced', 'complete', 'r'}
        'reduced' gives Q of min(m, n) columns, 'complete' of m; 'r' gives R alone. The gradient needs full rank, and
        for a complete Q that m <= n.

    Returns
    -------
    q, r : TensorVariable
        Or `r` alone.
    """
    return QR({"full": "reduced"}.get(mode, mode))(a)


# ---- products ------------------------------------------------------------------------------------------------------


def matrix_dot(*args: Any) -> Any:
    """The product of several matrices or vectors, from left to right.

    Raises
    ------
    TypeError
        When nothing is given.
    """
    if not args:
        raise TypeError("matrix_dot takes at least one matrix")
    return reduce(dot, args[1:], as_tensor_variable(args[0]))


def matrix_power(M: Any, n: int) -> Any:
    """A square matrix multiplied with itself `n` times, by repeated squaring; of its inverse where `n` is negative.

    Raises
    ------
    TypeError
        When `n` is not an integer.
    numpy.linalg.LinAlgError
        When M is not square, or `n` is negative and M singular.

    Examples
    --------
    >>> matrix_power([[1, 1], [0, 1]], 5).eval()
    array([[1, 5],
           [0, 1]])
    """
    if isinstance(n, (bool, np.bool_)) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"matrix_power: the exponent must be a Python integer, not {n!r}")
    power = as_tensor_variable(M) if n >= 0 else matrix_inverse(M)
    kind = check_matrix(power.type, "matrix_power", square=True)
    if None in kind.shape[-2:] and n > 1:
        square = elemwise(scalar.eq)(shape_i(power, -2), shape_i(power, -1))
        power = require(power, square, "matrix_power takes square matrices", LinAlgError)
    if n == 0:
        return alloc(eye(shape_i(power, -1), dtype=kind.dtype), *(shape_i(power, i) for i in range(kind.ndim)))
    left, result = abs(int(n)), None
    while left:
        if left & 1:
            result = power if result is None else matmul(result, power)
        left >>= 1
        power = matmul(power, power) if left else power
    return result


# ---- diagonals and norms -------------------------------------------------------------------------------------------


def extract_diag(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal of the matrices in two axes, as `numpy.diagonal`."""
    return diagonal(x, offset, axis1, axis2)


def alloc_diag(x: Any, offset: int = 0, axis1: int = -2, axis2: int = -1) -> Any:
    """Matrices with the last axis of `x` on a diagonal and zeros elsewhere: what `extract_diag` undoes.

    Parameters
    ----------
    x : tensor-like
        Of shape (..., n).
    offset : int
        Which diagonal: above the main one where positive, below where negative.
    axis1, axis2 : int
        Where the rows and columns go in the result, which has one dimension more than `x`.

    Raises
    ------
    ValueError
        For a scalar.

    Examples
    --------
    >>> alloc_diag([1, 2], 1).eval()
    array([[0, 1, 0],
           [0, 0, 2],
           [0, 0, 0]])
    """
    variable = as_tensor_variable(x)
    ndim = variable.type.ndim
    if ndim < 1:
        raise ValueError("alloc_diag takes at least a vector, not a scalar")
    steps = arange(shape_i(variable, -1))
    side = shape_i(variable, -1) + abs(offset)
    blank = zeros([*(shape_i(variable, i) for i in range(ndim - 1)), side, side], variable.type.dtype)
    place = (..., steps + max(-offset, 0), steps + max(offset, 0))
    return moveaxis(set_subtensor(blank[place], variable), (-2, -1), (axis1, axis2))


def diag(v: Any, k: int = 0) -> Any:
    """The `k`-th diagonal of a matrix, or the matrix with a vector on that diagonal, as `numpy.diag`.

    Raises
    ------
    ValueError
        When `v` is neither a vector nor a matrix.
    """
    variable = as_tensor_variable(v)
    if variable.type.ndim == 1:
        return alloc_diag(variable, k)
    if variable.type.ndim == 2:
        return extract_diag(variable, k)
    raise ValueError(f"diag takes a vector or a matrix, not {variable.type}")


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The norm of vectors or matrices, as `numpy.linalg.norm`.

    Parameters
    ----------
    x : tensor-like
    ord : {None, 'fro', 'nuc', inf, -inf, number}
        None is the root of the sum of squares. For matrices: 'fro' (the same), 'nuc' (the sum of singular values), 2
        and -2 (the largest and smallest of them), 1, -1, inf, -inf (the largest and smallest sum of absolute values
        over columns or over rows). For vectors: 0 counts what is not 0, inf and -inf are the largest and smallest
        absolute value, any other number p gives ``sum(abs(x) ** p) ** (1 / p)``.
    axis : int or pair of int, optional
        One axis for vectors, two for matrices. None is all of a vector or matrix; with `ord` None, all of any tensor.
    keepdims : bool

    Raises
    ------
    ValueError
        When `ord` is not defined on vectors, or on matrices, or neither is meant.

    Notes
    -----
    Where the root of the sum of squares is 0, its gradient is taken to be 0, a subgradient.

    Examples
    --------
    >>> float(norm([3.0, 4.0]).eval())
    5.0
    """
    variable = as_tensor_variable(x)
    if variable.type.is_discrete:
        variable = as_floating(variable)
    if axis is None:
        if ord is not None and variable.type.ndim not in (1, 2):
            raise ValueError(f"norm of order {ord!r} needs a vector, a matrix, or an axis; it got {variable.type}")
        axes: tuple[int, ...] = tuple(range(variable.type.ndim))
    else:
        axes = reductions.normalize_axes(axis, variable.type.ndim, "norm")
        if isinstance(axis, (tuple, list)):  # the order matters: rows, then columns
            axes = tuple(normalize_axis(i, variable.type.ndim) for i in axis)
        if len(axes) not in (1, 2):
            raise ValueError(f"norm takes one axis or two, not {len(axes)}")
    if ord is None or (ord == "fro" and len(axes) == 2):
        return _root_of_squares(variable, axes, keepdims)
    if len(axes) == 1:
        return vector_norm(variable, ord, axes, keepdims)
    return _matrix_norm(variable, ord, axes, keepdims)


def _root_of_squares(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    size = elemwise(scalar.abs)(x) if x.type.numpy_dtype.kind == "c" else x
    total = reductions.sum(elemwise(scalar.sqr)(size), axis=axes, keepdims=keepdims)
    return reductions.root(total)


def vector_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    """The vector norm of a floating tensor over several axes together."""
    if ord in (None, 2):
        return _root_of_squares(x, axes, keepdims)
    if isinstance(ord, str):
        raise ValueError(f"norm of order {ord!r} is not defined on vectors")
    if ord == 0:
        present = elemwise(scalar.neq)(x, 0)
        return reductions.sum(present, axes, elemwise(scalar.abs)(x).type.dtype, keepdims)
    return reductions.norm(x, float(ord), axes, keepdims)


def _matrix_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    matrices = moveaxis(x, axes, (-2, -1))
    if ord == "nuc":
        found = reductions.sum(svd(matrices, compute_uv=False), -1)
    elif ord in (2, -2):
        found = (reductions.max if ord == 2 else reductions.min)(svd(matrices, compute_uv=False), -1)
    elif ord in (1, -1, np.inf, -np.inf):
        sums = reductions.sum(elemwise(scalar.abs)(matrices), -2 if abs(ord) == 1 else -1)
        found = (reductions.max if ord > 0 else reductions.min)(sums, -1)
    else:
        raise ValueError(f"norm of order {ord!r} is not defined on matrices: use 'fro', 'nuc', inf, 1, 2 or -inf, "
                         "-1, -2")
    if not keepdims:
        return found
    kept = iter(range(found.type.ndim))
    return dimshuffle(found, ["x" if i in axes else next(kept) for i in range(x.type.ndim)])


# ---- least squares and systems of tensors --------------------------------------------------------------------------


def lstsq(a: Any, b: Any, rcond: float | None = None) -> list[Any]:
    """The solution of ``a @ x = b`` of least squared error, and of least norm among those; as `numpy.linalg.lstsq`.

    Parameters
    ----------
    a : tensor-like
        Of shape (m, n).
    b : tensor-like
        Of shape (m,) or (m, k).
    rcond : float, optional
        Singular values below this fraction of the largest count as 0.

    Returns
    -------
    x, residuals, rank, singular_values : TensorVariable
        x and the singular values have gradients.

    Raises
    ------
    numpy.linalg.LinAlgError
        When ranks or lengths do not go together; at run time for a matrix with infinite elements or NaN. Right sides
        that are not finite give NaN.

    Examples
    --------
    >>> lstsq([[1.0], [1.0]], [1.0, 3.0])[0].eval().round(9)
    array([2.])
    """
    found: list[Any] = Lstsq(rcond)(a, b)
    return found


def tensorinv(a: Any, ind: int = 2) -> Any:
    """The inverse of a tensor as a map between tensors of its last axes and of its first `ind`.

    Raises
    ------
    ValueError
        When `ind` is not positive.
    """
    a = as_floating(a)
    if ind <= 0:
        raise ValueError(f"tensorinv: ind must be positive, not {ind}")
    lengths = [shape_i(a, i) for i in range(a.type.ndim)]
    _must_be_square("tensorinv", a.type.shape[:ind], a.type.shape[ind:])
    flat = reshape(a, [_product(lengths[:ind]), _product(lengths[ind:])])
    return reshape(matrix_inverse(flat), [*lengths[ind:], *lengths[:ind]])


def tensorsolve(a: Any, b: Any, axes: Sequence[int] | None = None) -> Any:
    """The tensor x with ``tensordot(a, x, x.ndim) = b``, as `numpy.linalg.tensorsolve`.

    Parameters
    ----------
    a, b : tensor-like
    axes : sequence of int, optional
        Axes of `a` to move to the end first.
    """
    from symgraph.tensor.slinalg import solve

    a, b = as_floating(a), as_floating(b)
    if axes is not None:
        moved = [normalize_axis(axis, a.type.ndim) for axis in axes]
        a = dimshuffle(a, [i for i in range(a.type.ndim) if i not in moved] + moved)
    rest = [shape_i(a, i) for i in range(b.type.ndim, a.type.ndim)]
    _must_be_square("tensorsolve", b.type.shape, a.type.shape[b.type.ndim:])
    size = _product([shape_i(b, i) for i in range(b.type.ndim)])
    return reshape(solve(reshape(a, [size, _product(rest)]), b.flatten()), rest)


def _must_be_square(who: str, rows: Sequence[int | None], columns: Sequence[int | None]) -> None:
    """Refuse a map between tensors of different numbers of elements, where they are known."""
    if None not in (*rows, *columns) and np.prod(rows) != np.prod(columns):  # type: ignore[arg-type]
        raise LinAlgError(f"{who} takes a square map, not one between tensors of shapes {tuple(rows)} and "
                          f"{tuple(columns)}")


def _product(lengths: Sequence[Any]) -> Any:
    return reduce(lambda x, y: x * y, lengths, as_tensor_variable(np.asarray(1, "int64")))
