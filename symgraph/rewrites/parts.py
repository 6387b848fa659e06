"""Loops taken apart and put together again, for the rules about them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from symgraph.graph.basic import Apply
from symgraph.graph.inner import InnerGraph
from symgraph.graph.traversal import clone_replace, toposort
from symgraph.rewrites.patterns import made_by
from symgraph.scan.op import Outputs, Scan
from symgraph.tensor.subtensor import NEWAXIS, SliceSpec, Subtensor

__all__ = ["Carried", "Parts", "fitted_to", "parts_of", "read_in", "slot_for", "turned"]


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


def slot_for(v: Any) -> Any:
    """What stands in a step for an element, or for something of the same type."""
    slot = v.type.make_variable(v.name)
    slot.origin = v.origin if v.owner is None else v.owner.origin
    return slot


def read_in(parts: Parts) -> dict[Any, int]:
    """How often each variable is read in a step, or given by it."""
    found: dict[Any, int] = {}
    for v in [*(v for node in parts.body for v in node.inputs), *parts.outputs]:
        found[v] = found.get(v, 0) + 1
    return found


def turned(x: Any) -> Any:
    """What x is, gone through from the end; None where it is not x[::-1]."""
    part = made_by(x, Subtensor)
    if part is None or part.op.is_advanced:
        return None
    place = next((i for i, entry in enumerate(part.op.spec) if isinstance(entry, SliceSpec) or entry == NEWAXIS), None)
    if place is None or part.op.spec[place] != SliceSpec(None, None, -1):
        return None
    spec = (*part.op.spec[:place], SliceSpec(), *part.op.spec[place + 1:])
    return part.inputs[0] if spec == (SliceSpec(),) else Subtensor(spec)(*part.inputs)


def fitted_to(result: Any, wanted: Any) -> Any:
    """A result, where it is of the type of another."""
    same = (result.type.dtype, result.type.broadcastable) == (wanted.type.dtype, wanted.type.broadcastable)
    return result if same else None
