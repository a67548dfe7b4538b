"""What article 1 gets wrong: for each error, the wrong version fails and the right one passes."""

import inspect
import re
from collections import Counter

import numpy as np
import pytest
from chapter_texts import numbered_lists, text_of
from notebook_rules import ROOT
from support import loss_of_the_best_rate, steps_taken

from optimlib import SGD, Adam, assert_gradient, check_gradient, differences

X = np.array([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]])
Y = np.array([2.0, 3.0, 4.0])


def sum_of_squares(x):
    return (x**2).sum()


def twice(x):
    return 2 * x


def plane_loss(theta):
    """The mean squared residual of the article's three points, with the shapes mended."""
    return np.mean((X @ theta - Y) ** 2)


def plane_gradient(theta):
    return 2 / len(Y) * X.T @ (X @ theta - Y)


# The check as it is described.


def noisy_check(g, rng, epsilon=1e-5, tolerance=2e-5):
    """Article 1's check: is the gradient close to itself with noise on top?"""
    return np.abs(g + epsilon * rng.uniform(-1, 1, g.shape) - g).max() <= tolerance


@pytest.mark.parametrize("wrong", [lambda x: 2 * x, lambda x: -2 * x, lambda x: 0 * x, lambda x: x**9])
def test_noise_on_the_gradient_treats_all_gradients_alike(wrong):
    """With a tolerance above the noise every one passes, and far below it none does."""
    x = np.array([0.3, -1.2, 2.0])
    assert noisy_check(wrong(x), np.random.default_rng(0))
    assert not noisy_check(wrong(x), np.random.default_rng(0), tolerance=1e-9)
    assert not noisy_check(np.nan * x, np.random.default_rng(0))  # what is not finite does not pass
    assert check_gradient(sum_of_squares, twice, x).passed
    if wrong(1.0) != 2.0:
        assert not check_gradient(sum_of_squares, wrong, x).passed


def by_the_rules(rules):
    """The slope of tanh(x)**2 by automatic differentiation and by hand, from one table of rules."""

    def automatic(x):
        value, slope = x, np.ones_like(x)
        for name, function in (("tanh", np.tanh), ("square", np.square)):
            value, slope = function(value), rules[name](value) * slope
        return slope

    def by_hand(x):
        return rules["square"](np.tanh(x)) * rules["tanh"](x)

    return automatic, by_hand


RULES = {"square": lambda x: 2 * x, "tanh": lambda x: 1 - np.tanh(x) ** 2}
FORGETS_A_SQUARE = {**RULES, "tanh": lambda x: 1 - np.tanh(x)}


def test_two_gradients_from_one_wrong_rule_agree():
    x = np.array([0.3, -1.2, 2.0])
    for rules, right in ((FORGETS_A_SQUARE, False), (RULES, True)):
        automatic, by_hand = by_the_rules(rules)
        np.testing.assert_allclose(automatic(x), by_hand(x), rtol=1e-14)
        assert check_gradient(lambda x: (np.tanh(x) ** 2).sum(), by_hand, x).passed == right
    right, wrong = (by_the_rules(rules)[0](x) for rules in (RULES, FORGETS_A_SQUARE))
    assert np.abs(right - wrong).max() > 0.1  # as far apart, whether the tool has the slip or the hand


def test_the_three_procedures_called_gradient_check_disagree():
    """It is defined by a second gradient, its steps add noise, and its program takes differences."""
    x = np.array([0.3, -1.2, 2.0])

    def verdicts(rules):
        automatic, by_hand = by_the_rules(rules)
        g = by_hand(x)
        return {
            "2.1": np.allclose(g, automatic(x)),
            "3.1.2": bool(noisy_check(g, np.random.default_rng(0))),
            "4.1.1": check_gradient(lambda x: (np.tanh(x) ** 2).sum(), by_hand, x).passed,
        }

    assert verdicts(RULES) == {"2.1": True, "3.1.2": True, "4.1.1": True}
    assert verdicts(FORGETS_A_SQUARE) == {"2.1": True, "3.1.2": True, "4.1.1": False}
    right_tool = by_the_rules(RULES)[0](x), by_the_rules(FORGETS_A_SQUARE)[1](x)
    assert not np.allclose(*right_tool)  # and a sound tool would convict what the noise lets pass


