"""Three evaluations of a recipe must agree: NumPy's, the unrewritten program, and the program compiled in FAST_RUN.

Without rewriting, every step is compared with NumPy on the operands the program itself computed, within the tolerance
of its operation. Rewritten, the last results are compared with the unrewritten ones: equal bit for bit but for the
signs of zeros and NaNs, or else off by no more than a small multiple of what rounding alone does to them. That is
measured by `tests.fuzz.rounding.moved`: every operation disturbed by two units in the last place, and zeros and NaNs by
their sign. Where laws fired that make a program more exact, what still differs is judged by the unrewritten program in
extended precision (`tests.fuzz.truth`), shapes that depend on values included.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

import symgraph as sg
from tests.fuzz.minimise import ancestors
from tests.fuzz.recipes import Mismatch, Recipe, Step
from tests.fuzz.rounding import Moved, moved
from tests.fuzz.tolerance import eps_of, finite, wrong
from tests.fuzz.truth import MORE_EXACT, Truth, excused, excused_shape

Array = np.ndarray[Any, Any]


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
    tally["comparisons"] += len(recipe.steps)
    plain = check_unrewritten(recipe, symbols, wanted)
    last = sinks(recipe)
    several = sorted({*last, *recipe.steps[::3]})  # what is computed on the way is wanted as well
    for places in [last, several] if len(recipe.steps) % 3 == 0 and several != last else [last]:
        f = compiled(recipe, symbols, places, "FAST_RUN")
        compare_rewritten(recipe, symbols, places, f, plain, tally)


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


def compare_rewritten(recipe: Recipe, symbols: Sequence[Any], places: Sequence[int], f: Any, plain: dict[int, Array],
                      tally: Counter[str]) -> None:
    """The results of the rewritten program against the unrewritten one's."""
    fired = {r.rule for r in f.fired}
    try:
        found = run(f, recipe)
    except (IndexError, ValueError) as error:  # a length, or a place, that hangs on rounding
        if all(m.shape for m in moved(recipe, symbols, places)) or (fired & MORE_EXACT and Truth(recipe).refused):
            tally["programs refused, as rounding decides"] += 1
            return
        raise Mismatch(f"FAST_RUN raises {error!r}, fired {sorted(fired)}") from error
    different = []
    for i, got in zip(places, found, strict=True):
        right = plain[i]
        tally["comparisons"] += 1
        if got.dtype != right.dtype:
            raise Mismatch(f"FAST_RUN, n{i}: {got.dtype}{got.shape} for {right.dtype}{right.shape}")
        if got.shape != right.shape or np.any(wrong(got, right, 0.0)):
            different.append((i, got))
    if not different:
        return
    tally["rewritten graphs whose results differ in rounding"] += 1
    limits = moved(recipe, symbols, [i for i, _ in different])
    for (i, got), limit in zip(different, limits, strict=True):
        if got.shape != plain[i].shape:
            judge_shape(recipe, i, got, plain[i], limit, fired, tally)
        else:
            judge(recipe, symbols, i, got, plain[i], limit.by, fired, tally)


def judge_shape(recipe: Recipe, i: int, got: Array, right: Array, limit: Moved, fired: set[str],
                tally: Counter[str]) -> None:
    """A result whose shape hangs on values, and is another than without rewriting."""
    if limit.shape:
        tally["shapes too sensitive to judge"] += 1
        return
    exact = Truth(recipe)
    truth = exact.arrays[i]
    if excused_shape(got, truth, fired, tally):
        return
    if fired & MORE_EXACT and exact.overflows(ancestors(recipe, i)):  # what it ought to be is not known
        tally["shapes that hang on what an overflow gives"] += 1
        return
    raise Mismatch(f"FAST_RUN, n{i}: {got.dtype}{got.shape} for {right.dtype}{right.shape}, in extended precision "
                       f"{None if truth is None else truth.shape}, fired {sorted(fired)}")


def judge(recipe: Recipe, symbols: Sequence[Any], i: int, got: Array, right: Array, limit: Array, fired: set[str],
          tally: Counter[str]) -> None:
    """A result of the same shape, some of whose elements differ."""
    unit = eps_of(right.dtype) * finite(right) + (
        float(np.finfo(right.dtype).tiny) if right.dtype.kind in "fc" else 0)
    tally["elements too sensitive to judge"] += int(np.sum(np.isinf(limit) & wrong(got, right, 0.0)))
    bad = wrong(got, right, 8 * unit + 8 * limit)
    if not np.any(bad):
        return
    exact = Truth(recipe)
    truth = exact.arrays[i]
    tally["results judged by extended precision"] += 1
    bad &= ~excused(got, right, truth, fired, bad, tally)
    if fired and np.any(bad):
        least = limit
        limit = moved(recipe, symbols, [i], True, infinities=bool(fired & MORE_EXACT))[0].by
        still = wrong(got, right, 8 * limit)
        if fired & MORE_EXACT and exact.overflows(ancestors(recipe, i)):  # what it ought to be is not known at all
            still &= limit <= 1000 * (least + unit)
        tally["elements that hang on what an overflow gives"] += int(np.sum(bad & ~still))
        bad &= still
    if np.any(bad):
        known = None if truth is None else truth[bad] if truth.shape == bad.shape else truth.shape
        raise Mismatch(f"FAST_RUN, n{i}: {got[bad]}, unrewritten {right[bad]}, in extended precision {known}, "
                       f"moved by {limit[bad]}, fired {sorted(fired)}")
