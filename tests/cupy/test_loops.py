"""Loops over elements as CUDA kernels, on the emulated device, against the NumPy backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from tests.cupy.common_jobs import Runner, assert_close, run_both

RNG = np.random.default_rng(3)


def drawn(*shape: int, dtype: str = "float32") -> np.ndarray:
    return (RNG.standard_normal(shape) * 3).astype(dtype)


CASES: dict[str, tuple[list[Any], Any, list[np.ndarray]]] = {}


def case(name: str, inputs: list[Any], outputs: Any, values: list[np.ndarray]) -> None:
    CASES[name] = (inputs, outputs if isinstance(outputs, list) else [outputs], values)


x, y = T.fmatrices("xy")
v = T.fvector("v")
s = T.fscalar("s")
n = T.lscalar("n")
big = T.ftensor3("big")

case("chain", [x, y], T.tanh(x * y + 1) - x, [drawn(5, 7), drawn(5, 7)])
case("row", [x, v], x * v + T.exp(-v), [drawn(6, 40), drawn(40)])
case("column", [x, v], x - v[:, None] * 2, [drawn(40, 6), drawn(40)])
case("outer", [v], v[:, None] * v + 1, [drawn(33)])
case("transposed", [x, y], x.T * y, [drawn(8, 5), drawn(5, 8)])
case("transposed in tiles", [x, y], x.T * y + 1, [drawn(70, 45), drawn(45, 70)])
case("both ways in tiles", [x], [x + x.T, x - x.T], [drawn(90, 90)])
case("stacks in tiles", [big], T.exp(big.dimshuffle(0, 2, 1)), [drawn(3, 40, 33)])
case("both ways", [x], x + x.T, [drawn(9, 9)])
case("wide", [x, y], T.sqr(x) + y, [drawn(70, 80), drawn(70, 80)])
case("wide odd", [x, y], T.sqr(x) + y, [drawn(71, 83), drawn(71, 83)])
case("wide row", [x, v], T.maximum(x, v), [drawn(70, 80), drawn(80)])
case("wide column", [x, v], T.maximum(x, v[:, None]), [drawn(70, 80), drawn(70)])
case("three axes", [big, v], (big.dimshuffle(2, 0, 1) * v).dimshuffle(0, 2, 1) - 1, [drawn(3, 5, 4), drawn(5)])
case("outputs", [x, v], [x * v, x + v, T.gt(x, v), T.cast(x, "int32")], [drawn(6, 9), drawn(9)])
case("scalars", [s, n], [s * T.cast(n, "float32") + 1, T.sqrt(T.cast(n, "float64"))],
     [np.float32(2.5), np.int64(7)])
case("by value", [x, s], x * s + 1, [drawn(4, 5), np.float32(0.5)])
one = T.TensorType("float32", (1, 1))("one")
case("single numbers", [x, one], x * T.exp(one[0, 0]) + T.tanh(one.dimshuffle()), [drawn(4, 5), drawn(1, 1)])
case("alloc", [s, n], T.alloc(s * 2, n, 3), [np.float32(1.5), np.int64(4)])
case("arange", [n], T.arange(n) * 2, [np.int64(37)])
case("empty", [x], x * 2, [drawn(0, 5)])
i = T.lvector("i")
case("gather", [x, i], x[i] * 2, [drawn(9, 4), np.array([0, 8, -1, 3, 3])])
case("gather two", [x, i], x[i, i] + 1, [drawn(9, 9), np.array([0, 8, -1, 3, 3])])
h = T.TensorType("float16", (None,))("h")
case("half", [h], T.exp(h) + h, [drawn(50).astype("float16")])
z = T.TensorType("complex64", (None,))("z")
case("complex", [z], z * z + 1, [(drawn(50) + 1j * drawn(50)).astype("complex64")])
d = T.dmatrix("d")
case("mixed", [x, d], x * d + T.cast(x, "int8"), [drawn(40, 30), drawn(40, 30).astype("float64")])


def test_all_loops_in_one_launch() -> None:
    """All cases with inputs of their own, as one program."""
    inputs, outputs, values, places = [], [], [], []
    for own, made, arrays in CASES.values():
        fresh = [variable.type() for variable in own]
        inputs += fresh
        values += arrays
        outputs += sg.clone(made, replace=dict(zip(own, fresh, strict=True)))
        places.append(len(outputs))
    got, expected, runner = run_both(inputs, outputs, values, 3)
    for name, start, stop in zip(CASES, [0, *places], places, strict=False):
        assert_close(got[start:stop], expected[start:stop], rtol=2e-3 if name == "half" else 2e-5)
    assert len(runner.launches) == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 3])
@pytest.mark.parametrize("name", list(CASES))
def test_each_loop(name: str, seed: int) -> None:
    inputs, outputs, values = CASES[name]
    got, expected, runner = run_both(inputs, outputs, values, seed)
    assert_close(got, expected, rtol=2e-3 if name == "half" else 2e-5)
    assert len(runner.launches) == 1


def test_strides_of_views() -> None:
    base = drawn(40, 60)
    for view in (base[3:, ::2], base[::-1][:9], base.T, base[:, 5], base[1:30, 4:44]):
        a = T.TensorType("float32", (None,) * view.ndim)("a")
        got, expected, _ = run_both([a], [a * 2 + 1], [view])
        assert_close(got, expected)


def test_contiguous_loops_move_16_bytes() -> None:
    _, _, runner = run_both([x, y], [x * y + 1], [drawn(70, 80), drawn(70, 80)])
    assert "sg_pack<float, 4>" in runner.sources[0]
    _, _, runner = run_both([d], [d * d], [drawn(70, 80).astype("float64")])
    assert "sg_pack<double, 2>" in runner.sources[0]


def test_index_out_of_range_sets_the_error_word() -> None:
    plan = sg.function([x, i], x[i] * 2).plan
    runner = Runner(plan)
    runner(drawn(9, 4), np.array([0, 9, 3]))
    assert list(runner.device.to_host(runner.error)) == [1, 9, 9]


def test_independent_loops_share_a_launch() -> None:
    got, expected, runner = run_both([x, v], [T.exp(x), v * 2], [drawn(6, 7), drawn(400)])
    assert_close(got, expected)
    assert [len(launch.jobs) for launch in runner.launches] == [2]
