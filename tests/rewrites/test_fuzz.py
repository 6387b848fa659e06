"""Random programs: every mode gives what NumPy gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import symgraph as sg
import symgraph.tensor as T
from tests.rewrites.programs import Program, Value, compiled, random_program
from tests.rewrites.reference import assert_agrees, by_perform, tolerances

MODES = ("FAST_RUN", "FAST_COMPILE", "None")
RELAXED = settings(
    deadline=None, derandomize=True, database=None, print_blob=False, phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def choices(numbers: bytes) -> Callable[[int], int]:
    """What a program is built from, as numbers given beforehand: zeros when they are used up."""
    supply = iter(numbers)
    return lambda n: next(supply, 0) % n


def compare(choose: Callable[[int], int]) -> None:
    """One random program and the gradients of its floats, in all modes, against NumPy and `perform`."""
    program = random_program(choose)
    try:
        compare_modes(program)
    except Exception as error:
        error.add_note(program.describe())
        raise


def compare_modes(program: Program) -> None:
    inputs, values = [v.symbol for v in program.inputs], [v.array for v in program.inputs]
    results = program.pool[len(inputs):][-8:]
    gradients = slopes(program, results)
    outputs = [*(v.symbol for v in results), *gradients]
    wanted = [*(v.array for v in results), *by_perform(gradients, dict(zip(inputs, values, strict=True)))]
    if not outputs:
        return
    moved = tolerances(inputs, outputs, values)
    for mode in MODES:
        f = compiled(program, outputs, mode)
        with np.errstate(all="ignore"):
            found = f(*values)
        for i, (got, right, by) in enumerate(zip(found, wanted, moved, strict=True)):
            what = "a gradient" if i >= len(results) else "a value"
            assert_agrees(got, right, by, f"{mode}, output {i}, {what}, fired {sorted({r.rule for r in f.fired})}")


def slopes(program: Program, results: Sequence[Value]) -> list[Any]:
    """The gradient of the sum of what was computed last, by every floating input."""
    wrt = [v.symbol for v in program.inputs if v.kind == "f"]
    floats = [v.symbol for v in results if v.kind == "f"][-2:]
    if not wrt or not floats:
        return []
    cost = sum(T.cast(T.sum(T.tanh(v)), "float64") for v in floats)
    return list(sg.grad(cost, wrt, disconnected_inputs="ignore"))


def outcome(f: Any, values: Sequence[Any]) -> Any:
    """The kinds of the results, or of the failure."""
    try:
        with np.errstate(all="ignore"):
            return [(a.dtype, a.shape) for a in f(*values)]
    except (ValueError, IndexError) as error:
        return error


def compare_failures(choose: Callable[[int], int]) -> None:
    """On arrays of other lengths than it was built with, a rewritten program fails only where it would anyway."""
    program = random_program(choose)
    outputs = [v.symbol for v in program.pool[len(program.inputs):][-6:]]
    if not outputs:
        return
    f, plain = compiled(program, outputs, "FAST_RUN"), compiled(program, outputs, "None")
    for _ in range(3):
        shapes = [tuple(choose(6) if n is None else n for n in v.static) for v in program.inputs]
        values = [np.resize(v.array, shape) if v.array.size else np.zeros(shape, v.array.dtype)
                  for v, shape in zip(program.inputs, shapes, strict=True)]
        right, got = outcome(plain, values), outcome(f, values)
        if not isinstance(right, Exception):
            assert got == right, f"shapes {shapes}\n{program.describe()}"


@settings(RELAXED, max_examples=100)
@given(st.binary(min_size=40, max_size=1200))
def test_rewriting_makes_no_program_fail(numbers: bytes) -> None:
    compare_failures(choices(numbers))


@settings(RELAXED, max_examples=150)
@given(st.binary(min_size=40, max_size=1200))
def test_random_programs(numbers: bytes) -> None:
    compare(choices(numbers))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("block", range(20))
def test_many_random_programs(block: int) -> None:
    """5,000 programs from seeded random numbers, in blocks."""
    for seed in range(250 * block, 250 * (block + 1)):
        rng = np.random.default_rng(seed)
        try:
            compare(lambda n, rng=rng: int(rng.integers(n)))  # type: ignore[misc]
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
