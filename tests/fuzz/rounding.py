"""What rounding alone does to a program: its results when every operation is disturbed in its last places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgraph.graph import FunctionGraph
from symgraph.tensor.elemwise import Elemwise
from tests.fuzz.recipes import Leaf, Recipe
from tests.fuzz.tolerance import eps_of, finite, wide
from tests.rewrites.reference import EXACT, by_perform

Array = np.ndarray[Any, Any]

#: In place of a number of units: results rounded to a few units, instead of disturbed by them.
COARSE = 0

TRIALS = (2, 2, 2, 2, 2, 2, 64, 64, 64, 64, COARSE, COARSE, COARSE, COARSE)

_DISCRETE = {"lt", "le", "gt", "ge", "eq", "neq"}


@dataclass
class Moved:
    """How far the elements of a result move; infinite where they jump. And whether its shape is another then."""

    by: Array
    shape: bool = False


def moved(recipe: Recipe, symbols: Sequence[Any], places: Sequence[int], overflows: bool = False,
          infinities: bool = False) -> list[Moved]:
    """How far each element of some nodes moves when every rounding is off by up to two units in the last place.

    Infinite where it jumps: to another discrete value, or between what is finite and what is not. With `overflows`,
    what an operation makes infinite or NaN of what was not is now and then a number instead: a law may have made it so.
    With `infinities` also a NaN that is made of infinities, as exp(x) / (1 + exp(x)) is where x is infinite; of complex
    numbers always, since a product with -1 has a part that is NaN where another is infinite, and the negative has none.
    """
    inputs = [symbols[i] for i in recipe.inputs]
    graph = FunctionGraph(inputs, [symbols[i] for i in places])
    leaves = [node for node in recipe.nodes if isinstance(node, Leaf) and not node.constant]
    given = {s: leaf.array for s, leaf in zip(inputs, leaves, strict=True)}
    rng = np.random.default_rng(0)
    exact = by_perform(graph.outputs, given)
    most = [Moved(np.zeros(a.shape)) for a in exact]
    for units in TRIALS * (3 if overflows else 1):  # a chosen number need not matter the first time
        try:
            others = by_perform(graph.outputs, given, disturber(rng, units, overflows, infinities))
        except (IndexError, ValueError):  # an index, or a length, is computed from what was disturbed
            return [Moved(np.full(a.shape, np.inf), shape=True) for a in exact]
        for so_far, right, other in zip(most, exact, others, strict=True):
            if other.shape != right.shape:
                so_far.by[...], so_far.shape = np.inf, True
                continue
            gap = jump(right, other)
            if units == 2:
                so_far.by[...] = np.maximum(so_far.by, gap)
            else:
                unit = eps_of(right.dtype) * finite(right)
                so_far.by[...] = np.where(gap > 1000 * (so_far.by + 2 * unit), np.inf, so_far.by)
    return most


def jump(right: Array, other: Array) -> Array:
    if right.dtype.kind not in "fc":
        return np.where(right == other, 0.0, np.inf)
    with np.errstate(all="ignore"):
        gap = wide(right - other).astype("float64")
        equal = (right == other) | (np.isnan(right) & np.isnan(other))
        return np.where(equal, 0.0, np.where(np.isnan(gap), np.inf, gap))


def signs_changed(rng: Any, array: Array) -> Array:
    """Zeros and NaNs of either sign; those of the parts of complex numbers one by one."""
    if array.dtype.kind == "c":
        result = np.empty_like(array)
        result.real, result.imag = signs_changed(rng, array.real), signs_changed(rng, array.imag)
        return result
    return np.where(((array == 0) | np.isnan(array)) & (rng.random(array.shape) < 0.5), np.negative(array), array)


def coarser(array: Array) -> Array:
    """Rounded to a few units in the last place, of the modulus where it is complex.

    What differs from 1 by rounding alone is 1 then, its logarithm 0, and a quotient by that infinite.
    """
    _, exponent = np.frexp(finite(array).astype("float64"))
    with np.errstate(all="ignore"):
        grid = np.ldexp(4 * eps_of(array.dtype), exponent)
        result = np.array(array)
        for old, new in [(array.real, result.real), (array.imag, result.imag)][:1 + (array.dtype.kind == "c")]:
            new[...] = np.rint(old / grid) * grid
    return np.where(np.isfinite(result), result, array)


def scaled(array: Array, factors: Array, cancels: Any = False) -> Array:
    """Elements times factors near 1; parts of complex numbers move by as much of the modulus.

    A part that is zero, and its sign, stay, unless it is the difference of what cancels: the real part of sqrt(z) ** 2
    is rounding alone where z has none, and decides how complex numbers compare.
    """
    if array.dtype.kind != "c":
        return np.asarray(array * factors)
    result, moves = np.array(array), finite(array) * (factors - 1)
    result.real = np.where((array.real != 0) | cancels, array.real + moves, array.real)
    result.imag = np.where((array.imag != 0) | cancels, array.imag + np.roll(moves, 1), array.imag)
    return result


def cancelled(node: Any, arguments: Sequence[Array]) -> Any:
    """Where no part of the arguments of an elementwise operation is zero, but for those that are real altogether.

    A part of the result that is zero is then a difference.
    """
    if not isinstance(node.op, Elemwise):
        return False
    return np.all(np.broadcast_arrays(*((a.real != 0) & ((a.imag != 0) | ~np.any(a.imag)) for a in arguments)), axis=0)


def disturber(rng: Any, units: float, overflows: bool = False, infinities: bool = False) -> Any:
    """What an operation gives, rounded otherwise: a little larger or smaller, a zero or NaN of another sign."""

    def disturb(node: Any, arguments: Sequence[Array], array: Array, units: float = units) -> Array:
        function = getattr(getattr(node.op, "scalar", None), "name", getattr(node.op, "kind", ""))
        if function in _DISCRETE and any(a.dtype.kind in "fc" for a in arguments):
            return np.asarray(array ^ (nearly_equal(*arguments) & (rng.random(array.shape) < 0.5)))
        if array.dtype.kind not in "fc" or node.op.view_map:
            return array
        limits = np.finfo(array.dtype)
        array = signs_changed(rng, array)
        if function in EXACT:
            return np.asarray(array, array.dtype)
        if units == COARSE:  # some elements: where one jumps by being disturbed, the next may have to be rounded
            rounded, units = coarser(array), 2
        else:
            rounded = None
        noise = 1 + units * float(limits.eps) * rng.uniform(-1, 1, array.shape)
        below = units * float(limits.smallest_subnormal) * np.rint(rng.uniform(-1, 1, array.shape))
        small = (array != 0) & (np.abs(array) < float(limits.tiny))
        with np.errstate(all="ignore"):
            other = scaled(array, noise, cancelled(node, arguments))
            if rounded is not None:
                other = np.where(rng.random(array.shape) < 0.6, rounded, other)
            if overflows and isinstance(node.op, Elemwise):
                lost = ~np.isfinite(array) & np.all(np.broadcast_arrays(*(np.isfinite(a) | (
                    np.isinf(a) & np.isnan(array) & (infinities or array.dtype.kind == "c"))
                    for a in arguments)), axis=0)
                number = rng.choice([0.0, 1.0, -1.0, 500.0, float(limits.max) / 2], array.shape)
                array = np.where(lost & (rng.random(array.shape) < 0.7), number, array)
                other = np.where(np.isfinite(other), other, array)
            return np.asarray(np.where(np.isfinite(array), np.where(small, other + below, other), array), array.dtype)

    return disturb


def nearly_equal(a: Array, b: Array) -> Array:
    """Where two numbers differ by a few roundings: whether they differ at all is then an accident."""
    eps = max(eps_of(a.dtype), eps_of(b.dtype))
    return np.asarray((a != b) & (wide(a - b if a.dtype.kind in "fc" else b - a)
                                  <= 64 * eps * np.maximum(wide(a), wide(b))))
