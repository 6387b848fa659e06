"""Rules that move work out of loops: done once, or for all steps at once, before the loop or behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from symgraph import scalar
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.rewrite import rewrite_rule
from symgraph.graph.traversal import clone_replace, toposort
from symgraph.rewrites.parts import Carried, Parts, fitted_to, parts_of, read_in, slot_for, turned
from symgraph.rewrites.patterns import applied, is_zeros, made_by
from symgraph.scan.op import Scan
from symgraph.tensor.dimshuffle import DimShuffle, dimshuffle
from symgraph.tensor.elemwise import Elemwise
from symgraph.tensor.products import Dot
from symgraph.tensor.reduce import Reduce
from symgraph.tensor.shape import Reshape, shape_i
from symgraph.tensor.subtensor import Subtensor
from symgraph.vectorize import vectorize_all

__all__ = ["HOISTING"]

_MOST_SUMS = 30  # in a row that are looked through


# ---- what is done before a loop ---------------------------------------


@rewrite_rule(Scan)
def invariants_out(node: Apply) -> Sequence[Variable] | None:
    """What is the same in all steps is computed once."""
    parts = parts_of(node)
    still: set[Any] = set(parts.fixed)
    made: list[Apply] = []
    for inner in parts.body:
        if all(v in still or isinstance(v, Constant) for v in inner.inputs):
            still.update(inner.outputs)
            made.append(inner)
    wanted = _frontier(parts, made)
    if not wanted:
        return None
    slots = {v: slot_for(v) for v in wanted}
    outside = clone_replace(wanted, parts.fixed)
    parts.fixed = {**parts.fixed, **{slots[v]: x for v, x in zip(wanted, outside, strict=True)}}
    parts.substitute(slots)
    return parts.rebuilt()


def _frontier(parts: Parts, made: Sequence[Apply]) -> list[Any]:
    """What some nodes of a step make and the others read."""
    mine = set(made)
    own = {v for node in made for v in node.outputs}
    read = dict.fromkeys(v for node in parts.body if node not in mine for v in node.inputs)
    read.update(dict.fromkeys(parts.outputs))
    return [v for v in read if v in own]


@rewrite_rule(Scan)
def known_terms_first(node: Apply) -> Sequence[Variable] | None:
    """(h + x_t) + b -> h + (x_t + b): what does not depend on states is summed first, and then not in the loop."""
    parts = parts_of(node)
    read, moving = read_in(parts), {s.slot for s in parts.states.values()}
    for inner in parts.body:
        if not moving.isdisjoint(inner.inputs):
            moving.update(inner.outputs)
    sums = [inner.outputs[0] for inner in parts.body if inner.outputs[0] in moving
            and applied(inner.outputs[0], scalar.add) is not None and inner.outputs[0].type.numpy_dtype.kind == "f"]
    for whole in reversed(sums):
        found = _regrouped(whole, moving, read, parts)
        if found is not None:
            parts.substitute({whole: found})
            return parts.rebuilt()
    return None


def _regrouped(whole: Any, moving: set[Any], read: dict[Any, int], parts: Parts) -> Any:
    """A sum in which the terms that can be summed before the loop come first; None where they do, or are not two."""
    grouped: list[set[Any]] = []

    def gather(v: Any, depth: int) -> list[Any]:
        added = applied(v, scalar.add)
        if added is None or (depth and read.get(v) != 1) or depth > _MOST_SUMS or fitted_to(v, whole) is None:
            return [v]
        mine = [t for u in added.inputs for t in gather(u, depth + 1)]
        grouped.append(set(mine))
        return mine

    terms = gather(whole, 0)
    known = [t for t in terms if t not in moving]
    in_rows = {t for t in known if _depends(t, parts.rows)}
    base = max(in_rows or known, key=lambda t: t.type.ndim - sum(t.type.broadcastable), default=None)
    if base is None:
        return None
    group = [base, *(t for t in known if t is not base and _stretches_to(t, base))]
    if len(group) < 2 or len(group) == len(terms) or set(group) in grouped:
        return None
    total = group[0]
    for t in group[1:]:
        total = total + t
    for t in terms:
        if t not in group:
            total = t + total
    return fitted_to(total, whole)


def _depends(v: Any, rows: dict[Any, Any]) -> bool:
    """Whether a variable depends on an element of a sequence."""
    return v in rows or any(u in rows for n in toposort([v], rows) for u in n.inputs)


def _stretches_to(t: Any, base: Any) -> bool:
    """Whether the sum of two variables has the shape of the second."""
    if t.type.ndim > base.type.ndim or t.type.dtype != base.type.dtype:
        return False
    behind = base.type.broadcastable[base.type.ndim - t.type.ndim:]
    return all(mine or not theirs for mine, theirs in zip(t.type.broadcastable, behind, strict=True))


@rewrite_rule(Scan)
def elements_out(node: Apply) -> Sequence[Variable] | None:
    """What depends on elements of sequences alone is computed for the whole sequences: one product, not many."""
    if node.op.until:
        return None  # of elements behind the last step nothing must be computed
    parts = parts_of(node)
    moving: set[Any] = set(parts.rows)
    still: set[Any] = set(parts.fixed)
    made = []
    for inner in parts.body:
        known = all(v in moving or v in still or isinstance(v, Constant) for v in inner.inputs)
        if known and _is_for_all(inner, moving):
            moving.update(inner.outputs)
            made.append(inner)
    wanted = _frontier(parts, made)
    if not wanted:
        return None
    slots = {v: slot_for(v) for v in wanted}
    for v, x in _for_all(wanted, parts).items():
        parts.rows[slots[v]] = x
    parts.substitute(slots)
    return parts.rebuilt()


def _is_for_all(node: Apply, moving: set[Any]) -> bool:
    """Whether an application is better done for all steps at once, in about the memory of the sequences it reads."""
    op, out = node.op, node.outputs[0]
    read = [v for v in node.inputs if v in moving]
    if not read:
        return False
    if isinstance(op, Elemwise):
        return any(v.type.broadcastable == out.type.broadcastable for v in read)
    if isinstance(op, Dot):
        return len(read) == 1 and node.inputs[0] is not node.inputs[1] and (
            node.inputs[0] in moving or node.inputs[0].type.ndim == 2)
    if isinstance(op, (Reduce, DimShuffle)):
        return True
    return isinstance(op, Subtensor) and not op.is_advanced and read == [node.inputs[0]]


def _for_all(wanted: Sequence[Any], parts: Parts) -> dict[Any, Any]:
    """Results of a step for all elements; of sequences that are all gone through from their ends, so is the result."""
    whole = {u: turned(x) for u, x in parts.rows.items()}
    groups: dict[bool, list[Any]] = {}
    for v in wanted:
        read = {u for n in toposort([v], {*parts.rows, *parts.fixed}) for u in n.inputs if u in parts.rows}
        groups.setdefault(all(whole[u] is not None for u in read), []).append(v)
    found: dict[Any, Any] = {}
    for backward, members in groups.items():
        table: dict[Any, tuple[Any, bool]] = {u: (x, False) for u, x in parts.fixed.items()}
        rows = {u: whole[u] if backward else x for u, x in parts.rows.items()}
        table.update((u, (x, True)) for u, x in rows.items() if x is not None)
        for v, (x, _) in zip(members, vectorize_all(members, table), strict=True):
            found[v] = x[::-1] if backward else x
    return {v: found[v] for v in wanted}


# ---- what is done behind a loop ---------------------------------------


@rewrite_rule(Scan)
def sums_out(node: Apply) -> Sequence[Variable] | None:
    """A state that only sums up products or sums: they are collected in parts, and summed by one product."""
    parts, old = parts_of(node), node.op.outputs(node.outputs)
    read = read_in(parts)
    rank = max((u.type.ndim for u in parts.rows), default=-1)
    found = []
    for i, state in parts.states.items():
        term = _term(state, read)
        plan = None if state.kept or term is None else _plan(term, rank)
        if plan is not None:
            found.append((i, *plan))
    if not found:
        return None
    number = max(parts.traces, default=-1)
    sums = []
    for i, collected, total in found:
        state = parts.states.pop(i)
        places = list(range(number + 1, number + 1 + len(collected)))
        number += len(collected)
        parts.traces.update(zip(places, collected, strict=True))
        sums.append((i, state, places, total))
    new = parts.build()
    by_number = dict(zip(parts.traces, new.traces, strict=True))
    for i, state, places, total in sums:
        result = total(*(by_number[p] for p in places))
        result = result if is_zeros(state.initial) else state.initial + result
        if fitted_to(result, old.final[i]) is None:
            return None
        parts.results[old.final[i]] = result
    return parts.rebuilt(new)


def _term(state: Carried, read: dict[Any, int]) -> Any:
    """What is added to a state in each step, where nothing else is done with it."""
    added = applied(state.after, scalar.add)
    if added is None or read.get(state.slot) != 1 or read.get(state.after) != 1:
        return None
    if state.slot.type.dtype not in ("float32", "float64") or state.slot not in added.inputs:
        return None
    (term,) = [v for v in added.inputs if v is not state.slot]
    return term if fitted_to(term, state.slot) is not None else None


Plan = tuple[list[Any], Callable[..., Any]]


def _plan(term: Any, rank: int) -> Plan | None:
    """What to collect of a term, and how its sum over all steps is had from that."""
    product = made_by(term, Dot)
    if product is not None and all(v.type.ndim == 2 for v in product.inputs) and rank >= 2:
        a, b = product.inputs
        flipped = made_by(a, DimShuffle)
        if flipped is not None and flipped.op.order == (1, 0):
            return [flipped.inputs[0], b], lambda x, y: Dot()(_joined(x).T, _joined(y))
        return [a, b], lambda x, y: Dot()(_joined(dimshuffle(x, (0, 2, 1))).T, _joined(y))
    outer = _outer(term)
    if outer is not None and rank >= 1:
        return list(outer), lambda x, y: Dot()(x.T, y)
    reduced = made_by(term, Reduce)
    if reduced is not None and reduced.op.kind == "sum" and not reduced.op.keepdims and (
            rank >= reduced.inputs[0].type.ndim):
        op = reduced.op
        return [reduced.inputs[0]], Reduce("sum", (0, *(axis + 1 for axis in op.axes)), op.dtype, op.acc_dtype)
    if term.type.ndim <= 1 and rank >= term.type.ndim:
        return [term], lambda x: x.sum(axis=0)
    return None


def _joined(x: Any) -> Any:
    """Matrices one below the other."""
    return Reshape()(x, shape_i(x, 0) * shape_i(x, 1), shape_i(x, 2))


def _outer(term: Any) -> tuple[Any, Any] | None:
    """The vectors of which a matrix is the outer product."""
    product = applied(term, scalar.mul)
    if product is None or term.type.ndim != 2:
        return None
    found: dict[Any, Any] = {}
    for v in product.inputs:
        made = made_by(v, DimShuffle)
        if made is None or made.inputs[0].type.ndim != 1:
            return None
        found[made.op.order] = made.inputs[0]
    column, row = found.get((0, "x")), found.get(("x", 0))
    return None if column is None or row is None else (column, row)


HOISTING = (invariants_out, known_terms_first, elements_out, sums_out)
