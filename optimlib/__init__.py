"""Gradients you can trust, and the optimizers that use them: the companion package of the book.

>>> import numpy as np
>>> import optimlib
>>> theta = np.array([3.0, -1.0])
>>> def loss(theta): return (theta**2).sum()
>>> def grad(theta): return 2 * theta
>>> optimlib.check_gradient(loss, grad, theta).verdict
'pass'
>>> optimizer = optimlib.Adam(theta, learning_rate=0.1)
>>> for _ in range(100):
...     optimizer.step(grad(theta))
>>> bool(loss(theta) < 0.01)
True
"""

from optimlib.clipping import clip_by_global_norm, clip_by_leaf_norm, clip_by_value, global_norm
from optimlib.gradcheck.check import assert_gradient, check_gradient
from optimlib.gradcheck.layers import check_layer, check_layer_object
from optimlib.gradcheck.products import check_adjoint, check_hvp, check_jvp, check_vjp
from optimlib.gradcheck.report import GradientReport
from optimlib.gradcheck.value_and_grad import assert_value_and_grad, check_value_and_grad
from optimlib.optimizers.adam import Adam, AdamW, AMSGrad
from optimlib.optimizers.adam_family import AdaBelief, Adamax, Lion, Nadam, RAdam
from optimlib.optimizers.adaptive import Adadelta, AdaGrad, RMSProp
from optimlib.optimizers.sgd import SGD
from optimlib.schedules import (
    ReduceOnPlateau,
    constant,
    cosine,
    cosine_restarts,
    exponential_decay,
    inverse_time_decay,
    one_cycle,
    polynomial_decay,
    step_decay,
    warmup,
)

__all__ = [
    "SGD",
    "AMSGrad",
    "AdaBelief",
    "AdaGrad",
    "Adadelta",
    "Adam",
    "AdamW",
    "Adamax",
    "GradientReport",
    "Lion",
    "Nadam",
    "RAdam",
    "RMSProp",
    "ReduceOnPlateau",
    "assert_gradient",
    "assert_value_and_grad",
    "check_adjoint",
    "check_gradient",
    "check_hvp",
    "check_jvp",
    "check_layer",
    "check_layer_object",
    "check_value_and_grad",
    "check_vjp",
    "clip_by_global_norm",
    "clip_by_leaf_norm",
    "clip_by_value",
    "constant",
    "cosine",
    "cosine_restarts",
    "exponential_decay",
    "global_norm",
    "inverse_time_decay",
    "one_cycle",
    "polynomial_decay",
    "step_decay",
    "warmup",
]
