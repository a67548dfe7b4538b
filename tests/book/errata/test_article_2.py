"""What article 2 gets wrong: for each error, the wrong version fails and the right one passes."""

import ast
import inspect
import re
import sys
from collections import Counter
from math import comb

import numpy as np
import pytest
from chapter_texts import text_of
from support import steps_taken

from optimlib import SGD, Adam, assert_gradient, check_gradient, differences, nn
from optimlib.nn import tape

# The article's data and first parameters: NumPy keeps the stream of its old generator as it is.
STREAM = np.random.RandomState(0)
X = STREAM.rand(100, 1)
Y = 3 * X + 2 + STREAM.rand(100, 1)
W0, B0 = STREAM.rand(1), STREAM.rand(1)
MOVE = 0.01 * np.random.RandomState(0).randn(2)
START = np.array([W0[0], B0[0]])

x, y = X[:, 0], Y[:, 0]


def line_loss(theta):
    """The mean squared residual of a line with the slope theta[0] and the intercept theta[1]."""
    return np.mean((theta[0] * x + theta[1] - y) ** 2)


def line_gradient(theta):
    residual = theta[0] * x + theta[1] - y
    return np.array([np.mean(2 * residual * x), np.mean(2 * residual)])


def without_x(theta):
    """The gradient with the inner derivative forgotten."""
    return np.full(2, line_gradient(theta)[1])


def trained(gradient, theta=START, rate=0.3, steps=1000, optimizer=SGD):
    theta = theta.copy()
    opt = optimizer(theta, rate)
    for _ in range(steps):
        opt.step(gradient(theta))
    return theta


def momentum(theta, rate, **options):
    """The heavy ball."""
    return SGD(theta, rate, momentum=0.9, **options)


BEST = np.linalg.lstsq(np.stack([x, np.ones_like(x)], axis=1), y, rcond=None)[0]


# What a gradient is, and what a check is for.


def test_a_gradient_does_not_give_the_loss():
    """Two losses with one gradient; and a loss is computed before any gradient is."""

    def shifted(theta):
        return line_loss(theta) + 7

    assert check_gradient(line_loss, line_gradient, START).passed
    assert check_gradient(shifted, line_gradient, START).passed
    assert shifted(START) != line_loss(START)
    near = START + np.random.default_rng(12).standard_normal((20, 2))
    assert min(map(line_loss, near)) < line_loss(START)  # a search lowers the loss with no gradient


def test_the_gradient_points_uphill():
    g, h = line_gradient(START), 1e-3
    along, against = START + h * g, START - h * g
    assert line_loss(along) > line_loss(START) > line_loss(against)
    np.testing.assert_allclose(trained(line_gradient, rate=h, steps=1), against)
    assert line_loss(START + h * np.zeros(2)) == line_loss(START)  # nor does a gradient of zero

    def turned(optimizer, steps):  # the sine of the angle between the last step and its gradient
        before, after = (trained(line_gradient, rate=h, steps=n, optimizer=optimizer) for n in steps)
        g, step = line_gradient(before), after - before
        return abs(g[0] * step[1] - g[1] * step[0]) / np.linalg.norm(g) / np.linalg.norm(step)

    assert turned(SGD, (100, 101)) < 1e-9
    assert turned(momentum, (0, 1)) < 1e-9  # the first step still points along the gradient
    assert turned(momentum, (100, 101)) > 1e-3
    assert turned(Adam, (0, 1)) > 0.1


def test_the_gradient_is_not_the_length_of_the_step():
    """A loss in other units has another gradient, and the same good step."""
    small, large = np.array([[0.5, -2.0]]), 1000 * np.array([[0.5, -2.0]])
    for g, rate in ((small, 0.1), (large, 0.0001)):
        np.testing.assert_allclose(steps_taken(SGD, g, learning_rate=rate), 0.1 * small)
        assert not np.allclose(steps_taken(SGD, g, learning_rate=rate), g)  # nor is it the gradient
    by_adam = [steps_taken(Adam, g, learning_rate=0.1) for g in (small, large)]
    np.testing.assert_allclose(by_adam[0], by_adam[1], rtol=1e-6)
    np.testing.assert_allclose(np.abs(by_adam), 0.1, rtol=1e-6)
    tiny = steps_taken(Adam, [[0.0, 1e-12]], learning_rate=0.1)  # not far above epsilon
    np.testing.assert_allclose(tiny, [[0.0, 1e-5]], rtol=1e-3)


def test_a_wrong_gradient_can_converge():
    """One arrives at the minimum. The other comes to rest elsewhere, with most of the loss gone."""

    def stretched(theta):
        return line_gradient(theta) * [4, 1]

    for claim in (stretched, without_x):
        assert not check_gradient(line_loss, claim, START).passed
        end = trained(claim)
        assert np.abs(claim(end)).max() < 1e-10  # it converged
        assert line_loss(end) < 0.01 * line_loss(START)
    np.testing.assert_allclose(trained(stretched), BEST, rtol=1e-7)
    assert line_loss(trained(without_x)) > 1.2 * line_loss(BEST)


def test_parameters_have_no_gradient_of_their_own():
    """The same parameters under two losses: the gradient belongs to the loss."""

    def absolute(theta):
        return np.mean(np.abs(theta[0] * x + theta[1] - y))

    def its_gradient(theta):
        side = np.sign(theta[0] * x + theta[1] - y)
        return np.array([np.mean(side * x), np.mean(side)])

    assert check_gradient(line_loss, line_gradient, START).passed
    assert check_gradient(absolute, its_gradient, START).passed
    assert not np.allclose(line_gradient(START), its_gradient(START), rtol=0.1)
    assert not check_gradient(line_loss, its_gradient, START).passed


