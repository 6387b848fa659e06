"""The full text of each error a user meets. File names are as Python reports them, without folders.

Each program is compiled as a file ``model.py``, so that the lines an error names are those of the text here.
"""

# ruff: noqa: E501 - a line of a message is a line here

from __future__ import annotations

import re
import textwrap
import traceback
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.config import config


def failure(program: Any, **names: Any) -> Any:
    """The error a program ends in."""
    code = compile(textwrap.dedent(program).strip() + "\n", "model.py", "exec")
    with pytest.raises(Exception) as caught:  # noqa: PT011
        exec(code, {"sg": sg, "T": T, "np": np, **names})
    return caught.value


def text_of(error: Any) -> Any:
    """What Python prints last: type, message and notes."""
    lines = "".join(traceback.format_exception_only(error)).rstrip().splitlines()
    assert len(lines) <= 12
    assert max(map(len, lines)) <= 300
    return re.sub(r"^symgraph\.(\w+\.)+", "", "\n".join(lines))


def check(program: Any, wanted: Any, **names: Any) -> None:
    assert text_of(failure(program, **names)) == textwrap.dedent(wanted).strip()


# ---- while building ---------------------------------------------------------------------------------------------


def test_missing_input() -> None:
    check("""
        x, w = T.dvector("x"), T.dvector("w")
        h = T.tanh(x * w)
        cost = (h ** 2).sum()
        sg.function([x], cost)
    """, """
        MissingInputError: w (float64[?]), declared at model.py:1, is needed but is not an input of the function.
        It is used in:
          mul(x, w), at model.py:2
          tanh(mul(x, w)), at model.py:2
          pow(tanh(...), 2.0), at model.py:3
          sum{axis=[0]}(pow(..., 2.0)), at model.py:3
        Add w to the inputs, give it a value with givens={w: ...}, or make it a shared variable.
    """)


def test_missing_input_far_from_the_output() -> None:
    check("""
        x = T.dvector("x")
        y = x
        for _ in range(1000):
            y = T.tanh(y)
        sg.function([], y)
    """, """
        MissingInputError: x (float64[?]), declared at model.py:1, is needed but is not an input of the function.
        It is used in:
          tanh(x), at model.py:4
          tanh(tanh(x)), at model.py:4
          ...
          tanh(tanh(...)), at model.py:4
        Add x to the inputs, give it a value with givens={x: ...}, or make it a shared variable.
    """)


def test_missing_input_declared_twice() -> None:
    check("""
        x = T.dvector("x")
        y = x + 1
        x = T.dvector("x")
        sg.function([x], y)
    """, """
        MissingInputError: x (float64[?]), declared at model.py:1, is needed but is not an input of the function.
        It is used in:
          add(x, 1.0), at model.py:2
        The input x (float64[?]), declared at model.py:3, is another variable of that name: declare it once and use that one.
        Add x to the inputs, give it a value with givens={x: ...}, or make it a shared variable.
    """)


def test_missing_input_of_an_update() -> None:
    check("""
        g = T.dvector("g")
        w = sg.shared(np.zeros(3), "w")
        sg.function([], updates=[(w, w - 0.1 * g)])
    """, """
        MissingInputError: g (float64[?]), declared at model.py:1, is needed but is not an input of the function.
        It is used in:
          mul(0.1, g), at model.py:3
          sub(w, mul(0.1, g)), at model.py:3
        Add g to the inputs, give it a value with givens={g: ...}, or make it a shared variable.
    """)


def test_unused_input() -> None:
    check("""
        x, y = T.dvector("x"), T.dvector("y")
        sg.function([x, y], x + 1)
    """, """
        UnusedInputError: input y (float64[?]), declared at model.py:1, is used by no output and no update.
          Leave it out, or pass on_unused_input='ignore'.
    """)


def test_disconnected_gradient() -> None:
    check("""
        x, w = T.dvector("x"), sg.shared(np.zeros(3), "w")
        cost = (x ** 2).sum()
        sg.grad(cost, w)
    """, """
        DisconnectedInputError: the cost does not depend on w, built at model.py:1, so it has no gradient there. Use it in the cost, leave it out of wrt, or pass disconnected_inputs='ignore' to take zeros
    """)


def test_update_twice() -> None:
    check("""
        w = sg.shared(np.zeros(3), "w")
        sg.function([], updates=[(w, w + 1),
                                 (w, w * 2)])
    """, """
        ValueError: updates: shared variable w (model.py:1) is updated twice:
          with add(w, 1.0), built at model.py:2
          with mul(w, 2.0), built at model.py:3
          Combine the two expressions into one.
    """)


def test_update_of_another_rank() -> None:
    check("""
        w = sg.shared(np.zeros(3), "w")
        sg.function([], updates=[(w, w.sum())])
    """, """
        TypeError: updates: shared variable w (model.py:1) has 1 dimensions (float64[?]), but its update has 0 (float64[]), built at model.py:2
    """)


