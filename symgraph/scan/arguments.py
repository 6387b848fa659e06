"""What users pass to `scan`, and what their functions return, read and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgraph.graph.basic import Constant, Variable
from symgraph.shared import SharedVariable
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.type import TensorType

__all__ = ["Info", "Result", "Taken", "number_of_steps", "parse_infos", "parse_result", "parse_sequences", "until"]


class until:
    """What a step function returns, beside its outputs, to end the loop after the step in which a condition holds.

    Parameters
    ----------
    condition : scalar

    Raises
    ------
    TypeError
        When the condition is not a scalar.

    Examples
    --------
    >>> import symgraph as sg, symgraph.tensor as T
    >>> def step(h):
    ...     return h * 2, until(h * 2 > 50)
    >>> powers, _ = sg.scan(step, outputs_info=T.constant(1), n_steps=1000)
    >>> powers.eval()
    array([ 2,  4,  8, 16, 32, 64])
    """

    def __init__(self, condition: Any) -> None:
        self.condition = as_tensor_variable(condition)
        if self.condition.type.ndim:
            raise TypeError(f"until: the condition must be a scalar, not {self.condition.type}. Use its all() or any()")


@dataclass(frozen=True)
class Taken:
    """What a step takes of a sequence: its element a fixed distance from the present one.

    Attributes
    ----------
    sequence : Variable
    label : str
        What the user calls the sequence.
    tap : int
        The distance.
    start, end : int
        How many elements before the first and behind the last that are taken so.
    """

    sequence: Any
    label: str
    tap: int
    start: int
    end: int

    @property
    def name(self) -> str:
        """Of the element in the graph of a step."""
        return f"{self.label}[t{self.tap:+d}]" if self.tap else f"{self.label}[t]"

    def rows(self) -> Any:
        """The sequence from the first such element to the last."""
        if not self.start and not self.end:
            return self.sequence
        return self.sequence[self.start: -self.end if self.end else None]


@dataclass(frozen=True)
class Info:
    """An output of a step, and what of it later steps read.

    Attributes
    ----------
    initial : Variable or None
        With several taps, or one other than -1, the values before the first step, in order.
    lags : tuple of int
        How many steps back it is read, in the order of the step's arguments; none for what is only collected.
    label : str
    """

    initial: Any
    lags: tuple[int, ...]
    label: str

    @property
    def depth(self) -> int:
        """How far back it is read."""
        return max(self.lags, default=0)

    def before(self, lag: int) -> Any:
        """The value so many steps before the first."""
        return self.initial if self.lags == (1,) else self.initial[self.depth - lag]


@dataclass(frozen=True)
class Result:
    """What a step function returned."""

    outputs: list[Any]
    updates: list[tuple[SharedVariable, Any]]
    condition: Any
    several: bool


def as_list(values: Any) -> list[Any]:
    """One thing or several as a list; None as an empty one."""
    if values is None:
        return []
    return list(values) if isinstance(values, (list, tuple)) else [values]


def _taps(given: Any, who: str) -> list[int]:
    taps = as_list(given)
    for tap in taps:
        if not isinstance(tap, (int, np.integer)) or isinstance(tap, bool):
            raise TypeError(f"scan, {who}: taps are integers, not {tap!r}")
    if len(set(taps)) < len(taps):
        raise ValueError(f"scan, {who}: a tap is given twice in {taps}")
    return [int(tap) for tap in taps]


def _entries(given: Any, known: Sequence[str], who: str) -> dict[str, Any]:
    if isinstance(given, Mapping):
        unknown = set(given) - set(known)
        if unknown:
            raise ValueError(f"scan, {who}: it has no entry {sorted(map(str, unknown))[0]!r}; there are "
                             f"{', '.join(map(repr, known))}")
        return dict(given)
    return {known[0]: given}


def _tensor(value: Any, who: str) -> Any:
    try:
        variable = value if isinstance(value, Variable) else as_tensor_variable(value)
    except TypeError as error:
        raise TypeError(f"scan, {who}: {error}") from None
    if not isinstance(variable.type, TensorType):
        raise TypeError(f"scan, {who}: it must be a tensor, not {variable.type}")
    return variable


def parse_sequences(sequences: Any) -> list[Taken]:
    """The argument ``sequences``: for each the elements a step takes of it.

    Raises
    ------
    TypeError, ValueError
        When one is no tensor, has no axis, or is too short for its taps.
    """
    found = []
    for place, given in enumerate(as_list(sequences)):
        who = f"sequence {place}"
        entries = _entries(given, ("input", "taps"), who)
        if entries.get("input") is None:
            raise ValueError(f"scan, {who}: it is a dict without an 'input'")
        x = _tensor(entries["input"], who)
        label = x.name or f"sequence{place}"
        who = f"{who} ({x.name})" if x.name else who
        if x.type.ndim == 0:
            raise TypeError(f"scan, {who}: a sequence has a first axis to go along, but this is a scalar, {x.type}. "
                            "Pass it in non_sequences")
        taps = _taps(entries.get("taps", 0), who)
        before, behind = max(0, -min(taps, default=0)), max(0, *taps, 0)
        length = x.type.shape[0]
        if length is not None and length < before + behind:
            raise ValueError(f"scan, {who}: taps {taps} need at least {before + behind} elements, but it has {length}")
        found += [Taken(x, label, tap, before + tap, behind - tap) for tap in taps]
    return found


def parse_infos(outputs_info: Any) -> list[Info]:
    """The argument ``outputs_info``: for each output of a step its initial value, and how far back it is read.

    Raises
    ------
    TypeError, ValueError
        When taps are not negative, or the initial value has too few rows for them.
    """
    found = []
    for place, given in enumerate(as_list(outputs_info)):
        who = f"output {place}"
        entries = _entries(given, ("initial", "taps", "inplace"), who)
        initial, taps = entries.get("initial"), _taps(entries.get("taps", -1), who)
        if initial is None:
            if "taps" in entries and taps:
                raise ValueError(f"scan, {who}: taps {taps} are given but no 'initial' value to begin with")
            found.append(Info(None, (), f"output{place}"))
            continue
        initial = _tensor(initial, f"initial state of {who}")
        label = initial.name or f"output{place}"
        who = f"{who} ({initial.name})" if initial.name else who
        if any(tap >= 0 for tap in taps):
            raise ValueError(f"scan, {who}: taps {taps} must be negative: a step can read earlier values only")
        info = Info(initial, tuple(-tap for tap in taps), label)
        if taps and taps != [-1]:
            _check_rows(info, taps, who)
        found.append(info)
    return found


def _check_rows(info: Info, taps: list[int], who: str) -> None:
    kind = info.initial.type
    if kind.ndim == 0:
        raise ValueError(f"scan, {who}: taps {taps} read {info.depth} values before the first step, so the initial "
                         f"state must have an axis for them in front, but it is {kind}")
    if kind.shape[0] is not None and kind.shape[0] < info.depth:
        raise ValueError(f"scan, {who}: taps {taps} read {info.depth} values before the first step, but the initial "
                         f"state has {kind.shape[0]}")


def number_of_steps(n_steps: Any, rows: Sequence[tuple[Taken, Any]]) -> Any:
    """How many steps to make, as an integer or a symbolic one.

    Raises
    ------
    TypeError, ValueError
        When `n_steps` is no integer, is negative, or a sequence is known to be shorter.
    """
    if n_steps is None:
        if not rows:
            raise ValueError("scan: nothing says how many steps to make: pass n_steps, or a sequence")
        lengths = [x.type.shape[0] for _, x in rows]
        known = {n for n in lengths if n is not None}
        if None not in lengths:
            return min(known)
        shortest: Any = min(known) if known else None
        for n, (_, x) in zip(lengths, rows, strict=True):
            if n is None:
                from symgraph.tensor.math import minimum
                from symgraph.tensor.shape import shape_i

                shortest = shape_i(x, 0) if shortest is None else minimum(shortest, shape_i(x, 0))
        return shortest
    variable = n_steps if isinstance(n_steps, Variable) else None
    if variable is None:
        if isinstance(n_steps, (bool, float, np.floating)) or np.ndim(n_steps) or not np.issubdtype(
                np.asarray(n_steps).dtype, np.integer):
            raise TypeError(f"scan: n_steps must be an integer, not {n_steps!r}")
        steps: Any = int(n_steps)
    elif variable.type.ndim or not variable.type.is_discrete or variable.type.dtype == "bool":
        raise TypeError(f"scan: n_steps must be an integer scalar, not {variable.type}")
    else:
        steps = int(variable.data) if isinstance(variable, Constant) else variable
    if isinstance(steps, int):
        if steps < 0:
            raise ValueError(f"scan: n_steps must not be negative, but is {steps}. To go through sequences from their "
                             "end, pass go_backwards=True")
        for taken, x in rows:
            if x.type.shape[0] is not None and x.type.shape[0] < steps:
                raise ValueError(f"scan: n_steps is {steps}, but the sequence {taken.label} has elements for "
                                 f"{x.type.shape[0]} steps only")
    return steps


def parse_result(returned: Any) -> Result:
    """What a step function returned: outputs, updates and a condition, in any of the forms there are.

    Raises
    ------
    TypeError
        When something is updated that is no shared variable, or an output is no tensor.
    ValueError
        When there are two conditions, or a variable is updated twice.
    """
    outputs: list[Any] = []
    updates: dict[SharedVariable, Any] = {}
    conditions: list[Any] = []
    several = False

    def enter(part: Any, top: bool) -> None:
        nonlocal several
        if part is None:
            return
        if isinstance(part, until):
            conditions.append(part.condition)
        elif isinstance(part, Mapping) or _are_pairs(part):
            for target, value in part.items() if isinstance(part, Mapping) else part:
                _enter_update(updates, target, value)
        elif isinstance(part, (list, tuple)):
            several = several or top or bool(part)
            for inside in part:
                enter(inside, False)
        else:
            outputs.append(_tensor(part, f"what the step function returns as output {len(outputs)}"))

    enter(returned, True)
    if len(conditions) > 1:
        raise ValueError("scan: the step function returned two conditions to stop: combine them with T.or_")
    return Result(outputs, list(updates.items()), conditions[0] if conditions else None, several)


def _are_pairs(part: Any) -> bool:
    """Whether something is a list of updates."""
    return isinstance(part, (list, tuple)) and bool(part) and all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], SharedVariable) for pair in part)


def _enter_update(updates: dict[SharedVariable, Any], target: Any, value: Any) -> None:
    if not isinstance(target, SharedVariable):
        kind = f" of type {target.type}" if isinstance(target, Variable) else f", a {type(target).__name__}"
        raise TypeError(f"scan: the step function updates {target}{kind}: only shared variables can be updated. Return "
                        "it as an output with an initial value in outputs_info instead")
    if target in updates:
        raise ValueError(f"scan: the step function updates {target} twice")
    updates[target] = value


def leaves_of(variables: Iterable[Variable]) -> list[Variable]:
    """The inputs of expressions that are no constants."""
    from symgraph.graph.traversal import graph_inputs

    return [v for v in graph_inputs(variables) if not isinstance(v, Constant)]
