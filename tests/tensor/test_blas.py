"""The operation that stands for BLAS: what it computes, what it refuses, its derivatives, its checks at run time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import TensorType
from symgraph.tensor.blas import Gemm
from symgraph.testing import verify_grad

#: Shapes of C, A and B: gemm, gemv from both sides, ger.
SHAPES = [((3, 4), (3, 5), (5, 4)), ((3,), (3, 5), (5,)), ((4,), (5,), (5, 4)), ((3, 4), (3, 1), (1, 4))]


def draw(*shapes: tuple[int, ...], dtype: str = "float64") -> list[Any]:
    rng = np.random.default_rng(3)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def symbols(*types: tuple[str, int]) -> list[Any]:
    return [TensorType(dtype, (None,) * ndim)() for dtype, ndim in types]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_it_is_the_formula(shapes: Any, dtype: str) -> None:
    c, a, b = values = draw(*shapes, dtype=dtype)
    inputs = [TensorType(dtype, tuple(1 if n == 1 else None for n in v.shape))() for v in values]
    expression = Gemm()(inputs[0], np.asarray(2, dtype), *inputs[1:], np.asarray(-0.5, dtype))
    for mode in ("FAST_RUN", "None"):
        got = sg.function(inputs, expression, mode=mode)(*values)
        assert got.dtype == dtype
        np.testing.assert_allclose(got, -0.5 * c + 2 * (a @ b), rtol=1e-5 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize("shapes", SHAPES[:3], ids=str)
def test_derivatives(shapes: Any) -> None:
    c, a, b, alpha, beta = draw(*shapes, (), ())
    verify_grad(lambda c, alpha, a, b, beta: Gemm()(c, alpha, a, b, beta), [c, alpha, a, b, beta])


@pytest.mark.parametrize(("types", "error", "message"), [
    ([("float64", 2)] * 5, TypeError, "alpha and beta are scalars"),
    ([("float64", 2), ("float64", 0), ("float32", 2), ("float64", 2), ("float64", 0)], TypeError, "one dtype"),
    ([("int64", n) for n in (2, 0, 2, 2, 0)], TypeError, "float32 or float64"),
    ([("float64", n) for n in (1, 0, 2, 2, 0)], TypeError, "of one rank"),
    ([("float64", n) for n in (1, 0, 1, 1, 0)], TypeError, "of one rank"),
    ([("float64", 2)], TypeError, "C, alpha, A, B and beta"),
], ids=["scale", "dtypes", "integers", "rank", "number", "too few"])
def test_what_it_refuses(types: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Gemm()(*symbols(*types))


def test_it_refuses_shapes_that_differ() -> None:
    a, b = symbols(("float64", 2), ("float64", 2))
    for static in ((1, None), (3, 4)):
        c = TensorType("float64", static)()
        with pytest.raises(ValueError, match="differ"):
            Gemm()(c, 1.0, TensorType("float64", (5, None))() if 3 in static else a, b, 1.0)


@pytest.mark.parametrize("shapes", [((1, 4), (3, 5), (5, 4)), ((3, 4), (3, 1), (5, 4)), ((3, 1), (3, 5), (5, 4)),
                                    ((3, 4), (3, 5), (1, 4))], ids=str)
def test_a_run_time_1_is_not_stretched(shapes: Any) -> None:
    c, a, b = symbols(*[("float64", 2)] * 3)
    f = sg.function([c, a, b], c - 0.5 * T.dot(a, b))
    assert "gemm" in {fired.rule for fired in f.fired}
    with pytest.raises(ValueError, match=r"shape|length|fit|align"):
        f(*draw(*shapes))


def test_a_training_step_is_one_call() -> None:
    """W - lr (x.T d + 2 l2 W), with scalars known or not, is one gemm on W with the scalars collected."""
    rng = np.random.default_rng(0)
    start, xs, ds = rng.normal(size=(5, 3)), rng.normal(size=(4, 5)), rng.normal(size=(4, 3))
    x, d, rate = T.dmatrix("x"), T.dmatrix("d"), T.dscalar("rate")
    for lr in (0.25, rate):
        w = sg.shared(start)
        f = sg.function([x, d, rate], [], updates=[(w, w - lr * (T.dot(x.T, d) + 2 * 0.125 * w))],
                        on_unused_input="ignore")
        calls = [s.node for s in f.plan.steps if isinstance(s.node.op, Gemm)]
        assert len(calls) == 1
        assert calls[0].inputs[0] is w
        if lr == 0.25:
            assert [float(calls[0].inputs[i].data) for i in (1, 4)] == [-0.25, 1 - 0.25 * 0.25]
        f(xs, ds, 0.25)
        np.testing.assert_allclose(w.get_value(), start - 0.25 * (xs.T @ ds + 0.25 * start), rtol=1e-13)
