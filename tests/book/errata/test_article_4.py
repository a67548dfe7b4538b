"""What article 4 gets wrong: for each error, the wrong version fails and the right one passes."""

import ast
import re
import tomllib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from chapter_texts import reference
from myst_parser.config.main import MdParserConfig
from myst_parser.mdit_to_docutils.base import DocutilsRenderer
from myst_parser.parsers.mdit import create_md_parser
from notebook_rules import ROOT
from support import names_read, spread_at_the_end, steps_taken

from optimlib import SGD, AdaGrad, Adam, Nadam, RMSProp, check_gradient, clip_by_global_norm
from optimlib.optimizers.conventions import CONVENTIONS

CHAPTERS = sorted((ROOT / "book" / "text").glob("*.md"))


def minimum(optimizer, at=3.0, start=0.95, steps=600, **options):
    """Where an optimizer ends on a bowl with its minimum at `at`."""
    theta = np.array([start])
    opt = optimizer(theta, **options)
    for _ in range(steps):
        opt.step(theta - at)
    return theta[0]


# What Adam is, and what it is said to do


def chain_gradient(weights, target=2.0):
    """Of half the squared error of a product of weights, the simplest deep network."""
    others = np.array([np.prod(np.delete(weights, k)) for k in range(len(weights))])
    return (np.prod(weights) - target) * others


def chain_loss(weights, target=2.0):
    return 0.5 * (np.prod(weights) - target) ** 2


def chain_after_adam(weight, eps=1e-8, steps=400):
    weights = np.full(30, weight)
    opt = Adam(weights, learning_rate=0.003, eps=eps)
    for _ in range(steps):
        opt.step(chain_gradient(weights))
    return chain_loss(weights)


def test_adam_does_not_bring_a_vanished_gradient_back():
    assert np.abs(chain_gradient(np.full(30, 0.1))).max() < 1e-28
    assert chain_after_adam(0.1) == pytest.approx(2.0, rel=1e-12)  # where it started
    assert chain_after_adam(1.0) < 1e-3  # the same optimizer, weights that keep the gradient
    assert chain_after_adam(0.1, eps=1e-60) < 1.0  # what is right: without a floor Adam moves
    exploded = np.full(30, 3.0)
    assert np.abs(chain_gradient(exploded)).min() > 1e27
    opt = Adam(exploded, learning_rate=0.003)
    for _ in range(20):
        before = exploded.copy()
        opt.step(chain_gradient(exploded))
        assert np.abs(exploded - before).max() < 3 * 0.003


def test_adam_was_not_proposed_by_somebody_named_adam():
    paper = reference("kingma2015adam")
    assert paper["author"] == "Kingma, Diederik P. and Ba, Jimmy"
    assert "Adam" not in paper["author"]
    assert paper["title"].startswith("Adam")


RATES = 10.0 ** np.arange(-3, 0.51, 0.5)


def steps_to_arrive(optimizer, curvatures, most=600):
    """Fewest steps to come within 0.001 of a bowl's minimum, and stay, over a grid of rates."""
    fewest = most
    for rate in RATES:
        theta = np.array([1.0, 0.3])
        opt, far = optimizer(theta, learning_rate=rate), 0
        for t in range(1, fewest + 1):
            opt.step(curvatures * theta)
            if not np.abs(theta).max() < 1e6:
                far = most
                break
            if np.abs(theta).max() > 1e-3:
                far = t
        if far < fewest:
            fewest = far + 1
    return fewest


def test_adam_is_not_always_the_faster_one():
    round_bowl, long_valley = np.ones(2), np.array([1.0, 1000.0])
    assert steps_to_arrive(SGD, round_bowl) < 10 < steps_to_arrive(Adam, round_bowl)
    assert steps_to_arrive(Adam, long_valley) < steps_to_arrive(SGD, long_valley)
    for curvatures in (round_bowl, long_valley):
        assert steps_to_arrive(Nadam, curvatures) < steps_to_arrive(Adam, curvatures)


