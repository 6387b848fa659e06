"""Records of pooling. The reference walks over the windows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from symgraph.tensor.signal import conv, downsample, pool
from tests.records.base import (
    BOOL,
    COMPLEX,
    FLOATS,
    INTEGERS,
    REAL,
    Array,
    Record,
    Sample,
    arrays,
    distinct_array,
    each,
    random_array,
)
from tests.records.convolution import Loops

ROUNDINGS = {"float16": 4e-3, "float32": 3e-6, "float64": 1e-13, "complex64": 3e-6, "complex128": 1e-13}


def _starts(n: int, w: int, s: int, p: int, ignore_border: bool) -> list[int]:
    """Where windows start in the padded image."""
    if ignore_border:
        return list(range(0, n + 2 * p - w + 1, s))
    starts = []
    for start in range(0, n, s):
        starts.append(start)
        if start + w >= n and s < w:
            break
    return starts


Window = tuple[tuple[int, ...], Array, int]


def windows_of(x: Array, rank: int, ws: Any, ignore_border: bool = False, stride: Any = None,
               pad: Any = 0) -> tuple[list[int], list[Window]]:
    """How many windows there are; for each its place, the image's elements it sees, and how many of the padded one's.
    """
    window, sides = ((v,) * rank if isinstance(v, int) else v for v in (ws, pad))
    step = window if stride is None else (stride,) * rank if isinstance(stride, int) else stride
    space = x.shape[x.ndim - rank:]
    starts = [_starts(*args, ignore_border) for args in zip(space, window, step, sides, strict=True)]
    found: list[Window] = []
    for place in np.ndindex(*map(len, starts)):
        low = [begin[i] for begin, i in zip(starts, place, strict=True)]
        seen = tuple(slice(max(a - p, 0), max(min(a + w - p, n), 0))
                     for a, w, p, n in zip(low, window, sides, space, strict=True))
        count = int(np.prod([min(a + w, n + 2 * p) - a for a, w, p, n in zip(low, window, sides, space, strict=True)]))
        found.append((place, x[(..., *seen)], count))
    return list(map(len, starts)), found


def pooled(x: Array, rank: int = 2, mode: str = "max", **options: Any) -> Array:
    wide = x if mode == "max" or x.dtype.kind in "iu" else x.astype("complex128" if x.dtype.kind == "c" else "float64")
    axes = tuple(range(x.ndim - rank, x.ndim))
    found: dict[tuple[int, ...], Array] = {}
    made, windows = windows_of(wide, rank, **options)
    for place, seen, count in windows:
        if mode == "max":
            found[place] = seen.max(axes)
        else:
            total = seen.sum(axes, dtype=wide.dtype)
            size = np.prod([seen.shape[axis] for axis in axes])
            found[place] = total if mode == "sum" else total / (count if mode == "average_inc_pad" else size)
    dtype = x.dtype if mode in ("max", "sum") or x.dtype.kind in "fc" else np.true_divide(x[..., :0], 1).dtype
    result = np.zeros((*x.shape[: x.ndim - rank], *made), dtype)
    for place, value in found.items():
        result[(..., *place)] = value
    return result


def _same_size(x: Array, patch_size: Any) -> Array:
    result = np.zeros_like(x)
    rows, columns = (patch_size,) * 2 if isinstance(patch_size, int) else patch_size
    for i in range(0, x.shape[-2] - rows + 1, rows):
        for j in range(0, x.shape[-1] - columns + 1, columns):
            here = (..., slice(i, i + rows), slice(j, j + columns))
            result[here] = np.where(x[here] == x[here].max((-2, -1), keepdims=True), x[here], 0)
    return result


def _images(x: Array, w: Array, border_mode: Any = "valid", subsample: Any = (1, 1)) -> Array:
    images, filters = (v[None, None] if v.ndim == 2 else v[:, None] for v in (x, w))
    made = Loops(x.shape[-2:], w.shape[-2:], border_mode, subsample).forward(images, filters)
    return made.reshape(*x.shape[:-2], *w.shape[:-2], *made.shape[2:])


SETTINGS: tuple[dict[str, Any], ...] = (
    {"ws": 2}, {"ws": (2, 2), "ignore_border": True}, {"ws": (3, 2), "stride": (1, 2)},
    {"ws": (2, 3), "stride": (3, 1), "ignore_border": True}, {"ws": 1, "stride": 3},
    {"ws": (3, 2), "stride": (2, 1), "ignore_border": True, "pad": (2, 1)}, {"ws": (9, 9)},
    {"ws": 2, "stride": 3, "pad": 1, "ignore_border": True},
)


def _samples(mode: str) -> Any:
    def sample(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
        make = distinct_array if mode == "max" else random_array
        for options in SETTINGS:
            yield (make(rng, dtype, (2, 5, 7)),), {**options, "mode": mode}
        yield (make(rng, dtype, (4, 3)),), {"ws": 2, "mode": mode}
        yield (make(rng, dtype, (0, 4, 4)),), {"ws": 2, "mode": mode}
        yield (make(rng, dtype, (2, 2, 3)),), {"ws": 3, "mode": mode, "ignore_border": True}

    return sample


THREE = each(*(
    arrays((2, 3, 3, 4), distinct=True, ws=ws, mode=mode, **options)
    for mode in pool.MODES
    for ws, options in ((2, {}), ((1, 2, 3), {"ignore_border": True, "stride": (1, 1, 2), "pad": (0, 1, 1)}))))

POOLING: tuple[Record, ...] = (
    Record("signal.pool.pool_2d", pool.pool_2d, pooled, _samples("max"), REAL),
    Record("signal.pool.pool_2d, sum", pool.pool_2d, pooled, _samples("sum"), (*INTEGERS, *FLOATS, *COMPLEX),
           tolerance=ROUNDINGS),
    *(Record(f"signal.pool.pool_2d, {mode}", pool.pool_2d, pooled, _samples(mode),
             (*BOOL, "int8", "int64", *FLOATS, *COMPLEX), tolerance=ROUNDINGS) for mode in pool.MODES[2:]),
    Record("signal.pool.pool_3d", pool.pool_3d, lambda x, **options: pooled(x, 3, **options), THREE, FLOATS,
           tolerance=ROUNDINGS),
    Record("signal.pool.max_pool_2d_same_size", pool.max_pool_2d_same_size, _same_size,
           each(arrays((2, 4, 6), distinct=True, patch_size=(2, 3)), arrays((5, 4), distinct=True, patch_size=2)),
           REAL),
    Record("signal.downsample.max_pool_2d", downsample.max_pool_2d,
           lambda x, ds, st=None, padding=0, **options: pooled(x, ws=ds, stride=st, pad=padding, **options),
           each(arrays((2, 4, 5), distinct=True, ds=(2, 2)),
                arrays((4, 5), distinct=True, ds=(3, 3), st=(2, 2), padding=(1, 1), ignore_border=True)), FLOATS),
    Record("signal.conv.conv2d", conv.conv2d, _images,
           each(arrays((5, 6), (2, 3)), arrays((2, 5, 6), (2, 3), border_mode="full"),
                arrays((4, 4), (3, 2, 2), subsample=(2, 1)), arrays((2, 4, 4), (3, 3, 2))),
           ("int32", *FLOATS), tolerance={"float16": 5e-3, "float32": 2e-5, "float64": 1e-12}),
)
