"""Draws from continuous distributions: functions from a state to the state after the draw, and the numbers.

``size`` is an integer, a sequence of integers and scalars, or a symbolic vector (of known length, or with ``ndim``);
None takes the shape the parameters have together. Parameters broadcast to it. ``dtype`` is floatX, or what wider
parameters are. A parameter out of its range raises ValueError, when building if it is a constant, else at run time.

Where a distribution is a shifted and scaled one of fixed shape, the numbers are differentiable by its parameters, the
random part held fixed: in `uniform`, `normal`, `truncated_normal`, `lognormal`, `exponential`, `laplace`, `logistic`,
`gumbel`, `cauchy`, `weibull` (also by the shape), and by the scale of `gamma`. By the parameters of `gamma`, `beta`,
`dirichlet` and `chisquare` that make their shape, derivatives are undefined, and asking for them raises.
"""

from __future__ import annotations

from typing import Any

from symgraph.random.arguments import checked, fitted, float_dtype, holding, real, shape_of
from symgraph.random.draw import draw
from symgraph.tensor.math import exp, sigmoid
from symgraph.tensor.nnet.softmax import softmax
from symgraph.tensor.shape import shape_i

__all__ = [
    "beta", "cauchy", "chisquare", "dirichlet", "exponential", "gamma", "gumbel", "laplace", "logistic", "lognormal",
    "normal", "truncated_normal", "uniform", "weibull",
]

#: The state after the draw, and what was drawn.
Drawn = tuple[Any, Any]


def _not_negative(who: str, what: str, value: Any) -> Any:
    return checked(value, lambda v: ~(v < 0), f"{who}: the {what} must not be negative")


def _positive(who: str, what: str, value: Any) -> Any:
    return checked(value, lambda v: ~(v <= 0), f"{who}: the {what} must be positive")


def _prepared(who: str, size: Any, ndim: int | None, dtype: str, *parameters: Any) -> tuple[list[Any], list[Any]]:
    """The lengths of a draw, and its parameters in its dtype."""
    values = [real(p, dtype) for p in parameters]
    lengths = shape_of(who, size, ndim, *values)
    return lengths, values if size is None else fitted(who, lengths, *values)


def _located(who: str, kind: str, state: Any, size: Any, loc: Any, scale: Any, ndim: int | None, dtype: Any) -> Drawn:
    """loc + scale * a standard number."""
    dtype = float_dtype(who, dtype, loc, scale)
    scale = _not_negative(who, "scale", scale)
    lengths, (loc, scale) = _prepared(who, size, ndim, dtype, loc, scale)
    after, z = draw(state, kind, dtype, lengths)
    return after, loc + scale * z


def uniform(state: Any, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None,
            dtype: Any = None) -> Drawn:
    """Uniform numbers in [low, high).

    Raises
    ------
    ValueError
        Where `high` is below `low`.

    Examples
    --------
    >>> from symgraph.random.philox import make_state
    >>> after, x = uniform(make_state(1), (2,), 5.0, 6.0, dtype="float64")
    >>> x.eval()
    array([5.79490133, 5.63791923])
    >>> after.eval()
    array([1, 0, 1], dtype=uint64)
    """
    dtype = float_dtype("uniform", dtype, low, high)
    high = holding(high, lambda h, lo: ~(h < lo), "uniform: high must not be below low", low)
    lengths, (low, high) = _prepared("uniform", size, ndim, dtype, low, high)
    after, u = draw(state, "uniform", dtype, lengths)
    return after, low + (high - low) * u


def normal(state: Any, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None,
           dtype: Any = None) -> Drawn:
    """Normal numbers of a mean and a standard deviation."""
    return _located("normal", "normal", state, size, avg, std, ndim, dtype)


def truncated_normal(state: Any, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None,
                     dtype: Any = None) -> Drawn:
    """Normal numbers that are at most two standard deviations from their mean, the others left out."""
    return _located("truncated_normal", "truncated_normal", state, size, avg, std, ndim, dtype)


def lognormal(state: Any, size: Any = None, mean: Any = 0.0, sigma: Any = 1.0, ndim: int | None = None,
              dtype: Any = None) -> Drawn:
    """Numbers whose logarithms are normal, of a mean and a standard deviation."""
    after, z = _located("lognormal", "normal", state, size, mean, sigma, ndim, dtype)
    return after, exp(z)


def exponential(state: Any, size: Any = None, scale: Any = 1.0, ndim: int | None = None, dtype: Any = None) -> Drawn:
    """Exponential numbers of a scale, which is their mean."""
    dtype = float_dtype("exponential", dtype, scale)
    scale = _not_negative("exponential", "scale", scale)
    lengths, (scale,) = _prepared("exponential", size, ndim, dtype, scale)
    after, z = draw(state, "exponential", dtype, lengths)
    return after, scale * z


