"""Loops as programs for Theano write them: small programs of the known kinds, against plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor.shared_randomstreams import RandomStreams

MODES = ["FAST_RUN", "FAST_COMPILE", "None", "DebugMode"]
IN_EACH_MODE = pytest.mark.parametrize("mode", MODES)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


# ---- the first programs one writes ----------------------------------------------------------------------------------


@IN_EACH_MODE
def test_power(mode: str) -> None:
    k, A = T.iscalar("k"), T.vector("A")
    result, updates = sg.scan(fn=lambda prior, A: prior * A, outputs_info=T.ones_like(A), non_sequences=A, n_steps=k)
    f = sg.function([A, k], result[-1], updates=updates, mode=mode)
    np.testing.assert_allclose(f(np.arange(10.0), 2), np.arange(10.0) ** 2)
    np.testing.assert_allclose(f(np.arange(10.0), 4), np.arange(10.0) ** 4)
    slope = sg.function([A, k], sg.grad(result[-1].sum(), A), mode=mode)
    np.testing.assert_allclose(slope(np.arange(10.0), 3), 3 * np.arange(10.0) ** 2)


@IN_EACH_MODE
def test_polynomial(mode: str) -> None:
    coefficients, x = T.vector("coefficients"), T.scalar("x")
    components, updates = sg.scan(
        fn=lambda coefficient, power, free: coefficient * (free ** power), outputs_info=None,
        sequences=[coefficients, T.arange(10000)], non_sequences=x)  # the shorter sequence counts
    f = sg.function([coefficients, x], [components.sum(), sg.grad(components.sum(), x)], updates=updates, mode=mode)
    value, slope = f([1.0, 0.0, 2.0], 3.0)
    assert (float(value), float(slope)) == (19.0, 12.0)
    assert not updates


@IN_EACH_MODE
def test_polynomial_by_horner(mode: str) -> None:
    coefficients, x = T.vector("coefficients"), T.scalar("x")
    value, _ = sg.foldl(lambda c, total, x: total * x + c, sequences=coefficients[::-1], non_sequences=x,
                        outputs_info=T.zeros_like(x))
    f = sg.function([coefficients, x], [value, sg.grad(value, coefficients)], mode=mode)
    found, slopes = f([1.0, 0.0, 2.0], 3.0)
    assert float(found) == 19.0
    np.testing.assert_allclose(slopes, [1.0, 3.0, 9.0])


@IN_EACH_MODE
def test_sums_of_integers(mode: str) -> None:
    n = T.iscalar("n")
    sums, _ = sg.scan(fn=lambda i, total: total + i, outputs_info=T.as_tensor_variable(np.asarray(0, "int64")),
                      sequences=T.arange(n, dtype="int64"))
    f = sg.function([n], sums, mode=mode)
    np.testing.assert_array_equal(f(15), np.arange(15).cumsum())


@IN_EACH_MODE
def test_fibonacci(mode: str) -> None:
    n, start = T.iscalar("n"), T.lvector("start")
    numbers, _ = sg.scan(lambda before, last: before + last, outputs_info=[{"initial": start, "taps": [-2, -1]}],
                         n_steps=n)
    f = sg.function([start, n], numbers, mode=mode)
    np.testing.assert_array_equal(f([0, 1], 8), [1, 2, 3, 5, 8, 13, 21, 34])


@IN_EACH_MODE
def test_a_sequence_of_products(mode: str) -> None:
    """x(t) = tanh(x(t - 1) W + y(t) U + p(T - t) V), of the tutorial."""
    W, U, V, Y, P = (T.matrix(name) for name in "WUVYP")
    x = T.vector("x")
    values, _ = sg.scan(
        lambda y, p, before: T.tanh(T.dot(before, W) + T.dot(y, U) + T.dot(p, V)), sequences=[Y, P[::-1]],
        outputs_info=[x])
    f = sg.function([x, W, Y, U, P, V], values, mode=mode)
    r = rng()
    w, u, v = (r.normal(size=(2, 2)) for _ in range(3))
    y, p, now = r.normal(size=(5, 2)), r.normal(size=(5, 2)), r.normal(size=2)
    found = f(now, w, y, u, p, v)
    for t in range(5):
        now = np.tanh(now @ w + y[t] @ u + p[4 - t] @ v)
        np.testing.assert_allclose(found[t], now)


@IN_EACH_MODE
def test_rows_columns_and_the_trace(mode: str) -> None:
    X = T.matrix("X")
    rows, _ = sg.scan(lambda row: T.sqrt((row ** 2).sum()), sequences=[X])
    columns, _ = sg.scan(lambda column: T.sqrt((column ** 2).sum()), sequences=[X.T])
    trace, _ = sg.scan(lambda i, j, total: T.cast(X[i, j] + total, "float64"), outputs_info=np.asarray(0.0),
                       sequences=[T.arange(X.shape[0]), T.arange(X.shape[1])])
    f = sg.function([X], [rows, columns, trace[-1], sg.grad(rows.sum(), X)], mode=mode)
    x = rng().normal(size=(4, 3))
    by_row, by_column, total, slope = f(x)
    np.testing.assert_allclose(by_row, np.sqrt((x ** 2).sum(1)))
    np.testing.assert_allclose(by_column, np.sqrt((x ** 2).sum(0)))
    np.testing.assert_allclose(total, np.trace(x))
    np.testing.assert_allclose(slope, x / np.sqrt((x ** 2).sum(1, keepdims=True)))


@IN_EACH_MODE
def test_two_steps_back(mode: str) -> None:
    """x(t) = x(t - 2) U + x(t - 1) V + tanh(x(t - 1) W + b), of the tutorial."""
    W, U, V, X = (T.matrix(name) for name in "WUVX")
    b, n = T.vector("b"), T.iscalar("n")
    values, _ = sg.scan(lambda x2, x1: T.dot(x2, U) + T.dot(x1, V) + T.tanh(T.dot(x1, W) + b), n_steps=n,
                        outputs_info=[{"initial": X, "taps": [-2, -1]}])
    cost = (values[-1] ** 2).sum()
    f = sg.function([X, W, b, U, V, n], [values, *sg.grad(cost, [W, X])], mode=mode)
    r = rng()
    w, u, v = (r.normal(size=(2, 2)) * 0.5 for _ in range(3))
    start, bias = r.normal(size=(2, 2)), r.normal(size=2)

    def plain(w: Any, start: Any) -> Any:
        history = list(start)
        for _ in range(6):
            history.append(history[-2] @ u + history[-1] @ v + np.tanh(history[-1] @ w + bias))
        return np.array(history[2:])

    found, by_w, by_start = f(start, w, bias, u, v, 6)
    np.testing.assert_allclose(found, plain(w, start))
    e = 1e-6
    for i in np.ndindex(2, 2):
        step = np.zeros((2, 2))
        step[i] = e
        up, down = ((plain(w + s, start)[-1] ** 2).sum() for s in (step, -step))
        np.testing.assert_allclose(by_w[i], (up - down) / (2 * e), rtol=1e-5, atol=1e-8)
        up, down = ((plain(w, start + s)[-1] ** 2).sum() for s in (step, -step))
        np.testing.assert_allclose(by_start[i], (up - down) / (2 * e), rtol=1e-5, atol=1e-8)


@IN_EACH_MODE
def test_a_jacobian_by_hand(mode: str) -> None:
    v, A = T.vector("v"), T.matrix("A")
    y = T.tanh(T.dot(v, A))
    rows, updates = sg.scan(lambda i: T.grad(y[i], v), sequences=[T.arange(y.shape[0])])
    f = sg.function([A, v], [rows, sg.jacobian(y, v)], updates=updates, mode=mode)
    r = rng()
    by_hand, found = f(r.normal(size=(3, 4)), r.normal(size=3))
    np.testing.assert_allclose(by_hand, found)


@IN_EACH_MODE
def test_values_further_on_in_a_sequence(mode: str) -> None:
    x = T.vector("x")
    values, _ = sg.scan(lambda before, now, later: later - 2 * now + before,
                        sequences={"input": x, "taps": [-1, 0, 1]})
    f = sg.function([x], [values, sg.grad((values ** 2).sum(), x)], mode=mode)
    v = rng().normal(size=7)
    found, slope = f(v)
    second = np.diff(v, 2)
    np.testing.assert_allclose(found, second)
    np.testing.assert_allclose(slope, np.convolve(2 * second, [1, -2, 1]), atol=1e-12)


# ---- state between calls --------------------------------------------------------------------------------------------


@IN_EACH_MODE
def test_steps_that_count(mode: str) -> None:
    k, n = sg.shared(0, name="k"), T.iscalar("n")
    _, updates = sg.scan(lambda: {k: k + 1}, n_steps=n)
    f = sg.function([n], [], updates=updates, mode=mode)
    f(10)
    f(5)
    assert int(k.get_value()) == 15


@IN_EACH_MODE
def test_an_output_and_an_update_in_one_step(mode: str) -> None:
    total, x = sg.shared(np.zeros(2), name="total"), T.matrix("x")
    before, updates = sg.scan(lambda row: (total * 1, [(total, total + row)]), sequences=x)
    f = sg.function([x], before, updates=updates, mode=mode)
    v = rng().normal(size=(4, 2))
    sums = np.concatenate([np.zeros((1, 2)), v.cumsum(0)])
    np.testing.assert_allclose(f(v), sums[:-1], atol=1e-14)
    np.testing.assert_allclose(total.get_value(), sums[-1])


def test_noise_drawn_outside_is_the_same_in_all_steps_and_inside_it_is_not() -> None:
    streams = RandomStreams(1)
    outside = streams.binomial((50,), n=1, p=0.5)
    same, updates = sg.scan(lambda: outside * 1, n_steps=6)
    a = sg.function([], same, updates=updates)()
    assert (a == a[0]).all()
    different, updates = sg.scan(lambda: streams.binomial((50,), n=1, p=0.5), n_steps=6)
    assert len(updates) == 1
    g = sg.function([], different, updates=updates)
    first, second = g(), g()
    assert len({row.tobytes() for row in (*first, *second)}) == 12


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "None"])
def test_the_same_noise_in_every_mode(mode: str) -> None:
    def numbers(mode: str) -> Any:
        streams = RandomStreams(7)
        walk, updates = sg.scan(lambda x: x + streams.normal((3,)), outputs_info=T.zeros(3), n_steps=5)
        f = sg.function([], walk, updates=updates, mode=mode)
        return np.stack([f(), f()])

    np.testing.assert_array_equal(numbers(mode), numbers("DebugMode"))


def test_gibbs_sampling() -> None:
    """A Boltzmann machine of 3 visible and 2 hidden units: what is sampled comes as often as the exact law says."""
    r = rng()
    w, b, c = r.normal(size=(3, 2)), r.normal(size=3) * 0.5, r.normal(size=2) * 0.5
    W, bvis, bhid = sg.shared(w), sg.shared(b), sg.shared(c)
    streams = RandomStreams(1234)

    def one_step(sample: Any) -> Any:
        hidden_mean = T.nnet.sigmoid(T.dot(sample, W) + bhid)
        hidden = streams.binomial(size=hidden_mean.shape, n=1, p=hidden_mean)
        visible_mean = T.nnet.sigmoid(T.dot(hidden, W.T) + bvis)
        return streams.binomial(size=visible_mean.shape, n=1, p=visible_mean, dtype="float64")

    start = T.matrix("start")
    values, updates = sg.scan(one_step, outputs_info=start, n_steps=20)
    assert len(updates) == 2
    gibbs = sg.function([start], values[-1], updates=updates)
    chains = gibbs(np.zeros((4000, 3)))
    again = gibbs(chains)
    assert (again != chains).any()
    states = np.array(list(np.ndindex(2, 2, 2)), float)
    weights = np.exp(states @ b) * np.prod(1 + np.exp(states @ w + c), axis=1)
    wanted = weights / weights.sum()
    found = np.array([(again == state).all(1).mean() for state in states])
    np.testing.assert_allclose(found, wanted, atol=5 * np.sqrt(0.25 / 4000))


# ---- until ----------------------------------------------------------------------------------------------------------


@IN_EACH_MODE
def test_powers_of_two_until_they_are_large_enough(mode: str) -> None:
    most = T.scalar("most")
    values, _ = sg.scan(lambda before, most: (before * 2, sg.scan_module.until(before * 2 > most)),
                        outputs_info=T.constant(1.0), non_sequences=most, n_steps=1024)
    f = sg.function([most], values, mode=mode)
    np.testing.assert_array_equal(f(45.0), [2, 4, 8, 16, 32, 64])
    np.testing.assert_array_equal(f(1.0), [2])


@IN_EACH_MODE
def test_gradients_of_as_many_steps_as_were_made(mode: str) -> None:
    """The root of x**2 = a by Newton's method, and its slope 1 / (2 sqrt(a))."""
    a = T.scalar("a")

    def step(x: Any) -> Any:
        better = (x + a / x) / 2
        return better, sg.scan_module.until(abs(better - x) < 1e-10)

    values, _ = sg.scan(step, outputs_info=T.constant(1.0), n_steps=100)
    f = sg.function([a], [values[-1], values.shape[0], sg.grad(values[-1], a)], mode=mode)
    root, steps, slope = f(2.0)
    np.testing.assert_allclose(root, np.sqrt(2))
    np.testing.assert_allclose(slope, 0.5 / np.sqrt(2))
    assert 3 <= int(steps) <= 10
    assert int(f(1e6)[1]) > int(steps)


