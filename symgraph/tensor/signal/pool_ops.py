"""Pooling: each window of an image to one number, its largest element, sum or mean.

Sums and means are linear, so each has one transpose, and the two are each other's gradient. The largest element's
gradient goes to every element of the window that equals it, as that of `max` does; which these are is constant
nearly everywhere, so it is linear in what flows back, and its transpose gathers what stands there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import DisconnectedType, Type
from symgraph.tensor.basic import as_lengths, as_tensor_variable, static_length
from symgraph.tensor.elemwise import TensorOp, elemwise
from symgraph.tensor.type import TensorType, tensor_type

__all__ = ["MaxPool", "MaxPoolGather", "MaxPoolGrad", "SumPool", "SumPoolGrad"]

Array = np.ndarray[Any, Any]

#: How many bytes of images are worked on at a time.
_BLOCK_BYTES = 2**20


def _greater(a: Any, b: Any) -> Any:
    """The greater of two lengths, which may be symbolic or stand for such in a plan."""
    return max(a, b) if isinstance(a, int) and isinstance(b, int) else elemwise(scalar.maximum)(a, b)


def _smaller(a: Any, b: Any) -> Any:
    return min(a, b) if isinstance(a, int) and isinstance(b, int) else elemwise(scalar.minimum)(a, b)


@frozen(repr=False)
class _Pooling(TensorOp):
    """What the operations share: windows over the last axes.

    Parameters
    ----------
    window, stride, pad : tuple of int
        For each of the last axes: the window's length, the step to the next, what is added on both sides.
    ignore_border : bool
        Leave out windows that would reach over the end; else they are cut off there.
    """

    window: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    ignore_border: bool

    def counts(self, lengths: Sequence[Any]) -> tuple[Any, ...]:
        """How many windows there are along each axis; lengths may be symbolic or None."""
        made: list[Any] = []
        for n, w, s, p in zip(lengths, self.window, self.stride, self.pad, strict=True):
            if n is None:
                made.append(None)
            elif self.ignore_border:
                made.append(_greater((n + (2 * p - w)) // s + 1, 0))
            else:  # the last window is the first to reach the end, or the last to start before it
                made.append((n + (s - 1)) // s if s >= w else _smaller(n, (_greater(n - w, 0) + (s - 1)) // s + 1))
        return tuple(made)

    def split(self, shape: Sequence[Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """A shape as what stands before the axes with windows, and these."""
        rank = len(shape) - len(self.window)
        return tuple(shape[:rank]), tuple(shape[rank:])

    def check(self, x: Type) -> TensorType:
        """The type as that of a tensor with enough axes."""
        if not isinstance(x, TensorType) or x.ndim < len(self.window):
            raise ValueError(f"pooling over {len(self.window)} axes takes a tensor of at least that many, not {x}")
        return x

    def pooled(self, shape: Sequence[Any]) -> tuple[Any, ...]:
        """The result's shape, from that of the images."""
        before, lengths = self.split(shape)
        return (*before, *self.counts(lengths))

    def in_blocks(self, compute: Any, dtype: Any, lengths: Sequence[int], *arrays: Array) -> Array:
        """What `compute` makes of images, so many at a time as fit the cache.

        Parameters
        ----------
        compute : callable
            From arrays with one axis before those with windows to another such array.
        dtype, lengths
            Of the result's last axes.
        arrays : numpy.ndarray
            Of equal lengths before the axes with windows.
        """
        before = self.split(arrays[0].shape)[0]
        count, rank = prod(before), len(self.window)
        flat = [a.reshape(count, *a.shape[a.ndim - rank:]) for a in arrays]
        step = max(1, _BLOCK_BYTES // max(prod(flat[0].shape[1:]) * flat[0].itemsize, 1))
        if step >= count:
            made: Array = compute(*flat)
            return made.reshape(*before, *lengths)
        result = np.empty((count, *lengths), dtype)
        for start in range(0, count, step):
            result[start: start + step] = compute(*(a[start: start + step] for a in flat))
        return result.reshape(*before, *lengths)

    @staticmethod
    def inner(lengths: Sequence[int], starts: Sequence[int] | None = None) -> tuple[Any, ...]:
        """An index of so many elements along each of the last axes, from the first or from given ones."""
        return (..., *(slice(a, a + n) for a, n in zip(starts or [0] * len(lengths), lengths, strict=True)))

    def extent(self, lengths: Sequence[int]) -> tuple[int, ...]:
        """How far the windows reach along each axis of the padded images."""
        return tuple(max((m - 1) * s + w, 0)
                     for m, s, w in zip(self.counts(lengths), self.stride, self.window, strict=True))

    def spread(self, x: Array, fill: Any) -> Array:
        """The images with `fill` around, as long along each axis as the windows reach; a view where that is no more."""
        before, lengths = self.split(x.shape)
        reach = self.extent(lengths)
        if not any(self.pad) and all(r <= n for r, n in zip(reach, lengths, strict=True)):
            return x[self.inner(reach)]
        whole = np.full((*before, *reach), fill, x.dtype)
        kept = [min(n, max(r - p, 0)) for n, r, p in zip(lengths, reach, self.pad, strict=True)]
        whole[self.inner(kept, self.pad)] = x[self.inner(kept)]
        return whole

    def unspread(self, whole: Array, lengths: Sequence[int]) -> Array:
        """The transpose of `spread`: the images' elements, zero where no window reaches."""
        before, reach = self.split(whole.shape)
        if all(p == 0 and n == r for p, n, r in zip(self.pad, lengths, reach, strict=True)):
            return whole
        x = np.zeros((*before, *lengths), whole.dtype)
        kept = [min(n, max(r - p, 0)) for n, r, p in zip(lengths, reach, self.pad, strict=True)]
        x[self.inner(kept)] = whole[self.inner(kept, self.pad)]
        return x

    def offsets(self, made: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        """For each place in the window, where it lies in all windows of the padded images."""
        for place in product(*map(range, self.window)):
            yield (..., *(slice(k, k + (m - 1) * s + 1, s)
                          for k, m, s in zip(place, made, self.stride, strict=True)))

    def along_axes(self, x: Array, made: Sequence[int], combine: Any) -> Array:
        """The windows' elements combined, one axis after another."""
        first = x.ndim - len(self.window)
        for axis, (w, s, m) in enumerate(zip(self.window, self.stride, made, strict=True), first):
            index: list[slice] = [slice(None)] * x.ndim
            parts = []
            for k in range(w):
                index[axis] = slice(k, k + (m - 1) * s + 1, s) if m else slice(0)
                parts.append(x[tuple(index)])
            total = parts[0].copy()
            for part in parts[1:]:
                combine(total, part, out=total)
            x = total
        return x

    def __repr__(self) -> str:
        name = "".join("_" + c.lower() if c.isupper() else c for c in type(self).__name__).lstrip("_")
        fields = [f"window={self.window}"]
        fields += [f"stride={self.stride}"] * (self.stride != self.window)
        fields += [f"pad={self.pad}"] * any(self.pad) + ["ignore_border"] * self.ignore_border
        return f"{name}{{{', '.join(fields)}}}"


# ---- the largest element ---------------------------------------------------------------------------------------


@frozen(repr=False)
class MaxPool(_Pooling):
    """The largest element of each window."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        x = self.check(types[0])
        if x.numpy_dtype.kind == "c":
            raise TypeError(f"the largest element is not defined on complex numbers: {x}")
        return (tensor_type(x.dtype, self.pooled(x.shape)),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        (x,) = inputs
        made = self.counts(self.split(x.shape)[1])

        def largest(images: Array) -> Array:
            return self.along_axes(self.spread(images, _least(x.dtype)), made, np.maximum)

        output_storage[0][0] = self.in_blocks(largest, x.dtype, made, x)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [self.pooled(input_shapes[0])]

    def _sibling(self, kind: type[_Pooling]) -> Any:
        return kind(self.window, self.stride, self.pad, self.ignore_border)

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (x,), (z,), (g,) = inputs, outputs, output_gradients
        return [x.type.zeros_like(x) if z.type.is_discrete else self._sibling(MaxPoolGrad)(x, z, g)]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        if eval_points[0] is None:
            return [None]
        return [self._sibling(MaxPoolGather)(inputs[0], self(inputs[0]), eval_points[0])]


def _least(dtype: np.dtype[Any]) -> Any:
    """What is larger than nothing of a dtype."""
    if dtype.kind == "f":
        return -np.inf
    return False if dtype.kind == "b" else np.iinfo(dtype).min


@frozen(repr=False)
class _MaxPoolLinear(_Pooling):
    """Linear in the last input; the first two, images and their pooling, say which elements are largest."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        x, z, moving = (self.check(t) for t in types)
        return (tensor_type(moving.dtype, (x if isinstance(self, MaxPoolGrad) else z).shape),)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0 if isinstance(self, MaxPoolGrad) else 1]]

    def chosen(self, x: Array, z: Array) -> Iterator[tuple[tuple[Any, ...], Any]]:
        """For each place in the window: where it lies in the padded images, and in which windows it is largest."""
        made = self.split(z.shape)[1]
        if self.pooled(x.shape) != z.shape:
            raise ValueError(f"images of shape {x.shape} are pooled to {self.pooled(x.shape)}, not {z.shape}: {self}")
        whole = self.spread(x, _least(x.dtype))
        if z.size:
            for place in self.offsets(made):
                yield place, whole[place] == z

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        x, z, moving = inputs
        if moving.type.is_discrete:
            return [v.type.zeros_like(v) for v in inputs]
        other: Any = MaxPoolGather if isinstance(self, MaxPoolGrad) else MaxPoolGrad
        transpose = other(self.window, self.stride, self.pad, self.ignore_border)
        return [x.type.zeros_like(x), z.type.zeros_like(z), transpose(x, z, output_gradients[0])]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[2] is None else self(inputs[0], inputs[1], eval_points[2])]


