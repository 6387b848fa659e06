"""NanGuardMode stops at the first step that makes a NaN, an infinity or a huge number."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.compile import NanGuardMode

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.fixture
def x() -> Any:
    return T.dvector("x")


def guarded(expression: Any, inputs: Any, updates: Any = (), **options: Any) -> Any:
    return sg.function(inputs, expression, updates=updates, mode=NanGuardMode(**options), name="loss")


def test_the_step_the_line_and_the_values_are_named(x: Any) -> None:
    w = sg.shared(np.array([1.0, 2, 3, 4, 5, -6]), "w")
    f = guarded(T.log(x * w) + 1, [x], [(w, w * 0)])
    with pytest.raises(FloatingPointError) as caught:
        f(np.ones(6))
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("NaN at 1 of 6 places, first at [5], made by log(mul(")
    assert "built at test_nan_guard.py:" in lines[0]
    assert lines[0].endswith("of function 'loss', from")
    assert lines[1].endswith("float64 of shape (6,), from -6 to 5, -6 at [5]")
    assert not getattr(caught.value, "__notes__", [])
    assert w.get_value()[0] == 1


@pytest.mark.parametrize(("expression", "data", "what"), [
    (lambda x: T.log(x), [1.0, 0.0], "infinity"),
    (lambda x: T.sqrt(x), [1.0, -1.0], "NaN"),
    (lambda x: 1 / x, [1.0, 0.0], "infinity"),
    (lambda x: T.exp(x), [1.0, 100.0], "a number beyond 1e[+]10"),
    (lambda x: (x ** 2).sum(), [1e6, 1e5], "a number beyond"),
    (lambda x: T.exp(x).sum(), [1e4, 0.0], "infinity"),
])
def test_what_is_found(x: Any, expression: Any, data: Any, what: Any) -> None:
    with pytest.raises(FloatingPointError, match=what):
        guarded(expression(x), [x])(data)


def test_guards_can_be_left_out(x: Any) -> None:
    assert guarded(T.exp(x), [x], big_is_error=False)([100.0])[0] > 1e40
    assert np.isinf(guarded(T.log(x), [x], inf_is_error=False, big_is_error=False)([0.0]))
    assert np.isnan(guarded(T.sqrt(x), [x], nan_is_error=False)([-1.0]))


def test_only_the_first_step_is_blamed(x: Any) -> None:
    with pytest.raises(FloatingPointError, match=r"made by sqrt\(x\)"):
        guarded(T.exp(T.sqrt(x)) * 2 + T.sin(x), [x])([-1.0])


def test_a_nan_that_came_in_is_named(x: Any) -> None:
    s = sg.shared(np.array([1.0, np.nan]), "s")
    with pytest.raises(FloatingPointError, match=r"argument 0 \(x\) holds NaN at 1 of 2 places, first at \[1\]"):
        guarded(x + 1, [x])([1.0, np.nan])
    with pytest.raises(FloatingPointError, match=r"shared variable s \(test_nan_guard\.py:\d+\) holds NaN"):
        guarded(x + s, [x])([1.0, 1.0])
    assert np.isnan(guarded(x + 1, [x], nan_is_error=False)([np.nan]))


def test_infinities_that_came_in_are_meant(x: Any) -> None:
    mask = sg.shared(np.array([0.0, -np.inf]), "mask")
    f = guarded(T.maximum(x + mask, 0), [x])
    np.testing.assert_array_equal(f([1.0, 1.0]), [1, 0])
    g = guarded(T.minimum(x, T.constant(np.inf)), [x])
    np.testing.assert_array_equal(g([1.0, 1e300]), [1, 1e300])


def test_a_stable_program_is_not_stopped(x: Any) -> None:
    f = guarded(T.log(1 + T.exp(x)), [x])
    np.testing.assert_array_equal(f([800.0]), [800])


def test_memory_used_again_is_not_mistaken_for_a_result() -> None:
    """Scratch memory keeps what an earlier call left in it; that is nobody's result."""
    m = T.dmatrix("m")
    f = guarded((T.exp(m) @ T.tanh(m) + T.sin(m)).sum(axis=0), [m])
    data = np.full((3, 3), 0.5)
    want = f(data)
    for scratch in list(f.built.program.run.__globals__["scratch"]):
        for array in itertools.chain.from_iterable(scratch):
            if isinstance(array, np.ndarray):
                array[...] = np.nan
    np.testing.assert_array_equal(f(data), want)
    with pytest.raises(FloatingPointError):
        f(np.full((3, 3), 1e3))
    np.testing.assert_array_equal(f(data), want)


def test_training_is_not_disturbed(x: Any) -> None:
    w = sg.shared(np.ones(2), "w")
    cost = ((x * w - 1) ** 2).sum()
    f = guarded(cost, [x], [(w, w - 0.1 * sg.grad(cost, w))])
    costs = [float(f([1.0, 2.0])) for _ in range(10)]
    assert costs == sorted(costs, reverse=True)


def test_a_diverging_training_is_stopped_and_keeps_the_last_good_weights(x: Any) -> None:
    w = sg.shared(np.ones(2), "w")
    cost = ((x * w - 1) ** 2).sum()
    f = guarded(cost, [x], [(w, w - 10 * sg.grad(cost, w))])
    with pytest.raises(FloatingPointError):
        [f([1.0, 2.0]) for _ in range(100)]
    assert np.isfinite(w.get_value()).all()


def test_integers_booleans_and_empty_arrays_pass() -> None:
    i, e = T.lvector("i"), T.dvector("e")
    f = guarded([i * 10 ** 12, i > 0, e * 2], [i, e])
    assert f([5], [])[0] == 5 * 10 ** 12
