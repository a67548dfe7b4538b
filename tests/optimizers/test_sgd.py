"""Gradient descent and its momenta: hand-worked steps and the equivalences between them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import steps_taken

from optimlib import SGD
from optimlib.optimizers import Nesterov, NesterovRateInside, SGDRateInside, SGDRunningMean
from optimlib.optimizers.weight_decay import Decoupled

MOMENTA = [SGD, SGDRateInside, SGDRunningMean, Nesterov, NesterovRateInside]
HALVED = {"momentum": 0.5, "learning_rate": lambda done: 0.5**done}


def steps(optimizer, gradients, **hyperparameters) -> list[float]:
    return steps_taken(optimizer, gradients, **hyperparameters).tolist()


def test_defaults():
    assert [m(np.zeros(1), 0.1).momentum for m in MOMENTA] == [0.0, 0.0, 0.9, 0.9, 0.9]


def test_without_momentum_it_is_gradient_descent():
    for optimizer in MOMENTA:
        assert steps(optimizer, [1, -2], learning_rate=0.5, momentum=0.0) == [0.5, -1.0]


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        # mu = 1/2, eta = 1, g = 4, 2, -8
        (SGD, [4, 4, -6]),  # b = 4, 2 + 2, 2 - 8
        (SGDRateInside, [4, 4, -6]),
        (SGDRunningMean, [2, 2, -3]),  # half of it
        (Nesterov, [6, 4, -11]),  # the b of SGD, and g + b / 2
        (NesterovRateInside, [6, 4, -11]),
    ],
)
def test_three_steps_at_a_constant_rate_by_hand(optimizer, expected):
    assert steps(optimizer, [4, 2, -8], learning_rate=1.0, momentum=0.5) == expected


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        # mu = 1/2, eta = 1, 1/2, 1/4, g = 4, 2, -8
        (SGD, [4, 2, -3 / 2]),  # the steps above times eta
        (SGDRunningMean, [2, 1, -3 / 4]),
        (Nesterov, [6, 2, -11 / 4]),
        (SGDRateInside, [4, 3, -1 / 2]),  # v = 4, 2 + 1, 3/2 - 2
        (NesterovRateInside, [6, 5 / 2, -9 / 4]),  # eta g + v / 2: 4 + 2, 1 + 3/2, -2 - 1/4
    ],
)
def test_three_steps_at_a_falling_rate_by_hand(optimizer, expected):
    assert steps(optimizer, [4, 2, -8], **HALVED) == expected


def test_a_constant_gradient_ends_in_the_steps_that_the_docstrings_name():
    options = {"learning_rate": 0.1, "momentum": 0.9}
    ends = [steps(optimizer, np.ones(300), **options)[-1] for optimizer in MOMENTA]
    np.testing.assert_allclose(ends, [1, 1, 0.1, 1, 1], rtol=1e-9)


def test_nesterov_is_the_look_ahead_of_its_inventor():
    """The classic form takes the gradient at theta - eta mu b; ours is that one seen from there."""
    curvature, eta, mu = 3.0, 0.1, 0.8
    ahead, b = 1.0, 0.0  # the classic iteration, written for the point at which it looks
    theta = np.array([1.0])
    optimizer = Nesterov(theta, learning_rate=eta, momentum=mu)
    base = 1.0
    for _ in range(10):
        b = mu * b + curvature * ahead
        base -= eta * b
        ahead = base - eta * mu * b
        optimizer.step(curvature * theta)
        assert theta[0] == pytest.approx(ahead, rel=1e-12)


@pytest.mark.parametrize("looks_ahead", [False, True])
def test_the_papers_have_the_rate_inside(looks_ahead):
    """Polyak's heavy ball has no velocity, and Nesterov's looks ahead; both with rates that change."""
    rates, mu, curvature = [0.1, 0.3, 0.05, 0.2, 0.4], 0.8, 3.0
    theta = np.array([1.0])
    named = Nesterov if looks_ahead else SGD
    optimizer = named.like("paper", theta, learning_rate=lambda done: rates[done], momentum=mu)
    before, now = 1.0, 1.0  # two positions of the papers' parameters
    for rate in rates:
        look = now + mu * (now - before) if looks_ahead else now
        assert theta[0] == pytest.approx(look, rel=1e-12)
        before, now = now, now + mu * (now - before) - rate * curvature * look
        optimizer.step(curvature * theta)


@given(
    gradients=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20),
    momentum=st.floats(0.01, 0.99),
    rate=st.floats(1e-4, 1.0),
)
@settings(derandomize=True, deadline=None)
def test_ways_to_write_one_momentum_at_a_constant_rate(gradients, momentum, rate):
    options = {"momentum": momentum, "learning_rate": rate}
    heavy, ahead = (steps_taken(optimizer, gradients, **options) for optimizer in (SGD, Nesterov))
    averaged = {"momentum": momentum, "learning_rate": rate / (1 - momentum)}
    atol = 1e-10 * (rate * max(map(abs, gradients)) / (1 - momentum) + 1e-290)
    for found, expected in (
        (steps_taken(SGDRateInside, gradients, **options), heavy),
        (steps_taken(SGDRunningMean, gradients, **averaged), heavy),
        (steps_taken(NesterovRateInside, gradients, **options), ahead),
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


def test_a_momentum_that_is_assigned_holds_from_the_next_step_on():
    """b = 4, then 2 at momentum 0, then 1 - 8 at momentum 1/2."""
    theta = np.zeros(1)
    optimizer = SGD(theta, learning_rate=1.0)
    positions = []
    for momentum, g in ((0.0, 4.0), (0.0, 2.0), (0.5, -8.0)):
        optimizer.momentum = momentum
        optimizer.step(np.array([g]))
        positions.append(float(theta[0]))
    assert positions == [-4.0, -6.0, 1.0]


@pytest.mark.parametrize("optimizer", MOMENTA)
@pytest.mark.parametrize("value", [-0.1, 1.0, np.nan])
def test_a_momentum_outside_its_interval_is_refused(optimizer, value):
    with pytest.raises(ValueError, match=r"momentum is .*; expected 0.0 <= momentum < 1.0"):
        optimizer(np.zeros(1), 0.1, momentum=value)


@pytest.mark.parametrize(
    ("keyword", "named"),
    [
        ("nesterov", "Nesterov"),
        ("average", "SGDRunningMean"),
        ("dampening", "SGDRunningMean"),
        ("rate_in_velocity", "SGDRateInside"),
    ],
)
def test_a_keyword_that_has_become_a_class_is_answered_with_its_name(keyword, named):
    with pytest.raises(TypeError, match=rf"SGD has no {keyword}: .*{named}"):
        SGD(np.zeros(1), 0.1, **{keyword: True})


# Weight decay


def test_l2_by_hand():
    """lambda = 1/2, eta = 1/4: from 2 the gradient is 3 + 1 = 4; from 1 it is -1 + 1/2 = -1/2."""
    found = steps(SGD, [3, -1], start=2.0, learning_rate=0.25, weight_decay=0.5)
    assert found == [1.0, -1 / 8]


def test_l2_goes_through_the_velocity():
    """mu = 1/2, eta = 1, lambda = 1/2, no other gradient: b = 1, theta = 1; b = 1/2 + 1/2, theta = 0."""
    options = {"learning_rate": 1.0, "momentum": 0.5, "weight_decay": 0.5}
    assert steps(SGD, [0, 0], start=2.0, **options) == [1.0, 1.0]


def test_decoupled_decay_by_hand():
    """mu = 1/2, eta = 1/4, lambda = 1/2, from 2.

    g = 4: b = 4, the decay is 1/8 of 2, theta = 2 - 1 - 1/4 = 3/4.
    g = 0: b = 2, the decay is 1/8 of 3/4, theta = 3/4 - 1/2 - 3/32 = 5/32.
    """
    options = {"learning_rate": 0.25, "momentum": 0.5, "weight_decay": Decoupled(0.5)}
    assert steps(SGD, [4, 0], start=2.0, **options) == [5 / 4, 1 / 2 + 3 / 32]


def test_a_mask_spares_arrays_and_the_order_of_its_keys_is_free():
    params = {"W": np.array([2.0]), "b": np.array([2.0])}
    optimizer = SGD(params, 1.0, weight_decay=0.25, mask={"b": False, "W": True})
    optimizer.step({"W": np.zeros(1), "b": np.zeros(1)})
    assert (params["W"], params["b"]) == (1.5, 2.0)
