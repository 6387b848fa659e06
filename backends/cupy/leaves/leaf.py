"""Leaf kernels: operations that no loop of a launch computes, each from a template of its own.

A template is a function of the layouts of its arrays and of numbers of the host. It gives `Leaves`: the results'
shapes, and the launches that make them, each with its text, geometry and arguments. Lengths and strides are parameters,
so one text serves arrays of many shapes. A `LeafOp` calls a template once for each layout and launches what it gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backends.cupy.devices.device import Device, Dim3
from backends.cupy.execution import Errors, Kernels
from backends.cupy.language.scalars import ctype
from symgraph.plan import Step

__all__ = ["THREADS", "Leaf", "LeafOp", "Leaves", "Operand", "Text", "collapsed", "plain_strides"]

THREADS = 256
_MOST_BLOCKS = 1 << 16
_KEPT = 64  # layouts, and lengths, that a `LeafOp` remembers
_NARROW = 1 << 30  # elements that are counted by an int, with room for a step of the whole grid beyond


@dataclass(frozen=True)
class Operand:
    """How an array lies in memory; strides are in elements."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str

    @staticmethod
    def of(array: Any) -> Operand:
        """That of an array of NumPy or CuPy."""
        size = array.dtype.itemsize
        return Operand(tuple(array.shape), tuple(s // size for s in array.strides), array.dtype.name)

    @staticmethod
    def plain(shape: Sequence[int], dtype: str) -> Operand:
        """That of an array in C order."""
        return Operand(tuple(shape), plain_strides(shape), dtype)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def reach(self) -> int:
        """The elements from the first to the last in memory."""
        return 1 + sum((n - 1) * abs(s) for n, s in zip(self.shape, self.strides, strict=True)) if self.size else 0

    def stretched(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The strides when it is broadcast to a shape."""
        extra = len(shape) - len(self.shape)
        return (0,) * extra + tuple(0 if mine == 1 else s for mine, s in zip(self.shape, self.strides, strict=True))


@dataclass(frozen=True)
class Leaf:
    """One launch.

    Attributes
    ----------
    arguments : tuple
        ``"error"`` for the error word, ``"failed"`` for the same where it is only read, ``"a0"`` for the first array
        that is read, ``"o0"`` for the first result, ``"w0"`` for the first array of scratch, and NumPy scalars.
    """

    name: str
    source: str
    grid: Dim3
    block: Dim3
    arguments: tuple[Any, ...]
    shared_bytes: int = 0


@dataclass(frozen=True)
class Leaves:
    """What an operation does for arrays of given layouts.

    Attributes
    ----------
    outputs : tuple of (shape, dtype)
    launches : tuple of Leaf
    scratch : tuple of int
        Bytes of each array of partial results.
    """

    outputs: tuple[tuple[tuple[int, ...], str], ...]
    launches: tuple[Leaf, ...]
    scratch: tuple[int, ...] = ()

    @property
    def may_fail(self) -> bool:
        """Whether a kernel may set the error word."""
        return any("error" in leaf.arguments for leaf in self.launches)


@dataclass
class Text:
    """The text of a kernel while it is written: parameters by need, then statements.

    Attributes
    ----------
    name : str
    index : str
        The C type in which elements are counted.
    """

    name: str
    index: str = "int"
    lines: list[str] = field(default_factory=list)
    parameters: list[str] = field(default_factory=list)
    arguments: list[Any] = field(default_factory=list)
    _known: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def index_for(*sizes: int) -> str:
        """The C type that counts so many elements."""
        return "int" if max(sizes, default=0) < _NARROW else "long long"

    def array(self, place: str, dtype: str) -> str:
        """An array: ``a0`` and the like are read, ``o0`` and ``w0`` are written."""
        if place not in self._known:
            self._known[place] = dtype
            const = "const " if place.startswith("a") else ""
            self.parameters.append(f"{const}{ctype(dtype)} *__restrict__ {place}")
            self.arguments.append(place)
        return place

    def error(self) -> str:
        """The error word."""
        if "error" not in self._known:
            self._known["error"] = None
            self.parameters.append("long long *error")
            self.arguments.append("error")
        return "error"

    def failed(self) -> str:
        """The error word, of a kernel that only asks whether an earlier one has set it."""
        if "failed" not in self._known:
            self._known["failed"] = None
            self.parameters.append("const long long *failed")
            self.arguments.append("failed")
        return "failed"

    def number(self, name: str, value: int) -> str:
        """An integer parameter; 0 and 1 are written as they are."""
        return str(value) if value in (0, 1) else self.passed(name, value)

    def passed(self, name: str, value: int) -> str:
        """An integer parameter, whatever its value: for what differs from call to call."""
        if name not in self._known:
            self._known[name] = value
            self.parameters.append(f"{self.index} {name}")
            self.arguments.append(np.int32(value) if self.index == "int" else np.int64(value))
        assert self._known[name] == value, f"{name} has two values"
        return name

    def line(self, text: str) -> None:
        """A statement."""
        self.lines.append(text)

    def offset(self, stem: str, places: Sequence[str], strides: Sequence[int]) -> str:
        """The sum of places times strides, as an expression."""
        terms = []
        for axis, (place, stride) in enumerate(zip(places, strides, strict=True)):
            if stride and place != "0":
                terms.append(place if stride == 1 else f"{place} * {self.number(f'{stem}{axis}', stride)}")
        return " + ".join(terms) or "0"

    def unravel(self, index: str, lengths: Sequence[int], stem: str = "i", length_stem: str = "n") -> list[str]:
        """Statements that part an index into places along axes; their names, "0" along those of length 1."""
        names: list[str] = []
        rest = index
        for axis in reversed(range(len(lengths))):
            if lengths[axis] == 1:
                names.append("0")
                continue
            name = f"{stem}{axis}"
            if any(n != 1 for n in lengths[:axis]):
                length = self.number(f"{length_stem}{axis}", lengths[axis])
                self.line(f"const {self.index} {stem}r{axis} = {rest} / {length};")
                self.line(f"const {self.index} {name} = {rest} - {stem}r{axis} * {length};")
                rest = f"{stem}r{axis}"
            else:
                self.line(f"const {self.index} {name} = {rest};")
            names.append(name)
        return names[::-1]

    def loop(self, count: int) -> None:
        """Begin the loop in which all threads share so many places, ``i``."""
        total = self.passed("count", count)
        step = f"({self.index})gridDim.x * {THREADS}"
        first = f"({self.index})blockIdx.x * {THREADS} + threadIdx.x"
        self.line(f"for ({self.index} i = {first}; i < {total}; i += {step}) {{")

    def leaf(self, count: int, blocks: int | None = None, threads: int = THREADS) -> Leaf:
        """The finished launch, over so many elements or blocks."""
        grid = min(-(-count // threads), _MOST_BLOCKS) if blocks is None else blocks
        closing = ["}"] if self.lines and self.lines[0].startswith("for (") and blocks is None else []
        parameters = ",\n    ".join(", ".join(self.parameters[k:k + 6]) for k in range(0, len(self.parameters), 6))
        source = (f'extern "C" __global__ void __launch_bounds__({threads}) {self.name}(\n    {parameters}) {{\n'
                  f"{_indented([*self.lines, *closing])}}}\n")
        return Leaf(self.name, source, (grid, 1, 1), (threads, 1, 1), tuple(self.arguments))


def _indented(lines: Sequence[str]) -> str:
    """Lines set in by the braces around them."""
    depth, found = 1, []
    for line in (text for piece in lines for text in piece.splitlines()):
        bare = line.strip()
        depth -= bare.startswith("}")
        found.append(f"{'  ' * depth}{bare}\n")
        depth += bare.count("{") - bare.count("}") + bare.startswith("}")
    return "".join(found)


def plain_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Those of an array in C order, in elements.

    Examples
    --------
    >>> plain_strides((2, 3, 4))
    (12, 4, 1)
    """
    return tuple(math.prod(shape[axis + 1:]) for axis in range(len(shape)))


def collapsed(shape: Sequence[int], *strides: Sequence[int]) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """Neighbouring axes taken as one where every array steps evenly over them; axes of length 1 left out.

    Examples
    --------
    >>> collapsed((2, 3, 4), (12, 4, 1), (12, 4, 1))
    ((24,), [(1,), (1,)])
    >>> collapsed((2, 3), (3, 1), (1, 2))
    ((2, 3), [(3, 1), (1, 2)])
    """
    axes: list[tuple[int, tuple[int, ...]]] = []
    for n, *steps in zip(shape, *strides, strict=True):
        if n == 1:
            continue
        if axes and all(before == n * step for before, step in zip(axes[-1][1], steps, strict=True)):
            axes[-1] = (axes[-1][0] * n, tuple(steps))
        else:
            axes.append((n, tuple(steps)))
    return tuple(n for n, _ in axes), [tuple(steps[k] for _, steps in axes) for k in range(len(strides))]


#: From the layouts of the arrays, and numbers of the host, to what is launched.
Template = Callable[..., Leaves]


class LeafOp:
    """An operation made of leaf kernels, as a function of a program.

    Parameters
    ----------
    template : callable
    kernels : Kernels
    errors : Errors
    places : sequence of int or None, optional
        For each array, its place among the values passed to the program; None for what the program makes.
    """

    def __init__(self, template: Template, kernels: Kernels, errors: Errors,
                 places: Sequence[int | None] = ()) -> None:
        self.template, self.kernels, self.errors, self.places = template, kernels, errors, tuple(places)
        #: The step it computes.
        self.step: Step | None = None
        #: How many kernels it launched last.
        self.launches = 1
        self._made: dict[Any, tuple[Leaves, list[Any], list[Any]]] = {}

    def __call__(self, d: Any, arrays: tuple[Any, ...], numbers: tuple[Any, ...] = (), into: Any = None) -> Any:
        """The results; `into`, if given, is the array in which the only one is made."""
        operands = tuple(Operand.of(a) for a in arrays)
        found = self._made.get((operands, numbers))
        if found is None:
            while len(self._made) >= _KEPT:  # what is recorded holds on to its memory itself
                self._made.pop(next(iter(self._made)))
            found = self._made[operands, numbers] = self._make(operands, numbers)
        leaves, kernels, scratch = found
        self.launches = sum(leaf.grid[0] > 0 for leaf in leaves.launches)
        outputs = [d.empty(shape, dtype) for shape, dtype in leaves.outputs] if into is None else [into]
        words = {"error", "failed"} & {v for leaf in leaves.launches for v in leaf.arguments if isinstance(v, str)}
        held = dict.fromkeys(words, self.errors.word if words else None)
        held |= {f"a{i}": a for i, a in enumerate(arrays)} | {f"o{i}": a for i, a in enumerate(outputs)}
        held |= {f"w{i}": a for i, a in enumerate(scratch)}
        for leaf, kernel in zip(leaves.launches, kernels, strict=True):
            if leaf.grid[0]:
                arguments = [held[v] if isinstance(v, str) else v for v in leaf.arguments]
                d.start(kernel, leaf, arguments, self._sources(leaf))
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _sources(self, leaf: Leaf) -> dict[int, int]:
        """From the places of a kernel's arguments to those of the program's values that they are."""
        known = {f"a{i}": place for i, place in enumerate(self.places) if place is not None}
        return {i: known[v] for i, v in enumerate(leaf.arguments) if isinstance(v, str) and v in known}

    def _make(self, operands: tuple[Operand, ...], numbers: tuple[Any, ...]) -> tuple[Leaves, list[Any], list[Any]]:
        device: Device = self.kernels.device
        leaves = self.template(operands, *numbers)
        if leaves.may_fail and self.step is not None:
            self.errors.places[self.step] = None
        scratch = [device.empty((max(size, 16),), np.uint8) for size in leaves.scratch]
        return leaves, [self.kernels.load(leaf) for leaf in leaves.launches], scratch
