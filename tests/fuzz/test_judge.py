"""Does the fuzzer see what is wrong? Wrong laws, kernels and plans are planted, and each has to be reported.

And what is right, but rounded otherwise than NumPy rounds, must not be.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import symgraph.tensor as T
from backends.numpy import elements, threads
from backends.numpy.lowering import LOWERINGS
from symgraph import scalar
from symgraph.graph.rewrite import Rule
from symgraph.plan.storage import _Planner
from symgraph.rewrites import pipeline
from symgraph.rewrites.algebra import is_wide
from symgraph.rewrites.patterns import Hole, is_real
from symgraph.tensor.elemwise import Elemwise, elemwise
from symgraph.tensor.reduce import ArgReduce, Reduce
from tests.fuzz import elementwise, reductions
from tests.fuzz.__main__ import seeded
from tests.fuzz.compare import check
from tests.fuzz.recipes import Leaf, Mismatch, Operation, Recipe, Step, Weak, grow
from tests.fuzz.small_tiles import small_tiles
from tests.fuzz.table import OPERATIONS

TABLE = {o.name: o for o in OPERATIONS}
Plant = Callable[[pytest.MonkeyPatch], None]


def recipe(leaves: list[Any], *steps: Any) -> Recipe:
    """A recipe of arrays and of (name, *operands) or (name, *operands, options)."""
    nodes: list[Any] = [Leaf(np.asarray(a), (None,) * np.ndim(a)) for a in leaves]
    for name, *operands in steps:
        options = operands.pop() if isinstance(operands[-1], dict) else {}
        nodes.append(Step(TABLE[name], tuple(operands), options))
    return Recipe(tuple(nodes))


@pytest.fixture(autouse=True)
def selected_again() -> Iterator[None]:
    """The rules of a mode are gathered once, and are others here."""
    pipeline._selected.cache_clear()
    yield
    pipeline._selected.cache_clear()


# ---- what is right ----------------------------------------------------------------------------------------------

TINY = np.array([1.4e-45, 3.0], "float32")  # the square of the first is 0

RIGHT = {
    "nonzero": recipe([TINY], ("sqrt(x**2)", 0), ("nonzero", 1)),
    "flatnonzero": recipe([TINY], ("sqrt(x**2)", 0), ("flatnonzero", 1)),
    "unique": recipe([np.append(TINY, np.float32(0))], ("sqrt(x**2)", 0), ("unique", 1)),
    "comparison": recipe([TINY, np.zeros(2, "float32")], ("sqrt(x**2)", 0), ("gt", 2, 1)),
    "argmin": recipe([np.array([1e-30, 0], "float32")], ("sqrt(x**2)", 0),
                     ("argmin", 1, {"axis": None, "keepdims": False})),
    "argmax": recipe([np.array([0, 1e-30], "float32")], ("sqrt(x**2)", 0),
                     ("argmax", 1, {"axis": None, "keepdims": False})),
    "ceil": recipe([TINY], ("sqrt(x**2)", 0), ("ceil", 1)),
    "cast": recipe([TINY], ("sqrt(x**2)", 0), ("ceil", 1), ("cast", 2, {"dtype": "int8"})),
    "masked": recipe([TINY, np.zeros(2, "float32")], ("sqrt(x**2)", 0), ("gt", 2, 1), ("nonzero", 3), ("size", 4)),
    "count": recipe([TINY], ("sqrt(x**2)", 0), ("count_nonzero", 1)),
    "overflow": recipe([np.array([1e30, 2], "float32")], ("sqrt(x**2)", 0), ("isinf", 1), ("nonzero", 2)),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_depends_on_values_is_judged_by_extended_precision(name: str) -> None:
    """NumPy's square underflows, or overflows; the root of the exact one does not."""
    tally: Counter[str] = Counter()
    check(RIGHT[name], tally)
    judged = tally["results judged by extended precision"] + tally["shapes judged by extended precision"]
    assert judged > 0


def test_a_zero_may_change_its_sign() -> None:
    """Also that of a part of a complex number, which chooses the side of a branch cut: 0 - x is -x."""
    check(recipe([np.array([-2 + 0j, 1 - 0j])], ("0 - x", 0), ("arctanh", 1)))


def test_what_differs_from_a_pole_by_rounding_is_not_judged() -> None:
    """x * (1 / x) is 1 but for rounding, which x / x is exactly; its logarithm is then 0."""
    x = np.array([-2 + 0.5j, -0.25 + 1.5j, 3 - 1j], "complex64")
    tally: Counter[str] = Counter()
    check(recipe([x], ("x * (1 / y)", 0, 0), ("log", 1), ("reciprocal", 2)), tally)
    assert tally["elements too sensitive to judge"] > 0


