"""Linear algebra as in `scipy.linalg`, with gradients: Cholesky, systems of equations, the matrix exponential.

Matrices are in the last two axes, and the axes before them are broadcast as NumPy does it. SciPy is imported when an
operation that needs it is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.type import Type
from symgraph.tensor.basic import as_tensor_variable, zeros_like
from symgraph.tensor.decompositions import (
    Eigvalsh,
    MatrixOp,
    as_floating,
    check_matrix,
    fold_triangle,
    is_complex,
    null,
    transposed,
)
from symgraph.tensor.dimshuffle import dimshuffle, shape_padleft
from symgraph.tensor.elemwise import meeting_axes, unbroadcast
from symgraph.tensor.extra_ops import tril, triu
from symgraph.tensor.inverses import Lstsq
from symgraph.tensor.join import concatenate
from symgraph.tensor.linalg import matmul
from symgraph.tensor.nlinalg import lstsq
from symgraph.tensor.shape import reshape, shape_i
from symgraph.tensor.type import TensorType, broadcast_static_shapes, tensor_type

__all__ = [
    "Cholesky", "Expm", "Lstsq", "Solve", "SolveTriangular", "cho_solve", "cholesky", "eigvalsh",
    "expm", "kron", "lstsq", "solve", "solve_lower_triangular", "solve_symmetric", "solve_triangular",
    "solve_upper_triangular",
]

Array = np.ndarray[Any, Any]


def _scipy_linalg() -> Any:
    import scipy.linalg

    return scipy.linalg


# ---- Cholesky ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
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
        (a,) = inputs
        try:
            output_storage[0][0] = np.linalg.cholesky(a, upper=not self.lower)
        except LinAlgError:
            if self.on_error == "raise":
                raise
            output_storage[0][0] = _one_by_one(self._or_nan, a.shape, a)

    def _or_nan(self, matrix: Array) -> Array:
        try:
            return np.linalg.cholesky(matrix, upper=not self.lower)
        except LinAlgError:
            return np.full_like(matrix, np.nan)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        """Murray (2016), "Differentiation of the Cholesky decomposition", equation 10."""
        (root,), (g,) = outputs, output_gradients
        if is_complex(root):
            return null(1, "cholesky has no gradient by complex matrices")
        low, g = (root, g) if self.lower else (transposed(root), transposed(g))
        product = matmul(transposed(low), g)
        halved = (tril(product) + tril(product, -1)) / 2
        back = SolveTriangular(lower=True, trans=1)
        full = transposed(back(low, transposed(back(low, halved))))
        result = fold_triangle((full + transposed(full)) / 2, True)
        return [result if self.lower else transposed(result)]


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


def _one_by_one(fn: Callable[..., Array], shape: tuple[int, ...], *stacks: Array) -> Array:
    """A function of single matrices, over the axes before them, broadcast."""
    batch = shape[:-2]
    if not batch:
        return np.asarray(fn(*stacks))
    stretched = [np.broadcast_to(stack, batch + stack.shape[-2:]) for stack in stacks]
    result = np.empty(shape, np.result_type(*stacks))
    for place in np.ndindex(*batch):
        result[place] = fn(*(stack[place] for stack in stretched))
    return result


class _System(MatrixOp):
    """The base of solvers of ``a @ x = b``, where b is a vector (of one dimension) or a matrix of columns."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        a, b = check_matrix(types[0], "solve", square=True), types[1]
        if not isinstance(b, TensorType) or b.ndim < 1:
            raise LinAlgError(f"solve takes a vector or matrix on the right side, not {b}")
        sides = b.shape if b.ndim == 1 else b.shape[-2:]
        size = a.shape[-1] if a.shape[-2] is None else a.shape[-2]
        if None not in (size, sides[0]) and size != sides[0]:
            raise ValueError(f"solve: {size} equations, but right sides of length {sides[0]}: {a} and {b}")
        batch = broadcast_static_shapes([a.shape[:-2], b.shape[:-2]], "solve") if a.ndim > 2 or b.ndim > 2 else ()
        dtype = np.result_type(a.numpy_dtype, b.numpy_dtype)
        return (tensor_type(dtype.name, (*batch, *sides)),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        a, b = inputs
        vector = b.ndim == 1
        columns = b[:, None] if vector else b
        if a.shape[-1] != a.shape[-2]:
            raise LinAlgError(f"solve takes square matrices, not {a.shape[-2]} by {a.shape[-1]}")
        if a.shape[-1] != columns.shape[-2]:
            raise ValueError(f"solve: {a.shape[-1]} equations, but right sides of length {columns.shape[-2]}: arrays "
                             f"of shapes {a.shape} and {b.shape}")
        dtype = node.outputs[0].type.numpy_dtype
        shape = (*np.broadcast_shapes(a.shape[:-2], columns.shape[:-2]), *columns.shape[-2:])
        if 0 in shape or 0 in a.shape:
            result = np.empty(shape, dtype)
        else:
            result = self._solved(a.astype(dtype, copy=False), columns.astype(dtype, copy=False), shape)
        output_storage[0][0] = np.asarray(result[..., 0] if vector else result, dtype)

    def _solved(self, a: Array, columns: Array, shape: tuple[int, ...]) -> Array:
        raise NotImplementedError

    def equal_axes(self, node: Apply) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        return meeting_axes(node.inputs, (0, 1), trailing=2)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        sa, sb = input_shapes
        out = node.outputs[0].type.ndim
        tail = 1 if len(sb) == 1 else 2
        batch: list[Any] = []
        for place in range(tail - out, 0):  # counted from the end of the batch axes
            from_a = len(sa) - 2 >= -place and node.inputs[0].type.shape[place - 2] != 1
            from_b = len(sb) - 2 >= -place
            batch.append(sa[place - 2] if from_a or not from_b else sb[place - 2])
        return [(*batch, *sb[-tail:])]

    def _pulled(self, adjoint: _System, a: Any, b: Any, x: Any, g: Any) -> tuple[Any, Any]:
        """The gradient by `b`, and minus the gradient by all of `a` when that is not a triangle.

        Giles (2008), section 2.3.1: ``b_bar = inv(a).T @ g``, ``a_bar = -b_bar @ x.T``.
        """
        vector = b.type.ndim == 1
        if vector:
            x, g = (dimshuffle(v, [*range(v.type.ndim), "x"]) for v in (x, g))
        back = adjoint(a, g)
        product = matmul(back, transposed(x))
        if vector:
            back = dimshuffle(back, list(range(back.type.ndim - 1)))
        return (back if back.type.ndim == 1 else _sum_batch(back, b)), _sum_batch(product, a)


def _sum_batch(term: Any, x: Any) -> Any:
    """Sum over the axes along which `x` was stretched."""
    return term if term.type.ndim == x.type.ndim == 2 else unbroadcast(term, x)


_STRUCTURES = {"general": "gen", "symmetric": "sym", "hermitian": "her", "positive definite": "pos",
               "lower_triangular": "lower triangular", "upper_triangular": "upper triangular"}


@dataclass(frozen=True)
class Solve(_System):
    """The solution of systems of linear equations; see `solve`.

    Parameters
    ----------
    A_structure : str
        As `assume_a` of `solve`, or 'general', 'symmetric', 'lower_triangular', 'upper_triangular'.
    lower : bool
    overwrite_A, overwrite_b : bool
        Accepted for Theano's programs and not used: which memory is reused is the plan's affair.
    """

    A_structure: str = "gen"
    lower: bool = False
    overwrite_A: bool = False
    overwrite_b: bool = False

    def __post_init__(self) -> None:
        structure = _STRUCTURES.get(self.A_structure, self.A_structure)
        if structure not in _STRUCTURES.values():
            raise ValueError(f"solve: assume_a must be one of {', '.join(map(repr, _STRUCTURES.values()))}, not "
                             f"{self.A_structure!r}")
        object.__setattr__(self, "A_structure", structure)
        object.__setattr__(self, "overwrite_A", False)
        object.__setattr__(self, "overwrite_b", False)

    @property
    def _triangle(self) -> SolveTriangular | None:
        return SolveTriangular(self.A_structure[0] == "l") if self.A_structure.endswith("triangular") else None

    def _solved(self, a: Array, columns: Array, shape: tuple[int, ...]) -> Array:
        if self._triangle is not None:
            return self._triangle._solved(a, columns, shape)
        if self.A_structure == "gen":
            return np.asarray(np.linalg.solve(a, columns))
        linalg = _scipy_linalg()
        return _one_by_one(
            lambda matrix, right: linalg.solve(matrix, right, lower=self.lower, assume_a=self.A_structure),
            shape, a, columns,
        )

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        a, b = inputs
        if self._triangle is not None:
            return self._triangle.L_op(inputs, outputs, output_gradients)
        if self.A_structure == "gen":
            by_b, product = self._pulled(self, transposed(a), b, outputs[0], output_gradients[0])
            return [-product, by_b]
        if self.A_structure != "sym" and is_complex(outputs[0]):
            return null(2, f"solve with assume_a={self.A_structure!r} has no gradient by complex matrices")
        by_b, product = self._pulled(self, a, b, outputs[0], output_gradients[0])
        return [fold_triangle(-(product + transposed(product)) / 2, self.lower), by_b]


@dataclass(frozen=True)
class SolveTriangular(_System):
    """The solution of triangular systems; see `solve_triangular`.

    Parameters
    ----------
    lower : bool
    trans : {0, 1, 2}
    unit_diagonal : bool
    """

    lower: bool = False
    trans: Any = 0
    unit_diagonal: bool = False

    def __post_init__(self) -> None:
        trans = {"N": 0, "T": 1, "C": 2}.get(self.trans, self.trans)
        if trans not in (0, 1, 2):
            raise ValueError(f"solve_triangular: trans must be 0, 1, 2, 'N', 'T' or 'C', not {self.trans!r}")
        object.__setattr__(self, "trans", int(trans))
        object.__setattr__(self, "lower", bool(self.lower))
        object.__setattr__(self, "unit_diagonal", bool(self.unit_diagonal))

    def _solved(self, a: Array, columns: Array, shape: tuple[int, ...]) -> Array:
        if not self.unit_diagonal and not np.diagonal(a, axis1=-2, axis2=-1).all():
            raise LinAlgError("singular matrix: a triangle with a zero on its diagonal")
        (trsm,) = _scipy_linalg().get_blas_funcs(("trsm",), (a, columns))
        unit = int(self.unit_diagonal)

        def one(matrix: Array, right: Array) -> Array:
            # BLAS takes columns in order: rows in order are those of the transpose. It uses one thread for small
            # matrices, where LAPACK's trtrs spends milliseconds to wake all of them.
            if matrix.flags.f_contiguous or self.trans == 2:
                return np.asarray(trsm(1, matrix, right, 0, int(self.lower), self.trans, unit))
            return np.asarray(trsm(1, matrix.T, right, 0, int(not self.lower), 1 - self.trans, unit))

        return _one_by_one(one, shape, a, columns)

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        a, b = inputs
        if self.trans == 2 and is_complex(outputs[0]):
            return null(2, "solve_triangular with the conjugate transpose has no gradient: conjugate first")
        turned = SolveTriangular(self.lower, 0 if self.trans else 1, self.unit_diagonal)
        by_b, product = self._pulled(turned, a, b, outputs[0], output_gradients[0])
        if self.trans:
            product = transposed(product)
        inside = 1 if self.unit_diagonal else 0
        return [-(tril(product, -inside) if self.lower else triu(product, inside)), by_b]


def _columns(b: Any, b_ndim: int | None) -> tuple[Any, bool]:
    """The right side, and whether an axis was added: a batch of vectors becomes a batch of columns."""
    b = as_floating(b)
    if b_ndim not in (None, 1, 2):
        raise ValueError(f"b_ndim must be 1 or 2, not {b_ndim!r}")
    if b_ndim == 1 and b.type.ndim > 1:
        return dimshuffle(b, [*range(b.type.ndim), "x"]), True
    return b, False


def _apply(op: _System, a: Any, b: Any, b_ndim: int | None) -> Any:
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


# ---- functions of matrices, and products ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Expm(MatrixOp):
    """The matrix exponential; see `expm`."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        return (check_matrix(types[0], "expm", square=True),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        (a,) = inputs
        output_storage[0][0] = np.asarray(_scipy_linalg().expm(a) if a.size else a.copy(), a.dtype)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    def _directional(self, a: Any, direction: Any) -> Any:
        """The derivative of expm at `a`: Mathias (1996), "A chain rule for matrix functions and applications"."""
        side = shape_i(a, -1)
        block = concatenate([concatenate([a, direction], -1), concatenate([zeros_like(a), a], -1)], -2)
        return self(block)[(..., slice(None, side), slice(side, None))]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [self._directional(transposed(inputs[0]), output_gradients[0])]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self._directional(inputs[0], eval_points[0])]


def expm(a: Any) -> Any:
    """The exponential of a square matrix (not of its elements), or of each in the last two axes.

    Examples
    --------
    >>> expm([[0.0, 1.0], [0.0, 0.0]]).eval()
    array([[1., 1.],
           [0., 1.]])
    """
    return Expm()(a)


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