# ---- networks -------------------------------------------------------------------------------------------------------


@IN_EACH_MODE
def test_an_echo_state_network(mode: str) -> None:
    """Inputs four steps back, states three back, outputs fed back: the example of the manual."""
    u, x0, y0 = T.matrix("u"), T.matrix("x0"), T.vector("y0")
    r = rng()
    W, W_1, W_2, W_back, W_out = (sg.shared(r.normal(size=s) * 0.5) for s in ((3, 3), (2, 3), (2, 3), (1, 3), (3, 1)))

    def step(u_4: Any, u_t: Any, x_3: Any, x_1: Any, y_1: Any, W: Any, W_1: Any, W_2: Any, W_back: Any,
             W_out: Any) -> Any:
        x_t = T.tanh(T.dot(x_1, W) + T.dot(u_t, W_1) + T.dot(u_4, W_2) + T.dot(y_1, W_back))
        return [x_t, T.dot(x_3, W_out)]

    (xs, ys), updates = sg.scan(
        fn=step, sequences={"input": u, "taps": [-4, -0]},
        outputs_info=[{"initial": x0, "taps": [-3, -1]}, y0], non_sequences=[W, W_1, W_2, W_back, W_out], strict=True)
    cost = (ys ** 2).sum()
    f = sg.function([u, x0, y0], [xs, ys, *sg.grad(cost, [W, W_out, u])], updates=updates, mode=mode)
    w, w1, w2, wb, wo = (v.get_value() for v in (W, W_1, W_2, W_back, W_out))
    u_v, x_v, y_v = r.normal(size=(9, 2)), r.normal(size=(3, 3)), r.normal(size=1)

    def plain(w: Any, wo: Any, u: Any) -> Any:
        history, y, out = list(x_v), y_v, []
        for t in range(4, 9):
            x = np.tanh(history[-1] @ w + u[t] @ w1 + u[t - 4] @ w2 + y @ wb)
            y = history[-3] @ wo
            history.append(x)
            out.append(y)
        return np.array(history[3:]), np.array(out)

    found = f(u_v, x_v, y_v)
    for a, b in zip(found[:2], plain(w, wo, u_v), strict=True):
        np.testing.assert_allclose(a, b)
    values = [w, wo, u_v]
    for place, slope in enumerate(found[2:]):
        step = r.normal(size=slope.shape) * 1e-6
        up, down = ((plain(*[v + way * step if i == place else v for i, v in enumerate(values)])[1] ** 2).sum()
                    for way in (1, -1))
        np.testing.assert_allclose((slope * step).sum(), (up - down) / 2, rtol=1e-5)


