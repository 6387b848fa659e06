"""Writing through an index: a copy of an array in which a part is set, or increased.

Where index arrays may name an element several times, each element is written by one block, which adds what belongs to
it in the order of the index arrays, as `numpy.add.at` does. So sums are the same in every run, and those of NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from backends.cupy.leaves import Leaf, Leaves, Operand, Text, plain_strides
from backends.cupy.regions import Cut, Region, region_of
from backends.cupy.scalars import ctype, expression
from symgraph.scalar import TABLE, cast_to
from symgraph.tensor.subtensor import IncSubtensor

__all__ = ["scatter"]


def scatter(op: IncSubtensor, operands: Sequence[Operand], *numbers: int) -> Leaves:
    """What `IncSubtensor` gives; the operands are x, the value and the index arrays."""
    x, y, *arrays = operands
    region = region_of(op.spec, x, arrays, numbers)
    result = ((x.shape, x.dtype),)
    if not region.picks:
        return Leaves(result, (_within(op, x, y, region),))
    index = Text.index_for(x.size, x.reach, y.reach, math.prod(region.shape), *(a.reach for a in arrays))
    copy = _copied(x, index)
    if op.unique:
        return Leaves(result, (copy, _each(op, x, y, arrays, region, index)))
    positions = math.prod(region.shape[axis] for axis in region.of_arrays)
    keys = _keys(arrays, region, index, positions)
    return Leaves(result, (copy, keys, _gathered(op, x, y, region, index, positions)), (8 * positions,))


def _combined(op: IncSubtensor, old: str, new: str, x: Operand, y: Operand) -> str:
    if op.set_instead:
        return expression(cast_to(x.dtype), [new], [y.dtype])
    return expression(TABLE["add" if x.dtype != "bool" else "or_"], [old, new], [x.dtype, y.dtype], x.dtype)


# ---- slices: every element of the result asks whether it is inside --------------------------------------------------


def _within(op: IncSubtensor, x: Operand, y: Operand, region: Region) -> Leaf:
    text = Text("set_part" if op.set_instead else "add_part", Text.index_for(x.size, x.reach, y.reach))
    for place, operand in (("a0", x), ("a1", y), ("o0", x)):
        text.array(place, operand.dtype)
    text.loop(x.size)
    places = text.unravel("i", x.shape)
    strides = dict(zip([i for i in region.axes if i is not None],
                       [s for i, s in zip(region.axes, y.stretched(region.shape), strict=True) if i is not None],
                       strict=True))
    tests: list[str] = []
    terms: list[str] = []
    start = 0
    for number, cut in enumerate(region.cuts):
        start += _inside(text, cut, places[cut.axis], x.shape[cut.axis], strides.get(number, 0), tests, terms)
    at = " + ".join([text.passed("start", start), *terms])
    text.line(f"{ctype(x.dtype)} v = a0[{text.offset('s', places, x.strides)}];")
    text.line(f"if ({' && '.join(tests) or 'true'}) v = {_combined(op, 'v', f'a1[{at}]', x, y)};")
    text.line("o0[i] = v;")
    return text.leaf(x.size)


def _inside(text: Text, cut: Cut, place: str, length: int, stride: int, tests: list[str], terms: list[str]) -> int:
    """Tests whether a place along an axis is in a cut, and the term of its value's address; returns a constant term."""
    start, step, along = cut.start, cut.step, stride
    if step < 0:  # the same places from the other end
        start, step, along = start + (cut.length - 1) * step, -step, -stride
    axis = cut.axis
    whole = step == 1 and cut.length == length
    if not whole:
        first = text.passed(f"first{axis}", start)
        text.line(f"const {text.index} k{axis} = {place} - {first};")
        tests.append(f"k{axis} >= 0")
        place = f"k{axis}"
        if step != 1:
            by = text.passed(f"step{axis}", step)
            tests.append(f"k{axis} % {by} == 0")
            place = f"k{axis} / {by}"
        tests.append(f"{place} < {text.passed(f'until{axis}', cut.length)}")
    if along and place != "0":
        terms.append(f"({place}) * {text.passed(f'v{axis}', along)}")
    return (cut.length - 1) * stride if cut.step < 0 else 0


# ---- index arrays -----------------------------------------------------------------------------------------------


def _copied(x: Operand, index: str) -> Leaf:
    text = Text("copy", index)
    text.array("a0", x.dtype)
    text.array("o0", x.dtype)
    text.loop(x.size)
    places = text.unravel("i", x.shape)
    text.line(f"o0[i] = a0[{text.offset('s', places, x.strides)}];")
    return text.leaf(x.size)


def _target(text: Text, x: Operand, region: Region, places: Sequence[str], indices: Sequence[str]) -> str:
    """Where an element of the region lies in the result, which is in C order."""
    plain = plain_strides(x.shape)
    terms = [text.passed("start", region.offset(plain)), text.offset("s", places, region.strides(plain)),
             text.offset("t", indices, [plain[pick.axis] for pick in region.picks])]
    return " + ".join(t for t in terms if t != "0")


