"""Indexing with arrays on a device: reading, setting and adding, against NumPy."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import symgraph.tensor as T
from backends.cupy.devices.emulated import EmulatedDevice
from backends.cupy.execution import Direct, Errors, Kernels
from backends.cupy.leaves import scatters
from backends.cupy.leaves.gathers import gather
from backends.cupy.leaves.leaf import LeafOp, Operand
from backends.cupy.leaves.regions import region_of
from backends.cupy.leaves.scatters import scatter
from symgraph.tensor.index import ARRAY, NEWAXIS, NOTHING, SCALAR, SliceSpec
from symgraph.tensor.subtensor import IncSubtensor, Subtensor
from tests.cupy.leaf_runs import compiles, run_leaf

FULL = SliceSpec()
RNG = np.random.default_rng(3)
A, B, C = RNG.integers(-5, 5, (4, 1)), RNG.integers(-3, 3, 3), RNG.integers(-7, 7, (2, 4, 3))

#: Specs, with the values of their marks, for an array of shape (5, 3, 7).
INDICES: list[tuple[tuple[Any, ...], list[Any]]] = [
    ((ARRAY,), [A[:, 0]]),
    ((ARRAY,), [np.array(-2)]),
    ((ARRAY, ARRAY), [A, B]),
    ((ARRAY, ARRAY, ARRAY), [A, B, C]),
    ((FULL, ARRAY), [B]),
    ((ARRAY, FULL, ARRAY), [A, B]),                                 # apart: the arrays' axes come first
    ((SliceSpec(4, None, -2), ARRAY, SliceSpec(1, SCALAR, 2)), [B, 6]),
    ((ARRAY, 1, FULL), [A]),
    ((ARRAY, FULL, SCALAR), [A, -1]),
    ((NEWAXIS, FULL, ARRAY, NEWAXIS), [B]),
    ((ARRAY, NOTHING, 2, FULL), [A[:, 0]]),
    ((SliceSpec(3, 3), ARRAY), [B]),
]
X = RNG.normal(size=(7, 5, 3)).astype(np.float32).transpose(1, 2, 0)


def parts(values: list[Any]) -> tuple[list[Any], list[int]]:
    return [v for v in values if isinstance(v, np.ndarray)], [v for v in values if not isinstance(v, np.ndarray)]


@pytest.mark.parametrize(("spec", "values"), INDICES)
def test_regions_are_numpys(spec: tuple[Any, ...], values: list[Any]) -> None:
    arrays, numbers = parts(values)
    region = region_of(spec, Operand.of(X), [Operand.of(a) for a in arrays], numbers)
    assert region.shape == X[Subtensor(spec).index(values)].shape


@pytest.mark.parametrize(("spec", "values"), [
    *INDICES[2:3], *INDICES[5:7],
    *(pytest.param(*case, marks=pytest.mark.slow) for case in (*INDICES[:2], *INDICES[3:5], *INDICES[7:]))])
def test_gathering(emulated: EmulatedDevice, spec: tuple[Any, ...], values: list[Any]) -> None:
    arrays, numbers = parts(values)
    found = run_leaf(emulated, partial(gather, spec), [X, *arrays], *numbers)
    np.testing.assert_array_equal(found, X[Subtensor(spec).index(values)])


@pytest.mark.parametrize("dtype", ["bool", pytest.param("float16", marks=pytest.mark.slow), "complex128"])
def test_gathering_keeps_the_dtype(dtype: str) -> None:
    x = (RNG.normal(size=(4, 3)) > 0).astype(dtype)
    found = run_leaf(EmulatedDevice(), partial(gather, (ARRAY,)), [x, np.array([3, -4], np.int32)])
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, x[[3, -4]])


@pytest.mark.parametrize("bad", [5, -6, 2**40])
def test_an_index_out_of_range_is_an_error_with_its_value(bad: int) -> None:
    with pytest.raises(IndexError, match=f"index {bad} is out of bounds for axis of size 5"):
        run_leaf(EmulatedDevice(checked=True), partial(gather, (ARRAY,)), [X, np.array([0, bad, 1])])
    y = np.ones((3, 3, 7), np.float32)
    with pytest.raises(IndexError, match=f"index {bad} is out of bounds for axis of size 5"):
        run_leaf(EmulatedDevice(checked=True), partial(scatter, IncSubtensor((ARRAY,), False)),
                 [X, y, np.array([0, bad, 1])])


def test_positions_of_the_host_are_checked_at_once() -> None:
    with pytest.raises(IndexError, match="index 9 is out of bounds for axis 2 with size 7"):
        run_leaf(EmulatedDevice(), partial(gather, (ARRAY, FULL, SCALAR)), [X, B], 9)
    with pytest.raises(IndexError, match="size 0"):
        run_leaf(EmulatedDevice(), partial(gather, (ARRAY,)), [X[:0], B])
    assert run_leaf(EmulatedDevice(), partial(gather, (ARRAY,)), [X[:0], B[:0]]).shape == (0, 3, 7)


BASIC: list[tuple[tuple[Any, ...], list[Any]]] = [
    ((SliceSpec(1, 4), SCALAR, SliceSpec(None, None, 3)), [-1]),
    ((SliceSpec(None, None, -2), FULL, SliceSpec(5, 0, -2)), []),
    ((NEWAXIS, SliceSpec(SCALAR, None), NEWAXIS), [3]),
    ((2,), []),
    ((FULL, SliceSpec(2, 2)), []),
]


def check_scatter(device: Any, op: IncSubtensor, values: list[Any], y: Any, x: np.ndarray = X) -> None:
    arrays, numbers = parts(values)
    found = run_leaf(device, partial(scatter, op), [x, y, *arrays], *numbers)
    np.testing.assert_array_equal(found, op.write(np.array(x), y, values))


@pytest.mark.parametrize("set_instead", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("spec", "values"), [
    *BASIC[:2], *(pytest.param(*case, marks=pytest.mark.slow) for case in BASIC[2:])])
def test_parts_are_set_and_increased(emulated: EmulatedDevice, spec: tuple[Any, ...], values: list[Any],
                                     set_instead: bool) -> None:
    shape = X[Subtensor(spec).index(values)].shape
    check_scatter(emulated, IncSubtensor(spec, set_instead), values, RNG.normal(size=shape).astype(np.float32))
    check_scatter(emulated, IncSubtensor(spec, set_instead), values, np.float32(2.5))


@pytest.mark.parametrize("failed", [0, 1])
@pytest.mark.parametrize("op", [
    IncSubtensor((ARRAY,), False), IncSubtensor((ARRAY,), True), IncSubtensor((ARRAY,), True, unique=True),
    IncSubtensor((SliceSpec(None, None, -2), FULL, SliceSpec(1, SCALAR)), False)], ids=str)
@pytest.mark.parametrize("few", [scatters._FEW, 0])
def test_writing_in_place_leaves_all_else_alone(emulated: EmulatedDevice, op: IncSubtensor, failed: int, few: int,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    """And everything, once an index was found to be out of range."""
    monkeypatch.setattr(scatters, "_FEW", few)
    values: list[Any] = [np.array([3, -4, 0] if op.unique else [3, -4, 1, 3])] if ARRAY in op.spec else [6]
    x = np.ascontiguousarray(X)
    arrays, numbers = parts(values)
    y = RNG.normal(size=x[op.index(values)].shape).astype(np.float32)
    errors, here = Errors(emulated), emulated.to_device(x)
    emulated.to_device(np.array([failed, 0, 0]), errors.word)
    write = LeafOp(partial(scatter, op, in_place=True, guarded=True), Kernels(emulated), errors)
    found = write(Direct(emulated), (here, *map(emulated.to_device, (y, *arrays))), tuple(numbers), into=here)
    assert found is here
    np.testing.assert_array_equal(emulated.to_host(here), x if failed else op.write(np.array(x), y, values))


@pytest.mark.parametrize("set_instead", [True, False])
@pytest.mark.parametrize(("spec", "values"), [
    INDICES[2], INDICES[6],
    *(pytest.param(*case, marks=pytest.mark.slow) for case in (*INDICES[:2], *INDICES[3:6], *INDICES[7:]))])
def test_repeated_indices_accumulate_in_order_and_the_last_one_stays(
    emulated: EmulatedDevice, spec: tuple[Any, ...], values: list[Any], set_instead: bool,
) -> None:
    shape = X[Subtensor(spec).index(values)].shape
    check_scatter(emulated, IncSubtensor(spec, set_instead), values, RNG.normal(size=shape).astype(np.float32))


def test_many_repetitions_give_numpys_sum_bit_for_bit(emulated: EmulatedDevice) -> None:
    x, where = np.zeros((3, 70), np.float32), RNG.integers(0, 3, 400)
    check_scatter(emulated, IncSubtensor((ARRAY,), False), [where], RNG.normal(size=(400, 70)).astype(np.float32), x)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes from which on positions are counted and listed, made small."""
    monkeypatch.setattr(scatters, "_FEW", 4)
    monkeypatch.setattr(scatters, "_SORTED", 20)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("set_instead", [False, True])
