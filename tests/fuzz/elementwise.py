"""Operations of the fuzzer that work element by element: every record of an elementwise function."""

from __future__ import annotations

from typing import Any

import numpy as np

import symgraph.tensor as T
from tests.fuzz.recipes import Growth, Operation, Weak
from tests.fuzz.tolerance import ulps
from tests.records.elementwise import ELEMENTWISE, Elementwise, like_exp
from tests.rewrites.programs import UNARY, Value

#: Functions that round correctly, or not at all, whatever the arrangement of an array in memory.
EXACT = {
    "neg", "abs", "sgn", "sqrt", "floor", "ceil", "trunc", "round", "round_half_to_even", "add", "sub", "maximum",
    "minimum", "switch", "clip", "fill", "tensor_copy", "conj", "real", "imag", "mul", "true_div",
}
#: Functions whose reference is another formula than theirs: a few roundings more.
LOOSE = {"softplus": 4, "log1mexp": 4, "sinc": 4, "xlogx": 4, "trigamma": 4, "polygamma": 4, "logaddexp": 2}

#: Functions that SciPy makes 0 where the result is below the smallest normal number: 1 / (1 + exp(92)) in float32.
VANISHING = {"sigmoid"}

NUMBERS = (0, 1, -1, 2, 3, 0.5, 2.0, -1.0, 1.0, 0.0, True, False, 1j, 200, 70000, 1e-3)
COMMON = {"add", "sub", "mul", "true_div", "neg", "exp", "log", "maximum", "switch", "lt", "ge", "eq", "sqr", "pow"}


def _tolerance(record: Elementwise) -> Any:
    factor = LOOSE.get(record.name, 1)

    def tolerance(result: Any, *arrays: Any, **options: Any) -> Any:
        exact = record.name in EXACT and not (result.dtype.kind == "c" and record.name in ("mul", "true_div", "abs"))
        complex_abs = record.name in ("abs", "sgn") and any(np.asarray(a).dtype.kind == "c" for a in arrays)
        if exact and not complex_abs:
            return None
        least = float(np.finfo(result.dtype).tiny) if record.name in VANISHING and result.dtype.kind == "f" else 0.0
        return ulps(result, factor=factor) + least

    return tolerance


def _operands(growth: Growth, count: int, weak: bool) -> list[int | Weak]:
    first = growth.place()
    chosen: list[int | Weak] = [first]
    for _ in range(count - 1):
        if weak and growth.chance(3) and len(chosen) < 2:
            chosen.append(Weak(growth.one_of(NUMBERS)))
        else:
            chosen.append(growth.partner(*[c for c in chosen if not isinstance(c, Weak)]))
    if weak and len(chosen) == 2 and growth.choose(2):
        chosen.reverse()
    return chosen


def _row(record: Elementwise) -> Operation:
    ufunc = isinstance(record.reference, np.ufunc)

    def draw(growth: Growth) -> Any:
        if record.name == "trigamma":
            return [growth.place(lambda v: v.kind in "biuf" and not far_below(v))], {}
        if not record.integral:
            return _operands(growth, record.nin, ufunc and record.nin == 2), {}
        (order,) = record.integral
        number = growth.place(lambda v: v.kind in "iu" and bool(np.all((v.array >= 1) & (v.array < 6))))
        x = growth.partner(number, wanted=lambda v: v.kind in "biuf" and not far_below(v))
        return [number, x] if order == 0 else [x, number], {}

    def far_below(v: Value) -> bool:
        """SciPy's polygamma then takes as many steps as it is to 0."""
        return bool(np.any(v.array.astype(float) < -1e4))

    def numeric(*values: Any) -> Any:
        if ufunc and record.dtype_of is None:
            return record.reference(*values)
        if record.name == "sinc" and (x := np.asarray(values[0])).dtype.kind != "c":
            # NumPy's own formula: near integers, pi * x rounds in the dtype it is given.
            return np.sinc(x.astype(np.promote_types(like_exp(x.dtype), "float32"))).astype(like_exp(x.dtype))
        return record.expected(*map(np.asarray, values))

    return Operation(record.name, record.call, numeric, draw, _tolerance(record), 6 if record.name in COMMON else 2)


def _infix(name: str, function: Any) -> Operation:
    """An operator, as it is written: Python numbers on either side."""
    return Operation(name, function, function, lambda g: (_operands(g, 2, True), {}), _tolerance_of_operator, 3)


def _tolerance_of_operator(result: Any, *arrays: Any, **options: Any) -> Any:
    return ulps(result)


def _cast_draw(growth: Growth) -> Any:
    x = growth.place()
    kind, real = growth.values[x].kind, ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
                                         "uint64", "float16", "float32", "float64")
    dtypes = ("complex64", "complex128") if kind == "c" else (*real, "complex64", "complex128")
    dtype = growth.one_of(dtypes)
    if kind == "f" and np.dtype(dtype).kind in "iu":  # what does not fit has no value in C: NumPy's depends on its loop
        limits = np.iinfo(dtype)
        values = growth.values[x].array.astype("float64")
        if not np.all((values > float(limits.min) - 1) & (values < float(limits.max))):
            dtype = "bool"
    return [x], {"dtype": dtype}


CAST = Operation("cast", lambda x, dtype: T.cast(x, dtype), lambda x, dtype: x.astype(dtype), _cast_draw, None, 6)

def _idiom(name: str, symbolic: Any, numeric: Any) -> Operation:
    """A formula of several operations, such as laws look for."""
    return Operation(name, symbolic, numeric,
                     lambda g: ([g.place(lambda v: v.array.dtype in (np.float32, np.float64))], {}), ulps)


