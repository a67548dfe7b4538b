"""Record what PyTorch, Optax, Keras, scikit-learn and Autograd do with the same gradients.

    pip install torch optax keras scikit-learn autograd schedulefree
    python tests/golden/record_optimizers.py

It writes optimizers.npz. `CASES` says which optimizer of which library is run with which
hyperparameters. The test of the conventions reads it too, and runs ours beside what is recorded here.
Keras runs on the JAX backend.
"""

import importlib.metadata
import json
import operator
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

STEPS = 200
KEPT = [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 15, 23, 39, 79, 119, 159, 199]
"""The steps, counted from 0, after which the parameters are recorded."""
SHAPES = {"W": (4, 3), "b": (5,), "s": ()}
MASK = {"W": True, "b": False, "s": True}
PACKAGES = {
    "torch": "torch",
    "optax": "optax",
    "keras": "keras",
    "sklearn": "scikit-learn",
    "autograd": "autograd",
    "schedulefree": "schedulefree",
}

CLIPPED = {"clip_norm": 50.0}
"""About the median norm of the gradients: some are clipped and some are not."""
VALUE_AND_NORM = {"clip_value": 20.0, "clip_norm": 30.0}

NESTEROV = {"ours": "Nesterov", "+": {"nesterov": True}}
CENTERED = {"ours": "RMSPropCentered", "+": {"centered": True}}

Params = dict[str, np.ndarray]
Step = Callable[[Params], Params]


class Case(NamedTuple):
    """`ours` are hyperparameters for `like`; `theirs` the same ones for the library's own class.

    PyTorch and Optax clip outside their optimizers: among theirs, `clip_value` and `clip_norm` say
    that it is done, the value first. `convention` is what `like` is asked for, if not the library, and
    `arrays` are those of the problem that take part.
    """

    library: str
    ours: str
    our_hyperparameters: dict[str, Any]
    theirs: str
    their_hyperparameters: dict[str, Any]
    scheduled: bool = False
    convention: str = ""
    arrays: tuple[str, ...] = tuple(SHAPES)

    @property
    def row(self) -> tuple[str, str]:
        """Where the table of conventions has it: under a library and one of our names."""
        return self.convention or self.library, self.ours


def pairs(library: str, ours: str, theirs: str, names: dict[str, str], *rows: dict) -> list[Case]:
    """A case with default hyperparameters, and one a row; `names` maps our names to the library's.

    A row may have a key "+", what only their class needs, and any of "scheduled", "convention", "arrays"
    and "ours", which is then our name in the place of `ours`.
    """
    cases = []
    for row in rows:
        about = {key: row[key] for key in ("scheduled", "convention", "arrays") if key in row}
        chosen = {key: value for key, value in row.items() if key not in {"+", "ours", *about}}
        renamed = {names[key]: value for key, value in chosen.items()} | row.get("+", {})
        if {"beta1", "beta2"} <= set(renamed):  # PyTorch has them as a pair
            renamed["betas"] = (renamed.pop("beta1"), renamed.pop("beta2"))
        cases.append(Case(library, row.get("ours", ours), chosen, theirs, renamed, **about))
    return cases


