"""Which steps a device computes together: jobs, their stages, and what they store. No backend is needed to tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.plan import Step
from symgraph.plan.jobs import Abilities, Launch, launches_of
from tests.plan.common import plan_of

x, y = T.fmatrices("xy")
v = T.fvector("v")
labels = T.ivector("labels")


def shared(*shape: int, name: str = "W") -> Any:
    return sg.shared(np.ones(shape, "float32"), name=name)


def line_of(inputs: list[Any], outputs: list[Any], updates: Any = (), **options: Any) -> list[Launch | Step]:
    plan = plan_of(inputs, outputs, updates)
    sizes = {s: s.get_value(borrow=True).shape for s in plan.shared}
    return launches_of(plan, sizes, Abilities(**options))


def launches(*arguments: Any, **options: Any) -> list[Launch]:
    return [part for part in line_of(*arguments, **options) if isinstance(part, Launch)]


def kinds(found: list[Launch]) -> list[list[str]]:
    return [[job.kind for job in launch.jobs] for launch in found]


def test_what_follows_element_by_element_joins() -> None:
    for out, kind in ((T.tanh(x) * v, "loop"), (T.sqrt(T.sum(x * x, axis=0)) - v, "reduction"),
                      (T.tanh(T.dot(x, y) + v), "product"), (x - T.max(x, axis=1, keepdims=True), "rows")):
        (launch,) = launches([x, y, v], [out])
        assert kinds([launch]) == [[kind]]
        (job,) = launch.jobs
        assert len(job.outputs) == 1


def test_independent_jobs_share_a_launch_and_dependent_ones_do_not() -> None:
    total = T.sum(x)
    found = launches([x, y], [T.exp(x), total, T.dot(x, y), x - total])
    assert [sorted(found) for found in kinds(found)] == [["loop", "product", "reduction"], ["loop"]]


def test_a_row_reduction_alone_is_a_reduction() -> None:
    assert kinds(launches([x], [T.sum(x, axis=1) + 1])) == [["reduction"]]


def test_several_reductions_of_one_row_share_a_job() -> None:
    softmax = T.exp(x - T.max(x, axis=1, keepdims=True))
    (launch,) = launches([x], [softmax / T.sum(softmax, axis=1, keepdims=True)])
    (job,) = launch.jobs
    assert (job.kind, job.n_rows, len(job.anchors)) == ("rows", 1, 2)
    assert job.inputs == [x]


def test_sums_over_rows_leave_as_parts() -> None:
    softmax = x / T.sum(x, axis=1, keepdims=True)
    first, second = launches([x], [T.sum(softmax, axis=0), T.sum(softmax)])
    (job,) = first.jobs
    assert [part.type.ndim for part in job.parts] == [2, 1]
    assert kinds([second]) == [["reduction", "reduction"]]
    assert set(second.inputs) == set(job.parts)


def test_cheap_values_are_made_again_and_dear_ones_are_stored() -> None:
    h = T.tanh(T.dot(x, y))
    later = T.dot(h, y)
    first, second = launches([x, y], [later * (1 - h * h), T.sum(h)])
    assert [len(job.outputs) for job in first.jobs] == [1]  # h, and not 1 - h**2
    assert "tanh" in str(first.outputs[0])
    assert {job.kind for job in second.jobs} == {"product", "reduction"}


def test_dear_operands_of_a_product_are_stored_and_cheap_ones_are_not() -> None:
    assert kinds(launches([x, y], [T.dot(T.tanh(x), y)])) == [["loop"], ["product"]]
    assert kinds(launches([x, y], [T.dot(2 * x, y)])) == [["product"]]


def test_rows_times_a_small_matrix_are_rows_and_times_others_a_product() -> None:
    small, large = shared(30, 10), shared(300, 100)
    assert kinds(launches([x], [T.dot(x, small)])) == [["rows"]]
    assert kinds(launches([x], [T.dot(x, large)])) == [["product"]]
    assert kinds(launches([x, y], [T.dot(x, y)])) == [["product"]]  # nothing is known of y
    assert kinds(launches([x], [T.dot(x.T, small)])) == [["product"]]  # rows of x.T do not lie in one piece
    assert kinds(launches([x], [T.dot(x, small)], small_matrix=100)) == [["product"]]


def test_large_products_are_steps_and_what_surrounds_them_is_not() -> None:
    a, b = shared(200, 300), shared(300, 100)
    line = line_of([], [T.tanh(T.dot(2 * a, b))], large_product=200 * 300 * 100)
    assert [type(part).__name__ for part in line] == ["Launch", "Step", "Launch"]


def test_views_are_listed_only_where_something_else_than_a_job_reads_them() -> None:
    assert [type(p).__name__ for p in line_of([x], [x.T])] == ["Step"]
    assert [type(p).__name__ for p in line_of([x], [x.T * 2])] == ["Launch"]
    line = line_of([x], [T.sort(T.exp(x).T, axis=0)])
    assert [type(p).__name__ for p in line] == ["Launch", "Step", "Step"]
    assert str(line[1].node.op) == "transpose"  # type: ignore[union-attr]


def test_what_is_stored_for_a_step_is_made_before_it() -> None:
    line = line_of([x], [T.sort(x * 2, axis=0), T.sum(x * 2)])
    first = next(p for p in line if isinstance(p, Launch))
    assert sorted(kinds([first])[0]) == ["loop", "reduction"]
    assert line.index(first) < next(i for i, p in enumerate(line) if isinstance(p, Step))


def test_an_update_goes_over_the_present_value_where_nobody_else_reads_that() -> None:
    W = shared(3, 4)
    (launch,) = launches([x, y], [], [(W, W - 0.1 * T.dot(x.T, y))])
    assert list(launch.over.values()) == [W]
    (launch,) = launches([x, y], [T.sum(W)], [(W, W - 0.1 * T.dot(x.T, y))])
    assert not launch.over  # the sum reads it in the same launch
    (launch,) = launches([x], [], [(W, T.dot(x, W))])
    assert not launch.over  # the product reads all of it for each element
    (launch,) = launches([x], [], [(W, x + W[::-1])])
    assert not launch.over  # a view of it is read
    square = shared(4, 4)
    for new in (square + square.T, x + (2 * square).T, x - square[0] * 2):
        (launch,) = launches([x], [], [(square, new)])
        assert not launch.over  # other elements of it are read
    row = shared(4)
    (launch,) = launches([x], [], [(row, row - T.sum(T.tanh(x * (2 * row)), axis=0))])
    assert not launch.over
    (launch,) = launches([x], [], [(W, x - T.exp(2 * W))])
    assert list(launch.over.values()) == [W]


def test_swapped_updates_are_not_written_over_each_other() -> None:
    a, b = shared(3, name="a"), shared(3, name="b")
    (launch,) = launches([], [], [(a, b * 2), (b, a * 3)])
    for variable, target in launch.over.items():
        others = [job for job in launch.jobs if variable not in job.outputs]
        assert all(target not in job.inputs for job in others)
        readers = [job for job in launch.jobs if target in job.inputs]
        assert not readers


def test_nothing_is_written_over_while_indices_are_checked() -> None:
    W = shared(3, 4)
    update = (W, W - T.dot(x.T, y))
    (launch,) = launches([x, y, labels, v], [v[labels] * 2], [update])
    assert not launch.over
    picked = v[labels] * 2
    first, second = launches([x, y, labels, v], [], [(W, W - T.dot(x.T, y) * T.sum(picked))])
    assert not first.over
    assert list(second.over.values()) == [W]


def test_long_expressions_are_cut() -> None:
    value = v
    for _ in range(100):
        value = T.sin(value) * v
    found = launches([v], [value], most_items=64)
    assert len(found) > 1
    assert max(len(job.items) for launch in found for job in launch.jobs) < 200


def test_an_expression_is_as_long_as_it_has_operations() -> None:
    value = v
    for _ in range(20):
        value = value * (1 - value)
    assert len(launches([v], [value])) == 1


def test_numbers_of_the_host_are_passed_by_value() -> None:
    n, rate = T.lscalar("n"), T.fscalar("rate")
    (launch,) = launches([v, n, rate], [v * rate + T.cast(n, "float32")])
    assert launch.inputs == [v]
    assert set(launch.scalars) >= {rate}


@pytest.mark.parametrize("count", [1, 5])
def test_chains_of_products_are_as_many_launches(count: int) -> None:
    h = x
    for _ in range(count):
        h = T.tanh(T.dot(h, y))
    assert len(launches([x, y], [h])) == count
