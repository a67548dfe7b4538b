"""What article 5 gets wrong: for each error, the wrong version fails and the right one passes.

The wrong versions are short programs of our own that make the same mistake. What an article says of
its own structure stands here as data.
"""

import ast
import inspect
import re
from itertools import pairwise

import numpy as np
import pytest
from chapter_texts import reference
from notebook_rules import ROOT
from support import names_read

from optimlib import SGD, AdaGrad, Adam, RMSProp, check_gradient
from optimlib.optimizers import AdamEpsRoot, SGDRunningMean
from optimlib.optimizers.conventions import CONVENTIONS
from optimlib.schedules import ReduceOnPlateau, constant, inverse_time_decay, warmup

TEXT = ROOT / "book" / "text"


def steps_of(rule, gradients):
    """What a rule subtracts; a rule takes a gradient and a dict that it may keep things in."""
    memory = {}
    return np.array([rule(np.asarray(g, dtype=float), memory) for g in gradients])


def steps_of_optimizer(optimizer, gradients, **options):
    gradients = np.asarray(gradients, dtype=float)
    theta = np.zeros(gradients.shape[1:] or (1,))
    opt, steps = optimizer(theta, 1.0, **options), []
    for g in gradients:
        before = theta.copy()
        opt.step(np.reshape(g, theta.shape))
        steps.append((before - theta).reshape(gradients.shape[1:]))
    return np.array(steps)


# Sections 1 and 2: what the methods are said to be and to do


class Counted:
    """Least squares that counts how many gradients of single examples were computed."""

    def __init__(self, examples=1000):
        rng = np.random.default_rng(0)
        self.x, self.y = rng.standard_normal((examples, 3)), rng.standard_normal(examples)
        self.count = 0

    def gradient(self, theta, rows=slice(None)):
        x, y = self.x[rows], self.y[rows]
        self.count += len(x)
        return x.T @ (x @ theta - y) / len(x)


@pytest.mark.parametrize("optimizer", [SGDRunningMean, AdaGrad, RMSProp, Adam])
def test_a_rule_makes_no_gradient_cheaper_and_a_minibatch_does(optimizer):
    def cost(cls, **batch):
        data, theta = Counted(), np.zeros(3)
        opt = cls(theta, 0.01)
        for _ in range(5):
            opt.step(data.gradient(theta, **batch))
        return data.count / 5

    assert cost(optimizer) == cost(SGD) == 1000
    assert cost(SGD, rows=np.arange(10)) == cost(optimizer, rows=np.arange(10)) == 10


def test_methods_that_reach_the_same_minimum_are_equally_accurate():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((60, 2)) * [3.0, 0.3]
    y = np.sign(x @ [0.4, 2.0] + rng.standard_normal(60))
    best = np.linalg.solve(x.T @ x, x.T @ y)

    def accuracies(make, steps):
        theta = np.zeros(2)
        opt = make(theta)
        for _ in range(steps):
            opt.step(x.T @ (x @ theta - y) / len(y))
        return np.mean(np.sign(x @ theta) == y), np.abs(theta - best).max()

    methods = {
        "descent": lambda theta: SGD(theta, 0.1),
        "momentum": lambda theta: SGD(theta, 0.05, momentum=0.9),
        "AdaGrad": lambda theta: AdaGrad(theta, 0.5),
        "Adam": lambda theta: Adam(theta, lambda n: 0.1 * 0.99**n),
    }
    early = [accuracies(make, 20) for make in methods.values()]
    late = [accuracies(make, 1500) for make in methods.values()]
    assert np.ptp([off for _, off in early]) > 0.2  # they differ in speed
    assert max(off for _, off in late) < 1e-3
    assert len({accuracy for accuracy, _ in late}) == 1  # but not in what they find


def depends_on_the_losses(rate_after):
    falling, level = 1 / np.arange(1.0, 31), np.ones(30)
    return rate_after(falling) != rate_after(level)


def test_the_dynamic_rate_does_not_look_at_the_training():
    def by_batch_size(losses, batch=16, warmup_batch=64):
        return 0.1 / (1 + batch / warmup_batch)

    def by_plateau(losses):
        schedule = ReduceOnPlateau(0.1, patience=5)
        for loss in losses:
            schedule.observe(loss)
        return schedule.learning_rate

    assert depends_on_the_losses(by_plateau)
    assert not depends_on_the_losses(by_batch_size)


def test_all_three_ways_of_adjusting_are_dynamic():
    """Sections 3.1 and 3.2 are to be two techniques: a rate that is chosen, and one that changes."""

    def changes(rates):
        return len(set(rates)) > 1

    plateau, followed = ReduceOnPlateau(0.1, patience=2), []
    for _ in range(20):
        plateau.observe(1.0)
        followed.append(plateau.learning_rate)
    section_3_1 = {
        "by hand, from how training goes": [0.1] * 10 + [0.03] * 10,
        "decay": [inverse_time_decay(0.1, 0.5)(n) for n in range(20)],
        "by the validation error": followed,
    }
    assert all(changes(rates) for rates in section_3_1.values())  # so all belong to section 3.2
    assert not changes([constant(0.1)(n) for n in range(20)])


# Section 3.1: large and small rates


def steps_to_arrive(rate, curvature=1.0):
    theta = 1.0
    for step in range(1, 2000):
        theta -= rate * curvature * theta
        if abs(theta) < 1e-6:
            return step
        if abs(theta) > 1e6:
            break
    return np.inf


def test_a_larger_rate_is_faster_only_up_to_a_point():
    assert steps_to_arrive(0.1) > steps_to_arrive(0.5) > steps_to_arrive(1.0) == 1
    assert steps_to_arrive(1.9) > steps_to_arrive(1.5) > steps_to_arrive(1.0)
    assert steps_to_arrive(2.1) == np.inf


# Section 3.2: the schedule


def by_batch_size(rate, batch, warmup_batch, count):
    return [rate / (1 + batch / warmup_batch) ** k for k in range(1, count + 1)]


@pytest.mark.parametrize(("batch", "warmup_batch", "base"), [(16, 64, 1.25), (64, 64, 2), (64, 16, 5)])
def test_nothing_in_the_schedule_is_to_base_sixteen(batch, warmup_batch, base):
    rates = np.array(by_batch_size(0.1, batch, warmup_batch, 8))
    np.testing.assert_allclose(rates[:-1] / rates[1:], base, rtol=1e-12)
    assert base != 16
    np.testing.assert_allclose(by_batch_size(1.0, 15, 1, 3), 16.0 ** -np.arange(1, 4), rtol=1e-12)


