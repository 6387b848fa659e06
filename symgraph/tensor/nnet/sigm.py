"""Theano's classes and instances of operations of networks: called with tensors, each builds what its function does."""

from __future__ import annotations

from typing import Any

from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.nnet.activations import ultra_fast_sigmoid
from symgraph.tensor.nnet.basic import hard_sigmoid, sigmoid, softplus
from symgraph.tensor.nnet.classification import (
    crossentropy_categorical_1hot,
    crossentropy_softmax_argmax_1hot_with_bias,
    softmax_with_bias,
)
from symgraph.tensor.nnet.conv import conv2d, conv3d

__all__ = [
    "Conv3D", "ConvOp", "CrossentropyCategorical1Hot", "CrossentropySoftmaxArgmax1HotWithBias", "ScalarSigmoid",
    "ScalarSoftplus", "SoftmaxWithBias", "UltraFastScalarSigmoid", "conv3D", "hard_sigmoid", "scalar_sigmoid",
    "scalar_softplus", "sigmoid", "softplus", "ultra_fast_scalar_sigmoid", "ultra_fast_sigmoid",
]


class _Scalar:
    """A scalar operation of Theano's; of its arguments, which chose dtypes and names of C code, nothing depends."""

    function: Any = None

    def __init__(self, *arguments: Any, name: str | None = None) -> None:
        self.name = name

    def __call__(self, x: Any) -> Any:
        return type(self).function(x)


class ScalarSigmoid(_Scalar):
    """Called with a tensor: `sigmoid`."""

    function = staticmethod(sigmoid)


class ScalarSoftplus(_Scalar):
    """Called with a tensor: `softplus`."""

    function = staticmethod(softplus)


class UltraFastScalarSigmoid(_Scalar):
    """Called with a tensor: `ultra_fast_sigmoid`."""

    function = staticmethod(ultra_fast_sigmoid)


scalar_sigmoid, scalar_softplus = ScalarSigmoid(name="scalar_sigmoid"), ScalarSoftplus(name="scalar_softplus")
ultra_fast_scalar_sigmoid = UltraFastScalarSigmoid(name="ultra_fast_scalar_sigmoid")


class SoftmaxWithBias:
    """Called with a matrix and a vector: `softmax_with_bias`."""

    def __call__(self, x: Any, b: Any) -> Any:
        return softmax_with_bias(x, b)


class CrossentropyCategorical1Hot:
    """Called with probabilities and classes: `crossentropy_categorical_1hot`."""

    def __call__(self, coding_dist: Any, true_one_of_n: Any) -> Any:
        return crossentropy_categorical_1hot(coding_dist, true_one_of_n)


class CrossentropySoftmaxArgmax1HotWithBias:
    """Called with a matrix, a bias and classes: the loss, the probabilities and the most probable classes."""

    def __call__(self, x: Any, b: Any, y_idx: Any) -> list[Any]:
        return list(crossentropy_softmax_argmax_1hot_with_bias(x, b, y_idx))


class ConvOp:
    """Called with images and filters: `conv2d`, with the parameters given before.

    Parameters
    ----------
    imshp, kshp : sequence of int, optional
        (channels, rows, columns) or (rows, columns) of an image, and (rows, columns) of a filter.
    nkern, bsize : int, optional
        How many filters and images there are.
    dx, dy : int
        The step along rows and columns.
    output_mode : {'valid', 'full'}

    Raises
    ------
    ValueError
        For another mode, and other numbers of lengths.
    """

    def __init__(self, imshp: Any = None, kshp: Any = None, nkern: int | None = None, bsize: int | None = None,
                 dx: int = 1, dy: int = 1, output_mode: str = "valid", **_unused: Any) -> None:
        if output_mode not in ("valid", "full"):
            raise ValueError(f"ConvOp: output_mode must be 'valid' or 'full', not {output_mode!r}")
        space = (None,) * 3 if imshp is None else tuple(imshp)
        window = (None, None) if kshp is None else tuple(kshp)
        if len(space) not in (2, 3) or len(window) != 2:
            raise ValueError(f"ConvOp: imshp must have 2 or 3 lengths and kshp 2, not {imshp!r} and {kshp!r}")
        if len(space) == 2:
            space = (1, *space)
        self.input_shape, self.filter_shape = (bsize, *space), (nkern, space[0], *window)
        self.subsample, self.output_mode = (dx, dy), output_mode

    def __call__(self, images: Any, kernels: Any) -> Any:
        return conv2d(images, kernels, self.input_shape, self.filter_shape, self.output_mode, self.subsample)


class Conv3D:
    """Theano's oldest convolution of films, with channels last and filters not turned around.

    Called with

    V : 5-d tensor
        (batch, rows, columns, time, channels).
    W : 5-d tensor
        (outputs, rows, columns, time, channels).
    b : vector
        Added to each output.
    d : three int
        The steps along rows, columns and time.

    it gives (batch, rows, columns, time, outputs).
    """

    def __call__(self, V: Any, W: Any, b: Any, d: Any) -> Any:
        first, last = (0, 4, 1, 2, 3), (0, 2, 3, 4, 1)
        films, filters, bias = map(as_tensor_variable, (V, W, b))
        for v, name, ndim in ((films, "V", 5), (filters, "W", 5), (bias, "b", 1)):
            if v.type.ndim != ndim:
                raise ValueError(f"conv3D: {name} must have {ndim} dimensions, but is {v.type}")
        made = conv3d(dimshuffle(films, first), dimshuffle(filters, first), subsample=tuple(d), filter_flip=False)
        return dimshuffle(made, last) + bias


conv3D = Conv3D()
