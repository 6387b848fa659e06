"""Theano's path to `map`, `reduce` and the folds."""

from symgraph.scan import foldl, foldr, map, reduce, scan

__all__ = ["foldl", "foldr", "map", "reduce", "scan"]