def test_the_size_of_a_batch_does_not_tell_the_time():
    examples, batch = 1000, 64
    sizes = [min(batch, examples - start) for start in range(0, examples, batch)] * 3
    rates = [0.1 / (1 + size / 256) for size in sizes]
    assert len(set(rates[:15])) == 1  # a whole epoch with one rate
    assert rates[:16] == rates[16:32] == rates[32:]  # and the last epoch like the first
    rising = [warmup(constant(0.1), 10, start=0.01)(n) for n in range(len(sizes))]
    assert (np.diff(rising[:10]) > 0).all()
    assert rising[0] < rising[-1] == pytest.approx(0.1)


def test_a_larger_batch_allows_a_larger_rate():
    """Noise floors on a parabola, measured; the noise of a gradient falls with its batch."""

    def floor(rate, batch):
        rng, theta, late = np.random.default_rng(3), np.zeros(2000), []
        for step in range(400):
            theta = theta - rate * (theta + rng.standard_normal(2000) / np.sqrt(batch))
            if step >= 200:
                late.append(np.mean(theta**2) / 2)
        return np.mean(late)

    small = floor(0.05, 16)
    assert floor(0.05 * 4, 64) == pytest.approx(small, rel=0.15)  # four times the rate, the same floor
    article = {batch: 0.1 / (1 + batch / 64) for batch in (16, 64)}
    assert article[64] < article[16]  # it lowers the rate instead
    assert floor(article[64], 64) < 0.2 * floor(article[16], 16)


def test_a_smaller_warmup_size_makes_the_change_more_abrupt():
    first = {size: 0.1 / by_batch_size(0.1, 64, size, 1)[0] for size in (1, 64, 1024)}
    assert first[1] == pytest.approx(65)
    assert first[1] > first[64] > first[1024] > 1
    slopes = [warmup(constant(0.1), k, start=0.0)(1) for k in (5, 50, 500)]
    assert slopes == pytest.approx([0.02, 0.002, 0.0002])  # a longer warmup is the slower one


class Deep:
    """Twenty layers of tanh, and how large the gradient of the first is beside that of the last."""

    def __init__(self, scale):
        rng = np.random.default_rng(4)
        self.weights = [scale * rng.standard_normal((16, 16)) / 4 for _ in range(20)]
        self.x, self.y = rng.standard_normal((32, 16)), rng.standard_normal((32, 16))

    def gradients(self):
        hidden = [self.x]
        for w in self.weights:
            hidden.append(np.tanh(hidden[-1] @ w))
        d, grads = (hidden[-1] - self.y) / len(self.y), []
        for w, before, after in zip(self.weights[::-1], hidden[-2::-1], hidden[:0:-1], strict=True):
            d = d * (1 - after**2)
            grads.append(before.T @ d)
            d = d @ w.T
        return grads[::-1]

    def trained(self, schedule, steps=20):
        ratios = []
        for n in range(steps):
            grads = self.gradients()
            ratios.append(np.linalg.norm(grads[0]) / np.linalg.norm(self.y))
            for w, g in zip(self.weights, grads, strict=True):
                w -= schedule(n) * g
        return np.array(ratios)


def test_a_warmup_does_not_keep_gradients_from_vanishing():
    warm, plain = warmup(constant(0.1), 10, start=0.01), constant(0.1)
    assert Deep(0.1).trained(warm).max() < 1e-12
    assert Deep(0.1).trained(plain).max() < 1e-12
    assert Deep(1.2).trained(plain).min() > 1e-3  # what helps is the scale of the weights


def test_a_warmup_can_keep_a_unit_from_saturating():
    """What is right: one tanh unit, at a rate that its minimum allows and its start does not."""

    def end(schedule):
        w = np.zeros(1)
        opt = SGD(w, schedule)
        for _ in range(300):
            h = np.tanh(w)
            opt.step((h - 0.9) * (1 - h**2))
        return np.tanh(w[0]), 1 - np.tanh(w[0]) ** 2

    off, slope = end(constant(40.0))
    assert abs(off - 0.9) > 0.09
    assert slope < 1e-12
    off, slope = end(warmup(constant(40.0), 100, start=0.4))
    assert off == pytest.approx(0.9, abs=1e-6)
    assert slope == pytest.approx(0.19, abs=1e-5)


def test_a_schedule_is_no_gain_by_itself():
    """Answer 2: without noise a constant rate does better than a decay; with noise a decay does."""

    def off(schedule, noise):
        rng, theta = np.random.default_rng(5), np.ones(500)
        for n in range(200):
            theta = theta - schedule(n) * (theta + noise * rng.standard_normal(500))
        return np.sqrt(np.mean(theta**2))

    articles = by_batch_size(0.5, 16, 64, 200)
    assert off(lambda n: 0.5, 0.0) < 1e-12
    assert off(lambda n: articles[n], 0.0) > 0.1  # stops on the way
    assert off(lambda n: 0.5 / (1 + 0.2 * n), 0.0) > 1e-9
    assert off(lambda n: 0.5 / (1 + 0.2 * n), 1.0) < 0.5 * off(lambda n: 0.5, 1.0)
    # Rates of one sum, falling or not, forget as much of the start: what counts is the sum.
    sums = [sum(0.1 * 0.9**n for n in range(200)), 200 * 0.005]  # both about 1, so a third is left
    lefts = [off(lambda n: 0.1 * 0.9**n, 0.0), off(lambda n: 0.005, 0.0)]
    assert lefts == pytest.approx(np.exp(-np.array(sums)), rel=0.05)
    assert off(lambda n: 0.05 if n < 100 else 0.0, 0.0) < 0.01  # a sum of 5: nearly nothing is left
    assert off(lambda n: 1.0 if n == 0 else 0.0, 0.0) == 0  # not so if a rate is not small: a sum of 1


# Section 3.3: momentum


def test_the_articles_momentum_is_hardly_faster_at_the_same_rate():
    def left(optimizer, **options):
        theta, path = np.ones(1), []
        opt = optimizer(theta, 0.01, **options)
        for _ in range(1500):
            opt.step(theta)
            path.append(abs(theta[0]))
        return np.array(path)

    descent, mean, ball = left(SGD), left(SGDRunningMean, momentum=0.9), left(SGD, momentum=0.9)
    steps = steps_of_optimizer(SGDRunningMean, np.ones(50), momentum=0.9)
    assert steps == pytest.approx(1 - 0.9 ** np.arange(1, 51))  # from below
    ahead = mean < descent
    assert not ahead[:100].any()  # behind for the first hundred steps
    assert ahead[110:].all()
    arrivals = [int(np.argmax(path < 1e-6)) for path in (mean, descent, ball)]
    assert 0.89 < arrivals[0] / arrivals[1] < 0.92  # a tenth fewer
    assert arrivals[2] < 0.3 * arrivals[1]


