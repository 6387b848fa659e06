"""SourceWriter: generated text with indentation, fresh names, and which step each line comes from."""

from __future__ import annotations

import itertools
import linecache
import sys
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, FunctionType
from typing import Any

from symgraph.plan import Step

__all__ = ["SourceWriter", "printable", "tuple_text"]

_serial = itertools.count(1)
_COMMENT_COLUMN = 68

_collected: deque[str] = deque()  # files whose functions are gone, still in `linecache`


class SourceWriter:
    """Collects the lines of a generated function.

    Names are made here and never taken from the user, so no string of the user's can become code. What the text
    refers to is bound in `namespace`.
    """

    def __init__(self, namespace: dict[str, Any] | None = None) -> None:
        self.lines: list[str] = []
        self.steps: dict[int, Step] = {}  # line number, from 1
        self.namespace: dict[str, Any] = dict(namespace or {})
        self._depth = 0
        self._aside: list[tuple[str, list[str], dict[int, Step]]] = []
        self._behind: dict[str, tuple[int, list[str]]] = {}  # functions written aside: how many lines are above, theirs
        self._used: dict[str, int] = {}
        self.current: Step | None = None

    def fresh(self, prefix: str) -> str:
        """A name nobody has: the prefix and a number."""
        number = self._used.get(prefix, 0)
        self._used[prefix] = number + 1
        return f"{prefix}{number}"

    def bind(self, value: Any, prefix: str) -> str:
        """Put a value into the namespace under a fresh name."""
        name = self.fresh(prefix)
        self.namespace[name] = value
        return name

    def line(self, code: str, comment: str = "") -> None:
        """Add a line, with a comment in its column."""
        text = "    " * self._depth + code
        if comment:
            text = f"{text:{_COMMENT_COLUMN}}  # {printable(comment)}"
        self.lines.append(text)
        if self.current is not None:
            self.steps[len(self.lines)] = self.current

    @property
    def depth(self) -> int:
        """How many blocks the next line is in."""
        return self._depth

    @contextmanager
    def indented(self, header: str = "", comment: str = "") -> Iterator[None]:
        """Lines written inside stand one level deeper."""
        if header:
            self.line(header, comment)
        self._depth += 1
        yield
        self._depth -= 1

    @contextmanager
    def aside(self, name: str) -> Iterator[None]:
        """What is written inside becomes a function of its own, of this name, behind the one being written.

        It is compiled when it is first called.
        """
        kept = self.lines, self.steps, self._depth
        self.lines, self.steps, self._depth = ["", ""], {}, 0
        try:
            yield
        finally:
            self._aside.append((name, self.lines, self.steps))
            self.lines, self.steps, self._depth = kept

    def add_asides(self) -> None:
        """Put the functions written aside here, at the end."""
        for name, lines, steps in self._aside:
            self._behind[name] = len(self.lines), lines
            self.steps.update((len(self.lines) + number, step) for number, step in steps.items())
            self.lines += lines
        self._aside.clear()

    def text(self) -> str:
        """All lines."""
        return "\n".join(self.lines) + "\n"

    def compile(self, title: str) -> dict[str, Any]:
        """Run the text, which defines functions, and return the namespace.

        The text is registered with `linecache`, so tracebacks and debuggers show its lines, and taken out again when
        its functions are collected.
        """
        filename = f"<symgraph {next(_serial)}: {printable(title)}>"
        text = self.text()
        while _collected:
            linecache.cache.pop(_collected.popleft(), None)
        above = min((first for first, _ in self._behind.values()), default=len(self.lines))
        exec(compile("\n".join(self.lines[:above]) + "\n", filename, "exec"), self.namespace)
        for name, (first, lines) in self._behind.items():
            self.namespace[name] = _Later(name, first, lines, filename, self.namespace)
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        for value in list(self.namespace.values()):
            if isinstance(value, FunctionType) and value.__code__.co_filename == filename:
                weakref.finalize(value, _forget, filename)
                break
        return self.namespace


class _Later:
    """A function that is compiled when it is first called: most kernels never meet arrays large enough for tiles."""

    def __init__(self, name: str, above: int, lines: list[str], filename: str, namespace: dict[str, Any]) -> None:
        self.name, self.above, self.lines, self.filename, self.namespace = name, above, lines, filename, namespace

    def __call__(self, *args: Any) -> Any:
        if self.namespace[self.name] is self:
            text = "\n" * self.above + "\n".join(self.lines) + "\n"  # its lines keep their numbers
            exec(compile(text, self.filename, "exec"), self.namespace)
        return self.namespace[self.name](*args)


def _forget(filename: str) -> None:
    """Take a file out of `linecache`; later, when the collector runs just while `linecache` walks its files."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code is linecache.checkcache.__code__:
            _collected.append(filename)
            return
        frame = frame.f_back
    linecache.cache.pop(filename, None)


def printable(text: str) -> str:
    """Text as it may stand in a comment: one line, no control characters."""
    return text[:200] if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text[:200])


def tuple_text(parts: Sequence[str]) -> str:
    """A tuple of expressions, as an expression."""
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
