"""Convolutions whose filters differ from place to place (locally connected layers), as products at each place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.nnet.conv_ops import BorderMode, output_shape, window_pads
from symgraph.tensor.nnet.windows import OverlapAdd, Windows
from symgraph.tensor.products import matmul
from symgraph.tensor.shape import length_of, reshape

__all__ = ["Unshared"]

Parameters = tuple[BorderMode, tuple[int, ...], tuple[int, ...], bool, int]


def _product(lengths: Sequence[Any]) -> Any:
    count: Any = 1
    for n in lengths:
        count = count * n
    return count


class Unshared:
    """A convolution with filters of its own at each place, and its two transposes.

    Filters are laid out as (outputs, *places, channels per group, *window), images as (batch, channels, *space),
    results as (batch, outputs, *places).

    Parameters
    ----------
    window : sequence of int or None
        The filters' spatial lengths.
    parameters : tuple
        Border, subsample, dilation, flip and groups, as `Conv` has them.
    who : str
        Of which function to speak in errors.
    """

    def __init__(self, window: Sequence[int | None], parameters: Parameters, who: str) -> None:
        known = [n for n in window if n is not None]
        if len(known) < len(window):
            raise ValueError(f"{who}: unshared=True needs filters whose spatial lengths are known, not "
                             f"{tuple(window)}: give filter_shape")
        self.rank, self.window, self.who = len(known), tuple(known), who
        self.border, self.subsample, self.dilation, self.flip, self.groups = parameters
        pads = tuple(window_pads(self.border, self.window, self.dilation))
        self.parameters: Any = (self.window, pads, self.subsample, self.dilation)

    def _check(self, x: Any, dimensions: int, what: str) -> Any:
        if x.type.ndim != dimensions:
            raise ValueError(f"{self.who}: unshared=True takes {what} of {dimensions} dimensions, not {x.type}")
        if x.type.dtype == "bool":
            raise TypeError(f"{self.who}: a convolution takes numbers; {what} are boolean: cast them")
        return x

    def images(self, x: Any) -> Any:
        """Images, checked."""
        v = self._check(as_tensor_variable(x), 2 + self.rank, "images")
        if v.type.shape[1] is not None and v.type.shape[1] % self.groups:
            raise ValueError(f"{self.who}: {v.type.shape[1]} channels cannot be split into {self.groups} groups")
        return v

    def outputs(self, g: Any) -> Any:
        """Something like the result, checked."""
        return self._check(as_tensor_variable(g), 2 + self.rank, "gradients")

    def filters(self, w: Any) -> Any:
        """Filters, checked: (outputs, *places, channels per group, *window)."""
        v = self._check(as_tensor_variable(w), 2 + 2 * self.rank, "filters (outputs, *places, channels, *window)")
        if v.type.shape[0] is not None and v.type.shape[0] % self.groups:
            raise ValueError(f"{self.who}: {v.type.shape[0]} filters cannot be split into {self.groups} groups")
        return v

    def _agree(self, images: Sequence[Any], filters: Any) -> None:
        """Channels and places of images and filters are the same, as far as they are known."""
        mine, channels = filters.type.shape[1 + self.rank], images[1]
        if mine is not None and channels is not None and mine * self.groups != channels:
            raise ValueError(f"{self.who}: the images have {channels} channels, but each filter takes {mine}"
                             + f" in each of {self.groups} groups" * (self.groups > 1))
        made = output_shape(images[2:], self.window, self.border, self.subsample, self.dilation)
        places = filters.type.shape[1: 1 + self.rank]
        for wanted, found in zip(made, places, strict=True):
            if wanted is not None and found is not None and wanted != found:
                raise ValueError(f"{self.who}: images of {tuple(images[2:])} have {made} places for filters of "
                                 f"{self.window}, but there are filters for {places}")

    def _windows(self, x: Any) -> Any:
        """The windows as matrices: (places, groups, batch, channels per group * window)."""
        made = Windows(*self.parameters)(x)
        mine, size = length_of(x, 1) // self.groups, _product(self.window)
        places = _product([length_of(made, 2 + i) for i in range(self.rank)])
        split = dimshuffle(reshape(made, (length_of(x, 0), self.groups, mine, places, size)), (3, 1, 0, 2, 4))
        return reshape(split, (places, self.groups, length_of(x, 0), mine * size))

    def _filters(self, w: Any) -> Any:
        """The filters as matrices: (places, groups, channels per group * window, outputs per group)."""
        if self.flip:
            w = w[(slice(None),) * (2 + self.rank) + (slice(None, None, -1),) * self.rank]
        mine, size, each = length_of(w, 1 + self.rank), _product(self.window), length_of(w, 0) // self.groups
        places = _product([length_of(w, 1 + i) for i in range(self.rank)])
        split = dimshuffle(reshape(w, (self.groups, each, places, mine, size)), (2, 0, 3, 4, 1))
        return reshape(split, (places, self.groups, mine * size, each))

    def _outputs(self, g: Any) -> Any:
        """Something like the result as matrices: (places, groups, batch, outputs per group)."""
        places = _product([length_of(g, 2 + i) for i in range(self.rank)])
        split = reshape(g, (length_of(g, 0), self.groups, length_of(g, 1) // self.groups, places))
        return dimshuffle(split, (3, 1, 0, 2))

    def forward(self, x: Any, w: Any) -> Any:
        """The convolution: (batch, outputs, *places)."""
        x, w = self.images(x), self.filters(w)
        self._agree(x.type.shape, w)
        made = dimshuffle(matmul(self._windows(x), self._filters(w)), (2, 1, 3, 0))
        return reshape(made, (length_of(x, 0), length_of(w, 0), *(length_of(w, 1 + i) for i in range(self.rank))))

    def by_inputs(self, g: Any, w: Any, lengths: Sequence[Any]) -> Any:
        """The transpose of `forward` as a map of the images, which are of the given spatial lengths."""
        g, w = self.outputs(g), self.filters(w)
        known = [int(n) if isinstance(n, int) else None for n in lengths]
        self._agree([None, None, *known], w)
        parts = matmul(self._outputs(g), dimshuffle(self._filters(w), (0, 1, 3, 2)))
        mine, places = length_of(w, 1 + self.rank), [length_of(w, 1 + i) for i in range(self.rank)]
        size, batch = _product(self.window), length_of(g, 0)
        split = reshape(parts, (_product(places), self.groups, batch, mine, size))
        windows = reshape(dimshuffle(split, (2, 1, 3, 0, 4)), (batch, mine * self.groups, *places, *self.window))
        return OverlapAdd(*self.parameters)(windows, *lengths)

    def by_weights(self, x: Any, g: Any) -> Any:
        """The transpose of `forward` as a map of the filters."""
        x, g = self.images(x), self.outputs(g)
        parts = matmul(dimshuffle(self._windows(x), (0, 1, 3, 2)), self._outputs(g))
        mine, places = length_of(x, 1) // self.groups, [length_of(g, 2 + i) for i in range(self.rank)]
        each, size = length_of(g, 1) // self.groups, _product(self.window)
        split = dimshuffle(reshape(parts, (_product(places), self.groups, mine, size, each)), (1, 4, 0, 2, 3))
        w = reshape(split, (length_of(g, 1), *places, mine, *self.window))
        return w[(slice(None),) * (2 + self.rank) + (slice(None, None, -1),) * self.rank] if self.flip else w
