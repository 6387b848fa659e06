"""The functions of CuPy 14 that programs may call; a test holds this list against CuPy where it is installed.

Those of ``scipy`` are CuPy's too: it has them in ``cupyx.scipy``.
"""

from __future__ import annotations

__all__ = ["ARRAY_FUNCTIONS", "check"]

ARRAY_FUNCTIONS = frozenset((
    "abs", "add.accumulate", "add.at", "all", "any", "arange", "argmax", "argmin", "argpartition", "argsort",
    "array", "asarray", "ascontiguousarray", "bincount", "broadcast_to", "clip", "concatenate", "conj",
    "convolve", "copyto", "cumprod", "cumsum", "diff", "dot", "einsum", "empty", "empty_like", "exp", "eye", "fft.fft",
    "fft.hfft", "fft.ifft", "fft.ihfft", "fft.irfft", "fft.rfft", "flip", "full", "isfinite", "isnan",
    "lexsort", "linalg.cholesky", "linalg.eig", "linalg.eigh", "linalg.eigvals", "linalg.eigvalsh",
    "linalg.inv", "linalg.lstsq", "linalg.pinv", "linalg.qr", "linalg.slogdet", "linalg.solve", "linalg.svd",
    "log", "matmul", "maximum", "maximum.at", "minimum", "moveaxis", "multiply", "nanargmax", "nanargmin",
    "nonzero", "ones", "prod", "ravel_multi_index", "repeat", "scipy.linalg.expm", "scipy.linalg.lu_factor",
    "scipy.linalg.solve_triangular", "searchsorted", "sort", "sqrt", "stack", "sum",
    "swapaxes", "take", "take_along_axis", "tensordot", "tril", "triu", "unique", "unravel_index", "where",
    "zeros", "zeros_like",
))


def check(name: str) -> None:
    """Raise `LookupError` for a function that is not in the list."""
    if name not in ARRAY_FUNCTIONS:
        raise LookupError(f"{name} is not among the functions of CuPy that programs may call")
