"""Every call of the loss is counted once, whatever part of a check makes it; how many there are."""

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


# What a check costs that finds something wrong


def wrong_sines(size, error):
    """A sum of sines, and a gradient that is multiplied by something."""
    theta = np.linspace(0.3, 1.7, size)
    w = np.cos(np.arange(size)) + 1.5
    factor = error(size)
    return lambda x: (w * np.sin(x)).sum(), lambda x: factor * w * np.cos(x), theta


WRONG = {
    "too large": lambda size: 1.1,
    "of the other sign": lambda size: -1.0,
    "zero": lambda size: 0.0,
    "a third masked": lambda size: (np.arange(size) % 3 > 0).astype(float),
    "in one place": lambda size: np.where(np.arange(size) == size // 2, 1.1, 1.0),
}


@pytest.mark.parametrize("size", [1, 2, 5, 10, 20, 21, 60, 99, 100])
@pytest.mark.parametrize("error", WRONG)
def test_a_check_that_fails_takes_a_few_evaluations_a_parameter(error, size):
    report = check_gradient(*wrong_sines(size, WRONG[error]))
    assert report.verdict == "fail"
    assert sum(probe.index is not None for probe in report.probes) == size
    assert report.evaluations <= 160 + 8 * size + 200 * (error == "in one place")


@pytest.mark.parametrize("size", [101, 150, 400, 10_000])
@pytest.mark.parametrize("error", WRONG)
def test_of_more_parameters_a_check_that_fails_takes_no_more(error, size):
    report = check_gradient(*wrong_sines(size, WRONG[error]))
    assert report.verdict == "fail"
    assert report.evaluations <= 400 + 300 * (error == "in one place")


def test_a_float32_inside_does_not_make_a_failing_check_dear():
    loss, grad, theta = wrong_sines(60, WRONG["too large"])
    report = check_gradient(lambda x: float(np.float32(loss(x))), grad, theta)
    assert report.verdict == "fail"
    assert report.evaluations <= 1200


HARD = {
    "a wave": (lambda x: np.sin(3e6 * x), lambda x: 3e6 * np.cos(3e6 * x), 0.3),
    "a kink close by": (np.abs, np.sign, 1e-9),
    "a kink not so close": (lambda x: np.abs(x - 1e-5), lambda x: np.sign(x - 1e-5), 0.0),
    "a kink": (np.abs, lambda x: 0.3 + 0 * x, 0.0),
    "a date": (np.sin, np.cos, 1.7e9),
    "an edge": (lambda x: np.sqrt(np.abs(x)), lambda x: 0.5 / np.sqrt(x), 1e-8),
}


@pytest.mark.parametrize("hard", HARD)
def test_among_wrong_numbers_a_right_one_is_not_blamed(hard):
    """However little is spent on a number once others have failed: what is not clear is looked into."""
    f, slope, at = HARD[hard]
    theta = {"wrong": np.linspace(0.3, 1.7, 5), "right": np.full(2, at)}

    def judged(factor):
        return check_gradient(
            lambda t: np.sin(t["wrong"]).sum() + f(t["right"]).sum(),
            lambda t: {"wrong": 1.1 * np.cos(t["wrong"]), "right": factor * slope(t["right"])},
            theta,
        ).probes[-2:]

    assert {probe.path for probe in judged(1)} == {"['right']"}
    assert {probe.verdict for probe in judged(1)} == {"kink" if hard == "a kink" else "pass"}
    assert {probe.verdict for probe in judged(1.01 if hard != "a kink" else 4)} == {"fail"}
