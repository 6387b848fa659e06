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
    staged : dict of Variable to int
        What is kept in shared memory, and how many columns it has.
    names : dict of Variable to str
        What these arrays are called.
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
        self._find()
        self.staged = {v: columns_of(v, shapes, self.k).lengths[0] for v in self._order() if self._is_staged(v)}
        self.names = {v: f"row_{i}" for i, v in enumerate(self.staged)}

    def keep_least(self) -> None:
        """Keep only what cannot be computed anew."""
        self.staged = {v: n for v, n in self.staged.items() if v in self.least}

    def _order(self) -> list[Variable]:
        outside = [v for v in self.job.inputs if self.is_vector(v)]
        return [*outside, *(v for v in self.job.items if self.is_vector(v))]

    def is_vector(self, variable: Variable) -> bool:
        """Whether a variable has a row of columns for each row."""
        if variable.type.ndim <= self.k or 1 in variable.type.shape[: self.k]:
            return False
        if variable not in self.job.own and variable not in self.job.inputs:
            return False
        return self.shapes[variable][: self.k] == self.rows and bool(columns_of(variable, self.shapes, self.k).lengths)

    def _root(self, variable: Variable, loop: int) -> None:
        if self.is_vector(variable):
            self.loops.setdefault(variable, set()).add(loop)
            self.widths += columns_of(variable, self.shapes, self.k).lengths

    def _find(self) -> None:
        """Number the loops, and follow from what each reads to what that is made of."""
        number = 0
        for variable, item in self.job.items.items():
            if isinstance(item.meaning, (Fold, Product)) or (
                isinstance(item.meaning, Gather) and variable in self.job.own
            ):
                number += 1
                self._root(item.inputs[0], number)
            if isinstance(item.meaning, Product):
                self.least.add(variable)
                self.multiplied.add(item.inputs[0])
                if item.inputs[0] in self.job.own:
                    self.least.add(item.inputs[0])
        for variable in [*self.job.outputs, *(i.inputs[0] for i in self.job.parts.values())]:
            self._root(variable, number + 1)
        for variable, item in reversed(self.job.items.items()):
            loops = self.loops.get(variable)
            if loops is None or item.is_anchor:
                continue
            first = {min(loops)} if self._is_staged(variable) else loops
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
