"""Wrong dtypes, ranks and known shapes are refused where the expression is built, saying what, with which values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import TensorType

A = TensorType("float64", (784, 500))("A")
B = TensorType("float64", (10, 784))("B")
V = T.dvector("V")
M = T.dmatrix("M")
I = T.lmatrix("I")
Z = T.zvector("Z")

CASES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "dot": (lambda: T.dot(A, B), ValueError, "dot: inner dimensions differ, 500 and 10"),
    "matmul": (lambda: A @ B, ValueError, "500 and 10"),
    "matmul of scalars": (lambda: T.matmul(V, 2.0), ValueError, "does not take scalars"),
    "batched matmul": (lambda: T.matmul(np.ones((2, 3, 4)), np.ones((3, 4, 5))), ValueError, "do not fit together"),
    "batched_dot": (lambda: T.batched_dot(2.0, V), ValueError, "batch axis"),
    "tensordot": (lambda: T.tensordot(A, B, 1), ValueError, "length 500, axis 0 of the second 10"),
    "tensordot axes": (
        lambda: T.tensordot(A, B, [[0], [0, 1]]),
        ValueError,
        "1 axes of the first tensor, 2 of the second",
    ),
    "add": (lambda: A + B, ValueError, r"add: shapes do not fit together: \(784, 500\) and \(10, 784\)"),
    "shift of floats": (lambda: V << 1, TypeError, "left_shift is not defined on float64"),
    "not of floats": (lambda: ~V, TypeError, "invert is not defined on float64"),
    "floor of complex": (lambda: T.floor(Z), TypeError, "floor is not defined on complex128"),
    "negative bool": (lambda: -TensorType("bool", ())(), TypeError, "neg is not defined on bool"),
    "axis": (lambda: T.sum(M, axis=2), ValueError, "sum: axis 2 is out of bounds"),
    "axis twice": (lambda: T.sum(M, axis=(0, -2)), ValueError, "given twice"),
    "axis of floats": (lambda: T.sum(M, axis=1.5), TypeError, "float"),
    "argmax of axes": (lambda: T.argmax(M, axis=(0, 1)), TypeError, "one axis or all of them"),
    "reshape": (
        lambda: T.reshape(A, (3, 5)),
        ValueError,
        r"cannot reshape \(784, 500\), of 392000 elements, to \(3, 5\)",
    ),
    "reshape, rest": (lambda: T.reshape(A, (-1, 11)), ValueError, "cannot reshape 392000 elements"),
    "reshape, two": (lambda: T.reshape(V, (-1, -1)), ValueError, "at most one -1"),
    "reshape, rank": (lambda: T.reshape(V, T.lvector()), TypeError, "Pass ndim="),
    "dimshuffle": (lambda: M.dimshuffle(0, 2), ValueError, "dimshuffle: axis 2 is out of bounds"),
    "dimshuffle twice": (lambda: M.dimshuffle(0, 0), ValueError, "names an axis twice"),
    "dimshuffle drop": (lambda: M.dimshuffle(0), ValueError, r"drops axis 1.*T\.addbroadcast"),
    "squeeze": (lambda: T.squeeze(M, 0), ValueError, r"T\.addbroadcast"),
    "transpose": (lambda: T.transpose(M, (0,)), ValueError, "1 axes given for 2 dimensions"),
    "flatten": (lambda: T.flatten(V, 3), ValueError, "between 1 and 1"),
    "specify_shape": (lambda: T.specify_shape(A, (3, None)), ValueError, "axis 0 has length 784, not 3"),
    "specify rank": (lambda: T.specify_shape(A, (3,)), ValueError, "1 lengths for 2 dimensions"),
    "join": (lambda: T.join(0, A, B), ValueError, "lengths 500 and 784 along axis 1"),
    "join ranks": (lambda: T.concatenate([V, M]), ValueError, "1 and 2 dimensions"),
    "join nothing": (lambda: T.concatenate([]), ValueError, "at least one"),
    "join scalars": (lambda: T.concatenate([T.dscalar()]), ValueError, "use stack"),
    "concatenate one": (lambda: T.concatenate(M), TypeError, "list of tensors"),
    "stack": (lambda: T.stack([V, M]), ValueError, "dimensions do not fit together"),
    "split": (lambda: T.split(A, [1, 2], 2), ValueError, r"\[1, 2\] do not add up to 784"),
    "split count": (lambda: T.split(V, [1, 2], 3), ValueError, "n_splits=3, but 2"),
    "softmax": (lambda: T.nnet.softmax(T.dscalar()), ValueError, "needs an axis"),
    "softmax axis": (lambda: T.nnet.softmax(V, axis=1), ValueError, "softmax: axis 1 is out of bounds"),
    "softmax of complex": (lambda: T.nnet.softmax(Z), TypeError, "real floats"),
    "cross-entropy": (lambda: T.nnet.categorical_crossentropy(M, V), TypeError, "vector of integer classes"),
    "take": (lambda: T.take(V, [0], axis=1), ValueError, "take: axis 1 is out of bounds"),
    "take mode": (lambda: T.take(V, [0], mode="wild"), ValueError, "'raise', 'wrap' or 'clip'"),
    "nonzero": (lambda: T.nonzero(T.dscalar()), ValueError, "scalar"),
    "identity_like": (lambda: T.identity_like(V), TypeError, "takes a matrix"),
    "cost of rank 2": (lambda: sg.grad(M, M), TypeError, r"must be a scalar.*sum\(\) or mean\(\)"),
    "cost of integers": (lambda: sg.grad(T.sum(I), I), TypeError, "floating-point"),
    "polygamma": (lambda: T.polygamma(V, V), TypeError, "polygamma is not defined on float64, float64"),
}


@pytest.mark.parametrize("name", CASES)
def test_refused_when_building(name: str) -> None:
    build, kind, message = CASES[name]
    with pytest.raises(kind, match=message) as caught:
        build()
    assert len(str(caught.value).splitlines()) <= 12