def test_update_of_another_known_shape() -> None:
    check("""
        w = sg.shared(np.zeros((2, 3)), "w", shape=(2, 3))
        sg.function([], updates=[(w, w.T)])
    """, """
        TypeError: updates: the new value of shared variable w (model.py:1), built at model.py:2, does not fit:
          cannot use a variable of type float64[3,2] where float64[2,3] is wanted
    """)


def test_wrong_rank_at_build() -> None:
    error = failure("""
        x, y = T.dmatrix("x"), T.dtensor3("y")
        T.dot(x, x) @ T.dscalar("z")
    """)
    assert isinstance(error, (TypeError, ValueError))


def test_wrong_known_shape_at_build() -> None:
    error = failure("""
        x = T.dmatrix("x")
        w = sg.shared(np.zeros((784, 10)), "w", shape=(784, 10))
        v = sg.shared(np.zeros((784, 10)), "v", shape=(784, 10))
        h = w @ v
    """)
    assert isinstance(error, ValueError)
    assert "10" in str(error)
    assert "784" in str(error)


def test_wrong_dtype_at_build() -> None:
    error = failure("""
        x, i = T.dvector("x"), T.dscalar("i")
        y = x[i]
    """)
    assert isinstance(error, (TypeError, IndexError))
    assert "float64" in str(error)


def test_given_that_does_not_fit() -> None:
    check("""
        x = T.fmatrix("x")
        data = sg.shared(np.zeros((4, 2)), "data")
        sg.function([], x + 1, givens={x: data})
    """, """
        TypeError: givens: what is given for x (model.py:1) does not fit its type float32[?,?]:
          cannot use a variable of type float64[?,?] where float32[?,?] is wanted
          Cast it, or change the variable's declaration.
    """)


# ---- updates that change the dtype ------------------------------------------------------------------------------


def test_widened_by_an_input() -> None:
    check("""
        w = sg.shared(np.zeros(3, "float32"), "w")
        lr = T.scalar("lr")
        g = sg.grad((w ** 2).sum(), w)
        step = lr * g
        sg.function([lr], updates=[(w, w - step)])
    """, """
        TypeError: updates: shared variable w (model.py:1) is float32, but its update is float64, built at model.py:5.
          float64 comes in at model.py:4: mul of lr (float64[]) and (d?) (float32[?])
          through lr, declared at model.py:2 (with floatX=float32, T.scalar, T.matrix and so on are float32).
          Cast it there, or cast the whole: updates=[(w, T.cast(new_value, 'float32'))]
    """.replace("(d?)", "mul"))


def test_widened_by_a_numpy_constant() -> None:
    check("""
        w = sg.shared(np.zeros(3, "float32"), "w")
        decay = w * np.float64(0.9)
        sg.function([], updates=[(w, decay + 1)])
    """, """
        TypeError: updates: shared variable w (model.py:1) is float32, but its update is float64, built at model.py:3.
          float64 comes in at model.py:2: mul of w (float32[?]) and 0.9 (float64[])
          through the constant 0.9, which NumPy made float64; a plain Python number would not widen it.
          Cast it there, or cast the whole: updates=[(w, T.cast(new_value, 'float32'))]
    """)


def test_widened_by_an_array() -> None:
    check("""
        w = sg.shared(np.zeros(3, "float32"), "w")
        sg.function([], updates=[(w, w + np.arange(3) / 2)])
    """, """
        TypeError: updates: shared variable w (model.py:1) is float32, but its update is float64, built at model.py:2.
          float64 comes in at model.py:2: add of w (float32[?]) and [0.0, 0.5, 1.0] (float64[3])
          through the constant [0.0, 0.5, 1.0], which NumPy made float64; make it float32.
          Cast it there, or cast the whole: updates=[(w, T.cast(new_value, 'float32'))]
    """)


def test_widened_by_another_shared_variable_far_above() -> None:
    check("""
        w = sg.shared(np.zeros(3, "float32"), "w")
        m = sg.shared(np.zeros(3), "m")
        harmless = T.cast(m.sum(), "float32")
        v = 0.9 * m + w
        u = T.tanh(v) * harmless
        sg.function([], updates=[(w, w - u)])
    """, """
        TypeError: updates: shared variable w (model.py:1) is float32, but its update is float64, built at model.py:6.
          float64 comes in at model.py:4: mul of 0.9 (float64[]) and m (float64[?])
          through m, declared at model.py:2.
          Cast it there, or cast the whole: updates=[(w, T.cast(new_value, 'float32'))]
    """)


