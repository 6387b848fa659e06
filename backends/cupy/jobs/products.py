"""Products of matrices as jobs, in CUDA C: a block for a tile of the result.

A tile's rows of the one factor and columns of the other pass through shared memory, some of them at a time; what comes
before a factor, element by element, is computed when it is loaded, and what comes after the product when it is stored.
A tile is made by one or several *slices* of the block's threads, each of which sums up another part of the inner axis;
their sums are added in order. So small products, as in a training step of a small network, occupy the whole device
although their results are few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backends.cupy.jobs.elements import Emitter, Index, Params
from backends.cupy.jobs.loops import THREADS, Part, Trace, along
from backends.cupy.language.scalars import ctype, expression, literal
from symgraph.graph.basic import Variable
from symgraph.plan.jobs import Job
from symgraph.scalar import TABLE, cast_to

__all__ = ["TILINGS", "Tiling", "choose_tiling", "write_product"]


@dataclass(frozen=True)
class Tiling:
    """How a product is cut.

    Attributes
    ----------
    rows, columns : int
        Of the result, in a tile.
    own_rows, own_columns : int
        Of a tile, that one thread computes.
    depth : int
        Elements of the inner axis that a slice takes through shared memory at a time, at least.
    """

    rows: int
    columns: int
    own_rows: int
    own_columns: int
    depth: int

    @property
    def threads(self) -> int:
        """Of a slice."""
        return (self.rows // self.own_rows) * (self.columns // self.own_columns)

    @property
    def slices(self) -> int:
        """Of a block."""
        return THREADS // self.threads

    def depth_for(self, k: int, size: int, alone: bool) -> int:
        """The elements of the inner axis that a slice takes at a time.

        A block that is alone on its multiprocessor has nothing to do while it waits for memory, so it asks for as much
        at a time as there is room for.

        Parameters
        ----------
        k : int
            The inner length.
        size : int
            The bytes of an element.
        alone : bool
        """
        step = max(4, 32 // self.slices)  # what is taken at a time is a multiple of 32
        most = _ROOM // (size * (self.rows + self.columns + 8) * self.slices) // step * step
        if not alone or most <= self.depth:
            return self.depth
        rounds = max(1, -(-k // (self.slices * most)))
        share = -(-k // (self.slices * rounds))
        return min(most, max(self.depth, -(-share // step) * step))


#: From large tiles, which read least, to small ones, which occupy the device with small products.
TILINGS = (
    Tiling(64, 64, 4, 4, 16),
    Tiling(32, 64, 2, 4, 16),
    Tiling(32, 32, 2, 4, 16),
    Tiling(32, 32, 4, 4, 8),
    Tiling(32, 16, 4, 4, 8),
    Tiling(16, 32, 4, 4, 8),
    Tiling(32, 8, 4, 2, 8),
    Tiling(16, 16, 2, 4, 8),
    Tiling(8, 32, 2, 4, 8),
    Tiling(32, 4, 4, 1, 8),
)
_PACK = 4           # elements that a thread loads at once
_ROOM = 44 * 1024   # bytes of shared memory for what is taken at a time
_LATENCY = 900      # cycles of a round through shared memory, where a block is alone


def choose_tiling(m: int, n: int, k: int, multiprocessors: int) -> Tiling:
    """The tiling with which a product should take the least time.

    A thread multiplies as many elements as it has, for each step of its slice; it loads its share of the tile's rows
    and columns; and it waits for memory in every round. Blocks beyond what runs at once come in waves.

    Parameters
    ----------
    m, n, k : int
        The result's rows and columns, and the inner length.
    multiprocessors : int

    Examples
    --------
    >>> choose_tiling(4096, 4096, 512, 132).rows
    64
    """

    def cost(tiling: Tiling) -> float:
        blocks = -(-m // tiling.rows) * -(-n // tiling.columns)
        alone = blocks <= 2 * multiprocessors
        depth = tiling.depth_for(k, 4, alone)
        rounds = -(-k // (tiling.slices * depth))
        steps = rounds * depth
        multiplied = steps * (2 * tiling.own_rows * tiling.own_columns + tiling.own_rows + tiling.own_columns)
        loaded = 4 * steps * tiling.slices * (tiling.rows + tiling.columns) / THREADS
        waves = max(1.0, blocks / (2 * multiprocessors))
        return waves * (multiplied + loaded + rounds * (_LATENCY if alone else _LATENCY / 6) + 60 * tiling.slices)

    return min(TILINGS, key=cost)


class _Product:
    def __init__(self, job: Job, params: Params, prefix: str, multiprocessors: int) -> None:
        self.job, self.params = job, params
        (self.item,) = job.anchors
        self.a, self.b = self.item.inputs
        (self.m, self.k), (_, self.n) = params.shapes[self.a], params.shapes[self.b]
        self.tiling = tiling = choose_tiling(self.m, self.n, self.k, multiprocessors)
        self.emitter = Emitter(job.items, params, prefix)
        dtype = self.item.output.type.dtype
        self.wide = "float32" if dtype == "float16" else dtype
        self.kind = ctype(self.wide)
        blocks = -(-self.m // tiling.rows) * -(-self.n // tiling.columns)
        self.depth = tiling.depth_for(self.k, np.dtype(self.wide).itemsize, blocks <= 2 * multiprocessors)
        self.packed: dict[tuple[Variable, Index], str] = {}
        self.emitter.loader = lambda variable, index: self.packed.get((variable, index))

    def write(self) -> Part:
        """The text."""
        emit, tiling, index = self.emitter, self.tiling, self.params.index
        emit.hoist()
        across = -(-self.n // tiling.columns)
        blocks = max(1, -(-self.m // tiling.rows) * across)
        tiles = self.params.fresh("n_across", max(across, 1))
        self.rows, self.columns = (self.params.fresh(s, v) for s, v in (("n_m", self.m), ("n_n", self.n)))
        self.inner = self.params.fresh("n_k", self.k)
        emit.line(f"const {index} m0 = ({index})(block / {tiles}) * {tiling.rows}, "
                  f"n0 = ({index})(block % {tiles}) * {tiling.columns};")
        emit.line(f"const int slice = t / {tiling.threads}, mine = t % {tiling.threads};")
        emit.line(f"const int i0 = mine / {tiling.columns // tiling.own_columns} * {tiling.own_rows}, "
                  f"j0 = mine % {tiling.columns // tiling.own_columns} * {tiling.own_columns};")
        self._rooms()
        emit.line(f"{self.kind} sum[{tiling.own_rows}][{tiling.own_columns}];")
        self._each(f"sum[i][j] = {literal(0, self.wide)};")
        self._go_through()
        if tiling.slices > 1:
            self._add_slices()
        self._finish()
        return Part(emit.lines, blocks, self._bytes())

    # ---- shared memory: rows of a and columns of b, the inner axis first, a little apart ---------------------

    @property
    def _sizes(self) -> tuple[int, int]:
        tiling = self.tiling
        inside = self.depth * tiling.slices
        return inside * (tiling.rows + 4), inside * (tiling.columns + 4)

    def _bytes(self) -> int:
        size = np.dtype(self.wide).itemsize
        tiling = self.tiling
        sums = (tiling.slices - 1) * tiling.rows * tiling.columns if tiling.slices > 1 else 0
        return max(sum(self._sizes), sums) * size

    def _rooms(self) -> None:
        emit, tiling = self.emitter, self.tiling
        emit.line(f"{self.kind} (*const left)[{tiling.rows + 4}] = ({self.kind} (*)[{tiling.rows + 4}])shared;")
        emit.line(f"{self.kind} (*const right)[{tiling.columns + 4}] = ({self.kind} (*)[{tiling.columns + 4}])"
                  f"(({self.kind} *)shared + {self._sizes[0]});")

    def _each(self, *texts: str) -> None:
        """Do something for all elements a thread has."""
        emit = self.emitter
        for name, count in (("i", self.tiling.own_rows), ("j", self.tiling.own_columns)):
            emit.line("#pragma unroll")
            emit.line(f"for (int {name} = 0; {name} < {count}; ++{name}) {{")
            emit.depth += 1
        for text in texts:
            emit.line(text)
        for _ in range(2):
            emit.depth -= 1
            emit.line("}")

    def _lies(self, operand: int) -> tuple[bool, list[tuple[Variable, Index]]]:
        """Whether the elements of a factor lie side by side along the inner axis; and what of it can be loaded in
        packs of 4 along the axis on which they do."""
        variable, places = (self.b, ("k", "o")) if operand else (self.a, ("o", "k"))
        trace = Trace(self.job, self.params, ("o", "k"))
        trace.emitter.value(variable, places)
        inner = next((s[1] == 1 for s in trace.reads.values() if all(s)), False)
        fast, slow = (1, 0) if inner else (0, 1)
        length = self.k if inner else (self.n if operand else self.m)
        moving = [key for key, strides in trace.reads.items() if strides[fast]]
        packs = trace.plain and length % _PACK == 0 and all(
            self.params.layouts[v].aligned and np.dtype(v.type.dtype).itemsize * _PACK <= 16
            and v not in self.job.items  # nor random numbers, which are no memory
            and trace.reads[v, i][fast] == 1 and trace.reads[v, i][slow] % _PACK == 0 for v, i in moving)
        return inner, moving if packs else []

    def _load(self, operand: int) -> None:
        """Bring a part of a factor into shared memory; neighbours among the threads load neighbours."""
        emit, index, inside = self.emitter, self.params.index, self.depth * self.tiling.slices
        width = self.tiling.columns if operand else self.tiling.rows
        variable, name = (self.b, "right") if operand else (self.a, "left")
        first, limit = ("n0", self.columns) if operand else ("m0", self.rows)
        inner, packs = self._lies(operand)
        some = _PACK if packs else 1
        emit.line("#pragma unroll")
        with emit.block(f"for (int e = t; e < {inside * width // some}; e += {THREADS})"):
            if inner:  # up to 8 neighbours along the inner axis, then the next row, to write to different banks
                near = math.gcd(8, inside // some)
                emit.line(f"const int p = (e / {near * width} * {near} + e % {near}) * {some}, "
                          f"q = e / {near} % {width};")
            else:
                emit.line(f"const int p = e / {width // some}, q = e % {width // some} * {some};")
            emit.line(f"const {index} k = k0 + p, o = {first} + q;")
            kind = f"sg_pack<{self.kind}, {some}>"
            emit.line(f"{kind} value;")
            emit.line(f"for (int u = 0; u < {some}; ++u) value.at[u] = {literal(0, self.wide)};")
            with emit.block(f"if (k < {self.inner} && o < {limit})"):
                self._take_packs(packs)
                emit.line("#pragma unroll")
                with emit.block(f"for (int u = 0; u < {some}; ++u)"):
                    value = emit.value(variable, ("k", "o") if operand else ("o", "k"))
                    emit.line(f"value.at[u] = {expression(cast_to(self.wide), [value], [variable.type.dtype])};")
            self.packed.clear()
            if inner:
                emit.line(f"for (int u = 0; u < {some}; ++u) {name}[p + u][q] = value.at[u];")
            else:
                emit.line(f"*({kind} *)({name}[p] + q) = value;")

    def _take_packs(self, packs: Sequence[tuple[Variable, Index]]) -> None:
        for variable, index in packs:
            name, kind = self.emitter.name("q"), f"sg_pack<{ctype(variable.type.dtype)}, {_PACK}>"
            place = self.emitter.offset(variable, index)
            self.emitter.line(f"const {kind} {name} = *(const {kind} *)({self.params.names[variable]} + {place});")
            self.packed[variable, index] = f"{name}.at[u]"

    def _go_through(self) -> None:
        """Along the inner axis, some elements at a time."""
        emit, tiling = self.emitter, self.tiling
        inside = self.depth * tiling.slices
        with emit.block(f"for ({self.params.index} k0 = 0; k0 < {self.inner}; k0 += {inside})"):
            self._load(0)
            self._load(1)
            emit.line("__syncthreads();")
            emit.line("#pragma unroll 8")
            with emit.block(f"for (int p = slice * {self.depth}; p < slice * {self.depth} + {self.depth}; ++p)"):
                self._take("x", "left[p] + i0", tiling.own_rows)
                self._take("y", "right[p] + j0", tiling.own_columns)
                kinds = [self.wide, self.wide]
                term = expression(TABLE["mul"], ["x.at[i]", "y.at[j]"], kinds, self.wide)
                self._each(f"sum[i][j] = {expression(TABLE['add'], ['sum[i][j]', term], kinds, self.wide)};")
            emit.line("__syncthreads();")

    def _take(self, name: str, place: str, count: int) -> None:
        """Some elements that lie side by side in shared memory, with as few loads as possible."""
        kind = f"sg_pack<{self.kind}, {count}>"
        if count * np.dtype(self.wide).itemsize <= 16:
            self.emitter.line(f"const {kind} {name} = *(const {kind} *)({place});")
            return
        self.emitter.line(f"{kind} {name};")
        self.emitter.line("#pragma unroll")
        self.emitter.line(f"for (int e = 0; e < {count}; ++e) {name}.at[e] = ({place})[e];")

    def _add_slices(self) -> None:
        """Add the sums of the slices, in order, in the first one's threads."""
        emit, tiling = self.emitter, self.tiling
        size = tiling.rows * tiling.columns
        place = f"(i0 + i) * {tiling.columns} + j0 + j"
        emit.line(f"{self.kind} *const sums = ({self.kind} *)shared;")
        with emit.block("if (slice > 0)"):
            self._each(f"sums[(slice - 1) * {size} + {place}] = sum[i][j];")
        emit.line("__syncthreads();")
        emit.line("if (slice > 0) return;")
        with emit.block(f"for (int s = 0; s < {tiling.slices - 1}; ++s)"):
            kinds = [self.wide, self.wide]
            self._each("sum[i][j] = "
                       f"{expression(TABLE['add'], ['sum[i][j]', f'sums[s * {size} + {place}]'], kinds, self.wide)};")

    def _finish(self) -> None:
        """What follows the product, element by element."""
        emit, tiling, index = self.emitter, self.tiling, self.params.index
        out = self.item.output
        emit.line("#pragma unroll")
        with emit.block(f"for (int i = 0; i < {tiling.own_rows}; ++i)"):
            emit.line("#pragma unroll")
            with emit.block(f"for (int j = 0; j < {tiling.own_columns}; ++j)"):
                emit.line(f"const {index} m = m0 + i0 + i, n = n0 + j0 + j;")
                with emit.block(f"if (m < {self.rows} && n < {self.columns})"):
                    places = [p for p, known in zip("mn", out.type.shape, strict=True) if known != 1]
                    value = expression(cast_to(out.type.dtype), ["sum[i][j]"], [self.wide])
                    emit.known(out, along(out, places), emit.let(out.type.dtype, value))
                    emit.store_all([(v, along(v, places)) for v in self.job.outputs], emit.offset)


def write_product(job: Job, params: Params, prefix: str, multiprocessors: int) -> Part:
    """The text of a product, with what goes before and after it.

    Parameters
    ----------
    job : Job
    params : Params
    prefix : str
        Of the names of its C variables.
    multiprocessors : int
    """
    return _Product(job, params, prefix, multiprocessors).write()
