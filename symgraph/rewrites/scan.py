"""Rules about loops: what need not be done in each step is done before or after, for all steps at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from symgraph import scalar
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.fgraph import FunctionGraph
from symgraph.graph.inner import InnerGraph
from symgraph.graph.rewrite import made_of, rewrite_rule
from symgraph.graph.rule import Uses
from symgraph.graph.traversal import clone_replace, toposort
from symgraph.rewrites.patterns import applied, fitted, is_zeros, made_by
from symgraph.scan.op import Outputs, Scan
from symgraph.tensor.basic import Alloc, alloc
from symgraph.tensor.checks import require
from symgraph.tensor.dimshuffle import DimShuffle, dimshuffle
from symgraph.tensor.elemwise import Elemwise, elemwise
from symgraph.tensor.join import Join
from symgraph.tensor.products import Dot
from symgraph.tensor.reduce import Reduce
from symgraph.tensor.shape import Reshape, shape_i
from symgraph.tensor.subtensor import NEWAXIS, SliceSpec, Subtensor
from symgraph.vectorize import vectorize_all

__all__ = ["LOOPS", "Carried", "Parts", "parts_of"]

_MOST_SUMS = 30  # in a row that are looked through
_BACKWARD, _FROM_FIRST = (SliceSpec(None, None, -1),), (SliceSpec(1),)


# ---- a loop taken apart and put together ---------------------------------------


@dataclass(frozen=True)
class Carried:
    """A state: what stands for it in a step, its first value, its next value, and whether all values are kept."""

    slot: Any
    initial: Any
    after: Any
    kept: bool


@dataclass
class Parts:
    """A loop taken apart, to be changed and put together again.

    Attributes
    ----------
    node : Apply
    rows, fixed : dict of Variable to Variable
        What stands for an element of a sequence, or for what is the same in all steps, and what it stands for.
    states : dict of int to Carried
        By their numbers in the node.
    traces : dict of int to Variable
        What is collected, by its number in the node.
    condition : Variable or None
    backwards : bool
    results : dict of Variable to Variable
        What replaces outputs of the node, where that is not simply an output of the new one.
    """

    node: Apply
    rows: dict[Any, Any]
    states: dict[int, Carried]
    fixed: dict[Any, Any]
    traces: dict[int, Any]
    condition: Any
    backwards: bool = False
    results: dict[Any, Any] = field(default_factory=dict)

    @property
    def outputs(self) -> list[Any]:
        """Of the graph of a step."""
        return [*(s.after for s in self.states.values()), *self.traces.values(),
                *([] if self.condition is None else [self.condition])]

    @property
    def body(self) -> list[Apply]:
        """The nodes of a step, in order."""
        return toposort(self.outputs, {*self.rows, *self.fixed, *(s.slot for s in self.states.values())})

    def substitute(self, stand_ins: dict[Any, Any]) -> None:
        """Put other variables in the place of some, all through the graph of a step."""
        new = iter(clone_replace(self.outputs, stand_ins))
        self.states = {i: replace(s, after=next(new)) for i, s in self.states.items()}
        self.traces = {m: next(new) for m in self.traces}
        self.condition = None if self.condition is None else next(new)

    def build(self) -> Outputs:
        """The outputs of the loop put together."""
        op, states = self.node.op, list(self.states.values())
        inputs = [*self.rows, *(s.slot for s in states), *self.fixed]
        graph = InnerGraph(inputs, self.outputs, op.graph.name)
        made = Scan(graph, len(self.rows), len(states), [s.kept for s in states], len(self.traces),
                    self.condition is not None, op.truncate, op.name, self.backwards)
        node = made.make_node(self.node.inputs[0], *self.rows.values(), *(s.initial for s in states),
                              *self.fixed.values())
        return made.outputs(node.outputs)

    def rebuilt(self, new: Outputs | None = None) -> list[Any]:
        """What takes the place of the outputs of the node; those that nothing reads stay what they are.

        Parameters
        ----------
        new : Outputs, optional
            Of the loop put together, if it is already.
        """
        new = self.build() if new is None else new
        old = self.node.op.outputs(self.node.outputs)
        found: dict[Any, Any] = dict(self.results)
        for place, (i, state) in enumerate(self.states.items()):
            found.setdefault(old.final[i], new.final[place])
            if i in old.histories and state.kept:
                found.setdefault(old.histories[i], new.histories[place])
        for m, trace in zip(self.traces, new.traces, strict=True):
            if m < len(old.traces):
                found.setdefault(old.traces[m], trace)
        if old.steps is not None:
            found.setdefault(old.steps, new.steps)
        return [found.get(v, v) for v in self.node.outputs]


def parts_of(node: Apply) -> Parts:
    """A loop taken apart."""
    op = node.op
    inputs, slots = op.inputs(node.inputs), op.slots
    states = zip(slots.states, inputs.states, op.next_states, op.kept, strict=True)
    return Parts(node, dict(zip(slots.sequences, inputs.sequences, strict=True)),
                 {i: Carried(*found) for i, found in enumerate(states)},
                 dict(zip(slots.fixed, inputs.fixed, strict=True)), dict(enumerate(op.traced)), op.condition,
                 op.backwards)


def _slot(v: Any) -> Any:
    """What stands in a step for an element, or for something of the same type."""
    slot = v.type.make_variable(v.name)
    slot.origin = v.origin if v.owner is None else v.owner.origin
    return slot


def _read(parts: Parts) -> dict[Any, int]:
    """How often each variable is read in a step, or given by it."""
    found: dict[Any, int] = {}
    for v in [*(v for node in parts.body for v in node.inputs), *parts.outputs]:
        found[v] = found.get(v, 0) + 1
    return found


# ---- what a loop reads and gives ---------------------------------------


@rewrite_rule(Scan)
def loop_reads_once(node: Apply) -> Sequence[Variable] | None:
    """What a step does not read is not passed to it; what it reads twice, once; a number is part of it."""
    parts = parts_of(node)
    read: dict[Any, int] = _read(parts)
    stand_ins: dict[Any, Any] = {}
    for slot, x in list(parts.fixed.items()):
        if isinstance(x, Constant) and x.type.ndim == 0:
            stand_ins[slot] = x
            del parts.fixed[slot]
    for table in (parts.rows, parts.fixed):
        seen: dict[Any, Any] = {}
        for slot, x in list(table.items()):
            first = seen.setdefault(x, slot) if slot in read else None
            if first is not slot:
                stand_ins[slot] = slot if first is None else first
                del table[slot]
    for slot, x in list(parts.rows.items()):
        same = made_by(x, Alloc)
        if same is not None and same.inputs[0].type.ndim < x.type.ndim:
            row = Alloc()(same.inputs[0], *same.inputs[2:]) if len(same.inputs) > 2 else same.inputs[0]
            if row.type == slot.type:
                del parts.rows[slot]
                parts.fixed[slot] = row
                stand_ins.setdefault(slot, slot)
    if not stand_ins:
        return None
    parts.substitute({a: b for a, b in stand_ins.items() if a is not b})
    return parts.rebuilt()


@rewrite_rule(Scan, counts=True)
def unread_results(node: Apply, uses: Uses) -> Sequence[Variable] | None:
    """A result that nothing reads is not collected, and a state without which all others can be had is none."""
    op, old, parts = node.op, node.op.outputs(node.outputs), parts_of(node)
    dropped = [m for m in parts.traces if not uses(old.traces[m])]
    unkept = [i for i, history in old.histories.items() if not uses(history)]
    for m in dropped:
        del parts.traces[m]
    for i in unkept:
        parts.states[i] = replace(parts.states[i], kept=False)
    needed = {i for i, s in parts.states.items() if s.kept or uses(old.final[i])}
    roots = [*parts.traces.values(), *([] if parts.condition is None else [parts.condition])]
    slots = {s.slot: i for i, s in parts.states.items()}
    pending = [*roots, *(parts.states[i].after for i in needed)]
    while pending:
        reached = {v for n in toposort(pending, slots) for v in n.inputs} | set(pending)
        more = {slots[v] for v in reached if v in slots} - needed
        needed |= more
        pending = [parts.states[i].after for i in more]
    idle = parts.states.keys() - needed
    if not dropped and not unkept and not idle:
        return None
    if not needed and not parts.traces and not op.until:
        return None  # nothing reads the loop at all
    parts.states = {i: s for i, s in parts.states.items() if i in needed}
    return parts.rebuilt()


@rewrite_rule(Scan)
def state_that_stays(node: Apply) -> Sequence[Variable] | None:
    """A state that never changes is none."""
    parts, old = parts_of(node), node.op.outputs(node.outputs)
    steps: Any = node.inputs[0]
    still = [i for i, s in parts.states.items() if s.after is s.slot and s.slot.type.is_super(s.initial.type)
             and not (s.kept and parts.condition is not None)]
    for i in still:
        state = parts.states.pop(i)
        x = parts.fixed[state.slot] = state.initial
        parts.results[old.final[i]] = x
        if state.kept:
            parts.results[old.histories[i]] = alloc(x, steps + 1, *(shape_i(x, a) for a in range(x.type.ndim)))
    return parts.rebuilt() if still else None


@rewrite_rule(Scan)
def equal_states(node: Apply) -> Sequence[Variable] | None:
    """Two states that begin as one and change in the same way are one."""
    parts, old = parts_of(node), node.op.outputs(node.outputs)
    keys: dict[int, Any] = {i: (s.initial, s.slot.type) for i, s in parts.states.items()}
    while True:  # states are told apart until those that are not, change in the same way
        first: dict[Any, int] = {}
        leader = {i: first.setdefault(key, i) for i, key in keys.items()}
        slots = {s.slot: parts.states[leader[i]].slot for i, s in parts.states.items() if leader[i] != i}
        if not slots:
            return None
        inputs = [*parts.rows, *(s.slot for s in parts.states.values()), *parts.fixed]
        after = FunctionGraph(inputs, clone_replace([s.after for s in parts.states.values()], slots)).outputs
        keys = {i: (leader[i], v) for i, v in zip(parts.states, after, strict=True)}
        if len(set(keys.values())) == len(first):
            break
    twins = {i: j for i, j in leader.items() if i != j}
    parts.substitute({parts.states[i].slot: parts.states[j].slot for i, j in twins.items()})
    for i, j in twins.items():
        if parts.states.pop(i).kept:
            parts.states[j] = replace(parts.states[j], kept=True)
    new = parts.build()
    places = {i: place for place, i in enumerate(parts.states)}
    for i, j in twins.items():
        parts.results[old.final[i]] = new.final[places[j]]
        if i in old.histories:
            parts.results[old.histories[i]] = new.histories[places[j]]
    return parts.rebuilt(new)


@rewrite_rule(Scan)
def collected_twice(node: Apply) -> Sequence[Variable] | None:
    """What is collected is had from a sequence, a history, or another collected value, where it is the same."""
    parts, old = parts_of(node), node.op.outputs(node.outputs)
    kept = {s.after: i for i, s in parts.states.items() if s.kept and i in old.histories}
    earlier = {s.slot: i for i, s in parts.states.items() if s.kept and i in old.histories}
    first: dict[Any, int] = {}
    made = node.inputs[0] if old.steps is None else None
    gone = []
    for m, v in parts.traces.items():
        result = None
        if v in kept and not parts.backwards:
            result = old.histories[kept[v]][1:]
        elif v in earlier and not parts.backwards:
            result = old.histories[earlier[v]][:-1]
        elif v in parts.rows and made is not None:
            result = parts.rows[v]
        elif v in parts.fixed and made is not None and v.type.ndim == 0:
            result = alloc(parts.fixed[v], made)
        elif v in first:
            result = old.traces[first[v]]
        if result is not None and old.traces[m].type.is_interchangeable(result.type):
            gone.append((m, result))
        else:
            first.setdefault(v, m)
    if not gone:
        return None
    for m, _ in gone:
        del parts.traces[m]
    new = dict(zip(node.outputs, parts.rebuilt(), strict=True))
    stale = {v: w for v, w in new.items() if v is not w}
    for m, result in gone:
        new[old.traces[m]] = clone_replace(result, stale)
    return [new[v] for v in node.outputs]


@rewrite_rule(Scan)
def from_the_end(node: Apply) -> Sequence[Variable] | None:
    """A loop along x[::-1] goes along x from its end, and so do the results it collects."""
    parts, old = parts_of(node), node.op.outputs(node.outputs)
    if parts.condition is not None or not parts.rows:
        return None
    turned = [_turned(x) for x in parts.rows.values()]
    if any(x is None for x in turned):
        return None
    parts.rows = dict(zip(parts.rows, turned, strict=True))
    parts.backwards = not parts.backwards
    new = parts.build()
    parts.results.update((v, w[::-1]) for v, w in zip(old.traces, new.traces, strict=True))
    return parts.rebuilt(new)


def _turned(x: Any) -> Any:
    """What x is, gone through from the end; None where it is not x[::-1]."""
    part = made_by(x, Subtensor)
    if part is None or part.op.is_advanced:
        return None
    place = next((i for i, entry in enumerate(part.op.spec) if isinstance(entry, SliceSpec) or entry == NEWAXIS), None)
    if place is None or part.op.spec[place] != _BACKWARD[0]:
        return None
    spec = (*part.op.spec[:place], SliceSpec(), *part.op.spec[place + 1:])
    return part.inputs[0] if spec == (SliceSpec(),) else Subtensor(spec)(*part.inputs)


@rewrite_rule(Subtensor, when=made_of(Scan, Subtensor))
def last_state(node: Apply) -> Variable | None:
    """history[1:][-1] -> the last state: no history is kept for it."""
    history, first = node.inputs[0], None
    if node.op.spec[:1] != (-1,):
        return None
    part = made_by(history, Subtensor)
    if part is not None:
        if part.op.spec != _FROM_FIRST:
            return None
        first, history = part, part.inputs[0]
    loop = made_by(history, Scan)
    if loop is None:
        return None
    outputs = loop.op.outputs(loop.outputs)
    place = next((i for i, v in outputs.histories.items() if v is history), None)
    if place is None:
        return None
    last: Any = outputs.final[place]
    if first is not None:
        last = require(last, elemwise(scalar.ge)(loop.inputs[0], 1), "index -1 is out of bounds for axis 0 with size 0",
                       IndexError)
    rest = node.op.spec[1:]
    return fitted(Subtensor(rest)(last, *node.inputs[1:]) if rest else last, node)


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
    slots = {v: _slot(v) for v in wanted}
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
    read, moving = _read(parts), {s.slot for s in parts.states.values()}
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
    slots = {v: _slot(v) for v in wanted}
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
    turned = {u: _turned(x) for u, x in parts.rows.items()}
    groups: dict[bool, list[Any]] = {}
    for v in wanted:
        read = {u for n in toposort([v], {*parts.rows, *parts.fixed}) for u in n.inputs if u in parts.rows}
        groups.setdefault(all(turned[u] is not None for u in read), []).append(v)
    found: dict[Any, Any] = {}
    for backward, members in groups.items():
        table: dict[Any, tuple[Any, bool]] = {u: (x, False) for u, x in parts.fixed.items()}
        rows = {u: turned[u] if backward else x for u, x in parts.rows.items()}
        table.update((u, (x, True)) for u, x in rows.items() if x is not None)
        for v, (x, _) in zip(members, vectorize_all(members, table), strict=True):
            found[v] = x[::-1] if backward else x
    return {v: found[v] for v in wanted}


# ---- what is done behind a loop ---------------------------------------


@rewrite_rule(Scan)
def sums_out(node: Apply) -> Sequence[Variable] | None:
    """A state that only sums up products or sums: they are collected in parts, and summed by one product."""
    parts, old = parts_of(node), node.op.outputs(node.outputs)
    read = _read(parts)
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


def fitted_to(result: Any, wanted: Any) -> Any:
    """A result, where it is of the type of another."""
    same = (result.type.dtype, result.type.broadcastable) == (wanted.type.dtype, wanted.type.broadcastable)
    return result if same else None


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
        turned = made_by(a, DimShuffle)
        if turned is not None and turned.op.order == (1, 0):
            return [turned.inputs[0], b], lambda x, y: Dot()(_joined(x).T, _joined(y))
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


# ---- loops that are none ---------------------------------------


@rewrite_rule(Scan)
def single_step(node: Apply) -> Sequence[Variable] | None:
    """A loop of one step is that step."""
    steps = node.inputs[0]
    if not isinstance(steps, Constant) or int(steps.data) != 1:
        return None
    op, inputs = node.op, node.op.inputs(node.inputs)
    found = op.graph.applied_to([*(x[0] for x in inputs.sequences), *inputs.states, *inputs.fixed])
    final, traces = found[: op.n_states], found[op.n_states: op.n_states + op.n_traces]
    results: list[Any] = [*final]
    results += [Join(0)(_padded(inputs.states[i]), _padded(final[i])) for i, kept in enumerate(op.kept) if kept]
    results += [_padded(v) for v in traces]
    results += [steps] if op.until else []
    good = all(a.type.is_interchangeable(b.type) and a.type.is_super(b.type)
               for a, b in zip(node.outputs, results, strict=True))
    return results if good else None


def _padded(x: Any) -> Any:
    return dimshuffle(x, ("x", *range(x.type.ndim)))


LOOPS = (
    loop_reads_once, unread_results, state_that_stays, from_the_end, equal_states, collected_twice, last_state,
    single_step, invariants_out, known_terms_first, elements_out, sums_out,
)
