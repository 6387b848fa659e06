"""Elementwise functions beyond their records: operators, methods, NumPy's own functions, casts, policy."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import TensorType
from tests.tensor.common import compute

A, B = np.array([5.0, -3.0, 2.5]), np.array([2.0, 2.0, -1.5])
BINARY = ["add", "sub", "mul", "truediv", "floordiv", "mod", "lt", "le", "gt", "ge"]


@pytest.mark.parametrize("name", BINARY)
def test_operators(name: str) -> None:
    """Between tensors, and with arrays and numbers on either side."""
    apply = getattr(operator, name)
    x, y = T.dvectors("x", "y")
    out = [apply(x, y), apply(x, B), apply(A, y), apply(x, 2), apply(2.5, y), apply(np.float64(2), y)]
    for found, expected in zip(compute([x, y], out, [A, B]), [
        apply(A, B), apply(A, B), apply(A, B), apply(A, 2), apply(2.5, B), apply(2.0, B)
    ], strict=True):
        np.testing.assert_array_equal(found, expected)


def test_integer_operators() -> None:
    i, j = T.lvectors("i", "j")
    a, b = np.array([6, 9, -4]), np.array([1, 3, 2])
    out = [i & j, i | 1, 1 ^ j, ~i, i << j, i >> 1, i**j, divmod(i, j)[0], divmod(7, j)[1], -i, +i, abs(i), i @ j]
    expected = [a & b, a | 1, 1 ^ b, ~a, a << b, a >> 1, a**b, a // b, 7 % b, -a, a, abs(a), a @ b]
    for found, wanted in zip(compute([i, j], out, [a, b]), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_methods_are_the_functions() -> None:
    x = T.dmatrix("x")
    values = np.array([[1.5, -2.5], [0.25, 4.0]])
    pairs = [
        (x.sum(axis=0), values.sum(0)), (x.prod(), values.prod()),
        (x.mean(axis=1, keepdims=True), values.mean(1, keepdims=True)),
        (x.var(), values.var()), (x.std(axis=0), values.std(0)), (x.max(), values.max()),
        (x.min(axis=1), values.min(1)),
        (x.argmax(axis=0), values.argmax(0)), (x.argmin(), values.argmin()), (x.all(), values.all()),
        (x.any(axis=0), values.any(0)),
        (x.clip(-1, 1), values.clip(-1, 1)), (x.round(), values.round()), (x.astype("int8"), values.astype("int8")),
        (x.flatten(), values.ravel()), (x.ravel(), values.ravel()), (x.reshape((1, 4)), values.reshape(1, 4)),
        (x.reshape(4, 1), values.reshape(4, 1)), (x.T, values.T), (x.transpose(1, 0), values.T),
        (x.swapaxes(0, 1), values.T),
        (x.dimshuffle(1, "x", 0), values.T[:, None]), (x.dot(x), values @ values),
        (x.take([1, 0], axis=1), values[:, ::-1]),
        (x.norm(2), np.sqrt((values**2).sum())), (x.fill(3.0), np.full((2, 2), 3.0)), (x.copy(), values),
        (x.zeros_like(), np.zeros((2, 2))), (x.ones_like(), np.ones((2, 2))), (x.conj(), values), (x.real, values),
        (x.imag, np.zeros((2, 2))), (x.shape, [2, 2]), (x.size, 4), (x.nonzero()[0], values.nonzero()[0]),
        (x.nonzero(return_matrix=True), np.stack(values.nonzero())), (T.inv(x), 1 / values), (T.abs_(x), abs(values)),
    ]
    for found, (_, expected) in zip(compute([x], [p[0] for p in pairs], [values]), pairs, strict=True):
        np.testing.assert_allclose(found, expected)
    assert (x.ndim, x.dtype, x.broadcastable) == (2, "float64", (False, False))


def test_many_arguments() -> None:
    x, y, z = T.dscalars("x", "y", "z")
    found = compute([x, y, z], [T.add(x, y, z), T.mul(x, y, z, 2), T.add(x)], [np.asarray(v) for v in (1.0, 2.0, 3.0)])
    assert [float(v) for v in found] == [6, 12, 1]
    assert (x + y).owner.op == T.add
    assert T.add == T.add
    assert hash(T.add) == hash((x + y).owner.op)
    with pytest.raises(TypeError, match="at least one"):
        T.add()


def test_numpy_functions_build_nodes() -> None:
    x, y = T.dvectors("x", "y")
    assert np.exp(x).owner.op == T.exp
    assert np.maximum(A, y).owner.op == T.maximum
    np.testing.assert_allclose(compute([x, y], np.hypot(x, y) @ A, [A, B]), np.hypot(A, B) @ A)
    with pytest.raises(TypeError, match="out"):
        np.exp(x, out=np.zeros(3))
    with pytest.raises(TypeError, match="reduce"):
        np.subtract.reduce(x)


def test_what_needs_a_value_says_what_to_do() -> None:
    x = T.dvector("x")
    for use, hint in ((bool, r"T\.switch"), (len, r"shape\[0\]"), (list, "scan"), (np.asarray, r"\.eval"),
    (float, r"\.eval"),
                      (int, "no number"), (operator.index, "Python integer")):
        with pytest.raises(TypeError, match=hint):
            use(x)
    assert len(TensorType("int8", (3,))()) == 3
    assert len(list(TensorType("int8", (3,))())) == 3
    assert {x: 1}[x] == 1
    assert (x == x) is True
    assert (x == T.dvector("x")) is False


def test_functions_composed_of_others() -> None:
    x = T.dvector("x")
    values = np.array([0.5, 1.5, -2.5, 2.4, np.nan])[:4]
    np.testing.assert_array_equal(compute([x], T.iround(x), [values]), np.rint(values).astype("int64"))
    np.testing.assert_array_equal(compute([x], T.round(x, mode="half_away_from_zero"), [values]), [1, 2, -3, 2])
    with pytest.raises(ValueError, match="half_to_even"):
        T.round(x, mode="up")
    near = values + 1e-9
    assert bool(compute([x], T.allclose(x, near), [values]))
    assert not bool(compute([x], T.allclose(x, near, rtol=0, atol=1e-12), [values]))
    special = np.array([np.nan, np.inf, -np.inf, 1.0])
    for equal_nan in (False, True):
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(compute([x], T.isclose(x, special, equal_nan=equal_nan), [special]),
                                          np.isclose(special, special, equal_nan=equal_nan))


@pytest.mark.parametrize("target", ["bool", "int8", "uint16", "int64", "float16", "float32", "float64", "complex64"])
def test_casts(target: str) -> None:
    for source in ("bool", "int8", "uint8", "int64", "float32", "float64"):
        x = TensorType(source, (None,))("x")
        values = np.array([0, 1, 3]).astype(source)
        out = T.cast(x, target)
        assert (out is x) == (source == target)
        found = compute([x], out, [values])
        np.testing.assert_array_equal(found, values.astype(target))
        assert found.dtype == target


def test_complex_is_not_cast_to_real() -> None:
    with pytest.raises(TypeError, match=r"real\(\)"):
        T.cast(T.zvector(), "float64")


def test_cast_policy_keeps_floats_at_floatx() -> None:
    """With floatX float32, integers beside single precision give single; a float64 tensor still gives double."""
    with sg.config.change_flags(floatX="float32"):
        i, x, d = T.lvector("i"), T.fvector("x"), T.dvector("d")
        for out in (i * x, i / i, T.exp(i), x + i / 2, T.mean(i), T.switch(i > 0, x, 0.5)):
            assert out.type.dtype == "float32"
        assert (d + x).type.dtype == "float64"
        with sg.config.change_flags(cast_policy="numpy"):
            assert (i * x).type.dtype == "float64"


def test_weak_numbers_do_not_widen() -> None:
    x = T.fmatrix("x")
    out = (2 * x + 0.5) ** 2 / 3 - 1e-3
    assert out.type.dtype == "float32"
    assert (T.bvector() + 1).type.dtype == "int8"
    assert (T.bvector() + 1.0).type.dtype == "float64"
    assert (x + np.float64(1)).type.dtype == "float64"


SPECIAL_ORDERS = {"gammainc": 0, "gammaincc": 0, "jv": 0, "iv": 0, "chi2sf": 1}


@pytest.mark.parametrize("name", SPECIAL_ORDERS)
def test_an_unknown_derivative_is_refused_and_the_known_one_is_not(name: str) -> None:
    """By the order nothing is known; that is said when it is asked for, and stands in nobody's way otherwise."""
    a, b = T.dvectors("a", "b")
    place = SPECIAL_ORDERS[name]
    cost = getattr(T, name)(a, b).sum()
    assert np.isfinite(sg.grad(cost, (a, b)[1 - place]).eval({a: np.ones(2), b: np.ones(2)})).all()
    with pytest.raises(Exception, match=f"the derivative of {name} by its argument {place} is not known"):
        sg.grad(cost, (a, b)[place])


