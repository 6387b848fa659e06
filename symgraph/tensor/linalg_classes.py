"""Classes of Theano's linear algebra that programs make and call, where ours are functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symgraph.graph.frozen import frozen

__all__ = ["AllocDiag", "ExtractDiag", "Kron", "TensorInv", "TensorSolve"]


@frozen
class AllocDiag:
    """``AllocDiag(offset, axis1, axis2)(x)`` is ``alloc_diag(x, offset, axis1, axis2)``."""

    offset: int = 0
    axis1: int = 0
    axis2: int = 1

    def __call__(self, x: Any) -> Any:
        """The matrices with `x` on a diagonal."""
        from symgraph.tensor.nlinalg import alloc_diag

        return alloc_diag(x, self.offset, self.axis1, self.axis2)


@frozen
class ExtractDiag:
    """``ExtractDiag(offset, axis1, axis2)(x)`` is ``extract_diag(x, offset, axis1, axis2)``; `view` changes nothing."""

    offset: int = 0
    axis1: int = 0
    axis2: int = 1
    view: bool = False

    def __call__(self, x: Any) -> Any:
        """The diagonals of the matrices in `x`."""
        from symgraph.tensor.nlinalg import extract_diag

        return extract_diag(x, self.offset, self.axis1, self.axis2)


@frozen
class Kron:
    """``Kron()(a, b)`` is ``kron(a, b)``."""

    def __call__(self, a: Any, b: Any) -> Any:
        """The Kronecker product."""
        from symgraph.tensor.slinalg import kron

        return kron(a, b)


@frozen
class TensorInv:
    """``TensorInv(ind)(a)`` is ``tensorinv(a, ind)``."""

    ind: int = 2

    def __call__(self, a: Any) -> Any:
        """The inverse of a tensor."""
        from symgraph.tensor.nlinalg import tensorinv

        return tensorinv(a, self.ind)


@frozen
class TensorSolve:
    """``TensorSolve(axes)(a, b)`` is ``tensorsolve(a, b, axes)``."""

    axes: Sequence[int] | None = None

    def __call__(self, a: Any, b: Any) -> Any:
        """The solution of a system of tensors."""
        from symgraph.tensor.nlinalg import tensorsolve

        return tensorsolve(a, b, self.axes)
