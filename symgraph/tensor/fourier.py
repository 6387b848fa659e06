"""Fourier transforms as in `numpy.fft`, with complex numbers; those with pairs of real ones are in `fft`.

All are composed of four transforms along one axis. Each is linear, and its gradient a transform of the other
direction: that of `fft` is an `ifft`, that of `rfft` an `irfft` in which each frequency counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.config import config
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import DisconnectedType
from symgraph.tensor.basic import arange, as_lengths, as_tensor_variable, static_length
from symgraph.tensor.dimshuffle import dimshuffle, normalize_axis
from symgraph.tensor.elemwise import TensorOp, cast, elemwise
from symgraph.tensor.extra_ops import roll
from symgraph.tensor.math import conj
from symgraph.tensor.shape import length_of, shape_i
from symgraph.tensor.type import tensor_type

__all__ = [
    "Fourier", "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft",
    "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]

_NORMS = ("backward", "ortho", "forward")
_TRANSFORMS: dict[str, Callable[..., Any]] = {
    "fft": np.fft.fft, "ifft": np.fft.ifft, "rfft": np.fft.rfft, "irfft": np.fft.irfft,
}
#: The transform back, and the norm under which it divides by what this one divides by.
_BACK = {"fft": "ifft", "ifft": "fft", "rfft": "irfft", "irfft": "rfft"}
_TURNED = {"backward": "forward", "forward": "backward", "ortho": "ortho"}


@frozen(repr=False)
class Fourier(TensorOp):
    """A transform along one axis. Inputs are the tensor and the number of points, to which it is cut or filled up.

    Parameters
    ----------
    kind : {'fft', 'ifft', 'rfft', 'irfft'}
    axis : int
    norm : {'backward', 'ortho', 'forward'}
    """

    kind: str
    axis: int
    norm: str

    def make_node(self, x: Any, length: Any) -> Apply:
        x, (length,) = as_tensor_variable(x), as_lengths([length])
        points = static_length(length)
        if points is not None and points < 1:
            raise ValueError(f"{self.kind}: the number of points is {points}; at least 1 is needed")
        if self.kind == "rfft" and points is not None:
            points = points // 2 + 1
        shape = (*x.type.shape[:self.axis], points, *x.type.shape[self.axis + 1:])
        # float32 beside complex64 is complex64, float64 beside it complex128; and back again for real results.
        wide = np.result_type(x.type.numpy_dtype, np.complex64)
        dtype = np.finfo(wide).dtype if self.kind == "irfft" else wide
        return Apply(self, [x, length], [tensor_type(dtype.name, shape)])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x, length = inputs
        found = _TRANSFORMS[self.kind](x, int(length), self.axis, self.norm)
        output_storage[0][0] = found.astype(node.outputs[0].type.numpy_dtype, copy=False)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        shape, points = list(input_shapes[0]), cast(node.inputs[1], "int64")
        shape[self.axis] = points // 2 + 1 if self.kind == "rfft" else points
        return [tuple(shape)]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True], [False]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (x, length), (g,) = inputs, output_gradients
        if self.kind == "rfft":  # its way back counts a frequency and its mirror image, of which one has a gradient
            g = g / _multiplicity(g, self.axis, length)
        back = Fourier(_BACK[self.kind], self.axis, _TURNED[self.norm])(g, length)
        if self.kind == "irfft":
            back = back * _multiplicity(back, self.axis, length)
        return [_fitted(back, self.axis, x), DisconnectedType()()]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self(eval_points[0], inputs[1])]

    def __repr__(self) -> str:
        return f"{self.kind}{{axis={self.axis}, norm={self.norm}}}"


def _multiplicity(half: Any, axis: int, length: Any) -> Any:
    """For each frequency of an axis, whether it stands for itself alone, 1, or for its mirror image too, 2."""
    place = arange(shape_i(half, axis))
    alone = elemwise(scalar.eq)(place, 0) | elemwise(scalar.eq)(2 * place, length)
    dtype = np.empty(0, half.type.numpy_dtype).real.dtype
    counts = elemwise(scalar.switch)(alone, np.ones((), dtype), np.full((), 2, dtype))
    return dimshuffle(counts, [0 if i == axis else "x" for i in range(half.type.ndim)])


def _fitted(v: Any, axis: int, x: Any) -> Any:
    """`v` with an axis cut, or filled up with zeros, to the length that `x` has there."""
    mine, wanted = v.type.shape[axis], x.type.shape[axis]
    return v if mine is not None and mine == wanted else Fit(axis)(v, shape_i(x, axis))


@frozen(repr=False)
class Fit(TensorOp):
    """An axis cut, or filled up with zeros, to a length: what a transform does first, and at last in its gradient.

    Parameters
    ----------
    axis : int
    """

    axis: int

    def make_node(self, x: Any, length: Any) -> Apply:
        x, (length,) = as_tensor_variable(x), as_lengths([length])
        shape = (*x.type.shape[:self.axis], static_length(length), *x.type.shape[self.axis + 1:])
        return Apply(self, [x, length], [tensor_type(x.type.dtype, shape)])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x, length = inputs[0], int(inputs[1])
        result = np.zeros((*x.shape[:self.axis], length, *x.shape[self.axis + 1:]), x.dtype)
        common = (slice(None),) * self.axis + (slice(min(length, x.shape[self.axis])),)
        result[common] = x[common]
        output_storage[0][0] = result

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        shape = list(input_shapes[0])
        shape[self.axis] = cast(node.inputs[1], "int64")
        return [tuple(shape)]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[True], [False]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [_fitted(output_gradients[0], self.axis, inputs[0]), DisconnectedType()()]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self(eval_points[0], inputs[1])]

    def __repr__(self) -> str:
        return f"fit{{axis={self.axis}}}"


def _operand(x: Any, who: str, real: bool = False) -> Any:
    variable = as_tensor_variable(x)
    if variable.type.ndim == 0:
        raise ValueError(f"{who} takes at least one dimension, not the scalar {variable} ({variable.type})")
    if real and variable.type.numpy_dtype.kind == "c":
        raise TypeError(f"{who} takes real numbers, not {variable.type}: take fft, or real() of it first")
    if variable.type.is_discrete:
        return cast(variable, config.floatX if config.cast_policy == "floatX" else "float64")
    return cast(variable, "float32") if variable.type.dtype == "float16" else variable


def _along(kind: str, x: Any, n: Any, axis: int, norm: str | None) -> Any:
    variable = _operand(x, kind, real=kind == "rfft")
    place = normalize_axis(axis, variable.type.ndim)
    if norm is not None and norm not in _NORMS:
        raise ValueError(f"{kind}: norm must be 'backward', 'ortho' or 'forward', not {norm!r}")
    if n is None:
        n = length_of(variable, place)
        if kind == "irfft":
            n = 2 * (n - 1)
    return Fourier(kind, place, norm or "backward")(variable, n)


def fft(a: Any, n: Any = None, axis: int = -1, norm: str | None = None) -> Any:
    """The discrete Fourier transform along an axis, as `numpy.fft.fft`.

    Parameters
    ----------
    a : tensor-like
        Integers are taken as floats.
    n : int or scalar integer variable, optional
        How many points to transform: the axis is cut or filled up with zeros.
    axis : int
    norm : {'backward', 'ortho', 'forward'}, optional
        Which direction is divided by the number of points, or both by its root.

    Returns
    -------
    TensorVariable
        complex64 for float32 and complex64, else complex128.

    Raises
    ------
    ValueError
        For scalars, axes out of range, another norm, or no points.

    Examples
    --------
    >>> fft([1.0, 0.0, 0.0]).eval()
    array([1.+0.j, 1.+0.j, 1.+0.j])
    """
    return _along("fft", a, n, axis, norm)


def ifft(a: Any, n: Any = None, axis: int = -1, norm: str | None = None) -> Any:
    """The inverse of `fft`, as `numpy.fft.ifft`."""
    return _along("ifft", a, n, axis, norm)


def rfft(a: Any, n: Any = None, axis: int = -1, norm: str | None = None) -> Any:
    """The half of `fft` that tells all of a real signal, as `numpy.fft.rfft`."""
    return _along("rfft", a, n, axis, norm)


def irfft(a: Any, n: Any = None, axis: int = -1, norm: str | None = None) -> Any:
    """The inverse of `rfft`, as `numpy.fft.irfft`; `n`, the length of the signal, is even unless given."""
    return _along("irfft", a, n, axis, norm)


def _turned(norm: str | None, who: str) -> str:
    if norm is not None and norm not in _NORMS:
        raise ValueError(f"{who}: norm must be 'backward', 'ortho' or 'forward', not {norm!r}")
    return _TURNED[norm or "backward"]


def hfft(a: Any, n: Any = None, axis: int = -1, norm: str | None = None) -> Any:
    """The real spectrum of a signal of which one half is given, the other being its mirror image, conjugated."""
    return irfft(conj(_operand(a, "hfft")), n, axis, _turned(norm, "hfft"))


def ihfft(a: Any, n: Any = None, axis: int = -1, norm: str | None = None) -> Any:
    """The inverse of `hfft`."""
    return conj(rfft(_operand(a, "ihfft", real=True), n, axis, _turned(norm, "ihfft")))


def _places(x: Any, s: Any, axes: Any, who: str) -> tuple[list[int], list[Any]]:
    """The axes to transform, and how many points of each."""
    ndim = x.type.ndim
    if axes is None:
        axes = range(ndim) if s is None else range(ndim - len(s), ndim)
    chosen = [normalize_axis(axis, ndim) for axis in axes]
    points = [None] * len(chosen) if s is None else list(s)
    if len(points) != len(chosen):
        raise ValueError(f"{who}: {len(points)} numbers of points for {len(chosen)} axes")
    return chosen, [None if isinstance(n, int) and n == -1 else n for n in points]


def _over_axes(kind: str, x: Any, s: Any, axes: Any, norm: str | None) -> Any:
    x = _operand(x, f"{kind}n")
    for axis, n in zip(*_places(x, s, axes, f"{kind}n"), strict=True):
        x = _along(kind, x, n, axis, norm)
    return x


def fftn(a: Any, s: Any = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Any:
    """`fft` over several axes, all by default, of `s` points each, as `numpy.fft.fftn`."""
    return _over_axes("fft", a, s, axes, norm)


def ifftn(a: Any, s: Any = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Any:
    """The inverse of `fftn`."""
    return _over_axes("ifft", a, s, axes, norm)


def fft2(a: Any, s: Any = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Any:
    """`fftn` over two axes."""
    return fftn(a, s, axes, norm)


def ifft2(a: Any, s: Any = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Any:
    """The inverse of `fft2`."""
    return ifftn(a, s, axes, norm)


def rfftn(a: Any, s: Any = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Any:
    """`rfft` along the last of several axes, `fft` along the others, as `numpy.fft.rfftn`."""
    x = _operand(a, "rfftn", real=True)
    chosen, points = _places(x, s, axes, "rfftn")
    if not chosen:
        raise ValueError("rfftn: at least one axis must be transformed")
    x = _along("rfft", x, points[-1], chosen[-1], norm)
    for axis, n in zip(chosen[:-1], points[:-1], strict=True):
        x = _along("fft", x, n, axis, norm)
    return x


def irfftn(a: Any, s: Any = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Any:
    """The inverse of `rfftn`."""
    x = _operand(a, "irfftn")
    chosen, points = _places(x, s, axes, "irfftn")
    if not chosen:
        raise ValueError("irfftn: at least one axis must be transformed")
    for axis, n in zip(chosen[:-1], points[:-1], strict=True):
        x = _along("ifft", x, n, axis, norm)
    return _along("irfft", x, points[-1], chosen[-1], norm)


def rfft2(a: Any, s: Any = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Any:
    """`rfftn` over two axes."""
    return rfftn(a, s, axes, norm)


def irfft2(a: Any, s: Any = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Any:
    """The inverse of `rfft2`."""
    return irfftn(a, s, axes, norm)


def fftfreq(n: int, d: float = 1.0) -> Any:
    """The frequencies of `fft` of `n` points that are `d` apart, as `numpy.fft.fftfreq`."""
    return as_tensor_variable(np.fft.fftfreq(n, d))


def rfftfreq(n: int, d: float = 1.0) -> Any:
    """The frequencies of `rfft` of `n` points that are `d` apart, as `numpy.fft.rfftfreq`."""
    return as_tensor_variable(np.fft.rfftfreq(n, d))


def _shifted(x: Any, axes: Any, sign: int) -> Any:
    variable = as_tensor_variable(x)
    ndim = variable.type.ndim
    chosen = range(ndim) if axes is None else (axes,) if isinstance(axes, (int, np.integer)) else axes
    for axis in chosen:
        place = normalize_axis(axis, ndim)
        length = length_of(variable, place)
        variable = roll(variable, length // 2 if sign > 0 else -(length // 2), place)
    return variable


def fftshift(x: Any, axes: Any = None) -> Any:
    """The frequency 0 moved to the middle of some axes, or of all, as `numpy.fft.fftshift`."""
    return _shifted(x, axes, 1)


def ifftshift(x: Any, axes: Any = None) -> Any:
    """The inverse of `fftshift`."""
    return _shifted(x, axes, -1)
