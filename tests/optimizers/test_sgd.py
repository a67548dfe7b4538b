"""Gradient descent and its three momentums: hand-worked steps and the equivalences between them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimlib import SGD


def run(gradients, **hyperparameters) -> list[float]:
    """The positions after every step, from 0."""
    theta = np.zeros(1)
    optimizer = SGD(theta, **hyperparameters)
    positions = []
    for g in gradients:
        optimizer.step(np.array([g]))
        positions.append(float(theta[0]))
    return positions


def test_plain_descent_has_no_state():
    optimizer = SGD(np.zeros(3), learning_rate=0.5)
    optimizer.step(np.ones(3))
    assert optimizer.state == {}
    assert run([1.0, -2.0], learning_rate=0.5) == [-0.5, 0.5]


def test_heavy_ball_by_hand():
    """mu = 1/2, eta = 1: b = 4, 2 + 2 = 4, 2 - 8 = -6."""
    assert run([4.0, 2.0, -8.0], learning_rate=1.0, momentum=0.5) == [-4.0, -8.0, -2.0]


def test_nesterov_by_hand():
    """The same b, but the steps are g + b / 2: 6, 4, -11."""
    positions = run([4.0, 2.0, -8.0], learning_rate=1.0, momentum=0.5, nesterov=True)
    assert positions == [-6.0, -10.0, 1.0]


def test_averaged_momentum_by_hand():
    """b = 2, 1 + 1 = 2, 1 - 4 = -3: half of the heavy ball's."""
    positions = run([4.0, 2.0, -8.0], learning_rate=1.0, momentum=0.5, average=True)
    assert positions == [-2.0, -4.0, -1.0]


def test_averaging_is_the_heavy_ball_at_another_constant_rate():
    gradients = np.random.default_rng(0).standard_normal(20)
    averaged = run(gradients, learning_rate=0.1, momentum=0.9, average=True)
    heavy = run(gradients, learning_rate=0.1 * (1 - 0.9), momentum=0.9)
    np.testing.assert_allclose(averaged, heavy, rtol=1e-12)


def test_a_constant_gradient_ends_in_the_steps_that_the_docstring_names():
    heavy = np.diff(run([1.0] * 300, learning_rate=0.1, momentum=0.9))
    averaged = np.diff(run([1.0] * 300, learning_rate=0.1, momentum=0.9, average=True))
    assert heavy[-1] == pytest.approx(-0.1 / (1 - 0.9))
    assert averaged[-1] == pytest.approx(-0.1)


def test_nesterov_is_the_look_ahead_of_its_inventor():
    """The classic form takes the gradient at theta - eta mu b; ours is that one seen from there."""
    curvature, eta, mu = 3.0, 0.1, 0.8
    ahead, b = 1.0, 0.0  # the classic iteration, written for the point at which it looks
    theta = np.array([1.0])
    optimizer = SGD(theta, learning_rate=eta, momentum=mu, nesterov=True)
    base = 1.0
    for _ in range(10):
        b = mu * b + curvature * ahead
        base -= eta * b
        ahead = base - eta * mu * b
        optimizer.step(curvature * theta)
        assert theta[0] == pytest.approx(ahead, rel=1e-12)


@pytest.mark.parametrize("value", [-0.1, 1.0, np.nan])
def test_a_momentum_outside_its_interval_is_refused(value):
    with pytest.raises(ValueError, match=r"momentum is .*; expected 0.0 <= momentum < 1.0"):
        SGD(np.zeros(1), 0.1, momentum=value)


@pytest.mark.parametrize(
    "options",
    [{"nesterov": True}, {"average": True}, {"momentum": 0.9, "nesterov": True, "average": True}],
)
def test_momentums_that_contradict_each_other_are_refused(options):
    with pytest.raises(ValueError, match="expected"):
        SGD(np.zeros(1), 0.1, **options)


# Where the learning rate stands


def test_the_rate_inside_the_velocity_by_hand():
    """Rates 1, 1/2, 1/4 and mu = 1/2: b = 4, 2 + 1 = 3, 3/2 - 2 = -1/2; outside it b = 4, 4, -6."""
    options = {"momentum": 0.5, "learning_rate": lambda done: 0.5**done}
    assert run([4.0, 2.0, -8.0], rate_in_velocity=True, **options) == [-4.0, -7.0, -6.5]
    assert run([4.0, 2.0, -8.0], **options) == [-4.0, -6.0, -4.5]


def test_nesterov_with_the_rate_inside_by_hand():
    """The same b, and steps eta g + b / 2: 4 + 2, 1 + 3/2, -2 - 1/4."""
    options = {"momentum": 0.5, "learning_rate": lambda done: 0.5**done, "nesterov": True}
    assert run([4.0, 2.0, -8.0], rate_in_velocity=True, **options) == [-6.0, -8.5, -6.25]


def test_averaging_with_the_rate_inside_by_hand():
    """Rates and mu as above: b = 2, 1 + 1/2, 3/4 - 1."""
    options = {"momentum": 0.5, "learning_rate": lambda done: 0.5**done, "average": True}
    assert run([4.0, 2.0, -8.0], rate_in_velocity=True, **options) == [-2.0, -3.5, -3.25]


