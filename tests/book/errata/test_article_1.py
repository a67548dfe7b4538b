"""What article 1 gets wrong: for each error, the wrong version fails and the right one passes."""

import numpy as np
import pytest


def noisy_check(g, rng, epsilon=1e-5):
    """Article 1's check: is the gradient close to itself with noise on top?"""
    return np.abs(g + epsilon * rng.uniform(-1, 1, g.shape) - g).max() <= epsilon


@pytest.mark.parametrize("wrong", [lambda x: 2 * x, lambda x: -2 * x, lambda x: 0 * x, lambda x: x**9])
def test_noise_on_the_gradient_lets_every_gradient_pass(wrong):
    from optimlib import check_gradient

    x = np.array([0.3, -1.2, 2.0])
    assert noisy_check(wrong(x), np.random.default_rng(0))
    assert check_gradient(lambda x: (x**2).sum(), lambda x: 2 * x, x).passed
    if wrong(1.0) != 2.0:
        assert not check_gradient(lambda x: (x**2).sum(), wrong, x).passed
