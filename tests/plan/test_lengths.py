"""Lengths of axes: which are one, and from when on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.graph import toposort
from symgraph.plan.lengths import Length, Lengths

x, y, m, n = T.dvector("x"), T.dvector("y"), T.dmatrix("m"), T.dmatrix("n")


def entered(*outputs: sg.Variable) -> Lengths:
    lengths = Lengths()
    for variable in (x, y, m, n):
        lengths.enter(variable)
    for node in toposort(outputs):
        for v in node.inputs:
            if isinstance(v, sg.Constant):
                lengths.enter(v)
        lengths.enter_node(node)
    return lengths


def test_an_input_has_lengths_of_its_own() -> None:
    table = entered()
    assert len({*table.of(x), *table.of(y), *table.of(m)}) == 4


def test_known_lengths_are_numbers() -> None:
    table = Lengths()
    table.enter(v := T.tensor(dtype="float64", shape=(3, None, 1)))
    first, unknown, last = table.of(v)
    assert (first, last) == (3, 1)
    assert isinstance(unknown, Length)


@pytest.mark.parametrize(("build", "same"), [
    (lambda: T.exp(x), lambda t: t.of(x)),
    (lambda: m.T, lambda t: t.of(m)[::-1]),
    (lambda: T.sum(m, axis=0), lambda t: t.of(m)[1:]),
    (lambda: T.dot(m, n), lambda t: (t.of(m)[0], t.of(n)[1])),
    (lambda: m.dimshuffle(1, "x", 0), lambda t: (t.of(m)[1], 1, t.of(m)[0])),
    (lambda: T.zeros_like(m), lambda t: t.of(m)),
    (lambda: T.nnet.softmax(m), lambda t: t.of(m)),
    (lambda: T.alloc(1.0, x.shape[0], m.shape[1]), lambda t: (t.of(x)[0], t.of(m)[1])),
    (lambda: T.set_subtensor(m[0], x), lambda t: t.of(m)),
    (lambda: m[0], lambda t: t.of(m)[1:]),
    (lambda: x[::-1], lambda t: t.of(x)),
    (lambda: m[T.cast(x, "int64")], lambda t: (t.of(x)[0], t.of(m)[1])),
], ids=["elementwise", "transpose", "sum", "dot", "dimshuffle", "zeros", "softmax", "alloc", "write", "row",
        "reverse", "gather"])
def test_results_have_the_lengths_of_what_they_come_from(build: object, same: object) -> None:
    expression = build()  # type: ignore[operator]
    table = entered(expression)
    assert table.of(expression) == same(table)  # type: ignore[operator]


def test_equal_arithmetic_on_equal_lengths_is_equal() -> None:
    a, b = T.concatenate([x, y]), T.concatenate([T.exp(x), T.sin(y)])
    c = T.concatenate([y, y])
    table = entered(a, b, c)
    assert table.of(a) == table.of(b)
    assert table.of(a) != table.of(c)


def test_lengths_found_equal_become_one() -> None:
    table = entered()
    (a,), (b,), (c, _) = table.of(x), table.of(y), table.of(m)
    assert isinstance(a, Length)
    assert isinstance(b, Length)
    assert isinstance(c, Length)
    a.merge(b)
    assert table.of(x) == table.of(y)
    c.merge(b)
    assert table.of(m)[0] is table.of(x)[0] is table.of(y)[0]
    assert {v for v, _ in a.find().sources} == {x, y, m}
    a.merge(c)  # they are one already
    assert len(a.find().sources) == 3


def test_a_long_row_of_merges_is_found_quickly() -> None:
    table = Lengths()
    lengths = [Length(table) for _ in range(20_000)]
    for left, right in pairwise(lengths):
        right.merge(left)
    assert len({id(k.find()) for k in lengths}) == 1


def test_lengths_count_as_equal_only_after_the_step_that_makes_sure() -> None:
    """exp(x) comes before x + y has checked: its buffer is of x's length and not shared with y's."""
    f = sg.function([x, y], [T.sum(T.exp(x)), T.sum(T.exp(y)), x + y], mode="None")
    with pytest.raises(ValueError, match="length"):
        f(np.zeros(3), np.zeros(4))
    sums = sg.function([x, y], [T.sum(T.exp(x)), T.sum(T.exp(y))])(np.zeros(3), np.zeros(4))
    assert [float(s) for s in sums] == [3.0, 4.0]
