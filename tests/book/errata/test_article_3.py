"""What article 3 gets wrong: for each error, the wrong version fails and the right one passes."""

import inspect
import re
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from chapter_texts import numbered_lists, text_of
from notebook_rules import ROOT
from support import loss_of_the_best_rate, steps_taken

from optimlib import SGD, AdaGrad, Adam, check_gradient, nn
from optimlib.clipping import clip_by_value
from optimlib.optimizers import SGDRunningMean


def notation():
    return (ROOT / "book" / "notation.md").read_text(encoding="utf8")


def running_mean(gradients, beta, start=0.0):
    mean = start
    for g in gradients:
        mean = beta * mean + (1 - beta) * g
    return mean


# What the article says of gradient descent, momentum and clipping.


def examples_per_step(optimizer, n, batch=None):
    """How many examples a step looks at, counted while a line is fitted."""
    rng, seen = np.random.default_rng(0), Counter()
    x = rng.standard_normal(n)
    theta = np.zeros(1)
    opt = optimizer(theta, 0.1)
    for _ in range(20):
        rows = np.arange(n) if batch is None else rng.integers(n, size=batch)
        seen["examples"] += len(rows)
        opt.step(np.array([np.mean((theta[0] * x[rows] - 2 * x[rows]) * x[rows])]))
    return seen["examples"] / 20


def test_adam_makes_no_gradient_cheaper():
    """What grows with the data is the full gradient; a minibatch is what makes a step cheap."""
    for n in (100, 10_000):
        assert examples_per_step(Adam, n) == examples_per_step(SGD, n) == n
        assert examples_per_step(Adam, n, batch=8) == examples_per_step(SGD, n, batch=8) == 8


RATES = 2.0 ** np.arange(-14, 5)
ROUND_BOWL, LONG_VALLEY = np.ones(2), np.array([1.0, 1e3])


def test_adam_is_not_better_on_every_problem():
    assert loss_of_the_best_rate(SGD, RATES, ROUND_BOWL, 20) == 0
    assert loss_of_the_best_rate(Adam, RATES, ROUND_BOWL, 1) < 1e-15  # one rate lands at once
    assert loss_of_the_best_rate(Adam, RATES, ROUND_BOWL, 20) > 1e-3  # and coasts past
    adams, plain = (
        {steps: loss_of_the_best_rate(rule, RATES, LONG_VALLEY, steps) for steps in (20, 100)}
        for rule in (Adam, SGD)
    )
    assert 50 * adams[100] < plain[100]
    assert adams[20] > 1.5 * plain[20]  # it takes more steps than twenty to be ahead there


def test_momentum_is_not_faster_on_every_problem():
    plain, momentum = (
        [loss_of_the_best_rate(rule, RATES, bowl, 100, **options) for bowl in (ROUND_BOWL, LONG_VALLEY)]
        for rule, options in ((SGD, {}), (SGDRunningMean, {"momentum": 0.9}))
    )
    assert plain[0] < momentum[0]
    assert momentum[1] < 0.5 * plain[1]
    short = [
        loss_of_the_best_rate(rule, RATES, LONG_VALLEY, 10, **options)
        for rule, options in ((SGD, {}), (SGDRunningMean, {"momentum": 0.9}))
    ]
    assert short[1] > 1.5 * short[0]  # after ten steps it doesn't pay there, either


@pytest.mark.parametrize("optimizer", [SGD, SGDRunningMean])
def test_it_is_the_speed_that_grows(optimizer):
    """Under one gradient: speeds are steps, and accelerations the differences of speeds."""
    speed = steps_taken(optimizer, np.ones(60), learning_rate=1.0, momentum=0.9)
    acceleration = np.diff(speed)
    assert (acceleration > 0).all()  # the speed increases
    assert (np.diff(acceleration) < 0).all()  # and the acceleration doesn't
    np.testing.assert_allclose(acceleration[1:] / acceleration[:-1], 0.9)
    # The condition, one gradient all the time: of one sign, but growing or shrinking, they do otherwise.
    growing = np.diff(steps_taken(optimizer, 2.0 ** np.arange(20), learning_rate=1.0, momentum=0.9))
    assert (np.diff(growing) > 0).all()
    shrinking = steps_taken(optimizer, 0.5 ** np.arange(20), learning_rate=1.0, momentum=0.9)
    assert (shrinking > 0).all()
    assert (np.diff(shrinking)[3:] < 0).all()