def test_a_definition_does_not_use_its_term():
    article = "the gradient of the parameters, that is, direction and length of the update"
    assert "gradient" in article
    sections = re.split(r"^## ", text_of("finite-differences"), flags=re.MULTILINE)
    (section,) = [words for words in sections if words.startswith("Many parameters")]
    (ours,) = re.findall(r"(With the \$i\$-th unit vector .+) and you have the gradient:", section)
    assert "partial derivative" in ours
    assert "gradient" not in ours


def test_a_mismatch_is_no_fault_of_the_optimization():
    """The verdict is there before any optimizer is, and no optimizer changes it."""
    assert not check_gradient(line_loss, without_x, START).passed
    for optimizer in (SGD, Adam):
        at = trained(without_x, rate=0.05, steps=20, optimizer=optimizer)
        assert not check_gradient(line_loss, without_x, at).passed
        assert check_gradient(line_loss, line_gradient, at).passed
    assert "optimizer" not in inspect.signature(check_gradient).parameters


def test_a_right_gradient_does_not_make_the_optimization_right():
    """A rate beyond the limit: the gradient passes at every tenth step, and the loss rises."""

    def run(rate):
        theta, losses, verdicts = START.copy(), [], []
        opt = SGD(theta, rate)
        for n in range(30):
            if n % 10 == 0:
                verdicts.append(check_gradient(line_loss, line_gradient, theta).verdict)
            losses.append(line_loss(theta))
            opt.step(line_gradient(theta))
        return losses, verdicts

    losses, verdicts = run(1.2)
    assert verdicts == ["pass"] * 3
    assert losses[-1] > 1e6 * losses[0]
    losses, verdicts = run(0.5)
    assert verdicts == ["pass"] * 3
    assert losses[-1] < 0.1 * losses[0]
    inputs = np.stack([x, np.ones_like(x)], axis=1)
    assert 0.5 < 2 / np.linalg.norm(2 * inputs.T @ inputs / len(x), 2) < 1.2  # between them the limit


def sentences(text):
    """The sentences of the prose, without cells, boxes and formulas."""
    prose = re.sub(r"^(`{3,}|:{3,}|\$\$).*?^\1.*?$", "", text, flags=re.MULTILINE | re.DOTALL)
    words = [" ".join(s.split()) for s in re.split(r"(?<=[.?!:])\s+", prose)]
    return [s for s in words if len(s) > 60]


def test_a_section_says_more_than_the_one_before():
    """Section 2 promises concepts and their connection. Its statements, and those of section 1."""
    background = [
        "gradient: direction and length",
        "check: approximates it",
        "if it is wrong: optimization",
    ]
    new = {"gradient: a key concept", "gradient of the parameters: their gradient"}
    concepts = [*new, background[0], background[1], background[1], background[2]]
    assert set(concepts) - set(background) == new  # the second explains nothing, since it is circular
    assert max(Counter(background + concepts).values()) == 3
    for chapter in ("finite-differences", "the-gradient-check", "a-million-parameters"):
        counts = Counter(sentences(text_of(chapter)))
        assert len(counts) > 50
        assert max(counts.values()) == 1, counts.most_common(1)


# The recipe.


def sum_of_cubes(theta):
    return (theta**3).sum() / 3


def one_wrong(place):
    def claim(theta):
        g = theta**2
        g[place] *= -1
        return g

    return claim


def sees(claim, theta, places, h=1e-5):
    """Whether a comparison of the slopes at these places finds a mistake."""
    g = claim(theta)
    for i in places:
        e = np.zeros_like(theta)
        e[i] = h
        slope = (sum_of_cubes(theta + e) - sum_of_cubes(theta - e)) / (2 * h)
        if abs(slope - g[i]) > 1e-6:
            return True
    return False


THETA = np.random.default_rng(3).uniform(0.5, 2, 30)


def test_the_two_rules_of_choice_do_not_fit_together():
    """3.1 draws any parameters, 3.2.1 takes the influential ones; a mistake sits at the least one."""
    influential = np.argsort(THETA**2)[-10:]
    claim = one_wrong(np.argmin(THETA))

    def found(places):
        return np.mean([sees(claim, THETA, places(np.random.default_rng(k))) for k in range(300)])

    assert 0 < found(lambda rng: rng.choice(30, 3, replace=False)) < 0.2  # now and then
    assert found(lambda rng: influential[-3:]) == 0
    assert found(lambda rng: rng.choice(influential, 3, replace=False)) == 0  # follows both, and never
    report = check_gradient(sum_of_cubes, lambda t: t**2, THETA, coordinates=30, directions=0)
    assert {probe.index for probe in report.probes} >= {(i,) for i in range(30)}  # one rule: all of them


def test_influential_parameters_hide_the_bug_in_the_others():
    """Influence is the slope itself; and a slope that is wrongly zero looks like no influence."""
    least, most = np.argsort(THETA)[0], np.argsort(THETA)[-3:]

    def forgets(theta):
        g = theta**2
        g[most[-1]] = 0
        return g

    by_claim = np.argsort(np.abs(forgets(THETA)))[-3:]
    assert not sees(one_wrong(least), THETA, most)
    assert not sees(forgets, THETA, by_claim)
    for claim in (one_wrong(least), forgets):
        assert sees(claim, THETA, range(30))
        assert not check_gradient(sum_of_cubes, claim, THETA).passed


def test_a_sample_of_parameters_misses_the_others():
    rng = np.random.default_rng(0)
    found = np.mean(
        [sees(one_wrong(rng.integers(30)), THETA, rng.choice(30, 3, replace=False)) for _ in range(2000)]
    )
    assert found == pytest.approx(1 - comb(29, 3) / comb(30, 3), abs=0.03)
    assert found < 0.15
    for place in range(0, 30, 5):
        assert not check_gradient(
            sum_of_cubes, one_wrong(place), THETA, coordinates=0, directions=6
        ).passed