@pytest.mark.parametrize("optimizer", [SGD, Adam, Nadam])
def test_the_amount_of_data_does_not_enter_a_step(optimizer):
    """A hundred times the data, with the same mean gradient: the same path, with all methods."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=20)

    def path(copies, over):
        theta = np.zeros(3)
        opt = optimizer(theta, learning_rate=0.01)
        for _ in range(5):
            g = copies * x.T @ (x @ theta - y)
            opt.step(g / (copies * len(y)) if over == "mean" else g)
        return theta

    assert path(100, "mean") == pytest.approx(path(1, "mean"), rel=1e-6)
    of_sums = np.abs(path(3, "sum") - path(1, "sum")).max()
    assert of_sums > 0.01 if optimizer is SGD else of_sums < 1e-6


def test_scales_do_enter_a_step():
    """What the adaptive step is good for: coordinates of different sizes, however much data there is."""
    gradients = np.tile([1.0, 1000.0], (5, 1))
    assert np.ptp(steps_taken(Adam, gradients, learning_rate=0.1)) < 1e-6
    assert np.ptp(steps_taken(SGD, gradients, learning_rate=0.1)) > 99


@pytest.mark.parametrize("optimizer", [SGD, Adam, Nadam])
def test_the_chain_rule_belongs_to_the_gradient(optimizer):
    """Each method takes the gradient it is given; none supplies a factor that was left out."""

    def loss(theta):
        return np.sum((np.tanh(theta) - 0.5) ** 2)

    def right(theta):
        return 2 * (np.tanh(theta) - 0.5) * (1 - np.tanh(theta) ** 2)

    def differences(theta, h=1e-5):
        bumps = h * np.eye(len(theta))
        return np.array([(loss(theta + b) - loss(theta - b)) / (2 * h) for b in bumps])

    def without(theta):
        return 2 * (np.tanh(theta) - 0.5)

    def path(gradient):
        theta = np.array([1.2, -0.4])
        opt = optimizer(theta, learning_rate=0.05)
        for _ in range(20):
            opt.step(gradient(theta))
        return theta

    assert path(right) == pytest.approx(path(differences), abs=1e-5)
    assert np.abs(path(right) - path(without)).max() > 1e-3
    start = np.array([1.2, -0.4])
    assert check_gradient(loss, right, start).passed
    assert not check_gradient(loss, without, start).passed


def test_nadam_adapts_its_steps_as_adam_does():
    gradients = np.random.default_rng(0).normal(size=(40, 4))

    def adapts(optimizer):
        one, thousand = (steps_taken(optimizer, c * gradients, learning_rate=0.1) for c in (1, 1000))
        return np.allclose(one, thousand, rtol=1e-5, atol=0)

    assert adapts(Adam)
    assert adapts(Nadam)
    assert not adapts(SGD)
    gradients *= 1e-9  # not far above epsilon
    assert not adapts(Adam)
    assert not adapts(Nadam)


# The formulas of 2.2


def average_of_parameters(start, steps=600, beta=0.9):
    """Step 1: the new parameter is a weighted average of parameters, the newest weighing most."""
    mean, theta = 0.0, start
    for t in range(1, steps + 1):
        mean = beta * mean + (1 - beta) * theta
        theta = mean / (1 - beta**t)
    return theta


@pytest.mark.parametrize("at", [3.0, -2.0])
def test_an_average_of_parameters_does_not_descend(at):
    assert average_of_parameters(0.95) == pytest.approx(0.95)  # whatever the loss
    assert minimum(Adam, at, learning_rate=0.1) == pytest.approx(at, abs=1e-3)
    descent = [minimum(SGD, at, steps=n, learning_rate=0.1) for n in range(100, 120)]
    assert np.mean(descent) == pytest.approx(at, abs=1e-3)  # an average of points of descent knows


def test_a_mean_at_step_k_must_not_know_later_gradients():
    """Step 1 sums to infinity on the right and has the number of the step on the left alone."""

    def endless(k, terms):
        return 0.1 * np.sum(terms) + 0.1 * np.sum(terms**2)

    now, later = np.array([1.0, -2.0, 0.5, 3.0]), np.array([1.0, -2.0, 0.5, 50.0])
    assert endless(3, now) != endless(3, later)  # the third step knows the fourth gradient
    assert endless(1, now) == endless(4, now)  # and all steps are one
    assert [0.1 * n for n in (10, 100, 1000)] == pytest.approx([1, 10, 100])  # equal weights: no limit
    steps = [steps_taken(Adam, gradients, learning_rate=0.1)[:3] for gradients in (now, later)]
    assert np.array_equal(*steps)
    assert np.ptp(steps[0]) > 0


def test_an_index_outside_its_sum_leaves_the_value_open():
    t, alpha, beta = np.array([1.0, 2.0]), np.array([0.1, 0.2]), np.array([0.9, 0.999])
    outside = {np.sum(alpha * t) + beta[j] * np.sum(t**2) for j in range(2)}
    inside = {np.sum(alpha * t) + np.sum(beta * t**2) for j in range(2)}
    assert len(outside) == 2
    assert len(inside) == 1
    assert len({np.sum(alpha * t) + weight * np.sum(t**2) for weight in (0.999, 0.999)}) == 1


def test_every_symbol_of_an_equation_is_explained():
    used = {"step 1": {r"\alpha_j", r"\beta_j", "t_j"}, "step 2": {r"\alpha", r"\beta", "a_j", "t_j"}}
    explained = {r"\theta", r"\alpha", r"\beta"}
    assert {step: sorted(symbols - explained) for step, symbols in used.items()} == {
        "step 1": [r"\alpha_j", r"\beta_j", "t_j"],
        "step 2": ["a_j", "t_j"],
    }
    notation = (ROOT / "book" / "notation.md").read_text(encoding="utf8")
    for symbol in (r"\theta_t", r"\eta_t", "g_t", "m_t", "v_t", r"\beta_1", r"\beta_2", r"\varepsilon"):
        assert re.search(rf"^\|[^|]*{re.escape(symbol)}\$", notation, re.M), symbol


def test_a_weight_and_a_learning_rate_need_two_letters():
    """With one number for both, half the rate makes the first step a quarter as long."""

    def one_letter(alpha, g=1.0):
        return alpha * (alpha * g)  # the rate times the mean, in which the newest gradient weighs alpha

    def first(rate):
        return steps_taken(Adam, [1.0], learning_rate=rate)[0]

    assert one_letter(0.05) == pytest.approx(one_letter(0.1) / 4)
    assert first(0.05) == pytest.approx(first(0.1) / 2)


def test_a_mean_and_a_mean_square_cannot_be_added():
    """They have different units: of the sum, a change of units leaves nothing in place."""
    gradients = np.array([[0.5, -0.2], [0.1, 0.4], [0.3, 0.3]])

    def added(g):
        return 0.1 * g.sum(axis=0) + 0.1 * (g**2).sum(axis=0)

    def adams(g):
        return steps_taken(Adam, g, learning_rate=0.1)[-1]

    assert np.ptp(added(10 * gradients) / added(gradients)) > 1  # no common factor
    assert adams(10 * gradients) == pytest.approx(adams(gradients), rel=1e-5)
    assert np.abs(adams(1e-9 * gradients)).max() < 0.5 * np.abs(adams(gradients)).max()  # epsilon


def test_an_update_needs_the_number_of_the_step_on_both_sides():
    theta = np.array([1.0, -2.0])
    opt, before = Adam(theta, learning_rate=0.1), theta.copy()
    opt.step(np.array([0.5, 0.3]))
    step = 0.1 * np.array([1.0, 1.0])  # the first step of Adam, by hand
    assert theta == pytest.approx(before - step, rel=1e-6)
    assert not np.allclose(theta, theta - step)  # one name on both sides: true only without a step


def test_a_gradient_needs_a_loss():
    """Step 2 is made of t and weights, so it is one and the same for every loss."""
    t, alpha, beta = np.linspace(0.1, 1, 5), 0.1, 0.2
    theta = np.array([0.95])

    def formula(theta):
        return np.full(1, alpha * len(t) + 2 * beta * t.sum())

    for at in (3.0, -2.0):

        def loss(theta, at=at):
            return 0.5 * np.sum((theta - at) ** 2)

        assert not check_gradient(loss, formula, theta).passed
        assert check_gradient(loss, lambda theta, at=at: theta - at, theta).passed


def test_a_change_of_the_parameters_is_not_a_part_of_adams_step():
    """Step 3 with the change from step to step as the derivative: a heavy ball with momentum 0.999."""
    theta, last, lengths = 0.0, 0.0, []
    for _ in range(3000):
        theta, last = theta - 0.1 * 1.0 + 0.999 * (theta - last), theta
        lengths.append(last - theta)
    assert lengths[-1] > 900 * 0.1
    steps = steps_taken(Adam, np.ones(3000), learning_rate=0.1)
    assert steps == pytest.approx(0.1, rel=1e-6)
    at_epsilon = steps_taken(Adam, np.full(3000, 1e-8), learning_rate=0.1)
    assert at_epsilon == pytest.approx(0.05, rel=1e-6)  # a gradient of the size of epsilon


def slope(f, t, h=1e-5):
    return (f(t + h) - f(t - h)) / (2 * h)


def test_step_4_is_not_the_derivative_of_step_2():
    """With one term and a = sin: the sums are gone, and a stands where t was."""
    alpha, beta, t = 0.3, 0.7, 0.8

    def step_2(t):
        return alpha * (np.cos(t) * t + np.sin(t)) + 2 * beta * t

    step_4 = alpha * -np.sin(t) + 2 * beta * np.cos(t)
    right = alpha * (2 * np.cos(t) - t * np.sin(t)) + 2 * beta
    assert step_4 != pytest.approx(slope(step_2, t), rel=0.1)
    assert right == pytest.approx(slope(step_2, t), rel=1e-8)


def test_without_a_division_nothing_adapts():
    gradient = np.array([1.0, 1000.0])
    undivided = 0.1 * gradient
    assert undivided[1] == 1000 * undivided[0]
    assert np.ptp(steps_taken(Adam, [gradient], learning_rate=0.1)) < 1e-8


def test_a_mean_that_starts_at_zero_is_too_small_at_first():
    g, beta, mean, means = 2.0, 0.9, 0.0, []
    for _ in range(60):
        mean = beta * mean + (1 - beta) * g
        means.append(mean)
    assert means[0] == pytest.approx(0.1 * g)
    corrected = np.array(means) / (1 - beta ** np.arange(1, 61))
    assert corrected == pytest.approx(g)


def test_adam_never_sees_a_second_derivative():
    """Two losses with one gradient at the start and the curvatures 0 and 4."""
    x = np.array([2.0])
    curvatures = {"line": 0.0, "bowl": 4.0}
    gradients = {"line": np.array([-4.0]), "bowl": 4.0 * (x - 3.0)}
    theta = {name: x.copy() for name in curvatures}
    for name, at in theta.items():
        Adam(at, learning_rate=0.1).step(gradients[name])
    assert theta["line"] == theta["bowl"]
    along = {name: x - 0.1 * h for name, h in curvatures.items()}  # step 5
    assert along["line"] != along["bowl"]
    state = Adam(x.copy(), learning_rate=0.1)
    state.step(gradients["line"])
    second = state.state["v"] / (1 - 0.999)
    assert second == pytest.approx(16.0)  # the square of the slope
    assert second != pytest.approx(curvatures["line"])


def test_a_step_along_the_second_derivative_leaves_the_minimum():
    at = 3.0
    assert at - 0.1 * 0.0 - 0.1 * 1.0 == pytest.approx(2.9)  # gradient 0, second derivative 1
    assert at - 0.1 * 4 * 0.0**3 - 0.1 * 12 * 0.0**2 == at  # the condition: at that of x^4 it stays
    assert minimum(Adam, at, start=at, steps=1, learning_rate=0.1) == at


def test_a_gradient_comes_before_what_is_made_of_it():
    """Backpropagation stands in step 4, after the first update."""
    needs = {"gradient": set(), "mean": {"gradient"}, "update": {"mean"}}

    def possible(order):
        return all(needs[part] <= set(order[:k]) for k, part in enumerate(order))

    assert not possible(["mean", "update", "gradient", "update"])
    assert possible(["gradient", "mean", "update"])


def test_a_heading_keeps_what_it_promises():
    promised = {"principle", "steps", "formulas", "code", "explanation"}
    assert not promised <= {"principle", "steps", "formulas"}
    adam = (ROOT / "book" / "text" / "adam.md").read_text(encoding="utf8")
    section = adam.split("## Two running means\n")[1].split("\n## ")[0]
    assert "{code-cell}" in section
    assert "$$" in section or "{math}" in section


# Installation, headings


def imported(source):
    """The packages that a program imports."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add(node.module.partition(".")[0])
    return names


