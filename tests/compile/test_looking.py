"""Looking inside: plans and fired rules as text, with names that are those of the source."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

import symgraph as sg
import symgraph.tensor as T


def training() -> Any:
    x, t = T.matrix("x"), T.ivector("t")
    w = sg.shared(np.zeros((20, 4)), name="w")
    cost = -T.mean(T.log(T.nnet.softmax(x @ w))[T.arange(t.shape[0]), t])
    return sg.function([x, t], cost, updates=[(w, w - 0.1 * sg.grad(cost, w))], name="train")


def test_a_line_for_each_step_and_update() -> None:
    f = training()
    lines = str(f.plan).splitlines()
    assert len(lines) == len(f.plan.steps) + 1
    assert lines[-1].strip() == "w <- " + re.findall(r"(t\d+) = gemm\(w", str(f.plan))[0]
    for step, line in zip(f.plan.steps, lines, strict=False):
        assert line.startswith(f"{step.index:3}")
        assert line.endswith(str(step.node.origin))
        assert f" k{step.kernel.index} " in line if step.kernel is not None else not re.match(r" *\d+  k\d", line)
    assert all(len(line) < 250 for line in lines)
    assert {"scratch", "over", "new", "view"} <= set(re.findall(r"[a-z]+", str(f.plan)))


def test_names_are_those_of_the_source() -> None:
    f = training()
    for line in str(f.plan).splitlines()[:-1]:
        name = re.findall(r"(t\d+) = ", line)[0]
        origin = line.split("  ")[-1].strip()
        made = re.compile(rf"\s*(e\d+, )?{name} = ")
        assert any(made.match(text) and text.endswith(origin) for text in f.source.splitlines()), line


def test_plans_of_nothing_and_of_several_outputs() -> None:
    assert str(sg.function([], []).plan) == ""
    x = T.dmatrix("x")
    text = str(sg.function([x], T.nlinalg.svd(x)).plan)
    assert "t0, t1, t2 = " in text


def test_fired_rules_print_as_a_table() -> None:
    f = training()
    text = str(f.fired)
    assert len(text.splitlines()) == min(len(f.fired), 41)
    for fired, line in zip(f.fired, text.splitlines(), strict=False):
        assert line.split()[:2] == [fired.phase, fired.rule]
        assert line.endswith(str(fired.origin))
        assert " -> " in line
    assert [line.split() for line in str(f.fired[:2]).splitlines()] == [x.split() for x in text.splitlines()[:2]]
    assert isinstance(f.fired, list)
    assert str(sg.function([], [], mode="None").fired) == ""
    x = T.dvector("x")
    y = x
    for _ in range(50):
        y = T.log(1 + T.exp(y))
    many = str(sg.function([x], y).fired).splitlines()
    assert len(many) == 41
    assert re.fullmatch(r"\.\.\. and \d+ more", many[-1])
