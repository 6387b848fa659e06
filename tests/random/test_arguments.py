"""Sizes, dtypes, broadcast parameters, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.random import RandomStreams
from symgraph.random.draw import Advance, Categorical, Draw, Multinomial

STREAMS = RandomStreams(0)
x, n = T.dscalar("x"), T.lscalar("n")
v = T.dvector("v")
sizes = T.lvector("sizes")


def value(drawn: Any, at: dict[Any, Any] | None = None) -> Any:
    return drawn.eval(at or {})


# ---- sizes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "shape"), [
    (None, ()), ((), ()), (3, (3,)), ((2, 3), (2, 3)), ([2, 3], (2, 3)), (np.array([2, 3]), (2, 3)), ((0, 3), (0, 3))])
def test_known_sizes(size: Any, shape: Any) -> None:
    for drawn in (STREAMS.normal(size), STREAMS.integers(size, 5), STREAMS.gamma(size), STREAMS.choice(size, 5)):
        assert drawn.type.shape == shape
        assert value(drawn).shape == shape


def test_symbolic_sizes() -> None:
    drawn = STREAMS.uniform((n, 2))
    assert drawn.type.shape == (None, 2)
    assert value(drawn, {n: 3}).shape == (3, 2)
    assert value(STREAMS.uniform(n), {n: 3}).shape == (3,)
    assert value(STREAMS.uniform(v.shape), {v: np.zeros(4)}).shape == (4,)
    drawn = STREAMS.uniform(sizes, ndim=3)
    assert drawn.type.ndim == 3
    f = sg.function([sizes], drawn)
    assert f([2, 3, 4]).shape == (2, 3, 4)
    with pytest.raises(ValueError, match="length 3"):
        f([2, 3])


def test_sizes_that_are_none() -> None:
    wrong: Any = ((-1, ValueError), ((2, -3), ValueError), (2.5, TypeError), ("a", TypeError), (sizes, TypeError))
    for size, error in wrong:
        with pytest.raises(error):
            STREAMS.uniform(size)
    with pytest.raises(ValueError, match="ndim is 2"):
        STREAMS.uniform((3,), ndim=2)
    f = sg.function([n], STREAMS.uniform((n,)))
    with pytest.raises(ValueError, match="negative"):
        f(-1)


def test_parameters_are_broadcast() -> None:
    drawn = STREAMS.normal(None, v.dimshuffle(0, "x"), np.array([0.0, 1.0]))
    found = value(drawn, {v: np.array([1.0, 2.0, 3.0])})
    assert found.shape == (3, 2)
    np.testing.assert_array_equal(found[:, 0], [1, 2, 3])
    assert (found[:, 1] != [1, 2, 3]).all()
    means = np.array([0.0, 1000.0])
    np.testing.assert_allclose(value(STREAMS.poisson((500, 2), means)).mean(axis=0), means, rtol=0.02)
    assert value(STREAMS.binomial(None, [1000, 2000], [[0.0], [1.0]])).tolist() == [[0, 0], [1000, 2000]]
    assert value(STREAMS.uniform((2,), v, v + 1), {v: np.array([3.0, 7.0])}).astype(int).tolist() == [3, 7]


def test_parameters_that_do_not_fit_the_size() -> None:
    for size, mean in (((3,), np.zeros(2)), ((3,), np.zeros((3, 3))), ((1, 2), np.zeros((5, 2))), ((), np.zeros(1))):
        with pytest.raises(ValueError, match="does not broadcast to size"):
            STREAMS.normal(size, mean)
    for size in ((3,), (1,), (n,)):
        f = sg.function([v, n], STREAMS.normal(size, v), on_unused_input="ignore")
        with pytest.raises(ValueError, match="does not fit"):
            f(np.zeros(2), 3)
    with pytest.raises(ValueError, match="shape"):
        STREAMS.normal(None, np.zeros(2), np.ones(3))


# ---- dtypes ------------------------------------------------------------------------------------------------------


def test_dtypes_of_floats() -> None:
    single = T.fvector("s")
    for floatX in ("float32", "float64"):
        with sg.config.change_flags(floatX=floatX):
            assert STREAMS.uniform().dtype == STREAMS.normal(None, 1, 2.5).dtype == floatX
            assert STREAMS.normal(None, single).dtype == STREAMS.gamma((2,), 1.5).dtype == floatX
            assert STREAMS.normal(None, v).dtype == "float64"
            assert STREAMS.normal(None, v, dtype="floatX").dtype == floatX
    assert value(STREAMS.normal((3,), dtype="float16")).dtype == np.float16
    for bad in ("int64", "complex128", "bool"):
        with pytest.raises(TypeError, match="real floats"):
            STREAMS.uniform(dtype=bad)
    with pytest.raises(TypeError):
        STREAMS.normal(None, 1j)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64", "float32", "bool"])
def test_dtypes_of_integers(dtype: str) -> None:
    for drawn in (STREAMS.bernoulli((9,), dtype=dtype), STREAMS.integers((9,), 2, dtype=dtype),
                  STREAMS.poisson((9,), dtype=dtype), STREAMS.multinomial((2,), dtype=dtype)):
        assert drawn.dtype == dtype
        assert value(drawn).dtype == dtype
    with pytest.raises(TypeError, match="integers"):
        STREAMS.poisson(dtype="complex64")


# ---- parameters out of range -------------------------------------------------------------------------------------

BAD: list[tuple[str, Callable[[Any], Any], float]] = [
    ("high must not be below low", lambda p: STREAMS.uniform((2,), 0.0, p), -1.0),
    *((f"{name}: the scale must not be negative", lambda p, name=name: getattr(STREAMS, name)((2,), 0.0, p), -1.0)
      for name in ("normal", "truncated_normal", "laplace", "logistic", "gumbel", "cauchy")),
    ("exponential: the scale must not be negative", lambda p: STREAMS.exponential((2,), p), -0.5),
    ("weibull: the shape must be positive", lambda p: STREAMS.weibull((2,), p), 0.0),
    ("gamma: the shape must not be negative", lambda p: STREAMS.gamma((2,), p), -1.0),
    ("gamma: the scale must not be negative", lambda p: STREAMS.gamma((2,), 1.0, p), -1.0),
    ("chisquare: the number of degrees", lambda p: STREAMS.chisquare((2,), p), 0.0),
    ("beta: the parameter a must be positive", lambda p: STREAMS.beta((2,), p, 1.0), 0.0),
    ("beta: the parameter b must be positive", lambda p: STREAMS.beta((2,), 1.0, p), -1.0),
    ("dirichlet: the parameter alpha", lambda p: STREAMS.dirichlet((2,), T.stack([p, 1.0])), 0.0),
    ("bernoulli: p must be in", lambda p: STREAMS.bernoulli((2,), p), 1.01),
    ("bernoulli: p must be in", lambda p: STREAMS.bernoulli((2,), p), np.nan),
    ("binomial: p must be in", lambda p: STREAMS.binomial((2,), 5, p), -0.01),
    ("poisson: lam must be in", lambda p: STREAMS.poisson((2,), p), -0.01),
    ("poisson: lam must be in", lambda p: STREAMS.poisson((2,), p), np.nan),
    ("poisson: lam must be in", lambda p: STREAMS.poisson((2,), p), 1e19),
    ("geometric: p must be in", lambda p: STREAMS.geometric((2,), p), 0.0),
    ("multinomial: probabilities must sum to 1", lambda p: STREAMS.multinomial(pvals=T.stack([p, 0.5])), 0.51),
    ("multinomial: probabilities must not be negative", lambda p: STREAMS.multinomial(pvals=T.stack([p, 1 - p])), -0.1),
    ("choice: probabilities must sum to 1", lambda p: STREAMS.choice((3,), 2, p=T.stack([p, 0.5])), 0.4),
]
BAD_INTEGERS: list[tuple[str, Callable[[Any], Any], int]] = [
    ("binomial: n must not be negative", lambda n: STREAMS.binomial((2,), n, 0.5), -1),
    ("multinomial: n must not be negative", lambda n: STREAMS.multinomial((2,), n), -1),
    ("binomial: n must not be negative, nor above 2..53", lambda n: STREAMS.binomial((2,), n, 0.5), 2**53 + 1),
    ("integers: high must be greater than low", lambda n: STREAMS.integers((2,), n), 0),
    ("random_integers: high must not be below low", lambda n: STREAMS.random_integers((2,), 3, n), 2),
    ("integers: high is out of bounds for int8", lambda n: STREAMS.integers((2,), n, dtype="int8"), 129),
    ("integers: low is out of bounds for uint8", lambda n: STREAMS.integers((2,), n, 5, dtype="uint8"), -1),
    ("permutation: n must not be negative", lambda n: STREAMS.permutation(None, n), -1),
    ("choice: a must be positive", lambda n: STREAMS.choice((2,), n), 0),
    ("choice: cannot draw more", lambda n: STREAMS.choice((4,), n, replace=False), 3),
    ("choice: a and p differ", lambda n: STREAMS.choice((4,), n, p=[0.5, 0.5]), 3),
    ("wo_replacement: fewer categories", lambda n: STREAMS.multinomial_wo_replacement(n=n, pvals=[[0.5, 0.5, 0]]), 3),
]


@pytest.mark.parametrize(("message", "build", "bad"), [*BAD, *BAD_INTEGERS])
def test_parameters_out_of_range(message: str, build: Any, bad: Any) -> None:
    """At once where a constant shows it, else when the function runs."""
    symbol = n if isinstance(bad, int) else x
    f = sg.function([symbol], build(symbol))
    with pytest.raises(ValueError, match=message):
        f(bad)
    if "stack" not in build.__code__.co_names:  # what is stacked is computed
        with pytest.raises(ValueError, match=message):
            build(bad)


@pytest.mark.parametrize(("message", "build"), [
    ("scale must not be negative", lambda: STREAMS.normal(None, 0.0, [1.0, -1.0])),
    ("sum to 1", lambda: STREAMS.multinomial(pvals=[0.5, 0.6])),
    ("sum to 1", lambda: STREAMS.multinomial(pvals=np.array([0.5, 0.6], "float32"))),
    ("alpha must be positive", lambda: STREAMS.dirichlet(alpha=[1.0, -1.0])),
    ("must not be negative", lambda: STREAMS.choice((2,), 2, p=[-0.5, 1.5]))])
def test_constants_out_of_range_in_vectors(message: str, build: Any) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_probabilities_sum_to_1_as_well_as_their_dtype_allows() -> None:
    row = np.full((1, 1000), 0.001, "float32")
    assert value(STREAMS.multinomial(pvals=row)).sum() == 1
    with pytest.raises(ValueError, match="sum to 1"):
        STREAMS.multinomial(pvals=np.array([0.5, 0.5001]))


def test_what_is_no_integer() -> None:
    wrong: Any = (lambda: STREAMS.binomial((2,), 2.5, 0.5), lambda: STREAMS.integers((2,), 0.0, 5.0),
                  lambda: STREAMS.permutation(None, 3.0), lambda: STREAMS.choice((2,), 3.0),
                  lambda: STREAMS.multinomial((2,), 1.0), lambda: STREAMS.integers((2,), np.uint64(3)))
    for build in wrong:
        with pytest.raises(TypeError):
            build()


@pytest.mark.parametrize(("message", "build"), [
    ("nothing to choose from", lambda: STREAMS.choice((2,), None)),
    ("a must be None", lambda: STREAMS.choice(2, 3, p=np.full((2, 2), 0.5))),
    ("leave the size out", lambda: STREAMS.permutation((2,), np.zeros(3))),
    ("leave it out", lambda: STREAMS.multinomial_wo_replacement(size=3, n=1)),
    ("not a scalar", lambda: STREAMS.dirichlet(alpha=1.0)),
    ("not a scalar", lambda: STREAMS.multinomial(pvals=1.0)),
    ("at least one dimension", lambda: STREAMS.shuffle_row_elements(1.0))])
def test_other_refusals(message: str, build: Any) -> None:
    with pytest.raises(ValueError, match=message):
        build()


# ---- the operations themselves -----------------------------------------------------------------------------------


def test_shapes_need_no_numbers() -> None:
    """Only lengths are computed where only lengths are asked for."""
    for drawn in (STREAMS.normal((n, 3)), STREAMS.poisson((n, 3), 20.0), STREAMS.integers((n, 3), 5),
                  STREAMS.multinomial((n,), 7, [0.2, 0.3, 0.5]), STREAMS.choice((n, 3), 3, p=[0.2, 0.3, 0.5])):
        f = sg.function([n], drawn.shape, no_default_updates=True)
        assert tuple(f(4)) == (4, 3)
        assert not any(isinstance(step.node.op, (Draw, Multinomial, Categorical)) for step in f.plan.steps)


def test_an_unused_tensor_is_not_drawn() -> None:
    drawn = STREAMS.normal((5,))
    f = sg.function([], drawn.rng, updates=[drawn.update])
    assert [type(step.node.op) for step in f.plan.steps if isinstance(step.node.op, (Draw, Advance))] == [Advance]


def test_operations_compare_by_what_they_do() -> None:
    assert Draw("normal", "float32") == Draw("normal", "float32") != Draw("normal", "float64")
    assert str(Draw("normal", "float32")) == "random_normal{float32}"
    assert (Draw("uniform", "float64").per_block, Draw("uniform", "float32").per_block) == (4, 8)
    assert (Draw("gamma", "float32").per_block, Draw("integers", "int64").per_block) == (1, 4)
