"""`symgraph.tensor.linalg` beside `numpy.linalg`: dtypes, exceptions, degenerate matrices, results by name."""

from __future__ import annotations

import inspect
import itertools
import warnings
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import TensorType
from tests.tensor.common import compute, symbol

WIDE, SQUARE, VECTOR, CUBE = np.ones((2, 3)), 2 * np.eye(3), np.ones(3), np.ones((2, 2, 3))
SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])


def test_the_names_and_arguments_are_numpy_s() -> None:
    theirs = {name for name in np.linalg.__all__ if not inspect.isclass(getattr(np.linalg, name))}
    assert theirs <= set(T.linalg.__all__)
    for name in theirs:
        try:
            wanted = list(inspect.signature(getattr(np.linalg, name)).parameters)
        except ValueError:
            continue
        mine = list(inspect.signature(getattr(T.linalg, name)).parameters)
        if name in ("matmul", "tensordot", "matrix_power"):  # the first are always given by their places
            mine = mine[2:]
            wanted = wanted[2:]
        assert [p for p in wanted if p != "out"] == mine, name


DTYPES = ("int32", "float32", "float64", "complex64", "complex128")
ONE = ("inv", "pinv", "det", "svdvals", "eigvalsh", "cond", "norm", "matrix_norm", "vector_norm", "cholesky",
       "matrix_rank", "trace", "diagonal")


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(name: str, dtype: str) -> None:
    """Single precision stays single, integers become double."""
    value = SQUARE.astype(dtype)
    wanted = np.asarray(getattr(np.linalg, name)(value))
    out = getattr(T.linalg, name)(symbol(value))
    assert out.type.dtype == wanted.dtype.name


@pytest.mark.parametrize("pair", list(itertools.product(DTYPES, repeat=2)), ids="-".join)
def test_mixed_dtypes(pair: tuple[str, str]) -> None:
    a, b = SQUARE.astype(pair[0]), VECTOR.astype(pair[1])
    inputs = [symbol(a), symbol(b)]
    for ours, theirs in ((T.linalg.solve, np.linalg.solve), (T.linalg.matmul, np.linalg.matmul),
                         (lambda x, y: T.linalg.lstsq(x, y)[0], lambda x, y: np.linalg.lstsq(x, y)[0]),
                         (T.linalg.vecdot, np.linalg.vecdot), (lambda x, y: T.linalg.multi_dot([x, x, y]),
                                                               lambda x, y: np.linalg.multi_dot([x, x, y]))):
        found, wanted = compute(inputs, ours(*inputs), [a, b]), theirs(a, b)
        assert found.dtype == wanted.dtype
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


#: Wrong calls: the function, its arrays, its options.
BAD: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    **{f"{name} of a wide matrix": (name, (WIDE,), {})
       for name in ("inv", "det", "slogdet", "eig", "eigh", "eigvals", "eigvalsh", "cholesky")},
    **{f"{name} of a vector": (name, (VECTOR,), {})
       for name in ("inv", "pinv", "det", "slogdet", "eig", "eigh", "eigvals", "eigvalsh", "cholesky", "qr", "svd",
                    "svdvals", "cond", "matrix_transpose", "diagonal", "trace", "matrix_norm")},
    "matrix_power of a wide matrix": ("matrix_power", (WIDE, 2), {}),
    "matrix_power by a float": ("matrix_power", (SQUARE, 0.5), {}),
    "solve of a wide matrix": ("solve", (WIDE, VECTOR[:2]), {}),
    "solve of other lengths": ("solve", (SQUARE, np.ones(2)), {}),
    "lstsq of other lengths": ("lstsq", (SQUARE, np.ones(2)), {}),
    "lstsq of a vector": ("lstsq", (VECTOR, VECTOR), {}),
    "cond of a wide matrix": ("cond", (WIDE, 1), {}),
    "norm of another order": ("norm", (SQUARE, 3), {}),
    "norm of vectors by name": ("norm", (VECTOR, "fro"), {}),
    "norm over three axes": ("norm", (CUBE, 2, (0, 1, 2)), {}),
    "norm along an axis there is not": ("norm", (VECTOR, 2, 1), {}),
    "outer of a matrix": ("outer", (SQUARE, VECTOR), {}),
    "cross of pairs": ("cross", (np.ones(2), np.ones(2)), {}),
    "vecdot of other lengths": ("vecdot", (VECTOR, np.ones(2)), {}),
    "vecdot along an axis there is not": ("vecdot", (VECTOR, VECTOR), {"axis": 1}),
    "matmul of other lengths": ("matmul", (SQUARE, WIDE), {}),
    "multi_dot of one": ("multi_dot", ([SQUARE],), {}),
    "multi_dot of a tensor": ("multi_dot", ([SQUARE, CUBE, SQUARE],), {}),
    "multi_dot of other lengths": ("multi_dot", ([SQUARE, WIDE, SQUARE],), {}),
    "tensorinv of another shape": ("tensorinv", (CUBE,), {"ind": 1}),
    "tensorinv without axes": ("tensorinv", (SQUARE,), {"ind": 0}),
    "qr in another mode": ("qr", (SQUARE, "whole"), {}),
    "eigh of another triangle": ("eigh", (SQUARE, "X"), {}),
    "matrix_rank by both": ("matrix_rank", (SQUARE, 0.1), {"rtol": 0.1}),
    "pinv by both": ("pinv", (SQUARE, 0.1), {"rtol": 0.1}),
}