def bptt(x: Any, target: Any, h: Any, w: Any, u: Any, back: int) -> Any:
    """The slope of half the squared error of the last state by w, with errors going so many steps back."""
    states = [h]
    for row in x:
        states.append(np.tanh(states[-1] @ w + row @ u))
    slope, error = np.zeros_like(w), states[-1] - target
    for t in range(len(x), max(0, len(x) - back), -1):
        error = error * (1 - states[t] ** 2)
        slope += np.outer(states[t - 1], error)
        error = error @ w.T
    return slope


@IN_EACH_MODE
@pytest.mark.parametrize("back", [-1, 1, 3, 20])
def test_back_propagation_through_time(mode: str, back: int) -> None:
    x, target = T.matrix("x"), T.vector("target")
    r = rng()
    W, U = (sg.shared(r.normal(size=(3, 3)) * 0.5, name=n) for n in "WU")
    states, _ = sg.scan(lambda row, h: T.tanh(T.dot(h, W) + T.dot(row, U)), sequences=x,
                        outputs_info=T.zeros(3), truncate_gradient=back)
    slope = sg.grad(0.5 * ((states[-1] - target) ** 2).sum(), W)
    f = sg.function([x, target], slope, mode=mode)
    v, t = r.normal(size=(8, 3)), r.normal(size=3)
    np.testing.assert_allclose(f(v, t), bptt(v, t, np.zeros(3), W.get_value(), U.get_value(), 8 if back < 0 else back))


