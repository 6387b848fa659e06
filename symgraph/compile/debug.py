"""DebugMode: every call is checked against the expression as it was written, and every step against its own rules.

The function is compiled as FAST_RUN does. In each call the unrewritten expression is computed first, from the same
arguments and shared values; then the steps run, and after each

- its results must be of the types they were declared with (`InvalidValueError`);
- they must be what the operation's own `perform` gives (`BadThunkOutput`);
- no value that is still needed may have changed (`BadDestroyMap`), nor share memory unsaid (`BadViewMap`).

After the last, and before anything is committed, outputs and updates must agree with the unrewritten ones
(`BadOptimization`). Where the expression as written gave a NaN or an infinity, a stabilising law may do better.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from symgraph.compile.build import build
from symgraph.compile.errors import clip, describe_value, line_of, place_of
from symgraph.compile.function import Function, ProfiledFunction
from symgraph.compile.io import In, Out
from symgraph.compile.mode import UNREWRITTEN
from symgraph.compile.monitormode import MonitorFunction
from symgraph.compile.nanguard import NanGuardFunction, NanGuardMode
from symgraph.compile.profile import Profile
from symgraph.compile.recipe import Recipe
from symgraph.compile.watch import Finding, Record, WatchedFunction
from symgraph.graph.basic import Variable
from symgraph.graph.rewrite import Fired, brief
from symgraph.graph.type import Type
from symgraph.plan import Home, Step
from symgraph.rewrites.stabilize import STABILIZE
from symgraph.shared import SharedVariable
from symgraph.tensor.type import TensorType

__all__ = [
    "BadDestroyMap", "BadOptimization", "BadThunkOutput", "BadViewMap", "DebugFunction", "DebugModeError",
    "InvalidValueError", "NanGuardMode", "watched_function",
]


class DebugModeError(Finding):
    """Something DebugMode found: a defect of an operation, a rule or the compiler."""


class BadOptimization(DebugModeError):
    """The rewritten program gives another result than the expression as it was written."""


class BadThunkOutput(DebugModeError):
    """A backend computes another result than the operation's own `perform`."""


class BadDestroyMap(DebugModeError):
    """A step changed a value it had no right to change."""


class BadViewMap(DebugModeError):
    """A result shares memory with an input although its operation does not say so."""


class InvalidValueError(DebugModeError):
    """A step's result is not a value of the type it was declared with."""


_KINDS: dict[str, type[WatchedFunction]] = {"nan": NanGuardFunction, "monitor": MonitorFunction}


def watched_function(recipe: Recipe, states: Mapping[int, SharedVariable], profile: Profile | None = None) -> Function:
    """A function that watches itself run, as its mode asks."""
    kind = _KINDS.get(recipe.mode.watch, DebugFunction)
    if profile is not None:
        kind = type(f"Profiled{kind.__name__}", (ProfiledFunction, kind), {})
    return kind(recipe, states, profile)


class DebugFunction(WatchedFunction):
    """A function under DebugMode."""

    def __init__(self, recipe: Recipe, states: Mapping[int, SharedVariable], profile: Profile | None = None) -> None:
        super().__init__(recipe, states, profile)
        expressions = [*(o.variable for o in recipe.outputs), *(e for _, e in recipe.updates), *recipe.next_states]
        self._expressions = expressions
        self._written = build(_without_effects(recipe, expressions)).program.run

    def record(self, values: list[Any]) -> Record:
        return _Record(self, values)

    def as_written(self, values: Sequence[Any]) -> list[Any] | None:
        """Outputs, updates and next states as the unrewritten expressions give them; None when they cannot be had."""
        try:
            with np.errstate(all="ignore"):
                return list(self._written(*[copy.deepcopy(v) for v in values]))
        except Exception:  # the program itself will raise it, or has been freed of what raised it
            return None

    def results(self) -> list[tuple[str, Variable, Variable]]:
        """For each output, update and state: what it is called, the variable of the plan, and the user's expression."""
        plan = self.plan
        named = [(f"output {i}", o.variable) for i, o in enumerate(plan.outputs)]
        named += [(f"the update of {u.target}", u.variable) for u in plan.updates]
        return [(what, v, e) for (what, v), e in zip(named, self._expressions, strict=True)]

    def without_stabilising(self, values: Sequence[Any]) -> list[Any] | None:
        """The same results by all rules but the stabilising laws, which are meant to change what rounding spoilt."""
        laws = {rule.name for rule in STABILIZE}
        if laws.isdisjoint(fired.rule for fired in self.fired):
            return None
        mode = replace(self.recipe.mode.excluding(*laws), watch="")
        return _computed(replace(_without_effects(self.recipe, self._expressions), mode=mode), values)

    def guilty(self, values: Sequence[Any]) -> list[Fired]:
        """The firings that changed a value."""
        bare = replace(self.recipe, inputs=[In(v) for v in self.plan.inputs], givens={})
        found = []
        for fired in self.fired:
            sides = _computed(_without_effects(bare, [fired.before, fired.after]), values)
            if sides is not None and not agree(fired.before.type, *sides):
                found.append(fired)
        return found


