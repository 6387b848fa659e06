"""What a caller calls, written out for the kinds of its inputs: a call that passes just these looks up nothing.

The method of a function of a vector and a matrix is like ::

    def __call__(self, x0=absent, x1=absent, /, *more, **named):
        if (self._trusting and x1 is not absent or (
                type(x0) is ndarray and x0.dtype is float64 and x0.ndim == 1
                and type(x1) is ndarray and x1.dtype is float32 and x1.ndim == 2)) and not more and not named:
            target = self._run
            try:
                return target(x0, x1)
            except Exception as error:
                self._explain(error)
                raise
        return self._call_binding(given(x0, x1, *more), named)

and where something is to be done with each argument anyhow, it asks only whether all are there.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import Any

import numpy as np

from symgraph.graph.type import Type
from symgraph.tensor.type import TensorType

__all__ = ["Kinds", "entry_for", "kinds_of"]

#: For each input the dtype and the number of dimensions of the arrays that are taken as they are, and whether integers
#: of Python within the bounds of int64 are taken too.
Kinds = tuple[tuple[str, int, bool], ...]
_MOST = 8

_TEXT = """\
def __call__(self, {parameters}/, *more, **named):
    if {test} and not more and not named:
        target = self.{target}
        try:
            return target({arguments})
        except Exception as error:
            self._explain(error)
            raise
    return self._call_binding(given({values}*more), named)
"""

_NEXT = "\n" + 12 * " "


class _Absent:
    """What stands for an argument that is not passed by position."""

    def __repr__(self) -> str:
        return "<input>"


_absent = _Absent()


def _given(*values: Any) -> tuple[Any, ...]:
    """The arguments that were passed; positions are filled from the left."""
    return tuple(value for value in values if value is not _absent)


def kinds_of(types: Sequence[Type], positions: Collection[int] = ()) -> Kinds | None:
    """The kinds of arrays that inputs of some types take as they are; None when one of them takes none.

    And None for many inputs: a method of their own would take longer to make than their calls would gain.

    Parameters
    ----------
    types : sequence of Type
    positions : collection of int
        The places of inputs that take integers of Python too.
    """
    kinds = tuple((kind.dtype, kind.ndim, place in positions) for place, kind in enumerate(types)
                  if isinstance(kind, TensorType) and set(kind.shape) <= {None})
    return kinds if len(kinds) == len(types) <= _MOST else None


@cache
def entry_for(count: int, kinds: Kinds | None = None) -> Callable[..., Any]:
    """The method ``__call__`` of functions of so many inputs, each passed by the caller or found by its name.

    A function has ``_run``, which takes values of the inputs' types; ``_target``, which takes what the caller passes,
    by position; ``_trusting``, whether the two are one; ``_call_binding``, which takes a tuple and a dict as the caller
    passes them; and ``_explain``, which adds to an error.

    Parameters
    ----------
    count : int
    kinds : tuple of (dtype, ndim, bool), optional
        Run at once when arguments are arrays of these kinds. Without, call the target with any that are there.
    """
    names = [f"x{i}" for i in range(count)]
    arguments = ", ".join(names)
    namespace: dict[str, Any] = {"absent": _absent, "given": _given, "ndarray": np.ndarray}
    there = f"{names[-1]} is not absent" if names else "True"
    if kinds:
        checks = [_check(name, dtype, ndim, number)
                  for name, (dtype, ndim, number) in zip(names, kinds, strict=True)]
        there = f"(self._trusting and {there} or ({_NEXT}{f'{_NEXT}and '.join(checks)}))"
        namespace.update((dtype, np.dtype(dtype)) for dtype, _, _ in kinds)
    text = _TEXT.format(
        parameters="".join(f"{name}=absent, " for name in names), values="".join(f"{name}, " for name in names),
        test=there, arguments=arguments, target="_target" if kinds is None else "_run",
    )
    filename = f"<symgraph: a call with {', '.join(map(_shown, kinds)) if kinds else count}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    exec(compile(text, filename, "exec"), namespace)
    method: Callable[..., Any] = namespace["__call__"]
    return method


def _check(name: str, dtype: str, ndim: int, number: bool) -> str:
    """The test whether an argument is taken as it is."""
    test = f"type({name}) is ndarray and {name}.dtype is {dtype} and {name}.ndim == {ndim}"
    return f"(type({name}) is int and {-2**63} <= {name} < {2**63} or {test})" if number else test


def _shown(kind: tuple[str, int, bool]) -> str:
    return f"{kind[0]}[{','.join('?' * kind[1])}]{' or int' if kind[2] else ''}"
