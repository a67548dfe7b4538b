"""Hints: each planted bug is named, and none is named that is not there."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimlib import check_gradient
from optimlib.gradcheck.diagnosis.explain import HINTS, explain
from optimlib.gradcheck.report import Probe
from optimlib.nn.layers import dense, dense_backward, tanh, tanh_backward
from optimlib.nn.losses import softmax_cross_entropy
from optimlib.trees import flatten

PROPERTY = settings(max_examples=40, deadline=None)
EXAMPLES = 7
EVERY = {"coordinates": 100, "directions": 0}


class Network:
    """Two square layers and a cross-entropy, with whatever a test adds to the loss."""

    def __init__(self, dtype=np.float64, *, penalty=lambda theta: 0.0):
        rng = np.random.default_rng(0)
        self.x = rng.standard_normal((EXAMPLES, 5)).astype(dtype)
        self.labels = rng.integers(0, 5, EXAMPLES)
        shapes = {"W1": (5, 5), "b1": (5,), "W2": (5, 5), "b2": (5,)}
        self.theta = {key: rng.standard_normal(shape).astype(dtype) for key, shape in shapes.items()}
        self.penalty = penalty

    def loss(self, t):
        hidden = tanh(dense(self.x, t["W1"], t["b1"]))
        logits = dense(hidden, t["W2"], t["b2"])
        return softmax_cross_entropy(logits, self.labels)[0] + self.penalty(t)

    def grad(self, t, back=tanh_backward):
        hidden = tanh(dense(self.x, t["W1"], t["b1"]))
        _, dlogits = softmax_cross_entropy(dense(hidden, t["W2"], t["b2"]), self.labels)
        dhidden, dW2, db2 = dense_backward(dlogits, hidden, t["W2"])
        _, dW1, db1 = dense_backward(back(dhidden, hidden), self.x, t["W1"])
        return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def found(loss, grad, theta, **options) -> tuple[str, ...]:
    """The hints for a gradient, from a check of every coordinate unless options say otherwise."""
    probes = check_gradient(loss, grad, theta, **(EVERY | options)).probes
    return explain(flatten(theta), flatten(grad(theta)), probes)


def gist(hint: str) -> str:
    """A hint without counts and meaning."""
    return re.split(r" \(|; |, (?=where|and the)", hint)[0]


def of_bug(bug, network, **options) -> tuple[str, ...]:
    """The hints when `bug` changes the gradient, which it gets with theta, in place."""

    def grad(theta):
        g = network.grad(theta)
        bug(g, theta)
        return g

    return found(network.loss, grad, network.theta, **options)


# Bugs, each with the places and the words of the only hint that is right


def everywhere(factor):
    def bug(g, theta):
        for leaf in g.values():
            leaf *= leaf.dtype.type(factor)

    return bug


def in_leaf(key, change):
    def bug(g, theta):
        g[key] = change(g[key]).copy()

    return bug


def swap_weights(g, theta):
    g["W1"], g["W2"] = g["W2"], g["W1"]


def mask_one(g, theta):
    g["W1"][2, 3] = 0


def mask_row(g, theta):
    g["W2"][4] = 0


def decay_twice(g, theta):
    for key in ("W1", "W2"):
        g[key] += g[key].dtype.type(0.1) * theta[key]


BUGS = {
    "doubled": (everywhere(2), "everywhere: analytic is 2 times numeric", "square"),
    "halved": (
        everywhere(0.5),
        "everywhere: analytic is 1/2 times numeric",
        "the 2 of a square is missing",
    ),
    "sign": (everywhere(-1), "everywhere: analytic is -1 times numeric", "usually a sign."),
    "-3": (everywhere(-3), "everywhere: analytic is -3 times numeric", "a sign, and a constant factor?"),
    "no mean": (
        everywhere(7),
        "everywhere: analytic is 7 times numeric",
        "a sum where the loss has a mean?",
    ),
    "mean": (
        in_leaf("b1", lambda g: g / 7),
        "theta['b1']: analytic is 1/7 times numeric (5 failing probes)",
        "a mean where the loss has a sum?",
    ),
    "mean over units": (
        in_leaf("W2", lambda g: g / 5),
        "theta['W2']: analytic is 1/5 times numeric (25 failing probes)",
        "a mean where the loss has a sum?",
    ),
    "ratio": (everywhere(0.3), "everywhere: analytic is 0.3 times numeric", "usually a constant"),
    "ratio of a leaf": (
        in_leaf("W1", lambda g: g * 1.5),
        "theta['W1']: analytic is 1.5 times numeric (25 failing probes)",
        "usually a constant",
    ),
    "transposed": (
        in_leaf("W1", lambda g: g.T),
        "theta['W1']: right numbers at wrong places (20 failing probes): transposed",
        ".T",
    ),
    "flipped": (
        in_leaf("W1", lambda g: g[::-1, ::-1]),
        "theta['W1']: right numbers at wrong places (24 failing probes): the last two axes reversed",
        "kernel",
    ),
    "reversed": (
        in_leaf("b2", lambda g: g[::-1]),
        "theta['b2']: right numbers at wrong places (4 failing probes): axis 0 reversed",
        "loop",
    ),
    "shifted": (
        in_leaf("b2", lambda g: np.roll(g, 1)),
        "theta['b2']: right numbers at wrong places (5 failing probes): axis 0 shifted by 1",
        "one off",
    ),
    "swapped": (swap_weights, "theta['W1'], theta['W2']: each has the gradient of the other", "swapped"),
    "layer left out": (
        in_leaf("W1", np.zeros_like),
        "theta['W1']: analytic is exactly 0 in the whole leaf",
        "left out",
    ),
    "one masked": (
        mask_one,
        "theta['W1']: analytic is exactly 0 at [2, 3], where the loss has a slope",
        "and right at 24 other probes; usually a mask",
    ),
    "row masked": (
        mask_row,
        "theta['W2']: analytic is exactly 0 at [4, 0], [4, 1], [4, 2] and 2 more",
        "right at 20 other probes",
    ),
    "decay only in the gradient": (
        decay_twice,
        "theta['W1'], theta['W2']: numeric - analytic is -0.1 theta (50 failing probes)",
        "a regularizer that the gradient has once too often",
    ),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_named_and_nothing_else_is(name, dtype):
    bug, beginning, meaning = BUGS[name]
    (hint,) = of_bug(bug, Network(dtype))
    if dtype == np.float32:  # some probes are not exact enough to fail, or for a verdict
        assert gist(hint) == gist(beginning)
    else:
        assert hint.startswith(beginning)
        assert meaning in hint
    assert hint.endswith((".", "?"))


@pytest.mark.parametrize("name", sorted(BUGS.keys() - {"one masked", "row masked", "reversed"}))
@pytest.mark.parametrize("seed", range(5))
def test_a_few_coordinates_of_every_leaf_are_enough(name, seed):
    bug, beginning, _ = BUGS[name]
    rng = np.random.default_rng(seed)
    (hint,) = of_bug(bug, Network(), coordinates=3, directions=2, rng=rng)
    assert gist(hint) == gist(beginning)


@pytest.mark.parametrize(
    ("penalty", "keys", "words", "half"),
    [
        (lambda t: 0.05 * (t["W2"] ** 2).sum(), "theta['W2']", "0.1 theta (25 failing", "0.05 theta"),
        (
            lambda t: 0.5 * sum((w**2).sum() for w in t.values()),
            "everywhere",
            "1 theta (60 ",
            "0.5 theta",
        ),
        (
            lambda t: 0.25 * np.abs(t["W1"]).sum(),
            "theta['W1']",
            "0.25 sign(theta) (25 failing probes)",
            "0.125 sign(theta)",
        ),
    ],
)
def test_a_regulariser_that_only_the_loss_knows(penalty, keys, words, half):
    network = Network(penalty=penalty)
    (hint,) = found(network.loss, network.grad, network.theta)
    assert hint.startswith(f"{keys}: numeric - analytic is {words}")
    assert hint.endswith(
        f"usually a regularizer that the gradient lacks in whole or in part, or {half} with the wrong"
        " sign."
    )


def test_a_regulariser_of_two_strengths_makes_two_hints():
    network = Network(penalty=lambda t: 0.05 * (t["W1"] ** 2).sum() + 0.5 * (t["W2"] ** 2).sum())
    one, other = found(network.loss, network.grad, network.theta)
    assert one.startswith("theta['W1']: numeric - analytic is 0.1 theta (25 failing probes)")
    assert other.startswith("theta['W2']: numeric - analytic is 1 theta (25 failing probes)")


def test_a_reshape_where_a_transpose_belongs():
    rng = np.random.default_rng(1)
    A, theta = rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
    right = np.cos(A * theta) * A
    (hint,) = found(lambda t: np.sin(A * t).sum(), lambda t: right.T.reshape(3, 4), theta)
    assert hint.startswith("theta: right numbers at wrong places (")
    assert "axes 0 and 1 exchanged by a reshape, which is no transpose" in hint


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: g[:, :, ::-1, ::-1], "the last two axes reversed; usually a kernel"),
        (lambda g: g.swapaxes(0, 1), "axes 0 and 1 exchanged"),
        (lambda g: g.swapaxes(2, 3), "axes 2 and 3 exchanged"),
    ],
)
def test_kernels_of_four_axes(change, words):
    rng = np.random.default_rng(2)
    A, theta = rng.standard_normal((2, 2, 3, 3)), rng.standard_normal((2, 2, 3, 3))
    (hint,) = found(lambda t: np.sin(A * t).sum(), lambda t: change(np.cos(A * t) * A).copy(), theta)
    assert words in hint


def test_leaves_in_a_circle_each_show_where_their_gradient_went():
    rng = np.random.default_rng(3)
    theta = {key: rng.standard_normal(4) for key in "abc"}

    def loss(t):
        return np.sin(t["a"]).sum() + np.cosh(t["b"]).sum() + np.exp(t["c"]).sum()

    def grad(t):
        return {"b": np.cos(t["a"]), "c": np.sinh(t["b"]), "a": np.exp(t["c"])}

    def in_order(t):
        return {key: grad(t)[key] for key in "abc"}

    places = [hint.split(";")[0] for hint in found(loss, in_order, theta)]
    assert places == [
        "theta['a']: its gradient stands at theta['b']",
        "theta['b']: its gradient stands at theta['c']",
        "theta['c']: its gradient stands at theta['a']",
    ]


def line(t):
    x, y = np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([3.0, 5.5, 8.2, 8.7, 12.1])
    residual = t["w"] * x + t["b"] - y
    return residual, x


def line_loss(t):
    return np.mean(line(t)[0] ** 2)


def line_grad(t):
    residual, x = line(t)
    return {"w": np.mean(2 * residual * x), "b": np.mean(2 * residual)}


LINE = {"w": np.array(1.7), "b": np.array(0.4)}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda w, b: (5 * w, 5 * b), ["theta['w'], theta['b']: analytic is 5 times numeric"]),
        (lambda w, b: (w, -b), ["theta['b']: analytic is -1 times numeric"]),
        (lambda w, b: (2 * w, b), ["theta['w']: analytic is 2 times numeric"]),
        (lambda w, b: (w, b / 2), ["theta['b']: analytic is 1/2 times numeric"]),
        (lambda w, b: (b, w), ["theta['w'], theta['b']: each has the gradient of the other"]),
        (lambda w, b: (w * 0, b), ["theta['w']: analytic is exactly 0 in the whole leaf"]),
        # One number alone is evidence of nothing rarer: these could be anything.
        (lambda w, b: (w, 5 * b), []),
        (lambda w, b: (w, 0.3 * b), []),
        (lambda w, b: (w + 0.1 * LINE["w"], b), []),
        (lambda w, b: (b, b), []),
        (lambda w, b: (0.3 * w, 0.7 * b), []),
    ],
)
def test_leaves_of_a_single_number(change, expected):
    def grad(t):
        g = line_grad(t)
        w, b = change(g["w"], g["b"])
        return {"w": w, "b": b}

    hints = found(line_loss, grad, LINE)
    assert [gist(hint) for hint in hints] == expected


# Nothing to say


def test_a_right_gradient_gets_no_hint():
    network = Network()
    assert found(network.loss, network.grad, network.theta) == ()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_bug_of_another_kind_gets_no_hint(dtype):
    network = Network(dtype)

    def forgets_tanh(t):
        return network.grad(t, back=lambda dy, y: dy)

    report = check_gradient(network.loss, forgets_tanh, network.theta)
    assert report.verdict == "fail"
    assert explain(flatten(network.theta), flatten(forgets_tanh(network.theta)), report.probes) == ()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("first", range(0, 50, 10))
def test_noise_gets_no_hint(dtype, first):
    network = Network(dtype)
    right = check_gradient(network.loss, network.grad, network.theta, **EVERY).probes
    for seed in range(first, first + 10):
        noise = np.random.default_rng(seed)
        g = {key: noise.standard_normal(w.shape).astype(dtype) for key, w in network.theta.items()}
        leaves = dict(flatten(g))
        probes = [judged(probe, leaves[probe.path][probe.index]) for probe in right]
        for some in (probes, noise.permutation(np.array(probes, object))[:8]):
            assert explain(flatten(network.theta), flatten(g), some) == ()


@pytest.mark.parametrize("seed", range(20))
def test_slopes_known_to_a_fifth_support_no_hint(seed):
    """All six claims are about twice the slope, and none disagrees with that."""
    rng = np.random.default_rng(seed)
    numeric, analytic = rng.uniform(1, 1.2, 6), rng.uniform(1.9, 2.5, 6)
    assert explained(numeric, analytic, 0.25) == ()
    assert explained(numeric, 0 * analytic, 0.25) == ()


def test_a_factor_in_part_of_a_leaf_is_no_factor_of_the_leaf():
    def bug(g, theta):
        g["W1"][:, 2] *= 2

    assert of_bug(bug, Network()) == ()


def test_a_gradient_proportional_to_theta_has_a_factor_rather_than_a_regulariser():
    theta = np.random.default_rng(4).standard_normal(6)
    (hint,) = found(lambda t: 1.01 * (t**2).sum(), lambda t: 2 * t, theta)
    assert hint.startswith("theta: analytic is 0.990099 times numeric (6 failing probes)")


def test_a_constant_difference_is_not_taken_for_a_factor():
    """All slopes are 3 and all claims 2.9: a factor, an offset and much else would explain that."""
    theta = np.random.default_rng(5).standard_normal(6)
    assert found(lambda t: 3 * t.sum(), lambda t: np.full(6, 2.9), theta) == ()


def test_a_regulariser_needs_parameters_that_differ():
    theta = np.full(6, 0.7)
    A = np.random.default_rng(6).standard_normal(6)
    loss = lambda t: np.sin(A * t).sum() + 0.05 * (t**2).sum()  # noqa: E731
    assert found(loss, lambda t: A * np.cos(A * t), theta) == ()


def test_two_exchanged_numbers_are_not_taken_for_a_penalty_on_signs():
    """Their differences are equal and opposite, as with a sign(theta) of two parameters."""
    theta, A = np.array([0.4, -1.3]), np.array([0.9, 1.7])

    def exchanged(t):
        slopes = A * np.cos(A * t)
        return np.array([slopes[1], slopes[0]])

    (hint,) = found(lambda t: np.sin(A * t).sum(), exchanged, theta)
    assert "reversed" in hint
    half = lambda t: exchanged(t) + 0.5 * np.array([1, -1]) * np.diff(exchanged(t))  # noqa: E731
    assert found(lambda t: np.sin(A * t).sum(), half, theta) == ()


def test_several_bugs_are_named_together_the_most_specific_first():
    def bug(g, theta):
        g["W1"] = g["W1"].T.copy()
        g["b1"] *= 0.3
        g["W2"][1, 1] = 0
        g["b2"] *= -1

    places = [hint.split(":")[0] for hint in of_bug(bug, Network())]
    assert places == ["theta['W2']", "theta['b2']", "theta['W1']"]
    assert len(places) == HINTS


def test_many_leaves_with_long_names_make_a_short_hint():
    theta = {f"{'a very long name ' * 9}{i}": np.array([0.3 + i, 1.1]) for i in range(8)}
    theta["other"] = np.array([0.5, 0.6])

    def grad(t):
        return {key: (1 if key == "other" else 2) * np.exp(leaf) for key, leaf in t.items()}

    (hint,) = found(lambda t: sum(np.exp(leaf).sum() for leaf in t.values()), grad, theta)
    assert len(hint) < 300
    assert " and 5 more: analytic is 2 times numeric (16 failing probes)" in hint


# Numbers made to measure


def judged(probe, analytic):
    """The same probe of another claim."""
    wrong = abs(float(analytic) - probe.numeric) > probe.tolerance
    return replace(probe, analytic=float(analytic), verdict="fail" if wrong else "pass")


def probed(numeric, analytic, tolerance):
    """A probe at every place of a bare array."""
    return [
        judged(
            Probe("", "", index, 0.0, float(slope), tolerance / 4, tolerance, 0.0, "pass"),
            analytic[index],
        )
        for index, slope in np.ndenumerate(numeric)
    ]


def explained(numeric, analytic, tolerance, theta=None):
    theta = np.random.default_rng(9).standard_normal(numeric.shape) if theta is None else theta
    return explain([("", theta)], [("", analytic)], probed(numeric, analytic, tolerance))


@PROPERTY
@given(factor=st.integers(-2000, 2000).filter(lambda k: k not in (0, 1)), inverse=st.booleans())
def test_every_whole_factor_is_named(factor, inverse):
    true = np.random.default_rng(abs(factor)).standard_normal(6)
    analytic = true / factor if inverse else true * factor
    numeric = true + 1e-11 * np.random.default_rng(0).uniform(-1, 1, 6)
    (hint,) = explained(numeric, analytic, 1e-11)
    name = f"{'-' if factor < 0 else ''}1/{abs(factor)}" if inverse and factor != -1 else f"{factor}"
    assert hint.startswith(f"theta: analytic is {name} times numeric (6 failing probes)")


@PROPERTY
@given(st.floats(1.1, 1e6), st.integers(0, 1000))
def test_a_number_is_called_whole_only_if_the_probes_can_tell(factor, seed):
    """With slopes known to 1 in 1000, 50.3 cannot be told from 50."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(0.5, 2, 6)
    numeric = true * (1 + 1e-3 * rng.uniform(-1, 1, 6) / 4)
    for hint in explained(numeric, factor * true, 1e-3):
        named = hint.split(" times")[0].split(" is ")[1]
        assert float(named) == pytest.approx(factor, rel=1e-2)
        assert factor < 21 or "usually a constant" in hint


