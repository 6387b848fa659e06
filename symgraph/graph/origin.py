"""Origins: which line of the user's program a node comes from.

The user's line is the first frame whose file is not part of this package. It is recorded for every node, always;
only the code object and the instruction offset are kept (about a microsecond), and the line number is worked out
when somebody asks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType
from typing import Any

__all__ = ["Origin", "current_origin", "deriving", "internal_folders"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
#: Files under these folders are ours, never the user's.
internal_folders: list[str] = [_PACKAGE + os.sep, os.path.join(os.path.dirname(_PACKAGE), "backends") + os.sep]

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
        for start, end, line in self._code.co_lines():
            if start <= self._lasti < end and line is not None:
                return line
        return self._code.co_firstlineno

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


UNKNOWN = Origin(None, 0, "<unknown>", 0)

_derived: ContextVar[Origin | None] = ContextVar("symgraph_derived_origin", default=None)


def _check(filename: str) -> bool:
    ours = filename.startswith(tuple(internal_folders)) or filename.startswith("<frozen")
    _is_ours[filename] = ours
    return ours


def current_origin() -> Origin:
    """The origin a node built now should carry."""
    derived = _derived.get()
    if derived is not None:
        return derived
    frame = sys._getframe(1)
    known = _is_ours.get
    while frame is not None:
        code = frame.f_code
        ours = known(code.co_filename)
        if ours is None:
            ours = _check(code.co_filename)
        if not ours:
            return Origin(code, frame.f_lasti)
        frame = frame.f_back  # type: ignore[assignment]
    return UNKNOWN


@contextmanager
def deriving(origin: Origin | None, note: str = "") -> Iterator[None]:
    """Give every node built in the block the origin of what it is derived from.

    Parameters
    ----------
    origin : Origin or None
        The line the new nodes stand for; None leaves them to find their own.
    note : str
        How they come about: ``"gradient of log"``. Without it the origin is passed on as it is.
    """
    if origin is None:
        yield
        return
    token = _derived.set(origin.derive(note) if note else origin)
    try:
        yield
    finally:
        _derived.reset(token)
