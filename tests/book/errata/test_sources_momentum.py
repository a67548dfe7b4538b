"""What the source articles get wrong about momentum: each error is shown, and its correction kept."""

import numpy as np
import pytest
from support import steps_taken

from optimlib import SGD
from optimlib.optimizers import SGDRunningMean


def clips(step_of, limit=1.0):
    """Whether a rule limits its gradients: no gradient, however large, moves it further than `limit`."""
    return all(abs(step_of(size)) <= limit for size in (0.5, 10.0, 1e3, 1e6))


def momentum_as_clipping(size, optimizer=SGD):
    """Article 1 says that a momentum vector clips gradients: how far one spike among zeros leads."""
    theta = np.zeros(1)
    opt = optimizer(theta, 1.0, momentum=0.9)
    for g in (size, *[0.0] * 400):
        opt.step(np.array([g]))
    return theta[0]


def clipped(size):
    """What does clip: a limit on the gradient, before the step."""
    theta = np.zeros(1)
    SGD(theta, 1.0).step(np.clip([size], -1.0, 1.0))
    return theta[0]


def momentum_without_gradient(parameters, learning_rate=0.01, beta=0.9):
    """Article 5's function: no gradient, and a new velocity in every call."""
    for p in parameters:
        velocity = np.zeros_like(p)
        p -= learning_rate * (velocity + (1 - beta) * p)


def finds_the_minimum(step, target):
    """Whether repeated steps reach the bottom of half the squared distance from `target`."""
    theta = np.array([1.0])
    for _ in range(3000):
        step(theta, theta - target)
    return abs(theta[0] - target) < 1e-6


@pytest.mark.parametrize("optimizer", [SGD, SGDRunningMean])
def test_momentum_does_not_clip(optimizer):
    assert clips(clipped)
    assert not clips(lambda size: momentum_as_clipping(size, optimizer))
    whole = 10.0 if optimizer is SGD else 1.0  # the sum of all weights
    assert momentum_as_clipping(1e3, optimizer) == pytest.approx(-whole * 1e3, rel=1e-12)


def test_the_running_mean_does_not_accelerate_under_one_gradient():
    """Article 3 says that momentum does, and writes the running mean. The heavy ball does."""
    mean, ball = (
        steps_taken(optimizer, np.ones(200), learning_rate=1.0, momentum=0.9)
        for optimizer in (SGDRunningMean, SGD)
    )
    assert mean[0] == pytest.approx(0.1, rel=1e-12)
    assert (np.diff(mean) >= 0).all()
    assert mean.max() <= 1 + 1e-12  # never longer than gradient descent's
    assert ball[0] == 1.0
    assert ball[-1] == pytest.approx(10.0, rel=1e-8)
    fading = 0.5 ** np.arange(20)  # the condition, a constant gradient: behind others a mean is longer
    mean = steps_taken(SGDRunningMean, fading, learning_rate=1.0, momentum=0.9)
    assert mean[-1] > 1000 * fading[-1]


def test_momentum_needs_a_gradient():
    theta = np.array([1.0])
    opt = SGDRunningMean(theta, 0.01, 0.9)

    def right(params, g):
        theta[:] = params
        opt.step(g)
        params[:] = theta

    assert finds_the_minimum(right, 3.0)
    assert not finds_the_minimum(lambda params, g: momentum_without_gradient([params]), 3.0)


def test_momentum_without_gradient_shrinks_the_parameters_whatever_the_loss():
    theta = np.array([2.0, -4.0])
    for _ in range(10):
        momentum_without_gradient([theta])
    np.testing.assert_allclose(theta, np.array([2.0, -4.0]) * 0.999**10, rtol=1e-12)