@pytest.mark.parametrize("nesterov", [False, True])
def test_the_papers_have_the_rate_inside(nesterov):
    """Polyak's heavy ball has no velocity, and Nesterov's looks ahead; both with rates that change."""
    rates, mu, curvature = [0.1, 0.3, 0.05, 0.2, 0.4], 0.8, 3.0
    theta = np.array([1.0])
    options = {"learning_rate": lambda done: rates[done], "momentum": mu, "nesterov": nesterov}
    optimizer = SGD.like("paper", theta, **options)
    before, now = 1.0, 1.0  # two positions of the papers' parameters
    for rate in rates:
        look = now + mu * (now - before) if nesterov else now
        assert theta[0] == pytest.approx(look, rel=1e-12)
        before, now = now, now + mu * (now - before) - rate * curvature * look
        optimizer.step(curvature * theta)


@given(
    gradients=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20),
    momentum=st.floats(0.01, 0.99),
    rate=st.floats(1e-4, 1.0),
)
@settings(derandomize=True, deadline=None)
def test_three_ways_to_write_the_heavy_ball_at_a_constant_rate(gradients, momentum, rate):
    heavy = run(gradients, learning_rate=rate, momentum=momentum)
    inside = run(gradients, learning_rate=rate, momentum=momentum, rate_in_velocity=True)
    averaged = run(gradients, learning_rate=rate / (1 - momentum), momentum=momentum, average=True)
    scale = rate * max(map(abs, gradients)) / (1 - momentum) + 1e-300
    np.testing.assert_allclose(inside, heavy, rtol=0, atol=1e-11 * scale)
    np.testing.assert_allclose(averaged, heavy, rtol=0, atol=1e-11 * scale)


def test_without_momentum_the_place_of_the_rate_is_no_question():
    gradients = np.random.default_rng(0).standard_normal(5)
    plain = run(gradients, learning_rate=0.1)
    assert run(gradients, learning_rate=0.1, rate_in_velocity=True) == plain


# Weight decay


def test_l2_by_hand():
    """lambda = 1/2, eta = 1/4: from 2 the gradient is 3 + 1 = 4; from 1 it is -1 + 1/2 = -1/2."""
    theta = np.array([2.0])
    optimizer = SGD(theta, learning_rate=0.25, weight_decay=0.5)
    optimizer.step(np.array([3.0]))
    assert theta[0] == 1.0
    optimizer.step(np.array([-1.0]))
    assert theta[0] == 1.125


def test_l2_goes_through_the_velocity():
    """mu = 1/2, eta = 1, lambda = 1/2, no other gradient: b = 1, theta = 1; b = 1/2 + 1/2, theta = 0."""
    theta = np.array([2.0])
    optimizer = SGD(theta, learning_rate=1.0, momentum=0.5, weight_decay=0.5)
    optimizer.step(np.zeros(1))
    optimizer.step(np.zeros(1))
    assert theta[0] == 0.0
    assert optimizer.state["b"] == 1.0


def test_decoupled_decay_by_hand():
    """mu = 1/2, eta = 1/4, lambda = 1/2, from 2.

    g = 4: b = 4, the decay is 1/8 of 2, theta = 2 - 1 - 1/4 = 3/4.
    g = 0: b = 2, the decay is 1/8 of 3/4, theta = 3/4 - 1/2 - 3/32 = 5/32.
    """
    theta = np.array([2.0])
    optimizer = SGD(theta, learning_rate=0.25, momentum=0.5, weight_decay=0.5, decoupled=True)
    optimizer.step(np.array([4.0]))
    assert theta[0] == 3 / 4
    optimizer.step(np.zeros(1))
    assert theta[0] == 5 / 32
    assert optimizer.state["b"] == 2.0


def test_a_mask_spares_arrays_and_the_order_of_its_keys_is_free():
    params = {"W": np.array([2.0]), "b": np.array([2.0])}
    optimizer = SGD(params, 1.0, weight_decay=0.25, mask={"b": False, "W": True})
    optimizer.step({"W": np.zeros(1), "b": np.zeros(1)})
    assert (params["W"], params["b"]) == (1.5, 2.0)


@pytest.mark.parametrize(
    ("mask", "error"),
    [
        ({"W": True}, r"missing \[\"\['b'\]\"\]"),
        ({"W": True, "b": False, "c": True}, "unexpected"),
        (True, "not built like params"),
    ],
)
def test_a_mask_of_another_structure_is_refused(mask, error):
    params = {"W": np.zeros(1), "b": np.zeros(1)}
    with pytest.raises(ValueError, match=error):
        SGD(params, 0.1, weight_decay=0.1, mask=mask)


@pytest.mark.parametrize("leaf", [1, None, "True", np.ones(1)])
def test_a_mask_that_does_not_say_yes_or_no_is_refused(leaf):
    with pytest.raises(TypeError, match=r"mask\['b'\] is .*; expected True or False"):
        SGD({"b": np.zeros(1)}, 0.1, weight_decay=0.1, mask={"b": leaf})


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
def test_a_bad_weight_decay_is_refused(value):
    with pytest.raises(ValueError, match=r"weight_decay is .*; expected 0.0 <= weight_decay < inf"):
        SGD(np.zeros(1), 0.1, weight_decay=value)
