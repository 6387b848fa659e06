"""Lop and Rop: products with the Jacobian from either side."""

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.errors import DisconnectedInputError, NullTypeGradError
from symgraph.graph import DisconnectedType
from tests.graph.common import Scaled, SumAndProduct, run


@pytest.fixture
def xy():
    return T.dscalars("x", "y")


def _jacobian_case():
    x, y, v, w = T.dvectors("x", "y", "v", "w")
    a, b = T.exp(x) * y.sum(), T.dot(x, y) * T.sin(y)
    values = {x: np.array([0.1, 0.2, 0.3]), y: np.array([1.0, -1.0, 0.5]), v: np.array([1.0, 0.0, 2.0]),
              w: np.array([0.5, 1.0, -1.0])}
    return x, y, v, w, a, b, values


def test_lop_and_rop_are_each_others_transpose():
    x, y, v, w, a, b, values = _jacobian_case()
    up, down = T.dvectors("up", "down")
    values |= {up: np.array([1.0, 2.0, 3.0]), down: np.array([-1.0, 0.5, 0.25])}
    left = sg.Lop([a, b], [x, y], [up, down])
    right = sg.Rop([a, b], [x, y], [v, w])
    one = sum(run((g * d).sum(), values) for g, d in zip(left, (v, w), strict=True))
    other = sum(run((t * d).sum(), values) for t, d in zip(right, (up, down), strict=True))
    assert one == pytest.approx(other)


def test_rop_against_finite_differences():
    x, y, v, w, a, b, values = _jacobian_case()
    step = 1e-6
    for output, tangent in zip((a, b), sg.Rop([a, b], [x, y], [v, w]), strict=True):
        ends = [run(output, {x: values[x] + s * step * values[v], y: values[y] + s * step * values[w]})
                for s in (1, -1)]
        np.testing.assert_allclose(run(tangent, values), (ends[0] - ends[1]) / (2 * step), rtol=1e-7, atol=1e-8)


def test_rop_by_r_op_and_by_two_backward_passes(xy):
    x, y = xy
    v, w = T.dscalars("v", "w")
    total, product = SumAndProduct()(x, y)
    values = {x: 2.0, y: 3.0, v: 10.0, w: 1.0}
    assert [run(t, values) for t in sg.Rop([total, product], [x, y], [v, w])] == [11.0, 32.0]
    assert run(sg.Rop(Scaled(3.0)(x), x, v), values) == 30.0
    assert run(sg.Rop(product, x, v), values) == 30.0


def test_rop_with_missing_points_and_outputs(xy):
    x, y = xy
    v = T.dscalar("v")
    values = {x: 2.0, y: 3.0, v: 1.0}
    assert run(sg.Rop(x * y, [x, y], [v, None]), values) == 3.0
    with pytest.raises(DisconnectedInputError, match=r"y, built at .* does not depend on wrt"):
        sg.Rop(y, x, v)
    with pytest.raises(DisconnectedInputError):
        sg.Rop(x * y, [x, y], [None, None])
    ignored = sg.Rop([y, x], x, v, disconnected_outputs="ignore")
    assert [run(t, values) for t in ignored] == [0.0, 1.0]
    assert sg.Rop([y], x, v, disconnected_outputs="ignore", return_disconnected="none") == [None]
    kind = sg.Rop(y, x, v, disconnected_outputs="ignore", return_disconnected="disconnected").type
    assert isinstance(kind, DisconnectedType)
    with pytest.warns(UserWarning, match="does not depend on wrt"):
        sg.Rop(y, x, v, disconnected_outputs="warn")


def test_rop_of_intermediate_and_of_itself(xy):
    x, _ = xy
    v = T.dscalar("v")
    h = T.exp(x)
    assert sg.Rop(h, h, v) is v
    assert run(sg.Rop(h ** 2, h, v), {x: 0.0, v: 3.0}) == 6.0


def test_rop_and_gates(xy):
    x, _ = xy
    v = T.dscalar("v")
    with pytest.raises(DisconnectedInputError):
        sg.Rop(sg.disconnected_grad(x), x, v)
    assert run(sg.Rop(sg.zero_grad(x) * x, x, v), {x: 3.0, v: 2.0}) == 6.0
    with pytest.raises(NullTypeGradError, match=r"the derivative of exp, built at .*, is undefined: x passed through"):
        sg.Rop(T.exp(sg.undefined_grad(x)), x, v)
    assert run(sg.Rop(sg.grad_clip(x, 0, 1), x, v), {v: 2.0}) == 2.0


def test_lop_with_the_same_output_twice_and_missing_points(xy):
    x, y = xy
    h = x ** 2
    assert run(sg.Lop([h, h], x, [y, y]), {x: 1.0, y: 3.0}) == 12.0
    assert run(sg.Lop([h, T.exp(x)], x, [y, None]), {x: 1.0, y: 3.0}) == 6.0


def test_wrong_points(xy):
    x, y = xy
    with pytest.raises(ValueError, match="Lop: f holds 1 variable, but there are 2 eval_points"):
        sg.Lop(x, x, [y, y])
    with pytest.raises(ValueError, match="Rop: wrt holds 2 variables, but there are 1 eval_points"):
        sg.Rop(x, [x, y], [y])
    with pytest.raises(ValueError, match=r"Rop, eval point, for x, built at .*: the gradient of x"):
        sg.Rop(x, x, T.dvector())
    with pytest.raises(TypeError, match="f must be a symbolic variable or several, not float"):
        sg.Lop(3.0, x, x)


@pytest.mark.parametrize(("returned", "error", "text"), [
    ([], ValueError, "Bad.R_op returned 0 derivatives for 1 outputs"),
    ([3.0], TypeError, "Bad.R_op returned float as the derivative of output 0; it must return symbolic variables, or "
                       "None for an output with no influence"),
    ([T.dvector("wrong")], ValueError,
     "Bad.R_op, derivative of output 0: the gradient of Bad (float64[]) has 1 dimensions instead of 0"),
])
def test_derivatives_that_break_the_contract(xy, returned, error, text):
    class Bad(sg.Op):
        __props__ = ()

        def infer_type(self, *types):
            return types

        def R_op(self, inputs, eval_points):
            return returned

        def __repr__(self):
            return "Bad"

    with pytest.raises(error) as caught:
        sg.Rop(Bad()(xy[0]), xy[0], xy[1])
    assert str(caught.value) == text
