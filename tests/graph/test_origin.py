"""Every node knows the user's line."""

import copy
import functools
import pickle

import numpy as np

import symgraph as sg
import symgraph.tensor as T
from symgraph.graph.origin import Origin, current_origin, deriving
from tests.graph.common import Scaled, line_of


def _place(variable):
    origin = variable.owner.origin if variable.owner is not None else variable.origin
    return origin.filename.rpartition("/")[2], origin.lineno


def test_the_line_of_a_call():
    x = T.dvector("x")
    y = T.exp(x)  # the line
    assert _place(y) == ("test_origin.py", line_of(test_the_line_of_a_call, "# the line"))
    assert _place(x)[1] == _place(y)[1] - 1
    assert str(y.owner.origin) == f"test_origin.py:{y.owner.origin.lineno}"


def test_operators_methods_and_functions_made_of_others_give_the_users_line():
    x = T.dmatrix("x")
    made = [
        x + 1,  # 0
        x.mean(axis=0),  # 1
        x[1:, None],  # 2
        T.nnet.categorical_crossentropy(x, x),  # 3
        np.exp(x),  # 4
        np.transpose(x),  # 5
    ]
    for i, y in enumerate(made):
        wanted = line_of(test_operators_methods_and_functions_made_of_others_give_the_users_line, f"# {i}")
        assert _place(y) == ("test_origin.py", wanted), i


def test_the_innermost_line_of_the_user_through_nested_calls():
    def inner(v):
        return T.tanh(v)  # inner

    def outer(v):
        return inner(v)

    assert _place(outer(T.dvector()))[1] == line_of(
        test_the_innermost_line_of_the_user_through_nested_calls, "# inner")


def test_an_operation_of_the_users_is_placed_where_it_is_applied():
    y = Scaled(2)(T.dvector())  # applied
    this = test_an_operation_of_the_users_is_placed_where_it_is_applied
    assert _place(y) == ("test_origin.py", line_of(this, "# applied"))


def test_decorated_functions_comprehensions_and_lambdas():
    def twice(function):
        @functools.wraps(function)
        def wrapper(v):
            return function(v) * 2  # wrapper
        return wrapper

    @twice
    def layer(v):
        return T.exp(v)  # layer

    this = test_decorated_functions_comprehensions_and_lambdas
    y = layer(T.dvector())
    assert _place(y)[1] == line_of(this, "# wrapper")
    assert _place(y.owner.inputs[0])[1] == line_of(this, "# layer")
    many = [T.exp(v) for v in T.dvectors("a", "b")]  # comprehension
    assert {_place(v)[1] for v in many} == {line_of(this, "# comprehension")}
    called = functools.reduce(lambda a, b: a * b, many)  # lambda
    assert _place(called)[1] == line_of(this, "# lambda")


def test_lines_of_a_statement_over_several_lines():
    x = T.dvector()
    y = (
        T.exp(x)  # first
        +
        T.log(x)  # second
    )
    this = test_lines_of_a_statement_over_several_lines
    assert [_place(v)[1] for v in y.owner.inputs] == [line_of(this, "# first"), line_of(this, "# second")]


def test_executed_text():
    scope = {"T": T}
    exec(compile("x = T.dvector('x')\n\ny = T.exp(x)\n", "<cell 3>", "exec"), scope)
    assert str(scope["y"].owner.origin) == "<cell 3>:3"
    assert str(scope["x"].origin) == "<cell 3>:1"


def test_a_program_of_many_lines_finds_each():
    text = "x = T.dvector('x')\n" + "x = T.exp(x)\n" * 5000
    scope = {"T": T}
    exec(compile(text, "<long>", "exec"), scope)
    variable, lines = scope["x"], []
    while variable.owner is not None:
        lines.append(variable.owner.origin.lineno)
        variable = variable.owner.inputs[0]
    assert lines == list(range(5001, 1, -1))


def test_gradient_nodes_carry_the_line_they_derive_from():
    x = T.dscalar("x")
    y = T.log(x)  # log
    z = y * 3.0  # times
    g = sg.grad(z, x)  # grad
    this = test_gradient_nodes_carry_the_line_they_derive_from
    assert str(g.owner.origin) == f"test_origin.py:{line_of(this, '# log')} (gradient of log)"
    assert str(g.owner.inputs[0].owner.origin) == f"test_origin.py:{line_of(this, '# times')} (gradient of mul)"
    r = sg.Rop(z, x, T.dscalar("v"))
    assert str(r.owner.origin) == f"test_origin.py:{line_of(this, '# times')} (derivative of mul)"


def test_the_sum_of_gradients_carries_the_line_of_its_variable():
    x = T.dscalar("x")
    h = T.exp(x)  # shared
    g = sg.grad(h * T.sin(h), h)
    line = line_of(test_the_sum_of_gradients_carries_the_line_of_its_variable, "# shared")
    assert str(g.owner.origin) == f"test_origin.py:{line} (sum of gradients)"


def test_rewritten_nodes_keep_the_users_line():
    x = T.dvector("x")
    y = T.log(1 + T.exp(x))  # law
    f = sg.function([x], y)
    line = line_of(test_rewritten_nodes_keep_the_users_line, "# law")
    assert {str(node.origin) for node in f.fgraph.toposort()} == {f"test_origin.py:{line}"}


def test_deriving_nests_and_ends():
    outer, inner = Origin(None, 0, "a.py", 1), Origin(None, 0, "b.py", 2)
    with deriving(outer, "one"):
        assert str(current_origin()) == "a.py:1 (one)"
        with deriving(inner):
            assert str(current_origin()) == "b.py:2"
        with deriving(None, "nothing"):
            assert str(current_origin()) == "a.py:1 (one)"
        assert str(current_origin()) == "a.py:1 (one)"
    assert current_origin().filename.endswith("test_origin.py")


def test_origins_pickle_and_copy():
    origin = T.exp(T.dvector()).owner.origin
    for other in (pickle.loads(pickle.dumps(origin)), copy.deepcopy(origin)):
        assert (other.filename, other.lineno, other.note) == (origin.filename, origin.lineno, origin.note)
    assert str(pickle.loads(pickle.dumps(origin.derive("a note")))) == f"{origin} (a note)"
