"""Patterns, rules and the driver."""

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.errors import NonConvergenceError
from symgraph.graph import FunctionGraph
from symgraph.graph.rewrite import Rule, RuleSet, Wild, brief, rewrite_rule
from tests.graph.common import Scaled, SumAndProduct

x, y, z = Wild("x"), Wild("y"), Wild("z")


@pytest.fixture
def v():
    return T.dvectors("a", "b", "c")


def rewritten(outputs, *rules, budget=50):
    several = isinstance(outputs, (list, tuple))
    wanted = list(outputs) if several else [outputs]
    inputs = [i for i in sg.graph.graph_inputs(wanted) if not isinstance(i, sg.Constant)]
    graph = FunctionGraph(inputs, wanted)
    fired = RuleSet("phase", rules).apply(graph, budget)
    texts = [brief(o, 9) for o in graph.outputs]
    return (texts if several else texts[0]), [f.rule for f in fired]


# ---- patterns ------------------------------------------------------------------------------------------------------


def test_a_law_fires_and_says_so(v):
    a, *_ = v
    graph = FunctionGraph([a], [T.log(T.exp(a)) * 2])
    fired = RuleSet("phase", [Rule("log_exp", T.log(T.exp(x)), x)]).apply(graph)
    assert [str(f) for f in fired] == [f"phase/log_exp: log(exp(a)) -> a    {fired[0].origin}"]
    assert str(fired[0].origin).startswith("test_rewrite.py:")
    assert brief(graph.outputs[0]) == "mul(a, 2.0)"


def test_whatever_a_rule_built_is_rewritten_in_its_turn(v):
    a, *_ = v
    rules = Rule("one", T.tanh(x), T.exp(T.sin(x))), Rule("two", T.sin(x), T.cos(x)), Rule("three", T.exp(x), T.log(x))
    assert rewritten(T.tanh(a), *rules) == ("log(cos(a))", ["one", "two", "three"])


def test_rules_are_tried_in_order(v):
    a, *_ = v
    rules = Rule("general", T.exp(x), T.sin(x)), Rule("special", T.exp(T.log(x)), x)
    assert rewritten(T.exp(T.log(a)), *rules)[1] == ["general"]
    assert rewritten(T.exp(T.log(a)), *rules[::-1])[1] == ["special"]


def test_numbers_match_constants_of_that_value(v):
    a, b, _ = v
    rule = Rule("rule", T.mul(x, 1), x)
    assert rewritten(a * 1, rule)[0] == "a"
    assert rewritten(a * 1.5, rule)[0] == "mul(a, 1.5)"
    assert rewritten(a * b, rule)[1] == []
    # The vector of ones is known to be of length 3, and a is not: the law would forget it.
    assert rewritten(a * T.constant(np.ones(3)), rule)[1] == []
    known = T.TensorType("float64", (3,))("known")
    assert rewritten(known * T.constant(np.ones(3)), rule)[0] == "known"
    assert rewritten(known * T.constant(np.arange(3.0)), rule)[1] == []
    assert rewritten(a * T.constant(np.nan), rule)[1] == []


def test_commutative_operations_match_either_way(v):
    a, b, _ = v
    rule = Rule("rule", T.mul(T.exp(x), y), T.sin(y))
    assert rewritten(T.exp(a) * b, rule)[0] == "sin(b)"
    assert rewritten(b * T.exp(a), rule)[0] == "sin(b)"
    assert rewritten(b - T.exp(a), Rule("rule", T.sub(T.exp(x), y), y))[1] == []


def test_a_hole_is_the_same_everywhere_and_all_ways_are_tried(v):
    a, b, _ = v
    rule = Rule("rule", T.mul(T.add(x, y), x), T.exp(y))
    for expression in ((a + b) * a, (b + a) * a, a * (a + b), a * (b + a)):
        assert rewritten(expression, rule)[0] == "exp(b)"
    assert rewritten((a + b) * T.sin(a), rule)[1] == []
    deep = Rule("deep", T.sub(T.mul(T.add(x, y), z), T.mul(x, z)), T.mul(y, z))
    assert rewritten((a + b) * T.exp(a) - b * T.exp(a), deep)[0] == "mul(a, exp(a))"


def test_conditions_of_holes(v):
    a, *_ = v
    integer = Wild("x", lambda variable: variable.type.is_discrete)
    rule = Rule("rule", T.sqr(integer), T.mul(integer, integer))
    i = T.lvector("i")
    assert rewritten(T.sqr(i), rule)[0] == "mul(i, i)"
    assert rewritten(T.sqr(a), rule)[1] == []


