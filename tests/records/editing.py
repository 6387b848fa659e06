"""Records of putting in and taking out, of turning, of indices of parts, and of NumPy's composed ufuncs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

import symgraph.tensor as T
from tests.records.base import Record, Sample, arrays, each, random_array
from tests.records.statistics import DISCRETE, LOOSE, SOME

CONSTANT = "its arguments are lengths"
FEW = (*SOME, "complex128")


def _stacked(function: Any, stack: Any) -> Any:
    return lambda *xs, **how: stack(list(function(*xs, **how)))


def _of_lengths(name: str, *cases: dict[str, Any], **more: Any) -> Record:
    return Record(name, _stacked(getattr(T, name), T.stack), _stacked(getattr(np, name), np.stack),
                  lambda rng, dtype: [((), case) for case in cases], ("int64",), gradient=CONSTANT, **more)


def _places(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    x = random_array(rng, dtype, (3, 4))
    for obj in (1, -1, [0, 2], slice(1, 3)):
        yield (x,), {"obj": obj, "axis": 1}
    yield (x,), {"obj": [3, 3, 0]}


def _insertions(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    x = random_array(rng, dtype, (2, 3))
    yield (x, random_array(rng, dtype, ())), {"obj": 1, "axis": 0}
    yield (x, random_array(rng, dtype, (2, 3))), {"obj": [2, 0, 2], "axis": 1}
    yield (x, random_array(rng, dtype, (2, 2))), {"obj": -1, "axis": 1}
    yield (x, random_array(rng, dtype, (2,))), {"obj": [1, 6]}


def _removed(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    yield (random_array(rng, dtype, (5,)), np.array([0, 3])), {}


def _permuted(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    x = random_array(rng, dtype, (2, 4))
    yield (x, rng.permutation(4)), {}
    yield (x, np.stack([rng.permutation(4), rng.permutation(4)])), {"inverse": True}


def _permute(x: Any, y: Any, inverse: bool = False) -> Any:
    order = np.argsort(y, -1) if inverse else y
    return np.take_along_axis(x, np.broadcast_to(order, x.shape), -1)


def _partitioned(function: Any) -> Any:
    return lambda x, kth, axis=-1: np.take_along_axis(
        x if axis is not None else x.ravel(), np.argpartition(x, kth, axis), -1 if axis is None else axis)


_KTH = each(arrays((5,), distinct=True, kth=2), arrays((3, 4), distinct=True, kth=(0, 2), axis=0), arrays(
    (2, 3), distinct=True, kth=-1, axis=None))
_SAME = each(lambda rng, dtype: [((x, x), {}) for x in [random_array(rng, dtype, (2, 3))]], arrays((2, 3), (2, 3)),
             arrays((3,), (2,)))
_RUNNING = each(arrays((3, 4), distinct=True), arrays((3, 4), distinct=True, axis=1), arrays((0, 2), axis=0))


def _accumulated(ufunc: Any) -> Any:
    return lambda x, axis=None: ufunc.accumulate(x.ravel() if axis is None else x, 0 if axis is None else axis)


EDITING: tuple[Record, ...] = (
    Record("delete", T.delete, np.delete, _places, FEW),
    Record("delete_at_symbols", T.delete, np.delete, _removed, ("float32",), wrt=(0,), weakly_typed=True),
    Record("insert", lambda x, v, obj, axis=None: T.insert(x, obj, v, axis),
           lambda x, v, obj, axis=None: np.insert(x, obj, v, axis), _insertions, FEW, weakly_typed=True, order=1),
    Record("resize", T.resize, np.resize, each(arrays((2, 3), new_shape=(4, 2)), arrays((4,), new_shape=3), arrays(
        (0,), new_shape=(2, 2))), FEW),
    Record("trim_zeros", T.trim_zeros, np.trim_zeros, lambda rng, dtype: [
        ((np.array([0, 0, 1, 0, 2, 0], dtype),), how) for how in ({}, {"trim": "f"}, {"trim": "b"})], SOME,
        gradient="elements that become zero are a jump", weakly_typed=True),
    Record("block", lambda a, b, c: T.block([[a, b], [c, c]]), lambda a, b, c: np.block([[a, b], [c, c]]),
           each(arrays((2, 3), (2, 1), (1, 2)), arrays((2,), (2,), (2,))), FEW),
    Record("rollaxis", T.rollaxis, np.rollaxis, each(arrays((2, 3, 4), axis=2), arrays((2, 3, 4), axis=0, start=-1)),
           FEW),
    Record("rot90", T.rot90, np.rot90, each(*(arrays((2, 3), k=k) for k in (0, 1, 2, 3)), arrays(
        (2, 3, 4), axes=(2, 0))), FEW),
    Record("cross", T.cross, np.cross, each(arrays((3,), (3,)), arrays((2, 3), (3,)), arrays((3, 2), (3, 2), axis=0)),
           FEW),
    Record("diagflat", T.diagflat, np.diagflat, each(arrays((2, 2)), arrays((3,), k=-1)), FEW),
    _of_lengths("diag_indices", {"n": 3}, {"n": 2, "ndim": 3}),
    _of_lengths("tril_indices", {"n": 3}, {"n": 2, "k": 1, "m": 4}, weakly_typed=True),
    _of_lengths("triu_indices", {"n": 3}, {"n": 4, "k": -1, "m": 2}, weakly_typed=True),
    Record("indices", T.indices, np.indices, lambda rng, dtype: [((), {"dimensions": (2, 3)})], ("int64",),
           gradient=CONSTANT),
    *(Record(name, _stacked(getattr(T, name), T.stack), _stacked(getattr(np, name), np.stack), arrays((3, 3)),
             ("float64",), gradient=DISCRETE, weakly_typed=True)
      for name in ("diag_indices_from", "tril_indices_from", "triu_indices_from")),
    Record("ix_", lambda x: x[T.ix_([0, 2], [True, False, True, True])],
           lambda x: x[np.ix_([0, 2], [True, False, True, True])], arrays((3, 4)), SOME, weakly_typed=True),
    Record("array_equal", T.array_equal, lambda *xs: np.asarray(np.array_equal(*xs)), _SAME, SOME, gradient=DISCRETE),
    Record("array_equiv", T.array_equiv, lambda *xs: np.asarray(np.array_equiv(*xs)), each(_SAME, lambda rng, dtype: [
        ((np.ones((2, 3), dtype), np.ones(3, dtype)), {})]), SOME, gradient=DISCRETE),
    Record("piecewise", lambda x: T.piecewise(x, [x < 0, x > 1], [lambda v: v * v, 3, lambda v: v * 2]),
           lambda x: np.piecewise(x, [x < 0, x > 1], [lambda v: v * v, 3, lambda v: v * 2]), arrays((3, 4)), SOME),
    Record("permute_row_elements", T.permute_row_elements, _permute, _permuted, FEW, wrt=(0,)),
    Record("broadcast_shape", lambda x, y: T.stack([T.as_tensor_variable(n) for n in T.broadcast_shape(x, y)]),
           lambda x, y: np.array(np.broadcast_shapes(x.shape, y.shape)), arrays((3, 1), (4,)), ("float64",),
           gradient=CONSTANT),
    *(Record(name, getattr(T, name), np.array, arrays(()), SOME) for name in ("tensor_from_scalar",
                                                                              "scalar_from_tensor")),
    Record("transfer", lambda x: T.transfer(x, "cpu"), np.array, arrays((2,)), SOME),
    Record("assert_op", lambda x: T.assert_op(x, x < 9), np.array, arrays((2, 3)), SOME),
    Record("partition", T.partition, _partitioned(np.partition), _KTH, SOME),
    Record("argpartition", T.argpartition, np.argpartition, _KTH, SOME, gradient=DISCRETE),
    Record("lexsort", lambda *keys: T.lexsort(keys), lambda *keys: np.lexsort(keys), each(
        arrays((6,), (6,)), arrays((2, 4), (2, 4), (2, 4))), (*SOME, "bool"), gradient=DISCRETE),
    Record("sort_complex", T.sort_complex, np.sort_complex, arrays((5,), distinct=True),
           ("int8", "int64", "float32", "complex64"), gradient="its result is complex"),
    Record("cummax", T.cummax, _accumulated(np.maximum), _RUNNING, (*SOME, "bool")),
    Record("cummin", T.cummin, _accumulated(np.minimum), _RUNNING, SOME),
    Record("average_returned", lambda x, w: T.add(*T.average(x, 0, w, returned=True)),
           lambda x, w: np.add(*np.average(x, 0, w, returned=True)), arrays((3, 4), (3,), low=0.5),
           ("float32", "float64"), tolerance=LOOSE),
    Record("diff_of_more", T.diff, np.diff, each(arrays((3, 4), prepend=1, append=2), arrays((3,), prepend=[1, 2])),
           SOME),
    Record("linspace_step", lambda a, b: T.linspace(a, b, 4, retstep=True)[1],
           lambda a, b: np.asarray(np.linspace(a, b, 4, retstep=True)[1]), arrays((2,), (2,)), ("float64",)),
)


UFUNCS: tuple[Record, ...] = (
    Record("positive", T.positive, np.positive, arrays((2, 3)), FEW),
    Record("fabs", T.fabs, np.fabs, arrays((2, 3)), SOME),
    Record("float_power", T.float_power, np.float_power, arrays((2, 3), (3,), low=1), FEW, tolerance=LOOSE),
    Record("fmax", T.fmax, np.fmax, arrays((2, 3), (3,)), SOME),
    Record("fmin", T.fmin, np.fmin, arrays((2, 3), (3,)), SOME),
    Record("logaddexp2", T.logaddexp2, np.logaddexp2, arrays((2, 3), (3,)), SOME, tolerance=LOOSE),
    *(Record(f"{name}_{i}" if i else name, lambda x, n=name, i=i: getattr(T, n)(x)[i],
             lambda x, n=name, i=i: getattr(np, n)(x)[i], arrays((2, 3)), ("int64", "float16", "float32", "float64"),
             gradient=DISCRETE if i else "") for name in ("modf", "frexp") for i in (0, 1)),
    Record("divmod", lambda x, y: T.add(*T.divmod(x, y)), lambda x, y: np.add(*np.divmod(x, y)),
           arrays((2, 3), (3,), low=1, high=3), SOME),
    Record("vecdot", T.vecdot, np.vecdot, each(arrays((2, 3), (3,)), arrays((3,), (3,))), FEW, tolerance=LOOSE),
    Record("matvec", T.matvec, np.matvec, arrays((2, 3, 4), (4,)), FEW, tolerance=LOOSE),
    Record("vecmat", T.vecmat, np.vecmat, arrays((3,), (2, 3, 4)), FEW, tolerance=LOOSE),
)
