"""Pickling and copying graphs, of any depth and in any order."""

import copy
import io
import pickle
import sys
from itertools import pairwise, permutations

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.graph.pickling import bundle_of
from tests.graph.common import Scaled, SumAndProduct


def by_pickle(thing):
    return pickle.loads(pickle.dumps(thing))


def by_old_protocol(thing):
    return pickle.loads(pickle.dumps(thing, protocol=2))


def by_python_pickler(thing):
    stream = io.BytesIO()
    pickle._Pickler(stream).dump(thing)
    return pickle._loads(stream.getvalue())


WAYS = [by_pickle, by_old_protocol, by_python_pickler, copy.deepcopy]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


@every_way
def test_a_graph_computes_the_same(way):
    x = T.dvector("x")
    y = Scaled(3.0)(T.exp(x) + 1)
    y.name = "y"
    y.tag.note = "mine"
    other = way(y)
    (z,) = sg.graph.graph_inputs([other], [other.owner.inputs[0].owner.inputs[1]])[:1]
    assert (other.name, other.tag.note, z.name, z.type) == ("y", "mine", "x", x.type)
    assert other is not y
    assert z is not x
    assert str(other.owner.origin) == str(y.owner.origin)
    np.testing.assert_array_equal(other.eval({z: [0.0, 1.0]}), y.eval({x: [0.0, 1.0]}))


@every_way
def test_what_is_shared_stays_shared_in_any_order(way):
    x = T.dvector("x")
    a = T.exp(x)
    total, product = SumAndProduct()(a, x)
    things = {"x": x, "a": a, "total": total, "product": product, "node": total.owner}
    for order in permutations(things):
        got = dict(zip(order, way([things[name] for name in order]), strict=True))
        assert got["total"].owner is got["product"].owner is got["node"]
        assert got["node"].inputs == (got["a"], got["x"])
        assert got["node"].outputs == (got["total"], got["product"])
        assert (got["total"].index, got["product"].index) == (0, 1)
        assert got["a"].owner.inputs == (got["x"],)


@every_way
def test_deep_graphs_at_the_default_recursion_limit(way):
    assert sys.getrecursionlimit() <= 1000
    y = T.dvector("x")
    for _ in range(5000):
        y = T.tanh(y)
    z, count = way(y), 0
    while z.owner is not None:
        z, count = z.owner.inputs[0], count + 1
    assert (z.name, count) == ("x", 5000)


@every_way
def test_a_list_of_every_stage_of_a_deep_graph(way):
    stages = [T.dvector("x")]
    for _ in range(1000):
        stages.append(T.tanh(stages[-1]))
    for given in (stages, stages[::-1]):
        got = way(given)
        got = got if given is stages else got[::-1]
        assert all(after.owner.inputs == (before,) for before, after in pairwise(got))


def test_a_list_of_stages_does_not_grow_with_the_square():
    def size(n):
        stages = [T.dvector("x")]
        for _ in range(n):
            stages.append(T.tanh(stages[-1]))
        return len(pickle.dumps(stages))

    assert size(1600) < 20 * size(200)  # not 64 times, as it would if each stage were written with all before it


@every_way
def test_shared_variables_and_circles_through_default_updates(way):
    s = sg.shared(np.arange(3.0), name="s")
    s.default_update = T.exp(s) * 2
    other, update = way((s, s.default_update))
    assert other.default_update is update
    assert update.owner.inputs[0].owner.inputs[0] is other
    np.testing.assert_array_equal(other.get_value(), s.get_value())
    other.set_value(np.zeros(3))
    np.testing.assert_array_equal(s.get_value(), np.arange(3.0))


def test_pickling_while_another_pickling_is_under_way():
    y = T.tanh(T.exp(T.dvector("x")))
    pickler = pickle.Pickler(io.BytesIO())
    pickler.dump(y)  # keeps its memory, and so the bundle, alive
    inner = by_pickle(y.owner.inputs[0])
    assert str(inner.owner.op) == "exp"
    assert inner.owner.inputs[0].name == "x"


def test_nodes_forget_the_pickling():
    y = T.tanh(T.exp(T.dvector("x")))
    first = bundle_of(y.owner)
    assert bundle_of(y.owner) is first
    assert bundle_of(y.owner.inputs[0].owner) is first
    pickle.dumps(y)
    assert bundle_of(y.owner) is first
    count = len(first.nodes)
    del first
    assert count == 2
    assert len(bundle_of(y.owner.inputs[0].owner).nodes) == 1


def test_what_cannot_be_pickled_leaves_nothing_behind():
    class Local(Scaled):
        pass

    x = T.dvector("x")
    inner = T.exp(x)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(Local(2)(inner))
    assert str(by_pickle(inner).owner.op) == "exp"


def test_constants_stay_constant():
    y = T.dvector("x") + T.constant([1.0, 2.0])
    constant = by_pickle(y).owner.inputs[1]
    assert not constant.data.flags.writeable
    np.testing.assert_array_equal(constant.data, [1.0, 2.0])


def test_compiled_evaluators_are_not_pickled():
    x = T.dscalar("x")
    y = x * 2
    y.eval({x: 1.0})
    assert by_pickle(y).__dict__ == {}


def test_shallow_copies():
    x = T.dscalar("x")
    y = x * 2
    y.name = "y"
    other = copy.copy(y)
    assert (other.owner, other.index, other.name, other.type) == (y.owner, 0, "y", y.type)
    assert other is not y
    assert copy.copy(x).type is x.type
    constant = T.constant(3.0)
    assert copy.copy(constant) is constant
    with pytest.raises(TypeError, match="an Apply is not copied by itself"):
        copy.copy(y.owner)
    s = sg.shared(1.0)
    assert float(copy.copy(s).get_value()) == 1.0
