"""Whole training steps: how many launches they take, and that they compute what the NumPy backend computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.cupy.devices.emulated import EmulatedDevice
from symgraph.plan.jobs import Launch
from symgraph.random import RandomStreams
from tests.cupy.common_jobs import Runner, assert_close
from tests.cupy.gate import check_compiles

RNG = np.random.default_rng(7)


def slices(n: int, features: int, classes: int, batch: int) -> tuple[Any, Any, Any, dict[Any, Any]]:
    """The symbols of a minibatch, and what stands for them: slices of shared data by an index."""
    images = sg.shared(RNG.random((n, features)).astype("float32"), name="images")
    labels = sg.shared(RNG.integers(0, classes, n).astype("int32"), name="labels")
    x, y, index = T.fmatrix("x"), T.ivector("y"), T.lscalar("index")
    chosen = slice(index * batch, (index + 1) * batch)
    return x, y, index, {x: images[chosen], y: labels[chosen]}


def weights(*shape: int, name: str) -> Any:
    return sg.shared((RNG.standard_normal(shape) * 0.1).astype("float32"), name=name)


def negative_log_likelihood(p: Any, y: Any) -> Any:
    return -T.mean(T.log(p)[T.arange(y.shape[0]), y])


def logistic_regression(n: int = 130, features: int = 40, batch: int = 60) -> Any:
    x, y, index, examples = slices(n, features, 10, batch)
    W, b = weights(features, 10, name="W"), weights(10, name="b")
    cost = negative_log_likelihood(T.nnet.softmax(T.dot(x, W) + b), y)
    updates = [(p, p - 0.13 * sg.grad(cost, p)) for p in (W, b)]
    return sg.function([index], cost, updates=updates, givens=examples)


def perceptron(n: int = 50, features: int = 40, hidden: int = 500, batch: int = 20, l1: float = 0.0) -> Any:
    x, y, index, examples = slices(n, features, 10, batch)
    W1, b1 = weights(features, hidden, name="W1"), weights(hidden, name="b1")
    W2, b2 = weights(hidden, 10, name="W2"), weights(10, name="b2")
    p = T.nnet.softmax(T.dot(T.tanh(T.dot(x, W1) + b1), W2) + b2)
    cost = negative_log_likelihood(p, y) + 1e-4 * (T.sum(W1**2) + T.sum(W2**2))
    if l1:
        cost += l1 * (T.sum(abs(W1)) + T.sum(abs(W2)))
    updates = [(q, q - 0.1 * sg.grad(cost, q)) for q in (W1, b1, W2, b2)]
    return sg.function([index], cost, updates=updates, givens=examples)


def launches(function: Any) -> list[Launch]:
    return Runner(function.plan).launches


def kinds(function: Any) -> list[list[str]]:
    return [sorted(job.kind for job in launch.jobs) for launch in launches(function)]


def test_logistic_regression_is_two_launches() -> None:
    function = logistic_regression(1800, 784, 600)
    assert kinds(function) == [["rows"], ["product", "reduction", "reduction"]]
    over = {str(a) for launch in launches(function) for a in launch.over.values()}
    assert over == {"W", "b"}


@pytest.mark.parametrize("l1", [0.0, 0.001])
def test_perceptron_is_three_launches(l1: float) -> None:
    function = perceptron(200, 784, 500, 20, l1)
    found = kinds(function)
    assert len(found) == 3
    assert found[1] == ["rows"]
    assert found[2] == ["product", "product", "reduction", "reduction", "reduction"]
    over = {str(a) for launch in launches(function) for a in launch.over.values()}
    assert over == {"W1", "b1", "W2", "b2"}


def test_every_update_of_an_optimiser_is_in_one_launch() -> None:
    """Momentum for many parameters that are there already: one launch, whatever their shapes."""
    parameters = [weights(*shape, name=f"p{i}") for i, shape in enumerate([(3, 4), (5,), (2, 3, 4), (6, 6), ()])]
    speeds = [sg.shared(np.zeros_like(p.get_value()), name="v") for p in parameters]
    gradients = [sg.shared(RNG.standard_normal(p.get_value().shape).astype("float32")) for p in parameters]
    updates = []
    for p, v, g in zip(parameters, speeds, gradients, strict=True):
        new = 0.9 * v - np.float32(0.1) * g
        updates += [(v, new), (p, p + new)]
    function = sg.function([], [], updates=updates)
    runner = Runner(function.plan, 3)
    assert len(runner.launches) == 1
    got = runner()
    function()
    assert_close(got, [target.get_value() for target, _ in updates])


def test_a_launch_takes_no_more_arrays_than_a_kernel_has_parameters_for() -> None:
    parameters = [weights(i + 1, name=f"p{i}") for i in range(70)]
    function = sg.function([], [], updates=[(p, 2 * p) for p in parameters])
    assert [len(launch.jobs) for launch in launches(function)] == [60, 10]


@pytest.mark.parametrize("seed", [1, pytest.param(0, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("make", [logistic_regression, perceptron])
def test_training_steps_compute_what_the_processor_computes(make: Any, seed: int) -> None:
    function = make()
    runner = Runner(function.plan, seed)
    for index in (0, 1, 2):  # the last minibatch is smaller
        got = runner(np.int64(index))
        cost = function(index)
        after = [u.target.get_value() for u in function.plan.updates]
        assert_close(got, [np.asarray(cost), *after], rtol=1e-4)


def adam(parameters: list[Any], cost: Any) -> list[tuple[Any, Any]]:
    """As its authors wrote it, with the number of the step a shared variable."""
    step = sg.shared(np.float32(0), name="step")
    t = step + 1
    updates = [(step, t)]
    for p in parameters:
        g = sg.grad(cost, p)
        m, v = (sg.shared(np.zeros_like(p.get_value()), name=f"{name}_{p.name}") for name in "mv")
        m_new, v_new = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        change = 0.01 * (m_new / (1 - 0.9**t)) / (T.sqrt(v_new / (1 - 0.999**t)) + 1e-3)
        updates += [(m, m_new), (v, v_new), (p, p - change)]
    return updates


def test_adam_joins_the_products() -> None:
    """Two products' gradients, their momenta and the parameters: still three launches, all written over."""
    x, y, index, examples = slices(60, 40, 10, 20)
    W1, b1, W2 = weights(40, 500, name="W1"), weights(500, name="b1"), weights(500, 10, name="W2")
    p = T.nnet.softmax(T.dot(T.tanh(T.dot(x, W1) + b1), W2))
    cost = negative_log_likelihood(p, y)
    function = sg.function([index], cost, updates=adam([W1, b1, W2], cost), givens=examples)
    runner = Runner(function.plan, 2)
    assert [len(launch.outputs) > 0 for launch in runner.launches] == [True] * 3
    assert sum(len(launch.over) for launch in runner.launches) == 10
    assert [len(launch.last) for launch in runner.launches] == [0, 0, 1]  # the number, which others read
    got = runner(np.int64(1))
    cost_there = function(1)
    assert_close(got, [np.asarray(cost_there), *(u.target.get_value() for u in function.plan.updates)], rtol=1e-3)


