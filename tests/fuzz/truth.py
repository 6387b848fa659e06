"""What a program would give without rounding, and where a rewritten program may differ from NumPy because of it.

A law may make a program more exact (`MORE_EXACT`): NumPy loses digits, overflows, or underflows to zero on the way, and
the other form does not. What then differs is judged by the program as it was written, before any rewriting, computed
from the same leaves in extended precision (`extended`):

- a float is right when it is nearer to that value than NumPy's is;
- what is discrete (comparisons, argmax, indices, whole numbers, truth values) is right when it equals that value;
- and so is the length of what depends on values (nonzero, unique, masks).

For ``nonzero(sqrt(x**2))`` with x = 1.4e-45 in single precision, NumPy's x**2 is 0 and nothing is found; computed in
extended precision x is found, as it is when the program is rewritten to ``nonzero(|x|)``.

Where the extended precision overflows as well (exp(216414)) and the result hangs on what stands there, nothing is said.
Nothing else is excused: a wrong law gives what the extended precision does not (`tests.fuzz.test_judge` plants some).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.fuzz.recipes import Recipe, Step
from tests.fuzz.tolerance import eps_of, finite, wide

Array = np.ndarray[Any, Any]

#: The documented laws after which a result may differ from NumPy's by being nearer to the truth.
MORE_EXACT = {
    "log1p", "log1p_of_negative", "expm1", "negative_expm1", "softplus", "quotient_by_one_plus_exp",
    "one_minus_sigmoid", "log_sigmoid", "log1p_of_negative_sigmoid", "log_of_softmax", "log_of_sum_of_exp", "factors",
    "distribute_to_cancel", "log_of_exp", "gradient_of_log_of_softmax", "root_of_square",
}

_WIDE = {"f": np.dtype(np.longdouble), "c": np.dtype(np.clongdouble)}
_DOUBLE = {np.dtype(np.longdouble): np.dtype(np.float64), np.dtype(np.clongdouble): np.dtype(np.complex128)}


class Truth:
    """Every node of a recipe computed from its leaves in extended precision.

    Attributes
    ----------
    arrays : list
        None where that was not possible.
    refused : bool
        Whether an operation refused its operands: a place or a length that is computed is out of range then.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.arrays: list[Any] = []
        self.refused = False
        for node in recipe.nodes:
            self.arrays.append(self._step(node) if isinstance(node, Step) else widened(node.array))

    def overflows(self, places: Sequence[int]) -> bool:
        """Whether some nodes are not finite in extended precision either."""
        arrays = [self.arrays[p] for p in places]
        return any(a is not None and a.dtype.kind in "fc" and not np.all(np.isfinite(a)) for a in arrays)

    def _step(self, step: Step) -> Any:
        if any(self.arrays[p] is None for p in step.places):
            return None
        arguments = [self.arrays[o] if isinstance(o, int) else o.value for o in step.operands]
        options = dict(step.options)
        if "dtype" in options:
            options["dtype"] = _WIDE.get(np.dtype(options["dtype"]).kind, options["dtype"])
        try:
            with np.errstate(all="ignore"):
                try:
                    return widened(step.operation.numeric(*arguments, **options))
                except TypeError:  # it knows no such numbers
                    return widened(step.operation.numeric(*map(_narrowed, arguments), **options))
        except (IndexError, ValueError):
            self.refused = True
        except Exception:
            return None  # nothing is known of this node, nor of those that take it
        return None


def widened(array: Any) -> Array:
    """Floats in extended precision; all else as it is."""
    array = np.asarray(array)
    return array.astype(_WIDE.get(array.dtype.kind, array.dtype))


def _narrowed(argument: Any) -> Any:
    kind = _DOUBLE.get(getattr(argument, "dtype", None))  # type: ignore[arg-type]
    return argument if kind is None else argument.astype(kind)


def excused(got: Array, right: Array, truth: Any, fired: set[str], bad: Array, tally: Counter[str]) -> Array:
    """Where a rewritten result of the same shape may differ from NumPy's: see the rules of `symgraph.rewrites.algebra`.

    What is not finite may be so in another way, or become finite where the formula only overflows; and after a law
    that is known for it, what is finite may be nearer to the truth, and what is discrete equal to it.
    """
    known = truth is not None and truth.shape == right.shape
    exact = bool(fired & MORE_EXACT)
    if not fired or right.dtype.kind not in "fc":
        as_it_is = np.asarray(got == truth) if known and exact else np.zeros(right.shape, bool)
        tally["discrete elements equal to the truth, unlike NumPy's"] += int(np.sum(bad & as_it_is))
        return as_it_is
    mine, theirs = np.isfinite(got), np.isfinite(right)
    otherwise = ~mine & ~theirs
    tally["elements not finite in another way"] += int(np.sum(bad & otherwise))
    if not known:
        return otherwise
    near = nearer(got, right, truth) & (np.full(right.shape, exact) | ~theirs)
    tally["elements nearer to the truth than NumPy's"] += int(np.sum(bad & near & ~otherwise))
    beyond = mine & ~theirs & ~np.isfinite(truth) & exact
    tally["elements finite where the formula overflows in extended precision too"] += int(np.sum(bad & beyond))
    return np.asarray(otherwise | near | beyond)


def excused_shape(got: Array, truth: Any, fired: set[str], tally: Counter[str]) -> bool:
    """Whether a result of another shape than NumPy's is what the extended precision gives, after a law known for it."""
    if not fired & MORE_EXACT or truth is None or got.shape != truth.shape:
        return False
    if got.dtype.kind in "fc":
        with np.errstate(all="ignore"):
            close = wide(got - truth) <= 64 * eps_of(got.dtype) * finite(truth) + float(np.finfo(got.dtype).tiny)
        agrees = bool(np.all((got == truth) | close | ~np.isfinite(got) & ~np.isfinite(truth)))
    else:
        agrees = bool(np.all(got == truth))
    tally["shapes judged by extended precision"] += agrees
    return agrees


def nearer(got: Array, right: Array, truth: Array) -> Array:
    """Where a value is at least as near to the truth as another is, or within a few units in the last place of it."""
    with np.errstate(all="ignore"):
        near = 16 * eps_of(got.dtype) * finite(truth) + float(np.finfo(got.dtype).tiny)
        mine, theirs = wide(got - truth), wide(right - truth)
        overflows = np.isinf(got) & (wide(truth) >= float(np.finfo(got.dtype).max)) & (np.sign(got) == np.sign(truth))
        return np.asarray((got == truth) | overflows | (mine <= near) | (mine <= theirs)
                          | (np.isfinite(mine) & ~np.isfinite(theirs)) & (mine <= 1e-3 * wide(truth)))
