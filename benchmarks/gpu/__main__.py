"""The command line; see ``python -m benchmarks.gpu --help``."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu.report import tables
from benchmarks.gpu.workloads import FAMILIES
from benchmarks.timing import REPOSITORY, environment

#: Each library's share of the time, in the order they are run: ours first and last.
TURNS = (("symgraph", 0.20), ("torch", 0.34), ("jax", 0.16), ("jax+while", 0.06), ("cupy", 0.10), ("symgraph", 0.14))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; the table goes to standard output, every row to a file where asked for."""
    options = _parser().parse_args(arguments)
    device = _device(options)
    if device is None:
        print("no GPU that can be used here: nothing is measured. `python -m symgraph doctor` says what is missing; "
              "--tiny runs all programs on the emulated device.", file=sys.stderr)
        return 1
    facts = _facts(device)
    rows: list[dict[str, Any]] = []
    wanted = [turn for turn in TURNS if turn[0].partition("+")[0] in options.libraries]
    whole = sum(share for _, share in wanted)
    started = time.monotonic()
    for place, (library, share) in enumerate(wanted):
        left = options.seconds - (time.monotonic() - started)
        turn = left * share / sum(s for _, s in wanted[place:]) if whole else left
        again = any(row["library"] == library for row in rows)
        rows += [{**row, "again": True} if again else row for row in _turn(library, turn, device, options)]
        print(f"{library}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        if options.json:  # kept as they come: what is cut short still leaves its rows
            text = "".join(json.dumps(row) + "\n" for row in ({"facts": facts}, *rows))
            Path(options.json).write_text(text, encoding="utf-8")
    print(tables(rows, facts))
    return 0


def _device(options: argparse.Namespace) -> str | None:
    """Where ours runs; None where that would be a GPU that cannot be used."""
    if options.device:
        return str(options.device)
    import symgraph as sg

    try:
        sg.shared(0.0, target="cuda").get_value()
    except RuntimeError:
        return "emulated" if options.tiny else None
    return "cuda"


def _turn(library: str, seconds: float, device: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Run one library's worker, and return the rows it made before it ended or its time was up."""
    module = library.partition("+")[0]
    if importlib.util.find_spec(module) is None:
        return [{"library": library, "missing": "not installed"}]
    if module == "cupy" and device != "cuda":
        return [{"library": library, "missing": "it needs a GPU"}]
    settings = dict(os.environ, XLA_PYTHON_CLIENT_PREALLOCATE="false", PYTHONUNBUFFERED="1")
    if library.endswith("while"):
        settings["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_enable_command_buffer=+WHILE".strip()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows"
        out.touch()
        command = [sys.executable, "-m", "benchmarks.gpu.worker", "--library", library, "--out", str(out), "--only",
                   ",".join(options.only), "--seconds", str(seconds), "--device", device]
        try:
            done = subprocess.run([*command, *(["--tiny"] if options.tiny else [])], cwd=REPOSITORY, env=settings,
                                  timeout=seconds * 1.25 + 20, check=False, capture_output=True, text=True)
            failed = done.stderr.strip().splitlines()[-1:] if done.returncode else []
        except subprocess.TimeoutExpired:
            failed = ["stopped: out of time"]
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    return [*rows, *({"library": library, "missing": line} for line in failed)]


def _facts(device: str) -> dict[str, Any]:
    facts: dict[str, Any] = {**environment(), "device": device}
    if device == "cuda":
        query = ["nvidia-smi", "--query-gpu=name,driver_version,clocks.sm,clocks.mem", "--format=csv,noheader"]
        try:
            facts["gpu"] = subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            facts["gpu"] = "unknown"
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True,
                            check=False).stdout.strip()
    return {**facts, "commit": commit or None, "date": time.strftime("%Y-%m-%d")}


def _parser() -> argparse.ArgumentParser:
    libraries = sorted({library.partition("+")[0] for library, _ in TURNS})
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description="Training steps and large operations beside other libraries.")
    parser.add_argument("--only", type=_some(list(FAMILIES)), default=list(FAMILIES), metavar="FAMILIES",
                        help=f"some of {','.join(FAMILIES)} (default: all)")
    parser.add_argument("--libraries", type=_some(libraries), default=libraries, metavar="LIBRARIES",
                        help=f"some of {','.join(libraries)} (default: all that are installed)")
    parser.add_argument("--seconds", type=float, default=440.0, help="for everything (default: %(default)g)")
    parser.add_argument("--json", metavar="FILE", help="write every row there, a line each")
    parser.add_argument("--device", choices=("cuda", "emulated"), help="where ours runs (default: the GPU)")
    parser.add_argument("--tiny", action="store_true", help="sizes that only show that everything works")
    return parser


def _some(known: list[str]) -> Any:
    def parse(text: str) -> list[str]:
        names = [name.strip().lower() for name in text.split(",")]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is not one of {','.join(known)}")
        return names

    return parse


if __name__ == "__main__":
    sys.exit(main())