def test_a_mean_of_gradients_has_no_root():
    """A reader who takes the article's v for the v of Adam's formula divides by the root of it."""
    gradients = np.array([-1.0, -2.0, -0.5])
    articles_v = running_mean(gradients, 0.9)
    adams_v = running_mean(gradients**2, 0.999)
    with np.errstate(invalid="ignore"):
        assert np.isnan(np.sqrt(articles_v))
    assert np.sqrt(adams_v) > 0
    assert running_mean([10.0, -1.0], 0.9) > 0  # it is the mean that must be negative, not a gradient
    assert "The first moment is never called $v$." in notation()


def power_loss(depth):
    """The loss of a chain of `depth` factors w, which should make 1 of 1."""

    def loss(w):
        return ((w**depth - 1) ** 2).sum()

    def gradient(w):
        return 2 * (w**depth - 1) * depth * w ** (depth - 1)

    return loss, gradient


def test_a_huge_gradient_is_computed_and_its_step_is_what_fails():
    loss, gradient = power_loss(50)
    w = np.array([1.2])
    assert gradient(w)[0] == pytest.approx(7e9, rel=0.05)
    assert check_gradient(loss, gradient, w).passed
    with np.errstate(over="ignore"):
        assert loss(w - 0.01 * gradient(w)) == np.inf  # only the far end of the step overflows
    limited = w - 0.01 * np.clip(gradient(w), -1, 1)
    assert loss(limited) < loss(w)


def norms_on_the_way_back(output_gradient, factor, layers=30):
    """Norms of a gradient at every layer, the last layer first; the factors are orthogonal."""
    rng = np.random.default_rng(3)
    g, norms = np.full(8, output_gradient), []
    for _ in range(layers):
        q, _ = np.linalg.qr(rng.standard_normal((8, 8)))
        norms.append(np.linalg.norm(g))
        g = g @ (factor * q)
    return np.array(norms)


def explodes(norms):
    return bool(norms[-1] > 1000 * norms[0])


def test_large_gradients_do_not_make_an_explosion():
    assert not explodes(norms_on_the_way_back(1e6, factor=1.0))
    assert explodes(norms_on_the_way_back(1e-6, factor=1.5))
    growth = [norms_on_the_way_back(size, factor=1.5)[-1] / size for size in (1e-6, 1.0, 1e6)]
    np.testing.assert_allclose(growth, growth[0])
    first, *_, last = norms_on_the_way_back(1e-6, factor=1.5)
    assert last / first > 1e5
    # Each of these factors stretches one direction, and the next one shrinks it again.
    one, other = np.diag([1.5, 0.5]), np.diag([0.5, 1.5])
    assert np.linalg.norm(np.linalg.matrix_power(one @ other, 15), ord=2) < 0.1
    assert np.linalg.norm(np.linalg.matrix_power(one @ one, 15), ord=2) > 1e5


def test_clipping_limits_the_step_and_not_the_explosion():
    _, gradient = power_loss(30)

    def run(start, steps_to_take=20, **options):
        w, seen, steps = np.array([start]), [], []
        opt = SGD(w, 0.01, **options)
        for _ in range(steps_to_take):
            before, g = w.copy(), gradient(w)
            seen.append(abs(g[0]))
            opt.step(g)
            steps.append(abs(w - before)[0])
        return np.array(seen), np.array(steps)

    _, plain_steps = run(1.3, steps_to_take=1)
    seen, steps = run(1.3, clip_value=1.0)
    assert plain_steps[0] > 1000  # what clipping prevents
    assert steps.max() <= 0.01 * (1 + 1e-9)
    assert seen.min() > 1000  # what it doesn't: every one of the gradients is as huge as it was
    later, _ = run(1.3, steps_to_take=100, clip_value=1.0)
    assert later[20] > 1000  # but the steps lead out of the region of explosion
    assert later[30:].max() < 100
    assert np.isnan(np.clip(np.nan, -1, 1))  # nor can it help where a gradient is NaN
    with np.errstate(invalid="ignore"):
        assert np.isnan(
            np.float64(np.inf) * (1 / np.float64(np.inf))
        )  # nor its norm, where one is infinite
    assert run(0.99, steps_to_take=1)[0] < 100  # factors near one are what prevents it


