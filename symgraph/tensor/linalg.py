"""Linear algebra under the names of `numpy.linalg`."""

from symgraph.tensor.products import Dot, batched_dot, dot, inner, matmul, outer, tensordot

__all__ = ["Dot", "batched_dot", "dot", "inner", "matmul", "outer", "tensordot"]
