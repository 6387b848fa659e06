"""Scratch arrays as text: those that are always needed together are kept, checked and made anew together.

A function keeps its scratch arrays from call to call. Whether they still have the right shape is asked once for a
whole group of them, a *workspace*, by comparing the lengths that were not known in advance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from backends.numpy.runtime import Scratch, empty_columns
from backends.source import tuple_text
from symgraph.graph.basic import Variable
from symgraph.plan import Buffer, Kernel, Plan, Step, Use

if TYPE_CHECKING:
    from backends.numpy.render import Renderer

__all__ = ["Workspaces"]

_LARGEST = 64  # arrays of a workspace; the search must not make rendering quadratic


class _Workspace:
    """Buffers whose arrays are made together, and the names of these arrays."""

    __slots__ = ("buffers", "keys", "names", "place")

    def __init__(self, place: int, buffers: list[Buffer], keys: list[str], names: list[str]) -> None:
        self.place, self.buffers, self.keys, self.names = place, buffers, keys, names


class Workspaces:
    """The scratch arrays of one function.

    Buffers share a workspace when every call needs them, or else when the same kernels do in their lines for small
    arrays, and when their lengths are known at the first need. So none is made that is not used.

    Parameters
    ----------
    r : Renderer
    plan : Plan

    Attributes
    ----------
    scratch : Scratch
        What the function keeps.
    """

    def __init__(self, r: Renderer, plan: Plan) -> None:
        self.r = r
        self.scratch = Scratch()
        self.of: dict[Buffer, _Workspace] = {}
        self.there: dict[_Workspace, None] = {}  # whose arrays have their names at this point of the text
        self.kernels: dict[Buffer, set[int] | None] = {}  # that need it for small arrays only; None when always needed
        for step in plan.steps:
            buffer = self._memory(plan, step)
            if buffer is None:
                continue
            if step.kernel is None or plan.blocks[step.node.outputs[0]].dies > step.kernel.last:
                self.kernels[buffer] = None
            elif (kernels := self.kernels.setdefault(buffer, set())) is not None:
                kernels.add(step.kernel.index)
        self.lone: int | None = None  # the kernel whose lines for small arrays alone need scratch
        self.waiting: dict[frozenset[int] | None, dict[Buffer, None]] = {}  # in the order of first need
        for buffer in self.kernels:
            self.waiting.setdefault(self._key(buffer), {})[buffer] = None

    def _key(self, buffer: Buffer) -> frozenset[int] | None:
        kernels = self.kernels[buffer]
        return None if kernels is None else frozenset(kernels)

    @staticmethod
    def _memory(plan: Plan, step: Step) -> Buffer | None:
        """The scratch a step's result lives in."""
        found = [plan.blocks[output].buffer for output in step.node.outputs]
        buffer = found[0] if len(found) == 1 else None
        return buffer if buffer is not None and buffer.use is Use.SCRATCH and buffer.shape is not None else None

    def is_needed(self, inside: bool) -> bool:
        """Whether the function takes scratch at its start. Where the lines of one kernel alone need it, these do.

        `inside` says that loops or choices are written into the function, which may need some.
        """
        users = {kernel for kernels in self.kernels.values() for kernel in kernels or (None,)}
        if len(users) == 1 and not inside and self.r.monitor is None:
            (self.lone,) = users
        return inside or (bool(users) and self.lone is None)

    def take(self) -> None:
        """Write the lines that take what the function keeps."""
        writer = self.r.writer
        writer.namespace["scratch"] = self.scratch
        with writer.indented("try:"):
            writer.line("w = scratch.pop()")
        with writer.indented("except IndexError:", "none is kept that is not in use"):
            writer.line("w = scratch.more()")

    def give_back(self) -> None:
        """Write the line that keeps it for the next call."""
        self.r.writer.line("scratch.append(w)")

    @contextmanager
    def of_kernel(self, kernel: Kernel) -> Iterator[None]:
        """What is written inside are a kernel's lines for small arrays."""
        if kernel.index != self.lone:
            yield
        else:
            self.take()
            yield
            self.give_back()

    def prepare(self, kernel: Kernel) -> None:
        """Give their names to the arrays that a kernel needs for large arrays too."""
        for step in kernel.steps:
            buffer = self._memory(self.r.plan, step)
            if buffer is not None and self.kernels[buffer] is None:
                self.array(buffer, kernel.first)

    def array(self, buffer: Buffer, before: int) -> str:
        """The name of a buffer's array; where it has none yet, lines that give it one."""
        workspace = self.of.get(buffer) or self._make(buffer, before)
        if workspace not in self.there:
            self._fetch(workspace)
            self.there[workspace] = None
        return workspace.names[workspace.buffers.index(buffer)]

    def _make(self, buffer: Buffer, before: int) -> _Workspace:
        group = self.waiting[self._key(buffer)]
        buffers = [buffer, *(b for b in islice(group, _LARGEST) if b is not buffer and self._is_known(b, before))]
        for b in buffers:
            del group[b]
        keys = [self.r.writer.fresh("m") for _ in _unknown(buffers)]
        names = [self.r.writer.fresh("w") for _ in buffers]
        workspace = _Workspace(len(self.scratch.blank), buffers, keys, names)
        self.of.update(dict.fromkeys(buffers, workspace))
        self.scratch.blank.append((None,) * (len(keys) + len(names)))
        return workspace

    def _is_known(self, buffer: Buffer, before: int) -> bool:
        """Whether the lengths of a buffer can be told before a step."""
        assert buffer.shape is not None
        return all(isinstance(part, int) or self.r.made_at.get(part[0], -1) < before for part in buffer.shape)

    def _fetch(self, workspace: _Workspace) -> None:
        """Take what the function keeps, made anew when a length is another."""
        line, keys, names = self.r.writer.line, workspace.keys, workspace.names
        lengths = [self.r.measure(*part) for part in _unknown(workspace.buffers)]
        line(f"{_unpacked([*keys, *names])} = w[{workspace.place}]")
        test = " or ".join(f"{key} != {n}" for key, n in zip(keys, lengths, strict=True)) or f"{names[0]} is None"
        with self.r.writer.indented(f"if {test}:"):
            for name, buffer in zip(names, workspace.buffers, strict=True):
                assert buffer.shape is not None
                line(f"{name} = {self._empty(buffer)}")
                if not buffer.by_columns:
                    self.r.plain.add(name)
            line(f"w[{workspace.place}] = {tuple_text([*lengths, *names])}")

    def _empty(self, buffer: Buffer) -> str:
        assert buffer.shape is not None
        made_by = "empty_columns" if buffer.by_columns else "np.empty"
        if buffer.by_columns:
            self.r.writer.namespace["empty_columns"] = empty_columns
        return f"{made_by}({self.r.shape(buffer.shape)}, {self.r.dtype(buffer.dtype)})"


def _unknown(buffers: Iterable[Buffer]) -> list[tuple[Variable, int]]:
    """The lengths of some buffers that are not known in advance, each once."""
    return list(dict.fromkeys(part for b in buffers for part in b.shape or () if not isinstance(part, int)))


def _unpacked(names: Sequence[str]) -> str:
    return f"{names[0]}," if len(names) == 1 else ", ".join(names)
