"""What the sources say of the learning rate and of a gradient, in versions of our own."""

import numpy as np
import pytest

FEW, PARAMETERS = 20, 15
rng = np.random.default_rng(2)
TRUTH = rng.standard_normal(PARAMETERS) / np.sqrt(PARAMETERS)
X, X_TEST = rng.standard_normal((FEW, PARAMETERS)), rng.standard_normal((2000, PARAMETERS))
Y = X @ TRUTH + rng.standard_normal(FEW)
Y_TEST = X_TEST @ TRUTH + rng.standard_normal(2000)
LIMIT = 2 / np.linalg.eigvalsh(X.T @ X / FEW)[-1]


def train(rate, steps):
    """Losses on the examples and on unseen data, one row a step."""
    theta, losses = np.zeros(PARAMETERS), []
    for _ in range(steps):
        losses.append([np.mean((x @ theta - y) ** 2) / 2 for x, y in ((X, Y), (X_TEST, Y_TEST))])
        theta = theta - rate * X.T @ (X @ theta - Y) / FEW
    return np.array(losses).T


def overfits(losses):
    """The loss of the examples falls to the end, while that of unseen data has risen again."""
    training, unseen = losses
    return bool(training[-1] < training[len(training) // 2] and unseen[-1] > 1.5 * unseen.min())


def diverges(losses):
    training, _ = losses
    return bool(training[-1] > 10 * training[0])


def test_too_large_a_rate_diverges_and_does_not_overfit():
    losses = train(1.05 * LIMIT, 110)
    assert diverges(losses)
    assert not overfits(losses)


@pytest.mark.parametrize("part", [0.01, 0.1, 0.95])
def test_rates_below_the_limit_overfit_alike_the_smallest_too(part):
    losses = train(part * LIMIT, round(300 / part))
    assert overfits(losses)
    assert not diverges(losses)
    assert losses[:, -1] == pytest.approx([0.115, 1.755], abs=0.02)


def gradient(theta):
    return X.T @ (X @ theta - Y) / FEW


def test_too_small_a_rate_leaves_the_gradient_as_large_as_it_was():
    start = np.linalg.norm(gradient(np.zeros(PARAMETERS)))
    left = {}
    for rate in (1e-6, 0.9 * LIMIT):
        theta = np.zeros(PARAMETERS)
        for _ in range(200):
            theta = theta - rate * gradient(theta)
        left[rate] = np.linalg.norm(gradient(theta)) / start
    assert left[1e-6] > 0.99  # a vanished gradient would be small
    assert left[0.9 * LIMIT] < 0.1  # it is the good rate that makes it small


def targetless(x, target, parameters, rate=0.1):
    """The article's structure: inputs times parameters, no residual, and a rebound name."""
    grads = [(x * parameters[key]).sum(axis=0) for key in parameters]
    for key in parameters:
        key -= rate * grads[key]


def descend(x, target, parameters, rate=0.1):
    """The same, put right."""
    residual = x @ parameters["w"] - target
    parameters["w"] -= rate * x.T @ residual / len(x)


def learns(step, parameters):
    """Whether what comes out depends on what was to be learned."""
    x = np.array([[1.0, 0.0], [0.0, 2.0]])
    ends = []
    for target in (np.array([3.0, 4.0]), np.array([-3.0, 2.0])):
        trained = {key: value.copy() for key, value in parameters.items()}
        for _ in range(300):
            step(x, target, trained)
        ends.append(np.concatenate([*trained.values()]))
    return bool(np.abs(ends[0] - ends[1]).max() > 1)


def test_a_gradient_without_targets_learns_nothing():
    assert not learns(targetless, {0: np.ones(2)})
    assert learns(descend, {"w": np.ones(2)})


def test_a_gradient_without_targets_stops_at_a_name():
    with pytest.raises(TypeError, match="indices"):
        targetless(np.ones((2, 2)), np.ones(2), {"w": np.ones(2)})
