"""Loops of random makeup, against a plain Python loop: values, and gradients by finite differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import symgraph as sg
import symgraph.tensor as T
from symgraph.scan import until
from tests.scan.reference import Stop, python_scan, slopes

WIDTH = 2


@dataclass(frozen=True)
class Makeup:
    """What a loop is made of.

    Attributes
    ----------
    sequences, states : tuple of tuple of int
        The taps of each.
    traces : int
        How many outputs no step reads.
    matrix : bool
        Whether a step multiplies by a matrix.
    """

    sequences: tuple[tuple[int, ...], ...]
    states: tuple[tuple[int, ...], ...]
    traces: int
    matrix: bool
    until: bool
    backwards: bool
    extra: int
    n_steps: int | None
    last_only: bool
    seed: int

    @property
    def steps(self) -> int:
        return 3 if self.n_steps is None else self.n_steps

    def values(self) -> list[Any]:
        random = np.random.default_rng(self.seed)
        found = []
        for place, taps in enumerate(self.sequences):
            length = 3 + max(0, -min(taps)) + max(0, *taps) + (self.extra if place else 0)
            found.append(random.normal(size=(length, WIDTH)))
        for taps in self.states:
            found.append(random.normal(size=(WIDTH,) if taps == (-1,) else (-min(taps), WIDTH)))
        return [*found, random.normal(size=(WIDTH, WIDTH)) * 0.5, random.normal(size=WIDTH)]

    def step(self, xp: Any, stop: Any) -> Any:
        """One step, in the language of a module."""
        n_elements = sum(map(len, self.sequences))

        def run(*arguments: Any) -> Any:
            *moving, W, b = arguments
            elements, earlier = moving[:n_elements], moving[n_elements:]
            mixed = b
            for i, x in enumerate(elements):
                mixed = mixed + xp.tanh(x) * (0.5 + i)
            for i, h in enumerate(earlier):
                mixed = mixed + (xp.dot(h, W) if self.matrix and i % 2 == 0 else h * (0.3 - 0.2 * i))
            outputs = [xp.tanh(mixed * (1 + 0.5 * i)) + (W[i % WIDTH] if i else 0.0) for i in range(len(self.states))]
            for i in range(self.traces):
                outputs.append(xp.exp(-mixed * mixed) * (i + 1) + xp.dot(b, W) * (i - 0.5))
            if self.until:
                outputs.append(stop(mixed.sum() > 1.0))
            return outputs

        return run


def taps_of(choices: list[tuple[int, ...]]) -> Any:
    return st.lists(st.sampled_from(choices), max_size=2).map(tuple)


MAKEUPS = st.builds(
    Makeup,
    sequences=taps_of([(0,), (-1, 0), (0, 2), (1,), (-2,), (-1, 1)]),
    states=taps_of([(-1,), (-2,), (-1, -2), (-3, -1)]),
    traces=st.integers(0, 2), matrix=st.booleans(), until=st.booleans(), backwards=st.booleans(),
    extra=st.integers(0, 2), n_steps=st.sampled_from([None, 0, 1, 2, 3]), last_only=st.booleans(),
    seed=st.integers(0, 1000),
).filter(lambda m: (m.sequences or m.n_steps is not None) and (m.states or m.traces))


def symbolic(makeup: Makeup) -> tuple[list[Any], list[Any]]:
    """The inputs and outputs of the loop as a scan."""
    values = makeup.values()
    inputs = [T.TensorType("float64", (None,) * v.ndim)(f"v{i}") for i, v in enumerate(values)]
    count = len(makeup.sequences)
    infos: list[Any] = []
    for place, taps in enumerate(makeup.states):
        initial = inputs[count + place]
        infos.append(initial if taps == (-1,) else {"initial": initial, "taps": list(taps)})
    infos += [None] * makeup.traces
    sequences = [{"input": x, "taps": list(t)} for x, t in zip(inputs, makeup.sequences, strict=False)]
    outputs, updates = sg.scan(makeup.step(T, until), sequences, infos, inputs[-2:], n_steps=makeup.n_steps,
                               go_backwards=makeup.backwards, return_list=True)
    assert not updates
    return inputs, outputs


def looped(makeup: Makeup, values: list[Any]) -> list[Any]:
    count = len(makeup.sequences)
    infos: list[Any] = [(v, t) for v, t in zip(values[count:], makeup.states, strict=False)]
    return python_scan(makeup.step(np, Stop), list(zip(values, makeup.sequences, strict=False)),
                       [*infos, *[None] * makeup.traces], values[-2:], makeup.n_steps, makeup.backwards)


def costs(makeup: Makeup, outputs: list[Any]) -> Any:
    """A number that depends on every output."""
    total: Any = 0.0
    for i, output in enumerate(outputs):
        if makeup.last_only and makeup.steps:
            total = total + (output[-1] * (1 + i)).sum()
        else:
            total = total + (output * output).sum() * (0.5 + i)
    return total


def check(makeup: Makeup, mode: str) -> None:
    inputs, outputs = symbolic(makeup)
    values = makeup.values()
    cost = costs(makeup, outputs)
    gradients = sg.grad(cost, inputs, disconnected_inputs="ignore")
    f = sg.function(inputs, [*outputs, *gradients], mode=mode, on_unused_input="ignore")
    found = f(*values)
    wanted = looped(makeup, values)
    for a, b in zip(found, wanted, strict=False):
        np.testing.assert_allclose(a, b.reshape(a.shape) if not b.size else b, rtol=1e-10)
    by_hand = slopes(lambda *v: float(costs(makeup, looped(makeup, list(v)))), values, range(len(values)))
    for a, b in zip(found[len(outputs):], by_hand, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def check_second_order(makeup: Makeup, mode: str) -> None:
    """Forward derivatives agree with backward ones, and second derivatives with differences of the first."""
    inputs, outputs = symbolic(makeup)
    values = makeup.values()
    random = np.random.default_rng(makeup.seed + 1)
    along = [random.normal(size=v.shape) for v in values]
    points = [T.constant(v) for v in along]
    cost = costs(makeup, outputs)
    gradients = sg.grad(cost, inputs, disconnected_inputs="ignore")
    slope = sum((g * p).sum() for g, p in zip(gradients, points, strict=True))
    second = sg.grad(slope, inputs, disconnected_inputs="ignore")
    pushed = sg.Rop(cost, inputs, points, disconnected_outputs="ignore")
    pushed_twice = sg.Rop(gradients, inputs, points, disconnected_outputs="ignore")
    f = sg.function(inputs, [pushed, slope, *second, *pushed_twice], mode=mode, on_unused_input="ignore")
    forward, backward, *rest = f(*values)
    np.testing.assert_allclose(forward, backward, rtol=1e-8, atol=1e-9)
    first = sg.function(inputs, gradients, on_unused_input="ignore")
    step = 1e-5
    ahead, behind = (first(*[v + sign * step * d for v, d in zip(values, along, strict=True)]) for sign in (1, -1))
    for i, (a, b) in enumerate(zip(ahead, behind, strict=True)):
        np.testing.assert_allclose(rest[i], (a - b) / (2 * step), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(rest[len(inputs) + i], rest[i], rtol=1e-8, atol=1e-9)


SETTINGS = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True,
                    phases=[Phase.explicit, Phase.generate])  # compiling is too slow for shrinking


@SETTINGS
@given(MAKEUPS)
def test_a_loop_is_what_python_makes_of_it(makeup: Makeup) -> None:
    check(makeup, "FAST_RUN")


@settings(SETTINGS, max_examples=4)
@given(MAKEUPS)
def test_derivatives_of_derivatives(makeup: Makeup) -> None:
    check_second_order(makeup, "FAST_RUN")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@settings(SETTINGS, max_examples=60)
@given(MAKEUPS)
def test_derivatives_of_derivatives_of_many(makeup: Makeup) -> None:
    check_second_order(makeup, "FAST_RUN")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@settings(SETTINGS, max_examples=200)
@given(MAKEUPS, st.sampled_from(["FAST_RUN", "FAST_COMPILE", "None", "DebugMode"]))
def test_loops_in_all_modes(makeup: Makeup, mode: str) -> None:
    check(makeup, mode)
