"""On a GPU: kernels, training steps and operations compute what they do on the emulated device and on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.cupy.devices.device import KernelError
from tests.cupy.test_emulation import PROGRAMS
from tests.cupy.test_ops_on_device import BARRED, tolerance, tried_dtype
from tests.cupy.test_training import CASES
from tests.records import RECORDS
from tests.records.base import Record
from tests.tensor.common import assert_value, symbol
from tests.tensor.test_ops_records import expected, samples

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", PROGRAMS)
def test_kernels(gpu: Any, name: str) -> None:
    computed, wanted = PROGRAMS[name].run(gpu)
    np.testing.assert_allclose(computed, wanted, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("which", CASES)
def test_training_steps(which: str) -> None:
    ours, mine = CASES[which]("cuda")
    theirs, wanted = CASES[which]("cpu")
    for k in (0, 1, 2, 3, 4, 0, 4, 2):
        np.testing.assert_allclose(ours(k), theirs(k), rtol=1e-5)
    for a, b in zip(mine, wanted, strict=True):
        np.testing.assert_allclose(a.get_value(), b.get_value(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("which", CASES)
def test_steps_are_the_same_bit_for_bit_every_time(which: str) -> None:
    runs = []
    for _ in range(2):
        step, parameters = CASES[which]("cuda")
        costs = [np.asarray(step(k % 5)) for k in range(50)]
        runs.append([*costs, *(p.get_value() for p in parameters)])
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("record", [r for r in RECORDS if r.name not in BARRED], ids=str)
def test_operations(record: Record) -> None:
    values, options = next(iter(samples(record, tried_dtype(record))))
    wanted = expected(record, values, options)
    if wanted is None:
        pytest.skip("the record says nothing of these values")
    with sg.config.change_flags(device="cuda", floatX="float64"):
        inputs = [symbol(v) for v in values]
        f = sg.function(inputs, record.call(*inputs, **options), on_unused_input="ignore")
        for _ in range(2):
            assert_value(f(*values), wanted, tolerance(record), f"shapes {[v.shape for v in values]}, {options}")


def test_random_numbers_are_those_of_the_cpu() -> None:
    drawn = []
    for device in ("cuda", "cpu"):
        with sg.config.change_flags(device=device, floatX="float32"):
            streams = sg.random.RandomStreams(5)
            f = sg.function([], [streams.uniform((300,)), streams.binomial((300,), p=0.3)])
            drawn.append([np.asarray(v) for _ in range(3) for v in f()])
    for a, b in zip(*drawn, strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_index_out_of_range_is_an_error_and_the_device_goes_on() -> None:
    with sg.config.change_flags(device="cuda", floatX="float32"):
        x, i = T.fvector("x"), T.ivector("i")
        f = sg.function([x, i], x[i])
        with pytest.raises(IndexError):
            f(np.ones(3, "float32"), np.array([0, 7], "int32"))
        np.testing.assert_array_equal(f(np.arange(3, dtype="float32"), np.array([2, -1], "int32")), [2, 2])


def test_a_source_that_does_not_compile_says_why(gpu: Any) -> None:
    with pytest.raises(KernelError, match=r"does not compile[\s\S]*nothing_known"):
        gpu.load('extern "C" __global__ void k(float *x) { *x = nothing_known; }', ["k"])


def test_values_of_other_libraries(gpu: Any) -> None:
    array = gpu.xp.arange(6, dtype="float32")
    with sg.config.change_flags(device="cuda", floatX="float32"):
        shared = sg.shared(np.zeros(6, "float32"))
        shared.set_value(array)
        np.testing.assert_array_equal(shared.get_value(), np.arange(6))
        back = gpu.xp.from_dlpack(shared.get_value(borrow=True, return_internal_type=True))
        np.testing.assert_array_equal(gpu.to_host(back), np.arange(6))