def test_a_pass_holds_for_the_point_where_it_was_made():
    def loss(theta):
        return line_loss(theta) + 0.5 * np.abs(theta[0])

    def claim(theta):  # takes the slope of abs for 1 everywhere
        return line_gradient(theta) + np.array([0.5, 0])

    def right(theta):
        return line_gradient(theta) + np.array([0.5 * np.sign(theta[0]), 0])

    verdicts = [
        [check_gradient(loss, g, np.array([w, 0.5])).passed for w in (0.7, -0.7)] for g in (claim, right)
    ]
    assert verdicts == [[True, False], [True, True]]
    few = [
        check_gradient(sum_of_cubes, one_wrong(k), THETA, coordinates=3, directions=0).passed
        for k in range(30)
    ]
    assert 0 < sum(few) < 30  # nor does a pass say anything of what was not probed


def quotient(f, at, step):
    return (f(at + step) - f(at)) / step


@pytest.mark.parametrize(
    ("f", "slope", "at", "step"),
    [(np.cos, -np.sin(1.0), 1.0, 1e-15), (np.exp, np.e, 1.0, 0.01), (np.abs, 1.0, 1e-7, -1e-5)],
    ids=["rounding", "truncation", "kink"],
)
def test_a_mismatch_can_be_the_fault_of_the_quotient(f, slope, at, step):
    """The claimed slope is right, and the quotient is what is off."""
    off = quotient(f, at, step) / slope - 1
    assert abs(off) > 0.004
    assert f is not np.cos or off == pytest.approx(0.19, abs=0.005)
    report = check_gradient(lambda v: f(v).sum(), lambda v: np.full(1, slope), np.array([at]))
    assert report.verdict in ("pass", "kink")


def test_a_random_size_leaves_the_accuracy_to_chance():
    rng = np.random.default_rng(1)
    random = np.abs([quotient(np.exp, 1.0, s) / np.e - 1 for s in 0.01 * rng.standard_normal(1000)])
    assert random.max() / random.min() > 1000
    assert np.median(np.abs(np.log10(random[1:] / random[:-1]))) < 1  # from one draw to the next, less
    chosen = np.abs([quotient(np.exp, 1.0, s) / np.e - 1 for s in 2.0**-26 * rng.choice([-1, 1], 1000)])
    assert chosen.max() < 1e-7
    assert random.min() > chosen.max()


def test_to_multiply_by_a_small_number_is_no_perturbation():
    rng = np.random.default_rng(2)
    theta = 3.0

    def worst(moved):
        quotients = [(m**4 - theta**4) / (m - theta) for m in moved]
        return np.abs(np.array(quotients) / (4 * theta**3) - 1).max()

    small = 0.01 * rng.standard_normal(20)
    assert np.abs(theta * small).max() < 0.1  # it has moved nearly to zero
    assert worst(theta * small) > 0.7
    assert worst(theta * (1 + small)) < 0.05
    assert worst(theta + small) < 0.05


def test_zero_times_anything_is_zero():
    """A bias that starts at zero, and a factor of any size."""
    for factor in (0.01, 1.01):
        moved = 0.0 * factor
        with np.errstate(invalid="ignore"):
            assert np.isnan(np.float64((moved - 1) ** 2 - 1) / np.float64(moved))
    quotient_at_zero = ((0.01 - 1) ** 2 - 1) / 0.01
    assert quotient_at_zero == pytest.approx(-2, rel=0.01)
    assert check_gradient(lambda b: ((b - 1) ** 2).sum(), lambda b: 2 * (b - 1), np.zeros(1)).passed


def test_the_smallest_step_is_not_the_best():
    def f(x):
        return 1 / (1 + x * x)

    errors = {h: abs(quotient(f, 0.5, h) / -0.64 - 1) for h in (1e-2, 1e-8, 1e-15, 1e-16, 1e-17)}
    assert errors[1e-8] < 1e-7 < 1e-3 < errors[1e-2]
    assert errors[1e-15] > 0.01
    assert errors[1e-16] == errors[1e-17] == 1.0  # no slope at all
    assert f(0.5 + 1e-17) == f(0.5)  # the loss is not disturbed in the least
    assert abs(differences.central(f, 0.5) / -0.64 - 1) < 1e-9


def test_each_quotient_contains_the_other_parameters_change():
    """The article's own move of both parameters: what its formula gives, and what is right."""
    quotients = (line_loss(START + MOVE) - line_loss(START)) / MOVE
    assert quotients == pytest.approx([-4.77, -21.02], abs=0.01)
    assert line_gradient(START) == pytest.approx([-3.37, -6.21], abs=0.01)
    one_by_one = [(line_loss(START + m) - line_loss(START)) / m.sum() for m in np.diag(MOVE)]
    np.testing.assert_allclose(one_by_one, line_gradient(START), rtol=0.005)
    along = differences.central(lambda s: line_loss(START + s * MOVE), 0.0)
    assert along == pytest.approx(line_gradient(START) @ MOVE)


def test_the_quotient_is_not_the_gradient():
    """They are equal only where the loss is straight; so they need two names."""
    step, slope = 0.01, line_gradient(START)[1]
    measured = quotient(lambda b: line_loss([START[0], b]), START[1], step)
    assert measured != pytest.approx(slope, rel=1e-4)
    assert measured == pytest.approx(slope + step)  # by half the step times the curvature, which is 2
    symbols = {"quotient": "nabla L", "gradient": "nabla L"}
    assert len(set(symbols.values())) == 1
    numeric = re.search(r"\$\$D_i\(h\) = .*?\\text\{against\}\\quad g_i", text_of("the-gradient-check"))
    assert numeric


def test_the_claim_must_take_part_in_the_check():
    """Section 3.1 compares the slope with the true gradient; what is to be checked does not occur."""

    def article(claim):
        slopes = [differences.central(lambda s, e=e: line_loss(START + s * e), 0.0) for e in np.eye(2)]
        return np.allclose(slopes, line_gradient(START))  # had we the true one, what would we check?

    for claim, right in ((line_gradient, True), (without_x, False), (np.zeros_like, False)):
        assert article(claim)
        assert check_gradient(line_loss, claim, START).passed == right


