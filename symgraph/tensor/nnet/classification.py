"""Choosing one of many classes: softmax with its losses, in two levels, and what was taken for what."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.counting import unique
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.elemwise import cast, elemwise
from symgraph.tensor.join import concatenate
from symgraph.tensor.nnet.basic import picked
from symgraph.tensor.nnet.softmax import logsoftmax, softmax
from symgraph.tensor.products import batched_dot, dot, tensordot
from symgraph.tensor.reduce import argmax
from symgraph.tensor.shape import reshape, shape_i

__all__ = [
    "confusion_matrix", "crossentropy_categorical_1hot", "crossentropy_softmax_1hot",
    "crossentropy_softmax_1hot_with_bias", "crossentropy_softmax_argmax_1hot_with_bias", "h_softmax",
    "softmax_with_bias",
]


def _check(x: Any, y: Any, who: str) -> tuple[Any, Any]:
    """A matrix with a row for each case, and the class of each."""
    rows, classes = as_tensor_variable(x), as_tensor_variable(y)
    if rows.type.ndim != 2:
        raise ValueError(f"{who} takes a matrix with a row for each case, not {rows.type}")
    if classes.type.ndim != 1 or not classes.type.is_discrete or classes.type.dtype == "bool":
        raise TypeError(f"{who} takes the classes as a vector of integers, not {classes.type}")
    return rows, classes


def softmax_with_bias(x: Any, b: Any) -> Any:
    """softmax(x + b), by row of a matrix `x` and for a vector `b`."""
    rows, bias = as_tensor_variable(x), as_tensor_variable(b)
    if rows.type.ndim != 2 or bias.type.ndim != 1:
        raise ValueError(f"softmax_with_bias takes a matrix and a vector, not {rows.type} and {bias.type}")
    return softmax(rows + bias, axis=1)


def crossentropy_categorical_1hot(coding_dist: Any, true_one_of_n: Any) -> Any:
    """For each row of probabilities, minus the logarithm of that of its class.

    Parameters
    ----------
    coding_dist : matrix
    true_one_of_n : vector of integers

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
    p, y = _check(coding_dist, true_one_of_n, "crossentropy_categorical_1hot")
    return -elemwise(scalar.log)(picked(p, y, "crossentropy_categorical_1hot"))


def crossentropy_softmax_1hot(x: Any, y_idx: Any) -> tuple[Any, Any]:
    """The cross-entropy of softmax(x) by row with the class of each row, and that softmax.

    The loss is computed from `x`, so that it neither overflows nor loses accuracy.

    Parameters
    ----------
    x : matrix
    y_idx : vector of integers

    Returns
    -------
    loss : vector
    probabilities : matrix

    Examples
    --------
    >>> loss, p = crossentropy_softmax_1hot([[0.0, 1000.0]], [0])
    >>> loss.eval()
    array([1000.])
    """
    rows, y = _check(x, y_idx, "crossentropy_softmax_1hot")
    return -picked(logsoftmax(rows, axis=1), y, "crossentropy_softmax_1hot"), softmax(rows, axis=1)


def crossentropy_softmax_1hot_with_bias(x: Any, b: Any, y_idx: Any) -> tuple[Any, Any]:
    """`crossentropy_softmax_1hot` of x + b, for a vector `b`."""
    loss, p, _ = crossentropy_softmax_argmax_1hot_with_bias(x, b, y_idx)
    return loss, p


def crossentropy_softmax_argmax_1hot_with_bias(x: Any, b: Any, y_idx: Any) -> tuple[Any, Any, Any]:
    """`crossentropy_softmax_1hot` of x + b, for a vector `b`, and the most probable class of each row."""
    who = "crossentropy_softmax_argmax_1hot_with_bias"
    rows, bias = as_tensor_variable(x), as_tensor_variable(b)
    if bias.type.ndim != 1:
        raise ValueError(f"{who} takes the bias as a vector, not {bias.type}")
    rows, y = _check(rows, y_idx, who)
    total = rows + bias
    return (*crossentropy_softmax_1hot(total, y), argmax(total, axis=1))