def test_many_positions_are_brought_together_first(emulated: EmulatedDevice, set_instead: bool) -> None:
    x = RNG.normal(size=(6, 3)).astype(np.float32)
    rows = np.concatenate([RNG.integers(-6, 6, 50), np.full(30, 2)])
    check_scatter(emulated, IncSubtensor((ARRAY,), set_instead), [rows], RNG.normal(size=(80, 3)).astype(np.float32), x)


@pytest.mark.slow
@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("set_instead", [False, True])
@pytest.mark.parametrize(("spec", "values"), INDICES)
def test_positions_brought_together(emulated: EmulatedDevice, spec: tuple[Any, ...], values: list[Any],
                                    set_instead: bool) -> None:
    shape = X[Subtensor(spec).index(values)].shape
    check_scatter(emulated, IncSubtensor(spec, set_instead), values, RNG.normal(size=shape).astype(np.float32))


@pytest.mark.slow
def test_very_many_positions() -> None:
    x, rows = np.zeros(3000, np.float32), np.minimum(RNG.geometric(0.002, 6000), 2999)
    check_scatter(EmulatedDevice(seed=1), IncSubtensor((ARRAY,), False), [rows],
                  RNG.normal(size=6000).astype(np.float32), x)


@pytest.mark.parametrize(("mine", "theirs"), [("float16", "float16"), ("int8", "int8"),
                                              pytest.param("bool", "bool", marks=pytest.mark.slow),
                                              pytest.param("complex64", "float32", marks=pytest.mark.slow)])
