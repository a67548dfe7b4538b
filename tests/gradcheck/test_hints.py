"""The exact cause for each planted mistake, and silence where numbers only look alike."""

import re

import numpy as np
import pytest

from optimlib import check_adjoint, check_gradient, check_hvp, check_jvp, check_vjp
from optimlib.gradcheck.diagnosis import explain

rng = np.random.default_rng(11)
W = rng.standard_normal((4, 4))
X = rng.standard_normal((5, 4))
A = rng.standard_normal((4, 4))
SPD = A @ A.T + 4 * np.eye(4)
C = rng.standard_normal(6)


def hints(loss, grad, theta, **options):
    report = check_gradient(loss, grad, theta, **options)
    assert report.verdict == "fail"
    return report.hints


def only(loss, grad, theta, **options):
    (hint,) = hints(loss, grad, theta, **options)
    return hint


# Twelve mistakes in linear and piecewise linear functions: memory has nothing to do with them

relu = lambda x: np.maximum(x, 0)  # noqa: E731
absolute = lambda x: np.abs(x @ W)  # noqa: E731
LINEAR = {
    "sign": (check_jvp(np.sin, lambda x, dx: -np.cos(x) * dx, np.ones(2)), "-1 times"),
    "doubled": (check_vjp(lambda x: x @ W, lambda x, dy: 2 * dy @ W.T, X), "is 2 times"),
    "transposed": (check_vjp(lambda x: A * x, lambda x, dy: (A * dy).T, W), "transposed"),
    "reversed": (check_vjp(lambda x: C * x, lambda x, dy: (C * dy)[::-1], C), "axis 0 reversed"),
    "shifted": (check_vjp(lambda x: C * x, lambda x, dy: np.roll(C * dy, 1), C), "shifted by 1"),
    "mean for sum": (
        check_vjp(lambda b: X + b, lambda b, dy: dy.mean(axis=0), np.ones(4)),
        "1/5 times",
    ),
    "a leaf of zeros": (
        check_vjp(
            lambda t: t["x"] @ W + t["b"],
            lambda t, dy: {"x": dy @ W.T, "b": np.zeros(4)},
            {"x": X, "b": np.ones(4)},
        ),
        "exactly 0 in the whole leaf",
    ),
    "swapped": (
        check_vjp(
            lambda t: 2 * t["a"] + A * t["b"],
            lambda t, dy: {"a": A * dy, "b": 2 * dy},
            {"a": W, "b": A},
        ),
        "each has the gradient of the other",
    ),
    "a place left out": (
        check_vjp(lambda x: C * x, lambda x, dy: C * dy * (np.arange(6) != 2), C),
        "exactly 0 at [2]",
    ),
    "no mask": (check_vjp(relu, lambda x, dy: dy, C), "a mask of the loss that the gradient lacks"),
    "sign of a penalty": (
        check_gradient(
            lambda x: C @ x + 0.1 * np.abs(x).sum(), lambda x: C - 0.1 * np.sign(x), C[::-1] + 0.1
        ),
        "0.2 sign(theta)",
    ),
    "hinge of the other sign": (
        check_vjp(absolute, lambda x, dy: -(dy * np.sign(x @ W)) @ W.T, X),
        "-1 times",
    ),
    "adjoint, doubled": (check_adjoint(lambda x, d: d @ W, lambda x, d: 2 * d @ W.T, X), "2 times"),
    "adjoint, no transpose": (
        check_adjoint(lambda x, d: A * d, lambda x, d: (A * d).T, W),
        "transposed",
    ),
    "hessian, sign": (check_hvp(lambda x: SPD @ x, lambda x, v: -SPD @ v, np.ones(4)), "-1 times"),
}


@pytest.mark.parametrize("name", LINEAR)
def test_mistakes_in_linear_functions_get_their_cause(name):
    report, words = LINEAR[name]
    assert report.verdict == "fail"
    assert words in report.hints[0]
    assert not any("stays the same" in hint for hint in report.hints)


