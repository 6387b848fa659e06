"""Recipes: programs as data, which NumPy and this library compute each in its own way, and which can be cut down.

A recipe is a list of nodes. A leaf is an array; a step is an operation of the table applied to nodes before it, or
to Python numbers. Recipes are grown from a stream of choices (`grow`): where NumPy refuses an operation, the library
has to refuse it as well, with the same kind of exception, and the recipe goes on without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import TensorType
from tests.rewrites.programs import Value

Array = np.ndarray[Any, Any]
Choose = Callable[[int], int]  # a number below its argument

LARGEST_SIZE = 150
MOST_DIMENSIONS = 4


class NotPossible(Exception):
    """There is nothing that an operation could take."""


class Mismatch(AssertionError):
    """The library and NumPy disagree."""


@dataclass(frozen=True)
class Weak:
    """A Python number as an operand: it has no dtype of its own."""

    value: Any

    def __repr__(self) -> str:
        return repr(self.value)


@dataclass(frozen=True, eq=False)
class Operation:
    """A row of the table of operations.

    Attributes
    ----------
    name : str
    symbolic, numeric : callable
        On symbols and on arrays, with the same options.
    draw : callable
        From a `Growth` to operands (places of nodes, or `Weak` numbers) and options.
    tolerance : callable or None
        ``(result, *arrays, **options)`` to how far a right answer may be off, as an array; None where it is exact.
    weight : int
        How often it is taken, relative to others.
    """

    name: str
    symbolic: Callable[..., Any]
    numeric: Callable[..., Any]
    draw: Callable[[Growth], tuple[Sequence[int | Weak], dict[str, Any]]]
    tolerance: Callable[..., Any] | None = None
    weight: int = 1


@dataclass(frozen=True, eq=False)
class Leaf:
    """An input, or a constant, with the lengths its type knows."""

    array: Array
    static: tuple[int | None, ...]
    constant: bool = False

    def symbol(self, name: str) -> Any:
        """A new variable for it."""
        if self.constant:
            return T.constant(self.array)
        return TensorType(self.array.dtype, self.static)(name)


@dataclass(frozen=True, eq=False)
class Step:
    """An operation applied to nodes."""

    operation: Operation
    operands: tuple[int | Weak, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def places(self) -> list[int]:
        """The nodes it takes."""
        return [o for o in self.operands if not isinstance(o, Weak)]

    def numeric(self, values: Sequence[Any]) -> Array:
        """What NumPy gives."""
        arguments = [o.value if isinstance(o, Weak) else values[o] for o in self.operands]
        with np.errstate(all="ignore"):
            return np.asarray(self.operation.numeric(*arguments, **self.options))

    def symbolic(self, symbols: Sequence[Any]) -> Any:
        """The expression."""
        arguments = [o.value if isinstance(o, Weak) else symbols[o] for o in self.operands]
        return T.as_tensor_variable(self.operation.symbolic(*arguments, **self.options))

    def __repr__(self) -> str:
        operands = ", ".join(repr(o) if isinstance(o, Weak) else f"n{o}" for o in self.operands)
        options = "".join(f", {k}={v!r}" for k, v in self.options.items())
        return f"{self.operation.name}({operands}{options})"


Node = Leaf | Step


@dataclass(frozen=True)
class Recipe:
    """Leaves and steps, each after those it takes."""

    nodes: tuple[Node, ...]

    def symbols(self) -> list[Any]:
        """A fresh expression for each node."""
        made: list[Any] = []
        for i, node in enumerate(self.nodes):
            made.append(node.symbol(f"n{i}") if isinstance(node, Leaf) else node.symbolic(made))
        return made

    def arrays(self) -> list[Array]:
        """NumPy's value of each node."""
        made: list[Array] = []
        for node in self.nodes:
            made.append(node.array if isinstance(node, Leaf) else node.numeric(made))
        return made

    @property
    def inputs(self) -> list[int]:
        """The places of leaves that are inputs."""
        return [i for i, node in enumerate(self.nodes) if isinstance(node, Leaf) and not node.constant]

    @property
    def steps(self) -> list[int]:
        """The places of steps."""
        return [i for i, node in enumerate(self.nodes) if isinstance(node, Step)]

    def describe(self) -> str:
        """The recipe as text: arrays in full, what each step gives as dtype and shape."""
        lines = []
        with np.errstate(all="ignore"):
            arrays = self.arrays()
        for i, (node, array) in enumerate(zip(self.nodes, arrays, strict=True)):
            kind = f"{array.dtype}{array.shape}"
            if isinstance(node, Leaf):
                what = "constant" if node.constant else f"input of static shape {node.static}"
                lines.append(f"n{i} = {kind} {array.tolist()}  ({what})")
            else:
                lines.append(f"n{i} = {node!r}  -> {kind}")
        return "\n".join(lines)


