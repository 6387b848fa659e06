"""Shared variables: state that lives outside any one call and is seen by all functions that use it."""

from __future__ import annotations

import copy
import itertools
import threading
import warnings
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from symgraph.config import GPUS, config
from symgraph.graph.basic import Variable
from symgraph.graph.origin import current_origin
from symgraph.graph.type import Type
from symgraph.tensor.dims import split_names
from symgraph.tensor.foreign import lent_array
from symgraph.tensor.type import TensorType
from symgraph.tensor.variable import SymbolicTensor

__all__ = [
    "Memory", "ScalarSharedVariable", "SharedVariable", "Storage", "TensorSharedVariable", "committing", "device_name",
    "memory_of", "open_memory_with", "shared",
]


_serials = itertools.count()

#: Held while the values of several shared variables are read or replaced, so that nobody sees some old and some new;
#: and while the next value of one is computed over the present.
committing = threading.RLock()


class Memory(Protocol):
    """The memory of a device other than the processor.

    Attributes
    ----------
    name : str
        What `config.device` calls the device.
    """

    name: str

    def put(self, host: np.ndarray[Any, Any], into: Any = None) -> Any:
        """An array of the device with a host array's elements; `into`, where that is given and fits."""
        ...

    def get(self, array: Any) -> np.ndarray[Any, Any]:
        """A host array with a device array's elements."""
        ...

    def adopt(self, value: Any) -> Any:
        """A device array over the memory of another library's array on this device; None for any other value."""
        ...

    def copy(self, array: Any, into: Any = None) -> Any:
        """A copy of a device array; in `into`, where that is given and fits."""
        ...


_open_memory: Callable[[str], Memory] | None = None


def open_memory_with(opener: Callable[[str], Memory]) -> None:
    """Say how the memory of a device is got at. It is opened when it is first needed."""
    global _open_memory
    _open_memory = opener


def device_name(target: str | None) -> str:
    """The device meant by a target: ``cpu``, or a GPU, which is the emulated one where functions run on that.

    Raises
    ------
    RuntimeError
        When there is no such device.
    """
    device = target or config.device
    if device in ("gpu", *GPUS):
        return "emulated" if "emulated" in (device, config.device) else "cuda"
    if device not in ("cpu", "auto"):
        raise RuntimeError(f"there is no device {device!r}: values live on 'cpu' or 'cuda'")
    return device


def memory_of(device: str) -> Memory | None:
    """The memory of a device; None for the processor's.

    Raises
    ------
    RuntimeError
        When the device cannot be used.
    """
    if device == "cpu" or _open_memory is None:
        return None
    if device == "auto":
        try:
            return _open_memory("cuda")
        except RuntimeError:
            return None
    return _open_memory(device)


class Storage:
    """Where the value of a shared variable lives.

    In host memory the array in ``value`` is replaced, never written to while anybody else can see it; so a reader that
    took it keeps a consistent value. A function that computes the next value over the present one takes it out for
    that time, holding `committing`. In the memory of a device the array stays where it is as long as its shape stays,
    and new values are written into it; whoever reads it there holds ``lock``. ``lock`` is held by whoever computes a
    new value from the old.
    """

    __slots__ = ("lock", "memory", "serial", "spare", "value")

    def __init__(self, value: Any, memory: Memory | None = None) -> None:
        self.value = value
        self.memory = memory  # None: the host's
        self.serial = next(_serials)  # locks are taken in this order
        self.spare: Any = None  # the array of the value before the present one, to compute the next into
        self.lock = threading.RLock()

    def present(self) -> Any:
        """The value; while it is being computed over, wait for the next."""
        value = self.value
        if value is None:
            with committing:
                value = self.value
        return value

    def on_host(self) -> Any:
        """The value in host memory: the array itself if it lives there, else a copy."""
        if self.memory is None:
            return self.present()
        with self.lock:
            return self.memory.get(self.value)

    def __reduce__(self) -> Any:
        # Neither the lock nor the spare memory means anything elsewhere.
        return _restored, (self.on_host(), None if self.memory is None else self.memory.name)


def _restored(value: Any, device: str | None) -> Storage:
    """A storage that was pickled; in host memory if it was on a device that is not here."""
    if device is None:
        return Storage(value)
    try:
        memory = memory_of(device)
    except RuntimeError as error:
        warnings.warn(f"a shared variable saved on {device!r} is loaded into host memory: {error}", stacklevel=2)
        memory = None
    return Storage(value if memory is None else memory.put(value), memory)


