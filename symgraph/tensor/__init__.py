"""The symbolic NumPy: ``import symgraph.tensor as T``."""

from symgraph.errors import NotScalarConstantError
from symgraph.graph.basic import Constant, Variable
from symgraph.graph.gradient import Lop, Rop, consider_constant, grad
from symgraph.tensor import (
    aliases,
    comparing,
    compose,
    constructors,
    correlation,
    editing,
    elemwise,
    extra_ops,
    fft,
    fourier,
    histograms,
    linalg,
    math,
    nanfunctions,
    newer_names,
    nlinalg,
    nnet,
    polynomials,
    sequences,
    sets,
    signal,
    slinalg,
    statistics,
    ufuncs,
)
from symgraph.tensor.aliases import *  # noqa: F403
from symgraph.tensor.basic import (
    Alloc,
    ARange,
    alloc,
    arange,
    as_tensor,
    as_tensor_variable,
    constant,
    empty,
    eye,
    full,
    full_like,
    get_scalar_constant_value,
    identity,
    identity_like,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from symgraph.tensor.checks import Assert, assert_op
from symgraph.tensor.choosing import where
from symgraph.tensor.comparing import *  # noqa: F403
from symgraph.tensor.compose import *  # noqa: F403
from symgraph.tensor.compose import _allclose as _allclose
from symgraph.tensor.constructors import *  # noqa: F403
from symgraph.tensor.correlation import *  # noqa: F403
from symgraph.tensor.cumulative import cummax, cummin
from symgraph.tensor.dimshuffle import (
    DimShuffle,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    dimshuffle,
    expand_dims,
    moveaxis,
    shape_padaxis,
    shape_padleft,
    shape_padright,
    squeeze,
    swapaxes,
    transpose,
)
from symgraph.tensor.editing import *  # noqa: F403
from symgraph.tensor.einsum import einsum
from symgraph.tensor.elemwise import Elemwise, cast
from symgraph.tensor.extra_ops import *  # noqa: F403
from symgraph.tensor.histograms import *  # noqa: F403
from symgraph.tensor.join import Join, Split, concatenate, join, split, stack
from symgraph.tensor.math import *  # noqa: F403
from symgraph.tensor.nanfunctions import *  # noqa: F403
from symgraph.tensor.newer_names import *  # noqa: F403
from symgraph.tensor.nlinalg import alloc_diag, diag, extract_diag
from symgraph.tensor.nnet import logsumexp
from symgraph.tensor.polynomials import *  # noqa: F403
from symgraph.tensor.products import Dot, batched_dot, dot, inner, matmul, outer, tensordot
from symgraph.tensor.reduce import (
    Reduce,
    all,
    any,
    argmax,
    argmin,
    max,
    max_and_argmax,
    mean,
    min,
    norm,
    prod,
    ptp,
    std,
    sum,
    var,
)
from symgraph.tensor.regroup import join_dims, split_dims
from symgraph.tensor.sequences import *  # noqa: F403
from symgraph.tensor.sets import *  # noqa: F403
from symgraph.tensor.shape import Reshape, flatten, reshape, shape, size
from symgraph.tensor.sort import (
    argpartition,
    argsort,
    argtopk,
    lexsort,
    partition,
    sort,
    sort_complex,
    take_along_axis,
    topk,
    topk_and_argtopk,
)
from symgraph.tensor.specify import addbroadcast, patternbroadcast, specify_shape
from symgraph.tensor.specify import unbroadcast_axes as unbroadcast
from symgraph.tensor.statistics import *  # noqa: F403
from symgraph.tensor.stretch import broadcast_arrays, broadcast_to
from symgraph.tensor.subtensor import IncSubtensor, Subtensor, inc_subtensor, nonzero, set_subtensor, take
from symgraph.tensor.type import TensorType
from symgraph.tensor.ufuncs import *  # noqa: F403
from symgraph.tensor.variable import TensorConstant, TensorVariable

__all__ = [
    "Constant", "Elemwise", "Lop", "NotScalarConstantError", "Rop", "TensorConstant", "TensorType",
    "TensorVariable", "Variable", "addbroadcast", "all", "alloc", "any", "arange", "argmax", "argmin", "argsort",
    "argtopk", "as_tensor", "as_tensor_variable", "atleast_1d", "atleast_2d", "atleast_3d", "batched_dot",
    "broadcast_arrays", "broadcast_to", "cast", "concatenate", "constant", "dimshuffle", "dot", "einsum", "empty",
    "expand_dims", "eye",
    "fft", "flatten", "fourier", "full", "full_like", "get_scalar_constant_value", "grad", "identity_like",
    "inc_subtensor", "inner", "join", "logsumexp", "matmul", "max", "max_and_argmax", "mean", "min", "moveaxis",
    "nnet", "nonzero", "norm", "ones", "ones_like", "outer", "patternbroadcast", "prod", "ptp", "reshape",
    "set_subtensor", "shape", "shape_padaxis", "shape_padleft", "shape_padright", "signal", "size", "sort",
    "specify_shape", "split", "squeeze", "stack", "std", "sum", "swapaxes", "take", "take_along_axis", "tensordot",
    "topk", "topk_and_argtopk", "transpose", "unbroadcast", "var", "where", "zeros", "zeros_like",
]
__all__ += constructors.__all__  # scalar, fvector, dmatrices, ...: one for each rank and dtype prefix
__all__ += compose.__all__
__all__ += extra_ops.__all__
__all__ += aliases.__all__
__all__ += comparing.__all__
__all__ += correlation.__all__
__all__ += editing.__all__
__all__ += histograms.__all__
__all__ += nanfunctions.__all__
__all__ += newer_names.__all__
__all__ += polynomials.__all__
__all__ += sequences.__all__
__all__ += sets.__all__
__all__ += statistics.__all__
__all__ += ufuncs.__all__
__all__ += ["Assert", "argpartition", "assert_op", "cummax", "cummin", "lexsort", "partition", "sort_complex"]
__all__ += math.__all__  # exp, maximum, switch, ...: one for each row of the scalar table
__all__ += ["alloc_diag", "diag", "extract_diag", "linalg", "nlinalg", "slinalg"]
# Theano's names: of operations, of functions under a second name, and of its modules.
copy, intdiv, floor_div, empty_like = math.tensor_copy, math.int_div, math.int_div, zeros_like
CAReduce = Reduce
__all__ += [
    "ARange", "Alloc", "CAReduce", "DimShuffle", "Dot", "IncSubtensor", "Join", "Reshape", "Split", "Subtensor",
    "consider_constant", "copy", "empty_like", "floor_div", "identity", "intdiv", "join_dims", "split_dims",
]
setattr(var, "TensorVariable", TensorVariable)  # noqa: B010  (a module in Theano, hidden by the function)
setattr(var, "TensorConstant", TensorConstant)  # noqa: B010
for _name, _op in {**aliases.REDUCTIONS, "DimShuffle": DimShuffle, "CAReduce": CAReduce}.items():
    setattr(elemwise, _name, _op)
for _name in ("argsort", "argtopk", "topk", "topk_and_argtopk", "sort"):
    setattr(sort, _name, globals()[_name])
for _name in ("bartlett", "broadcast_shape", "cpu_contiguous", "CpuContiguous"):
    setattr(extra_ops, _name, globals()[_name])
