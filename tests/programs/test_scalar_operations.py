"""Programs that bring functions of numbers of their own."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import symgraph as theano
import symgraph.tensor as T
from symgraph.errors import NullTypeGradError
from symgraph.testing import verify_grad


class Cube(theano.scalar.UnaryScalarOp):  # type: ignore[name-defined, misc]
    def impl(self, x: float) -> float:
        return x ** 3

    def grad(self, inputs: Sequence[Any], output_gradients: Sequence[Any]) -> list[Any]:
        return [output_gradients[0] * 3 * inputs[0] ** 2]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))


class Length(theano.scalar.BinaryScalarOp):  # type: ignore[name-defined, misc]
    def impl(self, x: float, y: float) -> float:
        return math.hypot(x, y)


cube = T.Elemwise(Cube(theano.scalar.upgrade_to_float, name="cube"), name="cube")
length = T.Elemwise(Length(theano.scalar.upgrade_to_float))


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "None", "DebugMode"])
def test_value_gradient_broadcasting_and_a_loop(mode: str) -> None:
    x, n = T.dmatrix("x"), T.ivector("n")
    rows, _ = theano.scan(lambda row: cube(row).sum(), x)
    f = theano.function([x, n], [cube(x) + 1, length(x, n), theano.grad(cube(x).sum(), x), rows], mode=mode)
    points = np.array([[1.0, 2.0], [-3.0, 0.5]])
    value, lengths, slope, sums = f(points, [3, 4])
    np.testing.assert_allclose(value, points ** 3 + 1)
    np.testing.assert_allclose(lengths, np.hypot(points, [3, 4]))
    np.testing.assert_allclose(slope, 3 * points ** 2)
    np.testing.assert_allclose(sums, (points ** 3).sum(axis=1))
    assert f(np.zeros((0, 2)), [3, 4])[0].shape == (0, 2)
    verify_grad(cube, [points])


def test_dtypes_equality_and_saving() -> None:
    assert [cube(v).dtype for v in (T.fvector(), T.dvector(), T.ivector())] == ["float32", "float64", "float64"]
    assert cube == T.Elemwise(Cube(theano.scalar.upgrade_to_float, name="cube"))
    assert T.Elemwise(Cube())(T.ivector()).dtype == "int32"
    x = T.dvector("x")
    saved = pickle.loads(pickle.dumps(theano.function([x], cube(x))))
    np.testing.assert_array_equal(saved([2.0]), [8.0])
    refusing = T.Elemwise(Cube(theano.scalar.upgrade_to_float_no_complex))
    with pytest.raises(TypeError, match=r"[cC]ube is not defined"):
        refusing(T.zvector())


def test_what_is_not_defined_says_so() -> None:
    x = T.dvector("x")
    with pytest.raises(NullTypeGradError, match="Length"):
        theano.grad(length(x, x).sum(), x)
    f = theano.function([x], T.Elemwise(theano.scalar.UnaryScalarOp(name="empty"))(x))
    with pytest.raises(NotImplementedError, match="must define impl"):
        f([1.0])
    with pytest.raises(TypeError, match="Elemwise takes a scalar function, such as"):
        T.Elemwise(3)
    with pytest.raises(TypeError, match="must say how many numbers it takes"):
        T.Elemwise(theano.scalar.ScalarOp())


def test_theano_s_classes_of_special_functions() -> None:
    from symgraph.scalar.basic_scipy import GammaLn, Psi  # type: ignore[import-not-found]

    x = T.dvector("x")
    gammaln = T.Elemwise(GammaLn(theano.scalar.upgrade_to_float, name="scalar_gammaln"), name="gammaln")
    assert gammaln(x).owner.op == T.gammaln(x).owner.op
    assert T.Elemwise(Psi(theano.scalar.upgrade_to_float))(x).owner.op == T.psi(x).owner.op


def test_the_oldest_form_of_stack() -> None:
    x, y = T.dscalars("x", "y")
    stacked = [T.stack(x, y, 2), T.stack(1, x), T.stack(x, 4), T.stack([x, y])]
    values = [s.eval({v: value for v, value in ((x, 3.0), (y, 5.0)) if v in theano.gof.graph.inputs([s])})
              for s in stacked]
    np.testing.assert_array_equal(values[0], [3, 5, 2])
    for value, wanted in zip(values[1:], ([1, 3], [3, 4], [3, 5]), strict=True):
        np.testing.assert_array_equal(value, wanted)


def test_gates_of_gradients_take_arrays_of_one_number() -> None:
    x = T.dvector("x")
    scaled = theano.gradient.grad_scale(x, np.array(0.5))
    clipped = theano.gradient.grad_clip(x, np.float64(-1), np.array(1.0))
    f = theano.function([x], theano.grad((scaled ** 2 + clipped ** 2).sum(), x))
    np.testing.assert_allclose(f([0.25, 3.0]), [0.25 + 0.5, 3.0 + 1.0])
