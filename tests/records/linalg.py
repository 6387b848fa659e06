"""Records of linear algebra: `symgraph.tensor.nlinalg` and `symgraph.tensor.slinalg`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import scipy.linalg

from symgraph.tensor import nlinalg, slinalg
from tests.records.base import COMPLEX, INTEGERS, Array, Record, Sample, arrays, each, random_array

#: What LAPACK computes in, float16, which it refuses, and some of what is made float64.
DTYPES = ("bool", "int32", "float16", "float32", "float64", *COMPLEX)
LOOSE = {"float32": 2e-4, "float64": 1e-10, "complex64": 2e-4, "complex128": 1e-10}
Sampler = Callable[[np.random.Generator, str], Iterable[Sample]]


def regular(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> Array:
    """Random matrices far from singular, and with singular values far from each other."""
    rows, columns = shape[-2:]
    noise = random_array(rng, dtype, shape, -0.5, 0.5)
    steps = np.diag(np.arange(2, 2 + max(rows, columns)) * 2)[:rows, :columns]
    return np.asarray(noise + steps, dtype) if dtype != "bool" else np.broadcast_to(np.eye(rows, columns) > 0, shape)


def definite(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> Array:
    """Random symmetric (Hermitian) positive definite matrices with eigenvalues far from each other."""
    half = regular(rng, dtype, shape)
    return np.asarray((half + half.conj().swapaxes(-1, -2)) // 2 if half.dtype.kind in "iu" else
                      half | half.swapaxes(-1, -2) if dtype == "bool" else (half + half.conj().swapaxes(-1, -2)) / 2)


def matrices(make: Any, *shapes: tuple[int, ...], right: tuple[int, ...] | None = None, **options: Any) -> Sampler:
    """One sample for each shape, with a right side of its own shape after it when `right` is given."""

    def sample(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
        for shape in shapes:
            extra = () if right is None else (random_array(rng, dtype, right),)
            yield (make(rng, dtype, shape), *extra), options

    return sample


def triangle(a: Any, lower: bool, conjugate: bool = True) -> Any:
    """The symmetric matrix of which one triangle is read."""
    half, rest = (np.tril(a), np.tril(a, -1)) if lower else (np.triu(a), np.triu(a, 1))
    rest = rest.swapaxes(-1, -2)
    if not conjugate:
        return half + rest
    own = np.zeros_like(half) + half
    places = np.arange(a.shape[-1])
    own[..., places, places] = own[..., places, places].real
    return own + rest.conj()


def _refuse_float16(function: Any) -> Any:
    def refusing(*values: Any, **options: Any) -> Any:
        if any(v.dtype == np.float16 for v in values):
            raise TypeError("float16")
        return function(*(v if v.dtype.kind in "fc" else v.astype("float64") for v in values), **options)

    return refusing


def linear(name: str, call: Any, reference: Any, samples: Sampler, **more: Any) -> Record:
    return Record(name, call, _refuse_float16(reference), samples,
                  **{"dtypes": DTYPES, "tolerance": LOOSE, **more})


def invariants(*factors: Any) -> Any:
    """Of factors whose signs are free, what is not: the squares of their elements, side by side."""
    return [abs(f) ** 2 for f in factors]


def _solve(a: Any, b: Any, assume_a: str = "gen", lower: bool = False, b_ndim: int | None = None) -> Any:
    if assume_a == "lower triangular":
        a = np.tril(a)
    elif assume_a == "upper triangular":
        a = np.triu(a)
    elif assume_a != "gen":
        a = triangle(a, lower, conjugate=assume_a != "sym")
    return np.linalg.solve(a, b[..., None])[..., 0] if b_ndim == 1 else np.linalg.solve(a, b)


def _solve_triangular(a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False) -> Any:
    a = np.tril(a) if lower else np.triu(a)
    if unit_diagonal:
        a = a - np.eye(a.shape[-1], dtype=a.dtype) * (a - np.eye(a.shape[-1], dtype=a.dtype))
    if trans in (1, "T", 2, "C"):
        a = a.swapaxes(-1, -2)
    return np.linalg.solve(a.conj() if trans in (2, "C") else a, b)


def _cholesky(a: Any, lower: bool = True) -> Any:
    return np.linalg.cholesky(triangle(a, lower)) if lower else np.linalg.cholesky(
        triangle(a, lower)).conj().swapaxes(-1, -2)


def _eigh_vectors(a: Any, UPLO: str = "L") -> Any:
    return abs(np.linalg.eigh(triangle(a, UPLO == "L"))[1]) ** 2


def _generalised(a: Any, b: Any, lower: bool = True) -> Any:
    return scipy.linalg.eigvalsh(triangle(a, lower), triangle(b, lower))


def _two_definite(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    for lower in (True, False):
        yield (definite(rng, dtype, (3, 3)), definite(rng, dtype, (3, 3))), {"lower": lower}


def _tall_system(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    for shape, right in (((4, 3), (4,)), ((4, 3), (4, 2)), ((2, 3), (2, 2)), ((3, 3), (3,))):
        yield (regular(rng, dtype, shape), random_array(rng, dtype, right)), {}


def _norm_samples(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    for ord in (None, "fro", "nuc", 2, -2, 1, -1, np.inf, -np.inf):
        yield (regular(rng, dtype, (3, 4)),), {"ord": ord}
    for ord in (None, "nuc", 1, -np.inf):
        yield (regular(rng, dtype, (2, 3, 3)),), {"ord": ord, "axis": (2, 1), "keepdims": True}
    for ord in (None, 2, 1, 3, 0.5, np.inf, -np.inf):
        yield (regular(rng, dtype, (3, 4)) + np.ones((), dtype),), {"ord": ord, "axis": 1}
        yield (regular(rng, dtype, (3, 4))[0] + np.ones((), dtype),), {"ord": ord, "axis": None}


def _tensor_samples(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    yield (regular(rng, dtype, (6, 6)).reshape(2, 3, 6),), {"ind": 2}
    yield (regular(rng, dtype, (4, 4)).reshape(4, 2, 2),), {"ind": 1}


def _tensor_systems(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    a = regular(rng, dtype, (6, 6))
    yield (a.reshape(2, 3, 6), random_array(rng, dtype, (2, 3))), {}
    yield (a.reshape(6, 3, 2), random_array(rng, dtype, (6,))), {"axes": (1,)}


SQUARE = ((3, 3), (2, 3, 3), (1, 1), (0, 0))
NO_SIGN = "signs and order are free: what is not is tested in its place"

NLINALG: tuple[Record, ...] = (
    linear("nlinalg.matrix_inverse", nlinalg.matrix_inverse, np.linalg.inv, matrices(regular, *SQUARE)),
    linear("nlinalg.pinv", nlinalg.pinv, np.linalg.pinv,
           each(matrices(regular, (3, 3), (4, 2), (2, 4), (2, 3, 2)), matrices(regular, (3, 2), rcond=0.01))),
    linear("nlinalg.det", nlinalg.det, np.linalg.det, matrices(regular, *SQUARE)),
    linear("nlinalg.slogdet", lambda a: nlinalg.slogdet(a)[0], lambda a: np.linalg.slogdet(a)[0],
           matrices(regular, *SQUARE)),
    linear("nlinalg.logabsdet", nlinalg.logabsdet, lambda a: np.linalg.slogdet(a)[1], matrices(regular, *SQUARE)),
    linear("nlinalg.eig", lambda a: nlinalg.eig(a)[0],
           lambda a: np.asarray(np.linalg.eig(a)[0], np.result_type(a.dtype, "complex64")),
           matrices(regular, (3, 3), (2, 3, 3))),
    linear("nlinalg.eig of vectors", lambda a: abs(nlinalg.eig(a)[1]) ** 2, lambda a: abs(np.linalg.eig(a)[1]) ** 2,
           matrices(regular, (3, 3), (2, 3, 3))),
    linear("nlinalg.eigh", lambda a, **how: abs(nlinalg.eigh(a, **how)[1]) ** 2, _eigh_vectors,
           each(matrices(definite, (3, 3), (2, 3, 3)), matrices(definite, (3, 3), UPLO="U"))),
    linear("nlinalg.eigvalsh", nlinalg.eigvalsh, np.linalg.eigvalsh,
           each(matrices(definite, *SQUARE), matrices(definite, (3, 3), UPLO="U"))),
    linear("nlinalg.svd", lambda a, **how: nlinalg.svd(a, **how)[0] ** 2,
           lambda a, **how: np.linalg.svd(a, **how)[0] ** 2,
           each(matrices(regular, (3, 3), (2, 3, 3)), matrices(regular, (4, 2), (2, 4), full_matrices=False)),
           dtypes=tuple(d for d in DTYPES if d not in ("bool", *COMPLEX))),
    linear("nlinalg.svd of values", lambda a, **how: nlinalg.svd(a, **how), lambda a, **how: np.linalg.svd(a, **how),
           matrices(regular, (3, 3), (4, 2), (2, 3, 4), compute_uv=False)),
    linear("nlinalg.svd of rows", lambda a, **how: nlinalg.svd(a, **how)[2] ** 2,
           lambda a, **how: np.linalg.svd(a, **how)[2] ** 2,
           matrices(regular, (3, 3), (4, 2), (2, 4), full_matrices=False), dtypes=("float32", "float64")),
    linear("nlinalg.qr", lambda a, **how: nlinalg.qr(a, **how)[0], lambda a, **how: np.linalg.qr(a, **how)[0],
           each(matrices(regular, (3, 3), (4, 2), (2, 4), (2, 3, 2)), matrices(regular, (2, 3), mode="complete"))),
    linear("nlinalg.qr of R", lambda a, **how: nlinalg.qr(a, **how)[1], lambda a, **how: np.linalg.qr(a, **how)[1],
           each(matrices(regular, (3, 3), (4, 2), (2, 4)), matrices(regular, (4, 2), (2, 4), mode="complete"))),
    linear("nlinalg.qr without Q", nlinalg.qr, np.linalg.qr, matrices(regular, (3, 3), (4, 2), (2, 4), mode="r")),
    Record("nlinalg.matrix_power", nlinalg.matrix_power, lambda M, n: np.linalg.matrix_power(M, n),
           each(*(matrices(regular, (2, 2), n=n) for n in (1, 2, 5)), matrices(regular, (2, 3, 3), n=3)),
           dtypes=(*INTEGERS, "float32", "float64", *COMPLEX), tolerance=LOOSE),
    linear("nlinalg.matrix_power of inverses", nlinalg.matrix_power, lambda M, n: np.linalg.matrix_power(M, n),
           matrices(regular, (3, 3), n=-2)),
    Record("nlinalg.matrix_dot", nlinalg.matrix_dot, lambda *all: np.linalg.multi_dot(all) if len(all) > 1 else all[0],
           each(arrays((2, 3), (3, 4), (4, 2)), arrays((2, 3), (3, 4), (4,)), arrays((2, 3))),
           tolerance={"float16": 2e-2, "float32": 1e-5, "complex64": 1e-5}),
    linear("nlinalg.lstsq", lambda a, b: nlinalg.lstsq(a, b)[0], lambda a, b: np.linalg.lstsq(a, b)[0], _tall_system,
           weakly_typed=True),
    linear("nlinalg.lstsq of values", lambda a, b: nlinalg.lstsq(a, b)[3], lambda a, b: np.linalg.lstsq(a, b)[3],
           _tall_system, wrt=(0,), weakly_typed=True),
    linear("nlinalg.norm", nlinalg.norm, np.linalg.norm, _norm_samples,
           dtypes=tuple(d for d in DTYPES if d != "float16")),
    linear("nlinalg.tensorinv", nlinalg.tensorinv, np.linalg.tensorinv, _tensor_samples, weakly_typed=True),
    linear("nlinalg.tensorsolve", nlinalg.tensorsolve, np.linalg.tensorsolve, _tensor_systems, weakly_typed=True),
    Record("diag", nlinalg.diag, np.diag,
           each(arrays((3,)), arrays((3,), k=2), arrays((3, 4), k=-1), arrays((3, 4)), arrays((0,))),
           weakly_typed=True),
    Record("extract_diag", nlinalg.extract_diag, np.diagonal, each(arrays((3, 4)), arrays((3, 4), offset=2)),
           weakly_typed=True),
    Record("alloc_diag", nlinalg.alloc_diag,
           lambda x, offset=0, axis1=-2, axis2=-1: np.moveaxis(
               np.stack([np.diag(row, offset) for row in x.reshape(-1, x.shape[-1])]).reshape(
                   (*x.shape[:-1], x.shape[-1] + abs(offset), x.shape[-1] + abs(offset))), (-2, -1), (axis1, axis2)),
           each(arrays((3,)), arrays((2, 3), offset=-1), arrays((2, 3), axis1=0, axis2=1)), weakly_typed=True),
    Record("nlinalg.trace", nlinalg.trace, np.trace, each(arrays((3, 4)), arrays((3, 4), offset=1)),
           tolerance={"float16": 1e-2, "float32": 1e-5, "complex64": 1e-5}),
)

_FLOATING = ("float32", "float64", *COMPLEX)
_SERIES = {"float32": 1e-3, "float64": 1e-9, "complex64": 1e-3, "complex128": 1e-9}


def _mixed(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> Array:
    """Regular matrices whose rows must be exchanged."""
    return np.ascontiguousarray(regular(rng, dtype, shape)[..., ::-1, :])


def _in_dtype(function: Any) -> Any:
    """A function of single matrices that computes in double precision, in the dtype of its argument."""
    return lambda a: np.asarray([function(m) for m in a] if a.ndim > 2 else function(a), a.dtype)


SLINALG: tuple[Record, ...] = (
    linear("slinalg.cholesky", slinalg.cholesky, _cholesky,
           each(matrices(definite, *SQUARE), matrices(definite, (3, 3), (2, 3, 3), lower=False))),
    linear("slinalg.solve", slinalg.solve, _solve,
           each(matrices(regular, (3, 3), (2, 3, 3), right=(3,)), matrices(regular, (3, 3), right=(3, 2)),
                matrices(regular, (3, 3), (2, 3, 3), (1, 3, 3), right=(2, 3, 2)),
                matrices(regular, (3, 3), right=(2, 3), b_ndim=1), matrices(regular, (0, 0), right=(0, 2)),
                *(matrices(regular, (3, 3), right=(3, 2), assume_a=how)
                  for how in ("lower triangular", "upper triangular")),
                *(matrices(definite, (3, 3), (2, 3, 3), right=(3,), assume_a=how, lower=lower)
                  for how in ("sym", "her", "pos") for lower in (False, True) if how != "sym"),
                matrices(regular, (3, 3), right=(3,), assume_a="sym", lower=True))),
    linear("slinalg.solve_symmetric", slinalg.solve_symmetric, lambda a, b: _solve(a, b, "sym"),
           matrices(regular, (3, 3), right=(3, 2))),
    linear("slinalg.solve_triangular", slinalg.solve_triangular, _solve_triangular,
           each(*(matrices(regular, (3, 3), right=(3, 2), trans=trans, lower=lower, unit_diagonal=unit)
                  for trans in (0, 1, "C") for lower in (False, True) for unit in (False, True)),
                matrices(regular, (2, 3, 3), (3, 3), right=(2, 3, 1)), matrices(regular, (2, 3, 3), right=(3,)))),
    linear("slinalg.solve_lower_triangular", slinalg.solve_lower_triangular,
           lambda a, b: _solve_triangular(a, b, lower=True), matrices(regular, (3, 3), right=(3,))),
    linear("slinalg.solve_upper_triangular", slinalg.solve_upper_triangular, _solve_triangular,
           matrices(regular, (3, 3), right=(3,))),
    linear("slinalg.cho_solve", lambda c, b, lower: slinalg.cho_solve((c, lower), b),
           lambda c, b, lower: scipy.linalg.cho_solve((c, lower), b),
           each(*(matrices(regular, (3, 3), right=(3, 2), lower=lower) for lower in (True, False)))),
    linear("slinalg.expm", slinalg.expm, scipy.linalg.expm,
           each(arrays((3, 3)), arrays((2, 2, 2)), arrays((0, 0))),
           tolerance={"float32": 1e-3, "float64": 1e-9, "complex64": 1e-3, "complex128": 1e-9}),
    *(linear(f"slinalg.{name}", getattr(slinalg, name), _in_dtype(getattr(scipy.linalg, name)),
             matrices(definite, (2, 2), (2, 1, 1)), order=1, tolerance=_SERIES) for name in ("logm", "sqrtm")),
    linear("slinalg.lu", lambda a: slinalg.lu(a)[1], lambda a: scipy.linalg.lu(a)[1],
           matrices(_mixed, (3, 3), (4, 2), (2, 4), (2, 3, 3), (0, 0)), dtypes=_FLOATING),
    linear("slinalg.lu of U", lambda a, **how: slinalg.lu(a, **how)[-1], lambda a, **how: scipy.linalg.lu(a, **how)[-1],
           each(matrices(_mixed, (3, 3), (4, 2), (2, 4)), matrices(_mixed, (3, 3), permute_l=True)), dtypes=_FLOATING),
    linear("slinalg.lu of rows", lambda a: slinalg.lu(a)[0], lambda a: scipy.linalg.lu(a)[0],
           matrices(_mixed, (3, 3), (4, 2), (2, 3, 3)), dtypes=_FLOATING, gradient="a permutation", weakly_typed=True),
    linear("slinalg.lu of places", lambda a: slinalg.lu(a, p_indices=True)[0],
           lambda a: scipy.linalg.lu(a, p_indices=True)[0], matrices(_mixed, (3, 3)), dtypes=_FLOATING,
           gradient="a permutation", weakly_typed=True),
    linear("slinalg.lu permuted", lambda a: slinalg.lu(a, permute_l=True)[0],
           lambda a: scipy.linalg.lu(a, permute_l=True)[0], matrices(_mixed, (4, 2)), dtypes=_FLOATING,
           weakly_typed=True),
    linear("slinalg.lu_factor", lambda a: slinalg.lu_factor(a)[0], lambda a: scipy.linalg.lu_factor(a)[0],
           matrices(_mixed, (3, 3), (4, 2)), dtypes=_FLOATING),
    linear("slinalg.lu_solve", lambda a, b, **how: slinalg.lu_solve(slinalg.lu_factor(a), b, **how),
           lambda a, b, **how: scipy.linalg.lu_solve(scipy.linalg.lu_factor(a), b, **how),
           each(*(matrices(_mixed, (3, 3), right=right, trans=trans)
                  for right in ((3,), (3, 2)) for trans in (0, 1, 2))),
           dtypes=_FLOATING, weakly_typed=True),
    Record("slinalg.block_diag", slinalg.block_diag, lambda *a: np.asarray(scipy.linalg.block_diag(*a), a[0].dtype),
           each(arrays((2, 3), (1, 2)), arrays((2,), (), (2, 1)), arrays((2, 2)), arrays((0, 2), (1, 1)))),
    Record("slinalg.kron", slinalg.kron, np.kron,
           each(arrays((2, 3), (3, 2)), arrays((2,), (3, 2)), arrays((2, 1, 3), (2, 2)), arrays((2,), ()),
                arrays((), ()), arrays((0, 2), (3, 2)))),
    linear("slinalg.eigvalsh", slinalg.eigvalsh, _generalised, _two_definite),
)

LINALG = NLINALG + SLINALG
