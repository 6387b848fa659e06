"""Layers and losses beside their records: extremes, ties, shapes of convolutions, Theano's classes, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import TensorType
from symgraph.tensor.nnet import abstract_conv, neighbours, sigm
from tests.records.convolution import Loops
from tests.records.layers import _neighbours
from tests.tensor.common import MODES, compute, symbol

nnet: Any = T.nnet
RNG = np.random.default_rng(9)


def gradient(f: Any, at: Any, mode: str = "FAST_RUN") -> Any:
    x = symbol(np.asarray(at, "float64"))
    return compute([x], sg.grad(T.sum(f(x)), x), [np.asarray(at, "float64")], mode)


FAR: dict[str, tuple[Any, Any, Any]] = {
    "gelu": (nnet.gelu, [0, 1e4], [0, 1]),
    "gelu by tanh": (lambda x: nnet.gelu(x, "tanh"), [0, 1e4], [0, 1]),
    "silu": (nnet.silu, [0, 1e4], [0, 1]),
    "mish": (nnet.mish, [0, 1e4], [0, 1]),
    "hard_swish": (nnet.hard_swish, [0, 1e4], [0, 1]),
    "log_sigmoid": (nnet.log_sigmoid, [-1e4, 0], [1, 0]),
    "elu": (nnet.elu, [-1, 1e4], [0, 1]),
    "huber": (lambda x: nnet.huber(x, 0.0), [9999.5, 9999.5], [-1, 1]),
    "leaky_relu": (nnet.leaky_relu, [-100, 1e4], [0.01, 1]),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", FAR)
def test_far_from_zero(name: str, mode: str) -> None:
    """Values and slopes at -10000 and 10000 are the limits: nothing overflows."""
    f, values, slopes = FAR[name]
    x, at = T.dvector("x"), np.array([-1e4, 1e4])
    np.testing.assert_allclose(compute([x], f(x), [at], mode), values, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(gradient(f, at, mode), slopes, rtol=1e-12, atol=1e-12)


def test_gelu_keeps_its_accuracy_for_negative_arguments() -> None:
    """-6 times the probability of less than -6: 1 + erf would have cancelled to five digits."""
    np.testing.assert_allclose(nnet.gelu(np.array([-6.0])).eval(), [-6 * 9.865876450376946e-10], rtol=1e-12)


def test_no_probability_adds_nothing_to_the_divergence() -> None:
    p, q = np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]])
    np.testing.assert_allclose(nnet.kl_divergence(p, q).eval(), [np.log(2)])
    found = gradient(lambda x: nnet.kl_divergence(x, q), p)
    assert np.isfinite(found).all()
    assert nnet.kl_divergence(p, p).eval() == 0


def test_repeated_indices_add_up_in_an_embedding() -> None:
    found = gradient(lambda w: nnet.embedding(np.array([1, 1, 0]), w), np.ones((3, 2)))
    np.testing.assert_array_equal(found, [[1, 1], [2, 2], [0, 0]])
    i = T.lvector("i")
    with pytest.raises(IndexError):
        compute([i], nnet.embedding(i, np.ones((3, 2))), [np.array([3])])


def test_relu_with_slopes_to_learn() -> None:
    """A tensor of slopes broadcasts, and has a gradient."""
    x, a = T.dmatrix("x"), T.dvector("a")
    made = nnet.relu(x, a)
    at, slopes = np.array([[-2.0, 3.0], [4.0, -5.0]]), np.array([0.1, 0.2])
    value, by_a = compute([x, a], [made, sg.grad(T.sum(made), a)], [at, slopes])
    np.testing.assert_allclose(value, [[-0.2, 3], [4, -1]])
    np.testing.assert_allclose(by_a, [-2, -5])


# ---- shapes of convolutions ------------------------------------------------------------------------------------


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 3), st.integers(1, 2),
       st.sampled_from(["valid", "full", "half", 0, 2, (1, 0), (0, 3)]))
@settings(max_examples=60, deadline=None)
def test_shapes_of_convolutions(n: int, k: int, s: int, d: int, border: Any) -> None:
    """The three shapes fit together, and are those that arrays have."""
    mode = (border,) if isinstance(border, tuple) else border
    if n + 2 * (0 if mode in ("valid", 0) else 3) < (k - 1) * d + 1:
        return
    made = len(range(0, Loops((n,), (k,), mode, s, filter_dilation=d).whole[0] - (k - 1) * d, s))
    images, filters = (2, 3, n), (4, 3, k)
    if made < 1:
        return
    assert abstract_conv.get_conv_shape_1axis(n, k, border, s, d) == made
    output = abstract_conv.get_conv_output_shape(images, filters, mode, (s,), (d,))
    assert output == (2, 4, made)
    assert abstract_conv.check_conv_gradinputs_shape(images, filters, output, mode, (s,), (d,))
    assert not abstract_conv.check_conv_gradinputs_shape(images, filters, (2, 4, made + 1), mode, (s,), (d,))
    back = abstract_conv.get_conv_gradinputs_shape(filters, output, mode, (s,), (d,))
    assert back == (2, 3, n if s == 1 else None)
    kernel = abstract_conv.get_conv_gradweights_shape(images, output, mode, (s,), (d,))
    assert kernel == (4, 3, k if s == 1 and mode != "half" else None)


def test_possible_shapes() -> None:
    n = T.lscalar("n")
    shape = abstract_conv.assert_conv_shape((0, None, n))
    f = sg.function([n], shape[2])
    assert f(3) == 3
    with pytest.raises(AssertionError, match="axis 2"):
        f(0)
    for bad in ((1, 1, 0), (-1, 1, 2)):
        with pytest.raises(AssertionError, match="length"):
            abstract_conv.assert_conv_shape(bad)


def test_upsampling_is_a_transposed_convolution() -> None:
    """Inside the image, with the kernel of Theano's name."""
    x = RNG.normal(size=(1, 1, 5, 4))
    for ratio in (2, 3, 4):
        kernel = abstract_conv.bilinear_kernel_2D(ratio).eval()[None, None]
        whole = nnet.conv2d_transpose(x, kernel, (1, 1, 6 * ratio - 1, 5 * ratio - 1), input_dilation=(ratio, ratio))
        first = ratio - 1 - (ratio - 1) // 2
        found = nnet.bilinear_upsampling(x, ratio).eval()[0, 0]
        wanted = whole.eval()[0, 0, first: first + 5 * ratio, first: first + 4 * ratio]
        inside = (slice(ratio, -2 * ratio), slice(ratio, -2 * ratio))
        np.testing.assert_allclose(found[inside], wanted[inside], rtol=1e-12)


