"""Shared variables in the memory of a device: values in and out, addresses, updates, moving, pickling."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from tests.cupy.common_programs import counted, device, on_device

DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
          "float64", "complex64", "complex128")


def address(variable: Any) -> int:
    return device().address(variable.get_value(borrow=True, return_internal_type=True))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(dtype: str) -> None:
    value = np.arange(6).reshape(2, 3).astype(dtype)
    with on_device(floatX="float64"):
        s = sg.shared(value)
        f = sg.function([], s[1], updates=[(s, s[::-1])])
    assert s.device == "emulated"
    assert s.type.dtype == dtype
    inner = s.get_value(return_internal_type=True)
    assert device().is_array(inner)
    np.testing.assert_array_equal(s.get_value(), value)
    for k in range(2):
        np.testing.assert_array_equal(f(), value[1 - k])
    np.testing.assert_array_equal(s.get_value(), value)


def test_values_are_copied_in_and_out() -> None:
    given = np.ones(3, "float32")
    with on_device():
        s = sg.shared(given)
    given[:] = 5
    found = s.get_value()
    found[:] = 7
    inner = s.get_value(return_internal_type=True)
    inner[...] = 9
    np.testing.assert_array_equal(s.get_value(), 1)
    s.get_value(borrow=True, return_internal_type=True)[...] = 4
    np.testing.assert_array_equal(s.get_value(), 4)


def test_set_value_keeps_the_address_while_the_shape_stays() -> None:
    with on_device():
        s = sg.shared(np.zeros((2, 3), "float32"))
        first = address(s)
        s.set_value(np.ones((2, 3), "float32"))
        assert address(s) == first
        s.set_value(device().to_device(np.full((2, 3), 2, "float32")))
        assert address(s) == first
        np.testing.assert_array_equal(s.get_value(), 2)
        s.zero()
        assert address(s) == first
        np.testing.assert_array_equal(s.get_value(), 0)
        s.set_value([[1, 2]])
        np.testing.assert_array_equal(s.get_value(), np.array([[1, 2]], "float32"))
        assert float(sg.shared(2.0).swap_value(3.0)) == 2


def test_wrong_values_leave_the_old_one() -> None:
    with on_device():
        s = sg.shared(np.zeros((2, 3), "float32"), name="weights")
    for wrong in (np.zeros(3, "float32"), np.zeros((2, 3)), device().to_device(np.zeros(3, "float32")),
                  device().to_device(np.zeros((2, 3)))):
        with pytest.raises(TypeError, match="weights"):
            s.set_value(wrong)
    np.testing.assert_array_equal(s.get_value(), 0)


def test_updates_see_old_values_and_keep_addresses() -> None:
    with on_device():
        a = sg.shared(np.arange(3, dtype="float32"), name="a")
        b = sg.shared(np.arange(3, 6).astype("float32"), name="b")
        swap = sg.function([], [a, a + b], updates=[(a, b), (b, a)])
        mix = sg.function([], a.sum(), updates=[(a, a + b), (b, a - b)])
        places = address(a), address(b)
        one, other = a.get_value(), b.get_value()
        for _ in range(3):
            old, total = swap()
            np.testing.assert_array_equal(old, one)
            np.testing.assert_array_equal(total, one + other)
            one, other = other, one
            np.testing.assert_array_equal(a.get_value(), one)
            np.testing.assert_array_equal(b.get_value(), other)
        for _ in range(3):
            assert mix() == one.sum()
            one, other = one + other, one - other
            np.testing.assert_array_equal(a.get_value(), one)
            np.testing.assert_array_equal(b.get_value(), other)
        assert (address(a), address(b)) == places


def test_updates_of_views_of_the_old_value() -> None:
    with on_device():
        w = sg.shared(np.arange(6, dtype="float32"))
        roll = sg.function([], w[0], updates=[(w, T.concatenate([w[1:], w[:1]]))])
        turn = sg.function([], [], updates=[(w, w[::-1])])
        add = sg.function([], w[2:].sum(), updates=[(w, w + w[::-1])])
    value = w.get_value()
    for _ in range(3):
        assert roll() == value[0]
        value = np.roll(value, -1)
        turn()
        value = value[::-1]
        assert add() == value[2:].sum()
        value = value + value[::-1]
        np.testing.assert_array_equal(w.get_value(), value)


@pytest.mark.slow
def test_updates_that_change_the_shape() -> None:
    with on_device():
        w, x = sg.shared(np.zeros(2, "float32")), T.vector("x")
        grow = sg.function([x], w.sum(), updates=[(w, T.concatenate([w, x]))])
    for k in range(4):
        assert grow(np.ones(1, "float32")) == k
    np.testing.assert_array_equal(w.get_value(), [0, 0, 1, 1, 1, 1])


def test_in_place_updates_do_not_disturb_what_was_returned() -> None:
    with on_device():
        w = sg.shared(np.zeros(3, "float32"))
        f = sg.function([], [w, w + 1, sg.Out(w, device=True)], updates=[(w, w + 1)])
    returned = [f() for _ in range(3)]
    for k, (old, new, inner) in enumerate(returned):
        np.testing.assert_array_equal(old, k)
        np.testing.assert_array_equal(new, k + 1)
        np.testing.assert_array_equal(inner.get(), k)


def test_recorded_updates_move_nothing() -> None:
    with on_device():
        w = sg.shared(np.zeros(300, "float32"))
        f = sg.function([], [], updates=[(w, w * 0.5 + 1)])
        f(), f()
        with counted() as done:
            f()
    assert done["launches"] == 1
    assert done["to_host"] == done["to_device"] == done["allocations"] == done["library_calls"] == 0
    np.testing.assert_allclose(w.get_value(), 1.75)


# ---- two memories ------------------------------------------------------------------------------------------------


def test_targets() -> None:
    with on_device():
        here, there = sg.shared(1.0, target="cuda"), sg.shared(1.0, target="cpu")
        assert (here.device, there.device) == ("emulated", "cpu")
    assert sg.shared(1.0).device == "cpu"


def test_functions_that_mix_memories_name_both_variables() -> None:
    with on_device():
        w, v = sg.shared(np.ones(3, "float32"), name="w"), sg.shared(np.ones(3, "float32"), name="v", target="cpu")
        with pytest.raises(TypeError, match=r"reads v,.* and w,.*transfer"):
            sg.function([], w + v)
        with pytest.raises(TypeError, match=r"update of v.*computed from w"):
            sg.function([], [], updates=[(v, w * 2)])
        with pytest.raises(TypeError, match=r"update of w.*computed from v"):
            sg.function([], [], updates=[(w, v * 2)])


def test_what_is_moved_is_computed_where_it_is() -> None:
    with on_device():
        w, v = sg.shared(np.ones(3, "float32"), name="w"), sg.shared(np.arange(3, dtype="float32"), target="cpu")
        f = sg.function([], [w + v.transfer("cuda"), w.transfer("cpu") * 2 + v, v * 3])
        g = sg.function([], [], updates=[(v, (w * 2).transfer("cpu")), (w, v.transfer("cuda"))])
    for _ in range(2):
        for found, wanted in zip(f(), ([1, 2, 3], [2, 3, 4], [0, 3, 6]), strict=True):
            np.testing.assert_array_equal(found, wanted)
    assert f.report().transfers
    g()
    np.testing.assert_array_equal(v.get_value(), 2)
    np.testing.assert_array_equal(w.get_value(), [0, 1, 2])
    g()
    np.testing.assert_array_equal(v.get_value(), [0, 2, 4])


def test_a_function_of_the_cpu_does_not_read_the_device_unasked() -> None:
    with on_device():
        w = sg.shared(np.ones(3, "float32"), name="w")
    with pytest.raises(TypeError, match=r"w.*emulated.*transfer\('cpu'\)"):
        sg.function([], w + 1)
    with pytest.raises(TypeError, match=r"w.*emulated"):
        sg.function([], [], updates=[(w, np.zeros(3, "float32"))])
    np.testing.assert_array_equal(sg.function([], w.transfer("cpu") + 1)(), 2)


def test_gradients_through_moves() -> None:
    with on_device():
        v = sg.shared(np.arange(3, dtype="float32"), target="cpu")
        cost = (v.transfer("cuda") ** 2).sum()
        f = sg.function([], sg.grad(cost, v))
    np.testing.assert_array_equal(f(), [0, 2, 4])


# ---- copies and pickles ------------------------------------------------------------------------------------------


def test_copies_have_values_of_their_own() -> None:
    with on_device():
        s = sg.shared(np.ones(2, "float32"))
        one, other = copy.copy(s), copy.deepcopy(s)
    s.set_value(np.zeros(2, "float32"))
    for twin in (one, other):
        np.testing.assert_array_equal(twin.get_value(), 1)
        assert twin.device == "emulated"


def test_pickles_come_back_to_the_device() -> None:
    with on_device():
        s = sg.shared(np.arange(4, dtype="int32"), name="labels")
    again = pickle.loads(pickle.dumps(s))
    assert (again.device, again.name) == ("emulated", "labels")
    np.testing.assert_array_equal(again.get_value(), np.arange(4))


def test_pickles_load_where_there_is_no_such_device() -> None:
    with on_device():
        saved = pickle.dumps(sg.shared(np.arange(4, dtype="float32")))
    code = f"""
import pickle, warnings
import symgraph.backend as B
B._DEVICES["emulated"] = "of_another_machine"
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    s = pickle.loads({saved!r})
assert s.device == "cpu" and s.get_value().tolist() == [0, 1, 2, 3], s.get_value()
assert any("emulated" in str(w.message) and "host memory" in str(w.message) for w in told), told
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_random_streams_on_the_device() -> None:
    from symgraph.random import RandomStreams

    def draws(where: str) -> Any:
        with sg.config.change_flags(device=where, floatX="float32"):
            streams = RandomStreams(seed=7)
            f = sg.function([], [streams.uniform((4, 3)), streams.integers(size=(5,), low=0, high=10)
                                 if hasattr(streams, "integers") else streams.uniform((5,))])
            return [f() for _ in range(3)]

    for ours, theirs in zip(draws("emulated"), draws("cpu"), strict=True):
        for mine, wanted in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(mine, wanted)
