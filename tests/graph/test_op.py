"""The contract of operations, types, variables and applications."""

import copy
import pickle
from dataclasses import dataclass

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.graph import DisconnectedType, FunctionGraph, NullType, as_op
from symgraph.graph.op import FunctionOp
from tests.graph.common import Scaled, SumAndProduct


@dataclass(frozen=True, repr=False)
class Power(sg.Op):
    """``x ** exponent``, as our own operations are written."""

    exponent: int

    def infer_type(self, *types):
        return types

    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = np.asarray(inputs[0] ** self.exponent)

    def L_op(self, inputs, outputs, output_gradients):
        return [output_gradients[0] * self.exponent * inputs[0] ** (self.exponent - 1)]


class Fourier(sg.Op):
    """Two outputs of which the first is usually meant; only it depends on the second input."""

    __props__ = ()
    default_output = 0

    def make_node(self, x, shift):
        return sg.Apply(self, [x, shift], [x.type(), x.type()])

    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = np.fft.fft(inputs[0]).real + inputs[1]
        output_storage[1][0] = np.fft.fft(inputs[0]).imag

    def connection_pattern(self, node):
        return [[True, True], [True, False]]

    def L_op(self, inputs, outputs, output_gradients):
        real, imaginary = output_gradients
        gone = isinstance(imaginary.type, DisconnectedType)
        shift = DisconnectedType()() if isinstance(real.type, DisconnectedType) else real.sum()
        return [NullType("not written")() if not gone else real * 0, shift]


@as_op(itypes=[T.dvector, T.dvector], otypes=[T.dscalar, T.dvector])
def inner_and_outer(a, b):
    return a @ b, a * b


def test_theanos_form_computes_and_differentiates():
    x = T.dvector("x")
    y = Scaled(3.0)(x)
    assert y.owner.op == Scaled(3.0)
    np.testing.assert_array_equal(y.eval({x: [1.0, 2.0]}), [3.0, 6.0])
    np.testing.assert_array_equal(sg.grad(y.sum(), x).eval({x: [1.0, 2.0]}), [3.0, 3.0])
    np.testing.assert_array_equal(sg.Rop(y, x, x).eval({x: [1.0, 2.0]}), [3.0, 6.0])


def test_equality_hash_repr_and_pickle_follow_from_props():
    assert Scaled(2) == Scaled(2)
    assert Scaled(2) != Scaled(3)
    assert hash(Scaled(2)) == hash(Scaled(2))
    assert repr(Scaled(2)) == str(Scaled(2)) == "Scaled{factor=2}"
    assert pickle.loads(pickle.dumps(Scaled(2))) == Scaled(2)
    assert repr(SumAndProduct()) == "SumAndProduct"
    assert Scaled(2) != "Scaled{factor=2}"


def test_the_dataclass_form():
    x = T.dscalar("x")
    assert Power(3) == Power(3) != Power(2)
    assert repr(Power(3)) == "Power{exponent=3}"
    y = Power(3)(x)
    assert copy.deepcopy(Power(3)) == pickle.loads(pickle.dumps(Power(3))) == Power(3)
    assert float(sg.grad(y, x).eval({x: 2.0})) == 12.0
    assert len(FunctionGraph([x], [y + Power(3)(x)]).toposort()) == 2


def test_an_operation_without_props_equals_only_itself():
    class Anonymous(sg.Op):
        def infer_type(self, *types):
            return types

    a, b = Anonymous(), Anonymous()
    assert a == a
    assert a != b
    assert len({a, b}) == 2


def test_subclasses_with_the_same_props_differ():
    class Other(Scaled):
        pass

    assert Other(2) != Scaled(2)


def test_several_outputs():
    x, y = T.dvectors("x", "y")
    total, product = SumAndProduct()(x, y)
    assert (total.index, product.index) == (0, 1)
    assert total.owner is product.owner
    assert str(product) == "SumAndProduct.1"
    f = sg.function([x, y], [product, total])
    np.testing.assert_array_equal(f([1.0, 2.0], [3.0, 4.0]), [[3.0, 8.0], [4.0, 6.0]])


def test_default_output_and_return_list():
    x, s = T.dvector("x"), T.dscalar("s")
    first = Fourier()(x, s)
    assert first.index == 0
    assert [v.index for v in Fourier()(x, s, return_list=True)] == [0, 1]
    assert first.owner.out is first
    assert T.exp(x, return_list=True)[0].owner.op == T.exp
    assert Scaled(2)(x, name="doubled").name == "doubled"


def test_connection_pattern_decides_what_is_disconnected():
    x, s = T.dvector("x"), T.dscalar("s")
    real, imaginary = Fourier()(x, s, return_list=True)
    assert float(sg.grad(real.sum(), s).eval({x: np.ones(3), s: 0.0})) == 3.0
    with pytest.raises(sg.errors.DisconnectedInputError):
        sg.grad(imaginary.sum(), s)
    with pytest.raises(sg.errors.NullTypeGradError, match="not written"):
        sg.grad(imaginary.sum(), x)


