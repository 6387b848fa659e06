"""SourceWriter, and what becomes of the user's strings: names and titles are text in comments, never code."""

from __future__ import annotations

import ast
import gc
import linecache
import traceback
from types import FunctionType
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.source import SourceWriter, printable

HOSTILE = [
    "x\nimport os\nos._exit(1)",
    "'''\"\"\"",
    "x)  # \r\n    raise SystemExit",
    "\x00\x1b[31m",
    "\u2028\u2029 line separators",
    "#" * 500,
    "a" * 10_000,
    "{braces} %s \\n \\",
    "",
    "def run():",
    "naïve übergroß 変数",
]


def code_of(source: str) -> str:
    """The program without its comments."""
    return ast.unparse(ast.parse(source))


def build(name: str) -> Any:
    x, w = T.dvector(name), sg.shared(np.zeros(3), name=name)
    y = T.exp(x) + w
    y.name = name
    return sg.function([x], {name: y, "other": y.sum()}, updates=[(w, y)], name=name)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_user_strings_are_never_code(name: str) -> None:
    """The program is the same whatever things are called, and does what it should."""
    f = build(name)
    assert code_of(f.source) == code_of(build("plain").source)
    result = f(np.zeros(3))
    np.testing.assert_array_equal(result[name], np.ones(3))
    assert all(line.isprintable() for line in f.source.splitlines())


def test_strings_of_operations_are_never_code() -> None:
    class Odd(sg.Op):
        __props__ = ("label",)

        def __init__(self, label: str) -> None:
            self.label = label

        def make_node(self, a: Any) -> Any:
            return sg.Apply(self, [a], [a.type()])

        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            output_storage[0][0] = inputs[0] + 1

        def __repr__(self) -> str:
            return self.label

    x, y = T.dvector("x"), T.dvector("y")
    for label in HOSTILE:
        f = sg.function([x, y], Odd(label)(x) + y)
        np.testing.assert_array_equal(f(np.zeros(2), np.ones(2)), [2.0, 2.0])
        with pytest.raises(ValueError, match="length"):
            f(np.zeros(2), np.ones(3))


def test_names_are_fresh() -> None:
    writer = SourceWriter()
    assert [writer.fresh("t"), writer.fresh("t"), writer.fresh("k"), writer.fresh("t")] == ["t0", "t1", "k0", "t2"]
    assert writer.bind("something", "k") == "k1"
    assert writer.namespace["k1"] == "something"


def test_each_name_is_assigned_once() -> None:
    """A line of the source says all there is to know of a name."""
    f = build("plain")
    run = ast.parse(f.source).body[0]
    assert isinstance(run, ast.FunctionDef)
    branches = [node for node in ast.walk(run) if isinstance(node, ast.If) and node.orelse]
    assert branches
    for branch in branches:  # the same is computed in two ways
        branch.orelse = []
    for node in ast.walk(run):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Compare) and isinstance(node.test.ops[0], ast.Is):
            node.body = [ast.Pass()]  # a shared value that is being computed over is read once more
    targets = [t for node in ast.walk(run) if isinstance(node, ast.Assign) for t in node.targets]
    names = [t.id for t in targets if isinstance(t, ast.Name)]
    assert len(names) == len(set(names)) > 2


def test_lines_are_indented_and_comments_stand_in_a_column() -> None:
    writer = SourceWriter()
    with writer.indented("def f(x):", "a function"):
        writer.line("y = x", "the\nargument")
        with writer.indented("if y:"):
            writer.line("return y")
    assert writer.text().splitlines()[1].startswith("    y = x   ")
    assert writer.text().splitlines()[1].endswith("# the?argument")
    assert writer.text().splitlines()[0].index("#") == writer.text().splitlines()[1].index("#")
    assert writer.lines[3] == "        return y"
    assert writer.text().endswith("\n")


def test_long_lines_keep_their_comment() -> None:
    writer = SourceWriter()
    writer.line("x = " + "1 + " * 40 + "1", "long")
    assert writer.lines[0].endswith("1  # long")


def test_what_is_printable_is_kept() -> None:
    assert printable("naïve 変数") == "naïve 変数"
    assert printable("a\tb\x00c") == "a?b?c"
    assert len(printable("x" * 1000)) == 200


def test_each_line_knows_its_step() -> None:
    x = T.dvector("x")
    f = sg.function([x], T.log(T.exp(x) + 1)[5])
    with pytest.raises(IndexError) as caught:
        f(np.zeros(2))
    place = f._built.program.step_at(caught.value)
    assert place is not None
    assert str(place[0].node.op) == "[5]"
    assert f._built.program.step_at(ValueError("of somebody else")) is None


def test_tracebacks_show_the_line() -> None:
    x = T.dvector("x")
    f = sg.function([x], x[5], name="picker")
    with pytest.raises(IndexError) as caught:
        f(np.zeros(2))
    shown = "".join(traceback.format_exception(caught.value))
    assert "x0[5]" in shown
    assert "picker" in shown


def test_the_text_leaves_linecache_with_its_functions() -> None:
    x = T.dvector("x")
    f = sg.function([x], x + 1, name="shortlived")
    files = [name for name in linecache.cache if "shortlived" in name]
    assert len(files) == 1
    assert linecache.getline(files[0], 1).startswith("def run(x0):")
    linecache.checkcache()
    assert files[0] in linecache.cache
    del f
    gc.collect()
    sg.function([x], x + 2)  # what was collected while linecache was busy goes now
    assert files[0] not in linecache.cache


def test_a_compiled_namespace_holds_what_was_bound() -> None:
    writer = SourceWriter({"start": 40})
    name = writer.bind(2, "c")
    with writer.indented("def f():"):
        writer.line(f"return start + {name}")
    assert writer.compile("example")["f"]() == 42


def test_constants_are_bound_and_not_printed() -> None:
    """No number of an array stands in the text, and no number that is not exactly what the array holds."""
    x = T.dvector("x")
    f = sg.function([x], x * T.constant(np.array([0.1, 0.2, 0.3])) + 1e-17)
    code = code_of(f.source)
    assert "0.1" not in code
    assert "1e-17" not in code


def test_what_is_written_aside_keeps_its_place_and_is_compiled_at_its_first_call() -> None:
    writer = SourceWriter()
    with writer.indented("def f(x):"):
        writer.line("return k0(x) + 1")
        with writer.aside("k0"), writer.indented("def k0(x):"):
            writer.line("return 1 / x")
    writer.add_asides()
    namespace = writer.compile("example")
    stub = namespace["k0"]
    assert not isinstance(stub, FunctionType)
    assert namespace["f"](2.0) == 1.5
    assert isinstance(namespace["k0"], FunctionType)
    assert stub(4.0) == 0.25  # a thread may still hold what was there before
    with pytest.raises(ZeroDivisionError) as failed:
        namespace["f"](0)
    line = failed.tb.tb_next.tb_next.tb_lineno  # type: ignore[union-attr]
    assert writer.text().splitlines()[line - 1].strip() == "return 1 / x"
