"""Draws of integers: functions from a state to the state after the draw, and the numbers.

Arguments are those of `symgraph.random.continuous`; ``dtype`` is int64 unless said, and may be a dtype of floats.
Derivatives by parameters are zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph.graph.basic import Constant
from symgraph.random.arguments import checked, fitted, holding, number_dtype, real, shape_of
from symgraph.random.draw import draw
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.elemwise import cast
from symgraph.tensor.math import ceil, floor, log1p, lt, maximum, minimum, switch

__all__ = ["bernoulli", "binomial", "geometric", "integers", "poisson", "random_integers"]

Drawn = tuple[Any, Any]

_LARGEST = 2.0 ** 63 - 1024  # the largest float64 that int64 holds


def _probability(who: str, p: Any) -> Any:
    return real(checked(p, lambda v: (v >= 0) & (v <= 1), f"{who}: p must be in [0, 1]"), "float64")


def counts_exactly(n: Any) -> Any:
    """Whether all numbers up to n are floats of double precision, in which counts are reckoned."""
    return (n >= 0) & (n <= 1 << 53)


def _whole(who: str, what: str, value: Any) -> Any:
    variable = as_tensor_variable(value)
    if not variable.type.is_discrete:
        raise TypeError(f"{who}: {what} must be an integer, not {variable.type}")
    return variable


def bernoulli(state: Any, size: Any = None, p: Any = 0.5, ndim: int | None = None, dtype: Any = "int64") -> Drawn:
    """1 with probability p, else 0: whether a word of 32 bits is below floor(p * 2**32)."""
    dtype, p = number_dtype("bernoulli", dtype), _probability("bernoulli", p)
    lengths = shape_of("bernoulli", size, ndim, p)
    (p,) = fitted("bernoulli", lengths, p) if size is not None else (p,)
    after, bits = draw(state, "bits", "uint32", lengths)
    return after, cast(lt(bits, cast(floor(p * 2.0**32), "uint64")), dtype)


def binomial(state: Any, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: int | None = None,
             dtype: Any = "int64") -> Drawn:
    """How many of n trials succeed, each with probability p. For the number 1 as n it is `bernoulli`.

    Raises
    ------
    TypeError
        When n is no integer.
    ValueError
        Where n is negative, or above 2**53, or p outside [0, 1].
    """
    n = _whole("binomial", "n", n)
    if isinstance(n, Constant) and n.type.ndim == 0 and n.data == 1:
        return bernoulli(state, size, p, ndim, dtype)
    dtype, p = number_dtype("binomial", dtype), _probability("binomial", p)
    n = real(checked(n, counts_exactly, "binomial: n must not be negative, nor above 2**53"), "float64")
    lengths = shape_of("binomial", size, ndim, n, p)
    n, p = fitted("binomial", lengths, n, p) if size is not None else (n, p)
    after, counts = draw(state, "binomial", "int64", lengths, n, p)
    return after, cast(counts, dtype)


def poisson(state: Any, size: Any = None, lam: Any = 1.0, ndim: int | None = None, dtype: Any = "int64") -> Drawn:
    """Poisson numbers of a mean.

    Raises
    ------
    ValueError
        Where the mean is negative, or too large for int64.
    """
    dtype = number_dtype("poisson", dtype)
    lam = checked(lam, lambda v: (v >= 0) & (v <= 9.2e18), "poisson: lam must be in [0, 9.2e18]")
    lam = real(lam, "float64")
    lengths = shape_of("poisson", size, ndim, lam)
    (lam,) = fitted("poisson", lengths, lam) if size is not None else (lam,)
    after, counts = draw(state, "poisson", "int64", lengths, lam)
    return after, cast(counts, dtype)


def geometric(state: Any, size: Any = None, p: Any = 0.5, ndim: int | None = None, dtype: Any = "int64") -> Drawn:
    """The number of the first trial that succeeds, each with probability p: 1 or more."""
    dtype = number_dtype("geometric", dtype)
    p = checked(p, lambda v: (v > 0) & (v <= 1), "geometric: p must be in (0, 1]")
    p = real(p, "float64")
    lengths = shape_of("geometric", size, ndim, p)
    (p,) = fitted("geometric", lengths, p) if size is not None else (p,)
    after, z = draw(state, "exponential", "float64", lengths)
    certain = p >= 1
    trials = maximum(ceil(z / -log1p(-switch(certain, 0.5, p))), 1.0)
    return after, cast(switch(certain, 1, cast(minimum(trials, _LARGEST), "int64")), dtype)


def _bounded(who: str, state: Any, size: Any, low: Any, high: Any, inclusive: int, ndim: int | None,
             dtype: Any) -> Drawn:
    """Integers from low to high, the last included or not."""
    dtype = number_dtype(who, dtype)
    low, high = _whole(who, "low", low), _whole(who, "high", high)
    if "uint64" in (low.type.dtype, high.type.dtype):
        raise TypeError(f"{who}: bounds are integers that int64 holds, not uint64; cast them")
    low, high = real(low, "int64"), real(high, "int64")
    sign = "below" if inclusive else "greater than"
    high = holding(high, (lambda h, lo: h >= lo) if inclusive else (lambda h, lo: h > lo),
                   f"{who}: high must {'not be ' + sign if inclusive else 'be ' + sign} low", low)
    if np.dtype(dtype).kind in "iu" and dtype not in ("int64", "uint64"):
        least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
        low = checked(low, lambda v: v >= least, f"{who}: low is out of bounds for {dtype}")
        high = checked(high, lambda v: v <= most + 1 - inclusive, f"{who}: high is out of bounds for {dtype}")
    lengths = shape_of(who, size, ndim, low, high)
    low, high = fitted(who, lengths, low, high) if size is not None else (low, high)
    after, values = draw(state, "integers", "int64", lengths, low, high - low + inclusive)
    return after, cast(values, dtype)


def integers(state: Any, size: Any = None, low: Any = 0, high: Any = None, ndim: int | None = None,
             dtype: Any = "int64") -> Drawn:
    """Integers in [low, high), or in [0, low) without `high`, as `numpy.random.Generator.integers`.

    An integer is low + floor(w * (high - low) / 2**64) of a word w, whose probabilities differ from equal ones by less
    than 2**-64 each.

    Raises
    ------
    TypeError
        When a bound is no integer.
    ValueError
        Where there is no such integer, or the dtype does not hold them all.
    """
    if high is None:
        low, high = 0, low
    return _bounded("integers", state, size, low, high, 0, ndim, dtype)


def random_integers(state: Any, size: Any = None, low: Any = 0, high: Any = 1, ndim: int | None = None,
                    dtype: Any = "int64") -> Drawn:
    """Integers in [low, high], the last included."""
    return _bounded("random_integers", state, size, low, high, 1, ndim, dtype)
