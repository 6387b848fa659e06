"""The arguments of function(): inputs, outputs, givens, updates and the rest, in every form they take."""

from __future__ import annotations

import collections
import itertools
import warnings
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.config import config
from symgraph.errors import MissingInputError, UnusedInputError

ONES = np.ones(3)


@pytest.fixture
def x() -> Any:
    return T.dvector("x")


# ---- outputs ----------------------------------------------------------------------------------------------------


def test_single_output_is_an_array(x: Any) -> None:
    result = sg.function([x], x + 1)(ONES)
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, 2 * ONES)


def test_scalar_output_is_a_zero_dimensional_array(x: Any) -> None:
    result = sg.function([x], x.sum())(ONES)
    assert type(result) is np.ndarray
    assert result.shape == ()
    assert result == 3


@pytest.mark.parametrize("kind", [list, tuple])
def test_list_or_tuple_of_outputs_gives_a_list(x: Any, kind: Any) -> None:
    result = sg.function([x], kind([x + 1, x * 2]))(ONES)
    assert type(result) is list
    np.testing.assert_array_equal(result, [2 * ONES, 2 * ONES])


def test_no_outputs_give_an_empty_list() -> None:
    assert sg.function([], None)() == []
    assert sg.function([], [])() == []
    assert sg.function([])() == []
    assert sg.function([], {})() == {}
    assert sg.function([], [(), {}, []])() == [(), {}, []]


def test_dict_of_outputs_keeps_keys_and_order(x: Any) -> None:
    result = sg.function([x], {"b": x + 1, "a": x * 3})(ONES)
    assert list(result) == ["b", "a"]
    np.testing.assert_array_equal(result["a"], 3 * ONES)


def test_dict_keys_are_never_code(x: Any) -> None:
    key = "'); raise SystemExit('"
    assert list(sg.function([x], {key: x})(ONES)) == [key]


def test_nested_outputs_keep_their_form(x: Any) -> None:
    result = sg.function([x], [x, (x + 1, {"c": [x + 2]}), []])(ONES)
    assert type(result) is list
    assert type(result[1]) is tuple
    assert result[2] == []
    np.testing.assert_array_equal(result[1][1]["c"][0], 3 * ONES)


def test_one_tuple_inside(x: Any) -> None:
    result = sg.function([x], [(x,)])(ONES)
    assert isinstance(result[0], tuple)
    assert len(result[0]) == 1


def test_the_same_variable_twice_gives_two_arrays(x: Any) -> None:
    a, b = sg.function([x], [x + 1, x + 1])(ONES)
    a[0] = 99
    assert b[0] == 2


def test_constant_and_number_outputs() -> None:
    a, b = sg.function([], [1.5, T.constant([1, 2])])()
    assert a == 1.5
    np.testing.assert_array_equal(b, [1, 2])


def test_out_borrow_hands_out_the_input(x: Any) -> None:
    plain, lent = sg.function([x], x), sg.function([x], sg.Out(x, borrow=True))
    assert plain(ONES) is not ONES
    assert not np.shares_memory(plain(ONES), ONES)
    assert np.shares_memory(lent(ONES), ONES)


@pytest.mark.parametrize("bad", ["x", object()])
def test_an_output_that_is_no_expression(x: Any, bad: Any) -> None:
    with pytest.raises(TypeError, match=r"outputs\[1\] must be a symbolic variable"):
        sg.function([x], [x, bad])


# ---- inputs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inputs", [[], (), {}])
def test_no_inputs(inputs: Any) -> None:
    assert sg.function(inputs, T.constant(1.0))() == 1


@pytest.mark.parametrize("wrap", [list, tuple, iter])
def test_inputs_in_any_sequence(x: Any, wrap: Any) -> None:
    np.testing.assert_array_equal(sg.function(wrap([x]), x * 2)(ONES), 2 * ONES)


def test_an_intermediate_variable_may_be_an_input(x: Any) -> None:
    y = 2 * x
    f = sg.function([y], y + 1)
    np.testing.assert_array_equal(f(ONES), 2 * ONES)
    g = sg.function([x, y], y + x)
    np.testing.assert_array_equal(g(ONES, 10 * ONES), 11 * ONES)


def test_a_gradient_with_an_intermediate_input(x: Any) -> None:
    y = T.exp(x)
    f = sg.function([y], sg.grad(y.sum(), x), on_unused_input="ignore")
    np.testing.assert_array_equal(f(5 * ONES), 5 * ONES)


