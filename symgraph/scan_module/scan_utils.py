"""Theano's path to `until`, `clone` and `equal_computations`."""

from symgraph.graph.same import equal_computations
from symgraph.graph.traversal import clone
from symgraph.scan import until

__all__ = ["clone", "equal_computations", "until"]
