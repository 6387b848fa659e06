"""Measuring: interleaved rounds within a process, and repeated fresh processes.

A machine's speed drifts by more than the differences that matter here: clocks change, neighbours wake up. So rivals
are never timed one after the other. Each *round* times every rival once, briefly, in an order that rotates from round
to round; a ratio is then the median of the ratios *within* rounds, which drift leaves alone.
"""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

__all__ = ["Timing", "environment", "fresh_processes", "interleaved", "ratio", "ratio_of_minima", "table"]

REPOSITORY = Path(__file__).resolve().parents[1]
_FEWEST = 10  # rounds


@dataclass(frozen=True)
class Timing:
    """The nanoseconds of one thing, one entry a round.

    Examples
    --------
    >>> timing = Timing("step", (40.0, 10.0, 20.0, 30.0))
    >>> timing.minimum, timing.median, timing.interquartile_range
    (10.0, 25.0, 25.0)
    """

    name: str
    rounds: tuple[float, ...]

    @property
    def minimum(self) -> float:
        """The fastest round: what the machine can do undisturbed."""
        return min(self.rounds)

    @property
    def median(self) -> float:
        """The middle round: what to expect."""
        return statistics.median(self.rounds)

    @property
    def interquartile_range(self) -> float:
        """The spread of the middle half; 0 for a single round."""
        if len(self.rounds) < 2:
            return 0.0
        lower, _, upper = statistics.quantiles(self.rounds, n=4)
        return upper - lower

    def summary(self, unit: float = 1e3) -> dict[str, float]:
        """Return ``min``, ``median`` and ``iqr`` in multiples of `unit` nanoseconds (1e3: microseconds)."""
        figures = {"min": self.minimum, "median": self.median, "iqr": self.interquartile_range}
        return {name: round(value / unit, 3) for name, value in figures.items()}


def interleaved(
    rivals: Mapping[str, Callable[[], object]],
    rounds: int = 300,
    round_ns: float = 2e6,
    warm_up: int = 20,
    pause: float = 0.0,
    seconds: float = math.inf,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> dict[str, Timing]:
    """Time `rivals` against each other.

    Parameters
    ----------
    rivals : mapping of str to callable
        What to time, called without arguments.
    rounds : int
        How often each rival is timed.
    round_ns : float
        About how long one rival's turn lasts; a fast rival is called many times in it.
    warm_up : int
        Calls of each rival before the clock starts.
    pause : float
        Seconds to sleep before each turn, which then begins with a call that is not timed. Threads of a library that
        wait busily for work slow down whoever comes next; rivals with threads of their own need a pause.
    seconds : float
        When to stop; no sooner than after 10 rounds (or `rounds`, where that is less).
    clock : callable
        What nanoseconds are read from. `time.process_time_ns` counts only what this process itself computes: the one
        way to compare rivals of a single thread on a machine that others keep busy.

    Returns
    -------
    dict of str to Timing
        Nanoseconds per call. Entry *r* of every rival was measured in round *r*.

    Examples
    --------
    >>> timings = interleaved({"sum": lambda: sum(range(100)), "nothing": lambda: None}, rounds=5, round_ns=1e4)
    >>> len(timings["sum"].rounds)
    5
    """
    for call in rivals.values():
        _time_calls(call, warm_up, clock)
    calls = {name: _calls_lasting(call, round_ns, clock) for name, call in rivals.items()}
    measured: dict[str, list[float]] = {name: [] for name in rivals}
    names = list(rivals)
    started = time.perf_counter()
    for turn in range(rounds):
        if turn >= _FEWEST and time.perf_counter() - started > seconds:
            break
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            if pause:
                time.sleep(pause)
                rivals[name]()
            measured[name].append(_time_calls(rivals[name], calls[name], clock) / calls[name])
    return {name: Timing(name, tuple(values)) for name, values in measured.items()}


def _time_calls(call: Callable[[], object], count: int, clock: Callable[[], int]) -> int:
    started = clock()
    for _ in repeat(None, count):
        call()
    return clock() - started


def _calls_lasting(call: Callable[[], object], wanted_ns: float, clock: Callable[[], int]) -> int:
    """How many calls last about `wanted_ns`, from the fastest of five single calls."""
    fastest = min(_time_calls(call, 1, clock) for _ in range(5))
    return max(1, round(wanted_ns / max(fastest, 1)))


def ratio(ours: Timing, peer: Timing) -> float:
    """Median over the rounds of our time divided by the peer's time in the same round.

    Examples
    --------
    >>> ratio(Timing("ours", (2.0, 4.0, 9.0)), Timing("peer", (1.0, 2.0, 3.0)))
    2.0
    """
    return statistics.median(a / b for a, b in zip(ours.rounds, peer.rounds, strict=True))


def ratio_of_minima(ours: Timing, peer: Timing) -> float:
    """Our fastest round divided by the peer's fastest round: what is left of the ratio on an undisturbed machine.

    Examples
    --------
    >>> ratio_of_minima(Timing("ours", (2.0, 4.0, 9.0)), Timing("peer", (1.0, 2.0, 3.0)))
    2.0
    """
    return ours.minimum / peer.minimum


def fresh_processes(programs: Mapping[str, str], runs: int = 15) -> dict[str, list[str]]:
    """Run short Python programs, each time in a new interpreter, and return what they print.

    Parameters
    ----------
    programs : mapping of str to str
        Python source; run in turn, `runs` times over, from the root of the repository.
    runs : int
        How often each is run. One more run of each comes first and is dropped: it warms the disk cache and writes
        the bytecode.

    Raises
    ------
    RuntimeError
        If a program fails; the message holds the end of what it wrote to standard error.

    Examples
    --------
    >>> fresh_processes({"one": "print(1)"}, runs=2)
    {'one': ['1', '1']}
    """
    printed: dict[str, list[str]] = {name: [] for name in programs}
    for turn in range(runs + 1):
        for name, source in programs.items():
            command = [sys.executable, "-c", source]
            child = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
            if child.returncode != 0:
                raise RuntimeError(f"the program {name!r} failed:\n{child.stderr[-2000:]}")
            if turn > 0:
                printed[name].append(child.stdout.strip())
    return printed


def environment() -> dict[str, object]:
    """What the figures depend on: versions, processor and threads.

    Examples
    --------
    >>> environment()["python"] == platform.python_version()
    True
    """
    return {
        "python": platform.python_version(),
        "numpy": importlib.metadata.version("numpy"),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "blas_threads": _blas_threads(),
    }


def _blas_threads() -> int | None:
    """Threads of the BLAS that NumPy loaded; None where threadpoolctl is not installed to ask."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return None
    return max((int(pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "blas"), default=None)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out text in columns, the first to the left and the others to the right.

    Examples
    --------
    >>> print(table(["what", "us"], [["step", "1.5"], ["call", "12.0"]]))
    what    us
    step   1.5
    call  12.0
    """
    lines = [list(header), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

    def laid_out(cells: list[str]) -> str:
        first, *others = (
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join([first, *others]).rstrip()

    return "\n".join(map(laid_out, lines))
