"""Situations that people have met with gradient checks: float32, tables, dates, ties, solvers."""

import math
import warnings
from itertools import pairwise

import numpy as np
import pytest
from support import unchanged, verdict

from optimlib import assert_gradient, check_gradient, check_vjp
from optimlib.trees import map_tree

UNDECIDED = ("pass", "inconclusive")


# Float32 networks, whose loss can be evaluated in float64


def relu_network(seed, hidden=7, depth=2, dtype=np.float32):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((8, 6)).astype(dtype)
    rows, labels = np.arange(8), rng.integers(0, 3, 8)
    sizes = [6, *[hidden] * (depth - 1), 3]
    theta = [
        {
            "W": (rng.standard_normal((m, n)) * math.sqrt(2 / m)).astype(dtype),
            "b": (0.1 * rng.standard_normal(n)).astype(dtype),
        }
        for m, n in pairwise(sizes)
    ]

    def forward(t):
        values = [x]
        for number, layer in enumerate(t):
            a = values[-1] @ layer["W"] + layer["b"]
            values.append(a if number == depth - 1 else np.maximum(a, 0))
        z = values[-1] - values[-1].max(axis=1, keepdims=True)
        return values, z - np.log(np.exp(z).sum(axis=1, keepdims=True))

    def loss(t):
        return -forward(t)[1][rows, labels].mean()

    def grad(t):
        values, log_p = forward(t)
        d = np.exp(log_p)
        d[rows, labels] -= 1
        d /= d.dtype.type(8)
        g = []
        for number in reversed(range(depth)):
            if number < depth - 1:
                d = d * (values[number + 1] > 0)
            g.insert(0, {"W": values[number].T @ d, "b": d.sum(axis=0)})
            d = d @ t[number]["W"].T
        return g

    return loss, grad, theta


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("hidden", [5, 8, 16])
@pytest.mark.parametrize("seed", range(10))
def test_float32_networks_pass_within_a_hundred_evaluations(hidden, depth, seed):
    loss, grad, theta = relu_network(seed, hidden, depth)
    with unchanged(theta):
        report = check_gradient(loss, grad, theta)
    assert report.verdict == "pass"
    assert report.evaluations <= 100
    assert "evaluated in float64" in report.notes[0]
    assert "evaluated in float64" in str(report)


@pytest.mark.parametrize("factor", [1.01, 0.0, -1.0])
@pytest.mark.parametrize("key", ["W", "b"])
@pytest.mark.parametrize("seed", range(5))
def test_wrong_float32_networks_fail(key, factor, seed):
    loss, grad, theta = relu_network(seed)

    def wrong(t):
        g = grad(t)
        g[0][key] = g[0][key] * np.float32(factor)
        return g

    assert verdict(loss, wrong, theta) == "fail"


def test_the_user_keeps_float32_where_float64_is_not_accepted():
    dtypes = set()

    def loss(x):
        dtypes.add(x.dtype)
        if x.dtype != np.float32:
            raise RuntimeError("float32, please")
        return np.float32((x**2).sum())

    report = check_gradient(loss, lambda x: 2 * x, np.linspace(0.5, 2, 8, dtype=np.float32))
    assert report.passed
    assert report.notes == ()
    assert dtypes == {np.dtype(np.float32), np.dtype(np.float64)}  # asked once


def test_a_loss_that_casts_to_float32_is_not_taken_for_one_in_float64():
    report = check_gradient(
        lambda x: float((x.astype(np.float32) ** 3).sum()),
        lambda x: 3 * x**2,
        np.linspace(0.5, 2, 8, dtype=np.float32),
    )
    assert report.passed
    assert not any("evaluated in float64" in note for note in report.notes)


# Float32 inside, float64 outside, and other plateaus


def bfloat16(x):
    bits = np.asarray(x, np.float32).view(np.uint32)
    return ((bits + 0x8000) & np.uint32(0xFFFF0000)).view(np.float32).astype(float)


ROUNDINGS = {
    "float32": lambda x: x.astype(np.float32).astype(float),
    "float16": lambda x: x.astype(np.float16).astype(float),
    "bfloat16": bfloat16,
    "text": lambda x: np.array([float(f"{number:.4f}") for number in x]),
    "two decimals": lambda x: np.round(x, 2),
    "table": lambda x: np.floor(x / 0.05) * 0.05 + 0.025,
}


