"""The three operations of convolution, each linear in both of its tensors and each the others' gradient.

With images x, filters w and result z, all three compute parts of one trilinear form, the sum of z * conv(x, w):
`Conv` its derivative by z, `ConvGradInputs` by x, `ConvGradWeights` by w. So derivatives of any order are made of
these three.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import DisconnectedType
from symgraph.tensor.basic import as_lengths, as_tensor_variable, static_length
from symgraph.tensor.elemwise import TensorOp, conjugated
from symgraph.tensor.nnet.conv_kernels import (
    Array,
    Geometry,
    correlate,
    correlate_filters,
    correlate_images,
    output_length,
)
from symgraph.tensor.type import TensorType, tensor_type

__all__ = ["BorderMode", "Conv", "ConvGradInputs", "ConvGradWeights", "output_shape", "window_pads"]

#: 'valid', 'full', 'half', or the zeros before and after each axis.
BorderMode = str | tuple[tuple[int, int], ...]


def window_pads(border: BorderMode, window: Sequence[Any], dilation: Sequence[int]) -> list[tuple[Any, Any]]:
    """Zeros before and after each axis; window lengths may be symbolic."""
    if not isinstance(border, str):
        return list(border)
    spans = [(k - 1) * d for k, d in zip(window, dilation, strict=True)]
    if border == "valid":
        return [(0, 0) for _ in spans]
    if border == "full":
        return [(n, n) for n in spans]
    return [((n + 1) // 2, (n + 1) // 2) for n in spans]


def output_shape(image: Sequence[Any], window: Sequence[Any], border: BorderMode, subsample: Sequence[int],
                 dilation: Sequence[int]) -> tuple[Any, ...]:
    """The result's spatial lengths, from those of images and filters: None where one of them is None."""
    result: list[Any] = []
    for axis, (n, k) in enumerate(zip(image, window, strict=True)):
        if n is None or k is None:
            result.append(None)
            continue
        mine = border if isinstance(border, str) else border[axis: axis + 1]
        (before, after), = window_pads(mine, [k], dilation[axis: axis + 1])
        result.append(output_length(n, k, before, after, subsample[axis], dilation[axis]))
    return tuple(result)


@frozen(repr=False)
class _Convolution(TensorOp):
    """What the three operations share.

    Parameters
    ----------
    border : str or tuple of pairs of int
    subsample, dilation : tuple of int
        One for each spatial axis.
    flip : bool
        Whether filters are turned around (a convolution) or not (a correlation).
    groups : int
    """

    border: BorderMode
    subsample: tuple[int, ...]
    dilation: tuple[int, ...]
    flip: bool
    groups: int

    def sibling(self, kind: type[_Convolution]) -> Any:
        """Another of the three operations, of the same parameters."""
        return kind(self.border, self.subsample, self.dilation, self.flip, self.groups)

    def _tensors(self, first: Any, second: Any, names: tuple[str, str]) -> tuple[Any, Any, str]:
        """Both tensors checked, and the dtype of the result."""
        pair = as_tensor_variable(first), as_tensor_variable(second)
        rank = 2 + len(self.subsample)
        for v, name in zip(pair, names, strict=True):
            if v.type.ndim != rank:
                raise ValueError(f"a convolution over {rank - 2} axes takes {name} of {rank} dimensions, not {v.type}")
            if v.type.dtype == "bool":
                raise TypeError(f"a convolution takes numbers; {name} are boolean: cast them")
        return *pair, np.result_type(pair[0].type.numpy_dtype, pair[1].type.numpy_dtype).name

    def _check_channels(self, images: TensorType, filters: Any, outputs: Any) -> None:
        """Channels, outputs and groups fit together, as far as they are known."""
        channels = images.shape[1]
        mine = None if filters is None else filters.shape[1]
        if channels is not None and channels % self.groups:
            raise ValueError(f"{channels} channels cannot be split into {self.groups} groups")
        if channels is not None and mine is not None and channels != mine * self.groups:
            raise ValueError(
                f"the images have {channels} channels, but each filter takes {mine}"
                + (f" in each of {self.groups} groups" if self.groups > 1 else "")
                + f": images {images}, filters {filters}")
        count = outputs.shape[1] if filters is None else filters.shape[0]
        if count is not None and count % self.groups:
            raise ValueError(f"{count} filters cannot be split into {self.groups} groups")

    def _geometry(self, image: Sequence[int], window: Sequence[int], output: Sequence[int] | None) -> Geometry:
        """Where the windows lie, checked against the result's lengths where they are given."""
        image, window = tuple(map(int, image)), tuple(map(int, window))
        made = output_shape(image, window, self.border, self.subsample, self.dilation)
        if min(made, default=1) <= 0 or min(window, default=1) <= 0:
            raise ValueError(f"filters of {window} do not fit into images of {image} (border {self.border!r}, dilation "
                             f"{self.dilation})")
        if output is not None and tuple(output) != made:
            raise ValueError(f"images of {image} and filters of {window} give results of {made}, not {tuple(output)} "
                             f"(border {self.border!r}, subsample {self.subsample}, dilation {self.dilation})")
        pads = tuple(window_pads(self.border, window, self.dilation))
        return Geometry(image, window, made, pads, self.subsample, self.dilation, self.groups)

    def _turned(self, filters: Array) -> Array:
        """Filters as a correlation takes them."""
        return filters[(slice(None), slice(None), *(slice(None, None, -1),) * len(self.subsample))] if self.flip \
            else filters

    def _output_lengths(self, image: Sequence[Any], window: Sequence[Any]) -> tuple[Any, ...]:
        return output_shape(image, window, self.border, self.subsample, self.dilation)

    def __repr__(self) -> str:
        changed = [
            f"{name}={value}"
            for name, value, usual in (
                ("border", self.border, "valid"), ("subsample", self.subsample, (1,) * len(self.subsample)),
                ("dilation", self.dilation, (1,) * len(self.dilation)), ("flip", self.flip, True),
                ("groups", self.groups, 1))
            if value != usual
        ]
        return f"{self.name}{len(self.subsample)}d{{{', '.join(changed)}}}"

    @property
    def name(self) -> str:
        """What the operation is called in prints."""
        return {"Conv": "conv", "ConvGradInputs": "conv_grad_inputs"}.get(type(self).__name__, "conv_grad_weights")


