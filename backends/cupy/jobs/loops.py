"""Jobs without an anchor, in CUDA C: every element on its own, in a loop over all of them that the grid shares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from backends.cupy.jobs.elements import Emitter, Index, Params
from backends.cupy.language.draws import block_of
from backends.cupy.language.scalars import ctype
from symgraph.graph.basic import Variable
from symgraph.plan.items import Count, Gather, NextState, Put, Sample
from symgraph.plan.jobs import Job
from symgraph.random.draw import Draw

__all__ = ["THREADS", "Part", "Trace", "along", "collapse", "write_loop"]

THREADS = 256
_BLOCKS = 8       # of a multiprocessor
_VECTOR_FROM = 4096  # elements
_TILE = 32


@dataclass
class Part:
    """What a job adds to a kernel.

    Attributes
    ----------
    lines : list of str
    blocks : int
    shared_bytes : int
    """

    lines: list[str]
    blocks: int
    shared_bytes: int = 0


def along(variable: Variable, places: Sequence[str]) -> Index:
    """The index of a variable's element whose places along the axes not known to be 1 are given."""
    supply = iter(places)
    return tuple("0" if n == 1 else next(supply) for n in variable.type.shape)


class Trace:
    """Which elements of memory an expression reads, and how their places change along the axes of a space."""

    def __init__(self, job: Job, params: Params, places: Sequence[str]) -> None:
        self.reads: dict[tuple[Variable, Index], tuple[int, ...]] = {}
        self.places = tuple(places)
        self.params = params
        self.plain = not any(isinstance(item.meaning, (Count, Gather, NextState, Put)) for item in job.items.values())
        self.emitter = Emitter(job.items, replace(params, ints={}, scratch=[]))
        self.emitter.locate = self._locate

    def _locate(self, variable: Variable, index: Index) -> str:
        self.read(variable, index)
        return "0"

    def read(self, variable: Variable, index: Index) -> None:
        """Note an access."""
        strides = [0] * len(self.places)
        layout = self.params.layouts[variable]
        for axis, place in enumerate(index):
            if place in self.places:
                strides[self.places.index(place)] += layout.strides[axis] if layout.shape[axis] != 1 else 0
        self.reads[variable, index] = tuple(strides)


def collapse(lengths: Sequence[int], strides: Sequence[Sequence[int]], apart: Sequence[int] = ()) -> list[list[int]]:
    """Axes that can be taken as one, because all accesses go through them in one even sequence.

    Parameters
    ----------
    lengths : sequence of int
        Of the axes.
    strides : sequence of sequences of int
        Of each access, along each axis.
    apart : sequence of int
        Axes that are not joined to the one before.

    Examples
    --------
    >>> collapse((4, 5, 6), [(30, 6, 1), (6, 0, 1)])
    [[0], [1], [2]]
    >>> collapse((4, 5, 6), [(30, 6, 1), (1, 0, 0)])
    [[0], [1, 2]]
    """
    groups: list[list[int]] = []
    for axis in range(len(lengths)):
        if groups and axis not in apart and all(s[axis - 1] == s[axis] * lengths[axis] for s in strides):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


