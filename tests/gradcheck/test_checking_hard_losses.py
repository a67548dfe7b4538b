"""Losses that a naive check gets wrong: coarse, kinked beside theta, oscillating, at the edge."""

import math

import numpy as np
import pytest
from support import verdict

from optimlib import check_gradient
from optimlib.differences import central, common_divisor, noise_level, one_sided_estimates
from optimlib.gradcheck.subgradients import steeper_than_all

# Coarse values


@pytest.mark.parametrize("decimals", [2, 3, 4, 6])
def test_a_loss_rounded_to_some_decimals_never_accuses_a_right_gradient(decimals):
    rng = np.random.default_rng(decimals)
    verdicts = []
    for _ in range(60):
        scale, start = rng.uniform(0.1, 5), rng.uniform(0, 3)
        verdicts.append(
            verdict(
                lambda x, s=scale: round(float(np.sin(s * x[0])), decimals),
                lambda x, s=scale: s * np.cos(s * x),
                np.array([start]),
            )
        )
    assert "fail" not in verdicts
    assert "kink" not in verdicts


def test_a_wrong_gradient_of_a_loss_with_four_decimals_fails():
    theta = np.array([0.4])
    assert verdict(lambda x: round(float(np.sin(x[0])), 4), lambda x: 2 * np.cos(x), theta) == "fail"


def test_float32_inside_a_loss_beside_a_large_constant():
    """Sums that float32 rounds to a sixteenth, and to nothing at all."""
    for constant in (1e4, 1e6):
        hidden = np.float32(constant)

        def loss(x, hidden=hidden):
            return float(hidden + np.float32(1e-3 * np.sin(x).sum()))

        assert verdict(loss, lambda x: 1e-3 * np.cos(x), np.array([0.3, 1.0])) != "fail"


def test_a_grid_is_found_whatever_the_slope():
    rng = np.random.default_rng(0)
    for _ in range(300):
        start, slope = rng.uniform(0, 3), rng.uniform(0.1, 5)
        level = noise_level(lambda t, a=start, c=slope: round(math.sin(a + c * t), 4), 2.0**-40)
        assert level > 0.99e-4 / math.sqrt(12)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0])
def test_numbers_without_a_grid_have_no_common_divisor(scale):
    rng = np.random.default_rng(0)
    for _ in range(300):
        values = 1 + scale * rng.random(9)
        assert common_divisor(values - values[0], 2.0**-52) == 0.0


def test_a_common_divisor_by_hand():
    assert common_divisor([12.0, -18.0, 30.0], 1e-12) == pytest.approx(6.0)
    assert common_divisor([0.0, 0.0], 1e-12) == 0.0
    assert common_divisor([0.35, 0.49], 1e-15) == pytest.approx(0.07)


# Kinks and oscillations


@pytest.mark.parametrize("distance", [1e-3, 1e-5, 1e-7])
def test_a_kink_beside_theta_is_no_excuse_beside_a_loss_of_order_one(distance):
    def loss(x):
        return np.abs(x).sum() + 1.0

    theta = np.array([distance])
    assert verdict(loss, np.sign, theta) == "pass"
    assert verdict(loss, lambda x: 0.5 * np.sign(x), theta) == "fail"
    assert verdict(loss, lambda x: -np.sign(x), theta) == "fail"


def test_between_two_kinks_the_slope_beyond_them_is_wrong():
    def loss(x):
        return float(abs(x[0]) + abs(x[0] - 1e-3) + abs(x[0] - 1))

    theta = np.array([5e-4])
    assert verdict(loss, lambda x: np.array([-1.0]), theta) == "pass"
    assert verdict(loss, lambda x: np.array([1.0]), theta) == "fail"


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ((1.0, 0.0, 0.0), "kink"),
        ((0.25, 0.75, 0.0), "kink"),
        ((0.0, 0.0, 0.0), "fail"),
        ((1.0, 1.0, 0.0), "fail"),
        ((0.5, 0.0, 0.0), "fail"),
        ((0.5, 0.5, 0.0), "pass"),
    ],
)
def test_two_numbers_that_tie_are_judged_together(claim, expected):
    theta = np.array([0.7, 0.7, 0.3])
    assert verdict(lambda x: x.max(), lambda x: np.array(claim), theta) == expected


@pytest.mark.parametrize(
    ("claim", "expected"),
    [((0.0, 0.0), "kink"), ((1.0, -1.0), "kink"), ((0.0, -1.0), "kink"), ((1.0, 1.0), "fail")],
)
def test_a_kink_upwards_and_one_downwards(claim, expected):
    """Along (1, -1) the loss is a straight line of slope 1, and yet (0, 0) is a right gradient."""

    def loss(x):
        return max(x[0], 0.0) - max(x[1], 0.0)

    assert verdict(loss, lambda x: np.array(claim), np.zeros(2)) == expected


def steeper(f, x, claim, seed=0):
    return steeper_than_all(
        f,
        np.array(x, float),
        np.array(claim, float),
        np.full(len(x), 1e-4),
        np.random.default_rng(seed),
        value_error=1e-16,
    )


