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

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from symgraph.random.philox import Array, blocks, blocks_at
from symgraph.random.variates import open_unit, unit

__all__ = ["Source", "binomial", "gamma", "multinomial", "poisson"]

_TILE = 1 << 12  # elements whose first attempts are made together: what they take fits the cache of a core
_ONE_BY_ONE = 200  # one block by itself costs as much as this many in a row,
_FAR_APART = 1 << 15  # many of them in array operations as much as this many
_INVERTED_BELOW = 10.0
_MOST_STEPS = 150  # of an inversion: at a mean of 10, what lies beyond has probability below 1e-100
_LARGEST_UNIT = 1 - 2.0**-53
_STIRLING_FROM = 1e4

#: From an array of words, (n, 4), and the places meant, to values and which of them are accepted.
Proposal = Callable[[Array, Any], tuple[Array, Array]]


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

    def tiles(self) -> Iterator[Source]:
        """The same elements, in parts."""
        for start in range(0, self.count, _TILE):
            yield Source(self.state, self.first + start, min(_TILE, self.count - start), self.lane)

    def blocks(self, attempt: int = 0) -> Array:
        """The blocks of an attempt at all elements."""
        return blocks(self.state, self.first, self.count, attempt, self.lane)

    def __call__(self, attempt: int, places: Array) -> Array:
        """The blocks of an attempt at some of the elements."""
        if len(places) * _ONE_BY_ONE < self.count:
            found = [blocks(self.state, self.first + place, 1, attempt, self.lane) for place in places.tolist()]
            return np.concatenate(found) if found else np.empty((0, 4), np.uint64)
        if self.count > _FAR_APART and len(places) * 10 < self.count:
            return blocks_at(self.state, places + self.first, attempt, self.lane)
        whole = self.blocks(attempt)
        return whole if len(places) == self.count else whole[places]


def _at(parameter: Array, places: Any) -> Any:
    """A parameter at some elements; one of no dimensions is the same for all."""
    return parameter if parameter.ndim == 0 else parameter[places]


def _among(places: Any, some: Array) -> Array:
    """Some of some elements."""
    chosen: Array = some + places.start if isinstance(places, slice) else places[some]
    return chosen


def _until_accepted(source: Source, propose: Proposal, places: Array | None = None) -> Array:
    """A value for each place, from its first attempt that is accepted."""
    if places is None:
        places, tiles = np.arange(source.count), map(Source.blocks, source.tiles())
    else:
        tiles = map(source, [0], [places])
    values, rest, start = np.empty(len(places)), [np.empty(0, np.int64)], 0
    for word in tiles:
        part = slice(start, start + len(word))
        values[part], good = propose(word, part)
        rest.append(np.flatnonzero(~good) + start)
        start = part.stop
    pending = np.concatenate(rest)
    attempt = 1
    while len(pending):
        found, good = propose(source(attempt, places[pending]), pending)
        values[pending] = found  # what is not accepted is written again
        pending = pending[~good]
        attempt += 1
    return values


def gamma(source: Source, shape: Array, log: bool = False) -> Array:
    """Gamma numbers of scale 1, or their logarithms, which do not underflow for small shapes."""
    small = shape < 1
    d = np.asarray(np.where(small, shape + 1, shape) - 1 / 3)
    c = np.asarray(1 / np.sqrt(9 * d))
    endless = np.asarray(~np.isfinite(shape))
    some_endless = bool(endless.any())
    last = np.empty(source.count if small.any() else 0, np.uint64)

    def propose(word: Array, at: Any) -> tuple[Array, Array]:
        x = np.log(open_unit(word[:, 0]))
        x *= -2
        np.sqrt(x, out=x)
        x *= np.cos(2 * np.pi * unit(word[:, 1]))
        u = open_unit(word[:, 2])
        root = _at(c, at) * x
        root += 1
        cube = root * root * root
        x *= x
        square = x
        good = u < 1 - 0.0331 * square * square
        good &= root > 0
        if some_endless:
            good |= _at(endless, at)
        rest = np.flatnonzero(~good & (root > 0))
        v = cube[rest]
        if len(last) and isinstance(at, slice):  # the first attempt
            last[at] = word[:, 3]
        good[rest] = np.log(u[rest]) < square[rest] / 2 + _at(d, _among(at, rest)) * (1 - v + np.log(v))
        return cube, good

    cubes = _until_accepted(source, propose)
    result = np.log(d) + np.log(cubes) if log else d * cubes
    if len(last):
        some = np.flatnonzero(np.broadcast_to(small, source.count))
        with np.errstate(divide="ignore"):
            boost = np.log(open_unit(last[some])) / _at(shape, some)
        if log:
            result[some] += boost
        else:
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


