"""The full text of each error a user meets while calling. File names are as Python reports them, without folders."""

# ruff: noqa: E501 - a line of a message is a line here

from __future__ import annotations

import textwrap
import traceback
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.config import config
from tests.compile.texts import check, failure, text_of

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
          t: float64 of shape (2,) = [1.0, 1.0]
          (exception_verbosity=high shows the whole expression; f.source the generated program)
    """)


def test_run_time_shapes_in_a_gradient() -> None:
    check("""
        x, t = T.dmatrix("x"), T.dmatrix("t")
        w = sg.shared(np.ones((3, 2)), "w")
        y = T.log(T.nnet.sigmoid(x @ w))
        cost = (y * t).sum()
        step = sg.function([x, t], sg.grad(cost, w), name="step")
        step(np.ones((4, 3)), np.ones((5, 2)))
    """, """
        ValueError: mul: shapes (5, 2) and (4, 2) do not fit together: axis 0 of the first has length 5, axis 0 of the second 4
        in mul(t, sub(..., 3.307553003638408e-308)), built at model.py:3 (gradient of sigmoid), of function 'step'
          t: float64 of shape (5, 2)
          (exception_verbosity=high shows the whole expression; f.source the generated program)
    """)


def test_run_time_reshape() -> None:
    check("""
        x = T.dvector("x")
        f = sg.function([x], x.reshape((2, 2)))
        f(np.ones(3))
    """, """
        ValueError: cannot reshape array of size 3 into shape (2,2)
        in reshape(x, 2, 2), built at model.py:2, of function at model.py:2
          x: float64 of shape (3,) = [1.0, 1.0, 1.0]
          (exception_verbosity=high shows the whole expression; f.source the generated program)
    """)


def test_run_time_product() -> None:
    check("""
        x, y = T.dmatrices("x", "y")
        f = sg.function([x, y], x @ y)
        f(np.ones((2, 3)), np.ones((4, 5)))
    """, """
        ValueError: shapes (2,3) and (4,5) not aligned: 3 (dim 1) != 4 (dim 0)
        in dot(x, y), built at model.py:2, of function at model.py:2
          x: float64 of shape (2, 3)
          y: float64 of shape (4, 5)
          (exception_verbosity=high shows the whole expression; f.source the generated program)
    """)


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
    assert "x0[i0]" in last.line
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
    assert caught.value.__notes__[1].startswith("in odd(x), built at test_error_texts_running.py:")
    op.mute = True
    with pytest.raises(KeyError, match="mine"):
        f(np.ones(2))
