"""Named lengths: axes of one name are one length, which is checked when a function is made and when it is called."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.printing import debugprint


def guards(f: Any) -> int:
    return sum(len(step.guards) for step in f.plan.steps)


def test_how_names_are_given_and_shown() -> None:
    x = T.matrix("x", shape=("B", 784))
    assert x.dims == ("B", None)
    assert x.type is T.matrix(shape=(None, 784)).type
    assert x.type.shape == (None, 784)
    assert repr(x) == "<TensorVariable x : float64[B,784]>"
    assert "<float64[B,784]>" in str(debugprint(x, print_type=True, file="str"))
    y = T.tensor("float32", shape=("B", None, "D"), name="y")
    assert (y.dims, y.name, y.type.dtype) == (("B", None, "D"), "y", "float32")
    assert T.tensor("z", shape=("B",)).dims == ("B",)
    assert [v.dims for v in T.fmatrices("a b", shape=("B", "D"))] == [("B", "D")] * 2
    assert T.matrix("x").dims is None
    w = sg.shared(np.ones((3, 2)), "w", shape=("D", 2))
    assert (w.dims, w.type.shape) == (("D", None), (None, 2))
    f = sg.function([x], x * 2)
    assert "float64[B,784]  x" in f.source
    x.dims = None
    assert repr(x) == "<TensorVariable x : float64[?,784]>"


def test_names_are_kept() -> None:
    x = T.matrix("x", shape=("B", "D"))
    w = sg.shared(np.ones((3, 2)), "w", shape=("D", 2))
    for made in (x.clone(), copy.copy(x), pickle.loads(pickle.dumps(x))):
        assert made.dims == ("B", "D")
    for made in (w.clone(), copy.copy(w), pickle.loads(pickle.dumps(w))):
        assert made.dims == ("D", None)
    y = T.vector("y", shape=("B",))
    f = sg.function([x, y], T.dot(x, w).sum(axis=1) + y)
    for g in (pickle.loads(pickle.dumps(f)), f.copy()):
        with pytest.raises(ValueError, match="both are 'B'"):
            g(np.ones((2, 3)), np.ones(4))


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda: T.matrix("x", shape=("", 3)), ValueError, "empty name"),
    (lambda: T.matrix("x", shape=("B",)), ValueError, "1 dimensions"),
    (lambda: T.tensor("float32", shape="B"), TypeError, r"write \('B',\)"),
    (lambda: T.TensorType("float32", ("B", None)), TypeError, r"T\.tensor\(dtype, shape="),
    (lambda: setattr(T.matrix("x"), "dims", ("B",)), ValueError, "1 names for the 2 axes"),
    (lambda: setattr(T.matrix("x", shape=(3, None)), "dims", ("B", None)), ValueError, "is 3: it takes no name, 'B'"),
    (lambda: setattr(T.exp(T.vector()), "dims", ("B",)), ValueError, "is computed"),
])
def test_what_is_no_name(make: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        make()


def test_equal_names_need_no_checks_in_between() -> None:
    x, y, z = (T.matrix(name, shape=("B", 784)) for name in "xyz")
    f = sg.function([x, y, z], T.exp(x) * y + z)
    plain = [T.matrix(name) for name in "xyz"]
    g = sg.function(plain, T.exp(plain[0]) * plain[1] + plain[2])
    assert guards(f) == 0 < guards(g)
    values = [np.full((2, 784), n) for n in (0.0, 2.0, 3.0)]
    np.testing.assert_array_equal(f(*values), g(*values))


def test_the_names_go_through_operations() -> None:
    """Reductions, transposes, products and slices of other axes keep what is known of a length."""
    x, y = T.matrix("x", shape=("B", "D")), T.vector("y", shape=("B",))
    w, b = T.matrix("w", shape=("D", "K")), T.vector("b", shape=("K",))
    made = [x.sum(axis=1) + y, x.T + y, T.dot(x, w) + b, T.dot(x, w).T * y, x[:, ::2].mean(axis=1) - y,
            T.exp(x)[:, 0] + y, T.nnet.softmax(x).max(axis=1) + y]
    f = sg.function([x, y, w, b], made)
    assert guards(f) == 0
    values = [np.random.default_rng(0).normal(size=shape) for shape in ((3, 4), (3,), (4, 2), (2,))]
    found = f(*values)
    expected = sg.function([x, y, w, b], made, mode="None")(*values)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs)


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "None", "DebugMode"])
def test_inputs_that_differ_are_refused(mode: str) -> None:
    x, y = T.matrix("x", shape=("B", 3)), T.matrix("y", shape=(None, "B"))
    f = sg.function([x, y], [x.sum(), y.sum()], mode=mode, name="sums")
    assert [float(v) for v in f(np.ones((2, 3)), np.ones((5, 2)))] == [6.0, 10.0]
    words = (r"function 'sums': axis 0 of x has length 2, axis 1 of y has length 4, but both are 'B': "
             r"shapes \(2, 3\) and \(5, 4\)")
    with pytest.raises(ValueError, match=words):
        f(np.ones((2, 3)), np.ones((5, 4)))


def test_all_that_share_a_name_are_compared() -> None:
    square = T.matrix("square", shape=("N", "N"))
    with pytest.raises(ValueError, match="axis 0 of square has length 2, axis 1 of square has length 3"):
        sg.function([square], square + 1)(np.ones((2, 3)))
    x, y, z = (T.vector(name, shape=("B",)) for name in "xyz")
    f = sg.function([x, y, z], x * 2, on_unused_input="ignore")
    f.trust_input = True
    with pytest.raises(ValueError, match="axis 0 of z has length 5"):
        f(np.ones(4), np.ones(4), np.ones(5))
    w = sg.shared(np.ones(4), "w", shape=("B",))
    g = sg.function([x], x.sum() + w.sum(), updates=[(w, w + 1)])
    g(np.ones(4))
    w.set_value(np.ones(3))
    with pytest.raises(ValueError, match="axis 0 of x has length 4, axis 0 of w has length 3"):
        g(np.ones(4))
    np.testing.assert_array_equal(w.get_value(), np.ones(3))  # nothing was committed


def lines() -> tuple[Any, Any, Any]:
    x = T.matrix("x", shape=("B", 784))
    return x, T.matrix("a", shape=(3, 784)), T.matrix("c", shape=(4, 784))


def test_two_values_of_one_name_are_refused_when_the_function_is_made() -> None:
    x, a, c = lines()
    first = T.exp(x) + a
    second = c * (x * 2)
    with pytest.raises(ValueError, match="the length 'B' would have two values") as info:
        sg.function([x, a, c], [first, second])
    text = str(info.value)
    line = lines.__code__.co_firstlineno + 7
    assert f"3 by add of exp (float64[?,784]) and a (float64[3,784]), at test_named_lengths.py:{line}" in text
    assert f"4 by mul of c (float64[4,784]) and mul (float64[?,784]), at test_named_lengths.py:{line + 1}" in text
    assert sg.function([x, a], first)(np.zeros((3, 784)), np.zeros((3, 784))).shape == (3, 784)


@pytest.mark.parametrize("build", [
    lambda x, y, a, c: [T.dot(x.T, a), x.sum(axis=1) + c + y],               # the inner lengths of a product
    lambda x, y, a, c: [x.T + a, y - c],                                  # two inputs of one name
    lambda x, y, a, c: [x.T.sum(axis=0) + a, T.switch(y > 0, c, 0.0)],    # through a reduction and a transpose
    lambda x, y, a, c: [x[:, 1] + a, y[::-1] + c],                        # through indices
])
def test_names_are_followed(build: Any) -> None:
    x, y = T.matrix("x", shape=("B", "D")), T.vector("y", shape=("B",))
    a, c = T.vector("a", shape=(3,)), T.vector("c", shape=(4,))
    with pytest.raises(ValueError, match="the length 'B' would have two values"):
        sg.function([x, y, a, c], build(x, y, a, c))


def test_different_names_may_be_one_length() -> None:
    """They are unknown to each other until an operation has them meet; then they are one."""
    x, y = T.vector("x", shape=("B",)), T.vector("y", shape=("D",))
    f = sg.function([x, y], x + y)
    np.testing.assert_array_equal(f(np.ones(2), np.ones(2)), [2.0, 2.0])
    with pytest.raises(ValueError, match="do not fit together"):
        f(np.ones(2), np.ones(3))
    a, c = T.vector("a", shape=(3,)), T.vector("c", shape=(4,))
    with pytest.raises(ValueError, match="the length 'B' = 'D' would have two values"):
        sg.function([x, y, a, c], [x + a, y + c, x + y])


def test_names_mean_nothing_from_one_function_to_another() -> None:
    x, a = T.vector("x", shape=("B",)), T.vector("a", shape=(3,))
    y, c = T.vector("y", shape=("B",)), T.vector("c", shape=(4,))
    assert sg.function([x, a], x + a)(np.ones(3), np.ones(3)).shape == (3,)
    assert sg.function([y, c], y + c)(np.ones(4), np.ones(4)).shape == (4,)


def test_names_are_never_code() -> None:
    name = "B\n    raise SystemExit  # ' \" \\ {x}"
    x, y = T.vector("x", shape=(name,)), T.vector("y", shape=(name,))
    w = sg.shared(np.ones(2), "w", shape=(name,))
    f = sg.function([x, y], x * y * w)
    np.testing.assert_array_equal(f(np.ones(2), np.ones(2)), [1.0, 1.0])
    with pytest.raises(ValueError, match="raise SystemExit"):
        f(np.ones(2), np.ones(3))


def test_a_model_with_names_trains() -> None:
    x, y = T.matrix("x", shape=("B", "D")), T.ivector("y", shape=("B",))
    w, b = sg.shared(np.zeros((4, 3)), "w", shape=("D", "K")), sg.shared(np.zeros(3), "b", shape=("K",))
    p = T.nnet.softmax(x @ w + b)
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    step = sg.function([x, y], cost, updates=[(v, v - g) for v, g in zip((w, b), sg.grad(cost, [w, b]), strict=True)])
    values = np.random.default_rng(0).normal(size=(9, 4)), np.arange(9, dtype="int32") % 3
    costs = [float(step(*values)) for _ in range(5)]
    assert costs == sorted(costs, reverse=True)
    with pytest.raises(ValueError, match="'D'"):
        step(values[0][:, :3], values[1])
