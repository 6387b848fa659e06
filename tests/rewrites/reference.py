"""Reference values: what each operation gives alone, and how far a right answer may be off.

That is measured: the expressions are evaluated again and again with every rounding disturbed at random by two units in
the last place (`tolerances`), and an answer is held to a small multiple of what that does to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symgraph.graph import Constant, FunctionGraph, Variable, toposort
from symgraph.tensor.elemwise import Elemwise

Array = np.ndarray[Any, Any]


def by_perform(outputs: Sequence[Variable], values: Mapping[Any, Any], disturb: Any = None) -> list[Array]:
    """The values of expressions by each operation's own `perform`, nothing shared, nothing reused."""
    known: dict[Variable, Any] = {v: np.array(a) for v, a in values.items()}

    def value(v: Variable) -> Any:
        return np.array(v.data if isinstance(v, Constant) else known[v])

    with np.errstate(all="ignore"):
        for node in toposort(outputs):
            cells: list[list[Any]] = [[None] for _ in node.outputs]
            arguments = [value(v) for v in node.inputs]
            node.op.perform(node, arguments, cells)
            for variable, cell in zip(node.outputs, cells, strict=True):
                result = np.array(cell[0])
                known[variable] = result if disturb is None else disturb(node, arguments, result)
    return [value(v) for v in outputs]


EXACT = {
    "neg", "abs", "second", "identity", "switch", "maximum", "minimum", "floor", "sgn", "clip", "max", "min", "top"
}


def tolerances(inputs: Sequence[Any], outputs: Sequence[Any], values: Sequence[Any]) -> list[Array]:
    """How far each element of each output moves when every rounding is off by up to two units in the last place.

    Infinite where it cannot be said: where that makes a discrete result another, or a finite number infinite. What can
    jump is also looked for with larger disturbances: a comparison of what is nearly equal does not turn at each trial.
    """
    fgraph = FunctionGraph(inputs, outputs)  # equal expressions are disturbed equally
    given = dict(zip(inputs, values, strict=True))
    rng = np.random.default_rng(0)
    exact = by_perform(fgraph.outputs, given)
    moved = [np.zeros(a.shape) for a in exact]
    with np.errstate(all="ignore"):
        for units in (2, 2, 2, 2, 64, 64, 64, 64):
            try:
                others = by_perform(fgraph.outputs, given, _disturber(rng, units))
            except IndexError:  # an index is computed from what was disturbed
                return [np.full(a.shape, np.inf) for a in exact]
            for most, right, other in zip(moved, exact, others, strict=True):
                gap = _gap(right, other)
                if units == 2:
                    most[...] = np.maximum(most, gap)
                else:
                    unit = 0 if right.dtype.kind in "biu" else np.finfo(right.dtype).eps * np.abs(right)
                    most[...] = np.where(gap > 1000 * (most + 2 * unit), np.inf, most)  # it did not just grow with them
    return moved


COMPARISONS = {"lt", "le", "gt", "ge", "eq", "neq"}


def _disturber(rng: Any, units: float) -> Callable[[Any, Sequence[Array], Array], Array]:
    def disturb(node: Any, arguments: Sequence[Array], array: Array) -> Array:
        op = node.op
        compares = isinstance(op, Elemwise) and op.scalar.name in COMPARISONS
        if compares and all(a.dtype.kind == "f" for a in arguments):
            return np.asarray(array ^ (_nearly_equal(*arguments) & (rng.random(array.shape) < 0.5)))
        name = op.scalar.name if isinstance(op, Elemwise) else getattr(op, "kind", "")
        exact = name in EXACT
        if array.dtype.kind in "biu" or op.view_map or exact:
            return array
        noise = 1 + units * np.finfo(array.dtype).eps * rng.uniform(-1, 1, array.shape)
        return np.asarray(array * noise, array.dtype)

    return disturb


def _nearly_equal(a: Array, b: Array) -> Array:
    """Where two numbers differ by a few roundings: whether they differ at all is then an accident."""
    eps = max(np.finfo(a.dtype).eps, np.finfo(b.dtype).eps)
    return np.asarray((a != b) & (np.abs(a - b) <= 64 * eps * np.maximum(np.abs(a), np.abs(b))))


def _gap(right: Array, other: Array) -> Array:
    if right.dtype.kind in "biu":
        return np.where(right == other, 0.0, np.inf)
    gap = np.abs(right - other).astype("float64")
    return np.where(np.isnan(gap), np.inf, gap)


def assert_agrees(got: Any, wanted: Array, moved: Array, what: str) -> None:
    """Equal to 8 units in the last place, and 8 times what rounding alone does to it."""
    got = np.asarray(got)
    kinds = f"{got.dtype}{got.shape} for {wanted.dtype}{wanted.shape}"
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape), f"{what}: {kinds}"
    if wanted.dtype.kind in "biu":
        wrong = (got != wanted) & (moved == 0)
    else:
        limits = np.finfo(wanted.dtype)
        wide = "complex128" if wanted.dtype.kind == "c" else "float64"
        with np.errstate(all="ignore"):
            unit = limits.eps * (np.abs(wanted.astype(wide)) + float(limits.tiny))
            near = np.abs(got.astype(wide) - wanted.astype(wide)) <= 8 * unit + 8 * moved
        wrong = ~near & np.isfinite(moved) & np.isfinite(wanted)
    assert not np.any(wrong), f"{what}: {got[wrong]} instead of {wanted[wrong]}, which rounding moves by {moved[wrong]}"
