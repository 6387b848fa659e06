"""Sampling whose number of random words varies: gamma, Poisson, binomial and multinomial numbers.

Element number i uses block i of its state, and attempt j at it the same block with j as the counter's
attempt (see `symgraph.random.philox`). So an element's value depends neither on the others nor on the order of work.
All is computed in float64, from ``open`` or ``unit`` of the block's words.

- gamma: G. Marsaglia and W. Tsang, "A simple method for generating gamma variables", ACM TOMS 26 (2000). An attempt
  takes a normal number from words 0 and 1 and a uniform one from word 2; for shapes a below 1, the number of shape a +
  1 is multiplied by u**(1/a), u from word 3 of attempt 0.
- Poisson and binomial numbers of mean below 10: inversion of word 0 by summing probabilities.
- the others: transformed rejection, W. Hoermann, "The transformed rejection method for generating Poisson random
  variables", Insurance: Mathematics and Economics 12 (1993), and "The generation of binomial random variates", Journal
  of Statistical Computation and Simulation 46 (1993); words 0 and 1 of each attempt.
- multinomial: one binomial number after the other, given those before; category number c uses c as the lane.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from symgraph.random.philox import Array, blocks, blocks_at
from symgraph.random.variates import open_unit, unit

__all__ = ["Source", "binomial", "gamma", "multinomial", "poisson"]

_FAR_APART = 10  # one block by itself costs as much as this many in a row
_INVERTED_BELOW = 10.0
_MOST_STEPS = 150  # of an inversion: at a mean of 10, what lies beyond has probability below 1e-100
_STIRLING_FROM = 1e4

#: From an array of words, (n, 4), and the places meant, to values and which of them are accepted.
Proposal = Callable[[Array, Array], tuple[Array, Array]]


class Source:
    """The blocks of some consecutive elements.

    Parameters
    ----------
    state : array of 3 uint64
    first, count : int
        The first element and how many there are.
    lane : int
    """

    def __init__(self, state: Array, first: int, count: int, lane: int = 0) -> None:
        self.state, self.first, self.count, self.lane = state, first, count, lane

    def __call__(self, attempt: int, places: Array) -> Array:
        """The blocks of an attempt at some of the elements."""
        if len(places) * _FAR_APART < self.count:
            return blocks_at(self.state, places + self.first, attempt, self.lane)
        whole = blocks(self.state, self.first, self.count, attempt, self.lane)
        return whole if len(places) == self.count else whole[places]


def _until_accepted(source: Source, places: Array, propose: Proposal) -> Array:
    """A value for each place, from its first attempt that is accepted."""
    values = np.empty(len(places))
    pending = np.arange(len(places))
    attempt = 0
    while len(pending):
        found, good = propose(source(attempt, places[pending]), pending)
        values[pending[good]] = found[good]
        pending = pending[~good]
        attempt += 1
    return values


def gamma(source: Source, shape: Array, log: bool = False) -> Array:
    """Gamma numbers of scale 1, or their logarithms, which do not underflow for small shapes."""
    small = shape < 1
    d = np.where(small, shape + 1, shape) - 1 / 3
    c = 1 / np.sqrt(9 * d)
    endless = ~np.isfinite(shape)

    def propose(word: Array, at: Array) -> tuple[Array, Array]:
        x = np.sqrt(-2 * np.log(open_unit(word[:, 0]))) * np.cos(2 * np.pi * unit(word[:, 1]))
        u = open_unit(word[:, 2])
        root = 1 + c[at] * x
        cube = root * root * root
        square = x * x
        good = ((root > 0) & (u < 1 - 0.0331 * square * square)) | endless[at]
        rest = np.flatnonzero(~good & (root > 0))
        v = cube[rest]
        good[rest] = np.log(u[rest]) < square[rest] / 2 + d[at[rest]] * (1 - v + np.log(v))
        return cube, good

    cubes = _until_accepted(source, np.arange(len(shape)), propose)
    some = np.flatnonzero(small)
    boost = np.log(open_unit(source(0, some)[:, 3])) if len(some) else np.empty(0)
    with np.errstate(divide="ignore"):
        boost /= shape[some]
    if log:
        result = np.log(d) + np.log(cubes)
        result[some] += boost
    else:
        result = d * cubes
        result[some] *= np.exp(boost)
    return result


def _inverted(u: Array, first: Array, ratio: Callable[[int, Array], Array]) -> Array:
    """The least k with u below the sum of probabilities 0 to k; `ratio` gives that of k + 1 to that of k."""
    counts = np.zeros(len(u))
    active = np.arange(len(u))
    term, total = first.copy(), first.copy()
    for k in range(_MOST_STEPS):
        active = active[u[active] >= total[active]]
        if not len(active):
            break
        term[active] *= ratio(k, active)
        total[active] += term[active]
        counts[active] = k + 1
    return counts


def _log_factorials(m: Array, k: Array) -> Array:
    """log(m!/k!) + (k - m) log(m) for k near m, without cancellation where they are large."""
    from scipy.special import gammaln

    large = (m > _STIRLING_FROM) & (k > _STIRLING_FROM / 2)
    delta = np.where(large, (k - m) / np.where(m > 0, m, 1), 0)
    near = -m * ((1 + delta) * np.log1p(delta) - delta) - np.log1p(delta) / 2 + _stirling(m) - _stirling(k)
    exact = gammaln(m + 1) - gammaln(k + 1) + (k - m) * np.log(np.where(m > 0, m, 1))
    return np.where(large, near, exact)


def _stirling(x: Array) -> Array:
    safe = np.maximum(x, 1)
    return 1 / (12 * safe) - 1 / (360 * safe**3)


def poisson(source: Source, mean: Array) -> Array:
    """Poisson numbers, as float64."""
    counts = np.empty(len(mean))
    few, many = np.flatnonzero(mean < _INVERTED_BELOW), np.flatnonzero(mean >= _INVERTED_BELOW)
    if len(few):
        lam = mean[few]
        counts[few] = _inverted(unit(source(0, few)[:, 0]), np.exp(-lam), lambda k, at: lam[at] / (k + 1))
    if len(many):
        counts[many] = _until_accepted(source, many, _poisson_hat(mean[many]))
    return counts


def _poisson_hat(mean: Array) -> Proposal:
    b = 0.931 + 2.53 * np.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    sure = 0.9277 - 3.6224 / (b - 2)
    mode = np.floor(mean)

    def propose(word: Array, at: Array) -> tuple[Array, Array]:
        from scipy.special import gammaln

        u, v = open_unit(word[:, 0]) - 0.5, open_unit(word[:, 1])
        us = 0.5 - np.abs(u)
        k = np.floor((2 * a[at] / us + b[at]) * u + mean[at] + 0.43)
        good = (us >= 0.07) & (v <= sure[at])
        rest = np.flatnonzero(~good & (k >= 0) & ((us >= 0.013) | (v <= us)))
        at, us, chosen = at[rest], us[rest], k[rest]
        lam, m = mean[at], mode[at]
        # log of the probability: at the mode, and from there to k
        peak = np.where(m > _STIRLING_FROM, -np.log(2 * np.pi * m) / 2 - _stirling(m) - (lam - m)**2 / (2 * m),
                        -lam + m * np.log(lam) - gammaln(m + 1))
        log_p = peak + _log_factorials(m, chosen) + (chosen - m) * np.log1p((lam - m) / m)
        good[rest] = np.log(v[rest] * inverse_alpha[at] / (a[at] / (us * us) + b[at])) <= log_p
        return k, good

    return propose


def binomial(source: Source, n: Array, p: Array) -> Array:
    """Binomial numbers, as float64."""
    turned = p > 0.5
    p = np.where(turned, 1 - p, p)
    counts = np.empty(len(n))
    few, many = np.flatnonzero(n * p < _INVERTED_BELOW), np.flatnonzero(n * p >= _INVERTED_BELOW)
    if len(few):
        odds, trials = p[few] / (1 - p[few]), n[few]
        counts[few] = _inverted(unit(source(0, few)[:, 0]), np.exp(trials * np.log1p(-p[few])),
                                lambda k, at: (trials[at] - k) / (k + 1) * odds[at])
        np.minimum(counts, n, out=counts)
    if len(many):
        counts[many] = _until_accepted(source, many, _binomial_hat(n[many], p[many]))
    return np.where(turned, n - counts, counts)


def _binomial_hat(n: Array, p: Array) -> Proposal:
    spread = np.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    alpha = (2.83 + 5.1 / b) * spread
    sure = 0.92 - 4.2 / b
    mode = np.floor((n + 1) * p)
    tilt = np.log(p / (1 - p)) - np.log(mode / (n - mode))

    def propose(word: Array, at: Array) -> tuple[Array, Array]:
        u, v = open_unit(word[:, 0]) - 0.5, open_unit(word[:, 1])
        us = 0.5 - np.abs(u)
        k = np.floor((2 * a[at] / us + b[at]) * u + (n * p)[at] + 0.5)
        good = (us >= 0.07) & (v <= sure[at])
        rest = np.flatnonzero(~good & (k >= 0) & (k <= n[at]))
        at, us, chosen = at[rest], us[rest], k[rest]
        m, other = mode[at], (n - mode)[at]
        log_p = _log_factorials(m, chosen) + _log_factorials(other, m + other - chosen) + (chosen - m) * tilt[at]
        good[rest] = np.log(v[rest] * alpha[at] / (a[at] / (us * us) + b[at])) <= log_p
        return k, good

    return propose


def multinomial(state: Array, first: int, n: Array, p: Array) -> Array:
    """How many of n fall into each category: an array of shape (len(n), categories), from probabilities of that shape.

    What is missing from a sum of 1, or beyond it, is shared out in proportion.
    """
    tails = np.cumsum(p[:, ::-1], axis=1)[:, ::-1]
    counts = np.zeros(p.shape)
    left = n.astype(np.float64)
    for c in range(p.shape[1] - 1):
        share = np.divide(p[:, c], tails[:, c], out=np.zeros(len(n)), where=tails[:, c] > 0)
        counts[:, c] = binomial(Source(state, first, len(n), c), left, np.clip(share, 0, 1))
        left -= counts[:, c]
    counts[:, -1] = left
    return counts