@IN_EACH_MODE
def test_second_derivatives_of_a_loop(mode: str) -> None:
    w, x, d = T.vector("w"), T.matrix("x"), T.vector("d")
    states, _ = sg.scan(lambda row, h, w: T.tanh(w * h + row), sequences=x, outputs_info=T.ones_like(w) * 0.1,
                        non_sequences=w)
    cost = (states[-1] ** 2).sum() + states.sum()
    H, product = sg.hessian(cost, w), sg.hessian_vector_product(cost, w, d)
    J, forward = sg.jacobian(states[-1], w), sg.Rop(states[-1], w, d)
    f = sg.function([w, x, d], [H, product, J, forward, sg.grad(cost, w)], mode=mode)
    r = rng()
    value, inputs, direction = r.normal(size=3), r.normal(size=(4, 3)), r.normal(size=3)
    second, along, jacobian, pushed, _ = f(value, inputs, direction)
    np.testing.assert_allclose(along, second @ direction, rtol=1e-9)
    np.testing.assert_allclose(pushed, jacobian @ direction, rtol=1e-9)
    e = 1e-5
    for i in range(3):
        up, down = (f(value + way * e * np.eye(3)[i], inputs, direction)[4] for way in (1, -1))
        np.testing.assert_allclose(second[i], (up - down) / (2 * e), rtol=1e-5, atol=1e-8)