def test_a_gradient_equals_its_clip_only_where_nothing_is_clipped():
    def holds(g, clipped):
        return bool(g == clipped)

    assert holds(0.3, clip_by_value(np.array(0.3), 1.0))
    assert not holds(5.0, clip_by_value(np.array(5.0), 1.0))
    gradients = np.array([0.3, 5.0, 0.2])  # and the mean of one is not the mean of the other
    assert running_mean(gradients, 0.9) > 3 * running_mean(np.clip(gradients, -1, 1), 0.9)
    assert running_mean(gradients, 0.0) == running_mean(
        np.clip(gradients, -1, 1), 0.0
    )  # not for any beta
    formula = re.search(r":label: eq-clipping-value\n(.+)\n", text_of("clipping"))[1]
    assert formula.startswith(r"\tilde g_i =")


# The steps of the algorithm, as the article lists them.


def test_the_mean_is_updated_once_in_a_step():
    """Twice with one gradient is another mean: its decay rate is the square, and it forgets faster."""
    gradients = np.random.default_rng(0).standard_normal(30)
    twice = once = 0.0
    for g in gradients:
        once = running_mean([g], 0.9, once)
        twice = running_mean([g, g], 0.9, twice)  # steps 1 and 3 of the article's list
    assert once == pytest.approx(running_mean(gradients, 0.9))
    assert twice == pytest.approx(running_mean(gradients, 0.81))
    assert abs(twice - once) > 0.01
    pairs = np.random.default_rng(1).standard_normal((30, 2))  # on other examples, another gradient
    assert abs(running_mean(pairs.ravel(), 0.9) - running_mean(pairs[:, 0], 0.81)) > 0.01


def test_a_gradient_is_no_state():
    """It is computed from the parameters; if an old one enters the new, it is not the gradient."""

    def path(first, keep):
        theta, g, points = np.array([2.0]), np.array([first]), []
        for _ in range(10):
            g = keep * g + (theta - 1)
            theta = theta - 0.1 * g
            points.append(theta[0])
        return np.array(points)

    np.testing.assert_array_equal(path(0.0, keep=0.0), path(100.0, keep=0.0))  # no use initializing it
    assert np.ptp([path(0.0, keep=0.5)[-1], path(100.0, keep=0.5)[-1]]) > 0.1
    old = np.array([100.0])

    def loss(t):
        return ((t - 1) ** 2).sum() / 2

    assert check_gradient(loss, lambda t: t - 1, np.array([2.0])).passed
    assert not check_gradient(loss, lambda t: 0.5 * old + (t - 1), np.array([2.0])).passed
    assert check_gradient(
        loss, lambda t: 0.5 * 0 * old + (t - 1), np.array([2.0])
    ).passed  # but if it is 0


def test_the_two_lists_of_steps_are_two_algorithms():
    """The three core steps update the mean twice and clip nothing; the detailed ones clip first."""

    def path(actions, steps=30):
        theta, v, points = 5.0, 0.0, []
        for _ in range(steps):
            g = theta - 1.0
            for action in actions:
                if action == "clip":
                    g = np.clip(g, -1, 1)
                elif action == "mean":
                    v = 0.9 * v + 0.1 * g
                else:
                    theta -= 0.5 * v
            points.append(theta)
        return np.array(points)

    core = path(("mean", "parameters", "mean"))
    details_of = ("clip", "mean", "parameters")
    details = path(details_of)
    assert (5 - core[0]) / (5 - details[0]) == pytest.approx(4)
    assert np.abs(core - details).max() > 0.5
    far = [path(actions, steps=1000)[-1] for actions in (("mean", "parameters", "mean"), details_of)]
    np.testing.assert_allclose(far, 1.0)  # and both to the minimum
    assert np.abs(path(("mean", "parameters")) - details).max() > 0.5  # it is the clip that parts them
    theta = np.array([5.0])
    opt = SGDRunningMean(theta, 0.5, momentum=0.9, clip_value=1.0)  # one list, and a program of it
    for point in details:
        opt.step(theta - 1.0)
        np.testing.assert_allclose(theta[0], point)


def test_a_loop_in_a_loop_makes_too_many_steps():
    def loop_in_a_loop(T):
        """Step 2 is for all t, and step 3 repeats step 2 until the number of steps is reached."""
        return [t for _ in range(T) for t in range(1, T + 1)]

    def loop(T):
        return list(range(1, T + 1))

    assert len(loop_in_a_loop(20)) == 400
    assert len(loop(20)) == 20
    assert Counter(loop_in_a_loop(20))[1] == 20  # and every t stands for twenty steps


def equations(text):
    return re.findall(r"^```\{math\}\n:label: .+\n([^`]+)\n```$", text, flags=re.MULTILINE)


