"""Programs that let every expression be computed while it is built, on test values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import symgraph as theano
import symgraph.tensor as T
from symgraph.config import config


@pytest.fixture(autouse=True)
def computing() -> Iterator[None]:
    with config.change_flags(compute_test_value="raise"):
        yield


def points() -> T.TensorVariable:
    x = T.dmatrix("x")
    x.tag.test_value = np.arange(6.0).reshape(2, 3)
    return x


def test_what_does_not_fit_fails_at_the_line_that_builds_it() -> None:
    x, W = points(), theano.shared(np.ones((2, 4)), "W")
    with pytest.raises(ValueError, match="not aligned") as caught:
        T.dot(T.tanh(x), W)
    assert caught.traceback[0].path.name == "test_test_values.py"
    (note,) = caught.value.__notes__
    assert "in dot(tanh(x), W), built at test_test_values.py" in note
    assert note.splitlines()[1:] == ["  tanh(x): float64 of shape (2, 3)", "  W: float64 of shape (2, 4)"]


def test_values_go_along_a_whole_model() -> None:
    x, W = points(), theano.shared(np.linspace(-1, 1, 12).reshape(3, 4), "W")
    y = T.ivector("y")
    y.tag.test_value = np.array([1, 3], "int32")
    p = T.nnet.softmax(T.dot(x, W))
    cost = -T.log(p)[T.arange(y.shape[0]), y].mean()
    new = W - 0.1 * T.grad(cost, W)
    step = theano.function([x, y], [cost, new])
    for value, variable in zip(step(x.tag.test_value, y.tag.test_value), (cost, new), strict=True):
        np.testing.assert_allclose(theano.gof.op.get_test_value(variable), value)
    states, _ = theano.scan(lambda row, h: T.tanh(row + h), x, T.zeros(3))
    np.testing.assert_allclose(states.tag.test_value, states.eval({x: x.tag.test_value}))
    states[-1].sum().eval({x: np.ones((2, 3))})  # the gradients of steps need no test values
    T.grad(states.sum(), x)


def test_an_input_without_one() -> None:
    x = T.dmatrix("x")
    with pytest.raises(AttributeError, match=r"x .*has no test value\. Give it one, x\.tag\.test_value = "):
        x + 1
    with config.change_flags(compute_test_value="warn"):
        with pytest.warns(UserWarning, match="has no test value") as seen:
            y = x + 1
        y * 2  # told once
    assert [w.filename for w in seen] == [__file__]
    with config.change_flags(compute_test_value="ignore"):
        assert not hasattr((x + 1).tag, "test_value")
    assert list(theano.gof.op.get_debug_values(x)) == []
    assert list(theano.gof.op.get_debug_values(points())) != []
    with config.change_flags(compute_test_value="off"):
        assert list(theano.gof.op.get_debug_values(points())) == []


def test_a_value_of_another_type_is_refused() -> None:
    x = T.ivector("x")
    x.tag.test_value = np.ones((2, 2), "int32")
    with pytest.raises(TypeError):
        x + 1