def never_read(source):
    """Names that a program assigns or imports and never reads."""
    tree = ast.parse(source)
    bound = {name.id for name in ast.walk(tree) if isinstance(name, ast.Name)}
    bound |= {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    return bound - names_read(tree)


def test_the_package_named_adam_is_not_the_algorithm():
    """What the public index says of it, looked up in November 2026 and not installed."""
    listed = {"adam": "Adam programming language implemented in python"}  # 0.0.0.dev0, of 2019
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]

    def about_optimizers(summary):
        return any(word in summary.lower() for word in ("optimi", "gradient", "moment"))

    assert not about_optimizers(listed["adam"])
    assert about_optimizers(ours["description"])
    assert {"torch", "keras"} <= {library for library in CONVENTIONS if "Adam" in CONVENTIONS[library]}


def test_what_has_to_be_installed_is_imported():
    required, needed = {"tensorflow or torch"}, imported("import numpy\nimport adam\nimport matplotlib")
    assert not required <= needed
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    ours = {re.match(r"[\w-]+", line)[0] for line in ours["dependencies"]}
    rule = (ROOT / "optimlib" / "optimizers" / "adam.py").read_text(encoding="utf8")
    assert ours == {"numpy"} <= imported(rule)


def test_an_import_that_nothing_uses_still_runs(tmp_path, monkeypatch):
    """A program that imports a package and never calls it has run the package's code all the same."""
    (tmp_path / "namesake.py").write_text("ran = []\nran.append('code of a stranger')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert never_read("import numpy as np\nimport adam\ng = np.zeros(3)\nprint(g)") == {"adam"}
    assert __import__("namesake").ran == ["code of a stranger"]
    used = "import numpy as np\nfrom optimlib import Adam\nAdam(np.zeros(3)).step(np.ones(3))"
    assert never_read(used) == set()
    exec(used, {})


ARTICLE = {"1": 1, "1.1": 2, "2": 1, "2.1": 2, "2.2": 2, "3": 2, "3.1": 3, "4": 2, "5": 2, "5.1": 3}


def headings(text):
    """Headings of a Markdown text as they are rendered: (level, title); and whether a fence is open.

    A fence ends at a bare one of the same sign and at least the same length.
    """
    found, fence = [], ""
    for line in text.splitlines():
        mark = re.match(r"(`{3,}|~{3,}|:{3,})(.*)", line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
        elif mark and mark[1][0] != ":":
            fence = mark[1]
        elif title := re.match(r"(#+) (.*)", line):
            found.append((len(title[1]), title[2]))
    return found, bool(fence)


def test_chapters_of_one_rank_have_headings_of_one_level():
    def offsets(levels):
        return {level - number.count(".") for number, level in levels.items()}

    assert offsets(ARTICLE) == {1, 2}
    assert offsets({number: 1 + number.count(".") for number in ARTICLE}) == {1}
    for chapter in CHAPTERS:
        levels = [level for level, _ in headings(chapter.read_text(encoding="utf8"))[0]]
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
        assert levels.count(1) == 1


def test_a_fence_that_ends_too_early_swallows_the_next_section():
    drawing = "# draw the result\nplot(theta)\n"
    text = "## 3. Steps\n```python\nx = 1\n{}```\n{}## 4. Examples\n```python\nx = 1\n```\nThe output:\n"
    early, _ = headings(text.format("", drawing + "```\n"))
    right, left_open = headings(text.format(drawing, ""))
    assert early == [(2, "3. Steps"), (1, "draw the result")]
    assert right == [(2, "3. Steps"), (2, "4. Examples")]
    assert not left_open
    for chapter in CHAPTERS:
        assert not headings(chapter.read_text(encoding="utf8"))[1], chapter


# The programs of 3.2 and 3.3


def test_a_learning_rate_of_0999_is_a_thousand_times_too_large():
    """Near a minimum, Adam's first step is as long as the rate; a bowl of curvature 3 allows 2/3."""
    assert minimum(Adam, start=2.99, steps=1, learning_rate=0.999) > 3.9
    assert minimum(Adam, start=2.99, steps=1, learning_rate=0.001) == pytest.approx(2.991, rel=1e-6)
    assert abs(1 - 0.999 * 3) > 1 > abs(1 - 0.001 * 3)
    rates = {row["Adam"].defaults["learning_rate"] for row in CONVENTIONS.values() if "Adam" in row}
    assert rates == {0.001, "required"}
    assert CONVENTIONS["paper"]["Adam"].defaults["learning_rate"] == 0.001
    assert CONVENTIONS["optax"]["Adam"].defaults["learning_rate"] == "required"


def test_a_mean_of_gradients_with_0999_is_slow():
    """After 400 gradients of one sign the sign turns: Adam follows at once, if its mean is short."""
    gradients = np.r_[np.ones(400), -np.ones(400)]

    def delay(beta1, beta2):
        steps = steps_taken(Adam, gradients, learning_rate=0.1, beta1=beta1, beta2=beta2)
        return int(np.argmax(np.r_[steps[400:] < 0, True]))

    assert delay(0.9, 0.999) < 10
    assert delay(0.9, 0.9) < 10  # equal rates are no problem by themselves
    assert delay(0.999, 0.999) > 200
    rows = [row["Adam"].defaults for row in CONVENTIONS.values() if "Adam" in row]
    assert all(row["beta1"] < row["beta2"] and "learning_rate" in row for row in rows)


def test_a_number_has_no_first_entry():
    theta = 0.0
    with pytest.raises(TypeError, match="not subscriptable"):
        theta[0] = theta[0] - 0.1
    theta = np.zeros(1)
    theta[0] = theta[0] - 0.1
    assert theta == pytest.approx(-0.1)


def test_a_gradient_must_be_defined():
    with pytest.raises(NameError, match="'gradient' is not defined"):
        exec("theta = 0.5\ng = gradient(theta)", {})
    scope = {}
    exec("def gradient(theta): return theta - 3.0\ng = gradient(0.5)", scope)
    assert scope["g"] == -2.5


def test_a_function_must_not_be_overwritten_by_its_value():
    def gradient(theta):
        return theta - 3.0

    theta = np.zeros(2)
    overwritten = gradient
    overwritten = overwritten(theta)
    with pytest.raises(TypeError, match=r"'numpy\.ndarray' object is not callable"):
        overwritten(theta)
    with pytest.raises(ValueError, match="array element"):  # an update that does not run stops it before
        theta[0] = theta[0] - overwritten
    for _ in range(10):
        g = gradient(theta)
        theta = theta - 0.5 * g
    assert theta == pytest.approx(3.0, abs=0.01)


def test_averages_that_adapt_must_depend_on_gradients():
    def of_angles(gradients, n=6):
        angles = np.linspace(0, 2 * np.pi, n)
        return 0.999 * np.outer(angles, angles)

    def running(gradients):
        mean = 0.0
        for g in gradients:
            mean = 0.9 * mean + 0.1 * g
        return mean

    some, others = np.ones((5, 6)), np.arange(30.0).reshape(5, 6)
    assert np.array_equal(of_angles(some), of_angles(others))
    assert of_angles(some).shape == (6, 6)  # and not of the shape of a gradient
    assert not np.array_equal(running(some), running(others))
    assert running(some).shape == (6,)


def test_the_factors_of_pi_do_not_make_an_average():
    """Of the constant 1 on the interval from 0 to 2 pi, the mean is 1."""
    integral = 2 * np.pi
    assert integral / (1 / (2 * np.pi)) == pytest.approx(39.5, abs=0.05)  # divided by the inverse
    assert integral * (2 / np.pi) == pytest.approx(4)  # the other factor
    assert integral / (2 * np.pi) == pytest.approx(1)
    weights = 0.1 * 0.9 ** np.arange(7)
    assert weights.sum() / (1 - 0.9**7) == pytest.approx(1)  # Adam's, without any pi


def test_a_vector_has_no_transpose():
    t = np.linspace(0, 2 * np.pi, 7)
    assert np.array_equal(t.T, t)
    first, second = np.outer(t, t), np.outer(t.T, t.T)
    assert np.array_equal(first, second)  # so one of the two is superfluous
    gradients = np.array([[1.0, 2.0], [3.0, -1.0]])
    m, v = gradients.mean(axis=0), (gradients**2).mean(axis=0)
    assert np.ptp(v / m) > 1  # Adam's two means are not multiples of each other
    alike = np.full((2, 2), 3.0)  # but for coordinates that are alike
    assert np.ptp((alike**2).mean(axis=0) / alike.mean(axis=0)) == 0


@pytest.mark.parametrize(
    "gradient",
    [0.5, np.float64(0.5), np.array(0.5), np.full(3, 0.5)],
    ids=["float", "scalar", "0d", "three"],
)
def test_a_gradient_meets_a_table_of_another_size(gradient):
    table = np.ones((1000, 1000))
    with pytest.raises((AttributeError, ValueError), match=r"no attribute 'T'|matmul"):
        gradient.T @ table
    theta = np.zeros(np.shape(gradient))
    Adam(theta, learning_rate=0.1).step(np.asarray(gradient))  # a rule by coordinates fits all shapes
    assert theta == pytest.approx(-0.1, rel=1e-6)


def test_a_mean_of_gradients_is_linear_in_them():
    a = np.outer(np.arange(4.0), np.arange(4.0))

    def program(g):
        return g @ a + (g @ a) @ (g @ (a + a))

    def mean(g, before=0.0):
        return 0.9 * before + 0.1 * g

    g = np.array([0.3, -1.0, 0.5, 2.0])
    assert not np.allclose(program(2 * g), 2 * program(g))
    assert mean(2 * g) == pytest.approx(2 * mean(g))
    assert np.ndim((g @ a) @ (g @ (a + a))) == 0  # one number, added to every coordinate


def test_a_mean_over_steps_remembers():
    def program(gradients):
        return 0.999 * gradients[-1]  # made from the newest gradient alone

    calm, wild = np.array([1.0, 1.0, 1.0]), np.array([-50.0, 20.0, 1.0])
    assert program(calm) == program(wild)
    last = [steps_taken(Adam, gradients, learning_rate=0.1)[-1] for gradients in (calm, wild)]
    assert last[0] != pytest.approx(last[1], rel=0.1)


@pytest.mark.parametrize("value", [np.ones((4, 4)), np.ones(4)], ids=["table", "vector"])
def test_an_array_does_not_fit_into_one_place(value):
    theta = np.zeros(4)
    with pytest.raises((TypeError, ValueError), match=r"array element|only 0-dim|only length-1"):
        theta[0] = theta[0] - value
    theta -= np.ones(4)
    assert theta == pytest.approx(-1)


def test_every_parameter_must_be_updated():
    at, theta = np.array([3.0, -1.0, 2.0]), np.zeros(3)
    for _ in range(200):
        theta[0] = theta[0] - 0.1 * (theta - at)[0]
    assert theta == pytest.approx([3, 0, 0], abs=1e-3)
    theta = np.zeros(3)
    opt = Adam(theta, learning_rate=0.1)
    for _ in range(600):
        opt.step(theta - at)
    assert theta == pytest.approx(at, abs=1e-3)


def test_a_learning_rate_is_not_a_table():
    g = np.array([1.0, 2.0, 3.0])
    table = np.outer(g, g)
    assert (table * g).shape == (3, 3)  # a step of another shape than the parameters
    assert (0.1 * g).shape == g.shape
    assert steps_taken(Adam, [g], learning_rate=0.1)[0].shape == g.shape


def test_a_program_computes_its_formula():
    theta, g, second, alpha = 1.0, 0.5, 2.0, 0.1
    formula = theta - alpha * g - alpha * second  # steps 3 and 5
    program = theta - alpha * g
    assert program != pytest.approx(formula)
    start, m, v = np.array([1.0]), 0.0, 0.0
    opt, by_hand = Adam(start, learning_rate=0.1), 1.0
    for t in (1, 2, 3):
        opt.step(np.array([0.5 * t]))
        m, v = 0.9 * m + 0.1 * 0.5 * t, 0.999 * v + 0.001 * (0.5 * t) ** 2
        by_hand -= 0.1 * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)) ** 0.5 + 1e-8)
    assert start[0] == pytest.approx(by_hand, rel=1e-12)