def test_a_softmax_at_zero_weights_is_not_called_stale():
    labels = np.eye(4)[[0, 1, 2, 3, 0]]

    def loss(w):
        z = X @ w
        return (np.log(np.exp(z).sum(axis=1)) - (z * labels).sum(axis=1)).sum()

    def doubled(w):
        p = np.exp(X @ w)
        return 2 * X.T @ (p / p.sum(axis=1, keepdims=True) - labels)

    assert "is 2 times numeric" in only(loss, doubled, np.zeros((4, 4)))


# A mask that the gradient lacks

MASK = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("mask", "beside"),
    [
        (MASK, "analytic is right at 4 other probes"),
        (MASK / 0.5, "analytic is 1/2 times numeric at 4 other probes"),
        (MASK / 0.8, "analytic is 0.8 times numeric at 4 other probes"),
        (MASK / 0.25, "analytic is 1/4 times numeric at 4 other probes"),
    ],
)
def test_dropout_without_its_mask(mask, beside):
    hint = only(lambda x: np.sin(x * mask).sum(), lambda x: np.cos(x * mask), C)
    if mask.max() == 1:
        assert beside in hint
        assert "no slope at [1], [4]" in hint
    else:  # only the mask is missing: the scale stands in the cosine, too
        hint = only(lambda x: (C * x * mask).sum(), lambda x: C, C)
        assert beside in hint
        assert "no slope at [1], [4]" in hint


def test_a_network_whose_backward_pass_forgets_the_positive_part():
    inputs = np.abs(X)
    w = np.abs(W) + 0.1
    w[:, 1] *= -1  # a unit that no positive input wakes
    every_unit = inputs.T @ np.ones((5, 4))
    hint = only(lambda w: relu(inputs @ w).sum(), lambda w: every_unit, w)
    assert "no slope at [0, 1], [1, 1], [2, 1] and 1 more" in hint


def test_a_row_of_an_embedding_that_is_not_used():
    ids = np.array([0, 2, 2])

    def loss(e):
        return np.sin(e[ids]).sum()

    def every_row(e):
        g = np.cos(e)
        g[2] *= 2
        return g

    assert "no slope at [1, 0], [1, 1], [1, 2] and 5 more" in only(loss, every_row, A)


@pytest.mark.parametrize("seed", range(10))
def test_zeros_among_wrong_slopes_are_no_missing_mask(seed):
    r = np.random.default_rng(seed)
    wrong = r.standard_normal(6)
    mask = r.permutation(MASK)
    assert hints(lambda x: (C * x * mask).sum(), lambda x: C * mask + wrong, C) == ()


def test_a_kink_is_no_place_without_a_slope():
    """Halfway between -1 and 1 the loss seems to have no slope: any claim up to 1 would be right."""
    theta = np.array([0.0, 1.0, 2.0])
    for hint in hints(lambda x: np.abs(x).sum(), lambda x: np.array([3.0, 1.0, 1.0]), theta):
        assert "mask" not in hint


def test_a_kink_beside_an_unused_place_is_not_counted_to_it():
    def loss(x):
        return np.abs(x[0]) + 2 * x[2] + 3 * x[3]

    def grad(x):
        return np.array([3.0, 1.0, 2.0, 3.0])

    for hint in hints(loss, grad, np.array([0.0, 1.0, 2.0, 0.5])):
        assert "[0]" not in hint


# One triangle of a symmetric matrix


def cholesky_loss(s):
    return np.log(np.diag(np.linalg.cholesky(s))).sum()


def full_inverse(s):
    return 0.5 * np.linalg.inv(s)


def upper_only(s):
    return np.sin(np.triu(s) + np.triu(s, 1).T).sum()


def upper_only_grad(s):
    return np.cos(np.triu(s) + np.triu(s, 1).T)


