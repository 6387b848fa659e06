"""Profiles: where the time of a function's calls goes, by step, by operation and by class of operation.

A profiled function runs the program an ordinary one runs, kernels and tiles included, with a reading of the clock
behind each step. Within a loop over tiles every thread reads the clock for itself; the time the loop took is then
shared among its steps in proportion to what the threads spent on each. What is computed over shared values at the
commit, loops and products, gets its share of that.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symgraph.compile.errors import clip
from symgraph.graph.rewrite import brief
from symgraph.plan import Step

if TYPE_CHECKING:
    from symgraph.compile.build import Built

__all__ = ["Laps", "Profile", "StepTime", "Timed"]

_now = time.perf_counter


class Laps:
    """Notes where the time of one call goes, or of one thread's part of a loop."""

    __slots__ = ("last", "profile", "seconds", "threads", "tiled")

    def __init__(self, profile: Profile | None, size: int) -> None:
        self.profile = profile
        self.seconds = [0.0] * size
        self.threads: list[Laps] = []
        self.tiled: list[int] = []
        self.last = _now()

    def __call__(self, place: int) -> None:
        """Charge the time since the last reading to a place: a step, or what comes before or behind the steps."""
        now = _now()
        self.seconds[place] += now - self.last
        self.last = now

    def skip(self) -> None:
        """Charge the time since the last reading to nobody."""
        self.last = _now()

    def thread(self) -> Laps:
        """The notes of a thread that works on a loop of this call."""
        laps = Laps(None, len(self.seconds))
        self.threads.append(laps)
        return laps

    def join(self, first: int, last: int) -> None:
        """Share the time of a loop, which has just ended, among its steps."""
        now = _now()
        spent = [sum(laps.seconds[i] for laps in self.threads) for i in range(first, last + 1)]
        whole = sum(spent) or 1.0
        for i, part in enumerate(spent, first):
            self.seconds[i] += (now - self.last) * part / whole
        self.threads.clear()
        self.tiled += range(first, last + 1)
        self.last = now

    def products(self, made: Sequence[tuple[int, Any]]) -> None:
        """Share the time of a commit among what it computed over shared values: loops, by what their threads spent, and
        products and changes of parts, by the number of their operations."""
        now = _now()
        left = now - self.last
        loops: dict[int, list[Laps]] = {}
        for laps in self.threads:
            first = next((i for i, seconds in enumerate(laps.seconds) if seconds), None)
            if first is not None:
                loops.setdefault(first, []).append(laps)
        self.threads.clear()
        for threads in loops.values():
            spent = [sum(parts) for parts in zip(*(laps.seconds for laps in threads), strict=True)]
            lasted = min(max(sum(laps.seconds) for laps in threads), left)
            left -= lasted
            for i, part in enumerate(spent):
                self.seconds[i] += lasted * part / sum(spent)
        counts = [(i, late.work) for i, late in made if hasattr(late, "work")]
        whole = sum(count for _, count in counts)
        for i, count in counts if whole else ():
            self.seconds[i] += left * count / whole
        self.last = now if whole else now - left

    def done(self) -> None:
        """The call has come to its end."""
        if self.profile is not None:
            self.profile.note(self)


@dataclass(frozen=True)
class Timed:
    """A line of a table of times.

    Attributes
    ----------
    name : str
    count : int
        How many times it was done.
    seconds : float
    share : float
        Of the time of all calls, from 0 to 1.
    """

    name: str
    count: int
    seconds: float
    share: float


@dataclass(frozen=True)
class StepTime(Timed):
    """The time of one step of the plan.

    Attributes
    ----------
    step : Step
        Its ``node`` is the application, ``node.origin`` the user's line.
    tiled : int
        How many times it was done in a loop over tiles.
    """

    step: Step
    tiled: int


