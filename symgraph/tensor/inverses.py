"""Inverses, determinants and least squares: the operations behind functions of `symgraph.tensor.nlinalg`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import Type
from symgraph.tensor import reduce as reductions
from symgraph.tensor.decompositions import (
    SVD,
    MatrixOp,
    adjoint,
    check_matrix,
    connected,
    holomorphic,
    null,
    transposed,
)
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.elemwise import conjugated, is_complex
from symgraph.tensor.products import dot, matmul
from symgraph.tensor.systems import one_by_one
from symgraph.tensor.type import tensor_type

__all__ = ["Cofactors", "CofactorsAlong", "Det", "Lstsq", "MatrixInverse", "MatrixPinv", "SLogDet"]


@frozen
class MatrixInverse(MatrixOp):
    """The inverse of square matrices; see `matrix_inverse`.

    Parameters
    ----------
    on_error : {'raise', 'nan'}
        What a singular matrix gives.
    """

    on_error: str = "raise"

    def infer_type(self, *types: Type) -> Sequence[Type]:
        return (check_matrix(types[0], "inv", square=True),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        (a,) = inputs
        try:
            output_storage[0][0] = np.linalg.inv(a)
        except LinAlgError:
            if self.on_error == "raise" or a.shape[-1] != a.shape[-2]:
                raise
            output_storage[0][0] = one_by_one(self._or_nan, a.shape, a)

    def _or_nan(self, matrix: Any) -> Any:
        try:
            return np.linalg.inv(matrix)
        except LinAlgError:
            return np.full_like(matrix, np.nan)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        """Giles (2008), section 2.2.3."""
        back = adjoint(outputs[0])
        return [-matmul(matmul(back, output_gradients[0]), back)]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        if eval_points[0] is None:
            return [None]
        inverse = self(*inputs)
        return [-matmul(matmul(inverse, eval_points[0]), inverse)]


@frozen
class MatrixPinv(MatrixOp):
    """The Moore-Penrose inverse; see `pinv`.

    Parameters
    ----------
    rcond : float or None
        None stands for the rounding error of the larger of the two lengths.
    """

    rcond: float | None = None

    def infer_type(self, *types: Type) -> Sequence[Type]:
        kind = check_matrix(types[0], "pinv")
        return (tensor_type(kind.dtype, (*kind.shape[:-2], kind.shape[-1], kind.shape[-2])),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        (a,) = inputs
        rcond = max(a.shape[-2:]) * np.finfo(a.dtype).eps if self.rcond is None else self.rcond
        output_storage[0][0] = np.linalg.pinv(a, rcond)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        *batch, rows, columns = input_shapes[0]
        return [(*batch, columns, rows)]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        """Golub and Pereyra (1973), "The differentiation of pseudo-inverses", where the rank does not change."""
        (a,), (p,), (g,) = inputs, outputs, output_gradients
        pt, gt = adjoint(p), adjoint(g)
        # (1 - a p) x and x (1 - p a), without the identities
        left = matmul(matmul(gt, p), pt)
        right = matmul(matmul(pt, p), gt)
        return [
            left - matmul(a, matmul(p, left)) + right - matmul(matmul(right, p), a) - matmul(matmul(pt, g), pt)
        ]


@frozen
class Det(MatrixOp):
    """The determinant of square matrices; see `det`."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        kind = check_matrix(types[0], "det", square=True)
        return (tensor_type(kind.dtype, kind.shape[:-2]),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.asarray(np.linalg.det(inputs[0]))

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0][:-2]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        """Jacobi's formula: the cofactors."""
        return [_spread(output_gradients[0]) * conjugated(Cofactors()(inputs[0]))]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        if eval_points[0] is None:
            return [None]
        return [reductions.sum(Cofactors()(inputs[0]) * eval_points[0], axis=(-2, -1))]


