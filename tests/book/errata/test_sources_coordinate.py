"""The articles' errors about AdaGrad, RMSProp and epsilon: wrong versions fail, the right ones pass.

A wrong version is written here in our own words, as the chapter on a step size for every coordinate
has it; the right one is optimlib's.
"""

import numpy as np
import pytest

from optimlib import AdaGrad, RMSProp


def without_accumulation(theta, g, state):
    return theta - state["rate"] * g / np.sqrt((g * g).sum() + 1e-6)


def coordinates_without_accumulation(theta, g, state):
    return theta - state["rate"] * g / np.sqrt(g * g + 1e-6)


def decay_inside_the_root(theta, g, state):
    old = state.get("R", np.zeros_like(g))
    state["R"] = 0.9 * old + 0.1 * g**2
    return theta - state["rate"] * g / np.sqrt(0.9 * old + 1e-6)


def decay_inside_after_the_newest(theta, g, state):
    state["R"] = 0.9 * state.get("R", np.zeros_like(g)) + 0.1 * g**2
    return theta - state["rate"] * g / np.sqrt(0.9 * state["R"] + 1e-30)


def epsilon_as_threshold(theta, g, state):
    return theta - state["rate"] * np.clip(g, -1e-8, 1e-8)


def parameter_in_place_of_the_gradient(theta, g, state):
    G = theta**2
    return theta - state["rate"] * G / np.sqrt(G + 1e-6)


def parameter_averaged_in_every_call(theta, g, state):
    V = 0.1 * theta**2
    return theta - state["rate"] * theta / np.sqrt(V + 1e-6)


def by(optimizer, **options):
    """An update like those above, made of one of optimlib's optimizers."""

    def update(theta, g, state):
        if "optimizer" not in state:
            state["theta"] = theta.copy()
            state["optimizer"] = optimizer(state["theta"], state["rate"], **options)
        state["optimizer"].step(g)
        return state["theta"].copy()

    return update


def path(update, gradients, start=0.0, rate=1.0):
    """The points from `start` on; `gradients` is a function of the parameters, or a list of arrays."""
    theta, state = np.full(2, start), {"rate": rate}
    points = [theta]
    for t in range(400 if callable(gradients) else len(gradients)):
        g = gradients(theta) if callable(gradients) else gradients[t]
        theta = update(theta, g, state)
        points.append(theta)
    return np.array(points)


def settles(update, rate):
    """Whether the last steps on a bowl are far shorter than the learning rate."""
    points = path(update, lambda theta: theta - 3.0, start=0.95, rate=rate)
    return np.abs(np.diff(points[-3:], axis=0)).max() < 0.01 * rate


@pytest.mark.parametrize("wrong", [without_accumulation, coordinates_without_accumulation])
def test_adagrad_without_accumulation(wrong):
    assert not settles(wrong, 0.1)
    assert settles(by(AdaGrad), 1.0)


def test_without_accumulation_only_rates_below_twice_the_root_of_epsilon_settle():
    def late(rate):
        theta, state = np.array([2.9]), {"rate": rate}
        for _ in range(20_000):
            theta = without_accumulation(theta, theta - 3.0, state)
        return abs(theta[0] - 3.0)

    limit = 2 * np.sqrt(1e-6)
    assert late(0.95 * limit) < 1e-9 < 1e-4 < late(1.05 * limit)


def rare_step_over_common(update):
    """The step of a coordinate that is seen once, after another has been seen a hundred times."""
    gradients = [np.array([1.0, 0.0])] * 99 + [np.array([1.0, 1.0])]
    common, rare = np.abs(np.diff(path(update, gradients)[-2:], axis=0)[0])
    return rare / common


def test_adagrad_without_accumulation_treats_rare_and_common_alike():
    assert rare_step_over_common(without_accumulation) == pytest.approx(1)
    assert rare_step_over_common(by(AdaGrad)) == pytest.approx(10)  # the root of a hundred


def test_rmsprop_with_its_decay_inside_the_root():
    gradients = [np.full(2, 0.01)] * 100 + [np.ones(2)]

    def longest(update):
        return np.abs(np.diff(path(update, gradients), axis=0)).max()

    bound = 1 / np.sqrt(1 - 0.9)
    assert longest(decay_inside_the_root) > 10 * bound
    assert longest(by(RMSProp, rho=0.9)) <= bound * (1 + 1e-9)


def test_rmsprop_with_its_decay_inside_the_root_is_rescaled_if_the_newest_is_in():
    gradients = [np.full(2, g) for g in (0.3, -2.0, 0.01, 1.0, 1.0, 50.0)]
    wrong = np.diff(path(decay_inside_after_the_newest, gradients), axis=0)
    right = np.diff(path(by(RMSProp, rho=0.9, eps=0.0), gradients), axis=0)
    np.testing.assert_allclose(wrong, right / np.sqrt(0.9), rtol=1e-9)
    tiny = [np.full(2, 1e-18)] * 3  # the mean is far below the epsilon of the function above
    steps = np.diff(path(decay_inside_after_the_newest, tiny), axis=0)
    np.testing.assert_allclose(steps, -1e-18 / 1e-15, rtol=1e-5)


def test_epsilon_as_a_threshold():
    ones = [np.ones(2)] * 300
    assert np.abs(path(epsilon_as_threshold, ones, rate=0.1)[-1]).max() < 1e-6
    assert np.abs(path(by(RMSProp, eps=1e-8), ones, rate=0.1)[-1]).min() > 1


@pytest.mark.parametrize(
    ("wrong", "right"),
    [(parameter_in_place_of_the_gradient, AdaGrad), (parameter_averaged_in_every_call, RMSProp)],
)
def test_a_function_that_never_sees_a_gradient(wrong, right):
    def ends(update):
        up, down = [
            path(update, [np.full(2, sign)] * 5, start=1.0, rate=0.1)[-1] for sign in (1.0, -1.0)
        ]
        return up, down

    np.testing.assert_array_equal(*ends(wrong))
    up, down = ends(by(right))
    assert (up < down).all()
