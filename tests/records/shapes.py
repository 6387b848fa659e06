"""Records of what changes shapes, joins, cuts, creates and multiplies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import symgraph.tensor as T
from tests.records.base import ALL, Record, Sample, arrays, each, random_array

CONSTANT = "its arguments are lengths"
ROUNDINGS = {"float16": 2e-2, "float32": 2e-5, "complex64": 2e-5}
ARITHMETIC = tuple(d for d in ALL if d != "bool")


def _dimshuffle(x: Any, pattern: Any) -> Any:
    x = x.transpose([a for a in range(x.ndim) if a not in pattern] + [a for a in pattern if a != "x"])
    x = x[(0,) * (x.ndim - sum(a != "x" for a in pattern))]
    return x[tuple(None if a == "x" else slice(None) for a in pattern)]


def _flatten(x: Any, ndim: int = 1) -> Any:
    return x.reshape((*x.shape[: ndim - 1], -1) if x.size else (*x.shape[: ndim - 1], int(np.prod(x.shape[ndim - 1:]))))


def _padded(x: Any, left: int = 0, right: int = 0) -> Any:
    return x.reshape((1,) * left + x.shape + (1,) * right)


def _atleast(ndim: int) -> Any:
    return lambda x: x.reshape((1,) * max(ndim - x.ndim, 0) + x.shape)


def _joined(function: Any) -> Callable[..., Any]:
    return lambda *xs, **options: function(list(xs), **options)


def _split(*xs: Any, sizes: Any, axis: int, pick: int) -> Any:
    return np.split(xs[0], np.cumsum(sizes)[:-1], axis)[pick]


MATRIX = ((3, 4),)
SHAPES: tuple[Record, ...] = (
    Record(
        "shape",
        T.shape,
        lambda x: np.array(x.shape, "int64"),
        each(arrays((3, 4)), arrays(())),
        ("float32",),
        gradient=CONSTANT,
    ),
    Record(
        "size",
        T.size,
        lambda x: np.array(x.size, "int64"),
        each(arrays((3, 4)), arrays(())),
        ("float32",),
        gradient=CONSTANT,
    ),
    Record(
        "dimshuffle",
        T.dimshuffle,
        _dimshuffle,
        each(
            arrays((3, 4), pattern=(1, 0)),
            arrays((3, 4), pattern=("x", 1, "x", 0)),
            arrays((3, 1), pattern=(0,)),
            arrays((2, 1, 3), pattern=(2, "x", 0)),
            arrays((), pattern=("x",)),
            arrays((1, 1), pattern=()),
            arrays((0, 3), pattern=(1, 0)),
        ),
    ),
    Record(
        "transpose",
        T.transpose,
        np.transpose,
        each(arrays((3, 4)), arrays((2, 3, 4), axes=(1, -1, 0)), arrays(()), arrays((3,))),
    ),
    Record("swapaxes", T.swapaxes, np.swapaxes, arrays((2, 3, 4), axis1=0, axis2=-1)),
    Record(
        "moveaxis",
        T.moveaxis,
        np.moveaxis,
        each(arrays((2, 3, 4), source=0, destination=-1), arrays((2, 3, 4), source=[0, 1], destination=[2, 0])),
    ),
    Record("expand_dims", T.expand_dims, np.expand_dims, each(arrays((3, 4), axis=1), arrays((3,), axis=(0, -1)))),
    Record(
        "squeeze", T.squeeze, np.squeeze, each(arrays((1, 3, 1)), arrays((1, 3, 1), axis=-1), arrays((1,), axis=(0,)))
    ),
    Record(
        "shape_padleft",
        T.shape_padleft,
        lambda x, n_ones=1: _padded(x, left=n_ones),
        each(arrays((3,)), arrays((3,), n_ones=2)),
    ),
    Record(
        "shape_padright",
        T.shape_padright,
        lambda x, n_ones=1: _padded(x, right=n_ones),
        each(arrays((3,)), arrays((3,), n_ones=2)),
    ),
    Record("shape_padaxis", T.shape_padaxis, np.expand_dims, arrays((3, 4), axis=-1)),
    Record("atleast_1d", T.atleast_1d, _atleast(1), each(arrays(()), arrays((3,)))),
    Record("atleast_2d", T.atleast_2d, _atleast(2), each(arrays(()), arrays((3,)), arrays((2, 3)))),
    Record("atleast_3d", T.atleast_3d, _atleast(3), each(arrays(()), arrays((2, 3)))),
    Record(
        "reshape",
        T.reshape,
        lambda x, newshape: np.reshape(x, newshape),
        each(
            arrays((3, 4), newshape=(2, 6)),
            arrays((3, 4), newshape=(-1,)),
            arrays((3, 4), newshape=(4, -1, 1)),
            arrays((1, 1), newshape=()),
            arrays((), newshape=(1, 1)),
            arrays((0, 3), newshape=(3, 0)),
        ),
    ),
    Record(
        "flatten", T.flatten, _flatten, each(arrays((2, 3, 4)), arrays((2, 3, 4), ndim=2), arrays(()), arrays((0, 3)))
    ),
    Record("specify_shape", T.specify_shape, lambda x, shape: x, arrays((3, 4), shape=(3, None))),
    Record("addbroadcast", lambda x, axis: T.addbroadcast(x, axis), lambda x, axis: x, arrays((3, 1), axis=1)),
    Record(
        "patternbroadcast", T.patternbroadcast, lambda x, broadcastable: x, arrays((3, 1), broadcastable=(False, True))
    ),
    Record("unbroadcast", lambda x, axis: T.unbroadcast(x, axis), lambda x, axis: x, arrays((3, 1), axis=1)),
    Record(
        "broadcast_to",
        T.broadcast_to,
        np.broadcast_to,
        each(arrays((1, 4), shape=(3, 4)), arrays((4,), shape=(2, 3, 4)), arrays((), shape=(2,))),
    ),
    Record(
        "cast",
        T.cast,
        lambda x, dtype: x.astype(dtype),
        each(arrays((3, 4), dtype="float64", low=0), arrays((3,), dtype="int8", low=0), arrays((), dtype="bool")),
        tuple(d for d in ALL if not d.startswith("complex")),
        gradient="a cast between floats is tested in test_gradients, to integers nothing flows",
    ),
)

JOINS: tuple[Record, ...] = (
    Record("join", lambda *xs, axis: T.join(axis, *xs), _joined(np.concatenate), each(
        arrays((3, 4), (2, 4), (0, 4), axis=0), arrays((3, 1), (3, 4), axis=-1))),
    Record("concatenate", _joined(T.concatenate), _joined(np.concatenate), arrays((3, 4), (3, 2), axis=1)),
    Record("stack", _joined(T.stack), _joined(np.stack), each(
        arrays((3, 4), (3, 4), axis=1), arrays((3,), (3,), (3,), axis=-1), arrays((), (), axis=0))),
    Record("split", lambda x, sizes, axis, pick: T.split(x, sizes, len(sizes), axis)[pick], _split, each(
        arrays((3, 5), sizes=[2, 0, 3], axis=1, pick=0), arrays((5, 2), sizes=[1, 4], axis=-2, pick=1))),
)


def _like(function: Any, **options: Any) -> Any:
    return lambda rng, dtype: [((), {**options, "dtype": dtype})]


def _creating(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    for shape in ((2, 3), 4, (), (0, 2)):
        yield (), {"shape": shape, "dtype": dtype}


def _alloc_samples(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    for own, shape in (((), (2, 3)), ((3,), (2, 3)), ((2, 1), (2, 3)), ((2, 3), (2, 3)), ((1, 1), (4, 2, 3))):
        yield (random_array(rng, dtype, own),), {"shape": shape}


def _arange(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    for bounds in ((5,), (2, 7), (7, 2, -2), (3, 3), (0, 10, 4), (5, 1)):
        if min(bounds) >= 0 or np.dtype(dtype).kind != "u":
            yield (), {"bounds": bounds, "dtype": dtype}


CREATION: tuple[Record, ...] = (
    Record("zeros", T.zeros, np.zeros, _creating, gradient=CONSTANT),
    Record("ones", T.ones, np.ones, _creating, gradient=CONSTANT),
    Record(
        "empty",
        lambda **how: T.empty(**how) * 0,
        lambda **how: np.zeros(**how) * 0,
        _creating,
        ("float32",),
        gradient=CONSTANT,
    ),
    Record(
        "full",
        T.full,
        np.full,
        lambda rng, dtype: [((), {"shape": (2, 3), "fill_value": 1, "dtype": dtype})],
        gradient=CONSTANT,
    ),
    Record("alloc", lambda x, shape: T.alloc(x, *shape), np.broadcast_to, _alloc_samples),
    Record(
        "zeros_like",
        T.zeros_like,
        np.zeros_like,
        each(arrays((3, 4)), arrays(()), arrays((3,), dtype="int8")),
        gradient=CONSTANT,
    ),
    Record(
        "ones_like",
        T.ones_like,
        np.ones_like,
        each(arrays((3, 4)), arrays(()), arrays((3,), dtype="int8")),
        gradient=CONSTANT,
    ),
    Record(
        "full_like",
        T.full_like,
        np.full_like,
        each(arrays((3, 4), fill_value=1), arrays((3,), fill_value=1, dtype="int8")),
        gradient=CONSTANT,
    ),
    Record(
        "arange",
        lambda bounds, dtype: T.arange(*bounds, dtype=dtype),  # type: ignore[misc]
        lambda bounds, dtype: np.arange(*bounds).astype(dtype),
        _arange,
        tuple(d for d in ALL if d != "bool" and not d.startswith("complex")),
        gradient="see test_gradients",
    ),
    Record(
        "eye",
        lambda n, m, k, dtype: T.eye(n, m, k, dtype),
        lambda n, m, k, dtype: np.eye(n, m, k, dtype),
        lambda rng, dtype: [
            ((), {"n": 3, "m": 4, "k": 1, "dtype": dtype}),
            ((), {"n": 2, "m": None, "k": -1, "dtype": dtype}),
        ],
        gradient=CONSTANT,
    ),
    Record(
        "identity_like", T.identity_like, lambda x: np.eye(*x.shape, dtype=x.dtype), arrays((3, 4)), gradient=CONSTANT
    ),
)


def _batched_dot(a: Any, b: Any) -> Any:
    return np.stack([np.dot(x, y) for x, y in zip(a, b, strict=True)])


PRODUCTS: tuple[Record, ...] = (
    Record(
        "dot",
        T.dot,
        np.dot,
        each(
            arrays((3, 4), (4, 2)),
            arrays((4,), (4,)),
            arrays((3, 4), (4,)),
            arrays((4,), (4, 2)),
            arrays((), (3, 4)),
            arrays((2, 3, 4), (4, 2)),
            arrays((2, 3, 4), (5, 4, 2)),
            arrays((3, 0), (0, 2)),
            arrays((2, 3, 4), (4,)),
        ),
        tolerance=ROUNDINGS,
    ),
    Record(
        "matmul",
        T.matmul,
        np.matmul,
        each(
            arrays((3, 4), (4, 2)),
            arrays((4,), (4,)),
            arrays((2, 3, 4), (2, 4, 5)),
            arrays((2, 3, 4), (4, 5)),
            arrays((4,), (2, 4, 5)),
            arrays((2, 3, 4), (4,)),
            arrays((1, 3, 4), (2, 4, 5)),
            arrays((5, 1, 3, 4), (2, 4, 2)),
            arrays((2, 3, 4), (1, 4, 5)),
        ),
        tolerance=ROUNDINGS,
    ),
    Record(
        "batched_dot",
        T.batched_dot,
        _batched_dot,
        each(
            arrays((2, 3, 4), (2, 4, 5)),
            arrays((2, 4), (2, 4, 5)),
            arrays((2, 3, 4), (2, 4)),
            arrays((2, 4), (2, 4)),
            arrays((2,), (2, 3)),
            arrays((2, 3, 4), (2,)),
        ),
        tolerance=ROUNDINGS,
    ),
    Record(
        "tensordot",
        T.tensordot,
        np.tensordot,
        each(
            arrays((2, 3, 4), (3, 4, 5)),
            arrays((2, 3, 4), (4, 3, 2), axes=[[1, 2], [1, 0]]),
            arrays((2, 3), (4,), axes=0),
            arrays((2, 3), (3, 2), axes=1),
            arrays((2, 3), (2, 3), axes=2),
            arrays((3,), (3,), axes=[0, 0]),
        ),
        tolerance=ROUNDINGS,
    ),
    Record(
        "inner",
        T.inner,
        np.inner,
        each(arrays((3, 4), (2, 4)), arrays((4,), (4,)), arrays((2, 3, 4), (4,))),
        tolerance=ROUNDINGS,
    ),
    Record("outer", T.outer, np.outer, each(arrays((3,), (4,)), arrays((2, 2), (3,))), tolerance=ROUNDINGS),
)
