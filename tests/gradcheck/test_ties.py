"""Ties of any size: what max and its relatives allow where many numbers are equal."""

import numpy as np
import pytest
from support import verdict

from optimlib import check_gradient
from optimlib.gradcheck.report import GradientReport, Probe

SIZES = [4, 33, 400]
RIGHT = ("kink", "pass")


def one_hot(n: int, place: int) -> np.ndarray:
    return np.where(np.arange(n) == place, 1.0, 0.0)


def constant(claim):
    return lambda x: np.array(claim, x.dtype)


def mean_of_largest(k: int):
    return lambda x: np.sort(x, axis=None)[-k:].mean()


def pooled(window: int):
    """The sum of the largest numbers of all windows."""

    def loss(x):
        rows, columns = x.shape
        return x.reshape(rows // window, window, columns // window, window).max(axis=(1, 3)).sum()

    return loss


# Max of n equal numbers: the gradients from 0 on whose sum is 1


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("loss", [np.max, np.min], ids=["max", "min"])
def test_any_share_of_a_tie_is_right(loss, n):
    x = np.full(n, 0.7)
    for claim in (
        np.full(n, 1 / n),
        one_hot(n, n // 3),
        one_hot(n, n - 1),
        np.random.default_rng(n).dirichlet(np.ones(n)),
        (one_hot(n, 0) + one_hot(n, 2)) / 2,
    ):
        assert verdict(loss, constant(claim), x) in RIGHT


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("loss", [np.max, np.min], ids=["max", "min"])
def test_shares_of_a_tie_add_up_to_one(loss, n):
    x = np.full(n, 0.7)
    for claim in (np.zeros(n), np.ones(n), np.full(n, 1.01 / n), 0.5 * one_hot(n, 0), -one_hot(n, 1)):
        assert verdict(loss, constant(claim), x) == "fail", claim.sum()


@pytest.mark.parametrize("n", SIZES)
def test_the_largest_size_of_numbers_of_both_signs(n):
    signs = np.where(np.arange(n) % 3 == 1, -1.0, 1.0)
    x = 0.7 * signs

    def loss(x):
        return np.abs(x).max()

    assert verdict(loss, constant(signs / n), x) in RIGHT
    assert verdict(loss, constant(signs * one_hot(n, 2)), x) in RIGHT
    assert verdict(loss, constant(np.zeros(n)), x) == "fail"
    assert verdict(loss, constant(np.abs(signs) / n), x) == "fail"
    assert verdict(loss, constant(signs), x) == "fail"


@pytest.mark.parametrize("n", [9, 100, 400])
def test_the_mean_of_the_largest_third(n):
    loss, x = mean_of_largest(n // 3), np.full(n, 0.7)
    assert verdict(loss, constant(np.full(n, 1 / n)), x) in RIGHT
    assert verdict(loss, constant(np.where(np.arange(n) < n // 3, 1 / (n // 3), 0)), x) in RIGHT
    assert verdict(loss, constant(np.zeros(n)), x) == "fail"
    assert verdict(loss, constant(np.ones(n)), x) == "fail"


@pytest.mark.parametrize(("rows", "window"), [(4, 2), (8, 4), (16, 4), (16, 8)])
def test_pooling_windows_of_equal_numbers(rows, window):
    x, first = np.full((rows, rows), 0.3), np.zeros((rows, rows))
    first[::window, ::window] = 1  # one number of every window
    assert verdict(pooled(window), constant(first), x) in RIGHT
    assert verdict(pooled(window), constant(np.full(x.shape, window**-2.0)), x) in RIGHT
    assert verdict(pooled(window), constant(np.zeros(x.shape)), x) == "fail"
    assert verdict(pooled(window), constant(np.ones(x.shape)), x) == "fail"


# Further kinds


@pytest.mark.parametrize("n", [50, 3000])
def test_backward_passes_that_share_or_choose(n):
    """Functions of x, and no lists of numbers: these are compared close by as well."""

    def shared(x):
        return (x == x.max()) / (x == x.max()).sum()

    def chosen(x):
        return one_hot(n, int(x.argmax()))

    x = np.full(n, 0.4)
    for grad in (shared, chosen):
        assert verdict(np.max, grad, x) in RIGHT
        assert verdict(np.max, lambda x, grad=grad: 1.001 * grad(x), x) == "fail"
        assert verdict(np.max, lambda x, grad=grad: 0 * grad(x), x) == "fail"


@pytest.mark.parametrize("n", [50, 300])
def test_ties_of_weighted_numbers(n):
    rng = np.random.default_rng(n)
    w = rng.uniform(0.5, 2, n) * rng.choice([-1, 1], n)

    def loss(x):
        return (w * x).max()

    assert verdict(loss, constant(w / n), 0.6 / w) in RIGHT
    assert verdict(loss, constant(0 * w), 0.6 / w) == "fail"


@pytest.mark.parametrize("n", [50, 300])
def test_a_tie_of_half_of_the_numbers(n):
    x = np.repeat([0.4, 0.1], n)
    assert verdict(np.max, constant(np.where(x == 0.4, 1 / n, 0)), x) in RIGHT
    assert verdict(np.max, constant(0 * x), x) == "fail"


@pytest.mark.parametrize("n", [50, 300])
def test_a_tie_over_two_leaves(n):
    theta = {"a": np.full(n, 0.4), "b": np.full((n // 5, 5), 0.4), "c": np.arange(1.0, 9)}

    def loss(t):
        return max(t["a"].max(), t["b"].max()) + (t["c"] ** 2).sum()

    def claim(of_a, of_b):
        def grad(t):
            parts = {
                key: np.full(t[key].shape, x / t[key].size) for key, x in (("a", of_a), ("b", of_b))
            }
            return parts | {"c": 2 * t["c"]}

        return grad

    assert verdict(loss, claim(0.3, 0.7), theta) in RIGHT
    assert verdict(loss, claim(1.0, 0.0), theta) in RIGHT
    assert verdict(loss, claim(0.0, 0.0), theta) == "fail"
    assert verdict(loss, claim(1.0, 1.0), theta) == "fail"


@pytest.mark.parametrize("n", [40, 400])
def test_a_tie_in_float32(n):
    x = np.full(n, 0.4, np.float32)
    assert verdict(np.max, constant(np.full(n, 1 / n)), x) in RIGHT
    assert verdict(np.max, constant(np.zeros(n)), x) == "fail"


@pytest.mark.parametrize("options", [{"coordinates": 0}, {"coordinates": 5, "directions": 0}], ids=str)
def test_a_tie_seen_by_directions_or_coordinates_alone(options):
    x = np.full(300, 0.4)
    assert verdict(np.max, constant(np.zeros(300)), x, **options) == "fail"
    assert verdict(np.max, constant(one_hot(300, 7)), x, **options) in RIGHT


@pytest.mark.parametrize("inputs", [6, 30])
def test_a_hinge_loss_of_weights_that_are_zero(inputs):
    rng = np.random.default_rng(inputs)
    X, y = rng.standard_normal((7, inputs)), rng.integers(0, 4, 7)
    rows = np.arange(7)

    def margins(W):
        s = X @ W
        m = s - s[rows, y][:, None] + 1.0
        m[rows, y] = 0
        return m

    def loss(W):
        return margins(W).max(axis=1).sum()

    def grad(W, factor=1.0):
        d = np.zeros((7, 4))
        d[rows, margins(W).argmax(axis=1)] += 1
        d[rows, y] -= 1
        return factor * X.T @ d

    W = np.zeros((inputs, 4))
    assert verdict(loss, grad, W) in RIGHT
    for factor in (0.0, 2.0):
        assert verdict(loss, lambda W, factor=factor: grad(W, factor), W) == "fail"


# What a report says


def test_a_list_of_numbers_is_judged_at_theta_alone_and_called_so():
    x = np.full(64, 0.3)
    report = check_gradient(np.max, constant(np.full(64, 1 / 64)), x)
    assert any("the same all around theta" in note for note in report.notes)
    chosen = check_gradient(np.max, lambda x: one_hot(64, int(x.argmax())), x)
    assert chosen.notes == ()


def test_a_report_names_the_leaf_that_was_shifted():
    worst = check_gradient(np.max, constant(np.zeros(64)), np.full(64, 0.3)).worst(1)[0]
    assert worst.place == "theta shifted"
    assert (worst.analytic, worst.numeric) == (0, pytest.approx(1))


@pytest.mark.parametrize("n", [64, 100, 400])
def test_a_tie_is_cheap(n):
    """Numbers of a tie that were not sampled say nothing one by one, and are not probed."""
    assert check_gradient(np.max, constant(np.zeros(n)), np.full(n, 0.3)).evaluations < 450


def test_a_shift_is_no_random_direction():
    """So it does not count where the report says what random directions would miss."""
    probe = Probe("direction 1", "", None, 1.0, 1.0, 1e-9, 4e-9, 0.0, "pass", ("",))
    shift = Probe("theta shifted", "", None, 1.0, 1.0, 1e-9, 4e-9, 0.0, "pass", ("",), is_random=False)
    gradient = (("", np.ones(50)),)
    one = GradientReport((probe,), parameters=50, norm=7.0, evaluations=9, gradient=gradient)
    both = GradientReport((probe, shift), parameters=50, norm=7.0, evaluations=9, gradient=gradient)
    assert both.detectable() == one.detectable()
