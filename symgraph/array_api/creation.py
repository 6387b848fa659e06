"""Functions of the array API standard that make arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph.array_api.array import Array, unwrap, variable_of
from symgraph.array_api.dtypes import as_dtype, check_device, default_float
from symgraph.graph.basic import Variable
from symgraph.tensor import basic, extra_ops, grids
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.elemwise import cast
from symgraph.tensor.math import tensor_copy

__all__ = [
    "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "linspace", "meshgrid",
    "ones", "ones_like", "tril", "triu", "zeros", "zeros_like",
]


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: Any = None) -> Array:
    """An array of a symbolic variable, or of values.

    Parameters
    ----------
    obj : TensorVariable, Array, number, nested sequence, or array of any library
        A variable stays symbolic: this is how arrays depend on the inputs of a function. Values become constants.
        Sequences may hold arrays.
    dtype : dtype, optional
        By default that of `obj`; of Python's floats `config.floatX`, of its integers int64.
    device : {'cpu'}, optional
    copy : bool, optional
        True makes an array that does not change when `obj` is assigned to. False never copies values, which is
        possible of variables and arrays alone.

    Raises
    ------
    TypeError
        When `obj` is no array of numbers.
    ValueError
        For ``copy=False`` where a copy is needed.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> x = asarray(T.matrix("x", shape=(None, 3)))
    >>> x.shape
    (None, 3)
    """
    check_device(device)
    if isinstance(obj, (Array, Variable)):
        variable = obj.variable if isinstance(obj, Array) else as_tensor_variable(obj)
        converted = variable if dtype is None else cast(variable, dtype)
        if copy is False and converted is not variable:
            raise ValueError(f"an array of {variable.type.dtype} cannot become {np.dtype(dtype)} without a copy")
        return Array(tensor_copy(converted) if copy and converted is variable else converted)
    if copy is False:
        raise ValueError(f"a constant keeps a copy of the {type(obj).__name__} it is made of: leave copy=False out")
    if isinstance(obj, (list, tuple)) and _holds_arrays(obj):
        variable = _nested(obj)
        return Array(variable if dtype is None else cast(variable, dtype))
    return Array(basic.constant(obj, dtype=as_dtype(dtype)))


def _holds_arrays(obj: Any) -> bool:
    return any(isinstance(v, (Array, Variable)) or (isinstance(v, (list, tuple)) and _holds_arrays(v)) for v in obj)


def _nested(obj: Any) -> Any:
    from symgraph.tensor.join import stack

    return stack([_nested(v) if isinstance(v, (list, tuple)) else variable_of(v) for v in obj])


def from_dlpack(x: Any, /, *, device: Any = None, copy: Any = None) -> Array:
    """A constant of the values that another library's array lends by DLPack; an array of ours is itself."""
    check_device(device)
    if isinstance(x, Array):
        return asarray(x, copy=copy)
    if not hasattr(x, "__dlpack__"):
        raise TypeError(f"from_dlpack takes an array with __dlpack__, not {type(x).__name__}: use asarray")
    return asarray(np.from_dlpack(x), copy=copy)


def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None) -> Array:
    """The numbers from `start` (0 when only one is given) up to `stop`, which is not among them."""
    check_device(device)
    start, stop, step = map(unwrap, (start, stop, step))
    if dtype is None and any(isinstance(v, float) for v in (start, stop, step)):
        dtype = default_float()
    return Array(basic.arange(start, stop, step, dtype=as_dtype(dtype)))


def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """An array whose elements mean nothing; here they are 0."""
    return zeros(shape, dtype=dtype, device=device)


def empty_like(x: Array, /, *, dtype: Any = None, device: Any = None) -> Array:
    """`empty` in the shape and dtype of another array."""
    return zeros_like(x, dtype=dtype, device=device)


def eye(n_rows: Any, n_cols: Any = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Array:
    """A matrix of ones on a diagonal, else zeros."""
    check_device(device)
    return Array(basic.eye(unwrap(n_rows), unwrap(n_cols), unwrap(k), dtype=as_dtype(dtype) or default_float().name))


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """An array of one number."""
    check_device(device)
    value = variable_of(fill_value)
    return Array(basic.full(_shape(shape), value if dtype is None else cast(value, dtype), as_dtype(dtype)))


def full_like(x: Array, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """`full` in the shape and dtype of another array."""
    check_device(device)
    return Array(basic.full_like(x.variable, unwrap(fill_value), as_dtype(dtype) or x.dtype.name))


def linspace(start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None,
             endpoint: bool = True) -> Array:
    """`num` numbers at equal distances from `start` to `stop`, which is the last unless `endpoint` is False."""
    check_device(device)
    ends = unwrap(start), unwrap(stop)
    if dtype is None:
        dtype = np.result_type(default_float(), np.complex64) if any(
            isinstance(v, complex) for v in ends) else default_float()
    return Array(grids.linspace(*ends, num=num, endpoint=endpoint, dtype=as_dtype(dtype)))


def meshgrid(*arrays: Array, indexing: str = "xy") -> tuple[Array, ...]:
    """The coordinates of a grid, of those of its axes."""
    found = grids.meshgrid(*map(unwrap, arrays), indexing=indexing)
    return tuple(map(Array, found))


def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """Ones of a shape, which may hold symbolic lengths."""
    check_device(device)
    return Array(basic.ones(_shape(shape), as_dtype(dtype) or default_float().name))


def ones_like(x: Array, /, *, dtype: Any = None, device: Any = None) -> Array:
    """Ones in the shape and dtype of another array."""
    check_device(device)
    return Array(basic.ones_like(x.variable, as_dtype(dtype)))


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """Zeros of a shape, which may hold symbolic lengths."""
    check_device(device)
    return Array(basic.zeros(_shape(shape), as_dtype(dtype) or default_float().name))


def zeros_like(x: Array, /, *, dtype: Any = None, device: Any = None) -> Array:
    """Zeros in the shape and dtype of another array."""
    check_device(device)
    return Array(basic.zeros_like(x.variable, as_dtype(dtype)))


def _shape(shape: Any) -> Any:
    found = unwrap(shape)
    return found if isinstance(found, (list, tuple, Variable)) else (found,)


def tril(x: Array, /, *, k: int = 0) -> Array:
    """The matrices in the last two axes, with zeros above diagonal `k`."""
    return Array(extra_ops.tril(x.variable, k))


def triu(x: Array, /, *, k: int = 0) -> Array:
    """The matrices in the last two axes, with zeros below diagonal `k`."""
    return Array(extra_ops.triu(x.variable, k))