def test_a_pass_is_a_statement_about_one_point():
    def loss(x):
        return np.where(x > 0, x**2, 3 * x**2).sum()

    claims = {"wrong": twice, "right": lambda x: np.where(x > 0, 2 * x, 6 * x)}
    points = {"positive": np.array([0.5, 1.5]), "mixed": np.array([0.5, -1.5])}
    passed = {
        (claim, point): check_gradient(loss, g, x).passed
        for claim, g in claims.items()
        for point, x in points.items()
    }
    assert passed == {
        ("wrong", "positive"): True,
        ("wrong", "mixed"): False,
        ("right", "positive"): True,
        ("right", "mixed"): True,
    }
    many, wrong = np.linspace(1, 2, 30), [lambda x, k=k: 2 * x + (np.arange(30) == k) for k in range(30)]
    few = [check_gradient(sum_of_squares, g, many, coordinates=3, directions=0).passed for g in wrong]
    assert 0 < sum(few) < 30  # nor does a pass say anything of what was not probed
    assert not any(check_gradient(sum_of_squares, g, many).passed for g in wrong)


def first_step_that_cannot_be_taken(steps):
    known = set()
    for number, (needs, gives) in enumerate(steps, start=1):
        if not needs <= known:
            return number
        known |= gives
    return None


def test_the_steps_of_the_check_stand_in_an_order_that_can_be_followed():
    """What each step needs and gives; as in section 3.1.2, the noise goes on the gradient's elements."""
    article = [
        ({"gradient"}, {"noisy elements"}),
        ({"noisy elements"}, {"noisy gradient"}),
        (set(), {"gradient"}),
        ({"gradient", "noisy gradient"}, {"verdict"}),
    ]
    check = [
        (set(), {"gradient"}),
        (set(), {"losses on both sides"}),
        ({"losses on both sides"}, {"slope"}),
        ({"gradient", "slope"}, {"verdict"}),
    ]
    assert first_step_that_cannot_be_taken(article) == 1
    assert first_step_that_cannot_be_taken(check) is None


def test_both_names_stand_for_differences_of_the_loss():
    """What the tools with such names compare, as their documentation and our tables say."""
    article = {"check": "noise", "verification": "automatic differentiation"}
    tools = dict.fromkeys(("check_grads", "gradcheck", "check_gradient"), "differences")
    tools["verify_grad"] = "differences"  # of Theano: "Test a gradient by Finite Difference Method."
    table = text_of("how-check-gradient-decides")
    assert "`.gradcheck` | central differences" in table
    assert "`.check_grads` | one random direction, step" in table
    glossary = (ROOT / "book" / "glossary.md").read_text(encoding="utf8")
    assert "A comparison of a claimed gradient with differences of the loss." in glossary
    assert "differences" in inspect.getdoc(check_gradient)
    assert len(set(tools.values())) == 1
    assert not set(article.values()) & set(tools.values())


# The program of section 4.1.


def quotients(f, x, h=1e-5):
    """The article's loop in our words: one-sided differences, stored in an array like x."""
    found = np.zeros_like(x)
    for i in range(len(x)):
        moved = x.copy()
        moved[i] += h
        found[i] = (f(moved) - f(x)) / h
    return found


def neighbors(x):
    """The article's f: two sums of three inputs."""
    return np.array([x[0] + x[1], x[1] + x[2]])


def test_a_value_is_not_a_gradient():
    x = np.array([1.0, 2.0, 3.0])
    assert not np.allclose(sum_of_squares(x), quotients(sum_of_squares, x), rtol=0.1)
    assert np.allclose(twice(x), quotients(sum_of_squares, x), rtol=1e-4)
    assert not check_gradient(sum_of_squares, lambda x: np.full(3, sum_of_squares(x)), x).passed
    assert {"loss", "grad", "theta"} <= set(inspect.signature(check_gradient).parameters)


def test_an_integer_does_not_move_by_a_small_step():
    integers = np.array([1, 2, 3])
    assert quotients(sum_of_squares, integers).tolist() == [0, 0, 0]
    np.testing.assert_allclose(quotients(sum_of_squares, integers.astype(float)), [2, 4, 6], rtol=1e-4)
    truncated = np.zeros_like(integers)
    truncated[0] = 0.5  # a slope of one half, stored beside integers
    assert truncated[0] == 0
    with pytest.raises(TypeError, match="theta has dtype int64"):
        check_gradient(sum_of_squares, twice, integers.astype(np.int64))


@pytest.mark.parametrize("dtype", [int, float])
def test_two_outputs_do_not_fit_into_one_element(dtype):
    x = np.array([1, 2, 3], dtype=dtype)
    with pytest.raises(ValueError, match="setting an array element with a sequence"):
        quotients(neighbors, x)
    assert quotients(lambda x: neighbors(x).sum(), x).shape == (3,)


