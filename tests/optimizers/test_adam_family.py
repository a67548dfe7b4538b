"""Nadam, Adamax, RAdam, AdaBelief and Lion: steps worked by hand, and what sets each apart."""

from fractions import Fraction

import numpy as np
import pytest
from support import close, steps_taken

from optimlib import AdaBelief, Adam, Adamax, Lion, Nadam, RAdam
from optimlib.optimizers import AdamaxEpsInside, AdamEpsHat, NadamConstant, RAdamEpsHat
from optimlib.optimizers.nadam import growing_momentum
from optimlib.optimizers.weight_decay import L2, Decoupled

HALF = {"learning_rate": 1.0, "beta1": 0.5, "beta2": 0.75}


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (Nadam, {"learning_rate": 2e-3, "beta2": 0.999, "eps": 1e-8, "momentum_decay": 4e-3}),
        (Adamax, {"learning_rate": 2e-3, "beta2": 0.999, "eps": 1e-8}),
        (AdamaxEpsInside, {"learning_rate": 2e-3, "beta2": 0.999, "eps": 1e-8}),
        (NadamConstant, {"learning_rate": 1e-3, "beta2": 0.999, "eps": 1e-8}),
        (RAdam, {"learning_rate": 1e-3, "beta2": 0.999, "eps": 1e-8, "threshold": 4}),
        (RAdamEpsHat, {"learning_rate": 1e-3, "beta2": 0.999, "eps": 1e-8, "threshold": 4}),
        (AdaBelief, {"learning_rate": 1e-3, "beta2": 0.999, "eps": 1e-8, "eps_root": 1e-8}),
        (Lion, {"learning_rate": 1e-4, "beta2": 0.99}),
    ],
)
def test_defaults(optimizer, expected):
    found = optimizer(np.zeros(1))
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.beta1 == 0.9


# Nadam


def test_nadam_without_a_schedule_by_hand():
    """With mu = 1/2.

    g = 4: m = 2, v = 4, v_hat = 16, numerator 1/2 * 2 / (1 - 1/4) + 1/2 * 4 / (1 - 1/2) = 16/3.
    g = 2: m = 2, v = 4, v_hat = 64/7, numerator 1/2 * 2 / (7/8) + 1/2 * 2 / (3/4) = 8/7 + 4/3.
    """
    steps = steps_taken(NadamConstant, [4, 2], eps=0.0, **HALF)
    close(steps, [float(Fraction(16, 3)) / 4, float(Fraction(52, 21)) / (64 / 7) ** 0.5])


def test_nadam_with_a_schedule_that_stands_still_by_hand():
    """With psi = 0, mu = 1/4 and its products are 1/4, 1/16, 1/64.

    g = 4: numerator 1/4 * 2 / (15/16) + 3/4 * 4 / (3/4) = 8/15 + 4, over 4.
    g = 2: numerator 1/4 * 2 / (63/64) + 3/4 * 2 / (15/16) = 32/63 + 8/5.
    """
    steps = steps_taken(Nadam, [4, 2], eps=0.0, momentum_decay=0.0, **HALF)
    close(steps, [float(Fraction(68, 15)) / 4, float(Fraction(664, 315)) / (64 / 7) ** 0.5])


def test_nadam_with_a_schedule_that_grows_by_hand():
    """With the psi of the next test mu = 3/8, 7/16, 15/32, its products 3/8, 21/128, 315/4096; eps = 1.

    g = 4: numerator 7/16 * 2 / (107/128) + 5/8 * 4 / (5/8) = 112/107 + 4, over 4 + 1.
    g = 2: numerator 15/32 * 2 / (3781/4096) + 9/16 * 2 / (107/128) = 3840/3781 + 144/107.
    """
    psi = np.log(2) / -np.log(0.96)
    steps = steps_taken(Nadam, [4, 2], eps=1.0, momentum_decay=psi, **HALF)
    close(steps, [540 / 107 / 5, (3840 / 3781 + 144 / 107) / ((64 / 7) ** 0.5 + 1)])