class _Loop:
    """The writer of one loop."""

    def __init__(self, job: Job, params: Params, prefix: str) -> None:
        self.job, self.params = job, params
        widest = max(job.outputs, key=lambda v: sum(n != 1 for n in v.type.shape))
        self.lengths = [n for n, known in zip(params.shapes[widest], widest.type.shape, strict=True) if known != 1]
        self.count = math.prod(self.lengths)
        axes = [f"d{i}" for i in range(len(self.lengths))]
        self.trace = Trace(job, params, axes)
        self.stores = {v: along(v, axes) for v in job.outputs}
        for variable, index in self.stores.items():
            self.trace.emitter.value(variable, index)
            self.trace.read(variable, index)
        self.reads = self.trace.reads
        self.groups = collapse(self.lengths, list(self.reads.values()),
                               () if self.trace.plain else range(len(self.lengths)))
        self.merged = [math.prod(self.lengths[a] for a in group) for group in self.groups]
        self.emitter = Emitter(job.items, params, prefix)
        self.places: list[str] = []
        self.unrolled: dict[tuple[Variable, Index], str] = {}
        self.drawn: dict[tuple[Variable, Index], tuple[str, str]] = {}
        self.emitter.locate, self.emitter.loader = self.locate, self.load
        self.emitter.drawn = lambda variable, index: self.drawn.get((variable, index))

    def strides(self, key: tuple[Variable, Index]) -> list[int]:
        """Of an access, along the merged axes."""
        return [self.reads[key][group[-1]] for group in self.groups]

    def locate(self, variable: Variable, index: Index) -> str:
        """The place of an element, by the places along the merged axes."""
        key = (variable, index)
        if all(place.isdigit() for place in index):
            return self.emitter.offset(variable, index)
        if not self.trace.plain or key not in self.reads:
            back = dict(zip((f"d{i}" for i in range(len(self.lengths))), self.places, strict=True))
            return self.emitter.offset(variable, tuple(back.get(place, place) for place in index))
        name = self.params.names[variable]
        parts = [self.emitter.scaled(place, f"{self.emitter.prefix}{name}_{'x'.join(index)}_{i}", stride)
                 for i, (place, stride) in enumerate(zip(self.places, self.strides(key), strict=True)) if stride]
        return " + ".join(parts) or "0"

    def load(self, variable: Variable, index: Index) -> str | None:
        """An element of a pack."""
        return self.unrolled.get((variable, index))

    def draw(self, variable: Variable) -> Draw | None:
        """What a variable of random numbers is drawn by."""
        item = self.job.items.get(variable)
        return item.meaning.draw if item is not None and isinstance(item.meaning, Sample) else None

    def vector(self) -> int:
        """How many elements a thread takes at once: those of 16 bytes, or of a block of random words, where all that
        changes lies side by side."""
        if not self.trace.plain or not self.merged or self.count < _VECTOR_FROM:
            return 1
        moving = [variable for variable, index in self.reads if self.strides((variable, index))[-1]]
        in_memory = [v for v in moving if v in self.job.outputs or not self.draw(v)]
        wide = 16 // max((v.type.numpy_dtype.itemsize for v in in_memory), default=1)
        block = max((draw.per_block for v in moving if (draw := self.draw(v)) is not None), default=1)
        return next((n for n in (max(wide, block), wide) if self._goes_by(n)), 1)

    def _goes_by(self, wide: int) -> bool:
        """Whether so many elements can be taken at once."""
        for key in self.reads:
            *others, last = self.strides(key)
            if last not in (0, 1) or (last and (not self.params.layouts[key[0]].aligned
                                                or any(s % wide for s in others))):
                return False
        return len(self.merged) == 1 or self.merged[-1] % wide == 0

    def crosses(self) -> bool:
        """Whether something is read along the axis before the last, so that neighbours read far apart."""
        if not self.trace.plain or len(self.merged) < 2 or min(self.merged[-2:]) < _TILE:
            return False
        return any(s[-2] == 1 and s[-1] not in (0, 1) for s in map(self.strides, self.reads))

    def tiles(self, multiprocessors: int) -> int:
        """Go through the last two axes in square tiles: what a warp reads apart, the next warps read on from there,
        while it is still in the cache. Gives the blocks."""
        emit, kind = self.emitter, self.params.index
        rows, columns = self.merged[-2:]
        counts = [*self.merged[:-2], -(-rows // _TILE), -(-columns // _TILE)]
        blocks = max(1, min(math.prod(counts), multiprocessors * _BLOCKS))
        tiles, step = self.params.fresh("n_tiles", math.prod(counts)), self.params.fresh("n_step", blocks)
        n_rows, n_columns = self.params.fresh("n_rows", rows), self.params.fresh("n_columns", columns)
        with emit.block(f"for ({kind} tile = block; tile < {tiles}; tile += {step})"):
            *lead, row, column = emit.decode("tile", counts, "p")
            emit.line(f"const {kind} column = {column} * {_TILE} + t % {_TILE};")
            emit.line("#pragma unroll")
            with emit.block(f"for (int u = t / {_TILE}; u < {_TILE}; u += {THREADS // _TILE})"):
                emit.line(f"const {kind} row = {row} * {_TILE} + u;")
                with emit.block(f"if (row < {n_rows} && column < {n_columns})"):
                    self.places = [*lead, "row", "column"]
                    emit.store_all(self.stores.items(), self.locate)
        return blocks

    def body(self, linear: str, lengths: Sequence[int], wide: int = 1) -> None:
        """What is done for an element, or for a pack of them."""
        emit = self.emitter
        # Opaque places are looked up by the names of the trace, so those are what the values are known under.
        self.places = emit.decode(linear, lengths, "p")
        if not self.trace.plain:
            for i, place in enumerate(self.places):
                emit.line(f"const {self.params.index} d{i} = {place};")
            self.places = [f"d{i}" for i in range(len(self.places))]
        if wide == 1:
            emit.store_all(self.stores.items(), self.locate)
            return
        if lengths:
            last = emit.name("p")
            emit.line(f"const {self.params.index} {last} = {self.places[-1]} * {wide};")
            self.places[-1] = last
        self._packed(wide)

    def _packed(self, wide: int) -> None:
        emit, names = self.emitter, self.params.names
        moving = [key for key in self.reads if self.strides(key)[-1]]
        stored = {(v, i): emit.name("q") for v, i in self.stores.items()}
        for key in moving:
            draw = self.draw(key[0])
            if draw is not None:
                self.drawn[key] = self._blocks(draw, key, wide)
            if key in stored or draw is not None:
                continue
            pack, kind = emit.name("q"), f"sg_pack<{ctype(key[0].type.dtype)}, {wide}>"
            emit.line(f"const {kind} {pack} = *(const {kind} *)({names[key[0]]} + {self.locate(*key)});")
            self.unrolled[key] = f"{pack}.at[u]"
        for (variable, _), pack in stored.items():
            emit.line(f"sg_pack<{ctype(variable.type.dtype)}, {wide}> {pack};")
        emit.line("#pragma unroll")
        with emit.block(f"for (int u = 0; u < {wide}; ++u)"):
            for (variable, index), pack in stored.items():
                emit.line(f"{pack}.at[u] = {emit.value(variable, index)};")
        for (variable, index), pack in stored.items():
            kind = f"sg_pack<{ctype(variable.type.dtype)}, {wide}>"
            fine = "if (fine) " if variable in self.params.over else ""
            emit.line(f"{fine}*({kind} *)({names[variable]} + {self.locate(variable, index)}) = {pack};")
        self.unrolled.clear()
        self.drawn.clear()

    def _blocks(self, draw: Draw, key: tuple[Variable, Index], wide: int) -> tuple[str, str]:
        """The blocks of random words that a pack is made of, each made once."""
        emit, per, count = self.emitter, draw.per_block, max(1, wide // draw.per_block)
        state = [emit.value(self.job.items[key[0]].inputs[0], (str(word),)) for word in range(3)]
        place, blocks = emit.let_of(self.params.index, self.locate(*key)), emit.name("blocks")
        emit.line(f"sg_block {blocks}[{count}];")
        for number in range(count):
            emit.line(f"{blocks}[{number}] = {block_of(draw, state, f'{place} + {number * per}')};")
        return f"{blocks}[u / {per}]", f"u % {per}" if wide >= per else f"(int)({place} & {per - 1}) + u"


def write_loop(job: Job, params: Params, prefix: str, multiprocessors: int) -> Part:
    """The text of a loop.

    Parameters
    ----------
    job : Job
    params : Params
    prefix : str
        Of the names of its C variables.
    multiprocessors : int
    """
    loop = _Loop(job, params, prefix)
    emit, kind = loop.emitter, params.index
    if loop.lengths:
        emit.hoist()
    if loop.crosses():
        return Part(emit.lines, loop.tiles(multiprocessors))
    wide = loop.vector()
    count = loop.count // wide
    blocks = max(1, min(-(-count // THREADS), multiprocessors * _BLOCKS))
    total, stride = params.fresh("n_all", count), params.fresh("n_step", blocks * THREADS)
    lengths = [*loop.merged[:-1], loop.merged[-1] // wide] if loop.merged else []
    with emit.block(f"for ({kind} i = block * {THREADS} + t; i < {total}; i += {stride})"):
        loop.body("i", lengths, wide)
    if wide > 1 and len(loop.merged) == 1 and loop.count % wide:
        end, first = params.fresh("n_end", loop.count), params.fresh("n_first", count * wide)
        with emit.block(f"for ({kind} i = {first} + block * {THREADS} + t; i < {end}; i += {stride})"):
            loop.body("i", loop.merged)
    return Part(emit.lines, blocks)
