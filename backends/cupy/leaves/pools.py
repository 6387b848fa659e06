"""Pooling: one thread for each window, or for each element of the images, which asks the windows it lies in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from backends.cupy.language.scalars import ctype, expression, literal
from backends.cupy.leaves.leaf import Leaf, Leaves, Operand, Text
from symgraph.scalar import TABLE, cast_to
from symgraph.tensor.signal.pool_ops import _Pooling

__all__ = ["max_pool", "max_pool_gather", "max_pool_grad", "sum_pool", "sum_pool_grad"]


def max_pool(op: Any, operands: Sequence[Operand]) -> Leaves:
    """The largest element of each window."""
    x, = operands
    shape = op.pooled(x.shape)
    pool = _Pool("max_pool", op, x.shape, shape, shape, operands)
    pool.begin(x.dtype, literal(_least(x.dtype), x.dtype))
    pool.over_elements()
    pool.line(f"sum = {expression(TABLE['maximum'], ['sum', pool.read(0, x)], [x.dtype] * 2)};")
    return Leaves(((shape, x.dtype),), (pool.finish(x.dtype, x.dtype),))


def max_pool_grad(op: Any, operands: Sequence[Operand]) -> Leaves:
    """A number for each window, added where that is largest."""
    x, z, g = operands
    _check(op, x, z)
    wide = _wide(g.dtype)
    pool = _Pool("max_pool_grad", op, x.shape, z.shape, x.shape, operands)
    pool.begin(wide, literal(0, wide))
    pool.text.line(f"const {ctype(x.dtype)} mine = {pool.read(0, x)};")
    pool.over_windows()
    largest = expression(TABLE["eq"], ["mine", pool.read_window(1, z)], [x.dtype, z.dtype])
    pool.line(f"if ({largest}) sum = {_added('sum', pool.read_window(2, g), g.dtype, wide)};")
    return Leaves(((x.shape, g.dtype),), (pool.finish(wide, g.dtype),))


def max_pool_gather(op: Any, operands: Sequence[Operand]) -> Leaves:
    """For each window the sum of the third array where the window is largest."""
    x, z, v = operands
    _check(op, x, z)
    wide = _wide(v.dtype)
    pool = _Pool("max_pool_gather", op, x.shape, z.shape, z.shape, operands)
    pool.begin(wide, literal(0, wide))
    pool.text.line(f"const {ctype(z.dtype)} most = {pool.read_window(1, z)};")
    pool.over_elements()
    largest = expression(TABLE["eq"], [pool.read(0, x), "most"], [x.dtype, z.dtype])
    pool.line(f"if ({largest}) sum = {_added('sum', pool.read(2, v), v.dtype, wide)};")
    return Leaves(((z.shape, v.dtype),), (pool.finish(wide, v.dtype),))


def sum_pool(op: Any, operands: Sequence[Operand]) -> Leaves:
    """The sum, or the mean, of each window."""
    x, = operands
    shape = op.pooled(x.shape)
    wide = _wide(x.dtype)
    pool = _Pool("sum_pool", op, x.shape, shape, shape, operands)
    pool.begin(wide, literal(0, wide))
    pool.over_elements()
    pool.line(f"sum = {_added('sum', pool.read(0, x), x.dtype, wide)};")
    pool.close()
    if op.mode != "sum":
        pool.text.line(f"sum = {_shared('sum', pool.share(), wide)};")
    return Leaves(((shape, x.dtype),), (pool.finish(wide, x.dtype),))


def sum_pool_grad(op: Any, operands: Sequence[Operand], *lengths: int) -> Leaves:
    """Each window's number, or its share, added to all its elements.

    Raises
    ------
    ValueError
        When images of these lengths have another number of windows.
    """
    g, = operands
    before, made = op.split(g.shape)
    if op.counts(lengths) != made:
        raise ValueError(f"images of {tuple(lengths)} are pooled to {op.counts(lengths)}, not {made}: {op}")
    shape, wide = (*before, *lengths), _wide(g.dtype)
    pool = _Pool("sum_pool_grad", op, shape, g.shape, shape, operands)
    pool.begin(wide, literal(0, wide))
    pool.over_windows()
    value = expression(cast_to(wide), [pool.read_window(0, g)], [g.dtype])
    if op.mode != "sum":
        value = _shared(value, pool.share(), wide)
    pool.line(f"sum = {_added('sum', value, wide, wide)};")
    return Leaves(((shape, g.dtype),), (pool.finish(wide, g.dtype),))


def _check(op: Any, x: Operand, z: Operand) -> None:
    if op.pooled(x.shape) != z.shape:
        raise ValueError(f"images of shape {x.shape} are pooled to {op.pooled(x.shape)}, not {z.shape}: {op}")


def _wide(dtype: str) -> str:
    return "float32" if dtype == "float16" else dtype


def _least(dtype: str) -> Any:
    kind = np.dtype(dtype)
    return -np.inf if kind.kind == "f" else False if kind.kind == "b" else np.iinfo(kind).min


def _added(total: str, value: str, dtype: str, wide: str) -> str:
    return expression(TABLE["add"], [total, value], [wide, dtype], wide)


def _shared(value: str, by: str, wide: str) -> str:
    divisor = expression(cast_to(wide), [f"((long long)({by}))"], ["int64"])
    return expression(TABLE["true_div"], [value, divisor], [wide, wide], wide)


class _Pool:
    """The text of a pooling kernel: the place of an element of the result, then loops over elements or windows.

    Parameters
    ----------
    name : str
    op : _Pooling
    image, windows, result : tuple of int
        The shapes of the images, of the array of windows, and of what is computed, one of these two.
    operands : sequence of Operand
    """

    def __init__(self, name: str, op: _Pooling, image: tuple[int, ...], windows: tuple[int, ...],
                 result: tuple[int, ...], operands: Sequence[Operand]) -> None:
        self.op, self.result = op, result
        self.count = math.prod(result)
        self.text = Text(name, Text.index_for(self.count, *(o.reach for o in operands)))
        self.before, self.lengths = op.split(image)
        self.made = op.split(windows)[1]
        self.of_windows = result == windows
        self.open = 0
        for place, operand in enumerate(operands):
            self.text.array(f"a{place}", operand.dtype)
        self.places: list[str] = []

    def line(self, text: str) -> None:
        self.text.line(text)

    def begin(self, wide: str, start: str) -> None:
        """Where an element of the result is, and the variable it is computed in."""
        self.text.loop(self.count)
        found = self.text.unravel("i", self.result)
        rank = len(self.before)
        self.outer, inner = found[:rank], found[rank:]
        letter = "m" if self.of_windows else "q"
        for axis, place in enumerate(inner):
            self.text.line(f"const {self.text.index} {letter}{axis} = {place};")
        self.text.line(f"{ctype(wide)} sum = {start};")

    def over_elements(self) -> None:
        """Loops over the elements of window m: ``q0``, ``q1``, ..."""
        for axis, (w, s, p) in enumerate(zip(self.op.window, self.op.stride, self.op.pad, strict=True)):
            length = self.text.passed(f"length{axis}", self.lengths[axis])
            self.text.line(f"for (int k{axis} = 0; k{axis} < {w}; k{axis}++) {{")
            self.text.line(f"const {self.text.index} q{axis} = m{axis} * {s} + k{axis} - {p};")
            self.text.line(f"if (q{axis} < 0 || q{axis} >= {length}) continue;")
            self.open += 1

    def over_windows(self) -> None:
        """Loops over the windows that element q lies in: ``m0``, ``m1``, ..."""
        for axis, (w, s, p) in enumerate(zip(self.op.window, self.op.stride, self.op.pad, strict=True)):
            index, made = self.text.index, self.text.passed(f"made{axis}", self.made[axis])
            self.text.line(f"const {index} b{axis} = q{axis} + {p + s} - {w}, e{axis} = (q{axis} + {p}) / {s};")
            self.text.line(f"for ({index} m{axis} = b{axis} > 0 ? b{axis} / {s} : 0; m{axis} <= e{axis} && "
                           f"m{axis} < {made}; m{axis}++) {{")
            self.open += 1

    def read(self, place: int, operand: Operand) -> str:
        """The images' element at q."""
        return self._at(place, operand, "q")

    def read_window(self, place: int, operand: Operand) -> str:
        """The windows' element at m."""
        return self._at(place, operand, "m")

    def _at(self, place: int, operand: Operand, letter: str) -> str:
        names = [*self.outer, *(f"{letter}{axis}" for axis in range(len(self.op.window)))]
        return f"a{place}[{self.text.offset(f's{place}_', names, operand.strides)}]"

    def share(self) -> str:
        """By what the sum of window m is divided."""
        terms = []
        for axis, (w, s, p) in enumerate(zip(self.op.window, self.op.stride, self.op.pad, strict=True)):
            excluded = self.op.mode == "average_exc_pad"  # type: ignore[attr-defined]
            high = self.text.passed(f"high{axis}", self.lengths[axis] + (p if excluded else 2 * p))
            last = f"(m{axis} * {s} + {w} < {high} ? m{axis} * {s} + {w} : {high})"
            first = f"(m{axis} * {s} > {p} ? m{axis} * {s} : {p})" if excluded else f"m{axis} * {s}"
            terms.append(f"({last} - {first})")
        return " * ".join(terms)

    def close(self) -> None:
        """End the loops."""
        for _ in range(self.open):
            self.text.line("}")
        self.open = 0

    def finish(self, wide: str, dtype: str) -> Leaf:
        """Store, and the launch."""
        self.close()
        self.text.array("o0", dtype)
        self.text.line(f"o0[i] = {expression(cast_to(dtype), ['sum'], [wide])};")
        return self.text.leaf(self.count)
