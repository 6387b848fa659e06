"""Random small expressions: gradients and products against finite differences, rewritten and not."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import symgraph as sg
import symgraph.tensor as T
from symgraph.graph import FunctionGraph, clone_replace
from symgraph.printing import debugprint, pprint
from tests.graph.common import numerical_gradient

#: Smooth everywhere, and of moderate slopes, so that finite differences are to be trusted.
UNARY = [
    T.tanh, T.sin, T.sigmoid, lambda v: T.sqr(T.sin(v)), T.neg, T.softplus, lambda v: T.exp(-T.sqr(v)),
    lambda v: T.log(1 + T.sqr(v)),
    lambda v: T.sqrt(2 + T.sin(v)), lambda v: v.sum(), lambda v: v.mean(), lambda v: v * 0.5 + 1,
    lambda v: 1 / (2 + v * v),
    lambda v: v.sum(axis=0) if v.ndim == 2 else v, lambda v: v.sum(axis=0, keepdims=True) if v.ndim == 2 else v,
    lambda v: T.nnet.softmax(v) if v.ndim == 2 else v, lambda v: v[::-1] if v.ndim else v,
    lambda v: T.dot(T.tanh(v), T.sin(v).T).sum() if v.ndim == 2 else v, lambda v: T.switch(v > 0, T.sin(v), v),
    lambda v: v[..., T.constant([0, 2, 2])] if v.ndim else v,
]
BINARY = [
    T.add, T.sub, lambda a, b: a * T.tanh(b), lambda a, b: a / (1.5 + T.sqr(b)),
    lambda a, b: T.tanh(a) * T.exp(T.sin(b)), lambda a, b: T.hypot(a, 1 + T.sqr(b)), lambda a, b: T.sin(a) * T.cos(b),
]
SHAPES = {"s": (), "v": (3,), "m": (2, 3), "r": (1, 3)}

steps = st.lists(
    st.tuples(st.booleans(), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=9)


def build(program):
    """The inputs and a cost that uses all of them, by a list of steps."""
    inputs = [T.dscalar("s"), T.dvector("v"), T.dmatrix("m"), T.drow("r")]
    pool = list(inputs)
    for is_unary, which, i, j in program:
        a, b = pool[i % len(pool)], pool[j % len(pool)]
        pool.append(UNARY[which % len(UNARY)](a) if is_unary else BINARY[which % len(BINARY)](a, b))
    cost = sum((v.sum() for v in pool[-3:]), T.constant(0.0)) + sum((T.sin(v).sum() for v in inputs), T.constant(0.0))
    return inputs, cost


def values_for(seed):
    generator = np.random.default_rng(seed)
    return [generator.uniform(0.2, 1.5, size=shape) for shape in SHAPES.values()]


@settings(max_examples=40, deadline=None)
@given(steps, st.integers(0, 1000))
def test_gradients_against_finite_differences_in_every_mode(program, seed):
    inputs, cost = build(program)
    values = values_for(seed)
    expected = numerical_gradient(sg.function(inputs, cost, mode="None"), values)
    gradients = sg.grad(cost, inputs)
    for mode in ("None", "FAST_COMPILE", "FAST_RUN"):
        for ours, theirs in zip(sg.function(inputs, gradients, mode=mode)(*values), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-7)


@settings(max_examples=20, deadline=None)
@given(steps, st.integers(0, 1000))
def test_the_forward_product_is_the_gradient_times_the_direction(program, seed):
    inputs, cost = build(program)
    values = values_for(seed)
    directions = [v.type(f"d{v.name}") for v in inputs]
    forward = sg.Rop(cost, inputs, directions)
    backward = sum((g * d).sum() for g, d in zip(sg.grad(cost, inputs), directions, strict=True))
    f = sg.function([*inputs, *directions], [forward, backward])
    one, other = f(*values, *values_for(seed + 1))
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


@settings(max_examples=20, deadline=None)
@given(steps, st.integers(0, 1000))
def test_second_derivatives(program, seed):
    inputs, cost = build(program)
    values = values_for(seed)
    slope = sum(((g * (i + 1)).sum() for i, g in enumerate(sg.grad(cost, inputs))), T.constant(0.0))
    expected = numerical_gradient(sg.function(inputs, slope), values)
    for ours, theirs in zip(sg.function(inputs, sg.grad(slope, inputs))(*values), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(steps)
def test_copies_print_and_intern_alike(program):
    inputs, cost = build(program)
    gradients = sg.grad(cost, inputs)
    again, same_cost = build(program)
    copies = clone_replace(sg.grad(same_cost, again), dict(zip(again, inputs, strict=True)))
    graph = FunctionGraph(inputs, [*gradients, *copies])
    assert graph.outputs[: len(inputs)] == graph.outputs[len(inputs):]
    text = debugprint(gradients, file="str")
    assert text == debugprint(copies, file="str")
    assert text.count("\n") <= 20 * len(sg.graph.toposort(gradients)) + 20
    assert pprint(gradients) == pprint(copies)
