"""Convolutions beside their records: against SciPy, in runs of images, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.signal

import symgraph as sg
import symgraph.tensor as T
from symgraph.graph import toposort
from symgraph.tensor import TensorType
from symgraph.tensor.nnet import abstract_conv, conv3d2d, conv_columns, conv_ops
from symgraph.tensor.nnet.conv import get_conv_output_shape
from tests.tensor.common import compute, symbol

RNG = np.random.default_rng(5)
X, W = RNG.normal(size=(3, 2, 7, 6)), RNG.normal(size=(4, 2, 3, 2))


@pytest.mark.parametrize("mode", ["valid", "full"])
@pytest.mark.parametrize("flip", [True, False])
def test_as_scipy(mode: str, flip: bool) -> None:
    one = scipy.signal.convolve2d if flip else scipy.signal.correlate2d
    wanted = [[sum(one(x, w, mode) for x, w in zip(image, kernel, strict=True)) for kernel in W] for image in X]
    x, w = symbol(X), symbol(W)
    found = compute([x, w], T.nnet.conv2d(x, w, border_mode=mode, filter_flip=flip), [X, W], "FAST_RUN")
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def test_half_is_scipy_s_same_for_odd_filters() -> None:
    w = RNG.normal(size=(1, 2, 3, 5))
    wanted = sum(scipy.signal.convolve2d(X[0, c], w[0, c], "same") for c in range(2))
    found = T.nnet.conv2d(X, w, border_mode="half").eval()[0, 0]
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("limit", [1, 3000, 10**9])
def test_runs_of_images_do_not_matter(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """However many images are laid out at a time, values and gradients are the same."""
    x, w = symbol(X), symbol(W)
    z = T.nnet.conv2d(x, w, subsample=(2, 1), border_mode=1)
    outputs = [z, *sg.grad(T.sum(z ** 2), [x, w])]
    wanted = compute([x, w], outputs, [X, W])
    monkeypatch.setattr(conv_columns, "_COLUMN_BYTES", limit)
    for a, b in zip(compute([x, w], outputs, [X, W]), wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_derivatives_of_any_order_are_convolutions() -> None:
    x, w = symbol(X), symbol(W)
    first = sg.grad(T.sum(T.nnet.conv2d(x, w, subsample=(2, 2)) ** 3), x)
    second = sg.grad(T.sum(first ** 2), w)
    kinds = {type(node.op) for node in toposort([second]) if "onv" in type(node.op).__name__}
    assert kinds == {conv_ops.Conv, conv_ops.ConvGradInputs, conv_ops.ConvGradWeights}


def test_lengths_are_known_as_far_as_they_can_be() -> None:
    images = TensorType("float32", (None, 1, 28, 28))()
    filters = TensorType("float32", (20, 1, 5, 5))()
    assert T.nnet.conv2d(images, filters).type.shape == (None, 20, 24, 24)
    assert T.nnet.conv2d(T.ftensor4(), T.ftensor4(), input_shape=(500, 1, 28, None), filter_shape=(20, 1, 5, 5),
                         border_mode="full", subsample=(1, 2)).type.shape == (500, 20, 32, None)
    made = T.nnet.conv2d(images, filters)
    assert [g.type.shape for g in sg.grad(T.sum(made), [images, filters])] == [(None, 1, 28, 28), (20, 1, 5, 5)]


@pytest.mark.parametrize("border", ["valid", "full", "half", 2, (1, 0), ((1, 2), (0, 3))])
@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("apart", [1, 3])
def test_output_shape(border: Any, step: int, apart: int) -> None:
    x, w = np.ones((2, 1, 9, 8)), np.ones((3, 1, 2, 3))
    made = T.nnet.conv2d(x, w, border_mode=border, subsample=(step, step), filter_dilation=(apart, apart))
    wanted = get_conv_output_shape(x.shape, w.shape, border, (step, step), (apart, apart))
    assert made.eval().shape == made.type.shape == wanted


def test_prepared_operations() -> None:
    """Theano's classes: parameters first, tensors later."""
    x, w = symbol(X), symbol(W)
    options: dict[str, Any] = {"border_mode": (1, 1), "subsample": (2, 2)}
    z = abstract_conv.AbstractConv2d(imshp=X.shape, kshp=W.shape, **options)(x, w)
    assert z.type.shape == (3, 4, 4, 4)
    by_x, by_w = sg.grad(T.sum(z * z), [x, w])
    again_x = abstract_conv.AbstractConv2d_gradInputs(None, W.shape, **options)(w, 2 * z, x.shape[2:])
    again_w = abstract_conv.AbstractConv2d_gradWeights(X.shape, None, **options)(x, 2 * z, w.shape[2:])
    known = abstract_conv.AbstractConv2d_gradInputs(imshp=X.shape, **options)(w, 2 * z)
    assert known.type.shape == X.shape
    for a, b in [(by_x, again_x), (by_w, again_w), (by_x, known)]:
        found, wanted = compute([x, w], [a, b], [X, W])
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    volume, kernel = T.dtensor5(), T.dtensor5()
    back = abstract_conv.AbstractConv3d_gradInputs(imshp=(None, None, 5, 5, 5))(kernel, volume)
    assert back.type.shape == (None, None, 5, 5, 5)


