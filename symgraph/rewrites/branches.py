"""Rules about choices, and about operations made of graphs."""

from __future__ import annotations

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.rewrite import made_of, rewrite_rule
from symgraph.graph.rule import Uses
from symgraph.graph.traversal import clone_replace
from symgraph.ifelse import IfElse, branch_inputs, known_choice
from symgraph.opfromgraph import OpFromGraph
from symgraph.rewrites.patterns import fitted, made_by
from symgraph.tensor.basic import Alloc
from symgraph.tensor.elemwise import elemwise

__all__ = ["BRANCHES"]

_DEEPEST = 8  # how far into a branch we look for the same choice: a step of the backward pass is not deeper


@rewrite_rule(OpFromGraph)
def inline_graph(node: Apply) -> list[Variable] | None:
    """f(x) -> the graph of f, where that is asked for."""
    return node.op.inlined(node) if node.op.is_inline else None


@rewrite_rule(IfElse)
def choice_that_is_none(node: Apply) -> list[Variable] | None:
    """ifelse(True, a, b) -> a, ifelse(c, a, a) -> a."""
    holds = known_choice(node.inputs[0])
    pairs = list(zip(branch_inputs(node, True), branch_inputs(node, False), strict=True))
    if holds is None and any(a is not b for a, b in pairs):
        return None
    chosen = [a if holds is not False else b for a, b in pairs]
    fits = all(old.type.is_super(new.type) and getattr(old.type, "is_interchangeable", old.type.is_super)(new.type)
               for old, new in zip(node.outputs, chosen, strict=True))
    return chosen if fits else None


@rewrite_rule(IfElse, counts=True)
def choice_within_itself(node: Apply, uses: Uses) -> list[Variable] | None:
    """ifelse(c, f(ifelse(c, a, b)), d) -> ifelse(c, f(a), d), where nothing else reads f of the inner choice."""
    condition = node.inputs[0]
    changed = False
    inputs: list[Variable] = [condition]
    for holds in (True, False):
        for variable in branch_inputs(node, holds):
            replaced = {old: new for choice in _choices(variable, node, uses)
                        for old, new in zip(choice.outputs, branch_inputs(choice, holds), strict=True)
                        if getattr(old.type, "is_interchangeable", old.type.is_super)(new.type)}
            inputs.append(clone_replace(variable, replaced) if replaced else variable)
            changed = changed or bool(replaced)
    return node.op(*inputs, return_list=True) if changed else None


@rewrite_rule(elemwise(scalar.add), when=made_of(IfElse))
def sum_of_choices(node: Apply) -> Variable | None:
    """ifelse(c, a, 0) + ifelse(c, 0, b) -> ifelse(c, a, b), as gradients from both branches are."""
    first, second = (made_by(v, IfElse) for v in node.inputs) if len(node.inputs) == 2 else (None, None)
    if first is None or second is None or first.inputs[0] is not second.inputs[0]:
        return None
    if len(first.outputs) > 1 or len(second.outputs) > 1 or node.inputs[0].type != node.inputs[1].type:
        return None
    (_, a, b), (_, c, d) = first.inputs, second.inputs
    if _is_zero(b) and _is_zero(c):
        return fitted(first.op(first.inputs[0], a, d), node)
    return fitted(first.op(first.inputs[0], c, b), node) if _is_zero(a) and _is_zero(d) else None


def _is_zero(x: Variable) -> bool:
    """Whether nothing but zeros stand in an array."""
    filled = made_by(x, Alloc)
    value = x if filled is None else filled.inputs[0]
    return isinstance(value, Constant) and value.data.size > 0 and not np.any(value.data)


def _choices(start: Variable, node: Apply, uses: Uses) -> list[Apply]:
    """The choices by a node's condition that it reads through what it alone reads, as far as we look.

    What something else reads too would be computed twice, and the choices within it doubled with each level.
    """
    condition = node.inputs[0]
    found: dict[Apply, None] = {}
    met = {start: node.inputs.count(start)}
    layer = [start]
    for _ in range(_DEEPEST):
        below: dict[Variable, None] = {}
        for variable in layer:
            maker = variable.owner
            if maker is None:
                continue
            if isinstance(maker.op, IfElse) and maker.inputs[0] is condition:
                found[maker] = None
            elif len(maker.outputs) == 1 and met[variable] == uses(variable):
                for v in maker.inputs:
                    met[v] = met.get(v, 0) + 1
                    below[v] = None
        layer = list(below)
    return list(found)


BRANCHES = (inline_graph, choice_that_is_none, choice_within_itself, sum_of_choices)
