r"""What other libraries mean by the same names: one table of conventions and defaults.

Two programs that both say "Adam" or "RMSProp" may compute different things: epsilon inside a root or
outside it, the learning rate inside the velocity or outside it, another default. Every such convention
is a small class of its own. `CONVENTIONS` says which class a library's optimizer is and with which
defaults, and ``Adam.like("keras", params)`` reads it from there.

Nouns: a *row* of the table is what one library does under one of our names. What a row holds fast is
*fixed*; what it leaves to its users has a *default*, or is `REQUIRED`.

Names that differ: ``amsgrad=True`` of PyTorch and Keras is `AMSGrad`, ``nesterov=True`` is `Nesterov`
(scikit-learn's default), ``centered=True`` is `RMSPropCentered`. Optax's ``nadamw`` and ``adamaxw`` are
its `Nadam` and `Adamax` with `weight_decay`. AdamW in Keras is `AdamEpsHat` with decoupled decay.

The rows "paper" of `SGD` and `Nesterov` are Sutskever, Martens, Dahl and Hinton, 2013, equations 1 to 4.
Equations 1 and 2 are Polyak's heavy ball of 1964: in both papers the step is the last one times the
momentum, less the gradient times the present learning rate. Where a paper gives no decay rates of its
own, the row has Adam's.

What a library does and this package does not is in `LEFT_OUT`, and ``like`` says so. Not listed there is
what changes no rule: PyTorch's ``maximize`` is the other sign of the gradient, its ``foreach`` and
``fused`` are a matter of speed, and Keras's averaged weights and accumulated gradients are work for the
training loop.
"""

from __future__ import annotations

from inspect import signature
from typing import Any, NamedTuple

from optimlib.optimizers import (
    LAMB,
    LARS,
    SGD,
    AdaBelief,
    Adadelta,
    Adafactor,
    AdaGrad,
    AdaGradEpsInside,
    Adam,
    Adamax,
    AdamaxEpsInside,
    AdamEpsHat,
    AdamEpsRoot,
    AdamW,
    AMSGrad,
    AMSGradCorrected,
    AMSGradEpsHat,
    AMSGradRaw,
    Lion,
    Muon,
    Nadam,
    NadamConstant,
    Nesterov,
    NesterovRateInside,
    RAdam,
    RAdamEpsHat,
    RMSProp,
    RMSPropCentered,
    RMSPropCenteredRateInside,
    RMSPropCenteredTF,
    RMSPropRateInside,
    RMSPropTF,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
    SGDRateInside,
    SGDRunningMean,
)
from optimlib.optimizers.base import Optimizer

REQUIRED = "required"
"""Stands for a hyperparameter to which a library gives no default."""

OPTIONS = tuple(
    name
    for name, parameter in signature(Optimizer).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY and name not in ("weight_decay", "mask")
)
"""The keywords of every optimizer that are not part of a convention, such as ``clip_norm``."""

CLIPPING = {"torch": {"clip_eps": 1e-6}}
"""By library, what goes with `clip_norm` where that is given to `like`."""


class Convention(NamedTuple):
    """A row: the class that computes what a library does, and the hyperparameters.

    `fixed` holds those that make its rule the library's, and `defaults` all that its users may choose.
    Nothing else can be given to `like`. Both may have words about weight decay, which `decay` turns
    into one object, and about schedules, ``lr_decay`` and ``warmup_steps``, which `rate` reads.
    """

    optimizer: type[Optimizer]
    fixed: dict[str, Any]
    defaults: dict[str, Any]


def _moments(learning_rate: float | str, beta2: float = 0.999, **more: Any) -> dict[str, Any]:
    return {"learning_rate": learning_rate, "beta1": 0.9, "beta2": beta2} | more


def _adam(learning_rate: float | str = 1e-3, eps: float = 1e-8, **more: Any) -> dict[str, Any]:
    return _moments(learning_rate, eps=eps, **more)


def _rmsprop(learning_rate: float | str, rho: float, eps: float, **more: Any) -> dict[str, Any]:
    return {"learning_rate": learning_rate, "rho": rho, "eps": eps, "momentum": 0.0} | more


