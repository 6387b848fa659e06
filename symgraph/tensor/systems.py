"""Systems of linear equations: the operations behind functions of `symgraph.tensor.slinalg`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import Type
from symgraph.tensor.decompositions import MatrixOp, adjoint, check_matrix, fold_triangle, transposed
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.elemwise import conjugated, is_complex, meeting_axes, unbroadcast
from symgraph.tensor.extra_ops import tril, triu
from symgraph.tensor.products import matmul
from symgraph.tensor.type import TensorType, broadcast_static_shapes, tensor_type

__all__ = ["Solve", "SolveTriangular", "System", "one_by_one", "or_nan", "scipy_linalg"]

Array = np.ndarray[Any, Any]


def scipy_linalg() -> Any:
    """`scipy.linalg`, imported when something is computed that needs it."""
    import scipy.linalg

    return scipy.linalg


def one_by_one(fn: Callable[..., Array], shape: tuple[int, ...], *stacks: Array) -> Array:
    """A function of single matrices, over the axes before them, broadcast."""
    batch = shape[:-2]
    if not batch:
        return np.asarray(fn(*stacks))
    stretched = [np.broadcast_to(stack, batch + stack.shape[-2:]) for stack in stacks]
    result = np.empty(shape, np.result_type(*stacks))
    for place in np.ndindex(*batch):
        result[place] = fn(*(stack[place] for stack in stretched))
    return result


def or_nan(fn: Callable[[Array], Array], a: Array, on_error: str) -> Array:
    """A function of square matrices; where it raises LinAlgError for one of them, and `on_error` is 'nan', NaN."""
    try:
        return fn(a)
    except LinAlgError:
        if on_error == "raise" or a.shape[-1] != a.shape[-2]:
            raise

    def one(matrix: Array) -> Array:
        try:
            return fn(matrix)
        except LinAlgError:
            return np.full_like(matrix, np.nan)

    return one_by_one(one, a.shape, a)


class System(MatrixOp):
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

    def _pulled(self, solver: System, a: Any, b: Any, x: Any, g: Any) -> tuple[Any, Any]:
        """The gradient by `b`, and minus the gradient by all of `a` when that is not a triangle.

        Giles (2008), section 2.3.1: ``b_bar = inv(a).T @ g``, ``a_bar = -b_bar @ x.T``, the transposes conjugated.
        """
        vector = b.type.ndim == 1
        if vector:
            x, g = (dimshuffle(v, [*range(v.type.ndim), "x"]) for v in (x, g))
        back = solver(a, g)
        product = matmul(back, adjoint(x))
        if vector:
            back = dimshuffle(back, list(range(back.type.ndim - 1)))
        return (back if back.type.ndim == 1 else _sum_batch(back, b)), _sum_batch(product, a)


def _sum_batch(term: Any, x: Any) -> Any:
    """Sum over the axes along which `x` was stretched."""
    return term if term.type.ndim == x.type.ndim == 2 else unbroadcast(term, x)


_STRUCTURES = {"general": "gen", "symmetric": "sym", "hermitian": "her", "positive definite": "pos",
               "lower_triangular": "lower triangular", "upper_triangular": "upper triangular"}


@frozen
class Solve(System):
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
        linalg = scipy_linalg()
        return one_by_one(
            lambda matrix, right: linalg.solve(matrix, right, lower=self.lower, assume_a=self.A_structure),
            shape, a, columns,
        )

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        a, b = inputs
        if self._triangle is not None:
            return self._triangle.L_op(inputs, outputs, output_gradients)
        if self.A_structure == "gen":
            by_b, product = self._pulled(self, adjoint(a), b, outputs[0], output_gradients[0])
            return [-product, by_b]
        if self.A_structure == "sym" and is_complex(a):  # symmetric, not Hermitian
            by_b, product = self._pulled(self, conjugated(a), b, outputs[0], output_gradients[0])
            whole, inner = -(product + transposed(product)) / 2, -1 if self.lower else 1
            half = tril if self.lower else triu
            return [half(whole) + half(whole, inner), by_b]
        by_b, product = self._pulled(self, a, b, outputs[0], output_gradients[0])
        return [fold_triangle(-product, self.lower), by_b]


@frozen
class SolveTriangular(System):
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
        (trsm,) = scipy_linalg().get_blas_funcs(("trsm",), (a, columns))
        unit = int(self.unit_diagonal)

        def one(matrix: Array, right: Array) -> Array:
            # BLAS takes columns in order: rows in order are those of the transpose. It uses one thread for small
            # matrices, where LAPACK's trtrs spends milliseconds to wake all of them.
            if matrix.flags.f_contiguous or self.trans == 2:
                return np.asarray(trsm(1, matrix, right, 0, int(self.lower), self.trans, unit))
            return np.asarray(trsm(1, matrix.T, right, 0, int(not self.lower), 1 - self.trans, unit))

        return one_by_one(one, shape, a, columns)

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        a, b = inputs
        turned = SolveTriangular(self.lower, 0 if self.trans else 2 if is_complex(a) else 1, self.unit_diagonal)
        matrix = conjugated(a) if self.trans == 1 else a
        by_b, product = self._pulled(turned, matrix, b, outputs[0], output_gradients[0])
        if self.trans:
            product = transposed(product) if self.trans == 1 else adjoint(product)
        inside = 1 if self.unit_diagonal else 0
        return [-(tril(product, -inside) if self.lower else triu(product, inside)), by_b]
