"""Arrays made of others, or of nothing, element by element: joins, vectors of numbers, the identity matrix, copies."""

from __future__ import annotations

import math
from collections.abc import Sequence

from backends.cupy.language.scalars import ctype, expression, literal
from backends.cupy.leaves.leaf import Leaf, Leaves, Operand, Text, collapsed
from symgraph.scalar import TABLE, cast_to

__all__ = ["copy", "eye", "join", "make_vector", "stretch", "sum_to"]

_TILE = 32
_ROWS = 8  # threads of a tile's other side


def _cast(text: str, source: str, target: str) -> str:
    return expression(cast_to(target), [text], [source])


def copy(operands: Sequence[Operand]) -> Leaves:
    """An array in C order with the elements of one of any strides.

    Where neighbours in the source are not neighbours in the result, squares of both are read and written in rows, by
    way of shared memory.
    """
    x, = operands
    shape, (strides,) = collapsed(x.shape, x.strides)
    fast = min(range(len(shape)), key=lambda axis: abs(strides[axis]) or 1 << 62, default=0)
    turned = len(shape) > 1 and fast != len(shape) - 1 and min(shape[fast], shape[-1]) >= _ROWS
    launch = _tiled(x, shape, strides, fast) if turned else _in_order(x, shape, strides)
    return Leaves(((x.shape, x.dtype),), (launch,))


def _in_order(x: Operand, shape: Sequence[int], strides: Sequence[int]) -> Leaf:
    text = Text("copy", Text.index_for(x.size, x.reach))
    text.array("a0", x.dtype)
    text.array("o0", x.dtype)
    text.loop(x.size)
    places = text.unravel("i", shape)
    text.line(f"o0[i] = a0[{text.offset('s', places, strides)}];")
    return text.leaf(x.size)


