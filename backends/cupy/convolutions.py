"""Convolutions as products of matrices whose elements are looked up where they lie, in the images and filters.

All three operations are sums over k of A[m, k] * B[k, n]. With f a filter, c a channel, w a place in the window, b an
image and o a place in the result::

    Conv              m = f        k = (c, w)    n = (b, o)    A = filters, B = images
    ConvGradInputs    m = c        k = (f, w)    n = (b, i)    A = filters, B = gradients; i a place in the images
    ConvGradWeights   m = f        k = (b, o)    n = (c, w)    A = gradients, B = images

A block computes 64 x 64 elements; where there are few of them, several blocks share the sum, each a stretch of k, and
their parts are added in order. So results are the same in every run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from backends.cupy.leaves import Leaf, Leaves, Operand, Text
from backends.cupy.scalars import ctype, expression
from symgraph.scalar import TABLE, cast_to
from symgraph.tensor.nnet.conv_geometry import Geometry

__all__ = ["conv", "conv_grad_inputs", "conv_grad_weights"]

_TILE, _DEEP, _SIDE = 64, 16, 16
_THREADS = _SIDE * _SIDE
_ENOUGH = 264  # blocks that keep a GPU busy
_SHORTEST = 256  # of a stretch of k


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


class _Product:
    """The product of two matrices that are looked up, for each group of channels.

    Parameters
    ----------
    name : str
    op : _Convolution
    g : Geometry
    operands : sequence of Operand
    shape : tuple of int
        Of the result.
    each, channels : int
        The filters, and the channels, of a group.
    """

    #: Whether neighbouring threads load neighbours along k, of B. Of A they always do.
    deep = False

    def __init__(self, name: str, op: Any, g: Geometry, operands: Sequence[Operand], shape: tuple[int, ...],
                 each: int, channels: int) -> None:
        self.op, self.g, self.operands, self.shape, self.each, self.channels = op, g, operands, shape, each, channels
        self.dtype = np.result_type(operands[0].dtype, operands[1].dtype).name
        self.wide = "float32" if self.dtype == "float16" else self.dtype
        reach = [math.prod(shape), *(o.reach for o in operands)]
        self.text = Text(name, Text.index_for(*reach))

    # ---- what the three operations say of their own

    def load_a(self, m: Sequence[str], k: Sequence[str]) -> str:
        """Statements before, and the expression of A[m, k]."""
        raise NotImplementedError

    def load_b(self, k: Sequence[str], n: Sequence[str]) -> str:
        """Statements before, and the expression of B[k, n]; they may leave the element 0 by ``break``."""
        raise NotImplementedError

    def place(self, m: Sequence[str], n: Sequence[str]) -> list[str]:
        """Where an element lies in the result."""
        raise NotImplementedError

    # ---- what they share

    def at(self, number: int, places: Sequence[str]) -> str:
        """An element of an operand, in the type in which the sum is taken."""
        operand = self.operands[number]
        value = f"a{number}[{self.text.offset(f's{number}_', places, operand.strides)}]"
        return expression(cast_to(self.wide), [value], [operand.dtype])

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

    def leaves(self, rows: tuple[int, ...], depth: tuple[int, ...], columns: tuple[int, ...]) -> Leaves:
        """All that is launched; the lengths are of what m, k and n are made of."""
        m, k, n = (math.prod(lengths) for lengths in (rows, depth, columns))
        tiles = -(-m // _TILE) * -(-n // _TILE) * self.g.groups
        splits = max(1, min(_ENOUGH // max(tiles, 1), k // _SHORTEST))
        launches = [self._product(rows, depth, columns, splits)]
        if splits > 1:
            launches.append(self._sum(rows, columns, splits))
        size = splits * m * n * self.g.groups * np.dtype(self.wide).itemsize if splits > 1 else 0
        return Leaves(((self.shape, self.dtype),), tuple(launches), (size,) if size else ())

    def _product(self, rows: tuple[int, ...], depth: tuple[int, ...], columns: tuple[int, ...], splits: int) -> Leaf:
        text, index, kind = self.text, self.text.index, ctype(self.wide)
        m, k, n = (math.prod(lengths) for lengths in (rows, depth, columns))
        high, wide = -(-m // _TILE), -(-n // _TILE)
        for number, operand in enumerate(self.operands):
            text.array(f"a{number}", operand.dtype)
        tiles = high * wide * splits * self.g.groups
        for name, value in (("rows", m), ("columns", n), ("depth", k), ("high", high), ("wide", wide),
                            ("splits", splits), ("share", -(-k // splits)), ("tiles", tiles)):
            text.passed(name, value)
        text.line(f"__shared__ {kind} as[{_DEEP}][{_TILE + 1}], bs[{_DEEP}][{_TILE + 1}];")
        text.line(f"const int t = threadIdx.x, tx = t % {_SIDE}, ty = t / {_SIDE};")
        text.line(f"for ({index} tile = blockIdx.x; tile < tiles; tile += gridDim.x) {{")
        text.line(f"const {index} n0 = tile % wide * {_TILE}, m0 = tile / wide % high * {_TILE};")
        text.line(f"const {index} split = tile / wide / high % splits, g = tile / wide / high / splits;")
        text.line(f"const {index} end = (split + 1) * share < depth ? (split + 1) * share : depth;")
        zero = expression(cast_to(self.wide), ["0"], ["int32"])
        text.line(f"{kind} sum[4][4];")
        text.line(f"for (int u = 0; u < 4; u++) for (int v = 0; v < 4; v++) sum[u][v] = {zero};")
        text.line(f"for ({index} k0 = split * share; k0 < end; k0 += {_DEEP}) {{")
        self._load("as", rows, depth, zero, True)
        self._load("bs", columns, depth, zero, self.deep)
        text.line("__syncthreads();")
        text.line("#pragma unroll")
        text.line(f"for (int q = 0; q < {_DEEP}; q++)")
        text.line("for (int u = 0; u < 4; u++)")
        term = expression(TABLE["mul"], [f"as[q][ty + {_SIDE} * u]", f"bs[q][tx + {_SIDE} * v]"], [self.wide] * 2)
        text.line(f"for (int v = 0; v < 4; v++) sum[u][v] = "
                  f"{expression(TABLE['add'], ['sum[u][v]', term], [self.wide] * 2)};")
        text.line("__syncthreads();")
        text.line("}")
        self._store(rows, columns, splits)
        text.line("}")
        return text.leaf(0, min(tiles, 1 << 16), _THREADS)

    def _load(self, target: str, across: tuple[int, ...], depth: tuple[int, ...], zero: str, deep: bool) -> None:
        """A tile of A or B into shared memory."""
        text, index = self.text, self.text.index
        first, limit = ("m0", "rows") if target == "as" else ("n0", "columns")
        text.line("#pragma unroll")
        text.line(f"for (int p = 0; p < {_TILE * _DEEP // _THREADS}; p++) {{")
        if deep:
            text.line(f"const int lk = t % {_DEEP}, lr = t / {_DEEP} + {_THREADS // _DEEP} * p;")
        else:
            text.line(f"const int lk = t / {_TILE} + {_THREADS // _TILE} * p, lr = t % {_TILE};")
        text.line(f"const {index} k = k0 + lk, r = {first} + lr;")
        text.line(f"{ctype(self.wide)} value = {zero};")
        text.line("do {  // left early where there is no element")
        text.line(f"if (k >= end || r >= {limit}) break;")
        along = text.unravel("r", across, "r", "rn" if target == "as" else "cn")
        down = text.unravel("k", depth, "k", "kn")
        text.line(f"value = {self.load_a(along, down) if target == 'as' else self.load_b(down, along)};")
        text.line("} while (false);")
        text.line(f"{target}[lk][lr] = value;")
        text.line("}")

    def _store(self, rows: tuple[int, ...], columns: tuple[int, ...], splits: int) -> None:
        text, index = self.text, self.text.index
        text.line("for (int u = 0; u < 4; u++)")
        text.line("for (int v = 0; v < 4; v++) {")
        text.line(f"const {index} m = m0 + ty + {_SIDE} * u, n = n0 + tx + {_SIDE} * v;")
        text.line("if (m >= rows || n >= columns) continue;")
        if splits > 1:
            text.array("w0", self.wide)
            text.line(f"const {index} groups = tiles / wide / high / splits;")
            text.line("w0[((split * groups + g) * rows + m) * columns + n] = sum[u][v];")
        else:
            self._put(text, rows, columns, "sum[u][v]")
        text.line("}")

    def _put(self, text: Text, rows: tuple[int, ...], columns: tuple[int, ...], value: str) -> None:
        """Statements that store element (m, n) of group g."""
        text.array("o0", self.dtype)
        row = text.unravel("m", rows, "m", "rn")
        column = text.unravel("n", columns, "n", "cn")
        at = text.offset("z", self.place(row, column), Operand.plain(self.shape, self.dtype).strides)
        text.line(f"o0[{at}] = {expression(cast_to(self.dtype), [value], [self.wide])};")

    def _sum(self, rows: tuple[int, ...], columns: tuple[int, ...], splits: int) -> Leaf:
        """The parts of a sum, added in order."""
        m, n = math.prod(rows), math.prod(columns)
        text = Text(f"{self.text.name}_sum", Text.index_for(splits * m * n * self.g.groups))
        text.array("w0", self.wide)
        text.passed("rows", m)
        text.passed("columns", n)
        text.passed("splits", splits)
        text.loop(m * n * self.g.groups)
        text.line(f"{ctype(self.wide)} sum = w0[i];")
        text.line(f"for ({text.index} p = 1; p < splits; p++) "
                  f"sum = {expression(TABLE['add'], ['sum', 'w0[p * count + i]'], [self.wide] * 2)};")
        text.line(f"const {text.index} n = i % columns, m = i / columns % rows, g = i / columns / rows;")
        self._put(text, rows, columns, "sum")
        return text.leaf(m * n * self.g.groups)


class _Conv(_Product):
    def load_a(self, m: Sequence[str], k: Sequence[str]) -> str:
        filters = self.text.passed("filters", self.each)
        return self.at(1, [f"(g * {filters} + {m[0]})", k[0], *self.filter_place(k[1:])])

    def load_b(self, k: Sequence[str], n: Sequence[str]) -> str:
        channels = self.text.passed("channels", self.channels)
        return self.at(0, [n[0], f"(g * {channels} + {k[0]})", *self.met(n[1:], k[1:])])

    def place(self, m: Sequence[str], n: Sequence[str]) -> list[str]:
        return [n[0], f"(g * rows + {m[0]})", *n[1:]]


class _GradInputs(_Product):
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

    def place(self, m: Sequence[str], n: Sequence[str]) -> list[str]:
        return [n[0], f"(g * rows + {m[0]})", *n[1:]]


class _GradWeights(_Product):
    deep = True

    def load_a(self, m: Sequence[str], k: Sequence[str]) -> str:
        filters = self.text.passed("filters", self.each)
        return self.at(1, [k[0], f"(g * {filters} + {m[0]})", *k[1:]])

    def load_b(self, k: Sequence[str], n: Sequence[str]) -> str:
        channels = self.text.passed("channels", self.channels)
        return self.at(0, [k[0], f"(g * {channels} + {n[0]})", *self.met(k[1:], n[1:])])

    def place(self, m: Sequence[str], n: Sequence[str]) -> list[str]:
        return [f"(g * rows + {m[0]})", n[0], *self.filter_place(n[1:])]
