"""Random numbers within kernels: whatever reads them computes them, and they are those of the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.plan.items import Sample
from symgraph.random import RandomStreams
from tests.cupy.common_programs import counted, on_device
from tests.cupy.gate import check_compiles
from tests.cupy.test_launches import Runner, assert_close, launches

RNG = np.random.default_rng(4)
X = RNG.normal(size=(6, 9)).astype("float32")
BIG = RNG.normal(size=(72, 64)).astype("float32")

Make = Callable[[RandomStreams], Any]
x = T.fmatrix("x")

#: Programs of one matrix, and its value; whether the results are the CPU's bit for bit.
PROGRAMS: dict[str, tuple[Make, np.ndarray, bool]] = {
    "a mask": (lambda r: x * r.binomial(x.shape, p=0.3, dtype="float32"), X, True),
    "packs": (lambda r: x * r.binomial(x.shape, p=0.3, dtype="float32"), BIG, True),
    "packs and a rest": (lambda r: x.flatten() * r.uniform((x.size,)), BIG[:, :63], True),
    "packs of many sizes": (lambda r: [
        x + r.uniform(x.shape), r.uniform(x.shape, dtype="float64"), r.uniform(x.shape, dtype="float16") * 2,
        r.integers(x.shape, 3, 9), r.uniform((x.shape[1],)) + x], BIG, True),
    "rows of packs": (lambda r: x * r.uniform((x.shape[0], 1)) + r.uniform((x.shape[1],)), BIG, True),
    "another order": (lambda r: x.T - r.uniform(x.shape).T + r.uniform((x.shape[1], x.shape[0])), BIG, True),
    "a number": (lambda r: x + r.uniform(()), X, True),
    "numbers in a range": (lambda r: r.random_integers(x.shape, T.cast(x[0] > 0, "int64"), 2**40), X, True),
    "normal": (lambda r: x + r.normal(x.shape), BIG, False),
    "normal, small": (lambda r: [r.normal(x.shape) * x, r.normal((3, 5), dtype="float16"),
                                 r.normal((7,), dtype="float64")], X, False),
    "others": (lambda r: [r.exponential(x.shape), r.gumbel(x.shape), r.laplace(x.shape), r.logistic(x.shape)], X,
               False),
    "in a reduction": (lambda r: [r.uniform(x.shape).sum(0), (x * r.uniform(x.shape)).max()], BIG, False),
    "in rows": (lambda r: T.nnet.softmax(x + r.uniform(x.shape)) * r.uniform(x.shape), X, False),
    "before a product": (lambda r: T.dot(x * r.uniform(x.shape), x.T), BIG, False),
    "after a product": (lambda r: T.dot(x, x.T) * r.uniform((x.shape[0], x.shape[0])), BIG, False),
    "nothing": (lambda r: x[:0] + r.uniform((0, x.shape[1])), X, True),
    "an order": (lambda r: r.permutation((2,), n=5), X, True),
}


def compare(which: str, other: str) -> None:
    """The numbers of a device, of three calls, with those of the CPU."""
    make, value, exact = PROGRAMS[which]
    found = []
    for device in ("cpu", other):
        with on_device(device=device, floatX="float32"):
            streams = RandomStreams(11)
            made = make(streams)
            f = sg.function([x], made if isinstance(made, list) else [made], on_unused_input="ignore")
            results = [part for _ in range(3) for part in f(value)]
            found.append([*results, *(state.get_value() for state, _ in streams.state_updates)])
    for theirs, mine in zip(*found, strict=True):
        assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
        if exact or mine.dtype.kind in "iu":
            np.testing.assert_array_equal(mine, theirs)
        else:
            digits = 64 * float(np.finfo(mine.dtype).eps)
            np.testing.assert_allclose(mine.astype(float), theirs.astype(float), rtol=digits, atol=digits)


@pytest.mark.parametrize("which", PROGRAMS)
def test_numbers_are_those_of_the_cpu(which: str) -> None:
    compare(which, "emulated")


@pytest.mark.gpu
@pytest.mark.parametrize("which", PROGRAMS)
def test_numbers_of_a_gpu_are_those_of_the_cpu(which: str) -> None:
    compare(which, "cuda")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_under_every_schedule(seed: int) -> None:
    rng = RandomStreams(3)
    mask = rng.binomial(x.shape, p=0.5, dtype="float32")
    hidden = T.tanh(T.dot(x, BIG[:64, :40])) * rng.uniform((x.shape[0], 40))
    function = sg.function([x], [hidden.sum(0), T.nnet.softmax(x * mask), mask.sum(1)])
    runner = Runner(function.plan, seed)
    assert_close(runner(BIG), [*function(BIG), *(u.target.get_value() for u in function.plan.updates)])


def test_kernels_compile_for_gpus() -> None:
    """Blocks of words are kept in registers, those of packs too."""
    rng = RandomStreams(3)
    outputs = [x * rng.binomial(x.shape, p=0.5, dtype="float32"), rng.uniform(x.shape, dtype="float64"),
               T.nnet.softmax(x + rng.uniform(x.shape)), x + rng.uniform((64,)).sum()]
    runner = Runner(sg.function([x], outputs).plan)
    runner(BIG)
    runner(X)
    for kernels in check_compiles(*runner.sources).values():
        assert all(use.stack == 0 and use.registers <= 128 for use in kernels.values())


def test_nothing_is_launched_for_a_mask() -> None:
    """Nor for the state after it, which is written over the present one in a launch that does not read it."""
    shapes = {"w": (64, 400), "v": (400, 5)}
    w, v = (sg.shared(RNG.normal(size=shape).astype("float32"), name=name) for name, shape in shapes.items())
    done = []
    for drop in (False, True):
        rng = RandomStreams(3)
        hidden = T.tanh(T.dot(x, w))
        if drop:
            hidden *= rng.binomial(hidden.shape, p=0.5, dtype="float32")
        cost = (T.nnet.softmax(T.dot(hidden, v)) ** 2).sum()
        updates = [(p, p - np.float32(0.1) * sg.grad(cost, p)) for p in (w, v)]
        done.append(launches(sg.function([x], cost, updates=updates)))
    without, with_mask = done
    assert len(with_mask) == len(without)
    drawn = [[job.kind for job in launch.jobs if any(isinstance(item.meaning, Sample) for item in job.items.values())]
             for launch in with_mask]
    # The product draws for itself; beside it a loop draws for what is done to the rows later.
    assert drawn == [["product", "loop"], [], []]
    assert {str(a) for launch in with_mask for a in launch.over.values()} == {"w", "v", "rng0"}


def test_noise_that_a_product_reads_is_drawn_once() -> None:
    """Every tile of the product would draw it anew."""
    rng = RandomStreams(3)
    found = launches(sg.function([x], T.dot(x + rng.normal(x.shape), BIG[:64])))
    assert [[job.kind for job in launch.jobs] for launch in found] == [["loop"], ["rows", "loop"]]


def test_many_calls_go_on_from_each_other() -> None:
    found = []
    for device in ("cpu", "emulated"):
        with on_device(device=device, floatX="float32"):
            i, rng = T.lscalar("i"), RandomStreams(8)
            f = sg.function([i], rng.uniform((5,)) * i)
            found.append(np.concatenate([f.map(range(4)), f.map(range(4)), [f(2)]]))
    np.testing.assert_array_equal(*found)
    with counted() as done:
        f.map(range(4))
    assert (done["graph_launches"], done["to_host"], done["launches"]) == (1, 1, 4)


def test_negative_lengths_are_refused() -> None:
    with on_device(floatX="float32"):
        n = T.lscalar("n")
        f = sg.function([n], RandomStreams(8).uniform((n,)))
    assert f(3).shape == (3,)
    with pytest.raises(ValueError, match="negative dimension"):
        f(-1)


def test_a_state_of_the_caller_may_lie_anyhow() -> None:
    """Its words are a column of a matrix; the state behind it is made without being stored."""
    states = T.matrix("states", dtype="uint64")
    from symgraph.random.draw import draw

    after, first = draw(states[:, 1], "uniform", "float32", (5, 3))
    last, second = draw(after, "bits", "uint32", (7,))
    value = np.array([[1, 2**63], [3, 2**64 - 1], [5, 2**64 - 2]], np.uint64)
    results = [sg.function([states], [first, second, last])(value)]
    with on_device():
        f = sg.function([states], [first, second, last])
    results.append(f(value))
    assert f.report().launches == 1
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(mine, theirs)
