"""Random programs: built with symbols and computed with NumPy side by side, for the tests that compare the two.

A program grows from a few inputs. Each move takes values that are there, applies an operation to their symbols and
NumPy's to their arrays, and adds the result where it is finite and small. `tests.rewrites.reference` says how far a
right answer may be off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import TensorType

Array = np.ndarray[Any, Any]
Choose = Callable[[int], int]  # a number below its argument

LARGEST = 1e4
NUMBERS = (0, 1, -1, 2, 0.5, 3)
DTYPES = ("float64", "float64", "float64", "float32", "float32", "int64", "int32", "int8", "uint8", "bool")


@dataclass
class Value:
    """A symbol and what it stands for."""

    symbol: Any
    array: Array

    @property
    def kind(self) -> str:
        return str(self.array.dtype.kind)

    @property
    def static(self) -> tuple[int | None, ...]:
        shape: tuple[int | None, ...] = self.symbol.type.shape
        return shape


@dataclass
class Program:
    """What was built so far.

    Attributes
    ----------
    inputs : list of Value
    pool : list of Value
        Inputs and results.
    log : list of str
        The moves, for a failure's message.
    """

    choose: Choose
    inputs: list[Value] = field(default_factory=list)
    pool: list[Value] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    # ---- choosing -------------------------------------------------------------------------------------------

    def one_of(self, options: Sequence[Any]) -> Any:
        return options[self.choose(len(options))]

    def value(self, wanted: Callable[[Value], bool] = lambda v: True) -> Value:
        """One of the values of a kind; later ones as likely as early ones."""
        found = [v for v in self.pool if wanted(v)]
        if not found:
            raise NotPossible
        return self.one_of(found)  # type: ignore[no-any-return]

    def floating(self) -> Value:
        return self.value(lambda v: v.kind == "f")

    def partner(self, x: Value, kinds: str = "fiub") -> Value:
        """A value that may stand beside `x` in an elementwise operation."""
        return self.value(lambda v: v.kind in kinds and fit(x, v))

    # ---- growing --------------------------------------------------------------------------------------------

    def add_input(self, dtype: str, shape: tuple[int, ...], static: tuple[int | None, ...],
                  numbers: Sequence[float]) -> None:
        count = int(np.prod(shape))
        array = np.array([numbers[i % len(numbers)] for i in range(count)]).reshape(shape)
        array = (abs(array) if dtype == "uint8" else array).astype(dtype)
        self.inputs.append(Value(TensorType(dtype, static)(f"v{len(self.inputs)}"), array))
        self.pool.append(self.inputs[-1])
        self.log.append(f"v{len(self.inputs) - 1} = {array.dtype}{array.tolist()} as {self.inputs[-1].symbol.type}")

    def grow(self, what: str, symbol: Any, array: Any) -> None:
        """Add a result; what is not finite or grows large is left out."""
        array = np.asarray(array)
        kind = symbol.type
        numpy_s = f"{array.dtype}{array.shape}"
        assert (kind.dtype, kind.ndim) == (array.dtype.name, array.ndim), f"{what}: {kind} for NumPy's {numpy_s}"
        if array.size > 200 or array.ndim > 4 or not np.all(np.isfinite(array)):
            return
        if np.any(np.abs(array * 1.0) > LARGEST):
            return
        self.pool.append(Value(symbol, array))
        self.log.append(f"{len(self.pool) - 1}: {what} -> {kind}")

    def move(self, moves: Sequence[Move] = ()) -> None:
        """Try one operation."""
        act = self.one_of(moves or [act for _, act in MOVES])
        try:
            with np.errstate(all="ignore"):
                act(self)
        except (NotPossible, OverflowError):  # a Python number that does not fit an operand's dtype
            return

    def describe(self) -> str:
        return "\n".join(self.log)


class NotPossible(Exception):
    """There is nothing in the pool that a move could take."""


def fit(a: Value, b: Value) -> bool:
    """Whether two values may meet in an elementwise operation: only an axis known to be 1 is stretched."""
    for i in range(1, min(a.array.ndim, b.array.ndim) + 1):
        m, n = a.array.shape[-i], b.array.shape[-i]
        if m != n and a.static[-i] != 1 and b.static[-i] != 1:
            return False
        if m == n == 1 and (a.static[-i] == 1) != (b.static[-i] == 1):
            continue
    return True


def away_from_zero(x: Value) -> bool:
    return bool(np.all(np.abs(x.array) > 0.1))


# ---- moves ------------------------------------------------------------------------------------------------------

Move = Callable[[Program], None]
MOVES: list[tuple[str, Move]] = []


def move(act: Move) -> Move:
    MOVES.append((act.__name__, act))
    return act


def expit(x: Array) -> Array:
    from scipy.special import expit as logistic

    return np.asarray(logistic(x))


def soften(x: Array, axis: int) -> Array:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


UNARY: tuple[tuple[str, Callable[[Any], Any], Callable[[Any], Any]], ...] = (
    ("exp", T.exp, np.exp),
    ("tanh", T.tanh, np.tanh),
    ("sin", T.sin, np.sin),
    ("neg", lambda x: -x, np.negative),
    ("abs", T.abs, np.abs),
    ("sqr", T.sqr, np.square),
    ("power 2", lambda x: x ** 2, lambda x: x ** 2),
    ("sqrt of abs", lambda x: T.sqrt(abs(x)), lambda x: np.sqrt(np.abs(x))),
    ("power half", lambda x: abs(x) ** 0.5, lambda x: np.abs(x) ** 0.5),
    ("log(|x| + 1)", lambda x: T.log(abs(x) + 1), lambda x: np.log(np.abs(x) + 1)),
    ("log1p of exp", lambda x: T.log(1 + T.exp(x)), lambda x: np.log(1 + np.exp(x))),
    ("log of exp", lambda x: T.log(T.exp(x)), lambda x: np.log(np.exp(x))),
    ("exp minus 1", lambda x: T.exp(x) - 1, lambda x: np.exp(x) - 1),
    ("sigmoid", T.nnet.sigmoid, expit),
    ("1 - sigmoid", lambda x: 1 - T.nnet.sigmoid(x), lambda x: 1 - expit(x)),
    ("naive sigmoid", lambda x: 1 / (1 + T.exp(-x)), lambda x: 1 / (1 + np.exp(-x))),
    ("exp / (1 + exp)", lambda x: T.exp(x) / (1 + T.exp(x)), lambda x: np.exp(x) / (1 + np.exp(x))),
    ("log of sigmoid", lambda x: T.log(T.nnet.sigmoid(x)), lambda x: np.log(expit(x))),
    ("log(1 - sigmoid)", lambda x: T.log(1 - T.nnet.sigmoid(x)), lambda x: np.log(1 - expit(x))),
    ("1 - exp", lambda x: 1 - T.exp(x), lambda x: 1 - np.exp(x)),
    ("abs twice", lambda x: abs(abs(x)), np.abs),
    ("abs of square", lambda x: abs(T.sqr(x)), np.square),
    ("by minus one", lambda x: x / -1, lambda x: x / -1),
    ("reciprocal", lambda x: 1 / T.reciprocal(1 + abs(x)), lambda x: 1 + np.abs(x)),
    ("binary cross entropy", lambda x: T.nnet.binary_crossentropy(T.nnet.sigmoid(x), 0.25),
     lambda x: -(0.25 * np.log(expit(x)) + 0.75 * np.log(1 - expit(x)))),
    ("gated", lambda x: sg.disconnected_grad(x) + x, lambda x: x + x),
    ("negate twice", lambda x: -T.neg(x), lambda x: x + 0),
    ("floor", T.floor, np.floor),
    ("sign", T.sgn, np.sign),
    ("identity", lambda x: x.copy(), np.array),
)


@move
def unary(p: Program) -> None:
    name, symbolic, numeric = p.one_of(UNARY)
    x = p.floating()
    p.grow(name, symbolic(x.symbol), numeric(x.array))


unary_again = move(unary)

BINARY: tuple[tuple[str, Callable[[Any, Any], Any], Callable[[Any, Any], Any], str], ...] = (
    ("+", lambda a, b: a + b, np.add, "fiub"),
    ("-", lambda a, b: a - b, np.subtract, "fiu"),
    ("*", lambda a, b: a * b, np.multiply, "fiub"),
    ("maximum", T.maximum, np.maximum, "fiu"),
    ("minimum", T.minimum, np.minimum, "fiu"),
    ("<", T.lt, np.less, "fiu"),
    (">=", T.ge, np.greater_equal, "fiu"),
    ("==", T.eq, np.equal, "fiub"),
    ("a - (-b)", lambda a, b: a - (-b), lambda a, b: a - (-b), "fiu"),
    ("-a * -b", lambda a, b: (-a) * (-b), lambda a, b: (-a) * (-b), "fiu"),
    ("and", lambda a, b: T.and_(a, b), np.bitwise_and, "b"),
    ("or", lambda a, b: T.or_(a, b), np.bitwise_or, "b"),
)


@move
def binary(p: Program) -> None:
    name, symbolic, numeric, kinds = p.one_of(BINARY)
    a = p.value(lambda v: v.kind in kinds)
    b = p.partner(a, kinds)
    p.grow(name, symbolic(a.symbol, b.symbol), numeric(a.array, b.array))


binary_again = move(binary)


@move
def with_number(p: Program) -> None:
    """One operand is a Python number, on either side: what the laws of arithmetic are about."""
    name, symbolic, numeric, _ = p.one_of(BINARY[:7])
    a, number = p.value(lambda v: v.kind in "fiu"), p.one_of(NUMBERS)
    if p.choose(2):
        p.grow(f"{name} {number}", symbolic(a.symbol, number), numeric(a.array, number))
    else:
        p.grow(f"{number} {name}", symbolic(number, a.symbol), numeric(number, a.array))


@move
def quotient(p: Program) -> None:
    b = p.value(lambda v: v.kind in "fiu" and away_from_zero(v))
    if p.choose(3) == 0:
        number = p.one_of(NUMBERS)
        p.grow(f"{number} /", number / b.symbol, number / b.array)
    else:
        a = p.partner(b, "fiu")
        p.grow("/", a.symbol / b.symbol, a.array / b.array)


@move
def whole_quotient(p: Program) -> None:
    b = p.value(lambda v: v.kind in "iu" and away_from_zero(v))
    a = p.partner(b, "iu")
    if p.choose(2):
        p.grow("//", a.symbol // b.symbol, a.array // b.array)
    else:
        p.grow("%", a.symbol % b.symbol, a.array % b.array)


@move
def negation(p: Program) -> None:
    which = p.choose(3)
    if which == 0:
        a = p.value(lambda v: v.kind in "fi")
        b = p.partner(a, "fi")
        pairs = ((T.lt, np.less), (T.ge, np.greater_equal), (T.eq, np.equal), (T.neq, np.not_equal))
        symbolic, numeric = p.one_of(pairs)
        p.grow("not a < b", ~symbolic(a.symbol, b.symbol), ~numeric(a.array, b.array))
    else:
        x = p.value(lambda v: v.kind in "iub")
        p.grow("invert", ~x.symbol if which == 1 else ~(~x.symbol), ~x.array if which == 1 else x.array)


@move
def filling(p: Program) -> None:
    a = p.value()
    b = p.value(lambda v: v.array.ndim <= a.array.ndim and fit(a, v)
                and np.broadcast_shapes(a.array.shape, v.array.shape) == a.array.shape)
    p.grow("fill", T.fill(a.symbol, b.symbol), np.array(np.broadcast_to(b.array, a.array.shape)))


@move
def choice(p: Program) -> None:
    c = p.value(lambda v: v.kind == "b")
    a = p.partner(c, "fiu")
    b = p.value(lambda v: v.kind == a.kind and fit(a, v) and fit(c, v))
    p.grow("switch", T.switch(c.symbol, a.symbol, b.symbol), np.where(c.array, a.array, b.array))


@move
def cast(p: Program) -> None:
    x, dtype = p.value(), p.one_of(("float64", "float32", "int64", "int32", "bool"))
    p.grow(f"cast to {dtype}", T.cast(x.symbol, dtype), x.array.astype(dtype))


def some_axes(p: Program, ndim: int) -> Any:
    if ndim == 0 or p.choose(3) == 0:
        return None
    if ndim > 1 and p.choose(3) == 0:
        return tuple(sorted({p.choose(ndim), p.choose(ndim)}))
    return p.choose(ndim) - (ndim if p.choose(2) else 0)


@move
def reduction(p: Program) -> None:
    name = p.one_of(("sum", "sum", "mean", "max", "min", "any", "all"))
    x = p.value(lambda v: (v.array.size > 0 or name == "sum") and (v.kind == "b") == (name in ("any", "all")))
    axis, keep = some_axes(p, x.array.ndim), p.choose(2) == 1
    symbolic, numeric = getattr(T, name), getattr(np, name)
    p.grow(f"{name} over {axis}, keepdims {keep}", symbolic(x.symbol, axis=axis, keepdims=keep),
           numeric(x.array, axis=axis, keepdims=keep))


reduction_again = move(reduction)


@move
def place_of_extreme(p: Program) -> None:
    x = p.value(lambda v: v.kind in "fi" and v.array.ndim > 0 and v.array.size > 0)
    axis = p.choose(x.array.ndim)
    p.grow(f"argmax over {axis}", T.argmax(x.symbol, axis=axis), x.array.argmax(axis=axis))


@move
def product(p: Program) -> None:
    a = p.value(lambda v: v.kind == "f" and v.array.ndim in (1, 2))
    b = p.value(lambda v: v.array.dtype == a.array.dtype and v.array.ndim in (1, 2)
                and v.array.shape[-2 if v.array.ndim == 2 else 0] == a.array.shape[-1])
    try:
        symbol = T.dot(a.symbol, b.symbol)
    except ValueError:  # the two lengths are known, and one is 1
        raise NotPossible from None
    p.grow("dot", symbol, np.dot(a.array, b.array))


@move
def softmaxes(p: Program) -> None:
    x = p.value(lambda v: v.kind == "f" and v.array.ndim == 2 and v.array.size > 0)
    axis, which = p.choose(2), p.choose(5)
    e = np.exp(x.array)
    if which == 0:
        p.grow(f"softmax {axis}", T.nnet.softmax(x.symbol, axis=axis), soften(x.array, axis))
    elif which == 1:
        p.grow(f"log softmax {axis}", T.log(T.nnet.softmax(x.symbol, axis=axis)), np.log(soften(x.array, axis)))
    elif which == 2:
        power = T.exp(x.symbol)
        p.grow("naive softmax", power / power.sum(axis=axis, keepdims=True), e / e.sum(axis=axis, keepdims=True))
    elif which == 3:
        p.grow("log sum exp", T.log(T.exp(x.symbol).sum(axis=axis)), np.log(e.sum(axis=axis)))
    else:
        keep = p.choose(2) == 1
        top = x.array.max(axis=axis, keepdims=True)
        wanted = top + np.log(np.exp(x.array - top).sum(axis=axis, keepdims=True))
        symbol = T.nnet.logsumexp(x.symbol, axis=axis, keepdims=keep)
        p.grow("logsumexp", symbol, wanted if keep else wanted.squeeze(axis))


# ---- shapes and views -------------------------------------------------------------------------------------------


@move
def shuffle(p: Program) -> None:
    x = p.value(lambda v: v.array.ndim <= 3)
    order: list[Any] = list(range(x.array.ndim))
    for i in range(len(order) - 1):
        j = i + p.choose(len(order) - i)
        order[i], order[j] = order[j], order[i]
    for _ in range(p.choose(2)):
        order.insert(p.choose(len(order) + 1), "x")
    array = x.array.transpose([a for a in order if a != "x"])
    for place, axis in enumerate(order):
        if axis == "x":
            array = np.expand_dims(array, place)
    p.grow(f"dimshuffle {order}", x.symbol.dimshuffle(*order), array)


@move
def transpose(p: Program) -> None:
    x = p.value(lambda v: v.array.ndim > 1)
    p.grow("T", x.symbol.T, x.array.T)


@move
def reshape(p: Program) -> None:
    x = p.value(lambda v: v.array.size > 0)
    size, which = x.array.size, p.choose(4)
    if which == 0:
        p.grow("flatten", x.symbol.flatten(), x.array.reshape(-1))
    elif which == 1:
        factor = p.one_of([n for n in range(1, size + 1) if size % n == 0])
        p.grow(f"reshape ({factor}, -1)", x.symbol.reshape((factor, -1)), x.array.reshape(factor, -1))
    elif which == 2 and x.array.ndim == 2:
        m, n = x.symbol.shape
        p.grow("reshape (n, m)", x.symbol.reshape((n, m)), x.array.reshape(x.array.shape[::-1]))
    else:
        y = p.value(lambda v: v.array.size == size and v.array.ndim > 0)
        symbol = x.symbol.reshape(y.symbol.shape, ndim=y.array.ndim)
        p.grow("reshape to another's shape", symbol, x.array.reshape(y.array.shape))


@move
def length(p: Program) -> None:
    x = p.value(lambda v: v.array.ndim > 0)
    axis = p.choose(x.array.ndim)
    p.grow(f"shape[{axis}]", x.symbol.shape[axis], np.int64(x.array.shape[axis]))


@move
def likeness(p: Program) -> None:
    x = p.value()
    if p.choose(2):
        p.grow("ones_like", T.ones_like(x.symbol), np.ones_like(x.array))
    else:
        p.grow("zeros_like", T.zeros_like(x.symbol), np.zeros_like(x.array))


def some_slice(p: Program) -> slice:
    parts = (None, None, 0, 1, -1, 2, -2)
    return slice(p.one_of(parts), p.one_of(parts), p.one_of((None, None, 1, 2, -1, -2)))


def place_in(p: Program, n: int) -> Value:
    """A computed number that is an index of an axis of length n."""
    return p.value(lambda v: v.array.ndim == 0 and v.kind == "i" and -n <= int(v.array) < n)


def some_index(p: Program, x: Value) -> tuple[Any, Any, bool]:
    """An index as symbols and as numbers, and whether it may name an element twice."""
    symbols: list[Any] = []
    numbers: list[Any] = []
    twice = False
    for axis in range(1 + p.choose(x.array.ndim)):
        n, which = x.array.shape[axis], p.choose(5)
        if which == 0 and n:
            place = p.choose(2 * n) - n
            symbols.append(place)
            numbers.append(place)
        elif which == 1 and not twice and n:
            places = np.array([p.choose(n) for _ in range(1 + p.choose(3))])
            symbols.append(T.as_tensor_variable(places))
            numbers.append(places)
            twice = True
        elif which == 2 and n and not twice:
            at = place_in(p, n)
            symbols.append(at.symbol)
            numbers.append(int(at.array))
        else:
            part = some_slice(p)
            symbols.append(part)
            numbers.append(part)
    return tuple(symbols), tuple(numbers), twice


@move
def part(p: Program) -> None:
    x = p.value(lambda v: v.array.ndim > 0)
    symbols, numbers, _ = some_index(p, x)
    p.grow(f"[{numbers}]", x.symbol[symbols], x.array[numbers])


part_again = move(part)


@move
def picked(p: Program) -> None:
    """One element of each row."""
    x = p.value(lambda v: v.array.ndim == 2 and v.array.size > 0)
    rows, columns = x.array.shape
    places = np.array([p.choose(columns) for _ in range(rows)])
    p.grow(f"[arange, {places}]", x.symbol[T.arange(x.symbol.shape[0]), T.as_tensor_variable(places)],
           x.array[np.arange(rows), places])


@move
def write(p: Program) -> None:
    x = p.value(lambda v: v.array.ndim > 0)
    symbols, numbers, twice = some_index(p, x)
    target = x.array[numbers]
    there = Value(x.symbol[symbols], target)
    values = [v for v in p.pool if v.array.dtype == x.array.dtype and v.array.ndim <= target.ndim and fit(there, v)
              and np.broadcast_shapes(v.array.shape, target.shape) == target.shape]
    if not values:
        raise NotPossible
    y = p.one_of(values)
    result = np.array(x.array)
    if p.choose(2) and not twice:
        result[numbers] = y.array
        p.grow(f"set [{numbers}]", T.set_subtensor(there.symbol, y.symbol), result)
    elif x.kind in "fiu":
        np.add.at(result, numbers, y.array)
        p.grow(f"inc [{numbers}]", T.inc_subtensor(there.symbol, y.symbol), result)


write_again = move(write)


@move
def join(p: Program) -> None:
    a = p.value(lambda v: v.array.ndim > 0)
    axis = p.choose(a.array.ndim)
    lengths = [n for i, n in enumerate(a.array.shape) if i != axis]
    b = p.value(lambda v: v.array.ndim == a.array.ndim and v.array.dtype == a.array.dtype
                and [n for i, n in enumerate(v.array.shape) if i != axis] == lengths)
    symbol = T.concatenate([a.symbol, b.symbol], axis=axis)
    p.grow(f"concatenate {axis}", symbol, np.concatenate([a.array, b.array], axis=axis))


@move
def stack(p: Program) -> None:
    a = p.value()
    b = p.value(lambda v: v.array.shape == a.array.shape and v.array.dtype == a.array.dtype and v.static == a.static)
    p.grow("stack", T.stack([a.symbol, b.symbol]), np.stack([a.array, b.array]))


# ---- whole programs ---------------------------------------------------------------------------------------------


def random_program(choose: Choose, most: int = 40) -> Program:
    """A program of up to `most` moves from one to four inputs, over two or three lengths."""
    p = Program(choose)
    lengths = [2 + choose(3), 1 + choose(4)] + ([0] if choose(12) == 0 else [])
    for _ in range(1 + choose(4)):
        dtype = p.one_of(DTYPES)
        shape = tuple(p.one_of(lengths) for _ in range(choose(4) if choose(4) else 2))
        static = tuple(n if n == 1 or choose(4) == 0 else None for n in shape)
        p.add_input(dtype, shape, static, [(choose(25) - 12) / 4 for _ in range(6)])
    for _ in range(1 + choose(most)):
        p.move()
    return p


def compiled(program: Program, outputs: Sequence[Any], mode: Any = "FAST_RUN", **options: Any) -> Any:
    """A function of all inputs of a program."""
    inputs = [v.symbol for v in program.inputs]
    return sg.function(inputs, list(outputs), mode=mode, on_unused_input="ignore", **options)