@PROPERTY
@given(st.integers(0, 10**6), st.booleans())
def test_errors_within_the_tolerances_hide_no_constant(seed, is_penalty):
    """The probe that the constant is fitted to may itself be off by all of its tolerance."""
    rng = np.random.default_rng(seed)
    theta, true = rng.uniform(0.5, 3, 6), rng.standard_normal(6)
    numeric = true + 1e-9 * rng.choice([-1.0, 1.0], 6)
    analytic = true - 0.1 * theta if is_penalty else 1.37 * true
    (hint,) = explained(numeric, analytic, 1.01e-9, theta)
    assert ("numeric - analytic is 0.1 theta" if is_penalty else "analytic is 1.37 times") in hint


@PROPERTY
@given(st.permutations(range(7)))
def test_a_permutation_is_named_only_if_it_is_a_simple_one(order):
    true = np.random.default_rng(1).standard_normal(7)
    order = np.array(order)
    simple = {tuple(np.roll(range(7), 1)): "shifted by 1", tuple(np.roll(range(7), -1)): "shifted by -1"}
    simple[tuple(range(6, -1, -1))] = "reversed"
    hints = explained(true, true[order], 1e-12)
    expected = simple.get(tuple(order.tolist()))
    assert [expected in hint for hint in hints] == ([True] if expected else [])


