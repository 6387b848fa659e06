"""Where Theano's programs look for `OpFromGraph`."""

from symgraph.opfromgraph import OpFromGraph, custom_gradient

__all__ = ["OpFromGraph", "custom_gradient"]
