"""Jobs built around one reduction, in CUDA C.

The threads of a block are laid out along the axes that stay and the axes that are reduced, so that neighbours read
neighbours. Each goes through its share of the reduced elements in order; then the shares are combined in a tree of
fixed shape. Where there are few results and many elements, several blocks share a result: each leaves what it has, and
the last to come combines all in order of the blocks. So the same sizes on the same device give the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from backends.cupy.jobs.elements import Emitter, Index, Params
from backends.cupy.jobs.folds import Accumulator
from backends.cupy.jobs.loops import THREADS, Part, Trace, along, collapse
from symgraph.graph.basic import Variable
from symgraph.plan.items import Fold
from symgraph.plan.jobs import Job

__all__ = ["write_last", "write_reduction"]

_BLOCKS = 8     # of a multiprocessor
_SHARE = 16     # elements of a thread, below which no more blocks take part
_MOST_CHUNKS = 2048
_LITTLE = 65536  # elements


@dataclass(frozen=True)
class _Grid:
    """How threads are laid out.

    Attributes
    ----------
    results, shares : int
        Threads along the axes that stay and along those that are reduced; together `THREADS`.
    along_reduced : bool
        Whether neighbours read along the reduced axes.
    tiles, chunks : int
        Blocks along them.
    """

    results: int
    shares: int
    along_reduced: bool
    tiles: int
    chunks: int


def _power(n: int, most: int) -> int:
    """The least power of two that is not below n, at most `most`."""
    return min(1 << max(n - 1, 0).bit_length(), most)


class _Reduction:
    def __init__(self, job: Job, params: Params, prefix: str, multiprocessors: int) -> None:
        self.job, self.params, self.multiprocessors = job, params, multiprocessors
        (self.item,) = job.anchors
        assert isinstance(self.item.meaning, Fold)
        self.fold = self.item.meaning
        (self.x,) = self.item.inputs
        shape = params.shapes[self.x]
        self.kept = [axis for axis, n in enumerate(self.x.type.shape) if axis not in self.fold.axes and n != 1]
        self.reduced = [axis for axis in self.fold.axes if self.x.type.shape[axis] != 1]
        self.results = math.prod(shape[axis] for axis in self.kept)
        self.elements = math.prod(shape[axis] for axis in self.reduced)
        self.accumulator = Accumulator(self.fold, self.x.type.dtype)
        self.emitter = Emitter(job.items, params, prefix)
        self.emitter.locate, self.emitter.loader = self.locate, self.load
        self._merge(shape)
        self.grid = self._grid()

    def _merge(self, shape: tuple[int, ...]) -> None:
        """Find which reduced axes can be gone through as one."""
        places = [f"k{i}" for i in range(len(self.kept))] + [f"r{i}" for i in range(len(self.reduced))]
        order = [*self.kept, *self.reduced]
        self.index: Index = tuple(
            places[order.index(axis)] if axis in order else "0" for axis in range(len(shape)))
        self.trace = Trace(self.job, self.params, places)
        self.trace.emitter.value(self.x, self.index)
        self.strides = {key: s[len(self.kept):] for key, s in self.trace.reads.items()}
        lengths = [shape[axis] for axis in self.reduced]
        self.groups = collapse(lengths, list(self.strides.values()), () if self.trace.plain else range(len(lengths)))
        self.merged = [math.prod(lengths[a] for a in group) for group in self.groups]
        self.places: list[str] = []

    def locate(self, variable: Variable, index: Index) -> str:
        """The place of an element, by the places along the merged axes."""
        emit, strides = self.emitter, self.strides.get((variable, index))
        if strides is None or len(self.groups) == len(self.reduced) or all(place.isdigit() for place in index):
            return emit.offset(variable, index)
        name = self.params.names[variable]
        kept = emit.offset(variable, tuple("0" if place.startswith("r") else place for place in index))
        parts = [kept] if kept != "0" else []
        parts += [emit.scaled(place, f"{emit.prefix}{name}_{'x'.join(index)}_{i}", strides[group[-1]])
                  for i, (place, group) in enumerate(zip(self.places, self.groups, strict=True)) if strides[group[-1]]]
        return " + ".join(parts) or "0"

    def load(self, variable: Variable, index: Index) -> str | None:
        """What other blocks of the same kernel have left."""
        if self.job.behind is None or variable not in self.job.behind.kept:
            return None
        return f"sg_fresh({self.params.names[variable]} + {self.emitter.locate(variable, index)})"

    def _grid(self) -> _Grid:
        last_kept, last_reduced = len(self.kept) - 1, len(self.trace.places) - 1
        by_kept = sum(bool(self.kept) and s[last_kept] == 1 for s in self.trace.reads.values())
        by_reduced = sum(bool(self.reduced) and s[last_reduced] == 1 for s in self.trace.reads.values())
        # Little memory is in the cache, so that it matters less who reads what than how many read at once.
        few = self.results * self.elements <= _LITTLE and self.results <= _BLOCKS * self.multiprocessors
        along_reduced = by_reduced >= by_kept or few
        if along_reduced:
            enough = self.results >= 4 * self.multiprocessors
            shares = _power(self.elements, 32 if enough and self.elements < 1024 else THREADS)
        else:
            shares = THREADS // _power(self.results, 32 if self.elements >= 8 else THREADS)
        results = THREADS // shares
        tiles = max(1, -(-self.results // results))
        most = max(1, self.elements // (shares * _SHARE))
        chunks = max(1, min(self.multiprocessors * _BLOCKS // tiles, most, _MOST_CHUNKS))
        return _Grid(results, shares, along_reduced, tiles, chunks)

    def write(self) -> Part:
        """The text."""
        emit, grid, kind = self.emitter, self.grid, self.params.index
        emit.hoist()
        along_kept, along_reduced = (("t / %d", "t %% %d") if grid.along_reduced else ("t %% %d", "t / %d"))
        divisor = grid.shares if grid.along_reduced else grid.results
        emit.line(f"const int at_result = {along_kept % divisor}, share = {along_reduced % divisor};")
        chunks = self.params.fresh("n_chunks", grid.chunks) if grid.chunks > 1 else ""
        tile = f"block / {chunks}" if chunks else "block"
        results = self.params.fresh("n_results", self.results)
        emit.line(f"const {kind} k = ({kind})({tile}) * {grid.results} + at_result;")
        emit.line(f"{self.accumulator.ctype} sum = {self.accumulator.start};")
        with emit.block(f"if (k < {results})"):
            self._places()
            self._go_through(chunks)
        self._combine_shares()
        if chunks:
            self._combine_chunks(chunks, results)
        with emit.block(f"if (share == 0 && k < {results})"):
            self._finish()
        return Part(emit.lines, grid.tiles * grid.chunks, self.accumulator.size * THREADS + 16)

    def _places(self) -> None:
        emit, kind = self.emitter, self.params.index
        lengths = [self.params.shapes[self.x][axis] for axis in self.kept]
        for i, place in enumerate(emit.decode("k", lengths, "p")):
            emit.line(f"const {kind} k{i} = {place};")

    def _go_through(self, chunks: str) -> None:
        """A thread's share of the elements, in order."""
        emit, kind, accumulator = self.emitter, self.params.index, self.accumulator
        elements = self.params.fresh("n_elements", self.elements)
        first, end = "share", elements
        if chunks:
            per = self.params.fresh("n_per", -(-self.elements // self.grid.chunks))
            emit.line(f"const {kind} from = ({kind})(block % {chunks}) * {per};")
            emit.line(f"const {kind} to = from + {per} < {elements} ? from + {per} : {elements};")
            first, end = "from + share", "to"
        emit.unroll(8)
        with emit.block(f"for ({kind} r = {first}; r < {end}; r += {self.grid.shares})"):
            self.places = emit.decode("r", self.merged, "p")
            if len(self.groups) == len(self.reduced):
                for i, place in enumerate(self.places):
                    emit.line(f"const {kind} r{i} = {place};")
            element = emit.let_of(accumulator.ctype, accumulator.element(emit.value(self.x, self.index), "r"))
            emit.line(f"sum = {accumulator.combined('sum', element)};")

    def _combine_shares(self) -> None:
        """Combine what the threads of a result have, in a tree."""
        emit, grid, accumulator = self.emitter, self.grid, self.accumulator
        if grid.shares == 1:
            return
        if grid.along_reduced and grid.shares <= 32 and accumulator.shuffles:
            with emit.block(f"for (int o = {grid.shares // 2}; o; o /= 2)"):
                emit.line(f"const {accumulator.ctype} other = __shfl_down_sync(0xffffffffu, sum, o, {grid.shares});")
                emit.line(f"sum = {accumulator.combined('sum', 'other')};")
            return
        emit.line(f"{accumulator.ctype} *const sums = ({accumulator.ctype} *)shared;")
        emit.line(f"const int slot = share * {grid.results} + at_result;")
        emit.line("__syncthreads();")
        emit.line("sums[slot] = sum;")
        with emit.block(f"for (int o = {grid.shares // 2}; o; o /= 2)"):
            emit.line("__syncthreads();")
            other = f"sums[slot + o * {grid.results}]"
            emit.line(f"if (share < o) sums[slot] = sum = {accumulator.combined('sum', other)};")

    def _combine_chunks(self, chunks: str, results: str) -> None:
        """Leave what this block has; the last block to come combines what all have."""
        emit, grid, accumulator = self.emitter, self.grid, self.accumulator
        kept = self.params.take(accumulator.size * grid.tiles * grid.chunks * grid.results)
        tickets = self.params.take(4 * grid.tiles, zeroed=True)
        kind = accumulator.ctype
        emit.line(f"{kind} *const left = ({kind} *){kept} + (long long)(block / {chunks}) * {chunks} * {grid.results};")
        emit.line(f"if (share == 0) left[block % {chunks} * {grid.results} + at_result] = sum;")
        emit.line("__threadfence();")
        emit.line("__syncthreads();")
        emit.line(f"int *const last = (int *)((char *)shared + {accumulator.size * THREADS});")
        emit.line(f"unsigned int *const ticket = (unsigned int *){tickets} + block / {chunks};")
        emit.line(f"if (t == 0) *last = atomicAdd(ticket, 1u) == (unsigned int){chunks} - 1u;")
        emit.line("__syncthreads();")
        emit.line("if (!*last) return;")
        emit.line("__threadfence();")
        emit.line("if (t == 0) *ticket = 0u;")
        emit.line(f"sum = {accumulator.start};")
        with emit.block(f"for (int c = share; c < {chunks}; c += {grid.shares})"):
            emit.line(f"const {kind} other = sg_fresh(left + c * {grid.results} + at_result);")
            emit.line(f"sum = {accumulator.combined('sum', 'other')};")
        with emit.block(""):
            self._combine_shares()

    def _finish(self) -> None:
        """What follows the reduction, element by element."""
        emit = self.emitter
        self._places()
        places = [f"k{i}" for i in range(len(self.kept))]
        out = self.item.output
        emit.known(out, along(out, places), emit.let(out.type.dtype, self.accumulator.result("sum", out.type.dtype)))
        emit.store_all([(v, along(v, places)) for v in self.job.outputs], emit.offset)


def write_reduction(job: Job, params: Params, prefix: str, multiprocessors: int) -> Part:
    """The text of a reduction, with what goes before and after it.

    Parameters
    ----------
    job : Job
    params : Params
    prefix : str
        Of the names of its C variables.
    multiprocessors : int
    """
    return _Reduction(job, params, prefix, multiprocessors).write()


def write_last(part: Part, jobs: Sequence[tuple[str, Job]], params: Params, multiprocessors: int) -> Part:
    """A job of rows with what the last of its blocks to come does: it combines what all of them have left.

    Parameters
    ----------
    part : Part
        The text of the rows.
    jobs : sequence of (str, Job)
        The reductions, of numbers to a number, each with the prefix of its C variables.
    params : Params
    multiprocessors : int
    """
    lines, shared = [*part.lines, "  __threadfence();", "  __syncthreads();"], part.shared_bytes
    texts = [_Reduction(job, params, prefix, multiprocessors) for prefix, job in jobs]
    flag = max(text.accumulator.size for text in texts) * THREADS
    if part.blocks > 1:
        tickets, count = params.take(4, zeroed=True), params.fresh("n_blocks", part.blocks)
        lines += [
            f"  int *const last = (int *)((char *)shared + {flag});",
            f"  unsigned int *const ticket = (unsigned int *){tickets};",
            f"  if (t == 0) *last = atomicAdd(ticket, 1u) == (unsigned int){count} - 1u;",
            "  __syncthreads();", "  if (!*last) return;", "  __threadfence();", "  if (t == 0) *ticket = 0u;"]
    for text in texts:
        assert text.grid.tiles * text.grid.chunks == 1
        lines += ["  {", "    const int block = 0;", *(f"  {line}" for line in text.write().lines), "  }"]
    return Part(lines, part.blocks, max(shared, flag + 16))
