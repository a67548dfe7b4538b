"""Adam: hand-worked steps, properties, the paper's bounds, and what must not happen."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import steps_taken

from optimlib import Adam
from optimlib.optimizers import AdamEpsHat, AdamEpsRoot

GRADIENTS = st.floats(-1e3, 1e3).filter(lambda g: g == 0 or abs(g) > 1e-3)


def run(gradients, **hyperparameters) -> np.ndarray:
    """The steps that Adam subtracts for a sequence of gradients."""
    gradients = np.asarray(gradients, dtype=float)
    theta = np.zeros(gradients.shape[1:])
    optimizer = Adam(theta, **hyperparameters)
    positions = [theta.copy()]
    for g in gradients:
        optimizer.step(np.array(g))
        positions.append(theta.copy())
    return -np.diff(positions, axis=0)


def test_the_defaults_are_the_papers():
    adam = Adam(np.zeros(1))
    assert (adam.learning_rate, adam.beta1, adam.beta2, adam.eps) == (0.001, 0.9, 0.999, 1e-8)


def test_three_steps_worked_by_hand():
    """With beta1 = 1/2, beta2 = 3/4 and eps = 1/4.

    g = 2:  m = 1,    v = 1,    m_hat = 2,   v_hat = 4,     step = 2 / (2 + 1/4)
    g = 0:  m = 1/2,  v = 3/4,  m_hat = 2/3, v_hat = 12/7,  step = 2/3 / (sqrt(12/7) + 1/4)
    g = -1: m = -1/4, v = 13/16, m_hat = -2/7, v_hat = 52/37, step = -2/7 / (sqrt(52/37) + 1/4)
    """
    expected = [
        8 / 9,
        float(Fraction(2, 3)) / ((12 / 7) ** 0.5 + 0.25),
        -float(Fraction(2, 7)) / ((52 / 37) ** 0.5 + 0.25),
    ]
    steps = run([[2.0], [0.0], [-1.0]], learning_rate=1.0, beta1=0.5, beta2=0.75, eps=0.25)
    np.testing.assert_allclose(steps.ravel(), expected, rtol=1e-14)


def test_the_state_after_two_steps_worked_by_hand():
    adam = Adam(np.zeros(1), beta1=0.5, beta2=0.75)
    adam.step(np.array([2.0]))
    adam.step(np.array([6.0]))
    assert adam.state["m"] == float(Fraction(1, 2) * 1 + Fraction(1, 2) * 6)  # 7/2
    assert adam.state["v"] == float(Fraction(3, 4) * 1 + Fraction(1, 4) * 36)  # 39/4


@given(g=GRADIENTS.filter(bool))
@settings(derandomize=True, deadline=None)
def test_the_first_step_is_the_learning_rate_whatever_the_gradient(g):
    """Without bias correction it would be 3.16 times that."""
    step = run([[g]], learning_rate=0.01, eps=0.0)
    np.testing.assert_allclose(step, 0.01 * np.sign(g), rtol=1e-12)


def test_a_constant_gradient_moves_by_the_learning_rate_in_every_step():
    """So t counts the steps: a t that stands still or starts at 2 breaks this."""
    steps = run(np.full((50, 1), -3.0), learning_rate=0.01, eps=0.0)
    np.testing.assert_allclose(steps, -0.01, rtol=1e-12)


def test_the_state_is_kept_between_steps():
    steps = run([[1.0], [0.0]], learning_rate=1.0)
    assert steps[1, 0] > 0.5


def test_eps_is_outside_the_root():
    """At a gradient far below eps the step goes as 1 / eps; inside the root it would as its root."""
    small, large = (run([[1e-12]], learning_rate=1.0, eps=eps)[0, 0] for eps in (1e-6, 4e-6))
    assert small / large == pytest.approx(4, rel=1e-5)


@given(
    gradients=st.lists(GRADIENTS, min_size=1, max_size=8).filter(lambda g: g[0] != 0),
    exponent=st.integers(-30, 30),
)
@settings(derandomize=True, deadline=None)
def test_without_eps_the_steps_do_not_depend_on_the_gradients_scale(gradients, exponent):
    """A power of two scales every intermediate number exactly, so the steps agree bit for bit."""
    gradients = np.array(gradients)[:, None]
    np.testing.assert_array_equal(run(gradients, eps=0.0), run(gradients * 2.0**exponent, eps=0.0))


@given(
    gradients=st.lists(GRADIENTS, min_size=1, max_size=30),
    beta1=st.sampled_from([0.0, 0.5, 0.9]),
    beta2=st.sampled_from([0.9, 0.99, 0.999]),
)
@settings(derandomize=True, deadline=None)
def test_no_step_exceeds_the_bound_of_cauchy_and_schwarz(gradients, beta1, beta2):
    """Both means are weighted means, with weights a and b: the bound is the root of sum a**2 / b."""
    steps = run(np.array(gradients)[:, None], learning_rate=1.0, beta1=beta1, beta2=beta2, eps=1e-300)
    for t, step in enumerate(steps[:, 0], start=1):
        a, b = (beta ** np.arange(t) / (beta ** np.arange(t)).sum() for beta in (beta1, beta2))
        assert abs(step) <= np.sqrt((a**2 / b).sum()) * (1 + 1e-9)


def test_a_lone_gradient_after_many_zeros_moves_by_the_papers_bound():
    """Kingma and Ba, section 2.1; it isn't the longest step there is, as chapter 9 shows."""
    decays = {"beta1": 0.5, "beta2": 0.99}
    steps = run([[0.0]] * 2000 + [[1.0]], learning_rate=1.0, eps=1e-300, **decays)
    assert steps[-1, 0] == pytest.approx(0.5 / 0.01**0.5, rel=1e-8)


