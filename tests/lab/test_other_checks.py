"""The rules of other libraries: they decide what the libraries themselves decided."""

import json

import numpy as np
import pytest
from support import GOLDEN

from optimlib.lab import other_checks
from optimlib.lab.corpus import Case, cases

RECORDED = json.loads((GOLDEN / "checks.json").read_text("utf8"))
RULES = {
    "torch": other_checks.torch_gradcheck,
    "scipy": other_checks.scipy_check_grad,
    "jax": other_checks.jax_check_grads,
    "cs231n": other_checks.cs231n_grad_check,
}


@pytest.fixture(scope="module")
def corpus() -> dict[str, Case]:
    """All cases by their names: to make them takes a while."""
    return {case.name: case for case in cases()}


@pytest.fixture(scope="module")
def quick(corpus) -> list[Case]:
    return [case for case in corpus.values() if case.kind != "large"]


def recorded(check: str, name: str) -> bool:
    return RECORDED["verdicts"][name][RECORDED["checks"].index(check)] == "+"


def test_every_case_was_recorded(corpus):
    assert list(RECORDED["verdicts"]) == list(corpus)
    assert list(RULES) == RECORDED["checks"]


PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("check", RULES)
def test_a_rule_decides_as_its_library(check, part, quick):
    rule, some = RULES[check], quick[part::PARTS]
    differing = [case.name for case in some if rule(*case[2:5]) != recorded(check, case.name)]
    assert differing == []


@pytest.mark.parametrize("check", RULES)
def test_the_recorded_decisions_are_not_all_alike(check, quick):
    """Else a rule that always said the same would pass the test above."""
    kinds = {kind: set() for kind in ("right", "wrong")}
    for case in quick:
        kinds["wrong" if case.error else "right"].add(recorded(check, case.name))
    assert kinds == {"right": {True, False}, "wrong": {True, False}}


@pytest.mark.slow  # two calls of the loss for every parameter
@pytest.mark.parametrize("check", RULES)
def test_a_rule_decides_as_its_library_with_many_parameters(check, corpus):
    for name in ("large tanh network: largest number masked", "large relu network: 0.05 % too small"):
        assert RULES[check](*corpus[name][2:5]) == recorded(check, name)


@pytest.mark.parametrize("check", RULES)
def test_nothing_of_the_users_is_changed(check):
    theta = {"W": np.ones((2, 2)), "b": np.zeros(2, np.float32), "none": np.zeros((0, 3))}
    before = {key: leaf.copy() for key, leaf in theta.items()}
    buffers = []

    def loss(t):
        return (t["W"] ** 2).sum() + t["b"].sum()

    def grad(t):
        g = {"W": 2 * t["W"], "b": np.ones(2, np.float32), "none": t["none"]}
        t["W"] += 1  # it only spoils a copy
        buffers.append(t)
        return g

    RULES[check](loss, grad, theta)
    assert buffers
    for key, leaf in before.items():
        assert np.array_equal(theta[key], leaf)
        assert theta[key].dtype == leaf.dtype


# Facts about the thresholds, worked out by hand


def linear(slope, claim):
    return (lambda x: slope * x[0], lambda x: np.array([claim]), np.array([0.5]))


@pytest.mark.parametrize(
    ("check", "accepted", "refused"),
    [  # claims for a slope of 2, of which a straight line leaves no truncation error
        ("torch", 2 * 1.001, 2 * 1.0011),  # 1e-5 + 1e-3 * 2 is 2.01e-3
        ("scipy", 2 + 0.9e-6, 2 + 1.1e-6),
        ("cs231n", 2 * (1 + 1.9e-7), 2 * (1 + 2.1e-7)),  # the sum of both in the denominator
    ],
)
def test_thresholds(check, accepted, refused):
    assert RULES[check](*linear(2.0, accepted))
    assert not RULES[check](*linear(2.0, refused))


def test_the_threshold_of_jax():
    d = 1.764052345967664  # the first normal number of seed 0, and 0.400157 the second
    edge = (1e-5 + 1e-5 * 2 * d) / d  # |claim - 2| d <= 1e-5 + 1e-5 (2 d); the factor 0.4 is laxer
    assert RULES["jax"](*linear(2.0, 2 + 0.99 * edge))
    assert not RULES["jax"](*linear(2.0, 2 + 1.01 * edge))


@pytest.mark.parametrize("check", RULES)
def test_infinity_is_close_to_nothing(check):
    """1/x one step left of x = step is infinite, and so would be a relative tolerance."""
    step = {"torch": 1e-6, "scipy": 2.0**-26, "jax": 1e-4 * 1.764052345967664, "cs231n": 1e-5}[check]
    x = np.array([-step if check == "scipy" else step])
    assert not RULES[check](lambda x: float(1 / x[0]), lambda x: -1 / x**2, x)


# Bad input


def squares(x):
    return (x**2).sum()


@pytest.mark.parametrize("check", RULES)
@pytest.mark.parametrize(
    ("grad", "theta", "error", "message"),
    [
        (lambda x: 2 * x, [1.0, 2.0], TypeError, r"theta\[0\] is a float; expected a NumPy array"),
        (lambda x: 2 * x, np.array([1, 2]), TypeError, "theta has dtype int64; expected floating point"),
        (
            lambda x: 2 * x[:1],
            np.ones(2),
            ValueError,
            r"grad\(theta\) has shape \(1,\); expec",
        ),
        (lambda x: None, np.ones(2), TypeError, r"grad\(theta\) "),
        (lambda x: {"x": 2 * x}, np.ones(2), ValueError, r"grad\(theta\) is a dict; expected"),
    ],
    ids=["list", "integers", "shape", "None", "dict"],
)
def test_what_does_not_look_like_theta_is_refused(check, grad, theta, error, message):
    with pytest.raises(error, match=f"^{message}"):
        RULES[check](squares, grad, theta)