# ---- growing ----------------------------------------------------------------------------------------------------


def fit(a: Value, b: Value) -> bool:
    """Whether two values may meet element by element: only an axis known to be 1 is stretched, as documented."""
    for i in range(1, min(a.array.ndim, b.array.ndim) + 1):
        if a.array.shape[-i] != b.array.shape[-i] and a.static[-i] != 1 and b.static[-i] != 1:
            return False
        if (a.static[-i] == 1 and a.array.shape[-i] != 1) or (b.static[-i] == 1 and b.array.shape[-i] != 1):
            return False
    try:
        np.broadcast_shapes(a.array.shape, b.array.shape)
    except ValueError:
        return False
    return True


class Growth:
    """A recipe that is being grown."""

    def __init__(self, choose: Choose) -> None:
        self.choose = choose
        self.nodes: list[Node] = []
        self.values: list[Value] = []
        self.leaves = 0

    # ---- choosing -------------------------------------------------------------------------------------------

    def one_of(self, options: Sequence[Any]) -> Any:
        if not len(options):
            raise NotPossible
        return options[self.choose(len(options))]

    def chance(self, one_in: int) -> bool:
        return self.choose(one_in) == 0

    def place(self, wanted: Callable[[Value], bool] = lambda v: True) -> int:
        """One of the nodes of a kind; later ones a little likelier."""
        found = [i for i, v in enumerate(self.values) if wanted(v)]
        recent = found[-4:] if self.choose(2) else found
        return self.one_of(recent)

    def partner(self, *places: int, wanted: Callable[[Value], bool] = lambda v: True) -> int:
        """A node that may meet others element by element."""
        return self.place(lambda v: wanted(v) and all(fit(v, self.values[p]) for p in places))

    # ---- growing --------------------------------------------------------------------------------------------

    def add_leaf(self, leaf: Leaf) -> int:
        self.nodes.append(leaf)
        self.values.append(Value(leaf.symbol(f"n{len(self.nodes) - 1}"), leaf.array))
        return len(self.nodes) - 1

    def step(self, operation: Operation) -> bool:
        """Apply an operation to what there is; False when there is nothing for it, or NumPy refuses."""
        try:
            operands, options = operation.draw(self)
        except NotPossible:
            return False
        return self.apply(Step(operation, tuple(operands), options))

    def apply(self, step: Step) -> bool:
        arrays = [v.array for v in self.values]
        try:
            array = step.numeric(arrays)
        except (TypeError, ValueError, IndexError, OverflowError, ZeroDivisionError) as error:
            self.refuses(step, error)
            return False
        if array.dtype.kind not in "biufc" or array.dtype.name in ("longdouble", "clongdouble"):
            return False
        try:
            symbol = step.symbolic([v.symbol for v in self.values])
        except Exception as error:
            raise self.mismatch(step, f"building raises {type(error).__name__}: {error}; NumPy computes it") from error
        kind = symbol.type
        known = all(n in (None, m) for n, m in zip(kind.shape, array.shape, strict=False))
        if (kind.dtype, kind.ndim) != (array.dtype.name, array.ndim) or not known:
            raise self.mismatch(step, f"its type is {kind}, NumPy gives {array.dtype}{array.shape}")
        if not self.welcome(array):
            return False
        self.nodes.append(step)
        self.values.append(Value(symbol, array))
        return True

    def welcome(self, array: Array) -> bool:
        """Small arrays; seldom those of which little is left but NaN and infinities."""
        if array.size > LARGEST_SIZE or array.ndim > MOST_DIMENSIONS:
            return False
        with np.errstate(all="ignore"):
            finite = np.isfinite(array)
        return finite.sum() * 2 >= array.size or self.chance(6)

    def refuses(self, step: Step, error: Exception) -> None:
        """The library refuses what NumPy refuses, when building or when called."""
        kinds = _kinds(error)
        places = sorted(set(step.places))
        symbols: dict[int, Any] = {
            p: TensorType(self.values[p].array.dtype, self.values[p].static)(f"n{p}") for p in places
        }
        try:
            with np.errstate(all="ignore"):
                out = step.symbolic([symbols.get(i) for i in range(len(self.values))])
                sg.function(list(symbols.values()), out, mode="None")(*[self.values[p].array for p in places])
        except kinds:
            return
        except Exception as ours:
            raise self.mismatch(step, f"{ours!r}; NumPy: {error!r}") from ours
        raise self.mismatch(step, f"computed; NumPy raises {type(error).__name__}: {error}")

    def mismatch(self, step: Step, what: str) -> Mismatch:
        """A step alone disagrees: its operands' values stand for what made them."""
        places = sorted(set(step.places))
        lines = [f"{step!r}: {what}"]
        for p in places:
            v = self.values[p]
            lines.append(f"n{p} = {v.array.dtype}{v.array.shape} {v.array.tolist()}  static {v.static}")
        return Mismatch("\n".join(lines))


