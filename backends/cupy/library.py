"""Operations computed by functions of the device's array library: sorting, counting, sums along axes, transforms.

Each row names the functions it calls, so that a test can hold them against what CuPy has. They allocate memory of their
own, so a program that calls one is not recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from backends.cupy.lowering import Unsupported, lower
from symgraph.graph.basic import Apply
from symgraph.tensor.checks import Assert
from symgraph.tensor.choosing import RavelMultiIndex, UnravelIndex
from symgraph.tensor.comparing import SameElements
from symgraph.tensor.correlation import Convolve
from symgraph.tensor.counting import RepeatPlaces, SearchSorted, Unique
from symgraph.tensor.fourier import Fit, Fourier
from symgraph.tensor.nnet.softmax import LogSoftmax, LogSumExp, Softmax, SoftmaxGrad
from symgraph.tensor.reduce import ArgReduce
from symgraph.tensor.sort import ArgPartition
from symgraph.tensor.subtensor import NonZero

if TYPE_CHECKING:
    from backends.cupy.render import Renderer

__all__: list[str] = []


def called(r: Renderer, function: Any, names: str, *arguments: str) -> str:
    """A call of a function of ours on ``xp``, and note of the library's functions that it uses."""
    for name in names.split():
        r.xp(name)
    r.writer.namespace[function.__name__] = function
    return f"{function.__name__}(xp, {', '.join(arguments)})"


def _devs(r: Renderer, node: Apply) -> list[str]:
    return [r.dev(v) for v in node.inputs]


def _dtype(node: Apply, place: int = 0) -> str:
    kind: Any = node.outputs[place].type
    return f"'{kind.dtype}'"


def _lengths(r: Renderer, node: Apply, first: int) -> str:
    return f"({''.join(r.number(v) + ', ' for v in node.inputs[first:])})"


# ---- sorting ----------------------------------------------------------------------------------------------------


@lower(ArgPartition)
def _argpartition(r: Renderer, node: Apply) -> str:
    op: Any = node.op
    return f"{r.xp('argpartition')}({r.dev(node.inputs[0])}, {op.kth}, axis={op.axis}).astype('int64')"


def argtopk(xp: Any, x: Any, k: int, axis: int, dtype: str) -> Any:
    """The places of the k largest elements, largest first, or of the -k smallest, largest first."""
    length = x.shape[axis]
    if not 0 < abs(k) <= length:
        raise ValueError(f"topk: k must be between 1 and {length}, or its negative, not {k}")
    order = xp.argsort(x, axis=axis)
    before = (slice(None),) * (axis % x.ndim)
    chosen = order[(*before, slice(length - k, None) if k > 0 else slice(None, -k))]
    return chosen[(*before, slice(None, None, -1))].astype(dtype)


@lower(ArgReduce)
def _arg_reduce(r: Renderer, node: Apply) -> str:
    op: Any = node.op
    return f"{r.xp(op.kind)}({r.dev(node.inputs[0])}, axis={op.axis}).astype('int64')"


# ---- counting and searching -------------------------------------------------------------------------------------


def bincount(xp: Any, x: Any, least: int, dtype: str) -> Any:
    """How often each number occurs."""
    if least < 0:
        raise ValueError(f"bincount: minlength must not be negative, but is {least}")
    return xp.bincount(x, None, least).astype(dtype)


@lower(SearchSorted)
def _searchsorted(r: Renderer, node: Apply) -> str:
    side = node.op.side
    x, v, *sorter = _devs(r, node)
    return f"{r.xp('searchsorted')}({', '.join([x, v, repr(side), *sorter])}).astype('int64')"


@lower(Unique)
def _unique(r: Renderer, node: Apply) -> str:
    op: Any = node.op
    flags = [name for name in ("return_index", "return_inverse", "return_counts") if getattr(op, name)]
    dtypes = tuple(v.type.dtype for v in node.outputs)
    return called(r, unique, "unique", r.dev(node.inputs[0]), str(op.axis), str(op.equal_nan), str(tuple(flags)),
                  str(dtypes))


