"""Linear algebra on a device beyond what the records of operations try: factors, their use and their gradients."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.cupy.devices.emulated import EmulatedDevice
from backends.cupy.leaves.lines import rows_of_pivots
from tests.cupy.common_programs import on_device
from tests.cupy.leaf_runs import compiles, run_leaf

RNG = np.random.default_rng(5)
A = RNG.normal(size=(2, 4, 4)) + 4 * np.eye(4)[::-1]
PIVOTS = np.array([[2, 1, 3, 3], [3, 3, 2, 3], [0, 1, 2, 3]], "int32")


def moved(pivots: np.ndarray, length: int) -> np.ndarray:
    rows = np.arange(length)
    for i, j in enumerate(pivots):
        rows[[i, j]] = rows[[j, i]]
    return rows


@pytest.mark.parametrize("length", [4, 6])
def test_rows_of_pivots(emulated: EmulatedDevice, length: int) -> None:
    wanted = [moved(pivots, length) for pivots in PIVOTS]
    np.testing.assert_array_equal(run_leaf(emulated, rows_of_pivots, [PIVOTS], length), wanted)
    np.testing.assert_array_equal(run_leaf(emulated, rows_of_pivots, [PIVOTS[1, ::-1]], length),
                                  moved(PIVOTS[1, ::-1], length))


def test_the_kernel_of_pivots_compiles_for_gpus() -> None:
    compiles(rows_of_pivots, [PIVOTS], 6)


@pytest.mark.parametrize("other", ["emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_gradients_through_factors_are_those_of_the_cpu(other: str) -> None:
    a, b = T.dtensor3("a"), T.dtensor3("b")
    p, low, up = T.slinalg.lu(a)
    solved = T.slinalg.lu_solve(T.slinalg.lu_factor(a), b, trans=1)
    cost = (T.sin(low) + T.cos(up)).sum() + (solved**2).sum() + T.slinalg.expm(a / 4).sum() + p.sum()
    found = []
    for device in ("cpu", other):
        with on_device(device=device, floatX="float64"):
            found.append(sg.function([a, b], [cost, *sg.grad(cost, [a, b])])(A, A[:, :, :2]))
    for mine, theirs in zip(*reversed(found), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9)


def test_singular_matrices_have_factors_and_solve_nothing() -> None:
    a = T.dmatrix("a")
    with on_device(floatX="float64"):
        factors = sg.function([a], T.slinalg.lu_factor(a))
        solved = sg.function([a], T.slinalg.lu_solve(T.slinalg.lu_factor(a), a))
    packed, pivots = factors(np.zeros((3, 3)))
    assert not packed.any()
    assert list(pivots) == [0, 1, 2]
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        solved(np.zeros((3, 3)))


def test_the_exponential_of_what_is_not_finite_is_nan() -> None:
    a = T.dtensor3("a")
    with on_device(floatX="float64"):
        f = sg.function([a], T.slinalg.expm(a))
    found = f(np.array([[[np.inf, 0], [0, 1]], [[0, 1], [0, 0]]], float))
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1], [[1, 1], [0, 1]])
