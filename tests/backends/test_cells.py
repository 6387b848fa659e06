"""One element of each row, reckoned once for all matrices of one shape and layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.numpy.cells import cells, picked

LAYOUTS = {"C": np.array, "F": np.asfortranarray, "strided": lambda a: np.repeat(a, 2, axis=1)[:, ::2]}


@pytest.mark.parametrize("first", list(LAYOUTS))
@pytest.mark.parametrize("second", list(LAYOUTS))
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
def test_cells_are_what_the_index_means(first: str, second: str, dtype: str) -> None:
    matrix = np.random.default_rng(0).normal(size=(7, 4))
    columns = np.array([0, 3, 1, 1, 2], dtype)
    if dtype.startswith("int"):
        columns[1] = -4
    x, y = LAYOUTS[first](matrix), LAYOUTS[second](matrix)
    found, index = cells(x, 5, columns), (np.arange(5), columns)
    np.testing.assert_array_equal(found.of(x), matrix[index])
    np.testing.assert_array_equal(picked(x, 5, columns)[1], matrix[index])
    for value in (2.5, np.arange(5.0)):
        wanted = matrix.copy()
        wanted[index] += value
        z = LAYOUTS[second](matrix)
        found.add(z, value)
        np.testing.assert_array_equal(z, wanted)
        wanted[index] = value
        found.put(z, value)
        np.testing.assert_array_equal(z, wanted)
    np.testing.assert_array_equal(found.of(y[:, :4]), matrix[index])
    np.testing.assert_array_equal(found.of(y[:6, ::-1]), matrix[:6, ::-1][index])


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_what_is_not_there_is_an_error(layout: str) -> None:
    x = LAYOUTS[layout](np.zeros((3, 4)))
    for count, columns in ((2, [0, 4]), (2, [-5, 0]), (4, [0, 0, 0, 0])):
        with pytest.raises(IndexError):
            cells(x, count, np.array(columns)).of(x)
        with pytest.raises(IndexError):
            picked(x, count, np.array(columns))


def _step() -> Any:
    x, y, w = T.fmatrix("x"), T.ivector("y"), sg.shared(np.zeros((5, 3), "float32"), "w")
    cost = -T.mean(T.log(T.nnet.softmax(T.dot(x, w)))[T.arange(y.shape[0]), y])
    return sg.function([x, y], cost, updates=[(w, w - 0.1 * sg.grad(cost, w))]), w


def test_gather_and_scatter_share_their_cells() -> None:
    f, w = _step()
    assert f.source.count("picked(") == 1
    assert "cells(" not in f.source
    assert "np.arange" not in f.source
    x, y = np.random.default_rng(0).normal(size=(6, 5)).astype("float32"), np.array([0, 2, 1, 1, 0, 2], "int32")
    p = np.full((6, 3), 1 / 3)
    np.testing.assert_allclose(f(x, y), np.log(3), rtol=1e-6)
    slope = (p - np.eye(3)[y]) / 6
    np.testing.assert_allclose(w.get_value(), -0.1 * x.T @ slope, rtol=1e-5, atol=1e-7)


def test_rows_without_a_label_have_no_slope() -> None:
    x, y = T.dmatrix("x"), T.lvector("y")
    f = sg.function([x, y], sg.grad(T.log(T.nnet.softmax(x))[T.arange(y.shape[0]), y].mean(), x))
    assert "zeros_but_head(" in f.source
    value, labels = np.random.default_rng(0).normal(size=(50, 3)), np.array([2, 0, 1, 1])
    slope = np.eye(3)[labels] - np.exp(value[:4]) / np.exp(value[:4]).sum(axis=1, keepdims=True)
    for rows, count in ((4, 1), (4, 3), (4, 4), (50, 4)):
        found = f(value[:rows], labels[:count])
        np.testing.assert_allclose(found[:count], slope[:count] / count, rtol=1e-13, atol=1e-15)
        np.testing.assert_array_equal(found[count:], 0)
    with pytest.raises(IndexError, match="out of bounds for axis 0 with size 3"):
        f(value[:3], labels)


def test_labels_that_name_no_class_change_nothing() -> None:
    f, w = _step()
    x = np.ones((2, 5), "float32")
    for labels in ([0, 3], [0, -4]):
        with pytest.raises(IndexError, match="axis 1 with size 3"):
            f(x, np.array(labels, "int32"))
    np.testing.assert_array_equal(w.get_value(), 0)
    with pytest.raises(IndexError):
        f(x, np.zeros(3, "int32"))
    f(x, np.array([-1, -3], "int32"))  # from the end


@pytest.mark.parametrize("build", [
    lambda x, y: x[T.arange(y.shape[0]), y], lambda x, y: T.set_subtensor(x[T.arange(y.shape[0]), y], 7.0),
    lambda x, y: T.inc_subtensor(x[T.arange(y.shape[0]), y], T.cast(y, "float64")),
    lambda x, y: [x[T.arange(y.shape[0]), y], T.arange(y.shape[0])],
    lambda x, y: [x[T.arange(y.shape[0]), y], x[y, T.arange(y.shape[0])]],
    lambda x, y: x[T.arange(3), y],
], ids=["get", "set", "inc", "count too", "turned too", "three"])
def test_programs_with_cells(build: Any) -> None:
    x, y = T.dmatrix("x"), T.lvector("y")
    result = build(x, y)
    f, plain = sg.function([x, y], result), sg.function([x, y], result, mode="None")
    value, columns = np.random.default_rng(0).normal(size=(4, 5)), np.array([1, 0, 3])
    for layout in LAYOUTS.values():
        found, wanted = f(layout(value), columns), plain(value, columns)
        if not isinstance(found, list):
            found, wanted = [found], [wanted]
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(a, b)
