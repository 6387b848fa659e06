"""output_subset: some of a function's outputs, with all of its updates."""

from __future__ import annotations

import operator
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from symgraph.compile.io import Form, Out
from symgraph.compile.recipe import Recipe

__all__ = ["select", "with_outputs"]


def select(recipe: Recipe, subset: Any) -> tuple[Hashable, ...]:
    """The outputs asked for, each once as often as it was: positions, or the keys of a dict of outputs.

    Raises
    ------
    TypeError
        When `subset` is no sequence of positions, or of keys.
    IndexError, KeyError
        For an output the function does not have.
    """
    form = recipe.form
    if isinstance(subset, (str, bytes, Mapping)) or not isinstance(subset, Iterable):
        raise TypeError(f"{recipe.label}: output_subset takes a list of outputs, not {subset!r}")
    if isinstance(form, dict):
        chosen = tuple(subset)
        for key in chosen:
            if key not in form:
                raise KeyError(f"{recipe.label} has no output {key!r}; its outputs are {', '.join(map(repr, form))}")
        return chosen
    count = len(_entries(form))
    places = []
    for wanted in subset:
        if isinstance(wanted, bool) or not hasattr(wanted, "__index__"):
            raise TypeError(f"{recipe.label}: output_subset takes positions of outputs, not {wanted!r}")
        place = operator.index(wanted)
        if not -count <= place < count:
            raise IndexError(f"{recipe.label} has {count} output{'s' * (count != 1)}, but output_subset asks for "
                             f"number {place}")
        places.append(place % count)
    return tuple(places)


def with_outputs(recipe: Recipe, chosen: tuple[Any, ...]) -> Recipe:
    """A recipe for the outputs that `select` gave: a list of them, or a dict where the recipe's are one."""
    outputs: list[Out] = []

    def renumbered(form: Form) -> Form:
        if isinstance(form, dict):
            return {key: renumbered(part) for key, part in form.items()}
        if isinstance(form, (list, tuple)):
            return type(form)(renumbered(part) for part in form)
        outputs.append(recipe.outputs[form])
        return len(outputs) - 1

    form: Form
    if isinstance(recipe.form, dict):
        form = {key: renumbered(recipe.form[key]) for key in chosen}
    else:
        entries = _entries(recipe.form)
        form = [renumbered(entries[place]) for place in chosen]
    return replace(recipe, outputs=outputs, form=form, on_unused_input="ignore")


def _entries(form: Form) -> list[Form]:
    """The outputs at the outermost level."""
    if form is None:
        return []
    return list(form) if isinstance(form, (list, tuple)) else [form]