@pytest.mark.parametrize(
    ("loss", "grad", "theta", "words"),
    [
        (cholesky_loss, full_inverse, SPD, "numeric is 0 above the diagonal"),
        (
            lambda s: np.linalg.eigvalsh(s) @ np.array([1.0, 3.0, 2.0, 0.5]),
            lambda s: (lambda v: v @ np.diag([1.0, 3.0, 2.0, 0.5]) @ v.T)(np.linalg.eigh(s)[1]),
            SPD,
            "reads only the lower triangle",
        ),
        (upper_only, upper_only_grad, (A + A.T) / 2, "numeric is 0 below the diagonal"),
        (
            lambda s: np.sin((s + s.T) / 2).sum(),
            lambda s: np.tril(2 * np.cos(s)) - np.diag(np.diag(np.cos(s))),
            (A + A.T) / 2,
            "numeric is the symmetric part of analytic",
        ),
        (
            lambda s: np.log(np.linalg.det(s)),
            lambda s: 2 * np.linalg.inv(s) - np.diag(np.diag(np.linalg.inv(s))),
            SPD,
            "the rule for symmetric matrices, 2 G - diag(G)",
        ),
        (
            lambda s: np.exp(0.1 * (s + s.T) * A).sum(),
            lambda s: 0.1 * A * np.exp(0.1 * (s + s.T) * A),
            W,
            "numeric is G + G.T",
        ),
        (
            lambda s: (np.linalg.cholesky(s)[:, [0, 1], [0, 1]] ** 3).sum(),
            lambda s: np.array([numerical_symmetric(m) for m in s]),
            np.array([[[2.0, 0.3], [0.3, 1.5]], [[3.0, -0.7], [-0.7, 2.0]]]),
            "numeric is 0 above the diagonal",
        ),
    ],
    ids=["cholesky", "eigvalsh", "upper", "claimed triangle", "structured", "twice", "many matrices"],
)
def test_symmetric_matrices(loss, grad, theta, words):
    assert words in only(loss, grad, theta)


def numerical_symmetric(m):
    """The symmetric gradient of l11**3 + l22**3, where l l.T = m, by hand."""
    a, b, c = m[0, 0], m[0, 1], m[1, 1]
    root = c - b**2 / a  # l22**2
    d_root = 1.5 * np.sqrt(root)
    return np.array(
        [
            [1.5 * np.sqrt(a) + d_root * b**2 / a**2, -d_root * b / a],
            [-d_root * b / a, d_root],
        ]
    )


@pytest.mark.parametrize("seed", range(10))
def test_matrices_that_only_look_symmetric_get_no_such_hint(seed):
    """Twice below, and anything but 0 above: or the other way round."""
    r = np.random.default_rng(seed)
    slopes = r.standard_normal((4, 4))
    for claim in (
        slopes * (1 + np.tril(np.ones((4, 4)), -1)),
        np.tril(slopes) + 0.1 * np.triu(slopes, 1),
        np.tril(slopes + slopes.T),
    ):
        report = check_gradient(lambda x: (slopes * x).sum(), lambda x, g=claim: g, W)
        assert not any("triang" in hint or "symmetric" in hint for hint in report.hints)


def test_a_factor_of_a_symmetric_gradient_stays_a_factor():
    s = (A + A.T) / 2
    for factor, words in ((2, "is 2 times"), (0.5, "is 1/2 times"), (-1, "is -1 times")):
        hint = only(lambda x: np.sin((x + x.T) / 2).sum(), lambda x, f=factor: f * np.cos(x), s)
        assert words in hint


@pytest.mark.parametrize("seed", range(5))
def test_a_factor_seen_off_the_diagonal_only_is_no_rule_for_symmetric_matrices(seed):
    """Without a probe on the diagonal, 2 G - diag(G) cannot be told from 2 G."""
    s = (A + A.T) / 2 + seed * np.ones((4, 4))
    claim = 2 * np.cos(s)
    report = check_gradient(lambda x: np.sin((x + x.T) / 2).sum(), lambda x: claim, s, coordinates=16)
    beside = [p for p in report.probes if p.index and p.index[0] != p.index[1]]
    (hint,) = explain([("", s)], [("", claim)], beside)
    assert "is 2 times numeric" in hint


# Parameters that stand for others

TRANSFORMED = {
    "exp(theta)": (np.exp, np.exp),
    "10**theta": (lambda t: 10**t, lambda t: np.log(10) * 10**t),
    "theta**2": (np.square, lambda t: 2 * t),
    "sqrt(theta)": (np.sqrt, lambda t: 0.5 / np.sqrt(t)),
    "log(theta)": (np.log, lambda t: 1 / t),
    "sigmoid(theta)": (lambda t: 1 / (1 + np.exp(-t)), lambda t: np.exp(-t) / (1 + np.exp(-t)) ** 2),
    "softplus(theta)": (lambda t: np.log1p(np.exp(t)), lambda t: 1 / (1 + np.exp(-t))),
    "tanh(theta)": (np.tanh, lambda t: 1 - np.tanh(t) ** 2),
}
POINT = np.array([0.2, 0.9, 1.4, 0.6])