def test_a_loop_that_starts_anew_takes_one_step():
    def anew(rounds):
        for _ in range(rounds):
            theta = np.array([0.95])
            theta = theta - 0.1 * (theta - 3.0)
        return theta[0]

    assert anew(10) == anew(1)
    assert minimum(Adam, steps=10, learning_rate=0.1) > minimum(Adam, steps=1, learning_rate=0.1) + 0.5


def test_the_second_term_climbs():
    """It adds a positive multiple of (g t) t, which points uphill for every gradient."""
    t = np.linspace(0, 2 * np.pi, 50)
    table = 0.999 * np.outer(t, t) * (1 + 2 / np.pi)

    def added(g):
        return 0.999 * (2 / np.pi) * g @ table

    rng = np.random.default_rng(0)
    assert all(g @ added(g) >= 0 for g in rng.normal(size=(100, 50)))
    theta = t.copy()  # the loss is half the sum of squares, so the gradient is theta
    before = 0.5 * np.sum(theta**2)
    assert 0.5 * np.sum((theta - 0.999 * theta + added(theta)) ** 2) > 1e4 * before
    assert 0.5 * np.sum((theta - 0.999 * theta) ** 2) < before
    Adam(theta, learning_rate=0.01).step(theta.copy())
    assert 0.5 * np.sum(theta**2) < before


