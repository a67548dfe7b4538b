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

from optimlib.averaging import EMA, PolyakAverage
from optimlib.clipping import clip_by_global_norm, clip_by_leaf_norm, clip_by_value, global_norm
from optimlib.gradcheck import (
    GradientReport,
    assert_gradient,
    assert_value_and_grad,
    check_adjoint,
    check_gradient,
    check_hvp,
    check_jvp,
    check_layer,
    check_layer_object,
    check_value_and_grad,
    check_vjp,
)
from optimlib.optimizers import (
    L2,
    LAMB,
    LARS,
    SGD,
    AdaBelief,
    Adadelta,
    Adafactor,
    AdaGrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Decoupled,
    Lion,
    Muon,
    Nadam,
    Nesterov,
    RAdam,
    RMSProp,
    RMSPropCentered,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
    load_parameters,
    which_convention,
)
from optimlib.schedules import (
    ReduceOnPlateau,
    constant,
    cosine,
    cosine_restarts,
    cyclic,
    exponential_decay,
    inverse_time_decay,
    joined,
    milestones,
    one_cycle,
    polynomial_decay,
    step_decay,
    warmup,
)
from optimlib.training import Checkpoint, DivergedError, EarlyStopping, fit, minibatches
from optimlib.trees import NonFiniteError

__all__ = [
    "EMA",
    "L2",
    "LAMB",
    "LARS",
    "SGD",
    "AMSGrad",
    "AdaBelief",
    "AdaGrad",
    "Adadelta",
    "Adafactor",
    "Adam",
    "AdamW",
    "Adamax",
    "Checkpoint",
    "Decoupled",
    "DivergedError",
    "EarlyStopping",
    "GradientReport",
    "Lion",
    "Muon",
    "Nadam",
    "Nesterov",
    "NonFiniteError",
    "PolyakAverage",
    "RAdam",
    "RMSProp",
    "RMSPropCentered",
    "ReduceOnPlateau",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
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
    "cyclic",
    "exponential_decay",
    "fit",
    "global_norm",
    "inverse_time_decay",
    "joined",
    "load_parameters",
    "milestones",
    "minibatches",
    "one_cycle",
    "polynomial_decay",
    "step_decay",
    "warmup",
    "which_convention",
]