@pytest.mark.parametrize("name", TRANSFORMED)
def test_a_parametrisation_whose_derivative_is_missing_or_twice_there(name):
    transform, slope = TRANSFORMED[name]

    def loss(t):
        return np.sin(transform(t)).sum() + 0.1 * (np.arange(4) * transform(t)).sum()

    def outer(t):
        return np.cos(transform(t)) + 0.1 * np.arange(4)

    missing = only(loss, outer, POINT)
    assert f"the loss takes {name}, and the gradient lacks the derivative of that" in missing
    twice = only(loss, lambda t: outer(t) * slope(t) ** 2, POINT)
    assert f"the derivative of {name} once too often" in twice


def test_logarithmic_parameters_of_a_normal_distribution():
    y = rng.standard_normal(9)

    def loss(t):
        sigma = np.exp(t["log_sigma"])
        return (np.log(sigma) + 0.5 * (y[:, None] / sigma) ** 2).sum()

    def of_sigma(t):
        sigma = np.exp(t["log_sigma"])
        return {"log_sigma": (1 / sigma - (y[:, None] ** 2).sum(axis=0) / sigma**3 / 9) * 9}

    hint = only(loss, of_sigma, {"log_sigma": np.array([0.3, -0.4, 1.1])})
    assert "numeric / analytic is exp(theta)" in hint


@pytest.mark.parametrize(
    ("loss", "grad"),
    [
        (lambda t: (t**3).sum() / 3, lambda t: t**3),
        (lambda t: (t**3).sum() / 3, lambda t: t / 2),
        (lambda t: (t**2).sum(), np.ones_like),
    ],
)
def test_a_wrong_power_is_not_blamed_on_a_transformation_alone(loss, grad):
    assert "theta to a wrong power, or" in only(loss, grad, POINT)


@pytest.mark.parametrize("seed", range(10))
def test_other_functions_of_theta_are_not_taken_for_a_transformation(seed):
    r = np.random.default_rng(seed)
    theta, c = r.uniform(0.2, 1.5, 4), r.standard_normal(4)
    for factor in (
        np.exp(1.1 * theta),
        theta,
        2 * theta + 0.01,
        np.exp(theta) + 1e-4,
        1 / np.cosh(theta),
        np.cos(theta),
    ):
        found = hints(lambda x: c @ np.sin(x), lambda x, f=factor: c * np.cos(x) * f, theta)
        assert not any("derivative" in hint and "wrong power" not in hint for hint in found)


# Penalties


@pytest.mark.parametrize(
    ("strength", "words"),
    [
        (
            -0.1,
            "0.2 theta (6 failing probes); usually a regularizer that the gradient lacks in"
            " whole or in part, or 0.1 theta",
        ),
        (0.0, "0.1 theta (6 failing probes); usually a regularizer that the gradient lacks"),
        (
            0.3,
            "-0.2 theta (6 failing probes); usually a regularizer that the gradient has once"
            " too often, or the loss lacks.",
        ),
    ],
)
def test_penalties_missing_doubled_and_of_the_wrong_sign(strength, words):
    theta = rng.standard_normal(6)

    def loss(x):
        return np.sin(C * x).sum() + 0.05 * (x**2).sum()

    hint = only(loss, lambda x: C * np.cos(C * x) + strength * x, theta)
    assert f"numeric - analytic is {words}" in hint


def test_the_wrong_sign_of_a_penalty_in_some_leaves():
    theta = {"W": W, "b": np.ones(4)}

    def loss(t):
        return np.tanh(X @ t["W"] + t["b"]).sum() + 0.2 * np.abs(t["W"]).sum()

    def grad(t):
        d = 1 - np.tanh(X @ t["W"] + t["b"]) ** 2
        return {"W": X.T @ d - 0.2 * np.sign(t["W"]), "b": d.sum(axis=0)}

    hint = only(loss, grad, theta)
    assert hint.startswith("theta['W']: numeric - analytic is 0.4 sign(theta)")
    assert "or 0.2 sign(theta) with the wrong sign" in hint


