"""Choices as `if` blocks in the text of the function they are part of.

A call of another function takes longer than what a small branch computes. Larger branches, and those far inside others,
stay functions of their own, which are compiled when they are first taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from backends.numpy.loops import LoopRenderer
from backends.numpy.lowering import lower
from backends.numpy.render import Renderer
from backends.numpy.tiles import render_kernel
from symgraph.graph.basic import Apply
from symgraph.plan import Branch, LazyIfElse, Step
from symgraph.plan.choice import stand_in

__all__ = ["BranchRenderer"]

_LARGEST = 100  # operations of both branches: they are compiled whether or not they are ever taken
_DEEPEST = 40   # blocks in blocks; Python reads a hundred


class BranchRenderer(Renderer):
    """Writes a branch into the function of another renderer.

    Parameters
    ----------
    outer : Renderer
    branch : Branch
    args : list of str
        The names of what the branch reads.
    """

    def __init__(self, outer: Renderer, branch: Branch, args: Sequence[str]) -> None:
        self.in_loop: bool = isinstance(outer, LoopRenderer) or (isinstance(outer, BranchRenderer) and outer.in_loop)
        super().__init__(branch.plan_of_whole_arrays() if self.in_loop else branch.plan, outer.title)
        self.writer, self.names, self.counters = outer.writer, outer.names, outer.counters
        self.unwrapped = outer.unwrapped
        self.workspaces.scratch = outer.workspaces.scratch
        assert outer.writer.current is not None
        self.place: Step = outer.writer.current
        for step in self.plan.steps:
            self.counters[step] = self.counters.get(self.place, ())
        self.names.update(zip(self.plan.inputs, args, strict=True))
        for constant in self.plan.constants:
            self.names[constant] = self.writer.bind(constant.data, "const")

    def write(self, targets: Sequence[str]) -> None:
        """Write the steps, and name the results."""
        for step in self.plan.steps:
            if step.kernel is None:
                self.step(step)
            elif step is step.kernel.steps[0]:
                render_kernel(self, step.kernel)
        self.writer.current = self.place
        for target, output in zip(targets, self.plan.outputs, strict=True):
            self.writer.line(f"{target} = {self._handed_out(output.variable, output.copy)}")


def _called(op: LazyIfElse) -> Callable[..., Any]:
    """A choice as a function of the condition and of what the branches read."""
    blanks = [[stand_in(kind) for kind in op.types] for _ in op.branches]

    def choose(condition: Any, *values: Any) -> Any:
        side = 0 if condition else 1
        branch = op.branches[side]
        results = branch.program(*[values[i] for i in branch.reads])
        if len(blanks[side]) == 1:
            return results[0]
        given = blanks[side].copy()
        for place, result in zip(branch.gives, results, strict=True):
            given[place] = result
        return given

    return choose


@lower(LazyIfElse)
def _choice(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    op: LazyIfElse = node.op
    if sum(branch.size for branch in op.branches) > _LARGEST or r.writer.depth >= _DEEPEST:
        return f"{r.writer.bind(_called(op), 'choose')}({', '.join(args)})"
    targets, place = target.split(", "), r.writer.current
    for header, branch in zip((f"if {args[0]}:", "else:"), op.branches, strict=True):
        r.writer.current = place
        with r.writer.indented(header, f"{op}  {node.origin}" if header != "else:" else ""):
            BranchRenderer(r, branch, [args[1 + i] for i in branch.reads]).write([targets[i] for i in branch.gives])
            for i in set(range(len(targets))).difference(branch.gives):
                r.writer.line(f"{targets[i]} = {r.writer.bind(stand_in(op.types[i]), 'blank')}")
    return None
