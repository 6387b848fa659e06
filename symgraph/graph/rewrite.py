"""Rewriting: patterns, rules, and the driver that applies them to a fixed point.

A rule is a law, written in the language users write expressions in::

    x = Wild("x")
    Rule("log1p", log(1 + x), log1p(x))

or, where a pattern cannot say it, a decorated function from a node to what replaces it. The driver rebuilds a
`FunctionGraph` bottom-up: each node is met once its inputs are in normal form, rules are tried until none fires,
and whatever a rule built is brought to normal form in its turn. As the graph is interned, a node is normalised once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symgraph.errors import NonConvergenceError
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.fgraph import FunctionGraph
from symgraph.graph.op import Op
from symgraph.graph.origin import Origin, deriving

__all__ = ["Fired", "Pattern", "Rule", "RuleSet", "Wild", "rewrite_rule"]

Bindings = dict[str, Variable]
Replacement = Variable | Sequence[Variable] | None


class Pattern:
    """An expression with holes: an operation applied to patterns, numbers and `Wild` leaves."""

    def __init__(self, op: Op, args: Sequence[Any]) -> None:
        self.op = op
        self.args = tuple(args)

    def lift_op(self, op: Op, args: Sequence[Any]) -> Pattern:
        """What `op` applied to patterns is: a larger pattern of the same kind."""
        pattern: Pattern = object.__new__(_pattern_class(type(self)))
        pattern.op, pattern.args = op, tuple(args)
        return pattern

    def __repr__(self) -> str:
        return f"{self.op}({', '.join(map(str, self.args))})"


class Wild(Pattern):
    """A hole that matches any variable, the same one wherever its name stands in a pattern.

    Parameters
    ----------
    name : str
    where : callable, optional
        A further condition on the variable.
    """

    def __init__(self, name: str, where: Callable[[Variable], bool] | None = None) -> None:
        self.name = name
        self.where = where
        self.args = ()

    def __repr__(self) -> str:
        return self.name


def _pattern_class(cls: type[Pattern]) -> type[Pattern]:
    """The class of compound patterns in a family: the first base that is not a hole."""
    return next(base for base in cls.__mro__ if issubclass(base, Pattern) and not issubclass(base, Wild))


def _match(pattern: Any, variable: Variable, bound: Bindings) -> bool:
    if isinstance(pattern, Wild):
        known = bound.get(pattern.name)
        if known is not None:
            return known is variable
        if pattern.where is not None and not pattern.where(variable):
            return False
        bound[pattern.name] = variable
        return True
    if not isinstance(pattern, Pattern):
        return isinstance(variable, Constant) and _is_number(variable, pattern)
    node = variable.owner
    return node is not None and node.op == pattern.op and _match_inputs(pattern, node, bound)


def _match_inputs(pattern: Pattern, node: Apply, bound: Bindings) -> bool:
    if len(pattern.args) != len(node.inputs):
        return False
    orders = [node.inputs]
    if len(node.inputs) == 2 and getattr(node.op, "commutative", False):
        orders.append(node.inputs[::-1])
    for inputs in orders:
        trial = dict(bound)
        if all(_match(p, v, trial) for p, v in zip(pattern.args, inputs, strict=True)):
            bound.update(trial)
            return True
    return False


def _is_number(constant: Constant, number: Any) -> bool:
    value = getattr(constant, "uniform_value", constant.data)
    return value is not None and bool(value == number)


def _build(pattern: Any, bound: Mapping[str, Variable]) -> Any:
    if isinstance(pattern, Wild):
        return bound[pattern.name]
    if isinstance(pattern, Pattern):
        return pattern.op(*[_build(p, bound) for p in pattern.args])
    return pattern


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
    """

    def __init__(self, name: str, left: Pattern, right: Any, tags: Iterable[str] = ()) -> None:
        self.name = name
        self.left = left
        self.right = right
        self.tags = frozenset(tags)

    @property
    def roots(self) -> tuple[Any, ...]:
        """The operations (or classes of them) at which the rule is tried."""
        return (self.left.op,)

    def apply(self, node: Apply) -> Replacement:
        """What replaces the node's output, or None when the rule does not apply."""
        bound: Bindings = {}
        if node.op != self.left.op or not _match_inputs(self.left, node, bound):
            return None
        result: Replacement = self.right(**bound) if callable(self.right) else _build(self.right, bound)
        return result

    def __repr__(self) -> str:
        right = getattr(self.right, "__name__", self.right)
        return f"{self.name}: {self.left} -> {right}"


