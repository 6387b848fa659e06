"""Losses of regression, margins and distributions, and embeddings."""

from __future__ import annotations

from typing import Any

from symgraph import scalar
from symgraph.graph.basic import Variable
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.elemwise import elemwise
from symgraph.tensor.nnet.basic import picked
from symgraph.tensor.reduce import sum as tensor_sum

__all__ = ["embedding", "hinge", "huber", "kl_divergence", "nll", "squared_error"]

_log, _switch, _maximum = elemwise(scalar.log), elemwise(scalar.switch), elemwise(scalar.maximum)


def _number(value: Any) -> Any:
    """A Python number as it is, so that it takes its dtype from what it meets; else a tensor."""
    return value if isinstance(value, (int, float)) else as_tensor_variable(value)


def squared_error(output: Any, target: Any) -> Any:
    """(output - target) ** 2, element by element; its mean is the mean squared error."""
    return elemwise(scalar.sqr)(as_tensor_variable(output) - _number(target))


def hinge(output: Any, target: Any, margin: Any = 1) -> Any:
    """max(0, margin - target * output), element by element, for targets of -1 and 1 (Rosasco and others, 2004).

    Examples
    --------
    >>> hinge([0.5, 2.0, -1.0], [1, 1, 1]).eval()
    array([0.5, 0. , 2. ])
    """
    return _maximum(margin - _number(target) * as_tensor_variable(output), 0)


def huber(output: Any, target: Any, delta: float = 1.0) -> Any:
    """Half the squared error where it is at most `delta` in size, a straight line beyond (Huber, 1964).

    Parameters
    ----------
    output, target : tensor-like
    delta : float
        Where the line begins; its slope.

    Raises
    ------
    ValueError
        When `delta` is not positive.

    Examples
    --------
    >>> huber([0.5, 3.0], [0.0, 0.0]).eval()
    array([0.125, 2.5  ])
    """
    if not isinstance(delta, Variable) and not delta > 0:
        raise ValueError(f"huber: delta must be positive, not {delta!r}")
    error = elemwise(scalar.abs)(as_tensor_variable(output) - _number(target))
    near = elemwise(scalar.minimum)(error, delta)  # the square of a large error, not chosen, must not overflow
    return _switch(error <= delta, 0.5 * (near * near), delta * (error - 0.5 * delta))


def kl_divergence(p: Any, q: Any, axis: Any = -1) -> Any:
    """sum(p * log(p / q)) along axes: how far the distribution `q` is from `p` (Kullback and Leibler, 1951).

    Where p is 0 it adds nothing. When `q` is a softmax, the compiler computes its logarithm without loss of accuracy.

    Parameters
    ----------
    p, q : tensor-like
        Probabilities.
    axis : int, sequence of int or None
        Over which distributions extend; None for all.

    Examples
    --------
    >>> round(float(kl_divergence([0.5, 0.5, 0.0], [0.25, 0.5, 0.25]).eval()), 4)
    0.3466
    """
    true, coding = as_tensor_variable(p), as_tensor_variable(q)
    some = true > 0
    return tensor_sum(_switch(some, true * (_log(_switch(some, true, 1)) - _log(coding)), 0), axis=axis)


def nll(log_probabilities: Any, classes: Any) -> Any:
    """For each row of logarithms of probabilities, minus that of its class.

    Parameters
    ----------
    log_probabilities : matrix
        As `log_softmax` gives them.
    classes : vector of integers

    Returns
    -------
    vector

    Raises
    ------
    ValueError, TypeError
        For other ranks, and for classes that are not integers.
    IndexError
        For a class that does not exist, or another number of them than of rows.
    """
    logs, y = as_tensor_variable(log_probabilities), as_tensor_variable(classes)
    if logs.type.ndim != 2 or y.type.ndim != 1:
        raise ValueError(f"nll takes a matrix of logarithms and a vector of classes, not {logs.type} and {y.type}")
    _check_integers(y, "nll", "classes")
    return -picked(logs, y, "nll")


def embedding(indices: Any, weights: Any) -> Any:
    """The rows of a matrix that the indices name: one for each index.

    Parameters
    ----------
    indices : tensor of integers
    weights : tensor-like
        Of at least one dimension; its first axis is looked up in.

    Returns
    -------
    TensorVariable
        Of shape ``indices.shape + weights.shape[1:]``. Rows that are named several times add up their gradients.

    Raises
    ------
    ValueError, TypeError
        For weights without axes, and indices that are not integers. An index out of range raises when run.

    Examples
    --------
    >>> embedding([2, 0], [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]).eval()
    array([[4., 5.],
           [0., 1.]])
    """
    i, table = as_tensor_variable(indices), as_tensor_variable(weights)
    if table.type.ndim == 0:
        raise ValueError("embedding takes weights with an axis to look up in, not a scalar")
    _check_integers(i, "embedding", "indices")
    return table[i]


def _check_integers(x: Any, who: str, name: str) -> None:
    if not x.type.is_discrete or x.type.dtype == "bool":
        raise TypeError(f"{who} takes {name} as integers, not {x.type}")
