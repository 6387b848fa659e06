"""The phases of rewriting, in their order, on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Protocol

from symgraph.graph.fgraph import FunctionGraph
from symgraph.graph.rewrite import Fired, Rule, RuleSet
from symgraph.rewrites.algebra import ALGEBRA, POWERS, UNSAFE
from symgraph.rewrites.blas import BLAS
from symgraph.rewrites.branches import BRANCHES
from symgraph.rewrites.canonicalize import CANONICALIZE
from symgraph.rewrites.constants import CONSTANTS
from symgraph.rewrites.loops import WHOLE_GRAPH, LoopPhase
from symgraph.rewrites.reductions import REDUCTIONS
from symgraph.rewrites.scan import LOOPS
from symgraph.rewrites.shape import SHAPE
from symgraph.rewrites.specialize import EXPAND, SPECIALIZE
from symgraph.rewrites.stabilize import STABILIZE
from symgraph.rewrites.subtensor import SUBTENSOR

__all__ = ["GROUPS", "PHASES", "Selection", "known_tags", "phases"]

#: The tables of rules, by the names under which modes include and exclude them.
GROUPS: dict[str, Sequence[Any]] = {
    "constants": CONSTANTS,
    "shape": SHAPE,
    "subtensor": SUBTENSOR,
    "branches": BRANCHES,
    "canonicalize": (*CANONICALIZE, *ALGEBRA, *REDUCTIONS),
    "unsafe": UNSAFE,
    "stabilize": STABILIZE,
    "specialize": (*SPECIALIZE, *POWERS),
    "expand": EXPAND,
    "blas": BLAS,
    "loops": (*LOOPS, *WHOLE_GRAPH),
}

#: Each phase: its name, the groups applied together to a fixed point, and the least level of optimisation that has it.
PHASES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("simplify", ("constants", "branches", "shape", "subtensor", "canonicalize", "unsafe", "stabilize"),
     "FAST_COMPILE"),
    ("loops", ("loops",), "FAST_COMPILE"),
    ("specialize", ("specialize", "constants", "shape", "subtensor", "canonicalize", "unsafe"), "FAST_RUN"),
    ("expand", ("expand", "constants", "shape"), "FAST_RUN"),
    ("blas", ("blas", "constants"), "FAST_RUN"),
)

#: Groups that a mode has only when it includes them by name.
ON_DEMAND = frozenset({"unsafe"})

_LEVELS = {None: 0, "FAST_COMPILE": 1, "FAST_RUN": 2}


class Phase(Protocol):
    """Rules that are applied together."""

    name: str

    def apply(self, fgraph: FunctionGraph, budget: int = 200) -> list[Fired]: ...


class Selection(Protocol):
    """What says which rules are wanted: a mode."""

    @property
    def optimizer(self) -> str | None: ...

    @property
    def excluded(self) -> frozenset[str]: ...

    @property
    def included(self) -> frozenset[str]: ...


def phases(mode: Selection) -> Sequence[Phase]:
    """The rule sets a mode applies, in order."""
    return _selected(mode.optimizer, mode.excluded, mode.included)


@lru_cache(maxsize=64)
def _selected(level: str | None, excluded: frozenset[str], included: frozenset[str]) -> tuple[Phase, ...]:
    """A rule is applied when none of its names is excluded, and its phase belongs to the level or one is included."""
    chosen: list[Any] = []
    for phase, groups, least in PHASES:
        on = _LEVELS[level] >= _LEVELS[least]
        rules = [rule for rule, names in _rules(phase, groups) if not names & excluded
                 and (names & included or (on and not names & ON_DEMAND))]
        if rules and phase == "loops":
            chosen.append(LoopPhase(phase, chosen[0].rules if chosen else (), rules))
        elif rules:
            chosen.append(RuleSet(phase, rules))
    return tuple(chosen)


def _rules(phase: str, groups: Sequence[str]) -> Iterator[tuple[Rule, set[str]]]:
    """The rules of a phase, each with every name it goes by."""
    for group in groups:
        for rule in GROUPS[group]:
            yield rule, {rule.name, group, phase, *rule.tags}


def known_tags() -> set[str]:
    """Every name by which rules can be included or excluded."""
    return {name for phase, groups, _ in PHASES for _, names in _rules(phase, groups) for name in names}
