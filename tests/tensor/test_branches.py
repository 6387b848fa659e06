"""No NaN or infinity comes back from a branch not taken: through products, sums, shapes, indices, joins, guards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import symgraph as sg
import symgraph.tensor as T
from tests.tensor.common import MODES, compute

X, W, M, A = T.dvector("x"), T.dvector("w"), T.dmatrix("M"), T.dmatrix("A")
VALUES: dict[Any, Any] = {
    X: np.array([0.0, 4.0, -1.0, 2.0]),
    W: np.array([1.0, 2.0, 3.0]),
    M: np.array([[np.nan, 1.0, 2.0], [1.0, 2.0, 3.0], [3.0, -np.inf, 1.0], [2.0, 0.5, 0.0]]),
    A: np.array([[1.0, 0.0], [2.0, 1.0], [0.5, np.nan]]),
}
L = T.log(X)
TAKEN = VALUES[X] > 0
BY_X = np.where(TAKEN, 1 / np.where(TAKEN, VALUES[X], 1), 0)  # of the logarithm, where it is taken
ROWS = VALUES[M][TAKEN]

#: name: (what is summed, by what is differentiated, the gradient)
CASES: dict[str, tuple[Any, Any, Any]] = {
    "reshape": (T.where((X > 0).reshape((2, 2)), L.reshape((2, 2)), 0), X, BY_X),
    "flatten": (T.where(X > 0, T.stack([L, L]).flatten()[:4], 0), X, BY_X),
    "reversed": (T.where((X > 0)[::-1], L[::-1], 0), X, BY_X),
    "index array": (T.where((X > 0)[[1, 0, 1]], L[[1, 0, 1]], 0), X, BY_X * np.array([1, 2, 0, 0])),
    "mask as index": (L[X > 0], X, BY_X),
    "nonzero as index": (L[(X > 0).nonzero()], X, BY_X),
    "set to zero": (T.set_subtensor(L[(X <= 0).nonzero()], 0), X, BY_X),
    "set in turn": (T.set_subtensor(T.set_subtensor(L[0], 0)[2], 0), X, BY_X),
    "increased": (T.where(X > 0, T.inc_subtensor(L[1:], 1.0), 0), X, BY_X),
    "transposed": (T.where((X > 0)[:, None], T.stack([L, 2 * L]).T, 0), X, 3 * BY_X),
    "joined": (T.where(T.concatenate([X > 0, X > 0]), T.concatenate([L, 2 * L]), 0), X, 3 * BY_X),
    "split": (T.where(X[:2] > 0, T.split(L, [2, 2], 2)[0], 0), X, BY_X * np.array([1, 1, 0, 0])),
    "tiled": (T.where(T.tile(X, 2) > 0, T.tile(L, 2), 0), X, 2 * BY_X),
    "repeated": (T.where(T.repeat(X, 2) > 0, T.repeat(L, 2), 0), X, 2 * BY_X),
    "rolled": (T.where(T.roll(X, 1) > 0, T.roll(L, 1), 0), X, BY_X),
    "padded": (T.where(T.pad(X, 1) > 0, T.pad(L, 1), 0), X, BY_X),
    "stretched": (T.where((X > 0)[None, :] & (W > 1)[:, None], L[None, :] * W[:, None], 0), X, 5 * BY_X),
    "stretched, by the other": (T.where((X > 0)[None, :], L[None, :] * W[:, None], 0), W,
                                np.full(3, np.log(VALUES[X][TAKEN]).sum())),
    "condition varies along a sum": (
        T.where((W > 1)[:, None], T.dot(T.ones((3, 1)), L.dimshuffle("x", 0))[:, 1:2], 0), X,
        BY_X * np.array([0, 2, 0, 0])),
    "rows of a product": (T.where(X > 3, T.dot(M, W), 0), W, VALUES[M][1]),
    "rows of a product, by them": (T.where(X > 3, T.dot(M, W), 0), M, np.outer([0, 1, 0, 0], VALUES[W])),
    "product, looked at": (T.where(T.isfinite(T.dot(M, W)), T.dot(M, W), 0), W, VALUES[M][[1, 3]].sum(0)),
    "columns of a product": (T.where(np.array([True, False]), T.dot(M[1:2], A), 0), M,
                             np.outer([0, 1, 0, 0], VALUES[A][:, 0])),
    "columns of a product, by them": (T.where(np.array([True, False]), T.dot(M[1:2], A), 0), A,
                                      np.outer(VALUES[M][1], [1, 0])),
    "vector by matrix": (T.where(np.array([True, False]), T.dot(W, A), 0), W, VALUES[A][:, 0]),
    "two vectors": (T.where(X[0] > 0, T.dot(M[0], W), T.sum(W)), W, np.ones(3)),
    "batched product": (
        T.where((X > 3)[:, None, None], T.matmul(M[:, None, :], W[None, :, None] * np.ones((4, 1, 1))), 0), W,
        VALUES[M][1]),
    "outer product": (T.where((X > 0)[:, None], T.outer(L, W), 0), X, 6 * BY_X),
    "before a product": (T.dot(T.where(X > 0, L, 0), np.arange(4.0)), X, BY_X * np.arange(4)),
    "sum of rows": (T.where(X > 3, T.sum(T.log(M), axis=1), 0), M,
                    np.array([[0] * 3, 1 / VALUES[M][1], [0] * 3, [0] * 3])),
    "mean of rows": (T.where(X > 3, T.mean(T.log(M), axis=1), 0), M,
                     np.array([[0] * 3, 1 / VALUES[M][1] / 3, [0] * 3, [0] * 3])),
    "largest of rows": (T.where(X > 0, T.max(T.sqrt(T.stack([X, X + 1], 1)), axis=1), 0), X,
                        np.where(TAKEN, 0.5 / np.sqrt(np.maximum(VALUES[X], 0) + 1), 0)),
    "product of rows": (T.where(X > 0, T.prod(T.stack([L, L], 1), axis=1), 0), X,
                        2 * BY_X * np.log(np.where(TAKEN, VALUES[X], 1))),
    "norm of rows": (T.where(X > 0, T.nlinalg.norm(T.stack([L + 3, 0 * X], 1), axis=1), 0), X, BY_X),
    "logsumexp of rows": (T.where(X > 0, T.logsumexp(T.stack([L, L], 1), axis=1), 0), X, BY_X),
    "softmax of rows": (T.where((X > 0)[:, None], T.nnet.softmax(T.stack([L, L - 1], 1)), 0)[:, 0], X, np.zeros(4)),
    "running sum": (T.where((X > 0)[:, None], T.cumsum(T.stack([L, L], 1), axis=1), 0), X, 3 * BY_X),
    "one condition for all": (T.where(X[0] > 0, T.log(T.sum(X) * 0), T.sum(X)), X, np.ones(4)),
    "guard by maximum": (T.sqrt(T.maximum(X, 0)), X, np.where(TAKEN, 0.5 / np.sqrt(np.where(TAKEN, VALUES[X], 1)), 0)),
    "guard by minimum": (T.sqrt(-T.minimum(X, 0)), X, np.array([0, 0, -0.5, 0])),
    "guard by clip": (T.where(X > 1, T.log(T.clip(X, 1e-3, 3)), 0), X, np.array([0, 0, 0, 0.5])),
    "sum of two": (T.where(X > 0, L, 0) + T.where(X < 0, T.log(-X), 0), X, np.array([0, 0.25, -1, 0.5])),
    "float condition": (T.switch(T.cast(X > 0, "float64"), L, 0.0), X, BY_X),
    "nested": (T.where(X >= 0, T.where(X > 0, T.log(X), 0), T.sqrt(-X)), X, BY_X + np.array([0, 0, -0.5, 0])),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CASES)
def test_gradient_of_the_branch_taken(name: str, mode: str) -> None:
    out, wrt, expected = CASES[name]
    gradient = sg.grad(T.sum(out), wrt)
    with np.errstate(all="ignore"):
        found = compute(list(VALUES), gradient, list(VALUES.values()), mode)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["reshape", "mask as index", "stretched", "rows of a product", "nested", "joined"])
def test_second_derivative_of_the_branch_taken(name: str) -> None:
    out, wrt, _ = CASES[name]
    second = sg.grad(T.sum(sg.grad(T.sum(out), wrt) ** 2), wrt, disconnected_inputs="ignore")
    with np.errstate(all="ignore"):
        assert np.isfinite(compute(list(VALUES), second, list(VALUES.values()))).all()


@pytest.mark.parametrize("name", ["reshape", "reversed", "joined", "stretched", "guard by maximum", "nested"])
def test_forward_derivative_of_the_branch_taken(name: str) -> None:
    out, wrt, expected = CASES[name]
    pushed = sg.Rop(T.sum(out), wrt, T.ones_like(wrt))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(compute(list(VALUES), pushed, list(VALUES.values())), np.sum(expected), rtol=1e-12)


def test_a_mask_by_multiplication_is_no_branch() -> None:
    """``mask * log(x)`` is NaN at 0 in value, so it is in the gradient: documented, not mended."""
    with np.errstate(all="ignore"):
        assert np.isnan(compute([X], sg.grad(T.sum((X > 0) * L), X), [VALUES[X]], "None")[0])


def test_rectifiers_after_products_cost_nothing() -> None:
    """No factor of a product is looked at when only the product's own sign decides."""
    gradients = sg.grad(T.sum(T.where(T.dot(M, A) > 0, T.dot(M, A), 0)), [M, A])
    product = T.dot(M, A)
    rectified = sg.grad(T.sum(T.nnet.relu(product + 1.0)), [M, A])
    for several, wanted in ((gradients, True), (rectified, False)):
        names = [str(node.op) for node in sg.graph.toposort(several)]
        assert any(name.startswith("any") for name in names) is wanted


