"""grad, Lop, Rop and subgraph_grad, with every argument."""

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.errors import DisconnectedInputError, NullTypeGradError
from symgraph.graph import DisconnectedType, NullType
from symgraph.graph.gradient import grad_not_implemented, grad_undefined
from tests.graph.common import Scaled, SumAndProduct, line_of, numerical_gradient, run


@pytest.fixture
def xy():
    return T.dscalars("x", "y")


def value(variable, **values):
    """The number an expression gives; it may need only some of the values."""
    needed = {v.name for v in sg.graph.graph_inputs([variable])}
    return float(variable.eval({name: number for name, number in values.items() if name in needed}))


# ---- grad: what is asked ------------------------------------------------------------------------------------------


def test_the_form_of_wrt_is_the_form_of_the_result(xy):
    x, y = xy
    cost = x * y
    assert isinstance(sg.grad(cost, x), sg.Variable)
    assert isinstance(sg.grad(cost, [x]), list)
    assert isinstance(sg.grad(cost, (x, y)), tuple)
    assert len(sg.grad(cost, {x: 1, y: 2})) == 2
    assert sg.grad(cost, []) == []


def test_wrt_twice_gives_it_twice(xy):
    x, _ = xy
    first, second = sg.grad(x ** 2, [x, x])
    assert first is second
    assert value(first, x=3.0) == 6.0


def test_wrt_an_intermediate_variable_and_its_ancestor(xy):
    x, _ = xy
    h = T.exp(x)
    cost = h ** 2
    gh, gx = sg.grad(cost, [h, x])
    assert value(gh, x=0.0) == 2.0
    assert value(gx, x=0.5) == pytest.approx(2 * np.exp(1.0))


def test_wrt_the_cost_itself(xy):
    x, _ = xy
    cost = x ** 2
    one, gx = sg.grad(cost, [cost, x])
    assert float(one.eval()) == 1.0
    assert value(gx, x=3.0) == 6.0
    assert float(sg.grad(x, x).eval()) == 1.0


def test_one_output_of_several(xy):
    x, y = xy
    total, product = SumAndProduct()(x, y)
    assert value(sg.grad(product, x), x=2.0, y=5.0) == 5.0
    assert value(sg.grad(total, y), x=2.0, y=5.0) == 1.0
    assert value(sg.grad(total * product, x), x=2.0, y=5.0) == 2 * 2 * 5 + 25


def test_integer_variables(xy):
    i, x = T.lscalar("i"), xy[0]
    g = sg.grad((i * x).sum(), i)
    assert g.dtype == "float64"
    assert float(g.eval({x: 2.5})) == 2.5
    assert float(sg.grad(x * T.cast(x, "int64"), x).eval({x: 2.5})) == 2.0
    assert sg.grad(T.cast(T.floor(x), "int64") * x, x).dtype == "float64"


def test_second_derivatives_and_higher(xy):
    x, _ = xy
    y = T.sin(x)
    for order in range(1, 5):
        y = sg.grad(y, x)
        assert value(y, x=0.3) == pytest.approx([np.sin, np.cos][order % 2](0.3) * [1, 1, -1, -1][order % 4])


def test_same_variable_used_many_times(xy):
    x, _ = xy
    assert value(sg.grad(sum([x] * 100, x * x * x), x), x=2.0) == 112.0


# ---- consider_constant, known_grads --------------------------------------------------------------------------------


def test_consider_constant(xy):
    x, _ = xy
    h = T.exp(x)
    cost = h * x
    assert value(sg.grad(cost, x, consider_constant=[h]), x=1.0) == pytest.approx(np.e)
    gx, gh = sg.grad(cost, [x, h], consider_constant=[h])
    assert value(gx, x=1.0) == pytest.approx(np.e)
    assert value(gh, x=1.0) == 1.0  # the gradient reaches it, and does not go through
    with pytest.raises(DisconnectedInputError):
        sg.grad(h * 2, x, consider_constant=[h])
    with pytest.raises(DisconnectedInputError):
        sg.grad(cost, x, consider_constant=[cost])
    assert value(sg.grad(x ** 2, x, consider_constant=[x]), x=3.0) == 6.0
    assert value(sg.grad(cost, x, consider_constant=h), x=1.0) == pytest.approx(np.e)