def test_momentum_can_bring_oscillation_where_there_was_none():
    def crossings(optimizer, curvature, rate, steps=100, **options):
        theta = np.ones(1)
        opt, signs = optimizer(theta, rate, **options), []
        for _ in range(steps):
            opt.step(curvature * theta)
            signs.append(np.sign(theta[0]))
        return int(np.count_nonzero(np.diff(signs)))

    assert crossings(SGD, 1.0, 0.1) == 0
    assert crossings(SGDRunningMean, 1.0, 0.1, momentum=0.9) >= 2
    assert crossings(SGD, 1.0, 0.1, momentum=0.9) >= 5
    assert crossings(SGDRunningMean, 1.0, 0.002, momentum=0.9, steps=400) == 0  # not with every rate
    assert crossings(SGD, 1.0, 0.002, momentum=0.9, steps=400) == 0
    # across a steep valley it is the other way round
    assert crossings(SGD, 25.0, 2 / 26) == 99
    assert crossings(SGDRunningMean, 25.0, 2 / 26, momentum=0.9) < 50

    def left(**options):
        theta = np.ones(1)
        opt = SGD(theta, 1.05 / 25, **options)
        for _ in range(20):
            opt.step(25.0 * theta)
        return abs(theta[0])

    assert left() < 1e-20 < 1e-2 < left(momentum=0.9)  # but not with every rate: here it zigzags longer


def summed(g, memory):
    memory["v"] = memory.get("v", 0.0) + g
    return memory["v"]


def settles(rule_or_optimizer, rate=0.05, target=3.0, **options):
    """Whether a rule comes to rest at the minimum of a parabola."""
    theta, memory, late = np.zeros(1), {}, []
    is_class = inspect.isclass(rule_or_optimizer)
    opt = rule_or_optimizer(theta, rate, **options) if is_class else None
    for step in range(1500):
        g = theta - target
        if is_class:
            opt.step(g)
        else:
            theta = theta - rate * rule_or_optimizer(g, memory)
        if step >= 1400:
            late.append(abs(theta[0] - target))
    return bool(max(late) < 1e-3)


def test_adding_up_gradients_is_not_a_running_mean():
    np.testing.assert_array_equal(steps_of(summed, np.ones(100)), np.arange(1, 101))
    assert steps_of_optimizer(SGDRunningMean, np.ones(100), momentum=0.9).max() <= 1
    assert not settles(summed)
    assert settles(SGDRunningMean, momentum=0.9)


def test_as_equations_the_formulas_of_momentum_are_gradient_descent():
    beta, g = 0.9, 2.0
    v_of_equation = (1 - beta) * g / (1 - beta)  # v = beta v + (1 - beta) g, solved for v
    assert v_of_equation == pytest.approx(g)
    assert np.isclose(v_of_equation, beta * v_of_equation + (1 - beta) * g)
    first, second = steps_of_optimizer(SGDRunningMean, [g, g], momentum=beta)
    assert [first, second] == pytest.approx([0.2, 0.38])  # with time: 0.1 and 0.19 of the gradient
    chapter = (TEXT / "momentum.md").read_text(encoding="utf8")
    assert r"m_t &= \mu m_{t-1} + (1 - \mu) g_t" in chapter


# Sections 3.4 to 3.6: steps of their own


def one_divisor(g, memory):
    """AdaGrad with the dot product, mended so far that it accumulates."""
    memory["G"] = memory.get("G", 0.0) + g @ g
    return g / np.sqrt(memory["G"] + 1e-6)


def test_a_dot_product_gives_all_coordinates_one_divisor():
    gradients = np.tile([1.0, 0.01], (50, 1))
    wrong, right = steps_of(one_divisor, gradients)[-1], steps_of_optimizer(AdaGrad, gradients)[-1]
    assert wrong[0] / wrong[1] == pytest.approx(100)
    assert right[0] / right[1] == pytest.approx(1, rel=1e-6)


def sum_of_gradients(g, memory):
    memory["G"] = memory.get("G", 0.0) + g
    return g / np.sqrt(memory["G"])


def mean_of_gradients(g, memory):
    memory["R"] = 0.9 * memory.get("R", 0.0) + 0.1 * g
    return g / np.sqrt(memory["R"])


def adam_with_mean_of_gradients(g, memory):
    memory["m"] = 0.9 * memory.get("m", 0.0) + 0.1 * g
    memory["v"] = 0.999 * memory.get("v", 0.0) + 0.001 * g
    return memory["m"] / np.sqrt(memory["v"])


def test_a_mean_of_alternating_gradients_is_small_and_the_root_mean_square_is_not():
    for size in (1.0, 1e6):
        mean = square = 0.0
        for t in range(200):
            g = size * (-1) ** t
            mean, square = 0.9 * mean + 0.1 * g, 0.9 * square + 0.1 * g**2
        assert abs(mean) / size == pytest.approx(1 / 20, rel=0.06)
        assert np.sqrt(square) / size == pytest.approx(1, rel=1e-6)


def has_steps(steps):
    return bool(np.isfinite(steps).all())


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        pytest.param(sum_of_gradients, AdaGrad, id="adagrad"),
        pytest.param(mean_of_gradients, RMSProp, id="rmsprop"),
        pytest.param(adam_with_mean_of_gradients, Adam, id="adam"),
    ],
)
def test_it_is_the_squares_that_are_collected(wrong, right):
    gradients = [1.0, -1.0, -1.0, 1.0]
    with np.errstate(divide="ignore", invalid="ignore"):
        assert not has_steps(steps_of(wrong, gradients))
    assert has_steps(steps_of_optimizer(right, gradients))


def test_the_usual_epsilon_of_adam_is_not_a_millionth():
    usual = {rows["Adam"].defaults["eps"] for rows in CONVENTIONS.values() if "Adam" in rows}
    assert usual == {1e-8, 1e-7}
    assert 1e-6 not in usual
    small = np.full(3000, 1e-6)
    assert steps_of_optimizer(Adam, small, eps=1e-6)[-1] == pytest.approx(0.5, rel=1e-6)
    assert steps_of_optimizer(Adam, small, eps=1e-8)[-1] == pytest.approx(0.99, abs=1e-3)


