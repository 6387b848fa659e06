"""Random numbers of a device against those of the CPU: integers and uniform numbers bit for bit."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from backends.cupy.devices.compiler import compile_cuda
from backends.cupy.devices.emulated import EmulatedDevice
from backends.cupy.language.prelude import prelude
from backends.cupy.leaves.leaf import Operand
from backends.cupy.leaves.random import advance, categorical, draw, multinomial
from symgraph.random.draw import Advance, Categorical, Draw, Multinomial
from symgraph.random.philox import make_state
from symgraph.random.variates import STANDARD
from tests.cupy.leaf_runs import compiles, run_leaf

STATE = make_state(12345, 7) + np.array([0, 0, 2**63 - 2], np.uint64)
#: The others are computed by the same text in another type.
FIRST = (("bits", "uint64"), ("uniform", "float32"), ("uniform", "float16"))
OTHERS = [(kind, dtype) for kind in STANDARD for dtype in
          (("uint32", "uint64") if kind == "bits" else ("float16", "float32", "float64")) if (kind, dtype) not in FIRST]


def on_cpu(op: Draw, shape: tuple[int, ...], *parameters: Any) -> np.ndarray:
    out = np.empty(shape, op.dtype)
    op.fill(STATE, out.reshape(-1), 0, out.size, op.spread(parameters, shape))
    return out


@pytest.mark.parametrize(("kind", "dtype"), FIRST)
def test_words_and_uniform_numbers_are_those_of_the_cpu(emulated: EmulatedDevice, kind: str, dtype: str) -> None:
    op = Draw(kind, dtype)
    for shape in ((), (1,), (0, 3), (7, 9)):
        found = run_leaf(emulated, partial(draw, op), [STATE], *shape)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, on_cpu(op, shape))


@pytest.mark.parametrize(("kind", "dtype"), [
    pytest.param(*pair, marks=() if pair in (("normal", "float32"), ("bits", "uint32")) else pytest.mark.slow)
    for pair in OTHERS])
def test_variates_differ_by_rounding_only(kind: str, dtype: str) -> None:
    op = Draw(kind, dtype)
    found, wanted = run_leaf(EmulatedDevice(), partial(draw, op), [STATE], 501), on_cpu(op, (501,))
    if kind in ("bits", "uniform"):
        np.testing.assert_array_equal(found, wanted)
    else:  # near 0 a variate is the difference of larger numbers, which are rounded too
        digits = float(32 * np.finfo(dtype).eps)
        np.testing.assert_allclose(found.astype(float), wanted.astype(float), rtol=digits, atol=digits)


def test_whole_numbers_in_a_range_are_those_of_the_cpu(emulated: EmulatedDevice) -> None:
    op = Draw("integers", "int64")
    low = np.array([[0], [-5], [2**62]])
    span = np.array([10, 1, 0, 2**63 - 1])  # 0 stands for all words
    found = run_leaf(emulated, partial(draw, op), [STATE, low, span], 3, 4)
    np.testing.assert_array_equal(found, on_cpu(op, (3, 4), low, span))


@pytest.mark.parametrize(("kind", "dtype", "parameters"), [
    ("gamma", "float64", [np.array([0.05, 0.7, 1.0, 3.5, 400.0, np.inf])]),
    pytest.param("log_gamma", "float64", [np.array([0.001, 0.7, 1.0, 3.5, 400.0, 2.0])], marks=pytest.mark.slow),
    pytest.param("gamma", "float32", [np.array([0.3, 1.0, 2.5, 9.0, 30.0, 1e4], np.float32)], marks=pytest.mark.slow),
    ("poisson", "int64", [np.array([0.0, 0.5, 9.9, 10.0, 80.0, 3e5])]),
    ("binomial", "int64", [np.array([0, 5, 40, 1000, 10**6, 30]), np.array([0.3, 0.0, 0.9, 0.25, 0.01, 1.0])]),
])
def test_numbers_sampled_by_rejection(kind: str, dtype: str, parameters: list[np.ndarray]) -> None:
    op = Draw(kind, dtype)
    found = run_leaf(EmulatedDevice(), partial(draw, op), [STATE, *parameters], 60, 6)
    wanted = on_cpu(op, (60, 6), *parameters)
    if dtype == "int64":
        np.testing.assert_array_equal(found, wanted)
    else:
        np.testing.assert_allclose(found, wanted, rtol=float(64 * np.finfo(dtype).eps))


def test_multinomial_numbers() -> None:
    n = np.array([[10], [0], [1000]])
    weights = np.random.default_rng(0).dirichlet(np.ones(5), (3, 4))
    out: list[list[Any]] = [[None]]
    node: Any = None
    Multinomial().perform(node, [STATE, n, weights], out)
    found = run_leaf(EmulatedDevice(), multinomial, [STATE, n, weights])
    np.testing.assert_array_equal(found, out[0][0])


@pytest.mark.parametrize("shape", [(5,), pytest.param((3, 4, 5), marks=pytest.mark.slow)])
def test_categories(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    u, weights = rng.uniform(size=(3, 4)), rng.uniform(size=shape)
    out: list[list[Any]] = [[None]]
    node: Any = None
    Categorical().perform(node, [u, weights], out)
    np.testing.assert_array_equal(run_leaf(EmulatedDevice(), categorical, [u, weights]), out[0][0])


def test_the_state_advances_as_on_the_cpu(emulated: EmulatedDevice) -> None:
    for per_block, shape in ((8, (7, 9)), (4, ()), (1, (0, 5)), (4, (2**20, 2**30))):
        found = run_leaf(emulated, partial(advance, per_block), [STATE], *shape)
        np.testing.assert_array_equal(found, Advance(per_block).after(STATE, *shape))


@pytest.mark.slow
def test_kernels_compile_for_gpus() -> None:
    compiles(partial(draw, Draw("normal", "float32")), [STATE], 100, 30)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gamma", "poisson", "binomial"])
def test_kernels_of_rejection_compile_for_gpus(kind: str) -> None:
    """They may put registers away around calls of logarithms of factorials."""
    op = Draw(kind, "float64" if kind == "gamma" else "int64")
    leaf, = draw(op, [Operand.of(STATE), *[Operand.plain((3,), "float64")] * op.arity], 5, 3).launches
    for arch in ("75", "90"):
        compile_cuda(prelude(leaf.source) + leaf.source, arch)


def test_negative_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="negative dimension"):
        run_leaf(EmulatedDevice(), partial(draw, Draw("uniform", "float32")), [STATE], -1)


@pytest.mark.gpu
def test_numbers_of_a_gpu(gpu: Any) -> None:
    for kind, dtype in (*FIRST, *OTHERS):
        op = Draw(kind, dtype)
        found, wanted = run_leaf(gpu, partial(draw, op), [STATE], 70001), on_cpu(op, (70001,))
        if kind in ("bits", "uniform"):
            np.testing.assert_array_equal(found, wanted)
        else:
            digits = float(64 * np.finfo(dtype).eps)
            np.testing.assert_allclose(found.astype(float), wanted.astype(float), rtol=digits, atol=digits)
