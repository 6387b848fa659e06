"""The phases of rewriting, in their order, on one screen."""

from __future__ import annotations

from symgraph.graph.rewrite import RuleSet

def phases(mode):
    return []

def known_tags():
    return set()
