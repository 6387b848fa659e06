"""Linear algebra by the device's array library, which calls the vendor's."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.linalg import LinAlgError

from backends.cupy.library import called
from backends.cupy.lowering import lower
from symgraph.graph.basic import Apply
from symgraph.tensor.decompositions import QR, SVD
from symgraph.tensor.eigen import Eig, Eigh, Eigvals, Eigvalsh
from symgraph.tensor.inverses import Cofactors, CofactorsAlong, Det, Lstsq, MatrixInverse, MatrixPinv, SLogDet
from symgraph.tensor.lu import LUFactor
from symgraph.tensor.matrix_functions import Expm
from symgraph.tensor.slinalg import Cholesky
from symgraph.tensor.systems import Solve, SolveTriangular

if TYPE_CHECKING:
    from backends.cupy.render import Renderer

__all__: list[str] = []


def _dtypes(node: Apply) -> str:
    return str(tuple(v.type.dtype for v in node.outputs))


@contextmanager
def raising(xp: Any) -> Iterator[None]:
    """CuPy raises `LinAlgError` only if asked to."""
    if getattr(xp, "__name__", "") != "cupy":
        yield
        return
    from cupyx import errstate  # type: ignore[import-not-found,unused-ignore]

    with errstate(linalg="raise"):
        yield


def _scipy(xp: Any) -> Any:
    """SciPy's linear algebra for arrays of a device."""
    if getattr(xp, "__name__", "") != "cupy":
        return xp.scipy_linalg
    import cupyx.scipy.linalg  # type: ignore[import-not-found,unused-ignore]

    return cupyx.scipy.linalg


# ---- decompositions ---------------------------------------------------------------------------------------------


@lower(SVD)
def _svd(r: Renderer, node: Apply) -> str:
    op: Any = node.op
    return called(r, svd, "linalg.svd", r.dev(node.inputs[0]), str(op.full_matrices), str(op.compute_uv))


def svd(xp: Any, a: Any, full: bool, vectors: bool) -> Any:
    """Singular values, between the vectors if these are wanted."""
    with raising(xp):
        found = xp.linalg.svd(a, full_matrices=full, compute_uv=vectors)
    return tuple(found) if vectors else found


@lower(QR)
def _qr(r: Renderer, node: Apply) -> str:
    mode: str = node.op.mode
    return called(r, qr, "linalg.qr", r.dev(node.inputs[0]), repr(mode))


def qr(xp: Any, a: Any, mode: str) -> Any:
    """An orthogonal matrix and a triangle, or what `mode` asks for of these."""
    found = xp.linalg.qr(a, mode)
    return found if mode == "r" else tuple(found)


@lower(Eigh, Eigvalsh)
def _eigh(r: Renderer, node: Apply) -> str:
    name = "eigh" if isinstance(node.op, Eigh) else "eigvalsh"
    return called(r, eigh, f"linalg.{name}", r.dev(node.inputs[0]), repr(node.op.UPLO), repr(name))


def eigh(xp: Any, a: Any, triangle: str, name: str) -> Any:
    """Eigenvalues, and vectors, of a symmetric matrix of which one triangle is read."""
    with raising(xp):
        found = getattr(xp.linalg, name)(a, triangle)
    return tuple(found) if name == "eigh" else found


@lower(Eig, Eigvals)
def _eig(r: Renderer, node: Apply) -> str:
    name = "eig" if isinstance(node.op, Eig) else "eigvals"
    return called(r, eig, f"linalg.{name}", r.dev(node.inputs[0]), _dtypes(node), repr(name))


def eig(xp: Any, a: Any, dtypes: tuple[str, ...], name: str) -> Any:
    """Eigenvalues, and vectors, of a matrix."""
    found = getattr(xp.linalg, name)(a)
    if name == "eigvals":
        return found.astype(dtypes[0])
    return tuple(part.astype(dtype) for part, dtype in zip(found, dtypes, strict=True))


@lower(Cholesky)
def _cholesky(r: Renderer, node: Apply) -> str:
    op: Any = node.op
    return called(r, cholesky, "linalg.cholesky swapaxes conj", r.dev(node.inputs[0]), str(op.lower),
                  repr(op.on_error))


def cholesky(xp: Any, a: Any, lower_triangle: bool, on_error: str) -> Any:
    """The triangle whose product with its conjugate is the matrix, of which the same triangle is read."""
    _check_square(a)

    def factor(matrix: Any) -> Any:
        if lower_triangle:
            return xp.linalg.cholesky(matrix)
        return xp.conj(xp.swapaxes(xp.linalg.cholesky(xp.conj(xp.swapaxes(matrix, -1, -2))), -1, -2))

    return _or_nan(xp, factor, a, on_error)


@lower(LUFactor)
def _lu_factor(r: Renderer, node: Apply) -> str:
    return called(r, lu_factor, "scipy.linalg.lu_factor empty", r.dev(node.inputs[0]))


