"""Writing through an index: a copy of an array in which a part is set, or increased; or the array itself.

Where index arrays may name an element several times, each element is written by one block, which adds what belongs to
it in the order of the index arrays, as `numpy.add.at` does. So sums are the same in every run, and those of NumPy.
Few positions are compared with each other. Of many, those that name one element are first brought together: they are
counted, the counts added up, and each position is put into its element's part of a list, in any order; whoever adds
sorts them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from backends.cupy.language.scalars import ctype, expression
from backends.cupy.leaves.cumulative import accumulate
from backends.cupy.leaves.leaf import Leaf, Leaves, Operand, Text, plain_strides
from backends.cupy.leaves.regions import Cut, Region, region_of
from symgraph.scalar import TABLE, cast_to
from symgraph.tensor.subtensor import IncSubtensor

__all__ = ["scatter"]

_FEW = 2048  # positions that are compared with each other
_MOST = 1 << 28  # elements that are counted
_SORTED = 1024  # positions of one element that are sorted in shared memory
_THREADS = 128


def scatter(op: IncSubtensor, operands: Sequence[Operand], *numbers: int, in_place: bool = False,
            guarded: bool = False) -> Leaves:
    """What `IncSubtensor` gives; the operands are x, the value and the index arrays.

    Parameters
    ----------
    op : IncSubtensor
    operands : sequence of Operand
    numbers : int
    in_place : bool
        The result's array, in C order, holds x already.
    guarded : bool
        Nothing is written once the error word is set.
    """
    x, y, *arrays = operands
    region = region_of(op.spec, x, arrays, numbers)
    result = ((x.shape, x.dtype),)
    index = Text.index_for(x.size, x.reach, y.reach, math.prod(region.shape), *(a.reach for a in arrays))
    if not region.picks:
        return Leaves(result, (_each(op, x, y, arrays, region, index, guarded) if in_place
                               else _within(op, x, y, region),))
    copy = () if in_place else (_copied(x, index),)
    positions = math.prod(region.shape[axis] for axis in region.of_arrays)
    elements = math.prod(pick.length for pick in region.picks)
    if op.unique:
        checked = (_keys(arrays, region, index, positions),) if guarded else ()
        return Leaves(result, (*copy, *checked, _each(op, x, y, arrays, region, index, guarded)),
                      (8 * positions,) * len(checked))
    if positions <= _FEW or elements > _MOST or positions >= 1 << 30:
        keys = _keys(arrays, region, index, positions)
        return Leaves(result, (*copy, keys, _compared(op, x, y, region, index, positions, guarded)), (8 * positions,))
    clear, keys = _clear(elements, -1 if op.set_instead else 0), _keys(arrays, region, index, positions, op)
    if op.set_instead:
        return Leaves(result, (*copy, clear, keys, _last(op, x, y, region, index, positions, guarded)),
                      (8 * positions, 4 * elements))
    ends = accumulate("sum", 0, "int32", (Operand.plain((elements,), "int32"),))
    places = {"a0": "w1", "o0": "w2", "w0": "w4", "w1": "w5"}
    scan = [replace(leaf, arguments=tuple(places.get(a, a) if isinstance(a, str) else a for a in leaf.arguments))
            for leaf in ends.launches]
    listed = _listed(op, x, y, region, index, positions, guarded)
    return Leaves(result, (*copy, clear, keys, *scan, _placed(positions), listed),
                  (8 * positions, 4 * elements, 4 * elements, 4 * positions, *ends.scratch))


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


def _each(op: IncSubtensor, x: Operand, y: Operand, arrays: Sequence[Operand], region: Region, index: str,
          guarded: bool) -> Leaf:
    """Every element of the region by a thread of its own: no two name the same."""
    text = Text("set_each" if op.set_instead else "add_each", index)
    text.array("a1", y.dtype)
    text.array("o0", x.dtype)
    count = math.prod(region.shape)
    text.loop(count)
    if guarded:
        text.line(f"if (*{text.failed()}) break;")
    places = text.unravel("i", region.shape)
    indices = region.picked(text, [places[axis] for axis in region.of_arrays], arrays, 2)
    text.line(f"const {index} at = {_target(text, x, region, places, indices)};")
    value = f"a1[{text.offset('v', places, y.stretched(region.shape))}]"
    text.line(f"o0[at] = {_combined(op, 'o0[at]', value, x, y)};")
    return text.leaf(count)


def _keys(arrays: Sequence[Operand], region: Region, index: str, positions: int,
          op: IncSubtensor | None = None) -> Leaf:
    """Which element, or row of elements, each position of the index arrays names, as one number.

    If the operation is given, also how many positions name an element, or the last of them, in ``w1``.
    """
    text = Text("keys", index)
    text.array("w0", "int64")
    text.loop(positions)
    places = text.unravel("i", [region.shape[axis] for axis in region.of_arrays])
    indices = region.picked(text, places, arrays, 2)
    key = f"(long long){indices[0]}"
    for number in range(1, len(indices)):
        key = f"({key}) * l{number} + {indices[number]}"
    text.line(f"const long long key = {key};")
    text.line("w0[i] = key;")
    if op is not None:
        text.array("w1", "int32")
        text.line("atomicMax(&w1[key], (int)i);" if op.set_instead else "atomicAdd(&w1[key], 1);")
    return text.leaf(positions)


def _clear(elements: int, value: int) -> Leaf:
    text = Text("clear")
    text.array("w1", "int32")
    text.loop(elements)
    text.line(f"w1[i] = {value};")
    return text.leaf(elements)


def _placed(positions: int) -> Leaf:
    """Every position into its element's part of a list, from the end on; ``w2`` says where parts begin afterwards."""
    text = Text("placed")
    for place, dtype in (("w0", "int64"), ("w2", "int32"), ("w3", "int32")):
        text.array(place, dtype)
    text.loop(positions)
    text.line("w3[atomicSub(&w2[w0[i]], 1) - 1] = (int)i;")
    return text.leaf(positions)


