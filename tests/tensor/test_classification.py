"""Losses of classes beside their records: agreement with each other, large arguments, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from tests.tensor.common import compute

nnet: Any = T.nnet
RNG = np.random.default_rng(9)
X, B, Y = RNG.normal(size=(4, 5)), RNG.normal(size=5), np.array([3, 0, 4, 1])


def test_the_losses_agree() -> None:
    x, b, y = T.dmatrix("x"), T.dvector("b"), T.lvector("y")
    loss, p, best = nnet.crossentropy_softmax_argmax_1hot_with_bias(x, b, y)
    p_only = nnet.softmax_with_bias(x, b)
    others = [nnet.crossentropy_softmax_1hot_with_bias(x, b, y)[0], nnet.crossentropy_softmax_1hot(x + b, y)[0],
              nnet.crossentropy_categorical_1hot(p, y), nnet.categorical_crossentropy(p_only, y)]
    found = compute([x, b, y], [loss, p, best, p_only, *others], [X, B, Y], "FAST_RUN")
    for other in found[4:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-12)
    np.testing.assert_allclose(found[3], found[1], rtol=1e-12)
    np.testing.assert_array_equal(found[2], (X + B).argmax(1))
    gradients = [sg.grad(T.sum(v), x) for v in (loss, *others)]
    one_hot = np.eye(5)[Y]
    for g in compute([x, b, y], gradients, [X, B, Y], "FAST_RUN"):
        np.testing.assert_allclose(g, found[1] - one_hot, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "None"])
def test_large_arguments_neither_overflow_nor_vanish(mode: str) -> None:
    x, y = T.dmatrix("x"), T.lvector("y")
    loss = nnet.crossentropy_softmax_1hot(x, y)[0]
    value, slope = compute([x, y], [loss, sg.grad(T.sum(loss), x)], [np.array([[0.0, 1e4]]), np.array([0])], mode)
    assert value.tolist() == [1e4]
    assert slope.tolist() == [[-1, 1]]


def test_all_outputs_of_two_levels_add_up_to_one() -> None:
    shapes = [(4, 3), (3, 2), (2,), (2, 3, 5), (2, 5)]
    p = nnet.h_softmax(*RNG.normal(size=(1, 4, 3)), 4, 10, 2, 5, *(RNG.normal(size=s) for s in shapes[1:])).eval()
    assert p.shape == (4, 10)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-12)


def test_confusion_matrix_as_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    actual, pred = RNG.integers(0, 4, 30), RNG.integers(1, 6, 30)
    counts, order = nnet.confusion_matrix(actual, pred)
    np.testing.assert_array_equal(counts.eval(), metrics.confusion_matrix(actual, pred))
    assert order.eval().tolist() == [0, 1, 2, 3, 4, 5]


M, V, L = T.dmatrix(), T.dvector(), T.lvector()
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "rank": (lambda: nnet.crossentropy_softmax_1hot(V, L), ValueError, "a matrix with a row for each case"),
    "classes": (lambda: nnet.crossentropy_softmax_1hot(M, V), TypeError, "a vector of integers"),
    "booleans": (lambda: nnet.crossentropy_categorical_1hot(M, np.array([True])), TypeError, "a vector of integers"),
    "bias": (lambda: nnet.softmax_with_bias(M, M), ValueError, "a matrix and a vector"),
    "bias of the loss": (lambda: nnet.crossentropy_softmax_1hot_with_bias(M, M, L), ValueError, "as a vector"),
    "two levels": (lambda: nnet.h_softmax(M, 4, 6, 2, 3, M, V, M, M), ValueError, "W2 must have 3 dimensions"),
    "too many outputs": (
        lambda: nnet.h_softmax(M, 4, 7, 2, 3, M, V, T.dtensor3(), M), ValueError, "7 outputs do not fit into 2"),
    "confusion": (lambda: nnet.confusion_matrix(M, V), ValueError, "actual must be a vector"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_when_built(case: str) -> None:
    build, kind, text = REFUSED[case]
    with pytest.raises(kind, match=text):
        build()
