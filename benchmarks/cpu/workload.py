"""What a workload is: rivals that do the same work, seen to agree, then timed against each other."""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.timing import Timing, interleaved

__all__ = ["OURS", "Build", "Case", "Measured", "Rival", "Settings", "function", "training"]

OURS = "symgraph"
PEER_PAUSE = 0.03  # seconds: longer than idle threads of a BLAS or of a peer keep a core busy


@dataclass(frozen=True)
class Rival:
    """One way of doing the work.

    Parameters
    ----------
    call : callable
        Does it once. What is timed.
    result : callable
        The arrays to be compared, after the same number of calls of every rival.
    """

    call: Callable[[], object]
    result: Callable[[], Sequence[Any]]


Build = Callable[[], Rival]


@dataclass(frozen=True)
class Settings:
    """How long and against whom to measure.

    Parameters
    ----------
    rounds : int or None
        Rounds of a comparison; None for as many as fit `seconds`, between 10 and 300.
    seconds : float
        About how long a comparison may take where `rounds` is not given.
    peers : tuple of str or None
        Which peers, by name; None for all that are installed.
    threads : int
        How many threads a rival may use.
    tiny : bool
        Sizes that only show that everything still works.
    cpu_time : bool
        Whether to count the processor's time in this process instead of the time that passes. Threads that wait busily
        count too, so this is for one thread.
    """

    rounds: int | None = None
    seconds: float = 20.0
    peers: tuple[str, ...] | None = None
    threads: int = 1
    tiny: bool = False
    cpu_time: bool = False

    def wants(self, peer: str) -> bool:
        """Whether a peer is to be measured; ``"torch"`` stands for all whose name starts so."""
        return self.peers is None or any(peer.lower().startswith(name.lower()) for name in self.peers)


@dataclass(frozen=True)
class Measured:
    """What one case gave.

    Parameters
    ----------
    workload, title : str
        ``"W1"`` and so on, and what was measured.
    unit, scale : str, float
        The unit of the figures, and how many of the timings' own (nanoseconds, or bytes) it holds.
    timings : dict of str to Timing
        Of every rival, ours first.
    beside : dict of str to Timing
        Ours, in the same rounds as each of the others.
    missing : dict of str to str
        Rivals that could not be measured, and why.
    """

    workload: str
    title: str
    unit: str
    scale: float
    timings: dict[str, Timing]
    beside: dict[str, Timing]
    missing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """Rivals within one process.

    Parameters
    ----------
    workload, title : str
        ``"W1"`` and so on, and what is measured.
    ours : callable
        Builds our rival.
    twins : mapping of str to callable
        Builds NumPy written by hand. The first is the plainest: all others are compared with its results.
    peers : mapping of str to callable
        Builds other libraries' rivals; one that is not installed raises `ImportError`.
    checks : int
        Calls of each rival before their results are compared.
    rtol, atol : float
        How far results may differ, as in `numpy.testing.assert_allclose`.
    unit, scale : str, float
        See `Measured`.
    """

    workload: str
    title: str
    ours: Mapping[str, Build]
    twins: Mapping[str, Build]
    peers: Mapping[str, Build] = field(default_factory=dict)
    checks: int = 1
    rtol: float = 1e-4
    atol: float = 1e-5
    unit: str = "us"
    scale: float = 1e3

    def measure(self, settings: Settings) -> Measured:
        """See that all rivals agree, and time ours against NumPy, then ours against the peers.

        Raises
        ------
        AssertionError
            If a rival's result is not the plain twin's.
        """
        missing: dict[str, str] = {}
        home = self._built({**self.twins, **self.ours}, missing)
        expected = self._results(next(iter(home.values())))
        first = next(iter(home))
        for name, rival in itertools.islice(home.items(), 1, None):
            self._compare(name, self._results(rival), first, expected)
        timings = self._timed(home, settings)
        names = list(self.ours)
        beside = {name: timings[names[0]] for name in timings if name != names[0]}

        wanted = {name: build for name, build in self.peers.items() if settings.wants(name)}
        guests = self._built(wanted, missing, forgiving=True)
        for name in list(guests):
            self._compare(name, self._results(guests[name]), first, expected)
        if guests:
            rivals = {names[0]: home[names[0]], **guests}
            others = self._timed(rivals, settings, pause=PEER_PAUSE)
            beside.update(dict.fromkeys(guests, others[names[0]]))
            timings.update({name: others[name] for name in guests})
        ordered = {name: timings[name] for name in [*names, *(n for n in timings if n not in names)]}
        return Measured(self.workload, self.title, self.unit, self.scale, ordered, beside, missing)

    def _built(self, builds: Mapping[str, Build], missing: dict[str, str], forgiving: bool = False) -> dict[str, Rival]:
        """Build rivals; those whose library is not there are left out, and a peer that fails says why."""
        built = {}
        for name, build in builds.items():
            try:
                built[name] = build()
                if forgiving:
                    built[name].call()
                    built[name] = build()
            except ImportError as error:
                missing[name] = f"not there: {error}"
            except Exception as error:
                if not forgiving:
                    raise
                missing[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
                print(f"{self.workload} {self.title}: {name} fails: {missing[name]}", file=sys.stderr)
        return built

    def _results(self, rival: Rival) -> list[np.ndarray[Any, Any]]:
        for _ in range(self.checks):
            rival.call()
        return [np.array(value) for value in rival.result()]

    def _compare(self, name: str, found: list[Any], reference: str, expected: list[Any]) -> None:
        where = f"{self.workload} {self.title}: {name} and {reference} disagree"
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=self.rtol, atol=self.atol, err_msg=where)

    def _timed(self, rivals: Mapping[str, Rival], settings: Settings, pause: float = 0.0) -> dict[str, Timing]:
        calls = {name: rival.call for name, rival in rivals.items()}
        return interleaved(
            calls,
            rounds=settings.rounds or 300,
            warm_up=1 if settings.tiny else 3,
            pause=pause,
            seconds=math.inf if settings.rounds else settings.seconds,
            clock=time.process_time_ns if settings.cpu_time else time.perf_counter_ns,
        )


def function(call: Callable[[], Any]) -> Rival:
    """A rival whose calls return what is compared: an array, or several in a tuple or list."""

    def result() -> Sequence[Any]:
        value = call()
        return value if isinstance(value, (tuple, list)) else (value,)

    return Rival(call, result)


def training(step: Callable[[int], Any], state: Callable[[], Sequence[Any]], batches: int) -> Rival:
    """A rival that walks over minibatches; its last cost and its parameters are compared."""
    indices = itertools.cycle(range(batches))
    last: list[Any] = [None]

    def call() -> None:
        last[0] = step(next(indices))

    return Rival(call, lambda: (last[0], *state()))
