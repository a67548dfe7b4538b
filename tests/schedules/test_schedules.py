"""Schedules: what the libraries give, what one works out by hand, what is refused."""

import json
import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import GOLDEN

from optimlib import SGD, schedules
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

RECORDED = json.loads((GOLDEN / "schedules.json").read_text(encoding="utf8"))


def rates(schedule, count: int) -> list[float]:
    return [schedule(n) for n in range(count)]


def built(call):
    """The schedule of a recorded call, whose arguments may be calls themselves, or lists of calls."""
    if isinstance(call, list):
        return [built(part) for part in call]
    if not isinstance(call, dict):
        return call
    arguments = [built(argument) for argument in call["arguments"]]
    return getattr(schedules, call["name"])(*arguments, **call["keywords"])


# The libraries


@pytest.mark.parametrize("name", RECORDED["schedules"])
def test_a_library_gives_the_same_learning_rates(name):
    case = RECORDED["schedules"][name]
    ours = rates(built(case["call"]), len(case["rates"]))
    if name == "torch: CyclicLR, exp_range":  # written as the docstring of `cyclic` says
        ours = [0.1 + rate * 0.9**n for n, rate in enumerate(ours)]
    # A difference of roundings near an end at zero is measured by the largest rate. Keras takes its
    # cosines in float32, whatever the precision of the rest.
    of_largest = 2e-7 if name.startswith("keras: Cosine") else 1e-15
    np.testing.assert_allclose(ours, case["rates"], rtol=1e-12, atol=of_largest * max(case["rates"]))


def test_an_installed_pytorch_still_gives_the_same_learning_rates():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch = pytest.importorskip("torch", exc_type=ImportError)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 5, 2, 0.01)
    ours = cosine_restarts(0.3, 5, 2, 0.01)
    for n in range(40):
        assert math.isclose(optimizer.param_groups[0]["lr"], ours(n), rel_tol=1e-12)
        optimizer.step()
        scheduler.step()


