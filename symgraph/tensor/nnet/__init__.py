"""Neural networks: activations, losses, softmax."""

from symgraph.tensor.nnet import abstract_conv, bn, conv, conv3d2d, neighbours, sigm
from symgraph.tensor.nnet.activations import (
    gelu,
    hard_swish,
    leaky_relu,
    log_sigmoid,
    mish,
    silu,
    softminus,
    swish,
    ultra_fast_sigmoid,
)
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
)
from symgraph.tensor.nnet.bn import (
    batch_normalization,
    batch_normalization_test,
    batch_normalization_train,
    layer_norm,
)
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
from symgraph.tensor.nnet.losses import embedding, hinge, huber, kl_divergence, nll, squared_error
from symgraph.tensor.nnet.neighbours import images2neibs, neibs2images
from symgraph.tensor.nnet.sigm import (
    Conv3D,
    ConvOp,
    CrossentropyCategorical1Hot,
    CrossentropySoftmaxArgmax1HotWithBias,
    ScalarSigmoid,
    ScalarSoftplus,
    SoftmaxWithBias,
    UltraFastScalarSigmoid,
    conv3D,
    scalar_sigmoid,
    scalar_softplus,
)
from symgraph.tensor.nnet.softmax import (
    LogSoftmax,
    Softmax,
    SoftmaxGrad,
    log_softmax,
    logsoftmax,
    logsoftmax_op,
    logsumexp,
    softmax,
    softmax_op,
)
from symgraph.tensor.nnet.upsampling import (
    bilinear_kernel_1D,
    bilinear_kernel_2D,
    bilinear_upsampling,
    frac_bilinear_upsampling,
)

__all__ = [
    "Conv3D", "ConvOp", "CrossentropyCategorical1Hot", "CrossentropySoftmaxArgmax1HotWithBias", "LogSoftmax",
    "ScalarSigmoid", "ScalarSoftplus", "Softmax", "SoftmaxGrad", "SoftmaxWithBias", "UltraFastScalarSigmoid",
    "abstract_conv", "batch_normalization", "batch_normalization_test", "batch_normalization_train",
    "bilinear_kernel_1D", "bilinear_kernel_2D", "bilinear_upsampling", "binary_crossentropy", "bn",
    "categorical_crossentropy", "causal_conv1d", "confusion_matrix", "conv", "conv1d", "conv2d",
    "conv2d_grad_wrt_inputs", "conv2d_grad_wrt_weights", "conv2d_transpose", "conv3D", "conv3d", "conv3d2d",
    "conv3d_grad_wrt_inputs", "conv3d_grad_wrt_weights", "conv3d_transpose", "crossentropy_categorical_1hot",
    "crossentropy_softmax_1hot", "crossentropy_softmax_1hot_with_bias", "crossentropy_softmax_argmax_1hot_with_bias",
    "elu", "embedding", "frac_bilinear_upsampling", "gelu", "h_softmax", "hard_sigmoid", "hard_swish", "hinge",
    "huber", "images2neibs", "kl_divergence", "layer_norm", "leaky_relu", "log_sigmoid", "log_softmax", "logsoftmax",
    "logsoftmax_op", "logsumexp", "mish", "neibs2images", "neighbours", "nll", "relu", "scalar_sigmoid",
    "scalar_softplus", "selu", "separable_conv2d", "separable_conv3d", "sigm", "sigmoid",
    "sigmoid_binary_crossentropy", "silu", "softmax", "softmax_op", "softmax_with_bias", "softminus", "softplus",
    "softsign", "squared_error", "swish", "to_one_hot", "ultra_fast_sigmoid",
]