@pytest.mark.parametrize(("inputs", "error", "text"), [
    (lambda x: x, TypeError, "must be a list of variables"),
    (lambda x: "x", TypeError, "must be a list of variables"),
    (lambda x: 3, TypeError, "must be a list of variables"),
    (lambda x: ["x"], TypeError, "input 0 must be a symbolic variable, not str"),
    (lambda x: [x, x], ValueError, "listed twice"),
    (lambda x: [T.constant(1.0)], TypeError, "is a constant"),
    (lambda x: [sg.shared(1.0, "s")], TypeError, "shared variable s"),
])
def test_bad_inputs(x: Any, inputs: Any, error: Any, text: Any) -> None:
    with pytest.raises(error, match=text):
        sg.function(inputs(x), x)


# ---- unused and missing inputs ----------------------------------------------------------------------------------


def test_unused_input(x: Any) -> None:
    y = T.dscalar("y")
    with pytest.raises(UnusedInputError, match="y"):
        sg.function([x, y], x)
    assert sg.function([x, y], x, on_unused_input="ignore")(ONES, 1).shape == (3,)
    with pytest.warns(UserWarning, match="used by no output") as caught:
        sg.function([x, y], x, on_unused_input="warn")
    assert caught[0].filename == __file__
    with config.change_flags(on_unused_input="ignore"):
        sg.function([x, y], x)


def test_an_input_used_only_by_an_update_is_used(x: Any) -> None:
    s = sg.shared(0.0)
    sg.function([x], [], updates=[(s, x.sum())])


def test_an_input_that_rewriting_removes_is_used(x: Any) -> None:
    y = T.dscalar("y")
    assert sg.function([x, y], x + y * 0)(ONES, 3.0).shape == (3,)


def test_unknown_level_of_unused_input(x: Any) -> None:
    with pytest.raises(ValueError, match="on_unused_input must be"):
        sg.function([x], x, on_unused_input="explode")


def test_missing_input(x: Any) -> None:
    with pytest.raises(MissingInputError, match="x"):
        sg.function([], x + 1)


# ---- givens -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [dict, list, tuple, collections.OrderedDict])
def test_givens_in_every_form(x: Any, form: Any) -> None:
    y = T.dvector("y")
    f = sg.function([y], x + 1, givens=form([(x, y * 2)]))
    np.testing.assert_array_equal(f(ONES), 3 * ONES)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_chain_of_givens_in_any_order(order: Any) -> None:
    u, v, w, z = T.dscalars("u", "v", "w", "z")
    pairs = [(u, v + 1), (v, w * 2), (w, z - 1)]
    f = sg.function([z], u * v, givens=[pairs[i] for i in order])
    assert f(4.0) == 7 * 6


def test_a_given_that_holds_what_it_replaces(x: Any) -> None:
    y = T.dvector("y")
    doubled = sg.function([x], y * 3, givens={y: x + x})
    np.testing.assert_array_equal(doubled(ONES), 6 * ONES)
    s = sg.shared(2.0, "s")
    assert sg.function([], s * 1, givens={s: s + 1})() == 3


def test_givens_for_shared_and_computed_variables(x: Any) -> None:
    s = sg.shared(np.full(3, 5.0), "s")
    middle = x * s
    assert sg.function([x], middle.sum(), givens={s: x + 1})(ONES) == 6
    np.testing.assert_array_equal(sg.function([], middle + 1, givens={middle: s})(), np.full(3, 6.0))


def test_givens_reach_updates_and_numbers_fit(x: Any) -> None:
    s = sg.shared(np.zeros(3), "s")
    f = sg.function([], [], updates={s: s + x}, givens={x: ONES})
    f()
    np.testing.assert_array_equal(s.get_value(), ONES)
    z = T.fscalar("z")
    assert sg.function([], z * 2, givens={z: 0.5})().dtype == np.float32


def test_minibatch_through_givens() -> None:
    data = sg.shared(np.arange(12.0).reshape(6, 2), borrow=True)
    i, batch = T.lscalar("i"), T.dmatrix("batch")
    f = sg.function([i], batch.sum(axis=1), givens={batch: data[i * 2:(i + 1) * 2]})
    np.testing.assert_array_equal(f(1), [9, 13])


@pytest.mark.parametrize(("givens", "error", "text"), [
    (lambda x, y: {x: T.constant(np.ones(3, "complex128"))}, TypeError, "does not fit its type"),
    (lambda x, y: {x: y.sum()}, TypeError, "does not fit its type"),
    (lambda x, y: {"x": y}, TypeError, "only symbolic variables can be replaced"),
    (lambda x, y: [(x, y), (x, y)], ValueError, "given twice"),
    (lambda x, y: {y: x}, ValueError, "is an input too"),
    (lambda x, y: [x], TypeError, "list of .variable, expression. pairs"),
    (lambda x, y: x, TypeError, "must be a dict or a list"),
])
def test_bad_givens(x: Any, givens: Any, error: Any, text: Any) -> None:
    y = T.dvector("y")
    with pytest.raises(error, match=text):
        sg.function([y], x + y, givens=givens(x, y))


