"""Convolutions under the names of Theano's module of this name."""

from __future__ import annotations

from typing import Any

from symgraph.tensor.nnet.conv import (
    causal_conv1d,
    conv2d,
    conv2d_grad_wrt_inputs,
    conv2d_grad_wrt_weights,
    conv3d,
    conv3d_grad_wrt_inputs,
    conv3d_grad_wrt_weights,
    separable_conv2d,
    separable_conv3d,
)
from symgraph.tensor.nnet.conv_shapes import (
    assert_conv_shape,
    check_conv_gradinputs_shape,
    get_conv_gradinputs_shape,
    get_conv_gradweights_shape,
    get_conv_output_shape,
    get_conv_shape_1axis,
)
from symgraph.tensor.nnet.upsampling import (
    bilinear_kernel_1D,
    bilinear_kernel_2D,
    bilinear_upsampling,
    frac_bilinear_upsampling,
)

__all__ = [
    "AbstractConv2d", "AbstractConv2d_gradInputs", "AbstractConv2d_gradWeights", "AbstractConv3d",
    "AbstractConv3d_gradInputs", "AbstractConv3d_gradWeights", "assert_conv_shape", "bilinear_kernel_1D",
    "bilinear_kernel_2D", "bilinear_upsampling", "causal_conv1d", "check_conv_gradinputs_shape", "conv2d",
    "conv2d_grad_wrt_inputs", "conv2d_grad_wrt_weights", "conv3d", "conv3d_grad_wrt_inputs",
    "conv3d_grad_wrt_weights", "frac_bilinear_upsampling", "get_conv_gradinputs_shape", "get_conv_gradweights_shape",
    "get_conv_output_shape", "get_conv_shape_1axis", "separable_conv2d", "separable_conv3d",
]


class _Prepared:
    """A convolution with all but its tensors given: called with these, it applies the operation.

    Parameters
    ----------
    imshp, kshp : sequence of int or None, optional
        What is known of the shapes of images and filters.
    border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared
        As for `conv2d`.
    """

    _rank = 2

    def __init__(self, imshp: Any = None, kshp: Any = None, border_mode: Any = "valid", subsample: Any = 1,
                 filter_flip: bool = True, filter_dilation: Any = 1, num_groups: int = 1,
                 unshared: bool = False) -> None:
        self.imshp, self.kshp = imshp, kshp
        self.options: dict[str, Any] = {"border_mode": border_mode, "subsample": subsample, "filter_flip": filter_flip,
                                        "filter_dilation": filter_dilation, "num_groups": num_groups}
        if unshared and self._rank != 2:
            raise NotImplementedError(f"{type(self).__name__}: filters that differ from place to place (unshared=True) "
                                      "are provided for two spatial axes and one, not three")
        if unshared:
            self.options["unshared"] = True

    def _lengths(self, shape: Any, known: Any) -> Any:
        """The result's shape: the spatial lengths given now, or what was known when the operation was prepared."""
        if shape is None:
            return known
        first = [None, None] if known is None else list(known)[:2]
        if hasattr(shape, "type"):
            shape = [shape[i] for i in range(self._rank)]
        return [*first, *shape]


class AbstractConv2d(_Prepared):
    """Called with images and filters: `conv2d`."""

    def __call__(self, img: Any, kern: Any) -> Any:
        return (conv2d if self._rank == 2 else conv3d)(img, kern, self.imshp, self.kshp, **self.options)


class AbstractConv2d_gradInputs(_Prepared):
    """Called with filters, the result's gradient and the images' spatial lengths: `conv2d_grad_wrt_inputs`."""

    def __call__(self, kern: Any, topgrad: Any, shape: Any = None) -> Any:
        compute = conv2d_grad_wrt_inputs if self._rank == 2 else conv3d_grad_wrt_inputs
        return compute(topgrad, kern, self._lengths(shape, self.imshp), self.kshp, **self.options)


class AbstractConv2d_gradWeights(_Prepared):
    """Called with images, the result's gradient and the filters' spatial lengths: `conv2d_grad_wrt_weights`."""

    def __call__(self, img: Any, topgrad: Any, shape: Any = None) -> Any:
        compute = conv2d_grad_wrt_weights if self._rank == 2 else conv3d_grad_wrt_weights
        return compute(img, topgrad, self._lengths(shape, self.kshp), self.imshp, **self.options)


class AbstractConv3d(AbstractConv2d):
    """Called with images and filters: `conv3d`."""

    _rank = 3


class AbstractConv3d_gradInputs(AbstractConv2d_gradInputs):
    """Called with filters, the result's gradient and the images' spatial lengths: `conv3d_grad_wrt_inputs`."""

    _rank = 3


class AbstractConv3d_gradWeights(AbstractConv2d_gradWeights):
    """Called with images, the result's gradient and the filters' spatial lengths: `conv3d_grad_wrt_weights`."""

    _rank = 3
