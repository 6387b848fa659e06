"""What a scan means: the same step function, in a plain Python loop over NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = Any


class Stop:
    """What a step function of arrays returns to stop."""

    def __init__(self, condition: Any) -> None:
        self.condition = bool(condition)


def python_scan(fn: Callable[..., Any], sequences: Sequence[tuple[Array, Sequence[int]]] = (),
                outputs_info: Sequence[tuple[Array, Sequence[int]] | None] = (), non_sequences: Sequence[Array] = (),
                n_steps: int | None = None, go_backwards: bool = False) -> list[Array]:
    """The outputs of all steps, each stacked.

    `fn` returns a list of outputs, with a `Stop` last where there is a condition.
    """
    counts = []
    for x, taps in sequences:
        before, behind = max(0, -min(taps)), max(0, *taps)
        counts.append(len(x) - before - behind)
    steps = min(counts) if n_steps is None else n_steps
    collected: list[list[Array]] = []
    past: list[list[Array]] = []
    for info in outputs_info:
        collected.append([])
        if info is None:
            past.append([])
        else:
            initial, taps = info
            past.append([initial] if list(taps) == [-1] else list(initial))
    for t in range(steps):
        arguments = []
        for (x, taps), count in zip(sequences, counts, strict=True):
            place = count - 1 - t if go_backwards else t
            arguments += [x[place + max(0, -min(taps)) + tap] for tap in taps]
        for info, values in zip(outputs_info, past, strict=True):
            if info is not None:
                depth = -min(info[1])
                arguments += [values[t + depth + tap] for tap in info[1]]
        found = fn(*arguments, *non_sequences)
        stop = isinstance(found[-1], Stop) and found[-1].condition
        outputs = [v for v in found if not isinstance(v, Stop)]
        for values, row, v in zip(past, collected, outputs, strict=True):
            values.append(v)
            row.append(v)
        if stop:
            break
    return [np.stack(row) if row else np.zeros(0) for row in collected]


def slopes(cost: Callable[..., float], values: Sequence[Array], places: Sequence[int],
           step: float = 1e-6) -> list[Array]:
    """The derivatives of a cost by some of its arguments, by central differences."""
    found = []
    for place in places:
        base = np.array(values[place], dtype=np.float64)
        slope = np.zeros_like(base)
        for index in np.ndindex(base.shape):
            results = []
            for sign in (1, -1):
                moved = base.copy()
                moved[index] += sign * step
                results.append(cost(*[moved if i == place else v for i, v in enumerate(values)]))
            slope[index] = (results[0] - results[1]) / (2 * step)
        found.append(slope)
    return found
