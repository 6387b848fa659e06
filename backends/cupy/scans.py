"""Loops on a device: the host goes through the steps and launches what each of them needs.

How many steps there are the host knows, so a loop without a condition to stop is launched as one straight line, and can
be recorded like anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.cupy import runtime
from backends.cupy.lowering import lower
from backends.source import tuple_text
from symgraph.graph.basic import Apply
from symgraph.plan import Loop
from symgraph.plan.loop import check_length, check_steps, state_changes

if TYPE_CHECKING:
    from backends.cupy.render import Renderer

__all__ = ["Looping"]


@lower(Loop)
def _loop(r: Renderer, node: Apply) -> str:
    op = node.op
    assert isinstance(op, Loop)
    given, slots = op.inputs(node.inputs), op.slots
    on_host = {slot for slot, v in zip(slots.fixed, given.fixed, strict=True) if r.placement.is_on_host(v)}
    step = r.nested(op.plan, on_host)
    entry = r.entries[-1]
    entry.device, entry.kernel = "device", "its steps, one after the other"
    entry.transfers += [f"{text}, in each step" for part in step.entries for text in part.transfers]
    r.direct += step.direct
    if op.until:
        r.synchronises("the condition of a loop to the host")
    looping = Looping(op, step)
    entry.made = looping
    values = [r.dev(v) for v in (*given.sequences, *given.states)]
    values += [r.host(v) if slot in on_host else r.dev(v) for slot, v in zip(slots.fixed, given.fixed, strict=True)]
    return f"{r.writer.bind(looping, 'loop')}({r.d}, {r.number(given.steps)}, {tuple_text(values)})"


class Looping:
    """A loop of a program.

    Parameters
    ----------
    op : Loop
    step : Renderer
        That has written the program of a step.
    """

    def __init__(self, op: Loop, step: Renderer) -> None:
        self.op, self.step, self.device = op, step, step.device
        namespace = step.writer.compile(f"{op}")
        self._arguments, self._launches = namespace["arguments"], namespace["launches"]
        self.steps = 0  # of the last run

    @property
    def launches(self) -> int:
        """How many kernels it launched last."""
        return self.steps * sum(entry.launches for entry in self.step.entries)

    def __call__(self, d: Any, steps: int, values: Sequence[Any]) -> Any:
        op = self.op
        parts = op.inputs([steps, *values])
        check_steps(str(op), steps)
        for x, slot in zip(parts.sequences, op.slots.sequences, strict=True):
            check_length(str(op), slot, x.shape[0], steps)
        states, made, rows = list(parts.states), 0, _Rows(d, op, parts.states, steps)
        while made < steps:
            row = steps - 1 - made if op.backwards else made
            found, _ = self._launches(d, *self._arguments(*(x[row] for x in parts.sequences), *states, *parts.fixed))
            self._check(states, found)
            states, made = list(found[:op.n_states]), made + 1
            rows.add(made, row, found)
            if op.until and bool(runtime.fetch(self.device, found[-1])):
                break
        self.steps = made
        finals = [_copy(d, state) for state in states]
        results = [*finals, *rows.histories(made), *rows.traces(made, values)]
        if op.until:
            results.append(d.to_device(np.asarray(made)))
        return results[0] if len(results) == 1 else tuple(results)

    def _check(self, states: Sequence[Any], found: Sequence[Any]) -> None:
        """A state keeps its shape, unless no step reads it."""
        for slot, before, after in zip(self.op.slots.states, states, found, strict=False):
            if before.shape != after.shape and slot in self.op.read:
                state_changes(str(slot), before.shape, after.shape)


class _Rows:
    """The arrays that a loop fills row by row."""

    def __init__(self, d: Any, op: Loop, states: Sequence[Any], steps: int) -> None:
        self.d, self.op, self.steps = d, op, steps
        self.kept = {i: d.empty((steps + 1, *states[i].shape), states[i].dtype)
                     for i, kept in enumerate(op.kept) if kept}
        for i, array in self.kept.items():
            d.copy(array[0], states[i])
        self.traced: list[Any] = []

    def add(self, made: int, row: int, found: Sequence[Any]) -> None:
        """Keep what a step has made."""
        for i, array in self.kept.items():
            self.d.copy(array[made], found[i])
        traced = found[self.op.n_states:self.op.n_states + self.op.n_traces]
        if not self.traced:
            self.traced = [self.d.empty((self.steps, *v.shape), v.dtype) for v in traced]
        for array, value in zip(self.traced, traced, strict=True):
            if array.shape[1:] != value.shape:
                raise ValueError(f"{self.op}: the collected values have different shapes and cannot be stacked: "
                                 f"{array.shape[1:]} and {value.shape}")
            self.d.copy(array[row], value)

    def histories(self, made: int) -> list[Any]:
        """The values of states, the initial one first."""
        return [array if made == self.steps else _copy(self.d, array[:made + 1]) for array in self.kept.values()]

    def traces(self, made: int, values: Sequence[Any]) -> list[Any]:
        """What was collected."""
        if made:
            return [array if made == self.steps else _copy(
                self.d, array[self.steps - made:] if self.op.backwards else array[:made]) for array in self.traced]
        shapes = self.op.shapes_of_traces([0, *values])
        dtypes = [v.type.numpy_dtype for v in self.op.traced]
        return [self.d.empty((0, *shape), dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]


def _copy(d: Any, array: Any) -> Any:
    made = d.empty(array.shape, array.dtype)
    d.copy(made, array)
    return made
