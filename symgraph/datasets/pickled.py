"""deeplearning.net's ``mnist.pkl.gz``, rebuilt without unpickling it.

A pickle is a program for a small stack machine that can import and call anything. The machine here knows only the
instructions that describe numbers, strings, tuples, lists and arrays; the five names that an array's description
uses stand for functions of this module, nothing is imported, no attribute is set and no object of the file's
choosing is called. Everything else is refused, and nothing has run by then.

The instructions are documented in the standard library's `pickletools`; the descriptions that arrays give of
themselves are `numpy.ndarray.__reduce__`'s.
"""

import codecs
import math
import pickletools
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgraph.datasets.errors import DatasetError
from symgraph.datasets.images import Images, Split, checked_split
from symgraph.datasets.payload import MAX_BYTES, open_payload, read_up_to, require_end

__all__ = ["read_pickle"]

_MAX_STREAM = 2 * MAX_BYTES  # the oldest protocol writes a byte as up to four characters
_MAX_STEPS = 10_000  # the genuine file takes some two hundred
_KINDS = frozenset({"u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"})


def read_pickle(path: Path) -> Images:
    """Read a pickle in the form of ``mnist.pkl.gz``: `(train, valid, test)`, each a pair of images and labels.

    Raises
    ------
    DatasetError
        If the file holds anything but numbers, strings, tuples, lists and NumPy arrays of numbers, is damaged, or
        is not of that form. Nothing that the file says is executed.
    """
    with open_payload(path) as stream:
        try:
            content = _Machine(_Meter(stream)).run()
        except _RefusedError as refusal:
            raise DatasetError(
                f"{path} is not a pickle of NumPy arrays alone: {refusal}. Nothing of it was executed. "
                "Expected (train, valid, test), each a pair (images, labels), as in deeplearning.net's mnist.pkl.gz"
            ) from None
        require_end(stream, path, "pickle")
    match content:
        case [[_, _] as first, [_, _] as second, [_, _] as third]:  # tuples or lists
            pairs = zip(("train", "valid", "test"), (first, second, third), strict=True)
        case _:
            raise DatasetError(f"{path}: expected (train, valid, test), each a pair (images, labels)")
    train, valid, test = (_split(pair, f"{path}: {name}") for name, pair in pairs)
    if train.x.shape[1:] != valid.x.shape[1:] or train.x.dtype != valid.x.dtype:
        raise DatasetError(f"{path}: the training images are {train.x.dtype} {train.x[0].shape}, validation images not")
    training = Split(np.concatenate([train.x, valid.x]), np.concatenate([train.y, valid.y]))
    return Images.of(training, test, n_valid=len(valid.y))


def _split(pair: Sequence[object], what: str) -> Split:
    if not all(isinstance(half, _Array) for half in pair):
        raise DatasetError(f"{what}: expected a pair of arrays, images and labels")
    x, y = (half.rebuild(what) for half in pair if isinstance(half, _Array))
    if x.ndim == 2:
        side = math.isqrt(x.shape[1])
        if side * side != x.shape[1]:
            raise DatasetError(f"{what}: images of {x.shape[1]} pixels are not square")
        x = x.reshape(len(x), side, side)
    return checked_split(x, y, f"{what} images", f"{what} labels")


class _RefusedError(Exception):
    """The file asks for something that has no place in it."""


class _Meter:
    """The stream, with a limit on what it may deliver: nothing is read before its length is known to be within it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._left = _MAX_STREAM

    def take(self, count: int) -> bytes:
        if not 0 <= count <= self._left:
            raise _RefusedError(f"it holds over {_MAX_STREAM:,} bytes")
        self._left -= count
        data = self._stream.read(count) if count < 64 else bytes(read_up_to(self._stream, count))
        if len(data) < count:
            raise _RefusedError("it is truncated")
        return data

    def line(self) -> bytes:
        data = bytes(self._stream.readline(self._left))
        self._left -= len(data)
        if not data.endswith(b"\n"):
            raise _RefusedError("it is truncated, or holds too long a line")
        return data[:-1]


@dataclass(frozen=True)
class _Known:
    """Stands for one of the names that an array's description uses."""

    make: Callable[..., object] | None


@dataclass
class _Dtype:
    """A description of a dtype: a kind of number, then (by BUILD) its byte order."""

    kind: str
    order: str = "="


