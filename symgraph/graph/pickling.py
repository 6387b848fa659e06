"""Pickling and deep copies of graphs, without recursion along the graph.

Left to itself, pickle follows a variable to its owner, that to its inputs, and so on: a chain of a few hundred
nodes overflows the stack. Here a node and a variable that has an owner are written as empty shells whose state is a
`Bundle`: one flat list of the whole expression. The first shell met writes the bundle, in which all other shells of the
expression refer to that same bundle, so the depth of nesting does not grow with the depth of the graph; and as every
node passes through pickle's own memory under its identity, what is shared stays shared.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symgraph.graph.basic import Apply

__all__ = ["Bundle", "bundle_of", "shell"]

_MOST_NESTED = 40  # bundles in bundles; each level costs pickle some levels of recursion


def shell(cls: type[Any]) -> Any:
    """An object of `cls` whose attributes a bundle will set."""
    return object.__new__(cls)


class Bundle:
    """The nodes an expression is computed by, and everything of theirs, as a flat list.

    It lives as long as the pickling that made it: nodes refer to it weakly.
    """

    __slots__ = ("__weakref__", "nesting", "nodes", "others")

    nodes: list[Apply]
    others: list[Bundle]
    nesting: int

    def __init__(self, nodes: list[Apply], others: list[Bundle]) -> None:
        self.nodes = nodes
        self.others = others
        self.nesting = 1 + max((other.nesting for other in others), default=0)
        if self.nesting > _MOST_NESTED:
            self.others = _all_of(others)  # each after those it needs: writing them one by one nests nothing
            self.nesting = 1

    def __getstate__(self) -> Any:
        return self.others, [
            (node, node.op, node.inputs, node.origin, node.outputs,
             [(v.type, v.name, v.origin, v._notes()) for v in node.outputs])
            for node in self.nodes
        ]

    def __setstate__(self, state: Any) -> None:
        self.others, records = state
        self.nodes = []  # nothing to keep: the nodes are restored
        self.nesting = 1
        for node, op, inputs, origin, outputs, details in records:
            node.op, node.inputs, node.origin, node.outputs = op, tuple(inputs), origin, tuple(outputs)
            for index, (variable, (kind, name, place, notes)) in enumerate(zip(outputs, details, strict=True)):
                variable.type, variable.owner, variable.index = kind, node, index
                variable.name, variable.origin = name, place
                variable.__dict__.update(notes)

    def __reduce__(self) -> Any:
        return shell, (Bundle,), self.__getstate__()


def bundle_of(node: Apply) -> Bundle:
    """The bundle that holds `node`: that of the pickling under way, or a new one."""
    found = _living(node)
    if found is None:
        found = Bundle(*_gather(node))
        reference = weakref.ref(found)
        for member in found.nodes:
            member._bundle = reference
    return found


def _living(node: Apply) -> Bundle | None:
    reference: weakref.ref[Bundle] | None = getattr(node, "_bundle", None)
    return reference() if reference is not None else None


def _gather(root: Apply) -> tuple[list[Apply], list[Bundle]]:
    """The nodes `root` needs, and the living bundles that hold the rest of them."""
    nodes: dict[Apply, None] = {}
    others: dict[int, Bundle] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        if node in nodes:
            continue
        bundle = _living(node)
        if bundle is not None:
            others[id(bundle)] = bundle
            continue
        nodes[node] = None
        stack.extend(v.owner for v in node.inputs if v.owner is not None and v.owner not in nodes)
    return list(nodes), list(others.values())


def _all_of(bundles: list[Bundle]) -> list[Bundle]:
    """The bundles and all they need, each after those it needs."""
    order: dict[Bundle, None] = {}
    stack = list(bundles)
    while stack:
        bundle = stack[-1]
        if bundle.nesting == 1:  # its others are all it needs, in order
            order.update(dict.fromkeys(bundle.others))
            waiting = []
        else:
            waiting = [other for other in bundle.others if other not in order]
        stack.extend(waiting)
        if not waiting:
            order[stack.pop()] = None
    return list(order)
