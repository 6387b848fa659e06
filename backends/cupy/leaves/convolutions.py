"""Convolutions as products of matrices whose elements are looked up where they lie, in the images and filters.

All three operations are sums over k of A[m, k] * B[k, n]. With f a filter, c a channel, w a place in the window, b an
image and o a place in the result::

    Conv              m = f        k = (c, w)    n = (b, o)    A = filters, B = images
    ConvGradInputs    m = c        k = (f, w)    n = (b, i)    A = filters, B = gradients; i a place in the images
    ConvGradWeights   m = f        k = (b, o)    n = (c, w)    A = gradients, B = images
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backends.cupy.leaves.leaf import Leaves, Operand, Text
from backends.cupy.leaves.tiled import Product
from symgraph.tensor.nnet.conv_geometry import Geometry

__all__ = ["conv", "conv_grad_inputs", "conv_grad_weights"]


def conv(op: Any, operands: Sequence[Operand]) -> Leaves:
    """Images and filters to the convolution."""
    x, w = operands
    if x.shape[1] != w.shape[1] * op.groups or w.shape[0] % op.groups:
        raise ValueError(f"images of shape {x.shape} do not fit filters of shape {w.shape} in {op.groups} groups: the "
                         "images must have as many channels as the groups' filters take together")
    g = op._geometry(x.shape[2:], w.shape[2:], None)
    each = w.shape[0] // g.groups
    return _Conv("conv", op, g, operands, (x.shape[0], w.shape[0], *g.output), each, w.shape[1]).leaves(
        rows=(each,), depth=(w.shape[1], *g.window), columns=(x.shape[0], *g.output))


def conv_grad_inputs(op: Any, operands: Sequence[Operand], *image: int) -> Leaves:
    """The transpose of `conv` as a map of the images."""
    w, grad = operands
    if w.shape[0] != grad.shape[1] or w.shape[0] % op.groups:
        raise ValueError(f"filters of shape {w.shape} do not fit gradients of shape {grad.shape} in {op.groups} "
                         "groups: there must be as many filters as channels of the gradients")
    g = op._geometry(image, w.shape[2:], grad.shape[2:])
    each = w.shape[0] // g.groups
    return _GradInputs("conv_grad_inputs", op, g, operands, (grad.shape[0], w.shape[1] * g.groups, *g.image), each,
                       w.shape[1]).leaves(
        rows=(w.shape[1],), depth=(each, *g.window), columns=(grad.shape[0], *g.image))


def conv_grad_weights(op: Any, operands: Sequence[Operand], *window: int) -> Leaves:
    """The transpose of `conv` as a map of the filters."""
    x, grad = operands
    if x.shape[0] != grad.shape[0] or x.shape[1] % op.groups or grad.shape[1] % op.groups:
        raise ValueError(f"images of shape {x.shape} do not fit gradients of shape {grad.shape} in {op.groups} groups: "
                         "there must be as many images as gradients")
    g = op._geometry(x.shape[2:], window, grad.shape[2:])
    each, channels = grad.shape[1] // g.groups, x.shape[1] // g.groups
    return _GradWeights("conv_grad_weights", op, g, operands, (grad.shape[1], channels, *g.window), each,
                        channels).leaves(
        rows=(each,), depth=(x.shape[0], *g.output), columns=(channels, *g.window))


class _Convolution(Product):
    """What the three operations share.

    Parameters
    ----------
    name : str
    op : symgraph.tensor.nnet.conv_ops._Convolution
    g : Geometry
    operands : sequence of Operand
    shape : tuple of int
        Of the result.
    each, channels : int
        The filters, and the channels, of a group.
    """

    def __init__(self, name: str, op: Any, g: Geometry, operands: Sequence[Operand], shape: tuple[int, ...],
                 each: int, channels: int) -> None:
        super().__init__(name, operands, shape, g.groups)
        self.op, self.g, self.each, self.channels = op, g, each, channels

    def filter_place(self, window: Sequence[str]) -> list[str]:
        """A place in the window as it lies in the filters."""
        return [f"({n - 1} - {v})" if self.op.flip and n > 1 else v
                for v, n in zip(window, self.g.window, strict=True)]

    def met(self, result: Sequence[str], window: Sequence[str]) -> list[str]:
        """The images' elements that a window meets; where there is none, the element is left 0."""
        names = []
        for axis, (o, v) in enumerate(zip(result, window, strict=True)):
            before = self.g.pads[axis][0]
            self.text.line(f"const {self.text.index} x{axis} = {o} * {self.g.strides[axis]} + "
                           f"{v} * {self.g.dilations[axis]} - {before};")
            if any(self.g.pads[axis]):
                length = self.text.passed(f"image{axis}", self.g.image[axis])
                self.text.line(f"if (x{axis} < 0 || x{axis} >= {length}) break;")
            names.append(f"x{axis}")
        return names


class _Conv(_Convolution):
    def load_a(self, m: Sequence[str], k: Sequence[str]) -> str:
        filters = self.text.passed("filters", self.each)
        return self.at(1, [f"(g * {filters} + {m[0]})", k[0], *self.filter_place(k[1:])])

    def load_b(self, k: Sequence[str], n: Sequence[str]) -> str:
        channels = self.text.passed("channels", self.channels)
        return self.at(0, [n[0], f"(g * {channels} + {k[0]})", *self.met(n[1:], k[1:])])

    def place(self, text: Text, m: Sequence[str], n: Sequence[str]) -> list[str]:
        return [n[0], f"(g * rows + {m[0]})", *n[1:]]


class _GradInputs(_Convolution):
    def load_a(self, m: Sequence[str], k: Sequence[str]) -> str:
        filters = self.text.passed("filters", self.each)
        return self.at(0, [f"(g * {filters} + {k[0]})", m[0], *self.filter_place(k[1:])])

    def load_b(self, k: Sequence[str], n: Sequence[str]) -> str:
        filters = self.text.passed("filters", self.each)
        places = []
        for axis, (i, v) in enumerate(zip(n[1:], k[1:], strict=True)):
            stride, made = self.g.strides[axis], self.text.passed(f"made{axis}", self.g.output[axis])
            self.text.line(f"const {self.text.index} y{axis} = {i} + {self.g.pads[axis][0]} - "
                           f"{v} * {self.g.dilations[axis]};")
            divides = f" || y{axis} % {stride}" if stride > 1 else ""
            place = f"(y{axis} / {stride})" if stride > 1 else f"y{axis}"
            self.text.line(f"if (y{axis} < 0{divides} || {place} >= {made}) break;")
            places.append(place)
        return self.at(1, [n[0], f"(g * {filters} + {k[0]})", *places])

    def place(self, text: Text, m: Sequence[str], n: Sequence[str]) -> list[str]:
        return [n[0], f"(g * rows + {m[0]})", *n[1:]]


class _GradWeights(_Convolution):
    deep = True

    def load_a(self, m: Sequence[str], k: Sequence[str]) -> str:
        filters = self.text.passed("filters", self.each)
        return self.at(1, [k[0], f"(g * {filters} + {m[0]})", *k[1:]])

    def load_b(self, k: Sequence[str], n: Sequence[str]) -> str:
        channels = self.text.passed("channels", self.channels)
        return self.at(0, [k[0], f"(g * {channels} + {n[0]})", *self.met(k[1:], n[1:])])

    def place(self, text: Text, m: Sequence[str], n: Sequence[str]) -> list[str]:
        return [f"(g * rows + {m[0]})", n[0], *self.filter_place(n[1:])]