def test_similar_is_no_verdict_without_a_measure():
    """Two usual measures of similarity, and two pairs of slopes on which they contradict each other."""

    def absolute(a, b):
        return abs(a - b) < 1e-5

    def relative(a, b):
        return abs(a - b) < 1e-7 * max(abs(a), abs(b))

    opposite, close = (1e-6, -1e-6), (1e6, 1e6 + 0.01)
    assert absolute(*opposite)
    assert not relative(*opposite)
    assert relative(*close)
    assert not absolute(*close)
    for scale in (1e-60, 1e-6, 1e6, 1e60):

        def loss(theta, scale=scale):
            return scale * line_loss(theta)

        assert check_gradient(loss, lambda t, s=scale: s * line_gradient(t), START).passed
        assert not check_gradient(loss, lambda t, s=scale: -s * line_gradient(t), START).passed


def test_one_sided_differences_with_steps_of_a_hundredth():
    """What a usual threshold makes of the right slope of the line, and of exp."""

    def error(step, scheme):
        return abs(scheme(step) / np.e - 1)

    forward = error(0.01, lambda h: (np.exp(1 + h) - np.exp(1)) / h)
    short = error(1.5e-8, lambda h: (np.exp(1 + h) - np.exp(1)) / h)
    central = error(1e-5, lambda h: (np.exp(1 + h) - np.exp(1 - h)) / (2 * h))
    assert forward == pytest.approx(0.005, rel=0.01)  # h f'' / 2 f'
    assert short < 1e-7 < forward
    assert central < 1e-9
    w, step = START[0], MOVE[0]
    quotient_w = (line_loss([w + step, START[1]]) - line_loss(START)) / step
    off = abs(quotient_w / line_gradient(START)[0] - 1)
    assert 0.001 < off < 0.01  # a claim that is wrong by as much would not be seen


def test_the_mathematics_of_a_check_is_its_error():
    """What the two formulas of section 3.3 are of; and equations of our chapters."""
    article = ["gradient", "loss"]
    needed = {"step", "error of the quotient", "tolerance"}
    assert not needed & set(article)
    labels = set(
        re.findall(r":label: (eq-[\w-]+)", text_of("finite-differences") + text_of("the-gradient-check"))
    )
    assert {"eq-differences-default-step", "eq-differences-central"} <= labels
    assert any("tolerance" in label for label in labels)


# The program.

UNUSED = "import numpy as np\nimport a_large_framework as tf\nresult = float(np.mean([1.0, 3.0]))\n"


