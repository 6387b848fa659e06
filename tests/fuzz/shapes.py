"""Operations of the fuzzer that move elements: shapes, joins, creation from shapes, parts and writing into parts."""

from __future__ import annotations

from typing import Any

import numpy as np

import symgraph.tensor as T
from tests.fuzz.recipes import Growth, Operation, Weak, fit
from tests.fuzz.reductions import has_axes, some_axis
from tests.rewrites.programs import Value

Array = np.ndarray[Any, Any]

# ---- axes -------------------------------------------------------------------------------------------------------


def _permutation(growth: Growth) -> Any:
    x = growth.place()
    order = list(range(growth.values[x].array.ndim))
    for i in range(len(order) - 1):
        j = i + growth.choose(len(order) - i)
        order[i], order[j] = order[j], order[i]
    return [x], {"axes": tuple(order) if growth.choose(2) else None}


def _two_axes(first: str, second: str) -> Any:
    def draw(growth: Growth) -> Any:
        x = growth.place(has_axes)
        ndim = growth.values[x].array.ndim
        return [x], {first: some_axis(growth, ndim), second: some_axis(growth, ndim)}

    return draw


def _new_axis(growth: Growth) -> Any:
    x = growth.place()
    return [x], {"axis": some_axis(growth, growth.values[x].array.ndim + 1)}


def _squeeze(growth: Growth) -> Any:
    x = growth.place(lambda v: 1 in v.static)
    static = growth.values[x].static
    return [x], {"axis": growth.one_of([i for i, n in enumerate(static) if n == 1])}


