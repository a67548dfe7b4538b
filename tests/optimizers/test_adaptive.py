"""AdaGrad, RMSProp and Adadelta: steps worked by hand, their options, and what must not happen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import close, steps_taken

from optimlib import Adadelta, AdaGrad, Adam, RMSProp

GRADIENTS = st.floats(-1e3, 1e3).filter(lambda g: g == 0 or abs(g) > 1e-3)


# AdaGrad


def test_the_defaults_of_adagrad():
    found = AdaGrad(np.zeros(1))
    assert (found.learning_rate, found.eps, found.eps_inside) == (0.01, 1e-10, False)
    assert (found.initial_accumulator, found.lr_decay) == (0.0, 0.0)


def test_adagrad_by_hand():
    """G = 9, 9 + 16 = 25, 25, 25 + 144 = 169: the steps are 3/3, 4/5, 0, -12/13."""
    close(steps_taken(AdaGrad, [3, 4, 0, -12], learning_rate=1.0, eps=0.0), [1, 4 / 5, 0, -12 / 13])


def test_where_adagrads_constants_go():
    """From a = 7 the root is 4 at g = 3: 3 / (4 + 2) outside. Inside, 7 + 9 + 9 = 25: 3/5."""
    options = {"learning_rate": 1.0, "initial_accumulator": 7.0}
    close(steps_taken(AdaGrad, [3], eps=2.0, **options), [1 / 2])
    close(steps_taken(AdaGrad, [3], eps=9.0, eps_inside=True, **options), [3 / 5])


def test_adagrads_decay_begins_with_the_second_step():
    """By hand as above, over 1, 1 + 1/2, 1 + 1, 1 + 3/2."""
    steps = steps_taken(AdaGrad, [3, 4, 0, -12], learning_rate=1.0, eps=0.0, lr_decay=0.5)
    close(steps, [1, 4 / 5 / 1.5, 0, -12 / 13 / 2.5])


def test_under_a_constant_gradient_adagrads_rate_falls_with_the_root_of_time():
    steps = steps_taken(AdaGrad, np.full(100, 5.0), learning_rate=0.1, eps=0.0)
    np.testing.assert_allclose(steps, 0.1 / np.sqrt(np.arange(1, 101)), rtol=1e-12)


# RMSProp


def test_the_defaults_of_rmsprop():
    found = RMSProp(np.zeros(1))
    assert (found.learning_rate, found.rho, found.eps, found.momentum) == (0.001, 0.9, 1e-8, 0.0)
    assert (found.eps_inside, found.centered, found.rate_in_velocity) == (False, False, False)
    assert found.slots == ("v",)


def test_rmsprop_by_hand():
    """With rho = 3/4: v = 16/4 = 4, then 3 + 4/4 = 4: the steps are 4/2 and 2/2."""
    options = {"learning_rate": 1.0, "rho": 0.75}
    close(steps_taken(RMSProp, [4, 2], eps=0.0, **options), [2, 1])
    close(steps_taken(RMSProp, [4, 2], eps=2.0, **options), [4 / 4, 2 / 4])
    close(steps_taken(RMSProp, [4, 2], eps=5.0, eps_inside=True, **options), [4 / 3, 2 / 3])


def test_centered_rmsprop_by_hand():
    """With rho = 1/2.

    g = 4: v = 8, a = 2, v - a^2 = 4, step 4/2.
    g = 3: v = 4 + 9/2, a = 1 + 3/2, v - a^2 = 17/2 - 25/4 = 9/4, step 3 / (3/2).
    """
    options = {"learning_rate": 1.0, "rho": 0.5, "centered": True}
    close(steps_taken(RMSProp, [4, 3], eps=0.0, **options), [2, 2])
    close(steps_taken(RMSProp, [4, 3], eps=0.5, **options), [4 / 2.5, 3 / 2])
    close(steps_taken(RMSProp, [4, 3], eps=4.0, eps_inside=True, **options), [4 / 8**0.5, 3 / 2.5])


def test_rmsprops_initial_mean_by_hand():
    """From v = 2 with rho = 1/2, g = 4: v = 1 + 8 = 9. g = 1: v = 9/2 + 1/2 = 5.

    Centered: a = 2, then 1 + 1/2, and v - a^2 = 5, then 5 - 9/4 = 11/4.
    """
    options = {"learning_rate": 1.0, "rho": 0.5, "initial_accumulator": 2.0}
    close(steps_taken(RMSProp, [4, 1], eps=0.0, **options), [4 / 3, 1 / 5**0.5])
    close(steps_taken(RMSProp, [4, 1], eps=1.0, **options), [4 / 4, 1 / (5**0.5 + 1)])
    close(steps_taken(RMSProp, [4, 1], eps=4.0, eps_inside=True, **options), [4 / 13**0.5, 1 / 3])
    steps = steps_taken(RMSProp, [4, 1], eps=0.0, centered=True, **options)
    close(steps, [4 / 5**0.5, 2 / 11**0.5])


def test_rmsprops_velocity_by_hand():
    """u = 2, 1 as above, rates 1, 1/2 and mu = 1/2: b = 2, 2, or with the rate in it 2, 3/2."""
    options = {"rho": 0.75, "eps": 0.0, "momentum": 0.5, "learning_rate": lambda done: 0.5**done}
    close(steps_taken(RMSProp, [4, 2], **options), [2, 1])
    close(steps_taken(RMSProp, [4, 2], rate_in_velocity=True, **options), [2, 3 / 2])


def test_the_state_is_what_the_options_need():
    optimizer = RMSProp(np.zeros(1), rho=0.5, centered=True, momentum=0.5, eps=0.0)
    optimizer.step(np.array([4.0]))
    assert {name: array[0] for name, array in optimizer.state.items()} == {"v": 8, "a": 2, "b": 2}


def test_a_constant_gradient_is_no_negative_variance():
    """Rounding makes v - a^2 negative here, as the second assertion shows, and its root NaN."""
    gradients = np.full((3000, 50), np.random.default_rng(0).standard_normal(50))
    steps = steps_taken(RMSProp, gradients, centered=True)
    assert np.isfinite(steps).all()
    v = a = np.zeros(50)
    least = 0.0
    for g in gradients:
        v, a = 0.9 * v + (1 - 0.9) * g**2, 0.9 * a + (1 - 0.9) * g
        least = min(least, (v - a**2).min())
    assert least < 0


@given(gradients=st.lists(GRADIENTS, min_size=1, max_size=20).filter(lambda g: g[0] != 0))
@settings(derandomize=True, deadline=None)
def test_adam_without_a_first_mean_is_rmsprop_with_a_growing_rate(gradients):
    adam = steps_taken(Adam, gradients, beta1=0.0, beta2=0.9, eps=0.0)
    rmsprop = steps_taken(
        RMSProp, gradients, learning_rate=lambda done: 1e-3 * (1 - 0.9 ** (done + 1)) ** 0.5, eps=0.0
    )
    np.testing.assert_allclose(rmsprop, adam, rtol=1e-9, atol=1e-18)


def test_velocities_with_the_rate_inside_and_outside_agree_at_a_constant_rate():
    gradients = np.random.default_rng(0).standard_normal(30)
    outside = steps_taken(RMSProp, gradients, momentum=0.9)
    inside = steps_taken(RMSProp, gradients, momentum=0.9, rate_in_velocity=True)
    np.testing.assert_allclose(inside, outside, rtol=1e-9)


# Adadelta


def test_the_defaults_of_adadelta_are_the_papers():
    found = Adadelta(np.zeros(1))
    assert (found.learning_rate, found.rho, found.eps) == (1.0, 0.95, 1e-6)


def test_adadelta_by_hand():
    """With rho = 3/4 and eps = 1, twice g = 3/2.

    v = 9/16, root of v + 1 is 5/4, u = 1 / (5/4) * 3/2 = 6/5, d = 36/25 / 4 = 9/25.
    v = 27/64 + 9/16 = 63/64, u = root of (34/25) / (127/64) times 3/2.
    """
    theta = np.zeros(1)
    optimizer = Adadelta(theta, rho=0.75, eps=1.0)
    optimizer.step(np.array([1.5]))
    np.testing.assert_allclose(theta, -6 / 5, rtol=1e-15)
    np.testing.assert_allclose(
        [optimizer.state["v"], optimizer.state["d"]], [[9 / 16], [9 / 25]], rtol=1e-15
    )
    optimizer.step(np.array([1.5]))
    np.testing.assert_allclose(theta, -6 / 5 - 1.5 * (34 / 25 * 64 / 127) ** 0.5, rtol=1e-15)
    np.testing.assert_allclose(optimizer.state["v"], 63 / 64, rtol=1e-15)


def test_adadeltas_learning_rate_is_a_factor_that_its_mean_does_not_see():
    gradients = np.random.default_rng(0).standard_normal(20)
    whole = steps_taken(Adadelta, gradients)
    np.testing.assert_allclose(
        steps_taken(Adadelta, gradients, learning_rate=0.25), whole / 4, rtol=1e-9
    )


# All three


@pytest.mark.parametrize(
    ("optimizer", "name", "below_one"),
    [
        (AdaGrad, "eps", False),
        (AdaGrad, "initial_accumulator", False),
        (AdaGrad, "lr_decay", False),
        (RMSProp, "rho", True),
        (RMSProp, "eps", False),
        (RMSProp, "momentum", True),
        (RMSProp, "initial_accumulator", False),
        (Adadelta, "rho", True),
        (Adadelta, "eps", False),
    ],
)
def test_bad_hyperparameters_are_refused(optimizer, name, below_one):
    for value in (-0.1, np.nan, 1.0 if below_one else np.inf):
        with pytest.raises(ValueError, match=rf"{name} is .*; expected 0.0 <= {name} < "):
            optimizer(np.zeros(1), **{name: value})
    with pytest.raises(TypeError, match=rf"{name} is 'x'.*; expected a number"):
        optimizer(np.zeros(1), **{name: "x"})