def torch_cases() -> list[Case]:
    names = {
        "learning_rate": "lr",
        "momentum": "momentum",
        "weight_decay": "weight_decay",
        "mask": "mask",
        "lr_decay": "lr_decay",
        "initial_accumulator": "initial_accumulator_value",
        "eps": "eps",
        "rho": "rho",
        "beta1": "beta1",
        "beta2": "beta2",
        "momentum_decay": "momentum_decay",
        "decoupled": "decoupled_weight_decay",
        "clip_value": "clip_value",
        "clip_norm": "clip_norm",
    }
    moments = {"beta1": 0.7, "beta2": 0.95}

    def rows(*more: dict) -> list[dict]:
        return [
            {},
            moments | {"learning_rate": 0.02, "eps": 1e-3, "scheduled": True},
            {"weight_decay": 0.1},
            *more,
        ]

    masked = {"weight_decay": 0.1, "mask": MASK}
    decoupled = {"learning_rate": 0.01, "weight_decay": 0.3, "decoupled": True, "scheduled": True}
    amsgrad = [row | {"+": {"amsgrad": True}} for row in rows({"beta2": 0.8, "beta1": 0.9})]
    return [
        *pairs(
            "torch",
            "SGD",
            "SGD",
            names,
            {},
            {"learning_rate": 0.02, "scheduled": True},
            {"momentum": 0.9},
            {"learning_rate": 0.02, "momentum": 0.6, "scheduled": True},
            {"learning_rate": 0.02, "momentum": 0.9, "scheduled": True} | NESTEROV,
            {"momentum": 0.9, "weight_decay": 0.1},
            {"momentum": 0.9} | masked | NESTEROV,
        ),
        *pairs(
            "torch",
            "AdaGrad",
            "Adagrad",
            names,
            {},
            {"learning_rate": 0.1, "eps": 1e-3, "scheduled": True},
            {"lr_decay": 0.3, "initial_accumulator": 0.5},
            {"weight_decay": 0.1},
        ),
        *pairs(
            "torch",
            "RMSProp",
            "RMSprop",
            names | {"rho": "alpha"},
            {},
            {"rho": 0.7, "eps": 1e-3, "learning_rate": 0.02, "scheduled": True},
            CENTERED,
            {"momentum": 0.9, "learning_rate": 0.005, "scheduled": True},
            {"momentum": 0.6, "eps": 1e-4, "weight_decay": 0.1} | CENTERED,
        ),
        *pairs(
            "torch",
            "Adadelta",
            "Adadelta",
            names,
            {},
            {"learning_rate": 0.3, "rho": 0.6, "eps": 1e-3, "scheduled": True},
            {"weight_decay": 0.1},
        ),
        *pairs("torch", "Adam", "Adam", names, *rows(masked)),
        *pairs("torch", "AMSGrad", "Adam", names, *amsgrad),
        *pairs(
            "torch", "AdamW", "AdamW", names, *rows(masked, {"weight_decay": 0.3, "scheduled": True})
        ),
        *pairs("torch", "Nadam", "NAdam", names, *rows({"momentum_decay": 1.0})),
        *pairs("torch", "Adamax", "Adamax", names, *rows()),
        *pairs("torch", "RAdam", "RAdam", names, *rows({"beta1": 0.9, "beta2": 0.5})),
        *[
            case
            for ours, theirs in (("Adam", "Adam"), ("Nadam", "NAdam"), ("RAdam", "RAdam"))
            for case in pairs("torch", ours, theirs, names, decoupled, decoupled | masked)
        ],
        *pairs("torch", "AMSGrad", "Adam", names, decoupled | {"+": {"amsgrad": True}}),
        Case(
            "torch",
            "AMSGrad",
            {"weight_decay": 0.1, "decoupled": True},
            "AdamW",
            {"weight_decay": 0.1, "amsgrad": True},
        ),
        *pairs("torch", "SGD", "SGD", names, CLIPPED, {"clip_value": 0.5}, VALUE_AND_NORM),
        *pairs("torch", "Adam", "Adam", names, CLIPPED, CLIPPED | {"weight_decay": 0.1}),
        *pairs("torch", "AdamW", "AdamW", names, CLIPPED),
    ]


