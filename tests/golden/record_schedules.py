"""Record the learning rates of PyTorch's, Optax's and Keras's schedules in schedules.json.

Run it with a Python that has PyTorch, Optax, Keras and scikit-learn:
``python tests/golden/record_schedules.py``. Every case holds the call of `optimlib.schedules` that
should give the same numbers, and the numbers for the steps 0, 1, 2, ...
"""

import json
import os
from pathlib import Path

import jax
import numpy as np
import optax
import optax.contrib
import torch
from torch.optim import lr_scheduler

jax.config.update("jax_enable_x64", True)


def torch_rates(learning_rate: float, count: int, make) -> list[float]:
    """The learning rates that an optimizer of PyTorch has in its first steps."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=learning_rate)
    scheduler = make(optimizer)
    rates = []
    for _ in range(count):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def optax_rates(count: int, schedule) -> list[float]:
    """The values of a schedule of Optax in float64."""
    return [float(schedule(n)) for n in range(count)]


def call(name: str, *arguments, **keywords) -> dict:
    """How ours is called."""
    return {"name": name, "arguments": arguments, "keywords": keywords}


def torch_cases() -> dict[str, tuple[dict, list[float]]]:
    """By name: our call, and PyTorch's learning rates."""
    s = lr_scheduler

    def rates(learning_rate, count, kind, **settings):
        return torch_rates(learning_rate, count, lambda optimizer: kind(optimizer, **settings))

    def one_cycle(peak, total, start=0.3, back=None, **ours):
        keywords = {"rise": (start * total - 1) / (total - 1), **ours}
        if back:
            keywords["back"] = (2 * start * total - 2) / (total - 1)
        return call("one_cycle", peak, total - 1, **keywords)

    def after_warmup(optimizer):
        first = s.LinearLR(optimizer, start_factor=0.25, end_factor=1.0, total_iters=5)
        second = s.CosineAnnealingLR(optimizer, T_max=20, eta_min=0.01)
        return s.SequentialLR(optimizer, [first, second], milestones=[5])

    def three_in_turn(optimizer):
        first = s.ConstantLR(optimizer, factor=0.1, total_iters=100)
        second = s.CosineAnnealingLR(optimizer, T_max=20, eta_min=0.01)
        third = s.ExponentialLR(optimizer, gamma=0.9)
        return s.SequentialLR(optimizer, [first, second, third], milestones=[4, 16])

    in_turn = [
        call("constant", 0.4 * 0.1),
        call("cosine", 0.4, 20, 0.01),
        call("exponential_decay", 0.4, 0.9),
    ]

    return {
        "constant": (
            call("constant", 0.3),
            rates(0.3, 9, s.LambdaLR, lr_lambda=lambda n: 1.0),
        ),
        "StepLR": (call("step_decay", 0.1, 7), rates(0.1, 40, s.StepLR, step_size=7)),
        "StepLR, every step, growing": (
            call("step_decay", 1e-3, 1, 1.7),
            rates(1e-3, 20, s.StepLR, step_size=1, gamma=1.7),
        ),
        "StepLR, no decay": (
            call("step_decay", 0.1, 3, 1.0),
            rates(0.1, 9, s.StepLR, step_size=3, gamma=1.0),
        ),
        "ExponentialLR": (
            call("exponential_decay", 0.1, 0.97),
            rates(0.1, 300, s.ExponentialLR, gamma=0.97),
        ),
        "ExponentialLR, growing": (
            call("exponential_decay", 1e-6, 1.2),
            rates(1e-6, 60, s.ExponentialLR, gamma=1.2),
        ),
        "Adagrad's lr_decay": (
            call("inverse_time_decay", 0.4, 0.07),
            rates(0.4, 50, s.LambdaLR, lr_lambda=lambda n: 1 / (1 + n * 0.07)),
        ),
        "PolynomialLR, one step": (
            call("polynomial_decay", 0.2, 1),
            rates(0.2, 4, s.PolynomialLR, total_iters=1),
        ),
        "PolynomialLR": (
            call("polynomial_decay", 0.2, 5),
            rates(0.2, 8, s.PolynomialLR),
        ),
        "PolynomialLR, power 2.5": (
            call("polynomial_decay", 0.2, 30, power=2.5),
            rates(0.2, 40, s.PolynomialLR, total_iters=30, power=2.5),
        ),
        "PolynomialLR, power 0.5": (
            call("polynomial_decay", 0.2, 30, power=0.5),
            rates(0.2, 40, s.PolynomialLR, total_iters=30, power=0.5),
        ),
        "LinearLR": (
            call("warmup", call("constant", 0.3), 5, 0.3 / 3),
            rates(0.3, 9, s.LinearLR),
        ),
        "CosineAnnealingLR": (
            call("cosine", 0.1, 50),
            rates(0.1, 51, s.CosineAnnealingLR, T_max=50),
        ),
        "CosineAnnealingLR, with a floor": (
            call("cosine", 0.1, 9, 0.02),
            rates(0.1, 10, s.CosineAnnealingLR, T_max=9, eta_min=0.02),
        ),
        "CosineAnnealingLR, upwards": (
            call("cosine", 0.1, 9, 0.5),
            rates(0.1, 10, s.CosineAnnealingLR, T_max=9, eta_min=0.5),
        ),
        "CosineAnnealingWarmRestarts": (
            call("cosine_restarts", 0.1, 7),
            rates(0.1, 60, s.CosineAnnealingWarmRestarts, T_0=7),
        ),
        "CosineAnnealingWarmRestarts, longer and longer": (
            call("cosine_restarts", 0.1, 3, 2, 0.004),
            rates(0.1, 100, s.CosineAnnealingWarmRestarts, T_0=3, T_mult=2, eta_min=0.004),
        ),
        "CosineAnnealingWarmRestarts, every step": (
            call("cosine_restarts", 0.1, 1, 3),
            rates(0.1, 45, s.CosineAnnealingWarmRestarts, T_0=1, T_mult=3),
        ),
        "LinearLR, then CosineAnnealingLR": (
            call("warmup", call("cosine", 0.4, 20, 0.01), 5, 0.1),
            torch_rates(0.4, 25, after_warmup),
        ),
        "MultiStepLR": (
            call("milestones", [0.2, 0.02, 0.002], [3, 7]),
            rates(0.2, 12, s.MultiStepLR, milestones=[3, 7]),
        ),
        "MultiStepLR, gentle, from the first step on": (
            call("milestones", [0.2 * 0.5**k for k in range(4)], [1, 2, 9]),
            rates(0.2, 12, s.MultiStepLR, milestones=[1, 2, 9], gamma=0.5),
        ),
        "SequentialLR of three": (
            call("joined", in_turn, [4, 16]),
            torch_rates(0.4, 30, three_in_turn),
        ),
        "CyclicLR": (
            call("cyclic", 0.1, 0.7, 4),
            rates(0.3, 30, s.CyclicLR, base_lr=0.1, max_lr=0.7, step_size_up=4, cycle_momentum=False),
        ),
        "CyclicLR, triangular2, falling faster": (
            call("cyclic", 0.1, 0.7, 5, 2, 0.5),
            rates(
                0.3,
                40,
                s.CyclicLR,
                base_lr=0.1,
                max_lr=0.7,
                step_size_up=5,
                step_size_down=2,
                mode="triangular2",
                cycle_momentum=False,
            ),
        ),
        "CyclicLR, exp_range": (
            call("cyclic", 0.0, 0.6, 3, 6),  # to be multiplied by 0.9**n and raised by 0.1
            rates(
                0.3,
                40,
                s.CyclicLR,
                base_lr=0.1,
                max_lr=0.7,
                step_size_up=3,
                step_size_down=6,
                mode="exp_range",
                gamma=0.9,
                cycle_momentum=False,
            ),
        ),
        "OneCycleLR": (
            one_cycle(0.5, 100),
            rates(0.02, 100, s.OneCycleLR, max_lr=0.5, total_steps=100),
        ),
        "OneCycleLR, unusual": (
            one_cycle(0.5, 37, 0.45, divisor=7.0, final_divisor=30.0, shape="linear"),
            rates(
                0.1,
                37,
                s.OneCycleLR,
                max_lr=0.5,
                total_steps=37,
                pct_start=0.45,
                anneal_strategy="linear",
                div_factor=7.0,
                final_div_factor=30.0,
            ),
        ),
        "OneCycleLR, three phases": (
            one_cycle(1.5, 50, 0.42, back=True, shape="linear"),
            rates(
                0.1,
                50,
                s.OneCycleLR,
                max_lr=1.5,
                total_steps=50,
                pct_start=0.42,
                anneal_strategy="linear",
                three_phase=True,
            ),
        ),
        "OneCycleLR, three phases of a cosine": (
            one_cycle(1.5, 50, back=True),
            rates(0.1, 50, s.OneCycleLR, max_lr=1.5, total_steps=50, three_phase=True),
        ),
    }


