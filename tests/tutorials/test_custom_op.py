"""The tutorial on operations and types of one's own runs, and its operations are right."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.testing import verify_grad
from tutorials import custom_op
from tutorials.custom_op import Logit, PolynomialAt, median_of, polynomial, step


@pytest.mark.parametrize("size", ["3", "1000"])
def test_the_tour(capsys: pytest.CaptureFixture[str], size: str) -> None:
    assert custom_op.main(["--size", size]) == 0
    told = capsys.readouterr().out
    for promise in ("NullTypeGradError", "falls from", "agree with finite differences", "DebugMode finds nothing wrong",
                    "1.414213562373"):
        assert promise in told


def test_a_wrong_size_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        custom_op.main(["--size", "2"])
    assert "--size must be at least 3" in capsys.readouterr().err


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "None", "DebugMode"])
def test_its_operations(mode: str) -> None:
    x, m, p = T.dvector("x"), T.dmatrix("m"), polynomial("p")
    value = np.array([0.2, 0.7])
    f = sg.function([x, m, p], [Logit()(x), median_of(m), step(x - 0.5), sg.grad((3 * step(x)).sum(), x),
                                PolynomialAt()(p, x), sg.grad(PolynomialAt()(p, x).sum(), x)], mode=mode)
    found = f(value, [[1.0, 5.0, 2.0]], [1.0, 2.0, 3.0])
    wanted = [np.log(value / (1 - value)), [2.0], [0.0, 1.0], [3.0, 3.0], 1 + 2 * value + 3 * value ** 2, 2 + 6 * value]
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b)


def test_derivatives_of_the_operation() -> None:
    verify_grad(Logit(-1.0, 3.0), [np.array([0.5, 1.0, 2.0])], rng=np.random.default_rng(0))
    with pytest.raises(TypeError, match="Logit takes float32 or float64, not int64"):
        Logit()(T.lvector("i"))
