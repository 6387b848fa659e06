"""Rules: laws by which one expression may replace another, as pairs of patterns or as functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.pattern import Pattern, Wild, build, fits, holes, match_inputs

__all__ = ["FunctionRule", "Heads", "Rule", "Uses", "head_of", "made_of", "made_only_of", "rewrite_rule"]

Replacement = Variable | Sequence[Variable] | None

#: How often a variable of the graph is read.
Uses = Callable[[Variable], int]

#: For each input of a node what it is made by, as `head_of` tells.
Heads = tuple[Any, ...]


def head_of(variable: Variable) -> Any:
    """What a variable is made by: the head of the operation; `Constant` for a constant, None for an input.

    Nodes of one operation whose inputs have the same heads are alike for most rules, so that it is decided once
    which of them can apply.
    """
    node = variable.owner
    if node is None:
        return Constant if isinstance(variable, Constant) else None
    return node.op.head


def made_of(*heads: Any) -> Callable[[Heads], bool]:
    """A rule's `when`: some input is made by one of these (heads, or classes of operations)."""
    classes = tuple(h for h in heads if isinstance(h, type))

    def when(found: Heads) -> bool:
        return any(h in heads or (isinstance(h, type) and issubclass(h, classes)) for h in found)

    return when


def made_only_of(head: Any) -> Callable[[Heads], bool]:
    """A rule's `when`: there are inputs, and all are made by this."""
    return lambda found: bool(found) and all(h is head for h in found)


class Rule:
    """A law: what matches the left side may be replaced by the right side.

    Parameters
    ----------
    name : str
        Shown when the rule fires.
    left : Pattern
        An operation applied to patterns.
    right : Pattern or callable
        What to put in its place; a callable takes the bound variables by name and may return None to decline.
    tags : iterable of str
        Names of groups the rule belongs to, for including and excluding.

    Raises
    ------
    TypeError
        When the left side is no operation.
    ValueError
        When the right side has a hole that the left side does not bind.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> from symgraph.graph import FunctionGraph
    >>> from symgraph.graph.rewrite import RuleSet
    >>> x = Wild("x")
    >>> law = Rule("log_of_exp", T.log(T.exp(x)), x)
    >>> law
    log_of_exp: log(exp(x)) -> x
    >>> v = T.dvector("v")
    >>> graph = FunctionGraph([v], [T.log(T.exp(v))])
    >>> fired = RuleSet("example", [law]).apply(graph)
    >>> graph.outputs[0] is v
    True
    """

    descends = False  # see `rewrite_rule`
    counts = False

    def __init__(self, name: str, left: Pattern, right: Any, tags: Iterable[str] = ()) -> None:
        if not isinstance(left, Pattern) or isinstance(left, Wild):
            raise TypeError(f"rule {name}: the left side must be an operation applied to patterns, not {left!r}")
        if isinstance(right, Pattern):
            unbound = holes(right) - holes(left)
            if unbound:
                raise ValueError(f"rule {name}: the left side does not bind {', '.join(sorted(unbound))}, on the right")
        self.name = name
        self.left = left
        self.right = right
        self.tags = frozenset(tags)
        self._inputs = [(i, arg.op, None) if isinstance(arg, Pattern) else (i, None, arg)
                       for i, arg in enumerate(left.args) if not isinstance(arg, Wild)]
        self._either_way = len(left.args) == 2 and bool(getattr(left.op, "commutative", False))

    @property
    def roots(self) -> tuple[Any, ...]:
        """The operations (or classes of them) at which the rule is tried."""
        return (self.left.op,)

    def may_fit(self, heads: Heads) -> bool:
        """Whether the rule could apply to a node whose inputs are made by these."""
        return self._agrees(heads) or (self._either_way and self._agrees(heads[::-1]))

    def _agrees(self, heads: Heads) -> bool:
        return len(heads) == len(self.left.args) and all(
            heads[i] is (Constant if op is None else op.head) for i, op, _ in self._inputs)

    def may_apply(self, inputs: Sequence[Variable]) -> bool:
        """A quick look at a node's inputs: False when the rule certainly does not apply."""
        return fits(self._inputs, inputs) or (
            self._either_way and len(inputs) == 2 and fits(self._inputs, inputs[::-1]))

    def apply(self, node: Apply, uses: Uses | None = None) -> Replacement:
        """What replaces the node's output, or None when the rule does not apply."""
        if len(node.inputs) != len(self.left.args) or not self.may_apply(node.inputs) or node.op != self.left.op:
            return None
        for bound in match_inputs(self.left, node, {}):
            try:
                result = self.right(**bound) if callable(self.right) else build(self.right, bound)
            except TypeError:
                if callable(self.right):
                    raise
                continue  # the right side is not defined on such types: there is no -x of a bool x
            if result is None:
                continue
            meant = node.op.default_output or 0
            if not isinstance(result, Variable):
                try:
                    result = node.outputs[meant].type.filter_variable(result)
                except (TypeError, ValueError):
                    return None  # a number in the place of a tensor of unknown shape
            return [result if i == meant else v for i, v in enumerate(node.outputs)]
        return None

    def __repr__(self) -> str:
        right = getattr(self.right, "__name__", self.right)
        return f"{self.name}: {self.left} -> {right}"


class FunctionRule(Rule):
    """A rule whose law is a Python function of the node; made by `rewrite_rule`."""

    def __init__(self, name: str, roots: tuple[Any, ...], function: Callable[..., Replacement],
                 tags: Iterable[str] = (), descends: bool = False, counts: bool = False,
                 when: Callable[[Heads], bool] | None = None) -> None:
        self.name = name
        self._roots = roots
        self.function = function
        self.tags = frozenset(tags)
        self.descends = descends
        self.counts = counts
        self.when = when

    @property
    def roots(self) -> tuple[Any, ...]:
        return self._roots

    def may_fit(self, heads: Heads) -> bool:
        return self.when is None or self.when(heads)

    def may_apply(self, inputs: Sequence[Variable]) -> bool:
        return True

    def apply(self, node: Apply, uses: Uses | None = None) -> Replacement:
        return self.function(node, uses) if self.counts else self.function(node)

    def __repr__(self) -> str:
        doc = (self.function.__doc__ or "").strip().splitlines()
        return f"{self.name}: {doc[0] if doc else ''}"


def rewrite_rule(*roots: Any, name: str | None = None, tags: Iterable[str] = (),
                 descends: bool = False, counts: bool = False,
                 when: Callable[[Heads], bool] | None = None) -> Callable[..., FunctionRule]:
    """Turn a function from a node to its replacement (or None) into a rule.

    Parameters
    ----------
    *roots : Op, class of Op, or function
        Where the rule is tried, a function saying of an operation whether it is one; every node when empty.
    name : str, optional
        The function's name unless given.
    tags : iterable of str
    descends : bool
        What it gives asks only about what comes before the node, so that it may fire as often in a row as the graph is
        deep; the budget is for rules that could go on for ever.
    counts : bool
        The function takes a second argument, ``uses(variable)``: how often a variable of the graph is read, outputs
        included. What nothing else reads may be taken apart without being computed twice.
    when : callable, optional
        From what a node's inputs are made by (see `head_of`) to whether the rule could apply: asked once for all nodes
        that are alike in this, so that most nodes cost most rules nothing.
    """

    def decorate(function: Callable[..., Replacement]) -> FunctionRule:
        return FunctionRule(name or function.__name__, roots, function, tags, descends, counts, when)

    return decorate