def test_an_installed_keras_still_gives_the_same_learning_rates(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    pytest.importorskip("jax").config.update("jax_enable_x64", True)
    keras = pytest.importorskip("keras")
    keras.config.set_floatx("float64")
    theirs = keras.optimizers.schedules.CosineDecay(
        0.02, 20, alpha=0.1, warmup_target=0.3, warmup_steps=5
    )
    ours = warmup(cosine(0.3, 20, 0.03), 5, start=0.02)
    np.testing.assert_allclose(rates(ours, 40), [float(theirs(n)) for n in range(40)], atol=2e-7 * 0.3)
    theirs = keras.optimizers.schedules.PolynomialDecay(0.3, 20, 0.03, 2.5)
    ours = polynomial_decay(0.3, 20, 0.03, 2.5)
    np.testing.assert_allclose(rates(ours, 40), [float(theirs(n)) for n in range(40)], rtol=1e-12)


# By hand


def test_rates_worked_out_by_hand():
    assert rates(constant(0.5), 3) == [0.5, 0.5, 0.5]
    assert rates(step_decay(8.0, every=2, factor=0.5), 7) == [8, 8, 4, 4, 2, 2, 1]
    assert rates(exponential_decay(8.0, factor=0.25), 3) == [8, 2, 0.5]
    assert exponential_decay(3.0, factor=0.25, every=2)(1) == 1.5
    assert rates(inverse_time_decay(6.0, decay=0.5), 5) == [6, 4, 3, 2.4, 2]
    assert rates(inverse_time_decay(6.0, decay=1.0, power=0.5), 9)[::3] == [6, 3, 6 / math.sqrt(7)]
    assert rates(polynomial_decay(9.0, steps=4, end=1.0), 6) == [9, 7, 5, 3, 1, 1]
    assert rates(polynomial_decay(9.0, steps=4, end=1.0, power=3.0), 3) == [9, 4.375, 2]
    eighth_turns = [9, 5 + 2 * math.sqrt(2), 5, 5 - 2 * math.sqrt(2), 1, 1]
    np.testing.assert_allclose(rates(cosine(9.0, steps=4, end=1.0), 6), eighth_turns, rtol=1e-15)
    np.testing.assert_allclose(rates(cosine_restarts(9.0, 2, end=1.0), 6), [9, 5] * 3, rtol=1e-15)
    assert rates(warmup(constant(8.0), steps=4), 6) == [0, 2, 4, 6, 8, 8]
    assert rates(warmup(constant(8.0), steps=2, start=4.0), 4) == [4, 6, 8, 8]
    corners = one_cycle(8.0, 8, rise=0.25, back=0.5, divisor=4.0, final_divisor=2.0, shape="linear")
    assert rates(corners, 10) == [2, 5, 8, 5, 2, 1.75, 1.5, 1.25, 1, 1]


def test_warmup_begins_the_schedule_when_it_is_over():
    behind = cosine(1.0, steps=10, end=0.1)
    whole = warmup(behind, steps=7, start=0.3)
    assert rates(whole, 40)[7:] == rates(behind, 33)
    assert rates(warmup(behind, steps=0, start=0.3), 20) == rates(behind, 20)


def test_warmup_can_begin_with_a_step_like_the_others():
    """As its docstring says: (n + 1) / (k + 1) of the peak."""
    ours = rates(warmup(constant(1.0), steps=4, start=1 / 5), 5)
    np.testing.assert_allclose(ours, [float(Fraction(n + 1, 5)) for n in range(5)], rtol=1e-15)


def test_restarts_come_where_the_periods_end():
    schedule = cosine_restarts(1.0, steps=3, factor=2)
    ours = rates(schedule, 46)
    assert [n for n, rate in enumerate(ours) if rate == 1.0] == [0, 3, 9, 21, 45]
    assert rates(cosine_restarts(1.0, 3), 9) == rates(cosine_restarts(1.0, 3), 3) * 3
    assert ours[3:9] == rates(cosine(1.0, 6), 6)


def test_a_far_step_costs_no_more_than_a_near_one():
    assert cosine_restarts(1.0, 7)(7 * 10**15 + 3) == cosine_restarts(1.0, 7)(3)
    assert cosine_restarts(1.0, 7, factor=2)(10**15) > 0


def test_a_divisor_beyond_all_floats_leaves_nothing():
    assert inverse_time_decay(1.0, decay=1.0, power=200.0)(100) == 0


def test_stairs_and_cycles_and_sequences_by_hand():
    assert rates(milestones([8, 4, 5], [1, 3]), 6) == [8, 4, 4, 5, 5, 5]
    assert rates(milestones([8.0], []), 3) == [8, 8, 8]
    assert rates(cyclic(1.0, 5.0, 2), 9) == [1, 3, 5, 3, 1, 3, 5, 3, 1]
    assert rates(cyclic(1.0, 7.0, 1, 3), 6) == [1, 7, 5, 3, 1, 7]
    assert rates(cyclic(2.0, 10.0, 2, 1, factor=0.5), 10) == [2, 6, 10, 2, 4, 6, 2, 3, 4, 2]
    parts = [constant(8.0), lambda n: n, step_decay(4.0, every=1, factor=0.5)]
    assert rates(joined(parts, [2, 5]), 8) == [8, 8, 0, 1, 2, 4, 2, 1]
    assert rates(joined([joined(parts, [2, 5]), constant(9.0)], [6]), 8) == [8, 8, 0, 1, 2, 4, 9, 9]
    assert rates(joined(parts[:1], []), 2) == [8, 8]


def test_joining_a_straight_rise_is_a_warmup():
    behind = cosine(1.0, steps=10, end=0.1)
    rise = polynomial_decay(0.25, steps=4, end=1.0)
    np.testing.assert_allclose(
        rates(joined([rise, behind], [4]), 20), rates(warmup(behind, 4, start=0.25), 20), rtol=1e-15
    )


# Properties

numbers = st.floats(1e-6, 1e3)
lengths = st.integers(1, 60)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(rate=numbers, end=numbers, steps=lengths, power=st.floats(0.1, 5.0))
def test_decays_begin_and_end_where_they_should_and_never_turn(rate, end, steps, power):
    for schedule in (cosine(rate, steps, end), polynomial_decay(rate, steps, end, power)):
        ours = np.array(rates(schedule, steps + 3))
        np.testing.assert_allclose(ours[0], rate, rtol=1e-12)
        np.testing.assert_allclose(ours[steps:], end, rtol=1e-12)
        assert (np.diff(ours) * np.sign(end - rate) >= -1e-12 * max(rate, end)).all()


@settings(max_examples=50, derandomize=True, deadline=None)
@given(
    steps=st.integers(2, 60),
    rise=st.floats(0.05, 0.9),
    divisor=st.floats(1.0, 100.0),
    final=st.floats(1.0, 1e4),
    shape=st.sampled_from(["cosine", "linear"]),
)
def test_one_cycle_rises_once_and_falls_once(steps, rise, divisor, final, shape):
    ours = np.array(rates(one_cycle(2.0, steps, rise, None, divisor, final, shape), steps + 3))
    assert math.isclose(ours[0], 2 / divisor)
    np.testing.assert_allclose(ours[steps:], 2 / divisor / final, rtol=1e-12)
    assert ours.max() <= 2 * (1 + 1e-15)
    before = np.arange(steps + 3) <= rise * steps
    assert (np.diff(ours[before]) >= -1e-15).all()
    assert (np.diff(ours[~before]) <= 1e-15).all()


@settings(max_examples=50, derandomize=True, deadline=None)
@given(
    lowest=st.floats(0, 5),
    rise=st.floats(0, 5),
    up=lengths,
    down=lengths,
    factor=st.floats(0, 1),
    n=st.integers(0, 500),
)
def test_a_cycle_stays_between_its_bounds_and_returns(lowest, rise, up, down, factor, n):
    schedule = cyclic(lowest, lowest + rise, up, down, factor)
    period = up + down
    assert lowest <= schedule(n) <= (lowest + rise) * (1 + 1e-15)
    assert schedule(n // period * period) == lowest
    above = schedule(n) - lowest, schedule(n + period) - lowest
    assert math.isclose(above[1], factor * above[0], abs_tol=1e-14)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(at=st.sets(st.integers(1, 30), max_size=5).map(sorted), n=st.integers(0, 40))
def test_milestones_count_themselves_and_joined_schedules_their_steps(at, n):
    passed = [k for k in at if k <= n]
    assert milestones(range(len(at) + 1), at)(n) == len(passed)
    counting = [lambda m, i=i: 100 * i + m for i in range(len(at) + 1)]
    assert joined(counting, at)(n) == 100 * len(passed) + n - max(passed, default=0)


@settings(max_examples=30, derandomize=True, deadline=None)
@given(steps=st.lists(st.integers(0, 200), min_size=2, max_size=8))
def test_a_schedule_is_a_pure_function(steps):
    """It knows nothing of the calls before: asked in any order, it gives the same."""
    for make in (
        lambda: step_decay(1.0, 7),
        lambda: exponential_decay(1.0, 0.9),
        lambda: cosine_restarts(1.0, 3, 2),
        lambda: warmup(one_cycle(1.0, 50), 10),
    ):
        schedule = make()
        assert [schedule(n) for n in steps] == [make()(n) for n in steps]


def test_rates_are_python_floats():
    """So that they take on the precision of the parameters they meet."""
    for schedule in (
        constant(np.float32(1)),
        constant(1),
        step_decay(np.float64(1), 3),
        exponential_decay(1, 1),
        inverse_time_decay(1, 0),
        polynomial_decay(1, 2, power=1),
        cosine(np.float64(1), np.int64(3)),
        cosine_restarts(1, 3),
        warmup(lambda n: 1, 3),
        one_cycle(np.float32(1), 3),
        milestones([np.float32(1), 2], [np.int64(2)]),
        cyclic(np.float32(1), 2, 3),
        joined([constant(1)], []),
        ReduceOnPlateau(1),
    ):
        assert type(schedule(np.int64(2))) is float


# What is refused

BAD_CALLS = {
    "a negative rate": (lambda: constant(-1.0), ValueError, "learning_rate is -1.0"),
    "a rate that is text": (lambda: cosine("0.1", 3), TypeError, "learning_rate is '0.1' of type str"),
    "NaN": (lambda: exponential_decay(1.0, math.nan), ValueError, "factor is nan"),
    "no stair": (lambda: step_decay(1.0, every=0), ValueError, "every is 0; expected a whole number"),
    "half a stair": (lambda: step_decay(1.0, every=1.5), ValueError, "every is 1.5"),
    "a negative decay": (lambda: inverse_time_decay(1.0, -0.1), ValueError, "decay is -0.1"),
    "no steps": (lambda: cosine(1.0, 0), ValueError, "steps is 0"),
    "a power of 0": (lambda: polynomial_decay(1.0, 3, power=0), ValueError, "power is 0; expected more"),
    "a negative end": (lambda: polynomial_decay(1.0, 3, end=-1), ValueError, "end is -1"),
    "periods that shrink": (lambda: cosine_restarts(1.0, 3, 0), ValueError, "factor is 0"),
    "periods of broken length": (lambda: cosine_restarts(1.0, 3, 1.5), ValueError, "factor is 1.5"),
    "a function without steps": (
        lambda: warmup(lambda: 0.1, 3),
        TypeError,
        r"schedule takes \(\); expected a function of one argument, the number of steps",
    ),
    "a class to warm up": (
        lambda: warmup(cosine, 3),
        TypeError,
        r"schedule is the class cosine; expected one made, as by cosine\(\.\.\.\)",
    ),
    "a number to warm up": (lambda: warmup(0.1, 3), TypeError, r"schedule is 0.1; expected a function"),
    "a negative warmup": (lambda: warmup(constant(1.0), -1), ValueError, "steps is -1"),
    "nothing but a rise": (lambda: one_cycle(1.0, 3, rise=1.0), ValueError, "rise is 1.0"),
    "no rise": (lambda: one_cycle(1.0, 3, rise=0.0), ValueError, "rise is 0.0; expected more than 0"),
    "back before the peak": (
        lambda: one_cycle(1.0, 3, 0.5, 0.5),
        ValueError,
        "back is 0.5; expected more",
    ),
    "a divisor of 0": (lambda: one_cycle(1.0, 3, divisor=0), ValueError, "divisor is 0; expected more"),
    "another shape": (lambda: one_cycle(1.0, 3, shape="cos"), ValueError, "shape is 'cos'; expected"),
    "a plateau that rises": (lambda: ReduceOnPlateau(1.0, factor=1.0), ValueError, "factor is 1.0"),
    "no patience": (lambda: ReduceOnPlateau(1.0, patience=-1), ValueError, "patience is -1"),
    "a floor above": (
        lambda: ReduceOnPlateau(1.0, lowest=2.0),
        ValueError,
        "lowest is 2.0; expected at",
    ),
    "step -1": (
        lambda: cosine(1.0, 3)(-1),
        ValueError,
        "finished is -1; expected a whole number from 0",
    ),
    "step 1.0": (lambda: constant(1.0)(1.0), ValueError, "finished is 1.0"),
    "step True": (lambda: ReduceOnPlateau(1.0)(True), ValueError, "finished is True"),
    "no rate for a stair": (
        lambda: milestones([1.0], [3]),
        ValueError,
        "rates has 1 learning rates",
    ),
    "no stair for a rate": (
        lambda: milestones([1.0, 2.0], []),
        ValueError,
        "and at 0 milestones",
    ),
    "one rate": (
        lambda: milestones(0.1, []),
        TypeError,
        "rates is 0.1; expected a list",
    ),
    "rates as text": (lambda: milestones("0.1", [1]), TypeError, "rates is '0.1'; expected a list"),
    "a bad rate": (lambda: milestones([1, -2], [3]), ValueError, r"rates\[1\] is -2; expected 0.0 <="),
    "one milestone": (lambda: milestones([1, 2], 3), TypeError, "at is 3; expected a list of steps"),
    "a milestone at 0": (lambda: milestones([1, 2], [0]), ValueError, r"at\[0\] is 0; expected a whole"),
    "half a milestone": (lambda: milestones([1, 2], [1.5]), ValueError, r"at\[0\] is 1.5"),
    "milestones that fall": (
        lambda: milestones([1, 2, 3], [5, 4]),
        ValueError,
        r"at\[1\] is 4; expected a whole number from 6 on",
    ),
    "numbers to join": (
        lambda: joined([constant(1.0), 0.1], [3]),
        TypeError,
        r"schedules\[1\] is 0.1; expected a function",
    ),
    "one to join": (
        lambda: joined(constant(1.0), []),
        TypeError,
        r"schedules is constant\(1.0\);",
    ),
    "two to join, and no step": (
        lambda: joined([constant(1.0)] * 2, []),
        ValueError,
        "schedules has 2 schedules and at 0 steps; expected one more",
    ),
    "a cycle upside down": (lambda: cyclic(2.0, 1.0, 3), ValueError, "peak is 1.0; expected at least"),
    "a cycle without a rise": (lambda: cyclic(1.0, 2.0, 0), ValueError, "up is 0; expected a whole"),
    "a cycle without a fall": (
        lambda: cyclic(1.0, 2.0, 3, 0),
        ValueError,
        "down is 0; expected a",
    ),
    "a cycle of a negative factor": (lambda: cyclic(1.0, 2.0, 3, factor=-1), ValueError, "factor is -1"),
    "step 1.5 of many": (lambda: cosine(1.0, 3)(np.array([1, 1.5])), ValueError, "finished is 1"),
    "step -1 of many": (lambda: cosine(1.0, 3)(np.array([0, -1])), ValueError, "finished is -1"),
    "a product beyond all numbers": (
        lambda: step_decay(1e200, 1, 1e200)(1),
        ValueError,
        "after 1 steps is too large",
    ),
    "beyond all numbers": (
        lambda: step_decay(1.0, 1, 1e10)(99),
        ValueError,
        "after 99 steps is too large",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_rate_beyond_all_numbers_leaves_the_optimizer_unchanged():
    params = np.zeros(1)
    optimizer = SGD(params, exponential_decay(1.0, 1e200))
    optimizer.step(np.ones(1))
    optimizer.step(np.ones(1))
    before = params.copy()
    with pytest.raises(ValueError, match="after 2 steps is too large"):
        optimizer.step(np.ones(1))
    assert optimizer.t == 2
    assert params == before
