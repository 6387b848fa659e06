"""Records of newer activations and losses, layers that differ from place to place, neighbourhoods, Theano's classes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.special as special

from symgraph.tensor import nnet
from tests.records.base import FLOATS, Array, Record, Sample, arrays, each, random_array
from tests.records.convolution import Loops

ROUNDINGS = {"float16": 2e-2, "float32": 1e-5, "float64": 1e-12}
BOTH = each(arrays((3, 4), low=0.2), arrays((3, 4), low=-2.0, high=-0.2), arrays((), low=0.3, high=1.0), arrays((0, 2)))


def wide(function: Any) -> Any:
    """The reference in float64, rounded to the dtype of the first argument."""

    def compute(*xs: Array, **options: Any) -> Array:
        result = function(*(x.astype("float64") if x.dtype.kind == "f" else x for x in xs), **options)
        return np.asarray(result).astype(xs[0].dtype if xs[0].dtype.kind == "f" else xs[-1].dtype)

    return compute


# ---- activations ---------------------------------------------------------------------------------------------


def _tanh_gelu(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))


def _ultra_fast(x: Array) -> Array:
    size = np.abs(x) / 2
    curve = np.select([size < 1.7, size < 3], [1.5 * size / (1 + size), 0.935409070603099 + 0.0458812946797165 * (
        size - 1.7)], 0.99505475368673)
    return 0.5 * (1 + np.sign(x) * curve)


PIECES = each(BOTH, arrays((3,), low=-9.0, high=-7.0), arrays((4,), low=4.0, high=5.5))
ACTIVATIONS: tuple[Record, ...] = tuple(
    Record(f"nnet.{name}", getattr(nnet, name), wide(reference), samples, FLOATS, tolerance=ROUNDINGS)
    for name, reference, samples in (
        ("gelu", lambda x, approximate=False: _tanh_gelu(x) if approximate else x * special.ndtr(x),
         each(BOTH, arrays((5,), low=-6.0, high=6.0), arrays((2, 3), approximate=True))),
        ("silu", lambda x: x * special.expit(x), BOTH),
        ("swish", lambda x, beta=1: x * special.expit(beta * x), each(BOTH, arrays((3,), beta=0.5))),
        ("mish", lambda x: x * np.tanh(np.logaddexp(0, x)), BOTH),
        ("hard_swish", lambda x: x * np.clip(x + 3, 0, 6) / 6, PIECES),
        ("log_sigmoid", lambda x: -np.logaddexp(0, -x), BOTH),
        ("softminus", lambda x: x - np.logaddexp(0, x), BOTH),
        ("leaky_relu", lambda x, alpha=0.01: np.where(x > 0, x, alpha * x), each(BOTH, arrays((3,), low=-2.0, high=-0.2,
                                                                                              alpha=0.3))),
        ("ultra_fast_sigmoid", _ultra_fast, PIECES),
    ))

# ---- losses --------------------------------------------------------------------------------------------------


def _signs(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    yield (random_array(rng, dtype, (3, 4)), np.where(rng.random((3, 4)) < 0.5, -1, 1).astype(dtype)), {}


def _huber(o: Array, t: Array, delta: float = 1.0) -> Array:
    error = np.abs(o - t)
    return np.where(error <= delta, 0.5 * error ** 2, delta * (error - 0.5 * delta))


def _distributions(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    def one() -> Array:
        return np.asarray(special.softmax(rng.normal(size=(3, 4)), 1).astype(dtype))

    yield (one(), one()), {}
    yield (one(), one()), {"axis": 0}
    yield (one(), one()), {"axis": None}


def _logs(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    yield (random_array(rng, dtype, (3, 4), -3.0, -0.1), np.array([3, 0, 3], "int32")), {}


def _rows(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
    for shape in ((4,), (2, 3), ()):
        yield (rng.integers(0, 5, shape), random_array(rng, dtype, (5, 2))), {}


def _layer_norm(x: Array, gamma: Array | None = None, beta: Array | None = None, axes: Any = -1,
                epsilon: float = 1e-5) -> Array:
    over = (axes,) if isinstance(axes, int) else axes
    shape = [n if i in [a % x.ndim for a in over] else 1 for i, n in enumerate(x.shape)]
    out = (x - x.mean(over, keepdims=True)) / np.sqrt(x.var(over, keepdims=True) + epsilon)
    out = out if gamma is None else out * gamma.reshape(shape)
    return out if beta is None else out + beta.reshape(shape)


LOSSES: tuple[Record, ...] = (
    Record("nnet.squared_error", nnet.squared_error, wide(lambda o, t: (o - t) ** 2),
           each(arrays((3, 4), (3, 4)), arrays((3, 4), (4,))), FLOATS, tolerance=ROUNDINGS),
    Record("nnet.hinge", nnet.hinge, wide(lambda o, t: np.maximum(1 - t * o, 0)), _signs, FLOATS, tolerance=ROUNDINGS),
    Record("nnet.huber", nnet.huber, wide(_huber), each(arrays((3, 4), (3, 4)), arrays((5,), (5,), delta=0.5)), FLOATS,
           tolerance=ROUNDINGS),
    Record("nnet.kl_divergence", nnet.kl_divergence,
           wide(lambda p, q, axis=-1: special.rel_entr(p, q).sum(axis)), _distributions, FLOATS, tolerance=ROUNDINGS),
    Record("nnet.nll", nnet.nll, lambda logs, y: -logs[np.arange(len(y)), y], _logs, FLOATS),
    Record("nnet.embedding", nnet.embedding, lambda i, w: w[i], _rows, ("int32", *FLOATS)),
    Record("nnet.layer_norm", nnet.layer_norm, wide(_layer_norm),
           each(arrays((3, 4), low=0.5), arrays((3, 4), (4,), (4,), low=0.5),
                arrays((2, 3, 4), (3, 4), axes=(1, 2), low=0.5), arrays((2, 3, 4), (3,), (3,), axes=1, epsilon=0.01)),
           FLOATS, tolerance={**ROUNDINGS, "float16": 5e-2}),
)

# ---- neighbourhoods, and filters that differ from place to place ----------------------------------------------


def _neighbours(x: Array, neib_shape: Any, neib_step: Any = None, mode: str = "valid") -> Array:
    """Row by row, from the padded image."""
    (a, b), (down, right) = neib_shape, neib_shape if neib_step is None else neib_step
    sides = {"half": (a // 2, b // 2), "full": (a - 1, b - 1), "wrap_centered": (a // 2, b // 2)}.get(mode, (0, 0))
    how: Any = "wrap" if mode == "wrap_centered" else "constant"
    padded = np.pad(x, ((0, 0), (0, 0), (sides[0],) * 2, (sides[1],) * 2), mode=how)
    rows = [image[i: i + a, j: j + b].ravel() for images in padded for image in images
            for i in range(0, image.shape[0] - a + 1, down) for j in range(0, image.shape[1] - b + 1, right)]
    return np.array(rows, x.dtype).reshape(-1, a * b)


def _pictures(rows: Array, neib_shape: Any, original_shape: Any, mode: str = "valid") -> Array:
    images, (a, b) = np.zeros(original_shape, rows.dtype), neib_shape
    following = iter(rows)
    for image in images.reshape(-1, *original_shape[2:]):
        for i in range(0, image.shape[0] - a + 1, a):
            for j in range(0, image.shape[1] - b + 1, b):
                image[i: i + a, j: j + b] = next(following).reshape(a, b)
    return images


class _Local(Loops):
    """Loops with filters of their own at each place: those are (outputs, *places, channels, *window)."""

    def each(self, w: Array) -> Iterable[tuple[Any, Array]]:
        for place in np.ndindex(*self.made):
            yield place, w[(slice(None), *place)]

    def local(self, x: Array, w: Array) -> Array:
        whole = [self.forward(x, kernels)[(..., *place)] for place, kernels in self.each(w)]
        return np.stack(whole, -1).reshape(*whole[0].shape, *self.made)

    def local_by_inputs(self, w: Array, g: Array) -> Array:
        total: Any = 0
        for place, kernels in self.each(w):
            one = np.zeros_like(g)
            one[(..., *place)] = g[(..., *place)]
            total = total + self.by_inputs(kernels, one)
        return np.asarray(total)

    def local_by_weights(self, x: Array, g: Array) -> Array:
        parts = []
        for place in np.ndindex(*self.made):
            one = np.zeros_like(g)
            one[(..., *place)] = g[(..., *place)]
            parts.append(self.by_weights(x, one))
        return np.stack(parts, 1).reshape(g.shape[1], *self.made, *parts[0].shape[1:])


LOCAL: tuple[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]], ...] = (
    ((2, 2, 4, 3), (2, 3, 2, 2, 2, 2), {}),
    ((1, 2, 4, 5), (4, 3, 3, 1, 2, 3), {"border_mode": (1, 0), "subsample": (2, 1), "num_groups": 2,
                                        "filter_flip": False}),
    ((1, 1, 3, 5), (1, 1, 3, 1, 2, 2), {"border_mode": ((0, 1), (1, 0)), "subsample": (2, 2),
                                        "filter_dilation": (2, 1)}),
)


def _local_samples(kind: str) -> Any:
    def sample(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
        for images, filters, options in LOCAL:
            x, w, g = (random_array(rng, dtype, s) for s in (images, filters, (images[0], *filters[:3])))
            given: Any = {"z": ((x, w), {"filter_shape": filters}), "x": ((g, w), {
                "input_shape": images, "filter_shape": filters}), "w": ((x, g), {"filter_shape": filters})}[kind]
            yield given[0], {**options, **given[1]}

    return sample


def _local_loops(space: Any, window: Any, options: dict[str, Any]) -> _Local:
    known = {k: v for k, v in options.items() if k not in ("input_shape", "filter_shape")}
    return _Local(space, window, **known)


def _as(dtype: Any, value: Array) -> Array:
    return value.astype(dtype)


NARROW = {"float16": 2e-2, "float32": 2e-5, "float64": 1e-12}
SPATIAL: tuple[Record, ...] = (
    Record("nnet.images2neibs", nnet.images2neibs, _neighbours,
           each(arrays((2, 1, 4, 6), neib_shape=(2, 3)), arrays((1, 2, 5, 4), neib_shape=(3, 2), neib_step=(2, 1)),
                arrays((1, 1, 5, 7), neib_shape=(2, 3), mode="ignore_borders"),
                arrays((1, 2, 3, 4), neib_shape=(3, 3), neib_step=(1, 2), mode="wrap_centered"),
                arrays((1, 1, 4, 4), neib_shape=(3, 2), neib_step=(1, 2), mode="half"),
                arrays((2, 1, 3, 2), neib_shape=(2, 3), neib_step=(1, 1), mode="full")),
           ("bool", "int8", "uint64", *FLOATS, "complex64")),
    Record("nnet.neibs2images", nnet.neibs2images, _pictures,
           each(arrays((8, 6), neib_shape=(2, 3), original_shape=(2, 1, 4, 6)),
                arrays((4, 6), neib_shape=(2, 3), original_shape=(1, 1, 5, 7), mode="ignore_borders")),
           ("bool", "int8", *FLOATS, "complex64")),
    Record("unshared nnet.conv2d",
           lambda x, w, **o: nnet.conv2d(x, w, unshared=True, **o),
           lambda x, w, **o: _as(x.dtype, _local_loops(x.shape[2:], w.shape[4:], o).local(x, w)),
           _local_samples("z"), ("int64", *FLOATS), tolerance=NARROW),
    Record("unshared nnet.conv2d_grad_wrt_inputs",
           lambda g, w, **o: nnet.conv2d_grad_wrt_inputs(g, w, unshared=True, **o),
           lambda g, w, **o: _as(g.dtype, _local_loops(o["input_shape"][2:], w.shape[4:], o).local_by_inputs(w, g)),
           _local_samples("x"), FLOATS, tolerance=NARROW),
    Record("unshared nnet.conv2d_grad_wrt_weights",
           lambda x, g, **o: nnet.conv2d_grad_wrt_weights(x, g, unshared=True, **o),
           lambda x, g, **o: _as(x.dtype, _local_loops(x.shape[2:], o["filter_shape"][4:], o).local_by_weights(x, g)),
           _local_samples("w"), FLOATS, tolerance=NARROW),
)


def _upsampled(x: Array, frac_ratio: Any) -> Array:
    pairs = frac_ratio if isinstance(frac_ratio[0], tuple) else (frac_ratio,) * 2
    for axis, (p, q) in enumerate(pairs, 2):
        n = x.shape[axis]
        p, q = p // np.gcd(p, q), q // np.gcd(p, q)
        at = (np.arange(0, n * p, q) - (p - 1) // 2) / p
        x = np.apply_along_axis(lambda row, at=at: np.interp(at, np.arange(len(row)), row), axis, x)
    return x


def _tent(ratio: int, normalize: bool = True) -> Array:
    made = np.concatenate([np.arange(1.0, ratio + 1), np.arange(1.0, ratio)[::-1]])
    return made / ratio if normalize else made


def _only(**options: Any) -> Any:
    return lambda rng, dtype: [((), options)]


def _tents(ratio: Any, normalize: bool = True) -> Array:
    rows, columns = ratio if isinstance(ratio, tuple) else (ratio, ratio)
    return np.outer(_tent(rows, normalize), _tent(columns, normalize))


def _films(V: Array, W: Array, b: Array, d: Any) -> Array:
    loops = Loops(V.shape[1:4], W.shape[1:4], subsample=d, filter_flip=False)
    return np.moveaxis(loops.forward(np.moveaxis(V, -1, 1), np.moveaxis(W, -1, 1)), 1, -1) + b


def _films_of_channels(signals: Array, filters: Array, border_mode: Any = "valid", **shapes: Any) -> Array:
    """Time before channels, in and out."""
    images, kernels = (np.moveaxis(v, 1, 2) for v in (signals, filters))
    return np.moveaxis(Loops(images.shape[2:], kernels.shape[2:], border_mode).forward(images, kernels), 2, 1)


NAMES: tuple[Record, ...] = (
    Record("nnet.frac_bilinear_upsampling", nnet.frac_bilinear_upsampling, wide(_upsampled),
           each(arrays((1, 2, 3, 4), frac_ratio=(3, 2)), arrays((2, 1, 4, 2), frac_ratio=((5, 3), (4, 2))),
                arrays((1, 1, 2, 3), frac_ratio=((2, 3), (1, 1)))), FLOATS, tolerance=ROUNDINGS),
    Record("nnet.bilinear_kernel_1D", lambda **o: nnet.bilinear_kernel_1D(**o), lambda **o: _tent(**o),
           each(_only(ratio=3), _only(ratio=1), _only(ratio=4, normalize=False)), ("float64",),
           gradient="its arguments are lengths"),
    Record("nnet.bilinear_kernel_2D", lambda **o: nnet.bilinear_kernel_2D(**o), lambda **o: _tents(**o),
           each(_only(ratio=3), _only(ratio=(2, 4), normalize=False)), ("float64",),
           gradient="its arguments are lengths"),
    Record("nnet.conv3D", lambda V, W, b, **o: nnet.conv3D(V, W, b, **o), _films,
           arrays((1, 3, 4, 2, 2), (3, 2, 2, 1, 2), (3,), d=(1, 2, 1)), FLOATS, tolerance=NARROW),
    Record("nnet.conv3d2d.conv3d", nnet.conv3d2d.conv3d, _films_of_channels,
           each(arrays((2, 3, 2, 4, 3), (3, 2, 2, 2, 1)), arrays((1, 2, 1, 3, 3), (2, 2, 1, 3, 2), border_mode="full"),
                arrays((1, 3, 2, 3, 3), (1, 3, 2, 3, 1), border_mode="half"),
                arrays((1, 2, 1, 2, 2), (2, 1, 1, 2, 2), signals_shape=(1, 2, 1, 2, 2), border_mode=(0, 1, 1))),
           FLOATS, tolerance=NARROW),
    Record("nnet.scalar_sigmoid", nnet.scalar_sigmoid, wide(special.expit), BOTH, FLOATS, tolerance=ROUNDINGS),
    Record("nnet.scalar_softplus", nnet.scalar_softplus, wide(lambda x: np.logaddexp(0, x)), BOTH, FLOATS,
           tolerance=ROUNDINGS),
    Record("nnet.softmax_op", nnet.softmax_op, wide(lambda x: special.softmax(x, 1)), arrays((3, 4)), FLOATS,
           tolerance=ROUNDINGS),
    Record("nnet.logsoftmax_op", nnet.logsoftmax_op, wide(lambda x: special.log_softmax(x, 1)), arrays((3, 4)), FLOATS,
           tolerance=ROUNDINGS),
)

LAYERS = (*ACTIVATIONS, *LOSSES, *SPATIAL, *NAMES)
