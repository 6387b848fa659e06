"""Products of matrices by cuBLASLt, called through ctypes.

CuPy refuses its own matrix products while a CUDA graph is captured, and has no access to this library, which computes
``alpha * a @ b + beta * out`` in place: the step of gradient descent folded into the product that makes the gradient.

The library counts columns first. A matrix whose rows are contiguous is, read that way, its own transpose, so that
``out = a @ b`` is asked for as ``out.T = b.T @ a.T``. What can be prepared without a device, prepares without one.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backends.cupy.devices.device import KernelError

__all__ = ["WORKSPACE", "CublasLt", "Operand", "Problem", "operand", "problem"]

#: Bytes that the library may use: what its makers advise for Hopper, more than older devices want.
WORKSPACE = 32 << 20

_COMPUTE = {"float32": 68, "tf32": 77, "float64": 70, "float16": 68}   # cublasComputeType_t
_DATA = {"float32": 0, "float64": 1, "float16": 2}                     # cudaDataType_t
_BATCH_COUNT, _BATCH_OFFSET = 5, 6                                     # cublasLtMatrixLayoutAttribute_t
_TRANSPOSE_A, _TRANSPOSE_B = 3, 4                                      # cublasLtMatmulDescAttributes_t
_MOST_WORKSPACE, _ALIGNMENT_A = 1, 5                                   # cublasLtMatmulPreferenceAttributes_t
_NOT_SUPPORTED = 15                                                    # cublasStatus_t


@dataclass(frozen=True)
class Operand:
    """A matrix, or a stack of them, as the library sees it: columns first.

    Attributes
    ----------
    rows, columns : int
        Of the matrix in memory, columns contiguous.
    ld : int
        Elements from one column to the next.
    transposed : bool
        Whether it is the transpose that is multiplied.
    offset : int
        Elements from one matrix of the stack to the next.
    """

    rows: int
    columns: int
    ld: int
    transposed: bool
    offset: int


def operand(shape: Sequence[int], strides: Sequence[int]) -> Operand:
    """How the transpose of a matrix lies in memory, counted columns first.

    Parameters
    ----------
    shape : sequence of int
        Two lengths, or three for a stack.
    strides : sequence of int
        In elements.

    Raises
    ------
    ValueError
        When neither rows nor columns are contiguous; copy the matrix first.

    Examples
    --------
    >>> operand((3, 5), (5, 1))
    Operand(rows=5, columns=3, ld=5, transposed=False, offset=0)
    >>> operand((3, 5), (1, 3))
    Operand(rows=3, columns=5, ld=3, transposed=True, offset=0)
    """
    (m, n), (down, along) = shape[-2:], strides[-2:]
    offset = strides[0] if len(shape) == 3 and shape[0] > 1 else 0
    if m == 0 or n == 0:  # strides of nothing say nothing
        return Operand(n, m, max(n, 1), False, 0)
    if offset >= 0:
        if (along == 1 or n == 1) and (m == 1 or down >= n):
            return Operand(n, m, max(down if m > 1 else n, 1), False, offset)
        if (down == 1 or m == 1) and (n == 1 or along >= m):
            return Operand(m, n, max(along if n > 1 else m, 1), True, offset)
    raise ValueError(f"a matrix of shape {tuple(shape)} with strides {tuple(strides)} has neither contiguous rows nor "
                     "contiguous columns; copy it before it is multiplied")


@dataclass(frozen=True)
class Problem:
    """A product of certain sizes, layouts and alignments: what an algorithm is chosen for.

    Attributes
    ----------
    m, n, k : int
        Of ``(m, k) @ (k, n)``.
    batch : int
        Matrices in the stacks; 1 without stacks.
    dtype : str
    compute : str
        A key of how it is computed: the dtype, or ``tf32``.
    first, second, out : Operand
        The first factor is ``b``, since everything is transposed.
    alignments : tuple of int
        Of `first`, `second` and `out`, in bytes.
    accumulates : bool
        Whether `out` is read.
    """

    m: int
    n: int
    k: int
    batch: int
    dtype: str
    compute: str
    first: Operand
    second: Operand
    out: Operand
    alignments: tuple[int, int, int]
    accumulates: bool


def problem(out: Any, a: Any, b: Any, addresses: tuple[int, int, int], beta: float, tf32: bool) -> Problem:
    """What is asked of the library, checked.

    Parameters
    ----------
    out, a, b : arrays
        Anything with shape, strides and dtype.
    addresses : tuple of int
        Where they lie.

    Raises
    ------
    ValueError, TypeError
        When shapes, strides or dtypes do not fit.
    """
    if not out.ndim == a.ndim == b.ndim or out.ndim not in (2, 3):
        raise ValueError("a product is of matrices, or of stacks of them, to one with as many axes, not of "
                         f"{a.ndim} and {b.ndim} axes to {out.ndim}")
    dtype = str(out.dtype)
    if not dtype == str(a.dtype) == str(b.dtype) or dtype not in _DATA:
        raise TypeError(f"a product of the library takes float32, float64 or float16, all three alike, not {a.dtype}, "
                        f"{b.dtype} and {out.dtype}")
    (m, k), n = a.shape[-2:], b.shape[-1]
    batch = out.shape[0] if out.ndim == 3 else 1
    stacks = {x.shape[0] for x in (a, b)} if out.ndim == 3 else {1}
    if b.shape[-2] != k or tuple(out.shape[-2:]) != (m, n) or not stacks <= {1, batch}:
        raise ValueError(f"shapes {tuple(a.shape)} and {tuple(b.shape)} do not multiply to {tuple(out.shape)}")
    size = out.dtype.itemsize
    parts = [operand(x.shape, [s // size for s in x.strides]) for x in (b, a, out)]
    if parts[2].transposed:
        raise ValueError("the result of a product has contiguous rows")
    alignments = _alignment(addresses[2]), _alignment(addresses[1]), _alignment(addresses[0])
    return Problem(m, n, k, batch, dtype, "tf32" if tf32 and dtype == "float32" else dtype, parts[0], parts[1],
                   parts[2], alignments, beta != 0)


def _alignment(address: int) -> int:
    """The power of two that divides an address; 256 is all that the library wants."""
    return min(address & -address, 256) if address else 256


class _Algorithm(ctypes.Structure):
    _fields_ = (("data", ctypes.c_uint64 * 8),)


class _Heuristic(ctypes.Structure):
    _fields_ = (("algorithm", _Algorithm), ("workspace", ctypes.c_size_t), ("state", ctypes.c_int),
                ("waves", ctypes.c_float), ("reserved", ctypes.c_int * 4))


class Descriptors:
    """What the library knows of a problem; freed with this object.

    Parameters
    ----------
    library : CublasLt
    problem : Problem
    """

    def __init__(self, library: CublasLt, problem: Problem) -> None:
        self._library = library
        self._made: list[tuple[str, ctypes.c_void_p]] = []
        data = _DATA[problem.dtype]
        scale = _DATA["float64" if problem.dtype == "float64" else "float32"]
        self.operation = self._make("MatmulDesc", _COMPUTE[problem.compute], scale)
        for attribute, part in ((_TRANSPOSE_A, problem.first), (_TRANSPOSE_B, problem.second)):
            self._set("MatmulDesc", self.operation, attribute, ctypes.c_int32(part.transposed))
        self.first, self.second, self.out = (
            self._layout(data, part, problem.batch) for part in (problem.first, problem.second, problem.out))
        self.preference = self._make("MatmulPreference")
        self._set("MatmulPreference", self.preference, _MOST_WORKSPACE, ctypes.c_uint64(WORKSPACE))
        for i, alignment in enumerate((*problem.alignments, problem.alignments[2])):
            self._set("MatmulPreference", self.preference, _ALIGNMENT_A + i, ctypes.c_uint32(alignment))

    def _layout(self, data: int, part: Operand, batch: int) -> ctypes.c_void_p:
        layout = self._make("MatrixLayout", data, ctypes.c_uint64(part.rows), ctypes.c_uint64(part.columns),
                            ctypes.c_int64(part.ld))
        if batch > 1:
            self._set("MatrixLayout", layout, _BATCH_COUNT, ctypes.c_int32(batch))
            self._set("MatrixLayout", layout, _BATCH_OFFSET, ctypes.c_int64(part.offset))
        return layout

    def _make(self, kind: str, *args: Any) -> ctypes.c_void_p:
        made = ctypes.c_void_p()
        self._library.call(f"{kind}Create", ctypes.byref(made), *args)
        self._made.append((kind, made))
        return made

    def _set(self, kind: str, of: ctypes.c_void_p, attribute: int, value: Any) -> None:
        self._library.call(f"{kind}SetAttribute", of, attribute, ctypes.byref(value),
                           ctypes.c_size_t(ctypes.sizeof(value)))

    def attribute(self, kind: str, of: ctypes.c_void_p, attribute: int, value: Any) -> int:
        """What the library holds of an attribute, read into `value`."""
        self._library.call(f"{kind}GetAttribute", of, attribute, ctypes.byref(value),
                           ctypes.c_size_t(ctypes.sizeof(value)), None)
        return int(value.value)

    def __del__(self) -> None:
        for kind, made in self._made:
            getattr(self._library.library, f"cublasLt{kind}Destroy")(made)


class CublasLt:
    """The library, and what it has chosen for each problem.

    Parameters
    ----------
    library : ctypes.CDLL
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        self._handle: ctypes.c_void_p | None = None
        self._chosen: dict[Problem, tuple[Descriptors, _Algorithm]] = {}
        self._needed: dict[Problem, int] = {}
        library.cublasLtGetVersion.restype = ctypes.c_size_t
        number = library.cublasLtGetVersion()
        self.version = f"cuBLASLt {number // 10000}.{number % 10000 // 100}"

    def call(self, name: str, *args: Any) -> None:
        """Call a function of the library and raise its error."""
        status = getattr(self.library, f"cublasLt{name}")(*args)
        if status:
            raise KernelError(f"cublasLt{name}: cuBLAS error {status}"
                              + (", not supported" if status == _NOT_SUPPORTED else ""))

    def choose(self, problem: Problem) -> tuple[Descriptors, _Algorithm]:
        """The algorithm for a problem, asked for once; outside of captures, where that is refused."""
        found = self._chosen.get(problem)
        if found is None:
            if self._handle is None:
                handle = ctypes.c_void_p()
                self.call("Create", ctypes.byref(handle))
                self._handle = handle
            parts = Descriptors(self, problem)
            result, count = _Heuristic(), ctypes.c_int()
            self.call("MatmulAlgoGetHeuristic", self._handle, parts.operation, parts.first, parts.second, parts.out,
                      parts.out, parts.preference, 1, ctypes.byref(result), ctypes.byref(count))
            if not count.value or result.state:
                raise KernelError(f"cuBLASLt has no algorithm for {problem}")
            self._needed[problem] = int(result.workspace)
            found = self._chosen[problem] = parts, result.algorithm
        return found

    def needed(self, problem: Problem) -> int:
        """The bytes of workspace that the algorithm for a problem uses; `WORKSPACE` at most."""
        self.choose(problem)
        return self._needed[problem]

    def multiply(self, problem: Problem, addresses: tuple[int, int, int], alpha: float, beta: float, workspace: int,
                 stream: int, room: int = WORKSPACE) -> None:
        """Compute ``out = alpha * a @ b + beta * out``.

        Parameters
        ----------
        problem : Problem
        addresses : tuple of int
            Of `out`, `a` and `b`.
        alpha, beta : float
        workspace : int
            The address of bytes that nothing uses at the same time.
        stream : int
        room : int
            How many these are; at least `needed`.
        """
        parts, algorithm = self.choose(problem)
        number = ctypes.c_double if problem.dtype == "float64" else ctypes.c_float
        out, a, b = (ctypes.c_void_p(address) for address in addresses)
        self.call("Matmul", self._handle, parts.operation, ctypes.byref(number(alpha)), b, parts.first, a, parts.second,
                  ctypes.byref(number(beta)), out, parts.out, out, parts.out, ctypes.byref(algorithm),
                  ctypes.c_void_p(workspace), ctypes.c_size_t(room), ctypes.c_void_p(stream))
