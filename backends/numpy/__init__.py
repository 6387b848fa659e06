"""The NumPy backend: a plan becomes a readable Python function of NumPy calls."""

from __future__ import annotations

from backends.numpy import branches, elemwise, loops  # noqa: F401  (they enter their rows)
from backends.numpy.program import NumpyBackend

backend = NumpyBackend()

__all__ = ["NumpyBackend", "backend"]
