"""Recipes: what `function` was asked, checked and completed; how they are copied."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from symgraph.compile.io import Form, In, Out
from symgraph.compile.mode import Mode
from symgraph.config import config
from symgraph.graph.basic import Variable
from symgraph.graph.origin import Origin
from symgraph.graph.traversal import clone_replace
from symgraph.shared import SharedVariable

__all__ = ["Recipe"]


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

    def may_downcast(self, entry: In) -> bool | None:
        """Whether converting a value for an input may lose precision: as it says, or the function, or the flag."""
        if entry.allow_downcast is not None:
            return entry.allow_downcast
        return self.allow_input_downcast if self.allow_input_downcast is not None else config.allow_input_downcast

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
            self, inputs=inputs, outputs=[Out(new[o.variable], o.borrow, o.device) for o in self.outputs],
            updates=[(swap.get(target, target), new[e]) for target, e in self.updates],
            givens={new[key]: new[value] for key, value in self.givens.items()},
        )
