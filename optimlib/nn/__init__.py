"""How is a layer's backward pass written? Layers, losses and initial weights, each with its gradient."""

from optimlib.nn.batch_normalization import (
    BatchNormCache,
    batch_norm,
    batch_norm_backward,
    batch_norm_evaluate,
    batch_norm_evaluate_backward,
    running_statistics,
)
from optimlib.nn.convolution import conv2d, conv2d_backward
from optimlib.nn.elman import RNNCache, rnn, rnn_backward
from optimlib.nn.gated_recurrent_unit import GRUCache, gru, gru_backward
from optimlib.nn.initializers import (
    fans,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    orthogonal,
)
from optimlib.nn.layer_normalization import LayerNormCache, layer_norm, layer_norm_backward
from optimlib.nn.layers import (
    dense,
    dense_backward,
    dropout,
    dropout_backward,
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu_backward,
    residual,
    residual_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from optimlib.nn.long_short_term_memory import LSTMCache, lstm, lstm_backward
from optimlib.nn.losses import logistic, softmax_cross_entropy, squared_error

__all__ = [
    "BatchNormCache",
    "GRUCache",
    "LSTMCache",
    "LayerNormCache",
    "RNNCache",
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_evaluate",
    "batch_norm_evaluate_backward",
    "conv2d",
    "conv2d_backward",
    "dense",
    "dense_backward",
    "dropout",
    "dropout_backward",
    "fans",
    "glorot_normal",
    "glorot_uniform",
    "gru",
    "gru_backward",
    "he_normal",
    "he_uniform",
    "layer_norm",
    "layer_norm_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "logistic",
    "lstm",
    "lstm_backward",
    "orthogonal",
    "relu",
    "relu_backward",
    "residual",
    "residual_backward",
    "rnn",
    "rnn_backward",
    "running_statistics",
    "sigmoid",
    "sigmoid_backward",
    "softmax_cross_entropy",
    "squared_error",
    "tanh",
    "tanh_backward",
]
