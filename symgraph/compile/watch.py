"""Functions that are looked on while they run: what DebugMode and NanGuardMode have in common."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Protocol

from symgraph.compile.build import Built, acceptors, build
from symgraph.compile.function import Function
from symgraph.compile.profile import Profile
from symgraph.compile.recipe import Recipe
from symgraph.plan import Step
from symgraph.shared import SharedVariable

__all__ = ["Finding", "Record", "WatchedFunction"]


class Finding(Exception):
    """Base of what a watch raises: it says everything itself."""


class Record(Protocol):
    """What is noted of one call."""

    def begin(self) -> None:
        """Look at what the call starts from."""

    def after_step(self, step: Step, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        """Look at what a step has made."""


class _Records(threading.local):
    """The calls under way in a thread, the innermost last."""

    def __init__(self) -> None:
        self.stack: list[Record] = []


class WatchedFunction(Function):
    """A function whose calls are looked on. Each call, in each thread and within another call, has its own record.

    During a call nobody else changes a shared variable it uses, so that what is compared belongs together.
    """

    def __init__(self, recipe: Recipe, states: Mapping[int, SharedVariable], profile: Profile | None = None) -> None:
        self._records = _Records()
        built = build(recipe, self._monitor(recipe), list(states.values()), profile)
        self._program, self._acceptors = built.program.run, acceptors(recipe)
        super().__init__(recipe, built, states, profile)
        used = dict.fromkeys([*self.plan.shared, *(u.target for u in self.plan.updates)])
        self._used = sorted(used, key=lambda variable: variable.container.serial)

    def _monitor(self, recipe: Recipe) -> Any:
        """What the program calls after each step."""
        records = self._records

        def after_step(step: Step, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
            records.stack[-1].after_step(step, inputs, outputs)

        return after_step

    def _set_up(self) -> None:
        super()._set_up()
        self._target = self._watched

    def _watched(self, *arguments: Any) -> Any:
        values = [accept(value) for accept, value in zip(self._acceptors, arguments, strict=True)]
        with ExitStack() as held:
            for variable in self._used:
                held.enter_context(variable.container.lock)
            record = self.record(values)
            record.begin()
            self._records.stack.append(record)
            try:
                return self._program(*values)
            finally:
                self._records.stack.pop()

    def record(self, values: list[Any]) -> Record:
        """A new record for a call with these arguments."""
        raise NotImplementedError

    def _explain(self, error: Exception) -> None:
        if not isinstance(error, Finding):
            super()._explain(error)

    @property
    def built(self) -> Built:
        """Graph, fired rules, plan and program."""
        return self._built
