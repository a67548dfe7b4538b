"""LARS and LAMB: steps in proportion to every array, worked by hand."""

import numpy as np
import pytest
from support import steps_taken

from optimlib.optimizers import LAMB, LARS
from optimlib.optimizers.lars import norm


def test_defaults():
    lars, lamb = LARS(np.zeros(1), 0.1), LAMB(np.zeros(1))
    assert (lars.momentum, lars.trust, lars.eps) == (0.9, 1e-3, 0.0)
    assert (lamb.learning_rate, lamb.beta1, lamb.beta2, lamb.eps) == (1e-3, 0.9, 0.999, 1e-6)


def test_lars_by_hand():
    """gamma = 1/2, mu = 1/2, eta = 1, 1/2 from (3, 4).

    g = (0, 10): 1/2 * 5/10 * g = (0, 5/2), theta = (3, 3/2).
    g = (3, 4): b = (0, 5/4) + 1/2 * 1/2 * |(3, 3/2)| / 5 * g, |(3, 3/2)| = root(45/4).
    """
    theta = np.array([3.0, 4.0])
    options = {"trust": 0.5, "momentum": 0.5, "learning_rate": lambda done: 0.5**done}
    optimizer = LARS(theta, **options)
    optimizer.step(np.array([0.0, 10.0]))
    np.testing.assert_allclose(theta, [3, 3 / 2], rtol=1e-14)
    optimizer.step(np.array([3.0, 4.0]))
    factor = 1 / 4 * (45 / 4) ** 0.5 / 5
    np.testing.assert_allclose(theta, [3 - 3 * factor, 3 / 2 - 5 / 4 - 4 * factor], rtol=1e-14)


def test_larss_epsilon_and_its_l2_by_hand():
    """From (3, 4) with lambda = 1: g = (-3, 6) becomes (0, 10), over 10 + 15: 1/2 * 5/25 * 10 = 1."""
    theta = np.array([3.0, 4.0])
    LARS(theta, learning_rate=1.0, trust=0.5, eps=15.0, weight_decay=1.0).step(np.array([-3.0, 6.0]))
    np.testing.assert_allclose(theta, [3, 3], rtol=1e-14)


def test_arrays_and_gradients_of_zero_are_not_scaled():
    from_zero = steps_taken(LARS, [[2.0, 0.0]], learning_rate=0.25)
    still = steps_taken(LARS, [[0.0, 0.0]], start=1.0, learning_rate=1.0)
    np.testing.assert_array_equal([from_zero, still], [[[0.5, 0]], [[0, 0]]])
    first = steps_taken(LAMB, [[2.0, 0.0]], learning_rate=0.25, eps=0.5, beta2=0.0)
    np.testing.assert_allclose(first, [[0.25 * 2 / 2.5, 0]], rtol=1e-14)


@pytest.mark.parametrize("scale", [1e-25, 1e-40, 1e-3, 1e15])
def test_the_ratio_of_float32_is_that_of_any_size(scale):
    """|theta| = 5 and |g| = 5 scale: the step is a tenth of theta in the direction of g."""
    theta = np.array([3.0, 4.0], np.float32)
    g = np.array([-4.0, 3.0]) * scale
    LARS(theta, learning_rate=1.0, trust=0.1, momentum=0.0).step(g.astype(np.float32))
    np.testing.assert_allclose(theta, [3.4, 3.7], rtol=1e-4 if scale < 1e-38 else 1e-6)


@pytest.mark.parametrize("size", [1e-200, 5e-324, 1e-30, 1e150, 1.7e308])
def test_the_norm_of_a_number_is_its_size(size):
    assert norm(np.array([0.0, -size])) == size
    assert norm(np.zeros(3)) == norm(np.zeros(0)) == 0.0


def test_parameters_as_small_as_that_are_not_zeros():
    theta = np.array([3e-25, 4e-25], np.float32)
    LARS(theta, learning_rate=1.0, trust=0.1, momentum=0.0).step(np.array([0.0, 2.0], np.float32))
    np.testing.assert_allclose(theta, [3e-25, 3.5e-25], rtol=1e-6)


def test_every_array_has_its_own_ratio():
    params = {"W": np.full((2, 2), 2.0), "b": np.array([8.0])}
    LARS(params, learning_rate=1.0, trust=0.5, momentum=0.0).step(
        {"W": np.full((2, 2), 100.0), "b": np.array([1e-6])}
    )
    np.testing.assert_allclose(params["W"], 1.0, rtol=1e-14)  # half of it
    np.testing.assert_allclose(params["b"], 4.0, rtol=1e-14)


def test_lamb_by_hand():
    """beta1 = 1/2, beta2 = 3/4, from (3, 4), eta = 1/5: u = signs, |u| = root(2), the step 1/root(2).

    With lambda = 1 and g = (1, -1) u is (4, 3), of norm 5: the step is u/5.
    """
    options = {"learning_rate": 0.2, "beta1": 0.5, "beta2": 0.75, "eps": 0.0}
    for decay, expected in ((0.0, np.array([1, -1]) / 2**0.5), (1.0, np.array([4, 3]) / 5)):
        theta = np.array([3.0, 4.0])
        LAMB(theta, decay=decay, **options).step(np.array([1.0, -1.0]))
        np.testing.assert_allclose(theta, np.array([3, 4]) - expected, rtol=1e-14)


def test_lambs_second_step_by_hand():
    """From 1 with eta = 1/2: every step of a single number is half of it, whatever the gradients."""
    steps = steps_taken(LAMB, [3, 4, 5], start=1.0, learning_rate=0.5)
    np.testing.assert_allclose(steps, [1 / 2, 1 / 4, 1 / 8], rtol=1e-12)


@pytest.mark.parametrize("keyword", ["weight_decay", "mask"])
def test_lambs_decay_is_in_its_rule(keyword):
    with pytest.raises(TypeError, match=f"LAMB has no {keyword}: .*decay"):
        LAMB(np.zeros(1), **{keyword: 0.1})
