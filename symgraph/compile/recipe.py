"""Recipes: what `function` was asked, checked and completed; how they are copied and pickled."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from symgraph.compile.io import Form, In, Out
from symgraph.compile.mode import Mode
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.origin import Origin
from symgraph.graph.traversal import clone_replace, toposort
from symgraph.shared import SharedVariable

__all__ = ["FlatRecipe", "Recipe"]


@dataclass(frozen=True)
class Recipe:
    """Everything `function` was asked, checked and completed.

    Attributes
    ----------
    form : Form
        In which the outputs are returned.
    name : str or None
        As the user gave it.
    origin : Origin
        The line that called `function`.
    """

    inputs: Sequence[In]
    outputs: Sequence[Out]
    form: Form
    updates: Sequence[tuple[SharedVariable, Variable]]
    givens: dict[Variable, Variable]
    mode: Mode
    name: str | None = None
    origin: Origin | None = None
    allow_input_downcast: bool | None = None
    on_unused_input: str = "raise"

    @property
    def label(self) -> str:
        """What to call the function in its source and its errors."""
        return f"function {self.name!r}" if self.name else f"function at {self.origin}"

    @property
    def stateful(self) -> list[int]:
        """The positions of the inputs that are states: updated in every call."""
        return [i for i, entry in enumerate(self.inputs) if entry.update is not None]

    @property
    def next_states(self) -> list[Variable]:
        """The expressions of the states' next values."""
        return [entry.update for entry in self.inputs if entry.update is not None]

    def exchanged(self, swap: Mapping[Any, Any]) -> Recipe:
        """This recipe with shared variables in the place of others, wherever they stand."""
        # All expressions are copied in one go: what they share stays shared, and what a given replaces is still found.
        parts = [
            *(e.variable for e in self.inputs), *self.next_states,
            *(o.variable for o in self.outputs), *(e for _, e in self.updates), *self.givens, *self.givens.values(),
        ]
        new = dict(zip(parts, clone_replace(parts, swap), strict=True))
        inputs = []
        for entry in self.inputs:
            twin = copy.copy(entry)
            twin.variable = new[entry.variable]
            twin.update = None if entry.update is None else new[entry.update]
            inputs.append(twin)
        return replace(
            self, inputs=inputs, outputs=[Out(new[o.variable], o.borrow) for o in self.outputs],
            updates=[(swap.get(target, target), new[e]) for target, e in self.updates],
            givens={new[key]: new[value] for key, value in self.givens.items()},
        )


@dataclass
class FlatRecipe:
    """A recipe in the form it is pickled: its nodes in a row, so that a long graph needs no deep recursion.

    Attributes
    ----------
    nodes : list of tuple
        For each application: the operation, its inputs, its outputs' (type, name) and its origin. A variable is an
        int (a position in the row of all outputs so far) or, where nothing computes it, itself.
    """

    nodes: list[tuple[Any, ...]]
    inputs: list[In]
    outputs: list[Out]
    updates: list[tuple[SharedVariable, Any]]
    givens: list[tuple[Any, Any]]
    settings: dict[str, Any]

    @classmethod
    def of(cls, recipe: Recipe) -> FlatRecipe:
        """A recipe, flattened."""
        numbers: dict[Variable, int] = {}
        roots = [
            *(e.variable for e in recipe.inputs), *recipe.next_states,
            *(o.variable for o in recipe.outputs), *(e for _, e in recipe.updates), *recipe.givens,
            *recipe.givens.values(),
        ]
        nodes = []
        for node in toposort(roots):
            nodes.append((node.op, [numbers.get(v, v) for v in node.inputs], [(o.type, o.name) for o in node.outputs],
                          node.origin))
            for output in node.outputs:
                numbers[output] = len(numbers)

        def flat(entry: Any, **variables: Variable | None) -> Any:
            twin = copy.copy(entry)
            for field, variable in variables.items():
                setattr(twin, field, None if variable is None else numbers.get(variable, variable))
            return twin

        return cls(
            nodes, [flat(e, variable=e.variable, update=e.update) for e in recipe.inputs],
            [flat(o, variable=o.variable) for o in recipe.outputs],
            [(target, numbers.get(e, e)) for target, e in recipe.updates],
            [(numbers.get(k, k), numbers.get(v, v)) for k, v in recipe.givens.items()],
            {name: getattr(recipe, name) for name in ("form", "mode", "name", "origin", "allow_input_downcast",
                                                      "on_unused_input")},
        )

    def restored(self) -> Recipe:
        """The recipe again, on nodes of its own."""
        made: list[Variable] = []

        def find(variable: Any) -> Any:
            return made[variable] if isinstance(variable, int) else variable

        for op, inputs, outputs, origin in self.nodes:
            node = Apply(op, [find(v) for v in inputs], [kind for kind, _ in outputs], origin)
            for output, (_, name) in zip(node.outputs, outputs, strict=True):
                output.name = name
                made.append(output)
        for out in self.outputs:
            out.variable = find(out.variable)
        for entry in self.inputs:
            entry.variable, entry.update = find(entry.variable), find(entry.update)
        return Recipe(
            inputs=self.inputs, outputs=self.outputs, updates=[(target, find(e)) for target, e in self.updates],
            givens={find(k): find(v) for k, v in self.givens}, **self.settings,
        )
