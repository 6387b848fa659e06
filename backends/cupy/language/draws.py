"""Random numbers in CUDA C: an element of a draw as an expression of a block of random words.

Integers and uniform numbers are those of the CPU, bit for bit; the others go through the same functions of the same
words, and differ by how the device rounds these.
"""

from __future__ import annotations

from collections.abc import Sequence

from backends.cupy.language.scalars import ctype
from symgraph.random.draw import Draw
from symgraph.random.variates import per_word

__all__ = ["block_of", "element_of", "is_drawn"]


def is_drawn(draw: Draw) -> bool:
    """Whether there is an expression for the elements of a draw."""
    return draw.kind != "bits" or draw.dtype in ("uint32", "uint64", "int32", "int64")


def block_of(draw: Draw, state: Sequence[str], place: str) -> str:
    """The block of words that an element is made of.

    Parameters
    ----------
    draw : Draw
    state : sequence of str
        Its three words.
    place : str
        The number of the element, an integer that is not negative.
    """
    return f"sg_philox_of({', '.join(state)}, (unsigned long long)({place}) / {draw.per_block})"


def element_of(draw: Draw, block: str, at: str, parameters: Sequence[str] = ()) -> str:
    """An element of a draw, of its dtype.

    Parameters
    ----------
    draw : Draw
    block : str
        The name of its block.
    at : str
        Its number in the block, an int: a name or an expression.
    parameters : sequence of str
        Those of the element, integers of 64 bits.

    Examples
    --------
    >>> element_of(Draw("uniform", "float32"), "b", "j")
    'sg_unit<float>(sg_half_word(b, j))'
    >>> element_of(Draw("normal", "float64"), "b", "j")
    'sg_normal<double>(sg_word(b, j & ~1), sg_word(b, j | 1), j & 1)'
    """
    word = "sg_word" if draw.arity or per_word(draw.dtype) == 1 else "sg_half_word"
    if draw.kind == "integers":
        low, span = parameters
        text = f"sg_integers({word}({block}, {at}), {low}, (unsigned long long)({span}))"
        return f"sg_to_half({text})" if draw.dtype == "float16" else f"({ctype(draw.dtype)}){text}"
    if draw.kind == "bits":
        return f"({ctype(draw.dtype)}){word}({block}, {at})"
    single = "double" if draw.dtype == "float64" else "float"
    if draw.kind == "normal":
        at = at if at.isidentifier() else f"({at})"
        text = f"sg_normal<{single}>({word}({block}, {at} & ~1), {word}({block}, {at} | 1), {at} & 1)"
    elif draw.kind == "uniform" and draw.dtype == "float16":
        text = f"sg_unit_half({word}({block}, {at}))"
    else:
        name = "unit" if draw.kind == "uniform" else draw.kind
        text = f"sg_{name}<{single}>({word}({block}, {at}))"
    return f"sg_to_half({text})" if draw.dtype == "float16" else text
