"""Convolutions over one, two or three spatial axes, transposed ones, and their gradients.

Images are laid out as (batch, channels, *space), filters as (outputs, channels, *space). As in Theano a convolution
turns the filters around, unless `filter_flip` is false.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph.graph.frozen import frozen
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.nnet.conv_ops import BorderMode, Conv, ConvGradInputs, ConvGradWeights
from symgraph.tensor.nnet.conv_shapes import as_border, as_each_axis, get_conv_output_shape, known_lengths
from symgraph.tensor.nnet.unshared import Unshared
from symgraph.tensor.specify import addbroadcast, specify_shape

__all__ = [
    "ConvOp", "causal_conv1d", "conv1d", "conv2d", "conv2d_grad_wrt_inputs", "conv2d_grad_wrt_weights",
    "conv2d_transpose", "conv3d", "conv3d_grad_wrt_inputs", "conv3d_grad_wrt_weights", "conv3d_transpose",
    "get_conv_output_shape", "separable_conv2d", "separable_conv3d",
]


# ---- arguments -------------------------------------------------------------------------------------------------


def _with_shape(x: Any, shape: Any, who: str, name: str) -> Any:
    """A tensor whose type knows what the user says of its shape; checked at run time."""
    variable = as_tensor_variable(x)
    if shape is None:
        return variable
    lengths = known_lengths(shape)
    if len(lengths) != variable.type.ndim:
        raise ValueError(f"{who}: {name}={tuple(shape)!r} has {len(lengths)} lengths, but {variable} is of "
                         f"{variable.type.ndim} dimensions")
    return specify_shape(variable, lengths)


def _parameters(rank: int, border_mode: Any, subsample: Any, dilation: Any, flip: bool, groups: Any,
                who: str) -> tuple[BorderMode, tuple[int, ...], tuple[int, ...], bool, int]:
    if not isinstance(groups, (int, np.integer)) or groups < 1:
        raise ValueError(f"{who}: num_groups must be a positive integer, not {groups!r}")
    return (as_border(border_mode, rank, who), as_each_axis(subsample, rank, "subsample", who),
            as_each_axis(dilation, rank, "filter_dilation", who), bool(flip), int(groups))


# ---- forward ---------------------------------------------------------------------------------------------------


def _conv(rank: int, x: Any, w: Any, input_shape: Any, filter_shape: Any, parameters: Any,
          unshared: bool = False) -> Any:
    who = f"conv{rank}d"
    images = _with_shape(x, input_shape, who, "input_shape")
    filters = _with_shape(w, filter_shape, who, "filter_shape")
    if unshared:
        return Unshared(filters.type.shape[-rank:], parameters, who).forward(images, filters)
    return Conv(*parameters)(images, filters)


def conv2d(input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
           subsample: Any = (1, 1), filter_flip: bool = True, image_shape: Any = None, filter_dilation: Any = (1, 1),
           num_groups: int = 1, unshared: bool = False) -> Any:
    """Convolutions of a batch of images with a set of filters, summed over channels.

    Parameters
    ----------
    input : 4-d tensor
        (batch, channels, rows, columns).
    filters : 4-d tensor
        (outputs, channels / num_groups, rows, columns); of 6 dimensions with `unshared`.
    input_shape, filter_shape : sequence of int or None, optional
        What is known of the shapes; checked at run time.
    border_mode : str, int, or one int or pair of ints for each axis
        ``'valid'``: the filters stay within the image. ``'full'``: wherever they touch it. ``'half'``: half a filter
        of zeros on each side, which keeps the image's lengths for odd filters. Numbers: so many zeros around.
    subsample : int or pair of int
        The step from one place of the filters to the next.
    filter_flip : bool
        Turn the filters around (a convolution); else do not (a correlation).
    image_shape : sequence, optional
        The older name of `input_shape`.
    filter_dilation : int or pair of int
        The distance of neighbouring filter elements in the image.
    num_groups : int
        Split channels and outputs into so many groups that do not see each other.
    unshared : bool
        The filters differ from place to place, as in locally connected layers: they are
        (outputs, result's rows, result's columns, channels / num_groups, rows, columns), the last two known.

    Returns
    -------
    4-d tensor
        (batch, outputs, rows, columns).

    Raises
    ------
    ValueError
        For arguments out of range, and where known lengths do not fit together.
    TypeError
        For booleans.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> conv2d(image, np.array([[[[1.0, -1.0]]]])).eval()[0, 0]
    array([[1., 1.],
           [1., 1.],
           [1., 1.]])
    """
    parameters = _parameters(2, border_mode, subsample, filter_dilation, filter_flip, num_groups, "conv2d")
    return _conv(2, input, filters, image_shape if input_shape is None else input_shape, filter_shape, parameters,
                 unshared)


def conv3d(input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
           subsample: Any = (1, 1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1, 1),
           num_groups: int = 1) -> Any:
    """`conv2d` over three spatial axes: input and filters are of 5 dimensions."""
    parameters = _parameters(3, border_mode, subsample, filter_dilation, filter_flip, num_groups, "conv3d")
    return _conv(3, input, filters, input_shape, filter_shape, parameters)


def conv1d(input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
           subsample: Any = 1, filter_flip: bool = True, filter_dilation: Any = 1, num_groups: int = 1) -> Any:
    """`conv2d` over one spatial axis: input and filters are of 3 dimensions."""
    parameters = _parameters(1, border_mode, subsample, filter_dilation, filter_flip, num_groups, "conv1d")
    return _conv(1, input, filters, input_shape, filter_shape, parameters)


def causal_conv1d(input: Any, filters: Any, filter_shape: Any, input_shape: Any = None, subsample: int = 1,
                  filter_flip: bool = True, filter_dilation: int = 1, num_groups: int = 1,
                  unshared: bool = False) -> Any:
    """A convolution in time whose result at a moment depends on nothing later.

    Parameters
    ----------
    input, filters : 3-d tensor
        (batch, channels, time) and (outputs, channels / num_groups, length).
    filter_shape : sequence of int
        The last of them, the filters' length, must be given: it says how many zeros come before.

    The others are as for `conv2d`.
    """
    length = None if filter_shape is None else known_lengths(filter_shape)[-1]
    if length is None:
        raise ValueError("causal_conv1d: the filters' length must be given as the last of filter_shape, not "
                         f"{filter_shape!r}")
    steps = as_each_axis(filter_dilation, 1, "filter_dilation", "causal_conv1d")
    parameters = _parameters(1, [((length - 1) * steps[0], 0)], subsample, steps, filter_flip, num_groups,
                             "causal_conv1d")
    return _conv(1, input, filters, input_shape, filter_shape, parameters, unshared)


def separable_conv2d(input: Any, depthwise_filters: Any, pointwise_filters: Any, num_channels: int,
                     input_shape: Any = None, depthwise_filter_shape: Any = None, pointwise_filter_shape: Any = None,
                     border_mode: Any = "valid", subsample: Any = (1, 1), filter_flip: bool = True,
                     filter_dilation: Any = (1, 1)) -> Any:
    """A convolution of each channel by itself, then a mixture of the results at each place (Chollet, 2017).

    Parameters
    ----------
    depthwise_filters : 4-d tensor
        (channels * multiplier, 1, rows, columns).
    pointwise_filters : 4-d tensor
        (outputs, channels * multiplier, 1, 1).
    num_channels : int
        Of the input.

    The others are as for `conv2d`.

    Raises
    ------
    ValueError
        As for `conv2d`, and when the pointwise filters are no points; at run time where that is only known then.
    """
    made = conv2d(input, depthwise_filters, input_shape, depthwise_filter_shape, border_mode, subsample, filter_flip,
                  filter_dilation=filter_dilation, num_groups=num_channels)
    points = addbroadcast(pointwise_filters, 2, 3)
    return conv2d(made, points, filter_shape=pointwise_filter_shape, filter_flip=filter_flip)


def separable_conv3d(input: Any, depthwise_filters: Any, pointwise_filters: Any, num_channels: int,
                     input_shape: Any = None, depthwise_filter_shape: Any = None, pointwise_filter_shape: Any = None,
                     border_mode: Any = "valid", subsample: Any = (1, 1, 1), filter_flip: bool = True,
                     filter_dilation: Any = (1, 1, 1)) -> Any:
    """`separable_conv2d` over three spatial axes."""
    made = conv3d(input, depthwise_filters, input_shape, depthwise_filter_shape, border_mode, subsample, filter_flip,
                  filter_dilation, num_channels)
    points = addbroadcast(pointwise_filters, 2, 3, 4)
    return conv3d(made, points, filter_shape=pointwise_filter_shape, filter_flip=filter_flip)


# ---- gradients, as functions of their own ----------------------------------------------------------------------


def _spatial_lengths(shape: Any, rank: int, who: str, name: str) -> list[Any]:
    """The last lengths of a shape: all must be given, as numbers or symbolic scalars."""
    if hasattr(shape, "type") and shape.type.ndim == 1:
        from symgraph.tensor.shape import vector_entries

        shape = [shape[i] for i in range(rank + 2)] if shape.type.shape[0] is None else vector_entries(shape)
    lengths = list(shape)[-rank:]
    if len(lengths) != rank or any(n is None for n in lengths):
        raise ValueError(f"{who}: the last {rank} lengths of {name} must be given, not {shape!r}")
    return lengths


def _shape_hint(shape: Any) -> Any:
    """A shape as what is known of it; a symbolic vector says nothing."""
    return None if shape is None or hasattr(shape, "type") else known_lengths(shape)


def _grad_inputs(rank: int, g: Any, w: Any, input_shape: Any, filter_shape: Any, parameters: Any,
                 unshared: bool = False) -> Any:
    who = f"conv{rank}d_grad_wrt_inputs"
    lengths = _spatial_lengths(input_shape, rank, who, "input_shape")
    filters = _with_shape(w, filter_shape, who, "filter_shape")
    if unshared:
        made = Unshared(filters.type.shape[-rank:], parameters, who).by_inputs(g, filters, lengths)
    else:
        made = ConvGradInputs(*parameters)(filters, as_tensor_variable(g), *lengths)
    known = _shape_hint(input_shape)
    return made if known is None or len(known) != rank + 2 else specify_shape(made, known)


def _grad_weights(rank: int, x: Any, g: Any, filter_shape: Any, input_shape: Any, parameters: Any,
                  unshared: bool = False) -> Any:
    who = f"conv{rank}d_grad_wrt_weights"
    lengths = _spatial_lengths(filter_shape, rank, who, "filter_shape")
    images = _with_shape(x, input_shape, who, "input_shape")
    if unshared:
        made = Unshared(known_lengths(lengths), parameters, who).by_weights(images, g)
    else:
        made = ConvGradWeights(*parameters)(images, as_tensor_variable(g), *lengths)
    known = _shape_hint(filter_shape)
    return made if known is None or len(known) != made.type.ndim else specify_shape(made, known)


def conv2d_grad_wrt_inputs(output_grad: Any, filters: Any, input_shape: Any, filter_shape: Any = None,
                           border_mode: Any = "valid", subsample: Any = (1, 1), filter_flip: bool = True,
                           filter_dilation: Any = (1, 1), num_groups: int = 1, unshared: bool = False) -> Any:
    """The gradient of `conv2d` by its input, from that by its result: also known as a transposed convolution.

    Parameters
    ----------
    output_grad : 4-d tensor
        (batch, outputs, rows, columns).
    filters : 4-d tensor
        As in the convolution.
    input_shape : sequence of int or scalar variable
        (batch, channels, rows, columns) of the convolution's input; the first two may be None.

    The others are those of the convolution.

    Returns
    -------
    4-d tensor
        Of shape `input_shape`.
    """
    parameters = _parameters(2, border_mode, subsample, filter_dilation, filter_flip, num_groups,
                             "conv2d_grad_wrt_inputs")
    return _grad_inputs(2, output_grad, filters, input_shape, filter_shape, parameters, unshared)


def conv3d_grad_wrt_inputs(output_grad: Any, filters: Any, input_shape: Any, filter_shape: Any = None,
                           border_mode: Any = "valid", subsample: Any = (1, 1, 1), filter_flip: bool = True,
                           filter_dilation: Any = (1, 1, 1), num_groups: int = 1) -> Any:
    """`conv2d_grad_wrt_inputs` over three spatial axes."""
    parameters = _parameters(3, border_mode, subsample, filter_dilation, filter_flip, num_groups,
                             "conv3d_grad_wrt_inputs")
    return _grad_inputs(3, output_grad, filters, input_shape, filter_shape, parameters)


def conv2d_grad_wrt_weights(input: Any, output_grad: Any, filter_shape: Any, input_shape: Any = None,
                            border_mode: Any = "valid", subsample: Any = (1, 1), filter_flip: bool = True,
                            filter_dilation: Any = (1, 1), num_groups: int = 1, unshared: bool = False) -> Any:
    """The gradient of `conv2d` by its filters, from that by its result.

    Parameters
    ----------
    input : 4-d tensor
        As in the convolution.
    output_grad : 4-d tensor
        (batch, outputs, rows, columns).
    filter_shape : sequence of int or scalar variable
        (outputs, channels / num_groups, rows, columns) of the filters; the first two may be None.

    The others are those of the convolution.

    Returns
    -------
    4-d tensor
        Of shape `filter_shape`.
    """
    parameters = _parameters(2, border_mode, subsample, filter_dilation, filter_flip, num_groups,
                             "conv2d_grad_wrt_weights")
    return _grad_weights(2, input, output_grad, filter_shape, input_shape, parameters, unshared)


def conv3d_grad_wrt_weights(input: Any, output_grad: Any, filter_shape: Any, input_shape: Any = None,
                            border_mode: Any = "valid", subsample: Any = (1, 1, 1), filter_flip: bool = True,
                            filter_dilation: Any = (1, 1, 1), num_groups: int = 1) -> Any:
    """`conv2d_grad_wrt_weights` over three spatial axes."""
    parameters = _parameters(3, border_mode, subsample, filter_dilation, filter_flip, num_groups,
                             "conv3d_grad_wrt_weights")
    return _grad_weights(3, input, output_grad, filter_shape, input_shape, parameters)


def conv2d_transpose(input: Any, filters: Any, output_shape: Any, filter_shape: Any = None, border_mode: Any = "valid",
                     input_dilation: Any = (1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1),
                     num_groups: int = 1, unshared: bool = False) -> Any:
    """The transpose of `conv2d` as a linear map: what takes images of its result's shape to its input's.

    Parameters
    ----------
    input : 4-d tensor
        (batch, channels, rows, columns).
    filters : 4-d tensor
        (channels, outputs / num_groups, rows, columns): as the convolution takes that goes the other way.
    output_shape : sequence of int or scalar variable
        (batch, outputs, rows, columns); the first two may be None.
    input_dilation : int or pair of int
        The step of the convolution that goes the other way: how far apart the input's elements land.

    The others are as for `conv2d`.
    """
    return conv2d_grad_wrt_inputs(input, filters, output_shape, filter_shape, border_mode, input_dilation, filter_flip,
                                  filter_dilation, num_groups, unshared)


def conv3d_transpose(input: Any, filters: Any, output_shape: Any, filter_shape: Any = None, border_mode: Any = "valid",
                     input_dilation: Any = (1, 1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1, 1),
                     num_groups: int = 1) -> Any:
    """`conv2d_transpose` over three spatial axes."""
    return conv3d_grad_wrt_inputs(input, filters, output_shape, filter_shape, border_mode, input_dilation, filter_flip,
                                  filter_dilation, num_groups)


@frozen
class ConvOp:
    """``ConvOp(output_mode=mode, dx=a, dy=b)(images, filters)`` is ``conv2d(images, filters, border_mode=mode,
    subsample=(a, b))``, as older programs of Theano write it. What they say of the shapes is checked at run time.
    """

    imshp: Any = None
    kshp: Any = None
    nkern: int | None = None
    bsize: int | None = None
    dx: int = 1
    dy: int = 1
    output_mode: str = "valid"

    def __call__(self, images: Any, filters: Any) -> Any:
        """The convolution of images with filters."""
        whole = None if self.imshp is None else (None, None, None, *self.imshp)[-3:]
        shape = None if whole is None and self.bsize is None else (self.bsize, *(whole or (None, None, None)))
        kernels = None if self.kshp is None and self.nkern is None else (self.nkern, None, *(self.kshp or (None, None)))
        return conv2d(images, filters, shape, kernels, self.output_mode, (self.dx, self.dy))

    @staticmethod
    def getOutputShape(inshp: Any, kshp: Any, stride: Any = (1, 1), mode: Any = "valid") -> tuple[Any, ...]:
        """The rows and columns that a convolution gives.

        >>> ConvOp.getOutputShape((28, 28), (5, 5))
        (24, 24)
        """
        return get_conv_output_shape((None, None, *inshp), (None, None, *kshp), mode, stride)[2:]