def _computed(recipe: Recipe, values: Sequence[Any]) -> list[Any] | None:
    """The outputs of a recipe; None where they cannot be had."""
    try:
        with np.errstate(all="ignore"):
            return list(build(recipe).program.run(*[copy.deepcopy(v) for v in values]))
    except Exception:
        return None


def _without_effects(recipe: Recipe, expressions: Sequence[Variable]) -> Recipe:
    """A recipe for some expressions, unrewritten, that changes nothing."""
    inputs = []
    for entry in recipe.inputs:
        plain = copy.copy(entry)
        plain.update, plain.mutable, plain.implicit = None, False, False
        inputs.append(plain)
    return replace(recipe, inputs=inputs, outputs=[Out(e) for e in expressions], form=list(range(len(expressions))),
                   updates=(), mode=replace(UNREWRITTEN, linker=recipe.mode.linker), on_unused_input="ignore")


def agree(kind: Type, written: Any, found: Any) -> bool:
    """Whether a result is what it should be. Where that is not finite, a finite result may stand in its place."""
    if kind.values_eq_approx(written, found):
        return True
    a, b = np.asarray(written), np.asarray(found)
    if a.dtype != b.dtype or a.shape != b.shape or a.dtype.kind not in "fc":
        return False
    better = ~np.isfinite(a) & np.isfinite(b)
    return bool(better.any()) and kind.values_eq_approx(np.where(better, 0, a).astype(a.dtype),
                                                        np.where(better, 0, b).astype(b.dtype))


