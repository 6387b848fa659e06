"""Whether tensors are the same, and functions chosen by conditions, as NumPy's functions of the same names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import Type
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.elemwise import TensorOp, cast, elemwise
from symgraph.tensor.type import TensorType, tensor_type

__all__ = ["array_equal", "array_equiv", "piecewise"]


@frozen(repr=False)
class SameElements(TensorOp):
    """Whether two tensors have the same shape, or shapes that broadcast, and the same elements.

    Parameters
    ----------
    broadcast : bool
    equal_nan : bool
    """

    broadcast: bool
    equal_nan: bool = False

    def infer_type(self, *types: Type) -> Sequence[Type]:
        assert all(isinstance(kind, TensorType) for kind in types)
        return (tensor_type("bool", ()),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        a, b = inputs
        same = np.array_equiv(a, b) if self.broadcast else np.array_equal(a, b, equal_nan=self.equal_nan)
        output_storage[0][0] = np.asarray(same)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [()]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [x.type.zeros_like(x) for x in inputs]

    def __repr__(self) -> str:
        return "array_equiv" if self.broadcast else "array_equal"


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """Whether two tensors have the same shape and elements, as `numpy.array_equal`: a scalar boolean.

    Examples
    --------
    >>> bool(array_equal([1, 2], [1, 2, 3]).eval())
    False
    """
    return SameElements(False, bool(equal_nan))(as_tensor_variable(a1), as_tensor_variable(a2))


def array_equiv(a1: Any, a2: Any) -> Any:
    """Whether the shapes of two tensors broadcast, by their values, and the elements are equal then.

    Examples
    --------
    >>> bool(array_equiv([1, 1], 1).eval())
    True
    """
    return SameElements(True)(as_tensor_variable(a1), as_tensor_variable(a2))


def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """At each place the function whose condition holds there, the last one where several do, as `numpy.piecewise`.

    Parameters
    ----------
    x : tensor-like
    condlist : condition, or sequence of conditions
        Booleans of the shape of `x`.
    funclist : sequence of callable or number
        One for each condition, and maybe one more for where none holds; there it is 0 otherwise. Functions take the
        whole of `x`.
    *args, **kw
        Passed on to the functions.

    Raises
    ------
    ValueError
        When there are not as many functions as conditions, or one more.

    Examples
    --------
    >>> a = as_tensor_variable([-2.0, 3.0])
    >>> piecewise(a, [a < 0, a >= 0], [lambda v: -v, 10.0]).eval()
    array([ 2., 10.])
    """
    value = as_tensor_variable(x)
    conditions = list(condlist) if isinstance(condlist, (list, tuple)) else [condlist]
    functions: list[Callable[..., Any] | Any] = list(funclist)
    if len(functions) == len(conditions):
        functions.append(0)
    if len(functions) != len(conditions) + 1:
        raise ValueError(f"piecewise: {len(functions)} functions for {len(conditions)} conditions; one more says what "
                         "holds elsewhere")
    dtype = value.type.dtype

    def at(function: Any) -> Any:
        return cast(as_tensor_variable(function(value, *args, **kw) if callable(function) else function), dtype)

    result = elemwise(scalar.second)(value, at(functions[-1]))
    for condition, function in zip(conditions, functions, strict=False):
        result = elemwise(scalar.switch)(condition, at(function), result)
    return result
