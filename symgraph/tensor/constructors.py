"""Symbolic inputs: ``scalar``, ``vector``, ``matrix`` and the rest, with every dtype prefix and plural.

``fmatrix("x")`` is a float32 matrix, ``matrix("x")`` one of floatX, ``matrices("x y")`` or ``matrices("x", "y")`` two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgraph.tensor.dims import Dims, split_names
from symgraph.tensor.type import TensorType

__all__ = [
    "PREFIXES", "bcol", "bcols", "bmatrices", "bmatrix", "brow", "brows", "bscalar", "bscalars", "btensor3",
    "btensor3s", "btensor4", "btensor4s", "btensor5", "btensor5s", "btensor6", "btensor6s", "btensor7", "btensor7s",
    "bvector", "bvectors", "ccol", "ccols", "cmatrices", "cmatrix", "col", "cols", "crow", "crows", "cscalar",
    "cscalars", "ctensor3", "ctensor3s", "ctensor4", "ctensor4s", "ctensor5", "ctensor5s", "ctensor6", "ctensor6s",
    "ctensor7", "ctensor7s", "cvector", "cvectors", "dcol", "dcols", "dmatrices", "dmatrix", "drow", "drows",
    "dscalar", "dscalars", "dtensor3", "dtensor3s", "dtensor4", "dtensor4s", "dtensor5", "dtensor5s", "dtensor6",
    "dtensor6s", "dtensor7", "dtensor7s", "dvector", "dvectors", "fcol", "fcols", "fmatrices", "fmatrix", "frow",
    "frows", "fscalar", "fscalars", "ftensor3", "ftensor3s", "ftensor4", "ftensor4s", "ftensor5", "ftensor5s",
    "ftensor6", "ftensor6s", "ftensor7", "ftensor7s", "fvector", "fvectors", "hcol", "hcols", "hmatrices",
    "hmatrix", "hrow", "hrows", "hscalar", "hscalars", "htensor3", "htensor3s", "htensor4", "htensor4s", "htensor5",
    "htensor5s", "htensor6", "htensor6s", "htensor7", "htensor7s", "hvector", "hvectors", "icol", "icols",
    "imatrices", "imatrix", "irow", "irows", "iscalar", "iscalars", "itensor3", "itensor3s", "itensor4",
    "itensor4s", "itensor5", "itensor5s", "itensor6", "itensor6s", "itensor7", "itensor7s", "ivector", "ivectors",
    "lcol", "lcols", "lmatrices", "lmatrix", "lrow", "lrows", "lscalar", "lscalars", "ltensor3", "ltensor3s",
    "ltensor4", "ltensor4s", "ltensor5", "ltensor5s", "ltensor6", "ltensor6s", "ltensor7", "ltensor7s", "lvector",
    "lvectors", "matrices", "matrix", "row", "rows", "scalar", "scalars", "tensor", "tensor3", "tensor3s",
    "tensor4", "tensor4s", "tensor5", "tensor5s", "tensor6", "tensor6s", "tensor7", "tensor7s", "vector", "vectors",
    "wcol", "wcols", "wmatrices", "wmatrix", "wrow", "wrows", "wscalar", "wscalars", "wtensor3", "wtensor3s",
    "wtensor4", "wtensor4s", "wtensor5", "wtensor5s", "wtensor6", "wtensor6s", "wtensor7", "wtensor7s", "wvector",
    "wvectors", "zcol", "zcols", "zmatrices", "zmatrix", "zrow", "zrows", "zscalar", "zscalars", "ztensor3",
    "ztensor3s", "ztensor4", "ztensor4s", "ztensor5", "ztensor5s", "ztensor6", "ztensor6s", "ztensor7", "ztensor7s",
    "zvector", "zvectors",
]

#: Prefix to dtype, as Theano's programs spell them.
PREFIXES = {"": "floatX", "b": "int8", "w": "int16", "i": "int32", "l": "int64", "h": "float16", "f": "float32",
            "d": "float64", "c": "complex64", "z": "complex128"}


def tensor(dtype: Any = "floatX", shape: Any = None, name: str | None = None, *, broadcastable: Any = None) -> Any:
    """A symbolic tensor of a dtype and a (partly known) shape.

    Parameters
    ----------
    dtype : str
        ``"floatX"`` by default. A string that is no dtype is taken as the name: ``tensor("x", shape=(None, 3))``.
    shape : sequence of int, str or None
        The length of each axis; None where it is known at run time only. A string names a length: all axes of one name
        have one length in a function, which each call checks.
    name : str, optional
    broadcastable : sequence of bool, optional
        The older form of `shape`.

    Examples
    --------
    >>> tensor("float32", shape=("B", 784), name="x")
    <TensorVariable x : float32[B,784]>
    """
    lengths, dims = split_names(shape)
    if isinstance(dtype, str) and name is None and dtype != "floatX":
        try:
            kind = TensorType(dtype, lengths, broadcastable=broadcastable)
        except TypeError:
            kind, name = TensorType("floatX", lengths, broadcastable=broadcastable), dtype
        return _with_names(kind(name), dims)
    return _with_names(TensorType(dtype, lengths, broadcastable=broadcastable)(name), dims)


def _with_names(variable: Any, dims: Dims | None) -> Any:
    if dims is not None:
        variable.dims = dims
    return variable


Constructor = Callable[..., Any]
Shape = tuple[int | None, ...]


def _constructor(name: str, dtype: str, lengths: Shape) -> Constructor:
    if dtype != "floatX":

        def construct(name: str | None = None, shape: Any = None) -> Any:
            return _make(dtype, lengths, shape, name)
    else:

        def construct(name: str | None = None, dtype: Any = None, shape: Any = None) -> Any:  # type: ignore[misc]
            return _make(dtype or "floatX", lengths, shape, name)

    return _named(construct, name, f"A symbolic tensor of {dtype}, of static shape {lengths} unless `shape` says more.")


def _make(dtype: Any, lengths: Shape, shape: Any, name: str | None) -> Any:
    if shape is None:
        return TensorType(dtype, lengths)(name)
    given, dims = split_names(shape)
    return _with_names(TensorType(dtype, _same_rank(given, lengths))(name), dims)


def _same_rank(shape: Any, lengths: Shape) -> Any:
    if len(shape) != len(lengths):
        raise ValueError(
            f"shape {tuple(shape)} is of {len(shape)} dimensions, the constructor makes tensors of {len(lengths)}"
        )
    return shape


def _named(construct: Constructor, name: str, doc: str) -> Constructor:
    construct.__name__ = construct.__qualname__ = name
    construct.__doc__ = doc
    return construct


def _plural(name: str, single: Constructor) -> Constructor:
    def construct(*names: Any, **options: Any) -> Any:
        if len(names) == 1 and isinstance(names[0], (int, np.integer)):
            names = (None,) * int(names[0])
        elif len(names) == 1 and isinstance(names[0], str):
            words = names[0].replace(",", " ").split()
            names = tuple(words) if len(words) > 1 else tuple(names[0])
        return [single(one, **options) for one in names]

    return _named(
        construct,
        name,
        f"Several tensors as `{single.__name__}` makes them: for each name, for each name in one string"
        ' (``"x y"``, ``"xy"``), or for a number of them.',
    )


def _family(kind: str, lengths: Shape) -> tuple[Constructor, ...]:
    """The constructors of one rank, one for each of `PREFIXES`, in that order."""
    return tuple(_constructor(prefix + kind, dtype, lengths) for prefix, dtype in PREFIXES.items())


def _plurals(suffix: str, *singles: Constructor) -> tuple[Constructor, ...]:
    kind = singles[0].__name__
    return tuple(_plural(single.__name__[: -len(kind)] + suffix, single) for single in singles)


scalar, bscalar, wscalar, iscalar, lscalar, hscalar, fscalar, dscalar, cscalar, zscalar = _family("scalar", ())
(
    scalars, bscalars, wscalars, iscalars, lscalars, hscalars, fscalars, dscalars, cscalars, zscalars,
) = _plurals(
    "scalars", scalar, bscalar, wscalar, iscalar, lscalar, hscalar, fscalar, dscalar, cscalar, zscalar,
)
vector, bvector, wvector, ivector, lvector, hvector, fvector, dvector, cvector, zvector = _family("vector", (None,))
(
    vectors, bvectors, wvectors, ivectors, lvectors, hvectors, fvectors, dvectors, cvectors, zvectors,
) = _plurals(
    "vectors", vector, bvector, wvector, ivector, lvector, hvector, fvector, dvector, cvector, zvector,
)
row, brow, wrow, irow, lrow, hrow, frow, drow, crow, zrow = _family("row", (1, None))
(
    rows, brows, wrows, irows, lrows, hrows, frows, drows, crows, zrows,
) = _plurals(
    "rows", row, brow, wrow, irow, lrow, hrow, frow, drow, crow, zrow,
)
col, bcol, wcol, icol, lcol, hcol, fcol, dcol, ccol, zcol = _family("col", (None, 1))
(
    cols, bcols, wcols, icols, lcols, hcols, fcols, dcols, ccols, zcols,
) = _plurals(
    "cols", col, bcol, wcol, icol, lcol, hcol, fcol, dcol, ccol, zcol,
)
(
    matrix, bmatrix, wmatrix, imatrix, lmatrix, hmatrix, fmatrix, dmatrix, cmatrix, zmatrix,
) = _family("matrix", (None, None))
(
    matrices, bmatrices, wmatrices, imatrices, lmatrices, hmatrices, fmatrices, dmatrices, cmatrices, zmatrices,
) = _plurals(
    "matrices", matrix, bmatrix, wmatrix, imatrix, lmatrix, hmatrix, fmatrix, dmatrix, cmatrix, zmatrix,
)
(
    tensor3, btensor3, wtensor3, itensor3, ltensor3, htensor3, ftensor3, dtensor3, ctensor3, ztensor3,
) = _family("tensor3", (None,) * 3)
(
    tensor3s, btensor3s, wtensor3s, itensor3s, ltensor3s, htensor3s, ftensor3s, dtensor3s, ctensor3s, ztensor3s,
) = _plurals(
    "tensor3s", tensor3, btensor3, wtensor3, itensor3, ltensor3, htensor3, ftensor3, dtensor3, ctensor3, ztensor3,
)
(
    tensor4, btensor4, wtensor4, itensor4, ltensor4, htensor4, ftensor4, dtensor4, ctensor4, ztensor4,
) = _family("tensor4", (None,) * 4)
(
    tensor4s, btensor4s, wtensor4s, itensor4s, ltensor4s, htensor4s, ftensor4s, dtensor4s, ctensor4s, ztensor4s,
) = _plurals(
    "tensor4s", tensor4, btensor4, wtensor4, itensor4, ltensor4, htensor4, ftensor4, dtensor4, ctensor4, ztensor4,
)
(
    tensor5, btensor5, wtensor5, itensor5, ltensor5, htensor5, ftensor5, dtensor5, ctensor5, ztensor5,
) = _family("tensor5", (None,) * 5)
(
    tensor5s, btensor5s, wtensor5s, itensor5s, ltensor5s, htensor5s, ftensor5s, dtensor5s, ctensor5s, ztensor5s,
) = _plurals(
    "tensor5s", tensor5, btensor5, wtensor5, itensor5, ltensor5, htensor5, ftensor5, dtensor5, ctensor5, ztensor5,
)
(
    tensor6, btensor6, wtensor6, itensor6, ltensor6, htensor6, ftensor6, dtensor6, ctensor6, ztensor6,
) = _family("tensor6", (None,) * 6)
(
    tensor6s, btensor6s, wtensor6s, itensor6s, ltensor6s, htensor6s, ftensor6s, dtensor6s, ctensor6s, ztensor6s,
) = _plurals(
    "tensor6s", tensor6, btensor6, wtensor6, itensor6, ltensor6, htensor6, ftensor6, dtensor6, ctensor6, ztensor6,
)
(
    tensor7, btensor7, wtensor7, itensor7, ltensor7, htensor7, ftensor7, dtensor7, ctensor7, ztensor7,
) = _family("tensor7", (None,) * 7)
(
    tensor7s, btensor7s, wtensor7s, itensor7s, ltensor7s, htensor7s, ftensor7s, dtensor7s, ctensor7s, ztensor7s,
) = _plurals(
    "tensor7s", tensor7, btensor7, wtensor7, itensor7, ltensor7, htensor7, ftensor7, dtensor7, ctensor7, ztensor7,
)