def test_two_outputs_of_three_inputs_have_a_jacobian():
    x = np.array([1.0, 2.0, 3.0])
    assert neighbors(x).shape != x.shape  # so nothing to compare with a gradient
    columns = [differences.central(lambda s, e=e: neighbors(x + s * e), 0.0) for e in np.eye(3)]
    np.testing.assert_array_equal(np.stack(columns, axis=1), [[1, 1, 0], [0, 1, 1]])
    with pytest.raises(TypeError, match="expected a number"):
        check_gradient(neighbors, np.ones_like, x)


def test_two_sums_are_not_one():
    """The article's words describe one sum of two components; its function returns two sums."""
    x = np.array([1.0, 2.0, 3.0])

    def described(x):
        return x[0] + x[1]

    assert np.ndim(described(x)) == 0
    assert check_gradient(described, lambda x: np.array([1.0, 1.0, 0.0]), x).passed
    assert neighbors(x).tolist() == [3, 5]
    with pytest.raises(TypeError, match="expected a number"):
        check_gradient(neighbors, lambda x: np.array([1.0, 1.0, 0.0]), x)


def test_two_arrays_are_not_a_verdict():
    x = np.array([1.0, 2.0, 3.0])

    def two_arrays(f, claim, x):
        return claim(x), quotients(f, x)

    for claim, right in ((twice, True), (lambda x: -x, False)):
        assert bool(two_arrays(sum_of_squares, claim, x))  # a tuple that is not empty is true
        assert check_gradient(sum_of_squares, claim, x).passed == right
    with pytest.raises(AssertionError):
        assert_gradient(sum_of_squares, lambda x: -x, x)


def test_one_sided_differences_do_not_go_with_a_step_of_1e_5():
    def sum_of_exp(x):
        return np.exp(x).sum()

    def relative_error(quotient):
        return abs(quotient / np.e - 1)

    forward = relative_error(quotients(sum_of_exp, np.ones(1))[0])
    shorter = relative_error(quotients(sum_of_exp, np.ones(1), 1.5e-8)[0])
    central = relative_error((np.exp(1 + 1e-5) - np.exp(1 - 1e-5)) / 2e-5)
    assert forward == pytest.approx(5e-6, rel=0.01)  # h f'' / 2 f'
    assert shorter < 1e-7 < forward  # a usual threshold refuses the right gradient
    assert central < 1e-9


def test_rows_are_not_coordinates():
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    found = quotients(sum_of_squares, x)
    sums = twice(x).sum(axis=1)
    np.testing.assert_allclose(found, np.stack([sums] * 3, axis=1), rtol=1e-4)
    by_coordinate = quotients(lambda flat: sum_of_squares(flat.reshape(x.shape)), x.ravel())
    np.testing.assert_allclose(by_coordinate.reshape(x.shape), twice(x), rtol=1e-4)
    with pytest.raises(TypeError, match="len"):
        quotients(sum_of_squares, np.array(3.0))
    assert check_gradient(sum_of_squares, twice, x).passed


def test_a_sum_of_coordinates_is_no_regression():
    """A regression's loss has data and a least value; the article's f has neither."""
    far = np.linspace(0, 1e6, 11)
    assert (np.diff([neighbors(np.full(3, -s)).sum() for s in far]) < 0).all()  # falls without end
    losses = [plane_loss(np.full(2, -s)) for s in far]
    assert min(losses) >= 0
    assert losses[-1] > losses[0]
    assert plane_loss(np.array([0.0, 1.0])) == 0


# Adam as it is described.


def moments(gradients, beta):
    mean = 0.0
    for g in gradients:
        mean = beta * mean + (1 - beta) * g
    return mean


def test_a_running_mean_is_not_a_cumulative_one():
    gradients = np.array([1.0] * 100 + [-1.0] * 20)
    assert gradients.mean() == pytest.approx(2 / 3)  # the mean of all so far still points up
    assert moments(gradients, 0.9) == pytest.approx(-1 + 2 * 0.9**20, abs=1e-4)
    assert steps_taken(Adam, gradients, learning_rate=1.0)[-1] < 0


def test_the_second_mean_is_not_the_square_of_the_gradient():
    gradients = np.array([1.0] * 50 + [0.001])
    named = moments(gradients, 0.9) / np.sqrt(gradients[-1] ** 2)  # with g^2 in the place of its mean
    assert named > 800
    steps = steps_taken(Adam, gradients, learning_rate=1.0)
    assert steps.max() < 1.01
    assert steps[-1] == pytest.approx(0.9, abs=0.05)