def optax_cases() -> list[Case]:
    names = {
        "learning_rate": "learning_rate",
        "momentum": "momentum",
        "weight_decay": "weight_decay",
        "mask": "mask",
        "initial_accumulator": "initial_accumulator_value",
        "eps": "eps",
        "eps_root": "eps_root",
        "rho": "rho",
        "beta1": "b1",
        "beta2": "b2",
        "threshold": "threshold",
        "clip_value": "clip_value",
        "clip_norm": "clip_norm",
    }
    rate = {"learning_rate": 0.01}
    moments = {"learning_rate": 0.02, "beta1": 0.7, "beta2": 0.95}
    plain = [rate, moments | {"eps": 1e-3, "scheduled": True}]
    masked = {"weight_decay": 0.1, "mask": MASK}
    shrunk = rate | {"weight_decay": 0.3, "scheduled": True}
    uncorrected = {
        "eps": 1e-8,
        "convention": "paper",
        "+": {"bias_correction_mu": False, "bias_correction_nu": False},
    }
    outside = {"eps_in_sqrt": False}
    return [
        *pairs(
            "optax",
            "SGD",
            "sgd",
            names,
            rate,
            rate | {"momentum": 0.9, "scheduled": True},
            rate | {"momentum": 0.6, "scheduled": True} | NESTEROV,
        ),
        *pairs(
            "optax",
            "AdaGrad",
            "adagrad",
            names,
            rate,
            {"learning_rate": 0.1, "initial_accumulator": 0.0, "eps": 1e-3, "scheduled": True},
        ),
        *pairs(
            "optax",
            "RMSProp",
            "rmsprop",
            names | {"rho": "decay", "initial_accumulator": "initial_scale"},
            rate,
            rate | {"rho": 0.7, "eps": 1e-3, "scheduled": True},
            rate | {"ours": "RMSPropRateInside", "+": outside},
            rate | {"eps": 1e-5} | CENTERED,
            rate | {"eps": 1e-3, "ours": "RMSPropCenteredRateInside", "+": {"centered": True} | outside},
            rate | {"momentum": 0.9, "scheduled": True},
            rate | {"momentum": 0.6, "eps": 1e-3, "scheduled": True} | CENTERED,
        ),
        *pairs(
            "optax",
            "Adadelta",
            "adadelta",
            names | {"mask": "weight_decay_mask"},
            {"learning_rate": 1.0},
            {"learning_rate": 0.3, "rho": 0.6, "eps": 1e-3, "scheduled": True},
            {"learning_rate": 0.3} | masked,
        ),
        *pairs("optax", "Adam", "adam", names, *plain),
        *pairs("optax", "AMSGrad", "amsgrad", names, *plain, rate | {"beta2": 0.8}),
        *pairs(
            "optax", "AMSGrad", "amsgrad", names, rate | uncorrected, rate | {"beta2": 0.8} | uncorrected
        ),
        *pairs(
            "optax",
            "AdamW",
            "adamw",
            names,
            *plain,
            rate | masked,
            rate | {"weight_decay": 0.3, "scheduled": True},
        ),
        *pairs("optax", "Nadam", "nadam", names, *plain),
        *pairs("optax", "Adamax", "adamax", names, *plain),
        *pairs("optax", "RAdam", "radam", names, *plain, rate | {"threshold": 4.0}),
        *pairs("optax", "AdaBelief", "adabelief", names, *plain, rate | {"eps_root": 1e-4}),
        *pairs(
            "optax",
            "Lion",
            "lion",
            names,
            rate,
            moments | {"weight_decay": 0.3, "scheduled": True},
            rate | masked,
        ),
        *pairs(
            "optax",
            "RMSProp",
            "rmsprop",
            names | {"rho": "decay", "initial_accumulator": "initial_scale"},
            rate | {"initial_accumulator": 0.5},
            rate | {"initial_accumulator": 2.0, "momentum": 0.6, "eps": 1e-3} | CENTERED,
        ),
        *pairs("optax", "AdamEpsRoot", "adam", names, rate | {"eps_root": 1e-4}),
        *pairs("optax", "AdamEpsRoot", "adamw", names, rate | masked | {"eps_root": 1e-4}),
        *pairs("optax", "Nadam", "nadamw", names, rate | masked, shrunk),
        *pairs("optax", "Adamax", "adamaxw", names, rate | masked, shrunk),
        *pairs("optax", "SGD", "sgd", names, rate | CLIPPED, rate | VALUE_AND_NORM),
        *pairs("optax", "Adam", "adam", names, rate | CLIPPED, rate | {"clip_value": 0.5}),
        *pairs("optax", "AdamW", "adamw", names, shrunk | CLIPPED),
        *pairs("optax", "Lion", "lion", names, rate | CLIPPED),
    ]


