"""Fourier transforms: of real signals with complex numbers as pairs, as in Theano, and NumPy's with complex numbers.

In `rfft` and `irfft` a last axis of length 2 holds real and imaginary parts. They run over all axes but the first,
which counts signals, and but the axis of the pairs. Of the last axis transformed only the frequencies from 0 to half
its length are kept: the others are their mirror images. NumPy's functions of the same names are
`symgraph.tensor.fourier.rfft` and `irfft`; its others are here as well.
"""

from __future__ import annotations

from typing import Any

from symgraph.config import config
from symgraph.tensor.basic import as_tensor_variable, static_length
from symgraph.tensor.elemwise import cast
from symgraph.tensor.fourier import (
    fft,
    fft2,
    fftfreq,
    fftn,
    fftshift,
    hfft,
    ifft,
    ifft2,
    ifftn,
    ifftshift,
    ihfft,
    irfft2,
    irfftn,
    rfft2,
    rfftfreq,
    rfftn,
)
from symgraph.tensor.join import stack
from symgraph.tensor.math import complex
from symgraph.tensor.shape import shape_i
from symgraph.tensor.specify import specify_shape

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft", "irfft",
    "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]

#: Theano's norms as NumPy's: of the transform, and of its inverse.
_FORWARD = {None: "backward", "ortho": "ortho", "no_norm": "backward"}
_INVERSE = {None: "backward", "ortho": "ortho", "no_norm": "forward"}


def _operand(inp: Any, least: int, who: str) -> Any:
    x = as_tensor_variable(inp)
    if x.type.numpy_dtype.kind == "c":
        raise TypeError(f"{who} takes real numbers, complex ones as pairs in a last axis, not {x.type}")
    if x.type.ndim < least:
        raise TypeError(f"{who} takes at least {least} dimensions, the first of which counts signals, not {x.type}")
    return cast(x, config.floatX) if x.type.is_discrete else x


def _check_norm(norm: str | None) -> None:
    if norm not in _FORWARD:
        raise ValueError(f"norm must be None, 'ortho' or 'no_norm', not {norm!r}")


def rfft(inp: Any, norm: str | None = None) -> Any:
    """The Fourier transform of real signals.

    Parameters
    ----------
    inp : tensor-like
        Of shape (m, ..., n): m signals, transformed over all other axes. Integers become floatX.
    norm : {None, 'ortho', 'no_norm'}
        'ortho' divides by the square root of the number of elements of a signal; the others do not scale.

    Returns
    -------
    TensorVariable
        Of shape (m, ..., n // 2 + 1, 2): real and imaginary parts in the last axis.

    Raises
    ------
    TypeError
        For complex numbers, or fewer than 2 dimensions.
    ValueError
        For another norm.

    Examples
    --------
    >>> import numpy as np
    >>> rfft(np.array([[1.0, 2.0, 3.0, 4.0]])).eval()
    array([[[10.,  0.],
            [-2.,  2.],
            [-2.,  0.]]])
    """
    x = _operand(inp, 2, "rfft")
    _check_norm(norm)
    found = rfftn(x, axes=range(1, x.type.ndim), norm=_FORWARD[norm])
    return cast(stack([found.real, found.imag], -1), x.type.dtype)


def irfft(inp: Any, norm: str | None = None, is_odd: bool = False) -> Any:
    """The inverse of `rfft`.

    Parameters
    ----------
    inp : tensor-like
        Of shape (m, ..., n // 2 + 1, 2): real and imaginary parts in the last axis.
    norm : {None, 'ortho', 'no_norm'}
        None divides by the number of elements of a signal, 'ortho' by its square root, 'no_norm' by nothing.
    is_odd : bool
        Whether n is odd.

    Returns
    -------
    TensorVariable
        Real, of shape (m, ..., n).

    Raises
    ------
    TypeError
        For complex numbers, or fewer than 3 dimensions.
    ValueError
        For another norm, or when the last axis is known not to hold pairs; at run time where that is only known then.

    Examples
    --------
    >>> import numpy as np
    >>> irfft(rfft(np.array([[1.0, 2.0, 3.0]])), is_odd=True).eval()
    array([[1., 2., 3.]])
    """
    x = _operand(inp, 3, "irfft")
    if x.type.shape[-1] not in (None, 2):
        raise ValueError(f"irfft: the last axis holds pairs of real and imaginary parts, which {x.type} does not")
    if is_odd not in (True, False):
        raise ValueError(f"irfft: is_odd must be True or False, not {is_odd!r}")
    _check_norm(norm)
    if x.type.shape[-1] is None:
        x = specify_shape(x, [None] * (x.type.ndim - 1) + [2])
    half = static_length(shape_i(x, -2))
    length = (shape_i(x, -2) if half is None else half) * 2 - (1 if is_odd else 2)
    axes = range(1, x.type.ndim - 1)
    points = [*(shape_i(x, i) for i in axes[:-1]), length]
    return cast(irfftn(complex(x[..., 0], x[..., 1]), points, axes, _INVERSE[norm]), x.type.dtype)
