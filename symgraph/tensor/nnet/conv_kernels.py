"""The three products of convolution on arrays: by matrix products, or by Fourier transforms where these are faster.

Transforms are taken where they are estimated to pay (`conv_fft.pays`), unless their result is not finite: a nan or an
infinity must reach only the windows that see it.
"""

from __future__ import annotations

import numpy as np

from symgraph.tensor.nnet import conv_columns, conv_fft
from symgraph.tensor.nnet.conv_geometry import Array, Geometry, output_length

__all__ = ["Array", "Geometry", "correlate", "correlate_filters", "correlate_images", "output_length"]


def correlate(images: Array, filters: Array, g: Geometry) -> Array:
    """Every filter's product with every window of every image: (batch, outputs, *output)."""
    return _computed("correlate", images, filters, g, (*images.shape[:2], filters.shape[0]))


def correlate_filters(images: Array, outputs: Array, g: Geometry) -> Array:
    """The transpose of `correlate` as a map of the filters: the sum of all windows, weighted by `outputs`."""
    return _computed("correlate_filters", images, outputs, g, (*images.shape[:2], outputs.shape[1]))


def correlate_images(filters: Array, outputs: Array, g: Geometry) -> Array:
    """The transpose of `correlate` as a map of the images: `outputs` times the filters, added where windows lie."""
    return _computed("correlate_images", filters, outputs, g,
                     (outputs.shape[0], filters.shape[1] * g.groups, outputs.shape[1]))


def _computed(name: str, first: Array, second: Array, g: Geometry, counts: tuple[int, int, int]) -> Array:
    if conv_fft.pays(g, *counts, first.dtype):
        with np.errstate(all="ignore"):
            made: Array = getattr(conv_fft, name)(first, second, g)
        if np.isfinite(made).all():
            return made
    by_columns: Array = getattr(conv_columns, name)(first, second, g)
    return by_columns
