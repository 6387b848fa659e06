"""Bad input gives NumPy's exception: when building, where the types show it, else when called, with the line."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.linalg

import symgraph as sg
import symgraph.tensor as T
from tests.tensor.common import symbol

rng = np.random.default_rng(0)
S, V, V4 = np.array(1.5), np.arange(3.0), np.arange(4.0)
M, N, Q = rng.normal(size=(3, 4)), rng.normal(size=(4, 3)), rng.normal(size=(3, 3))
C3 = rng.normal(size=(2, 3, 4))
I, J = np.arange(3), np.arange(12).reshape(3, 4)
B = np.array([True, False, True])
Z = np.array([1 + 2j, 2.0, 3.0])
E = np.zeros(0)


@dataclass(frozen=True)
class Bad:
    """One wrong call.

    Attributes
    ----------
    call : callable
        ``(xp, *arrays)``, xp being numpy or `symgraph.tensor`.
    arrays : tuple of array
    late : bool
        Only values show that it is wrong, so it is an error of the call.
    ours : exception type or None
        What we raise where it is another than NumPy's; `why` says why.
    called : exception type or None
        The same for an error of the call, where it is another than when building.
    numpy : callable or None
        NumPy's or SciPy's way to write it, where that differs; it takes the arrays only.
    """

    call: Callable[..., Any]
    arrays: tuple[Any, ...]
    late: bool = False
    ours: type[Exception] | None = None
    called: type[Exception] | None = None
    why: str = ""
    numpy: Callable[..., Any] | None = None


def bad(call: Callable[..., Any], *arrays: Any, **more: Any) -> Bad:
    return Bad(call, arrays, **more)


#: Functions of one tensor and an axis.
ALONG = (
    "sum", "prod", "max", "min", "mean", "var", "std", "all", "any", "argmax", "argmin", "cumsum", "cumprod", "diff",
    "sort", "argsort", "flip", "ptp", "median", "count_nonzero", "squeeze", "expand_dims", "amax", "amin", "average",
    "nansum", "nanmax", "nanmin", "nanmean", "nanprod", "nanargmax", "nanargmin", "nanstd", "nanvar",
)
#: Functions of two tensors that broadcast.
PAIRS = (
    "add", "subtract", "multiply", "true_divide", "floor_divide", "mod", "fmod", "power", "maximum", "minimum",
    "logaddexp",
    "arctan2", "hypot", "less", "greater", "less_equal", "greater_equal", "equal", "not_equal", "logical_and",
    "logical_or", "logical_xor", "copysign", "nextafter", "isclose",
)
#: Functions of bits, which floats have none of to give.
BITS = ("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "gcd", "lcm")
#: Functions of real numbers only.
REALS = ("floor", "ceil", "trunc", "deg2rad", "rad2deg", "cbrt", "signbit")
REAL_PAIRS = ("floor_divide", "mod", "fmod", "arctan2", "hypot", "logaddexp", "copysign", "nextafter")


def has(name: str) -> bool:
    return hasattr(T, name) and hasattr(np, name)


def of(name: str, *more: Any, **options: Any) -> Callable[..., Any]:
    """The call of a function of that name, with further arguments."""
    return lambda xp, *arrays: getattr(xp, name)(*arrays, *more, **options)


CASES: dict[str, Bad] = {
    **{f"{n}, axis 2": bad(of(n, axis=2 if n != "expand_dims" else 4), M) for n in ALONG if has(n)},
    **{f"{n}, axis -3": bad(of(n, axis=-3 if n != "expand_dims" else -5), M) for n in ALONG if has(n)},
    **{f"{n}, axis 1.5": bad(of(n, axis=1.5), M) for n in ALONG if has(n)},
    **{f"{n}, lengths": bad(of(n), V, V4) for n in PAIRS if has(n)},
    **{f"{n}, matrices": bad(of(n), M, N) for n in PAIRS if has(n)},
    **{f"{n} of floats": bad(of(n), V, V) for n in BITS if has(n)},
    **{f"{n}, lengths": bad(of(n), I, J) for n in BITS if has(n)},
    **{f"{n} of complex": bad(of(n), Z) for n in REALS if has(n)},
    **{f"{n} of complex": bad(of(n), Z, Z) for n in REAL_PAIRS if has(n)},
    "invert of floats": bad(of("invert"), V),
    "negative of booleans": bad(of("negative"), B),
    "subtract booleans": bad(of("subtract"), B, B),
    "where, lengths": bad(of("where"), B, V4, V),
    "clip, lengths": bad(of("clip"), V, V4, V4),
    "operator +": bad(lambda xp, a, b: a + b, V, V4),
    "operator @": bad(lambda xp, a, b: a @ b, M, M),
    "operator @, vector": bad(lambda xp, a, b: a @ b, M, V),
    "operator @, scalar": bad(lambda xp, a: a @ 2.0, M),
    "operator <<": bad(lambda xp, a: a << 1, V),
    "operator &": bad(lambda xp, a, b: a & b, V, V),
    "operator ~": bad(lambda xp, a: ~a, V),
    "operator -, booleans": bad(lambda xp, a: -a, B),
    "operator + with text": bad(lambda xp, a: a + "1", V),
    "operator + with None": bad(lambda xp, a: a + None, V),
    "operator < with text": bad(lambda xp, a: a < "1", V),
    "integer too large": bad(lambda xp, a: a + 300, np.arange(3, dtype="int8")),
    "integer negative": bad(lambda xp, a: a + -1, np.arange(3, dtype="uint8")),
    "divmod": bad(lambda xp, a, b: divmod(a, b), V, V4),
    # ---- products
    "dot": bad(of("dot"), M, M),
    "dot, vectors": bad(of("dot"), V, V4),
    "dot, matrix and vector": bad(of("dot"), M, V),
    "dot, ranks 3 and 2": bad(of("dot"), C3, M),
    "matmul": bad(of("matmul"), M, M),
    "matmul of a scalar": bad(of("matmul"), S, M),
    "matmul, batches": bad(of("matmul"), C3, rng.normal(size=(3, 4, 2))),
    "inner": bad(of("inner"), M, N),
    "vdot": bad(of("vdot"), V, V4),
    "tensordot": bad(of("tensordot", axes=1), M, M),
    "tensordot, axes": bad(of("tensordot", axes=[[0], [0, 1]]), M, M),
    "tensordot, axis": bad(of("tensordot", axes=[[2], [0]]), M, M),
    "tensordot, too many": bad(of("tensordot", axes=3), M, M),
    "cross": bad(of("cross"), V4, V4),
    "einsum, lengths": bad(lambda xp, a, b: xp.einsum("ij,jk->ik", a, b), M, M),
    "einsum, ranks": bad(lambda xp, a: xp.einsum("ijk->i", a), M),
    "einsum, letters": bad(lambda xp, a: xp.einsum("ij->k", a), M),
    "einsum, operands": bad(lambda xp, a: xp.einsum("ij,jk", a), M),
    "einsum, twice": bad(lambda xp, a: xp.einsum("ij->ii", a), Q),
    "outer of text": bad(lambda xp, a: xp.outer(a, ["a"]), V),
    # ---- shapes
    "reshape": bad(of("reshape", (5, 5)), M),
    "reshape, rest": bad(of("reshape", (-1, 5)), M),
    "reshape, two rests": bad(of("reshape", (-1, -1)), M),
    "reshape, negative": bad(of("reshape", (-3, -4)), M),
    "reshape to floats": bad(of("reshape", (1.5, 8)), M),
    "reshape, method": bad(lambda xp, a: a.reshape(7), M),
    "transpose": bad(of("transpose", (0,)), M),
    "transpose, twice": bad(of("transpose", (0, 0)), M),
    "transpose, axis": bad(of("transpose", (0, 2)), M),
    "swapaxes": bad(of("swapaxes", 0, 2), M),
    "moveaxis": bad(of("moveaxis", 0, 2), M),
    "moveaxis, lists": bad(of("moveaxis", [0, 1], [0]), M),
    "rollaxis": bad(of("rollaxis", 3), M),
    "squeeze": bad(of("squeeze", 0), M),
    "broadcast_to": bad(of("broadcast_to", (2, 4)), M),
    "broadcast_to, rank": bad(of("broadcast_to", (4,)), M),
    "expand_dims twice": bad(of("expand_dims", (0, 0)), M),
    "flip, axes": bad(of("flip", (0, 0)), M),
    "roll, axis": bad(of("roll", 1, axis=2), M),
    "rot90": bad(of("rot90"), V),
    "rot90, axes": bad(of("rot90", axes=(0, 0)), M),
    "fliplr": bad(of("fliplr"), V),
    "flipud": bad(of("flipud"), S),
    "resize, negative": bad(of("resize", (-1, 2)), M),
    # ---- joining and splitting
    "concatenate": bad(lambda xp, a, b: xp.concatenate([a, b]), M, N),
    "concatenate, ranks": bad(lambda xp, a, b: xp.concatenate([a, b]), M, V),
    "concatenate, axis": bad(lambda xp, a, b: xp.concatenate([a, b], axis=2), M, M),
    "concatenate nothing": bad(lambda xp: xp.concatenate([])),
    "concatenate scalars": bad(lambda xp, a: xp.concatenate([a, a]), S),
    "stack": bad(lambda xp, a, b: xp.stack([a, b]), M, N),
    "stack, axis": bad(lambda xp, a, b: xp.stack([a, b], axis=3), M, M),
    "stack nothing": bad(lambda xp: xp.stack([])),
    "vstack": bad(lambda xp, a, b: xp.vstack([a, b]), V, V4),
    "hstack": bad(lambda xp, a, b: xp.hstack([a, b]), M, N),
    "dstack": bad(lambda xp, a, b: xp.dstack([a, b]), V, V4),
    "column_stack": bad(lambda xp, a, b: xp.column_stack([a, b]), V, V4),
    "array_split, 0": bad(of("array_split", 0), V),
    "hsplit": bad(of("hsplit", 3), M),
    "vsplit": bad(of("vsplit", 2), M),
    "vsplit of a vector": bad(of("vsplit", 1), V),
    "dsplit": bad(of("dsplit", 2), M),
    "append, axis": bad(lambda xp, a, b: xp.append(a, b, axis=0), M, N),
    "insert": bad(of("insert", 7, 1.0), V),
    "delete": bad(of("delete", 7), V),
    "repeat, negative": bad(of("repeat", -1), V),
    "repeat, counts": bad(of("repeat", [1, 2]), V),
    "repeat, axis": bad(of("repeat", 2, axis=1), V),
    "repeat, floats": bad(of("repeat", 1.5), V, ours=TypeError, why="NumPy takes 1 for 1.5"),
    "tile, negative": bad(of("tile", -1), V),
    "tile, floats": bad(of("tile", 1.5), V),
    "pad, negative": bad(of("pad", -1), V),
    "pad, mode": bad(of("pad", 1, mode="wild"), V),
    "pad, widths": bad(of("pad", [(1, 1), (1, 1), (1, 1)]), M),
    # ---- indexing
    "index": bad(lambda xp, a: a[3], V),
    "index, negative": bad(lambda xp, a: a[-4], V),
    "index, second axis": bad(lambda xp, a: a[0, 4], M),
    "too many indices": bad(lambda xp, a: a[0, 0], V),
    "too many, slices": bad(lambda xp, a: a[:, :, :], M),
    "index of a scalar": bad(lambda xp, a: a[0], S),
    "index, float": bad(lambda xp, a: a[1.5], V),
    "index, text": bad(lambda xp, a: a["x"], V),
    "index, two ellipses": bad(lambda xp, a: a[..., ...], M),
    "index, slice of floats": bad(lambda xp, a: a[0.5:2], V),
    "index, step 0": bad(lambda xp, a: a[::0], V),
    "index array of floats": bad(lambda xp, a, i: a[i], V, np.array([0.0, 1.0])),
    "index array out of range": bad(lambda xp, a, i: a[i], V, np.array([0, 3]), late=True),
    "index array, negative": bad(lambda xp, a, i: a[i], V, np.array([0, -4]), late=True),
    "index list out of range": bad(lambda xp, a: a[[0, 3]], V),
    "index arrays": bad(lambda xp, a, i, j: a[i, j], M, np.arange(2), np.arange(3)),
    "scalar index out of range": bad(lambda xp, a, i: a[i], V, np.array(5), late=True),
    "mask": bad(lambda xp, a, m: a[m], V, np.array([True, False])),
    "mask of a matrix": bad(lambda xp, a, m: a[m], M, np.ones((4, 3), bool)),
    "mask, rank": bad(lambda xp, a, m: a[m], V, np.ones((3, 4), bool)),
    "take": bad(of("take"), V, np.array([0, 3]), late=True),
    "take, axis": bad(of("take", axis=1), V, np.array([0])),
    "take of floats": bad(of("take"), V, np.array([0.0])),
    "take, mode": bad(of("take", mode="wild"), V, np.array([0])),
    "take_along_axis, rank": bad(of("take_along_axis", axis=0), M, np.array([0])),
    "take_along_axis, floats": bad(of("take_along_axis", axis=0), M, np.zeros((1, 4))),
    "take_along_axis, axis": bad(of("take_along_axis", axis=2), M, np.zeros((1, 4), int)),
    "take_along_axis, range": bad(of("take_along_axis", axis=0), M, np.full((1, 4), 3), late=True),
    "compress, range": bad(lambda xp, c, a: xp.compress(c, a), np.array([False, False, False, True]), V, late=True),
    "compress, rank": bad(lambda xp, c, a: xp.compress(c, a), np.ones((2, 2), bool), V),
    "choose, range": bad(lambda xp, i, a, b: xp.choose(i, [a, b]), np.array([0, 1, 2]), V, V, late=True,
                         ours=IndexError, why="it is an index into the choices"),
    "choose, floats": bad(lambda xp, i, a, b: xp.choose(i, [a, b]), V, V, V),
    "unravel_index, range": bad(of("unravel_index", (2, 2)), np.array([4]), late=True),
    "unravel_index, floats": bad(of("unravel_index", (2, 2)), V),
    "ravel_multi_index": bad(lambda xp, i, j: xp.ravel_multi_index((i, j), (2, 2)), np.array([2]), np.array([0]),
                             late=True),
    "nonzero of a scalar": bad(of("nonzero"), S),
    "diagonal of a vector": bad(of("diagonal"), V),
    "diagonal, axes": bad(of("diagonal", 0, 0, 0), M),
    "diagonal, axis": bad(of("diagonal", 0, 0, 2), M),
    "trace of a vector": bad(of("trace"), V),
    "diag of rank 3": bad(of("diag"), C3),
    "diag of a scalar": bad(of("diag"), S),
    "tril of a scalar": bad(of("tril"), S),
    "triu of a scalar": bad(of("triu"), S),
    # ---- reductions, sorting, counting
    "max of nothing": bad(of("max"), E),
    "min of nothing": bad(of("min"), E),
    "argmax of nothing": bad(of("argmax"), E),
    "argmin of nothing": bad(of("argmin"), E),
    "max of an empty axis": bad(of("max", axis=0), np.zeros((0, 3))),
    "argmin of an empty axis": bad(of("argmin", axis=0), np.zeros((0, 3))),
    "sum, axis twice": bad(of("sum", axis=(0, 0)), M),
    "sum, axis twice, negative": bad(of("sum", axis=(1, -1)), M),
    "max, axis twice": bad(of("max", axis=(0, -2)), M),
    "sum, dtype": bad(of("sum", dtype="wild"), M),
    "argmax of axes": bad(of("argmax", axis=(0, 1)), M),
    "average, lengths": bad(lambda xp, a, w: xp.average(a, weights=w), V, V4, called=ValueError,
                            why="when running it is one multiplication among others"),
    "average, axis": bad(lambda xp, a, w: xp.average(a, weights=w), M, V),
    "diff, negative": bad(of("diff", -1), V),
    "diff of a scalar": bad(of("diff"), S),
    "sort of a scalar, axis": bad(of("sort", axis=1), V),
    "searchsorted of a matrix": bad(of("searchsorted"), M, V),
    "searchsorted, side": bad(of("searchsorted", side="wild"), V, V),
    "bincount of floats": bad(of("bincount"), V),
    "bincount of a matrix": bad(of("bincount"), J),
    "bincount, negative": bad(of("bincount"), np.array([-1, 2]), late=True),
    "bincount, weights": bad(lambda xp, a, w: xp.bincount(a, weights=w), I, V4),
    "percentile": bad(of("percentile", 101), V),
    "quantile": bad(of("quantile", 1.5), V),
    "digitize of a matrix": bad(of("digitize"), V, M),
    "interp": bad(of("interp"), V, V, V4),
    "histogram, bins": bad(of("histogram", bins=0), V),
    "convolve of a matrix": bad(of("convolve"), M, V),
    "convolve of nothing": bad(of("convolve"), V, E),
    "convolve, mode": bad(of("convolve", mode="wild"), V, V),
    "cov of rank 3": bad(of("cov"), C3),
    "polyval of text": bad(lambda xp, a: xp.polyval(["a"], a), V),
    "vander of a matrix": bad(of("vander"), M),
    "trapezoid": bad(lambda xp, a, b: xp.trapezoid(a, b), V, V4),
    # ---- making
    "zeros, negative": bad(lambda xp: xp.zeros((-1, 2))),
    "ones, negative": bad(lambda xp: xp.ones(-2)),
    "full, lengths": bad(lambda xp, a: xp.full((2, 2), a), V),
    "zeros, floats": bad(lambda xp: xp.zeros((1.5, 2))),
    "zeros, dtype": bad(lambda xp: xp.zeros(3, dtype="wild")),
    "eye, negative": bad(lambda xp: xp.eye(-1)),
    "eye, floats": bad(lambda xp: xp.eye(1.5)),
    "arange, step 0": bad(lambda xp: xp.arange(0, 3, 0)),
    "arange of text": bad(lambda xp: xp.arange("a", 3)),
    "linspace, negative": bad(lambda xp: xp.linspace(0, 1, -1)),
    "astype": bad(lambda xp, a: a.astype("wild"), V),
    "ogrid by text": bad(lambda xp, a: xp.meshgrid(a, a, indexing="wild"), V),
}


#: Functions of linear algebra, NumPy's and SciPy's spelling beside ours.
LINALG: dict[str, Bad] = {
    name: Bad(ours, arrays, numpy=theirs, **more)  # type: ignore[arg-type]
    for name, ours, theirs, arrays, more in (
        ("inv", lambda xp, a: T.nlinalg.matrix_inverse(a), np.linalg.inv, (M,), {}),
        ("inv of a vector", lambda xp, a: T.nlinalg.matrix_inverse(a), np.linalg.inv, (V,), {}),
        ("inv, singular", lambda xp, a: T.nlinalg.matrix_inverse(a), np.linalg.inv, (np.ones((3, 3)),), {"late": True}),
        ("det", lambda xp, a: T.nlinalg.det(a), np.linalg.det, (M,), {}),
        ("det of a vector", lambda xp, a: T.nlinalg.det(a), np.linalg.det, (V,), {}),
        ("slogdet", lambda xp, a: T.nlinalg.slogdet(a), np.linalg.slogdet, (M,), {}),
        ("eig", lambda xp, a: T.nlinalg.eig(a), np.linalg.eig, (M,), {}),
        ("eigh", lambda xp, a: T.nlinalg.eigh(a), np.linalg.eigh, (M,), {}),
        ("svd of a vector", lambda xp, a: T.nlinalg.svd(a), np.linalg.svd, (V,), {}),
        ("qr of a vector", lambda xp, a: T.nlinalg.qr(a), np.linalg.qr, (V,), {}),
        ("pinv of a vector", lambda xp, a: T.nlinalg.pinv(a), np.linalg.pinv, (V,), {}),
        ("matrix_power", lambda xp, a: T.nlinalg.matrix_power(a, 2), lambda a: np.linalg.matrix_power(a, 2), (M,), {}),
        ("matrix_power, float", lambda xp, a: T.nlinalg.matrix_power(a, 1.5),
         lambda a: np.linalg.matrix_power(a, 1.5), (Q,), {}),
        ("cholesky", lambda xp, a: T.slinalg.cholesky(a), np.linalg.cholesky, (M,), {}),
        ("cholesky, indefinite", lambda xp, a: T.slinalg.cholesky(a), np.linalg.cholesky, (-np.eye(3),),
         {"late": True}),
        ("solve", lambda xp, a, b: T.slinalg.solve(a, b), np.linalg.solve, (M, V), {}),
        ("solve, lengths", lambda xp, a, b: T.slinalg.solve(a, b), np.linalg.solve, (Q, V4), {}),
        ("solve, singular", lambda xp, a, b: T.slinalg.solve(a, b), np.linalg.solve, (np.zeros((3, 3)), V),
         {"late": True}),
        ("solve_triangular", lambda xp, a, b: T.slinalg.solve_triangular(a, b), scipy.linalg.solve_triangular,
         (M, V), {}),
        ("solve_triangular, lengths", lambda xp, a, b: T.slinalg.solve_triangular(a, b),
         scipy.linalg.solve_triangular, (Q, V4), {}),
        ("expm", lambda xp, a: T.slinalg.expm(a), scipy.linalg.expm, (M,), {}),
        ("lstsq", lambda xp, a, b: T.nlinalg.lstsq(a, b), np.linalg.lstsq, (M, V4), {}),
        ("norm, order", lambda xp, a: T.nlinalg.norm(a, "wild"), lambda a: np.linalg.norm(a, "wild"), (M,), {}),
        ("norm over axes, order", lambda xp, a: T.norm(a, "wild"), lambda a: np.linalg.norm(a, "wild"), (M,), {}),
        ("norm of a vector, order", lambda xp, a: T.nlinalg.norm(a, "nuc"), lambda a: np.linalg.norm(a, "nuc"),
         (V,), {}),
        ("norm, axis", lambda xp, a: T.nlinalg.norm(a, axis=2), lambda a: np.linalg.norm(a, axis=2), (M,), {}),
        ("norm, three axes", lambda xp, a: T.nlinalg.norm(a, axis=(0, 1, 2)),
         lambda a: np.linalg.norm(a, axis=(0, 1, 2)), (C3,), {}),
        ("tensorsolve", lambda xp, a, b: T.nlinalg.tensorsolve(a, b), np.linalg.tensorsolve, (M, V), {}),
        ("tensorinv", lambda xp, a: T.nlinalg.tensorinv(a), np.linalg.tensorinv, (M,), {}),
        ("eigvalsh", lambda xp, a: T.slinalg.eigvalsh(a, None), np.linalg.eigvalsh, (M,), {}),
    )
}
TABLE = {**CASES, **LINALG}


def theirs(row: Bad) -> type[BaseException]:
    """The exception NumPy raises."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            row.numpy(*row.arrays) if row.numpy else row.call(np, *row.arrays)
        except Exception as error:
            public = ("builtins", "numpy.exceptions", "numpy.linalg")  # UFuncTypeError, a TypeError, is private
            return next(kind for kind in type(error).__mro__ if kind.__module__ in public)
    return type(None)


