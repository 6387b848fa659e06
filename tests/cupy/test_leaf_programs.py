"""Programs with leaf kernels train on the emulated device as on the CPU, and are recorded as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.random import RandomStreams
from symgraph.scalar import TABLE
from symgraph.tensor.elemwise import elemwise
from tests.cupy.common_programs import on_device
from tests.cupy.test_scalars import draws, in_dtypes

Made = tuple[Any, list[Any], list[np.ndarray]]


def embedding() -> Made:
    """Vectors of words, looked up by a batch of numbers of which some are the same."""
    words = sg.shared(np.linspace(-1, 1, 28, dtype="float32").reshape(7, 4), name="words")
    i, target = T.ivector("i"), T.fmatrix("target")
    cost = T.sum((T.tanh(words[i]) - target) ** 2)
    f = sg.function([i, target], cost, updates=[(words, words - np.float32(0.1) * sg.grad(cost, words))])
    return f, [words], [np.array([0, 5, -1, 5, 5], "int32"), np.ones((5, 4), "float32")]


def convolutional() -> Made:
    """Convolution, pooling and a softmax over classes."""
    rng = np.random.default_rng(0)
    filters, weights = (sg.shared(rng.normal(size=shape).astype("float32") * np.float32(0.3))
                        for shape in ((3, 2, 3, 3), (27, 4)))
    x, y = T.ftensor4("x"), T.ivector("y")
    pooled = T.signal.pool.pool_2d(T.tanh(T.nnet.conv2d(x, filters)), (2, 2), ignore_border=True)
    p = T.nnet.softmax(T.dot(pooled.flatten(2), weights))
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    parameters = [filters, weights]
    f = sg.function([x, y], cost, updates=[(v, v - np.float32(0.2) * g) for v, g in
                                           zip(parameters, sg.grad(cost, parameters), strict=True)])
    return f, parameters, [rng.normal(size=(5, 2, 8, 8)).astype("float32"), np.array([0, 3, 1, 1, 2], "int32")]


def noisy() -> Made:
    """Dropout and noise: what is drawn is the same, and goes on from call to call."""
    w = sg.shared(np.ones((6, 3), "float32"))
    x, rng = T.fmatrix("x"), RandomStreams(5)
    kept = x * T.cast(rng.binomial(x.shape, p=0.7), "float32")
    noise = T.cast(rng.uniform((4, 3)), "float32")
    cost = T.sum(T.sqr(T.dot(kept, w) + noise))
    f = sg.function([x], cost, updates=[(w, w - np.float32(0.01) * sg.grad(cost, w))])
    return f, [w], [np.linspace(0, 1, 24, dtype="float32").reshape(4, 6)]


@pytest.mark.parametrize("make", [embedding, convolutional, noisy])
def test_training_is_that_of_the_cpu_and_recorded(make: Callable[[], Made]) -> None:
    found = []
    for device in ("cpu", "emulated"):
        with on_device(device=device, floatX="float32"):
            f, parameters, values = make()
            costs = [float(f(*values)) for _ in range(3)]
            found.append([np.array(costs), *(v.get_value() for v in parameters)])
            if device == "emulated":
                report = f.report()
                assert report.rung != "step by step", report.why
                assert all(entry.device in ("device", "view", "host") and not entry.kernel.startswith("library")
                           for entry in report.entries)
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=2e-6)


#: Of two or more real parameters: their domains are not those of the others.
APART = {"pow", "jv", "iv", "gammainc", "gammaincc", "chi2sf", "betaln", "beta", "polygamma", "spherical_jn", "ldexp",
         "j0", "j1"}


@pytest.mark.parametrize("dtype", ["float32", *(pytest.param(d, marks=pytest.mark.slow) for d in (
    "bool", "int8", "uint64", "float16", "float64", "complex64", "complex128"))])
def test_all_elementwise_functions_in_one_program(dtype: str) -> None:
    x, y = (T.TensorType(dtype, (None, None))(name) for name in "xy")
    called = {name: elemwise(f)(*((T.eq(x, y), x, y) if name == "switch" else (x, y, x)[:f.nin]))
              for name, f in TABLE.items() if in_dtypes(f, dtype) is not None and name not in APART}
    rng = np.random.default_rng(0)
    values = [draws(dtype, rng, 60).reshape(5, 12) for _ in range(2)]
    found = []
    for device in ("cpu", "emulated"):
        with on_device(device=device, floatX="float64", warn_float64="ignore"), np.errstate(all="ignore"):
            f = sg.function([x, y], list(called.values()), on_unused_input="ignore")
            found.append(f(*values))
    for name, mine, theirs in zip(called, *found, strict=True):
        assert mine.dtype == theirs.dtype, name
        digits = {2: 1e-2, 4: 1e-5}.get(np.empty(0, mine.dtype).real.itemsize, 1e-11)
        np.testing.assert_allclose(mine, theirs, rtol=digits, atol=digits, err_msg=name)


def test_an_index_out_of_range_leaves_shared_values_as_they_are() -> None:
    with on_device(floatX="float32"):
        f, (words,), (_, target) = embedding()
        before = words.get_value()
        for _ in range(2):
            with pytest.raises(IndexError, match="index 7 is out of bounds for axis of size 7"):
                f(np.array([1, 7, 2, 0, 3], "int32"), target)
            np.testing.assert_array_equal(words.get_value(), before)
        f(np.array([1, 6, 2, 0, 3], "int32"), target)
        assert (words.get_value() != before).any()
