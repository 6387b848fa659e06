"""Convolution and pooling: our compiled functions against NumPy and SciPy by hand, forward and both gradients.

Each workload is a convolution without borders in single precision. Its rivals:

* *windows*: ``sliding_window_view`` and ``tensordot``, which is how one writes it in NumPy; image by image where all
  windows would take more than 256 MiB, and left out where those of one image would take more than 1 GiB;
* *fftconvolve*: `scipy.signal.fftconvolve`, filter by filter; left out where that takes a second
  or more.

Pooling is measured against maxima of strided slices. Run it with::

    python -m benchmarks.convolution [--json] [--only NAME ...] [--rule]

``--rule`` measures instead what `symgraph.tensor.nnet.conv_fft.pays` estimates: matrix products against transforms for
growing filters. Single precision stays single in both; the largest error of each, relative to the largest element, is
printed beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from math import log2, prod
from typing import Any

import numpy as np

import symgraph as sg
import symgraph.tensor as T
from benchmarks.timing import Timing, environment, interleaved, ratio, table
from symgraph.tensor.nnet import conv_columns, conv_fft
from symgraph.tensor.nnet.conv_geometry import Geometry

__all__ = ["WORKLOADS", "main", "measure_convolution", "measure_pooling", "measure_rule"]

Array = np.ndarray[Any, Any]
Rivals = dict[str, Callable[[], Any]]

#: Shapes of images and filters.
WORKLOADS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "LeNet, first layer": ((500, 1, 28, 28), (20, 1, 5, 5)),
    "LeNet, second layer": ((500, 20, 12, 12), (50, 20, 5, 5)),
    "ResNet, 3 x 3": ((8, 64, 58, 58), (64, 64, 3, 3)),
    "ResNet, 1 x 1": ((8, 64, 56, 56), (64, 64, 1, 1)),
    "large filters": ((4, 3, 256, 256), (8, 3, 31, 31)),
    "sequences": ((16, 64, 1000), (64, 64, 9)),
}

#: Shape of images, window, step and zeros around.
POOLINGS: dict[str, tuple[tuple[int, ...], int, int, int]] = {
    "max, 2 x 2": ((500, 20, 24, 24), 2, 2, 0),
    "max, 3 x 3 by 2": ((8, 64, 112, 112), 3, 2, 1),
}

# ---- by hand ---------------------------------------------------------------------------------------------------


def _windows(x: Array, window: Sequence[int]) -> Array:
    axes = tuple(range(2, x.ndim))
    return np.lib.stride_tricks.sliding_window_view(x, tuple(window), axis=axes)


def _bytes_each(space: Sequence[int], w: Sequence[int], itemsize: int = 4) -> int:
    """What the windows of one image with so many places take."""
    return prod(space) * prod(w[1:]) * itemsize


def _by_windows(x: Array, w: Array) -> Array:
    """The correlation of images with filters."""
    rank = x.ndim - 2
    space = [n - k + 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True)]
    if len(x) > 1 and len(x) * _bytes_each(space, w.shape) > 2**28:
        return np.concatenate([_by_windows(one[None], w) for one in x])
    made = np.tensordot(_windows(x, w.shape[2:]), w, ([1, *range(2 + rank, 2 + 2 * rank)], [1, *range(2, 2 + rank)]))
    return np.ascontiguousarray(np.moveaxis(made, -1, 1))


def _inputs_by_windows(w: Array, g: Array) -> Array:
    border = [(k - 1, k - 1) for k in w.shape[2:]]
    turned = np.flip(w, tuple(range(2, w.ndim))).swapaxes(0, 1)
    return _by_windows(np.pad(g, [(0, 0), (0, 0), *border]), turned)


def _weights_by_windows(x: Array, g: Array) -> Array:
    window = [n - m + 1 for n, m in zip(x.shape[2:], g.shape[2:], strict=True)]
    if len(x) > 1 and len(x) * _bytes_each(g.shape[2:], (0, x.shape[1], *window)) > 2**28:
        return np.sum([_weights_by_windows(a[None], b[None]) for a, b in zip(x, g, strict=True)], 0)
    axes = [0, *range(2, x.ndim)]
    return np.tensordot(g, _windows(x, window), (axes, axes))


def _by_fftconvolve(x: Array, w: Array, mode: str = "valid") -> Array:
    """The convolution with turned filters, one output after another."""
    from scipy.signal import fftconvolve

    axes = tuple(range(2, x.ndim))
    turned = np.flip(w, axes) if mode == "valid" else w
    return np.stack([fftconvolve(x, one[None], mode, axes=axes).sum(1) for one in turned], 1)


def _inputs_by_fftconvolve(w: Array, g: Array) -> Array:
    return _by_fftconvolve(g, w.swapaxes(0, 1), "full")


def _weights_by_fftconvolve(x: Array, g: Array) -> Array:
    return _by_fftconvolve(x.swapaxes(0, 1), g.swapaxes(0, 1)).swapaxes(0, 1)


def _slices(x: Array, window: int, step: int, pad: int) -> list[Array]:
    wide = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)], constant_values=-np.inf) if pad else x
    rows, columns = ((n - window) // step + 1 for n in wide.shape[2:])
    return [wide[:, :, i: i + (rows - 1) * step + 1: step, j: j + (columns - 1) * step + 1: step]
            for i in range(window) for j in range(window)]


def _max_of_slices(x: Array, window: int, step: int, pad: int) -> Array:
    first, *others = _slices(x, window, step, pad)
    largest = first.copy()
    for one in others:
        np.maximum(largest, one, out=largest)
    return largest


def _max_gradient(x: Array, g: Array, window: int, step: int, pad: int) -> Array:
    largest = _max_of_slices(x, window, step, pad)
    total = np.zeros((*x.shape[:2], *(n + 2 * pad for n in x.shape[2:])), x.dtype)
    for seen, part in zip(_slices(x, window, step, pad), _slices(total, window, step, 0), strict=True):
        part += (seen == largest) * g
    return total[:, :, pad: pad + x.shape[2], pad: pad + x.shape[3]]


# ---- measuring -------------------------------------------------------------------------------------------------


def _convolutions(x: Array, w: Array, g: Array) -> dict[str, Rivals]:
    """What is measured, with its rivals, ours first."""
    rank = x.ndim - 2
    a, b, c = (T.TensorType("float32", v.shape)() for v in (x, w, g))
    made = getattr(T.nnet, f"conv{rank}d")(a, b, filter_flip=False)
    by_x, by_w = sg.grad(None, [a, b], known_grads={made: c})
    forward, inputs, weights = (
        sg.function([a, b, c], out, on_unused_input="ignore") for out in (made, by_x, by_w))
    made_of = {
        "forward": {"symgraph": partial(forward, x, w, g), "windows": partial(_by_windows, x, w),
                    "fftconvolve": partial(_by_fftconvolve, x, w)},
        "by inputs": {"symgraph": partial(inputs, x, w, g), "windows": partial(_inputs_by_windows, w, g),
                      "fftconvolve": partial(_inputs_by_fftconvolve, w, g)},
        "by weights": {"symgraph": partial(weights, x, w, g), "windows": partial(_weights_by_windows, x, g),
                       "fftconvolve": partial(_weights_by_fftconvolve, x, g)},
    }
    for what, rivals in made_of.items():
        space, channels = (x.shape[2:], len(w)) if what == "by inputs" else (g.shape[2:], w.shape[1])
        if _bytes_each(space, (0, channels, *w.shape[2:])) > 2**30:
            del rivals["windows"]
        if len(w) * x.size * log2(prod(x.shape[2:])) > 2e8:
            del rivals["fftconvolve"]
    return made_of


def _timed(rivals: Rivals, rounds: int) -> dict[str, Timing]:
    """Rivals that give the same, timed in turn."""
    wanted, *others = (np.asarray(call()) for call in rivals.values())
    for other in others:
        np.testing.assert_allclose(wanted, other, rtol=1e-3, atol=1e-4 * float(np.abs(wanted).max()))
    return interleaved(rivals, rounds, warm_up=1)


def measure_convolution(name: str, rounds: int) -> dict[str, dict[str, Timing]]:
    """Time a workload forward and by both gradients."""
    images, filters = WORKLOADS[name]
    rng = np.random.default_rng(0)
    made = (images[0], filters[0], *(n - k + 1 for n, k in zip(images[2:], filters[2:], strict=True)))
    x, w, g = (rng.normal(size=shape).astype("float32") for shape in (images, filters, made))
    return {what: _timed(rivals, rounds) for what, rivals in _convolutions(x, w, g).items()}


def measure_pooling(name: str, rounds: int) -> dict[str, dict[str, Timing]]:
    """Time maximum pooling and its gradient."""
    shape, window, step, pad = POOLINGS[name]
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    a = T.TensorType("float32", shape)()
    made = sg.tensor.signal.pool.pool_2d(a, window, True, step, pad)
    forward, value = sg.function([a], made), _max_of_slices(x, window, step, pad)
    g = np.random.default_rng(1).normal(size=value.shape).astype("float32")
    b = T.TensorType("float32", g.shape)()
    backward = sg.function([a, b], sg.grad(None, a, known_grads={made: b}))
    return {
        "forward": _timed({"symgraph": partial(forward, x), "slices": partial(_max_of_slices, x, window, step, pad)},
                          rounds),
        "gradient": _timed({"symgraph": partial(backward, x, g),
                            "slices": partial(_max_gradient, x, g, window, step, pad)}, rounds),
    }


def measure_rule(rounds: int) -> list[list[str]]:
    """For growing filters: milliseconds by matrix products and by transforms, their errors, and what is chosen."""
    rows, rng, length = [], np.random.default_rng(0), 64
    for channels, k in [(c, k) for c in (1, 8, 32) for k in (3, 5, 7, 11, 15, 21, 31)]:
        g = Geometry((length,) * 2, (k,) * 2, (length - k + 1,) * 2, ((0, 0),) * 2, (1, 1), (1, 1))
        shapes = (8, channels, length, length), (channels, channels, k, k)
        x, w = (rng.normal(size=shape).astype("float32") for shape in shapes)
        rivals: Rivals = {"products": partial(conv_columns.correlate, x, w, g),
                          "transforms": partial(conv_fft.correlate, x, w, g)}
        timed = interleaved(rivals, rounds, warm_up=1)
        exact = conv_columns.correlate(x.astype("float64"), w.astype("float64"), g)
        errors = [f"{np.abs(call() - exact).max() / np.abs(exact).max():.0e}" for call in rivals.values()]
        chosen = "transforms" if conv_fft.pays(g, 8, channels, channels, x.dtype) else "products"
        rows.append([f"{channels} channels, {k} x {k}", *(f"{t.median / 1e6:.2f}" for t in timed.values()),
                     f"{ratio(timed['products'], timed['transforms']):.2f}", *errors, chosen])
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print tables to standard error, and with ``--json`` one JSON line to standard output."""
    options = _parser().parse_args(arguments)
    print(f"{environment()}\n", file=sys.stderr)
    if options.rule:
        header = ["8 images of 64 x 64, ms", "products", "transforms", "ratio", "error", "error", "chosen"]
        print(table(header, measure_rule(options.rounds)), file=sys.stderr)
        return
    report: dict[str, Any] = {}
    for names, measure in ((WORKLOADS, measure_convolution), (POOLINGS, measure_pooling)):
        for name in names:
            if options.only and not any(part in name for part in options.only):
                continue
            rows = []
            for what, timed in measure(name, options.rounds).items():
                ours = timed["symgraph"]
                rows += [[f"{what}: {rival}", f"{t.minimum / 1e6:.2f}", f"{t.median / 1e6:.2f}",
                          f"{ratio(ours, t):.3f}"] for rival, t in timed.items()]
                report.setdefault(name, {})[what] = {
                    rival: {"ms": t.summary(1e6), "ratio": round(ratio(ours, t), 4)} for rival, t in timed.items()}
            print(table([f"{name}, ms", "min", "median", "symgraph / it"], rows), end="\n\n", file=sys.stderr)
    if options.json:
        print(json.dumps({"benchmark": "convolution", "environment": environment(), "workloads": report}))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.convolution", description="Our convolutions against NumPy and SciPy by hand.")
    parser.add_argument("--rounds", type=int, default=9, help="rounds a comparison (default: %(default)s)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only workloads whose names contain one of these")
    parser.add_argument("--rule", action="store_true", help="measure what decides between products and transforms")
    parser.add_argument("--json", action="store_true", help="end with one JSON line on standard output")
    return parser


if __name__ == "__main__":
    main()
