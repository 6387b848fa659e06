"""Random index expressions: reading, setting, increasing and their gradients against NumPy; bad ones fail alike.

A key holds integers, slices with any bounds and steps, Ellipsis, None, arrays of integers and of booleans, each known
or symbolic. It need not be right: one integer in twelve is out of range, a mask may have another length, arrays may not
fit together, and there may be too many entries. Where NumPy raises, the library raises the same, when building or when
called.

Two things differ from NumPy on purpose. Index arrays are not stretched along an axis whose length is not known to be 1:
where NumPy would, a ValueError says so. And where nothing is read or written, for an axis of length 0 elsewhere in the
result, NumPy does not always look at the indices; the library follows NumPy's own indexing there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import TensorType
from symgraph.testing import verify_grad
from tests.fuzz.recipes import DTYPES, Array, Choose, Mismatch

ERRORS = (IndexError, ValueError, TypeError)


@dataclass
class Case:
    """An array, what its type knows, and a key: as numbers and as symbols."""

    choose: Choose
    array: Array
    static: tuple[int | None, ...]
    key: tuple[Any, ...] = ()
    symbols: tuple[Any, ...] = ()
    inputs: list[Any] = field(default_factory=list)
    values: list[Array] = field(default_factory=list)
    stretches: bool = False  # index arrays of unknown lengths are stretched, or may be

    def variable(self) -> Any:
        return TensorType(self.array.dtype, self.static)("x")

    def describe(self) -> str:
        static = [s.type if hasattr(s, "type") else s for s in self.symbols]
        return f"{self.array.dtype}{self.array.shape}, static {self.static}, key {self.key}, symbols {static}"


def grown(choose: Choose) -> Case:
    """A random case."""
    shape = tuple((0, 1, 1, 2, 3, 4, 3, 2)[choose(8)] for _ in range(1 + choose(4)))
    count = int(np.prod(shape))
    array = (np.arange(count) % 100).astype(DTYPES[choose(len(DTYPES))]).reshape(shape)
    static = tuple(n if choose(3) == 0 or (n == 1 and choose(2)) else None for n in shape)
    case = Case(choose, array, static)
    entries = [entry(case, n) for n in shape[: choose(len(shape) + 1)]]
    if choose(15) == 0:
        entries.append(entry(case, 2))
    if choose(4) == 0:
        entries.insert(choose(len(entries) + 1), (..., ...))
    for _ in range((0, 0, 0, 1, 2)[choose(5)]):
        entries.insert(choose(len(entries) + 1), (None, None))
    case.key, case.symbols = tuple(e[0] for e in entries), tuple(e[1] for e in entries)
    case.stretches = bool(case.inputs) and sum(isinstance(k, np.ndarray) and k.ndim > 0 for k in case.key) > 1
    return case


def symbolic(case: Case, value: Any, array: bool = False) -> Any:
    """A symbol for a part of a key, now and then; else the part itself."""
    if value is None or case.choose(3):
        return T.constant(value) if array and case.choose(2) else value
    number = np.asarray(value)
    kinds = [k for k in ("int64", "int32", "int8", "uint8") if np.can_cast(number.dtype, k, "same_kind")
             and (number.dtype == bool or bool(np.all(number.astype(k) == number)))]
    data = number if number.dtype == bool or array else number.astype(kinds[case.choose(len(kinds))])
    x = TensorType(data.dtype, [n if n == 1 and case.choose(2) else None for n in data.shape])(f"i{len(case.inputs)}")
    case.inputs.append(x)
    case.values.append(data)
    return x


def entry(case: Case, n: int) -> tuple[Any, Any]:
    """A part of a key for an axis of length n, as numbers and as symbols."""
    choose = case.choose
    wild = choose(12) == 0
    which = choose(8)
    if which < 3:
        return _slice(case, n)
    if which == 3:
        place = choose(2 * n) - n if n and not wild else n + choose(3)
        return place, symbolic(case, place)
    if which < 6:
        shape = ((2,), (3,), (1,), (2, 2), (0,), ())[choose(6)]
        count = int(np.prod(shape))
        low, size = (-n, 2 * n) if n else (0, 1)
        numbers = [low + choose(size) + (3 * n if wild else 0) for _ in range(count)]
        kind = ("int64", "int32", "int8", "uint64")[choose(4)]
        array = np.array(numbers, "int64").reshape(shape)
        array = (abs(array) % max(n, 1) if kind == "uint64" else array).astype(kind)
        return array, symbolic(case, array, array=True)
    if which == 6:
        mask = np.array([choose(2) == 0 for _ in range(n + (1 if wild else 0))], bool)
        return mask, symbolic(case, mask, array=True)
    return slice(None), slice(None)


def _slice(case: Case, n: int) -> tuple[slice, slice]:
    choose = case.choose

    def bound() -> int | None:
        return None if choose(3) == 0 else choose(2 * n + 7) - n - 3

    step = (None, None, 1, 2, -1, -2, 3, -3, 0 if choose(8) == 0 else 1)[choose(9)]
    parts = (bound(), bound(), step)
    return slice(*parts), slice(*(symbolic(case, p) for p in parts))


def outcome(compute: Callable[[], Any]) -> Any:
    """A value, or the exception."""
    with np.errstate(all="ignore"):
        try:
            return compute()
        except ERRORS as error:
            return error


def agree(case: Case, what: str, wanted: Any, found: Any) -> bool:
    """Whether the library did as NumPy did; False where both failed.

    Raises
    ------
    Mismatch
    """
    refused = isinstance(found, (ValueError, IndexError)) and "fit together" in str(found)
    if isinstance(wanted, Exception):
        if isinstance(found, type(wanted)) or (isinstance(wanted, IndexError) and refused):
            return False
        raise Mismatch(f"{what}: NumPy raises {wanted!r}, here {found!r}\n{case.describe()}") from wanted
    if isinstance(found, Exception):
        if refused and case.stretches:
            return False
        raise Mismatch(f"{what}: {found!r}; NumPy gives {wanted!r}\n{case.describe()}") from found
    if (found.dtype, found.shape) != (wanted.dtype, wanted.shape) or not np.array_equal(found, wanted):
        raise Mismatch(f"{what}: {found!r} instead of {wanted!r}\n{case.describe()}")
    return True


def check(case: Case, gradients: bool = True) -> None:
    """Reading, setting and increasing, in FAST_RUN and unrewritten; the gradients of what is right."""
    a = case.array
    wanted = outcome(lambda: np.asarray(a[case.key]))
    x = case.variable()
    right = False
    for mode in ("FAST_RUN", "None"):
        found = outcome(lambda mode=mode: _call(case, x, lambda: x[case.symbols], [], mode))  # type: ignore[misc]
        right = agree(case, f"reading in {mode}", wanted, found)
    if not right:
        return
    y = _value(case, wanted.shape)
    v = TensorType(y.dtype, [n if n == 1 else None for n in y.shape])("v")
    for write, function in ((T.set_subtensor, _set), (T.inc_subtensor, _increase)):
        instead = outcome(lambda function=function: function(a, case.key, y))  # type: ignore[misc]
        for mode in ("FAST_RUN", "None"):
            found = outcome(lambda mode=mode, write=write: _call(  # type: ignore[misc]
                case, x, lambda: write(x[case.symbols], v), [(v, y)], mode))
            agree(case, f"{write.__name__} of {y.dtype}{y.shape} in {mode}", instead, found)
    if gradients and a.dtype == np.float64:
        check_gradients(case, y)


def _call(case: Case, x: Any, build: Callable[[], Any], more: list[tuple[Any, Array]], mode: str) -> Any:
    inputs, values = [x, *case.inputs, *(v for v, _ in more)], [case.array, *case.values, *(y for _, y in more)]
    return sg.function(inputs, build(), mode=mode, on_unused_input="ignore")(*values)


def _value(case: Case, region: tuple[int, ...]) -> Array:
    """What is written: of the shape of the part, or of lower rank, or stretched along an axis of length 1."""
    shape = list(region[case.choose(len(region) + 1):])
    for axis in range(len(shape)):
        if case.choose(4) == 0:
            shape[axis] = 1
    return (np.arange(int(np.prod(shape))) % 7 + 1).astype(case.array.dtype).reshape(shape)


def _set(a: Array, key: Any, y: Array) -> Array:
    result = a.copy()
    result[key] = y
    return result


def _increase(a: Array, key: Any, y: Array) -> Array:
    result = a.copy()
    np.add.at(result, key, np.array(np.broadcast_to(y, result[key].shape)))  # add.at misreads some shorter values
    return result


def check_gradients(case: Case, y: Array) -> None:
    """By finite differences; the parts of the key as numbers. What is set twice keeps the last value only."""
    a = case.array / 7
    y = y / 3

    def parts(x: Any) -> Any:
        return x[case.key]

    try:
        verify_grad(lambda x: parts(x) ** 2, [a], 1)
        verify_grad(lambda x, v: T.inc_subtensor(parts(x), v) ** 2, [a, y], 1)
        verify_grad(lambda x, v: T.set_subtensor(parts(x), v) ** 2, [a, y], 1)
    except ValueError as error:
        if not (case.stretches and "fit together" in str(error)):
            raise Mismatch(f"gradient: {error!r}\n{case.describe()}") from error
    except Exception as error:
        raise Mismatch(f"gradient: {error!r}\n{case.describe()}") from error
