"""Convolutions of arrays as matrix products: the windows of the images become the columns of a matrix (im2col).

Arrays are laid out as (batch, channels, *space), filters as (outputs, channels per group, *space). Whatever is done
here is done for any number of spatial axes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

__all__ = ["Geometry", "correlate", "correlate_filters", "correlate_images", "output_length"]

Array = np.ndarray[Any, Any]

#: How many bytes of windows are laid out at a time: images are taken in batches that stay near this.
_COLUMN_BYTES = 16 * 2**20


def output_length(length: Any, window: Any, before: Any, after: Any, stride: int, dilation: int) -> Any:
    """How many windows fit along an axis; lengths may be symbolic."""
    return (length + (before + after) - (window - 1) * dilation - 1) // stride + 1


@dataclass(frozen=True)
class Geometry:
    """Where the windows of a convolution lie.

    Parameters
    ----------
    image, window, output : tuple of int
        Spatial lengths of the images, the filters and the result.
    pads : tuple of pairs of int
        Zeros before and after, along each axis.
    strides, dilations : tuple of int
    groups : int
        The channels are split into so many groups, each seen by its own filters.
    """

    image: tuple[int, ...]
    window: tuple[int, ...]
    output: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int

    def pad(self, images: Array) -> Array:
        """The images with zeros around."""
        return np.pad(images, ((0, 0), (0, 0), *self.pads)) if any(map(any, self.pads)) else images

    def inner(self) -> tuple[slice, ...]:
        """Where the images lie among the zeros."""
        return tuple(slice(before, before + n) for (before, _), n in zip(self.pads, self.image, strict=True))

    def offsets(self) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
        """Each place in the window, with the padded elements that it meets in all windows."""
        for place in product(*map(range, self.window)):
            yield place, tuple(
                slice(k * d, k * d + (n - 1) * s + 1, s)
                for k, d, n, s in zip(place, self.dilations, self.output, self.strides, strict=True))

    def batches(self, count: int, channels: int, itemsize: int) -> Iterator[slice]:
        """The images in runs whose windows take a bounded amount of memory."""
        bytes_each = channels * prod(self.window) * prod(self.output) * itemsize
        step = max(1, _COLUMN_BYTES // max(bytes_each, 1))
        for start in range(0, count, step):
            yield slice(start, min(start + step, count))

    def columns(self, padded: Array) -> Array:
        """The windows as matrices, one for each group: (groups, channels per group * window, batch * output)."""
        batch, channels = padded.shape[:2]
        rank = len(self.window)
        spans = tuple((k - 1) * d + 1 for k, d in zip(self.window, self.dilations, strict=True))
        views = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=tuple(range(2, 2 + rank)))
        views = views[(slice(None), slice(None), *(slice(None, (n - 1) * s + 1, s)
                                                   for n, s in zip(self.output, self.strides, strict=True)),
                       *(slice(None, None, d) for d in self.dilations))]
        order = (1, *range(2 + rank, 2 + 2 * rank), 0, *range(2, 2 + rank))
        height = channels // self.groups * prod(self.window)
        return views.transpose(order).reshape(self.groups, height, batch * prod(self.output))

    def by_group(self, outputs: Array) -> Array:
        """Images of the result's kind as matrices, one for each group: (groups, outputs per group, batch * space)."""
        batch, channels = outputs.shape[:2]
        return np.ascontiguousarray(np.moveaxis(outputs, 0, 1)).reshape(
            self.groups, channels // self.groups, batch * prod(self.output))


def _filter_matrices(filters: Array, groups: int) -> Array:
    count = filters.shape[0] // groups
    return filters.reshape(groups, count, prod(filters.shape[1:]))


def correlate(images: Array, filters: Array, g: Geometry) -> Array:
    """Every filter's product with every window of every image: (batch, outputs, *output)."""
    batch, outputs = images.shape[0], filters.shape[0]
    result = np.empty((batch, outputs, *g.output), images.dtype)
    matrices = _filter_matrices(filters, g.groups)
    for run in g.batches(batch, images.shape[1], images.itemsize):
        made = np.matmul(matrices, g.columns(g.pad(images[run])))
        result[run] = np.moveaxis(made.reshape(outputs, run.stop - run.start, *g.output), 0, 1)
    return result


def correlate_filters(images: Array, outputs: Array, g: Geometry) -> Array:
    """The transpose of `correlate` as a map of the filters: the sum of all windows, weighted by `outputs`."""
    channels = images.shape[1] // g.groups
    total = np.zeros((g.groups, channels * prod(g.window), outputs.shape[1] // g.groups), images.dtype)
    for run in g.batches(images.shape[0], images.shape[1], images.itemsize):
        columns = g.columns(g.pad(images[run]))
        total += np.matmul(columns, g.by_group(outputs[run]).swapaxes(1, 2))
    return total.swapaxes(1, 2).reshape(outputs.shape[1], channels, *g.window)


def correlate_images(filters: Array, outputs: Array, g: Geometry) -> Array:
    """The transpose of `correlate` as a map of the images: `outputs` times the filters, added where windows lie."""
    batch, channels = outputs.shape[0], filters.shape[1] * g.groups
    result = np.empty((batch, channels, *g.image), filters.dtype)
    matrices = np.ascontiguousarray(_filter_matrices(filters, g.groups).swapaxes(1, 2))
    whole = tuple(n + before + after for n, (before, after) in zip(g.image, g.pads, strict=True))
    for run in g.batches(batch, channels, filters.itemsize):
        count = run.stop - run.start
        columns = np.matmul(matrices, g.by_group(outputs[run])).reshape(channels, *g.window, count, *g.output)
        padded = np.zeros((channels, count, *whole), filters.dtype)
        for place, met in g.offsets():
            padded[(slice(None), slice(None), *met)] += columns[(slice(None), *place)]
        result[run] = np.moveaxis(padded[(slice(None), slice(None), *g.inner())], 0, 1)
    return result
