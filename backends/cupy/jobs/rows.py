"""Jobs that hold whole rows, in CUDA C: a warp or a block for a row.

A row's program is a line of *loops* over its columns: one for each reduction of the row, one for each product with a
small matrix, one for what is stored. Between loops, numbers of the row are in registers of all its threads. A value of
every column that several loops need, or one that a thread needs of another, is kept in shared memory: it is *staged*.
What is cheap is computed anew.

Reductions over the rows are accumulated by each block and left as its part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from backends.cupy.jobs.elements import Params
from backends.cupy.jobs.folds import Accumulator
from backends.cupy.jobs.loops import THREADS, Part
from backends.cupy.jobs.row_base import AT_ONCE, WARP, RowWriter
from backends.cupy.jobs.row_uses import Columns, columns_of
from backends.cupy.language.scalars import ctype, expression, literal
from symgraph.graph.basic import Variable
from symgraph.plan.items import Fold, Gather, Item, Product
from symgraph.plan.jobs import Job
from symgraph.scalar import TABLE, cast_to

__all__ = ["write_rows"]


class _Rows(RowWriter):
    # ---- the program of a row -------------------------------------------------------------------------------

    def write(self) -> Part:
        """The text."""
        emit, kind = self.emitter, self.params.index
        emit.hoist()
        before, emit.lines = emit.lines, []
        body = self._in_row_scope()
        emit.lines = before
        self._rooms()
        start = "const int lane = t, group = 0;" if self.groups == 1 else (
            f"const int lane = t % {self.threads}, group = t / {self.threads};")
        emit.line(start)
        for line in self.head:
            emit.line(line)
        self._start_parts()
        rows = self.params.fresh("n_rows", self.n)
        step = self.params.fresh("n_step", self.blocks * self.groups)
        first = "block" if self.groups == 1 else f"block * {self.groups} + group"
        emit.line(f"for ({kind} row = {first}; row < {rows}; row += {step}) {{")
        emit.lines += body
        emit.line("}")
        self._end_parts()
        return Part(emit.lines, self.blocks, self.shared)

    def _in_row_scope(self) -> list[str]:
        """What is done for each row."""
        emit = self.emitter
        emit.depth += 1
        emit.scopes.append({})
        for name, place in zip(self.row, emit.decode("row", self.row_lengths, "p"), strict=True):
            emit.line(f"const {self.params.index} {name} = {place};")
        for item in self.uses.order:
            self.event += self.uses.is_event(item)
            if isinstance(item.meaning, Fold):
                self._fold(item, item.meaning)
            elif isinstance(item.meaning, Product):
                self._product(item)
            else:
                if isinstance(item.meaning, Gather):
                    self._fill(item.inputs[0])
                if self.strange:
                    self.synchronise()
                emit.value(item.output, self.index(item.output))
        self.event += 1
        self._results()
        if self.uses.staged or self.threads != WARP:
            emit.line(self.barrier())
        emit.scopes.pop()
        emit.depth -= 1
        lines, emit.lines = emit.lines, []
        return lines

    def _rooms(self) -> None:
        arrays = {self.uses.names[v]: (v, count) for v, count in self.uses.staged.items()}
        for name, (variable, count) in arrays.items():
            self.wide_room(ctype(variable.type.dtype), np.dtype(variable.type.dtype).itemsize, count, name)

    def _fill(self, variable: Variable) -> None:
        """Stage a value that is to be, if no loop has done so yet."""
        if variable in self.uses.staged and variable not in self.filled:
            with self.loop(columns_of(variable, self.params.shapes, self.k)) as places:
                self.emitter.value(variable, self.index(variable, places))

    def _fold(self, item: Item, fold: Fold) -> None:
        """Reduce a row; all its threads get the result."""
        emit = self.emitter
        (x,) = item.inputs
        accumulator = Accumulator(fold, x.type.dtype)
        name = emit.name("sum")
        emit.line(f"{accumulator.ctype} {name} = {accumulator.start};")
        with self.loop(columns_of(x, self.params.shapes, self.k)) as places:
            element = emit.let_of(accumulator.ctype, accumulator.element(emit.value(x, self.index(x, places)), "c"))
            emit.line(f"{name} = {accumulator.combined(name, element)};")
        self._share(accumulator, name)
        out = item.output
        emit.known(out, self.index(out), emit.let(out.type.dtype, accumulator.result(name, out.type.dtype)))

    def _share(self, accumulator: Accumulator, name: str) -> None:
        """Combine what the threads of a row have, in a fixed order, and give it to all of them."""
        emit, kind = self.emitter, accumulator.ctype
        if not accumulator.shuffles:
            return self._share_by_memory(accumulator, name)
        self._across_warp(accumulator, name)
        if self.threads == WARP:
            emit.line(f"{name} = __shfl_sync(0xffffffffu, {name}, 0);")
            return None
        sums = emit.name("sums")
        self.room(kind, accumulator.size, THREADS // WARP, sums, each=False)
        emit.line(f"if (t % {WARP} == 0) {sums}[t / {WARP}] = {name};")
        self.synchronise()
        emit.line(f"{name} = {sums}[0];")
        with emit.block(f"for (int w = 1; w < {THREADS // WARP}; ++w)"):
            emit.line(f"{name} = {accumulator.combined(name, f'{sums}[w]')};")
        return None

    def _across_warp(self, accumulator: Accumulator, name: str) -> None:
        emit = self.emitter
        with emit.block(f"for (int o = {WARP // 2}; o; o /= 2)"):
            emit.line(f"const {accumulator.ctype} other = __shfl_down_sync(0xffffffffu, {name}, o);")
            emit.line(f"{name} = {accumulator.combined(name, 'other')};")

    def _share_by_memory(self, accumulator: Accumulator, name: str) -> None:
        emit, sums = self.emitter, self.emitter.name("sums")
        self.room(accumulator.ctype, accumulator.size, self.threads, sums)
        emit.line(f"{sums}[lane] = {name};")
        with emit.block(f"for (int o = {self.threads // 2}; o; o /= 2)"):
            emit.line(self.barrier())
            emit.line(f"if (lane < o) {sums}[lane] = {accumulator.combined(f'{sums}[lane]', f'{sums}[lane + o]')};")
        self.synchronise()
        emit.line(f"{name} = {sums}[0];")

    # ---- products -------------------------------------------------------------------------------------------

    def _product(self, item: Item) -> None:
        """A row times a matrix: staged."""
        a, b = item.inputs
        inner, outer = self.params.shapes[b]
        self._fill(a)
        if a in self.filled and self.unseen:
            self.synchronise()
        if outer <= 2 * AT_ONCE and inner >= 2 * outer:
            self._product_by_parts(item, inner, outer)
        else:
            self._product_by_columns(item, inner)
        self._hold([item.output])

    def _terms(self, item: Item, k: str, j: str, a: str = "") -> str:
        """One term of a product, in the dtype in which it is summed."""
        left, right = item.inputs
        wide = self.wide(item)
        values = [a or self.emitter.value(left, (*self.row, k)), self.emitter.value(right, (k, j))]
        values = [expression(cast_to(wide), [v], [o.type.dtype]) for v, o in zip(values, item.inputs, strict=True)]
        return expression(TABLE["mul"], values, [wide, wide])

    @staticmethod
    def wide(item: Item) -> str:
        """The dtype in which a product is summed."""
        dtype: str = item.output.type.dtype
        return "float32" if dtype == "float16" else dtype

    def _add(self, item: Item, target: str, term: str) -> str:
        wide = self.wide(item)
        return f"{target} = {expression(TABLE['add'], [target, term], [wide, wide], wide)};"

    def _result(self, item: Item, value: str) -> str:
        return expression(cast_to(item.output.type.dtype), [value], [self.wide(item)])

    def _product_by_columns(self, item: Item, inner: int) -> None:
        """Every thread sums up the columns it has."""
        emit, wide = self.emitter, self.wide(item)
        inside = self.params.fresh("n_inner", inner)
        with self.loop(columns_of(item.output, self.params.shapes, self.k), unroll=False) as (j,):
            columns, self.columns = self.columns, None  # what is staged is read at other columns than the thread's
            emit.line(f"{ctype(wide)} sum = {literal(0, wide)};")
            emit.line("#pragma unroll 4")
            with emit.block(f"for ({self.params.index} k = 0; k < {inside}; ++k)"):
                emit.line(self._add(item, "sum", emit.let(wide, self._terms(item, "k", j))))
            self.columns = columns
            emit.line(f"{self.uses.names[item.output]}[{j}] = {self._result(item, 'sum')};")
        self.unseen = True

    def _product_by_parts(self, item: Item, inner: int, outer: int) -> None:
        """Every thread goes through a part of the row, for several columns at once."""
        emit, wide, index = self.emitter, self.wide(item), self.params.index
        some = min(outer, AT_ONCE)
        inside, outside = self.params.fresh("n_inner", inner), self.params.fresh("n_outer", outer)
        sums, first = emit.name("sum"), "0"
        if outer > some:
            first = emit.name("first")
            emit.line(f"for ({index} {first} = 0; {first} < {outside}; {first} += {some}) {{")
            emit.depth += 1
        emit.line(f"{ctype(wide)} {sums}[{some}];")
        emit.line("#pragma unroll")
        emit.line(f"for (int i = 0; i < {some}; ++i) {sums}[i] = {literal(0, wide)};")
        emit.line(f"#pragma unroll {4 if some <= 10 else 2}")
        with emit.block(f"for ({index} k = lane; k < {inside}; k += {self.threads})"):
            a = emit.value(item.inputs[0], (*self.row, "k"))
            emit.line("#pragma unroll")
            limit = f" && {first} + i < {outside}" if outer > some and outer % some else ""
            with emit.block(f"for (int i = 0; i < {some}{limit}; ++i)"):
                column = "i"
                if outer > some:
                    emit.line(f"const {index} j = {first} + i;")
                    column = "j"
                emit.line(self._add(item, f"{sums}[i]", emit.let(wide, self._terms(item, "k", column, a))))
        self._share_columns(item, sums, some, first, outside if outer > some and outer % some else "")
        if outer > some:
            emit.depth -= 1
            emit.line("}")
        self.unseen = self.strange = True

    def _share_columns(self, item: Item, sums: str, some: int, first: str, outside: str) -> None:
        """Combine the threads' sums of several columns."""
        emit, wide, name = self.emitter, self.wide(item), self.uses.names[item.output]
        fold = Accumulator(Fold("sum", (0,), wide, False), wide)
        at = f"{first} + i" if first != "0" else "i"
        emit.line("#pragma unroll")
        if self.threads == WARP and fold.shuffles:
            with emit.block(f"for (int i = 0; i < {some}; ++i)"):
                self._across_warp(fold, f"{sums}[i]")
                inside = f" && {at} < {outside}" if outside else ""
                emit.line(f"if (lane == 0{inside}) {name}[{at}] = {self._result(item, f'{sums}[i]')};")
            return
        own = emit.name("sums")
        width = THREADS // WARP if fold.shuffles else self.threads
        self.room(fold.ctype, fold.size, width * some, own, each=not fold.shuffles)
        slot, test = (f"t / {WARP}", f"if (t % {WARP} == 0) ") if fold.shuffles else ("lane", "")
        with emit.block(f"for (int i = 0; i < {some}; ++i)"):
            if fold.shuffles:
                self._across_warp(fold, f"{sums}[i]")
            emit.line(f"{test}{own}[{slot} * {some} + i] = {sums}[i];")
        emit.line(self.barrier())
        inside = f" && {at} < {outside}" if outside else ""
        with emit.block(f"for (int i = lane; i < {some}{inside}; i += {self.threads})"):
            emit.line(f"{fold.ctype} sum = {own}[i];")
            emit.line(f"for (int w = 1; w < {width}; ++w) {self._add(item, 'sum', f'{own}[w * {some} + i]')}")
            emit.line(f"{name}[{at}] = {self._result(item, 'sum')};")
        if first != "0":
            emit.line(self.barrier())

    # ---- results --------------------------------------------------------------------------------------------

    def _results(self) -> None:
        """Store outputs, and add to the parts, with one loop for all of the same columns."""
        emit = self.emitter
        loops: dict[Columns, tuple[list[Variable], list[tuple[Variable, Item]]]] = {}
        for variable in self.job.outputs:
            loops.setdefault(columns_of(variable, self.params.shapes, self.k), ([], []))[0].append(variable)
        for part, item in self.job.parts.items():
            loops.setdefault(columns_of(item.inputs[0], self.params.shapes, self.k), ([], []))[1].append((part, item))
        for columns, (outputs, parts) in loops.items():
            if columns.lengths:
                with self.loop(columns) as places:
                    self._results_at(places, outputs, parts)
            else:
                self._results_at((), outputs, parts)
        assert emit.depth == 2

    def _results_at(self, places: tuple[str, ...], outputs: Sequence[Variable],
                    parts: Sequence[tuple[Variable, Item]]) -> None:
        emit = self.emitter
        for variable in outputs:
            index = self.index(variable, places)
            value = emit.value(variable, index)
            tests = [test for test in ("" if places else "lane == 0", self.in_head(variable)) if test]
            if tests:
                with emit.block(f"if ({' && '.join(tests)})"):
                    emit.store(variable, emit.offset(variable, index), value)
            else:
                emit.store(variable, emit.offset(variable, index), value)
        for part, item in parts:
            (x,) = item.inputs
            accumulator = self._part_accumulator(item)
            target = self.part_names[part] + ("[c]" if part.type.ndim > 1 else "")
            element = emit.let_of(accumulator.ctype, accumulator.element(emit.value(x, self.index(x, places)), "0"))
            test = self.in_head(x)
            emit.line(f"{f'if ({test}) ' if test else ''}{target} = {accumulator.combined(target, element)};")

    def _part_accumulator(self, item: Item) -> Accumulator:
        assert isinstance(item.meaning, Fold)
        return Accumulator(item.meaning, item.inputs[0].type.dtype)

    @property
    def part_names(self) -> dict[Variable, str]:
        """What the accumulators of parts are called."""
        return {part: f"part{i}" for i, part in enumerate(self.job.parts)}

    def _start_parts(self) -> None:
        emit = self.emitter
        for part, item in self.job.parts.items():
            accumulator, name = self._part_accumulator(item), self.part_names[part]
            if part.type.ndim == 1:
                emit.line(f"{accumulator.ctype} {name} = {accumulator.start};")
                continue
            count = math.prod(self.part_columns(item))
            lines, self.head = self.head, []
            self.wide_room(accumulator.ctype, accumulator.size, count, name)
            for line in self.head:
                emit.line(line)
            self.head = lines
            n = self.params.fresh("n_part", count)
            emit.line(f"for (int c = lane; c < {n}; c += {self.threads}) {name}[c] = {accumulator.start};")

    def _end_parts(self) -> None:
        """Combine what the groups of the block have accumulated, and leave it."""
        for part, item in self.job.parts.items():
            accumulator, name = self._part_accumulator(item), self.part_names[part]
            columns = self.part_columns(item)
            shapes = self.params.shapes
            assert isinstance(shapes, dict)
            shapes[part] = (self.blocks, *columns)
            if part in self.job.kept:
                self.params.keep(part, shapes[part])
            with self.emitter.block(""):
                if part.type.ndim > 1:
                    self._end_columns(part, accumulator, name, math.prod(columns))
                else:
                    scalar = not columns_of(item.inputs[0], shapes, self.k).lengths
                    self._end_number(part, accumulator, name, scalar)

    def _end_columns(self, part: Variable, accumulator: Accumulator, name: str, count: int) -> None:
        emit = self.emitter
        emit.line("__syncthreads();")
        n = self.params.fresh("n_part", count)
        step = -(-count * accumulator.size // 16) * 16 // accumulator.size
        with emit.block(f"for (int c = t; c < {n}; c += {THREADS})"):
            base = name if self.groups == 1 else f"({name} - group * {self.params.fresh('n_room', step)})"
            emit.line(f"const {accumulator.ctype} *const all = {base};")
            emit.line(f"{accumulator.ctype} sum = all[c];")
            if self.groups > 1:
                stride = self.params.fresh("n_room", step)
                with emit.block(f"for (int g = 1; g < {self.groups}; ++g)"):
                    emit.line(f"sum = {accumulator.combined('sum', f'all[g * {stride} + c]')};")
            emit.line(f"{self.params.names[part]}[(long long)block * {n} + c] = sum;")

    def _end_number(self, part: Variable, accumulator: Accumulator, name: str, scalar: bool) -> None:
        """A number of the row is the same in all its threads; else each thread has its share."""
        emit, target = self.emitter, f"{self.params.names[part]}[block]"
        count = self.groups if scalar else THREADS
        if count == 1:
            emit.line(f"if (t == 0) {target} = {name};")
            return
        lines, self.head = self.head, []
        self.room(accumulator.ctype, accumulator.size, THREADS, "all", each=False)
        emit.line(self.head[0])
        self.head = lines
        emit.line("__syncthreads();")
        emit.line(f"if (lane == 0) all[group] = {name};" if scalar else f"all[t] = {name};")
        with emit.block(f"for (int o = {count // 2}; o; o /= 2)"):
            emit.line("__syncthreads();")
            emit.line(f"if (t < o) all[t] = {accumulator.combined('all[t]', 'all[t + o]')};")
        emit.line(f"if (t == 0) {target} = all[0];")


def write_rows(job: Job, params: Params, prefix: str, multiprocessors: int, most_shared: int) -> Part:
    """The text of a job of rows.

    Parameters
    ----------
    job : Job
    params : Params
    prefix : str
        Of the names of its C variables.
    multiprocessors : int
    most_shared : int
        The bytes of shared memory a block may have.
    """
    return _Rows(job, params, prefix, multiprocessors, most_shared).write()