def test_nadams_momentum_grows_from_half_of_beta1_to_beta1():
    """At psi = ln 2 / -ln 0.96 the missing half is halved in every step: 1 - 1/4, 1 - 1/8, 1 - 1/16."""
    psi = np.log(2) / -np.log(0.96)
    found = [growing_momentum(0.5, psi, t) for t in (1, 2, 3)]
    close(found, [(3 / 8, 3 / 8), (7 / 16, 21 / 128), (15 / 32, 315 / 4096)])
    assert growing_momentum(0.9, 1e4, 5) == pytest.approx((0.9, 0.9**5))


def test_nadams_product_is_that_of_all_factors_however_late():
    factors = 0.9 * (1 - 0.5 * 0.96 ** (4e-3 * np.arange(1, 2001)))
    for t in (10, 100, 2000):
        product = growing_momentum(0.9, 4e-3, t)[1]
        assert 1 - product == 1 - np.prod(factors[:t]) or product == pytest.approx(np.prod(factors[:t]))


# Adamax


def test_adamax_by_hand():
    """With eps = 0.

    g = 4: m = 2,   u = 4,              step 2 / (1/2) / 4 = 1.
    g = 0: m = 1,   u = 3,              step 1 / (3/4) / 3 = 4/9.
    g = 2: m = 3/2, u = max(9/4, 2),    step 3/2 / (7/8) / (9/4) = 16/21.
    """
    close(steps_taken(Adamax, [4, 0, 2], eps=0.0, **HALF), [1, 4 / 9, 16 / 21])


def test_adamaxs_epsilon_is_forgotten_only_inside_the_maximum():
    """With eps = 1, outside u + 1 = 5, 4; inside u = 5, 15/4."""
    close(steps_taken(Adamax, [4, 0], eps=1.0, **HALF), [4 / 5, 1 / 3])
    close(steps_taken(AdamaxEpsInside, [4, 0], eps=1.0, **HALF), [4 / 5, 16 / 45])
    # With epsilon 2: u = 6, m_hat = 4; then u = max(9/2, 2), m_hat = 1 / (3/4).
    close(steps_taken(AdamaxEpsInside, [4, 0], eps=2.0, **HALF), [4 / 6, 8 / 27])


# RAdam


@pytest.mark.parametrize(("threshold", "first"), [(4.0, 6), (5.0, 8)])
def test_radam_enters_the_second_mean_when_enough_gradients_count(threshold, first):
    """Under a constant gradient of 3 the step is 3 before that, and then the factor r alone.

    With beta2 = 3/4, rho_inf = 7 and rho_t = 7 - 2 t (3/4)^t / (1 - (3/4)^t), in exact fractions.
    """
    steps = steps_taken(RAdam, np.full(12, 3.0), eps=0.0, threshold=threshold, **HALF)
    close(steps[: first - 1], 3.0)
    for t in range(first, 13):
        power = Fraction(3, 4) ** t
        rho = 7 - 2 * t * power / (1 - power)
        assert rho > threshold
        close(steps[t - 1], float((rho - 4) * (rho - 2) * 7 / (3 * 5 * rho)) ** 0.5)


def test_radam_never_enters_it_if_beta2_forgets_too_fast():
    """With beta2 = 1/2, rho_inf = 3: there are never enough gradients in the mean."""
    steps = steps_taken(RAdam, np.full(200, 3.0), beta2=0.5, learning_rate=0.1)
    np.testing.assert_allclose(steps, 0.3, rtol=1e-12)


def test_radams_epsilon_before_and_after_the_correction():
    """In step 6, with g = 3: v = 9 c2, so the denominators are 3 + 1 and 3 root(c2) + 1."""
    c2 = 1 - 0.75**6
    bare, outside, hat = (
        steps_taken(optimizer, np.full(6, 3.0), eps=eps, **HALF)[-1]
        for optimizer, eps in ((RAdam, 0.0), (RAdam, 1.0), (RAdamEpsHat, 1.0))
    )
    close(outside / bare, 3 / 4)
    close(hat / bare, 3 * c2**0.5 / (3 * c2**0.5 + 1))


