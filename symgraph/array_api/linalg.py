"""The linear algebra extension of the array API standard. Matrices are in the last two axes of a batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from symgraph.array_api.array import Array, variable_of
from symgraph.array_api.dtypes import as_dtype
from symgraph.tensor import extra_ops, math, nlinalg, products, reduce, slinalg
from symgraph.tensor.decompositions import as_floating
from symgraph.tensor.dimshuffle import moveaxis, normalize_axis, swapaxes
from symgraph.tensor.elemwise import cast
from symgraph.tensor.join import stack

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm", "matrix_power",
    "matrix_rank", "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot",
    "trace", "vecdot", "vector_norm",
]


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Array
    eigenvectors: Array


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: Array
    R: Array


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Array
    logabsdet: Array


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Array
    S: Array
    Vh: Array


# ---- products ------------------------------------------------------------------------------------------------------


def matmul(x1: Array, x2: Array, /) -> Array:
    """The matrix product."""
    return Array(products.matmul(variable_of(x1), variable_of(x2)))


def matrix_transpose(x: Array, /) -> Array:
    """The matrices transposed."""
    return x.mT


def tensordot(x1: Array, x2: Array, /, *, axes: Any = 2) -> Array:
    """The sum of products over axes of the one and of the other."""
    return Array(products.tensordot(variable_of(x1), variable_of(x2), axes))


def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """The products of vectors along an axis, the first of them conjugated. The axis counts from behind."""
    a, b = variable_of(x1), variable_of(x2)
    if not -min(a.type.ndim, b.type.ndim) <= axis < 0 and not 0 <= axis < min(a.type.ndim, b.type.ndim):
        raise ValueError(f"vecdot: axis {axis} is out of range for arrays of {a.type.ndim} and {b.type.ndim} "
                         "dimensions")
    a, b = (moveaxis(v, axis, -1) for v in (a, b))
    lengths = a.type.shape[-1], b.type.shape[-1]
    if None not in lengths and lengths[0] != lengths[1]:
        raise ValueError(f"vecdot: the vectors have {lengths[0]} and {lengths[1]} elements")
    product = math.conj(a) * b
    return Array(reduce.sum(product, -1, dtype=product.type.dtype))


def outer(x1: Array, x2: Array, /) -> Array:
    """The products of each element of one vector with each of another."""
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(f"outer takes two vectors, not arrays of {x1.ndim} and {x2.ndim} dimensions")
    return Array(products.outer(x1.variable, x2.variable))


def cross(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """The vector products of vectors of 3 elements along an axis."""
    a, b = variable_of(x1), variable_of(x2)
    parts = []
    for v in (a, b):
        known = v.type.shape[normalize_axis(axis, v.type.ndim)]
        if known not in (3, None):
            raise ValueError(f"cross takes vectors of 3 elements, not of {known}")
        parts.append([moveaxis(v, axis, 0)[i] for i in range(3)])
    (a0, a1, a2), (b0, b1, b2) = parts
    found = stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], 0)
    return Array(moveaxis(found, 0, axis))


def matrix_power(x: Array, n: int, /) -> Array:
    """The product of `n` times the same square matrix; of its inverse when `n` is negative."""
    return Array(nlinalg.matrix_power(x.variable, n))


# ---- parts ---------------------------------------------------------------------------------------------------------


def diagonal(x: Array, /, *, offset: int = 0) -> Array:
    """The diagonals."""
    return Array(extra_ops.diagonal(x.variable, offset, -2, -1))


def trace(x: Array, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """The sums of the diagonals."""
    found = extra_ops.diagonal(x.variable if dtype is None else cast(x.variable, dtype), offset, -2, -1)
    return Array(reduce.sum(found, -1, dtype=as_dtype(dtype)))


# ---- decompositions, inverses, determinants --------------------------------------------------------------------------


def cholesky(x: Array, /, *, upper: bool = False) -> Array:
    """The triangular factor of a positive definite matrix."""
    found = slinalg.cholesky(x.variable)
    return Array(math.conj(swapaxes(found, -1, -2)) if upper else found)


def det(x: Array, /) -> Array:
    """The determinants of square matrices."""
    return Array(nlinalg.det(x.variable))


def eigh(x: Array, /) -> EighResult:
    """The eigenvalues, ascending, and the eigenvectors, in columns, of symmetric (Hermitian) matrices."""
    return EighResult(*map(Array, nlinalg.eigh(x.variable)))


def eigvalsh(x: Array, /) -> Array:
    """The eigenvalues, ascending, of symmetric (Hermitian) matrices."""
    return Array(nlinalg.eigvalsh(x.variable))


def inv(x: Array, /) -> Array:
    """The inverses of square matrices."""
    return Array(nlinalg.matrix_inverse(x.variable))


def qr(x: Array, /, *, mode: str = "reduced") -> QRResult:
    """A matrix of orthonormal columns times a triangular one; all columns with ``mode="complete"``."""
    if mode not in ("reduced", "complete"):
        raise ValueError(f"qr: mode must be 'reduced' or 'complete', not {mode!r}")
    return QRResult(*map(Array, nlinalg.qr(x.variable, mode)))


def slogdet(x: Array, /) -> SlogdetResult:
    """The signs of the determinants, and the logarithms of their absolute values."""
    return SlogdetResult(*map(Array, nlinalg.slogdet(x.variable)))


def solve(x1: Array, x2: Array, /) -> Array:
    """What multiplied by a square matrix gives a vector (when `x2` is one) or matrices."""
    a, b = variable_of(x1), variable_of(x2)
    return Array(slinalg.solve(a, b, b_ndim=1 if b.type.ndim == 1 else 2))


def svd(x: Array, /, *, full_matrices: bool = True) -> SVDResult:
    """The singular values, and the vectors on both sides."""
    return SVDResult(*map(Array, nlinalg.svd(x.variable, full_matrices)))


def svdvals(x: Array, /) -> Array:
    """The singular values, descending."""
    return Array(nlinalg.svd(x.variable, compute_uv=False))


def _tolerance(values: Any, x: Any, rtol: Any) -> Any:
    """Below which singular values count as zero: by default what rounding may leave of the largest."""
    if rtol is None:
        factor: Any = math.maximum(x.shape[-2], x.shape[-1]) * float(np.finfo(values.type.dtype).eps)
    else:
        factor = variable_of(rtol)
        factor = factor.dimshuffle(*range(factor.type.ndim), "x")
    return cast(reduce.max(values, -1, keepdims=True) * factor, values.type.dtype)


def matrix_rank(x: Array, /, *, rtol: Any = None) -> Array:
    """The number of singular values above `rtol` times the largest."""
    if x.ndim < 2:
        raise ValueError(f"matrix_rank takes matrices, not {x.ndim} dimensions")
    values = nlinalg.svd(x.variable, compute_uv=False)
    return Array(reduce.sum(math.gt(values, _tolerance(values, x.variable, rtol)), -1))


def pinv(x: Array, /, *, rtol: Any = None) -> Array:
    """The Moore-Penrose inverses; singular values up to `rtol` times the largest count as zero."""
    if rtol is None or isinstance(rtol, (int, float)):
        return Array(nlinalg.pinv(x.variable, rtol))
    u, s, vh = nlinalg.svd(x.variable, False)
    kept = math.gt(s, _tolerance(s, x.variable, rtol))
    inverse = cast(math.switch(kept, 1 / math.switch(kept, s, 1), 0), s.type.dtype)
    right = math.conj(swapaxes(vh, -1, -2)) * inverse.dimshuffle(*range(s.type.ndim - 1), "x", -1)
    return Array(products.matmul(right, math.conj(swapaxes(u, -1, -2))))


# ---- norms ---------------------------------------------------------------------------------------------------------


def vector_norm(x: Array, /, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Array:
    """The vector norm of an order over axes: 0 counts, inf and -inf take extremes."""
    a = as_floating(x.variable)
    axes = reduce.normalize_axes(axis, a.type.ndim, "vector_norm")
    if ord == 2 and len(axes) in (1, 2):
        found = nlinalg.norm(a, None, axes, keepdims)  # whose derivative at 0 is a number
    else:
        found = reduce.norm(a, ord, axes, keepdims)
    return Array(cast(found, np.empty(0, a.type.numpy_dtype).real.dtype))


def matrix_norm(x: Array, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """The matrix norm: ``"fro"``, ``"nuc"``, or of order 1, 2, inf and their negatives."""
    if x.ndim < 2:
        raise ValueError(f"matrix_norm takes matrices, not {x.ndim} dimensions")
    return Array(nlinalg.norm(x.variable, ord, (-2, -1), keepdims))