def test_what_hangs_on_an_overflow_is_not_judged() -> None:
    """The logarithm of 1 + exp(x) overflows in extended precision too, and what is chosen by it is another then."""
    x = np.array([216414.4, 1.0])
    tally: Counter[str] = Counter()
    check(recipe([x], ("log1p of exp", 0), ("trigamma", 1), ("minimum", 2, 0), ("switch", 3, 1, 2)), tally)
    assert tally["elements that hang on what an overflow gives"] > 0


def test_a_shape_may_hang_on_an_overflow() -> None:
    """log(1 + exp(x)) - x is 0 where x is so large, or infinite where the exponential is."""
    tally: Counter[str] = Counter()
    check(recipe([np.array([9e18, 1.0])], ("log1p of exp", 0), ("sub", 1, 0), ("flatnonzero", 2)), tally)
    assert tally["shapes that hang on what an overflow gives"] > 0


# ---- laws that are wrong ----------------------------------------------------------------------------------------

x, y = Hole("x", where=is_real), Hole("y", where=is_real)
wide, n = Hole("x", where=is_wide), Hole("n", where=lambda v: v.type.numpy_dtype.kind in "iu")
(sqrt, sqr, exp, log, neg, gt, add, sub, mul, true_div, maximum, neq, round_, floor) = (elemwise(f) for f in (
    scalar.sqrt, scalar.sqr, scalar.exp, scalar.log, scalar.neg, scalar.gt, scalar.add, scalar.sub, scalar.mul,
    scalar.true_div, scalar.maximum, scalar.neq, scalar.round_half_to_even, scalar.floor))


