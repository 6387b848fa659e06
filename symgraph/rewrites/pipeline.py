"""The phases of rewriting, in their order, on one screen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from symgraph.graph.rewrite import Rule, RuleSet
from symgraph.rewrites.canonicalize import CANONICALIZE
from symgraph.rewrites.constants import CONSTANTS
from symgraph.rewrites.shape import SHAPE
from symgraph.rewrites.specialize import EXPAND, SPECIALIZE
from symgraph.rewrites.stabilize import STABILIZE

__all__ = ["PHASES", "Selection", "known_tags", "phases"]

_SIMPLIFY = (*CONSTANTS, *SHAPE, *CANONICALIZE)

#: Name of the phase, its rules, and the least level of optimisation that runs it.
PHASES: tuple[tuple[str, tuple[Rule, ...], str], ...] = (
    ("canonicalize", (*_SIMPLIFY, *STABILIZE), "FAST_COMPILE"),
    ("specialize", (*SPECIALIZE, *_SIMPLIFY), "FAST_RUN"),
    ("expand", (*EXPAND, *CONSTANTS, *SHAPE), "FAST_RUN"),
)


class Selection(Protocol):
    """What says which rules are wanted: a mode."""

    @property
    def optimizer(self) -> str | None: ...

    @property
    def excluded(self) -> frozenset[str]: ...


def phases(mode: Selection) -> Sequence[RuleSet]:
    """The rule sets a mode applies, in order; none when it does not rewrite."""
    if mode.optimizer is None:
        return ()
    return _selected(mode.optimizer, mode.excluded)


@lru_cache(maxsize=64)
def _selected(level: str, excluded: frozenset[str]) -> tuple[RuleSet, ...]:
    return tuple(
        RuleSet(name, tuple(rule for rule in rules if not excluded & {rule.name, name, *rule.tags}))
        for name, rules, least in PHASES
        if name not in excluded and (least == "FAST_COMPILE" or level == "FAST_RUN")
    )


def known_tags() -> set[str]:
    """Every name and tag by which rules can be included or excluded."""
    found = set()
    for name, rules, _ in PHASES:
        found.add(name)
        for rule in rules:
            found |= {rule.name, *rule.tags}
    return found
