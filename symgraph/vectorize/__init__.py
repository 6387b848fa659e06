"""Graphs over many values at once."""

from symgraph.vectorize import indexing, looped, loops, rules  # noqa: F401  (they enter their rules)
from symgraph.vectorize.batch import BATCHING, Batch, batching, repeated, vectorize_all
from symgraph.vectorize.graphs import vectorize_graph, vmap
from symgraph.vectorize.looped import Looped

__all__ = ["BATCHING", "Batch", "Looped", "batching", "repeated", "vectorize_all", "vectorize_graph", "vmap"]