@pytest.mark.parametrize("size", [3, 40_000])
def test_updates_that_read_each_other(size: int) -> None:
    """All read the present values, though some are written over them in the same loop."""
    values = [RNG.standard_normal(size).astype("float32") for _ in range(3)]
    a, b, c = (sg.shared(value, name=name, shape=(size,)) for value, name in zip(values, "abc", strict=True))
    function = sg.function([], [], updates=[(a, b * 2), (b, a - c), (c, c + a)])
    runner = Runner(function.plan, 1)
    assert [len(launch.jobs) for launch in runner.launches] == [1]
    got = runner()
    assert_close(got, [values[1] * 2, values[0] - values[2], values[2] + values[0]])


@pytest.mark.parametrize("make", [logistic_regression, perceptron])
def test_elements_beyond_the_range_of_an_int(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a bound that small arrays reach."""
    monkeypatch.setattr("backends.cupy.jobs.launches._MOST_BY_INT", 10)
    function = make()
    runner = Runner(function.plan, 4)
    got = runner(np.int64(1))
    assert all("const long long n_" in source for source in runner.sources)
    cost = function(1)
    assert_close(got, [np.asarray(cost), *(u.target.get_value() for u in function.plan.updates)], rtol=1e-4)


def test_chains_are_as_long_as_their_dependencies() -> None:
    x, w = T.fmatrices("xw")
    centred = x - T.mean(x)
    plans = {
        1: sg.function([x], [T.sum(x), T.exp(x), T.max(x, axis=0)]),
        2: sg.function([x], T.sum(T.sqr(centred))),
        3: sg.function([x, w], T.dot(T.tanh(T.dot(T.tanh(T.dot(x, w)), w)), w)),
    }
    for number, function in plans.items():
        assert len(launches(function)) == number


def validation(penalty: bool = False) -> tuple[Any, list[np.ndarray]]:
    """The cost and the rate of errors of a network that is not trained; arguments for it."""
    x, y = T.fmatrix("x"), T.ivector("y")
    W, b = weights(30, 10, name="W"), weights(10, name="b")
    p = T.nnet.softmax(T.dot(x, W) + b)
    cost = negative_log_likelihood(p, y) + (1e-3 * T.sum(W**2) if penalty else 0)
    total = sg.shared(np.float32(0), name="total")
    function = sg.function([x, y], [cost, T.mean(T.neq(T.argmax(p, axis=1), y)), p.max()], updates=[(total, total + 1)])
    return function, [RNG.random((150, 30)).astype("float32"), RNG.integers(0, 10, 150).astype("int32")]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("rows", [150, 1])
def test_means_over_rows_are_summed_by_the_last_block(seed: int, rows: int) -> None:
    """With each access to memory looked at; the same bits whichever block comes last."""
    function, arguments = validation()
    arguments = [value[:rows] for value in arguments]
    runner = Runner(function.plan, seed)
    runner.device = EmulatedDevice(seed, checked=True)
    runner.error = runner.device.to_device(np.zeros(3, "int64"))
    first = runner(*arguments)
    assert kinds(function) == [["loop", "reduction", "reduction", "reduction", "rows"]]
    assert_close(first[:-1], function(*arguments), rtol=1e-4)
    other = Runner(function.plan, seed + 7)
    for mine, theirs in zip(first[:-1], other(*arguments)[:-1], strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_kernel_of_a_validation_compiles_for_gpus() -> None:
    function, arguments = validation()
    runner = Runner(function.plan)
    runner(*arguments)
    check_compiles(*runner.sources)


def test_means_wait_for_what_else_is_summed() -> None:
    """The penalty is known after the launch; so the cost has one of its own, and all are summed there. What only counts
    waits for that too."""
    function, arguments = validation(penalty=True)
    assert [len(found) for found in kinds(function)] == [2, 4]
    got = Runner(function.plan, 3)(*arguments)
    assert_close(got[:-1], function(*arguments), rtol=1e-4)


def test_a_row_of_rows_is_summed_in_a_launch_of_its_own() -> None:
    """One block would be too slow for a mean of every column."""
    x = T.fmatrix("x")
    assert kinds(sg.function([x], T.nnet.softmax(x).mean(0))) == [["rows"], ["reduction"]]


def counting() -> tuple[Any, list[np.ndarray]]:
    """Numbers and states that are read all over a launch, and change at its end: a reduction whose blocks share their
    results, a product in slices, random numbers."""
    x, count, rng = T.fmatrix("x"), sg.shared(np.float32(3), name="count"), RandomStreams(5)
    pair = sg.shared(np.arange(2, dtype="float32"), name="pair", shape=(2,))
    outputs = [(x * count).sum(), T.dot(x * count, x.T), x * rng.uniform(x.shape), x[:, :2] * pair]
    function = sg.function([x], outputs, updates=[(count, count + 1), (pair, pair * 2)])
    return function, [RNG.random((130, 70)).astype("float32")]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_is_read_all_over_a_launch_is_changed_by_its_last_block(seed: int) -> None:
    function, arguments = counting()
    runner = Runner(function.plan, seed)
    runner.device = EmulatedDevice(seed, checked=True)
    runner.error = runner.device.to_device(np.zeros(3, "int64"))
    (first,) = runner.launches
    assert {str(v) for launch in runner.launches for v in launch.over.values()} == {"count", "pair", "rng0"}
    assert first.last
    got = runner(*arguments)
    found = function(*arguments)
    assert_close(got, [*found, *(u.target.get_value() for u in function.plan.updates)], rtol=1e-4)


def test_kernels_with_a_last_block_compile_for_gpus() -> None:
    function, arguments = counting()
    runner = Runner(function.plan)
    runner(*arguments)
    check_compiles(*runner.sources)


def test_last_jobs_do_not_read_what_others_write_over() -> None:
    """Nor each other's: one of two that read each other is done with the rest."""
    a, b = (sg.shared(np.float32(k), name=n) for k, n in ((2, "a"), (5, "b")))
    x = T.fvector("x")
    function = sg.function([x], x * a + b, updates=[(a, a + b), (b, b * a)])
    runner = Runner(function.plan, 1)
    values = np.arange(4, dtype="float32")
    got = runner(values)
    assert_close(got, [values * 2 + 5, np.float32(7), np.float32(10)])
    assert sum(len(launch.last) for launch in runner.launches) <= 1


@pytest.mark.gpu
def test_the_last_block_of_a_gpu_sums_the_same_bits_every_time() -> None:
    with sg.config.change_flags(device="cuda", floatX="float32"):
        x, y = T.fmatrix("x"), T.ivector("y")
        p = T.nnet.softmax(x)
        function = sg.function([x, y], [negative_log_likelihood(p, y), T.mean(T.neq(T.argmax(p, axis=1), y))])
    arguments = [RNG.random((65536, 10)).astype("float32"), RNG.integers(0, 10, 65536).astype("int32")]
    first = function(*arguments)
    exact = np.log(np.exp(arguments[0].astype(float)).sum(1)) - arguments[0][np.arange(65536), arguments[1]]
    np.testing.assert_allclose(first[0], exact.mean(), rtol=1e-5)
    for _ in range(200):
        np.testing.assert_array_equal(function(*arguments), first)
    assert function.report().launches == 1