@pytest.mark.parametrize("seed", range(5))
def test_means_of_the_gradients_beside_a_tie_are_no_steeper(seed):
    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 9))
    claim = rng.dirichlet(np.ones(k))
    assert steeper(np.max, np.full(k, 0.5), claim, seed) is None
    assert steeper(lambda x: -np.max(x), np.full(k, 0.5), -claim, seed) is None
    for wrong in (0 * claim, 1.1 * claim, -claim, np.ones(k)):
        found = steeper(np.max, np.full(k, 0.5), wrong, seed)
        assert found.is_outside
        assert not found.low <= found.claim <= found.high


def relu_network(seed: int):
    """Two layers with zero biases, and an input that is blank: every hidden unit is at its kink."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((6, 20))
    X[2] = 0
    y = rng.standard_normal((6, 3))
    theta = {
        "W1": rng.standard_normal((20, 12)) / 4,
        "b1": np.zeros(12),
        "W2": rng.standard_normal((12, 3)),
        "b2": np.zeros(3),
    }

    def forward(t):
        h = np.maximum(X @ t["W1"] + t["b1"], 0)
        return h, h @ t["W2"] + t["b2"] - y

    def loss(t):
        return (forward(t)[1] ** 2).sum() / 12

    def grad(t):
        h, residual = forward(t)
        da = (residual / 6 @ t["W2"].T) * (h > 0)
        return {
            "W1": X.T @ da,
            "b1": da.sum(axis=0),
            "W2": h.T @ residual / 6,
            "b2": residual.sum(axis=0) / 6,
        }

    return loss, grad, theta


@pytest.mark.parametrize("seed", range(6))
def test_many_units_at_their_kinks_do_not_accuse(seed):
    assert verdict(*relu_network(seed)) == "kink"


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("key", ["W1", "b1", "W2", "b2"])
@pytest.mark.parametrize("factor", [-1.0, 0.0, 1.001])
def test_many_units_at_their_kinks_do_not_excuse(seed, key, factor):
    loss, grad, theta = relu_network(seed)

    def wrong(t):
        g = grad(t)
        return g | {key: factor * g[key]}

    assert verdict(loss, wrong, theta) == "fail"


def test_wide_steps_over_many_periods_do_not_agree_by_chance():
    for theta in ([1e7, -3e7], [2.3e7], [1e5, 7e6, 4.4e7]):
        theta = np.array(theta)
        assert verdict(lambda x: np.sin(x).sum(), np.cos, theta) == "pass"
        assert verdict(lambda x: np.sin(x).sum(), lambda x: 1.01 * np.cos(x), theta) == "fail"


def test_a_ripple_on_a_smooth_loss_is_part_of_it():
    def loss(x):
        return (x**2 + 1e-9 * np.sin(1e8 * x)).sum()

    theta = np.array([0.3, 2.0])
    assert verdict(loss, lambda x: 2 * x + 0.1 * np.cos(1e8 * x), theta) == "pass"
    assert verdict(loss, lambda x: 2 * x, theta) == "fail"


def test_a_function_with_the_period_of_powers_of_two_fools_nobody():
    period = 2.0**-20

    def loss(x):
        return float(np.sin(2 * np.pi * x[0] / period))

    theta = np.array([0.25 + period / 8])
    assert verdict(loss, lambda x: 2 * np.pi / period * np.cos(2 * np.pi * x / period), theta) == "pass"
    assert verdict(loss, np.zeros_like, theta) == "fail"


def test_a_saturated_classifier_is_not_accused():
    def loss(z):
        return float(np.log(np.exp(z - z.max()).sum()) + z.max() - z[0])

    def grad(z):
        p = np.exp(z - z.max())
        p /= p.sum()
        p[0] -= 1
        return p

    theta = np.array([50.0, 0.0, -3.0])
    assert loss(theta) == 0
    assert verdict(loss, grad, theta) != "fail"
    assert verdict(loss, lambda z: grad(z) + 0.01, theta) == "fail"


def test_saturated_sums_in_float32_far_from_zero():
    rng = np.random.default_rng(0)
    w = rng.standard_normal((4, 7)).astype(np.float32)

    def softmax(x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def grad(x):
        p = softmax(x)
        return p * (w - (p * w).sum(axis=1, keepdims=True))

    for offset in (0, 100, 1000):
        x = (3 * rng.standard_normal((4, 7))).astype(np.float32) + np.float32(offset)
        assert verdict(lambda x: (softmax(x) * w).sum(), grad, x) == "pass"


def test_terms_that_cancel_do_not_make_the_slope_look_exact():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        W, dy = rng.standard_normal((5, 20)), rng.standard_normal((4, 20))

        def loss(x, W=W, dy=dy):
            return (dy * (x @ W)).sum()

        assert verdict(loss, lambda x, W=W, dy=dy: dy @ W.T, np.zeros((4, 5))) == "pass"


# The edge of the domain


def test_one_sided_estimates_are_right_and_know_their_error():
    for f, x, h, exact in [
        (np.exp, 0.0, 0.25, 1.0),
        (np.exp, 0.0, -0.25, 1.0),
        (lambda t: t**3 + 2 * t, 1.0, 0.5, 5.0),
        (np.log, 2.0, -0.5, 0.5),
    ]:
        ladder = one_sided_estimates(f, x, h)
        found = [next(ladder) for _ in range(12)]
        assert all(abs(e.value - exact) <= e.error for e in found)
        assert min(e.error for e in found) < 1e-8
        assert all(e.jump_error == e.jump == 0 for e in found)


def test_one_sided_estimates_stay_on_their_side():
    for h in (0.125, -0.125):
        points = []

        def f(x, points=points):
            points.append(float(x))
            return x**2

        ladder = one_sided_estimates(f, 1.0, h)
        for _ in range(5):
            next(ladder)
        assert all((p - 1.0) * h >= 0 for p in points)


def test_one_sided_differences_of_a_cubic_are_exact():
    """D(h) = f' + a h + b h^2 is what the two extrapolations remove."""
    e = next(one_sided_estimates(lambda t: 3 * t + 5 * t**2 - 7 * t**3, 0.0, 1.0, roundoff=0.0))
    assert e.value == pytest.approx(3.0, abs=1e-13)
    assert e.error < 1e-12


