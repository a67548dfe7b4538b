"""The gradient check: right gradients are never blamed, wrong ones never pass."""

import math
import re
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from support import unchanged

from optimlib import assert_gradient, check_gradient
from optimlib.gradcheck import report as report_module
from optimlib.trees import flatten, map_tree

EVERY = 10**6  # coordinates: all there are, and directions as well


class Case(NamedTuple):
    """A loss, its gradient, and where to compare them."""

    loss: object
    grad: object
    theta: object

    def with_grad(self, change):
        """The same with `change` applied to every leaf of the gradient."""
        return self._replace(grad=lambda theta: map_tree(change, self.grad(theta)))

    def times(self, factor):
        """The same with loss and gradient multiplied."""
        scaled = self.with_grad(lambda g: g * g.dtype.type(factor))
        return scaled._replace(loss=lambda theta: self.loss(theta) * factor)


def verdict(case: Case, **options) -> str:
    return check_gradient(*case, coordinates=EVERY, **options).verdict


def square(x):
    return (x**2).sum()


def twice(x):
    return 2 * x


SQUARE = Case(square, twice, np.array([1.0, 2.0, 3.0]))


# Right gradients, and wrong ones made of them


def rosenbrock(x):
    return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def rosenbrock_gradient(x):
    bend = 200 * (x[1] - x[0] ** 2)
    return np.array([-2 * x[0] * bend - 2 * (1 - x[0]), bend])


def nested_loss(theta):
    (scale,), layer = theta["head"], theta["layers"][0]
    return scale * np.sin(layer["W"]).sum() + (layer["b"] ** 3).sum() * theta["s"]


def nested_gradient(theta):
    (scale,), layer = theta["head"], theta["layers"][0]
    return {
        "s": (layer["b"] ** 3).sum(),  # a NumPy scalar for the leaf of shape ()
        "layers": ({"b": 3 * layer["b"] ** 2 * theta["s"], "W": scale * np.cos(layer["W"])},),
        "head": [np.sin(layer["W"]).sum()],
    }


def nested_theta():
    return {
        "head": [np.array(0.7)],
        "layers": [{"W": np.linspace(-2, 1, 6).reshape(2, 3), "b": np.array([0.5, -1.0])}],
        "s": np.array(-1.3),
    }


# Everywhere in float64, and nowhere near zero: every entry of the gradient counts.
STEEP = {
    "quadratic": SQUARE,
    "tiny quadratic": SQUARE.times(1e-6),
    "quadratic far out": SQUARE._replace(theta=np.array([1e6, -3e6])),
    "linear": Case(lambda x: x @ np.arange(1.0, 4), lambda x: np.arange(1.0, 4), np.zeros(3)),
    "exp(50x)": Case(
        lambda x: np.exp(50 * x).sum(), lambda x: 50 * np.exp(50 * x), np.array([0.3, 1.0])
    ),
    "sin(1e6 x)": Case(
        lambda x: np.sin(1e6 * x).sum(), lambda x: 1e6 * np.cos(1e6 * x), np.array([0.3, 1.0])
    ),
    "stiff": Case(
        lambda x: 0.5 * (np.array([1e-4, 1.0, 1e4]) * x**2).sum(),
        lambda x: np.array([1e-4, 1.0, 1e4]) * x,
        np.array([1.0, -1.0, 2.0]),
    ),
    "ill-scaled": Case(
        lambda x: np.sin(x / [1e-6, 1.0, 1e6]).sum(),
        lambda x: np.cos(x / [1e-6, 1.0, 1e6]) / [1e-6, 1.0, 1e6],
        np.array([3e-7, 0.3, 3e5]),
    ),
    "rosenbrock": Case(rosenbrock, rosenbrock_gradient, np.array([-1.2, 1.0])),
    "nested": Case(nested_loss, nested_gradient, nested_theta()),
    "one number": Case(lambda x: float(x) ** 3, lambda x: 3 * x**2, np.array(0.4)),
    "log at 1e-3": Case(lambda x: np.log(x).sum(), lambda x: 1 / x, np.array([1e-3])),
    "log at 1e-7": Case(lambda x: np.log(x).sum(), lambda x: 1 / x, np.array([1e-7, 0.5])),
    "log at 1e-12": Case(lambda x: np.log(x).sum(), lambda x: 1 / x, np.array([1e-12])),
    "math.log at 1e-7": Case(lambda x: math.log(x[0]), lambda x: 1 / x, np.array([1e-7])),
    "sqrt at 1e-8": Case(lambda x: np.sqrt(x).sum(), lambda x: 0.5 / np.sqrt(x), np.array([1e-8, 1.0])),
    "1/x at 1e-6": Case(lambda x: (1 / x).sum(), lambda x: -1 / x**2, np.array([1e-6])),
    "1/x at 1e-9": Case(lambda x: (1 / x).sum(), lambda x: -1 / x**2, np.array([1e-9])),
    "x log x at 1e-5": Case(lambda x: (x * np.log(x)).sum(), lambda x: np.log(x) + 1, np.array([1e-5])),
}

# Where the gradient is zero, or as small as rounding errors.
FLAT = {
    "constant": Case(lambda x: 5.0, np.zeros_like, np.array([1.0, 2.0])),
    "integer": Case(lambda x: 5, np.zeros_like, np.array([1.0, 2.0])),
    "zero": Case(lambda x: 0.0, np.zeros_like, np.array([1.0, 2.0])),
    "minimum": Case(lambda x: ((x - 0.1) ** 2).sum() + 1, lambda x: 2 * (x - 0.1), np.array([0.1, 0.1])),
    "minimum of zero": Case(
        lambda x: ((x - 0.1) ** 2).sum(), lambda x: 2 * (x - 0.1), np.array([0.1, 0.1])
    ),
    "flat minimum": Case(lambda x: (x**4).sum(), lambda x: 4 * x**3, np.zeros(2)),
    "rosenbrock's minimum": Case(rosenbrock, rosenbrock_gradient, np.ones(2)),
    "unused parameter": Case(
        lambda x: x[0] ** 2, lambda x: np.array([2 * x[0], 0.0]), np.array([1.5, 2.0])
    ),
}


