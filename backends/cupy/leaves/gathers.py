"""Reading through index arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from backends.cupy.leaves.leaf import Leaves, Operand, Text
from backends.cupy.leaves.regions import region_of

__all__ = ["gather"]


def gather(spec: Sequence[Any], operands: Sequence[Operand], *numbers: int) -> Leaves:
    """``x[spec]``; the operands are x and the index arrays. One thread reads one element.

    An index out of range sets the error word, and reads what index 0 names.
    """
    x, arrays = operands[0], operands[1:]
    region = region_of(spec, x, arrays, numbers)
    count = math.prod(region.shape)
    text = Text("gather", Text.index_for(count, x.reach, *(a.reach for a in arrays)))
    text.array("a0", x.dtype)
    text.array("o0", x.dtype)
    text.loop(count)
    places = text.unravel("i", region.shape)
    indices = region.picked(text, [places[axis] for axis in region.of_arrays], arrays, 1)
    start = text.passed("start", region.offset(x.strides))
    terms = [start, text.offset("s", places, region.strides(x.strides)),
             text.offset("t", indices, [x.strides[pick.axis] for pick in region.picks])]
    text.line(f"o0[i] = a0[{' + '.join(t for t in terms if t != '0')}];")
    return Leaves(((region.shape, x.dtype),), (text.leaf(count),))