def test_the_usual_second_decay_rate_of_adam_is_not_nine_tenths():
    usual = {rows["Adam"].defaults["beta2"] for rows in CONVENTIONS.values() if "Adam" in rows}
    assert usual == {0.999}
    assert 0.9 not in usual


def test_one_epsilon_is_two_floors():
    """1e-6 under the root, as in sections 3.4 and 3.5, and beside it, as in 3.6."""
    g = np.array([[1e-4]])
    under = steps_of_optimizer(AdamEpsRoot, g, eps=0.0, eps_root=1e-6)[0, 0]
    beside = steps_of_optimizer(Adam, g, eps=1e-6)[0, 0]
    assert under == pytest.approx(1e-4 / np.sqrt(1e-8 + 1e-6), rel=1e-9)
    assert under < 0.1 < 0.98 < beside
    same = steps_of_optimizer(Adam, g, eps=np.sqrt(1e-8 + 1e-6) - 1e-4)[0, 0]
    assert same == pytest.approx(under, rel=1e-9)  # beside the root it would take nearly 1e-3


def test_epsilon_is_for_a_divisor_that_is_zero_and_not_for_a_gradient():
    def fails(gradients):
        """Without epsilon: whether the last step of RMSProp is no number."""
        v = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            for g in np.asarray(gradients, dtype=float):
                v = 0.9 * v + 0.1 * g**2
                step = g / np.sqrt(v)
        return not np.isfinite(step)

    def said(gradients):
        return gradients[-1] == 0

    def so(gradients):
        return all(g**2 == 0 for g in gradients)

    cases = [[0.0], [1.0, 0.0], [1e-200], [1.0, 1e-200], [0.0, 0.0], [2.0]]
    assert [so(case) for case in cases] == [fails(case) for case in cases]
    assert [said(case) for case in cases] != [fails(case) for case in cases]
    of_the_present = [[0.0], [1.0, 0.0], [2.0]]  # in 3.4 the divisor has no memory: there it is right
    assert [said(case) for case in of_the_present] == [fails(case[-1:]) for case in of_the_present]
    assert not fails([1.0, 0.0])  # the gradient is zero, the divisor is not
    assert fails([1e-200])  # the gradient is not zero, its square is


def test_without_its_recursion_the_mean_of_rmsprop_can_be_before_or_after():
    """Section 3.5 gives R no formula: two readings, and they are far apart."""
    gradients = [0.01] * 50 + [1.0]

    def reading(newest):
        def rule(g, memory):
            before = memory.get("R", np.zeros_like(g))
            memory["R"] = 0.9 * before + 0.1 * g**2
            return g / np.sqrt(memory["R"] if newest else before + 1e-6)

        return steps_of(rule, gradients)[-1]

    assert reading(newest=False) > 30 * reading(newest=True)
    right = steps_of_optimizer(RMSProp, gradients, rho=0.9, eps=0.0)[-1]
    assert reading(newest=True) == pytest.approx(right, rel=1e-12)


def test_rmsprop_starts_from_the_sign():
    """Up to the rate: the sign is RMSProp without memory; AdaGrad is only its limit for a long one."""
    gradients = np.array([3.0, -2.0, 0.1, 5.0])

    def apart(rho, steps):
        ours = steps_of_optimizer(RMSProp, gradients, rho=rho, eps=0.0)
        return np.abs(ours / ours[0] - steps / steps[0]).max()

    adagrad = steps_of_optimizer(AdaGrad, gradients, eps=0.0)
    assert apart(0.0, np.sign(gradients)) == 0
    distances = [apart(rho, adagrad) for rho in (0.0, 0.5, 0.9, 0.99, 0.999)]
    assert (np.diff(distances) < 0).all()
    assert 0 < distances[-1] < 1e-3 < 0.1 < distances[0]
    assert (
        "Running Average of Its Recent Magnitude" in reference("tieleman2012rmsprop")["title"]
    )  # no sum


def squared_errors(decay, rates, jumps):
    """Of 60 runs with noisy gradients toward a target that may jump; `decay` None is AdaGrad."""
    rng, rates = np.random.default_rng(6), np.array(rates)[:, None]
    theta, v, errors = np.zeros((len(rates), 60)), np.zeros((len(rates), 60)), []
    target = rng.standard_normal(60)
    for step in range(4000):
        if jumps and step % 100 == 0:
            target = 3 * rng.standard_normal(60)
        g = theta - target + rng.standard_normal(60)
        v = v + g**2 if decay is None else decay * v + (1 - decay) * g**2
        theta = theta - rates * g / (np.sqrt(v) + 1e-8)
        errors.append(((theta - target) ** 2).mean(axis=1))
    return np.array(errors)


def test_rmsprop_is_not_always_a_better_adagrad():
    """At a constant rate it stays at its noise floor; where the past misleads, it is better."""

    def falls(errors):
        return errors[-500:].mean(axis=0) < 0.7 * errors[500:1000].mean(axis=0)

    assert falls(squared_errors(None, [0.5, 1.0, 2.0], jumps=False)).all()
    assert not falls(squared_errors(0.9, [0.05, 0.1, 0.3], jumps=False)).any()
    rates = np.geomspace(0.01, 3, 7)
    rmsprop, adagrad = (squared_errors(d, rates, jumps=True).mean(axis=0).min() for d in (0.9, None))
    assert rmsprop < 0.7 * adagrad


def test_the_second_decay_rate_of_adam_keeps_nothing_moving():
    """What has momentum goes on for a while when the gradients stop."""

    def goes_on(**rates):
        return abs(steps_of_optimizer(Adam, [1.0] * 5 + [0.0], **rates)[-1]) > 0

    assert not goes_on(beta1=0.0, beta2=0.9)
    assert goes_on(beta1=0.9, beta2=0.0, eps=1e-3)


def test_v_stands_for_two_things():
    meanings = [("v", "mean of gradients"), ("v", "mean of squares"), ("m", "mean of gradients")]

    def one_meaning_each(pairs):
        return len({name for name, _ in pairs}) == len(set(pairs))

    assert not one_meaning_each(meanings)
    assert one_meaning_each([("m", "mean of gradients"), ("v", "mean of squares")])
    notation = (ROOT / "book" / "notation.md").read_text(encoding="utf8")
    assert "The first moment is never called $v$." in notation


# The structure

HEADINGS = ["1", "2", "3", *(f"3.{k}" for k in range(1, 7)), "4", "5", "6", "", "4.1", "4.2"]
HEADINGS += ["4.3", "4.4", "4.5", "4.6", ""]  # "" has no number: the programs, the references


