"""Adadelta: steps worked by hand, and what its learning rate is not."""

import numpy as np
import pytest
from support import steps_taken

from optimlib import Adadelta


def test_the_defaults_are_the_papers():
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


def test_adadeltas_mean_of_its_steps_is_forgotten_as_that_of_the_gradients_is():
    """With rho = 3/4, eps = 1: g = 3/2 makes v 9/16, u 6/5, d 9/25. Then 0 leaves 3/4 of both."""
    optimizer = Adadelta(np.zeros(1), rho=0.75, eps=1.0)
    optimizer.step(np.array([1.5]))
    optimizer.step(np.array([0.0]))
    found = [optimizer.state["v"], optimizer.state["d"]]
    np.testing.assert_allclose(found, [[27 / 64], [27 / 100]], rtol=1e-14)


def test_adadeltas_learning_rate_is_a_factor_that_its_mean_does_not_see():
    gradients = np.random.default_rng(0).standard_normal(20)
    whole = steps_taken(Adadelta, gradients)
    np.testing.assert_allclose(
        steps_taken(Adadelta, gradients, learning_rate=0.25), whole / 4, rtol=1e-9
    )


@pytest.mark.parametrize(("name", "below_one"), [("rho", True), ("eps", False)])
def test_bad_hyperparameters_are_refused(name, below_one):
    for value in (-0.1, np.nan, 1.0 if below_one else np.inf):
        with pytest.raises(ValueError, match=rf"{name} is .*; expected 0.0 <= {name} < "):
            Adadelta(np.zeros(1), **{name: value})
