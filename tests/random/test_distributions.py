"""Every distribution against its law: Kolmogorov-Smirnov, chi-square and moments, at fixed seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import symgraph as sg
from symgraph.random import RandomStreams

COUNT = 20_000
#: The seeds are fixed, so that what passes once always does; a wrong law gives far less than this.
LEAST = 1e-3

CONTINUOUS = [
    ("uniform", (-2.0, 3.0), stats.uniform(-2, 5)),
    ("normal", (1.5, 2.0), stats.norm(1.5, 2)),
    ("truncated_normal", (1.0, 3.0), stats.truncnorm(-2, 2, 1, 3)),
    ("lognormal", (0.5, 0.7), stats.lognorm(0.7, scale=np.exp(0.5))),
    ("exponential", (2.5,), stats.expon(scale=2.5)),
    ("laplace", (1.0, 2.0), stats.laplace(1, 2)),
    ("logistic", (1.0, 2.0), stats.logistic(1, 2)),
    ("gumbel", (1.0, 2.0), stats.gumbel_r(1, 2)),
    ("cauchy", (1.0, 2.0), stats.cauchy(1, 2)),
    ("weibull", (1.7, 2.0), stats.weibull_min(1.7, scale=2)),
    ("gamma", (0.3, 2.0), stats.gamma(0.3, scale=2)),
    ("gamma", (1.0, 1.0), stats.gamma(1)),
    ("gamma", (7.5, 0.5), stats.gamma(7.5, scale=0.5)),
    ("gamma", (1e6, 1.0), stats.gamma(1e6)),
    ("chisquare", (3,), stats.chi2(3)),
    ("beta", (0.4, 2.0), stats.beta(0.4, 2)),
    ("beta", (20.0, 30.0), stats.beta(20, 30)),
]
DISCRETE = [
    ("bernoulli", (0.3,), stats.bernoulli(0.3)),
    ("binomial", (1, 0.8), stats.binom(1, 0.8)),
    ("binomial", (10, 0.35), stats.binom(10, 0.35)),
    ("binomial", (12, 0.95), stats.binom(12, 0.95)),
    ("binomial", (200, 0.02), stats.binom(200, 0.02)),
    ("binomial", (25, 0.45), stats.binom(25, 0.45)),
    ("binomial", (1000, 0.7), stats.binom(1000, 0.7)),
    ("binomial", (10**6, 0.3), stats.binom(10**6, 0.3)),
    ("poisson", (0.2,), stats.poisson(0.2)),
    ("poisson", (9.5,), stats.poisson(9.5)),
    ("poisson", (10.0,), stats.poisson(10)),
    ("poisson", (75.0,), stats.poisson(75)),
    ("poisson", (1e5,), stats.poisson(1e5)),
    ("geometric", (0.2,), stats.geom(0.2)),
    ("integers", (-3, 8), stats.randint(-3, 8)),
    ("random_integers", (-3, 8), stats.randint(-3, 9)),
    ("choice", (6,), stats.randint(0, 6)),
]
ELSEWHERE = {"dirichlet", "multinomial", "multinomial_wo_replacement", "permutation", "shuffle_row_elements"}


def sample(name: str, parameters: Any, dtype: str | None, size: Any = COUNT, seed: int = 2024) -> Any:
    options: Any = {} if dtype is None else {"dtype": dtype}
    return getattr(RandomStreams(seed), name)(size, *parameters, **options).eval()


def fit_of_counts(values: Any, law: Any) -> float:
    """The p-value of a chi-square test; rare values are put together."""
    low, high = int(values.min()), int(values.max())
    places = np.arange(low, high + 1)
    observed, expected = np.bincount(values - low), len(values) * law.pmf(places)
    common = expected >= 5
    if common.all() and abs(expected.sum() - len(values)) < 1e-6:
        return float(stats.chisquare(observed, expected * (len(values) / expected.sum())).pvalue)
    rest = max(len(values) - expected[common].sum(), 1e-9)
    return float(stats.chisquare(np.append(observed[common], observed[~common].sum()),
                                 np.append(expected[common], rest)).pvalue)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "parameters", "law"), CONTINUOUS, ids=lambda v: v if isinstance(v, str) else "")
def test_continuous_laws(name: str, parameters: Any, law: Any, dtype: str) -> None:
    x = sample(name, parameters, dtype)
    assert x.dtype == dtype
    assert x.shape == (COUNT,)
    x = x.astype("float64")
    assert stats.kstest(x, law.cdf).pvalue > LEAST
    if name != "cauchy":
        deviation = law.std() / np.sqrt(COUNT)
        assert abs(x.mean() - law.mean()) < 4 * deviation
        fourth = np.mean((x - x.mean()) ** 4) / x.var() ** 2
        assert abs(x.var() / law.var() - 1) < 4 * np.sqrt((fourth - 1) / COUNT)


@pytest.mark.parametrize(("name", "parameters", "law"), DISCRETE, ids=lambda v: v if isinstance(v, str) else "")
def test_discrete_laws(name: str, parameters: Any, law: Any) -> None:
    x = sample(name, parameters, None)
    assert x.dtype == np.int64
    assert fit_of_counts(x, law) > LEAST
    assert abs(x.mean() - law.mean()) < 4 * law.std() / np.sqrt(COUNT)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("name", "parameters", "law"), [*CONTINUOUS, *DISCRETE],
                         ids=lambda v: v if isinstance(v, str) else "")
def test_laws_by_many_numbers(name: str, parameters: Any, law: Any, seed: int) -> None:
    x = sample(name, parameters, None, 2_000_000, seed)
    fit = fit_of_counts(x, law) if x.dtype == np.int64 else stats.kstest(x, law.cdf).pvalue
    assert fit > LEAST / 10


@pytest.mark.parametrize(("name", "parameters", "mean", "variance"), [
    ("poisson", (1e12,), 1e12, 1e12), ("poisson", (1e17,), 1e17, 1e17), ("binomial", (10**12, 0.3), 3e11, 2.1e11),
    ("binomial", (2**52, 0.6), 2**52 * 0.6, 2**52 * 0.24)])
def test_large_counts_are_normal(name: str, parameters: Any, mean: float, variance: float) -> None:
    x = sample(name, parameters, None)
    assert stats.kstest((x - mean) / np.sqrt(variance), stats.norm.cdf).pvalue > LEAST


def test_every_distribution_is_tested() -> None:
    tested = {row[0] for row in CONTINUOUS + DISCRETE} | ELSEWHERE
    assert tested == {name for name in sg.random.__all__ if name.islower()} - {"make_state"}
    assert all(hasattr(RandomStreams, name) for name in tested)


def test_edges() -> None:
    """Parameters at the ends of their ranges."""
    assert (sample("bernoulli", (0.0,), None) == 0).all()
    assert (sample("bernoulli", (1.0,), None) == 1).all()
    assert (sample("binomial", (50, 1.0), None, 100) == 50).all()
    assert (sample("binomial", (50, 0.0), None, 100) == 0).all()
    assert (sample("binomial", (0, 0.3), None, 100) == 0).all()
    assert (sample("poisson", (0.0,), None, 100) == 0).all()
    assert (sample("geometric", (1.0,), None, 100) == 1).all()
    assert (sample("geometric", (1e-300,), None, 100) == 2**63 - 1024).all()
    assert (sample("normal", (3.0, 0.0), None, 100) == 3).all()
    assert (sample("gamma", (0.0, 1.0), None, 100) == 0).all()
    assert (sample("uniform", (2.0, 2.0), None, 100) == 2).all()
    tiny = sample("beta", (1e-4, 1e-4), "float64", 1000)
    assert np.isfinite(tiny).all()
    assert abs(tiny.mean() - 0.5) < 0.1


def test_uniform_numbers_stay_below_one() -> None:
    for dtype in ("float16", "float32", "float64"):
        x = sample("uniform", (), dtype)
        assert x.dtype == dtype
        assert x.min() >= 0
        assert x.max() < 1


def test_dirichlet() -> None:
    alpha = np.array([0.5, 2.0, 4.0])
    x = RandomStreams(3).dirichlet((COUNT,), alpha).eval()
    np.testing.assert_allclose(x.sum(axis=1), 1)
    for i, a in enumerate(alpha):
        assert stats.kstest(x[:, i], stats.beta(a, alpha.sum() - a).cdf).pvalue > LEAST
    wanted = stats.dirichlet(alpha).cov()
    np.testing.assert_allclose(np.cov(x.T), wanted, atol=0.003)


@pytest.mark.parametrize("n", [1, 4, 60])
def test_multinomial(n: int) -> None:
    p = np.array([0.1, 0.0, 0.5, 0.3, 0.1])
    x = RandomStreams(4).multinomial((COUNT,), n, p).eval()
    assert (x.sum(axis=1) == n).all()
    assert (x[:, 1] == 0).all()
    for i in (0, 2, 3, 4):
        assert fit_of_counts(x[:, i], stats.binom(n, p[i])) > LEAST
    np.testing.assert_allclose(np.cov(x.T), n * (np.diag(p) - np.outer(p, p)), atol=0.03 * n)


def test_rows_of_a_multinomial_have_their_own_probabilities() -> None:
    p = np.array([[1, 0, 0], [0, 0, 1], [0.5, 0.5, 0]])
    assert RandomStreams(1).multinomial(pvals=p).eval()[:2].tolist() == [[1, 0, 0], [0, 0, 1]]
    many = RandomStreams(1).multinomial(None, [10, 20, 30_000], p).eval()
    assert many[:2].tolist() == [[10, 0, 0], [0, 0, 20]]
    assert abs(many[2, 0] - 15_000) < 400


def test_permutations() -> None:
    """All orders are equally likely."""
    x = RandomStreams(5).permutation((COUNT,), 4).eval()
    assert (np.sort(x, axis=1) == np.arange(4)).all()
    counts = np.unique(x @ [64, 16, 4, 1], return_counts=True)[1]
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > LEAST
    rows = np.arange(12.0).reshape(4, 3)
    shuffled = RandomStreams(6).permutation(n=rows).eval()
    assert sorted(map(tuple, shuffled)) == sorted(map(tuple, rows))


def test_rows_are_shuffled_each_by_itself() -> None:
    x = np.tile(np.arange(3), (COUNT, 1))
    shuffled = RandomStreams(7).shuffle_row_elements(x).eval()
    assert (np.sort(shuffled, axis=1) == x).all()
    assert stats.chisquare(np.unique(shuffled @ [9, 3, 1], return_counts=True)[1]).pvalue > LEAST


def test_choice_by_weights() -> None:
    p = np.array([0.2, 0.0, 0.7, 0.1])
    x = RandomStreams(8).choice((COUNT,), 4, p=p).eval()
    counts = np.bincount(x, minlength=4)
    assert counts[1] == 0
    assert stats.chisquare(counts[[0, 2, 3]], COUNT * p[[0, 2, 3]]).pvalue > LEAST
    items = RandomStreams(8).choice((COUNT,), np.array([10.0, 20.0, 30.0, 40.0]), p=p).eval()
    np.testing.assert_array_equal(items, 10.0 * (x + 1))


def test_choice_without_replacement() -> None:
    """Drawn one after the other: the first by the weights, the second by those of the others."""
    p = np.array([0.2, 0.5, 0.3])
    x = RandomStreams(9).multinomial_wo_replacement(n=2, pvals=np.tile(p, (COUNT, 1))).eval()
    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    counts = [int(((x[:, 0] == i) & (x[:, 1] == j)).sum()) for i, j in pairs]
    assert sum(counts) == COUNT
    assert stats.chisquare(counts, [COUNT * p[i] * p[j] / (1 - p[i]) for i, j in pairs]).pvalue > LEAST
    some = RandomStreams(9).choice((2, 3), 10, replace=False).eval()
    assert len(set(some.ravel().tolist())) == 6
    assert set(RandomStreams(9).choice(2, 3, replace=False, p=[0.5, 0.0, 0.5]).eval().tolist()) == {0, 2}


def test_rows_of_choices() -> None:
    streams = sg.random.MRG_RandomStreams(1)
    p = np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    with_them = streams.choice(size=500, p=p).eval()
    assert with_them.shape == (2, 500)
    assert set(with_them[0].tolist()) == {0, 1}
    assert set(with_them[1].tolist()) == {2}
    assert abs(with_them[0].mean() - 0.5) < 0.1
    repeated = streams.multinomial_wo_replacement(n=500, pvals=p, replace=True).eval()
    assert repeated.shape == (2, 500)


# ---- independence ------------------------------------------------------------------------------------------------


def correlation(a: Any, b: Any) -> float:
    return float(np.corrcoef(a, b)[0, 1]) * np.sqrt(len(a))


def test_streams_are_independent() -> None:
    """Tensors of one seed, of near seeds, calls one after the other, and neighbours within a tensor."""
    streams = RandomStreams(0)
    f = sg.function([], [streams.normal((COUNT,)) for _ in range(3)])
    g = sg.function([], RandomStreams(1).normal((COUNT,)))
    series = [*f(), *f(), g(), g()]
    for i, a in enumerate(series):
        assert abs(correlation(a[1:], a[:-1])) < 4
        assert abs(correlation(a[1::2] ** 2, a[::2] ** 2)) < 4
        for b in series[:i]:
            assert abs(correlation(a, b)) < 4
            assert abs(correlation(a**2, b**2)) < 4
            assert abs(correlation(a[1:], b[:-1])) < 4


def test_pairs_fill_the_square() -> None:
    x = sample("uniform", (), "float32", (COUNT, 2))
    cells = np.histogram2d(x[:, 0], x[:, 1], bins=10, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(cells.ravel()).pvalue > LEAST


def test_every_bit_is_fair() -> None:
    bits = np.unpackbits(sg.random.philox.words(sg.random.make_state(1), 0, COUNT).view(np.uint8)).reshape(COUNT, 64)
    assert stats.chisquare([bits.sum(), bits.size - bits.sum()]).pvalue > LEAST
    assert (abs(bits.mean(axis=0) - 0.5) * 2 * np.sqrt(COUNT)).max() < 5