def keras_cases() -> list[Case]:
    names = {
        "learning_rate": "learning_rate",
        "momentum": "momentum",
        "weight_decay": "weight_decay",
        "mask": "mask",
        "initial_accumulator": "initial_accumulator_value",
        "eps": "epsilon",
        "rho": "rho",
        "beta1": "beta_1",
        "beta2": "beta_2",
        "clip_value": "clipvalue",
        "clip_norm": "global_clipnorm",
    }
    moments = {"learning_rate": 0.02, "beta1": 0.7, "beta2": 0.95, "scheduled": True}
    plain = [{}, moments | {"eps": 1e-3}]
    amsgrad = [row | {"+": {"amsgrad": True}} for row in (*plain, {"beta2": 0.8})]
    masked = {"weight_decay": 0.1, "mask": MASK}
    shrunk = {"learning_rate": 0.01, "weight_decay": 0.3, "scheduled": True}
    return [
        *pairs(
            "keras",
            "SGD",
            "SGD",
            names,
            {},
            {"momentum": 0.9},
            {"learning_rate": 0.02, "momentum": 0.9, "scheduled": True},
            {"learning_rate": 0.02, "momentum": 0.6, "scheduled": True} | NESTEROV,
        ),
        *pairs(
            "keras",
            "AdaGrad",
            "Adagrad",
            names,
            {},
            {"learning_rate": 0.1, "initial_accumulator": 0.0, "eps": 1e-3, "scheduled": True},
        ),
        *pairs(
            "keras",
            "RMSProp",
            "RMSprop",
            names,
            {},
            {"rho": 0.7, "eps": 1e-3, "learning_rate": 0.02, "scheduled": True},
            {"eps": 1e-5} | CENTERED,
            {"momentum": 0.9, "learning_rate": 0.005, "scheduled": True},
            {"learning_rate": 0.005, "momentum": 0.6, "eps": 1e-3, "scheduled": True} | CENTERED,
        ),
        *pairs(
            "keras",
            "Adadelta",
            "Adadelta",
            names,
            {},
            {"learning_rate": 0.3, "rho": 0.6, "eps": 1e-3, "scheduled": True},
        ),
        *pairs("keras", "Adam", "Adam", names, *plain),
        *pairs("keras", "AMSGrad", "Adam", names, *amsgrad),
        *pairs(
            "keras",
            "AdamW",
            "AdamW",
            names,
            *plain,
            masked,
            {"learning_rate": 0.01, "weight_decay": 0.3, "scheduled": True},
        ),
        *pairs("keras", "AdamW", "Adam", names, {"weight_decay": 0.1}),  # decoupled here too
        *pairs("keras", "Nadam", "Nadam", names, *plain),
        *pairs("keras", "Adamax", "Adamax", names, *plain),
        *pairs("keras", "Lion", "Lion", names, {}, moments | {"weight_decay": 0.3}, masked),
        *[
            case
            for ours, theirs in (
                ("SGD", "SGD"),
                ("AdaGrad", "Adagrad"),
                ("RMSProp", "RMSprop"),
                ("Adadelta", "Adadelta"),
                ("Adam", "Adam"),
                ("Nadam", "Nadam"),
                ("Adamax", "Adamax"),
            )
            for case in pairs("keras", ours, theirs, names, shrunk, shrunk | masked)
        ],
        *pairs("keras", "SGD", "SGD", names, shrunk | {"momentum": 0.9} | NESTEROV),
        *pairs("keras", "RMSProp", "RMSprop", names, shrunk | {"momentum": 0.6} | CENTERED),
        *pairs("keras", "AMSGrad", "Adam", names, shrunk | {"+": {"amsgrad": True}}),
        *pairs("keras", "AMSGrad", "AdamW", names, masked | {"+": {"amsgrad": True}}),
        *pairs("keras", "SGD", "SGD", names, CLIPPED, {"clip_value": 0.5}),
        *pairs("keras", "Adam", "Adam", names, CLIPPED, shrunk | CLIPPED),
        *pairs("keras", "Lion", "Lion", names, CLIPPED),
    ]


