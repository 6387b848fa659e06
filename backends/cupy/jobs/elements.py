"""The element of a variable at an index, as CUDA C: an expression of what a job's items say, down to loads."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from backends.cupy.jobs.shapes import blocks_of
from backends.cupy.language.draws import block_of, element_of
from backends.cupy.language.scalars import ctype, expression, literal
from symgraph.graph.basic import Constant, Variable
from symgraph.plan.items import Count, Fill, Gather, Item, NextState, Put, Sample, Shuffle, counts_rows
from symgraph.scalar import TABLE, ScalarFunction

__all__ = ["Emitter", "Index", "Layout", "Params"]

#: The places along the axes of a variable: names of C variables, or "0".
Index = tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """How an array lies in memory.

    Attributes
    ----------
    shape : tuple of int
    strides : tuple of int
        In elements.
    aligned : bool
        Whether its address is a multiple of 16 bytes.
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    aligned: bool = True

    @staticmethod
    def plain(shape: Sequence[int]) -> Layout:
        """That of an array in C order.

        Examples
        --------
        >>> Layout.plain((2, 3)).strides
        (3, 1)
        """
        strides, size = [], 1
        for n in reversed(shape):
            strides.append(size)
            size *= n
        return Layout(tuple(shape), tuple(reversed(strides)))

    @staticmethod
    def of(array: Any, aligned: bool = True) -> Layout:
        """That of an array of NumPy or CuPy."""
        size = array.dtype.itemsize
        return Layout(tuple(array.shape), tuple(s // size for s in array.strides), aligned)


@dataclass
class Params:
    """The parameters of a kernel, gathered while its text is written.

    Attributes
    ----------
    layouts : mapping of Variable to Layout
        Of what it reads and stores. That of random numbers says by what numbers their elements go.
    shapes : mapping of Variable to tuple of int
        Of all that it computes too.
    names : dict of Variable to str
        Of arrays and of numbers passed by value.
    ints : dict of str to int
        Lengths, strides and what is made of them, in the order in which they are passed.
    index : str
        The C type in which elements are counted.
    scratch : list
        For each array that blocks pass partial results in: the bytes, and whether they must be 0 at first.
    may_fail : bool
        Whether it may set the error word.
    over : collection of Variable
        Outputs that are written over shared variables: not once the error word is set.
    numbers : mapping of Variable to int
        The lengths among the numbers of the host.
    """

    layouts: Mapping[Variable, Layout]
    shapes: Mapping[Variable, tuple[int, ...]]
    names: dict[Variable, str]
    ints: dict[str, int] = field(default_factory=dict)
    index: str = "int"
    scratch: list[tuple[int, bool]] = field(default_factory=list)
    may_fail: bool = False
    over: Collection[Variable] = ()
    numbers: Mapping[Variable, int] = field(default_factory=dict)

    def number(self, name: str, value: int) -> str:
        """The name of an integer parameter; 0 and 1 are written as they are."""
        if value in (0, 1):
            return str(value)
        assert self.ints.setdefault(name, value) == value, f"{name} has two values"
        return name

    def fresh(self, stem: str, value: int) -> str:
        """An integer parameter of a new name, passed whatever its value."""
        name = f"{stem}{len(self.ints)}"
        self.ints[name] = value
        return name

    def keep(self, part: Variable, shape: Sequence[int]) -> None:
        """Have an array of partial results lie in memory of the kernel's own."""
        assert isinstance(self.layouts, dict)
        self.layouts[part] = Layout.plain(shape)
        size = part.type.numpy_dtype.itemsize * math.prod(shape)
        self.names[part] = f"(({ctype(part.type.dtype)} *){self.take(size)})"

    def take(self, size: int, zeroed: bool = False) -> str:
        """The name of a new array of partial results."""
        self.scratch.append((max(size, 16), zeroed))
        return f"w{len(self.scratch) - 1}"


class Emitter:
    """Writes the statements of a job.

    Parameters
    ----------
    items : mapping of Variable to Item
    params : Params
    prefix : str
        Of the names of its C variables.

    Attributes
    ----------
    locate : callable
        From a variable in memory and an index to the place of its element.
    loader : callable or None
        From a variable in memory and an index to its value, where that is no plain load; or None.
    made : callable
        From a variable and an index to its value, where that is known without being computed; or None.
    drawn : callable
        From a variable of random numbers and an index to the block of words there and the place in it, where that is
        known already; or None.
    after : callable
        Told each value that was computed: the variable, the index, the name.
    """

    def __init__(self, items: Mapping[Variable, Item], params: Params, prefix: str = "v") -> None:
        self.items = items
        self.params = params
        self.lines: list[str] = []
        self.depth = 1
        self.prefix = prefix
        self.count = 0
        self.scopes: list[dict[tuple[Variable, Index], str]] = [{}]
        self.locate: Callable[[Variable, Index], str] = self.offset
        self.loader: Callable[[Variable, Index], str | None] = lambda variable, index: None
        self.made: Callable[[Variable, Index], str | None] = lambda variable, index: None
        self.drawn: Callable[[Variable, Index], tuple[str, str] | None] = lambda variable, index: None
        self.after: Callable[[Variable, Index, str], None] = lambda variable, index, name: None

    # ---- text -----------------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """A line."""
        self.lines.append("  " * self.depth + text if text else "")

    def name(self, stem: str = "") -> str:
        """A new name."""
        self.count += 1
        return f"{self.prefix}{stem}{self.count - 1}"

    def unroll(self, count: int) -> None:
        """Have the loop that comes next unrolled, if its body is short: random words keep many registers busy."""
        drawn = any(isinstance(item.meaning, Sample) for item in self.items.values())
        self.line(f"#pragma unroll {1 if drawn else count}")

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Statements in braces; what is computed in them is known in them only."""
        self.line(f"{head} {{" if head else "{")
        self.depth += 1
        self.scopes.append({})
        yield
        self.scopes.pop()
        self.depth -= 1
        self.line("}")

    def let(self, dtype: str, text: str) -> str:
        """Name the value of an expression."""
        return self.let_of(ctype(dtype), text)

    def let_of(self, kind: str, text: str) -> str:
        """Name the value of an expression of a C type."""
        name = self.name()
        self.line(f"const {kind} {name} = {text};")
        return name

    # ---- values ---------------------------------------------------------------------------------------------

    def known(self, variable: Variable, index: Index, name: str) -> None:
        """Say what an element is called, in the present braces."""
        self.scopes[-1][variable, index] = name

    def value(self, variable: Variable, index: Index) -> str:
        """The name of an element's value; statements that compute it are written where it is not known yet."""
        waiting: list[tuple[Variable, Index]] = [(variable, self.fitted(variable, index))]
        while waiting:
            current = waiting[-1]
            if self._found(current) is not None:
                waiting.pop()
                continue
            needed = [(v, self.fitted(v, i)) for v, i in self._reads(*current)]
            missing = [need for need in needed if self._found(need) is None]
            if missing:
                waiting += reversed(missing)
                continue
            waiting.pop()
            name = self.scopes[-1][current] = self._compute(*current)
            self.after(*current, name)
        found = self._found((variable, self.fitted(variable, index)))
        assert found is not None
        return found

    def hoist(self) -> None:
        """Compute single numbers that are the same for all elements."""
        late: set[Variable] = set()
        for variable, item in self.items.items():
            if item.is_anchor or any(v in late for v in item.inputs):
                late.add(variable)
            elif variable.type.ndim == 0 and not isinstance(item.meaning, Gather):
                self.value(variable, ())

    def fitted(self, variable: Variable, index: Index) -> Index:
        """An index with 0 where there is but one place."""
        shape = variable.type.shape
        assert len(index) == len(shape), f"{variable} has {len(shape)} axes, the index {index}"
        return tuple(["0" if n == 1 else place for n, place in zip(shape, index, strict=True)])

    def _found(self, key: tuple[Variable, Index]) -> str | None:
        variable = key[0]
        if isinstance(variable, Constant):
            value = variable.data if variable.type.ndim == 0 else getattr(variable, "uniform_value", None)
            if value is not None:
                return literal(value, variable.type.dtype)
        if variable in self.params.names and variable.type.ndim == 0 and variable not in self.params.layouts:
            return self.params.names[variable]  # passed by value
        for scope in reversed(self.scopes):
            if key in scope:
                return scope[key]
        return None

    def _reads(self, variable: Variable, index: Index) -> list[tuple[Variable, Index]]:
        """The elements an element is made of, as far as they do not hang on others' values."""
        if self.made(variable, index) is not None:
            return []
        item = self.items.get(variable)
        if item is None:
            return []
        meaning = item.meaning
        if isinstance(meaning, ScalarFunction):
            return [(v, index[len(index) - v.type.ndim:]) for v in item.inputs]
        if isinstance(meaning, Fill):
            return [(item.inputs[0], index[len(index) - item.inputs[0].type.ndim:])]
        if isinstance(meaning, Shuffle):
            return [(item.inputs[0], unshuffled(meaning, index, item.inputs[0].type.ndim))]
        if isinstance(meaning, Count):
            return [(item.inputs[0], ()), (item.inputs[2], ())]
        if isinstance(meaning, Gather):
            return self._gathered(item, index)[0]
        if isinstance(meaning, Sample):
            state, *rest = item.inputs
            return [*((state, (str(word),)) for word in range(3)),
                    *((v, index[len(index) - v.type.ndim:]) for v in rest[:meaning.draw.arity])]
        if isinstance(meaning, NextState):
            return [(item.inputs[0], index)]
        if isinstance(meaning, Put):
            return [(item.inputs[0], index), *((v, index[:1]) for v in item.inputs[3:]),
                    (item.inputs[1], index[:item.inputs[1].type.ndim])]
        raise AssertionError(f"{variable} of {meaning} is not known at {index}")

    def _compute(self, variable: Variable, index: Index) -> str:
        made = self.made(variable, index)
        if made is not None:
            return made
        item = self.items.get(variable)
        dtype = variable.type.dtype
        if item is None:
            loaded = self.loader(variable, index)
            return self.let(dtype, loaded or f"{self.params.names[variable]}[{self.locate(variable, index)}]")
        meaning = item.meaning
        values = [self._found((v, self.fitted(v, i))) or "" for v, i in self._reads(variable, index)]
        if isinstance(meaning, ScalarFunction):
            return self.let(dtype, expression(meaning, values, [v.type.dtype for v in item.inputs], dtype))
        if isinstance(meaning, (Fill, Shuffle)):
            return values[0]
        if isinstance(meaning, Count):
            return self.let(dtype, f"({ctype(dtype)})({values[0]} + ({ctype(dtype)})({index[0]}) * {values[1]})")
        if isinstance(meaning, Gather):
            return self.value(item.inputs[0], self._gathered(item, index)[1](values))
        if isinstance(meaning, Sample):
            return self._sample(meaning, variable, index, values)
        if isinstance(meaning, NextState):
            blocks = self.params.number(f"n_{self.name('blocks')}", blocks_of(item, self.params.numbers))
            return self.let(dtype, f"{values[0]} + ({index[0]} == 2 ? (unsigned long long){blocks} : 0ull)")
        assert isinstance(meaning, Put)
        return self._put(item, index, values)

    def _gathered(self, item: Item, index: Index) -> tuple[list[tuple[Variable, Index]], Callable[[list[str]], Index]]:
        """What a gather's index is made of, and from these elements to the place it reads."""
        x, *arrays = item.inputs
        ndim = max(v.type.ndim for v in arrays)
        needed = [(v, index[ndim - v.type.ndim:ndim]) for v in arrays if not self.counted(v)]

        def place(values: list[str]) -> Index:
            supply = iter(values)
            places = [index[ndim - 1] if self.counted(v) else self.checked(x, axis, next(supply))
                      for axis, v in enumerate(arrays)]
            return (*places, *index[ndim:])

        return needed, place

    def counted(self, variable: Variable) -> bool:
        """Whether an index array is the numbers from 0, so that it is its own index; the host checks their range."""
        return counts_rows(variable) and variable in self.items

    def checked(self, x: Variable, axis: int, value: str) -> str:
        """An index brought into range, negative ones counted from the end; what is out of range sets the error."""
        length = self.length(x, axis)
        key = (x, ("place", value, str(length)))
        for scope in reversed(self.scopes):
            for known, name in scope.items():
                if known[1] == key[1]:
                    return name
        self.params.may_fail = True
        name = self.name("i")
        n = self.params.number(f"n_{name}", length)
        self.line(f"const {self.params.index} {name} = ({self.params.index})sg_checked({value}, {n}, error);")
        self.scopes[-1][key] = name
        return name

    def length(self, variable: Variable, axis: int) -> int:
        """The length of an axis."""
        return self.params.shapes[variable][axis]

    def _put(self, item: Item, index: Index, values: list[str]) -> str:
        x, value, rows, *more = item.inputs
        assert isinstance(item.meaning, Put)
        base, *places, what = values
        tests = [] if self.length(rows, 0) == self.length(x, 0) else [
            f"{index[0]} < {self.params.number(f'n_{self.prefix}put{self.count}', self.length(rows, 0))}"]
        if tests:  # behind the last row that is named, no place is meant
            places = [f"({tests[0]} ? {place} : 0)" for place in places]
        tests += [f"{index[1 + i]} == {self.checked(x, 1 + i, place)}" for i, place in enumerate(places)]
        assert len(more) == len(places)
        dtype = x.type.dtype
        new = what
        if not item.meaning.set_instead:
            new = expression(TABLE["add"], [base, what], [dtype, value.type.dtype], dtype)
        return self.let(dtype, f"{' && '.join(tests)} ? {new} : {base}" if tests else new)

    def _sample(self, meaning: Sample, variable: Variable, index: Index, values: list[str]) -> str:
        draw = meaning.draw
        found = self.drawn(variable, index)
        if found is None:
            place, block = self.let_of(self.params.index, self.locate(variable, index)), self.name("block")
            self.line(f"const sg_block {block} = {block_of(draw, values[:3], place)};")
            found = block, f"(int)({place} & {draw.per_block - 1})"
        parameters = [f"(long long)({value})" for value in values[3:]]
        return self.let(variable.type.dtype, element_of(draw, *found, parameters))

    def store_all(self, elements: Iterable[tuple[Variable, Index]], locate: Callable[[Variable, Index], str]) -> None:
        """Store elements of outputs once all are computed: one may lie where another is made of."""
        values = [(variable, index, self.value(variable, index)) for variable, index in elements]
        for variable, index, value in values:
            self.store(variable, locate(variable, index), value)

    def store(self, variable: Variable, place: str, value: str) -> None:
        """Store an element of an output."""
        fine = "if (fine) " if variable in self.params.over else ""
        self.line(f"{fine}{self.params.names[variable]}[{place}] = {value};")

    # ---- memory ---------------------------------------------------------------------------------------------

    def offset(self, variable: Variable, index: Index) -> str:
        """Where an element lies, counted in elements."""
        layout, name = self.params.layouts[variable], self.params.names[variable]
        parts = []
        for axis, place in enumerate(index):
            if place != "0" and layout.strides[axis] and layout.shape[axis] != 1:
                parts.append(self.scaled(place, f"{name}_{axis}", layout.strides[axis]))
        return " + ".join(parts) or "0"

    def scaled(self, place: str, name: str, stride: int) -> str:
        """A place times a stride."""
        return place if stride == 1 else f"{place} * {self.params.number(name, stride)}"

    def decode(self, linear: str, lengths: Sequence[int], stem: str) -> list[str]:
        """The places along several axes, from the number of an element in their C order."""
        if len(lengths) <= 1:
            return [linear] * len(lengths)
        kind = self.params.index
        places: list[str] = []
        rest = linear
        for axis in range(len(lengths) - 1, 0, -1):
            n = self.params.fresh(f"n_{stem}", lengths[axis])
            quotient, place = self.name(stem), self.name(stem)
            unsigned = "unsigned int" if kind == "int" else "unsigned long long"
            self.line(f"const {kind} {quotient} = ({kind})(({unsigned}){rest} / ({unsigned}){n}), "
                      f"{place} = {rest} - {quotient} * {n};")
            places.append(place)
            rest = quotient
        return [rest, *reversed(places)]


def unshuffled(meaning: Shuffle, index: Index, ndim: int) -> Index:
    """The index in what was shuffled, from that in the result."""
    places = ["0"] * ndim
    for axis, place in zip(meaning.order, index, strict=True):
        if axis != "x":
            places[axis] = place  # type: ignore[index]
    return tuple(places)
