"""LazyIfElse: a choice ready to be run, with the plans of its branches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.fgraph import FunctionGraph
from symgraph.graph.op import Op
from symgraph.graph.traversal import clone_replace
from symgraph.graph.type import Type
from symgraph.plan.plan import Plan
from symgraph.plan.storage import make_plan
from symgraph.tensor.type import TensorType

__all__ = ["Branch", "LazyIfElse", "stand_in"]


class Branch:
    """One branch of a choice: a graph, planned when that is asked for, and compiled when it is first taken.

    Parameters
    ----------
    inputs, outputs : sequence of Variable
        What the branch reads, and its results as expressions of that.
    reads, gives : sequence of int
        Which inputs of the choice (after the condition) and which of its outputs these are.
    size : int
        How many operations there are in it, in branches inside too.
    compile_plan : callable
        From a plan and a label to what computes its outputs.
    label : str
    """

    def __init__(self, inputs: Sequence[Variable], outputs: Sequence[Variable], reads: Sequence[int],
                 gives: Sequence[int], size: int, compile_plan: Callable[[Plan, str], Callable[..., Any]],
                 label: str) -> None:
        self.reads, self.gives, self.size, self.label = reads, gives, size, label
        self._inputs, self._outputs, self._compile = list(inputs), list(outputs), compile_plan

    @cached_property
    def graph(self) -> FunctionGraph:
        """The branch by itself."""
        places = [v.type.make_variable(v.name) for v in self._inputs]
        for place, v in zip(places, self._inputs, strict=True):
            place.origin = v.origin if v.owner is None else v.owner.origin
        return FunctionGraph(places, clone_replace(self._outputs, dict(zip(self._inputs, places, strict=True))))

    @cached_property
    def plan(self) -> Plan:
        """What is done in the branch."""
        graph = self.graph
        plan = make_plan(graph.toposort(), graph.inputs, [], graph.outputs, [])
        plan.check()
        return plan

    def plan_of_whole_arrays(self) -> Plan:
        """The same without loops over rows, for a branch in a loop."""
        graph = self.graph
        plan = make_plan(graph.toposort(), graph.inputs, [], graph.outputs, [])
        plan.check()
        for step in plan.steps:
            step.kernel = None
        plan.kernels = []
        return plan

    @cached_property
    def program(self) -> Callable[..., Any]:
        """What computes the results from what the branch reads."""
        return self._compile(self.plan, self.label)


class LazyIfElse(Op):
    """A choice between two graphs, of which one is computed.

    Inputs are the condition, and what either branch reads.

    Parameters
    ----------
    types : sequence of Type
        Of the outputs: those of the choice, and what later choices need of either branch.
    branches : pair of Branch
        If the condition holds, and else.
    name : str or None
    """

    runs_programs = True

    def __init__(self, types: Sequence[Type], branches: tuple[Branch, Branch], name: str | None) -> None:
        self.types, self.branches, self.name = tuple(types), branches, name

    def infer_type(self, *types: Type) -> Sequence[Type]:
        return self.types

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        branch = self.branches[0 if inputs[0] else 1]
        results = branch.program(*[inputs[1 + place] for place in branch.reads])
        for place, result in zip(branch.gives, results, strict=True):
            output_storage[place][0] = result
        for place in set(range(len(self.types))).difference(branch.gives):
            output_storage[place][0] = stand_in(self.types[place])

    def __repr__(self) -> str:
        return f"ifelse{{{self.name}}}" if self.name else "ifelse"


def stand_in(kind: Type) -> Any:
    """A value of a type, with as few elements as it allows."""
    if not isinstance(kind, TensorType):
        return None
    return np.zeros([0 if n is None else n for n in kind.shape], kind.numpy_dtype)
