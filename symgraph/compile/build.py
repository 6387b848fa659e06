"""From a recipe (what the user asked for) to a program: substitute, intern, rewrite, plan, render."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from symgraph.backend import Pack, Program, get_backend
from symgraph.compile.errors import line_of, missing_input_error
from symgraph.compile.firings import Firings
from symgraph.compile.inner import finish
from symgraph.compile.io import Form, In
from symgraph.compile.profile import Profile
from symgraph.compile.recipe import Recipe
from symgraph.config import config
from symgraph.errors import UnusedInputError
from symgraph.graph.basic import Constant, Variable
from symgraph.graph.fgraph import FunctionGraph
from symgraph.graph.origin import internal_folders
from symgraph.graph.testvalues import test_values_at
from symgraph.plan import Plan, make_plan
from symgraph.plan.dims import check_names
from symgraph.rewrites.pipeline import phases
from symgraph.shared import SharedVariable
from symgraph.tensor.devices import Transfer

__all__ = ["Built", "acceptors", "build"]


@dataclass
class Built:
    """A recipe carried out: each stage, for those who want to look."""

    fgraph: FunctionGraph
    fired: Firings
    plan: Plan
    program: Program
    seconds: dict[str, float] = field(default_factory=dict)


def build(recipe: Recipe, monitor: Any = None, states: Sequence[SharedVariable] = (),
          profile: Profile | None = None) -> Built:
    """Carry a recipe out.

    Parameters
    ----------
    recipe : Recipe
    monitor : callable, optional
        Called after each step of a run; see `Backend.compile`.
    states : sequence of SharedVariable
        Where the next values of the stateful inputs go, in the inputs' order: as shared values, so that a call commits
        them together with its updates.
    profile : Profile, optional
        Where calls note their times.

    Raises
    ------
    MissingInputError, UnusedInputError
        When inputs and expressions do not belong together.
    """
    laps = _Laps()
    inputs, stand_ins = _leaves(recipe.inputs)
    expressions = [o.variable for o in recipe.outputs]
    updates = [*recipe.updates, *zip(states, recipe.next_states, strict=True)]
    fgraph = FunctionGraph(inputs, [*expressions, *(e for _, e in updates)], {**recipe.givens, **stand_ins})
    shared = _check_inputs(fgraph, recipe)
    check_names([*inputs, *shared], fgraph.toposort())
    laps.lap("graph")
    fired = Firings()
    with test_values_at("off"):
        for phase in phases(recipe.mode):
            fired += phase.apply(fgraph, config.rewrite_budget)
        finish(fgraph, recipe.mode)
    laps.lap("rewrites")
    count = len(expressions)
    used = {v for node in fgraph.toposort() for v in node.inputs} | set(fgraph.outputs)
    plan = make_plan(
        fgraph.toposort(), inputs, [v for v in shared if v in used], fgraph.outputs[:count],
        [(target, new) for (target, _), new in zip(updates, fgraph.outputs[count:], strict=True)],
        mutable=[v for v, entry in zip(inputs, recipe.inputs, strict=True) if entry.mutable],
        borrowed=[i for i, o in enumerate(recipe.outputs) if o.borrow],
    )
    plan.check()
    plan.outputs = [replace(o, stays=True) if asked.device else o
                    for o, asked in zip(plan.outputs, recipe.outputs, strict=True)]
    laps.lap("plan")
    backend = get_backend(recipe.mode.linker or config.device)
    if backend.name == "numpy":
        _check_memory(plan, recipe)
    program = backend.compile(plan, recipe.label, _packer(recipe.form), acceptors(recipe), monitor,
                              None if profile is None else profile.start)
    laps.lap("source")
    built = Built(fgraph, fired, plan, program, laps.seconds)
    if profile is not None:
        profile.attach(built, recipe.label)
    return built


def _check_memory(plan: Plan, recipe: Recipe) -> None:
    """A function of the CPU reads what lives on another device only where it says so, and changes none of it."""
    moved = {step.node.inputs[0] for step in plan.steps if isinstance(step.node.op, Transfer)}
    read = {v for step in plan.steps if not isinstance(step.node.op, Transfer) for v in step.node.inputs}
    read.update(o.variable for o in plan.outputs)
    read.update(u.variable for u in plan.updates)
    away = [v for v in plan.shared if v.device != "cpu" and (v in read or v not in moved)]
    away += [u.target for u in plan.updates if u.target.device != "cpu"]
    if away:
        first = away[0]
        raise TypeError(
            f"{recipe.label} is compiled for the CPU, but {first}, created at {line_of(first)}, lives on "
            f"{first.device!r}. Compile it for that device (config.device), or move the value: "
            f"{first.name or 'x'}.transfer('cpu')")


def _leaves(entries: Sequence[In]) -> tuple[list[Variable], dict[Variable, Variable]]:
    """The input variables of the graph. For an input that is itself computed from others, one that stands in for it."""
    inputs: list[Variable] = []
    stand_ins: dict[Variable, Variable] = {}
    for entry in entries:
        variable = entry.variable
        if variable.owner is not None:
            stand_ins[variable] = variable.type.make_variable(variable.name)
            stand_ins[variable].origin = variable.owner.origin
            variable = stand_ins[variable]
        inputs.append(variable)
    return inputs, stand_ins


class _Laps:
    """A stop-watch."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.started = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = now - self.started
        self.started = now


