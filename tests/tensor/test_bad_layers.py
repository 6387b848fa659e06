"""Bad input to `T.nnet` and `T.signal`: refused when building, where the types show it, and when called otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import nnet, signal
from tests.tensor.common import symbol

rng = np.random.default_rng(0)
V, M = rng.normal(size=3), rng.normal(size=(2, 3))
IMAGES, FILTERS = rng.normal(size=(2, 4, 5, 5)), rng.normal(size=(6, 4, 3, 3))
FILMS, KERNELS = rng.normal(size=(1, 2, 4, 4, 4)), rng.normal(size=(3, 2, 2, 2, 2))
SOUNDS, WINDOWS = rng.normal(size=(2, 3, 8)), rng.normal(size=(4, 3, 3))
WIDE, DEEP = rng.normal(size=(6, 4, 7, 7)), rng.normal(size=(6, 3, 3, 3))
MADE = rng.normal(size=(2, 6, 3, 3))
P, TRUTHS = M ** 2, IMAGES > 0
LABELS = np.array([0, 2])
C3 = rng.normal(size=(2, 3, 4))

#: As indexing says it, or the check of a length that must be 1.
COUNT = (IndexError, ValueError)

Row = tuple[Callable[..., Any], tuple[Any, ...], Any]
#: Name to the call, its arrays, and the exception. What only values show is in `LATE`.
BAD: dict[str, Row] = {
    # ---- convolution: ranks, dtypes, channels, groups, lengths, modes
    "conv2d of a matrix": (nnet.conv2d, (M, FILTERS), ValueError),
    "conv2d with a matrix": (nnet.conv2d, (IMAGES, M), ValueError),
    "conv2d of truths": (nnet.conv2d, (TRUTHS, FILTERS), TypeError),
    "conv2d channels": (nnet.conv2d, (IMAGES, DEEP), ValueError),
    "conv2d window too large": (nnet.conv2d, (IMAGES, WIDE), ValueError),
    "conv2d mode": (lambda x, w: nnet.conv2d(x, w, border_mode="around"), (IMAGES, FILTERS), ValueError),
    "conv2d mode of floats": (lambda x, w: nnet.conv2d(x, w, border_mode=1.5), (IMAGES, FILTERS), ValueError),
    "conv2d negative padding": (lambda x, w: nnet.conv2d(x, w, border_mode=-1), (IMAGES, FILTERS), ValueError),
    "conv2d paddings": (lambda x, w: nnet.conv2d(x, w, border_mode=(1, 1, 1)), (IMAGES, FILTERS), ValueError),
    "conv2d step of 0": (lambda x, w: nnet.conv2d(x, w, subsample=(0, 1)), (IMAGES, FILTERS), ValueError),
    "conv2d negative step": (lambda x, w: nnet.conv2d(x, w, subsample=(-1, 1)), (IMAGES, FILTERS), ValueError),
    "conv2d steps": (lambda x, w: nnet.conv2d(x, w, subsample=(1, 1, 1)), (IMAGES, FILTERS), ValueError),
    "conv2d dilation of 0": (lambda x, w: nnet.conv2d(x, w, filter_dilation=(1, 0)), (IMAGES, FILTERS), ValueError),
    "conv2d dilated too far": (lambda x, w: nnet.conv2d(x, w, filter_dilation=(3, 1)), (IMAGES, FILTERS), ValueError),
    "conv2d groups of 0": (lambda x, w: nnet.conv2d(x, w, num_groups=0), (IMAGES, FILTERS), ValueError),
    "conv2d groups": (lambda x, w: nnet.conv2d(x, w, num_groups=3), (IMAGES, FILTERS), ValueError),
    "conv2d group's channels": (lambda x, w: nnet.conv2d(x, w, num_groups=2), (IMAGES, FILTERS), ValueError),
    "conv2d input_shape": (lambda x, w: nnet.conv2d(x, w, input_shape=(2, 4, 6, 5)), (IMAGES, FILTERS), ValueError),
    "conv2d filter_shape": (lambda x, w: nnet.conv2d(x, w, filter_shape=(6, 3, 3, 3)), (IMAGES, FILTERS), ValueError),
    "conv2d input_shape's rank": (lambda x, w: nnet.conv2d(x, w, input_shape=(2, 4, 5)), (IMAGES, FILTERS),
                                  ValueError),
    "conv1d rank": (nnet.conv1d, (M, WINDOWS), ValueError),
    "conv1d channels": (nnet.conv1d, (SOUNDS, rng.normal(size=(4, 2, 3))), ValueError),
    "conv1d window": (nnet.conv1d, (SOUNDS, rng.normal(size=(4, 3, 9))), ValueError),
    "conv3d rank": (nnet.conv3d, (IMAGES, KERNELS), ValueError),
    "conv3d channels": (nnet.conv3d, (FILMS, rng.normal(size=(3, 1, 2, 2, 2))), ValueError),
    "conv3d step": (lambda x, w: nnet.conv3d(x, w, subsample=(1, 1, 0)), (FILMS, KERNELS), ValueError),
    "conv3d steps": (lambda x, w: nnet.conv3d(x, w, subsample=(1, 1)), (FILMS, KERNELS), ValueError),
    "causal_conv1d rank": (lambda x, w: nnet.causal_conv1d(x, w, (4, 3, 3)), (IMAGES, WINDOWS), ValueError),
    "causal_conv1d channels": (lambda x, w: nnet.causal_conv1d(x, w, (4, 2, 3)), (SOUNDS, rng.normal(size=(4, 2, 3))),
                               ValueError),
    "gradient by images: filters": (lambda g, w: nnet.conv2d_grad_wrt_inputs(g, w, (2, 4, 5, 5)), (
        MADE, rng.normal(size=(5, 4, 3, 3))), ValueError),
    "gradient by images: lengths": (lambda g, w: nnet.conv2d_grad_wrt_inputs(g, w, (2, 4, 9, 9)), (MADE, FILTERS),
                                    ValueError),
    "gradient by images: rank": (lambda g, w: nnet.conv2d_grad_wrt_inputs(g, w, (2, 4, 5)), (MADE, FILTERS),
                                 ValueError),
    "gradient by filters: lengths": (lambda x, g: nnet.conv2d_grad_wrt_weights(x, g, (6, 4, 2, 2)), (IMAGES, MADE),
                                     ValueError),
    "gradient by filters: batch": (lambda x, g: nnet.conv2d_grad_wrt_weights(x, g, (6, 4, 3, 3)), (
        IMAGES[:1].repeat(3, 0), MADE), ValueError),
    "gradient by filters: mode": (lambda x, g: nnet.conv2d_grad_wrt_weights(x, g, (6, 4, 3, 3), border_mode="wrap"),
                                  (IMAGES, MADE), ValueError),
    "transposed: filters": (lambda x, w: nnet.conv2d_transpose(x, w, (2, 4, 7, 7)), (IMAGES, rng.normal(
        size=(3, 4, 3, 3))), ValueError),
    "transposed: lengths": (lambda x, w: nnet.conv2d_transpose(x, w, (2, 4, 30, 30)), (MADE, FILTERS), ValueError),
    "separable channels": (lambda x, d, p: nnet.separable_conv2d(x, d, p, 3), (
        IMAGES, rng.normal(size=(4, 1, 3, 3)), rng.normal(size=(2, 4, 1, 1))), ValueError),
    "separable points": (lambda x, d, p: nnet.separable_conv2d(x, d, p, 4), (
        IMAGES, rng.normal(size=(4, 1, 3, 3)), rng.normal(size=(2, 4, 2, 2))), ValueError),
    "separable points' channels": (lambda x, d, p: nnet.separable_conv2d(x, d, p, 4), (
        IMAGES, rng.normal(size=(4, 1, 3, 3)), rng.normal(size=(2, 5, 1, 1))), ValueError),
    "signal conv2d rank": (signal.conv.conv2d, (V, M), ValueError),
    "signal conv2d batch": (signal.conv.conv2d, (IMAGES, M), ValueError),
    "signal conv2d window": (signal.conv.conv2d, (rng.normal(size=(5, 2)), M), ValueError),
    "signal conv2d mode": (lambda x, w: signal.conv.conv2d(x, w, border_mode="around"), (IMAGES[0, 0], M), ValueError),
    # ---- pooling and neighbourhoods
    "pool_2d of a vector": (lambda x: signal.pool.pool_2d(x, (2, 2), True), (V,), ValueError),
    "pool_3d of a matrix": (lambda x: signal.pool.pool_3d(x, (2, 2, 2), True), (M,), ValueError),
    "pool_2d windows": (lambda x: signal.pool.pool_2d(x, (2, 2, 2), True), (IMAGES,), ValueError),
    "pool_2d window of 0": (lambda x: signal.pool.pool_2d(x, (0, 2), True), (IMAGES,), ValueError),
    "pool_2d step of 0": (lambda x: signal.pool.pool_2d(x, (2, 2), True, stride=(0, 1)), (IMAGES,), ValueError),
    "pool_2d negative padding": (lambda x: signal.pool.pool_2d(x, (2, 2), True, pad=(-1, 0)), (IMAGES,), ValueError),
    "pool_2d padding": (lambda x: signal.pool.pool_2d(x, (2, 2), True, pad=(2, 0)), (IMAGES,), ValueError),
    "pool_2d mode": (lambda x: signal.pool.pool_2d(x, (2, 2), True, mode="median"), (IMAGES,), ValueError),
    "pool_2d without a window": (lambda x: signal.pool.pool_2d(x, None, True), (IMAGES,), ValueError),
    "pool_2d of complex": (lambda x: signal.pool.pool_2d(x, (2, 2), True), (IMAGES + 0j,), TypeError),
    "pool_2d sum of truths": (lambda x: signal.pool.pool_2d(x, (2, 2), True, mode="sum"), (TRUTHS,), TypeError),
    "pool_2d border and padding": (lambda x: signal.pool.pool_2d(x, (2, 2), False, pad=(1, 1)), (IMAGES,), ValueError),
    "max_pool_2d_same_size rank": (lambda x: signal.pool.max_pool_2d_same_size(x, (2, 2)), (V,), ValueError),
    "max_pool_2d_same_size patch": (lambda x: signal.pool.max_pool_2d_same_size(x, (0, 2)), (IMAGES,), ValueError),
    "downsample rank": (lambda x: signal.downsample.max_pool_2d(x, (2, 2), True), (V,), ValueError),
    "images2neibs lengths": (lambda x: nnet.images2neibs(x, (2, 2)), (IMAGES,), ValueError),
    "images2neibs too small": (lambda x: nnet.images2neibs(x, (6, 6)), (IMAGES,), ValueError),
    "neibs2images width": (lambda x: nnet.neibs2images(x, (2, 2), (1, 1, 4, 4)), (np.ones((4, 3)),), ValueError),
    "neibs2images rows": (lambda x: nnet.neibs2images(x, (2, 2), (1, 1, 4, 4)), (np.ones((5, 4)),), ValueError),
    # ---- activations and losses
    "softmax axis": (lambda x: nnet.softmax(x, axis=2), (M,), ValueError),
    "softmax of a scalar": (nnet.softmax, (np.array(1.0),), ValueError),
    "softmax of complex": (nnet.softmax, (M + 0j,), TypeError),
    "logsoftmax axis": (lambda x: nnet.logsoftmax(x, axis=-3), (M,), ValueError),
    "logsumexp axis": (lambda x: nnet.logsumexp(x, axis=2), (M,), ValueError),
    "softmax_with_bias rank": (nnet.softmax_with_bias, (V, V), ValueError),
    "softmax_with_bias length": (nnet.softmax_with_bias, (M, V[:2]), ValueError),
    "elu slope": (lambda x, a: nnet.elu(x, a), (M, np.ones(4)), ValueError),
    "relu slope": (lambda x, a: nnet.relu(x, a), (M, np.ones(2)), ValueError),
    "binary_crossentropy lengths": (nnet.binary_crossentropy, (M, M.T), ValueError),
    "categorical_crossentropy lengths": (nnet.categorical_crossentropy, (M, V[:2]), TypeError),
    "categorical_crossentropy shapes": (nnet.categorical_crossentropy, (M, C3), TypeError),
    "categorical_crossentropy distributions": (nnet.categorical_crossentropy, (M, M[:, :2]), ValueError),
    "categorical_crossentropy labels": (nnet.categorical_crossentropy, (P, np.array([0, 1, 1])), IndexError),
    "categorical_crossentropy fewer labels": (nnet.categorical_crossentropy, (P, np.array([0])), COUNT),
    "categorical_crossentropy more labels": (nnet.categorical_crossentropy, (P[:1], LABELS), COUNT),
    "categorical_crossentropy of truths": (nnet.categorical_crossentropy, (P, np.array([True, False])), TypeError),
    "crossentropy_softmax_1hot labels": (lambda x, y: nnet.crossentropy_softmax_1hot(x, y)[0], (
        M, np.array([0, 1, 1])), IndexError),
    "crossentropy_softmax_1hot fewer labels": (lambda x, y: nnet.crossentropy_softmax_1hot(x, y)[0], (
        M, np.array([1])), COUNT),
    "crossentropy_softmax_1hot of floats": (nnet.crossentropy_softmax_1hot, (M, V[:2]), TypeError),
    "crossentropy_softmax_1hot_with_bias": (nnet.crossentropy_softmax_1hot_with_bias, (M, V[:2], LABELS), ValueError),
    "squared_error lengths": (nnet.squared_error, (M, V[:2]), ValueError),
    "hinge lengths": (nnet.hinge, (M, V[:2]), ValueError),
    "huber lengths": (nnet.huber, (M, V[:2]), ValueError),
    "kl_divergence axis": (lambda p, q: nnet.kl_divergence(p, q, axis=2), (M, M), ValueError),
    "nll lengths": (nnet.nll, (M, np.array([0, 1, 1])), IndexError),
    "confusion_matrix ranks": (lambda a, b: nnet.confusion_matrix(a, b)[0], (M, V), ValueError),
    "confusion_matrix lengths": (lambda a, b: nnet.confusion_matrix(a, b)[0], (LABELS, np.arange(3)), ValueError),
    "to_one_hot of floats": (lambda y: nnet.to_one_hot(y, 3), (V,), TypeError),
    "to_one_hot rank": (lambda y: nnet.to_one_hot(y, 3), (np.zeros((2, 2), int),), ValueError),
    "embedding of floats": (nnet.embedding, (V, M), TypeError),
    "h_softmax rank": (lambda x, W, b, W2, b2: nnet.h_softmax(x, 2, 4, 2, 2, W, b, W2, b2), (
        V, np.ones((3, 2)), np.ones(2), np.ones((2, 3, 2)), np.ones((2, 2))), ValueError),
    # ---- normalisation and enlargement
    "batch_normalization_train axes": (
        lambda x, g, b: nnet.batch_normalization_train(x, g, b, axes=(0, 2))[0], (M, V, V), ValueError),
    "batch_normalization_train name of axes": (
        lambda x, g, b: nnet.batch_normalization_train(x, g, b, axes="rows")[0], (M, V, V), ValueError),
    "batch_normalization_train of integers": (lambda x, g, b: nnet.batch_normalization_train(x, g, b)[0], (
        np.ones((2, 3), int), V[None], V[None]), TypeError),
    "batch_normalization_train gamma": (lambda x, g, b: nnet.batch_normalization_train(x, g, b)[0], (
        M, np.ones((1, 2)), np.ones((1, 2))), ValueError),
    "batch_normalization_train one running": (
        lambda x, g, b: nnet.batch_normalization_train(x, g, b, running_mean=g)[0], (M, V[None], V[None]), ValueError),
    "batch_normalization_test gamma": (nnet.batch_normalization_test, (M, *[np.ones((1, 2))] * 4), ValueError),
    "batch_normalization mode": (lambda x, v: nnet.batch_normalization(x, v, v, v, v, mode="fast"), (M, V), ValueError),
    "layer_norm gamma": (nnet.layer_norm, (M, np.ones(2)), ValueError),
    "bilinear_upsampling rank": (lambda x: nnet.bilinear_upsampling(x, 2), (M,), ValueError),
    "bilinear_upsampling ratio": (lambda x: nnet.bilinear_upsampling(x, 0), (IMAGES,), ValueError),
    "bilinear_upsampling of truths": (lambda x: nnet.bilinear_upsampling(x, 2), (TRUTHS,), TypeError),
}
#: What only values show, so it is always an error of the call.
LATE: dict[str, Row] = {
    "crossentropy_softmax_1hot label": (lambda x, y: nnet.crossentropy_softmax_1hot(x, y)[0], (M, np.array([0, 3])),
                                        IndexError),
    "crossentropy_softmax_1hot negative label": (lambda x, y: nnet.crossentropy_softmax_1hot(x, y)[0], (
        M, np.array([0, -4])), IndexError),
    "categorical_crossentropy label": (nnet.categorical_crossentropy, (P, np.array([0, 3])), IndexError),
    "crossentropy_categorical_1hot label": (nnet.crossentropy_categorical_1hot, (P, np.array([3, 0])), IndexError),
    "nll label": (nnet.nll, (M, np.array([0, 3])), IndexError),
    "to_one_hot label": (lambda y: nnet.to_one_hot(y, 3), (np.array([0, 3]),), IndexError),
    "embedding index": (nnet.embedding, (np.array([0, 2]), M), IndexError),
    "h_softmax class": (lambda x, W, b, W2, b2, y: nnet.h_softmax(x, 2, 4, 2, 2, W, b, W2, b2, y), (
        M, np.ones((3, 2)), np.ones(2), np.ones((2, 3, 2)), np.ones((2, 2)), np.array([0, 7])), IndexError),
    "logsoftmax label": (lambda x, y: nnet.logsoftmax(x)[T.arange(2), y], (M, np.array([0, 3])), IndexError),
}


def check(error: pytest.ExceptionInfo[Exception]) -> None:
    """One of ours, or NumPy's: a message of a few lines that says something."""
    text = str(error.value)
    assert text.strip()
    assert len(text.splitlines()) <= 12


@pytest.mark.parametrize("case", BAD)
def test_types_that_show_it_are_refused_when_built(case: str) -> None:
    call, arrays, kind = BAD[case]
    with pytest.raises(kind) as error:
        call(*(symbol(a, static=True) for a in arrays))
    check(error)


@pytest.mark.parametrize("case", [*BAD, *LATE])
def test_values_that_show_it_are_refused_when_called(case: str) -> None:
    """Of unknown lengths; what is shown by ranks, dtypes and options is an error of building still."""
    call, arrays, kind = (BAD | LATE)[case]
    inputs = [symbol(a) for a in arrays]
    with pytest.raises(kind) as error:
        sg.function(inputs, call(*inputs), on_unused_input="ignore")(*arrays)
    check(error)