@frozen(repr=False)
class MaxPoolGrad(_MaxPoolLinear):
    """Images, their pooling, and a number for each window: that number, added where the window is largest."""

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x, z, g = inputs
        lengths = self.split(x.shape)[1]
        apart = all(s >= w for s, w in zip(self.stride, self.window, strict=True))
        finite = np.isfinite(g).all()

        def given_back(x: Array, z: Array, g: Array) -> Array:
            total = np.zeros((len(x), *self.extent(lengths)), g.dtype)
            for place, largest in self.chosen(x, z):  # the product is faster, but inf times 0 is nan
                mine = largest * g if finite else np.where(largest, g, g.dtype.type(0))
                if apart:
                    total[place] = mine
                else:
                    total[place] += mine
            return self.unspread(total, lengths)

        if self.pooled(x.shape) != z.shape:
            raise ValueError(f"images of shape {x.shape} are pooled to {self.pooled(x.shape)}, not {z.shape}: {self}")
        output_storage[0][0] = self.in_blocks(given_back, g.dtype, lengths, x, z, g)


@frozen(repr=False)
class MaxPoolGather(_MaxPoolLinear):
    """Images, their pooling, and something like the images: for each window, the sum of that where it is largest."""

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x, z, v = inputs
        whole, total = self.spread(v, 0), np.zeros(z.shape, v.dtype)
        for place, largest in self.chosen(x, z):
            total += np.where(largest, whole[place], v.dtype.type(0))
        output_storage[0][0] = total


