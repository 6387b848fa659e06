"""Arrays of the emulated device: NumPy arrays that behave as CuPy's do where the two differ.

They do not mix with host arrays, do not turn into them unasked, and reduce to arrays without axes rather than to
scalars. What a program must not do with a GPU's arrays fails here too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

__all__ = ["EmulatedArray", "Namespace"]


class Watcher(Protocol):
    """Who is told what happens to arrays: the device they belong to."""

    def called(self, name: str) -> None:
        """A function of the library is about to run."""
        ...

    def moved(self, to_host: int = 0, to_device: int = 0) -> None:
        """So many bytes are about to be copied between host and device."""
        ...


class EmulatedArray(NDArrayOperatorsMixin):
    """What `cupy.ndarray` is on a GPU.

    Attributes
    ----------
    values : numpy.ndarray
        The content, for the emulation's own use.
    device : EmulatedDevice
        Where it lies.
    """

    __slots__ = ("__weakref__", "device", "values")

    def __init__(self, values: np.ndarray, device: Watcher) -> None:
        self.values = values
        self.device = device

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("ctypes", "data", "tofile", "tobytes", "dump", "dumps"):
            raise AttributeError(f"arrays of a device have no attribute {name!r}")
        value = getattr(self.values, name)
        return _function(value, name, self.device) if callable(value) else wrapped(value, self.device)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError("an array of a device is not turned into a NumPy array unasked; use get()")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return _function(getattr(ufunc, method), ufunc.__name__, self.device)(*inputs, **kwargs)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        return _function(function, function.__name__, self.device)(*args, **kwargs)

    def __dlpack__(self, **options: Any) -> Any:
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.values.__dlpack_device__()

    def __getitem__(self, index: Any) -> Any:
        index = _unwrapped(index)
        parts = index if isinstance(index, tuple) else (index,)
        if all(part is None or isinstance(part, (int, np.integer, slice)) for part in parts):
            index = (*parts, ...)  # one element is a view too, which NumPy would copy
        return EmulatedArray(np.asarray(self.values[index]), self.device)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.device.called("setitem")
        self.values[_unwrapped(index)] = _unwrapped(value)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def get(self) -> np.ndarray:
        """A copy on the host."""
        self.device.moved(to_host=self.values.nbytes)
        return self.values.copy()

    def item(self, *index: int) -> Any:
        """One element as a Python number, which is a transfer."""
        self.device.moved(to_host=self.values.itemsize)
        return self.values.item(*index)

    def tolist(self) -> Any:
        """All elements as Python numbers, which is a transfer."""
        return self.get().tolist()

    def __bool__(self) -> bool:
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        return self.item().__index__()

    def __repr__(self) -> str:
        return f"emulated {self.values!r}"


def wrapped(value: Any, device: Watcher) -> Any:
    """A result of NumPy as CuPy gives it: arrays on the device, also where NumPy gives a scalar."""
    if isinstance(value, (np.ndarray, np.generic)):
        return EmulatedArray(np.asarray(value), device)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(wrapped(v, device) for v in value))
    if isinstance(value, (tuple, list)) and any(isinstance(v, (np.ndarray, np.generic)) for v in value):
        return type(value)(wrapped(v, device) for v in value)
    return value


def _unwrapped(value: Any) -> Any:
    if isinstance(value, EmulatedArray):
        return value.values
    if isinstance(value, np.ndarray):
        raise TypeError("a host array was given to a function of the device; copy it there first")
    if isinstance(value, (tuple, list)):
        return type(value)(_unwrapped(v) for v in value) if not hasattr(value, "_fields") else value
    return value


#: Functions that only look at memory in another way, where that is possible: nothing is launched for them.
_VIEWS = frozenset(("as_strided", "reshape", "squeeze", "swapaxes", "transpose", "view"))


def _function(function: Callable[..., Any], name: str, device: Watcher) -> Callable[..., Any]:
    def view(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if not np.may_share_memory(result, getattr(function, "__self__", args[0] if args else result)):
            device.called(name)  # it had to copy
        return wrapped(result, device)

    def call(*args: Any, **kwargs: Any) -> Any:
        if name in _VIEWS:
            return view(*(_unwrapped(a) for a in args), **kwargs)
        device.called(name)
        result = function(*(_unwrapped(a) for a in args), **{k: _unwrapped(v) for k, v in kwargs.items()})
        return wrapped(result, device)

    return call


class Namespace:
    """NumPy's functions for arrays of the emulated device, as the module ``cupy`` has them.

    Parameters
    ----------
    device : EmulatedDevice
    module : module, optional
        NumPy, one of its parts, or SciPy's linear algebra.
    """

    ndarray = EmulatedArray

    def __init__(self, device: Watcher, module: ModuleType = np) -> None:
        self._device = device
        self._module = module

    @property
    def scipy_linalg(self) -> Namespace:
        """SciPy's linear algebra, which CuPy has in a module of its own."""
        import scipy.linalg

        return Namespace(self._device, scipy.linalg)

    def asnumpy(self, array: EmulatedArray) -> np.ndarray:
        """A copy on the host."""
        return array.get()

    def asarray(self, value: Any, dtype: Any = None, **options: Any) -> EmulatedArray:
        """An array of the device; a host array is copied."""
        if isinstance(value, EmulatedArray):
            return EmulatedArray(np.asarray(value.values, dtype, **options), self._device)
        made = np.array(value, dtype, **options)
        self._device.moved(to_device=made.nbytes)
        return EmulatedArray(made, self._device)

    def array(self, value: Any, dtype: Any = None, **options: Any) -> EmulatedArray:
        """A new array of the device."""
        return EmulatedArray(self.asarray(value, dtype, **options).values.copy(), self._device)

    def __getattr__(self, name: str) -> Any:
        if name in _MISSING.get(self._module.__name__, ""):
            raise AttributeError(f"CuPy has no {self._module.__name__.replace('numpy', 'cupy')}.{name}")
        value = getattr(self._module, name)
        if isinstance(value, ModuleType):
            return Namespace(self._device, value)
        if isinstance(value, type) or not callable(value):
            return value
        return _function(value, name, self._device)


#: Functions that NumPy 2 has and CuPy 14 lacks.
_MISSING = {
    "numpy": frozenset((
        "asmatrix", "block", "bmat", "busday_count", "busday_offset", "datetime_as_string", "datetime_data",
        "einsum_path", "frompyfunc", "fromregex", "geomspace", "histogram_bin_edges", "insert", "is_busday", "isnat",
        "matvec", "nanpercentile", "nanquantile", "nested_iters", "polyder", "polydiv", "polyint", "spacing", "unstack",
        "vecdot", "vecmat",
    )),
    "scipy.linalg": frozenset((
        "cho_factor", "cho_solve", "cosm", "eig", "eigh", "funm", "hessenberg", "ldl", "logm", "null_space", "orth",
        "polar", "qz", "rsf2csf", "schur", "signm", "sinm", "solve_sylvester", "sqrtm", "tanm",
    )),
    "numpy.linalg": frozenset((
        "diagonal", "matrix_norm", "multi_dot", "outer", "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
    )),
}
