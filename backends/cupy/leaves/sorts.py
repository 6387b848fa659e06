"""Sorting short rows: one block for each, in shared memory; the first of equal elements stays first.

The network is K. Batcher's ("Sorting networks and their applications", AFIPS 1968), in its bitonic form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from backends.cupy.language.scalars import ctype, expression, literal
from backends.cupy.leaves.leaf import Leaf, Leaves, Operand, Text, plain_strides
from symgraph.scalar import TABLE

__all__ = ["LONGEST", "argsort", "argtopk", "sort"]

#: The longest row that is sorted so.
LONGEST = 2048


def sort(axis: int, operands: Sequence[Operand]) -> Leaves:
    """The elements along an axis in ascending order, what is no number last."""
    x, = operands
    return Leaves(((x.shape, x.dtype),), (_sorted("sort", axis, x, x.dtype, "value[r]", 0, x.shape[axis], 1),))


def argsort(axis: int, dtype: str, operands: Sequence[Operand]) -> Leaves:
    """The places of the elements along an axis, in the order that sorts them."""
    x, = operands
    text = f"({ctype(dtype)})place[r]"
    return Leaves(((x.shape, dtype),), (_sorted("argsort", axis, x, dtype, text, 0, x.shape[axis], 1),))


def argtopk(axis: int, dtype: str, operands: Sequence[Operand], k: int) -> Leaves:
    """The places of the k largest elements, largest first, or of the -k smallest, largest first.

    Raises
    ------
    ValueError
        When there are not so many.
    """
    x, = operands
    length = x.shape[axis]
    if not 0 < abs(k) <= length:
        raise ValueError(f"topk: k must be between 1 and {length}, or its negative, not {k}")
    shape = (*x.shape[:axis], abs(k), *x.shape[axis + 1:])
    last = length - 1 if k > 0 else -k - 1
    text = f"({ctype(dtype)})place[r]"
    return Leaves(((shape, dtype),), (_sorted("argtopk", axis, x, dtype, text, last, abs(k), -1),))


def _sorted(name: str, axis: int, x: Operand, dtype: str, stored: str, first: int, count: int, step: int) -> Leaf:
    """Rows sorted, of which `count` elements are stored: those of rank `first`, `first` + `step`, ..."""
    length = x.shape[axis]
    size = max(2, 1 << (max(length, 1) - 1).bit_length())
    others = [n for other, n in enumerate(x.shape) if other != axis]
    rows = math.prod(others)
    threads = min(256, max(32, size // 2))
    text = Text(name, Text.index_for(x.size, x.reach))
    text.array("a0", x.dtype)
    text.array("o0", dtype)
    text.passed("rows", rows)
    text.passed("length", length)
    kind = ctype(x.dtype)
    text.line(f"__shared__ {kind} value[{size}];")
    text.line(f"__shared__ int place[{size}];")
    text.line(f"for ({text.index} row = blockIdx.x; row < rows; row += gridDim.x) {{")
    places = text.unravel("row", others, "u", "m")
    begin = text.offset("s", places, [s for other, s in enumerate(x.strides) if other != axis])
    shape = (*x.shape[:axis], count, *x.shape[axis + 1:])
    plain = plain_strides(shape)
    target = text.offset("z", places, [s for other, s in enumerate(plain) if other != axis])
    text.line(f"for (int e = threadIdx.x; e < {size}; e += {threads}) {{")
    text.line("place[e] = e;")
    text.line(f"value[e] = {literal(0, x.dtype)};")
    text.line(f"if (e < length) value[e] = a0[{begin} + e * {text.passed('along', x.strides[axis])}];")
    text.line("}")
    text.line("__syncthreads();")
    text.line(f"for (int span = 2; span <= {size}; span *= 2)")
    text.line("for (int d = span / 2; d; d /= 2) {")
    text.line(f"for (int e = threadIdx.x; e < {size // 2}; e += {threads}) {{")
    text.line("const int i = 2 * e - (e & (d - 1)), j = i + d;")
    text.line("const bool up = (i & span) == 0;")
    text.line(f"const {kind} a = value[i], b = value[j];")
    text.line("const int p = place[i], q = place[j];")
    text.line(f"bool later = {_less('b', 'a', x.dtype)};  // whether a belongs behind b")
    text.line(f"if (!later && !{_less('a', 'b', x.dtype)}) later = p > q;")
    text.line("if (p >= length || q >= length) later = p > q;")
    text.line("if (later == up) { value[i] = b; value[j] = a; place[i] = q; place[j] = p; }")
    text.line("}")
    text.line("__syncthreads();")
    text.line("}")
    text.line(f"for (int e = threadIdx.x; e < {text.passed('kept', count)}; e += {threads}) {{")
    text.line(f"const int r = {text.passed('first', first)} + e * ({step});")
    text.line(f"o0[{target} + e * {text.passed('out', plain[axis])}] = {stored};")
    text.line("}")
    text.line("__syncthreads();")
    text.line("}")
    return text.leaf(0, min(rows, 1 << 16) if count else 0, threads)


def _less(a: str, b: str, dtype: str) -> str:
    """Whether a comes before b: numbers before what is none."""
    less = expression(TABLE["lt"], [a, b], [dtype] * 2)
    if np.dtype(dtype).kind not in "fc":
        return less
    odd_a, odd_b = (expression(TABLE["isnan"], [v], [dtype]) for v in (a, b))
    return f"({less} || ({odd_b} && !{odd_a}))"
