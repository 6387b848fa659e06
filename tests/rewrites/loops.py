"""Examples for the rules about loops; see `tests.rewrites.examples`."""

from __future__ import annotations

from typing import Any

import numpy as np

import symgraph as sg
import symgraph.tensor as T
from symgraph.graph.inner import InnerGraph
from symgraph.scan import Scan, until
from tests.rewrites.examples import Example, example, floats, uses_twice

X, W, V = floats(3, 4), floats(4, 4, seed=7) / 4, floats(4)


def zeros() -> Any:
    return T.zeros(4, "float64")


def loop(step: Any, *sequences: Any, start: Any = None, **options: Any) -> Any:
    """The values of a state."""
    values, _ = sg.scan(step, list(sequences), [zeros() if start is None else start], **options)
    return values


def slope(x: Any, w: Any) -> Any:
    """The gradient of a recurrent network by its matrix."""
    return sg.grad(loop(lambda r, h: T.tanh(T.dot(h, w) + r), x, start=T.zeros_like(x[0]))[-1].sum(), w)


def invariant(x: Any, v: Any) -> Any:
    """A loop in whose step something does not depend on the step."""
    r, h, k = T.dvectors("r", "h", "k")
    op = Scan(InnerGraph([r, h, k], [h * r + T.exp(k)]), 1, 1, [True], 0)
    return op.make_node(x.shape[0], x, zeros(), v).outputs[1]


def two(step: Any, x: Any, *starts: Any) -> Any:
    values, _ = sg.scan(step, x, list(starts))
    return values


def twins(x: Any) -> Any:
    start = T.exp(zeros())
    return two(lambda r, h, k: [h * r, k * r], x, start, start)[1]


def two_pairs(x: Any) -> Any:
    """Two states that begin as two others do, and each changes as one of them does."""
    start = T.exp(zeros())
    return two(lambda r, h, c, k, d: [c * r, h - c, d * r, k - d], x, start, start, start, start)[3]


FIRES: list[Example] = [
    example("loop_reads_once", lambda x: loop(lambda a, b, h: a * b + h, x, x), X),
    example("loop_reads_once", lambda x: loop(lambda a, b, h: a + h, x, T.exp(x)), X),
    example("unread_results", lambda x: sg.reduce(lambda r, h: r + h, x, zeros())[0], X),
    example("unread_results", lambda x: two(lambda r, h, k: [h + r, k * 2], x, zeros(), zeros())[0], X),
    example("unread_results", lambda x: two(lambda r, h: [h + r, r * 2], x, zeros(), None)[0], X),
    example("state_that_stays", lambda x: two(lambda r, h, k: [h + r * k, k], x, zeros(), T.ones(4))[0], X),
    example("state_that_stays", lambda x: two(lambda r, h, k: [h + r * k, k], x, zeros(), T.ones(4))[1], X),
    example("from_the_end", lambda x: loop(lambda r, h: r - h, x, go_backwards=True), X),
    example("from_the_end", lambda x: two(lambda r, h: [r - h, r * h], x[::-1], zeros(), None)[1], X),
    example("equal_states", twins, X),
    example("equal_states", two_pairs, X),
    example("collected_twice", lambda x: two(lambda r, h: [h + r] * 2, x, zeros(), None)[1], X),
    example("collected_twice", lambda x: two(lambda r, h: [h + r, r], x, zeros(), None)[1], X),
    example("collected_twice", lambda x: two(lambda r, h: [h + r, h], x, zeros(), None)[1], X),
    example("last_state", lambda x: loop(lambda r, h: r - h, x)[-1], X),
    example("last_state", lambda x: loop(lambda r, h: r - h, x)[-1, 2], X),
    example("one_of_the_last", lambda x: loop(lambda r, h: r - h, x)[-2], X),
    example("one_of_the_last", lambda x: loop(lambda r, h: r - h, x)[-3, 1:], X),
    example("the_last_few", lambda x: loop(lambda r, h: r - h, x)[-2:], X),
    example("the_last_few", lambda x: loop(lambda r, h: r - h, x)[-1:, 1:], X),
    example("the_last_few", lambda x: loop(lambda r, h: r - h, x)[-7:], X),  # there are only three
    example("single_step", lambda x: loop(lambda r, h: r - h, x, n_steps=1), X),
    example("single_step", lambda x: two(lambda r, h: [r - h, r * h], x[:1], zeros(), None)[1], X[:1]),
    example("invariants_out", invariant, X, V),
    example("known_terms_first", lambda x, v: loop(lambda r, h: (T.exp(h) + r) + v, x), X, V),
    example("known_terms_first", lambda x, v: loop(lambda r, h: (T.tanh(h) + v) + T.exp(v), x), X, V),
    example("elements_out", lambda x: loop(lambda r, h: T.exp(r) * h, x), X),
    example("elements_out", lambda x, w: loop(lambda r, h: T.dot(r, w) * h, x), X, W),
    example("elements_out", lambda x, w: loop(lambda r, h: T.dot(r, w) * h, x, go_backwards=True), X, W),
    example("sums_out", slope, floats(2, 3, 4), W),
    example("sums_out", lambda x, v: sg.grad(loop(lambda r, h: T.tanh(h * v + r), x).sum(), v), X, V),
]

