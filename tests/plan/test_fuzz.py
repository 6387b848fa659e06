"""Random programs full of views and writing in place: the compiled function gives what each operation gives alone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import symgraph as sg
from symgraph.graph.rewrite import brief
from tests.rewrites.programs import MOVES, Program, Value
from tests.rewrites.reference import assert_agrees, by_perform, tolerances

Choose = Callable[[int], int]

#: Moves that make views, write on parts, or are able to take over the memory of what they read.
NAMES = {"shuffle", "transpose", "reshape", "part", "write", "unary", "binary", "with_number", "join", "stack",
         "reduction", "product", "choice", "cast", "filling"}
CHOSEN = [act for name, act in MOVES if name in NAMES]
VIEWS = [act for name, act in MOVES if name in ("shuffle", "transpose", "reshape", "part", "write")]
LAYOUTS: list[Callable[[Any], Any]] = [
    np.array, lambda a: np.array(a, order="F"), lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    lambda a: np.array(a[::-1])[::-1],
]
RELAXED = settings(
    deadline=None, derandomize=True, database=None, print_blob=False, phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def program_of_views(choose: Choose) -> Program:
    """Few lengths and one or two dtypes, so that results fit each other's memory."""
    p = Program(choose)
    n = 2 + choose(2)
    dtypes = ("float64",) if choose(3) else ("float64", "float32", "int64")
    for _ in range(1 + choose(3)):
        shape = (n,) * (1 + choose(3))
        static = tuple(n if choose(4) == 0 else None for _ in shape)
        p.add_input(p.one_of(dtypes), shape, static, [(choose(17) - 8) / 4 for _ in range(5)])
    for _ in range(2 + choose(30)):
        p.move(CHOSEN if choose(2) else VIEWS)
    return p


def check(choose: Choose, threads: int = 0) -> None:
    program = program_of_views(choose)
    try:
        compare(program, choose, threads)
    except Exception as error:
        error.add_note(program.describe())
        raise


def outputs_of(program: Program, choose: Choose) -> list[Value]:
    """Any values, also inputs, views and one twice."""
    return [program.one_of(program.pool) for _ in range(1 + choose(4))] + program.pool[-1:]


@dataclass
class Kept:
    """A shared variable that takes the value of a result, or sums it up from call to call."""

    target: Any
    value: Value
    sums: bool

    @property
    def expression(self) -> Any:
        return self.target + self.value.symbol if self.sums else self.value.symbol

    def after(self, calls: int) -> Any:
        total = np.zeros_like(self.value.array)
        for _ in range(calls if self.sums else 0):
            total = total + self.value.array
        return total if self.sums else self.value.array


def updates_of(program: Program, choose: Choose) -> list[Kept]:
    chosen = [program.one_of(program.pool) for _ in range(choose(3))]
    targets = [sg.shared(np.zeros_like(v.array), shape=v.static) for v in chosen]
    return [Kept(target, v, v.kind == "f" and choose(2) == 1) for target, v in zip(targets, chosen, strict=True)]


def compare(program: Program, choose: Choose, threads: int) -> None:
    """The compiled function against its own rewritten graph, computed operation by operation with nothing reused."""
    results, updates = outputs_of(program, choose), updates_of(program, choose)
    mutable = [choose(3) == 0 for _ in program.inputs]
    layouts = [choose(2 * len(LAYOUTS)) % len(LAYOUTS) for _ in program.inputs]
    f = sg.function(
        [sg.In(v.symbol, mutable=mine) for v, mine in zip(program.inputs, mutable, strict=True)],
        [v.symbol for v in results], updates=[(kept.target, kept.expression) for kept in updates],
        mode=program.one_of(("FAST_RUN", "None")), on_unused_input="ignore",
    )
    given = {v.symbol: v.array for v in program.inputs} | {k.target: k.target.get_value() for k in updates}
    wanted = by_perform(f.fgraph.outputs, given)[:len(results)]
    lends = choose(2) == 1  # values of shared variables are held by others, or by nobody
    borrowed: list[tuple[Any, Any]] = []

    def call(_: int) -> Any:
        arguments = [LAYOUTS[layout](v.array) for v, layout in zip(program.inputs, layouts, strict=True)]
        with np.errstate(all="ignore"):
            found = f(*arguments)
        for value, argument, may_change in zip(program.inputs, arguments, mutable, strict=True):
            if not may_change:
                np.testing.assert_array_equal(argument, value.array)
        if lends:
            borrowed.extend((a, a.copy()) for kept in updates for a in [kept.target.get_value(borrow=True)])
        return found

    calls = list(map(call, range(3)))  # the second call uses the scratch of the first, the third what updates left
    if threads:
        with ThreadPoolExecutor(threads) as pool:
            calls += pool.map(call, range(8 * threads))
    for array, copy in borrowed:
        np.testing.assert_array_equal(array, copy)
    for found in calls:
        for k, (got, right) in enumerate(zip(found, wanted, strict=True)):
            assert_agrees(got, right, np.zeros(right.shape), f"output {k}, {brief(f.fgraph.outputs[k], 4)}")
    held = [kept.target.get_value(borrow=True) for kept in updates]
    for got, kept in zip(held, updates, strict=True):
        (moved,) = tolerances(list(given), [kept.value.symbol], list(given.values()))
        right = kept.after(len(calls))
        assert_agrees(got, right, moved * len(calls), f"a shared value after {len(calls)} calls")
    assert_apart([*(a for found in calls for a in found), *held])


def assert_apart(arrays: list[Any]) -> None:
    """No two results share memory: each is its holder's to write on."""
    spans = sorted(np.lib.array_utils.byte_bounds(a) for a in arrays if a.size)
    for (_, end), (start, _) in pairwise(spans):
        assert end <= start, "two results share memory"


def choices(numbers: bytes) -> Choose:
    """What a program is built from, as numbers given beforehand: zeros when they are used up."""
    supply = iter(numbers)
    return lambda n: next(supply, 0) % n


@settings(RELAXED, max_examples=300)
@given(st.binary(min_size=40, max_size=800))
def test_memory_of_random_programs(numbers: bytes) -> None:
    check(choices(numbers))


@settings(RELAXED, max_examples=20)
@given(st.binary(min_size=40, max_size=800))
def test_memory_of_random_programs_in_threads(numbers: bytes) -> None:
    check(choices(numbers), threads=4)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("block", range(10))
def test_memory_of_many_random_programs(block: int) -> None:
    """3,000 programs from seeded random numbers, in blocks; one in ten in threads."""
    for seed in range(300 * block, 300 * (block + 1)):
        rng = np.random.default_rng(seed)
        try:
            check(lambda n, rng=rng: int(rng.integers(n)), threads=4 if seed % 10 == 0 else 0)  # type: ignore[misc]
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