def test_the_oldest_operation() -> None:
    op = T.nnet.conv.ConvOp((4, 6, 6), (3, 3), 2, 3, dx=1, dy=2, output_mode="full")
    x, w = np.ones((3, 4, 6, 6)), np.ones((2, 4, 3, 3))
    found = op(x, w)
    np.testing.assert_array_equal(found.eval(), T.nnet.conv2d(x, w, border_mode="full", subsample=(1, 2)).eval())
    assert found.type.shape[2:] == T.nnet.conv.ConvOp.getOutputShape((6, 6), (3, 3), (1, 2), "full")
    assert T.nnet.conv.ConvOp()(T.dtensor4(), T.dtensor4()).type.shape == (None,) * 4
    with pytest.raises(ValueError, match="length 7 was specified"):
        T.nnet.conv.ConvOp(imshp=(4, 7, 6))(T.dtensor4("x"), w).eval({"x": x})


x4, w4 = T.tensor4("x4"), TensorType("float64", (8, 3, 5, 5))("w4")
conv2d: Any = T.nnet.conv2d
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "rank": (lambda: conv2d(T.matrix(), w4), ValueError, "images of 4 dimensions"),
    "filter rank": (lambda: conv2d(x4, T.tensor3()), ValueError, "filters of 4 dimensions"),
    "booleans": (lambda: conv2d(np.ones((1, 3, 9, 9), bool), w4), TypeError, "images are boolean"),
    "channels": (lambda: conv2d(np.ones((1, 4, 9, 9)), w4), ValueError, "4 channels, but each filter takes 3"),
    "groups": (lambda: conv2d(x4, w4, num_groups=3), ValueError, "8 filters cannot be split into 3 groups"),
    "no groups": (lambda: conv2d(x4, w4, num_groups=0), ValueError, "num_groups"),
    "too large": (lambda: conv2d(np.ones((1, 3, 4, 9)), w4), ValueError, "do not fit into images"),
    "border": (lambda: conv2d(x4, w4, border_mode="wide"), ValueError, "border_mode must be 'valid'"),
    "negative border": (lambda: conv2d(x4, w4, border_mode=(1, -1)), ValueError, "none negative"),
    "borders": (lambda: conv2d(x4, w4, border_mode=(1, 1, 1)), ValueError, "each of 2 axes"),
    "subsample": (lambda: conv2d(x4, w4, subsample=(0, 1)), ValueError, "subsample must be 2 positive integers"),
    "dilation": (lambda: conv2d(x4, w4, filter_dilation=1.5), ValueError, "filter_dilation must be 2 positive"),
    "no border": (lambda: conv2d(x4, w4, border_mode=None), ValueError, "border_mode must be"),
    "unshared": (lambda: conv2d(x4, w4, unshared=True), ValueError, r"filters \(outputs, .* of 6 dimensions"),
    "contradiction": (lambda: conv2d(x4, w4, filter_shape=(8, 3, 5, 4)), ValueError, "length 5, not 4"),
    "hint's rank": (lambda: conv2d(x4, w4, input_shape=(8, 3)), ValueError, "has 2 lengths"),
    "lengths missing": (
        lambda: T.nnet.conv2d_grad_wrt_inputs(x4, w4, (1, 3, None, 9)), ValueError, "must be given"),
    "impossible": (
        lambda: T.nnet.conv2d_grad_wrt_inputs(np.ones((1, 8, 4, 4)), w4, (1, 3, 9, 9)), ValueError, "give results of"),
    "causal": (lambda: T.nnet.causal_conv1d(T.tensor3(), T.tensor3(), None), ValueError, "filter_shape"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_when_built(case: str) -> None:
    build, kind, text = REFUSED[case]
    with pytest.raises(kind, match=text):
        build()


@pytest.mark.parametrize(("images", "filters", "text"), [
    ((1, 3, 9, 9), (2, 2, 3, 3), "as many channels"),
    ((1, 2, 2, 9), (2, 2, 3, 3), r"filters of \(3, 3\) do not fit into images of \(2, 9\)"),
])
def test_refused_when_run(images: Any, filters: Any, text: str) -> None:
    x, w = T.dtensor4("x"), T.dtensor4("w")
    with pytest.raises(ValueError, match=text):
        compute([x, w], T.nnet.conv2d(x, w), [np.ones(images), np.ones(filters)])


def test_gradients_refuse_what_no_convolution_gives() -> None:
    w, g, n = T.dtensor4("w"), T.dtensor4("g"), T.lscalar("n")
    f = sg.function([w, g, n], T.nnet.conv2d_grad_wrt_inputs(g, w, (1, 1, n, n), subsample=(2, 2)))
    kernel, made = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
    assert [f(kernel, made, n).shape[2:] for n in (5, 6)] == [(5, 5), (6, 6)]
    with pytest.raises(ValueError, match=r"give results of \(3, 3\), not \(2, 2\)"):
        f(kernel, made, 7)


def test_films() -> None:
    """Theano's layout has time before the channels."""
    films, filters = RNG.normal(size=(2, 4, 3, 5, 5)), RNG.normal(size=(2, 2, 3, 2, 3))
    wanted = [sum(scipy.signal.convolve(film[:, c], kernel[:, c], "valid") for c in range(3))
              for film in films for kernel in filters]
    x, w = symbol(films), symbol(filters)
    made = conv3d2d.conv3d(x, w, signals_shape=films.shape, filters_shape=(None,) * 5)
    found = compute([x, w], made, [films, filters])
    assert made.type.shape == (2, None, None, None, None)
    np.testing.assert_allclose(found, np.reshape(wanted, (2, 2, 3, 4, 3)).swapaxes(1, 2), rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match="signals of 5 dimensions"):
        conv3d2d.conv3d(T.dtensor4(), w)


@pytest.mark.parametrize("options", [
    {"border_mode": "half"}, {"border_mode": "full", "subsample": (2, 1)}, {"filter_dilation": (2, 3)},
    {"border_mode": ((1, 0), (2, 1)), "filter_flip": False}], ids=str)
def test_a_layer_of_a_network(options: Any) -> None:
    """Beside other operations, where the plan shares memory and joins lengths, each mode gives the same."""
    values = [RNG.normal(size=(2, 4, 7, 6)), RNG.normal(size=(4, 2, 3, 2)), RNG.normal(size=4)]
    x, w, b = inputs = [symbol(v) for v in values]
    made = T.tanh(T.nnet.conv2d(x, w, num_groups=2, **options) + b.dimshuffle("x", 0, "x", "x")) * 2
    outputs = [made, *(g * 2 + 1 for g in sg.grad(T.sum(made ** 2), inputs))]
    wanted = compute(inputs, outputs, values, "None")
    for mode in ("FAST_COMPILE", "FAST_RUN", "DebugMode"):
        for found, right in zip(compute(inputs, outputs, values, mode), wanted, strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-10, atol=1e-12)
