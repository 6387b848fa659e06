"""Running sums, products and extremes along an axis: a block takes a stretch of it, and stretches are joined after.

The order in which a sum is taken depends on the lengths alone, so results are the same in every run; it is not the one
after the other that NumPy takes, so floats differ from NumPy's by rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from backends.cupy.language.scalars import ctype, expression, literal
from backends.cupy.leaves.leaf import THREADS, Leaf, Leaves, Operand, Text, plain_strides
from symgraph.scalar import TABLE, cast_to

__all__ = ["accumulate"]

_EACH = 4  # neighbouring elements of a thread
_STRETCH = THREADS * _EACH
_BY = {"sum": "add", "prod": "mul", "max": "maximum", "min": "minimum"}


def accumulate(kind: str, axis: int, dtype: str, operands: Sequence[Operand]) -> Leaves:
    """What the library's `Accumulate` computes: of each element and those before it.

    Parameters
    ----------
    kind : {'sum', 'prod', 'max', 'min'}
    axis : int
    dtype : str
        Of the result, in which it accumulates; half precision does so in single.
    """
    x, = operands
    wide = "float32" if dtype == "float16" else dtype
    stretches = -(-x.shape[axis] // _STRETCH)
    scan = _Scan(kind, axis, x, dtype, wide, stretches)
    if stretches <= 1:
        return Leaves(((x.shape, dtype),), (scan.within("o0", dtype),))
    size = np.dtype(wide).itemsize
    return Leaves(((x.shape, dtype),), (scan.within("w0", wide), scan.totals(), scan.joined()),
                  (x.size * size, scan.lines * stretches * size))


class _Scan:
    """The kernels of one accumulation. A line is all elements along the axis at one place of the others."""

    def __init__(self, kind: str, axis: int, x: Operand, dtype: str, wide: str, stretches: int) -> None:
        self.kind, self.axis, self.x, self.dtype, self.wide, self.stretches = kind, axis, x, dtype, wide, stretches
        self.others = [n for other, n in enumerate(x.shape) if other != axis]
        self.lines = math.prod(self.others)
        self.index = Text.index_for(x.size, x.reach)
        self.type = ctype(wide)

    def combined(self, a: str, b: str) -> str:
        return expression(TABLE[_BY[self.kind]], [a, b], [self.wide] * 2, self.wide)

    def stored(self, value: str, dtype: str) -> str:
        return expression(cast_to(dtype), [value], [self.wide])

    def address(self, text: Text, stem: str, places: Sequence[str], strides: Sequence[int]) -> str:
        """Where the line at some places of the other axes begins."""
        return text.offset(stem, places, [s for other, s in enumerate(strides) if other != self.axis])

    def _begin(self, name: str) -> Text:
        text = Text(name, self.index)
        text.passed("length", self.x.shape[self.axis])
        text.passed("stretches", self.stretches)
        return text

    def within(self, target: str, dtype: str) -> Leaf:
        """Each stretch by itself; with several of them, the total of each goes to ``w1``."""
        text = self._begin(f"cum{self.kind}")
        text.array("a0", self.x.dtype)
        text.array(target, dtype)
        if target == "w0":
            text.array("w1", self.wide)
        text.line(f"__shared__ {self.type} shared[2][{THREADS}];")
        blocks = text.passed("blocks", self.lines * self.stretches)
        text.line(f"for ({text.index} b = blockIdx.x; b < {blocks}; b += gridDim.x) {{")
        text.line(f"const {text.index} line = b / stretches;")
        text.line(f"const {text.index} first = b % stretches * {_STRETCH} + threadIdx.x * {_EACH};")
        places = text.unravel("line", self.others, "u", "m")
        text.line(f"const {text.index} from = {self.address(text, 's', places, self.x.strides)};")
        plain = plain_strides(self.x.shape)
        text.line(f"const {text.index} to = {self.address(text, 'z', places, plain)};")
        step, out = text.passed("step", self.x.strides[self.axis]), text.passed("out", plain[self.axis])
        value = expression(cast_to(self.wide), [f"a0[from + (first + k) * {step}]"], [self.x.dtype])
        text.line(f"{self.type} own[{_EACH}], total = {self._neutral()};")
        text.line(f"for (int k = 0; k < {_EACH}; k++) {{")
        text.line(f"  own[k] = first + k < length ? {value} : {self._neutral()};")
        text.line(f"  if (k) own[k] = {self.combined('own[k - 1]', 'own[k]')};")
        text.line("}")
        text.line(f"total = own[{_EACH - 1}];")
        self._shared(text)
        text.line(f"for (int k = 0; k < {_EACH}; k++) {{")
        text.line(f"  if (threadIdx.x) own[k] = {self.combined('before', 'own[k]')};")
        text.line(f"  if (first + k < length) {target}[to + (first + k) * {out}] = {self.stored('own[k]', dtype)};")
        text.line("}")
        if target == "w0":
            text.line(f"if (threadIdx.x == {THREADS - 1}) w1[b] = own[{_EACH - 1}];")
        text.line("__syncthreads();")
        text.line("}")
        return text.leaf(0, min(self.lines * self.stretches, 1 << 16))

    def _neutral(self) -> str:
        """What stands for elements beyond the end; it is combined with nothing that is kept."""
        return literal(1 if self.kind == "prod" else 0, self.wide)

    def _shared(self, text: Text) -> None:
        """From each thread's `total` to the combination of those before it, `before`: doubling distances."""
        text.line("shared[0][threadIdx.x] = total;")
        text.line("__syncthreads();")
        text.line("int now = 0;")
        text.line(f"for (int d = 1; d < {THREADS}; d *= 2) {{")
        text.line(f"  {self.type} sum = shared[now][threadIdx.x];")
        text.line(f"  if ((int)threadIdx.x >= d) sum = {self.combined('shared[now][threadIdx.x - d]', 'sum')};")
        text.line("  now = 1 - now;")
        text.line("  shared[now][threadIdx.x] = sum;")
        text.line("  __syncthreads();")
        text.line("}")
        text.line(f"const {self.type} before = shared[now][threadIdx.x ? threadIdx.x - 1 : 0];")

    def totals(self) -> Leaf:
        """The totals of a line's stretches, accumulated one after the other."""
        text = self._begin(f"cum{self.kind}_totals")
        text.array("w1", self.wide)
        text.loop(self.lines)
        text.line(f"{self.type} sum = w1[i * stretches];")
        text.line(f"for ({text.index} k = 1; k < stretches; k++)")
        text.line(f"  w1[i * stretches + k] = sum = {self.combined('sum', 'w1[i * stretches + k]')};")
        return text.leaf(self.lines)

    def joined(self) -> Leaf:
        """What lies before a stretch, taken together with its elements."""
        text = self._begin(f"cum{self.kind}_joined")
        text.array("w0", self.wide)
        text.array("w1", self.wide)
        text.array("o0", self.dtype)
        plain = plain_strides(self.x.shape)
        text.loop(self.x.size)
        inner, length = text.passed("inner", plain[self.axis]), "length"
        text.line(f"const {text.index} at = i / {inner} % {length}, stretch = at / {_STRETCH};")
        text.line(f"const {text.index} line = i / {inner} / {length} * {inner} + i % {inner};")
        text.line(f"{self.type} sum = w0[i];")
        before = "w1[line * stretches + stretch - 1]"
        text.line(f"if (stretch) sum = {self.combined(before, 'sum')};")
        text.line(f"o0[i] = {self.stored('sum', self.dtype)};")
        return text.leaf(self.x.size)
