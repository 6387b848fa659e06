"""Three evaluations of a recipe must agree: NumPy's, the unrewritten program, and the program compiled in FAST_RUN.

Without rewriting, every step is compared with NumPy on the operands the program itself computed, within the tolerance
of its operation. Rewritten, the last results are compared with the unrewritten ones: equal bit for bit but for the
signs of zeros and NaNs, or else off by no more than a small multiple of what rounding alone does to them. That is
measured by `moved`: every operation disturbed by two units in the last place, and zeros and NaNs by their sign.

Laws that make a program more exact (`MORE_EXACT`) may give another value than NumPy does: the one that is nearer to the
value computed in extended precision is right then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

import symgraph as sg
from symgraph.graph import FunctionGraph
from symgraph.tensor.elemwise import Elemwise
from tests.fuzz.recipes import Mismatch, Recipe, Step
from tests.fuzz.tolerance import eps_of, finite, wide, wrong
from tests.rewrites.reference import EXACT, by_perform

Array = np.ndarray[Any, Any]

#: The documented laws after which a result may differ from NumPy's by being nearer to the truth.
MORE_EXACT = {
    "log1p", "log1p_of_negative", "expm1", "negative_expm1", "softplus", "quotient_by_one_plus_exp",
    "one_minus_sigmoid", "log_sigmoid", "log1p_of_negative_sigmoid", "log_of_softmax", "log_of_sum_of_exp", "factors",
    "distribute_to_cancel", "log_of_exp", "gradient_of_log_of_softmax",
}


def compiled(recipe: Recipe, symbols: Sequence[Any], places: Sequence[int], mode: str) -> Any:
    """A function of the inputs of a recipe that gives some of its nodes."""
    inputs = [symbols[i] for i in recipe.inputs]
    return sg.function(inputs, [symbols[i] for i in places], mode=mode, on_unused_input="ignore")


def run(f: Any, recipe: Recipe) -> list[Array]:
    """Call twice: neither the inputs nor the first results may change."""
    values = [recipe.nodes[i].array for i in recipe.inputs]  # type: ignore[union-attr]
    before = [np.array(v) for v in values]
    with np.errstate(all="ignore"):
        first = f(*values)
        kept = [np.array(a) for a in first]
        second = f(*values)
    for a, b, c in zip(first, kept, second, strict=True):
        if not (same(a, b) and same(b, c)):
            raise Mismatch("a second call changes the results of the first, or gives others")
    if not all(same(a, b) for a, b in zip(values, before, strict=True)):
        raise Mismatch("a call changes its inputs")
    return kept


def same(a: Any, b: Any) -> bool:
    """Equal bit for bit, but for which NaN it is."""
    return a.dtype == b.dtype and a.shape == b.shape and not np.any(wrong(a, b, 0.0, zero_signs=True))


def sinks(recipe: Recipe) -> list[int]:
    """The steps no other step takes."""
    used = {p for node in recipe.nodes if isinstance(node, Step) for p in node.places}
    return [i for i in recipe.steps if i not in used]


def check(recipe: Recipe, tally: Counter[str] | None = None) -> None:
    """All three evaluations.

    Raises
    ------
    Mismatch
        That names the node, the values and what was fired.
    """
    tally = Counter() if tally is None else tally
    if not recipe.steps:
        return
    symbols, wanted = recipe.symbols(), recipe.arrays()
    plain = check_unrewritten(recipe, symbols, wanted)
    last = sinks(recipe)
    several = sorted({*last, *recipe.steps[::3]})  # what is computed on the way is wanted as well
    for places in [last, several] if len(recipe.steps) % 3 == 0 and several != last else [last]:
        f = compiled(recipe, symbols, places, "FAST_RUN")
        compare_rewritten(recipe, symbols, places, run(f, recipe), plain, f, tally)


def check_unrewritten(recipe: Recipe, symbols: Sequence[Any], wanted: Sequence[Array]) -> dict[int, Array]:
    """Each step against NumPy on what the program computed for its operands."""
    f = compiled(recipe, symbols, recipe.steps, "None")
    ours = {i: node.array for i, node in enumerate(recipe.nodes) if not isinstance(node, Step)}
    ours.update(zip(recipe.steps, run(f, recipe), strict=True))
    for i in recipe.steps:
        step: Any = recipe.nodes[i]
        got, right = ours[i], wanted[i]
        if got.dtype == right.dtype and got.shape == right.shape and same(got, right):
            continue
        arguments = [np.array(ours[p]) for p in range(i)]
        alone = step.numeric(arguments)
        if (got.dtype, got.shape) != (alone.dtype, alone.shape):
            raise Mismatch(f"mode None, n{i}: {got.dtype}{got.shape}, NumPy gives {alone.dtype}{alone.shape}")
        tolerance = step.operation.tolerance
        operands = [o.value if not isinstance(o, int) else arguments[o] for o in step.operands]
        with np.errstate(all="ignore"):
            limit = None if tolerance is None else tolerance(alone, *operands, **step.options)
        bad = wrong(got, alone, 0.0 if limit is None else limit, zero_signs=limit is None)
        if np.any(bad):
            raise Mismatch(f"mode None, n{i} = {step!r}: {got[bad]} instead of {alone[bad]}")
    return ours


def compare_rewritten(recipe: Recipe, symbols: Sequence[Any], places: Sequence[int], found: Sequence[Array],
                      plain: dict[int, Array], f: Any, tally: Counter[str]) -> None:
    different = []
    for i, got in zip(places, found, strict=True):
        right = plain[i]
        if (got.dtype, got.shape) != (right.dtype, right.shape):
            raise Mismatch(f"FAST_RUN, n{i}: {got.dtype}{got.shape} for {right.dtype}{right.shape}")
        if np.any(wrong(got, right, 0.0)):
            different.append((i, got))
    if not different:
        return
    tally["rewritten graphs whose results differ in rounding"] += 1
    fired = {r.rule for r in f.fired}
    limits = moved(recipe, symbols, [i for i, _ in different])
    for (i, got), limit in zip(different, limits, strict=True):
        right = plain[i]
        unit = eps_of(right.dtype) * finite(right) + (
            float(np.finfo(right.dtype).tiny) if right.dtype.kind in "fc" else 0)
        tally["elements too sensitive to judge"] += int(np.sum(np.isinf(limit) & wrong(got, right, 0.0)))
        bad = wrong(got, right, 8 * unit + 8 * limit)
        if not np.any(bad):
            continue
        truth = extended(recipe)[i]
        bad &= ~allowed(got, right, truth, fired, bad, tally)
        if fired and np.any(bad):
            (limit,) = moved(recipe, symbols, [i], overflows=True)
            still = wrong(got, right, 8 * limit)
            tally["elements that hang on what an overflow gives"] += int(np.sum(bad & ~still))
            bad &= still
        if not np.any(bad):
            continue
        raise Mismatch(f"FAST_RUN, n{i}: {got[bad]}, unrewritten {right[bad]}, in extended precision "
                       f"{None if truth is None else truth[bad]}, moved by {limit[bad]}, fired {sorted(fired)}")


def allowed(got: Array, right: Array, truth: Any, fired: set[str], bad: Array, tally: Counter[str]) -> Array:
    """Where a rewritten result may differ from NumPy's: see the rules of `symgraph.rewrites.algebra`.

    What is not finite may be so in another way, or become finite where the formula only overflows; and what is finite
    may be nearer to the truth where a law that is known for it was applied.
    """
    if not fired or right.dtype.kind not in "fc":
        return np.zeros(right.shape, bool)
    mine, theirs = np.isfinite(got), np.isfinite(right)
    otherwise = ~mine & ~theirs
    tally["elements not finite in another way"] += int(np.sum(bad & otherwise))
    if truth is None or truth.shape != right.shape:
        return otherwise
    near = nearer(got, right, truth) & (np.full(right.shape, bool(fired & MORE_EXACT)) | ~theirs)
    tally["elements nearer to the truth than NumPy's"] += int(np.sum(bad & near & ~otherwise))
    beyond = mine & ~theirs & ~np.isfinite(truth) & bool(fired & MORE_EXACT)
    tally["elements finite where the formula overflows in extended precision too"] += int(np.sum(bad & beyond))
    return np.asarray(otherwise | near | beyond)


def nearer(got: Array, right: Array, truth: Array) -> Array:
    """Where a value is at least as near to the truth as another is, or within a few units in the last place of it."""
    with np.errstate(all="ignore"):
        near = 16 * eps_of(got.dtype) * finite(truth) + float(np.finfo(got.dtype).tiny)
        mine, theirs = wide(got - truth), wide(right - truth)
        overflows = np.isinf(got) & (wide(truth) >= float(np.finfo(got.dtype).max)) & (np.sign(got) == np.sign(truth))
        return np.asarray((got == truth) | overflows | (mine <= near) | (mine <= theirs)
                          | (np.isfinite(mine) & ~np.isfinite(theirs)) & (mine <= 1e-3 * wide(truth)))


def extended(recipe: Recipe) -> list[Any]:
    """Every node computed from the leaves in extended precision; None where an operation knows no such numbers."""
    made: list[Any] = []
    for node in recipe.nodes:
        if not isinstance(node, Step):
            kind = {"f": np.longdouble, "c": np.clongdouble}.get(node.array.dtype.kind)
            made.append(node.array if kind is None else node.array.astype(kind))
            continue
        try:
            if any(made[p] is None for p in node.places):
                raise TypeError
            options = dict(node.options)
            if str(options.get("dtype", "")).startswith("float"):
                options["dtype"] = np.longdouble
            arguments = [made[o] if isinstance(o, int) else o.value for o in node.operands]
            with np.errstate(all="ignore"):
                made.append(np.asarray(node.operation.numeric(*arguments, **options)))
        except Exception:
            made.append(None)
    return made


# ---- what rounding does -----------------------------------------------------------------------------------------

_DISCRETE = {"lt", "le", "gt", "ge", "eq", "neq"}


def moved(recipe: Recipe, symbols: Sequence[Any], places: Sequence[int], overflows: bool = False) -> list[Array]:
    """How far each element of some nodes moves when every rounding is off by up to two units in the last place.

    Infinite where it jumps: to another discrete value, or between what is finite and what is not. With `overflows`,
    what an operation makes infinite or NaN of what was not is now and then a number instead: a law may have made it so.
    """
    inputs = [symbols[i] for i in recipe.inputs]
    graph = FunctionGraph(inputs, [symbols[i] for i in places])
    given = {s: recipe.nodes[i].array for s, i in zip(inputs, recipe.inputs, strict=True)}  # type: ignore[union-attr]
    rng = np.random.default_rng(0)
    exact = by_perform(graph.outputs, given)
    most = [np.zeros(a.shape) for a in exact]
    for units in (2, 2, 2, 2, 2, 2, 64, 64, 64, 64):
        try:
            others = by_perform(graph.outputs, given, disturber(rng, units, overflows))
        except (IndexError, ValueError):  # an index, or a length, is computed from what was disturbed
            return [np.full(a.shape, np.inf) for a in exact]
        for so_far, right, other in zip(most, exact, others, strict=True):
            if other.shape != right.shape:
                so_far[...] = np.inf
                continue
            gap = jump(right, other)
            if units == 2:
                so_far[...] = np.maximum(so_far, gap)
            else:
                unit = eps_of(right.dtype) * finite(right)
                so_far[...] = np.where(gap > 1000 * (so_far + 2 * unit), np.inf, so_far)
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


def disturber(rng: Any, units: float, overflows: bool = False) -> Any:
    """What an operation gives, rounded otherwise: a little larger or smaller, a zero or NaN of another sign."""

    def disturb(node: Any, arguments: Sequence[Array], array: Array) -> Array:
        function = getattr(getattr(node.op, "scalar", None), "name", getattr(node.op, "kind", ""))
        if function in _DISCRETE and any(a.dtype.kind in "fc" for a in arguments):
            return np.asarray(array ^ (nearly_equal(*arguments) & (rng.random(array.shape) < 0.5)))
        if array.dtype.kind not in "fc" or node.op.view_map:
            return array
        limits = np.finfo(array.dtype)
        array = signs_changed(rng, array)
        if function in EXACT:
            return np.asarray(array, array.dtype)
        noise = 1 + units * float(limits.eps) * rng.uniform(-1, 1, array.shape)
        below = units * float(limits.smallest_subnormal) * np.rint(rng.uniform(-1, 1, array.shape))
        small = (array != 0) & (np.abs(array) < float(limits.tiny))
        with np.errstate(all="ignore"):
            other = array * noise
            if overflows and isinstance(node.op, Elemwise):
                lost = ~np.isfinite(array) & np.all(np.broadcast_arrays(
                    *(np.isfinite(a) | (np.isinf(a) & np.isnan(array)) for a in arguments)), axis=0)
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
