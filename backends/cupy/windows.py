"""Convolution and pooling by products of matrices and sums over the places of a window."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.cupy.lowering import lower
from symgraph.graph.basic import Apply
from symgraph.tensor.nnet.conv_geometry import Geometry
from symgraph.tensor.nnet.conv_ops import Conv, ConvGradInputs, ConvGradWeights
from symgraph.tensor.nnet.windows import OverlapAdd, Windows
from symgraph.tensor.signal.pool_ops import MaxPool, MaxPoolGather, MaxPoolGrad, SumPool, SumPoolGrad

if TYPE_CHECKING:
    from backends.cupy.render import Renderer

__all__: list[str] = []

_BYTES = 1 << 28  # of windows laid out at once


def _call(r: Renderer, node: Apply, function: Any, names: str, arrays: int) -> str:
    """A call of a function on xp, the operation, its arrays, and the lengths behind these."""
    for name in names.split():
        r.xp(name)
    r.writer.namespace[function.__name__] = function
    values = [*map(r.dev, node.inputs[:arrays]), *map(r.number, node.inputs[arrays:])]
    return f"{function.__name__}(xp, {r.writer.bind(node.op, 'op')}, {', '.join(values)})"


# ---- convolution ------------------------------------------------------------------------------------------------


def _wide(a: Any, dtype: Any) -> Any:
    return a.astype("float32" if dtype == np.float16 else dtype)


def _padded(xp: Any, images: Any, g: Geometry) -> Any:
    if not any(map(any, g.pads)):
        return images
    padded = xp.zeros((*images.shape[:2], *g.whole), images.dtype)
    padded[(..., *g.inner())] = images
    return padded


def _columns(xp: Any, images: Any, g: Geometry) -> Any:
    """The windows of images as columns: (batch, groups, channels of a group * window, output)."""
    padded = _padded(xp, images, g)
    every: Any = slice(None)
    parts = [padded[(every, every, *met)] for _, met in g.offsets()]
    stacked = xp.stack(parts, axis=2)  # (batch, channels, window, *output)
    return stacked.reshape((images.shape[0], g.groups, images.shape[1] // g.groups * prod(g.window), prod(g.output)))


def _runs(images: Any, g: Geometry) -> list[slice]:
    """Images in runs whose windows do not take too much memory."""
    each = max(images.shape[1] * prod(g.window) * prod(g.output) * images.dtype.itemsize, 1)
    step = max(1, _BYTES // each)
    return [slice(start, min(start + step, images.shape[0])) for start in range(0, images.shape[0], step)]


def _turned(op: Any, filters: Any) -> Any:
    return filters[(slice(None), slice(None), *(slice(None, None, -1),) * len(op.subsample))] if op.flip else filters


@lower(Conv)
def _conv(r: Renderer, node: Apply) -> str:
    return _call(r, node, conv, "zeros stack matmul concatenate", 2)


def conv(xp: Any, op: Any, x: Any, w: Any) -> Any:
    """Every filter's product with every window of every image."""
    dtype = np.result_type(x.dtype, w.dtype)
    if x.shape[1] != w.shape[1] * op.groups or w.shape[0] % op.groups:
        raise ValueError(f"images of shape {x.shape} do not fit filters of shape {w.shape} in {op.groups} groups: the "
                         "images must have as many channels as the groups' filters take together")
    g = op._geometry(x.shape[2:], w.shape[2:], None)
    x, matrices = _wide(x, dtype), _turned(op, _wide(w, dtype)).reshape((g.groups, w.shape[0] // g.groups, -1))
    shape = (w.shape[0], *g.output)
    parts = [xp.matmul(matrices, _columns(xp, x[run], g)).reshape((run.stop - run.start, *shape))
             for run in _runs(x, g)]
    return (xp.concatenate(parts) if parts else xp.zeros((0, *shape), dtype)).astype(dtype)


@lower(ConvGradWeights)
def _conv_grad_weights(r: Renderer, node: Apply) -> str:
    return _call(r, node, conv_grad_weights, "zeros stack matmul swapaxes sum ascontiguousarray", 2)


def conv_grad_weights(xp: Any, op: Any, x: Any, grad: Any, *window: int) -> Any:
    """The transpose of `conv` as a map of the filters."""
    dtype = np.result_type(x.dtype, grad.dtype)
    if x.shape[0] != grad.shape[0] or x.shape[1] % op.groups or grad.shape[1] % op.groups:
        raise ValueError(f"images of shape {x.shape} do not fit gradients of shape {grad.shape} in {op.groups} groups: "
                         "there must be as many images as gradients")
    g = op._geometry(x.shape[2:], window, grad.shape[2:])
    x, grad = _wide(x, dtype), _wide(grad, dtype)
    each = grad.shape[1] // g.groups
    total = xp.zeros((g.groups, each, x.shape[1] // g.groups * prod(g.window)), x.dtype)
    for run in _runs(x, g):
        weights = grad[run].reshape((run.stop - run.start, g.groups, each, prod(g.output)))
        total += xp.sum(xp.matmul(weights, xp.swapaxes(_columns(xp, x[run], g), 2, 3)), axis=0, dtype=total.dtype)
    made = total.reshape((grad.shape[1], x.shape[1] // g.groups, *g.window))
    return xp.ascontiguousarray(_turned(op, made)).astype(dtype)


@lower(ConvGradInputs)
def _conv_grad_inputs(r: Renderer, node: Apply) -> str:
    return _call(r, node, conv_grad_inputs, "zeros matmul swapaxes", 2)


def conv_grad_inputs(xp: Any, op: Any, w: Any, grad: Any, *image: int) -> Any:
    """The transpose of `conv` as a map of the images."""
    dtype = np.result_type(w.dtype, grad.dtype)
    if w.shape[0] != grad.shape[1] or w.shape[0] % op.groups:
        raise ValueError(f"filters of shape {w.shape} do not fit gradients of shape {grad.shape} in {op.groups} "
                         "groups: there must be as many filters as channels of the gradients")
    g = op._geometry(image, w.shape[2:], grad.shape[2:])
    w, grad = _turned(op, _wide(w, dtype)), _wide(grad, dtype)
    batch, channels, every = grad.shape[0], w.shape[1] * g.groups, slice(None)
    filters = w.reshape((g.groups, w.shape[0] // g.groups, w.shape[1], *g.window))
    outputs = grad.reshape((batch, g.groups, w.shape[0] // g.groups, prod(g.output)))
    whole = xp.zeros((batch, channels, *g.whole), w.dtype)
    for place, met in g.offsets():
        matrices = xp.swapaxes(filters[(every, every, every, *place)], 1, 2)
        whole[(every, every, *met)] += xp.matmul(matrices, outputs).reshape((batch, channels, *g.output))
    return whole[(every, every, *g.inner())].astype(dtype)


@lower(Windows)
def _windows(r: Renderer, node: Apply) -> str:
    return _call(r, node, windows, "zeros stack", 1)


def windows(xp: Any, op: Any, x: Any) -> Any:
    """Images to their windows: (batch, channels, *places, *window)."""
    g = op.geometry(x.shape[2:])
    padded, every = _padded(xp, x, g), slice(None)
    stacked = xp.stack([padded[(every, every, *met)] for _, met in g.offsets()], axis=-1)
    return stacked.reshape((*x.shape[:2], *g.output, *g.window))


@lower(OverlapAdd)
def _overlap_add(r: Renderer, node: Apply) -> str:
    return _call(r, node, overlap_add, "zeros", 1)


def overlap_add(xp: Any, op: Any, v: Any, *lengths: int) -> Any:
    """The transpose of `windows`: each window's elements added where they lie."""
    g, every = op.geometry(lengths), slice(None)
    if v.shape[2:] != (*g.output, *g.window):
        raise ValueError(f"images of {tuple(lengths)} have windows of {(*g.output, *g.window)}, not {v.shape[2:]}")
    wide = _wide(v, v.dtype)
    whole = xp.zeros((*v.shape[:2], *g.whole), wide.dtype)
    for place, met in g.offsets():
        whole[(every, every, *met)] += wide[(every,) * (2 + op.rank) + place]
    return whole[(every, every, *g.inner())].astype(v.dtype)


# ---- pooling ----------------------------------------------------------------------------------------------------


def _spread(xp: Any, op: Any, x: Any, fill: Any) -> Any:
    """The images with `fill` around, as long along each axis as the windows reach."""
    before, lengths = op.split(x.shape)
    reach = op.extent(lengths)
    whole = xp.full((*before, *reach), fill, x.dtype)
    kept = [min(n, max(r - p, 0)) for n, r, p in zip(lengths, reach, op.pad, strict=True)]
    whole[op.inner(kept, op.pad)] = x[op.inner(kept)]
    return whole


def _unspread(xp: Any, op: Any, whole: Any, lengths: Any) -> Any:
    """The transpose of that: the images' elements, zero where no window reaches."""
    before, reach = op.split(whole.shape)
    x = xp.zeros((*before, *lengths), whole.dtype)
    kept = [min(n, max(r - p, 0)) for n, r, p in zip(lengths, reach, op.pad, strict=True)]
    x[op.inner(kept)] = whole[op.inner(kept, op.pad)]
    return x


def _offsets(op: Any, made: Any) -> Any:
    """For each place in the window, where it lies in all windows of the padded images."""
    for place in product(*map(range, op.window)):
        yield (..., *(slice(k, k + (m - 1) * s + 1, s) if m else slice(0)
                      for k, m, s in zip(place, made, op.stride, strict=True)))


def _least(dtype: Any) -> Any:
    return -np.inf if dtype.kind == "f" else False if dtype.kind == "b" else np.iinfo(dtype).min


@lower(MaxPool)
def _max_pool(r: Renderer, node: Apply) -> str:
    return _call(r, node, max_pool, "full maximum", 1)


def max_pool(xp: Any, op: Any, x: Any) -> Any:
    """The largest element of each window."""
    made = op.counts(op.split(x.shape)[1])
    whole, total = _spread(xp, op, x, _least(x.dtype)), None
    for place in _offsets(op, made):
        total = whole[place].copy() if total is None else xp.maximum(total, whole[place])
    return total


def _chosen(xp: Any, op: Any, x: Any, z: Any) -> Any:
    """For each place in the window: where it lies in the padded images, and in which windows it is largest."""
    if op.pooled(x.shape) != z.shape:
        raise ValueError(f"images of shape {x.shape} are pooled to {op.pooled(x.shape)}, not {z.shape}: {op}")
    whole = _spread(xp, op, x, _least(x.dtype))
    for place in _offsets(op, op.split(z.shape)[1]):
        yield place, whole[place] == z


@lower(MaxPoolGrad)
def _max_pool_grad(r: Renderer, node: Apply) -> str:
    return _call(r, node, max_pool_grad, "full zeros where", 3)


def max_pool_grad(xp: Any, op: Any, x: Any, z: Any, g: Any) -> Any:
    """A number for each window, added where that is largest."""
    lengths = op.split(x.shape)[1]
    total = xp.zeros((*op.split(x.shape)[0], *op.extent(lengths)), g.dtype)
    for place, largest in _chosen(xp, op, x, z):
        total[place] += xp.where(largest, g, g.dtype.type(0))
    return _unspread(xp, op, total, lengths)


@lower(MaxPoolGather)
def _max_pool_gather(r: Renderer, node: Apply) -> str:
    return _call(r, node, max_pool_gather, "full zeros where", 3)


def max_pool_gather(xp: Any, op: Any, x: Any, z: Any, v: Any) -> Any:
    """For each window the sum of `v` where the window is largest."""
    whole, total = _spread(xp, op, v, 0), xp.zeros(z.shape, v.dtype)
    for place, largest in _chosen(xp, op, x, z):
        total += xp.where(largest, whole[place], v.dtype.type(0))
    return total


@lower(SumPool)
def _sum_pool(r: Renderer, node: Apply) -> str:
    return _call(r, node, sum_pool, "full asarray", 1)


def sum_pool(xp: Any, op: Any, x: Any) -> Any:
    """The sum, or the mean, of each window."""
    lengths = op.split(x.shape)[1]
    whole, total = _spread(xp, op, _wide(x, x.dtype), 0), None
    for place in _offsets(op, op.counts(lengths)):
        total = whole[place].copy() if total is None else total + whole[place]
    divisors = op.divisors(lengths)
    if divisors is not None:
        total = total / xp.asarray(divisors.astype(whole.dtype))
    assert total is not None
    return total.astype(x.dtype)


@lower(SumPoolGrad)
def _sum_pool_grad(r: Renderer, node: Apply) -> str:
    return _call(r, node, sum_pool_grad, "zeros asarray", 1)


def sum_pool_grad(xp: Any, op: Any, g: Any, *lengths: int) -> Any:
    """The transpose of that: each window's number, or its share, added to all its elements."""
    before, made = op.split(g.shape)
    if op.counts(lengths) != made:
        raise ValueError(f"images of {tuple(lengths)} are pooled to {op.counts(lengths)}, not {made}: {op}")
    share, divisors = _wide(g, g.dtype), op.divisors(lengths)
    if divisors is not None:
        share = share / xp.asarray(divisors.astype(share.dtype))
    total = xp.zeros((*before, *op.extent(lengths)), share.dtype)
    for place in _offsets(op, made):
        total[place] += share
    return _unspread(xp, op, total, lengths).astype(g.dtype)
