"""One library's measurements, in a process of its own: rows are appended to a file as they are made."""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu.measure import Rival, measure
from benchmarks.gpu.workloads import Training, Workload, workloads

__all__ = ["LIBRARIES", "main"]

#: Libraries, and the modules with their rivals.
LIBRARIES = {"symgraph": "ours", "torch": "torch_rivals", "jax": "jax_rivals", "jax+while": "jax_rivals",
             "cupy": "cupy_rivals"}
#: Precisions of products that a workload is measured in: the second only where products are what takes the time.
_LARGE = 4096  # examples of a minibatch


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure one library's rivals until all are done or the time is up."""
    options = _parser().parse_args(arguments)
    started = time.monotonic()
    module = importlib.import_module(f"benchmarks.gpu.{LIBRARIES[options.library]}")
    if options.library == "symgraph":
        from symgraph.config import config

        config.device = options.device
    todo = [job for job in _jobs(options, module) if not options.library.endswith("while") or job[1] == "scan"]
    with Path(options.out).open("a", encoding="utf-8") as file:
        for place, (workload, variant, precision, build) in enumerate(todo):
            left = options.seconds - (time.monotonic() - started)
            row = {"library": options.library, "version": module.VERSION, "workload": workload.name,
                   "variant": variant, "precision": precision, "moved": workload.moved,
                   "operations": workload.operations}
            row |= _measured(workload, build, left / (len(todo) - place), options.tiny, precision)
            file.write(json.dumps(row) + "\n")
            file.flush()
            gc.collect()


Job = tuple[Workload, str, str, Callable[[], Rival]]


def _jobs(options: argparse.Namespace, module: Any) -> Iterator[Job]:
    if options.library == "cupy":
        for workload, build in module.ceilings(options.tiny):
            yield workload, "ceiling", "float32", build
    for workload in workloads(options.only.split(","), options.tiny):
        for precision in _precisions(workload):
            for variant, build in module.rivals(workload, precision):
                yield workload, variant, precision, build


def _precisions(workload: Workload) -> tuple[str, ...]:
    large = isinstance(workload, Training) and workload.batch >= _LARGE
    return ("float32", "tf32") if large else ("float32",)


def _measured(workload: Workload, build: Callable[[], Rival], seconds: float, tiny: bool,
              precision: str) -> dict[str, Any]:
    """The figures of a rival, or why there are none. A wrong answer is no figure."""
    if seconds <= 0:
        return {"missing": "no time left"}
    began = time.perf_counter()
    try:
        rival = build()
        found = list(rival.result())
        ready = time.perf_counter() - began
        error = workload.error_of(found) if found else None
        if error is not None and error > workload.tolerance * (100 if precision == "tf32" else 1):
            return {"missing": f"wrong: off by {error:.1e}"}
        times = measure(rival, 0.02, 3, 1) if tiny else measure(rival, max(0.0, seconds - ready))
    except Exception as problem:
        return {"missing": f"{type(problem).__name__}: {str(problem).splitlines()[0][:200] if str(problem) else ''}"}
    return {**times, "steps": rival.steps, "error": error, "ready_s": ready, **(rival.facts() if rival.facts else {})}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.worker", description="One library's figures.")
    parser.add_argument("--library", choices=list(LIBRARIES), required=True)
    parser.add_argument("--out", required=True, help="file that rows are appended to")
    parser.add_argument("--only", required=True, help="families of workloads, separated by commas")
    parser.add_argument("--seconds", type=float, required=True, help="when to stop")
    parser.add_argument("--device", default="cuda", help="the device of symgraph's programs")
    parser.add_argument("--tiny", action="store_true")
    return parser


if __name__ == "__main__":
    main()
