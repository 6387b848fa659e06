"""A graph inside an operation: closed, and computed by the operations' own `perform` where nothing compiles it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.chain import pattern_of
from symgraph.graph.traversal import clone_replace, graph_inputs, toposort

__all__ = ["InnerGraph", "perform_node"]


class InnerGraph:
    """Expressions of some inputs and of nothing else; equal only to itself.

    Parameters
    ----------
    inputs, outputs : sequence of Variable
    name : str
        For messages.

    Raises
    ------
    ValueError
        When an output needs a variable that is not among the inputs.
    """

    def __init__(self, inputs: Sequence[Variable], outputs: Sequence[Variable], name: str = "graph") -> None:
        self.inputs, self.outputs, self.name = tuple(inputs), tuple(outputs), name
        for variable in graph_inputs(self.outputs, self.inputs):
            if variable not in self.inputs and not isinstance(variable, Constant):
                raise ValueError(f"{name}: {variable} ({variable.type}) is needed but is not among the inputs")

    @property
    def nodes(self) -> list[Apply]:
        """In order of computation."""
        return toposort(self.outputs, self.inputs)

    def applied_to(self, values: Sequence[Variable]) -> list[Variable]:
        """The outputs with other variables in the place of the inputs."""
        replaced: list[Variable] = clone_replace(self.outputs, dict(zip(self.inputs, values, strict=True)))
        return replaced

    def evaluate(self, values: Sequence[Any]) -> list[Any]:
        """The outputs' values, node by node."""
        found = dict(zip(self.inputs, values, strict=True))
        for node in self.nodes:
            results = perform_node(node, [_value(v, found) for v in node.inputs])
            found.update(zip(node.outputs, results, strict=True))
        return [_value(v, found) for v in self.outputs]

    def signature(self) -> tuple[Any, ...]:
        """What the graph computes, written so that graphs that differ in nothing but their variables have it equal."""
        numbers = {v: i for i, v in enumerate(self.inputs)}

        def written(v: Variable) -> Any:
            return v.signature() if isinstance(v, Constant) and v not in numbers else numbers[v]

        nodes = []
        for node in self.nodes:
            nodes.append((node.op, *map(written, node.inputs)))
            numbers.update((v, len(numbers)) for v in node.outputs if v not in numbers)
        return tuple(v.type for v in self.inputs), tuple(nodes), tuple(map(written, self.outputs))

    def connections(self) -> list[list[bool]]:
        """For each input, for each output: whether the output depends on the input's elements."""
        reached: dict[Variable, set[int]] = {v: {i} for i, v in enumerate(self.inputs)}
        for node in self.nodes:
            pattern = pattern_of(node)
            for j, output in enumerate(node.outputs):
                sources = [reached.get(v, set()) for i, v in enumerate(node.inputs) if pattern is None or pattern[i][j]]
                reached.setdefault(output, set()).update(*sources)
        return [[i in reached.get(v, ()) for v in self.outputs] for i in range(len(self.inputs))]


def perform_node(node: Apply, values: Sequence[Any]) -> list[Any]:
    """What a node's own `perform` computes; the values it may overwrite are copied first."""
    destroyed = {place for places in node.op.destroy_map.values() for place in places}
    given = [np.array(v) if i in destroyed and isinstance(v, np.ndarray) else v for i, v in enumerate(values)]
    storage: list[list[Any]] = [[None] for _ in node.outputs]
    node.op.perform(node, given, storage)
    return [cell[0] for cell in storage]


def _value(variable: Variable, found: dict[Variable, Any]) -> Any:
    return variable.data if isinstance(variable, Constant) and variable not in found else found[variable]
