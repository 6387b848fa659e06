"""Launches of jobs as CUDA kernels: text, parameters and geometry.

A `symgraph.plan.jobs.Launch` says what is computed; `bind` writes the kernel that does it for arrays of given layouts.
The text depends on how the arrays lie (which axes can be taken as one, what is contiguous, how many elements there are
to share) and takes all lengths and strides as parameters, so that one text serves most shapes.

Parameters of a kernel, in this order (`Binding.arguments` puts them together)::

    long long *error            three words: 0 or 1; an index that was out of range; the length it should be below
    const T *a0, ...            the arrays it reads: `Binding.inputs`
    T *o0, ...                  those it writes: `Binding.outputs`
    unsigned char *w0, ...      memory for partial results: `Binding.scratch`
    T s0, ...                   numbers by value: `Binding.scalars`
    int or long long n..., ...  lengths and strides: `Binding.ints`
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.cupy.jobs.elements import Layout, Params
from backends.cupy.jobs.loops import THREADS, Part, write_loop
from backends.cupy.jobs.products import write_product
from backends.cupy.jobs.reductions import write_last, write_reduction
from backends.cupy.jobs.rows import write_rows
from backends.cupy.jobs.shapes import blocks_of, shapes_in
from backends.cupy.language.scalars import ctype
from symgraph.graph.basic import Constant, Variable
from symgraph.plan.items import NextState, Sample
from symgraph.plan.jobs import Job, Launch

__all__ = ["Binding", "DoesNotFit", "Layout", "bind"]


_MOST_BY_INT = 2**30  # elements, half of what an int can count: a loop's counter goes beyond the end


class DoesNotFit(RuntimeError):
    """A job needs more shared memory for arrays of these shapes than there is."""


@dataclass
class Binding:
    """A launch, made ready for arrays of given layouts.

    Attributes
    ----------
    name : str
        Of the kernel.
    source : str
        CUDA C; `backends.cupy.language.prelude.prelude` has to be put in front.
    grid, block : tuple of int
    shared_bytes : int
    inputs, outputs, scalars : list of Variable
        What is passed. Outputs are arrays in C order; one of `Launch.over` may be the array of the variable it is
        written over.
    ints : list of numpy integers
    scratch : list of (int, bool)
        Bytes of each array of partial results, and whether it must be 0 before the first launch. Each launch leaves
        those 0 again. Launches that do not overlap may share the others.
    shapes : dict of Variable to tuple
        Of the outputs.
    may_fail : bool
        Whether it may set the error word. What is written over shared variables is not written once that is set.
    """

    name: str
    source: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared_bytes: int
    inputs: list[Variable]
    outputs: list[Variable]
    scalars: list[Variable]
    ints: list[Any]
    scratch: list[tuple[int, bool]]
    shapes: dict[Variable, tuple[int, ...]]
    may_fail: bool

    def arguments(self, error: Any, arrays: Mapping[Variable, Any], numbers: Mapping[Variable, Any],
                  scratch: Sequence[Any]) -> list[Any]:
        """The arguments in order.

        Parameters
        ----------
        error : device array of 3 int64
        arrays : mapping
            From `inputs` and `outputs` to device arrays.
        numbers : mapping
            From `scalars` to numbers.
        scratch : sequence of device arrays
            One for each entry of `Binding.scratch`.
        """
        by_value = [np.asarray(numbers[v]).astype(v.type.dtype)[()] for v in self.scalars]
        return [error, *(arrays[v] for v in self.inputs), *(arrays[v] for v in self.outputs), *scratch, *by_value,
                *self.ints]


def bind(launch: Launch, layouts: Mapping[Variable, Layout], numbers: Mapping[Variable, int], name: str,
         multiprocessors: int = 132, most_shared: int = 48 * 1024) -> Binding:
    """Write the kernel of a launch.

    Parameters
    ----------
    launch : Launch
    layouts : mapping of Variable to Layout
        Of its inputs, constants included.
    numbers : mapping of Variable to int
        The integers among its scalars: lengths and bounds may be among them.
    name : str
        Of the kernel.
    multiprocessors : int
        Of the device.
    most_shared : int
        The bytes of shared memory a block may have.

    Raises
    ------
    DoesNotFit
        When shared memory does not suffice.
    ValueError, IndexError
        When the shapes do not go together.
    """
    params = _parameters(launch, layouts, numbers)
    parts = [_write(launch, number, params, multiprocessors, most_shared)
             for number, job in enumerate(launch.jobs) if job.behind is None and job not in launch.last]
    last = [_write(launch, launch.jobs.index(job), params, multiprocessors, most_shared) for job in launch.last]
    if (most := max(part.shared_bytes for part in parts)) > most_shared:
        raise DoesNotFit(f"{launch} needs {most} bytes of shared memory, of {most_shared}")
    return _assembled(launch, params, parts, last, name)


def _parameters(launch: Launch, layouts: Mapping[Variable, Layout], numbers: Mapping[Variable, int]) -> Params:
    shapes = shapes_in(launch, {v: layout.shape for v, layout in layouts.items()}, numbers)
    known = {v: layouts[v] for v in launch.inputs}
    known |= {v: Layout.plain(shapes[v]) for job in launch.jobs for v in job.outputs}
    names = {v: f"a{i}" for i, v in enumerate(launch.inputs)}
    names |= {v: f"o{i}" for i, v in enumerate(launch.outputs)}
    names |= {v: f"s{i}" for i, v in enumerate(launch.scalars)}
    items = {v: item for job in launch.jobs for v, item in job.items.items()}
    drawn = [v for v, item in items.items() if isinstance(item.meaning, Sample)]
    known |= {v: Layout.plain(shapes[v]) for v in drawn}  # by which its elements are numbered
    names |= {v: f"draw{i}" for i, v in enumerate(drawn) if v not in names}
    most = max((1 + sum((n - 1) * abs(s) for n, s in zip(la.shape, la.strides, strict=True)) for la in known.values()),
               default=1)
    most = max(most, *(math.prod(shape) for shape in shapes.values()), 1)
    most = max(most, *(blocks_of(item, numbers) for item in items.values() if isinstance(item.meaning, NextState)), 1)
    return Params(known, shapes, names, index="int" if most < _MOST_BY_INT else "long long", over=set(launch.over),
                  numbers=numbers)


def _write(launch: Launch, number: int, params: Params, multiprocessors: int, most_shared: int) -> Part:
    """The text of a job, and of those that its last block does."""
    job = launch.jobs[number]
    part = _write_one(job, params, f"j{number}_", multiprocessors, most_shared)
    last = [(i, other) for i, other in enumerate(launch.jobs) if other.behind is job]
    return write_last(part, [(f"j{i}_", other) for i, other in last], params, multiprocessors) if last else part


def _write_one(job: Job, params: Params, prefix: str, multiprocessors: int, most_shared: int) -> Part:
    if job.kind == "loop":
        return write_loop(job, params, prefix, multiprocessors)
    if job.kind == "reduction":
        return write_reduction(job, params, prefix, multiprocessors)
    if job.kind == "rows":
        return write_rows(job, params, prefix, multiprocessors, most_shared)
    return write_product(job, params, prefix, multiprocessors)


def _assembled(launch: Launch, params: Params, parts: Sequence[Part], last: Sequence[Part], name: str) -> Binding:
    firsts = [sum(part.blocks for part in parts[:i]) for i in range(len(parts) + 1)]
    body: list[str] = []
    for i, (part, first) in enumerate(zip(parts, firsts, strict=False)):
        start = params.fresh("first", first) if i else ""
        head = "" if i == len(parts) - 1 else f"if (blockIdx.x < {params.fresh('first', firsts[i + 1])}) "
        opened, closed = ("{ [&] {", "}(); }") if last else ("{", "}")  # what returns early comes back to the last
        body.append(f"  {'else ' if i else ''}{head}{opened}")
        body.append(f"    const int block = blockIdx.x{f' - {start}' if start else ''};")
        body += [f"  {line}" if line else "" for line in part.lines]
        body.append(f"  {closed}")
    if last:
        body += _by_last_block(params, last, firsts[-1])
    used = _Used("\n".join(body))
    inputs = [v for v in launch.inputs if used(params.names[v])]
    scalars = [v for v in launch.scalars if not isinstance(v, Constant) and used(params.names[v])]
    ints = {n: value for n, value in params.ints.items() if used(n)}
    over = {id(launch.over[v]) for v in launch.outputs if v in launch.over}
    signature = ["long long *error"]
    signature += [f"const {ctype(v.type.dtype)} *{'' if id(v) in over else '__restrict__ '}{params.names[v]}"
                  for v in inputs]
    signature += [f"{ctype(v.type.dtype)} *{'' if v in launch.over else '__restrict__ '}{params.names[v]}"
                  for v in launch.outputs]
    signature += [f"unsigned char *w{i}" for i in range(len(params.scratch))]
    signature += [f"const {ctype(v.type.dtype)} {params.names[v]}" for v in scalars]
    signature += [f"const {params.index} {n}" for n in ints]
    shared = max([part.shared_bytes for part in parts] + [16] * bool(last))
    # One block at least: with no word about that, the compiler spares registers more than it has to, and spills.
    lines = [f'extern "C" __global__ void __launch_bounds__({THREADS}, 1) {name}(', *_wrapped(signature), "{",
             *(["  extern __shared__ float4 shared[];"] if shared else []),
             *(["  const bool fine = *error == 0;"] if used("fine") else []),
             "  const int t = threadIdx.x;", *body, "}", ""]
    kind = np.int32 if params.index == "int" else np.int64
    return Binding(name, "\n".join(lines), (firsts[-1], 1, 1), (THREADS, 1, 1), shared, inputs, launch.outputs, scalars,
                   [kind(value) for value in ints.values()], params.scratch,
                   {v: params.shapes[v] for v in launch.outputs}, params.may_fail)


def _by_last_block(params: Params, parts: Sequence[Part], blocks: int) -> list[str]:
    """What the last block to come does: all have read by then what it writes over."""
    lines = ["  __syncthreads();"]
    if blocks > 1:
        ticket, count = params.take(4, zeroed=True), params.fresh("n_blocks", blocks)
        lines += [
            "  int *const last = (int *)shared;",
            f"  unsigned int *const ticket = (unsigned int *){ticket};",
            "  if (t == 0) {", "    __threadfence();",
            f"    *last = atomicAdd(ticket, 1u) == (unsigned int){count} - 1u;", "  }",
            "  __syncthreads();", "  if (!*last) return;", "  if (t == 0) *ticket = 0u;"]
    for part in parts:
        assert part.blocks == 1
        lines += ["  {", "    const int block = 0;", *(f"  {line}" for line in part.lines), "  }", "  __syncthreads();"]
    return lines[:-1]


class _Used:
    """Whether a name occurs in a text."""

    def __init__(self, text: str) -> None:
        import re

        self.names = set(re.findall(r"[A-Za-z_]\w*", text))

    def __call__(self, name: str) -> bool:
        return name in self.names


def _wrapped(signature: Sequence[str]) -> list[str]:
    lines, line = [], "   "
    for i, text in enumerate(signature):
        piece = f" {text}{',' if i < len(signature) - 1 else ')'}"
        if len(line) + len(piece) > 116:
            lines.append(line)
            line = "   "
        line += piece
    return [*lines, line]
