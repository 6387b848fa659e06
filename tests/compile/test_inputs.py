"""In: keywords, defaults, states, borrowed and mutable arrays."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.config import config


@pytest.fixture
def xyz() -> Any:
    return T.dscalars("x", "y", "z")


def test_keywords_and_positions(xyz: Any) -> None:
    f = sg.function(list(xyz), xyz[0] + 10 * xyz[1] + 100 * xyz[2])
    assert f(1, 2, 3) == f(z=3, y=2, x=1) == f(1, z=3, y=2) == 321


def test_defaults(xyz: Any) -> None:
    x, y, z = xyz
    f = sg.function([x, sg.In(y, value=2), sg.In(z, value=3, name="w")], x + 10 * y + 100 * z)
    assert f(1) == 321
    assert f(1, 5) == 351
    assert f(1, w=4) == 421
    assert f(w=4, x=1, y=0) == 401
    assert f(1, 2, 3) == 321
    assert f[y] == f.value["y"] == 2
    assert f["w"] == 3
    assert f[x] is None
    f["w"] = 7
    assert f(1) == 721
    f.value[y] = 0
    assert f(1) == 701
    assert "w" in f
    assert "z" not in f


def test_a_pair_is_an_input_with_a_default(xyz: Any) -> None:
    x, y, _ = xyz
    assert sg.function([x, (y, 2.0)], x * y)(3) == 6


def test_defaults_in_front(xyz: Any) -> None:
    x, y, _ = xyz
    f = sg.function([sg.In(x, value=4), y], x - y)
    assert f(y=1) == 3
    with pytest.raises(TypeError, match="missing 1 of its 2 inputs: y"):
        f(1)


def test_implicit_inputs_cannot_be_passed(xyz: Any) -> None:
    x, y, _ = xyz
    f = sg.function([sg.In(y, value=3.0, implicit=True), x], x * y)
    assert f(2) == 6
    with pytest.raises(TypeError, match="takes 1 argument"):
        f(2, 3)
    with pytest.raises(TypeError, match="no input named 'y'"):
        f(2, y=3)
    f["y"] = 5
    assert f(2) == 10


@pytest.mark.parametrize(("args", "kwargs", "text"), [
    ((), {}, r"f\(\) is missing 2 of its 2 inputs: x \(float64\[\]\), y \(float64\[\]\)"),
    ((1,), {}, r"f\(\) is missing 1 of its 2 inputs: y"),
    ((1, 2, 3), {}, r"f\(\) takes 2 arguments \(x, y\) but 3 were given"),
    ((1, 2), {"q": 3}, r"f\(\) has no input named 'q'; its inputs are x, y"),
    ((1, 2), {"x": 3}, r"f\(\) got two values for input 'x'"),
])
def test_bad_calls(xyz: Any, args: Any, kwargs: Any, text: Any) -> None:
    x, y, _ = xyz
    with pytest.raises(TypeError, match=text):
        sg.function([x, y], x + y, name="f")(*args, **kwargs)


def test_inputs_of_one_name_are_passed_by_position() -> None:
    a, b = T.dscalar("v"), T.dscalar("v")
    f = sg.function([a, b], a - b)
    assert f(3, 1) == 2
    with pytest.raises(TypeError, match="2 inputs named 'v'"):
        f(3, v=1)


def test_no_arguments_function() -> None:
    with pytest.raises(TypeError, match="takes no arguments but 1 was given"):
        sg.function([], T.constant(1.0))(3)


@pytest.mark.parametrize(("make", "error", "text"), [
    (lambda x: sg.In(x, value="no"), TypeError, "value of input x"),
    (lambda x: sg.In(x, value=[1.0]), TypeError, "value of input x"),
    (lambda x: sg.In([x][0].name), TypeError, "In takes a symbolic variable"),
    (lambda x: sg.In(x, update=x + 1), ValueError, "needs a first value"),
    (lambda x: sg.In(x, implicit=True), ValueError, "needs a value"),
    (lambda x: sg.In(x, mutable=True, borrow=False), ValueError, "is borrowed too"),
    (lambda x: sg.In(x, value=0, update=T.cast(x, "float32")), TypeError, "is float64, but its update is float32"),
    (lambda x: sg.In(x, value=0, update=T.stack([x, x])), TypeError, "has 0 dimensions"),
])
def test_bad_inputs(xyz: Any, make: Any, error: Any, text: Any) -> None:
    x = xyz[0]
    with pytest.raises(error, match=text):
        sg.function([make(x)], x)


@pytest.mark.parametrize("names", [
    ("self", "args"), ("x0", "x1"), ("more", "named"), ("x1", "x0"), ("absent", "target"),
])
def test_names_of_inputs_never_meet_those_of_the_entry(names: Any) -> None:
    a, b = map(T.dscalar, names)
    f = sg.function([a, b], a - b)
    assert f(5, 2) == f(5, **{names[1]: 2}) == f(**{names[1]: 2, names[0]: 5}) == 3
    with pytest.raises(TypeError, match=f"two values for input '{names[0]}'"):
        f(5, **{names[0]: 2})


@pytest.mark.parametrize("count", [0, 1, 2, 3, 40, 300])
def test_any_number_of_inputs(count: int) -> None:
    inputs = [T.dscalar(f"v{i}") for i in range(count)]
    f = sg.function(inputs, sum(inputs, T.constant(1.0)))
    assert isinstance(f, sg.Function)
    assert type(f).__name__ == "Function"
    assert f(*range(count)) == f(**{f"v{i}": i for i in range(count)}) == 1 + sum(range(count))
    for given in {0, count - 1, count + 1} - {count, -1}:
        with pytest.raises(TypeError, match="missing" if given < count else "were given|was given"):
            f(*range(given))


def test_trust_is_switched_on_and_off(xyz: Any) -> None:
    f = sg.function([xyz[0]], xyz[0] * 2)
    for trust in (False, True, False):
        f.trust_input = trust
        if trust:
            assert f(3.0) == f(np.float64(3)) == f(np.array(3.0)) == 6
        else:
            with pytest.raises(TypeError):
                f("3")


def test_strict_and_downcast() -> None:
    v = T.fvector("v")
    strict = sg.function([sg.In(v, strict=True)], v * 2)
    assert strict(np.ones(2, "float32")).dtype == np.float32
    for bad in ([1.0, 2.0], np.ones(2), np.float32(1)):
        with pytest.raises(TypeError):
            strict(bad)
    loose = sg.function([sg.In(v, allow_downcast=True)], v * 2)
    assert loose(np.ones(2)).dtype == np.float32


# ---- states -----------------------------------------------------------------------------------------------------


def test_a_state_is_kept_between_calls(xyz: Any) -> None:
    x, n, _ = xyz
    f = sg.function([x, sg.In(n, value=0.0, update=n + x)], n)
    assert [float(f(5)) for _ in range(3)] == [0, 5, 10]
    assert f[n] == 15
    assert f(1, 100) == 100
    assert f[n] == 101
    f[n] = -1
    assert f(1) == -1
    assert f.get_shared() == []


def test_states_see_old_values_and_swap(xyz: Any) -> None:
    a, b, _ = xyz
    f = sg.function([sg.In(a, value=1, update=b), sg.In(b, value=2, update=a)], [a, b])
    assert [tuple(map(float, f())) for _ in range(3)] == [(1, 2), (2, 1), (1, 2)]


def test_a_state_and_a_shared_variable_change_together_or_not_at_all(xyz: Any) -> None:
    n = xyz[1]
    v, s = T.dvector("v"), sg.shared(np.zeros(2), "s")
    f = sg.function([v, sg.In(n, value=0.0, update=n + v.sum())], [n], updates=[(s, s + v)])
    f(np.ones(2))
    with pytest.raises(ValueError, match="do not fit"):
        f(np.ones(3))
    assert f[n] == 2
    np.testing.assert_array_equal(s.get_value(), np.ones(2))


def test_a_state_nobody_can_change_from_outside() -> None:
    v = T.dvector("v")
    first = np.zeros(2)
    f = sg.function([sg.In(v, value=first, update=v + 1)], v)
    first[:] = 99
    result = f()
    np.testing.assert_array_equal(result, [0, 0])
    result[:] = 77
    f[v][:] = 55
    np.testing.assert_array_equal(f(), [1, 1])
    np.testing.assert_array_equal(result, [77, 77])


def test_a_default_nobody_can_change_from_outside() -> None:
    v = T.dvector("v")
    first = np.zeros(2)
    for entry in (sg.In(v, value=first), sg.In(v, value=np.zeros(2), mutable=True)):
        f = sg.function([entry], [v, T.inc_subtensor(v[0], 5.0), T.exp(v) * 2])
        first[:] = 3
        first[:] = 0
        for _ in range(3):
            for result in f():
                result[:] = 9
            np.testing.assert_array_equal(f[v], [0, 0])


def test_states_under_threads(xyz: Any) -> None:
    n = xyz[0]
    f = sg.function([sg.In(n, value=0.0, update=n + 1)], n)
    seen: list[float] = []

    def work() -> None:
        seen.extend([float(f()) for _ in range(500)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(seen) == list(range(4000))
    assert f[n] == 4000


# ---- mutable inputs ---------------------------------------------------------------------------------------------


def test_a_mutable_input_may_be_overwritten_but_results_are_right() -> None:
    v, w = T.dvector("v"), T.dvector("w")
    f = sg.function([sg.In(v, mutable=True), w], [T.exp(v) + w, v.sum()])
    data = np.array([0.0, 1.0])
    a, b = f(data.copy(), np.ones(2))
    np.testing.assert_allclose(a, np.exp(data) + 1)
    assert b == 1


def test_an_update_never_keeps_a_mutable_input() -> None:
    v, s = T.dvector("v"), sg.shared(np.zeros(2), "s")
    for update in (v, v * 2, T.set_subtensor(v[0], 7.0)):
        f = sg.function([sg.In(v, mutable=True)], updates=[(s, update)])
        data = np.ones(2)
        f(data)
        kept = s.get_value()
        data[:] = -1
        np.testing.assert_array_equal(s.get_value(), kept)


def test_an_input_that_is_not_mutable_is_never_written() -> None:
    v = T.dvector("v")
    f = sg.function([v], [T.exp(v), T.inc_subtensor(v[:1], 1.0), T.set_subtensor(v[0], 5.0), v[::-1] * 2, -v])
    data = np.array([1.0, 2.0])
    data.setflags(write=False)
    f(data)
    np.testing.assert_array_equal(data, [1, 2])


def test_defaults_are_converted_as_arguments_are() -> None:
    v = T.fvector("v")
    with pytest.raises(TypeError, match="value of input v"):
        sg.function([sg.In(v, value=np.ones(2))], v)
    assert sg.function([sg.In(v, value=np.ones(2))], v, allow_input_downcast=True)().dtype == np.float32
    with config.change_flags(allow_input_downcast=True):
        assert sg.function([sg.In(v, value=np.ones(2))], v)().dtype == np.float32
    f = sg.function([sg.In(v, value=[1.0, 2.0])], v)
    with pytest.raises(TypeError, match="value of input v"):
        f["v"] = np.ones(2)
    np.testing.assert_array_equal(f(), [1, 2])