def shown(error: BaseException) -> str:
    """The whole message: what went wrong, and the notes that say where."""
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


def build(row: Bad, inputs: Any) -> Any:
    return row.call(T, *inputs)


def run(row: Bad, inputs: Any) -> None:
    """Build, compile and call."""
    out = build(row, inputs)
    f = sg.function(inputs, list(out) if isinstance(out, (list, tuple)) else out, on_unused_input="ignore")
    with np.errstate(all="ignore"):
        f(*row.arrays)


@pytest.mark.parametrize("name", TABLE)
def test_where_the_types_show_it(name: str) -> None:
    """All lengths known: refused when building, with NumPy's exception (or one more special)."""
    row = TABLE[name]
    inputs = [symbol(a, static=True) for a in row.arrays]
    attempt = run if row.late else build
    with pytest.raises(row.ours or theirs(row)) as caught:
        attempt(row, inputs)
    assert str(caught.value)
    assert len(shown(caught.value).splitlines()) <= 12


@pytest.mark.parametrize("name", TABLE)
def test_where_only_the_call_shows_it(name: str) -> None:
    """Lengths not known: refused at the latest when called, naming the line where it was built."""
    row = TABLE[name]
    inputs = [symbol(a) for a in row.arrays]
    with pytest.raises(row.called or row.ours or theirs(row)) as caught:
        run(row, inputs)
    assert len(shown(caught.value).splitlines()) <= 12
    tells_line = "test_bad_input.py" in shown(caught.value)
    assert tells_line or any(entry.name == "<lambda>" for entry in caught.traceback)  # raised while building