#: The positions that name an element, from `first` on, in order, so many at a time.
_MATCHES = """\
for ({I} base = {first}; base < positions; base += {T}) {{
const {I} mine = base + threadIdx.x;
const bool hit = mine < positions && w0[mine] == key;
const unsigned int lanes = __ballot_sync(0xffffffffu, hit);
const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
if (lane == 0) hits[warp] = __popc(lanes);
__syncthreads();
int before = 0, total = 0;
for (int w = 0; w < {T} / 32; w++) {{
before += w < warp ? hits[w] : 0;
total += hits[w];
}}
if (hit) found[before + __popc(lanes & ((1u << lane) - 1u))] = (int)mine;
__syncthreads();"""


def _lines(text: Text, block: str, first: str = "") -> None:
    for line in block.format(I=text.index, T=_THREADS, first=first).splitlines():
        text.line(line)


def _begun(op: IncSubtensor, name: str, x: Operand, y: Operand, region: Region, index: str, positions: int,
           guarded: bool) -> Text:
    text = Text(name, index)
    for place, dtype in (("a1", y.dtype), ("o0", x.dtype), ("w0", "int64")):
        text.array(place, dtype)
    text.passed("positions", positions)
    text.passed("columns", math.prod(region.shape[axis] for axis in region.others))
    if guarded:
        text.line(f"if (*{text.failed()}) return;")
    return text


def _columns(op: IncSubtensor, text: Text, x: Operand, y: Operand, region: Region) -> None:
    """Statements by which the threads of a block write what the key names."""
    text.line(f"for ({text.index} c = threadIdx.x; c < columns; c += {_THREADS}) {{")
    _row(op, text, x, y, region)
    text.line("}")


