"""Recurrent networks as programs for Theano write them, against plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T

UNITS, FEATURES, STEPS, BATCH = 3, 4, 5, 2


def weights() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0).normal
    return {"W": draw(size=(FEATURES, 3 * UNITS)), "U": draw(size=(UNITS, 2 * UNITS)), "V": draw(size=(UNITS, UNITS))}


def logistic(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def gated_in_numpy(x: np.ndarray, mask: np.ndarray, U: np.ndarray, V: np.ndarray) -> np.ndarray:
    h, states = np.zeros((x.shape[1], UNITS)), []
    for x_t, m_t in zip(x, mask[:, :, None], strict=True):
        gates = logistic(x_t[:, :2 * UNITS] + h @ U)
        reset, update = gates[:, :UNITS], gates[:, UNITS:]
        proposed = np.tanh(x_t[:, 2 * UNITS:] + (reset * h) @ V)
        h = m_t * (update * h + (1 - update) * proposed) + (1 - m_t) * h
        states.append(h)
    return np.array(states)


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "None", "DebugMode"])
@pytest.mark.parametrize("backwards", [False, True])
def test_gated_units_with_masks(mode: str, backwards: bool) -> None:
    shared = {name: sg.shared(value, name) for name, value in weights().items()}
    x, mask = T.tensor3("x"), T.matrix("mask")

    def step(x_t: Any, m_t: Any, h: Any) -> Any:
        gates = T.nnet.sigmoid(x_t[:, :2 * UNITS] + T.dot(h, shared["U"]))
        reset, update = gates[:, :UNITS], gates[:, UNITS:]
        proposed = T.tanh(x_t[:, 2 * UNITS:] + T.dot(reset * h, shared["V"]))
        new = update * h + (1.0 - update) * proposed
        return m_t[:, None] * new + (1.0 - m_t)[:, None] * h

    states, _ = sg.scan(step, [T.dot(x, shared["W"]), mask], T.zeros((x.shape[1], UNITS)), go_backwards=backwards)
    cost = (states ** 2).sum()
    parameters = list(shared.values())
    f = sg.function([x, mask], [states, cost, *sg.grad(cost, parameters)], mode=mode)
    points = np.random.default_rng(1).normal(size=(STEPS, BATCH, FEATURES))
    masks = (np.arange(STEPS)[:, None] < [STEPS, 3]).astype("float64")
    found, _, *slopes = f(points, masks)
    order = slice(None, None, -1 if backwards else 1)

    def value(W: Any, U: Any, V: Any) -> Any:
        return gated_in_numpy((points @ W)[order], masks[order], U, V)

    np.testing.assert_allclose(found, value(**weights()), rtol=1e-10)
    for name, slope in zip(shared, slopes, strict=True):
        direction = np.random.default_rng(2).normal(size=slope.shape)
        near = [(value(**{**weights(), name: weights()[name] + d * direction}) ** 2).sum() for d in (1e-5, -1e-5)]
        np.testing.assert_allclose((slope * direction).sum(), (near[0] - near[1]) / 2e-5, rtol=1e-6)


def test_parts_of_a_step_that_do_not_fit_name_the_line() -> None:
    x, mask, h0, V = T.tensor3("x"), T.matrix("mask"), T.matrix("h0"), T.matrix("V")

    def step(x_t: Any, m_t: Any, h: Any) -> Any:
        new = T.tanh(x_t[:, 2:] + T.dot(h, V))
        return m_t[:, None] * new + (1.0 - m_t)[:, None] * h

    states, _ = sg.scan(step, [x, mask], h0)
    f = sg.function([x, mask, h0, V], sg.grad(states.sum(), V))
    f(np.ones((4, 2, 5)), np.ones((4, 2)), np.ones((2, 3)), np.ones((3, 3)))
    with pytest.raises(ValueError, match=r"add: shapes \(2, 4\) and \(2, 3\)") as caught:
        f(np.ones((4, 2, 6)), np.ones((4, 2)), np.ones((2, 3)), np.ones((3, 3)))
    assert "test_recurrent_networks.py" in str(caught.value) + "".join(caught.value.__notes__)


def test_words_predicted_one_by_one_by_the_row_of_a_softmax() -> None:
    """Without an axis, the softmax of a vector is a matrix of one row: programs take its first element."""
    draw = np.random.default_rng(3).normal
    E, V, W = (sg.shared(draw(size=size), name) for name, size in (("E", (4, 6)), ("V", (6, 4)), ("W", (4, 4))))
    x, y = T.ivector("x"), T.ivector("y")

    def step(x_t: Any, s: Any) -> Any:
        s = T.tanh(E[:, x_t] + W.dot(s))
        o = T.nnet.softmax(V.dot(s))
        return [o[0], s]

    (o, _), _ = sg.scan(step, x, [None, T.zeros(4)], truncate_gradient=4)
    cost = T.sum(T.nnet.categorical_crossentropy(o, y))
    f = sg.function([x, y], [o, cost, T.argmax(o, axis=1), sg.grad(cost, V)])
    words, following = np.array([0, 3, 5], "int32"), np.array([3, 5, 1], "int32")
    found, loss, best, slope = f(words, following)
    s, rows, states = np.zeros(4), [], []
    for word in words:
        s = np.tanh(E.get_value()[:, word] + W.get_value() @ s)
        z = np.exp(V.get_value() @ s)
        rows.append(z / z.sum())
        states.append(s)
    np.testing.assert_allclose(found, rows)
    np.testing.assert_allclose(loss, -np.log(np.array(rows)[range(3), following]).sum())
    np.testing.assert_array_equal(best, np.argmax(rows, axis=1))
    np.testing.assert_allclose(slope, (np.array(rows) - np.eye(6)[following]).T @ np.array(states))