@IN_EACH_MODE
def test_a_network_learns(mode: str) -> None:
    """The states of one step are trained to be those of another network."""
    r = rng()
    W, U = (sg.shared(r.normal(size=(4, 4)) * 0.3, name=n) for n in "WU")
    x, y = T.tensor3("x"), T.matrix("y")
    states, _ = sg.scan(lambda now, h: T.tanh(T.dot(h, W) + T.dot(now, U)), sequences=x,
                        outputs_info=T.zeros((x.shape[1], 4)))
    cost = ((states[-1] - y) ** 2).mean()
    step = sg.function([x, y], cost, updates=[(p, p - 0.3 * g) for p, g in zip((W, U), sg.grad(cost, [W, U]),
                                                                              strict=True)], mode=mode)
    values = r.normal(size=(6, 10, 4))
    h = np.zeros((10, 4))
    for now in values:
        h = np.tanh(h @ np.diag([0.5, -0.5, 0.2, 0.1]) + now * 0.5)
    costs = [float(step(values, h)) for _ in range(40 if mode != "DebugMode" else 5)]
    assert costs[-1] < costs[0] * (0.2 if mode != "DebugMode" else 1)


# ---- map, reduce, folds, and loops in loops -------------------------------------------------------------------------


@IN_EACH_MODE
def test_map_reduce_and_folds(mode: str) -> None:
    x = T.vector("x")
    squares, _ = sg.map(lambda v: v ** 2, x)
    total, _ = sg.reduce(lambda v, total: total + v, x, T.constant(0.0))
    left, _ = sg.foldl(lambda v, before: 2 * before + v, x, T.constant(0.0))
    right, _ = sg.foldr(lambda v, before: 2 * before + v, x, T.constant(0.0))
    f = sg.function([x], [squares, total, left, right, sg.grad(left, x), sg.grad(right, x)], mode=mode)
    values = f([1.0, 2.0, 3.0])
    for found, wanted in zip(values, ([1, 4, 9], 6, 11, 17, [4, 2, 1], [1, 2, 4]), strict=True):
        np.testing.assert_allclose(found, wanted)
    backwards, _ = sg.map(lambda v: v ** 2, x, go_backwards=True)
    np.testing.assert_allclose(backwards.eval({x: [1.0, 2.0, 3.0]}), [9, 4, 1])