def in_order(headings):
    numbers = [[int(part) for part in number.split(".")] for number in headings if number]
    return numbers == sorted(numbers)


def nested(headings):
    """Whether every subsection stands under the section whose number it bears."""
    above = None
    for number in headings:
        if "." not in number:
            above = number
        elif number.split(".")[0] != above:
            return False
    return True


def headings_of(chapter):
    """A chapter's headings with the numbers that Sphinx gives them: 1, 1.1, 1.2, 2, ..."""
    numbers, counts = [], [0, 0]
    for mark in re.findall(r"^(##+) ", (TEXT / f"{chapter}.md").read_text(encoding="utf8"), re.M):
        deep = len(mark) == 3
        counts = [counts[0], counts[1] + 1] if deep else [counts[0] + 1, 0]
        numbers.append(f"{counts[0]}.{counts[1]}" if deep else f"{counts[0]}")
    return numbers


def test_the_numbers_of_the_headings():
    assert not in_order(HEADINGS)
    assert not nested(HEADINGS)
    found = headings_of("adam")
    assert in_order(found)
    assert nested(found)


def test_the_next_section_is_another_one():
    promised, where = "programs", HEADINGS.index("4")
    contents = dict(zip(range(len(HEADINGS)), [""] * len(HEADINGS), strict=True))
    contents[HEADINGS.index("5")], contents[HEADINGS.index("")] = "future", "programs"
    assert contents[where + 1] != promised
    assert contents[HEADINGS.index("")] == promised
    words = "\n".join(path.read_text(encoding="utf8") for path in TEXT.glob("*.md"))
    names = set(re.findall(r"^\((?P<name>[\w-]+)\)=$", words, re.M))
    for target in re.findall(r"\{numref\}`[Cc]hapter %s <(ch-[\w-]+)>`", words):
        assert target in names  # the book refers by names, and each is there


def programs_of(chapter):
    cells = re.findall(
        r"^```\{code-cell\} ipython3\n(.*?)^```$",
        (TEXT / f"{chapter}.md").read_text(encoding="utf8"),
        re.M | re.S,
    )
    cells = [re.sub(r"\A---\n.*?^---\n", "", cell, flags=re.M | re.S) for cell in cells]
    return ast.parse("\n".join(re.sub(r"\A(:.*\n)+", "", cell) for cell in cells))


def unused(tree):
    """Functions that a program defines and never uses."""
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return defined - names_read(tree)


def test_the_article_defines_six_functions_and_calls_none():
    six = "\n".join(f"def rule_{k}(parameters):\n    parameters[0] *= {k}" for k in range(6))
    assert len(unused(ast.parse(six))) == 6
    for chapter in ("adam", "momentum", "a-step-size-for-every-coordinate"):
        assert not unused(programs_of(chapter))


def explained(sections):
    """Whether every section that has a program also has sentences."""
    return all(sentences > 0 for programs, sentences in sections if programs)


def test_the_programs_are_explained_by_no_sentence():
    assert not explained([(1, 0)] * 6)  # sections 4.1 to 4.6: a heading and a program each
    text = (TEXT / "adam.md").read_text(encoding="utf8")
    sections = []
    for part in re.split(r"^##+ .+$", text, flags=re.M)[1:]:
        prose = re.sub(r"^```.*?^```$", "", part, flags=re.M | re.S)
        sections.append((part.count("{code-cell}"), len(re.findall(r"[a-z]\.(?:\s|$)", prose))))
    assert sum(programs for programs, _ in sections) > 10
    assert explained(sections)


# The program of section 4.1


def rates_used(schedule, steps=5):
    theta, lengths = np.zeros(1), []
    opt = SGD(theta, schedule)
    for _ in range(steps):
        before = theta.copy()
        opt.step(np.ones(1))
        lengths.append(before[0] - theta[0])
    return np.array(lengths)


def test_the_program_on_adjusting_the_rate_keeps_one_rate():
    def adjusts(rates):
        return bool(np.ptp(rates) > 1e-9)

    assert not adjusts(rates_used(0.01))  # the structure of 4.1: one number, given once
    assert adjusts(rates_used(inverse_time_decay(0.01, 0.5)))
    plateau = ReduceOnPlateau(0.01, patience=2)  # a rate may change without a plan, too
    for _ in range(9):
        plateau.observe(1.0)
    assert plateau.learning_rate < 0.01


rng = np.random.default_rng(8)
X = rng.standard_normal((50, 3)) @ np.array([[1.0, 0.8, 0], [0, 1, 0.5], [0, 0, 1]])
Y = rng.standard_normal(50)


def elementwise(theta):
    """Article 5's gradient: inputs times parameters, without a matrix product and without targets."""
    return (X * theta).sum(axis=0)


def products(theta):
    return X.T @ (X @ theta - Y)


def test_inputs_times_parameters_are_no_predictions():
    def loss(theta):
        return ((X @ theta - Y) ** 2).sum() / 2

    theta = np.array([0.5, -1.0, 2.0])
    assert check_gradient(loss, products, theta).passed
    assert not check_gradient(loss, elementwise, theta).passed
    # not even with targets of zero and inputs that are uncorrelated, only with a single one per row
    uncorrelated = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    np.testing.assert_array_equal(uncorrelated.T @ uncorrelated, 4 * np.eye(3))
    for x, passes in ((X, False), (uncorrelated, False), (np.eye(3)[[0, 0, 1, 2]], True)):
        checked = check_gradient(
            lambda w, x=x: ((x @ w) ** 2).sum() / 2, lambda w, x=x: (x * w).sum(axis=0), theta
        )
        assert checked.passed == passes
    with pytest.raises(ValueError, match="broadcast"):
        elementwise(theta[:, None])  # and weights as a column do not run
    assert (X @ theta[:, None]).shape == (50, 1)


def test_a_bias_gets_a_gradient_of_the_wrong_shape():
    parameters = {0: np.ones(3), 1: np.ones(1)}

    def shapes(gradients):
        return [g.shape for g in gradients]

    residual = X @ parameters[0] + parameters[1] - Y
    right = [X.T @ residual, residual.sum(keepdims=True)]
    expected = [p.shape for p in parameters.values()]
    assert shapes(right) == expected
    assert shapes([elementwise(p) for p in parameters.values()]) == [(3,), (3,)] != expected
    with pytest.raises(ValueError, match="broadcast"):
        elementwise(np.ones((3, 5)))


