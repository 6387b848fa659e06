"""Signals: pooling, and convolutions of plain images."""

from symgraph.tensor.signal import conv, downsample, pool

__all__ = ["conv", "downsample", "pool"]
