"""Derivatives with the random part held fixed, against differences; zero and undefined ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.random import RandomStreams

#: Distributions that are differentiable by all their parameters, and where to try it.
SMOOTH = [
    ("uniform", (np.array([-1.0, 0.5]), np.array([2.0, 0.75]))),
    *((name, (np.array([-1.0, 0.5]), np.array([2.0, 0.75])))
      for name in ("normal", "truncated_normal", "lognormal", "laplace", "logistic", "gumbel", "cauchy")),
    ("exponential", (np.array([2.0, 0.5]),)),
    ("weibull", (np.array([2.0, 0.5]), np.array([2.0, 0.75]))),
]


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize(("name", "at"), SMOOTH, ids=lambda v: v if isinstance(v, str) else "")
def test_gradients_by_parameters(name: str, at: Any, sized: bool) -> None:
    symbols = [T.dvector() for _ in at]
    drawn = getattr(RandomStreams(1), name)((3, 2) if sized else None, *symbols)
    weights = np.random.default_rng(0).normal(size=(3, 2) if sized else 2)
    cost = (drawn * weights).sum()
    options: Any = {"no_default_updates": True, "on_unused_input": "ignore"}
    f = sg.function(symbols, cost, **options)
    gradients = sg.function(symbols, sg.grad(cost, symbols), **options)(*at)
    for which, gradient in enumerate(gradients):
        for i in range(2):
            step = np.zeros(2)
            step[i] = 1e-6
            near = [[a + sign * step if j == which else a for j, a in enumerate(at)] for sign in (1, -1)]
            np.testing.assert_allclose(gradient[i], (f(*near[0]) - f(*near[1])) / 2e-6, rtol=1e-5, atol=1e-6)


def test_gradients_use_the_numbers_of_their_call() -> None:
    mean, deviation = T.dscalar("mean"), T.dscalar("deviation")
    drawn = RandomStreams(2).normal((), mean, deviation)
    f = sg.function([mean, deviation], [drawn, *sg.grad(drawn, [mean, deviation])])
    for _ in range(3):
        z, by_mean, by_deviation = f(1.0, 2.0)
        assert by_mean == 1
        np.testing.assert_allclose(by_deviation, (z - 1) / 2)


def test_forward_derivatives() -> None:
    mean = T.dvector("mean")
    drawn = RandomStreams(3).normal(None, mean, mean)
    tangent = sg.Rop(drawn, mean, T.ones_like(mean))
    z, t = sg.function([mean], [drawn, tangent])(np.array([1.0, 2.0]))
    np.testing.assert_allclose(t, z / [1, 2])


def test_gamma_has_a_gradient_by_its_scale_only() -> None:
    shape, scale = T.dscalar("shape"), T.dscalar("scale")
    drawn = RandomStreams(4).gamma((), shape, scale)
    z, by_scale = sg.function([shape, scale], [drawn, sg.grad(drawn, scale)])(2.0, 3.0)
    np.testing.assert_allclose(by_scale, z / 3)
    with pytest.raises((TypeError, ValueError), match="no derivative in closed form"):
        sg.grad(drawn, shape)
    for undefined in (RandomStreams(4).beta((), shape, 1.0), RandomStreams(4).chisquare((), shape)):
        with pytest.raises((TypeError, ValueError), match="no derivative in closed form"):
            sg.grad(undefined, shape)


@pytest.mark.parametrize("build", [
    lambda s, p: s.bernoulli((3,), p, dtype="float64"), lambda s, p: s.binomial((3,), 50, p, dtype="float64"),
    lambda s, p: s.poisson((3,), 20 * p, dtype="float64"), lambda s, p: s.geometric((3,), p, dtype="float64"),
    lambda s, p: s.choice((3,), 2, p=T.stack([p, 1 - p]), dtype="float64"),
    lambda s, p: s.multinomial((3,), 1, T.stack([p, 1 - p]), dtype="float64"),
    lambda s, p: s.multinomial((3,), 50, T.stack([p, 1 - p]), dtype="float64"),
    lambda s, p: s.multinomial_wo_replacement(n=1, pvals=T.stack([p, 1 - p]), dtype="float64"),
])
def test_gradients_of_what_is_discrete_are_zero(build: Any) -> None:
    p = T.dscalar("p")
    assert sg.grad(build(RandomStreams(5), p).sum(), p).eval({p: 0.4}) == 0


def test_gradients_through_orders() -> None:
    """Elements that were moved take their gradients along."""
    x = T.dmatrix("x")
    weights = np.arange(6.0).reshape(2, 3)
    for drawn in (RandomStreams(6).shuffle_row_elements(x), RandomStreams(6).permutation(n=x)):
        f = sg.function([x], [drawn, sg.grad((drawn * weights).sum(), x)])
        at = np.random.default_rng(0).normal(size=(2, 3))
        moved, gradient = f(at)
        for place, value in np.ndenumerate(at):
            assert gradient[place] == weights[moved == value]


def test_states_have_no_gradient() -> None:
    drawn = RandomStreams(7).normal((3,))
    with pytest.raises(sg.gradient.DisconnectedInputError):
        sg.grad(drawn.sum(), drawn.rng)