def test_a_constant_beside_another_output_of_its_node(xy):
    x, y = xy
    total, product = SumAndProduct()(x, y)
    gx, gt = sg.grad(total * product, [x, total], consider_constant=[total])
    assert value(gx, x=2.0, y=3.0) == 5.0 * 3.0
    assert value(gt, x=2.0, y=3.0) == 6.0


def test_known_grads_instead_of_a_cost(xy):
    x, y = xy
    h = x ** 2
    assert value(sg.grad(None, x, known_grads={h: y}), x=3.0, y=10.0) == 60.0
    assert float(sg.grad(None, x, known_grads={h: 10.0}).eval({x: 3.0})) == 60.0
    vector = T.dvector("v")
    g = sg.grad(None, vector, known_grads={vector ** 2: np.array([1.0, 10.0])})
    np.testing.assert_array_equal(g.eval({vector: [1.0, 2.0]}), [2.0, 40.0])


def test_known_grads_of_an_intermediate_variable_stand_for_what_flows_from_the_cost(xy):
    x, y = xy
    h = x ** 2
    cost = h * x
    g = sg.grad(cost, x, known_grads={h: y})
    assert value(g, x=3.0, y=100.0) == 100.0 * 6 + 9
    gh = sg.grad(cost, h, known_grads={h: y})
    assert gh is y
    assert y.name == "y"


def test_known_grads_of_the_cost_stand_for_one(xy):
    x, y = xy
    cost = x ** 2
    assert value(sg.grad(cost, x, known_grads={cost: y}), x=3.0, y=2.0) == 12.0


def test_known_grads_may_be_disconnected_or_undefined(xy):
    x, _ = xy
    h = x ** 2
    with pytest.raises(DisconnectedInputError):
        sg.grad(None, x, known_grads={h: DisconnectedType()()})
    with pytest.raises(NullTypeGradError, match="some reason"):
        sg.grad(None, x, known_grads={h: NullType("some reason")()})


# ---- disconnected and undefined -------------------------------------------------------------------------------------


def test_disconnected_inputs(xy):
    x, y = xy
    cost = x ** 2
    cost.name = "cost"
    with pytest.raises(DisconnectedInputError) as caught:
        sg.grad(cost, y)
    assert str(caught.value) == (
        f"the cost does not depend on y, built at {y.origin}, so it has no gradient there. Use it in the cost, leave "
        "it out of wrt, or pass disconnected_inputs='ignore' to take zeros")
    zero = sg.grad(cost, y, disconnected_inputs="ignore")
    assert float(zero.eval()) == 0.0
    with pytest.warns(UserWarning, match="does not depend on y") as record:
        sg.grad(cost, [x, y], disconnected_inputs="warn")
    assert record[0].filename == __file__
    assert record[0].lineno == line_of(test_disconnected_inputs, 'disconnected_inputs="warn")')


def test_the_warning_is_at_the_users_line_through_lop_too(xy):
    x, y = xy
    with pytest.warns(UserWarning, match="does not depend on y") as record:
        sg.Lop(x ** 2, y, y, disconnected_inputs="warn")
    assert record[0].filename == __file__


def test_return_disconnected(xy):
    x, y = xy
    ignore = {"disconnected_inputs": "ignore"}
    assert sg.grad(x ** 2, y, return_disconnected="none", **ignore) is None
    assert isinstance(sg.grad(x ** 2, y, return_disconnected="disconnected", **ignore).type, DisconnectedType)
    v = T.dvector("v")
    zeros = sg.grad(x ** 2, v, return_disconnected="zero", **ignore)
    np.testing.assert_array_equal(zeros.eval({v: [1.0, 2.0]}), [0.0, 0.0])
    i = T.ivector("i")
    assert sg.grad(x ** 2, i, **ignore).dtype == "float64"


