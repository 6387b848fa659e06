"""Products of matrices whose elements are looked up where they lie, in tiles, by one kernel.

A block computes 64 x 64 elements of C[m, n], the sum over k of A[m, k] * B[k, n]; where there are few such tiles,
several blocks share the sum, each a stretch of k, and their parts are added in order. So results are the same in every
run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from backends.cupy.language.scalars import ctype, expression
from backends.cupy.leaves.leaf import Leaf, Leaves, Operand, Text
from symgraph.scalar import TABLE, cast_to

__all__ = ["Product", "matmul"]

_TILE, _DEEP, _SIDE = 64, 16, 16
_THREADS = _SIDE * _SIDE
_ENOUGH = 264  # blocks that keep a GPU busy
_SHORTEST = 256  # of a stretch of k


class Product:
    """Products of two matrices whose elements are looked up.

    Parameters
    ----------
    name : str
        Of the kernel.
    operands : sequence of Operand
    shape : tuple of int
        Of the result.
    groups : int
        How many products there are; ``g`` is the number of one in the kernel.
    """

    #: Whether neighbouring threads load neighbours along k, of B. Of A they always do.
    deep = False

    def __init__(self, name: str, operands: Sequence[Operand], shape: tuple[int, ...], groups: int) -> None:
        self.operands, self.shape, self.groups = operands, shape, groups
        self.dtype = np.result_type(operands[0].dtype, operands[1].dtype).name
        self.wide = "float32" if self.dtype == "float16" else self.dtype
        reach = [math.prod(shape), *(o.reach for o in operands)]
        self.text = Text(name, Text.index_for(*reach))

    # ---- what an operation says of its own

    def load_a(self, m: Sequence[str], k: Sequence[str]) -> str:
        """Statements before, and the expression of A[m, k]."""
        raise NotImplementedError

    def load_b(self, k: Sequence[str], n: Sequence[str]) -> str:
        """Statements before, and the expression of B[k, n]; they may leave the element 0 by ``break``."""
        raise NotImplementedError

    def place(self, text: Text, m: Sequence[str], n: Sequence[str]) -> list[str]:
        """Where an element lies in the result."""
        raise NotImplementedError

    # ---- what they share

    def at(self, number: int, places: Sequence[str]) -> str:
        """An element of an operand, in the type in which the sum is taken."""
        operand = self.operands[number]
        value = f"a{number}[{self.text.offset(f's{number}_', places, operand.strides)}]"
        return expression(cast_to(self.wide), [value], [operand.dtype])

    def leaves(self, rows: tuple[int, ...], depth: tuple[int, ...], columns: tuple[int, ...]) -> Leaves:
        """All that is launched; the lengths are of what m, k and n are made of."""
        m, k, n = (math.prod(lengths) for lengths in (rows, depth, columns))
        tiles = -(-m // _TILE) * -(-n // _TILE) * self.groups
        splits = max(1, min(_ENOUGH // max(tiles, 1), k // _SHORTEST))
        launches = [self._product(rows, depth, columns, splits)]
        if splits > 1:
            launches.append(self._sum(rows, columns, splits))
        size = splits * m * n * self.groups * np.dtype(self.wide).itemsize if splits > 1 else 0
        return Leaves(((self.shape, self.dtype),), tuple(launches), (size,) if size else ())

    def _product(self, rows: tuple[int, ...], depth: tuple[int, ...], columns: tuple[int, ...], splits: int) -> Leaf:
        text, index, kind = self.text, self.text.index, ctype(self.wide)
        m, k, n = (math.prod(lengths) for lengths in (rows, depth, columns))
        high, wide = -(-m // _TILE), -(-n // _TILE)
        for number, operand in enumerate(self.operands):
            text.array(f"a{number}", operand.dtype)
        tiles = high * wide * splits * self.groups
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
        at = text.offset("z", self.place(text, row, column), Operand.plain(self.shape, self.dtype).strides)
        text.line(f"o0[{at}] = {expression(cast_to(self.dtype), [value], [self.wide])};")

    def _sum(self, rows: tuple[int, ...], columns: tuple[int, ...], splits: int) -> Leaf:
        """The parts of a sum, added in order."""
        m, n = math.prod(rows), math.prod(columns)
        text = Text(f"{self.text.name}_sum", Text.index_for(splits * m * n * self.groups))
        text.array("w0", self.wide)
        text.passed("rows", m)
        text.passed("columns", n)
        text.passed("splits", splits)
        text.loop(m * n * self.groups)
        text.line(f"{ctype(self.wide)} sum = w0[i];")
        text.line(f"for ({text.index} p = 1; p < splits; p++) "
                  f"sum = {expression(TABLE['add'], ['sum', 'w0[p * count + i]'], [self.wide] * 2)};")
        text.line(f"const {text.index} n = i % columns, m = i / columns % rows, g = i / columns / rows;")
        self._put(text, rows, columns, "sum")
        return text.leaf(m * n * self.groups)


class _Stacked(Product):
    """Matrices in the last two axes, the axes before them broadcast."""

    def _outer(self, text: Text) -> list[str]:
        return text.unravel("g", self.shape[:-2], "g", "gn")

    def _of(self, number: int, row: str, column: str) -> str:
        operand = self.operands[number]
        places = [*self._outer(self.text), row, column]
        value = f"a{number}[{self.text.offset(f's{number}_', places, self._strides(operand))}]"
        return expression(cast_to(self.wide), [value], [operand.dtype])

    def _strides(self, operand: Operand) -> tuple[int, ...]:
        return operand.stretched((*self.shape[:-2], *operand.shape[-2:]))

    def load_a(self, m: Sequence[str], k: Sequence[str]) -> str:
        return self._of(0, m[0], k[0])

    def load_b(self, k: Sequence[str], n: Sequence[str]) -> str:
        return self._of(1, k[0], n[0])

    def place(self, text: Text, m: Sequence[str], n: Sequence[str]) -> list[str]:
        return [*self._outer(text), m[0], n[0]]


def matmul(operands: Sequence[Operand]) -> Leaves:
    """Products of the matrices in the last two axes, with the axes before them broadcast, of any dtype.

    Raises
    ------
    ValueError
        When the lengths do not fit.
    """
    a, b = operands
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(f"matmul: the columns of {a.shape} and the rows of {b.shape} differ in number")
    outer = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    shape = (*(int(n) for n in outer), a.shape[-2], b.shape[-1])
    product = _Stacked("matmul", operands, shape, math.prod(shape[:-2]))
    return product.leaves((a.shape[-2],), (a.shape[-1],), (b.shape[-1],))