def test_radams_sixth_step_by_hand():
    """beta1 = 1/2, beta2 = 3/4, five zeros, then g = 4: m = 2, v = 4.

    m_hat = 2 / (63/64) = 128/63, v_hat = 4 / (3367/4096) = (128^2)/3367, rho = 7 - 12 * 729/3367 =
    14821/3367, r^2 = (1353/3367) (8087/3367) 7 / (3 * 5 * 14821/3367).
    """
    r = (1353 * 8087 * 7 / (15 * 14821 * 3367)) ** 0.5
    steps = steps_taken(RAdam, [0, 0, 0, 0, 0, 4], eps=0.0, **HALF)
    close(steps, [0, 0, 0, 0, 0, r * (128 / 63) / (128 / 3367**0.5)])
    steps = steps_taken(RAdam, [0, 0, 0, 0, 0, 4], eps=1.0, **HALF)
    close(steps[-1], r * (128 / 63) / (128 / 3367**0.5 + 1))
    # With epsilon hat 2 and eta = 1/2: 1/2 * r * root(c2) / c1 * m / (root(v) + 2).
    options = HALF | {"learning_rate": 0.5, "eps": 2.0}
    steps = steps_taken(RAdamEpsHat, [0, 0, 0, 0, 0, 4, 0], **options)
    close(steps[-2], 0.5 * r * 3367**0.5 / 63 * 2 / 4)
    # Step 7: m = 1, v = 3, c1 = 127/128, c2 = 14197/16384, rho = 7 - 14 * 2187/14197.
    rho = 7 - Fraction(14 * 2187, 14197)
    r = float((rho - 4) * (rho - 2) * 7 / (15 * rho)) ** 0.5
    close(steps[-1], 0.5 * r * 14197**0.5 / 127 / (3**0.5 + 2))


def test_radam_wants_more_gradients_than_the_threshold():
    """With beta2 = 3/4 there are 7 - 16 * 6561/58975 of them in step 8, to the last bit."""
    at_eight = 2 / (1 - 0.75) - 1 - 2 * 8 * 0.75**8 / (1 - 0.75**8)
    assert abs(at_eight - (7 - 16 * 6561 / 58975)) < 1e-14
    for threshold, last in ((at_eight, 3.0), (at_eight - 1e-9, None)):
        steps = steps_taken(RAdam, np.full(8, 3.0), eps=0.0, threshold=threshold, **HALF)
        assert (steps[-1] == last) == (last is not None)


def test_radam_becomes_adam():
    """Once beta2**t is nothing: after 600 steps, where beta2 is 0.9."""
    gradients = np.random.default_rng(0).standard_normal(600)
    late, early = slice(500, None), slice(20, 30)
    rectified, plain = (np.array(steps_taken(rule, gradients, beta2=0.9)) for rule in (RAdam, Adam))
    np.testing.assert_allclose(rectified[late], plain[late], rtol=1e-9)
    assert (np.abs(rectified[early]) < 0.9 * np.abs(plain[early])).all()


# AdaBelief


def test_adabelief_by_hand():
    """g = 4: m = 2, s = (4 - 2)^2 / 4 = 1, s_hat = 4, m_hat = 4: step 4/2.

    g = 2: m = 2, s = 3/4, s_hat = 12/7, m_hat = 8/3.
    """
    steps = steps_taken(AdaBelief, [4, 2], eps=0.0, eps_root=0.0, **HALF)
    close(steps, [2, 8 / 3 / (12 / 7) ** 0.5])


def test_adabeliefs_two_epsilons_by_hand():
    """eps_root = 3: s = 1 + 3 = 4, s_hat = 16; then s = 3 + 3 = 6, s_hat = 96/7. eps = 1 beside it."""
    steps = steps_taken(AdaBelief, [4, 2], eps=1.0, eps_root=3.0, **HALF)
    close(steps, [4 / 5, 8 / 3 / ((96 / 7) ** 0.5 + 1)])


def test_adabelief_takes_long_steps_where_gradients_are_as_expected():
    """Where the gradient is steady, the surprise is a tenth of it, then less: Adam sees its size."""
    steady = np.full(200, 1.0)
    assert steps_taken(AdaBelief, steady)[-1] > 2 * steps_taken(Adam, steady)[-1]


# Lion