def _working(a: Array, b: Array, dtype: Any) -> tuple[Array, Array]:
    """Both arrays in the dtype to compute in: half precision is summed in single."""
    wide = np.dtype("float32") if dtype == np.float16 else np.dtype(dtype)
    return a.astype(wide, copy=False), b.astype(wide, copy=False)


def _sum(terms: list[Any]) -> Any:
    return terms[0] + terms[1] if len(terms) == 2 else terms[0] if terms else None


def _spatial(x: Any) -> list[Any]:
    from symgraph.tensor.shape import shape_i

    return [shape_i(x, axis) for axis in range(2, x.type.ndim)]


@frozen(repr=False)
class Conv(_Convolution):
    """Images and filters to the convolution: (batch, filters, *space)."""

    def make_node(self, *inputs: Any) -> Apply:
        x, w, dtype = self._tensors(inputs[0], inputs[1], ("images", "filters"))
        self._check_channels(x.type, w.type, None)
        lengths = self._output_lengths(x.type.shape[2:], w.type.shape[2:])
        if any(n is not None and n <= 0 for n in lengths):
            raise ValueError(f"filters of {w.type.shape[2:]} do not fit into images of {x.type.shape[2:]} (border "
                             f"{self.border!r}, dilation {self.dilation})")
        return Apply(self, [x, w], [tensor_type(dtype, (x.type.shape[0], w.type.shape[0], *lengths))])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        dtype = node.outputs[0].type.numpy_dtype
        x, w = _working(inputs[0], inputs[1], dtype)
        if x.shape[1] != w.shape[1] * self.groups or w.shape[0] % self.groups:
            raise ValueError(f"images of shape {x.shape} do not fit filters of shape {w.shape} in {self.groups} "
                             "groups: the images must have as many channels as the groups' filters take together")
        geometry = self._geometry(x.shape[2:], w.shape[2:], None)
        output_storage[0][0] = correlate(x, self._turned(w), geometry).astype(dtype, copy=False)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        x, w = input_shapes
        return [(x[0], w[0], *self._output_lengths(x[2:], w[2:]))]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (x, w), (g,) = inputs, output_gradients
        if outputs[0].type.is_discrete:
            return [v.type.zeros_like(v) for v in inputs]
        x, w = conjugated(x), conjugated(w)
        return [self.sibling(ConvGradInputs)(w, g, *_spatial(x)), self.sibling(ConvGradWeights)(x, g, *_spatial(w))]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        (x, w), (tx, tw) = inputs, eval_points
        return [_sum([self(*pair) for pair in ((tx, w), (x, tw)) if None not in pair])]


@frozen(repr=False)
class _ConvGrad(_Convolution):
    """What the two gradients share: two tensors, and the spatial lengths of the result, which they leave open."""

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[i < 2] for i in range(len(node.inputs))]

    def _lengths(self, lengths: Sequence[Any]) -> tuple[list[Any], tuple[int | None, ...]]:
        sizes = as_lengths(lengths)
        if len(sizes) != len(self.subsample):
            raise ValueError(f"{self} takes {len(self.subsample)} spatial lengths, not {len(sizes)}")
        return sizes, tuple(static_length(n) for n in sizes)

    def _check_result(self, image: Sequence[Any], window: Sequence[Any], outputs: TensorType) -> None:
        made = self._output_lengths(image, window)
        for wanted, found in zip(made, outputs.shape[2:], strict=True):
            if wanted is not None and found is not None and wanted != found:
                raise ValueError(
                    f"images of {tuple(image)} and filters of {tuple(window)} give results of {made}, not "
                    f"{outputs.shape[2:]} (border {self.border!r}, subsample {self.subsample}, dilation "
                    f"{self.dilation})")

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        (a, b, *lengths), (ta, tb, *_) = inputs, eval_points
        return [_sum([self(*pair, *lengths) for pair in ((ta, b), (a, tb)) if None not in pair])]


