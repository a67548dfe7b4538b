"""What the source articles get wrong about clipping: each error is shown, and its correction kept.

A wrong version is written here in our own words, as the chapter on clipping has it; the right one is
optimlib's.
"""

import numpy as np
import pytest
from support import steps_taken

from optimlib import SGD, Adam
from optimlib.clipping import clip_by_value


def step_of(optimizer, gradients, **settings):
    """How far the last of some gradients leads, with a learning rate of 1."""
    return steps_taken(optimizer, gradients, learning_rate=1.0, **settings)[-1]


def adam_as_clipping(g, t, threshold=1.0, beta2=0.999):
    """Article 3's update: the gradient, clipped by value and divided by its correction; no `v`."""
    return clip_by_value(g, threshold) / (1 - beta2**t)


def adapts(step):
    """Whether a tiny gradient and a usual one lead equally far, as Adam's do."""
    small, usual = step(1e-3), step(0.5)
    return abs(small / usual - 1) < 0.01


def test_adam_does_not_consist_of_clipping():
    assert adapts(lambda size: step_of(Adam, [np.array([size])])[0])
    assert not adapts(lambda size: adam_as_clipping(np.array([size]), t=1)[0])
    assert not adapts(lambda size: step_of(SGD, [np.array([size])], clip_value=1.0)[0])
    momentum = {"momentum": 0.9, "clip_value": 1.0}
    assert adapts(lambda size: step_of(Adam, [np.array([size])] * 50)[0])
    assert not adapts(lambda size: step_of(SGD, [np.array([size])] * 50, **momentum)[0])
    assert not adapts(lambda size: step_of(Adam, [np.ones(1), np.array([size])])[0])  # if not steady
    assert step_of(Adam, [np.full(1, 1e-9)])[0] < 0.1  # nor near epsilon


def test_adam_remembers_a_spike_that_clipping_would_have_cut():
    gradients = [np.ones(1)] * 3000 + [np.full(1, 1000.0)] + [np.ones(1)] * 200
    assert step_of(Adam, gradients)[0] < 0.1
    assert step_of(Adam, gradients, clip_value=1.0)[0] == pytest.approx(1, rel=1e-6)
    assert step_of(Adam, gradients, clip_norm=10.0)[0] > 0.9


def test_epsilon_as_a_threshold_leaves_half_a_sign():
    """With one epsilon as the floor of Adam and as the ceiling of clipping."""
    g = np.array([0.001, -7.0, 300.0])
    np.testing.assert_allclose(step_of(Adam, [g], clip_value=1e-8, eps=1e-8), 0.5 * np.sign(g))
    np.testing.assert_allclose(step_of(Adam, [g], eps=1e-8), np.sign(g), rtol=1e-4)
    m, v, eps = 0.1 * 1e-8, 0.001 * 1e-8**2, 1e-8  # TensorFlow 1 corrects the rate, and not the root
    step = (0.001**0.5 / 0.1) * m / (v**0.5 + eps)
    assert step == pytest.approx(0.03, rel=0.03)


def velocity(size, **settings):
    """The longest step that momentum takes after many gradients of one size."""
    return abs(step_of(SGD, [np.array([size])] * 300, momentum=0.9, **settings)[0])


def test_momentum_bounds_its_velocity_only_behind_a_clip():
    """Article 1 says that a momentum vector clips."""
    assert velocity(1000.0) == pytest.approx(10_000, rel=1e-9)
    assert velocity(1000.0, clip_norm=1.0) == pytest.approx(10, rel=1e-9)
    assert velocity(0.5, clip_norm=1.0) == pytest.approx(velocity(0.5), rel=1e-12)