def lu_factor(xp: Any, a: Any) -> tuple[Any, Any]:
    """Both triangles in one matrix, and the exchanges of rows, of each matrix of a stack."""
    packed, pivots = xp.empty(a.shape, a.dtype), xp.empty((*a.shape[:-2], min(a.shape[-2:])), "int32")
    if a.size:
        for place in np.ndindex(*a.shape[:-2]):
            with warnings.catch_warnings():  # singular matrices have factors too
                warnings.simplefilter("ignore", RuntimeWarning)
                packed[place], pivots[place] = _scipy(xp).lu_factor(a[place], check_finite=False)
    return packed, pivots


@lower(Expm)
def _expm(r: Renderer, node: Apply) -> str:
    return called(r, expm, "scipy.linalg.expm isfinite all full empty", r.dev(node.inputs[0]))


def expm(xp: Any, a: Any) -> Any:
    """The exponential of each matrix of a stack, in double precision; NaN where an element is not finite."""
    _check_square(a)
    wide, result = a.astype(np.promote_types(a.dtype, np.float64)), xp.empty(a.shape, a.dtype)
    if a.size:
        for place in np.ndindex(*a.shape[:-2]):
            matrix = wide[place]
            finite = bool(xp.all(xp.isfinite(matrix)))
            result[place] = _scipy(xp).expm(matrix) if finite else xp.full(matrix.shape, np.nan, a.dtype)
    return result


def _check_square(a: Any) -> None:
    if a.shape[-1] != a.shape[-2]:
        raise LinAlgError(f"last 2 dimensions of the array must be square: its shape is {a.shape}")


def _or_nan(xp: Any, function: Any, a: Any, on_error: str) -> Any:
    """A function of square matrices; NaN for those for which it raises, if `on_error` says so."""
    with raising(xp):
        try:
            return function(a)
        except LinAlgError:
            if on_error == "raise":
                raise
        flat = a.reshape((-1, *a.shape[-2:]))
        result = xp.full(flat.shape, np.nan, a.dtype)
        for i in range(flat.shape[0]):
            try:
                result[i] = function(flat[i])
            except LinAlgError:
                continue
        return result.reshape(a.shape)


# ---- inverses and determinants ----------------------------------------------------------------------------------


@lower(MatrixInverse)
def _inverse(r: Renderer, node: Apply) -> str:
    return called(r, inverse, "linalg.inv full", r.dev(node.inputs[0]), repr(node.op.on_error))


def inverse(xp: Any, a: Any, on_error: str) -> Any:
    """The inverse of each matrix of a stack."""
    _check_square(a)
    return _or_nan(xp, xp.linalg.inv, a, on_error)


@lower(MatrixPinv)
def _pinv(r: Renderer, node: Apply) -> str:
    return called(r, pinv, "linalg.pinv", r.dev(node.inputs[0]), str(node.op.rcond))


def pinv(xp: Any, a: Any, rcond: float | None) -> Any:
    """The pseudo-inverse."""
    return xp.linalg.pinv(a, max(a.shape[-2:]) * float(np.finfo(a.dtype).eps) if rcond is None else rcond)


@lower(Det, SLogDet)
def _det(r: Renderer, node: Apply) -> str:
    return called(r, det, "linalg.slogdet exp", r.dev(node.inputs[0]), str(isinstance(node.op, Det)))


def det(xp: Any, a: Any, whole: bool) -> Any:
    """The determinant, or its sign and the logarithm of its size."""
    sign, size = xp.linalg.slogdet(a)
    return sign * xp.exp(size).astype(a.dtype) if whole else (sign, size)


def _turn(xp: Any, u: Any, vh: Any) -> Any:
    return (det(xp, u, True) * det(xp, vh, True))[..., None, None]


@lower(Cofactors)
def _cofactors(r: Renderer, node: Apply) -> str:
    return called(r, cofactors, "linalg.svd linalg.slogdet exp where eye prod conj matmul", r.dev(node.inputs[0]))


def cofactors(xp: Any, a: Any) -> Any:
    """The matrix of cofactors, from singular values: the derivative of the determinant, also where that is 0."""
    u, s, vh = xp.linalg.svd(a)
    others = xp.prod(xp.where(xp.eye(s.shape[-1], dtype=bool), s.dtype.type(1), s[..., None, :]), axis=-1)
    product = xp.matmul(xp.conj(u) * others[..., None, :].astype(a.dtype), xp.conj(vh))
    return (_turn(xp, u, vh) * product).astype(a.dtype)


@lower(CofactorsAlong)
def _cofactors_along(r: Renderer, node: Apply) -> str:
    return called(r, cofactors_along, "linalg.svd linalg.slogdet exp where eye prod conj matmul swapaxes arange ones "
                  "concatenate cumprod", *map(r.dev, node.inputs))


