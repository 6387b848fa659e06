"""Sorting, counting, choosing and padding: methods, symbolic arguments, ties, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import TensorType

M = T.dmatrix("M")
V = T.dvector("V")
I = T.lvector("I")
A = TensorType("float64", (3, 4))("A")

METHODS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "sort": (lambda x: x.sort(0), lambda x: np.sort(x, 0)),
    "argsort": (lambda x: x.argsort(), lambda x: x.argsort()),
    "argsort of all": (lambda x: x.argsort(None), lambda x: x.argsort(None)),
    "cumsum": (lambda x: x.cumsum(1), lambda x: x.cumsum(1)),
    "cumprod": (lambda x: x.cumprod(), lambda x: x.cumprod()),
    "repeat": (lambda x: x.repeat(2, axis=1), lambda x: x.repeat(2, axis=1)),
    "compress": (lambda x: x.compress([0, 1, 1], axis=0), lambda x: x.compress([0, 1, 1], axis=0)),
    "choose": (lambda x: T.cast(x > 0, "int64").choose([x, -x]), np.negative),
    "searchsorted": (lambda x: x[0].searchsorted(x), lambda x: x[0].searchsorted(x)),
    "diagonal": (lambda x: x.diagonal(1), lambda x: x.diagonal(1)),
    "trace": (lambda x: x.trace(), np.trace),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods(name: str) -> None:
    ours, reference = METHODS[name]
    x = np.arange(1.0, 13.0).reshape(3, 4)
    np.testing.assert_array_equal(ours(M).eval({M: x}), reference(x))


@pytest.mark.parametrize("k", [3, 1, -2])
def test_topk_of_a_symbolic_number(k: int) -> None:
    n = T.lscalar("n")
    x = np.array([[5.0, 1, 4, 2], [0, 9, 8, 7]])
    values, places = sg.function([M, n], T.topk_and_argtopk(M, n))(x, k)
    down = np.sort(x)[:, ::-1]
    np.testing.assert_array_equal(values, down[:, :k] if k > 0 else down[:, k:])
    np.testing.assert_array_equal(np.take_along_axis(x, places, 1), values)


def test_topk_beyond_the_length_is_refused() -> None:
    with pytest.raises(ValueError, match="5 elements of an axis of length 3"):
        sg.function([V], T.topk(V, 5))(np.arange(3.0))


def test_the_first_of_tied_elements_takes_the_gradient_of_unique() -> None:
    g = sg.grad((T.unique(V) * [10.0, 20.0]).sum(), V)
    np.testing.assert_array_equal(g.eval({V: np.array([2.0, 1, 2, 1])}), [20, 10, 0, 0])


def test_sorting_sends_each_gradient_back_to_its_element() -> None:
    g = sg.grad((V.sort() * [1.0, 2, 3, 4]).sum(), V)
    np.testing.assert_array_equal(g.eval({V: np.array([3.0, 1, 4, 2])}), [3, 1, 4, 2])


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
def test_pad_of_symbolic_widths(mode: Any) -> None:
    before, after = T.lscalars("before", "after")
    f = sg.function([M, before, after], T.pad(M, ((before, after), (0, before)), mode))
    x = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(f(x, 2, 7), np.pad(x, ((2, 7), (0, 2)), mode))


def test_repeat_by_symbolic_counts() -> None:
    f = sg.function([M, I], T.repeat(M, I, axis=0))
    x = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(f(x, [2, 0, 1]), np.repeat(x, [2, 0, 1], 0))
    with pytest.raises(ValueError, match="2 numbers of repeats for an axis of length 3"):
        f(x, [2, 0])


@pytest.mark.parametrize("wrong", [-1, 2])
def test_a_choice_out_of_range_is_refused(wrong: int) -> None:
    f = sg.function([I, M], T.choose(I, M))
    with pytest.raises(IndexError):
        f([0, wrong], np.ones((2, 2)))


def test_negative_numbers_are_not_counted() -> None:
    with pytest.raises(ValueError, match="negative"):
        sg.function([I], T.bincount(I))([1, -1])


@pytest.mark.parametrize("build", [lambda: T.unravel_index(I, (2, 3))[0], lambda: T.ravel_multi_index((I, I), (2, 3))])
def test_numbers_of_elements_out_of_range_are_refused(build: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"out of bounds|invalid entry"):
        sg.function([I], build())([6])


def test_places_of_elements_and_back() -> None:
    rows, columns = T.unravel_index(I, M.shape)
    f = sg.function([I, M], T.ravel_multi_index((rows, columns), M.shape))
    np.testing.assert_array_equal(f([0, 5, 3], np.ones((2, 3))), [0, 5, 3])


def test_unequal_lengths_have_no_common_diagonal() -> None:
    x = T.dtensor3()
    with pytest.raises(ValueError, match="must have length 2"):
        sg.function([x], T.fill_diagonal(x, 1.0))(np.ones((2, 2, 3)))


CASES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "sort axis": (lambda: T.sort(M, axis=2), ValueError, "sort: axis 2 is out of bounds"),
    "sort kind": (lambda: T.sort(M, kind="bubble"), ValueError, "sort: kind must be one of"),
    "sort order": (lambda: T.argsort(M, order="field"), ValueError, "argsort: order names the fields"),
    "topk none": (lambda: T.topk(M, 0), ValueError, "it is 0"),
    "topk many": (lambda: T.topk(A, 5), ValueError, "topk: 5 elements of an axis of length 4"),
    "topk of floats": (lambda: T.topk(A, 1.5), TypeError, "is an integer, not float64"),
    "argtopk dtype": (lambda: T.argtopk(A, 1, idx_dtype="float32"), TypeError, "places are integers, not float32"),
    "take_along_axis dtype": (lambda: T.take_along_axis(M, M), IndexError, "indices are integers"),
    "take_along_axis rank": (lambda: T.take_along_axis(M, I), ValueError, "indices of 1 dimensions for a tensor of 2"),
    "cumsum axis": (lambda: T.cumsum(M, axis=2), ValueError, "cumsum: axis 2 is out of bounds"),
    "diff n": (lambda: T.diff(M, n=-1), ValueError, "not negative, not -1"),
    "diff of a scalar": (lambda: T.diff(T.dscalar()), ValueError, "at least one dimension"),
    "repeat floats": (lambda: T.repeat(V, V), TypeError, "a vector of integers"),
    "repeat lengths": (lambda: T.repeat(A, [1, 2], axis=0), ValueError, "2 numbers of repeats for an axis of length 3"),
    "bincount of floats": (lambda: T.bincount(V), TypeError, "bincount counts integers"),
    "bincount of a matrix": (lambda: T.bincount(T.lmatrix()), ValueError, "bincount takes a vector"),
    "bincount minlength": (lambda: T.bincount(I, minlength=-1), ValueError, "must not be negative, but is -1"),
    "bincount weights": (lambda: T.bincount(I, M), ValueError, "bincount: weights of type"),
    "searchsorted side": (lambda: T.searchsorted(V, V, side="up"), ValueError, "'left' or 'right'"),
    "searchsorted rank": (lambda: T.searchsorted(M, V), ValueError, "takes a vector"),
    "pad mode": (lambda: T.pad(M, 1, mode="mirror"), ValueError, "pad: mode must be"),
    "pad pairs": (lambda: T.pad(M, ((1, 1),) * 3), ValueError, "one pair for each of 2 axes"),
    "pad negative": (lambda: T.pad(M, -1), ValueError, "must not be negative"),
    "pad by floats": (lambda: T.pad(M, 1.5), TypeError, "a width is an integer"),
    "pad of nothing": (lambda: T.pad(np.ones((0, 2)), 1, mode="edge"), ValueError, "axis 0 is empty"),
    "compress": (lambda: T.compress(M, M), ValueError, "the condition is a vector"),
    "choose of floats": (lambda: T.choose(V, M), TypeError, "which one is an integer"),
    "choose mode": (lambda: T.choose(I, M, mode="skip"), ValueError, "choose: mode"),
    "choose of nothing": (lambda: T.choose(I, []), ValueError, "at least one choice"),
    "fill_diagonal": (lambda: T.fill_diagonal(V, 0), ValueError, "at least 2 dimensions"),
    "fill_diagonal value": (lambda: T.fill_diagonal(M, V), ValueError, "filled with a scalar"),
    "fill_diagonal lengths": (lambda: T.fill_diagonal(np.ones((2, 2, 3)), 0), ValueError, "not all the same"),
    "fill_diagonal_offset": (lambda: T.fill_diagonal_offset(M, 0.0, 1.5), TypeError, "the offset is an integer"),
    "unravel_index order": (lambda: T.unravel_index(I, (2, 3), order="A"), ValueError, "'C' or 'F'"),
    "ravel_multi_index": (lambda: T.ravel_multi_index((I,), (2, 3)), ValueError, "along 1 axes, in a shape of 2"),
    "linspace": (lambda: T.linspace(0, 1, -1), ValueError, "must not be negative, but is -1"),
    "meshgrid": (lambda: T.meshgrid(M, V), ValueError, "meshgrid takes vectors"),
    "mgrid": (lambda: T.mgrid[3, 2], TypeError, "made of slices"),
}


@pytest.mark.parametrize("name", CASES)
def test_wrong_arguments_are_refused_when_building(name: str) -> None:
    build, kind, message = CASES[name]
    with pytest.raises(kind, match=message):
        build()
