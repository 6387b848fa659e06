"""The documented contract of custom operations and types, as Theano's programs write them, in every mode."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.errors import DisconnectedInputError, NullTypeGradError
from symgraph.testing import verify_grad

MODES = ["FAST_RUN", "FAST_COMPILE", "None", "DebugMode", "NanGuardMode"]
IN_EACH_MODE = pytest.mark.parametrize("mode", MODES)

A, B = np.array([0.3, -0.5, 1.2]), np.array([1.0, 2.0, -1.0])


# ---- computing only -------------------------------------------------------------------------------------------------


class Doubled(sg.Op):
    """The form of the tutorial: make_node and perform."""

    __props__ = ()

    def make_node(self, x: Any) -> Any:
        x = T.as_tensor_variable(x)
        return sg.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        x = inputs[0]
        z = output_storage[0]
        z[0] = x * 2

    # What only a C compiler would call.
    def c_code(self, node: Any, name: str, inputs: Any, outputs: Any, sub: Any) -> str:
        raise AssertionError("there is no C compiler")

    def c_code_cache_version(self) -> tuple[int, ...]:
        raise AssertionError("there is no C compiler")


class Storing(sg.Op):
    """One that writes into what it finds in the storage, if that fits."""

    __props__ = ()
    itypes, otypes = [T.dvector], [T.dvector]

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        (x,), (z,) = inputs, output_storage
        if z[0] is None or z[0].shape != x.shape:
            z[0] = np.zeros(x.shape)
        z[0][...] = x + 1


@IN_EACH_MODE
def test_perform_is_enough(mode: str) -> None:
    x = T.dvector("x")
    f = sg.function([x], Doubled()(Storing()(x)) + Doubled()(x), mode=mode)
    np.testing.assert_allclose(f(A), 4 * A + 2)
    np.testing.assert_allclose(f(B), 4 * B + 2)


def test_without_a_gradient_it_says_so() -> None:
    x = T.dvector("x")
    with pytest.raises(NullTypeGradError, match="Doubled has no gradient: it defines neither L_op nor grad"):
        sg.grad(Doubled()(x).sum(), x)
    with pytest.raises(NullTypeGradError):
        sg.Rop(Doubled()(x), x, x)


class Multiplied(sg.Op):
    """With a parameter, and everything the tutorial shows: grad, R_op, infer_shape."""

    __props__ = ("factor",)

    def __init__(self, factor: float) -> None:
        self.factor = factor
        super().__init__()

    def make_node(self, x: Any) -> Any:
        x = T.as_tensor_variable(x)
        return sg.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        output_storage[0][0] = np.asarray(inputs[0] * self.factor)

    def infer_shape(self, node: Any, i0_shapes: Any) -> Any:
        return i0_shapes

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [output_grads[0] * self.factor]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if eval_points[0] is None:
            return eval_points
        return self.grad(inputs, eval_points)


@IN_EACH_MODE
def test_grad_r_op_and_shape(mode: str) -> None:
    x, v = T.dmatrices("x", "v")
    y = Multiplied(3.0)(x)
    f = sg.function([x, v], [y, sg.grad((y ** 2).sum(), x), sg.Rop(y, x, v), y.shape[1]], mode=mode)
    a, b = np.arange(6.0).reshape(2, 3), np.ones((2, 3))
    for found, wanted in zip(f(a, b), [3 * a, 18 * a, 3 * b, 3], strict=True):
        np.testing.assert_allclose(found, wanted)


def test_props_say_which_operations_are_equal() -> None:
    x = T.dvector("x")
    assert Multiplied(2.0) == Multiplied(2.0) != Multiplied(3.0)
    assert hash(Multiplied(2.0)) == hash(Multiplied(2.0))
    assert str(Multiplied(2.0)) == "Multiplied{factor=2.0}"
    assert len(sg.function([x], Multiplied(2.0)(x) + Multiplied(2.0)(x)).plan.steps) <= 2
    f = sg.function([x], Multiplied(2.0)(x))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(f))(A), 2 * A)


def test_verify_grad_takes_a_custom_operation() -> None:
    verify_grad(Multiplied(2.0), [A], rng=np.random.default_rng(0))
    verify_grad(SquareAndCube(), [A], rng=np.random.default_rng(0))


# ---- derivatives ----------------------------------------------------------------------------------------------------


class SquareAndCube(sg.Op):
    """Two outputs, the first of which is meant; L_op reads the outputs."""

    __props__ = ()
    default_output = 0
    itypes, otypes = [T.dvector], [T.dvector, T.dvector]

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        output_storage[0][0], output_storage[1][0] = inputs[0] ** 2, inputs[0] ** 3

    def infer_shape(self, node: Any, input_shapes: Any) -> Any:
        return [input_shapes[0], input_shapes[0]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        total = T.zeros_like(inputs[0])
        for g, slope in zip(output_grads, (2 * inputs[0], 3 * outputs[0]), strict=True):
            if not isinstance(g.type, sg.gradient.DisconnectedType):
                total = total + g * slope
        return [total]


@IN_EACH_MODE
def test_several_outputs(mode: str) -> None:
    x, v = T.dvectors("x", "v")
    square, cube = SquareAndCube()(x, return_list=True)
    assert SquareAndCube()(x).owner.outputs[0].type == square.type
    f = sg.function([x, v], [square, cube, sg.grad(cube.sum(), x), sg.grad(square.sum() + cube.sum(), x),
                             sg.Rop(cube, x, v), sg.hessian(cube.sum(), x)], mode=mode)
    for found, wanted in zip(f(A, B), [A ** 2, A ** 3, 3 * A ** 2, 2 * A + 3 * A ** 2, 3 * A ** 2 * B, np.diag(6 * A)],
                             strict=True):
        np.testing.assert_allclose(found, wanted)


class Gather(sg.Op):
    """An input that no gradient flows to, and one whose gradient is not written."""

    __props__ = ()

    def make_node(self, x: Any, places: Any, weight: Any) -> Any:
        x, places, weight = map(T.as_tensor_variable, (x, places, weight))
        if places.dtype != "int64":
            raise TypeError("places must be int64")
        return sg.Apply(self, [x, places, weight], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        x, places, weight = inputs
        output_storage[0][0] = x[places] * weight

    def connection_pattern(self, node: Any) -> Any:
        return [[True], [False], [True]]

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        x, places, weight = inputs
        back = T.inc_subtensor(T.zeros_like(x)[places], output_grads[0] * weight)
        return [back, sg.gradient.DisconnectedType()(),
                sg.gradient.grad_not_implemented(self, 2, weight, "ask its author")]


@IN_EACH_MODE
def test_connections(mode: str) -> None:
    x, p, w = T.dvector("x"), T.lvector("p"), T.dscalar("w")
    y = Gather()(x, p, w)
    f = sg.function([x, p, w], sg.grad(y.sum(), x), mode=mode)
    np.testing.assert_array_equal(f(A, [0, 0, 2], 2.0), [4, 0, 2])
    with pytest.raises(DisconnectedInputError):
        sg.grad(y.sum(), p)
    with pytest.raises(NullTypeGradError, match="input 2, w, is not implemented"):
        sg.grad(y.sum(), w)
    with pytest.raises(TypeError, match="places must be int64"):
        Gather()(x, x, w)


# ---- memory ---------------------------------------------------------------------------------------------------------


class Scale(sg.Op):
    """Theano's way: one class, whose objects work in place or not, as they are asked."""

    __props__ = ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace
        if inplace:
            self.destroy_map = {0: [0]}

    def make_node(self, x: Any) -> Any:
        x = T.as_tensor_variable(x)
        return sg.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        x = inputs[0] if self.inplace else inputs[0].copy()
        x *= 10
        output_storage[0][0] = x


