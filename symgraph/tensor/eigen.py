"""Eigenvalues and eigenvectors of matrices, in the last two axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import DisconnectedType, Type
from symgraph.tensor.decompositions import (
    MatrixOp,
    adjoint,
    check_matrix,
    columns_times,
    connected,
    fold_triangle,
    identity_of,
    inverse_gaps,
    row_of,
)
from symgraph.tensor.elemwise import conjugated
from symgraph.tensor.extra_ops import diagonal
from symgraph.tensor.products import matmul
from symgraph.tensor.systems import Solve
from symgraph.tensor.type import tensor_type

__all__ = ["Eig", "Eigh", "Eigvals", "Eigvalsh"]

_linalg: Any = np.linalg  # whose types tell results apart by literal arguments only


@frozen
class Eig(MatrixOp):
    """Eigenvalues and right eigenvectors of square matrices; see `symgraph.tensor.nlinalg.eig`."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        kind = check_matrix(types[0], "eig", square=True)
        dtype = np.result_type(kind.numpy_dtype, np.complex64).name
        return tensor_type(dtype, kind.shape[:-1]), tensor_type(dtype, kind.shape)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        dtype = node.outputs[0].type.numpy_dtype
        values, vectors = np.linalg.eig(inputs[0])
        output_storage[0][0], output_storage[1][0] = values.astype(dtype), vectors.astype(dtype)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0][:-1], input_shapes[0]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        """Boeddeker et al. (2017), "On the computation of complex-valued gradients", section 4.5."""
        (values, vectors), (g_values, g_vectors) = outputs, output_gradients
        terms = []
        if connected(g_values):
            terms.append(identity_of(values, -1) * row_of(g_values))
        if connected(g_vectors):
            products = matmul(adjoint(vectors), vectors)
            turned = matmul(adjoint(vectors), g_vectors)
            along = diagonal(turned, 0, -2, -1).real  # columns have length 1
            terms.append(conjugated(inverse_gaps(values)) * (turned - columns_times(products, along)))
        if not terms:
            return [DisconnectedType()()]
        middle = terms[0] + terms[1] if len(terms) == 2 else terms[0]
        return [Solve()(adjoint(vectors), matmul(middle, adjoint(vectors)))]


@frozen
class Eigvals(MatrixOp):
    """Eigenvalues of square matrices; see `symgraph.tensor.linalg.eigvals`."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        kind = check_matrix(types[0], "eigvals", square=True)
        return (tensor_type(np.result_type(kind.numpy_dtype, np.complex64).name, kind.shape[:-1]),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.linalg.eigvals(inputs[0]).astype(node.outputs[0].type.numpy_dtype)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0][:-1]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        """As for `Eig`, whose eigenvectors it takes."""
        return Eig().L_op(inputs, Eig()(*inputs), [output_gradients[0], DisconnectedType()()])


@frozen
class _OfTriangle(MatrixOp):
    """The base of what is done to symmetric (Hermitian) matrices, of which one triangle is read.

    Parameters
    ----------
    UPLO : {'L', 'U'}
        The triangle that is read.
    """

    UPLO: str = "L"

    def __post_init__(self) -> None:
        if self.UPLO not in ("L", "U"):
            raise ValueError(f"UPLO must be 'L' or 'U', not {self.UPLO!r}")


@frozen
class Eigh(_OfTriangle):
    """Eigenvalues and eigenvectors of symmetric (Hermitian) matrices; see `symgraph.tensor.nlinalg.eigh`."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        kind = check_matrix(types[0], "eigh", square=True)
        real = np.empty(0, kind.numpy_dtype).real.dtype.name
        return tensor_type(real, kind.shape[:-1]), tensor_type(kind.dtype, kind.shape)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0], output_storage[1][0] = _linalg.eigh(inputs[0], self.UPLO)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0][:-1], input_shapes[0]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        """Giles (2008), "An extended collection of matrix derivative results", section 3.1."""
        (values, vectors), (g_values, g_vectors) = outputs, output_gradients
        terms = []
        if connected(g_values):
            terms.append(identity_of(values, -1) * row_of(g_values))
        if connected(g_vectors):
            terms.append(inverse_gaps(values) * matmul(adjoint(vectors), g_vectors))
        if not terms:
            return [DisconnectedType()()]
        middle = terms[0] + terms[1] if len(terms) == 2 else terms[0]
        return [fold_triangle(matmul(matmul(vectors, middle), adjoint(vectors)), self.UPLO == "L")]


@frozen
class Eigvalsh(_OfTriangle):
    """Eigenvalues of symmetric (Hermitian) matrices; see `symgraph.tensor.nlinalg.eigvalsh`."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        kind = check_matrix(types[0], "eigvalsh", square=True)
        return (tensor_type(np.empty(0, kind.numpy_dtype).real.dtype.name, kind.shape[:-1]),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = _linalg.eigvalsh(inputs[0], self.UPLO)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0][:-1]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        """As for `Eigh`, whose eigenvectors it takes."""
        eigh = Eigh(self.UPLO)
        return eigh.L_op(inputs, eigh(*inputs), [output_gradients[0], DisconnectedType()()])
