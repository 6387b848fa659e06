"""The arguments of draws: sizes, dtypes, and parameters that are checked and broadcast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph.config import config
from symgraph.graph.basic import Constant, Variable
from symgraph.tensor.aliases import broadcast_shape
from symgraph.tensor.basic import as_lengths, as_tensor_variable, static_length
from symgraph.tensor.checks import Assert
from symgraph.tensor.elemwise import cast
from symgraph.tensor.specify import require_lengths

__all__ = ["checked", "fitted", "float_dtype", "holding", "number_dtype", "real", "shape_of"]


def float_dtype(who: str, dtype: Any, *parameters: Any) -> str:
    """The dtype of a continuous draw: the one asked for, or floatX, widened by what parameters are tensors of floats.

    Raises
    ------
    TypeError
        When it is not a dtype of real floats.
    """
    if dtype is None:
        found = [np.dtype(dtype) for dtype in (getattr(p, "dtype", None) for p in parameters) if dtype is not None]
        return np.result_type(config.floatX, *[kind for kind in found if kind.kind in "fc"]).name
    name = config.floatX if dtype == "floatX" else np.dtype(dtype).name
    if name not in ("float16", "float32", "float64"):
        raise TypeError(f"{who} gives real floats, not {name}")
    return name


def number_dtype(who: str, dtype: Any) -> str:
    """The dtype of a draw of integers: any of numbers."""
    name = config.floatX if dtype == "floatX" else np.dtype(dtype).name
    if np.dtype(name).kind not in "biuf":
        raise TypeError(f"{who} gives integers, of a dtype of integers or floats, not {name}")
    return name


def checked(value: Any, holds: Callable[[Any], Any], message: str) -> Any:
    """A parameter as a variable, checked: at once where it is a constant, else when the function runs.

    Raises
    ------
    ValueError
        When `holds` of it is not true throughout.
    """
    variable = as_tensor_variable(value)
    if variable.type.numpy_dtype.kind == "c":
        raise TypeError(f"the parameters of random numbers are real, not {variable.type}")
    if isinstance(variable, Constant):
        if not np.all(holds(variable.data)):
            raise ValueError(f"{message}, not {np.array2string(variable.data, threshold=6)}")
        return variable
    return Assert(message, ValueError)(variable, holds(variable))


def holding(value: Any, condition: Callable[..., Any], message: str, *others: Any) -> Any:
    """`value`, checked by a condition on it and on other variables: at once where all are constants."""
    variables = [as_tensor_variable(v) for v in (value, *others)]
    if all(isinstance(v, Constant) for v in variables):
        if not np.all(condition(*[v.data for v in variables])):
            raise ValueError(message)
        return variables[0]
    return Assert(message, ValueError)(variables[0], condition(*variables))


def real(value: Any, dtype: str) -> Any:
    """A parameter as a tensor of a dtype; constants stay constants, so that they are checked at once."""
    variable = as_tensor_variable(value)
    if variable.type.numpy_dtype.kind == "c":
        raise TypeError(f"the parameters of random numbers are real, not {variable.type}")
    if isinstance(variable, Constant) and variable.type.dtype != dtype:
        return as_tensor_variable(variable.data.astype(dtype))
    return cast(variable, dtype)


def shape_of(who: str, size: Any, ndim: int | None, *parameters: Any) -> list[Any]:
    """The lengths of a draw.

    Parameters
    ----------
    who : str
    size : None, int, sequence of int and scalar, or vector
        None takes the shape that the parameters have when broadcast together.
    ndim : int or None
        The number of dimensions, for a size of unknown length; elsewhere, a check.
    *parameters : variable

    Raises
    ------
    ValueError
        When the size has another number of dimensions, or parameters do not broadcast to it.
    TypeError
        When it is no size.
    """
    if size is None:
        lengths = as_lengths(broadcast_shape(*parameters)) if parameters else []
    elif ndim is not None and isinstance(size, Variable) and size.type.ndim == 1 and size.type.shape[0] is None:
        whole = require_lengths(size, [ndim])
        lengths = as_lengths([whole[i] for i in range(ndim)])
    else:
        lengths = as_lengths(size)
    if ndim is not None and ndim != len(lengths):
        raise ValueError(f"{who}: ndim is {ndim}, but the size has {len(lengths)} dimensions")
    return lengths


def fitted(who: str, lengths: Sequence[Any], *parameters: Any) -> list[Any]:
    """Parameters that broadcast to a shape: checked now where types show it, else at run time.

    Raises
    ------
    ValueError
        When one does not.
    """
    found = []
    for value in parameters:
        extra = len(lengths) - value.type.ndim
        known = [static_length(n) for n in lengths]
        if extra < 0 or any(None not in (n, m) and n not in (1, m)
                            for n, m in zip(value.type.shape, known[extra:], strict=True)):
            size = ["?" if n is None else str(n) for n in known]
            raise ValueError(f"{who}: a parameter of {value.type} does not broadcast to size ({', '.join(size)})")
        found.append(require_lengths(value, [lengths[extra + i] if n is None else None
                                             for i, n in enumerate(value.type.shape)]))
    return found