def test_a_list_and_a_formula_stand_only_once():
    steps = "1. mean and gradient\n2. parameters\n3. mean and gradient again\n"
    mean, clip = (f"```{{math}}\n:label: x\n{words}\n```\n" for words in ("v = ...", "g = clip(g)"))
    article = "\n".join([mean, clip, steps, "## 3.1\n", steps, "### 3.3\n", mean, clip])
    assert list(Counter(numbered_lists(article)).values()) == [2]
    assert list(Counter(equations(article)).values()) == [2, 2]
    texts = [path.read_text(encoding="utf8") for path in sorted((ROOT / "book" / "text").glob("*.md"))]
    lists = [steps for text in texts for steps in numbered_lists(text)]
    assert len(lists) > 3
    assert max(Counter(lists).values()) == 1
    for text in texts:
        assert len(set(equations(text))) == len(equations(text))


def without_code(text):
    return re.sub(r"^(```+)[^\n]*\n.*?^\1 *$", "", text, flags=re.DOTALL | re.MULTILINE)


def test_sections_of_one_rank_have_headings_of_one_rank():
    article = {"1": 1, "2": 2, "3": 2, "4": 2, "5": 2, "6": 2}  # number of hashes of each main section
    assert len(set(article.values())) == 2
    order = ["5. Outlook", "6. Appendix", "Conclusion"]  # and the end of the article
    assert order.index("6. Appendix") < order.index("Conclusion")
    for path in sorted((ROOT / "book" / "text").glob("*.md")):
        ranks = [len(mark) for mark in re.findall(r"^(#+) ", without_code(path.read_text("utf8")), re.M)]
        assert ranks.count(1) == 1, path.name
        assert ranks[0] == 1, path.name  # the title; everything else stands below it
        last = re.findall(r"^## (.+)$", without_code(path.read_text("utf8")), re.M)[-2:]
        assert "Summary" not in last or last == ["Summary", "Further reading"], path.name


# The formula of the step.


def by_the_formula(gradients, beta1=0.9, beta2=0.999, threshold=1.0):
    """The steps of section 3.3 in learning rates: the mean is computed, and not used."""
    v, steps = 0.0, []
    for t, g in enumerate(gradients, start=1):
        clipped = np.clip(g, -threshold, threshold)
        v = beta1 * v + (1 - beta1) * clipped
        steps.append(clipped / (1 - beta2**t))
    return np.array(steps)


VARIED = np.random.default_rng(1).uniform(-1, 1, 20)


def test_the_mean_of_the_formula_is_never_used():
    np.testing.assert_array_equal(by_the_formula(VARIED, beta1=0.9), by_the_formula(VARIED, beta1=0.0))
    a, b = (steps_taken(Adam, VARIED, learning_rate=1.0, beta1=beta1) for beta1 in (0.9, 0.0))
    assert np.abs(a - b)[1:].min() > 1e-3
    a, b = (steps_taken(Adam, np.full(20, 0.7), learning_rate=1.0, beta1=beta1) for beta1 in (0.9, 0.0))
    np.testing.assert_allclose(a, b)  # a mean of equal gradients is each of them


def test_without_a_mean_of_squares_steps_are_as_small_as_gradients():
    """After 5000 steps, when the correction has faded: gradients of 0.5 and of 0.001."""
    large, small = (by_the_formula(np.full(5000, size))[-1] for size in (0.5, 0.001))
    assert large / small == pytest.approx(500)
    large, small = (
        steps_taken(Adam, np.full(500, size), learning_rate=1.0)[-1] for size in (0.5, 0.001)
    )
    assert large / small == pytest.approx(1, rel=1e-4)


def test_the_correction_undoes_the_limit():
    """A limit of 1, and then a division by 0.001: the first step is a thousand limits long."""
    assert by_the_formula(np.full(2, 50.0)).max() == pytest.approx(1000)
    for g in (50.0, 1e-3):
        assert steps_taken(Adam, [g], learning_rate=1.0, clip_value=1.0) == pytest.approx([1], rel=1e-4)
        assert steps_taken(Adam, [g], learning_rate=1.0) == pytest.approx([1], rel=1e-4)
    assert steps_taken(Adam, [50.0], learning_rate=1.0, clip_value=1e-8) == pytest.approx([0.5])
    assert steps_taken(Adam, [1e-9], learning_rate=1.0) < 0.1  # near epsilon it is not so


