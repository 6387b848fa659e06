"""The command line; see ``python -m benchmarks.cpu --help``.

Threads are settled before NumPy is imported: its BLAS reads the environment once, when it is loaded.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

FAMILIES = {
    "W1": ("logistic",),
    "W2": ("perceptron", "compiling"),
    "W3": ("rmsprop",),
    "W4": ("calls",),
    "W5": ("elementwise",),
    "W6": ("compiling",),
    "W7": ("recurrent",),
    "W9": ("reductions",),
}
PEERS = ("pytensor", "jax", "torch", "numexpr")
POOLS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the workloads; tables go to standard error, and JSON to a file where asked for."""
    options = _parser().parse_args(arguments)
    settle_threads(options.threads)

    from benchmarks.cpu.report import as_json, case_table, summary
    from benchmarks.cpu.workload import Measured, Settings

    settings = Settings(
        rounds=options.rounds,
        seconds=options.seconds,
        peers=options.peers,
        threads=options.threads,
        tiny=options.tiny,
        cpu_time=options.cpu_time,
    )
    facts = {**_facts(options.threads), "clock": "processor" if options.cpu_time else "wall"}
    print(facts, end="\n\n", file=sys.stderr)
    measured: list[Measured] = []
    for workload in options.only:
        for family in FAMILIES[workload]:
            for case in import_module(f"benchmarks.cpu.{family}").cases(settings):
                if case.workload == workload:
                    measured.append(case.measure(settings))
                    print(case_table(measured[-1]), end="\n\n", file=sys.stderr, flush=True)
    print(summary(measured), file=sys.stderr)
    if options.json is not None:
        text = json.dumps(as_json(measured, facts), indent=1) + "\n"
        if options.json == "-":
            sys.stdout.write(text)
        else:
            Path(options.json).write_text(text, encoding="utf-8")


def settle_threads(threads: int) -> None:
    """Hold every library to so many threads, by its variable and by the cores this process may run on."""
    for name in POOLS:
        os.environ[name] = str(threads)
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[:threads])


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _facts(threads: int) -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, version

    from benchmarks.timing import environment

    facts: dict[str, Any] = {**environment(), "threads": threads}
    for name in ("symgraph", "scipy", *PEERS):
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            facts[name] = None
    return facts


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cpu", description="Compiled programs beside NumPy by hand and other compilers."
    )
    every = ",".join(FAMILIES)
    parser.add_argument("--only", type=_workloads, default=list(FAMILIES), help=f"some of {every} (default: all)")
    parser.add_argument("--json", metavar="FILE", help="write all figures there; - for standard output")
    parser.add_argument("--threads", type=_positive, default=_cores(), help="threads a rival (default: %(default)s)")
    parser.add_argument("--rounds", type=_positive, help="rounds a comparison (default: what fits --seconds)")
    parser.add_argument("--seconds", type=float, default=20.0, help="time a comparison (default: %(default)s)")
    parser.add_argument("--peers", type=_peers, help=f"some of {','.join(PEERS)}, or none (default: all installed)")
    parser.add_argument("--tiny", action="store_true", help="sizes that only show that everything works")
    busy = "count processor time instead: for --threads 1 on a machine that others keep busy"
    parser.add_argument("--cpu-time", action="store_true", help=busy)
    return parser


def _workloads(text: str) -> list[str]:
    names = [name.strip().upper() for name in text.split(",")]
    for name in names:
        if name not in FAMILIES:
            raise argparse.ArgumentTypeError(f"{name} is not one of {','.join(FAMILIES)}")
    return names


def _peers(text: str) -> tuple[str, ...]:
    names = () if text == "none" else tuple(name.strip().lower() for name in text.split(","))
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"{name} is not one of {','.join(PEERS)}, nor none")
    return names


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


if __name__ == "__main__":
    main()
