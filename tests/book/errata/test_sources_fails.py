"""What the sources say of Adam's stability: each claim is shown failing, and what is right is kept."""

import numpy as np
import pytest
from support import spread_at_the_end

from optimlib import SGD, Adam, AMSGrad

SHORT = {"beta1": 0.0, "beta2": 0.1}


def end_of_the_run(optimizer, **options):
    """Articles 3 and 4 call Adam stable: where 3, -1, -1 lead; -1 is the better end, 1 the worst."""
    theta = np.zeros(1)
    opt = optimizer(theta, lambda done: 0.5 / np.sqrt(done + 1), **options)
    for t in range(1500):
        opt.step(np.array([3.0 if t % 3 == 0 else -1.0]))
        np.clip(theta, -1, 1, out=theta)
    return theta[0]


def spread(rate, steps=1500):
    """Article 1 names decay and Adam as ways to adjust the rate: how far Adam is from the minimum."""
    return spread_at_the_end(rate, steps, 500)


def test_adam_is_not_stable_on_every_convex_problem():
    assert end_of_the_run(SGD) < -0.9
    assert end_of_the_run(AMSGrad, **SHORT) < -0.9
    assert end_of_the_run(Adam, beta1=0.0, beta2=0.9) < -0.9
    assert end_of_the_run(Adam, **SHORT) > 0.9


def test_adam_does_not_lower_its_learning_rate():
    constant, early = spread(0.02), spread(0.02, steps=750)
    assert constant == pytest.approx(early, rel=0.15)  # no nearer after twice as many steps
    assert constant == pytest.approx((0.02 / 2) ** 0.5, rel=0.1)
    assert spread(lambda done: 0.02 * (1 - done / 1500)) < 0.5 * constant
