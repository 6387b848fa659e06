"""Records of padding, of evenly spaced numbers, and of grids."""

from __future__ import annotations

from typing import Any

import numpy as np

import symgraph.tensor as T
from tests.records.base import Record, arrays, each
from tests.records.counting import SOME

ROUNDINGS = {"float16": 1e-2, "float32": 1e-5, "float64": 1e-12}
CONSTANT = "its arguments are lengths"
MODES = ("edge", "reflect", "symmetric", "wrap")


def _padded(x: Any, pad_width: Any, **how: Any) -> Any:
    return np.pad(x, pad_width, **how)


def _geomspace(start: Any, stop: Any, **how: Any) -> Any:
    return np.geomspace(start, stop, **how).astype(start.dtype)


def _joined(function: Any, stack: Any) -> Any:
    return lambda *xs, **how: stack(function(*xs, **how))


GRIDS: tuple[Record, ...] = (
    Record("pad", T.pad, _padded, each(
        arrays((3, 4), pad_width=2), arrays((3, 4), pad_width=(1, 0)), arrays((2, 3), pad_width=((1, 2), (0, 3))),
        arrays((3,), pad_width=1, constant_values=1), arrays((2, 3), pad_width=1, constant_values=((1, 0), (0, 1))),
        arrays((0, 2), pad_width=1), arrays((), pad_width=3),
        *(arrays((3, 4), pad_width=((2, 9), (0, 1)), mode=mode) for mode in MODES),
        *(arrays((1, 2), pad_width=2, mode=mode) for mode in MODES)), SOME),
    Record("pad_of_statistics", T.pad, _padded, each(
        *(arrays((3, 4), distinct=True, pad_width=((1, 2), (0, 3)), mode=mode, stat_length=how)
          for mode, how in (("maximum", None), ("minimum", (1, 2)), ("mean", 2), ("median", ((1, 3), (2, 9)))))),
        ("int64", "float32")),
    Record("pad_of_ramps", T.pad, _padded, each(
        arrays((2, 3), pad_width=(1, 2), mode="linear_ramp", end_values=((1, 2), (3, 4))),
        arrays((4,), pad_width=9, mode="reflect", reflect_type="odd"),
        arrays((2, 3), pad_width=((1, 5), (4, 0)), mode="symmetric", reflect_type="odd"),
        arrays((2, 3), pad_width={1: (1, 0)}), arrays((), pad_width=2, mode="empty")), ("int64", "float32"), order=1,
        tolerance=ROUNDINGS),
    Record("linspace", T.linspace, np.linspace, each(
        arrays((), (), num=5), arrays((), (), num=4, endpoint=False), arrays((3,), (1,), num=3, axis=-1),
        arrays((), (2,), num=1), arrays((), (), num=0), arrays((2,), (2,), num=1, endpoint=False)),
        ("float32", "float64", "int64"), tolerance=ROUNDINGS),
    Record("linspace_of_dtype", T.linspace, np.linspace, arrays((), (), num=7, dtype="int32", low=-9, high=9),
           ("float64", "int64"), gradient="its result is discrete"),
    Record("logspace", T.logspace, np.logspace, each(arrays((), (), num=5), arrays((2,), (2,), num=3, base=2.0),
                                                     arrays((), (), num=3, endpoint=False)),
           ("float32", "float64", "int64"), tolerance=ROUNDINGS),
    Record("geomspace", T.geomspace, _geomspace, each(arrays((), (), num=5, low=1, high=9), arrays(
        (2,), (2,), num=3, low=1, high=5, axis=1), arrays((), (), num=3, low=-4, high=-1, endpoint=False)),
           ("float32", "float64"), tolerance=ROUNDINGS),
    Record("meshgrid", _joined(T.meshgrid, T.stack), _joined(np.meshgrid, np.stack), each(
        arrays((3,), (4,)), arrays((3,), (4,), indexing="ij"), arrays((2,), (3,), (4,)), arrays((3,), ()),
        arrays((3,))), SOME),
    Record("meshgrid_sparse", lambda x, y: T.add(*T.meshgrid(x, y, sparse=True)),
           lambda x, y: np.add(*np.meshgrid(x, y, sparse=True)), arrays((3,), (4,)), ("float32", "float64")),
    Record("mgrid", lambda key: T.stack(T.mgrid[key]), lambda key: np.mgrid[key],
           lambda rng, dtype: [((), {"key": np.s_[0:2, 1:7:2]}), ((), {"key": np.s_[0:2, -1:1:0.25]}),
                               ((), {"key": np.s_[0:3, 0:2, 1:2]}), ((), {"key": np.s_[0:2, 0:1:5j]})],
           ("float64",), gradient=CONSTANT),
    Record("ogrid", lambda key: T.add(*T.ogrid[key]), lambda key: np.add(*np.ogrid[key]),
           lambda rng, dtype: [((), {"key": np.s_[0:2, 1:7:2]})], ("float64",), gradient=CONSTANT),
)
