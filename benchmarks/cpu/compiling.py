"""W6: from writing a program to its first result, in fresh processes; importing; the memory of a process that trains.

Imports and data are not counted in the former. Caches that a peer keeps on disk start empty in each process.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cpu.perceptron import Folded, network_of
from benchmarks.cpu.training import NETWORK_PEERS, Api, Network, pytensor_api, symbolic, symgraph_api
from benchmarks.cpu.workload import OURS, Measured, Settings
from benchmarks.timing import REPOSITORY, Timing

__all__ = ["FreshCase", "cases", "print_chain", "print_first_step", "print_memory"]

LONGEST = 90.0  # seconds after which a process is given up


# ---- what a fresh process runs --------------------------------------------------------------------------------------


def print_first_step(rival: str, layers: int, units: int, clock: Callable[[], int]) -> None:
    """Print the nanoseconds from nothing to the first step of a network with `layers` hidden layers of tanh units."""
    network = Network((units, *[units] * layers, 10), 20, 40, rate=0.01, l2=1e-4)
    _ = network.data
    start = _started(rival)
    started = clock()
    start(network).call()
    print(clock() - started)


def _started(rival: str) -> Callable[[Network], Any]:
    """A rival's builder, its library imported."""
    if rival == OURS:
        api = symgraph_api()
        return lambda network: symbolic(api, network)
    if rival.startswith("JAX"):
        import jax.numpy as jnp

        jnp.zeros(1).block_until_ready()
    elif rival.startswith("torch"):
        import torch

        torch.zeros(1)
    else:
        pytensor_api()
    return NETWORK_PEERS[rival]


def print_chain(rival: str, nodes: int, clock: Callable[[], int]) -> None:
    """Print the nanoseconds from nothing to the first value of a chain of `nodes` elementwise operations."""
    value = np.ones(4, np.float32)
    _started(rival)
    api = symgraph_api() if rival == OURS else pytensor_api() if rival == "PyTensor" else None
    started = clock()
    result = _jax_chain(nodes, value) if api is None else _symbolic_chain(api, nodes, value)
    elapsed = clock() - started
    assert np.isfinite(np.asarray(result)).all()
    print(elapsed)


def _links(x: Any, y: Any, nodes: int, sin: Callable[[Any], Any]) -> Any:
    for link in range(nodes):
        x = (sin(x), x + y, x * y)[link % 3]
    return x


def _symbolic_chain(api: Api, nodes: int, value: Any) -> Any:
    x, y = api.tensor.fvector("x"), api.tensor.fvector("y")
    return api.package.function([x, y], _links(x, y, nodes, api.tensor.sin))(value, value)


def _jax_chain(nodes: int, value: Any) -> Any:
    import jax
    import jax.numpy as jnp

    return jax.jit(lambda x, y: _links(x, y, nodes, jnp.sin))(value, value).block_until_ready()


def print_memory(rival: str, batch_size: int, tiny: bool) -> None:
    """Print the peak of a process that trains W2, in bytes: the whole process, libraries and data included."""
    network = network_of(batch_size, tiny)
    if rival == OURS:
        trained = symbolic(symgraph_api(), network)
    else:
        step = Folded(network, threads=len(os.sched_getaffinity(0)))
        trained = network.rival(step, step.state)
    for _ in range(20):
        trained.call()
    print(_peak())


