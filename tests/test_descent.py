"""Gradient descent and its three momentums: hand-worked steps and the equivalences between them."""

import numpy as np
import pytest

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
