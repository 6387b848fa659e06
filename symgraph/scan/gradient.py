"""The derivatives of a scan: backward, a scan that goes back through the steps; forward, one beside it.

One step backward is the chain rule applied to the graph of a step. It reads the states before and after the step from
their histories, takes the gradients of what the step collected as sequences, carries the gradients of the states as its
own states, and sums those of what is the same in all steps. What a step computed at some cost (a product, a draw, a
loop) and the backward step needs again is collected on the way forward; the rest is computed anew, for all steps at
once where it can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symgraph.graph.basic import Constant
from symgraph.graph.gates import GradientGate
from symgraph.graph.gradient import Rop, grad
from symgraph.graph.inner import InnerGraph
from symgraph.graph.traversal import clone_replace, toposort
from symgraph.graph.type import DisconnectedType, NullType
from symgraph.scan.build import close
from symgraph.scan.op import Inputs, Outputs, Scan
from symgraph.tensor.basic import Alloc, as_tensor_variable, zeros_like
from symgraph.tensor.elemwise import Elemwise
from symgraph.tensor.index import SliceSpec
from symgraph.tensor.math import minimum, switch
from symgraph.tensor.reduce import Reduce
from symgraph.tensor.shape import DimShuffle, MakeVector, Reshape, Shape, ShapeI
from symgraph.tensor.subtensor import IncSubtensor, Subtensor, set_subtensor
from symgraph.tensor.type import TensorType

__all__ = ["extended", "pulled", "pushed"]

#: What is cheaper to compute again than to keep for all steps.
_CHEAP = (Elemwise, Reduce, DimShuffle, Reshape, Subtensor, IncSubtensor, Alloc, Shape, ShapeI, MakeVector,
          GradientGate)


def _is_live(gradient: Any) -> bool:
    return gradient is not None and not isinstance(gradient.type, (DisconnectedType, NullType))


def _moves(variable: Any) -> bool:
    """Whether derivatives exist with respect to a variable: it is a tensor of real or complex numbers."""
    return isinstance(variable.type, TensorType) and not variable.type.is_discrete


def extended(op: Scan, keep: set[int], traces: Sequence[Any]) -> Scan:
    """The scan that also keeps the histories of some states, and collects some values of its step."""
    kept = [k or i in keep for i, k in enumerate(op.kept)]
    outputs = [*op.next_states, *op.traced, *traces, *([op.condition] if op.until else [])]
    return op.changed(InnerGraph(op.graph.inputs, outputs, op.graph.name), kept, op.n_traces + len(traces))


class _Beside:
    """A scan beside another one, which reads what the steps of that read and computed.

    Attributes
    ----------
    op, inputs, outputs
        The other scan.
    slots : Inputs
        Of its step.
    moving : set of Variable
        What in its step depends on states.
    """

    def __init__(self, op: Scan, inputs: Sequence[Any], outputs: Outputs) -> None:
        self.op, self.inputs, self.outputs, self.slots = op, op.inputs(inputs), outputs, op.slots
        self.next, self.traced = op.next_states, op.traced
        self.moving: set[Any] = {*self.slots.states}
        for node in op.graph.nodes:
            if not self.moving.isdisjoint(node.inputs):
                self.moving.update(node.outputs)

    @property
    def steps_made(self) -> Any:
        """How many steps the other scan makes."""
        return self.inputs.steps if self.outputs.steps is None else self.outputs.steps

    def steps(self) -> Any:
        """How many steps to make."""
        return self.steps_made

    def rows(self, x: Any, first: int = 0, behind: int | None = 0) -> Any:
        """The rows of what the other scan read or gave that are gone through.

        Parameters
        ----------
        x : Variable
        first : int
            The row for the first step.
        behind : int or None
            How many rows there are behind that for the last step, if that is known.
        """
        if behind is None:
            return x[: self.steps_made]
        return x[first: -behind if behind else None] if first or behind else x

    def scan(self, after: Sequence[Any], traces: Sequence[Any], carried: dict[Any, Any], rows: dict[Any, Any],
             kept: Sequence[bool], name: str) -> Outputs:
        """Build it.

        Parameters
        ----------
        after : sequence of Variable
            For each state the expression of its next value.
        traces : sequence of Variable
            What to collect.
        carried : dict of Variable to Variable
            What stands for each state in a step, and its initial value.
        rows : dict of Variable to Variable
            What stands for an element, and the sequence.
        kept : sequence of bool
            The states whose histories are wanted.
        name : str
        """
        bodies = [*after, *traces]
        stand_ins, given = self._read_back(bodies, {*carried, *rows})
        bodies = clone_replace(bodies, stand_ins)
        rows = dict(rows)
        for slot, x in zip(self.slots.sequences, self.inputs.sequences, strict=True):
            rows[slot] = self.rows(x, behind=None if self.op.until else 0)
        for i, history in given.histories.items():
            rows[self.slots.states[i]] = self.rows(history, behind=1)
        for (kind, place), v in self.stored.items():
            rows[v] = self.rows(given.histories[place], 1) if kind == "next" else self.rows(given.traces[place])
        read = {v for node in toposort(bodies) for v in node.inputs} | set(bodies)
        rows = {v: x for v, x in rows.items() if v in read}
        graph, fixed = close([*rows, *carried], bodies, {}, name)
        op = Scan(graph, len(rows), len(carried), kept, len(traces), name=name)
        whole = dict(zip(self.slots.fixed, self.inputs.fixed, strict=True))
        outer = clone_replace(fixed, whole) if fixed else []
        return op.outputs(op.make_node(self.steps(), *rows.values(), *carried.values(), *outer).outputs)

    def _read_back(self, bodies: Sequence[Any], stop: set[Any]) -> tuple[dict[Any, Any], Outputs]:
        """What a backward step reads of what the step computed: stand-ins for it, and the scan that kept it."""
        self.stored: dict[tuple[str, int], Any] = {}
        stand_ins: dict[Any, Any] = {}

        def store(kind: str, place: int, v: Any) -> None:
            if v.owner is not None and v not in stand_ins and v in self.moving:
                self.stored[kind, place] = stand_ins[v] = _variable(v.type, v.name or f"{kind}{place}")

        for i, v in enumerate(self.next):
            store("next", i, v)
        for m, v in enumerate(self.traced):
            store("trace", m, v)
        dear = [v for node in self.op.graph.nodes if not isinstance(node.op, _CHEAP) for v in node.outputs
                if v in self.moving and v not in stand_ins and isinstance(v.type, TensorType)]
        reached = {v for node in toposort(bodies, {*stop, *stand_ins, *dear}) for v in node.inputs} | set(bodies)
        extra = [v for v in dear if v in reached]
        for m, v in enumerate(extra, self.op.n_traces):
            store("extra", m, v)
        wanted = {v for u, v in stand_ins.items() if u in reached}
        self.stored = {key: v for key, v in self.stored.items() if v in wanted}
        keep = {i for i, slot in enumerate(self.slots.states) if slot in reached}
        keep |= {place for kind, place in self.stored if kind == "next"}
        if not extra and all(self.op.kept[i] for i in keep):
            return stand_ins, self.outputs
        op = extended(self.op, keep, extra)
        return stand_ins, op.outputs(op.make_node(*self.inputs.all).outputs)


class _Backward(_Beside):
    """The backward pass of a scan."""

    def __init__(self, op: Scan, inputs: Sequence[Any], outputs: Sequence[Any], gradients: Sequence[Any]) -> None:
        super().__init__(op, inputs, op.outputs(outputs))
        self.gradients = op.outputs(gradients)
        self.final, self.history = self._of_states()
        self.trace = [g if _is_live(g) and _moves(v) else None
                      for g, v in zip(self.gradients.traces, self.traced, strict=True)]
        self.live = self._live_states()

    def _of_states(self) -> tuple[dict[int, Any], dict[int, Any]]:
        """The gradients of the last states, and of the histories; where only the last value of one counts, of that."""
        final = {i: g for i, g in enumerate(self.gradients.final) if _is_live(g) and _moves(self.next[i])}
        history = {i: g for i, g in self.gradients.histories.items() if _is_live(g) and _moves(self.next[i])}
        for i, g in list(history.items()):
            last = _only_last(g)
            if last is not None:
                del history[i]
                final[i] = final[i] + last if i in final else last
        return final, history

    def _live_states(self) -> list[int]:
        """The states through which gradients flow."""
        rows = self.op.graph.connections()
        first, found = self.op.n_sequences, {*self.final, *self.history}
        direct = [m for m, g in enumerate(self.trace) if g is not None]
        found |= {i for i in range(self.op.n_states) if _moves(self.slots.states[i])
                  and any(rows[first + i][self.op.n_states + m] for m in direct)}
        while True:
            more = {i for i in range(self.op.n_states) if i not in found and _moves(self.slots.states[i])
                    and any(rows[first + i][j] for j in found)}
            if not more:
                return sorted(found)
            found |= more

    # ---- one step ---------------------------------------------------------------------------------------------

    def step(self) -> list[Any]:
        """The gradient by each input of a step, from those of its outputs."""
        known = {}
        kinds = [v.type.gradient_type() for v in self.next]
        self.lambdas = {i: _variable(kinds[i], f"d{self.slots.states[i]}") for i in self.live}
        self.of_rows = {i: _variable(kinds[i], f"d{self.slots.states[i]}") for i in self.history}
        self.of_traces = {m: _variable(self.traced[m].type.gradient_type(), f"dtrace{m}")
                         for m, g in enumerate(self.trace) if g is not None}
        for i in self.live:
            total = self.lambdas[i] + self.of_rows[i] if i in self.of_rows else self.lambdas[i]
            known[GradientGate("same")(self.next[i])] = total
        for m, seed in self.of_traces.items():
            known[GradientGate("same")(self.traced[m])] = seed
        slots = [v for v in self.op.graph.inputs if _moves(v)]
        found = grad(None, slots, disconnected_inputs="ignore", known_grads=known, return_disconnected="disconnected",
                     null_gradients="return") if slots and known else [DisconnectedType()() for _ in slots]
        by_slot = dict(zip(slots, found, strict=True))
        return [by_slot.get(v) for v in self.op.graph.inputs]

    def gradients_by_inputs(self) -> list[Any]:
        """The gradient by each input of the scan."""
        if not self.live and not any(g is not None for g in self.trace):
            return [DisconnectedType()() for _ in self.inputs.all]
        back = self.op.inputs([None, *self.step()])
        nulls = self._nulls(back)
        sequences = [j for j, g in enumerate(back.sequences) if _is_live(g)]
        fixed = [k for k, g in enumerate(back.fixed) if _is_live(g)]
        sums = {k: _variable(self.slots.fixed[k].type, f"sum{k}") for k in fixed}
        after = [self._like(back.states[i], self.lambdas[i]) for i in self.live]
        after += [self._like(sums[k] + back.fixed[k], sums[k]) for k in fixed]
        traces = [back.sequences[j] for j in sequences]
        made = self._scan(after, traces, sums)
        result: list[Any] = [self._absent(v) for v in self.inputs.all]
        first = 1
        for j, trace in zip(sequences, made.traces, strict=True):
            result[first + j] = self._spread(trace, self.inputs.sequences[j])
        first += self.op.n_sequences
        for place, i in enumerate(self.live):
            result[first + i] = self._to_initial(i, made.final[place])
        first += self.op.n_states
        for place, k in enumerate(fixed, len(self.live)):
            result[first + k] = made.final[place]
        for place, why in nulls.items():
            result[1 + place] = NullType(why)()
        return result

    def _nulls(self, back: Inputs) -> dict[int, str]:
        """The inputs by which there is no derivative: those of a step, and what a state without one depends on."""
        found: dict[int, str] = {}
        influences = self.op.influences()
        for place, g in enumerate(back.all):
            if g is None or not isinstance(g.type, NullType):
                continue
            found[place] = g.type.why
            state = place - self.op.n_sequences
            if 0 <= state < self.op.n_states:
                found.update(dict.fromkeys(influences[state], g.type.why))
        return {place: why for place, why in found.items() if _moves(self.op.graph.inputs[place])}

    def _absent(self, x: Any) -> Any:
        return x.type.zeros_like(x) if isinstance(x.type, TensorType) and x.type.is_discrete and (
            x is not self.inputs.steps) else DisconnectedType()()

    @staticmethod
    def _like(g: Any, slot: Any) -> Any:
        """A gradient as the next value of what is carried."""
        if not _is_live(g):
            return zeros_like(slot)
        return slot.type.check_gradient(slot, g)

    # ---- the scan ---------------------------------------------------------------------------------------------

    def _scan(self, after: list[Any], traces: list[Any], sums: dict[int, Any]) -> Outputs:
        """The scan backward: it carries `after`, and collects `traces`."""
        carried = {self.lambdas[i]: self.final[i] if i in self.final else self._zeros(i) for i in self.live}
        carried.update((v, _as(v.type, zeros_like(self.inputs.fixed[k]))) for k, v in sums.items())
        rows = {v: self.rows(self.history[i], 1) for i, v in self.of_rows.items()}
        rows.update((v, self.rows(self.trace[m])) for m, v in self.of_traces.items())
        return self.scan(after, traces, carried, rows, [False] * len(carried), f"gradient of {self.op}")

    def _zeros(self, i: int) -> Any:
        """Zeros of the shape of a state."""
        kind = self.lambdas[i].type
        return _as(kind, zeros_like(self.inputs.states[i], kind.dtype))

    def steps(self) -> Any:
        return self.steps_made if self.op.truncate == -1 else minimum(self.steps_made, self.op.truncate)

    def rows(self, x: Any, first: int = 0, behind: int | None = 0) -> Any:
        if self.op.truncate == -1:
            return super().rows(x, first, behind)[::-1]
        end = self.steps_made + first
        return x[end - self.steps(): end][::-1]

    def _spread(self, trace: Any, x: Any) -> Any:
        """The gradients of the elements gone through, in their order, in the place of these among zeros."""
        if not self.op.until and self.op.truncate == -1:
            return trace[::-1]
        made = self.steps_made
        return set_subtensor(zeros_like(x, trace.type.dtype)[made - self.steps(): made], trace[::-1])

    def _to_initial(self, i: int, g: Any) -> Any:
        """The gradient by an initial state: what flowed back to it, if the steps back reach so far."""
        if self.op.truncate != -1:
            g = switch(as_tensor_variable(self.steps()) < self.steps_made, zeros_like(g), g)
        return g + self.history[i][0] if i in self.history else g


def _variable(kind: Any, name: str) -> Any:
    return kind.make_variable(name)


def _as(kind: Any, v: Any) -> Any:
    """A variable of a type, but for what is not known of its shape."""
    return v if kind.is_interchangeable(v.type) else kind.filter_variable(v)


def _only_last(g: Any) -> Any:
    """The gradient of the last row of a history, where that of all other rows is zero by the way it was made."""
    outer = g.owner
    if outer is None or not isinstance(outer.op, IncSubtensor) or outer.op.set_instead or outer.op.spec != (
            SliceSpec(1),):
        return None
    inner = outer.inputs[1].owner
    if inner is None or not isinstance(inner.op, IncSubtensor) or inner.op.set_instead or inner.op.spec != (-1,):
        return None
    blank = [outer.inputs[0], inner.inputs[0]]
    return inner.inputs[1] if all(_is_blank(v) for v in blank) else None


def _is_blank(v: Any) -> bool:
    """Whether a variable is an array of zeros, as gradients begin."""
    node = v.owner
    while node is not None and (isinstance(node.op, Alloc) or (isinstance(node.op, Elemwise)
                                                             and node.op.scalar.name == "second")):
        v = node.inputs[0 if isinstance(node.op, Alloc) else 1]
        node = v.owner
    return isinstance(v, Constant) and v.data.size > 0 and not v.data.any()


def pulled(op: Scan, inputs: Sequence[Any], outputs: Sequence[Any], output_gradients: Sequence[Any]) -> list[Any]:
    """The gradients by the inputs of a scan, from those of its outputs."""
    return _Backward(op, inputs, outputs, output_gradients).gradients_by_inputs()


class _Forward(_Beside):
    """The derivative of a scan along its inputs."""

    def __init__(self, op: Scan, inputs: Sequence[Any], points: Sequence[Any]) -> None:
        super().__init__(op, inputs, op.outputs(op.make_node(*inputs).outputs))
        given = zip(op.graph.inputs, points[1:], strict=True)
        self.given = {v: p for v, p in given if p is not None and _moves(v)}
        self.moved = self._moved_states()

    def _moved_states(self) -> list[int]:
        """The states that move, some step or other."""
        found: set[int] = set()
        places = {i for i, v in enumerate(self.op.graph.inputs) if v in self.given}
        for i, sources in enumerate(self.op.influences()[: self.op.n_states]):
            if _moves(self.slots.states[i]) and not sources.isdisjoint(places):
                found.add(i)
        return sorted(found)

    def tangents(self) -> list[Any]:
        """The derivatives of the outputs."""
        states = {i: _variable(self.slots.states[i].type, f"t{self.slots.states[i]}") for i in self.moved}
        along = {v: _variable(p.type if v in self.slots.fixed else v.type, f"t{v}")
                 for v, p in self.given.items() if v not in self.slots.states}
        along.update((self.slots.states[i], v) for i, v in states.items())
        wanted = [*self.next, *self.traced]
        pushed = Rop(wanted, list(along), list(along.values()), disconnected_outputs="ignore",
                     return_disconnected="none") if along else [None] * len(wanted)
        after = [self._like(pushed[i], v) for i, v in states.items()]
        traces = {m: t for m, t in enumerate(pushed[self.op.n_states:]) if t is not None}
        rows = {along[v]: self.rows(self.given[v], behind=None if self.op.until else 0)
                for v in self.slots.sequences if v in self.given}
        carried = {v: _as(v.type, self.given.get(self.slots.states[i], zeros_like(self.inputs.states[i])))
                   for i, v in states.items()}
        whole = {along[v]: self.given[v] for v in self.slots.fixed if v in self.given}
        bodies = clone_replace([*after, *traces.values()], whole) if whole else [*after, *traces.values()]
        made = self.scan(bodies[: len(after)], bodies[len(after):], carried, rows,
                         [self.op.kept[i] for i in self.moved], f"derivative of {self.op}")
        found: list[Any] = [None] * self.op.n_states
        for place, i in enumerate(self.moved):
            found[i] = made.final[place]
        found += [made.histories[self.moved.index(i)] if i in self.moved else None
                  for i, kept in enumerate(self.op.kept) if kept]
        collected = dict(zip(traces, made.traces, strict=True))
        found += [collected.get(m) for m in range(self.op.n_traces)]
        return [*found, None] if self.op.until else found

    @staticmethod
    def _like(t: Any, slot: Any) -> Any:
        return zeros_like(slot) if t is None else slot.type.check_gradient(slot, t)


def pushed(op: Scan, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
    """The derivatives of the outputs of a scan along its inputs: a scan that carries those of the states."""
    forward = _Forward(op, inputs, eval_points)
    return forward.tangents() if forward.given else [None] * (op.n_states + sum(op.kept) + op.n_traces + op.until)