def _inverted_alike(source: Source, first: float, ratio: Callable[[int], float]) -> Array:
    """The same of a source, where all have the same probabilities: the sums are made once and searched."""
    term = total = first
    sums = [total]
    for k in range(_MOST_STEPS - 1):
        if total > _LARGEST_UNIT:
            break
        term *= ratio(k)
        total += term
        sums.append(total)
    table, counts = np.array(sums), [np.empty(0)]
    for tile in source.tiles():
        counts.append(np.searchsorted(table, unit(tile.blocks()[:, 0]), side="right").astype(np.float64))
    return np.concatenate(counts)


def _log_factorials(m: Array, k: Array) -> Array:
    """log(m!/k!) + (k - m) log(m) for k near m, without cancellation where they are large."""
    large = (m > _STIRLING_FROM) & (k > _STIRLING_FROM / 2)
    if large.all():
        return _near_factorials(m, k)
    exact = _exact_factorials(m, k)
    return np.where(large, _near_factorials(m, k), exact) if large.any() else exact


def _near_factorials(m: Array, k: Array) -> Array:
    safe = np.maximum(m, 1)
    delta = np.maximum((k - m) / safe, _STIRLING_FROM / 2 / safe - 1)  # only where they are large is it asked for
    near: Array = -m * ((1 + delta) * np.log1p(delta) - delta) - np.log1p(delta) / 2 + _stirling(m) - _stirling(k)
    return near


def _exact_factorials(m: Array, k: Array) -> Array:
    from scipy.special import gammaln

    exact: Array = gammaln(m + 1) - gammaln(k + 1) + (k - m) * np.log(np.where(m > 0, m, 1))
    return exact


def _stirling(x: Array) -> Array:
    safe = np.maximum(x, 1)
    return 1 / (12 * safe) - 1 / (360 * safe**3)


def poisson(source: Source, mean: Array) -> Array:
    """Poisson numbers, as float64."""
    if mean.ndim == 0 and mean < _INVERTED_BELOW:
        lam = float(mean)
        return _inverted_alike(source, float(np.exp(-mean)), lambda k: lam / (k + 1))
    if mean.ndim == 0:
        return _until_accepted(source, _poisson_hat(mean))
    counts = np.empty(source.count)
    few, many = np.flatnonzero(mean < _INVERTED_BELOW), np.flatnonzero(mean >= _INVERTED_BELOW)
    if len(few):
        some = mean[few]
        counts[few] = _inverted(unit(source(0, few)[:, 0]), np.exp(-some), lambda k, at: some[at] / (k + 1))
    if len(many):
        counts[many] = _until_accepted(source, _poisson_hat(mean[many]), many)
    return counts


def _poisson_hat(mean: Array) -> Proposal:
    b = np.asarray(0.931 + 2.53 * np.sqrt(mean))
    a = np.asarray(-0.059 + 0.02483 * b)
    inverse_alpha = np.asarray(1.1239 + 1.1328 / (b - 3.4))
    sure = np.asarray(0.9277 - 3.6224 / (b - 2))
    mode = np.asarray(np.floor(mean))

    def propose(word: Array, at: Any) -> tuple[Array, Array]:
        u, v = open_unit(word[:, 0]) - 0.5, open_unit(word[:, 1])
        us = 0.5 - np.abs(u)
        k = np.floor((2 * _at(a, at) / us + _at(b, at)) * u + _at(mean, at) + 0.43)
        good = (us >= 0.07) & (v <= _at(sure, at))
        rest = np.flatnonzero(~good & (k >= 0) & ((us >= 0.013) | (v <= us)))
        at, us, chosen = _among(at, rest), us[rest], k[rest]
        lam, m = _at(mean, at), _at(mode, at)
        log_p = _log_peak(lam, m) + _log_factorials(m, chosen) + (chosen - m) * np.log1p((lam - m) / m)
        good[rest] = np.log(v[rest] * _at(inverse_alpha, at) / (_at(a, at) / (us * us) + _at(b, at))) <= log_p
        return k, good

    return propose


