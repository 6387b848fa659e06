"""The Python array API standard, version 2024.12, over symbolic tensors: ``import symgraph.array_api as xp``.

Code written for the standard, with arrays from `asarray`, builds an expression when they come of symbolic variables,
and can then be compiled and differentiated; with arrays of values it computes when a value is asked for.

>>> import symgraph as sg, symgraph.tensor as T
>>> import symgraph.array_api as xp
>>> def standardize(x):                      # written for the standard
...     ns = x.__array_namespace__()
...     return (x - ns.mean(x, axis=0)) / ns.std(x, axis=0)
>>> v = T.dmatrix("v")
>>> f = sg.function([v], standardize(xp.asarray(v)).variable)
>>> f([[1.0, 5.0], [3.0, 9.0]])
array([[-1., -1.],
       [ 1.,  1.]])

Three things are ours. Only an axis that is *known* to have length 1 is stretched in arithmetic. The dtype of floats
that nothing says the dtype of is `config.floatX`. An array has no memory of its own that another could be a view of.
"""

from math import e, inf, nan, pi

from symgraph.array_api import fft, linalg
from symgraph.array_api.array import Array
from symgraph.array_api.creation import *  # noqa: F403
from symgraph.array_api.creation import __all__ as _creation
from symgraph.array_api.dtypes import (
    astype,
    bool,
    can_cast,
    complex64,
    complex128,
    finfo,
    float32,
    float64,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    isdtype,
    result_type,
    uint8,
    uint16,
    uint32,
    uint64,
)
from symgraph.array_api.elementwise import *  # noqa: F403
from symgraph.array_api.elementwise import __all__ as _elementwise
from symgraph.array_api.info import __array_namespace_info__
from symgraph.array_api.linalg import matmul, matrix_transpose, tensordot, vecdot
from symgraph.array_api.manipulation import *  # noqa: F403
from symgraph.array_api.manipulation import __all__ as _manipulation
from symgraph.array_api.searching import *  # noqa: F403
from symgraph.array_api.searching import __all__ as _searching
from symgraph.array_api.statistics import *  # noqa: F403
from symgraph.array_api.statistics import __all__ as _statistics

#: The version of the standard.
__array_api_version__ = "2024.12"
newaxis = None

__all__ = [
    "Array", "__array_api_version__", "__array_namespace_info__", "astype", "bool", "can_cast", "complex64",
    "complex128", "e", "fft", "finfo", "float32", "float64", "iinfo", "inf", "int8", "int16", "int32", "int64",
    "isdtype", "linalg", "matmul", "matrix_transpose", "nan", "newaxis", "pi", "result_type", "tensordot", "uint8",
    "uint16", "uint32", "uint64", "vecdot",
]
__all__ += _creation
__all__ += _elementwise
__all__ += _manipulation
__all__ += _searching
__all__ += _statistics