def sklearn_cases() -> list[Case]:
    names = {
        "learning_rate": "learning_rate_init",
        "momentum": "momentum",
        "beta1": "beta_1",
        "beta2": "beta_2",
        "eps": "epsilon",
    }
    return [
        *pairs(
            "sklearn",
            "SGD",
            "SGDOptimizer",
            names,
            {"learning_rate": 0.1, "ours": "Nesterov"},
            {"learning_rate": 0.02, "momentum": 0.6, "scheduled": True, "+": {"nesterov": False}},
            {"learning_rate": 0.02, "momentum": 0.9, "scheduled": True, "ours": "Nesterov"},
        ),
        *pairs(
            "sklearn",
            "Adam",
            "AdamOptimizer",
            names,
            {},
            {"learning_rate": 0.02, "beta1": 0.7, "beta2": 0.95, "eps": 1e-3, "scheduled": True},
        ),
    ]


def autograd_cases() -> list[Case]:
    names = {
        "learning_rate": "step_size",
        "momentum": "mass",
        "rho": "gamma",
        "beta1": "b1",
        "beta2": "b2",
        "eps": "eps",
    }
    moments = {"learning_rate": 0.02, "beta1": 0.7, "beta2": 0.95, "eps": 1e-3}
    return [
        *pairs("autograd", "SGD", "sgd", names, {}, {"learning_rate": 0.02, "momentum": 0.6}),
        *pairs("autograd", "RMSProp", "rmsprop", names, {}, {"rho": 0.7, "eps": 1e-3}),
        *pairs("autograd", "Adam", "adam", names, {}, moments),
    ]


def schedulefree_cases() -> list[Case]:
    names = {"learning_rate": "lr", "warmup_steps": "warmup_steps", "eps": "eps"}
    sgd = names | {"beta1": "momentum", "weight_decay": "weight_decay", "mask": "mask"}
    adamw = names | {"beta1": "beta1", "beta2": "beta2", "decay": "weight_decay"}
    moments = {"learning_rate": 0.02, "beta1": 0.7, "beta2": 0.95, "eps": 1e-3}
    return [
        *pairs(
            "schedulefree",
            "ScheduleFreeSGD",
            "SGDScheduleFree",
            sgd,
            {"learning_rate": 0.02},
            {"learning_rate": 0.05, "beta1": 0.6, "warmup_steps": 25},
            {"learning_rate": 0.02, "weight_decay": 0.1, "mask": MASK},
        ),
        *pairs(
            "schedulefree",
            "ScheduleFreeAdamW",
            "AdamWScheduleFree",
            adamw,
            {},
            moments | {"warmup_steps": 25},
            {"learning_rate": 0.02, "decay": 0.3, "warmup_steps": 25},
        ),
    ]