def test_null_gradients(xy):
    x, y = xy
    cost = sg.undefined_grad(x) * y
    assert value(sg.grad(cost, y), x=2.0, y=3.0) == 2.0
    text = r"with respect to x, built at test_gradient.py:\d+, is undefined: x passed through undefined_grad"
    with pytest.raises(NullTypeGradError, match=text):
        sg.grad(cost, x)
    gx, gy = sg.grad(cost, [x, y], null_gradients="return")
    assert isinstance(gx.type, NullType)
    assert value(gy, x=2.0) == 2.0
    deep = T.exp(sg.undefined_grad(T.log(x)))
    assert isinstance(sg.grad(deep, x, null_gradients="return").type, NullType)
    assert isinstance(sg.grad(deep + x, x, null_gradients="return").type, NullType)


def test_an_undefined_gradient_reaches_only_what_its_output_depends_on(xy):
    class Pair(sg.Op):
        __props__ = ()

        def make_node(self, a, b):
            return sg.Apply(self, [a, b], [a.type(), b.type()])

        def connection_pattern(self, node):
            return [[True, False], [False, True]]

        def L_op(self, inputs, outputs, output_gradients):
            first, second = output_gradients
            assert isinstance(first.type, DisconnectedType)
            return [DisconnectedType()(), second * 2]

    x, y = xy
    a, b = Pair()(x, y)
    cost = sg.undefined_grad(a) + b
    gx, gy = sg.grad(cost, [x, y], null_gradients="return")
    assert isinstance(gx.type, NullType)
    assert float(gy.eval()) == 2.0


def test_reasons_of_missing_derivatives(xy):
    x, _ = xy
    assert grad_undefined(Scaled(2), 0, x, "ask").type.why == "Scaled{factor=2} has no derivative by input 0, x. ask"
    assert "is not implemented" in grad_not_implemented(Scaled(2), 0, x).type.why


# ---- names ----------------------------------------------------------------------------------------------------------


def test_add_names(xy):
    x, y = xy
    cost = x ** 2 * y
    cost.name = "cost"
    assert [g.name for g in sg.grad(cost, [x, y])] == ["(dcost/dx)", "(dcost/dy)"]
    assert [g.name for g in sg.grad(cost, [x, y], add_names=False)] == [None, None]
    cost.name = None
    assert sg.grad(cost, x).name is None


def test_nothing_of_the_users_and_nothing_shared_is_named(xy):
    class TakesItsNeighbour(sg.Op):
        __props__ = ()

        def make_node(self, a, b):
            return sg.Apply(self, [a, b], [a.type()])

        def L_op(self, inputs, outputs, output_gradients):
            return [inputs[1], inputs[0]]

    x, y = xy
    h = T.exp(y)
    cost = TakesItsNeighbour()(x, h)
    cost.name = "cost"
    assert sg.grad(cost, x) is h
    assert h.name is None
    zero = sg.grad(cost, T.dscalar("z"), disconnected_inputs="ignore")
    assert zero.name is None
    assert str(T.zeros_like(x)) == "0.0"


# ---- what is wrong ---------------------------------------------------------------------------------------------------


def _text(error, *args, **kwargs):
    with pytest.raises(error) as caught:
        sg.grad(*args, **kwargs)
    return str(caught.value)