def test_exceptions_other_than_numpy_s_have_a_reason() -> None:
    for name, row in TABLE.items():
        assert bool(row.ours or row.called) == bool(row.why), name
        if row.ours:
            assert not issubclass(row.ours, theirs(row)), f"{name}: NumPy's exception by now"


#: Python's own protocols on a symbol, and what the message must tell to write instead.
TRAPS: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "bool": (lambda x: bool(x), TypeError, r"T\.switch"),
    "if ==": (lambda x: 1 if x > 1 else 2, TypeError, r"T\.switch"),
    "and": (lambda x: (x > 0) and (x < 1), TypeError, r"& and \|"),
    "or": (lambda x: (x > 0) or (x < 1), TypeError, r"& and \|"),
    "not": (lambda x: not x, TypeError, r"T\.switch"),
    "chained": (lambda x: 0 < x < 1, TypeError, r"& and \|"),
    "filter": (lambda x: [None for v in [x] if v], TypeError, r"T\.switch"),
    "len": (len, TypeError, r"x\.shape\[0\]"),
    "list": (list, TypeError, "scan"),
    "iteration": (lambda x: [2 * v for v in x], TypeError, "scan"),
    "unpacking": (lambda x: (lambda a, b: a)(*x), TypeError, "scan"),
    "in": (lambda x: 1.0 in x, TypeError, r"T\.any\(T\.eq"),
    "max": (max, TypeError, "scan"),
    "sum": (sum, TypeError, "scan"),
    "assignment": (lambda x: x.__setitem__(0, 1), TypeError, r"T\.set_subtensor"),
    "assignment in place": (lambda x: x.__setitem__(slice(2), x[:2] + 1), TypeError, r"T\.set_subtensor"),
    "deletion": (lambda x: x.__delitem__(0), TypeError, r"T\.delete|T\.concatenate"),
    "float": (float, TypeError, r"T\.cast|\.eval"),
    "int": (int, TypeError, r"T\.cast|\.eval"),
    "complex": (complex, TypeError, r"T\.cast|\.eval"),
    "range": (range, TypeError, r"T\.arange|integer"),
    "list index": (lambda x: [1, 2, 3][x], TypeError, "integer"),
    "array": (np.asarray, TypeError, r"\.eval"),
    "numpy function of a list": (lambda x: np.array([x, x]), TypeError, r"\.eval|T\.stack|length"),
    "setting a shape": (lambda x: setattr(x, "shape", (2, 2)), AttributeError, "shape"),
    "setting a dtype": (lambda x: setattr(x, "dtype", "int8"), AttributeError, "dtype"),
    "call": (lambda x: x(1), TypeError, "not callable"),
}


