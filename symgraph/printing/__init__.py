"""Expressions as text (`pprint`, `debugprint`) and drawings (`pydotprint`, `d3viz`); `Print`, which prints values."""

from symgraph.printing.drawing import pydotprint
from symgraph.printing.page import d3viz
from symgraph.printing.text import Print, debugprint, min_informative_str, pp, pprint

__all__ = ["Print", "d3viz", "debugprint", "min_informative_str", "pp", "pprint", "pydotprint"]
