"""Records of convolutions. The references are direct loops over places, in wide arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from symgraph.tensor import nnet
from tests.records.base import COMPLEX, FLOATS, Array, Record, Sample, arrays, each, random_array

ROUNDINGS = {"float16": 5e-3, "float32": 2e-5, "float64": 1e-12, "complex64": 2e-5, "complex128": 1e-12}
DTYPES = ("int8", "int64", "uint64", *FLOATS, *COMPLEX)


def _wide(x: Array) -> Array:
    return x.astype({"f": "float64", "c": "complex128"}.get(x.dtype.kind, x.dtype.name))


def _geometry(space: Any, window: Any, border_mode: Any, subsample: Any, filter_dilation: Any) -> tuple[Any, ...]:
    """Zeros before each axis, lengths with zeros, and of the result; steps and dilations."""
    rank = len(window)
    steps, apart = ((v,) * rank if isinstance(v, int) else v for v in (subsample, filter_dilation))
    spans = [(k - 1) * d + 1 for k, d in zip(window, apart, strict=True)]
    named = {"valid": [0] * rank, "full": [n - 1 for n in spans], "half": [n // 2 for n in spans]}
    sides = named[border_mode] if isinstance(border_mode, str) else border_mode
    pairs = [(s, s) if isinstance(s, int) else s for s in ((sides,) * rank if isinstance(sides, int) else sides)]
    whole = [n + a + b for n, (a, b) in zip(space, pairs, strict=True)]
    made = [len(range(0, n - span + 1, s)) for n, span, s in zip(whole, spans, steps, strict=True)]
    return [a for a, _ in pairs], whole, made, steps, apart


def _places(window: Any, made: Any, steps: Any, apart: Any) -> Iterator[tuple[Any, Any]]:
    """Each place of the result, and the elements of the padded images that it sees."""
    for place in np.ndindex(*made):
        yield place, tuple(slice(p * s, p * s + (k - 1) * d + 1, d)
                           for p, s, k, d in zip(place, steps, window, apart, strict=True))


class Loops:
    """The three products of images, filters and results, by loops.

    Parameters
    ----------
    space, window : tuple of int
        Spatial lengths of images and filters.
    """

    def __init__(self, space: Any, window: Any, border_mode: Any = "valid", subsample: Any = 1,
                 filter_flip: bool = True, filter_dilation: Any = 1, num_groups: int = 1) -> None:
        self.space, self.window, self.flip, self.groups = tuple(space), tuple(window), filter_flip, num_groups
        self.before, self.whole, self.made, *self.grid = _geometry(space, window, border_mode, subsample,
                                                                   filter_dilation)

    def turn(self, w: Array) -> Array:
        return np.flip(w, tuple(range(2, w.ndim))) if self.flip else w

    def _inside(self) -> tuple[Any, ...]:
        return (..., *(slice(a, a + n) for a, n in zip(self.before, self.space, strict=True)))

    def pad(self, x: Array) -> Array:
        padded = np.zeros((*x.shape[:2], *self.whole), x.dtype)
        padded[self._inside()] = x
        return padded

    def seen(self, outputs: int, channels: int) -> Iterator[tuple[int, slice]]:
        """Each filter, and the channels it sees."""
        for o in range(outputs):
            group = o // (outputs // self.groups)
            size = channels // self.groups
            yield o, slice(group * size, (group + 1) * size)

    def forward(self, x: Array, w: Array) -> Array:
        padded, turned = self.pad(_wide(x)), self.turn(_wide(w))
        z = np.zeros((x.shape[0], w.shape[0], *self.made), np.result_type(padded, turned))
        for place, met in _places(self.window, self.made, *self.grid):
            for o, mine in self.seen(w.shape[0], x.shape[1]):
                window = padded[(slice(None), mine, *met)]
                z[(slice(None), o, *place)] = (window * turned[o]).sum(tuple(range(1, x.ndim)))
        return z.astype(np.result_type(x, w))

    def by_inputs(self, w: Array, g: Array) -> Array:
        turned, wide = self.turn(_wide(w)), _wide(g)
        padded = np.zeros((len(g), w.shape[1] * self.groups, *self.whole), np.result_type(turned, wide))
        for place, met in _places(self.window, self.made, *self.grid):
            for o, mine in self.seen(w.shape[0], padded.shape[1]):
                values = wide[(slice(None), o, *place)].reshape(-1, *(1,) * (w.ndim - 1))
                padded[(slice(None), mine, *met)] += values * turned[o]
        return padded[self._inside()].astype(np.result_type(w, g))

    def by_weights(self, x: Array, g: Array) -> Array:
        padded, wide = self.pad(_wide(x)), _wide(g)
        w = np.zeros((g.shape[1], x.shape[1] // self.groups, *self.window), np.result_type(padded, wide))
        for place, met in _places(self.window, self.made, *self.grid):
            for o, mine in self.seen(w.shape[0], x.shape[1]):
                values = wide[(slice(None), o, *place)].reshape(-1, *(1,) * (x.ndim - 1))
                w[o] += (values * padded[(slice(None), mine, *met)]).sum(0)
        return self.turn(w).astype(np.result_type(x, g))


def _conv(x: Array, w: Array, input_shape: Any = None, filter_shape: Any = None, image_shape: Any = None,
          **options: Any) -> Array:
    return Loops(x.shape[2:], w.shape[2:], **options).forward(x, w)


def _causal(x: Array, w: Array, filter_shape: Any, filter_dilation: int = 1, **options: Any) -> Array:
    before = (w.shape[2] - 1) * filter_dilation
    return _conv(np.pad(x, ((0, 0), (0, 0), (before, 0))), w, filter_dilation=filter_dilation, **options)


def _separable(x: Array, depth: Array, point: Array, num_channels: int, **options: Any) -> Array:
    return _conv(_conv(x, depth, num_groups=num_channels, **options), point)


def _by_inputs(g: Array, w: Array, shape: Any, **options: Any) -> Array:
    return Loops(shape[2:], w.shape[2:], **options).by_inputs(w, g)


def _transposed(g: Array, w: Array, shape: Any, input_dilation: Any = 1, **options: Any) -> Array:
    return _by_inputs(g, w, shape, subsample=input_dilation, **options)


def _by_weights(x: Array, g: Array, shape: Any, **options: Any) -> Array:
    return Loops(x.shape[2:], shape[2:], **options).by_weights(x, g)


SETTINGS: tuple[dict[str, Any], ...] = (
    {}, {"border_mode": "full"}, {"border_mode": "half", "filter_flip": False},
    {"border_mode": (1, 2), "subsample": (2, 1)}, {"border_mode": 1, "filter_dilation": (1, 2)},
    {"border_mode": ((0, 2), (1, 0)), "subsample": (2, 3), "filter_dilation": (2, 1)},
)
IMAGES, FILTERS, GROUPED = (2, 2, 4, 5), (2, 2, 2, 3), (4, 1, 2, 3)


def _both(rng: np.random.Generator, dtype: str, kind: str) -> Iterable[tuple[tuple[Array, ...], tuple[int, ...], Any]]:
    """Two of images, filters and results, with the shape of the third."""
    for settings, filters in zip(SETTINGS, (FILTERS, GROUPED) * 3, strict=True):
        options = {**settings, **({"num_groups": 2} if filters is GROUPED else {})}
        made = Loops(IMAGES[2:], filters[2:], **options).made
        x, w, g = (random_array(rng, dtype, shape) for shape in (IMAGES, filters, (2, filters[0], *made)))
        yield {"z": ((x, w), tuple(g.shape), options), "x": ((g, w), IMAGES, options),
               "w": ((x, g), filters, options)}[kind]


def _forward_samples(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    for values, _, options in _both(rng, dtype, "z"):
        yield values, options
    yield from arrays((0, 2, 4, 4), (3, 2, 2, 2))(rng, dtype)
    yield from arrays((2, 0, 4, 4), (3, 0, 2, 2))(rng, dtype)
    yield from arrays((1, 1, 3, 3), (1, 1, 3, 3), input_shape=(None, 1, 3, 3), filter_shape=(1, 1, 3, 3))(rng, dtype)
    yield from arrays((2, 1, 5, 4), (1, 1, 2, 2), image_shape=(2, 1, None, None))(rng, dtype)


def _pairs(kind: str) -> Any:
    def sample(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
        for values, shape, options in _both(rng, dtype, kind):
            yield values, {"shape": shape, **options}

    return sample


def _transposed_samples(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    for values, options in _pairs("x")(rng, dtype):
        options["input_dilation"] = options.pop("subsample", (1, 1))
        yield values, options


THREE = each(
    arrays((2, 2, 3, 4, 3), (3, 2, 2, 2, 3)),
    arrays((2, 2, 3, 2, 3), (2, 1, 2, 1, 2), num_groups=2, border_mode="full", subsample=(2, 1, 1)),
    arrays((1, 1, 2, 3, 4), (1, 1, 2, 2, 2), border_mode="half", filter_flip=False, filter_dilation=(1, 2, 1)))


def _upsampled(x: Array, ratio: int) -> Array:
    for axis in (2, 3):
        at = (np.arange(x.shape[axis] * ratio) - (ratio - 1) // 2) / ratio  # interp repeats the ends
        x = np.apply_along_axis(lambda row, at=at: np.interp(at, np.arange(len(row)), row), axis, x.astype("float64"))
    return x


ONE = each(
    arrays((2, 3, 7), (4, 3, 3)), arrays((2, 2, 7), (2, 1, 3), border_mode="half", subsample=2, num_groups=2),
    arrays((1, 2, 7), (3, 2, 2), border_mode="full", filter_dilation=3, filter_flip=False))
_T3: dict[str, Any] = {"border_mode": (1, 0, 1), "subsample": (1, 1, 2)}

CONVOLUTIONS: tuple[Record, ...] = (
    Record("nnet.conv2d", nnet.conv2d, _conv, _forward_samples, DTYPES, tolerance=ROUNDINGS),
    Record("nnet.conv1d", nnet.conv1d, _conv, ONE, DTYPES, tolerance=ROUNDINGS),
    Record("nnet.conv3d", nnet.conv3d, _conv, THREE, FLOATS, tolerance=ROUNDINGS),
    Record(
        "nnet.causal_conv1d", nnet.causal_conv1d, _causal,
        each(arrays((2, 3, 6), (2, 3, 3), filter_shape=(2, 3, 3)),
             arrays((1, 2, 7), (2, 2, 2), filter_shape=(None, None, 2), filter_dilation=3, subsample=2)),
        FLOATS, tolerance=ROUNDINGS),
    Record(
        "nnet.separable_conv2d", nnet.separable_conv2d, _separable,
        each(arrays((2, 2, 4, 5), (4, 1, 2, 3), (3, 4, 1, 1), num_channels=2),
             arrays((1, 2, 4, 5), (2, 1, 3, 3), (3, 2, 1, 1), num_channels=2, border_mode="half", subsample=(2, 2))),
        ("float32", "float64"), order=1, tolerance=ROUNDINGS),
    Record(
        "nnet.separable_conv3d", nnet.separable_conv3d, _separable,
        arrays((1, 2, 3, 3, 2), (2, 1, 2, 2, 1), (3, 2, 1, 1, 1), num_channels=2, border_mode="full"),
        ("float32", "float64"), order=1, tolerance=ROUNDINGS),
    Record(
        "nnet.conv2d_grad_wrt_inputs",
        lambda g, w, shape, **options: nnet.conv2d_grad_wrt_inputs(g, w, shape, **options),
        _by_inputs, _pairs("x"), DTYPES, tolerance=ROUNDINGS),
    Record(
        "nnet.conv2d_grad_wrt_weights",
        lambda x, g, shape, **options: nnet.conv2d_grad_wrt_weights(x, g, shape, **options),
        _by_weights, _pairs("w"), DTYPES, tolerance=ROUNDINGS),
    Record(
        "nnet.conv2d_transpose",
        lambda g, w, shape, **options: nnet.conv2d_transpose(g, w, shape, **options),
        _transposed, _transposed_samples, ("float32", "float64"), order=1, tolerance=ROUNDINGS),
    Record(
        "nnet.conv3d_grad_wrt_inputs",
        lambda g, w, shape, **options: nnet.conv3d_grad_wrt_inputs(g, w, shape, **options),
        _by_inputs, arrays((2, 3, 4, 2, 2), (3, 2, 2, 2, 3), shape=(2, 2, 3, 3, 4), **_T3), FLOATS,
        tolerance=ROUNDINGS),
    Record(
        "nnet.conv3d_grad_wrt_weights",
        lambda x, g, shape, **options: nnet.conv3d_grad_wrt_weights(x, g, shape, **options),
        _by_weights, arrays((2, 2, 3, 3, 4), (2, 3, 4, 2, 2), shape=(3, 2, 2, 2, 3), **_T3), FLOATS,
        tolerance=ROUNDINGS),
    Record(
        "nnet.conv3d_transpose",
        lambda g, w, shape, **options: nnet.conv3d_transpose(g, w, shape, **options),
        _transposed, arrays((1, 2, 2, 2, 2), (2, 1, 2, 2, 2), shape=(1, 1, 4, 3, 5), input_dilation=(2, 1, 3)),
        ("float32", "float64"), order=1, tolerance=ROUNDINGS),
    Record(
        "nnet.bilinear_upsampling", nnet.bilinear_upsampling, lambda x, ratio: _upsampled(x, ratio).astype(x.dtype),
        each(arrays((2, 1, 3, 4), ratio=3), arrays((1, 2, 1, 2), ratio=2), arrays((1, 1, 2, 2), ratio=1)), FLOATS,
        tolerance=ROUNDINGS),
)
