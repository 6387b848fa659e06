"""The CuPy backend: a plan becomes CUDA C kernels and their launches, on a GPU or on a device emulated for tests."""

from __future__ import annotations

import functools

from backends.cupy import large, leaf_rows, library, linear, scans  # noqa: F401  (their rows)
from backends.cupy.program import CupyBackend

__all__ = ["CupyBackend", "backend_on"]


@functools.cache
def backend_on(target: str) -> CupyBackend:
    """The backend of a device.

    Parameters
    ----------
    target : {'cuda', 'emulated'}

    Raises
    ------
    RuntimeError, ModuleNotFoundError
        When there is no such device here.
    """
    if target == "emulated":
        from backends.cupy.devices.emulated import EmulatedDevice

        return CupyBackend(target, EmulatedDevice())
    from backends.cupy.devices.cuda import CupyDevice  # type: ignore[import-not-found,unused-ignore]

    return CupyBackend(target, CupyDevice())
