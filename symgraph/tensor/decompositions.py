"""Decompositions of matrices, in the last two axes: singular values and QR; what all such operations share.

An operation that reads only one triangle of a symmetric matrix has a gradient in that triangle only: the exact
derivative by the elements that are read. Where factors of complex matrices are unique but for the phases of their
columns (eigenvectors, singular vectors), gradients are those of costs that do not depend on the phases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from symgraph import scalar
from symgraph.config import config
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import DisconnectedType, NullType, Type
from symgraph.tensor.basic import as_tensor_variable, eye, zeros_like
from symgraph.tensor.dimshuffle import dimshuffle, swapaxes
from symgraph.tensor.elemwise import TensorOp, cast, conjugated, elemwise, is_complex
from symgraph.tensor.extra_ops import diagonal, tril, triu
from symgraph.tensor.join import concatenate
from symgraph.tensor.products import matmul
from symgraph.tensor.shape import shape_i
from symgraph.tensor.specify import require_lengths
from symgraph.tensor.type import TensorType, tensor_type

__all__ = [
    "QR", "SVD", "MatrixOp", "adjoint", "as_floating", "check_matrix", "columns_times", "connected", "fold_triangle",
    "holomorphic", "identity_of", "inverse_gaps", "null", "row_of", "transposed",
]

_linalg: Any = np.linalg  # whose types tell results apart by literal arguments only


def as_floating(x: Any) -> Any:
    """`x` as a tensor of a dtype that LAPACK computes in; integers and booleans become floats.

    Raises
    ------
    TypeError
        For float16, as in NumPy.
    """
    variable = as_tensor_variable(x)
    if variable.type.is_discrete:
        capped = config.cast_policy == "floatX" and config.floatX == "float32"
        return cast(variable, "float32" if capped else "float64")
    if variable.type.dtype == "float16":
        raise TypeError(f"linear algebra is not defined on float16 ({variable}): cast to float32 first")
    return variable


def check_matrix(kind: Any, who: str, square: bool = False) -> TensorType:
    """The type of a matrix, or batch of them.

    Raises
    ------
    numpy.linalg.LinAlgError
        For fewer than two dimensions, or when a matrix that must be square is known not to be.
    """
    if not isinstance(kind, TensorType):
        raise TypeError(f"{who} takes tensors, not {kind}")
    if kind.ndim < 2:
        raise LinAlgError(f"{who} takes a matrix, or several in the last two axes; {kind} has {kind.ndim} dimensions")
    rows, columns = kind.shape[-2:]
    if square and None not in (rows, columns) and rows != columns:
        raise LinAlgError(f"{who} takes square matrices, not {rows} by {columns} ({kind})")
    return kind


class MatrixOp(TensorOp):
    """The base of operations on matrices: its inputs are floating."""

    def make_node(self, *inputs: Any) -> Apply:
        variables = [as_floating(x) for x in inputs]
        return Apply(self, variables, self._cached_types(tuple([v.type for v in variables])))

    def reach(self, x: Any, z: Any, mask: Any) -> Any:
        """All of a matrix, for any element of what was made of it."""
        from symgraph.tensor.reduce import any as some

        batch = x.type.ndim - 2
        if batch <= 0 or z.type.broadcastable[:batch] != x.type.broadcastable[:batch]:
            return some(mask)
        whole = some(mask, axis=list(range(batch, mask.type.ndim)))
        return whole.dimshuffle([*range(batch), "x", "x"])


def transposed(x: Any) -> Any:
    """`x` with its last two axes exchanged."""
    return swapaxes(x, -1, -2)


def adjoint(x: Any) -> Any:
    """The conjugate transpose of the matrices in the last two axes."""
    return transposed(conjugated(x))


Pull = Callable[[Any, Sequence[Any], Sequence[Any], Sequence[Any]], Sequence[Variable]]


def holomorphic(pull: Pull) -> Pull:
    """An `L_op` of a holomorphic function, from that of real matrices: gradients are conjugated on either side."""

    @wraps(pull)
    def L_op(self: Any, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        given = [conjugated(g) if connected(g) else g for g in output_gradients]
        return [conjugated(x) for x in pull(self, inputs, outputs, given)]

    return L_op


def connected(gradient: Variable) -> bool:
    """Whether a gradient given to an `L_op` is one (the cost may depend on some outputs only)."""
    return not isinstance(gradient.type, DisconnectedType)


def null(count: int, reason: str) -> list[Variable]:
    """Gradients that are not defined, saying why."""
    return [NullType(reason)() for _ in range(count)]


def fold_triangle(gradient: Any, lower: bool) -> Any:
    """The gradient by the triangle that is read, from any by the whole of a symmetric (Hermitian) matrix."""
    whole = (gradient + adjoint(gradient)) / 2
    return tril(whole) + tril(whole, -1) if lower else triu(whole) + triu(whole, 1)


def identity_of(x: Any, axis: int) -> Any:
    """The identity matrix of the length and dtype of an axis."""
    return eye(shape_i(x, axis), dtype=x.type.dtype)


def columns_times(matrix: Any, vector: Any) -> Any:
    """``matrix @ diag(vector)``."""
    return matrix * row_of(vector)


def row_of(vector: Any) -> Any:
    """Vectors, in the last axis, as rows: multiplied with a matrix, they scale its columns."""
    axes = list(range(vector.type.ndim))
    return dimshuffle(vector, [*axes[:-1], "x", axes[-1]])


def column_of(vector: Any) -> Any:
    return dimshuffle(vector, [*range(vector.type.ndim), "x"])


def inverse_gaps(values: Any) -> Any:
    """``F[i, j] = 1 / (values[j] - values[i])``, and 0 on the diagonal."""
    one = identity_of(values, -1)
    return (1 - one) / (row_of(values) - column_of(values) + one)


def _least(a: Any) -> Any:
    return elemwise(scalar.minimum)(shape_i(a, -2), shape_i(a, -1))


def _smaller(shape: Sequence[Any]) -> int | None:
    """The known lesser of two lengths, where it is known."""
    return None if None in shape else min(shape)


def _square_only(a: Any) -> Any:
    """`a`, checked to be square: at once where its shape is known, else at run time. None when it is not."""
    rows, columns = a.type.shape[-2:]
    if rows is not None and columns is not None:
        return a if rows == columns else None
    return require_lengths(a, [None] * (a.type.ndim - 1) + [shape_i(a, -2)])


# ---- singular values -----------------------------------------------------------------------------------------------


@frozen
class SVD(MatrixOp):
    """The singular value decomposition; see `symgraph.tensor.nlinalg.svd`.

    Parameters
    ----------
    full_matrices : bool
    compute_uv : bool
    """

    full_matrices: bool = True
    compute_uv: bool = True

    def __post_init__(self) -> None:
        for name in ("full_matrices", "compute_uv"):  # Theano's programs say 0 and 1
            object.__setattr__(self, name, bool(getattr(self, name)))

    def infer_type(self, *types: Type) -> Sequence[Type]:
        kind = check_matrix(types[0], "svd")
        real = np.empty(0, kind.numpy_dtype).real.dtype.name
        *batch, rows, columns = kind.shape
        least = _smaller((rows, columns))
        values = tensor_type(real, (*batch, least))
        if not self.compute_uv:
            return (values,)
        left, right = (rows, columns) if self.full_matrices else (least, least)
        return (tensor_type(kind.dtype, (*batch, rows, left)), values,
                tensor_type(kind.dtype, (*batch, right, columns)))

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        found = _linalg.svd(inputs[0], self.full_matrices, self.compute_uv)
        for storage, value in zip(output_storage, found if self.compute_uv else [found], strict=True):
            storage[0] = value

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        *batch, rows, columns = input_shapes[0]
        known = _smaller(node.inputs[0].type.shape[-2:])
        least = elemwise(scalar.minimum)(rows, columns) if known is None else known
        if not self.compute_uv:
            return [(*batch, least)]
        left, right = (rows, columns) if self.full_matrices else (least, least)
        return [(*batch, rows, left), (*batch, least), (*batch, right, columns)]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        """Townsend (2016), "Differentiating the singular value decomposition"; for the values, Giles (2008), 3.2."""
        (a,) = inputs
        if not self.compute_uv:
            none = DisconnectedType()()
            return [_pull_svd(a, SVD(False)(a), (none, output_gradients[0], none))]
        g_left, _, g_right = output_gradients
        if self.full_matrices and (connected(g_left) or connected(g_right)):
            square = _square_only(a)
            if square is None:
                return null(1, "the square factors of a matrix that is not square are not unique and have no "
                               "gradient: use svd(a, full_matrices=False)")
            return [_pull_svd(square, SVD(False)(square), output_gradients, square=True)]
        return [_pull_svd(a, SVD(False)(a) if self.full_matrices else outputs, output_gradients)]


def _pull_svd(a: Any, factors: Sequence[Any], gradients: Sequence[Any], square: bool = False) -> Any:
    """The gradient by `a`, from those by the thin factors; what lies beyond a factor's span is left out if nothing."""
    rows, columns = a.type.shape[-2:]
    unknown = rows is None or columns is None
    tall = not square and (unknown or rows > columns)
    wide = not square and (unknown or rows < columns)
    (u, s, vh), (g_u, g_s, g_vh) = factors, gradients
    v, ut = adjoint(vh), adjoint(u)
    middle: list[Any] = []  # between u and vh
    outside: list[Any] = []  # from beyond the spans of u and v
    gaps = None
    if connected(g_u) or connected(g_vh):
        gaps = inverse_gaps(s * s)
    if connected(g_s):
        middle.append(identity_of(s, -1) * row_of(g_s))
    if connected(g_u):
        turned = matmul(ut, g_u)
        middle.append(columns_times(gaps * (turned - adjoint(turned)), s))
        middle += _phases(turned, s)
        if tall:
            outside.append(matmul(columns_times(g_u - matmul(u, turned), 1 / s), vh))
    if connected(g_vh):
        g_v = adjoint(g_vh)
        turned = matmul(vh, g_v)
        middle.append(column_of(s) * (gaps * (turned - adjoint(turned))))
        middle += _phases(-turned, s)
        if wide:
            outside.append(matmul(u, column_of(1 / s) * adjoint(g_v - matmul(v, turned))))
    if not middle:
        return DisconnectedType()()
    total = middle[0]
    for term in middle[1:]:
        total = total + term
    result = matmul(matmul(u, total), vh)
    for term in outside:
        result = result + term
    return result