def test_the_mean_of_the_gradient_does_not_set_the_rate():
    """Per unit of the corrected mean, steps depend on the squares alone."""

    def rate(gradients):
        g = np.array(gradients)
        m_hat = moments(g, 0.9) / (1 - 0.9 ** len(g))
        return steps_taken(Adam, g, learning_rate=1.0)[-1] / m_hat

    assert rate([1.0, 1.0]) == pytest.approx(rate([1.0, -1.0]), rel=1e-6) == pytest.approx(1, rel=1e-6)
    assert rate([10.0, 10.0]) == pytest.approx(0.1, rel=1e-6)
    steps = [steps_taken(Adam, np.array(g), learning_rate=1.0)[-1] for g in ([1.0, 1.0], [1.0, -1.0])]
    assert steps[0] > 10 * abs(steps[1])  # what the mean sets is how far and which way


RATES = 2.0 ** np.arange(-14, 4)


def test_adaptive_steps_are_not_always_more_effective():
    round_bowl, long_valley = np.ones(2), np.array([1.0, 1e4])
    assert [loss_of_the_best_rate(SGD, RATES, round_bowl, steps) for steps in (1, 20)] == [0, 0]
    assert loss_of_the_best_rate(Adam, RATES, round_bowl, 1) < 1e-15  # one rate lands at once
    assert loss_of_the_best_rate(Adam, RATES, round_bowl, 20) > 1e-3  # and coasts past
    # Gradients of very different sizes are not enough: a round bowl again, seen from (1, 1000).
    ends = [np.array([1.0, 1000.0]) for _ in RATES]
    for end, rate in zip(ends, RATES, strict=True):
        opt = Adam(end, rate)
        for _ in range(20):
            opt.step(end)
    assert min(np.abs(end).max() for end in ends) > 100
    assert 50 * loss_of_the_best_rate(Adam, RATES, long_valley, 100) < loss_of_the_best_rate(
        SGD, RATES, long_valley, 100
    )


def test_adam_does_not_make_training_correct():
    """A slope without its factor x: the loss falls, and the run ends away from the minimum."""
    x, y = np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 5.0, 7.0, 9.0])

    def loss(theta):
        return np.mean((theta[0] * x + theta[1] - y) ** 2)

    def gradient(theta, inner=x):
        residual = theta[0] * x + theta[1] - y
        return np.array([np.mean(2 * residual * inner), np.mean(2 * residual)])

    def wrong(theta):
        return gradient(theta, inner=1.0)

    def trained(g):
        theta = np.zeros(2)
        opt = Adam(theta, 0.1)
        for _ in range(1500):
            opt.step(g(theta))
        return theta

    assert loss(trained(gradient)) < 1e-6
    end = trained(wrong)
    assert np.abs(wrong(end)).max() < 1e-6  # where the wrong gradient leads
    assert 0.1 < loss(end) < 0.01 * loss(np.zeros(2))
    start = np.array([0.5, -0.3])
    assert check_gradient(loss, gradient, start).passed
    assert not check_gradient(loss, wrong, start).passed


def corrected_step(t, g=2.0):
    m, v = moments([g] * int(t), 0.9), moments([g**2] * int(t), 0.999)
    return (m / (1 - 0.9**t)) / np.sqrt(v / (1 - 0.999**t))


def test_the_steps_are_counted_from_one():
    with pytest.raises(ZeroDivisionError):
        corrected_step(0)
    assert [corrected_step(t) for t in (1, 2, 3)] == pytest.approx([1, 1, 1])
    from_five = (0.9 * 5.0 + 0.1 * 2.0) / (1 - 0.9)  # a mean that does not start at zero
    assert from_five == pytest.approx(47)  # where the gradient is 2
    assert "m_0 = 0" in text_of("adam")
    notation = (ROOT / "book" / "notation.md").read_text(encoding="utf8")
    assert "The first step is $t = 1$" in notation


def test_a_list_of_steps_stands_only_once():
    overview = "1. gradient\n2. its mean\n3. its square\n4. learning rate\n5. parameters\n"
    article = f"## 2.2\n\n{overview}\n### 3.2.2\n\n{overview}"
    assert Counter(numbered_lists(article)).most_common(1)[0][1] == 2
    paths = (ROOT / "book" / "text").glob("*.md")
    lists = [steps for path in paths for steps in numbered_lists(path.read_text(encoding="utf8"))]
    assert len(lists) > 3
    assert max(Counter(lists).values()) == 1


def test_a_connection_needs_a_place_where_both_are_named():
    """Section 2 promises concepts and their connection: which of its sections name both methods?"""
    article = {"2.1": {"gradient check"}, "2.2": {"Adam"}}
    assert not [number for number, named in article.items() if named >= {"gradient check", "Adam"}]
    sections = re.split(r"^#{2,3} ", text_of("a-wrong-gradient-still-learns"), flags=re.MULTILINE)
    (section,) = [words for words in sections if words.startswith("The search that absorbs")]
    assert "Adam" in section
    assert "slip" in section
    g = np.array([[2.0, -0.5], [1.0, 0.3]])
    steps = [steps_taken(Adam, factor * g, learning_rate=0.1) for factor in (1, 3, 1e-9)]
    np.testing.assert_allclose(steps[1], steps[0], rtol=1e-6)  # Adam hides the factor 3
    assert not np.allclose(steps[2], steps[0], rtol=0.5)  # but not one that lets epsilon count
    x = np.array([0.3, -1.2])
    assert not check_gradient(sum_of_squares, lambda x: 3 * twice(x), x).passed


