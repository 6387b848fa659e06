"""Timing one rival: short rounds of calls, the device idle before and after each."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.gpu.workloads import Workload

__all__ = ["Maker", "Rival", "measure"]


@dataclass(frozen=True)
class Rival:
    """One way of doing a workload.

    Attributes
    ----------
    call : callable
        Does `steps` steps. It need not wait until they are done.
    finish : callable
        Waits until the device has nothing left to do.
    result : callable
        The arrays that are compared with the workload's answer; makes one call of its own, the first.
    steps : int
        Of a call.
    facts : callable, optional
        What else is to be reported, asked after the last call: launches of a step, say.
    """

    call: Callable[[], object]
    finish: Callable[[], object]
    result: Callable[[], Sequence[Any]]
    steps: int = 1
    facts: Callable[[], dict[str, Any]] | None = None


#: Of one library: from a workload and a precision of products to its variants, by name.
Maker = Callable[[Workload, str], Iterator[tuple[str, Callable[[], Rival]]]]


def measure(rival: Rival, seconds: float, rounds: int = 30, warm_up: int = 20) -> dict[str, float]:
    """Time a rival.

    Parameters
    ----------
    rival : Rival
    seconds : float
        About how long all may take.
    rounds, warm_up : int
        Timed rounds, and calls before them.

    Returns
    -------
    dict
        Microseconds a step: ``median``, ``min`` and ``p90`` of the rounds, and how many ``rounds`` of how many
        ``calls``.
    """
    started = time.perf_counter()
    for count in range(warm_up):
        rival.call()
        if count >= 2:
            rival.finish()
            if time.perf_counter() - started > seconds / 4:
                break
    rival.finish()
    calls = _calls_lasting(rival, seconds / (2 * rounds))
    times: list[float] = []
    started = time.perf_counter()
    while len(times) < rounds and (len(times) < 3 or time.perf_counter() - started < seconds):
        times.append(_time(rival, calls) / (calls * rival.steps) * 1e6)
    ordered = sorted(times)
    return {
        "median": statistics.median(times),
        "min": ordered[0],
        "p90": ordered[min(len(ordered) - 1, round(0.9 * len(ordered)))],
        "rounds": len(times),
        "calls": calls,
    }


def _time(rival: Rival, calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        rival.call()
    rival.finish()
    return time.perf_counter() - started


def _calls_lasting(rival: Rival, wanted: float) -> int:
    """How many calls last about so many seconds, the wait at the end included."""
    calls = 1
    while (taken := _time(rival, calls)) < wanted / 2 and calls < 10_000:
        calls = min(10_000, max(calls + 1, int(calls * min(10.0, wanted / max(taken, 1e-7)))))
    return calls
