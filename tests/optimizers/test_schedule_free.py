"""Schedule-free methods beside their three sequences, written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimlib.optimizers import ScheduleFreeAdamW, ScheduleFreeSGD
from optimlib.schedules import constant, warmup


def sequences(gradients, rates, beta, start=2.0, decay=0.0, size=lambda g: 1.0):
    """The paper's x, y and z after every step, `size` being what a gradient is divided by."""
    x = y = z = start
    weight, rows = 0.0, []
    for g, rate in zip(gradients, rates, strict=True):
        z = z - rate * (g / size(g) + decay * y)
        weight += rate**2
        c = rate**2 / weight
        x = (1 - c) * x + c * z
        y = (1 - beta) * z + beta * x
        rows.append((x, y, z))
    return rows


def run(optimizer, gradients, **options):
    theta = np.array([2.0])
    running = optimizer(theta, **options)
    rows = []
    for g in gradients:
        running.step(np.array([float(g)]))
        rows.append((float(running.averaged()[0]), float(theta[0]), float(running.state["z"][0])))
    return rows


def test_two_steps_by_hand():
    """From 2 with eta = 1/2, beta = 1/2.

    g = 4: z = 0, c = 1, x = 0, y = 0. g = -2: z = 1, c = 1/2, x = 1/2, y = 3/4.
    """
    found = run(ScheduleFreeSGD, [4, -2], learning_rate=0.5, beta1=0.5)
    assert found == [(0, 0, 0), (1 / 2, 3 / 4, 1)]


def test_the_first_step_of_a_rise_counts_little_by_hand():
    """Rates 1/2 and 1 are weighed 1/4 and 1: g = 4: z = 0. g = -2: z = 2, c = 4/5, x = 8/5, y = 9/5."""
    rise = warmup(constant(1.0), 1, start=0.5)
    found = run(ScheduleFreeSGD, [4, -2], learning_rate=rise, beta1=0.5)
    np.testing.assert_allclose(found, [(0, 0, 0), (8 / 5, 9 / 5, 2)], atol=1e-15)


@given(
    gradients=st.lists(st.floats(-10, 10), min_size=1, max_size=20),
    beta=st.floats(0.05, 0.95),
    rises=st.booleans(),
)
@settings(derandomize=True, deadline=None)
def test_descent_beside_its_three_sequences(gradients, beta, rises):
    schedule = warmup(constant(0.3), 5, start=0.1) if rises else constant(0.3)
    rates = [schedule(done) for done in range(len(gradients))]
    found = run(ScheduleFreeSGD, gradients, learning_rate=schedule, beta1=beta)
    expected = sequences(gradients, rates, beta)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("decay", [0.0, 0.25])
def test_adamw_beside_its_three_sequences(decay):
    """beta2 = 0 divides by the gradient's absolute value plus epsilon alone."""
    gradients = np.random.default_rng(0).standard_normal(20)
    options = {"learning_rate": 0.1, "beta1": 0.8, "beta2": 0.0, "eps": 0.5, "decay": decay}
    expected = sequences(gradients, [0.1] * 20, 0.8, decay=decay, size=lambda g: abs(g) + 0.5)
    np.testing.assert_allclose(run(ScheduleFreeAdamW, gradients, **options), expected, rtol=1e-12)


def test_adamws_second_moment_by_hand():
    """beta2 = 3/4, g = 4, 2: v = 4, 4, corrected 16, 64/7: z = 2 - 4/4 = 1, then 1 - 2 root(7)/8."""
    found = run(ScheduleFreeAdamW, [4, 2], learning_rate=1.0, beta2=0.75, eps=0.0)
    np.testing.assert_allclose([z for _, _, z in found], [1, 1 - 7**0.5 / 4], rtol=1e-14)


def test_a_rate_of_zero_is_no_step():
    found = run(ScheduleFreeSGD, [4, 4], learning_rate=lambda done: float(done), beta1=0.5)
    assert found == [(2, 2, 2), (-2, -2, -2)]


def test_the_average_of_a_noisy_run_is_nearer_than_its_iterates():
    """No schedule: f = theta^2 / 2 with noise of 1 in every gradient."""
    rng = np.random.default_rng(0)
    theta = np.full(100, 5.0)
    optimizer = ScheduleFreeSGD(theta, learning_rate=0.5)
    for _ in range(500):
        optimizer.step(theta + rng.standard_normal(100))
    x, z = optimizer.averaged(), optimizer.state["z"]
    assert np.linalg.norm(x) < np.linalg.norm(z) / 3


def test_the_average_is_a_tree_of_new_arrays():
    params = {"W": np.ones((2, 2), np.float32), "b": [np.ones(3)]}
    optimizer = ScheduleFreeSGD(params, learning_rate=0.5)
    average = optimizer.averaged()
    assert (average["W"].dtype, average["W"].shape, average["b"][0].shape) == (np.float32, (2, 2), (3,))
    average["W"][:] = 7
    assert (params["W"] == 1).all()


@pytest.mark.parametrize("optimizer", [ScheduleFreeSGD, ScheduleFreeAdamW])
@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, np.nan])
def test_without_a_mean_to_look_towards_there_is_none_to_return(optimizer, value):
    with pytest.raises(ValueError, match=r"beta1 is .*; expected 0.0 <=? beta1 < 1.0"):
        optimizer(np.zeros(1), beta1=value)


@pytest.mark.parametrize("keyword", ["weight_decay", "mask"])
def test_adamws_decay_is_in_its_rule(keyword):
    with pytest.raises(TypeError, match=f"ScheduleFreeAdamW has no {keyword}: .*decay"):
        ScheduleFreeAdamW(np.zeros(1), **{keyword: 0.1})
