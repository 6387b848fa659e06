"""Where Theano's programs look for `as_op` and the operation it makes, and for the identity."""

from symgraph.graph.gates import GradientGate
from symgraph.graph.op import FunctionOp, as_op

__all__ = ["FromFunctionOp", "as_op", "view_op"]

FromFunctionOp = FunctionOp
view_op = GradientGate("same")