class Tail(sg.Op):
    """A view."""

    __props__ = ()
    view_map = {0: [0]}  # noqa: RUF012
    itypes, otypes = [T.dvector], [T.dvector]

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        output_storage[0][0] = inputs[0][1:]


@IN_EACH_MODE
def test_what_is_destroyed_is_a_copy_where_it_is_still_needed(mode: str) -> None:
    x = T.dvector("x")
    state = sg.shared(B.copy())
    y = T.exp(x)
    f = sg.function([x], [Scale(True)(y), y + 1, Scale(True)(x), x * 2, Scale(True)(state), Scale()(x)], mode=mode)
    value = A.copy()
    wanted = [10 * np.exp(A), np.exp(A) + 1, 10 * A, 2 * A, 10 * B, 10 * A]
    for found, right in zip(f(value), wanted, strict=True):
        np.testing.assert_allclose(found, right)
    np.testing.assert_array_equal(value, A)
    np.testing.assert_array_equal(state.get_value(), B)


@IN_EACH_MODE
def test_views_and_destruction_together(mode: str) -> None:
    """What destroys a view destroys what it is a view of."""
    x = T.dvector("x")
    y = x + 1
    tail = Tail()(y)
    f = sg.function([x], [Scale(True)(tail), y * 1, tail * 1], mode=mode)
    for found, wanted in zip(f(A), [10 * (A + 1)[1:], A + 1, (A + 1)[1:]], strict=True):
        np.testing.assert_allclose(found, wanted)
    out = sg.function([x], Tail()(x), mode=mode)(A)
    assert not np.shares_memory(out, A)


