"""At a minimum all slopes are zero: whether a gradient is right shows close by, if the loss bends."""

import numpy as np
import pytest

from optimlib import assert_gradient, check_gradient
from optimlib.gradcheck import check_jvp, check_layer, check_value_and_grad, check_vjp
from optimlib.gradcheck.check import AGREES_CLOSE_BY, FAILS_CLOSE_BY

rng = np.random.default_rng(0)
A = rng.standard_normal((8, 3))
X = rng.standard_normal((5, 4))
SOLUTION = np.array([1.0, -2.0, 0.5])
B = A @ SOLUTION


def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def rosenbrock_grad(x):
    rest = x[1] - x[0] ** 2
    return np.array([-2 * (1 - x[0]) - 400 * x[0] * rest, 200 * rest])


MINIMA = {
    "square": (lambda x: (x**2).sum(), lambda x: 2 * x, np.zeros(3)),
    "square in float32": (lambda x: (x**2).sum(), lambda x: 2 * x, np.zeros(3, np.float32)),
    "many": (lambda x: (x**2).sum(), lambda x: 2 * x, np.zeros(200)),
    "above 5": (lambda x: ((x - 1) ** 2).sum() + 5, lambda x: 2 * (x - 1), np.ones(1)),
    "a rounding beside it": (  # where the gradient is some 1e-16, and no slope can be seen
        lambda x: ((x - 0.3) ** 2).sum() + 5,
        lambda x: 2 * (x - 0.3),
        np.array([0.1 + 0.2]),
    ),
    "fourth power": (lambda x: (x**4).sum(), lambda x: 4 * x**3, np.zeros(2)),
    "saddle": (lambda x: x[0] * x[1], lambda x: x[::-1].copy(), np.zeros(2)),
    "maximum": (lambda x: np.cos(x).sum(), lambda x: -np.sin(x), np.zeros(4)),
    "least squares": (lambda x: ((A @ x - B) ** 2).sum(), lambda x: 2 * A.T @ (A @ x - B), SOLUTION),
    "Rosenbrock": (rosenbrock, rosenbrock_grad, np.ones(2)),
    "a tree": (
        lambda t: (t["a"] ** 2).sum() + ((t["b"] - 1) ** 2).sum(),
        lambda t: {"a": 2 * t["a"], "b": 2 * (t["b"] - 1)},
        {"a": np.zeros(2), "b": np.ones((2, 2))},
    ),
}


def scaled(grad, theta, factor):
    gradient = grad(theta)
    if isinstance(gradient, dict):
        return {key: factor * leaf for key, leaf in gradient.items()}
    return np.asarray(factor * gradient, gradient.dtype)


@pytest.mark.parametrize("name", MINIMA)
def test_a_right_gradient_passes_at_a_minimum(name):
    loss, grad, theta = MINIMA[name]
    report = check_gradient(loss, grad, theta)
    assert report.verdict == "pass"
    assert report.untested == ()
    assert AGREES_CLOSE_BY in report.notes
    assert_gradient(loss, grad, theta)


@pytest.mark.parametrize("factor", [-1, 0, 2, 1.01])
@pytest.mark.parametrize("name", MINIMA)
def test_a_wrong_formula_is_not_accepted_though_its_numbers_are_right(name, factor):
    loss, grad, theta = MINIMA[name]

    def wrong(theta):
        return scaled(grad, theta, factor)

    report = check_gradient(loss, wrong, theta)
    assert report.verdict != "pass"
    assert report.verdict != "inconclusive" or FAILS_CLOSE_BY in report.notes
    with pytest.raises(AssertionError):
        assert_gradient(loss, wrong, theta)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("loss", "grad", "theta"),
    [
        (lambda x: 5.0, np.zeros_like, np.ones(3)),
        (lambda x: (np.maximum(x, 0) ** 2).sum(), lambda x: 2 * np.maximum(x, 0), -np.ones(3)),
        (lambda w: np.maximum(X @ w - 9, 0).sum(), lambda w: X.T @ (X @ w > 9), np.zeros(4)),
        (lambda x: 1e10 + 1e-6 * np.sin(x).sum(), lambda x: 1e-6 * np.cos(x), np.ones(2)),
        (lambda x: np.exp(-1 / x[0] ** 2) if x[0] else 0.0, lambda x: 0 * x, np.zeros(1)),
    ],
    ids=["constant", "dead", "dead network", "drowned", "flat to all orders"],
)
def test_a_loss_that_does_not_move_has_not_tested_anything(loss, grad, theta, sign):
    report = check_gradient(loss, lambda t: (sign * grad(t)).astype(float), theta)
    assert report.verdict == "inconclusive"
    assert report.untested == ("theta",)


def test_leaves_that_do_not_move_close_by_stay_untested():
    theta = {"w": np.zeros(2), "unused": np.ones(2)}
    report = check_gradient(
        lambda t: (t["w"] ** 2).sum(), lambda t: {"w": 2 * t["w"], "unused": np.zeros(2)}, theta
    )
    assert report.verdict == "pass"
    assert report.untested == ("theta['unused']",)


def test_a_loss_that_is_defined_at_theta_alone_stays_inconclusive():
    def loss(x):
        if x.any():
            raise RuntimeError("only at zero")
        return 0.0

    with pytest.raises(RuntimeError, match="only at zero"):  # as ever: the loss is wanted around theta
        check_gradient(loss, np.zeros_like, np.zeros(2))

    def grad(x):
        if x.any():
            raise RuntimeError("only at zero")
        return np.zeros(2)

    report = check_gradient(lambda x: (x**2).sum(), grad, np.zeros(2))
    assert report.verdict == "inconclusive"
    assert report.untested == ("theta",)


def test_bounds_and_frozen_leaves_hold_close_by():
    seen = []

    def loss(t):
        seen.append((t["a"].min(), t["b"].max()))
        return (t["a"] ** 2).sum() + ((t["b"] - 1) ** 2).sum()

    def grad(t):
        return {"a": 2 * t["a"], "b": 2 * (t["b"] - 1)}

    theta = {"a": np.zeros(2), "b": np.ones(2)}
    report = check_gradient(loss, grad, theta, bounds=(0.0, np.inf), frozen=lambda path: "b" in path)
    assert report.verdict == "pass"
    assert min(a for a, _ in seen) == 0.0
    assert {b for _, b in seen} == {1.0}


def test_all_evaluations_are_counted():
    calls = []

    def loss(x):
        calls.append(None)
        return (x**2).sum()

    assert check_gradient(loss, lambda x: 2 * x, np.zeros(3)).evaluations == len(calls)


def test_products_at_points_without_slopes():
    at = np.zeros(3)
    assert check_vjp(np.square, lambda x, dy: 2 * x * dy, at).verdict == "pass"
    assert check_vjp(np.square, lambda x, dy: -2 * x * dy, at).verdict == "inconclusive"
    assert check_layer(lambda x: (x**2, x), lambda dy, x: 2 * x * dy, at).verdict == "pass"
    assert check_layer(lambda x: (x**2, x), lambda dy, x: 3 * x * dy, at).verdict == "inconclusive"
    assert check_value_and_grad(lambda x: ((x**2).sum(), 2 * x), at).verdict == "pass"
    # A Jacobian-vector product is measured at x alone.
    report = check_jvp(np.square, lambda x, dx: 2 * x * dx, at)
    assert report.verdict == "inconclusive"
    assert FAILS_CLOSE_BY not in report.notes
