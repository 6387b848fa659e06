"""The full text of each error a user meets while building. File names are as Python reports them, without folders."""

# ruff: noqa: E501 - a line of a message is a line here

from __future__ import annotations

from tests.compile.texts import check, failure

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
    check("sg.config.compute_test_values",
          "AttributeError: unknown configuration flag 'compute_test_values' (did you mean 'compute_test_value'?)")


def test_modes() -> None:
    check("sg.function([], T.constant(1.0), mode='FASTRUN')", """
        ValueError: mode must be one of FAST_RUN, FAST_COMPILE, None, DebugMode, NanGuardMode or a Mode, not 'FASTRUN'
    """)
    check("sg.Mode(optimizer='o9')", "ValueError: optimizer must be FAST_RUN, FAST_COMPILE or None, not 'o9'")