@IN_EACH_MODE
def test_updates_through_what_works_in_place(mode: str) -> None:
    state = sg.shared(B.copy())
    f = sg.function([], state.sum(), updates=[(state, Scale(True)(state))], mode=mode)
    assert [float(f()), float(f())] == [B.sum(), 10 * B.sum()]


def test_debug_mode_finds_an_undeclared_view() -> None:
    class Sly(Tail):
        view_map = {}  # noqa: RUF012

    class Cruel(Scale):
        def __init__(self) -> None:
            self.inplace = True

        __props__ = ()

    x = T.dvector("x")
    with pytest.raises(Exception, match="changed its input"):
        sg.function([x], Cruel()(x + 1) + (x + 1), mode="DebugMode")(A)
    # Here a copy is made of what shares memory unsaid, so that nothing wrong comes of it.
    result = sg.function([x], Sly()(x) * 1)(A)
    np.testing.assert_array_equal(result, A[1:])


# ---- as_op ----------------------------------------------------------------------------------------------------------


def shape_of_product(node: Any, input_shapes: Any) -> Any:
    (first, second) = input_shapes
    return [(first[0], second[1])]


@sg.as_op(itypes=[T.dmatrix, T.dmatrix], otypes=[T.dmatrix], infer_shape=shape_of_product)
def numpy_dot(a: Any, b: Any) -> Any:
    return np.dot(a, b)


@sg.as_op(itypes=[T.dvector], otypes=[T.dvector, T.lscalar])
def largest_first(a: Any) -> Any:
    return np.sort(a)[::-1].copy(), np.asarray(a.argmax())


@IN_EACH_MODE
def test_as_op(mode: str) -> None:
    a, b, v = T.dmatrix("a"), T.dmatrix("b"), T.dvector("v")
    c = numpy_dot(a, b)
    order, place = largest_first(v)
    f = sg.function([a, b, v], [c, c.shape[1], order, place], mode=mode)
    x, y = np.ones((2, 3)), np.ones((3, 4))
    found = f(x, y, A)
    np.testing.assert_array_equal(found[0], x @ y)
    assert int(found[1]) == 4
    np.testing.assert_array_equal(found[2], np.sort(A)[::-1])
    assert int(found[3]) == 2
    with pytest.raises(TypeError):
        numpy_dot(v, a)


# ---- types of one's own ----------------------------------------------------------------------------------------------