@IN_EACH_MODE
def test_a_loop_in_a_loop(mode: str) -> None:
    """Numbers of rows of binary digits, and the product of all pairs of two vectors."""
    digits = T.matrix("digits")

    def number(row: Any) -> Any:
        return sg.scan(lambda digit, before: 2 * before + digit, sequences=row, outputs_info=T.constant(0.0))[0][-1]

    numbers, _ = sg.scan(number, sequences=digits)
    a, b = T.vector("a"), T.vector("b")
    pairs, _ = sg.scan(lambda v, b: sg.scan(lambda w, v: v * w, sequences=b, non_sequences=v)[0], sequences=a,
                       non_sequences=b)
    f = sg.function([digits, a, b], [numbers, pairs, sg.grad(numbers.sum(), digits), sg.grad((pairs ** 2).sum(), a)],
                    mode=mode)
    u, v = np.array([1.0, -2.0]), np.array([3.0, 0.5, 1.0])
    found, products, slope, by_a = f([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]], u, v)
    np.testing.assert_allclose(found, [5, 3])
    np.testing.assert_allclose(products, np.outer(u, v))
    np.testing.assert_allclose(slope, [[4, 2, 1]] * 2)
    np.testing.assert_allclose(by_a, 2 * u * (v ** 2).sum())


@IN_EACH_MODE
def test_the_outer_state_goes_through_an_inner_loop(mode: str) -> None:
    x, w = T.vector("x"), T.scalar("w")

    def outer(v: Any, h: Any) -> Any:
        inner, _ = sg.scan(lambda s: T.tanh(w * s), outputs_info=h + v, n_steps=3)
        return inner[-1]

    states, _ = sg.scan(outer, sequences=x, outputs_info=T.constant(0.5))
    f = sg.function([x, w], [states, sg.grad(states.sum(), w)], mode=mode)

    def plain(v: Any, w: Any) -> Any:
        h, out = 0.5, []
        for e in v:
            h = h + e
            for _ in range(3):
                h = np.tanh(w * h)
            out.append(h)
        return np.array(out)

    values = rng().normal(size=4)
    found, slope = f(values, 0.7)
    np.testing.assert_allclose(found, plain(values, 0.7))
    np.testing.assert_allclose(slope, (plain(values, 0.7 + 1e-6).sum() - plain(values, 0.7 - 1e-6).sum()) / 2e-6,
                               rtol=1e-6)