def test_coordinates_do_not_talk_to_each_other():
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((5, 3))
    together = run(gradients, learning_rate=0.1)
    alone = [run(gradients[:, [i]], learning_rate=0.1) for i in range(3)]
    np.testing.assert_array_equal(together, np.concatenate(alone, axis=1))


def test_rule_changes_none_of_its_arguments():
    adam = Adam(np.zeros(3))
    adam.t = 1
    arrays = [np.array([1.0, -2.0, 0.0]), np.array([0.5, 0.0, 1.0]), np.array([1.0, 2.0, 3.0])]
    before = [array.copy() for array in arrays]
    first, second = adam.rule(*arrays), adam.rule(*arrays)
    for array, was in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, was)
    np.testing.assert_array_equal(first[0], second[0])
    assert not any(np.shares_memory(new, array) for new in first[1] for array in arrays)


def test_it_finds_the_minimum_of_a_badly_scaled_bowl():
    scale = np.array([1e-4, 1.0, 1e4])
    theta = np.array([1.0, -2.0, 3.0])
    adam = Adam(theta, learning_rate=lambda finished: 0.1 / (1 + finished / 100))
    for _ in range(3000):
        adam.step(scale * theta)
    assert np.abs(theta).max() < 1e-3


@pytest.mark.parametrize("name", ["beta1", "beta2"])
@pytest.mark.parametrize("value", [-0.1, 1.0, 1.5, np.nan])
def test_a_decay_rate_outside_its_interval_is_refused(name, value):
    with pytest.raises(ValueError, match=rf"{name} is .*; expected 0.0 <= {name} < 1.0"):
        Adam(np.zeros(1), **{name: value})


@pytest.mark.parametrize("value", [-1e-8, np.inf, np.nan])
def test_an_eps_that_is_negative_or_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="eps is "):
        Adam(np.zeros(1), eps=value)


@pytest.mark.parametrize("value", ["0.9", None, 0.9j, True])
def test_a_hyperparameter_that_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match=r"beta1 is .*; expected a number"):
        Adam(np.zeros(1), beta1=value)


# Epsilon elsewhere


def test_epsilon_hat_by_hand():
    """beta1 = 1/2, beta2 = 3/4, eps = 1, g = 4: m = 2, v = 4, root(c2) / c1 = 1: 2 / (2 + 1).

    Then g = 2: m = 2, v = 4, c1 = 3/4, c2 = 7/16: root(7)/4 / (3/4) * 2 / 3.
    """
    steps = steps_taken(AdamEpsHat, [4, 2], learning_rate=1.0, beta1=0.5, beta2=0.75, eps=1.0)
    np.testing.assert_allclose(steps, [2 / 3, 7**0.5 / 3 * 2 / 3], rtol=1e-14)


def test_epsilon_hat_is_an_epsilon_that_shrinks():
    """In step t it is algorithm 1 with eps / root(1 - beta2^t)."""
    gradients = np.random.default_rng(0).standard_normal((5, 3)) * 1e-3
    hat = steps_taken(AdamEpsHat, gradients, eps=1e-3)
    for t in range(1, 6):
        plain = run(gradients[:t], eps=1e-3 / (1 - 0.999**t) ** 0.5)
        np.testing.assert_allclose(hat[t - 1], plain[-1], rtol=1e-9)


def test_the_epsilon_inside_the_root_by_hand():
    """beta1 = 1/2, beta2 = 3/4, g = 4: m_hat = 4, v_hat = 16, and 16 + 9 = 25: 4/5, or 4 / (5 + 1).

    Then g = 2: m_hat = 2 / (3/4), v_hat = 4 / (7/16) = 64/7, and 64/7 + 9 = 127/7.
    """
    options = {"learning_rate": 1.0, "beta1": 0.5, "beta2": 0.75, "eps_root": 9.0}
    bare, both = (steps_taken(AdamEpsRoot, [4, 2], eps=eps, **options) for eps in (0.0, 1.0))
    np.testing.assert_allclose(bare, [4 / 5, 8 / 3 / (127 / 7) ** 0.5], rtol=1e-14)
    np.testing.assert_allclose(both, [4 / 6, 8 / 3 / ((127 / 7) ** 0.5 + 1)], rtol=1e-14)


def test_the_epsilon_inside_the_root_does_not_hang_on_another_number_by_hand():
    """With beta1 = 0 and eps = 0: m_hat = g = 4, v_hat = 16, and 4 over the root of 16 + 9."""
    steps = steps_taken(AdamEpsRoot, [4], learning_rate=1.0, beta1=0.0, eps=0.0, eps_root=9.0)
    np.testing.assert_allclose(steps, [4 / 5], rtol=1e-14)


def test_without_a_second_epsilon_it_is_adam_bit_for_bit():
    gradients = np.random.default_rng(0).standard_normal((20, 3))
    plain, root = steps_taken(Adam, gradients), steps_taken(AdamEpsRoot, gradients, eps_root=0.0)
    np.testing.assert_array_equal(root, plain)


@pytest.mark.parametrize("value", [-1e-8, np.inf, np.nan])
def test_an_eps_root_that_is_negative_or_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="eps_root is "):
        AdamEpsRoot(np.zeros(1), eps_root=value)


@pytest.mark.parametrize(
    ("keyword", "named"),
    [
        ("amsgrad", "AMSGrad"),
        ("eps_hat", "AdamEpsHat"),
        ("eps_root", "AdamEpsRoot"),
        ("nesterov", "Nadam"),
        ("decoupled", "AdamW"),
    ],
)
def test_a_keyword_that_has_become_a_class_is_answered_with_its_name(keyword, named):
    with pytest.raises(TypeError, match=rf"Adam has no {keyword}: .*{named}"):
        Adam(np.zeros(1), **{keyword: True})
