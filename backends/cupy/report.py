"""What a program for a GPU does and where: one entry for each launch, step and transfer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from symgraph.graph.basic import Variable
from symgraph.plan import Plan, Step

__all__ = ["Entry", "Report", "Rung", "float64_in"]


class Rung(StrEnum):
    """How a call is run; each is better than the one before, where it is worthwhile."""

    STEPS = "step by step"
    LAUNCHES = "launches"
    GRAPH = "graph"
    MANY = "graph of many calls"


@dataclass(eq=False)
class Entry:
    """One part of a program.

    Attributes
    ----------
    name : str
        Of the operation, or the launch.
    steps : sequence of Step
        What it computes.
    device : str
        ``device``, ``view`` (nothing is moved or computed) or ``host``.
    kernel : str
        What computes it.
    transfers : list of str
        What is moved between the host and the device for it, in every call.
    bytes, flops : int or None
        Read and written, and computed, in the last call; None where that is not known.
    precision : str
        In which it multiplies and sums.
    made : LeafOp or None
        Says how many kernels it launches, once it is known.
    """

    name: str
    steps: Sequence[Step]
    device: str
    kernel: str = ""
    transfers: list[str] = field(default_factory=list)
    bytes: int | None = None
    flops: int | None = None
    precision: str = ""
    made: Any = None

    @property
    def launches(self) -> int:
        """How many kernels of our own it launches."""
        return self.made.launches if self.made is not None else int(self.kernel.startswith("launch"))


@dataclass
class Report:
    """Where each part of a function is computed, and how; printed, a table.

    Attributes
    ----------
    title : str
    device : str
    entries : list of Entry
    rung : str
        How the last call was run: ``step by step``; recorded, and replayed as ``launches`` or as one ``graph``; or, by
        `map`, as a ``graph of many calls``.
    why : list of str
        What stands in the way of a better one.
    arena : int
        Bytes that the records of the program keep for values within a call.
    float64 : list of str
        What the device computes in double precision although neither arguments nor shared variables are of it.
    """

    title: str
    device: str
    entries: list[Entry]
    rung: str
    why: list[str]
    arena: int = 0
    float64: list[str] = field(default_factory=list)

    @property
    def launches(self) -> int:
        """How many kernels of our own a call launches."""
        return sum(entry.launches for entry in self.entries)

    @property
    def transfers(self) -> list[str]:
        """What every call moves between the host and the device, results aside."""
        return [text for entry in self.entries for text in entry.transfers]

    def __str__(self) -> str:
        rows = [("where", "what", "by", "bytes", "flops", "sums in", "line")]
        for entry in self.entries:
            origin = str(entry.steps[0].node.origin) if entry.steps else ""
            rows.append((entry.device, entry.name, entry.kernel, _number(entry.bytes), _number(entry.flops),
                         entry.precision, origin))
        widths = [min(max(len(row[i]) for row in rows), _WIDEST) for i in range(6)]
        lines = [f"{self.title} on {self.device}: {self.rung}, launches a call: {self.launches}, "
                 f"bytes kept for values within a call: {_number(self.arena)}"]
        for row in rows:
            cells = [_clip(cell).ljust(width) for cell, width in zip(row, widths, strict=False)]
            lines.append(("  " + "  ".join([*cells, row[6]])).rstrip())
        lines += [f"  moved in every call: {text}" for text in self.transfers]
        lines += [f"  in float64, as no argument and no shared variable is: {text}" for text in self.float64]
        better = "not recorded" if self.rung == Rung.STEPS else "no graph"
        lines += [f"  {better}, because: {text}" for text in dict.fromkeys(self.why)]
        return "\n".join(lines)


def float64_in(plan: Plan, entries: Sequence[Entry]) -> list[str]:
    """The steps of a device that make or sum up in double precision what nobody has asked for: a GPU takes many times
    as long for them.

    Parameters
    ----------
    plan : Plan
    entries : sequence of Entry
    """
    if any(_is_wide(v) for v in (*plan.inputs, *plan.shared)):
        return []
    steps = [step for entry in entries if entry.device == "device" for step in entry.steps]
    wide = [step.node for step in steps if any(map(_is_wide, step.node.outputs))
            or getattr(step.node.op, "acc_dtype", None) in _WIDE]
    return list(dict.fromkeys(f"{node.op}, built at {node.origin}" for node in wide))


_WIDE = ("float64", "complex128")


def _is_wide(variable: Variable) -> bool:
    return getattr(variable.type, "dtype", None) in _WIDE


_WIDEST = 48


def _clip(text: str) -> str:
    return text if len(text) <= _WIDEST else text[:_WIDEST - 3] + "..."


def _number(n: int | None) -> str:
    if n is None:
        return ""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if n >= 10 * size:
            return f"{n / size:.0f} {unit}"
    return str(n)
