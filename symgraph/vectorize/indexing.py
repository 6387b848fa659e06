"""Rules for stacked values of indexing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from symgraph.tensor.basic import arange
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.index import ARRAY, NEWAXIS, NOTHING, SCALAR, Indexing, SliceSpec
from symgraph.tensor.subtensor import IncSubtensor, Subtensor, inc_subtensor, set_subtensor
from symgraph.vectorize.batch import Batch, Outputs, all_of, batching

__all__: list[str] = []


@dataclass(frozen=True)
class _Places:
    """An index into stacked tensors, and where the axes of its arrays are in what it names.

    Attributes
    ----------
    index : tuple
    arrays : int
        How many axes the index arrays have together, after the stacking axis.
    at : int
        After how many other axes they come for one value.
    """

    index: tuple[Any, ...]
    arrays: int
    at: int

    def to_values(self, part: Any) -> Any:
        """From the order in which NumPy puts the axes, arrays first, to that of one value."""
        return dimshuffle(part, self._order(part.type.ndim))

    def from_values(self, part: Any) -> Any:
        order = self._order(part.type.ndim)
        return dimshuffle(part, [order.index(axis) for axis in range(part.type.ndim)])

    def _order(self, ndim: int) -> list[int]:
        arrays, rest = list(range(1, 1 + self.arrays)), list(range(1 + self.arrays, ndim))
        return [0, *rest[: self.at], *arrays, *rest[self.at:]]


def _index(op: Indexing, batch: Batch, first: int) -> _Places | None:
    """The index of stacked tensors, from that of one; None where a bound of a slice differs from value to value."""
    stacked = iter(batch.stacked[first:])
    values = batch.inputs[first:]
    flags = op.parts([next(stacked) for _ in values])
    for entry, flag in zip(op.spec, flags, strict=True):
        if isinstance(entry, SliceSpec) and any(f is True for f, p in zip(flag, entry.parts, strict=True)
                                                if p == SCALAR):
            return None
    entries: list[Any] = [None if e == NEWAXIS else ... if e == NOTHING else slice(*p) if isinstance(e, SliceSpec)
                          else p for e, p in zip(op.spec, op.parts(values), strict=True)]
    if not op.is_advanced and not any(batch.stacked[first:]):
        return _Places((slice(None), *entries), 0, 0)
    ranks = [v.type.ndim for v in batch.node.inputs[first:]]
    rank = max(ranks, default=0)
    cores = op.parts(ranks)
    for place, entry in enumerate(op.spec):
        if entry in (ARRAY, SCALAR) and flags[place] is True:
            x = entries[place]
            entries[place] = dimshuffle(x, [0, *["x"] * (rank - cores[place]), *range(1, x.type.ndim)])
    number = dimshuffle(arange(batch.size), [0, *["x"] * rank])
    return _Places((number, *entries), rank, _place_of_arrays(op, batch.rank(0)))


def _place_of_arrays(op: Indexing, ndim: int) -> int:
    """Before which axis of ``x[index]`` NumPy puts the axes of the index arrays."""
    if not op.is_advanced:
        return 0
    advanced = [e in (ARRAY, SCALAR) or isinstance(e, int) for e in op.spec]
    first, last = advanced.index(True), len(advanced) - advanced[::-1].index(True)
    if not all(advanced[first:last]):
        return 0
    taken = sum(1 for e in op.spec if e not in (NEWAXIS, NOTHING))
    return sum(ndim - taken if e == NOTHING else 1 for e in op.spec[:first])


@batching(Subtensor)
def _subtensor(batch: Batch) -> Outputs:
    places = _index(batch.op, batch, 1)
    if places is None:
        return None
    x = batch.inputs[0]
    if not batch.stacked[0] and batch.node.op.spec in ((ARRAY,), (SCALAR,)):
        return all_of(x[batch.inputs[1]])
    return all_of(places.to_values(batch.all_stacked(0)[places.index]))


@batching(IncSubtensor)
def _inc_subtensor(batch: Batch) -> Outputs:
    op = batch.op
    places = _index(op, batch, 2)
    if places is None:
        return None
    part = batch.all_stacked(0)[places.index]
    y = batch.padded(1, part.type.ndim - 1)
    if places.arrays and places.at:
        y = y if batch.stacked[1] else dimshuffle(y, ["x"] * (part.type.ndim - y.type.ndim) + list(range(y.type.ndim)))
        y = places.from_values(y)
    return all_of(set_subtensor(part, y) if op.set_instead else inc_subtensor(part, y))
