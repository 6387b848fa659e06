"""Activations and losses of neural networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.tensor.basic import arange, as_tensor_variable, zeros
from symgraph.tensor.elemwise import elemwise
from symgraph.tensor.reduce import sum as tensor_sum
from symgraph.tensor.shape import shape_i
from symgraph.tensor.specify import addbroadcast

__all__ = [
    "binary_crossentropy", "categorical_crossentropy", "elu", "hard_sigmoid", "picked", "relu", "selu", "sigmoid",
    "sigmoid_binary_crossentropy", "softplus", "softsign", "to_one_hot",
]

sigmoid = elemwise(scalar.sigmoid)
softplus = elemwise(scalar.softplus)


def relu(x: Any, alpha: Any = 0) -> Any:
    """The rectifier: x where positive, else alpha * x. Its derivative at 0 is that of the left side.

    Parameters
    ----------
    x : tensor-like
    alpha : float or tensor-like
        The slope for negative x; a tensor broadcasts.
    """
    variable = as_tensor_variable(x)
    if isinstance(alpha, (int, float)) and alpha == 0:
        return elemwise(scalar.maximum)(variable, 0)
    return elemwise(scalar.switch)(variable > 0, variable, alpha * variable)


def elu(x: Any, alpha: Any = 1) -> Any:
    """x where positive, else alpha * (exp(x) - 1) (Clevert, Unterthiner and Hochreiter, 2015)."""
    variable = as_tensor_variable(x)
    negative = elemwise(scalar.minimum)(variable, 0)  # exp of a large x, not chosen, must not overflow
    return elemwise(scalar.switch)(variable > 0, variable, alpha * elemwise(scalar.expm1)(negative))


def selu(x: Any) -> Any:
    """The self-normalising unit: a scaled `elu` (Klambauer and others, 2017)."""
    return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717)


def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    variable = as_tensor_variable(x)
    return variable / (1 + abs(variable))


def hard_sigmoid(x: Any) -> Any:
    """A sigmoid of three straight pieces: clip(0.2 x + 0.5, 0, 1)."""
    return elemwise(scalar.clip)(as_tensor_variable(x) * 0.2 + 0.5, 0, 1)


def binary_crossentropy(output: Any, target: Any) -> Any:
    """-(t log(o) + (1 - t) log(1 - o)), element by element.

    Parameters
    ----------
    output : tensor-like
        Probabilities. When they are ``sigmoid(x)``, the compiler computes from x, without loss of accuracy.
    target : tensor-like
        In [0, 1].
    """
    o, t = as_tensor_variable(output), _target(target)
    log = elemwise(scalar.log)
    return -(t * log(o) + (1 - t) * log(1 - o))


def sigmoid_binary_crossentropy(output: Any, target: Any) -> Any:
    """`binary_crossentropy` of ``sigmoid(output)``, from the logits."""
    x, t = as_tensor_variable(output), _target(target)
    return softplus(x) - t * x


def _target(target: Any) -> Any:
    """A target as a tensor; a Python number stays one, and takes its dtype from what it meets."""
    return target if isinstance(target, (int, float)) else as_tensor_variable(target)


def categorical_crossentropy(coding_dist: Any, true_dist: Any) -> Any:
    """The cross-entropy of distributions, one for each row.

    Parameters
    ----------
    coding_dist : matrix
        Probabilities by row. When they are ``softmax(x)``, the compiler computes from x, without loss of accuracy.
    true_dist : matrix, or vector of integers
        Distributions of the same shape, or the class of each row.

    Returns
    -------
    vector

    Raises
    ------
    TypeError
        When `true_dist` is neither.
    IndexError
        When there are not as many classes as rows; at run time where that is only known then, and for a class that
        does not exist.
    """
    p, t = as_tensor_variable(coding_dist), as_tensor_variable(true_dist)
    log = elemwise(scalar.log)
    if t.type.ndim == p.type.ndim:
        return -tensor_sum(t * log(p), axis=p.type.ndim - 1)
    if t.type.ndim == 1 and p.type.ndim == 2 and t.type.is_discrete and t.type.dtype != "bool":
        return -picked(log(p), t, "categorical_crossentropy")
    raise TypeError(
        f"categorical_crossentropy: the true distribution must be a matrix like the coding one ({p.type}), or a "
        "vector of "
        f"integer classes, not {t.type}"
    )


def picked(x: Any, y: Any, who: str) -> Any:
    """From each row of a matrix the element that a vector of integers names; IndexError where there is none."""
    rows, named = x.type.shape[0], y.type.shape[0]
    if None not in (rows, named) and rows != named:
        raise IndexError(f"{who}: {named} classes for {rows} rows: {y.type} and {x.type}")
    if 1 in (rows, named):  # an index known to have one element would be stretched
        x, y = addbroadcast(x, 0), addbroadcast(y, 0)
    return x[arange(shape_i(x, 0)), y]


def to_one_hot(y: Any, nb_class: Any, dtype: Any = None) -> Any:
    """A matrix with a 1 in the column each element of `y` names.

    Parameters
    ----------
    y : vector of integers
        In [0, nb_class).
    nb_class : int
    dtype : str, optional
        floatX by default.

    Raises
    ------
    ValueError, TypeError
        When `y` is not a vector, or not of integers.
    IndexError
        At run time, for an element that names no column.
    """
    from symgraph.tensor.subtensor import set_subtensor

    classes = as_tensor_variable(y)
    if classes.type.ndim != 1:
        raise ValueError(f"to_one_hot takes a vector, not {classes.type}")
    if not classes.type.is_discrete or classes.type.dtype == "bool":
        raise TypeError(f"to_one_hot takes integers, not {classes.type}")
    blank = zeros((classes.shape[0], nb_class), dtype)
    return set_subtensor(blank[arange(classes.shape[0]), classes], np.ones((), blank.type.dtype))
