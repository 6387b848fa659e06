"""What pprint, debugprint, min_informative_str and Print show: texts as they are."""

import copy
import io
import pickle

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.printing import Print, debugprint, min_informative_str, pp, pprint

x, y = T.dvectors("x", "y")
M, N = T.dmatrices("M", "N")
i, labels = T.lscalar("i"), T.lvector("labels")


@pytest.mark.parametrize(("expression", "text"), [
    (x + y * 2 - 3, "x + y * 2.0 - 3.0"),
    ((x + y) * 2, "(x + y) * 2.0"),
    (x - (y - x), "x - (y - x)"),
    (x - y - x, "x - y - x"),
    (x / (y / x), "x / (y / x)"),
    (x * (y / x), "x * (y / x)"),
    (-x ** 2, "-x**2.0"),
    ((-x) ** 2, "(-x)**2.0"),
    (x ** (-y), "x**(-y)"),
    (x ** y ** x, "x**y**x"),
    ((x ** y) ** x, "(x**y)**x"),
    (2 ** x, "2.0**x"),
    (-(x * y), "-(x * y)"),
    (-x * y, "-x * y"),
    (x - -2.0, "x - -2.0"),
    (x // y % 2, "x // y % 2.0"),
    (M @ N.T, "M @ N.T"),
    (T.dot(M, N) + 1, "M @ N + 1.0"),
    (x < y, "x < y"),
    (T.lt(x, T.cast(y < x, "float64")), "x < cast(y < x, float64)"),
    (~(x < y) & (x > 0), "~(x < y) & (x > 0.0)"),
    (T.exp(x).sum(), "sum(exp(x))"),
    (M.sum(axis=0), "sum(M, axis=0)"),
    (M.max(axis=1, keepdims=True), "max(M, axis=1, keepdims=True)"),
    (M.argmax(axis=1), "argmax(M, axis=1)"),
    (M[i], "M[i]"),
    (M[1:, None], "M[1:, None]"),
    (M[labels], "M[labels]"),
    ((M + N)[0], "(M + N)[0]"),
    (T.set_subtensor(x[1:3], 0.0), "set_subtensor(x[1:3], 0.0)"),
    (T.inc_subtensor(x[1:], 1.0), "inc_subtensor(x[1:], 1.0)"),
    (T.cast(x, "float32"), "cast(x, float32)"),
    (x.reshape((i, -1)), "x.reshape((i, -1))"),
    (T.concatenate([x, y]), "concatenate((x, y), axis=0)"),
    (x[:, None], "x[:, None]"),
    (x.shape[0], "x.shape[0]"),
    (T.zeros((i, 3)), "full((i, 3), 0.0)"),
    (T.arange(i), "arange(0, i, 1)"),
    (T.nnet.softmax(M), "softmax(M, axis=1)"),
    (T.switch(x > 0, x, -x), "switch(x > 0.0, x, -x)"),
    (T.clip(x, 0, 1), "clip(x, 0.0, 1.0)"),
    (T.dscalar(), "<float64[]>"),
], ids=str)
def test_mathematical_notation(expression, text):
    assert pprint(expression) == text
    assert pp(expression) == text


def test_a_large_expression_names_what_is_shared_or_long():
    h = T.tanh(T.dot(M, N) + x)
    h.name = "hidden"
    out = sum((h * float(k) for k in range(7)), h) + T.exp(h - y).sum(axis=0) / (1 + T.exp(h - y).sum(axis=0))
    assert pprint(out) == """\
hidden = tanh(M @ N + x)
t1 = hidden + hidden * 0.0 + hidden * 1.0 + hidden * 2.0 + hidden * 3.0 + hidden * 4.0
t1 + hidden * 5.0 + hidden * 6.0 + sum(exp(hidden - y), axis=0) / (1.0 + sum(exp(hidden - y), axis=0))"""


def test_names_are_told_apart():
    a, b, t1 = T.dvector("a"), T.dvector("a"), T.dvector("t1")
    assert pprint(a - b) == "a - a#2"
    deep = t1
    for _ in range(30):
        deep = T.tanh(deep) * deep
    assert "t1 = " not in pprint(deep)
    assert pprint(deep).startswith("t2 = tanh(t1) * t1\n")


def test_several_outputs_and_several_expressions():
    assert pprint([x + 1, x + 2]) == "x + 1.0\nx + 2.0"
    from tests.graph.common import SumAndProduct

    total, product = SumAndProduct()(x, y)
    assert pprint(product * 2) == "SumAndProduct(x, y)[1] * 2.0"
    assert pprint(total.owner) == "SumAndProduct(x, y)[0]\nSumAndProduct(x, y)[1]"


def test_a_compiled_function_is_printed_as_rewritten():
    f = sg.function([x], T.log(1 + T.exp(x)))
    assert pprint(f) == "softplus(x)"
    assert debugprint(f, file="str") == "softplus [id A] 0\n |x [id B]\n"


def test_names_are_escaped_to_one_line():
    strange = T.dvector("a\nb\x1b[31m")
    assert pprint(strange + 1) == "a\\nb\\x1b[31m + 1.0"
    assert debugprint(strange, file="str") == "a\\nb\\x1b[31m [id A]\n"
    assert len(pprint(T.dvector("n" * 5000))) <= 200


# ---- trees ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def tree():
    h = T.exp(T.dot(M, N))
    h.name = "h"
    return (h + 1).sum(axis=0) * h


def test_the_tree(tree):
    assert debugprint(tree, file="str") == """\
mul [id A]
 |sum{axis=[0]} [id B]
 | |add [id C]
 | | |exp [id D] 'h'
 | | | |dot [id E]
 | | | | |M [id F]
 | | | | |N [id G]
 | | |1.0 [id H]
 |exp [id D] 'h' ···
"""


def test_types_depth_and_names(tree):
    assert debugprint(tree, file="str", print_type=True, depth=2) == """\
mul [id A] <float64[?,?]>
 |sum{axis=[0]} [id B] <float64[?]>
 |exp [id C] <float64[?,?]> 'h'
"""
    assert debugprint(tree, file="str", stop_on_name=True, ids="") == """\
mul
 |sum{axis=[0]}
 | |add
 | | |exp 'h'
 | | |1.0
 |exp 'h' ···
"""
    assert debugprint(tree, file="str", depth=1, ids="int") == "mul [id 0]\n"
    assert debugprint(tree, file="str", depth=1, ids="id") == f"mul [id {id(tree.owner)}]\n"
    assert debugprint(x, file="str", ids="auto") == f"x [id {id(x)}]\n"


def test_the_tree_of_a_list_shares_its_letters(tree):
    h = tree.owner.inputs[1]
    text = debugprint([h, tree], file="str", depth=1)
    assert text == "exp [id A] 'h'\nmul [id B]\n"
    assert debugprint([h, h], file="str", depth=1) == "exp [id A] 'h'\nexp [id A] 'h' ···\n"


def test_letters_go_on_after_z():
    out = x
    for _ in range(30):
        out = T.tanh(out)
    lines = debugprint(out, file="str").splitlines()
    assert lines[25].endswith("... 25 |tanh [id Z]")
    assert lines[26].endswith("... 26 |tanh [id AA]")
    assert lines[3] == " | | |tanh [id D]"


def test_the_order_of_computation_of_a_function():
    a = sg.shared(np.zeros(3), name="a")
    f = sg.function([x], T.exp(x) * 2, updates=[(a, T.exp(x) + a)], mode="None")
    assert debugprint(f, file="str") == """\
mul [id A] 1
 |exp [id B] 0
 | |x [id C]
 |2.0 [id D]
add [id E] 2
 |exp [id B] ···
 |a [id F]
"""


def test_where_it_prints(tree, capsys):
    stream = io.StringIO()
    assert debugprint(x, file=stream) is stream
    assert stream.getvalue() == "x [id A]\n"
    debugprint(x)
    assert capsys.readouterr().out == "x [id A]\n"


def test_what_cannot_be_printed():
    with pytest.raises(TypeError, match="cannot print int: give a variable, a list of variables, or a"):
        debugprint(3)
    with pytest.raises(TypeError, match="cannot print float"):
        pprint([x, 2.0])
    with pytest.raises(ValueError, match="ids must be one of 'CHAR', 'int', 'id', 'auto' or '', not 'no'"):
        debugprint(x, ids="no")


def test_min_informative_str(tree):
    assert min_informative_str(tree) == """\
A. mul
 B. sum{axis=[0]}
  C. add
   D. h
   E. 1.0
 <D>"""
    assert min_informative_str(x + x, indent_level=1) == " A. add\n  B. x\n  <B>"


# ---- printing values -----------------------------------------------------------------------------------------------


def test_print_prints_when_it_is_computed(capsys):
    s = T.dscalar("s")
    f = sg.function([s], Print("s is")(s) * 2)
    assert capsys.readouterr().out == ""
    assert float(f(3.0)) == 6.0
    assert capsys.readouterr().out == "s is __str__ = 3.0\n"
    sg.function([x], Print("v", attrs=["shape", "dtype", "min"])(x))([2.0, 1.0])
    assert capsys.readouterr().out == "v shape = (2,)\nv dtype = float64\nv min = 1.0\n"


def test_print_with_a_function_of_ones_own():
    seen = []
    f = sg.function([x], Print("note", global_fn=lambda op, value: seen.append((op.message, value.tolist())))(x) + 1)
    np.testing.assert_array_equal(f([1.0]), [2.0])
    assert seen == [("note", [1.0])]


def test_print_lets_gradients_through(capsys):
    s = T.dscalar("s")
    y = Print("inner")(s ** 2) * 3
    assert float(sg.grad(y, s).eval({s: 2.0})) == 12.0
    assert float(sg.Rop(y, s, s).eval({s: 2.0})) == 24.0


def test_print_contract():
    assert Print("a") == Print("a") != Print("b")
    assert pickle.loads(pickle.dumps(Print("a", attrs=["shape"]))) == copy.deepcopy(Print("a", attrs=("shape",)))
    assert repr(Print("a")) == "Print{'a'}"
    assert Print()(2.0).type == T.dscalar().type
    assert Print("m")(x).type is x.type
    with pytest.raises(TypeError, match="Print takes one argument, not 2"):
        Print("m")(x, y)
