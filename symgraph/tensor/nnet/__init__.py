"""Neural networks: activations, losses, softmax."""

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
from symgraph.tensor.nnet.softmax import log_softmax, logsoftmax, logsumexp, softmax

__all__ = [
    "binary_crossentropy", "categorical_crossentropy", "elu", "hard_sigmoid", "log_softmax", "logsoftmax",
    "logsumexp", "relu",
    "selu", "sigmoid", "sigmoid_binary_crossentropy", "softmax", "softplus", "softsign", "to_one_hot",
    "ultra_fast_sigmoid",
]
