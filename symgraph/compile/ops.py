"""Where Theano's programs look for `as_op` and the operation it makes."""

from symgraph.graph.op import FunctionOp, as_op

__all__ = ["FromFunctionOp", "as_op"]

FromFunctionOp = FunctionOp
