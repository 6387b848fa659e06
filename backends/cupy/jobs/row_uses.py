"""Which values of a row are kept in shared memory: those that several of its loops need, or threads of each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symgraph.graph.basic import Variable
from symgraph.plan.items import Fold, Gather, Item, Product
from symgraph.plan.jobs import Job
from symgraph.plan.kernel import is_cheap
from symgraph.scalar import ScalarFunction

__all__ = ["Columns", "Uses", "columns_of"]


@dataclass(frozen=True)
class Columns:
    """The columns of a variable.

    Attributes
    ----------
    axes : tuple of int
        Those not known to be of length 1, counted from the last backwards.
    lengths : tuple of int
    """

    axes: tuple[int, ...]
    lengths: tuple[int, ...]


def columns_of(variable: Variable, shapes: Mapping[Variable, tuple[int, ...]], n_rows: int) -> Columns:
    """The columns of a variable that has rows."""
    known = variable.type.shape
    axes = [axis for axis in range(n_rows, len(known)) if known[axis] != 1]
    return Columns(tuple(axis - len(known) for axis in axes), tuple(shapes[variable][axis] for axis in axes))


class Uses:
    """The loops that need each value of a row.

    Attributes
    ----------
    order : list of Item
        What is done for a row: reductions, products and numbers of the row, these as early as can be, so that what
        they are made of need not be kept any longer. Reductions, products and reads at a place of its own are the
        *events* of a row, counted from 1; what is stored at the end is the last.
    staged : dict of Variable to int
        What is kept in shared memory, and how many columns it has.
    names : dict of Variable to str
        What the arrays are called in which it is kept. One may serve a value when another is not needed any more.
    widths : list of int
        The columns of all loops.
    """

    def __init__(self, job: Job, shapes: Mapping[Variable, tuple[int, ...]]) -> None:
        self.job, self.shapes, self.k = job, shapes, job.n_rows
        self.rows = shapes[job.anchors[0].inputs[0]][: self.k]
        self.loops: dict[Variable, set[int]] = {}
        self.least: set[Variable] = set()   # what cannot do without
        self.multiplied: set[Variable] = set()
        self.widths: list[int] = []
        self.order = self._ordered()
        self._find()
        vectors = [v for v in (*self.job.inputs, *self.job.items) if self.is_vector(v)
                   and (v in self.job.own or v not in self.job.items)]
        self.staged = {v: columns_of(v, shapes, self.k).lengths[0] for v in vectors if self._is_staged(v)}
        self._share()

    def keep_least(self) -> None:
        """Keep only what cannot be computed anew."""
        self.staged = {v: n for v, n in self.staged.items() if v in self.least}
        self._share()

    def first(self, variable: Variable) -> int:
        """The event in which a value is staged."""
        return min(self.loops[variable])

    def is_written_over(self, event: int) -> bool:
        """Whether an event stages a value where another one was."""
        return any(self.first(v) == event for v in self.overwriting)

    def is_event(self, item: Item) -> bool:
        """Whether an item is an event of its own."""
        return item.is_anchor or (isinstance(item.meaning, Gather) and item.output in self.job.own)

    def _ordered(self) -> list[Item]:
        """Each number of a row directly after the last reduction or product that it rests on."""
        after: dict[Variable, int] = {}
        anchors = 0
        keyed: list[tuple[int, int, Item]] = []
        for place, (variable, item) in enumerate(self.job.items.items()):
            after[variable] = max((after.get(v, 0) for v in item.inputs), default=0)
            if item.is_anchor:
                anchors += 1
                after[variable] = anchors
                keyed.append((anchors, -1, item))
            elif variable in self.job.own and not columns_of(variable, self.shapes, self.k).lengths:
                keyed.append((after[variable], place, item))
        return [item for _, _, item in sorted(keyed, key=lambda entry: entry[:2])]

    def _share(self) -> None:
        """Find arrays for what is staged.

        A value can take the array of another if the last that needs that is a loop over the columns in which the value
        is staged, or comes before it: there each thread reads an element before it writes it.
        """
        self.names: dict[Variable, str] = {}
        self.overwriting: set[Variable] = set()
        held: dict[str, Variable] = {}
        for variable in sorted(self.staged, key=self.first):
            first = self.first(variable)
            for name, other in held.items():
                alike = self.staged[other] == self.staged[variable] and other.type.dtype == variable.type.dtype
                last = max(self.loops[other])
                if alike and variable not in self.least and (last < first or (last == first and first in self.plain)):
                    self.names[variable] = name
                    self.overwriting.add(variable)
                    break
            else:
                self.names[variable] = f"row_{len(held)}"
            held[self.names[variable]] = variable

    def is_vector(self, variable: Variable) -> bool:
        """Whether a variable has a row of columns for each row."""
        if variable.type.ndim <= self.k or 1 in variable.type.shape[: self.k]:
            return False
        return self.shapes[variable][: self.k] == self.rows and bool(columns_of(variable, self.shapes, self.k).lengths)

    def _root(self, variable: Variable, loop: int) -> None:
        if self.is_vector(variable):
            self.loops.setdefault(variable, set()).add(loop)
            self.widths += columns_of(variable, self.shapes, self.k).lengths

    def _find(self) -> None:
        """Number the loops, and follow from what each reads to what that is made of."""
        number = 0
        self.plain: set[int] = set()  # events in which a thread reads its own columns only
        for item in self.order:
            if not self.is_event(item):
                continue
            number += 1
            self._root(item.inputs[0], number)
            if isinstance(item.meaning, Fold):
                self.plain.add(number)
            if isinstance(item.meaning, Product):
                self.least.add(item.output)
                self.loops.setdefault(item.output, set()).add(number)
                self.multiplied.add(item.inputs[0])
                if item.inputs[0] in self.job.own:
                    self.least.add(item.inputs[0])
        self.plain.add(number + 1)
        for variable in [*self.job.outputs, *(i.inputs[0] for i in self.job.parts.values())]:
            self._root(variable, number + 1)
        for variable, item in reversed(self.job.items.items()):
            loops = self.loops.get(variable)
            if loops is None or item.is_anchor:
                continue
            first = {min(loops)} if variable in self.job.own and self._is_staged(variable) else loops
            for other in item.inputs:
                if self.is_vector(other) and other.type.ndim == variable.type.ndim:
                    self.loops.setdefault(other, set()).update(first)

    def _is_staged(self, variable: Variable) -> bool:
        if len(columns_of(variable, self.shapes, self.k).lengths) != 1:
            return False
        if variable in self.least:
            return True
        if len(self.loops.get(variable, ())) < 2:
            return False
        item: Item | None = self.job.items.get(variable)
        if item is None:
            return variable not in self.multiplied and variable.type.shape[self.k:].count(1) == 0
        return isinstance(item.meaning, ScalarFunction) and not is_cheap(item.meaning)
