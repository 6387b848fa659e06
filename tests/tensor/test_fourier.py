"""Fourier transforms with complex numbers: as NumPy's, called by their own names and by NumPy's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import fourier

CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("fft", {}), ("fft", {"n": 7, "axis": 1, "norm": "ortho"}), ("ifft", {"norm": "forward"}), ("rfft", {"n": 3}),
    ("irfft", {}), ("irfft", {"n": 5, "axis": 0}), ("hfft", {}), ("hfft", {"n": 5, "norm": "forward"}),
    ("ihfft", {"norm": "ortho"}), ("fft2", {}), ("ifft2", {"axes": (0, 1)}), ("fftn", {}),
    ("fftn", {"s": (2, 6), "axes": (1, 2)}), ("ifftn", {"axes": (0, 2)}), ("rfftn", {}),
    ("rfftn", {"axes": (0, 1), "s": (4, 4)}), ("irfftn", {}), ("irfftn", {"axes": (1, 2), "s": (4, 7)}),
    ("fftshift", {}), ("ifftshift", {"axes": 1}),
)


def sample(dtype: str) -> Any:
    rng = np.random.default_rng(7)
    return (3 * rng.normal(size=(3, 4, 5)) + (3j * rng.normal(size=(3, 4, 5)) if dtype[0] == "c" else 0)).astype(dtype)


@pytest.mark.parametrize(("name", "options"), CALLS, ids=str)
def test_as_numpy(name: str, options: dict[str, Any]) -> None:
    for dtype in ("float32", "float64", "complex64", "complex128", "int32"):
        if dtype[0] == "c" and name in ("rfft", "rfftn", "ihfft"):
            continue  # of real numbers only
        a = sample(dtype)
        expected = getattr(np.fft, name)(a, **options)
        x = T.tensor(dtype, shape=(None, None, None))
        made, by_numpy = getattr(fourier, name)(x, **options), getattr(np.fft, name)(x, **options)
        found, shape, again = sg.function([x], [made, made.shape, by_numpy])(a)
        assert found.dtype == expected.dtype == made.type.dtype
        single = expected.dtype in ("float32", "complex64")
        np.testing.assert_allclose(found, expected, rtol=1e-4 if single else 1e-12, atol=1e-4 if single else 1e-12)
        np.testing.assert_array_equal(found, again)
        assert tuple(shape) == expected.shape
        assert getattr(fourier, name)(a, **options).type.shape == expected.shape


def test_there_and_back_with_a_length_known_at_run_time() -> None:
    x = T.matrix("x")
    back = fourier.irfft(fourier.rfft(x), n=x.shape[1])
    f = sg.function([x], back)
    for length in (4, 5):
        a = np.random.default_rng(0).normal(size=(2, length))
        np.testing.assert_allclose(f(a), a, rtol=1e-12, atol=1e-12)


def test_frequencies() -> None:
    np.testing.assert_array_equal(fourier.fftfreq(5, 0.5).eval(), np.fft.fftfreq(5, 0.5))
    np.testing.assert_array_equal(fourier.rfftfreq(6).eval(), np.fft.rfftfreq(6))


def test_bad_input() -> None:
    x = T.vector("x")
    with pytest.raises(ValueError, match="norm must be"):
        fourier.fft(x, norm="whole")
    with pytest.raises(ValueError, match="norm must be"):
        fourier.hfft(x, norm="whole")
    with pytest.raises(ValueError, match="at least 1 is needed"):
        fourier.fft(x, n=0)
    with pytest.raises(ValueError, match="at least one dimension"):
        fourier.fft(T.scalar())
    with pytest.raises(TypeError, match="real numbers"):
        fourier.rfft(T.cvector())
    with pytest.raises(ValueError, match="axis"):
        fourier.fft(x, axis=1)
    with pytest.raises(ValueError, match="2 numbers of points for 1 axes"):
        fourier.fftn(x, s=(2, 3), axes=(0,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="at least one axis"):
            fourier.rfftn(x, axes=())