def test_costs_that_are_none(xy):
    x, _ = xy
    v = T.dvector("v")
    squares = v ** 2  # squares
    place = f"test_gradient.py:{line_of(test_costs_that_are_none, '# squares')}"
    assert _text(TypeError, squares, v) == (
        "the cost must be a scalar, but pow has 1 dimension (float64[?]). Take its sum() or mean(), or give "
        f"known_grads. It was built at {place}")
    assert "the cost must be a floating-point scalar, but i is int64[]" in _text(TypeError, T.lscalar("i"), x)
    assert _text(TypeError, 3.0, x) == "cost must be a symbolic variable, not float: 3.0"
    assert _text(ValueError, None, x) == "grad needs a cost, or known_grads to start from"
    assert _text(NullTypeGradError, NullType("lost")(), x) == "the cost itself is undefined: lost"


def test_wrt_that_is_none(xy):
    x, _ = xy
    assert _text(TypeError, x, "x") == "wrt must be a symbolic variable or several, not str: 'x'"
    assert _text(TypeError, x, None) == "wrt must be a symbolic variable or several, not NoneType: None"
    assert _text(TypeError, x, [x, 3]) == "wrt must hold symbolic variables, not int: 3"
    assert _text(TypeError, x * 2, T.constant(2.0)) == (
        "cannot differentiate by the constant 2.0: make it an input (T.scalar, ...) or a shared variable")


def test_options_that_are_none(xy):
    x, _ = xy
    assert _text(ValueError, x, x, disconnected_inputs="no") == (
        "disconnected_inputs must be one of 'raise', 'warn', 'ignore', not 'no'")
    assert "return_disconnected must be one of 'zero', 'none', 'disconnected'" in _text(
        ValueError, x, x, return_disconnected="no")
    assert "null_gradients must be one of 'raise', 'return'" in _text(ValueError, x, x, null_gradients="no")
    assert _text(TypeError, x, x, consider_constant=[3]) == "consider_constant must hold symbolic variables, not int: 3"
    assert _text(TypeError, x, x, known_grads={"x": x}) == "known_grads: 'x' is not a symbolic variable"
    assert _text(ValueError, x, x, known_grads={x: T.dvector("g")}) == (
        f"known_grads, for x, built at {x.origin}: the gradient of x (float64[]) has 1 dimensions instead of 0")


@pytest.mark.parametrize(("returned", "error", "text"), [
    (lambda x: [], ValueError, "Bad.L_op returned 0 gradients for 1 inputs"),
    (lambda x: [3.0], TypeError, "Bad.L_op returned float as the gradient of input 0; it must return symbolic "
                                 "variables, or DisconnectedType()() for an input with no influence"),
    (lambda x: [T.zeros((2,))], ValueError,
     "Bad.L_op, gradient of input 0: the gradient of x (float64[]) has 1 dimensions instead of 0"),
])
def test_gradients_that_break_the_contract(xy, returned, error, text):
    class Bad(sg.Op):
        __props__ = ()

        def infer_type(self, *types):
            return types

        def L_op(self, inputs, outputs, output_gradients):
            return returned(inputs[0])

    assert _text(error, Bad()(xy[0]), xy[0]) == text


def test_a_gradient_of_none_counts_as_disconnected(xy):
    class Silent(Scaled):
        def grad(self, inputs, output_gradients):
            return [None]

    with pytest.raises(DisconnectedInputError):
        sg.grad(Silent(1)(xy[0]), xy[0])


def test_a_gradient_of_another_float_type_is_cast():
    x = T.fscalar("x")
    assert sg.grad(T.cast(x, "float64") ** 2, x).dtype == "float32"


# ---- subgraph_grad ---------------------------------------------------------------------------------------------------