def more_optax_cases() -> list[Case]:
    """What joined the others later: methods that need whole arrays or parameters."""
    names = {key: key for key in ("learning_rate", "momentum", "eps", "weight_decay", "mask")}
    moments = {"beta1": "b1", "beta2": "b2"}
    decayed = {"decay": "weight_decay"}
    rate = {"learning_rate": 0.01}
    matrix = {"arrays": ("W",)}  # the others get Adam there
    masked = {"weight_decay": 0.1, "mask": MASK}
    paper = {
        "convention": "paper",
        "+": {"bias_correction_mu": False, "bias_correction_nu": False},
    }
    return [
        *pairs(
            "optax",
            "AMSGrad",
            "amsgrad",
            names | moments,
            {"learning_rate": 0.02, "beta1": 0.7, "beta2": 0.95, "eps": 1e-3, "scheduled": True} | paper,
            rate | {"eps": 0.5} | paper,
        ),
        *pairs(
            "optax",
            "RMSPropRateInside",
            "rmsprop",
            names,
            rate | {"momentum": 0.9, "scheduled": True, "+": {"eps_in_sqrt": False}},
            rate
            | {"momentum": 0.6, "eps": 1e-3, "scheduled": True, "ours": "RMSPropCenteredRateInside"}
            | {"+": {"centered": True, "eps_in_sqrt": False}},
        ),
        *pairs(
            "optax",
            "Adafactor",
            "adafactor",
            names | {"decay": "decay_rate", "clip_rms": "clipping_threshold"},
            rate,
            {"learning_rate": 0.1, "decay": 0.5, "clip_rms": 0.5, "scheduled": True},
        ),
        *pairs(
            "optax",
            "Muon",
            "contrib.muon",
            names | {"momentum": "beta", "mask": "weight_decay_mask"},
            rate | matrix,
            {"learning_rate": 0.1, "momentum": 0.6, "eps": 1e-3, "scheduled": True} | matrix,
            rate | {"weight_decay": 0.1} | matrix,
        ),
        *pairs(
            "optax",
            "ScheduleFreeSGD",
            "contrib.schedule_free_sgd",
            names | {"beta1": "b1"},
            rate,
            rate | {"beta1": 0.7, "weight_decay": 0.1},
        ),
        *pairs(
            "optax",
            "ScheduleFreeAdamW",
            "contrib.schedule_free_adamw",
            names | moments | decayed,
            {},
            rate | {"beta1": 0.7, "beta2": 0.95, "eps": 1e-3, "decay": 0.3},
        ),
        *pairs(
            "optax",
            "LARS",
            "lars",
            names | {"trust": "trust_coefficient", "mask": "weight_decay_mask"},
            {"learning_rate": 1.0},
            {"learning_rate": 0.5, "momentum": 0.6, "trust": 0.1, "eps": 1e-3, "scheduled": True},
            {"learning_rate": 1.0, "trust": 0.01} | masked,
        ),
        *pairs(
            "optax",
            "LAMB",
            "lamb",
            names | moments | decayed,
            rate,
            {"learning_rate": 0.02, "beta1": 0.7, "beta2": 0.95, "eps": 1e-3, "scheduled": True},
            rate | {"decay": 0.3},
        ),
    ]


CASES = [
    *torch_cases(),
    *optax_cases(),
    *keras_cases(),
    *sklearn_cases(),
    *autograd_cases(),
    *more_optax_cases(),
    *pairs(
        "torch",
        "RMSPropCentered",
        "RMSprop",
        {"learning_rate": "lr", "momentum": "momentum"},
        {"learning_rate": 0.005, "momentum": 0.6, "scheduled": True} | CENTERED,
    ),
    *pairs("torch", "RMSProp", "RMSprop", {"weight_decay": "weight_decay"}, {"weight_decay": 0.1}),
    *pairs(
        "keras",
        "SGD",
        "SGD",
        {key: key for key in ("learning_rate", "momentum", "weight_decay")},
        {"learning_rate": 0.01, "momentum": 0.9, "weight_decay": 0.3, "scheduled": True},
    ),
    *schedulefree_cases(),
]


def describe(case: Case) -> str:
    """A name for a case, which is also its key in the recorded file."""
    chosen = {k: "tree" if k == "mask" else v for k, v in case.our_hyperparameters.items()}
    text = ", ".join(f"{name}={value}" for name, value in chosen.items())
    ways = (case.theirs, f"{case.ours}({text})") + ("scheduled",) * case.scheduled
    ways += (f"as {case.convention}",) * bool(case.convention)
    return " ".join((case.library, *ways))


def decayed(learning_rate: float, finished: Any) -> Any:
    """The schedule of the scheduled cases."""
    return learning_rate / (1 + finished / 10)