def test_widened_by_an_operation() -> None:
    check("""
        w = sg.shared(np.zeros(3, "float32"), "w")
        i = T.lscalar("i")
        ratio = w / T.cast(i, "float64")
        sg.function([i], updates=[(w, ratio * 2)])
    """, """
        TypeError: updates: shared variable w (model.py:1) is float32, but its update is float64, built at model.py:4.
          float64 comes in at model.py:3: cast{float64} of i (int64[])
          Cast it there, or cast the whole: updates=[(w, T.cast(new_value, 'float32'))]
    """)


def test_an_integer_counter_made_float() -> None:
    check("""
        count = sg.shared(0, "count")
        sg.function([], updates=[(count, count + 0.5)])
    """, """
        TypeError: updates: shared variable count (model.py:1) is int64, but its update is float64, built at model.py:2.
          float64 comes in at model.py:2: add of count (int64[]) and 0.5 (float64[])
          through the constant 0.5.
          Cast it there, or cast the whole: updates=[(count, T.cast(new_value, 'int64'))]
    """)


# ---- while calling ----------------------------------------------------------------------------------------------


def test_arguments() -> None:
    program = """
        x, y = T.fmatrix("x"), T.ivector("y")
        train = sg.function([x, y], x.sum() + y.sum(), name="train")
    """

    def call(arguments: str) -> Any:
        return failure(textwrap.dedent(program) + "train(" + arguments + ")")

    assert text_of(call("np.ones((2, 2))")) == (
        "TypeError: train() is missing 1 of its 2 inputs: y (int32[?])")
    assert text_of(call("np.ones((2, 2)), [1]")) == (
        "TypeError: function 'train', argument 0 (x): expected float32[?,?], got float64 of shape (2, 2): the conversion would "
        "lose precision. Convert with .astype('float32') or pass allow_input_downcast=True")
    assert text_of(call("np.ones((2, 2), 'f'), [0.5]")) == (
        "TypeError: function 'train', argument 1 (y): expected int32[?], got float64 of shape (1,): the conversion would "
        "lose precision. Convert with .astype('int32') or pass allow_input_downcast=True")
    assert text_of(call("x, [1]")) == (
        "TypeError: function 'train', argument 0 (x): expected a value of type float32[?,?], got the symbolic variable x: a "
        "compiled function takes arrays; to put one expression in the place of another use givens, or clone_replace")


def test_known_shape_of_an_argument() -> None:
    check("""
        x = T.TensorType("float64", (None, 3))("x")
        f = sg.function([x], x.sum())
        f(np.ones((2, 4)))
    """, """
        ValueError: function at model.py:2, argument 0 (x): expected length 3 along axis 1 (float64[?,3]), got an array of shape (2, 4)
    """)


def test_run_time_shapes() -> None:
    check("""
        x, t = T.dvector("x"), T.dvector("t")
        w = sg.shared(np.ones(3), "w")
        loss = T.log(x * w)
        f = sg.function([x, t], (loss - t).sum(), name="loss")
        f(np.ones(3), np.ones(2))
    """, """
        ValueError: sub: shapes (3,) and (2,) do not fit together: axis 0 of the first has length 3, axis 0 of the second 2
        in sub(log(...), t), built at model.py:4, of function 'loss'
          log(...): float64 of shape (3,) = [0.0, 0.0, 0.0]
          t: float64 of shape (2,) = [1.0, 1.0]
          (exception_verbosity=high shows the whole expression; f.source the generated program)
    """)


def test_run_time_shapes_in_a_gradient() -> None:
    error = failure("""
        x, t = T.dmatrix("x"), T.dmatrix("t")
        w = sg.shared(np.ones((3, 2)), "w")
        y = T.tanh(x @ w)
        cost = (y * t).sum()
        f = sg.function([x, t], sg.grad(cost, w))
        f(np.ones((4, 3)), np.ones((5, 2)))
    """)
    assert isinstance(error, ValueError)
    assert re.search(r"built at model\.py:\d \(gradient of \w+\)|built at model\.py:4", error.__notes__[0])
    text_of(error)


def test_run_time_stretching() -> None:
    check("""
        x, b = T.dmatrix("x"), T.dmatrix("b")
        f = sg.function([x, b], x + b)
        f(np.ones((2, 3)), np.ones((1, 3)))
    """, """
        ValueError: add: shapes (2, 3) and (1, 3) do not fit together: axis 0 of the first has length 2, axis 0 of the second 1. Only an axis known to be 1 is stretched: declare it (T.row, T.col, shape=(None, 1)), or use T.addbroadcast
        in add(x, b), built at model.py:2, of function at model.py:2
          x: float64 of shape (2, 3)
          b: float64 of shape (1, 3) = [[1.0, 1.0, 1.0]]
          (exception_verbosity=high shows the whole expression; f.source the generated program)
    """)


