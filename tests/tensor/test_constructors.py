"""Inputs and constants: every constructor, what becomes a constant and with which dtype, creation and its refusals."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import TensorType, constructors
from tests.tensor.common import compute

RANKS = {
    "scalar": (),
    "vector": (None,),
    "row": (1, None),
    "col": (None, 1),
    "matrix": (None, None),
    "tensor3": (None,) * 3,
    "tensor4": (None,) * 4,
    "tensor5": (None,) * 5,
    "tensor6": (None,) * 6,
    "tensor7": (None,) * 7,
}
PLURALS = {kind: "matrices" if kind == "matrix" else kind + "s" for kind in RANKS}


@pytest.mark.parametrize("kind", RANKS)
def test_every_rank_and_prefix(kind: str) -> None:
    for prefix, dtype in constructors.PREFIXES.items():
        x = getattr(T, prefix + kind)("x")
        assert (x.name, x.type.shape) == ("x", RANKS[kind])
        assert x.type.dtype == ("float64" if dtype == "floatX" else dtype)
        assert getattr(T, prefix + kind).__name__ == prefix + kind
        several = getattr(T, prefix + PLURALS[kind])
        for names in (("a", "b"), ("a b",), ("a, b",), ("ab",)):
            assert [v.name for v in several(*names)] == ["a", "b"]
        assert [v.name for v in several(2)] == [None, None]
        assert all(v.type is x.type for v in several("a", "b"))


def test_no_constructor_is_left_out() -> None:
    expected = {p + k for p in constructors.PREFIXES for k in (*RANKS, *PLURALS.values())} | {"tensor", "PREFIXES"}
    assert set(constructors.__all__) == expected


def test_floatx_is_read_when_called() -> None:
    with sg.config.change_flags(floatX="float32"):
        assert T.matrix().type.dtype == "float32"
        assert T.zeros((2,)).type.dtype == "float32"
        assert T.constant(1.5).type.dtype == "float32"
    assert T.matrix(dtype="int8").type.dtype == "int8"
    assert T.fmatrix(shape=(3, None)).type.shape == (3, None)
    with pytest.raises(ValueError, match="1 dimensions"):
        T.fmatrix(shape=(3,))


def test_tensor() -> None:
    assert T.tensor("float32", (None, 3), "x").type == TensorType("float32", (None, 3))
    assert T.tensor("x", shape=(None,)).name == "x"
    assert T.tensor(dtype="int8", broadcastable=(True, False)).type.shape == (1, None)
    with pytest.raises(TypeError, match="not a dtype"):
        TensorType("floaty", ())
    with pytest.raises(TypeError, match="numbers or booleans"):
        TensorType("datetime64[s]", ())
    with pytest.raises(TypeError, match="non-negative"):
        TensorType("int8", (-1,))


def test_types_are_one_object() -> None:
    a = TensorType("float32", (None, 1))
    assert a is TensorType("float32", [None, 1])
    assert a is pickle.loads(pickle.dumps(a))
    assert a.broadcastable == (False, True)


CONSTANTS: list[tuple[Any, str, tuple[int, ...]]] = [
    (1, "int64", ()), (1.5, "float64", ()), (True, "bool", ()), (2j, "complex128", ()), ([1, 2], "int64", (2,)),
    ([[1.0, 2.0]], "float64", (1, 2)), (np.float32(1), "float32", ()), (np.zeros((2, 0), "int8"), "int8", (2, 0)),
    ([], "float64", (0,)), (np.array(3, "uint64"), "uint64", ()),
]


@pytest.mark.parametrize(("value", "dtype", "shape"), CONSTANTS, ids=[repr(c[0])[:16] for c in CONSTANTS])
def test_constants(value: Any, dtype: str, shape: tuple[int, ...]) -> None:
    c = T.as_tensor_variable(value)
    assert (c.type.dtype, c.type.shape) == (dtype, shape)
    np.testing.assert_array_equal(c.eval(), value)
    assert T.as_tensor_variable(c) is c


def test_a_constant_does_not_change_with_the_array_it_came_from() -> None:
    a = np.zeros(3)
    c = T.constant(a)
    a[0] = 5
    assert c.eval()[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        c.data[0] = 1


@pytest.mark.parametrize("value", ["a", None, object(), {"a": 1}, [[1, 2], [3]], ["x"]],
                         ids=["text", "None", "object", "dict", "ragged", "texts"])
def test_what_is_no_tensor_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="tensor constant"):
        T.as_tensor_variable(value)


def test_sequences_with_symbolic_parts_are_stacked() -> None:
    x = T.dscalar("x")
    np.testing.assert_array_equal(compute([x], T.as_tensor_variable([x, 1.0, 2 * x]), [np.array(3.0)]), [3, 1, 6])
    np.testing.assert_array_equal(
        compute([x], T.as_tensor_variable([[x, 1], [0, x]]), [np.array(3.0)]), [[3, 1], [0, 3]]
    )
    assert T.as_tensor_variable(T.dvector(), ndim=3).type.shape == (1, 1, None)
    with pytest.raises(ValueError, match="more than 1"):
        T.as_tensor_variable(T.dmatrix(), ndim=1)


def test_get_scalar_constant_value() -> None:
    for v in (3, T.constant(3), T.alloc(3, 2, 2), T.constant(np.full((2, 2), 3)), T.shape_padleft(T.constant(3))):
        assert int(T.get_scalar_constant_value(v)) == 3
    for v in (T.dscalar(), T.constant([1, 2]), T.dscalar() + 1):
        with pytest.raises(T.NotScalarConstantError):
            T.get_scalar_constant_value(v)


def test_lengths_may_be_symbolic() -> None:
    n, m = T.lscalar("n"), T.iscalar("m")
    found = compute([n, m], [T.zeros((n, m)), T.eye(n, m), T.arange(n), T.alloc(1.5, m), T.full((n, 2), 7)],
                    [np.asarray(2), np.asarray(3, "int32")])
    for a, b in zip(
        found, [np.zeros((2, 3)), np.eye(2, 3), np.arange(2), np.full(3, 1.5), np.full((2, 2), 7)], strict=True
    ):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


ARANGES: list[tuple[Any, ...]] = [(5,), (2, 7), (7, 2, -2), (0, 1, 0.25), (0.5, 3), (3, 3), (np.float32(2),),
    (np.int8(3),), (10, 0)]


@pytest.mark.parametrize("bounds", ARANGES, ids=repr)
def test_arange(bounds: tuple[Any, ...]) -> None:
    """Values, static and inferred lengths; the dtype is NumPy's of the arguments, int64 for integers."""
    expected = np.arange(*bounds)
    out = T.arange(*bounds)
    assert out.type.shape == expected.shape
    np.testing.assert_array_equal(out.eval(), expected)
    symbols = [TensorType(np.asarray(b).dtype, ())() for b in bounds]
    moving = T.arange(*symbols)
    found, length = compute(symbols, [moving, moving.shape[0]], [np.asarray(b) for b in bounds], "FAST_RUN")
    np.testing.assert_array_equal(found, expected)
    assert int(length) == len(expected)


def test_bad_lengths() -> None:
    with pytest.raises(ValueError, match="negative dimension -1"):
        T.zeros((2, -1))
    with pytest.raises(TypeError, match="a shape holds integers"):
        T.zeros((2.5,))
    with pytest.raises(TypeError, match="number of dimensions, is not known"):
        T.zeros(T.lvector("s"))
    with pytest.raises(TypeError, match="arange takes scalars"):
        T.arange(T.lvector())
    with pytest.raises(ValueError, match="does not fit into"):
        T.alloc(np.zeros(3), 2)
    n = T.lscalar("n")
    for mode in ("FAST_RUN", "None"):
        with pytest.raises(ValueError, match="negative"):
            compute([n], T.zeros(n) + 1, [np.asarray(-1)], mode)