def _momentum(learning_rate: float | str, momentum: float | str = 0.0) -> dict[str, Any]:
    return {"learning_rate": learning_rate, "momentum": momentum}


_DECAY: dict[str, Any] = {"weight_decay": 0.0, "mask": None}
_CHOICE = _DECAY | {"decoupled": False}
_L2: dict[str, Any] = {"decoupled": False}
_JOINT = {"decoupled": True}
_BEFORE = {"decoupled": True, "rounding": "before"}
_FACTOR = {"decoupled": True, "rounding": "factor"}
_ROUNDED = {"rounding": "factor"}
_FROM_ZERO = {"initial_accumulator": 0.0}

CONVENTIONS: dict[str, dict[str, Convention]] = {
    "paper": {
        "SGD": Convention(SGDRateInside, {}, _momentum(REQUIRED, REQUIRED)),
        "Nesterov": Convention(NesterovRateInside, {}, _momentum(REQUIRED, REQUIRED)),
        "AdaGrad": Convention(AdaGrad, _FROM_ZERO, {"learning_rate": REQUIRED, "eps": REQUIRED}),
        "RMSProp": Convention(
            RMSProp, {"momentum": 0.0, "eps": 0.0} | _FROM_ZERO, {"learning_rate": REQUIRED, "rho": 0.9}
        ),
        "Adadelta": Convention(Adadelta, {"learning_rate": 1.0}, {"rho": 0.95, "eps": 1e-6}),
        "Adam": Convention(Adam, {}, _adam()),
        "AMSGrad": Convention(AMSGrad, {}, _adam(REQUIRED, eps=0.0)),
        "AdamW": Convention(AdamW, _JOINT, _adam(base_rate=REQUIRED, weight_decay=REQUIRED, mask=None)),
        "Adamax": Convention(Adamax, {"eps": 0.0}, _moments(2e-3)),
        "RAdam": Convention(RAdam, {"threshold": 4.0, "eps": 0.0}, _moments(REQUIRED)),
        "AdaBelief": Convention(AdaBelief, {}, _adam(eps_root=1e-8)),
        "Lion": Convention(
            Lion, _JOINT, _moments(REQUIRED, beta2=0.99, weight_decay=REQUIRED, mask=None)
        ),
    },
    "torch": {
        "SGD": Convention(SGD, _L2, _momentum(1e-3) | _DECAY),
        "Nesterov": Convention(Nesterov, _L2, _momentum(1e-3, REQUIRED) | _DECAY),
        "AdaGrad": Convention(
            AdaGrad,
            _L2,
            {"learning_rate": 1e-2, "lr_decay": 0.0, "initial_accumulator": 0.0, "eps": 1e-10} | _DECAY,
        ),
        "RMSProp": Convention(RMSProp, _FROM_ZERO | _L2, _rmsprop(1e-2, 0.99, 1e-8) | _DECAY),
        "RMSPropCentered": Convention(
            RMSPropCentered, _FROM_ZERO | _L2, _rmsprop(1e-2, 0.99, 1e-8) | _DECAY
        ),
        "Adadelta": Convention(Adadelta, _L2, {"learning_rate": 1.0, "rho": 0.9, "eps": 1e-6} | _DECAY),
        "Adam": Convention(Adam, _ROUNDED, _adam() | _CHOICE),
        "AMSGrad": Convention(AMSGradRaw, _ROUNDED, _adam() | _CHOICE),
        "AdamW": Convention(AdamW, _FACTOR | {"base_rate": 1.0}, _adam(weight_decay=1e-2, mask=None)),
        "Nadam": Convention(Nadam, _ROUNDED, _adam(2e-3, momentum_decay=4e-3) | _CHOICE),
        "Adamax": Convention(AdamaxEpsInside, _L2, _adam(2e-3) | _DECAY),
        "RAdam": Convention(RAdamEpsHat, {"threshold": 5.0} | _ROUNDED, _adam() | _CHOICE),
    },
    "optax": {
        "SGD": Convention(SGD, {}, _momentum(REQUIRED)),
        "Nesterov": Convention(Nesterov, {}, _momentum(REQUIRED, REQUIRED)),
        "AdaGrad": Convention(
            AdaGradEpsInside,
            {},
            {"learning_rate": REQUIRED, "initial_accumulator": 0.1, "eps": 1e-7},
        ),
        "RMSProp": Convention(RMSPropTF, {}, _rmsprop(REQUIRED, 0.9, 1e-8) | _FROM_ZERO),
        "RMSPropCentered": Convention(RMSPropCenteredTF, {}, _rmsprop(REQUIRED, 0.9, 1e-8) | _FROM_ZERO),
        "RMSPropRateInside": Convention(
            RMSPropRateInside, {}, _rmsprop(REQUIRED, 0.9, 1e-8) | _FROM_ZERO
        ),
        "RMSPropCenteredRateInside": Convention(
            RMSPropCenteredRateInside, {}, _rmsprop(REQUIRED, 0.9, 1e-8) | _FROM_ZERO
        ),
        "Adadelta": Convention(
            Adadelta, _L2, {"learning_rate": REQUIRED, "rho": 0.9, "eps": 1e-6} | _DECAY
        ),
        "Adam": Convention(Adam, {}, _adam(REQUIRED)),
        "AdamEpsRoot": Convention(AdamEpsRoot, _JOINT, _adam(REQUIRED, eps_root=0.0) | _DECAY),
        "AMSGrad": Convention(AMSGradCorrected, {}, _adam(REQUIRED)),
        "AdamW": Convention(
            AdamW, _JOINT | {"base_rate": 1.0}, _adam(REQUIRED, weight_decay=1e-4, mask=None)
        ),
        "Nadam": Convention(NadamConstant, _JOINT, _adam(REQUIRED) | _DECAY),
        "Adamax": Convention(AdamaxEpsInside, _JOINT, _adam(REQUIRED) | _DECAY),
        "RAdam": Convention(RAdam, {}, _adam(REQUIRED, threshold=5.0)),
        "AdaBelief": Convention(AdaBelief, {}, _adam(REQUIRED, eps=1e-16, eps_root=1e-16)),
        "Lion": Convention(Lion, _JOINT, _moments(REQUIRED, beta2=0.99, weight_decay=1e-3, mask=None)),
        "Adafactor": Convention(
            Adafactor,
            {"eps_scale": 1e-3},
            {"learning_rate": REQUIRED, "decay": 0.8, "clip_rms": 1.0, "eps": 1e-30},
        ),
        "Muon": Convention(
            Muon, _JOINT, {"learning_rate": REQUIRED, "momentum": 0.95, "eps": 1e-8} | _DECAY
        ),
        "ScheduleFreeSGD": Convention(
            ScheduleFreeSGD, _L2, {"learning_rate": 1.0, "beta1": 0.9} | _DECAY
        ),
        "ScheduleFreeAdamW": Convention(ScheduleFreeAdamW, {}, _adam(2.5e-3, decay=0.0)),
        "LARS": Convention(
            LARS,
            _L2,
            {"learning_rate": REQUIRED, "momentum": 0.9, "trust": 1e-3, "eps": 0.0} | _DECAY,
        ),
        "LAMB": Convention(LAMB, {}, _adam(REQUIRED, eps=1e-6, decay=0.0)),
    },
    "keras": {
        "SGD": Convention(SGDRateInside, _BEFORE, _momentum(1e-2) | _DECAY),
        "Nesterov": Convention(NesterovRateInside, _BEFORE, _momentum(1e-2, REQUIRED) | _DECAY),
        "AdaGrad": Convention(
            AdaGradEpsInside,
            _BEFORE,
            {"learning_rate": 1e-3, "initial_accumulator": 0.1, "eps": 1e-7} | _DECAY,
        ),
        "RMSProp": Convention(RMSPropTF, _FROM_ZERO | _BEFORE, _rmsprop(1e-3, 0.9, 1e-7) | _DECAY),
        "RMSPropCentered": Convention(
            RMSPropCenteredTF, _FROM_ZERO | _BEFORE, _rmsprop(1e-3, 0.9, 1e-7) | _DECAY
        ),
        "Adadelta": Convention(
            Adadelta, _BEFORE, {"learning_rate": 1e-3, "rho": 0.95, "eps": 1e-7} | _DECAY
        ),
        "Adam": Convention(AdamEpsHat, _BEFORE, _adam(eps=1e-7) | _DECAY),
        "AMSGrad": Convention(AMSGradEpsHat, _BEFORE, _adam(eps=1e-7) | _DECAY),
        "AdamW": Convention(
            AdamEpsHat, _BEFORE | {"base_rate": 1.0}, _adam(eps=1e-7, weight_decay=4e-3, mask=None)
        ),
        "Nadam": Convention(Nadam, {"momentum_decay": 1.0} | _BEFORE, _adam(eps=1e-7) | _DECAY),
        "Adamax": Convention(Adamax, _BEFORE, _adam(eps=1e-7) | _DECAY),
        "Lion": Convention(Lion, _BEFORE, _moments(1e-3, beta2=0.99) | _DECAY),
    },
    "schedulefree": {
        "ScheduleFreeSGD": Convention(
            ScheduleFreeSGD, _L2, {"learning_rate": 1.0, "beta1": 0.9, "warmup_steps": 0} | _DECAY
        ),
        "ScheduleFreeAdamW": Convention(ScheduleFreeAdamW, {}, _adam(2.5e-3, decay=0.0, warmup_steps=0)),
    },
    "sklearn": {
        "SGD": Convention(SGDRateInside, {}, _momentum(1e-3, 0.9)),
        "Nesterov": Convention(NesterovRateInside, {}, _momentum(1e-3, 0.9)),
        "Adam": Convention(AdamEpsHat, {}, _adam()),
    },
    "autograd": {
        "SGD": Convention(SGDRunningMean, {}, _momentum(0.1, 0.9)),
        "RMSProp": Convention(
            RMSProp,
            {"momentum": 0.0, "initial_accumulator": 1.0},
            {"learning_rate": 0.1, "rho": 0.9, "eps": 1e-8},
        ),
        "Adam": Convention(Adam, {}, _adam()),
    },
    "cs231n": {
        "SGD": Convention(SGDRateInside, {}, _momentum(1e-2)),
        "Nesterov": Convention(NesterovRateInside, {}, _momentum(1e-2, REQUIRED)),
        "RMSProp": Convention(
            RMSProp,
            {"momentum": 0.0} | _FROM_ZERO,
            {"learning_rate": 1e-2, "rho": 0.99, "eps": 1e-8},
        ),
        "Adam": Convention(Adam, {}, _adam()),
    },
}
"""What `like` looks up: by library, then by the name of the class that it is called on."""

