"""Writing the program of a row: who takes a row, what is kept in shared memory, and loops over its columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from backends.cupy.jobs.elements import Emitter, Index, Params
from backends.cupy.jobs.loops import THREADS
from backends.cupy.jobs.row_uses import Columns, Uses, columns_of
from backends.cupy.language.scalars import literal
from symgraph.graph.basic import Variable
from symgraph.plan.items import Fold, Item
from symgraph.plan.jobs import Job

__all__ = ["AT_ONCE", "WARP", "RowWriter"]

WARP = 32
AT_ONCE = 16         # columns of a product that a thread accumulates side by side
_BLOCKS = 8          # of a multiprocessor
_NARROW = 64         # columns; up to them a warp takes a row, however few rows there are
_WIDE = 1024         # columns; beyond them a block takes a row


class RowWriter:
    """What is common to all parts of a row's program.

    Parameters
    ----------
    job : Job
    params : Params
    prefix : str
        Of the names of its C variables.
    multiprocessors : int
    most_shared : int
        The bytes of shared memory a block may have. Where they do not suffice for one row, what is kept of it lies in
        the device's memory.
    """

    def __init__(self, job: Job, params: Params, prefix: str, multiprocessors: int, most_shared: int) -> None:
        self.job, self.params = job, params
        self.k = job.n_rows
        first = job.anchors[0].inputs[0]
        self.row_lengths = params.shapes[first][: self.k]
        self.n = math.prod(self.row_lengths)
        self.uses = Uses(job, params.shapes)
        self.shared = 0
        self.spilled = False  # what is kept of a row lies in the device's memory: shared memory has no room for it
        self.outside = 0      # the bytes of that
        self.threads = self._threads(multiprocessors, most_shared)
        self.groups = THREADS // self.threads
        self.blocks = max(1, min(-(-self.n // self.groups), multiprocessors * _BLOCKS))
        self.emitter = Emitter(job.items, params, prefix)
        self.emitter.made, self.emitter.loader, self.emitter.after = self.kept, self.load, self.keep
        self.row = tuple(f"row{i}" for i in range(self.k))
        self.columns: Columns | None = None  # of the loop being written
        self.places: tuple[str, ...] = ()    # along them
        self.place = ""                      # the same as one number
        self.filled: set[Variable] = set()
        self.filling: set[Variable] = set()
        self.held: dict[str, Variable] = {}  # what is in each array
        self.unseen = False    # other threads' staged values are not to be read before a barrier
        self.strange = False   # not even a thread's own columns
        self.across = False    # a thread has read what others staged, and they may not write over it
        self.event = 0
        self.head: list[str] = []

    # ---- threads and shared memory --------------------------------------------------------------------------

    def _threads(self, multiprocessors: int, most_shared: int) -> int:
        widest = max(self.uses.widths, default=1)
        warps = widest <= _NARROW or (self.n > 8 * multiprocessors and widest <= _WIDE)
        for threads in ([WARP, THREADS] if warps else [THREADS]):
            if self._bytes(threads) <= most_shared:
                return threads
        self.uses.keep_least()
        self.spilled = self._bytes(THREADS) > most_shared
        return THREADS

    def _bytes(self, threads: int) -> int:
        """An upper bound of the shared memory that is needed."""
        groups = THREADS // threads
        sizes = {self.uses.names[v]: np.dtype(v.type.dtype).itemsize * n for v, n in self.uses.staged.items()}
        staged = sum(-(-size // 16) * 16 for size in sizes.values())
        for part, item in self.job.parts.items():
            if part.type.ndim > 1:
                staged += -(-np.dtype(part.type.dtype).itemsize * math.prod(self.part_columns(item)) // 16) * 16
        return groups * staged + 16 * THREADS + len(self.job.anchors) * (AT_ONCE + 1) * 8 * 16

    def wide_room(self, kind: str, size: int, count: int, name: str) -> None:
        """An array for values of all columns, for each group of threads."""
        if not self.spilled:
            return self.room(kind, size, count, name)
        if not self.outside:
            self.params.scratch.append((0, False))
            self.place_outside = len(self.params.scratch) - 1
        at = self.params.fresh("at", self.outside)
        self.outside += -(-count * size // 16) * 16
        self.params.scratch[self.place_outside] = (self.outside * self.blocks, False)
        each = f"{self.emitter.prefix}outside"
        self.params.ints[each] = self.outside
        place = f"w{self.place_outside} + (long long)block * {each} + {at}"
        self.head.append(f"{kind} *const {name} = ({kind} *)({place});")
        return None

    def room(self, kind: str, size: int, count: int, name: str, each: bool = True) -> None:
        """An array in shared memory, for each group of threads or for the block."""
        at = self.params.fresh("at", self.shared)
        place = f"({kind} *)((char *)shared + {at})"
        if each and self.groups > 1:
            step = -(-count * size // 16) * 16 // size
            place += f" + group * {self.params.fresh('n_room', step)}"
            self.shared += step * size * self.groups
        else:
            self.shared += -(-count * size // 16) * 16
        self.head.append(f"{kind} *const {name} = {place};")

    def barrier(self) -> str:
        """What makes a row's threads wait for each other."""
        return "__syncwarp();" if self.threads == WARP else "__syncthreads();"

    def synchronise(self) -> None:
        """Let the row's threads see what was staged."""
        assert self.columns is None
        self.emitter.line(self.barrier())
        self.unseen = self.strange = self.across = False

    # ---- values ---------------------------------------------------------------------------------------------

    def kept(self, variable: Variable, index: Index) -> str | None:
        """A staged value, where it is there already."""
        if variable not in self.filled or index[: self.k] != self.row:
            return None
        assert self.held[self.uses.names[variable]] is variable, f"{variable} was written over"
        places = tuple(p for p, n in zip(index[self.k:], variable.type.shape[self.k:], strict=True) if n != 1)
        if self._is_own(variable, places):
            return f"{self.uses.names[variable]}[{self.place}]"
        assert len(places) == 1, f"{variable} is read at {index}"
        if self.unseen:
            self.synchronise()
        self.across = True
        return f"{self.uses.names[variable]}[{places[0]}]"

    def keep(self, variable: Variable, index: Index, name: str) -> None:
        """Stage a value where it is first computed."""
        if variable not in self.uses.staged or variable in self.filled or self.columns is None:
            return
        places = tuple(p for p, n in zip(index[self.k:], variable.type.shape[self.k:], strict=True) if n != 1)
        if index[: self.k] == self.row and self._is_own(variable, places):
            self.emitter.line(f"{self.uses.names[variable]}[{self.place}] = {name};")
            self.filling.add(variable)

    def _is_own(self, variable: Variable, places: tuple[str, ...]) -> bool:
        """Whether places are those of the loop being written, which has as many columns as the variable."""
        return self.columns is not None and places == self.places and (
            self.columns.lengths == columns_of(variable, self.params.shapes, self.k).lengths)

    def load(self, variable: Variable, index: Index) -> str | None:
        """An element of a vector that has fewer elements than there are rows."""
        if self.k != 1 or not index or index[0] != self.row[0] or self.params.shapes[variable][0] >= self.n:
            return None
        name = self.params.names[variable]
        zero = literal(0, variable.type.dtype)
        return f"{self.in_head(variable)} ? {name}[{self.emitter.locate(variable, index)}] : {zero}"

    def in_head(self, variable: Variable) -> str:
        """The condition that a vector has an element for the row; empty where it has for all."""
        if self.k != 1 or self.params.shapes[variable][0] >= self.n:
            return ""
        return f"{self.row[0]} < {self.params.fresh('n_head', self.params.shapes[variable][0])}"

    def index(self, variable: Variable, places: Sequence[str] = ()) -> Index:
        """The index of a variable's element in the row, at some columns."""
        supply = iter(places)
        return (*self.row, *("0" if n == 1 else next(supply) for n in variable.type.shape[self.k:]))

    @contextmanager
    def loop(self, columns: Columns, unroll: bool = True) -> Iterator[tuple[str, ...]]:
        """A loop over columns that the row's threads share; gives the places along them."""
        emit = self.emitter
        if self.strange or (self.across and self.uses.is_written_over(self.event)):
            self.synchronise()
        count = self.params.fresh("n_columns", math.prod(columns.lengths))
        if unroll:
            emit.unroll(4)
        with emit.block(f"for ({self.params.index} c = lane; c < {count}; c += {self.threads})"):
            self.columns, self.place = columns, "c"
            self.places = tuple(emit.decode("c", columns.lengths, "p"))
            yield self.places
        self.columns, self.places = None, ()
        if self.filling:
            self._hold(self.filling)
            self.filling = set()
            self.unseen = True

    def _hold(self, variables: Iterable[Variable]) -> None:
        """Note what has been staged."""
        self.filled.update(variables)
        self.held.update((self.uses.names[v], v) for v in variables)

    def part_columns(self, item: Item) -> tuple[int, ...]:
        """The columns of a part: none where everything is reduced."""
        assert isinstance(item.meaning, Fold)
        (x,) = item.inputs
        return tuple(n for axis, n in enumerate(self.params.shapes[x]) if axis not in item.meaning.axes)
