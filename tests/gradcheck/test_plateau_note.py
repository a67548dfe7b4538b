"""A loss that is a staircase says so wherever a check could not decide."""

import numpy as np
import pytest

from optimlib import check_gradient

SAID = "no more exact than"


def cast(dtype):
    return lambda a: a.astype(dtype).astype(np.float64)


def network(seed: int, rounded):
    """Three layers of tanh: parameters and data as they are, what lies between rounded."""
    rng = np.random.default_rng(seed)
    sizes = [8, 12, 9, int(rng.integers(2, 8))]
    X, y = rng.standard_normal((6, 8)), rng.standard_normal((6, sizes[-1]))
    theta = {
        f"W{i}": rng.standard_normal((sizes[i], sizes[i + 1])) / np.sqrt(sizes[i]) for i in range(3)
    }

    def forward(t):
        h = [X]
        for i in range(3):
            a = h[-1] @ t[f"W{i}"]
            h.append(rounded(a if i == 2 else np.tanh(a)))
        return h

    def loss(t):
        return float(((forward(t)[-1] - y) ** 2).mean())

    def grad(t):
        h = forward(t)
        d, g = 2 * (h[-1] - y) / y.size, {}
        for i in (2, 1, 0):
            if i < 2:
                d = d * (1 - h[i + 1] ** 2)
            g[f"W{i}"] = h[i].T @ d
            d = d @ t[f"W{i}"].T
        return g

    return loss, grad, theta


def staircase(seed: int, rounded):
    """Weighted sums of numbers that are rounded: steps of many heights, and no common grid."""
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((12, 12)), 10.0 ** rng.uniform(-2, 2, (12, 12))
    return lambda x: float((w * rounded(np.tanh(x))).sum()), lambda x: w * (1 - np.tanh(x) ** 2), x


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("make", [network, staircase])
def test_an_undecided_check_says_that_the_loss_is_coarse(make, dtype):
    undecided = 0
    for seed in range(12):
        report = check_gradient(*make(seed, cast(dtype)))
        assert report.verdict in ("pass", "inconclusive"), seed
        if report.verdict == "inconclusive":
            undecided += 1
            assert any(SAID in note for note in report.notes), seed
    assert undecided  # else nothing was tested


@pytest.mark.parametrize("make", [network, staircase])
def test_a_smooth_loss_is_not_called_coarse(make):
    for seed in range(4):
        report = check_gradient(*make(seed, lambda a: a))
        assert report.verdict == "pass"
        assert not any(SAID in note for note in report.notes)