@frozen
class Cofactors(MatrixOp):
    """The matrix of cofactors, ``det(a) * inv(a).T``, of singular matrices as well.

    From the singular value decomposition, where the product of the other singular values stands for det / value
    (G. W. Stewart, "On the adjugate matrix", 1998).
    """

    def infer_type(self, *types: Type) -> Sequence[Type]:
        return (check_matrix(types[0], "det", square=True),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        (a,) = inputs
        u, s, vh = np.linalg.svd(a)
        others = np.where(np.eye(s.shape[-1], dtype=bool), 1, s[..., None, :]).prod(-1)
        result = _turn(u, vh) * ((u.conj() * others[..., None, :]) @ vh.conj())
        output_storage[0][0] = np.asarray(result, a.dtype)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    @holomorphic
    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        """Of a second derivative, which is symmetric: that along the gradient."""
        return [CofactorsAlong()(inputs[0], output_gradients[0])]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else CofactorsAlong()(inputs[0], eval_points[0])]


@frozen
class CofactorsAlong(MatrixOp):
    """The derivative of the cofactors along a direction: of singular matrices as well, for no element is divided by.

    At a diagonal matrix, the cofactor of place (i, i) has the derivative by place (j, j), and that of (i, j) the
    negative derivative by (j, i), that is the product of all diagonal elements but i and j. The singular value
    decomposition turns every matrix into such a one. The third derivative of a determinant needs an inverse.
    """

    def infer_type(self, *types: Type) -> Sequence[Type]:
        kind, along = (check_matrix(t, "det", square=True) for t in types)
        if kind.dtype != along.dtype or kind.ndim != along.ndim:
            raise TypeError(f"the cofactors of {kind} have no derivative along {along}")
        return (kind,)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        a, g = inputs
        u, s, vh = np.linalg.svd(a)
        turned = np.swapaxes(u, -1, -2).conj() @ g @ np.swapaxes(vh, -1, -2).conj()
        others = _all_but_two(s)
        result = -others * np.swapaxes(turned, -1, -2)
        places = np.arange(s.shape[-1])
        result[..., places, places] = (others @ turned[..., places, places][..., None])[..., 0]
        output_storage[0][0] = np.asarray(_turn(u, vh) * (u.conj() @ result @ vh.conj()), a.dtype)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    @holomorphic
    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        """That of ``sum(c * g) * b - c @ g.T @ b``, where c are the cofactors and b the transpose of the inverse."""
        (a, g), (h,) = inputs, output_gradients
        b, c = transposed(MatrixInverse()(a)), Cofactors()(a)
        by_c = _spread(reductions.sum(h * b, axis=(-2, -1))) * g - matmul(matmul(h, transposed(b)), g)
        by_b = _spread(reductions.sum(c * g, axis=(-2, -1))) * h - matmul(matmul(g, transposed(c)), h)
        return [self(a, by_c) - matmul(matmul(b, transposed(by_b)), b), self(a, h)]


def _turn(u: Any, vh: Any) -> Any:
    """The determinant of two rotations, for each of a stack of matrices."""
    return np.asarray(np.linalg.det(u) * np.linalg.det(vh))[..., None, None]


def _all_but_two(s: Any) -> Any:
    """In row i and column j, the product of all elements but i and j; on the diagonal 0."""
    n = s.shape[-1]
    rows = np.where(np.eye(n, dtype=bool), 1, s[..., None, :])
    one = np.ones_like(rows[..., :1])
    before = np.concatenate([one, rows[..., :-1]], -1)[..., :n].cumprod(-1)
    behind = np.concatenate([one, rows[..., :0:-1]], -1)[..., :n].cumprod(-1)[..., ::-1]
    return np.where(np.eye(n, dtype=bool), 0, before * behind)


def _spread(x: Any) -> Any:
    """A number for each matrix, to be multiplied with the matrices."""
    return dimshuffle(x, [*range(x.type.ndim), "x", "x"])


