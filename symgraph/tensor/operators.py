"""Python's operators on symbolic tensors; variables have them, and the patterns of rewrite rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symgraph import scalar
from symgraph.scalar import ScalarFunction
from symgraph.tensor.elemwise import elemwise

__all__ = ["TensorOperators"]


def _binary(function: ScalarFunction) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    op = elemwise(function)

    def forward(self: Any, other: Any) -> Any:
        return op(self, other)

    def reflected(self: Any, other: Any) -> Any:
        return op(other, self)

    return forward, reflected


def _unary(function: ScalarFunction) -> Callable[[Any], Any]:
    op = elemwise(function)
    return lambda self: op(self)


class TensorOperators:
    """Python's arithmetic on symbolic tensors.

    ``==`` and ``!=`` keep Python's meaning (is it the same variable?), so that variables can be dictionary keys; the
    elementwise comparisons are `eq` and `neq`.
    """

    __slots__ = ()
    __array_priority__ = 1000

    __add__, __radd__ = _binary(scalar.add)
    __sub__, __rsub__ = _binary(scalar.sub)
    __mul__, __rmul__ = _binary(scalar.mul)
    __truediv__, __rtruediv__ = _binary(scalar.true_div)
    __floordiv__, __rfloordiv__ = _binary(scalar.int_div)
    __mod__, __rmod__ = _binary(scalar.mod)
    __pow__, __rpow__ = _binary(scalar.pow)
    __and__, __rand__ = _binary(scalar.and_)
    __or__, __ror__ = _binary(scalar.or_)
    __xor__, __rxor__ = _binary(scalar.xor)
    __lshift__, __rlshift__ = _binary(scalar.left_shift)
    __rshift__, __rrshift__ = _binary(scalar.right_shift)
    __lt__ = _binary(scalar.lt)[0]
    __gt__ = _binary(scalar.gt)[0]
    __le__ = _binary(scalar.le)[0]
    __ge__ = _binary(scalar.ge)[0]
    __neg__ = _unary(scalar.neg)
    __abs__ = _unary(scalar.abs)
    __invert__ = _unary(scalar.invert)

    def __pos__(self) -> Any:
        return self

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __matmul__(self, other: Any) -> Any:
        from symgraph.tensor.products import matmul

        return matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        from symgraph.tensor.products import matmul

        return matmul(other, self)

    def lift_scalar(self, function: ScalarFunction, args: tuple[Any, ...]) -> Any:
        """Apply a scalar function to symbolic arguments: element by element."""
        return elemwise(function)(*args)
