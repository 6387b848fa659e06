"""Convolutions of arrays as matrix products: the windows of the images become the columns of a matrix (im2col).

Arrays are laid out as (batch, channels, *space), filters as (outputs, channels per group, *space). Whatever is done
here is done for any number of spatial axes.

Two layouts of the columns are used. With many places in an image, each image has a matrix of its own, and the product
is written straight into the result. With few, matrices that small waste BLAS, and rows of the image that short waste
copying; so images are laid out with the batch as the last axis, and the places of many images share one matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from symgraph.tensor.nnet.conv_geometry import Array, Geometry

__all__ = ["correlate", "correlate_filters", "correlate_images"]

#: How many bytes of windows are laid out at a time: about what fits the second-level cache, beside the operands.
_COLUMN_BYTES = 2 * 2**20

#: With fewer places than this in an image, images share a matrix.
_FEW_PLACES = 256


def _matrices(filters: Array, groups: int) -> Array:
    """Filters as matrices, one for each group: (groups, outputs per group, channels per group * window)."""
    return filters.reshape(groups, filters.shape[0] // groups, prod(filters.shape[1:]))


def _last(images: Array) -> Array:
    """A copy with the batch as the last axis."""
    return np.ascontiguousarray(np.moveaxis(images, 0, -1))


def _share(g: Geometry, batch: int) -> bool:
    return batch > 1 and prod(g.output) < _FEW_PLACES


def _runs(g: Geometry, batch: int, channels: int, itemsize: int) -> Iterator[tuple[slice, slice, slice]]:
    """Images and rows of the result to take at a time, and these rows' places; all where images share a matrix."""
    row = prod(g.output[1:])
    for run, rows in g.runs(batch, channels, itemsize, _COLUMN_BYTES, all_rows=_share(g, batch)):
        yield run, rows, slice(rows.start * row, rows.stop * row)


def _columns(images: Array, g: Geometry) -> Iterator[tuple[slice, slice, Array]]:
    """Runs of images and places, with their columns: (group, height, places * images), or one such for each image."""
    batch, channels = images.shape[:2]
    height, share = channels // g.groups * prod(g.window), _share(g, batch)
    windows = None if share else g.windows(g.pad(images))
    for run, rows, places in _runs(g, batch, channels, images.itemsize):
        if windows is None:
            some = g.windows(_last(g.pad(images[run])), first=1)
            yield run, places, some.reshape(g.groups, height, prod(g.output) * some.shape[-1])
        else:
            some = windows[(run, slice(None), *(slice(None),) * g.rank, rows)]
            yield run, places, some.reshape(len(some), g.groups, height, places.stop - places.start)


def correlate(images: Array, filters: Array, g: Geometry) -> Array:
    """Every filter's product with every window of every image: (batch, outputs, *output)."""
    batch, outputs = images.shape[0], filters.shape[0]
    result = np.empty((batch, outputs, *g.output), images.dtype)
    matrices = _matrices(filters, g.groups)
    by_place = result.reshape(batch, g.groups, outputs // g.groups, prod(g.output))
    for run, places, columns in _columns(images, g):
        if columns.ndim == 3:
            made = np.matmul(matrices, columns).reshape(outputs, *g.output, run.stop - run.start)
            result[run] = np.moveaxis(made, -1, 0)
        else:
            np.matmul(matrices, columns, out=by_place[run, :, :, places])
    return result


def correlate_filters(images: Array, outputs: Array, g: Geometry) -> Array:
    """The transpose of `correlate` as a map of the filters: the sum of all windows, weighted by `outputs`."""
    batch, channels, count = images.shape[0], images.shape[1], outputs.shape[1]
    height, each = channels // g.groups * prod(g.window), count // g.groups
    total = np.zeros((g.groups, each, height), images.dtype)
    weights = np.ascontiguousarray(outputs).reshape(batch, g.groups, each, prod(g.output))
    for run, places, columns in _columns(images, g):
        if columns.ndim == 3:
            total += np.matmul(_last(weights[run]).reshape(g.groups, each, columns.shape[2]), columns.swapaxes(1, 2))
        else:
            total += np.matmul(weights[run, :, :, places], columns.swapaxes(2, 3)).sum(0, dtype=total.dtype)
    return total.reshape(count, channels // g.groups, *g.window)


def correlate_images(filters: Array, outputs: Array, g: Geometry) -> Array:
    """The transpose of `correlate` as a map of the images: `outputs` times the filters, added where windows lie."""
    turned = _other_way(g, filters.shape[1], outputs.shape[1] // g.groups)
    if turned is None:
        return _scattered(filters, outputs, g)
    count, mine = filters.shape[:2]
    back = filters.reshape(g.groups, count // g.groups, mine, *g.window).swapaxes(1, 2)
    every: Any = slice(None)
    back = back[(every,) * 3 + (slice(None, None, -1),) * g.rank]
    return correlate(outputs, back.reshape(g.groups * mine, count // g.groups, *g.window), turned)


def _other_way(g: Geometry, channels: int, outputs: int) -> Geometry | None:
    """The geometry of the correlation of the outputs that gives the images, where there is one and it pays.

    It takes more multiplications, for the zeros around the outputs, but gathers where the scatter adds up. Counted for
    each element of a window as in `conv_fft.pays`: 0.04 for each multiplication, 0.5 to copy it, 1 to add it.
    """
    spans = [(k - 1) * d for k, d in zip(g.window, g.dilations, strict=True)]
    pads = tuple((n - before, n - after) for n, (before, after) in zip(spans, g.pads, strict=True))
    gathered = prod(g.image) * outputs * (0.04 * channels + 0.5)
    scattered = prod(g.output) * channels * (0.04 * outputs + 1)
    if any(s != 1 for s in g.strides) or min(map(min, pads), default=0) < 0 or gathered > scattered:
        return None
    return Geometry(g.output, g.window, g.image, pads, g.strides, g.dilations, g.groups)


def _scattered(filters: Array, outputs: Array, g: Geometry) -> Array:
    """`correlate_images` by adding each place of the filters to what all windows meet there."""
    batch, count, channels = outputs.shape[0], outputs.shape[1], filters.shape[1] * g.groups
    matrices = np.ascontiguousarray(_matrices(filters, g.groups).swapaxes(1, 2))
    weights = np.ascontiguousarray(outputs).reshape(batch, g.groups, count // g.groups, prod(g.output))
    share, every = _share(g, batch), slice(None)
    whole = np.zeros((batch, channels, *g.whole), filters.dtype)
    for run, rows, places in _runs(g, batch, channels, filters.itemsize):
        if share:
            size = run.stop - run.start
            each = _last(weights[run]).reshape(g.groups, count // g.groups, prod(g.output) * size)
            made: Any = np.matmul(matrices, each).reshape(channels, *g.window, *g.output, size)
            target: Any = np.zeros((channels, *g.whole, size), filters.dtype)
            for place, met in g.offsets():
                target[(every, *met)] += made[(every, *place)]
            whole[run] = np.moveaxis(target, -1, 0)
        else:
            made, target = np.matmul(matrices, weights[run, :, :, places]), whole[run]
            made = made.reshape(len(target), channels, *g.window, rows.stop - rows.start, *g.output[1:])
            for place, met in g.offsets(rows):
                target[(every, every, *met)] += made[(every, every, *place)]
    return np.ascontiguousarray(whole[(every, every, *g.inner())])
