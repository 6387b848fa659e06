"""Compilation: function() and what belongs to it."""

from symgraph.compile import builders, ops
from symgraph.compile.builders import OpFromGraph
from symgraph.compile.evaluate import evaluate as _evaluate  # noqa: F401  (gives variables their method `eval`)
from symgraph.compile.function import Function, function
from symgraph.compile.io import In, Out, Param
from symgraph.compile.mode import FAST_COMPILE, FAST_RUN, Mode, get_default_mode, get_mode
from symgraph.compile.monitormode import MonitorMode
from symgraph.compile.nanguard import NanGuardMode
from symgraph.compile.ops import as_op, view_op
from symgraph.errors import UnusedInputError
from symgraph.shared import SharedVariable

__all__ = [
    "FAST_COMPILE", "FAST_RUN", "Function", "In", "Mode", "MonitorMode", "NanGuardMode", "OpFromGraph", "Out",
    "Param", "SharedVariable", "UnusedInputError", "as_op", "builders", "function", "get_default_mode", "get_mode",
    "ops", "view_op",
]