class _Record:
    """One call: the values there are, with copies of them as they were made."""

    def __init__(self, function: DebugFunction, values: list[Any]) -> None:
        self.function = function
        self.label = function.recipe.label
        self.arguments = [copy.deepcopy(v) for v in values]
        self.values: dict[Variable, Any] = {}
        self.copies: dict[Variable, Any] = {}
        self.given = values

    def begin(self) -> None:
        plan = self.function.plan
        for variable, value in zip(plan.inputs, self.given, strict=True):
            self._note(variable, value)
        for shared in plan.shared:
            self._note(shared, shared.container.on_host())
        for constant in plan.constants:
            self._note(constant, constant.data)
        self.written = self.function.as_written(self.arguments)
        for shared in plan.shared:
            if shared.container.memory is None and shared.container.value is not self.values[shared]:
                self.written = None  # an operation that updates shared variables itself: no two runs are alike
                self._note(shared, shared.container.value)
        if not plan.steps:
            self._compare()

    def _note(self, variable: Variable, value: Any) -> None:
        self.values[variable] = value
        self.copies[variable] = copy.deepcopy(value)

    def after_step(self, step: Step, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        for position, (variable, value) in enumerate(zip(step.node.outputs, outputs, strict=True)):
            self._check_type(step, variable, value)
            self._check_view(step, position, value)
        self._check_perform(step, outputs)
        self._forget(step)
        self._check_unchanged(step)
        for variable, value in zip(step.node.outputs, outputs, strict=True):
            self._note(variable, value)
        if step is self.function.plan.steps[-1]:
            self._compare()

    def _say(self, step: Step, text: str) -> str:
        return f"{text}\n  in {place_of(step)}, step {step.index} of {self.label}"

    def _check_type(self, step: Step, variable: Variable, value: Any) -> None:
        kind = variable.type
        if isinstance(kind, TensorType):
            fits = isinstance(value, (np.ndarray, np.generic)) and value.dtype == kind.numpy_dtype and (
                value.ndim == kind.ndim and all(n in (None, m) for n, m in zip(kind.shape, value.shape, strict=True)))
        else:
            try:
                kind.filter(value, strict=True)
                fits = True
            except (TypeError, ValueError):
                fits = False
        if not fits:
            raise InvalidValueError(self._say(step, f"{step.node.op} gave {describe_value(value)} instead of {kind}"))

    def _check_view(self, step: Step, position: int, value: Any) -> None:
        """A result that is no declared view must have memory of its own, or that of an input it was written over."""
        op = step.node.op
        shared = {*op.view_map.get(position, ()), *op.destroy_map.get(position, ())} - set(step.copies)
        allowed = {id(self.function.plan.blocks[step.node.inputs[i]]) for i in shared}
        if isinstance(step.into, Variable):
            allowed.add(id(self.function.plan.blocks[step.into]))
        for variable in step.node.inputs:
            if id(self.function.plan.blocks[variable]) not in allowed and _overlap(self.values[variable], value):
                raise BadViewMap(self._say(
                    step, f"output {position} of {op} shares memory with its input {clip(brief(variable, 1), 48)}, but "
                    "its view_map does not say so. Return a copy, or declare view_map"))

    def _check_perform(self, step: Step, outputs: tuple[Any, ...]) -> None:
        """Our own operations have two meanings, that of the backend and that of `perform`; they must be one."""
        op = step.node.op
        if not type(op).__module__.startswith("symgraph."):
            return
        inputs = [np.array(c) if isinstance(v.type, TensorType) else c
                  for v, c in ((v, self.copies[v]) for v in step.node.inputs)]
        storage: list[list[Any]] = [[None] for _ in outputs]
        try:
            with np.errstate(all="ignore"):
                op.perform(step.node, inputs, storage)
        except NotImplementedError:
            return
        for position, (variable, value) in enumerate(zip(step.node.outputs, outputs, strict=True)):
            if not variable.type.values_eq_approx(storage[position][0], value):
                raise BadThunkOutput(self._say(
                    step, f"output {position} of {op} is {describe_value(value)}, but its perform gives "
                    f"{describe_value(storage[position][0])}{_difference(storage[position][0], value)}"))

    def _forget(self, step: Step) -> None:
        """Drop what may be overwritten from now on."""
        blocks = self.function.plan.blocks
        for variable in list(self.values):
            block = blocks.get(variable)
            if block is not None and block.dies <= step.index and (block.home is Home.OWN or block.writable):
                del self.values[variable], self.copies[variable]

    def _check_unchanged(self, step: Step) -> None:
        for variable, value in self.values.items():
            if not _identical(value, self.copies[variable]):
                what = "its input" if variable in step.node.inputs else "a value it does not even read,"
                raise BadDestroyMap(self._say(
                    step, f"{step.node.op} changed {what} {clip(brief(variable, 1), 48)}, declared or built at "
                    f"{line_of(variable)}, without the right to{_difference(self.copies[variable], value)}. "
                    "Work on a copy, or declare destroy_map"))

    def _compare(self) -> None:
        """Outputs and updates against those of the expression as written."""
        if self.written is None:
            return
        for place, (what, variable, expression) in enumerate(self.function.results()):
            value, written = self.values[variable], self.written[place]
            if agree(variable.type, written, np.asarray(value) if isinstance(variable.type, TensorType) else value):
                continue
            plain = self.function.without_stabilising(self.arguments)
            if plain is not None and agree(variable.type, written, plain[place]):
                continue
            guilty = self.function.guilty(self.arguments)
            lines = [
                f"{what} of {self.label} is not that of the expression as written,",
                f"  {clip(brief(expression, 2))}, built at {line_of(expression)}",
                f"  as written: {describe_value(written)}",
                f"  rewritten:  {describe_value(value)}{_difference(written, value)}",
            ]
            if guilty:
                lines.append("  The value was changed by:")
                lines += [f"    {clip(str(fired), 160)}" for fired in guilty[:3]]
            else:
                names = ", ".join(dict.fromkeys(fired.rule for fired in self.function.fired)) or "none"
                lines.append(f"  Rules that fired: {clip(names, 200)}")
            raise BadOptimization("\n".join(lines))


def _overlap(a: Any, b: Any) -> bool:
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)) or not np.may_share_memory(a, b):
        return False
    try:
        return np.shares_memory(a, b, max_work=100_000)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return False


def _identical(a: Any, b: Any) -> bool:
    if isinstance(a, (np.ndarray, np.generic)):
        return bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))
    return bool(a == b)


def _difference(a: Any, b: Any) -> str:
    """Where two arrays of one shape differ most, as text."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.size == 0 or a.ndim == 0 or a.dtype.kind not in "iufc" or b.dtype.kind not in "iufc":
        return ""
    with np.errstate(all="ignore"):
        gap = np.abs(np.subtract(b, a, dtype=np.complex128 if "c" in a.dtype.kind + b.dtype.kind else np.float64))
    gap = np.where(np.isnan(gap), np.inf, gap)
    place = tuple(int(i) for i in np.unravel_index(int(gap.argmax()), gap.shape))
    return f"; most at {list(place)}: {a[place]:.6g} and {b[place]:.6g}"
