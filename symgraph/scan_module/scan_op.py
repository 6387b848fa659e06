"""Theano's path to the operation."""

from symgraph.scan import Scan

__all__ = ["Scan"]