def law(name: str, before: Any, after: Any) -> Plant:
    """A rule in front of all others; one of the same name goes."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        for group in ("canonicalize", "stabilize"):
            kept = tuple(rule for rule in pipeline.GROUPS[group] if rule.name != name)
            monkeypatch.setitem(pipeline.GROUPS, group, kept)
        rules = (Rule(name, before, after), *pipeline.GROUPS["canonicalize"])
        monkeypatch.setitem(pipeline.GROUPS, "canonicalize", rules)

    return plant


MIXED = np.array([-2.5, -0.5, 0.0, 0.5, 3.0])
LOST = np.array([1.0, np.inf, 2.0])

#: A law under a name that extended precision may excuse, or under its own; and a program to which it applies.
WRONG_LAWS: dict[str, tuple[Plant, Recipe]] = {
    "a root without its sign": (
        law("root_of_square", sqrt(sqr(wide)), wide), recipe([MIXED], ("sqrt(x**2)", 0), ("exp", 1))),
    "a root without its sign, and a shape": (
        law("root_of_square", sqrt(sqr(wide)), maximum(wide, 0)), recipe([MIXED], ("sqrt(x**2)", 0), ("nonzero", 1))),
    "a root without its sign, and a comparison": (
        law("root_of_square", sqrt(sqr(wide)), wide), recipe([MIXED, MIXED * 0], ("sqrt(x**2)", 0), ("gt", 2, 1))),
    "a root a little too large, and a rounding": (
        law("root_of_square", sqrt(sqr(wide)), abs(wide) * 1.001),
        recipe([MIXED - 0.0005], ("sqrt(x**2)", 0), ("ceil", 1))),
    "a root made an integer, and a mask": (
        law("root_of_square", sqrt(sqr(wide)), floor(abs(wide))),
        recipe([MIXED], ("sqrt(x**2)", 0), ("flatnonzero", 1))),
    "two terms of a logarithm": (
        law("log1p", log(1 + wide), wide - sqr(wide) / 2),
        recipe([np.array([1e-3, 1e-4])], ("+", Weak(1), 0), ("log", 1))),
    "an exponential as a polynomial": (
        law("expm1", exp(wide) - 1, wide + sqr(wide) / 2), recipe([np.array([1e-3, 1e-4])], ("exp minus 1", 0))),
    "the logarithm of an exponential cut off": (
        law("log_of_exp", log(exp(wide)), maximum(wide, 0)), recipe([MIXED], ("exp", 0), ("log", 1))),
    "a comparison with its equal": (
        law("wrong", gt(x, y), elemwise(scalar.ge)(x, y)), recipe([MIXED, MIXED], ("gt", 0, 1), ("nonzero", 2))),
    "a difference the wrong way round": (
        law("negate_difference", neg(x - y), x - y), recipe([MIXED, MIXED[::-1]], ("sub", 0, 1), ("neg", 2))),
    "an infinity less itself": (
        law("wrong", x - x, lambda x: T.zeros_like(x)), recipe([LOST], ("x - x", 0), ("isnan", 1))),
    "a not-a-number is itself": (law("wrong", neq(x, x), x > np.inf), recipe([LOST * np.nan], ("neq", 0, 0))),
    "integers that overflow on the way": (
        law("wrong", (n * Hole("m")) // Hole("m"), n),
        recipe([np.array([100, 3], "int8"), np.array([2, 2], "int8")], ("mul", 0, 1), ("//", 2, 1))),
    "half rounded up": (law("wrong", round_(x), floor(x + 0.5)), recipe([MIXED], ("round_half_to_even", 0))),
    "an exponential that cancels": (
        law("wrong", exp(x), elemwise(scalar.expm1)(x) + 1), recipe([MIXED * 9], ("exp", 0))),
    "a sum that is not one": (law("wrong", x + y, maximum(x, y)), recipe([MIXED, MIXED * 0 + 1e-9], ("add", 0, 1))),
}


@pytest.mark.parametrize("name", WRONG_LAWS)
def test_a_wrong_law_is_reported(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, program = WRONG_LAWS[name]
    check(program)
    pipeline._selected.cache_clear()
    plant(monkeypatch)
    with pytest.raises(Mismatch, match="FAST_RUN"):
        check(program)


# ---- kernels that are wrong, in random graphs -------------------------------------------------------------------


def kernel(op: type[Any], wrong: Callable[[Any, str], str | None]) -> Plant:
    """A row of the table of NumPy whose text is another where `wrong` gives one."""
    right = LOWERINGS[op]

    def lowered(r: Any, node: Any, args: list[str], target: str, out: str | None) -> str | None:
        text = right(r, node, args, target, out)
        other = wrong(node, text) if text is not None else None
        return text if other is None else other

    return lambda monkeypatch: monkeypatch.setitem(LOWERINGS, op, lowered)


def _of(name: str, text: str) -> Callable[[Any, str], str | None]:
    def wrong(node: Any, right: str) -> str | None:
        function = getattr(getattr(node.op, "scalar", None), "name", getattr(node.op, "kind", ""))
        floats = node.outputs[0].type.numpy_dtype.kind == "f"
        return text.format(right) if function == name and floats and "out=" not in right else None

    return wrong


def _least(node: Any, right: str) -> str | None:
    return right.replace("argmax(", "argmin(") if "argmax(" in right else None


WRONG_KERNELS: dict[str, tuple[Plant, Sequence[Operation]]] = {
    "argmax": (kernel(ArgReduce, _least), reductions.REDUCTIONS),
    "sum": (kernel(Reduce, _of("sum", "({}) * (1 + 1e-5)")), OPERATIONS),
    "exp": (kernel(Elemwise, _of("exp", "({}) * (1 + 1e-6)")), OPERATIONS),
    "a sign": (kernel(Elemwise, _of("sub", "-({})")), OPERATIONS),
    "select": (lambda m: m.setattr(elements, "select", lambda c, a, b, out=None: np.where(c, b, a)),
               elementwise.OPERATIONS),
}


@pytest.mark.parametrize("name", WRONG_KERNELS)
def test_a_wrong_kernel_is_reported(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In both modes, or where it is used: a random graph is enough to see it."""
    plant, operations = WRONG_KERNELS[name]
    plant(monkeypatch)
    assert first_mismatch(60, operations) is not None


def first_mismatch(graphs: int, operations: Sequence[Operation]) -> int | None:
    """The first of some seeds whose graph is reported. NumPy warns of overflow on its own account."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(graphs):
            try:
                check(grow(seeded(seed), operations))
            except Mismatch:
                return seed
    return None


def test_memory_that_is_still_needed_is_not_written_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is planned as dead too soon gives wrong numbers, which are reported."""
    right = _Planner._make_blocks

    def too_soon(self: Any) -> None:
        right(self)
        for block in self.blocks.values():
            if block.dies < len(self.steps):
                block.dies -= 1

    monkeypatch.setattr(_Planner, "_make_blocks", too_soon)
    monkeypatch.setattr("symgraph.plan.plan.Plan.check", lambda self: None)
    assert first_mismatch(60, OPERATIONS) is not None


def test_a_row_that_a_loop_over_tiles_leaves_out_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    right = threads.run

    def without_last_row(kernel: Any, rows: int, chunks: int, step: int, values: Sequence[Any]) -> None:
        right(kernel, max(rows - 1, 1), min(chunks, max(rows - 1, 1)), step, values)

    monkeypatch.setattr(threads, "run", without_last_row)
    with small_tiles():
        assert first_mismatch(60, OPERATIONS) is not None
