"""What the source articles get wrong about Adam: each error is shown, and its correction kept."""

import numpy as np
import pytest
from support import steps_taken

from optimlib import Adam
from optimlib.optimizers.conventions import CONVENTIONS

BETA1, BETA2, RATE = 0.9, 0.999, 0.1


def without_memory(theta, g, t, arrays=1):
    """Article 1's function: means from zero in every call, corrected by the number of arrays."""
    m_hat = (1 - BETA1) * g / (1 - BETA1**arrays)
    v_hat = (1 - BETA2) * g**2 / (1 - BETA2**arrays)
    return theta - RATE * m_hat / (np.sqrt(v_hat) + 1e-8)


def without_means(theta, g, t):
    """Article 3's update: a clipped gradient, divided by the correction of a mean that is missing."""
    return theta - RATE * np.clip(g, -1, 1) / (1 - BETA2**t)


def without_gradient(theta, g, t):
    """Article 5's function: means of the parameters in place of the gradients."""
    m, v = (1 - BETA1) * theta, (1 - BETA2) * theta**2
    return theta - RATE * m / (np.sqrt(v) + 1e-6)


def path(step, target=3.0, steps=600):
    points = [0.95]
    for t in range(1, steps + 1):
        points.append(step(points[-1], points[-1] - target, t))
    return np.array(points)


def right():
    theta = np.array([0.95])
    opt = Adam(theta, RATE)

    def step(point, g, t):
        opt.step(np.array([g]))
        return theta[0]

    return step


def settles(points, target=3.0):
    return bool(np.abs(points[-50:] - target).max() < 1e-3)


def test_adam_settles():
    assert settles(path(right()))


@pytest.mark.parametrize("arrays", [1, 2, 3])
def test_means_need_a_memory(arrays):
    points = path(lambda theta, g, t: without_memory(theta, g, t, arrays))
    assert not settles(points)
    lengths = np.abs(np.diff(points))
    assert lengths == pytest.approx(lengths[0], rel=1e-4)  # it never slows down


def test_the_correction_of_a_mean_is_not_a_step():
    """Article 3: the first step is a thousand learning rates long, where Adam's is one."""
    points = path(without_means)
    assert points[1] - points[0] == pytest.approx(1000 * RATE, rel=1e-9)
    first = path(right(), steps=1)
    assert first[1] - first[0] == pytest.approx(RATE, rel=1e-6)


@pytest.mark.parametrize("target", [3.0, -2.0, 10.0])
def test_adam_needs_a_gradient(target):
    assert settles(path(right(), target), target)
    assert np.abs(path(without_gradient, target)[-50:]).max() < 1  # near zero, whatever the loss


class Uncorrected(Adam):
    """Article 5's formula: the means themselves."""

    def rule(self, g, m, v):
        m = self.beta1 * m + (1 - self.beta1) * g
        v = self.beta2 * v + (1 - self.beta2) * g**2
        return self.learning_rate * m / (np.sqrt(v) + self.eps), (m, v)


def test_without_corrections_the_first_step_is_too_long():
    """Article 5's formula with the decay rates of its code."""
    steps = {
        rule: steps_taken(rule, np.full(5000, 0.3), learning_rate=1.0) for rule in (Adam, Uncorrected)
    }
    assert steps[Adam] == pytest.approx(1.0, rel=1e-6)
    assert steps[Uncorrected][0] == pytest.approx(np.sqrt(10), rel=1e-5)
    assert (steps[Uncorrected][1:101] > steps[Uncorrected][0]).all()  # and longer for a hundred steps
    assert steps[Uncorrected].max() > 6
    assert steps[Uncorrected][-1] == pytest.approx(1.0, rel=0.01)
    tiny = steps_taken(Uncorrected, np.full(10, 1e-7), learning_rate=1.0, eps=1e-6)
    assert tiny.max() < 0.1  # far below epsilon


def test_only_far_above_epsilon_the_scale_does_not_matter():
    gradients = np.random.default_rng(0).normal(size=(30, 3))

    def steps(scale):
        return steps_taken(Adam, scale * gradients, learning_rate=1.0)

    assert steps(1000.0) == pytest.approx(steps(1.0), rel=1e-5)
    assert np.abs(steps(1e-10)).max() < 0.1 * np.abs(steps(1.0)).max()


def test_adam_does_not_clip():
    """Articles 1 and 3 take clipping for a part of Adam: a clipped spike is forgotten, Adam's is not."""
    spike = np.ones(5200)
    spike[5000] = 1000.0
    adams, clipped = (steps_taken(Adam, g, learning_rate=1.0) for g in (spike, np.clip(spike, -1, 1)))
    assert clipped == pytest.approx(1.0, rel=1e-6)
    assert adams[5000] > 3
    assert adams[5100] < 0.05


def test_epsilon_does_not_move_a_minimum():
    """Article 1 calls epsilon a regularization term; a penalty moves the minimum, epsilon does not."""

    def rests(target=1.0, **options):
        theta = np.full(1, target - 1)
        opt = Adam(theta, learning_rate=lambda n: 0.3 * 0.99**n, **options)
        for _ in range(1200):
            opt.step(theta - target)
        return theta[0]

    for eps in (1e-8, 0.1, 1.0):
        assert rests(eps=eps) == pytest.approx(1.0, abs=1e-4)
    assert rests(weight_decay=0.5) == pytest.approx(2 / 3, abs=1e-4)
    assert rests(weight_decay=0.5, target=0.0) == pytest.approx(0, abs=1e-4)  # unless it is at zero


def test_the_usual_settings_of_article_5_are_nobodys():
    """It says 0.9 for both decay rates, and 1e-6 for epsilon."""
    rows = [rows["Adam"].defaults for rows in CONVENTIONS.values() if "Adam" in rows]
    assert len(rows) > 5
    for row in rows:
        assert row["beta1"] == 0.9
        assert row["beta2"] == 0.999
        assert row["eps"] < 1e-6
