"""Walks over graphs, copies, and the networkx view."""

import networkx as nx
import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.graph import ancestors, clone_replace, graph_inputs, to_networkx, toposort
from symgraph.graph.traversal import variable_path, walk_variables
from tests.graph.common import SumAndProduct


@pytest.fixture
def diamond():
    x, y = T.dscalars("x", "y")
    left, right = T.exp(x), T.log(x)
    return x, y, left, right, left * right + y


def test_toposort_puts_what_is_read_first_and_each_node_once(diamond):
    *_, left, right, out = diamond
    nodes = toposort([out])
    assert [str(n.op) for n in nodes] == ["exp", "log", "mul", "add"]
    assert toposort([out, left, right]) == nodes
    assert toposort([right, out])[0].op == T.log
    assert toposort([diamond[0]]) == []


def test_blockers_count_as_inputs(diamond):
    x, y, left, right, out = diamond
    assert [str(n.op) for n in toposort([out], [left])] == ["log", "mul", "add"]
    assert toposort([out], {out}) == []
    assert graph_inputs([out], [left, right]) == [left, right, y]
    assert graph_inputs([out]) == [x, y]


def test_a_blocked_output_of_a_node_with_several():
    x, y = T.dscalars("x", "y")
    total, product = SumAndProduct()(x, y)
    assert [n.op for n in toposort([total * 2, product], [total])] == [T.mul, SumAndProduct()]


def test_ancestors_and_walk_variables(diamond):
    x, y, left, right, out = diamond
    assert set(ancestors([out])) == set(walk_variables([out])) == {x, y, left, right, out.owner.inputs[0], out}
    assert walk_variables([out])[0] is x
    assert walk_variables([x]) == [x]
    assert walk_variables([out], [left, right])[0] is left


def test_variable_path_is_a_shortest_way(diamond):
    x, y, *_, out = diamond
    assert variable_path(y, [out]) == [y, out]
    assert len(variable_path(x, [out])) == 4
    assert variable_path(x, [x]) == [x]
    assert variable_path(T.dscalar(), [out]) == []


def test_clone_replace(diamond):
    x, y, left, _, out = diamond
    z = T.dscalar("z")
    copy = clone_replace(out, {left: z})
    assert float(copy.eval({x: np.e, y: 1.0, z: 5.0})) == pytest.approx(6.0)
    assert clone_replace(out, {z: x}) is out
    assert copy.owner.origin is out.owner.origin
    first, second = clone_replace([out, left], {x: z})
    assert second in first.owner.inputs[0].owner.inputs
    assert clone_replace(x, {x: z}) is z
    assert clone_replace(out, [(x, 3.0)]).owner.op == T.add


def test_replacements_are_simultaneous():
    x, y = T.dscalars("x", "y")
    swapped = clone_replace(x - y, {x: y, y: x})
    assert float(swapped.eval({x: 1.0, y: 10.0})) == 9.0
    assert float(clone_replace(x * 2, {x: x + 1}).eval({x: 3.0})) == 8.0


def test_clone_replace_keeps_names_and_works_types_out_anew():
    x = T.dmatrix("x")
    y = x + 1
    y.name = "y"
    z = clone_replace(T.exp(y), {x: T.TensorType("float64", (2, None))("two rows")})
    assert z.type.shape == (2, None)
    assert z.owner.inputs[0].name == "y"


def test_a_type_made_of_a_constant_is_made_anew():
    n = T.constant(3)
    zeros = T.zeros((n,))
    assert zeros.type.shape == (3,)
    m = T.lscalar("m")
    constant = zeros.owner.inputs[1]
    free = clone_replace(zeros, {constant: m})
    assert free.type.shape == (None,)
    assert free.eval({m: 5}).shape == (5,)


def test_clone_replace_with_copied_inputs(diamond):
    x, y, *_, out = diamond
    copy = clone_replace(out, copy_inputs=True)
    inputs = graph_inputs([copy])
    assert [v.name for v in inputs] == ["x", "y"]
    assert not {x, y} & set(inputs)


def test_wrong_replacements():
    x = T.dscalar("x")
    with pytest.raises(TypeError, match="only variables can be replaced, not str: 'x'"):
        clone_replace(x + 1, {"x": 1})
    with pytest.raises(TypeError, match=r"cannot use a variable of type int64\[\] where float64\[\] is wanted"):
        clone_replace(x + 1, {x: T.lscalar()})


def test_to_networkx(diamond):
    x, y, left, _, out = diamond
    graph = to_networkx(out)
    assert isinstance(graph, nx.DiGraph)
    assert nx.is_directed_acyclic_graph(graph)
    assert [graph.nodes[n]["label"] for n in graph] == ["x", "exp", "log", "mul", "y", "add"]
    assert [graph.nodes[n]["kind"] for n in graph] == ["input", "apply", "apply", "apply", "input", "apply"]
    assert list(nx.topological_sort(graph)) is not None
    assert graph.nodes[1]["object"] is left.owner
    assert graph.nodes[1]["type"] == "float64[]"
    assert graph.nodes[5]["origin"].startswith("test_traversal.py:")
    assert graph.edges[4, 5]["index"] == 1
    kinds = to_networkx([x + 2, y]).nodes(data="kind")
    assert [kind for _, kind in kinds] == ["input", "constant", "apply", "input"]


def test_to_networkx_of_a_compiled_function(diamond):
    x, y, *_, out = diamond
    graph = sg.function([x, y], out).graph
    assert sum(kind == "apply" for _, kind in graph.nodes(data="kind")) == 4
