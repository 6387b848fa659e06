"""Memory of large results that the caller has let go of, to compute the next ones into.

Fresh memory of tens of megabytes comes from the system page by page, each cleared at its first touch, which can take as
long as what is computed into it. So the arrays handed out last are remembered, and one that nobody else holds any more
is given out again where its shape fits.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

__all__ = ["forget_results", "result_array"]

_LEAST, _MOST = 1 << 21, 1 << 27  # bytes: of an array worth remembering, and of all that are remembered

_given: list[Any] = []  # the latest last


def _alone(array: Any) -> bool:
    """Whether only one place and one local name hold an array."""
    return sys.getrefcount(array) <= _ALONE


def _count_alone() -> int:
    """What `sys.getrefcount` says of an array in `_alone` that only one place and one local name hold."""

    def references(array: Any) -> int:
        return sys.getrefcount(array)

    for array in [np.empty(1)]:
        count = references(array)
    return count


_ALONE = _count_alone()


def result_array(shape: tuple[int, ...], dtype: Any) -> Any:
    """An array for a result, in C order; its elements may be anything."""
    kind = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    if not _LEAST <= size <= _MOST:
        return np.empty(shape, dtype)
    for array in _given:
        if _alone(array) and array.shape == shape and array.dtype == kind and array.flags.carray:
            return array
    array = np.empty(shape, dtype)
    kept = [array]
    for other in reversed(_given):
        size += other.nbytes
        if size > _MOST:
            break
        kept.append(other)
    _given[:] = reversed(kept)
    return array


def forget_results() -> None:
    """Let go of what is remembered."""
    _given.clear()