def _expected(name: str, arguments: Any, options: Any) -> type[Exception]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            getattr(np.linalg, name)(*arguments, **options)
        except Exception as error:
            return type(error)
    raise AssertionError("NumPy takes it")


def _symbols(arguments: Any, static: bool) -> tuple[list[Any], list[Any]]:
    """The arguments with inputs for arrays, and the inputs."""
    inputs: list[Any] = []

    def one(value: Any) -> Any:
        if isinstance(value, list):
            return [one(v) for v in value]
        if not isinstance(value, np.ndarray):
            return value
        inputs.append(TensorType(value.dtype, value.shape if static else [None] * value.ndim)())
        return inputs[-1]

    return [one(value) for value in arguments], inputs


@pytest.mark.parametrize("case", BAD)
def test_what_numpy_refuses_is_refused_alike(case: str) -> None:
    """At once where the types show it, else when the function is called."""
    name, arguments, options = BAD[case]
    error = _expected(name, arguments, options)
    made, _ = _symbols(arguments, static=True)
    with pytest.raises(error):
        getattr(T.linalg, name)(*made, **options)
    arrays = [v for value in arguments for v in (value if isinstance(value, list) else [value])
              if isinstance(v, np.ndarray)]


    def late() -> None:
        unknown, inputs = _symbols(arguments, static=False)
        out = getattr(T.linalg, name)(*unknown, **options)
        compute(inputs, list(out) if isinstance(out, tuple) else out, arrays)

    with pytest.raises(error):
        late()


@pytest.mark.parametrize("name", ["inv", "cholesky"])
def test_singular_matrices_are_refused(name: str) -> None:
    x = T.dmatrix("x")
    with pytest.raises(np.linalg.LinAlgError):
        compute([x], getattr(T.linalg, name)(x), [SINGULAR])
    with pytest.raises(np.linalg.LinAlgError):
        compute([x], T.linalg.solve(x, np.ones(2)), [SINGULAR])


@pytest.mark.parametrize("p", [None, 1, -1, 2, -2, np.inf, "fro"])
def test_the_condition_of_a_singular_matrix(p: Any) -> None:
    x = T.dtensor3("x")
    stack = np.stack([np.eye(2), np.diag([1.0, 0.0])])
    found, wanted = compute([x], T.linalg.cond(x, p), [stack]), np.linalg.cond(stack, p)
    np.testing.assert_allclose(found, wanted)
    if p not in (None, 2, -2):  # whose SVD does not converge, in NumPy either
        assert np.isnan(compute([x], T.linalg.cond(x, p), [stack * np.nan])).all()


def test_results_have_names() -> None:
    x = T.dmatrix("x")
    assert T.linalg.eigh(x).eigenvalues.type.ndim == 1
    assert T.linalg.svd(x).Vh.type.ndim == 2
    assert T.linalg.qr(x).Q.type.ndim == 2
    assert T.linalg.slogdet(x).logabsdet.type.ndim == 0
    np.testing.assert_array_equal(
        sg.function([x], list(T.linalg.eig(x)))(np.diag([1.0, 2.0]))[0], [1, 2])


def test_the_cheapest_order_of_products() -> None:
    rng = np.random.default_rng(0)
    chain = [rng.normal(size=shape) for shape in ((100, 2), (2, 100), (100, 1))]
    out = T.linalg.multi_dot(chain)
    assert (100, 100) not in {v.type.shape for v in sg.graph.ancestors([out])}
    np.testing.assert_allclose(out.eval(), np.linalg.multi_dot(chain))
