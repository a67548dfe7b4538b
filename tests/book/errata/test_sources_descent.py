"""What the sources say of the learning rate and of a gradient, in versions of our own."""

import numpy as np
import pytest

from optimlib import SGD, Adam

FEW, PARAMETERS = 20, 15
rng = np.random.default_rng(2)
TRUTH = rng.standard_normal(PARAMETERS) / np.sqrt(PARAMETERS)
X, X_TEST = rng.standard_normal((FEW, PARAMETERS)), rng.standard_normal((2000, PARAMETERS))
Y = X @ TRUTH + rng.standard_normal(FEW)
Y_TEST = X_TEST @ TRUTH + rng.standard_normal(2000)
LIMIT = 2 / np.linalg.eigvalsh(X.T @ X / FEW)[-1]


def train(rate, steps, optimizer=SGD):
    """Losses on the examples and on unseen data, one row a set."""
    theta, losses = np.zeros(PARAMETERS), []
    opt = optimizer(theta, learning_rate=rate)
    for _ in range(steps):
        losses.append([np.mean((x @ theta - y) ** 2) / 2 for x, y in ((X, Y), (X_TEST, Y_TEST))])
        opt.step(gradient(theta))
    return np.array(losses).T


def overfits(losses):
    """The loss of the examples falls to the end, while that of unseen data has risen again."""
    training, unseen = losses
    return bool(training[-1] < training[len(training) // 2] and unseen[-1] > 1.5 * unseen.min())


def diverges(losses):
    training, _ = losses
    return bool(training[-1] > 10 * training[0])


def gradient(theta):
    return X.T @ (X @ theta - Y) / FEW


def test_too_large_a_rate_diverges_and_does_not_overfit():
    losses = train(1.05 * LIMIT, 110)
    assert diverges(losses)
    assert not overfits(losses)


@pytest.mark.parametrize("part", [pytest.param(0.01, marks=pytest.mark.slow), 0.1, 0.95])
def test_rates_below_the_limit_overfit_alike_the_smallest_too(part):
    losses = train(part * LIMIT, round(300 / part))
    assert overfits(losses)
    assert not diverges(losses)
    assert losses[:, -1] == pytest.approx([0.115, 1.755], abs=0.02)


@pytest.mark.parametrize("rate", [0.01, 0.1, 1.0])
def test_adam_overfits_alike_with_rates_from_small_to_large(rate):
    losses = train(rate, 5000, Adam)
    training, unseen = losses[:, -500:].mean(axis=1)
    assert training < 0.2 * losses[0, 0]
    assert unseen > 1.5 * losses[1].min()
    assert (training, unseen) == pytest.approx((0.115, 1.755), abs=0.1)


def test_far_too_large_a_rate_of_adam_does_not_stay_at_the_fit():
    training, unseen = train(100.0, 5000, Adam)
    fits = training < 1.01 * training.min()
    assert training.min() == pytest.approx(0.1144, abs=1e-3)  # as small as with any rate
    assert fits[:500].sum() > 100
    assert unseen[fits].min() > 1.5 * unseen.min()  # there it overfits as the others do
    assert training[-500:].mean() > training[0]


def test_in_a_run_of_fixed_length_a_larger_rate_of_adam_overfits_sooner():
    """What is right about "a large rate overfits": it gets farther in the same number of steps."""
    small, large = (train(rate, 500, Adam) for rate in (0.001, 0.03))
    assert overfits(large)
    assert not overfits(small)


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


def test_at_the_noise_floor_a_large_gradient_asks_for_a_smaller_rate():
    """The counterexample to "the gradient is large and the loss does not fall: raise the rate"."""
    best, draw = np.linalg.lstsq(X, Y, rcond=None)[0], np.random.default_rng(4)
    excess, size = {}, {}
    for rate in (0.02, 0.04):
        theta, losses, norms = best.copy(), [], []
        for _ in range(8000):
            rows = draw.integers(FEW, size=2)
            g = X[rows].T @ (X[rows] @ theta - Y[rows]) / 2
            norms.append(np.linalg.norm(g))
            theta = theta - rate * g
            losses.append(np.mean((X @ (theta - best)) ** 2) / 2)
        excess[rate], size[rate] = np.mean(losses[2000:]), np.mean(norms)
    assert min(size.values()) > 0.3 * np.linalg.norm(gradient(np.zeros(PARAMETERS)))
    assert excess[0.04] > 1.5 * excess[0.02]


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