def test_a_threshold_has_no_decay_rate():
    """A fixed limit looks at the latest gradient alone; the mean that beta2 belongs to remembers."""
    quiet, loud = np.array([0.1, 0.1, 0.5]), np.array([90.0, 90.0, 0.5])
    assert np.clip(quiet, -1, 1)[-1] == np.clip(loud, -1, 1)[-1]
    assert running_mean(loud**2, 0.999) > 1000 * running_mean(quiet**2, 0.999)
    assert not {"beta2", "decay"} & set(inspect.signature(clip_by_value).parameters)
    a, b = (steps_taken(Adam, loud, learning_rate=1.0, beta2=beta2)[-1] for beta2 in (0.9, 0.999))
    assert abs(a - b) > 0.01


def test_a_mean_from_zero_is_too_small_at_first():
    means = [running_mean(np.ones(t), 0.9) for t in (1, 2, 10)]
    assert means == pytest.approx([0.1, 0.19, 0.651], abs=1e-3)  # of gradients that are all 1
    assert [m / (1 - 0.9**t) for m, t in zip(means, (1, 2, 10), strict=True)] == pytest.approx([1] * 3)
    assert "m_0 = 0" in text_of("adam")


def test_the_steps_are_counted_from_one():
    with pytest.raises(ZeroDivisionError):
        _ = 1.0 / (1 - 0.999**0)
    assert by_the_formula([1.0])[0] == pytest.approx(1000)
    assert "The first step is $t = 1$" in notation()


# The program.


def draw(rng):
    """Ten inputs and ten targets, with no relation between them."""
    return rng.standard_normal(10), rng.standard_normal(10)


def residuals(theta, x, y):
    return theta["W"][:, None] * x + theta["b"] - y


def squared(theta, x, y):
    return np.mean(residuals(theta, x, y) ** 2)


def slopes(theta, x, y):
    r = residuals(theta, x, y)
    return {"W": 2 * (r * x).mean(axis=1) / 10, "b": np.array([2 * r.mean()])}


def expected(theta):
    return 1 + np.mean(theta["W"] ** 2) + theta["b"][0] ** 2


def started(seed):
    rng = np.random.default_rng(seed)
    return {"W": rng.standard_normal(10), "b": rng.standard_normal(1)}, rng


def program(seed, optimizer=Adam, rate=0.001, steps=1000, **options):
    """The article's program in our own words: parameters, ten printed losses, norms of the gradient."""
    theta, rng = started(seed)
    opt, printed, norms = optimizer(theta, rate, **options), [], []
    for i in range(steps):
        x, y = draw(rng)
        if i % 100 == 0:
            printed.append(squared(theta, x, y))
        g = slopes(theta, x, y)
        norms.append(np.sqrt(sum((leaf**2).sum() for leaf in g.values())))
        opt.step(g)
    return theta, np.array(printed), np.array(norms)


def test_the_names_of_the_program_belong_to_tensorflow_1():
    """A model of the two interfaces: the old names have moved, and stand below compat.v1."""
    used = ("random_normal", "global_variables_initializer", "Session")
    old = SimpleNamespace(Variable=1, **dict.fromkeys(used))
    new = SimpleNamespace(Variable=1, random=SimpleNamespace(normal=1), compat=SimpleNamespace(v1=old))
    for name in used:
        with pytest.raises(AttributeError, match=name):
            getattr(new, name)
        assert hasattr(new.compat.v1, name)


def test_a_product_of_elements_sums_no_inputs():
    rng = np.random.default_rng(0)
    W, x = rng.standard_normal((10, 1)), rng.standard_normal(10)
    assert (W * x).shape == (10, 10)
    assert (x @ W).shape == (1,)
    moved = W.copy()
    moved[3] += 1
    changed = np.flatnonzero(((moved * x) != (W * x)).any(axis=1))
    assert changed.tolist() == [3]  # ten models, of which each has one weight
    examples = rng.standard_normal((5, 10))
    assert ((examples @ moved) != (examples @ W)).all()  # in one model each weight has a say


def test_there_is_nothing_to_learn():
    theta, rng = started(2)
    sample = np.mean([squared(theta, *draw(rng)) for _ in range(20_000)])
    assert sample == pytest.approx(expected(theta), rel=0.03)
    learned, _, _ = program(2, SGD, 0.05)
    assert np.abs(learned["W"]).max() < 0.4  # near zero: it answers nothing to everything
    assert expected(learned) >= 1
    related, rng = started(2)
    opt = SGD(related, 0.05)
    for _ in range(1000):
        x = rng.standard_normal(10)
        opt.step(slopes(related, x, 3 * x + 1))
    assert squared(related, x, 3 * x + 1) < 0.01
    np.testing.assert_allclose(related["W"], 3, atol=0.1)