def test_a_short_step_against_the_gradient_goes_downhill():
    rng, theta = np.random.default_rng(1), np.ones(50)
    directions = rng.normal(size=(100, 50))
    directions *= np.sign(directions @ theta)[:, None]  # a positive dot product with the gradient
    short, long = (np.sum((theta - c * directions) ** 2, axis=1) for c in (1e-4, 10.0))
    assert (short < np.sum(theta**2)).all()
    assert (long > np.sum(theta**2)).all()
    # It need not be positive in every step: a heavy ball that has passed the minimum goes on.
    theta, products = np.ones(1), []
    opt = SGD(theta, learning_rate=0.1, momentum=0.9)
    for _ in range(200):
        before = theta.copy()
        opt.step(before)
        products.append((before - theta)[0] * before[0])
    assert min(products) < 0
    assert abs(theta[0]) < 1e-3


def test_a_test_calls_what_it_tests():
    def core(theta):
        return theta - 0.1 * (theta - 3.0)

    def broken(theta):
        return theta + 0.1 * (theta - 3.0)

    def retyped(function):
        return abs(0.95 - 0.1 * (0.95 - 3.0) - 3.0) < abs(0.95 - 3.0)

    def calling(function):
        return abs(function(0.95) - 3.0) < abs(0.95 - 3.0)

    assert retyped(core)
    assert retyped(broken)
    assert calling(core)
    assert not calling(broken)


def test_a_test_can_fail(capsys):
    def printing(end):
        print("after ten rounds:", end)
        return True

    def expecting(end):
        return abs(end - 3.0) < 0.01

    class Climbing(Adam):
        def step(self, gradients):
            super().step(-gradients)

    ends = [minimum(optimizer, learning_rate=0.1) for optimizer in (Adam, Climbing)]
    assert [printing(end) for end in ends] == [True, True]
    assert [expecting(end) for end in ends] == [True, False]
    assert capsys.readouterr().out.count("after ten rounds") == 2


def test_the_axes_of_a_figure_say_different_things():
    def labels(x, y):
        return x != y

    assert not labels("theta (radians)", "theta (radians)")
    for chapter in CHAPTERS:
        text = chapter.read_text(encoding="utf8")
        for x, y in re.findall(r'xlabel="([^"]*)",\s*ylabel="([^"]*)"', text):
            assert labels(x, y), chapter


# The example of section 4