def rounded(name, size, seed, factor=1.0, mixed=False):
    """A weighted sum of sines of rounded numbers; if mixed, some of them are not rounded."""
    rng = np.random.default_rng(seed)
    weights, theta = rng.standard_normal((2, size))
    keep = rng.random(size) < 0.5 if mixed else np.zeros(size, bool)

    def loss(x):
        return float((weights * np.sin(np.where(keep, x, ROUNDINGS[name](x)))).sum())

    return check_gradient(loss, lambda x: factor * weights * np.cos(x), theta)


@pytest.mark.parametrize("name", ROUNDINGS)
@pytest.mark.parametrize("size", [1, 3, 17, 60])
@pytest.mark.parametrize("mixed", [False, True])
def test_plateaus_never_accuse_a_right_gradient(name, size, mixed):
    for seed in range(100, 104):
        report = rounded(name, size, seed, mixed=mixed)
        assert report.verdict in UNDECIDED
        if report.verdict == "inconclusive" and size < 60:  # among many steps, some look like kinks
            assert any("no more exact than" in note for note in report.notes)


@pytest.mark.parametrize("name", ["float32", "text"])
@pytest.mark.parametrize("size", [2, 17, 60])
@pytest.mark.parametrize("seed", range(100, 103))
def test_plateaus_do_not_excuse_a_gradient_that_is_twice_too_large(name, size, seed):
    assert rounded(name, size, seed, factor=2.0).verdict == "fail"


@pytest.mark.parametrize("shape", [(3,), (3, 2), (12, 12)])
def test_a_layer_with_float32_buffers(shape):
    for seed in range(200, 206):
        x = np.random.default_rng(seed).standard_normal(shape)
        right = check_vjp(lambda x: np.float32(x), lambda x, dy: dy.astype(float), x)
        assert right.verdict in UNDECIDED
        wrong = check_vjp(lambda x: np.float32(x), lambda x, dy: 1.05 * dy.astype(float), x)
        assert wrong.verdict == "fail"


# Far from zero


@pytest.mark.parametrize("far", [1.7e9, 3e7, 1e6, -1e4])
@pytest.mark.parametrize("size", [1, 6, 40])
@pytest.mark.parametrize("seed", range(300, 304))
def test_bumps_far_from_zero(far, size, seed):
    centers, theta = far + np.random.default_rng(seed).uniform(-2, 2, (2, size))

    def bumps(t):
        return np.exp(-((t - centers) ** 2))

    def grad(t):
        return -2 * (t - centers) * bumps(t)

    assert verdict(lambda t: bumps(t).sum(), grad, theta) == "pass"
    for factor in (0.0, -1.0, 1.1):
        wrong = verdict(lambda t: bumps(t).sum(), lambda t, f=factor: f * grad(t), theta)
        assert wrong == "fail"


def test_large_numbers_that_are_just_large():
    theta = np.array([1.7e9, -3e9, 2e8])
    assert verdict(lambda x: (x**2).sum(), lambda x: 2 * x, theta) == "pass"
    assert verdict(lambda x: (x**2).sum(), lambda x: 2.0001 * x, theta) == "fail"
    assert verdict(lambda x: np.log(x @ x), lambda x: 2 * x / (x @ x), theta) == "pass"


# Zero but for rounding


@pytest.mark.parametrize("shape", [(8, 5), (4, 2), (32, 10), (3, 1)])
def test_the_sum_of_a_normalised_batch(shape):
    x = np.random.default_rng(0).standard_normal(shape)

    def normalized(x):
        return (x - x.mean(axis=0)) / x.std(axis=0)

    def first(x):
        return (np.arange(x.size) == 0).astype(float).reshape(x.shape)

    def grad(x):
        z, dz = normalized(x), np.ones_like(x)
        return (dz - dz.mean(axis=0) - z * (dz * z).mean(axis=0)) / x.std(axis=0)

    report = check_gradient(lambda x: normalized(x).sum(), grad, x)
    assert {probe.verdict for probe in report.probes} == {"pass"}
    assert report.untested == ("theta",)  # the sum is 0 whatever x is, and tells nothing of the formula
    assert verdict(lambda x: normalized(x).sum(), lambda x: grad(x) + 1e-6, x) == "fail"
    assert verdict(lambda x: normalized(x).sum() + x[0, 0], lambda x: grad(x) + first(x), x) == "pass"


