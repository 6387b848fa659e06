"""Theano's path to `until`."""

from symgraph.scan import until

__all__ = ["until"]