class FunctionRule(Rule):
    """A rule whose law is a Python function of the node; made by `rewrite_rule`."""

    def __init__(self, name: str, roots: tuple[Any, ...], function: Callable[[Apply], Replacement],
                 tags: Iterable[str] = ()) -> None:
        self.name = name
        self._roots = roots
        self.function = function
        self.tags = frozenset(tags)

    @property
    def roots(self) -> tuple[Any, ...]:
        return self._roots

    def apply(self, node: Apply) -> Replacement:
        return self.function(node)

    def __repr__(self) -> str:
        doc = (self.function.__doc__ or "").strip().splitlines()
        return f"{self.name}: {doc[0] if doc else ''}"


def rewrite_rule(*roots: Any, name: str | None = None, tags: Iterable[str] = ()) -> Callable[..., FunctionRule]:
    """Turn a function from a node to its replacement (or None) into a rule.

    Parameters
    ----------
    *roots : Op or class of Op
        Where the rule is tried; every node when empty.
    name : str, optional
        The function's name unless given.
    tags : iterable of str
    """

    def decorate(function: Callable[[Apply], Replacement]) -> FunctionRule:
        return FunctionRule(name or function.__name__, roots, function, tags)

    return decorate


@dataclass(frozen=True)
class Fired:
    """One firing of a rule: which, on what, giving what, for which line of the user's program."""

    phase: str
    rule: str
    before: Variable
    after: Variable
    origin: Origin

    def __str__(self) -> str:
        return f"{self.phase}/{self.rule}: {brief(self.before)} -> {brief(self.after)}    {self.origin}"


@dataclass
class RuleSet:
    """Rules applied together to a fixed point.

    Parameters
    ----------
    name : str
        The phase's name.
    rules : sequence of Rule
        Tried in this order at each node.
    """

    name: str
    rules: Sequence[Rule]
    _index: dict[Op, list[Rule]] = field(default_factory=dict, repr=False)

    def rules_for(self, op: Op) -> list[Rule]:
        """The rules to try at an operation."""
        found = self._index.get(op)
        if found is None:
            found = self._index[op] = [
                rule for rule in self.rules
                if not rule.roots or any(isinstance(op, r) if isinstance(r, type) else op == r for r in rule.roots)
            ]
        return found

    def apply(self, fgraph: FunctionGraph, budget: int = 200) -> list[Fired]:
        """Rewrite `fgraph` in place of its outputs until no rule fires.

        Parameters
        ----------
        fgraph : FunctionGraph
        budget : int
            Firings allowed on the way from one node to its normal form.

        Returns
        -------
        list of Fired
            What fired, in order.

        Raises
        ------
        NonConvergenceError
            When the budget is spent; the two last rules are named.
        """
        run = _Run(self, fgraph, budget)
        fgraph.outputs = run.normal_forms(fgraph.outputs)
        return run.fired