def test_a_loss_that_draws_its_data_is_no_function():
    theta, rng = started(0)
    report = check_gradient(lambda t: squared(t, *draw(rng)), lambda t: slopes(t, *draw(rng)), theta)
    assert report.verdict == "inconclusive"  # and not "fail"
    assert "not a function of theta" in report.problem
    x, y = draw(rng)
    assert check_gradient(lambda t: squared(t, x, y), lambda t: slopes(t, x, y), theta).passed


def test_ten_single_draws_do_not_show_a_loss_that_falls():
    """Of the steps from one printed loss to the next, how many go up; and of the expected loss's."""
    printed = []
    first_and_last(200, printed=printed)
    assert np.mean(np.diff(printed, axis=0) > 0) == pytest.approx(0.45, abs=0.02)
    assert program(0)[1].shape == (10,)
    theta, _ = started(0)
    falls = []
    for _ in range(10):
        falls.append(expected(theta))
        theta = {key: leaf * 0.9 for key, leaf in theta.items()}
    assert (np.diff(falls) < 0).all()  # on a fixed measure the same progress is seen in every line


def test_the_program_takes_other_steps_than_the_formulas():
    g = np.array([0.5])
    formula = 0.001 * by_the_formula(g, threshold=1.0)
    assert formula[0] == pytest.approx(0.5)
    assert 0.001 * by_the_formula(g, beta2=0.9)[0] == pytest.approx(0.005)  # with another beta2
    assert steps_taken(Adam, g, learning_rate=0.001)[0] == pytest.approx(0.001, rel=1e-6)


def test_an_adam_with_nothing_but_a_rate_clips_nothing():
    spike = np.array([1.0] * 50 + [1000.0] + [1.0] * 50)
    as_called, no_limit, limit = (
        steps_taken(Adam, spike, learning_rate=0.001, **options)
        for options in ({}, {"clip_value": None}, {"clip_value": 1.0})
    )
    np.testing.assert_array_equal(as_called, no_limit)
    assert limit == pytest.approx(0.001)
    assert np.abs(as_called - limit).max() > 0.0005


@pytest.mark.parametrize("optimizer", [SGD, Adam])
def test_nothing_explodes_in_one_layer(optimizer):
    largest = max(program(seed, optimizer, 0.01)[2].max() for seed in range(2))
    assert largest < 20  # without any clipping
    deep = norms_on_the_way_back(1.0, 1.5)  # thirty layers can
    assert deep[0] == pytest.approx(3, rel=0.1)
    assert deep[-1] > 3e5


def test_a_single_layer_diverges_at_too_large_a_rate():
    """Which is no product of factors on the way back: the run itself moves away."""
    assert program(0, SGD, 2.0, steps=60)[2][-1] > 1e6


def first_and_last(runs, rate=0.001, steps=1000, printed=None, **options):
    """The program, for many starts at once: weights, then biases; the draws are the same each time.

    What it prints is added to `printed`, a list, if there is one.
    """
    rng = np.random.default_rng(0)
    theta = {"W": rng.standard_normal((runs, 10)), "b": rng.standard_normal((runs, 1))}
    first = np.hstack([theta["W"], theta["b"]])
    opt = Adam(theta, rate, **options)
    for i in range(steps):
        x, y = rng.standard_normal((2, runs, 1, 10))
        r = theta["W"][:, :, None] * x + theta["b"][:, :, None] - y
        if printed is not None and i % 100 == 0:
            printed.append((r**2).mean(axis=(1, 2)))
        opt.step({"W": 2 * (r * x).mean(axis=2) / 10, "b": 2 * r.mean(axis=(1, 2))[:, None]})
    return first, np.hstack([theta["W"], theta["b"]])


def excess(weights):
    """What the expected loss of each run is above its minimum, 1."""
    return (weights[:, :10] ** 2).mean(axis=1) + weights[:, 10] ** 2


def test_a_run_without_its_control_shows_no_acceleration():
    """With the mean and without it (beta1 = 0), the program comes equally far."""
    first, mean = first_and_last(40, beta1=0.9)
    _, no_mean = first_and_last(40, beta1=0.0)
    gained = (excess(first) - excess(mean)).mean()
    assert gained > 0.5
    assert abs((excess(no_mean) - excess(mean)).mean()) < 0.02 * gained
    valley = [
        loss_of_the_best_rate(SGDRunningMean, RATES, LONG_VALLEY, 100, momentum=m) for m in (0.9, 0.0)
    ]
    assert valley[0] < 0.5 * valley[1]  # where momentum does help, the same control shows it


