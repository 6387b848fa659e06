"""What BLAS does in one call: a product of matrices or vectors, scaled, added to a scaled tensor.

Nobody need write these operations: ``W - lr * dot(x.T, d)`` says the same, and the rules of `symgraph.rewrites.blas`
find it. They are private to the compiler for that reason, though they are operations like all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import Type
from symgraph.tensor.elemwise import TensorOp
from symgraph.tensor.products import Dot
from symgraph.tensor.type import TensorType, tensor_type

__all__ = ["Gemm", "Inner"]


@frozen(repr=False)
class Gemm(TensorOp):
    """``beta * C + alpha * dot(A, B)``, for two matrices (gemm), a matrix and a vector (gemv), a column by a row (ger).

    Inputs are C, alpha, A, B, beta, all of one dtype, float32 or float64; alpha and beta are scalars. C has the shape
    of the product: it is not stretched. As a formula says, beta = 0 does not hide what is not finite in C (BLAS
    would not read C then).

    Raises
    ------
    TypeError
        When the dtypes differ or are no such floats, alpha or beta is no scalar, or C is not of the product's rank.
    ValueError
        When known lengths differ, or C would have to be stretched.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> C, A, B = T.dmatrices("CAB")
    >>> Gemm()(C, 2.0, A, B, 0.5).eval({C: np.ones((1, 1)), A: np.ones((1, 3)), B: np.ones((3, 1))})
    array([[6.5]])
    """

    accepts_out: ClassVar[bool] = True
    overwrites: ClassVar[bool] = True
    accumulates: ClassVar[bool] = True

    def infer_type(self, *types: Type) -> Sequence[Type]:
        if len(types) != 5 or not all(isinstance(t, TensorType) for t in types):
            raise TypeError(f"gemm takes the tensors C, alpha, A, B and beta, not {', '.join(map(str, types))}")
        c, alpha, a, b, beta = types
        (product,) = Dot().infer_type(a, b)
        assert isinstance(product, TensorType)
        if c.dtype not in ("float32", "float64") or {t.dtype for t in types} != {c.dtype}:  # type: ignore[attr-defined]
            raise TypeError(f"gemm takes tensors of one dtype, float32 or float64, not {', '.join(map(str, types))}")
        if alpha.ndim or beta.ndim:  # type: ignore[attr-defined]
            raise TypeError(f"gemm: alpha and beta are scalars, not {alpha} and {beta}")
        if product.ndim == 0 or c.ndim != product.ndim:  # type: ignore[attr-defined]
            raise TypeError(f"gemm adds matrices or vectors of one rank, not {c} and the product {product}")
        lengths = tuple(zip(c.shape, product.shape, strict=True))  # type: ignore[attr-defined]
        if any(m != n and (1 in (m, n) or None not in (m, n)) for m, n in lengths):
            raise ValueError(f"gemm: the shapes of C, {c.shape}, and of the product, {product.shape}, differ")  # type: ignore[attr-defined]
        return (tensor_type(c.dtype, tuple(n if m is None else m for m, n in lengths)),)  # type: ignore[attr-defined]

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        c, alpha, a, b, beta = inputs
        out = np.dot(a, b)
        out *= alpha
        out += c if beta == 1 else beta * c
        output_storage[0][0] = out

    def equal_axes(self, node: Apply) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """Those of C and of the product, and the inner ones, which BLAS does not check."""
        _, _, a, b, _ = node.inputs
        outer = [(2, 0)] * (a.type.ndim == 2) + [(3, 1)] * (b.type.ndim == 2)
        return [((2, a.type.ndim - 1), (3, 0)), *(((0, axis), other) for axis, other in enumerate(outer))]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (c, alpha, a, b, beta), (g,) = inputs, output_gradients
        product = Dot()(a, b)
        by_a, by_b = Dot().L_op([a, b], [product], [alpha * g])
        return [beta * g, (g * product).sum(), by_a, by_b, (g * c).sum()]

    def __repr__(self) -> str:
        return "gemm"


@frozen(repr=False)
class Inner(TensorOp):
    """``sum(x * y)`` over all axes of two tensors of one real dtype, float32 or float64, and one shape.

    The products are added up by the level-1 BLAS, in pieces of a few thousand so that the rounding does not depend on
    how many threads it uses.

    Raises
    ------
    TypeError
        When the dtypes differ or are no such floats, or the ranks differ.
    ValueError
        When known lengths differ.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> x, y = T.dmatrices("xy")
    >>> float(Inner()(x, y).eval({x: np.ones((2, 3)), y: np.full((2, 3), 2.0)}))
    12.0
    """

    def infer_type(self, *types: Type) -> Sequence[Type]:
        x, y = types
        if not isinstance(x, TensorType) or not isinstance(y, TensorType) or x.dtype != y.dtype or (
            x.dtype not in ("float32", "float64") or x.ndim != y.ndim
        ):
            raise TypeError(f"inner takes two tensors of one rank and dtype, float32 or float64, not {x} and {y}")
        if any(m != n and (1 in (m, n) or None not in (m, n)) for m, n in zip(x.shape, y.shape, strict=True)):
            raise ValueError(f"inner: the shapes {x.shape} and {y.shape} differ")
        return (tensor_type(x.dtype, ()),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x, y = inputs
        output_storage[0][0] = np.asarray(np.sum(x * y))

    def equal_axes(self, node: Apply) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        return [((0, axis), (1, axis)) for axis in range(node.inputs[0].type.ndim)]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [()]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (x, y), (g,) = inputs, output_gradients
        return [g * y, g * x]

    def __repr__(self) -> str:
        return "inner"