def test_epsilon_means_one_thing():
    article = {"3.1.1": "noise", "3.2.1": "divisor", "4.1.1": "difference step", "4.2.1": "divisor"}
    assert len(set(article.values())) == 3
    notation = (ROOT / "book" / "notation.md").read_text(encoding="utf8")
    rows = [line for line in notation.splitlines() if line.startswith(r"| $\varepsilon$")]
    assert len(rows) == 1
    assert "added to a denominator" in rows[0]
    assert r"\varepsilon" not in re.sub(re.escape(rows[0]), "", notation)
    assert "h" in inspect.signature(differences.central).parameters
    assert "eps" in inspect.signature(Adam.__init__).parameters


# The program of section 4.2.


class Restarted:
    """Adam with one of the article's slips: no memory, or the number of arrays for that of the step."""

    def __init__(self, theta, rate, remembers=True, exponent=None):
        self.theta, self.rate, self.remembers, self.exponent = theta, rate, remembers, exponent
        self.m, self.v, self.t = np.zeros_like(theta), np.zeros_like(theta), 0

    def step(self, g):
        self.t += 1
        t = self.exponent or self.t
        m, v = (self.m, self.v) if self.remembers else (0.0, 0.0)
        self.m, self.v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        m_hat, v_hat = self.m / (1 - 0.9**t), self.v / (1 - 0.999**t)
        self.theta -= self.rate * m_hat / (np.sqrt(v_hat) + 1e-8)


def rests(optimizer, **options):
    theta = np.array([0.95])
    opt, points = optimizer(theta, 0.1, **options), []
    for _ in range(600):
        opt.step(theta - 3.0)
        points.append(theta[0])
    return bool(np.abs(np.array(points[-50:]) - 3.0).max() < 1e-3)


def test_means_that_start_anew_in_every_call():
    assert not rests(Restarted, remembers=False)
    assert rests(Restarted)
    assert rests(Adam)


def lengths(steps=50, **options):
    """The lengths of the steps under a constant gradient, in learning rates."""
    theta = np.zeros(1)
    opt, points = Restarted(theta, 1.0, **options), [0.0]
    for _ in range(steps):
        opt.step(np.ones(1))
        points.append(-theta[0])
    return np.diff(points)


@pytest.mark.parametrize(("arrays", "first"), [(1, 1.0), (2, 0.744), (10, 0.485)])
def test_the_number_of_arrays_is_not_the_number_of_the_step(arrays, first):
    assert lengths() == pytest.approx(1)
    wrong = lengths(exponent=arrays)
    assert wrong[0] == pytest.approx(first, abs=1e-3)
    assert np.ptp(wrong) > 0.2  # one gradient, and steps of different lengths


def test_one_array_cannot_hold_the_state_of_all_parameters():
    parameters = {"W": np.ones((2, 1)), "b": np.ones(3)}
    with pytest.raises(ValueError, match="inhomogeneous shape"):
        np.zeros_like(list(parameters.values()))
    Adam(parameters, 0.01).step({"W": np.ones((2, 1)), "b": -np.ones(3)})
    np.testing.assert_allclose(parameters["W"], 0.99)
    np.testing.assert_allclose(parameters["b"], 1.01)


def test_the_state_of_all_parameters_does_not_fit_on_one():
    """The article's own call: one column of two numbers, in a list."""
    theta, g = np.ones((2, 1)), np.ones((2, 1))
    m = np.zeros_like([theta])
    assert m.shape == (1, 2, 1)
    with pytest.raises(ValueError, match=r"output operand with shape \(2,1\).*\(1,2,1\)"):
        theta -= 0.9 * m + 0.1 * g
    theta -= 0.9 * m[0] + 0.1 * g
    np.testing.assert_allclose(theta, 0.9)


def test_two_arrays_go_in_and_one_comes_out():
    def returns_the_last(params, grads):
        for p, g in zip(params, grads, strict=True):
            p -= 0.1 * g
        return p

    params = [np.zeros(2), np.ones(2)]
    result = returns_the_last(params, [np.ones(2), np.ones(2)])
    assert result is params[1]
    theta = {"a": np.zeros(2), "b": np.ones(2)}
    SGD(theta, 0.1).step({"a": np.ones(2), "b": np.ones(2)})
    assert theta["a"].tolist() == [-0.1, -0.1]
    assert theta["b"].tolist() == [0.9, 0.9]


