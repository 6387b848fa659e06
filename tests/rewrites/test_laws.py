"""Every law that is a pair of expressions: in all dtypes, both sides have one type and value, or it does not fire."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import symgraph as sg
from symgraph.graph import FunctionGraph
from symgraph.graph.rewrite import FunctionRule, Pattern, Rule, RuleSet, Wild
from symgraph.rewrites.pipeline import GROUPS
from symgraph.tensor import TensorType
from symgraph.tensor.basic import as_tensor_variable
from tests.rewrites.reference import assert_agrees, by_perform, tolerances

RULES = {rule.name: rule for rules in GROUPS.values() for rule in rules}
LAWS = [rule for rule in RULES.values() if isinstance(rule, Rule) and not isinstance(rule, FunctionRule)]
DTYPES = ("bool", "int8", "uint8", "int32", "uint64", "int64", "float16", "float32", "float64", "complex64",
          "complex128")
MIXED = [(a, b) for a in ("bool", "uint8", "int64", "float32", "float64")
         for b in ("int8", "uint8", "int64", "float32", "float64") if a != b]
SHAPES: list[tuple[Any, Any, tuple[int, ...]]] = [  # of two holes, and the lengths that are not known
    ((None,), (1,), (5,)), ((1,), (None,), (5,)), ((), (None,), (5,)), ((None,), (), (5,)),
    ((None, None), (None,), (5, 5)), ((None, 1), (1, 3), (5, 3)),
]


def holes(pattern: Any) -> dict[str, Wild]:
    if isinstance(pattern, Wild):
        return {pattern.name: pattern}
    found: dict[str, Wild] = {}
    for arg in pattern.args if isinstance(pattern, Pattern) else ():
        found.update(holes(arg))
    return found


def instance(pattern: Any, bound: dict[str, Any], stretch: Any = None) -> Any:
    """A pattern with variables in its holes. Its numbers may be made arrays by `stretch`."""
    if isinstance(pattern, Wild):
        return bound[pattern.name]
    if not isinstance(pattern, Pattern):
        return pattern
    args = [instance(arg, bound, stretch) for arg in pattern.args]
    if stretch is not None:
        dtype = next(a.type.dtype for a in args if hasattr(a, "type"))
        args = [a if hasattr(a, "type") else as_tensor_variable(stretch(np.asarray(a, dtype))) for a in args]
    return pattern.op(*args)


def draws(dtype: str, shape: tuple[int, ...], seed: int) -> np.ndarray[Any, Any]:
    """Random numbers, among them what is special to the dtype: ends of integers; zeros, small and negative floats."""
    rng, kind = np.random.default_rng(seed), np.dtype(dtype)
    if kind.kind == "b":
        return rng.random(shape) < 0.5
    special: list[Any] = [0.0, -0.0, 1.0, -1.0, 1e-3, -1e-3]
    if kind.kind in "iu":
        special = [np.iinfo(kind).min, np.iinfo(kind).max, 0, 1]
    if kind.kind in "iu":
        array = rng.integers(0 if kind.kind == "u" else -6, 7, shape).astype(kind)
    else:
        array = (rng.normal(size=shape) * (2 + 1j if kind.kind == "c" else 2)).astype(kind)
    flat = array.reshape(-1)
    for i, number in enumerate(special[: flat.size]):
        flat[i] = number
    return array


def applied(rule: Rule, inputs: list[Any], expression: Any) -> tuple[Any, Any, list[Any]]:
    """The interned expression before and after a rule alone was applied to it, and what fired."""
    graph = FunctionGraph(inputs, [expression])
    before = graph.outputs[0]
    fired = RuleSet("alone", [rule]).apply(graph)
    return before, graph.outputs[0], fired


def left_side(rule: Rule, dtypes: tuple[str, ...], shapes: tuple[Any, ...],
              stretch: Any = None) -> tuple[list[Any], Any] | None:
    """Variables for the holes and the left side on them; None where that is not defined."""
    names = sorted(holes(rule.left))
    bound = {name: TensorType(dtype, shape)(name) for name, dtype, shape in zip(names, dtypes, shapes, strict=False)}
    if any(hole.where is not None and not hole.where(bound[name]) for name, hole in holes(rule.left).items()):
        return None
    try:
        return list(bound.values()), instance(rule.left, bound, stretch)
    except (TypeError, OverflowError):
        return None


def assert_holds(rule: Rule, inputs: list[Any], expression: Any, lengths: tuple[int, ...], what: str) -> int:
    """Where the rule fires, type and value stay. Returns how often it fired."""
    before, after, fired = applied(rule, inputs, expression)
    if not fired:
        assert before is after
        return 0
    assert {f.rule for f in fired} == {rule.name}
    assert (after.type.dtype, after.type.broadcastable) == (before.type.dtype, before.type.broadcastable), what
    shapes = [tuple(k if n is None else n for n, k in zip(v.type.shape, lengths, strict=False)) for v in inputs]
    values = [draws(v.type.dtype, shape, i) for i, (v, shape) in enumerate(zip(inputs, shapes, strict=True))]
    with np.errstate(all="ignore"):
        (wanted,), (got,) = (by_perform([v], dict(zip(inputs, values, strict=True))) for v in (before, after))
        (moved,) = tolerances(inputs, [before], values)
    assert_agrees(got, wanted, moved, f"{what}: {[v.tolist() for v in values]}")
    return len(fired)


def of_one_kind(rule: Rule, dtype: str) -> tuple[str, ...]:
    """A dtype for each hole: the same for all, but for conditions, which are called c."""
    return tuple("bool" if name == "c" else dtype for name in sorted(holes(rule.left)))


def combinations(rule: Rule) -> Iterator[tuple[str, ...]]:
    """One dtype for all holes, and for two holes some mixes."""
    count = len(holes(rule.left))
    yield from (of_one_kind(rule, dtype) for dtype in DTYPES)
    if count == 2:
        yield from MIXED


@pytest.mark.parametrize("rule", LAWS, ids=lambda rule: rule.name)
def test_both_sides_are_equal(rule: Rule) -> None:
    """In every dtype the left side is defined for. It fires on its own left side, of floats where that is defined."""
    fired = {}
    for dtypes in combinations(rule):
        side = left_side(rule, dtypes, ((None,),) * len(dtypes))
        if side is not None:
            fired[dtypes] = assert_holds(rule, *side, (24,), f"{rule} on {', '.join(dtypes)}")
    one = {dtypes[-1]: count for dtypes, count in fired.items() if len(set(dtypes[-2:])) == 1}
    assert one.get("float64", one.get("int64", one.get("bool"))) == 1, one


@pytest.mark.parametrize("rule", LAWS, ids=lambda rule: rule.name)
def test_broadcasts_are_kept(rule: Rule) -> None:
    """Holes of different shapes, and numbers written as arrays: the result keeps its shape, or the rule declines."""
    count = len(holes(rule.left))
    if count == 2:
        for a, b, lengths in SHAPES:
            side = left_side(rule, ("float64", "float64"), (a, b))
            if side is not None:
                assert_holds(rule, *side, lengths, f"{rule} on shapes {a} and {b}")
    for shape in ((1,), (1, 1), (4,), (2, 4)):
        side = left_side(rule, of_one_kind(rule, "float64"), ((4,),) * count, lambda n, shape=shape: np.full(shape, n))
        if side is not None:
            assert_holds(rule, *side, (4,), f"{rule} with numbers of shape {shape}")


#: Laws that are about making finite what was not, and those applied only on demand.
NOT_ABOUT_NAN = {rule.name for group in ("stabilize", "unsafe") for rule in GROUPS[group]}


@pytest.mark.parametrize("rule", [r for r in LAWS if r.name not in NOT_ABOUT_NAN], ids=lambda rule: rule.name)
def test_what_is_not_finite_stays_so(rule: Rule) -> None:
    """NaN and infinity in, NaN or infinity out, where that was so; and finite numbers stay finite."""
    special = [np.nan, np.inf, -np.inf, 0.0, 1.0, -2.0, 3.5]
    for dtype in ("float32", "float64"):
        side = left_side(rule, of_one_kind(rule, dtype), ((None,),) * 4)
        if side is None:
            continue
        inputs, expression = side
        before, after, fired = applied(rule, inputs, expression)
        grid = np.meshgrid(*[special] * len(inputs))
        values = {v: np.nan_to_num(g.ravel()).astype(v.type.dtype) if v.type.dtype == "bool" else
                  g.ravel().astype(v.type.dtype) for v, g in zip(inputs, grid, strict=True)}
        with np.errstate(all="ignore"):
            (wanted,), (got,) = by_perform([before], values), by_perform([after], values)
        assert fired
        np.testing.assert_array_equal(np.isfinite(got), np.isfinite(wanted))


@pytest.mark.parametrize("rule", LAWS, ids=lambda rule: rule.name)
def test_a_length_that_must_agree_is_not_forgotten(rule: Rule) -> None:
    """x + zeros(3) checks that x has three elements; without the zeros nothing would."""
    side = left_side(rule, of_one_kind(rule, "float64"), ((None,),) * 4, lambda n: np.full(3, n))
    if side is None:
        return
    inputs, expression = side
    if expression.type.shape == (None,):
        return
    f = sg.function(inputs, expression, mode=only(rule.name), on_unused_input="ignore")
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=r"length|shape"):
        f(*[np.ones(5) for _ in inputs])


def only(*names: str) -> Any:
    """The mode in which no other rules are tried."""
    return sg.compile.FAST_RUN.excluding(*(RULES.keys() - set(names))).including(*names)


def usual_side(rule: Rule) -> Any:
    """The left side on the first of these dtypes for which it is defined."""
    return next(side for dtype in ("float64", "int64", "bool")
                if (side := left_side(rule, of_one_kind(rule, dtype), ((None,),) * 4)) is not None)


@pytest.mark.parametrize("rule", LAWS, ids=lambda rule: rule.name)
def test_a_function_tells_that_it_fired(rule: Rule) -> None:
    """`f.fired` names the rule and the line; left out by name, it does not fire."""
    side = usual_side(rule)
    f = sg.function(*side, mode=only(rule.name))
    assert [fired.rule for fired in f.fired] == [rule.name]
    assert rule.name in str(f.fired[0])
    assert "test_laws.py" in str(f.fired[0].origin)
    without = sg.function(*side, mode=sg.compile.FAST_RUN.excluding(rule.name))
    assert rule.name not in {fired.rule for fired in without.fired}


@pytest.mark.parametrize("rule", LAWS, ids=lambda rule: rule.name)
def test_a_law_repeats_itself_to_be_read(rule: Rule) -> None:
    assert repr(rule).startswith(f"{rule.name}: ")
    assert " -> " in repr(rule)


def test_no_warning_is_given_while_rules_are_tried() -> None:
    x = TensorType("float64", (None,))("x")
    sides = [instance(rule.left, dict.fromkeys(holes(rule.left), x)) for rule in LAWS
             if "c" not in holes(rule.left) and left_side(rule, ("float64",) * 4, ((None,),) * 4) is not None]
    assert len(sides) > 20
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sg.function([x], sides)
