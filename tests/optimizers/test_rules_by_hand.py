"""What the tests beside each module left open, as planted mistakes showed (tests/mutation.py)."""

import inspect
import math
import re
from fractions import Fraction
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from optimizer_cases import METHODS

from optimlib import SGD, ReduceOnPlateau, clipping, optimizers, schedules
from optimlib.arguments import positive
from optimlib.optimizers.weight_decay import WeightDecay

# Every number is held to its own bounds, and refused under its own name.
# A kind: numbers just inside the bounds, and numbers and other things outside them.

FROM_ZERO = (0.0, 1e300), (-1e-300, math.nan, math.inf, "x", True)
ABOVE_ZERO = (5e-324, 1e300), (0.0, -1.0, math.nan, math.inf, "x", True)
BELOW_ONE = (0.0, 1 - 2**-53), (-1e-300, 1.0, math.nan, "x", True)
BETWEEN = (5e-324, 1 - 2**-53), (0.0, 1.0, math.nan, "x", True)
ABOVE_HALF = (0.5 + 2**-50, 1 - 2**-53), (0.5, 0.25, 1.0, math.nan, "x", True)
FROM_FOUR = (4.0, 1e300), (4 - 2**-51, math.nan, math.inf, "x", True)
COUNT = (0, 10**9), (-1, 0.5, 1.0, "x", True)
COUNT_FROM_ONE = (1, 10**9), (0, -1, 1.5, 1.0, "x", True)

RATE = {"learning_rate": (0.5, FROM_ZERO)}
STEPS = {"steps": (3, COUNT_FROM_ONE)}
END = {"end": (0.5, FROM_ZERO)}
LIMIT = {"limit": (0.5, ABOVE_ZERO)}
EPS = {"eps": (0.5, FROM_ZERO)}
DIVISORS = {"divisor": (2.0, ABOVE_ZERO), "final_divisor": (2.0, ABOVE_ZERO)}
CALLS = {  # of every number a valid value, and of what kind it is
    schedules.constant: RATE,
    schedules.step_decay: RATE | {"every": (2, COUNT_FROM_ONE), "factor": (0.5, FROM_ZERO)},
    schedules.exponential_decay: RATE | {"every": (2, COUNT_FROM_ONE), "factor": (0.5, FROM_ZERO)},
    schedules.inverse_time_decay: RATE | {"decay": (0.5, FROM_ZERO), "power": (0.5, FROM_ZERO)},
    schedules.polynomial_decay: RATE | STEPS | END | {"power": (0.5, ABOVE_ZERO)},
    schedules.cosine: RATE | STEPS | END,
    schedules.cosine_restarts: RATE | STEPS | END | {"factor": (2, COUNT_FROM_ONE)},
    partial(schedules.warmup, lambda n: 1.0): {"steps": (2, COUNT), "start": (0.5, FROM_ZERO)},
    schedules.one_cycle: STEPS | DIVISORS | {"peak": (0.5, FROM_ZERO), "rise": (0.5, BETWEEN)},
    partial(schedules.one_cycle, 1.0, 3, 0.5): {"back": (0.75, ABOVE_HALF)},
    schedules.ReduceOnPlateau: {"factor": (0.5, BELOW_ONE), "learning_rate": (1e300, FROM_ZERO)}
    | {"patience": (2, COUNT), "cooldown": (3, COUNT), "lowest": (0.0, FROM_ZERO)}
    | {"rtol": (0.5, FROM_ZERO), "atol": (0.25, FROM_ZERO)},
    partial(clipping.clip_by_value, np.ones(1)): LIMIT,
    partial(clipping.clip_by_leaf_norm, np.ones(1)): LIMIT | EPS,
    partial(clipping.clip_by_global_norm, np.ones(1)): LIMIT | EPS,
}

KINDS = {  # of the optimizers' numbers
    **dict.fromkeys(["beta1", "beta2", "rho", "momentum"], BELOW_ONE),
    **dict.fromkeys(["learning_rate", "eps", "eps_root", "initial_accumulator"], FROM_ZERO),
    **dict.fromkeys(["lr_decay", "momentum_decay", "weight_decay", "clip_eps"], FROM_ZERO),
    **dict.fromkeys(["base_rate", "clip_value", "clip_norm"], ABOVE_ZERO),
    "threshold": FROM_FOUR,
    **dict.fromkeys(["decay", "eps_scale", "trust"], FROM_ZERO),
    "clip_rms": ABOVE_ZERO,
}
OPTIMIZERS = METHODS
OF_ALL = ["learning_rate", "weight_decay", "clip_value", "clip_norm", "clip_eps"]
WITH_DECAY_INSIDE = [optimizers.LAMB, optimizers.ScheduleFreeAdamW]
FREE = [optimizers.ScheduleFreeSGD, optimizers.ScheduleFreeAdamW]


def numbers_of(optimizer) -> list[str]:
    """The names of an optimizer's numbers: those that all have and its own."""
    parameters = inspect.signature(optimizer).parameters.values()
    own = [parameter.name for parameter in parameters if "float" in str(parameter.annotation)]
    left_out = ["weight_decay"] if optimizer in WITH_DECAY_INSIDE else []
    return [name for name in dict.fromkeys([*OF_ALL, *own]) if name not in left_out]