# ---- random expressions -----------------------------------------------------------------------------------------

Vector = Any
GUARDED: dict[str, Callable[[Any], Any]] = {
    "log": T.log, "sqrt": T.sqrt, "reciprocal": lambda u: 1 / u, "power": lambda u: u ** 0.5,
    "entropy": lambda u: T.log(u) * u, "arccosh": lambda u: T.arccosh(u + 1), "exp": lambda u: T.exp(-1 / u),
    "root of a cube": lambda u: T.sqrt(u * u * u),
}
#: Ways to write, with structure, what is for one element a plain function of it.
STRUCTURED: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "reshape": (lambda v: v.reshape((-1, 1)).reshape((-1,)), lambda u: u),
    "reversed": (lambda v: v[::-1][::-1], lambda u: u),
    "rows": (lambda v: T.dot(T.stack([v, v + 1], 1), np.array([2.0, -1.0])), lambda u: u - 1),
    "row sums": (lambda v: T.sum(T.stack([v, v * v], 1), axis=1), lambda u: u + u * u),
    "row products": (lambda v: T.prod(T.stack([v, v + 1], 1), axis=1), lambda u: u * (u + 1)),
    "row maxima": (lambda v: T.max(T.stack([v, v + 1], 1), axis=1), lambda u: u + 1),
    "joined": (lambda v: T.concatenate([v, 2 * v])[v.shape[0]:], lambda u: 2 * u),
    "chosen": (lambda v: T.concatenate([v, v])[T.arange(v.shape[0])], lambda u: u),
    "batched": (lambda v: T.matmul(v[:, None, None], 3 * np.ones((4, 1, 1)))[:, 0, 0], lambda u: 3 * u),
    "stretched": (lambda v: T.sum(v[:, None] * np.ones((1, 3)), axis=1), lambda u: 3 * u),
    "running": (lambda v: T.cumsum(T.stack([v, v], 1), axis=1)[:, 1], lambda u: 2 * u),
}