class DoubleType(sg.Type):
    """Theano's example: Python's floats. It has gradients, of its own type."""

    def filter(self, value: Any, strict: bool = False, allow_downcast: Any = None) -> Any:
        if strict:
            if isinstance(value, float):
                return value
            raise TypeError("expected a float")
        if allow_downcast is False and not isinstance(value, (float, int)):
            raise TypeError("expected a number")
        return float(value)

    def values_eq_approx(self, a: Any, b: Any, tolerance: float = 1e-4) -> bool:
        return abs(a - b) / (abs(a) + abs(b) + 1e-30) < tolerance

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __str__(self) -> str:
        return "double"

    __repr__ = __str__

    def zeros_like(self, variable: Any) -> Any:
        return self.constant(0.0)

    def add_terms(self, terms: Any) -> Any:
        total = terms[0]
        for term in terms[1:]:
            total = add(total, term)
        return total

    def seed(self, variable: Any) -> Any:
        return self.constant(1.0)


double = DoubleType()


class BinaryDoubleOp(sg.Op):
    __props__ = ("name", "fn")

    def __init__(self, name: str, fn: Any) -> None:
        self.name, self.fn = name, fn

    def make_node(self, x: Any, y: Any) -> Any:
        if isinstance(x, (int, float)):
            x = sg.Constant(double, float(x))
        if isinstance(y, (int, float)):
            y = sg.Constant(double, float(y))
        if x.type != double or y.type != double:
            raise TypeError(f"{self.name} only works on doubles")
        return sg.Apply(self, [x, y], [double()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        x, y = inputs
        output_storage[0][0] = self.fn(x, y)

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        (x, y), (g,) = inputs, output_grads
        return [mul(g, y), mul(g, x)] if self.name == "mul" else [g, g]

    def __str__(self) -> str:
        return self.name


def plus(x: float, y: float) -> float:
    return x + y


def times(x: float, y: float) -> float:
    return x * y


add, mul = BinaryDoubleOp("add", plus), BinaryDoubleOp("mul", times)


@IN_EACH_MODE
def test_a_type_of_ones_own(mode: str) -> None:
    x, y = double("x"), double("y")
    z = add(mul(x, y), mul(x, 2))
    f = sg.function([x, y], [z, sg.grad(z, x), sg.grad(z, y)], mode=mode)
    assert f(4, 5.5) == [30.0, 7.5, 4.0]
    assert type(f(4, 5.5)[0]) is float
    with pytest.raises(TypeError, match="only works on doubles"):
        mul(x, T.dscalar("t"))
    with pytest.raises((TypeError, ValueError)):
        f("four", 5.5)


@IN_EACH_MODE
def test_shared_values_and_updates_of_such_a_type(mode: str) -> None:
    x = double("x")
    total = sg.SharedVariable(double, 1.0, "total")
    f = sg.function([x], mul(total, 2), updates=[(total, add(total, x))], mode=mode)
    assert [f(3), f(4), total.get_value()] == [2.0, 8.0, 8.0]


@IN_EACH_MODE
def test_choices_and_graphs_of_such_a_type(mode: str) -> None:
    from symgraph.ifelse import ifelse

    x, y, c = double("x"), double("y"), T.bscalar("c")
    op = sg.OpFromGraph([x], [mul(x, x)])
    f = sg.function([c, x, y], ifelse(c, op(x), mul(y, 3)), mode=mode)
    assert [f(1, 5, 7), f(0, 5, 7)] == [25.0, 21.0]


def test_is_valid_value() -> None:
    assert double.is_valid_value(1.5)
    assert not double.is_valid_value("1.5")
    assert T.dvector("x").type.is_valid_value(A)
    assert not T.dvector("x").type.is_valid_value(A.astype("float32"))


def test_such_variables_can_be_pickled() -> None:
    x, y = double("x"), double("y")
    f = pickle.loads(pickle.dumps(sg.function([x, y], mul(x, y))))
    assert f(2, 3) == 6.0


def test_it_cannot_be_vectorised_and_says_so() -> None:
    x = double("x")
    with pytest.raises(TypeError, match="replaces tensor variables"):
        sg.vectorize_graph(mul(x, x), {x: T.dvector("v")})


def test_theano_s_names() -> None:
    assert sg.compile.builders.OpFromGraph is sg.OpFromGraph
    assert sg.compile.ops.as_op is sg.as_op
    assert sg.compile.as_op is sg.as_op
    assert sg.compile.OpFromGraph is sg.OpFromGraph
