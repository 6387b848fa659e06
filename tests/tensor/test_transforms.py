"""Fourier transforms and Einstein's sums: inverses, unknown lengths, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from tests.records import RECORDS

M = T.dmatrix("M")


def test_every_transform_has_a_record() -> None:
    recorded = {r.name for r in RECORDS}
    assert {"fft.rfft", "fft.irfft"} < recorded
    assert {f"fourier.{name}" for name in T.fourier.__all__} - {"fourier.Fourier"} <= recorded
    for name in set(T.fft.__all__) - {"rfft", "irfft"}:
        assert getattr(T.fft, name) is getattr(T.fourier, name)


@pytest.mark.parametrize("norm", [None, "ortho"])
@pytest.mark.parametrize("length", [4, 5])
def test_the_inverse_undoes_the_transform(norm: str | None, length: int) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, length))
    y = T.dtensor3("y")
    back = T.fft.irfft(T.fft.rfft(y, norm), norm, is_odd=length % 2 == 1)
    np.testing.assert_allclose(back.eval({y: x}), x, atol=1e-14)


def test_a_signal_s_energy_is_that_of_its_transform() -> None:
    x = np.random.default_rng(1).normal(size=(2, 6))
    energy = (T.fft.rfft(M, "ortho") ** 2).sum(-1) * [1.0, 2, 2, 1]
    np.testing.assert_allclose(energy.sum(1).eval({M: x}), (x**2).sum(1))


def test_pairs_are_looked_for_at_run_time() -> None:
    y = T.dtensor3("y")
    f = sg.function([y], T.fft.irfft(y))
    with pytest.raises(ValueError, match="length 2 was specified for axis 2"):
        f(np.ones((2, 4, 3)))


def test_sums_of_products_of_unknown_lengths() -> None:
    a, b, c = T.dtensor3("a"), T.dmatrix("b"), T.dvector("c")
    f = sg.function([a, b, c], T.einsum("ijk,kl,l->ij", a, b, c))
    values = [np.random.default_rng(2).normal(size=shape) for shape in ((2, 3, 4), (4, 5), (5,))]
    np.testing.assert_allclose(f(*values), np.einsum("ijk,kl,l->ij", *values))


def test_a_trace_of_what_is_not_square_is_refused() -> None:
    with pytest.raises(ValueError, match="must have length 2"):
        sg.function([M], T.einsum("ii", M))(np.ones((2, 3)))


def test_products_are_taken_in_the_cheaper_order() -> None:
    """A chain whose first product would be large is multiplied from its end."""
    chain = [T.TensorType("float64", shape)() for shape in ((100, 2), (2, 100), (100, 1))]
    lengths = {v.type.shape for v in sg.graph.ancestors([T.einsum("ij,jk,kl->il", *chain)])}
    assert (100, 100) not in lengths


CASES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "einsum operands": (lambda: T.einsum("ij,jk", M), ValueError, "names 2 operands, but 1 are given"),
    "einsum rank": (lambda: T.einsum("ijk", M), ValueError, "names 3 axes of an operand of 2"),
    "einsum axes left": (lambda: T.einsum("i", M), ValueError, "names 1 axes of an operand of 2"),
    "einsum result": (lambda: T.einsum("ij->ik", M), ValueError, "axes that no operand has: k"),
    "einsum twice": (lambda: T.einsum("ij->ii", M), ValueError, "an axis of the result twice"),
    "einsum letters": (lambda: T.einsum("i1", M), ValueError, "named by letters"),
    "einsum lengths": (lambda: T.einsum("ij,jk", np.ones((2, 3)), np.ones((4, 2))), ValueError,
                       "axis 'j' has length 3 in one place and 4 in another"),
    "einsum text": (lambda: T.einsum(M, M), TypeError, "the subscripts are a string"),
    "rfft of complex": (lambda: T.fft.rfft(T.zmatrix()), TypeError, "complex ones as pairs"),
    "rfft of a vector": (lambda: T.fft.rfft(T.dvector()), TypeError, "at least 2 dimensions"),
    "rfft norm": (lambda: T.fft.rfft(M, "forward"), ValueError, "norm must be None, 'ortho' or 'no_norm'"),
    "irfft rank": (lambda: T.fft.irfft(M), TypeError, "at least 3 dimensions"),
    "irfft pairs": (lambda: T.fft.irfft(np.ones((1, 3, 3))), ValueError, "last axis holds pairs"),
    "irfft parity": (lambda: T.fft.irfft(T.dtensor3(), is_odd="no"), ValueError, "must be True or False"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", CASES)
def test_wrong_arguments_are_refused_when_building(name: str) -> None:
    build, kind, message = CASES[name]
    with pytest.raises(kind, match=message):
        build()
