"""Inspection: what this implementation of the array API standard offers."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph.array_api.dtypes import DTYPES, check_device, default_float

__all__ = ["__array_namespace_info__"]


class NamespaceInfo:
    """What `__array_namespace_info__` returns."""

    def capabilities(self) -> dict[str, Any]:
        """What depends on the implementation."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        """The device of arrays that nothing is said of."""
        return "cpu"

    def devices(self) -> list[str]:
        """All devices."""
        return ["cpu"]

    def default_dtypes(self, *, device: Any = None) -> dict[str, np.dtype[Any]]:
        """The dtypes of Python's numbers; that of floats is `config.floatX`."""
        check_device(device)
        real = default_float()
        return {
            "real floating": real, "complex floating": np.result_type(real, np.complex64),
            "integral": np.dtype("int64"), "indexing": np.dtype("int64"),
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, np.dtype[Any]]:
        """The dtypes, by name; of a kind, or of a tuple of kinds, as `isdtype` names them."""
        check_device(device)
        if kind is None:
            return dict(DTYPES)
        if kind == ():
            return {}
        return {name: dtype for name, dtype in DTYPES.items() if np.isdtype(dtype, kind)}


def __array_namespace_info__() -> NamespaceInfo:
    """What this implementation offers: capabilities, devices, dtypes."""
    return NamespaceInfo()
