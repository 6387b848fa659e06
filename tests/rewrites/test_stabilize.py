"""Each stabilising law: an expression, an input where the naive form fails, and the true value and gradient there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.compile.mode import UNREWRITTEN

MODES = ["FAST_RUN", "FAST_COMPILE", "DebugMode", "NanGuardMode"]
BIG = [-1000.0, -800.0, -40.0, -1e-12, 0.0, 1e-12, 40.0, 800.0, 1000.0]


@dataclass(frozen=True)
class Law:
    """A row of the table.

    `value` and `slope` are the true results, by element, of the expression and of the gradient of its sum, computed
    in a form that does not fail.
    """

    name: str
    expression: Callable[[Any], Any]
    at: Any
    value: Callable[[np.ndarray], Any]
    slope: Callable[[np.ndarray], Any]


def sigmoid(x: np.ndarray) -> Any:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def softplus(x: np.ndarray) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def log_softmax(x: np.ndarray) -> Any:
    s = x - x.max(axis=-1, keepdims=True)
    return s - np.log(np.exp(s).sum(axis=-1, keepdims=True))


def softmax(x: np.ndarray) -> Any:
    return np.exp(log_softmax(x))


def logsumexp(x: np.ndarray) -> Any:
    top = x.max(axis=-1, keepdims=True)
    return (top + np.log(np.exp(x - top).sum(axis=-1, keepdims=True)))[..., 0]


ROWS = [[1000.0, 0.0, -1000.0], [-2000.0, -2000.0, -1999.0], [3.0, 2.0, 800.0]]
LABELS = np.array([1, 0, 0])
ONE_HOT = np.eye(3)[LABELS]


def naive_softmax(x: Any) -> Any:
    return T.exp(x) / T.exp(x).sum(axis=1, keepdims=True)


def naive_softmax_dimshuffle(x: Any) -> Any:
    return T.exp(x) / T.exp(x).sum(axis=1).dimshuffle(0, "x")


def picked_slope(x: np.ndarray) -> Any:
    return softmax(x) - ONE_HOT


LAWS = [
    Law("log1p", lambda x: T.log(1 + x), [1e-18, -1e-17, 1e-20], np.log1p, lambda x: 1 / (1 + x)),
    Law("log1p_minus", lambda x: T.log(1 - x), [1e-18, -1e-17, 1e-20], lambda x: np.log1p(-x), lambda x: -1 / (1 - x)),
    Law("expm1", lambda x: T.exp(x) - 1, [1e-18, -1e-17, 1e-20], np.expm1, np.exp),
    Law("one_minus_exp", lambda x: 1 - T.exp(x), [1e-18, -1e-17, 1e-20], lambda x: -np.expm1(x), lambda x: -np.exp(x)),
    Law("softplus", lambda x: T.log(1 + T.exp(x)), BIG, softplus, sigmoid),
    Law("softplus_log1p", lambda x: T.log1p(T.exp(x)), BIG, softplus, sigmoid),
    Law("softplus_of_negative", lambda x: T.log(1 + T.exp(-x)), BIG, lambda x: softplus(-x), lambda x: -sigmoid(-x)),
    Law("sigmoid", lambda x: 1 / (1 + T.exp(-x)), BIG, sigmoid, lambda x: sigmoid(x) * sigmoid(-x)),
    Law("sigmoid_of_negative", lambda x: 1 / (1 + T.exp(x)), BIG, lambda x: sigmoid(-x),
        lambda x: -sigmoid(x) * sigmoid(-x)),
    Law("sigmoid_quotient", lambda x: T.exp(x) / (1 + T.exp(x)), BIG, sigmoid, lambda x: sigmoid(x) * sigmoid(-x)),
    Law("one_minus_sigmoid", lambda x: 1 - T.nnet.sigmoid(x), BIG, lambda x: sigmoid(-x),
        lambda x: -sigmoid(x) * sigmoid(-x)),
    Law("log_sigmoid", lambda x: T.log(T.nnet.sigmoid(x)), BIG, lambda x: -softplus(-x), lambda x: sigmoid(-x)),
    Law("log_naive_sigmoid", lambda x: T.log(1 / (1 + T.exp(-x))), BIG, lambda x: -softplus(-x), lambda x: sigmoid(-x)),
    Law("log_one_minus_sigmoid", lambda x: T.log(1 - T.nnet.sigmoid(x)), BIG, lambda x: -softplus(x),
        lambda x: -sigmoid(x)),
    Law("binary_crossentropy", lambda x: T.nnet.binary_crossentropy(T.nnet.sigmoid(x), 0.25), BIG,
        lambda x: 0.25 * softplus(-x) + 0.75 * softplus(x), lambda x: sigmoid(x) - 0.25),
    Law("log_exp", lambda x: T.log(T.exp(x)), BIG, lambda x: x, np.ones_like),
    Law("softmax", T.nnet.softmax, ROWS, softmax, np.zeros_like),
    Law("naive_softmax", naive_softmax, ROWS, softmax, np.zeros_like),
    Law("naive_softmax_dimshuffle", naive_softmax_dimshuffle, ROWS, softmax, np.zeros_like),
    Law("log_softmax", lambda x: T.log(T.nnet.softmax(x)), ROWS, log_softmax, lambda x: 1 - 3 * softmax(x)),
    Law("log_naive_softmax", lambda x: T.log(naive_softmax(x)), ROWS, log_softmax, lambda x: 1 - 3 * softmax(x)),
    Law("logsumexp", lambda x: T.log(T.exp(x).sum(axis=1)), ROWS, logsumexp, softmax),
    Law("logsumexp_keepdims", lambda x: T.log(T.exp(x).sum(axis=1, keepdims=True)), ROWS,
        lambda x: logsumexp(x)[:, None], softmax),
    Law("logsumexp_all", lambda x: T.log(T.exp(x).sum()), ROWS, lambda x: logsumexp(x.reshape(1, -1))[0],
        lambda x: softmax(x.reshape(1, -1)).reshape(x.shape)),
    Law("picked_log_softmax", lambda x: -T.log(T.nnet.softmax(x))[T.arange(3), LABELS], ROWS,
        lambda x: -log_softmax(x)[np.arange(3), LABELS], picked_slope),
    Law("log_of_picked_softmax", lambda x: -T.log(T.nnet.softmax(x)[T.arange(3), LABELS]), ROWS,
        lambda x: -log_softmax(x)[np.arange(3), LABELS], picked_slope),
    Law("categorical_crossentropy",
        lambda x: T.nnet.categorical_crossentropy(T.nnet.softmax(x), T.as_tensor_variable(LABELS)), ROWS,
        lambda x: -log_softmax(x)[np.arange(3), LABELS], picked_slope),
    Law("crossentropy_one_hot",
        lambda x: T.nnet.categorical_crossentropy(T.nnet.softmax(x), T.as_tensor_variable(ONE_HOT)), ROWS,
        lambda x: -(ONE_HOT * log_softmax(x)).sum(axis=1), picked_slope),
    Law("naive_crossentropy", lambda x: -T.log(naive_softmax(x))[T.arange(3), LABELS], ROWS,
        lambda x: -log_softmax(x)[np.arange(3), LABELS], picked_slope),
]


def variable_for(at: Any) -> Any:
    return T.dvector("x") if np.ndim(at) == 1 else T.dmatrix("x")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_value(law: Law, mode: str) -> None:
    x = variable_for(law.at)
    at = np.array(law.at)
    with np.errstate(all="ignore"):
        got = sg.function([x], law.expression(x), mode=mode)(at)
        np.testing.assert_allclose(got, law.value(at), rtol=1e-12, atol=0 if law.name != "log_exp" else 1e-300)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_gradient(law: Law, mode: str) -> None:
    x = variable_for(law.at)
    at = np.array(law.at)
    with np.errstate(all="ignore"):
        got = sg.function([x], sg.grad(law.expression(x).sum(), x), mode=mode)(at)
        np.testing.assert_allclose(got, law.slope(at), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("mode", MODES)
def test_mean_crossentropy_is_the_training_cost(mode: str) -> None:
    x, y = T.dmatrix("x"), T.ivector("y")
    cost = -T.mean(T.log(T.nnet.softmax(x))[T.arange(y.shape[0]), y])
    f = sg.function([x, y], [cost, sg.grad(cost, x)], mode=mode)
    at, labels = np.array(ROWS), LABELS.astype("int32")
    with np.errstate(all="ignore"):
        value, slope = f(at, labels)
    np.testing.assert_allclose(value, -log_softmax(at)[np.arange(3), LABELS].mean(), rtol=1e-12)
    np.testing.assert_allclose(slope, picked_slope(at) / 3, rtol=1e-12, atol=1e-15)


#: Laws whose naive form is right at the chosen input: softmax shifts by itself, in value and gradient.
ALWAYS_STABLE = {"softmax"}


@pytest.mark.parametrize("law", [law for law in LAWS if law.name not in ALWAYS_STABLE], ids=lambda law: law.name)
def test_the_naive_form_fails_there(law: Law) -> None:
    """A row proves nothing unless the unrewritten program is wrong at its input, in value or in gradient."""
    x = variable_for(law.at)
    at = np.array(law.at)
    cost = law.expression(x)
    f = sg.function([x], [cost, sg.grad(cost.sum(), x)], mode=UNREWRITTEN)
    with np.errstate(all="ignore"):
        value, slope = f(at)
        right = np.allclose(value, law.value(at), rtol=1e-12, atol=0)
        right = right and np.allclose(slope, law.slope(at), rtol=1e-12, atol=1e-15)
    assert not right