def test_a_sum_over_the_batch_grows_with_the_batch():
    theta = np.array([0.5, -1.0, 2.0])

    def gradient(repeat, over):
        x, y = np.tile(X, (repeat, 1)), np.tile(Y, repeat)
        return x.T @ (x @ theta - y) / (len(x) if over == "mean" else 1)

    np.testing.assert_allclose(gradient(4, "sum"), 4 * gradient(1, "sum"), rtol=1e-12)
    np.testing.assert_allclose(gradient(4, "mean"), gradient(1, "mean"), rtol=1e-12)


def test_batches_in_order_are_not_drawn_at_random():
    labels = np.repeat([0.0, 1.0], 500)

    def first_batches(order, draws=200):
        random = np.random.default_rng(9)
        return np.array([labels[order(random)[:64]].mean() for _ in range(draws)])

    fixed = first_batches(lambda random: np.arange(1000))
    shuffled = first_batches(lambda random: random.permutation(1000))
    assert (fixed == 0).all()  # one class only, and the same batch each time
    assert shuffled.mean() == pytest.approx(0.5, abs=0.02)
    assert shuffled.std() > 0.03
    labels = np.repeat([0.0, 1.0], [30, 970])
    assert first_batches(lambda random: np.arange(1000)).max() > 0.5  # the first class is a small one


def test_a_list_is_looked_up_by_a_name():
    parameters = {"w": np.ones(3)}
    grads = [elementwise(parameters[key]) for key in parameters]
    with pytest.raises(TypeError, match="list indices must be integers or slices, not str"):
        grads["w"]
    right = {key: elementwise(parameters[key]) for key in parameters}
    assert right["w"].shape == (3,)
    for keys in ((0, 1), (1, 0), (0, -1)):  # whole numbers that point into a list of two
        subtracts_from_the_key(dict.fromkeys(keys, 1.0), [np.ones(3)] * 2)
    with pytest.raises(IndexError):
        subtracts_from_the_key({1: 1.0, 2: 1.0}, [np.ones(3)] * 2)


def subtracts_from_the_key(parameters, grads):
    for key in parameters:
        key -= 0.1 * grads[key]


def subtracts_from_the_array(parameters, grads):
    for key in parameters:
        parameters[key] -= 0.1 * grads[key]


def test_an_update_of_the_loop_variable_changes_no_parameter():
    def moved(update):
        parameters = {0: np.ones(3)}
        update(parameters, [np.ones(3)])
        return not np.array_equal(parameters[0], np.ones(3))

    assert not moved(subtracts_from_the_key)
    assert moved(subtracts_from_the_array)


# The program of section 4.2


def test_the_number_of_batches_is_taken_from_a_name_that_is_not_there():
    program = "def count(batch):\n    return int(len({}) / batch)\n"
    wrong, right = {}, {"examples": range(640)}
    exec(program.format("examples"), wrong)
    exec(program.format("examples"), right)
    with pytest.raises(NameError, match="name 'examples' is not defined"):
        wrong["count"](64)
    assert right["count"](64) == 10


def test_the_program_of_the_schedule_is_not_its_formula():
    def agree(formula, program, at):
        return bool(np.allclose([formula(x) for x in at], [program(x) for x in at], rtol=1e-9))

    ratios = [1 / 4, 1 / 2, 1]  # of the two batch sizes
    assert not agree(lambda x: 1 / (1 + x), lambda x: 1 - x, ratios)
    assert [1 / (1 + 1 / 4), 1 - 1 / 4, 1 / (1 + 1), 1 - 1] == [0.8, 0.75, 0.5, 0]
    assert agree(lambda n: 0.1 * n / 4, warmup(constant(0.1), 4, start=0.0), range(4))


def test_with_a_small_warmup_batch_the_rate_is_zero_or_negative():
    def factor(batch, warmup_batch):
        return 1 - batch / warmup_batch

    assert factor(64, 64) == 0
    assert factor(64, 16) == -3
    assert factor(64, 1) == -63
    for steps in (1, 16, 64):
        assert min(warmup(constant(0.01), steps, start=0.001)(n) for n in range(100)) > 0
        assert min(warmup(constant(0.01), steps, start=0.0)(n) for n in range(100)) == 0


def test_a_schedule_gives_a_rate_to_every_step():
    def before_training(batches, factor=0.5, rate=0.01):
        for _ in range(batches):
            rate *= factor
        return rate

    def one_for_each_step(made):
        return callable(made) and len({made(n) for n in range(5)}) > 1

    assert not one_for_each_step(before_training(16))
    assert before_training(16) == pytest.approx(0.01 / 2**16)  # over before the first step
    assert one_for_each_step(warmup(constant(0.01), 16, start=0.001))


def test_the_first_rate_cannot_be_chosen():
    def fixed_inside(batch, warmup_batch):
        rate = 0.01
        return rate * (1 - batch / warmup_batch)

    with pytest.raises(TypeError, match="unexpected keyword argument 'learning_rate'"):
        fixed_inside(16, 64, learning_rate=0.1)
    small, large = (warmup(constant(rate), 4, start=0.0)(2) for rate in (0.01, 0.1))
    assert large == pytest.approx(10 * small)


