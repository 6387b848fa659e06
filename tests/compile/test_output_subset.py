"""output_subset: some outputs, all updates, in every form and mode."""

from __future__ import annotations

import pickle
from itertools import combinations
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.printing import Print

MODES = ["FAST_RUN", "FAST_COMPILE", "None", "DebugMode", "NanGuardMode"]


def made(outputs_of: Any, mode: Any = None) -> tuple[Any, Any]:
    x = T.dvector("x")
    total = sg.shared(np.zeros(3), name="total")
    parts = [x + total, T.exp(x), total * 1]
    return sg.function([x], outputs_of(parts), updates=[(total, total + x)], mode=mode), total


@pytest.mark.parametrize("mode", MODES)
def test_every_subset_of_a_list(mode: Any) -> None:
    f, total = made(list, mode)
    x = np.array([1.0, 2.0, 3.0])
    for size in range(4):
        for chosen in combinations(range(3), size):
            before = total.get_value()
            wanted = [x + before, np.exp(x), before]
            found = f(x, output_subset=list(chosen))
            assert isinstance(found, list)
            assert len(found) == size
            for a, i in zip(found, chosen, strict=True):
                np.testing.assert_allclose(a, wanted[i])
            np.testing.assert_array_equal(total.get_value(), before + x)


def test_order_repetition_and_negative_positions() -> None:
    f, total = made(list)
    x = np.ones(3)
    a, b, c = f(x, output_subset=(2, -2, np.int64(1)))
    np.testing.assert_array_equal(a, np.zeros(3))
    np.testing.assert_array_equal(b, c)
    assert not np.shares_memory(b, c)
    a[:] = 7
    np.testing.assert_array_equal(total.get_value(), x)


def test_a_dict_a_single_output_and_nested_forms() -> None:
    f, _ = made(lambda p: {"sum": p[0], "exp": p[1], 3: p[2]})
    assert list(f(np.ones(3), output_subset=["exp", 3])) == ["exp", 3]
    assert f(np.ones(3), output_subset=[]) == {}
    g, _ = made(lambda p: p[1])
    (value,) = g(np.zeros(3), output_subset=[0])
    np.testing.assert_array_equal(value, np.ones(3))
    h, _ = made(lambda p: [p[0], (p[1], {"a": p[2]})])
    ((one, two),) = h(np.zeros(3), output_subset=[1])
    np.testing.assert_array_equal(one, np.ones(3))
    assert list(two) == ["a"]
    k, total = made(lambda p: None)
    assert k(np.ones(3), output_subset=[]) == []
    np.testing.assert_array_equal(total.get_value(), np.ones(3))


def test_none_is_all() -> None:
    f, _ = made(list)
    assert len(f(np.ones(3), output_subset=None)) == 3


def test_what_only_others_need_is_not_computed(capsys: Any) -> None:
    x = T.dscalar("x")
    f = sg.function([x], [x + 1, Print("dear")(x) * 2])
    assert float(f(1, output_subset=[0])[0]) == 2.0
    assert capsys.readouterr().out == ""
    f(1)
    assert "dear" in capsys.readouterr().out


def test_states_defaults_keywords_and_trust() -> None:
    x, n = T.dscalars("x", "n")
    f = sg.function([x, sg.In(n, value=1.0, update=n + x)], [n, n * x])
    assert [float(v) for v in f(2.0, output_subset=[0])] == [1.0]
    assert [float(v) for v in f(x=2.0, output_subset=[1])] == [6.0]
    assert float(f[n]) == 5.0
    f[n] = 10.0
    assert [float(v) for v in f(1.0, output_subset=[0])] == [10.0]
    assert float(f(1.0)[0]) == 11.0
    g = sg.function([x, sg.In(n, value=1.0)], [n, n * x])
    g(1.0, output_subset=[0])
    g[n] = 4.0
    assert float(g(1.0, output_subset=[0])[0]) == 4.0
    g.trust_input = True
    assert float(g(np.asarray(1.0), output_subset=[1])[0]) == 4.0
    g.free()


def test_an_input_of_that_name_is_the_input() -> None:
    x = T.dscalar("output_subset")
    f = sg.function([x], [x + 1, x])
    assert [float(v) for v in f(output_subset=2.0)] == [3.0, 2.0]


def test_copies_and_pickles() -> None:
    f, total = made(list)
    f(np.ones(3), output_subset=[1])
    for other in (f.copy(), pickle.loads(pickle.dumps(f))):
        (value,) = other(np.zeros(3), output_subset=[1])
        np.testing.assert_array_equal(value, np.ones(3))
    assert len(f.copy(delete_updates=True)(np.ones(3), output_subset=[0, 2])) == 2
    np.testing.assert_array_equal(total.get_value(), np.ones(3))


def test_a_failing_call_updates_nothing() -> None:
    x, y = T.dvectors("x", "y")
    total = sg.shared(0.0)
    f = sg.function([x, y], [x.sum(), x + y], updates=[(total, total + 1)])
    with pytest.raises(ValueError, match="do not fit"):
        f(np.ones(2), np.ones(3), output_subset=[1])
    assert total.get_value() == 0.0
    f(np.ones(2), np.ones(3), output_subset=[0])
    assert total.get_value() == 1.0


@pytest.mark.parametrize(("form", "subset", "kind", "text"), [
    (list, [3], IndexError, "has 3 outputs, but output_subset asks for number 3"),
    (list, [-4], IndexError, "number -4"),
    (list, ["a"], TypeError, "positions of outputs, not 'a'"),
    (list, [True], TypeError, "not True"),
    (list, [1.0], TypeError, "not 1.0"),
    (list, 0, TypeError, "takes a list of outputs, not 0"),
    (list, "01", TypeError, "takes a list of outputs, not '01'"),
    (lambda p: {"a": p[0], "b": p[1]}, ["c"], KeyError, "no output 'c'; its outputs are 'a', 'b'"),
])
def test_wrong_subsets(form: Any, subset: Any, kind: type[Exception], text: str) -> None:
    f, total = made(form)
    with pytest.raises(kind, match=text):
        f(np.ones(3), output_subset=subset)
    np.testing.assert_array_equal(total.get_value(), np.zeros(3))
