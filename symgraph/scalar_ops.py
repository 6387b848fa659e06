"""Scalar functions of users, as programs for Theano write them: a class with `impl`, a function of numbers, and `grad`.

`Elemwise` takes such an operation where it takes a function of the table in `symgraph.scalar`. Numbers go through
Python one by one: what NumPy or SciPy have under a name of their own is better taken from there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from symgraph.scalar import TABLE, ScalarFunction

__all__ = [
    "BinaryScalarOp", "GammaLn", "Psi", "ScalarOp", "UnaryScalarOp", "as_scalar_function", "same_out", "upcast_out",
    "upgrade_to_float", "upgrade_to_float_no_complex",
]


def upcast_out(*dtypes: Any) -> tuple[Any, ...]:
    """A result of the dtype that the operands are brought to."""
    joined = dtypes[0]
    for dtype in (*dtypes[1:], dtypes[0]):
        joined = np.add.resolve_dtypes((joined, dtype, None))[-1]
    return *dtypes, joined


same_out = upcast_out


def upgrade_to_float(*dtypes: Any) -> tuple[Any, ...]:
    """A result of the float, or complex number, that holds the operands."""
    joined = upcast_out(*dtypes)[-1]
    return *dtypes, np.exp.resolve_dtypes((joined, None))[-1]


def upgrade_to_float_no_complex(*dtypes: Any) -> tuple[Any, ...]:
    """A result of the float that holds the operands; complex numbers are refused."""
    result = upgrade_to_float(*dtypes)
    if result[-1].kind == "c":
        raise TypeError("complex")
    return result


class ScalarOp:
    """A function of numbers, and its gradient: subclass it, and make an operation of it with ``T.Elemwise``.

    Parameters
    ----------
    output_types_preference : callable, optional
        From the operands' dtypes to those and the result's: `upgrade_to_float`, `upcast_out`, ...; `upcast_out` unless
        given.
    name : str, optional
        The class's name unless given.

    Examples
    --------
    >>> import symgraph as sg, symgraph.tensor as T
    >>> class Cube(sg.scalar.UnaryScalarOp):
    ...     def impl(self, x):
    ...         return x ** 3
    ...     def grad(self, inputs, output_gradients):
    ...         return [3 * inputs[0] ** 2 * output_gradients[0]]
    >>> cube = T.Elemwise(Cube(sg.scalar.upgrade_to_float), name="cube")
    >>> x = T.dvector("x")
    >>> sg.grad(cube(x).sum(), x).eval({x: [1.0, 2.0]})
    array([ 3., 12.])
    """

    nin: int = -1

    def __init__(self, output_types_preference: Callable[..., tuple[Any, ...]] | None = None,
                 name: str | None = None) -> None:
        self.output_types_preference = output_types_preference or upcast_out
        self.name = name or type(self).__name__

    def impl(self, *numbers: Any) -> Any:
        """The function's value at numbers."""
        raise NotImplementedError(f"{type(self).__name__} must define impl, its function of numbers")

    def grad(self, inputs: Sequence[Any], output_gradients: Sequence[Any]) -> Sequence[Any]:
        """The gradient by each input, from symbolic inputs and the gradient by the value."""
        raise NotImplementedError(f"{type(self).__name__} must define grad to be differentiated")

    def __repr__(self) -> str:
        return self.name


class UnaryScalarOp(ScalarOp):
    """A function of one number; see `ScalarOp`."""

    nin = 1


class BinaryScalarOp(ScalarOp):
    """A function of two numbers; see `ScalarOp`."""

    nin = 2


class _OfUser(ScalarFunction):
    """The function of a user's operation on arrays."""

    def __init__(self, op: ScalarOp) -> None:
        self.op = op
        if op.nin < 1:
            raise TypeError(f"{type(op).__name__} must say how many numbers it takes: nin = ...")
        known = type(op).grad is not ScalarOp.grad
        super().__init__(op.name, self._on_arrays, nin=op.nin, types=op.output_types_preference,
                         pullback=lambda g, z, *xs: tuple(op.grad(xs, [g])) if known else (None,) * op.nin,
                         unknown=() if known else tuple(range(op.nin)))

    def _on_arrays(self, *arrays: Any) -> Any:
        dtype = self.resolve(tuple(np.asarray(a).dtype for a in arrays))[-1]
        return np.asarray(np.frompyfunc(self.op.impl, self.op.nin, 1)(*arrays)).astype(dtype)

    def __reduce__(self) -> Any:
        return as_scalar_function, (self.op,)


@cache
def _function_of(op: ScalarOp, types: Any) -> _OfUser:
    """One for equal operations, so that equal expressions are one."""
    return _OfUser(op)


def as_scalar_function(op: Any) -> ScalarFunction:
    """The function that an operation of the table, or of a user, applies to each element.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(op, ScalarFunction):
        return op
    if isinstance(op, ScalarOp):
        return _function_of(op, op.output_types_preference)
    raise TypeError(f"Elemwise takes a scalar function, such as symgraph.scalar.add or a UnaryScalarOp, not {op!r} of "
                    f"type {type(op).__name__}")


def GammaLn(output_types_preference: Any = None, name: str | None = None) -> ScalarFunction:
    """The logarithm of the gamma function: what Theano's class of this name makes."""
    return TABLE["gammaln"]


def Psi(output_types_preference: Any = None, name: str | None = None) -> ScalarFunction:
    """The digamma function: what Theano's class of this name makes."""
    return TABLE["psi"]