@st.composite
def trees(draw: Any, depth: int = 3) -> Any:
    """A recipe: what to apply, and to what; ``"x"`` is the variable."""
    kind = draw(st.sampled_from(["x"] if depth == 0 else ["x", "where", "where", "guard", "written", "plain", "both"]))
    if kind == "x":
        return "x"
    below = trees(depth=depth - 1)
    edge = draw(st.sampled_from([0.0, 1.0, -1.0]))
    if kind == "where":
        structure = draw(st.sampled_from([None, *STRUCTURED]))
        branch = draw(st.sampled_from(list(GUARDED)))
        return kind, draw(below), edge, branch, structure, draw(below), draw(st.booleans())
    if kind == "written":
        return kind, draw(below), edge, draw(st.sampled_from(list(GUARDED)))
    if kind == "guard":
        return kind, draw(below), edge
    if kind == "plain":
        return kind, draw(below), draw(st.sampled_from(list(STRUCTURED)))
    return kind, draw(below), draw(below), draw(st.booleans())


def whole(tree: Any, x: Any) -> Any:
    """The recipe as an expression of the vector, with `where` and guards."""
    if tree == "x":
        return x
    kind, first, *rest = tree
    v = whole(first, x)
    if kind == "where":
        edge, name, structure, other, flipped = rest
        branch = GUARDED[name](v - edge)
        branch = STRUCTURED[structure][0](branch) if structure else branch
        other = whole(other, x)
        return T.where(v <= edge, other, branch) if flipped else T.where(v > edge, branch, other)
    if kind == "written":
        edge, name = rest
        return T.set_subtensor(GUARDED[name](v - edge)[(v <= edge).nonzero()], 0)
    if kind == "guard":
        return T.sqrt(T.maximum(v - rest[0], 0))
    if kind == "plain":
        return STRUCTURED[rest[0]][0](v)
    other, product = whole(rest[0], x), rest[1]
    return v * other if product else v - other