class _Run:
    """One application of a rule set: the memory of what is in normal form."""

    def __init__(self, rules: RuleSet, fgraph: FunctionGraph, budget: int) -> None:
        self.rules = rules
        self.fgraph = fgraph
        self.budget = budget
        self.normal: dict[Variable, Variable] = {}
        self.becomes: dict[Variable, Variable] = {}  # fired, but what it became is not yet in normal form
        self.spent: dict[Variable, int] = {}
        self.fired: list[Fired] = []

    def normal_forms(self, outputs: Sequence[Variable]) -> list[Variable]:
        """The normal forms of `outputs`, by a depth-first walk with its own stack."""
        normal = self.normal
        waited: set[Variable] = set()
        for output in outputs:
            stack = [output]
            while stack:
                variable = stack[-1]
                if variable in normal:
                    waited.discard(stack.pop())
                    continue
                node = variable.owner
                if node is None:
                    normal[variable] = variable
                    continue
                later = self.becomes.get(variable)
                waiting = [v for v in (node.inputs if later is None else (later,)) if v not in normal]
                if waiting:
                    # A variable that waits for itself was rewritten to something that holds it.
                    waited.add(variable)
                    if not waited.isdisjoint(waiting):
                        rule = self.fired[-2].rule if len(self.fired) > 1 else self.fired[-1].rule
                        raise self._does_not_end("a circle of rules", rule, node)
                    stack.extend(reversed(waiting))
                elif later is not None:
                    normal[variable] = normal[later]
                else:
                    self._visit(node)
        return [normal[v] for v in outputs]

    def _does_not_end(self, how: str, rule: str, node: Apply) -> NonConvergenceError:
        previous = self.fired[-1].rule if self.fired else rule
        return NonConvergenceError(
            f"rewriting does not end: {how} in phase {self.rules.name!r}, the last two rules being "
            f"{previous!r} and {rule!r}, on {node} built at {node.origin}"
        )

    def _visit(self, node: Apply) -> None:
        """All inputs are in normal form: rebuild the node on them, and fire the first rule that applies."""
        inputs = [self.normal[v] for v in node.inputs]
        current = node
        if any(new is not old for new, old in zip(inputs, node.inputs, strict=True)):
            current = self.fgraph._intern_node(node, inputs)
            if current.outputs[0] in self.normal or current.outputs[0] in self.becomes:
                self._link(node.outputs, current.outputs)
                return
        for rule in self.rules.rules_for(current.op):
            with deriving(current.origin):
                result = rule.apply(current)
            if result is None:
                continue
            replacements = [result] if isinstance(result, Variable) else list(result)
            if self._accept(rule, current, replacements):
                self._link(current.outputs, self._replace(rule, current, replacements))
                if current is not node:
                    self._link(node.outputs, current.outputs)
                return
        for output in current.outputs:
            self.normal[output] = output
        if current is not node:
            self._link(node.outputs, current.outputs)

    def _link(self, old: Iterable[Variable], new: Iterable[Variable]) -> None:
        for before, after in zip(old, new, strict=True):
            if before is not after:
                self.becomes[before] = after

    @staticmethod
    def _accept(rule: Rule, node: Apply, replacements: list[Variable]) -> bool:
        """A pattern may fit where its two sides differ in type (a broadcast lost, a dtype widened): it declines."""
        if all(old.type.is_interchangeable(new.type) if hasattr(old.type, "is_interchangeable") else old.type == new.type
               for old, new in zip(node.outputs, replacements, strict=True)):
            return True
        if isinstance(rule, FunctionRule):
            old, new = node.outputs[0], replacements[0]
            raise TypeError(f"rule {rule.name} would replace {old.type} by {new.type} in {node}")
        return False

    def _replace(self, rule: Rule, node: Apply, replacements: list[Variable]) -> list[Variable]:
        spent = self.spent.get(node.outputs[0], 0) + 1
        if spent > self.budget:
            raise self._does_not_end(f"{self.budget} firings", rule.name, node)
        interned = self.fgraph.intern(replacements)
        self.fired.append(Fired(self.rules.name, rule.name, node.outputs[0], interned[0], node.origin))
        for old, new in zip(node.outputs, interned, strict=True):
            if new.name is None and new.owner is not None:
                new.name = old.name
            if new.owner is not None:
                for output in new.owner.outputs:
                    self.spent[output] = max(self.spent.get(output, 0), spent)
        return interned


def brief(variable: Variable, depth: int = 3) -> str:
    """An expression as short text: names where there are names, dots below `depth`."""
    if variable.owner is None or variable.name:
        return str(variable)
    if depth == 0:
        return "..."
    node = variable.owner
    inside = ", ".join(brief(v, depth - 1) for v in node.inputs)
    suffix = f".{variable.index}" if len(node.outputs) > 1 else ""
    return f"{node.op}({inside}){suffix}"
