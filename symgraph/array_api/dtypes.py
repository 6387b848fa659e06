"""Data types of the array API standard, and functions of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph.array_api.array import Array
from symgraph.config import config
from symgraph.graph.basic import Variable
from symgraph.graph.frozen import frozen
from symgraph.tensor.elemwise import cast

__all__ = [
    "DTYPES", "as_dtype", "astype", "bool", "can_cast", "complex64", "complex128", "default_float", "finfo", "float32",
    "float64", "iinfo", "int8", "int16", "int32", "int64", "isdtype", "result_type", "uint8", "uint16", "uint32",
    "uint64",
]

bool = np.dtype("bool")
int8, int16, int32, int64 = map(np.dtype, ("int8", "int16", "int32", "int64"))
uint8, uint16, uint32, uint64 = map(np.dtype, ("uint8", "uint16", "uint32", "uint64"))
float32, float64 = map(np.dtype, ("float32", "float64"))
complex64, complex128 = map(np.dtype, ("complex64", "complex128"))

#: Those of the standard, by name.
DTYPES: dict[str, np.dtype[Any]] = {str(kind): kind for kind in (
    bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64, complex64, complex128)}


def default_float() -> np.dtype[Any]:
    """The dtype of floats that nothing says the dtype of: `config.floatX`."""
    return np.dtype(config.floatX)


def as_dtype(dtype: Any) -> str | None:
    """The name of a dtype, or None for None."""
    return None if dtype is None else np.dtype(dtype).name


def astype(x: Array, dtype: Any, /, *, copy: Any = True, device: Any = None) -> Array:
    """Convert the elements to another dtype.

    Raises
    ------
    TypeError
        When complex numbers would become real: take ``real(x)`` or ``abs(x)``.
    """
    check_device(device)
    return Array(cast(x.variable, dtype))


def check_device(device: Any) -> None:
    """Raise for a device other than the one there is."""
    if device not in (None, "cpu"):
        raise ValueError(f"arrays live on 'cpu', not on {device!r}")


def _dtype_of(value: Any) -> Any:
    if isinstance(value, Array):
        return value.dtype
    return value.type.numpy_dtype if isinstance(value, Variable) else value


def can_cast(from_: Any, to: Any, /) -> Any:
    """Whether promotion turns a dtype, or that of an array, into another."""
    return np.can_cast(_dtype_of(from_), to)


def result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    """The dtype that arrays, dtypes and Python's numbers are promoted to: NumPy 2's rules, which are the standard's."""
    if not arrays_and_dtypes:
        raise ValueError("result_type takes at least one array or dtype")
    return np.result_type(*map(_dtype_of, arrays_and_dtypes))


def isdtype(dtype: Any, kind: Any) -> Any:
    """Whether a dtype is of a kind: a dtype, a name of several ("integral", "real floating", ...), or a tuple."""
    return np.isdtype(dtype, kind)


@frozen
class FloatInfo:
    """What `finfo` says: of a complex dtype, that of its parts."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: np.dtype[Any]


@frozen
class IntegerInfo:
    """What `iinfo` says."""

    bits: int
    max: int
    min: int
    dtype: np.dtype[Any]


def finfo(type: Any, /) -> FloatInfo:
    """The limits of a floating dtype, or of an array's."""
    found: Any = np.finfo(_dtype_of(type))
    return FloatInfo(int(found.bits), float(found.eps), float(found.max), float(found.min),
                     float(found.smallest_normal), np.dtype(found.dtype))


def iinfo(type: Any, /) -> IntegerInfo:
    """The limits of an integer dtype, or of an array's."""
    found: Any = np.iinfo(_dtype_of(type))
    return IntegerInfo(int(found.bits), int(found.max), int(found.min), np.dtype(found.dtype))
