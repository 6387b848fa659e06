"""Convolutions of arrays by Fourier transforms, for large filters.

A correlation is a product of spectra, one with the other's conjugate (Oppenheim and Schafer, Discrete-Time Signal
Processing, chapter 8). Its cost hardly depends on the filters' size, where that of a matrix product grows with it. The
three products of images, filters and results need spectra of the same length, that of the padded images: what wraps
around falls on elements that are not kept.

Single precision stays single. The error of an element is a few units in the last place of the *largest* products in
its image, not of its own value: of images whose parts differ in size by many orders of magnitude the small parts
lose accuracy.
"""

from __future__ import annotations

from math import log2, prod
from typing import Any

import numpy as np

from symgraph.tensor.nnet.conv_geometry import Array, Geometry

__all__ = ["ADVANTAGE", "correlate", "correlate_filters", "correlate_images", "pays"]

#: How many times cheaper than a matrix product the transforms must be for them to be used; `math.inf` for never. The
#: estimates are for one thread; a matrix product gains more from several, and its error depends on fewer elements.
ADVANTAGE = 2.0

#: How many bytes of spectra are held at a time.
_SPECTRUM_BYTES = 64 * 2**20


def pays(g: Geometry, batch: int, channels: int, outputs: int, dtype: np.dtype[Any]) -> bool:
    """Whether transforms are estimated to be cheaper than matrix products.

    The estimate, in nanoseconds: 0.04 for a multiplication and addition of a matrix product, 0.5 for an element of a
    window that is copied, 1 for an element and level of a transform, 0.1 for a product of spectra (two numbers).
    ``python -m benchmarks.convolution --rule`` measures both sides of it.
    """
    if dtype.char not in "fd":
        return False
    mine, seen = channels // g.groups, prod(g.window) * prod(g.output)
    direct = batch * channels * seen * (0.04 * (outputs // g.groups) + 0.5)
    size = prod(_lengths(g))
    transforms = batch * channels + outputs * mine + batch * outputs
    spectral = transforms * size * log2(max(size, 2)) + 0.1 * batch * outputs * mine * size
    return direct > ADVANTAGE * spectral


def _lengths(g: Geometry) -> list[int]:
    from scipy.fft import next_fast_len

    return [next_fast_len(n, real=True) for n in g.whole]


def _spectrum(array: Array, g: Geometry, groups_first: bool) -> Array:
    """The spectra of (a, b, *space) as matrices for each frequency and group: (frequency, group, a, b).

    Parameters
    ----------
    groups_first : bool
        Whether the groups split the first axis, as with filters; else they split the second, as with images.
    """
    from scipy.fft import rfftn

    made = rfftn(array, _lengths(g), axes=range(2, array.ndim))
    first, second = array.shape[:2]
    if groups_first:
        return np.ascontiguousarray(made.reshape(g.groups, first // g.groups, second, -1).transpose(3, 0, 1, 2))
    return np.ascontiguousarray(made.reshape(first, g.groups, second // g.groups, -1).transpose(3, 1, 0, 2))


def _values(spectra: Array, g: Geometry, groups_first: bool) -> Array:
    """The inverse of `_spectrum`, at the full length of the transforms."""
    from scipy.fft import irfftn

    lengths = _lengths(g)
    _, groups, a, b = spectra.shape
    shape = (groups * a, b) if groups_first else (a, groups * b)
    order = (1, 2, 3, 0) if groups_first else (2, 1, 3, 0)
    whole = np.ascontiguousarray(spectra.transpose(order)).reshape(*shape, *lengths[:-1], lengths[-1] // 2 + 1)
    return irfftn(whole, lengths, axes=range(2, 2 + g.rank))


def _apart(array: Array, steps: tuple[int, ...]) -> Array:
    """The elements so many places apart, with zeros between."""
    if all(s == 1 for s in steps):
        return array
    lengths = [(n - 1) * s + 1 for n, s in zip(array.shape[2:], steps, strict=True)]
    spread = np.zeros((*array.shape[:2], *lengths), array.dtype)
    index: Any = (..., *(slice(None, None, s) for s in steps))
    spread[index] = array
    return spread


def _every(array: Array, steps: tuple[int, ...], lengths: tuple[int, ...]) -> Array:
    """The first elements that are so many places apart."""
    index: Any = (..., *(slice(0, (n - 1) * s + 1, s) for n, s in zip(lengths, steps, strict=True)))
    return array[index]


def _runs(batch: int, width: int, g: Geometry, itemsize: int) -> list[slice]:
    step = max(1, _SPECTRUM_BYTES // max(width * prod(_lengths(g)) * itemsize, 1))
    return [slice(start, start + step) for start in range(0, batch, step)]


def correlate(images: Array, filters: Array, g: Geometry) -> Array:
    """Every filter's product with every window of every image: (batch, outputs, *output)."""
    batch, channels, outputs = images.shape[0], images.shape[1], filters.shape[0]
    result = np.empty((batch, outputs, *g.output), images.dtype)
    turned = np.conjugate(_spectrum(_apart(filters, g.dilations), g, True)).swapaxes(2, 3)
    for run in _runs(batch, channels + outputs, g, images.itemsize):
        made = _values(np.matmul(_spectrum(g.pad(images[run]), g, False), turned), g, False)
        result[run] = _every(made, g.strides, g.output)
    return result


def correlate_filters(images: Array, outputs: Array, g: Geometry) -> Array:
    """The transpose of `correlate` as a map of the filters: the sum of all windows, weighted by `outputs`."""
    if not len(images):
        return np.zeros((outputs.shape[1], images.shape[1] // g.groups, *g.window), images.dtype)
    total: Any = 0
    for run in _runs(images.shape[0], images.shape[1] + outputs.shape[1], g, images.itemsize):
        weights = np.conjugate(_spectrum(_apart(outputs[run], g.strides), g, False)).swapaxes(2, 3)
        total = total + np.matmul(weights, _spectrum(g.pad(images[run]), g, False))
    return np.ascontiguousarray(_every(_values(total, g, True), g.dilations, g.window))


def correlate_images(filters: Array, outputs: Array, g: Geometry) -> Array:
    """The transpose of `correlate` as a map of the images: `outputs` times the filters, added where windows lie."""
    batch, channels = outputs.shape[0], filters.shape[1] * g.groups
    result, inner = np.empty((batch, channels, *g.image), filters.dtype), (slice(None), slice(None), *g.inner())
    spectrum = _spectrum(_apart(filters, g.dilations), g, True)
    for run in _runs(batch, channels + outputs.shape[1], g, filters.itemsize):
        made = _values(np.matmul(_spectrum(_apart(outputs[run], g.strides), g, False), spectrum), g, False)
        result[run] = made[inner]
    return result
