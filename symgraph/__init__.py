"""symgraph: symbolic tensor graphs, the chain rule, and a compiler to NumPy and CuPy.

>>> import symgraph as sg, symgraph.tensor as T
>>> x = T.dscalar("x")
>>> f = sg.function([x], sg.grad(x ** 2, x))
>>> float(f(4.0))
8.0
"""

import sys as _sys
from typing import Any as _Any

from numpy import asarray as _asarray  # noqa: F401  (under the name Theano gives it)

from symgraph import compile, random, sandbox, scalar, scalar_ops, scan_module, tensor
from symgraph._version import __version__
from symgraph.compile import Function, In, Mode, Out, Param, function
from symgraph.config import config
from symgraph.derivatives import hessian, hessian_vector_product, jacobian
from symgraph.graph import Apply, Constant, Op, Variable, as_op, clone_replace, gradient, to_networkx
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
from symgraph.graph.traversal import clone
from symgraph.graph.type import Type
from symgraph.opfromgraph import OpFromGraph, custom_gradient
from symgraph.printing import Print, debugprint, pp, pprint
from symgraph.scan import OrderedUpdates, foldl, foldr, map, reduce, scan
from symgraph.shared import SharedVariable, shared
from symgraph.tensor import dot
from symgraph.tensor.variable import set_array_namespace as _set_array_namespace
from symgraph.theano_paths import install as _install_paths
from symgraph.theano_paths import pose_as_theano
from symgraph.vectorize import vectorize_graph, vmap

__all__ = [
    "Apply", "Constant", "Function", "In", "Lop", "Mode", "Op", "OpFromGraph", "OrderedUpdates", "Out", "Param",
    "Print", "Rop", "SharedVariable", "Type", "Variable", "__version__", "as_op", "clone", "clone_replace", "compile",
    "config", "custom_gradient", "debugprint", "disconnected_grad", "dot", "foldl", "foldr", "function", "grad",
    "grad_clip", "grad_scale", "gradient", "hessian", "hessian_vector_product", "jacobian", "map", "pose_as_theano",
    "pp", "pprint", "random", "reduce", "sandbox", "scan", "scan_module", "shared", "subgraph_grad", "tensor",
    "to_networkx", "undefined_grad", "vectorize_graph", "vmap", "zero_grad",
]



def _array_namespace(version: str | None) -> object:
    from symgraph import array_api

    if version not in (None, "2021.12", "2022.12", "2023.12", array_api.__array_api_version__):
        raise ValueError(f"symgraph.array_api has version {array_api.__array_api_version__}, not {version!r}")
    return array_api


_set_array_namespace(_array_namespace)

# Theano keeps these beside the chain rule, of which they are made, and among the tensors; here they come after them.
for _function in (jacobian, hessian, hessian_vector_product):
    setattr(gradient, _function.__name__, _function)
    setattr(tensor, _function.__name__, _function)

# Theano keeps users' functions of numbers beside its own.
for _name in scalar_ops.__all__:
    setattr(scalar, _name, getattr(scalar_ops, _name))

# Theano keeps shared variables among the tensors; here they come after them.
setattr(tensor, "sharedvar", _sys.modules["symgraph.shared"])  # noqa: B010
# So it does with random tensors; programs import these modules by their paths, too.
for _name, _module in {"shared_randomstreams": _sys.modules["symgraph.random.streams"], "raw_random": random}.items():
    setattr(tensor, _name, _module)
    _sys.modules[f"symgraph.tensor.{_name}"] = _module


def _verify_grad(*args: _Any, **options: _Any) -> None:
    """Compare derivatives with finite differences: `symgraph.testing.verify_grad`."""
    from symgraph.testing import verify_grad

    verify_grad(*args, **options)


for _name, _value in {"TensorSharedVariable": _sys.modules["symgraph.shared"].TensorSharedVariable,
                      "verify_grad": _verify_grad}.items():
    setattr(tensor, _name, _value)

setattr(gradient, "verify_grad", _verify_grad)  # noqa: B010
_sys.modules["symgraph.gradient"] = gradient
_install_paths()
