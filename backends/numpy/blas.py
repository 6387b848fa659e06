"""Products of matrices added to a matrix where it stands: a call NumPy does not have.

``np.dot`` overwrites its result. BLAS itself computes ``beta * C + alpha * A @ B`` into C in one go, and NumPy carries
a BLAS with it: the OpenBLAS of its wheels, found among the files the process has loaded, called through `ctypes`. A
second BLAS (that of SciPy) would bring threads of its own, which fight with those of the first. Where NumPy was built
with another library, the formula is computed as it is written.

References
----------
Lawson, Hanson, Kincaid and Krogh, "Basic Linear Algebra Subprograms for Fortran Usage", ACM TOMS 5 (1979); Dongarra and
others, "A Set of Level 3 Basic Linear Algebra Subprograms", ACM TOMS 16 (1990).
"""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Callable
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Product", "gemm", "inner", "product", "thread_count"]

_ROW_MAJOR, _PLAIN, _TRANSPOSED = 101, 111, 112
_ROUTINES = {"f": "sgemm", "d": "dgemm"}
_SPELLINGS = (("scipy_cblas_{}64_", ctypes.c_int64), ("cblas_{}64_", ctypes.c_int64), ("scipy_cblas_{}", ctypes.c_int),
              ("cblas_{}", ctypes.c_int))
_COUNTERS = ("scipy_openblas_get_num_threads64_", "openblas_get_num_threads64_", "scipy_openblas_get_num_threads",
             "openblas_get_num_threads")


def _libraries() -> list[Path]:
    """The OpenBLAS libraries that came with NumPy, or that the process has loaded."""
    root = Path(np.__file__).parent
    lib = root.parent.parent.parent
    places = [root.parent / "numpy.libs", root / ".dylibs", lib, lib / "bin"]
    found = [path for place in places if place.is_dir() for path in sorted(place.glob("*openblas*"))]
    maps = Path("/proc/self/maps")
    if not found and maps.exists():
        lines = maps.read_text(errors="replace").splitlines()
        found = sorted({Path(line.split(maxsplit=5)[5]) for line in lines if "openblas" in line})
    return [path for path in found if path.suffix in (".so", ".dylib", ".dll") or ".so." in path.name]


@cache
def _routine(name: str) -> Any:
    """A routine of NumPy's own BLAS (``sgemm``, ``dgemm``), or None where it cannot be found."""
    real = {"s": ctypes.c_float, "d": ctypes.c_double}[name[0]]
    for path in _libraries():
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        for spelling, integer in _SPELLINGS:
            routine = getattr(library, spelling.format(name), None)
            if routine is not None:
                pointer, flag = ctypes.c_void_p, ctypes.c_int
                routine.argtypes = [flag, flag, flag, integer, integer, integer, real, pointer, integer, pointer,
                                    integer, real, pointer, integer]
                routine.restype = None
                return routine
    return None


@cache
def _thread_counter() -> Callable[[], int]:
    for path in _libraries():
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        for spelling in _COUNTERS:
            counter = getattr(library, spelling, None)
            if counter is not None:
                counter.restype = ctypes.c_int
                return counter
    return lambda: 0


def thread_count() -> int:
    """How many threads NumPy's own OpenBLAS uses; 0 where NumPy has another BLAS."""
    return _thread_counter()()


def _find_address() -> Callable[[Any], Any]:
    """What gives the address of an array's elements to `ctypes`.

    ``array.ctypes.data`` takes longer than a small product. NumPy's C interface has the address in the first field of
    an array behind what all objects have; where that is seen not to be so, the slow way is taken.
    """
    head, pointer = object.__basicsize__, ctypes.c_void_p.from_address

    def quick(array: Any) -> Any:
        return pointer(id(array) + head)

    def slow(array: Any) -> Any:
        return array.ctypes.data

    probes: list[Any] = [np.zeros((4, 5)), np.zeros((4, 5), np.float32)[1:, 2:], np.zeros(3)[1:]]
    fits = sys.implementation.name == "cpython" and hasattr(np.ndarray, "__basicsize__") and (
        np.ndarray.__basicsize__ >= head + ctypes.sizeof(ctypes.c_void_p))
    return quick if fits and all(quick(probe).value == probe.ctypes.data for probe in probes) else slow


_address = _find_address()


