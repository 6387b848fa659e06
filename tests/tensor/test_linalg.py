"""Linear algebra beyond its records: errors, singular and degenerate matrices, classes Theano's programs use."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.errors import NullTypeGradError
from symgraph.tensor import TensorType, nlinalg, slinalg
from symgraph.testing import verify_grad
from tests.records import RECORDS
from tests.records.linalg import definite, regular
from tests.tensor.common import compute

Error = np.linalg.LinAlgError
V, M, WIDE = T.dvector("V"), T.dmatrix("M"), TensorType("float64", (2, 3))("WIDE")


def test_every_public_operation_has_a_record() -> None:
    same = set()
    for record in RECORDS:
        where, _, name = record.name.split()[0].rpartition(".")
        if where.endswith("linalg") or hasattr(T, name):
            same.add(id(getattr(getattr(T, where) if where else T, name)))
    for module in (nlinalg, slinalg, T.linalg):
        for name in module.__all__:
            value = getattr(module, name)
            assert isinstance(value, type) or id(value) in same, f"no record for {module.__name__}.{name}"


BUILD: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "inv of a vector": (lambda: nlinalg.inv(V), Error, "1 dimensions"),
    "inv": (lambda: nlinalg.inv(WIDE), Error, "square matrices, not 2 by 3"),
    "det": (lambda: nlinalg.det(WIDE), Error, "square"),
    "slogdet": (lambda: nlinalg.slogdet(WIDE), Error, "square"),
    "eig": (lambda: nlinalg.eig(WIDE), Error, "square"),
    "eigh": (lambda: nlinalg.eigh(WIDE), Error, "square"),
    "eigh UPLO": (lambda: nlinalg.eigh(M, "X"), ValueError, "UPLO must be"),
    "eigvalsh UPLO": (lambda: nlinalg.eigvalsh(M, "X"), ValueError, "UPLO must be"),
    "svd": (lambda: nlinalg.svd(V), Error, "1 dimensions"),
    "qr": (lambda: nlinalg.qr(M, "raw"), ValueError, "mode must be"),
    "pinv": (lambda: nlinalg.pinv(V), Error, "1 dimensions"),
    "lstsq": (lambda: nlinalg.lstsq(WIDE, np.ones(3)), Error, "2 equations, but right sides of length 3"),
    "lstsq of a vector": (lambda: nlinalg.lstsq(V, V), Error, "1 dimensions"),
    "matrix_power": (lambda: nlinalg.matrix_power(WIDE, 2), Error, "square"),
    "matrix_power of a float": (lambda: nlinalg.matrix_power(M, 0.5), TypeError, "integer"),  # type: ignore[arg-type]
    "matrix_dot": (lambda: nlinalg.matrix_dot(), TypeError, "at least one"),
    "norm": (lambda: nlinalg.norm(np.ones((2, 2, 2)), 2), ValueError, "an axis"),
    "norm of vectors": (lambda: nlinalg.norm(V, "fro"), ValueError, "not defined on vectors"),
    "norm of matrices": (lambda: nlinalg.norm(M, 3), ValueError, "not defined on matrices"),
    "norm over three axes": (lambda: nlinalg.norm(np.ones((2, 2, 2)), 2, (0, 1, 2)), ValueError, "one axis or two"),
    "diag": (lambda: nlinalg.diag(np.ones((2, 2, 2))), ValueError, "a vector or a matrix"),
    "alloc_diag": (lambda: nlinalg.alloc_diag(1.0), ValueError, "at least a vector"),
    "tensorinv": (lambda: nlinalg.tensorinv(M, 0), ValueError, "positive"),
    "cholesky": (lambda: slinalg.cholesky(WIDE), Error, "square"),
    "cholesky on_error": (lambda: slinalg.cholesky(M, on_error="no"), ValueError, "on_error must be"),
    "solve": (lambda: slinalg.solve(WIDE, V), Error, "square"),
    "solve lengths": (lambda: slinalg.solve(np.eye(2), np.ones(3)), ValueError, "2 equations, but right sides of"),
    "solve of a scalar": (lambda: slinalg.solve(M, 1.0), Error, "right side"),
    "solve assume_a": (lambda: slinalg.solve(M, V, "tidy"), ValueError, "assume_a must be one of"),
    "solve b_ndim": (lambda: slinalg.solve(M, V, b_ndim=3), ValueError, "b_ndim"),
    "solve batches": (lambda: slinalg.solve(np.ones((2, 3, 3)), np.ones((4, 3, 1))), ValueError, "do not fit"),
    "solve_triangular": (lambda: slinalg.solve_triangular(M, V, trans="Q"), ValueError, "trans must be"),
    "expm": (lambda: slinalg.expm(WIDE), Error, "square"),
    "logm": (lambda: slinalg.logm(WIDE), Error, "square"),
    "sqrtm": (lambda: slinalg.sqrtm(V), Error, "1 dimensions"),
    "lu of a vector": (lambda: slinalg.lu(V), Error, "1 dimensions"),
    "lu_solve": (lambda: slinalg.lu_solve(slinalg.lu_factor(M), V, 3), ValueError, "trans must be"),
    "block_diag": (lambda: slinalg.block_diag(np.ones((2, 2, 2))), ValueError, "matrices"),
    "block_diag of nothing": (lambda: slinalg.block_diag(), ValueError, "at least one"),
}


@pytest.mark.parametrize("case", BUILD)
def test_errors_where_the_expression_is_built(case: str) -> None:
    build, error, message = BUILD[case]
    with pytest.raises(error, match=message):
        build()


SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])
RUN: dict[str, tuple[Callable[[Any], Any], np.ndarray[Any, Any], type[Exception]]] = {
    "inv": (nlinalg.inv, SINGULAR, Error),
    "inv of a wide matrix": (nlinalg.inv, np.ones((2, 3)), Error),
    "solve": (lambda a: slinalg.solve(a, np.ones(2)), SINGULAR, Error),
    "solve sym": (lambda a: slinalg.solve(a, np.ones(2), "sym"), SINGULAR, Error),
    "solve pos": (lambda a: slinalg.solve(a, np.ones(2), "pos"), -np.eye(2), Error),
    "solve lengths": (lambda a: slinalg.solve(a, V * 0 + 1), np.eye(2), ValueError),
    "solve triangle": (lambda a: slinalg.solve_triangular(a, np.ones(2)), np.zeros((2, 2)), Error),
    "cholesky": (slinalg.cholesky, -np.eye(2), Error),
    "matrix_power": (lambda a: nlinalg.matrix_power(a, -1), SINGULAR, Error),
    "gradient of slogdet": (lambda a: sg.grad(nlinalg.logabsdet(a), a), SINGULAR, Error),
}


@pytest.mark.parametrize("case", RUN)
def test_errors_where_it_is_computed(case: str) -> None:
    build, value, error = RUN[case]
    with pytest.raises(error):
        compute([M, V], build(M), [value, np.ones(3)])


NO_GRADIENT: dict[str, Callable[[], Any]] = {
    "svd": lambda: sg.grad(nlinalg.svd(WIDE)[2].sum(), WIDE),
    "qr": lambda: sg.grad(nlinalg.qr(TensorType("float64", (3, 2))("tall") + M, "complete")[0].sum(), M),
    "lstsq": lambda: sg.grad(nlinalg.lstsq(M, V)[1].sum(), M),
}


@pytest.mark.parametrize("case", NO_GRADIENT)
def test_what_is_not_unique_has_no_gradient(case: str) -> None:
    with pytest.raises(NullTypeGradError):
        NO_GRADIENT[case]()


def test_full_factors_of_unknown_shape_are_checked_when_computed() -> None:
    for cost in (nlinalg.svd(M)[0].sum(), nlinalg.qr(M, "complete")[0].sum()):
        with pytest.raises(ValueError, match="does not fit"):
            compute([M], sg.grad(cost, M), [np.arange(6.0).reshape(3, 2) ** 2])


@pytest.mark.parametrize("value", [SINGULAR, np.zeros((2, 2)), np.diag([1.0, 2.0, 0.0]), np.zeros((3, 3))], ids=str)
def test_the_gradient_of_det_is_the_cofactors_of_singular_matrices_too(value: Any) -> None:
    def minor(i: int, j: int) -> float:
        rest = np.delete(np.delete(value, i, 0), j, 1)
        return float((-1) ** (i + j) * np.linalg.det(rest))

    wanted = [[minor(i, j) for j in range(len(value))] for i in range(len(value))]
    np.testing.assert_allclose(compute([M], sg.grad(nlinalg.det(M), M), [value]), wanted, atol=1e-12)


@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
def test_the_second_derivative_of_det_is_the_minors_of_two_rows_and_columns(rank: int) -> None:
    """Of matrices of every rank; by places in one row or column it is 0."""
    rng = np.random.default_rng(rank)
    a = rng.normal(size=(4, rank)) @ rng.normal(size=(rank, 4))
    wanted = np.zeros((4, 4, 4, 4))
    for i, j, k, m in np.ndindex(wanted.shape):
        if i != k and j != m:
            rest = np.delete(np.delete(a, [i, k], 0), [j, m], 1)
            wanted[i, j, k, m] = (-1) ** (i + j + k + m) * (1 if (i < k) == (j < m) else -1) * np.linalg.det(rest)
    hessian = sg.jacobian(T.flatten(sg.grad(nlinalg.det(M), M)), M)
    np.testing.assert_allclose(compute([M], hessian, [a]), wanted.reshape(16, 4, 4), atol=1e-12)


def test_derivatives_of_det_of_higher_order() -> None:
    def squared(function: Any, a: Any) -> Any:
        return T.sum(sg.grad(function(a), a) ** 2)

    def first(a: Any) -> Any:
        return squared(lambda x: T.sum(nlinalg.det(x)), a)

    rng = np.random.default_rng(0)
    verify_grad(first, [np.ones((3, 3))], 1)
    verify_grad(first, [rng.normal(size=(2, 3, 3))], 1)
    verify_grad(lambda a: squared(first, a), [rng.normal(size=(3, 3))], 1)


def test_a_singular_matrix_has_sign_zero_and_logarithm_minus_infinity() -> None:
    sign, logarithm = compute([M], nlinalg.slogdet(M), [np.zeros((2, 2))])
    assert (sign, logarithm) == (0, -np.inf)
    assert compute([M], sg.grad(nlinalg.slogdet(M)[0], M), [np.eye(2)]).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("ord", [None, 2, "fro"])
def test_the_gradient_of_a_norm_at_zero_is_zero(ord: Any) -> None:
    x = M if ord == "fro" else V
    found = compute([x], sg.grad(nlinalg.norm(x, ord), x), [np.zeros((2, 2) if ord == "fro" else 2)])
    np.testing.assert_array_equal(found, np.zeros_like(found))
    assert np.isnan(compute([x], nlinalg.norm(x, ord), [np.full((2, 2) if ord == "fro" else 2, np.nan)]))


def test_equal_eigenvalues_have_a_gradient() -> None:
    """Of the sum of their squares it is 2 a, folded into the triangle that is read."""
    gradient = sg.grad((nlinalg.eigh(M)[0] ** 2).sum(), M)
    np.testing.assert_allclose(compute([M], gradient, [np.eye(3)]), 2 * np.eye(3), atol=1e-12)


def test_several_outputs_of_one_decomposition_are_differentiated_together() -> None:
    """Rebuilt from its factors, a matrix is itself: the Jacobian is the identity."""
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(3, 3))

    def svd(a: Any) -> Any:
        u, s, vh = nlinalg.svd(a)
        return T.dot(u * s, vh)

    def qr(a: Any) -> Any:
        q, r = nlinalg.qr(a)
        return T.dot(q, r)

    def eigh(a: Any) -> Any:
        values, vectors = nlinalg.eigh(a)
        return T.dot(vectors * values, vectors.T)

    for rebuild in (svd, qr):
        found = compute([M], sg.grad((rebuild(M) * weights).sum(), M), [regular(rng, "float64", (3, 3))])
        np.testing.assert_allclose(found, weights, atol=1e-9)
    found = compute([M], sg.grad((eigh(M) * weights).sum(), M), [definite(rng, "float64", (3, 3))])
    np.testing.assert_allclose(found, np.tril(weights) + np.triu(weights, 1).T, atol=1e-9)
    verify_grad(eigh, [definite(rng, "float64", (3, 3))], 1, eps=1e-5, order=2)


def test_a_singular_square_matrix_has_a_gradient_by_its_singular_vectors() -> None:
    value = np.array([[1.0, 2.0], [2.0, 4.0]])
    gradient = compute([M], sg.grad((nlinalg.svd(M)[0] ** 3).sum(), M), [value])
    assert np.isfinite(gradient).all()


def test_only_axes_known_to_be_1_are_stretched() -> None:
    a, b = T.dtensor3("a"), T.dtensor3("b")
    one, two = np.eye(3)[None], np.ones((2, 3, 1))
    with pytest.raises(ValueError, match="length"):
        compute([a, b], slinalg.solve(a, b), [one, two])
    known = TensorType("float64", (1, None, None))("known")
    np.testing.assert_array_equal(compute([known, b], slinalg.solve(known, b), [one, two]), two)


def test_lstsq_of_deficient_rank_is_of_least_norm() -> None:
    a, b = np.array([[1.0, 1.0], [1.0, 1.0], [2.0, 2.0]]), np.array([1.0, 2.0, 3.0])
    x, residuals, rank, values = compute([M, V], nlinalg.lstsq(M, V), [a, b])
    wanted = np.linalg.lstsq(a, b)
    assert (rank, residuals.shape) == (1, (0,))
    np.testing.assert_allclose(x, wanted[0])
    np.testing.assert_allclose(values, wanted[3], atol=1e-12)
    np.testing.assert_allclose(compute([M, V], sg.grad(nlinalg.lstsq(M, V)[0].sum(), V), [a, b]),
                               np.linalg.pinv(a).sum(0))


def test_matrix_power_zero_is_the_identity() -> None:
    value = np.arange(8).reshape(2, 2, 2)
    found = compute([], nlinalg.matrix_power(value, 0), [])
    np.testing.assert_array_equal(found, np.linalg.matrix_power(value, 0))
    assert found.dtype == value.dtype


def test_a_matrix_that_is_not_positive_definite_can_give_nan() -> None:
    stack = np.stack([np.eye(2), -np.eye(2)])
    found = compute([x := T.dtensor3()], slinalg.cholesky(x, on_error="nan"), [stack])
    np.testing.assert_array_equal(found, np.stack([np.eye(2), np.full((2, 2), np.nan)]))


def test_the_classes_are_operations() -> None:
    """Theano's programs make them, and look for them in graphs."""
    a, b = np.array([[4.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0])
    made: list[tuple[Any, Any]] = [
        (slinalg.Cholesky(lower=False)(M), np.linalg.cholesky(a).T),
        (slinalg.Solve()(M, V), np.linalg.solve(a, b)),
        (slinalg.Solve("lower_triangular", lower=True)(M, V), np.linalg.solve(np.tril(a), b)),
        (slinalg.Solve(A_structure="symmetric", overwrite_A=True)(M, V), np.linalg.solve(a, b)),
        (nlinalg.MatrixInverse()(M), np.linalg.inv(a)),
        (nlinalg.MatrixPinv()(M), np.linalg.pinv(a)),
        (nlinalg.Det()(M), np.linalg.det(a)),
        (slinalg.Expm()(M * 0), np.eye(2)),
        (slinalg.Logm()(M * 0 + np.eye(2)), np.zeros((2, 2))),
        (slinalg.Kron()(M, V), np.kron(a, b)),
        (nlinalg.AllocDiag()(V), np.diag(b)),
        (nlinalg.ExtractDiag(1)(M), np.diag(a, 1)),
        (nlinalg.QRFull("reduced")(M)[1], np.linalg.qr(a)[1]),
        (nlinalg.QRIncomplete("r")(M), np.linalg.qr(a, "r")),
        (nlinalg.TensorInv(1)(M), np.linalg.inv(a)),
        (nlinalg.TensorSolve()(M, V), np.linalg.solve(a, b)),
    ]
    for variable, wanted in made:
        np.testing.assert_allclose(compute([M, V], variable, [a, b]), wanted, atol=1e-12)
    assert slinalg.solve(M, V).owner.op == slinalg.Solve()
    assert slinalg.solve(M, V, "pos").owner.op != slinalg.Solve()
    assert slinalg.Solve("symmetric") == slinalg.Solve("sym", overwrite_b=True)


def test_float32_stays_float32_and_integers_follow_floatX() -> None:
    integers, single = T.lmatrix(), T.fmatrix()
    assert nlinalg.inv(single).dtype == slinalg.expm(single).dtype == "float32"
    assert sg.grad(nlinalg.logabsdet(single), single).dtype == "float32"
    assert nlinalg.inv(integers).dtype == "float64"
    with sg.config.change_flags(floatX="float32"):
        assert nlinalg.inv(integers).dtype == "float32"


def test_real_matrices_without_a_real_logarithm_give_nan() -> None:
    for function in (slinalg.logm, slinalg.sqrtm):
        assert np.isnan(compute([M], function(M), [-np.eye(2)])).all()
        wide = compute([M], function(T.cast(M, "complex128")), [-np.eye(2)])
        assert np.isfinite(wide).all()
        assert abs(wide.imag).max() >= 1


def test_a_singular_matrix_has_factors_but_no_solution() -> None:
    p, low, up = compute([M], list(slinalg.lu(M)), [SINGULAR])
    np.testing.assert_allclose(p @ low @ up, SINGULAR)
    with pytest.raises(Error, match="singular"):
        compute([M], slinalg.lu_solve(slinalg.lu_factor(M), np.ones(2)), [SINGULAR])


def test_scipy_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, symgraph.tensor as T; T.nlinalg, T.slinalg; sys.exit('scipy.linalg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
