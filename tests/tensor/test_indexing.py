"""Indexing against NumPy on random keys, and what reading and writing through an index promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import TensorType
from symgraph.testing import verify_grad
from tests.records.indexing import increase_part, set_part
from tests.tensor.common import MODES, compute, inferred_shapes, perform, symbol

FEW = settings(max_examples=60, deadline=None, derandomize=True)


def bounds(n: int) -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(-n - 2, n + 2)


@st.composite
def entries(draw: Any, n: int, width: int) -> Any:
    """One entry for an axis of length n; index arrays have `width` elements, or 1, or are a matrix of such rows."""
    kind = draw(st.sampled_from(["slice", "slice", "int", "array", "mask"]))
    if kind == "slice":
        step = draw(st.none() | st.sampled_from([1, 2, 3, -1, -2]))
        return slice(draw(bounds(n)), draw(bounds(n)), step)
    if n == 0:
        return slice(None)
    if kind == "int":
        return draw(st.integers(-n, n - 1))
    if kind == "mask":
        true = draw(st.permutations(range(n)))[: min(width, n)]
        mask = np.zeros(n, bool)
        mask[list(true)] = True
        return mask if len(true) == width else slice(None)
    shape = draw(st.sampled_from([(width,), (1,), (2, width), ()]))
    count = int(np.prod(shape))
    indices = np.array(draw(st.lists(st.integers(-n, n - 1), min_size=count, max_size=count)), "int64").reshape(shape)
    dtype = draw(st.sampled_from(["int64", "int8", "uint8"]))
    return (indices % n if dtype == "uint8" else indices).astype(dtype)


@st.composite
def cases(draw: Any) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """A shape and a key that NumPy accepts for it."""
    shape = tuple(draw(st.lists(st.integers(0, 4), min_size=1, max_size=4)))
    width = draw(st.integers(1, 3))
    key = [draw(entries(n, width)) for n in shape[: draw(st.integers(0, len(shape)))]]
    if draw(st.booleans()):
        place = draw(st.integers(0, len(key)))
        tail = [draw(entries(n, width)) for n in shape[len(shape) - draw(st.integers(0, len(shape) - len(key))):]]
        if len(key) + len(tail) <= len(shape):
            tail = [draw(entries(n, width)) for n in shape[len(shape) - len(tail):]]
            key = [*key, ..., *tail] if draw(st.booleans()) else [*key[:place], *key[place:]]
    for _ in range(draw(st.integers(0, 2))):
        key.insert(draw(st.integers(0, len(key))), None)
    return shape, tuple(key)


def symbolic_key(key: tuple[Any, ...], draw_symbolic: list[bool]) -> tuple[tuple[Any, ...], list[Any], list[Any]]:
    """The key with integers, bounds and arrays replaced by inputs, where drawn; the inputs; their values."""
    inputs: list[Any] = []
    values: list[Any] = []
    supply = iter(draw_symbolic)

    def replaced(part: Any) -> Any:
        if part is None or part is ... or not next(supply, False):
            return part
        value = np.asarray(part)
        x = symbol(value)
        inputs.append(x)
        values.append(value)
        return x

    def entry(part: Any) -> Any:
        return (
            slice(replaced(part.start), replaced(part.stop), part.step) if isinstance(part, slice) else replaced(part)
        )

    return tuple(entry(part) for part in key), inputs, values


@FEW
@given(cases(), st.lists(st.booleans(), min_size=12, max_size=12))
def test_reading(case: Any, symbolic: list[bool]) -> None:
    """Value, static shape and inferred shape are NumPy's, with parts of the index known or symbolic."""
    shape, key = case
    a = np.arange(float(np.prod(shape))).reshape(shape)
    expected = a[key]
    x = TensorType("float64", (None,) * a.ndim)("x")
    parts, inputs, values = symbolic_key(key, symbolic)
    out = x[parts]
    assert out.type.ndim == expected.ndim
    found, *lengths = compute([x, *inputs], [out, *inferred_shapes([out])[0]], [a, *values])
    np.testing.assert_array_equal(found, expected)
    assert [int(n) for n in lengths] == list(expected.shape)
    known = TensorType("float64", shape)("x")[key]
    assert known.type.shape == expected.shape
    given = dict(zip([x, *inputs], [a, *values], strict=True))
    np.testing.assert_array_equal(perform([out], given)[0], expected)