def _tiled(x: Operand, shape: Sequence[int], strides: Sequence[int], fast: int) -> Leaf:
    """A tile of the axis that is fast in the source and the last one, which is fast in the result, per block."""
    text = Text("transpose", Text.index_for(x.size, x.reach))
    source, target = text.array("a0", x.dtype), text.array("o0", x.dtype)
    outer = [axis for axis in range(len(shape) - 1) if axis != fast]
    across, down = -(-shape[-1] // _TILE), -(-shape[fast] // _TILE)
    tiles = across * down * math.prod(shape[axis] for axis in outer)
    count, wide, high = text.passed("tiles", tiles), text.passed("across", across), text.passed("down", down)
    columns, rows = text.passed("columns", shape[-1]), text.passed("rows", shape[fast])
    out = [math.prod(shape[axis + 1:]) for axis in range(len(shape))]
    text.line(f"__shared__ {ctype(x.dtype)} tile[{_TILE}][{_TILE + 1}];")
    text.line(f"const int tx = threadIdx.x % {_TILE}, ty = threadIdx.x / {_TILE};")
    text.line(f"for ({text.index} t = blockIdx.x; t < {count}; t += gridDim.x) {{")
    text.line(f"const {text.index} c0 = t % {wide} * {_TILE}, r0 = t / {wide} % {high} * {_TILE};")
    text.line(f"const {text.index} rest = t / {wide} / {high};")
    places = text.unravel("rest", [shape[axis] for axis in outer], "u", "m")
    base = text.offset("s", places, [strides[axis] for axis in outer])
    begin = text.offset("z", places, [out[axis] for axis in outer])
    fast_step, last_step = text.passed("fast", strides[fast]), text.passed("last", strides[-1])
    step = text.passed("row", out[fast])
    text.line(f"for (int k = ty; k < {_TILE}; k += {_ROWS})")
    text.line(f"  if (r0 + tx < {rows} && c0 + k < {columns})")
    text.line(f"    tile[k][tx] = {source}[{base} + (r0 + tx) * {fast_step} + (c0 + k) * {last_step}];")
    text.line("__syncthreads();")
    text.line(f"for (int k = ty; k < {_TILE}; k += {_ROWS})")
    text.line(f"  if (c0 + tx < {columns} && r0 + k < {rows})")
    text.line(f"    {target}[{begin} + (r0 + k) * {step} + c0 + tx] = tile[tx][k];")
    text.line("__syncthreads();")
    text.line("}")
    return text.leaf(tiles, min(tiles, 1 << 16), _TILE * _ROWS)


def join(axis: int, dtype: str, operands: Sequence[Operand]) -> Leaves:
    """Arrays put end to end along an axis, in one launch.

    Raises
    ------
    ValueError
        When their other lengths differ.
    """
    shape = list(operands[0].shape)
    for operand in operands[1:]:
        for other, (mine, theirs) in enumerate(zip(shape, operand.shape, strict=True)):
            if other != axis and mine != theirs:
                raise ValueError(f"arrays of lengths {mine} and {theirs} along axis {other} cannot be joined along "
                                 f"axis {axis}: the other lengths must be equal")
    shape[axis] = sum(operand.shape[axis] for operand in operands)
    count = math.prod(shape)
    text = Text("join", Text.index_for(count, *(o.reach for o in operands)))
    for number, operand in enumerate(operands):
        text.array(f"a{number}", operand.dtype)
    text.array("o0", dtype)
    text.loop(count)
    places = text.unravel("i", shape)
    at, begin = places[axis], 0
    for number, operand in enumerate(operands):
        here = [*places[:axis], "j" if shape[axis] != 1 else "0", *places[axis + 1:]]
        first = text.passed(f"b{number}", begin)
        begin += operand.shape[axis]
        last = number == len(operands) - 1
        test = "" if last else f"if ({at} < {text.passed(f'e{number}', begin)}) "
        value = f"a{number}[{text.offset(f's{number}_', here, operand.strides)}]"
        text.line(f"{test}{{ const {text.index} j = {at} - {first}; o0[i] = {_cast(value, operand.dtype, dtype)}; "
                  f"{'' if last else 'continue; '}}}")
    return Leaves(((tuple(shape), dtype),), (text.leaf(count),))


def make_vector(dtype: str, operands: Sequence[Operand]) -> Leaves:
    """Single numbers as a vector."""
    text = Text("make_vector")
    for number, operand in enumerate(operands):
        text.array(f"a{number}", operand.dtype)
    text.array("o0", dtype)
    for number, operand in enumerate(operands):
        text.line(f"if (threadIdx.x == {number % 32}) o0[{number}] = {_cast(f'a{number}[0]', operand.dtype, dtype)};")
    return Leaves((((len(operands),), dtype),), (text.leaf(1, 1, 32),))


def eye(dtype: str, operands: Sequence[Operand], rows: int, columns: int, offset: int) -> Leaves:
    """Ones on a diagonal, zeros elsewhere.

    Raises
    ------
    ValueError
        For a negative length.
    """
    if min(rows, columns) < 0:
        raise ValueError("negative dimensions are not allowed")
    text = Text("eye", "long long")
    text.array("o0", dtype)
    text.loop(rows * columns)
    wide, k = text.passed("columns", columns), text.passed("offset", offset)
    text.line(f"o0[i] = i % {wide} == i / {wide} + {k} ? {literal(1, dtype)} : {literal(0, dtype)};")
    return Leaves((((rows, columns), dtype),), (text.leaf(rows * columns),))


def stretch(operands: Sequence[Operand], *lengths: int) -> Leaves:
    """An array repeated along its axes of length 1.

    Raises
    ------
    ValueError
        When another axis has not the length wanted.
    """
    x, = operands
    extra = len(lengths) - len(x.shape)
    if extra < 0 or any(mine not in (1, n) for mine, n in zip(x.shape, lengths[extra:], strict=True)):
        raise ValueError(f"an array of shape {x.shape} cannot be stretched to {lengths}: only axes of length 1 can")
    found = Operand(lengths, x.stretched(lengths), x.dtype)
    return Leaves(((lengths, x.dtype),), (_in_order(found, lengths, found.strides),))


def sum_to(operands: Sequence[Operand], *lengths: int) -> Leaves:
    """The transpose of stretching: sums over the axes that were stretched. A block adds what one result takes."""
    x, = operands
    extra = len(x.shape) - len(lengths)
    reduced = [axis for axis, n in enumerate(x.shape) if axis < extra or (lengths[axis - extra] == 1 != n)]
    kept = [axis for axis in range(len(x.shape)) if axis not in reduced]
    wide = "float32" if x.dtype == "float16" else x.dtype
    results, each = (math.prod(x.shape[axis] for axis in axes) for axes in (kept, reduced))
    text = Text("sum_to", Text.index_for(x.size, x.reach))
    text.array("a0", x.dtype)
    text.array("o0", x.dtype)
    threads = 32 if each <= 256 else 256
    text.line(f"__shared__ {ctype(wide)} parts[{threads}];")
    text.line(f"for ({text.index} i = blockIdx.x; i < {text.passed('results', results)}; i += gridDim.x) {{")
    outer = text.unravel("i", [x.shape[axis] for axis in kept], "u", "m")
    begin = text.offset("s", outer, [x.strides[axis] for axis in kept])
    text.line(f"{ctype(wide)} sum = {literal(0, wide)};")
    text.line(f"for ({text.index} k = threadIdx.x; k < {text.passed('each', each)}; k += {threads}) {{")
    inner = text.unravel("k", [x.shape[axis] for axis in reduced], "v", "n")
    at = f"{begin} + {text.offset('t', inner, [x.strides[axis] for axis in reduced])}"
    add = TABLE["or_" if wide == "bool" else "add"]
    text.line(f"sum = {expression(add, ['sum', f'a0[{at}]'], [wide, x.dtype], wide)};")
    text.line("}")
    text.line("parts[threadIdx.x] = sum;")
    text.line("__syncthreads();")
    text.line(f"for (int d = {threads // 2}; d; d /= 2) {{")
    both = expression(add, ["parts[threadIdx.x]", "parts[threadIdx.x + d]"], [wide] * 2, wide)
    text.line(f"if (threadIdx.x < d) parts[threadIdx.x] = {both};")
    text.line("__syncthreads();")
    text.line("}")
    text.line(f"if (threadIdx.x == 0) o0[i] = {_cast('parts[0]', wide, x.dtype)};")
    text.line("__syncthreads();")
    text.line("}")
    return Leaves(((tuple(lengths), x.dtype),), (text.leaf(0, min(results, 1 << 16), threads),))