def _compared(op: IncSubtensor, x: Operand, y: Operand, region: Region, index: str, positions: int,
              guarded: bool) -> Leaf:
    """One block for each position that is the first (of a sum), or the last (to be set), to name its element."""
    text = _begun(op, "set_last" if op.set_instead else "add_rows", x, y, region, index, positions, guarded)
    if not op.set_instead:
        text.line(f"__shared__ int hits[{_THREADS // 32}], found[{_THREADS}];")
    text.line(f"for ({index} m = blockIdx.x; m < positions; m += gridDim.x) {{")
    text.line("const long long key = w0[m];")
    text.line("bool other = false;")
    places = ("m + 1 + threadIdx.x", "positions") if op.set_instead else ("threadIdx.x", "m")
    text.line(f"for ({index} p = {places[0]}; p < {places[1]}; p += {_THREADS}) other = other || w0[p] == key;")
    text.line("if (__syncthreads_or(other)) continue;  // the block of another position does it")
    if op.set_instead:
        _columns(op, text, x, y, region)
    else:
        _lines(text, _MATCHES, "m")
        _columns(op, text, x, y, region)
        text.line("__syncthreads();")
        text.line("}")
    text.line("}")
    return text.leaf(positions, min(positions, 1 << 16), _THREADS)


def _last(op: IncSubtensor, x: Operand, y: Operand, region: Region, index: str, positions: int,
          guarded: bool) -> Leaf:
    """One block for each position that is the last to name its element."""
    text = _begun(op, "set_latest", x, y, region, index, positions, guarded)
    text.array("w1", "int32")
    text.line(f"for ({index} m = blockIdx.x; m < positions; m += gridDim.x) {{")
    text.line("const long long key = w0[m];")
    text.line("if (w1[key] != m) continue;")
    _columns(op, text, x, y, region)
    text.line("}")
    return text.leaf(positions, min(positions, 1 << 16), _THREADS)


def _listed(op: IncSubtensor, x: Operand, y: Operand, region: Region, index: str, positions: int,
            guarded: bool) -> Leaf:
    """One block for each element that is named; its positions are sorted, or, of too many, sought in order."""
    text = _begun(op, "add_listed", x, y, region, index, positions, guarded)
    for place in ("w1", "w2", "w3"):
        text.array(place, "int32")
    elements = math.prod(pick.length for pick in region.picks)
    count = text.passed("elements", elements)
    text.line(f"__shared__ int hits[{_THREADS // 32}], found[{max(_SORTED, _THREADS)}];")
    text.line(f"for ({index} key = blockIdx.x; key < {count}; key += gridDim.x) {{")
    text.line("const int named = w1[key], start_of = w2[key];")
    text.line("if (named == 0) continue;")
    text.line(f"if (named <= {_SORTED}) {{")
    text.line("const int total = named;")
    text.line(f"for (int e = threadIdx.x; e < total; e += {_THREADS}) {{")
    text.line("const int mine = w3[start_of + e];")
    text.line("int rank = 0;")
    text.line("for (int o = 0; o < total; o++) rank += w3[start_of + o] < mine;")
    text.line("found[rank] = mine;")
    text.line("}")
    text.line("__syncthreads();")
    _columns(op, text, x, y, region)
    text.line("} else {")
    _lines(text, _MATCHES, "0")
    _columns(op, text, x, y, region)
    text.line("__syncthreads();")
    text.line("}")
    text.line("}")
    text.line("__syncthreads();")
    text.line("}")
    return text.leaf(elements, min(elements, 1 << 16), _THREADS)


def _row(op: IncSubtensor, text: Text, x: Operand, y: Operand, region: Region) -> None:
    """Statements that write column c of what the key names."""
    rest = text.unravel("c", [region.shape[axis] for axis in region.others], "c", "d")
    places = ["0"] * len(region.shape)
    for axis, name in zip(region.others, rest, strict=True):
        places[axis] = name
    indices: list[str] = []
    key = "(long long)key"
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


