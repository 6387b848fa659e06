"""The phase about loops: their steps are rewritten as any graph, and loops of one length become one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.fgraph import FunctionGraph
from symgraph.graph.inner import InnerGraph
from symgraph.graph.rewrite import Fired, Rule, RuleSet
from symgraph.graph.traversal import clone_replace
from symgraph.rewrites.parts import Carried, parts_of
from symgraph.scan.op import Scan
from symgraph.tensor.basic import constant
from symgraph.tensor.checks import require
from symgraph.tensor.elemwise import elemwise
from symgraph.tensor.subtensor import Subtensor

__all__ = ["WHOLE_GRAPH", "GraphLaw", "LoopPhase"]

_MOST_ROUNDS = 12

#: From a graph to what replaces some of its variables; nothing when the law does not apply.
Replacements = dict[Variable, Variable]


class GraphLaw:
    """A law that must see the whole graph.

    Parameters
    ----------
    function : callable
        From the graph to what replaces some of its variables.
    """

    tags: frozenset[str] = frozenset()

    def __init__(self, function: Callable[[FunctionGraph], Replacements]) -> None:
        self.name, self.function = function.__name__, function

    def __repr__(self) -> str:
        return f"{self.name}: {(self.function.__doc__ or '').strip().splitlines()[0]}"


class LoopPhase:
    """Rewriting in and around loops.

    Parameters
    ----------
    name : str
    simplify : sequence of Rule
        The rules for the graphs of steps, and for what is moved out of them.
    laws : sequence of Rule or GraphLaw
        Those about loops.
    """

    def __init__(self, name: str, simplify: Sequence[Rule], laws: Sequence[Any]) -> None:
        self.name = name
        self.inside = RuleSet("simplify", simplify)
        local = [law for law in laws if not isinstance(law, GraphLaw)]
        self.outside = RuleSet(name, [*(law for law in local if not law.counts), *simplify])
        self.counting = RuleSet(name, [law for law in local if law.counts])
        self.whole = [law for law in laws if isinstance(law, GraphLaw)]

    def apply(self, fgraph: FunctionGraph, budget: int = 200) -> list[Fired]:
        """Rewrite `fgraph` in place of its outputs; see `RuleSet.apply`."""
        fired: list[Fired] = []
        for _ in range(_MOST_ROUNDS):
            if not any(isinstance(node.op, Scan) for node in fgraph.toposort()):
                break
            count = len(fired)
            fired += self._steps(fgraph, budget)
            fired += self.outside.apply(fgraph, budget)
            fired += self._counted(fgraph, budget)
            for law in self.whole:
                fired += self._together(law, fgraph)
            if len(fired) == count:
                break
        return fired

    def _counted(self, fgraph: FunctionGraph, budget: int) -> list[Fired]:
        """Apply the rules that ask how often something is read: only now has all that is not read any more gone."""
        settled = fgraph.settled
        fired = self.counting.apply(fgraph, budget)
        if not fired:
            fgraph.settled = settled
        return fired

    def _steps(self, fgraph: FunctionGraph, budget: int) -> list[Fired]:
        """Rewrite the graph of each step."""
        fired: list[Fired] = []
        memo: Replacements = {}
        for node in fgraph.toposort():
            inputs = tuple([memo.get(v, v) for v in node.inputs])
            op = self._rewritten(node.op, budget, fired) if isinstance(node.op, Scan) else node.op
            if op is node.op and inputs == node.inputs:
                continue
            new = node.clone_with_new_inputs(inputs) if op is node.op else op.make_node(*inputs)
            new.origin = node.origin
            for old, v in zip(node.outputs, new.outputs, strict=True):
                v.name, v.origin = old.name, old.origin
                memo[old] = v
        if memo:
            fgraph.outputs = [memo.get(v, v) for v in fgraph.outputs]
        return fired

    def _rewritten(self, op: Scan, budget: int, fired: list[Fired]) -> Scan:
        """The scan with the graph of its step in normal form; itself where it is."""
        if op.normal_under is self:
            return op
        inner = FunctionGraph(op.graph.inputs, op.graph.outputs)
        fired += self.inside.apply(inner, budget)
        fired += self.apply(inner, budget)
        found = op.changed(InnerGraph(inner.inputs, inner.outputs, op.graph.name))
        if found == op:
            found = op
        found.normal_under = self
        return found

    def _together(self, law: GraphLaw, fgraph: FunctionGraph) -> list[Fired]:
        fired: list[Fired] = []
        while replaced := law.function(fgraph):
            fgraph.outputs = clone_replace(fgraph.outputs, replaced)
            before, after = next(iter(replaced.items()))
            assert before.owner is not None
            fired.append(Fired(self.name, law.name, before, after, before.owner.origin))
        return fired


# ---- laws that see the whole graph ----------------------------------------------------------------------------------


def last_of_collected(fgraph: FunctionGraph) -> Replacements:
    """collected[-1], where nothing else reads what is collected -> a state, of which no history is kept."""
    clients = fgraph.clients()
    for node in fgraph.toposort():
        if not isinstance(node.op, Scan):
            continue
        old = node.op.outputs(node.outputs)
        row = 0 if node.op.backwards else -1
        last = [m for m, v in enumerate(old.traces) if clients.get(v) and all(
            reader is not None and isinstance(reader.op, Subtensor) and reader.op.spec[:1] == (row,)
            and reader.inputs[0] is v for reader in clients[v])]
        if last:
            return _with_last(node, last, clients)
    return {}


def _with_last(node: Apply, last: Sequence[int], clients: dict[Variable, list[Apply | None]]) -> Replacements:
    parts, old = parts_of(node), node.op.outputs(node.outputs)
    number = len(old.final)
    for place, m in enumerate(last, number):
        v = parts.traces.pop(m)
        nothing = constant(np.zeros([n or 0 for n in v.type.shape], v.type.dtype))
        parts.states[place] = Carried(v.type.make_variable(f"last{place}"), nothing, v, False)
    new = parts.build()
    replaced: Replacements = {}
    for place, m in zip(range(len(new.final) - len(last), len(new.final)), last, strict=True):
        end = require(new.final[place], elemwise(scalar.ge)(node.inputs[0], 1),
                      "index -1 is out of bounds for axis 0 with size 0", IndexError)
        for reader in clients[old.traces[m]]:
            assert reader is not None
            rest = reader.op.spec[1:]
            replaced[reader.outputs[0]] = Subtensor(rest)(end, *reader.inputs[1:]) if rest else end
    parts.states = {i: s for i, s in parts.states.items() if i < number}
    kept = {**dict(zip(parts.traces, new.traces, strict=True))}
    replaced.update((old.traces[m], v) for m, v in kept.items())
    replaced.update(zip(old.final, new.final[:number], strict=True))
    replaced.update((v, new.histories[i]) for i, v in old.histories.items())
    if old.steps is not None:
        replaced[old.steps] = new.steps
    return replaced


def loops_together(fgraph: FunctionGraph) -> Replacements:
    """Two loops of as many steps, neither of which needs the other -> one."""
    bits: dict[Apply, int] = {}
    above: dict[Variable, int] = {}
    loops: dict[Variable, list[Apply]] = {}
    for node in fgraph.toposort():
        mask = 0
        for v in node.inputs:
            mask |= above.get(v, 0)
        if isinstance(node.op, Scan):
            group = loops.setdefault(node.inputs[0], [])
            for other in group:
                if not mask & bits[other]:
                    found = _merged(other, node)
                    if found:
                        return found
            bits[node] = 1 << len(bits)
            group.append(node)
            mask |= bits[node]
        above.update(dict.fromkeys(node.outputs, mask))
    return {}


def _merged(a: Apply, b: Apply) -> Replacements:
    """Two loops as one; nothing where they are not known to make as many steps."""
    if a.op.backwards != b.op.backwards or ((a.op.until or b.op.until) and not _stop_together(a, b)):
        return {}
    mine, other = parts_of(a), parts_of(b)
    fresh = {slot: slot.type.make_variable(slot.name)
             for slot in [*other.rows, *(s.slot for s in other.states.values()), *other.fixed]}
    other.substitute(fresh)
    mine.rows.update((fresh[slot], x) for slot, x in other.rows.items())
    mine.fixed.update((fresh[slot], x) for slot, x in other.fixed.items())
    states, traces = len(mine.states), len(mine.traces)
    mine.states.update((states + i, Carried(fresh[s.slot], s.initial, s.after, s.kept))
                       for i, s in other.states.items())
    mine.traces.update((traces + m, v) for m, v in other.traces.items())
    new = mine.build()
    replaced: Replacements = {}
    for node, first, row in ((a, 0, 0), (b, states, traces)):
        old = node.op.outputs(node.outputs)
        replaced.update((v, new.final[first + i]) for i, v in enumerate(old.final))
        replaced.update((v, new.histories[first + i]) for i, v in old.histories.items())
        replaced.update((v, new.traces[row + m]) for m, v in enumerate(old.traces))
        if old.steps is not None:
            replaced[old.steps] = new.steps
    return replaced


def _stop_together(a: Apply, b: Apply) -> bool:
    """Whether two loops read the same, and go on and stop in the same way."""
    first, second = a.op, b.op
    if not (first.until and second.until) or a.inputs != b.inputs or first.n_sequences != second.n_sequences:
        return False
    if first.n_states != second.n_states:
        return False
    graphs = [InnerGraph(op.graph.inputs, [*op.next_states, op.condition]) for op in (first, second)]
    return graphs[0].signature() == graphs[1].signature()


WHOLE_GRAPH = (GraphLaw(last_of_collected), GraphLaw(loops_together))
