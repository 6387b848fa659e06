"""Laziness: what only one branch of an `ifelse` needs is moved into that branch.

For each node we find under which branches it is needed: the longest row of choices that every way from it to a result
goes through. A node needed in one branch only is computed there, in the first choice by its condition that reads it;
later choices by the same condition (those of the backward pass) get it from there, as a further output, for which an
array of no elements stands in when the branch is not taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.traversal import toposort
from symgraph.ifelse import IfElse, branch_inputs, known_choice
from symgraph.plan import Branch, LazyIfElse, Plan

__all__ = ["copied", "lazily"]

Choice = tuple[Variable, bool]
#: From a plan and a label to what computes its outputs.
Compile = Callable[[Plan, str], Callable[..., Any]]


def lazily(outputs: Sequence[Variable], compile_plan: Compile) -> list[Variable]:
    """Expressions in which every `IfElse` computes the branch it takes only.

    Parameters
    ----------
    outputs : sequence of Variable
    compile_plan : callable
        From a plan and a label to what computes its outputs.
    """
    if not any(isinstance(node.op, IfElse) for node in toposort(outputs)):
        return list(outputs)
    return _Branch(_Layout(outputs).root, compile_plan).results


def copied(node: Apply, memo: dict[Variable, Variable]) -> None:
    """The node on what its inputs became, entered into `memo`; itself where they are the same."""
    inputs = tuple([memo.get(v, v) for v in node.inputs])
    if inputs == node.inputs:
        return
    copy = node.clone_with_new_inputs(inputs)
    for old, new in zip(node.outputs, copy.outputs, strict=True):
        new.name, new.origin = old.name, old.origin
        memo.setdefault(old, new)


class _Region:
    """What is computed under the same choices: nothing, or one choice more than the region around it."""

    def __init__(self, around: _Region | None = None, branch: Choice | None = None) -> None:
        self.around, self.branch = around, branch
        self.depth: int = 0 if around is None else around.depth + 1
        self.inner: dict[Choice, _Region] = {}

    def within(self, branch: Choice) -> _Region:
        """The region of a branch of a choice that is made here."""
        found = self.inner.get(branch)
        if found is None:
            found = self.inner[branch] = _Region(self, branch)
        return found

    def decides(self, condition: Variable) -> bool | None:
        """Whether a condition holds here, where that is sure."""
        region: _Region | None = self
        while region is not None and region.branch is not None:
            if region.branch[0] is condition:
                return region.branch[1]
            region = region.around
        return known_choice(condition)

    def reaches(self, other: _Region) -> bool:
        """Whether another region is this one or within it."""
        return other.out_to(self.depth) is self

    def out_to(self, depth: int) -> _Region:
        """The region around this one at some depth; itself if it is not deeper."""
        region = self
        while region.depth > depth and region.around is not None:
            region = region.around
        return region

    def common(self, other: _Region) -> _Region:
        """The innermost region that both are in."""
        mine, theirs = self.out_to(other.depth), other.out_to(self.depth)
        while mine is not theirs:
            mine, theirs = mine.around or mine, theirs.around or theirs
        return mine


class _Host:
    """One branch of one choice, or what is outside of all, and the nodes that are computed there."""

    def __init__(self, region: _Region, results: Sequence[Variable], around: _Host | None = None) -> None:
        self.region, self.results, self.around = region, list(results), around
        self.nodes: list[Apply] = []
        self.branches: dict[Apply, tuple[_Host, _Host]] = {}  # of choices among the nodes
        self.exports: dict[Variable, None] = {}               # what is read outside, beside the results

    def lets_out(self, reader: _Host, variable: Variable) -> None:
        """Note that a variable computed here is read in another branch."""
        host: _Host | None = self
        while host is not None and not host._holds(reader):
            host.exports[variable] = None
            host = host.around

    def _holds(self, other: _Host) -> bool:
        host: _Host | None = other
        while host is not None and host.region.depth > self.region.depth:
            host = host.around
        return host is self


class _Layout:
    """Where each node is computed: in which region, and in which branch of which choice of that region."""

    def __init__(self, outputs: Sequence[Variable]) -> None:
        self.order = toposort(outputs)
        self.number = {node: i for i, node in enumerate(self.order)}
        self.regions = self._find_regions(outputs)
        self.hosts: dict[Apply, _Host] = {}
        self.root = _Host(_Region(), outputs)
        self.root.region = self.regions[None]
        self._settle(self.root)
        self._find_exports(self.root)

    def _find_regions(self, outputs: Sequence[Variable]) -> dict[Apply | None, _Region]:
        """For each node, the choices that every way from it to an output goes through."""
        root = _Region()
        regions: dict[Apply | None, _Region] = {None: root}
        for output in outputs:
            if output.owner is not None:
                regions[output.owner] = root
        for node in reversed(self.order):
            region = regions.get(node)
            if region is None:
                continue  # only a branch that is never taken here reads it
            for variable, place in reads(node, region):
                if variable.owner is not None:
                    known = regions.get(variable.owner)
                    regions[variable.owner] = place if known is None else known.common(place)
        return regions

    def _settle(self, host: _Host) -> None:
        """Take into a branch what is needed there and computed nowhere before, then into the branches inside."""
        pending = [v.owner for v in host.results if v.owner is not None]
        found = []
        while pending:
            node = pending.pop()
            if self.hosts.get(node) is not host.around or not host.region.reaches(self.regions[node]):
                continue
            self.hosts[node] = host
            found.append(node)
            pending += [v.owner for v, _ in reads(node, self.regions[node]) if v.owner is not None]
        found.sort(key=self.number.__getitem__)
        host.nodes = [node for node in found if self.regions[node] is host.region]
        for node in host.nodes:
            if is_choice(node, host.region):
                inside = [_Host(host.region.within((node.inputs[0], holds)), branch_inputs(node, holds), host)
                          for holds in (True, False)]
                host.branches[node] = inside[0], inside[1]
                for branch in inside:
                    self._settle(branch)

    def _find_exports(self, host: _Host) -> None:
        wanted = [*host.results, *(v for node in host.nodes for v, place in reads(node, host.region)
                                   if place is host.region)]
        for variable in wanted:
            if variable.owner is not None:
                self.hosts[variable.owner].lets_out(host, variable)
        for pair in host.branches.values():
            for branch in pair:
                self._find_exports(branch)


def is_choice(node: Apply, region: _Region) -> bool:
    """Whether a node is a choice that is not decided where it is made."""
    return isinstance(node.op, IfElse) and region.decides(node.inputs[0]) is None


def reads(node: Apply, region: _Region) -> list[tuple[Variable, _Region]]:
    """What a node in a region reads, and where that is needed."""
    if not isinstance(node.op, IfElse):
        return [(v, region) for v in node.inputs]
    condition = node.inputs[0]
    taken = region.decides(condition)
    if taken is not None:
        return [(v, region) for v in branch_inputs(node, taken)]
    return [(condition, region), *((v, region.within((condition, holds))) for holds in (True, False)
                                   for v in branch_inputs(node, holds))]


class _Branch:
    """The graph of a host, as it is built: what it reads from outside, and its results."""

    def __init__(self, host: _Host, compile_plan: Compile) -> None:
        self.host, self.compile_plan = host, compile_plan
        self.memo: dict[Variable, Variable] = {}
        self.made: set[Variable] = set()
        self.given: dict[Variable, None] = {}
        self.size = len(host.nodes)
        for node in host.nodes:
            if node in host.branches:
                self._lazy(node)
            elif isinstance(node.op, IfElse):
                taken = bool(host.region.decides(node.inputs[0]))
                self.memo.update(zip(node.outputs, map(self.now, branch_inputs(node, taken)), strict=True))
            else:
                copied(node, self.memo)
                self._read(map(self.now, node.inputs))
                self.made.update(map(self.now, node.outputs))
        self.results = [self.now(v) for v in (*host.results, *host.exports)]
        self._read(self.results)

    def now(self, variable: Variable) -> Variable:
        """What became of a variable."""
        return self.memo.get(variable, variable)

    def _read(self, variables: Iterable[Variable]) -> None:
        self.given.update((v, None) for v in variables if v not in self.made and not isinstance(v, Constant))

    def _lazy(self, choice: Apply) -> None:
        """A choice between the programs of its branches, which hands out what later choices need of either."""
        hosts = self.host.branches[choice]
        graphs = [_Branch(host, self.compile_plan) for host in hosts]
        wanted = [*choice.outputs, *hosts[0].exports, *hosts[1].exports]
        count, first = len(choice.outputs), len(hosts[0].exports)
        places = ([*range(count), *range(count, count + first)], [*range(count), *range(count + first, len(wanted))])
        given = list(dict.fromkeys(v for graph in graphs for v in graph.given))
        label = f"the branch of {choice.op} at {choice.origin}"
        number = {v: i for i, v in enumerate(given)}
        first_branch, second_branch = (
            Branch(list(graph.given), graph.results, [number[v] for v in graph.given], gives, graph.size,
                   self.compile_plan, label) for graph, gives in zip(graphs, places, strict=True))
        op = LazyIfElse([v.type for v in wanted], (first_branch, second_branch), choice.op.name)
        self.size += sum(graph.size for graph in graphs)
        inputs = [self.now(v) for v in (choice.inputs[0], *given)]
        self._read(inputs)
        node = Apply(op, inputs, op.types, choice.origin)
        for old, new in zip(wanted, node.outputs, strict=True):
            new.name, new.origin = old.name, old.origin
            self.memo[old] = new
            self.made.add(new)
