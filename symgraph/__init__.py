"""symgraph: symbolic tensor graphs, the chain rule, and a compiler to NumPy and CuPy.

>>> import symgraph as sg, symgraph.tensor as T
>>> x = T.dscalar("x")
>>> f = sg.function([x], sg.grad(x ** 2, x))
>>> float(f(4.0))
8.0
"""

from symgraph._version import __version__
from symgraph.compile import Function, In, Mode, Out, function
from symgraph.config import config
from symgraph.graph import Apply, Constant, Op, Variable, as_op, clone_replace, to_networkx
from symgraph.graph.gradient import (
    Lop,
    Rop,
    disconnected_grad,
    grad,
    grad_clip,
    grad_scale,
    subgraph_grad,
    undefined_grad,
    zero_grad,
)
from symgraph.graph.type import Type
from symgraph.printing import Print, debugprint, pp, pprint
from symgraph.shared import SharedVariable, shared

__all__ = [
    "Apply", "Constant", "Function", "In", "Lop", "Mode", "Op", "Out", "Print", "Rop", "SharedVariable", "Type",
    "Variable", "__version__", "as_op", "clone_replace", "config", "debugprint", "disconnected_grad", "function",
    "grad", "grad_clip", "grad_scale", "pp", "pprint", "shared", "subgraph_grad", "to_networkx", "undefined_grad",
    "zero_grad",
]
