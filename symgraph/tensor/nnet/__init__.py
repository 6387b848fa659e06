"""Neural networks: activations, losses, softmax."""

from symgraph.tensor.nnet import abstract_conv, bn, conv, conv3d2d
from symgraph.tensor.nnet.basic import (
    binary_crossentropy,
    categorical_crossentropy,
    elu,
    hard_sigmoid,
    relu,
    selu,
    sigmoid,
    sigmoid_binary_crossentropy,
    softplus,
    softsign,
    to_one_hot,
    ultra_fast_sigmoid,
)
from symgraph.tensor.nnet.bn import batch_normalization, batch_normalization_test, batch_normalization_train
from symgraph.tensor.nnet.classification import (
    confusion_matrix,
    crossentropy_categorical_1hot,
    crossentropy_softmax_1hot,
    crossentropy_softmax_1hot_with_bias,
    crossentropy_softmax_argmax_1hot_with_bias,
    h_softmax,
    softmax_with_bias,
)
from symgraph.tensor.nnet.conv import (
    causal_conv1d,
    conv1d,
    conv2d,
    conv2d_grad_wrt_inputs,
    conv2d_grad_wrt_weights,
    conv2d_transpose,
    conv3d,
    conv3d_grad_wrt_inputs,
    conv3d_grad_wrt_weights,
    conv3d_transpose,
    separable_conv2d,
    separable_conv3d,
)
from symgraph.tensor.nnet.softmax import log_softmax, logsoftmax, logsumexp, softmax
from symgraph.tensor.nnet.upsampling import bilinear_upsampling

__all__ = [
    "abstract_conv", "batch_normalization", "batch_normalization_test", "batch_normalization_train",
    "bilinear_upsampling", "binary_crossentropy", "bn", "categorical_crossentropy", "causal_conv1d",
    "confusion_matrix", "conv", "conv1d", "conv2d", "conv2d_grad_wrt_inputs", "conv2d_grad_wrt_weights",
    "conv2d_transpose", "conv3d", "conv3d2d", "conv3d_grad_wrt_inputs", "conv3d_grad_wrt_weights",
    "conv3d_transpose", "crossentropy_categorical_1hot", "crossentropy_softmax_1hot",
    "crossentropy_softmax_1hot_with_bias", "crossentropy_softmax_argmax_1hot_with_bias", "elu", "h_softmax",
    "hard_sigmoid", "log_softmax", "logsoftmax", "logsumexp", "relu", "selu", "separable_conv2d",
    "separable_conv3d", "sigmoid", "sigmoid_binary_crossentropy", "softmax", "softmax_with_bias", "softplus",
    "softsign", "to_one_hot", "ultra_fast_sigmoid",
]
