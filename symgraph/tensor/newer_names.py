"""Names of NumPy 2 and of the array API standard for operations that have older ones, and NumPy's second names."""

from __future__ import annotations

from symgraph.tensor.compose import vstack
from symgraph.tensor.dimshuffle import transpose
from symgraph.tensor.elemwise import cast
from symgraph.tensor.join import concatenate
from symgraph.tensor.math import invert, left_shift, right_shift, round_half_to_even, trunc
from symgraph.tensor.numpy_names import (
    cumulative_prod,
    cumulative_sum,
    extract,
    matrix_transpose,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
    unstack,
)
from symgraph.tensor.slinalg import kron

__all__ = [
    "astype", "bitwise_invert", "bitwise_left_shift", "bitwise_right_shift", "concat", "cumulative_prod",
    "cumulative_sum", "extract", "fix", "kron", "matrix_transpose", "permute_dims", "rint", "row_stack", "unique_all",
    "unique_counts", "unique_inverse", "unique_values", "unstack",
]

astype, concat, permute_dims, row_stack = cast, concatenate, transpose, vstack
bitwise_invert, bitwise_left_shift, bitwise_right_shift = invert, left_shift, right_shift
fix, rint = trunc, round_half_to_even
