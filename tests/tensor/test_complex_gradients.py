"""Derivatives by complex numbers: every operation that takes them, along both of their axes, from its record."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.testing import verify_grad
from tests.records import ELEMENTWISE, RECORDS
from tests.records.base import Record
from tests.records.elementwise import Elementwise
from tests.tensor.common import compute, symbol

DTYPE = "complex128"
RECORDED = [r for r in RECORDS if DTYPE in r.dtypes]


def samples(record: Record | Elementwise) -> list[tuple[Any, dict[str, Any]]]:
    rng = np.random.default_rng(5)
    if isinstance(record, Record):
        return list(record.samples(rng, DTYPE))
    return [(tuple(record.sample(rng, [DTYPE] * record.nin, [(2, 3)] * record.nin)), {})]


def moving_parts(record: Record | Elementwise, values: Any) -> list[int]:
    """The complex arguments that have a derivative."""
    return [i for i, v in enumerate(values) if v.dtype.kind == "c" and v.size and (
        record.wrt is None or i in record.wrt)]


def differentiable(record: Any, values: Any, options: Any) -> tuple[Any, list[int]] | None:
    """The record's call as a function of its complex arguments, and which they are; None where there is no such."""
    wrt = moving_parts(record, values)

    def partial(*moving: Any) -> Any:
        arguments: list[Any] = list(values)
        for place, x in zip(wrt, moving, strict=True):
            arguments[place] = x
        return record.call(*arguments, **options)

    try:
        out = partial(*[symbol(values[i]) for i in wrt])
    except TypeError:
        return None  # not defined on complex numbers, which the tests of values hold it to
    return None if not wrt or out.type.is_discrete else (partial, wrt)


@pytest.mark.parametrize("record", [*ELEMENTWISE, *RECORDED], ids=str)
def test_gradient_along_a_direction(record: Any) -> None:
    """The real product of the gradient with a random complex direction is the derivative along it."""
    rng = np.random.default_rng(6)
    tried = 0
    for values, options in samples(record):
        found = differentiable(record, values, options)
        if found is None or tried == 4:
            continue
        tried += 1
        partial, wrt = found
        inputs = [symbol(values[i]) for i in wrt]
        out = partial(*inputs)
        weights = T.as_tensor_variable(complex_array(rng, compute(inputs, out, [values[i] for i in wrt]).shape))
        cost = T.sum((out * weights.conj()).real if out.type.dtype[0] == "c" else out * weights.real)
        gradients = sg.grad(cost, inputs, disconnected_inputs="ignore")
        f = sg.function(inputs, [cost, *gradients], mode="FAST_RUN", on_unused_input="ignore")
        point = [values[i] for i in wrt]
        along = [complex_array(rng, v.shape) for v in point]
        above, below = (f(*[v + step * d for v, d in zip(point, along, strict=True)])[0] for step in (1e-6, -1e-6))
        wanted = sum((g.conj() * d).real.sum() for g, d in zip(f(*point)[1:], along, strict=True))
        np.testing.assert_allclose((above - below) / 2e-6, wanted, rtol=2e-5, atol=2e-5, err_msg=str(options))


def complex_array(rng: np.random.Generator, shape: Any) -> Any:
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


@pytest.mark.slow
@pytest.mark.parametrize("record", [*ELEMENTWISE, *RECORDED], ids=str)
def test_gradient(record: Any) -> None:
    """The gradient by z = a + ib is that by a plus i times that by b, for every element of every sample."""
    for values, options in samples(record):
        found = differentiable(record, values, options)
        if found is None:
            continue
        partial, wrt = found
        try:
            verify_grad(partial, [values[i] for i in wrt], 1, eps=1e-5, abs_tol=2e-6, rel_tol=2e-6)
        except Exception as error:
            error.add_note(f"shapes {[v.shape for v in values]}, {options}")
            raise


# ---- what records cannot say -------------------------------------------------------------------------------------


def _matrices(count: int, *shape: int) -> list[Any]:
    rng = np.random.default_rng(11)
    return [rng.normal(size=shape) + 1j * rng.normal(size=shape) + 3 * np.eye(*shape) for _ in range(count)]