DECLINES: list[Example] = [
    example("loop_reads_once", lambda x: loop(lambda r, h: r - h, x), X),
    example("unread_results", lambda x: loop(lambda r, h: r - h, x), X),
    example("state_that_stays", lambda x: loop(lambda r, h: h + 0.0 * r, x), X),
    example("from_the_end", lambda x: loop(lambda a, b, h: a - b * h, x, x[::-1]), X),
    example("equal_states", lambda x: two(lambda r, h, k: [h + r, k + r], x, zeros(), T.ones(4))[1], X),
    example("equal_states", lambda x, v: two(lambda r, h, k: [h + r, k - r], x, v, v)[1], X, V),
    example("collected_twice", lambda x: two(lambda r, h: [h + r, h * r], x, zeros(), None)[1], X),
    example("last_state", lambda x: loop(lambda r, h: r - h, x)[-2], X),
    example("last_state", lambda x: two(lambda r, h: [r - h, r * h], x, zeros(), None)[1][-1], X),
    example("one_of_the_last", lambda x: loop(lambda r, h: r - h, x)[1], X),
    example("one_of_the_last", uses_twice(lambda x: loop(lambda r, h: r - h, x)), X),
    example("the_last_few", lambda x: loop(lambda r, h: r - h, x)[-2:-1], X),
    example("the_last_few", lambda x: loop(lambda r, h: r - h, x)[-9:], X),  # as many are better kept as a history
    example("the_last_few", lambda x: loop(lambda r, h: (r - h, until(h[0] > 1)), x)[-2:], X),
    example("the_last_few", uses_twice(lambda x: loop(lambda r, h: r - h, x)), X),
    example("single_step", lambda x: loop(lambda r, h: r - h, x, n_steps=2), X),
    example("single_step", lambda x: loop(lambda r, h: r - h, x), X),
    example("invariants_out", lambda x, w: loop(lambda r, h: T.dot(h, T.exp(w)) + r, x), X, W),
    example("known_terms_first", lambda x, v: loop(lambda r, h: T.exp(h) + (r + v), x), X, V),
    example("known_terms_first", lambda x: loop(lambda r, h: (T.exp(h) + r) + h, x), X),
    example("elements_out", lambda x: loop(lambda r, h: T.exp(h) * r, x), X),
    example("elements_out", lambda x: loop(lambda r, h: (T.exp(r) * h, until(h[0] > 1)), x), X),
    example("elements_out", lambda x: loop(lambda r, h: T.dot(r, r) * h, x), X),  # many products of two
    example("sums_out", lambda x: loop(lambda r, h: r + h, x), X),  # all sums are wanted
    example("sums_out", lambda w: sg.foldl(lambda i, s: s + T.dot(w, s), T.arange(3), T.constant(np.eye(4)))[0], W),
]
