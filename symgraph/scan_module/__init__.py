"""Theano's path to loops; see `symgraph.scan`."""

from symgraph.scan_module import scan_op, scan_utils, scan_views
from symgraph.scan_module.scan_op import Scan
from symgraph.scan_module.scan_utils import until
from symgraph.scan_module.scan_views import foldl, foldr, map, reduce, scan

__all__ = ["Scan", "foldl", "foldr", "map", "reduce", "scan", "scan_op", "scan_utils", "scan_views", "until"]
