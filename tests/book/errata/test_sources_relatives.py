"""What a source article gets wrong about Adam's relatives: each error is shown, its correction kept."""

import numpy as np
import pytest
from support import steps_taken

from optimlib import SGD, Adam, Nadam, RAdam


@pytest.mark.parametrize("optimizer", [SGD, Adam, Nadam])
def test_parallel_computation_is_no_advantage_of_adam(optimizer):
    """Article 4 lists it as one over SGD and Nadam: all three may be split among machines."""
    gradients = np.random.default_rng(0).normal(size=(60, 6))
    together = steps_taken(optimizer, gradients, learning_rate=0.01)
    halves = [
        steps_taken(optimizer, half, learning_rate=0.01) for half in np.split(gradients, 2, axis=1)
    ]
    assert np.array_equal(together, np.concatenate(halves, axis=1))


def starts_as_descent(optimizer):
    """Whether a gradient a thousand times as large makes the first step a thousand times as long."""
    small, large = (steps_taken(optimizer, [size], learning_rate=1.0)[0] for size in (0.01, 10.0))
    return large == pytest.approx(1000 * small, rel=1e-6)


def test_adam_does_not_begin_with_gradient_descent():
    """Article 4 says that it does so in its first iterations. RAdam does."""
    assert starts_as_descent(SGD)
    assert starts_as_descent(RAdam)
    assert not starts_as_descent(Adam)
    first, second = steps_taken(RAdam, [1.0, 0.0], learning_rate=1.0)
    assert 0 < second < first  # with momentum: it goes on without a gradient
    lengths = [steps_taken(Adam, [size], learning_rate=1.0)[0] for size in (1e-8, 1e-4, 1e4)]
    assert lengths == pytest.approx([0.5, 1, 1], rel=1e-3)  # not at the size of epsilon