def test_a_column_minus_a_row_is_a_table():
    theta = np.array([[0.0], [1.0]])  # where all three residuals are zero
    table = X @ theta - Y
    assert table.shape == (3, 3)
    assert np.sum(table**2) / 3 == 4.0  # the loss of a perfect fit, as the article's function has it
    assert plane_loss(theta[:, 0]) == 0
    with pytest.raises(ValueError, match=r"shape \(3,\) into shape \(1,\)"):
        np.zeros_like(theta)[0] = 2 * (X.T @ table)[0]
    column = X @ theta - Y[:, None]
    np.zeros_like(theta)[0] = 2 * (X.T @ column)[0]


SLIPS = {
    "first-entry": lambda theta: np.full(2, plane_gradient(theta)[0]),
    "mean": lambda theta: 3 * plane_gradient(theta),
}


@pytest.mark.parametrize("slip", ["first-entry", "mean"])
def test_the_gradient_of_the_plane(slip):
    """A check sees both slips. With them, a step of Adam lowers the loss from nearly every start."""
    theta = np.array([0.5, -0.3])
    assert check_gradient(plane_loss, plane_gradient, theta).passed
    assert not check_gradient(plane_loss, SLIPS[slip], theta).passed
    starts = np.random.default_rng(0).standard_normal((4000, 2)).T
    ends = starts.copy()
    Adam(ends, 0.01).step(np.array([SLIPS[slip](start) for start in starts.T]).T)
    rises = [plane_loss(end) >= plane_loss(start) for start, end in zip(starts.T, ends.T, strict=True)]
    assert 0 < np.mean(rises) < 0.01


def test_training_by_the_first_slope_does_not_show_it():
    starts = np.random.default_rng(0).standard_normal((2, 4000))
    ends = starts.copy()
    opt = Adam(ends, 0.05)
    for _ in range(400):
        opt.step(np.tile(2 * X[:, 0] @ (X @ ends - Y[:, None]) / len(Y), (2, 1)))
    before, after = (np.mean((X @ theta - Y[:, None]) ** 2, axis=0) for theta in (starts, ends))
    assert np.mean(after < before) > 0.99
    assert np.median(after) < 0.01 * np.median(before)


def test_the_gradient_without_the_mean_is_three_times_too_long():
    theta = np.array([0.5, -0.3])
    np.testing.assert_allclose(2 * X.T @ (X @ theta - Y), SLIPS["mean"](theta))


def test_a_comment_that_says_gradient_over_a_loss():
    """A gradient has the shape of its parameters."""
    theta = np.array([0.5, -0.3])
    assert np.shape(plane_loss(theta)) != theta.shape
    assert plane_gradient(theta).shape == theta.shape


def test_a_loss_that_is_never_called_shows_nothing():
    calls = Counter()

    def loss(theta):
        calls["loss"] += 1
        return plane_loss(theta)

    def program():
        """The article's order, with its slips mended: gradient, one step, print the parameters."""
        theta = np.array([0.5, -0.3])
        Adam(theta, 0.01).step(plane_gradient(theta))
        return theta

    def with_evidence():
        theta = np.array([0.5, -0.3])
        before = loss(theta)
        Adam(theta, 0.01).step(plane_gradient(theta))
        return before, loss(theta)

    program()
    assert calls["loss"] == 0
    before, after = with_evidence()
    assert calls["loss"] == 2
    assert after < before


def test_one_step_from_zero_shows_no_mean():
    """Whatever the decay rates are, it is one learning rate times the sign of the gradient.

    What it could show is that slopes of different sizes are given equal steps.
    """
    settings = ({}, {"beta1": 0.5, "beta2": 0.1}, {"beta1": 0.99, "beta2": 0.9})
    gradients = np.array([[3.0, -0.02], [-1.0, 0.5]])
    runs = [steps_taken(Adam, gradients, learning_rate=0.01, **options) for options in settings]
    for steps in runs:
        np.testing.assert_allclose(steps[0], [0.01, -0.01], rtol=1e-5)
    assert steps_taken(Adam, [1e-8], learning_rate=0.01) == pytest.approx(0.005)  # epsilon counts here
    assert np.ptp([steps[1][0] for steps in runs]) > 1e-3


# Outlook and answers.


