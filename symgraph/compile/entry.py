"""What a caller calls, written out for so many inputs: a call that passes them all packs, counts and looks up nothing.

``f(x, y)`` comes to a method like ::

    def __call__(self, x0=absent, x1=absent, /, *more, **named):
        if named or more or x1 is absent:
            return self._call_binding(given(x0, x1, *more), named)
        target = self._target
        try:
            return target(x0, x1)
        except Exception as error:
            self._explain(error)
            raise

where the target is what checks the arguments and runs, or what only runs.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable
from functools import cache
from typing import Any

__all__ = ["entry_for"]

_TEXT = """\
def __call__(self, {parameters}/, *more, **named):
    if {test}:
        return self._call_binding({passed}, named)
    target = self._target
    try:
        return target({arguments})
    except Exception as error:
        self._explain(error)
        raise
"""


class _Absent:
    """What stands for an argument that is not passed by position."""

    def __repr__(self) -> str:
        return "<input>"


_absent = _Absent()


def _given(*values: Any) -> tuple[Any, ...]:
    """The arguments that were passed: those before the first that was not."""
    return tuple(value for value in values if value is not _absent)  # positions are filled from the left


@cache
def entry_for(count: int) -> Callable[..., Any]:
    """The method ``__call__`` of functions of so many inputs, each passed by the caller or found by its name.

    A function has ``_target``, which takes the inputs' values; ``_call_binding``, which takes a tuple and a dict as a
    caller passes them; and ``_explain``, which adds to an error.
    """
    names = [f"x{i}" for i in range(count)]
    arguments = ", ".join(names)
    text = _TEXT.format(
        parameters="".join(f"{name}=absent, " for name in names),
        test=f"named or more or {names[-1]} is absent" if names else "named or more",
        passed=f"given({arguments}, *more)" if names else "more",
        arguments=arguments,
    )
    filename = f"<symgraph: a call with {count} argument{'s' * (count != 1)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {"absent": _absent, "given": _given}
    exec(compile(text, filename, "exec"), namespace)
    method: Callable[..., Any] = namespace["__call__"]
    return method
