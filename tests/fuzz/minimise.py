"""Cutting a recipe down to what still disagrees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.fuzz.recipes import Leaf, Recipe, Step, Weak


def ancestors(recipe: Recipe, last: int) -> list[int]:
    """A node and all it is computed from."""
    needed = {last}
    for i in range(last, -1, -1):
        node = recipe.nodes[i]
        if i in needed and isinstance(node, Step):
            needed.update(node.places)
    return sorted(needed)


def kept(recipe: Recipe, places: list[int]) -> Recipe:
    """The recipe of some of its nodes, which take no others."""
    number = {old: new for new, old in enumerate(places)}
    nodes: list[Any] = []
    for i in places:
        node = recipe.nodes[i]
        if isinstance(node, Step):
            operands = tuple(o if isinstance(o, Weak) else number[o] for o in node.operands)
            node = Step(node.operation, operands, node.options)
        nodes.append(node)
    return Recipe(tuple(nodes))


def smaller(recipe: Recipe) -> list[Recipe]:
    """Recipes to try: of one result, and with a step replaced by its value."""
    tries = [kept(recipe, ancestors(recipe, i)) for i in recipe.steps]
    tries = [r for r in tries if len(r.nodes) < len(recipe.nodes)]
    arrays, symbols = recipe.arrays(), recipe.symbols()
    for i in reversed(recipe.steps[:-1]):
        leaf = Leaf(np.array(arrays[i]), symbols[i].type.shape)
        nodes = (*recipe.nodes[:i], leaf, *recipe.nodes[i + 1:])
        cut = Recipe(nodes)
        last = max(cut.steps)
        needed = sorted({p for s in cut.steps for p in ancestors(cut, s)} | {last})
        tries.append(kept(cut, needed))
    return tries


def minimise(recipe: Recipe, fails: Callable[[Recipe], bool], patience: int = 400) -> Recipe:
    """The smallest recipe found that still fails."""
    shrinking = True
    while shrinking and patience > 0:
        shrinking = False
        for other in smaller(recipe):
            patience -= 1
            if other.steps and fails(other):
                recipe, shrinking = other, True
                break
            if patience <= 0:
                break
    return recipe
