"""On a GPU: kernels, training steps and operations compute what they do on the emulated device and on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.cupy.devices.device import KernelError
from tests.cupy.test_emulation import PROGRAMS
from tests.cupy.test_graphs import recurrent
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


@pytest.mark.parametrize("which", [*CASES, "recurrent"])
def test_a_thousand_calls_are_the_same_on_every_rung(which: str) -> None:
    """Launch by launch, as graphs whose launches are changed, and many calls as one graph: bit for bit."""
    runs = []
    for rung in ("launches", "graph", "graph of many calls"):
        with sg.config.change_flags(cuda_graph={"launches": "never"}.get(rung, "always")):
            step, parameters = built(which)
        indices = [k * k % 4 for k in range(1000)]
        for k in range(4):
            step(k)  # whatever their alignment
        told = step.report
        costs = list(step.map(indices)) if rung == "graph of many calls" else [np.asarray(step(k)) for k in indices]
        assert told().rung == rung, told().why
        runs.append([*costs, *(p.get_value() for p in parameters)])
    for run in runs[1:]:
        for a, b in zip(run, runs[0], strict=True):
            np.testing.assert_array_equal(a, b)


def built(which: str) -> tuple[Any, list[Any]]:
    """A step of training on the GPU, and the parameters."""
    if which != "recurrent":
        return CASES[which]("cuda")
    with sg.config.change_flags(device="cuda", floatX="float32"):
        return recurrent(30, rate=0.05)


def test_a_product_of_the_library_is_captured() -> None:
    rng = np.random.default_rng(0)
    with sg.config.change_flags(device="cuda", floatX="float32", cuda_graph="always"):
        x, w = T.matrix("x"), sg.shared((rng.normal(size=(2048, 1024)) / 30).astype("float32"))
        f = sg.function([x], T.tanh(x @ w).sum(axis=1))
    for k in range(6):
        value = rng.normal(size=(128, 2048)).astype("float32")
        np.testing.assert_allclose(f(value), np.tanh(value @ w.get_value()).sum(axis=1), rtol=1e-3, atol=1e-3)
        assert f.report().rung == ("graph" if k else "step by step"), f.report().why


def test_streams_that_share_a_value_are_ordered(gpu: Any) -> None:
    from backends.cupy import backend_on

    streams = [backend_on("cuda").device.xp.cuda.Stream(non_blocking=True) for _ in range(3)]
    for graph in ("never", "always"):
        with sg.config.change_flags(device="cuda", floatX="float32", cuda_graph=graph):
            w = sg.shared(np.zeros(1 << 22, "float32"))
            grow = sg.function([], [], updates=[(w, w + 1)])
            look = sg.function([], [sg.Out(w.min(), device=True), sg.Out(w.max(), device=True)])
        seen = []
        for k in range(300):
            with streams[k % 3]:
                grow()
            with streams[(k + 1) % 3]:
                seen.append(look())
        gpu.finish()
        for k, (low, high) in enumerate(seen):
            assert (float(low.get()), float(high.get())) == (k + 1, k + 1)


def test_graphs_on_several_streams_do_not_share_the_workspace_of_products(gpu: Any) -> None:
    rng = np.random.default_rng(1)
    a, b = (gpu.to_device(rng.normal(size=(512, 512)).astype("float32")) for _ in range(2))
    outs, graphs = [gpu.empty((512, 512), np.float32) for _ in range(2)], []
    gpu.product(outs[0], a, b)
    wanted = gpu.to_host(outs[0])
    for out in outs:
        with gpu.capture() as graph:
            for _ in range(20):
                gpu.product(out, a, b)
        graphs.append(graph)
    streams = [gpu.xp.cuda.Stream(non_blocking=True) for _ in range(2)]
    for _ in range(20):
        for stream, graph in zip(streams, graphs, strict=True):
            with stream:
                graph.launch()
    gpu.finish()
    for out in outs:
        np.testing.assert_array_equal(gpu.to_host(out), wanted)


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
