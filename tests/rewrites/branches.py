"""Examples for the rules about choices and about operations made of graphs; see `tests.rewrites.examples`."""

from __future__ import annotations

from typing import Any

import symgraph as sg
import symgraph.tensor as T
from symgraph.ifelse import ifelse
from symgraph.opfromgraph import OpFromGraph
from tests.rewrites.examples import Example, example, floats

X, Y = floats(3, 4), floats(3, 4, seed=7)


def of_graph(inline: bool) -> Any:
    a, b = T.dmatrices(2)
    return OpFromGraph([a, b], [T.exp(a) * b], inline=inline)


FIRES: list[Example] = [
    example("choice_that_is_none", lambda c, x: ifelse(c, x, x), 1, X),
    example("choice_that_is_none", lambda x, y: ifelse(T.constant(1), x, y), X, Y),
    example("choice_that_is_none", lambda x, y: ifelse(T.constant(False), x, y), X, Y),
    example("choice_within_itself", lambda c, x, y: ifelse(c, T.exp(ifelse(c, x, y)), y), 0, X, Y),
    example("choice_within_itself", lambda c, x, y: ifelse(c, x, T.exp(ifelse(c, x, y))), 0, X, Y),
    example("sum_of_choices", lambda c, x, y: ifelse(c, x, T.zeros_like(x)) + ifelse(c, T.zeros_like(y), y), 1, X, Y),
    example("sum_of_choices", lambda c, x, y: ifelse(c, T.zeros_like(x), x) + ifelse(c, y, T.zeros_like(y)), 1, X, Y),
    example("inline_graph", lambda x, y: of_graph(True)(x, y), X, Y),
    example("inline_graph", lambda x, y: sg.grad(T.sum(of_graph(True)(x, y)), x), X, Y),
]

DECLINES: list[Example] = [
    example("choice_that_is_none", lambda c, x, y: ifelse(c, x, y), 1, X, Y),
    example("choice_within_itself", lambda c, d, x, y: ifelse(c, T.exp(ifelse(d, x, y)), y), 0, 1, X, Y),
    example("sum_of_choices", lambda c, d, x, y: ifelse(c, x, T.zeros_like(x)) + ifelse(d, T.zeros_like(y), y), 1, 1,
            X, Y),
    example("sum_of_choices", lambda c, x, y: ifelse(c, x, T.zeros_like(x)) + ifelse(c, y, T.zeros_like(y)), 1, X, Y),
    example("sum_of_choices", lambda c, x, y: ifelse(c, x, T.ones_like(x)) + ifelse(c, T.zeros_like(y), y), 1, X, Y),
    example("inline_graph", lambda x, y: of_graph(False)(x, y), X, Y),
]
