"""Rewriting: patterns, rules, and the driver that applies them to a fixed point.

A rule is a law, written in the language users write expressions in::

    x = Wild("x")
    Rule("log1p", log(1 + x), log1p(x))

or, where a pattern cannot say it, a decorated function from a node to what replaces it. The driver rebuilds a
`FunctionGraph` bottom-up: each node is met once its inputs are in normal form, rules are tried until none fires,
and whatever a rule built is brought to normal form in its turn. As the graph is interned, a node is normalised once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from symgraph.errors import NonConvergenceError
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.fgraph import FunctionGraph
from symgraph.graph.op import Op
from symgraph.graph.origin import Origin, deriving
from symgraph.graph.pattern import Pattern, Wild
from symgraph.graph.rule import FunctionRule, Heads, Rule, head_of, made_of, made_only_of, rewrite_rule
from symgraph.graph.traversal import toposort
from symgraph.graph.type import Type

__all__ = [
    "Fired", "FunctionRule", "Pattern", "Rule", "RuleSet", "Wild", "brief", "made_of", "made_only_of", "rewrite_rule",
]

_MOST_ARGUMENTS = 8
_MOST_OPERATIONS = 4096


@dataclass(frozen=True)
class Fired:
    """One firing of a rule: which, on what, giving what, for which line of the user's program."""

    phase: str
    rule: str
    before: Variable
    after: Variable
    origin: Origin

    def __str__(self) -> str:
        before, after = (brief(v, 3, by_name=False) for v in (self.before, self.after))
        return f"{self.phase}/{self.rule}: {before} -> {after}    {self.origin}"


class _Roots:
    """Where rules are tried: their positions by operations, by classes of them, and by functions that say so."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.everywhere = [i for i, rule in enumerate(rules) if not rule.roots]
        self.by_op: dict[Op, list[int]] = {}
        self.by_class: dict[type, list[int]] = {}
        self.by_function: list[tuple[Any, int]] = []
        for i, rule in enumerate(rules):
            for root in rule.roots:
                if isinstance(root, FunctionType):
                    self.by_function.append((root, i))
                elif isinstance(root, type):
                    self.by_class.setdefault(root, []).append(i)
                else:
                    self.by_op.setdefault(root, []).append(i)

    def of(self, op: Op) -> list[int]:
        """The positions of the rules to try at an operation, in order."""
        found = {*self.everywhere, *self.by_op.get(op, ())}
        for cls in type(op).__mro__:
            found.update(self.by_class.get(cls, ()))
        found.update(i for says_so, i in self.by_function if says_so(op))
        return sorted(found)


class Candidates:
    """The rules to try at the nodes of one operation.

    Parameters
    ----------
    rules : sequence of Rule
        In the order in which they are tried.
    settled : set of Rule
        Those under which a node as it came is in normal form.
    """

    __slots__ = ("_by_heads", "all", "fresh")

    def __init__(self, rules: Sequence[Rule], settled: Collection[Rule]) -> None:
        self.all = list(rules)
        self.fresh = [rule for rule in rules if rule not in settled]
        self._by_heads: dict[tuple[bool, Heads], list[Rule]] = {}

    def at(self, inputs: Sequence[Variable], as_it_came: bool) -> list[Rule]:
        """Those that could apply to a node with these inputs."""
        rules = self.fresh if as_it_came else self.all
        if not rules:
            return rules
        key = as_it_came, tuple([head_of(v) for v in inputs])
        found = self._by_heads.get(key)
        if found is None:
            if len(self._by_heads) >= _MOST_OPERATIONS:
                self._by_heads.clear()
            found = self._by_heads[key] = [rule for rule in rules if rule.may_fit(key[1])]
        return found


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
    _roots: _Roots | None = field(default=None, repr=False)
    _index: dict[frozenset[Rule], dict[Op, Candidates]] = field(default_factory=dict, repr=False)

    def rules_for(self, op: Op) -> list[Rule]:
        """The rules to try at an operation."""
        if self._roots is None:
            self._roots = _Roots(self.rules)
        return [self.rules[i] for i in self._roots.of(op)]

    def candidates(self, op: Op, settled: frozenset[Rule] = frozenset()) -> Candidates:
        """The same, sorted by what the inputs are made by and by what is in `settled`."""
        index = self._index.setdefault(settled, {})
        found = index.get(op)
        if found is None:
            if len(index) >= _MOST_OPERATIONS:
                index.clear()  # rule sets live long, and must not keep every operation alive that they ever met
            found = index[op] = Candidates(self.rules_for(op), settled)
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
            When rules undo each other, or the budget is spent; the rules are named.
        """
        run = _Run(self, fgraph, budget)
        fgraph.outputs = run.normal_forms(fgraph.outputs)
        fgraph.settled = frozenset(self.rules)
        return run.fired