class SharedVariable(Variable):
    """A variable with a value of its own, kept between calls. Made by `shared`.

    Parameters
    ----------
    type : Type
    value : object
        Already of that type, and nobody else's to change.
    name : str, optional
    strict : bool
        Let `set_value` take only values of exactly the type.
    allow_downcast : bool or None
        Whether `set_value` may lose precision; None allows it for Python floats only.

    Attributes
    ----------
    default_update : Variable or None
        An expression that every function using this variable assigns to it, unless told otherwise.
    """

    __slots__ = ("allow_downcast", "container", "default_update", "strict")

    container: Storage
    default_update: Any
    strict: bool
    allow_downcast: bool | None

    def __init__(self, type: Type, value: Any, name: str | None = None, strict: bool = False,
                 allow_downcast: bool | None = None, memory: Memory | None = None) -> None:
        super().__init__(type, None, None, name)
        self.container = Storage(value, memory)
        self.default_update = None
        self.strict = strict
        self.allow_downcast = allow_downcast
        self.origin = current_origin()

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """The present value.

        Parameters
        ----------
        borrow : bool
            Return the array itself rather than a copy. What is written to it changes the shared value, until a
            function or `set_value` replaces that.
        return_internal_type : bool
            Return it as it is stored: on a GPU, an array of the GPU.

        Returns
        -------
        numpy.ndarray, or an array of the device
        """
        memory = self.container.memory
        if memory is None:
            value = self.container.present()
            return value if borrow else _copied(value)
        if not return_internal_type:
            return self.container.on_host()
        with self.container.lock:
            return memory.adopt(self.container.value) if borrow else memory.copy(self.container.value)

    @property
    def device(self) -> str:
        """Where the value lives: ``cpu``, ``cuda`` or ``emulated``."""
        memory = self.container.memory
        return "cpu" if memory is None else memory.name

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        """Replace the value. Waits for a call that is computing the next one.

        Parameters
        ----------
        new_value : array-like
            On a GPU also an array of the GPU, of any library that lends its memory there.
        borrow : bool
            Keep the array itself rather than a copy. Do not write to it afterwards. A value on a GPU is always copied,
            into the array that is there if it has the same shape.

        Raises
        ------
        TypeError, ValueError
            When the value is not of the variable's type; the old value stays.
        """
        if self.container.memory is not None:
            self._write(self.container.memory, new_value)
            return
        value = self._filtered(new_value)
        if not borrow and _may_be_seen(value, new_value):
            value = _copied(value)
        with self.container.lock:
            self.container.value = value

    def swap_value(self, new_value: Any, borrow: bool = False) -> Any:
        """Replace the value and return the one before, with no call of a function in between.

        Parameters
        ----------
        new_value : array-like
        borrow : bool
            Keep the array itself rather than a copy. What is returned is nobody else's in either case.

        Raises
        ------
        TypeError, ValueError
            When the value is not of the variable's type; the old value stays.

        Examples
        --------
        >>> w = shared(1.0)
        >>> float(w.swap_value(2.0)), float(w.get_value())
        (1.0, 2.0)
        """
        with self.container.lock:
            old = self.get_value()
            self.set_value(new_value, borrow)
            return old

    def _write(self, memory: Memory, new_value: Any) -> None:
        """Replace a value in the memory of a device."""
        adopted = memory.adopt(new_value)
        if adopted is None:
            host = self._filtered(new_value)
            with self.container.lock:
                self.container.value = memory.put(host, self.container.value)
            return
        if not self.type.is_super(TensorType(adopted.dtype, adopted.shape)):
            found = TensorType(adopted.dtype, adopted.shape)
            raise TypeError(f"shared variable {self}, created at {self.origin}: expected {self.type}, got {found}")
        with self.container.lock:
            self.container.value = memory.copy(adopted, self.container.value)

    def _filtered(self, value: Any) -> Any:
        try:
            return self.type.filter(value, self.strict, self.allow_downcast)
        except (TypeError, ValueError) as error:
            raise type(error)(f"shared variable {self}, created at {self.origin}: {error}") from None

    @property
    def value(self) -> Any:
        """The present value, as a copy; assigning replaces it."""
        return self.get_value()

    @value.setter
    def value(self, new_value: Any) -> None:
        self.set_value(new_value)

    def zero(self, borrow: bool = False) -> None:
        """Set every element to zero.

        Parameters
        ----------
        borrow : bool
            Write the zeros into the present array, which those who borrowed it see too, rather than replace it.
        """
        with self.container.lock:
            if self.container.memory is not None:
                zeros = np.zeros(self.container.value.shape, self.container.value.dtype)
                self.container.value = self.container.memory.put(zeros, self.container.value)
            elif borrow:
                self.container.value[...] = 0
            else:
                self.container.value = np.zeros_like(self.container.value)

    def clone(self, name: str | None = None) -> Variable:
        """A variable that shares this one's value."""
        twin = object.__new__(type(self))
        Variable.__init__(twin, self.type, None, None, name if name is not None else self.name)
        twin.container, twin.default_update, twin.origin = self.container, self.default_update, self.origin
        twin.strict, twin.allow_downcast = self.strict, self.allow_downcast
        return twin

    def __copy__(self) -> Any:
        """A variable of the same type with a value of its own."""
        twin: Any = self.clone()
        twin.container = Storage(self.get_value(return_internal_type=True), self.container.memory)
        return twin

    def __getstate__(self) -> Any:
        return (super().__getstate__(), self.container, self.default_update, self.strict, self.allow_downcast)

    def __setstate__(self, state: Any) -> None:
        base, self.container, self.default_update, self.strict, self.allow_downcast = state
        super().__setstate__(base)


