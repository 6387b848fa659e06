"""FunctionGraph: the interned copy."""

import pickle

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.graph import FunctionGraph
from tests.graph.common import Scaled, SumAndProduct


def _ops(graph):
    return [str(node.op) for node in graph.toposort()]


def test_equal_becomes_identical():
    x = T.dvector("x")
    a, b = T.exp(x) + 1, T.exp(x) + 1
    graph = FunctionGraph([x], [a, b, a * b])
    assert graph.outputs[0] is graph.outputs[1]
    assert _ops(graph) == ["exp", "add", "mul"]
    assert graph.outputs[2].owner.inputs[0] is graph.outputs[2].owner.inputs[1]


def test_operations_equal_by_props_merge_and_others_do_not():
    x = T.dvector("x")
    graph = FunctionGraph([x], [Scaled(2)(x), Scaled(2)(x), Scaled(3)(x)])
    first, second, third = graph.outputs
    assert first is second
    assert first is not third


def test_several_outputs_merge_together():
    x, y = T.dscalars("x", "y")
    one, other = SumAndProduct()(x, y), SumAndProduct()(x, y)
    graph = FunctionGraph([x, y], [one[0], other[1]])
    assert graph.outputs[0].owner is graph.outputs[1].owner


def test_constants_merge_by_value_and_type():
    x = T.dvector("x")
    a, b = T.constant(np.arange(3.0)), T.constant(np.arange(3.0))
    graph = FunctionGraph([x], [x + a, x + b])
    assert graph.outputs[0] is graph.outputs[1]
    other = FunctionGraph([x], [x + T.constant(0.0), x + T.constant(-0.0), x + T.constant(np.float32(0))])
    assert len(set(other.outputs)) == 3


def test_nothing_of_the_users_is_edited():
    x = T.dvector("x")
    inner = T.exp(x)
    out = inner + inner
    before = (out.owner, out.owner.inputs, out.owner.outputs, inner.owner.inputs, out.name, inner.name)
    graph = FunctionGraph([x], [out])
    sg.function([x], out)
    assert graph.outputs[0] is not out
    assert graph.outputs[0].owner is not out.owner
    assert before == (out.owner, out.owner.inputs, out.owner.outputs, inner.owner.inputs, out.name, inner.name)
    assert graph.inputs == [x]


def test_names_and_origins_are_kept():
    x = T.dvector("x")
    y = T.exp(x)
    y.name = "y"
    (copy,) = FunctionGraph([x], [y]).outputs
    assert copy.name == "y"
    assert copy.owner.origin is y.owner.origin


def test_replacements_may_read_each_other():
    a, b, c = T.dscalars("a", "b", "c")
    for replace in ({a: b + 1, b: c * 2}, {b: c * 2, a: b + 1}):
        (out,) = FunctionGraph([c], [a * 10], replace).outputs
        assert float(sg.function([c], out)(3.0)) == 70.0


def test_a_replacement_may_hold_what_it_replaces():
    x = T.dscalar("x")
    shifted = x + 1
    graph = FunctionGraph([x], [x * 2, shifted, x], {x: shifted})
    doubled, twice_shifted, one = graph.outputs
    f = sg.function([x], [doubled, twice_shifted, one])
    assert [float(v) for v in f(3.0)] == [8.0, 5.0, 4.0]
    assert graph.interned(x) is one
    # A rewrite rule that builds on the input itself must not be given the replacement.
    (exp,) = graph.intern([T.exp(x)])
    assert exp.owner.inputs[0] is x


def test_replacements_of_intermediate_variables():
    x, z = T.dscalars("x", "z")
    y = T.exp(x)
    (out,) = FunctionGraph([z], [y + y], {y: z}).outputs
    assert float(sg.function([z], out)(2.0)) == 4.0


def test_circles_of_replacements_are_named():
    a, b = T.dscalars("a", "b")
    with pytest.raises(ValueError, match="the replacements go in a circle: a, which is in what replaces b, which is in "
                                         r"what replaces a\. Replace one of them by a new variable"):
        FunctionGraph([], [a], {a: b + 1, b: a * 2})


def test_props_that_cannot_be_hashed_are_named():
    x = T.dvector("x")
    text = (r"Scaled\{factor=\[1, 2\]\}, applied at test_fgraph.py:\d+, cannot be compared with other operations: "
            r"unhashable type: 'list'. The values of its __props__ must be hashable: a tuple in the place of a list")
    with pytest.raises(TypeError, match=text):
        FunctionGraph([x], [Scaled([1, 2])(x)])


def test_the_order_is_the_same_every_time():
    x = T.dvector("x")

    def build():
        y = [T.exp(x * i) for i in range(1, 20)]
        return [a + b for a in y for b in y]

    orders = [[(str(n.op), [str(v) for v in n.inputs]) for n in FunctionGraph([x], build()).toposort()]
              for _ in range(3)]
    assert orders[0] == orders[1] == orders[2]
    assert sg.function([x], build()).source.splitlines()[1:] == sg.function([x], build()).source.splitlines()[1:]


def test_looking_into_it():
    x = T.dvector("x")
    y = T.exp(x)
    graph = FunctionGraph([x], [y + x, y])
    total, exp = graph.outputs
    clients = graph.clients()
    assert clients[exp] == [total.owner, None]
    assert clients[x] == [exp.owner, total.owner]
    assert graph.apply_nodes == {total.owner, exp.owner}
    assert graph.variables == {x, total, exp}
    assert graph.holds(exp)
    assert not graph.holds(y)
    assert graph.interned(y) is exp
    assert repr(graph) == "<FunctionGraph of 1 inputs, 2 nodes, 2 outputs>"


def test_it_pickles():
    x = T.dvector("x")
    graph = pickle.loads(pickle.dumps(FunctionGraph([x], [T.exp(x), T.exp(x) * 2])))
    assert _ops(graph) == ["exp", "mul"]
    assert graph.outputs[1].owner.inputs[0] is graph.outputs[0]