def test_a_condition_may_choose_between_the_ways(v):
    a, b, _ = v
    rule = Rule("rule", T.add(x, Wild("y", lambda variable: variable.name == "a")), T.exp(x))
    assert rewritten(a + b, rule)[0] == "exp(b)"
    assert rewritten(b + a, rule)[0] == "exp(b)"


def test_a_callable_right_side_gets_the_bindings_and_may_decline(v):
    a, b, _ = v

    def right(x, y):
        return None if y.name == "b" else x - y

    rule = Rule("rule", T.true_div(x, y), right)
    assert rewritten(a / b, rule)[1] == []
    assert rewritten(b / a, rule)[0] == "sub(b, a)"


def test_an_op_of_many_arguments_equals_its_elementwise_self(v):
    a, b, c = v
    rule = Rule("rule", T.add(T.add(x, y), z), T.exp(x))
    assert rewritten(T.add(a, b, c), rule)[0] == "exp(a)"
    assert rewritten(a + b + c, rule)[0] == "exp(a)"


def test_type_changing_rules_decline(v):
    a, *_ = v
    m = T.dmatrix("m")
    rule = Rule("rule", T.mul(x, y), x)
    assert rewritten(a * m, rule)[1] == []
    assert rewritten(m * a, rule)[0] == "m"
    assert rewritten(T.fvector("f") * a, rule)[1] == []
    assert rewritten(T.drow("r") * m, rule)[1] == []
    assert rewritten(T.dcol("c") * T.drow("r"), Rule("rule", T.mul(x, y), y))[1] == []


def test_a_number_on_the_right_declines_where_it_has_not_the_type(v):
    a, *_ = v
    s = T.dscalar("s")
    rule = Rule("zero", T.sub(x, x), 0)
    assert rewritten(s - s, rule)[0] == "0.0"
    assert rewritten(a - a, rule)[1] == []


def test_a_rule_that_changes_nothing_has_not_fired(v):
    a, b, _ = v
    assert rewritten(a + b, Rule("same", T.add(x, y), T.add(x, y)))[1] == []
    turned = Rule("turned", T.add(x, y), lambda x, y: y + x if y.name < x.name else None)
    assert rewritten(b + a, turned) == ("add(a, b)", ["turned"])


def test_malformed_rules():
    with pytest.raises(TypeError, match="rule bad: the left side must be an operation applied to patterns, not x"):
        Rule("bad", x, x)
    with pytest.raises(TypeError, match="rule bad: the left side"):
        Rule("bad", T.exp(T.dvector("v")), x)
    with pytest.raises(ValueError, match="rule bad: the left side does not bind y, on the right"):
        Rule("bad", T.exp(x), T.exp(y))
    assert repr(Rule("r", T.log(T.add(1, x)), T.log1p(x))) == "r: log(add(1, x)) -> log1p(x)"


# ---- functions as rules --------------------------------------------------------------------------------------------


def test_function_rules(v):
    a, b, _ = v

    @rewrite_rule(T.exp, tags=["demo"])
    def exp_of_sum(node):
        """exp(a + b) -> exp(a) * exp(b)"""
        inner = node.inputs[0].owner
        return None if inner is None or inner.op != T.add else T.exp(inner.inputs[0]) * T.exp(inner.inputs[1])

    assert rewritten(T.exp(a + b), exp_of_sum)[0] == "mul(exp(a), exp(b))"
    assert repr(exp_of_sum) == "exp_of_sum: exp(a + b) -> exp(a) * exp(b)"
    assert exp_of_sum.tags == {"demo"}


def test_function_rules_at_a_class_of_operations_or_anywhere(v):
    a, *_ = v
    seen = []

    @rewrite_rule(SumAndProduct)
    def at_class(node):
        seen.append("class")

    @rewrite_rule()
    def anywhere(node):
        seen.append(str(node.op))

    rewritten([T.exp(a), *SumAndProduct()(a, a)], at_class, anywhere)
    assert seen == ["exp", "class", "SumAndProduct"]


def test_rules_for_several_outputs(v):
    a, b, _ = v

    @rewrite_rule(SumAndProduct)
    def apart(node):
        return [node.inputs[0] + node.inputs[1], node.inputs[0] * node.inputs[1]]

    @rewrite_rule(SumAndProduct)
    def only_the_sum(node):
        return [node.inputs[0] + node.inputs[1], node.outputs[1]]

    total, product = SumAndProduct()(a, b)
    assert rewritten([product, total], apart) == (["mul(a, b)", "add(a, b)"], ["apart"])
    assert rewritten([product, total], only_the_sum) == (["SumAndProduct(a, b).1", "add(a, b)"], ["only_the_sum"])
    assert rewritten([total, product], only_the_sum) == (["add(a, b)", "SumAndProduct(a, b).1"], ["only_the_sum"])


