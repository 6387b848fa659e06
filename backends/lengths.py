"""What generated functions raise for arrays whose lengths do not fit together."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["mismatch", "misnamed"]


def mismatch(op: str, a: tuple[int, ...], b: tuple[int, ...], axes: list[tuple[int, int]],
             kind: type[Exception] = ValueError) -> NoReturn:
    """Raise for operands whose lengths differ, given their shapes; `axes` pairs those that must be equal."""
    for i, j in axes:
        m, n = a[i], b[j]
        if m == n:
            continue
        advice = ""
        if 1 in (m, n):
            advice = (
                ". Only an axis known to be 1 is stretched: declare it (T.row, T.col, shape=(None, 1)), or use "
                "T.addbroadcast"
            )
        where = f"axis {i} of the first has length {m}, axis {j} of the second {n}"
        raise kind(f"{op}: shapes {a} and {b} do not fit together: {where}{advice}")
    raise kind(f"{op}: shapes {a} and {b} do not fit together")


def misnamed(named: tuple[str, str, list[tuple[str, int]]], *arrays: Any) -> NoReturn:
    """Raise for axes of inputs whose lengths have one name and differ.

    `named` is what the function is called, the name, and the axes.
    """
    title, name, places = named
    (first, axis), length = places[0], arrays[0].shape[places[0][1]]
    for (other, j), array in zip(places, arrays, strict=True):
        if array.shape[j] != length:
            raise ValueError(f"{title}: axis {axis} of {first} has length {length}, axis {j} of {other} has length "
                             f"{array.shape[j]}, but both are {name!r}: shapes {arrays[0].shape} and {array.shape}")
    raise ValueError(f"{title}: lengths named {name!r} differ")
