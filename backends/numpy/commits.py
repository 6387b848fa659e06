"""The end of a call: next values of shared variables computed over the present ones, all of them or none.

Everything that can fail has been done. What is left are products (`Product`), loops over tiles (`Over`) and changes of
parts (`Change`), each of which writes on the array of a shared value if nobody else holds that, else on another array.
"""

from __future__ import annotations

import sys
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from operator import call
from typing import Any

import numpy as np

from backends.numpy.blas import Product
from backends.numpy.runtime import set_value
from backends.numpy.threads import Task, run, start
from symgraph.shared import Storage

__all__ = ["Over", "commit_late", "tiles_over"]

_FEW = 1 << 17  # bytes, which are copied in less time than another thread takes to begin
_KINDS = {"divide by zero": "divide", "overflow": "over", "underflow": "under", "invalid value": "invalid"}


class _Noting:
    """What is done at the commit by instructions of Python."""

    __slots__ = ("noted", "settings")

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings, self.noted = settings, dict[str, None]()

    def run(self) -> None:
        """Run to the end. Floating-point conditions are noted rather than told: nothing may stop it."""

        def note(kind: str, flag: int) -> None:
            self.noted[kind] = None

        with np.errstate(all="call", call=note):
            self.compute()

    def compute(self) -> None:
        """Write on the shared values."""
        raise NotImplementedError

    def tell(self) -> None:
        """Warn of what was noted, as the caller's `numpy.errstate` asks for."""
        for kind in self.noted:
            if self.settings[_KINDS[kind]] == "warn":
                warnings.warn(f"{kind} encountered in an update", RuntimeWarning, stacklevel=5)


class Job(_Noting):
    """A loop over tiles that writes on shared values.

    Attributes
    ----------
    values : list
        What the kernel takes; None in the places of the arrays it writes on, until the commit fills them in.
    """

    __slots__ = ("chunks", "kernel", "rows", "step", "values")

    def __init__(self, kernel: Callable[..., None], rows: int, chunks: int, step: int, values: list[Any],
                 settings: dict[str, str]) -> None:
        super().__init__(settings)
        self.kernel, self.rows, self.chunks, self.step, self.values = kernel, rows, chunks, step, values

    def compute(self) -> None:
        run(self.kernel, self.rows, self.chunks, self.step, self.values)


class Over:
    """The next value of a shared variable, to be made by a job over the present one, `c`."""

    __slots__ = ("c", "job", "place")

    def __init__(self, job: Job, place: int, c: Any) -> None:
        self.job, self.place, self.c = job, place, c


class Change(_Noting):
    """A part of a shared value to be set, or added to. What `op` writes there fits.

    Attributes
    ----------
    c : numpy.ndarray
        The present value.
    target : numpy.ndarray
        Which holds the same, and is written on.
    """

    __slots__ = ("c", "indices", "op", "target", "y")

    def __init__(self, op: Any, c: Any, y: Any, indices: tuple[Any, ...], settings: dict[str, str]) -> None:
        super().__init__(settings)
        self.op, self.c, self.y, self.indices, self.target = op, c, y, indices, None

    @property
    def work(self) -> int:
        """How many elements it writes."""
        return int(self.y.size)

    def compute(self) -> None:
        self.op.write(self.target, self.y, self.indices)


def changed(op: Any, c: Any, y: Any, *indices: Any) -> Any:
    """A `Change` of the present value `c`, or where that may fail, or would take longer, the changed copy.

    Parameters
    ----------
    op : IncSubtensor
        Of basic indices, or of a vector of integers.
    c, y : numpy.ndarray
    *indices
        The symbolic parts of its index.
    """
    settings = np.geterr()
    if c.nbytes > _FEW and "raise" not in settings.values() and c.flags.carray and c.dtype == y.dtype and (
        np.shape(y) in (_part_shape(op, c, indices), ())
    ):
        return Change(op, c, y, indices, settings)  # type: ignore[arg-type]
    return op.write(np.array(c), y, indices)