@FEW
@given(cases(), st.booleans(), st.integers(0, 3))
def test_writing(case: Any, instead: bool, lost: int) -> None:
    """Setting and increasing, with values of full shape and of lower rank; repeated indices accumulate."""
    shape, key = case
    a = np.arange(float(np.prod(shape))).reshape(shape)
    region = a[key].shape
    y = np.random.default_rng(0).normal(size=region[min(lost, len(region)):])
    x, v = symbol(a), symbol(y)
    out = (T.set_subtensor if instead else T.inc_subtensor)(x[key], v)
    expected = (set_part if instead else increase_part)(a, y, key)
    for mode in ("FAST_RUN", "None"):
        np.testing.assert_array_equal(compute([x, v], out, [a, y], mode), expected)
    np.testing.assert_array_equal(perform([out], {x: a, v: y})[0], expected)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(cases())
def test_gradients(case: Any) -> None:
    """Of reading, of setting (where an element set twice keeps the last value only), and of increasing."""
    shape, key = case
    a = np.random.default_rng(1).normal(size=shape)
    region = a[key].shape
    y = np.random.default_rng(2).normal(size=region[1:])
    verify_grad(lambda x: x[key] ** 2, [a], 1)
    verify_grad(lambda x, v: T.inc_subtensor(x[key], v) ** 2, [a, y], 1)
    verify_grad(lambda x, v: T.set_subtensor(x[key], v) ** 2, [a, y], 1)


