"""Programs of rows as CUDA kernels, on the emulated device, against the NumPy backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from tests.cupy.common_jobs import Runner, assert_close, run_both

RNG = np.random.default_rng(5)


def drawn(*shape: int, dtype: str = "float32") -> np.ndarray:
    return (RNG.standard_normal(shape) * 3).astype(dtype)


x, w = T.fmatrices("xw")
b = T.fvector("b")
y = T.ivector("y")
big = T.ftensor3("big")

SIZES = [(0, 5), (9, 300), (200, 33)]
MORE = [*SIZES, *(pytest.param(shape, marks=pytest.mark.slow) for shape in ((1, 1), (3, 5), (40, 10), (2, 1100)))]


def kinds(runner: Runner) -> list[list[str]]:
    return [[job.kind for job in launch.jobs] for launch in runner.launches]


@pytest.mark.parametrize("shape", MORE)
def test_softmax(shape: tuple[int, int]) -> None:
    got, expected, runner = run_both([x, b], [T.nnet.softmax(x + b), T.nnet.logsoftmax(x)],
                                     [drawn(*shape), drawn(shape[1])], 3)
    assert_close(got, expected)
    assert len(runner.launches) == 1


def test_layer_normalisation() -> None:
    mean = T.mean(x, axis=1, keepdims=True)
    centred = x - mean
    out = centred / T.sqrt(T.mean(T.sqr(centred), axis=1, keepdims=True) + 1e-5) * b
    for shape in SIZES:
        got, expected, runner = run_both([x, b], [out], [drawn(*shape), drawn(shape[1])], 1)
        assert_close(got, expected, rtol=1e-4)
        assert kinds(runner) == [["rows"]]


def test_over_two_axes() -> None:
    out = T.nnet.softmax(big, axis=2) * 2
    got, expected, runner = run_both([big], [out], [drawn(4, 5, 6)], 2)
    assert_close(got, expected)
    assert kinds(runner) == [["rows"]]
    centred = big - T.mean(big, axis=(1, 2), keepdims=True)
    got, expected, _ = run_both([big], [centred * centred], [drawn(4, 5, 6)], 2)
    assert_close(got, expected)


def crossentropy(rows: Any) -> tuple[Any, Any]:
    p = T.nnet.softmax(rows)
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    return cost, sg.grad(cost, rows)


@pytest.mark.parametrize("shape", MORE)
def test_crossentropy_forward_and_gradient_in_one_pass(shape: tuple[int, int]) -> None:
    cost, gradient = crossentropy(x)
    labels = RNG.integers(-shape[1], shape[1], shape[0]).astype("int32")
    with np.errstate(all="ignore"):  # of no rows
        got, expected, runner = run_both([x, y], [cost, gradient], [drawn(*shape), labels], 6)
    assert_close(got, expected)
    assert kinds(runner) == [["rows", "reduction"]]


def test_rows_that_shared_memory_has_no_room_for() -> None:
    """What has to be kept of them lies in the device's memory then."""
    values = [drawn(20, 30), drawn(30, 100) / 9, drawn(100), RNG.integers(0, 100, 20).astype("int32")]
    weights = sg.shared(values[1], name="w")
    cost, gradient = crossentropy(T.dot(x, weights) + b)
    step = sg.function([x, b, y], [cost, gradient, T.sum(gradient, axis=0)])
    arguments = values[0], values[2], values[3]
    for most, outside in ((48 * 1024, False), (9000, True)):
        runner = Runner(step.plan, 3, most_shared=most)
        assert_close(runner(*arguments), [np.asarray(v) for v in step(*arguments)])
        assert ("outside" in runner.sources[0]) == outside
        assert runner.bindings[0].shared_bytes <= most


def test_fewer_labels_than_rows() -> None:
    cost, gradient = crossentropy(x)
    got, expected, _ = run_both([x, y], [cost, gradient], [drawn(20, 4), RNG.integers(0, 4, 13).astype("int32")], 6)
    assert_close(got, expected)
    with pytest.raises(IndexError, match="out of bounds"):
        run_both([x, y], [cost], [drawn(5, 4), np.zeros(7, "int32")])


def test_label_out_of_range_sets_the_error_word() -> None:
    plan = sg.function([x, y], list(crossentropy(x))).plan
    runner = Runner(plan)
    runner(drawn(5, 4), np.array([0, 1, 4, 0, 0], "int32"))
    assert list(runner.device.to_host(runner.error)) == [1, 4, 4]


@pytest.mark.parametrize(("rows", "inner", "outer"), [(7, 40, 3), (50, 300, 10), (3, 6, 50), (4, 100, 40), (9, 1, 1)])
def test_rows_times_a_small_matrix(rows: int, inner: int, outer: int) -> None:
    shared = sg.shared(drawn(inner, outer) / 20, name="W")
    out = T.nnet.softmax(T.dot(x, shared) + b)
    for outputs in ([out], [T.dot(x, shared)], [T.dot(T.nnet.softmax(x), shared) * 2]):
        function = sg.function([x, b], outputs, on_unused_input="ignore")
        runner = Runner(function.plan, 2)
        values = drawn(rows, inner), drawn(outer)
        assert_close(runner(*values), [np.asarray(v) for v in function(*values)])
        assert kinds(runner) == [["rows"]]


def test_sums_over_rows_leave_as_parts() -> None:
    p = T.nnet.softmax(x)
    outputs = [T.sum(p, axis=0), T.sum(p * p), T.max(p, axis=0, keepdims=True), T.sum(T.log(T.sum(T.exp(x), axis=1)))]
    got, expected, runner = run_both([x], outputs, [drawn(300, 12)], 4)
    assert_close(got, expected)
    assert [len(launch.jobs) for launch in runner.launches][1] >= 3


@pytest.mark.parametrize("dtype", ["float16", *(
    pytest.param(dtype, marks=pytest.mark.slow) for dtype in ("float64", "int32"))])
def test_dtypes(dtype: str) -> None:
    a = T.TensorType(dtype, (None, None))("a")
    values = RNG.integers(-3, 4, (30, 20)).astype(dtype)
    top = T.max(a, axis=1, keepdims=True)
    got, expected, _ = run_both([a], [a - top, T.sum((a - top) * 2, axis=1), T.argmax(a - top, axis=1)], [values], 3)
    assert_close(got, expected, rtol=2e-3)


def test_same_bits_whatever_the_schedule() -> None:
    cost, gradient = crossentropy(x)
    values = [drawn(90, 30), RNG.integers(0, 30, 90).astype("int32")]
    results = [run_both([x, y], [cost, T.sum(gradient, axis=0)], values, seed)[0] for seed in range(4)]
    for result in results[1:]:
        for one, other in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(one, other)