def _check_inputs(fgraph: FunctionGraph, recipe: Recipe) -> list[SharedVariable]:
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
            raise missing_input_error(variable, fgraph.outputs, fgraph.inputs)
    for entry, variable in zip(recipe.inputs, fgraph.inputs, strict=True):
        if variable not in read and entry.update is None:
            _unused(entry.variable, recipe.on_unused_input)
    return shared


def _unused(variable: Variable, level: str) -> None:
    if level == "ignore":
        return
    message = (
        f"input {variable} ({variable.type}), declared at {line_of(variable)}, is used by no output and no "
        "update.\n  Leave it out, or pass on_unused_input='ignore'."
    )
    if level == "raise":
        raise UnusedInputError(message)
    warnings.warn(message, stacklevel=_frames_of_ours())


def _frames_of_ours() -> int:
    """How many frames there are from the caller up to the user's."""
    depth, frame = 1, sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(tuple(internal_folders)):
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    return depth


def _packer(form: Form) -> Pack:
    """How results become what the caller gets: the outputs in their form."""

    def pack(names: list[str]) -> tuple[str, dict[str, Any]]:
        bound: dict[str, Any] = {}

        def text(part: Form) -> str:
            if isinstance(part, int):
                return names[part]
            if isinstance(part, dict):
                keys = f"keys{len(bound)}"
                bound[keys] = tuple(part)
                return f"dict(zip({keys}, {text(tuple(part.values()))}))"
            inside = ", ".join(map(text, part))
            if isinstance(part, list):
                return f"[{inside}]"
            return f"({inside},)" if len(part) == 1 else f"({inside})"

        return "[]" if form is None else text(form), bound

    return pack


def acceptors(recipe: Recipe) -> list[Callable[[Any], Any]]:
    """For each input, what checks and converts a value passed for it."""
    return [_acceptor(entry, i, recipe) for i, entry in enumerate(recipe.inputs)]


def _acceptor(entry: In, position: int, recipe: Recipe) -> Callable[[Any], Any]:
    kind = entry.variable.type
    downcast = recipe.may_downcast(entry)
    strict = entry.strict

    def accept(value: Any) -> Any:
        try:
            return kind.filter(value, strict=strict, allow_downcast=downcast)
        except (TypeError, ValueError) as error:
            called = f" ({entry.name})" if entry.name else ""
            raise type(error)(f"{recipe.label}, argument {position}{called}: {error}") from None

    return accept