def least_squares(residual: float) -> Case:
    rng = np.random.default_rng(0)
    A = rng.standard_normal((50, 5))
    x = rng.standard_normal(5)
    b = A @ x + residual * rng.standard_normal(50)
    best = x if residual == 0 else np.linalg.lstsq(A, b, rcond=None)[0]
    return Case(lambda x: 0.5 * square(A @ x - b), lambda x: A.T @ (A @ x - b), best)


FLAT["least squares, exact fit"] = least_squares(0.0)
FLAT["least squares, best fit"] = least_squares(0.1)


def network(seed: int, activation: str, scale: float = 1.0, dtype: type = np.float64) -> Case:
    """Two layers and a softmax cross-entropy; biases are zero."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((8, 6)).astype(dtype)
    rows, labels = np.arange(8), rng.integers(0, 3, 8)
    theta = {
        "W1": (scale * rng.standard_normal((6, 7))).astype(dtype),
        "b1": np.zeros(7, dtype),
        "W2": (scale * rng.standard_normal((7, 3))).astype(dtype),
        "b2": np.zeros(3, dtype),
    }

    def forward(t):
        a = X @ t["W1"] + t["b1"]
        y = np.tanh(a) if activation == "tanh" else np.maximum(a, 0)
        z = y @ t["W2"] + t["b2"]
        z = z - z.max(axis=1, keepdims=True)
        return y, z - np.log(np.exp(z).sum(axis=1, keepdims=True))

    def loss(t):
        return -forward(t)[1][rows, labels].mean()

    def grad(t):
        y, log_p = forward(t)
        dz = np.exp(log_p)
        dz[rows, labels] -= 1
        dz /= dtype(8)
        dy = dz @ t["W2"].T
        da = dy * (1 - y**2 if activation == "tanh" else y > 0)
        return {"W1": X.T @ da, "b1": da.sum(axis=0), "W2": y.T @ dz, "b2": dz.sum(axis=0)}

    return Case(loss, grad, theta)


NETWORKS = {
    f"{activation} {seed} {scale:g}": (seed, activation, scale)
    for seed in range(4)
    for activation in ("tanh", "relu")
    for scale in (0.05, 1.0, 4.0)
}


LEVEL = set(FLAT) - {"unused parameter"}  # the loss has no slope at all there


@pytest.mark.parametrize("name", [name for name in [*STEEP, *FLAT] if name not in LEVEL])
def test_a_right_gradient_passes(name):
    case = (STEEP | FLAT)[name]
    assert str(check_gradient(*case, coordinates=EVERY)).startswith("gradient check: PASS")
    assert check_gradient(*case).passed


@pytest.mark.parametrize("name", sorted(LEVEL))
def test_where_the_loss_has_no_slope_a_gradient_of_zero_is_not_blamed_and_nothing_is_tested(name):
    report = check_gradient(*FLAT[name], coordinates=EVERY)
    assert {probe.verdict for probe in report.probes} == {"pass"}
    if report.untested:  # or the slopes close by were tested
        assert report.untested == ("theta",)
        assert report.verdict == "inconclusive"
        assert "not tested: theta" in str(report)
    else:
        assert report.passed


def test_a_gradient_that_is_zero_but_for_roundings_is_not_blamed():
    logits = np.random.default_rng(0).standard_normal((7, 5))

    def p(shift):  # a softmax does not depend on what is added to all logits
        exponentials = np.exp(logits + shift[0])
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    case = Case(
        lambda shift: -np.log(p(shift)[:, 0]).sum(),
        lambda shift: np.array([(p(shift) - np.eye(5)[0]).sum()]),
        np.array([0.3]),
    )
    assert 0 < abs(case.grad(case.theta)[0]) < 1e-14
    assert {probe.verdict for probe in check_gradient(*case).probes} == {"pass"}
    beside_a_slope = Case(
        lambda t: case.loss(t["shift"]) + (t["w"] ** 2).sum(),
        lambda t: {"shift": case.grad(t["shift"]), "w": 2 * t["w"]},
        {"shift": case.theta, "w": np.ones(2)},
    )
    assert verdict(beside_a_slope) == "pass"


@pytest.mark.parametrize("arguments", NETWORKS.values(), ids=NETWORKS)
def test_a_right_network_passes(arguments):
    assert verdict(network(*arguments)) == "pass"


@pytest.mark.parametrize("arguments", NETWORKS.values(), ids=NETWORKS)
def test_a_right_network_in_float32_is_not_blamed(arguments):
    assert verdict(network(*arguments, dtype=np.float32)) != "fail"


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_a_right_and_smooth_network_passes_in_float32(seed, scale):
    assert verdict(network(seed, "tanh", scale, np.float32)) == "pass"


ERRORS = {
    "a millionth too large": lambda g: g * (1 + 1e-6),
    "0.05 % too small": lambda g: g * 0.9995,
    "of the other sign": lambda g: -g,
    "doubled": lambda g: 2 * g,
    "zero": lambda g: 0 * g,
}


@pytest.mark.parametrize("name", STEEP)
@pytest.mark.parametrize("error", ERRORS)
def test_a_wrong_gradient_fails(name, error):
    assert verdict(STEEP[name].with_grad(ERRORS[error])) == "fail"


@pytest.mark.parametrize("name", ["constant", "zero", "minimum", "flat minimum", "unused parameter"])
def test_a_gradient_that_should_be_zero_fails(name):
    # The constant is 5, which may be a float32 that doesn't show its slope: 1e-6 could be right.
    assert verdict(FLAT[name].with_grad(lambda g: g + (1e-4 if name == "constant" else 1e-6))) == "fail"


def changed(theta, grad, **changes):
    """The gradient with some leaves replaced by functions of themselves."""
    g = grad(theta)
    return g | {key: change(g[key]) for key, change in changes.items()}


def one_wrong(g):
    g = g.copy()
    g[2, 3] = 0 if g[2, 3] else 1e-3
    return g


NETWORK_ERRORS = {
    "all leaves a millionth too large": dict.fromkeys(
        ("W1", "b1", "W2", "b2"), ERRORS["a millionth too large"]
    ),
    "bias of the other sign": {"b1": ERRORS["of the other sign"]},
    "bias forgotten": {"b2": ERRORS["zero"]},
    "second layer doubled": {"W2": ERRORS["doubled"]},
    "one coordinate": {"W1": one_wrong},
    "not divided by the examples": {"b1": lambda g: 8 * g},
}


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("scale", [0.05, 1.0, 4.0])
@pytest.mark.parametrize("error", NETWORK_ERRORS)
def test_a_wrong_network_fails(activation, scale, error):
    case = network(0, activation, scale)
    wrong = case._replace(grad=lambda t: changed(t, case.grad, **NETWORK_ERRORS[error]))
    assert verdict(wrong) == "fail"


@pytest.mark.parametrize("error", list(NETWORK_ERRORS)[1:])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_wrong_network_in_float32_does_not_pass(activation, error):
    case = network(0, activation, dtype=np.float32)
    wrong = case._replace(grad=lambda t: changed(t, case.grad, **NETWORK_ERRORS[error]))
    assert verdict(wrong) == "fail"


@pytest.mark.parametrize("factor", [1e8, 1e-8])
@pytest.mark.parametrize("name", [*STEEP, *FLAT])
def test_the_unit_of_the_loss_does_not_matter(name, factor):
    case = (STEEP | FLAT)[name]
    assert verdict(case.times(factor)) in (("pass", "inconclusive") if name in LEVEL else ("pass",))
    if name in STEEP:
        assert verdict(case.with_grad(ERRORS["a millionth too large"]).times(factor)) == "fail"


# What today's checkers get wrong


def test_a_gradient_wrong_by_5e_4_fails():
    case = Case(lambda x: np.sin(x).sum(), lambda x: 1.0005 * np.cos(x), np.array([0.3, 1.0]))
    assert verdict(case) == "fail"


def test_a_zero_gradient_of_a_tiny_quadratic_fails():
    case = Case(lambda x: 1e-6 * square(x), np.zeros_like, np.array([1.0, 2.0, 3.0]))
    assert verdict(case) == "fail"


def test_a_square_at_a_million_passes():
    assert verdict(Case(square, twice, np.array([1e6, -2e6]))) == "pass"


def test_a_logarithm_at_1e_7_passes():
    assert verdict(Case(lambda x: np.log(x).sum(), lambda x: 1 / x, np.array([1e-7, 3e-7]))) == "pass"


def tanh_sum(dtype) -> Case:
    theta = np.linspace(-1, 1, 20).astype(dtype)
    return Case(lambda x: np.tanh(x).sum(), lambda x: 1 - np.tanh(x) ** 2, theta)


def long_sum(dtype) -> Case:
    """A sum of 2,000 terms of one parameter."""
    X = np.random.default_rng(0).standard_normal(2000).astype(dtype)
    return Case(
        lambda w: np.tanh(w[0] * X).sum(),
        lambda w: np.array([((1 - np.tanh(w[0] * X) ** 2) * X).sum()]),
        np.array([0.7], dtype=dtype),
    )


@pytest.mark.parametrize("case", [tanh_sum, long_sum])
def test_right_sums_in_float32_pass_and_wrong_ones_fail(case):
    assert verdict(case(np.float32)) == "pass"
    assert verdict(case(np.float32).with_grad(lambda g: g * np.float32(1.01))) == "fail"


def test_dropout_with_a_fresh_mask_is_inconclusive():
    rng = np.random.default_rng(0)
    theta = np.linspace(0.1, 1, 20)
    report = check_gradient(lambda x: (x * (rng.random(20) < 0.5)).sum(), np.ones_like, theta)
    assert report.verdict == "inconclusive"
    assert report.probes == ()
    assert re.search(
        r"loss\(theta\) is [\d.]+ and then [\d.]+: it is not a function of theta", str(report)
    )
    assert "seed" in str(report)


@pytest.mark.parametrize("seed", range(30))
def test_dropout_whose_masks_agree_by_chance_never_passes(seed):
    """At ones, two masks of 20 give the same sum in one of eight cases."""
    rng = np.random.default_rng(seed)

    def loss(theta):
        return (theta * (rng.random(20) < 0.5)).sum()

    report = check_gradient(loss, np.ones_like, np.ones(20))
    assert report.verdict == "inconclusive"
    assert "seed" in str(report)


def test_a_loss_that_puts_another_array_into_its_argument_is_refused():
    """The check would go on moving an array that the loss no longer looks at."""

    def loss(theta):
        theta["w"] = theta["w"].copy()
        return (theta["w"] ** 2).sum()

    with pytest.raises(ValueError, match=r"loss\(theta\) changed theta\['w'\]"):
        check_gradient(loss, lambda theta: {"w": 2 * theta["w"]}, {"w": np.ones(2)})


def test_a_tree_without_a_single_number_is_refused():
    with pytest.raises(ValueError, match="expected at least one number"):
        check_gradient(lambda theta: 0.0, lambda theta: theta, [np.zeros(0)], directions=3)


def test_a_check_of_nothing_says_so():
    report = check_gradient(np.sum, np.ones_like, np.ones(2), coordinates=0, directions=0)
    assert report.verdict == "inconclusive"
    assert "nothing was probed" in str(report)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_numbers_whose_squares_overflow_or_vanish_are_checked_like_others(scale):
    theta = np.arange(1.0, 5.0)
    weights = scale * np.array([1.0, -2.0, 3.0, 0.5])
    right = check_gradient(lambda x: weights @ x**3, lambda x: 3 * weights * x**2, theta, directions=4)
    assert right.verdict == "pass"
    wrong = check_gradient(lambda x: weights @ x**3, lambda x: weights * x**2, theta, directions=4)
    assert wrong.verdict == "fail"


def test_integers_are_refused_and_not_truncated():
    message = "theta has dtype int64; expected float32 or float64"
    theta = np.array([2, 4, 6])
    with unchanged(theta), pytest.raises(TypeError, match=message):
        check_gradient(square, twice, theta)


def test_a_tiny_bias_gradient_of_the_other_sign_beside_large_weights_fails():
    theta = {"W": np.full(30, 1e3), "b": np.array([1e-3])}

    def loss(t):
        return square(t["W"]) + 1e-3 * t["b"][0]

    def grad(t):
        return {"W": 2 * t["W"], "b": np.array([-1e-3])}

    report = check_gradient(loss, grad, theta)
    assert report.verdict == "fail"
    assert [p.place for p in report.probes if p.index and p.verdict == "fail"] == ["theta['b'][0]"]
    assert all(p.leaves == ("['b']",) for p in report.probes if not p.index and p.verdict == "fail")
    right = np.append(2 * theta["W"], 1e-3)
    wrong = np.append(2 * theta["W"], -1e-3)
    one_norm = np.linalg.norm(right - wrong) / (np.linalg.norm(right) + np.linalg.norm(wrong))
    assert one_norm < 2e-7  # by the usual ratio and threshold it is "perfect"


def test_the_verdict_on_a_right_gradient_depends_on_no_threshold():
    for exponent in range(-9, 10, 3):
        theta = np.array([1.0, -2.0]) * 10.0**exponent
        assert verdict(Case(square, twice, theta)) == "pass"
        assert verdict(Case(square, lambda x: 2 * x * (1 + 1e-6), theta)) == "fail"


# Kinks


def absolute(x):
    return np.abs(x).sum()


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (0.0, "pass"),  # the central difference itself
        (0.3, "kink"),
        (-0.99, "kink"),
        (1.0, "kink"),
        (-1.0, "kink"),
        (1.01, "fail"),
        (1.5, "fail"),
        (-2.0, "fail"),
    ],
)
def test_at_a_kink_every_slope_between_the_two_is_right(claim, expected):
    case = Case(absolute, lambda x: np.array([claim, 1.0]), np.array([0.0, 0.7]))
    report = check_gradient(*case)
    assert report.verdict == expected
    assert [p.verdict for p in report.probes if p.index] == [expected, "pass"]
    if expected == "kink":
        assert report.probes[0].jump == pytest.approx(2.0, abs=1e-6)


def test_beside_a_kink_there_is_only_one_slope():
    for distance in (1e-2, 1e-3, 1e-5, 1e-7):
        case = Case(absolute, np.sign, np.array([distance, -distance]))
        assert check_gradient(*case).verdict == "pass"
        assert check_gradient(*case.with_grad(lambda g: 0.3 * g)).verdict == "fail"


def test_a_direction_across_a_kink_does_not_blame_a_right_gradient():
    for distance in (1e-2, 1e-3, 1e-5, 1e-7):
        case = Case(absolute, np.sign, np.array([distance, -distance]))
        assert verdict(case) in ("pass", "kink")
        assert verdict(case.with_grad(lambda g: 1.5 * g)) == "fail"


def test_asymmetric_kink():
    def hinge(x):
        return np.maximum(0, 3 * x[0]) + x[0]  # slopes 1 and 4

    def slope(s):
        return Case(hinge, lambda x: np.array([s]), np.zeros(1))

    verdicts = [check_gradient(*slope(s)).verdict for s in (0.9, 1.0, 3.9, 4.1)]
    assert verdicts == ["fail", "kink", "kink", "fail"]


@pytest.mark.parametrize(("slope_at_zero", "expected"), [(0.0, "kink"), (1.0, "kink"), (1.5, "fail")])
def test_a_relu_network_with_a_unit_exactly_at_zero(slope_at_zero, expected):
    X = np.array([[1.0, -1.0], [2.0, 0.5]])
    theta = {"W": np.array([[0.5, 0.4], [0.5, -0.3]]), "v": np.array([1.0, -2.0])}
    assert (X @ theta["W"])[0, 0] == 0

    def loss(t):
        return (np.maximum(X @ t["W"], 0) @ t["v"]).sum()

    def grad(t):
        a = X @ t["W"]
        slope = np.where(a == 0, slope_at_zero, a > 0)
        return {"W": X.T @ (slope * t["v"]), "v": np.maximum(a, 0).sum(axis=0)}

    report = check_gradient(loss, grad, theta)
    assert report.verdict == expected
    disagreeing = {p.place for p in report.probes if p.index and p.verdict != "pass"}
    assert disagreeing == {"theta['W'][0, 0]", "theta['W'][1, 0]"}


def test_a_right_gradient_elsewhere_does_not_excuse_a_wrong_one_beside_a_kink():
    case = Case(absolute, lambda x: np.array([0.3, 0.9]), np.array([0.0, 0.7]))
    assert verdict(case) == "fail"


# Too coarse to tell


def beside_a_million(size: float) -> Case:
    theta = np.array([0.3, 1.0])
    return Case(lambda x: size * np.sin(x).sum() + 1e6, lambda x: size * np.cos(x), theta)


def test_a_tiny_gradient_beside_a_large_constant_is_inconclusive_but_not_so_a_wrong_one():
    report = check_gradient(*beside_a_million(1e-6))
    assert report.verdict == "inconclusive"
    assert "too coarse to tell. Compute all of it in float64, without large constants" in " ".join(
        str(report).split()
    )
    for change in (ERRORS["of the other sign"], ERRORS["doubled"]):
        assert verdict(beside_a_million(1e-6).with_grad(change)) == "fail"


def test_what_cannot_be_told_is_no_kink():
    case = beside_a_million(1e-6)
    tolerance = max(p.tolerance for p in check_gradient(*case).probes)
    report = check_gradient(*case.with_grad(lambda g: g + 1.5 * tolerance))
    assert report.verdict in ("inconclusive", "fail")
    assert all(p.excess > 1 for p in report.probes)


def test_a_bias_among_the_roundings_of_large_weights_is_seen_with_wide_steps():
    theta = {"W": np.full(30, 1e3), "b": np.array([1e-3])}

    def loss(t):
        return square(t["W"]) + 1e-5 * t["b"][0]

    def grad(t):
        return {"W": 2 * t["W"], "b": np.array([1e-5])}

    case = Case(loss, grad, theta)
    assert check_gradient(*case).verdict in ("pass", "inconclusive")
    wrong = case._replace(grad=lambda t: changed(t, grad, b=lambda g: -g))
    assert check_gradient(*wrong).verdict == "fail"


def test_a_direction_with_hardly_any_slope_is_judged_by_the_size_of_the_gradient():
    theta = np.linspace(0.1, 1, 20)
    case = Case(lambda x: np.sin(x).sum() + 1e6, np.cos, theta)
    report = check_gradient(*case, coordinates=0, directions=200)
    assert report.passed
    assert min(abs(p.analytic) for p in report.probes) < 2e-2 * report.norm


def test_a_large_gradient_beside_it_is_checked_as_well_as_the_digits_allow():
    assert verdict(beside_a_million(1.0)) == "pass"
    assert verdict(beside_a_million(1.0).with_grad(ERRORS["0.05 % too small"])) == "fail"


def test_float32_inside_the_loss_is_noticed_in_float64():
    X = np.random.default_rng(0).standard_normal(2000).astype(np.float32)

    def loss(w):
        return float(np.tanh(np.float32(w[0]) * X).sum())

    def grad(w):
        return np.array([((1 - np.tanh(w[0] * X.astype(np.float64)) ** 2) * X).sum()])

    case = Case(loss, grad, np.array([0.7]))
    assert verdict(case) == "pass"
    assert verdict(case.with_grad(lambda g: 1.05 * g)) == "fail"
    assert verdict(case._replace(loss=lambda w: np.float32(loss(w)))) == "pass"


def test_a_loss_in_float32_that_hardly_moves_is_inconclusive():
    theta = np.array([0.3, 1.0])
    case = Case(lambda x: np.float32(100 + 1e-3 * np.sin(x).sum()), lambda x: 1e-3 * np.cos(x), theta)
    assert check_gradient(*case).verdict == "inconclusive"


def test_a_loss_undefined_on_one_side_is_inconclusive():
    case = Case(lambda x: np.sqrt(x).sum(), np.ones_like, np.zeros(1))
    report = check_gradient(*case)
    assert report.verdict == "inconclusive"
    (probe,) = report.probes
    assert math.isnan(probe.numeric)
    assert probe.error == math.inf


@pytest.mark.parametrize(
    "undefined",
    [ValueError("math domain error"), ZeroDivisionError(), OverflowError(), math.nan, math.inf],
)
def test_a_loss_may_be_undefined_anywhere_but_at_theta(undefined):
    def loss(x):
        if x[0] > 1.001:
            if isinstance(undefined, Exception):
                raise undefined
            return undefined
        return x[0] ** 2

    assert verdict(Case(loss, twice, np.array([1.0]))) == "pass"
    assert verdict(Case(loss, lambda x: 2.001 * x, np.array([1.0]))) == "fail"


def test_a_random_gradient_is_inconclusive():
    rng = np.random.default_rng(0)
    theta = {"W": np.ones(2), "b": np.ones(3)}

    def loss(t):
        return square(t["W"]) + square(t["b"])

    def grad(t):
        return {"W": 2 * t["W"], "b": 2 * t["b"] * (1 + 1e-12 * rng.standard_normal(3))}

    report = check_gradient(loss, grad, theta)
    assert report.verdict == "inconclusive"
    assert "grad(theta)['b'] differs between two calls: it is not a function of theta" in report.problem
    assert "seed" in report.problem
    assert report.problem in " ".join(str(report).split())


# The user's arrays and functions


def scribble(x):
    x *= 1.5
    return 1.0


def test_nothing_of_the_users_is_changed():
    for case in (SQUARE, STEEP["nested"], network(0, "relu", dtype=np.float32)):
        with unchanged(case.theta):
            check_gradient(*case, coordinates=EVERY)
        with unchanged(case.theta), pytest.raises(AssertionError):
            assert_gradient(*case.with_grad(ERRORS["doubled"]))


def test_functions_get_copies_with_the_structure_of_theta():
    theta = nested_theta()
    seen = []

    def loss(t):
        seen.append(t)
        return nested_loss(t)

    def grad(t):
        seen.append(t)
        return nested_gradient(t)

    check_gradient(loss, grad, theta)
    for tree in seen:
        assert [path for path, _ in flatten(tree)] == [path for path, _ in flatten(theta)]
        pairs = zip(flatten(tree), flatten(theta), strict=True)
        assert not any(np.shares_memory(a, b) for (_, a), (_, b) in pairs)


@pytest.mark.parametrize("name", ["loss", "grad"])
def test_a_function_that_changes_its_argument_is_refused(name):
    def wrap(function):
        def changing(t):
            result = function(t)
            t["layers"][0]["b"][1] += 1e-9
            return result

        return changing

    functions = {"loss": nested_loss, "grad": nested_gradient}
    functions[name] = wrap(functions[name])
    theta = nested_theta()
    message = re.escape(
        f"{name}(theta) changed theta['layers'][0]['b']; expected a function that only reads"
    )
    with unchanged(theta), pytest.raises(ValueError, match=message):
        check_gradient(functions["loss"], functions["grad"], theta)


@pytest.mark.parametrize("name", ["loss", "grad"])
@pytest.mark.parametrize("change", [lambda t: t.update(cache=1.0), lambda t: t.pop("w")])
def test_a_function_that_changes_the_structure_of_its_argument_is_refused(name, change):
    def loss(t):
        w = t["w"]
        if name == "loss":
            change(t)
        return square(w)

    def grad(t):
        w = t["w"]
        if name == "grad":
            change(t)
        return {"w": 2 * w}

    theta = {"w": np.ones(2)}
    message = re.escape(f"{name}(theta) changed the structure of theta; expected a function that only")
    with unchanged(theta), pytest.raises(ValueError, match=message):
        check_gradient(loss, grad, theta)


def test_a_gradient_that_is_its_own_argument_is_no_alias():
    case = Case(lambda x: 0.5 * square(x), lambda x: x, np.array([1.0, -2.0]))
    assert verdict(case) == "pass"


def test_a_gradient_whose_buffer_is_reused_is_copied():
    buffer = np.empty(3)

    def grad(x):
        buffer[:] = 2 * x
        return buffer

    def loss(x):
        buffer[:] = -1
        return square(x)

    assert verdict(Case(loss, grad, np.array([1.0, 2.0, 3.0]))) == "pass"


@pytest.mark.parametrize(
    ("theta", "error", "message"),
    [
        (
            [np.ones(2), np.array([1, 2])],
            TypeError,
            "theta[1] has dtype int64; expected float32 or float64",
        ),
        (
            {"w": np.ones(2, object)},
            TypeError,
            "theta['w'] has dtype object; expected float32 or float64",
        ),
        ({"w": 0.5}, TypeError, "theta['w'] is 0.5 of type float; expected a NumPy array"),
        (np.array([0.0, np.nan]), ValueError, "theta[1] is nan; expected finite numbers"),
        ({"b": np.array([[np.inf]])}, ValueError, "theta['b'][0, 0] is inf; expected finite numbers"),
        ({}, ValueError, "theta is {}; expected at least one array in it"),
    ],
    ids=["integers", "objects", "number", "nan", "inf", "empty"],
)
def test_parameters_that_cannot_be_checked_are_refused(theta, error, message):
    calls = []
    with pytest.raises(error, match=re.escape(message)):
        check_gradient(calls.append, calls.append, theta)
    assert calls == []


@pytest.mark.parametrize("second", [lambda w: w, lambda w: w[::2], lambda w: w[3:], lambda w: w[::-1]])
def test_parameters_that_share_memory_are_refused(second):
    w = np.ones(4)
    theta = {"a": w, "tied": second(w)}
    message = r"theta\['(a|tied)'\] and theta\['(a|tied)'\] share memory; expected separate arrays"
    with unchanged(theta), pytest.raises(ValueError, match=message):
        check_gradient(lambda t: 0.0, lambda t: t, theta)


@pytest.mark.parametrize(
    ("gradient", "error", "message"),
    [
        (
            {"w": np.ones(3)},
            ValueError,
            "grad(theta)['w'] has shape (3,); expected (2,), the shape of theta",
        ),
        (
            {"w": np.ones(2, np.float32)},
            TypeError,
            "grad(theta)['w'] has dtype float32; expected float64",
        ),
        (
            {"w": np.array([0, np.nan])},
            ValueError,
            "grad(theta)['w'][1] is nan; expected finite numbers",
        ),
        (
            {"W": np.ones(2)},
            ValueError,
            "grad(theta) is not built like theta: missing keys ['w'], unexp",
        ),
        (np.ones(2), ValueError, "grad(theta) is a ndarray; expected a dict like theta"),
        (None, TypeError, "grad(theta) is None; expected a gradient like theta"),
    ],
    ids=["shape", "float32", "nan", "keys", "array", "None"],
)
def test_a_gradient_that_does_not_fit_is_refused(gradient, error, message):
    theta = {"w": np.ones(2)}
    with unchanged(theta), pytest.raises(error, match=re.escape(message)):
        check_gradient(lambda t: square(t["w"]), lambda t: gradient, theta)


@pytest.mark.parametrize("value", [None, 1j, "1", True, np.ones(1), np.bool_(True)], ids=repr)
def test_a_loss_that_is_no_number_is_refused(value):
    message = re.escape(f"loss(theta) is {value!r} of type {type(value).__name__}; expected a number")
    with pytest.raises(TypeError, match=message):
        check_gradient(lambda x: value, twice, np.ones(2))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32(np.nan)])
def test_a_loss_that_is_not_finite_at_theta_is_refused(value):
    message = re.escape(f"loss(theta) is {float(value)}; expected a finite number")
    with pytest.raises(ValueError, match=message):
        check_gradient(lambda x: value, twice, np.ones(2))


@pytest.mark.parametrize("wrap", [float, np.float64, np.array, np.longdouble], ids=lambda w: w.__name__)
def test_a_loss_may_be_any_real_number(wrap):
    assert verdict(Case(lambda x: wrap(square(x)), twice, np.array([1.0, 2.0]))) == "pass"


def test_an_error_in_the_loss_itself_reaches_the_user():
    def loss(x):
        raise ValueError("of my own")

    with pytest.raises(ValueError, match="of my own"):
        check_gradient(loss, twice, np.ones(2))


@pytest.mark.parametrize("option", ["coordinates", "directions"])
@pytest.mark.parametrize("number", [-1, 2.5, "all", True, math.nan], ids=repr)
def test_a_nonsensical_number_of_probes_is_refused(option, number):
    message = re.escape(f"{option} is {number!r}; expected a whole number from 0 on")
    with pytest.raises(ValueError, match=message):
        check_gradient(*SQUARE, **{option: number})


@pytest.mark.parametrize("rng", [0, "0", np.random.RandomState(0)], ids=lambda r: type(r).__name__)
def test_a_source_of_randomness_that_is_none_is_refused(rng):
    with pytest.raises(TypeError, match=r"rng is .+; expected a numpy\.random\.Generator"):
        check_gradient(*SQUARE, rng=rng)


# Which probes


def counts(report) -> dict[str, int]:
    """How many coordinates of each leaf were probed; directions under "direction"."""
    found = {}
    for probe in report.probes:
        key = "direction" if probe.index is None else probe.path
        found[key] = found.get(key, 0) + 1
    return found


def wide(sizes: dict[str, int]) -> Case:
    theta = {key: np.linspace(0.5, 2, size) for key, size in sizes.items()}
    return Case(lambda t: sum(square(leaf) for leaf in t.values()), lambda t: map_tree(twice, t), theta)


@pytest.mark.parametrize(
    ("sizes", "options", "expected"),
    [
        ((15, 5), {}, (15, 5, 0)),  # up to 20 parameters: all of them
        ((60, 41), {}, (6, 6, 6)),  # of more, what fits into a hundred evaluations
        ((60, 1), {}, (11, 1, 6)),
        ((60, 1), {"directions": 3}, (14, 1, 3)),
        ((60, 1), {"coordinates": 5}, (5, 1, 6)),
        ((60, 41), {"coordinates": 50, "directions": 0}, (50, 41, 0)),
        ((60, 41), {"coordinates": 0}, (0, 0, 6)),
        ((60, 41), {"coordinates": np.int64(1), "directions": np.int64(2)}, (1, 1, 2)),
        ((3, 2), {"coordinates": 0, "directions": 0}, (0, 0, 0)),
    ],
)
def test_as_many_probes_as_asked_for(sizes, options, expected):
    report = check_gradient(*wide(dict(zip("ab", sizes, strict=True))), **options)
    wanted = dict(zip(("['a']", "['b']", "direction"), expected, strict=True))
    assert counts(report) == {key: count for key, count in wanted.items() if count}
    assert report.parameters == sum(sizes)
    assert report.passed == any(expected)


def test_no_coordinate_is_probed_twice_and_each_in_its_turn():
    report = check_gradient(*wide({"a": 30, "b": 120}), coordinates=20, directions=4)
    indices = [probe.index for probe in report.probes if probe.path == "['b']"]
    assert len(set(indices)) == 20
    assert all(a < b for a, b in pairwise(indices))
    places = [p.place for p in report.probes if p.index is None]
    assert places == ["direction 1", "direction 2", "direction 3", "direction 4"]


def test_places_are_python_expressions():
    theta = nested_theta()
    for probe in check_gradient(nested_loss, nested_gradient, theta).probes:
        leaf = eval(f"theta{probe.path}", {"theta": theta})
        number = eval(probe.place, {"theta": theta})
        assert np.ndim(number) == 0
        assert leaf[probe.index] == number
        gradient = eval(f"g{probe.path}", {"g": nested_gradient(theta)})
        assert np.asarray(gradient)[probe.index] == probe.analytic


def test_the_number_of_evaluations_is_counted():
    calls = []

    def loss(x):
        calls.append(1)
        return square(x)

    report = check_gradient(loss, twice, np.array([1.0, 2.0]), directions=2)
    assert report.evaluations == len(calls) > 4 * 6


def test_the_same_generator_gives_the_same_report_and_another_other_places():
    case = wide({"a": 500})

    def report(seed):
        return check_gradient(*case, rng=np.random.default_rng(seed))

    assert report(1) == report(1)
    assert str(report(1)) == str(report(1))
    assert [p.analytic for p in report(1).probes] != [p.analytic for p in report(2).probes]
    assert check_gradient(*case) == report(0)


def test_a_check_leaves_the_global_random_state_alone():
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    check_gradient(*wide({"a": 200}))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@pytest.mark.parametrize("place", [0, 1234, 9_999])
@pytest.mark.parametrize("error", [lambda g: 0.0, lambda g: 2 * g, lambda g: -g])
def test_one_bad_number_among_ten_thousand_is_found_by_the_directions(place, error):
    case = wide({"a": 10_000})

    def grad(t):
        g = twice(t["a"])
        g[place] = error(g[place])
        return {"a": g}

    report = check_gradient(case.loss, grad, case.theta)
    assert report.verdict == "fail"
    assert all(p.verdict == "fail" for p in report.probes if p.index is None)
    assert [p.index for p in report.probes if p.index and p.verdict == "fail"] == [(place,)]
    assert report.evaluations < 700  # by halving, not by looking at ten thousand numbers


def test_a_direction_compares_the_gradient_of_all_leaves_with_the_slope():
    case = STEEP["nested"]
    report = check_gradient(*case, coordinates=0, directions=5)
    for probe in report.probes:
        assert probe.numeric == pytest.approx(probe.analytic, rel=1e-8)
        assert probe.analytic != 0
    assert report.norm == pytest.approx(
        math.sqrt(sum(float(square(np.asarray(g))) for _, g in flatten(case.grad(case.theta))))
    )


# How large an error is missed


@pytest.mark.slow  # 800 checks, to count what is missed
def test_as_many_errors_are_missed_as_the_report_says(monkeypatch):
    monkeypatch.setattr(report_module, "MISS", 0.1)
    rng = np.random.default_rng(0)
    theta = rng.standard_normal(200)
    options = {"coordinates": 0, "directions": 2}
    # Linear and beside a large constant, so the tolerance is all rounding, the same everywhere.
    slope = rng.standard_normal(200)

    def loss(x):
        return 1e6 + float(slope @ x)

    missed = 0
    for seed in range(400):
        right = check_gradient(loss, lambda x: slope, theta, rng=np.random.default_rng(seed), **options)
        error = rng.standard_normal(200)
        error *= right.detectable() / np.linalg.norm(error)
        wrong = check_gradient(
            loss, lambda x, e=error: slope + e, theta, rng=np.random.default_rng(seed), **options
        )
        missed += wrong.verdict == "pass"
    assert 0.02 < missed / 400 < 0.2


def missed_at(theta, slope, key, place, *, checks=30, **options):
    """Which part of some checks pass a linear loss whose slope at one place is off by what they promise.

    The loss lies beside a large constant, so that the tolerance is all rounding.
    """
    options |= {"coordinates": 0, "directions": 2}

    def loss(x):
        return 1e6 + sum(float(slope[key] @ x[key]) for key in slope)

    missed = 0
    for seed in range(checks):
        right = check_gradient(loss, lambda x: slope, theta, rng=np.random.default_rng(seed), **options)
        wrong = {key: g.copy() for key, g in slope.items()}
        wrong[key][place] += right.detectable()
        report = check_gradient(
            loss, lambda x, g=wrong: g, theta, rng=np.random.default_rng(seed), **options
        )
        missed += report.verdict == "pass"
    return missed / checks


VERY_DIFFERENT = {  # leaves whose numbers differ much, and the place of the one that is moved least
    "three decades either way": (np.geomspace(1e-3, 1e3, 200), 0),
    "large numbers, and both signs": (np.geomspace(-1e9, -1e4, 50) * (-1) ** np.arange(50), 49),
    "few small numbers": (np.r_[np.geomspace(1e-8, 1e-6, 20), np.ones(80)], 0),
    "zeros": (np.r_[np.zeros(20), np.geomspace(1e-2, 1e2, 40)], 20),
}


def steep(theta):
    """A slope that is the larger the smaller the number: each contributes alike to a direction."""
    return np.random.default_rng(0).standard_normal(theta.size) / np.where(theta == 0, 1, np.abs(theta))


@pytest.mark.slow  # seventy checks a case
@pytest.mark.parametrize("name", VERY_DIFFERENT)
def test_as_many_errors_are_missed_as_promised_where_numbers_differ_much_in_size(monkeypatch, name):
    monkeypatch.setattr(report_module, "MISS", 0.1)
    theta, least = VERY_DIFFERENT[name]
    case = {"x": theta}, {"x": steep(theta)}, "x"
    assert 0 < missed_at(*case, least) < 0.25  # three of thirty are expected
    assert missed_at(*case, np.abs(theta).argmax(), checks=5) == 0


def test_the_promise_is_for_the_leaf_and_the_number_where_least_is_seen(monkeypatch):
    monkeypatch.setattr(report_module, "MISS", 0.1)
    theta = {"alike": np.linspace(1.0, 2.0, 50), "unlike": np.geomspace(1e-3, 1e3, 50)}
    case = theta, {key: steep(leaf) for key, leaf in theta.items()}
    assert missed_at(*case, "unlike", 0, checks=10) <= 0.4  # one of ten is expected
    assert missed_at(*case, "alike", 0, checks=3) == 0


def test_numbers_that_are_held_fixed_do_not_weaken_the_promise():
    theta = np.geomspace(1e-6, 1e6, 60)
    slope, small = steep(theta), theta < 1e-2
    options = {"coordinates": 0, "directions": 2}

    def loss(x):
        return 1e6 + float(slope @ x)

    every = check_gradient(loss, lambda x: slope, theta, **options)
    held = check_gradient(loss, lambda x: slope, theta, **options, frozen=small)
    assert every.passed
    assert held.passed
    assert every.detectable() > 1000 * held.detectable()


def test_an_error_of_ten_times_that_norm_is_found():
    rng = np.random.default_rng(0)
    theta = rng.standard_normal(300)
    case = Case(lambda x: np.cos(x).sum(), lambda x: -np.sin(x), theta)
    report = check_gradient(*case)
    assert report.passed
    error = rng.standard_normal(300)
    error *= 10 * report.detectable() / np.linalg.norm(error)
    assert 0 < np.linalg.norm(error) < 1e-5 * report.norm
    assert verdict(case.with_grad(lambda g: g + error)) == "fail"


@pytest.mark.slow  # forty checks
@pytest.mark.parametrize("size", [200, 5000])
def test_an_error_of_that_norm_is_found_as_often_as_the_report_says(size):
    rng = np.random.default_rng(1)
    case = Case(lambda x: np.cos(x).sum(), lambda x: -np.sin(x), rng.standard_normal(size))
    report = check_gradient(*case, coordinates=0)
    error = rng.standard_normal(size)
    error *= report.detectable() / np.linalg.norm(error)
    wrong = case.with_grad(lambda g: g + error)
    seeds = map(np.random.default_rng, range(40))
    verdicts = [check_gradient(*wrong, coordinates=0, rng=rng).verdict for rng in seeds]
    assert verdicts.count("pass") <= 1  # of 40, where one in a thousand is expected


# The report, and the assertion


def test_a_planted_factor_of_two_is_read_off_the_report():
    case = STEEP["nested"]

    def grad(t):
        g = case.grad(t)
        g["layers"][0]["W"][1, 2] *= 2
        return g

    report = check_gradient(case.loss, grad, case.theta)
    first = report.worst()[0]
    assert first.place == "theta['layers'][0]['W'][1, 2]"
    assert first.path == "['layers'][0]['W']"
    assert first.index == (1, 2)
    assert first.ratio == pytest.approx(2, rel=1e-6)
    assert first.analytic == pytest.approx(2 * 0.7 * math.cos(1.0), rel=1e-12)
    assert abs(first.numeric - 0.7 * math.cos(1.0)) <= first.error
    (line,) = [line for line in str(report).splitlines() if line.startswith(first.place)]
    assert line.split()[-2:] == ["2", "fail"]


def test_assert_gradient_says_nothing_of_a_right_gradient():
    assert assert_gradient(*SQUARE) is None


def test_assert_gradient_raises_with_the_report():
    wrong = SQUARE.with_grad(ERRORS["doubled"])
    with pytest.raises(AssertionError) as error:
        assert_gradient(*wrong)
    assert str(check_gradient(*wrong)) in str(error.value)


def test_assert_gradient_accepts_a_kink():
    assert_gradient(absolute, lambda x: 0.3 * np.ones_like(x), np.zeros(1))


def test_assert_gradient_refuses_what_cannot_be_told():
    with pytest.raises(AssertionError, match="INCONCLUSIVE"):
        assert_gradient(*beside_a_million(1e-6))
    with pytest.raises(AssertionError, match="0 probes"):
        assert_gradient(*SQUARE, coordinates=0, directions=0)


def test_assert_gradient_passes_its_options_on():
    with pytest.raises(AssertionError, match=r"probes: \d+ fail; 3 parameters"):
        assert_gradient(*SQUARE.with_grad(ERRORS["doubled"]), coordinates=2, directions=3)
    with pytest.raises(ValueError, match="coordinates is -1"):
        assert_gradient(*SQUARE, coordinates=-1)
