"""Kernels as text: the loop over tiles of rows beside the plain lines that do the same for small arrays.

A kernel's steps are written twice. Arrays up to some size go through the plain lines, one call of NumPy for each step.
Larger ones go through a function of its own, which does all steps for a few rows before it takes the next: what passes
between steps stays in the cache, and several threads share the rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from backends.numpy.commits import tiles_over
from backends.numpy.lowering import adds_floats
from backends.numpy.results import result_array
from backends.numpy.runtime import empty_columns
from backends.numpy.shared_sums import SHARES
from backends.numpy.threads import chunks_of, count_threads, rows_of_tile, run_chunks, run_tiles
from backends.source import tuple_text
from symgraph.backend import Tiling
from symgraph.graph.basic import Variable
from symgraph.plan import Buffer, Kernel, Step, Use
from symgraph.tensor.elemwise import Elemwise
from symgraph.tensor.reduce import Reduce

if TYPE_CHECKING:
    from backends.numpy.render import Renderer

__all__ = ["render_kernel", "tiling_of"]

#: Nanoseconds of work on one core from which on tiles and threads pay. Threads of a BLAS that have just been busy keep
#: their cores for a while, so less than this is done sooner by one.
_WORTHWHILE = 1_000_000
_LEAST, _MOST = 1 << 19, 1 << 20  # elements
_LEAST_ROWS = 16


def _limit(kernel: Kernel) -> int:
    """The elements up to which a kernel's steps are done one after the other."""
    return min(max(int(_WORTHWHILE / kernel.cost), _LEAST), _MOST)


def tiling_of(kernel: Kernel, rows: int, size: int) -> Tiling | None:
    """How a kernel is run over so many rows and elements of its widest array; see `symgraph.backend.Program`."""
    if size <= _limit(kernel) or rows < _LEAST_ROWS:
        return None
    if is_shared_sum(kernel):
        return Tiling(rows, min(count_threads(), SHARES), SHARES)
    chunks = chunks_of(rows, size if kernel.passes_on else 0)
    return Tiling(rows_of_tile(rows, size) if kernel.passes_on else rows, min(count_threads(), chunks), chunks)


def is_shared_sum(kernel: Kernel) -> bool:
    """Whether all a kernel does is a sum of floats for which `backends.numpy.shared_sums` has a way of its own."""
    node = kernel.steps[0].node
    if len(kernel.steps) > 1 or kernel.over or not isinstance(node.op, Reduce) or not adds_floats(node):
        return False
    axes, ndim = node.op.axes, node.inputs[0].type.ndim
    return (len(axes) == ndim and not node.op.keepdims) or (ndim == 2 and len(axes) == 1)


def render_kernel(r: Renderer, kernel: Kernel) -> None:
    """Write a kernel's steps: plainly, and as a loop over tiles for large arrays."""
    for step in kernel.steps:
        r.measure_destination(step)
    r.workspaces.prepare(kernel)
    r.writer.current = kernel.steps[0]
    r.guard(kernel.steps[0])
    r.writer.current = None
    size, rows = _size(r, kernel), _rows(r, kernel)
    blocks, variables = r.plan.blocks, [v for step in kernel.steps for v in (*step.node.inputs, *step.node.outputs)]
    buffers = dict.fromkeys(blocks[v].buffer for v in variables if v in blocks)
    arrays = {b: r.arrays[b] for b in buffers if b in r.arrays}
    measured, there = len(r.measured), list(r.workspaces.there)
    single = _Single(r, kernel, rows if _has_columns(kernel) else size)
    with r.writer.indented(f"if {single.unless(_small(kernel, size, rows))}:"), r.workspaces.of_kernel(kernel):
        for step in kernel.steps:
            r.step(step)
        r.writer.current = None
        for variable, target in kernel.over.items():
            r.alternate(target, variable)
    _forget(r, measured, there)
    single.render()
    with r.writer.indented("else:"):
        tiled = _Tiled(r, kernel, arrays)
        if is_shared_sum(kernel):
            tiled.render_whole()
        else:
            tiled.render(size, rows)
    _forget(r, measured, there)
    lasting = {r.names[v] for v in kernel.made if r.plan.blocks[v].dies > kernel.last}
    passing = {r.names[v] for v in kernel.made} - lasting
    for buffer in buffers:
        if buffer is not None and r.arrays.get(buffer) in passing:
            del r.arrays[buffer]


