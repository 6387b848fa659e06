"""The rule for loops over stacked values: one loop whose states are stacks."""

from __future__ import annotations

from typing import Any

from symgraph.scan.build import close
from symgraph.scan.op import Scan
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.type import tensor_type
from symgraph.vectorize.batch import Batch, Outputs, as_known, batching, repeated, vectorize_all

__all__: list[str] = []


def _first_two_exchanged(x: Any) -> Any:
    return dimshuffle(x, (1, 0, *range(2, x.type.ndim)))


@batching(Scan)
def _scan(batch: Batch) -> Outputs:
    """Sequences, states and what is the same in all steps are stacked where they were, or depend on what is."""
    op = batch.op
    inputs, stacked = op.inputs(batch.inputs), op.inputs(batch.stacked)
    if stacked.steps or op.backwards:
        return None
    places = {i for i, s in enumerate(batch.stacked[1:]) if s}
    many = [not sources.isdisjoint(places) for sources in op.influences()]
    slots = op.slots
    table: dict[Any, tuple[Any, bool]] = {}
    size = batch.size if isinstance(batch.size, int) else None

    def stand_in(slot: Any, is_stacked: bool) -> Any:
        shape = (size, *slot.type.shape) if is_stacked else slot.type.shape
        new = tensor_type(slot.type.dtype, shape).make_variable(slot.name)
        new.origin = slot.origin
        table[slot] = new, is_stacked
        return new

    elements = [stand_in(v, s) for v, s in zip(slots.sequences, stacked.sequences, strict=True)]
    states = [stand_in(v, s) for v, s in zip(slots.states, many, strict=False)]
    fixed = [stand_in(v, s) for v, s in zip(slots.fixed, stacked.fixed, strict=True)]
    results = vectorize_all(op.graph.outputs, table)
    if op.until and results[-1][1]:
        return None  # each would stop at a step of its own
    bodies = []
    for (found, is_many), wanted, old in zip(results, [*many, False], op.graph.outputs, strict=False):
        whole = found if is_many or not wanted else repeated(found, batch.size)
        bodies.append(as_known(whole, old.type.shape) if wanted else whole)
    graph, rest = close([*elements, *states, *fixed], bodies, {}, op.graph.name)
    made = op.changed(graph)
    sequences = [_first_two_exchanged(x) if s else x
                 for x, s in zip(inputs.sequences, stacked.sequences, strict=True)]
    first = 1 + op.n_sequences
    initial = [batch.all_stacked(first + i) if s else inputs.states[i] for i, s in enumerate(many[: op.n_states])]
    outputs = made.outputs(made.make_node(inputs.steps, *sequences, *initial, *inputs.fixed, *rest).outputs)
    found_all: list[tuple[Any, bool]] = list(zip(outputs.final, many, strict=False))
    rows = [(outputs.histories[i], many[i]) for i in outputs.histories]
    rows += [(trace, many[op.n_states + m]) for m, trace in enumerate(outputs.traces)]
    found_all += [(_first_two_exchanged(x) if s else x, s) for x, s in rows]
    return [*found_all, (outputs.steps, False)] if op.until else found_all
