"""Rules about loops: what they read and give, and loops that are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from symgraph import scalar
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.fgraph import FunctionGraph
from symgraph.graph.rewrite import made_of, rewrite_rule
from symgraph.graph.rule import Uses
from symgraph.graph.traversal import clone_replace, toposort
from symgraph.rewrites.hoisting import HOISTING
from symgraph.rewrites.parts import Carried, parts_of, read_in, turned
from symgraph.rewrites.patterns import fitted, made_by
from symgraph.scan.op import Scan
from symgraph.tensor.basic import Alloc, alloc
from symgraph.tensor.checks import require
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.elemwise import elemwise
from symgraph.tensor.join import Join
from symgraph.tensor.shape import shape_i
from symgraph.tensor.subtensor import SliceSpec, Subtensor

__all__ = ["LOOPS"]

_FROM_FIRST = (SliceSpec(1),)
_FURTHEST = 8  # steps back that are kept as states


# ---- what a loop reads and gives ---------------------------------------


@rewrite_rule(Scan)
def loop_reads_once(node: Apply) -> Sequence[Variable] | None:
    """What a step does not read is not passed to it; what it reads twice, once; a number is part of it."""
    parts = parts_of(node)
    read: dict[Any, int] = read_in(parts)
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
    forward = [turned(x) for x in parts.rows.values()]
    if any(x is None for x in forward):
        return None
    parts.rows = dict(zip(parts.rows, forward, strict=True))
    parts.backwards = not parts.backwards
    new = parts.build()
    parts.results.update((v, w[::-1]) for v, w in zip(old.traces, new.traces, strict=True))
    return parts.rebuilt(new)


@rewrite_rule(Subtensor, when=made_of(Scan, Subtensor))
def last_state(node: Apply) -> Variable | None:
    """history[1:][-1] -> the last state: no history is kept for it."""
    if node.op.spec[:1] != (-1,):
        return None
    found = _history(node.inputs[0])
    if found is None:
        return None
    loop, place, later = found
    last: Any = loop.op.outputs(loop.outputs).final[place]
    return _row_of(node, _after(loop, later, last, -1))


def _history(x: Any) -> tuple[Apply, int, int] | None:
    """The loop and the number of the state whose history x is, and from which row on."""
    later, part = 0, made_by(x, Subtensor)
    if part is not None and part.op.spec == _FROM_FIRST:
        later, x = 1, part.inputs[0]
    loop = made_by(x, Scan)
    histories = {} if loop is None else loop.op.outputs(loop.outputs).histories
    place = next((i for i, v in histories.items() if v is x), None)
    return None if loop is None or place is None else (loop, place, later)


def _after(loop: Apply, steps: int, value: Any, row: int) -> Any:
    """A value that is there after so many steps; else the error that indexing gives."""
    if not steps:
        return value
    return require(value, elemwise(scalar.ge)(loop.inputs[0], steps),
                   f"index {row} is out of bounds for axis 0: the loop makes less than {steps} steps", IndexError)


def _row_of(node: Apply, row: Any) -> Variable | None:
    """What an index takes of a row, whose number is its first entry."""
    rest = node.op.spec[1:]
    return fitted(Subtensor(rest)(row, *node.inputs[1:]) if rest else row, node)


@rewrite_rule(Subtensor, when=made_of(Scan, Subtensor), counts=True)
def one_of_the_last(node: Apply, uses: Uses) -> Variable | None:
    """history[1:][-3], where nothing else reads the history -> a state that looks back: no history is kept for it."""
    row = node.op.spec[0] if node.op.spec else None
    found = _read_here_only(node, uses)
    if not isinstance(row, int) or not -_FURTHEST <= row < -1 or found is None:
        return None
    loop, place, later = found
    return _row_of(node, _after(loop, -row - 1 + later, _looking_back(loop, place, -row)[0], row))


@rewrite_rule(Subtensor, when=made_of(Scan, Subtensor), counts=True)
def the_last_few(node: Apply, uses: Uses) -> Variable | None:
    """history[1:][-3:], where nothing else reads the history -> states that look back: no history is kept for them."""
    entry = node.op.spec[0] if node.op.spec else None
    found = _read_here_only(node, uses)
    if found is None or not isinstance(entry, SliceSpec) or entry.stop is not None or entry.step not in (None, 1):
        return None
    if not isinstance(entry.start, int) or not -_FURTHEST <= entry.start < 0:
        return None
    (loop, place, later), count = found, -entry.start
    rows = _looking_back(loop, place, count)
    few = Join(0)(*map(_padded, rows)) if count > 1 else _padded(rows[0])
    there = elemwise(scalar.add)(loop.inputs[0], 1 - later)  # of fewer steps there are fewer rows
    few = few[elemwise(scalar.maximum)(count - there, 0):]
    rest = node.op.spec[1:]
    return fitted(Subtensor((SliceSpec(), *rest))(few, *node.inputs[1:]) if rest else few, node)


def _read_here_only(node: Apply, uses: Uses) -> tuple[Apply, int, int] | None:
    """What `_history` says of what is indexed, where nothing else reads it and the loop makes all its steps."""
    if uses(node.inputs[0]) > 1:
        return None
    found = _history(node.inputs[0])
    if found is None or found[0].op.until or (found[2] and uses(node.inputs[0].owner.inputs[0]) > 1):  # type: ignore[union-attr]
        return None
    return found


def _looking_back(loop: Apply, place: int, count: int) -> list[Any]:
    """The last values of a state, so many, of a loop that carries them; where it makes fewer steps, any others."""
    parts = parts_of(loop)
    state = parts.states[place]
    added = len(parts.states)
    for _ in range(count - 1):
        slot = state.slot.type.make_variable(f"before {state.slot}")
        state = Carried(slot, parts.states[place].initial, state.slot, False)
        parts.states[len(parts.states)] = state
    final = parts.build().final
    return [final[i] for i in (*range(len(final) - 1, added - 1, -1), [*parts.states].index(place))]


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
    one_of_the_last, the_last_few, single_step, *HOISTING,
)