def unique(xp: Any, x: Any, axis: int | None, equal_nan: bool, flags: tuple[str, ...], dtypes: tuple[str, ...]) -> Any:
    """The elements (or slices) without repetition, and what else is asked for."""
    found = xp.unique(x, axis=axis, equal_nan=equal_nan, **dict.fromkeys(flags, True))
    results = list(found) if flags else [found]
    if "return_inverse" in flags:
        place = 1 + ("return_index" in flags)
        results[place] = results[place].reshape(x.shape if axis is None else -1)
    results = [result.astype(dtype) for result, dtype in zip(results, dtypes, strict=True)]
    return results[0] if len(results) == 1 else tuple(results)


@lower(RepeatPlaces)
def _repeat_places(r: Renderer, node: Apply) -> str:
    return called(r, repeat_places, "cumsum arange searchsorted any broadcast_to", r.dev(node.inputs[0]),
                  r.number(node.inputs[1]))


def repeat_places(xp: Any, counts: Any, length: int) -> Any:
    """The numbers from 0 to `length`, each so many times."""
    if len(counts) not in (1, length):
        raise ValueError(f"repeat: {len(counts)} numbers of repeats for an axis of length {length}")
    if bool(xp.any(counts < 0)):
        raise ValueError("repeats may not contain negative values.")
    ends = xp.cumsum(xp.broadcast_to(counts, (length,)), dtype="int64")
    total = int(ends[-1]) if length else 0
    return xp.searchsorted(ends, xp.arange(total), "right").astype("int64")


@lower(NonZero)
def _nonzero(r: Renderer, node: Apply) -> str:
    return called(r, nonzero, "nonzero", r.dev(node.inputs[0]), _lengths(r, node, 1))


def nonzero(xp: Any, mask: Any, lengths: tuple[int, ...]) -> Any:
    """The places of what is not zero; `lengths`, of what the mask stands for, where it is an index."""
    for axis, length in enumerate(lengths):
        if mask.shape[axis] not in (0, length):
            raise IndexError(f"boolean index of shape {mask.shape} did not match indexed array: its axis {axis} stands "
                             f"for one of size {length}")
    found = xp.nonzero(mask)
    return found[0] if len(found) == 1 else tuple(found)


@lower(RavelMultiIndex)
def _ravel_multi_index(r: Renderer, node: Apply) -> str:
    op: Any = node.op
    ndim = len(node.inputs) // 2
    places = ", ".join(r.dev(v) for v in node.inputs[:ndim])
    lengths = _lengths(r, node, ndim)
    return f"{r.xp('ravel_multi_index')}(({places},), {lengths}, {op.mode!r}, {op.order!r}).astype('int64')"


@lower(UnravelIndex)
def _unravel_index(r: Renderer, node: Apply) -> str:
    return called(r, unravel_index, "unravel_index", r.dev(node.inputs[0]), _lengths(r, node, 1),
                  repr(node.op.order))


def unravel_index(xp: Any, indices: Any, lengths: tuple[int, ...], order: str) -> Any:
    """The places along each axis of elements given by their numbers."""
    total = int(np.prod(lengths, dtype=np.int64))
    if indices.size and (int(indices.min()) < 0 or int(indices.max()) >= total):
        raise ValueError(f"unravel_index: an index is out of bounds for an array of shape {lengths} and size {total}")
    found = tuple(part.astype("int64") for part in xp.unravel_index(indices, lengths, order))
    return found[0] if len(found) == 1 else found


@lower(SameElements)
def _same_elements(r: Renderer, node: Apply) -> str:
    op: Any = node.op
    return called(r, same_elements, "all isnan broadcast_to asarray", *_devs(r, node), str(op.broadcast),
                  str(op.equal_nan))


def same_elements(xp: Any, a: Any, b: Any, broadcast: bool, equal_nan: bool) -> Any:
    """Whether two arrays have equal elements, and shapes (that may be stretched where `broadcast`)."""
    if a.shape != b.shape:
        try:
            shape = np.broadcast_shapes(a.shape, b.shape) if broadcast else None
        except ValueError:
            shape = None
        if shape is None:
            return xp.asarray(np.array(False))
        a, b = xp.broadcast_to(a, shape), xp.broadcast_to(b, shape)
    same = a == b
    if equal_nan and a.dtype.kind in "fc" and b.dtype.kind in "fc":
        same = same | (xp.isnan(a) & xp.isnan(b))
    return xp.all(same)