def problem(dtype: Any, arrays: tuple[str, ...] = tuple(SHAPES)) -> tuple[Params, list[Params]]:
    """Parameters and gradients: scales from 1e-6 to 100, and zeros of several kinds.

    Gradients are zero for a whole step; always zero; zero at first; zero from some step on.
    """
    rng = np.random.default_rng(4)
    sizes = {name: int(np.prod(shape)) for name, shape in SHAPES.items()}
    start = rng.standard_normal(sum(sizes.values()))
    scales = 10.0 ** np.linspace(-6, 2, start.size)
    gradients = scales * (rng.standard_normal((STEPS, start.size)) + rng.choice([0, 0.5], start.size))
    gradients[7] = 0.0
    gradients[:, [2, 13]] = 0.0
    gradients[:6, [5, 14]] = 0.0
    gradients[30:, [8, 15]] = 0.0

    def tree(row: np.ndarray) -> Params:
        pieces = np.split(row.astype(dtype), np.cumsum(list(sizes.values()))[:-1])
        pairs = zip(sizes, pieces, strict=True)
        return {name: p.reshape(SHAPES[name]) for name, p in pairs if name in arrays}

    return tree(start), [tree(row) for row in gradients]


def run(case: Case, dtype: Any) -> np.ndarray:
    """The parameters that the library has after the steps in `KEPT`, each as one row."""
    params, gradients = problem(dtype, case.arrays)
    rows = STARTERS[case.library](case, params, gradients)
    return np.array([np.concatenate([np.ravel(rows[at][name]) for name in case.arrays]) for at in KEPT])


def with_torch(case: Case, params: Params, gradients: list[Params]) -> list[Params]:
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # it decides the precision of NAdam's product
    try:
        return _with_torch(torch, case, params, gradients)
    finally:
        torch.set_default_dtype(before)


def _with_torch(torch, case: Case, params: Params, gradients: list[Params]) -> list[Params]:
    tensors = {name: torch.tensor(p) for name, p in params.items()}
    options = dict(case.their_hyperparameters)
    mask = options.pop("mask", dict.fromkeys(params, True))
    clip_value, clip_norm = options.pop("clip_value", None), options.pop("clip_norm", None)
    groups = [
        {"params": [tensor]} | ({} if mask[name] else {"weight_decay": 0.0})
        for name, tensor in tensors.items()
    ]
    if case.library == "schedulefree":
        import schedulefree

        optimizer = getattr(schedulefree, case.theirs)(groups, **options)
        optimizer.train()
    else:
        optimizer = getattr(torch.optim, case.theirs)(groups, **options)
    rate = optimizer.param_groups[0]["lr"]
    rows = []
    for finished, grads in enumerate(gradients):
        for group in optimizer.param_groups:
            group["lr"] = decayed(rate, finished) if case.scheduled else rate
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(grads[name])
        if clip_value:
            torch.nn.utils.clip_grad_value_(tensors.values(), clip_value)
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(tensors.values(), clip_norm)
        optimizer.step()
        rows.append({name: tensor.numpy().copy() for name, tensor in tensors.items()})
    return rows


def with_optax(case: Case, params: Params, gradients: list[Params]) -> list[Params]:
    jax = use_jax()
    import optax

    options = dict(case.their_hyperparameters)
    rate = options.get("learning_rate")  # given in every scheduled case
    if case.scheduled:
        # The count is an int32, which JAX would divide in single precision.
        options["learning_rate"] = lambda finished: decayed(rate, finished.astype("float64"))
    clips = []
    if "clip_value" in options:
        clips.append(optax.clip(options.pop("clip_value")))
    if "clip_norm" in options:
        clips.append(optax.clip_by_global_norm(options.pop("clip_norm")))
    if case.theirs == "adafactor":
        theirs = adafactor(optax, **options)
    else:
        theirs = operator.attrgetter(case.theirs)(optax)(**options)
    optimizer = optax.chain(*clips, theirs)
    theirs = {name: jax.numpy.asarray(p) for name, p in params.items()}
    state = optimizer.init(theirs)

    @jax.jit
    def step(theirs, state, grads):
        updates, state = optimizer.update(grads, state, theirs)
        return optax.apply_updates(theirs, updates), state

    rows = []
    for grads in gradients:
        theirs, state = step(theirs, state, grads)
        rows.append({name: np.asarray(p) for name, p in theirs.items()})
    return rows


