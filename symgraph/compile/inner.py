"""Graphs inside operations: each gets a program of its own, compiled as the function around it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from symgraph.backend import Backend, get_backend
from symgraph.compile.branches import copied, lazily
from symgraph.compile.errors import explain
from symgraph.compile.mode import Mode
from symgraph.config import config
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.fgraph import FunctionGraph
from symgraph.graph.op import Op
from symgraph.graph.traversal import toposort
from symgraph.graph.type import Type
from symgraph.ifelse import IfElse
from symgraph.opfromgraph import OpFromGraph
from symgraph.plan import Loop, Plan, make_plan
from symgraph.rewrites.pipeline import phases
from symgraph.scan import Scan

__all__ = ["InnerProgram", "finish"]


class InnerProgram(Op):
    """An operation made of a graph, with the program the graph became."""

    runs_programs = True

    def __init__(self, op: OpFromGraph, types: Sequence[Type], run: Callable[..., Any]) -> None:
        self.op, self.types, self.run = op, tuple(types), run

    def infer_type(self, *types: Type) -> Sequence[Type]:
        return self.types

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        for cell, value in zip(output_storage, self.run(*inputs), strict=True):
            cell[0] = value

    def __repr__(self) -> str:
        return repr(self.op)


def finish(fgraph: FunctionGraph, mode: Mode) -> None:
    """Give programs to the graphs inside operations, and make choices lazy. Nothing is rewritten after this."""
    if not any(isinstance(node.op, (IfElse, OpFromGraph, Scan)) for node in fgraph.toposort()):
        return
    backend = get_backend(mode.linker or config.device)
    outputs = _with_programs(fgraph.outputs, mode, backend)
    fgraph.outputs = lazily(outputs, partial(_compiled, backend=backend))


def _with_programs(outputs: Sequence[Variable], mode: Mode, backend: Backend) -> list[Variable]:
    memo: dict[Variable, Variable] = {}
    for node in toposort(outputs):
        if not isinstance(node.op, (OpFromGraph, Scan)):
            copied(node, memo)
            continue
        graph = FunctionGraph(node.op.graph.inputs, node.op.graph.outputs)
        for phase in phases(mode):
            if phase.name != "blas" or not isinstance(node.op, Scan):  # calling BLAS itself takes longer to set up
                phase.apply(graph, config.rewrite_budget)
        finish(graph, mode)
        types = [v.type for v in node.outputs]
        if isinstance(node.op, Scan):
            op: Op = Loop(node.op, graph.inputs, graph.outputs)
        else:
            run = _program(graph.inputs, graph.outputs, f"{node.op} at {node.origin}", backend)
            op = InnerProgram(node.op, types, run)
        made = Apply(op, [memo.get(v, v) for v in node.inputs], types, node.origin)
        for old, new in zip(node.outputs, made.outputs, strict=True):
            new.name, new.origin = old.name, old.origin
            memo[old] = new
    return [memo.get(v, v) for v in outputs]


def _program(inputs: Sequence[Variable], outputs: Sequence[Variable], label: str,
             backend: Backend) -> Callable[..., Any]:
    """What computes the outputs from the inputs' values, as a list."""
    graph = FunctionGraph(inputs, outputs)
    plan = make_plan(graph.toposort(), graph.inputs, [], graph.outputs, [])
    plan.check()
    return _compiled(plan, label, backend)


def _compiled(plan: Plan, label: str, backend: Backend) -> Callable[..., Any]:
    """What computes the outputs of a plan, as a list."""
    program = backend.compile(plan, label, lambda names: (f"[{', '.join(names)}]", {}),
                              [v.type.filter for v in plan.inputs])

    inside = program.run if program.inside is None else program.inside

    def run(*values: Any) -> Any:
        try:
            return inside(*values)
        except Exception as error:
            place = program.step_at(error)
            if place is not None and not getattr(error, "_explained_by_symgraph", False):
                explain(error, *place, label)
                error._explained_by_symgraph = True  # type: ignore[attr-defined]
            raise

    return run