def optax_cases() -> dict[str, tuple[dict, list[float]]]:
    """By name: our call, and Optax's learning rates."""
    o = optax
    restarts = [
        {"init_value": 0.3, "peak_value": 0.3, "warmup_steps": 0, "decay_steps": n, "end_value": 0.01}
        for n in (4, 12, 36)
    ]
    return {
        "constant_schedule": (call("constant", 0.3), optax_rates(5, o.constant_schedule(0.3))),
        "exponential_decay": (
            call("exponential_decay", 0.1, 0.5, 10),
            optax_rates(60, o.exponential_decay(0.1, 10, 0.5)),
        ),
        "exponential_decay, staircase": (
            call("step_decay", 0.1, 7, 0.3),
            optax_rates(60, o.exponential_decay(0.1, 7, 0.3, staircase=True)),
        ),
        "linear_schedule, upwards": (
            call("polynomial_decay", 0.0, 8, 0.7),
            optax_rates(12, o.linear_schedule(0.0, 0.7, 8)),
        ),
        "polynomial_schedule": (
            call("polynomial_decay", 0.3, 25, 0.02, 3.0),
            optax_rates(40, o.polynomial_schedule(0.3, 0.02, 3.0, 25)),
        ),
        "cosine_decay_schedule": (
            call("cosine", 0.3, 25),
            optax_rates(40, o.cosine_decay_schedule(0.3, 25)),
        ),
        "cosine_decay_schedule, with a floor": (
            call("cosine", 0.3, 7, 0.3 * 0.2),
            optax_rates(12, o.cosine_decay_schedule(0.3, 7, 0.2)),
        ),
        "warmup_cosine_decay_schedule": (
            call("warmup", call("cosine", 0.3, 40, 0.001), 10),
            optax_rates(60, o.warmup_cosine_decay_schedule(0.0, 0.3, 10, 50, 0.001)),
        ),
        "warmup_constant_schedule": (
            call("warmup", call("constant", 0.3), 3, 0.05),
            optax_rates(9, o.warmup_constant_schedule(0.05, 0.3, 3)),
        ),
        "piecewise_constant_schedule": (
            call("milestones", [0.3, 0.03, 0.006, 0.012], [2, 5, 6]),
            optax_rates(9, o.piecewise_constant_schedule(0.3, {2: 0.1, 5: 0.2, 6: 2.0})),
        ),
        "join_schedules": (
            call("joined", [call("constant", 0.3), call("polynomial_decay", 0.5, 6, 0.1)], [4]),
            optax_rates(
                14, o.join_schedules([o.constant_schedule(0.3), o.linear_schedule(0.5, 0.1, 6)], [4])
            ),
        ),
        "join_schedules, a warmup, a cosine and a tail": (
            call(
                "joined",
                [
                    call("polynomial_decay", 0.0, 5, 0.4),
                    call("cosine", 0.4, 20),
                    call("constant", 0.01),
                ],
                [5, 20],
            ),
            optax_rates(
                30,
                o.join_schedules(
                    [
                        o.linear_schedule(0.0, 0.4, 5),
                        o.cosine_decay_schedule(0.4, 20),
                        o.constant_schedule(0.01),
                    ],
                    [5, 20],
                ),
            ),
        ),
        "sgdr_schedule": (
            call("cosine_restarts", 0.3, 4, 3, 0.01),
            optax_rates(52, o.sgdr_schedule(restarts)),
        ),
        "cosine_onecycle_schedule": (
            call("one_cycle", 0.5, 100),
            optax_rates(120, o.cosine_onecycle_schedule(100, 0.5)),
        ),
        "cosine_onecycle_schedule, unusual": (
            call("one_cycle", 0.5, 37, int(0.45 * 37) / 37, divisor=7.0, final_divisor=30.0),
            optax_rates(45, o.cosine_onecycle_schedule(37, 0.5, 0.45, 7.0, 30.0)),
        ),
        "linear_onecycle_schedule": (
            call("one_cycle", 0.5, 100, 0.3, 0.85, shape="linear"),
            optax_rates(120, o.linear_onecycle_schedule(100, 0.5)),
        ),
    }