def h_softmax(x: Any, batch_size: Any, n_outputs: Any, n_classes: int, n_outputs_per_class: int, W1: Any, b1: Any,
              W2: Any, b2: Any, target: Any = None) -> Any:
    """A softmax in two levels: over classes of outputs, then over the outputs of each class (Goodman, 2001).

    With a target, only the weights of its class are needed, which for many outputs saves most of the work.

    Parameters
    ----------
    x : matrix
        (batch, features).
    batch_size : int
        Accepted for Theano's programs: the number of rows of `x` is used.
    n_outputs : int
        At most ``n_classes * n_outputs_per_class``.
    n_classes, n_outputs_per_class : int
        Output i belongs to class ``i // n_outputs_per_class``.
    W1, b1 : matrix, vector
        (features, classes) and (classes).
    W2, b2 : 3-d tensor, matrix
        (classes, features, outputs per class) and (classes, outputs per class).
    target : vector of integers, optional
        The output wanted of each row.

    Returns
    -------
    matrix or vector
        The probability of each output (batch, n_outputs); with `target`, of the wanted one of each row.

    Raises
    ------
    ValueError
        When ranks do not fit, or there are more outputs than the classes hold.
    """
    x, W1, b1, W2, b2 = map(as_tensor_variable, (x, W1, b1, W2, b2))
    for v, name, ndim in ((x, "x", 2), (W1, "W1", 2), (b1, "b1", 1), (W2, "W2", 3), (b2, "b2", 2)):
        if v.type.ndim != ndim:
            raise ValueError(f"h_softmax: {name} must have {ndim} dimensions, but is {v.type}")
    if isinstance(n_outputs, (int, np.integer)) and n_outputs > n_classes * n_outputs_per_class:
        raise ValueError(f"h_softmax: {n_outputs} outputs do not fit into {n_classes} classes of {n_outputs_per_class}")
    of_class = softmax(dot(x, W1) + b1, axis=1)
    if target is None:
        within = softmax(tensordot(x, W2, ((1,), (1,))) + b2, axis=2)
        both = dimshuffle(of_class, (0, 1, "x")) * within
        return reshape(both, [shape_i(x, 0), n_classes * n_outputs_per_class])[:, :n_outputs]
    _, wanted = _check(x, target, "h_softmax")
    group, place = wanted // n_outputs_per_class, wanted % n_outputs_per_class
    activations = batched_dot(dimshuffle(x, (0, "x", 1)), W2[group])[:, 0] + b2[group]
    return picked(of_class, group, "h_softmax") * picked(softmax(activations, axis=1), place, "h_softmax")


def confusion_matrix(actual: Any, pred: Any) -> list[Any]:
    """How often each class was taken for each.

    Parameters
    ----------
    actual, pred : vector of integers
        The class of each case, and the predicted one.

    Returns
    -------
    counts : matrix of int64
        A row for each class that occurs, a column for each as a prediction.
    order : vector
        Which classes these are, in ascending order.

    Raises
    ------
    ValueError
        When an argument is not a vector.

    Examples
    --------
    >>> counts, order = confusion_matrix([2, 0, 2], [2, 2, 2])
    >>> counts.eval()
    array([[0, 1],
           [0, 2]])
    """
    classes, guesses = as_tensor_variable(actual), as_tensor_variable(pred)
    for v, name in ((classes, "actual"), (guesses, "pred")):
        if v.type.ndim != 1:
            raise ValueError(f"confusion_matrix: {name} must be a vector, not {v.type}")
    order = unique(concatenate([classes, guesses]))
    is_class, is_guess = (
        cast(elemwise(scalar.eq)(dimshuffle(v, (0, "x")), dimshuffle(order, ("x", 0))), "int64")
        for v in (classes, guesses))
    return [dot(is_class.T, is_guess), order]