class Product:
    """``beta * c + alpha * dot(a, b)``, ready to be computed into `c` or a copy of it.

    Once it is made nothing can go wrong any more.

    Attributes
    ----------
    run : callable
        Computes it into `c`.
    """

    __slots__ = ("c", "kept", "run")

    def __init__(self, routine: Any, c: Any, alpha: float, a: Any, b: Any, beta: float) -> None:
        a, flag_a, lda = _operand(a)
        b, flag_b, ldb = _operand(b)
        (rows, inner), columns = a.shape, b.shape[1]
        self.c = c
        self.run = partial(routine, _ROW_MAJOR, flag_a, flag_b, rows, columns, inner, alpha, _address(a), lda,
                           _address(b), ldb, beta, _address(c), columns)
        self.kept = a, b  # what the addresses belong to

    @property
    def work(self) -> int:
        """How many multiplications it is."""
        return math.prod(self.run.args[3:6])

    def into(self, out: Any) -> Callable[[], None]:
        """What computes it into an array that holds the values of `c`."""
        if out is self.c:
            return self.run
        *before, _, columns = self.run.args
        return partial(self.run.func, *before, _address(out), columns)


def _operand(matrix: Any) -> tuple[Any, int, int]:
    """A matrix that is not empty, as BLAS reads it: an array, whether it reads it transposed, and from row to row how
    many elements."""
    size, (rows, columns), (m, n) = matrix.itemsize, matrix.strides, matrix.shape
    if columns == size and rows >= size * n and rows % size == 0:
        return matrix, _PLAIN, rows // size
    if rows == size and columns >= size * m and columns % size == 0:
        return matrix, _TRANSPOSED, columns // size
    return np.ascontiguousarray(matrix), _PLAIN, n


def product(c: Any, alpha: Any, a: Any, b: Any, beta: Any) -> Any:
    """A `Product` to be computed over `c`, or, where BLAS cannot do that or need not, its value in a new array."""
    scale = float(beta)  # comparing an array with a number takes longer
    if c.nbytes <= _FEW:
        return _formula(c, alpha, a, b, beta, scale)
    routine = _routine(_ROUTINES[c.dtype.char]) if a.ndim == b.ndim == 2 and scale != 0 else None
    if routine is None or not (c.flags.carray and a.size and b.size):
        return _formula(c, alpha, a, b, beta, scale)
    return Product(routine, c, float(alpha), a, b, scale)


def gemm(c: Any, alpha: Any, a: Any, b: Any, beta: Any, out: Any = None) -> Any:
    """``beta * c + alpha * dot(a, b)``.

    Parameters
    ----------
    c, a, b : numpy.ndarray
        Of one dtype, float32 or float64, and of shapes that fit.
    alpha, beta : scalar
    out : numpy.ndarray, optional
        An array for the result; it may be `c`.
    """
    if out is None:
        out = np.array(c, order="C")
    elif out is not c:
        np.copyto(out, c)
    found = product(out, alpha, a, b, beta)
    if isinstance(found, Product):
        found.into(out)()
    else:
        np.copyto(out, found)
    return out


def _formula(c: Any, alpha: Any, a: Any, b: Any, beta: Any, scale: float) -> Any:
    result = np.dot(a, b)
    np.multiply(result, alpha, result)
    return np.add(result, c if scale == 1 else beta * c, result)


_FEW = 1 << 15  # bytes, which two or three more passes take less time over than preparing a call of BLAS does
_PIECE = 8192  # elements: too few for BLAS to share them among threads, many enough to be fast
_TRIED = 256  # numbers of pieces


@lru_cache(maxsize=1024)
def _even_pieces(size: int) -> int:
    """Into how many pieces so many elements can be cut that all are of one length, and not much shorter than need be;
    0 where there is no such number."""
    least = -(-size // _PIECE)
    return next((count for count in range(least, least + min(least, _TRIED)) if size % count == 0), 0)


def inner(x: Any, y: Any) -> Any:
    """The sum of the products of all elements of two arrays of one shape and dtype."""
    size = x.size
    if not (x.flags.c_contiguous and y.flags.c_contiguous):
        if not (x.flags.f_contiguous and y.flags.f_contiguous):
            return np.add.reduce(np.multiply(x, y), axis=None)
        x, y = x.T, y.T
    if size <= _PIECE:
        return np.dot(x.reshape(-1), y.reshape(-1))
    pieces = _even_pieces(size)
    if pieces:
        rows = x.reshape(pieces, -1)
        return np.add.reduce(np.vecdot(rows, rows if y is x else y.reshape(pieces, -1)))
    x, y, whole = x.reshape(-1), y.reshape(-1), size // _PIECE * _PIECE
    sums = np.vecdot(x[:whole].reshape(-1, _PIECE), y[:whole].reshape(-1, _PIECE))
    return np.add.reduce(sums) + np.dot(x[whole:], y[whole:])
