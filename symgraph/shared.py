"""Shared variables: state that lives outside any one call and is seen by all functions that use it."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import numpy as np

from symgraph.config import config
from symgraph.graph.basic import Variable
from symgraph.graph.origin import current_origin
from symgraph.graph.type import Type
from symgraph.tensor.type import TensorType, tensor_type
from symgraph.tensor.variable import TensorVariable

__all__ = ["ScalarSharedVariable", "SharedVariable", "Storage", "TensorSharedVariable", "shared"]


_serials = itertools.count()


class Storage:
    """Where the value of a shared variable lives.

    The array in ``value`` is replaced, never written to while anybody else can see it; so a reader that took it keeps
    a consistent value. ``lock`` is held by whoever computes a new value from the old.
    """

    __slots__ = ("lock", "serial", "spare", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.serial = next(_serials)  # locks are taken in this order
        self.spare: Any = None  # the array of the value before the present one, to compute the next into
        self.lock = threading.RLock()


class SharedVariable(Variable):
    """A variable with a value of its own, kept between calls.

    Attributes
    ----------
    default_update : Variable or None
        An expression that every function using this variable assigns to it, unless told otherwise.
    """

    __slots__ = ("container", "default_update")

    container: Storage
    default_update: Any

    def __init__(self, type: Type, value: Any, name: str | None = None) -> None:
        super().__init__(type, None, None, name)
        self.container = Storage(value)
        self.default_update = None
        self.origin = current_origin()

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """The present value.

        Parameters
        ----------
        borrow : bool
            Return the array itself rather than a copy. What is written to it changes the shared value.
        return_internal_type : bool
            Return it as it is stored; the same on the CPU.

        Returns
        -------
        numpy.ndarray
        """
        value = self.container.value
        return value if borrow else np.array(value) if isinstance(value, np.ndarray) else value

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        """Replace the value.

        Parameters
        ----------
        new_value : array-like
        borrow : bool
            Keep the array itself rather than a copy. Do not write to it afterwards.

        Raises
        ------
        TypeError, ValueError
            When the value is not of the variable's type; the old value stays.
        """
        value = self._filtered(new_value)
        if not borrow and isinstance(new_value, np.ndarray) and np.may_share_memory(value, new_value):
            value = np.array(value)
        with self.container.lock:
            self.container.value = value

    def _filtered(self, value: Any) -> Any:
        try:
            return self.type.filter(value, allow_downcast=None)
        except (TypeError, ValueError) as error:
            raise type(error)(f"shared variable {self}, created at {self.origin}: {error}") from None

    @property
    def value(self) -> Any:
        """The present value, as a copy."""
        return self.get_value()

    def zero(self, borrow: bool = False) -> None:
        """Set every element to zero."""
        self.set_value(np.zeros_like(self.container.value), borrow=True)

    def clone(self, name: str | None = None) -> Variable:
        """A variable that shares this one's value."""
        copy = object.__new__(type(self))
        Variable.__init__(copy, self.type, None, None, name if name is not None else self.name)
        copy.container, copy.default_update, copy.origin = self.container, self.default_update, self.origin
        return copy

    def __getstate__(self) -> Any:
        return (super().__getstate__(), self.container.value, self.default_update)

    def __setstate__(self, state: Any) -> None:
        base, value, self.default_update = state
        super().__setstate__(base)
        self.container = Storage(value)


class TensorSharedVariable(TensorVariable, SharedVariable):
    """A shared variable that holds a tensor."""

    __slots__ = ()


ScalarSharedVariable = TensorSharedVariable


def shared(value: Any, name: str | None = None, strict: bool = False, allow_downcast: bool | None = None,
           borrow: bool = False, broadcastable: Any = None, shape: Any = None, target: str | None = None) -> Any:
    """A variable with a value that lives between calls.

    Parameters
    ----------
    value : array-like
        The first value. A Python float becomes floatX, an integer int64; an array keeps its dtype.
    name : str, optional
    strict, allow_downcast
        How later values are converted; see `Type.filter`.
    borrow : bool
        Keep the array itself rather than a copy.
    broadcastable : sequence of bool, optional
        The axes that have length 1 and always will.
    shape : sequence of int or None, optional
        What is known of the shape of every later value. Nothing by default: a new value may have another shape.
    target : str, optional
        The device to live on; the configured one by default.

    Returns
    -------
    TensorSharedVariable

    Raises
    ------
    TypeError
        When `value` is symbolic or not an array of numbers.

    Examples
    --------
    >>> w = shared([1.0, 2.0], name="w")
    >>> w.set_value([3.0, 4.0, 5.0])
    >>> w.get_value()
    array([3., 4., 5.])
    """
    if isinstance(value, Variable):
        raise TypeError(f"shared takes a value, not the symbolic variable {value}; give its value, or use it as it is")
    _check_device(target)
    if isinstance(value, float) or (isinstance(value, (list, tuple)) and _holds_floats(value)):
        array = np.asarray(value, config.floatX)
    else:
        array = np.asarray(value)
        if not borrow and isinstance(value, np.ndarray):
            array = np.array(value)
    if array.dtype.kind not in "biufc":
        raise TypeError(f"shared holds arrays of numbers, not {type(value).__name__} ({array.dtype})")
    if shape is None:
        shape = broadcastable if broadcastable is not None else (None,) * array.ndim
    kind = tensor_type(array.dtype.name, TensorType("bool", shape).shape)
    return TensorSharedVariable(kind, kind.filter(array), name)


def _holds_floats(value: Any) -> bool:
    from symgraph.tensor.basic import _only_python_floats

    return _only_python_floats(value)


#: Devices that can hold shared values; a backend adds its own.
DEVICES: set[str] = {"cpu"}


def _check_device(target: str | None) -> None:
    device = target or config.device
    if device not in DEVICES and device != "auto":
        raise RuntimeError(
            f"shared variables cannot be put on {device!r}: this version has no backend for it. Use device='cpu'"
        )
