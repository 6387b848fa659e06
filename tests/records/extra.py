"""Records of the functions composed of others."""

from __future__ import annotations

import numpy as np

import symgraph.tensor as T
from tests.records.base import Record, arrays, each

EXTRA: tuple[Record, ...] = (
    Record("ravel", T.ravel, np.ravel, each(arrays((3, 4)), arrays(()))),
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