_DTYPE = "the state has the dtype of the parameters"
_ROOT = "only AdamEpsRoot has this epsilon here"
_OF_ADAM = ("adam_b1", "adam_b2", "adam_eps_root", "adam_weight_decay", "adam_learning_rate")
_OF_MUON = (
    *("ns_coeffs", "ns_steps", "preconditioning", "adaptive", "consistent_rms", "mu_dtype"),
    "muon_weight_dimension_numbers",
)
_FREE = ("ScheduleFreeSGD", "ScheduleFreeAdamW")
_LOSS = "it needs values of the loss beside the gradient"
_WRAPS = "it wraps another optimizer"
_NO_CLASS = "no class here computes it"
_OF_OPTAX = (
    *("acprop", "adan", "ademamix", "adopt", "cocob", "dadapt_adamw", "dog", "dowg", "fromage"),
    *("galore", "madgrad", "novograd", "optimistic_adam", "optimistic_adam_v2"),
    *("optimistic_gradient_descent", "prodigy", "rprop", "sign_sgd", "signum"),
    *("simplified_ademamix", "sm3", "sophia", "yogi"),
)

LEFT_OUT: dict[str, dict[str, str]] = {
    "paper": {
        "Nadam": (
            "its second moment has another factor beta2, and its first one decays at the scheduled rate;"
            " no library follows it there. Nadam's docstring says more"
        ),
    },
    "torch": {
        "SGD.dampening": (
            "SGDRunningMean is nearly dampening=momentum, whose first gradient alone is not damped"
        ),
        "Adafactor": "its epsilon is a floor under the second moment, and not a part of it",
        "Muon": "it orthogonalizes in bfloat16",
        "LBFGS": _LOSS,
        "SparseAdam": "it is for sparse gradients, and arrays are dense here",
        **dict.fromkeys(["ASGD", "Rprop"], _NO_CLASS),
    },
    "keras": {
        "LAMB": "without weight decay it is optax's with eps=1e-7; its decay is not part of the ratio",
        "ScheduleFreeAdamW": "without warmup it is schedulefree's; its warmup has other weights",
        "Adafactor": "its step is at most in proportion to one over the root of t",
        "Muon": "its steps are scaled otherwise, and what is not a matrix goes to Adam",
        "Ftrl": _NO_CLASS,
        **dict.fromkeys(["LossScaleOptimizer", "MultiOptimizer"], _WRAPS),
    },
    "schedulefree": {"RAdamScheduleFree": _NO_CLASS, "ScheduleFreeWrapper": _WRAPS},
    "sklearn": {"lbfgs": _LOSS},
    "optax": {
        "SGD.accumulator_dtype": _DTYPE,
        "RMSProp.bias_correction": (
            "without momentum that is Adam with beta1=0, or AdamEpsRoot where epsilon is inside"
        ),
        "RMSProp.nesterov": "the velocity of RMSProp does not look ahead here",
        "Adam.nesterov": "that is Nadam",
        "AMSGrad.bias_correction_mu": "AMSGrad.like('paper', ...) has both corrections off",
        "AMSGrad.bias_correction_nu": "AMSGrad.like('paper', ...) has both corrections off",
        "AdamW.nesterov": "that is Nadam with weight_decay",
        "RAdam.nesterov": "only Nadam looks ahead here",
        "AdaBelief.nesterov": "only Nadam looks ahead here",
        "LARS.nesterov": "the velocity of LARS does not look ahead here",
        "LARS.trust_ratio_mask": "give the arrays without a ratio to SGD",
        "Adafactor.momentum": "steps without momentum are what Adafactor is for",
        "Adafactor.dtype_momentum": "steps without momentum are what Adafactor is for",
        "Adafactor.weight_decay_rate": "it decays apart from the learning rate, ours does not",
        "Adafactor.mask": "it decays apart from the learning rate, ours does not",
        "Adafactor.decay_offset": "t counts from the first step",
        "Adafactor.factored": "every matrix has rows and columns here, however small",
        "Adafactor.min_dim_size_to_factor": "every matrix has rows and columns here, however small",
        "Adafactor.multiply_by_parameter_scale": "steps are in proportion to the parameters here",
        **{f"{key}.eps_root": _ROOT for key in ("AMSGrad", "Nadam", "RAdam")},
        **{f"{key}.mu_dtype": _DTYPE for key in ("Adam", "AMSGrad", "AdamW", "Nadam", "Lion")},
        **dict.fromkeys([f"Muon.{key}" for key in _OF_ADAM], "give what is not a matrix to AdamW"),
        **dict.fromkeys([f"Muon.{key}" for key in _OF_MUON], "Muon is Jordan's first form here"),
        **dict.fromkeys([f"{key}.state_dtype" for key in _FREE], _DTYPE),
        **dict.fromkeys([f"{key}.weight_lr_power" for key in _FREE], "the power is 2 here"),
        **dict.fromkeys(_OF_OPTAX, _NO_CLASS),
        **dict.fromkeys(["lbfgs", "momo", "momo_adam", "polyak_sgd"], _LOSS),
        **dict.fromkeys(["mechanize", "sam", "schedule_free"], _WRAPS),
        **dict.fromkeys(["dpsgd", "noisy_sgd"], "it adds noise to the gradient"),
    },
}
"""What is not reproduced, by library: an optimizer or a keyword, and why."""