def test_givens_in_a_circle() -> None:
    u, v, w = T.dscalars("u", "v", "w")
    with pytest.raises(ValueError, match="in a circle: u -> v -> w -> u"):
        sg.function([], u, givens={u: v + 1, v: w, w: u * 2})
    with pytest.raises(ValueError, match="in a circle"):
        sg.function([], u + v, givens={u: v, v: u})


# ---- updates: forms ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [dict, list, tuple, collections.OrderedDict, iter])
def test_updates_in_every_form(form: Any) -> None:
    s = sg.shared(1.0, "s")
    sg.function([], updates=form([(s, s + 1)]))()
    assert s.get_value() == 2


def test_an_update_may_be_a_number_or_an_array() -> None:
    s, v = sg.shared(1.0, "s"), sg.shared(ONES, "v")
    sg.function([], updates=[(s, 7), (v, np.zeros(3))])()
    assert s.get_value() == 7
    assert s.get_value().dtype == np.float64
    np.testing.assert_array_equal(v.get_value(), np.zeros(3))


@pytest.mark.parametrize(("updates", "error", "text"), [
    (lambda s: [(s, s + 1), (s, s + 2)], ValueError, "updated twice"),
    (lambda s: [(s, s + 1), (s.clone(), s + 2)], ValueError, "share one value"),
    (lambda s: [(s + 1, s)], TypeError, "only shared variables can be updated"),
    (lambda s: [("s", s)], TypeError, "only shared variables can be updated"),
    (lambda s: {s: "no"}, TypeError, "does not fit"),
    (lambda s: {s: T.constant([1.0])}, TypeError, "has 0 dimensions"),
    (lambda s: {s: T.constant(1, dtype="int64")}, TypeError, "is float64, but its update is int64"),
    (lambda s: [s], TypeError, "pairs"),
])
def test_bad_updates(updates: Any, error: Any, text: Any) -> None:
    s = sg.shared(1.0, "s")
    with pytest.raises(error, match=text):
        sg.function([], updates=updates(s))
    assert s.get_value() == 1


def test_an_update_known_better_or_less_is_accepted() -> None:
    s = sg.shared(np.zeros((1, 3)), "s", shape=(1, None))
    m = T.dmatrix("m")
    f = sg.function([m], updates=[(s, m)])
    f(np.ones((1, 2)))
    assert s.get_value().shape == (1, 2)
    with pytest.raises(ValueError, match="1"):
        f(np.ones((2, 2)))
    assert s.get_value().shape == (1, 2)


# ---- default updates --------------------------------------------------------------------------------------------


def test_default_updates_and_leaving_them_out() -> None:
    a, b = sg.shared(0.0, "a"), sg.shared(0.0, "b")
    a.default_update, b.default_update = a + 1, b + 10
    out = [a * 1, b * 1]
    sg.function([], out)()
    assert (a.get_value(), b.get_value()) == (1, 10)
    sg.function([], out, no_default_updates=True)()
    assert (a.get_value(), b.get_value()) == (1, 10)
    sg.function([], out, no_default_updates=[a])()
    assert (a.get_value(), b.get_value()) == (1, 20)
    sg.function([], out, updates=[(a, a * 5)])()
    assert (a.get_value(), b.get_value()) == (5, 30)


def test_what_an_input_is_computed_from_is_neither_read_nor_updated() -> None:
    x, noise = T.dmatrix("x"), sg.shared(1.0, "noise")
    noise.default_update = noise + x.sum()
    code = x + noise
    decode = sg.function([code], T.tanh(code))
    np.testing.assert_array_equal(decode([[0.5]]), np.tanh([[0.5]]))
    assert noise.get_value() == 1


def test_default_updates_that_need_each_other() -> None:
    a, b, c = (sg.shared(1.0, n) for n in "abc")
    a.default_update, b.default_update, c.default_update = a + b, b + c, c * 2
    sg.function([], a * 1)()
    assert [v.get_value() for v in (a, b, c)] == [2, 2, 2]


def test_no_default_update_of_what_is_given_away() -> None:
    a, b = sg.shared(1.0, "a"), sg.shared(5.0, "b")
    a.default_update = a + 1
    assert sg.function([], a * 2, givens={a: b})() == 10
    assert a.get_value() == 1


def test_bad_no_default_updates() -> None:
    with pytest.raises(TypeError, match="no_default_updates must be"):
        sg.function([], no_default_updates=3)
    s = sg.shared(1.0, "s")
    with pytest.raises(TypeError, match="no_default_updates must be"):
        sg.function([], s, no_default_updates=s)


# ---- the rest ---------------------------------------------------------------------------------------------------