@pytest.mark.parametrize("name", ["j1", "i1", "sinc", "xlogy0"])
def test_special_functions_are_smooth_at_zero(name: str) -> None:
    x = T.dscalar("x")
    out = T.xlogy0(2.0, x + 1) if name == "xlogy0" else getattr(T, name)(x)
    value, slope = (e.eval({x: 0.0}) for e in (out, sg.grad(out, x)))
    assert [float(value), float(slope)] == {"j1": [0, 0.5], "i1": [0, 0.5], "sinc": [1, 0], "xlogy0": [0, 2]}[name]


def test_logarithms_of_what_is_left_lose_nothing() -> None:
    x = T.dvector("x")
    tiny = np.array([-1e-300, -1e-20, -0.5, -0.6931, -0.6932, -800.0])
    with np.errstate(all="ignore"):
        found = T.log1mexp(x).eval({x: tiny})
    np.testing.assert_allclose(found[:2], np.log([1e-300, 1e-20]), rtol=1e-14)
    np.testing.assert_allclose(found[2:], [np.log1p(-np.exp(v)) for v in tiny[2:]], rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_polygamma_far_below_zero(order: int) -> None:
    """Against sums of the definition; and where those have too many terms, against the period they settle in."""
    x = T.dvector("x")
    f = sg.function([x], T.polygamma(order, x))
    near = -np.array([64.25, 70.5, 300.75, 2000.125])
    terms = np.arange(200_000.0)[:, None]
    sign = (-1) ** (order + 1)
    factorial = float(np.prod(np.arange(1, order + 1)))
    wanted = sign * factorial * ((near + terms) ** -(order + 1.0)).sum(axis=0)
    np.testing.assert_allclose(f(near), wanted, rtol=1e-4 if order == 1 else 1e-9, atol=1e-9)
    settled = -np.array([1e9, 1e12]) + 0.25
    np.testing.assert_allclose(f(settled), f([-1e6 + 0.25, -1e6 + 0.25]), rtol=1e-5)
    assert np.isinf(f([-100.0, -1e300, -np.inf])).all()