# ---- sums and means --------------------------------------------------------------------------------------------


@frozen(repr=False)
class _Sums(_Pooling):
    """What both operations share.

    Parameters
    ----------
    mode : str
        'sum', 'average_inc_pad' (divide by the elements within the padded image), 'average_exc_pad' (within the
        image).
    """

    mode: str

    def divisors(self, lengths: Sequence[int]) -> Array | None:
        """For each window, what its sum is divided by."""
        if self.mode == "sum":
            return None
        result = np.ones(())
        for n, m, w, s, p in zip(lengths, self.counts(lengths), self.window, self.stride, self.pad, strict=True):
            starts = np.arange(m) * s
            low, high = (0, n + 2 * p) if self.mode == "average_inc_pad" else (p, n + p)
            within = np.minimum(starts + w, high) - np.maximum(starts, low)
            result = result[..., None] * within
        return result

    def check(self, x: Type) -> TensorType:
        x = super().check(x)
        if x.dtype == "bool" or (x.is_discrete and self.mode != "sum"):
            raise TypeError(f"pooling by {self.mode} takes {'numbers' if self.mode == 'sum' else 'floats'}, not {x}")
        return x

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, {self.mode}}}"


def _wide(x: Array) -> Array:
    """Half precision is summed in single."""
    return x.astype("float32") if x.dtype == np.float16 else x