SIZES = (2, 3, 1)


def test_a_kind_of_network_has_a_name_that_is_explained():
    words = " ".join(chapter.read_text(encoding="utf8") for chapter in CHAPTERS).lower()

    def known(kind):
        return re.search(rf"\b{kind}\b", words) is not None

    assert not known("f networks?")
    assert known("dense layer")
    assert known("recurrent networks?")


def test_one_hidden_layer_is_not_deep():
    """By the definition of Nielsen's book: two or more hidden layers."""
    assert reference("nielsen2015neural")["title"] == "Neural Networks and Deep Learning"

    def deep(sizes):
        return len(sizes) - 2 >= 2

    assert not deep(SIZES)
    assert deep([64] + 20 * [64] + [10])  # of the chapter on vanishing gradients


def weights(sizes=SIZES, seed=0):
    rng = np.random.default_rng(seed)
    return [{"W": rng.normal(size=(n, m)) / np.sqrt(n), "b": np.zeros(m)} for n, m in pairwise(sizes)]


def predict(params, x):
    *hidden, last = params
    for layer in hidden:
        x = np.tanh(x @ layer["W"] + layer["b"])
    return x @ last["W"] + last["b"]


def loss(params, x, y):
    return 0.5 * np.mean((predict(params, x) - y) ** 2)


def gradient(params, x, y):
    first, last = params
    h = np.tanh(x @ first["W"] + first["b"])
    d_out = (h @ last["W"] + last["b"] - y) / len(y)
    d_in = d_out @ last["W"].T * (1 - h**2)
    return [
        {"W": x.T @ d_in, "b": d_in.sum(axis=0)},
        {"W": h.T @ d_out, "b": d_out.sum(axis=0)},
    ]


def data(n=100):
    x = np.random.default_rng(1).random((n, 2))
    return x, np.sin(3 * x[:, :1]) - x[:, 1:]


def test_three_layers_have_two_sets_of_weights():
    assert len(SIZES) == 3  # so many w and b the article gives it
    shapes = [(layer["W"].shape, layer["b"].shape) for layer in weights()]
    assert shapes == [((2, 3), (3,)), ((3, 1), (1,))]
    assert predict(weights(), np.ones((5, 2))).shape == (5, 1)
    with pytest.raises(IndexError):
        weights()[2]


def test_a_small_gradient_of_the_last_weights_is_not_a_small_loss():
    """A hidden unit that is almost off: its output weight gets a tiny gradient, and the error stays."""

    def all_of(w1, w2, x=1.0, y=1.0):
        h = np.tanh(w1 * x)
        residual = w2 * h - y
        return 0.5 * residual**2, residual * w2 * (1 - h**2) * x, residual * h

    untrained, first, last = all_of(1e-4, 1.0)
    assert abs(last) <= 1.001e-4
    assert untrained == pytest.approx(0.5, rel=1e-3)
    assert abs(first) > 0.9
    theta = np.array([0.5, 0.5])
    opt = Adam(theta, learning_rate=0.01)
    for _ in range(3000):
        opt.step(np.array(all_of(*theta)[1:]))
    assert all_of(*theta)[0] < 1e-6


def test_random_targets_teach_nothing():
    """A line fitted to targets that do not depend on the inputs predicts no better than their mean."""
    rng = np.random.default_rng(3)

    def gain(targets):
        x = rng.random((100, 2))
        fresh = rng.random((4000, 2))
        y, y_fresh = targets(x), targets(fresh)
        fit = np.linalg.lstsq(np.c_[x, np.ones(100)], y, rcond=None)[0]
        error = np.mean((np.c_[fresh, np.ones(4000)] @ fit - y_fresh) ** 2)
        return 1 - error / np.var(y_fresh)

    assert np.mean([gain(lambda x: rng.random(len(x))) for _ in range(50)]) < 0
    assert min(gain(lambda x: x[:, 0] - 2 * x[:, 1] + 0.1 * rng.random(len(x))) for _ in range(50)) > 0.9


def test_what_is_learned_depends_on_the_targets():
    x, y = data()

    def program(x, y):
        theta = np.full(3, 0.5)
        for _ in range(10):
            theta = theta - 0.1 * theta  # a gradient that is a function of theta only
        return theta

    def right(x, y):
        params = weights()
        opt = Adam(params, learning_rate=0.05)
        for _ in range(10):
            opt.step(gradient(params, x, y))
        return params[1]["b"]

    assert np.array_equal(program(x, y), program(x, -y))
    ends = []
    for targets in (y, -y):  # unless the function that is missing reads the targets as a global name
        scope = {"y": targets}
        exec("def gradient(theta): return theta - y.mean()\ntheta = 0.5 - 0.1 * gradient(0.5)", scope)
        ends.append(scope["theta"])
    assert ends[0] != ends[1]
    assert not np.allclose(right(x, y), right(x, -y))


def test_the_network_has_thirteen_parameters():
    counted = sum(layer["W"].size + layer["b"].size for layer in weights())
    assert counted == 2 * 3 + 3 + 3 * 1 + 1 == 13
    assert np.zeros(3).size + np.zeros(3).size != counted


def test_biases_that_are_never_read():
    program = "w = start()\nb = start()\nfor k in range(10):\n    w = w - 0.1 * w\n    print(k)"
    right = "w = b = start()\nfor k in range(9):\n    r = w * x + b - y\n    w -= r * x\n    b -= r / k"
    assert never_read(program) == {"b"}
    assert never_read(right) == set()
    without = [{"W": layer["W"], "b": 0.0} for layer in weights()]
    assert predict(without, np.zeros((1, 2))) == 0  # at the origin no weights help
    params, (x, y) = weights(), (np.zeros((1, 2)), np.ones((1, 1)))
    opt = Adam(params, learning_rate=0.1)
    for _ in range(300):
        opt.step(gradient(params, x, y))
    assert predict(params, x) == pytest.approx(1, abs=1e-2)


def test_a_network_needs_a_prediction_and_a_loss():
    def has_a_network(source):
        names = {node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)}
        return {"predict", "loss", "gradient"} <= names

    program = "theta = start()\nfor _ in range(10):\n    theta = theta - 0.999 * gradient(theta)"
    assert not has_a_network(program)
    assert has_a_network(Path(__file__).read_text(encoding="utf8"))
    params, (x, y) = weights(), data()
    assert check_gradient(lambda p: loss(p, x, y), lambda p: gradient(p, x, y), params).passed
    before = loss(params, x, y)
    opt = Adam(params, learning_rate=0.05)
    for _ in range(200):
        opt.step(gradient(params, x, y))
    assert loss(params, x, y) < 0.1 * before