def test_a_backward_pass_in_pieces_is_the_whole_one():
    x, t = T.dvector("x"), T.dvector("t")
    w1 = sg.shared(np.array([[1.0, 2.0], [3.0, -1.0]]), name="w1")
    w2 = sg.shared(np.array([[0.5, -0.5], [0.25, 2.0]]), name="w2")
    a2 = T.tanh(T.dot(x, w1))
    cost2 = T.sqr(a2 - t).sum() * 0.5
    a3 = T.tanh(T.dot(a2, w2))
    cost3 = T.sqr(a3 - t).sum() + 0.1 * (w1 ** 2).sum()
    whole = sg.grad(cost2 + cost3, [w1, w2])
    g2, ends = sg.subgraph_grad([w2], [a3], start=None, cost=cost3)
    first, (from_a3,) = sg.subgraph_grad([w2], [a2], start=dict(zip([a3], ends, strict=True)))
    (last,), _ = sg.subgraph_grad([w1], [x], start={a2: from_a3}, cost=cost2 + 0.1 * (w1 ** 2).sum())
    f = sg.function([x, t], [*whole, last, first[0]])
    gw1, gw2, pieces1, pieces2 = f([0.5, -1.0], [0.1, 0.2])
    np.testing.assert_allclose(pieces1, gw1)
    np.testing.assert_allclose(pieces2, gw2)
    assert np.any(gw1 != 0)
    np.testing.assert_array_equal(g2[0].eval({}), np.zeros((2, 2)))


def test_subgraph_grad_details_and_wrong_use(xy):
    x, y = xy
    h = x * y
    grads, ends, by_start, by_cost = sg.subgraph_grad([y], [x], start={h: y}, cost=T.exp(h), details=True)
    values = {x: 0.5, y: 2.0}
    assert run(grads[0], values) == pytest.approx(run(by_start[0], values) + run(by_cost[0], values))
    assert run(ends[0], values) == pytest.approx(2.0 * 2.0 + 2.0 * np.e)
    with pytest.raises(ValueError, match="subgraph_grad needs a start, a cost, or both"):
        sg.subgraph_grad([x], [y])


# ---- gates -------------------------------------------------------------------------------------------------------


def test_gates_change_only_the_gradient(xy):
    x, _ = xy
    for gate in (sg.disconnected_grad, sg.zero_grad, sg.undefined_grad, lambda v: sg.grad_clip(v, -1, 1),
                 lambda v: sg.grad_scale(v, 2.0)):
        assert value(gate(x) * 3, x=2.0) == 6.0
        assert gate(x).type is x.type


def test_disconnected_and_zero_grad(xy):
    x, _ = xy
    assert value(sg.grad(x * sg.disconnected_grad(x), x), x=3.0) == 3.0
    assert value(sg.grad(x * sg.zero_grad(x), x), x=3.0) == 3.0
    with pytest.raises(DisconnectedInputError):
        sg.grad(sg.disconnected_grad(x) ** 2, x)
    assert float(sg.grad(sg.zero_grad(x) ** 2, x).eval({x: 3.0})) == 0.0
    assert sg.graph.gradient.consider_constant is sg.zero_grad


def test_grad_clip_and_grad_scale():
    v = T.dvector("v")
    g = sg.grad((sg.grad_clip(v, -1.0, 2.0) ** 2).sum(), v)
    np.testing.assert_array_equal(g.eval({v: [-3.0, 0.5, 3.0]}), [-1.0, 1.0, 2.0])
    s = sg.grad((sg.grad_scale(v, -0.5) ** 2).sum(), v)
    np.testing.assert_array_equal(s.eval({v: [1.0, 2.0]}), [-1.0, -2.0])
    with pytest.raises(ValueError, match="grad_clip: the lower bound 2 exceeds the upper bound 1"):
        sg.grad_clip(v, 2, 1)


def test_a_model_against_finite_differences():
    generator = np.random.default_rng(0)
    x, w, b = T.dmatrix("x"), T.dmatrix("w"), T.dvector("b")
    h = T.tanh(T.dot(x, w) + b)
    cost = (T.nnet.softmax(h)[:, 0] * h.sum(axis=1)).mean() + T.sqr(w[1:]).sum()
    values = [generator.normal(size=s) for s in ((4, 3), (3, 2), (2,))]
    f = sg.function([x, w, b], cost)
    g = sg.function([x, w, b], sg.grad(cost, [x, w, b]))
    for ours, theirs in zip(g(*values), numerical_gradient(f, values), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)