def _kinds(error: Exception) -> tuple[type[Exception], ...]:
    """The exceptions that count as the same as NumPy's."""
    if isinstance(error, (IndexError, np.exceptions.AxisError)):
        return (IndexError, ValueError)  # NumPy's own functions use both for an axis or a place that is not there
    return (next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins"),)


def grow(choose: Choose, operations: Sequence[Operation], most: int = 40) -> Recipe:
    """A recipe of one to `most` steps from a few leaves."""
    growth = Growth(choose)
    plant(growth)
    table = [o for o in operations for _ in range(o.weight)]
    wanted = 1 + choose(most)
    for _ in range(3 * wanted):
        if len(growth.nodes) - growth.leaves >= wanted:
            break
        growth.step(growth.one_of(table))
    return Recipe(tuple(growth.nodes))


DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
    "complex64", "complex128", "float64", "float32", "int64",
)
EXTREMES = ("inf", "-inf", "nan", "-0", "largest", "-largest", "tiny", "subnormal", "0", "1")


def plant(growth: Growth) -> None:
    """A few leaves of two or three dtypes, over two or three lengths."""
    choose = growth.choose
    lengths = [2 + choose(3), 1 + choose(4)] + ([0] if growth.chance(8) else [])
    dtypes = [growth.one_of(DTYPES) for _ in range(1 + choose(3))]
    for _ in range(1 + choose(4)):
        rank = growth.one_of((2, 2, 1, 1, 0, 3))
        shape = tuple(1 if growth.chance(6) else growth.one_of(lengths) for _ in range(rank))
        constant = growth.chance(6)
        static = tuple(n if constant or (n == 1 and choose(4)) or growth.chance(4) else None for n in shape)
        array = arranged(growth, some_array(growth, growth.one_of(dtypes), shape))
        growth.add_leaf(Leaf(array, static, constant))
    growth.leaves = len(growth.nodes)


def some_array(growth: Growth, dtype: str, shape: tuple[int, ...]) -> Array:
    """Mostly small numbers with ties; now and then an infinity, a NaN, a negative zero, or the largest there is."""
    count, kind = int(np.prod(shape)), np.dtype(dtype)
    wild = growth.choose(3) == 0
    numbers = [special(kind, growth.one_of(EXTREMES)) if wild and growth.chance(5) else ordinary(growth, kind)
               for _ in range(min(count, 12))]
    return np.array([numbers[i % 12] for i in range(count)], kind).reshape(shape)


def ordinary(growth: Growth, kind: np.dtype[Any]) -> Any:
    number = growth.choose(25) - 12
    if kind.kind == "b":
        return number > 0
    if kind.kind == "u":
        return abs(number)
    if kind.kind == "i":
        return number
    if kind.kind == "c":
        return number / 4 + (growth.choose(13) - 6) / 4 * 1j
    return number / 4 if growth.choose(2) else number / 7


def special(kind: np.dtype[Any], name: str) -> Any:
    if kind.kind == "b":
        return name != "0"
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        return {"largest": limits.max, "inf": limits.max, "-largest": limits.min, "-inf": limits.min}.get(name, 1)
    tops = np.finfo(kind)
    value = {"largest": float(tops.max), "-largest": -float(tops.max), "tiny": float(tops.tiny),
             "subnormal": float(tops.smallest_subnormal)}.get(name)
    if value is None:
        value = float(name)
    return complex(value, 0.5) if kind.kind == "c" else value


def arranged(growth: Growth, array: Array) -> Array:
    """The same elements, in another order in memory now and then."""
    which = growth.choose(8) if array.ndim else 7
    if which == 0:
        return np.asfortranarray(array)
    if which == 1:
        wide = np.repeat(array, 2, axis=-1)
        return wide[..., ::2]
    if which == 2:
        return np.ascontiguousarray(array[::-1])[::-1]
    return array
