"""From rows to tables a person reads: a table for each workload, ours beside the best of the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.timing import table

__all__ = ["tables"]

Row = Mapping[str, Any]


def tables(rows: Sequence[Row], facts: Mapping[str, Any]) -> str:
    """All tables, what was not measured and why, and what everything ran on.

    Examples
    --------
    >>> row = {"library": "torch", "workload": "chain", "variant": "eager", "precision": "float32", "median": 2.0,
    ...        "min": 1.0, "p90": 3.0, "moved": 8e6, "operations": 0.0, "error": 1e-7}
    >>> ours = {**row, "library": "symgraph", "variant": "a call", "median": 1.0, "launches": 1}
    >>> print(tables([row, ours], {"gpu": "none"}))
    chain, float32    launches  us/step  min  p90  rest/ours    GB/s  error
    symgraph, a call         1      1.0  1.0  3.0             8000.0  1e-07
    torch, eager                    2.0  1.0  3.0       2.00  4000.0  1e-07
    <BLANKLINE>
    gpu: none
    """
    measured = [row for row in rows if "median" in row]
    parts = [_table(title, chosen, measured) for title, chosen in _grouped(measured)]
    absent = [f"not measured: {_who(row)}: {row['missing']}" for row in rows if "missing" in row]
    parts += ["\n".join(dict.fromkeys(absent))] if absent else []
    parts.append("\n".join(f"{name}: {value}" for name, value in facts.items()))
    return "\n\n".join(parts)


def _grouped(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(f"{row['workload']}, {row['precision']}", []).append(row)
    return list(groups.items())


def _who(row: Row) -> str:
    parts = (row.get(key) for key in ("library", "variant", "workload", "precision"))
    return ", ".join(str(part) for part in parts if part)


def _table(title: str, rows: list[Row], every: list[Row]) -> str:
    ours = [row["median"] for row in rows if row["library"] == "symgraph"]
    rate = next((row["moved"] / row["median"] for row in every if row["workload"] == "copy"), None)
    lines = []
    for row in sorted(rows, key=lambda row: (row["library"] != "symgraph", row["median"])):
        beside = f"{row['median'] / min(ours):.2f}" if ours and row["library"] != "symgraph" else ""
        times = [f"{row[key]:.1f}" for key in ("median", "min", "p90")]
        error = "" if row.get("error") is None else f"{row['error']:.0e}"
        lines.append([_variant(row), str(row.get("launches", "")), *times, beside, *_rates(row, rate), error])
    unit = "TFLOP/s" if rows[0]["operations"] > rows[0]["moved"] * 100 else "GB/s"
    share = ["of copy"] if rate and unit == "GB/s" else []
    header = [title, "launches", "us/step", "min", "p90", "rest/ours", unit, *share, "error"]
    return table(header, lines)


def _variant(row: Row) -> str:
    return f"{row['library']}, {row['variant']}{', again' if row.get('again') else ''}"


def _rates(row: Row, copy: float | None) -> list[str]:
    """What a row reaches: operations where they are what bounds it, else bytes, also as a share of a copy's."""
    if row["operations"] > row["moved"] * 100:
        return [f"{row['operations'] / row['median'] / 1e6:.1f}"]
    rate = row["moved"] / row["median"]
    return [f"{rate / 1e3:.1f}", *([f"{rate / copy:.0%}"] if copy else [])]