def test_a_wrong_connection_pattern_is_named():
    class Wrong(Fourier):
        def connection_pattern(self, node):
            return [[True]]

    x, s = T.dvector("x"), T.dscalar("s")
    with pytest.raises(ValueError, match=r"Wrong.connection_pattern must have a row for each of its 2 inputs"):
        sg.grad(Wrong()(x, s).sum(), x)


def test_infer_shape_is_used_instead_of_computing():
    class Costly(Scaled):
        def perform(self, node, inputs, output_storage):
            raise AssertionError("computed")

    x = T.dmatrix("x")
    f = sg.function([x], Costly(2)(x).shape[1])
    assert int(f(np.ones((2, 3)))) == 3


def test_view_map_copies_what_leaves_the_function():
    class Reversed(sg.Op):
        __props__ = ()
        view_map = {0: [0]}  # noqa: RUF012

        def make_node(self, x):
            return sg.Apply(self, [x], [x.type()])

        def perform(self, node, inputs, output_storage):
            output_storage[0][0] = inputs[0][::-1]

    x = T.dvector("x")
    value = np.array([1.0, 2.0])
    result = sg.function([x], Reversed()(x))(value)
    np.testing.assert_array_equal(result, [2.0, 1.0])
    assert not np.shares_memory(result, value)


def test_destroy_map_spares_what_is_still_needed():
    class AddOne(sg.Op):
        __props__ = ()
        destroy_map = {0: [0]}  # noqa: RUF012

        def make_node(self, x):
            return sg.Apply(self, [x], [x.type()])

        def perform(self, node, inputs, output_storage):
            inputs[0] += 1
            output_storage[0][0] = inputs[0]

    x = T.dvector("x")
    value = np.array([1.0, 2.0])
    y = T.exp(x)
    one, other = sg.function([x], [AddOne()(y), y * 1.0])(value)
    np.testing.assert_allclose(one, np.exp([1.0, 2.0]) + 1)
    np.testing.assert_allclose(other, np.exp([1.0, 2.0]))
    np.testing.assert_array_equal(sg.function([x], AddOne()(x))(value), [2.0, 3.0])
    np.testing.assert_array_equal(value, [1.0, 2.0])


def test_an_operation_without_perform_or_gradient_says_so():
    class Nothing(sg.Op):
        __props__ = ()

        def infer_type(self, *types):
            return types

    x = T.dscalar("x")
    with pytest.raises(NotImplementedError, match="Nothing has no perform method"):
        Nothing()(x).eval({x: 1.0})
    with pytest.raises(sg.errors.NullTypeGradError, match="Nothing has no gradient: it defines neither L_op nor grad"):
        sg.grad(Nothing()(x), x)


def test_wrong_use_of_the_contract():
    class Untyped(sg.Op):
        __props__ = ()

    class NoApply(sg.Op):
        __props__ = ()

        def make_node(self, x):
            return x

    x = T.dscalar("x")
    with pytest.raises(NotImplementedError, match=r"Untyped must define make_node, infer_type, or itypes and otypes"):
        Untyped()(x)
    with pytest.raises(TypeError, match="Untyped takes symbolic variables, not float"):
        Untyped()(1.0)
    with pytest.raises(TypeError, match=r"NoApply\.make_node must return an Apply, not TensorVariable"):
        NoApply()(x)
    with pytest.raises(TypeError, match="the inputs of Untyped must be symbolic variables, not int"):
        sg.Apply(Untyped(), [3], [x.type()])
    with pytest.raises(ValueError, match="output 0 of Untyped already belongs to exp: make a new variable"):
        sg.Apply(Untyped(), [x], [T.exp(x)])
    with pytest.raises(ValueError, match="output 0 of Untyped is one of its inputs"):
        sg.Apply(Untyped(), [x], [x])
    assert x.owner is None


def test_itypes_and_otypes_stand_for_make_node():
    class Norm(sg.Op):
        itypes = (T.dvector,)
        otypes = (T.dscalar,)
        __props__ = ()

        def perform(self, node, inputs, output_storage):
            output_storage[0][0] = np.asarray(np.linalg.norm(inputs[0]))

    assert float(Norm()([3.0, 4.0]).eval()) == 5.0
    with pytest.raises(TypeError, match=r"Norm takes float64\[\?\] as input 0, not float64\[\?,\?\]"):
        Norm()(T.dmatrix())
    with pytest.raises(TypeError, match="Norm takes 1 inputs, not 2"):
        Norm()(T.dvector(), T.dvector())