BAD: dict[str, Any] = {
    "too many": (0, 0, 0), "two ellipses": (..., ...), "float": 1.5, "string": "a", "float array": np.array([0.5]),
    "out of range": 3, "out of range, negative": (0, -5), "mask of wrong length": np.array([True, False]),
    "mask of wrong shape": np.ones((3, 3), bool), "mask of too many axes": np.ones((3, 4, 1), bool),
    "arrays that do not fit": (np.array([0, 1]), np.array([0, 1, 2])), "slice of floats": slice(0.5, None),
    "array out of range": np.array([0, 7]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_keys_raise_what_numpy_raises(name: str) -> None:
    """When the shape is known, as far as possible while building; else when called."""
    key, a = BAD[name], np.zeros((3, 4))
    with pytest.raises((IndexError, TypeError, ValueError)) as numpy_error:
        a.__getitem__(key)
    kinds = (numpy_error.type, ValueError) if name == "arrays that do not fit" else numpy_error.type
    for static in (True, False):
        x = symbol(a, static=static)
        with pytest.raises(kinds):
            compute([x], x[key], [a])
    if name != "array out of range":
        with pytest.raises(kinds):
            symbol(a, static=True)[key]


@pytest.mark.parametrize("mode", MODES)
def test_symbolic_indices_out_of_range_raise(mode: str) -> None:
    x, i, j = T.dmatrix("x"), T.lscalar("i"), T.lvector("j")
    for out, bad in ((x[i], 3), (x[:, i], -5), (x[j], [0, 3]), (x[0, j], [-5])):
        index = out.owner.inputs[1]
        with pytest.raises(IndexError, match="out of bounds"):
            compute([x, index], out, [np.zeros((3, 4)), np.asarray(bad)], mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_mask_must_have_the_lengths_it_stands_for(mode: str) -> None:
    x, m = T.dmatrix("x"), TensorType("bool", (None,))("m")
    f = sg.function([x, m], x[m], mode=mode)
    np.testing.assert_array_equal(f(np.eye(2), np.array([False, True])), [[0, 1]])
    with pytest.raises(IndexError, match="boolean index"):
        f(np.eye(2), np.array([False, True, False]))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("write", [T.set_subtensor, T.inc_subtensor], ids=["set", "inc"])
def test_a_run_time_1_is_not_stretched_into_a_part(write: Any, mode: str) -> None:
    x, y, i = T.dvector("x"), T.dvector("y"), T.lvector("i")
    for part in (x[1:], x[i], x[:3]):
        f = sg.function([x, y, i], write(part, y), mode=mode, on_unused_input="ignore")
        with pytest.raises(ValueError, match="length"):
            f(np.zeros(4), np.ones(1), np.array([0, 2, 1]))
        assert f(np.zeros(4), np.ones(3), np.array([0, 2, 1])).sum() == 3
    one = T.addbroadcast(y, 0)
    np.testing.assert_array_equal(compute([x, y], write(x[1:], one), [np.zeros(3), np.ones(1)], mode), [0, 1, 1])


def test_index_arrays_are_not_stretched_at_run_time() -> None:
    x, i, j = T.dmatrix("x"), T.lvector("i"), T.lvector("j")
    with pytest.raises(IndexError, match="do not fit together"):
        compute([x, i, j], x[i, j], [np.zeros((2, 3)), np.array([0]), np.array([0, 1, 2])])


def test_values_that_do_not_fit_are_refused_when_building() -> None:
    x = TensorType("int32", (3, 4))("x")
    with pytest.raises(TypeError, match="float64 values do not fit into a int32 tensor"):
        T.set_subtensor(x[0], T.dvector("y"))
    with pytest.raises(ValueError, match=r"shape \(5,\) does not fit into a part of shape \(4,\)"):
        T.set_subtensor(x[0], np.zeros(5, "int32"))
    with pytest.raises(ValueError, match="2 dimensions"):
        T.inc_subtensor(x[0], np.zeros((1, 4), "int32"))
    with pytest.raises(TypeError, match=r"1\.5 does not fit"):
        T.set_subtensor(x[0], 1.5)
    with pytest.raises(TypeError, match="must be a part of a tensor"):
        T.set_subtensor(x, 0)
    with pytest.raises(TypeError, match=r"T\.set_subtensor"):
        x[0] = 1


def test_integers_are_set_and_increased() -> None:
    x = T.ivector("x")
    out = [T.set_subtensor(x[1:], 7), T.inc_subtensor(x[[0, 0]], 1), T.set_subtensor(x[0], np.int8(-1))]
    assert all(v.type.dtype == "int32" for v in out)
    found = compute([x], out, [np.array([1, 2, 3], "int32")])
    np.testing.assert_array_equal(found, [[1, 7, 7], [3, 2, 3], [-1, 2, 3]])


def test_the_last_of_several_values_stays_and_alone_has_a_gradient() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    out = T.set_subtensor(x[[0, 0, 1]], y)
    gx, gy = compute([x, y], sg.grad((out * np.array([1.0, 10.0, 100.0])).sum(), [x, y]), [np.zeros(3), np.arange(3.0)])
    np.testing.assert_array_equal(gx, [0, 0, 100])
    np.testing.assert_array_equal(gy, [0, 1, 10])


def test_lengths_are_known_where_types_know_them() -> None:
    x = TensorType("float32", (3, None))("x")
    assert T.arange(x.shape[0]).type.shape == (3,)
    assert T.zeros(x.shape).type.shape == (3, None)
    assert x.reshape((x.shape[0], -1)).type.shape == (3, None)
    assert T.zeros(x.shape[:1]).type.shape == (3,)
    assert T.zeros(T.concatenate([x.shape[:1], [5]])).type.shape == (3, 5)
    with pytest.raises(IndexError, match="no axis 2"):
        x.shape[2]


def test_reading_a_slice_is_a_view() -> None:
    """Only index arrays copy; a plan may rely on what `view_map` says."""
    x = T.dmatrix("x")
    assert x[1:, ::2].owner.op.view_map == {0: [0]}
    assert x[np.array([0, 1])].owner.op.view_map == {}
