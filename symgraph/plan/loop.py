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
    plan : Plan
        Its inputs and outputs are those of the graph of a step. No loop over rows is in it: a step is done on whole
        arrays.
    """

    def __init__(self, op: Scan, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> None:
        fgraph = FunctionGraph(inputs, outputs)
        graph = InnerGraph(fgraph.inputs, fgraph.outputs, op.graph.name)
        super().__init__(graph, op.n_sequences, op.n_states, op.kept, op.n_traces, op.until, op.truncate, op.name)
        self.plan: Plan = make_plan(fgraph.toposort(), fgraph.inputs, [], fgraph.outputs, [])
        self.plan.check()
        for step in self.plan.steps:
            step.kernel = None
        self.plan.kernels = []

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)
