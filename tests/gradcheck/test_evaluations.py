"""Every call of the loss is counted once, whatever part of a check makes it."""

import numpy as np
import pytest

from optimlib import check_gradient

X = np.random.default_rng(0).standard_normal((6, 4))
THERE = np.array([0.5, -0.7, 1.1])


class Counted:
    """A function that knows how often it was called."""

    def __init__(self, f):
        self.f, self.calls = f, 0

    def __call__(self, *arguments):
        self.calls += 1
        return self.f(*arguments)


class Accumulating:
    def __init__(self):
        self.total = 0.0

    def __call__(self, x):
        self.total = self.total + 3 * x**2
        return self.total


def cubes(x):
    return (x**3).sum()


def relus(x):
    return np.maximum(X @ x, 0).sum()


def wavering(x, rng=np.random.default_rng(0)):  # noqa: B008
    return rng.random() + cubes(x)


@pytest.mark.parametrize(
    ("loss", "grad", "theta", "verdict"),
    [
        (cubes, lambda x: 3 * x**2, THERE, "pass"),
        (cubes, lambda x: 3 * x**2, THERE.astype(np.float32), "pass"),
        (cubes, lambda x: x**2, THERE, "fail"),
        (cubes, lambda x: 3 * THERE**2, THERE, "pass"),  # at theta alone: looked at nearby, too
        (cubes, lambda x: 3 * THERE**2 + np.array([0.1, 0.3, 0.7]), THERE, "fail"),
        (cubes, Accumulating(), THERE, "inconclusive"),
        (wavering, lambda x: 3 * x**2, THERE, "inconclusive"),
        (cubes, lambda x: 3 * x**2, np.zeros(3), "pass"),
        (cubes, lambda x: np.zeros(200), np.linspace(1, 2, 200), "fail"),
        (relus, lambda x: X.T @ (X @ x > 0), np.zeros(4), None),  # kinks: looked at close by
    ],
    ids=[
        "right",
        "float32",
        "wrong",
        "other arrays",
        "stays the same",
        "accumulating",
        "random",
        "minimum",
        "many",
        "kinks",
    ],
)
def test_all_calls_of_the_loss_are_counted(loss, grad, theta, verdict):
    loss = Counted(loss)
    report = check_gradient(loss, lambda x: np.asarray(grad(x), x.dtype), theta)
    assert report.evaluations == loss.calls
    assert verdict in (report.verdict, None)


def test_directions_over_many_kinks_are_counted():
    loss = Counted(lambda x: np.abs(x).sum())
    report = check_gradient(loss, lambda x: 0.5 * np.sign(x - 1e-9), np.zeros(50))
    assert report.evaluations == loss.calls


def test_a_second_look_close_by_counts_on():
    """What two objectives of one check call is one number, in whatever order they call it."""
    loss = Counted(lambda x: np.maximum(X @ x, 0).sum() + (x**2).sum())
    wrong = check_gradient(loss, lambda x: 1.5 * X.T @ (X @ x > 0) + 2 * x, np.zeros(4), directions=4)
    assert wrong.evaluations == loss.calls