def test_a_check_changes_no_parameter():
    def trained(gradient, checks):
        theta, verdicts = np.array([0.5, -0.3]), []
        opt = Adam(theta, 0.05)
        for n in range(100):
            if checks and n % 25 == 0:
                verdicts.append(check_gradient(plane_loss, gradient, theta).verdict)
            opt.step(gradient(theta))
        return theta, verdicts

    for gradient, verdict in ((plane_gradient, "pass"), (SLIPS["first-entry"], "fail")):
        plain, checked = trained(gradient, False), trained(gradient, True)
        np.testing.assert_array_equal(plain[0], checked[0])
        assert checked[1] == [verdict] * 4


def test_a_check_uses_up_what_the_loss_shares_with_training():
    """A loss and a gradient that draw their example from one generator."""

    def trained(checks):
        rng, theta = np.random.default_rng(0), np.array([0.5, -0.3])

        def loss(theta):
            k = rng.integers(3)
            return (X[k] @ theta - Y[k]) ** 2

        opt = Adam(theta, 0.05)
        for _ in range(20):
            if checks:
                check_gradient(loss, plane_gradient, theta)
            k = rng.integers(3)
            opt.step(2 * (X[k] @ theta - Y[k]) * X[k])
        return theta

    np.testing.assert_array_equal(trained(False), trained(False))
    assert not np.allclose(trained(False), trained(True))


RULES_OF_CHAINS = {
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sine": (np.sin, np.cos),
    "exp": (lambda x: np.exp(-x), lambda x: -np.exp(-x)),
}


def right_rules_fail_together():
    """Where one overflows, and where kinks meet: each rule passes its own check."""
    x, zero, apart = np.array([800.0]), np.zeros(1), np.array([0.3, -2.0])
    assert check_gradient(lambda x: np.exp(x).sum(), np.exp, apart).passed
    assert check_gradient(lambda x: np.log1p(x).sum(), lambda x: 1 / (1 + x), np.exp(apart)).passed
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.isnan(1 / (1 + np.exp(x)) * np.exp(x))  # of log(1 + exp(x)), whose slope is 1

    def relu(x):
        return np.maximum(x, 0)

    def slope(x):
        return (x > 0).astype(float)

    def identity(x):
        return (relu(x) - relu(-x)).sum()

    assert check_gradient(lambda x: relu(x).sum(), slope, apart).passed
    assert check_gradient(identity, lambda x: slope(x) + slope(-x), apart).passed
    assert check_gradient(identity, lambda x: slope(x) + slope(-x), zero).verdict == "fail"


def test_chains_of_checked_rules_seldom_need_a_check():
    """Each rule is checked once. Then every chain passes, but for those with a rule that has a slip."""
    rng = np.random.default_rng(8)
    chains = [rng.choice(list(RULES_OF_CHAINS), size=rng.integers(1, 5)) for _ in range(20)]
    x = np.array([0.3, -0.7, 0.5])

    def passes(chain, rules, x=x):
        def value(x):
            for name in chain:
                x = rules[name][0](x)
            return x.sum()

        def automatic(x):
            slope = np.ones_like(x)
            for name in chain:
                x, slope = rules[name][0](x), rules[name][1](x) * slope
            return slope

        return check_gradient(value, automatic, x).passed

    slip = {**RULES_OF_CHAINS, "tanh": (np.tanh, lambda x: 1 - np.tanh(x))}
    assert [passes([name], RULES_OF_CHAINS) for name in RULES_OF_CHAINS] == [True] * 3
    assert all(passes(chain, RULES_OF_CHAINS) for chain in chains)
    assert not passes(["tanh"], slip)  # one check of the rule tells what becomes of the chains
    assert [passes(chain, slip) for chain in chains] == ["tanh" not in chain for chain in chains]
    assert 0 < sum("tanh" in chain for chain in chains) < 20
    assert passes(["tanh"], slip, np.zeros(3))  # where the wrong rule happens to be right
    right_rules_fail_together()


def layer(inputs, slip):
    """A dense layer under tanh, and its gradient with or without the factor 1 - tanh^2."""
    data = np.random.default_rng(1).standard_normal((5, inputs))

    def loss(w):
        return np.mean(np.tanh(data @ w) ** 2)

    def gradient(w):
        a = np.tanh(data @ w)
        return data.T @ (2 * a * (1 if slip else 1 - a**2)) / len(a)

    return loss, gradient, np.random.default_rng(2).standard_normal(inputs) / np.sqrt(inputs)


@pytest.mark.parametrize("inputs", [4, 2000])
def test_a_small_model_shows_the_bug_of_the_large_one(inputs):
    assert check_gradient(*layer(inputs, slip=False), progress=False).passed
    assert not check_gradient(*layer(inputs, slip=True), progress=False).passed