def _copied(value: Any) -> Any:
    return np.array(value) if isinstance(value, np.ndarray) else copy.deepcopy(value)


def _may_be_seen(value: Any, given: Any) -> bool:
    """Whether somebody else may hold the memory of `value`, which was made from `given`."""
    if value is given or not isinstance(value, np.ndarray):
        return True
    if isinstance(given, (bool, int, float, complex, list, tuple, np.generic)):
        return False
    # Of another kind of container only NumPy knows whether it lent its memory out.
    return value.base is not None or not isinstance(given, np.ndarray)


class TensorSharedVariable(SymbolicTensor, SharedVariable):
    """A shared variable that holds a tensor.

    Its truth is that it is there, as programs ask with ``if W``; its value is asked with `get_value`.
    """

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


ScalarSharedVariable = TensorSharedVariable


def shared(value: Any, name: str | None = None, strict: bool = False, allow_downcast: bool | None = None,
           borrow: bool = False, broadcastable: Any = None, shape: Any = None, target: str | None = None) -> Any:
    """A variable with a value that lives between calls.

    Parameters
    ----------
    value : array-like
        The first value. A Python float becomes floatX, an integer int64; an array, of any library, keeps its dtype.
    name : str, optional
    strict : bool
        Let `set_value` take only arrays of exactly the type.
    allow_downcast : bool, optional
        Whether `set_value` may lose precision; None allows it for Python floats only.
    borrow : bool
        Keep the array itself rather than a copy.
    broadcastable : sequence of bool, optional
        The axes that have length 1 and always will.
    shape : sequence of int, str or None, optional
        What is known of the shape of every later value. Nothing by default: a new value may have another shape. A
        string names a length, as in `symgraph.tensor.tensor`.
    target : {'cpu', 'cuda'}, optional
        The memory to live in; that of the configured device by default. Functions of another device do not read it,
        but for ``v.transfer('cpu')`` and ``v.transfer('cuda')``.

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
    memory = memory_of(device_name(target))
    adopted = memory.adopt(value) if memory is not None else None
    try:
        lent = lent_array(value) if adopted is None or memory is None else memory.get(adopted)
    except TypeError as error:
        raise TypeError(f"shared: {error}") from None
    if isinstance(value, float) or (isinstance(value, (list, tuple)) and _holds_floats(value)):
        array = np.array(value, config.floatX)
    else:
        try:
            array = np.asarray(lent) if borrow else np.array(lent)
        except ValueError as error:  # a ragged list
            raise TypeError(f"shared holds arrays of numbers: {error}") from None
    if array.dtype.kind not in "biufc":
        raise TypeError(f"shared holds arrays of numbers, not {type(value).__name__} ({array.dtype})")
    if shape is None:
        shape = broadcastable if broadcastable is not None else (None,) * array.ndim
    lengths, dims = split_names(shape)
    kind = TensorType(array.dtype, lengths)
    try:
        array = kind.filter(array)
    except (TypeError, ValueError) as error:
        raise type(error)(f"shared variable{f' {name}' if name else ''}: {error}") from None
    stored = array if memory is None else memory.put(array)
    variable = TensorSharedVariable(kind, stored, name, strict, allow_downcast, memory)
    if dims is not None:
        variable.dims = dims
    return variable


def _holds_floats(value: Any) -> bool:
    from symgraph.tensor.basic import _only_python_floats

    return _only_python_floats(value)
