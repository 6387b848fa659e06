"""Laziness: what only one branch of an `ifelse` needs is moved into that branch.

For each node we find under which branches it is needed: the longest row of choices that every way from it to a result
goes through. A node needed in one branch only is computed there, in the first choice by its condition that reads it;
later choices by the same condition (those of the backward pass) get it from there, as a further output, for which an
array of no elements stands in when the branch is not taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.op import Op
from symgraph.graph.traversal import clone_replace, toposort
from symgraph.graph.type import Type
from symgraph.ifelse import IfElse, branch_inputs, known_choice
from symgraph.tensor.type import TensorType

__all__ = ["LazyIfElse", "lazily"]

Choice = tuple[Variable, bool]
Way = tuple[Choice, ...]
#: From inputs, outputs and a label to what computes the one from the other.
Compile = Callable[[Sequence[Variable], Sequence[Variable], str], Callable[..., Any]]


class LazyIfElse(Op):
    """A choice between two compiled graphs.

    Parameters
    ----------
    types : sequence of Type
        Of the outputs: those of the choice, and what later choices need of either branch.
    places : pair of sequence of int
        For each branch, which outputs it computes.
    compiled : pair of callable
        What makes the program of a branch when it is first taken.
    inputs : pair of sequence of int
        For each branch, which inputs (after the condition) its program takes.
    name : str or None
    """

    def __init__(self, types: Sequence[Type], places: tuple[Sequence[int], Sequence[int]],
                 compiled: tuple[Callable[[], Callable[..., Any]], Callable[[], Callable[..., Any]]],
                 inputs: tuple[Sequence[int], Sequence[int]], name: str | None) -> None:
        self.types, self.places, self.inputs, self.name = tuple(types), places, inputs, name
        self._compiled = compiled
        self._programs: dict[bool, Callable[..., Any]] = {}

    def infer_type(self, *types: Type) -> Sequence[Type]:
        return self.types

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        holds = bool(inputs[0])
        side = 0 if holds else 1
        program = self._programs.get(holds)
        if program is None:
            program = self._programs[holds] = self._compiled[side]()
        results = program(*[inputs[1 + place] for place in self.inputs[side]])
        for place, result in zip(self.places[side], results, strict=True):
            output_storage[place][0] = result
        for place in set(range(len(self.types))).difference(self.places[side]):
            output_storage[place][0] = stand_in(self.types[place])

    def __repr__(self) -> str:
        return f"ifelse{{{self.name}}}" if self.name else "ifelse"


class Unneeded(Op):
    """What stands for a value nobody needs."""

    __props__ = ("type",)

    def __init__(self, kind: Type) -> None:
        self.type = kind

    def infer_type(self, *types: Type) -> Sequence[Type]:
        return [self.type]

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = stand_in(self.type)


def stand_in(kind: Type) -> Any:
    """A value of a type, with as few elements as it allows."""
    if not isinstance(kind, TensorType):
        return None
    return np.zeros([0 if n is None else n for n in kind.shape], kind.numpy_dtype)


def lazily(outputs: Sequence[Variable], compile_graph: Compile, blockers: Iterable[Variable] = (),
           known: Mapping[Variable, bool] | None = None) -> list[Variable]:
    """Expressions in which every `IfElse` computes the branch it takes only.

    Parameters
    ----------
    outputs : sequence of Variable
    compile_graph : callable
        From inputs, outputs and a label to what computes the one from the other.
    blockers : iterable of Variable
        What is given; nothing before it is looked at.
    known : dict of Variable to bool, optional
        Conditions whose value is known.
    """
    stop = set(blockers)
    if not any(isinstance(node.op, IfElse) for node in toposort(outputs, stop)):
        return list(outputs)
    return _Level(_decided(outputs, stop, known or {}), stop, compile_graph).rebuilt()


def _decided(outputs: Sequence[Variable], stop: set[Variable], known: Mapping[Variable, bool]) -> list[Variable]:
    """Without the choices by conditions of which it is known whether they hold."""
    memo: dict[Variable, Variable] = {}
    for node in toposort(outputs, stop):
        if isinstance(node.op, IfElse):
            holds = known.get(node.inputs[0], known_choice(node.inputs[0]))
            if holds is not None:
                memo.update((old, memo.get(v, v)) for old, v in zip(node.outputs, branch_inputs(node, holds),
                                                                    strict=True))
                continue
        copied(node, memo)
    return [memo.get(v, v) for v in outputs]


def copied(node: Apply, memo: dict[Variable, Variable]) -> None:
    """The node on what its inputs became, entered into `memo`; itself where they are the same."""
    inputs = tuple([memo.get(v, v) for v in node.inputs])
    if inputs == node.inputs:
        return
    copy = node.clone_with_new_inputs(inputs)
    for old, new in zip(node.outputs, copy.outputs, strict=True):
        new.name, new.origin = old.name, old.origin
        memo.setdefault(old, new)


class _Level:
    """The nodes outside of all branches, or directly in one, and the choices among them."""

    def __init__(self, outputs: Sequence[Variable], stop: set[Variable], compile_graph: Compile) -> None:
        self.outputs, self.stop, self.compile_graph = list(outputs), stop, compile_graph
        self.order = toposort(outputs, stop)
        self.ways = self._ways()
        self.choices = [n for n in self.order if isinstance(n.op, IfElse) and self.ways.get(n) == ()]
        self.inside: dict[Apply, tuple[Apply, bool]] = {}  # by node, into which branch of which choice it goes
        self.exports: dict[Apply, dict[Variable, bool]] = {}  # by choice, what later ones need of which branch
        for node in self.choices:
            for holds in (True, False):
                self._gather(node, holds)

    def _ways(self) -> dict[Apply, Way]:
        """For each node, the choices that every way from it to an output goes through."""
        ways: dict[Apply, Way] = {}

        def need(variable: Variable, way: Way) -> None:
            node = variable.owner
            if node is not None and variable not in self.stop:
                ways[node] = _common_start(ways[node], way) if node in ways else way

        for output in self.outputs:
            need(output, ())
        for node in reversed(self.order):
            way = ways.get(node)
            if way is None:
                continue  # only a branch that is never taken here reads it
            for variable, branch in self._reads(node, way):
                need(variable, way if branch is None else (*way, branch))
        return ways

    @staticmethod
    def _reads(node: Apply, way: Way) -> list[tuple[Variable, Choice | None]]:
        """What a node reads, and in which branch where it is a choice that is not decided on the way to it."""
        if not isinstance(node.op, IfElse):
            return [(v, None) for v in node.inputs]
        condition = node.inputs[0]
        taken = dict(way).get(condition)
        reads: list[tuple[Variable, Choice | None]] = [(condition, None)]
        for holds in (True, False):
            if taken is None or taken == holds:
                reads += [(v, None if taken == holds else (condition, holds)) for v in branch_inputs(node, holds)]
        return reads

    def _gather(self, choice: Apply, holds: bool) -> None:
        """Take into a branch what only it needs; of what an earlier choice by the same condition has, note it."""
        branch = (choice.inputs[0], holds)
        pending = list(branch_inputs(choice, holds))
        seen: set[Variable] = set()
        while pending:
            variable = pending.pop()
            node = variable.owner
            if node is None or variable in self.stop or variable in seen:
                continue
            seen.add(variable)
            way = self.ways[node]
            if way[:1] != (branch,):
                continue
            place = self.inside.setdefault(node, (choice, holds))
            if place[0] is not choice:
                self.exports.setdefault(place[0], {})[variable] = holds
            else:
                pending += [v for v, _ in self._reads(node, way)]

    def rebuilt(self) -> list[Variable]:
        """The outputs, with a `LazyIfElse` for every choice."""
        memo: dict[Variable, Variable] = {}
        for node in self.order:
            if self.ways.get(node) != ():
                continue
            if isinstance(node.op, IfElse):
                self._lazy(node, memo)
            else:
                copied(node, memo)
        return [memo.get(v, v) for v in self.outputs]

    def _lazy(self, choice: Apply, memo: dict[Variable, Variable]) -> None:
        exports = self.exports.get(choice, {})
        count = len(choice.outputs)
        wanted = [*choice.outputs, *exports]
        graphs, places = [], []
        for holds in (True, False):
            own = [count + i for i, (_, side) in enumerate(exports.items()) if side == holds]
            places.append([*range(count), *own])
            results = [*branch_inputs(choice, holds), *(self._exported(wanted[i]) for i in own)]
            graphs.append(self._closed(choice, holds, results))
        given = list(dict.fromkeys(v for inputs, _ in graphs for v in inputs))
        label = f"the branch of {choice.op} at {choice.origin}"
        op = LazyIfElse(
            [v.type for v in wanted], (places[0], places[1]),
            (self._compiler(*graphs[0], label), self._compiler(*graphs[1], label)),
            ([given.index(v) for v in graphs[0][0]], [given.index(v) for v in graphs[1][0]]), choice.op.name)
        node = Apply(op, [memo.get(v, v) for v in (choice.inputs[0], *given)], op.types, choice.origin)
        for old, new in zip(wanted, node.outputs, strict=True):
            new.name, new.origin = old.name, old.origin
            memo[old] = new

    def _exported(self, variable: Variable) -> Variable:
        """What a later choice needs, computed only where that needs it: it may be in branches inside this one."""
        assert variable.owner is not None
        blank = Unneeded(variable.type)()
        for condition, holds in reversed(self.ways[variable.owner][1:]):
            variable = IfElse(1)(condition, *((variable, blank) if holds else (blank, variable)))
        return variable

    def _closed(self, choice: Apply, holds: bool,
                results: Sequence[Variable]) -> tuple[list[Variable], list[Variable]]:
        """The graph of a branch: what it reads from outside, and its results with the choices in it made lazy."""
        place, known = (choice, holds), set(self.order)
        outside: set[Variable] = set()
        pending, seen = list(results), set(results)
        while pending:
            variable = pending.pop()
            node = variable.owner
            if node is None or variable in self.stop or (node in known and self.inside.get(node) != place):
                outside.add(variable)
                continue
            pending += [v for v in node.inputs if v not in seen]  # also through what was made for exports
            seen.update(node.inputs)
        found = lazily(results, self.compile_graph, outside, {choice.inputs[0]: holds})
        reads = dict.fromkeys(v for node in toposort(found, outside) for v in node.inputs)
        reads.update(dict.fromkeys(found))
        return [v for v in reads if v in outside and not isinstance(v, Constant)], found

    def _compiler(self, inputs: Sequence[Variable], outputs: Sequence[Variable],
                  label: str) -> Callable[[], Callable[..., Any]]:
        def compiled() -> Callable[..., Any]:
            places = [v.type.make_variable(v.name) for v in inputs]
            for place, v in zip(places, inputs, strict=True):
                place.origin = v.origin if v.owner is None else v.owner.origin
            inner = clone_replace(list(outputs), dict(zip(inputs, places, strict=True)))
            return self.compile_graph(places, inner, label)

        return compiled


def _common_start(a: Way, b: Way) -> Way:
    shared = 0
    for mine, theirs in zip(a, b, strict=False):
        if mine != theirs:
            break
        shared += 1
    return a[:shared]
