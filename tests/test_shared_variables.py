"""Shared variables: what they hold, how values go in and out, and that nobody shares memory by accident."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.config import config


@pytest.mark.parametrize(("value", "kind"), [
    (True, "bool[]"), (np.True_, "bool[]"), (3, "int64[]"), (0.5, "float64[]"), (1j, "complex128[]"),
    ([1, 2], "int64[?]"), ([1.0, 2], "float64[?]"), ([[True]], "bool[?,?]"), ((1.0,), "float64[?]"), ([], "float64[?]"),
    (np.float32(2), "float32[]"), (np.zeros((2, 3), "int8"), "int8[?,?]"), (np.zeros(3, ">f4"), "float32[?]"),
    (np.zeros((2, 0)), "float64[?,?]"), (memoryview(bytes(2)), "uint8[?]"), (range(3), "int64[?]"),
])
def test_types(value: Any, kind: Any) -> None:
    s = sg.shared(value)
    assert str(s.type) == kind
    got = s.get_value()
    assert type(got) is np.ndarray
    assert got.dtype.isnative
    np.testing.assert_array_equal(got, np.asarray(value))


def test_python_floats_become_floatx() -> None:
    with config.change_flags(floatX="float32"):
        assert sg.shared(0.1).dtype == "float32"
        assert sg.shared([0.1, 1]).dtype == "float32"
        assert sg.shared(np.array(0.1)).dtype == "float64"
        assert sg.shared(1).dtype == "int64"
        assert (sg.shared(0.1) * 2.5).dtype == "float32"
        assert T.vector().dtype == T.scalar().dtype == T.constant(0.1).dtype == "float32"
        assert T.dvector().dtype == "float64"


@pytest.mark.parametrize("bad", [
    "text", None, [[1], [1, 2]], {"a": 1}, object(), np.longdouble(1), np.array(["a"]), 2 ** 70,
])
def test_what_cannot_be_held(bad: Any) -> None:
    with pytest.raises(TypeError):
        sg.shared(bad)


def test_symbolic_values_are_refused() -> None:
    with pytest.raises(TypeError, match="symbolic variable x"):
        sg.shared(T.dvector("x"))


def test_shape_and_broadcastable() -> None:
    assert sg.shared(np.zeros((2, 3)), shape=(None, 3)).type.shape == (None, 3)
    assert sg.shared(np.zeros((1, 3)), broadcastable=(True, False)).broadcastable == (True, False)
    with pytest.raises(ValueError, match="shared variable w: expected length 4"):
        sg.shared(np.zeros((2, 3)), "w", shape=(None, 4))
    with pytest.raises(TypeError, match="dimensions"):
        sg.shared(np.zeros((2, 3)), shape=(3,))


def test_any_shape_unless_said() -> None:
    s = sg.shared(np.zeros(3))
    s.set_value(np.zeros(7))
    assert s.get_value().shape == (7,)
    with pytest.raises(TypeError, match="1 dimension"):
        s.set_value(np.zeros((2, 2)))
    fixed = sg.shared(np.zeros(3), shape=(3,))
    with pytest.raises(ValueError, match="length 3"):
        fixed.set_value(np.zeros(7))
    assert fixed.get_value().shape == (3,)


def test_devices() -> None:
    assert sg.shared(1.0, target="cpu").get_value() == 1
    with pytest.raises(RuntimeError, match="abacus"):
        sg.shared(1.0, target="abacus")


# ---- borrowing --------------------------------------------------------------------------------------------------


def views_of(array: Any) -> Any:
    return [array, array[:], array[::-1], array.reshape(1, -1)[0], memoryview(array)]


@pytest.mark.parametrize("which", range(5))
def test_nothing_is_shared_by_default(which: Any) -> None:
    array = np.arange(3.0)
    given = views_of(array)[which]
    s = sg.shared(given)
    want = s.get_value()
    array[:] = -1
    np.testing.assert_array_equal(s.get_value(), want)
    array[:] = np.arange(3.0)
    s.set_value(given)
    array[:] = -1
    np.testing.assert_array_equal(s.get_value(), want)
    s.get_value()[:] = -1
    np.testing.assert_array_equal(s.get_value(), want)
    s.value[:] = -1
    np.testing.assert_array_equal(s.get_value(), want)


def test_borrowed_arrays_are_the_same() -> None:
    array = np.arange(3.0)
    s = sg.shared(array, borrow=True)
    array[0] = 9
    assert s.get_value()[0] == 9
    assert s.get_value(borrow=True) is array
    other = np.zeros(3)
    s.set_value(other, borrow=True)
    other[1] = 5
    assert s.get_value()[1] == 5
    s.get_value(borrow=True)[2] = 7
    assert other[2] == 7
    assert s.get_value(borrow=True, return_internal_type=True) is other


def test_objects_that_lend_their_memory() -> None:
    class Lender:
        def __init__(self) -> None:
            self.array = np.zeros(3)

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return self.array

    lender = Lender()
    s = sg.shared(lender)
    s.set_value(lender)
    lender.array[:] = 5
    np.testing.assert_array_equal(s.get_value(), np.zeros(3))


def test_a_read_only_array_stays_so_and_the_value_can_be_updated() -> None:
    array = np.zeros(3)
    array.setflags(write=False)
    s = sg.shared(array, borrow=True)
    f = sg.function([], updates=[(s, s + 1)])
    f(), f(), f()
    np.testing.assert_array_equal(s.get_value(), np.full(3, 3.0))
    np.testing.assert_array_equal(array, np.zeros(3))


def test_value_property_and_zero() -> None:
    s = sg.shared(np.ones(3))
    s.value = [1, 2, 3]
    held = s.get_value(borrow=True)
    s.zero()
    np.testing.assert_array_equal(s.get_value(), np.zeros(3))
    np.testing.assert_array_equal(held, [1, 2, 3])
    held = s.get_value(borrow=True)
    held[:] = 4
    s.zero(borrow=True)
    np.testing.assert_array_equal(held, np.zeros(3))


# ---- conversions ------------------------------------------------------------------------------------------------


def test_a_refused_value_leaves_the_old_one() -> None:
    s = sg.shared(np.zeros(2, "float32"), "s")
    for bad in (np.zeros(2), "ab", None, [[1.0]], T.dvector("v"), [1j, 2]):
        with pytest.raises(TypeError, match=r"shared variable s, created at test_shared_variables\.py:"):
            s.set_value(bad)
        np.testing.assert_array_equal(s.get_value(), np.zeros(2))
    s.set_value([0.1, 0.2])
    assert s.get_value().dtype == np.float32


def test_strict_and_allow_downcast() -> None:
    strict = sg.shared(np.zeros(2, "float32"), strict=True)
    for bad in ([0.1, 0.2], np.zeros(2), (1, 2)):
        with pytest.raises(TypeError, match="strict"):
            strict.set_value(bad)
    strict.set_value(np.ones(2, "float32"))
    loose = sg.shared(np.zeros(2, "float32"), allow_downcast=True)
    loose.set_value(np.full(2, 0.1))
    assert loose.get_value().dtype == np.float32
    never = sg.shared(np.float32(0), allow_downcast=False)
    with pytest.raises(TypeError, match="cannot hold exactly"):
        never.set_value(0.1)


# ---- clones, copies, pickles ------------------------------------------------------------------------------------


def test_a_clone_shares_the_value() -> None:
    s = sg.shared(1.0, "s", strict=False)
    t = s.clone(name="t")
    assert (t.name, s.clone().name) == ("t", "s")
    t.set_value(5)
    assert s.get_value() == 5
    sg.function([], updates=[(s, s + 1)])()
    assert t.get_value() == 6


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
def test_copies_have_values_of_their_own(again: Any) -> None:
    s = sg.shared(np.zeros(2, "float32"), "s", allow_downcast=True)
    s.default_update = s + 1
    sg.function([], s * 1)()
    t = again(s)
    assert (t.name, t.type, t.allow_downcast) == (s.name, s.type, True)
    np.testing.assert_array_equal(t.get_value(), [1, 1])
    t.set_value(np.full(2, 9.0))
    t.get_value(borrow=True)[:] = 8
    np.testing.assert_array_equal(s.get_value(), [1, 1])
    assert t.container.lock is not s.container.lock


@pytest.mark.parametrize("again", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
def test_a_default_update_comes_along(again: Any) -> None:
    s = sg.shared(1.0, "s")
    s.default_update = s * 2
    t = again(s)
    sg.function([], t * 1)()
    assert (t.get_value(), s.get_value()) == (2, 1)


def test_clones_pickled_together_still_share() -> None:
    s = sg.shared(1.0, "s")
    t, u = pickle.loads(pickle.dumps((s, s.clone("u"))))
    t.set_value(3)
    assert u.get_value() == 3


def test_neither_lock_nor_spare_memory_is_pickled() -> None:
    s = sg.shared(np.zeros(10_000))
    f = sg.function([], updates=[(s, s + 1)])
    f(), f()
    assert s.container.spare is not None
    assert len(pickle.dumps(s)) < 1.2 * s.get_value().nbytes


def test_shared_variables_behave_as_variables() -> None:
    s = sg.shared(np.arange(3.0), "s")
    assert str(s) == "s"
    assert s.owner is None
    assert sg.SharedVariable in type(s).__mro__
    np.testing.assert_array_equal((s[1:] + 1).eval(), [2, 3])
    np.testing.assert_array_equal(sg.grad((s ** 2).sum(), s).eval(), [0, 2, 4])


def test_swapped_values_are_nobody_elses() -> None:
    first, second = np.zeros(2), np.ones(2)
    s = sg.shared(first, borrow=True)
    old = s.swap_value(second)
    first[0] = second[0] = 7.0
    np.testing.assert_array_equal(old, [0.0, 0.0])
    np.testing.assert_array_equal(s.get_value(), [1.0, 1.0])
    assert s.swap_value(second, borrow=True)[0] == 1.0
    assert s.get_value(borrow=True) is second
    with pytest.raises(TypeError, match="dimensions"):
        s.swap_value(3.0)
    assert s.get_value(borrow=True) is second
