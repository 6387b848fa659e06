"""Loops: `scan`, and `map`, `reduce`, `foldl` and `foldr`, which are made of it."""

from symgraph.scan.arguments import until
from symgraph.scan.build import scan
from symgraph.scan.op import Scan
from symgraph.scan.updates import OrderedUpdates
from symgraph.scan.views import foldl, foldr, map, reduce

setattr(scan, "until", until)  # noqa: B010  (the package is hidden by the function)

__all__ = ["OrderedUpdates", "Scan", "foldl", "foldr", "map", "reduce", "scan", "until"]
