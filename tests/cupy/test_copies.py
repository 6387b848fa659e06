"""Joins, transposes and running sums as kernels, against NumPy."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from backends.cupy.devices.emulated import EmulatedDevice
from backends.cupy.leaves.copies import copy, eye, join, make_vector, stretch, sum_to
from backends.cupy.leaves.cumulative import accumulate
from backends.cupy.leaves.lines import other_factors, product_shares, recurrence
from backends.cupy.leaves.sorts import argsort, argtopk, sort
from symgraph.tensor.factors import OtherFactors, ProductShares, Recurrence
from tests.cupy.leaf_runs import compiles, run_leaf

RNG = np.random.default_rng(5)


@pytest.mark.parametrize(("shape", "order"), [
    ((70, 45), (1, 0)), ((3, 40, 35), (0, 2, 1)),
    *(pytest.param(*case, marks=pytest.mark.slow) for case in [
        ((5, 7, 3), (2, 0, 1)), ((2, 33, 3, 9), (3, 1, 0, 2)), ((4, 5), (0, 1)), ((6,), (0,)), ((), ()),
        ((0, 3), (1, 0)), ((1, 9, 1, 40), (3, 2, 1, 0))])])
def test_transposed_copies(emulated: EmulatedDevice, shape: tuple[int, ...], order: tuple[int, ...]) -> None:
    x = RNG.normal(size=shape).astype(np.float32).transpose(order)
    np.testing.assert_array_equal(run_leaf(emulated, copy, [x]), x)


@pytest.mark.parametrize("dtype", ["int8", "complex128"])
def test_copies_of_any_dtype(dtype: str) -> None:
    x = RNG.integers(0, 100, (40, 50)).astype(dtype).T
    np.testing.assert_array_equal(run_leaf(EmulatedDevice(), copy, [x]), x)


@pytest.mark.parametrize(("axis", "lengths"), [(1, (3, 0, 1, 5)), pytest.param(0, (2,), marks=pytest.mark.slow)])
def test_joins(emulated: EmulatedDevice, axis: int, lengths: tuple[int, ...]) -> None:
    parts = [RNG.normal(size=(4, n) if axis else (n, 4)).astype(np.float32) for n in lengths]
    parts[0] = np.array(parts[0].T, order="C").T
    found = run_leaf(emulated, partial(join, axis, "float32"), parts)
    np.testing.assert_array_equal(found, np.concatenate(parts, axis))


def test_joins_of_lengths_that_differ() -> None:
    with pytest.raises(ValueError, match="lengths 4 and 3 along axis 0 cannot be joined along axis 1"):
        run_leaf(EmulatedDevice(), partial(join, 1, "float32"), [np.ones((4, 1)), np.ones((3, 1))])


def test_joins_convert() -> None:
    parts: list[Any] = [np.arange(3), np.ones(2, np.float32)]
    found = run_leaf(EmulatedDevice(), partial(join, 0, "float64"), parts)
    assert found.tolist() == [0, 1, 2, 1, 1]


def test_vectors_of_numbers() -> None:
    parts = [np.array(n, dtype) for n, dtype in ((1, "int8"), (2.5, "float32"), (-3, "int64"))]
    assert run_leaf(EmulatedDevice(), partial(make_vector, "float64"), parts).tolist() == [1, 2.5, -3]


@pytest.mark.parametrize(("rows", "columns", "offset"), [(3, 4, 0), (4, 2, -2), (3, 3, 5), (0, 2, 0), (1, 1, 0)])
def test_identity_matrices(rows: int, columns: int, offset: int) -> None:
    found = run_leaf(EmulatedDevice(), partial(eye, "float32"), [], rows, columns, offset)
    np.testing.assert_array_equal(found, np.eye(rows, columns, offset, "float32"))


@pytest.mark.parametrize(("kind", "dtype", "shape", "axis"), [
    ("sum", "float32", (3, 50), 1), ("sum", "int64", (2, 2500), 1), ("max", "float32", (1100, 2), 0),
    *(pytest.param(*case, marks=pytest.mark.slow) for case in [
        ("prod", "float64", (4, 5, 3), 1), ("min", "float32", (7, 6), 0), ("sum", "float16", (3, 2100), 1),
        ("prod", "complex64", (30, 2), 0), ("sum", "int64", (0, 3), 0), ("sum", "int64", (3, 0), 1),
        ("sum", "float32", (2, 1030, 3), 1), ("max", "int32", (9,), 0)])])
def test_running_sums(emulated: EmulatedDevice, kind: str, dtype: str, shape: tuple[int, ...], axis: int) -> None:
    x = RNG.normal(size=shape) * (3 if dtype.startswith("int") else 1)
    if kind == "max" and dtype == "float32":
        x[shape[0] // 2] = np.nan
    x = x.astype(dtype)
    ufunc = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum}[kind]
    found = run_leaf(emulated, partial(accumulate, kind, axis, dtype), [x])
    assert found.dtype == dtype
    if dtype == "float16":  # accumulated in single, where NumPy rounds every step
        wanted = np.cumsum(x.astype(np.float32), axis=axis)
        np.testing.assert_allclose(found.astype(np.float32), wanted, rtol=2e-3, atol=2e-2)
    else:
        digits = 0 if kind in ("max", "min") or dtype.startswith("int") else 3e-5 if dtype[-2:] in ("32", "64") else 0
        wanted = ufunc.accumulate(x, axis=axis)
        np.testing.assert_allclose(found, wanted, rtol=digits, atol=digits)


@pytest.mark.slow
def test_kernels_compile_for_gpus() -> None:
    compiles(copy, [np.ones((70, 45), np.float32).T])
    compiles(partial(accumulate, "sum", 1, "float32"), [np.ones((3, 2100), np.float32)])
    compiles(partial(join, 0, "float32"), [np.ones(3, np.float32)] * 3)


@pytest.mark.parametrize(("mine", "wanted"), [((3, 1), (2, 3, 4)), ((), (2, 2)), ((1, 5), (1, 5))])
def test_stretching(mine: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    x = RNG.normal(size=mine)
    np.testing.assert_array_equal(run_leaf(EmulatedDevice(), stretch, [x], *wanted), np.broadcast_to(x, wanted))
    with pytest.raises(ValueError, match="cannot be stretched"):
        run_leaf(EmulatedDevice(), stretch, [np.ones((2, 3))], 2, 4)


@pytest.mark.parametrize(("mine", "wanted"), [
    ((4, 3, 300), (3, 1)),
    *(pytest.param(*case, marks=pytest.mark.slow) for case in [((2, 3), (2, 3)), ((700,), ()), ((0, 3), (1, 3))])])
def test_sums_over_what_was_stretched(emulated: EmulatedDevice, mine: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    x = RNG.normal(size=mine)
    extra = len(mine) - len(wanted)
    total = x.sum(axis=tuple(range(extra)))
    total = total.sum(axis=tuple(i for i, n in enumerate(wanted) if n == 1), keepdims=True)
    np.testing.assert_allclose(run_leaf(emulated, sum_to, [x], *wanted), total.reshape(wanted), rtol=1e-12, atol=1e-12)


def rows_to_sort(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    x = RNG.integers(-5, 6, shape).astype(dtype)  # with ties
    if x.dtype.kind in "fc":
        x.reshape(-1)[::7] = np.nan
    return x


@pytest.mark.parametrize(("dtype", "shape", "axis"), [
    ("float32", (3, 50), 1),
    *(pytest.param(*case, marks=pytest.mark.slow) for case in [
        ("int64", (33, 4), 0), ("float16", (2, 300), 1), ("bool", (9,), 0), ("uint8", (2, 1, 3), 1),
        ("complex64", (40,), 0), ("float64", (2, 2000), 1), ("float32", (0, 3), 1), ("float32", (3, 0), 1)])])
def test_sorting_short_rows(emulated: EmulatedDevice, dtype: str, shape: tuple[int, ...], axis: int) -> None:
    x = rows_to_sort(dtype, shape)
    np.testing.assert_array_equal(run_leaf(emulated, partial(sort, axis), [x]), np.sort(x, axis=axis))
    order = np.argsort(x, axis=axis, kind="stable")
    np.testing.assert_array_equal(run_leaf(emulated, partial(argsort, axis, "int64"), [x]), order)
    if x.shape[axis] > 2:
        largest = np.flip(np.take(order, range(x.shape[axis] - 3, x.shape[axis]), axis), axis)
        np.testing.assert_array_equal(run_leaf(emulated, partial(argtopk, axis, "int32"), [x], 3), largest)
        least = np.flip(np.take(order, range(2), axis), axis)
        np.testing.assert_array_equal(run_leaf(emulated, partial(argtopk, axis, "int32"), [x], -2), least)


def test_more_elements_than_there_are() -> None:
    with pytest.raises(ValueError, match="k must be between 1 and 3"):
        run_leaf(EmulatedDevice(), partial(argtopk, 0, "int64"), [np.ones(3)], 4)


@pytest.mark.parametrize(("dtype", "shape", "axis"), [
    ("float64", (3, 6, 2), 1),
    *(pytest.param(*case, marks=pytest.mark.slow) for case in [
        ("float32", (5,), 0), ("complex128", (2, 4), 1), ("float64", (0, 3), 0), ("float64", (3, 1), 1)])])
def test_what_goes_along_an_axis(emulated: EmulatedDevice, dtype: str, shape: tuple[int, ...], axis: int) -> None:
    a, b = (RNG.normal(size=shape).astype(dtype) for _ in range(2))
    a.reshape(-1)[1:3] = 0
    for op, template, values in ((Recurrence(axis), recurrence, [a, b]), (OtherFactors(axis), other_factors, [a]),
                                 (ProductShares(axis), product_shares, [a, b])):
        out: list[list[Any]] = [[None]]
        node: Any = None
        op.perform(node, values, out)
        digits = 1e-5 if dtype == "float32" else 1e-12
        found = run_leaf(emulated, partial(template, axis), values)
        np.testing.assert_allclose(found, out[0][0], rtol=digits, atol=digits)


@pytest.mark.gpu
def test_copies_sums_and_sorting_on_a_gpu(gpu: Any) -> None:
    x = RNG.normal(size=(700, 450)).astype(np.float32)
    np.testing.assert_array_equal(run_leaf(gpu, copy, [x.T]), x.T)
    np.testing.assert_array_equal(run_leaf(gpu, partial(join, 0, "float32"), [x, x[:5]]), np.concatenate([x, x[:5]]))
    np.testing.assert_array_equal(run_leaf(gpu, partial(sort, 1), [x]), np.sort(x, axis=1))
    whole = RNG.integers(-9, 9, (3, 5000))
    np.testing.assert_array_equal(run_leaf(gpu, partial(accumulate, "sum", 1, "int64"), [whole]), np.cumsum(whole, 1))
