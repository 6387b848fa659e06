"""Calls of NumPy's functions, by name: those of statistics, sequences, sets, polynomials, edits and linear algebra."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import symgraph.tensor as T

M = np.array([[0.5, -1.5, 2.0], [3.25, 0.0, -2.0]])
N = np.array([[1.0, 2.0, -0.5], [0.25, -3.0, 1.0]])
S = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.25], [0.5, 0.25, 2.0]])
V = np.array([3.0, -1.0, 2.0, 0.5])
W = np.array([2.0, 0.5, 7.0])
E = np.array([[np.nan, 1.0, 4.0], [2.0, np.nan, 3.0]])
I = np.array([[3, -1, 2], [0, 5, 1]])
C = np.array([[1 + 2j, -1j], [3.0, 0.5 - 1j]])
U = np.array([2, 0, 1, 1, 2])
K = np.arange(36.0).reshape(2, 3, 6) ** 1.5 % 5

Call = tuple[Callable[..., Any], tuple[Any, ...]]


def _first(found: Any) -> Any:
    return found[0]


def _known(value: Any) -> Any:
    """What is no expression but known, as one."""
    return T.as_tensor_variable(np.zeros((), value) if isinstance(value, (type, np.dtype)) else value)


def _can_cast(a: Any) -> bool:
    """Whether a tensor becomes a smaller float; of arrays NumPy asks only for the dtype."""
    return np.can_cast(a.dtype if isinstance(a, np.ndarray) else a, "float32")


CALLS: dict[str, list[Call]] = {
    **{name: [(lambda a, n=name: getattr(np, n)(a, 1), (E,)), (lambda a, n=name: getattr(np, n)(a), (I,))]
       for name in ("nansum", "nanprod", "nanmean", "nanmin", "nanmax", "nanargmin", "nanargmax", "nancumsum",
                    "nancumprod", "nanmedian")},
    "nanvar": [(lambda a: np.nanvar(a, axis=0, ddof=1), (N,)), (lambda a: np.nanvar(a, correction=1), (E,))],
    "nanstd": [(lambda a: np.nanstd(a, axis=1, keepdims=True), (E,))],
    "cumulative_sum": [(np.cumulative_sum, (V,)),
                       (lambda a: np.cumulative_sum(a, axis=1, include_initial=True), (M,))],
    "cumulative_prod": [(lambda a: np.cumulative_prod(a, axis=-1, include_initial=True, dtype="float64"), (I,))],
    "median": [(lambda a: np.median(a, 1), (M,)), (lambda a: np.median(a, overwrite_input=False, keepdims=True), (I,))],
    "quantile": [(lambda a: np.quantile(a, 0.3, 1), (M,)),
                 (lambda a: np.quantile(a, [0.1, 0.5], method="hazen"), (V,))],
    "percentile": [(lambda a: np.percentile(a, 30, axis=0), (M,))],
    "nanquantile": [(lambda a: np.nanquantile(a, 0.3, axis=1), (E,))],
    "nanpercentile": [(lambda a: np.nanpercentile(a, [10, 50]), (E,))],
    "cov": [(np.cov, (M,)), (lambda a: np.cov(a, rowvar=False, bias=True), (M,)), (np.cov, (V, V[::-1]))],
    "corrcoef": [(np.corrcoef, (M,))],
    "histogram": [(lambda a: np.histogram(a, 4)[0], (M,)), (lambda a: np.histogram(a, bins=[0, 1, 9])[1] + 0, (M,)),
                  (lambda a: np.histogram(a, density=True, range=(-2, 2))[0], (M,))],
    "histogram2d": [(lambda a, b: np.histogram2d(a, b, bins=2)[0], (V, V[::-1]))],
    "histogramdd": [(lambda a, b: np.histogramdd([a, b], bins=(2, 3))[0], (V, V[::-1]))],
    "histogram_bin_edges": [(lambda a: np.histogram_bin_edges(a, 4), (M,))],
    "digitize": [(lambda a: np.digitize(a, [-1.0, 0.0, 2.0], right=True), (M,))],
    "convolve": [(lambda a, b: np.convolve(a, b, "same"), (V, W))],
    "correlate": [(np.correlate, (V, W)), (lambda a, b: np.correlate(a, b, mode="full"), (W, V))],
    "trapezoid": [(lambda a: np.trapezoid(a, dx=0.5, axis=0), (M,)), (np.trapezoid, (M, W))],
    "interp": [(lambda a: np.interp(a, [0.0, 1.0, 3.0], [1.0, 5.0, 2.0], left=-1.0), (V,))],
    "gradient": [(lambda a: np.gradient(a, 0.5)[1], (M,)), (lambda a: np.gradient(a, axis=1, edge_order=2), (M,))],
    "ediff1d": [(lambda a: np.ediff1d(a, to_begin=1.0), (M,))], "unwrap": [(lambda a: np.unwrap(a * 3), (V,))],
    "poly": [(lambda a: np.poly([a, 2.0]), (V[0],))], "polyval": [(lambda a: np.polyval([1.0, 2.0, 3.0], a), (M,))],
    "polyadd": [(np.polyadd, (V, W))], "polysub": [(np.polysub, (V, W))], "polymul": [(np.polymul, (V, W))],
    "polyder": [(lambda a: np.polyder(a, m=2), (V,))], "polyint": [(lambda a: np.polyint(a, k=2.0), (V,))],
    "vander": [(lambda a: np.vander(a, 3, increasing=True), (V,))],
    "union1d": [(np.union1d, (I, U))], "intersect1d": [(np.intersect1d, (I, U))],
    "setdiff1d": [(np.setdiff1d, (I, U))], "setxor1d": [(np.setxor1d, (I, U))],
    "isin": [(lambda a: np.isin(a, [2, 5], invert=True), (I,))],
    "unique_values": [(lambda a: np.sort(np.unique_values(a)), (U,))],
    "unique_counts": [(lambda a: np.unique_counts(a).counts, (U,))],
    "unique_inverse": [(lambda a: np.unique_inverse(a).inverse_indices, (I,))],
    "unique_all": [(lambda a: np.unique_all(a).indices, (I,))],
    "partition": [(lambda a: np.partition(a, 2)[2], (V,))],
    "argpartition": [(lambda a: np.argpartition(a, 1, axis=1)[:, 1], (M,))],
    "lexsort": [(lambda a, b: np.lexsort((a, b)), (U, U[::-1]))], "sort_complex": [(np.sort_complex, (U,))],
    "concat": [(lambda a, b: np.concat([a, b], axis=1), (M, N))],
    "block": [(lambda a, b: np.block([[a], [b]]), (M, N))],
    "delete": [(lambda a: np.delete(a, 1, axis=1), (M,)), (lambda a: np.delete(a, [0, -1]), (V,))],
    "insert": [(lambda a: np.insert(a, [1, 2], 9.0, axis=1), (M,))],
    "resize": [(lambda a: np.resize(a, (2, 5)), (M,))], "trim_zeros": [(np.trim_zeros, (np.array([0, 1, 0, 2, 0]),))],
    "rollaxis": [(lambda a: np.rollaxis(a, 2, 1), (K,))], "rot90": [(lambda a: np.rot90(a, 3), (M,))],
    "cross": [(np.cross, (M, N))], "diagflat": [(lambda a: np.diagflat(a, -1), (V,))],
    "diag_indices_from": [(lambda a: a[np.diag_indices_from(a)], (S,))],
    "tril_indices_from": [(lambda a: a[np.tril_indices_from(a, 1)], (S,))],
    "triu_indices_from": [(lambda a: a[np.triu_indices_from(a)], (M,))],
    "ix_": [(lambda a: N[:, :2].sum() + np.ix_(a, [0, 1])[0], (U,))],
    "array_equal": [(np.array_equal, (M, N)), (np.array_equal, (M, M))],
    "array_equiv": [(np.array_equiv, (np.ones((2, 3)), np.ones(3))), (np.array_equiv, (M, V))],
    "piecewise": [(lambda a: np.piecewise(a, [a < 0, a > 1], [lambda v: -v, 7.0]), (M,))],
    "apply_over_axes": [(lambda a: np.apply_over_axes(np.sum, a, [0, 2]), (K,))],
    "logspace": [(lambda a: np.logspace(a, 2.0, 3, base=2.0), (V[3],))],
    "geomspace": [(lambda a: np.geomspace(a, 9.0, num=4), (V[0],))],
    "can_cast": [(lambda a: _known(_can_cast(a)), (V,))],
    "common_type": [(lambda a: _known(np.common_type(a)), (M,)), (lambda a: _known(np.common_type(a)), (C,))],
    "min_scalar_type": [(lambda a: _known(np.min_scalar_type(a)), (M,))],
    "linalg.eigvals": [(lambda a: np.sort(np.real(np.linalg.eigvals(a))), (S,))],
    "linalg.eigvalsh": [(np.linalg.eigvalsh, (S,))], "linalg.svdvals": [(np.linalg.svdvals, (M,))],
    "linalg.lstsq": [(lambda a, b: _first(np.linalg.lstsq(a, b)), (N.T, W))],
    "linalg.tensorinv": [(lambda a: np.linalg.tensorinv(a.reshape((3, 3)), ind=1), (S,))],
    "linalg.tensorsolve": [(np.linalg.tensorsolve, (S, W))],
    "linalg.cross": [(np.linalg.cross, (M, N))],
    "linalg.vecdot": [(lambda a, b: np.linalg.vecdot(a, b, axis=0), (M, N))],
    "linalg.vector_norm": [(lambda a: np.linalg.vector_norm(a, ord=1, axis=1), (M,)), (np.linalg.vector_norm, (M,))],
    "linalg.matrix_norm": [(np.linalg.matrix_norm, (M,))], "linalg.cond": [(np.linalg.cond, (S,))],
    "linalg.matrix_rank": [(np.linalg.matrix_rank, (np.array([[1.0, 2.0], [2.0, 4.0]]),))],
}