def test_a_bug_that_depends_on_the_size():
    """A gradient that is computed in blocks of 1000, and the rest is forgotten."""
    for inputs, right in ((4, True), (2000, True), (1500, False)):
        loss, gradient, w = layer(inputs, slip=False)

        def in_blocks(w, gradient=gradient):
            g = gradient(w)
            g[max(len(g) // 1000, 1) * 1000 :] = 0
            return g

        assert check_gradient(loss, in_blocks, w, progress=False).passed == right


def test_what_costs_is_the_loss_and_not_the_gradient():
    calls = Counter()

    def loss(x):
        calls["loss"] += 1
        return sum_of_squares(x)

    def gradient(x):
        calls["gradient"] += 1
        return twice(x)

    x = np.linspace(1, 2, 50)
    noisy_check(gradient(x), np.random.default_rng(0))
    assert calls == {"gradient": 1}  # by the article's own recipe a check costs no more than this
    numeric = [differences.central(lambda s, e=e: loss(x + s * e), 0.0) for e in np.eye(50)]
    np.testing.assert_allclose(numeric, gradient(x), rtol=1e-6)
    assert calls == {"gradient": 2, "loss": 100}
    here = loss(x)
    [(loss(x + 1e-8 * e) - here) / 1e-8 for e in np.eye(50)]
    assert calls == {"gradient": 2, "loss": 151}  # one-sided ones take about half as many


def relative_errors(n, h=1e-5):
    """Of a central difference of a mean of n terms: along a direction, and in one coordinate."""
    rng = np.random.default_rng(n)
    x, d = rng.standard_normal((2, n))
    d *= np.sqrt(n) / np.linalg.norm(d)
    g, e = np.cos(x) / n, np.zeros(n)

    def slope(d):
        return (np.mean(np.sin(x + h * d)) - np.mean(np.sin(x - h * d))) / (2 * h)

    along = abs(slope(d) - g @ d) / (np.linalg.norm(g) * np.linalg.norm(d))
    coordinates = []
    for i in range(10):
        e[:] = 0
        e[i] = 1
        coordinates.append(abs(slope(e) / g[i] - 1))
    return along, np.median(coordinates)


def test_the_number_of_dimensions_does_not_make_a_check_unstable():
    errors = {n: relative_errors(n) for n in (10, 1000, 100_000)}
    assert max(along for along, _ in errors.values()) < 1e-9
    assert errors[100_000][1] > 10 * errors[10][1]  # the caveat: one coordinate's share becomes small


def test_adam_neither_chooses_nor_lowers_its_rate():
    def distance(rate, steps=400, optimizer=Adam, noise=1.0):
        """From the minimum, when the gradients are noisy: the root mean square of many parameters."""
        rng, theta = np.random.default_rng(5), np.full(500, 2.0)
        opt = optimizer(theta, rate)
        for _ in range(steps):
            opt.step(theta + noise * rng.standard_normal(500))
        return np.sqrt(np.mean(theta**2))

    constant = distance(0.05)
    assert distance(0.05, steps=800) == pytest.approx(constant, rel=0.1)  # it does not come nearer
    assert distance(lambda done: 0.05 * (1 - done / 400)) < 0.5 * constant
    assert distance(1e-5) > 1.9  # too small: it has hardly moved
    assert distance(1.0) > 3 * constant  # too large
    assert distance(1e-5, steps=800) < distance(1e-5)  # before it is near, it does come nearer
    assert distance(0.05, steps=800, optimizer=SGD, noise=0.0) < 1e-9  # without noise, SGD rests
    of_sgd = distance(0.05, optimizer=SGD)
    assert distance(0.05, steps=800, optimizer=SGD) == pytest.approx(of_sgd, rel=0.1)
    assert distance(lambda done: 0.05 * (1 - done / 400), optimizer=SGD) < 0.5 * of_sgd


def test_where_the_noise_vanishes_at_the_minimum_sgd_comes_to_rest():
    """Examples that one line fits exactly, one at a time: a constant rate is small enough."""
    rng = np.random.default_rng(0)
    x, weights = rng.standard_normal((30, 5)), rng.standard_normal(5)
    theta = np.zeros(5)
    opt = SGD(theta, 0.05)
    for k in rng.integers(30, size=4000):
        opt.step((x[k] @ (theta - weights)) * x[k])
    assert np.linalg.norm(theta - weights) < 1e-12


def test_adam_does_not_stay_even_without_noise():
    """It comes very near the minimum of a bowl, and leaves again."""
    theta, far = np.ones(1), []
    opt = Adam(theta, 0.1)
    for _ in range(7500):
        opt.step(theta)
        far.append(abs(theta[0]))
    assert min(far) < 1e-100
    assert max(far[-500:]) > 1e-3