def _reshape(growth: Growth) -> Any:
    x = growth.place()
    size = growth.values[x].array.size
    if size == 0:
        return [x], {"shape": growth.one_of(((0,), (-1,), (0, 3), (2, 0)))}
    factors = [n for n in range(1, size + 1) if size % n == 0]
    a = growth.one_of(factors)
    b = growth.one_of([n for n in factors if (size // a) % n == 0])
    return [x], {"shape": growth.one_of(((-1,), (a, -1), (-1, a), (a, size // a), (a, b, -1), (a, b, size // a // b)))}


def _reshape_like(growth: Growth) -> Any:
    x = growth.place()
    y = growth.place(lambda v: v.array.size == growth.values[x].array.size)
    return [x, y], {}


def _broadcast(growth: Growth) -> Any:
    x = growth.place()
    v = growth.values[x]
    shape = tuple(growth.one_of((2, 3)) if n == 1 else m for n, m in zip(v.static, v.array.shape, strict=True))
    return [x], {"shape": (2,) * growth.choose(2) + shape}


AXES = (
    Operation("transpose", lambda x, axes: T.transpose(x, axes), np.transpose, _permutation, weight=4),
    Operation("swapaxes", T.swapaxes, np.swapaxes, _two_axes("axis1", "axis2")),
    Operation("moveaxis", T.moveaxis, np.moveaxis, _two_axes("source", "destination")),
    Operation("expand_dims", T.expand_dims, np.expand_dims, _new_axis, weight=3),
    Operation("squeeze", T.squeeze, np.squeeze, _squeeze, weight=2),
    Operation("reshape", lambda x, shape: T.reshape(x, shape), lambda x, shape: np.reshape(x, shape), _reshape,
              weight=4),
    Operation("reshape_like", lambda x, y: T.reshape(x, y.shape, ndim=y.ndim), lambda x, y: x.reshape(y.shape),
              _reshape_like, weight=2),
    Operation("broadcast_to", lambda x, shape: T.broadcast_to(x, shape), np.broadcast_to, _broadcast, weight=2),
    Operation("ravel", T.ravel, np.ravel, lambda g: ([g.place()], {})),
    Operation("atleast_2d", T.atleast_2d, np.atleast_2d, lambda g: ([g.place()], {})),
)

# ---- repeated, rolled, cut, padded ------------------------------------------------------------------------------


def _repeat(growth: Growth) -> Any:
    x = growth.place(has_axes)
    axis = None if growth.chance(4) else some_axis(growth, growth.values[x].array.ndim)
    return [x], {"repeats": growth.choose(4), "axis": axis}


def _tile(growth: Growth) -> Any:
    x = growth.place()
    reps = tuple(growth.choose(3) for _ in range(1 + growth.choose(2)))
    return [x], {"reps": reps}


def _roll(growth: Growth) -> Any:
    x = growth.place(has_axes)
    axis = None if growth.chance(4) else some_axis(growth, growth.values[x].array.ndim)
    return [x], {"shift": growth.choose(9) - 4, "axis": axis}


def _pad(growth: Growth) -> Any:
    x = growth.place(lambda v: v.array.ndim > 0 and v.array.size > 0)
    ndim = growth.values[x].array.ndim
    return [x], {"pad_width": [(growth.choose(3), growth.choose(3)) for _ in range(ndim)],
                 "mode": growth.one_of(("constant", "edge", "wrap", "reflect", "symmetric"))}


def _triangle(growth: Growth) -> Any:
    return [growth.place(lambda v: v.array.ndim >= 2)], {"k": growth.choose(5) - 2}


def _diagonal(growth: Growth) -> Any:
    return [growth.place(lambda v: v.array.ndim >= 2)], {"offset": growth.choose(5) - 2}


PIECES = (
    Operation("repeat", T.repeat, np.repeat, _repeat, weight=2),
    Operation("tile", T.tile, np.tile, _tile, weight=2),
    Operation("roll", T.roll, np.roll, _roll),
    Operation("pad", T.pad, np.pad, _pad),
    Operation("tril", T.tril, np.tril, _triangle), Operation("triu", T.triu, np.triu, _triangle),
    Operation("diagonal", T.diagonal, np.diagonal, _diagonal),
    Operation("diag", T.diag, np.diag, lambda g: ([g.place(lambda v: v.array.ndim in (1, 2))], {"k": g.choose(3) - 1})),
)

# ---- joined and split -------------------------------------------------------------------------------------------


def _join(growth: Growth) -> Any:
    a = growth.place(has_axes)
    shape = growth.values[a].array.shape
    axis = growth.choose(len(shape))
    rest = [n for i, n in enumerate(shape) if i != axis]
    others = [growth.place(lambda v: v.array.ndim == len(shape)
                           and [n for i, n in enumerate(v.array.shape) if i != axis] == rest)
              for _ in range(1 + growth.choose(2))]
    return [a, *others], {"axis": axis - (len(shape) if growth.choose(2) else 0)}


def _stack(growth: Growth) -> Any:
    a = growth.place()
    shape = growth.values[a].array.shape
    others = [growth.place(lambda v: v.array.shape == shape) for _ in range(1 + growth.choose(2))]
    return [a, *others], {"axis": growth.choose(len(shape) + 1)}


def _split(growth: Growth) -> Any:
    x = growth.place(has_axes)
    axis = some_axis(growth, growth.values[x].array.ndim)
    n = growth.values[x].array.shape[axis]
    first = growth.choose(n + 1)
    second = growth.choose(n - first + 1)
    return [x], {"sizes": (first, second, n - first - second), "axis": axis, "which": growth.choose(3)}


JOINS = (
    Operation("concatenate", lambda *xs, axis: T.concatenate(xs, axis=axis), lambda *xs, axis: np.concatenate(xs, axis),
              _join, weight=4),
    Operation("stack", lambda *xs, axis: T.stack(xs, axis=axis), lambda *xs, axis: np.stack(xs, axis), _stack,
              weight=3),
    Operation("split", lambda x, sizes, axis, which: T.split(x, list(sizes), 3, axis)[which],
              lambda x, sizes, axis, which: np.split(x, np.cumsum(sizes[:2]), axis)[which], _split, weight=3),
)

# ---- from shapes ------------------------------------------------------------------------------------------------


def _with_axes(growth: Growth) -> Any:
    return [growth.place(has_axes)], {}


def _length(growth: Growth) -> Any:
    x = growth.place(has_axes)
    return [x], {"axis": growth.choose(growth.values[x].array.ndim)}


def _creation(growth: Growth) -> Any:
    x = growth.place()
    return [x], {"dtype": growth.one_of(("bool", "int8", "uint16", "float16", "float32", "float64", "complex64"))}


def _filled(growth: Growth) -> Any:
    x = growth.place()
    return [x, growth.place(lambda v: v.array.ndim == 0)], {}


CREATION = (
    Operation("zeros_like", T.zeros_like, np.zeros_like, lambda g: ([g.place()], {})),
    Operation("ones_like", T.ones_like, np.ones_like, lambda g: ([g.place()], {})),
    Operation("zeros", lambda x, dtype: T.zeros(x.shape, dtype), lambda x, dtype: np.zeros(x.shape, dtype), _creation),
    Operation("ones", lambda x, dtype: T.ones(x.shape, dtype), lambda x, dtype: np.ones(x.shape, dtype), _creation),
    Operation("full", lambda x, v: T.full(x.shape, v), lambda x, v: np.full(x.shape, v), _filled),
    Operation("length", lambda x, axis: x.shape[axis], lambda x, axis: np.int64(x.shape[axis]), _length, weight=2),
    Operation("size", lambda x: x.size, lambda x: np.int64(x.size), lambda g: ([g.place()], {})),
    Operation("shape", T.shape, lambda x: np.array(x.shape, "int64"), _with_axes),
    Operation("arange", lambda x, axis: T.arange(x.shape[axis]), lambda x, axis: np.arange(x.shape[axis]), _length),
    Operation("eye", lambda x, axis: T.eye(x.shape[axis], dtype="float32"),
              lambda x, axis: np.eye(x.shape[axis], dtype="float32"), _length),
)

# ---- parts ------------------------------------------------------------------------------------------------------


class Ref:
    """In a key: the operand of this number, counted from the first after the tensor (and the value written)."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __repr__(self) -> str:
        return f"#{self.number}"


def filled(key: tuple[Any, ...], supply: tuple[Any, ...]) -> tuple[Any, ...]:
    """The key with operands in place of references; NumPy's 0-d integers as they are."""

    def entry(part: Any) -> Any:
        if isinstance(part, slice):
            return slice(*(entry(p) for p in (part.start, part.stop, part.step)))
        return supply[part.number] if isinstance(part, Ref) else part

    return tuple(entry(part) for part in key)


class KeyGrowth:
    """A random index into an array: what stands in it is known, or a node of the recipe."""

    def __init__(self, growth: Growth, shape: tuple[int, ...]) -> None:
        self.growth, self.shape = growth, shape
        self.nodes: list[int] = []
        self.width = 1 + growth.choose(3)
        self.arrays: list[Value] = []

    def grow(self) -> tuple[Any, ...]:
        choose = self.growth.choose
        entries: list[Any] = []
        axis, rank = 0, len(self.shape)
        wanted = choose(rank + 1)
        dots = choose(wanted + 1) if self.growth.chance(3) else None
        for number in range(wanted):
            if number == dots:
                entries.append(...)
                axis = rank - (wanted - number)
            if axis >= rank:
                break
            part, taken = self.entry(axis)
            entries.append(part)
            axis += taken
        for _ in range(choose(2) if choose(2) else 0):
            entries.insert(choose(len(entries) + 1), None)
        return tuple(entries)

    def entry(self, axis: int) -> tuple[Any, int]:
        growth, n = self.growth, self.shape[axis]
        which = growth.choose(8)
        if which < 3:
            return slice(self.bound(n), self.bound(n), growth.one_of((None, None, 1, 2, -1, -2, 3))), 1
        if which == 3 and n:
            return growth.choose(2 * n) - n, 1
        if which == 4:
            try:
                return self.node(lambda v: v.array.ndim == 0 and v.kind in "iu" and -n <= int(v.array) < n), 1
            except NotPossibleHere:
                return slice(None), 1
        if which == 5 and n:
            return self.places(n), 1
        if which == 6:
            mask = np.array([growth.choose(2) == 0 for _ in range(n)], bool)
            return (mask, 1) if mask.sum() in (1, self.width) and self.fits(np.flatnonzero(mask)) else (slice(None), 1)
        if which == 7 and n:
            try:
                return self.node(lambda v: v.kind in "iu" and v.array.ndim > 0 and 0 < v.array.size < 12 and bool(
                    np.all((v.array.astype(float) >= -n) & (v.array.astype(float) < n))) and all(
                        fit(v, other) for other in self.arrays), True), 1
            except NotPossibleHere:
                return slice(None), 1
        return slice(None), 1

    def places(self, n: int) -> Any:
        """Known places: as many as the key's other arrays have, one, or a matrix of them."""
        growth = self.growth
        shape = growth.one_of(((self.width,), (self.width,), (1,), (2, self.width)))
        array = np.array([growth.choose(2 * n) - n for _ in range(int(np.prod(shape)))]).reshape(shape)
        dtype = growth.one_of(("int64", "int64", "int8", "uint8"))
        return (array % n if dtype == "uint8" else array).astype(dtype) if self.fits(array) else slice(None)

    def fits(self, array: Array) -> bool:
        """Whether known places may stand beside the arrays of the key so far; if so, they are one of them."""
        value = Value(T.constant(array), array)
        if not all(fit(value, other) for other in self.arrays):
            return False
        self.arrays.append(value)
        return True

    def bound(self, n: int) -> Any:
        growth = self.growth
        if growth.choose(2):
            return None
        if growth.chance(4):
            try:
                return self.node(lambda v: v.array.ndim == 0 and v.kind in "iu" and abs(int(v.array)) < 2**62)
            except NotPossibleHere:
                return None
        return growth.choose(2 * n + 5) - n - 2

    def node(self, wanted: Any, array: bool = False) -> Ref:
        found = [i for i, v in enumerate(self.growth.values) if wanted(v)]
        if not found:
            raise NotPossibleHere
        self.nodes.append(self.growth.one_of(found))
        if array:
            self.arrays.append(self.growth.values[self.nodes[-1]])
        return Ref(len(self.nodes) - 1)


class NotPossibleHere(Exception):
    """No node fits into this place of a key."""


def _part(growth: Growth) -> Any:
    x = growth.place(has_axes)
    keys = KeyGrowth(growth, growth.values[x].array.shape)
    key = keys.grow()
    return [x, *keys.nodes], {"key": key}


def _masked(growth: Growth) -> Any:
    m = growth.place(lambda v: v.kind == "b" and v.array.ndim > 0)
    shape = growth.values[m].array.shape
    x = growth.place(lambda v: v.array.shape[:len(shape)] == shape)
    return [x, m], {"key": (Ref(0),)}


def _write(growth: Growth) -> Any:
    x = growth.place(has_axes)
    whole = growth.values[x]
    keys = KeyGrowth(growth, whole.array.shape)
    key = keys.grow()
    try:
        arrays = tuple(growth.values[p].array for p in keys.nodes)
        region = whole.array[filled(key, arrays)]
        symbol = whole.symbol[filled(key, tuple(growth.values[p].symbol for p in keys.nodes))]
    except (IndexError, ValueError):
        return [x, Weak(1), *keys.nodes], {"key": key}
    there = Value(symbol, region)
    number = growth.one_of((0, 1, True, 2))
    y: int | Weak = Weak(number) if growth.chance(3) else growth.place(
        lambda v: v.array.ndim <= region.ndim and np.can_cast(v.array.dtype, whole.array.dtype) and fit(there, v)
        and np.broadcast_shapes(v.array.shape, region.shape) == region.shape)
    return [x, y, *keys.nodes], {"key": key}


def _numpy_set(x: Array, y: Any, *nodes: Any, key: Any) -> Array:
    result = np.array(x)
    result[filled(key, nodes)] = y
    return result


def _numpy_increase(x: Array, y: Any, *nodes: Any, key: Any) -> Array:
    result = np.array(x)
    index = filled(key, nodes)
    value = np.asarray(y, x.dtype) if isinstance(y, int) else y
    np.add.at(result, index, np.array(np.broadcast_to(value, result[index].shape)))  # add.at misreads shorter ones
    return result


def _writer(write: Any) -> Any:
    return lambda x, y, *nodes, key: write(x[filled(key, nodes)], y)


PARTS = (
    Operation("part", lambda x, *nodes, key: x[filled(key, nodes)], lambda x, *nodes, key: x[filled(key, nodes)], _part,
              weight=12),
    Operation("masked", lambda x, *nodes, key: x[filled(key, nodes)], lambda x, *nodes, key: x[filled(key, nodes)],
              _masked, weight=3),
    Operation("set_subtensor", _writer(T.set_subtensor), _numpy_set, _write, weight=5),
    Operation("inc_subtensor", _writer(T.inc_subtensor), _numpy_increase, _write, weight=5),
    # numpy.take does not look at the places where there is nothing to take; indexing, and the library, does. And it
    # wraps around step by step, for ever where a place is as large as integers are.
    Operation("take", T.take, np.take, lambda g: (
        [x := g.place(lambda v: v.array.ndim > 0 and v.array.size > 0),
         g.place(lambda v: v.kind in "iu" and v.array.size < 12 and bool(np.all(abs(v.array.astype(float)) < 1e6)))],
        {"axis": some_axis(g, g.values[x].array.ndim), "mode": g.one_of(("raise", "wrap", "clip"))}), weight=2),
)

OPERATIONS: tuple[Operation, ...] = (*AXES, *PIECES, *JOINS, *CREATION, *PARTS)