def test_outer_flattens_its_matrices():
    x = np.random.default_rng(0).random((100, 2))
    assert np.outer(x, x).shape == (200, 200)  # every number times every other, examples mixed
    assert not np.allclose(np.outer(x, x), np.outer(x.T, x.T))  # in two different orders
    alike = np.outer(x, x) == np.outer(x.T, x.T)
    assert 0 < alike.mean() < 0.01  # the first place and a few others belong to the same pair
    swapped = x[::-1]
    assert not np.allclose(np.outer(swapped, swapped), np.outer(x, x))
    right = x.T @ x
    assert right.shape == (2, 2)
    assert right == pytest.approx(sum(np.outer(row, row) for row in x))
    assert swapped.T @ swapped == pytest.approx(right)


def test_three_numbers_do_not_multiply_two_hundred_rows():
    x = np.ones((100, 2))
    with pytest.raises(ValueError, match="size 200 is different from 3"):
        np.ones(3).T @ np.outer(x, x)
    for shape in [(), (1,), (200,), (200, 1), (1, 200), (200, 3), (3, 200), (200, 200), (200, 1, 3)]:
        g = np.ones(shape)
        with pytest.raises(ValueError, match=r"matmul|broadcast"):
            np.ones(3) - g + g.T @ np.outer(x, x)
    theta = np.ones(2)
    assert (x.T @ (x @ theta - 1.0)).shape == theta.shape


def test_the_inputs_do_not_enter_the_update():
    g, some, others = np.ones(3), np.array([1.0, 2.0, 3.0]), np.array([3.0, 0.0, -1.0])

    def program(x):
        return 0.1 * g - 0.1 * g @ np.outer(x, x)

    assert not np.allclose(program(some), program(others))  # for one and the same gradient
    steps = []
    for _ in (some, others):  # which Adam is not given
        theta = np.zeros(3)
        Adam(theta, learning_rate=0.1).step(g)
        steps.append(theta)
    assert np.array_equal(*steps)


def test_what_a_program_prints():
    """Ten rounds that print three random numbers make ten rows of three, and not one of eight alike."""

    def possible(rows):
        return len(rows) == 10 and all(len(row) == 3 and np.ptp(row) > 0 for row in rows)

    assert not possible([[0.89996779] * 8])
    theta, printed = np.random.default_rng(0).random(3), []
    opt = Adam(theta, learning_rate=0.001)
    for _ in range(10):
        opt.step(theta - 3.0)
        printed.append(theta.copy())
    assert possible(printed)


def test_a_parameter_is_not_its_gradient():
    def small(number):
        return abs(number) <= 1e-4

    assert not small(0.89996779)  # not even if the list were one of gradients
    theta = np.array([5e-5])
    assert small(theta[0])
    assert not small(theta[0] - 3.0)  # a small parameter, a large gradient
    end = minimum(Adam, learning_rate=0.1, steps=2000)
    assert not small(end)
    assert small(end - 3.0)


def test_an_explanation_is_of_the_program_above_it():
    program = "X = y = theta = b = 0\nalpha, beta = 0.999, 0.999\ngrad = theta\nprint(X, y, b, grad)"
    names = {node.id for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Name)}
    assert not {"theta", "grad", "grad_bar", "alpha", "beta"} <= names
    assert {"theta", "grad", "alpha", "beta"} <= names


# Advice of section 5


def spread(rate):
    """How far 300 parameters lie from the minimum of a bowl, after steps with noisy gradients."""
    return spread_at_the_end(rate, 700, 300)


def test_a_small_rate_at_the_start_leaves_the_noise_as_it_is():
    small_first = spread(lambda n: 0.005 if n < 200 else 0.05)
    small_last = spread(lambda n: 0.05 if n < 200 else 0.005)
    assert small_first == pytest.approx(spread(0.05), rel=0.05)
    assert small_last < 0.5 * small_first
    # just after the change it does matter
    soon = [spread_at_the_end(rate, 205, 300) for rate in (lambda n: 0.005 if n < 200 else 0.05, 0.05)]
    assert soon[0] < 0.9 * soon[1]


def test_the_learning_rate_does_not_enter_the_gradient():
    for rate in (1e-3, 1.0, 1e3):
        small = np.full(30, 0.1)
        for _ in range(10):
            small = small - rate * chain_gradient(small)
        assert np.abs(chain_gradient(small)).max() < 1e-24
    assert np.abs(chain_gradient(np.ones(30))).max() == 1  # the remedy: other weights, any rate


def test_a_smaller_rate_can_keep_a_run_from_exploding():
    """What is right in the advice: the rate decides where the next gradient is taken."""

    def end(rate, steps=40):
        w = np.full(10, 1.2)
        for _ in range(steps):
            w = w - rate * chain_gradient(w)
            if np.abs(w).max() > 1e6:
                return np.inf
        return chain_loss(w)

    assert end(1.0) == np.inf
    assert end(0.002) < 1e-3


def test_more_layers_shrink_what_shrinks_and_magnify_what_grows():
    def first_gradient(depth, weight):
        return weight ** (depth - 1)

    assert first_gradient(20, 0.5) == pytest.approx(1e-3 * first_gradient(10, 0.5), rel=0.03)
    assert first_gradient(20, 2.0) == pytest.approx(1e3 * first_gradient(10, 2.0), rel=0.03)
    assert first_gradient(20, 1.0) == first_gradient(10, 1.0)


TORCH = {
    "torch": {"cuda", "nn", "no_grad", "optim", "utils"},
    "torch.cuda": {"Device", "device", "device_count", "device_of"},
    "torch.utils.data": {"DataLoader", "Dataset"},
}
"""Some names of PyTorch 2.13.0; of torch.cuda those that begin with "Device" or "device"."""

NO_DEVICE = "torch.cuda.DeviceC\u7fa4\u4f53"


def known(name):
    module, _, last = name.rpartition(".")
    return last in TORCH.get(module, ())


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (NO_DEVICE, "torch.cuda.device"),
        ("torch.data.Dataset", "torch.utils.data.Dataset"),
    ],
    ids=["device", "dataset"],
)
def test_a_name_of_a_library_is_one_it_has(wrong, right):
    assert not known(wrong)
    assert known(right)


