"""FunctionGraph: the copy of an expression that a compilation works on.

The copy is *interned*: two applications of equal operations to the same inputs become one, and equal constants
become one. So inside it equal is identical, common subexpressions merge by themselves, and a rewrite rule compares
with ``is``. What the user holds is never edited.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.traversal import toposort

__all__ = ["FunctionGraph"]


class FunctionGraph:
    """An interned graph from `inputs` to `outputs`.

    Parameters
    ----------
    inputs : sequence of Variable
        Kept as they are: the copy reads the same input variables.
    outputs : sequence of Variable
    replace : dict of Variable to Variable, optional
        Variables to put in the place of others on the way in (a function's givens).

    Attributes
    ----------
    inputs, outputs : list of Variable
        Of the interned copy.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> x = T.dvector("x")
    >>> fg = FunctionGraph([x], [T.exp(x) + T.exp(x)])
    >>> len(fg.toposort())
    2
    """

    def __init__(self, inputs: Sequence[Variable], outputs: Sequence[Variable],
                 replace: Mapping[Variable, Variable] | None = None) -> None:
        self.inputs: list[Variable] = list(inputs)
        self._nodes: dict[Any, Apply] = {}
        self._constants: dict[Any, Constant] = {}
        self._memo: dict[Variable, Variable] = {v: v for v in self.inputs}
        self._order: list[Apply] | None = None
        if replace:
            self._enter_replacements(replace)
        self._outputs: list[Variable] = self.intern(outputs)

    def _enter_replacements(self, replace: Mapping[Variable, Variable]) -> None:
        """Givens may read each other: what replaces a variable may hold another replaced variable."""
        for old, new in replace.items():
            if old in self._memo:
                continue
            # An ancestor that is itself replaced must be known before what reads it is built.
            pending = [(old, new)]
            while pending:
                variable, value = pending[-1]
                below = [v for v in _leaves(value, replace) if v not in self._memo and v is not variable]
                if below and len(pending) <= len(replace):
                    pending.extend((v, replace[v]) for v in below)
                    continue
                pending.pop()
                if variable not in self._memo:
                    self._memo[variable] = self.intern([value])[0]

    @property
    def outputs(self) -> list[Variable]:
        return self._outputs

    @outputs.setter
    def outputs(self, outputs: Sequence[Variable]) -> None:
        self._outputs = self.intern(outputs)
        self._order = None

    def intern(self, outputs: Iterable[Variable]) -> list[Variable]:
        """Bring expressions into the graph; what equals something already there becomes it."""
        wanted = list(outputs)
        memo = self._memo
        for node in toposort(wanted, memo):
            inputs = [memo[v] if v in memo else self._leaf(v) for v in node.inputs]
            copy = self._intern_node(node, inputs)
            for old, new in zip(node.outputs, copy.outputs, strict=True):
                memo.setdefault(old, new)
        return [memo[v] if v in memo else self._leaf(v) for v in wanted]

    def _leaf(self, variable: Variable) -> Variable:
        leaf = variable
        if isinstance(variable, Constant):
            leaf = self._constants.setdefault(variable.signature(), variable)
        self._memo[variable] = leaf
        self._memo[leaf] = leaf
        return leaf

    def _intern_node(self, node: Apply, inputs: list[Variable]) -> Apply:
        key = (node.op, *inputs)
        found = self._nodes.get(key)
        if found is None:
            found = node.clone_with_new_inputs(inputs)
            for old, new in zip(node.outputs, found.outputs, strict=True):
                new.name, new.origin = old.name, old.origin
                self._memo[new] = new
            self._nodes[key] = found
        return found

    def holds(self, variable: Variable) -> bool:
        """Whether the variable is one of the interned graph."""
        return self._memo.get(variable) is variable

    def interned(self, variable: Variable) -> Variable:
        """What a variable of the user's graph became on entry."""
        return self.intern([variable])[0]

    def toposort(self) -> list[Apply]:
        """The nodes, each after those it reads; the same order every time."""
        if self._order is None:
            self._order = toposort(self._outputs)
        return self._order

    @property
    def apply_nodes(self) -> set[Apply]:
        """The nodes that compute the outputs."""
        return set(self.toposort())

    @property
    def variables(self) -> set[Variable]:
        """Every variable of the graph."""
        found = {*self.inputs, *self._outputs}
        for node in self.toposort():
            found.update(node.inputs, node.outputs)
        return found

    def clients(self) -> dict[Variable, list[Apply | None]]:
        """For each variable, the nodes that read it, once per reading; None stands for an output of the graph."""
        found: dict[Variable, list[Apply | None]] = {}
        for node in self.toposort():
            for variable in node.inputs:
                found.setdefault(variable, []).append(node)
        for variable in self._outputs:
            found.setdefault(variable, []).append(None)
        return found

    def __repr__(self) -> str:
        return f"<FunctionGraph of {len(self.inputs)} inputs, {len(self.toposort())} nodes, {len(self._outputs)} outputs>"


def _leaves(variable: Variable, wanted: Mapping[Variable, Any]) -> list[Variable]:
    """The variables of `wanted` that `variable` depends on."""
    found = [variable] if variable in wanted else []
    for node in toposort([variable], wanted):
        found.extend(v for v in node.inputs if v in wanted)
    return found