def unused(source):
    tree = ast.parse(source)
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    return imported - {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def test_an_import_that_nothing_uses_can_stop_the_program(monkeypatch):
    monkeypatch.setitem(sys.modules, "a_large_framework", None)
    assert unused(UNUSED) == {"tf"}
    with pytest.raises(ModuleNotFoundError):
        exec(UNUSED, {})
    mended = UNUSED.replace("import a_large_framework as tf\n", "")
    assert not unused(mended)
    names = {}
    exec(mended, names)
    assert names["result"] == 2.0


def test_noise_with_a_mean_moves_the_line():
    rng = np.random.default_rng(4)

    def intercepts(noise):
        return np.mean([np.polyfit(x, 3 * x + 2 + noise(100), 1)[1] for _ in range(300)])

    np.testing.assert_allclose(BEST, [2.94, 2.56], atol=0.01)  # in the article's own data
    assert intercepts(lambda n: rng.uniform(0, 1, n)) == pytest.approx(2.5, abs=0.02)
    assert intercepts(lambda n: rng.uniform(-0.5, 0.5, n)) == pytest.approx(2.0, abs=0.02)


def test_a_second_model_has_other_parameters():
    """A model that draws its parameters when it is made, and a loss that takes none."""
    stream = np.random.RandomState(5)

    class Drawn:
        def __init__(self):
            self.w, self.b = stream.rand(), stream.rand()

        def loss(self):
            return line_loss([self.w, self.b])

    model, moved = Drawn(), Drawn()
    assert (model.w, model.b) != (moved.w, moved.b)
    moved.w = model.w + MOVE[0]  # to move w alone takes one line, and the other is forgotten
    slope = line_gradient([model.w, model.b])[0]
    assert abs((moved.loss() - model.loss()) / MOVE[0] / slope - 1) > 1
    theta = np.array([model.w, model.b])
    with_parameters = (line_loss(theta + np.diag(MOVE)[0]) - line_loss(theta)) / MOVE[0]
    assert with_parameters == pytest.approx(slope, rel=0.01)

    def wrapped(theta):
        model.w, model.b = theta
        return model.loss()

    assert check_gradient(wrapped, line_gradient, theta).passed
    with pytest.raises(TypeError):
        check_gradient(model.loss, line_gradient, theta)


def test_the_same_seed_ties_the_move_to_the_data():
    """Two normal numbers are made of two uniform ones, and these are the first two inputs."""
    u, v = 2 * x[:2] - 1
    length = u * u + v * v
    assert length < 1
    made = np.array([v, u]) * np.sqrt(-2 * np.log(length) / length)
    np.testing.assert_allclose(MOVE, 0.01 * made, rtol=1e-12)
    other = 0.01 * np.random.RandomState(1).randn(2)
    assert not np.allclose(MOVE, other, rtol=0.1)


def by_slip(slip):
    """The line's gradient with one of the article's slips."""

    def claim(theta):
        residual = theta[0] * x + theta[1] - y
        g = {"w": np.mean(2 * residual * x), "b": np.mean(2 * residual)}
        if slip == "no-x":
            g["w"] = np.mean(2 * residual)
        elif slip == "no-sum":
            g["w"] = 2 / len(x) * residual * x
        elif slip == "no-bias":
            g["w"] = np.mean(2 * (residual - theta[1]) * x)
        elif slip == "no-parameters":
            g["b"] = 2 / len(x) * (x.sum() - y.sum())
        return g

    return claim


@pytest.mark.parametrize("slip", ["no-x", "no-sum", "no-bias", "no-parameters"])
def test_the_gradient_of_the_line(slip):
    def loss(theta):
        return line_loss([theta["w"], theta["b"]])

    def check(claim, b=START[1]):
        theta = {"w": np.array(START[0]), "b": np.array(b)}
        return check_gradient(
            loss, lambda t: {k: np.asarray(v) for k, v in claim([t["w"], t["b"]]).items()}, theta
        )

    assert check(by_slip(None)).passed
    if slip == "no-sum":
        with pytest.raises(ValueError, match="shape"):
            check(by_slip(slip))
    else:
        assert not check(by_slip(slip)).passed
        assert check(by_slip(slip), b=0.0).passed == (slip == "no-bias")  # where a bias often starts


def test_without_the_sum_each_example_gets_its_own_slope():
    """A column goes in place of a number, broadcasting accepts it, and the fit becomes perfect."""
    w = np.zeros(1)
    for _ in range(3000):
        w = w - 50 * 2 / len(X) * (w * X - Y) * X
    assert w.shape == (100, 1)
    with_large_inputs = X[:, 0] > 0.2
    np.testing.assert_allclose((w * X)[with_large_inputs], Y[with_large_inputs], rtol=1e-3)
    assert np.ptp(w[with_large_inputs]) > 5
    smallest = np.argmin(X)
    assert abs(w[smallest] * X[smallest] / Y[smallest] - 1) > 0.5  # no fit where x is near zero
    number = np.zeros(1)
    number = number - 0.1 * np.sum(2 / len(X) * (number * X - Y) * X)
    assert number.shape == (1,)


def test_a_slope_without_parameters_never_changes():
    """Training by it never comes to rest; the right slope does."""

    def claim(theta):
        return np.array([line_gradient(theta)[0], 2 * np.mean(x - y)])

    assert claim(START)[1] == claim(START + 5)[1] == pytest.approx(-6.947, abs=1e-3)
    ends = [trained(claim, rate=0.1, steps=n) for n in (0, 4, 100, 400)]
    losses = [line_loss(end) for end in ends]
    assert losses[1] < 0.1 * losses[0]  # it falls at first, and then it grows
    assert 100 < losses[2] < losses[3] / 10
    np.testing.assert_allclose(
        [b for _, b in ends], START[1] + 0.6947 * np.array([0, 4, 100, 400]), rtol=1e-3
    )
    np.testing.assert_allclose(trained(line_gradient), BEST, rtol=1e-7)


def test_to_compute_a_loss_is_not_to_train():
    def article(theta):
        line_loss(theta)  # the value is thrown away

    def training(theta):
        SGD(theta, 0.3).step(line_gradient(theta))

    for fit, learns in ((article, False), (training, True)):
        theta = START.copy()
        for _ in range(50):
            fit(theta)
        assert (line_loss(theta) < line_loss(START)) == learns
        assert np.array_equal(theta, START) != learns


def test_a_trained_model_is_a_poor_place_to_check():
    """At the minimum the slope is zero: a claim of the opposite sign agrees, the quotient does not."""

    def compared(claim, theta, h=0.01):
        e = np.array([0, h])
        slope = (line_loss(theta + e) - line_loss(theta)) / h
        return abs(slope - claim(theta)[1]) / max(abs(slope), abs(claim(theta)[1]))

    def opposite(theta):
        return -line_gradient(theta)

    np.testing.assert_allclose(opposite(BEST), line_gradient(BEST), atol=1e-12)
    assert quotient(np.abs, 0.0, 1e-5) == 1  # at the minimum of a kink no slope is zero
    assert compared(line_gradient, BEST) > 0.99  # all of the quotient is its own error
    assert compared(line_gradient, START) < 0.01
    assert compared(opposite, START) > 1.9
    assert not check_gradient(line_loss, opposite, START).passed


def test_one_move_does_not_say_which_slope_is_wrong():
    """Two claims, wrong in different places, that predict the same change of the loss."""
    g = line_gradient(START)
    change = differences.central(lambda s: line_loss(START + s * MOVE), 0.0)
    in_w, in_b = g + np.diag(0.2 / MOVE)
    both = g + 5 * np.array([-MOVE[1], MOVE[0]])
    assert in_w @ MOVE == pytest.approx(in_b @ MOVE)
    assert in_w @ MOVE != pytest.approx(change, rel=0.1)  # refuted, but where?
    assert both @ MOVE == pytest.approx(change)  # wrong in both, and not refuted
    for claim, wrong in ((in_w, {0}), (in_b, {1}), (both, {0, 1}), (g, set())):
        report = check_gradient(line_loss, lambda theta, c=claim: c, START)
        failed = {p.index[0] for p in report.probes if p.verdict == "fail" and p.index is not None}
        assert failed == wrong


def printed(claim):
    """What the article's program prints: two losses, and the claimed gradient at the moved point."""
    return [line_loss(START), line_loss(START + MOVE), *np.ravel(claim(START + MOVE))]


def test_no_slope_is_among_the_printed_numbers():
    along = (line_loss(START + MOVE) - line_loss(START)) / np.linalg.norm(MOVE)
    quotients = [along, *(line_loss(START + MOVE) - line_loss(START)) / MOVE]
    for number in printed(without_x):
        assert all(abs(number / q - 1) > 0.05 for q in quotients)
    report = check_gradient(line_loss, without_x, START)
    slopes = np.array([probe.numeric for probe in report.probes if probe.index is not None])
    np.testing.assert_allclose(np.unique(slopes.round(6)), np.sort(line_gradient(START)), rtol=1e-5)


def test_printed_numbers_are_no_comparison():
    """The same lines come out for a right and a wrong gradient, and nothing is raised."""
    for claim in (line_gradient, without_x):
        assert len(printed(claim)) == 4
        assert np.isfinite(printed(claim)).all()
    assert_gradient(line_loss, line_gradient, START)
    with pytest.raises(AssertionError):
        assert_gradient(line_loss, without_x, START)


def test_the_gradient_at_another_point_is_another_gradient():
    assert check_gradient(line_loss, line_gradient, START).passed
    assert not check_gradient(line_loss, lambda theta: line_gradient(theta + MOVE), START).passed
    np.testing.assert_allclose(line_gradient(START + MOVE) / line_gradient(START), 0.996, atol=0.0005)
    # Half as far from either end, the difference is as large as the error of a one-sided quotient.
    middle = line_gradient(START + MOVE / 2) @ MOVE
    assert line_loss(START + MOVE) - line_loss(START) == pytest.approx(middle, rel=1e-9)


# Outlook.


def test_checks_that_run_by_themselves_exist():
    """The libraries of our table; and one call, of ours, that needs nobody to look at numbers."""
    table = text_of("a-million-parameters").replace("` `.", ".")  # long names are set in two parts
    for name in (
        "autograd.test_util.check_grads",
        "jax.test_util.check_grads",
        "scipy.optimize.check_grad",
        "torch.autograd.gradcheck",
        "tf.test.compute_gradient",
    ):
        assert f"`{name}`" in table
    assert_gradient(line_loss, line_gradient, START)
    with pytest.raises(AssertionError, match="fail"):
        assert_gradient(line_loss, without_x, START)


def test_a_check_belongs_to_the_tests_of_the_program():
    """Every point of a run gives the verdict of the first one, and the run itself is not changed."""

    def run(claim, checks):
        theta, verdicts = START.copy(), []
        opt = Adam(theta, 0.05)
        for n in range(60):
            if checks and n % 20 == 0:
                verdicts.append(check_gradient(line_loss, claim, theta).verdict)
            opt.step(claim(theta))
        return theta, verdicts

    for claim, verdict in ((line_gradient, "pass"), (without_x, "fail")):
        plain, checked = run(claim, False), run(claim, True)
        np.testing.assert_array_equal(plain[0], checked[0])
        assert checked[1] == [verdict] * 3


def test_no_optimizer_is_in_a_check():
    """Better optimizers are no development of the check: it neither has one nor depends on one."""
    ends = {}
    for optimizer in (SGD, momentum, Adam):
        at = trained(line_gradient, rate=0.05, steps=25, optimizer=optimizer)
        ends[optimizer] = line_loss(at)
        assert check_gradient(line_loss, line_gradient, at).passed
        assert not check_gradient(line_loss, without_x, at).passed
    assert max(ends.values()) > 1.5 * min(ends.values())
    assert check_gradient(line_loss, without_x, BEST).verdict == "inconclusive"  # at the very end


def test_the_result_of_a_check_does_not_know_the_model():
    """Two models that predict the opposite of each other get the same verdict."""
    data = np.random.default_rng(6).standard_normal((50, 3))
    truth = np.array([2.0, -1.0, 0.0])

    def report_of(sign):
        targets = sign * data @ truth

        def loss(w):
            return np.mean((data @ w - targets) ** 2)

        def gradient(w):
            return 2 * data.T @ (data @ w - targets) / len(data)

        at = 0.5 * sign * truth
        report = check_gradient(loss, gradient, at)
        differ = [abs(p.numeric - p.analytic) for p in report.probes]
        return report.verdict, max(differ), gradient(at)

    (one, off, g), (other, also_off, opposite) = report_of(1), report_of(-1)
    assert one == other == "pass"
    assert max(off, also_off) < 1e-6 * np.abs(g).max()  # of a right gradient: rounding
    np.testing.assert_allclose(g, -opposite)  # it is the gradient that tells the two apart


def test_models_of_checked_rules_seldom_need_a_check():
    """Eight random models made of a tape's own rules, one with an operation by hand, and two traps."""
    rng = np.random.default_rng(7)
    activations = (tape.tanh, tape.sigmoid)

    def model(activation):
        chosen = [activation[k] for k in rng.integers(len(activation), size=rng.integers(1, 4))]

        def loss(theta):
            h = theta["x"]
            for f, W in zip(chosen, theta["W"], strict=False):
                h = f(h @ W)
            return (h**2).sum()

        theta = {"x": rng.standard_normal((2, 3)), "W": [rng.standard_normal((3, 3)) for _ in range(3)]}
        return check_gradient(
            lambda t: tape.value_and_gradient(loss, t)[0],
            lambda t: tape.value_and_gradient(loss, t)[1],
            theta,
        ).passed

    def own_operation(z):  # added by hand, with a slip: the square is missing
        a = np.tanh(z.value)
        return tape.record(a, (z,), lambda dy: (dy * (1 - a),))

    assert all(model(activations) for _ in range(8))
    assert not model((own_operation,))

    def slope(f, x):  # of the sum of f, from the tape
        return tape.value_and_gradient(lambda t: f(t["x"]).sum(), {"x": np.array([x])})[1]["x"]

    assert slope(own_operation, 0.0) == slope(tape.tanh, 0.0) == 1  # where the slip does nothing
    assert slope(lambda x: tape.relu(x) - tape.relu(-x), 0.0) == 0  # where two kinks meet: x itself
    assert slope(lambda x: tape.relu(x) - tape.relu(-x), 0.3) == 1
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.isnan(slope(lambda x: tape.log(1 + tape.exp(x)), 800.0))  # one overflows: 1


def test_what_costs_is_the_numeric_slope():
    calls = Counter()

    def loss(theta):
        calls["loss"] += 1
        return sum_of_cubes(theta)

    def gradient(theta):
        calls["gradient"] += 1
        return theta**2

    g = gradient(THETA)
    numeric = [differences.central(lambda s, e=e: loss(THETA + s * e), 0.0) for e in np.eye(30)]
    np.testing.assert_allclose(numeric, g, rtol=1e-6)
    assert calls == {"gradient": 1, "loss": 60}
    calls.clear()
    here = loss(THETA)
    [(loss(THETA + 1e-8 * e) - here) / 1e-8 for e in np.eye(30)]
    assert calls == {"loss": 31}  # one-sided differences take about half as many
    d = np.random.default_rng(8).standard_normal(30)
    calls.clear()
    along = differences.central(lambda s: loss(THETA + s * d), 0.0)
    assert along == pytest.approx(gradient(THETA) @ d, rel=1e-6)
    assert calls == {"gradient": 1, "loss": 2}
    for examples in (3, 100):  # nor does a check need all the data

        def of_few(theta, n=examples):
            return np.mean((theta[0] * x[:n] + theta[1] - y[:n]) ** 2)

        def its_gradient(theta, inner, n=examples):
            residual = theta[0] * x[:n] + theta[1] - y[:n]
            return np.array([np.mean(2 * residual * inner), np.mean(2 * residual)])

        assert check_gradient(of_few, lambda t, n=examples: its_gradient(t, x[:n], n), START).passed
        assert not check_gradient(of_few, lambda t, n=examples: its_gradient(t, 1.0, n), START).passed
    for examples in (3, 100):  # a slip in an example that is not among the few is not found by them

        def of_some(theta, n=examples):
            return np.mean((theta[0] * x[:n] + theta[1] - y[:n]) ** 2)

        def spoiled(theta, n=examples):
            residual = theta[0] * x[:n] + theta[1] - y[:n]
            residual[50:51] = 0
            return np.array([np.mean(2 * residual * x[:n]), np.mean(2 * residual)])

        assert check_gradient(of_some, spoiled, START).passed == (examples == 3)


def chain(weight, depth=10, target=0.0):
    """A chain of tanh units with one weight each: its loss, its gradient, and its weights."""

    def forward(w):
        h = [np.array(0.5)]
        for k in range(depth):
            h.append(np.tanh(w[k] * h[-1]) if weight < 1 else w[k] * h[-1])
        return h

    def loss(w):
        return (forward(w)[-1] - target) ** 2 / 2

    def gradient(w):
        h, g = forward(w), np.zeros(depth)
        dh = h[-1] - target
        for k in reversed(range(depth)):
            dz = dh * (1 - h[k + 1] ** 2) if weight < 1 else dh
            g[k], dh = dz * h[k], dz * w[k]
        return g

    return loss, gradient, np.linspace(weight, 1.2 * weight, depth)


def reaching_back(weight):
    """How much of the gradient with respect to the output reaches the input of the chain."""
    _, _, w = chain(weight)
    return float(np.prod(w))


@pytest.mark.parametrize("weight", [0.2, 8.0])
def test_a_check_passes_what_vanishes_and_what_explodes(weight):
    loss, gradient, w = chain(weight)
    report = check_gradient(loss, gradient, w)
    assert report.verdict == "pass"
    assert not check_gradient(loss, lambda v: 1.01 * gradient(v), w).passed
    factor = reaching_back(weight)
    assert factor < 1e-6 or factor > 1e9  # what finds it is a look at the sizes
    loss, gradient, w = chain(0.05, target=1.0)
    assert check_gradient(loss, gradient, w).verdict == "inconclusive"  # below the loss's rounding
    loss, gradient, w = chain(1e31)
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="is inf; expected a finite"):
        check_gradient(loss, gradient, w)