def _phases(turned: Any, s: Any) -> list[Any]:
    """What the phases of a complex u and v, of which only the difference is determined, add on the diagonal."""
    if not is_complex(turned):
        return []
    return [identity_of(s, -1) * row_of(diagonal(turned, 0, -2, -1).imag / (2 * s)) * 1j]


# ---- QR ------------------------------------------------------------------------------------------------------------


@frozen
class QR(MatrixOp):
    """The QR decomposition; see `symgraph.tensor.nlinalg.qr`.

    Parameters
    ----------
    mode : {'reduced', 'complete', 'r'}
    """

    mode: str = "reduced"

    def __post_init__(self) -> None:
        if self.mode not in ("reduced", "complete", "r"):
            raise ValueError(f"qr: mode must be 'reduced', 'complete' or 'r', not {self.mode!r}")

    def infer_type(self, *types: Type) -> Sequence[Type]:
        kind = check_matrix(types[0], "qr")
        *batch, rows, columns = kind.shape
        inner = rows if self.mode == "complete" else _smaller((rows, columns))
        upper = tensor_type(kind.dtype, (*batch, inner, columns))
        return (upper,) if self.mode == "r" else (tensor_type(kind.dtype, (*batch, rows, inner)), upper)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        found = _linalg.qr(inputs[0], self.mode)
        for storage, value in zip(output_storage, [found] if self.mode == "r" else found, strict=True):
            storage[0] = value

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        *batch, rows, columns = input_shapes[0]
        known = _smaller(node.inputs[0].type.shape[-2:])
        inner = elemwise(scalar.minimum)(rows, columns) if known is None else known
        if self.mode == "complete":
            inner = rows
        return [(*batch, inner, columns)] if self.mode == "r" else [(*batch, rows, inner), (*batch, inner, columns)]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        """Walter and Lehmann (2018), "Algorithmic differentiation of linear algebra functions"; `a` of full rank.

        For matrices wider than tall, the columns beyond the square part are products by Q: Roberts and Roberts
        (2020), "QR and LQ decomposition matrix backpropagation algorithms for square, wide, and deep matrices".
        """
        (a,) = inputs
        g_q = DisconnectedType()() if self.mode == "r" else output_gradients[0]
        g_r = output_gradients[-1]
        if self.mode == "complete":
            rows, columns = a.type.shape[-2:]
            if connected(g_q) and (rows is None or columns is None):
                a = require_lengths(a, [None] * (a.type.ndim - 2) + [_least(a), None])
            elif connected(g_q) and rows > columns:
                return null(1, "the last columns of a complete Q are not unique and have no gradient: use "
                               "mode='reduced'")
            if connected(g_r):
                g_r = g_r[(..., slice(None, _least(a)), slice(None))]
        return [_pull_qr(a, outputs if self.mode == "reduced" else QR()(a), g_q, g_r)]


