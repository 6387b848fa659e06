"""Random tensors on a device: one thread computes a block of words and the elements it gives.

Integers and uniform numbers are those of the CPU, bit for bit; the others go through the same functions of the same
words, and differ by how the device rounds these. Counts (Poisson, binomial, multinomial) differ only where a decision
hangs on the last digit of a logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from backends.cupy.language.draws import element_of
from backends.cupy.language.scalars import ctype
from backends.cupy.leaves.leaf import Leaf, Leaves, Operand, Text
from symgraph.random.draw import Draw

__all__ = ["advance", "categorical", "draw", "multinomial"]

#: Element i of the kinds that have parameters, p0 and p1.
_SAMPLED = {
    "integers": "sg_integers(sg_word(sg_philox(a0, i >> 2, 0, 0), (int)(i & 3)), p0, (unsigned long long)p1)",
    "gamma": "sg_gamma_draw(a0, i, p0, false)",
    "log_gamma": "sg_gamma_draw(a0, i, p0, true)",
    "poisson": "sg_poisson_draw(a0, i, p0)",
    "binomial": "sg_binomial_draw(a0, i, p0, p1, 0)",
}


def draw(op: Draw, operands: Sequence[Operand], *lengths: int) -> Leaves:
    """What `Draw` makes; the operands are the state and the parameters.

    Raises
    ------
    ValueError
        For a negative length.
    """
    shape = tuple(int(n) for n in lengths)
    if min(shape, default=0) < 0:
        raise ValueError(f"negative dimension in the size {shape} of a random tensor")
    launch = _standard(op, shape) if not op.arity else _sampled(op, operands[1:], shape)
    return Leaves(((shape, op.dtype),), (launch,))


def _standard(op: Draw, shape: tuple[int, ...]) -> Leaf:
    count = math.prod(shape)
    text = Text(f"draw_{op.kind}", Text.index_for(count))
    text.array("a0", "uint64")
    text.array("o0", op.dtype)
    total = text.passed("elements", count)
    blocks = -(-count // op.per_block)
    text.loop(blocks)
    text.line("  const sg_block b = sg_philox(a0, (unsigned long long)i, 0, 0);")
    text.line("  #pragma unroll")
    text.line(f"  for (int j = 0; j < {op.per_block}; j++) {{")
    text.line(f"    const {text.index} at = i * {op.per_block} + j;")
    text.line(f"    if (at < {total}) o0[at] = {element_of(op, 'b', 'j')};")
    text.line("  }")
    return text.leaf(blocks)


def _sampled(op: Draw, parameters: Sequence[Operand], shape: tuple[int, ...]) -> Leaf:
    count = math.prod(shape)
    text = Text(f"draw_{op.kind}", Text.index_for(count, *(p.reach for p in parameters)))
    text.array("a0", "uint64")
    for number, parameter in enumerate(parameters):
        text.array(f"a{number + 1}", parameter.dtype)
    text.array("o0", op.dtype)
    text.loop(count)
    places = text.unravel("i", shape)
    wide = "long long" if op.kind == "integers" else "double"
    for number, parameter in enumerate(parameters):
        at = text.offset(f"s{number}_", places, parameter.stretched(shape))
        value = f"a{number + 1}[{at}]"
        text.line(f"const {wide} p{number} = {_wide(value, parameter.dtype == 'float16', wide)};")
    value = _SAMPLED[op.kind]
    text.line(f"o0[i] = {f'sg_to_half({value})' if op.dtype == 'float16' else f'({ctype(op.dtype)}){value}'};")
    return text.leaf(count)


def advance(per_block: int, operands: Sequence[Operand], *lengths: int) -> Leaves:
    """The state after a draw of some shape, as `Advance` gives it."""
    text = Text("advance", "long long")
    text.array("a0", "uint64")
    text.array("o0", "uint64")
    blocks = text.passed("blocks", -(-math.prod(int(n) for n in lengths) // per_block))
    text.line(f"if (threadIdx.x < 3) o0[threadIdx.x] = a0[threadIdx.x] + (threadIdx.x == 2 ? {blocks} : 0);")
    return Leaves((((3,), "uint64"),), (text.leaf(3, blocks=1, threads=32),))


def multinomial(operands: Sequence[Operand]) -> Leaves:
    """How many of n things fall into each category: one thread for each n, category after category."""
    _, n, weights = operands
    *outer, categories = weights.shape
    count = math.prod(outer)
    text = Text("draw_multinomial", Text.index_for(weights.size, weights.reach, n.reach))
    text.array("a0", "uint64")
    text.array("a1", n.dtype)
    text.array("a2", weights.dtype)
    text.array("o0", "int64")
    text.loop(count)
    places = text.unravel("i", outer)
    half = weights.dtype == "float16"
    ends, step = text.number("categories", categories), text.number("step", weights.strides[-1])
    text.line(f"const {ctype(weights.dtype)} *p = a2 + {text.offset('p', places, weights.strides[:-1])};")
    text.line(f"double left = (double)a1[{text.offset('m', places, n.stretched(outer))}];")
    text.line(f"for ({text.index} c = 0; c < {ends} - 1; c++) {{")
    text.line("  double tail = 0;  // summed from the last category on, as on the CPU")
    text.line(f"  for ({text.index} k = {ends} - 1; k >= c; k--) tail += {_wide('p[k * ' + step + ']', half)};")
    text.line(f"  double share = tail > 0 ? {_wide('p[c * ' + step + ']', half)} / tail : 0;")
    text.line("  share = share < 0 ? 0 : share > 1 ? 1 : share;")
    text.line("  const double taken = sg_binomial_draw(a0, (unsigned long long)i, left, share, (unsigned long long)c);")
    text.line(f"  o0[i * {ends} + c] = (long long)taken;")
    text.line("  left -= taken;")
    text.line("}")
    if categories:
        text.line(f"o0[i * {ends} + {ends} - 1] = (long long)left;")
    return Leaves(((weights.shape, "int64"),), (text.leaf(count),))


def categorical(operands: Sequence[Operand]) -> Leaves:
    """The category that each of some uniform numbers falls into, as `Categorical` gives it.

    Raises
    ------
    ValueError
        When there is no category.
    """
    u, weights = operands
    if not weights.shape[-1]:
        raise ValueError("there is no category to choose")
    text = Text("categorical", Text.index_for(u.reach, weights.reach))
    text.array("a0", u.dtype)
    text.array("a1", weights.dtype)
    text.array("o0", "int64")
    text.loop(u.size)
    places = text.unravel("i", u.shape)
    ends, step = text.passed("categories", weights.shape[-1]), text.passed("step", weights.strides[-1])
    rows = places if len(weights.shape) > 1 else []
    text.line(f"const {ctype(weights.dtype)} *p = a1 + {text.offset('p', rows, weights.strides[:-1])};")
    text.line(f"const double at = {_wide('a0[' + text.offset('u', places, u.strides) + ']', u.dtype == 'float16')};")
    weight = _wide(f"p[k * {step}]", weights.dtype == "float16")
    text.line("double total = 0, sum = 0;")
    text.line(f"for ({text.index} k = 0; k < {ends}; k++) total += {weight};")
    text.line("long long found = 0;")
    text.line(f"for ({text.index} k = 0; k < {ends}; k++) {{")
    text.line(f"  sum += {weight};")
    text.line("  found += sum / total <= at;")
    text.line("}")
    text.line(f"o0[i] = found < {ends} ? found : {ends} - 1;")
    return Leaves(((u.shape, "int64"),), (text.leaf(u.size),))


def _wide(value: str, half: bool, wide: str = "double") -> str:
    return f"({wide}){f'sg_float({value})' if half else value}"