def test_what_limits_a_check_is_something_else():
    """A vanishing gradient passes, if it can be measured; at a kink there is none, nor under dropout."""
    loss, gradient, w = chain(0.2)
    assert check_gradient(loss, gradient, w).passed
    loss, gradient, w = chain(0.05, target=1.0)
    assert check_gradient(loss, gradient, w).verdict == "inconclusive"  # below the loss's rounding
    outside = check_gradient(lambda v: np.abs(v).sum(), lambda v: np.full(1, 5.0), np.zeros(1))
    assert outside.verdict == "fail"  # a kink does not make every claim one that cannot be judged
    kink = check_gradient(lambda v: np.abs(v).sum(), lambda v: np.full(1, 0.3), np.zeros(1))
    assert kink.verdict == "kink"
    rng = np.random.default_rng(9)

    def dropout(theta):
        return np.mean(((rng.random(100) < 0.5) * (theta[0] * x + theta[1] - y)) ** 2)

    for factor in (0.5, 1, -1, 1e4):  # right in the mean, and wrong
        report = check_gradient(dropout, lambda t, c=factor: c * line_gradient(t), START)
        assert report.verdict == "inconclusive"
        assert "not a function" in report.problem
    for dtype, smallest in ((np.float32, 1e-3), (np.float64, 1e-6)):
        at = np.array([0.5, -1.2, 2.0], dtype=dtype)
        seen = [
            not check_gradient(sum_of_cubes, lambda t, off=off: (1 + off) * t**2, at).passed
            for off in (1e-6, 1e-3)
        ]
        assert seen == [smallest == 1e-6, True]  # in float32 only coarser mistakes show


