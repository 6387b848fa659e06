"""Loop: a scan ready to be run, with the plan of its step."""

from __future__ import annotations

from collections.abc import Sequence

from symgraph.graph.basic import Variable
from symgraph.graph.fgraph import FunctionGraph
from symgraph.graph.inner import InnerGraph
from symgraph.plan.plan import Plan
from symgraph.plan.storage import make_plan
from symgraph.scan.op import Scan, check_length, check_steps, result_changes, state_changes

__all__ = ["Loop", "check_length", "check_steps", "result_changes", "state_changes"]


class Loop(Scan):
    """A scan with the plan of its step.

    Parameters
    ----------
    op : Scan
    inputs, outputs : sequence of Variable
        The graph of a step, rewritten.

    Attributes
    ----------
    mutable : set of int
        The states whose arrays a step may overwrite: no history of them is kept, and nothing but the state itself
        lives in the memory of its old or its new value.
    plan : Plan
        Its inputs and outputs are those of the graph of a step. No loop over rows is in it: a step is done on whole
        arrays.
    """

    def __init__(self, op: Scan, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> None:
        fgraph = FunctionGraph(inputs, outputs)
        graph = InnerGraph(fgraph.inputs, fgraph.outputs, op.graph.name)
        super().__init__(graph, op.n_sequences, op.n_states, op.kept, op.n_traces, op.until, op.truncate, op.name,
                         op.backwards)
        self.mutable = self._mutable()
        slots = self.slots.states
        self.plan: Plan = make_plan(fgraph.toposort(), fgraph.inputs, [], fgraph.outputs, [],
                                    mutable=[slots[i] for i in self.mutable])
        self.plan.check()
        for step in self.plan.steps:
            step.kernel = None
        self.plan.kernels = []

    def _mutable(self) -> set[int]:
        roots = [_root(v) for v in self.next_states]
        return {i for i, slot in enumerate(self.slots.states) if not self.kept[i] and slot in self.read
                and slot not in roots and roots.count(roots[i]) == 1 and slot.type.ndim > 0}

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def _root(v: Variable) -> Variable:
    """The variable in whose memory another one may live."""
    while v.owner is not None and (viewed := v.owner.op.view_map.get(v.index or 0)):
        v = v.owner.inputs[viewed[0]]
    return v