@pytest.mark.parametrize("examples", [100, 65, 1000])
def test_the_two_programs_count_different_batches(examples):
    batch = 64
    updates = len(range(0, examples, batch))
    assert int(examples / batch) == updates - 1  # the last, smaller batch is missing
    assert -(-examples // batch) == updates
    assert int(128 / batch) == len(range(0, 128, batch))  # they agree where nothing is left over


def test_the_size_of_the_current_batch_is_not_in_the_program():
    sizes, warmup_batch = [64, 64, 36], 256

    def in_words(sizes):
        return [1 / (1 + size / warmup_batch) for size in sizes]

    def in_program(sizes, batch=64):
        return [1 - batch / warmup_batch for _ in sizes]

    def looks_at_the_batch(factors):
        return factors[-1] != factors[0]

    assert looks_at_the_batch(in_words(sizes))
    assert not looks_at_the_batch(in_program(sizes))
    # of a schedule, words and program are one: a rate for the number of finished steps
    words = [0.01 + (0.1 - 0.01) * n / 4 for n in range(4)]
    program = warmup(constant(0.1), 4, start=0.01)
    np.testing.assert_allclose([program(n) for n in range(4)], words, rtol=1e-12)


# The programs of sections 4.3 to 4.6


def parameter_momentum(p, rate):
    p -= rate * 0.1 * p


def parameter_adagrad(p, rate):
    p -= rate * p**2 / np.sqrt(p**2 + 1e-6)


def parameter_rmsprop(p, rate):
    p -= rate * p / np.sqrt(0.1 * p**2 + 1e-6)


def parameter_adam(p, rate):
    p -= rate * 0.1 * p / (np.sqrt(0.001 * p**2) + 1e-6)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        pytest.param(parameter_momentum, SGDRunningMean, id="momentum"),
        pytest.param(parameter_adagrad, AdaGrad, id="adagrad"),
        pytest.param(parameter_rmsprop, RMSProp, id="rmsprop"),
        pytest.param(parameter_adam, Adam, id="adam"),
    ],
)
def test_a_rule_without_a_gradient_knows_no_loss(wrong, right):
    def ends(target):
        """Where a rule leads on the parabola with its minimum at `target`."""
        by_parameter, by_gradient = np.array([2.0]), np.array([2.0])
        opt = right(by_gradient, 0.1)
        for _ in range(40):
            wrong(by_parameter, 0.1)
            opt.step(by_gradient - target)
        return by_parameter[0], by_gradient[0]

    (wrong_up, right_up), (wrong_down, right_down) = ends(5.0), ends(-5.0)
    assert wrong_up == wrong_down  # the minimum makes no difference
    assert right_up > 2 > right_down
    assert abs(ends(0.0)[0]) < 2  # by accident: here the parameter is the gradient


@pytest.mark.parametrize(
    ("once", "right"),
    [
        pytest.param(lambda g: 0.1 * g, SGDRunningMean, id="momentum"),
        pytest.param(lambda g: g / np.sqrt(g**2 + 1e-6), AdaGrad, id="adagrad"),
        pytest.param(lambda g: g / np.sqrt(0.1 * g**2 + 1e-6), RMSProp, id="rmsprop"),
        pytest.param(lambda g: 0.1 * g / (np.sqrt(0.001 * g**2) + 1e-6), Adam, id="adam"),
    ],
)
def test_a_state_made_in_every_call_remembers_nothing(once, right):
    """With the gradient where it belongs, and a state that is zero at the start of each call."""

    def remembers(step):
        return not np.isclose(step(3.0), step(-3.0), rtol=1e-9)

    options = {"momentum": 0.9} if right is SGDRunningMean else {}
    assert not remembers(lambda before: [once(np.array(g)) for g in (before, 2.0)][-1])
    if right in (AdaGrad, RMSProp):  # they remember sizes and not signs
        assert not np.isclose(
            steps_of_optimizer(right, [30.0, 2.0])[-1], steps_of_optimizer(right, [3.0, 2.0])[-1]
        )
        assert np.isclose(once(np.array(2.0)), [once(np.array(g)) for g in (30.0, 2.0)][-1])
    else:
        assert remembers(lambda before: steps_of_optimizer(right, [before, 2.0], **options)[-1])


def velocity_only_read(g, memory):
    v = memory.setdefault("v", np.zeros_like(g))
    return v + 0.1 * g


def test_a_velocity_that_is_never_written_is_zero():
    np.testing.assert_allclose(steps_of(velocity_only_read, np.ones(60)), 0.1)
    right = steps_of_optimizer(SGDRunningMean, np.ones(60), momentum=0.9)
    assert (np.diff(right) > 0).all()
    assert right[-1] == pytest.approx(1, abs=0.01)


def velocity_without_decay(g, memory):
    memory["v"] = memory.get("v", np.zeros_like(g)) + 0.1 * g
    return memory["v"]


def test_a_velocity_without_its_factor_forgets_nothing():
    """The program adds the velocity without beta: mended otherwise, it never comes to rest."""
    assert not settles(velocity_without_decay)
    ones = np.ones(100)
    assert steps_of(velocity_without_decay, ones).max() > 9  # the sum of the weights
    assert steps_of_optimizer(SGDRunningMean, ones, momentum=0.9).max() <= 1

    def farthest(rate):
        theta, memory, path = np.ones(1), {}, []
        for _ in range(300):
            theta = theta - rate * velocity_without_decay(theta, memory)
            path.append(abs(theta[0]))
        return max(path[-100:])

    assert 0.9 < farthest(0.05) < 1.1  # it swings as far as at the start
    assert farthest(50.0) > 1e6  # a large rate diverges
    assert settles(SGDRunningMean, momentum=0.9)


def sum_over_its_root(g, memory):
    memory["G"] = memory.get("G", np.zeros_like(g)) + g**2
    return memory["G"] / np.sqrt(memory["G"] + 1e-6)


def test_the_sum_in_place_of_the_gradient_loses_the_sign():
    assert (steps_of(sum_over_its_root, [1.0, -1.0, -2.0, 3.0]) > 0).all()
    assert steps_of(sum_over_its_root, [0.0]) == 0
    assert (np.sign(steps_of_optimizer(AdaGrad, [1.0, -1.0, -2.0, 3.0])) == [1, -1, -1, 1]).all()

    def ends(optimizer=None):
        """After ten steps from 0, with the minimum at 3."""
        theta, memory = np.zeros(1), {}
        opt = optimizer and optimizer(theta, 0.1)
        for _ in range(10):
            if opt:
                opt.step(theta - 3)
            else:
                theta = theta - 0.1 * sum_over_its_root(theta - 3, memory)
        return theta[0]

    assert ends() < 0 < ends(AdaGrad)  # it goes the other way


def rmsprop_without_decay(g, memory):
    memory["v"] = memory.get("v", np.zeros_like(g)) + 0.1 * g**2
    return g / np.sqrt(memory["v"] + 1e-6)


def test_rmsprop_without_decay_is_a_sum():
    wrong = steps_of(rmsprop_without_decay, np.ones(1000))
    assert wrong[-1] == pytest.approx(0.1, rel=1e-3)  # one over the root of 0.1 times 1,000
    assert steps_of_optimizer(RMSProp, np.ones(1000), rho=0.9)[-1] == pytest.approx(1, rel=1e-6)


def test_the_program_of_rmsprop_divides_by_another_root():
    """From one mean and one gradient, by hand: the formula of 3.5, the program of 4.5, and ours."""
    rho, epsilon, g, mean = 0.9, 1e-6, 3.0, 4.0
    formula, program = g / np.sqrt(rho * mean + epsilon), g / np.sqrt(mean + epsilon)
    assert [formula, program] == pytest.approx([1.5811, 1.5], abs=1e-4)
    assert formula / program == pytest.approx(1 / np.sqrt(rho), rel=1e-6)
    far_below = 1e-9  # a mean that epsilon hides: then the two agree
    assert np.sqrt((rho * far_below + epsilon) / (far_below + epsilon)) == pytest.approx(1, abs=1e-4)
    gradients = [1.0, 2.0]  # v = 0.1, then 0.09 + 0.4 = 0.49
    assert steps_of_optimizer(RMSProp, gradients, rho=rho, eps=0.0)[-1] == pytest.approx(2 / 0.7)


