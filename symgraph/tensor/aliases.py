"""Theano's names for what is called otherwise here: operations applied as ``Op(arguments)(x)``, and small functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symgraph.config import GPUS, config
from symgraph.graph.basic import Constant, Variable
from symgraph.tensor import math
from symgraph.tensor import reduce as reductions
from symgraph.tensor.basic import as_tensor_variable, get_scalar_constant_value
from symgraph.tensor.reduce import ArgReduce, Reduce
from symgraph.tensor.shape import flatten, lengths_of
from symgraph.tensor.sort import argsort, take_along_axis
from symgraph.tensor.specify import addbroadcast
from symgraph.tensor.type import broadcast_static_shapes

__all__ = [
    "Argmax", "CpuContiguous", "Flatten", "MaxAndArgmax", "Rebroadcast", "broadcast_shape",
    "cpu_contiguous", "extract_constant", "jn", "permute_row_elements", "scalar_from_tensor", "tensor_from_scalar",
    "transfer",
]

# ---- operations as classes -------------------------------------------------------------------------------------


class _OfKind(type):
    """The class of reductions of one kind: ``isinstance(op, Sum)`` asks whether `op` is one."""

    kind: str

    def __instancecheck__(cls, op: object) -> bool:
        return isinstance(op, Reduce) and op.kind == cls.kind

    def __call__(cls, axis: Any = None, dtype: Any = None, acc_dtype: Any = None) -> Callable[[Any], Any]:
        """What reduces over the axes: ``Sum(axis=0)(x)``."""
        options = {name: value for name, value in (("dtype", dtype), ("acc_dtype", acc_dtype)) if value is not None}
        return lambda x: getattr(reductions, cls.kind)(x, axis=axis, **options)


#: The names of `theano.tensor.elemwise` for reductions.
REDUCTIONS: dict[str, Any] = {
    name: _OfKind(name, (), {"kind": name.lower(), "__doc__": f"Reductions by `{name.lower()}`."})
    for name in ("Sum", "Prod", "Max", "Min", "All", "Any")
}


class Argmax:
    """``Argmax(axis)(x)`` is `argmax` along an axis; all axes when there is none."""

    def __new__(cls, axis: Any = None) -> Any:
        return lambda x: reductions.argmax(x, _one_axis(axis))

    @staticmethod
    def made(op: object) -> bool:
        """Whether an operation is one."""
        return isinstance(op, ArgReduce) and op.kind == "argmax"


def _one_axis(axis: Any) -> Any:
    return axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis


class MaxAndArgmax:
    """``MaxAndArgmax(axis)(x)`` is `max_and_argmax` along an axis; all axes when there is none."""

    def __new__(cls, axis: Any = None) -> Any:
        return lambda x: list(reductions.max_and_argmax(x, _one_axis(axis)))


class Flatten:
    """``Flatten(n)(x)`` joins the trailing axes, leaving `n`."""

    def __new__(cls, outdim: int = 1) -> Any:
        return lambda x: flatten(x, outdim)


class Rebroadcast:
    """``Rebroadcast((0, True), (1, False))(x)`` claims length 1 for the axes marked True; others stay as they are."""

    def __new__(cls, *axis: tuple[int, bool]) -> Any:
        return lambda x: addbroadcast(x, *(place for place, claimed in axis if claimed))


class CpuContiguous:
    """``CpuContiguous()(x)`` is a copy of `x`, whose elements lie in memory in order."""

    def __new__(cls) -> Any:
        return math.tensor_copy


cpu_contiguous = math.tensor_copy

# ---- functions -------------------------------------------------------------------------------------------------

#: Bessel's function of the first kind; SciPy and Theano use this name for orders that are integers.
jn = math.jv


def extract_constant(x: Any, elemwise: bool = True, only_process_constants: bool = False) -> Any:
    """The number an expression is known to be, or the expression.

    Parameters
    ----------
    x : tensor-like
    elemwise : bool
        Accepted for programs that pass it.
    only_process_constants : bool
        Look at constants alone, not at what they are stretched or copied by.

    Examples
    --------
    >>> int(extract_constant(as_tensor_variable(3)))
    3
    """
    from symgraph.errors import NotScalarConstantError

    if only_process_constants and not isinstance(x, Constant):
        return x
    try:
        return get_scalar_constant_value(x)
    except NotScalarConstantError:
        return x


def tensor_from_scalar(s: Any) -> Any:
    """A number as a tensor without axes: scalars are nothing else here."""
    return _scalar(s, "tensor_from_scalar")


def scalar_from_tensor(t: Any) -> Any:
    """A tensor without axes as a scalar: the same here."""
    return _scalar(t, "scalar_from_tensor")


def _scalar(x: Any, who: str) -> Any:
    variable = as_tensor_variable(x)
    if variable.type.ndim:
        raise TypeError(f"{who} takes a scalar, not {variable.type}")
    return variable


def permute_row_elements(x: Any, y: Any, inverse: bool = False) -> Any:
    """The elements of each row (along the last axis) in another order.

    Parameters
    ----------
    x : tensor-like
        Of at least one dimension.
    y : integer tensor-like
        For each place, which element comes there: one permutation for all rows, or one for each.
    inverse : bool
        Put the elements back where the permutation took them from.

    Raises
    ------
    TypeError
        When `y` does not hold integers.
    ValueError
        For a scalar.

    Examples
    --------
    >>> permute_row_elements([[1, 2, 3]], [2, 0, 1]).eval()
    array([[3, 1, 2]])
    """
    rows, order = as_tensor_variable(x), as_tensor_variable(y)
    if rows.type.ndim == 0 or order.type.ndim == 0:
        raise ValueError(f"permute_row_elements takes rows and permutations, not {rows.type} and {order.type}")
    if order.type.numpy_dtype.kind not in "iu":
        raise TypeError(f"permute_row_elements: a permutation holds integers, not {order.type}")
    order = argsort(order, axis=-1) if inverse else order
    if order.type.ndim == 1:
        return rows[(..., order)]
    ndim = max(rows.type.ndim, order.type.ndim)
    rows, order = (v.dimshuffle(["x"] * (ndim - v.type.ndim) + list(range(v.type.ndim))) for v in (rows, order))
    return take_along_axis(rows, order, -1)


def broadcast_shape(*arrays: Any, arrays_are_shapes: bool = False) -> tuple[Any, ...]:
    """The lengths of the axes that tensors have when they are broadcast together.

    Parameters
    ----------
    *arrays : tensor-like
    arrays_are_shapes : bool
        They are sequences of lengths instead.

    Returns
    -------
    tuple
        A Python integer where a length is known, else a scalar variable.

    Raises
    ------
    ValueError
        When known lengths do not fit together.

    Examples
    --------
    >>> broadcast_shape([[1], [2]], [1, 2, 3])
    (2, 3)
    """
    if arrays_are_shapes:
        shapes = [[n if isinstance(n, Variable) else int(n) for n in shape] for shape in arrays]
    else:
        variables = [as_tensor_variable(a) for a in arrays]
        shapes = [lengths_of(v) for v in variables]
    known = broadcast_static_shapes(
        [tuple(None if isinstance(n, Variable) else n for n in shape) for shape in shapes], "broadcast_shape")
    found: list[Any] = []
    for axis in range(-len(known), 0):
        meeting = [shape[axis] for shape in shapes if len(shape) >= -axis]
        length = known[axis]
        found.append(next(n for n in meeting if isinstance(n, Variable)) if length is None else length)
    return tuple(found)


def transfer(var: Any, target: str | None) -> Any:
    """A tensor in the memory of a device, as ``var.transfer(target)``; `var` for None.

    Raises
    ------
    ValueError
        For a target functions do not run on.
    """
    if target is not None and config.device in GPUS:
        return as_tensor_variable(var).transfer(target)
    if target not in (None, "cpu"):
        raise ValueError(f"transfer: there is no target {target!r}; the backend decides where a function computes")
    return as_tensor_variable(var)