# An epsilon in only one of the two

Y = np.array([0.3, 0.02, 0.6, 1.9])


@pytest.mark.parametrize(
    ("loss", "grad"),
    [
        (lambda y: np.log(y + 1e-7).sum(), lambda y: 1 / y),
        (lambda y: np.log(y).sum(), lambda y: 1 / (y + 1e-8)),
        (lambda y: (y / (np.abs(y) + 1e-8)).sum() + np.cosh(y).sum(), np.sinh),
        (lambda y: np.sqrt(y**2 + 1e-8).sum() + (y**2).sum(), lambda y: np.sign(y) + 2 * y),
        (lambda y: (C[:4] * y).sum() / (np.linalg.norm(y) + 1e-7), lambda y: unit_grad(y, C[:4])),
    ],
    ids=["log", "log, the other way", "W / abs(W)", "sqrt", "norm"],
)
def test_an_epsilon(loss, grad):
    hint = only(loss, grad, Y)
    assert "an epsilon that only one of loss and gradient has" in hint
    text = str(check_gradient(loss, grad, Y))
    assert re.search(r" 1 [+-] \d(\.\d)?e-\d\d  fail", text)  # the ratio
    assert re.search(r" -?\d\.\de-\d\d  +<1e-\d\d ", text)  # the difference and its tolerance


def unit_grad(y, c):
    n = np.linalg.norm(y)
    return c / n - (c @ y) * y / n**3


def test_a_solver_that_stops_early_and_differences_that_show():
    def solve(a):
        x = np.ones_like(a)
        for _ in range(60):
            x = 0.5 * (x + a / x)
        return x + 3e-8 * np.sin(a)

    report = check_gradient(lambda a: solve(a).sum(), lambda a: 0.5 / np.sqrt(a), Y)
    assert report.verdict == "fail"
    assert "a solver that stops early" in report.hints[0]


@pytest.mark.parametrize("stop", [1e-4, 1e-6])
def test_a_linear_solver_that_stops_early_and_is_off_by_nearly_the_same_part(stop):
    A = np.array([[4.0, 1, 0], [1, 5, 2], [0, 2, 6]])

    def solve(b):
        z = np.zeros(3)
        while np.abs(A @ z - b).max() > stop:
            z = (b - A @ z) / np.diag(A) + z
        return z

    report = check_gradient(
        lambda b: (solve(b) ** 2).sum(), lambda b: 2 * np.linalg.solve(A.T, solve(b)), np.arange(1.0, 4)
    )
    assert report.verdict != "fail" or "a solver that stops early" in report.hints[0]


@pytest.mark.parametrize("size", [1e-7, 1e-6, 1e-4])
@pytest.mark.parametrize("seed", range(5))
def test_small_constant_factors_are_no_epsilon(size, seed):
    c = np.random.default_rng(seed).standard_normal(6)
    for hint in hints(lambda x: c @ np.sin(x), lambda x: (1 + size) * c * np.cos(x), C):
        assert "epsilon" not in hint
        assert "usually a constant" in hint


@pytest.mark.parametrize("size", [1e-7, 1e-6, 1e-5])
def test_small_differences_that_are_all_the_same_are_no_epsilon(size):
    """A factor, an offset and much else would explain claims a little above slopes that are all 3."""
    assert hints(lambda x: 3 * x.sum(), lambda x: np.full(6, 3 + size), C) == ()


def test_a_wrong_leaf_beside_a_nearly_right_one_is_no_epsilon():
    theta = {"a": Y, "b": Y + 0.1}

    def loss(t):
        return np.sin(t["a"]).sum() + np.exp(t["b"] * Y).sum()

    def grad(t):
        return {"a": np.cos(t["a"]) + 1e-6 * t["a"] ** 3, "b": np.exp(t["b"])}

    assert not any("epsilon" in hint for hint in hints(loss, grad, theta))


# Reversed