def test_run_time_index() -> None:
    check("""
        x, i = T.dvector("x"), T.iscalar("i")
        f = sg.function([x, i], x[i] * 2)
        f(np.ones(3), 7)
    """, """
        IndexError: index 7 is out of bounds for axis 0 with size 3
        in [?](x, i), built at model.py:2, of function at model.py:2
          x: float64 of shape (3,) = [1.0, 1.0, 1.0]
          i: int32 of shape () = 7
          (exception_verbosity=high shows the whole expression; f.source the generated program)
    """)


def test_high_verbosity_shows_the_whole_expression() -> None:
    with config.change_flags(exception_verbosity="high"):
        error = failure("""
            x, t = T.dvector("x"), T.dvector("t")
            f = sg.function([x, t], T.sqrt(T.exp(T.tanh(x))) + t)
            f(np.ones(3), np.ones(2))
        """)
    assert "sqrt(exp(tanh(x)))" in error.__notes__[0]


def test_the_traceback_ends_in_the_generated_line() -> None:
    error = failure("""
        x, i = T.dvector("x"), T.iscalar("i")
        f = sg.function([x, i], x[i] * 2)
        f(np.ones(3), 7)
    """)
    last = traceback.extract_tb(error.__traceback__)[-1]
    assert last.filename.startswith("<symgraph ")
    assert last.line
    assert "x0[int(x1)]" in last.line
    assert last.line in "".join(traceback.format_exception(error))


def test_only_the_first_function_explains() -> None:
    """An operation that calls a compiled function itself: the note is that of the inner one."""
    inner = sg.function([v := T.dvector("v")], v.reshape((7,)), name="inner")

    class Call(sg.Op):
        __props__ = ()

        def make_node(self, x: Any) -> Any:
            return sg.Apply(self, [x], [x.type()])

        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            output_storage[0][0] = inner(inputs[0])

    x = T.dvector("x")
    with pytest.raises(ValueError, match="7") as caught:
        sg.function([x], Call()(x), name="outer")(np.ones(3))
    assert len(caught.value.__notes__) == 1
    assert "inner" in caught.value.__notes__[0]


def test_an_error_that_is_raised_again_is_explained_once() -> None:
    x = T.dvector("x")
    f = sg.function([x], x.reshape((7,)))
    error = None
    for _ in range(2):
        with pytest.raises(ValueError, match="7") as caught:
            f(np.ones(3))
        assert caught.value is not error
        error = caught.value
        assert len(error.__notes__) == 1


# ---- shared variables, modes, flags -----------------------------------------------------------------------------


def test_shared_variables() -> None:
    check("""
        w = sg.shared(np.zeros(3, "float32"), "w")
        w.set_value(np.zeros(3))
    """, """
        TypeError: shared variable w, created at model.py:1: expected float32[?], got float64 of shape (3,): the conversion would lose precision. Convert with .astype('float32') or pass allow_input_downcast=True
    """)
    check("sg.shared(T.dvector('v'))", """
        TypeError: shared takes a value, not the symbolic variable v; give its value, or use it as it is
    """)


def test_flags() -> None:
    check("sg.config.floatx = 'float32'", "ConfigError: unknown configuration flag 'floatx' (did you mean 'floatX'?)")
    check("sg.config.floatX = 'float23'",
          "ConfigError: floatX takes one of float16, float32, float64, not 'float23' (did you mean 'float32'?)")
    check("sg.config.compute_test_value", "AttributeError: unknown configuration flag 'compute_test_value'")


def test_modes() -> None:
    check("sg.function([], T.constant(1.0), mode='FASTRUN')", """
        ValueError: mode must be one of FAST_RUN, FAST_COMPILE, None, DebugMode, NanGuardMode or a Mode, not 'FASTRUN'
    """)
    check("sg.Mode(optimizer='o9')", "ValueError: optimizer must be FAST_RUN, FAST_COMPILE or None, not 'o9'")


def test_notes_of_the_operations_own_are_kept_and_an_odd_operation_hides_no_error() -> None:
    class Odd(sg.Op):
        __props__ = ()
        mute = False

        def make_node(self, x: Any) -> Any:
            return sg.Apply(self, [x], [x.type()])

        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            error = KeyError("mine")
            error.add_note("said by the operation")
            raise error

        def __str__(self) -> Any:
            if self.mute:
                raise RuntimeError("no name")
            return "odd"

    x, op = T.dvector("x"), Odd()
    f = sg.function([x], op(x), name="f")
    with pytest.raises(KeyError, match="mine") as caught:
        f(np.ones(2))
    assert caught.value.__notes__[0] == "said by the operation"
    assert caught.value.__notes__[1].startswith("in odd(x), built at test_error_texts.py:")
    op.mute = True
    with pytest.raises(KeyError, match="mine"):
        f(np.ones(2))