# Nothing to be tested


@pytest.mark.parametrize(
    ("loss", "grad", "theta"),
    [
        (lambda x: 5.0, np.zeros_like, np.ones(3)),
        (lambda x: (np.maximum(x, 0) ** 2).sum(), lambda x: -2 * np.maximum(x, 0), -np.ones(3)),
        (lambda x: (x**2).sum(), lambda x: -2 * x, np.zeros(40)),  # of the other sign
        (lambda x: 1e10 + 1e-6 * np.sin(x).sum(), lambda x: 1e-6 * np.cos(x), np.ones(2)),
    ],
    ids=["constant", "dead", "regularizer at 0", "drowned"],
)
def test_where_no_mistake_would_show_the_check_is_inconclusive(loss, grad, theta):
    report = check_gradient(loss, grad, theta)
    assert report.verdict == "inconclusive"
    assert report.untested == ("theta",)
    with pytest.raises(AssertionError, match="not tested: theta"):
        assert_gradient(loss, grad, theta)


def tanh_chain(weight):
    """Ten tanh units, each with one weight: the loss, its gradient and the weights."""

    def forward(w):
        h = [0.5]
        for each in w:
            h.append(np.tanh(each * h[-1]))
        return h

    def loss(w):
        return (forward(w)[-1] - 1) ** 2 / 2

    def grad(w):
        h, g = forward(w), np.zeros_like(w)
        d = h[-1] - 1
        for i in reversed(range(len(w))):
            d *= 1 - h[i + 1] ** 2
            g[i], d = d * h[i], d * w[i]
        return g

    return loss, grad, np.linspace(weight, 1.2 * weight, 10)


@pytest.mark.parametrize("factor", [1, -1, 2, 100])
@pytest.mark.parametrize("weight", [1e-3, 1e-2])
def test_a_gradient_that_vanished_in_the_roundings_of_the_loss_does_not_pass(weight, factor):
    loss, grad, w = tanh_chain(weight)
    assert 0 < np.abs(grad(w)).max() < 1e-17
    report = check_gradient(loss, lambda w: factor * grad(w), w)
    assert report.verdict == "inconclusive"
    assert report.untested == ("theta",)


@pytest.mark.parametrize("factor", [1, -1])
def test_a_leaf_whose_gradient_vanished_is_named_where_others_are_tested(factor):
    loss, grad, w = tanh_chain(1e-2)
    report = check_gradient(
        lambda t: loss(t["w"]) + (t["b"] ** 2).sum(),
        lambda t: {"w": factor * grad(t["w"]), "b": 2 * t["b"]},
        {"w": w, "b": np.ones(2)},
    )
    assert report.passed
    assert report.untested == ("theta['w']",)


def test_where_the_gradient_has_not_vanished_a_wrong_sign_fails():
    loss, grad, w = tanh_chain(0.1)
    assert check_gradient(loss, grad, w).passed
    assert check_gradient(loss, lambda w: -grad(w), w).verdict == "fail"


def test_leaves_that_could_not_be_tested_are_named():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 4))
    theta = {"W": rng.standard_normal((4, 3)), "b": np.zeros(3), "out": np.zeros(3)}

    def loss(t):
        return ((np.tanh(x @ t["W"] + t["b"]) @ t["out"] - 1) ** 2).sum()

    def grad(t):
        h = np.tanh(x @ t["W"] + t["b"])
        dz = 2 * (h @ t["out"] - 1)
        dh = np.outer(dz, t["out"]) * (1 - h**2)
        return {"W": x.T @ dh, "b": dh.sum(axis=0), "out": h.T @ dz}

    report = check_gradient(loss, lambda t: grad(t) | {"W": -7 * grad(t)["W"]}, theta)
    assert report.passed
    assert report.untested == ("theta['W']", "theta['b']")
    assert "not tested: theta" in str(report)
    elsewhere = theta | {"out": np.ones(3)}
    assert check_gradient(loss, grad, elsewhere).untested == ()


# Ties


@pytest.mark.parametrize("count", [4, 5, 9])
def test_ties_of_many(count):
    ties = np.ones(count)
    one = np.eye(count)[1]
    for right in (one, ties / count, 0.5 * one + 0.5 * np.eye(count)[0]):
        assert verdict(np.max, lambda v, g=right: g.copy(), ties) in ("kink", "pass")
    for wrong in (0 * ties, ties, 0.5 * ties, 1.2 * one, -one):
        assert verdict(np.max, lambda v, g=wrong: g.copy(), ties) == "fail"


