"""Records of the functions composed of others."""

from __future__ import annotations

from typing import Any

import numpy as np

import symgraph.tensor as T
from tests.records.base import Record, arrays, each


def _joined(x: Any, start_axis: int = 0, n_axes: int | None = None) -> Any:
    first = start_axis % x.ndim if x.ndim else 0
    last = x.ndim if n_axes is None else first + n_axes
    return x.reshape(*x.shape[:first], int(np.prod(x.shape[first:last])), *x.shape[last:])


def _parted(x: Any, shape: Any, axis: int = 0) -> Any:
    place = axis % x.ndim
    return x.reshape(*x.shape[:place], *shape, *x.shape[place + 1:])


EXTRA: tuple[Record, ...] = (
    Record("ravel", T.ravel, np.ravel, each(arrays((3, 4)), arrays(()))),
    Record("join_dims", T.join_dims, _joined, each(
        arrays((2, 3, 4)), arrays((2, 3, 4), start_axis=1), arrays((2, 3, 4), start_axis=-3, n_axes=2),
        arrays((2, 0, 4), n_axes=2), arrays((2, 3), start_axis=1, n_axes=0), arrays(()))),
    Record("split_dims", T.split_dims, _parted, each(
        arrays((6, 4), shape=(2, 3)), arrays((2, 6), shape=(2, -1), axis=1), arrays((1, 2), shape=()),
        arrays((2, 0), shape=(0, 2), axis=-1), arrays((4,), shape=(-1, 1, 2)))),
    Record("identity", lambda n, dtype: T.identity(n, dtype), lambda n, dtype: np.identity(n, dtype),
           lambda rng, dtype: [((), {"n": 3, "dtype": dtype}), ((), {"n": 0, "dtype": dtype})],
           gradient="it depends on no tensor"),
    Record(
        "repeat",
        T.repeat,
        np.repeat,
        each(
            arrays((3, 4), repeats=2),
            arrays((3, 4), repeats=3, axis=0),
            arrays((3, 4), repeats=2, axis=-1),
            arrays((1, 2), repeats=2, axis=0),
            arrays((3,), repeats=0),
            arrays((), repeats=2),
        ),
    ),
    Record(
        "tile",
        T.tile,
        np.tile,
        each(
            arrays((3, 4), reps=2),
            arrays((3, 4), reps=(2, 1)),
            arrays((3,), reps=(2, 2)),
            arrays((), reps=(3,)),
            arrays((1, 2), reps=(3, 0)),
            arrays((), reps=()),
        ),
    ),
    Record("flip", T.flip, np.flip, each(arrays((3, 4)), arrays((3, 4), axis=1), arrays((2, 3, 4), axis=(0, -1)))),
    Record(
        "roll",
        T.roll,
        np.roll,
        each(
            arrays((3, 4), shift=1),
            arrays((3, 4), shift=-1, axis=0),
            arrays((3, 4), shift=9, axis=-1),
            arrays((0,), shift=2),
        ),
    ),
    Record(
        "tri",
        lambda **how: T.tri(**how),
        lambda **how: np.tri(**how),
        lambda rng, dtype: [
            ((), {"N": 3, "dtype": dtype}),
            ((), {"N": 3, "M": 4, "k": 1, "dtype": dtype}),
            ((), {"N": 2, "M": 4, "k": -1, "dtype": dtype}),
        ],
        gradient="its arguments are lengths",
    ),
    Record("tril", T.tril, np.tril, each(arrays((3, 4)), arrays((2, 3, 3), k=1), arrays((3, 3), k=-1))),
    Record("triu", T.triu, np.triu, each(arrays((3, 4)), arrays((2, 3, 3), k=1), arrays((3, 3), k=-1))),
    Record(
        "diagonal",
        T.diagonal,
        np.diagonal,
        each(
            arrays((3, 4)),
            arrays((3, 4), offset=2),
            arrays((3, 4), offset=-1),
            arrays((2, 3, 4), axis1=-1, axis2=0),
            arrays((2, 3), offset=7),
        ),
        weakly_typed=True,
    ),
    Record(
        "trace",
        T.trace,
        np.trace,
        each(arrays((3, 4)), arrays((3, 4), offset=1)),
        tolerance={"float16": 1e-2, "float32": 1e-5, "complex64": 1e-5},
    ),
)