@frozen(repr=False)
class SumPool(_Sums):
    """The sum or mean of each window."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        x = self.check(types[0])
        return (tensor_type(x.dtype, self.pooled(x.shape)),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        (x,) = inputs
        lengths = self.split(x.shape)[1]
        made, divisors = self.counts(lengths), self.divisors(lengths)

        def summed(images: Array) -> Array:
            total = self.along_axes(self.spread(_wide(images), 0), made, np.add)
            if divisors is not None:
                total /= divisors.astype(total.dtype)
            return total.astype(x.dtype, copy=False)

        output_storage[0][0] = self.in_blocks(summed, x.dtype, made, x)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [self.pooled(input_shapes[0])]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        from symgraph.tensor.shape import shape_i

        (x,), (g,) = inputs, output_gradients
        if x.type.is_discrete:
            return [x.type.zeros_like(x)]
        transpose = SumPoolGrad(self.window, self.stride, self.pad, self.ignore_border, self.mode)
        return [transpose(g, *(shape_i(x, axis - len(self.window)) for axis in range(len(self.window))))]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self(eval_points[0])]


@frozen(repr=False)
class SumPoolGrad(_Sums):
    """The transpose of `SumPool`: a number for each window, and the images' lengths, to something like the images."""

    def make_node(self, *inputs: Any) -> Apply:
        g = as_tensor_variable(inputs[0])
        sizes = as_lengths(inputs[1:])
        known = tuple(static_length(n) for n in sizes)
        before, _ = self.split(self.check(g.type).shape)
        return Apply(self, [g, *sizes], [tensor_type(g.type.dtype, (*before, *known))])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        g, lengths = inputs[0], [int(n) for n in inputs[1:]]
        before, made = self.split(g.shape)
        if self.counts(lengths) != made:
            raise ValueError(f"images of {tuple(lengths)} are pooled to {self.counts(lengths)}, not {made}: {self}")
        share, divisors = _wide(g), self.divisors(lengths)
        if divisors is not None:
            share = share / divisors.astype(share.dtype)
        total = np.zeros((*before, *self.extent(lengths)), share.dtype)
        apart = all(s >= w for s, w in zip(self.stride, self.window, strict=True))
        if share.size:
            for place in self.offsets(made):
                if apart:
                    total[place] = share
                else:
                    total[place] += share
        output_storage[0][0] = self.unspread(total, lengths).astype(g.dtype, copy=False)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[i == 0] for i in range(len(node.inputs))]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [(*self.split(input_shapes[0])[0], *node.inputs[1:])]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        ends = [DisconnectedType()() for _ in inputs[1:]]
        if outputs[0].type.is_discrete:
            return [inputs[0].type.zeros_like(inputs[0]), *ends]
        return [SumPool(self.window, self.stride, self.pad, self.ignore_border, self.mode)(output_gradients[0]), *ends]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self(eval_points[0], *inputs[1:])]
