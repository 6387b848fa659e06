"""Where the windows of a convolution lie, and views of arrays that show them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any

import numpy as np

from symgraph.graph.frozen import frozen

__all__ = ["Array", "Geometry", "output_length"]

Array = np.ndarray[Any, Any]


def output_length(length: Any, window: Any, before: Any, after: Any, stride: int, dilation: int) -> Any:
    """How many windows fit along an axis; lengths may be symbolic."""
    return (length + (before + after) - (window - 1) * dilation - 1) // stride + 1


@frozen
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
    groups: int = 1

    @property
    def rank(self) -> int:
        """How many spatial axes there are."""
        return len(self.window)

    @property
    def whole(self) -> tuple[int, ...]:
        """The images' lengths with the zeros around."""
        return tuple(n + before + after for n, (before, after) in zip(self.image, self.pads, strict=True))

    def pad(self, images: Array) -> Array:
        """The images, laid out as (batch, channels, *space), with zeros around."""
        if not any(map(any, self.pads)):
            return images
        padded = np.zeros((*images.shape[:2], *self.whole), images.dtype)
        padded[(..., *self.inner())] = images
        return padded

    def inner(self) -> tuple[Any, ...]:
        """Where the images lie among the zeros."""
        return tuple(slice(before, before + n) for (before, _), n in zip(self.pads, self.image, strict=True))

    def offsets(self, rows: slice = slice(None)) -> Iterator[tuple[tuple[int, ...], tuple[Any, ...]]]:
        """Each place in the window, with the padded elements that it meets in all windows.

        Parameters
        ----------
        rows : slice
            Of the windows along the first axis, which to go over.
        """
        start, stop, _ = rows.indices(self.output[0])
        starts, lengths = (start, *(0,) * (self.rank - 1)), (stop - start, *self.output[1:])
        for place in product(*map(range, self.window)):
            yield place, tuple(
                slice(k * d + a * s, k * d + (a + n - 1) * s + 1, s)
                for k, d, a, n, s in zip(place, self.dilations, starts, lengths, self.strides, strict=True))

    def windows(self, padded: Array, first: int = 2) -> Array:
        """A view: spatial axes, which start at `first`, become those of the window and then those of the result."""
        spatial = range(first, first + self.rank)
        strides = [padded.strides[axis] for axis in spatial]
        within = [n * d for n, d in zip(strides, self.dilations, strict=True)]
        between = [n * s for n, s in zip(strides, self.strides, strict=True)]
        return np.lib.stride_tricks.as_strided(
            padded, (*padded.shape[:first], *self.window, *self.output, *padded.shape[first + self.rank:]),
            (*padded.strides[:first], *within, *between, *padded.strides[first + self.rank:]), writeable=False)

    def runs(self, batch: int, channels: int, itemsize: int, limit: int,
             all_rows: bool = False) -> Iterator[tuple[slice, slice]]:
        """Images, and rows of the result, in runs whose windows take about `limit` bytes at most."""
        row = max(channels * prod(self.window) * prod(self.output[1:]) * itemsize, 1)
        rows = self.output[0] if all_rows else max(1, min(self.output[0], limit // row))
        step = max(1, limit // (row * rows)) if rows == self.output[0] else 1
        for start in range(0, batch, step):
            for top in range(0, self.output[0], rows):
                yield slice(start, min(start + step, batch)), slice(top, min(top + rows, self.output[0]))
