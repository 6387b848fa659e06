"""Products of the emulated device, from the descriptions that cuBLASLt gets."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.cupy.devices import cublaslt

__all__ = ["multiply"]


def multiply(problem: cublaslt.Problem, addresses: tuple[int, int, int], alpha: float, beta: float) -> None:
    """``out = alpha * a @ b + beta * out``.

    Parameters
    ----------
    problem : Problem
    addresses : tuple of int
        Of `out`, `a` and `b`.
    alpha, beta : float
    """
    out = _columns_first(problem, problem.out, addresses[0])
    a = _columns_first(problem, problem.second, addresses[1])
    b = _columns_first(problem, problem.first, addresses[2])
    if problem.compute == "tf32":
        a, b = _to_ten_bits(a), _to_ten_bits(b)
    wide = np.dtype("float32" if problem.dtype == "float16" else problem.dtype)
    with np.errstate(all="ignore"):  # devices do not warn
        result = wide.type(alpha) * np.matmul(b, a, dtype=wide)
        out[...] = result + wide.type(beta) * out if problem.accumulates else result


def _columns_first(problem: cublaslt.Problem, part: cublaslt.Operand, address: int) -> np.ndarray:
    """The matrices of a product as the library finds them in memory."""
    size = np.dtype(problem.dtype).itemsize
    place = _Strided({"data": (address, False), "typestr": np.dtype(problem.dtype).str, "version": 3,
                      "shape": (problem.batch, part.rows, part.columns),
                      "strides": (part.offset * size, size, part.ld * size)})
    found = np.asarray(place)
    return found.swapaxes(1, 2) if part.transposed else found


def _to_ten_bits(x: np.ndarray) -> np.ndarray:
    """Numbers with as many bits of fraction as TF32 keeps, rounded to the nearest."""
    bits = np.array(x).view(np.uint32)
    finite = bits & 0x7F800000 != 0x7F800000
    rounded = (bits + 0xFFF + (bits >> 13 & 1)) & ~np.uint32(0x1FFF)
    return np.where(finite, rounded, bits).view(np.float32)


class _Strided:
    """Memory that NumPy is shown, and does not keep."""

    def __init__(self, interface: dict[str, Any]) -> None:
        self.__array_interface__ = interface
