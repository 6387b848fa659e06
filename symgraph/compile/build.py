"""From a recipe (what the user asked for) to a program: substitute, intern, rewrite, plan, render."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from symgraph.backend import Pack, Program, get_backend
from symgraph.compile.errors import missing_input_error
from symgraph.compile.io import In, Out
from symgraph.compile.mode import Mode
from symgraph.config import config
from symgraph.errors import UnusedInputError
from symgraph.graph.basic import Constant, Variable
from symgraph.graph.fgraph import FunctionGraph
from symgraph.graph.rewrite import Fired
from symgraph.plan import Plan, make_plan
from symgraph.rewrites.pipeline import phases
from symgraph.shared import SharedVariable

__all__ = ["Built", "Recipe", "build"]


@dataclass(frozen=True)
class Recipe:
    """Everything `function` was asked, checked and completed.

    Attributes
    ----------
    form : str or list
        Of the result: ``'none'``, ``'single'``, ``'list'``, or the keys of a dict.
    states : list of (int, Variable)
        Inputs (by position) that are updated in every call, with the expression of the next value.
    """

    inputs: Sequence[In]
    outputs: Sequence[Out]
    form: str | list[Any]
    updates: Sequence[tuple[SharedVariable, Variable]]
    givens: dict[Variable, Variable]
    mode: Mode
    name: str
    allow_input_downcast: bool | None = None
    on_unused_input: str = "raise"

    @property
    def states(self) -> list[tuple[int, Variable]]:
        return [(i, entry.update) for i, entry in enumerate(self.inputs) if entry.update is not None]


@dataclass
class Built:
    """A recipe carried out: each stage, for those who want to look."""

    fgraph: FunctionGraph
    fired: list[Fired]
    plan: Plan
    program: Program
    seconds: dict[str, float] = field(default_factory=dict)


def build(recipe: Recipe, monitor: Any = None) -> Built:
    """Carry a recipe out.

    Raises
    ------
    MissingInputError, UnusedInputError
        When inputs and expressions do not belong together.
    """
    seconds: dict[str, float] = {}
    started = time.perf_counter()

    def lap(stage: str) -> None:
        nonlocal started
        now = time.perf_counter()
        seconds[stage] = now - started
        started = now

    inputs = [entry.variable for entry in recipe.inputs]
    expressions = [o.variable for o in recipe.outputs]
    states = [expression for _, expression in recipe.states]
    wanted = [*expressions, *states, *(e for _, e in recipe.updates)]
    fgraph = FunctionGraph(inputs, wanted, recipe.givens)
    shared = _check_inputs(fgraph, recipe, wanted)
    lap("graph")
    fired: list[Fired] = []
    for phase in phases(recipe.mode):
        fired += phase.apply(fgraph, config.rewrite_budget)
    lap("rewrites")
    results, news = fgraph.outputs[: len(expressions) + len(states)], fgraph.outputs[len(expressions) + len(states):]
    used = {v for node in fgraph.toposort() for v in node.inputs} | set(fgraph.outputs)
    plan = make_plan(
        fgraph.toposort(), inputs, [v for v in shared if v in used], results,
        [(target, new) for (target, _), new in zip(recipe.updates, news, strict=True)],
        mutable=[entry.variable for entry in recipe.inputs if entry.mutable],
        borrowed=[i for i, o in enumerate(recipe.outputs) if o.borrow],
    )
    plan.check()
    lap("plan")
    backend = get_backend(recipe.mode.linker or config.device)
    program = backend.compile(plan, recipe.name, _packer(recipe), _acceptors(recipe), monitor)
    lap("source")
    return Built(fgraph, fired, plan, program, seconds)


def _check_inputs(fgraph: FunctionGraph, recipe: Recipe, wanted: Sequence[Variable]) -> list[SharedVariable]:
    """The shared variables the graph reads; raise for what is missing, and as asked for what is unused."""
    given = set(fgraph.inputs)
    read: dict[Variable, None] = {}
    for node in fgraph.toposort():
        read.update(dict.fromkeys(v for v in node.inputs if v.owner is None))
    read.update(dict.fromkeys(v for v in fgraph.outputs if v.owner is None))
    shared: list[SharedVariable] = []
    for variable in read:
        if isinstance(variable, SharedVariable):
            shared.append(variable)
        elif variable not in given and not isinstance(variable, Constant):
            raise missing_input_error(variable, fgraph.outputs)
    for entry in recipe.inputs:
        if entry.variable not in read and entry.variable not in recipe.givens and entry.update is None:
            _unused(entry.variable, recipe.on_unused_input)
    return shared


def _unused(variable: Variable, level: str) -> None:
    if level == "ignore":
        return
    message = (
        f"input {variable} ({variable.type}), declared at {variable.origin}, is used by no output and no update. Leave it out, or "
        "pass on_unused_input='ignore'"
    )
    if level == "raise":
        raise UnusedInputError(message)
    warnings.warn(message, stacklevel=5)


def _packer(recipe: Recipe) -> Pack:
    """How results become what the caller gets: the outputs in their form, and the next states behind them."""
    count = len(recipe.outputs)
    form = recipe.form

    def pack(names: list[str]) -> tuple[str, dict[str, Any]]:
        outputs, states = names[:count], names[count:]
        bound: dict[str, Any] = {}
        if form == "none":
            text = "[]"
        elif form == "single":
            text = outputs[0]
        elif form == "list":
            text = f"[{', '.join(outputs)}]"
        else:
            bound["keys"] = form
            text = f"dict(zip(keys, ({', '.join(outputs)}{',' if len(outputs) == 1 else ''})))"
        if states:
            text = f"({text}, ({', '.join(states)},))"
        return text, bound

    return pack


def _acceptors(recipe: Recipe) -> list[Callable[[Any], Any]]:
    return [_acceptor(entry, i, recipe) for i, entry in enumerate(recipe.inputs)]


def _acceptor(entry: In, position: int, recipe: Recipe) -> Callable[[Any], Any]:
    kind = entry.variable.type
    downcast = entry.allow_downcast if entry.allow_downcast is not None else recipe.allow_input_downcast
    if downcast is None:
        downcast = config.allow_input_downcast
    strict = entry.strict

    def accept(value: Any) -> Any:
        try:
            return kind.filter(value, strict=strict, allow_downcast=downcast)
        except (TypeError, ValueError) as error:
            called = f" ({entry.name})" if entry.name else ""
            raise type(error)(f"function {recipe.name!r}, argument {position}{called}: {error}") from None

    return accept