@pytest.mark.slow
def test_a_thousand_steps_of_a_thousandth_are_too_short():
    first, last = first_and_last(200)
    assert 0.3 < np.mean(np.abs(first) > 1) < 0.35  # start farther from zero than a thousand steps go
    assert np.abs(last - first).max() < 1
    assert (excess(last) < excess(first)).all()  # what is right

    def left(weights):
        return excess(weights).mean() / excess(first).mean()

    assert 0.2 < left(last) < 0.25
    assert left(first_and_last(200, steps=3000)[1]) < 0.01
    assert left(first_and_last(200, rate=0.01)[1]) < 0.01


def test_a_step_is_no_epoch():
    """How often each example has been seen after what is called one epoch, and after the next."""
    rng = np.random.default_rng(0)
    fresh = [tuple(draw(rng)[0]) for _ in range(100)]
    assert max(Counter(fresh).values()) == 1  # drawn anew: none is ever seen again
    examples, seen = 80, Counter()
    for _ in range(2):
        for batch in np.split(rng.permutation(examples), 8):
            seen.update(batch.tolist())
    assert set(seen.values()) == {2}
    assert len(seen) == examples
    assert "One pass over all training examples" in (ROOT / "book" / "glossary.md").read_text("utf8")


def first_action_that_cannot_be_done(actions):
    known = set()
    for name, needs in actions:
        if not set(needs) <= known:
            return name
        known.add(name)
    return None


def test_nothing_is_trained_before_it_is_initialized():
    explained = (("define", ()), ("train", ("define", "initialize")), ("initialize", ("define",)))
    program_order = (explained[0], explained[2], explained[1])
    assert first_action_that_cannot_be_done(explained) == "train"
    assert first_action_that_cannot_be_done(program_order) is None


# Outlook and answers.


def test_the_threshold_hardly_matters_to_adam():
    gradients = 3 + np.random.default_rng(0).standard_normal((50, 3))
    assert np.abs(gradients).min() > 0.1

    def way(optimizer, threshold, **options):
        steps = steps_taken(optimizer, gradients, learning_rate=0.1, clip_norm=threshold, **options)
        return steps.sum(axis=0)

    np.testing.assert_allclose(way(Adam, 0.1, eps=0.0), way(Adam, 0.001, eps=0.0), rtol=1e-9)
    np.testing.assert_allclose(way(SGD, 0.1), 100 * way(SGD, 0.001))  # where it does matter
    clips_some = np.abs(way(Adam, 3.0 * 3**0.5) / way(Adam, 0.1) - 1)
    assert clips_some.max() > 0.01  # a limit that clips some gradients and not others
    small = [steps_taken(SGD, [[0.05]], learning_rate=rate, clip_norm=0.1 / rate) for rate in (0.1, 0.2)]
    assert small[1] == pytest.approx(2 * small[0])  # near the minimum the product is not all
    assert "threshold" not in " ".join(list(inspect.signature(Adam).parameters)[1:5])


def test_adam_survives_a_spike_and_pays_for_it():
    """Its steps are bounded, as AdaGrad's are; but the spike is not limited, and v remembers it."""
    spike = np.array([1.0] * 3000 + [1000.0] + [1.0] * 200)
    plain = {rule: steps_taken(rule, spike, learning_rate=1.0) for rule in (SGD, AdaGrad, Adam)}
    assert plain[SGD].max() == 1000
    assert plain[AdaGrad].max() <= 1
    assert 1 < plain[Adam].max() < 10
    assert plain[Adam][-1] < 0.1
    quiet = np.array([1e-3] * 50 + [1000.0])  # with a short memory of squares the bound is gone
    assert steps_taken(Adam, np.append(quiet, [1e-3] * 50), learning_rate=1.0, beta2=0.5).max() > 1000
    limited = steps_taken(Adam, spike, learning_rate=1.0, clip_value=1.0)
    assert limited[-1] == pytest.approx(1, rel=1e-6)


def deep(params, x, shortcut):
    """Output of a chain of layers, and the gradient of its sum at the input."""
    slopes = []
    for W in params:
        z = np.tanh(x @ W)
        slopes.append((W, 1 - z**2))
        x = z + x if shortcut else z
    g = np.ones_like(x)
    for W, slope in reversed(slopes):
        g = (g * slope) @ W.T + (g if shortcut else 0)
    return g


