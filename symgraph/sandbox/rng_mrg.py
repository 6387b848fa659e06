"""Theano's path to `MRG_RandomStreams`."""

from symgraph.random.streams import MRG_RandomStreams

__all__ = ["MRG_RandomStreams"]
