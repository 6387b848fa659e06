"""Origins: which line of the user's program a node comes from.

The user's line is the first frame whose file is not part of this package. It is recorded for every node, always;
only the code object and the instruction offset are kept (about a microsecond), and the line number is worked out
when somebody asks.
"""

from __future__ import annotations

import os
import sys
from bisect import bisect_right
from contextvars import ContextVar, Token
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any

import numpy

__all__ = ["Origin", "current_origin", "deriving", "internal_folders", "is_ours"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
#: Files under these folders are never the user's: ours, and NumPy's, whose functions call methods of our variables.
internal_folders: list[str] = [
    _PACKAGE + os.sep,
    os.path.join(os.path.dirname(_PACKAGE), "backends") + os.sep,
    os.path.dirname(os.path.abspath(numpy.__file__)) + os.sep,
]

_is_ours: dict[str, bool] = {}


class Origin:
    """A line of the user's program, with what was derived from it, if anything.

    Attributes
    ----------
    note : str
        How a derived node came about, such as ``"gradient of log"``; empty for what the user wrote.
    """

    __slots__ = ("_code", "_filename", "_lasti", "_lineno", "note")

    def __init__(self, code: CodeType | None, lasti: int, filename: str = "", lineno: int = 0, note: str = "") -> None:
        self._code = code
        self._lasti = lasti
        self._filename = filename
        self._lineno = lineno
        self.note = note

    @property
    def filename(self) -> str:
        """The file's full path, as Python reports it."""
        return self._code.co_filename if self._code is not None else self._filename

    @property
    def lineno(self) -> int:
        """The line number, from 1; 0 when unknown."""
        if self._code is None:
            return self._lineno
        starts, lines = _line_table(_ById(self._code))
        return lines[bisect_right(starts, self._lasti) - 1]

    def derive(self, note: str) -> Origin:
        """The same line, with a note on what was derived from it."""
        return Origin(self._code, self._lasti, self._filename, self._lineno, note)

    def __str__(self) -> str:
        place = f"{os.path.basename(self.filename)}:{self.lineno}"
        return f"{place} ({self.note})" if self.note else place

    def __repr__(self) -> str:
        return f"<Origin {self}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Origin, (None, 0, self.filename, self.lineno, self.note)


class _ById:
    """A code object as a key: by identity, since comparing code compares all its instructions."""

    __slots__ = ("code",)

    def __init__(self, code: CodeType) -> None:
        self.code = code

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ById) and other.code is self.code

    def __hash__(self) -> int:
        return id(self.code)


@lru_cache(maxsize=128)
def _line_table(key: _ById) -> tuple[list[int], list[int]]:
    """Where in the code each line starts: long programs have many nodes on many lines."""
    starts, lines = [-1], [key.code.co_firstlineno]
    for start, _, line in key.code.co_lines():
        starts.append(start)
        lines.append(line if line is not None else lines[-1])
    return starts, lines


UNKNOWN = Origin(None, 0, "<unknown>", 0)

_derived: ContextVar[Origin | None] = ContextVar("symgraph_derived_origin", default=None)


def _check(filename: str) -> bool:
    ours = filename.startswith((*internal_folders, "<frozen"))
    _is_ours[filename] = ours
    return ours


def is_ours(filename: str) -> bool:
    """Whether a source file is part of the package (or of NumPy), so that its lines are not the user's."""
    known = _is_ours.get(filename)
    return _check(filename) if known is None else known


def current_origin() -> Origin:
    """The origin a node built now should carry."""
    derived = _derived.get()
    if derived is not None:
        return derived
    frame: FrameType | None = sys._getframe(1)
    known = _is_ours.get
    while frame is not None:
        code = frame.f_code
        ours = known(code.co_filename)
        if ours is None:
            ours = _check(code.co_filename)
        if not ours:
            return Origin(code, frame.f_lasti)
        frame = frame.f_back
    return UNKNOWN


class deriving:
    """Give every node built in the block the origin of what it is derived from.

    Parameters
    ----------
    origin : Origin or None
        The line the new nodes stand for; None leaves them to find their own.
    note : str
        How they come about: ``"gradient of log"``. Without it the origin is passed on as it is.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> x = T.dvector("x")
    >>> with deriving(Origin(None, 0, "model.py", 7), "an example"):
    ...     y = T.exp(x)
    >>> y.owner.origin
    <Origin model.py:7 (an example)>
    """

    __slots__ = ("_origin", "_token")

    def __init__(self, origin: Origin | None, note: str = "") -> None:
        self._origin = origin.derive(note) if note and origin is not None else origin
        self._token: Token[Origin | None] | None = None

    def __enter__(self) -> None:
        if self._origin is not None:
            self._token = _derived.set(self._origin)

    def __exit__(self, *error: object) -> None:
        if self._token is not None:
            _derived.reset(self._token)
            self._token = None
