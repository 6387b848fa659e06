"""What goes along an axis step by step: recurrences, and derivatives of products. One thread goes along a line."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from backends.cupy.language.scalars import ctype, expression, literal
from backends.cupy.leaves.leaf import Leaf, Leaves, Operand, Text, plain_strides
from symgraph.scalar import TABLE, cast_to

__all__ = ["other_factors", "product_shares", "recurrence", "rows_of_pivots"]


def recurrence(axis: int, operands: Sequence[Operand]) -> Leaves:
    """``y[i] = b[i] + a[i] * y[i - 1]`` along an axis; the operands are a and b."""
    b = operands[1]

    def along(line: _Lines) -> None:
        line.text.line(f"{line.kind} y = {line.zero};")
        line.up()
        line.text.line(f"y = k ? {line.sum(line.read(1), line.product(line.read(0), 'y'))} : {line.read(1)};")
        line.store("y")
        line.text.line("}")

    return _along("recurrence", axis, operands, b, along)


def other_factors(axis: int, operands: Sequence[Operand]) -> Leaves:
    """The product of all elements along an axis but each itself."""

    def along(line: _Lines) -> None:
        line.text.line(f"{line.kind} product = {line.one};")
        line.up()
        line.store("product")
        line.text.line(f"product = {line.product('product', line.read(0))};")
        line.text.line("}")
        line.text.line(f"product = {line.one};")
        line.down()
        line.store(line.product(line.stored(), "product"))
        line.text.line(f"product = {line.product(line.read(0), 'product')};")
        line.text.line("}")

    return _along("other_factors", axis, operands, operands[0], along)


def product_shares(axis: int, operands: Sequence[Operand]) -> Leaves:
    """The gradient of a running product: the product before each place, times what is ahead of it."""

    def along(line: _Lines) -> None:
        line.text.line(f"{line.kind} product = {line.one}, ahead = {line.zero};")
        line.up()
        line.store("product")
        line.text.line(f"product = {line.product('product', line.read(0))};")
        line.text.line("}")
        line.down()
        line.text.line(f"ahead = {line.sum(line.read(1), 'ahead')};")
        line.store(line.product(line.stored(), "ahead"))
        line.text.line(f"ahead = {line.product(line.read(0), 'ahead')};")
        line.text.line("}")

    return _along("product_shares", axis, operands, operands[0], along)


def rows_of_pivots(operands: Sequence[Operand], length: int) -> Leaves:
    """Where each of so many rows comes from, after the exchanges that LAPACK's pivots say, one after the other."""
    pivots, = operands
    *outer, count = pivots.shape
    text = Text("rows_of_pivots", Text.index_for(math.prod(outer) * length, pivots.reach))
    text.array("a0", pivots.dtype)
    text.array("o0", "int64")
    ends, exchanges = text.passed("length", length), text.passed("exchanges", count)
    text.loop(math.prod(outer))
    places = text.unravel("i", outer, "u", "m")
    step = text.passed("step", pivots.strides[-1])
    text.line(f"const {ctype(pivots.dtype)} *p = a0 + {text.offset('p', places, pivots.strides[:-1])};")
    text.line(f"long long *rows = o0 + (long long)i * {ends};")
    text.line(f"for ({text.index} k = 0; k < {ends}; k++) rows[k] = k;")
    text.line(f"for ({text.index} k = 0; k < {exchanges}; k++) {{")
    text.line(f"const {text.index} other = ({text.index})p[k * {step}];")
    text.line("const long long row = rows[k];")
    text.line("rows[k] = rows[other];")
    text.line("rows[other] = row;")
    text.line("}")
    return Leaves((((*outer, length), "int64"),), (text.leaf(math.prod(outer)),))


def _along(name: str, axis: int, operands: Sequence[Operand], like: Operand,
           along: Callable[[_Lines], None]) -> Leaves:
    line = _Lines(name, axis, operands, like)
    along(line)
    return Leaves(((like.shape, like.dtype),), (line.leaf(),))


class _Lines:
    """The text of a kernel whose threads go along lines; ``k`` is the place along one."""

    def __init__(self, name: str, axis: int, operands: Sequence[Operand], like: Operand) -> None:
        self.axis, self.operands, self.like = axis, operands, like
        self.others = [n for other, n in enumerate(like.shape) if other != axis]
        self.count = math.prod(self.others)
        self.text = Text(name, Text.index_for(like.size, *(o.reach for o in operands)))
        self.kind = ctype(like.dtype)
        self.zero, self.one = literal(0, like.dtype), literal(1, like.dtype)
        for place, operand in enumerate(operands):
            self.text.array(f"a{place}", operand.dtype)
        self.text.array("o0", like.dtype)
        self.length = self.text.passed("length", like.shape[axis])
        self.text.loop(self.count)
        self.places = self.text.unravel("i", self.others, "u", "m")

    def up(self) -> None:
        """Begin the loop from the first place on."""
        self.text.line(f"for ({self.text.index} k = 0; k < {self.length}; k++) {{")

    def down(self) -> None:
        """Begin the loop from the last place down."""
        self.text.line(f"for ({self.text.index} k = {self.length} - 1; k >= 0; k--) {{")

    def _at(self, stem: str, strides: Sequence[int]) -> str:
        ordered = [*self.places[:self.axis], "k", *self.places[self.axis:]]
        return self.text.offset(stem, ordered, strides)

    def read(self, place: int) -> str:
        """An operand's element, in the type of the result."""
        operand = self.operands[place]
        value = f"a{place}[{self._at(f's{place}_', operand.strides)}]"
        return expression(cast_to(self.like.dtype), [value], [operand.dtype])

    def stored(self) -> str:
        """What the result holds already."""
        return f"o0[{self._at('z', plain_strides(self.like.shape))}]"

    def store(self, value: str) -> None:
        """A statement that stores an element."""
        self.text.line(f"{self.stored()} = {value};")

    def product(self, a: str, b: str) -> str:
        """Of two values of the result's type."""
        return expression(TABLE["mul"], [a, b], [self.like.dtype] * 2)

    def sum(self, a: str, b: str) -> str:
        """Of two values of the result's type."""
        return expression(TABLE["add"], [a, b], [self.like.dtype] * 2)

    def leaf(self) -> Leaf:
        """The finished launch."""
        return self.text.leaf(self.count)