def cofactors_along(xp: Any, a: Any, g: Any) -> Any:
    """The derivative of the cofactors along a matrix."""
    u, s, vh = xp.linalg.svd(a)
    turned = xp.matmul(xp.matmul(xp.conj(xp.swapaxes(u, -1, -2)), g), xp.conj(xp.swapaxes(vh, -1, -2)))
    n = s.shape[-1]
    rows = xp.where(xp.eye(n, dtype=bool), s.dtype.type(1), s[..., None, :])
    one = xp.ones((*rows.shape[:-1], 1), rows.dtype)
    before = xp.cumprod(xp.concatenate((one, rows[..., :-1]), axis=-1)[..., :n], axis=-1)
    behind = xp.cumprod(xp.concatenate((one, rows[..., :0:-1]), axis=-1)[..., :n], axis=-1)[..., ::-1]
    others = xp.where(xp.eye(n, dtype=bool), s.dtype.type(0), before * behind).astype(a.dtype)
    result = -others * xp.swapaxes(turned, -1, -2)
    places = xp.arange(n)
    result[..., places, places] = xp.matmul(others, turned[..., places, places][..., None])[..., 0]
    return (_turn(xp, u, vh) * xp.matmul(xp.matmul(xp.conj(u), result), xp.conj(vh))).astype(a.dtype)


# ---- systems of equations ---------------------------------------------------------------------------------------


@lower(Lstsq)
def _lstsq(r: Renderer, node: Apply) -> str:
    return called(r, lstsq, "linalg.lstsq isfinite all asarray", *map(r.dev, node.inputs), str(node.op.rcond),
                  _dtypes(node))


def lstsq(xp: Any, a: Any, b: Any, rcond: float | None, dtypes: tuple[str, ...]) -> Any:
    """The solution of least squares, the residuals, the rank and the singular values."""
    if not bool(xp.all(xp.isfinite(a))):
        raise LinAlgError("lstsq: the matrix has elements that are infinite or NaN, and no singular values")
    found = xp.linalg.lstsq(a, b, rcond)
    return tuple(xp.asarray(value).astype(dtype) for value, dtype in zip(found, dtypes, strict=True))


@lower(Solve)
def _solve(r: Renderer, node: Apply) -> str:
    op: Any = node.op
    if op.A_structure.endswith("triangular"):
        return _triangle(r, node, op.A_structure[0] == "l", 0, False)
    return called(r, solve, "linalg.solve tril triu swapaxes conj broadcast_to zeros", *map(r.dev, node.inputs),
                  repr(op.A_structure), str(op.lower), _dtypes(node))


@lower(SolveTriangular)
def _solve_triangular(r: Renderer, node: Apply) -> str:
    op: Any = node.op
    return _triangle(r, node, op.lower, op.trans, op.unit_diagonal)


def _triangle(r: Renderer, node: Apply, lower_triangle: bool, turned: int, unit: bool) -> str:
    return called(r, solve_triangular, "scipy.linalg.solve_triangular all broadcast_to zeros", *map(r.dev, node.inputs),
                  str(lower_triangle), str(turned), str(unit), _dtypes(node))


def _solved(xp: Any, a: Any, b: Any, dtype: str, function: Callable[[Any, Any], Any]) -> Any:
    """``a @ x = b`` for stacks of matrices, or a vector b, by a function of stacks of the same lengths."""
    vector = b.ndim == 1
    columns = b[:, None] if vector else b
    if a.shape[-1] != a.shape[-2]:
        raise LinAlgError(f"solve takes square matrices, not {a.shape[-2]} by {a.shape[-1]}")
    if a.shape[-1] != columns.shape[-2]:
        raise ValueError(f"solve: {a.shape[-1]} equations, but right sides of length {columns.shape[-2]}: arrays of "
                         f"shapes {a.shape} and {b.shape}")
    batch = np.broadcast_shapes(a.shape[:-2], columns.shape[:-2])
    shape = (*batch, *columns.shape[-2:])
    if 0 in shape or 0 in a.shape:
        result = xp.zeros(shape, dtype)
    else:
        matrices = xp.broadcast_to(a, (*batch, *a.shape[-2:])).astype(dtype)
        with raising(xp):
            result = function(matrices, xp.broadcast_to(columns, shape).astype(dtype))
    return (result[..., 0] if vector else result).astype(dtype)


def solve(xp: Any, a: Any, b: Any, structure: str, lower_triangle: bool, dtypes: tuple[str, ...]) -> Any:
    """The solution of systems of equations; of a symmetric matrix one triangle is read."""
    if structure != "gen":
        half = xp.tril if lower_triangle else xp.triu
        other = xp.swapaxes(half(a, -1 if lower_triangle else 1), -1, -2)
        a = half(a) + (other if structure == "sym" else xp.conj(other))
    return _solved(xp, a, b, dtypes[0], xp.linalg.solve)


def solve_triangular(xp: Any, a: Any, b: Any, lower_triangle: bool, turned: int, unit: bool,
                     dtypes: tuple[str, ...]) -> Any:
    """The solution of triangular systems, by the matrix, its transpose (1) or the conjugate of that (2)."""
    if not unit and a.shape[-1] == a.shape[-2] and not bool(xp.all(a.diagonal(0, -2, -1) != 0)):
        raise LinAlgError("singular matrix: a triangle with a zero on its diagonal")

    def divided(matrices: Any, columns: Any) -> Any:
        return _scipy(xp).solve_triangular(matrices, columns, turned, lower_triangle, unit, check_finite=False)

    return _solved(xp, a, b, dtypes[0], divided)
