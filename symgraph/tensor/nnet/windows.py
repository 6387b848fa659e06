"""The windows of images, as a tensor that holds them all, and its transpose, which adds windows up to images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import DisconnectedType, Type
from symgraph.tensor.basic import as_lengths, as_tensor_variable, static_length
from symgraph.tensor.elemwise import TensorOp
from symgraph.tensor.nnet.conv_geometry import Geometry, output_length
from symgraph.tensor.type import TensorType, tensor_type

__all__ = ["OverlapAdd", "Windows"]

Pairs = tuple[tuple[int, int], ...]


@frozen(repr=False)
class _Windowed(TensorOp):
    """What the two operations share.

    Parameters
    ----------
    window : tuple of int
        The windows' spatial lengths.
    pads : tuple of pairs of int
        Zeros before and after each axis.
    strides, dilations : tuple of int
    exact : bool
        Refuse images that the windows do not cover to the end.
    """

    window: tuple[int, ...]
    pads: Pairs
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    exact: bool = False

    @property
    def rank(self) -> int:
        """How many spatial axes there are."""
        return len(self.window)

    def counts(self, lengths: Sequence[Any]) -> tuple[Any, ...]:
        """How many windows there are along each axis; lengths may be symbolic or None."""
        return tuple(
            None if n is None else output_length(n, k, *pad, s, d)
            for n, k, pad, s, d in zip(lengths, self.window, self.pads, self.strides, self.dilations, strict=True))

    def check(self, lengths: Sequence[int | None]) -> None:
        """The windows fit into images of such lengths, as far as these are known."""
        for axis, (n, m) in enumerate(zip(lengths, self.counts(lengths), strict=True)):
            if n is None:
                continue
            span = (self.window[axis] - 1) * self.dilations[axis] + 1
            rest = n + sum(self.pads[axis]) - span - (m - 1) * self.strides[axis]
            if m <= 0 or (self.exact and rest):
                raise ValueError(
                    f"windows of length {self.window[axis]} with step {self.strides[axis]} and {self.pads[axis]} zeros "
                    f"around do not {'fit into' if m <= 0 else 'end with'} axis {axis + 2} of the images, of length {n}"
                    + ("" if m <= 0 else "; mode='ignore_borders' leaves out what is not covered"))

    def geometry(self, lengths: Sequence[int]) -> Geometry:
        """Where the windows of images of such lengths lie."""
        self.check(lengths)
        return Geometry(tuple(lengths), self.window, self.counts(lengths), self.pads, self.strides, self.dilations)

    def __repr__(self) -> str:
        name = "windows" if isinstance(self, Windows) else "overlap_add"
        return f"{name}{{window={self.window}, pads={self.pads}, strides={self.strides}, dilations={self.dilations}}}"


@frozen(repr=False)
class Windows(_Windowed):
    """Images (batch, channels, *space) to their windows: (batch, channels, *places, *window)."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        (x,) = types
        if not isinstance(x, TensorType) or x.ndim != 2 + self.rank:
            raise ValueError(f"windows over {self.rank} axes are taken of tensors of {2 + self.rank} dimensions, not "
                             f"{x}")
        self.check(x.shape[2:])
        return (tensor_type(x.dtype, (*x.shape[:2], *self.counts(x.shape[2:]), *self.window)),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        (x,) = inputs
        g = self.geometry(x.shape[2:])
        places, within = range(2 + g.rank, 2 + 2 * g.rank), range(2, 2 + g.rank)
        output_storage[0][0] = g.windows(g.pad(x)).transpose(0, 1, *places, *within).copy()

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        (x,) = input_shapes
        return [(*x[:2], *self.counts(x[2:]), *self.window)]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        from symgraph.tensor.shape import shape_i

        (x,) = inputs
        if x.type.is_discrete:
            return [x.type.zeros_like(x)]
        transpose = OverlapAdd(self.window, self.pads, self.strides, self.dilations, self.exact)
        return [transpose(output_gradients[0], *(shape_i(x, axis) for axis in range(2, x.type.ndim)))]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self(eval_points[0])]


@frozen(repr=False)
class OverlapAdd(_Windowed):
    """The transpose of `Windows`: windows, and the images' spatial lengths, to the images they add up to."""

    def make_node(self, *inputs: Any) -> Apply:
        v, sizes = as_tensor_variable(inputs[0]), as_lengths(inputs[1:])
        if v.type.ndim != 2 + 2 * self.rank or len(sizes) != self.rank:
            raise ValueError(f"{self} takes windows of {2 + 2 * self.rank} dimensions and {self.rank} lengths, not "
                             f"{v.type} and {len(sizes)}")
        known = tuple(static_length(n) for n in sizes)
        self.check(known)
        return Apply(self, [v, *sizes], [tensor_type(v.type.dtype, (*v.type.shape[:2], *known))])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        v, lengths = inputs[0], [int(n) for n in inputs[1:]]
        g = self.geometry(lengths)
        if v.shape[2:] != (*g.output, *g.window):
            raise ValueError(f"images of {tuple(lengths)} have windows of {(*g.output, *g.window)}, not {v.shape[2:]}")
        wide = v.astype("float32") if v.dtype == np.float16 else v
        whole, every = np.zeros((*v.shape[:2], *g.whole), wide.dtype), slice(None)
        for place, met in g.offsets():
            whole[(every, every, *met)] += wide[(every,) * (2 + self.rank) + place]
        output_storage[0][0] = whole[(every, every, *g.inner())].astype(v.dtype)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[i == 0] for i in range(len(node.inputs))]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [(*input_shapes[0][:2], *node.inputs[1:])]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        ends = [DisconnectedType()() for _ in inputs[1:]]
        if outputs[0].type.is_discrete:
            return [inputs[0].type.zeros_like(inputs[0]), *ends]
        return [Windows(self.window, self.pads, self.strides, self.dilations, self.exact)(output_gradients[0]), *ends]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self(eval_points[0], *inputs[1:])]
