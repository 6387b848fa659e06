"""The general matrix product of the BLAS inside NumPy, which NumPy itself does not offer: C := alpha A B + beta C.

NumPy's wheels bring an OpenBLAS. Its file is found beside the package, and loading it again gives the library that is
already there, with its threads. (SciPy brings another one, whose threads fight with NumPy's over the cores.)
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Product", "general_product"]

_ROW_MAJOR, _PLAIN, _TRANSPOSED = 101, 111, 112


@cache
def _library() -> tuple[ctypes.CDLL, str, str]:
    """The library, and what stands before and behind its functions' names."""
    home = Path(np.__file__).parent
    for path in [*home.parent.glob("numpy.libs/*openblas*"), *home.glob(".dylibs/*openblas*")]:
        library = ctypes.CDLL(str(path))
        for before, behind in (("scipy_", "64_"), ("scipy_", ""), ("", "64_"), ("", "")):
            if hasattr(library, f"{before}cblas_sgemm{behind}"):
                return library, before, behind
    raise ImportError("NumPy brings no OpenBLAS of its own here")


@cache
def general_product() -> Callable[..., None]:
    """``cblas_sgemm`` of NumPy's own OpenBLAS; matrices are passed by address.

    Raises
    ------
    ImportError
        If NumPy uses another BLAS.
    """
    library, before, behind = _library()
    function = getattr(library, f"{before}cblas_sgemm{behind}")
    integer = ctypes.c_int64 if behind == "64_" else ctypes.c_int
    matrix = [ctypes.c_void_p, integer]
    function.argtypes = [ctypes.c_int] * 3 + [integer] * 3 + [ctypes.c_float, *matrix, *matrix, ctypes.c_float, *matrix]
    function.restype = None
    return function


class Product:
    """``C := alpha A B + beta C`` with float32 matrices of fixed shapes; B and C stay where they are in memory.

    Parameters
    ----------
    a, b, c : float32 arrays
        Matrices, or transposed views of matrices, in C order. Another A of the same shape and strides may be given at
        each call.
    alpha, beta : float

    Examples
    --------
    >>> a, b, c = (np.full((2, 2), value, np.float32) for value in (1, 2, 3))
    >>> Product(a, b, c, alpha=-1.0, beta=2.0)(a)
    >>> c
    array([[2., 2.],
           [2., 2.]], dtype=float32)
    """

    def __init__(self, a: Any, b: Any, c: Any, alpha: float, beta: float) -> None:
        self.function = general_product()
        if not all(m.dtype == np.float32 and m.ndim == 2 for m in (a, b, c)) or not c.flags.c_contiguous:
            raise ValueError("Product takes float32 matrices and writes into one in C order")
        (m, k), n = a.shape, b.shape[1]
        (flag_a, lead_a), (flag_b, lead_b) = _order(a), _order(b)
        self.kept = (b, c)
        self.before = (_ROW_MAJOR, flag_a, flag_b, m, n, k, alpha)
        self.behind = (lead_a, b.ctypes.data, lead_b, beta, c.ctypes.data, n)

    def __call__(self, a: Any) -> None:
        self.function(*self.before, a.ctypes.data, *self.behind)


def _order(matrix: Any) -> tuple[int, int]:
    """Whether a matrix is passed as it lies in memory or transposed, and the distance of its rows there."""
    if matrix.flags.c_contiguous:
        return _PLAIN, matrix.shape[1]
    if matrix.flags.f_contiguous:
        return _TRANSPOSED, matrix.shape[0]
    raise ValueError("a matrix must be in C or Fortran order")
