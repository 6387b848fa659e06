"""The windows of images laid out, and their transpose, which adds them up: one thread for each element."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from backends.cupy.language.scalars import ctype, expression, literal
from backends.cupy.leaves.leaf import Leaves, Operand, Text
from symgraph.scalar import TABLE, cast_to

__all__ = ["overlap_add", "windows"]


def windows(op: Any, operands: Sequence[Operand]) -> Leaves:
    """Images to their windows: (batch, channels, *places, *window)."""
    x, = operands
    g = op.geometry(x.shape[2:])
    shape = (*x.shape[:2], *g.output, *g.window)
    count = math.prod(shape)
    text = Text("windows", Text.index_for(count, x.reach))
    text.array("a0", x.dtype)
    text.array("o0", x.dtype)
    text.loop(count)
    places = text.unravel("i", shape)
    met, tests = places[:2], ["true"]
    for axis in range(g.rank):
        place, within = places[2 + axis], places[2 + g.rank + axis]
        text.line(f"const {text.index} q{axis} = {place} * {g.strides[axis]} + {within} * {g.dilations[axis]} - "
                  f"{g.pads[axis][0]};")
        tests.append(f"q{axis} >= 0 && q{axis} < {text.passed(f'length{axis}', g.image[axis])}")
        met.append(f"q{axis}")
    value = f"a0[{text.offset('s', met, x.strides)}]"
    text.line(f"o0[i] = {literal(0, x.dtype)};")
    text.line(f"if ({' && '.join(tests)}) o0[i] = {value};")
    return Leaves(((shape, x.dtype),), (text.leaf(count),))


def overlap_add(op: Any, operands: Sequence[Operand], *lengths: int) -> Leaves:
    """Each window's elements added where they lie in images of these lengths.

    Raises
    ------
    ValueError
        When such images have other windows.
    """
    v, = operands
    g = op.geometry(lengths)
    if v.shape[2:] != (*g.output, *g.window):
        raise ValueError(f"images of {tuple(lengths)} have windows of {(*g.output, *g.window)}, not {v.shape[2:]}")
    shape, wide = (*v.shape[:2], *g.image), "float32" if v.dtype == "float16" else v.dtype
    count = math.prod(shape)
    text = Text("overlap_add", Text.index_for(count, v.reach))
    text.array("a0", v.dtype)
    text.array("o0", v.dtype)
    text.loop(count)
    found = text.unravel("i", shape)
    text.line(f"{ctype(wide)} sum = {literal(0, wide)};")
    places, within = [], []
    for axis in range(g.rank):
        stride, made = g.strides[axis], text.passed(f"made{axis}", g.output[axis])
        text.line(f"for (int k{axis} = 0; k{axis} < {g.window[axis]}; k{axis}++) {{")
        text.line(f"const {text.index} y{axis} = {found[2 + axis]} + {g.pads[axis][0]} - "
                  f"k{axis} * {g.dilations[axis]};")
        text.line(f"if (y{axis} < 0 || y{axis} % {stride} || y{axis} / {stride} >= {made}) continue;")
        places.append(f"(y{axis} / {stride})")
        within.append(f"k{axis}")
    value = f"a0[{text.offset('s', [*found[:2], *places, *within], v.strides)}]"
    added = expression(TABLE["or_" if np.dtype(wide).kind == "b" else "add"], ["sum", value], [wide, v.dtype], wide)
    text.line(f"sum = {added};")
    for _ in range(g.rank):
        text.line("}")
    text.line(f"o0[i] = {expression(cast_to(v.dtype), ['sum'], [wide])};")
    return Leaves(((shape, v.dtype),), (text.leaf(count),))