def test_dtypes_of_scattering(mine: str, theirs: str) -> None:
    x, y = np.ones((4, 2)).astype(mine), RNG.normal(size=(5, 2)).astype(theirs)
    check_scatter(EmulatedDevice(), IncSubtensor((ARRAY,), False), [np.array([1, 1, 3, 1, 0])], y, x)


@pytest.mark.parametrize("set_instead", [True, False])
def test_indices_known_to_differ_are_written_at_once(set_instead: bool) -> None:
    op = IncSubtensor((ARRAY, FULL, ARRAY), set_instead, True)
    check_scatter(EmulatedDevice(), op, [np.arange(5), np.array([6, 0, 0, -2, 3])],
                  RNG.normal(size=(5, 3)).astype(np.float32))


def test_kernels_compile_for_gpus() -> None:
    compiles(partial(gather, INDICES[5][0]), [X, A, B])


@pytest.mark.slow
def test_kernels_of_sums_compile_for_gpus() -> None:
    compiles(partial(scatter, IncSubtensor((ARRAY,), False)), [X, np.ones((4, 3, 7), np.float32), A[:, 0]])


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_kernels_for_many_positions_compile_for_gpus() -> None:
    for set_instead in (False, True):
        op, y = IncSubtensor((ARRAY,), set_instead), np.ones((9, 3, 7), np.float32)
        compiles(partial(scatter, op), [X, y, np.arange(9)])


def test_names_of_the_library_are_used() -> None:
    x, i = T.fmatrix("x"), T.lvector("i")
    assert isinstance(x[i].owner.op, Subtensor)
    assert x[i].owner.op.spec == (ARRAY,)


@pytest.mark.gpu
def test_gathering_and_sums_on_a_gpu(gpu: Any) -> None:
    for spec, values in INDICES:
        arrays, numbers = parts(values)
        part = X[Subtensor(spec).index(values)]
        np.testing.assert_array_equal(run_leaf(gpu, partial(gather, spec), [X, *arrays], *numbers), part)
        for set_instead in (False, True):
            check_scatter(gpu, IncSubtensor(spec, set_instead), values, RNG.normal(size=part.shape).astype(np.float32))
    x, rows = np.zeros(30000, np.float32), np.minimum(RNG.geometric(0.0002, 100000), 29999)
    check_scatter(gpu, IncSubtensor((ARRAY,), False), [rows], RNG.normal(size=100000).astype(np.float32), x)


@pytest.mark.gpu
def test_an_index_out_of_range_on_a_gpu(gpu: Any) -> None:
    with pytest.raises(IndexError, match="index 9 is out of bounds"):
        run_leaf(gpu, partial(gather, (ARRAY,)), [X, np.array([0, 9])])
    np.testing.assert_array_equal(run_leaf(gpu, partial(gather, (ARRAY,)), [X, np.array([1, 0])]), X[[1, 0]])
