"""One function for loss and gradient together."""

import re

import numpy as np
import pytest
from support import unchanged

import optimlib
from optimlib import assert_value_and_grad, check_gradient, check_value_and_grad

THETA = {"w": np.array([0.3, -1.2]), "b": np.array(0.7)}


def right(t):
    residual = t["w"] * 2 + t["b"] - 1
    return (residual**2).sum(), {"w": 4 * residual, "b": 2 * residual.sum()}


def wrong(t):
    value, g = right(t)
    return value, g | {"b": -g["b"]}


def test_it_is_the_check_of_both_results():
    with unchanged(THETA):
        report = check_value_and_grad(right, THETA)
    assert report.verdict == "pass"
    assert report.probes == check_gradient(lambda t: right(t)[0], lambda t: right(t)[1], THETA).probes
    report = check_value_and_grad(wrong, THETA)
    assert report.verdict == "fail"
    assert report.hints[0].startswith("theta['b']: analytic is -1 times")


def test_options_are_handed_on():
    report = check_value_and_grad(right, THETA, coordinates=1, directions=2)
    assert len(report.probes) == 4


def test_the_assertion_accepts_what_assert_gradient_accepts():
    assert_value_and_grad(right, THETA)
    assert_value_and_grad(lambda x: (abs(x).sum(), 0.3 + x), np.zeros(2))  # a kink
    with pytest.raises(AssertionError, match="gradient check: FAIL"):
        assert_value_and_grad(wrong, THETA)
    r = np.random.default_rng(0)
    with pytest.raises(AssertionError, match="INCONCLUSIVE"):
        assert_value_and_grad(lambda x: (r.random(), x), np.ones(2))


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (
            lambda t: (t["w"] ** 2).sum(),
            TypeError,
            "f(theta) is np.float64(1.53); expected a pair: the loss",
        ),
        (lambda t: None, TypeError, "f(theta) is None; expected a pair: the loss and its gradient"),
        (lambda t: (1.0, t, "aux"), TypeError, "expected a pair: the loss and its gradient"),
        (
            lambda t: (t["w"], t),
            TypeError,
            "f(theta)[0] is array([ 0.3, -1.2]) of type ndarray; expected a",
        ),
        (lambda t: (t, 1.0), TypeError, "f(theta)[0] is {'w': "),
        (lambda t: (1.0, t["w"]), ValueError, "f(theta)[1] is a ndarray; expected a dict like theta"),
        (lambda t: (1.0, None), TypeError, "f(theta)[1] is None; expected a gradient like theta"),
        (
            lambda t: (1.0, {"w": np.ones((5, 2)), "b": 1.0}),
            ValueError,
            "f(theta)[1]['w'] has shape (5, 2)",
        ),
        (lambda t: (np.nan, t), ValueError, "f(theta)[0] is nan; expected a finite number"),
        (3.0, TypeError, "f is 3.0; expected a function of theta (f itself, not f(theta))"),
    ],
)
def test_what_is_no_pair_is_refused_by_name(f, error, message):
    with pytest.raises(error, match=re.escape(message)):
        check_value_and_grad(f, THETA)


def test_a_function_that_changes_theta_is_refused():
    def f(t):
        t["w"] *= 2
        return right(t)

    with pytest.raises(ValueError, match=re.escape("f(theta) changed theta['w']; expected a function")):
        check_value_and_grad(f, THETA)


def test_reports_speak_of_f():
    r = np.random.default_rng(0)
    report = check_value_and_grad(lambda x: (r.random(), x), np.ones(2))
    assert report.problem.startswith("f(theta)[0] is ")
    report = check_value_and_grad(lambda x: ((x**2).sum(), r.random(2)), np.ones(2))
    assert report.problem.startswith("f(theta)[1] differs between two calls")


def test_the_package_exports_both():
    assert {"check_value_and_grad", "assert_value_and_grad"} <= set(optimlib.__all__)