WITHOUT_PHASES: dict[str, tuple[Any, tuple[int, int]]] = {
    "polar factor": (lambda a: T.dot(*T.nlinalg.svd(a, full_matrices=False)[::2]), (3, 3)),
    "polar factor of a tall matrix": (lambda a: T.dot(*T.nlinalg.svd(a, full_matrices=False)[::2]), (4, 2)),
    "left projector": (lambda a: _projector(T.nlinalg.svd(a, full_matrices=False)[0]), (4, 2)),
    "right projector": (lambda a: _projector(T.nlinalg.svd(a, full_matrices=False)[2].conj().T), (2, 4)),
    "eigenprojector": (lambda a: _projector(T.nlinalg.eigh(a + a.conj().T)[1][:, :1]), (3, 3)),
    "eigenvectors": (lambda a: _projector(T.nlinalg.eig(a)[1]), (3, 3)),
    "sign of the determinant": (lambda a: T.nlinalg.slogdet(a)[0], (3, 3)),
    "wide R": (lambda a: T.nlinalg.qr(a)[1], (2, 4)),
}


def _projector(u: Any) -> Any:
    return T.dot(u, u.conj().T)


@pytest.mark.parametrize("case", WITHOUT_PHASES)
def test_factors_whose_phases_do_not_matter(case: str) -> None:
    build, shape = WITHOUT_PHASES[case]
    verify_grad(build, _matrices(1, *shape), 1, eps=1e-6, abs_tol=1e-5, rel_tol=1e-5)


def test_a_step_against_the_gradient_descends() -> None:
    """The convention: dC/da + i dC/db, which for |z - w| ** 2 is 2 (z - w)."""
    z, w = T.zvector("z"), np.array([1 + 2j, -3j])
    cost = T.sum(abs(z - w) ** 2)
    value = np.array([2.0 + 0j, 1 + 1j])
    np.testing.assert_allclose(compute([z], sg.grad(cost, z), [value]), 2 * (value - w))
    step = sg.function([z], z - 0.5 * sg.grad(cost, z))
    np.testing.assert_allclose(step(value), w, atol=1e-15)


def test_a_real_number_feels_the_real_part() -> None:
    """A real input of a complex expression has a real gradient, of its own dtype."""
    x, z = T.fvector("x"), T.cvector("z")
    gradient = sg.grad(T.sum((x * z).real), x)
    assert gradient.type.dtype == "float32"
    np.testing.assert_array_equal(compute([x, z], gradient, [np.ones(1, "f"), np.array([2 + 3j], "F")]), [2])
    verify_grad(lambda a, b: T.exp(a * b) / (b + a), [np.array([0.5, -0.2]), np.array([1 + 1j, 2j])], 1)
    for base in (np.array([-1.5, 0.7]), np.array([1j, -2.0 + 0.1j])):
        verify_grad(lambda a, b: a ** b, [base, np.array([1 + 1j, 0.5 - 2j])], 1)


def test_the_direction_of_zero_has_no_gradient() -> None:
    z = T.zvector("z")
    for cost in (abs(z), T.angle(z), T.sgn(z).real):
        np.testing.assert_array_equal(compute([z], sg.grad(T.sum(cost), z), [np.zeros(2, complex)]), [0, 0])


def test_second_derivatives() -> None:
    z, a = np.array([0.5 + 1j, -1 + 0.3j]), _matrices(1, 3, 3)[0]
    verify_grad(lambda x: T.exp(x) * abs(x), [z], 1, order=2, eps=1e-5, abs_tol=1e-5, rel_tol=1e-5)
    verify_grad(lambda x: T.nlinalg.inv(x) * T.nlinalg.det(x), [a], 1, order=2, eps=1e-5, abs_tol=1e-5, rel_tol=1e-5)


def test_forward_derivatives_agree_with_backward_ones() -> None:
    """Re(conj(u) . J v) = Re(conj(J* u) . v), for functions that are holomorphic and for those that are not."""
    rng = np.random.default_rng(1)
    z = T.zmatrix("z")
    value, v, u = (rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3)) for _ in range(3))
    for out in (T.exp(z), z.conj() * z, T.dot(z, z.T), T.nlinalg.inv(z), z / abs(z), T.fourier.fft(z) ** 2):
        pushed, pulled = sg.Rop(out, z, T.constant(v)), sg.Lop(out, z, T.constant(u))
        jv, ju = compute([z], [pushed, pulled], [value])
        np.testing.assert_allclose((u.conj() * jv).real.sum(), (ju.conj() * v).real.sum())


def test_a_complex_cost_is_refused() -> None:
    z = T.zscalar("z")
    with pytest.raises(TypeError, match="must be a real scalar"):
        sg.grad(z * z, z)
