"""Reshaping, permuting, joining and splitting against NumPy on random shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import symgraph.tensor as T
from symgraph.tensor import TensorType
from symgraph.testing import verify_grad
from tests.tensor.common import compute, inferred_shapes, perform, symbol

FEW = settings(max_examples=40, deadline=None, derandomize=True)
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)


def check(inputs: list[Any], outputs: list[Any], values: list[Any], expected: list[Any]) -> None:
    """Values by `perform` and compiled, known ranks, inferred shapes."""
    by_perform = perform(outputs, dict(zip(inputs, values, strict=True)))
    for mode in ("FAST_RUN", "None"):
        found = compute(inputs, outputs, values, mode)
        for out, a, b, c in zip(outputs, found, by_perform, expected, strict=True):
            np.testing.assert_array_equal(a, c)
            np.testing.assert_array_equal(b, c)
            assert a.shape == c.shape
            assert all(known in (None, n) for known, n in zip(out.type.shape, c.shape, strict=True))
    lengths = inferred_shapes(outputs)
    flat = [n for shape in lengths for n in shape]
    if flat:
        assert [int(n) for n in compute(inputs, flat, values)] == [n for c in expected for n in c.shape]


@st.composite
def reshapes(draw: Any) -> tuple[tuple[int, ...], list[int]]:
    """A shape, and another of as many elements, in which one length may be -1."""
    factors = draw(st.lists(st.sampled_from([1, 1, 2, 3]), max_size=4))
    parts: list[list[int]] = [[1] for _ in range(draw(st.integers(0, 3)))]
    for factor in factors:
        if parts:
            parts[draw(st.integers(0, len(parts) - 1))].append(factor)
    new = [int(np.prod(part)) for part in parts]
    shape = tuple(factors if parts else [1] * len(factors))
    if new and draw(st.booleans()):
        new[draw(st.integers(0, len(new) - 1))] = -1
    return shape, new


@FEW
@given(reshapes(), st.lists(st.booleans(), min_size=3, max_size=3), st.booleans())
def test_reshape(case: Any, symbolic: list[bool], transposed: bool) -> None:
    """With lengths known or symbolic (-1 too), of arrays whose elements lie in order or not."""
    shape, new = case
    a = (
        np.arange(float(np.prod(shape))).reshape(shape[::-1]).T
        if transposed
        else np.arange(float(np.prod(shape))).reshape(shape)
    )
    x = TensorType("float64", (None,) * a.ndim)("x")
    lengths: list[Any] = [T.lscalar() if s else n for n, s in zip(new, symbolic, strict=False)]
    inputs = [v for v in lengths if not isinstance(v, int)]
    values = [np.asarray(n) for n, v in zip(new, lengths, strict=True) if not isinstance(v, int)]
    check([x, *inputs], [T.reshape(x, lengths)], [a, *values], [a.reshape(new)])
    known = T.reshape(TensorType("float64", a.shape)(), new)
    assert known.type.shape == a.reshape(new).shape


@FEW
@given(SHAPES, st.randoms(use_true_random=False))
def test_dimshuffle(shape: tuple[int, ...], random: Any) -> None:
    """Any order of the axes, with axes of length 1 dropped and new ones put in."""
    a = np.arange(float(np.prod(shape))).reshape(shape)
    kept = [axis for axis, n in enumerate(shape) if n != 1 or random.random() < 0.5]
    random.shuffle(kept)
    pattern: list[Any] = list(kept)
    for _ in range(random.randrange(3)):
        pattern.insert(random.randrange(len(pattern) + 1), "x")
    dropped = [axis for axis in range(len(shape)) if axis not in kept]
    expected = a.transpose([*dropped, *kept]).reshape([1 if p == "x" else shape[p] for p in pattern])
    x = symbol(a)
    check([x], [x.dimshuffle(pattern)], [a], [expected])
    if a.size:
        verify_grad(lambda v: v.dimshuffle(pattern) ** 2, [a], 1)


def test_all_axes_dropped_and_one_put_in() -> None:
    verify_grad(lambda v: v.dimshuffle("x", "x") ** 2, [np.ones(1)], 1)


@FEW
@given(SHAPES.filter(bool), st.lists(st.integers(0, 3), min_size=1, max_size=4), st.data())
def test_join_and_split(shape: tuple[int, ...], lengths: list[int], data: Any) -> None:
    """Pieces of any lengths along any axis, joined and cut again; dtypes mixed as NumPy mixes them."""
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    rng = np.random.default_rng(0)
    pieces = []
    for n in lengths:
        own = list(shape)
        own[axis] = n
        pieces.append(rng.integers(0, 9, own).astype(data.draw(st.sampled_from(["int8", "float32", "float64"]))))
    expected = np.concatenate(pieces, axis)
    inputs = [symbol(p) for p in pieces]
    whole = T.concatenate(inputs, axis=axis)
    assert whole.type.dtype == expected.dtype.name
    cut = T.split(whole, lengths, len(lengths), axis)
    check(inputs, [whole, *cut], pieces, [expected, *[p.astype(expected.dtype) for p in pieces]])


@FEW
@given(SHAPES, st.integers(1, 3), st.data())
def test_stack(shape: tuple[int, ...], count: int, data: Any) -> None:
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    arrays = [np.random.default_rng(i).normal(size=shape) for i in range(count)]
    inputs = [symbol(a) for a in arrays]
    check(inputs, [T.stack(inputs, axis=axis)], arrays, [np.stack(arrays, axis)])


@FEW
@given(SHAPES, st.data())
def test_sums(shape: tuple[int, ...], data: Any) -> None:
    """Over any axes, kept or not."""
    axes = data.draw(st.lists(st.integers(-len(shape), len(shape) - 1), unique_by=lambda i: i % len(shape), max_size=3)
                     if shape else st.just([]))
    keepdims = data.draw(st.booleans())
    a = np.arange(float(np.prod(shape))).reshape(shape)
    x = symbol(a)
    check([x], [T.sum(x, axis=axes, keepdims=keepdims)], [a], [np.asarray(a.sum(tuple(axes), keepdims=keepdims))])
    assert (
        T.sum(symbol(a, static=True), axis=axes, keepdims=keepdims).type.shape
        == a.sum(tuple(axes), keepdims=keepdims).shape
    )


@FEW
@given(SHAPES, SHAPES, st.data())
def test_tensordot(a_shape: tuple[int, ...], b_shape: tuple[int, ...], data: Any) -> None:
    """Any pairs of axes of equal length."""
    pairs = [(i, j) for i, n in enumerate(a_shape) for j, m in enumerate(b_shape) if n == m]
    chosen: list[tuple[int, int]] = []
    for i, j in data.draw(st.permutations(pairs)):
        if all(i != p and j != q for p, q in chosen):
            chosen.append((i, j))
    axes = [[i for i, _ in chosen], [j for _, j in chosen]]
    a = np.arange(float(np.prod(a_shape))).reshape(a_shape)
    b = np.arange(float(np.prod(b_shape))).reshape(b_shape) - 3
    x, y = symbol(a), symbol(b)
    check([x, y], [T.tensordot(x, y, axes)], [a, b], [np.tensordot(a, b, (axes[0], axes[1]))])