def keras_cases() -> dict[str, tuple[dict, list[float]]]:
    """By name: our call, and Keras's learning rates.

    There is no counterpart here to `staircase` of InverseTimeDecay, to `cycle` of PolynomialDecay,
    and to `m_mul` and a broken `t_mul` of CosineDecayRestarts.
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    keras.config.set_floatx("float64")
    s = keras.optimizers.schedules

    def rates(count, schedule) -> list[float]:
        return [float(schedule(n)) for n in range(count)]

    return {
        "ExponentialDecay": (
            call("exponential_decay", 0.1, 0.5, 10),
            rates(60, s.ExponentialDecay(0.1, 10, 0.5)),
        ),
        "ExponentialDecay, staircase": (
            call("step_decay", 0.1, 7, 0.3),
            rates(60, s.ExponentialDecay(0.1, 7, 0.3, staircase=True)),
        ),
        "InverseTimeDecay": (
            call("inverse_time_decay", 0.4, 0.5 / 10),
            rates(50, s.InverseTimeDecay(0.4, 10, 0.5)),
        ),
        "PolynomialDecay": (
            call("polynomial_decay", 0.2, 30, 1e-4),
            rates(40, s.PolynomialDecay(0.2, 30)),
        ),
        "PolynomialDecay, power 2.5": (
            call("polynomial_decay", 0.2, 30, 0.05, 2.5),
            rates(40, s.PolynomialDecay(0.2, 30, 0.05, 2.5)),
        ),
        "PiecewiseConstantDecay, which goes over one step later": (
            call("milestones", [0.3, 0.2, 0.05], [4, 8]),
            rates(12, s.PiecewiseConstantDecay([3, 7], [0.3, 0.2, 0.05])),
        ),
        "CosineDecay": (call("cosine", 0.3, 25), rates(40, s.CosineDecay(0.3, 25))),
        "CosineDecay, with a floor": (
            call("cosine", 0.3, 7, 0.3 * 0.2),
            rates(12, s.CosineDecay(0.3, 7, alpha=0.2)),
        ),
        "CosineDecay, after a warmup": (
            call("warmup", call("cosine", 0.3, 40, 0.3 * 0.1), 10, 0.02),
            rates(60, s.CosineDecay(0.02, 40, alpha=0.1, warmup_target=0.3, warmup_steps=10)),
        ),
        "CosineDecayRestarts": (
            call("cosine_restarts", 0.1, 7, 2),
            rates(100, s.CosineDecayRestarts(0.1, 7)),
        ),
        "CosineDecayRestarts, of equal length, with a floor": (
            call("cosine_restarts", 0.1, 8, 1, 0.1 * 0.04),
            rates(60, s.CosineDecayRestarts(0.1, 8, t_mul=1.0, alpha=0.04)),
        ),
    }


def sklearn_cases() -> dict[str, tuple[dict, list[float]]]:
    """By name: our call, and the learning rates of scikit-learn's networks, epoch by epoch."""
    from sklearn.neural_network import MLPRegressor

    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((17, 2)), rng.standard_normal(17)
    network = MLPRegressor(
        hidden_layer_sizes=(2,),
        solver="sgd",
        learning_rate="invscaling",
        learning_rate_init=0.2,
        power_t=0.3,
        batch_size=5,  # four steps in an epoch, in which the learning rate stays
        random_state=0,
    )
    rates = [0.2]
    for _ in range(20):
        network.partial_fit(X, y)
        rates.append(float(network._optimizer.learning_rate))
    return {"invscaling of a network, 17 examples": (call("inverse_time_decay", 0.2, 17.0, 0.3), rates)}