def single(tree: Any, x: Any, at: float) -> tuple[Any, float]:
    """The recipe for one element, with only the branches taken at a number; and its value there."""
    if tree == "x":
        return x, at
    kind, first, *rest = tree
    u, here = single(first, x, at)
    if kind in ("where", "written") and here > rest[0]:
        u = GUARDED[rest[1]](u - rest[0])
        if kind == "where" and rest[2]:
            u = STRUCTURED[rest[2]][1](u)
    elif kind == "where":
        return single(rest[3], x, at)
    elif kind == "written" or (kind == "guard" and here <= rest[0]):
        u = 0 * x
    elif kind == "guard":
        u = T.sqrt(u - rest[0])
    elif kind == "plain":
        u = STRUCTURED[rest[0]][1](u)
    else:
        other, _ = single(rest[0], x, at)
        u = u * other if rest[1] else u - other
    return u, float(compute([x], u, [np.asarray(at)]))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=trees(), values=st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0]), min_size=4, max_size=4),
       mode=st.sampled_from(MODES))
def test_random_guarded_expressions(tree: Any, values: list[float], mode: str) -> None:
    """The gradient is that of the branches taken, element by element."""
    check(tree, values, mode)


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=trees(depth=4), values=st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0]), min_size=4, max_size=4),
       mode=st.sampled_from(MODES))
def test_many_random_guarded_expressions(tree: Any, values: list[float], mode: str) -> None:
    check(tree, values, mode)


def check(tree: Any, values: list[float], mode: str) -> None:
    assume(tree != "x")
    x, scalar = T.dvector("x"), T.dscalar("x")
    weights = np.array([1.0, -2.0, 0.5, 3.0])
    expected = []
    with np.errstate(all="ignore"):
        for at, weight in zip(values, weights, strict=True):
            one, value = single(tree, scalar, at)
            derivative = sg.grad(one * weight, scalar, disconnected_inputs="ignore")
            slope = float(compute([scalar], derivative, [np.asarray(at)]))
            assume(np.isfinite(value) and np.isfinite(slope) and abs(slope) < 1e6)
            expected.append(slope)
        cost = T.dot(whole(tree, x), weights)
        found = compute([x], sg.grad(cost, x), [np.array(values)], mode)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