def _log_peak(mean: Any, mode: Any) -> Array:
    """The logarithm of the probability of the mode of Poisson numbers."""
    from scipy.special import gammaln

    return np.where(mode > _STIRLING_FROM,
                    -np.log(2 * np.pi * mode) / 2 - _stirling(mode) - (mean - mode)**2 / (2 * mode),
                    -mean + mode * np.log(mean) - gammaln(mode + 1))


def binomial(source: Source, n: Array, p: Array) -> Array:
    """Binomial numbers, as float64."""
    turned = np.asarray(p > 0.5)
    p = np.asarray(np.where(turned, 1 - p, p))
    mean = n * p
    if mean.ndim == 0 and mean < _INVERTED_BELOW:
        odds, trials = float(p / (1 - p)), float(n)
        first = float(np.exp(n * np.log1p(-p)))
        counts = _inverted_alike(source, first, lambda k: (trials - k) / (k + 1) * odds)
        np.minimum(counts, n, out=counts)
    elif mean.ndim == 0:
        counts = _until_accepted(source, _binomial_hat(n, p))
    else:
        counts = _various_binomial(source, np.broadcast_to(n, mean.shape), np.broadcast_to(p, mean.shape), mean)
    return np.where(turned, n - counts, counts)


def _various_binomial(source: Source, n: Array, p: Array, mean: Array) -> Array:
    counts = np.empty(source.count)
    few, many = np.flatnonzero(mean < _INVERTED_BELOW), np.flatnonzero(mean >= _INVERTED_BELOW)
    if len(few):
        odds, trials = p[few] / (1 - p[few]), n[few]
        counts[few] = _inverted(unit(source(0, few)[:, 0]), np.exp(trials * np.log1p(-p[few])),
                                lambda k, at: (trials[at] - k) / (k + 1) * odds[at])
        np.minimum(counts, n, out=counts, where=mean < _INVERTED_BELOW)
    if len(many):
        counts[many] = _until_accepted(source, _binomial_hat(n[many], p[many]), many)
    return counts


def _binomial_hat(n: Array, p: Array) -> Proposal:
    spread = np.sqrt(n * p * (1 - p))
    b = np.asarray(1.15 + 2.53 * spread)
    a = np.asarray(-0.0873 + 0.0248 * b + 0.01 * p)
    alpha = np.asarray((2.83 + 5.1 / b) * spread)
    sure = np.asarray(0.92 - 4.2 / b)
    mean, mode = np.asarray(n * p), np.asarray(np.floor((n + 1) * p))
    others = np.asarray(n - mode)
    tilt = np.asarray(np.log(p / (1 - p)) - np.log(mode / others))

    def propose(word: Array, at: Any) -> tuple[Array, Array]:
        u, v = open_unit(word[:, 0]) - 0.5, open_unit(word[:, 1])
        us = 0.5 - np.abs(u)
        k = np.floor((2 * _at(a, at) / us + _at(b, at)) * u + _at(mean, at) + 0.5)
        good = (us >= 0.07) & (v <= _at(sure, at))
        rest = np.flatnonzero(~good & (k >= 0) & (k <= _at(n, at)))
        at, us, chosen = _among(at, rest), us[rest], k[rest]
        m, other = _at(mode, at), _at(others, at)
        log_p = _log_factorials(m, chosen) + _log_factorials(other, m + other - chosen)
        log_p += (chosen - m) * _at(tilt, at)
        good[rest] = np.log(v[rest] * _at(alpha, at) / (_at(a, at) / (us * us) + _at(b, at))) <= log_p
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

