"""Which floats arise from which inputs: the flags cast_policy, floatX and warn_float64 over all kinds of operation."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T

#: Operations of int64 alone, and of int64 beside float32: NumPy makes float64 of both.
OF_INTEGERS: dict[str, Callable[[Any], Any]] = {
    "/": lambda i: i / i, "reflected /": lambda i: 2 / i, "** -0.5": lambda i: i ** -0.5, "* 0.5": lambda i: i * 0.5,
    "+ 1.5": lambda i: 1.5 + i, "exp": T.exp, "sqrt": T.sqrt, "arctan2": lambda i: T.arctan2(i, i), "erf": T.erf,
    "switch": lambda i: T.switch(i, i, 0.5), "np.exp": np.exp, "maximum": lambda i: T.maximum(i, 0.5),
    "//": lambda i: i // 0.5,
}
WITH_FLOATS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda i, x: i + x, "reflected -": lambda i, x: x - i, "*": lambda i, x: i * x, "/": lambda i, x: i / x,
    "**": lambda i, x: x ** i, "%": lambda i, x: x % i, "switch": lambda i, x: T.switch(i > 0, i, x),
    "minimum": T.minimum, "np.add": np.add, "dot": T.dot, "@": lambda i, x: i @ x, "outer": T.outer,
    "join": lambda i, x: T.concatenate([i, x]), "stack": lambda i, x: T.stack([i, x]),
    "clip": lambda i, x: T.clip(i, x, x),
}


@pytest.mark.parametrize("name", OF_INTEGERS)
def test_integers_make_floatx(name: str) -> None:
    i = T.lvector("i")
    with sg.config.change_flags(floatX="float32"):
        assert OF_INTEGERS[name](i).dtype == "float32"
        with sg.config.change_flags(cast_policy="numpy"):
            assert OF_INTEGERS[name](i).dtype == "float64"
    assert OF_INTEGERS[name](i).dtype == "float64"


@pytest.mark.parametrize("name", WITH_FLOATS)
def test_an_integer_beside_a_float_keeps_floatx(name: str) -> None:
    i, x = T.lvector("i"), T.fvector("x")
    with sg.config.change_flags(floatX="float32"):
        found = WITH_FLOATS[name](i, x)
        assert found.dtype == "float32"
        value = sg.function([i, x], found)(np.array([1, 2]), np.array([2.0, 3.0], "float32"))
        assert value.dtype == "float32"
        with sg.config.change_flags(cast_policy="numpy"):
            assert WITH_FLOATS[name](i, x).dtype == "float64"
        assert WITH_FLOATS[name](i, T.dvector()).dtype == "float64"


@pytest.mark.parametrize("name", [*OF_INTEGERS, *WITH_FLOATS])
def test_a_float64_from_nowhere_is_reported_at_its_line(name: str) -> None:
    i, x = T.lvector("i"), T.fvector("x")
    build = OF_INTEGERS.get(name) or (lambda v: WITH_FLOATS[name](v, x))
    with sg.config.change_flags(cast_policy="numpy", warn_float64="raise"), pytest.raises(
        TypeError, match=r"gives float64, at test_float_policy\.py:\d+; cast its inputs"
    ):
        build(i)
    with sg.config.change_flags(cast_policy="numpy", warn_float64="warn"), warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert build(i).dtype == "float64"
    assert len(seen) == 1
    assert Path(seen[0].filename).name == "test_float_policy.py"
    with sg.config.change_flags(cast_policy="floatX", floatX="float32", warn_float64="raise"):
        assert build(i).dtype == "float32"


@pytest.mark.parametrize("level", ["warn", "raise"])
def test_what_was_asked_for_is_not_reported(level: str) -> None:
    i, x, y = T.lvector(), T.fvector(), T.dvector()
    with sg.config.change_flags(warn_float64=level, cast_policy="numpy"):
        assert T.cast(x, "float64").dtype == i.astype("float64").dtype == "float64"
        assert (x + y).dtype == (i * y).dtype == T.concatenate([i, y]).dtype == "float64"
        assert (x * 2.0).dtype == T.exp(x).dtype == (x / 3).dtype == "float32"
        assert (i + 1).dtype == "int64"


def test_a_cast_goes_straight_to_its_dtype() -> None:
    i = T.lvector("i")
    with sg.config.change_flags(floatX="float32"):
        found = T.cast(i, "float64").eval({i: [2**24 + 1]})
    assert found.tolist() == [2**24 + 1]


def test_a_cost_is_real() -> None:
    z = T.zscalar("z")
    with pytest.raises(TypeError, match=r"must be a real scalar.*complex128.*Take its real\(\)"):
        sg.grad(z * z, z)


@pytest.mark.parametrize("write", [T.set_subtensor, T.inc_subtensor])
@pytest.mark.parametrize("value", [T.dscalar("y"), np.ones(1), T.dvector("y"), [np.float64(1)]])
def test_writing_a_wider_float_is_refused(write: Callable[..., Any], value: Any) -> None:
    x = T.fvector("x")
    with pytest.raises(TypeError, match=r"_subtensor: .*float64.*x, of type float32.*T\.cast\(value, 'float32'\)"):
        write(x[:1], value)
    assert write(x[:1], T.cast(value, "float32")).dtype == "float32"
    for fits in (1.5, [1.5], 2, T.iscalar(), T.TensorType("float16", ())()):
        assert write(x[:1], fits).dtype == "float32"


def test_hypot_has_the_gradient_zero_at_the_origin() -> None:
    x, y = T.dvectors("x", "y")
    gradients = sg.grad(T.hypot(x, y).sum(), [x, y])
    gx, gy = sg.function([x, y], gradients)(np.array([0.0, 3.0, -0.0]), np.array([0.0, 4.0, 2.0]))
    np.testing.assert_array_equal(gx, [0.0, 0.6, 0.0])
    np.testing.assert_array_equal(gy, [0.0, 0.8, 1.0])


def test_a_float64_from_nowhere_opens_the_debugger(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    opened = []
    monkeypatch.setattr("sys.breakpointhook", lambda: opened.append(True))
    i, x = T.lvector("i"), T.fvector("x")
    with sg.config.change_flags(cast_policy="numpy", warn_float64="pdb"):
        assert (i * x).dtype == "float64"
        assert (x * x).dtype == "float32"
    assert opened == [True]
    assert "gives float64, at test_float_policy.py" in capsys.readouterr().out
