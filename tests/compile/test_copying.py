"""Copies, pickles, free and the rest of a function's life."""

from __future__ import annotations

import copy
import gc
import linecache
import pickle
import weakref
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T


@pytest.fixture
def model() -> Any:
    x, n = T.dvector("x"), T.dscalar("n")
    w, b = sg.shared(np.array([1.0, 2.0]), "w"), sg.shared(0.5, "b")
    f = sg.function([x, sg.In(n, value=0.0, update=n + 1)], [(w * x).sum() + b, n], updates=[(w, w - 0.1 * x)],
                    name="step")
    return f, w, b


DATA = np.ones(2)


def test_a_copy_shares_shared_variables_and_has_states_of_its_own(model: Any) -> None:
    f, w, _ = model
    f(DATA)
    g = f.copy()
    assert float(g["n"]) == 1
    np.testing.assert_allclose(f(DATA)[0], 3.3)
    np.testing.assert_allclose(g(DATA)[0], 3.1)
    np.testing.assert_allclose(w.get_value(), [0.7, 1.7])
    assert (float(f["n"]), float(g["n"])) == (2, 2)
    g(DATA)
    assert (float(f["n"]), float(g["n"])) == (2, 3)
    assert copy.copy(f).get_shared() == f.get_shared()


def test_a_copy_with_other_shared_variables(model: Any) -> None:
    f, w, b = model
    w2, b2 = sg.shared(np.array([10.0, 20.0]), "w2"), sg.shared(0.0, "b2")
    g = f.copy(share_memory=True, swap={w: w2, b: b2}, name="other")
    assert g.name == "other"
    assert f.name == "step"
    assert g(DATA)[0] == 30
    np.testing.assert_allclose(w2.get_value(), [9.9, 19.9])
    np.testing.assert_allclose(w.get_value(), [1, 2])
    assert set(g.get_shared()) == {w2, b2}


def test_swapping_two_variables_with_each_other() -> None:
    a, b = sg.shared(1.0, "a"), sg.shared(2.0, "b")
    f = sg.function([], a - b, updates=[(a, a * 10)])
    g = f.copy(swap={a: b, b: a})
    assert (f(), g()) == (-1, -8)
    assert (a.get_value(), b.get_value()) == (10, 20)


def test_swapping_inside_givens_states_and_computed_inputs() -> None:
    a, b = sg.shared(2.0, "a"), sg.shared(3.0, "b")
    x, y, n = T.dscalars("x", "y", "n")
    middle = x * a
    f = sg.function([middle, sg.In(n, value=0.0, update=n + a)], middle + y + n, givens={y: a + 1})
    g = f.copy(swap={a: b})
    assert [float(f(10)), float(f(10))] == [13, 15]
    assert [float(g(10)), float(g(10))] == [14, 17]


def test_a_copy_without_updates(model: Any) -> None:
    f, w, _ = model
    g = f.copy(delete_updates=True)
    for _ in range(2):
        np.testing.assert_allclose(g(DATA)[0], 3.5)
    np.testing.assert_allclose(w.get_value(), [1, 2])
    assert g.plan.updates == [u for u in g.plan.updates if u.target is not w]


def test_a_copy_keeps_trust_and_changed_defaults() -> None:
    x, y = T.dscalars("x", "y")
    f = sg.function([x, sg.In(y, value=1.0)], x + y)
    f["y"] = 5
    f.trust_input = True
    g = f.copy()
    assert g.trust_input
    assert g(np.array(1.0)) == 6
    g["y"] = 6
    assert f(np.array(1.0)) == 6


def test_bad_swaps(model: Any) -> None:
    f, w, _ = model
    with pytest.raises(ValueError, match="stranger is not a shared variable of function 'step'"):
        f.copy(swap={sg.shared(1.0, "stranger"): w})
    with pytest.raises(TypeError, match="can only be swapped for a shared variable of its type"):
        f.copy(swap={w: sg.shared(1.0, "scalar")})
    with pytest.raises(TypeError, match="can only be swapped for a shared variable of its type"):
        f.copy(swap={w: T.dvector("v")})


