"""The Fourier transform extension of the array API standard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph.array_api.array import Array
from symgraph.array_api.dtypes import check_device, default_float
from symgraph.tensor import basic, fourier

__all__ = [
    "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft", "irfftn", "rfft",
    "rfftfreq", "rfftn",
]


def _one(name: str) -> Callable[..., Array]:
    transform = getattr(fourier, name)

    def function(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
        return Array(transform(x.variable, n, axis, norm))

    return _named(function, name, transform)


def _several(name: str) -> Callable[..., Array]:
    transform = getattr(fourier, name)

    def function(x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None,
                 norm: str = "backward") -> Array:
        return Array(transform(x.variable, s, axes, norm))

    return _named(function, name, transform)


def _named(function: Any, name: str, ours: Any) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"``{name}`` of the array API standard: `symgraph.tensor.fourier.{ours.__name__}`."
    return function


fft, ifft, rfft, irfft, hfft, ihfft = map(_one, ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"))
fftn, ifftn, rfftn, irfftn = map(_several, ("fftn", "ifftn", "rfftn", "irfftn"))


def _frequencies(values: np.ndarray[Any, Any], dtype: Any) -> Array:
    return Array(basic.constant(values, dtype=np.dtype(dtype or default_float()).name))


def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Array:
    """The frequencies of `fft` of `n` points that are `d` apart."""
    check_device(device)
    return _frequencies(np.fft.fftfreq(n, d), dtype)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Array:
    """The frequencies of `rfft` of `n` points that are `d` apart."""
    check_device(device)
    return _frequencies(np.fft.rfftfreq(n, d), dtype)


def fftshift(x: Array, /, *, axes: Any = None) -> Array:
    """The frequency 0 moved to the middle of axes, all by default."""
    return Array(fourier.fftshift(x.variable, axes))


def ifftshift(x: Array, /, *, axes: Any = None) -> Array:
    """The inverse of `fftshift`."""
    return Array(fourier.ifftshift(x.variable, axes))
