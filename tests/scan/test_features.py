"""What scan can do, one thing at a time: against plain Python."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.graph.type import DisconnectedType
from symgraph.ifelse import ifelse
from symgraph.random import RandomStreams
from symgraph.scan import OrderedUpdates, until
from tests.scan.reference import slopes

MODES = ["FAST_RUN", "FAST_COMPILE", "None", "DebugMode"]


def draw(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


# ---- arguments ------------------------------------------------------------------------------------------------------


def test_the_order_of_arguments() -> None:
    """Elements of sequences tap by tap, earlier values tap by tap, what is the same in all steps."""
    names: list[str] = []

    def step(*arguments: Any) -> Any:
        names.extend(str(a) for a in arguments)
        return [arguments[0] + arguments[4], arguments[5] * 1.0]

    x, y, s, z, a = T.dvector("x"), T.dvector("y"), T.dvector("s"), T.dscalar("z"), T.dscalar("a")
    sg.scan(step, [{"input": x, "taps": [-3, 2]}, y, {"input": y, "taps": 1}],
            [{"initial": s, "taps": [-2, -1]}, {"initial": z}], a)
    assert names == ["x[t-3]", "x[t+2]", "y[t]", "y[t+1]", "s[t-2]", "s[t-1]", "z[t-1]", "a"]


@pytest.mark.parametrize("form", [lambda v: v, lambda v: [v], lambda v: (v,)])
def test_one_output_is_returned_as_a_variable(form: Any) -> None:
    x = T.dvector("x")
    single, updates = sg.scan(lambda v: form(v * 2), x)
    assert updates == {}
    assert single.eval({x: [1.0, 2.0]}).tolist() == [2.0, 4.0]
    several, _ = sg.scan(lambda v: form(v * 2), x, return_list=True)
    assert isinstance(several, list)


def test_no_output_at_all() -> None:
    k = sg.shared(0)
    outputs, updates = sg.scan(lambda: {k: k + 2}, n_steps=3)
    assert outputs is None
    assert sg.scan(lambda: {k: k + 2}, n_steps=3, return_list=True)[0] == []
    sg.function([], [], updates=updates)()
    assert k.get_value() == 6


@pytest.mark.parametrize("build", [
    lambda k, v: (v, {k: k + 1}), lambda k, v: ([v], [(k, k + 1)]), lambda k, v: ({k: k + 1}, v),
    lambda k, v: (v, OrderedUpdates([(k, k + 1)]), until(v > 5)), lambda k, v: [v, [(k, k + 1)]],
])
def test_forms_of_what_a_step_returns(build: Any) -> None:
    k = sg.shared(10)
    values, updates = sg.scan(lambda v: build(k, v * k), T.constant(np.arange(3)))
    f = sg.function([], values, updates=updates)
    until_there = f().tolist()
    assert until_there in ([0, 11, 24], [0, 11])
    assert k.get_value() == 10 + len(until_there)


def test_sequences_that_are_no_tensors_yet() -> None:
    assert sg.scan(lambda v: v * 2, [np.arange(3)])[0].eval().tolist() == [0, 2, 4]


def test_the_shortest_sequence_decides() -> None:
    x, y = T.dvectors("x", "y")
    z, _ = sg.scan(lambda a, b: a + b, [x, y])
    f = sg.function([x, y], [z, *sg.grad(z.sum(), [x, y])])
    found = f([1.0, 2.0, 3.0], [10.0, 20.0])
    assert [v.tolist() for v in found] == [[11.0, 22.0], [1.0, 1.0, 0.0], [1.0, 1.0]]


def test_a_symbolic_number_of_steps() -> None:
    x, n = T.dvector("x"), T.lscalar("n")
    z, _ = sg.scan(lambda a, h: h + a, x, T.constant(0.0), n_steps=n)
    f = sg.function([x, n], [z, sg.grad(z.sum(), x)])
    assert [v.tolist() for v in f([1.0, 2.0, 3.0], 2)] == [[1.0, 3.0], [2.0, 1.0, 0.0]]
    assert [v.tolist() for v in f([1.0, 2.0, 3.0], 0)] == [[], [0.0, 0.0, 0.0]]


def test_strict_allows_arguments_only() -> None:
    x, a = T.dvector("x"), T.dscalar("a")
    sg.scan(lambda v, b: v * T.exp(b), x, non_sequences=a, strict=True)
    with pytest.raises(ValueError, match=r"strict=True .* uses a .*non_sequences"):
        sg.scan(lambda v: v * T.exp(a), x, strict=True)
    W = sg.shared(2.0, name="W")
    with pytest.raises(ValueError, match="uses W"):
        sg.scan(lambda v: v * W, x, strict=True)


def test_views_of_scan() -> None:
    x = T.dvector("x")
    value = np.array([1.0, 2.0, 4.0])
    assert sg.map(lambda v, a: v * a, x, T.constant(2.0))[0].eval({x: value}).tolist() == [2.0, 4.0, 8.0]
    assert float(sg.foldl(lambda v, h: h * 2 + v, x, T.constant(0.0))[0].eval({x: value})) == 12.0
    assert float(sg.foldr(lambda v, h: h * 2 + v, x, T.constant(0.0))[0].eval({x: value})) == 21.0
    assert float(sg.reduce(lambda v, h: h + v, x, T.constant(5.0))[0].eval({x: value[:0]})) == 5.0
    both, _ = sg.reduce(lambda v, h, k: [h + v, k * v], x, [T.constant(0.0), T.constant(1.0)])
    assert [float(v.eval({x: value})) for v in both] == [7.0, 8.0]


def test_the_programs_of_theanos_tutorial() -> None:
    """A power, a polynomial, elements to be set, rows of a Jacobian."""
    k, a, c, x = T.lscalar("k"), T.dvector("a"), T.dvector("c"), T.dscalar("x")
    powers, _ = sg.scan(lambda prior, v: prior * v, outputs_info=T.ones_like(a), non_sequences=a, n_steps=k)
    assert sg.function([a, k], powers[-1])([0.0, 1.0, 2.0], 3).tolist() == [0.0, 1.0, 8.0]
    terms, _ = sg.scan(lambda b, i, v: b * v ** i, sequences=[c, T.arange(1000)], non_sequences=x)
    assert float(sg.function([c, x], terms.sum())([1.0, 0.0, 2.0], 3.0)) == 19.0
    places, values, model = T.imatrix("places"), T.dvector("values"), T.dmatrix("model")
    tables, _ = sg.scan(lambda p, v, m: T.set_subtensor(T.zeros_like(m)[p[0], p[1]], v), [places, values],
                        non_sequences=model)
    found = sg.function([places, values, model], tables)(np.array([[1, 1], [2, 3]], "int32"), [42.0, 50.0],
                                                         np.zeros((3, 4)))
    assert (found[0, 1, 1], found[1, 2, 3], found.sum()) == (42.0, 50.0, 92.0)
    y = a ** 2
    rows, _ = sg.scan(lambda i, y, a: sg.grad(y[i], a), T.arange(y.shape[0]), non_sequences=[y, a])
    assert sg.function([a], rows)([4.0, 5.0]).tolist() == [[8.0, 0.0], [0.0, 10.0]]


# ---- state outside ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_random_numbers_are_those_of_a_python_loop(mode: str) -> None:
    """Of a stream used t times; and the next call goes on where this one ended."""
    streams, plain = RandomStreams(3), RandomStreams(3)
    total, updates = sg.scan(lambda h: h + streams.normal((2,), dtype="float64") * streams.uniform(dtype="float64"),
                             outputs_info=T.zeros(2, "float64"), n_steps=4)
    assert len(updates) == 2
    f = sg.function([], total, updates=updates, mode=mode)
    g = sg.function([], [plain.normal((2,), dtype="float64"), plain.uniform(dtype="float64")])
    for _ in range(2):
        np.testing.assert_allclose(f(), np.cumsum([a * b for a, b in (g() for _ in range(4))], axis=0))


def test_what_is_drawn_outside_is_the_same_in_all_steps() -> None:
    mask = RandomStreams(1).uniform((3,), dtype="float64")
    rows, updates = sg.scan(lambda i: mask + i, T.arange(2))
    assert not updates
    first, second = sg.function([], rows)()
    np.testing.assert_allclose(second - first, 1.0)


def test_a_gradient_through_drawn_numbers() -> None:
    streams = RandomStreams(5)
    s = T.dscalar("s")
    values, updates = sg.scan(lambda h: h + s * streams.normal(dtype="float64"), None, T.constant(0.0), n_steps=3)
    f = sg.function([s], [values[-1], sg.grad(values[-1], s)], updates=updates)
    value, slope = f(2.0)
    np.testing.assert_allclose(value, 2.0 * slope)


@pytest.mark.parametrize("mode", MODES)
def test_updates_of_shared_variables(mode: str) -> None:
    k, w = sg.shared(1, name="k"), sg.shared(np.ones(2), name="w")
    values, updates = sg.scan(lambda v: (w * v, {k: k * 2, w: w + k}), T.arange(3.0))
    f = sg.function([], values, updates=updates, mode=mode)
    np.testing.assert_allclose(f(), [[0.0] * 2, [2.0] * 2, [8.0] * 2])
    assert k.get_value() == 8
    assert w.get_value().tolist() == [8.0, 8.0]


# ---- loops in loops --------------------------------------------------------------------------------------------------


def rows_by_hand(x: Any, w: Any) -> Any:
    found = []
    for row in x:
        h = 1.0
        for v in row:
            h = np.tanh(h * v + row.dot(w).sum())
        found.append(h)
    return np.array(found)


@pytest.mark.parametrize("mode", MODES)
def test_nested_loops(mode: str) -> None:
    x, w = T.dmatrix("x"), T.dmatrix("w")

    def row(r: Any) -> Any:
        values, _ = sg.scan(lambda v, h: T.tanh(h * v + T.dot(r, w).sum()), r, T.constant(1.0))
        return values[-1]

    ends, _ = sg.map(row, x)
    f = sg.function([x, w], [ends, *sg.grad(ends.sum(), [x, w])], mode=mode)
    values = draw(3, 4), draw(4, 2, seed=1)
    found = f(*values)
    np.testing.assert_allclose(found[0], rows_by_hand(*values))
    for a, b in zip(found[1:], slopes(lambda *v: rows_by_hand(*v).sum(), values, (0, 1)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("mode", MODES)
def test_choices_in_loops_and_loops_in_choices(mode: str) -> None:
    x, c = T.dvector("x"), T.lscalar("c")
    values, _ = sg.scan(lambda v, h: ifelse(v > 0, h + v, h * 2), x, T.constant(1.0))
    chosen = ifelse(c, values[-1], x[0])
    f = sg.function([x, c], [values, chosen, sg.grad(chosen, x)], mode=mode)
    assert [v.tolist() for v in f([1.0, -1.0, 2.0], 1)] == [[2.0, 4.0, 6.0], 6.0, [2.0, 0.0, 1.0]]
    assert [v.tolist() for v in f([1.0, -1.0, 2.0], 0)][1:] == [1.0, [1.0, 0.0, 0.0]]


@pytest.mark.parametrize("inline", [False, True])
def test_graphs_as_operations_in_loops_and_the_other_way_round(inline: bool) -> None:
    a, b, v = T.dscalar("a"), T.dscalar("b"), T.dvector("v")
    inside = sg.OpFromGraph([a, b], [T.exp(a) * b], inline=inline)
    values, _ = sg.scan(inside, v, T.constant(1.0))
    outside = sg.OpFromGraph([v], [values], inline=inline)
    y = outside(v)
    f = sg.function([v], [y, sg.grad(y.sum(), v)])
    value, slope = f([0.1, 0.2])
    np.testing.assert_allclose(value, np.exp([0.1, 0.3]))
    np.testing.assert_allclose(slope, [np.exp(0.1) + np.exp(0.3), np.exp(0.3)])


def test_a_loop_for_many_values_at_once() -> None:
    x = T.dmatrix("x")
    y = sg.vmap(lambda row: sg.scan(lambda v, h: v * h, row, T.constant(1.0))[0])(x)
    f = sg.function([x], [y, sg.grad(y.sum(), x)])
    assert [v.tolist() for v in f([[1.0, 2.0], [3.0, 4.0]])] == [[[1.0, 2.0], [3.0, 12.0]], [[3.0, 1.0], [5.0, 3.0]]]


def test_vectorized_loops() -> None:
    """With taps, collected values and a matrix that differs from value to value; their Jacobians."""
    x, w, h = T.dtensor3("x"), T.dtensor3("w"), T.dmatrix("h")

    def one(rows: Any, matrix: Any, start: Any) -> Any:
        values, _ = sg.scan(lambda r, k: [T.tanh(T.dot(k, matrix) + r), r * 2], rows, [start, None])
        return [values[0], values[1], values[0][-1]]

    together = sg.vmap(one)(x, w, h)
    a, b, c = T.dmatrix("a"), T.dmatrix("b"), T.dvector("c")
    single = sg.function([a, b, c], one(a, b, c))
    values = draw(3, 4, 2), draw(3, 2, 2, seed=1), draw(3, 2, seed=2)
    found = sg.function([x, w, h], together)(*values)
    for i in range(3):
        for whole, part in zip(found, single(*[v[i] for v in values]), strict=True):
            np.testing.assert_allclose(whole[i], part)
    last = one(a, b, c)[2]
    jacobian = sg.function([a, b, c], sg.jacobian(last, c))
    slope = slopes(lambda v: single(values[0][0], values[1][0], v)[2][1], (values[2][0],), (0,))
    np.testing.assert_allclose(jacobian(*[v[0] for v in values])[1], slope[0], rtol=1e-6)


def test_a_printed_loop_shows_its_step() -> None:
    x, a = T.dvector("x"), T.dscalar("a")
    values, _ = sg.scan(lambda v, h: v * h + a, x, T.constant(1.0), name="walk")
    text = sg.debugprint(values, file="str")
    assert "Graph of scan{walk}, of x[t], output0[t-1], a:\nadd [id A]\n |mul [id B]\n | |x[t] [id C]" in text


# ---- derivatives -----------------------------------------------------------------------------------------------------


def test_truncated_gradients_reach_back_so_many_steps() -> None:
    x, w = T.dvector("x"), T.dscalar("w")
    values, _ = sg.scan(lambda v, h: h * w + v, x, T.constant(1.0), truncate_gradient=2)
    f = sg.function([x, w], sg.grad(values[-1], [x, w]))
    by_x, by_w = f([1.0, 2.0, 3.0, 4.0], 0.5)
    assert by_x.tolist() == [0.0, 0.0, 0.5, 1.0]
    states = [1.0, 1.5, 2.75, 4.375]
    np.testing.assert_allclose(by_w, states[3] + 0.5 * states[2])


def test_integer_states_have_no_gradient_and_stop_none() -> None:
    n, y = T.lvector("n"), T.dscalar("y")
    (count, value), _ = sg.scan(lambda v, s, h: [s + v, h * y + s], n, [T.constant(0), T.constant(0.0)])
    f = sg.function([n, y], [count, value, sg.grad(value[-1], y), sg.grad(value[-1], n)])
    found = f([1, 2, 3], 0.5)
    assert [v.tolist() for v in found] == [[1, 3, 6], [0.0, 1.0, 3.5], 1.0, [0.0, 0.0, 0.0]]


def test_what_does_not_matter_is_disconnected() -> None:
    x, y = T.dvectors("x", "y")
    (a, b), _ = sg.scan(lambda u, v: [u * 2, v * 3], [x, y])
    with pytest.raises(sg.gradient.DisconnectedInputError):
        sg.grad(a.sum(), y)
    none = sg.grad(a.sum(), y, disconnected_inputs="ignore", return_disconnected="disconnected")
    assert isinstance(none.type, DisconnectedType)
    known = sg.grad(None, x, known_grads={a: T.ones_like(a) * 5})
    assert known.eval({x: [1.0, 2.0], y: [1.0, 1.0]}).tolist() == [10.0, 10.0]
    assert sg.grad((a * b).sum(), x, consider_constant=[a], disconnected_inputs="ignore").eval(
        {x: [1.0], y: [2.0]}).tolist() == [0.0]


def test_newton_by_second_derivatives() -> None:
    """A square root by iteration; its derivatives are those of the square root."""
    a = T.dscalar("a")

    def step(h: Any) -> Any:
        new = (h + a / h) / 2
        return new, until(abs(new - h) < 1e-12)

    root = sg.scan(step, outputs_info=a, n_steps=100)[0][-1]
    first = sg.grad(root, a)
    f = sg.function([a], [root, first, sg.grad(first, a), sg.Rop(root, a, T.constant(1.0))])
    np.testing.assert_allclose(f(2.0), [2 ** 0.5, 0.5 * 2 ** -0.5, -0.25 * 2 ** -1.5, 0.5 * 2 ** -0.5], rtol=1e-9)


# ---- what becomes of it ----------------------------------------------------------------------------------------------


def test_saved_and_loaded() -> None:
    x = T.dvector("x")
    values, _ = sg.scan(lambda v, h: v * h, x, T.constant(1.0))
    f = sg.function([x], [values, sg.grad(values.sum(), x)])
    again = pickle.loads(pickle.dumps(f))
    assert [v.tolist() for v in again([2.0, 3.0])] == [v.tolist() for v in f([2.0, 3.0])] == [[2.0, 6.0], [4.0, 2.0]]
    x2, y2 = pickle.loads(pickle.dumps((x, values)))
    assert y2.eval({x2: [2.0, 3.0]}).tolist() == [2.0, 6.0]


def test_clone_puts_others_in_the_place_of_inputs() -> None:
    x, a, b = T.dvector("x"), T.dscalar("a"), T.dscalar("b")
    values, _ = sg.scan(lambda v: v * a, x)
    assert sg.clone_replace(values, {a: b + 1}).eval({x: [1.0, 2.0], b: 2.0}).tolist() == [3.0, 6.0]
    f = sg.function([x, b], values, givens={a: b * 2})
    assert f([1.0], 4.0).tolist() == [8.0]


def test_equal_loops_are_one() -> None:
    x = T.dvector("x")
    first, second = (sg.scan(lambda v, h: T.tanh(v + h), x, T.constant(0.0))[0] for _ in range(2))
    f = sg.function([x], [first, second.sum()])
    assert f.source.count(" in zip(range(") == 1
    assert first.owner.inputs[0].owner.op == second.owner.inputs[0].owner.op


def test_independent_loops_of_one_length_are_one() -> None:
    x = T.dvector("x")
    first, _ = sg.scan(lambda v, h: T.tanh(v + h), x, T.constant(0.0))
    second, _ = sg.scan(lambda v, h: T.sin(v * h), x, T.constant(1.0))
    third, _ = sg.scan(lambda v, h: v * h, first, T.constant(1.0))  # needs the first
    f = sg.function([x], [first, second, third])
    assert f.source.count(" in zip(range(") == 2
    value = draw(5)
    h, k, m = 0.0, 1.0, 1.0
    for i, v in enumerate(value):
        h, k = np.tanh(v + h), np.sin(v * k)
        m = h * m
        np.testing.assert_allclose([out[i] for out in f(value)], [h, k, m])


def test_only_the_last_value_is_kept_when_only_it_is_used() -> None:
    """Whatever the number of steps, the memory is the same."""
    n = T.lscalar("n")
    values, _ = sg.scan(lambda i, h: [T.sqrt(h + i), h * 2], T.arange(n), [T.ones(1000, "float64"), None])
    f = sg.function([n], [values[0][-1], values[1][-1]])
    assert "1000), np.float64)" not in f.source.replace("(1000,), np.float64)", "")
    h = np.ones(1000)
    for i in range(4):
        last, h = h * 2, np.sqrt(h + i)
    np.testing.assert_allclose(f(4), [h, last])
    with pytest.raises(IndexError):
        f(0)


def test_a_window_is_kept_when_only_the_last_values_are_used() -> None:
    """Of a state that looks back three steps, and of one of which the last but two is asked for."""
    n = T.lscalar("n")
    values, _ = sg.scan(lambda i, a, b: T.tanh(a + b * 0.5 + i), T.arange(n),
                        {"initial": T.ones((3, 1000), "float64"), "taps": [-3, -1]})
    f = sg.function([n], [values[-1], values[-3]])
    assert "steps0 + 1" not in f.source
    past = [np.ones(1000)] * 3
    for i in range(6):
        past.append(np.tanh(past[-3] + past[-1] * 0.5 + i))
    np.testing.assert_allclose(f(6), [past[-1], past[-3]])
    with pytest.raises(IndexError, match="index -3 is out of bounds"):
        f(2)


def test_a_state_is_changed_in_place() -> None:
    n = T.lscalar("n")
    table, _ = sg.scan(lambda i, t: T.set_subtensor(t[i], t[i - 1] * 1.5), T.arange(1, n), T.ones(100, "float64"))
    f = sg.function([n], table[-1])
    np.testing.assert_allclose(f(100), 1.5 ** np.arange(100))
    np.testing.assert_allclose(f(100), 1.5 ** np.arange(100))  # the initial value was not


def test_products_leave_the_loop() -> None:
    """x_t @ W is one product, and so are the gradients of the matrices."""
    x, W, U = T.dtensor3("x"), T.dmatrix("W"), T.dmatrix("U")
    h, _ = sg.scan(lambda r, h: T.tanh(T.dot(r, W) + T.dot(h, U)), x, T.zeros((2, 3), "float64"))
    f = sg.function([x, W, U], [h[-1], *sg.grad(h[-1].sum(), [W, U])])
    inside = [line for line in f.source.splitlines() if line.startswith("        ") and "np.dot" in line]
    assert len(inside) == 2  # one forward, one backward
    values = draw(4, 2, 5), draw(5, 3, seed=1), draw(3, 3, seed=2)

    def by_hand(x: Any, W: Any, U: Any) -> Any:
        h = np.zeros((2, 3))
        for r in x:
            h = np.tanh(r @ W + h @ U)
        return h

    found = f(*values)
    np.testing.assert_allclose(found[0], by_hand(*values))
    for a, b in zip(found[1:], slopes(lambda *v: by_hand(*v).sum(), values, (1, 2)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_the_program_does_not_depend_on_the_number_of_steps() -> None:
    x = T.dscalar("x")

    def compiled(steps: int) -> str:
        y = sg.scan(lambda h: T.sin(h + x), outputs_info=x, n_steps=steps)[0][-1]
        source: str = sg.function([x], [y, sg.grad(y, x)]).source
        return source.replace(str(steps + 1), "N").replace(str(steps), "N")

    assert compiled(2345).count("\n") == compiled(23).count("\n")


def test_the_source_shows_the_loop() -> None:
    x = T.dvector("x")
    values, _ = sg.scan(lambda v, h: v + h, x, T.constant(0.0), name="running_sum")
    source = sg.function([x], values).source
    assert "# scan{running_sum}  test_features.py" in source
    assert source.count("for step") == 1


def test_many_steps() -> None:
    x = T.dscalar("x")
    y = sg.scan(lambda h: T.cos(h), outputs_info=x, n_steps=20_000)[0][-1]
    np.testing.assert_allclose(y.eval({x: 1.0}), 0.7390851332151607)


def test_the_last_of_collected_values_of_unknown_shape() -> None:
    x, w, n = T.dmatrix("x"), T.dmatrix("w"), T.lscalar("n")
    (_, both), _ = sg.scan(lambda h: [T.tanh(h), T.dot(h, w)], outputs_info=[x, None], n_steps=n)
    f = sg.function([x, w, n], T.dot(both[-1], w.T) + x)
    value, matrix = draw(3, 2), draw(2, 4, seed=1)
    h = np.tanh(np.tanh(value))
    np.testing.assert_allclose(f(value, matrix, 3), h @ matrix @ matrix.T + value)
