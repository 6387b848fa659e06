"""Products of matrices as jobs, in CUDA C: a block for a tile of the result.

A tile's rows of the one factor and columns of the other pass through shared memory, some of them at a time; what comes
before a factor, element by element, is computed when it is loaded, and what comes after the product when it is stored.
A tile is made by one or several *slices* of the block's threads, each of which sums up another part of the inner axis;
their sums are added in order. So small products, as in a training step of a small network, occupy the whole device
although their results are few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backends.cupy.elements import Emitter, Params
from backends.cupy.loops import THREADS, Part, Trace, along
from backends.cupy.scalars import ctype, expression, literal
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
        Elements of the inner axis that a slice takes through shared memory at a time.
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
)


def choose_tiling(m: int, n: int, k: int, multiprocessors: int) -> Tiling:
    """The tiling with which a product should take the least time.

    A block takes as long as the elements of its tile, with what of it lies outside the result, times the inner length
    of a slice; and loads as many as it has rows and columns. Blocks beyond what runs at once come in rounds.

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
        rounds = max(1.0, blocks / (2 * multiprocessors))
        steps = -(-k // (tiling.slices * tiling.depth)) * tiling.depth
        multiplied = steps * tiling.own_rows * tiling.own_columns
        loaded = steps * tiling.slices * (tiling.rows + tiling.columns) / THREADS
        read = steps * (tiling.own_rows + tiling.own_columns)
        return rounds * (multiplied + 4 * loaded + read + 60)

    return min(TILINGS, key=cost)


class _Product:
    def __init__(self, job: Job, params: Params, prefix: str, multiprocessors: int) -> None:
        self.job, self.params = job, params
        (self.item,) = job.anchors
        self.a, self.b = self.item.inputs
        (self.m, self.k), (_, self.n) = params.shapes[self.a], params.shapes[self.b]
        self.tiling = choose_tiling(self.m, self.n, self.k, multiprocessors)
        self.emitter = Emitter(job.items, params, prefix)
        dtype = self.item.output.type.dtype
        self.wide = "float32" if dtype == "float16" else dtype
        self.kind = ctype(self.wide)

    def write(self) -> Part:
        """The text."""
        emit, tiling, index = self.emitter, self.tiling, self.params.index
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
        inside = tiling.depth * tiling.slices
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

    def _inner_first(self, operand: int) -> bool:
        """Whether the elements of a factor lie side by side along the inner axis."""
        variable, inner = (self.a, 1) if operand == 0 else (self.b, 0)
        trace = Trace(self.job, self.params, ("outer", "inner"))
        trace.emitter.value(variable, ("outer", "inner") if inner else ("inner", "outer"))
        moving = [strides for strides in trace.reads.values() if all(strides)]
        return bool(moving) and moving[0][1] == 1

    def _load(self, operand: int) -> None:
        """Bring a part of a factor into shared memory; neighbours among the threads load neighbours."""
        emit, tiling, index = self.emitter, self.tiling, self.params.index
        inside = tiling.depth * tiling.slices
        width = tiling.columns if operand else tiling.rows
        variable, name = (self.b, "right") if operand else (self.a, "left")
        first, limit = ("n0", self.columns) if operand else ("m0", self.rows)
        emit.line("#pragma unroll")
        with emit.block(f"for (int e = t; e < {inside * width}; e += {THREADS})"):
            if self._inner_first(operand):
                emit.line(f"const int p = e % {inside}, q = e / {inside};")
            else:
                emit.line(f"const int p = e / {width}, q = e % {width};")
            emit.line(f"const {index} k = k0 + p, o = {first} + q;")
            emit.line(f"{self.kind} value = {literal(0, self.wide)};")
            with emit.block(f"if (k < {self.inner} && o < {limit})"):
                value = emit.value(variable, ("k", "o") if operand else ("o", "k"))
                emit.line(f"value = {expression(cast_to(self.wide), [value], [variable.type.dtype])};")
            emit.line(f"{name}[p][q] = value;")

    def _go_through(self) -> None:
        """Along the inner axis, some elements at a time."""
        emit, tiling = self.emitter, self.tiling
        inside = tiling.depth * tiling.slices
        with emit.block(f"for ({self.params.index} k0 = 0; k0 < {self.inner}; k0 += {inside})"):
            self._load(0)
            self._load(1)
            emit.line("__syncthreads();")
            emit.line("#pragma unroll")
            with emit.block(f"for (int p = slice * {tiling.depth}; p < slice * {tiling.depth} + {tiling.depth}; ++p)"):
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
                    for variable in self.job.outputs:
                        place = along(variable, places)
                        emit.store(variable, emit.offset(variable, place), emit.value(variable, place))


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
