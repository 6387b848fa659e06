"""The backward walk of the chain rule: what flows back through a graph, held to the operations' contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.op import Op
from symgraph.graph.origin import deriving
from symgraph.graph.traversal import toposort
from symgraph.graph.type import DisconnectedType, NullType

__all__ = ["Chain", "pattern_of"]


def pattern_of(node: Apply) -> Sequence[Sequence[bool]] | None:
    """An operation's connection pattern; None when every input influences every output, which is usual."""
    if type(node.op).connection_pattern is Op.connection_pattern:
        return None
    pattern = node.op.connection_pattern(node)
    if len(pattern) != len(node.inputs) or any(len(row) != len(node.outputs) for row in pattern):
        raise ValueError(f"{node.op}.connection_pattern must have a row for each of its {len(node.inputs)} inputs and "
                         f"in it an entry for each of its {len(node.outputs)} outputs, not {pattern}")
    return pattern


class Chain:
    """One backward walk: gathers the contributions to each variable and sums them when they are all there."""

    def __init__(self, seeds: Mapping[Variable, Variable], targets: Sequence[Variable],
                 constants: set[Variable]) -> None:
        self.terms: dict[Variable, list[Variable]] = {v: [g] for v, g in seeds.items()}
        self.known = set(seeds)
        self.seeds = seeds
        self.constants = constants
        nodes = toposort(seeds, constants)
        self.nodes = set(nodes)
        influenced = self._influenced(nodes, targets)
        wanted = influenced - (constants - set(targets)) - self.known
        for node in reversed(nodes):
            if any(v in influenced for v in node.outputs) and any(v in self.terms for v in node.outputs):
                self._back_through(node, wanted)

    @staticmethod
    def _influenced(nodes: Iterable[Apply], targets: Sequence[Variable]) -> set[Variable]:
        """The targets and everything whose value depends on them."""
        found = set(targets)
        for node in nodes:
            if not found.isdisjoint(node.inputs):
                pattern = pattern_of(node)
                if pattern is None:
                    found.update(node.outputs)
                    continue
                for j, output in enumerate(node.outputs):
                    if any(v in found and pattern[i][j] for i, v in enumerate(node.inputs)):
                        found.add(output)
        return found

    def gradient_of(self, variable: Variable) -> Variable | None:
        """The sum of what flowed back to `variable`; None when nothing did."""
        terms = self.terms.get(variable)
        if terms is None:
            return None
        if len(terms) > 1:
            null = next((term for term in terms if isinstance(term.type, NullType)), None)
            if null is None:
                with deriving(_origin_of(variable), "sum of gradients"):
                    guard = next((t._guard for t in terms if hasattr(t, "_guard")), None)
                    null = variable.type.add_terms(terms) if guard is None else guard.total(terms, variable)
            self.terms[variable] = terms = [null]
        return terms[0]

    def made(self, result: Variable) -> bool:
        """Whether a gradient is a variable of ours to name: not one of the user's, nor one that constants share."""
        if result.name is not None or result.owner is None or any(result is g for g in self.seeds.values()):
            return False
        return result.owner not in self.nodes

    def _back_through(self, node: Apply, wanted: set[Variable]) -> None:
        """Pull the gradients of a node's outputs back to those of its inputs that are wanted."""
        # A constant may be the output of a node that is reached by another output.
        flowing = [None if v in self.constants else self.gradient_of(v) for v in node.outputs]
        live = [g is not None and not isinstance(g.type, DisconnectedType) for g in flowing]
        pattern = pattern_of(node)
        if pattern is None:
            places = [i for i, v in enumerate(node.inputs) if v in wanted] if any(live) else []
        else:
            places = [i for i, v in enumerate(node.inputs)
                      if v in wanted and any(p and g for p, g in zip(pattern[i], live, strict=True))]
        nulls = [j for j, g in enumerate(flowing) if g is not None and isinstance(g.type, NullType)]
        if nulls:
            places, flowing = self._pass_nulls(node, places, pattern, flowing, nulls)
        if not places:
            return
        given: list[Variable] = [DisconnectedType()() if g is None else g for g in flowing]
        guard = _common_guard([g for g in given if not isinstance(g.type, DisconnectedType)])
        if guard is not None:
            given = [guard.freed(g) for g in given]
        with deriving(node.origin, f"gradient of {node.op}"):
            back = node.op.pull(node.inputs, node.outputs, given)
            if len(back) != len(node.inputs):
                raise ValueError(f"{node.op}.L_op returned {len(back)} gradients for {len(node.inputs)} inputs")
            for i in places:
                gradient = _checked(node, i, back[i])
                if gradient is not None and not isinstance(gradient.type, DisconnectedType):
                    gradient = gradient if guard is None else guard.confine(gradient, node.inputs[i])
                    self.terms.setdefault(node.inputs[i], []).append(gradient)

    def _pass_nulls(self, node: Apply, places: list[int], pattern: Sequence[Sequence[bool]] | None,
                    flowing: list[Variable | None], nulls: list[int]) -> tuple[list[int], list[Variable | None]]:
        """An undefined gradient is handed to the inputs its output depends on; the others go on without it."""
        rest = []
        for i in places:
            source = next((j for j in nulls if pattern is None or pattern[i][j]), None)
            null = flowing[source] if source is not None else None
            if null is None:
                rest.append(i)
            else:
                self.terms.setdefault(node.inputs[i], []).append(null)
        return rest, [None if j in nulls else g for j, g in enumerate(flowing)]


def _common_guard(gradients: Iterable[Variable]) -> Any | None:
    """The conditions but for which all of these gradients are zero: an operation that makes such gradients leaves them
    as an attribute ``_guard``. By linearity, what is pulled back from them is zero as well and need not be computed."""
    common: Any = None
    for gradient in gradients:
        guard = getattr(gradient, "_guard", None)
        common = guard if common is None or guard is None else guard.common(common)
        if common is None:
            return None
    return common


def _origin_of(variable: Variable) -> Any:
    return variable.owner.origin if variable.owner is not None else variable.origin


def _checked(node: Apply, index: int, gradient: Any) -> Variable | None:
    """An operation is somebody's code: hold what it returned to the contract."""
    if gradient is None:
        return None
    if not isinstance(gradient, Variable):
        raise TypeError(
            f"{node.op}.L_op returned {type(gradient).__name__} as the gradient of input {index}; it must return "
            "symbolic variables, or DisconnectedType()() for an input with no influence"
        )
    if isinstance(gradient.type, (DisconnectedType, NullType)):
        return gradient
    variable = node.inputs[index]
    try:
        return variable.type.check_gradient(variable, gradient)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{node.op}.L_op, gradient of input {index}: {error}") from None
