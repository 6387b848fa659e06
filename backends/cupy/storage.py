"""Shared values in the memory of a device."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from backends.cupy.devices.device import Device
from backends.cupy.order import Order

__all__ = ["DeviceMemory"]


class DeviceMemory:
    """The memory of a device, as shared variables know it (see `symgraph.shared.Memory`).

    A value stays at its address as long as its shape stays: what replaces it is copied into the array that is there.
    All is done on the caller's current stream, behind what other streams were given to do with the same values.

    Parameters
    ----------
    name : str
        What `config.device` calls the device.
    device : Device
    """

    def __init__(self, name: str, device: Device) -> None:
        self.name, self.device, self.order = name, device, Order(device)
        self.holders: weakref.WeakSet[Any] = weakref.WeakSet()  # who keeps shared arrays, to `clear` when one goes

    def put(self, host: np.ndarray[Any, Any], into: Any = None) -> Any:
        old = [] if into is None else [into]
        self.order.before((), old)
        if not self._fits(host, into):
            into = None
            if old:
                self._before_freeing()
        made = self.device.to_device(np.asarray(host), into)
        self.order.after((), [made])
        return made

    def get(self, array: Any) -> np.ndarray[Any, Any]:
        self.order.before([array], ())
        return self.device.to_host(array)

    def adopt(self, value: Any) -> Any:
        if self.device.is_array(value):
            self.order.before([value], ())
            return value
        if hasattr(value, "__cuda_array_interface__"):
            return self.device.xp.asarray(value)
        if _on_gpu(value):
            return self.device.xp.from_dlpack(value)
        return None

    def copy(self, array: Any, into: Any = None) -> Any:
        old = [] if into is None else [into]
        self.order.before([array], old)
        if into is None or not self._fits(array, into):
            if old:
                self._before_freeing()
            into = self.device.empty(array.shape, array.dtype, "a shared value")
        self.device.copy(into, array)
        self.order.after([array], [into])
        return into

    def _before_freeing(self) -> None:
        """An array is about to be replaced by another."""
        self.order.before_freeing()
        for holder in list(self.holders):
            holder.clear()

    def copied(self, array: Any) -> Any:
        """A copy of a result, for who is in the order of its values already."""
        made = self.device.empty(array.shape, array.dtype, "a result")
        self.device.copy(made, array)
        return made

    @staticmethod
    def _fits(array: Any, into: Any) -> bool:
        return into is not None and into.shape == array.shape and into.dtype == array.dtype

    def __reduce__(self) -> Any:
        raise TypeError("the memory of a device is not pickled")


_CUDA = (2, 13)  # numbers of DLPack: memory of a CUDA device, and managed memory


def _on_gpu(value: Any) -> bool:
    """Whether another library's array says that it lives on a GPU."""
    where = getattr(type(value), "__dlpack_device__", None)
    return where is not None and not isinstance(value, np.ndarray) and int(where(value)[0]) in _CUDA
