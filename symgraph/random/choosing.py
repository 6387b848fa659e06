"""Draws of elements, orders and categories: functions from a state to the state after the draw, and the result.

Arguments are those of `symgraph.random.continuous`. Weights (``p``, ``pvals``) are not negative and sum to 1, up to
the root of their dtype's precision. Derivatives by them are zero.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from symgraph.graph.basic import Constant
from symgraph.random.arguments import checked, fitted, holding, number_dtype, real, shape_of
from symgraph.random.discrete import counts_exactly, integers
from symgraph.random.draw import Advance, Categorical, Multinomial, draw
from symgraph.tensor.basic import alloc, arange, as_tensor_variable, static_length
from symgraph.tensor.dimshuffle import shape_padright
from symgraph.tensor.elemwise import cast
from symgraph.tensor.math import eq, switch
from symgraph.tensor.reduce import prod
from symgraph.tensor.reduce import sum as tensor_sum
from symgraph.tensor.shape import reshape, shape_i
from symgraph.tensor.sort import argsort, take_along_axis

__all__ = ["choice", "multinomial", "multinomial_wo_replacement", "permutation", "shuffle_row_elements"]

Drawn = tuple[Any, Any]


def _weights(who: str, p: Any) -> Any:
    """Weights in double precision, checked."""
    variable = as_tensor_variable(p)
    if variable.type.ndim == 0:
        raise ValueError(f"{who}: probabilities are a vector, or more of them along the last axis, not a scalar")
    kind = variable.type.numpy_dtype
    slack = float(np.sqrt(np.finfo(kind if kind.kind == "f" else np.dtype("float64")).eps))
    variable = real(checked(variable, lambda v: v >= 0, f"{who}: probabilities must not be negative"), "float64")
    return checked(variable, lambda v: abs(v.sum(axis=-1) - 1) <= slack, f"{who}: probabilities must sum to 1")


def _possible(weights: Any) -> Any:
    """How many categories have a weight."""
    if isinstance(weights, Constant):
        return np.count_nonzero(weights.data, axis=-1)
    return tensor_sum(weights > 0, axis=-1)


def _orders(state: Any, lengths: list[Any], weights: Any = None) -> Drawn:
    """Random orders of the places along the last axis: with weights, as they come when drawn without replacement.

    By exponential numbers divided by the weights, in ascending order (P. Efraimidis and P. Spirakis, "Weighted random
    sampling with a reservoir", Information Processing Letters 97 (2006)).
    """
    if weights is None:
        after, keys = draw(state, "bits", "uint64", lengths)
    else:
        after, z = draw(state, "exponential", "float64", lengths)
        possible = weights > 0
        keys = switch(possible, z / switch(possible, weights, 1.0), np.inf)
    return after, argsort(keys, axis=-1, kind="stable")


def permutation(state: Any, size: Any = None, n: Any = 1, ndim: int | None = None, dtype: Any = "int64") -> Drawn:
    """Random orders of the integers below n, along the axis after those of `size`.

    Parameters
    ----------
    state, size, ndim
    n : integer, or a tensor
        Of a tensor, the slices along the first axis are put in random order; `size` must be None then.
    dtype : str

    Raises
    ------
    TypeError
        When n is no integer.
    ValueError
        Where it is negative, or a tensor together with a size.
    """
    x = as_tensor_variable(n)
    if x.type.ndim > 0:
        if size is not None:
            raise ValueError("permutation: a tensor is put in one order: leave the size out")
        after, order = _orders(state, [shape_i(x, 0)])
        return after, x[order]
    if not x.type.is_discrete:
        raise TypeError(f"permutation: n must be an integer, not {x.type}")
    x = real(checked(x, lambda v: v >= 0, "permutation: n must not be negative"), "int64")
    after, order = _orders(state, [*shape_of("permutation", size, ndim), x])
    return after, cast(order, number_dtype("permutation", dtype))


def shuffle_row_elements(state: Any, x: Any) -> Drawn:
    """`x` with each row, along the last axis, in a random order of its own. Its derivatives are those of moving."""
    x = as_tensor_variable(x)
    if x.type.ndim == 0:
        raise ValueError("shuffle_row_elements takes a tensor of at least one dimension")
    after, order = _orders(state, [shape_i(x, i) for i in range(x.type.ndim)])
    return after, take_along_axis(x, order, -1)


def choice(state: Any, size: Any = None, a: Any = 2, replace: bool = True, p: Any = None, ndim: int | None = None,
           dtype: Any = "int64") -> Drawn:
    """Elements of `a`, or integers below it, drawn with or without replacement.

    Parameters
    ----------
    state, size, ndim
    a : integer, tensor-like, or None
        Of a tensor, slices along the first axis are drawn. None takes as many integers as there are probabilities.
    replace : bool
    p : tensor-like, optional
        The probabilities. A matrix, for which `a` must be None and `size` one number, draws so many for each of its
        rows.
    dtype : str
        Of integers; elements keep theirs.

    Raises
    ------
    ValueError
        For probabilities that do not fit; where more is drawn without replacement than there is.

    Examples
    --------
    >>> from symgraph.random.philox import make_state
    >>> choice(make_state(1), 4, 10, replace=False)[1].eval()
    array([7, 9, 6, 3])
    """
    pool = None if a is None else as_tensor_variable(a)
    if pool is None and p is None:
        raise ValueError("choice: there is nothing to choose from: give a or p")
    if p is not None and as_tensor_variable(p).type.ndim > 1:
        if pool is not None:
            raise ValueError("choice: with several rows of probabilities, a must be None")
        after, found = _of_rows(state, 1 if size is None else size, p, replace)
    else:
        weights = None if p is None else _weights("choice", p)
        count = shape_i(weights, 0) if pool is None else _count(pool, weights)
        after, found = _places(state, shape_of("choice", size, ndim), count, weights, replace)
    if pool is not None and pool.type.ndim:
        return after, pool[found]
    return after, cast(found, number_dtype("choice", dtype))


def _count(pool: Any, weights: Any) -> Any:
    """How many there are to choose from."""
    if pool.type.ndim:
        count = shape_i(pool, 0)
    elif pool.type.is_discrete:
        count = real(checked(pool, lambda v: v > 0, "choice: a must be positive"), "int64")
    else:
        raise TypeError(f"choice: a must be an integer or a tensor to choose from, not {pool.type}")
    if weights is None:
        return count
    return holding(count, lambda m, n: m == n, "choice: a and p differ in length", shape_i(weights, 0))


def _places(state: Any, lengths: list[Any], count: Any, weights: Any, replace: bool) -> Drawn:
    if replace and weights is None:
        return integers(state, lengths, 0, count)
    if replace:
        after, u = draw(state, "uniform", "float64", lengths)
        return after, Categorical()(u, weights[:count])
    known = [static_length(n) for n in lengths]
    total: Any = math.prod(known) if None not in known else prod(as_tensor_variable(lengths))
    enough = count if weights is None else _possible(weights)
    total = holding(total, lambda t, m: t <= m, "choice: cannot draw more without replacement than there are", enough)
    after, order = _orders(state, [count], weights)
    return after, reshape(order[:total], lengths, ndim=len(lengths))


def _of_rows(state: Any, size: Any, p: Any, replace: bool) -> Drawn:
    if not replace:
        return multinomial_wo_replacement(state, None, size, p)
    weights = _weights("choice", p)
    (n,) = shape_of("choice", size, 1)
    rows = [shape_i(weights, i) for i in range(weights.type.ndim)]
    after, u = draw(state, "uniform", "float64", [*rows[:-1], n])
    wide = alloc(weights.dimshuffle([*range(len(rows) - 1), "x", len(rows) - 1]), *rows[:-1], n, rows[-1])
    return after, Categorical()(u, wide)


def multinomial(state: Any, size: Any = None, n: Any = 1, pvals: Any = (0.5, 0.5), ndim: int | None = None,
                dtype: Any = "int64") -> Drawn:
    """How many of n things fall into each category, along a last axis as long as that of `pvals`.

    `size` is the shape before that axis; None takes what n and the rows of `pvals` have together. For the number 1 as
    n, the category is found by one uniform number; else the counts are binomial numbers, one after the other.

    Raises
    ------
    TypeError
        When n is no integer.
    ValueError
        Where n is negative, or above 2**53, or probabilities are negative or do not sum to 1.
    """
    dtype, weights = number_dtype("multinomial", dtype), _weights("multinomial", pvals)
    n = as_tensor_variable(n)
    if not n.type.is_discrete:
        raise TypeError(f"multinomial: n must be an integer, not {n.type}")
    n = checked(n, counts_exactly, "multinomial: n must not be negative, nor above 2**53")
    batch = shape_of("multinomial", size, ndim, n, weights[..., 0])
    categories = shape_i(weights, weights.type.ndim - 1)
    if size is not None:
        (n,) = fitted("multinomial", batch, n)
        (weights,) = fitted("multinomial", [*batch, categories], weights)
    if weights.type.ndim > 1:
        weights = alloc(weights, *batch, categories)
    if isinstance(n, Constant) and n.type.ndim == 0 and n.data == 1:
        after, u = draw(state, "uniform", "float64", batch)
        found = Categorical()(u, weights)
        return after, cast(eq(shape_padright(found), arange(categories)), dtype)
    counts = Multinomial()(state, alloc(n, *batch), alloc(weights, *batch, categories))
    return Advance(1)(state, *batch), cast(counts, dtype)


def multinomial_wo_replacement(state: Any, size: Any = None, n: Any = 1, pvals: Any = (0.5, 0.5),
                               ndim: int | None = None, dtype: Any = "int64") -> Drawn:
    """n different categories for each row of `pvals`, in the order drawn: along the last axis.

    Raises
    ------
    ValueError
        When a size is given; where fewer than n categories of a row are possible.
    """
    if size is not None:
        raise ValueError("multinomial_wo_replacement: the rows of pvals say the size: leave it out")
    weights = _weights("multinomial_wo_replacement", pvals)
    n = real(checked(n, lambda v: v >= 0, "multinomial_wo_replacement: n must not be negative"), "int64")
    message = "multinomial_wo_replacement: fewer categories are possible than are drawn"
    n = holding(n, lambda m, possible: m <= possible, message, _possible(weights))
    after, order = _orders(state, [shape_i(weights, i) for i in range(weights.type.ndim)], weights)
    return after, cast(order[..., :n], number_dtype("multinomial_wo_replacement", dtype))