def _each(op: IncSubtensor, x: Operand, y: Operand, arrays: Sequence[Operand], region: Region, index: str) -> Leaf:
    """Every element of the region by a thread of its own: no two name the same."""
    text = Text("set_each" if op.set_instead else "add_each", index)
    text.array("a1", y.dtype)
    text.array("o0", x.dtype)
    count = math.prod(region.shape)
    text.loop(count)
    places = text.unravel("i", region.shape)
    indices = region.picked(text, [places[axis] for axis in region.of_arrays], arrays, 2)
    text.line(f"const {index} at = {_target(text, x, region, places, indices)};")
    value = f"a1[{text.offset('v', places, y.stretched(region.shape))}]"
    text.line(f"o0[at] = {_combined(op, 'o0[at]', value, x, y)};")
    return text.leaf(count)


def _keys(arrays: Sequence[Operand], region: Region, index: str, positions: int) -> Leaf:
    """Which element, or row of elements, each position of the index arrays names, as one number."""
    text = Text("keys", index)
    text.array("w0", "int64")
    text.loop(positions)
    places = text.unravel("i", [region.shape[axis] for axis in region.of_arrays])
    indices = region.picked(text, places, arrays, 2)
    key = f"(long long){indices[0]}"
    for number in range(1, len(indices)):
        key = f"({key}) * l{number} + {indices[number]}"
    text.line(f"w0[i] = {key};")
    return text.leaf(positions)


_MATCHES = """\
bool earlier = false;
for ({I} p = threadIdx.x; p < m; p += {T}) earlier = earlier || w0[p] == key;
if (__syncthreads_or(earlier)) continue;  // the block of the first position that names it does all
for ({I} base = m; base < positions; base += {T}) {{
  const {I} mine = base + threadIdx.x;
  const bool hit = mine < positions && w0[mine] == key;
  const unsigned int lanes = __ballot_sync(0xffffffffu, hit);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (lane == 0) hits[warp] = __popc(lanes);
  __syncthreads();
  int before = 0, total = 0;
  for (int w = 0; w < {W}; w++) {{
    before += w < warp ? hits[w] : 0;
    total += hits[w];
  }}
  if (hit) found[before + __popc(lanes & ((1u << lane) - 1u))] = mine;
  __syncthreads();
  for ({I} c = threadIdx.x; total && c < columns; c += {T}) {{"""

_LAST = """\
bool later = false;
for ({I} p = m + 1 + threadIdx.x; p < positions; p += {T}) later = later || w0[p] == key;
if (__syncthreads_or(later)) continue;  // the last value written stays
{{
  for ({I} c = threadIdx.x; c < columns; c += {T}) {{"""


def _gathered(op: IncSubtensor, x: Operand, y: Operand, region: Region, index: str, positions: int) -> Leaf:
    """One block for each position that is the first (of a sum), or the last (to be set), to name its element."""
    threads = 128
    text = Text("set_last" if op.set_instead else "add_rows", index)
    text.array("a1", y.dtype)
    text.array("o0", x.dtype)
    text.array("w0", "int64")
    others = [region.shape[axis] for axis in region.others]
    count = text.passed("positions", positions)
    text.passed("columns", math.prod(others))
    if not op.set_instead:
        text.line(f"__shared__ int hits[{threads // 32}];")
        text.line(f"__shared__ {index} found[{threads}];")
    text.line(f"for ({index} m = blockIdx.x; m < {count}; m += gridDim.x) {{")
    text.line("const long long key = w0[m];")
    form = _LAST if op.set_instead else _MATCHES
    for line in form.format(I=index, T=threads, W=threads // 32).splitlines():
        text.line(line)
    _row(op, text, x, y, region, others)
    text.line("  }")
    if not op.set_instead:
        text.line("  __syncthreads();")
    text.line("}")
    text.line("}")
    return text.leaf(positions, min(positions, 1 << 16), threads)


def _row(op: IncSubtensor, text: Text, x: Operand, y: Operand, region: Region, others: Sequence[int]) -> None:
    """Statements that write column c of what the key names."""
    rest = text.unravel("c", others, "c", "d")
    places = ["0"] * len(region.shape)
    for axis, name in zip(region.others, rest, strict=True):
        places[axis] = name
    indices: list[str] = []
    key = "key"
    for number in reversed(range(len(region.picks))):
        length = text.passed(f"l{number}", region.picks[number].length)
        if number:
            text.line(f"const long long q{number} = {key} / {length};")
            text.line(f"const {text.index} j{number} = ({text.index})({key} - q{number} * {length});")
            key = f"q{number}"
        else:
            text.line(f"const {text.index} j0 = ({text.index}){key};")
        indices.insert(0, f"j{number}")
    text.line(f"const {text.index} at = {_target(text, x, region, places, indices)};")
    along = y.stretched(region.shape)
    base = text.offset("v", places, along)
    position = "m" if op.set_instead else "found[q]"
    if not op.set_instead:
        text.line(f"{ctype(x.dtype)} sum = o0[at];")
        text.line("for (int q = 0; q < total; q++) {")
    text.line(f"const {text.index} p = {position};")
    of_arrays = text.unravel("p", [region.shape[axis] for axis in region.of_arrays], "y", "b")
    value = f"a1[{base} + {text.offset('u', of_arrays, [along[axis] for axis in region.of_arrays])}]"
    if op.set_instead:
        text.line(f"o0[at] = {_combined(op, '', value, x, y)};")
    else:
        text.line(f"sum = {_combined(op, 'sum', value, x, y)};")
        text.line("}")
        text.line("o0[at] = sum;")


