"""Pooling beside its records: ties, what is known of shapes, higher derivatives, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symgraph as sg
import symgraph.tensor as T
from symgraph.graph import toposort
from symgraph.tensor import TensorType
from symgraph.tensor.signal import conv, downsample, pool, pool_ops
from symgraph.testing import verify_grad
from tests.records import RECORDS
from tests.records.pooling import pooled
from tests.tensor.common import compute, symbol

pool_2d: Any = pool.pool_2d
RNG = np.random.default_rng(4)


def gradient(x: Any, **options: Any) -> Any:
    v = symbol(np.asarray(x, "float64"))
    return compute([v], sg.grad(T.sum(pool_2d(v, **options)), v), [np.asarray(x, "float64")])


def test_every_public_operation_has_a_record() -> None:
    recorded = {r.name for r in RECORDS}
    for module in (pool, downsample, conv):
        for name in (n for n in module.__all__ if not isinstance(getattr(module, n), type)):
            assert any(f"signal.{m}.{name}" in recorded for m in ("pool", "downsample", "conv")), name


def test_all_that_tie_get_the_gradient() -> None:
    """As for the maximum of a whole tensor; overlapping windows add up."""
    np.testing.assert_array_equal(gradient([[1, 2], [2, 0]], ws=2), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(gradient([[0, 3, 1]], ws=(1, 2), stride=(1, 1)), [[0, 2, 0]])


def test_what_is_added_is_never_the_largest() -> None:
    low = np.full((2, 2), -np.inf)
    assert pool_2d(low, 2, ignore_border=True, pad=1).eval().tolist() == [[-np.inf] * 2] * 2
    np.testing.assert_array_equal(gradient(low, ws=2, ignore_border=True, pad=1), np.ones((2, 2)))
    assert pool_2d(np.full((1, 1), -7, "int8"), 2, ignore_border=True, pad=1, stride=1).eval().min() == -7


def test_nan_goes_through() -> None:
    x = np.array([[1.0, np.nan, 3.0, 4.0]])
    np.testing.assert_array_equal(pool_2d(x, (1, 2)).eval(), [[np.nan, 4]])


def test_an_average_counts_what_was_added_or_does_not() -> None:
    x = np.full((2, 2), 4.0)
    options: dict[str, Any] = {"ws": 2, "ignore_border": True, "pad": 1}
    np.testing.assert_array_equal(pool_2d(x, mode="average_inc_pad", **options).eval(), np.ones((2, 2)))
    np.testing.assert_array_equal(pool_2d(x, mode="average_exc_pad", **options).eval(), np.full((2, 2), 4.0))
    np.testing.assert_array_equal(pool_2d(np.ones((3, 3)), 2, mode="average_inc_pad").eval(), np.ones((2, 2)))


def test_the_image_s_border() -> None:
    """Theano's arithmetic: a window that reaches over the end is left out or cut off."""
    x = np.arange(25.0).reshape(5, 5)
    assert pool_2d(x, (2, 2), ignore_border=True).eval().shape == (2, 2)
    assert pool_2d(x, (2, 2), ignore_border=False).eval().tolist() == [[6, 8, 9], [16, 18, 19], [21, 23, 24]]
    assert pool_2d(x, (3, 3), stride=(2, 2)).eval().shape == (2, 2)
    assert downsample.max_pool_2d(x, (2, 2)).eval().shape == (3, 3)


def test_lengths_are_known_as_far_as_they_can_be() -> None:
    x = TensorType("float32", (None, 20, 24, None))()
    made = pool_2d(x, (2, 2), ignore_border=True)
    assert made.type.shape == (None, 20, 12, None)
    assert sg.grad(T.sum(made), x).type.shape == (None, 20, 24, None)
    assert sg.grad(T.sum(pool_2d(x, 2, mode="sum")), x).type.shape == (None, 20, 24, None)


def test_higher_derivatives_stay_pooling() -> None:
    x = T.dmatrix("x")
    again = sg.grad(T.sum(sg.grad(T.sum(pool_2d(x, 2) ** 3), x) ** 2), x)
    kinds = {type(node.op).__name__ for node in toposort([again]) if "Pool" in type(node.op).__name__}
    assert kinds == {"MaxPool", "MaxPoolGrad", "MaxPoolGather"}
    value = np.array([[1.0, 2.0], [3.0, 5.0]])
    np.testing.assert_allclose(compute([x], again, [value]), [[0, 0], [0, 36 * 5.0 ** 3]])


def test_gradients_refuse_what_pooling_does_not_give() -> None:
    x, z = T.dmatrix("x"), T.dmatrix("z")
    f = sg.function([x, z], pool_ops.MaxPoolGrad((2, 2), (2, 2), (0, 0), True)(x, z, z))
    with pytest.raises(ValueError, match=r"are pooled to \(2, 2\), not \(3, 3\)"):
        f(np.ones((5, 5)), np.ones((3, 3)))


NETS: dict[str, dict[str, Any]] = {
    "left out": {"ignore_border": True}, "cut off": {}, "overlapping": {"stride": (1, 2)},
    "average": {"mode": "average_exc_pad", "ignore_border": True, "pad": 1}, "sum": {"mode": "sum", "stride": 3},
}