@frozen
class SLogDet(MatrixOp):
    """Sign and logarithm of the determinant; see `slogdet`."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        kind = check_matrix(types[0], "slogdet", square=True)
        real = np.empty(0, kind.numpy_dtype).real.dtype.name
        return tensor_type(kind.dtype, kind.shape[:-2]), tensor_type(real, kind.shape[:-2])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        sign, size = np.linalg.slogdet(inputs[0])
        output_storage[0][0], output_storage[1][0] = np.asarray(sign), np.asarray(size)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0][:-2]] * 2

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        """Giles (2008), section 2.2.4. The sign of a real matrix does not change where it is regular; that of a complex
        one turns.
        """
        (a,), (g_sign, g) = inputs, output_gradients
        terms = [g] if connected(g) else []
        if connected(g_sign) and is_complex(a):
            terms.append((g_sign * conjugated(outputs[0])).imag * 1j)
        if not terms:
            return [a.type.zeros_like(a)]
        return [_spread(terms[0] + terms[1] if len(terms) == 2 else terms[0]) * adjoint(MatrixInverse()(a))]


@frozen
class Lstsq(MatrixOp):
    """Least squares; see `lstsq`.

    Parameters
    ----------
    rcond : float or None
    """

    rcond: float | None = None

    def infer_type(self, *types: Type) -> Sequence[Type]:
        a, b = check_matrix(types[0], "lstsq"), types[1]
        if a.ndim != 2 or getattr(b, "ndim", 0) not in (1, 2):
            raise LinAlgError(f"lstsq takes a matrix and a vector or matrix, not {types[0]} and {b}")
        rows, right = a.shape[0], b.shape  # type: ignore[attr-defined]
        if None not in (rows, right[0]) and rows != right[0]:
            raise LinAlgError(f"lstsq: {rows} equations, but right sides of length {right[0]}: {a} and {b}")
        dtype = np.result_type(a.numpy_dtype, b.numpy_dtype)  # type: ignore[attr-defined]
        real = np.empty(0, dtype).real.dtype.name
        least = None if None in a.shape else min(a.shape)  # type: ignore[type-var]
        return (tensor_type(dtype.name, (a.shape[1], *right[1:])), tensor_type(real, (None,)),
                tensor_type("int64", ()), tensor_type(real, (least,)))

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        # LAPACK's gelsd does not end on an infinite matrix; on NaN it finds no singular values.
        if not np.isfinite(inputs[0]).all():
            raise LinAlgError("lstsq: the matrix has elements that are infinite or NaN, and no singular values")
        solver: Any = np.linalg.lstsq
        for storage, output, value in zip(output_storage, node.outputs, solver(*inputs, self.rcond), strict=True):
            storage[0] = np.asarray(value, output.type.numpy_dtype)

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        """That of ``pinv(a) @ b`` (Golub and Pereyra 1973) and, for the singular values, of `svd`."""
        (a, b), (x, *_), (g, g_rest, _, g_values) = inputs, outputs, output_gradients
        if connected(g_rest):
            return null(2, "the residuals of lstsq have no gradient (their number depends on values): sum "
                           "(a @ x - b) ** 2 instead")
        g_a = a.type.zeros_like(a)
        g_b = b.type.zeros_like(b)
        if connected(g_values):
            g_a = g_a + SVD(False, False).L_op([a], [outputs[3]], [g_values])[0]
        if connected(g):
            p = MatrixPinv(self.rcond)(a)
            g_b = dot(adjoint(p), g)
            x, b, g, back = (v if v.type.ndim == 2 else dimshuffle(v, (0, "x")) for v in (x, b, g, g_b))
            bent = g - matmul(adjoint(a), back)
            g_a = (g_a - dot(back, adjoint(x)) + dot(b - dot(a, x), adjoint(dot(p, back)))
                   + dot(dot(adjoint(p), x), adjoint(bent)))
        return [g_a, g_b]