@lower(Assert)
def _assert(r: Renderer, node: Apply) -> str:
    r.writer.namespace["asserted"] = asserted
    value, *conditions = node.inputs
    held = ", ".join(r.host(v) for v in conditions)
    passed = r.host(value) if r.placement.is_on_host(node.outputs[0]) else r.dev(value)
    return f"asserted({r.writer.bind(node.op, 'op')}, {passed}, {held})"


def asserted(op: Any, value: Any, *conditions: Any) -> Any:
    """The value, if all conditions hold."""
    if not all(np.all(c) for c in conditions):
        raise op.exception(op.msg)
    return value


# ---- sums and products along axes -------------------------------------------------------------------------------


# ---- softmax and its kin ----------------------------------------------------------------------------------------


@lower(Softmax, LogSoftmax, LogSumExp)
def _softmax(r: Renderer, node: Apply) -> str:
    function = {Softmax: softmax, LogSoftmax: log_softmax, LogSumExp: log_sum_exp}[type(node.op)]
    return called(r, function, "exp log where isfinite full", r.dev(node.inputs[0]),
                  str(node.op.axes))


@lower(SoftmaxGrad)
def _softmax_grad(r: Renderer, node: Apply) -> str:
    r.writer.namespace["softmax_grad"] = softmax_grad
    r.by_library("softmax_grad")
    return f"softmax_grad({', '.join(_devs(r, node))}, {node.op.axes})"


def softmax(xp: Any, x: Any, axes: tuple[int, ...]) -> Any:
    """exp(x) / sum(exp(x)) along axes."""
    if not x.size:
        return x.copy()
    e = xp.exp(x - x.max(axis=axes, keepdims=True))
    return e / e.sum(axis=axes, keepdims=True)


def log_softmax(xp: Any, x: Any, axes: tuple[int, ...]) -> Any:
    """The logarithm of that."""
    if not x.size:
        return x.copy()
    shifted = x - x.max(axis=axes, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=axes, keepdims=True))


def log_sum_exp(xp: Any, x: Any, axes: tuple[int, ...]) -> Any:
    """log(sum(exp(x))) along axes, which stay with length 1."""
    if not x.size:
        return xp.full(tuple(1 if i in axes else n for i, n in enumerate(x.shape)), -np.inf, x.dtype)
    top = x.max(axis=axes, keepdims=True)
    top = xp.where(xp.isfinite(top), top, x.dtype.type(0))
    return xp.log(xp.exp(x - top).sum(axis=axes, keepdims=True)) + top


def softmax_grad(g: Any, s: Any, axes: tuple[int, ...]) -> Any:
    """The gradient through softmax, from that of its result and its result."""
    return (g - (g * s).sum(axis=axes, keepdims=True)) * s


# ---- signals ----------------------------------------------------------------------------------------------------


@lower(Convolve)
def _convolve(r: Renderer, node: Apply) -> str:
    return f"{r.xp('convolve')}({', '.join(_devs(r, node))}, {node.op.mode!r})"


@lower(Fourier)
def _fourier(r: Renderer, node: Apply) -> str:
    op: Any = node.op
    if op.kind not in ("fft", "ifft", "rfft", "irfft"):
        raise Unsupported(f"there is no transform {op.kind}")
    return (f"{r.xp('fft.' + op.kind)}({r.dev(node.inputs[0])}, {r.number(node.inputs[1])}, {op.axis}, {op.norm!r})"
            f".astype({_dtype(node)})")


@lower(Fit)
def _fit(r: Renderer, node: Apply) -> str:
    return called(r, fit, "zeros", r.dev(node.inputs[0]), r.number(node.inputs[1]),
                  str(node.op.axis))


def fit(xp: Any, x: Any, length: int, axis: int) -> Any:
    """An array cut, or filled up with zeros, to a length along an axis."""
    result = xp.zeros((*x.shape[:axis], length, *x.shape[axis + 1:]), x.dtype)
    common = (slice(None),) * axis + (slice(min(length, x.shape[axis])),)
    result[common] = x[common]
    return result