@pytest.mark.parametrize("seed", range(4))
def test_max_pooling_of_equal_pixels(seed):
    weights = np.random.default_rng(seed).standard_normal((2, 2))

    def windows(x):
        return x.reshape(2, 2, 2, 2).transpose(0, 2, 1, 3).reshape(2, 2, 4)

    def back(masks):
        return (weights[..., None] * masks).reshape(2, 2, 2, 2).transpose(0, 2, 1, 3).reshape(4, 4)

    def loss(x):
        return (windows(x).max(axis=-1) * weights).sum()

    answers = {
        "one": verdict(loss, lambda x: back(np.eye(4)[windows(x).argmax(axis=-1)]), np.ones((4, 4))),
        "all": verdict(loss, lambda x: back(np.ones((2, 2, 4))), np.ones((4, 4))),
        "none": verdict(loss, lambda x: back(np.zeros((2, 2, 4))), np.ones((4, 4))),
    }
    assert answers == {"one": "kink", "all": "fail", "none": "fail"}


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ((0.9, 0.0), "kink"),
        ((0.6, 0.79), "kink"),
        ((0.4,) * 5, "kink"),
        ((1.1, 0.0), "fail"),
        ((0.8, 0.8), "fail"),
        ((1.0,) * 5, "fail"),
    ],
)
def test_subgradients_of_a_norm_at_zero(claim, expected):
    theta = np.zeros(len(claim))
    assert verdict(np.linalg.norm, lambda x: np.array(claim), theta) == expected


# Undefined, infinite, jumping


@pytest.mark.parametrize("size", [1, 4, 120])
def test_a_loss_that_is_undefined_beside_theta(size):
    def not_a_number(x):
        return 1.0 if (x == 1).all() else math.nan

    def refused(x):
        if (x != 1).any():
            raise ValueError("of my own")
        return 1.0

    for loss in (not_a_number, refused):
        report = check_gradient(loss, np.ones_like, np.ones(size))
        assert report.verdict == "inconclusive"
        assert "not a finite number on both sides of" in str(report)
        assert report.evaluations < 45 * max(4, min(size, 6))


@pytest.mark.parametrize("size", [1, 5, 150])
@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_a_loss_that_is_infinite_beyond_warns_of_nothing(size, value):
    def loss(x):
        return (x**2).sum() if (x < 1.0005).all() else value

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert verdict(loss, lambda x: 2 * x, np.ones(size)) == "pass"


@pytest.mark.parametrize("claim", [1.0, -3.0, 1e6])
@pytest.mark.parametrize(
    "loss",
    [
        lambda x: float(np.sign(x[0])),
        lambda x: float(x[0] > 0) + float(x[0] ** 2),
        lambda x: 1e300 if x[0] > 0 else float(x[0]),
    ],
    ids=["sign", "step", "1e300"],
)
def test_where_the_loss_jumps_no_slope_is_right(loss, claim):
    assert verdict(loss, lambda x: np.full_like(x, claim), np.zeros(1)) == "fail"


@pytest.mark.parametrize(("jump", "slope"), [(1e-6, 1.0), (1.0, 5e4)])
def test_a_small_jump_is_taken_for_noise(jump, slope):
    """Small beside what the loss changes over the steps."""

    def loss(x):
        return float(jump * (x[0] > 0) + slope * x[0])

    assert verdict(loss, lambda x: np.full_like(x, slope), np.zeros(1)) == "pass"
    assert verdict(loss, lambda x: np.full_like(x, 1.1 * slope), np.zeros(1)) != "pass"


@pytest.mark.parametrize("size", [2, 30, 150])
def test_an_empty_leaf_beside_others(size):
    theta = {"w": np.linspace(0.5, 2, size), "none": np.zeros(0), "nothing": np.zeros((0, 3))}
    assert (
        verdict(lambda t: (t["w"] ** 2).sum(), lambda t: map_tree(lambda w: 2 * w, t), theta) == "pass"
    )


# The last digits, and solvers


