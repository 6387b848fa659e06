"""OpFromGraph, inline or not: values, derivatives of its own or given, shared variables; custom_gradient."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.errors import NullTypeGradError
from symgraph.graph.type import DisconnectedType, NullType

MODES = ["FAST_RUN", "FAST_COMPILE", "None", "DebugMode"]
EITHER = pytest.mark.parametrize("inline", [False, True], ids=["apart", "inline"])
IN_EACH_MODE = pytest.mark.parametrize("mode", MODES)

A, B = np.array([0.3, -0.5, 1.2]), np.array([1.0, 2.0, -1.0])


def product(**options: Any) -> Any:
    x, y = T.dvectors("x", "y")
    return sg.OpFromGraph([x, y], [T.exp(x) * y, (x * y).sum()], **options)


@EITHER
@IN_EACH_MODE
def test_values_and_gradients(inline: bool, mode: str) -> None:
    a, b = T.dvectors("a", "b")
    u, s = product(inline=inline)(a, 2 * b)
    f = sg.function([a, b], [u, s, *sg.grad((u ** 2).sum() + s, [a, b])], mode=mode)
    values = f(A, B)
    e, c = np.exp(A), 2 * B
    for found, wanted in zip(values, [e * c, (A * c).sum(), 2 * e ** 2 * c ** 2 + c, 4 * e ** 2 * c + 2 * A],
                             strict=True):
        np.testing.assert_allclose(found, wanted)


@EITHER
@IN_EACH_MODE
def test_second_order_forward_and_products(inline: bool, mode: str) -> None:
    a, v = T.dvectors("a", "v")
    cost = product(inline=inline)(a, a)[0].sum()  # sum of a exp(a)
    f = sg.function([a, v], [sg.hessian(cost, a), sg.hessian_vector_product(cost, a, v), sg.Rop(cost, a, v)], mode=mode)
    H, product_, slope = f(A, B)
    second = (2 + A) * np.exp(A)
    np.testing.assert_allclose(H, np.diag(second))
    np.testing.assert_allclose(product_, second * B)
    np.testing.assert_allclose(slope, ((1 + A) * np.exp(A) * B).sum())


def test_inline_is_rewritten_with_what_is_around() -> None:
    x, a = T.dscalars("x", "a")
    op = sg.OpFromGraph([x], [T.exp(x)], inline=True)
    assert not sg.function([a], T.log(op(a))).plan.steps
    apart = sg.OpFromGraph([x], [T.exp(x)], name="boxed")
    assert [str(s.node.op) for s in sg.function([a], apart(a)).plan.steps] == ["boxed"]


def test_what_is_apart_is_compiled_with_its_own_rewrites() -> None:
    """In FAST_RUN its graph is stabilised too."""
    x, a = T.dscalars("x", "a")
    op = sg.OpFromGraph([x], [T.log(1 + T.exp(x))])
    np.testing.assert_allclose(sg.function([a], op(a))(800.0), 800.0)


@EITHER
@IN_EACH_MODE
def test_shared_variables_inside(inline: bool, mode: str) -> None:
    x, a = T.dvectors("x", "a")
    w = sg.shared(np.array([1.0, 2.0, 3.0]), name="w")
    op = sg.OpFromGraph([x], [(x * w).sum()], inline=inline)
    y = op(a)
    f = sg.function([a], [y, *sg.grad(y, [a, w])], mode=mode, updates=[(w, w + 1)])
    for found, wanted in zip(f(A), [(A * [1, 2, 3]).sum(), [1, 2, 3], A], strict=True):
        np.testing.assert_allclose(found, wanted)
    np.testing.assert_allclose(f(A)[0], (A * [2, 3, 4]).sum())


@EITHER
def test_one_within_another(inline: bool) -> None:
    x, y, a = T.dvectors("x", "y", "a")
    inner = sg.OpFromGraph([x], [T.sin(x)], inline=inline)
    outer = sg.OpFromGraph([y], [inner(inner(y)) * y], inline=not inline)
    z = outer(a)
    f = sg.function([a], [z, sg.grad(z.sum(), a)])
    np.testing.assert_allclose(f(A)[0], np.sin(np.sin(A)) * A)
    np.testing.assert_allclose(f(A)[1], np.cos(np.sin(A)) * np.cos(A) * A + np.sin(np.sin(A)))


# ---- derivatives given ----------------------------------------------------------------------------------------------


@EITHER
@IN_EACH_MODE
def test_grad_overrides_by_a_callable(inline: bool, mode: str) -> None:
    x, y, a, b = T.dvectors("x", "y", "a", "b")
    op = sg.OpFromGraph([x, y], [x * y], inline=inline,
                        grad_overrides=lambda inputs, g: [g[0] * 10, g[0] * inputs[0] * 100])
    f = sg.function([a, b], [op(a, b), *sg.grad(op(a, b).sum(), [a, b])], mode=mode)
    for found, wanted in zip(f(A, B), [A * B, [10, 10, 10], 100 * A], strict=True):
        np.testing.assert_allclose(found, wanted)


@EITHER
def test_lop_overrides_see_the_outputs(inline: bool) -> None:
    x, a = T.dvectors("x", "a")
    op = sg.OpFromGraph([x], [T.exp(x)], inline=inline,
                        lop_overrides=lambda inputs, outputs, g: [g[0] * outputs[0] * 2])
    np.testing.assert_allclose(sg.grad(op(a).sum(), a).eval({a: A}), 2 * np.exp(A))


def test_overrides_by_a_list() -> None:
    x, y, z, a, b, c = T.dvectors("x", "y", "z", "a", "b", "c")
    op = sg.OpFromGraph([x, y, z], [x * y * z],
                        lop_overrides=["default", lambda inputs, outputs, g: g[0] * 5, None])
    ga, gb, gc = sg.grad(op(a, b, c).sum(), [a, b, c])
    values = {a: A, b: B, c: A + 1}
    np.testing.assert_allclose(ga.eval(values), B * (A + 1))
    np.testing.assert_allclose(gb.eval(values), [5, 5, 5])
    np.testing.assert_allclose(gc.eval(values), A * B)


def test_overrides_by_an_op_from_graph() -> None:
    x, y, g, a, b, v = T.dvectors("x", "y", "g", "a", "b", "v")
    back = sg.OpFromGraph([x, y, g], [g * y * 3, g * x * 4])
    ahead = sg.OpFromGraph([x, y, g, v], [g * 7 + v * 0])
    op = sg.OpFromGraph([x, y], [x * y], grad_overrides=back, rop_overrides=ahead)
    ga, gb = sg.grad(op(a, b).sum(), [a, b])
    values = {a: A, b: B}
    np.testing.assert_allclose(ga.eval(values), 3 * B)
    np.testing.assert_allclose(gb.eval(values), 4 * A)
    np.testing.assert_allclose(sg.Rop(op(a, b), a, v).eval({a: A, b: B, v: B}), 7 * B)


def test_overrides_that_say_there_is_no_gradient() -> None:
    x, y, a, b = T.dvectors("x", "y", "a", "b")
    op = sg.OpFromGraph([x, y], [x * y], lop_overrides=[NullType("not known")(), DisconnectedType()()])
    with pytest.raises(NullTypeGradError, match="not known"):
        sg.grad(op(a, b).sum(), a)
    np.testing.assert_array_equal(sg.grad(op(a, b).sum(), b, disconnected_inputs="ignore").eval({b: B}), np.zeros(3))


def test_rop_overrides() -> None:
    x, a, v = T.dvectors("x", "a", "v")
    op = sg.OpFromGraph([x], [x ** 2, x ** 3], rop_overrides=[lambda inputs, points: points[0] * 9, "default"])
    first, second = sg.Rop(op(a), a, v)
    np.testing.assert_allclose(first.eval({a: A, v: B}), 9 * B)
    np.testing.assert_allclose(second.eval({a: A, v: B}), 3 * A ** 2 * B)


def test_the_forward_derivative_follows_the_backward_one() -> None:
    x, a, v = T.dvectors("x", "a", "v")
    op = sg.OpFromGraph([x], [x ** 2], grad_overrides=lambda inputs, g: [g[0] * 5])
    np.testing.assert_allclose(sg.Rop(op(a), a, v).eval({a: A, v: B}), 5 * B)


def test_only_the_outputs_a_cost_depends_on() -> None:
    a, b = T.dvectors("a", "b")
    u, s = product()(a, b)
    np.testing.assert_allclose(sg.grad(s, a).eval({b: B, a: A}), B)
    np.testing.assert_allclose(sg.grad(u.sum(), b).eval({a: A, b: B}), np.exp(A))


def test_connections() -> None:
    x, y, a, b = T.dvectors("x", "y", "a", "b")
    op = sg.OpFromGraph([x, y], [x * 2, y * 3])
    assert op.connection_pattern(op(a, b)[0].owner) == [[True, False], [False, True]]
    with pytest.raises(sg.errors.DisconnectedInputError):
        sg.grad(op(a, b)[0].sum(), b)
    cut = sg.OpFromGraph([x], [x * 2], connection_pattern=[[False]])
    with pytest.raises(sg.errors.DisconnectedInputError):
        sg.grad(cut(a).sum(), a)


def test_bad_input() -> None:
    x, y, m = T.dvector("x"), T.dvector("y"), T.dmatrix("m")
    with pytest.raises(ValueError, match=r"y \(float64\[\?\]\) is needed but is not among the inputs"):
        sg.OpFromGraph([x], [x + y])
    with pytest.raises(TypeError, match="inputs must be a list"):
        sg.OpFromGraph(x, [x])
    with pytest.raises(TypeError, match="outputs must hold symbolic variables, not 3"):
        sg.OpFromGraph([x], [3])
    with pytest.raises(TypeError, match="cannot be an input: it is a shared variable"):
        sg.OpFromGraph([sg.shared(1.0)], [x])
    with pytest.raises(ValueError, match="twice"):
        sg.OpFromGraph([x, x], [x])
    with pytest.raises(ValueError, match="lop_overrides or grad_overrides, not both"):
        sg.OpFromGraph([x], [x * 2], lop_overrides=lambda *a: a, grad_overrides=lambda *a: a)
    with pytest.raises(ValueError, match="1 overrides are given; there must be 2"):
        sg.OpFromGraph([x, y], [x * y], lop_overrides=["default"])
    with pytest.raises(TypeError, match="an override is a callable"):
        sg.OpFromGraph([x], [x * 2], lop_overrides=3)
    op = sg.OpFromGraph([x], [x * 2], name="twice")
    with pytest.raises(TypeError, match="twice takes 1 inputs, not 2"):
        op(x, y)
    with pytest.raises(TypeError, match="twice, input 0"):
        op(m)
    wrong = sg.OpFromGraph([x], [x * 2], grad_overrides=lambda inputs, g: [g[0], g[0]])
    with pytest.raises(ValueError, match="returned 2 derivatives; there must be 1"):
        sg.grad(wrong(x).sum(), x)


def test_an_error_inside_names_its_line() -> None:
    x, y = T.dvectors("x", "y")
    op = sg.OpFromGraph([x, y], [T.dot(x, y)])
    with pytest.raises(ValueError, match="shapes") as caught:
        sg.function([x, y], op(x, y))(np.ones(2), np.ones(3))
    assert "test_opfromgraph.py" in "".join(caught.value.__notes__)


def test_pickled_and_copied() -> None:
    a, b = T.dvectors("a", "b")
    f = sg.function([a, b], product()(a, b)[0])
    for g in (pickle.loads(pickle.dumps(f)), f.copy()):
        np.testing.assert_allclose(g(A, B), np.exp(A) * B)


def test_shapes() -> None:
    x = T.dmatrix("x", shape=(None, 3))
    op = sg.OpFromGraph([x], [x.T, x])
    z, same = op(x)
    assert z.type.shape == (3, None)
    assert [int(n) for n in sg.function([x], [z.shape[0], z.shape[1], same.shape[0]])(np.ones((2, 3)))] == [3, 2, 2]


@EITHER
def test_vectorised_with_its_own_gradient(inline: bool) -> None:
    x, y, a, b, many = T.dvector("x"), T.dvector("y"), T.dvector("a"), T.dvector("b"), T.dmatrix("many")
    op = sg.OpFromGraph([x, y], [(x * y).sum()], inline=inline,
                        grad_overrides=lambda inputs, g: [g[0] * inputs[1] * 10, g[0] * inputs[0] * 100])
    each = sg.vectorize_graph(op(a, b), {a: many})
    stack = np.stack([A, B])
    f = sg.function([many, b], [each, *sg.grad(each.sum(), [many, b])])
    for found, wanted in zip(f(stack, B), [stack @ B, [10 * B, 10 * B], 100 * stack.sum(0)], strict=True):
        np.testing.assert_allclose(found, wanted)
    plain = sg.vectorize_graph(product(inline=inline)(a, b), {a: many})
    f = sg.function([many, b], [*plain, *sg.grad(plain[0].sum() + plain[1].sum(), [many, b])])
    wanted = [np.exp(stack) * B, stack @ B, np.exp(stack) * B + B, (np.exp(stack) + stack).sum(0)]
    for found, value in zip(f(stack, B), wanted, strict=True):
        np.testing.assert_allclose(found, value)


# ---- custom_gradient ------------------------------------------------------------------------------------------------


@IN_EACH_MODE
def test_custom_gradient(mode: str) -> None:
    @sg.custom_gradient(lambda inputs, outputs, g: [T.clip(g[0], -1, 1), None])
    def guarded(x: Any, y: Any) -> Any:
        return x * y

    a, b = T.dvectors("a", "b")
    z = guarded(a, b)
    f = sg.function([a, b], [z, *sg.grad((5 * z).sum(), [a, b])], mode=mode)
    for found, wanted in zip(f(A, B), [A * B, [1, 1, 1], 5 * A], strict=True):
        np.testing.assert_allclose(found, wanted)


def test_custom_gradient_of_several_results_and_forward() -> None:
    @sg.custom_gradient(lambda inputs, outputs, g: g[0] + 2 * g[1], forward=lambda inputs, points: [points[0] * 4] * 2)
    def both(x: Any) -> Any:
        """A docstring."""
        return x + 1, x * 2

    assert (both.__name__, both.__doc__) == ("both", "A docstring.")
    a, v = T.dvectors("a", "v")
    u, w = both(a)
    np.testing.assert_allclose(sg.grad(u.sum() + 3 * w.sum(), a).eval({a: A}), [7, 7, 7])
    np.testing.assert_allclose(sg.grad(w.sum(), a).eval({a: A}), [2, 2, 2])
    np.testing.assert_allclose(sg.Rop(w, a, v).eval({a: A, v: B}), 4 * B)


def test_custom_gradient_leaves_no_trace_in_the_program() -> None:
    @sg.custom_gradient(lambda inputs, outputs, g: g)
    def logarithm(x: Any) -> Any:
        return T.log(x)

    a = T.dvector("a")
    assert not sg.function([a], logarithm(T.exp(a))).plan.steps


def test_custom_gradient_of_a_closure_says_what_to_pass() -> None:
    a, b = T.dvectors("a", "b")

    @sg.custom_gradient(lambda inputs, outputs, g: g)
    def scaled(x: Any) -> Any:
        return x * b

    with pytest.raises(ValueError, match=r"scaled: b .* is not among the inputs"):
        scaled(a)


def test_an_output_made_of_another_adds_to_its_gradient() -> None:
    x, a = T.dscalars("x", "a")
    first = T.exp(x)
    op = sg.OpFromGraph([x], [first, first * 2])
    assert float(sg.grad(sum(op(a, return_list=True)), a).eval({a: 0.0})) == 3.0
    pulled = sg.Lop([first, first * 2], x, [T.constant(1.0), T.constant(1.0)])
    assert float(pulled.eval({x: 0.0})) == 3.0
