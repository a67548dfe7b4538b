"""Every optimizer of the package, with the settings that change what its rule does."""

from optimlib import optimizers
from optimlib.optimizers import Optimizer
from optimlib.optimizers.weight_decay import L2, Decoupled

PROMOTED = [getattr(optimizers, name) for name in optimizers.__all__]
METHODS = [
    thing
    for thing in PROMOTED
    if isinstance(thing, type) and issubclass(thing, Optimizer) and thing is not Optimizer
]
"""All optimizers that users may create."""

MOMENTUM = {"momentum": 0.9}
EVERY = {
    "SGD": [{}, MOMENTUM, MOMENTUM | {"weight_decay": Decoupled(0.1)}],
    "SGDRateInside": [MOMENTUM],
    "SGDRunningMean": [MOMENTUM],
    "Nesterov": [{}],
    "NesterovRateInside": [{}],
    "AdaGrad": [{}, {"initial_accumulator": 0.1}],
    "AdaGradEpsInside": [{}],
    "RMSProp": [{}, MOMENTUM, {"initial_accumulator": 0.5}, {"weight_decay": Decoupled(0.1)}],
    "RMSPropRateInside": [MOMENTUM],
    "RMSPropTF": [{}],
    "RMSPropCentered": [{}],
    "RMSPropCenteredRateInside": [MOMENTUM],
    "RMSPropCenteredTF": [{}],
    "Adadelta": [{}],
    "Adam": [{}, {"weight_decay": 0.1}, {"weight_decay": L2(0.1, lambda path: "b" in path)}],
    "AdamEpsHat": [{}],
    "AdamEpsRoot": [{}],
    "AMSGrad": [{}],
    "AMSGradRaw": [{}],
    "AMSGradEpsHat": [{}],
    "AMSGradCorrected": [{}],
    "AdamW": [
        {},
        {"weight_decay": Decoupled(0.01, base_rate=0.01, rounding="before")},
        {"weight_decay": Decoupled(0.01, rounding="factor")},
    ],
    "Nadam": [{}],
    "NadamConstant": [{}],
    "Adamax": [{}],
    "AdamaxEpsInside": [{}],
    "RAdam": [{}, {"threshold": 5.0}],
    "RAdamEpsHat": [{}],
    "AdaBelief": [{}],
    "Lion": [{}, {"weight_decay": 0.1}],
    "LARS": [{}],
    "LAMB": [{}],
    "Adafactor": [{}],
    "Muon": [{}],
    "ScheduleFreeSGD": [{}],
    "ScheduleFreeAdamW": [{}],
}
CASES = [(getattr(optimizers, name), options) for name, rows in EVERY.items() for options in rows]
IDS = [f"{name} {number}" for name, rows in EVERY.items() for number in range(len(rows))]
ELEMENTWISE = [(optimizer, options) for optimizer, options in CASES if not optimizer.needs_whole_arrays]
"""Those whose rule may be compiled."""