@dataclass
class _Array:
    """A description of an array, complete when it has data."""

    shape: tuple[int, ...] = ()
    dtype: _Dtype | None = None
    columns_first: bool = False
    data: bytes | None = None

    def rebuild(self, what: str) -> NDArray[Any]:
        if self.data is None or self.dtype is None:
            raise DatasetError(f"{what}: an array without data")
        dtype = np.dtype(self.dtype.order + self.dtype.kind)
        if math.prod(self.shape) * dtype.itemsize != len(self.data):
            raise DatasetError(f"{what}: {len(self.data):,} bytes for an array of shape {self.shape} of {dtype}")
        array = np.frombuffer(self.data, dtype).reshape(self.shape, order="F" if self.columns_first else "C")
        return array.astype(dtype.newbyteorder("="), order="C")


def _make_array(*arguments: object) -> _Array:
    match arguments:
        case (_Known(make=None), (0,), b"b" | "b"):
            return _Array()
    raise _RefusedError("an array that does not start out empty")


def _make_from_buffer(*arguments: object) -> _Array:
    match arguments:
        case (bytes() as data, _Dtype() as dtype, shape, "C" | "F" as order):
            return _Array(_shape(shape), dtype, order == "F", data)
    raise _RefusedError("an array from something other than bytes")


def _make_dtype(*arguments: object) -> _Dtype:
    match arguments:
        case (str() | bytes() as kind, 0 | 1, 0 | 1):
            kind = kind.decode("latin-1") if isinstance(kind, bytes) else kind
            if kind in _KINDS:
                return _Dtype(kind)
            raise _RefusedError(f"an array of dtype {kind[:20]!r}, which is not a number")
    raise _RefusedError("a dtype that is not a kind of number")


def _make_bytes(*arguments: object) -> bytes:
    match arguments:
        case (str() as text, "latin1" | "latin-1"):
            return text.encode("latin-1")
    raise _RefusedError("a call of _codecs.encode for something other than Latin-1")


def _shape(value: object) -> tuple[int, ...]:
    if isinstance(value, tuple) and 1 <= len(value) <= 3 and all(type(n) is int and n >= 0 for n in value):
        return value
    raise _RefusedError("an array whose shape is not one to three lengths")


_KNOWN = {
    "numpy ndarray": _Known(None),
    "numpy dtype": _Known(_make_dtype),
    "_codecs encode": _Known(_make_bytes),
    "numpy.core.multiarray _reconstruct": _Known(_make_array),
    "numpy._core.multiarray _reconstruct": _Known(_make_array),
    "numpy.core.numeric _frombuffer": _Known(_make_from_buffer),
    "numpy._core.numeric _frombuffer": _Known(_make_from_buffer),
}


def _build_dtype(dtype: _Dtype, state: object) -> None:
    match state:
        case (int(), "<" | ">" | "|" | "=" | b"<" | b">" | b"|" | b"=" as order, None, None, None, *_):
            dtype.order = order.decode() if isinstance(order, bytes) else order
        case _:
            raise _RefusedError("a dtype with fields or parts")


def _build_array(array: _Array, state: object) -> None:
    match state:
        case (1, shape, _Dtype() as dtype, bool() | 0 | 1 as columns_first, bytes() as data) if array.data is None:
            array.shape, array.dtype, array.columns_first, array.data = _shape(shape), dtype, bool(columns_first), data
        case _:
            raise _RefusedError("an array with contents other than bytes")


class _Machine:
    """The stack machine of a pickle, with the instructions that describe data and no others."""

    def __init__(self, stream: _Meter) -> None:
        self.stream = stream
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def run(self) -> object:
        """Follow the instructions up to STOP and return what they describe."""
        try:
            for _ in range(_MAX_STEPS):
                code = self.stream.take(1)
                if code == b".":
                    return self.pop()
                step = _STEPS.get(code)
                if step is None:
                    known = pickletools.code2op.get(code.decode("latin-1"))  # type: ignore[attr-defined]
                    raise _RefusedError(f"instruction {known.name if known else code.hex()} has no place in one")
                step(self)
        except (IndexError, KeyError, ValueError, OverflowError, TypeError, struct.error, Warning) as error:
            raise _RefusedError(f"it is damaged ({type(error).__name__})") from error
        raise _RefusedError(f"it takes over {_MAX_STEPS:,} instructions")

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise _RefusedError("it is damaged (the stack runs empty)")
        return self.stack.pop()

    def pop_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def number(self, code: str) -> int:
        """Read a little-endian integer; a length that is negative is refused where it is used."""
        value: int = struct.unpack("<" + code, self.stream.take(struct.calcsize(code)))[0]
        return value

    def block(self, length_code: str) -> bytes:
        return self.stream.take(self.number(length_code))

    def tuple_of(self, length: int) -> None:
        self.push(tuple(reversed([self.pop() for _ in range(length)])))

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise _RefusedError("items for something that is not a list")
        target.extend(items)

    def find(self, module: object, name: object) -> None:
        key = f"{module} {name}"
        if key not in _KNOWN:
            raise _RefusedError(f"it names {f'{module}.{name}'[:60]!r}")
        self.push(_KNOWN[key])

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, _Known) or function.make is None or type(arguments) is not tuple:
            raise _RefusedError("a call of something that is not a function")
        self.push(function.make(*arguments))

    def build(self) -> None:
        state = self.pop()
        match self.stack[-1]:
            case _Dtype() as dtype:
                _build_dtype(dtype, state)
            case _Array() as array:
                _build_array(array, state)
            case _:
                raise _RefusedError("a state for something that is not an array")


