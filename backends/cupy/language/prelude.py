"""The text in front of a kernel: header-free CUDA C that says what NumPy's numbers mean.

The definitions lie in the files of the folder ``definitions``, parted by empty lines; `prelude` picks those a kernel
names, and those they name. Nothing is included from the CUDA toolkit, so that the run-time compiler alone is enough.
Of the device's built-in functions only those are used that C's mathematical library has too: what a test computes on
the processor is then what a device computes, up to the rounding of these functions.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

__all__ = ["prelude"]

_FOLDER = Path(__file__).parent / "definitions"
_FILES = ("base", "complex", "special", "bessel", "jobs", "random")

#: Functions of C that templates call for either precision: with the name of each here, ``sg_`` before it.
_OVERLOADED = (
    "atan2", "copysign", "cos", "exp", "expm1", "fabs", "floor", "fmod", "hypot", "lgamma", "log", "log1p", "rint",
    "sin", "sqrt", "tan", "tgamma", "trunc",
)
_TWO = frozenset(("atan2", "copysign", "fmod", "hypot"))

_NAME = re.compile(r"\bsg_\w+")
_DEFINED = re.compile(r"^(?:struct|template.*?struct) (?:alignas\(.*?\) )?(sg_\w+)|^[^(]*?\b(sg_\w+)(?:<\w+>)?\(", re.M)


def _overloads(name: str) -> str:
    more, passed = (", {0} y", ", y") if name in _TWO else ("", "")
    head = f"static __device__ inline {{0}} sg_{name}({{0}} x{more})"
    return "\n".join(f"{head.format(kind)} {{ return {name}{suffix}(x{passed}); }}"
                     for kind, suffix in (("float", "f"), ("double", "")))


@cache
def _pieces() -> tuple[tuple[str, str], ...]:
    """Names and their definitions, each after those it may need; a name can have several."""
    pieces = [(f"sg_{name}", _overloads(name)) for name in _OVERLOADED]
    for file in _FILES:
        path = _FOLDER / f"{file}.cuh"
        text = re.sub(r"^//.*\n", "", path.read_text(encoding="utf-8"), flags=re.M)
        for piece in filter(None, map(str.strip, re.split(r"\n\s*\n", text))):
            found = _DEFINED.search(piece)
            assert found is not None, f"{path.name} defines nothing in: {piece[:80]}"
            pieces.append((found[1] or found[2], piece))
    return tuple(pieces)


@cache
def _needs() -> dict[str, frozenset[str]]:
    needs: dict[str, frozenset[str]] = {}
    for name, text in _pieces():
        needs[name] = needs.get(name, frozenset()) | frozenset(_NAME.findall(text))
    return needs


def prelude(source: str) -> str:
    """The definitions that CUDA text needs, to be put in front of it.

    Parameters
    ----------
    source : str
        One kernel or more, with all they define themselves.

    Returns
    -------
    str
        Empty when the text names none.

    Examples
    --------
    >>> print(prelude("y[i] = sg_maximum(x[i], 0.0f);"))
    template <class T> static __device__ inline T sg_maximum(T a, T b) { return a > b || a != a ? a : b; }
    <BLANKLINE>
    """
    needs = _needs()
    wanted: set[str] = set()
    waiting = [name for name in _NAME.findall(source) if name in needs]
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting.extend(other for other in needs[name] if other in needs)
    return "".join(f"{text}\n" for name, text in _pieces() if name in wanted)