def test_a_function_rule_that_breaks_the_type_is_an_error(v):
    a, *_ = v

    @rewrite_rule(T.exp)
    def wrong(node):
        return node.inputs[0].sum()

    with pytest.raises(TypeError, match=r"rule wrong gives float64\[\] in the place of float64\[\?\], in exp\(a\)"):
        rewritten(T.exp(a), wrong)


def test_an_error_in_a_rule_names_the_rule(v):
    @rewrite_rule(T.exp)
    def broken(node):
        raise KeyError("oh")

    with pytest.raises(KeyError) as caught:
        rewritten(T.exp(v[0]), broken)
    assert caught.value.__notes__[0].startswith("in rewrite rule 'broken', at exp(a), built at test_rewrite.py:")


def test_rule_sets_and_operations_forget(monkeypatch):
    monkeypatch.setattr("symgraph.graph.rewrite._MOST_OPERATIONS", 3)
    monkeypatch.setattr("symgraph.graph.op._MOST_TYPES", 3)
    rules = RuleSet("phase", [Rule("rule", T.exp(x), x)])
    for factor in range(10):
        assert rules.rules_for(Scaled(factor)) == []
    assert len(rules._index) <= 3
    for n in range(1, 10):
        assert T.sqr(T.TensorType("float64", (n,))()).type.shape == (n,)
    assert [r.name for r in rules.rules_for(T.exp)] == ["rule"]


# ---- ending ---------------------------------------------------------------------------------------------------------


def _message(expression, *rules, budget=50):
    with pytest.raises(NonConvergenceError) as caught:
        rewritten(expression, *rules, budget=budget)
    text = str(caught.value)
    assert "built at test_rewrite.py:" in text
    return text.rpartition(", built at")[0]


def test_rules_that_undo_each_other_are_named(v):
    text = _message(T.tanh(v[0]), Rule("there", T.tanh(x), T.sin(x)), Rule("back", T.sin(x), T.tanh(x)))
    assert text == "rewriting in phase 'phase' does not end: rules 'there' and 'back' undo each other, at tanh(a)"


def test_the_rules_of_the_circle_are_named_not_those_that_fired_between(v):
    rules = (Rule("there", T.tanh(x), T.sin(T.cos(x))), Rule("other", T.cos(x), T.exp(x)),
             Rule("back", T.sin(T.exp(x)), T.tanh(x)))
    assert "rules 'there' and 'back' undo each other" in _message(T.tanh(v[0]), *rules)


def test_a_rule_that_wraps_what_it_replaces_is_named(v):
    text = _message(T.tanh(v[0]), Rule("wrap", T.tanh(x), T.exp(T.tanh(x))))
    assert "rule 'wrap' replaces an expression by one that holds it, at tanh(a)" in text


@pytest.mark.parametrize("right", [T.tanh(T.add(x, 1)), T.exp(T.tanh(T.add(x, 1)))], ids=["outside", "inside"])
def test_growth_is_noticed(v, right):
    text = _message(T.tanh(v[0]), Rule("grow", T.tanh(x), right))
    assert "after 50 firings in a row, the last by rule 'grow'" in text


def test_growth_by_two_rules_names_both(v):
    text = _message(T.tanh(v[0]), Rule("one", T.tanh(x), T.tanh(T.sin(x))), Rule("two", T.sin(x), T.cos(x)))
    assert "the last by rule" in text
    assert "'one'" in text
    rules = Rule("one", T.tanh(x), T.sin(T.add(x, 1))), Rule("two", T.sin(x), T.tanh(T.add(x, 2)))
    assert "the last by rules 'two' and 'one'" in _message(T.tanh(v[0]), *rules) or "'one' and 'two'" in _message(
        T.tanh(v[0]), *rules)


def test_the_budget_bounds_a_way_not_a_graph(v):
    out = v[0]
    for _ in range(300):
        out = T.tanh(out)
    rule = Rule("rule", T.tanh(x), T.sin(x))
    assert len(rewritten(out, rule, budget=5)[1]) == 300


def test_sixty_steps_need_a_budget_of_sixty(v):
    s = T.dscalar("s")
    count = Rule("count", T.add(x, Wild("n", lambda n: isinstance(n, sg.Constant) and n.data < 60)),
                 lambda x, n: x + (n + 1).eval())
    assert rewritten(s + 0.0, count, budget=60)[0] == "add(s, 60.0)"
    with pytest.raises(NonConvergenceError):
        rewritten(s + 0.0, count, budget=59)


def test_what_fired_is_seen_on_the_function():
    a = T.dvector("a")
    f = sg.function([a], T.log(1 + T.exp(a)))
    assert [fired.rule for fired in f.fired] == ["log1p", "softplus"]
    assert all(fired.origin.filename == __file__ for fired in f.fired)