@PROPERTY
@given(st.integers(0, 10**6), st.floats(-14, -3))
def test_independent_errors_get_no_hint(seed, exponent):
    rng = np.random.default_rng(seed)
    numeric = rng.standard_normal((3, 3))
    tolerance = 10.0**exponent
    analytic = numeric * rng.lognormal(0, 1, (3, 3)) + 100 * tolerance
    assert explained(numeric, analytic, tolerance) == ()


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_the_largest_and_smallest_numbers_do_no_harm(scale):
    numeric = scale * np.array([1.3, -2.1, 0.7])
    (hint,) = explained(numeric, 2 * numeric, 1e-12 * scale)
    assert "2 times" in hint
    for ratio in (5e-324, 1e-310, 1e-290, 1e290):
        with np.errstate(over="ignore", under="ignore"):
            analytic = numeric * ratio
        if np.isfinite(analytic).all() and analytic.all():
            for hint in explained(numeric, analytic, 1e-12 * scale):
                assert len(hint) < 200
    simple = np.array([1.3, -2.1, 0.7])
    assert explained(1e-150 * simple, 1e160 * simple, 1e-162) == ()  # the ratio overflows


def test_other_verdicts_and_directions_are_passed_over():
    numeric = np.array([1.3, -2.1, 0.7, 5.0])
    probes = probed(numeric, 2 * numeric, 1e-12)
    odd = replace(probes[0], verdict="kink", numeric=0.4)
    vague = replace(probes[1], verdict="inconclusive", numeric=np.nan, tolerance=np.inf)
    direction = replace(probes[0], index=None, analytic=77.0)
    theta = np.ones(4)
    (hint,) = explain([("", theta)], [("", 2 * numeric)], [odd, vague, direction, *probes[2:]])
    assert hint.startswith("theta: analytic is 2 times numeric (2 failing probes)")
