"""Records of Fourier transforms and of Einstein's sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph.tensor import fft, fourier
from symgraph.tensor.einsum import einsum
from tests.records.base import Record, arrays, each

ROUNDINGS = {"float16": 2e-2, "float32": 2e-5, "float64": 1e-12, "complex64": 2e-5, "complex128": 1e-12}
_NORM: dict[str | None, Any] = {None: "backward", "ortho": "ortho", "no_norm": "forward"}


def _rfft(x: Any, norm: str | None = None) -> Any:
    wide = x.astype("float64")
    found = np.fft.rfftn(wide, axes=range(1, x.ndim), norm=_NORM[None if norm == "no_norm" else norm])
    return np.stack([found.real, found.imag], -1).astype(x.dtype if x.dtype.kind == "f" else "float64")


def _irfft(x: Any, norm: str | None = None, is_odd: bool = False) -> Any:
    pairs = x[..., 0].astype("float64") + 1j * x[..., 1]
    lengths = (*x.shape[1:-2], 2 * x.shape[-2] - (1 if is_odd else 2))
    found = np.fft.irfftn(pairs, lengths, range(1, x.ndim - 1), _NORM[norm])
    return found.astype(x.dtype if x.dtype.kind == "f" else "float64")


def _sums(text: str, *shapes: tuple[int, ...]) -> Any:
    return arrays(*shapes, low=0.2, high=2.0, subscripts=text)


_EINSUM = each(
    _sums("ij,jk->ik", (2, 3), (3, 4)), _sums("ij,jk", (2, 3), (3, 4)), _sums("ij->ji", (2, 3)), _sums("ii", (3, 3)),
    _sums("ii->i", (3, 3)), _sums("iji->j", (2, 3, 2)), _sums("ij->", (2, 3)), _sums("i,i", (3,), (3,)),
    _sums("i,j->ji", (2,), (3,)), _sums("bij,bjk->bik", (2, 3, 4), (2, 4, 2)), _sums("bij,jk,bk->bi", (2, 3, 4), (4, 2),
                                                                                     (2, 2)),
    _sums("...ij,...jk->...ik", (2, 3, 4), (4, 2)), _sums("...i,...i->...", (2, 3), (3,)), _sums("i...->...", (2, 3)),
    _sums("b...,b->...", (2, 3, 4), (2,)), _sums("ba,cb", (2, 3), (4, 2)), _sums("ij,ij->ij", (2, 3), (2, 3)),
    _sums("ij,j->i", (2, 3), (3,)), _sums("ij,kl->jl", (2, 3), (2, 2)), _sums("abc,cd,def,e->afb", (2, 3, 2), (2, 2),
                                                                             (2, 3, 2), (3,)),
    _sums("ij,ij->i", (2, 3), (1, 3)), _sums(",i->i", (), (3,)), _sums("ij,jk->ik", (2, 0), (0, 3)),
    _sums("bhij,bhkj->bhik", (2, 2, 3, 4), (2, 2, 2, 4)), _sums(" i j -> j i ", (2, 3)),
)
_FLOATING = ("float16", "float32", "float64", "int64")

_REAL = ("int8", "bool", "float32", "float64")
_ALL = (*_REAL, "complex64", "complex128")


def _one_axis(*lengths: int | None) -> Any:
    """Even and odd lengths, cut and filled up, along axes, under every norm."""
    return each(
        arrays((4,)), arrays((2, 5)), arrays((2, 1)), arrays((4, 3), axis=0, norm="ortho"),
        *(arrays((2, 5), n=n, norm="forward") for n in lengths), arrays((3, 4, 2), n=lengths[0], axis=1, norm="ortho"))


_SEVERAL = each(arrays((3, 4)), arrays((2, 3, 4), norm="ortho"), arrays((3, 5), s=(4, 3), axes=(-2, -1)),
                arrays((2, 3, 4), axes=(0, 2), norm="forward"))
_TWO = each(arrays((3, 4)), arrays((2, 3, 5), norm="ortho"), arrays((3, 5), s=(4, 3)))


def _fourier(name: str, samples: Any, dtypes: tuple[str, ...] = _ALL, **more: Any) -> Record:
    return Record(f"fourier.{name}", getattr(fourier, name), getattr(np.fft, name), samples, dtypes,
                  tolerance=ROUNDINGS, **more)


FOURIER: tuple[Record, ...] = (
    _fourier("fft", _one_axis(3, 7)), _fourier("ifft", _one_axis(3, 7)), _fourier("rfft", _one_axis(4, 7), _REAL),
    _fourier("irfft", each(arrays((3,)), arrays((2, 4)), arrays((4, 3), axis=0, norm="ortho"),
                           *(arrays((2, 5), n=n, norm="forward") for n in (6, 7, 11, 12)))),
    _fourier("hfft", each(arrays((3,)), arrays((2, 4), n=5), arrays((4, 3), n=9, axis=0, norm="ortho"))),
    _fourier("ihfft", each(arrays((6,)), arrays((2, 4), n=5), arrays((4, 3), n=6, axis=0, norm="ortho")), _REAL),
    _fourier("fftn", _SEVERAL), _fourier("ifftn", _SEVERAL), _fourier("fft2", _TWO), _fourier("ifft2", _TWO),
    _fourier("rfftn", _SEVERAL, _REAL), _fourier("rfft2", _TWO, _REAL), _fourier("irfftn", _SEVERAL),
    _fourier("irfft2", _TWO),
    _fourier("fftshift", each(arrays((4,)), arrays((3, 5)), arrays((3, 4), axes=1), arrays((2, 3, 4), axes=(0, -1))),
             weakly_typed=True),
    _fourier("ifftshift", each(arrays((4,)), arrays((3, 5)), arrays((3, 4), axes=1)), weakly_typed=True),
    Record("fourier.fftfreq", lambda x: x * fourier.fftfreq(5, 0.5), lambda x: x * np.fft.fftfreq(5, 0.5),
           arrays((5,)), ("float64",)),
    Record("fourier.rfftfreq", lambda x: x * fourier.rfftfreq(6), lambda x: x * np.fft.rfftfreq(6), arrays((4,)),
           ("float64",)),
)

TRANSFORMS: tuple[Record, ...] = (
    *FOURIER,
    Record("einsum", lambda *xs, subscripts: einsum(subscripts, *xs),
           lambda *xs, subscripts: np.einsum(subscripts, *xs), _EINSUM,
           ("bool", "int8", "uint32", "int64", "float16", "float32", "float64", "complex128"), tolerance=ROUNDINGS),
    Record("fft.rfft", fft.rfft, _rfft, each(
        arrays((2, 6)), arrays((2, 5), norm="ortho"), arrays((1, 4, 3)), arrays((2, 3, 4), norm="ortho"),
        arrays((3, 1)), arrays((2, 4), norm="no_norm"), arrays((1, 2, 3, 4)), arrays((0, 4))), _FLOATING,
        tolerance=ROUNDINGS),
    Record("fft.irfft", fft.irfft, _irfft, each(
        arrays((2, 4, 2)), arrays((2, 3, 2), is_odd=True), arrays((2, 3, 3, 2), norm="ortho"),
        arrays((2, 4, 3, 2), is_odd=True), arrays((2, 3, 2), norm="no_norm"), arrays((2, 2, 2), norm="ortho",
                                                                                    is_odd=True)), _FLOATING,
        tolerance=ROUNDINGS),
)