class Profile:
    """Where the time of a function's calls goes; ``f.profile`` of a function made with ``profile=True``.

    Calls may come from many threads; a call is noted when it ends. Only calls that end well have times by step. Notes
    cost about three microseconds a call and a tenth of one for each step.

    Attributes
    ----------
    label : str
        Which function it is of.
    calls : int
        Calls that have ended, with or without an exception; but those with ``output_subset`` are with `subsets`.
    seconds : float
        Their time, from call to return.
    finished : int
        Calls with times by step.
    compile_seconds : dict of str to float
        The time of each stage of the compilation.
    rewrites : dict of str to int
        How often each rewrite rule fired, the most frequent first.
    subsets : dict
        From outputs asked for by ``output_subset`` to the profile of the program that computes only those.

    Examples
    --------
    >>> import numpy as np, symgraph as sg, symgraph.tensor as T
    >>> x = T.dvector("x")
    >>> f = sg.function([x], T.exp(x) + T.sort(x), profile=True)
    >>> for n in range(3):
    ...     _ = f(np.ones(5))
    >>> f.profile.calls
    3
    >>> sorted(line.name for line in f.profile.by_class())
    ['Elemwise', 'Sort']
    >>> [line.count for line in f.profile.steps()]
    [3, 3, 3]
    """

    def __init__(self) -> None:
        self.label = "function"
        self.compile_seconds: dict[str, float] = {}
        self.rewrites: dict[str, int] = {}
        self.subsets: dict[tuple[Any, ...], Profile] = {}
        self._lock = threading.Lock()
        self._plan_steps: list[Step] = []
        self.reset()

    def reset(self) -> None:
        """Forget all calls."""
        with self._lock:
            self.calls = self.finished = 0
            self.seconds = 0.0
            self._seconds = [0.0] * (len(self._plan_steps) + 2)
            self._tiled = [0] * len(self._plan_steps)
        for profile in list(self.subsets.values()):
            profile.reset()

    def attach(self, built: Built, label: str) -> None:
        """Say which function it is of."""
        self.label = label
        self.compile_seconds = dict(built.seconds)
        self.rewrites = dict(Counter(fired.rule for fired in built.fired).most_common())
        self._plan_steps = built.plan.steps
        self.reset()

    # ---- noting -------------------------------------------------------------------------------------------------

    def start(self) -> Laps:
        """The notes of a call that starts."""
        return Laps(self, len(self._seconds))

    def note(self, laps: Laps) -> None:
        """Add the notes of a call that has ended well."""
        with self._lock:
            if len(laps.seconds) != len(self._seconds):
                return
            self.finished += 1
            for place, seconds in enumerate(laps.seconds):
                self._seconds[place] += seconds
            for place in laps.tiled:
                self._tiled[place] += 1

    def note_call(self, seconds: float) -> None:
        """Add a call that has ended, in whatever way."""
        with self._lock:
            self.calls += 1
            self.seconds += seconds

    # ---- looking ------------------------------------------------------------------------------------------------

    def steps(self) -> list[StepTime]:
        """The time of each step, in the order of the program."""
        with self._lock:
            whole = self.seconds or 1.0
            return [StepTime(str(step.node.op), self.finished, seconds, seconds / whole, step, tiled)
                    for step, seconds, tiled in zip(self._plan_steps, self._seconds, self._tiled, strict=False)]

    def by_op(self) -> list[Timed]:
        """The time of all steps of one operation, the dearest first."""
        return self._grouped(lambda line: str(line.step.node.op))

    def by_class(self) -> list[Timed]:
        """The time of all steps whose operations are of one class, the dearest first."""
        return self._grouped(lambda line: type(line.step.node.op).__name__)

    def by_line(self) -> list[Timed]:
        """The time of all steps that come from one line of the user's program, the dearest first."""
        return self._grouped(lambda line: str(line.step.node.origin).partition(" (")[0])

    def rest(self) -> list[Timed]:
        """The time of what is no step: checking arguments, starting and committing."""
        with self._lock:
            starting, ending = self._seconds[-2:]
            spent = sum(self._seconds)
            whole = self.seconds or 1.0
            parts = {"call: check arguments, hand over results, fail": max(self.seconds - spent, 0.0),
                     "start: wait for locks, read shared values": starting,
                     "end: copy results, commit updates": ending}
            return [Timed(name, self.calls, seconds, seconds / whole) for name, seconds in parts.items()]

    def _grouped(self, key: Callable[[StepTime], str]) -> list[Timed]:
        found: dict[str, list[StepTime]] = {}
        for line in self.steps():
            found.setdefault(key(line), []).append(line)
        lines = [Timed(name, sum(s.count for s in group), sum(s.seconds for s in group), sum(s.share for s in group))
                 for name, group in found.items()]
        return sorted(lines, key=lambda line: -line.seconds)

    def summary(self, most: int = 10) -> str:
        """All of it as text.

        Parameters
        ----------
        most : int
            The most lines of each table; what is left out is summed up.

        Returns
        -------
        str
        """
        lines = [f"Profile of {self.label}",
                 f"  {_plural(self.calls, 'call')} in {_time(self.seconds)}"
                 + (f", {_time(self.seconds / self.calls)} each" if self.calls else "")]
        stages = ", ".join(f"{stage} {_time(seconds)}" for stage, seconds in self.compile_seconds.items())
        lines.append(f"  compiled in {_time(sum(self.compile_seconds.values()))}: {stages}")
        rules = [f"{name} {count}" for name, count in list(self.rewrites.items())[:most]]
        more = len(self.rewrites) - most
        fired = f": {', '.join(rules)}{f' and {more} rules more' if more > 0 else ''}" if rules else ""
        lines.append(f"  {_plural(sum(self.rewrites.values()), 'rewrite')} fired{fired}")
        for chosen, profile in list(self.subsets.items()):
            lines.append(f"  {_plural(profile.calls, 'call')} with output_subset={list(chosen)}: "
                         f"{_time(profile.seconds)}; see profile.subsets")
        if self.finished:
            lines += _table("class", self.by_class(), most)
            lines += _table("operation", self.by_op(), most)
            steps = sorted(self.steps(), key=lambda line: -line.seconds)
            shown = [Timed(_step_text(line), line.count, line.seconds, line.share) for line in steps]
            lines += _table("step, expression, line", shown, most)
            lines += _table("the rest", self.rest(), most)
            if any(line.tiled for line in steps):
                lines.append("Steps of a kernel (k0, k1, ...) that ran in tiles share the time of its loop, by what "
                             "threads spent on each.")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<Profile of {self.label}: {_plural(self.calls, 'call')}, {_time(self.seconds)}>"


def _step_text(line: StepTime) -> str:
    step = line.step
    kernel = f" k{step.kernel.index}" if step.kernel is not None and line.tiled else ""
    return f"{step.index:3}{kernel} {clip(brief(step.node.outputs[0], 2), 48)}  {step.node.origin}"


def _table(title: str, lines: Sequence[Timed], most: int) -> Iterable[str]:
    yield f"{'share':>7} {'time':>9} {'times':>7} {'each':>9}  {title}"
    left = lines[most:]
    shown = list(lines[:most])
    if left:
        shown.append(Timed(f"... {len(left)} more", sum(t.count for t in left), sum(t.seconds for t in left),
                           sum(t.share for t in left)))
    for t in shown:
        each = _time(t.seconds / t.count) if t.count else ""
        yield f"{t.share:7.1%} {_time(t.seconds):>9} {t.count:7} {each:>9}  {t.name}"


def _time(seconds: float) -> str:
    """A time with its unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def _plural(count: int, name: str) -> str:
    return f"{count} {name}{'s' * (count != 1)}"