@pytest.mark.parametrize("name", TRAPS)
def test_what_python_would_do_with_a_value_says_what_to_write(name: str) -> None:
    trap, kind, advice = TRAPS[name]
    with pytest.raises(kind, match=advice) as caught:
        trap(T.dvector("x"))
    assert len(str(caught.value).splitlines()) <= 12


def test_whether_a_shared_variable_was_given_is_asked_by_its_truth() -> None:
    """``if W`` is how Theano's programs ask that; of what has no value yet it would be a mistake."""
    assert all(bool(sg.shared(value)) for value in (np.zeros(3), 0.0, 0))


def test_a_forgotten_argument_is_counted() -> None:
    with pytest.raises(TypeError, match="switch takes 3 arguments, not 2"):
        T.switch(T.dvector("x") > 0, 1)


def test_floats_as_indices_say_how_to_make_them_integers() -> None:
    y = T.dvector("y")
    with pytest.raises(IndexError, match=r"float64\[\?\]: y\. .*T\.cast\(y, 'int64'\)"):
        T.dmatrix("p")[T.arange(3), y]


def test_variables_are_compared_and_hashed_as_themselves() -> None:
    """``==`` says whether two names mean one variable: expressions can be keys of a dict."""
    x, y = T.dvectors("x", "y")
    assert (x == x) is True
    assert (x == y) is False
    assert (x != y) is True
    assert {x: 1, y: 2}[x] == 1
    assert x in [y, x]