@pytest.mark.parametrize("name", NETS)
def test_a_layer_of_a_network(name: str) -> None:
    """A convolution, pooling and a nonlinearity together: each mode gives the same, and the gradient is right."""
    values = [RNG.normal(size=(2, 2, 7, 6)), RNG.normal(size=(3, 2, 2, 3)), RNG.normal(size=3)]

    def layer(x: Any, w: Any, b: Any) -> Any:
        return T.tanh(pool_2d(T.nnet.conv2d(x, w), 2, **NETS[name]) + b.dimshuffle("x", 0, "x", "x")) * 2

    inputs = [T.dtensor4("x"), T.dtensor4("w"), T.dvector("b")]
    made = layer(*inputs)
    outputs = [made, *sg.grad(T.sum(made ** 2), inputs)]
    wanted = compute(inputs, outputs, values, "None")
    for mode in ("FAST_COMPILE", "FAST_RUN", "DebugMode"):
        for a, b in zip(compute(inputs, outputs, values, mode), wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    verify_grad(layer, values, 1, eps=1e-6)


M = T.dmatrix("M")
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "no windows": (lambda: pool_2d(M), ValueError, "ws, the size of the windows"),
    "windows of nothing": (lambda: pool_2d(M, (2, 0)), ValueError, "ws must be 2 integers of at least 1"),
    "too many": (lambda: pool_2d(M, (2, 2, 2)), ValueError, "ws must be 2 integers"),
    "floats": (lambda: pool_2d(M, 1.5), ValueError, "ws must be 2 integers"),
    "symbolic": (lambda: pool_2d(M, T.lvector()), ValueError, "known when the expression is built"),
    "stride": (lambda: pool_2d(M, 2, stride=0), ValueError, "stride must be 2 integers of at least 1"),
    "pad": (lambda: pool_2d(M, 2, True, pad=-1), ValueError, "pad must be 2 integers of at least 0"),
    "all pad": (lambda: pool_2d(M, 2, True, pad=2), ValueError, "smaller than ws"),
    "pad and border": (lambda: pool_2d(M, 2, pad=1), ValueError, "needs ignore_border=True"),
    "mode": (lambda: pool_2d(M, 2, mode="average"), ValueError, "mode must be one of max, sum, average_inc_pad"),
    "names": (lambda: pool_2d(M, 2, ds=2), ValueError, "ws and ds are the same"),
    "rank": (lambda: pool_2d(T.dvector(), 2), ValueError, "pooling over 2 axes"),
    "rank 3": (lambda: pool.pool_3d(M, 2), ValueError, "pooling over 3 axes"),
    "complex": (lambda: pool_2d(T.zmatrix(), 2), TypeError, "not defined on complex"),
    "sum of booleans": (lambda: pool_2d(np.ones((2, 2), bool), 2, mode="sum"), TypeError, "takes numbers"),
    "images": (lambda: conv.conv2d(T.dtensor4(), M), ValueError, "images of 2 or 3 dimensions"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_when_built(case: str) -> None:
    build, kind, text = REFUSED[case]
    with pytest.raises(kind, match=text):
        build()


@pytest.mark.parametrize("options", [{}, {"ignore_border": True}, {"stride": (1, 3)},
                                     {"stride": 1, "pad": (1, 0), "ignore_border": True}], ids=str)
def test_theano_s_classes(options: Any) -> None:
    """Parameters first, tensors later; the shape alone, also of symbolic lengths."""
    x = RNG.normal(size=(2, 5, 6))
    wanted = pool_2d(x, (2, 3), **options).eval()
    steps = {k: v for k, v in options.items() if k != "ignore_border"}
    border = options.get("ignore_border", False)
    np.testing.assert_array_equal(pool.Pool(border)(x, (2, 3), **steps).eval(), wanted)
    old = downsample.DownsampleFactorMax((2, 3), border, options.get("stride"), options.get("pad"))
    np.testing.assert_array_equal(old(x).eval(), wanted)
    assert pool.Pool.out_shape(x.shape, (2, 3), border, **steps) == list(wanted.shape)
    v = T.dtensor3("v")
    lengths = pool.Pool.out_shape([v.shape[i] for i in range(3)], (2, 3), border, **steps)
    assert tuple(int(n) for n in compute([v], lengths, [x])) == wanted.shape


@st.composite
def poolings(draw: Any) -> tuple[tuple[int, ...], dict[str, Any]]:
    """A shape of images and the parameters of a pooling."""
    rank = draw(st.integers(2, 3))
    window = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    options: dict[str, Any] = {"ws": window, "ignore_border": draw(st.booleans())}
    if draw(st.booleans()):
        options["stride"] = tuple(draw(st.integers(1, 4)) for _ in range(rank))
    if options["ignore_border"]:
        options["pad"] = tuple(draw(st.integers(0, n - 1)) for n in window)
    return tuple(draw(st.integers(1, 6)) for _ in range(rank)), options


@pytest.mark.parametrize("mode", pool.MODES)
@given(case=poolings())
@settings(max_examples=25, deadline=None)
def test_pooling_of_random_parameters(mode: str, case: Any) -> None:
    """Values as by a walk over windows; the gradient's product with a direction as finite differences have it."""
    shape, options = case
    x, v = (RNG.normal(size=(2, *shape)) for _ in range(2))
    rank, pooling = len(shape), pool.pool_2d if len(shape) == 2 else pool.pool_3d
    image = symbol(x)
    made = pooling(image, mode=mode, **options)
    weights = RNG.normal(size=pooled(x, rank, mode, **options).shape)
    found, gradient = compute([image], [made, sg.grad(T.sum(made * weights), image)], [x])
    np.testing.assert_allclose(found, pooled(x, rank, mode, **options), rtol=1e-12, atol=1e-12)
    up, down = (pooled(x + h * v, rank, mode, **options) for h in (1e-7, -1e-7))
    np.testing.assert_allclose((gradient * v).sum(), ((up - down) * weights).sum() / 2e-7, rtol=1e-5, atol=1e-5)
