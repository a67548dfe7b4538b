"""RMSProp: steps worked by hand, its six forms, and what must not happen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import close, steps_taken

from optimlib import Adam, RMSProp
from optimlib.optimizers import (
    RMSPropCentered,
    RMSPropCenteredRateInside,
    RMSPropCenteredTF,
    RMSPropRateInside,
    RMSPropTF,
)

GRADIENTS = st.floats(-1e3, 1e3).filter(lambda g: g == 0 or abs(g) > 1e-3)
PLAIN = [RMSProp, RMSPropRateInside, RMSPropTF]
CENTERED = [RMSPropCentered, RMSPropCenteredRateInside, RMSPropCenteredTF]
EVERY = PLAIN + CENTERED


@pytest.mark.parametrize("optimizer", EVERY)
def test_defaults(optimizer):
    found = optimizer(np.zeros(1))
    assert (found.learning_rate, found.rho, found.eps, found.momentum) == (0.001, 0.9, 1e-8, 0.0)
    assert found.initial_accumulator == 0.0


@pytest.mark.parametrize(
    ("optimizer", "eps", "expected"),
    [
        # rho = 3/4: v = 16/4 = 4, then 3 + 4/4 = 4
        (RMSProp, 0.0, [4 / 2, 2 / 2]),
        (RMSProp, 2.0, [4 / 4, 2 / 4]),
        (RMSPropRateInside, 2.0, [4 / 4, 2 / 4]),
        (RMSPropTF, 5.0, [4 / 3, 2 / 3]),
    ],
)
def test_rmsprop_by_hand(optimizer, eps, expected):
    close(steps_taken(optimizer, [4, 2], learning_rate=1.0, rho=0.75, eps=eps), expected)


@pytest.mark.parametrize(
    ("optimizer", "eps", "expected"),
    [
        # rho = 1/2. g = 4: v = 8, a = 2, v - a^2 = 4.
        # g = 3: v = 4 + 9/2, a = 1 + 3/2, v - a^2 = 17/2 - 25/4 = 9/4.
        (RMSPropCentered, 0.0, [4 / 2, 3 / (3 / 2)]),
        (RMSPropCentered, 0.5, [4 / 2.5, 3 / 2]),
        (RMSPropCenteredRateInside, 0.5, [4 / 2.5, 3 / 2]),
        (RMSPropCenteredTF, 4.0, [4 / 8**0.5, 3 / 2.5]),
    ],
)
def test_centered_rmsprop_by_hand(optimizer, eps, expected):
    close(steps_taken(optimizer, [4, 3], learning_rate=1.0, rho=0.5, eps=eps), expected)


@pytest.mark.parametrize("optimizer", CENTERED)
def test_a_variance_below_one_by_hand(optimizer):
    """With rho = 1/2 and g = 1: v = 1/2, a = 1/2, v - a^2 = 1/4, so the step is 2."""
    close(steps_taken(optimizer, [1], learning_rate=1.0, rho=0.5, eps=0.0), [2])


@pytest.mark.parametrize(
    ("optimizer", "eps", "expected"),
    [
        # From v = 2 with rho = 1/2, g = 4: v = 1 + 8 = 9. g = 1: v = 9/2 + 1/2 = 5.
        # Centered: a = 2, then 1 + 1/2, and v - a^2 = 5, then 5 - 9/4 = 11/4.
        (RMSProp, 0.0, [4 / 3, 1 / 5**0.5]),
        (RMSProp, 1.0, [4 / 4, 1 / (5**0.5 + 1)]),
        (RMSPropTF, 4.0, [4 / 13**0.5, 1 / 3]),
        (RMSPropCentered, 0.0, [4 / 5**0.5, 2 / 11**0.5]),
    ],
)
def test_rmsprops_initial_second_moment_by_hand(optimizer, eps, expected):
    options = {"learning_rate": 1.0, "rho": 0.5, "initial_accumulator": 2.0, "eps": eps}
    close(steps_taken(optimizer, [4, 1], **options), expected)


@pytest.mark.parametrize(
    ("momentum", "outside", "inside"),
    [
        # rho = 3/4, u = 2, 1, rates 1, 1/2. Outside b = 2, 2 or 2, 5/2; inside 2, 3/2 or 2, 2.
        (0.5, [2, 1], [2, 3 / 2]),
        (0.75, [2, 5 / 4], [2, 2]),
    ],
)
def test_rmsprops_velocity_by_hand(momentum, outside, inside):
    options = {"rho": 0.75, "eps": 0.0, "momentum": momentum, "learning_rate": lambda done: 0.5**done}
    close(steps_taken(RMSProp, [4, 2], **options), outside)
    close(steps_taken(RMSPropRateInside, [4, 2], **options), inside)
    close(steps_taken(RMSPropTF, [4, 2], **options), inside)


def test_the_velocity_of_centered_rmsprop_by_hand():
    """rho = 1/2, u = 2, 2 as above, rates 1, 1/2, mu = 1/2: b = 2, 3, or with the rate in it 2, 2."""
    options = {"rho": 0.5, "eps": 0.0, "momentum": 0.5, "learning_rate": lambda done: 0.5**done}
    close(steps_taken(RMSPropCentered, [4, 3], **options), [2, 3 / 2])
    close(steps_taken(RMSPropCenteredRateInside, [4, 3], **options), [2, 2])
    close(steps_taken(RMSPropCenteredTF, [4, 3], **options), [2, 2])


def test_the_state_by_hand():
    optimizer = RMSPropCentered(np.zeros(1), rho=0.5, momentum=0.5, eps=0.0)
    optimizer.step(np.array([4.0]))
    assert {name: array[0] for name, array in optimizer.state.items()} == {"v": 8, "a": 2, "b": 2}


@pytest.mark.parametrize("optimizer", CENTERED)
def test_a_constant_gradient_is_no_negative_variance(optimizer):
    """Rounding makes v - a^2 negative here, as the second assertion shows, and its root NaN."""
    gradients = np.full((500, 50), np.random.default_rng(0).standard_normal(50))
    steps = steps_taken(optimizer, gradients)
    assert np.isfinite(steps).all()
    v = a = np.zeros(50)
    least = 0.0
    for g in gradients:
        v, a = 0.9 * v + (1 - 0.9) * g**2, 0.9 * a + (1 - 0.9) * g
        least = min(least, (v - a**2).min())
    assert least < 0


@pytest.mark.parametrize("optimizer", PLAIN)
@given(gradients=st.lists(GRADIENTS, min_size=1, max_size=20).filter(lambda g: g[0] != 0))
@settings(derandomize=True, deadline=None)
def test_adam_without_a_first_mean_is_rmsprop_with_a_growing_rate(optimizer, gradients):
    adam = steps_taken(Adam, gradients, beta1=0.0, beta2=0.9, eps=0.0)
    rmsprop = steps_taken(
        optimizer, gradients, learning_rate=lambda done: 1e-3 * (1 - 0.9 ** (done + 1)) ** 0.5, eps=0.0
    )
    np.testing.assert_allclose(rmsprop, adam, rtol=1e-9, atol=1e-18)


@pytest.mark.parametrize(
    ("outside", "inside"),
    [(RMSProp, RMSPropRateInside), (RMSPropCentered, RMSPropCenteredRateInside)],
)
def test_velocities_with_the_rate_inside_and_outside_agree_at_a_constant_rate(outside, inside):
    gradients = np.random.default_rng(0).standard_normal(30)
    pair = [steps_taken(optimizer, gradients, momentum=0.9) for optimizer in (outside, inside)]
    np.testing.assert_allclose(*pair, rtol=1e-9)


@pytest.mark.parametrize("optimizer", EVERY)
@pytest.mark.parametrize(
    ("name", "below_one"),
    [("rho", True), ("eps", False), ("momentum", True), ("initial_accumulator", False)],
)
def test_bad_hyperparameters_are_refused(optimizer, name, below_one):
    for value in (-0.1, np.nan, 1.0 if below_one else np.inf):
        with pytest.raises(ValueError, match=rf"{name} is .*; expected 0.0 <= {name} < "):
            optimizer(np.zeros(1), **{name: value})
    with pytest.raises(TypeError, match=rf"{name} is 'x'.*; expected a number"):
        optimizer(np.zeros(1), **{name: "x"})


@pytest.mark.parametrize(
    ("keyword", "named"),
    [
        ("centered", "RMSPropCentered"),
        ("eps_inside", "RMSPropTF"),
        ("rate_in_velocity", "RMSPropRateInside"),
    ],
)
def test_a_keyword_that_has_become_a_class_is_answered_with_its_name(keyword, named):
    with pytest.raises(TypeError, match=rf"RMSProp has no {keyword}: .*{named}"):
        RMSProp(np.zeros(1), **{keyword: True})