def test_an_optimizer_does_not_change_the_gradient_where_it_stands():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 8))
    norms = {}
    for name, shortcut in (("plain", False), ("shortcut", True)):
        params = [0.1 * np.random.default_rng(k).standard_normal((8, 8)) for k in range(20)]
        for optimizer in (SGD, Adam):
            optimizer(params, 0.1)  # chosen, and not yet run
            norms[name, optimizer] = np.linalg.norm(deep(params, x, shortcut))
    assert norms["plain", SGD] == norms["plain", Adam] < 1e-6
    assert norms["shortcut", SGD] == norms["shortcut", Adam] > 0.1


def test_neither_clipping_nor_momentum_lifts_a_vanished_gradient():
    tiny = np.full(300, 1e-9)
    np.testing.assert_array_equal(np.clip(tiny, -1, 1), tiny)
    clipped, mean, ball = (
        steps_taken(rule, tiny, learning_rate=1.0, **options)[-1]
        for rule, options in (
            (SGD, {"clip_value": 1.0}),
            (SGDRunningMean, {"momentum": 0.9}),
            (SGD, {"momentum": 0.9}),
        )
    )
    assert [clipped, mean] == pytest.approx([1e-9, 1e-9])
    assert ball == pytest.approx(1e-8)
    usual = steps_taken(SGD, np.ones(300), learning_rate=1.0, momentum=0.9)[-1]
    assert ball / 1e-9 == pytest.approx(usual)  # the same factor for every gradient
    assert steps_taken(Adam, tiny, learning_rate=1.0, eps=1e-30)[-1] == pytest.approx(1)


def test_adagrad_is_a_parent_and_no_stranger():
    """Two coordinates, one with gradients a thousand times smaller: who treats them alike?"""
    gradients = np.array([[1.0, 0.001]] * 100)

    def ratio(optimizer, **options):
        last = steps_taken(optimizer, gradients, learning_rate=1.0, **options)[-1]
        return last[0] / last[1]

    assert ratio(AdaGrad) == pytest.approx(1, rel=1e-3)
    assert ratio(Adam) == pytest.approx(1, rel=1e-3)
    assert ratio(SGDRunningMean, momentum=0.9, clip_value=10.0) == pytest.approx(1000)
    assert ratio(SGDRunningMean, momentum=0.9, clip_value=0.0005) == 1  # if the limit cuts both
    steps = steps_taken(AdaGrad, np.ones(100), learning_rate=1.0)  # where they differ: it never forgets
    assert steps[-1] == pytest.approx(0.1, rel=1e-3)
    growing = 2.0 ** np.arange(40)  # its rates fall, and its steps need not
    steps = steps_taken(AdaGrad, growing, learning_rate=1.0)
    assert steps.min() > 0.86
    assert (np.diff(steps / growing) < 0).all()
    references = (ROOT / "book" / "references.bib").read_text("utf8")
    assert "{duchi2011adaptive," in references
    assert "{kingma2015adam," in references


def test_the_training_loss_chooses_what_overfits():
    """Rates for 1000 steps, fewer examples than it takes: by the training loss, and by held-out loss."""
    rng = np.random.default_rng(2)
    truth = rng.standard_normal(15) / np.sqrt(15)
    sets = []
    for n in (20, 2000, 2000):
        x = rng.standard_normal((n, 15))
        sets.append((x, x @ truth + rng.standard_normal(n)))
    (x, y), held_out, test = sets

    def losses(rate):
        theta = np.zeros(15)
        opt = Adam(theta, rate)
        for _ in range(1000):
            opt.step(x.T @ (x @ theta - y) / len(x))
        return [np.mean((a @ theta - b) ** 2) / 2 for a, b in ((x, y), held_out, test)]

    found = np.array([losses(rate) for rate in (1e-4, 3e-4, 1e-3, 1e-2)])
    by_training, by_held_out = found[:, 0].argmin(), found[:, 1].argmin()
    assert by_training == len(found) - 1 > by_held_out
    assert found[by_training, 2] > 1.5 * found[by_held_out, 2]


def test_language_is_a_task_and_no_kind_of_network():
    """Each item of a list of kinds of networks needs layers of its own; the book's layers are in nn."""
    layers = {"convolutional": "conv2d", "recurrent": "rnn", "language": "natural_language_processing"}
    assert [kind for kind, layer in layers.items() if not hasattr(nn, layer)] == ["language"]
