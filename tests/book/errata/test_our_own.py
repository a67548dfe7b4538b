"""What earlier versions of this book said wrongly: the old sentence fails, and the new one holds."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
import yaml
from notebook_rules import ROOT
from support import steps_taken

from optimlib import SGD, AdaGrad, Adam, check_gradient, nn
from optimlib.gradcheck import check_vjp
from optimlib.lab.datasets import digits
from optimlib.optimizers import Nadam, NadamConstant
from optimlib.schedules import inverse_time_decay

BOOK = ROOT / "book"


def chapter(name):
    return (BOOK / "text" / f"{name}.md").read_text(encoding="utf8")


def words_of_box(name):
    boxes = yaml.safe_load((BOOK / "errata.yml").read_text(encoding="utf8"))["boxes"]
    return next(box["words"] for box in boxes if box["name"] == name)


# Gradient checking


def test_slopes_of_zero_are_tested_by_other_claims_and_close_by():
    """An old sentence of the ledger: a leaf whose slopes are zero is reported as not tested."""
    zero, one = np.zeros(3), np.ones(3)
    assert check_gradient(lambda x: 5.0, np.zeros_like, zero).untested == ("theta",)
    assert check_gradient(lambda x: 5.0, np.ones_like, zero).verdict == "fail"  # unless more is claimed
    report = check_gradient(lambda x: (x**2).sum(), lambda x: 2 * x, zero)  # or the loss bends
    assert (report.verdict, report.untested) == ("pass", ())
    theta = {"a": zero, "b": one}  # beside a leaf with slopes, the other is not looked at close by
    report = check_gradient(
        lambda t: (t["a"] ** 2).sum() + (t["b"] ** 2).sum(), lambda t: {k: 2 * t[k] for k in t}, theta
    )
    assert (report.verdict, report.untested) == ("pass", ("theta['a']",))


def test_a_wave_of_large_numbers_in_float32_is_not_accused():
    """An old sentence of the ledger: of the sine of numbers around 300, some right ones fail."""

    def verdicts(size, factor=1.0):
        for seed in range(20):
            x = size * np.random.default_rng(seed).standard_normal((4, 3))
            yield check_vjp(
                lambda x: np.sin(np.float32(x)), lambda x, dy: factor * np.cos(x) * dy, x
            ).verdict

    assert set(verdicts(1.0)) == {"pass"}
    for size in (100.0, 300.0):
        assert set(verdicts(size)) <= {"pass", "inconclusive"}
        assert Counter(verdicts(size))["pass"] > 15  # of 20
        assert set(verdicts(size, factor=1.1)) == {"fail"}


def test_a_solver_that_stops_early_needs_its_accuracy_stated():
    """What is left of the old error: where it is gone, the ledger has to be changed."""

    def roots(A, theta, stop):
        """The z with z = tanh(A z + theta), iterated until it moves by `stop`."""
        z, moved = np.zeros(4), 1.0
        while moved > stop:
            new = np.tanh(A @ z + theta)
            moved, z = np.abs(new - z).max(), new
        return z

    def verdicts(stop, **options):
        for seed in range(6):
            rng = np.random.default_rng(seed)
            A, theta = rng.standard_normal((4, 4)), rng.standard_normal(4)
            A *= 0.5 / np.linalg.norm(A, 2)

            def loss(theta, A=A):
                return (roots(A, theta, stop) ** 2).sum()

            def grad(theta, A=A):
                z = roots(A, theta, 1e-15)
                slope = np.diag(1 - z**2)
                return 2 * np.linalg.solve(np.eye(4) - slope @ A, slope).T @ z

            yield check_gradient(loss, grad, theta, **options).verdict

    assert set(verdicts(1e-9)) <= {"pass", "inconclusive"}
    assert "fail" in set(verdicts(1e-6))
    assert set(verdicts(1e-6, accuracy=1e-6)) <= {"pass", "inconclusive"}


def test_narrow_bumps_far_from_zero_are_not_accused():
    """An old sentence of the ledger: right gradients of such bumps pass. They were a second wide."""

    def verdicts(width):
        for size, seed in product((1, 3, 40), range(16)):
            shifts = np.random.default_rng(seed).uniform(-2, 2, (2, size))
            centers, theta = 1.7e9 + width * shifts

            def bumps(t, centers=centers):
                return np.exp(-(((t - centers) / width) ** 2))

            def grad(t, centers=centers):
                return -2 * (t - centers) / width**2 * np.exp(-(((t - centers) / width) ** 2))

            yield check_gradient(lambda t, bumps=bumps: bumps(t).sum(), grad, theta).verdict

    wide, narrow = (Counter(verdicts(width)) for width in (1.0, 0.1))
    assert wide["fail"] == narrow["fail"] == 0
    assert wide["pass"] > 44  # of 48
    assert narrow["pass"] > 38


@pytest.mark.parametrize("shares", [(2.0, -1.0, 0.0, 0.0), (1.5, -0.5, 0.0, 0.0), (0.6, 0.6, -0.2, 0.0)])
def test_a_sum_of_one_is_not_enough_at_a_tie(shares):
    """An old sentence of the ledger: shares of a tie that add up to one are accepted."""
    assert sum(shares) == pytest.approx(1)
    assert check_gradient(np.max, lambda x: np.array(shares), np.ones(4)).verdict == "fail"
    between = np.array([0.6, 0.3, 0.1, 0.0])
    assert check_gradient(np.max, lambda x: between, np.ones(4)).verdict == "kink"


def test_a_tie_of_huge_numbers_excuses_no_wrong_gradients():
    """An old sentence of the ledger: at a billion and beyond, wrong claims can be excused."""

    def verdict(size, claim):
        return check_gradient(np.max, lambda x: claim, np.full(4, size)).verdict

    for size in (1.0, 1e4, 1e8, 1.7e9, 1e12):
        for wrong in (np.zeros(4), np.ones(4), np.full(4, 0.275)):
            assert verdict(size, wrong) == "fail"
        assert verdict(size, np.full(4, 0.25)) == "kink"


def test_larger_errors_are_seen_and_smaller_ones_are_not():
    """The old sentence: an error of *less* than a ten-millionth would have been seen."""
    rng = np.random.default_rng(0)
    theta, error = rng.standard_normal((2, 300))

    def passes(part, constant=0.0):
        off = part * np.linalg.norm(3 * theta**2) * error / np.linalg.norm(error)
        return check_gradient(lambda x: (x**3).sum() + constant, lambda x: 3 * x**2 + off, theta).passed

    assert not passes(1e-5)
    assert passes(1e-10)
    assert passes(1e-12)
    assert passes(1e-5, constant=1e9)  # whose digits are used up by the constant


def test_a_sum_of_outputs_shows_some_wrong_backward_passes_of_a_softmax():
    """The old sentence: with dy = 1 a softmax returns zero whether its backward pass is right or not."""
    y = np.exp([0.3, -1.0, 2.0, 0.5])
    y /= y.sum()
    ones, v = np.ones(4), np.array([0.3, -1.2, 0.4, 2.0])

    def right(dy):
        return y * (dy - dy @ y)

    def sign_slip(dy):
        return y * (dy @ y - dy)

    def diagonal_only(dy):
        return y * (1 - y) * dy

    assert np.abs(right(ones)).max() < 1e-15
    assert np.abs(sign_slip(ones)).max() < 1e-15  # hidden
    assert np.abs(diagonal_only(ones)).max() > 0.1  # seen
    for wrong in (sign_slip, diagonal_only):
        assert np.abs(wrong(v) - right(v)).max() > 0.1


@pytest.mark.parametrize("factor", [0.01, 100.0])
def test_a_mean_divides_slope_and_noise_alike(factor):
    """The old advice: take means rather than sums against a large constant."""
    theta = np.random.default_rng(1).standard_normal(100)

    def sharpness(factor, constant=1e6):
        report = check_gradient(
            lambda x: factor * ((x**3).sum() + constant),
            lambda x: factor * 3 * x**2,
            theta,
            coordinates=0,
        )
        return max(probe.tolerance for probe in report.probes) / report.norm

    assert 0.2 < sharpness(factor) / sharpness(1.0) < 5
    assert sharpness(1.0, constant=0.0) < 0.01 * sharpness(1.0)  # what does help: leave it out


def test_a_truncated_gradient_is_that_of_a_frozen_loss():
    """The old sentence: of a truncated gradient no check can say whether it is wrong as intended."""
    x = np.random.default_rng(2).standard_normal(12)

    def states(w, start, h):
        hs = [h]
        for number in x[start:]:
            hs.append(np.tanh(w * hs[-1] + number))
        return hs

    def followed_back(w, start, h):
        hs = states(w, start, h)
        dh, dw = 1.0, 0.0
        for before, after in zip(hs[-2::-1], hs[:0:-1], strict=True):
            dz = dh * (1 - after**2)
            dw, dh = dw + dz * before, dz * w
        return dw

    w, cut = np.array([0.9]), 9
    frozen = states(w[0], 0, 0.0)[cut]

    def verdict(start, h, factor=1.0):
        def loss(w):
            return states(w[0], start, h)[-1]

        def truncated(w):
            return np.array([factor * followed_back(w[0], cut, frozen)])

        return check_gradient(loss, truncated, w).verdict

    assert verdict(0, 0.0) == "fail"  # it is no gradient of the whole loss
    assert verdict(cut, frozen) == "pass"
    assert verdict(cut, frozen, 1.01) == "fail"


def test_checks_are_compared_on_what_their_documentation_covers():
    """The old table lumped float32 and kinks together with smooth functions in float64."""
    text = chapter("how-check-gradient-decides").split("## The same gradients, other checks")[1]
    text = text.split("\n## ")[0]
    assert '"smooth, float64"' in text
    assert '"kinks"' in text
    assert "Parentheses mark what a rule's documentation excludes" in text
    assert '"may fail when evaluated on non-differentiable points"' in text
    # A rule made for float64, on a right gradient in float32: its alarm says nothing about the rule.
    for dtype, right in ((np.float64, True), (np.float32, False)):
        point, h = dtype(1.2345), dtype(1e-6)
        numeric = (np.exp(point + h) - np.exp(point - h)) / (2 * h)
        assert (abs(np.exp(point) - numeric) <= 1e-5 + 1e-3 * abs(numeric)) == right


# Networks


def travel(radius, n, seed, steps):
    """Powers of ten by which a gradient grows on its way back through a tanh network, and the states."""
    rng = np.random.default_rng([5, seed])
    W = rng.standard_normal((n, n))
    W *= radius / np.abs(np.linalg.eigvals(W)).max()
    h = [0.5 * rng.standard_normal(n)]
    for _ in range(steps):
        h.append(np.tanh(h[-1] @ W + 0.1 * rng.standard_normal(n)))
    g = rng.standard_normal(n) / np.sqrt(n)
    grown = [0.0]
    for state in h[:0:-1]:
        g = (g * (1 - state**2)) @ W.T
        grown.append(np.log10(np.linalg.norm(g)))
    return np.array(grown), np.array(h)


def test_saturation_only_delays_the_explosion():
    """The old sentence: radius 1.5 explodes only without tanh; saturation keeps it from exploding."""
    runs = [travel(1.8, 100, seed, steps=400) for seed in range(5)]
    grown = np.median([norms for norms, _ in runs], axis=0)
    assert np.mean([np.abs(h) > 0.9 for _, h in runs]) > 0.05
    assert grown[60] < 5  # in a window of 60 steps
    assert grown[400] > 8  # and beyond it
    saturated, longer = zip(*(travel(1.5, 200, seed, 300)[::-1] for seed in range(5)), strict=True)
    assert np.mean([np.abs(h) > 0.9 for h in saturated]) > 0.05
    grown = np.median(longer, axis=0)
    assert abs(grown[60]) < 1.5
    assert grown[300] > 3  # several powers of ten at the radius of the sentence
    below = np.median([travel(0.9, 100, seed, 400)[0][-1] for seed in range(3)])
    assert below < -15


IMAGES, LABELS = digits()


def trained(scale, make, steps, hidden=10):
    """The share of right answers on the first images after training a deep relu network."""
    rng = np.random.default_rng([5, 0])
    shapes = hidden * [(64, 64)] + [(64, 10)]
    params = [{"W": scale(s) * rng.standard_normal(s), "b": np.zeros(s[1])} for s in shapes]
    optimizer = make(params)

    def forward(x):
        h = [x]
        for p in params[:-1]:
            h.append(nn.relu(nn.dense(h[-1], **p)))
        return h, nn.dense(h[-1], **params[-1])

    with np.errstate(all="ignore"):
        for _ in range(steps):
            some = rng.integers(300, len(IMAGES), 32)
            h, logits = forward(IMAGES[some])
            if not np.isfinite(logits).all():
                return 0.1
            dz, grads = nn.softmax_cross_entropy(logits, LABELS[some])[1], []
            for layer in reversed(range(len(params))):
                dx, dW, db = nn.dense_backward(dz, h[layer], params[layer]["W"])
                grads.append({"W": dW, "b": db})
                dz = nn.relu_backward(dx, h[layer])
            try:
                optimizer.step(grads[::-1])
            except ValueError:  # not finite
                return 0.1
    return float((forward(IMAGES[:300])[1].argmax(axis=1) == LABELS[:300]).mean())


def test_unit_weights_learn_at_rates_off_the_customary_grid():
    """The old sentence: with the best of five rates, from 1e-3 to 1, unit weights learn nothing."""

    def reached(rate, steps):
        return trained(lambda shape: 1.0, lambda params: SGD(params, rate), steps)

    assert max(reached(rate, 40) for rate in (1e-3, 1e-2, 1e-1, 1.0)) < 0.2
    right_size = trained(lambda s: (2 / 64) ** 0.5, lambda params: SGD(params, 0.05), 150)
    assert 0.3 < reached(1e-8, 150) < right_size - 0.1


def test_adam_is_slow_with_small_weights_and_not_stuck():
    """The old sentence: Adam is no cure for a gradient that has vanished."""

    def reached(steps):
        def adam(params):
            return Adam(params, 1e-3, eps=1e-30)

        return trained(lambda shape: 0.01, adam, steps, hidden=6)

    slow, good = (
        reached(400),
        trained(lambda shape: (2 / 64) ** 0.5, lambda params: SGD(params, 0.05), 150),
    )
    assert reached(60) < 0.15
    assert 0.18 < slow < good - 0.1


# Gradient descent


def test_halving_a_large_rate_more_than_halves_the_floor():
    """The old sentence: halving the rate halves the floor."""

    def floor(rate, steps=400):
        square = 0.0
        for _ in range(steps):  # of curvature 1, with noise of variance 1
            square = (1 - rate) ** 2 * square + rate**2
        return square

    assert floor(0.02) / floor(0.01) == pytest.approx(2, abs=0.02)
    assert floor(1.6) / floor(0.8) == pytest.approx(6)
    assert floor(2.1) > 1e6  # beyond the limit of stability there is no floor to be halved

    def floor_of_batch(rate, batch, multiplied):
        """With noise of two kinds: added to the gradient, and a random curvature."""
        square = 1.0
        for _ in range(2000):
            contraction = (1 - rate) ** 2 + rate**2 * multiplied / batch
            square = contraction * square + rate**2 / batch
        return square

    for rate in (0.01, 0.8, 1.6):
        halved = floor_of_batch(rate, 1, 0.0) / floor_of_batch(rate, 2, 0.0)
        assert halved == pytest.approx(2)  # at any rate, if the noise does not depend on theta
    assert floor_of_batch(0.8, 1, 1.0) / floor_of_batch(0.8, 2, 1.0) > 2.5


def test_bounded_steps_alone_do_not_keep_a_run_from_diverging():
    """The old proof: it cannot diverge, since steps are at most eta long."""
    uphill = downhill = 1.0
    longest = 0.0
    for _ in range(1000):
        step = 3 * np.tanh(downhill)
        longest = max(longest, abs(step), 3 * np.tanh(uphill))
        downhill, uphill = downhill - step, uphill + 3 * np.tanh(uphill)
    assert longest <= 3
    assert uphill > 1000  # bounded steps, and away it goes
    assert abs(downhill) <= 3  # what keeps it is that a step leads toward zero
    for start in np.linspace(-50, 50, 1001):
        assert abs(start - 3 * np.tanh(start)) <= max(3, abs(start))


def test_rates_that_change_beat_the_order_of_a_constant_rate():
    """The old sentence: the order 1/T is what gradient descent costs."""

    def worst(rates):
        """The largest gap on parabolas and Huber losses of curvature 1, from a distance of 1."""
        kinks, bends = np.geomspace(1e-4, 1, 4000), np.linspace(0, 1, 4000)
        x, y = np.ones_like(kinks), np.ones_like(bends)
        for rate in rates:
            x, y = x - rate * np.clip(x, -kinks, kinks), y - rate * bends * y
        huber = np.where(np.abs(x) < kinks, x**2 / 2, kinks * np.abs(x) - kinks**2 / 2)
        return max(huber.max(), (bends * y**2 / 2).max())

    silver = []
    for k in range(9):
        silver = [*silver, 1 + (1 + 2**0.5) ** (k - 1), *silver]
    T = len(silver)
    assert worst(np.ones(T)) == pytest.approx(1 / (4 * T + 2), rel=0.01)
    assert worst(silver) < 0.5 / (4 * T + 2)


# Momentum, clipping


def test_a_clipped_spike_moves_the_parameter_by_what_is_left_of_it():
    """The old solution: it adds eta c / (1 - mu) = 0.1, whichever of the two is clipped."""

    def moved(gradients, limit_of_g, limit_of_b, mu=0.9, eta=0.01):
        b = theta = 0.0
        for g in gradients:
            b = float(np.clip(mu * b + np.clip(g, -limit_of_g, limit_of_g), -limit_of_b, limit_of_b))
            theta += eta * b
        return theta

    quiet, spiked = np.full((2, 400), 0.1)
    spiked[100] = 1000.0
    extra = [moved(spiked, *limits) - moved(quiet, *limits) for limits in ((1.0, np.inf), (np.inf, 1.0))]
    assert extra[0] == pytest.approx(0.09, rel=1e-6)
    assert extra[1] == pytest.approx(0.0, abs=1e-4)


def test_a_steep_start_has_a_term_of_its_own_in_the_bound_for_clipping():
    """The old sentence: the size of the gradient at the start does not occur in the bound."""
    for start in (2.0, 5.0, 10.0):  # of cosh, whose curvature is at most 1 + abs(slope): L0 = L1 = 1
        slope, gap = np.sinh(start), np.cosh(start) - 1
        assert np.cosh(start) <= 1 + slope
        assert gap >= slope / 6
        lowered = np.cosh(start) - np.cosh(start - min(slope, 1.0) / 3)  # rate 1/3, clipped at 1
        assert slope / 6 <= lowered <= gap
    assert np.cosh(0.1) - np.cosh(0.1 - np.sinh(0.1) / 3) < np.sinh(0.1) / 6  # a start must be steep
    assert np.cosh(10) - 1 > 100 * (np.cosh(5) - 1)  # and so the bound grows with the slope


def test_a_loose_limit_does_no_harm_under_a_heavy_tail_on_one_side():
    """The old sentence: heavy tails alone are no reason to clip; no loose limit had been tried."""
    rng = np.random.default_rng(16)

    def one_sided(runs, n):
        return rng.pareto(1.5, size=(runs, n)) - 2.0  # of mean zero

    def estimates(draws, limit):
        """Where the mean of the clipped gradients is zero; without a limit, that is the mean."""
        a, b = np.full(len(draws), -10.0), np.full(len(draws), 50.0)
        for _ in range(30):
            middle = (a + b) / 2
            up = np.clip(draws - middle[:, None], -limit, limit).mean(axis=1) > 0
            a, b = np.where(up, middle, a), np.where(up, b, middle)
        return a

    def errors(draws):
        """The root mean square and the median of the errors, for three limits."""
        found = [estimates(draws, limit) for limit in (1.0, 100.0, np.inf)]
        return np.array([(np.sqrt(np.mean(a**2)), np.median(np.abs(a))) for a in found])

    tight, loose, without = errors(one_sided(400, 500))
    assert (tight > 1.2 * without).all()
    assert (loose < 0.95 * without).all()
    _, loose, without = errors(one_sided(60, 20_000))
    assert (loose > 1.2 * without).all()  # with many draws it does harm: its bias stays
    signs = rng.choice([-1.0, 1.0], size=(400, 500))
    tight, loose, without = errors((one_sided(400, 500) + 2.0) * signs)
    assert (tight < 0.5 * loose).all()  # with tails on both sides a tight one helps


def test_the_curvature_of_a_wall_grows_like_the_square_of_its_slope():
    """The old table compared curvature and slope on a grid that missed the wall."""

    def largest(k, points):
        """Slope and curvature of the wall 1 / (1 + exp(-k x)), which is 1 high."""
        y = (1 + np.tanh(k * points / 2)) / 2
        return np.array([(k * y * (1 - y)).max(), (k**2 * np.abs(y * (1 - y) * (1 - 2 * y))).max()])

    coarse = np.linspace(-1, 1, 160)
    fine = np.concatenate([-np.geomspace(1e-9, 1, 2000), np.geomspace(1e-9, 1, 2000)])
    measured = [largest(k, fine) for k in (1e2, 1e4, 1e6)]
    for slope, curvature in measured:
        assert curvature / slope**2 == pytest.approx(16 / 6 / 3**0.5, rel=0.01)
    assert measured[2][1] / measured[2][0] > 1000 * measured[0][1] / measured[0][0]
    (slope, curvature), (steep, _) = largest(1e3, coarse), largest(1e3, fine)
    assert slope < 0.05 * steep
    assert curvature / slope == pytest.approx(1e3, rel=0.01)  # "bounded": the wall itself was missed


def test_hubers_estimate_need_not_lie_between_mean_and_median():
    """The old sentence: an estimate between mean and median."""
    found = []
    for x in np.random.default_rng(0).integers(-10, 11, size=(60, 5)).astype(float):
        low, high = sorted((x.mean(), np.median(x)))
        for c in (0.5, 1.0, 2.0, 4.0):
            a, b = x.min(), x.max()
            for _ in range(60):  # the sum of clipped residuals falls as the estimate grows
                middle = (a + b) / 2
                if np.clip(x - middle, -c, c).sum() > 0:
                    a = middle
                else:
                    b = middle
            found.append((a < low - 0.01) or (a > high + 0.01))
    assert any(found)
    assert np.mean(found) < 0.5


def spike_in(beta2, in_m=1000.0, in_v=1000.0):
    """How far one spike leads Adam, and how long a step is at the end."""
    m, v, beta1 = 0.0, 1.0, 0.9
    way = 0.0
    for k in range(200):
        m = beta1 * m + (1 - beta1) * (in_m if k == 0 else 0.0)
        v = beta2 * v + (1 - beta2) * (in_v**2 if k == 0 else 1.0)
        way += m / v**0.5
    return way, 1 / v**0.5  # under a steady gradient of 1


def test_a_spike_throws_adam_and_then_slows_it_down():
    """Two old sentences: it is the shadow that hurts; then: it is the throw and not the shadow."""
    throw, shadow = spike_in(0.999)
    assert throw == pytest.approx(1 / 0.001**0.5, rel=0.02)  # learning rates, in one direction
    assert shadow < 0.05
    only_in_v = spike_in(0.999, in_m=1.0)
    assert only_in_v[0] < 0.05  # no throw
    assert only_in_v[1] == shadow  # and the same shadow
    shorter = spike_in(0.95)
    assert shorter[0] < 0.3 * throw  # a shorter memory shortens both, so it cannot tell them apart
    assert shorter[1] > 5 * shadow


# Adam


def test_adam_coasts_over_a_gradient_of_zero():
    """The old sentence: where the gradient is zero the step is zero."""
    steps = steps_taken(Adam, [1.0, 1.0, 1.0, 0.0], learning_rate=1.0)
    assert steps[-1] == pytest.approx(0.82, abs=0.01)


def test_epsilon_selects_among_minima():
    """The old sentence: epsilon changes only how long the steps are, so Adam rests at the same point."""

    def rests(eps, rate):
        theta, slopes = np.zeros(2), np.array([1.0, 3.0])
        optimizer = Adam(theta, learning_rate=rate, eps=eps)
        for _ in range(3000):
            optimizer.step((slopes @ theta - 1) * slopes)
        assert slopes @ theta == pytest.approx(1, abs=1e-4)  # a minimum in every case
        return theta

    assert rests(1e-8, 0.01) == pytest.approx([0.25, 0.25], abs=2e-3)
    assert rests(100.0, 1.0) == pytest.approx([0.1, 0.3], abs=5e-3)


def test_adams_steps_shrink_under_gradients_of_one_sign():
    """The old sentence: its steps shrink only where gradients disagree about the sign."""
    steps = steps_taken(Adam, 0.99 ** np.arange(1, 1001), learning_rate=1.0)
    assert np.all(steps > 0)
    assert steps[[99, 299, 999]] == pytest.approx([0.62, 0.14, 0.0003], rel=0.1)


def test_less_noise_narrows_the_walk_around_a_minimum():
    """The old sentence: only a smaller learning rate makes the random walk smaller."""

    def spread(rate, noise):
        rng, theta = np.random.default_rng(1), np.zeros(500)
        optimizer = Adam(theta, learning_rate=rate)
        for _ in range(1500):
            optimizer.step(theta + noise * rng.standard_normal(500))
        return theta.std()

    assert spread(0.01, 0.1) == pytest.approx(0.33 * spread(0.01, 1.0), rel=0.1)
    assert spread(0.001, 1.0) < 0.5 * spread(0.01, 1.0)


def test_turning_a_bowl_costs_much_at_one_rate_and_nothing_at_another():
    """The old conclusion, from one untuned rate: Adam is no cure for curvature across the axes."""
    turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / 2**0.5

    def loss(turned, rate, optimizer=Adam, steps=200, **options):
        R = turn if turned else np.eye(2)
        bowl, theta = R @ np.diag([100.0, 1.0]) @ R.T, R @ np.ones(2)
        running = optimizer(theta, learning_rate=rate, **options)
        for _ in range(steps):
            running.step(bowl @ theta)
        return 0.5 * theta @ bowl @ theta

    def best_descent(steps=200):
        losses = [loss(True, rate, SGD, steps) for rate in np.linspace(0.01, 0.02, 21)]
        assert 0 < np.argmin(losses) < 20
        return min(losses)

    assert loss(True, 0.1) > 1e5 * loss(False, 0.1)
    assert loss(True, 1.0) < 2 * loss(False, 1.0)
    assert loss(True, 1.0) < 1e-2 * best_descent()
    assert loss(True, 1.0, steps=50) > 5 * loss(False, 1.0, steps=50)  # in a short run the turn costs
    assert loss(True, 1.0, steps=50) > best_descent(50)


def test_a_sum_for_a_mean_matters_where_batches_differ_in_size():
    """The old sentence: whether a loss is a sum or a mean makes no difference to Adam."""
    gradients = np.random.default_rng(4).standard_normal(50)

    def apart(sizes, eps=1e-8, **options):
        mean, summed = (
            steps_taken(Adam, g, learning_rate=1.0, eps=eps, **options)
            for g in (gradients, gradients * sizes)
        )
        return np.abs(mean - summed).max()

    assert apart(np.full(50, 32.0)) < 1e-6
    assert apart(np.where(np.arange(50) % 2, 32.0, 8.0)) > 0.1
    assert apart(np.full(50, 32.0), eps=1.0) > 0.1
    assert apart(np.full(50, 32.0), clip_value=1.0) > 0.1


def test_one_draw_is_no_measure_of_what_is_left_of_the_noise():
    """The old solution printed a single draw, 0.36, and called the right prediction, 0.23, wrong."""
    noise, m = np.random.default_rng(5).standard_normal((400, 4000)), 0.0
    for g in noise:
        m = 0.9 * m + 0.1 * g
    assert np.sqrt(np.mean(m**2)) == pytest.approx(0.23, rel=0.05)  # the root of 0.1 / 1.9
    assert np.mean(np.abs(m) > 0.36) > 0.05


def test_less_momentum_settles_before_looking_ahead_does():
    """The old sentence: what helps Nadam is that the newest gradient counts for more at the start."""

    def settles(optimizer, **options):
        theta, path = np.ones(1), []
        running = optimizer(theta, learning_rate=0.1, **options)
        for _ in range(100):
            running.step(theta.copy())
            path.append(abs(theta[0]))
        return int(np.flatnonzero(np.array(path) > 0.05)[-1]) + 2

    control = settles(Adam, beta1=0.5)  # it does not look ahead at all
    assert control < settles(Nadam) < settles(NadamConstant) < settles(Adam)
    betas = np.arange(0, 0.96, 0.05)
    tuned = [[settles(rule, beta1=b) for b in betas] for rule in (Adam, NadamConstant, Nadam)]
    assert [min(found) for found in tuned] == [13, 13, 16]
    assert all(min(found) < min(found[0], found[-1]) for found in tuned)  # inside the grid


def test_turning_adam_wrong_at_random_cannot_be_cured_by_any_memory():
    """The old sentence: for every problem there is a beta2 with which Adam does not fail."""
    p, large, small = 0.1, 9.0, -1.0  # drawn independently: of mean zero
    assert p * large + (1 - p) * small == pytest.approx(0)
    for before in (0.1, 1.0, 9.0, 80.0):  # whatever v was
        drifts = []
        for beta2 in (0.5, 0.9, 0.99, 0.999, 0.999999):
            v = beta2 * before + (1 - beta2) * np.array([large, small]) ** 2
            drifts.append(p * large / v[0] ** 0.5 + (1 - p) * small / v[1] ** 0.5)
        assert max(drifts) < -1e-9
        assert abs(drifts[-1]) < 0.01 * abs(drifts[0])  # a long memory makes it small


def test_a_larger_batch_shrinks_the_bias_of_a_short_memory_and_leaves_some():
    """The old summary: a larger batch mends it."""

    def rests(batch, rate=0.003, beta2=0.9):
        rng = np.random.default_rng(6)
        theta, later = np.zeros(400), 0.0
        optimizer = Adam(theta, learning_rate=rate, beta1=0.0, beta2=beta2)
        for t in range(2500):
            targets = 10.0 * rng.binomial(batch, 0.1, 400) / batch  # of mean 1
            optimizer.step(theta - targets)
            later = later + theta.mean() / 500 if t >= 2000 else later
        return later

    short, long = rests(1), rests(16)
    assert short < 0.8
    assert short + 0.1 < long < 0.99
    assert 0.98 < rests(1, rate=0.01, beta2=0.999) < 1  # a long memory comes close, too


def one_tanh_layer(rng):
    """Its parameters, for digits of 64 pixels."""
    return {
        "W1": rng.standard_normal((64, 32)) / 8,
        "b1": np.zeros(32),
        "W2": rng.standard_normal((32, 10)) / 32**0.5,
        "b2": np.zeros(10),
    }


def logits_of(params, x):
    h = np.tanh(nn.dense(x, params["W1"], params["b1"]))
    return h, nn.dense(h, params["W2"], params["b2"])


def gradient_of(params, x, labels, slip):
    """Of the cross-entropy; with the slip, the slope of tanh is left out. Also what arrives at it."""
    h, logits = logits_of(params, x)
    d = nn.softmax_cross_entropy(logits, labels)[1]
    dz = (d @ params["W2"].T) * (1 if slip else 1 - h**2)
    return {"W1": x.T @ dz, "b1": dz.sum(0), "W2": h.T @ d, "b2": d.sum(0)}, dz


def digits_learned(make, slip, seed):
    """Percent of held-out digits that a network of one tanh layer has right after five epochs."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(IMAGES))
    known, held_out = order[:1400], order[1400:]
    params = one_tanh_layer(rng)
    optimizer = make(params)
    for _ in range(5):
        for some in np.array_split(rng.permutation(known), 44):
            optimizer.step(gradient_of(params, IMAGES[some], LABELS[some], slip)[0])
    return 100 * np.mean(logits_of(params, IMAGES[held_out])[1].argmax(axis=1) == LABELS[held_out])