def test_name_appears_in_errors_and_source(x: Any) -> None:
    f = sg.function([x], x + 1, name="train")
    assert f.name == "train"
    assert "train" in f.source
    with pytest.raises(TypeError, match="train"):
        f()
    unnamed = sg.function([x], x + 1)
    assert unnamed.name is None
    assert "test_arguments.py" in unnamed.source
    with pytest.raises(TypeError, match="name must be a string"):
        sg.function([x], x, name=3)  # type: ignore[arg-type]


def test_a_hostile_name_is_only_text(x: Any) -> None:
    name = "x\n    raise SystemExit()\u202e\x00'''\"\"\" {0} %s"
    f = sg.function([x], x + 1, name=name)
    np.testing.assert_array_equal(f(ONES), 2 * ONES)
    y = T.dvector(name)
    s = sg.shared(ONES, name)
    f = sg.function([y], {name: y + s + T.constant(ONES, name=name)}, updates=[(s, s + y)])
    np.testing.assert_array_equal(f(ONES)[name], 3 * ONES)
    np.testing.assert_array_equal(f(**{name: ONES})[name], 4 * ONES)


def test_accepted_arguments_change_nothing(x: Any) -> None:
    f = sg.function([x], x + 1, accept_inplace=True, rebuild_strict=False)
    np.testing.assert_array_equal(f(ONES), 2 * ONES)


@pytest.mark.parametrize("mode", ["FAST_RUN", "DebugMode", "NanGuardMode"])
def test_profile_counts_calls(x: Any, mode: Any) -> None:
    f = sg.function([x], x + 1, profile=True, mode=mode)
    f(ONES), f(x=ONES)
    assert f.calls == 2
    assert f.seconds > 0
    with config.change_flags(profile=True):
        g = sg.function([x], x + 1)
    g(ONES)
    assert g.calls == 1
    assert f.copy().calls == 0
    f.copy()(ONES)


@pytest.mark.parametrize(("setting", "accepted"), [(None, False), (False, False), (True, True)])
def test_input_downcast_of_arrays(setting: Any, accepted: Any) -> None:
    v = T.fvector("v")
    f = sg.function([v], v * 2, allow_input_downcast=setting)
    assert f(np.ones(2, "float32")).dtype == np.float32
    assert f([1.0, 2.0]).dtype == np.float32
    if accepted:
        assert f(np.ones(2)).dtype == np.float32
    else:
        with pytest.raises(TypeError, match=r"argument 0 \(v\).*lose precision"):
            f(np.ones(2))


def test_input_downcast_of_python_numbers() -> None:
    z = T.fscalar("z")
    assert sg.function([z], z * 1)(0.1) == np.float32(0.1)
    with pytest.raises(TypeError, match="cannot hold exactly"):
        sg.function([z], z * 1, allow_input_downcast=False)(0.1)
    n = T.bscalar("n")
    with pytest.raises(TypeError, match="out of its range"):
        sg.function([n], n * 1)(1000)
    with pytest.raises(TypeError, match=r"float 1\.5"):
        sg.function([n], n * 1)(1.5)


def test_downcast_by_flag_and_by_input() -> None:
    v = T.fvector("v")
    with config.change_flags(allow_input_downcast=True):
        f = sg.function([v], v * 2)
        assert f(np.ones(2)).dtype == np.float32
    mixed = sg.function([sg.In(v, allow_downcast=False)], v * 2, allow_input_downcast=True)
    with pytest.raises(TypeError):
        mixed(np.ones(2))


def test_what_callers_may_pass(x: Any) -> None:
    f = sg.function([x], x.sum())
    for value in ([1, 2], (1.0, 2.0), range(3), np.arange(3), np.arange(3, dtype=">f8"), np.ones(3)[::-1],
                  memoryview(bytes(2)), np.ones(3, bool)):
        assert f(value) == np.sum(np.asarray(value))
    with pytest.raises(TypeError, match="takes arrays"):
        f(x)
    with pytest.raises(TypeError):
        f("abc")
    with pytest.raises(TypeError):
        f(None)


def test_looking_inside(x: Any) -> None:
    f = sg.function([x], T.log(1 + T.exp(x)), name="loss")
    assert "def run" in f.source
    assert f.plan.steps
    assert any("softplus" in str(fired) for fired in f.fired)
    assert f.graph.number_of_nodes() == len(f.maker.fgraph.toposort()) + 1
    assert f.maker.fgraph.outputs
    assert f.maker.mode.name == "FAST_RUN"
    assert set(f.compile_seconds) == {"graph", "rewrites", "plan", "source"}
    assert "loss" in repr(f)


def test_no_warning_while_compiling(x: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sg.function([x], sg.grad(T.tanh(x).sum(), x))
