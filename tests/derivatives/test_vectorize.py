"""A vectorised graph gives what a loop over the values gives: for every record, stacked in each argument."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.graph.traversal import toposort
from symgraph.vectorize import Looped
from tests.records import RECORDS
from tests.records.base import Record

#: The shape of what they give depends on values, so that results of several values cannot be stacked.
RAGGED = {"setdiff1d", "setxor1d", "intersect1d", "intersect1d_places", "repeat_each", "union1d"}


def static(array: Any, stacked: bool) -> tuple[int | None, ...]:
    return (None,) * stacked + tuple(1 if n == 1 else None for n in array.shape)


def check(record: Record, a: Any, b: Any, options: dict[str, Any], which: tuple[bool, ...]) -> None:
    """Two values, one after the other and together."""
    ones = [T.tensor(x.dtype.name, shape=static(x, False)) for x in a]
    found = record.call(*ones, **options)
    outputs = [v for v in (found if isinstance(found, (list, tuple)) else [found]) if isinstance(v, sg.Variable)]
    one = sg.function(ones, outputs, mode="None", on_unused_input="ignore")
    second = [y if s else x for x, y, s in zip(a, b, which, strict=True)]
    stacks = [T.tensor(x.dtype.name, shape=static(x, True)) if s else v for v, x, s in zip(ones, a, which, strict=True)]
    together = sg.vectorize_graph(outputs, {v: x for v, x, s in zip(ones, stacks, which, strict=True) if s})
    many = sg.function(stacks, together, mode="None", on_unused_input="ignore")
    values = many(*[np.stack([x, y]) if s else x for x, y, s in zip(a, b, which, strict=True)])
    for output, value, first, other in zip(together, values, one(*a), one(*second), strict=True):
        wanted = np.stack([first, other])
        if output.type.ndim == first.ndim:  # it depends on shapes only
            np.testing.assert_array_equal(first, other)
            wanted = first
        assert value.dtype == wanted.dtype
        np.testing.assert_allclose(value, wanted, rtol=1e-6, atol=1e-9)


def try_record(record: Record, every: bool) -> None:
    dtype = "float64" if "float64" in record.dtypes else record.dtypes[0]
    samples = zip(record.samples(np.random.default_rng(1), dtype), record.samples(np.random.default_rng(2), dtype),
                  strict=True)
    for (a, options), (b, _) in samples:
        if not a or [x.shape for x in a] != [x.shape for x in b]:
            continue
        choices = [tuple(i == j for j in range(len(a))) for i in range(len(a))] if every and len(a) > 1 else []
        for which in [(True,) * len(a), *choices]:
            check(record, a, b, options, which)
        if not every:
            return


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # records ask for means of nothing, logarithms of 0
@pytest.mark.parametrize("record", [r for r in RECORDS if r.name not in RAGGED], ids=str)
def test_vectorised_is_stacked(record: Record) -> None:
    try_record(record, every=False)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # records ask for means of nothing, logarithms of 0
@pytest.mark.parametrize("record", [r for r in RECORDS if r.name not in RAGGED], ids=str)
def test_vectorised_is_stacked_in_each_argument(record: Record) -> None:
    try_record(record, every=True)


def loops(outputs: Any) -> list[Any]:
    return [node for node in toposort(outputs) if isinstance(node.op, Looped)]


def test_a_network_is_vectorised_without_a_loop() -> None:
    x, W, b = T.dvector("x"), T.dmatrix("W"), T.dvector("b")
    p = T.nnet.softmax(T.tanh(x @ W + b), axis=-1)
    cost = -T.log(p[0]) + (W ** 2).sum()
    gW = sg.grad(cost, W)
    xs = T.dmatrix("xs")
    each = sg.vectorize_graph(gW, {x: xs})
    assert not loops([each])
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 3)), rng.normal(size=(3, 4)), rng.normal(size=4)
    one = sg.function([x, W, b], gW)
    np.testing.assert_allclose(each.eval({xs: values[0], W: values[1], b: values[2]}),
                               np.stack([one(row, *values[1:]) for row in values[0]]), rtol=1e-12)


def test_what_depends_on_nothing_stacked_stays_as_it_is() -> None:
    x, y, xs = T.dvector("x"), T.dvector("y"), T.dmatrix("xs")
    z = T.exp(y)
    assert sg.vectorize_graph([z, x.shape[0]], {x: xs})[0] is z
    assert sg.vectorize_graph(z, {x: xs}) is z


def test_a_value_may_be_replaced_by_one_that_is_the_same_for_all() -> None:
    x, y, xs, u = T.dvector("x"), T.dvector("y"), T.dmatrix("xs"), T.dvector("u")
    found = sg.vectorize_graph(x * y, {x: xs, y: u})
    np.testing.assert_array_equal(found.eval({xs: [[1.0, 2.0], [3.0, 4.0]], u: [1.0, 10.0]}), [[1, 20], [3, 40]])


@sg.as_op(itypes=[T.dvector, T.dvector], otypes=[T.dscalar])
def python_dot(a: Any, b: Any) -> Any:
    return np.asarray(a @ b)


class Cube(sg.Op):
    """Of vectors only, with a gradient."""

    __props__ = ()
    itypes, otypes = [T.dvector], [T.dvector]

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        assert inputs[0].ndim == 1
        output_storage[0][0] = inputs[0] ** 3

    def grad(self, inputs: Any, output_gradients: Any) -> Any:
        return [3 * inputs[0] ** 2 * output_gradients[0]]


def test_an_operation_without_a_rule_is_applied_one_after_another() -> None:
    x, y, xs = T.dvector("x"), T.dvector("y"), T.dmatrix("xs")
    found = sg.vectorize_graph(python_dot(x, y) * 2, {x: xs})
    assert len(loops([found])) == 1
    np.testing.assert_allclose(found.eval({xs: np.eye(3), y: [1.0, 2.0, 3.0]}), [2, 4, 6])
    assert found.eval({xs: np.ones((0, 3)), y: np.ones(3)}).shape == (0,)


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "None", "DebugMode"])
def test_the_loop_has_derivatives(mode: str) -> None:
    x, y, xs = T.dvector("x"), T.dvector("y"), T.dmatrix("xs")
    found = sg.vectorize_graph(Cube()(x * y).sum(), {x: xs})
    f = sg.function([xs, y], sg.grad(found.sum(), [xs, y]), mode=mode)
    a, b = np.random.default_rng(0).normal(size=(4, 3)), np.array([1.0, 2.0, -1.0])
    gx, gy = f(a, b)
    np.testing.assert_allclose(gx, 3 * (a * b) ** 2 * b, rtol=1e-12)
    np.testing.assert_allclose(gy, (3 * (a * b) ** 2 * a).sum(0), rtol=1e-12)
    J = sg.jacobian(Cube()(x), x)
    np.testing.assert_allclose(sg.function([x], J, mode=mode)(b), np.diag(3 * b ** 2), rtol=1e-12)


def test_what_cannot_be_stacked_says_so() -> None:
    x, xs = T.lvector("x"), T.lmatrix("xs")
    with pytest.raises(ValueError, match="different shapes and cannot be stacked"):
        sg.vectorize_graph(T.unique(x), {x: xs}).eval({xs: [[1, 1], [1, 2]]})


def test_replacements_that_do_not_fit() -> None:
    x, deep, small = T.dvector("x"), T.dtensor3("deep"), T.fmatrix("small")
    for wrong in (deep, small, T.dscalar("s")):
        with pytest.raises(TypeError, match="in the place of x"):
            sg.vectorize_graph(x * 2, {x: wrong})
    y = T.dvector("y")
    a, b = T.dmatrix("a", shape=(3, None)), T.dmatrix("b", shape=(4, None))
    with pytest.raises(ValueError, match=r"different lengths along their leading axes: \[3, 4\]"):
        sg.vectorize_graph(x + y, {x: a, y: b})


# ---- vmap -----------------------------------------------------------------------------------------------------------


def test_vmap_maps_axes_to_axes() -> None:
    a, b = T.dmatrix("a"), T.dmatrix("b")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3, 4)), rng.normal(size=(4, 3))
    found = sg.vmap(lambda u, v: T.outer(u, v), in_axes=(0, 1), out_axes=2)(a, b)
    np.testing.assert_allclose(found.eval({a: x, b: y}), np.stack([np.outer(x[i], y[:, i]) for i in range(3)], 2))


def test_vmap_of_several_results_and_of_vmap() -> None:
    a = T.dtensor3("a")
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    total, largest = sg.vmap(sg.vmap(lambda row: (row.sum(), row.max())))(a)
    np.testing.assert_allclose(total.eval({a: x}), x.sum(2))
    np.testing.assert_allclose(largest.eval({a: x}), x.max(2))


def test_vmap_repeats_what_is_the_same_for_all() -> None:
    a, b = T.dvector("a"), T.dvector("b")
    found = sg.vmap(lambda u, v: v * 2, in_axes=(0, None))(a, b)
    np.testing.assert_array_equal(found.eval({a: np.zeros(3), b: [1.0, 2.0]}), [[2, 4]] * 3)


def test_vmap_of_gradients() -> None:
    """Per-example gradients."""
    w, X, y = T.dvector("w"), T.dmatrix("X"), T.dvector("y")
    each = sg.vmap(lambda row, target: sg.grad((row @ w - target) ** 2, w))(X, y)
    rng = np.random.default_rng(1)
    a, b, c = rng.normal(size=(6, 3)), rng.normal(size=6), rng.normal(size=3)
    np.testing.assert_allclose(each.eval({X: a, y: b, w: c}), 2 * (a @ c - b)[:, None] * a)


def test_vmap_refuses_axes_that_do_not_fit() -> None:
    a = T.dmatrix("a")
    with pytest.raises(ValueError, match="in_axes has 2 entries for 1 argument"):
        sg.vmap(lambda u: u, in_axes=(0, 0))(a)
    with pytest.raises(ValueError, match="names no axis"):
        sg.vmap(lambda u: u, in_axes=None)(a)
    with pytest.raises(np.exceptions.AxisError):
        sg.vmap(lambda u: u, in_axes=2)(a)


@pytest.mark.parametrize("spec", ["x[i]", "x[:, i]", "x[i, :, i]", "x[1:, i]", "x[:, 0, i]", "x[..., i]", "x[i, None]",
                                  "x[:, None, i, i]", "x[s]", "x[:, s]", "x[s, i]", "x[i, ..., s]", "x[::2, s:]"])
def test_indices_that_differ_from_value_to_value(spec: str) -> None:
    x, i, s = T.dtensor3("x"), T.lvector("i"), T.lscalar("s")
    many = {x: T.dtensor4("xs"), i: T.lmatrix("is"), s: T.lvector("ss")}
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(2, 3, 3, 3)), np.array([[0, 2], [1, 1]]), np.array([2, 1])
    part = eval(spec, {"x": x, "i": i, "s": s})
    results = [part, T.inc_subtensor(part, part * 2), T.set_subtensor(part, 1.5)]
    replace = {v: many[v] for v in (x, i, s) if "s:" not in spec or v is not s}
    values = {"xs": a, "is": b, "ss": c}
    if s not in replace:
        values["s"] = c[0]
    found = sg.vectorize_graph(results, replace)
    f = sg.function([*replace.values(), s], found, on_unused_input="ignore")
    one = sg.function([x, i, s], results, on_unused_input="ignore")
    got = f(*[values[str(v)] for v in replace.values()], c[0])
    for k in range(2):
        for value, wanted in zip(got, one(a[k], b[k], c[0 if s not in replace else k]), strict=True):
            np.testing.assert_allclose(value[k], wanted)
