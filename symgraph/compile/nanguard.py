"""NanGuardMode: stop at the step where numbers go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgraph.compile.errors import clip, describe_value, line_of, place_of
from symgraph.compile.mode import LARGE_INSIDE, Mode
from symgraph.compile.watch import Finding, Record, WatchedFunction
from symgraph.graph.basic import Variable
from symgraph.graph.rewrite import brief
from symgraph.plan import Step

__all__ = ["BIG", "NanGuardError", "NanGuardFunction", "NanGuardMode"]

#: Beyond this a number counts as huge.
BIG = 1e10


class NanGuardError(Finding, FloatingPointError):
    """A step made a NaN, an infinity or a huge number from good numbers."""


def NanGuardMode(nan_is_error: bool = True, inf_is_error: bool = True, big_is_error: bool = True,
                 optimizer: str | None = "FAST_RUN", linker: str | None = None) -> Mode:
    """The mode that stops at the first step which makes a NaN, an infinity or a number beyond 1e10 from good ones.

    A NaN that is passed as an argument, or kept in a shared variable, is reported too; infinities and large numbers
    there are taken as meant. The error is a `FloatingPointError`, and nothing is updated.

    Parameters
    ----------
    nan_is_error, inf_is_error, big_is_error : bool
        What to stop at.
    optimizer, linker : str, optional
        As for `Mode`.

    Examples
    --------
    >>> import numpy as np, symgraph as sg, symgraph.tensor as T
    >>> x = T.dscalar("x")
    >>> f = sg.function([x], T.log(x), mode=NanGuardMode())
    >>> float(f(1.0))
    0.0
    """
    wanted = {"nan": nan_is_error, "inf": inf_is_error, "big": big_is_error}
    return Mode(linker=linker, optimizer=optimizer, name="NanGuardMode", watch="nan", excluded=LARGE_INSIDE,
                guards=frozenset(name for name, error in wanted.items() if error))


_TESTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "nan": (np.isnan, "NaN"),
    "inf": (np.isinf, "infinity"),
    "big": (lambda a: np.isfinite(a) & (np.abs(a) > BIG), f"a number beyond {BIG:g}"),
}


def fault_in(value: Any, guards: frozenset[str]) -> tuple[str, tuple[int, ...]] | None:
    """What is wrong with the numbers of a value, if anything, and where the first such number stands."""
    array = np.asarray(value)
    if array.dtype.kind not in "fc" or array.size == 0:
        return None
    with np.errstate(all="ignore"):
        for name, (test, what) in _TESTS.items():
            if name in guards:
                bad = test(array)
                if bad.any():
                    first = tuple(int(i) for i in np.argwhere(bad)[0])
                    count = f" at {int(bad.sum())} of {array.size} places, first at {list(first)}" if array.ndim else ""
                    return what + count, first
    return None


class _Record:
    """One call. A value is judged once, when it is made: later its memory may serve something else."""

    def __init__(self, function: NanGuardFunction, values: list[Any]) -> None:
        self.function = function
        self.guards = function.recipe.mode.guards
        self.values = values
        self.faulty: set[Variable] = set()
        self.kept: dict[Variable, Any] = {}  # copies of what the step that reads it last will write over

    def begin(self) -> None:
        plan = self.function.plan
        given = [(v, f"argument {i} ({v.name or 'unnamed'})", value)
                 for i, (v, value) in enumerate(zip(plan.inputs, self.values, strict=True))]
        given += [(s, f"shared variable {s} ({line_of(s)})", s.get_value(borrow=True)) for s in plan.shared]
        for variable, what, value in given:
            found = fault_in(value, self.guards & {"nan"})
            if found is not None:
                raise NanGuardError(f"{self.function.recipe.label}: {what} holds {found[0]}")
            self._note(variable, value)
        for constant in plan.constants:
            self._note(constant, constant.data)

    def _note(self, variable: Variable, value: Any) -> None:
        if fault_in(value, self.guards) is not None:
            self.faulty.add(variable)
        if variable in self.function.overwritten:
            self.kept[variable] = np.array(value)

    def after_step(self, step: Step, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        allowed = not self.faulty.isdisjoint(step.node.inputs) or getattr(step.node.op, "uninitialized", False)
        for variable, value in zip(step.node.outputs, outputs, strict=True):
            found = fault_in(value, self.guards)
            if found is not None and not allowed:
                raise NanGuardError(self._message(step, found, inputs))
            self._note(variable, value)

    def _message(self, step: Step, found: tuple[str, tuple[int, ...]], inputs: tuple[Any, ...]) -> str:
        what, where = found
        lines = [f"{what}, made by {place_of(step)}, of {self.function.recipe.label}, from"]
        for variable, value in list(zip(step.node.inputs, inputs, strict=True))[:8]:
            value = self.kept.get(variable, value)
            lines.append(f"  {clip(brief(variable, 1), 48)}: {_summary(value, where)}")
        return "\n".join(lines)


def _summary(value: Any, where: tuple[int, ...]) -> str:
    text = describe_value(value)
    if isinstance(value, np.ndarray) and value.size > 4 and value.dtype.kind in "iuf":
        text += f", from {value.min():.6g} to {value.max():.6g}"
        if value.ndim == len(where) and all(i < n for i, n in zip(where, value.shape, strict=True)):
            text += f", {value[where]:.6g} at {list(where)}"
    return text


class NanGuardFunction(WatchedFunction):
    """A function under NanGuardMode."""

    @property
    def overwritten(self) -> set[Variable]:
        """Variables whose memory the step that reads them last writes over."""
        found: set[Variable] | None = self.__dict__.get("_overwritten")
        if found is None:
            found = self._overwritten = {step.into for step in self.plan.steps if isinstance(step.into, Variable)}
            for step in self.plan.steps:
                found.update(step.node.inputs[i] for places in step.node.op.destroy_map.values() for i in places)
        return found

    def record(self, values: list[Any]) -> Record:
        return _Record(self, values)