# ---- forms, and the rest of the signature ---------------------------------------------------------------------------


def test_forms_of_what_is_returned() -> None:
    x = T.vector("x")
    assert isinstance(sg.scan(lambda v: v * 2, x)[0], sg.Variable)
    assert isinstance(sg.scan(lambda v: v * 2, x, return_list=True)[0], list)
    outputs, updates = sg.scan(lambda v, h: [h + v, v * 2], x, outputs_info=[T.constant(0.0), None])
    assert isinstance(outputs, list)
    assert isinstance(updates, dict)
    found = sg.function([x], outputs)([1.0, 2.0])
    np.testing.assert_allclose(found[0], [1, 3])
    np.testing.assert_allclose(found[1], [2, 4])


@IN_EACH_MODE
def test_fewer_steps_than_elements_and_going_backwards(mode: str) -> None:
    x, n = T.vector("x"), T.iscalar("n")
    some, _ = sg.scan(lambda v, h: h + v, x, outputs_info=T.constant(0.0), n_steps=n)
    last, _ = sg.scan(lambda v, h: h + v, x, outputs_info=T.constant(0.0), n_steps=n, go_backwards=True)
    f = sg.function([x, n], [some, last, sg.grad(last[-1], x)], mode=mode)
    first, second, slope = f([1.0, 10.0, 100.0, 1000.0], 2)
    np.testing.assert_array_equal(first, [1, 11])
    np.testing.assert_array_equal(second, [1000, 1100])
    np.testing.assert_array_equal(slope, [0, 0, 1, 1])


def test_what_is_around_a_loop_is_used_and_replaced() -> None:
    x, bias, other = T.vector("x"), T.scalar("bias"), T.scalar("other")
    offset = bias * 2
    values, _ = sg.scan(lambda v: v + offset, x)
    np.testing.assert_array_equal(sg.function([x, bias], values)([1.0], 3.0), [7.0])
    np.testing.assert_array_equal(sg.function([x, other], values, givens={bias: other + 1})([1.0], 3.0), [9.0])
    replaced = sg.clone(values, replace={offset: other})
    np.testing.assert_array_equal(sg.function([x, other], replaced)([1.0], 3.0), [4.0])
    with pytest.raises(ValueError, match=r"offset|strict|bias|argument"):
        sg.scan(lambda v: v + offset, x, strict=True)


def test_an_error_in_a_step_says_which_and_where() -> None:
    x, i = T.vector("x"), T.lvector("i")
    values, _ = sg.scan(lambda k: x[k] * 2, i)
    with pytest.raises(IndexError) as caught:
        sg.function([x, i], values)([1.0, 2.0], [0, 1, 5])
    told = "".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert "test_theano_programs.py" in told
    assert "step 2" in told


def test_lengths_that_do_not_fit() -> None:
    x = T.vector("x")
    values, _ = sg.scan(lambda v: v * 2, x, n_steps=5)
    with pytest.raises(ValueError, match=r"5|steps"):
        sg.function([x], values)([1.0, 2.0])
    with pytest.raises(ValueError, match="negative"):
        sg.scan(lambda h: h, outputs_info=T.constant(0.0), n_steps=-1)
    with pytest.raises(TypeError, match=r"int64.*float64|cast"):
        sg.scan(lambda h: h * 1.5, outputs_info=T.constant(0), n_steps=2)


def test_theano_s_names() -> None:
    from symgraph.scan_module import scan, until

    assert scan is sg.scan
    assert callable(until)
    assert sg.scan_module.scan is sg.scan
