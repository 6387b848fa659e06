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
    assert {f"fft.{name}" for name in T.fft.__all__} <= {r.name for r in RECORDS}


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
    with pytest.raises(ValueError, match="holds pairs, but its length is 3"):
        f(np.ones((2, 4, 3)))


CASES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
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
