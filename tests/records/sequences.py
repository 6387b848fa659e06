"""Records of convolution, windows, differences, interpolation, polynomials and sets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

import symgraph.tensor as T
from tests.records.base import Record, Sample, arrays, distinct_array, each, random_array
from tests.records.statistics import DISCRETE, LOOSE, SOME, kept

CONSTANT = "its arguments are lengths"
_TWO = each(*(arrays((5,), (3,), mode=mode) for mode in ("full", "same", "valid")))
_LONGER = each(*(arrays((2,), (4,), mode=mode) for mode in ("same", "valid")))


def _floating(function: Any) -> Any:
    """A function of NumPy that computes in float64, in the dtype of the floats given."""
    def reference(*xs: Any, **options: Any) -> Any:
        floats = [x.dtype for x in xs if x.dtype.kind in "fc"]
        return np.asarray(function(*xs, **options)).astype(np.result_type(*floats) if floats else "float64")

    return reference


def _points(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    first = 0 if np.dtype(dtype).kind == "u" else -2
    xp = np.array([first, first + 1, first + 3, first + 5], dtype)
    fp, x = random_array(rng, dtype, (4,)), random_array(rng, dtype, (3, 2), first + 0.1, first + 4.9)
    yield (x, xp, fp), {"left": -7.0, "right": 5.0}
    yield (x, xp, fp), {"period": 6.5}
    yield (x, xp[:1], fp[:1]), {}


def _window(name: str, *more: Any) -> Record:
    return Record(name, lambda M: getattr(T, name)(M, *more), lambda M: getattr(np, name)(M, *more),
                  lambda rng, dtype: [((), {"M": M}) for M in (0, 1, 2, 5, 6)], ("float64",), gradient=CONSTANT,
                  tolerance={"float64": 1e-12})


def _phases(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    yield (np.cumsum(random_array(rng, dtype, (2, 6), -3, 3), axis=1).astype(dtype),), {}
    yield (random_array(rng, dtype, (6, 2), -9, 9),), {"axis": 0, "period": 4}
    yield (random_array(rng, dtype, (6,), -9, 9),), {"discont": 4.0}


def _sets(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    x, y = distinct_array(rng, dtype, (2, 3)), distinct_array(rng, dtype, (5,))
    yield (x, y), {}
    yield (x, y[:0]), {}


def _repeated(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    yield (random_array(rng, dtype, (2, 3)), random_array(rng, dtype, (4,))), {}


SEQUENCES: tuple[Record, ...] = (
    Record("convolve", T.convolve, np.convolve, _TWO, (*SOME, "bool", "complex64"), tolerance=LOOSE),
    Record("correlate", T.correlate, np.correlate, _LONGER, (*SOME, "complex64"), tolerance=LOOSE, order=1),
    _window("bartlett"), _window("blackman"), _window("hamming"), _window("hanning"), _window("kaiser", 8.6),
    Record("kaiser_of_beta", lambda beta: T.kaiser(5, beta), lambda beta: np.kaiser(5, beta), arrays((), low=1.0),
           ("float64",), tolerance=LOOSE),
    Record("ediff1d", T.ediff1d, np.ediff1d, each(arrays((2, 3)), arrays((4,), to_begin=[1, 2], to_end=0)), SOME),
    Record("trapezoid", T.trapezoid, np.trapezoid, each(arrays((3, 4)), arrays((3, 4), axis=0, dx=0.5), arrays(
        (3, 4), (4,)), arrays((2, 3), (2, 3), axis=0)), SOME, tolerance=LOOSE),
    Record("interp", T.interp, _floating(np.interp), _points, SOME, tolerance=LOOSE, order=1),
    Record("unwrap", T.unwrap, np.unwrap, _phases, ("int64", "float64"), tolerance=LOOSE, order=1),
    Record("gradient", lambda x, *d, **how: T.gradient(x, *d, **how), lambda x, *d, **how: np.gradient(x, *d, **how),
           each(arrays((5,)), arrays((4, 3), axis=0, edge_order=2), lambda rng, dtype: [
               ((random_array(rng, dtype, (4,)), np.cumsum(random_array(rng, dtype, (4,), 1, 2)).astype(dtype)), how)
               for how in ({}, {"edge_order": 2})]), ("int64", "float64"), tolerance=LOOSE, order=1),
    Record("polyval", T.polyval, np.polyval, each(arrays((4,), (2, 3)), arrays((1,), (2,)), arrays((0,), (2,))),
           (*SOME, "complex64"), tolerance=LOOSE),
    Record("polyadd", T.polyadd, np.polyadd, each(arrays((4,), (2,)), arrays((3,), (3,)), arrays((), (2,))), SOME),
    Record("polysub", T.polysub, np.polysub, arrays((2,), (4,)), SOME),
    Record("polymul", T.polymul, np.convolve, arrays((2,), (4,)), SOME, tolerance=LOOSE),
    Record("polyder", T.polyder, kept(np.polyder), each(arrays((4,)), arrays((4,), m=2), arrays((2,), m=3)), SOME),
    Record("polyint", T.polyint, kept(np.polyint), each(arrays((3,)), arrays((2,), m=2, k=[1.0, 2.0])), SOME),
    Record("poly", lambda *zeros: T.poly(list(zeros)), lambda *zeros: np.poly(np.array(zeros)), arrays((), (), ()),
           ("int64", "float64"), tolerance=LOOSE),
    Record("vander", T.vander, kept(np.vander), each(
        arrays((3,), low=0.5), arrays((2,), low=0.5, N=4, increasing=True)), ("int8", *SOME), tolerance=LOOSE),
    Record("isin", T.isin, np.isin, each(_sets, _repeated, lambda rng, dtype: [
        (values, {"invert": True}) for values, _ in _repeated(rng, dtype)]), (*SOME, "bool"), gradient=DISCRETE),
    *(Record(name, getattr(T, name), getattr(np, name), each(_sets, _repeated), (*SOME, "bool"),
             gradient="an element that enters or leaves is a jump", weakly_typed=True)
      for name in ("union1d", "intersect1d", "setdiff1d", "setxor1d")),
    Record("intersect1d_places", lambda x, y: T.intersect1d(x, y, return_indices=True)[2],
           lambda x, y: np.intersect1d(x, y, return_indices=True)[2], _repeated, ("int64",), gradient=DISCRETE,
           weakly_typed=True),
)