LOSSES = [3.0, 2.5, 2.5, 2.4999, 2.4, 2.4, 2.41, 2.39, 2.395, 2.39, 2.39, 2.39, 2.38, 2.39, 2.39, 2.39]
LOSSES += [2.37, 2.37, 2.37, 2.37, 2.37, 2.37, 2.36, 2.3599, 2.3598, 2.3, 2.3, 2.3, 2.3, 2.3, 2.3, 2.3]
PLATEAUS = {
    "default": {},
    "patience 2": {"patience": 2},
    "patience 1, cooldown 3": {"patience": 1, "cooldown": 3, "factor": 0.5},
    "patience 0 would be hasty": {"patience": 0, "factor": 0.9},
    "patience 1, a coarse threshold, a floor": {
        "patience": 1,
        "rtol": 0.02,
        "factor": 0.3,
        "lowest": 0.01,
    },
    "patience 2, an absolute threshold": {"patience": 2, "rtol": 0.0, "atol": 0.015, "factor": 0.25},
}


def torch_plateau(losses: list[float], sign: float = 1.0, **settings) -> list[float]:
    """The learning rates after each loss; with sign -1 PyTorch maximizes instead."""
    settings = dict(settings)
    rtol, atol = settings.pop("rtol", 1e-4), settings.pop("atol", 0.0)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    scheduler = lr_scheduler.ReduceLROnPlateau(
        optimizer,
        mode="min" if sign > 0 else "max",
        threshold=atol or rtol,
        threshold_mode="abs" if atol else "rel",
        min_lr=settings.pop("lowest", 0.0),
        eps=0.0,
        **settings,
    )
    rates = []
    for loss in losses:
        scheduler.step(sign * loss)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def optax_plateau(losses: list[float], **settings) -> list[float]:
    """What Optax makes of them, whose patience is one more."""
    settings = dict(settings)
    lowest = settings.pop("lowest", 0.0) / 0.2
    patience = settings.pop("patience", 10) + 1
    transform = optax.contrib.reduce_on_plateau(patience=patience, min_scale=lowest, **settings)
    params = jax.numpy.zeros(1, dtype=jax.numpy.float64)
    state, rates = transform.init(params), []
    for loss in losses:
        update, state = transform.update(params + 0.2, state, value=loss)
        rates.append(float(update[0]))
    return rates


