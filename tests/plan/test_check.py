"""`Plan.check` finds each kind of fault: a legal plan is made, and broken by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.errors import InconsistentPlanError
from symgraph.plan import Buffer, Home, Kernel, Plan, Use
from tests.plan.common import plan_of, step_of


class Destroyer(sg.Op):
    """Adds one to its input, in its input."""

    __props__ = ()
    destroy_map = {0: [0]}  # noqa: RUF012

    def make_node(self, x: Any) -> Any:
        return sg.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        inputs[0] += 1
        output_storage[0][0] = inputs[0]


x, y, i = T.dvector("x"), T.dvector("y"), T.lvector("i")
W = sg.shared(np.zeros(3), name="W")


def chain() -> Plan:
    return plan_of([x], [T.sum(T.sqrt(T.exp(x)))])


def reads_before_made() -> Plan:
    plan = chain()
    plan.steps.reverse()
    return plan


def reads_what_is_unknown() -> Plan:
    plan = chain()
    plan.inputs.clear()
    return plan


def reads_an_overwritten_buffer() -> Plan:
    """Two results that live at once are put into one buffer."""
    plan = plan_of([x, y], [T.dot(T.exp(x), T.sin(x))])
    first, second = step_of(plan, "exp"), step_of(plan, "sin")
    assert isinstance(first.into, Buffer)
    second.into = first.into
    plan.blocks[second.node.outputs[0]].buffer = first.into
    plan.blocks[first.node.outputs[0]].dies = second.index - 1  # a lie, which the reading step finds out
    return plan


def writes_on_a_living_buffer() -> Plan:
    plan = plan_of([x], [T.dot(T.exp(x), T.sin(x))])
    step_of(plan, "sin").into = step_of(plan, "exp").into
    return plan


def writes_on_a_living_value() -> Plan:
    plan = plan_of([x], [T.dot(T.sqrt(T.exp(x)), T.exp(x))])
    step_of(plan, "sqrt").into = step_of(plan, "exp").node.outputs[0]
    return plan


def reads_what_was_written_on() -> Plan:
    """The life of a value is said to end before its last reading."""
    plan = writes_on_a_living_value()
    plan.blocks[step_of(plan, "exp").node.outputs[0]].dies = step_of(plan, "sqrt").index
    return plan


def writes_on(target: Callable[[Plan], Any]) -> Callable[[], Plan]:
    def build() -> Plan:
        plan = plan_of([x], [T.exp(x) * T.constant(np.arange(3.0)) + W])
        name = {"input": "exp", "constant": "mul", "shared": "add"}[plan.blocks[target(plan)].home.value]
        step_of(plan, name).into = target(plan)
        return plan

    return build


def writes_on_its_own_input() -> Plan:
    plan = plan_of([x], [T.dot(T.exp(x).reshape((2, 2)), T.ones((2, 2)))])
    step_of(plan, "dot").into = step_of(plan, "dot").node.inputs[0]
    return plan


def writes_on_what_it_views() -> Plan:
    """exp(x) + exp(x)[::-1], over exp(x)."""
    plan = plan_of([x], [T.exp(x) + T.exp(x)[::-1]])
    plan.blocks[step_of(plan, "exp").node.outputs[0]].dies = step_of(plan, "add").index
    step_of(plan, "add").into = step_of(plan, "exp").node.outputs[0]
    return plan


def writes_on_a_view_of_more() -> Plan:
    plan = plan_of([x], [T.sqrt(T.exp(x)[:2])])
    plan.blocks[step_of(plan, "exp").node.outputs[0]].dies = step_of(plan, "sqrt").index
    step_of(plan, "sqrt").into = step_of(plan, "sqrt").node.inputs[0]
    return plan


def splits_a_kernel() -> Plan:
    plan = plan_of([x], [T.tanh(T.exp(x)) + 1])
    del plan.kernels[0].steps[1]
    return plan


def reduces_over_rows_inside() -> Plan:
    plan = plan_of([x], [T.exp(T.cos(x).sum(axis=0) + x)])
    first, second = plan.kernels
    plan.kernels = [Kernel(0, [*first.steps, *second.steps], first.roles | second.roles)]
    return plan


def holds_what_has_no_rows() -> Plan:
    plan = plan_of([x], [T.dot(T.exp(x), x)])
    plan.kernels = [Kernel(0, plan.steps, {})]
    return plan


def gives_up_rows_still_needed() -> Plan:
    plan = plan_of([x], [T.exp(T.exp(x)[::-1] + x)])
    step = step_of(plan, "add")
    plan.blocks[step.node.inputs[0]].dies = step.index
    return plan


def writes_into_another_dtype() -> Plan:
    plan = plan_of([x], [T.exp(x)], [])
    buffer = step_of(plan, "exp").into
    assert isinstance(buffer, Buffer)
    buffer.dtype = "float32"
    return plan


def writes_into_another_shape() -> Plan:
    plan = plan_of([x], [T.exp(x)], [])
    buffer = step_of(plan, "exp").into
    assert isinstance(buffer, Buffer)
    buffer.lengths = (5,)
    return plan


def destroys_an_input() -> Plan:
    plan = plan_of([x], [Destroyer()(x)])
    step_of(plan, "Destroyer").copies = ()
    return plan


def destroys_what_is_needed() -> Plan:
    plan = plan_of([x], [Destroyer()(T.exp(x)) + T.exp(x)])
    step_of(plan, "Destroyer").copies = ()
    return plan


def returns_scratch() -> Plan:
    plan = plan_of([x], [T.exp(x)])
    for buffer in plan.buffers:
        buffer.use = Use.SCRATCH
    return plan


def returns_an_input() -> Plan:
    plan = plan_of([x], [x])
    plan.outputs[0] = replace(plan.outputs[0], copy=False)
    return plan


def returns_a_shared_value() -> Plan:
    plan = plan_of([], [W])
    plan.outputs[0] = replace(plan.outputs[0], copy=False)
    return plan


def returns_a_constant() -> Plan:
    plan = plan_of([], [T.constant(np.arange(3.0))])
    plan.outputs[0] = replace(plan.outputs[0], copy=False)
    return plan


def returns_one_thing_twice() -> Plan:
    plan = plan_of([x], [T.exp(x), T.exp(x)])
    plan.outputs[1] = replace(plan.outputs[1], copy=False)
    return plan


def returns_a_view_of_what_it_keeps() -> Plan:
    plan = plan_of([x], [T.exp(x)[1:]], [(W, T.exp(x))])
    plan.outputs[0] = replace(plan.outputs[0], copy=False)
    return plan


def updates_by_an_input() -> Plan:
    plan = plan_of([x], [], [(W, x[1:])])
    plan.updates[0] = replace(plan.updates[0], copy=False)
    return plan


def updates_two_by_one() -> Plan:
    other = sg.shared(np.zeros(3))
    plan = plan_of([x], [], [(W, T.exp(x)), (other, T.exp(x))])
    plan.updates[1] = replace(plan.updates[1], copy=False)
    return plan


def returns_what_was_overwritten() -> Plan:
    plan = plan_of([x], [T.sqrt(T.exp(x))])
    plan.outputs[0] = replace(plan.outputs[0], variable=step_of(plan, "exp").node.outputs[0])
    return plan


def returns_what_is_not_made() -> Plan:
    plan = plan_of([x], [T.exp(x)])
    plan.outputs[0] = replace(plan.outputs[0], variable=T.dvector("never"))
    return plan


def lends_what_is_not_an_input() -> Plan:
    plan = plan_of([x], [W[1:]])
    plan.outputs[0] = replace(plan.outputs[0], copy=False, lent=True)
    return plan


FAULTS: list[tuple[Callable[[], Plan], str]] = [
    (reads_before_made, "before it is made"),
    (reads_what_is_unknown, "reads x before it is made"),
    (reads_an_overwritten_buffer, "overwritten before"),
    (writes_on_a_living_buffer, "a buffer still in use"),
    (writes_on_a_living_value, "would write on exp, still needed"),
    (reads_what_was_written_on, "reads exp, overwritten before"),
    (writes_on(lambda plan: plan.inputs[0]), "would write on the input x"),
    (splits_a_kernel, "is not in one piece"),
    (reduces_over_rows_inside, "needs all rows of sum"),
    (holds_what_has_no_rows, "cannot be part of k0"),
    (gives_up_rows_still_needed, "may overwrite .* while other rows still need it"),
    (writes_on(lambda plan: plan.constants[0]), "would write on the constant"),
    (writes_on(lambda plan: plan.shared[0]), "would write on the shared W"),
    (writes_on_its_own_input, "cannot write on its own input"),
    (writes_on_what_it_views, "a view of the same memory"),
    (writes_on_a_view_of_more, "a view of more"),
    (writes_into_another_dtype, "another dtype or shape"),
    (writes_into_another_shape, "another dtype or shape"),
    (destroys_an_input, "destroys input 0"),
    (destroys_what_is_needed, "destroys input 0"),
    (returns_scratch, "hand out a scratch buffer"),
    (returns_an_input, "memory of the input"),
    (returns_a_shared_value, "memory of the shared"),
    (returns_a_constant, "memory of the constant"),
    (returns_one_thing_twice, "would share memory"),
    (returns_a_view_of_what_it_keeps, "would share memory"),
    (updates_by_an_input, "memory of the input"),
    (updates_two_by_one, "would share memory"),
    (returns_what_was_overwritten, "returned but was overwritten"),
    (returns_what_is_not_made, "returned but never made"),
    (lends_what_is_not_an_input, "memory of the shared"),
]


@pytest.mark.parametrize(("build", "message"), FAULTS, ids=[getattr(b, "__name__", "") + m[:12] for b, m in FAULTS])
def test_a_fault_is_found(build: Callable[[], Plan], message: str) -> None:
    with pytest.raises(InconsistentPlanError, match=message):
        build().check()


def test_what_is_made_by_the_planner_is_legal() -> None:
    """The plans the faults start from."""
    e = T.exp(x)
    for outputs in ([T.dot(e, T.sin(x))], [e + e[::-1]], [x, x[1:], e, e], [W, W + 1], [Destroyer()(e) + e],
                    [T.inc_subtensor(e[i], 1.0)]):
        plan_of([x, i], outputs, [(W, T.exp(x)[::-1])]).check()


def test_blocks_know_whose_memory_they_are() -> None:
    plan = plan_of([x], [x[1:], T.exp(x).reshape((2, -1)).T], [(W, W[::-1])])
    homes = {str(v): plan.blocks[v].home for v in plan.blocks}
    assert homes["x"] is homes["[1:]"] is Home.INPUT
    assert homes["exp"] is homes["transpose"] is Home.OWN
    assert homes["W"] is homes["[::-1]"] is Home.SHARED