class _Run:
    """One application of a rule set: the memory of what is in normal form."""

    def __init__(self, rules: RuleSet, fgraph: FunctionGraph, budget: int) -> None:
        self.rules = rules
        self.fgraph = fgraph
        self.budget = budget
        self.normal: dict[Variable, Variable] = {}
        self.becomes: dict[Variable, Variable] = {}  # fired, but what it became is not yet in normal form
        self.by: dict[Variable, str] = {}  # the rule by which it became that
        self.spent: dict[Apply, tuple[int, str]] = {}  # firings on the way to a node, and the last rule
        self.fired: list[Fired] = []
        self.candidates: dict[int, tuple[Op, Candidates]] = {}  # by the identity of the operation, which is kept alive
        self.as_they_came: set[Apply] = set()  # nodes in normal form under the rules of `fgraph.settled`
        #: How often each variable is read, or None where no rule asks. Never too low: what a firing leaves unread is
        #: still counted.
        self.reads: dict[Variable, int] | None = {} if any(rule.counts for rule in rules.rules) else None

    def uses(self, variable: Variable) -> int:
        """How often a variable of the graph, or what it stands for, is read; outputs of the graph are."""
        assert self.reads is not None
        return self.reads.get(variable, 0)

    def _count(self, variables: Iterable[Variable]) -> None:
        reads = self.reads
        assert reads is not None
        for variable in variables:
            reads[variable] = reads.get(variable, 0) + 1

    def normal_forms(self, outputs: Sequence[Variable]) -> list[Variable]:
        """The normal forms of `outputs`: each node is visited after its inputs."""
        normal, becomes = self.normal, self.becomes
        order = toposort(outputs)
        if self.fgraph.settled:
            self.as_they_came.update(order)
            if not any(self._rules_at(node) for node in order):
                return list(outputs)
        if self.reads is not None:
            self._count(outputs)
            for node in order:
                self._count(node.inputs)
        for node in order:
            for variable in node.inputs:
                if variable.owner is None:
                    normal[variable] = variable
            first = node.outputs[0]
            if first not in normal and first not in becomes:
                self._visit(node)
            for variable in node.outputs:
                if variable not in normal:
                    self._settle(variable)
        for output in outputs:
            self._settle(output)
        return [normal[v] for v in outputs]

    def _settle(self, output: Variable) -> None:
        """Bring what a rule built to normal form, by a depth-first walk with its own stack."""
        normal = self.normal
        waited: dict[Variable, None] = {}  # the way from the output down to where the walk is
        stack = [output]
        while stack:
            variable = stack[-1]
            if variable in normal:
                waited.pop(stack.pop(), None)
                continue
            node = variable.owner
            if node is None:
                normal[variable] = variable
                continue
            later = self.becomes.get(variable)
            waiting = [v for v in (node.inputs if later is None else (later,)) if v not in normal]
            if waiting:
                waited[variable] = None
                for needed in waiting:
                    if needed in waited:  # it waits for itself: it was rewritten to something that holds it
                        raise self._circle(list(waited), needed)
                stack.extend(reversed(waiting))
            elif later is not None:
                normal[variable] = normal[later]
            else:
                self._visit(node)

    def _circle(self, way: list[Variable], start: Variable) -> NonConvergenceError:
        circle = way[way.index(start):]
        rules = list(dict.fromkeys(self.by[v] for v in circle if v in self.by))
        node = next(v for v in circle if v in self.by).owner
        assert node is not None
        if len(rules) == 1:
            return self._does_not_end(f"rule {rules[0]!r} replaces an expression by one that holds it", node)
        return self._does_not_end(f"rules {' and '.join(map(repr, rules[-2:]))} undo each other", node)

    def _overspent(self, node: Apply, last: str, rule: str) -> NonConvergenceError:
        rules = " and ".join(map(repr, dict.fromkeys((last, rule))))
        plural = "s" if last != rule else ""
        return self._does_not_end(f"after {self.budget} firings in a row, the last by rule{plural} {rules}", node)

    def _does_not_end(self, how: str, node: Apply) -> NonConvergenceError:
        return NonConvergenceError(
            f"rewriting in phase {self.rules.name!r} does not end: {how}, at {brief(node.outputs[0], 2)}, "
            f"built at {node.origin}"
        )

    def _visit(self, node: Apply) -> None:
        """All inputs are in normal form: rebuild the node on them, and fire the first rule that applies."""
        normal = self.normal
        inputs = tuple([normal[v] for v in node.inputs])
        current = node
        if inputs != node.inputs:  # variables are equal when they are one
            current = self.fgraph._intern_node(node, inputs)
            if node in self.spent:
                self.spent[current] = max(self.spent[node], self.spent.get(current, (0, "")))
            self._link(node.outputs, current.outputs)
            if current is not node and (current.outputs[0] in normal or current.outputs[0] in self.becomes):
                return
        rules = self._rules_at(current)
        if rules and self._fire_one_of(rules, current):
            return
        for output in current.outputs:
            normal[output] = output

    def _rules_at(self, node: Apply) -> list[Rule]:
        """The rules that could apply to a node."""
        op = node.op
        known = self.candidates.get(id(op))
        if known is None:
            known = self.candidates[id(op)] = op, self.rules.candidates(op, self.fgraph.settled)
        return known[1].at(node.inputs, node in self.as_they_came)

    def _link(self, old: Iterable[Variable], new: Iterable[Variable]) -> None:
        for before, after in zip(old, new, strict=True):
            if before is not after:
                self._becomes(before, after)

    def _becomes(self, before: Variable, after: Variable) -> None:
        self.becomes[before] = after
        if self.reads is not None:  # who read the one reads the other
            self.reads[after] = self.reads.get(after, 0) + self.reads.get(before, 0)

    def _fire_one_of(self, rules: Sequence[Rule], node: Apply) -> bool:
        """Try rules at a node whose inputs are in normal form; say whether one changed anything."""
        rule = rules[0]
        try:
            with deriving(node.origin):
                for rule in rules:
                    result = rule.apply(node, self.uses)
                    if result is not None and self._fire(rule, node, result):
                        return True
        except NonConvergenceError:
            raise
        except Exception as error:
            error.add_note(f"in rewrite rule {rule.name!r}, at {brief(node.outputs[0], 2)}, built at {node.origin}")
            raise
        return False

    def _fire(self, rule: Rule, node: Apply, result: Variable | Sequence[Variable]) -> bool:
        """Put what a rule gave in the place of a node; say whether that changes anything."""
        replacements = [result] if isinstance(result, Variable) else list(result)
        if not self._accept(rule, node, replacements):
            return False
        number = len(self.fgraph.created)
        interned = self.fgraph.intern(replacements, adopt=True)
        changed = [i for i, (old, new) in enumerate(zip(node.outputs, interned, strict=True)) if old is not new]
        if not changed:
            return False
        made = self.fgraph.created[number:]
        self._spend(rule, node, made)
        if self.reads is not None:
            for new_node in made:
                self._count(new_node.inputs)
        first = changed[0]
        self.fired.append(Fired(self.rules.name, rule.name, node.outputs[first], interned[first], node.origin))
        for old, new in zip(node.outputs, interned, strict=True):
            if new is old:
                self.normal[old] = old  # the rule replaced another output of the node
                continue
            self._becomes(old, new)
            self.by[old] = rule.name
            if new.name is None and new.owner is not None:
                new.name = old.name
        return True

    def _spend(self, rule: Rule, node: Apply, made: Sequence[Apply]) -> None:
        """Count the firing against everything the rule made, so that growth without end is noticed."""
        if rule.descends:
            return
        count, last = self.spent.get(node, (0, rule.name))
        if count >= self.budget:
            raise self._overspent(node, last, rule.name)
        for new in made:
            self.spent[new] = (count + 1, rule.name)

    @staticmethod
    def _accept(rule: Rule, node: Apply, replacements: list[Variable]) -> bool:
        """Whether the replacements are of the types of what they replace, and know no less of the shape.

        A pattern may fit where its two sides differ in type (a broadcast lost, a dtype widened): it declines. So does
        any rule whose result knows less (``x + zeros(3)`` checks the length of x, x does not; and a later reshape may
        have counted on it) or finds an axis to be 1 which was not known to be: what reads it was built for the other
        type.
        """
        if len(replacements) == len(node.outputs):
            pairs = zip(node.outputs, replacements, strict=True)
            types = [(old.type, new.type) for old, new in pairs if old is not new]
            if all(old.is_super(new) and _is_interchangeable(old, new) for old, new in types):
                return True
            if not isinstance(rule, FunctionRule) or all(
                old.is_super(new) or _is_interchangeable(old, new) for old, new in types
            ):
                return False
        found, wanted = ([str(v.type) for v in row] for row in (replacements, node.outputs))
        raise TypeError(f"rule {rule.name} gives {', '.join(found)} in the place of {', '.join(wanted)}, in {node}")


def _is_interchangeable(old: Type, new: Type) -> bool:
    fits = getattr(old, "is_interchangeable", None)
    return bool(fits(new)) if fits is not None else old == new


def brief(variable: Variable, depth: int = 3, by_name: bool = True) -> str:
    """An expression as short text: names where there are names, dots below `depth` and after many arguments.

    Without `by_name`, the expression itself is written out even if it has a name; its parts still go by theirs.
    """
    if variable.owner is None or (variable.name and by_name):
        return str(variable)
    if depth == 0:
        return "..."
    node = variable.owner
    inside = [brief(v, depth - 1) for v in node.inputs[:_MOST_ARGUMENTS]]
    if len(node.inputs) > _MOST_ARGUMENTS:
        inside.append("...")
    suffix = f".{variable.index}" if len(node.outputs) > 1 else ""
    return f"{node.op}({', '.join(inside)}){suffix}"