def test_descent_learns_with_the_slip_as_well():
    """The old sentence: Adam's division hides part of the slip, so it learns nearly as well."""
    for make in (lambda p: Adam(p, 0.03), lambda p: SGD(p, 0.3)):
        right, wrong = (
            np.mean([digits_learned(make, slip, seed) for seed in range(3)]) for slip in (False, True)
        )
        assert right > 93
        assert abs(right - wrong) < 4


@pytest.mark.parametrize(
    ("make", "expected"),
    [(lambda p: Adam(p, 0.03), 0.11), (lambda p: SGD(p, 0.3), 0.066)],
    ids=["Adam", "SGD"],
)
def test_the_slip_keeps_the_signs_of_an_example_and_not_those_of_a_sum(make, expected):
    """The same sentence: every example has the right sign, the output layer the right gradient."""
    rng = np.random.default_rng(0)
    params, wrong_signs = one_tanh_layer(rng), []
    optimizer = make(params)
    for some in np.array_split(rng.permutation(len(IMAGES)), 56) * 5:
        (right, dz), (wrong, dz_wrong) = (
            gradient_of(params, IMAGES[some], LABELS[some], slip) for slip in (False, True)
        )
        np.testing.assert_array_equal(np.sign(dz), np.sign(dz_wrong))
        np.testing.assert_array_equal(right["W2"], wrong["W2"])
        inked = right["W1"] != 0
        wrong_signs.append(np.mean((right["W1"] * wrong["W1"] < 0)[inked]))
        optimizer.step(right)
    assert wrong_signs[0] == pytest.approx(0.05, abs=0.015)
    assert np.mean(wrong_signs) == pytest.approx(expected, abs=0.015)