def adafactor(optax, learning_rate, decay_rate=0.8, clipping_threshold=1.0):
    """The parts of ``optax.adafactor``, with the power of the step not in single precision."""
    return optax.chain(
        optax.scale_by_factored_rms(
            decay_rate=decay_rate,
            min_dim_size_to_factor=1,
            decay_rate_fn=lambda step, power: 1 - (step + 1).astype("float64") ** -power,
        ),
        optax.clip_by_block_rms(clipping_threshold),
        optax.scale_by_learning_rate(learning_rate, flip_sign=False),
        optax.scale_by_param_block_rms(),
        optax.scale(-1),
    )


def with_keras(case: Case, params: Params, gradients: list[Params]) -> list[Params]:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    use_jax()
    import keras

    keras.config.set_floatx(str(params["W"].dtype))
    variables = {name: keras.Variable(p, name=name) for name, p in params.items()}
    options = dict(case.their_hyperparameters)
    mask = options.pop("mask", {})
    optimizer = getattr(keras.optimizers, case.theirs)(**options)
    optimizer.exclude_from_weight_decay([variables[name] for name, decays in mask.items() if not decays])
    rate = case.their_hyperparameters.get("learning_rate")  # given in every scheduled case
    rows = []
    for finished, grads in enumerate(gradients):
        if case.scheduled:
            optimizer.learning_rate = decayed(rate, finished)
        optimizer.apply(
            [keras.ops.convert_to_tensor(grads[name]) for name in params], variables.values()
        )
        rows.append({name: np.array(variable.value) for name, variable in variables.items()})
    return rows


def with_sklearn(case: Case, params: Params, gradients: list[Params]) -> list[Params]:
    from sklearn.neural_network import _stochastic_optimizers as theirs

    arrays = list(params.values())
    optimizer = getattr(theirs, case.theirs)(arrays, **case.their_hyperparameters)
    rate = optimizer.learning_rate_init
    rows = []
    for finished, grads in enumerate(gradients):
        if case.scheduled:
            # Which of the two is read depends on the class.
            optimizer.learning_rate = optimizer.learning_rate_init = decayed(rate, finished)
        optimizer.update_params(arrays, list(grads.values()))
        rows.append({name: p.copy() for name, p in zip(params, arrays, strict=True)})
    return rows


def with_autograd(case: Case, params: Params, gradients: list[Params]) -> list[Params]:
    from autograd.misc import optimizers as theirs

    rows = []  # what it shows before each step, and then the end: it computes in float64 all along
    end = getattr(theirs, case.theirs)(
        lambda x, finished: gradients[finished],
        params,
        callback=lambda x, finished, g: rows.append(x),
        num_iters=STEPS,
        **case.their_hyperparameters,
    )
    dtype = params["W"].dtype
    return [{name: np.asarray(p, dtype) for name, p in row.items()} for row in (*rows[1:], end)]


def use_jax():
    import jax

    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", True)
    return jax


STARTERS = {
    "torch": with_torch,
    "optax": with_optax,
    "keras": with_keras,
    "sklearn": with_sklearn,
    "autograd": with_autograd,
    "schedulefree": with_torch,
}


def main() -> None:
    names = [describe(case) for case in CASES]
    assert len(set(names)) == len(names), "two cases have the same name"
    versions = {package: importlib.metadata.version(package) for package in (*PACKAGES.values(), "jax")}
    recorded = {"versions": np.array(json.dumps(versions))}
    for name, case in zip(names, CASES, strict=True):
        print(name)
        for dtype in ("float64", "float32"):
            recorded[f"{name} {dtype}"] = run(case, dtype)
    path = Path(__file__).with_name("optimizers.npz")
    np.savez_compressed(path, **recorded)
    print(f"{len(CASES)} cases, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