def adam_without_decay(g, memory):
    memory["m"] = memory.get("m", np.zeros_like(g)) + 0.1 * g
    memory["v"] = memory.get("v", np.zeros_like(g)) + 0.001 * g**2
    return memory["m"] / (np.sqrt(memory["v"]) + 1e-6)


def test_adam_without_decay_takes_longer_and_longer_steps():
    wrong = steps_of(adam_without_decay, np.ones(1000))
    assert wrong[[0, -1]] == pytest.approx([np.sqrt(10), 100], rel=1e-3)
    np.testing.assert_allclose(steps_of_optimizer(Adam, np.ones(1000)), 1, rtol=1e-6)


def test_a_rule_given_a_dict_does_not_move_its_arrays():
    """Section 4.1 wants a dict, 4.3 to 4.6 a list of arrays; all call it `parameters`."""

    def shrink(parameters):
        for p in parameters:
            p -= 0.1 * (np.zeros_like(p) + p)

    numbered, listed = {1: np.ones(2)}, [np.ones(2)]
    shrink(numbered)  # without a word
    shrink(listed)
    np.testing.assert_array_equal(numbered[1], np.ones(2))
    np.testing.assert_allclose(listed[0], 0.9)

    def after(parameters, rule):
        """With a state of zeros like each parameter, to which a multiple of its square is added."""
        for p, s in zip(parameters, [np.zeros_like(p) for p in parameters], strict=True):
            s += rule * p**2
            p -= 0.1 * p / np.sqrt(s + 1e-6)
        return parameters

    for rule in (1, 0.1):  # AdaGrad adds the square; RMSProp and Adam a fraction, to whole numbers
        assert after([2.0, 3.0], rule) == [2.0, 3.0]
        with pytest.raises(TypeError):
            after({"w": np.ones(2)}, rule)
    assert np.array_equal(after({1: np.ones(2)}, 1)[1], np.ones(2))
    for whole_numbers in ({1: np.ones(2)}, [2, 3]):
        with pytest.raises(TypeError, match="Cannot cast"):
            after(whole_numbers, 0.1)
    with pytest.raises(TypeError):
        shrink({"w": np.ones(2)})
    with pytest.raises(TypeError, match="only integer scalar arrays"):
        [listed[p] for p in listed]  # and section 4.1 with a list of arrays
    for parameters in ({"w": np.ones(2)}, [np.ones(2)]):  # optimlib takes both
        SGD(parameters, 0.1).step(parameters.copy())
        np.testing.assert_allclose(next(iter(getattr(parameters, "values", parameters.copy)())), 0.9)


# Section 5


def year_of(key):
    return int(reference(key)["year"])


def test_the_first_two_directions_of_the_future_lie_in_the_past():
    latest = 2018  # the latest year in the article's references
    is_future = {"steps that adapt": "duchi2011adaptive", "a fusion of methods": "kingma2015adam"}
    assert not any(year_of(key) > latest for key in is_future.values())
    assert year_of("jordan2024muon") > latest  # what the book calls recent, is


def test_healthy_gradients_are_no_generalization():
    """A network that can be trained learns even labels drawn by lot, which say nothing of new ones."""
    random = np.random.default_rng(10)
    x, new = random.standard_normal((2, 40, 10))
    y, y_new = random.choice([-1.0, 1.0], (2, 40))

    def accuracies(scale, layers=8, width=32):
        draw = np.random.default_rng(11)
        sizes = [10] + [width] * layers + [1]
        w = [scale * draw.standard_normal(s) / np.sqrt(s[0]) for s in pairwise(sizes)]

        def forward(x):
            hidden = [x]
            for layer in w[:-1]:
                hidden.append(np.tanh(hidden[-1] @ layer))
            return hidden, (hidden[-1] @ w[-1])[:, 0]

        opt = SGD(w, 0.05, momentum=0.9)
        for _ in range(300):
            hidden, out = forward(x)
            d, grads = ((out - y) / len(y))[:, None], []
            for layer, before in zip(w[::-1], hidden[::-1], strict=True):
                grads.append(before.T @ d)
                d = (d @ layer.T) * (1 - before**2)
            opt.step(grads[::-1])
        return [np.mean(np.sign(forward(a)[1]) == b) for a, b in ((x, y), (new, y_new))]

    vanished, healthy = accuracies(0.1), accuracies(1.2)
    assert vanished[0] < 0.75
    assert healthy[0] > 0.95  # the cure helps on the examples
    assert healthy[1] < 0.65  # and not, by itself, on new ones
    assert healthy[0] - healthy[1] > vanished[0] - vanished[1] + 0.2


# The references


@pytest.mark.parametrize(
    ("key", "name", "cited", "right"),
    [
        pytest.param(
            "reddi2018convergence",
            "title",
            "On the Convergence of Adam and Related Optimization Algorithms",
            "On the Convergence of Adam and Beyond",
            id="reddi-title",
        ),
        pytest.param(
            "reddi2018convergence",
            "author",
            "Reddi, G. and Kumar, S. and Chandrasekaran, B. and Weinberger, K. Q.",
            "Reddi, Sashank J. and Kale, Satyen and Kumar, Sanjiv",
            id="reddi-authors",
        ),
        pytest.param("reddi2018convergence", "eprint", "1801.09052", "1904.09237", id="reddi-number"),
        pytest.param(
            "zeiler2012adadelta",
            "title",
            "ADAGRAD: An Adaptive Learning Rate Method",
            "ADADELTA: An Adaptive Learning Rate Method",
            id="zeiler-title",
        ),
        pytest.param(
            "zeiler2012adadelta",
            "author",
            "Zeiler, M. D. and Fergus, R.",
            "Zeiler, Matthew D.",
            id="zeiler-authors",
        ),
        pytest.param("zeiler2012adadelta", "eprint", "1212.0020", "1212.5701", id="zeiler-number"),
    ],
)
def test_the_references_are_cited_as_they_are(key, name, cited, right):
    def agrees(words):
        return words == reference(key)[name]

    assert agrees(right)
    assert not agrees(cited)