def _pull_qr(a: Any, factors: Sequence[Any], g_q: Any, g_r: Any) -> Any:
    from symgraph.tensor.systems import SolveTriangular

    q, r = factors
    if not connected(g_q) and not connected(g_r):
        return DisconnectedType()()
    rows, columns = a.type.shape[-2:]
    beyond = None
    if rows is None or columns is None or rows < columns:
        first, rest = (..., slice(None, _least(a))), (..., slice(_least(a), None))
        r = r[first]
        if connected(g_r):
            beyond, g_r = g_r[rest], g_r[first]
            through = matmul(a[rest], adjoint(beyond))
            g_q = g_q + through if connected(g_q) else through
    parts = [matmul(r, adjoint(g_r))] if connected(g_r) else []
    if connected(g_q):
        parts.append(-matmul(adjoint(g_q), q))
    inner = parts[0] + parts[1] if len(parts) == 2 else parts[0]
    half = tril(inner) + tril(inner, -1)
    symmetric = (half + adjoint(half)) / 2  # the diagonal of R is real
    pulled = matmul(q, symmetric)
    if connected(g_q):
        pulled = pulled + g_q
    result = adjoint(SolveTriangular(lower=False)(r, adjoint(pulled)))
    if beyond is None:
        if rows is None or columns is None or rows < columns:  # nothing came through R: only Q's own columns count
            return concatenate([result, zeros_like(a[(..., slice(_least(a), None))])], -1)
        return result
    return concatenate([result, matmul(q, beyond)], -1)
