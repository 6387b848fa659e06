"""Arrays of other libraries: how their memory is lent to NumPy, and what is said where it cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["lent_array"]

#: DLPack's numbers of devices whose memory the processor reads, and names of some others.
_READABLE = {1, 3, 11, 13}
_DEVICES = {2: "cuda", 4: "opencl", 7: "vulkan", 8: "metal", 10: "rocm", 14: "oneapi"}
_COPY = ("copy it to the processor first, in its library's way: x.cpu() (PyTorch), x.get() (CuPy), x.copy_to_host() "
         "(Numba), x.to_device('cpu') (the array API)")


def lent_array(value: Any) -> Any:
    """A NumPy array over the memory of another library's array; what is no such array is returned as it came.

    Asked in this order: DLPack (``__dlpack__``), then whatever `numpy.asarray` understands: the buffer protocol,
    ``__array_struct__``, ``__array_interface__``, ``__array__``. Nothing is copied, unless the library does.

    Parameters
    ----------
    value : object

    Raises
    ------
    TypeError
        When the memory is not one the processor reads, or the library does not lend it.

    Examples
    --------
    >>> import symgraph.array_api as xp
    >>> lent_array(xp.arange(3))
    array([0, 1, 2])
    >>> lent_array([1, 2])
    [1, 2]
    """
    kind = type(value)
    if kind in _OURS or isinstance(value, (np.ndarray, np.generic)):
        return value
    if hasattr(kind, "__dlpack__"):
        return _by_dlpack(value)
    if hasattr(value, "__cuda_array_interface__"):
        raise TypeError(f"{_name(value)} lives in the memory of a CUDA device, which functions on the CPU do not "
                        f"read: {_COPY}")
    if isinstance(value, bytes):
        raise TypeError("bytes are not an array of numbers: say which with numpy.frombuffer(value, dtype)")
    if any(hasattr(kind, name) for name in _PROTOCOLS) or isinstance(value, (memoryview, bytearray)):
        return np.asarray(value)
    return value


_PROTOCOLS = ("__array_struct__", "__array_interface__", "__array__")
_OURS = {bool, int, float, complex, list, tuple, type(None), np.ndarray}


def _by_dlpack(value: Any) -> Any:
    where = getattr(value, "__dlpack_device__", None)
    if where is not None:
        device, number = where()
        if device not in _READABLE:
            place = f"{_DEVICES.get(int(device), f'DLPack device type {int(device)}')}:{number}"
            raise TypeError(f"{_name(value)} lives on {place}, and functions on the CPU do not read that: {_COPY}")
    try:
        return np.from_dlpack(value)
    except (BufferError, RuntimeError, TypeError) as error:  # a dtype NumPy lacks, a tensor that records gradients, ...
        raise TypeError(f"{_name(value)} cannot be lent to NumPy: {error}") from error


def _name(value: Any) -> str:
    kind = type(value)
    return f"the {kind.__module__.partition('.')[0]}.{kind.__name__}"