def _integer(line: bytes) -> int:
    if line in (b"00", b"01"):  # how protocols 0 and 1 write False and True
        return line == b"01"
    return int(line.removesuffix(b"L"))


def _quoted(line: bytes) -> bytes:
    line = line.strip()
    if len(line) < 2 or line[:1] not in b"'\"" or line[-1:] != line[:1]:
        raise _RefusedError("a string without quotes")
    return codecs.escape_decode(line[1:-1])[0]


def _utf8(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _ignore(value: object) -> None:
    """Some instructions only concern the way the others are laid out."""


_STEPS: dict[bytes, Callable[[_Machine], None]] = {
    # protocol
    b"\x80": lambda m: _ignore(m.number("B")),
    b"\x95": lambda m: _ignore(m.number("Q")),
    # numbers
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"I": lambda m: m.push(_integer(m.stream.line())),
    b"L": lambda m: m.push(_integer(m.stream.line())),
    b"J": lambda m: m.push(m.number("i")),
    b"K": lambda m: m.push(m.number("B")),
    b"M": lambda m: m.push(m.number("H")),
    b"\x8a": lambda m: m.push(int.from_bytes(m.block("B"), "little", signed=True)),
    # strings of Python 2, which are bytes
    b"S": lambda m: m.push(_quoted(m.stream.line())),
    b"T": lambda m: m.push(m.block("i")),
    b"U": lambda m: m.push(m.block("B")),
    # bytes and text
    b"C": lambda m: m.push(m.block("B")),
    b"B": lambda m: m.push(m.block("I")),
    b"\x8e": lambda m: m.push(m.block("Q")),
    b"\x96": lambda m: m.push(m.block("Q")),
    b"V": lambda m: m.push(m.stream.line().decode("raw-unicode-escape")),
    b"X": lambda m: m.push(_utf8(m.block("I"))),
    b"\x8c": lambda m: m.push(_utf8(m.block("B"))),
    b"\x8d": lambda m: m.push(_utf8(m.block("Q"))),
    # tuples and lists
    b"(": lambda m: m.marks.append(len(m.stack)),
    b"0": lambda m: _ignore(m.pop()),
    b"1": lambda m: _ignore(m.pop_mark()),
    b")": lambda m: m.push(()),
    b"t": lambda m: m.push(tuple(m.pop_mark())),
    b"\x85": lambda m: m.tuple_of(1),
    b"\x86": lambda m: m.tuple_of(2),
    b"\x87": lambda m: m.tuple_of(3),
    b"]": lambda m: m.push([]),
    b"l": lambda m: m.push(m.pop_mark()),
    b"a": lambda m: m.extend([m.pop()]),
    b"e": lambda m: m.extend(m.pop_mark()),
    # what was seen before
    b"p": lambda m: m.memo.update({int(m.stream.line()): m.stack[-1]}),
    b"q": lambda m: m.memo.update({m.number("B"): m.stack[-1]}),
    b"r": lambda m: m.memo.update({m.number("I"): m.stack[-1]}),
    b"\x94": lambda m: m.memo.update({len(m.memo): m.stack[-1]}),
    b"g": lambda m: m.push(m.memo[int(m.stream.line())]),
    b"h": lambda m: m.push(m.memo[m.number("B")]),
    b"j": lambda m: m.push(m.memo[m.number("I")]),
    # arrays
    b"c": lambda m: m.find(m.stream.line().decode("ascii"), m.stream.line().decode("ascii")),
    b"\x93": lambda m: m.find(*reversed((m.pop(), m.pop()))),
    b"R": lambda m: m.reduce(),
    b"b": lambda m: m.build(),
}