@pytest.mark.parametrize("size", [3, 60])
@pytest.mark.parametrize("amount", [1e-16, 2e-15, 2e-14])
def test_a_loss_whose_last_digits_waver(size, amount):
    rng = np.random.default_rng(size)
    theta = 2 + rng.standard_normal(size) / 4

    def loss(x):
        return (x**3).sum() * (1 + amount * rng.uniform(-1, 1))

    assert verdict(loss, lambda x: 3 * x**2, theta) == "pass"
    assert verdict(loss, lambda x: 3.001 * x**2, theta) == "fail"


def test_a_gradient_whose_last_digits_waver():
    rng = np.random.default_rng(0)
    for size in (3, 60, 200):

        def grad(x, n=size):
            return 3 * x**2 * (1 + 3e-16 * rng.standard_normal(n))

        assert verdict(lambda x: (x**3).sum(), grad, np.linspace(1, 2, size)) == "pass"


def fixed_point(seed, stop):
    """The sum of squares of the z with z = tanh(A z + theta), iterated until it moves by `stop`."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((4, 4))
    A *= 0.5 / np.linalg.norm(A, 2)

    def solve(theta, stop):
        z = np.zeros(4)
        for _ in range(200):
            new = np.tanh(A @ z + theta)
            moved, z = np.abs(new - z).max(), new
            if moved <= stop:
                break
        return z

    def grad(theta):
        z = solve(theta, 0.0)
        slope = np.diag(1 - z**2)
        return 2 * np.linalg.solve(np.eye(4) - slope @ A, slope).T @ z

    return lambda theta: (solve(theta, stop) ** 2).sum(), grad, rng.standard_normal(4)


@pytest.mark.parametrize("stop", [1e-6, 1e-9])
def test_the_accuracy_of_a_solver_can_be_stated(stop):
    for seed in range(5):
        loss, grad, theta = fixed_point(seed, stop)
        assert verdict(loss, grad, theta, accuracy=10 * stop) in UNDECIDED
        assert verdict(loss, lambda t, g=grad: 1.05 * g(t), theta, accuracy=10 * stop) == "fail"


def test_a_solver_that_stops_at_a_billionth_is_not_accused_of_itself():
    for seed in range(8):
        loss, grad, theta = fixed_point(seed, 1e-9)
        assert verdict(loss, grad, theta) in UNDECIDED
        assert verdict(loss, lambda t, g=grad: 1.01 * g(t), theta) == "fail"


@pytest.mark.parametrize("accuracy", [-1.0, math.nan, math.inf])
def test_an_accuracy_that_makes_no_sense_is_refused(accuracy):
    with pytest.raises(ValueError, match="accuracy is"):
        check_gradient(np.sum, np.ones_like, np.ones(2), accuracy=accuracy)


# What it costs, and what stays fixed


@pytest.mark.parametrize(
    ("size", "most"),
    [(1, 20), (10, 60), (20, 100), (21, 100), (30, 100), (100, 100), (101, 100), (1000, 100)],
)
def test_the_cost_has_no_cliff(size, most):
    rng = np.random.default_rng(size)
    weights, theta = rng.standard_normal((2, size))
    report = check_gradient(lambda x: (weights * np.sin(x)).sum(), lambda x: weights * np.cos(x), theta)
    assert report.passed
    assert report.evaluations <= most
    if size > 20:
        assert f"coordinates={size} probes each" in str(report)


@pytest.mark.parametrize(
    ("size", "least", "most"), [(10, 60, 300), (20, 100, 300), (21, 0, 100), (100, 0, 100)]
)
def test_a_loss_of_few_digits_costs_more_where_each_parameter_is_probed(size, least, most):
    weights, theta = np.random.default_rng(size).standard_normal((2, size))

    def loss(x):
        return np.sum(weights.astype(np.float32) * np.sin(x.astype(np.float32)))

    report = check_gradient(loss, lambda x: weights * np.cos(x), theta)
    assert report.passed
    assert least < report.evaluations <= most


@pytest.mark.parametrize(
    ("size", "most"), [(10**4, 85), (10**5, 70), pytest.param(10**6, 60, marks=pytest.mark.slow)]
)
def test_of_more_parameters_a_check_costs_less(size, most):
    theta = np.random.default_rng(0).standard_normal(size)
    report = check_gradient(lambda x: np.sin(x).sum(), np.cos, theta)
    assert report.passed
    assert report.evaluations <= most


@pytest.mark.parametrize("size", [4, 80])
def test_parameters_that_are_held_fixed_are_not_moved(size):
    theta = {"w": np.linspace(0.5, 1, size), "fixed": np.linspace(1, 2, size)}

    def loss(t):
        assert np.array_equal(t["fixed"], theta["fixed"])
        return (t["w"] ** 2 * t["fixed"]).sum()

    def grad(t):
        return {"w": 2 * t["w"] * t["fixed"], "fixed": np.full(size, 77.0)}  # wrong, and not asked for

    for frozen in (lambda path: path == "['fixed']", {"w": False, "fixed": True}):
        report = check_gradient(loss, grad, theta, frozen=frozen)
        assert report.passed
        assert report.parameters == size
        assert report.untested == ()
        wrong = check_gradient(
            loss, lambda t: map_tree(lambda g: 1.01 * g, grad(t)), theta, frozen=frozen
        )
        assert wrong.verdict == "fail"
        assert {p.path for p in wrong.probes if p.index} == {"['w']"}


def test_some_numbers_of_a_leaf_are_held_fixed_by_equal_bounds():
    theta = np.linspace(1, 2, 50)
    low, high = np.full(50, -np.inf), np.full(50, np.inf)
    low[::2] = high[::2] = theta[::2]

    def loss(x):
        assert np.array_equal(x[::2], theta[::2])
        return (x**3).sum()

    report = check_gradient(loss, lambda x: 3 * x**2 * (np.arange(50) % 2), theta, bounds=(low, high))
    assert report.passed
    assert report.parameters == 25


def test_nothing_left_to_move_is_refused():
    with pytest.raises(ValueError, match="all of theta is held fixed"):
        check_gradient(np.sum, np.ones_like, np.ones(2), frozen=lambda path: True)


# Jumps that are hard to see


def weighted_casts(theta, weights, half=np.float32, factor=1.0):
    """A weighted sum of rounded numbers, and `factor` times its gradient."""
    return check_gradient(
        lambda x: float((weights * x.astype(half).astype(float)).sum()),
        lambda x: factor * weights,
        theta,
    )


def test_float32_is_seen_even_if_parts_of_theta_are_rounded_alike():
    """Whole multiples of a sixth of the first number are off by whole multiples of one error."""
    theta = np.array([-5.727293109462675, 2.23528969, 1.30230734, 16.01810608])
    weights = np.array([0.156, -0.000855, -0.0643, -1.106])
    assert weighted_casts(theta, weights).verdict in UNDECIDED
    assert weighted_casts(theta, weights, factor=2.0).verdict == "fail"


@pytest.mark.parametrize("seed", [2, 3, 6])
def test_steps_that_coarse_values_ask_for_are_no_proof_if_smaller_ones_agree(seed):
    """They are wider than the waves of this loss."""
    rng = np.random.default_rng(seed)
    theta, weights = rng.standard_normal(4) / 100, 10 ** rng.uniform(-2, 2, 4)
    speed = 1 / np.abs(theta).max()

    def loss(x):
        return float((weights * np.sin(speed * x.astype(np.float16).astype(float))).sum())

    def grad(x):
        return speed * weights * np.cos(speed * x)

    assert verdict(loss, grad, theta) in UNDECIDED


@pytest.mark.parametrize("seed", [20, 25, 40])
def test_a_solver_that_stops_at_a_millionth_is_not_accused_of_itself(seed):
    loss, grad, theta = fixed_point(seed, 1e-6)
    assert verdict(loss, grad, theta) in UNDECIDED
    assert verdict(loss, lambda t: 1.01 * grad(t), theta) == "fail"


@pytest.mark.parametrize("height", [1.0, 1e3])
def test_a_jump_far_away_is_no_excuse(height):
    def loss(x):
        return 1e-9 * float((x**2).sum()) + height * float(x[0] > 1.3)

    assert verdict(loss, lambda x: 4e-9 * x, np.array([1.0, 2.0])) == "fail"


@pytest.mark.parametrize("size", [1e-4, 1e-5])
def test_slightly_wrong_gradients_of_smooth_losses_fail(size):
    theta = np.linspace(0.4, 1.6, 5)
    report = check_gradient(
        lambda x: float(np.exp(np.sin(x)).sum()),
        lambda x: np.cos(x) * np.exp(np.sin(x)) + size * np.sin(3 * x),
        theta,
    )
    assert report.verdict == "fail"