def _formula(name: str, count: int, function: Any, kinds: str = "iufc") -> Operation:
    """A formula of one, two or three tensors, which laws make simpler: ``function(m, *tensors)``, m the module."""

    def draw(growth: Growth) -> Any:
        chosen = [growth.place(lambda v: v.kind in kinds)]
        for _ in range(count - 1):
            chosen.append(growth.partner(*chosen, wanted=lambda v: v.kind in kinds))
        return chosen, {}

    return Operation(name, lambda *xs: function(T, *xs), lambda *xs: function(np, *xs), draw, ulps)


IDIOMS = (
    # What NumPy is given for two of these is not the same formula but what it comes to.
    *(_idiom(*row) for row in UNARY if row[0] not in ("log of exp", "reciprocal")),
    _formula("x + 0", 1, lambda m, x: x + 0), _formula("0 - x", 1, lambda m, x: 0 - x),
    _formula("x * 1", 1, lambda m, x: x * 1), _formula("x - x", 1, lambda m, x: x - x),
    _formula("x * 0", 1, lambda m, x: x * 0), _formula("x / x", 1, lambda m, x: x / x),
    _formula("x // x", 1, lambda m, x: x // x, "iuf"), _formula("x ** 1", 1, lambda m, x: x ** 1),
    _formula("x ** 2", 1, lambda m, x: x ** 2), _formula("x ** 0", 1, lambda m, x: x ** 0),
    _formula("-(-x)", 1, lambda m, x: m.negative(-x)), _formula("x / 1", 1, lambda m, x: x / 1),
    _formula("1 / (1 / x)", 1, lambda m, x: 1 / (1 / x)), _formula("x * -1", 1, lambda m, x: x * -1, "ifc"),
    _formula("2 * x + x * 2", 1, lambda m, x: 2 * x + x * 2), _formula("(x + y) - y", 2, lambda m, x, y: (x + y) - y),
    _formula("(x - y) + y", 2, lambda m, x, y: (x - y) + y), _formula("x - (x - y)", 2, lambda m, x, y: x - (x - y)),
    _formula("(x * y) / y", 2, lambda m, x, y: (x * y) / y), _formula("x / y * y", 2, lambda m, x, y: x / y * y),
    _formula("x / (1 / y)", 2, lambda m, x, y: x / (1 / y)), _formula("x * (1 / y)", 2, lambda m, x, y: x * (1 / y)),
    _formula("-(x - y)", 2, lambda m, x, y: -(x - y)), _formula("(-x) - y", 2, lambda m, x, y: (-x) - y),
    _formula("(-x) * (-y)", 2, lambda m, x, y: (-x) * (-y)), _formula("(-x) / (-y)", 2, lambda m, x, y: (-x) / (-y)),
    _formula("x * y + x * y", 2, lambda m, x, y: x * y + x * y), _formula("x + y + x", 2, lambda m, x, y: x + y + x),
    _formula("sqrt(x**2)", 1, lambda m, x: m.sqrt(m.square(x))),
    _formula("exp(log(x))", 1, lambda m, x: m.exp(m.log(x))),
    _formula("(x**2)**2", 1, lambda m, x: (x ** 2) ** 2), _formula("sqrt(x)**2", 1, lambda m, x: m.sqrt(x) ** 2),
    _formula("x**3", 1, lambda m, x: x ** 3), _formula("abs(-x)", 1, lambda m, x: m.abs(-x)),
    _formula("exp(x) * exp(y)", 2, lambda m, x, y: m.exp(x) * m.exp(y)),
    _formula("log(x * y)", 2, lambda m, x, y: m.log(x * y)), _formula("log(x / y)", 2, lambda m, x, y: m.log(x / y)),
    _formula("(x & y) | y", 2, lambda m, x, y: (x & y) | y, "biu"), _formula("x ^ x", 1, lambda m, x: x ^ x, "biu"),
    _formula("x & x", 1, lambda m, x: x & x, "biu"), _formula("~~x", 1, lambda m, x: ~(~x), "biu"),
    _formula("x % x", 1, lambda m, x: x % x, "iuf"), _formula("x % 1", 1, lambda m, x: x % 1, "iuf"),
    _formula("x // 1", 1, lambda m, x: x // 1, "iuf"), _formula("x <= x", 1, lambda m, x: x <= x),
    _formula("~(x < y)", 2, lambda m, x, y: ~(x < y)), _formula("max(x, x)", 1, lambda m, x: m.maximum(x, x)),
    _formula("max(max(x, y), y)", 2, lambda m, x, y: m.maximum(m.maximum(x, y), y), "iuf"),
    _formula("where in where", 3, lambda m, c, x, y: m.where(c > 0, m.where(c > 0, x, y), x), "iuf"),
    _formula("x where x > y", 2, lambda m, x, y: m.where(x > y, x, y), "iuf"),
)

OPERATIONS: tuple[Operation, ...] = (
    *IDIOMS,
    *(_row(record) for record in ELEMENTWISE if record.name != "isclose"),
    CAST,
    _infix("+", lambda a, b: a + b), _infix("-", lambda a, b: a - b), _infix("*", lambda a, b: a * b),
    _infix("/", lambda a, b: a / b), _infix("//", lambda a, b: a // b), _infix("%", lambda a, b: a % b),
    _infix("<", lambda a, b: a < b), _infix(">=", lambda a, b: a >= b),
)