def _part_shape(op: Any, c: Any, indices: tuple[Any, ...]) -> tuple[int, ...] | None:
    """The shape of what an index names; None where there is no such part."""
    if not op.is_advanced:
        return np.shape(c[op.index(indices)])
    (places,), rows = indices, len(c)
    if places.size and not (-rows <= places.min() and places.max() < rows):
        return None
    return (len(places), *c.shape[1:])


def tiles_over(kernel: Callable[..., None], rows: int, chunks: int, step: int, values: list[Any],
               places: Sequence[int]) -> tuple[Any, ...]:
    """Put a loop off to the commit.

    Where `numpy.errstate` asks for errors to be raised, the loop is run at once, into new arrays: after an error the
    shared values must be what they were.

    Parameters
    ----------
    kernel, rows, chunks, step
        As `backends.numpy.threads.run` takes them.
    values : list
        What the kernel takes; in some places the shared values that it may write on.
    places : sequence of int
    """
    settings = np.geterr()
    present = [values[place] for place in places]
    if "raise" in settings.values() or not all(array.flags.carray and array.flags.owndata for array in present):
        for place, array in zip(places, present, strict=True):
            values[place] = np.empty(array.shape, array.dtype)
        run(kernel, rows, chunks, step, values)
        return tuple([values[place] for place in places])
    job = Job(kernel, rows, chunks, step, values, settings)  # type: ignore[arg-type]
    for place in places:
        values[place] = None
    return tuple(map(Over, repeat(job), places, present))


def _do_all(jobs: Sequence[_Noting], calls: Sequence[Callable[[], None]]) -> None:
    for job in jobs:
        job.run()
    deque(map(call, calls), maxlen=0)


def commit_late(storages: Sequence[Storage], values: Sequence[Any]) -> None:
    """Replace the values of shared variables, some of which are yet to be computed over the present ones.

    First everything is made ready that can fail. Then nothing runs any more that an interrupt could stop, until all is
    computed and all values are in place: what needs instructions of Python is done on another thread, since interrupts
    strike the main thread only.
    """
    if not _LATE.intersection(map(type, values)):
        deque(map(set_value, storages, values), 0)
        return
    task: Task | None = None
    jobs: dict[_Noting, None] = {}
    try:
        calls: list[Callable[[], Any]] = []
        final, loops = [], []
        for storage, value in zip(storages, values, strict=True):
            target = value
            if type(value) is Product:
                storage.value = None  # nobody can come to see the array from here on
                target = _target(value)
                calls.append(value.into(target))
            elif type(value) is Over:
                storage.value = None
                target = _target(value)
                loops.append((value, target))
            elif type(value) is Change:
                storage.value = None
                target = value.target = _target(value)
                jobs[value] = None
            final.append(target)
        calls.append(partial(deque, map(set_value, storages, final), 0))
        for value, target in loops:
            value.job.values[value.place] = target
            jobs[value.job] = None
        if not jobs:
            deque(map(call, calls), 0)  # all of it in C
        else:
            task = Task(_do_all, (list(jobs), calls))
            start(task)
            error = task.wait()
            if error is not None:
                raise error
    except BaseException:
        if task is not None and not task.cancel():
            task.wait()
        for storage, value in zip(storages, values, strict=True):
            if storage.value is None and type(value) in _LATE:
                storage.value = value.c
        raise
    for job in jobs:
        job.tell()


_LATE = frozenset((Product, Over, Change))


def _target(value: Any) -> Any:
    """The array to compute a value into: the present one if only the function holds it."""
    alone = sys.getrefcount(value.c) <= _ALONE[type(value)]
    if alone:
        return value.c
    return np.empty_like(value.c) if type(value) is Over else np.array(value.c)


def _count_alone() -> dict[type, int]:
    """How many references `_target` sees to an array that only a function and what it puts off hold."""
    counts: dict[type, int] = {}
    for kind in _LATE:
        array = np.empty((1, 1))
        made: Any = Over(Job(print, 1, 1, 1, [array], {}), 0, array)
        if kind is Product:
            made = Product(print, array, 1.0, array.copy(), array.copy(), 1.0)
        elif kind is Change:
            made = Change(None, array, array.copy(), (), {})
        counts[kind] = _references_in_target(made)
    return counts


def _references_in_target(value: Any) -> int:
    return sys.getrefcount(value.c)


_ALONE = _count_alone()