def test_upsampling_repeats_the_ends() -> None:
    found = nnet.bilinear_upsampling(np.array([[[[0.0, 3.0]]]]), 3).eval()[0, 0, 0]
    np.testing.assert_allclose(found, [0, 0, 1, 2, 3, 3])
    same = nnet.bilinear_upsampling(np.array([[[[0.0, 3.0]]]]), frac_ratio=(6, 2), use_1D_kernel=False).eval()[0, 0, 0]
    np.testing.assert_allclose(same, found)


# ---- neighbourhoods --------------------------------------------------------------------------------------------


@given(st.sampled_from(neighbours.MODES), st.tuples(st.integers(1, 3), st.integers(1, 3)),
       st.tuples(st.integers(1, 3), st.integers(1, 3)), st.tuples(st.integers(3, 6), st.integers(3, 6)))
@settings(max_examples=50, deadline=None)
def test_neighbourhoods(mode: str, window: Any, step: Any, space: Any) -> None:
    """By their definition; what does not cover the image to its end is refused, or left out where that is asked for."""
    x = RNG.normal(size=(2, 2, *space))
    v = symbol(x)
    if mode == "wrap_centered" and not all(n % 2 for n in window):
        with pytest.raises(ValueError, match="odd lengths"):
            nnet.images2neibs(v, window, step, mode)
        return
    sides = {"half": [k // 2 for k in window], "full": [k - 1 for k in window]}.get(mode, [0, 0])
    rest = [(n + 2 * p - k) % s for n, p, k, s in zip(space, sides, window, step, strict=True)]
    made = nnet.images2neibs(v, window, step, mode)
    if any(rest) and mode not in ("ignore_borders", "wrap_centered"):
        with pytest.raises(ValueError, match="do not end with"):
            compute([v], made, [x])
        return
    np.testing.assert_array_equal(compute([v], made, [x]), _neighbours(x, window, step, mode))


def test_images_from_their_neighbourhoods() -> None:
    x = RNG.normal(size=(2, 3, 4, 6))
    v = symbol(x)
    again = nnet.neibs2images(nnet.images2neibs(v, (2, 3)), (2, 3), v.shape)
    np.testing.assert_array_equal(compute([v], again, [x]), x)


def test_a_short_image_is_not_wrapped_twice() -> None:
    v = T.dtensor4("v")
    with pytest.raises(ValueError, match="length"):
        compute([v], nnet.images2neibs(v, (5, 1), (1, 1), "wrap_centered"), [np.ones((1, 1, 1, 1))])


# ---- Theano's classes ------------------------------------------------------------------------------------------


def test_theano_s_classes() -> None:
    x, b, y = RNG.normal(size=(3, 4)), RNG.normal(size=4), np.array([3, 0, 1])
    np.testing.assert_array_equal(nnet.Softmax()(x).eval(), nnet.softmax(x).eval())
    assert isinstance(nnet.softmax(x).owner.op, nnet.Softmax)
    np.testing.assert_array_equal(nnet.SoftmaxWithBias()(x, b).eval(), nnet.softmax_with_bias(x, b).eval())
    p = nnet.softmax(x)
    np.testing.assert_array_equal(nnet.CrossentropyCategorical1Hot()(p, y).eval(),
                                  nnet.crossentropy_categorical_1hot(p, y).eval())
    loss, probabilities, best = nnet.CrossentropySoftmaxArgmax1HotWithBias()(x, b, y)
    np.testing.assert_array_equal(best.eval(), (x + b).argmax(1))
    np.testing.assert_allclose(loss.eval(), -np.log(probabilities.eval()[np.arange(3), y]))
    for cls, function in ((sigm.ScalarSigmoid, nnet.sigmoid), (sigm.ScalarSoftplus, nnet.softplus),
                          (sigm.UltraFastScalarSigmoid, nnet.ultra_fast_sigmoid)):
        np.testing.assert_array_equal(cls(name="any")(x).eval(), function(x).eval())


@pytest.mark.parametrize("mode", ["valid", "full"])
def test_theano_s_first_convolution(mode: str) -> None:
    x, w = RNG.normal(size=(2, 3, 7, 6)), RNG.normal(size=(4, 3, 2, 3))
    made = nnet.ConvOp((3, 7, 6), (2, 3), 4, 2, 2, 1, mode)(x, w)
    np.testing.assert_array_equal(made.eval(), nnet.conv2d(x, w, border_mode=mode, subsample=(2, 1)).eval())


x4, M = T.dtensor4("x4"), T.dmatrix("M")
SIX = TensorType("float64", (4, 3, 3, 2, 2, 2))("SIX")
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "gelu": (lambda: nnet.gelu(M, "fast"), ValueError, "approximate must be"),
    "huber": (lambda: nnet.huber(M, M, 0), ValueError, "delta must be positive"),
    "nll": (lambda: nnet.nll(M, M), ValueError, "vector of classes"),
    "nll of floats": (lambda: nnet.nll(M, T.dvector()), TypeError, "integers"),
    "embedding": (lambda: nnet.embedding(M, M), TypeError, "indices as integers"),
    "embedding of a scalar": (lambda: nnet.embedding(T.lvector(), 1.0), ValueError, "axis to look up"),
    "layer_norm": (lambda: nnet.layer_norm(M, M), ValueError, "gamma must have a dimension for each"),
    "layer_norm of integers": (lambda: nnet.layer_norm(T.lmatrix()), TypeError, "real floats"),
    "layer_norm axes": (lambda: nnet.layer_norm(M, axes=2), ValueError, "out of bounds"),
    "layer_norm epsilon": (lambda: nnet.layer_norm(M, epsilon=-1), ValueError, "epsilon"),
    "neighbourhoods": (lambda: nnet.images2neibs(x4, (2, 0)), ValueError, "neib_shape must be 2 positive"),
    "symbolic neighbourhoods": (lambda: nnet.images2neibs(x4, T.lvector()), ValueError, "known when"),
    "step": (lambda: nnet.images2neibs(x4, (2, 2), (1, -1)), ValueError, "neib_step"),
    "mode": (lambda: nnet.images2neibs(x4, (2, 2), mode="same"), ValueError, "mode must be one of valid"),
    "rank": (lambda: nnet.images2neibs(M, (2, 2)), ValueError, "batch, channels, rows, columns"),
    "known lengths": (lambda: nnet.images2neibs(np.ones((1, 1, 5, 4)), (2, 2)), ValueError, "do not end with axis 2"),
    "too small": (lambda: nnet.images2neibs(np.ones((1, 1, 1, 4)), (2, 2)), ValueError, "do not fit into axis 2"),
    "images": (lambda: nnet.neibs2images(x4, (2, 2), (1, 1, 2, 2)), ValueError, "a row for each"),
    "images' mode": (lambda: nnet.neibs2images(M, (2, 2), (1, 1, 2, 2), "half"), ValueError, "mode must be"),
    "images' shape": (lambda: nnet.neibs2images(M, (2, 2), (1, 2, 2)), ValueError, "4 lengths"),
    "images' lengths": (lambda: nnet.neibs2images(M, (2, 2), (1, 1, 5, 2)), ValueError, "do not consist"),
    "no ratio": (lambda: nnet.bilinear_upsampling(x4), ValueError, "one of ratio and frac_ratio"),
    "both ratios": (lambda: nnet.bilinear_upsampling(x4, 2, (2, 1)), ValueError, "one of ratio and frac_ratio"),
    "ratio": (lambda: nnet.bilinear_upsampling(x4, 1.5), ValueError, "positive integer"),
    "fraction": (lambda: nnet.frac_bilinear_upsampling(x4, (2, 0)), ValueError, "positive integer"),
    "fractions": (lambda: nnet.frac_bilinear_upsampling(x4, 2), ValueError, "pair"),
    "enlarged integers": (lambda: nnet.bilinear_upsampling(T.ltensor4(), 2), TypeError, "cast it"),
    "enlarged matrix": (lambda: nnet.bilinear_upsampling(M, 2), ValueError, "batch, channels"),
    "unshared lengths": (lambda: nnet.conv2d(x4, T.TensorType("float64", (None,) * 6)(), unshared=True), ValueError,
                         "give filter_shape"),
    "unshared places": (lambda: nnet.conv2d(np.ones((1, 2, 5, 5)), SIX, unshared=True), ValueError, "places"),
    "unshared channels": (lambda: nnet.conv2d(np.ones((1, 3, 4, 4)), SIX, unshared=True), ValueError, "3 channels"),
    "unshared groups": (lambda: nnet.conv2d(x4, SIX, unshared=True, num_groups=3), ValueError, "4 filters"),
    "unshared booleans": (lambda: nnet.conv2d(np.ones((1, 2, 4, 4), bool), SIX, unshared=True), TypeError, "boolean"),
    "unshared films": (lambda: abstract_conv.AbstractConv3d(unshared=True), NotImplementedError, "not three"),
    "first convolution": (lambda: nnet.ConvOp(output_mode="half"), ValueError, "output_mode"),
    "its lengths": (lambda: nnet.ConvOp((3,), (2, 2)), ValueError, "2 or 3 lengths"),
    "films": (lambda: nnet.conv3D(x4, x4, T.dvector(), (1, 1, 1)), ValueError, "V must have 5"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_when_built(case: str) -> None:
    build, kind, text = REFUSED[case]
    with pytest.raises(kind, match=text):
        build()