def test_a_kernel_of_one_axis_that_should_be_flipped():
    signal = np.random.default_rng(0).standard_normal(15)

    def loss(k):
        return (np.convolve(signal, k, "valid") ** 2).sum()

    def unflipped(k):
        return 2 * np.correlate(signal, np.convolve(signal, k, "valid"), "valid")

    kernel = np.array([0.3, -0.2, 0.7])
    assert check_gradient(loss, lambda k: unflipped(k)[::-1].copy(), kernel).passed
    hint = only(loss, unflipped, kernel)
    assert "axis 0 reversed; usually a loop in the wrong order, or a kernel that should" in hint


# Factors: the cause as a question


def test_a_factor_that_happens_to_be_a_length_is_not_given_a_cause():
    W1 = rng.standard_normal((3, 4))
    for factor in (3, 4, 12, 18):
        hint = only(lambda w: np.sin(w).sum(), lambda w, f=factor: f * np.cos(w), W1)
        assert hint == (
            f"theta: analytic is {factor} times numeric (12 failing probes);"
            " a sum where the loss has a mean?"
        )


def test_a_kink_does_not_hide_a_factor():
    """At 0 the slope of the positive part may be anything from 0 to 1."""
    theta = np.array([0.0, 1.0, 2.0, -1.0])
    hint = only(lambda x: np.maximum(x, 0).sum(), lambda x: 2.0 * (x >= 0), theta)
    assert "analytic is 2 times numeric" in hint


# One number off, with an edge of its own


def convolution(shift):
    """The loss of a kernel in a valid convolution, and its gradient from a window that far off."""
    draws = np.random.default_rng(5)
    signal, target = draws.standard_normal(12), draws.standard_normal(6)

    def rest(k):
        return np.convolve(signal[1:], k, "valid")[:6] - target

    def grad(k):
        n = len(k)
        windows = [signal[n - i + shift : n - i + shift + 6] for i in range(n)]
        return np.array([2 * rest(k) @ window for window in windows])

    return (lambda k: (rest(k) ** 2).sum()), grad


@pytest.mark.parametrize(("shift", "by"), [(1, 1), (-1, -1)])
def test_a_window_that_is_one_off(shift, by):
    hint = only(*convolution(shift), np.array([0.4, -1.1, 0.7, 0.2]))
    assert f"axis 0 shifted by {by}, with another number at the edge" in hint
    loss, grad = convolution(0)
    assert check_gradient(loss, grad, np.array([0.4, -1.1, 0.7, 0.2])).verdict == "pass"


def test_a_recurrence_that_starts_one_step_late():
    theta = np.array([[0.3, -0.8, 1.2, 0.5], [1.4, 0.6, -0.9, 0.1]])

    def late(x):
        slopes = np.cos(x)
        return np.concatenate([slopes[:, 1:], np.ones((2, 1)) * 7], axis=1)

    hint = only(lambda x: np.sin(x).sum(), late, theta)
    assert "axis 1 shifted by -1, with another number at the edge" in hint


@pytest.mark.parametrize("seed", range(20))
def test_other_numbers_are_not_one_off(seed):
    wrong = np.random.default_rng(seed).standard_normal((3, 4))
    found = hints(lambda x: np.sin(x).sum(), lambda x: wrong * x, np.abs(wrong))
    assert not any("wrong places" in hint for hint in found)


@pytest.mark.parametrize("wrong", [lambda x: 2 * x + 2, lambda x: 2 * x - 2, lambda x: 3 * x])
@pytest.mark.parametrize("theta", [np.arange(1.0, 6.0), 1.5 ** np.arange(5)])
def test_a_series_is_not_one_off(wrong, theta):
    assert not any("edge" in hint for hint in hints(lambda x: (x**2).sum(), wrong, theta))


# Factors with more than one cause are questions


def test_a_factor_of_a_sigmoid_that_is_no_softplus():
    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    (hint,) = check_vjp(sigmoid, lambda x, dy: dy * (1 - sigmoid(x)), C).hints
    assert "a factor like that left out or there twice, or the loss takes softplus" in hint
    assert hint.endswith("?")


def test_a_matrix_that_the_loss_uses_twice():
    hint = only(
        lambda a: np.linalg.slogdet(a @ a.T + np.eye(4))[1],
        lambda a: np.linalg.solve(a @ a.T + np.eye(4), a),
        A,
    )
    assert hint.endswith("or one of two uses, as in A @ A.T?")
