"""What does this method do with a gradient? One idea a file.

A file bears the name of its method, except for these: `base`, `per_array`, `settings`, `weight_decay`
and `division` are what all methods share; `conventions`, `like` and `convention_of_a_step` are about
other libraries; `checkpoint`, `checkpoint_extra` and `files` save and load; `engine` runs a step.
"""

from optimlib.optimizers.adabelief import AdaBelief
from optimlib.optimizers.adadelta import Adadelta
from optimlib.optimizers.adafactor import Adafactor
from optimlib.optimizers.adagrad import AdaGrad, AdaGradEpsInside
from optimlib.optimizers.adam import Adam, AdamEpsHat, AdamEpsRoot
from optimlib.optimizers.adamax import Adamax, AdamaxEpsInside
from optimlib.optimizers.adamw import AdamW
from optimlib.optimizers.amsgrad import AMSGrad, AMSGradCorrected, AMSGradEpsHat, AMSGradRaw
from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.checkpoint import load_parameters
from optimlib.optimizers.convention_of_a_step import which_convention
from optimlib.optimizers.lamb import LAMB
from optimlib.optimizers.lars import LARS
from optimlib.optimizers.lion import Lion
from optimlib.optimizers.muon import Muon
from optimlib.optimizers.nadam import Nadam, NadamConstant
from optimlib.optimizers.nesterov import Nesterov, NesterovRateInside
from optimlib.optimizers.radam import RAdam, RAdamEpsHat
from optimlib.optimizers.rmsprop import (
    RMSProp,
    RMSPropCentered,
    RMSPropCenteredRateInside,
    RMSPropCenteredTF,
    RMSPropRateInside,
    RMSPropTF,
)
from optimlib.optimizers.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
from optimlib.optimizers.sgd import SGD, SGDRateInside, SGDRunningMean
from optimlib.optimizers.weight_decay import L2, Decoupled

__all__ = [
    "L2",
    "LAMB",
    "LARS",
    "SGD",
    "AMSGrad",
    "AMSGradCorrected",
    "AMSGradEpsHat",
    "AMSGradRaw",
    "AdaBelief",
    "AdaGrad",
    "AdaGradEpsInside",
    "Adadelta",
    "Adafactor",
    "Adam",
    "AdamEpsHat",
    "AdamEpsRoot",
    "AdamW",
    "Adamax",
    "AdamaxEpsInside",
    "Decoupled",
    "Lion",
    "Muon",
    "Nadam",
    "NadamConstant",
    "Nesterov",
    "NesterovRateInside",
    "Optimizer",
    "RAdam",
    "RAdamEpsHat",
    "RMSProp",
    "RMSPropCentered",
    "RMSPropCenteredRateInside",
    "RMSPropCenteredTF",
    "RMSPropRateInside",
    "RMSPropTF",
    "SGDRateInside",
    "SGDRunningMean",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "load_parameters",
    "which_convention",
]
