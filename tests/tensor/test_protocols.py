"""NumPy's functions and ufuncs called on symbolic tensors: the same values as called on arrays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor.protocols import FUNCTIONS, _ours, ufunc_functions
from tests.tensor import numpy_calls

M = np.array([[0.5, -1.5, 2.0], [3.25, 0.0, -2.0]])
N = np.array([[1.0, 2.0, -0.5], [0.25, -3.0, 1.0]])
S = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.25], [0.5, 0.25, 2.0]])
V = np.array([3.0, -1.0, 2.0, 0.5])
E = np.array([[np.nan, 1.0, -np.inf], [2.0, np.nan, np.inf]])
I = np.array([[3, -1, 2], [0, 5, 1]])
C = np.array([[1 + 2j, -1j], [3.0, 0.5 - 1j]])
D = np.arange(24.0).reshape(2, 3, 4)
U = np.array([2, 0, 1, 1, 2])

#: NumPy's name, and calls of it: the function and then the tensors.
CALLS: dict[str, list[tuple[Callable[..., Any], tuple[Any, ...]]]] = {
    "sum": [(lambda a: np.sum(a, 1), (M,)), (lambda a: np.sum(a, axis=(0, 1), keepdims=True), (M,)),
            (lambda a: np.sum(a, dtype="int8"), (I,)), (lambda a: np.sum(a, where=True, out=None), (M,))],
    "prod": [(lambda a: np.prod(a, axis=0), (M,))],
    "mean": [(lambda a: np.mean(a, axis=0), (M,)), (lambda a: np.mean(a), (I,))],
    "var": [(lambda a: np.var(a, axis=1, ddof=1), (M,)), (lambda a: np.var(a, correction=1), (M,))],
    "std": [(lambda a: np.std(a, 0, keepdims=True), (M,))],
    "max": [(lambda a: np.max(a, 0), (M,))], "min": [(lambda a: np.min(a, axis=(1,)), (M,))],
    "amax": [(lambda a: np.amax(a), (M,))], "amin": [(lambda a: np.amin(a, keepdims=True), (M,))],
    "all": [(lambda a: np.all(a, axis=0), (M,))], "any": [(lambda a: np.any(a), (I,))],
    "argmax": [(lambda a: np.argmax(a, axis=1), (M,)), (lambda a: np.argmax(a), (M,))],
    "argmin": [(lambda a: np.argmin(a, axis=0, keepdims=True), (M,))],
    "ptp": [(lambda a: np.ptp(a, axis=1), (M,))],
    "cumsum": [(lambda a: np.cumsum(a, 1), (M,)), (lambda a: np.cumsum(a), (M,))],
    "cumprod": [(lambda a: np.cumprod(a, axis=0), (M,))],
    "diff": [(lambda a: np.diff(a), (M,)), (lambda a: np.diff(a, n=2, axis=1), (M,))],
    "dot": [(np.dot, (M, S)), (np.dot, (S, M.T))], "inner": [(np.inner, (M, N))], "outer": [(np.outer, (M, V))],
    "tensordot": [(lambda a, b: np.tensordot(a, b, axes=([1], [1])), (M, N))],
    "kron": [(np.kron, (M, N))],
    "einsum": [(lambda a, b: np.einsum("ij,kj->ik", a, b), (M, N))],
    "trace": [(lambda a: np.trace(a, offset=1), (S,))],
    "shape": [(lambda a: T.as_tensor_variable(np.shape(a)), (M,))],
    "ndim": [(lambda a: T.as_tensor_variable(np.ndim(a)), (D,))],
    "size": [(lambda a: np.size(a) + 0, (D,)), (lambda a: np.size(a, 1) + 0, (D,))],
    "reshape": [(lambda a: np.reshape(a, (3, -1)), (M,)), (lambda a: np.reshape(a, shape=6, order="C"), (M,))],
    "ravel": [(np.ravel, (M,))], "transpose": [(np.transpose, (D,)), (lambda a: np.transpose(a, (1, 0, 2)), (D,))],
    "permute_dims": [(lambda a: np.permute_dims(a, axes=(2, 0, 1)), (D,))],
    "matrix_transpose": [(np.matrix_transpose, (D,)), (np.linalg.matrix_transpose, (D,))],
    "swapaxes": [(lambda a: np.swapaxes(a, 0, -1), (D,))], "moveaxis": [(lambda a: np.moveaxis(a, 0, -1), (D,))],
    "squeeze": [(lambda a: np.squeeze(a, axis=1), (M[:, :1],))],
    "expand_dims": [(lambda a: np.expand_dims(a, (0, -1)), (M,))],
    "atleast_1d": [(np.atleast_1d, (M,))], "atleast_2d": [(lambda a, b: np.atleast_2d(a, b)[0], (V, M))],
    "atleast_3d": [(np.atleast_3d, (V,)), (np.atleast_3d, (M,)), (np.atleast_3d, (D,)), (np.atleast_3d, (V[0],))],
    "broadcast_to": [(lambda a: np.broadcast_to(a, (3, 4)), (V,))],
    "repeat": [(lambda a: np.repeat(a, 2, axis=0), (M,))], "tile": [(lambda a: np.tile(a, (2, 1)), (M,))],
    "roll": [(lambda a: np.roll(a, 1, axis=-1), (M,))], "flip": [(lambda a: np.flip(a, axis=0), (M,))],
    "concatenate": [(lambda a, b: np.concatenate((a, b), axis=1), (M, N)), (lambda a: np.concat([a, N]), (M,)),
                    (lambda a: np.concatenate([N, a, I]), (M,))],
    "stack": [(lambda a, b: np.stack([a, b], axis=-1), (M, N))],
    "unstack": [(lambda a: np.unstack(T.specify_shape(a, (2, 3)) if isinstance(a, T.Variable) else a)[1], (M,))],
    "where": [(lambda a, b: np.where(a > 0, a, b), (M, N)), (lambda a: np.where(a)[1], (M,)),
              (lambda a: np.where(a > 0, a, 0), (M,))],
    "take": [(lambda a: np.take(a, [2, 0], axis=1), (M,)), (lambda a: np.take(a, 7, mode="wrap"), (M,))],
    "take_along_axis": [(lambda a, i: np.take_along_axis(a, i, axis=1), (M, np.array([[2], [0]])))],
    "extract": [(lambda a: np.extract(a > 0, a), (M,))],
    "nonzero": [(lambda a: np.nonzero(a)[0], (M,))], "diagonal": [(lambda a: np.diagonal(a, 1), (S,))],
    "diag": [(np.diag, (V,)), (np.diag, (S,))],
    "tril": [(lambda a: np.tril(a, -1), (S,))], "triu": [(lambda a: np.triu(a, k=1), (S,))],
    "sort": [(np.sort, (M,)), (lambda a: np.sort(a, axis=0), (M,))],
    "argsort": [(lambda a: np.argsort(a, axis=1), (M,))],
    "pad": [(lambda a: np.pad(a, 1), (M,)), (lambda a: np.pad(a, ((1, 0), (0, 2)), constant_values=5), (M,))],
    "meshgrid": [(lambda a, b: np.meshgrid(a, b)[0], (V, U)),
                 (lambda a, b: np.meshgrid(a, b, indexing="ij")[1], (V, U))],
    "compress": [(lambda a: np.compress([True, False], a, axis=0), (M,))],
    "choose": [(lambda i, a: np.choose(i, [a, a + 1, a * 2]), (U, np.arange(5.0)))],
    "searchsorted": [(lambda a, v: np.searchsorted(a, v, side="right"), (np.sort(V), V))],
    "unique": [(np.unique, (U,)), (lambda a: np.unique(a, return_counts=True)[1], (U,))],
    "bincount": [(np.bincount, (U,)), (lambda a: np.bincount(a, minlength=7), (U,))],
    "ravel_multi_index": [(lambda a: np.ravel_multi_index((a, a), (4, 5)), (U,))],
    "unravel_index": [(lambda a: np.unravel_index(a, (2, 3))[1], (U,)),
                      (lambda a: np.unravel_index(a, shape=(2, 3))[0], (U,))],
    "linspace": [(lambda a: np.linspace(a, 3.0, num=5), (V[0],))],
    "sinc": [(np.sinc, (M,))], "i0": [(np.i0, (M,))],
    "vstack": [(lambda a, b: np.vstack([a, b]), (M, N))], "hstack": [(lambda a, b: np.hstack((a, b)), (M, N))],
    "dstack": [(lambda a, b: np.dstack((a, b)), (M, N))], "column_stack": [(lambda a: np.column_stack((a, a)), (V,))],
    "append": [(lambda a: np.append(a, [1.0, 2.0]), (M,)), (lambda a, b: np.append(a, b, axis=0), (M, N))],
    "split": [(lambda a: np.split(a, 2)[1], (V,)), (lambda a: np.split(a, [1, 2], axis=1)[2], (M,))],
    "array_split": [(lambda a: np.array_split(a, 3)[0], (V,))], "hsplit": [(lambda a: np.hsplit(a, 3)[1], (M,))],
    "vsplit": [(lambda a: np.vsplit(a, 2)[1], (M,))], "dsplit": [(lambda a: np.dsplit(a, 2)[1], (D,))],
    "broadcast_arrays": [(lambda a: np.broadcast_arrays(a, N)[0], (M[:1],))],
    "fliplr": [(np.fliplr, (M,))], "flipud": [(np.flipud, (M,))],
    "count_nonzero": [(lambda a: np.count_nonzero(a, axis=1), (M,))], "vdot": [(np.vdot, (C, C))],
    "average": [(np.average, (M,)), (lambda a: np.average(a, axis=1, weights=[1.0, 2.0, 0.5]), (M,))],
    "select": [(lambda a: np.select([a > 1, a > 0], [a, -a], default=9.0), (M,))],
    "flatnonzero": [(np.flatnonzero, (M,))], "argwhere": [(np.argwhere, (M,))],
    "isposinf": [(np.isposinf, (E,))], "isneginf": [(np.isneginf, (E,))],
    "nan_to_num": [(np.nan_to_num, (E,)), (lambda a: np.nan_to_num(a, nan=1.0, posinf=2.0), (E,))],
    "zeros_like": [(np.zeros_like, (I,)), (lambda a: np.zeros_like(a, dtype="float32"), (I,))],
    "ones_like": [(np.ones_like, (M,))], "full_like": [(lambda a: np.full_like(a, 7), (M,))],
    "empty_like": [(lambda a: np.empty_like(a) * 0, (M,))],
    "copy": [(np.copy, (M,))], "astype": [(lambda a: np.astype(a, "float32"), (M,))],
    "clip": [(lambda a: np.clip(a, -1, 1), (M,)), (lambda a: np.clip(a, None, 1.0), (M,)),
             (lambda a: np.clip(a, a_min=0, a_max=None), (M,)), (lambda a: np.clip(a, min=0, max=1), (M,))],
    "round": [(np.round, (M,)), (lambda a: np.round(a, 1), (M * 1.27,)), (lambda a: np.round(a, -1), (M * 10,)),
              (lambda a: np.round(a, 2), (I,))],
    "around": [(lambda a: np.around(a, decimals=2), (M * 1.2345,))], "fix": [(np.fix, (M * 1.3,))],
    "real": [(np.real, (C,)), (np.real, (M,))], "imag": [(np.imag, (C,)), (np.imag, (M,))],
    "angle": [(np.angle, (C,)), (lambda a: np.angle(a, deg=True), (C,))],
    "isreal": [(np.isreal, (C,)), (np.isreal, (M,))], "iscomplex": [(np.iscomplex, (C,))],
    "iscomplexobj": [(lambda a: T.as_tensor_variable(np.iscomplexobj(a)), (C,))],
    "isrealobj": [(lambda a: T.as_tensor_variable(np.isrealobj(a)), (C,))],
    "isclose": [(lambda a, b: np.isclose(a, b, atol=2.0), (M, N))],
    "allclose": [(lambda a: T.as_tensor_variable(np.allclose(a, a)), (M,))],
    "result_type": [(lambda a: T.zeros((), np.result_type(a, "float32")), (I,))],
    "linalg.norm": [(np.linalg.norm, (V,)), (np.linalg.norm, (M,)), (lambda a: np.linalg.norm(a, "fro"), (M,)),
                    (lambda a: np.linalg.norm(a, 1, axis=0, keepdims=True), (M,)), (np.linalg.norm, (D,)),
                    (lambda a: np.linalg.norm(a, axis=(0, 1)), (D,))],
    "linalg.multi_dot": [(lambda a, b, c: np.linalg.multi_dot([a, b, c]), (M, S, N.T))],
    "linalg.outer": [(np.linalg.outer, (V, V))], "linalg.matmul": [(np.linalg.matmul, (M, S))],
    "linalg.tensordot": [(lambda a, b: np.linalg.tensordot(a, b, axes=1), (M, S))],
    "linalg.diagonal": [(np.linalg.diagonal, (D,))], "linalg.trace": [(np.linalg.trace, (D,))],
    "linalg.matrix_transpose": [(np.linalg.matrix_transpose, (D,))],
    "linalg.det": [(np.linalg.det, (S,))], "linalg.inv": [(np.linalg.inv, (S,))],
    "linalg.slogdet": [(lambda a: np.linalg.slogdet(a)[1], (S,))], "linalg.pinv": [(np.linalg.pinv, (M,))],
    "linalg.cholesky": [(np.linalg.cholesky, (S,))], "linalg.solve": [(np.linalg.solve, (S, N.T))],
    "linalg.matrix_power": [(lambda a: np.linalg.matrix_power(a, 3), (S,))],
    "linalg.eigh": [(lambda a: np.linalg.eigh(a)[0], (S,))],
    "linalg.svd": [(lambda a: np.linalg.svd(a, full_matrices=False)[1], (S,))],
    "linalg.eig": [(lambda a: np.sort(np.real(np.linalg.eig(a)[0])), (S,))],
    "linalg.qr": [(lambda a: np.abs(np.linalg.qr(a)[1]), (S,))],
}


CALLS |= numpy_calls.CALLS


def _check(call: Callable[..., Any], values: tuple[Any, ...]) -> None:
    inputs = [T.TensorType(v.dtype, [1 if n == 1 else None for n in v.shape])() for v in map(np.asarray, values)]
    built = call(*inputs)
    found = T.as_tensor_variable(built)
    compiled = sg.function(inputs, found, on_unused_input="ignore")
    with np.errstate(all="ignore"):
        got = compiled(*values)
        want = call(*values)
    want = np.asarray(want.eval() if isinstance(want, T.Variable) else want)
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_gives_what_it_gives_on_arrays(name: str) -> None:
    assert _ours(FUNCTIONS[name][0]) is not None
    for call, values in CALLS[name]:
        _check(call, values)


def test_calls_are_of_known_names() -> None:
    assert set(CALLS) <= set(FUNCTIONS)


UNARY = {np.arccosh: (1.5, 2.0, 3.0), np.arctanh: (0.5, -0.2, 0.0), np.arcsin: (0.5, -0.2, 0.0),
         np.arccos: (0.5, -0.2, 0.0), np.log: (0.5, 2.0, 3.0), np.log2: (0.5, 2.0, 3.0), np.log10: (0.5, 2.0, 3.0),
         np.log1p: (0.5, 2.0, 3.0), np.sqrt: (0.5, 2.0, 3.0)}
INTEGER = {np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift, np.right_shift, np.gcd,
           np.lcm, np.bitwise_count}


@pytest.mark.parametrize("ufunc", ufunc_functions(), ids=lambda f: f.__name__)
def test_a_ufunc_gives_what_it_gives_on_arrays(ufunc: Any) -> None:
    a = np.array([6, 4, 3]) if ufunc in INTEGER else np.array(UNARY.get(ufunc, (0.5, 1.25, 3.0)))
    if ufunc.nin == 1:
        _check(ufunc, (a,))
        return
    b = np.array([1, 2, 4]) if ufunc in INTEGER or ufunc is np.ldexp else np.array([2.0, 1.25, 0.5])
    _check(ufunc, (a, b))
    _check(lambda x: ufunc(x, b), (a,))
    if ufunc is not np.ldexp:
        _check(lambda x: ufunc(b, x), (a,))
    _check(lambda x: ufunc(x, 2), (a,))
    _check(lambda x: ufunc.outer(x, b), (a,))


@pytest.mark.parametrize(
    ("ufunc", "values"),
    [(np.matmul, (M, S)), (np.vecdot, (M, N)), (np.matvec, (S, M)), (np.vecmat, (M[0], S)), (np.positive, (M,)),
     (np.fabs, (I,)), (np.float_power, (I + 2, I)), (np.fmax, (E, M)), (np.fmin, (M, E)), (np.degrees, (M,)),
     (np.logaddexp2, (M, N)), (np.logaddexp2, (np.array([np.inf, -np.inf]),) * 2), (lambda a: np.divmod(a, 2)[1], (I,)),
     (scipy.special.erf, (M,)), (scipy.special.expit, (M,)), (scipy.special.gammaln, (np.abs(M) + 1,)),
     (scipy.special.psi, (np.abs(M) + 1,))],
    ids=lambda f: getattr(f, "__name__", ""),
)
def test_other_ufuncs(ufunc: Any, values: Any) -> None:
    _check(ufunc, values)


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.minimum, np.logical_and, np.logical_or])
def test_reduce(ufunc: Any) -> None:
    _check(lambda a: ufunc.reduce(a), (M,))
    _check(lambda a: ufunc.reduce(a, axis=1), (M,))
    _check(lambda a: ufunc.reduce(a, axis=None, keepdims=True), (M,))


def test_accumulate() -> None:
    for ufunc in (np.add, np.multiply):
        _check(lambda a, u=ufunc: u.accumulate(a), (M,))
        _check(lambda a, u=ufunc: u.accumulate(a, axis=1), (M,))


def test_scalars_beside_tensors_are_weak_and_arrays_are_not() -> None:
    x = T.fvector("x")
    assert np.add(x, 1.5).dtype == np.multiply(2, x).dtype == np.maximum(x, 0).dtype == "float32"
    assert np.clip(x, 0.0, 1.0).dtype == np.where(x > 0, x, 0.0).dtype == "float32"
    assert np.add(x, np.ones(3)).dtype == (np.ones(3) * x).dtype == (np.float64(2) * x).dtype == "float64"
    assert (np.ones(3, "float32") - x).dtype == (np.float32(1) / x).dtype == "float32"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: np.sum(x, out=np.zeros(3)), r"np\.sum.*out=ndarray: use what the call returns"),
        (lambda x: np.add(x, 1, out=np.zeros((2, 3))), r"np\.add.*out="),
        (lambda x: np.zeros((2, 3)).__iadd__(x), r"np\.add.*out="),
        (lambda x: np.exp(x, where=np.ones((2, 3), bool)), r"np\.exp.*where=ndarray: .*T\.switch"),
        (lambda x: np.exp(x, dtype="float32"), r"np\.exp.*dtype=float32: .*T\.cast"),
        (lambda x: np.sum(x, initial=3.0), r"np\.sum.*initial=3\.0"),
        (lambda x: np.ravel(x, order="F"), r"np\.ravel.*order=F"),
        (lambda x: np.subtract.reduce(x), r"np\.subtract\.reduce has no counterpart"),
        (lambda x: np.add.at(x, 0, 1), r"np\.add\.at has no counterpart"),
        (lambda x: np.round(T.ivector(), -1), r"cast it to a float"),
        (lambda x: x + np.array([None, 1], object), "not an array of numbers"),
    ],
)
def test_what_has_no_counterpart_is_refused(call: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        call(T.dmatrix("x"))


def test_parts_are_equal_where_numpy_says_so() -> None:
    with pytest.raises(ValueError, match="equal parts"):
        np.split(T.as_tensor_variable(V), 3)
    x = T.dvector("x")
    parts: Any = np.split(x, 3)
    with pytest.raises(ValueError, match="split"):
        parts[0].eval({x: V})
    parts = np.array_split(x, 3)
    assert [len(p.eval({x: V})) for p in parts] == [2, 1, 1]


def test_no_object_arrays_arise() -> None:
    x, s = T.dmatrix("x"), T.dscalar("s")
    calls: list[Callable[[], Any]] = [
        lambda: np.array(x), lambda: np.asarray([x, x]), lambda: np.array([s, 1.0]), lambda: np.array(x, object),
        lambda: np.arange(s), lambda: np.full((2,), s),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="symbolic"):
            call()


def test_other_kinds_of_array_may_answer_first() -> None:
    class Other:
        __array_priority__ = 1

        def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> str:
            return "other"

    answer: Any = np.concatenate([T.dmatrix(), Other()])
    assert answer == "other"


def test_the_table_is_made_when_first_used() -> None:
    code = ("import sys, symgraph.tensor as T; assert 'symgraph.tensor.protocols' not in sys.modules; "
            "import numpy as np; np.sum(T.dvector()); assert 'symgraph.tensor.protocols' in sys.modules; "
            "assert 'scipy' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)