def _peak() -> int:
    """The most memory this process has held, in bytes; what its parent held before it does not count."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


# ---- measuring ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FreshCase:
    """Rivals in fresh processes, which print one figure each.

    Parameters
    ----------
    workload, title : str
    source : str
        What each process runs, with ``{rival}`` for the rival's name.
    twins, peers : sequence of str
        Beside ours.
    runs : int
        Processes of ours and the twins; a peer gets as many, or what fits 60 seconds.
    unit, scale : str, float
    """

    workload: str
    title: str
    source: str
    twins: Sequence[str] = ()
    peers: Sequence[str] = ()
    runs: int = 7
    unit: str = "ms"
    scale: float = 1e6

    def measure(self, settings: Settings) -> Measured:
        """Run the processes, in turn."""
        runs = 1 if settings.tiny else min(settings.rounds or self.runs, self.runs)
        figures: dict[str, list[float]] = {name: [] for name in (OURS, *self.twins)}
        for _ in range(runs + (not settings.tiny)):  # one more comes first, to warm the disk's cache
            for name in figures:
                figures[name].append(_printed(self.source.format(rival=name)))
        timings = {name: Timing(name, tuple(values[-runs:])) for name, values in figures.items()}

        missing: dict[str, str] = {}
        for name in filter(settings.wants, self.peers):
            try:
                timings[name] = Timing(name, tuple(self._peer(name, runs)))
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                gone = isinstance(error, subprocess.TimeoutExpired)
                missing[name] = f"not done after {LONGEST:.0f} s" if gone else str(error).splitlines()[-1][:200]
                if "ModuleNotFoundError" not in missing[name]:
                    print(f"{self.workload} {self.title}: {name}: {missing[name]}", file=sys.stderr)
        beside = {}
        for name, timing in timings.items():
            if name != OURS:
                rounds = len(timing.rounds)
                beside[name] = Timing(OURS, timings[OURS].rounds[:rounds])
        return Measured(self.workload, self.title, self.unit, self.scale, timings, beside, missing)

    def _peer(self, name: str, runs: int) -> list[float]:
        started = time.perf_counter()
        values: list[float] = []
        while len(values) < runs and (not values or time.perf_counter() - started < 60):
            values.append(_printed(self.source.format(rival=name)))
        return values


def _calling(call: str) -> str:
    """A program that makes a call of this module."""
    return f"import time; from benchmarks.cpu import compiling; compiling.{call}"


def _printed(source: str) -> float:
    """Run a program in a new interpreter with empty caches; return the figure it prints last."""
    with tempfile.TemporaryDirectory() as caches:
        fresh = {"TORCHINDUCTOR_CACHE_DIR": caches, "PYTENSOR_FLAGS": f"base_compiledir={caches}"}
        command = [sys.executable, "-c", source]
        child = subprocess.run(
            command, cwd=REPOSITORY, env={**os.environ, **fresh}, capture_output=True, text=True, timeout=LONGEST
        )
    if child.returncode != 0:
        raise RuntimeError(f"{source} failed:\n{child.stderr[-2000:]}")
    return float(child.stdout.split()[-1])


def cases(settings: Settings) -> Iterator[FreshCase]:
    """Networks of 2, 10 and 50 hidden layers, chains of operations, importing, and the memory of W2."""
    tiny, clock = settings.tiny, "time.process_time_ns" if settings.cpu_time else "time.perf_counter_ns"
    for layers in (1,) if tiny else (2, 10, 50):
        call = f"print_first_step({{rival!r}}, {layers}, {16 if tiny else 100}, {clock})"
        title = f"first training step, {layers} hidden layer{'s' * (layers > 1)}"
        yield FreshCase("W6", title, _calling(call), peers=tuple(NETWORK_PEERS))
    for nodes in (30,) if tiny else (1000, 10_000):
        source = _calling(f"print_chain({{rival!r}}, {nodes}, {clock})")
        yield FreshCase("W6", f"chain of {nodes:,} operations", source, peers=("JAX jit", "PyTensor"))
    source = f"import time; started = {clock}(); import {{rival}}; print({clock}() - started)"
    yield FreshCase("W6", "import", source, twins=("numpy",), peers=("pytensor", "jax", "torch"))
    for batch_size in (4,) if tiny else (20, 500):
        title = f"peak memory of training, batch {batch_size}"
        source = _calling(f"print_memory({{rival!r}}, {batch_size}, {tiny})")
        yield FreshCase("W2", title, source, twins=("NumPy, tuned",), runs=3, unit="MB", scale=1e6)