def test_lion_by_hand():
    """g = 4: c = 2, m = 1. g = -2: c = -1/2, m = 1/4. g = 0: c = 1/8, m = 3/16. Then c = 0."""
    optimizer = Lion(np.zeros(1), **HALF)
    steps = []
    for g in (4.0, -2.0, 0.0, -3 / 16):
        before = optimizer.params.copy()
        optimizer.step(np.array([g]))
        steps.append(float((before - optimizer.params)[0]))
    assert steps == [1, -1, 1, 0]
    assert optimizer.state["m"] == 3 / 4 * 3 / 16 - 1 / 4 * 3 / 16


def test_lions_weight_decay_is_decoupled():
    """From 2, with lr = 1/4 and lambda = 1/2: the sign's 1/4, and 1/4 * 1/2 * 2."""
    close(steps_taken(Lion, [3], start=2.0, learning_rate=0.25, weight_decay=0.5), [1 / 2])


@pytest.mark.parametrize(
    ("optimizer", "l2", "decoupled"),
    [
        # From 2 with eta = 1/4 and lambda = 1/2 the decay is 1/4, and L2 makes 4 of g = 3.
        (NadamConstant, 1 / 4 * 4 / 3, 1 / 4 * 4 / 3 + 1 / 4),
        (Adamax, 1 / 4, 1 / 4 + 1 / 4),
        (RAdam, 1 / 4 * 4, 1 / 4 * 3 + 1 / 4),
        (AdaBelief, 1 / 4 * 4 / 2, 1 / 4 * 3 / (3 / 2) + 1 / 4),
    ],
)
def test_both_decays_by_hand(optimizer, l2, decoupled):
    """First steps at beta1 = 1/2: Nadam's is 4/3 of a sign, and AdaBelief's twice a sign."""
    options = {"start": 2.0, "learning_rate": 0.25, "beta1": 0.5, "beta2": 0.75, "eps": 0.0}
    options |= {"eps_root": 0.0} if optimizer is AdaBelief else {}
    close(steps_taken(optimizer, [3], weight_decay=L2(0.5), **options), l2)
    close(steps_taken(optimizer, [3], weight_decay=Decoupled(0.5), **options), decoupled)


# All of them


@pytest.mark.parametrize("optimizer", [Nadam, Adamax, RAdam, AdaBelief, Lion])
@pytest.mark.parametrize("name", ["beta1", "beta2"])
@pytest.mark.parametrize("value", [-0.1, 1.0, np.nan])
def test_a_decay_rate_outside_its_interval_is_refused(optimizer, name, value):
    with pytest.raises(ValueError, match=rf"{name} is .*; expected 0.0 <= {name} < 1.0"):
        optimizer(np.zeros(1), **{name: value})


@pytest.mark.parametrize(
    ("optimizer", "name", "value"),
    [
        (Nadam, "eps", -1e-8),
        (Nadam, "momentum_decay", -1.0),
        (Adamax, "eps", np.inf),
        (RAdam, "eps", -1e-8),
        (RAdam, "threshold", 3.9),
        (AdaBelief, "eps", np.nan),
        (AdaBelief, "eps_root", -1e-16),
        (Lion, "weight_decay", -0.1),
    ],
)
def test_other_bad_hyperparameters_are_refused(optimizer, name, value):
    with pytest.raises(ValueError, match=rf"{name} is .*; expected "):
        optimizer(np.zeros(1), **{name: value})


@pytest.mark.parametrize(
    ("optimizer", "keyword", "named"),
    [
        (Adamax, "eps_inside", "AdamaxEpsInside"),
        (RAdam, "eps_hat", "RAdamEpsHat"),
        (Nadam, "amsgrad", "AMSGrad"),
        (Lion, "decoupled", "always"),
    ],
)
def test_a_keyword_that_has_become_a_class_is_answered_with_its_name(optimizer, keyword, named):
    with pytest.raises(TypeError, match=rf"{optimizer.__name__} has no {keyword}: .*{named}"):
        optimizer(np.zeros(1), **{keyword: True})


@pytest.mark.parametrize(("radam", "adam"), [(RAdam, Adam), (RAdamEpsHat, AdamEpsHat)])
def test_radam_has_the_moments_of_adam_whichever_of_its_steps_it_takes(radam, adam):
    pair = [kind(np.zeros(1), beta1=0.5, beta2=0.75) for kind in (radam, adam)]
    for g in range(1, 10):
        for running in pair:
            running.step(np.array([float(g)]))
        assert pair[0].state == pair[1].state