def main() -> None:
    """Write the file."""
    sources = {
        "torch": torch_cases(),
        "optax": optax_cases(),
        "keras": keras_cases(),
        "scikit-learn": sklearn_cases(),
    }
    schedules = {
        f"{library}: {name}": {"call": ours, "rates": rates}
        for library, cases in sources.items()
        for name, (ours, rates) in cases.items()
    }
    plateaus = {}
    for name, settings in PLATEAUS.items():
        plateaus[f"torch: {name}"] = {"settings": settings, "rates": torch_plateau(LOSSES, **settings)}
        plateaus[f"optax: {name}"] = {"settings": settings, "rates": optax_plateau(LOSSES, **settings)}
    # An accuracy: PyTorch maximizes it, ours observes its negative.
    maximized = torch_plateau([-loss for loss in LOSSES[::-1]], sign=-1.0, patience=1)
    plateaus["torch: an accuracy"] = {
        "settings": {"patience": 1},
        "losses": [-loss for loss in LOSSES[::-1]],
        "rates": maximized,
    }
    import keras
    import sklearn

    recorded = {
        "torch": torch.__version__.split("+")[0],
        "optax": optax.__version__,
        "keras": keras.__version__,
        "scikit-learn": sklearn.__version__,
        "schedules": schedules,
        "losses": LOSSES,
        "plateaus": plateaus,
    }
    text = json.dumps(recorded)
    for library in ("torch", "optax", "keras"):
        text = text.replace(f'"{library}: ', f'\n"{library}: ')
    Path(__file__).with_name("schedules.json").write_text(text + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