@frozen(repr=False)
class ConvGradInputs(_ConvGrad):
    """Filters, something like the result, and the images' spatial lengths, to something like the images."""

    def make_node(self, *inputs: Any) -> Apply:
        w, g, dtype = self._tensors(inputs[0], inputs[1], ("filters", "gradients"))
        sizes, known = self._lengths(inputs[2:])
        mine = w.type.shape[1]
        channels = None if mine is None else mine * self.groups
        images = tensor_type(dtype, (g.type.shape[0], channels, *known))
        self._check_channels(images, w.type, g.type)
        if None not in (w.type.shape[0], g.type.shape[1]) and w.type.shape[0] != g.type.shape[1]:
            raise ValueError(f"{w.type.shape[0]} filters, but gradients of {g.type.shape[1]} channels: {w.type} and "
                             f"{g.type}")
        self._check_result(known, w.type.shape[2:], g.type)
        return Apply(self, [w, g, *sizes], [images])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        dtype = node.outputs[0].type.numpy_dtype
        w, g = _working(inputs[0], inputs[1], dtype)
        if w.shape[0] != g.shape[1] or w.shape[0] % self.groups:
            raise ValueError(f"filters of shape {w.shape} do not fit gradients of shape {g.shape} in {self.groups} "
                             "groups: there must be as many filters as channels of the gradients")
        geometry = self._geometry(inputs[2:], w.shape[2:], g.shape[2:])
        output_storage[0][0] = correlate_images(self._turned(w), g, geometry).astype(dtype, copy=False)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        w, g = input_shapes[:2]
        return [(g[0], w[1] * self.groups if self.groups > 1 else w[1], *node.inputs[2:])]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (w, g, *lengths), (v,) = inputs, output_gradients
        ends = [DisconnectedType()() for _ in lengths]
        if outputs[0].type.is_discrete:
            return [w.type.zeros_like(w), g.type.zeros_like(g), *ends]
        w, g = conjugated(w), conjugated(g)
        return [self.sibling(ConvGradWeights)(v, g, *_spatial(w)), self.sibling(Conv)(v, w), *ends]


@frozen(repr=False)
class ConvGradWeights(_ConvGrad):
    """Images, something like the result, and the filters' spatial lengths, to something like the filters."""

    def make_node(self, *inputs: Any) -> Apply:
        x, g, dtype = self._tensors(inputs[0], inputs[1], ("images", "gradients"))
        sizes, known = self._lengths(inputs[2:])
        self._check_channels(x.type, None, g.type)
        if None not in (x.type.shape[0], g.type.shape[0]) and x.type.shape[0] != g.type.shape[0]:
            raise ValueError(f"{x.type.shape[0]} images, but gradients of {g.type.shape[0]}: {x.type} and {g.type}")
        self._check_result(x.type.shape[2:], known, g.type)
        channels = None if x.type.shape[1] is None else x.type.shape[1] // self.groups
        return Apply(self, [x, g, *sizes], [tensor_type(dtype, (g.type.shape[1], channels, *known))])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        dtype = node.outputs[0].type.numpy_dtype
        x, g = _working(inputs[0], inputs[1], dtype)
        if x.shape[0] != g.shape[0] or x.shape[1] % self.groups or g.shape[1] % self.groups:
            raise ValueError(f"images of shape {x.shape} do not fit gradients of shape {g.shape} in {self.groups} "
                             "groups: there must be as many images as gradients")
        geometry = self._geometry(x.shape[2:], inputs[2:], g.shape[2:])
        made = self._turned(correlate_filters(x, g, geometry))
        output_storage[0][0] = np.ascontiguousarray(made).astype(dtype, copy=False)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        x, g = input_shapes[:2]
        return [(g[1], x[1] // self.groups if self.groups > 1 else x[1], *node.inputs[2:])]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (x, g, *lengths), (u,) = inputs, output_gradients
        ends = [DisconnectedType()() for _ in lengths]
        if outputs[0].type.is_discrete:
            return [x.type.zeros_like(x), g.type.zeros_like(g), *ends]
        x, g = conjugated(x), conjugated(g)
        return [self.sibling(ConvGradInputs)(u, g, *_spatial(x)), self.sibling(Conv)(x, u), *ends]