def cases():
    for call, valid in CALLS.items():
        for name, (_, kind) in valid.items():
            others = {other: value for other, (value, _) in valid.items() if other != name}
            yield call, others, name, kind
    for optimizer in OPTIMIZERS:
        for name in numbers_of(optimizer):
            others = {} if name == "learning_rate" else {"learning_rate": 0.5}
            assert name in KINDS, f"what bounds has {name} of {optimizer.__name__}? Add it to KINDS"
            kind = BETWEEN if name == "beta1" and optimizer in FREE else KINDS[name]
            yield partial(optimizer, np.zeros(1)), others, name, kind


def kept(made, name, value) -> float:
    """The number as it is kept; that of the weight decay is in an object."""
    found = getattr(made, name, value)
    return found.strength if isinstance(found, WeightDecay) else found


@pytest.mark.parametrize(("call", "others", "name", "kind"), list(cases()))
def test_a_number_has_its_own_bounds_and_is_refused_under_its_own_name(call, others, name, kind):
    accepted, refused = kind
    for value in accepted:
        made = call(**others, **{name: value})
        assert kept(made, name, value) == value
    for value in refused:
        with pytest.raises((TypeError, ValueError), match=rf"^{name} is {re.escape(repr(value))}[ ;]"):
            call(**others, **{name: value})


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_switch_that_is_neither_on_nor_off_is_refused_under_its_own_name(optimizer):
    for name in ("skip_nonfinite", "compiled"):
        for value in (1, "False", None):
            with pytest.raises(TypeError, match=f"^{name} is {value!r}; expected"):
                optimizer(np.zeros(1), **{"learning_rate": 0.5, name: value})


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_number_is_kept_under_its_own_name(optimizer):
    values = {name: 0.5 / (k + 2) for k, name in enumerate(numbers_of(optimizer))}
    values |= {"threshold": 4.5} if "threshold" in values else {}
    made = optimizer(np.zeros(1), **values)
    assert {name: kept(made, name, None) for name in values} == values


def test_a_number_above_zero_becomes_a_python_float_above_zero():
    for value in (2, np.float32(2), Fraction(2)):
        assert type(positive("c", value)) is float
    with pytest.raises(ValueError, match=r"^c is .*; expected more than 0"):
        positive("c", Fraction(1, 10**400))  # no float but 0 is near it


# A rule that fails


def test_a_rule_that_fails_in_the_second_step_leaves_one_step_counted():
    class Fails(SGD):
        def rule(self, g, b):
            if self.t == 2:
                raise ArithmeticError
            return super().rule(g, b)

    optimizer = Fails(np.zeros(1), learning_rate=lambda done: 0.5**done)
    optimizer.step(np.ones(1))
    with pytest.raises(ArithmeticError):
        optimizer.step(np.ones(1))
    assert (optimizer.t, optimizer.learning_rate, optimizer.params[0]) == (1, 1.0, -1.0)


# Norms whose squares are no numbers


@pytest.mark.parametrize(
    ("grads", "norm"),
    [
        ([np.array([3e200, 4e200]), np.array([1e-200])], 5e200),  # the unit is near the largest
        ([np.array([1e-200]), np.array([3e200, 4e200])], 5e200),
        ([np.array([-3e200, -4e200])], 5e200),
        ([np.array([5e-324])], 5e-324),  # the smallest number there is
    ],
)
def test_the_unit_of_a_norm_suits_the_largest_number(grads, norm):
    assert clipping.global_norm(grads) == pytest.approx(norm, rel=1e-15, abs=0)


def test_at_its_limit_a_gradient_stays_as_it_is_to_the_smallest_number():
    """Beside 3 and 4 times 2^1000, 1e-300 is nothing, but it is not lost."""
    grads = np.array([3 * 2.0**1000, 4 * 2.0**1000, 1e-300])
    clipped, norm = clipping.clip_by_global_norm(grads, 5 * 2.0**1000)
    assert norm == 5 * 2.0**1000
    np.testing.assert_array_equal(clipped, grads)


# A plateau


def test_the_defaults_of_a_plateau_are_pytorchs():
    """Patience for 10 losses that are no improvement, and 1e-4 of the best is none."""
    schedule, seen = ReduceOnPlateau(1.0), []
    for _ in range(13):
        schedule.observe(2.0)
        seen.append(schedule(0))
    assert seen == [1.0] * 11 + [0.1] * 2
    schedule, seen = ReduceOnPlateau(1.0, patience=0), []
    for loss in (2.0, 2.0 - 3e-4, 2.0 - 4e-4):
        schedule.observe(loss)
        seen.append(schedule(0))
    assert seen == [1.0, 1.0, 0.1]


def test_the_state_of_a_plateau_by_hand():
    """Nothing seen; a best loss and two that are no better; the third of them, and a pause of 4."""
    schedule = ReduceOnPlateau(0.5, factor=0.5, patience=2, cooldown=4)
    names = ("learning_rate", "best", "bad", "cooling")
    for losses, expected in (
        ([], (0.5, math.inf, 0, 0)),
        ([3.0, 3.0, 3.0], (0.5, 3.0, 2, 0)),
        ([3.0], (0.25, 3.0, 0, 4)),
    ):
        for loss in losses:
            schedule.observe(loss)
        assert schedule.state_dict() == dict(zip(names, expected, strict=True))


def test_a_best_loss_below_all_numbers_is_refused():
    schedule = ReduceOnPlateau(0.5)
    with pytest.raises(ValueError, match=r"^best is -inf; expected a loss"):
        schedule.load_state_dict(schedule.state_dict() | {"best": np.array(-math.inf)})


def test_half_a_state_is_none():
    for name in ("state_dict", "load_state_dict"):
        assert not schedules.has_state(SimpleNamespace(**{name: dict}))