@pytest.mark.parametrize("h", [0.0, math.nan])
def test_one_sided_estimates_need_a_step(h):
    with pytest.raises(ValueError, match="expected a single number and a step that is not 0"):
        next(one_sided_estimates(np.exp, 0.0, h))


def within(low, high, loss):
    def guarded(x):
        if (x < low).any() or (x > high).any():
            raise KeyError("called out of bounds")  # which a check doesn't catch
        return loss(x)

    return guarded


@pytest.mark.parametrize("size", [3, 300])
def test_a_loss_is_never_called_outside_of_its_bounds(size):
    rng = np.random.default_rng(size)
    theta = rng.uniform(0, 1, size)
    theta[:2] = 0.0, 1.0  # two lie at the bounds, and one hardly inside
    theta[2] = 1e-9
    loss = within(0, 1, lambda x: (x**1.5 + x**2).sum())

    def grad(x):
        return 1.5 * np.sqrt(x) + 2 * x

    assert verdict(loss, grad, theta + 0.0, bounds=(0.0, 1.0)) != "fail"
    smooth = within(0, 1, lambda x: (np.exp(x) + x**3).sum())
    assert verdict(smooth, lambda x: np.exp(x) + 3 * x**2, theta, bounds=(0, 1)) == "pass"
    wrong = verdict(smooth, lambda x: np.exp(x) + 2 * x**2, theta, bounds=(0, 1))
    assert wrong == "fail"
    with pytest.raises(KeyError, match="out of bounds"):
        check_gradient(smooth, lambda x: np.exp(x) + 3 * x**2, theta)


def test_bounds_may_differ_from_place_to_place():
    theta = {"p": np.array([0.0, 1.0]), "w": np.array(-5.0)}
    low = {"p": np.zeros(2), "w": np.array(-np.inf)}
    high = {"p": np.ones(2), "w": np.array(np.inf)}

    def loss(t):
        assert 0 <= t["p"].min() <= t["p"].max() <= 1
        return (t["p"] ** 2).sum() + t["w"] ** 2

    def grad(t):
        return {"p": 2 * t["p"], "w": 2 * t["w"]}

    assert verdict(loss, grad, theta, bounds=(low, high)) == "pass"


@pytest.mark.parametrize("seed", range(6))
def test_a_sum_that_is_clipped_far_away_never_passes_with_a_wrong_sign(seed):
    """Log-odds of clipped chances: wide steps see jumps, and the loss seems to be as coarse as a table."""
    chances, w = np.array([0.08, 0.31, 0.47, 0.66, 0.93]), np.random.default_rng(seed).standard_normal(5)

    def loss(p):
        p = np.clip(p, 1e-16, 1 - 1e-16)
        return (w * np.log(p / (1 - p))).sum()

    def wrong(p):
        return w / (p * (1 - p)) * [1, -1, 1, 1, 1]

    assert verdict(loss, wrong, chances) != "pass"
    assert verdict(loss, wrong, chances, bounds=(1e-9, 1 - 1e-9)) == "fail"
    assert verdict(loss, lambda p: w / (p * (1 - p)), chances) == "pass"


def test_the_curve_of_a_report_is_made_at_the_point_that_was_checked():
    theta = np.array([1.0, 2.0])
    report = check_gradient(lambda x: (x**3).sum(), lambda x: 3 * x**2, theta)
    theta[:] = -7.0  # as a step of an optimizer would
    curve = report.curve("", (1,), steps=[2.0**-10, 2.0**-20])
    exact = [float(central(lambda x: x**3, 2.0, h)) for h in (2.0**-10, 2.0**-20)]
    np.testing.assert_allclose(curve.numeric, exact, rtol=1e-9)
    np.testing.assert_allclose(curve.difference, np.abs(12.0 - curve.numeric))
