"""Constants, and turning Python and NumPy values into tensor variables; creation of tensors of given shapes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from symgraph.config import config
from symgraph.errors import NotScalarConstantError
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import DisconnectedType
from symgraph.tensor.elemwise import TensorOp, cast
from symgraph.tensor.foreign import lent_array
from symgraph.tensor.type import TensorType, dtype_name, tensor_type
from symgraph.tensor.variable import TensorConstant

__all__ = [
    "ARange", "Alloc", "Eye", "alloc", "arange", "as_tensor", "as_tensor_variable", "constant", "empty", "eye", "full",
    "full_like", "get_scalar_constant_value", "identity", "identity_like", "number_constant", "ones", "ones_like",
    "zeros", "zeros_like",
]


def constant(x: Any, name: str | None = None, ndim: int | None = None, dtype: Any = None) -> Any:
    """A tensor constant.

    Parameters
    ----------
    x : array-like
        A Python float becomes floatX and a Python integer int64, unless `dtype` says otherwise; arrays keep theirs.
    name : str, optional
    ndim : int, optional
        The rank it must have; missing axes are added in front.
    dtype : str or numpy.dtype, optional

    Returns
    -------
    TensorConstant

    Raises
    ------
    TypeError
        When `x` is not an array of numbers.
    """
    if isinstance(x, TensorConstant) and dtype is None:
        return x
    if (dtype is None and _only_python_floats(x)) or dtype == "floatX":
        dtype = config.floatX
    try:
        data = np.array(lent_array(x), dtype=dtype)  # a copy: a constant must not change when the user's array does
    except ValueError as error:
        raise TypeError(f"cannot make a tensor constant of {type(x).__name__}: {error}") from None
    if data.dtype.kind not in "biufc":
        raise TypeError(
            f"cannot make a tensor constant of {type(x).__name__} {_clip_repr(x)}: it is not an array of numbers"
        )
    if ndim is not None:
        if data.ndim > ndim:
            raise ValueError(f"a constant of shape {data.shape} has more than {ndim} dimensions")
        data = data.reshape((1,) * (ndim - data.ndim) + data.shape)
    return array_constant(data, name)


def _only_python_floats(x: Any) -> bool:
    """Whether `x` is a Python float, or nested lists in which no NumPy value says a dtype."""
    if isinstance(x, (list, tuple)):
        return any(_only_python_floats(v) for v in x) and not any(isinstance(v, (np.generic, np.ndarray)) for v in x)
    return type(x) is float


def _clip_repr(x: Any) -> str:
    text = repr(x)
    return text if len(text) <= 60 else text[:57] + "..."


def array_constant(data: np.ndarray[Any, Any], name: str | None = None) -> TensorConstant:
    """A constant over an array nobody else may change."""
    data.setflags(write=False)
    return TensorConstant(tensor_type(dtype_name(data.dtype), data.shape), data, name)


@lru_cache(maxsize=4096)
def _number(value: Any, sign: bool, dtype: np.dtype[Any]) -> TensorConstant:
    return array_constant(np.array(value, dtype))


def number_constant(value: np.ndarray[Any, Any]) -> TensorConstant:
    """A 0-d constant; equal numbers share one."""
    dtype, number = value.dtype, value.item()
    if dtype.kind == "c" or number != number:
        return array_constant(np.array(value))
    return _number(number, number == 0 and dtype.kind == "f" and bool(np.signbit(value)), dtype)


def as_tensor_variable(x: Any, name: str | None = None, ndim: int | None = None, dtype: Any = None) -> Any:
    """Turn anything that stands for a tensor into a tensor variable.

    Parameters
    ----------
    x : Variable, Apply, array-like, or nested sequence of these
        A sequence that holds symbolic values is stacked.
    name : str, optional
        For a constant made here.
    ndim : int, optional
        The rank wanted; missing axes are added in front.
    dtype : str, optional
        For a constant made here.

    Returns
    -------
    TensorVariable

    Raises
    ------
    TypeError
        When `x` stands for no tensor.
    ValueError
        When it has more than `ndim` dimensions.
    """
    if isinstance(x, Apply):
        if len(x.outputs) != 1:
            raise ValueError(f"{x.op} has {len(x.outputs)} outputs; say which one is meant")
        x = x.outputs[0]
    if isinstance(x, Variable):
        if not isinstance(x.type, TensorType):
            raise TypeError(f"{x} is not a tensor but of type {x.type}")
        return _with_ndim(x, ndim)
    if getattr(x, "lift_op", None) is not None:
        return x  # a pattern of a rewrite rule
    if isinstance(x, (list, tuple)) and _holds_symbolic(x):
        from symgraph.tensor.join import stack

        return _with_ndim(stack([as_tensor_variable(v) for v in x]), ndim)
    return constant(x, name=name, ndim=ndim, dtype=dtype)


as_tensor = as_tensor_variable


def _holds_symbolic(x: Any) -> bool:
    return isinstance(x, Variable) or (isinstance(x, (list, tuple)) and any(_holds_symbolic(v) for v in x))


def _with_ndim(x: Any, ndim: int | None) -> Any:
    if ndim is None or x.type.ndim == ndim:
        return x
    if x.type.ndim > ndim:
        raise ValueError(f"{x} has {x.type.ndim} dimensions, more than {ndim}")
    from symgraph.tensor.dimshuffle import shape_padleft

    return shape_padleft(x, ndim - x.type.ndim)


def get_scalar_constant_value(v: Any) -> np.ndarray[Any, Any]:
    """The value of an expression that is one number, known now.

    Raises
    ------
    NotScalarConstantError
        When it is not.
    """
    from symgraph.tensor.dimshuffle import DimShuffle

    if isinstance(v, Constant):
        value = getattr(v, "uniform_value", None)
        if value is not None:
            return np.asarray(value)
    elif not isinstance(v, Variable):
        array = np.asarray(v)
        if array.ndim == 0 and array.dtype.kind in "biufc":
            return array
    elif v.owner is not None and (isinstance(v.owner.op, (Alloc, DimShuffle)) or str(v.owner.op) == "second"):
        return get_scalar_constant_value(v.owner.inputs[1 if str(v.owner.op) == "second" else 0])
    raise NotScalarConstantError(f"{v} is not a constant scalar")


# ---- shapes as arguments ---------------------------------------------------------------------------------------


def as_lengths(shape: Any) -> list[Any]:
    """A shape argument (a number, a sequence, or a symbolic vector of known length) as a list of 0-d integers."""
    if isinstance(shape, Variable):
        if shape.type.ndim == 0:
            shape = [shape]
        elif shape.type.ndim == 1:
            from symgraph.tensor.shape import vector_entries

            shape = vector_entries(shape)
        else:
            raise TypeError(f"a shape is a vector of integers, not {shape.type}")
    elif isinstance(shape, (int, np.integer)):
        shape = [shape]
    lengths = []
    for length in np.asarray(shape).tolist() if isinstance(shape, np.ndarray) else shape:
        if isinstance(length, (int, np.integer)) and length < 0:
            raise ValueError(f"negative dimension {length} in a shape")
        variable = as_tensor_variable(np.asarray(length, "int64") if isinstance(length, (int, np.integer)) else length)
        if variable.type.ndim != 0 or not variable.type.is_discrete:
            raise TypeError(f"a shape holds integers, not {variable} of type {variable.type}")
        lengths.append(cast(variable, "int64"))
    return lengths


def static_length(variable: Any) -> int | None:
    """The value of a 0-d integer where it is a constant, else None."""
    return int(variable.data) if isinstance(variable, Constant) else None


@frozen(repr=False)
class Alloc(TensorOp):
    """A value, broadcast to a shape: a new array."""

    # The static shape is made of the *values* of constant inputs, so it is worked out per node, not per type.
    def make_node(self, value: Any, *lengths: Any) -> Apply:
        value = as_tensor_variable(value)
        lengths = tuple(as_lengths(lengths))
        shape = tuple(static_length(n) for n in lengths)
        if value.type.ndim > len(shape):
            raise ValueError(f"alloc: a value of {value.type.ndim} dimensions does not fit into {len(shape)}")
        merged = []
        for known, mine in zip(shape, (1,) * (len(shape) - value.type.ndim) + value.type.shape, strict=True):
            if known is not None and mine not in (None, 1) and known != mine:
                raise ValueError(f"alloc: a value of shape {value.type.shape} does not fit into {shape}")
            merged.append(known if known is not None or mine == 1 else mine)
        return Apply(self, [value, *lengths], [tensor_type(value.type.dtype, tuple(merged))])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        value, *lengths = inputs
        out = np.empty([int(n) for n in lengths], node.outputs[0].type.numpy_dtype)
        out[...] = value
        output_storage[0][0] = out

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[i == 0] for i in range(len(node.inputs))]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [tuple(node.inputs[1:])]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        from symgraph.tensor.reduce import sum as tensor_sum

        value, g = inputs[0], output_gradients[0]
        extra = g.type.ndim - value.type.ndim
        # An axis that is not known to be 1 was not stretched.
        axes = [axis for axis in range(extra, g.type.ndim) if value.type.shape[axis - extra] == 1]
        if axes:
            g = tensor_sum(g, axis=axes, keepdims=True)
        if extra:
            g = tensor_sum(g, axis=list(range(extra)))
        return [g, *(DisconnectedType()() for _ in inputs[1:])]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self(eval_points[0], *inputs[1:])]


def alloc(value: Any, *shape: Any) -> Any:
    """A new tensor of a shape, filled by broadcasting `value`.

    Parameters
    ----------
    value : tensor-like
    *shape : int or scalar integer variable
        One length for each axis.

    Raises
    ------
    ValueError
        When `value` does not broadcast to the shape.
    """
    if len(shape) == 1 and (
        isinstance(shape[0], (list, tuple)) or getattr(getattr(shape[0], "type", None), "ndim", 0) == 1
    ):
        shape = tuple(as_lengths(shape[0]))
    return Alloc()(_fitting(as_tensor_variable(value), as_lengths(shape)), *shape)


def _fitting(value: Any, lengths: list[Any]) -> Any:
    """The value, checked at run time where its type leaves open whether it would have to be stretched."""
    from symgraph.tensor.specify import require_lengths

    extra = len(lengths) - value.type.ndim
    if extra < 0:
        return value  # refused by the operation
    return require_lengths(value, [lengths[extra + i] if n is None else None for i, n in enumerate(value.type.shape)])


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """A new tensor of a shape, filled with a value."""
    value = as_tensor_variable(fill_value)
    return alloc(value if dtype is None else cast(value, dtype), *as_lengths(shape))


def zeros(shape: Any = (), dtype: Any = None) -> Any:
    """Zeros of a shape; floatX unless a dtype is given."""
    return full(shape, np.zeros((), _dtype_name(dtype)))


def ones(shape: Any = (), dtype: Any = None) -> Any:
    """Ones of a shape; floatX unless a dtype is given."""
    return full(shape, np.ones((), _dtype_name(dtype)))


empty = zeros


def _dtype_name(dtype: Any, default: str | None = None) -> str:
    return dtype_name(np.dtype(default or config.floatX if dtype is None or dtype == "floatX" else dtype))


def full_like(x: Any, fill_value: Any, dtype: Any = None, opt: bool = False) -> Any:
    """A value in the shape of `x`, and of its dtype unless another is given."""
    variable = as_tensor_variable(x)
    if not isinstance(variable, Variable):
        raise TypeError(f"full_like takes a tensor, not {x!r}")
    name = _dtype_name(dtype, variable.type.dtype)
    if isinstance(fill_value, Variable):
        value: Any = cast(fill_value, name)
    else:
        value = number_constant(np.asarray(fill_value, name))
    if variable.type.ndim == 0:
        return value
    return Alloc()(value, *_lengths_of(variable))


def _lengths_of(x: Any) -> list[Any]:
    from symgraph.tensor.shape import shape_i

    return [shape_i(x, axis) for axis in range(x.type.ndim)]


def zeros_like(model: Any, dtype: Any = None, opt: bool = False) -> Any:
    """Zeros of the shape of `model`, and of its dtype unless another is given."""
    return full_like(model, 0, dtype)


def ones_like(model: Any, dtype: Any = None, opt: bool = False) -> Any:
    """Ones of the shape of `model`, and of its dtype unless another is given."""
    return full_like(model, 1, dtype)


@frozen(repr=False)
class ARange(TensorOp):
    """Evenly spaced values from start to stop.

    Parameters
    ----------
    dtype : str
    """

    dtype: str

    def make_node(self, *inputs: Any) -> Apply:
        start, stop, step = map(as_tensor_variable, inputs)
        for v in (start, stop, step):
            if v.type.ndim != 0:
                raise TypeError(f"arange takes scalars, not {v} of type {v.type}")
        known = None
        if all(isinstance(v, Constant) for v in (start, stop, step)):
            known = len(np.arange(start.data, stop.data, step.data))
        return Apply(self, [start, stop, step], [tensor_type(self.dtype, (known,))])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        start, stop, step = inputs
        output_storage[0][0] = np.arange(start, stop, step, dtype=self.dtype)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[not node.inputs[0].type.is_discrete], [False], [not node.inputs[2].type.is_discrete]]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        from symgraph.tensor import math
        from symgraph.tensor.shape import ShapeI

        start, stop, step = node.inputs
        if static_length(start) == 0 and static_length(step) == 1 and stop.type.is_discrete:
            if stop.owner is not None and isinstance(stop.owner.op, ShapeI):  # never negative
                return [(stop,)]
            return [(math.maximum(cast(stop, "int64"), 0),)]
        return [(math.maximum(cast(math.ceil((cast(stop, "float64") - start) / step), "int64"), 0),)]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        from symgraph.tensor.reduce import sum as tensor_sum

        g = output_gradients[0]
        if outputs[0].type.is_discrete:
            return [x.type.zeros_like(x) for x in inputs]
        steps = cast(ARange("int64")(0, outputs[0].shape[0], 1), g.type.dtype)
        return [tensor_sum(g), DisconnectedType()(), tensor_sum(g * steps)]


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    """Evenly spaced values in ``[start, stop)``, as `numpy.arange`.

    Parameters
    ----------
    start, stop, step : scalar
        With one argument, the values run from 0.
    dtype : str, optional
        By default that of the arguments: int64 for integers.

    Raises
    ------
    TypeError
        When an argument is not a scalar.

    Examples
    --------
    >>> arange(3).eval()
    array([0, 1, 2])
    """
    if stop is None:
        start, stop = 0, start
    start, stop, step = map(as_tensor_variable, (start, stop, step))
    if dtype is None:
        kinds = [v.type.numpy_dtype for v in (start, stop, step)]
        dtype = np.result_type("int64", *kinds) if all(k.kind in "iub" for k in kinds) else np.result_type(
            *(k for k in kinds if k.kind not in "iub"))
    if isinstance(step, Constant) and step.type.ndim == 0 and step.data == 0:
        kind: type[Exception] = ZeroDivisionError if np.dtype(dtype).kind in "iu" else ValueError  # as NumPy
        raise kind("arange: a step of 0 leads nowhere")
    return ARange(_dtype_name(dtype))(start, stop, step)


@frozen(repr=False)
class Eye(TensorOp):
    """Ones on a diagonal, zeros elsewhere.

    Parameters
    ----------
    dtype : str
    """

    dtype: str

    def make_node(self, *inputs: Any) -> Apply:
        (rows, columns), offset = as_lengths(inputs[:2]), cast(as_tensor_variable(inputs[2]), "int64")
        kind = tensor_type(self.dtype, (static_length(rows), static_length(columns)))
        return Apply(self, [rows, columns, offset], [kind])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        rows, columns, offset = map(int, inputs)
        output_storage[0][0] = np.eye(rows, columns, offset, dtype=self.dtype)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[False]] * 3

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [(node.inputs[0], node.inputs[1])]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [DisconnectedType()() for _ in inputs]


def eye(n: Any, m: Any = None, k: Any = 0, dtype: Any = None) -> Any:
    """A matrix of `n` rows and `m` columns (`n` unless given) with ones on the `k`-th diagonal."""
    return Eye(_dtype_name(dtype))(n, n if m is None else m, k)


def identity(n: Any, dtype: Any = None) -> Any:
    """The identity matrix of `n` rows, as `numpy.identity`.

    Examples
    --------
    >>> identity(2, "int64").eval()
    array([[1, 0],
           [0, 1]])
    """
    return eye(n, dtype=dtype)


def identity_like(x: Any, dtype: Any = None) -> Any:
    """The identity matrix in the shape of the matrix `x`."""
    variable = as_tensor_variable(x)
    if variable.type.ndim != 2:
        raise TypeError(f"identity_like takes a matrix, not {variable.type}")
    return eye(variable.shape[0], variable.shape[1], dtype=dtype or variable.type.dtype)


def __getattr__(name: str) -> Any:
    """Theano keeps most functions of tensors in this module: whatever is public among them is found here too."""
    if not name.startswith("__"):  # each import from here within a function asks for __path__
        import symgraph.tensor

        if name in getattr(symgraph.tensor, "__all__", ()):
            return getattr(symgraph.tensor, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
