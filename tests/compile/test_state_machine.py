"""Random histories of shared variables and functions, step by step beside a plain model of NumPy arrays."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

import symgraph as sg
import symgraph.tensor as T

NUMBERS = st.integers(-4, 4).map(float)
SHAPES = st.sampled_from([(2,), (3,)])

#: Expressions of two shared variables and an input, and what they mean.
EXPRESSIONS = [
    ("a", lambda a, b, x: a),
    ("b", lambda a, b, x: b),
    ("a + x", lambda a, b, x: a + x),
    ("a * b", lambda a, b, x: a * 0.5 + b),
    ("reversed", lambda a, b, x: a[::-1]),
    ("a - b", lambda a, b, x: (a - b) * 0.25 + x),
    ("set", lambda a, b, x: np.r_[1.0, a[1:]] if isinstance(a, np.ndarray) else T.set_subtensor(a[0], 1.0)),
    ("x", lambda a, b, x: x + b * 0),
]
PLACES = st.integers(0, len(EXPRESSIONS) - 1)


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


class Machine(RuleBasedStateMachine):
    """Two to four shared vectors, functions over pairs of them, and arrays lent in and out."""

    functions = Bundle("functions")

    @initialize(values=st.lists(st.lists(NUMBERS, min_size=2, max_size=2), min_size=2, max_size=4))
    def begin(self, values: Any) -> None:
        self.shared = [sg.shared(np.array(v), f"s{i}") for i, v in enumerate(values)]
        self.model = [np.array(v) for v in values]
        self.held: list[Any] = []  # results and copies nobody may change: (array, what it must be)

    def at(self, i: Any) -> Any:
        return i % len(self.shared)

    def hold(self, array: Any) -> None:
        self.held.append((array, array.copy()))

    @rule(i=st.integers(0, 3), value=st.lists(NUMBERS, min_size=2, max_size=3), borrow=st.booleans())
    def set_value(self, i: Any, value: Any, borrow: Any) -> None:
        array = np.array(value)
        self.shared[self.at(i)].set_value(array, borrow=borrow)
        self.model[self.at(i)] = np.array(value)
        if not borrow:
            array[:] = np.nan

    @rule(i=st.integers(0, 3))
    def get_value(self, i: Any) -> None:
        value = self.shared[self.at(i)].get_value()
        np.testing.assert_array_equal(value, self.model[self.at(i)])
        value[:] = np.nan

    @rule(i=st.integers(0, 3))
    def borrow_and_hold(self, i: Any) -> None:
        self.hold(self.shared[self.at(i)].get_value(borrow=True))

    @rule(i=st.integers(0, 3))
    def zero(self, i: Any) -> None:
        self.shared[self.at(i)].zero()
        self.model[self.at(i)] = np.zeros_like(self.model[self.at(i)])

    @rule(i=st.integers(0, 3), again=st.sampled_from([copy.copy, copy.deepcopy, pickled]))
    def copies_are_independent(self, i: Any, again: Any) -> None:
        twin = again(self.shared[self.at(i)])
        np.testing.assert_array_equal(twin.get_value(), self.model[self.at(i)])
        twin.set_value(np.full(2, np.nan))
        twin.get_value(borrow=True)[:] = 5

    @rule(target=functions, i=st.integers(0, 3), j=st.integers(0, 3), outputs=st.lists(PLACES, max_size=3),
          new=st.tuples(PLACES, PLACES), count=st.integers(0, 2))
    def compile(self, i: Any, j: Any, outputs: Any, new: Any, count: Any) -> Any:
        i, j = self.at(i), self.at(j)
        a, b, x = self.shared[i], self.shared[j], T.dvector("x")
        targets = [i] if i == j else [i, j]
        updates = list(zip(targets, new, strict=False))[:count]
        f = sg.function([x], [EXPRESSIONS[k][1](a, b, x) for k in outputs], on_unused_input="ignore",
                        updates=[(self.shared[t], EXPRESSIONS[k][1](a, b, x)) for t, k in updates])
        return [f, i, j, outputs, updates]

    @rule(target=functions, made=functions)
    def copy_function(self, made: Any) -> Any:
        return [made[0].copy(), *made[1:]]

    @rule(target=functions, made=functions)
    def copy_without_updates(self, made: Any) -> Any:
        return [made[0].copy(delete_updates=True), *made[1:4], []]

    @rule(made=functions)
    def free(self, made: Any) -> None:
        made[0].free()

    @rule(made=functions, x=st.lists(NUMBERS, min_size=2, max_size=3), spoil=st.booleans())
    def call(self, made: Any, x: Any, spoil: Any) -> None:
        f, i, j, outputs, updates = made
        data = np.array(x)
        a, b = self.model[i], self.model[j]
        try:
            want = [EXPRESSIONS[k][1](a, b, data) for k in outputs]
            new = [(t, EXPRESSIONS[k][1](a, b, data)) for t, k in updates]
        except ValueError:
            with pytest.raises(ValueError, match="do not fit"):
                f(data)
            return
        results = f(data)
        np.testing.assert_array_equal(data, x)
        data[:] = np.nan
        for got, right in zip(results, want, strict=True):
            np.testing.assert_array_equal(got, right)
            if spoil:
                got[:] = np.nan
            else:
                self.hold(got)
        for t, value in new:
            self.model[t] = value.copy()

    @invariant()
    def shared_values_are_those_of_the_model(self) -> None:
        for variable, value in zip(getattr(self, "shared", ()), getattr(self, "model", ()), strict=True):
            np.testing.assert_array_equal(variable.get_value(borrow=True), value)

    @invariant()
    def what_was_handed_out_stays(self) -> None:
        for array, value in getattr(self, "held", ()):
            np.testing.assert_array_equal(array, value)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