def test_what_pytorch_itself_says():
    """The names, and no_grad, under which nothing can be trained and nothing is hidden."""
    torch = pytest.importorskip("torch")
    for wrong in (NO_DEVICE, "torch.data.Dataset"):
        with pytest.raises(AttributeError, match="has no attribute"):
            eval(wrong, {"torch": torch})
    assert len(torch.utils.data.Dataset.__name__) == 7
    w = torch.ones(3, requires_grad=True)
    with torch.no_grad():
        unrecorded = (w**2).sum()
        assert w.tolist() == [1, 1, 1]  # the data can be read as before
    with pytest.raises(RuntimeError, match="does not require grad"):
        unrecorded.backward()
    (w**2).sum().backward()
    assert w.grad.tolist() == [2, 2, 2]


def test_a_gradient_that_is_shown_gives_its_input_away():
    """Without any recording, by hand: a dense layer's gradient for one example is its input times d."""
    secret, d = np.array([0.2, 0.7, -0.4]), np.array([0.5, -1.5])
    shared = {"W": np.outer(secret, d), "b": d}
    found = shared["W"][:, 0] / shared["b"][0]
    assert found == pytest.approx(secret)
    without_bias = shared["W"][:, 0] / np.linalg.norm(shared["W"][:, 0])  # then only up to a factor
    assert without_bias == pytest.approx(secret / np.linalg.norm(secret))
    rng = np.random.default_rng(0)
    clipped, _ = clip_by_global_norm(shared, 1.0)
    noisy = {name: g + rng.normal(size=g.shape) for name, g in clipped.items()}
    assert np.abs(noisy["W"][:, 0] / noisy["b"][0] - secret).max() > 0.1
    assert reference("abadi2016deep")["title"] == "Deep Learning with Differential Privacy"
    assert reference("zhu2019leakage")["title"] == "Deep Leakage from Gradients"


class Examples:
    """What a dataset is: a length, and an example for each number."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, k):
        return self.rows[k]


def test_a_dataset_hands_out_what_it_was_given():
    """One poisoned example of 100 moves the mean gradient far; where each is clipped, only a little."""
    clean = np.random.default_rng(0).normal(size=(100, 3))
    poisoned = clean.copy()
    poisoned[7] = 1e6

    def mean(examples, limit=1e12):
        rows = [examples[k] for k in range(len(examples))]
        return np.mean([clip_by_global_norm(g, limit)[0] for g in rows], axis=0)

    moved = mean(Examples(poisoned)) - mean(Examples(clean))
    assert np.abs(moved).min() > 9e3

    class Checked(Examples):
        def __getitem__(self, k):
            if np.abs(self.rows[k]).max() > 100:
                raise ValueError(f"example {k} is out of range")
            return super().__getitem__(k)

    with pytest.raises(ValueError, match="example 7"):  # unless somebody writes the check
        mean(Checked(poisoned))
    limited = mean(Examples(poisoned), 1.0) - mean(Examples(clean), 1.0)
    assert np.linalg.norm(limited) <= 2 * 1.0 / 100


# Conclusion and questions


def test_the_usual_decay_rates_bound_adams_steps():
    """A spike and then silence; with 0.9 and 0.5 the mean outlives the mean square."""
    gradients = np.r_[np.full(2000, 1e-3), 1e6, np.zeros(100)]

    def longest(**rates):
        return np.abs(steps_taken(Adam, gradients, learning_rate=1.0, **rates)).max()

    assert 2 < longest() < 4
    assert longest(beta1=0.9, beta2=0.5) > 1e6


def test_adams_ancestors_are_older_than_adam():
    year = {key: int(reference(key)["year"]) for key in ("duchi2011adaptive", "tieleman2012rmsprop")}
    adam, nadam = (int(reference(key)["year"]) for key in ("kingma2015adam", "dozat2016"))
    assert max(year.values()) < adam < nadam == 2016
    gradients = np.random.default_rng(0).normal(size=(30, 3))
    for optimizer in (AdaGrad, RMSProp, Nadam):  # which is best is a question, but not of the future
        assert np.isfinite(steps_taken(optimizer, gradients, learning_rate=0.01)).all()


def test_the_chain_rule_is_no_alternative_to_gradient_descent():
    """One advantage says that SGD lacks the chain rule, one answer that SGD has it and Adam does not."""
    said = {("SGD", False), ("Adam", True), ("SGD", True), ("Adam", False)}
    assert len({who for who, _ in said}) < len(said)
    params, (x, y) = weights(), data()
    for optimizer in (SGD, Adam):  # both are given what the chain rule computed
        params = weights()
        opt, before = optimizer(params, learning_rate=0.05), loss(params, x, y)
        for _ in range(100):
            opt.step(gradient(params, x, y))
        assert loss(params, x, y) < 0.7 * before


def test_an_appendix_has_a_heading_and_a_question_is_one():
    """Which heading each question stands under, outermost first; none is there by its own words."""

    def above(text, words):
        path = []
        for line in text.splitlines():
            if title := re.match(r"(#+) (.*)", line):
                path = [(level, name) for level, name in path if level < len(title[1])]
                path.append((len(title[1]), title[2]))
            if words in line:
                return [name for _, name in path]
        return None

    question = "What is it?"
    article = f"## 6. Conclusion\nAppendix: questions\n### Q:\n1. {question}\nA method.\n"
    right = f"## 6. Conclusion\nIt works.\n## Appendix: questions\n### {question}\nA method.\n"
    assert above(article, question) == ["6. Conclusion", "Q:"]
    assert above(right, question) == ["Appendix: questions", question]
    titles = [title for chapter in CHAPTERS for _, title in headings(chapter.read_text("utf8"))[0]]
    assert [title for title in titles if title.endswith(":")] == []


def test_what_a_commonmark_parser_makes_of_an_early_fence_and_of_loose_numbers():
    """Headings, blocks and lists that a parser finds in texts with the structure of the article."""
    parse = create_md_parser(MdParserConfig(commonmark_only=True), DocutilsRenderer).parse

    def found(text, kind):
        return [token for token in parse(text) if token.type == kind]

    drawing = "# draw the result\nplot(theta)\n"
    text = "## 3. Steps\n```python\nx = 1\n{}```\n{}## 4. Examples\n```python\nx = 1\n```\nThe output:\n"
    early, right = text.format("", drawing + "```\n"), text.format(drawing, "")
    assert [token.tag for token in found(early, "heading_open")] == ["h2", "h1"]
    assert "## 4. Examples" in found(early, "fence")[-1].content
    assert [token.tag for token in found(right, "heading_open")] == ["h2", "h2"]
    numbers = "1. What?\n\nThis.\n\n2. How?\n\nSo:\n\n1. a\n\n2. b\n"
    lists = found(numbers, "ordered_list_open")
    assert [token.attrGet("start") or 1 for token in lists] == [1, 2, 1]
    assert {token.level for token in lists} == {0}