# Answers.


def test_a_check_moves_nothing_and_an_optimizer_judges_nothing():
    theta = START.copy()
    check_gradient(line_loss, without_x, theta)
    np.testing.assert_array_equal(theta, START)
    for optimizer in (SGD, momentum, Adam):
        moved = trained(without_x, rate=0.01, steps=1, optimizer=optimizer)  # no word about the claim
        assert not np.array_equal(moved, START)
        for refused in (lambda t: np.full(2, np.nan), lambda t: np.ones(3)):
            with pytest.raises(ValueError, match="expected"):
                trained(refused, rate=0.01, steps=1, optimizer=optimizer)


def test_a_check_does_not_mend_what_it_finds():
    claim = without_x
    before = claim(START)
    for _ in range(3):
        report = check_gradient(line_loss, claim, START)
        assert not report.passed
        np.testing.assert_array_equal(claim(START), before)
    assert check_gradient(line_loss, line_gradient, START).passed  # a person's correction did


def test_other_optimizers_do_not_bring_a_gradient_back():
    """Gradients of 1e-12, a hundred steps: the last step, in learning rates."""
    g = np.full(100, 1e-12)

    def last(optimizer, **options):
        return steps_taken(optimizer, g, learning_rate=1.0, **options)[-1]

    assert last(SGD) == pytest.approx(1e-12)
    assert last(SGD, momentum=0.9) == pytest.approx(1e-11, rel=1e-3)  # by 1/(1 - 0.9) at most
    assert last(Adam) == pytest.approx(1e-4, rel=1e-3)  # epsilon, 1e-8, is ten thousand times as large
    after_ones = steps_taken(Adam, [1.0] * 100 + [1e-12], learning_rate=1.0)
    assert after_ones[-1] > 0.5  # so it has to be constant: the means still hold what came before
    assert last(Adam, eps=1e-30) == pytest.approx(1.0)  # the caveat: with a tiny epsilon Adam does step
    exploded = steps_taken(Adam, np.full(100, 1e12), learning_rate=1.0)
    assert exploded == pytest.approx(1.0)  # no longer than any other step of Adam
    spike = np.append(np.random.default_rng(0).standard_normal(5000), [1e12] + 50 * [0.0])
    longest = np.abs(steps_taken(Adam, spike, learning_rate=1.0)[5000:]).max()
    assert longest == pytest.approx(0.1 / 0.001**0.5, rel=0.01)  # more by a long rise only
    rising = steps_taken(Adam, 1.1 ** np.arange(2000), learning_rate=1.0)
    assert 1 < np.abs(rising).max() < 0.1 / (0.001 * (1 - 0.81 / 0.999)) ** 0.5  # 7.3, whatever comes
    w = np.full(30, 1.5)  # the loss is (their product - 1)^2 / 2
    opt, start = Adam(w, 0.01), w.prod()
    for _ in range(100):
        opt.step((w.prod() - 1) * w.prod() / w)
    assert (w.prod() - 1) ** 2 < 0.01 * (start - 1) ** 2  # and such steps lower the loss
    assert reaching_back(0.2) < 1e-6  # but how much of the gradient arrives is a matter of the weights
    assert 0.1 < reaching_back(0.9) < 10


