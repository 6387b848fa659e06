"""Parts: a part of a part is one part, and a part of what is computed is computed of a part.

An index that is out of range must stay an error, so a law that would forget to look is not applied where it could be:
``x[2:5][i]`` is not ``x[2 + i]``, unless i is known to be 0, 1 or 2. Likewise operands whose lengths must agree are not
cut before that is made sure of, unless their lengths are known to be equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.rewrite import made_of, rewrite_rule
from symgraph.graph.rule import Heads, Uses
from symgraph.rewrites.patterns import fitted, is_zeros, made_by, same_length, stretch
from symgraph.rewrites.shape import known_length, same_lengths
from symgraph.scalar import ScalarFunction
from symgraph.tensor.basic import Alloc, ARange
from symgraph.tensor.elemwise import Elemwise
from symgraph.tensor.index import ARRAY, NEWAXIS, SCALAR, SliceSpec
from symgraph.tensor.join import Join
from symgraph.tensor.products import Dot
from symgraph.tensor.reduce import Reduce
from symgraph.tensor.shape import DimShuffle, MakeVector, ShapeI, dimshuffle, make_vector, shape_i
from symgraph.tensor.specify import RequireLengths
from symgraph.tensor.subtensor import IncSubtensor, Subtensor

__all__ = ["SUBTENSOR"]

#: An entry of an index with its values in it: an integer or a scalar variable, a tuple of a slice's three bounds, or
#: NEWAXIS.
Entry = Any
FULL: Entry = (None, None, None)


# ---- indices as entries -----------------------------------------------------------------------------------------


def _entries(node: Apply) -> list[Entry] | None:
    """The entries of a basic index, one for each axis of what is indexed; None where index arrays are among them."""
    op, (source, *values) = node.op, node.inputs
    if op.is_advanced:
        return None
    entries = list(op.parts(values))
    used = sum(1 for e in entries if not _is_new(e))
    return entries + [FULL] * (source.type.ndim - used)


def _is_new(entry: Entry) -> bool:
    return isinstance(entry, str) and entry == NEWAXIS


def _is_full(entry: Entry) -> bool:
    return isinstance(entry, tuple) and entry[0] in (None, 0) and entry[1] is None and entry[2] in (None, 1)


def _take(x: Any, entries: Sequence[Entry]) -> Any:
    """x indexed by entries; x itself where they take everything."""
    if all(_is_full(e) for e in entries):
        return x
    spec: list[Any] = []
    values: list[Variable] = []

    def mark(part: Any) -> Any:
        if isinstance(part, Variable):
            values.append(part)
            return SCALAR
        return part

    for entry in entries:
        spec.append(SliceSpec(*map(mark, entry)) if isinstance(entry, tuple) else mark(entry))
    while spec and isinstance(spec[-1], SliceSpec) and spec[-1].is_full:
        spec.pop()
    return Subtensor(tuple(spec))(x, *values)


def _number(part: Any) -> int | None:
    """An integer that is known, also as a constant."""
    if isinstance(part, Constant) and part.type.ndim == 0:
        return int(part.data)
    return int(part) if isinstance(part, (int, np.integer)) else None


def _plain(entry: Entry) -> tuple[int, int | None, int] | None:
    """A slice from and to places counted from the start, upwards: its known bounds; None for another."""
    start, stop, step = entry
    low, high, by = (0 if start is None else _number(start), None if stop is None else _number(stop),
                     1 if step is None else _number(step))
    if low is None or by is None or (stop is not None and high is None):
        return None
    return (low, high, by) if low >= 0 and by > 0 and (high is None or high >= 0) else None


# ---- parts of parts ---------------------------------------------------------------------------------------------


@rewrite_rule(Subtensor, when=made_of(Subtensor))
def part_of_part(node: Apply) -> Variable | None:
    """x[i][j] -> x[i, j], x[a:][b:] -> x[a+b:], x[::-1][::-1] -> x."""
    first = made_by(node.inputs[0], Subtensor)
    before, after = (_entries(first), _entries(node)) if first is not None else (None, None)
    if before is None or after is None:
        return None
    merged = _merged(before, after)
    return None if merged is None else fitted(_take(first.inputs[0], merged), node)


def _merged(before: Sequence[Entry], after: Sequence[Entry]) -> list[Entry] | None:
    """One index for two in a row; None where that cannot be said."""
    result: list[Entry] = []
    rest = list(after)
    for entry in before:
        if not isinstance(entry, tuple) and not _is_new(entry):
            result.append(entry)  # an axis that is gone
            continue
        while rest and _is_new(rest[0]):
            result.append(rest.pop(0))
        then = rest.pop(0)
        if _is_new(entry):
            if _is_full(then):
                result.append(entry)
            elif isinstance(then, tuple) or _number(then) not in (0, -1):
                return None
            continue
        both = then if _is_full(entry) else entry if _is_full(then) else _one_entry(entry, then)
        if both is None:
            return None
        result.append(both)
    return result + rest if all(_is_new(e) for e in rest) else None


def _one_entry(entry: Entry, then: Entry) -> Entry | None:
    """A slice, and an entry that is taken of it, as one entry of the axis."""
    if entry == then == (None, None, -1):
        return FULL
    outer = _plain(entry)
    if outer is None:
        return None
    low, high, by = outer
    if not isinstance(then, tuple):
        place = _number(then)
        if place is None or place < 0:
            return None
        place = low + by * place
        return place if high is None or place < high else None  # else it is an error
    inner = _plain(then)
    if inner is None:
        return None
    start, stop, step = inner
    end = high if stop is None else low + by * stop if high is None else min(high, low + by * stop)
    return low + by * start, end, by * step


@rewrite_rule(Subtensor)
def slice_to_the_end(node: Apply) -> Variable | None:
    """x[a:x.shape[0]] -> x[a:], also where that length is written in other words."""
    entries = _entries(node)
    if entries is None:
        return None
    x: Any = node.inputs[0]
    changed = list(entries)
    axis = 0
    for place, entry in enumerate(entries):
        if _is_new(entry):
            continue
        if isinstance(entry, tuple) and entry[1] is not None and _number(entry[2]) in (None, 1) and (
            not isinstance(entry[2], Variable) and _is_end(entry[1], x, axis)
        ):
            changed[place] = entry[0], None, None
        axis += 1
    return fitted(_take(x, changed), node) if changed != list(entries) else None


def _is_end(bound: Any, x: Any, axis: int) -> bool:
    """Whether a slice that ends there takes all that is left of an axis."""
    known, length = _number(bound), x.type.shape[axis]
    if known is not None:
        return length is not None and known >= length
    return _speaks_of_lengths(bound) and (
        same_length(bound, shape_i(x, axis)) or same_length(bound, known_length(x, axis)))


def _speaks_of_lengths(number: Any, depth: int = 4) -> bool:
    """Whether a length of something is in an expression of a number."""
    node = number.owner if isinstance(number, Variable) else None
    if node is None or depth == 0:
        return False
    return isinstance(node.op, ShapeI) or any(_speaks_of_lengths(v, depth - 1) for v in node.inputs)


@rewrite_rule(Subtensor)
def gather_in_order(node: Apply) -> Variable | None:
    """x[arange(x.shape[0])] -> x."""
    x, *index = node.inputs
    counting = made_by(index[0], ARange) if node.op.spec == (ARRAY,) else None
    if counting is None:
        return None
    start, stop, step = counting.inputs
    if _number(start) != 0 or _number(step) != 1:
        return None
    return fitted(x, node) if _is_end(stop, x, 0) and _number(stop) in (None, x.type.shape[0]) else None


# ---- parts of what is computed ----------------------------------------------------------------------------------


def _of_elementwise(heads: Heads) -> bool:
    return isinstance(heads[0], ScalarFunction)


@rewrite_rule(Subtensor, when=_of_elementwise, counts=True)
def part_of_elementwise(node: Apply, uses: Uses) -> Variable | None:
    """(x + 1)[i] -> x[i] + 1, where nothing else needs the whole of x + 1."""
    whole: Any = node.inputs[0]
    entries = _entries(node)
    if entries is None or uses(whole) > 1 or made_by(whole, Elemwise) is None or any(_is_new(e) for e in entries):
        return None
    operands = whole.owner.inputs
    full = [v for v in operands if v.type.broadcastable == whole.type.broadcastable]
    if not full or not all(v in full or all(v.type.broadcastable) for v in operands):
        return None
    if not all(same_lengths(v, full[0]) for v in full[1:]):
        return None
    return fitted(whole.owner.op(*[_part_of_operand(v, entries, v in full) for v in operands]), node)


def _part_of_operand(v: Any, entries: Sequence[Entry], full: bool) -> Any:
    if full:
        return _take(v, entries)
    behind = entries[len(entries) - v.type.ndim:]
    return _take(v, [FULL if isinstance(e, tuple) else 0 for e in behind])  # one element, stretched


@rewrite_rule(Subtensor, when=made_of(Reduce), counts=True)
def part_of_reduced(node: Apply, uses: Uses) -> Variable | None:
    """sum(x, axis=1)[i] -> sum(x[i], axis=0), where nothing else needs the other sums."""
    whole, entries = node.inputs[0], _entries(node)
    reduced = made_by(whole, Reduce)
    if entries is None or reduced is None or reduced.op.keepdims or uses(whole) > 1 or any(map(_is_new, entries)):
        return None
    op, source = reduced.op, reduced.inputs[0]
    supply = iter(entries)
    taken = [FULL if axis in op.axes else next(supply) for axis in range(source.type.ndim)]
    left = [axis for axis in range(source.type.ndim) if isinstance(taken[axis], tuple)]
    axes = tuple(left.index(axis) for axis in op.axes)
    return fitted(Reduce(op.kind, axes, op.dtype, op.acc_dtype)(_take(source, taken)), node)


@rewrite_rule(Subtensor, when=made_of(Dot), counts=True)
def part_of_product(node: Apply, uses: Uses) -> Variable | None:
    """dot(A, B)[i, j] -> dot(A[i], B[:, j]), where nothing else needs the whole product."""
    whole, entries = node.inputs[0], _entries(node)
    product = made_by(whole, Dot)
    if entries is None or product is None or uses(whole) > 1 or any(map(_is_new, entries)):
        return None
    a, b = product.inputs
    rows, columns = entries[:a.type.ndim - 1], entries[a.type.ndim - 1:]
    left, right = _take(a, [*rows, FULL]), _take(b, [FULL, *columns])
    return fitted(Dot()(left, right), node)


@rewrite_rule(Subtensor, when=made_of(DimShuffle))
def part_of_shuffled(node: Apply) -> Variable | None:
    """x.T[i] -> x[:, i], x[:, None][i, 0] -> x[i]."""
    entries, shuffled = _entries(node), made_by(node.inputs[0], DimShuffle)
    if entries is None or shuffled is None or any(map(_is_new, entries)):
        return None
    source, order = shuffled.inputs[0], shuffled.op.order
    taken: list[Entry] = [FULL] * source.type.ndim
    kept: list[Any] = []
    for axis, entry in zip(order, entries, strict=True):
        if axis == "x":
            if not _is_full(entry) and (isinstance(entry, tuple) or _number(entry) not in (0, -1)):
                return None
            kept += ["x"] * isinstance(entry, tuple)
        else:
            taken[axis] = entry
            kept += [axis] * isinstance(entry, tuple)
    dropped = [axis for axis in range(source.type.ndim) if axis not in order]
    left = [axis for axis in range(source.type.ndim) if isinstance(taken[axis], tuple)]
    if any(axis not in left for axis in dropped):
        return None
    return fitted(dimshuffle(_take(source, taken), ["x" if a == "x" else left.index(a) for a in kept]), node)


@rewrite_rule(Subtensor, when=made_of(Alloc))
def part_of_stretched(node: Apply) -> Variable | None:
    """alloc(v, n)[a:b] -> alloc(v, the length of that): slices, which cannot be out of range."""
    entries, stretched = _entries(node), made_by(node.inputs[0], Alloc)
    if entries is None or stretched is None or not all(isinstance(e, tuple) for e in entries):
        return None
    value, *lengths = stretched.inputs
    mine = entries[len(entries) - value.type.ndim:] if value.type.ndim else []
    if any(not _is_full(e) and n != 1 for e, n in zip(mine, value.type.shape, strict=True)):
        return None
    (found,) = node.op.infer_shape(node, [tuple(lengths), *[()] * (len(node.inputs) - 1)])
    if any(isinstance(n, Variable) and isinstance(getattr(n.owner, "op", None), ShapeI)
           and n.owner.inputs[0] is node.outputs[0] for n in found):  # type: ignore[union-attr]
        return None
    return fitted(Alloc()(value, *found), node)


@rewrite_rule(Subtensor, when=made_of(Join))
def part_of_joined(node: Apply) -> Variable | None:
    """concatenate([x, y])[i] -> x[i], where the lengths known say that the part is one of x alone."""
    entries, joined = _entries(node), made_by(node.inputs[0], Join)
    if entries is None or joined is None or any(map(_is_new, entries)):
        return None
    axis, pieces = joined.op.axis, joined.inputs
    entry, starts = entries[axis], _starts([v.type.shape[axis] for v in pieces])
    for piece, (start, end) in zip(pieces, starts, strict=True):
        if start is None or end is None:
            return None
        within = _within(entry, start, end)
        if within is not None:
            return fitted(_take(piece, [*entries[:axis], within, *entries[axis + 1:]]), node)
    return None


def _starts(lengths: Sequence[int | None]) -> list[tuple[int | None, int | None]]:
    """Where each piece starts and ends, as far as that is known from the front."""
    found: list[tuple[int | None, int | None]] = []
    start: int | None = 0
    for length in lengths:
        end = None if start is None or length is None else start + length
        found.append((start, end))
        start = end
    return found


def _within(entry: Entry, start: int, end: int) -> Entry | None:
    """An entry counted from the start of a piece, where it names something in this piece alone."""
    if not isinstance(entry, tuple):
        place = _number(entry)
        return place - start if place is not None and start <= place < end else None
    bounds = _plain(entry)
    if bounds is None:
        return None
    low, high, by = bounds
    return (low - start, high - start, by) if high is not None and start <= low <= high <= end else None


@rewrite_rule(Subtensor, when=made_of(MakeVector))
def part_of_vector(node: Apply) -> Variable | None:
    """[a, b, c][1:] -> [b, c]."""
    entries, vector = _entries(node), made_by(node.inputs[0], MakeVector)
    if entries is None or vector is None or len(entries) != 1 or not isinstance(entries[0], tuple):
        return None
    bounds = [None if part is None else _number(part) for part in entries[0]]
    if any(part is not None and known is None for part, known in zip(entries[0], bounds, strict=True)):
        return None
    chosen = list(vector.inputs)[slice(*bounds)]
    return fitted(make_vector(*chosen, dtype=vector.op.dtype), node) if chosen else None


# ---- parts that are written -------------------------------------------------------------------------------------


@rewrite_rule(Subtensor, when=made_of(IncSubtensor))
def part_just_set(node: Apply) -> Variable | None:
    """set_subtensor(x[i], y)[i] -> y, and inc_subtensor(zeros[i], y)[i] -> y, for an index without arrays."""
    written = made_by(node.inputs[0], IncSubtensor)
    if written is None or node.op.is_advanced or written.op.spec != node.op.spec:
        return None
    base, value, *index = written.inputs
    if list(node.inputs[1:]) != index or not (written.op.set_instead or is_zeros(base)):
        return None
    if not all(isinstance(e, SliceSpec) or e == NEWAXIS for e in node.op.spec):
        return None if value.type.dtype != node.outputs[0].type.dtype else _if_in_range(node, value)
    return fitted(value, node) if value.type.dtype == base.type.dtype else None


def _if_in_range(node: Apply, value: Any) -> Variable | None:
    """The value, where each integer of the index is known to name something."""
    axis = 0
    for entry in node.op.spec:
        length = node.inputs[0].type.shape[axis] if entry != NEWAXIS else None
        if isinstance(entry, int) and (length is None or not -length <= entry < length):
            return None
        if entry == SCALAR:
            return None
        axis += entry != NEWAXIS
    return fitted(value, node)


@rewrite_rule(Subtensor, when=made_of(IncSubtensor))
def part_not_written(node: Apply) -> Variable | None:
    """set_subtensor(x[0], y)[1] -> x[1]."""
    written = made_by(node.inputs[0], IncSubtensor)
    if written is None:
        return None
    mine, theirs = node.op.spec[:1], written.op.spec[:1]
    if node.op.is_advanced or written.op.is_advanced or not mine or not theirs:
        return None
    i, j = mine[0], theirs[0]
    length = written.inputs[0].type.shape[0]
    if not isinstance(i, int) or not isinstance(j, int) or length is None or i % length == j % length:
        return None
    if not -length <= i < length or not -length <= j < length:
        return None
    return node.op(written.inputs[0], *node.inputs[1:])


@rewrite_rule(IncSubtensor)
def write_all(node: Apply) -> Variable | None:
    """x[:] = y -> y, and x[:] += y -> x + y."""
    op, (x, value) = node.op, node.inputs[:2]
    if not all(isinstance(e, SliceSpec) and e.is_full for e in op.spec):
        return None
    if value.type.dtype != x.type.dtype:
        return None
    if not op.set_instead:
        return fitted(x + value, node)  # type: ignore[operator]
    same = value.type.broadcastable == x.type.broadcastable
    return fitted(value if same and same_lengths(value, x) else stretch(value, node), node)


@rewrite_rule(IncSubtensor, when=made_of(IncSubtensor))
def set_twice(node: Apply) -> Variable | None:
    """What is set at once again at the same place need not be set before."""
    op, (x, value, *index) = node.op, node.inputs
    first = made_by(x, IncSubtensor)
    if first is None or not op.set_instead or op.is_advanced or first.op.spec != op.spec:
        return None
    return op(first.inputs[0], value, *index) if list(first.inputs[2:]) == index else None


@rewrite_rule(IncSubtensor, when=made_of(Subtensor, RequireLengths))
def set_to_itself(node: Apply) -> Variable | None:
    """x[i] = x[i] -> x."""
    op, (x, value, *index) = node.op, node.inputs
    checked = made_by(value, RequireLengths)
    part = made_by(value if checked is None else checked.inputs[0], Subtensor)
    if part is None or not op.set_instead or part.op.spec != op.spec or list(part.inputs) != [x, *index]:
        return None
    slices = all(isinstance(e, SliceSpec) or e == NEWAXIS for e in op.spec)
    return x if slices else None


SUBTENSOR = (
    slice_to_the_end, part_of_part, gather_in_order, part_of_vector, part_of_stretched, part_of_joined, part_just_set,
    part_not_written, part_of_shuffled, write_all, set_twice, set_to_itself, part_of_elementwise, part_of_reduced,
    part_of_product,
)
