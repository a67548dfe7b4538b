"""Parameters near 1.7e9, as seconds since 1970 are: theta's own rounding is all that blurs the loss."""

import numpy as np
import pytest
from support import verdict

T = 1.7e9


def waves(n: int):
    """A sum of sines, whose periods are nothing beside theta."""
    rng = np.random.default_rng(n)
    theta = T + rng.uniform(-53, 53, n)
    center, pace = theta + rng.uniform(-2, 2, n), rng.uniform(0.3, 1.5, n)
    return (
        theta,
        lambda t: np.sin(pace * (t - center)).sum(),
        lambda t: pace * np.cos(pace * (t - center)),
    )


def bumps(n: int):
    rng = np.random.default_rng(n)
    theta = T + rng.uniform(-53, 53, n)
    center = theta + rng.uniform(-2, 2, n)

    def loss(t):
        return np.exp(-((t - center) ** 2)).sum()

    return theta, loss, lambda t: -2 * (t - center) * np.exp(-((t - center) ** 2))


def bends(n: int):
    """Logistic functions and a parabola."""
    rng = np.random.default_rng(n)
    theta = T + rng.uniform(-53, 53, n)
    center, pace = theta + rng.uniform(-2, 2, n), rng.uniform(0.3, 1.5, n)

    def loss(t):
        return np.tanh(pace * (t - center)).sum() + ((t - center) ** 2).mean()

    def grad(t):
        return pace * (1 - np.tanh(pace * (t - center)) ** 2) + 2 * (t - center) / n

    return theta, loss, grad


@pytest.mark.parametrize("n", [1, 8, 30, 60])
@pytest.mark.parametrize("make", [waves, bumps, bends])
def test_a_right_gradient_passes_and_one_of_twice_the_size_fails(make, n):
    theta, loss, grad = make(n)
    assert verdict(loss, grad, theta) == "pass"
    assert verdict(loss, lambda t: 2 * grad(t), theta) == "fail"


@pytest.mark.parametrize("n", [1, 8])
@pytest.mark.parametrize("factor", [0.999, 1.001])
@pytest.mark.parametrize("make", [waves, bumps, bends])
def test_a_thousandth_shows_along_coordinates(make, factor, n):
    theta, loss, grad = make(n)
    assert verdict(loss, lambda t: factor * grad(t), theta) == "fail"


@pytest.mark.parametrize("make", [waves, bumps, bends])
def test_a_thousandth_shows_along_directions_as_well(make):
    """Of thirty parameters, which are moved together, to steps for numbers of order 1."""
    found = []
    for n in (28, 30, 32, 34):
        theta, loss, grad = make(n)
        for factor in (0.999, 1.001):
            found.append(verdict(loss, lambda t, g=grad, f=factor: f * g(t), theta))
    assert set(found) <= {"fail", "inconclusive"}
    assert found.count("fail") >= 6
