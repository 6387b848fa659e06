"""Fourier transforms of real signals, with complex numbers as pairs: a last axis of length 2 for real and imaginary.

The transform runs over all axes but the first, which counts signals, and but the axis of the pairs. Of the last axis
transformed only the frequencies from 0 to half its length are kept: the others are their mirror images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.config import config
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.type import DisconnectedType, Type
from symgraph.tensor.basic import arange, as_lengths, as_tensor_variable, static_length
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.elemwise import TensorOp, cast, elemwise
from symgraph.tensor.shape import shape_i
from symgraph.tensor.type import TensorType, tensor_type

__all__ = ["irfft", "rfft"]


def _wide(x: Any) -> Any:
    """An array in a dtype that transforms are computed in."""
    return np.asarray(x, np.promote_types(x.dtype, np.float32))


@dataclass(frozen=True, repr=False)
class RFFT(TensorOp):
    """The unscaled transform of real signals, to pairs."""

    def infer_type(self, *types: Type) -> Sequence[Type]:
        (x,) = types
        assert isinstance(x, TensorType)
        half = None if x.shape[-1] is None else x.shape[-1] // 2 + 1
        return (tensor_type(x.dtype, (*x.shape[:-1], half, 2)),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x = _wide(inputs[0])
        found = np.fft.rfftn(x, axes=range(1, x.ndim))
        output_storage[0][0] = np.stack([found.real, found.imag], -1).astype(inputs[0].dtype, copy=False)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        *before, length = input_shapes[0]
        return [(*before, length // 2 + 1, 2)]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        # The inverse counts a frequency and its mirror image, of which only one has a gradient.
        (x,), (g,) = inputs, output_gradients
        length = shape_i(x, -1)
        return [IRFFT()(g / _multiplicity(g, length), length)]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self(eval_points[0])]

    def __repr__(self) -> str:
        return "rfft"


@dataclass(frozen=True, repr=False)
class IRFFT(TensorOp):
    """The unscaled inverse transform of pairs, to real signals. Inputs are the pairs and the last axis's length."""

    def make_node(self, x: Any, length: Any) -> Apply:
        x, (length,) = as_tensor_variable(x), as_lengths([length])
        out = tensor_type(x.type.dtype, (*x.type.shape[:-2], static_length(length)))
        return Apply(self, [x, length], [out])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x, length = _wide(inputs[0]), int(inputs[1])
        if x.shape[-1] != 2:
            raise ValueError(f"irfft: the last axis holds pairs, but its length is {x.shape[-1]}")
        if x.shape[-2] != length // 2 + 1:
            raise ValueError(f"irfft: {x.shape[-2]} frequencies do not belong to signals of length {length}")
        found = np.fft.irfftn(x[..., 0] + 1j * x[..., 1], (*x.shape[1:-2], length), range(1, x.ndim - 1), "forward")
        output_storage[0][0] = found.astype(inputs[0].dtype, copy=False)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [(*input_shapes[0][:-2], node.inputs[1])]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True], [False]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (x, length), (g,) = inputs, output_gradients
        return [RFFT()(g) * _multiplicity(x, length), DisconnectedType()()]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self(eval_points[0], inputs[1])]

    def __repr__(self) -> str:
        return "irfft"


def _multiplicity(pairs: Any, length: Any) -> Any:
    """For each frequency of the last axis, whether it stands for itself alone, 1, or for its mirror image too, 2."""
    place = arange(shape_i(pairs, -2))
    alone = elemwise(scalar.eq)(place, 0) | elemwise(scalar.eq)(2 * place, length)
    counts = elemwise(scalar.switch)(alone, np.ones((), pairs.type.dtype), np.full((), 2, pairs.type.dtype))
    return dimshuffle(counts, (0, "x"))


def _operand(inp: Any, least: int, who: str) -> Any:
    x = as_tensor_variable(inp)
    if x.type.numpy_dtype.kind == "c":
        raise TypeError(f"{who} takes real numbers, complex ones as pairs in a last axis, not {x.type}")
    if x.type.ndim < least:
        raise TypeError(f"{who} takes at least {least} dimensions, the first of which counts signals, not {x.type}")
    return cast(x, config.floatX) if x.type.is_discrete else x


def _scale(signals: Any, norm: str | None, inverse: bool) -> Any:
    """What the unscaled transform is divided by, or None."""
    if norm not in (None, "ortho", "no_norm"):
        raise ValueError(f"norm must be None, 'ortho' or 'no_norm', not {norm!r}")
    if norm == "no_norm" or (norm is None and not inverse):
        return None
    count: Any = 1
    for axis in range(1, signals.type.ndim):
        count = shape_i(signals, axis) * count
    count = cast(count, signals.type.dtype)
    return elemwise(scalar.sqrt)(count) if norm == "ortho" else count


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
    scale = _scale(x, norm, inverse=False)
    return RFFT()(x) if scale is None else RFFT()(x) / scale


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
    half = static_length(shape_i(x, -2))
    length = (shape_i(x, -2) if half is None else half) * 2 - (1 if is_odd else 2)
    signals = IRFFT()(x, length)
    scale = _scale(signals, norm, inverse=True)
    return signals if scale is None else signals / scale