def _has_columns(kernel: Kernel) -> bool:
    """Whether a kernel that reduces rows computes with the results, which of one row are single elements."""
    return kernel.reduces_rows and any(
        isinstance(step.node.op, Elemwise) and set(step.node.outputs[0].type.shape[1:]) <= {1} for step in kernel.steps)


def _small(kernel: Kernel, size: str, rows: str) -> str:
    """The test whether a kernel's steps are done one after the other."""
    if size == rows:
        return f"{rows} <= {_limit(kernel)}"
    return f"{size} <= {_limit(kernel)} or {rows} < {_LEAST_ROWS}"


def _forget(r: Renderer, measured: int, there: Iterable[Any]) -> None:
    """What was measured or fetched in one branch is not known in the other, nor behind both."""
    while len(r.measured) > measured:
        r.measured.popitem()
    r.workspaces.there = dict.fromkeys(there)


def _size(r: Renderer, kernel: Kernel) -> str:
    widest = kernel.widest
    if widest.type.ndim == 1:
        return _rows(r, kernel)
    if widest in kernel.inputs:
        return f"{r.names[widest]}.size"
    return " * ".join(r.length(n, kernel.first) for n in r.plan.lengths.of(widest))


def _rows(r: Renderer, kernel: Kernel) -> str:
    return r.length(r.plan.lengths.of(kernel.widest)[0], kernel.first)


class _Single:
    """One kernel as a function of a single element (or row, where it has a number for each), which makes new arrays.

    Ufuncs do not find out that an array of one element lies over itself: where they compute in place they are slower
    then by half a microsecond.
    """

    def __init__(self, r: Renderer, kernel: Kernel, count: str) -> None:
        self.r, self.kernel, self.count = r, kernel, count
        in_place = any(isinstance(step.into, Variable) for step in kernel.steps)
        self.is_used = in_place and kernel.widest.type.shape[0] is None and not kernel.over

    def unless(self, test: str) -> str:
        """The test for the lines of small arrays, which single elements leave to this function."""
        if not self.is_used:
            return test
        return f"{self.count} > 1 and ({test})" if " or " in test else f"1 < {test}"

    def render(self) -> None:
        """Write the call, and aside the function. The names are those that the lines of small arrays have given."""
        if not self.is_used:
            return
        r, kernel = self.r, self.kernel
        name = r.writer.fresh("one")
        given = [r.names[v] for v in kernel.inputs if r.names[v] not in r.writer.namespace]
        given += ["lap"] if r.clock is not None else []
        reused = set(r.arrays.values())  # memory that outlasts the kernel, though nothing reads what stands there
        needed = [v for v in kernel.made if r.is_read_after(v, kernel.last)
                  or (r.names[v] in reused and r.plan.blocks[v].dies > kernel.last)]
        with r.writer.indented(f"elif {self.count} <= 1:"):
            r.writer.line(f"{', '.join(r.names[v] for v in needed)} = {name}({', '.join(given)})")
        with r.writer.aside(name):
            with r.writer.indented(f"def {name}({', '.join(given)}):", f"a single element of {kernel}"):
                for step in kernel.steps:
                    r.writer.current, node = step, step.node
                    target = r.names[node.outputs[0]]
                    expression = r.lowered(node, [r.names[v] for v in node.inputs], target, None)
                    if expression is not None:
                        r.line(f"{target} = {expression}", node)
                    r.lap(step.index)
                r.writer.current = None
                r.writer.line(f"return {', '.join(r.names[v] for v in needed)}")
            r.writer.current = None


