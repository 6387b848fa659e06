"""The methods of tensor variables, called as NumPy's are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T

A = np.array([[0.5, -1.5, 2.25], [3.25, 0.0, -2.0]])

CALLS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda a: a.sum(axis=1, dtype="float32", out=None, keepdims=True, where=True),
    "prod": lambda a: a.prod(axis=0, out=None), "mean": lambda a: a.mean(axis=0, out=None),
    "var": lambda a: a.var(axis=1, ddof=1, out=None), "std": lambda a: a.std(0, keepdims=True),
    "max": lambda a: a.max(axis=1, out=None), "min": lambda a: a.min(0, keepdims=True),
    "argmax": lambda a: a.argmax(axis=1, out=None), "argmin": lambda a: a.argmin(),
    "all": lambda a: a.all(axis=1, out=None), "any": lambda a: a.any(axis=0, keepdims=True),
    "take": lambda a: a.take([1, 0], axis=1, out=None), "reshape": lambda a: a.reshape((3, 2), order="C"),
    "flatten": lambda a: a.flatten("C"), "flatten with order": lambda a: a.flatten(order="C"),
    "ravel": lambda a: a.ravel(order="C"), "astype": lambda a: a.astype("float32", copy=False),
    "copy": lambda a: a.copy(order="C"), "clip": lambda a: a.clip(-1, 1, out=None),
    "clip by name": lambda a: a.clip(min=0), "clip below": lambda a: a.clip(None, 1.0),
    "round": lambda a: a.round(1), "round by name": lambda a: a.round(decimals=1, out=None),
    "dot": lambda a: a.dot(A.T, out=None), "swapaxes": lambda a: a.swapaxes(0, 1), "mT": lambda a: a.mT,
    "transpose": lambda a: a.transpose(1, 0), "T": lambda a: a.T,
    "diagonal": lambda a: a.diagonal(offset=1), "trace": lambda a: a.trace(1, out=None),
    "repeat": lambda a: a.repeat(2, axis=1), "cumsum": lambda a: a.cumsum(axis=1, out=None),
    "cumprod": lambda a: a.cumprod(0), "argsort": lambda a: a.argsort(axis=1, kind="stable"),
    "compress": lambda a: a.compress([True, False], axis=0, out=None), "conj": lambda a: a.conj(),
    "searchsorted": lambda a: a.cumsum().searchsorted([1.0, 2.0]), "nonzero": lambda a: a.nonzero()[1],
    "choose": lambda a: (a > 0).astype("int64").choose([A, 2 * A]),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_method_takes_the_arguments_of_numpy(name: str) -> None:
    x = T.dmatrix("x")
    found = sg.function([x], CALLS[name](x))(A)
    want = np.asarray(CALLS[name](A))
    assert found.dtype == want.dtype
    np.testing.assert_allclose(found, want, rtol=1e-6)


def test_sorting_is_not_in_place() -> None:
    x = T.dmatrix("x")
    np.testing.assert_array_equal(x.sort(axis=0).eval({x: A}), np.sort(A, axis=0))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: x.sum(out=np.zeros(())), "method sum .*out=ndarray: use what the call returns"),
        (lambda x: x.mean(where=np.ones((2, 3), bool)), r"method mean .*where=ndarray: .*T\.switch"),
        (lambda x: x.max(initial=0), "method max .*initial=0"),
        (lambda x: x.reshape(6, order="F"), "method reshape .*order=F"),
        (lambda x: x.flatten("F"), "method flatten .*order=F"),
        (lambda x: x.std(dtype="float32"), r"method std .*dtype=float32: .*T\.cast"),
        (lambda x: x.sum(axes=1), "method sum takes no argument 'axes'"),
        (lambda x: x.item(), r"\.eval"),
        (lambda x: x.tolist(), r"\.eval"),
    ],
)
def test_arguments_without_a_meaning_are_refused(call: Callable[[Any], Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        call(T.dmatrix("x"))


def test_round() -> None:
    x = T.dvector("x")
    assert round(x).dtype == "int64"
    np.testing.assert_array_equal(round(x, 1).eval({x: [1.25, -0.375]}), np.round([1.25, -0.375], 1))
    np.testing.assert_array_equal(x.round("half_away_from_zero").eval({x: [0.5, -2.5]}), [1.0, -3.0])


def test_parts_with_other_values() -> None:
    x, y = T.matrix("x"), T.vector("y")
    made = [x[0].set(y), x[:, 1].inc(2.0), x[T.lt(x, 0)].set(0.0), x[[0, 0]].inc(y)]
    a, b = A.copy(), np.array([1.0, 2.0, 3.0])
    found = sg.function([x, y], made)(a, b)
    np.testing.assert_array_equal(found[0], [b, A[1]])
    np.testing.assert_array_equal(found[1], A + np.array([0.0, 2.0, 0.0]))
    np.testing.assert_array_equal(found[2], np.where(A < 0, 0.0, A))
    np.testing.assert_array_equal(found[3], [A[0] + 2 * b, A[1]])
    with pytest.raises(TypeError, match="set_subtensor"):
        x.set(y)


def test_there_is_one_device() -> None:
    x = T.matrix("x")
    assert x.transfer("cpu") is x
    with pytest.raises(RuntimeError, match="x cannot be moved to 'cuda'"):
        x.transfer("cuda")
