"""Every optimizer of the family with every one of its conventions."""

import optimlib

EVERY = {
    "SGD": [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "average": True},
        {"momentum": 0.9, "rate_in_velocity": True},
        {"momentum": 0.9, "nesterov": True, "rate_in_velocity": True},
        {"momentum": 0.9, "weight_decay": 0.1, "decoupled": True},
    ],
    "AdaGrad": [{}, {"eps_inside": True, "initial_accumulator": 0.1}, {"lr_decay": 0.1}],
    "RMSProp": [
        {},
        {"eps_inside": True},
        {"centered": True},
        {"momentum": 0.9},
        {"momentum": 0.9, "centered": True, "rate_in_velocity": True},
        {"initial_accumulator": 0.5},
        {"weight_decay": 0.1, "decoupled": True},
    ],
    "Adadelta": [{}],
    "Adam": [{}, {"eps_hat": True}, {"eps_root": 1e-6}, {"weight_decay": 0.1}],
    "AMSGrad": [{}, {"form": "raw"}, {"form": "corrected"}, {"form": "raw", "eps_hat": True}],
    "AdamW": [
        {},
        {"base_rate": 0.01, "decay_form": "before"},
        {"eps_root": 1e-6},
        {"decay_form": "factor"},
    ],
    "Nadam": [{}, {"momentum_decay": None}],
    "Adamax": [{}, {"eps_inside": True}],
    "RAdam": [{}, {"threshold": 5.0}, {"eps_hat": True}],
    "AdaBelief": [{}],
    "Lion": [{}, {"weight_decay": 0.1}],
}
CASES = [(getattr(optimlib, name), options) for name, rows in EVERY.items() for options in rows]
IDS = [f"{optimizer.__name__} {options}" for optimizer, options in CASES]
