"""FunctionGraph: the copy of an expression that a compilation works on.

The copy is *interned*: two applications of equal operations to the same inputs become one, and equal constants
become one. So inside it equal is identical, common subexpressions merge by themselves, and a rewrite rule compares
with ``is``. What the user holds is never edited.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
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
        Variables to put in the place of others on the way in (a function's givens). A replacement may hold other
        replaced variables; where it holds the variable it replaces, that one stays.

    Attributes
    ----------
    inputs, outputs : list of Variable
        Of the interned copy.
    created : list of Apply
        Every node made so far, in order; also those that nothing uses any more.
    settled : frozenset
        Rewrite rules of which none applies any more.

    Raises
    ------
    ValueError
        When replacements go in a circle.
    TypeError
        When an operation cannot be hashed.

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
        self._given: dict[Variable, Variable] = {}
        self._order: list[Apply] | None = None
        self.created: list[Apply] = []
        self.settled: frozenset[Any] = frozenset()
        if replace:
            self._enter_replacements(replace)
        self._outputs: list[Variable] = self.intern(outputs)
        for old in self._given:  # replaced on entry only: a replacement may hold the variable itself
            self._memo[old] = old

    def _enter_replacements(self, replace: Mapping[Variable, Variable]) -> None:
        """Givens may read each other: what replaces a variable may hold another replaced variable."""
        reads = {old: _read_in(new, replace) for old, new in replace.items()}
        try:
            order = list(TopologicalSorter({old: [v for v in found if v is not old] for old, found in reads.items()})
                         .static_order())
        except CycleError as error:
            circle = [str(v) for v in error.args[1]]
            raise ValueError(f"the replacements go in a circle: {', which is in what replaces '.join(circle)}. Replace "
                             "one of them by a new variable") from None
        for old in order:
            new = replace[old]
            self._given[old] = self._intern_apart(new) if old in reads[old] else self.intern([new])[0]
            self._memo[old] = self._given[old]

    def _intern_apart(self, value: Variable) -> Variable:
        """Bring in an expression that holds the very variable it replaces, which stays what it is there."""
        memo, self._memo = self._memo, dict(self._given)
        try:
            result = self.intern([value])[0]
        finally:
            self._memo = memo
        for node in toposort([result]):
            memo.update((v, v) for v in node.outputs)
        return result

    @property
    def outputs(self) -> list[Variable]:
        return self._outputs

    @outputs.setter
    def outputs(self, outputs: Sequence[Variable]) -> None:
        self._outputs = self.intern(outputs)
        self._order = None
        self.settled = frozenset()

    def intern(self, outputs: Iterable[Variable], adopt: bool = False) -> list[Variable]:
        """Bring expressions into the graph; what equals something already there becomes it.

        Parameters
        ----------
        outputs : iterable of Variable
        adopt : bool
            Nodes that read the graph already may be taken in as they are: they were made for it, by a rewrite rule.
        """
        wanted = list(outputs)
        memo = self._memo
        for node in toposort(wanted, memo):
            inputs = tuple([memo[v] if v in memo else self._leaf(v) for v in node.inputs])
            copy = self._intern_node(node, inputs, adopt)
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

    def _intern_node(self, node: Apply, inputs: tuple[Variable, ...], adopt: bool = False) -> Apply:
        key = (node.op, *inputs)
        try:
            found = self._nodes.get(key)
        except TypeError as error:
            raise TypeError(
                f"{node.op}, applied at {node.origin}, cannot be compared with other operations: {error}. The values "
                "of its __props__ must be hashable: a tuple in the place of a list, bytes in the place of an array"
            ) from None
        if found is None:
            if adopt and inputs == node.inputs:
                found = node
            else:
                found = node.clone_with_new_inputs(inputs)
                for old, new in zip(node.outputs, found.outputs, strict=True):
                    new.name, new.origin = old.name, old.origin
            for output in found.outputs:
                self._memo[output] = output
            self._nodes[key] = found
            self.created.append(found)
        return found

    def holds(self, variable: Variable) -> bool:
        """Whether the variable is one of the interned graph."""
        return self._memo.get(variable) is variable

    def interned(self, variable: Variable) -> Variable:
        """What a variable of the user's graph became on entry."""
        return self._given[variable] if variable in self._given else self.intern([variable])[0]

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

    def __reduce__(self) -> Any:
        return FunctionGraph, (self.inputs, self.outputs)

    def __repr__(self) -> str:
        sizes = f"{len(self.inputs)} inputs, {len(self.toposort())} nodes, {len(self._outputs)} outputs"
        return f"<FunctionGraph of {sizes}>"


def _read_in(variable: Variable, wanted: Mapping[Variable, Any]) -> list[Variable]:
    """The variables of `wanted` that `variable` depends on, each once."""
    found = {variable: None} if variable in wanted else {}
    for node in toposort([variable], wanted):
        found.update((v, None) for v in node.inputs if v in wanted)
    return list(found)
