"""What was measured, as tables for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.cpu.workload import OURS, Measured
from benchmarks.timing import ratio, ratio_of_minima, table

__all__ = ["as_json", "case_table", "summary"]


def case_table(measured: Measured) -> str:
    """The rivals of one case: their times, and how ours compares; below 1 means that ours is faster."""
    rows = []
    for name, timing in measured.timings.items():
        figures = timing.summary(measured.scale)
        cells = [f"{figures[key]:.2f}" for key in ("min", "median", "iqr")]
        ours = measured.beside.get(name)
        both = (f"{ratio(ours, timing):.3f}", f"{ratio_of_minima(ours, timing):.3f}") if ours else ("", "")
        rows.append([name, *cells, *both])
    title = f"{measured.workload} {measured.title}, {measured.unit}"
    header = [title, "min", "median", "IQR", f"{OURS} / it", "minima"]
    lines = [table(header, rows)]
    lines += [f"{name}: {reason}" for name, reason in measured.missing.items()]
    return "\n".join(lines)


def summary(all_measured: Iterable[Measured]) -> str:
    """One line a case: ours, and its ratio to the plain twin, to the best twin and to the best peer."""
    rows = []
    for measured in all_measured:
        ours = measured.timings[OURS]
        twins = [name for name in measured.beside if name.lower().startswith("numpy")]
        peers = [name for name in measured.beside if not name.lower().startswith(("numpy", OURS))]
        cells = [f"{measured.workload} {measured.title}", f"{ours.median / measured.scale:.2f} {measured.unit}"]
        cells.append(_against(measured, twins[0]) if twins else "")
        cells.append(_against(measured, _best(measured, twins[1:])) if len(twins) > 1 else "")
        best = _best(measured, peers) if peers else ""
        cells += [_against(measured, best) if best else "", best]
        rows.append(cells)
    return table(["ours, median; ratios to", OURS, "plain NumPy", "tuned NumPy", "best peer", ""], rows)


def _best(measured: Measured, names: Sequence[str]) -> str:
    return min(names, key=lambda name: measured.timings[name].median)


def _against(measured: Measured, name: str) -> str:
    return f"{ratio(measured.beside[name], measured.timings[name]):.2f}"


def as_json(all_measured: Iterable[Measured], environment: dict[str, object]) -> dict[str, Any]:
    """Everything, ready for `json.dump`."""
    cases = []
    for measured in all_measured:
        rivals = {}
        for name, timing in measured.timings.items():
            rivals[name] = {**timing.summary(measured.scale), "rounds": len(timing.rounds)}
            if name in measured.beside:
                ours = measured.beside[name]
                rivals[name]["ratio"] = round(ratio(ours, timing), 4)
                rivals[name]["ratio_of_minima"] = round(ratio_of_minima(ours, timing), 4)
        cases.append(
            {
                "workload": measured.workload,
                "title": measured.title,
                "unit": measured.unit,
                "rivals": rivals,
                "missing": measured.missing,
            }
        )
    return {"benchmark": "cpu", "environment": environment, "cases": cases}
