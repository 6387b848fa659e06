"""MonitorMode: both functions see every step, its application and its values; updates are all or none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.compile import MonitorMode
from symgraph.config import config


class Notes:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def pre(self, i: int, node: Any, fn: Any) -> None:
        assert [cell[0] for cell in fn.outputs] == [None] * len(node.outputs)
        self.seen.append(("pre", i, node, [np.array(cell[0]) for cell in fn.inputs]))

    def post(self, i: int, node: Any, fn: Any) -> None:
        self.seen.append(("post", i, node, [np.array(cell[0]) for cell in fn.outputs]))


@pytest.mark.parametrize("optimizer", ["default", "FAST_RUN", "FAST_COMPILE", None])
@pytest.mark.parametrize("size", [3, 100_000])
def test_values_before_and_after_each_step(optimizer: Any, size: int) -> None:
    notes = Notes()
    x = T.dvector("x")
    w = sg.shared(np.ones(size), name="w")
    cost = T.sum(T.tanh(x * w) ** 2)
    f = sg.function([x], cost, updates=[(w, w - 0.5 * sg.grad(cost, w))],
                    mode=MonitorMode(notes.pre, notes.post, optimizer=optimizer))
    value = np.linspace(-1, 1, size)
    for _ in range(2):
        notes.seen.clear()
        before = w.get_value()
        found = f(value)
        np.testing.assert_allclose(found, np.sum(np.tanh(value * before) ** 2))
        steps = f.plan.steps
        assert [(kind, i) for kind, i, _, _ in notes.seen] == [
            (kind, i) for i in range(len(steps)) for kind in ("pre", "post")]
        for (_, i, node, inputs), (_, _, same, outputs) in zip(notes.seen[::2], notes.seen[1::2], strict=True):
            assert node is same is steps[i].node
            storage: list[list[Any]] = [[None] for _ in outputs]
            node.op.perform(node, inputs, storage)
            for mine, theirs in zip(outputs, storage, strict=True):
                np.testing.assert_allclose(mine, theirs[0], rtol=1e-12)


def test_only_one_of_them() -> None:
    x = T.dscalar("x")
    for only in ("pre_func", "post_func"):
        seen: list[int] = []
        f = sg.function([x], T.exp(x), mode=MonitorMode(**{only: lambda i, node, fn, seen=seen: seen.append(i)}))
        f(1.0)
        assert seen == [0]
    assert float(sg.function([x], T.exp(x), mode=MonitorMode())(0.0)) == 1.0


def test_what_they_raise_ends_the_call_and_updates_nothing() -> None:
    def stop(i: int, node: Any, fn: Any) -> None:
        if np.isnan(fn.outputs[0][0]).any():
            raise ArithmeticError(f"NaN in {node.op}")

    x = T.dscalar("x")
    total = sg.shared(0.0, name="total")
    f = sg.function([x], T.log(x), updates=[(total, total + x)], mode=MonitorMode(post_func=stop))
    f(2.0)
    with np.errstate(invalid="ignore"), pytest.raises(ArithmeticError, match="NaN in log") as caught:
        f(-1.0)
    assert "built at test_monitor_mode.py" in "".join(caught.value.__notes__)
    assert total.get_value() == 2.0
    f(1.0)
    assert total.get_value() == 3.0


def test_a_destroyed_input_is_whole_before() -> None:
    notes = Notes()
    x = T.dvector("x")
    f = sg.function([x], T.sqrt(T.exp(x)), mode=MonitorMode(notes.pre, notes.post, optimizer=None))
    f(np.zeros(3))
    np.testing.assert_array_equal(notes.seen[2][3][0], np.ones(3))


def test_within_calls_and_with_other_things() -> None:
    seen: list[str] = []

    def post(i: int, node: Any, fn: Any) -> None:
        seen.append(str(node.op))

    x, n = T.dscalar("x"), T.dscalar("n")
    mode = MonitorMode(post_func=post).excluding("no such rule")
    f = sg.function([x, sg.In(n, value=1.0, update=n + 1)], [n, T.exp(x)], mode=mode, profile=True)
    assert [float(v) for v in f(0.0, output_subset=[1])] == [1.0]
    assert "exp" in seen
    assert float(f[n]) == 2.0
    f(0.0)
    assert f.profile.finished == 1
    with config.change_flags(mode="FAST_COMPILE"):
        assert float(f.copy()(0.0)[0]) == 3.0


def test_wrong_functions() -> None:
    with pytest.raises(TypeError, match="post_func must be callable, not int"):
        MonitorMode(None, 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="optimizer"):
        MonitorMode(optimizer="fast")
