"""What the host prepares for a call, kept for the next with the same numbers.

A function of single numbers alone, such as the index of a minibatch, passes the same views of shared variables, the
same lengths and the same factors whenever it is called with the same numbers, as long as shared variables have the same
arrays. To reckon these again would take longer than to launch the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.cupy.lowering import VIEWS
from backends.cupy.replay import Recording
from symgraph.tensor.elemwise import Elemwise
from symgraph.tensor.shape import Shape

if TYPE_CHECKING:
    from backends.cupy.program import CupyProgram

__all__ = ["Known", "Remembered"]

_MOST = 4096  # numbers, or sets of them


@dataclass(frozen=True)
class Known:
    """What is passed for some numbers.

    Attributes
    ----------
    passed : sequence
        What the program's ``arguments`` returned.
    key : Any
        Of its record.
    record : Recording
    now : list
        The numbers and addresses of what is passed, as `Recording.write` compares them.
    stamp : int
        Of the shared variables' arrays.
    arrays : list
        Those.
    """

    passed: Sequence[Any]
    key: Any
    record: Recording
    now: list[Any]
    stamp: int
    arrays: list[Any]


class Remembered:
    """By the numbers, what a program is passed.

    Parameters
    ----------
    program : CupyProgram
    """

    def __init__(self, program: CupyProgram) -> None:
        plan, steps = program.plan, program.renderer.before
        shared = dict.fromkeys([*plan.shared, *(u.target for u in plan.updates)])
        #: Whether the host does nothing but arithmetic and views, for numbers and values on the device.
        self.is_of_use = (
            all(getattr(v.type, "ndim", None) == 0 for v in plan.inputs) and all(v.device != "cpu" for v in shared)
            and all(isinstance(step.node.op, (Elemwise, Shape, *VIEWS)) for step in steps))
        self._storages = [v.container for v in shared]
        self._known: dict[Any, Known] = {}
        if self.is_of_use:
            program.memory.holders.add(self)

    def get(self, values: Sequence[Any], stamp: int) -> Known | None:
        """What is passed for some values, if it is known."""
        known = self._known.get(_numbers(values)) if self._known else None
        if known is None or known.stamp != stamp:
            return None
        for storage, array in zip(self._storages, known.arrays, strict=True):
            if storage.value is not array:
                return None
        return known

    def add(self, values: Sequence[Any], passed: Sequence[Any], key: Any, record: Recording, stamp: int) -> Known:
        """Keep what is passed for some values."""
        known = Known(passed, key, record, record.now(passed), stamp, [storage.value for storage in self._storages])
        numbers = _numbers(values)
        if numbers is not None:
            if len(self._known) >= _MOST:
                self.clear()
            self._known[numbers] = known
        return known

    def clear(self) -> None:
        """Forget everything, and the arrays it holds; at any time, by any thread."""
        self._known.clear()


def _numbers(values: Sequence[Any]) -> Any:
    """Single numbers as a key: to the bit, and by their types. None where there is anything but NumPy's."""
    parts = []
    for value in values:
        if not isinstance(value, (np.ndarray, np.generic)):
            return None
        parts.append((value.tobytes(), value.dtype))
    return tuple(parts)