# ---- pickles and deep copies ------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [lambda f: pickle.loads(pickle.dumps(f)), copy.deepcopy])
def test_a_pickled_function_is_independent(model: Any, again: Any) -> None:
    f, w, _ = model
    f(DATA)
    f.trust_input = True
    g = again(f)
    assert (g.name, g.trust_input) == ("step", True)
    assert g.source == f.source
    np.testing.assert_array_equal(g(DATA), f(DATA))
    before = w.get_value()
    g(DATA)
    np.testing.assert_array_equal(w.get_value(), before)
    assert [v.name for v in g.get_shared()] == ["w", "b"]
    assert float(g["n"]) == 3
    assert float(f["n"]) == 2


def test_functions_pickled_together_share_their_variables() -> None:
    s = sg.shared(1.0, "s")
    pair = {"up": sg.function([], updates=[(s, s + 1)]), "see": sg.function([], s * 1), "s": s}
    pair = pickle.loads(pickle.dumps(pair))
    pair["up"]()
    assert pair["see"]() == pair["s"].get_value() == 2
    assert s.get_value() == 1


@pytest.mark.parametrize("outputs", [
    lambda x: None, lambda x: x + 1, lambda x: {"a": x, "b": (x * 2, [x])},
])
@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "None", "DebugMode", "NanGuardMode"])
def test_pickles_keep_forms_givens_and_modes(outputs: Any, mode: Any) -> None:
    x, y = T.dvectors("x", "y")
    f = sg.function([sg.In(y, name="why", value=[1.0, 2.0])], outputs(x), givens={x: y * 3}, mode=mode,
                    on_unused_input="ignore")
    g = pickle.loads(pickle.dumps(f))
    assert str(g.recipe.mode) == str(f.recipe.mode)
    assert repr(g(why=DATA)) == repr(f(why=DATA))
    assert repr(g()) == repr(f())


def test_a_profiled_function_stays_profiled() -> None:
    f = pickle.loads(pickle.dumps(sg.function([], T.constant(1.0), profile=True)))
    f()
    assert f.calls == 1


def test_a_long_graph_pickles_at_the_default_recursion_limit() -> None:
    x = T.dscalar("x")
    y = x
    for _ in range(5000):
        y = T.sin(y) + x
    f = sg.function([x], y, mode="None")
    g = pickle.loads(pickle.dumps(f))
    assert g(0.1) == f(0.1)


# ---- memory -----------------------------------------------------------------------------------------------------


def test_free_lets_go_of_scratch_memory_and_the_function_still_works() -> None:
    x = T.dmatrix("x")
    f = sg.function([x], (T.exp(x) @ T.tanh(x)).sum())
    data = np.full((50, 50), 0.1)
    want = f(data)
    f.free()
    assert f(data) == want
    assert f(np.full((3, 3), 0.1)) == pytest.approx(3 * 3 * 3 * np.exp(0.1) * np.tanh(0.1))
    assert f(data) == want


def test_a_function_nobody_holds_is_collected_with_its_source() -> None:
    x = T.dvector("x")
    f = sg.function([x], x + 1, name="shortlived")
    f(DATA)
    assert any("shortlived" in name for name in linecache.cache)
    gone = weakref.ref(f)
    del f
    gc.collect()
    assert gone() is None
    assert not any("shortlived" in name for name in linecache.cache)


def test_scratch_memory_follows_the_shapes() -> None:
    x = T.dmatrix("x")
    f = sg.function([x], T.exp(x * 2).sum(axis=0) + 1)
    for rows in (3, 5, 0, 1, 3):
        data = np.arange(rows * 2.0).reshape(rows, 2) / 10
        np.testing.assert_allclose(f(data), np.exp(data * 2).sum(axis=0) + 1)


# ---- trust_input ------------------------------------------------------------------------------------------------


def test_trust_input_skips_checks() -> None:
    x = T.fvector("x")
    f = sg.function([x], x * 2)
    assert f.trust_input is False
    f.trust_input = True
    np.testing.assert_array_equal(f(np.ones(2, "float32")), [2, 2])
    assert f(x=np.ones(2)).dtype == np.float64  # the caller's fault
    f.trust_input = False
    with pytest.raises(TypeError):
        f(np.ones(2))
