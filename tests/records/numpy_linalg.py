"""Records of `symgraph.tensor.linalg`, whose functions are called and answer as those of `numpy.linalg`."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph.tensor import linalg as ours
from tests.records.base import Record, arrays, each
from tests.records.linalg import DTYPES, SQUARE, definite, linear, matrices, regular

_SINGLE = {"float16": 2e-2, "float32": 2e-5, "float64": 1e-12, "complex64": 2e-5, "complex128": 1e-12}
_FLOATING = tuple(d for d in DTYPES if d not in ("bool", "float16"))


def _linear(name: str, samples: Any, pick: Any = None, **more: Any) -> Record:
    """A function of matrices that NumPy has; of several results one, or what is unique about it."""
    mine, theirs = getattr(ours, name), getattr(np.linalg, name)
    if pick is None:
        return linear(f"linalg.{name}", mine, theirs, samples, **more)
    return linear(f"linalg.{name}", lambda *a, **how: pick(mine(*a, **how)), lambda *a, **how: pick(theirs(*a, **how)),
                  samples, **more)


def _plain(name: str, samples: Any, **more: Any) -> Record:
    return Record(f"linalg.{name}", getattr(ours, name), getattr(np.linalg, name), samples,
                  **{"tolerance": _SINGLE, **more})


def _always_complex(a: Any) -> Any:
    return np.asarray(np.linalg.eigvals(a), np.result_type(a.dtype, "complex64"))


_NORMS = each(*(arrays((3, 4), low=0.3, ord=ord) for ord in (0.5, 1, 3, -np.inf)),
              arrays((2, 3, 4), axis=(0, 2), keepdims=True), arrays((3, 4), axis=1, ord=np.inf), arrays((3,)))

NUMPY_LINALG: tuple[Record, ...] = (
    _plain("vecdot", each(arrays((2, 3), (2, 3)), arrays((3, 2), (3, 2), axis=0), arrays((2, 1, 3), (4, 3)))),
    _plain("outer", arrays((3,), (2,))),
    Record("linalg.cross", ours.cross, np.linalg.cross,
           each(arrays((3,), (3,)), arrays((2, 3), (2, 3)), arrays((3, 2), (3, 2), axis=0)),
           tuple(d for d in DTYPES if d != "bool"), tolerance=_SINGLE, weakly_typed=True),
    Record("linalg.multi_dot", lambda *a: ours.multi_dot(a), lambda *a: np.linalg.multi_dot(a),
           each(arrays((2, 3), (3, 4), (4, 2)), arrays((3,), (3, 4), (4,)), arrays((2, 3), (3, 1), (1, 4), (4, 2)),
                arrays((2, 3), (3, 2))), DTYPES, tolerance=_SINGLE),
    _plain("matrix_transpose", each(arrays((2, 3)), arrays((2, 3, 4)))),
    _plain("diagonal", each(arrays((3, 4)), arrays((2, 3, 3), offset=1)), weakly_typed=True),
    _plain("trace", each(arrays((3, 4)), arrays((2, 3, 3), offset=1))),
    _linear("cholesky", each(matrices(definite, *SQUARE), matrices(definite, (3, 3), upper=True))),
    _linear("qr", matrices(regular, (3, 3), (4, 2)), lambda found: found[1]),
    linear("linalg.eig", lambda a: ours.eig(a).eigenvalues, _always_complex, matrices(regular, (3, 3))),
    linear("linalg.eigvals", ours.eigvals, _always_complex, matrices(regular, (3, 3), (2, 3, 3))),
    _linear("eigh", each(matrices(definite, (3, 3)), matrices(definite, (2, 3, 3), UPLO="U")),
            lambda found: abs(found.eigenvectors) ** 2),
    _linear("svd", each(matrices(regular, (3, 3)), matrices(regular, (4, 2), full_matrices=False),
                        matrices(definite, (3, 3), (2, 3, 3), hermitian=True)), lambda found: abs(found[0]) ** 2,
            dtypes=_FLOATING, weakly_typed=True),
    _linear("svdvals", matrices(regular, (3, 3), (2, 3, 4))),
    Record("linalg.vector_norm", ours.vector_norm, np.linalg.vector_norm, _NORMS, _FLOATING, tolerance=_SINGLE),
    _linear("matrix_norm", each(*(matrices(regular, (2, 3, 4), ord=ord)
                                  for ord in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)),
                                matrices(regular, (3, 3), keepdims=True)), dtypes=_FLOATING),
    _linear("cond", each(*(matrices(regular, (3, 3), (2, 3, 3), p=p)
                           for p in (None, 1, -2, np.inf, "fro")), matrices(regular, (3, 2))),
            dtypes=_FLOATING, order=1),
    _linear("matrix_rank", each(matrices(regular, (3, 3), (2, 3, 4)), matrices(regular, (3, 3), tol=4.0),
                                matrices(definite, (3, 3), hermitian=True), matrices(regular, (3, 3), rtol=0.6)),
            gradient="it counts"),
    _linear("slogdet", matrices(regular, *SQUARE), lambda found: found.logabsdet),
    _linear("solve", each(matrices(regular, (3, 3), (2, 3, 3), right=(3,)),
                          matrices(regular, (2, 3, 3), right=(3, 2)))),
    _linear("lstsq", matrices(regular, (4, 3), right=(4,)), lambda found: found[0], weakly_typed=True),
    _linear("pinv", each(matrices(regular, (3, 3), (4, 2)), matrices(regular, (3, 2), rcond=0.01),
                         matrices(definite, (3, 3), hermitian=True), matrices(regular, (3, 3), rtol=0.01)),
            dtypes=_FLOATING, weakly_typed=True),
)