class _Tiled:
    """One kernel as a function of tiles.

    Arrays from outside and those that outlast the kernel are parameters; a part of their rows is a local name with an
    underscore behind it. What only passes between steps lives in arrays of the size of a tile.
    """

    def __init__(self, r: Renderer, kernel: Kernel, arrays: dict[Buffer, str]) -> None:
        self.r, self.kernel, self.arrays = r, kernel, arrays
        self.name = r.writer.fresh("k")
        self.in_tiles = kernel.passes_on
        self.parameters: dict[str, str] = {}  # name inside to expression outside
        self.cells: dict[Buffer | Variable, str] = {}  # memory that outlasts the kernel to the array's name
        self.local: dict[Buffer | Variable, str] = {}  # memory inside to its array's name

    def render(self, size: str, rows: str) -> None:
        """Write the call, and aside the function."""
        r, kernel = self.r, self.kernel
        lasting = [v for v, s in kernel.made.items() if r.plan.blocks[v].root is v and self._lasts(v)]
        for variable in lasting:
            if variable not in kernel.over_rows and variable not in kernel.over:
                self._whole(variable)
        self._function(lasting)
        r.writer.namespace.update(run_tiles=run_tiles, run_chunks=run_chunks, chunks_of=chunks_of)
        for variable in kernel.over_rows:
            self._parts(variable, size, rows)
        values = ", ".join(self.parameters.values())
        if kernel.over:
            self._put_off(size, rows)
        elif self.in_tiles:
            r.writer.line(f"run_tiles({self.name}, {rows}, {size}, {values})")
        else:
            r.writer.line(f"run_chunks({self.name}, {rows}, {values})")
        for variable in kernel.over_rows:
            self._combine(variable)
        for variable in self._views_needed():
            node = variable.owner
            args = [r.names[v] for v in node.inputs]
            r.line(f"{r.names[variable]} = {r.lowered(node, args, '', None)}", node)
        if r.clock is not None:
            r.writer.line(f"lap.join({kernel.first}, {kernel.last})")

    def _put_off(self, size: str, rows: str) -> None:
        """Leave the loop to the commit, which finds out what it may write on."""
        r, over = self.r, {self.r.names[v]: self.r.names[target] for v, target in self.kernel.over.items()}
        r.writer.namespace["tiles_over"] = tiles_over
        places = [place for place, name in enumerate(self.parameters) if name in over]
        values = [over.get(name, value) for name, value in self.parameters.items()]
        step = f"rows_of_tile({rows}, {size})" if self.in_tiles else rows
        r.writer.namespace["rows_of_tile"] = rows_of_tile
        cut = self._cut(size, rows)
        names = tuple_text([name for name in self.parameters if name in over])
        r.writer.line(f"{names} = tiles_over({self.name}, {rows}, {cut}, {step}, [{', '.join(values)}], {places})")

    def _cut(self, size: str, rows: str) -> str:
        """Into how many parts the rows are cut."""
        return f"chunks_of({rows}, {size})" if self.in_tiles else f"chunks_of({rows})"

    def _views_needed(self) -> list[Any]:
        """The views made inside that are read behind the kernel, and those they are made from."""
        needed: list[Any] = []
        for variable, step in reversed(self.kernel.made.items()):
            wanted = self.r.is_read_after(variable, self.kernel.last) or any(variable in v.owner.inputs for v in needed)
            if wanted and step.node.op.view_map:
                needed.append(variable)
        return needed[::-1]

    def _lasts(self, variable: Variable) -> bool:
        return self.r.plan.blocks[variable].dies > self.kernel.last

    def render_whole(self) -> None:
        """Write the call of what shares its only step among threads by itself."""
        r, (step,) = self.r, self.kernel.steps
        variable, cell = step.node.outputs[0], self._cell(step)
        out = None
        if variable.type.ndim:
            outside = isinstance(cell, Variable) and cell is not variable
            out = r.names[cell] if outside else self._array(cell, variable)  # type: ignore[index]
        r.large = True
        name = r.names[variable]
        r.line(f"{name} = {r.lowered(step.node, [r.names[v] for v in step.node.inputs], name, out)}", step.node)
        r.large = False
        r.lap(step.index)

    # ---- outside ----------------------------------------------------------------------------------------------

    def _cell(self, step: Step) -> Buffer | Variable:
        """The memory a step computes into: a buffer, an array from outside, or one of its own."""
        variable, into = step.node.outputs[0], step.into
        while isinstance(into, Variable):
            block = self.r.plan.blocks[into]
            if block.buffer is not None:
                return block.buffer
            if into not in self.kernel.made:
                return into
            variable, into = into, self.kernel.made[into].into
        return into if into is not None else variable

    def _whole(self, variable: Variable) -> None:
        """The array of a result that outlasts the kernel, made before the loop."""
        r, name = self.r, self.r.names[variable]
        cell = self._cell(self.kernel.made[variable])
        outside = isinstance(cell, Variable) and cell is not variable
        array = r.names[cell] if outside else self._array(cell, variable)  # type: ignore[index]
        if array != name:
            r.line(f"{name} = {array}", variable.owner)
        self.cells[cell] = name
        if array in r.plain or array.startswith(("np.empty(", "result_array(")):
            r.plain.add(f"{name}_")

    def _array(self, cell: Buffer | Variable, variable: Variable) -> str:
        r = self.r
        if isinstance(cell, Buffer):
            if cell in self.arrays:
                return self.arrays[cell]
            if cell.use is not Use.FRESH and cell.shape is not None:
                return r.buffer_array(cell, self.kernel.first)
        made_by = "np.empty"
        if self._is_result(variable):
            made_by = "result_array"
            r.writer.namespace[made_by] = result_array
        return f"{made_by}({r.shape_of(variable, self.kernel.first)}, {r.dtype(variable.type.dtype)})"

    def _is_result(self, variable: Variable) -> bool:
        """Whether memory is handed out to the caller, and to nobody else."""
        plan = self.r.plan
        block = plan.blocks[variable]
        return any(o.variable in plan.blocks and plan.blocks[o.variable] is block and not o.copy for o in plan.outputs
                   ) and not any(plan.blocks[u.variable] is block for u in plan.updates)

    def _parts(self, variable: Variable, size: str, rows: str) -> None:
        lengths = [self.r.length(n, self.kernel.first) for n in self.r.plan.lengths.of(variable)]
        shape = tuple_text([self._cut(size, rows), *lengths])
        self.r.writer.line(f"{self._part_name(variable)} = np.empty({shape}, {self.r.dtype(variable.type.dtype)})")

    def _part_name(self, variable: Variable) -> str:
        return self.r.names[variable].replace("t", "p", 1)

    def _combine(self, variable: Variable) -> None:
        r, step = self.r, self.kernel.made[variable]
        out = ""
        cell = self._cell(step)
        if isinstance(cell, Buffer) and cell.use is not Use.FRESH and cell.shape is not None:
            out = f", None, {self.arrays.get(cell) or r.buffer_array(cell, self.kernel.first)}"
        ufunc = self.kernel.roles[step].combined_by
        r.line(f"{r.names[variable]} = np.{ufunc}.reduce({self._part_name(variable)}, 0{out})", step.node)

    # ---- inside -----------------------------------------------------------------------------------------------

    def _function(self, lasting: list[Variable]) -> None:
        r, kernel = self.r, self.kernel
        slices = [r.names[v] for v, by_rows in kernel.inputs.items() if by_rows]
        slices += [r.names[v] for v in lasting if v not in kernel.over_rows]
        for name in [*(r.names[v] for v in kernel.inputs), *slices]:
            if name not in r.writer.namespace:  # constants are there anyhow
                self.parameters[name] = name
        for variable in kernel.over_rows:
            self.parameters[self._part_name(variable)] = self._part_name(variable)
        if r.clock is not None:
            self.parameters["call"] = "lap"
        scratch = self._inner_arrays()
        with r.writer.aside(self.name):
            names = ", ".join(["tiles", "step", *self.parameters])
            with r.writer.indented(f"def {self.name}({names}):", f"the rows of {kernel}"):
                for name, array in scratch:
                    r.writer.line(f"{name} = {array}")
                if r.clock is not None:
                    r.writer.line("lap = call.thread()")
                with r.writer.indented("for chunk, rows in tiles:"), r.writer.indented("for i in rows:"):
                    r.writer.line("j = min(i + step, rows.stop)")
                    for name in dict.fromkeys(slices):
                        r.writer.line(f"{name}_ = {name}[i:j]")
                    for name, _ in scratch:
                        r.writer.line(f"{name}_ = {name}[:j - i]")
                    self._steps()
            r.writer.current = None

    def _inner_arrays(self) -> list[tuple[str, str]]:
        """Scratch of the size of a tile for each memory that does not outlast the kernel, and how it is made."""
        r, found = self.r, []
        for variable, step in self.kernel.made.items():
            kernel = self.kernel
            if r.plan.blocks[variable].root is not variable or variable in kernel.over_rows or variable in kernel.over:
                continue
            cell = self._cell(step)
            if cell in self.cells or cell in self.local or (isinstance(cell, Variable) and cell in self.kernel.inputs):
                continue
            if step.into is None and not isinstance(cell, Buffer) and not step.node.op.accepts_out:
                continue
            lengths = []
            for n in r.plan.lengths.of(variable)[1:]:
                text = r.length(n, self.kernel.first)
                if not text.isdigit():
                    known = {expression: name for name, expression in self.parameters.items()}
                    name = known.get(text) or (text if text.isidentifier() else r.writer.fresh("n"))
                    self.parameters[name] = text
                    text = name
                lengths.append(text)
            name = self.local[cell] = r.writer.fresh("w")
            made_by = "empty_columns" if isinstance(cell, Buffer) and cell.by_columns else "np.empty"
            r.writer.namespace["empty_columns"] = empty_columns
            if made_by == "np.empty":
                r.plain.add(f"{name}_")
            found.append((name, f"{made_by}({tuple_text(['step', *lengths])}, {r.dtype(variable.type.dtype)})"))
        return found

    def _steps(self) -> None:
        r, kernel = self.r, self.kernel
        inside = {v: r.names[v] + "_" for v, by_rows in kernel.inputs.items() if by_rows}
        for step in kernel.steps:
            node, role = step.node, kernel.roles[step]
            variable = node.outputs[0]
            r.writer.current = step
            args = [inside.get(v, r.names[v]) if i in role.by_rows else r.names[v] for i, v in enumerate(node.inputs)]
            target = r.names[variable] + "_"
            if variable in kernel.over_rows:
                self._reduce_rows(step, args)
                r.lap(step.index)
                continue
            out = None
            if variable in kernel.over:
                out = target
            elif r.plan.blocks[variable].root is variable:
                cell = self._cell(step)
                name = self.cells.get(cell) or self.local.get(cell)
                if name is None and isinstance(cell, Variable) and cell in kernel.inputs:
                    name = r.names[cell]
                out = f"{name}_" if name else None
            expression = r.lowered(node, args, target, out)
            if expression is not None:
                if out is not None and self._lasts(variable) and not r.taken:
                    r.line(f"{out}[...] = {expression}", node)
                    expression = out
                if expression != target:
                    r.line(f"{target} = {expression}", node)
            r.lap(step.index)
            inside[variable] = target

    def _reduce_rows(self, step: Step, args: list[str]) -> None:
        r, node = self.r, step.node
        part = self._part_name(node.outputs[0])
        target = r.names[node.outputs[0]] + "_"
        whole = not self.in_tiles and step.node.outputs[0].type.ndim > 0  # a chunk is one tile
        expression = r.lowered(node, args, target, f"{part}[chunk]" if whole else None)
        r.line(f"{target} = {expression}", node)
        if r.taken:
            return
        ufunc = self.kernel.roles[step].combined_by
        r.writer.line(f"{part}[chunk] = {target} if i == rows.start else np.{ufunc}({part}[chunk], {target})")