def test_ranges_overlap_where_the_paired_difference_is_clear():
    """The old sentence: no difference, since the seeds differ by more than the methods."""
    rng = np.random.default_rng(7)
    seeds = rng.standard_normal(10)  # what a seed does to both methods
    a, b = seeds + 0.1 * rng.standard_normal(10), seeds + 0.4 + 0.1 * rng.standard_normal(10)
    assert np.ptp(a) > b.mean() - a.mean() > 0  # the old argument
    assert b.min() < a.max()
    error = (b - a).std(ddof=1) / 10**0.5
    assert (b - a).mean() > 5 * error
    assert error < 0.5 * a.std(ddof=1) / 10**0.5 < 0.5 * np.ptp(a)  # of the pairs, of a mean, of runs


# A step size for every coordinate


def test_what_hurts_adagrad_at_a_moving_target_is_not_its_memory():
    """The old sentence: forgetting pays where the target jumps. It had no control."""

    def error(rule, rates, sizes=(1.0, 1.0)):
        best = np.inf
        for rate in rates:
            rng = np.random.default_rng(8)
            theta, G, squares = np.zeros(100), 0.0, 0.0
            for t in range(1, 3001):
                if t % 500 == 1:
                    target = rng.uniform(-5, 5, 100)
                g = sizes[(t - 1) // 500 % 2] * (theta - target + rng.standard_normal(100))
                G = 0.99 * G + 0.01 * g**2 if rule == "RMSProp" else G + g**2
                size = np.sqrt(G / (t if rule == "plain mean" else 1))
                theta = theta - rate * g / size
                squares += np.mean((theta - target) ** 2) / 3000
            best = min(best, squares)
        return best

    sums, means = error("AdaGrad", np.geomspace(0.3, 30, 7)), np.geomspace(0.01, 1, 7)
    assert error("RMSProp", means) < 0.97 * sums
    assert error("plain mean", means) < error("RMSProp", means)  # it forgets nothing
    hundredfold, tenfold = (
        [error(rule, rates, sizes) for rule in ("RMSProp", "plain mean")]
        for sizes, rates in (((10.0, 0.1), [0.6, 1.0, 1.7]), ((10.0, 1.0), [0.2, 0.32, 0.6]))
    )
    assert hundredfold[0] < 0.95 * hundredfold[1]  # where sizes change by enough, forgetting pays
    assert tenfold[1] < tenfold[0]


# Schedules


def excess(rates, curvatures, noise=0.1):
    """What is left of the start and of the noise on a bowl, after steps with these rates."""
    squares = np.ones(len(curvatures))
    for rate in rates:
        squares = (1 - rate * curvatures) ** 2 * squares + rate**2 * noise * curvatures
    return float((curvatures * squares).sum() / 2)


BENT = np.geomspace(0.01, 1.0, 12)
TIME = np.linspace(0, 1, 300, endpoint=False)
PEAKS = np.geomspace(0.05, 1.9, 40)


def test_a_best_schedule_under_a_limit_is_no_bound_for_shapes_that_break_it():
    """The old sentence: the best schedule of all leaves the best shape little to gain."""
    limit, noise = 0.3, 1e-4
    # Whatever the rates are, within the limit no step can do more for what is left of the start.
    unavoidable = (BENT * (1 - limit * BENT) ** (2 * len(TIME))).sum() / 2
    line = min(excess(peak * (1 - TIME), BENT, noise) for peak in PEAKS)
    assert line < unavoidable


def test_the_best_rate_of_an_average_lay_beyond_the_grid():
    """The old sentence: for averages the largest rate is best, half of the limit of stability."""

    def averaged(rate, share=1.0, steps=300, noise=0.1):
        """What the average over the last share of a run leaves."""
        found, first = 0.0, round(steps * (1 - share))
        for curvature in (0.02, 1.0):
            power = (1 - rate * curvature) ** np.arange(steps + 1)
            k = np.arange(1, steps + 1)
            until, since = power[steps + 1 - k], power[np.maximum(first + 1 - k, 0)]
            weights = (since - until) / (curvature * (steps - first))  # of the noise of each step
            noisy = noise * curvature * (weights**2).sum()
            found += curvature * (power[first + 1 :].mean() ** 2 + noisy)
        return found

    old = np.array([0.125, 0.25, 0.5, 1.0])  # up to half of the limit, which is 2
    assert np.argmin([averaged(rate) for rate in old]) == 3  # at the edge, so no best is known
    wide = np.append(old, [1.3, 1.6, 1.9])
    assert np.argmin([averaged(rate) for rate in wide]) > 3
    fine = np.linspace(0.02, 1.98, 99)
    shares = (0.1, 0.25, 0.5, 0.75, 1.0)
    best = [fine[np.argmin([averaged(rate, share) for rate in fine])] for share in shares]
    assert (np.diff(best) > 0).all()  # the more is averaged, the larger
    assert best[0] < 0.5
    assert best[-1] > 1.8  # near the limit


def test_invscaling_counts_examples():
    """The old docstring: with decay 1 our schedule is scikit-learn's invscaling, in which t counts."""
    eta, p, examples, batch = 0.1, 0.5, 20, 10

    def of_a_step_for_each_example():
        return [eta / t**p for t in range(1, examples + 1)]  # t counts from 1

    def of_batches(epochs):
        rates, rate, t = [], eta, 0
        for _ in range(epochs):
            rates += [rate] * (examples // batch)
            t += examples
            rate = eta / (t + 1) ** p  # at the end of an epoch
        return rates

    ours = inverse_time_decay(eta, decay=1.0, power=p)
    assert [ours(n) for n in range(examples)] == pytest.approx(of_a_step_for_each_example())
    assert of_batches(2) == pytest.approx([eta, eta, eta / 21**p, eta / 21**p])
    assert [ours(n) for n in range(4)] != pytest.approx(of_batches(2), rel=0.1)
    by_epoch = inverse_time_decay(eta, decay=examples, power=p)
    assert [by_epoch(n // 2) for n in range(6)] == pytest.approx(of_batches(3))


def test_a_long_memory_of_a_bad_start_is_a_confound():
    """The old experiment tried a good estimate of v at the start with beta2 = 0.999 alone."""

    def late(beta2):
        """Adam's step 60 steps after a start whose gradients were 30 times too large."""
        g = np.append(np.full(100, 30.0), np.ones(60))
        return steps_taken(Adam, g, learning_rate=1.0, beta2=beta2)[-1]

    assert late(0.999) < 0.1
    assert late(0.9) > 0.5


# The package's optimizers


def test_a_momentum_that_is_assigned_takes_effect_and_another_name_is_refused():
    """The old interface stored both, and read neither."""
    theta = np.zeros(1)
    optimizer = SGD(theta, 1.0)
    optimizer.step(np.ones(1))
    optimizer.momentum = 0.5
    for _ in range(2):
        optimizer.step(np.ones(1))
    assert theta == pytest.approx(-(1 + 1.5 + 1.75))
    with pytest.raises(AttributeError, match="SGD has no lr: here it is learning_rate"):
        optimizer.lr = 0.01
    summing = AdaGrad(np.ones(1), 0.1)
    with pytest.raises(AttributeError, match="counts only before the first step"):
        summing.initial_accumulator = 0.5


def test_gradients_that_grow_attain_the_bound_on_a_step():
    """The old test: no step exceeds (1 - beta1) / sqrt(1 - beta2), which is 3.2."""
    age = np.arange(400)[::-1]
    a, b = (beta**age / (beta**age).sum() for beta in (0.9, 0.999))
    bound = np.sqrt((a**2 / b).sum())
    growing = (0.999 / 0.9) ** np.arange(400)  # by a constant factor: as a / b does
    step = steps_taken(Adam, growing, learning_rate=1.0, eps=0.0)[-1]
    assert step == pytest.approx(bound)
    early = (0.1 / 0.001**0.5) * 2
    late = np.append(np.ones(6000), growing)  # late in a run, when the corrections have faded
    assert steps_taken(Adam, late, learning_rate=1.0)[-1] > early


# What the pages and boxes said


def test_three_points_and_two_inputs_make_a_plane():
    """An old box: article 1 fits a line through three points."""
    X, y = np.array([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]]), np.array([2.0, 3.0, 4.0])
    assert np.linalg.matrix_rank(X) == 2  # two free slopes
    assert X @ np.linalg.lstsq(X, y, rcond=None)[0] == pytest.approx(y)
    assert "plane through the origin" in words_of_box("plane")
    assert "a line through" not in words_of_box("plane")


def test_the_box_on_noise_says_what_is_sound_in_the_article():
    """An old box left out that the same section first defines the check by automatic differentiation."""
    assert "automatic differentiation, which is sound" in " ".join(words_of_box("noise").split())


def test_the_front_page_says_whose_package_is_on_the_public_index():
    """The old page did not say that the public package of this name is not ours."""
    text = chapter("index")
    said = "The package named `optimlib` on the public Python package index is a different project"
    assert said in text