def laplace(state: Any, size: Any = None, loc: Any = 0.0, scale: Any = 1.0, ndim: int | None = None,
            dtype: Any = None) -> Drawn:
    """Laplace (double exponential) numbers."""
    return _located("laplace", "laplace", state, size, loc, scale, ndim, dtype)


def logistic(state: Any, size: Any = None, loc: Any = 0.0, scale: Any = 1.0, ndim: int | None = None,
             dtype: Any = None) -> Drawn:
    """Logistic numbers."""
    return _located("logistic", "logistic", state, size, loc, scale, ndim, dtype)


def gumbel(state: Any, size: Any = None, loc: Any = 0.0, scale: Any = 1.0, ndim: int | None = None,
           dtype: Any = None) -> Drawn:
    """Gumbel numbers, of maxima."""
    return _located("gumbel", "gumbel", state, size, loc, scale, ndim, dtype)


def cauchy(state: Any, size: Any = None, loc: Any = 0.0, scale: Any = 1.0, ndim: int | None = None,
           dtype: Any = None) -> Drawn:
    """Cauchy numbers."""
    return _located("cauchy", "cauchy", state, size, loc, scale, ndim, dtype)


def weibull(state: Any, size: Any = None, shape: Any = 1.0, scale: Any = 1.0, ndim: int | None = None,
            dtype: Any = None) -> Drawn:
    """Weibull numbers: powers 1 / shape of exponential ones."""
    dtype = float_dtype("weibull", dtype, shape, scale)
    shape, scale = _positive("weibull", "shape", shape), _not_negative("weibull", "scale", scale)
    lengths, (shape, scale) = _prepared("weibull", size, ndim, dtype, shape, scale)
    after, z = draw(state, "exponential", dtype, lengths)
    return after, scale * z ** (1 / shape)


def gamma(state: Any, size: Any = None, shape: Any = 1.0, scale: Any = 1.0, ndim: int | None = None,
          dtype: Any = None) -> Drawn:
    """Gamma numbers of a shape and a scale."""
    dtype = float_dtype("gamma", dtype, shape, scale)
    shape, scale = _not_negative("gamma", "shape", shape), _not_negative("gamma", "scale", scale)
    lengths, (shape, scale) = _prepared("gamma", size, ndim, dtype, shape, scale)
    after, z = draw(state, "gamma", dtype, lengths, shape)
    return after, scale * z


def chisquare(state: Any, size: Any = None, df: Any = 1.0, ndim: int | None = None, dtype: Any = None) -> Drawn:
    """Chi-square numbers of some degrees of freedom."""
    dtype = float_dtype("chisquare", dtype, df)
    df = _positive("chisquare", "number of degrees of freedom", df)
    return gamma(state, size, real(df, dtype) / 2, 2.0, ndim, dtype)


def beta(state: Any, size: Any = None, a: Any = 1.0, b: Any = 1.0, ndim: int | None = None, dtype: Any = None) -> Drawn:
    """Beta numbers, from the logarithms of two gamma numbers, so that small `a` and `b` do no harm."""
    dtype = float_dtype("beta", dtype, a, b)
    a, b = _positive("beta", "parameter a", a), _positive("beta", "parameter b", b)
    lengths, (a, b) = _prepared("beta", size, ndim, dtype, a, b)
    between, first = draw(state, "log_gamma", dtype, lengths, a)
    after, second = draw(between, "log_gamma", dtype, lengths, b)
    return after, sigmoid(first - second)


def dirichlet(state: Any, size: Any = None, alpha: Any = (1.0, 1.0), ndim: int | None = None,
              dtype: Any = None) -> Drawn:
    """Vectors that sum to 1, of Dirichlet distributions: along the last axis of `alpha`, put after the axes of `size`.

    Raises
    ------
    ValueError
        For an `alpha` without axes, or with elements that are not positive.
    """
    dtype = float_dtype("dirichlet", dtype, alpha)
    weights = real(_positive("dirichlet", "parameter alpha", alpha), dtype)
    if weights.type.ndim == 0:
        raise ValueError("dirichlet: alpha is a vector, or more of them along the last axis, not a scalar")
    batch = shape_of("dirichlet", size, ndim, weights[..., 0])
    lengths = [*batch, shape_i(weights, weights.type.ndim - 1)]
    if size is not None:
        (weights,) = fitted("dirichlet", lengths, weights)
    after, logs = draw(state, "log_gamma", dtype, lengths, weights)
    return after, softmax(logs, axis=-1)