def relu_stack(scale, normalized, depth=20, n=64):
    """The mean square of the gradient at the bottom, over that at the top, of layers of ReLU."""
    rng = np.random.default_rng(10)
    h, layers = rng.standard_normal((128, n)), []
    ones, zeros = np.ones(n), np.zeros(n)
    for k in range(depth):
        W = scale(rng)
        z, cache = h @ W, None
        if k in normalized:
            z, cache = nn.batch_norm(z, ones, zeros)
        h = nn.relu(z)
        layers.append((W, cache, h))
    dh = top = rng.standard_normal(h.shape)
    for W, cache, out in reversed(layers):
        dz = nn.relu_backward(dh, out)
        if cache is not None:
            dz = nn.batch_norm_backward(dz, cache)[0]
        dh = dz @ W.T
    return np.mean(dh**2) / np.mean(top**2)


def small(rng):
    return 0.01 * rng.standard_normal((64, 64))


def test_to_normalize_one_layer_rescales_one_factor():
    assert relu_stack(small, normalized=()) < 1e-40
    assert relu_stack(small, normalized={0}) < 1e-40
    assert relu_stack(small, normalized=range(20)) > 0.1
    wide = 0.01 * np.random.default_rng(0).standard_normal((64, 20_000))
    assert np.sum(wide**2) / 64 / 2 == pytest.approx(1, rel=0.05)  # such a layer would keep it
    grown = relu_stack(lambda rng: nn.he_normal((64, 64), rng), normalized=range(20))
    assert 1.47**20 / 10 < grown < 10 * 1.47**20


def test_normalization_is_no_regularization():
    """A larger matrix leaves a normalized layer as it was, and makes a regularizer larger."""
    rng = np.random.default_rng(11)
    h, W = rng.standard_normal((20, 3)), rng.standard_normal((3, 4))

    def normalized(W):
        return nn.batch_norm(h @ W, np.ones(4), np.zeros(4))[0]

    def penalty(W):
        return np.sum(W**2) / 2

    np.testing.assert_allclose(normalized(10 * W), normalized(W), atol=1e-4)
    np.testing.assert_allclose(normalized(W).mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(normalized(W).var(axis=0), 1, atol=1e-4)
    assert penalty(10 * W) == pytest.approx(100 * penalty(W))
    assert np.abs(10 * W).sum() == pytest.approx(10 * np.abs(W).sum())  # not so without the square
    assert np.abs(normalized(1e-4 * W)).max() < 0.2  # below epsilon, nothing is normalized


def test_the_two_rules_for_first_weights_are_not_one():
    """Layers of ReLU: Glorot's weights halve the mean square in each of 20 layers, He's keep it."""
    halved = relu_stack(lambda rng: nn.glorot_normal((64, 64), rng), normalized=())
    kept = relu_stack(lambda rng: nn.he_normal((64, 64), rng), normalized=())
    assert halved < 1e-4
    assert 0.1 < kept < 10
    assert halved == pytest.approx(kept * 2.0**-20, rel=1e-9)  # the same draws
    narrow = nn.glorot_normal((400, 100), np.random.default_rng(0))
    assert narrow.var() * 100 / 2 == pytest.approx(0.2, rel=0.05)  # where a layer narrows, not a half