def test_as_op():
    a, b = T.dvectors("a", "b")
    inner, outer = inner_and_outer(a, b)
    f = sg.function([a, b], [inner, outer])
    one, two = f([1.0, 2.0], [3.0, 4.0])
    assert float(one) == 11.0
    np.testing.assert_array_equal(two, [3.0, 8.0])
    assert isinstance(inner_and_outer, FunctionOp)
    assert pickle.loads(pickle.dumps(inner_and_outer)) is inner_and_outer
    assert str(inner) == "inner_and_outer.0"
    wrong = FunctionOp(lambda x: (x, x), [T.dvector], [T.dvector])
    with pytest.raises(ValueError, match="returned 2 values instead of 1"):
        wrong(a).eval({a: [1.0]})


def test_make_node_may_take_keywords():
    class Axis(sg.Op):
        __props__ = ()

        def make_node(self, x, axis=0):
            return sg.Apply(self, [x, T.as_tensor_variable(axis)], [x.type()])

    assert int(Axis()(T.dvector(), axis=2).owner.inputs[1].data) == 2


# ---- types ---------------------------------------------------------------------------------------------------------


class TextType(sg.Type):
    """A type of one's own: strings. Equal to any other such type."""

    def filter(self, value, strict=False, allow_downcast=None):
        if not isinstance(value, str):
            raise TypeError(f"expected text, got {type(value).__name__}")
        return value

    def __eq__(self, other):
        return type(self) is type(other)

    def __hash__(self):
        return hash(TextType)

    def __repr__(self):
        return "text"


class Join(sg.Op):
    """Texts, one after the other."""

    __props__ = ()

    def make_node(self, *texts):
        return sg.Apply(self, texts, [TextType()()])

    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = "".join(inputs)


def test_a_type_of_ones_own():
    a, b = TextType()("a"), TextType()("b")
    f = sg.function([a, b], Join()(a, b, TextType().constant("!")))
    assert f("x", "y") == "xy!"
    with pytest.raises(TypeError, match="expected text, got int"):
        f("x", 3)
    with pytest.raises(TypeError, match="expected text, got int"):
        TextType().constant(3)


def test_a_type_without_gradients_says_so():
    a = TextType()("a")
    with pytest.raises(TypeError, match="a cost must be a floating-point scalar, not of type text"):
        sg.grad(Join()(a), a)


def test_filter_variable():
    kind = TextType()
    a = kind("a")
    assert kind.filter_variable(a) is a
    assert kind.filter_variable("b").data == "b"
    with pytest.raises(TypeError, match=r"cannot use a variable of type float64\[\] where text is wanted"):
        kind.filter_variable(T.dscalar())


def test_markers_have_no_values():
    assert DisconnectedType() == DisconnectedType()
    assert NullType("a") == NullType("b")
    assert DisconnectedType() != NullType()
    with pytest.raises(TypeError, match="NullType has no values"):
        NullType().filter(3)


# ---- variables and constants --------------------------------------------------------------------------------------


def test_identity_is_kept():
    x = T.dscalar("x")
    y1, y2 = 2 * x, 2 * x
    assert y1 is not y2
    assert y1 != y2
    assert float(sg.grad(y1 + 3 * y2, y1).eval({x: 1.0})) == 1.0


def test_repr_is_one_bounded_line():
    x = T.dvector("two\nlines")
    assert repr(x) == "<TensorVariable two\\nlines : float64[?]>"
    long = T.dvector("n" * 1000)
    assert len(repr(long)) < 300
    y = x
    for _ in range(2000):
        y = T.tanh(y + y)
    assert repr(y) == "<TensorVariable tanh : float64[?]>"
    assert len(repr(y.owner)) < 100
    assert len(repr(T.constant(np.arange(1000.0)))) < 100
    assert len(repr(sg.graph.Constant(TextType(), "t" * 1000))) < 150
    assert len(repr(Join()(*[TextType()() for _ in range(1000)]).owner)) < 200


def test_eval_and_tag():
    x = T.dscalar("x")
    x.tag.note = "mine"
    y = x ** 2
    assert float(y.eval({x: 3.0})) == float(y.eval({"x": 3.0})) == 9.0
    assert x.tag.note == "mine"
    with pytest.raises(ValueError, match="no inputs are named 'z'"):
        y.eval({"z": 1.0})


def test_clones():
    x = T.dscalar("x")
    twin = x.clone()
    assert (twin.name, twin.type, twin.owner) == ("x", x.type, None)
    assert twin is not x
    assert x.clone("z").name == "z"
    assert x.get_parents() == []
    y = x + 1
    assert y.get_parents() == [y.owner]
    node = y.owner.clone_with_new_inputs([twin, y.owner.inputs[1]])
    assert node.inputs[0] is twin
    assert node.outputs[0].type is y.type
    assert node.origin is y.owner.origin
    assert (node.nin, node.nout) == (2, 1)
