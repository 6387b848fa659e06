"""Stretching by what lengths turn out to be at run time, with gradients; arithmetic never does it."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.testing import verify_grad


@pytest.mark.parametrize("shapes", list(product([(1, 3), (2, 1), (2, 3), (1, 1)], [(2, 3), (1, 3), (2, 1)])), ids=str)
def test_together(shapes: Any) -> None:
    rng = np.random.default_rng(0)
    a, c = (rng.normal(size=shape) for shape in shapes)
    x, y = T.matrices("x", "y")
    p, q = T.broadcast_arrays(x, y)
    f = sg.function([x, y], [p * q, (p * q).shape, *sg.grad(T.sum(T.exp(p * q)), [x, y])])
    found, shape, gx, gy = f(a, c)
    np.testing.assert_array_equal(found, a * c)
    assert tuple(shape) == (a * c).shape
    for ours, plain, other in ((gx, a, c), (gy, c, a)):
        full = np.exp(a * c) * other
        stretched = tuple(i for i in range(2) if plain.shape[i] == 1 != full.shape[i])
        np.testing.assert_allclose(ours, full.sum(stretched, keepdims=True))


def test_of_different_ranks_and_known_lengths() -> None:
    x, y, z = T.vector("x"), T.matrix("y", shape=(None, 3)), T.tensor3("z", shape=(2, 1, 1))
    made = T.broadcast_arrays(x, y, z)
    assert [v.type.shape for v in made] == [(2, None, 3)] * 3
    values = [np.ones(1), np.ones((4, 3)), np.arange(2.0).reshape(2, 1, 1)]
    for ours, theirs in zip(sg.function([x, y, z], made)(*values), np.broadcast_arrays(*values), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert T.broadcast_arrays() == []


def test_to_a_shape() -> None:
    x, n = T.matrix("x"), T.lscalar("n")
    y = T.broadcast_to(x, (2, n, 3))
    f = sg.function([x, n], [y, sg.grad(T.sum(y * y), x)])
    for shape in ((1, 1), (4, 1), (1, 3), (4, 3)):
        a = np.random.default_rng(0).normal(size=shape)
        found, gradient = f(a, 4)
        np.testing.assert_array_equal(found, np.broadcast_to(a, (2, 4, 3)))
        assert found.flags.writeable
        np.testing.assert_allclose(gradient, 2 * a * (24 / a.size))
    with pytest.raises(ValueError, match=r"shape \(2, 3\) cannot be stretched to \(2, 4, 3\)"):
        f(np.ones((2, 3)), 4)


def test_derivatives() -> None:
    """Of second order too, and forward."""
    rng = np.random.default_rng(1)

    def cost(x: Any, y: Any) -> Any:
        p, q = T.broadcast_arrays(T.specify_shape(x, (x.shape[0], x.shape[1])), T.specify_shape(
            y, (y.shape[0], y.shape[1])))
        return T.sum(T.sin(p * q) * p)

    free = [T.matrix("x"), T.matrix("y")]
    point = [rng.normal(size=(1, 3)), rng.normal(size=(2, 1))]
    verify_grad(cost, point, rng=rng)
    gradients = sg.grad(cost(*free), free)
    again = sg.grad(sum(T.sum(T.sqr(g)) for g in gradients), free)
    f = sg.function(free, [cost(*free), *gradients, *again])
    _, gx, gy, hx, _ = f(*point)
    step = 1e-6 * rng.normal(size=(1, 3))
    up, down = f(point[0] + step, point[1]), f(point[0] - step, point[1])
    np.testing.assert_allclose((up[0] - down[0]) / 2, (gx * step).sum(), rtol=1e-5)
    squares = [sum((g * g).sum() for g in values[1:3]) for values in (up, down)]
    np.testing.assert_allclose((squares[0] - squares[1]) / 2, (hx * step).sum(), rtol=1e-4)
    assert gx.shape == (1, 3)
    assert gy.shape == (2, 1)
    tangents = [T.matrix("s"), T.matrix("t")]
    moved = sg.Rop(cost(*free), free, tangents)
    g = sg.function([*free, *tangents], moved)
    np.testing.assert_allclose(g(*point, *point), (gx * point[0]).sum() + (gy * point[1]).sum(), rtol=1e-10)


def test_what_cannot_be() -> None:
    x, y = T.matrix("x", shape=(3, None)), T.matrix("y", shape=(2, None))
    with pytest.raises(ValueError, match="3"):
        T.broadcast_arrays(x, y)
    with pytest.raises(ValueError, match="its length is 3"):
        T.broadcast_to(x, (2, 4))
    with pytest.raises(ValueError, match=r"dimensions|axes"):
        T.broadcast_to(x, (4,))
    a, c = T.vectors("a", "c")
    with pytest.raises(ValueError, match=r"shape \(2,\) cannot be stretched to \(3,\)|\(3,\) cannot be stretched"):
        sg.function([a, c], T.broadcast_arrays(a, c))(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match="Only an axis known to be 1 is stretched"):
        sg.function([a, c], a + c)(np.ones(1), np.ones(3))
